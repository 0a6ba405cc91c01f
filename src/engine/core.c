/*
 * core.c - the turn: executing commands into the open batch, handing batches to the writer,
 * admission, moving a virtual clock. See core.h for the guarantees E1 to E5.
 * Tests: tests/unit/test_engine.c, the simulation.
 */
#include "engine/core.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/large.h"
#include "base/mutant.h"

enum {
    ENGINE_BATCH_ROOM = JOURNAL_BATCH_HEADER_BYTES + JOURNAL_BLOCK_BYTES,
    ENGINE_FULL_RETRY_MS = 50, /* how often a full disk is asked again */
};

struct engine_batch {
    uint8_t *buffer;
    size_t capacity; /* of the buffer */
    size_t size;     /* of the payload */
    uint32_t frames;
    uint64_t first_position;
    int64_t opened_ns; /* monotonic: when its first frame came */
    int64_t time_ns;   /* book time of its last frame */
};

/* A ring of bytes that holds the last durable frames as one run, moved down when it is full. */
struct engine_recent_frames {
    uint8_t *data;
    size_t size;
    uint64_t first_position; /* of the first frame in data */
    uint64_t next_position;
};

/* How much new work the turns take (R3.2): as much less as they are too long, more by a sixteenth
 * when they are not. */
struct engine_share {
    uint32_t allowed;   /* in one turn */
    uint32_t taken;     /* in this one */
    uint32_t continued; /* pieces of work in this one that continue what was accepted */
};

enum { ENGINE_SHARE_MIN = 4, ENGINE_SHARE_MAX = 1 << 20 };

struct engine {
    struct engine_share share;
    struct book *book;
    struct book_clock *clock;
    struct engine_writer writer;
    struct engine_archive archive;
    struct engine_limits limits;
    struct journal_head head;
    struct engine_batch open;
    struct engine_batch writing; /* frames == 0: the writer is idle */
    struct engine_recent_frames recent;
    uint64_t random;
    bool poisoned;
    bool disk_full;
    bool behind; /* the last turn may have left work that was due */
    bool held;
    int64_t held_ns;   /* monotonic: since when */
    int64_t breath_ns; /* of engine_begin; 0: the book's own time */
    bool advancing;
    bool advance_until_idle;
    int64_t advance_from_ns;
    int64_t wake_ns; /* of the face */
    int64_t advance_to_ns;
    struct engine *peer; /* shares the clock; NULL: none does */
    struct engine_counters counters;
};

struct engine_limits engine_limits_default(void)
{
    struct engine_limits limits = {
        .stall_ns_max = (int64_t)80 * 1000 * 1000,
        .batch_bytes_max = 1024 * 1024,
        .recent_bytes = 8 * 1024 * 1024,
        .work_per_turn_max = 4096,
        .turn_ns_max = (int64_t)5 * 1000 * 1000,
    };
    return limits;
}

const char *engine_status_text(enum engine_status status)
{
    switch (status) {
    case ENGINE_APPLIED: return "done";
    case ENGINE_REFUSED: return "refused";
    case ENGINE_BUSY:
        return "the journal cannot keep up with the work offered; nothing was accepted, try again "
               "in a moment";
    case ENGINE_DISK_FULL:
        return "the disk that holds the journal is full; nothing was accepted, free some space and "
               "try again";
    case ENGINE_NO_MEMORY: return "out of memory; nothing was accepted";
    case ENGINE_POISONED:
        return "writing the journal failed; the process is about to end, restart it";
    case ENGINE_NO_INDEX:
        return "the index of old ids cannot be read, so it is not known whether this was asked "
               "before; nothing was accepted. Stop, remove the index and start: it is built anew";
    }
    UNREACHABLE("unknown engine status");
}

