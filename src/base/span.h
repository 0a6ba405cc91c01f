/*
 * span.h - a borrowed run of bytes: pointer and length, never owned, never assumed to end in NUL.
 */
#ifndef HAKIKA_BASE_SPAN_H
#define HAKIKA_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"

struct span {
    const char *data; /* may be NULL only when size is 0 */
    size_t size;
};

#define SPAN_LITERAL(text) ((struct span){(text), sizeof(text) - 1})
#define SPAN_EMPTY         ((struct span){NULL, 0})

static inline struct span span_from(const char *text)
{
    struct span s = {text, text == NULL ? 0 : strlen(text)};
    return s;
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_from(text));
}

static inline bool span_starts_with(struct span a, struct span prefix)
{
    return a.size >= prefix.size &&
           (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

/* Without leading and trailing ASCII white space. */
struct span span_trim(struct span text);

/* At most that many bytes of UTF-8, ending where a letter ends. */
struct span span_cut(struct span text, size_t most);

/* Decimal digits only, at least one, no overflow; false leaves out untouched. */
bool span_parse_u64(struct span text, uint64_t *out) MUST_USE;

/*
 * Compares in time that depends on the lengths only, for secrets (R3.3). Different lengths are
 * unequal.
 */
bool span_equal_secret(struct span a, struct span b) MUST_USE;

#endif
