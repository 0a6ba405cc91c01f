/*
 * caltime.c - calendar arithmetic. See caltime.h.
 *
 * Days are counted from 1 March 1968: when years begin in March, the leap day is the last day of a
 * cycle of four years, and months have the same lengths in every year. 2100 is the one year in our
 * range that breaks the four-year rule; a day is skipped there.
 */
#include "base/caltime.h"

enum {
    CYCLE_DAYS = 4 * 365 + 1,
    EPOCH_FROM_MARCH_1968 = 671, /* days from 1968-03-01 to 1970-01-01 */
    MARCH_2100 = 47541,          /* days from 1970-01-01 to 2100-03-01 */
    FIRST_DAY = -1,              /* 1969-12-31, for clocks behind UTC */
    LAST_DAY = 47847,            /* 2101-01-01, for clocks ahead of UTC */
};

/* Days of the year, counted from 1 March, before the month (0 is March). */
static const uint16_t days_before_month[12] = {0,   31,  61,  92,  122, 153,
                                               184, 214, 245, 275, 306, 337};

static void civil_set_day(int32_t day_number, struct civil *out)
{
    CHECK(day_number >= FIRST_DAY && day_number <= LAST_DAY);
    uint32_t day = (uint32_t)(day_number + EPOCH_FROM_MARCH_1968 + (day_number >= MARCH_2100));
    uint32_t cycle = day / CYCLE_DAYS;
    uint32_t in_cycle = day % CYCLE_DAYS;
    uint32_t year = in_cycle / 365 < 3 ? in_cycle / 365 : 3; /* the leap day is day 365 of year 3 */
    uint32_t in_year = in_cycle - year * 365;
    uint32_t month = in_year / 31; /* at most one too small */
    if (month < 11 && in_year >= days_before_month[month + 1]) {
        month++;
    }
    out->year = (int32_t)(1968 + cycle * 4 + year + (month >= 10));
    out->month = month >= 10 ? month - 9 : month + 3;
    out->day = in_year - days_before_month[month] + 1;
}

static int32_t civil_day(const struct civil *c)
{
    uint32_t month = c->month >= 3 ? c->month - 3 : c->month + 9;
    uint32_t year = (uint32_t)(c->year - 1968) - (month >= 10);
    int32_t day =
        (int32_t)(year / 4 * CYCLE_DAYS + year % 4 * 365 + days_before_month[month] + c->day - 1) -
        EPOCH_FROM_MARCH_1968;
    return day - (day > MARCH_2100);
}

static uint32_t days_in_month(int32_t year, uint32_t month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && year != 2100;
    return month == 2 && leap ? 29 : days[month - 1];
}

bool civil_exists(const struct civil *c)
{
    if (c->year < 1969 || c->year > 2101 || c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > days_in_month(c->year, c->month)) {
        return false;
    }
    int32_t day = civil_day(c);
    return day >= FIRST_DAY && day <= LAST_DAY && c->hour < 24 && c->minute < 60 &&
           c->second < 60 && c->millisecond < 1000;
}

void civil_from_ns(int64_t utc_ns, int32_t offset_s, struct civil *out)
{
    CHECK(caltime_in_range(utc_ns));
    CHECK(offset_s > -SECONDS_PER_DAY && offset_s < SECONDS_PER_DAY);
    /* A day is added and taken away again so that the division never sees a negative number. */
    uint64_t seconds = (uint64_t)(utc_ns / NS_PER_S + SECONDS_PER_DAY + offset_s);
    civil_set_day((int32_t)(seconds / SECONDS_PER_DAY) - 1, out);
    uint32_t in_day = (uint32_t)(seconds % SECONDS_PER_DAY);
    out->hour = in_day / 3600;
    out->minute = in_day / 60 % 60;
    out->second = in_day % 60;
    out->millisecond = (uint32_t)(utc_ns % NS_PER_S / NS_PER_MS);
}

int64_t civil_to_ns(const struct civil *c, int32_t offset_s)
{
    CHECK(civil_exists(c));
    CHECK(offset_s > -SECONDS_PER_DAY && offset_s < SECONDS_PER_DAY);
    int64_t in_day = (int64_t)(c->hour * 3600 + c->minute * 60 + c->second);
    int64_t seconds = (int64_t)civil_day(c) * SECONDS_PER_DAY + in_day - offset_s;
    return seconds * NS_PER_S + (int64_t)c->millisecond * NS_PER_MS;
}

void civil_from_day(uint32_t day_number, struct civil *out)
{
    CHECK(day_number <= LAST_DAY);
    memset(out, 0, sizeof(*out));
    civil_set_day((int32_t)day_number, out);
}

uint32_t civil_to_day(const struct civil *c)
{
    CHECK(civil_exists(c));
    int32_t day = civil_day(c);
    CHECK(day >= 0);
    return (uint32_t)day;
}

uint32_t eat_day_number(int64_t utc_ns)
{
    CHECK(caltime_in_range(utc_ns));
    return (uint32_t)((utc_ns / NS_PER_S + EAT_OFFSET_S) / SECONDS_PER_DAY);
}

