/*
 * enumerate.c - the rounds, their points, and the states of each point. See enumerate.h.
 */
#include "crash/enumerate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "crash/run.h"

enum {
    READ_WHOLE_ONE_IN = 8, /* otherwise only the last batches are read, and the chain's hash */
    READ_LAST = 2,
    CUTS_WHOLE_MAX = 64, /* a point with no more states than this is tried whole */
    CUTS_SAMPLED = 32,
    AGAIN_ONE_IN = 8,
    EXTRA_USUAL = 600, /* bytes of that batch */
    STEPS_LEAST = 6,
    STEPS_MORE = 12,
};

static char current_id[ENUMERATION_ID_MAX];

const char *enumeration_current(void)
{
    return current_id;
}

static uint64_t salt_of(const struct run *run, uint64_t number)
{
    return hash_u64(hash_u64(run->e->seed, run->round), hash_u64(run->point, number));
}

/* --- states ----------------------------------------------------------------------------------- */

static bool run_is_over(const struct run *run)
{
    return run->e->violated || (run->e->replay == NULL && run->e->states >= run->e->states_max);
}

bool run_begin_state(struct run *run, char kind, uint64_t number)
{
    struct enumeration *e = run->e;
    if (run_is_over(run)) {
        return false;
    }
    if (e->replay != NULL && (run->point != run->replay_point || kind != run->replay_kind ||
                              number != run->replay_number)) {
        return false;
    }
    (void)snprintf(current_id, sizeof(current_id), "%" PRIu64 ".%" PRIu64 ".%" PRIu64 ".%c%" PRIu64,
                   e->seed, run->round, run->point, kind, number);
    memcpy(e->id, current_id, sizeof(e->id));
    e->states++;
    return true;
}

/* C5: one more batch, then another cut. */
static void state_goes_on(struct run *run, struct journal *journal, size_t batches, uint64_t salt)
{
    struct journal_error error;
    struct finding finding;
    struct journal_head head = journal_head(journal);
    struct model_batch extra = {
        .payload = run->scratch,
        .size = 1 + salt % ((salt >> 32) % 8 == 0 ? RUN_PAYLOAD_MAX : EXTRA_USUAL),
        .first_position = head.position + 1,
        .frame_count = 2,
        .opening = UINT32_MAX,
    };
    memset(extra.payload, (int)(salt % 251), extra.size);
    uint8_t *buffer = run->scratch + 2 * RUN_PAYLOAD_MAX;
    if (model_append(run, journal, &extra, buffer, &error) != JOURNAL_OK) {
        (void)run_violation(run, "going on fails: %s", error.message);
        return;
    }
    sim_disk_cut_random(run->again, run->image, salt);
    struct journal *again = NULL;
    run->e->states++;
    run->e->states_again++;
    if (run_open(run, run->again, &again, &error) != JOURNAL_OK) {
        (void)run_violation(run, "opening after going on fails: %s", error.message);
        return;
    }
    const struct expectation expectation = {.most = batches, .extra = &extra};
    (void)model_check(run, again, &expectation, &finding);
    journal_close(again);
}

/* Opens the image and compares it with what had been acknowledged. */
static void state_check(struct run *run, uint64_t salt)
{
    struct journal *journal = NULL;
    struct journal_error error;
    struct finding finding;
    sim_disk_limit(run->image, 0);
    if (run_open(run, run->image, &journal, &error) != JOURNAL_OK) {
        (void)run_violation(run, "opening fails: %s", error.message);
        return;
    }
    const struct model *model = &run->model;
    struct expectation expectation = {.least = model->acked, .most = model->known};
    if (model->acked > READ_LAST && salt / 64 % READ_WHOLE_ONE_IN != 0) {
        expectation.from = model->acked - READ_LAST;
    }
    if (model_check(run, journal, &expectation, &finding) &&
        model_check_snapshot(run, journal, true) && salt % AGAIN_ONE_IN == 0) {
        state_goes_on(run, journal, finding.batches, salt / AGAIN_ONE_IN);
    }
    journal_close(journal);
}

