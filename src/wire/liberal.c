/*
 * liberal.c - see liberal.h.
 */
#include "wire/liberal.h"

#include "base/caltime.h"
#include "base/money.h"
#include "wire/ascii.h"

enum {
    MANTISSA_DIGITS_MAX = 18, /* always fit in int64_t */
    EXPONENT_MAX = 30,
    FRACTION_MAX = 30,
    STAMP_DIGITS = 14,
    TIME_PARTS = 6,
};

/* ---- decimals: mantissa times ten to the power of `power` ---- */

struct decimal {
    bool negative;
    int64_t mantissa;
    int32_t power;
    uint32_t digits;  /* of the mantissa, without leading zeros */
    uint32_t grouped; /* digits since the last comma; 0: none was seen yet */
    bool has_comma;
    bool any;
};

static bool decimal_digit(struct decimal *d, char c)
{
    d->any = true;
    if (d->digits == 0 && c == '0') {
        return true;
    }
    if (d->digits == MANTISSA_DIGITS_MAX) {
        d->power++; /* of no matter when they are zeros */
        return c == '0';
    }
    d->mantissa = d->mantissa * 10 + (c - '0');
    d->digits++;
    return true;
}

/* "1,234,567": the first group has one to three digits, the others three. */
static bool decimal_comma(struct decimal *d)
{
    bool good = d->has_comma ? d->grouped == 3 : d->grouped >= 1 && d->grouped <= 3;
    d->has_comma = true;
    d->grouped = 0;
    return good;
}

static bool decimal_whole(struct decimal *d, struct span *rest)
{
    while (rest->size > 0 && (ascii_is_digit(rest->data[0]) || rest->data[0] == ',')) {
        char c = rest->data[0];
        d->grouped += c != ',';
        if (c == ',' ? !decimal_comma(d) : !decimal_digit(d, c)) {
            return false;
        }
        rest->data++;
        rest->size--;
    }
    return !d->has_comma || d->grouped == 3;
}

static bool decimal_fraction(struct decimal *d, struct span *rest)
{
    uint32_t count = 0;
    if (rest->size == 0 || rest->data[0] != '.') {
        return true;
    }
    for (rest->data++, rest->size--; rest->size > 0 && ascii_is_digit(rest->data[0]);
         rest->data++, rest->size--, count++) {
        if (count == FRACTION_MAX || !decimal_digit(d, rest->data[0])) {
            return false;
        }
        d->power--;
    }
    return true;
}

static bool decimal_exponent(struct decimal *d, struct span *rest)
{
    bool minus = false;
    int32_t exponent = 0;
    if (rest->size == 0 || (rest->data[0] | 0x20) != 'e') {
        return true;
    }
    rest->data++;
    rest->size--;
    if (rest->size > 0 && (rest->data[0] == '-' || rest->data[0] == '+')) {
        minus = rest->data[0] == '-';
        rest->data++;
        rest->size--;
    }
    if (rest->size == 0 || rest->size > 2) {
        return false;
    }
    for (; rest->size > 0 && ascii_is_digit(rest->data[0]); rest->data++, rest->size--) {
        exponent = exponent * 10 + (rest->data[0] - '0');
    }
    d->power += minus ? -exponent : exponent;
    return exponent <= EXPONENT_MAX;
}

static bool decimal_parse(struct span text, struct decimal *out)
{
    struct span rest = span_trim(text);
    *out = (struct decimal){0};
    if (rest.size > 0 && (rest.data[0] == '-' || rest.data[0] == '+')) {
        out->negative = rest.data[0] == '-';
        rest.data++;
        rest.size--;
    }
    return decimal_whole(out, &rest) && out->any && decimal_fraction(out, &rest) &&
           decimal_exponent(out, &rest) && rest.size == 0;
}

/* As an integer, times ten to the power of `shift`: exactly, or false. */
static bool decimal_integer(const struct decimal *d, int32_t shift, int64_t *out)
{
    int64_t value = d->mantissa;
    int32_t power = d->power + shift;
    for (; power < 0 && value != 0; power++) {
        if (value % 10 != 0) {
            return false;
        }
        value /= 10;
    }
    for (; power > 0 && value != 0; power--) {
        if (!money_mul(value, 10, &value)) {
            return false;
        }
    }
    CHECK(value >= 0);
    *out = d->negative ? -value : value;
    return true;
}

bool liberal_amount(struct span text, int64_t *minor_out)
{
    struct decimal d;
    return decimal_parse(text, &d) && decimal_integer(&d, 2, minor_out);
}

/* ---- phone numbers ---- */

