/*
 * test_credential.c - SecurityCredential: our certificate, what it encrypts, and what others do.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "face/credential.h"
#include "wire/base64.h"

static char certificate[8192];

static void fetch(struct credential_key *k)
{
    char error[256];
    struct writer w = writer_init(certificate, sizeof(certificate) - 1);
    assert_true(credential_certificate(k, &w, error));
    certificate[w.size] = '\0';
}

/* What an integration does with the certificate. */
static struct span encrypt(const char *pem, const char *password, char out[512])
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(x);
    EVP_PKEY *key = X509_get_pubkey(x);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    uint8_t cipher[256];
    size_t size = sizeof(cipher);
    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
    assert_int_equal(
        EVP_PKEY_encrypt(ctx, cipher, &size, (const uint8_t *)password, strlen(password)), 1);
    struct writer w = writer_init(out, 512);
    base64_encode(&w, (struct span){(const char *)cipher, size});
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    X509_free(x);
    BIO_free(bio);
    return (struct span){out, w.size};
}

static enum credential_state decrypt(struct credential_key *k, struct span credential,
                                     char out[CREDENTIAL_PASSWORD_MAX + 1])
{
    size_t size = 0;
    enum credential_state state = credential_decrypt(k, credential, out, &size);
    assert_true(state != CREDENTIAL_OPENED || size == strlen(out));
    return state;
}

static void a_password_comes_back(void **state)
{
    (void)state;
    char text[512], out[CREDENTIAL_PASSWORD_MAX + 1];
    struct credential_key *k = credential_open(NULL);
    fetch(k);
    struct span credential = encrypt(certificate, "Safaricom999!*!", text);
    assert_int_equal(credential.size, 344);
    assert_int_equal(decrypt(k, credential, out), CREDENTIAL_OPENED);
    assert_string_equal(out, "Safaricom999!*!");
    credential_close(k);
}

static void what_others_encrypted_is_opaque(void **state)
{
    (void)state;
    char text[512], out[CREDENTIAL_PASSWORD_MAX + 1];
    struct credential_key *theirs = credential_open(NULL);
    struct credential_key *ours = credential_open(NULL);
    fetch(theirs);
    struct span credential = encrypt(certificate, "secret", text);
    assert_int_equal(decrypt(ours, credential, out), CREDENTIAL_OPAQUE); /* no key yet */
    fetch(ours);
    /* With a key, a wrong padding is found; by chance one in some 2^16 is not: never "secret". A
     * library that opens them all as random bytes (OpenSSL from 3.2, unless told not to) shows. */
    uint32_t opened = 0;
    for (uint32_t i = 0; i < 4; i++) {
        fetch(theirs);
        credential = encrypt(certificate, "secret", text);
        if (decrypt(ours, credential, out) == CREDENTIAL_OPENED) {
            assert_string_not_equal(out, "secret");
            opened++;
        }
    }
    assert_true(opened <= 1);
    const char *const malformed[] = {"", "x", "credential", "====", "AAAA"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_int_equal(decrypt(ours, span_from(malformed[i]), out), CREDENTIAL_MALFORMED);
    }
    credential_close(theirs);
    credential_close(ours);
}

static void the_key_outlives_a_restart(void **state)
{
    (void)state;
    char folder[] = "/tmp/hakika-credential-XXXXXX";
    char path[128], text[512], out[CREDENTIAL_PASSWORD_MAX + 1], error[256];
    struct stat info;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/credential.key", folder);
    struct credential_key *k = credential_open(path);
    assert_int_not_equal(access(path, F_OK), 0); /* made when it is asked for, not before */
    fetch(k);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    credential_close(k);
    struct span credential = encrypt(certificate, "kept", text);
    k = credential_open(path);
    assert_int_equal(decrypt(k, credential, out), CREDENTIAL_OPENED);
    assert_string_equal(out, "kept");
    credential_close(k);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    struct writer w = writer_init(certificate, sizeof(certificate));
    k = credential_open(path); /* the folder is gone */
    assert_false(credential_certificate(k, &w, error));
    assert_non_null(strstr(error, "cannot keep the private key"));
    credential_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_comes_back),
        cmocka_unit_test(what_others_encrypted_is_opaque),
        cmocka_unit_test(the_key_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
