/*
 * receipt.h - a receipt: money that arrived at a short code without being the answer to a push of
 * ours (C2B: a customer paid by paybill or till number), and whose it is. One for each receipt
 * number of a provider account, whoever reported it and how often (docs/merchant.md, "Receipts").
 */
#ifndef HAKIKA_MERCHANT_RECEIPT_H
#define HAKIKA_MERCHANT_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "merchant/fields.h"

/* Numbers stand in the journal. X(NAME, number, "status in the API") */
#define RECEIPT_STATES(X)                                                               \
    X(SUSPENSE, 1, "suspense")     /* on the suspense account: nobody knows for what */ \
    X(ASSIGNED, 2, "assigned")     /* on the wallet, for an order */                    \
    X(TAKEN_BACK, 3, "taken_back") /* it was the money of a payment, booked there */

enum receipt_state {
#define X(name, number, text) RECEIPT_##name = number,
    RECEIPT_STATES(X)
#undef X
        RECEIPT_STATE_LAST = 3,
};
const char *receipt_state_name(uint8_t state);

/* Texts are handles. */
#define GATEWAY_RECEIPT_FIELDS(X)                                                  \
    X(u64, number)   /* counts receipts from 1 */                                  \
    X(u64, phone)    /* of the payer, when it was given in full; 0 */              \
    X(u64, payment)  /* TAKEN_BACK: whose money it is */                           \
    X(u64, position) /* of the frame that made it */                               \
    X(i64, amount_minor)                                                           \
    X(i64, at_ns) /* by the provider's clock; 0: not given */                      \
    X(i64, taken_ns)                                                               \
    X(u32, provider) /* slot */                                                    \
    X(u32, receipt)                                                                \
    X(u32, reference)    /* account reference, as the payer wrote it */            \
    X(u32, party)        /* the payer as given: masked or hashed */                \
    X(u32, order)        /* ASSIGNED: the order */                                 \
    X(u32, object_seq)   /* events told about it so far */                         \
    X(u32, first_notice) /* slots of its notices, in order */                      \
    X(u32, last_notice)                                                            \
    X(u32, notices)                                                                \
    X(u32, before)     /* slot of the receipt before it with the same reference */ \
    X(u8, state)       /* enum receipt_state */                                    \
    X(u8, source)      /* enum observation_source of the first notice */           \
    X(flag, by_person) /* a person assigned it */

struct gateway_receipt {
    GATEWAY_RECEIPT_FIELDS(FIELD_DECLARE)
    /* Slots of its neighbours among those whose order has the same hash. Derived, not saved. */
    uint32_t order_next;
    uint32_t order_previous;
};

/* Money for an order that came without a push and is no payment's: on the wallet because it was
 * assigned to the order, or in suspense while its account reference names it. */
struct gateway_order_money {
    int64_t assigned_minor;
    int64_t waiting_minor;
    uint64_t latest; /* number of the latest of these receipts; 0: there are none */
};

#endif
