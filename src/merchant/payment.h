/*
 * payment.h - the payment of the merchant book: its states, how they are told outside, and what the
 * book keeps of it. The drawing of the machine and its invariants: docs/merchant.md, merchant.h.
 */
#ifndef HAKIKA_MERCHANT_PAYMENT_H
#define HAKIKA_MERCHANT_PAYMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/observation.h"
#include "merchant/fields.h"
#include "merchant/limits.h"

/*
 * X(NAME, number in the journal, "status", "R2.1's word", definite end?, retryable?)
 * Retryable: the customer may start anew, because nothing was paid and nothing will be (R2.1).
 */
#define GATEWAY_STATES(X)                             \
    X(CREATED, 1, "created", "INITIATED", 0, 0)       \
    X(SUBMITTED, 2, "submitted", "INITIATED", 0, 0)   \
    X(PENDING, 3, "pending", "PENDING", 0, 0)         \
    X(UNCONFIRMED, 4, "unconfirmed", "PENDING", 0, 0) \
    X(MISMATCHED, 5, "mismatched", "PENDING", 0, 0)   \
    X(SUCCEEDED, 6, "succeeded", "COMPLETED", 1, 0)   \
    X(FAILED, 7, "failed", "FAILED", 1, 1)            \
    X(EXPIRED, 8, "expired", "EXPIRED", 1, 1)         \
    X(CANCELLED, 9, "cancelled", "FAILED", 1, 1)      \
    X(REVERSED, 10, "reversed", "COMPLETED", 1, 0)

enum gateway_state {
#define X(name, number, status, stk, ended, retryable) GATEWAY_##name = number,
    GATEWAY_STATES(X)
#undef X
        GATEWAY_STATES_END = 11,
};

const char *gateway_state_name(uint8_t state);     /* "created" */
const char *gateway_state_stk_name(uint8_t state); /* "INITIATED" */
bool gateway_state_ended(uint8_t state);
bool gateway_state_retryable(uint8_t state);
/* May a payment go from one to the other? (G1) */
bool gateway_state_may_move(uint8_t from, uint8_t to);

/* Why it moved: numbers stand in the journal. X(NAME, number, "name", "words for people") */
#define GATEWAY_REASONS(X)                                                                      \
    X(CLAIM, 1, "claim", "the provider said so")                                                \
    X(SENT, 2, "sent", "the request is about to leave")                                         \
    X(ACCEPTED, 3, "accepted", "the provider has accepted the request")                         \
    X(REFUSED, 4, "refused", "the provider refused the request, and surely did nothing")        \
    X(NEVER_SENT, 5, "never_sent", "the provider could not be reached: nothing was sent")       \
    X(NO_CALLBACK, 6, "no_callback", "no outcome within 90 seconds: it is being found out")     \
    X(ANSWER_LOST, 7, "answer_lost", "the answer to our request was lost: it may have arrived") \
    X(AMOUNT, 8, "amount_differs", "the provider claims another amount than we asked for")      \
    X(PHONE, 9, "phone_differs", "the provider claims another phone than we asked")             \
    X(SHORT_CODE, 10, "short_code_differs", "another short code than ours was paid")            \
    X(CURRENCY, 11, "currency_differs", "another currency than we asked for")                   \
    X(LATE, 12, "late_success", "it was paid after all, although it had ended otherwise")       \
    X(PROMPT_SEEN, 13, "prompt_seen", "a claim shows that the prompt was out")                  \
    X(LEDGER, 14, "ledger", "the ledger would not take the amount")                             \
    X(PERSON, 15, "person", "a person decided it")                                              \
    X(RECEIPT, 16, "receipt_used", "the receipt belongs to another payment")                    \
    X(REFUNDED, 17, "refunded", "it was given back by a refund of ours")                        \
    X(DUPLICATE, 18, "duplicate",                                                               \
      "the provider has seen this id before: what became of it is asked")

enum gateway_reason {
#define X(name, number, text, words) REASON_##name = number,
    GATEWAY_REASONS(X)
#undef X
        REASON_LAST = 18,
};
const char *gateway_reason_name(uint8_t reason);
const char *gateway_reason_words(uint8_t reason);

/* How the money moves. Payouts and refunds go the other way and share the machine. */
enum gateway_method {
    METHOD_MPESA_STK = 1,
    METHOD_PAYSTACK = 2,
    METHOD_MPESA_B2C = 3,      /* a payout */
    METHOD_MPESA_REVERSAL = 4, /* a refund: the payment that it gives back is in `overrides` */
    METHOD_PAYSTACK_REFUND = 5,
    METHOD_LAST = 5,
};
const char *gateway_method_name(uint8_t method); /* "mpesa_stk" */
static inline bool gateway_is_refund(uint8_t method)
{
    return method == METHOD_MPESA_REVERSAL || method == METHOD_PAYSTACK_REFUND;
}
/* Does it leave the merchant (payout, refund)? */
static inline bool gateway_pays_out(uint8_t method)
{
    return method == METHOD_MPESA_B2C || gateway_is_refund(method);
}

/* What a person decided: about money that is not as we asked, or about what nobody could find out
 * (judgement.c). Numbers stand in the journal.
 * X(NAME, number, "name in the API") */
#define GATEWAY_JUDGEMENTS(X)                                                        \
    X(ACCEPT, 1, "accept") /* it is the payment, with the amount that really came */ \
    X(REFUND, 2, "refund") /* the same, and it is to be given back */                \
    X(REJECT, 3, "reject") /* no money came to us: it has failed */

