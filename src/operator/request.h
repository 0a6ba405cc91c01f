/*
 * request.h - everything an organisation asks of the network that is not an STK push: payments that
 * customers make by themselves (C2B), payouts (B2C), payments between organisations (B2B), checks
 * (status, balance), reversals, standing orders. One record and one life for all of them; what
 * each kind checks and moves is in a file of its own (b2c.c, ...).
 *
 *     accepted          its turn in the pipeline
 *   ------------> PENDING ------------------------> SUCCESS | FAILED
 *                    |                                  |
 *                    +-- a validation URL or a phone ---+--> PROCESSING
 *                        is asked                             | its answer, or its deadline
 *                                                             +--> SUCCESS | FAILED | CANCELLED
 *
 * Invariants (operator_check; those marked * also after every frame, for what it touched)
 *  Q1* a request is in exactly one state of the table, and moved only along its arrows.
 *  Q2* only a SUCCESS that moves money has a receipt, and its ledger transfers (3.5, 3.8); nothing
 *      else has either.
 *  Q3* a request that ended and has a result URL has exactly one result in the outbox, or as many
 *      as a rule orders; an open one has none.
 *  Q4* PROCESSING has a deadline timer, and so has a PENDING one that is held back (by the
 *      organisation's queue_delay or a rule, or until a standing order is tried again); nothing
 *      else has. While a phone is asked, a rule may set it to the moment when it answers.
 *  Q5  the pipeline of requests holds exactly the PENDING ones that are not held back.
 *  Q6  numbers, receipts and, per organisation, originator conversation ids are unique.
 *  Q7* a phone has at most one prompt, of a payment (O4) or of a request that is PROCESSING, and
 *      both name each other.
 *  Q8* a transaction is reversed at most once, by a reversal that succeeded, and both name each
 *      other.
 */
#ifndef HAKIKA_OPERATOR_REQUEST_H
#define HAKIKA_OPERATOR_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/rule.h"
#include "base/span.h"
#include "operator/accounts.h"
#include "operator/limits.h"
#include "operator/payment.h"

/* X(NAME, number in the journal, "name for people and the API") */
#define REQUEST_KINDS(X)                              \
    X(C2B, 1, "c2b")                                  \
    X(B2C, 2, "b2c")                                  \
    X(POCHI, 3, "b2pochi")                            \
    X(B2B, 4, "b2b")                                  \
    X(TAX, 5, "tax_remittance")                       \
    X(EXPRESS, 6, "b2b_express_checkout")             \
    X(STATUS, 7, "transaction_status")                \
    X(BALANCE, 8, "account_balance")                  \
    X(REVERSAL, 9, "reversal")                        \
    X(STANDING_ORDER, 10, "standing_order")           \
    X(SETTLEMENT, 11, "revenue_settlement")           \
    X(STANDING_PAYMENT, 12, "standing_order_payment") \
    X(PAYSTACK, 13, "paystack_charge")                \
    X(PAYSTACK_REFUND, 14, "paystack_refund")

enum request_kind {
#define X(name, number, text) REQUEST_##name = number,
    REQUEST_KINDS(X)
#undef X
        REQUEST_KIND_END = 15,
};

/*
 * Why a request ended. X(NAME, number in the journal, final state, Daraja result code, words)
 */
