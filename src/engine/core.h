/*
 * core.h - the turn of the engine: the only place where order, durability and state meet.
 *
 * One turn:  commands -> decide -> frames in the open batch, state changed at once
 *            writer idle and batch not empty -> the batch goes to the writer
 *            writer done -> everything up to its last frame is durable: replies and outgoing work
 *            of those frames may leave
 *
 *   open batch (filling) --flush--> writing (one at a time) --written--> durable
 *
 * Guarantees
 *  E1  nothing that an execute answered may be shown before engine_durable() has reached the wait
 *      position it came with; that holds for refusals too, since they may rest on undurable state.
 *  E2  after a failed write or sync the engine is poisoned: it takes and releases nothing more, and
 *      the process must exit; a restart replays.
 *  E3  new work is refused at once while the engine cannot keep up (admission); answers, timers and
 *      results of what was accepted have room of their own, and deadlines that come together are
 *      decided no faster than the disk takes them. On a full disk nothing is decided, not
 *      even that a deadline has passed, so that what there is can still be read.
 *  E4  book time never goes backwards inside a generation; a virtual clock moves only when told
 *      to, or with a restored world.
 *  E5  after a restart the state is exactly that of the durable journal.
 * The engine does no I/O of its own: a writer (engine/writer.h: a thread around the journal; in the
 * simulation a scheduled call) is given batches and reports back; time comes from a clock.
 */
#ifndef HAKIKA_ENGINE_CORE_H
#define HAKIKA_ENGINE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/latency.h"
#include "book/book.h"
#include "engine/clock.h"
#include "engine/index.h"
#include "journal/journal.h"

enum {
    ENGINE_BATCH_BYTES_FIRST = 256 * 1024, /* buffers start small and double */
};

struct engine_limits {
    int64_t stall_ns_max;       /* new work is refused while a batch is unsynced longer: 80 ms */
    uint32_t batch_bytes_max;   /* new work is refused while the open batch is larger, and deadlines
                                   wait while another is being written: 1 MiB */
    uint32_t work_per_turn_max; /* internal commands in one turn */
    uint32_t recent_bytes;      /* durable frames kept for readers of the stream: 8 MiB */
    int64_t turn_ns_max;        /* what continues waits no longer for new work, nor anybody for a
                                   turn's share of deadlines: 5 ms */
};
struct engine_limits engine_limits_default(void);

enum engine_class {
    ENGINE_NEW_WORK = 0,     /* may be refused to protect the rest */
    ENGINE_CONTINUATION = 1, /* approvals, results, control: has room of its own */
    ENGINE_INTERNAL = 2,     /* timers and the pipeline */
};

enum engine_status {
    ENGINE_APPLIED = 0, /* a frame was written */
    ENGINE_REFUSED,     /* decided, no frame; the command's reply says why */
    ENGINE_BUSY,        /* not decided: try again later */
    ENGINE_DISK_FULL,   /* not decided: the disk has no room for another segment */
    ENGINE_NO_MEMORY,   /* not decided */
    ENGINE_POISONED,    /* not decided: the journal failed, the process is about to end */
    ENGINE_NO_INDEX,    /* not decided: the index of old ids cannot be read */
};
/* "the journal cannot keep up ...": why it is refused and what to do, for people. */
const char *engine_status_text(enum engine_status status);

struct engine_result {
    enum engine_status status;
    uint64_t wait_position; /* show nothing before engine_durable() >= this */
};

/* What the writer says of so many bytes more. */
enum engine_room {
    ENGINE_ROOM_NOW,
    ENGINE_ROOM_SOON, /* the next segment is being made: new work is refused, the rest may wait */
    ENGINE_ROOM_FULL, /* the disk is full */
};

/*
 * Where batches go. start must not block and is called with one batch at a time; the outcome comes
 * back through engine_written, from the loop's own thread. The batch's buffer stays untouched until
 * then.
 */
struct engine_writer {
    void *context;
    void (*start)(void *context, const struct journal_batch *batch,
                  const uint8_t previous[JOURNAL_HASH_BYTES]);
    /* May more bytes be accepted? (journal_has_room, journal_is_full) */
    enum engine_room (*room)(void *context, uint64_t bytes);
};

/*
 * Where old ids are found (book/closing.h): asked before a command is decided for what it names and
 * memory does not hold, and for readers. find is NULL: everything is in memory.
 */
struct engine_archive {
    void *context;
    enum index_answer (*find)(void *context, uint64_t generation, const struct old_name *name,
                              struct old_name *primary, struct span *record);
};

enum engine_reach {
    ENGINE_REACHED = 0, /* in memory, or the guest now: the ordinary look-ups find it */
    ENGINE_NOWHERE,     /* there is no such thing, and never was in this generation */
    ENGINE_UNKNOWN,     /* the index cannot be read */
};

struct engine_options {
    struct book *book;        /* recovered or new; owned by the caller */
    struct book_clock *clock; /* shared by the books of the process */
    struct engine_writer writer;
    struct engine_archive archive;
    struct engine_limits limits;
    struct journal_head head; /* of the journal; head.position == book->position */
    uint64_t random_seed;     /* of the numbers that decisions use (jitter) */
};

struct engine;

/* NULL: no memory. */
struct engine *engine_create(const struct engine_options *options);
void engine_destroy(struct engine *e); /* NULL is fine */

struct book *engine_book(struct engine *e);
struct book_clock *engine_clock(struct engine *e);
int64_t engine_now(const struct engine *e);

/* Whether new work would be taken now; for shedding before a body is parsed. */
enum engine_status engine_admits(const struct engine *e, enum engine_class class);

