/*
 * secrets.c - see secrets.h. OpenSSL 3 with contexts made once and used again.
 */
#include "face/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/caltime.h"

enum { KEY_BYTES = 32, MAC_BYTES = 32, TOKEN_RAW = 20, TOKEN_MAC = 12 };

struct secrets {
    EVP_MAC_CTX *pin_mac;
    EVP_MAC_CTX *token_mac;
    EVP_CIPHER_CTX *cipher;
    EVP_CIPHER *gcm;
    EVP_CIPHER *block;
    EVP_MD_CTX *digest;
    EVP_MD *sha256;
    uint8_t seal_key[KEY_BYTES];
    uint8_t name_key[KEY_BYTES];
};

void secrets_hmac_sha512(struct span key, struct span text, uint8_t out[64])
{
    unsigned int size = 0;
    CHECK(HMAC(EVP_sha512(), key.data, (int)key.size, (const unsigned char *)text.data, text.size,
               out, &size) != NULL);
    CHECK(size == 64);
}

void secrets_random(void *out, size_t size)
{
    CHECK(size <= 1024);
    CHECK(RAND_bytes(out, (int)size) == 1);
}

static EVP_MAC_CTX *hmac_with_key(const uint8_t key[KEY_BYTES])
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    CHECK(mac != NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    CHECK(ctx != NULL);
    CHECK(EVP_MAC_init(ctx, key, KEY_BYTES, params) == 1);
    return ctx;
}

static void hmac_of(EVP_MAC_CTX *ctx, const void *data, size_t size, uint8_t out[MAC_BYTES])
{
    size_t length = 0;
    CHECK(EVP_MAC_init(ctx, NULL, 0, NULL) == 1); /* the same key again */
    CHECK(EVP_MAC_update(ctx, data, size) == 1);
    CHECK(EVP_MAC_final(ctx, out, &length, MAC_BYTES) == 1);
    CHECK(length == MAC_BYTES);
}

/* One key per use, so that what leaks about one says nothing about the others. */
static void derive(const uint8_t key[KEY_BYTES], const char *use, uint8_t out[KEY_BYTES])
{
    EVP_MAC_CTX *ctx = hmac_with_key(key);
    hmac_of(ctx, use, strlen(use), out);
    EVP_MAC_CTX_free(ctx);
}

struct secrets *secrets_from_key(const uint8_t key[32])
{
    struct secrets *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    uint8_t derived[KEY_BYTES];
    (void)mlock(s, sizeof(*s)); /* best effort: not on every system allowed */
    derive(key, "hakika pin verifier 1", derived);
    s->pin_mac = hmac_with_key(derived);
    derive(key, "hakika access token 1", derived);
    s->token_mac = hmac_with_key(derived);
    derive(key, "hakika sealed secret 1", s->seal_key);
    derive(key, "hakika public name 1", s->name_key);
    OPENSSL_cleanse(derived, sizeof(derived));
    s->cipher = EVP_CIPHER_CTX_new();
    s->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    s->block = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL); /* of one block: a permutation */
    s->digest = EVP_MD_CTX_new();
    s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    CHECK(s->cipher != NULL && s->gcm != NULL && s->block != NULL && s->digest != NULL &&
          s->sha256 != NULL);
    return s;
}

void secrets_close(struct secrets *s)
{
    if (s == NULL) {
        return;
    }
    EVP_MAC_CTX_free(s->pin_mac);
    EVP_MAC_CTX_free(s->token_mac);
    EVP_CIPHER_CTX_free(s->cipher);
    EVP_CIPHER_free(s->gcm);
    EVP_CIPHER_free(s->block);
    EVP_MD_CTX_free(s->digest);
    EVP_MD_free(s->sha256);
    OPENSSL_cleanse(s, sizeof(*s));
    free(s);
}

/* ---- the key file ---- */

static bool key_read(int fd, const char *path, uint8_t key[KEY_BYTES], char error[256])
{
    struct stat info;
    if (fstat(fd, &info) != 0 || read(fd, key, KEY_BYTES) != KEY_BYTES ||
        info.st_size != KEY_BYTES) {
        (void)snprintf(error, 256,
                       "the key file %.100s is damaged: it must hold %d bytes; restore it, since "
                       "PINs and secrets cannot be read without it",
                       path, KEY_BYTES);
        return false;
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)snprintf(error, 256,
                       "the key file %.150s can be read by others; run: chmod 600 on it", path);
        return false;
    }
    return true;
}

