/*
 * damage.c - C6: disks that no crash can leave, and what must become of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "crash/run.h"

enum {
    DAMAGES = 40,
    SNAPSHOT_DAMAGES = 6,
    CALLS_MAX = 200, /* of one opening */
    FORK_BATCHES = 32,
    FORK_BATCH_BYTES = 6000,
    PATH_BYTES = 64,
};

static void segment_path(uint64_t number, char out[PATH_BYTES])
{
    (void)snprintf(out, PATH_BYTES, "book/journal-%08" PRIu64 ".seg", number);
}

static uint64_t segment_count(const struct sim_disk *sim)
{
    for (uint64_t number = 1;; number++) {
        char path[PATH_BYTES];
        uint64_t size = 0;
        segment_path(number, path);
        if (sim_disk_content(sim, path, &size) == NULL) {
            return number - 1;
        }
    }
}

/* Opens for finding out what is there; the disk may change (a torn tail is cut). */
static bool look(struct run *run, struct sim_disk *sim, struct finding *finding)
{
    struct journal *journal = NULL;
    struct journal_error error;
    if (run_open(run, sim, &journal, &error) != JOURNAL_OK) {
        return run_violation(run, "opening after the round fails: %s", error.message);
    }
    const struct expectation expectation = {.least = run->model.acked, .most = run->model.known};
    bool good = model_check(run, journal, &expectation, finding);
    struct journal_head head = journal_head(journal);
    if (good && finding->batches > run->model.acked) {
        model_acknowledge(&run->model, &head);
    }
    run->model.known = run->model.acked;
    journal_close(journal);
    sim_disk_settle(sim);
    return good;
}

/* --- one place -------------------------------------------------------------------------------- */

enum damage_kind { DAMAGE_FLIP, DAMAGE_ZEROS, DAMAGE_GARBAGE, DAMAGE_MISPLACED, DAMAGE_KINDS };

/* Damages a copy of a file's content; the first byte that may have changed is at *from_out. */
static void damage_content(uint8_t *data, uint64_t size, struct random *random, uint64_t *from_out)
{
    uint64_t blocks = size / JOURNAL_BLOCK_BYTES;
    uint64_t block = random_below(random, blocks);
    uint8_t *at = data + block * JOURNAL_BLOCK_BYTES;
    *from_out = block * JOURNAL_BLOCK_BYTES;
    switch ((enum damage_kind)random_below(random, DAMAGE_KINDS)) {
    case DAMAGE_FLIP: {
        uint64_t byte = random_below(random, JOURNAL_BLOCK_BYTES);
        at[byte] ^= (uint8_t)(1u << random_below(random, 8));
        *from_out += byte;
        break;
    }
    case DAMAGE_ZEROS: memset(at, 0, JOURNAL_BLOCK_BYTES); break;
    case DAMAGE_GARBAGE:
        for (size_t i = 0; i < JOURNAL_BLOCK_BYTES; i++) {
            at[i] = (uint8_t)random_next(random);
        }
        break;
    case DAMAGE_MISPLACED:
    case DAMAGE_KINDS:
        memmove(at, data + random_below(random, blocks) * JOURNAL_BLOCK_BYTES, JOURNAL_BLOCK_BYTES);
        break;
    }
}

/* What the damaged disk must answer. */
static void damage_check(struct run *run, bool before_tail, const char *path, uint64_t offset)
{
    struct journal *journal = NULL;
    struct journal_error error;
    struct finding finding;
    size_t batches = run->model.acked;
    run->e->states_damaged++;
    enum journal_status status = run_open(run, run->image, &journal, &error);
    if (before_tail) {
        if (status != JOURNAL_CORRUPT && status != JOURNAL_FOREIGN) {
            (void)run_violation(run, "damage in %s at offset %" PRIu64 " is passed over", path,
                                offset);
        } else if (strstr(error.message, "journal-0") == NULL ||
                   strstr(error.message, "offset") == NULL) {
            (void)run_violation(run, "the message does not name the place: %s", error.message);
        }
    } else if (status != JOURNAL_OK) {
        (void)run_violation(run, "damage in the tail (%s at offset %" PRIu64 ") stops: %s", path,
                            offset, error.message);
    } else {
        const struct expectation expectation = {.least = batches > 0 ? batches - 1 : 0,
                                                .most = batches};
        (void)model_check(run, journal, &expectation, &finding);
    }
    journal_close(journal);
}

static void damage_one(struct run *run, const struct finding *finding, uint64_t number)
{
    struct random random = {hash_u64(run->e->seed, hash_u64(run->round, number))};
    char path[PATH_BYTES];
    uint64_t size = 0;
    uint64_t from = 0;
    uint64_t segment = 1 + random_below(&random, segment_count(run->shelf));
    segment_path(segment, path);
    const uint8_t *content = sim_disk_content(run->shelf, path, &size);
    CHECK(content != NULL);
    uint8_t *copy = malloc(size);
    CHECK(copy != NULL);
    memcpy(copy, content, size);
    damage_content(copy, size, &random, &from);
    bool header = from < JOURNAL_BLOCK_BYTES;
    bool before_tail = header || segment < finding->last_segment ||
                       (segment == finding->last_segment && from < finding->last_offset);
    if (memcmp(copy, content, size) != 0 && run_begin_state(run, 'd', number)) {
        sim_disk_copy(run->image, run->shelf);
        sim_disk_put(run->image, path, copy, size);
        damage_check(run, before_tail, path, from);
    }
    free(copy);
}

