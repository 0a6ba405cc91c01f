/*
 * ids.c - the public identifiers of payments. See ids.h.
 */
#include "base/ids.h"

#include <string.h>

#include "base/caltime.h"
#include "base/hash.h"

enum {
    RECEIPT_FIRST_YEAR = 2006,
    RECEIPT_YEARS = 36,
    RECEIPT_SERIAL_DIGITS = 7,
    CHECKOUT_STAMP_DIGITS = 14,
    CHECKOUT_TAIL_DIGITS = 9,
    CHECKOUT_SERIAL_DIGITS = 3, /* at least */
};

static const char id_symbols[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* Decimal digits, at least `least` of them; returns what follows them. */
static char *id_write_decimal(char *at, uint64_t value, uint32_t least)
{
    char digits[20];
    if (least == 2 && value < 100) { /* most of an id is a date */
        at[0] = (char)('0' + value / 10);
        at[1] = (char)('0' + value % 10);
        return at + 2;
    }
    uint32_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count < least) {
        digits[count++] = '0';
    }
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

static char *id_write_hex(char *at, uint64_t value, uint32_t count)
{
    for (uint32_t i = count; i > 0; i--) {
        at[i - 1] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    return at + count;
}

void id_checkout_format(int64_t accepted_ns, uint32_t serial, uint64_t msisdn,
                        char out[ID_TEXT_SIZE])
{
    struct civil c;
    civil_from_ns(accepted_ns, EAT_OFFSET_S, &c);
    memcpy(out, "ws_CO_", 6);
    char *at = id_write_decimal(out + 6, c.day, 2);
    at = id_write_decimal(at, c.month, 2);
    at = id_write_decimal(at, (uint32_t)c.year, 4);
    at = id_write_decimal(at, c.hour, 2);
    at = id_write_decimal(at, c.minute, 2);
    at = id_write_decimal(at, c.second, 2);
    at = id_write_decimal(at, serial, CHECKOUT_SERIAL_DIGITS);
    at = id_write_decimal(at, msisdn % ID_MSISDN_TAIL_END, CHECKOUT_TAIL_DIGITS);
    *at = '\0';
    CHECK(at < out + ID_TEXT_SIZE);
}

/* The next `count` bytes of *text as a decimal number, digits only. */
static bool id_take_number(struct span *text, size_t count, uint64_t *out)
{
    if (text->size < count) {
        return false;
    }
    struct span digits = {text->data, count};
    text->data += count;
    text->size -= count;
    return span_parse_u64(digits, out);
}

/* DDMMYYYYHHmmss on the Kenyan clock. */
static bool id_take_stamp(struct span *text, int64_t *second_ns_out)
{
    uint64_t day, month, year, hour, minute, second;
    if (!id_take_number(text, 2, &day) || !id_take_number(text, 2, &month) ||
        !id_take_number(text, 4, &year) || !id_take_number(text, 2, &hour) ||
        !id_take_number(text, 2, &minute) || !id_take_number(text, 2, &second)) {
        return false;
    }
    struct civil c = {
        .year = (int32_t)year,
        .month = (uint32_t)month,
        .day = (uint32_t)day,
        .hour = (uint32_t)hour,
        .minute = (uint32_t)minute,
        .second = (uint32_t)second,
    };
    if (!civil_exists(&c)) {
        return false;
    }
    *second_ns_out = civil_to_ns(&c, EAT_OFFSET_S);
    return caltime_in_range(*second_ns_out);
}

bool id_checkout_parse(struct span text, int64_t *second_ns_out, uint32_t *serial_out,
                       uint32_t *tail_out)
{
    const size_t least = CHECKOUT_STAMP_DIGITS + CHECKOUT_SERIAL_DIGITS + CHECKOUT_TAIL_DIGITS;
    int64_t second_ns;
    uint64_t serial, tail;
    if (!span_starts_with(text, SPAN_LITERAL("ws_CO_"))) {
        return false;
    }
    text.data += 6;
    text.size -= 6;
    if (text.size < least || !id_take_stamp(&text, &second_ns)) {
        return false;
    }
    size_t serial_digits = text.size - CHECKOUT_TAIL_DIGITS;
    bool padded = serial_digits > CHECKOUT_SERIAL_DIGITS && text.data[0] == '0';
    if (padded || !id_take_number(&text, serial_digits, &serial) ||
        !id_take_number(&text, CHECKOUT_TAIL_DIGITS, &tail) || serial > UINT32_MAX) {
        return false;
    }
    *second_ns_out = second_ns;
    *serial_out = (uint32_t)serial;
    *tail_out = (uint32_t)tail;
    return true;
}

/* Spreads the counter over 64 bits, one to one, so that neighbours share no digits. */
static uint64_t id_scatter(uint64_t value)
{
    value = (value ^ (value >> 31)) * 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 29)) * 0xd6e8feb86659fd93u;
    return value ^ (value >> 32);
}

