/*
 * closing.h - what of the merchant's book has left memory (docs/decisions/0007 and 0011): the names
 * by which a payment that ended long ago is found again, and what is kept of it for the reports.
 *
 * Guarantees: a payment leaves with its texts, notices and ledger entries, and comes home with all
 * of them; every name that it had in memory leads to it for ever.
 */
#ifndef HAKIKA_MERCHANT_CLOSING_H
#define HAKIKA_MERCHANT_CLOSING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/observation.h"
#include "book/book.h"
#include "merchant/notice.h"
#include "merchant/payment.h"

/* Spaces of names. They stand in the journal (OLD_SPACE_GATEWAY_PAYMENT) and in the index. */
enum gateway_old_space {
    OLD_SPACE_GATEWAY_PAYMENT = 'P', /* its number: the primary name */
    OLD_SPACE_TOKEN = 't',           /* in its callback URL */
    OLD_SPACE_PROVIDER_ID = 'i',     /* provider account and id */
    OLD_SPACE_GATEWAY_RECEIPT = 'r', /* provider account and receipt number */
    OLD_SPACE_ORDER = 'o',           /* merchant and order: one of the payments for it */
    OLD_SPACE_NOTICE = 'm',          /* number of a notice of it */
    OLD_SPACE_NOTICE_KEY = 'n',      /* its key (R5.2) */
    OLD_SPACE_PAYER = 'f',           /* provider account, phone, quarter of an hour, amount */
    OLD_SPACE_SHOWN = 's', /* provider account, quarter of an hour, amount, reference shown */
};

struct old_name gateway_payment_name(uint64_t number);
struct old_name gateway_token_name(const uint8_t token[16]);
struct old_name gateway_receipt_name(uint32_t provider, struct span receipt);
struct old_name gateway_order_name(uint32_t merchant, struct span order);
struct old_name gateway_notice_name(uint64_t number);

/* What a record of EVENT_RECALLED says, for those who read journals. False: it is no record. */
struct gateway_recalled {
    int64_t paid_minor; /* or asked for */
    uint32_t object_seq;
    uint8_t state;
    bool has_receipt;
};
bool gateway_recalled_read(uint64_t number, struct reader *r,
                           struct gateway_recalled *out) MUST_USE;

/* Of the payments of one provider account that succeeded on one day in Kenya and have left: what
 * gateway_repairs counts. */
#define GATEWAY_DAY_FIELDS(X) \
    X(u32, provider)          \
    X(u32, day)               \
    X(u64, checked)           \
    X(u64, late)              \
    X(u64, repaired)
struct gateway_day {
    GATEWAY_DAY_FIELDS(FIELD_DECLARE)
    uint64_t repaired_by[OBSERVED_BY_STATEMENT + 1]; /* saved, too */
};

/* The payment that was read from the index last: number 0: none. */
struct gateway_guest {
    struct gateway_payment payment;
    struct gateway_notice notices[GATEWAY_RECORD_NOTICES];
};

#endif
