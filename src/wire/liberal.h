/*
 * liberal.h - values as providers, spreadsheets and people really write them: amounts with
 * thousands commas or an exponent, phone numbers in five forms, dates in six.
 *
 * Guarantees: exact or refused: no amount passes through floating point and none is rounded; a date
 * that does not exist is refused. Tests: tests/unit/test_liberal.c, fuzzed by fuzz_daraja_client.
 */
#ifndef HAKIKA_WIRE_LIBERAL_H
#define HAKIKA_WIRE_LIBERAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

/* "1", "-1540.00", "1,234,567.50", "1.2345E7", "300.0": in cents. False for what is no amount, for
 * fractions of a cent and for what does not fit. */
bool liberal_amount(struct span text, int64_t *minor_out) MUST_USE;

/* "254722000000", "+254722000000", "0722000000", "722000000", with blanks or dashes between:
 * 254722000000. False for what is masked, hashed or of another country. */
bool liberal_phone(struct span text, uint64_t *msisdn_out) MUST_USE;

/*
 * A point in time in East Africa Time, which no provider message of Daraja names: "20191219102115"
 * (also as 2.0191219102115E13), "06.07.2024 22:48:52", "2020-08-05T10:13:00Z" (Kenyan all the
 * same), "2020-08-04 8:36:00", "13/07/2021 14:10", "2021-09-15". Day before month; without a time
 * of day it is midnight.
 */
bool liberal_time_eat(struct span text, int64_t *ns_out) MUST_USE;

#endif
