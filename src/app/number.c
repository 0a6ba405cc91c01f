/*
 * number.c - see number.h.
 */
#include "app/number.h"

#include <inttypes.h>
#include <stdio.h>

const char *number_grouped(uint64_t value, char out[NUMBER_TEXT_MAX])
{
    char digits[NUMBER_TEXT_MAX];
    int size = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    int at = 0;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}
