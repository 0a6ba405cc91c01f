/*
 * test_daraja_stk.c - the bytes of an STK push, its query, its callback, their errors and results.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/daraja_result.h"
#include "wire/daraja_stk.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct daraja_url_rule rule_any = {false, false};
static const struct daraja_url_rule rule_strict = {true, true};

static int setup(void **state)
{
    *state = json_scratch_create();
    return 0;
}

static int teardown(void **state)
{
    json_scratch_destroy(*state);
    return 0;
}

/* ---- Requests ------------------------------------------------------------------------------ */

enum { FIELDS = 11 };

/* A good push; tests replace one value by another piece of JSON. */
static const char *const push_fields[FIELDS][2] = {
    {"BusinessShortCode", "174379"},
    {"Password", "\"MTc0Mzc5cGFzc2tleTIwMjEwNjI4MDkyNDA4\""},
    {"Timestamp", "\"20210628092408\""},
    {"TransactionType", "\"CustomerPayBillOnline\""},
    {"Amount", "\"1\""},
    {"PartyA", "\"254722000000\""},
    {"PartyB", "\"174379\""},
    {"PhoneNumber", "\"254722111111\""},
    {"CallBackURL", "\"https://mydomain.com/path\""},
    {"AccountReference", "\"accountref\""},
    {"TransactionDesc", "\"txndesc\""},
};

/* The body with one field changed; value NULL leaves the field out. */
static struct span push_body(char *out, size_t capacity, const char *name, const char *value)
{
    struct writer w = writer_init(out, capacity);
    json_open(&w, '{');
    for (size_t i = 0; i < FIELDS; i++) {
        bool changed = name != NULL && strcmp(name, push_fields[i][0]) == 0;
        if (changed && value == NULL) {
            continue;
        }
        json_key(&w, push_fields[i][0]);
        json_raw(&w, changed ? value : push_fields[i][1]);
    }
    json_close(&w, '}');
    assert_false(w.overflow);
    return (struct span){out, w.size};
}

static bool push_parse(struct json_scratch *scratch, struct span body,
                       const struct daraja_url_rule *rule, struct daraja_stk_push *out,
                       struct daraja_error *error)
{
    /* The exact size, so that reading past the end is seen. */
    char *copy = malloc(body.size + (body.size == 0));
    assert_non_null(copy);
    if (body.size > 0) {
        memcpy(copy, body.data, body.size);
    }
    memset(error, 0, sizeof(*error));
    bool good = daraja_stk_push_parse((struct span){copy, body.size}, rule, scratch, out, error);
    free(copy);
    assert_int_equal(good, error->kind == DARAJA_ERROR_NONE);
    assert_int_equal(good, error->explain[0] == '\0');
    return good;
}

static void assert_envelope(const struct daraja_error *error, const char *expected)
{
    char out[512];
    struct writer w = writer_init(out, sizeof(out) - 1);
    daraja_error_render(&w, error, SPAN_LITERAL("r-1"));
    assert_false(w.overflow);
    out[w.size] = '\0';
    assert_string_equal(out, expected);
}

/* Refused, with the field that Daraja would name. */
static void assert_push_refused(struct json_scratch *scratch, const char *name, const char *value,
                                const char *reported)
{
    char body[4096];
    struct daraja_stk_push push;
    struct daraja_error error;
    if (push_parse(scratch, push_body(body, sizeof(body), name, value), &rule_any, &push, &error)) {
        fail_msg("accepted: %s %s", name, value == NULL ? "(missing)" : value);
    }
    assert_int_equal(error.kind, DARAJA_ERROR_INVALID_FIELD);
    assert_string_equal(error.detail, reported);
    assert_memory_equal(error.explain, name, strlen(name));
}

static void assert_push_accepted(struct json_scratch *scratch, const char *name, const char *value,
                                 struct daraja_stk_push *out)
{
    char body[4096];
    struct daraja_error error;
    if (!push_parse(scratch, push_body(body, sizeof(body), name, value), &rule_any, out, &error)) {
        fail_msg("refused: %s %s: %s", name, value, error.explain);
    }
}

static void test_push_sample(void **state)
{
    struct daraja_stk_push push;
    assert_push_accepted(*state, NULL, NULL, &push);
    assert_int_equal(push.business_short_code, 174379);
    assert_true(span_is(push.password, "MTc0Mzc5cGFzc2tleTIwMjEwNjI4MDkyNDA4"));
    assert_true(span_is(push.timestamp, "20210628092408"));
    assert_int_equal(push.type, DARAJA_PAYBILL_ONLINE);
    assert_int_equal(push.amount_minor, 100);
    assert_int_equal(push.party_a, 254722000000);
    assert_int_equal(push.party_b, 174379);
    assert_int_equal(push.phone_number, 254722111111);
    assert_true(span_is(push.callback_url, "https://mydomain.com/path"));
    assert_true(span_is(push.account_reference, "accountref"));
    assert_true(span_is(push.transaction_desc, "txndesc"));
    assert_true(daraja_password_matches(push.password, push.business_short_code,
                                        span_from("passkey"), push.timestamp));
}

