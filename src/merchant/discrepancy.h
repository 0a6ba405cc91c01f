/*
 * discrepancy.h - where the provider's books (pull, statement) and ours do not agree, and a person
 * has to find out why: what kind, since when, whose it is, and how it was resolved. See
 * docs/merchant.md, "Reconciliation".
 */
#ifndef HAKIKA_MERCHANT_DISCREPANCY_H
#define HAKIKA_MERCHANT_DISCREPANCY_H

#include <stdbool.h>
#include <stdint.h>

#include "merchant/fields.h"

/* Numbers stand in the journal. X(NAME, number, "name", "words for people") */
#define DISCREPANCY_KINDS(X)                                                                     \
    X(UNKNOWN_ACCOUNT, 1, "unknown_account", "money arrived, and nobody knows for what")         \
    X(AMOUNT, 2, "amount_differs", "the provider has another amount under this receipt number")  \
    X(UNKNOWN_PAYOUT, 3, "unknown_payout", "money left, and no payout of ours has this receipt") \
    X(REVERSAL, 4, "unlinked_reversal", "money was taken back that no payment of ours has")      \
    X(MISSING, 5, "missing_with_provider", "we booked it, and the statement does not have it")   \
    X(BALANCE, 6, "balance_gap", "the balances of the statement do not follow from its rows")

enum discrepancy_kind {
#define X(name, number, text, words) DISCREPANCY_##name = number,
    DISCREPANCY_KINDS(X)
#undef X
        DISCREPANCY_KIND_LAST = 6,
};

/* How it ended. Numbers stand in the journal. X(NAME, number, "name") */
#define DISCREPANCY_REASONS(X)                                              \
    X(OPEN, 0, "open")                                                      \
    X(ASSIGNED, 1, "assigned") /* by itself: the receipt found its owner */ \
    X(EXPLAINED, 2, "explained")                                            \
    X(CORRECTED, 3, "corrected")                                            \
    X(DUPLICATE, 4, "duplicate")                                            \
    X(WRITTEN_OFF, 5, "written_off")

enum discrepancy_reason {
#define X(name, number, text) DISCREPANCY_IS_##name = number,
    DISCREPANCY_REASONS(X)
#undef X
        DISCREPANCY_REASON_LAST = 5,
};
const char *discrepancy_kind_name(uint8_t kind);
const char *discrepancy_kind_words(uint8_t kind);
const char *discrepancy_reason_name(uint8_t reason);

/* Texts are handles. */
#define GATEWAY_DISCREPANCY_FIELDS(X)                                               \
    X(u64, number)  /* counts them from 1 */                                        \
    X(u64, notice)  /* that showed it; 0: none did */                               \
    X(u64, payment) /* of ours that it is about; 0: none */                         \
    X(u64, receipt) /* the same */                                                  \
    X(i64, ours_minor)                                                              \
    X(i64, theirs_minor)                                                            \
    X(i64, opened_ns)                                                               \
    X(i64, resolved_ns) /* 0: it is open */                                         \
    X(u32, provider)    /* slot */                                                  \
    X(u32, reference)   /* receipt number at the provider, or what else tells it */ \
    X(u32, owner)       /* who looks after it */                                    \
    X(u32, note)                                                                    \
    X(u8, kind)   /* enum discrepancy_kind */                                       \
    X(u8, reason) /* enum discrepancy_reason */

struct gateway_discrepancy {
    GATEWAY_DISCREPANCY_FIELDS(FIELD_DECLARE)
};

#endif