static bool batch_grow(struct engine_batch *b, size_t payload)
{
    CHECK(payload <= JOURNAL_PAYLOAD_MAX + (size_t)BOOK_FRAME_BYTES_MAX);
    size_t capacity = b->capacity == 0 ? ENGINE_BATCH_BYTES_FIRST : b->capacity;
    while (capacity - ENGINE_BATCH_ROOM < payload) {
        capacity *= 2;
    }
    void *buffer = NULL;
    if (posix_memalign(&buffer, JOURNAL_BLOCK_BYTES, capacity) != 0) {
        return false;
    }
    if (b->size > 0) {
        memcpy((uint8_t *)buffer + JOURNAL_BATCH_HEADER_BYTES,
               b->buffer + JOURNAL_BATCH_HEADER_BYTES, b->size);
    }
    large_exclude_from_fork(buffer, capacity);
    large_free_excluded(b->buffer, b->capacity);
    b->buffer = buffer;
    b->capacity = capacity;
    return true;
}

struct engine *engine_create(const struct engine_options *options)
{
    CHECK(options->head.position == options->book->position);
    struct engine *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return NULL;
    }
    e->book = options->book;
    e->clock = options->clock;
    e->writer = options->writer;
    e->archive = options->archive;
    e->limits = options->limits;
    e->head = options->head;
    e->random = options->random_seed;
    e->wake_ns = INT64_MAX;
    e->share.allowed = ENGINE_SHARE_MAX;
    e->recent.first_position = options->head.position + 1;
    e->recent.next_position = options->head.position + 1;
    e->recent.data = malloc(e->limits.recent_bytes); /* untouched pages cost nothing */
    large_exclude_from_fork(e->recent.data, e->limits.recent_bytes);
    if (e->recent.data == NULL || !batch_grow(&e->open, 1) || !batch_grow(&e->writing, 1)) {
        engine_destroy(e);
        return NULL;
    }
    book_clock_at_least(e->clock, e->book->time_ns);
    return e;
}

void engine_destroy(struct engine *e)
{
    if (e != NULL) {
        large_free_excluded(e->open.buffer, e->open.capacity);
        large_free_excluded(e->writing.buffer, e->writing.capacity);
        large_free_excluded(e->recent.data, e->limits.recent_bytes);
        free(e);
    }
}

struct book *engine_book(struct engine *e)
{
    return e->book;
}

struct book_clock *engine_clock(struct engine *e)
{
    return e->clock;
}

int64_t engine_now(const struct engine *e)
{
    int64_t now_ns = book_clock_now(e->clock);
    return now_ns > e->book->time_ns ? now_ns : e->book->time_ns;
}

uint64_t engine_durable(const struct engine *e)
{
    if (MUTATED(REPLY_BEFORE_SYNC)) {
        return e->book->position;
    }
    return e->head.position;
}

uint64_t engine_applied(const struct engine *e)
{
    return e->book->position;
}

bool engine_poisoned(const struct engine *e)
{
    return e->poisoned;
}

struct journal_head engine_head(const struct engine *e)
{
    return e->head;
}

/* ---- admission (E3) ---- */

static int64_t engine_stall_ns(const struct engine *e)
{
    int64_t since_ns = e->writing.frames > 0 ? e->writing.opened_ns : e->open.opened_ns;
    if (e->writing.frames == 0 && e->open.frames == 0) {
        return 0;
    }
    return book_clock_monotonic(e->clock) - since_ns;
}

enum engine_status engine_admits(const struct engine *e, enum engine_class class)
{
    if (e->poisoned) {
        return ENGINE_POISONED;
    }
    /* On a full disk deadlines wait, too: what is decided and cannot be written would have to be
     * kept from readers, and with it everything else. */
    uint64_t unsynced = (uint64_t)e->open.size + e->writing.size;
    enum engine_room room = e->writer.room(e->writer.context, unsynced + JOURNAL_BLOCK_BYTES);
    if (e->disk_full || room == ENGINE_ROOM_FULL) {
        return ENGINE_DISK_FULL;
    }
    if (e->held) {
        return ENGINE_BUSY; /* deadlines too: as long as there is something to write, it lasts */
    }
    if (class == ENGINE_INTERNAL) {
        return e->open.size + BOOK_FRAME_BYTES_MAX <= JOURNAL_PAYLOAD_MAX ? ENGINE_APPLIED
                                                                          : ENGINE_BUSY;
    }
    if (class == ENGINE_CONTINUATION) {
        return e->open.size <= JOURNAL_PAYLOAD_MAX / 2 ? ENGINE_APPLIED : ENGINE_BUSY;
    }
    if (e->share.taken >= e->share.allowed || room != ENGINE_ROOM_NOW) {
        return ENGINE_BUSY;
    }
    if (e->open.size > e->limits.batch_bytes_max ||
        (engine_stall_ns(e) > e->limits.stall_ns_max && !MUTATED(STALL_IGNORED))) {
        return ENGINE_BUSY;
    }
    return ENGINE_APPLIED;
}

