/*
 * run.h - what the files of the crash enumeration share: one round, and what it must find.
 */
#ifndef HAKIKA_CRASH_RUN_H
#define HAKIKA_CRASH_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "crash/enumerate.h"
#include "journal/journal.h"
#include "sim/sim_disk.h"

enum {
    RUN_BATCHES_MAX = 48,
    RUN_SNAPSHOTS_MAX = 16,
    RUN_PAYLOAD_MAX = 24 * 1024,
    RUN_STATE_VERSION = 3,
};

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    r->state += 0x9e3779b97f4a7c15u;
    return hash_u64(r->state, 0xc4a5);
}

/* From 0 to below - 1. */
static inline uint64_t random_below(struct random *r, uint64_t below)
{
    return random_next(r) % below;
}

struct model_batch {
    uint8_t *payload; /* RUN_PAYLOAD_MAX bytes */
    size_t size;
    uint64_t first_position;
    uint32_t frame_count;
    int64_t time_ns;
    unsigned opening;
    uint8_t hash[JOURNAL_HASH_BYTES]; /* once acknowledged */
};

struct model_snapshot {
    uint64_t position;
    uint64_t batch;
    size_t size;
    bool committed;
};

/* What must be found: `acked` batches, and at most `known` (the last one was being appended). */
struct model {
    struct model_batch batch[RUN_BATCHES_MAX];
    size_t acked;
    size_t known;
    struct model_snapshot snapshot[RUN_SNAPSHOTS_MAX];
    size_t snapshot_count;
    unsigned opening;
};

struct run {
    struct enumeration *e;
    uint64_t round;
    struct random random; /* of the workload */
    struct sim_disk *live;
    struct sim_disk *other; /* takes live's place at a power cut */
    struct sim_disk *image; /* the state being looked at */
    struct sim_disk *again; /* and the one after it went on */
    struct sim_disk *shelf; /* damage: what is broken, again and again */
    struct journal *journal;
    struct model model;
    uint8_t *buffer;  /* of the batch being appended */
    uint8_t *scratch; /* of batches beyond the model */
    struct journal_options options;
    uint64_t point;
    uint64_t replay_point; /* with e->replay */
    char replay_kind;
    uint64_t replay_number;
};

/* What one opened journal was found to hold. */
struct finding {
    size_t batches;
    uint64_t last_segment; /* the place of the last batch */
    uint64_t last_offset;
    uint64_t last_epoch;
};

/* --- model.c ---------------------------------------------------------------------------------- */

/* Records a violation; the first one counts. Returns false. */
bool run_violation(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Chooses the next batch of the model (not yet known) and fills its content. */
struct model_batch *model_next(struct run *run, struct random *random);

/* Appends a batch of the model, whatever its outcome. */
enum journal_status model_append(struct run *run, struct journal *journal,
                                 const struct model_batch *batch, uint8_t *buffer,
                                 struct journal_error *error);

/* The content of a snapshot at a position. */
uint8_t model_snapshot_byte(const struct run *run, uint64_t position, size_t at);

/* Remembers that the batch after the acknowledged ones is acknowledged now, with this head. */
void model_acknowledge(struct model *model, const struct journal_head *head);

/* What to expect of an open journal. */
struct expectation {
    size_t least; /* batches */
    size_t most;
    const struct model_batch *extra; /* the last one, not in the model; or NULL */
    size_t from;                     /* only batches behind this one are read */
};

/*
 * Compares an open journal with the model; that the batches in front of `from` are the right ones
 * then follows from the hash in the chain. False after a violation.
 */
bool model_check(struct run *run, struct journal *journal, const struct expectation *expectation,
                 struct finding *out);

/* Compares what snapshot_load gives; with `required` a committed one must be found. */
bool model_check_snapshot(struct run *run, struct journal *journal, bool required);

/* Opens the journal on a disk with the options of the round. */
enum journal_status run_open(struct run *run, struct sim_disk *sim, struct journal **out,
                             struct journal_error *error);

/* --- enumerate.c ------------------------------------------------------------------------------ */

/* Begins the state with this kind and number: true when it is to be looked at. */
bool run_begin_state(struct run *run, char kind, uint64_t number);

/* --- damage.c --------------------------------------------------------------------------------- */

/* C6, on the disk as the round left it (no journal is open). */
void run_damage(struct run *run);

#endif
