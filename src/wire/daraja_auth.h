/*
 * daraja_auth.h - who is asking: OAuth's Basic and Bearer headers, the token answer, and the
 * Password of STK requests.
 *
 * Guarantees: secrets are compared in constant time and never copied further than the buffer given.
 * Tests: tests/unit/test_daraja_auth.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_AUTH_H
#define HAKIKA_WIRE_DARAJA_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"
#include "wire/json.h"

enum { DARAJA_PASSWORD_BYTES_MAX = 512 };

/*
 * True when the password is base64 of short code, passkey and timestamp, one after the other, and
 * the passkey between them is this one.
 */
bool daraja_password_matches(struct span password, uint32_t short_code, struct span passkey,
                             struct span timestamp) MUST_USE;

/* "Basic base64(key:secret)": the spans point into `decoded` (at least value.size bytes). */
bool daraja_basic_parse(struct span header_value, char *decoded, size_t decoded_size,
                        struct span *key_out, struct span *secret_out) MUST_USE;
/* "Bearer token" -> token. */
bool daraja_bearer_parse(struct span header_value, struct span *token_out) MUST_USE;

void daraja_token_render(struct writer *w, struct span token, uint32_t expires_in_s);

/* ---- the client's direction ---- */

/* "Basic base64(key:secret)" */
void daraja_basic_render(struct writer *w, struct span key, struct span secret);
/* base64 of short code, passkey and timestamp. */
void daraja_password_render(struct writer *w, uint32_t short_code, struct span passkey,
                            struct span timestamp);

struct daraja_token {
    struct span token;
    uint32_t expires_in_s; /* at most a day; 0: not said */
};
/* False: there is no token in it. expires_in comes as a string and as a number. */
bool daraja_token_parse(struct span body, struct json_scratch *scratch,
                        struct daraja_token *out) MUST_USE;

#endif
