/*
 * test_daraja_c2b.c - C2B and Pull Transactions on the wire: every field that can be wrong, what a
 * validation URL may answer, messages byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "wire/daraja_c2b.h"

static struct json_scratch *scratch;
static const struct daraja_url_rule any_url = {false, false};

static int open_scratch(void **state)
{
    (void)state;
    scratch = json_scratch_create();
    return scratch == NULL ? -1 : 0;
}

static int close_scratch(void **state)
{
    (void)state;
    json_scratch_destroy(scratch);
    return 0;
}

static void registrations(void **state)
{
    (void)state;
    static const struct {
        const char *body, *wrong; /* NULL: nothing is */
        bool no_words;
    } rows[] = {
        {"{\"ShortCode\":600984,\"ResponseType\":\"Completed\",\"ConfirmationURL\":"
         "\"https://a.example/c\",\"ValidationURL\":\"https://a.example/v\"}",
         NULL, true},
        {"{\"ShortCode\":\"600984\",\"ResponseType\":\"Cancelled\",\"ConfirmationURL\":"
         "\"http://a.example/mpesa\",\"ValidationURL\":\"\"}",
         NULL, false},
        {"{\"ShortCode\":\"600984\",\"ResponseType\":\"Cancelled\",\"ConfirmationURL\":"
         "\"http://a.example/M-PESA\"}",
         "ConfirmationURL", true},
        {"{\"ShortCode\":\"600984\",\"ResponseType\":\"Cancelled\",\"ConfirmationURL\":"
         "\"http://a.example/c\",\"ValidationURL\":\"http://a.example/Exec\"}",
         "ValidationURL", true},
        {"{\"ShortCode\":\"984\"}", "ShortCode", false},
        {"{\"ShortCode\":600984,\"ResponseType\":\"CANCELLED\"}", "ResponseType", false},
        {"{\"ShortCode\":600984,\"ResponseType\":\"Completed\"}", "ConfirmationURL", false},
        {"{\"ShortCode\":600984,\"ResponseType\":\"Completed\",\"ConfirmationURL\":"
         "\"https://a.example\",\"ValidationURL\":7}",
         "ValidationURL", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct daraja_c2b_register out;
        struct daraja_error error;
        bool good = daraja_c2b_register_parse(span_from(rows[i].body), &any_url, rows[i].no_words,
                                              scratch, &out, &error);
        assert_int_equal(good, rows[i].wrong == NULL);
        if (good) {
            assert_int_equal(out.short_code, 600984);
            assert_int_equal(out.cancelled, i == 1);
            assert_int_equal(out.validation_url.size > 0, i == 0);
        } else {
            assert_string_equal(error.detail, rows[i].wrong);
        }
    }
}

