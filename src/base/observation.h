/*
 * observation.h - what a notice says about money, in words that are the same for every provider
 * (R5.6): provider/ makes observations from Daraja's and Paystack's messages and from the lines of
 * statements, face/ takes them along, merchant/ decides about them. One message can hold several
 * (rows of a pull) or none (it claims nothing that is understood; it is kept all the same).
 *
 * Guarantees: plain data. A verdict is never better than what was said: what cannot be read is
 * OBSERVED_UNKNOWN, never a failure and never a success. Spans are borrowed from the message and
 * live as long as it (and the scratch that it was read with). Numbers stand in journals: never
 * reuse one. Tests: tests/unit/test_observation.c.
 */
#ifndef HAKIKA_BASE_OBSERVATION_H
#define HAKIKA_BASE_OBSERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

/* X(NAME, number, "name"): what the claim is about. */
#define OBSERVATION_KINDS(X)                                                               \
    X(PAYMENT, 1, "payment") /* a customer's payment that we asked for */                  \
    X(RECEIPT, 2, "receipt") /* money that arrived, whoever asked for it: C2B, a row */    \
    X(PAYOUT, 3, "payout")                                                                 \
    X(REFUND, 4, "refund")     /* money that had arrived went back to the customer */      \
    X(BALANCE, 5, "balance")   /* of an account at the provider; amount_minor is signed */ \
    X(CHARGE, 6, "charge")     /* what the provider took for itself */                     \
    X(TRANSFER, 7, "transfer") /* between the organisation's own accounts or to its bank */

enum observation_kind {
    OBSERVED_NOTHING = 0,
#define X(name, number, text) OBSERVED_##name = number,
    OBSERVATION_KINDS(X)
#undef X
};

/*
 * X(NAME, number, rank, "name"): where it comes from. The rank is how far it is believed: a claim
 * never overwrites one of a higher rank (R2.5, R5.4), and of equal ones the first stands.
 */
#define OBSERVATION_SOURCES(X)                                                                  \
    X(SUBMISSION, 1, 1, "submission") /* the answer to our own request */                       \
    X(QUERY, 2, 2, "query")           /* asked by us, without receipt and amount (STK query) */ \
    X(CALLBACK, 3, 3, "callback")     /* came to our URL, unsigned (Daraja) */                  \
    X(WEBHOOK, 4, 4, "webhook")       /* came to our URL, signed (Paystack) */                  \
    X(STATUS, 5, 4, "status")         /* asked by us, with receipt and amount */                \
    X(PULL, 6, 4, "pull")             /* asked by us: a list of what arrived */                 \
    X(STATEMENT, 7, 5, "statement")   /* the provider's own books */

enum observation_source {
#define X(name, number, rank, text) OBSERVED_BY_##name = number,
    OBSERVATION_SOURCES(X)
#undef X
};

/* X(NAME, number, "name"): what is claimed. Failed and succeeded are definite, the others not. */
#define OBSERVATION_VERDICTS(X)                                                  \
    X(UNKNOWN, 1, "unknown")     /* nothing can be concluded: ask, never fail */ \
    X(IN_FLIGHT, 2, "in_flight") /* the provider has it and has not decided */   \
    X(FAILED, 3, "failed")       /* no money moved by this id, and none will */  \
    X(SUCCEEDED, 4, "succeeded") /* money moved */                               \
    X(REFUSED, 5, "refused")     /* our request did not get in: as if it was never sent */

enum observation_verdict {
#define X(name, number, text) OBSERVED_##name = number,
    OBSERVATION_VERDICTS(X)
#undef X
};

