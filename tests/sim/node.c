/*
 * node.c - the process in the simulated world: the real journal, book and engine, a writer whose
 * completion is a moment on the agenda, its loop, its snapshots, its ends and its restarts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/world.h"

typedef unsigned long long ull;

enum { IDS_OF_A_RECOVERY = 8 }; /* one payment in so many is compared by all its ids */

static const char directory[] = "book";

/* ---- the disk strikes in the middle of something ---- */

static void node_strike(void *context, enum sim_operation operation)
{
    struct world *w = context;
    struct node *n = &w->node;
    (void)operation;
    if (n->strike_in == 0 || --n->strike_in > 0) {
        return;
    }
    if (n->strike_end == END_POWER_CUT) {
        sim_disk_cut_random(w->other_disk, w->disk, dice_next(&w->dice_faults));
    } else {
        sim_disk_copy(w->other_disk, w->disk);
    }
    n->struck = true;
    w->tally.faults[n->strike_fault]++;
}

void node_arm(struct world *w, enum sim_fault fault, enum node_end how, uint32_t operations)
{
    w->node.strike_fault = fault;
    w->node.strike_end = how;
    w->node.strike_in = operations;
    sim_disk_watch(w->disk, SIM_CHANGES, node_strike, w);
}

void node_disarm(struct world *w)
{
    w->node.strike_in = 0;
    sim_disk_watch(w->disk, 0, NULL, NULL);
}

/* The process died inside the last call into the journal: what that call said is void. */
static bool node_was_struck(struct world *w)
{
    if (w->node.struck) {
        node_end(w, w->node.strike_end);
        return true;
    }
    return false;
}

/* ---- the writer ---- */

static void node_write(void *context, const struct journal_batch *batch,
                       const uint8_t previous[JOURNAL_HASH_BYTES])
{
    struct world *w = context;
    struct node *n = &w->node;
    EXPECT(!n->writing, "a batch was handed to the writer while it had one");
    n->writing = true;
    n->batch = *batch;
    n->batch_hash = hash_bytes(batch->buffer + JOURNAL_BATCH_HEADER_BYTES, batch->payload_size, 9);
    memcpy(n->previous, previous, JOURNAL_HASH_BYTES);
    int64_t takes_ns = dice_span_ns(&w->dice_node, w->sync_usual_ns / 4, w->sync_usual_ns * 4);
    if (w->slow_next) {
        w->slow_next = false;
        w->tally.faults[FAULT_SLOW_SYNC]++;
        takes_ns = dice_between(&w->dice_faults, 200000000, 3000000000);
        TELL(w, "the disk takes %lld ms for the next sync", (long long)(takes_ns / 1000000));
    }
    world_plan_here(w, takes_ns, MOMENT_WRITTEN, 0, 0);
}

static void node_room_later(struct world *w)
{
    if (!w->node.room_planned) {
        w->node.room_planned = true;
        world_plan_here(w, dice_between(&w->dice_node, 250000000, 3000000000), MOMENT_ROOM, 0, 0);
    }
}

static enum engine_room node_room(void *context, uint64_t bytes)
{
    struct world *w = context;
    enum engine_room room = writer_room(w->node.journal, bytes);
    if (room != ENGINE_ROOM_NOW) {
        node_room_later(w); /* the thread that makes spares would try again */
    }
    return room;
}

void node_make_room(struct world *w)
{
    w->node.room_planned = false;
    journal_make_room(w->node.journal);
    if (node_was_struck(w)) {
        return;
    }
    node_turn_soon(w);
}

/* ---- snapshots ---- */

static bool node_collect(void *context, const uint8_t *data, size_t size)
{
    struct node *n = context;
    n->snapshot_data = realloc(n->snapshot_data, n->snapshot_size + size);
    CHECK(n->snapshot_data != NULL);
    memcpy(n->snapshot_data + n->snapshot_size, data, size);
    n->snapshot_size += size;
    return true;
}

static void snapshot_drop(struct node *n)
{
    if (n->snapshot != NULL) {
        snapshot_abandon(n->snapshot);
    }
    n->snapshot = NULL;
    free(n->snapshot_data);
    n->snapshot_data = NULL;
    n->snapshot_size = 0;
}

