/*
 * paystack.h - the bytes of Paystack's API, both directions of each message: initialize, charge,
 * verify, refund, transfer, its envelope, its webhooks. Amounts are in minor units, as numbers or
 * as strings. Provider spellings appear only in wire/.
 *
 * Guarantees: `status` of the envelope only says that the call worked; what became of the money is
 * `data.status`. What we emit is in the form that JavaScript's JSON.stringify gives again (no
 * blanks, no escaped slashes, whole numbers without a point), because Paystack's own libraries
 * check the signature of a webhook over a re-serialised body. Spans live until the scratch's next
 * parse. Sources: docs/paystack-notes.md. Tests: tests/unit/test_paystack.c, fuzzed by
 * fuzz_paystack.
 */
#ifndef HAKIKA_WIRE_PAYSTACK_H
#define HAKIKA_WIRE_PAYSTACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"
#include "wire/json.h"

enum {
    PAYSTACK_REFERENCE_MAX = 100,
    PAYSTACK_SIGNATURE_BYTES = 64, /* HMAC-SHA512; in the header as lower-case hexadecimal */
};

/* Letters, digits, '-', '.', '=': 1 to 100 of them. */
bool paystack_reference_is_good(struct span reference) MUST_USE;

/* ---- requests ---- */

/* Of initialize and charge. What a request does not have is empty or zero. */
struct paystack_payment {
    struct span email;
    int64_t amount_minor;
    struct span currency;  /* empty: KES */
    struct span reference; /* empty: Paystack chooses */
    struct span callback_url;
    struct span phone;    /* charge: mobile_money.phone, as sent */
    struct span provider; /* charge: mobile_money.provider, "mpesa" */
};
void paystack_initialize_render(struct writer *w, const struct paystack_payment *payment);
void paystack_charge_render(struct writer *w, const struct paystack_payment *payment);
/* NULL and *out filled, or Paystack's message about what is wrong. is_charge: mobile_money is read
 * and needed. */
const char *paystack_payment_parse(struct span body, bool is_charge, struct json_scratch *scratch,
                                   struct paystack_payment *out) MUST_USE;

struct paystack_refund {
    struct span transaction; /* reference or id */
    int64_t amount_minor;    /* 0: all of it */
    struct span note;        /* merchant_note */
};
void paystack_refund_render(struct writer *w, const struct paystack_refund *refund);
const char *paystack_refund_parse(struct span body, struct json_scratch *scratch,
                                  struct paystack_refund *out) MUST_USE;

struct paystack_transfer {
    struct span recipient; /* "RCP_..." */
    int64_t amount_minor;
    struct span reference;
    struct span reason;
};
void paystack_transfer_render(struct writer *w, const struct paystack_transfer *transfer);
const char *paystack_transfer_parse(struct span body, struct json_scratch *scratch,
                                    struct paystack_transfer *out) MUST_USE;

struct paystack_recipient {
    struct span name;
    struct span account_number; /* an M-Pesa number, as sent */
};
void paystack_recipient_render(struct writer *w, const struct paystack_recipient *recipient);
const char *paystack_recipient_parse(struct span body, struct json_scratch *scratch,
                                     struct paystack_recipient *out) MUST_USE;

/* ---- answers ---- */

struct paystack_answer {
    bool is_envelope; /* false: it is no answer of Paystack */
    bool good;        /* status of the envelope */
    struct span message;
    struct json_object *data; /* NULL: none */
};
void paystack_answer_read(struct span body, struct json_scratch *scratch,
                          struct paystack_answer *out);

/* What `data` of an answer or a webhook says about a charge, a refund or a transfer. */
struct paystack_data {
    struct span reference; /* of a refund: of the transaction that is refunded */
    struct span status;
    struct span id; /* as text */
    struct span receipt;
    bool has_amount;
    int64_t amount_minor;
    bool has_fee;
    int64_t fee_minor;
    struct span currency;
    struct span channel;
    struct span payer;             /* the number that paid; empty: not said */
    struct span phone;             /* in the customer's profile: perhaps another one */
    struct span words;             /* gateway_response, or message */
    struct span recipient;         /* recipient_code */
    struct span authorization_url; /* initialize */
    int64_t paid_ns;               /* 0: not given */
};
void paystack_data_read(const struct json_object *data, struct json_scratch *scratch,
                        struct paystack_data *out);

void paystack_error_render(struct writer *w, const char *message);

/* A transaction as our side of Paystack shows it. */
struct paystack_transaction {
    uint64_t id;
    const char *status; /* "success", "failed", "pending", ... */
    struct span reference;
    int64_t amount_minor;
    int64_t fee_minor;
    int64_t created_ns;
    int64_t paid_ns; /* 0: not paid */
    struct span email;
    uint64_t phone;       /* 0: none */
    const char *response; /* gateway_response */
    const char *receipt;  /* of M-Pesa; NULL: none */
    const char *domain;   /* "test" */
};
/* {"status":true,"message":...,"data":{the whole transaction}} */
void paystack_verify_render(struct writer *w, const struct paystack_transaction *t);
void paystack_initialized_render(struct writer *w, const char *authorization_url,
                                 const char *access_code, struct span reference);
/* The answer to a charge, and to asking about it. */
void paystack_charged_render(struct writer *w, struct span reference, const char *status,
                             const char *message);

/* A refund as our side of Paystack shows it. */
struct paystack_refunded {
    uint64_t id;
    uint64_t transaction;  /* its id */
    const char *status;    /* "pending", "processed", "failed" */
    struct span reference; /* of the transaction */
    int64_t amount_minor;
    int64_t created_ns;
    const char *domain;
};
void paystack_refunded_render(struct writer *w, const char *message,
                              const struct paystack_refunded *r);

/* ---- webhooks ---- */

void paystack_webhook_render(struct writer *w, const char *event,
                             const struct paystack_transaction *t);

/* event: "refund.processed", "refund.failed" */
void paystack_refund_webhook_render(struct writer *w, const char *event,
                                    const struct paystack_refunded *r);

struct paystack_webhook {
    struct span event; /* "charge.success" */
    struct paystack_data data;
};
/* False when it is none. */
bool paystack_webhook_parse(struct span body, struct json_scratch *scratch,
                            struct paystack_webhook *out) MUST_USE;

/* The header x-paystack-signature: 128 hexadecimal digits of either case, compared in constant
 * time. */
bool paystack_signature_matches(struct span header,
                                const uint8_t mac[PAYSTACK_SIGNATURE_BYTES]) MUST_USE;
void paystack_signature_render(struct writer *w, const uint8_t mac[PAYSTACK_SIGNATURE_BYTES]);

#endif
