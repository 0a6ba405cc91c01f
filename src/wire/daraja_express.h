/*
 * daraja_express.h - the bytes of B2B express checkout, which has a manner of its own: a request
 * without initiator, an answer of two fields, and a flat callback whose values are all strings.
 * Sources: docs/daraja-notes.md. Tests: tests/unit/test_daraja_initiated.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_EXPRESS_H
#define HAKIKA_WIRE_DARAJA_EXPRESS_H

#include <stdint.h>

#include "base/codec.h"
#include "wire/daraja_error.h"
#include "wire/daraja_url.h"
#include "wire/json.h"

struct daraja_express {
    uint32_t till;    /* primaryShortCode: pays */
    uint32_t paybill; /* receiverShortCode: is paid */
    int64_t amount_minor;
    struct span reference; /* paymentRef */
    struct span callback_url;
    struct span partner;    /* partnerName: who is shown in the prompt */
    struct span request_id; /* RequestRefID: the caller's own, another one for each request */
};

/* True and *out filled, or false and *error filled. */
bool daraja_express_parse(struct span body, const struct daraja_url_rule *rule,
                          struct json_scratch *scratch, struct daraja_express *out,
                          struct daraja_error *error) MUST_USE;

void daraja_express_accepted_render(struct writer *w);

struct daraja_express_result {
    const char *code; /* "0", "4001" */
    const char *desc;
    struct span request_id;
    int64_t amount_minor;
    struct span reference;       /* told when it failed */
    const char *conversation_id; /* told when it is paid, with the receipt */
    const char *transaction_id;
};
void daraja_express_render(struct writer *w, const struct daraja_express_result *result);

#endif
