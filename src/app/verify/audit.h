/*
 * audit.h - an independent auditor of the operator's journal: it follows money, payments,
 * references and deliveries from the events alone, with data structures, arithmetic and a calendar
 * of its own, and reports every event that the rules do not allow. It shares with the audited
 * program only the decoders of events; what the rules are is in docs/journal-format.md.
 *
 * Guarantees
 *  - any bytes are a possible input: a wrong one is a breach, never a crash.
 *  - memory grows with what is open and with who is there (accounts, people, open payments and
 *    holds, ids that clients chose, one bit a delivery), not with the length of the journal.
 * How uniqueness needs no memory: numbers count up without gaps, receipts rise, a checkout id can
 * only repeat within its second, a transfer of a payment belongs to the frame that ends it.
 * Tests: tests/unit/test_verify.c (a forged journal for each breach), tests/unit/test_golden.c.
 */
#ifndef HAKIKA_APP_VERIFY_AUDIT_H
#define HAKIKA_APP_VERIFY_AUDIT_H

#include "app/verify/audit_gateway.h"
#include "app/verify/findings.h"
#include "app/verify/table.h"
#include "app/verify/audit_worlds.h"
#include "base/hash.h"
#include "book/book.h"
#include "operator/events.h"

enum {
    AUDIT_LEGS_MAX = 8,  /* transfers of requests in one frame */
    AUDIT_ENDS_MAX = 32, /* payments that one frame may end, transfers and callbacks it may hold */
};

struct audit_account {
    int64_t debits_posted, credits_posted, debits_held, credits_held;
    uint64_t owner;
    uint16_t code, flags, currency;
};

struct audit_hold {
    int64_t amount_minor;
    int64_t expires_ns;
    uint32_t debit, credit;
};

struct audit_subscriber {
    uint64_t msisdn;
    uint64_t open_payment; /* 0: none */
    uint64_t open_request; /* whose prompt the phone has; 0: none */
    uint32_t account;
    uint8_t pin_failures;
    bool has_wallet;
};

struct audit_organisation {
    uint32_t short_code;
    uint32_t accounts[ORGANISATION_ACCOUNTS];
    uint64_t confirmation_target; /* of C2B URLs */
    bool has_urls, is_biller;
    uint64_t bill_target;
    bool keeps_incomes;
};

struct audit_payment {
    int64_t amount_minor;
    int64_t expires_ns;
    uint64_t target;
    uint32_t subscriber;
    uint32_t party_b;
    bool prompted;
    bool reached;
    bool answered;
    bool ruled;        /* a scenario rule ordered something for it */
    uint8_t callbacks; /* that its end must queue */
};

struct audit_request {
    int64_t amount_minor;
    int64_t due_ns; /* when what was asked on a phone is over */
    uint64_t target;
    uint64_t timeout_target;
    uint64_t party;
    uint64_t original;
    uint32_t short_code;
    uint32_t phone; /* subscriber + 1 who was prompted; 0: nobody */
    uint8_t kind;
    uint8_t seen;
    bool told; /* it has a result URL */
    bool asked;
    bool reached;
    bool held;
    bool late;            /* its time-out URL was told */
    uint32_t receipt_day; /* reserved; 0: none */
    uint64_t receipt;
    uint64_t order; /* standing order that it asks for or pays; 0: none */
    bool ruled,
        message_ruled; /* a rule ordered something for it, for what it sends before its end */
    uint8_t results, messages; /* that its end must queue, when it is told; and before its end */
};

struct audit_invoice {
    int64_t amount_minor, paid_minor;
    bool cancelled;
};

struct audit_standing {
    struct standing_terms terms;
    int64_t amount_minor;
    int64_t due_ns; /* 0: no more */
    uint64_t party;
    uint64_t request;
    uint32_t short_code, runs;
    uint8_t state; /* enum standing_state */
    bool no_more;  /* cancelled, and what was under way may not pay either (event 156) */
};

