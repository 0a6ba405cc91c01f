/*
 * money.h - amounts of money in minor units (Kenyan cents), with arithmetic that cannot overflow
 * unseen.
 *
 * Guarantees: no operation here wraps, rounds or touches floating point. Text forms are exact.
 * An amount is int64_t; the currency belongs to the ledger of the account.
 */
#ifndef HAKIKA_BASE_MONEY_H
#define HAKIKA_BASE_MONEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

enum {
    MONEY_MINOR_PER_MAJOR = 100,
    MONEY_TEXT_MAX = 24, /* sign, 17 digits, point, 2 digits, terminator */
};

/* out = a + b; false (out untouched) when it does not fit. */
static inline MUST_USE bool money_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *out = sum;
    return true;
}

/* out = a - b; false (out untouched) when it does not fit. */
static inline MUST_USE bool money_sub(int64_t a, int64_t b, int64_t *out)
{
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference)) {
        return false;
    }
    *out = difference;
    return true;
}

/* out = a * b; false (out untouched) when it does not fit. */
static inline MUST_USE bool money_mul(int64_t a, int64_t b, int64_t *out)
{
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *out = product;
    return true;
}

/*
 * Reads a decimal amount in major units ("1", "1.5", "1200.00") exactly into minor units.
 * False for anything else: empty, signs, more than two decimals, exponents, spaces, overflow.
 */
bool money_parse(struct span text, int64_t *minor_out) MUST_USE;

/* Writes minor units as "1200.00" (with '-' when negative) and returns the length without NUL. */
size_t money_format(int64_t minor, char out[MONEY_TEXT_MAX]);

#endif