/* All states of this point, or a sample of them; and the process killed with its cache alive. */
static void explore(struct run *run)
{
    struct enumeration *e = run->e;
    run->point++;
    e->points++;
    if (e->replay != NULL && run->point != run->replay_point) {
        return;
    }
    uint64_t count = sim_disk_cut_count(run->live, CUTS_WHOLE_MAX + 1);
    bool whole = count <= CUTS_WHOLE_MAX;
    e->points_whole += whole ? 1 : 0;
    for (uint64_t i = 0; i < (whole ? count : CUTS_SAMPLED); i++) {
        if (run_begin_state(run, whole ? 'c' : 'r', i)) {
            if (whole) {
                sim_disk_cut(run->image, run->live, i);
            } else {
                sim_disk_cut_random(run->image, run->live, salt_of(run, i));
            }
            e->states_cut++;
            state_check(run, salt_of(run, i + 1000));
        }
    }
    if (run_begin_state(run, 'k', 0)) {
        sim_disk_copy(run->image, run->live);
        e->states_killed++;
        state_check(run, salt_of(run, 2000));
    }
}

static void explore_operation(void *context, enum sim_operation operation)
{
    (void)operation;
    explore(context);
}

/* --- the life of a journal -------------------------------------------------------------------- */

/* Opens (again); what opening finds counts as acknowledged from then on. */
static void step_open(struct run *run)
{
    struct journal_error error;
    struct model *model = &run->model;
    CHECK(run->journal == NULL);
    model->opening++;
    enum journal_status status = run_open(run, run->live, &run->journal, &error);
    if (status == JOURNAL_IO_ERROR && sim_disk_failures(run->live) > 0) {
        sim_disk_fail(run->live, 0, 0, 0, false);
        explore(run);
        status = run_open(run, run->live, &run->journal, &error);
    }
    if (status != JOURNAL_OK) {
        (void)run_violation(run, "opening the living disk fails: %s", error.message);
        return;
    }
    struct journal_head head = journal_head(run->journal);
    if (head.batch < model->acked || head.batch > model->known) {
        (void)run_violation(run, "%llu batches after opening, not %zu to %zu",
                            (unsigned long long)head.batch, model->acked, model->known);
        return;
    }
    if (head.batch > model->acked) {
        model_acknowledge(model, &head);
    }
    model->known = model->acked;
    explore(run);
}

static void step_kill(struct run *run)
{
    journal_close(run->journal); /* changes nothing on disk */
    run->journal = NULL;
    sim_disk_fail(run->live, 0, 0, 0, false);
}

static void step_power_cut(struct run *run)
{
    step_kill(run);
    sim_disk_watch(run->live, 0, NULL, NULL);
    sim_disk_cut_random(run->other, run->live, random_next(&run->random));
    struct sim_disk *cut = run->other;
    run->other = run->live;
    run->live = cut;
    sim_disk_watch(run->live, SIM_CHANGES, explore_operation, run);
    explore(run);
}

/* Appends; compares the answer with what the disk was told to do. */
static enum journal_status step_append(struct run *run)
{
    struct journal_error error;
    struct model *model = &run->model;
    struct journal_head before = journal_head(run->journal);
    const struct model_batch *batch = model_next(run, &run->random);
    uint64_t failures = sim_disk_failures(run->live);
    model->known = model->acked + 1;
    enum journal_status status = model_append(run, run->journal, batch, run->buffer, &error);
    struct journal_head after = journal_head(run->journal);
    bool failed = sim_disk_failures(run->live) > failures;
    if (status == JOURNAL_OK) {
        model_acknowledge(model, &after);
    } else if (memcmp(&before, &after, sizeof(before)) != 0) {
        (void)run_violation(run, "an append that failed moved the head");
    } else if (!failed) {
        (void)run_violation(run, "an append fails on a good disk: %s", error.message);
    }
    if (status == JOURNAL_DISK_FULL) {
        model->known = model->acked; /* nothing was written */
    }
    if (status != JOURNAL_OK) { /* not to be embedded in the next attempt at the same place: */
        memset(run->buffer, 0, RUN_PAYLOAD_MAX); /* misplaced to there it would be valid */
    }
    explore(run);
    return status;
}