/* A damaged snapshot is ignored, or its damage does not matter. */
static void damage_snapshot(struct run *run, uint64_t number)
{
    struct random random = {hash_u64(run->e->seed, hash_u64(run->round, number))};
    const struct model *model = &run->model;
    char path[PATH_BYTES];
    uint64_t size = 0;
    if (model->snapshot_count == 0) {
        return;
    }
    const struct model_snapshot *snapshot =
        &model->snapshot[random_below(&random, model->snapshot_count)];
    (void)snprintf(path, sizeof(path), "book/snapshot-%020" PRIu64 ".snap", snapshot->position);
    if (sim_disk_content(run->shelf, path, &size) == NULL || !run_begin_state(run, 's', number)) {
        return;
    }
    sim_disk_copy(run->image, run->shelf);
    CHECK(sim_disk_flip(run->image, path, random_below(&random, size),
                        (uint8_t)(1u << random_below(&random, 8))));
    struct journal *journal = NULL;
    struct journal_error error;
    run->e->states_damaged++;
    if (run_open(run, run->image, &journal, &error) != JOURNAL_OK) {
        (void)run_violation(run, "a damaged snapshot stops the opening: %s", error.message);
        return;
    }
    (void)model_check_snapshot(run, journal, false);
    journal_close(journal);
}

/* --- calls that fail -------------------------------------------------------------------------- */

/* Opening with its n-th call failing, once: an error, or all is there. False: there is no n-th. */
static bool fail_one(struct run *run, uint64_t number)
{
    struct journal *journal = NULL;
    struct journal_error error;
    struct finding finding;
    const struct expectation expectation = {.least = run->model.acked, .most = run->model.acked};
    sim_disk_copy(run->image, run->shelf);
    uint64_t before = sim_disk_failures(run->image);
    run->e->states_damaged++;
    sim_disk_fail(run->image, SIM_ALL, number + 1, EIO, false);
    enum journal_status status = run_open(run, run->image, &journal, &error);
    sim_disk_fail(run->image, 0, 0, 0, false);
    bool struck = sim_disk_failures(run->image) > before;
    if (status != (struck ? JOURNAL_IO_ERROR : JOURNAL_OK)) {
        return run_violation(run, "an opening whose call %d fails says: %s", (int)number + 1,
                             status == JOURNAL_OK ? "fine" : error.message);
    }
    journal_close(journal);
    journal = NULL;
    if (run_open(run, run->image, &journal, &error) != JOURNAL_OK) {
        return run_violation(run, "opening after one that failed fails: %s", error.message);
    }
    (void)model_check(run, journal, &expectation, &finding);
    journal_close(journal);
    return struck;
}

/* --- forks and strangers ---------------------------------------------------------------------- */

/* Appends a few batches that tell the forks apart; a snapshot of the end. False: give up. */
static bool fork_grow(struct run *run, struct sim_disk *sim, uint8_t salt, bool with_snapshot)
{
    struct journal *journal = NULL;
    struct journal_error error;
    if (run_open(run, sim, &journal, &error) != JOURNAL_OK) {
        return run_violation(run, "opening a fork fails: %s", error.message);
    }
    bool good = true;
    for (int i = 0; i < FORK_BATCHES && good; i++) {
        struct model_batch batch = {.payload = run->scratch,
                                    .size = FORK_BATCH_BYTES,
                                    .first_position = journal_head(journal).position + 1,
                                    .frame_count = 1};
        memset(batch.payload, salt, batch.size);
        good = model_append(run, journal, &batch, run->scratch + 2 * RUN_PAYLOAD_MAX, &error) ==
               JOURNAL_OK;
    }
    struct journal_head head = journal_head(journal);
    if (good && with_snapshot) {
        struct snapshot_meta meta = {
            .position = head.position, .batch = head.batch, .state_version = RUN_STATE_VERSION};
        memcpy(meta.hash, head.hash, sizeof(meta.hash));
        struct snapshot_writer *writer =
            snapshot_create(sim_disk_interface(sim), "book", &meta, &error);
        good = writer != NULL && snapshot_commit(writer, &error);
    }
    journal_close(journal);
    sim_disk_settle(sim);
    return good || run_violation(run, "growing a fork fails: %s", error.message);
}

static void copy_file(struct sim_disk *to, const struct sim_disk *from, const char *path)
{
    uint64_t size = 0;
    const uint8_t *content = sim_disk_content(from, path, &size);
    CHECK(content != NULL);
    sim_disk_put(to, path, content, size);
}