/* ---- executing ---- */

static uint64_t engine_draw(struct engine *e)
{
    e->random += 0x9e3779b97f4a7c15u;
    return hash_mix(e->random, e->random ^ 0xe7037ed1a0b428dbu);
}

/* A restored world has a time of its own: a virtual clock goes there, a real one never back. */
static void engine_follow_time(struct engine *e, int64_t decided_ns)
{
    if (e->book->time_ns == decided_ns) {
        return;
    }
    if (e->clock->is_virtual) {
        book_clock_put(e->clock, e->book->time_ns);
    } else {
        book_clock_at_least(e->clock, e->book->time_ns);
    }
}

enum engine_reach engine_reach(struct engine *e, const struct old_name *name)
{
    struct old_name primary;
    struct span record;
    if (book_holds(e->book, name)) {
        return ENGINE_REACHED;
    }
    if (e->archive.find == NULL) {
        return ENGINE_NOWHERE;
    }
    enum index_answer answer =
        e->archive.find(e->archive.context, e->book->generation, name, &primary, &record);
    e->counters.fetched += answer == INDEX_FOUND;
    e->counters.fetch_misses += answer == INDEX_NOTHING;
    if (answer != INDEX_FOUND) {
        return answer == INDEX_NOTHING ? ENGINE_NOWHERE : ENGINE_UNKNOWN;
    }
    if (book_holds(e->book, &primary)) {
        return ENGINE_NOWHERE; /* it came home, and memory does not know it by this name */
    }
    return book_host(e->book, &primary, record) ? ENGINE_REACHED : ENGINE_UNKNOWN;
}

static enum engine_status engine_frame(struct engine *e, struct book_command *command)
{
    size_t needed = book_frame_bytes_max(command);
    if (e->open.capacity - ENGINE_BATCH_ROOM - e->open.size < needed &&
        !batch_grow(&e->open, e->open.size + needed)) {
        return ENGINE_NO_MEMORY;
    }
    command->random = engine_draw(e);
    struct writer out = writer_init(e->open.buffer + JOURNAL_BATCH_HEADER_BYTES + e->open.size,
                                    e->open.capacity - ENGINE_BATCH_ROOM - e->open.size);
    uint64_t position = book_execute(e->book, command, &out);
    if (position == BOOK_NO_MEMORY) {
        return ENGINE_NO_MEMORY;
    }
    if (position == 0) {
        return ENGINE_REFUSED;
    }
    if (e->open.frames == 0) {
        e->open.first_position = position;
        e->open.opened_ns = book_clock_monotonic(e->clock);
    }
    e->open.size += out.size;
    e->open.frames++;
    e->open.time_ns = command->now_ns;
    engine_follow_time(e, command->now_ns);
    e->counters.frames++;
    return ENGINE_APPLIED;
}

/* ---- what a command names and memory does not hold ---- */

struct engine_fetch {
    struct engine *engine;
    int64_t now_ns;
    enum engine_status status; /* why what was found could not come home */
};

static enum fetch_answer fetch_find(void *context, const struct old_name *name,
                                    struct old_name *primary, struct span *record)
{
    struct engine *e = ((struct engine_fetch *)context)->engine;
    if (e->archive.find == NULL) {
        return FETCH_NOTHING;
    }
    enum index_answer answer =
        e->archive.find(e->archive.context, e->book->generation, name, primary, record);
    e->counters.fetched += answer == INDEX_FOUND;
    e->counters.fetch_misses += answer == INDEX_NOTHING;
    return answer == INDEX_FOUND     ? FETCH_DONE
           : answer == INDEX_NOTHING ? FETCH_NOTHING
                                     : FETCH_UNKNOWN;
}

