/*
 * world.h - one simulated world: a process with the real book, operator, engine and journal on a
 * simulated disk, the people and machines around it, and everything that can go wrong, in one
 * thread on one agenda. The same seed lives the same life to the last byte.
 *
 * A run has two phases. In the first, faults strike. Then everything is repaired, and within
 * WORLD_REST_NS of virtual time the world must come to rest: no payment open, no message waiting,
 * all of it as the auditor says.
 */
#ifndef HAKIKA_SIM_WORLD_H
#define HAKIKA_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "operator/operator.h"
#include "sim/agenda.h"
#include "sim/auditor.h"
#include "sim/dice.h"
#include "sim/fail.h"
#include "sim/sim_disk.h"
#include "sim/tally.h"

enum {
    WORLD_CLIENTS_MAX = 32,
    WORLD_SITES_MAX = 16,
    WORLD_WAITING_MAX = 4096,
    WORLD_PLANS_MAX = 64,
    WORLD_PAYMENTS_DEFAULT = 200,
};
#define WORLD_REST_NS ((int64_t)72 * 3600 * 1000000000)

struct world_options {
    uint64_t seed;
    uint32_t payments;
    uint32_t phones; /* 0: as the seed says */
    uint64_t faults; /* mask: which kinds may be switched on */
    uint64_t steps;  /* moments until everything is repaired; 0: no limit */
    bool trace;      /* tell the story */
    bool careful;    /* check everything after every decision */
};

enum moment_kind {
    MOMENT_TURN = 1, /* the process's loop */
    MOMENT_WRITTEN,  /* the writer is done */
    MOMENT_REPORT,   /* what came of a delivery: a = message, b = packed report */
    MOMENT_ROOM,     /* the journal looks again whether there is room */
    MOMENT_SNAPSHOT, /* another piece of a snapshot */
    MOMENT_START,    /* of the process */
    MOMENT_CLIENT,   /* a = client */
    MOMENT_PHONE,    /* a = payment, b = packed answer */
    MOMENT_QUERY,    /* a = payment, b = generation and how often it was asked */
    MOMENT_OPERATOR,
    MOMENT_READER, /* of the stream */
    MOMENT_FAULT,  /* a = kind */
    MOMENT_SPACE,  /* the full disk is emptied */
    MOMENT_TESTER, /* moves a virtual clock */
    MOMENT_INDEX,  /* the index of old ids is done with a batch */
};

/* What an ask came to. */
struct reply {
    enum engine_status status;
    uint64_t wait_position;
    enum operator_refusal refusal;
    enum book_outcome outcome;
    uint64_t number;
    uint64_t rests_on;
    bool down; /* there is no process */
};

/* An answer that waits until the disk has what it rests on. */
struct waiting {
    uint64_t wait_position;
    uint64_t rests_on;
    bool tells_payment;
    struct told told;
    uint32_t client; /* WORLD_CLIENTS_MAX: nobody's */
    enum operator_refusal refusal;
};

struct client {
    struct dice dice;
    bool has_ask;
    bool waits;
    bool repeated; /* the answer was lost before */
    struct ask ask;
};

enum site_mood { SITE_FINE, SITE_DEAD, SITE_SLOW, SITE_ERRORS };

struct site {
    enum site_mood mood;
    int64_t until_ns;
};

/* How a process ends. */
enum node_end { END_STOPPED, END_KILLED, END_POWER_CUT };

struct node {
    bool running;
    uint32_t life; /* counts starts */
    struct journal *journal;
    struct book *book;
    struct engine *engine;
    struct keeper *keeper; /* NULL: nothing leaves memory */
    struct book_clock clock;
    bool writing;
    struct journal_batch batch;
    uint64_t batch_hash;
    uint8_t previous[JOURNAL_HASH_BYTES];
    int64_t turn_at_ns; /* 0: no turn is planned */
    /* a strike in the middle of what the disk is doing */
    uint32_t strike_in; /* operations of the disk; 0: none */
    enum node_end strike_end;
    enum sim_fault strike_fault;
    bool struck;
    /* a snapshot that is being written, piece by piece */
    struct snapshot_writer *snapshot;
    uint8_t *snapshot_data;
    size_t snapshot_size;
    size_t snapshot_at;
    bool snapshot_wanted;
    bool snapshot_cut;          /* arm a power cut in its next piece */
    uint32_t snapshot_error_in; /* arm an error in its next piece */
    bool stop_wanted;
    bool room_planned;
};

/* The index of old ids: outlives the process. */
struct sim_archive {
    struct sim_record *records;
    uint32_t count;
    uint32_t capacity;
    uint64_t generation;
    uint64_t position;
    const struct index_batch *under_way; /* the keeper's */
};

struct plan {
    enum sim_fault fault;
    uint64_t after_pushes;
};

