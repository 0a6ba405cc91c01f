/*
 * feed.h - what the application is told: one numbered event after the other, as a feed to pull and
 * as webhooks (at least once, in order for each object and endpoint).
 */
#ifndef HAKIKA_MERCHANT_FEED_H
#define HAKIKA_MERCHANT_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "merchant/fields.h"

/* Numbers stand in the journal and in bit sets: below 64. X(NAME, number, "type") */
#define FEED_TYPES(X)                                                                              \
    X(PAYMENT_CREATED, 1, "payment.created")                                                       \
    X(PAYMENT_PENDING, 2, "payment.pending")                                                       \
    X(PAYMENT_UNCONFIRMED, 3, "payment.unconfirmed")                                               \
    X(PAYMENT_MISMATCHED, 4, "payment.mismatched")                                                 \
    X(PAYMENT_SUCCEEDED, 5, "payment.succeeded")                                                   \
    X(PAYMENT_FAILED, 6, "payment.failed")                                                         \
    X(PAYMENT_EXPIRED, 7, "payment.expired")                                                       \
    X(PAYMENT_CANCELLED, 8, "payment.cancelled")                                                   \
    X(PAYMENT_REVERSED, 9, "payment.reversed")                                                     \
    X(PAYMENT_RECEIPT, 10, "payment.receipt_known") /* it was paid before, by a query */           \
    X(PAYMENT_STUCK, 11, "payment.stuck")           /* the ladder is at its end: somebody look */  \
    X(REFUND_PROPOSED, 12, "refund.proposed")                                                      \
    X(PAYMENT_RELEASED, 13, "payment.released") /* escrow to the seller */                         \
    X(PAYOUT_CREATED, 14, "payout.created")                                                        \
    X(PAYOUT_PENDING, 15, "payout.pending")                                                        \
    X(PAYOUT_UNCONFIRMED, 16, "payout.unconfirmed")                                                \
    X(PAYOUT_MISMATCHED, 17, "payout.mismatched")                                                  \
    X(PAYOUT_SUCCEEDED, 18, "payout.succeeded")                                                    \
    X(PAYOUT_FAILED, 19, "payout.failed")                                                          \
    X(PAYOUT_RECEIPT, 20, "payout.receipt_known")                                                  \
    X(PAYOUT_STUCK, 21, "payout.stuck")                                                            \
    X(REFUND_CREATED, 22, "refund.created")                                                        \
    X(REFUND_PENDING, 23, "refund.pending")                                                        \
    X(REFUND_UNCONFIRMED, 24, "refund.unconfirmed")                                                \
    X(REFUND_MISMATCHED, 25, "refund.mismatched")                                                  \
    X(REFUND_SUCCEEDED, 26, "refund.succeeded")                                                    \
    X(REFUND_FAILED, 27, "refund.failed")                                                          \
    X(REFUND_RECEIPT, 28, "refund.receipt_known")                                                  \
    X(REFUND_STUCK, 29, "refund.stuck")                                                            \
    X(RECEIPT_CREATED, 30, "receipt.created")       /* C2B: money arrived */                       \
    X(RECEIPT_ASSIGNED, 31, "receipt.assigned")     /* to an order, by a person */                 \
    X(RECEIPT_TAKEN_BACK, 32, "receipt.taken_back") /* it is the money of a payment, told there */ \
    X(ALERT_REPAIR_RATE, 33, "alert.repair_rate")   /* over 0.1 % of a day were repaired */        \
    X(DISCREPANCY_OPENED, 34, "discrepancy.opened") /* the provider's books say otherwise */       \
    X(DISCREPANCY_RESOLVED, 35, "discrepancy.resolved")

enum feed_type {
#define X(name, number, text) FEED_##name = number,
    FEED_TYPES(X)
#undef X
        FEED_TYPE_LAST = 35,
};
const char *feed_type_name(uint16_t type);

enum feed_object {
    FEED_OBJECT_PAYMENT = 1, /* payments, payouts and refunds: they are numbered together */
    FEED_OBJECT_RECEIPT = 4,
    FEED_OBJECT_DISCREPANCY = 6,
    FEED_OBJECT_PROVIDER = 5, /* a provider account, by its slot + 1 */
};

#define GATEWAY_FEED_FIELDS(X)                                \
    X(u64, seq)    /* counts all events of the book from 1 */ \
    X(u64, object) /* its number */                           \
    X(u64, position)                                          \
    X(i64, at_ns)                                             \
    X(u32, merchant)                                          \
    X(u32, object_seq) /* counts the events of the object */  \
    X(u16, type)                                              \
    X(u8, object_kind)                                        \
    X(flag, has_receipt) /* the receipt was known when it happened */
struct gateway_feed {
    GATEWAY_FEED_FIELDS(FIELD_DECLARE)
};

/* A webhook that has not ended, one for each endpoint that wants the event. */
#define GATEWAY_WEBHOOK_FIELDS(X)                                     \
    X(u64, seq)                                                       \
    X(u64, item)  /* outbox number; 0: waits for the one before it */ \
    X(u64, chain) /* endpoint and object: those are sent in order */  \
    X(u32, endpoint)                                                  \
    X(u32, next) /* slot of the next one of the chain */
struct gateway_webhook {
    GATEWAY_WEBHOOK_FIELDS(FIELD_DECLARE)
};

/* The subject of a webhook's outbox item. */
static inline uint64_t webhook_subject(uint64_t seq, uint32_t endpoint)
{
    return seq << 16 | endpoint;
}
static inline uint64_t webhook_subject_seq(uint64_t subject)
{
    return subject >> 16;
}
static inline uint32_t webhook_subject_endpoint(uint64_t subject)
{
    return (uint32_t)(subject & 0xffff);
}

#endif