/* A frame of its own in the same batch, before that of the command. */
static enum fetch_answer fetch_recall(void *context, const struct recall_command *c)
{
    struct engine_fetch *f = context;
    enum book_outcome outcome = BOOK_DONE;
    struct book_command command = {COMMAND_RECALL, f->now_ns, 0, c, &outcome};
    enum engine_status status = ENGINE_BUSY;
    /* Also for the frame of the command itself. */
    if (f->engine->open.size + 2 * BOOK_FRAME_BYTES_MAX <= JOURNAL_PAYLOAD_MAX) {
        status = engine_frame(f->engine, &command);
    }
    CHECK(status != ENGINE_REFUSED); /* it is the guest */
    f->status = status == ENGINE_APPLIED ? f->status : status;
    return status == ENGINE_APPLIED ? FETCH_DONE : FETCH_LATER;
}

/* Decides one command at now_ns into the open batch. */
static enum engine_status engine_decide(struct engine *e, struct book_command *command)
{
    struct engine_fetch fetch = {e, command->now_ns, ENGINE_BUSY};
    const struct fetch_port port = {&fetch, fetch_find, fetch_recall};
    enum fetch_answer answer =
        MUTATED(KEY_NOT_FETCHED) ? FETCH_DONE : book_fetch(e->book, command, &port);
    if (answer != FETCH_DONE) {
        return answer == FETCH_UNKNOWN ? ENGINE_NO_INDEX : fetch.status;
    }
    return engine_frame(e, command);
}

/* Deadlines that came together are decided as fast as the disk takes them: whoever looks at
 * something meanwhile waits for all that was decided before. */
static bool engine_is_ahead_of_disk(const struct engine *e)
{
    return e->writing.frames > 0 && e->open.size > e->limits.batch_bytes_max;
}

/* And no longer at a time than a turn may last, also when each costs much: after a fork, every page
 * that it touches has to be copied. */
static bool engine_has_done_enough(const struct engine *e, uint32_t done, int64_t since_ns)
{
    return engine_is_ahead_of_disk(e) ||
           (done > 0 && book_clock_monotonic(e->clock) - since_ns > e->limits.turn_ns_max);
}

/* Internal work that is due at now_ns, at most the limit of a turn. since_ns: when the turn began,
 * or -1: somebody waits for all of it. True: there may be more. */
static bool engine_work(struct engine *e, int64_t now_ns, int64_t since_ns)
{
    struct book_command command;
    for (uint32_t i = 0; i < e->limits.work_per_turn_max; i++) {
        if (engine_admits(e, ENGINE_INTERNAL) != ENGINE_APPLIED ||
            !book_work(e->book, now_ns, &command)) {
            return false;
        }
        if (since_ns >= 0 && engine_has_done_enough(e, i, since_ns)) {
            return true;
        }
        command.now_ns = now_ns;
        enum engine_status status = engine_decide(e, &command);
        if (status == ENGINE_NO_MEMORY) {
            return false; /* tried again next turn */
        }
        CHECK(status == ENGINE_APPLIED); /* work that is due always makes an event */
    }
    return true;
}

enum engine_status engine_begin(struct engine *e, enum engine_class class)
{
    enum engine_status status = engine_admits(e, class);
    if (status != ENGINE_APPLIED) {
        e->counters.refused_busy += status == ENGINE_BUSY;
        e->counters.refused_disk += status == ENGINE_DISK_FULL;
        return status;
    }
    e->share.taken += class == ENGINE_NEW_WORK;
    e->share.continued += class == ENGINE_CONTINUATION;
    e->breath_ns = engine_now(e);
    int64_t due_ns = book_next_due(e->book);
    if (due_ns != INT64_MIN && due_ns <= e->breath_ns) {
        /* A deadline that has passed is not beaten by an answer after it. At the command's own
         * time: a second look at the clock would leave the command behind what was decided here. */
        (void)engine_work(e, MUTATED(SECOND_LOOK) ? engine_now(e) : e->breath_ns, -1);
    }
    return ENGINE_APPLIED;
}