static void simulations(void **state)
{
    (void)state;
    static const struct {
        const char *body, *wrong;
    } rows[] = {
        {"{\"ShortCode\":600984,\"CommandID\":\"CustomerPayBillOnline\",\"Amount\":\"1\","
         "\"Msisdn\":254708374149,\"BillRefNumber\":\"ref\"}",
         NULL},
        {"{\"ShortCode\":600984,\"CommandID\":\"CustomerBuyGoodsOnline\",\"Amount\":1.00,"
         "\"MSISDN\":\"254708374149\",\"BillRefNumber\":null}",
         NULL},
        {"{\"ShortCode\":600984,\"CommandID\":\"CustomerPayBillOnline\",\"Amount\":1,"
         "\"Msisdn\":254708374149}",
         "BillRefNumber"},
        {"{\"ShortCode\":600984,\"CommandID\":\"Pay\"}", "CommandID"},
        {"{\"ShortCode\":600984,\"CommandID\":\"CustomerPayBillOnline\",\"Amount\":-1}", "Amount"},
        {"{\"ShortCode\":600984,\"CommandID\":\"CustomerPayBillOnline\",\"Amount\":1,"
         "\"Msisdn\":\"+254708374149\"}",
         "Msisdn"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct daraja_c2b_simulate out;
        struct daraja_error error;
        bool good = daraja_c2b_simulate_parse(span_from(rows[i].body), scratch, &out, &error);
        assert_int_equal(good, rows[i].wrong == NULL);
        if (good) {
            assert_int_equal(out.buy_goods, i == 1);
            assert_int_equal(out.amount_minor, 100);
            assert_int_equal(out.msisdn, 254708374149);
        } else {
            assert_string_equal(error.detail, rows[i].wrong);
        }
    }
}

#define ELEVEN      "abcdefghijk"
#define NINETY_NINE ELEVEN ELEVEN ELEVEN ELEVEN ELEVEN ELEVEN ELEVEN ELEVEN ELEVEN

static void what_a_validation_url_may_answer(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        bool said, accepted;
        uint8_t rejected;
        const char *third_party;
    } rows[] = {
        {"{\"ResultCode\":\"0\",\"ResultDesc\":\"Accepted\"}", true, true, 0, ""},
        {"{\"ResultCode\":0,\"ThirdPartyTransID\":\"TP-1\"}", true, true, 0, "TP-1"},
        {"{\"ResultCode\":0,\"ThirdPartyTransID\":1234567890}", true, true, 0, "1234567890"},
        {"{\"ResultCode\":0,\"ThirdPartyTransID\":null}", true, true, 0, ""},
        {"{\"ResultCode\":0,\"ThirdPartyTransID\":{}}", true, true, 0, ""},
        {"{\"ResultCode\":0,\"ThirdPartyTransID\":\"" NINETY_NINE "\xc3\xa9\"}", true, true, 0,
         NINETY_NINE}, /* never half a letter */
        {"{\"ResultCode\":\"C2B00011\"}", true, false, 1, ""},
        {"{\"ResultCode\":\"C2B00016\"}", true, false, 6, ""},
        {"{\"ResultCode\":\"C2B00017\"}", true, false, 6, ""},
        {"{\"ResultCode\":1}", true, false, 6, ""},
        {"{\"ResultCode\":\"\"}", false, false, 0, ""},
        {"{\"ResultCode\":null}", false, false, 0, ""},
        {"{}", false, false, 0, ""},
        {"[]", false, false, 0, ""},
        {"ok", false, false, 0, ""},
        {"", false, false, 0, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct daraja_c2b_verdict out;
        bool said = daraja_c2b_verdict_parse(span_from(rows[i].answer), scratch, &out);
        assert_int_equal(said, rows[i].said);
        if (said) {
            assert_int_equal(out.accepted, rows[i].accepted);
            assert_int_equal(out.rejected, rows[i].rejected);
            assert_true(span_is(out.third_party_id, rows[i].third_party));
        }
    }
}

static void a_confirmation_byte_for_byte(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expected;
    } rows[] = {
        {"NICHOLAS", "\"FirstName\":\"NICHOLAS\",\"MiddleName\":\"\",\"LastName\":\"\"}"},
        {"John Doe", "\"FirstName\":\"John\",\"MiddleName\":\"\",\"LastName\":\"Doe\"}"},
        {" A  B C D ", "\"FirstName\":\"A\",\"MiddleName\":\"B\",\"LastName\":\"C D\"}"},
        {"", "\"FirstName\":\"\",\"MiddleName\":\"\",\"LastName\":\"\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024];
        char mask[24];
        struct writer w = writer_init(text, sizeof(text) - 1);
        daraja_c2b_mask(254708374126, mask);
        const struct daraja_c2b_message m = {
            .transaction_id = "RKL51ZDR4F",
            .time = "20231121121325",
            .amount_minor = 500,
            .short_code = 600966,
            .reference = SPAN_LITERAL("Sample Transaction"),
            .has_balance = true,
            .balance_minor = 2500,
            .msisdn = mask,
            .name = span_from(rows[i].name),
        };
        daraja_c2b_message_render(&w, &m);
        text[w.size] = '\0';
        static const char head[] =
            "{\"TransactionType\":\"Pay Bill\",\"TransID\":\"RKL51ZDR4F\",\"TransTime\":"
            "\"20231121121325\",\"TransAmount\":\"5.00\",\"BusinessShortCode\":\"600966\","
            "\"BillRefNumber\":\"Sample Transaction\",\"InvoiceNumber\":\"\","
            "\"OrgAccountBalance\":\"25.00\",\"ThirdPartyTransID\":\"\","
            "\"MSISDN\":\"2547 ***** 126\",";
        assert_memory_equal(text, head, sizeof(head) - 1);
        assert_string_equal(text + sizeof(head) - 1, rows[i].expected);
    }
}

static void times_of_a_pull(void **state)
{
    (void)state;
    static const struct {
        const char *start, *end, *offset, *wrong;
    } rows[] = {
        {"2020-08-04 8:36:00", "2020-08-16 10:10:00", "\"0\"", NULL},
        {"2020-08-04 08:36:00", "2020-08-04 08:36:00", "7", NULL},
        {"2020-08-04", "2020-08-16 10:10:00", "0", "StartDate"},
        {"2020-13-04 08:36:00", "2020-08-16 10:10:00", "0", "StartDate"},
        {"2020-08-04T08:36:00", "2020-08-16 10:10:00", "0", "StartDate"},
        {"2020-08-04 08:36:00", "2020-08-04 08:35:59", "0", "EndDate"},
        {"2020-08-04 08:36:00", "2020-08-16 10:10:0x", "0", "EndDate"},
        {"2020-08-04 08:36:00", "2020-08-16 10:10:00", "-1", "OffSetValue"},
        {"2020-08-04 08:36:00", "2020-08-16 10:10:00", "\"one\"", "OffSetValue"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char body[256];
        struct daraja_pull_query out;
        struct daraja_error error;
        (void)snprintf(body, sizeof(body),
                       "{\"ShortCode\":\"600000\",\"StartDate\":\"%s\",\"EndDate\":\"%s\","
                       "\"OffSetValue\":%s}",
                       rows[i].start, rows[i].end, rows[i].offset);
        bool good = daraja_pull_query_parse(span_from(body), scratch, &out, &error);
        assert_int_equal(good, rows[i].wrong == NULL);
        if (good) {
            assert_int_equal(out.start_ns, (int64_t)1596519360 * NS_PER_S);
            assert_int_equal(out.offset, i == 0 ? 0 : 7);
        } else {
            assert_string_equal(error.detail, rows[i].wrong);
        }
    }
}

static void answers_of_a_pull(void **state)
{
    (void)state;
    char text[1024];
    struct writer w = writer_init(text, sizeof(text) - 1);
    daraja_pull_open(&w, "r-1", true);
    daraja_pull_close(&w);
    text[w.size] = '\0';
    assert_string_equal(text, "{\"ResponseRefID\":\"r-1\",\"ResponseCode\":\"1001\","
                              "\"ResponseMessage\":\"No transactions found\",\"Response\":[[]]}");
    w = writer_init(text, sizeof(text) - 1);
    const struct daraja_pull_row row = {
        .transaction_id = "OH581Z",
        .at_ns = (int64_t)1596519360 * NS_PER_S,
        .msisdn = 254722000000,
        .sender = SPAN_LITERAL("UAT2"),
        .reference = SPAN_LITERAL("37207636392"),
        .amount_minor = 16800,
        .organisation = SPAN_LITERAL("Daraja Pull API Test"),
    };
    daraja_pull_open(&w, "r-1", false);
    daraja_pull_row_render(&w, &row);
    daraja_pull_close(&w);
    text[w.size] = '\0';
    assert_string_equal(
        text,
        "{\"ResponseRefID\":\"r-1\",\"ResponseCode\":\"1000\",\"ResponseMessage\":\"Success\","
        "\"Response\":[[{\"transactionId\":\"OH581Z\",\"trxDate\":\"2020-08-04T08:36:00Z\","
        "\"msisdn\":722000000,\"sender\":\"UAT2\",\"transactiontype\":\"c2b-pay-bill-debit\","
        "\"billreference\":\"37207636392\",\"amount\":\"168.00\","
        "\"organizationname\":\"Daraja Pull API Test\"}]]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registrations),
        cmocka_unit_test(simulations),
        cmocka_unit_test(what_a_validation_url_may_answer),
        cmocka_unit_test(a_confirmation_byte_for_byte),
        cmocka_unit_test(times_of_a_pull),
        cmocka_unit_test(answers_of_a_pull),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
