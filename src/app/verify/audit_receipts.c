/*
 * audit_receipts.c - the auditor of receipts in the merchant's journal: one for each receipt number
 * of a provider account, its amount booked once from clearing, on to the wallet when it was
 * assigned, and back when a payment has the number. The rules are written a second time here, on
 * purpose.
 */
#include <inttypes.h>

#include "app/verify/audit.h"
#include "merchant/events.h"

enum {
    CODE_AT_PROVIDER = 1, /* of ledger accounts */
    CODE_FREE = 2,
    CODE_FOR_NOBODY = 5,
    WAY_IN = 6, /* codes of transfers */
    WAY_ON = 7,
    WAY_BACK = 8,
    WAITING = 1, /* states */
    FOR_AN_ORDER = 2,
    GIVEN_UP = 3,
};

uint64_t audit__receipt_key(uint32_t provider, struct span receipt)
{
    return hash_bytes(receipt.data, receipt.size, UINT64_C(0x5eed) + provider);
}

uint64_t audit__order_key(struct span order)
{
    return order.size == 0 ? 0 : hash_bytes(order.data, order.size, UINT64_C(0x0de5));
}

static struct audit_gateway_receipt *receipt_of(struct audit *a, uint64_t number)
{
    struct audit_gateway_receipt *r =
        number == 0 ? NULL : array_at(&a->gateway.arrivals, number - 1);
    if (r == NULL) {
        audit__breach(a, PROOF_EFFECTS, "receipt %" PRIu64 " does not exist", number);
    }
    return r;
}

static void receipt_kept(struct audit *a, const struct gateway_event *e)
{
    uint64_t key = audit__receipt_key(e->receipt_kept.provider, e->receipt_kept.receipt);
    audit__checked(a, PROOF_REFERENCES);
    if (e->receipt_kept.number != a->gateway.arrivals.count + 1) {
        audit__breach(a, PROOF_REFERENCES, "receipt %" PRIu64 " follows receipt %" PRIu64,
                      e->receipt_kept.number, a->gateway.arrivals.count);
        return;
    }
    if (table_find(&a->gateway.receipts, key) != NULL ||
        table_find(&a->gateway.arrived, key) != NULL) {
        audit__breach(a, PROOF_REFERENCES, "receipt number %.*s takes effect a second time",
                      (int)e->receipt_kept.receipt.size, e->receipt_kept.receipt.data);
        return;
    }
    struct audit_gateway_receipt *r = array_add(&a->gateway.arrivals);
    uint64_t *number = table_add(&a->gateway.arrived, key);
    if (r == NULL || number == NULL) {
        a->report->no_memory = true;
        return;
    }
    *number = e->receipt_kept.number;
    r->key = key;
    r->order = audit__order_key(e->receipt_kept.reference);
}

static bool may_become(const struct audit_gateway_receipt *r, const struct gateway_event *e)
{
    switch (e->kind) {
    case EVENT_RECEIPT_CREATED: return r->state == 0;
    case EVENT_RECEIPT_ASSIGNED: return r->state == WAITING;
    default: return r->state == WAITING || r->state == FOR_AN_ORDER;
    }
}

void audit__receipt_event(struct audit *a, const struct gateway_event *e)
{
    if (e->kind == EVENT_RECEIPT_KEPT) {
        receipt_kept(a, e);
        return;
    }
    uint64_t number = e->receipt_created.number; /* of all of them the first */
    struct audit_gateway_receipt *r = receipt_of(a, number);
    audit__checked(a, PROOF_EFFECTS);
    if (r == NULL) {
        return;
    }
    if (!may_become(r, e)) {
        audit__breach(a, PROOF_EFFECTS, "%s of receipt %" PRIu64 " comes in state %u",
                      gateway_event_name(e->kind), number, r->state);
    }
    a->gateway.arrival = number;
    if (e->kind == EVENT_RECEIPT_CREATED) {
        r->amount_minor = e->receipt_created.amount_minor;
        r->state = e->receipt_created.state;
    } else if (e->kind == EVENT_RECEIPT_ASSIGNED) {
        r->from_suspense = true;
        r->order = audit__order_key(e->receipt_assigned.order);
        r->state = FOR_AN_ORDER;
    } else {
        r->state = GIVEN_UP;
    }
}

