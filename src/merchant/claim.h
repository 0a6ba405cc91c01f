/*
 * claim.h - the one shape into which every provider's messages are brought before the merchant book
 * sees them (R5.6), and the one in which the book says what it wants of a provider. The seam
 * between merchant/ (which decides) and provider/ (which speaks Daraja or Paystack). Part of
 * merchant/merchant.h.
 *
 * Rules for whoever reads a provider's message
 *  - a verdict is only what the message surely says. In doubt: CLAIM_IN_FLIGHT or CLAIM_UNREADABLE,
 *    never a failure (R2.5). The text is read where a code has several meanings.
 *  - CLAIM_FAILED, CLAIM_EXPIRED and CLAIM_CANCELLED are definite: no money moved and none will.
 *  - ANSWER_REFUSED means that the provider surely did nothing; anything odd is ANSWER_UNKNOWN.
 * Spans are borrowed from the message or the scratch it was parsed with.
 */
#ifndef HAKIKA_MERCHANT_CLAIM_H
#define HAKIKA_MERCHANT_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

/* Numbers stand in the journal. */
enum merchant_provider_kind {
    PROVIDER_DARAJA = 1,
    PROVIDER_PAYSTACK = 2,
};

/*
 * Where a claim comes from, the stronger the higher: a weaker source never overwrites what a
 * stronger one said. Numbers stand in the journal. X(NAME, number, "name in the API")
 */
#define MERCHANT_SOURCES(X)                                                                  \
    X(PUSH_ANSWER, 1, "push_answer")   /* the synchronous answer to our own request */       \
    X(QUERY, 2, "query")               /* STK query, Paystack verify */                      \
    X(CALLBACK, 3, "callback")         /* on the payment's own token; a signed webhook */    \
    X(RESULT, 4, "result")             /* Transaction Status, B2C, reversal: on ResultURL */ \
    X(PULL, 5, "pull")                 /* a row of Pull Transactions */                      \
    X(CONFIRMATION, 6, "confirmation") /* C2B */                                             \
    X(STATEMENT, 7, "statement")       /* a line of a statement file */                      \
    X(PERSON, 8, "person")             /* decided by somebody, with a reason */

enum merchant_source {
#define X(name, number, text) SOURCE_##name = number,
    MERCHANT_SOURCES(X)
#undef X
        SOURCE_LAST = 8,
};

/* What it claims about the payment, payout or refund. X(NAME, number, "name in the API") */
#define MERCHANT_VERDICTS(X)                                                           \
    X(UNREADABLE, 1, "unreadable") /* not a message of this kind, or a code unknown */ \
    X(IN_FLIGHT, 2, "in_flight")   /* the provider still works on it */                \
    X(PAID, 3, "paid")             /* the money has moved */                           \
    X(FAILED, 4, "failed")         /* definitely did not, and will not */              \
    X(EXPIRED, 5, "expired")       /* the prompt timed out (1037, 1019): definite */   \
    X(CANCELLED, 6, "cancelled")   /* the person said no (1031, 1032) */               \
    X(REVERSED, 7, "reversed")     /* it had moved and was taken back */               \
    X(NOT_FOUND, 8, "not_found")   /* the provider does not know the id: proves nothing */

enum merchant_verdict {
#define X(name, number, text) CLAIM_##name = number,
    MERCHANT_VERDICTS(X)
#undef X
        CLAIM_LAST = 8,
};

enum {
    CLAIM_CODE_MAX = 23, /* bytes of a result code */
    CLAIM_TEXT_MAX = 200,
    CLAIM_ID_MAX = 100,
};

/* One claim. What a message does not say is empty or zero. */
struct merchant_claim {
    uint8_t source;  /* enum merchant_source */
    uint8_t verdict; /* enum merchant_verdict */
    bool has_amount;
    bool phone_whole;        /* phone is a full MSISDN (not masked or hashed) */
    int64_t amount_minor;    /* when has_amount */
    int64_t at_ns;           /* when it happened, as the provider says; 0: it does not */
    uint64_t phone;          /* MSISDN, when phone_whole */
    uint32_t short_code;     /* that was paid; 0: not said */
    struct span currency;    /* empty: KES */
    struct span provider_id; /* CheckoutRequestID, ConversationID, Paystack's id */
    struct span our_id;      /* an id that we chose: OriginatorConversationID, reference */
    struct span other_id;    /* MerchantRequestID; of a reversal the original receipt */
    struct span receipt;     /* M-Pesa receipt number */
    struct span account;     /* account reference, BillRefNumber */
    struct span code;        /* result code as text: "0", "1032", "SFC_IC0003" */
    struct span text;        /* its words */
    struct span party;       /* name of the other side; personal data */
    int64_t fee_minor;       /* what the provider took; 0: not said */
    bool has_balance;        /* of the account that paid, afterwards */
    int64_t balance_minor;
};

