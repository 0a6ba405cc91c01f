/*
 * outbox.h - what must leave the book: messages to the outside as state, with attempts, next-try
 * times, one queue per target and a circuit breaker per target.
 *
 * An item is queued in the same decision as what it tells (R1.3) and may leave only when that
 * decision is durable. An attempt's result comes back as a command and is journaled; a restart
 * needs no saved timers: whatever is neither delivered nor dead is tried again (at least once).
 *
 * Item:   WAITING --attempt succeeded--> DELIVERED
 *         WAITING --last attempt failed, or told to--> DEAD --replayed by hand--> WAITING
 *         DELIVERED --replayed by hand--> WAITING
 * A WAITING item is, in memory only, in one of three phases: TIMED (its time has not come), READY
 * (in its target's queue), IN_FLIGHT (handed out). Phases, targets and breakers are not part of the
 * digest: they are rebuilt.
 *
 * Invariants (outbox_check)
 *  B1  a WAITING item is in exactly one phase, and its timer, queue or count agrees.
 *  B2  a target's in_flight and ready counts equal its items in those phases.
 *  B3  no target has more than OUTBOX_TARGET_IN_FLIGHT_MAX items in flight; a half-open one, 1.
 *  B4  every attempt belongs to one item, in order of time.
 * An item that is delivered or dead may leave memory (book/closing.h): it goes into a record and is
 * read from there as the guest, which is found by its number and is no part of any of this.
 */
#ifndef HAKIKA_BOOK_OUTBOX_H
#define HAKIKA_BOOK_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/map.h"
#include "base/slab.h"
#include "base/texts.h"
#include "base/timers.h"
#include "book/closing.h"

enum {
    OUTBOX_ITEMS_MAX = 256 * 1024 * 1024,
    OUTBOX_DELAYS_MAX = 16, /* entries of a schedule */
    OUTBOX_TRIES_MAX = 1000,
    OUTBOX_TARGET_IN_FLIGHT_MAX = 64, /* at once to one target, fewer when many have some */
    OUTBOX_IN_FLIGHT_MAX = 512,       /* shared out so that a slow target slows nobody else; the
                                         sender's connections (delivery.h) */
    OUTBOX_BREAKER_FAILURES = 10,     /* in a row until the breaker opens */
    OUTBOX_ANSWER_KEPT_MAX = 510,     /* bytes of an answer that are kept as evidence */
    OUTBOX_GUEST_ATTEMPTS_MAX = CLOSING_ATTEMPTS_MAX,
    OUTBOX_EDITS_MAX = 10000,    /* edited copies in a generation */
    OUTBOX_EDIT_BODY_MAX = 2046, /* bytes of an edited body, and at least one */
    OUTBOX_EDIT_URL_MAX = 1024,
    OUTBOX_KINDS_COUNTED = 128, /* dead ones are counted for each kind below this */
};
#define OUTBOX_BREAKER_FIRST_NS ((int64_t)1000 * 1000 * 1000)
#define OUTBOX_BREAKER_LAST_NS  ((int64_t)30 * 1000 * 1000 * 1000)

enum outbox_state {
    OUTBOX_WAITING = 1,
    OUTBOX_DELIVERED = 2,
    OUTBOX_DEAD = 3,
};

enum outbox_phase {
    OUTBOX_TIMED = 0,
    OUTBOX_READY = 1,
    OUTBOX_IN_FLIGHT = 2,
};

struct outbox_item {
    uint64_t number;   /* counts items from 1; goes to the sender and comes back */
    uint64_t subject;  /* the domain's: which payment */
    uint64_t target;   /* hash of scheme, host and port of the URL */
    uint64_t position; /* frame that queued it, or that made it wait again */
    int64_t queued_ns;
    int64_t next_try_ns;
    uint32_t first_attempt; /* SLAB_NONE: none yet */
    uint32_t last_attempt;
    uint16_t attempts;    /* all of them, replays included */
    uint16_t tries;       /* of the present schedule */
    uint16_t kind;        /* the domain's: which message */
    uint8_t state;        /* enum outbox_state */
    uint8_t phase;        /* enum outbox_phase; of WAITING items; memory only */
    uint32_t link;        /* TIMED: timer position; READY: next in the queue; memory only */
    uint32_t target_slot; /* memory only */
};

/*
 * A delivery that somebody wrote by hand from another one: its own URL and body. It has a schedule,
 * attempts and a breaker like every other, and tells nothing about the domain.
 */