/* Opening must refuse what is on the image. */
static void expect_refusal(struct run *run, const char *what)
{
    struct journal *journal = NULL;
    struct journal_error error;
    run->e->states_damaged++;
    enum journal_status status = run_open(run, run->image, &journal, &error);
    if (status != JOURNAL_CORRUPT && status != JOURNAL_FOREIGN) {
        (void)run_violation(run, "%s: opening says %d", what, (int)status);
    }
    journal_close(journal);
}

/* Two histories that part after the round's: a segment of one among those of the other. */
static void damage_fork(struct run *run)
{
    char path[PATH_BYTES];
    sim_disk_copy(run->image, run->shelf);
    sim_disk_copy(run->again, run->shelf);
    if (!fork_grow(run, run->image, 'A', false) || !fork_grow(run, run->again, 'B', false)) {
        return;
    }
    uint64_t last = segment_count(run->again);
    CHECK(last >= segment_count(run->shelf) + 2); /* the one before it differs too */
    segment_path(last, path);
    copy_file(run->image, run->again, path);
    expect_refusal(run, "segments of a fork");
}

/* A snapshot of a fork, or of a future that was lost, is not used. */
static void damage_fork_snapshot(struct run *run, bool ahead)
{
    struct journal *journal = NULL;
    struct journal_error error;
    struct snapshot_meta meta;
    char path[PATH_BYTES];
    size_t size = 0;
    sim_disk_copy(run->again, run->shelf);
    sim_disk_copy(run->image, run->shelf);
    if (!fork_grow(run, run->again, 'A', true) ||
        (!ahead && !fork_grow(run, run->image, 'B', false))) {
        return;
    }
    run->e->states_damaged++;
    if (run_open(run, run->again, &journal, &error) != JOURNAL_OK) {
        (void)run_violation(run, "opening a fork fails: %s", error.message);
        return;
    }
    uint64_t position = journal_head(journal).position;
    journal_close(journal);
    (void)snprintf(path, sizeof(path), "book/snapshot-%020" PRIu64 ".snap", position);
    copy_file(run->image, run->again, path);
    journal = NULL;
    if (run_open(run, run->image, &journal, &error) != JOURNAL_OK) {
        (void)run_violation(run, "a stranger's snapshot stops the opening: %s", error.message);
        return;
    }
    uint8_t *content = snapshot_load(journal, RUN_STATE_VERSION, UINT64_MAX, &meta, &size);
    if (content != NULL && meta.position == position) {
        (void)run_violation(run, "a snapshot %s is loaded",
                            ahead ? "ahead of the head" : "of a fork");
    }
    free(content);
    journal_close(journal);
}

/* The batches of another journal of the same shape, under the headers of this one. */
static void damage_stranger(struct run *run)
{
    uint8_t identity = run->options.identity[0];
    struct sim_disk *mine = run->image;
    struct sim_disk *theirs = run->again;
    sim_disk_destroy(mine);
    sim_disk_destroy(theirs);
    run->image = mine = sim_disk_create();
    run->again = theirs = sim_disk_create();
    if (!fork_grow(run, mine, 'A', false)) {
        return;
    }
    run->options.identity[0] = (uint8_t)(identity + 1);
    bool grown = fork_grow(run, theirs, 'B', false);
    run->options.identity[0] = identity;
    if (!grown) {
        return;
    }
    for (uint64_t number = 1; number <= segment_count(mine); number++) {
        char path[PATH_BYTES];
        uint64_t size = 0;
        uint64_t their_size = 0;
        segment_path(number, path);
        const uint8_t *header = sim_disk_content(mine, path, &size);
        const uint8_t *batches = sim_disk_content(theirs, path, &their_size);
        CHECK(batches != NULL && size == their_size);
        uint8_t *mixed = malloc(size);
        CHECK(mixed != NULL);
        memcpy(mixed, batches, size);
        memcpy(mixed, header, JOURNAL_BLOCK_BYTES);
        sim_disk_put(mine, path, mixed, size);
        free(mixed);
    }
    expect_refusal(run, "batches of another journal");
}

void run_damage(struct run *run)
{
    struct finding finding = {0};
    run->point++;
    sim_disk_lie(run->live, false);
    sim_disk_settle(run->live);
    sim_disk_copy(run->shelf, run->live);
    if (run->e->lying_disk || !look(run, run->shelf, &finding)) {
        return;
    }
    run->options.verify_bytes = UINT64_MAX;
    for (uint64_t i = 0; i < DAMAGES; i++) {
        damage_one(run, &finding, i);
    }
    for (uint64_t i = 0; i < SNAPSHOT_DAMAGES; i++) {
        damage_snapshot(run, i);
    }
    for (uint64_t i = 0; i < CALLS_MAX; i++) {
        if (run_begin_state(run, 'e', i) && !fail_one(run, i)) {
            break;
        }
    }
    if (run_begin_state(run, 'f', 0)) {
        damage_fork(run);
    }
    if (run_begin_state(run, 'f', 1)) {
        damage_fork_snapshot(run, true);
    }
    if (run_begin_state(run, 'f', 2)) {
        damage_fork_snapshot(run, false);
    }
    if (run_begin_state(run, 'f', 3)) {
        damage_stranger(run);
    }
}
