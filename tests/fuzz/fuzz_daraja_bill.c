/*
 * fuzz_daraja_bill.c - any bytes as every message of bill manager.
 *
 * Must hold: what is accepted keeps the promises of its structure; what is refused says why in
 * printable characters, or is one of bill manager's own refusals.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "wire/daraja_bill.h"

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

static void invoice(struct json_object *object)
{
    static uint8_t room[2048];
    struct daraja_error error;
    struct daraja_invoice in;
    struct daraja_bill_reading reading = {scratch, writer_init(room, sizeof(room)), &error,
                                          DARAJA_BILL_NOT_REFUSED};
    if (daraja_invoice_parse(object, &reading, &in)) {
        CHECK(in.amount_minor > 0 && in.reference.size > 0 && in.account.size > 0);
        CHECK(in.msisdn / 100000000 == 2547 || in.msisdn / 100000000 == 2541);
        CHECK(in.items.size <= DARAJA_BILL_ITEMS_BYTES_MAX);
    } else if (reading.refusal == DARAJA_BILL_NOT_REFUSED) {
        check_error(&error);
    } else {
        CHECK(reading.refusal == DARAJA_BILL_PHONE || reading.refusal == DARAJA_BILL_DUE_DATE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct daraja_url_rule rule = {false, false};
    struct span body = {(const char *)data, size};
    struct daraja_biller biller;
    struct daraja_error error;
    struct span receipt;
    if (scratch == NULL) {
        scratch = json_scratch_create();
        CHECK(scratch != NULL);
    }
    if (daraja_biller_parse(body, &rule, scratch, &biller, &error)) {
        CHECK(biller.short_code >= 10000 && biller.url.size > 0);
    } else {
        check_error(&error);
    }
    if (!daraja_acknowledgement_parse(body, scratch, &receipt, &error)) {
        check_error(&error);
    }
    struct json_object *one = daraja_bill_open(body, false, scratch, &error);
    if (one != NULL) {
        invoice(one);
    } else {
        check_error(&error);
    }
    struct json_object *list = daraja_bill_open(body, true, scratch, &error);
    for (size_t i = 0; list != NULL && i < json_count(list); i++) {
        invoice(json_item(list, i));
    }
    return 0;
}