/* Exactly `count` decimal digits, leading zeros included; returns what follows them. */
static char *write_digits(char *at, uint32_t value, uint32_t count)
{
    for (uint32_t i = count; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + count;
}

/* Reads exactly `count` digits (9 at most) from *text and moves past them. */
static bool read_digits(struct span *text, uint32_t count, uint32_t *out)
{
    uint32_t value = 0;
    if (text->size < count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        char c = text->data[i];
        if (c < '0' || c > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(c - '0');
    }
    text->data += count;
    text->size -= count;
    *out = value;
    return true;
}

static bool read_char(struct span *text, char lower, char upper)
{
    if (text->size == 0 || (text->data[0] != lower && text->data[0] != upper)) {
        return false;
    }
    text->data++;
    text->size--;
    return true;
}

size_t rfc3339_format(int64_t utc_ns, char out[RFC3339_SIZE])
{
    struct civil c;
    civil_from_ns(utc_ns, 0, &c);
    char *at = write_digits(out, (uint32_t)c.year, 4);
    *at++ = '-';
    at = write_digits(at, c.month, 2);
    *at++ = '-';
    at = write_digits(at, c.day, 2);
    *at++ = 'T';
    at = write_digits(at, c.hour, 2);
    *at++ = ':';
    at = write_digits(at, c.minute, 2);
    *at++ = ':';
    at = write_digits(at, c.second, 2);
    *at++ = '.';
    at = write_digits(at, c.millisecond, 3);
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - out);
}

/* ".5" is 500,000,000; nothing there is 0. */
static bool read_fraction(struct span *text, int64_t *ns_out)
{
    *ns_out = 0;
    if (!read_char(text, '.', '.')) {
        return true;
    }
    uint32_t digit;
    int64_t unit = NS_PER_S / 10;
    bool any = false;
    while (unit > 0 && read_digits(text, 1, &digit)) {
        *ns_out += digit * unit;
        unit /= 10;
        any = true;
    }
    return any;
}

/* "Z" or "+03:00" */
static bool read_offset(struct span *text, int32_t *offset_s)
{
    if (read_char(text, 'z', 'Z')) {
        *offset_s = 0;
        return true;
    }
    uint32_t hours, minutes;
    bool behind = read_char(text, '-', '-');
    if (!behind && !read_char(text, '+', '+')) {
        return false;
    }
    if (!read_digits(text, 2, &hours) || !read_char(text, ':', ':') ||
        !read_digits(text, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    int32_t seconds = (int32_t)(hours * 3600 + minutes * 60);
    *offset_s = behind ? -seconds : seconds;
    return true;
}

bool rfc3339_parse(struct span text, int64_t *utc_ns_out)
{
    struct civil c = {0};
    uint32_t year;
    int64_t fraction_ns;
    int32_t offset_s;
    if (!read_digits(&text, 4, &year) || !read_char(&text, '-', '-') ||
        !read_digits(&text, 2, &c.month) || !read_char(&text, '-', '-') ||
        !read_digits(&text, 2, &c.day) || !read_char(&text, 't', 'T') ||
        !read_digits(&text, 2, &c.hour) || !read_char(&text, ':', ':') ||
        !read_digits(&text, 2, &c.minute) || !read_char(&text, ':', ':') ||
        !read_digits(&text, 2, &c.second) || !read_fraction(&text, &fraction_ns) ||
        !read_offset(&text, &offset_s) || text.size != 0) {
        return false;
    }
    c.year = (int32_t)year;
    if (!civil_exists(&c)) {
        return false;
    }
    int64_t utc_ns = civil_to_ns(&c, offset_s) + fraction_ns;
    if (!caltime_in_range(utc_ns)) {
        return false;
    }
    *utc_ns_out = utc_ns;
    return true;
}

size_t eat_stamp_format(int64_t utc_ns, char out[EAT_STAMP_SIZE])
{
    struct civil c;
    civil_from_ns(utc_ns, EAT_OFFSET_S, &c);
    char *at = write_digits(out, (uint32_t)c.year, 4);
    at = write_digits(at, c.month, 2);
    at = write_digits(at, c.day, 2);
    at = write_digits(at, c.hour, 2);
    at = write_digits(at, c.minute, 2);
    at = write_digits(at, c.second, 2);
    *at = '\0';
    return (size_t)(at - out);
}

bool eat_stamp_parse(struct span text, int64_t *utc_ns_out)
{
    struct civil c = {0};
    uint32_t year;
    if (text.size != 14 || !read_digits(&text, 4, &year) || !read_digits(&text, 2, &c.month) ||
        !read_digits(&text, 2, &c.day) || !read_digits(&text, 2, &c.hour) ||
        !read_digits(&text, 2, &c.minute) || !read_digits(&text, 2, &c.second)) {
        return false;
    }
    c.year = (int32_t)year;
    if (!civil_exists(&c)) {
        return false;
    }
    int64_t utc_ns = civil_to_ns(&c, EAT_OFFSET_S);
    if (!caltime_in_range(utc_ns)) {
        return false;
    }
    *utc_ns_out = utc_ns;
    return true;
}
