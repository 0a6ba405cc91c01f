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
 *  O3* a payment that ended has exactly one callback in the outbox; an open one has none (R1.3).
 *  O4* a phone has at most one open payment, and both name each other (one prompt per phone).
 *  O5* PROCESSING has a deadline timer; nothing else has.
 *  O6  the pipeline queue holds exactly the payments that wait for the network: PENDING ones and
 *      PROCESSING ones whose answer is already there.
 *  O7  numbers, receipts and checkout ids are unique.
 *  O8  a wallet's money equals its ledger account; no other copy of a balance exists (R6.4).
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

enum {
    OPERATOR_SUBSCRIBERS_MAX = 64 * 1024 * 1024,
    OPERATOR_ORGANISATIONS_MAX = 1024 * 1024,
    OPERATOR_PAYMENTS_MAX = 256 * 1024 * 1024,
    OPERATOR_SEED_MAX = 8,   /* organisations and subscribers of a seed */
    OPERATOR_NAME_MAX = 100, /* bytes */
    OPERATOR_URL_MAX = 1024,
    OPERATOR_REFERENCE_MAX = 100,
    OPERATOR_SECRET_MAX = 256, /* a sealed secret */
    PIN_VERIFIER_BYTES = 16,
};

/* Amounts in cents, times in nanoseconds. Settings are inputs, not state: changing them changes
 * what will be decided, never what was. */
struct operator_settings {
    int64_t prompt_ns;                    /* how long a prompt stays open: 60 s, then 1037 */
    int64_t unreachable_ns;               /* how soon a phone that is off is given up: 4 s */
    int64_t fingerprint_ns;               /* R1.4: 60 s; 0 turns the rule off */
    int64_t payment_max_minor;            /* 250,000.00 */
    int64_t day_max_minor;                /* 500,000.00 */
    uint8_t pin_failures_max;             /* wrong PINs until the PIN is locked: 3 */
    bool funds_checked_early;             /* R1.2: dev refuses in phase 1, others after the PIN */
    bool fingerprint_released_on_failure; /* R1.4: true */
    uint32_t receipt_shard;               /* 0 to 1,295: positions 4 and 5 of a receipt */
};

/* As the comments above; `dev` decides funds_checked_early and the fingerprint rule. */
struct operator_settings operator_settings_default(bool dev);

enum subscriber_status {
    SUBSCRIBER_UNREGISTERED = 0, /* a number that was asked for, without a wallet */
    SUBSCRIBER_ACTIVE = 1,
    SUBSCRIBER_SUSPENDED = 2,
};

struct subscriber {
    uint64_t msisdn;
    int64_t sim_swapped_ns;  /* 0: never */
    int64_t day_spent_minor; /* outgoing amounts of that Kenyan day */
    int64_t checkout_second; /* of the latest checkout id */
    uint32_t checkout_serial;
    uint32_t day;
    uint32_t account;                     /* ledger account; only when registered */
    uint32_t name;                        /* text */
    uint32_t open_payment;                /* slot; SLAB_NONE: none */
    uint16_t payments;                    /* ended ones, saturating: for people */
    uint8_t verifier[PIN_VERIFIER_BYTES]; /* keyed HMAC over account, key version and PIN */
    uint8_t key_version;
    uint8_t pin_failures;
    uint8_t status; /* enum subscriber_status */
    bool reachable;
    bool approves; /* the sandbox's test number approves by itself */
};

enum organisation_type {
    ORGANISATION_PAYBILL = 1,
    ORGANISATION_TILL = 2,
    ORGANISATION_BULK = 3,
};

enum organisation_account {
    ACCOUNT_UTILITY = 0, /* till: Merchant Account */
    ACCOUNT_WORKING = 1,
    ACCOUNT_CHARGES_PAID = 2,
    ACCOUNT_SETTLEMENT = 3,
    ORGANISATION_ACCOUNTS = 4,
};

/* Who pays the fee of a customer's payment (facts for later work; no fee yet). */
enum organisation_charges {
    CHARGES_CUSTOMER = 1,
    CHARGES_SHARED = 2,
    CHARGES_BUSINESS = 3,
};

enum organisation_secret {
    SECRET_PASSKEY = 0,
    SECRET_CONSUMER_KEY = 1,
    SECRET_CONSUMER_SECRET = 2,
    SECRET_INITIATOR_PASSWORD = 3,
    ORGANISATION_SECRETS = 4,
};

struct organisation {
    uint32_t short_code;
    uint32_t name;                          /* text */
    uint32_t initiator;                     /* text */
    uint32_t secrets[ORGANISATION_SECRETS]; /* texts, sealed with a key outside the journal */
    uint32_t accounts[ORGANISATION_ACCOUNTS];
    uint8_t type;    /* enum organisation_type */
    uint8_t charges; /* enum organisation_charges */
    bool active;
};

/*
 * Why a payment ended. X(NAME, number in the journal, final state, Daraja result code, words)
 * The words explain to a developer which check decided; Daraja's own wording is in wire/.
 */
