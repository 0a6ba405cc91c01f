/*
 * test_daraja_url.c - which callback URLs a request may name, by rule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/daraja_url.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct daraja_url_rule rule_any = {false, false};
static const struct daraja_url_rule rule_https = {true, false};
static const struct daraja_url_rule rule_public = {false, true};

static bool accepted(const char *url, const struct daraja_url_rule *rule)
{
    return daraja_url_refusal(span_from(url), rule) == NULL;
}

static void test_url_well_formed(void **state)
{
    (void)state;
    static const char *const good[] = {
        "https://mydomain.com/path",
        "http://mydomain.com",
        "HTTPS://MyDomain.COM/Path?a=b&c=d#e",
        "https://mydomain.com:8443/a/b%20c;d,e",
        "http://mydomain.com?x=http://other/@user",
        "http://mydomain.com/user@host",
        "http://localhost:3000/callback",
        "http://127.0.0.1:65535/",
        "http://app/callback",
        "http://my_service.internal:80/x",
        "http://xn--bcher-kva.example.",
        "http://1.example.com",
        "http://[::1]:8080/x",
        "http://[::]",
        "http://[2001:db8:0:0:1:0:0:1]/",
        "http://[1:2:3:4:5:6:7::]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::1.2.3.4]",
        "http://[1:2:3:4:5:6:1.2.3.4]/",
        "https://abc.ngrok-free.app/{token}/x|y",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!accepted(good[i], &rule_any)) {
            fail_msg("refused: %s: %s", good[i], daraja_url_refusal(span_from(good[i]), &rule_any));
        }
    }
}

static void assert_all_malformed(const char *const *urls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (accepted(urls[i], &rule_any)) {
            fail_msg("accepted: %s", urls[i]);
        }
    }
}

static void test_url_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "mydomain.com/path",
        "//mydomain.com/path",
        "/path",
        "ftp://mydomain.com",
        "javascript:alert(1)",
        "http:mydomain.com",
        "http:/mydomain.com",
        "http//mydomain.com",
        "http://",
        "http:///path",
        "http://?q",
        "http://:80/",
        "https://user@mydomain.com/",
        "https://user:secret@mydomain.com/",
        "https://@mydomain.com/",
        "https://mydomain.com:0/",
        "https://mydomain.com:/",
        "https://mydomain.com:65536/",
        "https://mydomain.com:000080/",
        "https://mydomain.com:80a/",
        "https://mydomain.com:80:80/",
        "https://mydomain.com:+80/",
        " https://mydomain.com/",
        "https://mydomain.com/ ",
        "https://mydomain.com/a b",
        "https://mydomain.com/a\tb",
        "https://mydomain.com/a\r\nHost: other",
        "https://mydomain.com/\x7f",
        "https://mydomain.com/\xc3\xa9",
        "https://m\xc3\xbcnzen.example/",
        "https://mydomain.com\\@other.com/",
        "https://mydomain..com/",
        "https://.mydomain.com/",
        "https://.",
        "https://my%64omain.com/",
        "https://my domain.com/",
        "https://my,domain.com/",
    };
    assert_all_malformed(bad, COUNT(bad));
}

/* Numbers that some readers take for an address, and IPv6 that is none. */
static void test_url_disguised_hosts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "http://2130706433/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://127.0.0.0x1/",
        "http://127.0.0.1./",
        "http://256.0.0.1/",
        "http://1.2.3.4.5/",
        "http://a.b.1/",
        "http://[::1/",
        "http://[]/",
        "http://::1/",
        "http://[::1]x/",
        "http://[::1]:/",
        "http://[1:2:3:4:5:6:7]/",
        "http://[1:2:3:4:5:6:7:8:9]/",
        "http://[1:2:3:4:5:6:7::8]/x]",
        "http://[1::2::3]/",
        "http://[1:::2]/",
        "http://[:::1]/",
        "http://[1:]/",
        "http://[:1]/",
        "http://[12345::]/",
        "http://[g::]/",
        "http://[fe80::1%25eth0]/",
        "http://[::1.2.3]/",
        "http://[1.2.3.4::]/",
        "http://[1:2:3:4:5:6:7:1.2.3.4]/",
        "http://[127.0.0.1]/",
    };
    assert_all_malformed(bad, COUNT(bad));
}

static void test_url_length(void **state)
{
    (void)state;
    char url[DARAJA_URL_BYTES_MAX + 1];
    memset(url, 'a', sizeof(url));
    memcpy(url, "https://mydomain.com/", 21);
    assert_null(daraja_url_refusal((struct span){url, DARAJA_URL_BYTES_MAX}, &rule_any));
    assert_non_null(daraja_url_refusal((struct span){url, DARAJA_URL_BYTES_MAX + 1}, &rule_any));
    /* A label of 64, a name of 254. */
    memset(url + 8, 'a', 64);
    assert_non_null(daraja_url_refusal((struct span){url, 72}, &rule_any));
    assert_null(daraja_url_refusal((struct span){url, 71}, &rule_any));
    for (size_t i = 8 + 60; i < 8 + 254; i += 61) {
        url[i] = '.';
    }
    assert_null(daraja_url_refusal((struct span){url, 8 + 253}, &rule_any));
    memset(url + 8 + 253, 'a', 1);
    assert_non_null(daraja_url_refusal((struct span){url, 8 + 254}, &rule_any));
}

static void test_url_https_only(void **state)
{
    (void)state;
    assert_true(accepted("https://mydomain.com/", &rule_https));
    assert_true(accepted("HTTPS://localhost/", &rule_https));
    assert_false(accepted("http://mydomain.com/", &rule_https));
}

static void test_url_public_only(void **state)
{
    (void)state;
    static const char *const good[] = {
        "http://mydomain.com/",         "https://api.shop.co.ke:8443/x",
        "http://196.201.214.200/",      "http://11.0.0.1/",
        "http://100.63.255.255/",       "http://100.128.0.1/",
        "http://172.15.0.1/",           "http://172.32.0.1/",
        "http://192.167.0.1/",          "http://223.255.255.255/",
        "http://[2a00:1450::1]/",       "http://[3fff::1]/",
        "http://localhost.example.com", "http://10.0.0.1.nip.io/",
    };
    static const char *const private[] = {
        "http://localhost/",
        "http://LOCALHOST:80/",
        "http://localhost./",
        "http://a.localhost/",
        "http://app/",
        "http://printer.local/",
        "http://db.internal/",
        "http://db.internal./",
        "http://0.0.0.0/",
        "http://10.1.2.3/",
        "http://100.64.0.1/",
        "http://100.127.255.255/",
        "http://127.0.0.1/",
        "http://127.255.255.255/",
        "http://169.254.169.254/",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.168.1.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::1]/",
        "http://[::]/",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://[fd12::1]/",
        "http://[ff02::1]/",
        "http://[::ffff:8.8.8.8]/",
        "http://[2002:7f00::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::8.8.8.8]/",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!accepted(good[i], &rule_public)) {
            fail_msg("refused: %s", good[i]);
        }
    }
    for (size_t i = 0; i < COUNT(private); i++) {
        if (accepted(private[i], &rule_public) || !accepted(private[i], &rule_any)) {
            fail_msg("accepted, or malformed: %s", private[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_well_formed),     cmocka_unit_test(test_url_malformed),
        cmocka_unit_test(test_url_disguised_hosts), cmocka_unit_test(test_url_length),
        cmocka_unit_test(test_url_https_only),      cmocka_unit_test(test_url_public_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
