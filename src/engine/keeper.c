/*
 * keeper.c - see keeper.h. Tests: tests/unit/test_keeper.c, the simulation.
 */
#include "engine/keeper.h"

#include <stdlib.h>
#include <string.h>

#include "base/mutant.h"

#define NS_PER_MS ((int64_t)1000 * 1000)
#define NS_PER_S  (1000 * NS_PER_MS)

enum {
    FILL_PER_TURN = 256, /* records made in one turn */
    KEYS_PER_BATCH = 1024,
    KEY_BYTES = 96,           /* of a key's record with its name, at most */
    KEYS_SHARE_OF_BATCH = 16, /* its bytes are shared: keys have no more than this part of them */
    FAILURE_PAUSE_S = 10,     /* until an index that failed is asked again */
    BEAT_MS = 60 * 1000,      /* how often keys are looked at, and the longest sleep */
};

enum keeper_state { KEEPER_IDLE, KEEPER_FILLING, KEEPER_WRITING, KEEPER_LEAVING };

struct keeper {
    struct engine *engine;
    struct keeper_port port;
    struct keeper_settings settings;
    enum keeper_state state;
    struct index_batch batch;
    uint8_t *buffer;
    uint64_t numbers[INDEX_BATCH_RECORDS]; /* in the batch, space by space */
    uint8_t spaces[INDEX_BATCH_RECORDS];
    uint32_t count;
    uint32_t left; /* of them: decided */
    uint8_t keys[KEYS_PER_BATCH][16];
    uint32_t key_count;
    uint32_t keys_left; /* of them: decided */
    uint32_t key_cursor;
    bool keys_seen;         /* the last look came to the end of all keys */
    int64_t keys_looked_ns; /* book time: when one did that last */
    int64_t not_before_ns;  /* monotonic */
    int64_t pause_ns;       /* grows while nothing that is old enough may leave yet */
    int64_t written_ns;     /* monotonic: when the batch was handed over */
    struct keeper_counters counters;
};

struct keeper_settings keeper_settings_default(void)
{
    struct keeper_settings settings = {
        .closed_ns = 3600 * NS_PER_S,
        .closed_max = 100 * 1000,
        .keys_ns = 24 * 3600 * NS_PER_S,
        .pause_ns = NS_PER_S,
        .batch_bytes = INDEX_BATCH_BYTES,
    };
    return settings;
}

struct keeper *keeper_create(struct engine *engine, const struct keeper_port *port,
                             const struct keeper_settings *settings)
{
    CHECK(settings->batch_bytes >= KEEPER_BATCH_BYTES_MIN);
    struct keeper *k = calloc(1, sizeof(*k));
    if (k == NULL) {
        return NULL;
    }
    k->engine = engine;
    k->port = *port;
    k->settings = *settings;
    k->pause_ns = settings->pause_ns;
    k->buffer = malloc(settings->batch_bytes); /* untouched pages cost nothing */
    if (k->buffer == NULL) {
        free(k);
        return NULL;
    }
    return k;
}

void keeper_destroy(struct keeper *k)
{
    if (k != NULL) {
        free(k->buffer);
        free(k);
    }
}

static int64_t keeper_now(const struct keeper *k)
{
    return book_clock_monotonic(engine_clock(k->engine));
}

/* ---- filling ---- */

/* How old what is closed must be now: less when there is too much of it. */
static int64_t closed_before(const struct keeper *k, const struct domain_closing *closing)
{
    const struct book *b = engine_book(k->engine);
    int64_t now_ns = engine_now(k->engine);
    bool crowded = closing->count(b->domain_state) > k->settings.closed_max;
    return crowded ? now_ns : now_ns - k->settings.closed_ns;
}

static struct closing_terms terms_of(const struct keeper *k, int64_t before_ns)
{
    /* P2: as of the batch's first record, which was durable then. */
    return (struct closing_terms){engine_now(k->engine), before_ns, k->batch.head.position};
}

static uint32_t fill_closed(struct keeper *k, const struct domain_closing *closing, uint32_t most)
{
    struct book *b = engine_book(k->engine);
    struct closing_terms terms = terms_of(k, closed_before(k, closing));
    uint32_t room = INDEX_BATCH_RECORDS - k->batch.count;
    uint64_t *numbers = k->numbers + k->count;
    uint32_t found = closing->find(b->domain_state, &terms, numbers, most < room ? most : room);
    for (uint32_t i = 0; i < found; i++) {
        if (!index_batch_has_room(&k->batch)) {
            closing->stay(b->domain_state, numbers[i]);
            continue;
        }
        index_batch_thing(&k->batch, b, closing->space, numbers[i]);
        k->numbers[k->count] = numbers[i];
        k->spaces[k->count++] = closing->space;
    }
    return found;
}

static uint32_t keys_most(const struct keeper *k)
{
    uint32_t most = k->settings.batch_bytes / KEYS_SHARE_OF_BATCH / KEY_BYTES;
    return most < KEYS_PER_BATCH ? most : KEYS_PER_BATCH;
}