/* What every field must refuse, whatever it is. */
static void test_push_every_field(void **state)
{
    static const char *const never[] = {NULL, "null", "{}", "[]", "true", "false", "\"\"", "[1]"};
    for (size_t i = 0; i < FIELDS; i++) {
        const char *name = push_fields[i][0];
        const char *reported = strcmp(name, "TransactionDesc") == 0 ? "Remarks" : name;
        for (size_t k = 0; k < COUNT(never); k++) {
            assert_push_refused(*state, name, never[k], reported);
        }
    }
}

/* With everything wrong, the first field of Daraja's order is named, then the next. */
static void test_push_order(void **state)
{
    for (size_t first = 0; first < FIELDS; first++) {
        char body[4096];
        struct daraja_stk_push push;
        struct daraja_error error;
        struct writer w = writer_init(body, sizeof(body));
        json_open(&w, '{');
        /* Backwards: the order of the text must not matter. */
        for (size_t i = FIELDS; i > 0; i--) {
            json_key(&w, push_fields[i - 1][0]);
            json_raw(&w, i - 1 < first ? push_fields[i - 1][1] : "\"\"");
        }
        json_close(&w, '}');
        assert_false(push_parse(*state, (struct span){body, w.size}, &rule_any, &push, &error));
        const char *name = push_fields[first][0];
        assert_string_equal(error.detail, first == FIELDS - 1 ? "Remarks" : name);
    }
}

static void test_push_short_codes(void **state)
{
    static const char *const fields[] = {"BusinessShortCode", "PartyB"};
    static const char *const good[] = {"12345", "\"12345\"", "9999999", "\"600000\"",
                                       "\"5551234\""};
    static const char *const bad[] = {
        "1234",         "\"1234\"",   "12345678",   "\"12345678\"", "-12345",
        "17437.9",      "174379.0",   "1e5",        "\" 174379\"",  "\"174379 \"",
        "\"17437a\"",   "\"012345\"", "\"+12345\"", "\"17 4379\"",  "99999999999999999999",
        "254722000000",
    };
    struct daraja_stk_push push;
    for (size_t f = 0; f < COUNT(fields); f++) {
        for (size_t i = 0; i < COUNT(good); i++) {
            assert_push_accepted(*state, fields[f], good[i], &push);
        }
        for (size_t i = 0; i < COUNT(bad); i++) {
            assert_push_refused(*state, fields[f], bad[i], fields[f]);
        }
    }
    assert_push_accepted(*state, "PartyB", "\"5551234\"", &push);
    assert_int_equal(push.party_b, 5551234);
    assert_int_equal(push.business_short_code, 174379);
}

static void test_push_phones(void **state)
{
    static const char *const fields[] = {"PartyA", "PhoneNumber"};
    static const char *const good[] = {"254708374149", "\"254708374149\"", "\"254110000000\""};
    static const char *const bad[] = {
        "\"0708374149\"",      "708374149",         "\"+254708374149\"",
        "\"25470837414\"",     "\"2547083741499\"", "254808374149",
        "255708374149",        "\"254 708374149\"", "\"254708374149 \"",
        "254708374149.0",      "2.54708374149e11",  "-254708374149",
        "\"25470837414x\"",    "\"2547\\u0660\"",   "99999999999999999999999999",
        "9223372036854775808",
    };
    struct daraja_stk_push push;
    for (size_t f = 0; f < COUNT(fields); f++) {
        for (size_t i = 0; i < COUNT(good); i++) {
            assert_push_accepted(*state, fields[f], good[i], &push);
        }
        for (size_t i = 0; i < COUNT(bad); i++) {
            assert_push_refused(*state, fields[f], bad[i], fields[f]);
        }
    }
    assert_push_accepted(*state, "PhoneNumber", "254110000000", &push);
    assert_int_equal(push.phone_number, 254110000000);
    assert_int_equal(push.party_a, 254722000000);
}

static void test_push_amounts(void **state)
{
    static const struct {
        const char *json;
        int64_t minor;
    } good[] = {
        {"1", 100},
        {"\"1\"", 100},
        {"1.0", 100},
        {"\"1.00\"", 100},
        {"10.00", 1000},
        {"250000", 25000000},
        {"\"250000.00\"", 25000000},
        {"\"0100\"", 10000},
    };
    static const char *const bad[] = {
        "0",
        "\"0\"",
        "0.00",
        "-1",
        "\"-1\"",
        "10.5",
        "\"10.50\"",
        "1.001",
        "1.000",
        "\"1.\"",
        "\".5\"",
        "1e2",
        "1E0",
        "\"1e2\"",
        "250001",
        "250000.01",
        "\"250,000\"",
        "\"1 \"",
        "\"+1\"",
        "\"KES 1\"",
        "1e400",
        "0.01",
        "99999999999999",
        "-0",
        "99999999999999999999999999999999",
        "\"99999999999999999999999999999999\"",
        "9223372036854775807",
        "\"0x10\"",
        "\"\\u0661\"",
    };
    struct daraja_stk_push push;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_push_accepted(*state, "Amount", good[i].json, &push);
        assert_int_equal(push.amount_minor, good[i].minor);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_push_refused(*state, "Amount", bad[i], "Amount");
    }
}

