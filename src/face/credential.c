/*
 * credential.c - see credential.h. OpenSSL 3. Tests: tests/unit/test_credential.c.
 */
#include "face/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "face/secrets.h"
#include "wire/base64.h"

enum { RSA_BITS = 2048, RSA_BYTES = RSA_BITS / 8 };
#define CERTIFICATE_DAYS 3650L

struct credential_key {
    char path[SECRETS_PATH_SIZE];
    EVP_PKEY *key; /* NULL: not made or not read yet */
};

struct credential_key *credential_open(const char *path)
{
    struct credential_key *k = calloc(1, sizeof(*k));
    if (k != NULL && path != NULL) {
        (void)snprintf(k->path, sizeof(k->path), "%s", path);
    }
    return k;
}

void credential_close(struct credential_key *k)
{
    if (k != NULL) {
        EVP_PKEY_free(k->key);
        free(k);
    }
}

/* Reads the key that an earlier start made; false: there is none. */
static bool key_load(struct credential_key *k)
{
    if (k->key == NULL && k->path[0] != '\0') {
        FILE *file = fopen(k->path, "re");
        if (file != NULL) {
            k->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
            (void)fclose(file);
        }
    }
    return k->key != NULL;
}

/* Under a name of its own first, so that the key is whole from its first moment on. */
static bool key_keep(const struct credential_key *k, EVP_PKEY *key, char error[256])
{
    char half[SECRETS_PATH_SIZE + 8];
    if (k->path[0] == '\0') {
        return true;
    }
    (void)snprintf(half, sizeof(half), "%s.new", k->path);
    int fd = open(half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool kept = file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (file != NULL) {
        kept = fclose(file) == 0 && kept;
    } else if (fd >= 0) {
        (void)close(fd);
    }
    kept = kept && rename(half, k->path) == 0;
    if (!kept) {
        (void)snprintf(error, 256, "cannot keep the private key of the certificate in %.120s: %s",
                       k->path, strerror(errno));
        (void)unlink(half);
    }
    return kept;
}

static bool rsa_key_make(struct credential_key *k, char error[256])
{
    EVP_PKEY *key = EVP_RSA_gen(RSA_BITS);
    if (key == NULL) {
        (void)snprintf(error, 256, "cannot make an RSA key of %d bits", RSA_BITS);
        return false;
    }
    if (!key_keep(k, key, error)) {
        EVP_PKEY_free(key);
        return false;
    }
    k->key = key;
    return true;
}

/* Self-signed, and the same each time but for its dates: clients use its key and nothing else. */
static X509 *certificate_make(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = x == NULL ? NULL : X509_get_subject_name(x);
    bool good =
        name != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(x), CERTIFICATE_DAYS * 86400) != NULL &&
        X509_set_pubkey(x, key) == 1 &&
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Hakika", -1, -1,
                                   0) == 1 &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   (const unsigned char *)"hakika.operator", -1, -1, 0) == 1 &&
        X509_set_issuer_name(x, name) == 1 && X509_sign(x, key, EVP_sha256()) > 0;
    if (!good) {
        X509_free(x);
        return NULL;
    }
    return x;
}

bool credential_certificate(struct credential_key *k, struct writer *out, char error[256])
{
    if (!key_load(k) && !rsa_key_make(k, error)) {
        return false;
    }
    X509 *x = certificate_make(k->key);
    BIO *text = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    bool made = x != NULL && text != NULL && PEM_write_bio_X509(text, x) == 1;
    long size = made ? BIO_get_mem_data(text, &bytes) : 0;
    if (made) {
        put_raw(out, bytes, (size_t)size);
    } else {
        (void)snprintf(error, 256, "cannot make the certificate");
    }
    BIO_free(text);
    X509_free(x);
    return made && !out->overflow;
}

/*
 * From version 3.2 on, OpenSSL "opens" what was made for another key too, as random bytes, against
 * those who try ciphertexts one after the other. Here that would say that the password is wrong
 * when it is the certificate, so it is turned off: whoever asks has an access token, and what they
 * may learn is a password of their own. By its name, for which older headers have no macro: an
 * older library ignores it, and a newer one may be what the program runs with.
 */
static bool refuse_foreign(EVP_PKEY_CTX *ctx)
{
    unsigned int rejection = 0;
    const OSSL_PARAM off[] = {OSSL_PARAM_construct_uint("implicit-rejection", &rejection),
                              OSSL_PARAM_construct_end()};
    return EVP_PKEY_CTX_set_params(ctx, off) == 1;
}

static bool decrypt(EVP_PKEY *key, const uint8_t cipher[RSA_BYTES], uint8_t plain[RSA_BYTES],
                    size_t *size)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    *size = RSA_BYTES;
    bool good = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 && refuse_foreign(ctx) &&
                EVP_PKEY_decrypt(ctx, plain, size, cipher, RSA_BYTES) == 1 &&
                *size <= CREDENTIAL_PASSWORD_MAX;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

enum credential_state credential_decrypt(struct credential_key *k, struct span credential,
                                         char out[CREDENTIAL_PASSWORD_MAX + 1], size_t *size_out)
{
    char cipher[RSA_BYTES + 3];
    uint8_t plain[RSA_BYTES];
    size_t size = 0;
    *size_out = 0;
    if (!base64_decode(credential, cipher, sizeof(cipher), &size) || size != RSA_BYTES) {
        return CREDENTIAL_MALFORMED;
    }
    if (!key_load(k) || !decrypt(k->key, (const uint8_t *)cipher, plain, &size)) {
        return CREDENTIAL_OPAQUE;
    }
    memcpy(out, plain, size);
    out[size] = '\0';
    *size_out = size;
    explicit_bzero(plain, sizeof(plain));
    return CREDENTIAL_OPENED;
}
