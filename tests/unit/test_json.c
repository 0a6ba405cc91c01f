/*
 * test_json.c - JSON in and out (wire/json): what is refused, what is read, what is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* The text is copied to memory of exactly its size, so that reading past its end is seen. */
static struct json_object *parse(struct json_scratch *scratch, struct span text)
{
    const char *why = NULL;
    char *copy = malloc(text.size + (text.size == 0));
    assert_non_null(copy);
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    struct json_object *value = json_parse(scratch, (struct span){copy, text.size}, &why);
    free(copy);
    assert_true((value == NULL) == (why != NULL));
    assert_true(why == NULL || strlen(why) > 0);
    return value;
}

static struct json_object *must_parse(struct json_scratch *scratch, const char *text)
{
    struct json_object *value = parse(scratch, span_from(text));
    assert_non_null(value);
    return value;
}

static void test_parse_accepts(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        " \t\r\n{ } \n",
        "\"\"",
        "\"\\u00e9\\n\\\\u0000\"", /* a backslash and u0000, not a NUL */
        "\"Kenya \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\"",
        "{\"a\":1,\"b\":{\"a\":1},\"c\":[{\"a\":1},{\"a\":2}]}",
        "{\"\":1}",
        "{\"a:b\":\"c:d{[\\\"\"}",
        "[1.5,1e5,1E+5,-1.0e-2,0.10]",
        "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", /* 16 deep */
        "99999999999999999999999999999999",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_non_null(parse(*state, span_from(good[i])));
    }
}

static void assert_all_refused(struct json_scratch *scratch, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parse(scratch, span_from(texts[i])) != NULL) {
            fail_msg("accepted: %s", texts[i]);
        }
        assert_non_null(must_parse(scratch, "{\"after\":1}")); /* nothing is left over */
    }
}

static void test_parse_refuses_structure(void **state)
{
    static const char *const bad[] = {
        "",      "  \n",    "{",       "}",        "]",
        "{]",    "[}",      "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{,}",   "[1,]",    "[,]",     "[1 2]",    "{\"a\":1 \"b\":2}",
        "{a:1}", "{'a':1}", "['a']",   "[1]x",     "[1] [2]",
        "{} {}", "1 2",
    };
    assert_all_refused(*state, bad, COUNT(bad));
}

/* Words, numbers and strings. */
static void test_parse_refuses_tokens(void **state)
{
    static const char *const bad[] = {
        "nul",
        "NULL",
        "True",
        "truefalse",
        "truex",
        "[nan]",
        "infinity",
        "[-infinity]",
        "nan",
        "NaN",
        "[NaN]",
        "Infinity",
        "-Infinity",
        "inf",
        "/* c */ 1",
        "1 // c",
        "01",
        "-01",
        "00",
        "+1",
        ".5",
        "1.",
        "[1.,2]",
        "1.e5",
        "1e",
        "1e+",
        "-",
        "--1",
        "0x10",
        "1.0.0",
        "1-2",
        "\"",
        "\"a",
        "\"a\\",
        "\"a\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\tb\"",
        "\"a\nb\"",
        "\"\\\n\"",
        "\"\\u0000\"",
        "{\"\\u0000\":1}",
        "\"\\\\\\u0000\"",
        "\xef\xbb\xbf{}", /* a byte order mark */
    };
    assert_all_refused(*state, bad, COUNT(bad));
}

/* A name twice, wherever it is, and what is beyond a limit. */
static void test_parse_refuses_twice_and_too_much(void **state)
{
    static const char *const bad[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
        "{\"x\":{\"a\":1,\"b\":2,\"a\":3}}",
        "[{\"a\":1},{\"a\":1,\"a\":1}]",
        "{\"x\":[1,{\"y\":[{\"a\":1,\"a\":1}]}],\"z\":1}",
        "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",                               /* 17 deep */
        "12345678901234567890123456789012345678901234567890123456789012345", /* 65 */
    };
    assert_all_refused(*state, bad, COUNT(bad));
}

