/*
 * test_daraja_ratiba.c - the bytes of M-Pesa Ratiba: requests read and refused field by field, the
 * answer, and the callbacks of success and failure to the letter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "wire/daraja_ratiba.h"

/* A false CHECK ends the test. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct daraja_url_rule LAX = {false, false};
static struct json_scratch *scratch;

static uint32_t day_of(int32_t year, uint32_t month, uint32_t day)
{
    const struct civil c = {.year = year, .month = month, .day = day};
    return civil_to_day(&c);
}

/* The portal's request with one member replaced (NULL: left out). */
static bool parse(const char *name, const char *value, struct daraja_ratiba *out,
                  struct daraja_error *error)
{
    static const char *const members[][2] = {
        {"StandingOrderName", "\"Test Standing Order\""},
        {"StartDate", "\"20260905\""},
        {"EndDate", "\"20270905\""},
        {"BusinessShortCode", "\"174379\""},
        {"TransactionType", "\"Standing Order Customer Pay Bill\""},
        {"ReceiverPartyIdentifierType", "\"4\""},
        {"Amount", "\"4500\""},
        {"PartyA", "\"254708374149\""},
        {"CallBackURL", "\"https://mydomain.com/pat\""},
        {"AccountReference", "\"Test\""},
        {"TransactionDesc", "\"Test\""},
        {"Frequency", "\"2\""},
    };
    char body[1024] = "{";
    for (size_t i = 0; i < COUNT(members); i++) {
        const char *text = strcmp(members[i][0], name) == 0 ? value : members[i][1];
        if (text != NULL) {
            size_t size = strlen(body);
            (void)snprintf(body + size, sizeof(body) - size, "%s\"%s\":%s", size > 1 ? "," : "",
                           members[i][0], text);
        }
    }
    size_t size = strlen(body);
    (void)snprintf(body + size, sizeof(body) - size, "}");
    return daraja_ratiba_parse(span_from(body), &LAX, day_of(2026, 9, 5), scratch, out, error);
}

static void the_portals_request(void **state)
{
    (void)state;
    struct daraja_ratiba in;
    struct daraja_error error;
    assert_true(parse("", NULL, &in, &error));
    assert_true(span_is(in.name, "Test Standing Order"));
    assert_int_equal(in.start_day, day_of(2026, 9, 5));
    assert_int_equal(in.end_day, day_of(2027, 9, 5));
    assert_int_equal(in.short_code, 174379);
    assert_false(in.buy_goods);
    assert_int_equal(in.amount_minor, 450000);
    assert_int_equal(in.msisdn, 254708374149);
    assert_true(span_is(in.callback_url, "https://mydomain.com/pat"));
    assert_true(span_is(in.reference, "Test"));
    assert_int_equal(in.frequency, 2);
}

static void numbers_and_other_spellings(void **state)
{
    (void)state;
    struct daraja_ratiba in;
    struct daraja_error error;
    assert_true(parse("StartDate", "20260905", &in, &error));
    assert_true(parse("Amount", "4500", &in, &error));
    assert_true(parse("Frequency", "8", &in, &error));
    assert_int_equal(in.frequency, 8);
    assert_true(parse("TransactionDesc", NULL, &in, &error));
    assert_int_equal(in.description.size, 0);
    assert_true(parse("EndDate", "\"20260905\"", &in, &error)); /* the same day */
    const char till[] = "{\"StandingOrderName\":\"a\",\"StartDate\":\"20260905\","
                        "\"EndDate\":\"20260906\",\"BusinessShortCode\":5551234,"
                        "\"TransactionType\":\"Standing Order Customer Pay Marchant\","
                        "\"ReceiverPartyIdentifierType\":2,\"Amount\":1,"
                        "\"PartyA\":254711000001,\"CallBackURL\":\"http://a.b/c\","
                        "\"Frequency\":1}";
    assert_true(daraja_ratiba_parse(span_from(till), &LAX, 0, scratch, &in, &error));
    assert_true(in.buy_goods);
    assert_int_equal(in.reference.size, 0);
}