/* The state at this instant, as a forked child would have it; the file follows in pieces. */
static bool snapshot_begin(struct world *w)
{
    struct node *n = &w->node;
    struct journal_head head = journal_head(n->journal);
    CHECK(n->snapshot == NULL && head.position == n->book->position);
    struct snapshot_meta meta = {
        .position = head.position, .batch = head.batch, .state_version = BOOK_STATE_VERSION};
    memcpy(meta.hash, head.hash, sizeof(meta.hash));
    struct journal_error error;
    n->snapshot = snapshot_create(sim_disk_interface(w->disk), directory, &meta, &error);
    if (n->snapshot == NULL) {
        TELL(w, "no snapshot: %s", error.message);
        return false;
    }
    uint8_t buffer[4096];
    struct writer out = writer_init(buffer, sizeof(buffer));
    out.flush = node_collect;
    out.context = n;
    book_save(n->book, &out);
    CHECK(writer_finish(&out));
    n->snapshot_at = 0;
    TELL(w, "begins a snapshot at %llu", (ull)head.position);
    return true;
}

/* Writes some more; true when the snapshot is done, or failed. */
static bool snapshot_go_on(struct world *w, size_t most)
{
    struct node *n = &w->node;
    size_t left = n->snapshot_size - n->snapshot_at;
    size_t size = left < most ? left : most;
    bool good = snapshot_write(n->snapshot, n->snapshot_data + n->snapshot_at, size);
    n->snapshot_at += size;
    if (good && n->snapshot_at < n->snapshot_size) {
        return false;
    }
    struct journal_error error;
    if (good && snapshot_commit(n->snapshot, &error)) {
        w->tally.faults[FAULT_SNAPSHOT]++;
        TELL(w, "the snapshot is there");
        n->snapshot = NULL;
    } else if (good) {
        n->snapshot = NULL; /* commit has given it up */
    }
    snapshot_drop(n);
    return true;
}

void node_snapshot_piece(struct world *w)
{
    struct node *n = &w->node;
    if (n->snapshot == NULL) {
        return;
    }
    bool faulty = n->snapshot_error_in > 0;
    uint64_t failures = sim_disk_failures(w->disk);
    if (faulty) {
        sim_disk_fail(w->disk, SIM_CHANGES, n->snapshot_error_in, EIO, false);
    }
    if (n->snapshot_cut) {
        n->snapshot_cut = false;
        node_arm(w, FAULT_CUT_SNAPSHOT, END_POWER_CUT,
                 (uint32_t)dice_between(&w->dice_faults, 1, 4));
    }
    bool done = snapshot_go_on(w, (size_t)dice_span_ns(&w->dice_node, 2048, 128 * 1024));
    if (faulty) {
        bool struck = sim_disk_failures(w->disk) > failures;
        w->tally.faults[FAULT_SNAPSHOT_ERROR] += struck;
        n->snapshot_error_in = struck || n->snapshot_error_in == 1 ? 0 : n->snapshot_error_in - 1;
        sim_disk_fail(w->disk, 0, 0, 0, false);
    }
    if (node_was_struck(w)) {
        return;
    }
    if (!done) {
        world_plan_here(w, dice_span_ns(&w->dice_node, 100000, 20000000), MOMENT_SNAPSHOT, 0, 0);
    }
}

static void node_snapshot_begin(struct world *w)
{
    w->node.snapshot_wanted = false;
    engine_resume(w->node.engine);
    if (w->node.snapshot == NULL && snapshot_begin(w)) {
        world_plan_here(w, dice_span_ns(&w->dice_node, 100000, 20000000), MOMENT_SNAPSHOT, 0, 0);
    }
    (void)node_was_struck(w);
}

/* A stop that was asked for. */
static void node_stop(struct world *w)
{
    struct node *n = &w->node;
    TELL(w, "stops as asked");
    w->tally.faults[FAULT_SHUTDOWN]++;
    snapshot_drop(n);
    if (dice_chance(&w->dice_node, 700) && snapshot_begin(w)) {
        while (!snapshot_go_on(w, 65536)) {
        }
    }
    node_end(w, END_STOPPED);
}

/* What waits for the moment in which state and disk agree. */
static void node_settle(struct world *w)
{
    struct node *n = &w->node;
    bool settled = engine_settled(n->engine);
    EXPECT(settled == (!n->writing && engine_applied(n->engine) == engine_durable(n->engine)),
           "the engine says that it is %ssettled", settled ? "" : "not ");
    if (settled && n->stop_wanted) {
        node_stop(w);
    } else if (settled && n->snapshot_wanted && engine_applied(n->engine) > 0) {
        node_snapshot_begin(w);
    }
}

