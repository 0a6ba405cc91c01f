/*
 * daraja_auth.c - see daraja_auth.h.
 */
#include "wire/daraja_auth.h"

#include "base/caltime.h"
#include "wire/base64.h"
#include "wire/daraja_answer.h"
#include "wire/json.h"

/* Decimal digits of a short code into `out` (10 bytes); returns how many. */
static size_t short_code_digits(uint32_t short_code, char out[10])
{
    size_t size = 0;
    for (uint32_t rest = short_code; rest != 0 || size == 0; rest /= 10) {
        size++;
    }
    for (size_t i = size; i > 0; i--) {
        out[i - 1] = (char)('0' + short_code % 10);
        short_code /= 10;
    }
    return size;
}

bool daraja_password_matches(struct span password, uint32_t short_code, struct span passkey,
                             struct span timestamp)
{
    char decoded[DARAJA_PASSWORD_BYTES_MAX];
    char digits[10];
    size_t size;
    struct span code = {digits, short_code_digits(short_code, digits)};
    if (!base64_decode(password, decoded, sizeof(decoded), &size) ||
        size != code.size + passkey.size + timestamp.size) {
        return false;
    }
    struct span code_sent = {decoded, code.size};
    struct span passkey_sent = {decoded + code.size, passkey.size};
    struct span timestamp_sent = {decoded + code.size + passkey.size, timestamp.size};
    /* All three, whatever the first says. */
    bool code_equal = span_equal_secret(code_sent, code);
    bool passkey_equal = span_equal_secret(passkey_sent, passkey);
    bool timestamp_equal = span_equal_secret(timestamp_sent, timestamp);
    return code_equal && passkey_equal && timestamp_equal;
}

/* What follows the scheme, whose case does not matter (RFC 9110, 11.1), and its spaces. */
static bool auth_scheme(struct span value, struct span scheme, struct span *rest_out)
{
    value = span_trim(value);
    if (value.size <= scheme.size || value.data[scheme.size] != ' ') {
        return false;
    }
    for (size_t i = 0; i < scheme.size; i++) {
        if ((value.data[i] | 0x20) != scheme.data[i]) {
            return false;
        }
    }
    value.data += scheme.size;
    value.size -= scheme.size;
    *rest_out = span_trim(value);
    return rest_out->size > 0;
}

bool daraja_basic_parse(struct span header_value, char *decoded, size_t decoded_size,
                        struct span *key_out, struct span *secret_out)
{
    struct span encoded;
    size_t size;
    if (!auth_scheme(header_value, SPAN_LITERAL("basic"), &encoded) ||
        !base64_decode(encoded, decoded, decoded_size, &size) || size == 0) {
        return false;
    }
    const char *colon = memchr(decoded, ':', size);
    if (colon == NULL || colon == decoded) {
        return false;
    }
    size_t key_size = (size_t)(colon - decoded);
    *key_out = (struct span){decoded, key_size};
    *secret_out = (struct span){colon + 1, size - key_size - 1};
    return true;
}

bool daraja_bearer_parse(struct span header_value, struct span *token_out)
{
    struct span token;
    if (!auth_scheme(header_value, SPAN_LITERAL("bearer"), &token)) {
        return false;
    }
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] <= ' ' || token.data[i] > '~') {
            return false;
        }
    }
    *token_out = token;
    return true;
}

/* The sheet of the portal prints a number; what comes over the wire is a string. */
void daraja_token_render(struct writer *w, struct span token, uint32_t expires_in_s)
{
    char digits[10];
    struct span seconds = {digits, short_code_digits(expires_in_s, digits)};
    json_open(w, '{');
    json_field_string(w, "access_token", token);
    json_field_string(w, "expires_in", seconds);
    json_close(w, '}');
}

/* ---- the client's direction ---- */

void daraja_basic_render(struct writer *w, struct span key, struct span secret)
{
    char text[2 * DARAJA_PASSWORD_BYTES_MAX];
    struct writer pair = writer_init(text, sizeof(text));
    put_raw(&pair, key.data, key.size);
    put_u8(&pair, ':');
    put_raw(&pair, secret.data, secret.size);
    w->overflow = w->overflow || pair.overflow;
    json_raw(w, "Basic ");
    base64_encode(w, (struct span){text, pair.size});
}

void daraja_password_render(struct writer *w, uint32_t short_code, struct span passkey,
                            struct span timestamp)
{
    char text[DARAJA_PASSWORD_BYTES_MAX];
    char digits[10];
    struct writer plain = writer_init(text, sizeof(text));
    put_raw(&plain, digits, short_code_digits(short_code, digits));
    put_raw(&plain, passkey.data, passkey.size);
    put_raw(&plain, timestamp.data, timestamp.size);
    w->overflow = w->overflow || plain.overflow;
    base64_encode(w, (struct span){text, plain.size});
}

bool daraja_token_parse(struct span body, struct json_scratch *scratch, struct daraja_token *out)
{
    const char *why;
    uint64_t seconds;
    *out = (struct daraja_token){SPAN_EMPTY, 0};
    struct json_object *object = json_parse(scratch, body, &why);
    struct span said = daraja_text(scratch, object, "expires_in", NULL);
    if (!json_string(json_member(object, "access_token"), &out->token) || out->token.size == 0) {
        return false;
    }
    for (size_t i = 0; i < out->token.size; i++) {
        if (out->token.data[i] <= ' ' || out->token.data[i] > '~') {
            return false; /* it goes into a header */
        }
    }
    if (span_parse_u64(said, &seconds)) {
        out->expires_in_s = seconds < SECONDS_PER_DAY ? (uint32_t)seconds : SECONDS_PER_DAY;
    }
    return true;
}