struct engine_result engine_execute(struct engine *e, enum engine_class class, uint16_t kind,
                                    const void *body, void *reply)
{
    struct engine_result result = {engine_begin(e, class), 0};
    if (result.status != ENGINE_APPLIED) {
        return result;
    }
    struct book_command command = {kind, e->breath_ns, 0, body, reply};
    e->breath_ns = 0; /* what follows goes by the book, whose time a restored world puts back */
    result.status = engine_decide(e, &command);
    bool waits = result.status == ENGINE_APPLIED || !MUTATED(REFUSAL_NOT_WAITING);
    result.wait_position = waits ? engine_applied(e) : 0;
    return result;
}

struct engine_result engine_execute_next(struct engine *e, uint16_t kind, const void *body,
                                         void *reply)
{
    struct engine_result result = {engine_admits(e, ENGINE_CONTINUATION), 0};
    if (result.status == ENGINE_APPLIED) {
        int64_t book_ns = e->book->time_ns;
        int64_t now_ns = e->breath_ns > book_ns ? e->breath_ns : book_ns;
        struct book_command command = {kind, now_ns, 0, body, reply};
        result.status = engine_decide(e, &command);
        result.wait_position = engine_applied(e);
    }
    return result;
}

/* ---- batches ---- */

static void engine_start_writing(struct engine *e)
{
    const struct engine_batch *b = &e->writing;
    struct journal_batch batch = {
        .buffer = b->buffer,
        .capacity = b->capacity,
        .payload_size = b->size,
        .first_position = b->first_position,
        .frame_count = b->frames,
        .time_ns = b->time_ns,
    };
    CHECK(batch.first_position == e->head.position + 1);
    e->disk_full = false;
    e->writer.start(e->writer.context, &batch, e->head.hash);
}

static void engine_flush(struct engine *e)
{
    if (e->poisoned || e->writing.frames > 0 || e->open.frames == 0) {
        return;
    }
    struct engine_batch filled = e->open;
    e->open = e->writing;
    e->open.size = 0;
    e->open.frames = 0;
    e->writing = filled;
    CHECK(filled.first_position + filled.frames == e->book->position + 1);
    e->counters.batches++;
    e->counters.bytes += filled.size;
    engine_start_writing(e);
}

void engine_turn(struct engine *e)
{
    if (e->poisoned) {
        return;
    }
    if (e->disk_full && e->writer.room(e->writer.context, e->writing.size) == ENGINE_ROOM_NOW) {
        engine_start_writing(e); /* space has returned: the batch that waited goes first */
    }
    e->behind = engine_work(e, engine_now(e), book_clock_monotonic(e->clock));
    engine_flush(e);
}

void engine_pace(struct engine *e, int64_t worked_ns)
{
    struct engine_share *share = &e->share;
    CHECK(worked_ns >= 0);
    /* New work alone may take all the time it likes: nobody else waits. And a long turn without any
     * (deadlines that came together, pages that had to be copied) says nothing about it. */
    bool alone = share->continued <= share->taken / 4;
    bool crowded = worked_ns > e->limits.turn_ns_max && !alone;
    if (crowded && share->taken > 0) {
        uint32_t taken = share->taken < share->allowed ? share->taken : share->allowed;
        int64_t fits = (int64_t)taken * e->limits.turn_ns_max / worked_ns;
        share->allowed =
            fits > taken / 4 ? (uint32_t)fits : taken / 4; /* one turn may be a fluke */
        share->allowed = share->allowed > ENGINE_SHARE_MIN ? share->allowed : ENGINE_SHARE_MIN;
    } else if (!crowded && share->allowed < ENGINE_SHARE_MAX) {
        /* While nothing else comes it is back in a few turns: each is as long as a thousand clients
         * who are told to try again make it, and by steps they would be told so for seconds. */
        share->allowed += share->continued == 0 ? share->allowed : share->allowed / 16 + 1;
    }
    share->taken = 0;
    share->continued = 0;
}

