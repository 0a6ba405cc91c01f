/*
 * base64.c - see base64.h.
 */
#include "wire/base64.h"

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct writer *w, struct span bytes)
{
    for (size_t at = 0; at < bytes.size; at += 3) {
        size_t count = bytes.size - at < 3 ? bytes.size - at : 3;
        uint32_t group = 0;
        for (size_t i = 0; i < 3; i++) {
            group = group << 8 | (i < count ? (uint8_t)bytes.data[at + i] : 0);
        }
        for (size_t i = 0; i < 4; i++) {
            uint32_t value = group >> (18 - 6 * i) & 63;
            put_u8(w, (uint8_t)(i <= count ? base64_alphabet[value] : '='));
        }
    }
}

/* 0 to 63; 64 for a character outside the alphabet. */
static uint32_t base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0') + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Without its padding; false when there is too much of it. */
static bool base64_unpad(struct span *text)
{
    size_t padded = text->size;
    while (text->size > 0 && text->data[text->size - 1] == '=') {
        text->size--;
    }
    size_t padding = padded - text->size;
    return padding == 0 || (padding <= 2 && padded % 4 == 0);
}

bool base64_decode(struct span text, char *out, size_t capacity, size_t *size_out)
{
    uint32_t bits = 0;
    uint32_t bits_count = 0;
    size_t size = 0;
    if (!base64_unpad(&text) || text.size % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint32_t value = base64_value(text.data[i]);
        if (value == 64) {
            return false;
        }
        bits = bits << 6 | value;
        bits_count += 6;
        if (bits_count >= 8) {
            bits_count -= 8;
            if (size == capacity) {
                return false;
            }
            out[size++] = (char)(uint8_t)(bits >> bits_count);
            bits &= (1u << bits_count) - 1;
        }
    }
    *size_out = size;
    return bits == 0;
}
