/*
 * test_ids.c - calendar arithmetic and public identifiers (base/caltime, base/ids).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "base/ids.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int64_t at(const char *rfc3339)
{
    int64_t ns = 0;
    assert_true(rfc3339_parse(span_from(rfc3339), &ns));
    return ns;
}

/* Every day of the range, counted up by the plain rules of the calendar. */
static void test_calendar_every_day(void **state)
{
    (void)state;
    static const uint32_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t day_number = 0;
    for (int32_t year = 1970; year <= 2100; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (uint32_t month = 1; month <= 12; month++) {
            uint32_t length = month == 2 && leap ? 29 : lengths[month - 1];
            for (uint32_t day = 1; day <= length; day++, day_number++) {
                struct civil c;
                civil_from_day(day_number, &c);
                assert_int_equal(c.year, year);
                assert_int_equal(c.month, month);
                assert_int_equal(c.day, day);
                assert_int_equal(civil_to_day(&c), day_number);
            }
            struct civil none = {.year = year, .month = month, .day = length + 1};
            assert_false(civil_exists(&none));
        }
    }
    assert_true((int64_t)day_number * SECONDS_PER_DAY * NS_PER_S == CALTIME_END_NS);
}

static void test_calendar_round_trip(void **state)
{
    (void)state;
    static const int32_t offsets[] = {0, EAT_OFFSET_S, -EAT_OFFSET_S, 86399, -86399, 20700};
    for (int64_t ms = 0; ms < CALTIME_END_NS / NS_PER_MS; ms += 998244353) {
        for (size_t i = 0; i < COUNT(offsets); i++) {
            struct civil c;
            civil_from_ns(ms * NS_PER_MS + 999999, offsets[i], &c);
            assert_true(civil_exists(&c));
            assert_true(civil_to_ns(&c, offsets[i]) == ms * NS_PER_MS);
        }
    }
}

static void test_calendar_edges(void **state)
{
    (void)state;
    struct civil c;
    civil_from_ns(0, -1, &c);
    assert_int_equal(c.year, 1969);
    assert_int_equal(c.month, 12);
    assert_int_equal(c.day, 31);
    assert_int_equal(c.second, 59);
    civil_from_ns(CALTIME_END_NS - 1, EAT_OFFSET_S, &c);
    assert_int_equal(c.year, 2101);
    assert_int_equal(c.hour, 2);
    assert_int_equal(c.millisecond, 999);
    static const struct civil never[] = {
        {.year = 1968, .month = 12, .day = 31},
        {.year = 1969, .month = 12, .day = 30},
        {.year = 2101, .month = 1, .day = 2},
        {.year = 2102, .month = 1, .day = 1},
        {.year = 2026, .month = 0, .day = 1},
        {.year = 2026, .month = 13, .day = 1},
        {.year = 2026, .month = 1, .day = 0},
        {.year = 2100, .month = 2, .day = 29},
        {.year = 2026, .month = 1, .day = 1, .hour = 24},
        {.year = 2026, .month = 1, .day = 1, .minute = 60},
        {.year = 2026, .month = 1, .day = 1, .second = 60},
        {.year = 2026, .month = 1, .day = 1, .millisecond = 1000},
    };
    for (size_t i = 0; i < COUNT(never); i++) {
        assert_false(civil_exists(&never[i]));
    }
}

/* The Kenyan day turns at 21:00 UTC. */
static void test_eat_day_number(void **state)
{
    (void)state;
    assert_int_equal(eat_day_number(0), 0);
    assert_int_equal(eat_day_number(at("2025-12-31T20:59:59.999Z")),
                     eat_day_number(at("2025-12-31T09:00:00Z")));
    assert_int_equal(eat_day_number(at("2025-12-31T21:00:00Z")),
                     eat_day_number(at("2025-12-31T20:59:59.999Z")) + 1);
    assert_int_equal(eat_day_number(at("2000-01-01T00:00:00+03:00")), 10957);
}

