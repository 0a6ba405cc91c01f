/*
 * fuzz_daraja_c2b.c - any bytes as every message of C2B and Pull Transactions, and as the answer of
 * a validation URL.
 *
 * Must hold: what is accepted keeps the promises of its structure; what is refused says why in
 * printable characters.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "wire/daraja_c2b.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_scratch *scratch;

static void check_error(const struct daraja_error *error)
{
    CHECK(error->kind == DARAJA_ERROR_INVALID_FIELD || error->kind == DARAJA_ERROR_INVALID_PAYLOAD);
    CHECK(error->explain[0] != '\0');
    for (const char *at = error->explain; *at != '\0'; at++) {
        CHECK(*at >= ' ' && *at <= '~');
    }
}

static void check_short_code(uint32_t short_code)
{
    CHECK(short_code >= 10000 && short_code <= 9999999);
}

static void registrations(struct span body)
{
    const struct daraja_url_rule rule = {false, false};
    struct daraja_error error;
    struct daraja_c2b_register asked;
    struct daraja_pull_register pull;
    if (daraja_c2b_register_parse(body, &rule, true, scratch, &asked, &error)) {
        check_short_code(asked.short_code);
        CHECK(asked.confirmation_url.size > 0);
        CHECK(asked.confirmation_url.size <= DARAJA_URL_BYTES_MAX);
        CHECK(asked.validation_url.size <= DARAJA_URL_BYTES_MAX);
    } else {
        check_error(&error);
    }
    if (daraja_pull_register_parse(body, &rule, scratch, &pull, &error)) {
        check_short_code(pull.short_code);
        CHECK(pull.number / 100000000 == 2547 || pull.number / 100000000 == 2541);
    } else {
        check_error(&error);
    }
}

static void payments(struct span body)
{
    struct daraja_error error;
    struct daraja_c2b_simulate asked;
    struct daraja_pull_query query;
    if (daraja_c2b_simulate_parse(body, scratch, &asked, &error)) {
        check_short_code(asked.short_code);
        CHECK(asked.amount_minor > 0 && asked.amount_minor % 100 == 0);
        CHECK(asked.buy_goods || asked.reference.size > 0);
    } else {
        check_error(&error);
    }
    if (daraja_pull_query_parse(body, scratch, &query, &error)) {
        check_short_code(query.short_code);
        CHECK(query.start_ns <= query.end_ns);
    } else {
        check_error(&error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = {(const char *)data, size};
    struct daraja_c2b_verdict verdict;
    if (scratch == NULL) {
        scratch = json_scratch_create();
        CHECK(scratch != NULL);
    }
    registrations(body);
    payments(body);
    if (daraja_c2b_verdict_parse(body, scratch, &verdict)) {
        CHECK(verdict.accepted == (verdict.rejected == 0));
        CHECK(verdict.rejected <= 6 && verdict.third_party_id.size <= 100);
    }
    return 0;
}