/* What the synchronous answer to a call of ours says. */
enum merchant_answered {
    ANSWER_ACCEPTED = 1, /* the provider has taken it on: ids are in the claim */
    ANSWER_REFUSED = 2,  /* it surely did nothing and will not: code and text say why */
    ANSWER_BUSY = 3,     /* it surely did nothing: the same may be asked again later */
    ANSWER_UNKNOWN = 4,  /* nobody can tell: a page of a proxy, half a body, status 5xx */
    ANSWER_TOKEN = 5,    /* our access token was not accepted: nothing was done, get another */
    ANSWER_CLAIM = 6,    /* the answer to a question: claim says what it says */
};

struct merchant_answer {
    uint8_t what; /* enum merchant_answered */
    struct merchant_claim claim;
    struct span token;     /* CALL_TOKEN: the access token */
    uint32_t token_life_s; /* CALL_TOKEN */
};

/* What the book wants of a provider. Numbers stand in the journal (kinds of outbox items).
 * X(NAME, number, "name") */
#define MERCHANT_CALLS(X)                                                        \
    X(PUSH, 1, "push")         /* ask the customer: STK push, Paystack charge */ \
    X(QUERY, 2, "query")       /* what became of it: STK query, verify */        \
    X(STATUS, 3, "status")     /* Transaction Status: receipt, by any id */      \
    X(PAYOUT, 4, "payout")     /* B2C, Paystack transfer */                      \
    X(REVERSAL, 5, "reversal") /* take a payment back: reversal, refund */       \
    X(REGISTER, 6, "register") /* C2B URLs, pull */                              \
    X(PULL, 7, "pull")                                                           \
    X(BALANCE, 8, "balance")                                                     \
    X(TOKEN, 9, "token") /* an access token */

enum merchant_call_kind {
#define X(name, number, text) CALL_##name = number,
    MERCHANT_CALLS(X)
#undef X
        CALL_LAST = 9,
};

/* A provider account with its secrets unsealed: lives as long as it takes to write one request. */
struct merchant_provider {
    uint8_t kind; /* enum merchant_provider_kind */
    bool production;
    bool is_till; /* Daraja: buy goods; party_b is the till, short_code its store */
    uint32_t short_code;
    uint32_t party_b;       /* 0: the short code itself */
    struct span base_url;   /* "https://sandbox.safaricom.co.ke", without a slash at the end */
    struct span key;        /* consumer key; Paystack: empty */
    struct span secret;     /* consumer secret; Paystack: sk_... */
    struct span passkey;    /* STK */
    struct span initiator;  /* name */
    struct span credential; /* SecurityCredential, ready to send */
};

/* One call. What its kind does not need is empty or zero. */
struct merchant_call {
    uint8_t kind; /* enum merchant_call_kind */
    int64_t now_ns;
    int64_t amount_minor;
    int64_t from_ns; /* PULL: the window */
    int64_t until_ns;
    uint32_t offset; /* PULL */
    uint64_t phone;
    struct span our_id;      /* payout: OriginatorConversationID; Paystack: reference */
    struct span provider_id; /* QUERY: CheckoutRequestID */
    struct span receipt;     /* STATUS, REVERSAL */
    struct span account;     /* account reference shown to the customer */
    struct span description;
    struct span callback_url; /* result URL; C2B: confirmation URL */
    struct span timeout_url;  /* C2B: validation URL */
    struct span email;        /* Paystack */
    struct span token;        /* access token, when the provider wants one (CALL_TOKEN) */
};

/* Name in the API; NULL for a number that is none. */
const char *merchant_source_name(uint8_t source);
const char *merchant_verdict_name(uint8_t verdict);
const char *merchant_call_name(uint8_t kind);

#endif
