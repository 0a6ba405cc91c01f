/*
 * payment.h - the STK payment: its states, its endings and what the book keeps of it. The drawing
 * of the machine and its invariants are in operator.h.
 */
#ifndef HAKIKA_OPERATOR_PAYMENT_H
#define HAKIKA_OPERATOR_PAYMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "operator/limits.h"

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
    X(INTERNAL, 14, FAILED, "17", "the ledger refused the transfer")                            \
    X(RULED, 15, FAILED, "17", "a scenario rule ordered this end")

enum stk_outcome {
    STK_OPEN = 0,
#define X(name, number, state, code, words) STK_##name = number,
    STK_OUTCOMES(X)
#undef X
};

enum { STK_OUTCOME_LAST = STK_RULED, STK_OUTCOMES_MAX = 16 };

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
    uint64_t delivery; /* outbox number of the (first) callback; 0: open, or a rule wants none */
    uint64_t reversal; /* number of the request that reversed it; 0: none */
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
    uint32_t ruled; /* text: what a scenario rule ordered (rules.h); TEXT_NONE: nothing */
    uint32_t checkout_serial;
    uint32_t receipt_day;
    uint32_t timer;  /* position in the heap; memory only */
    uint32_t next;   /* in the pipeline (saved itself), or among the closed; memory only */
    uint32_t before; /* among the closed; memory only */
    uint8_t state;   /* enum stk_state */
    uint8_t outcome; /* enum stk_outcome */
    uint8_t answer;  /* enum stk_answer */
    uint8_t type;    /* 1 paybill, 2 buy goods */
    bool reached;    /* the prompt is on the phone */
    bool queued;     /* in the pipeline */
    bool kept;       /* a request is about it: it stays in memory */
    bool leaving;    /* its record is on the way to the index; memory only */
};

#endif
