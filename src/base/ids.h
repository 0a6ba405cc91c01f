/*
 * ids.h - the public identifiers of payments, in the forms that clients of Daraja know: checkout
 * request id, merchant request id, request id of an error, receipt.
 *
 * Guarantees: pure functions of their arguments; different arguments give different texts (within
 * the limits stated), and the parsers accept exactly what the formatters write.
 * Tests: tests/unit/test_ids.c. Forms and samples: docs/daraja-notes.md.
 */
#ifndef HAKIKA_BASE_IDS_H
#define HAKIKA_BASE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

enum {
    ID_TEXT_SIZE = 64,
    ID_RECEIPT_SIZE = 16,
    ID_RECEIPT_LENGTH = 10,
};

#define ID_RECEIPT_SERIAL_END ((uint64_t)78364164096) /* 36 to the 7th */
#define ID_MSISDN_TAIL_END    ((uint32_t)1000000000)

/*
 * "ws_CO_", DDMMYYYYHHmmss (EAT), the serial with at least 3 digits, the last 9 digits of the
 * MSISDN. Distinct as long as a serial is not used twice in one second for one subscriber.
 */
void id_checkout_format(int64_t accepted_ns, uint32_t serial, uint64_t msisdn,
                        char out[ID_TEXT_SIZE]);
/* The time comes back cut to whole seconds, the MSISDN as its last 9 digits. */
bool id_checkout_parse(struct span text, int64_t *second_ns_out, uint32_t *serial_out,
                       uint32_t *tail_out) MUST_USE;

/* 24 hexadecimal digits in groups (a random UUID without its first group), then the counter. */
void id_merchant_request_format(uint64_t seed, uint64_t counter, char out[ID_TEXT_SIZE]);
/* The same form for the requestId of an error answer; never equal digits for the same counter. */
void id_request_format(uint64_t seed, uint64_t counter, char out[ID_TEXT_SIZE]);

/* "AG_", YYYYMMDD (EAT), "_2010" and 16 hexadecimal digits that differ for every counter. */
void id_conversation_format(int64_t accepted_ns, uint64_t counter, char out[ID_TEXT_SIZE]);

/*
 * Year (A is 2006 to Z, then 0 to 9 up to 2041), month (A to L), day (1 to 9, A to V), then
 * the serial as 7 digits of base 36. Other years repeat the 36 symbols; parsing answers with 2006
 * to 2041.
 */
void id_receipt_format(uint32_t eat_day, uint64_t serial, char out[ID_RECEIPT_SIZE]);
bool id_receipt_parse(struct span text, uint32_t *eat_day_out, uint64_t *serial_out) MUST_USE;

#endif
