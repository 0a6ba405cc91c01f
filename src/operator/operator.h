/*
 * operator.h - the door of the operator: the mobile-money network that a merchant's integration
 * talks to. Subscribers with PINs and phones, organisations with their accounts, and the STK
 * payment (the prompt on the phone) as a table state machine. Pure: time, randomness, hashes and
 * verifiers come in with the commands.
 *
 * The STK payment (R1.1), one way only:
 *
 *     push accepted          phase 1 passed             PIN right, everything checked again
 *   ---------------> PENDING --------------> PROCESSING ----------------------------> SUCCESS
 *                      |                        |  |
 *                      | phase 1 refused        |  +-- cancelled on the phone --> CANCELLED
 *                      +--> FAILED <------------+ wrong PIN, no money, no answer in time
 *
 * Invariants (operator_check; those marked * also after every frame, for what it touched)
 *  O1* a payment is in exactly one state of the table, and moved only along its arrows.
 *  O2* SUCCESS has a receipt and exactly one ledger transfer from the payer to the payee, of its
 *      amount; every other state has neither (R3.5, R3.8).
 *  O3* a payment that ended has exactly one callback in the outbox, or as many as a rule orders;
 *      an open one has none (R1.3).
 *  O4* a phone has at most one open payment, and both name each other (one prompt per phone: Q7).
 *  O5* PROCESSING has a timer: its deadline, or before that what a rule lets the phone do; nothing
 *      else has.
 *  O6  the pipeline queue holds exactly the payments that wait for the network: PENDING ones and
 *      PROCESSING ones whose answer is already there.
 *  O7  numbers, receipts and checkout ids are unique.
 *  O8  a wallet's money equals its ledger account; no other copy of a balance exists (R6.4).
 * A payment that is closed (ended, its callback delivered or dead) may leave memory: O2, O3 and O7
 * then hold for its record, and `left` counts it.
 */
#ifndef HAKIKA_OPERATOR_OPERATOR_H
#define HAKIKA_OPERATOR_OPERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/ids.h"
#include "base/map.h"
#include "base/slab.h"
#include "base/span.h"
#include "base/timers.h"
#include "book/book.h"
#include "operator/accounts.h"
#include "operator/commands.h"
#include "operator/payment.h"
#include "operator/paystack.h"
#include "operator/request.h"
#include "operator/rules.h"
#include "operator/standing.h"

/* Amounts in cents, times in nanoseconds. Settings are inputs, not state: changing them changes
 * what will be decided, never what was. */
struct operator_settings {
    int64_t prompt_ns;                    /* how long a prompt stays open: 60 s, then 1037 */
    int64_t unreachable_ns;               /* how soon a phone that is off is given up: 4 s */
    int64_t fingerprint_ns;               /* R1.4: 60 s; 0 turns the rule off */
    int64_t payment_max_minor;            /* 250,000.00 */
    int64_t day_max_minor;                /* 500,000.00 */
    int64_t wallet_max_minor;             /* 500,000.00: what a wallet may hold after a payout */
    uint8_t pin_failures_max;             /* wrong PINs until the PIN is locked: 3 */
    bool funds_checked_early;             /* R1.2: dev refuses in phase 1, others after the PIN */
    bool fingerprint_released_on_failure; /* R1.4: true */
    int64_t queue_timeout_ns; /* a request that waits longer tells its time-out URL: 30 s */
    uint32_t receipt_shard;   /* 0 to 1,295: positions 4 and 5 of a receipt */
};

/* As the comments above; `dev` decides funds_checked_early and the fingerprint rule. */
struct operator_settings operator_settings_default(bool dev);

enum { OPERATOR_TOUCHED_MAX = 16 };

/* Spaces of old names (book/closing.h). */
enum operator_space {
    OLD_SPACE_PAYMENT = 'p',  /* its number */
    OLD_SPACE_CHECKOUT = 'c', /* CheckoutRequestID */
    OLD_SPACE_RECEIPT = 'r',
};