struct outbox_edit {
    uint64_t number;   /* of the item */
    uint64_t original; /* the delivery that was edited, at the root */
    uint32_t url;      /* texts */
    uint32_t body;
};

struct outbox_attempt {
    int64_t at_ns;
    uint64_t position;
    uint32_t duration_ms;
    uint32_t answer; /* text handle */
    uint32_t next;
    uint16_t status;
    uint8_t error; /* enum delivery_error's numbers */
    uint8_t reserved;
};

struct outbox_target {
    uint64_t key;
    int64_t closed_until_ns; /* breaker: nothing leaves before */
    uint32_t ready_head;
    uint32_t ready_tail;
    uint32_t ready;
    uint32_t in_flight;
    uint32_t failures; /* in a row, at the level of the connection */
    uint32_t next;     /* round robin of targets with ready items; SLAB_NONE: not listed or last */
    bool listed;
};

/* When an undelivered item is tried again: delays after the 1st, 2nd, ... failure, from delay_ns[1]
 * on; after the last that is given, that one again. */
struct outbox_schedule {
    uint32_t tries; /* attempts in all before it is dead */
    bool steady;    /* exactly then, as a sender that we imitate; otherwise with full jitter */
    bool ok_only;   /* any answer but 200 is a failure; otherwise any but 2xx */
    int64_t delay_ns[OUTBOX_DELAYS_MAX];
};

/* One item with its attempts, out of its tables: a record as it was read. */
struct outbox_record {
    struct outbox_item item;
    struct outbox_attempt attempts[OUTBOX_GUEST_ATTEMPTS_MAX]; /* answer: index into answers */
    struct span answers[OUTBOX_GUEST_ATTEMPTS_MAX];
};

struct outbox {
    struct slab items;    /* struct outbox_item */
    struct slab attempts; /* struct outbox_attempt */
    struct slab targets;  /* struct outbox_target */
    struct slab edits;    /* struct outbox_edit */
    struct map by_edit;   /* number -> edit */
    struct map by_target;
    struct map by_number;
    struct timers timed;
    struct texts *texts;
    uint64_t last_number;
    uint32_t turn_head; /* round robin of targets */
    uint32_t turn_tail;
    uint32_t in_flight;
    uint32_t ready;
    uint64_t delivered;
    uint64_t dead;
    uint64_t failed_attempts;
    uint64_t left_delivered; /* of those counted in delivered and dead: no longer in memory */
    uint64_t left_dead;
    uint64_t dead_of_kind[OUTBOX_KINDS_COUNTED]; /* of those in memory; not saved */
    struct outbox_record guest;                  /* memory only; item.number 0: none */
    bool replaying; /* while the journal is replayed nothing is handed out */
};

enum outbox_event_kind {
    EVENT_DELIVERY_QUEUED = 32,
    EVENT_DELIVERY_ATTEMPTED = 33,
    EVENT_DELIVERY_REVIVED = 34,
    EVENT_ANSWER_KEPT =
        35, /* raw bytes that a receiver answered: a record kind of its own (R2.8) */
    EVENT_DELIVERY_EDITED = 36, /* an edited copy is queued */
    OUTBOX_EVENT_KNOWN_LAST = 36,
    OUTBOX_EVENT_FIRST = 32,
    OUTBOX_EVENT_LAST = 47,
};

struct outbox_event {
    uint16_t kind;
    uint64_t number;      /* of the item */
    uint64_t subject;     /* QUEUED, EDITED */
    uint64_t target;      /* QUEUED, EDITED */
    uint16_t item_kind;   /* QUEUED, EDITED: of what was edited */
    int64_t next_try_ns;  /* QUEUED, EDITED, REVIVED; ATTEMPTED: of the next try */
    uint16_t status;      /* ATTEMPTED */
    uint8_t error;        /* ATTEMPTED */
    uint8_t state;        /* ATTEMPTED: enum outbox_state afterwards */
    uint32_t duration_ms; /* ATTEMPTED */
    struct span answer;   /* ANSWER_KEPT: belongs to the latest attempt of the item */
    uint64_t original;    /* EDITED */
    struct span url;      /* EDITED */
    struct span body;     /* EDITED */
};

/* ---- commands about deliveries (book.h) ---- */

