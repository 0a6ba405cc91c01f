/*
 * book.h - the door of the book: the shell of one deterministic state machine around a ledger, an
 * outbox and a domain (operator, merchant).
 *
 * One decision: a command comes in with the time and a random number; the domain's decide looks at
 * the state and writes events into a frame, or refuses and writes none; the frame is applied to the
 * state at once and goes to the journal as one record group. Replay applies the same bytes again.
 *
 *   command --decide--> events (frame) --apply--> state
 *                          |
 *                          +--> journal --replay: apply--> the same state
 *
 * Guarantees
 *  K1  decide changes nothing; apply cannot fail: room was reserved before, and what is applied is
 *      what was encoded (live and replay run the same code on the same bytes).
 *  K2  positions count frames without gaps; book time never goes backwards inside a generation.
 *  K3  state depends on the applied frames only: equal journals give equal digests (book_digest).
 *  K4  invariants of what a frame touched are checked before the frame is handed on; a violation
 *      stops the process, so that a bug never reaches the journal.
 *  K5  an idempotency key takes effect at most once (R3.8).
 * Nothing here reads a clock, draws a random number or does I/O.
 */
#ifndef HAKIKA_BOOK_BOOK_H
#define HAKIKA_BOOK_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/slab.h"
#include "base/texts.h"
#include "book/closing.h"
#include "book/frames.h"
#include "book/outbox.h"
#include "book/worlds.h"
#include "ledger/ledger.h"

enum {
    BOOK_STATE_VERSION = 20, /* of book_save; another one in a snapshot: replay instead */
    BOOK_FRAME_HEADER_BYTES = 32,
    BOOK_EVENT_HEADER_BYTES = 4,
    BOOK_FRAME_BYTES_MAX = 16 * 1024, /* what one decision may write (a transfer batch: its own) */
    BOOK_TRANSFERS_MAX = 8190,        /* transfers in one COMMAND_TRANSFERS */
    BOOK_RESERVE_ACCOUNTS = 64,       /* most that one decision creates */
    BOOK_RESERVE_TRANSFERS = 64,
    BOOK_RESERVE_ITEMS = 28, /* of the outbox; the merchant book needs most (merchant.c) */
    BOOK_RESERVE_TEXTS = 160,
};

/* Event kinds of the book itself. */
enum book_event_kind {
    EVENT_GENERATION_OPENED = 1, /* everything before is gone; the seed follows in the same frame */
    EVENT_CLOCK_SET = 2,
    EVENT_CHECKPOINT = 3, /* the digest that the state had at an earlier position */
    EVENT_KEY_KEPT = 4,   /* an idempotency key took effect */
    EVENT_WORLD_SAVED = 5,
    EVENT_WORLD_COPIED = 6,
    EVENT_WORLD_REMOVED = 7,
    EVENT_WORLD_RESTORED = 8,      /* a generation that begins as a saved world */
    EVENT_CLOSED_LEFT = 9,         /* what is closed left memory (closing.h) */
    EVENT_KEYS_LEFT = 10,          /* idempotency keys did */
    EVENT_RECALLED = 11,           /* one thing came home, with all of it */
    EVENT_WORLD_IMPORT_BEGUN = 12, /* a world of another journal follows (worlds.h) */
    EVENT_WORLD_IMPORT_FRAME = 13, /* one decision of it */
    EVENT_WORLD_IMPORTED = 14,     /* all of it is here: it is kept */
    BOOK_EVENT_KNOWN_LAST = 14,
    BOOK_EVENT_FIRST = 1,
    BOOK_EVENT_LAST = 15,
};

/* Commands of the book itself; a domain's start at COMMAND_DOMAIN_FIRST. They are the `cause` of a
 * frame, so numbers are never reused. */
enum book_command_kind {
    COMMAND_CLOCK = 1,               /* struct clock_command */
    COMMAND_CHECKPOINT = 2,          /* struct checkpoint_command */
    COMMAND_TRANSFERS = 3,           /* struct transfers_command */
    COMMAND_HOLD_EXPIRY = 4,         /* internal: the first hold that is due */
    COMMAND_DELIVERY_RESULT = 5,     /* struct delivery_result_command */
    COMMAND_DELIVERY_REVIVE = 6,     /* struct delivery_revive_command */
    COMMAND_OPEN_ACCOUNTS = 7,       /* struct open_accounts_command */
    COMMAND_WORLD_SAVE = 8,          /* struct world_command */
    COMMAND_WORLD_COPY = 9,          /* struct world_command */
    COMMAND_WORLD_REMOVE = 10,       /* struct world_command */
    COMMAND_WORLD_RESTORE = 11,      /* struct world_command */
    COMMAND_CLOSED_LEAVE = 12,       /* struct closed_leave_command */
    COMMAND_KEYS_LEAVE = 13,         /* struct keys_leave_command */
    COMMAND_DELIVERY_EDIT = 14,      /* struct delivery_edit_command, reply delivery_edit_reply */
    COMMAND_WORLD_IMPORT_BEGIN = 15, /* struct world_import_command, of these three */
    COMMAND_WORLD_IMPORT_FRAME = 16,
    COMMAND_WORLD_IMPORT_END = 17,
    COMMAND_RECALL = 18, /* struct recall_command */
    COMMAND_DOMAIN_FIRST = 64,
};

