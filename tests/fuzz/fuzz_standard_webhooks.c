/*
 * fuzz_standard_webhooks.c - any bytes as a key, an id, a timestamp and a list of signatures.
 *
 * Must hold: what is accepted can be written again to the same text (keys without their padding
 * aside), and the walk over a list ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire/standard_webhooks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t mac[WEBHOOK_MAC_BYTES] = {1};
    struct span text = {(const char *)data, size};
    struct webhook_key key;
    struct webhook_key again;
    uint8_t signature[WEBHOOK_SIGNATURE_BYTES];
    char out[WEBHOOK_KEY_TEXT_MAX];
    size_t count = 0;
    size_t length;
    int64_t seconds;
    if (webhook_key_parse(text, &key)) {
        struct writer w = writer_init(out, sizeof(out));
        webhook_key_render(&w, &key);
        CHECK(!w.overflow && webhook_key_parse((struct span){out, w.size}, &again));
        CHECK(memcmp(&key, &again, sizeof(key)) == 0);
    }
    if (webhook_timestamp_parse(text, 1614265330, &seconds)) {
        CHECK(seconds >= 1614265330 - WEBHOOK_TOLERANCE_S);
        CHECK(seconds <= 1614265330 + WEBHOOK_TOLERANCE_S);
    }
    if (webhook_id_is_good(text)) {
        CHECK(memchr(text.data, '.', text.size) == NULL);
    }
    for (struct span rest = text; webhook_signature_next(&rest, WEBHOOK_V1A, signature, &length);) {
        CHECK(length <= sizeof(signature) && count++ <= text.size);
    }
    bool holds = webhook_signature_holds(text, mac);
    (void)holds;
    return 0;
}
