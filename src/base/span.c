/*
 * span.c - the few operations on spans that are too long to inline. Tests: tests/unit/test_base.c.
 */
#include "base/span.h"

static bool span_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct span span_trim(struct span text)
{
    while (text.size > 0 && span_is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && span_is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

struct span span_cut(struct span text, size_t most)
{
    if (text.size <= most) {
        return text;
    }
    while (most > 0 && ((unsigned char)text.data[most] & 0xc0) == 0x80) { /* within a letter */
        most--;
    }
    return (struct span){text.data, most};
}

bool span_parse_u64(struct span text, uint64_t *out)
{
    uint64_t value = 0;
    if (text.size == 0) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(c - '0'), &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

bool span_equal_secret(struct span a, struct span b)
{
    if (a.size != b.size) {
        return false;
    }
    unsigned difference = 0;
    for (size_t i = 0; i < a.size; i++) {
        difference |= (unsigned)((unsigned char)a.data[i] ^ (unsigned char)b.data[i]);
    }
    return difference == 0;
}
