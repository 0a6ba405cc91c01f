/*
 * test_daraja_auth.c - base64, OAuth's headers and answer, the Password of STK requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/base64.h"
#include "wire/daraja_auth.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Both are published for everybody's tests. */
#define SANDBOX_CODE    174379
#define SANDBOX_PASSKEY "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"

static struct span span_until_padding(struct span text)
{
    while (text.size > 0 && text.data[text.size - 1] == '=') {
        text.size--;
    }
    return text;
}

static void test_base64_vectors(void **state)
{
    (void)state;
    /* RFC 4648, 10 */
    static const char *const cases[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[16];
        size_t size = 77;
        struct writer w = writer_init(out, sizeof(out));
        base64_encode(&w, span_from(cases[i][0]));
        assert_int_equal(w.size, strlen(cases[i][1]));
        assert_memory_equal(out, cases[i][1], w.size);
        assert_true(base64_decode(span_from(cases[i][1]), out, sizeof(out), &size));
        assert_int_equal(size, strlen(cases[i][0]));
        assert_memory_equal(out, cases[i][0], size);
        /* Padding may be left out. */
        struct span bare = span_until_padding(span_from(cases[i][1]));
        assert_true(base64_decode(bare, out, sizeof(out), &size));
        assert_int_equal(size, strlen(cases[i][0]));
    }
}

static void test_base64_every_byte(void **state)
{
    (void)state;
    char bytes[256], text[400], back[256];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(uint8_t)i;
    }
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        size_t size;
        struct writer w = writer_init(text, sizeof(text));
        base64_encode(&w, (struct span){bytes, length});
        assert_true(base64_decode((struct span){text, w.size}, back, length, &size));
        assert_int_equal(size, length);
        assert_memory_equal(back, bytes, length);
        assert_true(length == 0 ||
                    !base64_decode((struct span){text, w.size}, back, length - 1, &size));
    }
}

static void test_base64_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "=",    "==",   "Z",     "Z=",     "Z===", "Zg=",   "Zg===", "Zm8==", "Zm9v=", "Zm9v====",
        "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm-_", "Zm9vé", "Z=g=",  "=Zg=",  "****",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        char out[16];
        size_t size;
        assert_false(base64_decode(span_from(bad[i]), out, sizeof(out), &size));
    }
}

static struct span password_of(char out[DARAJA_PASSWORD_BYTES_MAX], const char *plain)
{
    struct writer w = writer_init(out, DARAJA_PASSWORD_BYTES_MAX);
    base64_encode(&w, span_from(plain));
    assert_false(w.overflow);
    return (struct span){out, w.size};
}

static bool password_matches(struct span password)
{
    return daraja_password_matches(password, SANDBOX_CODE, SPAN_LITERAL(SANDBOX_PASSKEY),
                                   SPAN_LITERAL("20210628092408"));
}

static void test_password(void **state)
{
    (void)state;
    char text[DARAJA_PASSWORD_BYTES_MAX];
    /* The sample that the portal prints, whole. */
    assert_true(password_matches(
        span_from("MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5YjEwZjc4ZTZi"
                  "NzJhZGExZWQyYzkxOTIwMjEwNjI4MDkyNDA4")));
    assert_true(password_matches(password_of(text, "174379" SANDBOX_PASSKEY "20210628092408")));
    static const char *const wrong[] = {
        "",
        "174379",
        "174379" SANDBOX_PASSKEY,
        "174379" SANDBOX_PASSKEY "20210628092409",  /* another time */
        "174378" SANDBOX_PASSKEY "20210628092408",  /* another short code */
        "0174379" SANDBOX_PASSKEY "20210628092408", /* a digit more */
        "174379 " SANDBOX_PASSKEY "2021062809240",
        "174379"
        "c"
        "fb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
        "20210628092408",
        "174379:" SANDBOX_PASSKEY ":20210628092408",
        SANDBOX_PASSKEY "17437920210628092408",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_false(password_matches(password_of(text, wrong[i])));
    }
    assert_false(password_matches(span_from("174379" SANDBOX_PASSKEY "20210628092408")));
    assert_false(password_matches(span_from("not base64!")));
}

static void test_password_too_long(void **state)
{
    (void)state;
    char text[2 * DARAJA_PASSWORD_BYTES_MAX];
    memset(text, 'A', sizeof(text));
    struct span zeros = {text, sizeof(text)};
    assert_false(password_matches(zeros));
    assert_false(daraja_password_matches(zeros, 0, SPAN_EMPTY, SPAN_EMPTY));
    assert_true(daraja_password_matches(span_from("MA=="), 0, SPAN_EMPTY, SPAN_EMPTY));
}

static void test_basic(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *key; /* NULL: refused */
        const char *secret;
    } cases[] = {
        {"Basic a2V5OnNlY3JldA==", "key", "secret"},
        {"basic a2V5OnNlY3JldA==", "key", "secret"},
        {"BASIC   a2V5OnNlY3JldA== ", "key", "secret"},
        {"Basic a2V5OnM6dA==", "key", "s:t"}, /* the first colon divides */
        {"Basic a2V5Og==", "key", ""},
        {"Basic OnNlY3JldA==", NULL, NULL}, /* no key */
        {"Basic a2V5", NULL, NULL},         /* no colon */
        {"Basic", NULL, NULL},
        {"Basic ", NULL, NULL},
        {"Basica2V5OnNlY3JldA==", NULL, NULL},
        {"Bearer a2V5OnNlY3JldA==", NULL, NULL},
        {"Basic key:secret", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char decoded[64];
        struct span key, secret;
        bool good =
            daraja_basic_parse(span_from(cases[i].header), decoded, sizeof(decoded), &key, &secret);
        assert_int_equal(good, cases[i].key != NULL);
        assert_true(!good || (span_is(key, cases[i].key) && span_is(secret, cases[i].secret)));
    }
    char small[4];
    struct span key, secret;
    assert_false(daraja_basic_parse(span_from("Basic a2V5OnNlY3JldA=="), small, sizeof(small), &key,
                                    &secret));
}

static void test_bearer(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"Bearer c9SQxWWhmdVRlyh0zh8gZDTkubVF", "c9SQxWWhmdVRlyh0zh8gZDTkubVF"},
        {"bearer  abc ", "abc"},
        {"Bearer", NULL},
        {"Bearer ", NULL},
        {"Bearerabc", NULL},
        {"Basic abc", NULL},
        {"Bearer a b", NULL},
        {"Bearer a\tb", NULL},
        {"Bearer \xc3\xa9", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span token;
        bool good = daraja_bearer_parse(span_from(cases[i][0]), &token);
        assert_int_equal(good, cases[i][1] != NULL);
        assert_true(!good || span_is(token, cases[i][1]));
    }
}

static void test_token_render(void **state)
{
    (void)state;
    char out[128];
    struct writer w = writer_init(out, sizeof(out) - 1);
    daraja_token_render(&w, span_from("c9SQxWWhmdVRlyh0zh8gZDTkubVF"), 3599);
    out[w.size] = '\0';
    assert_string_equal(
        out, "{\"access_token\":\"c9SQxWWhmdVRlyh0zh8gZDTkubVF\",\"expires_in\":\"3599\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_vectors),
        cmocka_unit_test(test_base64_every_byte),
        cmocka_unit_test(test_base64_refuses),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_password_too_long),
        cmocka_unit_test(test_basic),
        cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_token_render),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