static void id_format_grouped(uint64_t seed, uint64_t counter, char out[ID_TEXT_SIZE])
{
    uint64_t high = id_scatter(seed ^ id_scatter(counter + 1));
    uint64_t low = hash_u64(counter, high);
    char *at = id_write_hex(out, high >> 48, 4);
    *at++ = '-';
    *at++ = '4'; /* a UUID of version 4 ... */
    at = id_write_hex(at, high >> 36, 3);
    *at++ = '-';
    at = id_write_hex(at, 0x8000 | ((high >> 22) & 0x3fff), 4); /* ... of the usual variant */
    *at++ = '-';
    at = id_write_hex(at, low >> 16, 12);
    at = id_write_decimal(at, counter, 1);
    *at = '\0';
    CHECK(at < out + ID_TEXT_SIZE);
}

void id_merchant_request_format(uint64_t seed, uint64_t counter, char out[ID_TEXT_SIZE])
{
    id_format_grouped(seed, counter, out);
}

void id_request_format(uint64_t seed, uint64_t counter, char out[ID_TEXT_SIZE])
{
    id_format_grouped(~seed, counter, out);
}

void id_conversation_format(int64_t accepted_ns, uint64_t counter, char out[ID_TEXT_SIZE])
{
    char stamp[EAT_STAMP_SIZE];
    (void)eat_stamp_format(accepted_ns, stamp);
    memcpy(out, "AG_", 3);
    memcpy(out + 3, stamp, 8);
    memcpy(out + 11, "_2010", 5);
    *id_write_hex(out + 16, id_scatter(counter), 16) = '\0';
}

void id_receipt_format(uint32_t eat_day, uint64_t serial, char out[ID_RECEIPT_SIZE])
{
    CHECK(serial < ID_RECEIPT_SERIAL_END);
    struct civil c;
    civil_from_day(eat_day, &c);
    uint32_t year = (uint32_t)(c.year - RECEIPT_FIRST_YEAR + 2 * RECEIPT_YEARS) % RECEIPT_YEARS;
    out[0] = id_symbols[(year + 10) % RECEIPT_YEARS];
    out[1] = id_symbols[c.month + 9];
    out[2] = id_symbols[c.day];
    for (uint32_t i = 0; i < RECEIPT_SERIAL_DIGITS; i++) {
        out[ID_RECEIPT_LENGTH - 1 - i] = id_symbols[serial % 36];
        serial /= 36;
    }
    out[ID_RECEIPT_LENGTH] = '\0';
}

static bool id_symbol_value(char c, uint32_t *out)
{
    if (c >= '0' && c <= '9') {
        *out = (uint32_t)(c - '0');
        return true;
    }
    *out = (uint32_t)(c - 'A') + 10;
    return c >= 'A' && c <= 'Z';
}

bool id_receipt_parse(struct span text, uint32_t *eat_day_out, uint64_t *serial_out)
{
    uint32_t value[ID_RECEIPT_LENGTH];
    if (text.size != ID_RECEIPT_LENGTH) {
        return false;
    }
    for (uint32_t i = 0; i < ID_RECEIPT_LENGTH; i++) {
        if (!id_symbol_value(text.data[i], &value[i])) {
            return false;
        }
    }
    struct civil c = {
        .year = RECEIPT_FIRST_YEAR + (int32_t)((value[0] + RECEIPT_YEARS - 10) % RECEIPT_YEARS),
        .month = value[1] - 9, /* wraps for a digit, and is refused below */
        .day = value[2],
    };
    if (!civil_exists(&c)) {
        return false;
    }
    uint64_t serial = 0;
    for (uint32_t i = 3; i < ID_RECEIPT_LENGTH; i++) {
        serial = serial * 36 + value[i];
    }
    *eat_day_out = civil_to_day(&c);
    *serial_out = serial;
    return true;
}