/* Keeps the frames of a batch that became durable for the readers of the stream. */
static void recent_keep(struct engine_recent_frames *recent, size_t room,
                        const struct engine_batch *batch)
{
    CHECK(recent->next_position == batch->first_position);
    if (batch->size > room / 2) {
        recent->size = 0;
        recent->first_position = batch->first_position + batch->frames;
    } else {
        if (recent->size + batch->size > room) {
            /* Drop the older half, at a frame's edge. */
            struct reader r = reader_init(recent->data, recent->size);
            struct frame_reader f;
            size_t cut = 0;
            while (cut < room / 2 && frame_next(&r, &f)) {
                cut = r.at;
                recent->first_position = f.info.position + 1;
            }
            memmove(recent->data, recent->data + cut, recent->size - cut);
            recent->size -= cut;
        }
        memcpy(recent->data + recent->size, batch->buffer + JOURNAL_BATCH_HEADER_BYTES,
               batch->size);
        recent->size += batch->size;
    }
    recent->next_position = batch->first_position + batch->frames;
}

void engine_written(struct engine *e, enum journal_status status, const struct journal_head *head)
{
    CHECK(e->writing.frames > 0);
    if (status == JOURNAL_DISK_FULL) {
        /* Nothing was written: the batch waits for space, and nothing new is taken. */
        e->disk_full = !MUTATED(FULL_FORGETS);
        e->writing.frames = MUTATED(FULL_FORGETS) ? 0 : e->writing.frames;
        return;
    }
    if (status != JOURNAL_OK) {
        e->poisoned = !MUTATED(POISON_IGNORED); /* E2 */
        return;
    }
    CHECK(head->position == e->writing.first_position + e->writing.frames - 1);
    int64_t took_ns = engine_stall_ns(e);
    e->counters.sync_ns_total += took_ns;
    latency_add(&e->counters.sync, took_ns);
    e->counters.sync_ns_max = took_ns > e->counters.sync_ns_max ? took_ns : e->counters.sync_ns_max;
    e->head = *head;
    recent_keep(&e->recent, e->limits.recent_bytes, &e->writing);
    e->writing.frames = 0;
    e->writing.size = 0;
    engine_flush(e);
}

uint64_t engine_recent_first(const struct engine *e)
{
    return e->recent.first_position;
}

bool engine_recent(const struct engine *e, uint64_t position, const uint8_t **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    if (position < e->recent.first_position) {
        return false;
    }
    struct reader r = reader_init(e->recent.data, e->recent.size);
    struct frame_reader f;
    size_t start = 0;
    while (start < e->recent.size && frame_next(&r, &f) && f.info.position < position) {
        start = r.at;
    }
    *data = e->recent.data + start;
    *size = e->recent.size - start;
    return true;
}

/* ---- time ---- */

bool engine_settled(const struct engine *e)
{
    return e->writing.frames == 0 && e->open.frames == 0;
}

bool engine_behind(const struct engine *e)
{
    return e->behind;
}

bool engine_idle(const struct engine *e)
{
    struct book_command command;
    return engine_settled(e) && !book_work(e->book, engine_now(e), &command);
}

void engine_wake_at(struct engine *e, int64_t due_ns)
{
    e->wake_ns = due_ns;
}

int64_t engine_next_due(const struct engine *e)
{
    int64_t due_ns = book_next_due(e->book);
    return due_ns < e->wake_ns ? due_ns : e->wake_ns;
}