static void test_push_other_fields(void **state)
{
    static const char *const bad[][2] = {
        {"Password", "1"},
        {"Timestamp", "\"2021062809240\""},
        {"Timestamp", "\"202106280924081\""},
        {"Timestamp", "\"20211328092408\""},
        {"Timestamp", "\"20210229092408\""},
        {"Timestamp", "\"20210628242408\""},
        {"Timestamp", "\"2021-06-28 09:24\""},
        {"Timestamp", "20210628092408.0"},
        {"TransactionType", "\"customerpaybillonline\""},
        {"TransactionType", "\"CustomerPayBillOnline \""},
        {"TransactionType", "\"CustomerPayBill\""},
        {"TransactionType", "1"},
        {"CallBackURL", "\"mydomain.com\""},
        {"CallBackURL", "\"https://user@mydomain.com\""},
        {"CallBackURL", "\"https://mydomain.com/a b\""},
        {"CallBackURL", "\"https://mydomain.com/\\u000d\\u000aX: y\""},
        {"CallBackURL", "1"},
    };
    struct daraja_stk_push push;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_push_refused(*state, bad[i][0], bad[i][1], bad[i][0]);
    }
    assert_push_accepted(*state, "Timestamp", "20210628092408", &push);
    assert_true(span_is(push.timestamp, "20210628092408"));
    assert_push_accepted(*state, "TransactionType", "\"CustomerBuyGoodsOnline\"", &push);
    assert_int_equal(push.type, DARAJA_BUY_GOODS_ONLINE);
    assert_push_accepted(*state, "Password", "\"not even base64\"", &push);
}

/* Repeats a piece between quotes. */
static const char *repeated(char *out, size_t capacity, const char *piece, size_t count)
{
    struct writer w = writer_init(out, capacity - 1);
    json_raw(&w, "\"");
    for (size_t i = 0; i < count; i++) {
        json_raw(&w, piece);
    }
    json_raw(&w, "\"");
    assert_false(w.overflow);
    out[w.size] = '\0';
    return out;
}

/* The documented lengths (12, 13) are not enforced; 100 bytes are. */
static void test_push_texts(void **state)
{
    static const char *const fields[][2] = {
        {"AccountReference", "AccountReference"},
        {"TransactionDesc", "Remarks"},
    };
    char text[1024];
    struct daraja_stk_push push;
    for (size_t f = 0; f < COUNT(fields); f++) {
        const char *name = fields[f][0];
        assert_push_accepted(*state, name, repeated(text, sizeof(text), "a", 100), &push);
        assert_push_accepted(*state, name, repeated(text, sizeof(text), "\xe2\x82\xac", 33), &push);
        assert_push_accepted(*state, name, repeated(text, sizeof(text), "\\u20ac", 33), &push);
        assert_push_accepted(*state, name, "12345", &push);
        assert_push_accepted(*state, name, "\" \"", &push);
        assert_push_refused(*state, name, repeated(text, sizeof(text), "a", 101), fields[f][1]);
        assert_push_refused(*state, name, repeated(text, sizeof(text), "\xc3\xa9", 51),
                            fields[f][1]);
        assert_push_refused(*state, name, "\"a\\nb\"", fields[f][1]);
        assert_push_refused(*state, name, "\"a\\u001fb\"", fields[f][1]);
        assert_push_refused(*state, name, "\"a\x7f\"", fields[f][1]);
    }
    assert_push_accepted(*state, "AccountReference", "\"INV \\\"7\\\" caf\\u00e9\"", &push);
    assert_true(span_is(push.account_reference, "INV \"7\" caf\xc3\xa9"));
    assert_push_accepted(*state, "AccountReference", "12345678901234", &push);
    assert_true(span_is(push.account_reference, "12345678901234"));
}

static void test_push_password_length(void **state)
{
    char text[1024];
    struct daraja_stk_push push;
    assert_push_accepted(*state, "Password",
                         repeated(text, sizeof(text), "A", DARAJA_PASSWORD_BYTES_MAX), &push);
    assert_push_refused(*state, "Password",
                        repeated(text, sizeof(text), "A", DARAJA_PASSWORD_BYTES_MAX + 1),
                        "Password");
}