static void test_rfc3339_format(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1767214800 * NS_PER_S, "2025-12-31T21:00:00.000Z"},
        {1709208000123456789, "2024-02-29T12:00:00.123Z"},
        {CALTIME_END_NS - 1, "2100-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[RFC3339_SIZE];
        assert_int_equal(rfc3339_format(cases[i].ns, out), 24);
        assert_string_equal(out, cases[i].text);
    }
}

static void test_rfc3339_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns; /* -1: refused */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00.5z", 500000000},
        {"1970-01-01T00:00:00.123456789Z", 123456789},
        {"1970-01-01T03:00:00+03:00", 0},
        {"1969-12-31T23:00:00-01:00", 0},
        {"2026-01-01T00:00:00+03:00", 1767214800 * NS_PER_S},
        {"2100-12-31T23:59:59.999999999Z", CALTIME_END_NS - 1},
        {"1969-12-31T23:59:59Z", -1},
        {"2101-01-01T00:00:00Z", -1},
        {"2101-01-01T02:59:59+03:00", CALTIME_END_NS - NS_PER_S},
        {"", -1},
        {"2026-01-01", -1},
        {"2026-01-01T00:00:00", -1},
        {"2026-01-01 00:00:00Z", -1},
        {"2026-02-29T00:00:00Z", -1},
        {"2026-01-01T24:00:00Z", -1},
        {"2026-01-01T00:00:60Z", -1},
        {"2026-01-01T00:00:00.Z", -1},
        {"2026-01-01T00:00:00.1234567890Z", -1},
        {"2026-01-01T00:00:00+0300", -1},
        {"2026-01-01T00:00:00+24:00", -1},
        {"2026-01-01T00:00:00+03:60", -1},
        {"2026-01-01T00:00:00Z ", -1},
        {"+026-01-01T00:00:00Z", -1},
        {"99999-01-01T00:00:00Z", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ns = -2;
        bool good = rfc3339_parse(span_from(cases[i].text), &ns);
        assert_int_equal(good, cases[i].ns >= 0);
        assert_true(ns == (good ? cases[i].ns : -2));
    }
}

static void test_eat_stamp(void **state)
{
    (void)state;
    char out[EAT_STAMP_SIZE];
    int64_t ns;
    assert_int_equal(eat_stamp_format(at("2019-12-19T07:21:15.9Z"), out), 14);
    assert_string_equal(out, "20191219102115");
    assert_true(eat_stamp_parse(span_from("20191219102115"), &ns));
    assert_true(ns == at("2019-12-19T07:21:15Z"));
    assert_int_equal(eat_stamp_format(CALTIME_END_NS - 1, out), 14);
    assert_string_equal(out, "21010101025959");
    assert_true(eat_stamp_parse(span_from("19700101030000"), &ns));
    assert_true(ns == 0);
    static const char *const never[] = {
        "",
        "2019121910211",
        "201912191021155",
        "20191319102115",
        "20190229102115",
        "20191219242115",
        "20191219106015",
        "20191219102160",
        "2019121910211x",
        "19700101025959", /* 1969 in UTC */
        "21010101030000",
    };
    for (size_t i = 0; i < COUNT(never); i++) {
        assert_false(eat_stamp_parse(span_from(never[i]), &ns));
    }
}

static void test_checkout_format(void **state)
{
    (void)state;
    char out[ID_TEXT_SIZE];
    /* A published sample: 27 November 2025, 13:38:14, serial 625, the sandbox's test phone. */
    id_checkout_format(at("2025-11-27T13:38:14+03:00"), 625, 254708374149, out);
    assert_string_equal(out, "ws_CO_27112025133814625708374149");
    id_checkout_format(0, 0, 254100000000, out);
    assert_string_equal(out, "ws_CO_01011970030000000100000000");
    id_checkout_format(CALTIME_END_NS - 1, UINT32_MAX, UINT64_MAX, out);
    assert_string_equal(out, "ws_CO_010121010259594294967295709551615");
}