/* ---- the writer is done ---- */

void node_written(struct world *w)
{
    struct node *n = &w->node;
    CHECK(n->writing);
    uint64_t hash =
        hash_bytes(n->batch.buffer + JOURNAL_BATCH_HEADER_BYTES, n->batch.payload_size, 9);
    EXPECT(hash == n->batch_hash, "a batch was changed while it was being written");
    struct journal_error error;
    enum journal_status status = journal_append(n->journal, &n->batch, n->previous, &error);
    if (node_was_struck(w)) {
        return;
    }
    struct journal_head head = journal_head(n->journal);
    world_note(w, MOMENT_WRITTEN, status, head.position);
    n->writing = false;
    if (status == JOURNAL_OK) {
        w->tally.work[WORK_BATCHES]++;
        auditor_confirmed(&w->auditor, head.position);
    } else {
        EXPECT(status == JOURNAL_POISONED || status == JOURNAL_DISK_FULL,
               "an append failed without a reason: %s", error.message);
        TELL(w, "append: %s", error.message);
    }
    engine_written(n->engine, status, &head);
    if (status == JOURNAL_DISK_FULL) {
        w->tally.faults[FAULT_DISK_FULL]++;
        node_room_later(w);
    }
    EXPECT(engine_poisoned(n->engine) == (status == JOURNAL_POISONED),
           "the journal says %d and the engine is %spoisoned (E2)", status,
           engine_poisoned(n->engine) ? "" : "not ");
    if (status == JOURNAL_POISONED) {
        w->tally.faults[w->error_armed]++;
        EXPECT(engine_take_outgoing(n->engine) == NULL, "a poisoned engine hands out work (E2)");
        node_end(w, END_KILLED);
        return;
    }
    network_send(w);
    world_release(w);
    node_settle(w);
    node_turn_soon(w);
}

/* ---- the loop ---- */

static void note_frames(struct world *w, uint64_t from, uint64_t to)
{
    if (to >= w->frame_capacity) {
        w->frame_capacity = w->frame_capacity == 0 ? 4096 : w->frame_capacity * 2;
        w->frame_ns = realloc(w->frame_ns, w->frame_capacity * sizeof(w->frame_ns[0]));
        w->digests = realloc(w->digests, w->frame_capacity * sizeof(w->digests[0]));
        CHECK(w->frame_ns != NULL && w->digests != NULL && to < w->frame_capacity);
    }
    for (uint64_t i = from; i <= to; i++) {
        w->frame_ns[i] = w->now_ns;
        w->digests[i] = (struct digest_value){0, 0};
    }
    w->tally.work[WORK_FRAMES] += to + 1 - from;
}

void node_watch(struct world *w, uint64_t applied_before, int64_t now_ns, uint64_t own)
{
    struct node *n = &w->node;
    uint64_t applied = engine_applied(n->engine);
    EXPECT(applied >= applied_before + own, "a decision was applied and the position stands still");
    if (applied > applied_before) {
        EXPECT(n->book->time_ns >= now_ns, "a decision is from before it was asked for (E4)");
        now_ns = n->book->time_ns; /* all of them are of one instant */
    }
    for (uint64_t i = applied_before + own; i < applied; i++) {
        auditor_internal(&w->auditor, now_ns);
    }
    if (applied > applied_before) {
        note_frames(w, applied_before + 1, applied);
    }
    if (w->options.careful) {
        w->tally.work[WORK_CHECKS]++;
        book_check(n->book);
        w->digests[applied] = book_digest(n->book);
    }
}

static void node_plan_turn(struct world *w)
{
    int timeout_ms = engine_timeout_ms(w->node.engine);
    int keeper_ms = w->node.keeper == NULL ? -1 : keeper_timeout_ms(w->node.keeper);
    timeout_ms =
        keeper_ms >= 0 && (timeout_ms < 0 || keeper_ms < timeout_ms) ? keeper_ms : timeout_ms;
    if (timeout_ms < 0) {
        return;
    }
    int64_t at_ns = w->now_ns + (timeout_ms > 0 ? timeout_ms * (int64_t)1000000 : 20000);
    if (w->node.turn_at_ns == 0 || at_ns < w->node.turn_at_ns) {
        w->node.turn_at_ns = at_ns;
        world_plan_here(w, at_ns - w->now_ns, MOMENT_TURN, 0, 0);
    }
}