struct operator_state {
    struct book *book;
    const struct operator_settings *settings;
    struct slab subscribers;
    struct slab organisations;
    struct slab payments;
    struct map by_msisdn;
    struct map by_short_code;
    struct map by_number;
    struct map by_checkout;
    struct map by_receipt;
    struct map by_fingerprint;
    struct rule_book *rules; /* owned */
    struct timers prompts;   /* id: prompt_timer_id */
    uint32_t queue_head;
    uint32_t queue_tail;
    uint32_t queued;
    uint32_t open;                    /* payments that have not ended */
    uint64_t last_payment;            /* number */
    uint32_t receipt_day;             /* of the latest receipt */
    uint64_t receipt_next;            /* serial that the next receipt of that day gets */
    uint64_t ended[STK_OUTCOMES_MAX]; /* per enum stk_outcome */
    struct slab requests;             /* struct operator_request */
    struct map requests_by_number;
    struct map requests_by_receipt;
    struct map by_conversation;
    struct timers request_deadlines; /* id is the request's slot */
    uint32_t requests_head;          /* the pipeline of requests */
    uint32_t requests_tail;
    uint32_t requests_queued;
    uint32_t requests_open;
    uint64_t last_request;  /* number */
    uint64_t requests_paid; /* those with a receipt */
    uint64_t requests_ended[REQUEST_OUTCOME_END];
    uint64_t left[16];    /* of those: no longer in memory */
    uint32_t closed_head; /* payments that have ended and are in memory: memory only */
    uint32_t closed_tail;
    uint32_t closed;
    struct stk_payment guest;        /* number 0: none; memory only */
    struct entry_record guest_entry; /* what paid it, when it is SUCCESS; memory only */
    struct slab incomes;             /* struct income */
    struct map incomes_by_number;
    struct map incomes_by_receipt;
    uint64_t last_income; /* number */
    struct slab standing_orders;
    struct map standing_names;  /* of the ACTIVE ones, with their customer */
    struct timers standing_due; /* id is the order's slot */
    uint64_t last_standing;     /* number */
    struct slab invoices;
    struct map invoice_references; /* of an organisation: external reference -> slot */
    struct map invoice_accounts;   /* of an organisation: account -> slot of its oldest open one */
    uint64_t last_invoice;         /* number */
    struct map paystack_keys;      /* digest of a business's key -> organisation */
    uint32_t account_trust;
    uint32_t account_fees;
    uint32_t touched[OPERATOR_TOUCHED_MAX]; /* payments of the last frame */
    uint32_t touched_count;
    uint32_t requests_touched[OPERATOR_TOUCHED_MAX];
    uint32_t requests_touched_count;
    uint64_t touched_position; /* the frame that touched them */
};

extern const struct book_domain operator_domain;

/* Reads. All of them answer from the state as it is, durable or not: the caller waits. A payment
 * that left is found while it is the guest (engine_reach makes it one). */
const struct operator_state *operator_of(const struct book *b);
const struct subscriber *operator_subscriber(const struct operator_state *o, uint64_t msisdn);
const struct subscriber *operator_subscriber_at(const struct operator_state *o, uint32_t slot);
const struct organisation *operator_organisation(const struct operator_state *o,
                                                 uint32_t short_code);
const struct stk_payment *operator_payment(const struct operator_state *o, uint64_t number);
const struct stk_payment *operator_payment_at(const struct operator_state *o, uint32_t slot);
/* By "ws_CO_..." or by receipt; NULL when there is none. */
const struct stk_payment *operator_payment_by_checkout(const struct operator_state *o,
                                                       struct span checkout_request_id);
const struct stk_payment *operator_payment_by_receipt(const struct operator_state *o,
                                                      struct span receipt);
/* Payments that have left memory. */
uint64_t operator_left(const struct operator_state *o);
/* The old name of a payment's number, and of a CheckoutRequestID or receipt (false: neither). */
struct old_name operator_payment_name(uint64_t number);
bool operator_id_name(struct span id, struct old_name *out);
struct span operator_text(const struct operator_state *o, uint32_t handle);
int64_t operator_balance(const struct operator_state *o, uint32_t account);
/* What the subscriber may still send today. */
int64_t operator_day_allowance(const struct operator_state *o, const struct subscriber *s,
                               int64_t now_ns);

/* The order that a rule gave for a payment; false: none did. */
bool payment_ruled(const struct operator_state *o, const struct stk_payment *p, struct ruled *out);
/* The Daraja result code of a payment that ended: the outcome's, or the one that a rule ordered. */
void payment_result_code(const struct operator_state *o, const struct stk_payment *p,
                         char out[RULE_CODE_MAX + 1]);
/* How many callbacks its end queued, from p->delivery on. */
uint32_t payment_callbacks(const struct operator_state *o, const struct stk_payment *p);

/* Ids as printed. */
void payment_checkout_id(const struct operator_state *o, const struct stk_payment *p,
                         char out[ID_TEXT_SIZE]);
void payment_merchant_request_id(const struct stk_payment *p, char out[ID_TEXT_SIZE]);
/* Empty unless SUCCESS. */
void payment_receipt(const struct stk_payment *p, char out[ID_RECEIPT_SIZE]);
/* The ledger transfer that pays payment `number`, leg 0 to 7. */
uint64_t payment_transfer_id(uint64_t number, uint32_t leg);
/* What it moved in the ledger, the guest's too; false: nothing. */
bool payment_transfer(const struct operator_state *o, const struct stk_payment *p,
                      struct transfer *out);

void operator_check(const struct operator_state *o);

#endif