struct delivery_result_command {
    uint64_t number;
    uint64_t generation; /* of the book when it was handed out; another one is dropped */
    uint16_t status;
    uint8_t error;
    uint32_t duration_ms;
    int64_t retry_after_ms; /* -1: none */
    struct span answer;     /* at most OUTBOX_ANSWER_KEPT_MAX bytes are kept */
    uint16_t verdict;       /* what the answer to a question means to the domain; 0: nothing */
    struct span verdict_text;
    const void *reading; /* the domain's own: what the answer says; NULL: nothing */
};

struct delivery_revive_command {
    uint64_t number;
};

/* A copy of a delivery with another URL, body, or both, as a delivery of its own. */
struct delivery_edit_command {
    uint64_t number;
    uint64_t target;
    struct span url;
    struct span body;
};

/* 0, 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, 8 h, then dead. */
const struct outbox_schedule *outbox_schedule_default(void);

void outbox_init(struct outbox *o, struct texts *texts, uint64_t hash_seed);
void outbox_fini(struct outbox *o);
/* Into other memory: `to` takes over what `from` held; from is of no use afterwards. */
void outbox_move(struct outbox *to, const struct outbox *from, struct texts *texts);
/* Room for so many more items with an attempt, and for one that comes home with all of its own
 * (texts: the book's). */
bool outbox_reserve(struct outbox *o, uint32_t items) MUST_USE;

/* In memory, or the guest; NULL when there is none. */
const struct outbox_item *outbox_item(const struct outbox *o, uint64_t number);
const struct outbox_attempt *outbox_attempt(const struct outbox *o, uint32_t index);
/* NULL when the item is not an edited copy. */
const struct outbox_edit *outbox_edit(const struct outbox *o, uint64_t number);

/* The 1-based n-th item that will be queued next. */
static inline uint64_t outbox_next_number(const struct outbox *o, uint64_t n)
{
    return o->last_number + n;
}

/*
 * What becomes of a WAITING item after an attempt: 2xx is delivered; otherwise the schedule's next
 * delay with full jitter (uniform in (0, delay], from `random`), or dead. A schedule may say other.
 */
void outbox_judge(const struct outbox_item *item, const struct outbox_schedule *schedule,
                  uint16_t status, uint8_t error, int64_t now_ns, uint64_t random,
                  struct outbox_event *out);

void outbox_event_encode(struct writer *w, const struct outbox_event *e);
bool outbox_event_decode(uint16_t kind, struct reader *r, struct outbox_event *out) MUST_USE;
void outbox_apply(struct outbox *o, const struct outbox_event *e, uint64_t position,
                  int64_t now_ns);

/*
 * The next item that may leave: due at now_ns, decided at or below durable_position, its target
 * neither full nor closed. Marks it IN_FLIGHT. NULL when there is none.
 */
const struct outbox_item *outbox_take(struct outbox *o, int64_t now_ns, uint64_t durable_position);
/* Puts a taken item back, for a sender that had no room after all. */
void outbox_return(struct outbox *o, uint64_t number);
/* Until when the breaker of this target lets nothing leave; 0: it does not. */
int64_t outbox_target_closed_until(const struct outbox *o, uint64_t target, int64_t now_ns);
/* When something may become due: the earliest timer or breaker; INT64_MAX: nothing waits. An item
 * that is ready now gives a time in the past. */
int64_t outbox_next_due(const struct outbox *o);

/* ---- leaving and coming home: items that are delivered or dead (book/closing.h) ---- */

/* Whether it may leave: delivered or dead, with few enough attempts, not changed after as_of; and
 * since when that is so. */
bool outbox_may_leave(const struct outbox *o, uint64_t number, uint64_t as_of, int64_t *since_ns);
void outbox_record(const struct outbox *o, uint64_t number, struct writer *w);
/* False: not a record. Spans point into the reader. */
bool outbox_record_read(struct reader *r, struct outbox_record *out) MUST_USE;
void outbox_leave(struct outbox *o, uint64_t number);
void outbox_come_home(struct outbox *o, const struct outbox_record *record);
/* The guest's answers are lent texts. NULL: no guest any more. */
void outbox_host(struct outbox *o, const struct outbox_record *record);
/* For outbox*.c: one in memory has become dead (1), or is no longer (-1). */
void outbox__count_dead(struct outbox *o, const struct outbox_item *item, int by);
/* Is it in memory? */
static inline bool outbox_holds(const struct outbox *o, uint64_t number)
{
    return map_get(&o->by_number, number) != MAP_NONE;
}

void outbox_save(const struct outbox *o, struct writer *w);
bool outbox_load(struct outbox *o, struct reader *r) MUST_USE;
void outbox_check(const struct outbox *o);

#endif