#define STK_OUTCOMES(X)                                                                         \
    X(PAID, 1, SUCCESS, "0", "the PIN was right and the money moved")                           \
    X(NO_MONEY, 2, FAILED, "1", "the payer has not enough money")                               \
    X(CANCELLED, 3, CANCELLED, "1032", "the person pressed cancel on the phone")                \
    X(NO_ANSWER, 4, FAILED, "1037", "nobody answered the prompt in time")                       \
    X(UNREACHABLE, 5, FAILED, "1037", "the phone is off or has no network")                     \
    X(WRONG_PIN, 6, FAILED, "2001", "the PIN was wrong")                                        \
    X(PIN_LOCKED, 7, FAILED, "8006", "the PIN is locked after too many wrong ones")             \
    X(DAY_LIMIT, 8, FAILED, "4", "the payer's limit for today would be exceeded")               \
    X(PAYER_UNKNOWN, 9, FAILED, "SFC_IC0003", "the phone number has no wallet")                 \
    X(PAYER_SUSPENDED, 10, FAILED, "2006", "the payer's wallet is suspended")                   \
    X(PAYEE_UNKNOWN, 11, FAILED, "SFC_IC0003", "PartyB is not an organisation of this network") \
    X(PAYEE_INACTIVE, 12, FAILED, "17", "the organisation cannot receive money now")            \
    X(PRODUCT, 13, FAILED, "2028", "this TransactionType does not fit this PartyB")             \
    X(INTERNAL, 14, FAILED, "17", "the ledger refused the transfer")

enum stk_outcome {
    STK_OPEN = 0,
#define X(name, number, state, code, words) STK_##name = number,
    STK_OUTCOMES(X)
#undef X
};

enum stk_state {
    STK_PENDING = 1,
    STK_PROCESSING = 2,
    STK_SUCCESS = 3,
    STK_FAILED = 4,
    STK_STATE_CANCELLED = 5,
};

/* "PENDING", ... as R1.1 names them. */
const char *stk_state_name(enum stk_state state);
bool stk_state_final(enum stk_state state);
/* May a payment go from one to the other? The table of O1. */
bool stk_state_may_move(enum stk_state from, enum stk_state to);
const char *stk_outcome_code(enum stk_outcome outcome);
const char *stk_outcome_words(enum stk_outcome outcome);
/* SUCCESS, FAILED or CANCELLED. */
enum stk_state stk_outcome_state(enum stk_outcome outcome);

/* What the phone answered before its turn came. */
enum stk_answer {
    ANSWER_NONE = 0,
    ANSWER_APPROVE = 1, /* with a verifier */
    ANSWER_CANCEL = 2,
    ANSWER_AUTOMATIC = 3, /* the sandbox's test number */
};

enum stk_step {
    STEP_ACCEPTED = 0,
    STEP_PROMPTED = 1,
    STEP_ANSWERED = 2,
    STEP_ENDED = 3,
    STK_STEPS = 4,
};

struct stk_payment {
    uint64_t number;   /* counts payments from 1 */
    uint64_t target;   /* hash of the callback's scheme, host and port */
    uint64_t receipt;  /* serial of the day; with receipt_day the receipt number */
    uint64_t delivery; /* outbox number of the callback, 0 while open */
    int64_t amount_minor;
    int64_t expires_ns;         /* of the prompt */
    int64_t step_ns[STK_STEPS]; /* 0: not yet */
    uint64_t step_position[STK_STEPS];
    uint8_t fingerprint[16];
    uint8_t verifier[PIN_VERIFIER_BYTES]; /* of a parked approval */
    uint32_t subscriber;                  /* slot */
    uint32_t short_code;                  /* BusinessShortCode: who asked */
    uint32_t party_b;                     /* who is paid */
    uint32_t url;                         /* texts */
    uint32_t reference;
    uint32_t description;
    uint32_t checkout_serial;
    uint32_t receipt_day;
    uint32_t timer;  /* position in the heap; memory only */
    uint32_t next;   /* in the pipeline; memory only (the queue itself is saved) */
    uint8_t state;   /* enum stk_state */
    uint8_t outcome; /* enum stk_outcome */
    uint8_t answer;  /* enum stk_answer */
    uint8_t type;    /* 1 paybill, 2 buy goods */
    bool reached;    /* the prompt is on the phone */
    bool queued;     /* in the pipeline */
};

enum { OPERATOR_TOUCHED_MAX = 16 };

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
    struct timers prompts; /* id is the payment's slot */
    uint32_t queue_head;
    uint32_t queue_tail;
    uint32_t queued;
    uint32_t open;         /* payments that have not ended */
    uint64_t last_payment; /* number */
    uint32_t receipt_day;  /* of the latest receipt */
    uint64_t receipt_next; /* serial that the next receipt of that day gets */
    uint64_t ended[16];    /* per enum stk_outcome */
    uint32_t account_trust;
    uint32_t account_fees;
    uint32_t touched[OPERATOR_TOUCHED_MAX]; /* payments of the last frame */
    uint32_t touched_count;
};

