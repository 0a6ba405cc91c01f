/*
 * test_standard_webhooks.c - keys, signed bytes and headers of Standard Webhooks 1.0.0, with the
 * specification's own example, and ed25519 by OpenSSL over what we say is to be signed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "wire/standard_webhooks.h"

#define SECRET "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static char text[512];

static struct span written(const struct writer *w)
{
    assert_false(w->overflow);
    return (struct span){(const char *)w->data, w->size};
}

static void mac_of(const struct webhook_key *key, struct span content,
                   uint8_t out[WEBHOOK_MAC_BYTES])
{
    unsigned int size = WEBHOOK_MAC_BYTES;
    assert_non_null(HMAC(EVP_sha256(), key->bytes, (int)key->size,
                         (const unsigned char *)content.data, content.size, out, &size));
}

static void the_specifications_example(void **state)
{
    (void)state;
    char list[256];
    struct webhook_key key;
    uint8_t mac[WEBHOOK_MAC_BYTES];
    struct writer w = writer_init(text, sizeof(text));
    struct writer l = writer_init(list, sizeof(list));
    assert_true(webhook_key_parse(SPAN_LITERAL("whsec_" SECRET), &key));
    assert_int_equal(key.kind, WEBHOOK_SECRET);
    assert_int_equal(key.size, 24);
    webhook_content_render(&w, SPAN_LITERAL("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
                           SPAN_LITERAL("{\"test\": 2432232314}"));
    assert_true(
        span_is(written(&w), "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}"));
    mac_of(&key, written(&w), mac);
    webhook_signature_add(&l, WEBHOOK_V1, (struct span){(const char *)mac, sizeof(mac)});
    assert_true(span_is(written(&l), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    assert_true(webhook_signature_holds(written(&l), mac));
}

static void keys_both_ways(void **state)
{
    (void)state;
    static const struct {
        enum webhook_key_kind kind;
        size_t size;
    } rows[] = {
        {WEBHOOK_SECRET, 24}, {WEBHOOK_SECRET, 64},   {WEBHOOK_SIGNER, 32},
        {WEBHOOK_SIGNER, 64}, {WEBHOOK_VERIFIER, 32},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct webhook_key key = {rows[i].kind, rows[i].size, {0}};
        struct webhook_key read;
        for (size_t b = 0; b < key.size; b++) {
            key.bytes[b] = (uint8_t)(b * 7 + i);
        }
        char room[WEBHOOK_KEY_TEXT_MAX];
        struct writer w = writer_init(room, sizeof(room));
        webhook_key_render(&w, &key);
        assert_true(webhook_key_parse(written(&w), &read));
        assert_true(read.kind == key.kind && read.size == key.size);
        assert_memory_equal(read.bytes, key.bytes, key.size);
    }
    struct webhook_key key;
    assert_true(webhook_key_parse(SPAN_LITERAL(SECRET), &key)); /* without a prefix: a secret */
    assert_int_equal(key.kind, WEBHOOK_SECRET);
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "whsec_",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==", /* 22 bytes */
        "whpk_" SECRET,                           /* 24 bytes */
        "whsk_" SECRET,
        "whsec_whsec_" SECRET,
    };
    struct webhook_key key;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_false(webhook_key_parse(span_from(rows[i]), &key));
    }
    char large[4 * 30 + 1];
    memset(large, 'A', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_false(webhook_key_parse(span_from(large), &key)); /* 90 bytes */
}

static void an_id_or_timestamp_cannot_pretend_to_be_the_other(void **state)
{
    (void)state;
    char large[130];
    memset(large, 'a', sizeof(large));
    assert_true(webhook_id_is_good(SPAN_LITERAL("evt_1")));
    assert_false(webhook_id_is_good(SPAN_LITERAL("evt.1")));
    assert_false(webhook_id_is_good(SPAN_LITERAL("evt 1")));
    assert_false(webhook_id_is_good(SPAN_LITERAL("evt\n1")));
    assert_false(webhook_id_is_good(SPAN_LITERAL("")));
    assert_true(webhook_id_is_good((struct span){large, 128}));
    assert_false(webhook_id_is_good((struct span){large, 129}));
}

