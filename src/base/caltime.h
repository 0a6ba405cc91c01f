/*
 * caltime.h - calendar arithmetic: nanoseconds since 1970 (UTC) to civil dates and back, East
 * Africa Time, and the text forms of points in time.
 *
 * Guarantees: pure arithmetic, no system clock, no time zone files, no leap seconds. Points in time
 * run from 1970-01-01T00:00:00Z to the end of the year 2100; formatting one outside is a bug
 * (CHECK), parsing one outside is bad input (false). Parsing accepts only dates that exist.
 * Tests: tests/unit/test_ids.c.
 */
#ifndef HAKIKA_BASE_CALTIME_H
#define HAKIKA_BASE_CALTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

#define NS_PER_MS      ((int64_t)1000000)
#define NS_PER_S       ((int64_t)1000000000)
#define CALTIME_END_NS ((int64_t)4133980800 * NS_PER_S) /* 2101-01-01T00:00:00Z, not included */

enum {
    EAT_OFFSET_S = 10800, /* Kenya keeps UTC+3 all year */
    SECONDS_PER_DAY = 86400,
    RFC3339_SIZE = 32,   /* room for "2026-01-31T09:30:00.000Z" and its NUL */
    EAT_STAMP_SIZE = 16, /* room for "20260131123000" and its NUL */
};

/* A date and a time of day on some clock; which clock, the caller knows. */
struct civil {
    int32_t year;
    uint32_t month; /* 1 to 12 */
    uint32_t day;   /* 1 to 31 */
    uint32_t hour;
    uint32_t minute;
    uint32_t second; /* 0 to 59 */
    uint32_t millisecond;
};

static inline bool caltime_in_range(int64_t utc_ns)
{
    return utc_ns >= 0 && utc_ns < CALTIME_END_NS;
}

/* offset_s: what the clock shows ahead of UTC, within a day either way. */
void civil_from_ns(int64_t utc_ns, int32_t offset_s, struct civil *out);
/* True when the date exists, in 1970 to 2100 or a day beyond (clocks ahead of or behind UTC). */
bool civil_exists(const struct civil *c);
/* c must exist. The result may lie up to a day outside the range. */
int64_t civil_to_ns(const struct civil *c, int32_t offset_s);

/* Days since 1970-01-01 on the clock that shows the date: only year, month and day are used. */
void civil_from_day(uint32_t day_number, struct civil *out);
uint32_t civil_to_day(const struct civil *c);
/* The Kenyan calendar day, for daily limits and receipts. */
uint32_t eat_day_number(int64_t utc_ns);

/* "2026-01-31T09:30:00.000Z"; returns the length without NUL. */
size_t rfc3339_format(int64_t utc_ns, char out[RFC3339_SIZE]);
/* Any RFC 3339 time: fractions of 1 to 9 digits, Z or an offset. No leap seconds. */
bool rfc3339_parse(struct span text, int64_t *utc_ns_out) MUST_USE;

/* "YYYYMMDDHHmmss" in East Africa Time; returns the length without NUL (14). */
size_t eat_stamp_format(int64_t utc_ns, char out[EAT_STAMP_SIZE]);
bool eat_stamp_parse(struct span text, int64_t *utc_ns_out) MUST_USE;

#endif