static void test_push_url_rule(void **state)
{
    static const struct {
        const char *url;
        bool strict;
    } cases[] = {
        {"\"https://shop.example.com/cb\"", true},
        {"\"http://shop.example.com/cb\"", false},
        {"\"https://localhost/cb\"", false},
        {"\"https://192.168.0.10/cb\"", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char body[4096];
        struct daraja_stk_push push;
        struct daraja_error error;
        struct span text = push_body(body, sizeof(body), "CallBackURL", cases[i].url);
        assert_true(push_parse(*state, text, &rule_any, &push, &error));
        assert_int_equal(push_parse(*state, text, &rule_strict, &push, &error), cases[i].strict);
    }
}

static void test_push_payload(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "null",
        "1",
        "\"BusinessShortCode\"",
        "[]",
        "[{}]",
        "{",
        "{\"Amount\":}",
        "BusinessShortCode=174379&Amount=1",
        "<xml/>",
        "{\"Amount\":1,\"Amount\":2}",
        "{\"Amount\":NaN}",
        "{} {}",
    };
    struct daraja_stk_push push;
    struct daraja_error error;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(push_parse(*state, span_from(bad[i]), &rule_any, &push, &error));
        assert_int_equal(error.kind, DARAJA_ERROR_INVALID_PAYLOAD);
    }
    assert_envelope(&error, "{\"requestId\":\"r-1\",\"errorCode\":\"400.002.05\","
                            "\"errorMessage\":\"Invalid Request Payload\"}");
    assert_false(push_parse(*state, span_from("{}"), &rule_any, &push, &error));
    assert_envelope(&error, "{\"requestId\":\"r-1\",\"errorCode\":\"400.002.02\","
                            "\"errorMessage\":\"Bad Request - Invalid BusinessShortCode\"}");
}

/* Members that we do not know are the client's own affair. */
static void test_push_unknown_members(void **state)
{
    char body[4096];
    struct daraja_stk_push push;
    struct daraja_error error;
    struct span text = push_body(body, sizeof(body), NULL, NULL);
    struct writer w = writer_init(body, sizeof(body));
    w.size = text.size - 1;
    json_key(&w, "amount");
    json_raw(&w, "{\"deep\":[1,{\"Amount\":7}]}");
    json_close(&w, '}');
    assert_true(push_parse(*state, (struct span){body, w.size}, &rule_any, &push, &error));
    assert_int_equal(push.amount_minor, 100);
}