/* What happened in the frame under way that must fit together at its end. */
struct audit_frame {
    uint64_t position;
    int64_t time_ns;
    uint64_t texts;         /* payment whose texts were kept and that is not accepted yet */
    uint64_t last_leg;      /* id of the last transfer that carries this frame's position */
    uint64_t attempted;     /* delivery, until its answer was kept */
    uint64_t tried_slot;    /* subscriber + 1 whose wrong PIN was counted up */
    uint64_t request_texts; /* request whose texts were kept and that is not accepted yet */
    uint64_t request_asked; /* request that queues a question */
    uint64_t request_late, request_late_target; /* request whose time-out URL is told */
    uint32_t request_messages;                  /* of those, which are still to be queued */
    uint64_t request_ended; /* the one that ended here; what follows is about it */
    struct audit_request request;
    uint8_t request_outcome;
    bool request_paid, request_messages_ruled;
    uint32_t request_results;
    uint32_t confirmations_due; /* incomes of payments whose organisation has C2B URLs */
    uint64_t confirmation_target;
    uint32_t bills_due; /* payments whose biller must be told */
    uint64_t bill_target;
    uint64_t standing_opened; /* order that is opened, until its request ends */
    uint32_t leg_count, events;
    uint32_t end_count, transfer_count, callback_count;
    uint16_t cause;
    struct audit_end {
        uint64_t number;
        struct audit_payment payment;
        uint8_t outcome;
    } ends[AUDIT_ENDS_MAX];
    struct transfer transfers[AUDIT_ENDS_MAX]; /* those of payments */
    struct audit_callback {
        uint64_t subject;
        uint64_t target;
        uint16_t kind;
    } callbacks[AUDIT_ENDS_MAX];
    struct transfer legs[AUDIT_LEGS_MAX]; /* those of requests */
};

/* Of a payment, whether it is in memory. */
struct audit_gone {
    uint32_t delivery; /* its callback; 0: none yet */
    bool left;
};

struct audit_checkpoint {
    uint64_t position; /* whose digest it is */
    uint32_t state_version;
    struct digest_value digest;
    struct verify_place place; /* of the event */
};

struct audit {
    struct verify_report *report;
    struct audit_import *import; /* of a world that is on its way in; NULL: none is */
    bool imported; /* follows such a world: one generation, and no worlds of its own */
    bool merchant; /* it is the merchant's journal */
    struct audit_gateway gateway; /* that book has no saved worlds */
    struct audit_frame frame;
    uint64_t position; /* of the last frame */
    int64_t time_ns;
    struct array checkpoints; /* struct audit_checkpoint */
    uint64_t generation;
    uint8_t clock_mode;
    uint32_t world_count;
    struct audit_world worlds[AUDIT_WORLDS_MAX];
    /* Of the present generation, from here to the end: a saved world has a copy. A new array or
     * table joins the lists in audit_worlds.c. */
    struct array accounts; /* struct audit_account */
    struct table holds;    /* id -> struct audit_hold, open ones */
    struct table ids;      /* of transfers, as far as clients chose them */
    int64_t posted_minor;  /* sum over all transfers */
    int64_t held_minor;    /* sum of the open holds */
    bool has_network;
    uint32_t account_trust;
    struct array subscribers; /* struct audit_subscriber */
    struct table msisdns;
    struct array organisations; /* struct audit_organisation */
    struct table short_codes;   /* -> uint32_t slot */
    struct table held;          /* messages that a scenario rule holds back */
    uint64_t last_payment;
    struct table open;      /* number -> struct audit_payment */
    uint64_t ended[16];     /* per outcome */
    int64_t paid_minor;     /* sum of paid amounts */
    int64_t moved_minor;    /* sum of the transfers of payments */
    struct table checkouts; /* of checkout_second */
    int64_t checkout_second;
    uint32_t receipt_day;
    uint64_t receipt;
    uint64_t last_request;
    uint64_t last_income;
    struct table requests; /* number -> struct audit_request, open ones */
    struct table reversed; /* originals that were given back */
    struct array invoices; /* struct audit_invoice, each */
    struct array standing; /* struct audit_standing, an order each */
    struct table keys;
    uint64_t last_delivery;
    struct array waiting; /* uint64_t, a bit each */
    uint64_t waiting_count;
    struct array gone; /* struct audit_gone, a payment each */
    uint64_t left_payments;
    uint64_t left_keys;
};