void audit__receipt_of_payment(struct audit *a, uint64_t key, uint64_t payment)
{
    const uint64_t *number = table_find(&a->gateway.arrived, key);
    const struct audit_gateway_receipt *r = number == NULL ? NULL : receipt_of(a, *number);
    if (r != NULL && r->state != GIVEN_UP) {
        audit__breach(a, PROOF_EFFECTS,
                      "payment %" PRIu64 " has the money that receipt %" PRIu64 " still has",
                      payment, *number);
    }
}

void audit__receipt_overridden(struct audit *a, uint64_t number, uint64_t order, uint64_t payment)
{
    const struct audit_gateway_receipt *r = receipt_of(a, number);
    audit__checked(a, PROOF_EFFECTS);
    if (r != NULL && (r->state == GIVEN_UP || r->order != order)) {
        audit__breach(a, PROOF_EFFECTS,
                      "payment %" PRIu64 " overrides receipt %" PRIu64 ", which is not its order's",
                      payment, number);
    }
}

void audit__receipt_told(struct audit *a, uint64_t number, uint32_t object_seq)
{
    struct audit_gateway_receipt *r = receipt_of(a, number);
    if (r != NULL && object_seq != ++r->told) {
        audit__breach(a, PROOF_REFERENCES,
                      "event %u of receipt %" PRIu64 " comes when %u were told", object_seq, number,
                      r->told - 1);
    }
}

void audit__receipt_transfer(struct audit *a, const struct transfer *t)
{
    uint64_t number = t->id << 5 >> 8;
    uint32_t leg = (uint32_t)(t->id & 7);
    struct audit_gateway_receipt *r = receipt_of(a, number);
    uint16_t from = audit__account_code(a, t->debit_account);
    uint16_t to = audit__account_code(a, t->credit_account);
    audit__checked(a, PROOF_EFFECTS);
    if (r == NULL) {
        return;
    }
    uint16_t where = r->state == FOR_AN_ORDER ? CODE_FREE : CODE_FOR_NOBODY;
    bool owned = from == CODE_FREE || from == CODE_FOR_NOBODY;
    bool right = (leg == 0 && t->code == WAY_IN && from == CODE_AT_PROVIDER && to == where) ||
                 (leg == 1 && t->code == WAY_ON && from == CODE_FOR_NOBODY && to == CODE_FREE) ||
                 (leg == 2 && t->code == WAY_BACK && owned && to == CODE_AT_PROVIDER);
    if (!right || t->amount_minor != r->amount_minor || (r->legs >> leg & 1) != 0) {
        audit__breach(a, PROOF_EFFECTS,
                      "transfer %" PRIx64 " of receipt %" PRIu64 " moves %" PRId64
                      " cents from account %u to %u: not as it should, or a second time",
                      t->id, number, t->amount_minor, t->debit_account, t->credit_account);
    }
    r->legs = (uint8_t)(r->legs | 1u << leg);
}

/* What is said of a receipt and what is booked are one. */
static void check_receipt(struct audit *a, uint64_t number)
{
    const struct audit_gateway_receipt *r = array_at(&a->gateway.arrivals, number - 1);
    if (r == NULL) {
        return;
    }
    uint32_t legs = 1u | (r->from_suspense ? 2u : 0) | (r->state == GIVEN_UP ? 4u : 0);
    bool has_owner = table_find(&a->gateway.receipts, r->key) != NULL;
    if (r->state == 0 || r->legs != legs || has_owner != (r->state == GIVEN_UP)) {
        audit__breach(a, PROOF_EFFECTS, "receipt %" PRIu64 " is in state %u with transfers %u%s",
                      number, r->state, r->legs, has_owner ? ", and a payment has its number" : "");
    }
}

void audit__receipts_frame(struct audit *a)
{
    if (a->gateway.arrival != 0) {
        check_receipt(a, a->gateway.arrival);
    }
    a->gateway.arrival = 0;
}

void audit__receipts_finish(struct audit *a)
{
    for (uint64_t i = 1; i <= a->gateway.arrivals.count; i++) {
        check_receipt(a, i);
    }
}