static void test_push_explains(void **state)
{
    static const char *const cases[][3] = {
        {"PhoneNumber", "\"0712345678\"",
         "PhoneNumber must be 12 digits like 254712345678; got 0712... (10 digits)"},
        {"PhoneNumber", "\"+254712345678\"",
         "PhoneNumber must be 12 digits like 254712345678; got +254... (13 bytes)"},
        {"PartyA", "712", "PartyA must be 12 digits like 254712345678; got 712"},
        {"PartyA", NULL, "PartyA is missing"},
        {"PartyA", "null", "PartyA is null"},
        {"PartyA", "[]", "PartyA must be 12 digits like 254712345678"},
        {"Amount", "10.5", "Amount must be whole shillings from 1 to 250000; got 10.5"},
        {"Amount", "\"\"", "Amount must be whole shillings from 1 to 250000; got nothing"},
        {"Amount", "\"a\\r\\nSet-Cookie: b\\u20ac\"",
         "Amount must be whole shillings from 1 to 250000; got a??Set-Cookie: b???"},
        {"TransactionType", "\"a very long word that goes on and on\"",
         "TransactionType must be CustomerPayBillOnline or CustomerBuyGoodsOnline; "
         "got a very long word that go... (36 bytes)"},
        {"Password", "\"\"", "Password must be base64 of short code, passkey and timestamp"},
        {"CallBackURL", "\"http://me:secret@host\"",
         "CallBackURL must not hold a user name or password"},
        {"AccountReference", "\"\"", "AccountReference must be 1 to 100 bytes"},
        {"TransactionDesc", NULL, "TransactionDesc is missing"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char body[4096];
        struct daraja_stk_push push;
        struct daraja_error error;
        struct span text = push_body(body, sizeof(body), cases[i][0], cases[i][1]);
        assert_false(push_parse(*state, text, &rule_any, &push, &error));
        assert_memory_equal(error.explain, cases[i][2], strlen(cases[i][2]));
    }
}

/* A wrong value never shows more than its beginning, and a secret nothing at all. */
static void test_push_explains_no_secret(void **state)
{
    char text[1024], body[4096];
    struct daraja_stk_push push;
    struct daraja_error error;
    for (size_t i = 0; i < FIELDS; i++) {
        /* Three characters that are wrong everywhere, then ones that must not be repeated. */
        struct writer w = writer_init(text, sizeof(text) - 1);
        json_raw(&w, "\"\\u0001ab");
        for (size_t k = 0; k < 520; k++) {
            json_raw(&w, k < 21 ? "c" : "S");
        }
        json_raw(&w, "\"");
        text[w.size] = '\0';
        struct span whole = push_body(body, sizeof(body), push_fields[i][0], text);
        assert_false(push_parse(*state, whole, &rule_any, &push, &error));
        assert_null(strstr(error.explain, "cS"));
        assert_null(strstr(error.explain, "SS"));
    }
}

static bool query_parse(struct json_scratch *scratch, const char *body,
                        struct daraja_stk_query *out, struct daraja_error *error)
{
    memset(error, 0, sizeof(*error));
    return daraja_stk_query_parse(span_from(body), scratch, out, error);
}

static void test_query_parse(void **state)
{
    static const struct {
        const char *body;
        const char *reported; /* NULL: accepted; "": the payload as a whole */
    } cases[] = {
        {"{\"BusinessShortCode\":\"174379\",\"Password\":\"cA==\",\"Timestamp\":20210628092408,"
         "\"CheckoutRequestID\":\"ws_CO_13012021093521236557\"}",
         NULL},
        {"[]", ""},
        {"{}", "BusinessShortCode"},
        {"{\"BusinessShortCode\":174379}", "Password"},
        {"{\"BusinessShortCode\":174379,\"Password\":\"p\"}", "Timestamp"},
        {"{\"BusinessShortCode\":174379,\"Password\":\"p\",\"Timestamp\":\"20210628092408\"}",
         "CheckoutRequestID"},
        {"{\"BusinessShortCode\":174379,\"Password\":\"p\",\"Timestamp\":\"20210628092408\","
         "\"CheckoutRequestID\":\"\"}",
         "CheckoutRequestID"},
        {"{\"BusinessShortCode\":174379,\"Password\":\"p\",\"Timestamp\":\"20210628092408\","
         "\"CheckoutRequestID\":5}",
         "CheckoutRequestID"},
        {"{\"BusinessShortCode\":174379,\"Password\":\"p\",\"Timestamp\":\"20210628092408\","
         "\"CheckoutRequestID\":\"0123456789012345678901234567890123456789012345678901234567890123"
         "\"}",
         "CheckoutRequestID"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct daraja_stk_query query;
        struct daraja_error error;
        bool good = query_parse(*state, cases[i].body, &query, &error);
        assert_int_equal(good, cases[i].reported == NULL);
        if (!good) {
            bool field = cases[i].reported[0] != '\0';
            assert_int_equal(error.kind,
                             field ? DARAJA_ERROR_INVALID_FIELD : DARAJA_ERROR_INVALID_PAYLOAD);
            assert_string_equal(error.detail, cases[i].reported);
            continue;
        }
        assert_int_equal(query.business_short_code, 174379);
        assert_true(span_is(query.password, "cA=="));
        assert_true(span_is(query.timestamp, "20210628092408"));
        assert_true(span_is(query.checkout_request_id, "ws_CO_13012021093521236557"));
    }
}

/* ---- Answers ------------------------------------------------------------------------------- */

static const struct daraja_stk_ids ids = {"29115-34620561-1", "ws_CO_191220191020363925"};

#define IDS_JSON \
    "\"MerchantRequestID\":\"29115-34620561-1\",\"CheckoutRequestID\":\"ws_CO_191220191020363925\""

static const struct daraja_stk_result paid = {
    .ids = {"29115-34620561-1", "ws_CO_191220191020363925"},
    .result_code = "0",
    .result_desc = "The service request is processed successfully.",
    .amount_minor = 100,
    .receipt = "NLJ7RT61SV",
    .transaction_date = "20191219102115",
    .phone_number = 254708374149,
};

#define PAID_JSON                                                                             \
    "{\"Body\":{\"stkCallback\":{" IDS_JSON ",\"ResultCode\":0,"                              \
    "\"ResultDesc\":\"The service request is processed successfully.\",\"CallbackMetadata\":" \
    "{\"Item\":[{\"Name\":\"Amount\",\"Value\":1.00},{\"Name\":\"MpesaReceiptNumber\","       \
    "\"Value\":\"NLJ7RT61SV\"},{\"Name\":\"Balance\"},{\"Name\":\"TransactionDate\","         \
    "\"Value\":20191219102115},{\"Name\":\"PhoneNumber\",\"Value\":254708374149}]}}}}"

static void assert_written(const struct writer *w, const char *expected)
{
    assert_false(w->overflow);
    assert_int_equal(w->size, strlen(expected));
    assert_memory_equal(w->data, expected, w->size);
}

static void test_accepted_render(void **state)
{
    (void)state;
    char out[1024];
    struct writer w = writer_init(out, sizeof(out));
    daraja_stk_accepted_render(&w, &ids);
    assert_written(&w, "{" IDS_JSON ",\"ResponseCode\":\"0\",\"ResponseDescription\":"
                       "\"Success. Request accepted for processing\",\"CustomerMessage\":"
                       "\"Success. Request accepted for processing\"}");
}

static void test_query_render(void **state)
{
    (void)state;
    char out[1024];
    struct writer w = writer_init(out, sizeof(out));
    daraja_stk_query_result_render(&w, &paid);
    assert_written(&w, "{\"ResponseCode\":\"0\",\"ResponseDescription\":"
                       "\"The service request has been accepted successsfully\"," IDS_JSON
                       ",\"ResultCode\":\"0\",\"ResultDesc\":"
                       "\"The service request is processed successfully.\"}");
    w = writer_init(out, sizeof(out));
    daraja_stk_query_pending_render(&w, &ids);
    assert_written(&w, "{\"ResponseCode\":\"0\",\"ResponseDescription\":"
                       "\"The service request has been accepted successsfully\"," IDS_JSON
                       ",\"ResultCode\":\"4999\",\"ResultDesc\":"
                       "\"The transaction is still under processing\"}");
}

static void test_callback_render(void **state)
{
    (void)state;
    char out[1024];
    struct writer w = writer_init(out, sizeof(out));
    daraja_stk_callback_render(&w, &paid);
    assert_written(&w, PAID_JSON);
    /* Nothing is cut off: a buffer one byte short is an overflow. */
    w = writer_init(out, sizeof(PAID_JSON) - 2);
    daraja_stk_callback_render(&w, &paid);
    assert_true(w.overflow);
}

static void test_callback_render_failures(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"1032", "1032"},
        {"1", "1"},
        {"SFC_IC0003", "\"SFC_IC0003\""},
        {"E3008", "\"E3008\""},
        {"007", "\"007\""},
        {"", "\"\""},
        {"-1", "\"-1\""},
        {"1234567890123456789", "\"1234567890123456789\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[1024], expected[1024];
        struct daraja_stk_result result = {.ids = ids, .result_desc = "Request cancelled by user"};
        result.result_code = cases[i][0];
        struct writer w = writer_init(out, sizeof(out));
        daraja_stk_callback_render(&w, &result);
        struct writer e = writer_init(expected, sizeof(expected) - 1);
        json_raw(&e, "{\"Body\":{\"stkCallback\":{" IDS_JSON ",\"ResultCode\":");
        json_raw(&e, cases[i][1]);
        json_raw(&e, ",\"ResultDesc\":\"Request cancelled by user\"}}}");
        expected[e.size] = '\0';
        assert_written(&w, expected);
    }
}

static void test_callback_round_trip(void **state)
{
    char out[1024];
    struct daraja_stk_callback callback;
    struct writer w = writer_init(out, sizeof(out));
    daraja_stk_callback_render(&w, &paid);
    assert_true(daraja_stk_callback_parse((struct span){out, w.size}, *state, &callback));
    assert_true(span_is(callback.merchant_request_id, paid.ids.merchant_request_id));
    assert_true(span_is(callback.checkout_request_id, paid.ids.checkout_request_id));
    assert_true(span_is(callback.result_code, "0"));
    assert_true(span_is(callback.result_desc, paid.result_desc));
    assert_true(callback.has_amount);
    assert_int_equal(callback.amount_minor, 100);
    assert_true(span_is(callback.receipt, "NLJ7RT61SV"));
    assert_true(span_is(callback.transaction_date, "20191219102115"));
    assert_true(span_is(callback.phone_number, "254708374149"));
    /* Every result there is, there and back. */
    for (unsigned kind = 0; kind < DARAJA_RESULT_COUNT; kind++) {
        const struct daraja_result_text *text = daraja_result_text((enum daraja_result_kind)kind);
        struct daraja_stk_result result = paid;
        result.result_code = text->code;
        result.result_desc = text->desc;
        w = writer_init(out, sizeof(out));
        daraja_stk_callback_render(&w, &result);
        assert_true(daraja_stk_callback_parse((struct span){out, w.size}, *state, &callback));
        assert_true(span_is(callback.result_code, text->code));
        assert_true(span_is(callback.result_desc, text->desc));
        assert_int_equal(callback.has_amount, kind == DARAJA_RESULT_SUCCESS);
        assert_int_equal(callback.receipt.size > 0, kind == DARAJA_RESULT_SUCCESS);
    }
}

/* The forms in which the same callback has been seen. */
static void test_callback_variants(void **state)
{
    static const char *const bodies[] = {
        PAID_JSON,
        /* another order, a string for a number, a balance, members that nobody knows */
        "{\"Body\":{\"stkCallback\":{\"x\":{},\"ResultDesc\":\"ok\",\"ResultCode\":\"0\","
        "\"CheckoutRequestID\":\"ws_CO_191220191020363925\",\"MerchantRequestID\":\"1\","
        "\"CallbackMetadata\":{\"Item\":[{\"Name\":\"PhoneNumber\",\"Value\":\"254708374149\"},"
        "{\"Value\":\"NLJ7RT61SV\",\"Name\":\"MpesaReceiptNumber\"},{\"Name\":\"Amount\","
        "\"Value\":\"1\"},{\"Name\":\"Balance\",\"Value\":\"{Amount={}}\"},{\"Name\":\"Other\","
        "\"Value\":[]},{\"Name\":5,\"Value\":5},7,null,"
        "{\"Name\":\"TransactionDate\",\"Value\":\"20191219102115\"}]}}},\"y\":1}",
        "{\"Body\":{\"stkCallback\":{\"ResultCode\":0,\"CheckoutRequestID\":"
        "\"ws_CO_191220191020363925\",\"CallbackMetadata\":{\"Item\":[{\"Name\":\"Amount\","
        "\"Value\":1.0},{\"Name\":\"MpesaReceiptNumber\",\"Value\":\"NLJ7RT61SV\"},"
        "{\"Name\":\"TransactionDate\",\"Value\":20191219102115},"
        "{\"Name\":\"PhoneNumber\",\"Value\":254708374149}]}}}}",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct daraja_stk_callback callback;
        assert_true(daraja_stk_callback_parse(span_from(bodies[i]), *state, &callback));
        assert_true(span_is(callback.result_code, "0"));
        assert_true(span_is(callback.checkout_request_id, ids.checkout_request_id));
        assert_true(callback.has_amount && callback.amount_minor == 100);
        assert_true(span_is(callback.receipt, "NLJ7RT61SV"));
        assert_true(span_is(callback.transaction_date, "20191219102115"));
        assert_true(span_is(callback.phone_number, "254708374149"));
    }
}

#define CALLBACK(inside) "{\"Body\":{\"stkCallback\":{\"CheckoutRequestID\":\"c\"," inside "}}}"

static void test_callback_partial(void **state)
{
    static const struct {
        const char *body;
        bool good;
        bool has_amount;
    } cases[] = {
        {CALLBACK("\"ResultCode\":1032"), true, false},
        {CALLBACK("\"ResultCode\":\"SFC_IC0003\",\"ResultDesc\":null"), true, false},
        {CALLBACK("\"ResultCode\":0,\"CallbackMetadata\":null"), true, false},
        {CALLBACK("\"ResultCode\":0,\"CallbackMetadata\":{\"Item\":{\"Name\":\"Amount\","
                  "\"Value\":2}}"),
         true, true},
        {CALLBACK("\"ResultCode\":0,\"CallbackMetadata\":{\"Item\":[{\"Name\":\"Amount\","
                  "\"Value\":1e2}]}"), /* exact, as some serialisers write it */
         true, true},
        {CALLBACK("\"ResultCode\":0,\"CallbackMetadata\":{\"Item\":[{\"Name\":\"Amount\","
                  "\"Value\":1e-3}]}"),
         true, false},
        {CALLBACK("\"ResultCode\":0,\"CallbackMetadata\":{\"Item\":[{\"Name\":\"Amount\","
                  "\"Value\":-1}]}"),
         true, false},
        {CALLBACK("\"ResultCode\":0,\"CallbackMetadata\":{\"Item\":[{\"Name\":\"Amount\"}]}"), true,
         false},
        {CALLBACK("\"ResultCode\":null"), false, false},
        {CALLBACK("\"ResultCode\":\"\""), false, false},
        {CALLBACK("\"ResultCode\":[0]"), false, false},
        {CALLBACK("\"ResultDesc\":\"ok\""), false, false},
        {"{\"Body\":{\"stkCallback\":{\"ResultCode\":0}}}", false, false},
        {"{\"Body\":{\"stkCallback\":{\"ResultCode\":0,\"CheckoutRequestID\":\"\"}}}", false,
         false},
        {"{\"Body\":{\"stkCallback\":[]}}", false, false},
        {"{\"Body\":null}", false, false},
        {"{\"Result\":{}}", false, false},
        {"[]", false, false},
        {"", false, false},
        {"{", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct daraja_stk_callback callback;
        bool good = daraja_stk_callback_parse(span_from(cases[i].body), *state, &callback);
        assert_int_equal(good, cases[i].good);
        assert_int_equal(callback.has_amount, cases[i].has_amount);
    }
}

/* ---- Errors and results -------------------------------------------------------------------- */

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        enum daraja_error_kind kind;
        const char *detail;
        unsigned status;
        const char *envelope;
    } cases[] = {
        {DARAJA_ERROR_INVALID_TOKEN_STK, NULL, 404,
         "{\"requestId\":\"r-1\",\"errorCode\":\"404.001.03\","
         "\"errorMessage\":\"Invalid Access Token\"}"},
        {DARAJA_ERROR_METHOD, "GET", 405,
         "{\"requestId\":\"r-1\",\"errorCode\":\"405.001\","
         "\"errorMessage\":\"GET Method Not Allowed\"}"},
        {DARAJA_ERROR_IN_FLIGHT, "", 500,
         "{\"requestId\":\"r-1\",\"errorCode\":\"500.001.1001\","
         "\"errorMessage\":\"The transaction is being processed\"}"},
        {DARAJA_ERROR_INVALID_FIELD, "a\"\n%s", 400,
         "{\"requestId\":\"r-1\",\"errorCode\":\"400.002.02\","
         "\"errorMessage\":\"Bad Request - Invalid a\\\"?%s\"}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct daraja_error error;
        daraja_error_set(&error, cases[i].kind, cases[i].detail, "why\r\nSet-Cookie: x");
        assert_int_equal(daraja_error_status(error.kind), cases[i].status);
        assert_string_equal(error.explain, "why??Set-Cookie: x");
        assert_envelope(&error, cases[i].envelope);
    }
}

/* The status is what the code says in its first three digits, for every error there is but the one
 * of maintenance, which says none. */
static void test_errors_table(void **state)
{
    (void)state;
    char longest[300];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (unsigned kind = 1; kind < DARAJA_ERROR_COUNT; kind++) {
        struct daraja_error error;
        char out[1024];
        const char *code = daraja_error_code((enum daraja_error_kind)kind);
        unsigned digits = (unsigned)(code[0] - '0') * 100 + (unsigned)(code[1] - '0') * 10 +
                          (unsigned)(code[2] - '0');
        assert_int_equal(daraja_error_status((enum daraja_error_kind)kind),
                         kind == DARAJA_ERROR_MAINTENANCE ? 503 : digits);
        assert_int_equal(daraja_error_code_status(code),
                         daraja_error_status((enum daraja_error_kind)kind));
        daraja_error_set(&error, (enum daraja_error_kind)kind, longest, longest);
        assert_int_equal(strlen(error.detail), sizeof(error.detail) - 1);
        assert_int_equal(strlen(error.explain), sizeof(error.explain) - 1);
        struct writer w = writer_init(out, sizeof(out));
        daraja_error_render(&w, &error, SPAN_LITERAL("r"));
        assert_false(w.overflow);
    }
}

static void test_results(void **state)
{
    (void)state;
    static const char *const codes[] = {
        "0",    "1",    "2",    "3",    "4",          "8",    "17",    "20",
        "26",   "1001", "1019", "1025", "1031",       "1032", "1036",  "1037",
        "2001", "2028", "4999", "8006", "SFC_IC0003", "9999", "E3008",
    };
    for (size_t i = 0; i < COUNT(codes); i++) {
        const struct daraja_result_text *text = daraja_result_find(span_from(codes[i]));
        assert_non_null(text);
        assert_string_equal(text->code, codes[i]);
        assert_true(strlen(text->desc) > 0 && strlen(text->meaning) > 0);
    }
    assert_null(daraja_result_find(span_from("5")));
    assert_null(daraja_result_find(span_from("")));
    assert_null(daraja_result_find(span_from("00")));
    assert_string_equal(daraja_result_text(DARAJA_RESULT_NO_RESPONSE)->desc,
                        "No response from user.");
    assert_string_equal(daraja_result_find(span_from("1037"))->desc,
                        "DS timeout user cannot be reached.");
    assert_string_equal(daraja_result_text(DARAJA_RESULT_WRONG_PIN)->code, "2001");
}

/* A payment's end as a book keeps it, in Daraja's ids, dates and words. */
static void test_result_of_end(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        bool unanswered;
        const char *desc;
        const char *receipt;
    } cases[] = {
        {"0", false, "The service request is processed successfully.", "UAVA000001"},
        {"1032", false, "Request cancelled by user", ""},
        {"1037", true, "No response from user.", ""},
        {"1037", false, "DS timeout user cannot be reached.", ""},
        {"17", false, "Rule limited.", ""},
        {"2006", false, "Rule limited.", ""}, /* no wording is known */
    };
    struct daraja_stk_end end = {
        .number = 7,
        .accepted_ns = 1769841000123000000, /* 2026-01-31T09:30:00.123+03:00 */
        .checkout_serial = 123,
        .msisdn = 254708374149,
        .amount_minor = 100,
        .ended_ns = 1769841005000000000,
        .receipt_day = 20484,
        .receipt_serial = (uint64_t)360 * 60466176 + 1,
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct daraja_stk_result result;
        end.result_code = cases[i].code;
        end.unanswered = cases[i].unanswered;
        daraja_stk_result_of(&end, &result);
        assert_string_equal(result.result_code, cases[i].code);
        assert_string_equal(result.result_desc, cases[i].desc);
        assert_string_equal(result.receipt, cases[i].receipt);
        assert_string_equal(result.ids.checkout_request_id, "ws_CO_31012026093000123708374149");
        assert_string_equal(result.transaction_date, "20260131093005");
        assert_int_equal(result.phone_number, end.msisdn);
        assert_int_equal(result.amount_minor, 100);
        assert_true(strlen(result.ids.merchant_request_id) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_sample),
        cmocka_unit_test(test_push_every_field),
        cmocka_unit_test(test_push_order),
        cmocka_unit_test(test_push_short_codes),
        cmocka_unit_test(test_push_phones),
        cmocka_unit_test(test_push_amounts),
        cmocka_unit_test(test_push_other_fields),
        cmocka_unit_test(test_push_texts),
        cmocka_unit_test(test_push_password_length),
        cmocka_unit_test(test_push_url_rule),
        cmocka_unit_test(test_push_payload),
        cmocka_unit_test(test_push_unknown_members),
        cmocka_unit_test(test_push_explains),
        cmocka_unit_test(test_push_explains_no_secret),
        cmocka_unit_test(test_query_parse),
        cmocka_unit_test(test_accepted_render),
        cmocka_unit_test(test_query_render),
        cmocka_unit_test(test_callback_render),
        cmocka_unit_test(test_callback_render_failures),
        cmocka_unit_test(test_callback_round_trip),
        cmocka_unit_test(test_callback_variants),
        cmocka_unit_test(test_callback_partial),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_errors_table),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_result_of_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
