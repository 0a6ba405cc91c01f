/*
 * provider.h - the door of the adapters: what the gateway wants of a provider becomes an HTTP
 * request, and what a provider answers or sends becomes observations (R5.6). What differs between
 * Daraja and Paystack, and between sandbox and production, stays in here.
 *
 * Guarantees: pure: no clock, no network, no keys but those passed in. A request is whole or not
 * written at all. Nothing is concluded from what cannot be read: an answer is IN_FLIGHT (taken on),
 * REFUSED (surely did nothing) or UNKNOWN; a code is read with its message and with the call that
 * it answers. Whether a webhook's signature is right is computed by the caller (OpenSSL is not
 * pure) and only its outcome is used here.
 * Sources: docs/daraja-notes.md, docs/paystack-notes.md. Tests: tests/unit/test_provider_daraja.c,
 * test_provider_paystack.c; fuzzed by fuzz_provider.
 */
#ifndef HAKIKA_PROVIDER_PROVIDER_H
#define HAKIKA_PROVIDER_PROVIDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/delivery_error.h"
#include "base/observation.h"
#include "base/span.h"
#include "wire/json.h"
#include "wire/statement.h"

/* An account at a provider with its secrets unsealed: lives as long as it takes to write one
 * request. What a kind does not need is empty. */
struct provider_account {
    enum observation_provider provider;
    bool production; /* otherwise a sandbox, or the operator next door */
    bool is_till;    /* Daraja: buy goods; party_b is the till, short_code its store */
    uint32_t short_code;
    uint32_t party_b;       /* 0: the short code itself */
    struct span base_url;   /* "https://sandbox.safaricom.co.ke", without a slash at the end */
    struct span key;        /* Daraja: consumer key */
    struct span secret;     /* consumer secret; Paystack: sk_... */
    struct span passkey;    /* Daraja: STK */
    struct span initiator;  /* Daraja: name */
    struct span credential; /* Daraja: SecurityCredential, ready to send */
};

/* X(NAME, number, "name"): what can be asked of a provider. The numbers are those of
 * merchant_call_kind. */
#define PROVIDER_CALLS(X)                                                          \
    X(PUSH, 1, "push")         /* ask the customer: STK push, Paystack charge */   \
    X(QUERY, 2, "query")       /* what became of it: STK query, Paystack verify */ \
    X(STATUS, 3, "status")     /* Transaction Status: receipt, by any id */        \
    X(PAYOUT, 4, "payout")     /* B2C; Paystack transfer */                        \
    X(REVERSAL, 5, "reversal") /* take a payment back: reversal, refund */         \
    X(REGISTER, 6, "register") /* C2B URLs */                                      \
    X(PULL, 7, "pull")         /* what arrived between two times */                \
    X(BALANCE, 8, "balance")                                                       \
    X(TOKEN, 9, "token")                  /* an access token */                    \
    X(PULL_REGISTER, 10, "pull_register") /* once, before the first pull */        \
    X(RECIPIENT, 11, "recipient")         /* Paystack: before a transfer */        \
    X(PAYOUT_QUERY, 12, "payout_query")   /* what became of a payout */            \
    X(INITIALIZE, 13, "initialize")       /* Paystack: a checkout page */          \
    X(REFUND_QUERY, 14, "refund_query")   /* Paystack: was it given back? */

enum provider_call_kind {
#define X(name, number, text) PROVIDER_CALL_##name = number,
    PROVIDER_CALLS(X)
#undef X
};

/* One call. What its kind does not need is empty or zero. */
struct provider_call {
    enum provider_call_kind kind;
    int64_t now_ns;
    int64_t amount_minor;
    int64_t from_ns; /* PULL: the window */
    int64_t until_ns;
    uint32_t offset; /* PULL: rows to pass over */
    uint64_t phone;
    struct span our_id;      /* PAYOUT: OriginatorConversationID; Paystack: reference */
    struct span provider_id; /* QUERY: CheckoutRequestID; STATUS: any id but the receipt */
    struct span receipt;     /* STATUS, REVERSAL */
    struct span account;     /* account reference shown to the customer */
    struct span description;
    struct span callback_url; /* STK callback, ResultURL; REGISTER: confirmation URL */
    struct span timeout_url;  /* QueueTimeOutURL; REGISTER: validation URL */
    struct span email;        /* Paystack */
    struct span recipient;    /* Paystack PAYOUT: the recipient's code */
    struct span token;        /* access token, when the provider wants one (provider_needs_token) */
    uint8_t command;          /* Daraja PAYOUT: number of its CommandID; 0: BusinessPayment */
    bool cancel_unanswered;   /* REGISTER: ResponseType Cancelled; otherwise Completed */
};