/* A name is on disk when its folder is. */
static bool sync_folder_of(const char *path)
{
    char folder[SECRETS_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    int size = slash == NULL ? 0 : (int)(slash - path);
    (void)snprintf(folder, sizeof(folder), "%.*s", size, path);
    int fd =
        open(slash == NULL ? "." : (size == 0 ? "/" : folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return synced;
}

/* Under a name of its own first, then linked: a key file is whole from its first moment on, and of
 * two processes that start together on a new folder both go on with the key of the first. */
static bool key_make(const char *path, char error[256])
{
    char half[SECRETS_PATH_SIZE];
    uint8_t key[KEY_BYTES];
    int size = snprintf(half, sizeof(half), "%s.XXXXXX", path);
    errno = ENAMETOOLONG;
    int fd = size > 0 && (size_t)size < sizeof(half) ? mkostemp(half, O_CLOEXEC) : -1;
    bool made = fd >= 0;
    if (made) {
        secrets_random(key, KEY_BYTES);
        errno = EIO; /* what a write that stops half-way means */
        made = write(fd, key, KEY_BYTES) == KEY_BYTES && fsync(fd) == 0 &&
               (link(half, path) == 0 || errno == EEXIST) && sync_folder_of(path);
        OPENSSL_cleanse(key, sizeof(key));
    }
    if (!made) {
        (void)snprintf(error, 256, "cannot make the key file %.150s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)unlink(half);
        (void)close(fd);
    }
    return made;
}

struct secrets *secrets_open(const char *path, char error[256])
{
    uint8_t key[KEY_BYTES];
    bool have = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (!key_make(path, error)) {
            return NULL;
        }
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd >= 0) {
        have = key_read(fd, path, key, error);
        (void)close(fd);
    } else {
        (void)snprintf(error, 256, "cannot open the key file %.150s: %s", path, strerror(errno));
    }
    struct secrets *s = have ? secrets_from_key(key) : NULL;
    OPENSSL_cleanse(key, sizeof(key));
    return s;
}

/* ---- PINs ---- */

void secrets_pin_verifier(struct secrets *s, uint64_t msisdn, struct span pin, uint8_t out[16])
{
    uint8_t message[8 + 1 + 16];
    uint8_t mac[MAC_BYTES];
    CHECK(pin.size <= 16);
    memset(message, 0, sizeof(message));
    memcpy(message, &msisdn, sizeof(msisdn));
    message[8] = SECRETS_KEY_VERSION;
    memcpy(message + 9, pin.data, pin.size);
    hmac_of(s->pin_mac, message, 9 + pin.size, mac);
    memcpy(out, mac, 16);
    OPENSSL_cleanse(message, sizeof(message));
    OPENSSL_cleanse(mac, sizeof(mac));
}

/* ---- tokens: 5 bytes expiry, 3 bytes application, 12 bytes HMAC, written in base 62 ---- */

static const char TOKEN_DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static int token_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'Z') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'z' ? c - 'a' + 36 : -1;
}

static void token_print(const uint8_t raw[TOKEN_RAW], char out[SECRETS_TOKEN_SIZE])
{
    uint32_t limbs[TOKEN_RAW / 4];
    memcpy(limbs, raw, TOKEN_RAW);
    for (int i = SECRETS_TOKEN_LENGTH - 1; i >= 0; i--) {
        uint64_t rest = 0;
        for (int l = TOKEN_RAW / 4 - 1; l >= 0; l--) {
            uint64_t value = rest << 32 | limbs[l];
            limbs[l] = (uint32_t)(value / 62);
            rest = value % 62;
        }
        out[i] = TOKEN_DIGITS[rest];
    }
    out[SECRETS_TOKEN_LENGTH] = '\0';
}

static bool token_read(struct span token, uint8_t raw[TOKEN_RAW])
{
    uint32_t limbs[TOKEN_RAW / 4] = {0};
    if (token.size != SECRETS_TOKEN_LENGTH) {
        return false;
    }
    for (size_t i = 0; i < token.size; i++) {
        int digit = token_digit(token.data[i]);
        if (digit < 0) {
            return false;
        }
        uint64_t carry = (uint64_t)digit;
        for (size_t l = 0; l < TOKEN_RAW / 4; l++) {
            uint64_t value = (uint64_t)limbs[l] * 62 + carry;
            limbs[l] = (uint32_t)value;
            carry = value >> 32;
        }
        if (carry != 0) {
            return false; /* larger than any token that we print */
        }
    }
    memcpy(raw, limbs, TOKEN_RAW);
    return true;
}

/* The MAC lies in front, so that tokens differ from their first character on. */
static void token_fill(struct secrets *s, uint64_t expiry_s, uint32_t app, uint8_t raw[TOKEN_RAW])
{
    uint8_t mac[MAC_BYTES];
    for (int i = 0; i < 5; i++) {
        raw[i] = (uint8_t)(expiry_s >> (8 * i));
    }
    for (int i = 0; i < 3; i++) {
        raw[5 + i] = (uint8_t)(app >> (8 * i));
    }
    hmac_of(s->token_mac, raw, 8, mac);
    memcpy(raw + 8, mac, TOKEN_MAC);
}

void secrets_token_make(struct secrets *s, int64_t now_ns, uint32_t app,
                        char out[SECRETS_TOKEN_SIZE])
{
    uint8_t raw[TOKEN_RAW];
    CHECK(app < 1u << 24);
    token_fill(s, (uint64_t)(now_ns / NS_PER_S) + SECRETS_TOKEN_LIFE_S, app, raw);
    token_print(raw, out);
}

enum token_state secrets_token_check(struct secrets *s, int64_t now_ns, struct span token,
                                     uint32_t *app_out)
{
    uint8_t raw[TOKEN_RAW];
    uint8_t expected[TOKEN_RAW];
    if (!token_read(token, raw)) {
        return TOKEN_MALFORMED;
    }
    uint64_t expiry_s = 0;
    for (int i = 4; i >= 0; i--) {
        expiry_s = expiry_s << 8 | raw[i];
    }
    uint32_t app = (uint32_t)raw[5] | (uint32_t)raw[6] << 8 | (uint32_t)raw[7] << 16;
    token_fill(s, expiry_s, app, expected);
    if (CRYPTO_memcmp(raw, expected, TOKEN_RAW) != 0) {
        return TOKEN_MALFORMED;
    }
    *app_out = app;
    return expiry_s > (uint64_t)(now_ns / NS_PER_S) ? TOKEN_VALID : TOKEN_EXPIRED;
}

/* ---- sealed secrets ---- */

size_t secrets_seal(struct secrets *s, struct span plain, uint8_t *out, size_t room)
{
    CHECK(room >= plain.size + SECRETS_SEAL_EXTRA);
    int written = 0;
    int last = 0;
    out[0] = SECRETS_KEY_VERSION;
    secrets_random(out + 1, 12);
    CHECK(EVP_EncryptInit_ex2(s->cipher, s->gcm, s->seal_key, out + 1, NULL) == 1);
    CHECK(EVP_EncryptUpdate(s->cipher, out + 13, &written, (const uint8_t *)plain.data,
                            (int)plain.size) == 1);
    CHECK(EVP_EncryptFinal_ex(s->cipher, out + 13 + written, &last) == 1);
    CHECK(EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_GET_TAG, 16, out + 13 + plain.size) == 1);
    return plain.size + SECRETS_SEAL_EXTRA;
}

