/*
 * ledger.h - the door of the ledger: accounts, transfers and holds in double entry.
 *
 * A transfer moves one amount from one account (debit) to another (credit). A hold is a two-phase
 * transfer: placed (the amount is pending on both sides), then posted in part or whole, voided or
 * expired, exactly once. Every transfer has an id chosen by the caller; an id takes effect at most
 * once: asking again with the same payload gives the first result, with another payload a refusal
 * (R3.8). Failures are remembered as well.
 *
 * Deciding and applying are apart: a plan answers whether a list of linked transfers may happen
 * (all or none) and changes nothing; events say what happened; ledger_apply cannot fail.
 *
 * Invariants (ledger_check)
 *  L1  the sums of debits and of credits over all accounts are equal, posted and pending (R3.5).
 *  L2  an account that may not go below zero has debits posted + pending <= credits posted
 *      (or the other way round for the other kind).
 *  L3  pending amounts of every account equal the sum of its open holds, posted amounts the sum of
 *      its posted transfers and of what left (entries that are kept elsewhere).
 *  L4  no total is ever negative, and posted and pending of the whole ledger together fit 63 bits;
 *      with them every sum and difference of any account fits.
 *  L5  each id is in the table at most once; an open hold has exactly one timer when it expires.
 */
#ifndef HAKIKA_LEDGER_LEDGER_H
#define HAKIKA_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/id_table.h"
#include "base/money.h"
#include "base/slab.h"
#include "base/timers.h"

enum {
    LEDGER_PLAN_MAX = 16,      /* transfers in one linked group */
    LEDGER_CURRENCY_KES = 404, /* ISO 4217 numeric */
    LEDGER_ACCOUNTS_MAX = 64 * 1024 * 1024,
    LEDGER_TRANSFERS_MAX = 512 * 1024 * 1024,
};

/* What an account may do. */
enum account_flag {
    ACCOUNT_DEBITS_LIMITED = 1,  /* debits never exceed credits: wallets, organisations */
    ACCOUNT_CREDITS_LIMITED = 2, /* credits never exceed debits: assets that must not go negative */
    ACCOUNT_CLOSED = 4,          /* nothing moves */
};

struct account {
    int64_t debits_pending;
    int64_t debits_posted;
    int64_t credits_pending;
    int64_t credits_posted;
    int64_t debits_left; /* of debits_posted: by entries that left */
    int64_t credits_left;
    uint64_t owner;    /* the domain's reference */
    uint16_t code;     /* the domain's kind of account */
    uint16_t flags;    /* enum account_flag */
    uint16_t currency; /* ISO 4217 numeric */
    uint16_t reserved;
};

enum transfer_kind {
    TRANSFER_POST = 1,      /* moves at once */
    TRANSFER_HOLD = 2,      /* places a hold */
    TRANSFER_POST_HOLD = 3, /* posts `amount_minor` of the hold `hold_id`, releases the rest */
    TRANSFER_VOID_HOLD = 4, /* releases the hold */
};

struct transfer {
    uint64_t id;          /* unique over all transfers, never 0 */
    uint64_t hold_id;     /* for POST_HOLD and VOID_HOLD; ignored for the others */
    uint64_t reference;   /* the domain's: which payment */
    int64_t amount_minor; /* > 0; ignored for VOID_HOLD */
    int64_t expires_ns;   /* for HOLD: when it ends by itself; 0: never; ignored for the others */
    uint32_t debit_account;
    uint32_t credit_account;
    uint16_t kind; /* enum transfer_kind */
    uint16_t code; /* the domain's reason */
};

/*
 * Results in order of precedence: the first that is true is the answer. (The last three are
 * the book's: ID_RESERVED before anything else, then GROUP_TOO_LARGE, and LINKED_FAILED after all.)
 * X(NAME, number in the journal, remembered?, "sentence")
 */