/* Kinds of commands (frame causes): numbers are never reused. */
enum operator_command_kind {
    COMMAND_SEED = 64,
    COMMAND_SUBSCRIBER_OPEN = 65,
    COMMAND_SUBSCRIBER_CHANGE = 66,
    COMMAND_ORGANISATION_OPEN = 67,
    COMMAND_ORGANISATION_FUND = 68,
    COMMAND_STK_PUSH = 69,
    COMMAND_STK_APPROVE = 70,
    COMMAND_STK_CANCEL = 71,
    COMMAND_STK_ADVANCE = 72, /* internal: the head of the pipeline */
    COMMAND_STK_EXPIRE = 73,  /* internal: the first prompt whose time is over */
};

struct subscriber_command {
    uint64_t msisdn;
    struct span name;
    uint8_t verifier[PIN_VERIFIER_BYTES];
    uint8_t key_version;
    int64_t balance_minor; /* e-money issued to it, 0 or more */
    bool approves;
};

struct organisation_command {
    uint32_t short_code;
    struct span name;
    uint8_t type;
    uint8_t charges;
    struct span initiator;
    struct span secrets[ORGANISATION_SECRETS]; /* sealed */
    int64_t utility_minor;
    int64_t working_minor;
};

/* Opens a new generation: empties the book and fills it with this. */
struct seed_command {
    uint32_t organisation_count;
    uint32_t subscriber_count;
    struct organisation_command organisations[OPERATOR_SEED_MAX];
    struct subscriber_command subscribers[OPERATOR_SEED_MAX];
};

/* Which fields of a subscriber_change_command count. */
enum subscriber_change {
    CHANGE_REACHABLE = 1,
    CHANGE_STATUS = 2,
    CHANGE_PIN = 4, /* also unlocks */
    CHANGE_SIM_SWAPPED = 8,
    CHANGE_BALANCE = 16,
};

struct subscriber_change_command {
    uint64_t msisdn;
    uint32_t fields; /* enum subscriber_change, or-ed */
    bool reachable;
    uint8_t status;
    uint8_t verifier[PIN_VERIFIER_BYTES];
    uint8_t key_version;
    int64_t sim_swapped_ns;
    int64_t adjust_minor; /* added to or taken from the wallet, against the trust account */
};

struct fund_command {
    uint32_t short_code;
    uint8_t account; /* enum organisation_account: utility or working */
    int64_t amount_minor;
    bool has_key;
    uint8_t key[16]; /* idempotency key and request digests */
    uint8_t request[16];
};

struct stk_push_command {
    uint32_t short_code;
    uint32_t party_b;
    uint8_t type; /* 1 paybill, 2 buy goods */
    int64_t amount_minor;
    uint64_t msisdn;
    struct span url;
    struct span reference;
    struct span description;
    uint64_t target;
    uint8_t fingerprint[16]; /* SHA-256 over phone, short code, amount, reference (R1.4), cut */
};

struct stk_answer_command {
    uint64_t number;                      /* of the payment */
    uint8_t verifier[PIN_VERIFIER_BYTES]; /* COMMAND_STK_APPROVE */
};

/* The reply of every operator command. */
enum operator_refusal {
    OPERATOR_DONE = 0,
    OPERATOR_MERCHANT_UNKNOWN,  /* BusinessShortCode */
    OPERATOR_DUPLICATE,         /* R1.4 */
    OPERATOR_SUBSCRIBER_LOCKED, /* a prompt is open on that phone */
    OPERATOR_NOT_FOUND,
    OPERATOR_EXISTS,
    OPERATOR_ALREADY_ANSWERED, /* the prompt has an answer that waits for its turn */
    OPERATOR_ALREADY_ENDED,
    OPERATOR_NO_MONEY,   /* an adjustment below zero */
    OPERATOR_LIMIT,      /* an amount out of range */
    OPERATOR_KEY_REUSED, /* an idempotency key with another request */
    OPERATOR_REPEATED,   /* an idempotency key with the same request: nothing happened */
};

struct operator_reply {
    enum operator_refusal refusal;
    uint32_t slot;   /* of the subscriber, organisation or payment */
    uint64_t number; /* of the payment (also of the other one, for DUPLICATE) */
};

extern const struct book_domain operator_domain;

/* Reads. All of them answer from the state as it is, durable or not: the caller waits. */
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
struct span operator_text(const struct operator_state *o, uint32_t handle);
int64_t operator_balance(const struct operator_state *o, uint32_t account);
/* What the subscriber may still send today. */
int64_t operator_day_allowance(const struct operator_state *o, const struct subscriber *s,
                               int64_t now_ns);

/* Ids as printed. */
void payment_checkout_id(const struct operator_state *o, const struct stk_payment *p,
                         char out[ID_TEXT_SIZE]);
void payment_merchant_request_id(const struct stk_payment *p, char out[ID_TEXT_SIZE]);
/* Empty unless SUCCESS. */
void payment_receipt(const struct stk_payment *p, char out[ID_RECEIPT_SIZE]);
/* The ledger transfer that pays payment `number`, leg 0 to 7. */
uint64_t payment_transfer_id(uint64_t number, uint32_t leg);

void operator_check(const struct operator_state *o);

#endif