static void test_parse_refuses_nul_bytes(void **state)
{
    assert_null(parse(*state, SPAN_LITERAL("\"a\0b\"")));
    assert_null(parse(*state, SPAN_LITERAL("{}\0")));
    assert_null(parse(*state, SPAN_LITERAL("\0{}")));
    assert_null(parse(*state, SPAN_LITERAL("\"\\\0\"")));
    assert_null(parse(*state, SPAN_LITERAL("\"\\u\0\0\0\0\"")));
    assert_null(parse(*state, SPAN_LITERAL("1\0")));
}

static void test_parse_refuses_bad_utf8(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc3",
        "\xc3(",
        "\xe2\x82",
        "\xe2(\xac",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80",
        "\xf0\x9f\x98",
        "\xff",
        "\xfe",
        "\xf8\x88\x80",
        "abcdefgh\xe2\x82",
        "abcdefghijklmno\xc3",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        char text[64];
        /* As a value, as a key, after an escape, and at the very end. */
        static const char *const forms[] = {"[\"", "\"]", "{\"", "\":1}", "\"\\n", "\"", "\"", ""};
        for (size_t form = 0; form < COUNT(forms); form += 2) {
            struct writer w = writer_init(text, sizeof(text));
            json_raw(&w, forms[form]);
            json_raw(&w, bad[i]);
            json_raw(&w, forms[form + 1]);
            assert_null(parse(*state, (struct span){text, w.size}));
        }
    }
}

/* A quote, a control character or a bad byte is seen at every offset of the scan's words. */
static void test_parse_offsets(void **state)
{
    for (size_t at = 1; at < 40; at++) {
        char text[48];
        memset(text, 'a', sizeof(text));
        text[0] = '"';
        text[41] = '"';
        struct span whole = {text, 42};
        assert_non_null(parse(*state, whole));
        static const char specials[] = {'"', '\x01', '\x1f', '\\', '\x80', '\xff', '\0'};
        for (size_t i = 0; i < sizeof(specials); i++) {
            text[at] = specials[i];
            assert_null(parse(*state, whole));
        }
        static const char plain[] = {' ', '!', '#', '[', ']', '\x7f', '~'};
        for (size_t i = 0; i < sizeof(plain); i++) {
            text[at] = plain[i];
            assert_non_null(parse(*state, whole));
        }
    }
}

static void test_parse_size_limit(void **state)
{
    size_t size = JSON_BYTES_MAX + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '1', size);
    for (size_t i = 0; i < size; i += 2) {
        text[i] = ',';
    }
    text[0] = '[';
    text[JSON_BYTES_MAX - 2] = '1';
    text[JSON_BYTES_MAX - 1] = ']';
    assert_non_null(parse(*state, (struct span){text, JSON_BYTES_MAX}));
    memset(text, 'a', size);
    text[0] = '"';
    text[size - 1] = '"';
    assert_null(parse(*state, (struct span){text, size}));
    text[size - 2] = '"';
    struct json_object *value = parse(*state, (struct span){text, size - 1});
    struct span string;
    assert_true(json_string(value, &string));
    assert_int_equal(string.size, JSON_BYTES_MAX - 2);
    free(text);
}

/* The many members make json-c's table grow; none may be lost from the count. */
static void test_parse_many_members(void **state)
{
    char *text = malloc(JSON_BYTES_MAX);
    assert_non_null(text);
    struct writer w = writer_init(text, JSON_BYTES_MAX);
    json_open(&w, '{');
    for (uint64_t i = 0; i < 5000; i++) {
        json_key(&w, (const char[]){'k', (char)('a' + i % 26), (char)('a' + i / 26 % 26),
                                    (char)('a' + i / 676), '\0'});
        json_put_u64(&w, i);
    }
    struct writer twice = w;
    json_close(&w, '}');
    assert_false(w.overflow);
    assert_non_null(parse(*state, (struct span){text, w.size}));
    json_field_null(&twice, "kaaa");
    json_close(&twice, '}');
    assert_null(parse(*state, (struct span){text, twice.size}));
    free(text);
}