#define REQUEST_OUTCOMES(X)                                                                     \
    X(DONE, 1, SUCCESS, "0", "done")                                                            \
    X(NO_MONEY, 2, FAILED, "1", "the account that pays has not enough money")                   \
    X(BELOW_MINIMUM, 3, FAILED, "2", "the amount is below the smallest allowed")                \
    X(ABOVE_MAXIMUM, 4, FAILED, "3", "the amount is above the largest allowed")                 \
    X(DAY_LIMIT, 5, FAILED, "4", "the payer's limit for today would be exceeded")               \
    X(MAX_BALANCE, 6, FAILED, "8", "the receiver would hold more than a wallet may")            \
    X(ORGANISATION_INACTIVE, 7, FAILED, "11", "the organisation that pays is not active")       \
    X(INTERNAL, 8, FAILED, "17", "the ledger refused the transfer")                             \
    X(INITIATOR, 9, FAILED, "2001", "the initiator's name or password is wrong")                \
    X(ACCOUNT_STATUS, 10, FAILED, "2006", "the account is suspended")                           \
    X(PRODUCT, 11, FAILED, "2028", "this organisation does not have this product")              \
    X(UNREGISTERED, 12, FAILED, "2040", "the receiver has no wallet")                           \
    X(PARTY_UNKNOWN, 13, FAILED, "SFC_IC0003", "a party of the request is not on this network") \
    X(ALREADY_REVERSED, 14, FAILED, "R000001", "the transaction was reversed before")           \
    X(ORIGINAL_INVALID, 15, FAILED, "R000002", "there is no such transaction to reverse")       \
    X(REJECTED, 16, FAILED, "C2B00016", "the organisation's validation URL said no")            \
    X(CANCELLED, 17, CANCELLED, "4001", "the person pressed cancel on the phone")               \
    X(NO_ANSWER, 18, FAILED, "1037", "nobody answered the prompt in time")                      \
    X(WRONG_PIN, 19, FAILED, "2001", "the PIN was wrong")                                       \
    X(PIN_LOCKED, 20, FAILED, "8006", "the PIN is locked after too many wrong ones")            \
    X(NOT_ALLOWED, 21, FAILED, "21", "this initiator may not ask for this")                     \
    X(UNREACHABLE, 22, FAILED, "1037", "the phone is off or has no network")                    \
    X(PARAMETERS, 23, FAILED, "25", "the amount or a party does not fit what is asked for")     \
    X(NO_NOMINATED, 24, FAILED, "4104", "the till has no nominated number to prompt")           \
    X(USSD_NETWORK, 25, FAILED, "4201", "the nominated phone is off or has no network")         \
    X(USSD_SESSION, 26, FAILED, "4203", "the session on the phone ended without an answer")     \
    X(BAD_MSISDN, 27, FAILED, "C2B00011", "the organisation said no: invalid MSISDN")           \
    X(BAD_ACCOUNT, 28, FAILED, "C2B00012", "the organisation said no: invalid account number")  \
    X(BAD_AMOUNT, 29, FAILED, "C2B00013", "the organisation said no: invalid amount")           \
    X(BAD_KYC, 30, FAILED, "C2B00014", "the organisation said no: invalid KYC details")         \
    X(BAD_SHORT_CODE, 31, FAILED, "C2B00015", "the organisation said no: invalid short code")   \
    X(NOT_VALIDATED, 32, FAILED, "C2B00016",                                                    \
      "the validation URL gave no answer in time, and ResponseType is Cancelled")               \
    X(USER_CANCELLED, 33, CANCELLED, "1032", "the customer said no on the phone")               \
    X(PHONE_BUSY, 34, FAILED, "1001", "the phone has another prompt open: one at a time")       \
    X(NAME_TAKEN, 35, FAILED, "15", "the customer has an active standing order of this name")   \
    X(RULED, 36, FAILED, "17", "a scenario rule ordered this end")

enum request_outcome {
    REQUEST_OPEN = 0,
#define X(name, number, state, code, words) REQUEST_##name = number,
    REQUEST_OUTCOMES(X)
#undef X
        REQUEST_OUTCOME_END = 37,
};

/* Which kind of number a party is given as (Daraja's IdentifierType, RecieverIdentifierType). */
enum party_type {
    PARTY_NONE = 0,
    PARTY_MSISDN = 1,
    PARTY_TILL = 2,
    PARTY_SHORT_CODE = 4,
};

/* The CommandIDs of B2B payments; numbers stand in the journal. */
enum b2b_command {
    B2B_PAY_BILL = 1,
    B2B_BUY_GOODS = 2,
    B2B_PAY_TO_BULK = 3,
    B2B_MMF_TO_UTILITY = 4,
    B2B_TRANSFER = 5,
    B2B_DISBURSE = 6,
    B2B_COMMAND_END = 7,
};

/* How a STATUS or REVERSAL names its original; the id itself is the request's reference. */
enum original_naming {
    ORIGINAL_BY_RECEIPT = 1,
    ORIGINAL_BY_CONVERSATION = 2, /* originator conversation id, or an STK push's own ids */
};

enum {
    TAX_AUTHORITY = 572572, /* the short code that tax is remitted to */
};

enum request_step {
    REQUEST_ACCEPTED = 0,
    REQUEST_ASKED = 1, /* somebody outside was asked: PROCESSING */
    REQUEST_ENDED = 2,
    REQUEST_STEPS = 3,
};

struct operator_request {
    uint64_t number;         /* counts requests from 1 */
    uint64_t party;          /* the other side: MSISDN or short code; 0: none */
    uint64_t original;       /* what it is about: request_original_*; 0: nothing */
    uint64_t target;         /* of the result URL */
    uint64_t timeout_target; /* of the time-out URL */
    uint64_t receipt;        /* serial of the day; with receipt_day the receipt number */
    uint64_t delivery;       /* outbox number of the (first) result; 0: none (yet) */
    uint64_t question;       /* outbox number of what PROCESSING waits for; 0: none */
    uint64_t late;           /* outbox number of what the time-out URL was told; 0: nothing */
    uint64_t reversal;       /* number of the request that reversed it; 0: none */
    int64_t amount_minor;
    int64_t charge_minor; /* what the operator took for it */
    int64_t due_ns;       /* PROCESSING: when it ends by itself; held back: when that is over */
    int64_t turn_ns;      /* not before this time is its turn; 0: at once */
    int64_t step_ns[REQUEST_STEPS];
    uint64_t step_position[REQUEST_STEPS];
    int64_t after_minor[4]; /* the organisation's accounts right after it ended, as numbered */
    uint32_t short_code;    /* the organisation that asks; for C2B the one that is paid */
    uint32_t conversation;  /* texts; an originator conversation id of the caller's own, or empty */
    uint32_t result_url;
    uint32_t timeout_url;
    uint32_t reference;
    uint32_t remarks;
    uint32_t occasion;
    uint32_t ruled;         /* what a scenario rule ordered (rules.h); TEXT_NONE: nothing */
    uint32_t message_ruled; /* for its time-out notice or question; TEXT_NONE: nothing */
    uint32_t answer;        /* what was answered to its question: ThirdPartyTransID, ... */
    uint32_t phone;         /* slot of the subscriber who is or was prompted; SLAB_NONE: nobody */
    uint32_t order;         /* slot of the standing order it asks for or pays; SLAB_NONE: none */
    uint32_t receipt_day;
    uint32_t timer;      /* position in the heap; memory only */
    uint32_t next;       /* in the pipeline; memory only */
    uint8_t kind;        /* enum request_kind */
    uint8_t command;     /* the kind's own: which CommandID */
    uint8_t state;       /* enum stk_state: R1.1's words are the same for all */
    uint8_t outcome;     /* enum request_outcome */
    uint8_t party_type;  /* enum party_type */
    uint8_t seen;        /* STATUS: enum stk_state of the original when it was looked at */
    bool reached;        /* the prompt is on the phone */
    bool held;           /* PENDING, but not in the pipeline until due_ns */
    bool initiator_good; /* name and password were right, or could not be checked and need not be */
    bool has_receipt;    /* without it, a receipt that is not 0 is reserved for its success */
    bool queued;
};