bool liberal_phone(struct span text, uint64_t *msisdn_out)
{
    uint64_t number = 0;
    uint32_t digits = 0;
    text = span_trim(text);
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == ' ' || c == '-' || (c == '+' && i == 0)) {
            continue;
        }
        if (!ascii_is_digit(c) || digits == 12) {
            return false;
        }
        number = number * 10 + (uint64_t)(c - '0');
        digits++;
    }
    bool local = digits == 9 || (digits == 10 && number < 1000000000);
    if (local) {
        number += UINT64_C(254000000000);
    }
    uint64_t leading = number / 100000000; /* 2547 or 2541 */
    if ((!local && digits != 12) || (leading != 2547 && leading != 2541)) {
        return false;
    }
    *msisdn_out = number;
    return true;
}

/* ---- times ---- */

/* The next run of digits; false when there is none or it is too long. `width` is its length. */
static bool next_number(struct span *rest, uint32_t *value_out, uint32_t *width_out)
{
    uint32_t value = 0;
    uint32_t width = 0;
    while (rest->size > 0 && ascii_is_digit(rest->data[0])) {
        value = value * 10 + (uint32_t)(rest->data[0] - '0');
        width++;
        if (width > 4) {
            return false;
        }
        rest->data++;
        rest->size--;
    }
    *value_out = value;
    *width_out = width;
    return width > 0;
}

static bool skip_one(struct span *rest, const char *any)
{
    if (rest->size == 0 || rest->data[0] == '\0' || strchr(any, rest->data[0]) == NULL) {
        return false;
    }
    rest->data++;
    rest->size--;
    return true;
}

/* What may stand after the seconds: a fraction, then Z or Kenya's offset. */
static bool is_tail(struct span rest)
{
    if (skip_one(&rest, ".")) {
        size_t before = rest.size;
        while (rest.size > 0 && ascii_is_digit(rest.data[0])) {
            rest.data++;
            rest.size--;
        }
        if (rest.size == before) {
            return false;
        }
    }
    return rest.size == 0 || span_is(rest, "Z") || span_is(rest, "+03:00") ||
           span_is(rest, "+0300");
}

static bool read_date(struct span *rest, struct civil *out)
{
    uint32_t parts[3];
    uint32_t width[3];
    for (size_t i = 0; i < 3; i++) {
        if (!next_number(rest, &parts[i], &width[i]) || (i < 2 && !skip_one(rest, "-/."))) {
            return false;
        }
    }
    bool year_first = width[0] == 4;
    if (width[1] > 2 || width[year_first ? 2 : 0] > 2 || width[year_first ? 0 : 2] != 4) {
        return false;
    }
    out->year = (int32_t)parts[year_first ? 0 : 2];
    out->month = parts[1];
    out->day = parts[year_first ? 2 : 0];
    return true;
}

static bool read_time_of_day(struct span *rest, struct civil *out)
{
    uint32_t *const parts[] = {&out->hour, &out->minute, &out->second};
    uint32_t width;
    while (skip_one(rest, " ")) {
    }
    for (size_t i = 0; i < 3; i++) {
        if (i == 2 && !skip_one(rest, ":")) {
            return true; /* without seconds */
        }
        if ((i == 1 && !skip_one(rest, ":")) || !next_number(rest, parts[i], &width) || width > 2) {
            return false;
        }
    }
    return true;
}

/* 14 digits, as text or as a number that some serialiser made a float of. */
static bool read_stamp(struct span text, int64_t *ns_out)
{
    struct decimal d;
    int64_t number;
    char digits[STAMP_DIGITS];
    if (!decimal_parse(text, &d) || d.has_comma || d.negative || !decimal_integer(&d, 0, &number)) {
        return false;
    }
    for (size_t i = STAMP_DIGITS; i > 0; i--) {
        digits[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return number == 0 && eat_stamp_parse((struct span){digits, STAMP_DIGITS}, ns_out);
}

bool liberal_time_eat(struct span text, int64_t *ns_out)
{
    struct civil when = {0};
    struct span rest = span_trim(text);
    if (read_stamp(rest, ns_out)) {
        return true;
    }
    if (!read_date(&rest, &when)) {
        return false;
    }
    if (rest.size > 0 && (!skip_one(&rest, " T") || !read_time_of_day(&rest, &when))) {
        return false;
    }
    if (!is_tail(rest) || !civil_exists(&when)) {
        return false;
    }
    int64_t ns = civil_to_ns(&when, EAT_OFFSET_S);
    if (!caltime_in_range(ns)) {
        return false;
    }
    *ns_out = ns;
    return true;
}