/* X(NAME, number, "name"): why it failed or was refused, as far as one must act on it. */
#define OBSERVATION_REASONS(X)                                                                    \
    X(NONE, 0, "none")                                                                            \
    X(FUNDS, 1, "insufficient_funds") /* the payer; of a payout the organisation */               \
    X(LIMIT, 2, "limit")              /* an amount or balance rule */                             \
    X(CANCELLED, 3, "cancelled")      /* the person said no */                                    \
    X(EXPIRED, 4, "expired")          /* the person did not answer, or too late */                \
    X(UNREACHABLE, 5, "unreachable")  /* the prompt did not reach the phone */                    \
    X(WRONG_PIN, 6, "wrong_pin")                                                                  \
    X(PIN_LOCKED, 7, "pin_locked")                                                                \
    X(PHONE_BUSY, 8, "phone_busy")        /* another prompt is open there: wait a minute */       \
    X(RECEIVER, 9, "receiver")            /* the other party cannot receive, or does not exist */ \
    X(CREDENTIALS, 10, "credentials")     /* ours are wrong: a person must act */                 \
    X(CONFIGURATION, 11, "configuration") /* product, short code, URL: a person must act */       \
    X(REQUEST, 12, "request")             /* a field of ours is wrong */                          \
    X(BUSY, 13, "busy")                   /* rate limit or overload: later */                     \
    X(DUPLICATE, 14, "duplicate")         /* our id was used before: ask about that one */        \
    X(PROVIDER, 15, "provider")           /* the provider's own trouble */                        \
    X(REVERSED, 16, "reversed")           /* reversed before */                                   \
    X(NOT_FOUND, 17, "not_found")         /* the provider knows no such id */                     \
    X(TOKEN, 18, "token")                 /* access token expired: fetch another, send again */   \
    X(OTHER, 19, "other")

enum observation_reason {
#define X(name, number, text) OBSERVED_REASON_##name = number,
    OBSERVATION_REASONS(X)
#undef X
};

enum observation_provider {
    OBSERVED_AT_DARAJA = 1,
    OBSERVED_AT_PAYSTACK = 2,
};

/* All zero, and the spans empty: not said. */
struct observation {
    enum observation_provider provider;
    enum observation_kind kind;
    enum observation_source source;
    enum observation_verdict verdict;
    enum observation_reason reason;
    /* The provider's id of the request: CheckoutRequestID, ConversationID; of Paystack the
     * reference. What arrived by itself has its receipt alone. */
    struct span reference;
    struct span second_reference; /* MerchantRequestID; Paystack's id of the transaction */
    struct span own_reference;    /* the id that we chose: OriginatorConversationID, reference */
    struct span receipt;          /* the provider's public reference of the money */
    struct span original_receipt; /* REFUND, CHARGE: of what it belongs to */
    /* REFUND: money came to us, so that a payout is what came back; false: not said. */
    bool came_in;
    struct span account_reference;
    struct span account; /* BALANCE, TRANSFER: "Utility Account" */
    struct span party;   /* the other side as it was given: masked, hashed, with its name */
    uint64_t phone;      /* 2547XXXXXXXX; 0: not given in full */
    uint32_t short_code; /* ours */
    bool has_amount;
    int64_t amount_minor;
    bool has_fee;
    int64_t fee_minor;
    bool has_balance;
    int64_t balance_minor; /* of our account afterwards */
    char currency[4];      /* "KES" unless the message says another */
    int64_t at_ns;         /* when it happened, by the provider's clock; 0: not given */
    struct span code;      /* the provider's code and words, for people and logs */
    struct span words;
};

/* Takes one observation; what it borrows is gone afterwards. */
typedef void (*observation_fn)(void *context, const struct observation *seen);

/* Names for APIs and views; "unknown" for a number that is none. */
const char *observation_kind_name(enum observation_kind kind);
const char *observation_source_name(enum observation_source source);
const char *observation_verdict_name(enum observation_verdict verdict);
const char *observation_reason_name(enum observation_reason reason);

/* How far a source is believed, from 1; CHECKs that it is one. */
uint32_t observation_rank(enum observation_source source);
/* Nothing but money can change it any more. */
static inline bool observation_is_definite(enum observation_verdict verdict)
{
    return verdict == OBSERVED_SUCCEEDED || verdict == OBSERVED_FAILED;
}
/*
 * Does a later claim overwrite an earlier one? What is definite overwrites what is not; a success
 * overwrites a failure (money that moved has moved, R2.1) unless that came from a source of higher
 * rank; nothing overwrites a success.
 */
bool observation_overwrites(enum observation_verdict later, enum observation_source later_by,
                            enum observation_verdict earlier, enum observation_source earlier_by);
/* May the same person be asked again with a new request (R2.1 `retryable`)? Never while unknown. */
bool observation_retryable(enum observation_verdict verdict, enum observation_reason reason);

#endif
