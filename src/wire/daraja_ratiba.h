/*
 * daraja_ratiba.h - the bytes of M-Pesa Ratiba (standing orders), which has a manner of its own: an
 * answer and a callback of header and body, whose keys begin with a small letter in the callback
 * of a success and with a capital in that of a failure. Every value is a string.
 * Sources: docs/daraja-notes.md. Tests: tests/unit/test_daraja_ratiba.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_RATIBA_H
#define HAKIKA_WIRE_DARAJA_RATIBA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "wire/daraja_error.h"
#include "wire/daraja_url.h"
#include "wire/json.h"

struct daraja_ratiba {
    struct span name;     /* StandingOrderName */
    uint32_t start_day;   /* days since 1970-01-01 */
    uint32_t end_day;     /* not before start_day */
    uint32_t short_code;  /* BusinessShortCode: is paid */
    bool buy_goods;       /* TransactionType and ReceiverPartyIdentifierType say the same */
    int64_t amount_minor; /* whole shillings */
    uint64_t msisdn;      /* PartyA: pays, and is prompted */
    struct span callback_url;
    struct span reference;   /* AccountReference; may be empty for a till */
    struct span description; /* may be empty */
    uint8_t frequency;       /* 1 to 8 */
};

/* True and *out filled, or false and *error filled. today: the Kenyan day; no order starts before
 * it. */
bool daraja_ratiba_parse(struct span body, const struct daraja_url_rule *rule, uint32_t today,
                         struct json_scratch *scratch, struct daraja_ratiba *out,
                         struct daraja_error *error) MUST_USE;

void daraja_ratiba_accepted_render(struct writer *w, struct span response_id);

struct daraja_ratiba_result {
    const char *code; /* "0", "1037" */
    const char *desc; /* of a failure */
    struct span response_id;
    struct span request_id;     /* that of the answer that accepted the order */
    const char *transaction_id; /* of a success */
    uint64_t msisdn;            /* told masked */
};
void daraja_ratiba_render(struct writer *w, const struct daraja_ratiba_result *result);

#endif