/* Keys come first: a batch has its part of them however many payments wait. */
static void fill_keys(struct keeper *k)
{
    const struct idempotency_entry *found[KEYS_PER_BATCH];
    struct book *b = engine_book(k->engine);
    struct closing_terms terms = terms_of(k, engine_now(k->engine) - k->settings.keys_ns);
    uint32_t from = k->key_cursor;
    uint32_t count = book_keys_closed(b, &terms, &k->key_cursor, found, keys_most(k));
    k->keys_seen = count < keys_most(k) && k->key_cursor <= from;
    if (k->keys_seen) {
        k->keys_looked_ns = engine_now(k->engine);
    }
    for (uint32_t i = 0; i < count; i++) {
        CHECK(index_batch_has_room(&k->batch));
        index_batch_key(&k->batch, found[i]);
        memcpy(k->keys[k->key_count++], found[i]->key, 16);
    }
    CHECK(k->batch.data.size <= (size_t)k->key_count * KEY_BYTES);
}

/* Nothing of the batch leaves: all of it may be found again. */
static void give_up(struct keeper *k)
{
    struct book *b = engine_book(k->engine);
    for (uint32_t i = k->left; i < k->count; i++) {
        book_closing(b, k->spaces[i])->stay(b->domain_state, k->numbers[i]);
    }
    k->left = k->count;
    k->keys_left = k->key_count;
    k->state = KEEPER_IDLE;
}

static void hand_over(struct keeper *k)
{
    k->state = KEEPER_WRITING;
    k->written_ns = keeper_now(k);
    k->port.put(k->port.context, &k->batch);
    if (MUTATED(LEFT_UNSYNCED)) {
        k->state = KEEPER_LEAVING;
    }
}

/* The pause grows while nothing may leave, but not before every key has been looked at. */
static void found_nothing(struct keeper *k)
{
    int64_t longer_ns =
        k->pause_ns < BEAT_MS * NS_PER_MS / 2 ? 2 * k->pause_ns : BEAT_MS * NS_PER_MS;
    k->state = KEEPER_IDLE;
    k->not_before_ns = keeper_now(k) + k->pause_ns;
    k->pause_ns = k->keys_seen ? longer_ns : k->settings.pause_ns;
}

static bool turn_filling(struct keeper *k)
{
    const struct book *b = engine_book(k->engine);
    uint32_t found = 0;
    for (uint32_t i = 0; i < b->domain->closing_count && found < FILL_PER_TURN; i++) {
        found += fill_closed(k, &b->domain->closings[i], FILL_PER_TURN - found);
    }
    bool room = index_batch_has_room(&k->batch);
    if (found == FILL_PER_TURN && room) {
        return true; /* there may be more */
    }
    if (k->batch.count == 0) {
        found_nothing(k);
        return false;
    }
    bool full = !room || k->key_count == keys_most(k); /* of either: there may be more */
    k->pause_ns = k->settings.pause_ns;
    k->not_before_ns = full ? 0 : keeper_now(k) + k->pause_ns;
    hand_over(k);
    return false;
}

static bool turn_idle(struct keeper *k)
{
    if (engine_book(k->engine)->world_count > 0 || keeper_now(k) < k->not_before_ns ||
        keeper_timeout_ms(k) != 0 || engine_poisoned(k->engine)) {
        return false;
    }
    index_batch_init(&k->batch, k->buffer, k->settings.batch_bytes);
    k->batch.generation = engine_book(k->engine)->generation;
    k->batch.head = engine_head(k->engine);
    k->count = 0;
    k->left = 0;
    k->key_count = 0;
    k->keys_left = 0;
    k->state = KEEPER_FILLING;
    fill_keys(k);
    return k->key_count > 0 || turn_filling(k); /* P3: payments in the next turn */
}

/* ---- leaving ---- */

/* The next numbers of one space leave in one frame. False: not now. */
static bool leave_some(struct keeper *k)
{
    uint32_t count = 0;
    uint8_t space = k->spaces[k->left];
    while (k->left + count < k->count && k->spaces[k->left + count] == space &&
           count < CLOSING_NUMBERS_MAX) {
        count++;
    }
    struct closed_leave_command c = {
        .generation = k->batch.generation,
        .as_of = k->batch.head.position,
        .numbers = k->numbers + k->left,
        .count = count,
        .space = space,
    };
    enum book_outcome outcome = BOOK_DONE;
    struct engine_result result =
        engine_execute(k->engine, ENGINE_CONTINUATION, COMMAND_CLOSED_LEAVE, &c, &outcome);
    if (result.status != ENGINE_APPLIED && result.status != ENGINE_REFUSED) {
        return false;
    }
    k->counters.frames += result.status == ENGINE_APPLIED;
    struct book *b = engine_book(k->engine);
    for (uint32_t i = 0; i < count; i++) {
        book_closing(b, space)->stay(b->domain_state, k->numbers[k->left + i]);
    }
    k->left += count;
    return true;
}

