/*
 * daraja_stk.h - the bytes of Daraja's STK push and STK query, both directions of each message:
 * requests, answers, callbacks. Provider spellings appear only in wire/ and nowhere else in the
 * code.
 *
 * Guarantees: parsing never reads past its input, accepts numbers as JSON numbers or strings where
 * real clients send both, never converts money through floating point, and names the first field
 * that is wrong in Daraja's own words. Rendering never truncates: what does not fit is an error.
 * Spans in parsed structures point into the scratch and live until its next parse.
 * Sources: docs/daraja-notes.md, part by part. Tests: tests/unit/test_daraja_stk.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_STK_H
#define HAKIKA_WIRE_DARAJA_STK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/rule.h"
#include "base/span.h"
#include "wire/daraja_auth.h"
#include "wire/daraja_error.h"
#include "wire/daraja_url.h"
#include "wire/json.h"

enum daraja_transaction_type {
    DARAJA_PAYBILL_ONLINE = 1,   /* CustomerPayBillOnline */
    DARAJA_BUY_GOODS_ONLINE = 2, /* CustomerBuyGoodsOnline */
};

struct daraja_stk_push {
    uint32_t business_short_code; /* 5 to 7 digits */
    struct span password;         /* as sent, base64 */
    struct span timestamp;        /* 14 digits, as sent */
    enum daraja_transaction_type type;
    int64_t amount_minor;  /* whole shillings, 1 to 250,000 */
    uint64_t party_a;      /* 2547XXXXXXXX or 2541XXXXXXXX */
    uint32_t party_b;      /* short code or till */
    uint64_t phone_number; /* 2547XXXXXXXX or 2541XXXXXXXX */
    struct span callback_url;
    struct span account_reference; /* 1 to 100 bytes as sent */
    struct span transaction_desc;
};

struct daraja_stk_query {
    uint32_t business_short_code;
    struct span password;
    struct span timestamp;
    struct span checkout_request_id;
};

/* True and *out filled, or false and *error filled (400.002.02 with the field's name, ...). */
bool daraja_stk_push_parse(struct span body, const struct daraja_url_rule *rule,
                           struct json_scratch *scratch, struct daraja_stk_push *out,
                           struct daraja_error *error) MUST_USE;
bool daraja_stk_query_parse(struct span body, struct json_scratch *scratch,
                            struct daraja_stk_query *out, struct daraja_error *error) MUST_USE;

/* Ids and texts as they stand on the wire; all of them ready to print. */
struct daraja_stk_ids {
    char merchant_request_id[64];
    char checkout_request_id[64];
};

struct daraja_stk_result {
    struct daraja_stk_ids ids;
    const char *result_code; /* "0", "1032", "SFC_IC0003" */
    const char *result_desc;
    /* How a callback is spoilt, for those who test what reads it (R6.2). */
    bool no_metadata; /* none, although it says "0" */
    bool cut;         /* the first half of the bytes: no JSON */
    /* Present when result_code is "0": */
    int64_t amount_minor;
    char receipt[16];
    char transaction_date[16]; /* 14 digits, EAT */
    uint64_t phone_number;
};

/*
 * What a book knows of a payment that has ended. One form for all who tell of it, from the state in
 * memory or from the events in the journal, so that they say it in the same bytes.
 */
struct daraja_stk_end {
    uint64_t number; /* of the payment */
    int64_t accepted_ns;
    uint32_t checkout_serial;
    uint64_t msisdn;
    int64_t amount_minor;
    int64_t ended_ns;
    const char *result_code;
    const char *words;    /* instead of the code's own; NULL or empty: those */
    bool unanswered;      /* the prompt was on the phone, and nobody answered it */
    uint32_t receipt_day; /* with the serial the receipt, when result_code is "0" */
    uint64_t receipt_serial;
};

/* Daraja's ids, dates and wording of such an end; a code without a wording is "Rule limited." */
void daraja_stk_result_of(const struct daraja_stk_end *end, struct daraja_stk_result *out);
/* Another code, with these words (empty: its own). Both must live as long as out. */
void daraja_stk_result_tell(struct daraja_stk_result *out, const char *code, const char *words);
/* What a callback says when a scenario rule orders that it is not the truth (R6.2). A receipt that
 * was never given is of a range of its own, which no network issues. */
void daraja_stk_result_bend(const struct daraja_stk_end *end, const struct rule_effects *effects,
                            struct daraja_stk_result *out);

void daraja_stk_accepted_render(struct writer *w, const struct daraja_stk_ids *ids);
void daraja_stk_query_result_render(struct writer *w, const struct daraja_stk_result *result);
/* The HTTP 200 form of "in flight": ResultCode "4999". */
void daraja_stk_query_pending_render(struct writer *w, const struct daraja_stk_ids *ids);
/* The callback body; CallbackMetadata only on success, ResultCode a number when it is one. */
void daraja_stk_callback_render(struct writer *w, const struct daraja_stk_result *result);

/* The receiving side: reads a callback (for the gateway and for tests of our own output). */
struct daraja_stk_callback {
    struct span merchant_request_id;
    struct span checkout_request_id;
    struct span result_code; /* as text, whatever its JSON type */
    struct span result_desc;
    bool has_amount;
    int64_t amount_minor;
    struct span receipt;          /* empty when absent */
    struct span transaction_date; /* empty when absent */
    struct span phone_number;     /* as text; empty when absent */
};
/* False when it is no STK callback. An amount that cannot be read exactly is no amount. */
bool daraja_stk_callback_parse(struct span body, struct json_scratch *scratch,
                               struct daraja_stk_callback *out) MUST_USE;

/* ---- the client's direction ---- */

/* The requests as they are read above. All values strings; amount_minor whole shillings. */
void daraja_stk_push_render(struct writer *w, const struct daraja_stk_push *push);
void daraja_stk_query_render(struct writer *w, const struct daraja_stk_query *query);

struct daraja_stk_accepted {
    struct span merchant_request_id;
    struct span checkout_request_id;
    struct span response_code; /* "0": taken */
    struct span description;
};
/* False when it is no answer to a push (an error envelope is not: daraja_answer.h). */
bool daraja_stk_accepted_parse(const struct json_object *object, struct json_scratch *scratch,
                               struct daraja_stk_accepted *out) MUST_USE;

struct daraja_stk_query_answer {
    struct span merchant_request_id;
    struct span checkout_request_id;
    struct span result_code; /* as text; "4999" and what says so: in flight */
    struct span result_desc;
    bool in_flight;
};
/* False when it is no answer to a query. The message is read, not the code alone (R2.5). */
bool daraja_stk_query_answer_parse(const struct json_object *object, struct json_scratch *scratch,
                                   struct daraja_stk_query_answer *out) MUST_USE;

#endif
