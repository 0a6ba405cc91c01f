/*
 * auditor.h - a second, naive operator that watches the real one: plain arrays that are searched
 * from end to end, its own arithmetic and calendar, written from the rules and not from the code.
 *
 * It knows what was asked and in which order decisions were taken (a decision has a position), so
 * it predicts every reply; it notes what was told to anyone outside, which nothing may ever
 * contradict; and after a crash it forgets exactly the decisions behind the recovered position and
 * compares everything that is left with the book, to the cent.
 *
 * Promises that it holds the product to
 *  A1  a reply is what the rules say, given the decisions before it.
 *  A2  nothing is told before what it rests on is on disk; what was told survives every crash.
 *  A3  what was never told is there whole or not at all; nothing takes effect twice (R3.8).
 *  A4  a payment that ended has one message, which tells its end; none is invented.
 *  A5  receipts are unique and carry the day of the payment; answers never contradict (R6.4).
 *  A6  money is conserved: what was issued lies in wallets and organisations (R3.5).
 *  A7  work that is due is done in its turn, and nothing else is.
 */
#ifndef HAKIKA_SIM_AUDITOR_H
#define HAKIKA_SIM_AUDITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "operator/operator.h"
#include "sim/bank.h"

enum {
    AUDITOR_PHONES_MAX = 64,
    AUDITOR_SHOPS_MAX = 24,
    AUDITOR_PAYMENTS_MAX = 4096,
    AUDITOR_KEYS_MAX = 1024,
    AUDITOR_SETTINGS_MAX = 4,
    AUDITOR_TOUCHED_MAX = 64,
};

/* Who is there when a book is new, and what everybody is called. */
struct cast_phone {
    uint64_t msisdn;
    uint32_t pin;
    int64_t balance_minor;
    bool approves;
};

struct cast_shop {
    uint32_t short_code;
    uint8_t type; /* enum organisation_type */
    int64_t utility_minor;
    int64_t working_minor;
    uint32_t site; /* where its callbacks go */
};

struct cast {
    struct cast_phone phones[AUDITOR_PHONES_MAX];
    struct cast_shop shops[AUDITOR_SHOPS_MAX];
    uint32_t phone_count; /* the rest has no wallet at first, and may get one */
    uint32_t shop_count;
    uint32_t phones_seeded;
    uint32_t shops_seeded;
    uint32_t site_count;
};

enum ask_kind {
    ASK_NOTHING = 0,
    ASK_SEED,
    ASK_PUSH,
    ASK_APPROVE,
    ASK_CANCEL,
    ASK_OPEN_PHONE, /* a wallet for a number of the cast */
    ASK_CHANGE,
    ASK_OPEN_SHOP,
    ASK_FUND,
    ASK_REPORT, /* what came of a delivery */
    ASK_REVIVE,
    ASK_CHECKPOINT,
    ASK_BANK_OPEN, /* a bare account */
    ASK_BANK,      /* transfers between bare accounts */
    ASK_LEAVE,     /* what is closed leaves memory; never asked from outside */
    ASK_INTERNAL,  /* work that the book did by itself; never asked from outside */
};

/* Payments that left in one frame. */
struct leave_order {
    uint32_t count;
    uint64_t numbers[CLOSING_NUMBERS_MAX];
};