static bool leave_keys(struct keeper *k)
{
    uint32_t rest = k->key_count - k->keys_left;
    struct keys_leave_command c = {.generation = k->batch.generation,
                                   .as_of = k->batch.head.position,
                                   .keys = (const uint8_t(*)[16])k->keys + k->keys_left,
                                   .count = rest < CLOSING_KEYS_MAX ? rest : CLOSING_KEYS_MAX};
    enum book_outcome outcome = BOOK_DONE;
    struct engine_result result =
        engine_execute(k->engine, ENGINE_CONTINUATION, COMMAND_KEYS_LEAVE, &c, &outcome);
    bool decided = result.status == ENGINE_APPLIED || result.status == ENGINE_REFUSED;
    k->counters.frames += result.status == ENGINE_APPLIED;
    k->keys_left += decided ? c.count : 0;
    return decided;
}

/* One frame in a turn (P3). */
static bool turn_leaving(struct keeper *k)
{
    if (engine_admits(k->engine, ENGINE_CONTINUATION) != ENGINE_APPLIED) {
        return false;
    }
    bool decided = k->left < k->count ? leave_some(k) : leave_keys(k);
    if (k->left == k->count && k->keys_left == k->key_count) {
        k->state = KEEPER_IDLE;
    }
    return decided;
}

void keeper_written(struct keeper *k, bool good)
{
    if (MUTATED(LEFT_UNSYNCED)) {
        return;
    }
    CHECK(k->state == KEEPER_WRITING);
    int64_t took_ns = keeper_now(k) - k->written_ns;
    k->counters.write_ns_max =
        took_ns > k->counters.write_ns_max ? took_ns : k->counters.write_ns_max;
    if (good) {
        k->counters.batches++;
        k->counters.records += k->batch.count;
        k->counters.position = k->batch.head.position;
        k->state = KEEPER_LEAVING;
        return;
    }
    give_up(k);
    k->counters.failures++;
    k->not_before_ns = keeper_now(k) + FAILURE_PAUSE_S * NS_PER_S;
}

bool keeper_turn(struct keeper *k)
{
    bool holds_records = k->state == KEEPER_FILLING || k->state == KEEPER_LEAVING;
    if (holds_records && k->batch.generation != engine_book(k->engine)->generation) {
        give_up(k); /* P4 */
    }
    switch (k->state) {
    case KEEPER_IDLE: return turn_idle(k);
    case KEEPER_FILLING: return turn_filling(k);
    case KEEPER_WRITING: return false;
    case KEEPER_LEAVING: return turn_leaving(k);
    }
    UNREACHABLE("a keeper in no state");
}

/* Milliseconds until something is old enough; 0: now; -1: a clock that stands still. */
static int due_ms(const struct keeper *k)
{
    struct engine *e = k->engine;
    const struct book *b = engine_book(e);
    int64_t now_ns = engine_now(e);
    int64_t due_ns = INT64_MAX;
    for (uint32_t i = 0; i < b->domain->closing_count; i++) {
        const struct domain_closing *closing = &b->domain->closings[i];
        int64_t first_ns = closing->first_closed(b->domain_state);
        if (first_ns != INT64_MAX && first_ns <= closed_before(k, closing)) {
            return 0;
        }
        due_ns = first_ns < due_ns ? first_ns : due_ns;
    }
    if (b->keys.used > 0 && now_ns - k->keys_looked_ns >= BEAT_MS * NS_PER_MS) {
        return 0;
    }
    if (engine_clock(e)->is_virtual || (due_ns == INT64_MAX && b->keys.used == 0)) {
        return -1;
    }
    int64_t wait_ms = BEAT_MS;
    if (due_ns != INT64_MAX && due_ns + k->settings.closed_ns - now_ns < BEAT_MS * NS_PER_MS) {
        wait_ms = (due_ns + k->settings.closed_ns - now_ns) / NS_PER_MS + 1;
    }
    return (int)wait_ms;
}

int keeper_timeout_ms(const struct keeper *k)
{
    if (k->state == KEEPER_WRITING) {
        return -1;
    }
    if (k->state != KEEPER_IDLE) {
        return 1;
    }
    if (engine_book(k->engine)->world_count > 0) {
        return BEAT_MS; /* while a world is saved, nothing leaves */
    }
    int64_t pause_ns = k->not_before_ns - keeper_now(k);
    int pause_ms = pause_ns <= 0 ? 0 : (int)(pause_ns / NS_PER_MS) + 1;
    int due = due_ms(k);
    return due < 0 || due > pause_ms ? due : pause_ms;
}

bool keeper_writing(const struct keeper *k)
{
    return k->state == KEEPER_WRITING;
}

struct keeper_counters keeper_counters(const struct keeper *k)
{
    return k->counters;
}