int engine_timeout_ms(const struct engine *e)
{
    if (e->poisoned || (e->open.frames > 0 && e->writing.frames == 0)) {
        return 0; /* what was decided after the turn is still to be handed to the writer */
    }
    int64_t due_ns = engine_next_due(e);
    int64_t now_ns = engine_now(e);
    struct book_command command;
    bool work = due_ns <= now_ns && book_work(e->book, now_ns, &command);
    if (e->disk_full || (work && engine_admits(e, ENGINE_INTERNAL) != ENGINE_APPLIED) ||
        (work && engine_is_ahead_of_disk(e)) || (e->advancing && !engine_may_advance(e))) {
        return ENGINE_FULL_RETRY_MS; /* nobody tells when space returns; a writer does, sooner */
    }
    if (due_ns <= now_ns) {
        return work ? 0 : 1; /* an outgoing item may wait for the disk */
    }
    if (e->clock->is_virtual || due_ns == INT64_MAX) {
        return -1;
    }
    int64_t wait_ms = (due_ns - now_ns) / (1000 * 1000) + 1;
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

const struct outbox_item *engine_take_outgoing(struct engine *e)
{
    if (e->poisoned) {
        return NULL;
    }
    uint64_t durable = MUTATED(OUTGOING_EARLY) ? e->book->position : engine_durable(e);
    if (durable < e->book->generation_position) {
        return NULL; /* what a restored world has to send waits until the restore is durable */
    }
    return outbox_take(&e->book->outbox, engine_now(e), durable);
}

void engine_hold(struct engine *e)
{
    if (!e->held) {
        e->held = true;
        e->held_ns = book_clock_monotonic(e->clock);
    }
}

void engine_resume(struct engine *e)
{
    if (e->held) {
        int64_t pause_ns = book_clock_monotonic(e->clock) - e->held_ns;
        CHECK(pause_ns >= 0);
        e->held = false;
        e->counters.pauses++;
        if (pause_ns > e->counters.pause_ns_max) {
            e->counters.pause_ns_max = pause_ns;
        }
    }
}

bool engine_advance(struct engine *e, int64_t max_ns, bool until_idle)
{
    CHECK(max_ns >= 0);
    if (e->advancing || !e->clock->is_virtual) {
        return false;
    }
    e->advancing = true;
    e->advance_until_idle = until_idle;
    e->advance_from_ns = engine_now(e);
    if (__builtin_add_overflow(e->advance_from_ns, max_ns, &e->advance_to_ns)) {
        e->advance_to_ns = INT64_MAX;
    }
    if (e->advance_to_ns > CLOCK_END_NS) {
        e->advance_to_ns = e->advance_from_ns > CLOCK_END_NS ? e->advance_from_ns : CLOCK_END_NS;
    }
    return true;
}

bool engine_may_advance(const struct engine *e)
{
    return engine_admits(e, ENGINE_CONTINUATION) == ENGINE_APPLIED;
}

bool engine_advancing(const struct engine *e)
{
    return e->advancing;
}

static enum engine_advance_end advance_end(struct engine *e, enum engine_advance_end end,
                                           int64_t *advanced_ns_out)
{
    e->advancing = false;
    *advanced_ns_out = engine_now(e) - e->advance_from_ns;
    return end;
}

void engine_join(struct engine *a, struct engine *b)
{
    CHECK(a->peer == NULL && b->peer == NULL);
    CHECK(a->clock == b->clock);
    a->peer = b;
    b->peer = a;
}

int64_t engine_next_due_of_all(const struct engine *e)
{
    int64_t due_ns = engine_next_due(e);
    int64_t other_ns = e->peer == NULL ? INT64_MAX : engine_next_due(e->peer);
    return other_ns < due_ns ? other_ns : due_ns;
}

enum engine_advance_end engine_advance_step(struct engine *e, uint32_t in_flight,
                                            int64_t *advanced_ns_out)
{
    CHECK(e->advancing);
    bool idle = engine_idle(e) && (e->peer == NULL || engine_idle(e->peer));
    if (in_flight > 0 || !idle || !engine_may_advance(e)) {
        return ADVANCE_RUNNING; /* time stands still while HTTP is in flight */
    }
    int64_t due_ns = engine_next_due_of_all(e);
    if (due_ns <= engine_now(e)) {
        return ADVANCE_RUNNING; /* outgoing items are about to be taken */
    }
    if (due_ns <= e->advance_to_ns && due_ns != INT64_MAX) {
        book_clock_move(e->clock, due_ns);
        return ADVANCE_RUNNING;
    }
    if (e->advance_until_idle) {
        return advance_end(e, due_ns == INT64_MAX ? ADVANCE_IDLE : ADVANCE_LIMIT, advanced_ns_out);
    }
    book_clock_move(e->clock, e->advance_to_ns);
    return advance_end(e, ADVANCE_REACHED, advanced_ns_out);
}

struct engine_counters engine_counters(const struct engine *e)
{
    struct engine_counters c = e->counters;
    c.batch_bytes = (uint32_t)e->open.size;
    c.batch_frames = e->open.frames;
    c.stall_ns = engine_stall_ns(e);
    return c;
}
