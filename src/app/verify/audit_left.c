/*
 * audit_left.c - what left memory and came home, as the events tell it: only what had ended, whose
 * callback waits for nothing, once; and home comes only what had left. See audit.h and
 * docs/decisions/0007.
 */
#include <inttypes.h>
#include <string.h>

#include "app/verify/audit.h"

enum { SPACE_PAYMENT = 'p', SPACE_PAYMENT_OF_MERCHANT = 'P' };

void audit__left_init(struct audit *a)
{
    array_init(&a->gone, sizeof(struct audit_gone));
    a->left_payments = 0;
    a->left_keys = 0;
}

void audit__left_fini(struct audit *a)
{
    array_fini(&a->gone);
}

/* A payment was accepted, or its callback queued. */
void audit__left_follow(struct audit *a, uint64_t payment, uint64_t delivery)
{
    while (a->gone.count < payment && a->gone.count < a->last_payment) {
        if (array_add(&a->gone) == NULL) {
            a->report->no_memory = true;
            return;
        }
    }
    struct audit_gone *g = payment == 0 ? NULL : array_at(&a->gone, payment - 1);
    if (g != NULL && delivery != 0) {
        g->delivery = (uint32_t)delivery;
    }
}

static uint8_t space_of(const struct audit *a)
{
    return a->merchant ? SPACE_PAYMENT_OF_MERCHANT : SPACE_PAYMENT;
}

static void payment_left(struct audit *a, uint64_t number)
{
    if (a->merchant) {
        audit__gateway_left(a, number);
        return;
    }
    struct audit_gone *g = number == 0 ? NULL : array_at(&a->gone, number - 1);
    audit__checked(a, PROOF_PAYMENTS);
    if (g == NULL || table_find(&a->open, number) != NULL) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " left memory, but it %s", number,
                      g == NULL ? "was never accepted" : "has not ended");
        return;
    }
    if (g->left) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " left memory twice", number);
    }
    if (g->delivery != 0 && audit__delivery_waits(a, g->delivery)) { /* a rule may want none */
        audit__breach(a, PROOF_DELIVERIES,
                      "payment %" PRIu64 " left memory, but its callback %" PRIu32 " waits", number,
                      g->delivery);
    }
    a->left_payments += !g->left;
    g->left = true;
}

static void check_as_of(struct audit *a, uint64_t as_of)
{
    audit__checked(a, PROOF_ORDER);
    if (as_of >= a->frame.position) {
        audit__breach(a, PROOF_ORDER, "what left is said to be as of position %" PRIu64, as_of);
    }
}

void audit__left_event(struct audit *a, uint16_t kind, struct reader *r)
{
    struct left_event e;
    uint64_t first;
    uint32_t count;
    uint8_t key[16];
    if (!left_event_decode(kind, r, &e) || (kind == EVENT_CLOSED_LEFT && e.space != space_of(a))) {
        audit__breach(a, PROOF_RECORDS, "event %u (what left memory) is malformed", kind);
        return;
    }
    check_as_of(a, e.as_of);
    while (kind == EVENT_CLOSED_LEFT && left_event_run(&e, &first, &count)) {
        for (uint32_t i = 0; i < count; i++) {
            payment_left(a, first + i);
        }
    }
    while (kind == EVENT_KEYS_LEFT && left_event_key(&e, key)) {
        uint64_t start;
        memcpy(&start, key, sizeof(start));
        audit__checked(a, PROOF_REFERENCES);
        if (table_find(&a->keys, start) == NULL) { /* it stays there: it must not come again */
            audit__breach(a, PROOF_REFERENCES, "an idempotency key left that was never kept");
        }
        a->left_keys++;
    }
}

void audit__recalled_event(struct audit *a, struct reader *r)
{
    struct recalled_event e;
    if (!recalled_event_decode(r, &e) || e.space != space_of(a)) {
        audit__breach(a, PROOF_RECORDS, "recalled is malformed");
        return;
    }
    if (a->merchant) {
        audit__gateway_recalled(a, &e);
        return;
    }
    struct audit_gone *g = e.number == 0 ? NULL : array_at(&a->gone, e.number - 1);
    audit__checked(a, PROOF_PAYMENTS);
    if (g == NULL || !g->left) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " came home, but it had not left",
                      e.number);
        return;
    }
    g->left = false;
    a->left_payments--;
}