/* One thing that somebody asks of the operator, in the auditor's words. */
struct ask {
    enum ask_kind kind;
    uint32_t phone;  /* of the cast */
    uint32_t shop;   /* of the cast; ask->shop == shop_count: one that nobody knows */
    uint32_t payee;  /* PUSH: the shop that is paid; the same rule */
    uint8_t product; /* PUSH: 1 paybill, 2 buy goods */
    uint32_t reference;
    int64_t amount_minor; /* PUSH, FUND; CHANGE: the adjustment */
    uint64_t number;      /* APPROVE, CANCEL: payment; REPORT, REVIVE: message */
    uint32_t pin;
    uint32_t fields; /* CHANGE: enum subscriber_change */
    bool reachable;
    uint8_t status;
    uint8_t account;     /* FUND */
    uint32_t key;        /* FUND: 0 is none */
    uint64_t generation; /* REPORT */
    uint16_t http;
    uint8_t error;
    uint32_t answer_size;
    int64_t retry_after_ms;
    uint16_t flags; /* BANK_OPEN */
    uint16_t currency;
    const struct bank_order *bank;   /* BANK; borrowed until it is applied */
    const struct leave_order *leave; /* LEAVE; the same */
};

/* What the auditor expects an ask to come to. */
struct verdict {
    bool applies; /* a frame is written */
    enum operator_refusal refusal;
    enum book_outcome outcome; /* REPORT, REVIVE */
    uint64_t number;
    uint64_t rests_on; /* position of what a refusal tells about */
    uint8_t results[BANK_ORDER_MAX];
};

struct audited_phone {
    uint32_t cast;
    uint64_t msisdn;
    enum subscriber_status status;
    bool reachable;
    bool approves;
    uint32_t pin;
    uint32_t wrong_pins;
    int64_t balance_minor;
    int64_t spent_minor;
    int64_t spent_day;
    uint64_t open; /* number of the payment that is open; 0: none */
    int64_t last_second;
    uint32_t last_serial;
};

struct audited_shop {
    uint32_t cast;
    int64_t balance_minor[2]; /* utility, working */
};

struct audited_payment {
    uint64_t number;
    uint32_t phone; /* index of the audited phone */
    uint32_t shop;  /* of the cast */
    uint32_t payee; /* of the cast */
    uint8_t product;
    int64_t amount_minor;
    uint32_t reference;
    int64_t accepted_ns;
    int64_t prompted_ns;
    int64_t expires_ns;
    int64_t ended_ns;
    uint32_t serial;
    enum stk_state state;
    enum stk_outcome outcome;
    enum stk_answer answer;
    uint32_t answer_pin;
    bool reached;
    int64_t receipt_day;
    uint64_t receipt_serial;
    uint64_t position; /* of its last step */
    bool left;         /* memory; the index of old ids has it */
};

struct audited_message {
    uint64_t payment;
    enum outbox_state state;
    uint32_t tries;
    uint32_t attempts;
    int64_t next_try_ns;
    uint64_t position; /* from which on it may leave */
    bool in_flight;    /* not remembered over a restart */
};

/* One decision that was applied: enough to take it again. */
struct audited_step {
    struct ask ask;
    int64_t now_ns;
    int64_t next_try_ns; /* REPORT: the jitter that the book chose */
    uint32_t settings;
};

/* What somebody outside was told about a payment; never forgotten, whatever crashes. */
struct told {
    uint64_t generation;
    uint64_t number;
    uint64_t position; /* what it rests on */
    int64_t amount_minor;
    bool says_state; /* false: only that it exists */
    enum stk_outcome outcome;
    uint32_t arrivals; /* of its callback at the receiver */
    char checkout_id[ID_TEXT_SIZE];
    char receipt[ID_RECEIPT_SIZE];
};