void node_turn_soon(struct world *w)
{
    struct node *n = &w->node;
    if (!n->running) {
        return;
    }
    int64_t at_ns = w->now_ns + dice_between(&w->dice_node, 1000, w->turn_ns_most);
    if (n->turn_at_ns == 0 || at_ns < n->turn_at_ns) {
        n->turn_at_ns = at_ns;
        world_plan_here(w, at_ns - w->now_ns, MOMENT_TURN, 0, 0);
    }
}

/* One step of moving a virtual clock, as a loop does it in every turn. */
static void node_advance(struct world *w)
{
    struct engine *e = w->node.engine;
    if (!engine_advancing(e)) {
        return;
    }
    int64_t advanced_ns = -1;
    uint32_t in_flight = w->node.book->outbox.in_flight;
    enum engine_advance_end end = engine_advance_step(e, in_flight, &advanced_ns);
    if (end == ADVANCE_RUNNING) {
        if (engine_idle(e) && in_flight == 0) {
            node_turn_soon(w); /* otherwise something that ends will wake the loop */
        }
        return;
    }
    w->tally.acts[ACT_ADVANCED]++;
    EXPECT(advanced_ns >= 0 && advanced_ns <= w->advance_by_ns,
           "the clock was moved by %lld ns, asked were %lld", (long long)advanced_ns,
           (long long)w->advance_by_ns);
    EXPECT(end != ADVANCE_REACHED || advanced_ns == w->advance_by_ns,
           "the clock was moved by %lld ns only", (long long)advanced_ns);
    EXPECT(end != ADVANCE_IDLE || book_next_due(w->node.book) == INT64_MAX,
           "the clock stopped although something is still to come");
    world_note(w, MOMENT_TESTER, end, (uint64_t)advanced_ns);
}

void node_turn(struct world *w)
{
    struct node *n = &w->node;
    if (n->turn_at_ns != w->now_ns) {
        return; /* an earlier one has taken its place */
    }
    n->turn_at_ns = 0;
    uint64_t before = engine_applied(n->engine);
    int64_t now_ns = engine_now(n->engine);
    uint64_t no_memory = memory_failures();
    memory_window(true);
    engine_turn(n->engine);
    memory_window(false);
    w->tally.faults[FAULT_NO_MEMORY] += memory_failures() - no_memory;
    node_watch(w, before, now_ns, 0);
    auditor_compare_touched(&w->auditor, n->book);
    bool ahead = n->writing && engine_counters(n->engine).batch_bytes > w->limits.batch_bytes_max;
    EXPECT(engine_applied(n->engine) - before >= w->limits.work_per_turn_max || ahead ||
               engine_admits(n->engine, ENGINE_INTERNAL) == ENGINE_DISK_FULL ||
               memory_failures() > no_memory || !auditor_due(&w->auditor, now_ns) ||
               engine_admits(n->engine, ENGINE_INTERNAL) != ENGINE_APPLIED,
           "work that was due was not done in its turn (A7)");
    archive_turn(w);
    network_send(w);
    world_release(w);
    if (w->busy_turns) {
        engine_pace(n->engine, dice_span_ns(&w->dice_node, 100000, 20000000));
    }
    node_settle(w);
    if (n->running) {
        node_advance(w);
        node_plan_turn(w);
    }
}

/* ---- start ---- */

static bool replay_batch(void *context, const struct journal_read_batch *batch)
{
    struct reader r = reader_init(batch->payload, batch->payload_size);
    while (r.at < r.size) {
        enum book_replay result = book_replay_frame(context, &r);
        EXPECT(result == BOOK_REPLAYED, "replaying from the start failed with %d in segment %llu",
               result, (ull)batch->segment);
    }
    return true;
}

static struct book_options book_options_of(struct world *w)
{
    struct book_options options = {
        .domain = &operator_domain,
        .hash_seed = dice_next(&w->dice_node),
        .schedule = &w->schedule,
        .settings = &w->auditor.settings[w->auditor.settings_now],
    };
    return options;
}

