/*
 * daraja_bill.h - the bytes of bill manager, which has a manner of its own: answers of rescode and
 * resmsg, a payment that is pushed, and an acknowledgement that comes back.
 * Sources: docs/daraja-notes.md. Tests: tests/unit/test_daraja_bill.c,
 * tests/e2e/176-bill-manager.sh, tests/fuzz/fuzz_daraja_bill.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_BILL_H
#define HAKIKA_WIRE_DARAJA_BILL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "wire/daraja_error.h"
#include "wire/daraja_url.h"
#include "wire/json.h"

enum {
    DARAJA_BILL_BULK_MAX = 1000,
    DARAJA_BILL_ITEMS_BYTES_MAX = 1024,
};

/* What bill manager refuses in its own words (409). */
enum daraja_bill_refusal {
    DARAJA_BILL_NOT_REFUSED = 0,
    DARAJA_BILL_REGISTERED = 1, /* the biller opted in before */
    DARAJA_BILL_NO_BILLER,      /* nobody opted in whom this token may act for */
    DARAJA_BILL_REFERENCE_TAKEN,
    DARAJA_BILL_PHONE,
    DARAJA_BILL_DUE_DATE,
    DARAJA_BILL_PAID,       /* a paid invoice cannot be cancelled */
    DARAJA_BILL_NO_INVOICE, /* nothing of the kind is open */
    DARAJA_BILL_NO_PAYMENT, /* the acknowledged payment is not known */
    DARAJA_BILL_REFUSALS,
};

struct daraja_biller {
    uint32_t short_code;
    struct span email;
    struct span contact;
    bool reminders;
    struct span url;
};
/* True and *out filled, or false and *error filled. */
bool daraja_biller_parse(struct span body, const struct daraja_url_rule *rule,
                         struct json_scratch *scratch, struct daraja_biller *out,
                         struct daraja_error *error) MUST_USE;

struct daraja_invoice {
    struct span reference; /* externalReference */
    struct span name;
    uint64_t msisdn;
    struct span period;
    struct span title; /* invoiceName */
    uint32_t due_day;  /* days since 1970-01-01 */
    struct span account;
    int64_t amount_minor;
    struct span items; /* JSON, compact; empty: none */
};
struct daraja_bill_reading {
    struct json_scratch *scratch;
    struct writer room; /* where items are kept: as long as the caller's bytes */
    struct daraja_error *error;
    enum daraja_bill_refusal refusal;
};
/* A whole invoice; false: reading->refusal is set, or else reading->error. */
bool daraja_invoice_parse(struct json_object *object, struct daraja_bill_reading *reading,
                          struct daraja_invoice *out) MUST_USE;
/* The externalReference of an object that cancels. */
bool daraja_bill_reference_parse(struct json_object *object, struct json_scratch *scratch,
                                 struct span *out, struct daraja_error *error) MUST_USE;
/* The body as one object, or as an array of 1 to DARAJA_BILL_BULK_MAX; NULL with *error set. */
struct json_object *daraja_bill_open(struct span body, bool bulk, struct json_scratch *scratch,
                                     struct daraja_error *error);

/* The acknowledgement of a payment: only transactionId decides, the rest must be there. */
bool daraja_acknowledgement_parse(struct span body, struct json_scratch *scratch,
                                  struct span *receipt, struct daraja_error *error) MUST_USE;

/* {"resmsg":"Success","rescode":"200"}, after app_key or Status_Message when they are not NULL. */
void daraja_bill_done_render(struct writer *w, const char *app_key, const char *message,
                             bool with_errors);
void daraja_bill_refused_render(struct writer *w, enum daraja_bill_refusal refusal);

struct daraja_bill_payment {
    const char *transaction_id;
    int64_t amount_minor;
    uint64_t msisdn;
    const char *date; /* YYYY-MM-DD */
    struct span account;
    uint32_t short_code;
};
void daraja_bill_payment_render(struct writer *w, const struct daraja_bill_payment *p);

#endif