struct auditor {
    const struct cast *cast;
    const struct outbox_schedule *schedule;
    struct operator_settings settings[AUDITOR_SETTINGS_MAX];
    uint32_t settings_now;
    /* the state after `position` decisions */
    uint64_t position;
    uint64_t generation;
    uint64_t pushes; /* accepted, over all generations */
    struct audited_phone phones[AUDITOR_PHONES_MAX];
    uint32_t phone_count;
    struct audited_shop shops[AUDITOR_SHOPS_MAX];
    uint32_t shop_count;
    struct audited_payment payments[AUDITOR_PAYMENTS_MAX]; /* number - 1 */
    uint32_t payment_count;
    struct audited_message messages[AUDITOR_PAYMENTS_MAX]; /* number - 1 */
    uint32_t message_count;
    uint64_t pipeline[AUDITOR_PAYMENTS_MAX]; /* numbers, first come first */
    uint32_t pipeline_count;
    struct {
        uint32_t key;
        uint32_t request;
    } keys[AUDITOR_KEYS_MAX];
    uint32_t key_count;
    int64_t receipt_day;
    uint64_t receipt_next;
    int64_t issued_minor;   /* e-money in circulation */
    uint32_t account_count; /* in the ledger, of every kind */
    struct bank bank;
    /* what happened */
    struct audited_step *steps; /* steps[i] made position i + 1 */
    uint64_t steps_capacity;
    struct bank_order **orders; /* those of the steps */
    uint32_t order_count;
    struct leave_order **leaves; /* those of the steps */
    uint32_t leave_count;
    /* puts what a name stands for within reach of the book's look-ups */
    void (*reach)(void *context, struct book *book, const struct old_name *name);
    void *reach_context;
    uint64_t confirmed; /* position that the disk has for sure */
    uint64_t promised;  /* position that somebody was told about */
    struct told told[AUDITOR_PAYMENTS_MAX];
    uint32_t told_count;
    /* touched since the last comparison */
    uint64_t touched_payments[AUDITOR_TOUCHED_MAX];
    uint32_t touched_payment_count;
    uint64_t touched_messages[AUDITOR_TOUCHED_MAX];
    uint32_t touched_message_count;
};

void auditor_init(struct auditor *a, const struct cast *cast,
                  const struct outbox_schedule *schedule);
void auditor_free(struct auditor *a);

/* What the rules say about an ask now; changes nothing. */
struct verdict auditor_judge(const struct auditor *a, const struct ask *ask, int64_t now_ns);
/* The book decided it (a frame was written). */
void auditor_apply(struct auditor *a, const struct ask *ask, int64_t now_ns);
/* The book did one piece of work by itself (A7). */
void auditor_internal(struct auditor *a, int64_t now_ns);
bool auditor_due(struct auditor *a, int64_t now_ns);
/* The book chose when a message is tried again; checks that it may. */
void auditor_retry_at(struct auditor *a, uint64_t message, int64_t now_ns, int64_t next_try_ns,
                      int64_t retry_after_ms);
/* A message left for its receiver. */
void auditor_handed_out(struct auditor *a, uint64_t message, uint64_t payment, int64_t now_ns);

/* The process died and came back with the decisions up to a position (A2, A3). */
void auditor_recovered(struct auditor *a, uint64_t position);
/* The disk confirmed a position. */
void auditor_confirmed(struct auditor *a, uint64_t position);
/* Somebody was told something that rests on a position (A2). */
void auditor_told(struct auditor *a, uint64_t position);
/* Somebody was told the state of a payment as it is in the book now. */
void auditor_told_payment(struct auditor *a, const struct told *told);

/* Compares everything (A1 to A6), or what was touched since the last comparison. Everything but
 * the ids and receipts of payments, and what is found by them: those of one in ids_of, others at
 * every position. */
void auditor_compare(const struct auditor *a, struct book *b, uint32_t ids_of);
void auditor_compare_touched(struct auditor *a, struct book *b);
/* At the very end: nothing is open, nothing waits (liveness). */
bool auditor_quiet(const struct auditor *a);

/* The auditor's own idea of a payment's ids. */
void auditor_checkout_id(const struct auditor *a, const struct audited_payment *p,
                         char out[ID_TEXT_SIZE]);
void auditor_receipt(const struct audited_payment *p, char out[ID_RECEIPT_SIZE]);
int64_t auditor_day(int64_t now_ns);

const struct audited_payment *auditor_payment(const struct auditor *a, uint64_t number);
const struct audited_phone *auditor_phone(const struct auditor *a, uint32_t cast);

#endif