bool secrets_unseal(struct secrets *s, struct span sealed, char *out, size_t room, size_t *size_out)
{
    const uint8_t *in = (const uint8_t *)sealed.data;
    if (sealed.size < SECRETS_SEAL_EXTRA || in[0] != SECRETS_KEY_VERSION ||
        sealed.size - SECRETS_SEAL_EXTRA > room) {
        return false;
    }
    size_t size = sealed.size - SECRETS_SEAL_EXTRA;
    uint8_t tag[16];
    memcpy(tag, in + 13 + size, sizeof(tag));
    int written = 0;
    int last = 0;
    bool good = EVP_DecryptInit_ex2(s->cipher, s->gcm, s->seal_key, in + 1, NULL) == 1 &&
                EVP_DecryptUpdate(s->cipher, (uint8_t *)out, &written, in + 13, (int)size) == 1 &&
                EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1 &&
                EVP_DecryptFinal_ex(s->cipher, (uint8_t *)out + written, &last) == 1;
    *size_out = good ? size : 0;
    return good;
}

/* ---- names for strangers ---- */

static void block_run(struct secrets *s, int encrypt, const uint8_t in[16], uint8_t out[16])
{
    int written = 0;
    CHECK(EVP_CipherInit_ex2(s->cipher, s->block, s->name_key, NULL, encrypt, NULL) == 1);
    CHECK(EVP_CIPHER_CTX_set_padding(s->cipher, 0) == 1);
    CHECK(EVP_CipherUpdate(s->cipher, out, &written, in, 16) == 1);
    CHECK(written == 16);
}

void secrets_name_make(struct secrets *s, uint64_t number, uint64_t generation, uint8_t out[16])
{
    uint8_t plain[16];
    memcpy(plain, &number, sizeof(number));
    memcpy(plain + 8, &generation, sizeof(generation));
    block_run(s, 1, plain, out);
}

void secrets_name_read(struct secrets *s, const uint8_t name[16], uint64_t *number,
                       uint64_t *generation)
{
    uint8_t plain[16];
    block_run(s, 0, name, plain);
    memcpy(number, plain, sizeof(*number));
    memcpy(generation, plain + 8, sizeof(*generation));
}

/* ---- digests ---- */

void secrets_digest(struct secrets *s, const struct span *parts, uint32_t count, uint8_t out[16])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    CHECK(EVP_DigestInit_ex2(s->digest, s->sha256, NULL) == 1);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t size = parts[i].size;
        CHECK(EVP_DigestUpdate(s->digest, &size, sizeof(size)) == 1);
        CHECK(EVP_DigestUpdate(s->digest, parts[i].data, parts[i].size) == 1);
    }
    CHECK(EVP_DigestFinal_ex(s->digest, hash, NULL) == 1);
    memcpy(out, hash, 16);
}