/* Runs due internal work first, then decides the command. body and reply are borrowed. */
struct engine_result engine_execute(struct engine *e, enum engine_class class, uint16_t kind,
                                    const void *body, void *reply);

/* Runs due internal work as engine_execute does, and decides nothing yet: what is looked at now is
 * what engine_execute_next decides on, one command or many. */
enum engine_status engine_begin(struct engine *e, enum engine_class class);

/* Decides another command in the same breath as the one before, or as engine_begin: at the same
 * time, and without internal work in between. For runs of frames that belong together
 * (book/worlds.h, W4). */
struct engine_result engine_execute_next(struct engine *e, uint16_t kind, const void *body,
                                         void *reply);

/* Puts what a name stands for within reach of the book's look-ups, if there is such a thing. The
 * guest that was there before is gone: pointers to it are void. */
enum engine_reach engine_reach(struct engine *e, const struct old_name *name);

/* Runs internal work that is due, then gives the open batch to the writer if that is idle. */
void engine_turn(struct engine *e);

/*
 * How long the loop worked in the turn that has just ended (its processor time, so that a machine
 * which others use does not look like work). When turns get longer than the limit although work
 * that continues waits for them, as many fewer pieces of new work are taken in the next one as it
 * was too long (but a quarter of them); when they are short again, more, step by step. Without
 * these calls new work is not shared out.
 */
void engine_pace(struct engine *e, int64_t worked_ns);

/* The writer's report about the batch it was given. */
void engine_written(struct engine *e, enum journal_status status, const struct journal_head *head);

/* Position up to which everything is on disk, and up to which the state is. */
uint64_t engine_durable(const struct engine *e);
uint64_t engine_applied(const struct engine *e);
bool engine_settled(const struct engine *e); /* nothing undurable */
bool engine_idle(const struct engine *e);    /* settled, and nothing due */
/* More was due than the last turn may decide: a storm of deadlines is being worked off. */
bool engine_behind(const struct engine *e);
bool engine_poisoned(const struct engine *e);
/* Of the journal, as far as it is durable. */
struct journal_head engine_head(const struct engine *e);
/* Position to wait for before showing anything read from the state now. */
static inline uint64_t engine_read_position(const struct engine *e)
{
    return engine_applied(e);
}

/* Milliseconds (real) until engine_turn or the outbox may have something to do; -1: not by itself.
 * A virtual clock that stands still gives -1, unless a decision waits to be written. */
int engine_timeout_ms(const struct engine *e);

/* The book has nothing due before, but the face has: an answer that waits for this time.
 * INT64_MAX: none does. A clock that is moved stops there. */
void engine_wake_at(struct engine *e, int64_t due_ns);
/* The earliest time at which anything is due; INT64_MAX: never. */
int64_t engine_next_due(const struct engine *e);

/* The next outgoing item that may leave now, marked as handed out; NULL: none. */
const struct outbox_item *engine_take_outgoing(struct engine *e);

/*
 * A pause of applying, so that state and disk agree: after engine_hold() every execute is BUSY and
 * what is due waits until engine_resume(), so that the pause lasts for two syncs at most, however
 * much is due; engine_settled() tells when snapshot or exit may happen.
 */
void engine_hold(struct engine *e);
void engine_resume(struct engine *e);

/* ---- moving a virtual clock (interfaces, "clock") ---- */

enum engine_advance_end {
    ADVANCE_RUNNING = 0,
    ADVANCE_REACHED, /* the asked time */
    ADVANCE_IDLE,    /* no one-off timer is left */
    ADVANCE_LIMIT,   /* max_advance */
};
/* Starts to move the clock by up to max_ns, timer by timer; until_idle: stop when none is left.
 * False: one is under way already, or the clock is real. No further than CLOCK_END_NS. */
bool engine_advance(struct engine *e, int64_t max_ns, bool until_idle);
/* To be called in every turn while one runs; in_flight: deliveries that have not been reported. */
enum engine_advance_end engine_advance_step(struct engine *e, uint32_t in_flight,
                                            int64_t *advanced_ns_out);
bool engine_advancing(const struct engine *e);
/* What time brings, and where it arrived, could be kept now: else a clock that moves stands still
 * (a full disk, a pause for a snapshot), so that it goes nowhere that no frame tells of. */
bool engine_may_advance(const struct engine *e);
/* Two books of one process share the clock: when one moves it, it waits for both, and stops at what
 * is due in either. */
void engine_join(struct engine *a, struct engine *b);
/* The earliest time at which anything is due in any of them; INT64_MAX: never. */
int64_t engine_next_due_of_all(const struct engine *e);

/* ---- durable frames, for the event stream ---- */

/* Frames from position on, as far as they are durable and still in memory: a run of whole frames.
 * False: they are older than what is kept (read the journal), or there are none yet (*size 0). */
bool engine_recent(const struct engine *e, uint64_t position, const uint8_t **data, size_t *size);
/* The oldest position that is kept. */
uint64_t engine_recent_first(const struct engine *e);

struct engine_counters {
    uint64_t frames, batches, bytes;
    uint64_t refused_busy, refused_disk;
    uint64_t fetched, fetch_misses;     /* look-ups in the index of old ids */
    int64_t sync_ns_total, sync_ns_max; /* from start to report */
    struct latency sync;
    uint32_t batch_bytes, batch_frames; /* open now */
    int64_t stall_ns;                   /* age of the oldest unsynced batch */
    uint64_t pauses;                    /* engine_hold to engine_resume: one for each snapshot */
    int64_t pause_ns_max;
};
struct engine_counters engine_counters(const struct engine *e);

#endif