#define LEDGER_RESULTS(X)                                                            \
    X(OK, 0, 1, "moved")                                                             \
    X(ID_MISSING, 1, 0, "the transfer has no id")                                    \
    X(KIND_UNKNOWN, 2, 0, "the kind of transfer is unknown")                         \
    X(AMOUNT_NOT_POSITIVE, 3, 0, "the amount is not above zero")                     \
    X(ID_REUSED, 4, 0, "the id was used before with another payload")                \
    X(REPEATED, 5, 0, "the same transfer took effect before; nothing moved again")   \
    X(FAILED_BEFORE, 6, 0, "the same transfer was refused before")                   \
    X(HOLD_UNKNOWN, 7, 1, "there is no such hold")                                   \
    X(HOLD_NOT_OPEN, 8, 1, "the hold was posted, voided or has expired")             \
    X(HOLD_EXCEEDED, 9, 1, "the amount is larger than the hold")                     \
    X(ACCOUNTS_SAME, 10, 0, "debit and credit account are the same")                 \
    X(DEBIT_UNKNOWN, 11, 1, "the debit account does not exist")                      \
    X(CREDIT_UNKNOWN, 12, 1, "the credit account does not exist")                    \
    X(CURRENCY_DIFFERS, 13, 1, "the accounts have different currencies")             \
    X(DEBIT_CLOSED, 14, 1, "the debit account is closed")                            \
    X(CREDIT_CLOSED, 15, 1, "the credit account is closed")                          \
    X(EXCEEDS_CREDITS, 16, 1, "the debit account has not enough money")              \
    X(EXCEEDS_DEBITS, 17, 1, "the credit account would fall below zero")             \
    X(OVERFLOW, 18, 1, "a total would overflow")                                     \
    X(LINKED_FAILED, 19, 1, "another transfer of the group was refused")             \
    X(GROUP_TOO_LARGE, 20, 0, "more transfers are linked than are decided together") \
    X(ID_RESERVED, 21, 0, "ids from 2^60 on are given by the book itself")

enum ledger_result {
#define X(name, number, remembered, sentence) LEDGER_##name = number,
    LEDGER_RESULTS(X)
#undef X
};

const char *ledger_result_text(enum ledger_result result);
/* True for refusals that depend on state, which are remembered under the id. */
bool ledger_result_remembered(enum ledger_result result);

/* What became of a transfer. */
enum entry_state {
    ENTRY_POSTED = 1,
    ENTRY_REFUSED = 2,
    ENTRY_HOLD_OPEN = 3,
    ENTRY_HOLD_POSTED = 4,
    ENTRY_HOLD_VOIDED = 5,
    ENTRY_HOLD_EXPIRED = 6,
};

/* A transfer as the ledger keeps it. Most have nothing to do with holds, and there are many: what
 * only holds have is elsewhere. */
struct entry {
    uint64_t id; /* first, for the table of ids */
    uint64_t reference;
    int64_t amount_minor;
    uint32_t debit_account;
    uint32_t credit_account;
    uint32_t hold; /* of holds; SLAB_NONE: it neither expires nor ends a hold */
    uint16_t code;
    uint8_t kind : 4;  /* enum transfer_kind */
    uint8_t state : 4; /* enum entry_state */
    uint8_t result;    /* enum ledger_result, of a refused one */
};
_Static_assert(sizeof(struct entry) == 40, "memory is most of what a transfer costs");

/* What an entry has besides when it is a hold that expires, or ends one. */
struct entry_hold {
    int64_t expires_ns;
    uint64_t hold_id;
    uint32_t timer_position; /* of an open hold that expires */
};

/* An entry as a whole: in bytes, and while it is elsewhere. */
struct entry_record {
    struct transfer transfer;
    uint8_t state;
    uint8_t result;
};

struct ledger {
    struct slab accounts;   /* struct account */
    struct slab entries;    /* struct entry */
    struct slab holds;      /* struct entry_hold */
    struct id_table by_id;  /* transfer id -> entry */
    struct timers expiring; /* open holds that expire; id is the entry's index */
    int64_t posted_minor;   /* sum of everything ever posted, for L1 and for the metrics */
    int64_t pending_minor;  /* sum of the open holds */
    int64_t left_minor;     /* of posted_minor: by entries that left */
    uint64_t left;          /* entries that left */
};

/* Event kinds of the ledger in the journal; numbers are never reused. Version 1 of each. */
enum ledger_event_kind {
    EVENT_ACCOUNT_OPENED = 16,
    EVENT_ACCOUNT_FLAGS_SET = 17,
    EVENT_TRANSFER_POSTED = 18,
    EVENT_TRANSFER_REFUSED = 19,
    EVENT_HOLD_PLACED = 20,
    EVENT_HOLD_POSTED = 21,
    EVENT_HOLD_VOIDED = 22,
    EVENT_HOLD_EXPIRED = 23,
    LEDGER_EVENT_FIRST = 16,
    LEDGER_EVENT_LAST = 31,
};