enum clock_mode {
    CLOCK_REAL = 0,
    CLOCK_VIRTUAL = 1,
};

struct clock_command {
    uint8_t mode;      /* enum clock_mode */
    int64_t offset_ns; /* of book time over real time, in CLOCK_REAL */
};

struct checkpoint_command {
    uint64_t position;
    struct digest_value digest;
};

/* Each transfer is decided alone, in order, against the state after those before it; transfers
 * whose linked[i] is true stand or fall with the one after. A group of more than LEDGER_PLAN_MAX is
 * refused as a whole; one that fails answers for each transfer what its own id or form decides
 * (reserved, repeated, reused, malformed), and LINKED_FAILED for the others. results has room for
 * count. Ids from BOOK_DOMAIN_IDS on are those that domains give: asking for one is refused.
 */
#define BOOK_DOMAIN_IDS ((uint64_t)1 << 60)
struct transfers_command {
    const struct transfer *transfers;
    const bool *linked; /* NULL: none */
    uint8_t *results;   /* enum ledger_result */
    uint32_t count;     /* at most BOOK_TRANSFERS_MAX */
};

struct open_accounts_command {
    uint32_t count; /* at most BOOK_RESERVE_ACCOUNTS */
    uint16_t code;
    uint16_t flags;
    uint16_t currency;
};

struct delivery_edit_reply {
    enum book_outcome outcome;
    uint64_t number; /* of the copy */
};

struct book_command {
    uint16_t kind;
    int64_t now_ns;   /* book time; never before the last frame's */
    uint64_t random;  /* fresh for each command */
    const void *body; /* the kind's struct, borrowed */
    void *reply;      /* the kind's reply struct, filled by decide; may be NULL for internal ones */
};

struct book;

/* A decision being made. */
struct decision {
    const struct book *book;
    const struct book_command *command;
    uint64_t position; /* that the frame will have */
    struct writer *out;
    size_t event_at; /* where the event under way starts; 0: none */
    uint32_t events;
    bool opens_generation;
};

/* Starts an event; the fields are put into the returned writer. */
struct writer *decision_begin(struct decision *d, uint16_t kind);
void decision_end(struct decision *d);
void decision_ledger(struct decision *d, const struct ledger_event *e);
void decision_outbox(struct decision *d, const struct outbox_event *e);

/* What a domain is. State is the domain's own struct; it reaches ledger, outbox and texts through
 * the book it was created with. */
struct book_domain {
    const char *name;
    uint16_t event_first;
    uint16_t event_last;
    /* NULL for a number in between that is not in use: a newer program wrote it. */
    const char *(*event_name)(uint16_t kind);
    void *(*create)(struct book *book);
    void (*destroy)(void *state);
    /* The book that it was created with lies elsewhere from now on. */
    void (*moved)(void *state, struct book *book);
    bool (*reserve)(void *state);
    void (*decide)(const void *state, struct decision *d);
    /* False: the bytes are not an event of this kind (replay of a damaged or foreign journal). */
    bool (*apply)(void *state, const struct frame_info *frame, uint16_t kind, struct reader *r);
    /* Is this attempt, which failed, the last one, whatever the schedule says? NULL: never. */
    bool (*sent_once)(const void *state, const struct outbox_item *item,
                      const struct delivery_result_command *c);
    /* Internal work that is due: fills the command and returns true. */
    bool (*work)(const void *state, int64_t now_ns, struct book_command *out);
    /* Earliest time at which work() may have something; INT64_MAX: never. */
    int64_t (*next_due)(const void *state);
    void (*save)(const void *state, struct writer *w);
    bool (*load)(void *state, struct reader *r);
    void (*check)(const void *state);   /* all invariants */
    void (*check_touched)(void *state); /* those of what the last frame touched */
    /* What leaves memory when it is closed; none: all of it stays. One entry a kind of thing. */
    const struct domain_closing *closings;
    uint32_t closing_count;
    /* The numbers, names and idempotency keys that a command (also COMMAND_DELIVERY_RESULT) is
     * about: what of them has left comes within reach before it is decided; asked again once
     * something has come home. NULL: no command names anything, and keys never leave. */
    void (*named)(const void *state, const struct book_command *command, struct old_names *out);
    /* An attempt at this item is being journaled; what depends on it joins the frame. `becomes` is
     * the enum outbox_state that the item has after it. Or NULL. */
    void (*attempted)(const void *state, struct decision *d, const struct outbox_item *item,
                      const struct delivery_result_command *c, uint8_t becomes);
    /* When this item is tried again; NULL (or no such function): as the book's schedule says. */
    const struct outbox_schedule *(*schedule)(const void *state, const struct outbox_item *item);
};