/* What `original` means: a payment (STK push) or another request. */
static inline uint64_t request_original_payment(uint64_t number)
{
    return number << 1;
}

static inline uint64_t request_original_request(uint64_t number)
{
    return number << 1 | 1;
}

/* Does it give a customer's payment back (Q8)? */
static inline bool request_reverses(uint8_t kind)
{
    return kind == REQUEST_REVERSAL || kind == REQUEST_PAYSTACK_REFUND;
}
/* Does a customer pay by it? */
static inline bool request_is_income(uint8_t kind)
{
    return kind == REQUEST_C2B || kind == REQUEST_STANDING_PAYMENT || kind == REQUEST_PAYSTACK;
}

const char *request_kind_name(enum request_kind kind);
const char *request_outcome_code(enum request_outcome outcome);
const char *request_outcome_words(enum request_outcome outcome);
enum stk_state request_outcome_state(enum request_outcome outcome);
bool request_may_move(enum stk_state from, enum stk_state to);

struct operator_state;
struct subscriber;
struct book;

/* NULL when there is none. */
const struct operator_request *operator_request(const struct operator_state *o, uint64_t number);
const struct operator_request *operator_request_by_receipt(const struct operator_state *o,
                                                           struct span receipt);
/* By the originator conversation id that the organisation gave or was given. */
const struct operator_request *operator_request_by_conversation(const struct operator_state *o,
                                                                uint32_t short_code,
                                                                struct span conversation);

/* Ids as printed: "AG_20260101_2010..." and the originator's. */
void request_conversation_id(const struct operator_request *r, char out[ID_TEXT_SIZE]);
/* The caller's own, or one of ours; at most OPERATOR_REFERENCE_MAX bytes. Borrowed from the texts
 * or written into `made`. */
struct span request_originator_id(const struct operator_state *o, const struct operator_request *r,
                                  char made[ID_TEXT_SIZE]);
/* The payment that `original` means, or the request; NULL when it means the other or nothing. */
const struct stk_payment *request_original_stk(const struct operator_state *o,
                                               const struct operator_request *r);
const struct operator_request *request_original(const struct operator_state *o,
                                                const struct operator_request *r);
/* Which account of the organisation that asks pays: utility, or working for most of B2B. */
enum organisation_account request_debit_account(const struct operator_request *r);
/* The order that a rule gave for it; false: none did. */
struct ruled;
bool request_ruled(const struct operator_state *o, const struct operator_request *r,
                   struct ruled *out);
/* The order for messages of this kind (MESSAGE_RULED does not matter): its results, or what it
 * sends before its end. */
bool request_message_ruled(const struct operator_state *o, const struct operator_request *r,
                           uint16_t message_kind, struct ruled *out);
/* How many results its end queued, from r->delivery on. */
uint32_t request_results(const struct operator_state *o, const struct operator_request *r);
/* Of one that ended: the outcome's code, or the one that a rule ordered. */
void request_result_code(const struct operator_state *o, const struct operator_request *r,
                         char out[RULE_CODE_MAX + 1]);
/* Is it sent only once, whatever the receiver answers? (account balance) */
bool request_result_sent_once(const struct operator_request *r);
/* The request whose prompt is on this phone and waits for an answer; NULL: none. */
const struct operator_request *operator_request_prompt(const struct operator_state *o,
                                                       const struct subscriber *s);
/* Of a success its receipt, otherwise the day's prefix and zeros. */
void request_transaction_id(const struct operator_request *r, char out[ID_RECEIPT_SIZE]);
/* The ledger transfer of request `number`, leg 0 to 7. */
uint64_t request_transfer_id(uint64_t number, uint32_t leg);

#endif