/* What an account begins as. */
struct account_opening {
    uint64_t owner;
    uint16_t code;
    uint16_t flags;
    uint16_t currency;
};

/* One event, decoded. Fields that its kind does not use are zero. */
struct ledger_event {
    uint16_t kind;
    uint8_t result;                /* TRANSFER_REFUSED */
    uint32_t account;              /* ACCOUNT_*: index */
    struct transfer transfer;      /* transfers; HOLD_EXPIRED uses hold_id only */
    struct account_opening opened; /* ACCOUNT_OPENED; FLAGS_SET: flags */
};

void ledger_init(struct ledger *l, uint64_t hash_seed);
void ledger_fini(struct ledger *l);
/* Into other memory: `to` takes over what `from` held; from is of no use afterwards. */
void ledger_move(struct ledger *to, const struct ledger *from);
/* Room for that many more accounts and transfers, so that applying needs no memory. */
bool ledger_reserve(struct ledger *l, uint32_t accounts, uint32_t transfers) MUST_USE;

/* NULL when there is none. */
const struct account *ledger_account(const struct ledger *l, uint32_t index);
/* Index that the n-th next opened account will have (n from 0). */
uint32_t ledger_next_account(const struct ledger *l, uint32_t n);
const struct entry *ledger_entry(const struct ledger *l, uint64_t transfer_id);
/* Money that a DEBITS_LIMITED account can spend now: credits - debits - pending debits. */
int64_t account_available(const struct account *a);
/* Credits posted minus debits posted. */
int64_t account_balance(const struct account *a);

/* A group of linked transfers under examination; changes nothing in the ledger. */
struct ledger_plan {
    const struct ledger *ledger;
    int64_t now_ns; /* a hold whose time is over by then is not open; set it after init to use it */
    int64_t posted_minor; /* of the whole ledger, after the plan */
    int64_t pending_minor;
    bool failed;
    uint32_t count;
    uint32_t touched;
    struct transfer transfers[LEDGER_PLAN_MAX];
    uint32_t account_index[LEDGER_PLAN_MAX * 2];
    struct account account_after[LEDGER_PLAN_MAX * 2];
};

/* An empty plan; now_ns is before all time. */
void ledger_plan_init(struct ledger_plan *plan, const struct ledger *l);
/*
 * Adds a transfer after those already in the plan. LEDGER_OK: it may happen, and the plan holds it
 * with its accounts filled in. Anything else: the plan as a whole has failed; it takes no more and
 * gives no events (CHECKs). CHECKs that the plan has room.
 */
enum ledger_result ledger_plan_add(struct ledger_plan *plan, const struct transfer *t) MUST_USE;
/* The event that carries out transfer i of the plan. */
void ledger_plan_event(const struct ledger_plan *plan, uint32_t i, struct ledger_event *out);

void ledger_event_encode(struct writer *w, const struct ledger_event *e);
/* False when the bytes are not exactly one event of that kind. */
bool ledger_event_decode(uint16_t kind, struct reader *r, struct ledger_event *out) MUST_USE;

/* Carries out an event that a plan allowed. Total: every broken assumption is a CHECK. */
void ledger_apply(struct ledger *l, const struct ledger_event *e);

/* The open hold that expires first, NULL when none; *due_ns says when. */
const struct entry *ledger_next_expiry(const struct ledger *l, int64_t *due_ns);

/*
 * An entry that can never matter again to anybody who names its id leaves, and its amounts stay in
 * the accounts as a base; coming home undoes that. Not an open hold. (book/closing.h says when.)
 */
void ledger_leave(struct ledger *l, uint64_t transfer_id);
void ledger_come_home(struct ledger *l, const struct entry_record *e);
/* One entry as a whole, and in bytes. */
void ledger_entry_record(const struct ledger *l, const struct entry *e, struct entry_record *out);
void ledger_entry_encode(struct writer *w, const struct entry_record *e);
bool ledger_entry_decode(struct reader *r, struct entry_record *out) MUST_USE;

void ledger_save(const struct ledger *l, struct writer *w);
/* Into a ledger fresh from ledger_init. */
bool ledger_load(struct ledger *l, struct reader *r) MUST_USE;

/* Everything (slow), and one account (cheap: after each transfer, in production too). */
void ledger_check(const struct ledger *l);
void ledger_check_account(const struct account *a);

#endif