/* The state equals what the journal alone gives, however it came about. */
void node_compare_replay(struct world *w)
{
    struct node *n = &w->node;
    if (n->writing || engine_applied(n->engine) != engine_durable(n->engine)) {
        return;
    }
    struct book_options options = book_options_of(w);
    struct book *fresh = book_create(&options);
    CHECK(fresh != NULL);
    fresh->outbox.replaying = true;
    struct journal_error error;
    enum journal_status status = journal_read(n->journal, 1, replay_batch, fresh, &error);
    EXPECT(status == JOURNAL_OK, "reading the journal failed: %s", error.message);
    EXPECT(fresh->position == n->book->position, "a full replay ends at %llu, not at %llu",
           (ull)fresh->position, (ull)n->book->position);
    struct digest_value a = book_digest(fresh);
    struct digest_value b = book_digest(n->book);
    EXPECT(a.high == b.high && a.low == b.low, "the state at %llu is not what a full replay gives",
           (ull)n->book->position);
    w->tally.work[WORK_REPLAYS]++;
    world_note(w, 77, a.high, a.low);
    book_destroy(fresh);
}

/* The machine's clock goes on while one looks at it. */
static int64_t node_monotonic(void *context)
{
    struct world *w = context;
    w->clock_ns = w->clock_ns + 1 > w->now_ns ? w->clock_ns + 1 : w->now_ns;
    return w->clock_ns;
}

static void node_engine(struct world *w)
{
    struct node *n = &w->node;
    n->clock = (struct book_clock){
        .monotonic_ns = node_monotonic,
        .context = w,
        .base_ns = w->wall_ns + w->now_ns,
        .base_monotonic_ns = w->clock_ns > w->now_ns ? w->clock_ns : w->now_ns,
    };
    if (w->is_virtual) {
        int64_t start_ns = n->book->time_ns > 0 ? n->book->time_ns : w->wall_ns;
        book_clock_init_virtual(&n->clock, start_ns, node_monotonic, w);
    }
    struct engine_options options = {
        .book = n->book,
        .clock = &n->clock,
        .writer = {w, node_write, node_room},
        .archive = {w, archive_find},
        .limits = w->limits,
        .head = journal_head(n->journal),
        .random_seed = dice_next(&w->dice_node),
    };
    n->engine = engine_create(&options);
    CHECK(n->engine != NULL);
    archive_start_keeper(w);
}

/* Opens the journal and recovers the book; false: it did not come up. */
static bool node_open(struct world *w, struct engine_recovery *recovery)
{
    struct node *n = &w->node;
    struct journal_options options = {
        .directory = directory,
        .disk = sim_disk_interface(w->disk),
        .book = "operator",
        .segment_bytes_min = w->segment_bytes,
        .segment_bytes_max = w->segment_bytes * 4,
        .verify_bytes = dice_chance(&w->dice_node, 100) ? UINT64_MAX : 1,
    };
    memcpy(options.identity, "simulated world", sizeof(options.identity));
    struct journal_error error;
    uint64_t failures = sim_disk_failures(w->disk);
    recovery->message[0] = '\0';
    enum journal_status status = journal_open(&options, &n->journal, &error);
    if (status == JOURNAL_OK) {
        struct book_options book_options = book_options_of(w);
        n->book = engine_recover(n->journal, &book_options, recovery);
    }
    if (n->struck) {
        return false;
    }
    EXPECT(n->book != NULL || sim_disk_failures(w->disk) > failures, "it does not start: %s",
           n->journal == NULL ? error.message : recovery->message);
    if (n->book == NULL) {
        TELL(w, "does not start: %s", n->journal == NULL ? error.message : recovery->message);
    }
    return n->book != NULL;
}

/* What was armed for the next start. */
static void node_open_with_faults(struct world *w, struct engine_recovery *recovery)
{
    uint64_t failures = sim_disk_failures(w->disk);
    bool faulty = w->start_error_in > 0 && w->cut_start_in == 0;
    if (w->cut_start_in > 0) {
        node_arm(w, FAULT_CUT_START, END_POWER_CUT, w->cut_start_in);
        w->cut_start_in = 0;
    } else if (w->start_error_in > 0) {
        sim_disk_fail(w->disk, SIM_ALL, w->start_error_in, EIO, false);
        w->start_error_in = 0;
    }
    (void)node_open(w, recovery);
    w->tally.faults[FAULT_START_ERROR] += faulty && sim_disk_failures(w->disk) > failures;
    sim_disk_fail(w->disk, 0, 0, 0, false);
    if (!w->node.struck) {
        node_disarm(w);
    }
}