static void a_timestamp_is_near_now(void **state)
{
    (void)state;
    int64_t seconds = 0;
    assert_true(webhook_timestamp_parse(SPAN_LITERAL("1614265330"), 1614265330 + 300, &seconds));
    assert_int_equal(seconds, 1614265330);
    assert_true(webhook_timestamp_parse(SPAN_LITERAL("1614265330"), 1614265330 - 300, &seconds));
    static const char *const rows[] = {"",           "-1", "1614265330.5",        "1614265631",
                                       "1614265029", "x1", "18446744073709551615"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_false(webhook_timestamp_parse(span_from(rows[i]), 1614265330, &seconds));
    }
}

/* During a rotation there are two; what has another version is passed over. */
static void any_signature_of_the_list_will_do(void **state)
{
    (void)state;
    struct webhook_key key;
    uint8_t mac[WEBHOOK_MAC_BYTES];
    uint8_t other[WEBHOOK_MAC_BYTES] = {1};
    struct writer w = writer_init(text, sizeof(text));
    assert_true(webhook_key_parse(SPAN_LITERAL(SECRET), &key));
    mac_of(&key, SPAN_LITERAL("x"), mac);
    webhook_signature_add(&w, WEBHOOK_V1, (struct span){(const char *)other, sizeof(other)});
    webhook_signature_add(&w, WEBHOOK_V1, (struct span){(const char *)mac, sizeof(mac)});
    assert_true(webhook_signature_holds(written(&w), mac));
    mac[31] ^= 1;
    assert_false(webhook_signature_holds(written(&w), mac));
    static const char *const rows[] = {"",     " ",       "v1",       "v1,",
                                       "v1,!", "v2,AAAA", "v1a,AAAA", "v1,AAAA"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_false(webhook_signature_holds(span_from(rows[i]), mac));
    }
}

static void ed25519_signs_the_same_bytes(void **state)
{
    (void)state;
    struct webhook_key signer = {WEBHOOK_SIGNER, WEBHOOK_ED25519_BYTES, {7, 1, 2}};
    uint8_t signature[WEBHOOK_SIGNATURE_BYTES];
    uint8_t read[WEBHOOK_SIGNATURE_BYTES];
    uint8_t verifier[WEBHOOK_ED25519_BYTES];
    size_t size = sizeof(signature);
    size_t verifier_size = sizeof(verifier);
    char list[256];
    struct writer w = writer_init(text, sizeof(text));
    struct writer l = writer_init(list, sizeof(list));
    webhook_content_render(&w, SPAN_LITERAL("evt_1"), 1614265330, SPAN_LITERAL("{}"));
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, signer.bytes, WEBHOOK_ED25519_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &size, w.data, w.size), 1);
    webhook_signature_add(&l, WEBHOOK_V1A, (struct span){(const char *)signature, size});
    struct span rest = written(&l);
    assert_true(span_starts_with(rest, SPAN_LITERAL("v1a,")));
    assert_true(webhook_signature_next(&rest, WEBHOOK_V1A, read, &size));
    assert_false(webhook_signature_next(&rest, WEBHOOK_V1A, signature, &size));
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, verifier, &verifier_size), 1);
    EVP_PKEY *public_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, verifier, 32);
    EVP_MD_CTX_free(context);
    context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, NULL, NULL, public_key), 1);
    assert_int_equal(EVP_DigestVerify(context, read, sizeof(read), w.data, w.size), 1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public_key);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_specifications_example),
        cmocka_unit_test(keys_both_ways),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(an_id_or_timestamp_cannot_pretend_to_be_the_other),
        cmocka_unit_test(a_timestamp_is_near_now),
        cmocka_unit_test(any_signature_of_the_list_will_do),
        cmocka_unit_test(ed25519_signs_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
