/*
 * standard_webhooks.h - webhooks as Standard Webhooks 1.0.0 has them: keys, the bytes that are
 * signed, and the three headers; both directions. v1 is HMAC-SHA256 with a shared secret, v1a is
 * ed25519. The signatures themselves are computed by whoever has OpenSSL.
 *
 * Guarantees: what is signed is unambiguous: an id or timestamp with a dot is refused. Comparing
 * takes a time that depends on the lengths only. Tests: tests/unit/test_standard_webhooks.c, fuzzed
 * by fuzz_standard_webhooks.
 */
#ifndef HAKIKA_WIRE_STANDARD_WEBHOOKS_H
#define HAKIKA_WIRE_STANDARD_WEBHOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"

enum webhook_key_kind {
    WEBHOOK_SECRET = 1, /* "whsec_": 24 to 64 bytes, for v1 */
    WEBHOOK_SIGNER = 2, /* "whsk_": an ed25519 seed of 32 bytes, which the public key may follow */
    WEBHOOK_VERIFIER = 3, /* "whpk_": an ed25519 public key of 32 bytes */
};

enum {
    WEBHOOK_KEY_BYTES_MAX = 64,
    WEBHOOK_KEY_BYTES_MIN = 24, /* of a secret */
    WEBHOOK_ED25519_BYTES = 32,
    WEBHOOK_KEY_TEXT_MAX = 96,
    WEBHOOK_TOLERANCE_S = 300, /* how far a timestamp may be from now */
    WEBHOOK_MAC_BYTES = 32,
    WEBHOOK_SIGNATURE_BYTES = 64, /* of ed25519 */
};

struct webhook_key {
    enum webhook_key_kind kind;
    size_t size;
    uint8_t bytes[WEBHOOK_KEY_BYTES_MAX];
};

/* A text without a prefix is a secret. False for what is no key, too short or too long. */
bool webhook_key_parse(struct span text, struct webhook_key *out) MUST_USE;
void webhook_key_render(struct writer *w, const struct webhook_key *key);

/* Printable, without a dot or a blank, 1 to 128 characters. */
bool webhook_id_is_good(struct span id) MUST_USE;

/* "id.timestamp.body": what is signed. CHECKs that the id is good. */
void webhook_content_render(struct writer *w, struct span id, int64_t timestamp_s,
                            struct span body);

enum webhook_version {
    WEBHOOK_V1 = 1,
    WEBHOOK_V1A = 2,
};

/* Adds "v1,<base64>" to the list of the header webhook-signature: during a rotation one for each
 * secret. */
void webhook_signature_add(struct writer *w, enum webhook_version version, struct span signature);

/* ---- the receiver's direction ---- */

/* The header webhook-timestamp; false when it is no whole number of seconds or further from now
 * than WEBHOOK_TOLERANCE_S. */
bool webhook_timestamp_parse(struct span text, int64_t now_s, int64_t *out) MUST_USE;

/* The next signature of a version in the list, decoded; false at the end. */
bool webhook_signature_next(struct span *rest, enum webhook_version version,
                            uint8_t out[WEBHOOK_SIGNATURE_BYTES], size_t *size_out) MUST_USE;
/* Is this HMAC among the v1 signatures of the list? */
bool webhook_signature_holds(struct span list, const uint8_t mac[WEBHOOK_MAC_BYTES]) MUST_USE;

#endif