struct world {
    struct world_options options;
    struct agenda agenda;
    struct auditor auditor;
    struct cast cast;
    struct tally tally;
    struct node node;
    struct sim_disk *disk;
    struct sim_disk *other_disk; /* what a strike leaves behind */
    struct sim_archive archive;
    bool keeps; /* what is closed leaves memory in this seed */
    struct keeper_settings keeper_settings;
    int64_t now_ns;   /* of the machine, monotonic */
    int64_t clock_ns; /* what a look at it showed last: a little more each time */
    int64_t wall_ns;  /* what the wall clock is ahead of it */
    uint64_t steps;
    uint64_t trace;  /* hash of everything that happened */
    uint64_t faults; /* mask: the kinds of this seed */
    bool repaired;   /* the second phase */
    struct dice dice;
    struct dice dice_node;
    struct dice dice_net;
    struct dice dice_operator;
    struct dice dice_faults;
    struct client clients[WORLD_CLIENTS_MAX];
    uint32_t client_count;
    struct site sites[WORLD_SITES_MAX];
    struct waiting waiting[WORLD_WAITING_MAX];
    uint32_t waiting_count;
    struct outbox_schedule schedule;
    struct engine_limits limits;
    uint64_t segment_bytes;
    int64_t sync_usual_ns;
    int64_t turn_ns_most; /* from something that happened to the next turn of the loop */
    struct plan plans[WORLD_PLANS_MAX];
    uint32_t plan_count;
    uint32_t plan_next;
    uint64_t faults_before; /* of other runs, in the tally */
    bool filled_up;
    /* faults that wait for their occasion */
    bool slow_next;
    enum sim_fault error_armed; /* which kind of error the next one is */
    int64_t clock_jump_ns;
    uint32_t start_error_in;
    uint32_t cut_start_in;
    bool settings_next;
    bool wallets_open;
    bool busy_turns; /* turns are often too long, so that new work is taken in shares */
    bool is_virtual; /* the clock stands still unless somebody moves it (R6.3) */
    int64_t advance_by_ns;
    bool advance_until_idle;
    uint64_t stream_position;
    int64_t *frame_ns;            /* monotonic time at which a position was decided */
    struct digest_value *digests; /* of the state at a position, in careful runs */
    uint64_t frame_capacity;
    uint32_t next_reference;
    uint32_t next_key;
    uint64_t next_transfer;
};

/* ---- world.c ---- */
struct world *world_create(void); /* reusable for one run after the other */
void world_destroy(struct world *w);
/* Lives through one seed; a failure ends the process (fail.h). Returns the hash of the trace. */
uint64_t world_run(struct world *w, const struct world_options *options);
/* Lived twice by a campaign, with equal traces: what is on disk in the end belongs to them. */
static inline bool world_lives_twice(uint64_t seed)
{
    return seed % 32 == 5;
}
void world_plan(struct world *w, int64_t delay_ns, enum moment_kind kind, uint64_t a, uint64_t b);
/* For the present process only: forgotten when it ends. */
void world_plan_here(struct world *w, int64_t delay_ns, enum moment_kind kind, uint64_t a,
                     uint64_t b);
void world_note(struct world *w, uint64_t what, uint64_t a, uint64_t b);
/* The story, when it is wanted. */
void world_tell(const struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define TELL(w, ...)                      \
    do {                                  \
        if ((w)->options.trace) {         \
            world_tell((w), __VA_ARGS__); \
        }                                 \
    } while (0)
static inline bool world_has(const struct world *w, enum sim_fault fault)
{
    return !w->repaired && (w->faults >> fault & 1) != 0;
}

/* ---- node.c: the process ---- */
void node_start(struct world *w);
void node_end(struct world *w, enum node_end how);
void node_turn(struct world *w);
void node_turn_soon(struct world *w);
void node_written(struct world *w);
void node_make_room(struct world *w);
void node_snapshot_piece(struct world *w);
/* The power fails, or the process dies, at the n-th operation of the disk from now. */
void node_arm(struct world *w, enum sim_fault fault, enum node_end how, uint32_t operations);
void node_disarm(struct world *w);
/* After every call into the engine: what it did by itself, what became durable. */
void node_watch(struct world *w, uint64_t applied_before, int64_t now_ns, uint64_t own);
void node_compare_replay(struct world *w);

/* ---- archive.c: the index of old ids ---- */
void archive_start_keeper(struct world *w);
void archive_turn(struct world *w);
void archive_done(struct world *w);
void archive_process_ends(struct world *w);
void archive_free(struct sim_archive *a);
enum index_answer archive_find(void *context, uint64_t generation, const struct old_name *name,
                               struct old_name *primary, struct span *record);
/* For the auditor: what the name stands for is in memory or the guest, if it is anywhere. */
void archive_reach(void *context, struct book *book, const struct old_name *name);

/* ---- ask.c: asking the operator ---- */
struct reply world_ask(struct world *w, enum engine_class class, const struct ask *ask);
/* What somebody who looks now sees of a payment. */
bool world_look(struct world *w, uint64_t number, struct told *out);
void world_wait(struct world *w, const struct waiting *waiting);
void world_release(struct world *w);
void world_connections_lost(struct world *w);

/* ---- actors.c ---- */
void actors_begin(struct world *w);
void client_turn(struct world *w, uint32_t index);
void client_heard(struct world *w, const struct waiting *heard);
void client_lost(struct world *w, uint32_t index);
void phone_answers(struct world *w, uint64_t number, uint64_t packed);
void query_asked(struct world *w, uint64_t number, uint64_t packed);
void operator_acts(struct world *w);
void reader_reads(struct world *w);
void tester_moves(struct world *w);

/* ---- network.c ---- */
void network_send(struct world *w);
void network_report(struct world *w, uint64_t message, uint64_t packed);
void network_finish(struct world *w);

/* ---- trouble.c ---- */
void trouble_plan(struct world *w);
void trouble_look(struct world *w);
const char *sim_fault_name(enum sim_fault fault); /* as on the command line */
const char *sim_fault_text(enum sim_fault fault);
void trouble_strike(struct world *w, enum sim_fault fault);
void trouble_end(struct world *w);

#endif
