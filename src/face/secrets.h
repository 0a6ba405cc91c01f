/*
 * secrets.h - everything that needs the key file: PIN verifiers, access tokens, sealed secrets,
 * names for strangers; and the plain SHA-256 of fingerprints and idempotency keys.
 *
 * Guarantees: the 32-byte key lives in one file (mode 0600) outside the journal and in memory that
 * is kept out of core dumps and wiped at the end; uses are separated by derived keys; comparisons
 * take constant time; nothing here is ever logged.
 * An access token is 28 letters and digits that carry their expiry and their own HMAC: nothing
 * needs to be stored, and they survive a restart.
 */
#ifndef HAKIKA_FACE_SECRETS_H
#define HAKIKA_FACE_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

enum {
    SECRETS_KEY_VERSION = 1,
    SECRETS_TOKEN_SIZE = 32, /* room for 28 characters and NUL */
    SECRETS_TOKEN_LENGTH = 28,
    SECRETS_TOKEN_LIFE_S = 3600,
    SECRETS_SEAL_EXTRA = 1 + 12 + 16, /* version, nonce, tag */
    SECRETS_PATH_SIZE = 1024,         /* the name of a file with a key, and NUL */
    SECRETS_PLAIN_MAX = 200,          /* of a key, a secret or a passkey of an app */
};

struct secrets;

/* Opens the key file, making it (with random bytes) when it is missing. NULL with a message. */
struct secrets *secrets_open(const char *path, char error[256]);
/* With a given key and no file: tests. */
struct secrets *secrets_from_key(const uint8_t key[32]);
void secrets_close(struct secrets *s); /* NULL is fine */

/* Keyed HMAC over account (the MSISDN), key version and PIN, cut to 16 bytes. */
void secrets_pin_verifier(struct secrets *s, uint64_t msisdn, struct span pin, uint8_t out[16]);

enum token_state {
    TOKEN_VALID = 0,
    TOKEN_MALFORMED,
    TOKEN_EXPIRED,
};
/* app: which application it was made for, at most 24 bits. */
void secrets_token_make(struct secrets *s, int64_t now_ns, uint32_t app,
                        char out[SECRETS_TOKEN_SIZE]);
enum token_state secrets_token_check(struct secrets *s, int64_t now_ns, struct span token,
                                     uint32_t *app_out);

/* AES-256-GCM with a random nonce; room: SECRETS_SEAL_EXTRA more than plain. Returns the size. */
size_t secrets_seal(struct secrets *s, struct span plain, uint8_t *out, size_t room);
/* False when it was sealed with another key or damaged. */
bool secrets_unseal(struct secrets *s, struct span sealed, char *out, size_t room,
                    size_t *size_out);

/*
 * A name for strangers: 16 bytes that only this key can make of a number (in a generation of the
 * book), and that tell nothing about it; the same each time, so that nothing needs to be stored.
 */
void secrets_name_make(struct secrets *s, uint64_t number, uint64_t generation, uint8_t out[16]);
/* What it was made of. Bytes that were never given give numbers all over 64 bits: look both up. */
void secrets_name_read(struct secrets *s, const uint8_t name[16], uint64_t *number,
                       uint64_t *generation);

/* SHA-256 over length-prefixed parts, cut to 16 bytes: no two lists of parts look alike. */
void secrets_digest(struct secrets *s, const struct span *parts, uint32_t count, uint8_t out[16]);

/* HMAC-SHA512 of the text with a key of the caller's (Paystack's signature). */
void secrets_hmac_sha512(struct span key, struct span text, uint8_t out[64]);

void secrets_random(void *out, size_t size);

#endif
