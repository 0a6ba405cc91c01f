/*
 * fuzz_daraja_stk.c - any bytes as every message of the STK surface: a push, a query, a callback, a
 * URL, an Authorization header, a password, an id.
 *
 * Must hold: what is accepted keeps the promises of its structure; what is refused says why in
 * printable characters; a callback made from an accepted push is read back as it was written.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/caltime.h"
#include "base/ids.h"
#include "wire/daraja_fields.h"
#include "wire/daraja_stk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_scratch *scratch;

static void check_error(const struct daraja_error *error)
{
    char out[1024];
    CHECK(error->kind == DARAJA_ERROR_INVALID_FIELD || error->kind == DARAJA_ERROR_INVALID_PAYLOAD);
    CHECK(error->explain[0] != '\0');
    for (const char *at = error->explain; *at != '\0'; at++) {
        CHECK(*at >= ' ' && *at <= '~');
    }
    struct writer w = writer_init(out, sizeof(out));
    daraja_error_render(&w, error, SPAN_LITERAL("r"));
    CHECK(!w.overflow);
}

static bool is_phone(uint64_t number)
{
    uint64_t prefix = number / 100000000;
    return prefix == 2547 || prefix == 2541;
}

static void check_push(const struct daraja_stk_push *push)
{
    CHECK(push->business_short_code >= 10000 && push->business_short_code <= 9999999);
    CHECK(push->party_b >= 10000 && push->party_b <= 9999999);
    CHECK(push->password.size >= 1 && push->password.size <= DARAJA_PASSWORD_BYTES_MAX);
    CHECK(push->timestamp.size == 14);
    CHECK(push->type == DARAJA_PAYBILL_ONLINE || push->type == DARAJA_BUY_GOODS_ONLINE);
    CHECK(push->amount_minor >= 100 && push->amount_minor <= 25000000);
    CHECK(push->amount_minor % 100 == 0);
    CHECK(is_phone(push->party_a) && is_phone(push->phone_number));
    CHECK(push->callback_url.size >= 8 && push->callback_url.size <= DARAJA_URL_BYTES_MAX);
    CHECK(push->account_reference.size >= 1 &&
          push->account_reference.size <= DARAJA_TEXT_BYTES_MAX);
    CHECK(push->transaction_desc.size >= 1 && push->transaction_desc.size <= DARAJA_TEXT_BYTES_MAX);
}

/* Uses up the push: its texts do not outlive the next parse. */
static void round_trip(const struct daraja_stk_push *push)
{
    char out[1024];
    struct daraja_stk_callback callback;
    struct daraja_stk_result result = {
        .ids = {"m", "c"},
        .result_code = "0",
        .result_desc = "The service request is processed successfully.",
        .amount_minor = push->amount_minor,
        .receipt = "NLJ7RT61SV",
        .phone_number = push->phone_number,
    };
    memcpy(result.transaction_date, push->timestamp.data, push->timestamp.size);
    struct writer w = writer_init(out, sizeof(out));
    daraja_stk_callback_render(&w, &result);
    CHECK(!w.overflow);
    CHECK(daraja_stk_callback_parse((struct span){out, w.size}, scratch, &callback));
    CHECK(callback.has_amount && callback.amount_minor == result.amount_minor);
    CHECK(span_is(callback.transaction_date, result.transaction_date));
    uint64_t phone;
    CHECK(span_parse_u64(callback.phone_number, &phone) && phone == result.phone_number);
}

static void fuzz_push(struct span text, const struct daraja_url_rule *rule)
{
    struct daraja_stk_push push;
    struct daraja_error error;
    if (daraja_stk_push_parse(text, rule, scratch, &push, &error)) {
        check_push(&push);
        (void)!daraja_password_matches(push.password, push.business_short_code,
                                       SPAN_LITERAL("passkey"), push.timestamp);
        round_trip(&push);
    } else {
        check_error(&error);
    }
}

static void fuzz_query(struct span text)
{
    struct daraja_stk_query query;
    struct daraja_error error;
    if (daraja_stk_query_parse(text, scratch, &query, &error)) {
        CHECK(query.checkout_request_id.size >= 1 && query.checkout_request_id.size <= 63);
    } else {
        check_error(&error);
    }
}

static void fuzz_callback(struct span text)
{
    struct daraja_stk_callback callback;
    if (daraja_stk_callback_parse(text, scratch, &callback)) {
        CHECK(callback.checkout_request_id.size >= 1 && callback.result_code.size >= 1);
        CHECK(IMPLIES(callback.has_amount, callback.amount_minor >= 0));
    }
}

static void fuzz_headers(struct span text)
{
    struct span key, secret, token;
    char *decoded = malloc(text.size + 1);
    CHECK(decoded != NULL);
    if (daraja_basic_parse(text, decoded, text.size, &key, &secret)) {
        CHECK(key.size >= 1 && key.size + secret.size < text.size);
    }
    if (daraja_bearer_parse(text, &token)) {
        CHECK(token.size >= 1 && token.size + 7 <= text.size);
    }
    (void)!daraja_password_matches(text, 174379, SPAN_LITERAL("passkey"),
                                   SPAN_LITERAL("20210628092408"));
    free(decoded);
}

static void fuzz_url(struct span text)
{
    static const struct daraja_url_rule any = {false, false};
    static const struct daraja_url_rule strict = {true, true};
    bool good = daraja_url_refusal(text, &any) == NULL;
    bool good_strictly = daraja_url_refusal(text, &strict) == NULL;
    CHECK(IMPLIES(good_strictly, good && text.data[4] != ':'));
}

static void fuzz_ids(struct span text)
{
    char out[ID_TEXT_SIZE];
    char receipt[ID_RECEIPT_SIZE];
    int64_t ns;
    uint32_t serial, tail, day;
    uint64_t receipt_serial;
    if (id_checkout_parse(text, &ns, &serial, &tail)) {
        id_checkout_format(ns, serial, tail, out);
        CHECK(span_is(text, out));
    }
    if (id_receipt_parse(text, &day, &receipt_serial)) {
        id_receipt_format(day, receipt_serial, receipt);
        CHECK(span_is(text, receipt));
    }
    if (rfc3339_parse(text, &ns)) {
        CHECK(caltime_in_range(ns));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct daraja_url_rule any = {false, false};
    static const struct daraja_url_rule strict = {true, true};
    if (scratch == NULL) {
        scratch = json_scratch_create();
    }
    struct span text = {(const char *)data, size};
    fuzz_push(text, &any);
    fuzz_push(text, &strict);
    fuzz_query(text);
    fuzz_callback(text);
    fuzz_headers(text);
    fuzz_url(text);
    fuzz_ids(text);
    return 0;
}