static void test_checkout_round_trip(void **state)
{
    (void)state;
    static const uint32_t serials[] = {0, 7, 99, 100, 999, 1000, 123456, UINT32_MAX};
    for (size_t i = 0; i < COUNT(serials); i++) {
        char out[ID_TEXT_SIZE];
        int64_t second_ns = 0;
        uint32_t serial = 0, tail = 0;
        id_checkout_format(at("2026-08-01T09:30:05.750Z"), serials[i], 254701020304, out);
        assert_true(id_checkout_parse(span_from(out), &second_ns, &serial, &tail));
        assert_true(second_ns == at("2026-08-01T09:30:05Z"));
        assert_int_equal(serial, serials[i]);
        assert_int_equal(tail, 701020304);
    }
}

static void test_checkout_parse_refuses(void **state)
{
    (void)state;
    static const char *const never[] = {
        "",
        "ws_CO_",
        "ws_CO_2711202513381462570837414",         /* a digit short */
        "ws_co_27112025133814625708374149",        /* case */
        "ws_CO_31112025133814625708374149",        /* 31 November */
        "ws_CO_271120251338140625708374149",       /* a padded serial */
        "ws_CO_271120251338144294967296708374149", /* serial beyond 32 bits */
        "ws_CO_2711202513381499999999999999999999999708374149",
        "ws_CO_27112025133814625x08374149",
        "ws_CO_27112025133814625708374149 ",
        "ws_CO_01011970025959000100000000", /* before 1970 in UTC */
        "ws_CO_191220191020363925",         /* the older form is never ours */
        "ws_CO_DMZ_123_456",
    };
    int64_t second_ns = -7;
    uint32_t serial = 7, tail = 7;
    for (size_t i = 0; i < COUNT(never); i++) {
        assert_false(id_checkout_parse(span_from(never[i]), &second_ns, &serial, &tail));
        assert_true(second_ns == -7 && serial == 7 && tail == 7);
    }
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static void assert_grouped(const char *text, const char *counter)
{
    static const char form[] = "xxxx-4xxx-Vxxx-xxxxxxxxxxxx";
    assert_true(strlen(text) > sizeof(form) - 1);
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        switch (form[i]) {
        case 'x': assert_true(is_hex(text[i])); break;
        case 'V': assert_non_null(strchr("89ab", text[i])); break;
        default: assert_int_equal(text[i], form[i]); break;
        }
    }
    assert_string_equal(text + sizeof(form) - 1, counter);
}

static void test_merchant_request_form(void **state)
{
    (void)state;
    char a[ID_TEXT_SIZE], b[ID_TEXT_SIZE];
    id_merchant_request_format(1, 3130, a);
    assert_grouped(a, "3130");
    id_merchant_request_format(1, 3130, b);
    assert_string_equal(a, b); /* a pure function: replay prints the same id */
    id_request_format(1, 3130, b);
    assert_grouped(b, "3130");
    assert_string_not_equal(a, b);
    id_merchant_request_format(UINT64_MAX, UINT64_MAX, a);
    assert_grouped(a, "18446744073709551615");
    id_merchant_request_format(0, 0, a);
    assert_grouped(a, "0");
    assert_memory_not_equal(a, "0000", 4);
}

/* Neighbours look unrelated: no group repeats more often than chance allows. */
static void test_merchant_request_spread(void **state)
{
    (void)state;
    uint32_t same_first = 0, same_last = 0;
    char previous[ID_TEXT_SIZE];
    id_merchant_request_format(42, 0, previous);
    for (uint64_t counter = 1; counter < 20000; counter++) {
        char id[ID_TEXT_SIZE];
        id_merchant_request_format(42, counter, id);
        same_first += memcmp(id, previous, 4) == 0;
        same_last += memcmp(id + 15, previous + 15, 4) == 0;
        memcpy(previous, id, sizeof(id));
    }
    assert_true(same_first < 8);
    assert_true(same_last < 8);
}