/* A write, a sync or a name fails; then the process must not go on. */
static void step_fault(struct run *run)
{
    const unsigned kinds[] = {
        SIM_WRITE,
        SIM_SYNC,
        SIM_SYNC_DIRECTORY,
        SIM_WRITE | SIM_SYNC,
        SIM_RENAME | SIM_OPEN,
        SIM_CHANGES,
        SIM_READ | SIM_OPEN,
        SIM_ALL,
    };
    struct random *random = &run->random;
    unsigned kind = kinds[random_below(random, sizeof(kinds) / sizeof(kinds[0]))];
    bool opening = random_below(random, 3) == 0;
    /* An append is a write and a sync, unless it begins a segment. */
    uint64_t countdown = 1 + random_below(random, opening ? 24 : 1 + random_below(random, 4));
    sim_disk_fail(run->live, kind, countdown, EIO, random_below(random, 2) == 0);
    if (opening) {
        journal_close(run->journal);
        run->journal = NULL;
        step_open(run);
        sim_disk_fail(run->live, 0, 0, 0, false);
        return;
    }
    enum journal_status status = step_append(run);
    sim_disk_fail(run->live, 0, 0, 0, false);
    if (status == JOURNAL_OK || run->e->violated) {
        return;
    }
    if (status != JOURNAL_POISONED) {
        (void)run_violation(run, "a failed disk gives status %d, not poison", (int)status);
        return;
    }
    struct journal_error error;
    const struct model_batch *batch = &run->model.batch[run->model.acked];
    if (model_append(run, run->journal, batch, run->scratch + 2 * RUN_PAYLOAD_MAX, &error) !=
        JOURNAL_POISONED) {
        (void)run_violation(run, "after a failure the journal goes on");
        return;
    }
    if (random_below(random, 2) == 0) {
        step_kill(run);
    } else {
        step_power_cut(run);
    }
    step_open(run);
}

/* The disk is full when a spare is to be made, and has room again later. */
static void step_full(struct run *run)
{
    enum journal_status status = JOURNAL_OK;
    sim_disk_limit(run->live, sim_disk_used(run->live) + random_below(&run->random, 40000));
    for (int i = 0; i < 6 && status == JOURNAL_OK && !run_is_over(run); i++) {
        if (run->model.acked + 8 >= RUN_BATCHES_MAX) {
            break;
        }
        status = step_append(run);
    }
    if (status != JOURNAL_OK && status != JOURNAL_DISK_FULL && !run->e->violated) {
        (void)run_violation(run, "a full disk gives status %d", (int)status);
    }
    if (status == JOURNAL_DISK_FULL && journal_has_room(run->journal, RUN_PAYLOAD_MAX)) {
        (void)run_violation(run, "room is promised on a full disk");
    }
    sim_disk_limit(run->live, 0);
    if (!run->e->violated && !run_is_over(run)) {
        journal_make_room(run->journal);
        (void)step_append(run);
    }
}

static void step_snapshot(struct run *run)
{
    struct model *model = &run->model;
    struct journal_head head = journal_head(run->journal);
    struct journal_error error;
    if (head.batch == 0 || model->snapshot_count == RUN_SNAPSHOTS_MAX ||
        (model->snapshot_count > 0 &&
         model->snapshot[model->snapshot_count - 1].position == head.position)) {
        return;
    }
    struct model_snapshot *snapshot = &model->snapshot[model->snapshot_count++];
    *snapshot = (struct model_snapshot){
        .position = head.position, .batch = head.batch, .size = random_below(&run->random, 5000)};
    struct snapshot_meta meta = {
        .position = head.position, .batch = head.batch, .state_version = RUN_STATE_VERSION};
    memcpy(meta.hash, head.hash, sizeof(meta.hash));
    struct snapshot_writer *writer =
        snapshot_create(sim_disk_interface(run->live), run->options.directory, &meta, &error);
    CHECK(writer != NULL);
    for (size_t at = 0; at < snapshot->size;) {
        uint8_t piece[700];
        size_t size = snapshot->size - at < sizeof(piece) ? snapshot->size - at : sizeof(piece);
        for (size_t i = 0; i < size; i++) {
            piece[i] = model_snapshot_byte(run, head.position, at + i);
        }
        CHECK(snapshot_write(writer, piece, size));
        at += size;
    }
    if (random_below(&run->random, 8) == 0) {
        snapshot_abandon(writer);
        model->snapshot_count--;
    } else if (snapshot_commit(writer, &error)) {
        snapshot->committed = true;
    }
    explore(run);
}

static void step(struct run *run)
{
    uint64_t kind = random_below(&run->random, 24);
    if (run->model.acked + 8 >= RUN_BATCHES_MAX) {
        return;
    }
    if (kind < 13) {
        (void)step_append(run);
    } else if (kind < 15) {
        step_snapshot(run);
    } else if (kind < 17) {
        step_kill(run);
        step_open(run);
    } else if (kind < 19) {
        step_power_cut(run);
        step_open(run);
    } else if (kind < 22) {
        step_fault(run);
    } else if (kind < 23) {
        step_full(run);
    } else {
        journal_make_room(run->journal);
        explore(run);
    }
}

