/*
 * sha256.h - SHA-256 without allocation, locks or failure, so that it can run anywhere: on the
 * commit path, and in the forked child that writes a snapshot while a thread of its parent may
 * have held one of OpenSSL's locks at the moment of the fork.
 *
 * That is why this is OpenSSL's low-level interface and not EVP: the code that does the work is
 * the same (it uses the processor's SHA instructions), but EVP fetches and allocates.
 */
#ifndef HAKIKA_JOURNAL_SHA256_H
#define HAKIKA_JOURNAL_SHA256_H

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

enum { SHA256_BYTES = SHA256_DIGEST_LENGTH };

struct sha256 {
    SHA256_CTX context;
};

static inline void sha256_init(struct sha256 *sha)
{
    CHECK(SHA256_Init(&sha->context) == 1);
}

static inline void sha256_update(struct sha256 *sha, const void *data, size_t size)
{
    CHECK(SHA256_Update(&sha->context, data, size) == 1);
}

static inline void sha256_finish(struct sha256 *sha, uint8_t out[SHA256_BYTES])
{
    CHECK(SHA256_Final(out, &sha->context) == 1);
}

#endif