static void test_members(void **state)
{
    struct json_object *object =
        must_parse(*state, "{\"a\":null,\"b\":[1,null,{\"c\":true}],\"d\":{}}");
    assert_true(json_is_object(object));
    assert_false(json_is_array(object));
    assert_null(json_member(object, "A"));
    assert_null(json_member(object, ""));
    struct json_object *null = json_member(object, "a");
    assert_non_null(null);
    assert_true(json_is_null(null));
    assert_false(json_is_object(null) || json_is_array(null));
    assert_null(json_member(null, "a"));
    struct json_object *array = json_member(object, "b");
    assert_true(json_is_array(array));
    assert_null(json_member(array, "a"));
    assert_int_equal(json_count(array), 3);
    assert_true(json_is_null(json_item(array, 1)));
    bool flag = false;
    assert_true(json_boolean(json_member(json_item(array, 2), "c"), &flag));
    assert_true(flag);
    assert_int_equal(json_count(object), 0);
    assert_int_equal(json_count(null), 0);
    assert_int_equal(json_count(NULL), 0);
    assert_null(json_member(NULL, "a"));
    assert_false(json_is_object(NULL) || json_is_null(NULL));
    assert_true(json_is_null(must_parse(*state, "null")));
}

static void test_text_of_numbers(void **state)
{
    static const struct {
        const char *json;
        const char *text; /* NULL: refused */
    } cases[] = {
        {"1", "1"},
        {"1.00", "1.00"},
        {"1.10", "1.10"},
        {"1e2", "1e2"},
        {"-1.50E-3", "-1.50E-3"},
        {"0.1", "0.1"},
        {"123456789012345678901234567890.10", "123456789012345678901234567890.10"},
        {"1e400", "1e400"},
        {"-12", "-12"},
        {"9223372036854775806", "9223372036854775806"},
        {"-9223372036854775807", "-9223372036854775807"},
        {"9223372036854775808", NULL},
        {"18446744073709551615", NULL},
        {"18446744073709551616", NULL},
        {"-9223372036854775809", NULL},
        {"99999999999999999999999999", NULL},
        {"\"007\"", "007"},
        {"\"\"", ""},
        {"\"\\u20ac\"", "\xe2\x82\xac"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83d\"", "\xef\xbf\xbd"}, /* half of a pair */
        {"true", NULL},
        {"null", NULL},
        {"[]", NULL},
        {"{}", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span text;
        bool good = json_text(*state, must_parse(*state, cases[i].json), &text);
        assert_int_equal(good, cases[i].text != NULL);
        assert_true(!good || span_is(text, cases[i].text));
    }
}

/* More texts than the scratch holds by itself; all stay good until the next parse. */
static void test_text_of_many_numbers(void **state)
{
    char json[4096];
    struct span texts[150];
    struct writer w = writer_init(json, sizeof(json));
    json_open(&w, '[');
    for (int64_t i = 0; i < 150; i++) {
        json_put_i64(&w, -100000000000000000 - i);
    }
    json_close(&w, ']');
    struct json_object *array = parse(*state, (struct span){json, w.size});
    for (size_t i = 0; i < 150; i++) {
        assert_true(json_text(*state, json_item(array, i), &texts[i]));
    }
    for (size_t i = 0; i < 150; i++) {
        uint64_t value;
        assert_int_equal(texts[i].data[0], '-');
        struct span digits = {texts[i].data + 1, texts[i].size - 1};
        assert_true(span_parse_u64(digits, &value));
        assert_true(value == 100000000000000000 + i);
    }
}

static void test_whole_numbers(void **state)
{
    static const struct {
        const char *json;
        bool whole;
        bool integer;
        int64_t value;
    } cases[] = {
        {"1", true, true, 1},
        {"-5", true, true, -5},
        {"-0", true, true, 0},
        {"\"12\"", true, false, 12},
        {"\"0012\"", true, false, 12},
        {"\"9223372036854775807\"", true, false, INT64_MAX},
        {"\"9223372036854775808\"", false, false, 0},
        {"9223372036854775806", true, true, INT64_MAX - 1},
        {"9223372036854775808", false, false, 0},
        {"\"-5\"", false, false, 0},
        {"\"\"", false, false, 0},
        {"\" 1\"", false, false, 0},
        {"\"1.0\"", false, false, 0},
        {"1.0", false, false, 0},
        {"1e2", false, false, 0},
        {"true", false, false, 0},
        {"null", false, false, 0},
        {"[1]", false, false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_object *value = must_parse(*state, cases[i].json);
        int64_t whole = 77, integer = 77;
        assert_int_equal(json_whole(*state, value, &whole), cases[i].whole);
        assert_int_equal(json_integer(value, &integer), cases[i].integer);
        assert_true(whole == (cases[i].whole ? cases[i].value : 77));
        assert_true(integer == (cases[i].integer ? cases[i].value : 77));
    }
    int64_t none;
    bool flag;
    struct span text;
    assert_false(json_whole(*state, NULL, &none) || json_integer(NULL, &none));
    assert_false(json_boolean(NULL, &flag) || json_string(NULL, &text));
    assert_false(json_boolean(must_parse(*state, "1"), &flag));
    assert_false(json_string(must_parse(*state, "1"), &text));
}

/* A document with everything in it. */
static void write_document(struct writer *w)
{
    json_open(w, '{');
    json_field_text(w, "text", "a");
    json_field_i64(w, "low", INT64_MIN);
    json_field_u64(w, "high", UINT64_MAX);
    json_field_bool(w, "yes", true);
    json_field_null(w, "none");
    json_key(w, "list");
    json_open(w, '[');
    json_put_i64(w, 0);
    json_put_u64(w, 7);
    json_put_string(w, SPAN_LITERAL("b"));
    json_put_bool(w, false);
    json_put_null(w);
    json_open(w, '[');
    json_close(w, ']');
    json_open(w, '{');
    json_close(w, '}');
    json_open(w, '{');
    json_field_string(w, "k", SPAN_EMPTY);
    json_close(w, '}');
    json_close(w, ']');
    json_key(w, "raw");
    json_raw(w, "1.00");
    json_field_i64(w, "last", -1);
    json_close(w, '}');
}

#define DOCUMENT                                                                               \
    "{\"text\":\"a\",\"low\":-9223372036854775808,\"high\":18446744073709551615,\"yes\":true," \
    "\"none\":null,\"list\":[0,7,\"b\",false,null,[],{},{\"k\":\"\"}],\"raw\":1.00,\"last\":-1}"

static void assert_written(const struct writer *w, const char *expected)
{
    assert_false(w->overflow);
    assert_int_equal(w->size, strlen(expected));
    assert_memory_equal(w->data, expected, w->size);
}

static void test_write_commas(void **state)
{
    char out[512];
    struct writer w = writer_init(out, sizeof(out));
    write_document(&w);
    assert_written(&w, DOCUMENT);
    assert_non_null(parse(*state, (struct span){out, w.size}));
}

static void test_write_after_something(void **state)
{
    (void)state;
    char out[64];
    struct writer w = writer_init(out, sizeof(out));
    json_raw(&w, "data: ");
    json_open(&w, '{');
    json_close(&w, '}');
    json_raw(&w, "\n");
    json_open(&w, '{');
    json_field_i64(&w, "a", 1);
    json_close(&w, '}');
    assert_written(&w, "data: {}\n{\"a\":1}");
}

static void test_write_strings(void **state)
{
    static const struct {
        struct span in;
        const char *out;
    } cases[] = {
        {SPAN_LITERAL(""), "\"\""},
        {SPAN_LITERAL("plain / text"), "\"plain / text\""},
        {SPAN_LITERAL("\"\\"), "\"\\\"\\\\\""},
        {SPAN_LITERAL("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {SPAN_LITERAL("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\""},
        {SPAN_LITERAL("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {SPAN_LITERAL("a\xff"), "\"a\xef\xbf\xbd\""},
        {SPAN_LITERAL("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {SPAN_LITERAL("\xed\xa0\x80x"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[64];
        struct writer w = writer_init(out, sizeof(out));
        json_put_string(&w, cases[i].in);
        assert_written(&w, cases[i].out);
        if (memchr(cases[i].in.data, '\0', cases[i].in.size) == NULL) {
            assert_non_null(parse(*state, (struct span){out, w.size}));
        }
    }
}

/* Eight bytes are looked at together where they can be: each byte must come out at every place of a
 * longer text as it does alone. */
static void test_write_every_byte_everywhere(void **state)
{
    (void)state;
    enum { LENGTH = 19 };
    for (uint32_t byte = 0; byte < 256; byte++) {
        char single = (char)byte;
        char alone[16];
        struct writer one = writer_init(alone, sizeof(alone));
        json_put_string(&one, (struct span){&single, 1});
        for (size_t at = 0; at < LENGTH; at++) {
            char text[LENGTH];
            char expected[64];
            char out[64];
            memset(text, 'a', sizeof(text));
            text[at] = single;
            struct writer w = writer_init(out, sizeof(out));
            json_put_string(&w, (struct span){text, sizeof(text)});
            int size = snprintf(expected, sizeof(expected), "\"%.*s%.*s%.*s\"", (int)at,
                                "aaaaaaaaaaaaaaaaaaa", (int)one.size - 2, alone + 1,
                                (int)(LENGTH - 1 - at), "aaaaaaaaaaaaaaaaaaa");
            assert_int_equal(w.size, size);
            assert_memory_equal(out, expected, w.size);
        }
    }
}

static void test_write_overflow(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < sizeof(DOCUMENT) - 1; capacity++) {
        char out[sizeof(DOCUMENT)];
        memset(out, '~', sizeof(out));
        struct writer w = writer_init(out, capacity);
        write_document(&w);
        assert_true(w.overflow);
        assert_int_equal(out[capacity], '~');
    }
}

struct sink {
    char data[4096];
    size_t size;
};

static bool sink_take(void *context, const uint8_t *data, size_t size)
{
    struct sink *sink = context;
    assert_true(sizeof(sink->data) - sink->size >= size);
    memcpy(sink->data + sink->size, data, size);
    sink->size += size;
    return true;
}

/* The commas must come out right wherever the buffer happens to be full. */
static void test_write_streaming(void **state)
{
    (void)state;
    static const char text[] = "a text that is longer than the buffer, with a \"quote\"";
    for (size_t capacity = 8; capacity < 64; capacity++) {
        char buffer[64];
        struct sink sink = {.size = 0};
        struct writer w = writer_init(buffer, capacity);
        w.flush = sink_take;
        w.context = &sink;
        write_document(&w);
        json_raw(&w, "\n");
        json_put_string(&w, span_from(text));
        assert_true(writer_finish(&w));
        static const char expected[] =
            DOCUMENT "\n\"a text that is longer than the buffer, with a \\\"quote\\\"\"";
        assert_int_equal(sink.size, sizeof(expected) - 1);
        assert_memory_equal(sink.data, expected, sink.size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_accepts),
        cmocka_unit_test(test_parse_refuses_structure),
        cmocka_unit_test(test_parse_refuses_tokens),
        cmocka_unit_test(test_parse_refuses_twice_and_too_much),
        cmocka_unit_test(test_parse_refuses_nul_bytes),
        cmocka_unit_test(test_parse_refuses_bad_utf8),
        cmocka_unit_test(test_parse_offsets),
        cmocka_unit_test(test_parse_size_limit),
        cmocka_unit_test(test_parse_many_members),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_text_of_numbers),
        cmocka_unit_test(test_text_of_many_numbers),
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_write_commas),
        cmocka_unit_test(test_write_after_something),
        cmocka_unit_test(test_write_strings),
        cmocka_unit_test(test_write_every_byte_everywhere),
        cmocka_unit_test(test_write_overflow),
        cmocka_unit_test(test_write_streaming),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