static void test_receipt_samples(void **state)
{
    (void)state;
    static const struct {
        const char *receipt;
        const char *date;
    } cases[] = {
        {"NLJ7RT61SV", "2019-12-19T00:00:00+03:00"},
        {"TK60708BHZ", "2025-11-06T00:00:00+03:00"},
        {"OAK0000000", "2020-01-20T00:00:00+03:00"},
        {"SG632NMUAB", "2024-07-06T00:00:00+03:00"},
        {"A110000001", NULL}, /* month letters are A to L */
        {"AAV0000001", "2006-01-31T00:00:00+03:00"},
        {"ZLV0000001", "2031-12-31T00:00:00+03:00"},
        {"0A10000001", "2032-01-01T00:00:00+03:00"},
        {"9LVZZZZZZZ", "2041-12-31T00:00:00+03:00"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t day = 0;
        uint64_t serial = 0;
        char out[ID_RECEIPT_SIZE];
        bool good = id_receipt_parse(span_from(cases[i].receipt), &day, &serial);
        assert_int_equal(good, cases[i].date != NULL);
        if (good) {
            assert_int_equal(day, eat_day_number(at(cases[i].date)));
            id_receipt_format(day, serial, out);
            assert_string_equal(out, cases[i].receipt);
        }
    }
}

static void test_receipt_every_day(void **state)
{
    (void)state;
    uint32_t first = eat_day_number(at("2006-01-01T00:00:00+03:00"));
    uint32_t last = eat_day_number(at("2041-12-31T00:00:00+03:00"));
    uint64_t serial = 1;
    for (uint32_t day = first; day <= last; day++) {
        char out[ID_RECEIPT_SIZE];
        uint32_t day_back = 0;
        uint64_t serial_back = 0;
        id_receipt_format(day, serial, out);
        assert_true(id_receipt_parse(span_from(out), &day_back, &serial_back));
        assert_int_equal(day_back, day);
        assert_true(serial_back == serial);
        serial = serial * 48271 % ID_RECEIPT_SERIAL_END;
    }
    /* Years outside the 36 symbols are printed all the same: a virtual clock may go there. */
    char early[ID_RECEIPT_SIZE], late[ID_RECEIPT_SIZE];
    id_receipt_format(0, 0, early);
    id_receipt_format(eat_day_number(CALTIME_END_NS - 1), ID_RECEIPT_SERIAL_END - 1, late);
    assert_string_equal(early, "AA10000000");
    assert_memory_equal(late + 1, "A1ZZZZZZZ", 10);
}

static void test_receipt_refuses(void **state)
{
    (void)state;
    static const char *const never[] = {
        "",           "NLJ7RT61S",  "NLJ7RT61SVV", "nlj7rt61sv", "NMJ7RT61SV",
        "NL07RT61SV", "NLW7RT61SV", "NBU7RT61SV", /* 30 February */
        "NL 7RT61SV", "NLJ7RT61S.", "N9J7RT61SV",  "[LJ7RT61SV", "@LJ7RT61SV",
    };
    uint32_t day = 7;
    uint64_t serial = 7;
    for (size_t i = 0; i < COUNT(never); i++) {
        assert_false(id_receipt_parse(span_from(never[i]), &day, &serial));
        assert_true(day == 7 && serial == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar_every_day),
        cmocka_unit_test(test_calendar_round_trip),
        cmocka_unit_test(test_calendar_edges),
        cmocka_unit_test(test_eat_day_number),
        cmocka_unit_test(test_rfc3339_format),
        cmocka_unit_test(test_rfc3339_parse),
        cmocka_unit_test(test_eat_stamp),
        cmocka_unit_test(test_checkout_format),
        cmocka_unit_test(test_checkout_round_trip),
        cmocka_unit_test(test_checkout_parse_refuses),
        cmocka_unit_test(test_merchant_request_form),
        cmocka_unit_test(test_merchant_request_spread),
        cmocka_unit_test(test_receipt_samples),
        cmocka_unit_test(test_receipt_every_day),
        cmocka_unit_test(test_receipt_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
