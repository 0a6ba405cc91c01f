/*
 * number.h - numbers as people read them.
 */
#ifndef HAKIKA_APP_NUMBER_H
#define HAKIKA_APP_NUMBER_H

#include <stdint.h>

enum { NUMBER_TEXT_MAX = 40 };

/* Thousands apart, 1234567 as "1,234,567"; out. */
const char *number_grouped(uint64_t value, char out[NUMBER_TEXT_MAX]);

#endif
