/*
 * internal_decision.h - what the files of merchant/ write a decision with. Included by internal.h.
 */
#ifndef HAKIKA_MERCHANT_INTERNAL_DECISION_H
#define HAKIKA_MERCHANT_INTERNAL_DECISION_H

#include "merchant/events.h"
#include "merchant/merchant.h"

/* One decision, as the functions that write parts of it see it: what it has written so far counts
 * although the state does not show it yet. */
struct gateway_decision {
    const struct gateway *g;
    struct decision *d;
    int64_t now_ns;
    uint32_t items;   /* outbox items queued by it */
    uint32_t feeds;   /* events for the application, */
    uint32_t objects; /* and what they are about: */
    struct gateway_told {
        uint64_t object;   /* kind and number */
        uint32_t tellings; /* how many of it, ... */
        uint32_t chained;  /* ... and bits of the merchant's endpoints that have a webhook of it */
    } told[GATEWAY_FRAME_FEED_MAX];
};
struct gateway_decision gateway__decision(const struct gateway *g, struct decision *d);

void gateway__emit(struct gateway_decision *gd, const struct gateway_event *e);
/* Queues an outgoing message; returns its number. */
uint64_t gateway__queue(struct gateway_decision *gd, uint16_t kind, uint64_t subject,
                        uint64_t target);
/* The same, to leave at that time. */
uint64_t gateway__queue_at(struct gateway_decision *gd, uint16_t kind, uint64_t subject,
                           uint64_t target, int64_t at_ns);
/* Tells the application: feed and webhooks. */
struct gateway_telling {
    uint16_t type; /* enum feed_type */
    uint8_t object_kind;
    uint64_t object;
    uint32_t object_seq; /* of the object before this decision */
    uint32_t merchant;
    bool has_receipt;
};
void gateway__tell(struct gateway_decision *gd, const struct gateway_telling *t);
void gateway__tell_payment(struct gateway_decision *gd, const struct gateway_payment *p,
                           uint16_t type, bool has_receipt);
/* The same event of a payout or a refund, when it is one. */
uint16_t gateway__type_for(uint8_t method, uint16_t payment_type);

#endif
