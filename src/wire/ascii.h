/*
 * ascii.h - letters and digits of ASCII, whatever the locale of the process: what <ctype.h> says
 * depends on it. Tests: tests/unit/test_json.c, test_liberal.c, test_daraja_url.c.
 */
#ifndef HAKIKA_WIRE_ASCII_H
#define HAKIKA_WIRE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Nothing but digits, and at least one. */
static inline bool ascii_is_digits(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!ascii_is_digit(text.data[i])) {
            return false;
        }
    }
    return text.size > 0;
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

#endif
