/*
 * fuzz_daraja_ratiba.c - any bytes as a request for a standing order, whose terms the operator
 * then computes dates with.
 *
 * Must hold: what is accepted keeps the promises of its structure and is an order that can be kept;
 * what is refused says why in printable characters.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "operator/standing.h"
#include "wire/daraja_ratiba.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void accepted(const struct daraja_ratiba *in)
{
    const struct standing_terms terms = {in->start_day, in->end_day, in->frequency};
    uint32_t day = 0;
    uint32_t before = 0;
    CHECK(in->short_code >= 10000 && in->short_code <= 9999999);
    CHECK(in->amount_minor > 0 && in->amount_minor % 100 == 0);
    CHECK(in->msisdn / 100000000 == 2547 || in->msisdn / 100000000 == 2541);
    CHECK(in->callback_url.size > 0 && in->callback_url.size <= DARAJA_URL_BYTES_MAX);
    CHECK(in->buy_goods || in->reference.size > 0);
    CHECK(standing_terms_good(&terms));
    CHECK(standing_day(&terms, 0, &before) && before == terms.start_day);
    for (uint32_t nth = 1; nth < 50 && standing_day(&terms, nth, &day); nth++) {
        CHECK(day > before && day <= terms.end_day);
        before = day;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_scratch *scratch;
    const struct daraja_url_rule rule = {false, false};
    struct daraja_ratiba in;
    struct daraja_error error;
    if (scratch == NULL) {
        scratch = json_scratch_create();
        CHECK(scratch != NULL);
    }
    if (daraja_ratiba_parse((struct span){(const char *)data, size}, &rule, 20000, scratch, &in,
                            &error)) {
        accepted(&in);
        return 0;
    }
    CHECK(error.kind == DARAJA_ERROR_INVALID_FIELD || error.kind == DARAJA_ERROR_INVALID_PAYLOAD);
    CHECK(error.explain[0] != '\0');
    for (const char *at = error.explain; *at != '\0'; at++) {
        CHECK(*at >= ' ' && *at <= '~');
    }
    return 0;
}