/* --- rounds ----------------------------------------------------------------------------------- */

static void run_create_disks(struct run *run)
{
    run->live = sim_disk_create();
    run->other = sim_disk_create();
    run->image = sim_disk_create();
    run->again = sim_disk_create();
    run->shelf = sim_disk_create();
}

static void run_destroy_disks(struct run *run)
{
    sim_disk_destroy(run->live);
    sim_disk_destroy(run->other);
    sim_disk_destroy(run->image);
    sim_disk_destroy(run->again);
    sim_disk_destroy(run->shelf);
}

static void run_reset(struct run *run, uint64_t round)
{
    static const uint64_t least[] = {16384, 16384, 20480, 32768};
    static const uint64_t most[] = {16384, 32768, 65536};
    struct model *model = &run->model;
    run->round = round;
    run->random.state = hash_u64(run->e->seed, round);
    run->point = 0;
    model->acked = 0;
    model->known = 0;
    model->snapshot_count = 0;
    model->opening = 0;
    memset(run->buffer, 0, 2 * (size_t)RUN_PAYLOAD_MAX);
    run_destroy_disks(run);
    run_create_disks(run);
    run->options = (struct journal_options){
        .directory = "book",
        .book = "operator",
        .segment_bytes_min = least[random_below(&run->random, 4)],
        .segment_bytes_max = most[random_below(&run->random, 3)],
        .verify_bytes = random_below(&run->random, 2) == 0 ? 0 : 1,
    };
    memset(run->options.identity, (int)(1 + round % 200), sizeof(run->options.identity));
}

static void run_round(struct run *run, uint64_t round)
{
    run_reset(run, round);
    sim_disk_lie(run->live, run->e->lying_disk);
    sim_disk_watch(run->live, SIM_CHANGES, explore_operation, run);
    explore(run);
    step_open(run);
    uint64_t steps = STEPS_LEAST + random_below(&run->random, STEPS_MORE);
    for (uint64_t i = 0; i < steps && !run_is_over(run); i++) {
        step(run);
    }
    run->e->faults += sim_disk_failures(run->live) + sim_disk_failures(run->other);
    journal_close(run->journal);
    run->journal = NULL;
    sim_disk_watch(run->live, 0, NULL, NULL);
    if (!run_is_over(run)) {
        run_damage(run);
    }
    run->e->rounds++;
}

/* False when the identifier is not one. */
static bool replay_parse(struct run *run, uint64_t *round_out)
{
    struct enumeration *e = run->e;
    int end = 0;
    int n = sscanf(e->replay, "%" SCNu64 ".%" SCNu64 ".%" SCNu64 ".%c%" SCNu64 "%n", &e->seed,
                   round_out, &run->replay_point, &run->replay_kind, &run->replay_number, &end);
    return n == 5 && e->replay[end] == '\0';
}

void enumeration_run(struct enumeration *e)
{
    struct run *run = calloc(1, sizeof(*run));
    CHECK(run != NULL);
    run->e = e;
    run->buffer = aligned_alloc(JOURNAL_BLOCK_BYTES, 4 * (size_t)RUN_PAYLOAD_MAX);
    run->scratch = aligned_alloc(JOURNAL_BLOCK_BYTES, 4 * (size_t)RUN_PAYLOAD_MAX);
    CHECK(run->buffer != NULL && run->scratch != NULL);
    for (size_t i = 0; i < RUN_BATCHES_MAX; i++) {
        run->model.batch[i].payload = malloc(RUN_PAYLOAD_MAX);
        CHECK(run->model.batch[i].payload != NULL);
    }
    uint64_t round = 0;
    if (e->replay != NULL) {
        if (replay_parse(run, &round)) {
            run_round(run, round);
        } else {
            (void)run_violation(run, "\"%s\" is not an identifier of a state", e->replay);
        }
    } else {
        for (round = 0; !run_is_over(run); round++) {
            run_round(run, round);
        }
    }
    run_destroy_disks(run);
    for (size_t i = 0; i < RUN_BATCHES_MAX; i++) {
        free(run->model.batch[i].payload);
    }
    free(run->buffer);
    free(run->scratch);
    free(run);
}