void audit_init(struct audit *a, struct verify_report *report, bool merchant);
void audit_fini(struct audit *a);
/* A journal_read_fn: context is the audit. False only when memory has run out. */
bool audit_batch(void *context, const struct journal_read_batch *batch);
/* After the last batch: what must hold at the end, and the figures. */
void audit_finish(struct audit *a);

/* ---- shared by the auditor's files ---- */

void audit__frame(struct audit *a, struct frame_reader *f);

void audit__breach(struct audit *a, enum verify_proof proof, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void audit__checked(struct audit *a, enum verify_proof proof);

/* What must hold when a generation is over. */
void audit__generation_finish(struct audit *a);

void audit__ledger_init(struct audit *a);
void audit__ledger_fini(struct audit *a);
void audit__ledger_event(struct audit *a, uint16_t kind, struct reader *body);
void audit__ledger_finish(struct audit *a);
/* What an account is for; 0: there is no such account. */
uint16_t audit__account_code(const struct audit *a, uint32_t account);

void audit__people_init(struct audit *a);
void audit__people_fini(struct audit *a);
void audit__people_event(struct audit *a, const struct operator_event *e);

void audit__payments_init(struct audit *a);
void audit__payments_fini(struct audit *a);
void audit__payment_event(struct audit *a, const struct operator_event *e);
/* Scenario rules: what concerns no payment. */
void audit__rule_event(struct audit *a, const struct operator_event *e);
/* The end of a frame: endings, transfers and callbacks must fit together. */
void audit__payments_frame(struct audit *a);
void audit__payments_finish(struct audit *a);

/* The receipt of a success: after the one before it, on its day. */
void audit__receipt(struct audit *a, uint32_t day, uint64_t serial, const char *what,
                    uint64_t number);

/* What an organisation registers for C2B, and its incomes. */
void audit__customers_event(struct audit *a, const struct operator_event *e);
/* A success of a customer's payment; the organisation may hear of it. */
void audit__income(struct audit *a, uint32_t short_code, bool of_payment);
/* The confirmation of an STK payment to an organisation with C2B URLs. */
void audit__confirmation(struct audit *a, uint64_t subject, uint64_t target);

void audit__requests_init(struct audit *a);
void audit__requests_fini(struct audit *a);
void audit__request_event(struct audit *a, const struct operator_event *e);
void audit__request_transfer(struct audit *a, const struct transfer *t);
/* A message of the outbox about a request. */
void audit__request_message(struct audit *a, uint64_t subject, uint64_t target, uint16_t kind);
void audit__requests_frame(struct audit *a);
void audit__paystack_event(struct audit *a, const struct operator_event *e);
void audit__bill_init(struct audit *a);
void audit__bill_fini(struct audit *a);
void audit__bill_event(struct audit *a, const struct operator_event *e);
void audit__bill_notice(struct audit *a, uint64_t subject, uint64_t target);
void audit__standing_init(struct audit *a);
void audit__standing_fini(struct audit *a);
void audit__standing_event(struct audit *a, const struct operator_event *e);
void audit__standing_end(struct audit *a, uint64_t number, const struct audit_request *r,
                         uint8_t outcome);

void audit__outbox_init(struct audit *a);
void audit__outbox_fini(struct audit *a);
void audit__outbox_event(struct audit *a, uint16_t kind, struct reader *body);
bool audit__delivery_waits(const struct audit *a, uint64_t number);

void audit__left_init(struct audit *a);
void audit__left_fini(struct audit *a);
void audit__left_follow(struct audit *a, uint64_t payment, uint64_t delivery);
void audit__left_event(struct audit *a, uint16_t kind, struct reader *body);
void audit__recalled_event(struct audit *a, struct reader *body);

#endif
