/*
 * audit_gateway.h - what the auditor knows of the merchant's journal. Part of app/verify/audit.h.
 */
#ifndef HAKIKA_APP_VERIFY_AUDIT_GATEWAY_H
#define HAKIKA_APP_VERIFY_AUDIT_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "app/verify/table.h"
#include "base/codec.h"
#include "base/span.h"
#include "book/book.h"

struct audit;
struct gateway_event;

/* A payment of the merchant's book. */
struct audit_gateway_payment {
    int64_t amount_minor;
    uint64_t order; /* hash of its text */
    uint32_t provider;
    uint32_t told;    /* events for the application */
    uint16_t entered; /* a bit for each state */
    uint8_t state;
    uint8_t legs; /* a bit for each transfer */
    bool sending;
    bool posted;    /* a payout whose money has left */
    bool out;       /* a payout or a refund */
    bool b2c;       /* a payout, which the provider knows by our id */
    bool refunded;  /* reversed by a refund, whose transfer it was */
    uint8_t resent; /* how often it was sent again */
    bool judged;    /* a person decided about it */
    bool over;      /* asked for although a receipt is for its order */
    bool left;      /* it is not in memory */
    bool named;     /* it has a receipt number */
};

/* Money that arrived without a push (C2B). */
struct audit_gateway_receipt {
    int64_t amount_minor;
    uint64_t key;   /* hash of provider and receipt number */
    uint64_t order; /* hash of the order that it is for, or names */
    uint32_t told;
    uint8_t legs;       /* a bit for each transfer */
    uint8_t state;      /* of the event; 0: only its texts are known */
    bool from_suspense; /* it was assigned later */
};

struct audit_gateway {
    struct array payments; /* struct audit_gateway_payment, by number */
    struct array arrivals; /* struct audit_gateway_receipt, by number */
    struct array notices;  /* uint64_t: 1 once it was taken */
    struct table receipts; /* hash of provider and receipt number, of payments */
    struct table arrived;  /* the same of receipts -> their number */
    uint64_t last_seq;
    uint64_t succeeded; /* payments that this frame moved there */
    uint64_t reversed;
    uint64_t judged;     /* the payment that a person decided about in this frame, ... */
    uint8_t judged_to;   /* ... and the state that it has to come to */
    uint64_t arrival;    /* the receipt that this frame is about */
    uint64_t order;      /* hash of the order of the payment that is created next */
    struct table tokens; /* of callback URLs: the first 8 bytes */
    uint64_t left;       /* payments that are not in memory, ... */
    uint64_t left_named; /* ... and those of them that have a receipt number */
};

/* audit_gateway_left.c: payments leave memory and come home. */
void audit__gateway_left(struct audit *a, uint64_t number);
void audit__gateway_recalled(struct audit *a, const struct recalled_event *e);
void audit__gateway_token(struct audit *a, const uint8_t token[16]);

/* audit_receipts.c */
void audit__receipt_event(struct audit *a, const struct gateway_event *e);
void audit__receipt_transfer(struct audit *a, const struct transfer *t);
/* A payment has this receipt number: a receipt may not have it. */
void audit__receipt_of_payment(struct audit *a, uint64_t key, uint64_t payment);
void audit__receipt_told(struct audit *a, uint64_t number, uint32_t object_seq);
void audit__receipts_frame(struct audit *a);
void audit__receipts_finish(struct audit *a);
/* A payment was asked for over this receipt: is it for this order (a hash), and not a payment's? */
void audit__receipt_overridden(struct audit *a, uint64_t number, uint64_t order, uint64_t payment);
/* The hash by which an order is known. */
uint64_t audit__order_key(struct span order);
/* The hash by which a receipt number is known. */
uint64_t audit__receipt_key(uint32_t provider, struct span receipt);

void audit__gateway_init(struct audit *a);
void audit__gateway_fini(struct audit *a);
void audit__gateway_event(struct audit *a, uint16_t kind, struct reader *body);
void audit__gateway_transfer(struct audit *a, const struct transfer *t);
void audit__gateway_frame(struct audit *a);
void audit__gateway_finish(struct audit *a);

#endif
