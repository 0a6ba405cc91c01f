/*
 * test_liberal.c - values as they really come: exact or refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "wire/liberal.h"

static void amounts_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t minor;
    } rows[] = {
        {"1", 100},
        {"1.0", 100},
        {"1.00", 100},
        {" 22.40 ", 2240},
        {"-1540.00", -154000},
        {"-1980.0", -198000},
        {"+5", 500},
        {"0", 0},
        {"0.00", 0},
        {"-0.00", 0},
        {"000", 0},
        {"1,234,567.50", 123456750},
        {"12,000", 1200000},
        {"1.2345E7", 1234500000},
        {"1.0e+2", 10000},
        {"1500E-2", 1500},
        {"300.000000", 30000},
        {"9999999999999999.99", 999999999999999999},
        {"10000000000000000", 1000000000000000000},
        {"100.", 10000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t minor = 0;
        assert_true(liberal_amount(span_from(rows[i].text), &minor));
        assert_int_equal(minor, rows[i].minor);
    }
}

static void what_is_no_exact_amount_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        " ",
        "-",
        ".5",
        "x",
        "1.005",
        "1.2.3",
        "1,00",
        "1,2345",
        ",100",
        "1234,567",
        "1,234,",
        "1e",
        "1e+",
        "1e99",
        "0x10",
        "1 000",
        "--1",
        "KES 100",
        "1/2",
        "NaN",
        "1e-3",
        "1,",
        "1.0E7x",
        "123456789012345678",
        "922337203685477580.8",
        "99999999999999999999999",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t minor = 77;
        if (liberal_amount(span_from(rows[i]), &minor)) {
            fail_msg("\"%s\" was read as %lld", rows[i], (long long)minor);
        }
        assert_int_equal(minor, 77);
    }
}

static void phones_come_in_five_forms(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "254708374149", "+254708374149", "0708374149", "708374149", " +254 708 374-149",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t msisdn = 0;
        assert_true(liberal_phone(span_from(rows[i]), &msisdn));
        assert_true(msisdn == UINT64_C(254708374149));
    }
    uint64_t other = 0;
    assert_true(liberal_phone(SPAN_LITERAL("0110123456"), &other));
    assert_true(other == UINT64_C(254110123456));
}

static void what_is_no_kenyan_mobile_in_full_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2547 ***** 126",
        "254******867",
        "0722",
        "255708374149",
        "254208374149",
        "1708374149",
        "25470837414",
        "2547083741490",
        "2547+08374149",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t msisdn = 77;
        assert_false(liberal_phone(span_from(rows[i]), &msisdn));
        assert_true(msisdn == 77);
    }
}

static void times_are_kenyan_in_every_form(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "20240706224852",      "2.0240706224852E13",   "06.07.2024 22:48:52",
        "6/7/2024 22:48:52",   "2024-07-06T22:48:52Z", "2024-07-06T22:48:52.000+03:00",
        "2024-07-06 22:48:52", "06-07-2024 22:48:52",
    };
    int64_t expected = 0;
    assert_true(rfc3339_parse(SPAN_LITERAL("2024-07-06T19:48:52Z"), &expected));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ns = 0;
        if (!liberal_time_eat(span_from(rows[i]), &ns)) {
            fail_msg("\"%s\" was not read", rows[i]);
        }
        assert_true(ns == expected);
    }
    int64_t ns = 0;
    assert_true(liberal_time_eat(SPAN_LITERAL("2020-08-04 8:36"), &ns));
    assert_true(rfc3339_parse(SPAN_LITERAL("2020-08-04T05:36:00Z"), &expected));
    assert_true(ns == expected);
    assert_true(liberal_time_eat(SPAN_LITERAL("2021-09-15"), &ns));
    assert_true(rfc3339_parse(SPAN_LITERAL("2021-09-14T21:00:00Z"), &expected));
    assert_true(ns == expected);
}

static void dates_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "20240230000000",
        "30.02.2024 10:00:00",
        "13/13/2021 10:00",
        "2024-07-06T22",
        "2024-07-06T22:48:52X",
        "2024-07-06T22:48:52.Z",
        "2024-07-06T22:48:52+01:00",
        "06.07.24 22:48:52",
        "2024-07-06T25:00:00",
        "-20240706224852",
        "1969-12-31",
        "20,240,706,224,852",
        "2024-07",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ns = 77;
        if (liberal_time_eat(span_from(rows[i]), &ns)) {
            fail_msg("\"%s\" was read", rows[i]);
        }
        assert_int_equal(ns, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_exact),
        cmocka_unit_test(what_is_no_exact_amount_is_refused),
        cmocka_unit_test(phones_come_in_five_forms),
        cmocka_unit_test(what_is_no_kenyan_mobile_in_full_is_refused),
        cmocka_unit_test(times_are_kenyan_in_every_form),
        cmocka_unit_test(dates_that_do_not_exist_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