/* What is different after a restart. */
static void node_changes(struct world *w)
{
    w->wall_ns += w->clock_jump_ns;
    w->clock_jump_ns = 0;
    if (w->settings_next) {
        w->settings_next = false;
        w->tally.faults[FAULT_SETTINGS]++;
        w->auditor.settings_now = (w->auditor.settings_now + 1) % AUDITOR_SETTINGS_MAX;
    }
}

/* A careful run knows the digest that the state had at most positions when it was alive. */
static void compare_digest(struct world *w)
{
    uint64_t position = w->node.book->position;
    if (!w->options.careful || position == 0 || w->digests[position].high == 0) {
        return;
    }
    struct digest_value now = book_digest(w->node.book);
    EXPECT(now.high == w->digests[position].high && now.low == w->digests[position].low,
           "the state recovered at %llu is not the one that was alive there", (ull)position);
}

void node_start(struct world *w)
{
    struct node *n = &w->node;
    CHECK(!n->running && n->journal == NULL && n->book == NULL);
    n->life++;
    node_changes(w);
    struct engine_recovery recovery = {0};
    node_open_with_faults(w, &recovery);
    if (n->book == NULL || n->struck) {
        node_end(w, n->struck ? END_POWER_CUT : END_KILLED);
        return;
    }
    w->tally.work[WORK_RECOVERIES]++;
    w->tally.work[WORK_RECOVERIES_SNAPSHOT] += recovery.snapshot_position > 0;
    uint64_t lost = w->auditor.position - n->book->position;
    TELL(w, "starts at %llu (snapshot at %llu), %llu decisions are lost", (ull)n->book->position,
         (ull)recovery.snapshot_position, (ull)lost);
    auditor_recovered(&w->auditor, n->book->position);
    w->tally.work[WORK_LOST_DECISIONS] += lost;
    w->tally.work[WORK_COMPARISONS]++;
    auditor_compare(&w->auditor, n->book, w->options.careful ? 1 : IDS_OF_A_RECOVERY);
    note_frames(w, n->book->position + 1, n->book->position);
    compare_digest(w);
    n->running = true;
    node_engine(w);
    world_note(w, MOMENT_START, n->book->position, recovery.snapshot_position);
    if (dice_chance(&w->dice_node, 100)) {
        node_compare_replay(w);
    }
    if (n->book->position == 0) {
        struct ask seed = {.kind = ASK_SEED};
        if (world_ask(w, ENGINE_CONTINUATION, &seed).status == ENGINE_NO_MEMORY) {
            (void)world_ask(w, ENGINE_CONTINUATION, &seed);
        }
    } else if (dice_chance(&w->dice_node, w->auditor.pipeline_count > 0 ? 700 : 100)) {
        n->snapshot_wanted = true; /* before the first turn: with whatever is due */
        node_settle(w);
    }
    node_turn_soon(w);
}

/* ---- ends ---- */

static void node_tear_down(struct node *n)
{
    snapshot_drop(n);
    keeper_destroy(n->keeper);
    engine_destroy(n->engine);
    book_destroy(n->book);
    journal_close(n->journal);
    uint32_t life = n->life;
    *n = (struct node){.life = life};
}

void node_end(struct world *w, enum node_end how)
{
    struct node *n = &w->node;
    world_note(w, 78, (uint64_t)how, w->auditor.confirmed);
    if (how != END_STOPPED) {
        TELL(w, "%s; the disk had confirmed %llu of %llu decisions",
             how == END_POWER_CUT ? "the power fails" : "the process dies",
             (ull)w->auditor.confirmed, (ull)w->auditor.position);
    }
    if (!n->struck && how == END_POWER_CUT) {
        sim_disk_cut_random(w->other_disk, w->disk, dice_next(&w->dice_faults));
    }
    node_disarm(w);
    /* A killed process changes nothing any more, whatever its remains are taken apart with. */
    bool moves = n->struck || how == END_POWER_CUT;
    bool dead = !moves && how == END_KILLED;
    sim_disk_fail(w->disk, dead ? SIM_CHANGES : 0, dead ? 1 : 0, dead ? EIO : 0, dead);
    archive_process_ends(w);
    node_tear_down(n);
    sim_disk_fail(w->disk, 0, 0, 0, false);
    if (moves) {
        struct sim_disk *old = w->disk;
        w->disk = w->other_disk;
        w->other_disk = old;
    }
    world_connections_lost(w);
    world_plan(w, dice_span_ns(&w->dice_node, 20000000, 10000000000), MOMENT_START, 0, 0);
}