static void refusals_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *reported;
    } rows[] = {
        {"StandingOrderName", NULL, "StandingOrderName"},
        {"StandingOrderName", "\"\"", "StandingOrderName"},
        {"StartDate", "\"2026-09-05\"", "StartDate"},
        {"StartDate", "\"20260931\"", "StartDate"},
        {"StartDate", "\"20260904\"", "StartDate"}, /* yesterday */
        {"EndDate", "\"20260904\"", "EndDate"},
        {"EndDate", "\"21010101\"", "EndDate"},
        {"EndDate", NULL, "EndDate"},
        {"BusinessShortCode", "\"12\"", "BusinessShortCode"},
        {"TransactionType", "\"CustomerPayBillOnline\"", "TransactionType"},
        {"ReceiverPartyIdentifierType", "\"1\"", "ReceiverPartyIdentifierType"},
        {"ReceiverPartyIdentifierType", "\"2\"", "ReceiverPartyIdentifierType"}, /* a paybill */
        {"Amount", "\"0\"", "Amount"},
        {"Amount", "\"1.50\"", "Amount"},
        {"PartyA", "\"0708374149\"", "PartyA"},
        {"CallBackURL", "\"mydomain\"", "CallBackURL"},
        {"AccountReference", NULL, "AccountReference"},
        {"Frequency", "\"9\"", "Frequency"},
        {"Frequency", NULL, "Frequency"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct daraja_ratiba in;
        struct daraja_error error;
        assert_false(parse(rows[i].name, rows[i].value, &in, &error));
        assert_int_equal(error.kind, DARAJA_ERROR_INVALID_FIELD);
        assert_string_equal(error.detail, rows[i].reported);
        assert_true(strlen(error.explain) > 0);
    }
    struct daraja_ratiba in;
    struct daraja_error error;
    assert_false(daraja_ratiba_parse(span_from("[]"), &LAX, 0, scratch, &in, &error));
    assert_int_equal(error.kind, DARAJA_ERROR_INVALID_PAYLOAD);
}

static void the_answer(void **state)
{
    (void)state;
    char buffer[512];
    struct writer w = writer_init(buffer, sizeof(buffer));
    daraja_ratiba_accepted_render(&w, SPAN_LITERAL("4dd9-42ba"));
    assert_false(w.overflow);
    assert_true(
        span_is((struct span){buffer, w.size},
                "{\"ResponseHeader\":{\"responseRefID\":\"4dd9-42ba\",\"responseCode\":\"200\","
                "\"responseDescription\":\"Request accepted for processing\","
                "\"ResultDesc\":\"The service request is processed successfully.\"},"
                "\"ResponseBody\":{\"responseDescription\":\"Request accepted for processing\","
                "\"responseCode\":\"200\"}}"));
}

static void the_callbacks(void **state)
{
    (void)state;
    char buffer[1024];
    struct writer w = writer_init(buffer, sizeof(buffer));
    struct daraja_ratiba_result r = {.code = "0",
                                     .desc = "",
                                     .response_id = SPAN_LITERAL("0acc-1"),
                                     .request_id = SPAN_LITERAL("0acc-0"),
                                     .transaction_id = "SC8F2IQMH5",
                                     .msisdn = 254708374867};
    daraja_ratiba_render(&w, &r);
    assert_true(span_is(
        (struct span){buffer, w.size},
        "{\"responseHeader\":{\"responseRefID\":\"0acc-1\",\"requestRefID\":\"0acc-0\","
        "\"responseCode\":\"0\","
        "\"responseDescription\":\"The service request is processed successfully\"},"
        "\"responseBody\":{\"responseData\":[{\"name\":\"TransactionID\",\"value\":\"SC8F2IQMH5\"},"
        "{\"name\":\"responseCode\",\"value\":\"0\"},{\"name\":\"Status\",\"value\":\"OKAY\"},"
        "{\"name\":\"Msisdn\",\"value\":\"254******867\"}]}}"));
    w = writer_init(buffer, sizeof(buffer));
    r.code = "1037";
    r.desc = "DS timeout user cannot be reached.";
    r.msisdn = 254708374149;
    daraja_ratiba_render(&w, &r);
    assert_true(span_is(
        (struct span){buffer, w.size},
        "{\"ResponseHeader\":{\"responseRefID\":\"0acc-1\",\"requestRefID\":\"0acc-0\","
        "\"responseCode\":\"1037\","
        "\"responseDescription\":\"DS timeout user cannot be reached.\"},"
        "\"ResponseBody\":{\"ResponseData\":[{\"Name\":\"TransactionID\",\"Value\":\"0000000000\"},"
        "{\"Name\":\"responseCode\",\"Value\":\"1037\"},{\"Name\":\"Status\",\"Value\":\"ERROR\"},"
        "{\"Name\":\"Msisdn\",\"Value\":\"*********149\"}]}}"));
}

int main(void)
{
    scratch = json_scratch_create();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_portals_request),     cmocka_unit_test(numbers_and_other_spellings),
        cmocka_unit_test(refusals_name_the_field), cmocka_unit_test(the_answer),
        cmocka_unit_test(the_callbacks),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_scratch_destroy(scratch);
    return failed;
}