/* A request to send. The spans lie in the buffer that it was written to. */
struct provider_request {
    const char *method;        /* "GET", "POST" */
    struct span url;           /* absolute */
    struct span authorization; /* value of the header; a secret */
    struct span body;          /* JSON; empty: none */
};

enum { PROVIDER_REQUEST_BYTES_MAX = 16 * 1024 };

/* NULL and *out filled, or why the call cannot be made with this account: what is missing or wrong,
 * in words for a person. buffer: PROVIDER_REQUEST_BYTES_MAX bytes. */
const char *provider_write(const struct provider_account *account, const struct provider_call *call,
                           char *buffer, struct provider_request *out) MUST_USE;

/* Must the call carry an access token (PROVIDER_CALL_TOKEN gets one)? */
bool provider_needs_token(enum observation_provider provider, enum provider_call_kind kind);

/* What came back. */
struct provider_reply {
    enum delivery_error error; /* DELIVERY_ANSWERED: there is a status */
    uint32_t http_status;
    struct span body;
};

/*
 * Reads the answer to a call and gives one observation, of PULL one for each row after that (the
 * first is about the call: SUCCEEDED when the list is whole, UNKNOWN otherwise).
 * Of what was submitted (PUSH, PAYOUT, REVERSAL, STATUS, BALANCE): IN_FLIGHT when it was taken on,
 * REFUSED when it surely was not (reason BUSY or TOKEN: may be sent again), otherwise UNKNOWN.
 * Of a question that is answered at once (QUERY, PAYOUT_QUERY): what became of it.
 */
void provider_read_reply(const struct provider_account *account, const struct provider_call *call,
                         const struct provider_reply *reply, struct json_scratch *scratch,
                         observation_fn take, void *context);

struct provider_token {
    struct span token;
    uint32_t life_s;
    enum observation_verdict verdict; /* SUCCEEDED; REFUSED (reason CREDENTIALS, BUSY); UNKNOWN */
    enum observation_reason reason;
};
void provider_read_token(const struct provider_reply *reply, struct json_scratch *scratch,
                         struct provider_token *out);

/* Where a message came in: the last part of the URL that we gave the provider. */
enum provider_door {
    PROVIDER_DOOR_STK = 1,
    PROVIDER_DOOR_PAYOUT = 2,
    PROVIDER_DOOR_REVERSAL = 3,
    PROVIDER_DOOR_STATUS = 4,
    PROVIDER_DOOR_BALANCE = 5,
    PROVIDER_DOOR_CONFIRMATION = 6,
    PROVIDER_DOOR_VALIDATION = 7, /* a question about money that has not moved: IN_FLIGHT */
    PROVIDER_DOOR_WEBHOOK = 8,
};

struct provider_message {
    enum provider_door door;
    bool timed_out;   /* it came to the time-out URL: proves nothing */
    bool signed_well; /* WEBHOOK: the signature over the raw body is right */
    struct span body;
};

/* Reads a message; gives at least one observation, of what cannot be read one of kind NOTHING and
 * verdict UNKNOWN. */
void provider_read_message(const struct provider_account *account,
                           const struct provider_message *message, struct json_scratch *scratch,
                           observation_fn take, void *context);

struct provider_statement {
    const char *why; /* NULL: it is a statement */
    uint32_t short_code;
    uint64_t rows;
    uint64_t bad_rows;
    uint32_t first_bad_line;
    const char *first_bad_why;
    struct statement_proof proof; /* of the completed rows */
};
/*
 * Reads a statement file and gives an observation for each row that can be read: RECEIPT, PAYOUT,
 * CHARGE, TRANSFER (a sweep) or REFUND, by STATEMENT; SUCCEEDED when the row is completed, else
 * UNKNOWN. A charge and a reversal name what they belong to in original_receipt.
 */
void provider_read_statement(const struct provider_account *account, struct span file,
                             observation_fn take, void *context, struct provider_statement *out);

/* Name for logs; "unknown" for a number that is none. */
const char *provider_call_name(enum provider_call_kind kind);

#endif