enum gateway_judgement {
    JUDGEMENT_NONE = 0,
#define X(name, number, text) JUDGEMENT_##name = number,
    GATEWAY_JUDGEMENTS(X)
#undef X
        JUDGEMENT_LAST = 3,
};
const char *gateway_judgement_name(uint8_t judgement);

/* Where the money of a success goes. */
enum gateway_capture {
    CAPTURE_WALLET = 1,
    CAPTURE_ESCROW = 2,
};

enum gateway_escrow {
    ESCROW_NONE = 0,
    ESCROW_HELD = 1,
    ESCROW_RELEASED = 2,
    ESCROW_REFUNDED = 3,
};
const char *gateway_escrow_name(uint8_t escrow); /* "held" */

enum { GATEWAY_RUNGS = 8 };
/* 1 m, 2 m, 5 m, 15 m, 1 h, 4 h, 12 h, 24 h: how long after one question the next is asked. */
int64_t gateway_rung_ns(uint8_t rung);

/* What is saved of a payment, in order. Texts are handles. */
#define GATEWAY_PAYMENT_FIELDS(X)                                                             \
    X(u64, number)           /* counts payments from 1 */                                     \
    X(u64, phone)            /* MSISDN that gets the prompt */                                \
    X(u64, item)             /* outbox number of the push */                                  \
    X(u64, question)         /* outbox number of the question under way; 0: none */           \
    X(u64, overrides)        /* the unknown payment that somebody chose to override; 0 */     \
    X(i64, paid_minor)       /* accepted by a person in place of amount_minor; 0: as asked */ \
    X(u64, override_receipt) /* the same of money that came by itself; 0 */                   \
    X(u64, refund)           /* the latest refund of it; 0: none */                           \
    X(u64, notice)           /* that brought it to its end; 0: none */                        \
    X(i64, amount_minor)                                                                      \
    X(i64, due_ns)   /* of its timer; 0: none */                                              \
    X(i64, asked_ns) /* when it was last asked about */                                       \
    X(raw16, token)  /* its callback URL ends in these, in hexadecimal */                     \
    X(u32, merchant) /* slots */                                                              \
    X(u32, provider)                                                                          \
    X(u32, order) /* texts */                                                                 \
    X(u32, description)                                                                       \
    X(u32, email)       /* of the customer; Paystack wants it */                              \
    X(u32, provider_id) /* CheckoutRequestID; of Paystack our reference */                    \
    X(u32, other_id)    /* MerchantRequestID */                                               \
    X(u32, receipt)                                                                           \
    X(u32, judge)      /* who decided about it, ... */                                        \
    X(u32, judge_note) /* ... and why */                                                      \
    X(u32, code)       /* result code and its words */                                        \
    X(u32, words)                                                                             \
    X(u32, object_seq)   /* events told about it so far */                                    \
    X(u32, first_notice) /* slots of its notices, in order */                                 \
    X(u32, last_notice)                                                                       \
    X(u32, notices)                                                                           \
    X(u64, before)          /* numbers of those for the same order: the one before it, ... */ \
    X(u64, after)           /* ... and the next; 0: none. Of payouts always 0 */              \
    X(u32, front_url)       /* texts: the application's own callback URL, and ... */          \
    X(u32, front_reference) /* ... what it calls the payment (R6.12) */                       \
    X(u64, front_target)                                                                      \
    X(u64, front_item) /* outbox number of its latest callback; 0: none yet */                \
    X(u32, late_url)   /* texts: the application's QueueTimeOutURL, and ... */                \
    X(u32, occasion)   /* ... what it says the payout is for */                               \
    X(u64, late_target)                                                                       \
    X(u64, late_item)   /* outbox number of the message to it; 0: none */                     \
    X(u64, late_notice) /* that it forwards */                                                \
    X(u8, command)      /* CommandID of a payout; 0: BusinessPayment */                       \
    X(u8, state)        /* enum gateway_state */                                              \
    X(u8, source)       /* enum observation_source of the latest move by a claim; 0 */        \
    X(u8, reason)       /* enum gateway_reason of the latest move */                          \
    X(u8, method)                                                                             \
    X(u8, capture)                                                                            \
    X(u8, resent)    /* of payouts: sent again under the same id, how often */                \
    X(u8, judgement) /* enum gateway_judgement */                                             \
    X(u8, escrow)                                                                             \
    X(u8, rung)        /* of the ladder: questions asked by it */                             \
    X(flag, sending)   /* the push may be under way, or may have been */                      \
    X(flag, late)      /* it succeeded after it had ended otherwise */                        \
    X(flag, attention) /* a person has to look: the ladder is at its end */

struct gateway_payment {
    GATEWAY_PAYMENT_FIELDS(FIELD_DECLARE)
    int64_t entered_ns[GATEWAY_STATES_END]; /* by state; 0: never. Saved, too */
    uint64_t entered_position[GATEWAY_STATES_END];
    /* Memory only from here on. */
    uint32_t timer;        /* position in the heap */
    uint32_t phone_before; /* its neighbours among those by its phone at its provider */
    uint32_t phone_after;
    uint32_t shown_before; /* of a push, among those of the same account reference (shown.c) */
    uint32_t shown_after;
    bool shown;             /* it is in that list */
    uint32_t closed_before; /* its neighbours among those that have ended (closing.c) */
    uint32_t closed_after;
    uint64_t changed; /* position of the latest frame that changed it or its notices */
    bool leaving;     /* its record is being written */
};

/* What is booked for it once it has succeeded. */
static inline int64_t gateway_paid_minor(const struct gateway_payment *p)
{
    return p->paid_minor != 0 ? p->paid_minor : p->amount_minor;
}

#endif
