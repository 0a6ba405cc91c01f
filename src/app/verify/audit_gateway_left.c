/*
 * audit_gateway_left.c - payments of the merchant's journal that leave memory and come home: only
 * what has ended leaves, once; only what left comes home, as what it was when it left. While it is
 * away nothing happens to it (payment_of), and the token of its URL is given to no other.
 * See audit.h and docs/decisions/0011.
 */
#include <inttypes.h>
#include <string.h>

#include "app/verify/audit.h"
#include "merchant/merchant.h"

enum { FIRST_END = 6 }; /* the number of the first state that is an end */

static struct audit_gateway_payment *payment_at(struct audit *a, uint64_t number)
{
    return number == 0 ? NULL : array_at(&a->gateway.payments, number - 1);
}

void audit__gateway_left(struct audit *a, uint64_t number)
{
    struct audit_gateway_payment *p = payment_at(a, number);
    audit__checked(a, PROOF_PAYMENTS);
    if (p == NULL || p->state < FIRST_END) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " left memory, but it %s", number,
                      p == NULL ? "was never made" : "has not ended");
        return;
    }
    if (p->left) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " left memory twice", number);
        return;
    }
    p->left = true;
    a->gateway.left++;
    a->gateway.left_named += p->named;
}

void audit__gateway_recalled(struct audit *a, const struct recalled_event *e)
{
    struct audit_gateway_payment *p = payment_at(a, e->number);
    struct gateway_recalled record;
    struct reader r = e->record;
    audit__checked(a, PROOF_PAYMENTS);
    if (p == NULL || !p->left) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " came home, but it had not left",
                      e->number);
        return;
    }
    if (!gateway_recalled_read(e->number, &r, &record)) {
        audit__breach(a, PROOF_RECORDS, "the record of payment %" PRIu64 " is malformed",
                      e->number);
    } else if (record.state != p->state || record.paid_minor != p->amount_minor ||
               record.object_seq != p->told || record.has_receipt != p->named) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64 " came home in state %u with %" PRId64
                      " cents, but left in state %u with %" PRId64,
                      e->number, record.state, record.paid_minor, p->state, p->amount_minor);
    }
    p->left = false;
    a->gateway.left--;
    a->gateway.left_named -= p->named;
}

void audit__gateway_token(struct audit *a, const uint8_t token[16])
{
    uint64_t start;
    memcpy(&start, token, sizeof(start));
    audit__checked(a, PROOF_REFERENCES);
    if (table_find(&a->gateway.tokens, start) != NULL) {
        audit__breach(a, PROOF_REFERENCES,
                      "the token of a callback URL is given to a second payment, payment %" PRIu64,
                      a->gateway.payments.count + 1);
        return;
    }
    a->report->no_memory = a->report->no_memory || table_add(&a->gateway.tokens, start) == NULL;
}
