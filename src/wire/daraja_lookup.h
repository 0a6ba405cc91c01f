/*
 * daraja_lookup.h - the bytes of Daraja's calls that are answered at once and change nothing:
 * dynamic QR, IMSI and SIM swap, organisation info.
 * Sources: docs/daraja-notes.md. Tests: tests/unit/test_daraja_requests.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_LOOKUP_H
#define HAKIKA_WIRE_DARAJA_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/span.h"
#include "wire/daraja_error.h"
#include "wire/json.h"

enum { DARAJA_QR_PIXELS_MIN = 64, DARAJA_QR_PIXELS_MAX = 1024 };

struct daraja_qr {
    struct span merchant_name;
    struct span reference;
    int64_t amount_minor; /* whole shillings, 1 to 250,000 */
    char code[3];         /* "BG", "WA", "PB", "SM" or "SB" */
    struct span cpi;      /* till, paybill or MSISDN: digits */
    uint32_t pixels;      /* a side of the square */
};

/* True and *out filled, or false and *error filled. */
bool daraja_qr_parse(struct span body, struct json_scratch *scratch, struct daraja_qr *out,
                     struct daraja_error *error) MUST_USE;
/*
 * What the picture says. Safaricom publishes no form; this one is ours, and the phones of the
 * console read it: hakika:pay?code=PB&cpi=174379&amount=100&ref=INV-1&name=..., percent-encoded.
 */
void daraja_qr_text_render(struct writer *w, const struct daraja_qr *qr);
void daraja_qr_answer_render(struct writer *w, const char *response_code, const char *request_id,
                             struct span png);

/* {"customerNumber":"2547..."} */
bool daraja_customer_parse(struct span body, struct json_scratch *scratch, uint64_t *msisdn_out,
                           struct daraja_error *error) MUST_USE;

struct daraja_customer {
    const char *request_id;
    uint64_t msisdn;
    const char *imsi;
    const char *registered; /* dd-mm-yyyy */
    const char *swapped;    /* dd-mm-yyyy, in version 2 with HH:MM */
};
/* version 1: IMSI and age on the network; 2: the last SIM swap. */
void daraja_customer_render(struct writer *w, const struct daraja_customer *c, uint32_t version);
void daraja_customer_unknown_render(struct writer *w, const char *request_id);

struct daraja_org_query {
    uint32_t short_code;
    bool is_till; /* IdentifierType 2 */
};
bool daraja_org_query_parse(struct span body, struct json_scratch *scratch,
                            struct daraja_org_query *out, struct daraja_error *error) MUST_USE;
/* name empty: there is no such organisation. */
void daraja_org_render(struct writer *w, const char *conversation_id,
                       const struct daraja_org_query *query, struct span name,
                       const char *charge_profile);

#endif
