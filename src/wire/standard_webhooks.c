/*
 * standard_webhooks.c - see standard_webhooks.h.
 */
#include "wire/standard_webhooks.h"

#include <string.h>

#include "wire/base64.h"

enum { ID_CHARACTERS_MAX = 128, DIGITS_MAX = 20 };

struct key_form {
    enum webhook_key_kind kind;
    const char *prefix;
};

static const struct key_form key_forms[] = {
    {WEBHOOK_SECRET, "whsec_"},
    {WEBHOOK_SIGNER, "whsk_"},
    {WEBHOOK_VERIFIER, "whpk_"},
};
enum { KEY_FORMS = sizeof(key_forms) / sizeof(key_forms[0]) };

static bool size_is_good(enum webhook_key_kind kind, size_t size)
{
    switch (kind) {
    case WEBHOOK_SECRET: return size >= WEBHOOK_KEY_BYTES_MIN && size <= WEBHOOK_KEY_BYTES_MAX;
    case WEBHOOK_SIGNER: return size == WEBHOOK_ED25519_BYTES || size == 2 * WEBHOOK_ED25519_BYTES;
    case WEBHOOK_VERIFIER: return size == WEBHOOK_ED25519_BYTES;
    }
    return false;
}

bool webhook_key_parse(struct span text, struct webhook_key *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = WEBHOOK_SECRET;
    for (size_t i = 0; i < KEY_FORMS; i++) {
        struct span prefix = span_from(key_forms[i].prefix);
        if (span_starts_with(text, prefix)) {
            out->kind = key_forms[i].kind;
            text.data += prefix.size;
            text.size -= prefix.size;
            break;
        }
    }
    return base64_decode(text, (char *)out->bytes, sizeof(out->bytes), &out->size) &&
           size_is_good(out->kind, out->size);
}

void webhook_key_render(struct writer *w, const struct webhook_key *key)
{
    CHECK(size_is_good(key->kind, key->size));
    CHECK(key_forms[key->kind - 1].kind == key->kind);
    struct span prefix = span_from(key_forms[key->kind - 1].prefix);
    put_raw(w, prefix.data, prefix.size);
    base64_encode(w, (struct span){(const char *)key->bytes, key->size});
}

bool webhook_id_is_good(struct span id)
{
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] <= ' ' || id.data[i] > '~' || id.data[i] == '.') {
            return false;
        }
    }
    return id.size > 0 && id.size <= ID_CHARACTERS_MAX;
}

static void put_decimal(struct writer *w, int64_t value)
{
    char digits[DIGITS_MAX];
    size_t at = DIGITS_MAX;
    CHECK(value >= 0);
    do {
        at--;
        digits[at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put_raw(w, digits + at, DIGITS_MAX - at);
}

void webhook_content_render(struct writer *w, struct span id, int64_t timestamp_s, struct span body)
{
    CHECK(webhook_id_is_good(id));
    put_raw(w, id.data, id.size);
    put_u8(w, '.');
    put_decimal(w, timestamp_s);
    put_u8(w, '.');
    put_raw(w, body.data, body.size);
}

static struct span version_prefix(enum webhook_version version)
{
    return version == WEBHOOK_V1 ? SPAN_LITERAL("v1,") : SPAN_LITERAL("v1a,");
}

void webhook_signature_add(struct writer *w, enum webhook_version version, struct span signature)
{
    struct span prefix = version_prefix(version);
    CHECK(signature.size ==
          (version == WEBHOOK_V1 ? (size_t)WEBHOOK_MAC_BYTES : (size_t)WEBHOOK_SIGNATURE_BYTES));
    if (w->size > 0) {
        put_u8(w, ' ');
    }
    put_raw(w, prefix.data, prefix.size);
    base64_encode(w, signature);
}

bool webhook_timestamp_parse(struct span text, int64_t now_s, int64_t *out)
{
    uint64_t seconds;
    CHECK(now_s >= 0);
    if (!span_parse_u64(text, &seconds) || seconds > (uint64_t)INT64_MAX / 2) {
        return false;
    }
    int64_t distance_s = (int64_t)seconds - now_s;
    if (distance_s > WEBHOOK_TOLERANCE_S || distance_s < -WEBHOOK_TOLERANCE_S) {
        return false;
    }
    *out = (int64_t)seconds;
    return true;
}

/* The list up to the next blank, which is taken away with it. */
static struct span next_entry(struct span *rest)
{
    *rest = span_trim(*rest);
    size_t size = 0;
    while (size < rest->size && rest->data[size] != ' ') {
        size++;
    }
    struct span entry = {rest->data, size};
    rest->data += size;
    rest->size -= size;
    return entry;
}

bool webhook_signature_next(struct span *rest, enum webhook_version version,
                            uint8_t out[WEBHOOK_SIGNATURE_BYTES], size_t *size_out)
{
    struct span prefix = version_prefix(version);
    struct span entry = next_entry(rest);
    for (; entry.size > 0; entry = next_entry(rest)) {
        if (!span_starts_with(entry, prefix)) {
            continue;
        }
        struct span text = {entry.data + prefix.size, entry.size - prefix.size};
        if (base64_decode(text, (char *)out, WEBHOOK_SIGNATURE_BYTES, size_out)) {
            return true;
        }
    }
    return false;
}

/* All of them, whatever the first says. */
bool webhook_signature_holds(struct span list, const uint8_t mac[WEBHOOK_MAC_BYTES])
{
    uint8_t given[WEBHOOK_SIGNATURE_BYTES];
    size_t size;
    bool holds = false;
    struct span wanted = {(const char *)mac, WEBHOOK_MAC_BYTES};
    while (webhook_signature_next(&list, WEBHOOK_V1, given, &size)) {
        bool equal = span_equal_secret((struct span){(const char *)given, size}, wanted);
        holds = holds || equal;
    }
    return holds;
}
