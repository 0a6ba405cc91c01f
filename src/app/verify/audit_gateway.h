/*
 * audit_gateway.h - what the auditor knows of the merchant's journal. Part of app/verify/audit.h.
 */
#ifndef HAKIKA_APP_VERIFY_AUDIT_GATEWAY_H
#define HAKIKA_APP_VERIFY_AUDIT_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "app/verify/table.h"
#include "base/codec.h"
#include "ledger/ledger.h"

struct audit;

/* A payment of the merchant's book. */
struct audit_gateway_payment {
    int64_t amount_minor;
    uint32_t told;    /* events for the application */
    uint16_t entered; /* a bit for each state */
    uint8_t state;
    uint8_t legs; /* a bit for each transfer */
    bool sending;
    bool posted;   /* a payout whose money has left */
    bool out;      /* a payout or a refund */
    bool refunded; /* reversed by a refund, whose transfer it was */
};

struct audit_gateway {
    struct array payments; /* struct audit_gateway_payment, by number */
    struct array notices;  /* uint64_t: 1 once it was taken */
    struct table receipts;
    uint64_t last_seq;
    uint64_t succeeded; /* payments that this frame moved there */
    uint64_t reversed;
};

void audit__gateway_init(struct audit *a);
void audit__gateway_fini(struct audit *a);
void audit__gateway_event(struct audit *a, uint16_t kind, struct reader *body);
void audit__gateway_transfer(struct audit *a, const struct transfer *t);
void audit__gateway_frame(struct audit *a);
void audit__gateway_finish(struct audit *a);

#endif
