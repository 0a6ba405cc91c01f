/*
 * money.c - exact text forms of amounts. See money.h; tests in tests/unit/test_base.c.
 */
#include "base/money.h"

bool money_parse(struct span text, int64_t *minor_out)
{
    int64_t major = 0;
    int64_t cents = 0;
    size_t i = 0;
    while (i < text.size && text.data[i] >= '0' && text.data[i] <= '9') {
        if (!money_mul(major, 10, &major) || !money_add(major, text.data[i] - '0', &major)) {
            return false;
        }
        i++;
    }
    if (i == 0) {
        return false;
    }
    if (i < text.size) {
        size_t decimals = text.size - i - 1;
        if (text.data[i] != '.' || decimals < 1 || decimals > 2) {
            return false;
        }
        for (size_t d = i + 1; d < text.size; d++) {
            if (text.data[d] < '0' || text.data[d] > '9') {
                return false;
            }
            cents = cents * 10 + (text.data[d] - '0');
        }
        if (decimals == 1) {
            cents *= 10;
        }
    }
    int64_t minor;
    if (!money_mul(major, MONEY_MINOR_PER_MAJOR, &minor) || !money_add(minor, cents, &minor)) {
        return false;
    }
    *minor_out = minor;
    return true;
}

size_t money_format(int64_t minor, char out[MONEY_TEXT_MAX])
{
    /* The magnitude is taken in uint64_t, where -INT64_MIN exists. */
    uint64_t magnitude = minor < 0 ? ~(uint64_t)minor + 1 : (uint64_t)minor;
    char digits[MONEY_TEXT_MAX];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude != 0 || n < 3);
    size_t at = 0;
    if (minor < 0) {
        out[at++] = '-';
    }
    while (n > 0) {
        out[at++] = digits[--n];
        if (n == 2) {
            out[at++] = '.';
        }
    }
    out[at] = '\0';
    CHECK(at < MONEY_TEXT_MAX);
    return at;
}