struct book {
    struct ledger ledger;
    struct outbox outbox;
    struct texts texts;
    struct slab keys; /* struct idempotency_entry */
    struct map by_key;
    const struct book_domain *domain;
    void *domain_state;
    struct book *fresh;              /* while a frame that opens a generation is decided, applied */
    struct outbox_schedule schedule; /* a setting; not state */
    const void *settings;            /* the domain's; not state */
    uint64_t hash_seed;
    uint64_t generation; /* counts resets, from 1 */
    uint64_t position;   /* of the last applied frame */
    int64_t time_ns;     /* of the last applied frame */
    uint64_t left_as_of; /* of the latest that left: up to there an index must reach */
    uint64_t keys_left;
    uint64_t recalled; /* since the start: memory only */
    struct book_guest guest;
    int64_t clock_offset_ns;
    uint8_t clock_mode;
    uint64_t checkpoint_position; /* of the last checkpoint event, 0: none */
    uint32_t checkpoint_version;  /* BOOK_STATE_VERSION of the program that took the digest */
    struct digest_value checkpoint_digest;
    uint64_t generation_position; /* of the frame that opened it, as far as seen; not state */
    struct book_world worlds[BOOK_WORLDS_MAX]; /* in the order in which they were saved */
    uint32_t world_count;
    struct book_prepared prepared; /* during a decision */
    struct book_import import;     /* under way; not state: any other frame ends it */
};

struct book_options {
    const struct book_domain *domain;
    uint64_t hash_seed;                     /* any number; never changes what the book decides */
    const struct outbox_schedule *schedule; /* NULL: outbox_schedule_default */
    const void *settings; /* the domain's; borrowed for the life of the book; not state */
};

struct book *book_create(const struct book_options *options); /* NULL: no memory */
void book_destroy(struct book *b);                            /* NULL is fine */

/* Decides and applies one command. The frame (if any) is appended to out, which must have room for
 * book_frame_bytes_max(command). Returns the position of the frame, 0 when nothing happened (a
 * refusal: the reply says why), or BOOK_NO_MEMORY: room could not be reserved, nothing happened,
 * and the reply means nothing. */
#define BOOK_NO_MEMORY UINT64_MAX
uint64_t book_execute(struct book *b, const struct book_command *command, struct writer *out);
size_t book_frame_bytes_max(const struct book_command *command);
/* The next internal command that is due at now_ns; false when there is none. */
bool book_work(const struct book *b, int64_t now_ns, struct book_command *out);
/* Earliest time at which book_work or the outbox may have something to do; INT64_MAX: never. */
int64_t book_next_due(const struct book *b);

/* What reading a frame gave. */
enum book_replay {
    BOOK_REPLAYED = 0,
    BOOK_FRAME_BAD,      /* malformed bytes */
    BOOK_FRAME_GAP,      /* not the next position, or time going backwards */
    BOOK_EVENT_UNKNOWN,  /* an event kind that this program does not know: written by a newer one */
    BOOK_REPLAY_MEMORY,  /* out of memory */
    BOOK_DIGEST_DIFFERS, /* a checkpoint's digest is not the state's (only when asked to compare) */
};

/* Applies one frame from r (which may hold more after it). */
enum book_replay book_replay_frame(struct book *b, struct reader *r);

void book_save(const struct book *b, struct writer *w);
/* Into a book fresh from book_create. False: not a state of this version. */
bool book_load(struct book *b, struct reader *r) MUST_USE;
/* Digest of what book_save writes: the identity of the state. */
struct digest_value book_digest(const struct book *b);
/* Digest of the contents alone, without generation, position, time and worlds: two books of which
 * one was restored from the other have the same. */
struct digest_value book_contents_digest(const struct book *b);
void book_check(const struct book *b); /* every invariant of every part: slow */

/* In memory, or the guest; NULL when the key is new. */
const struct idempotency_entry *book_key(const struct book *b, const uint8_t key[16]);
/* Emits the event that makes a key known. */
void decision_keep_key(struct decision *d, const uint8_t key[16], const uint8_t request[16],
                       uint64_t subject);
/* Emits the event that empties the book; seeding events may follow in the same decision. */
void decision_open_generation(struct decision *d);

#endif
