/*
 * enquiry.c - what an organisation may ask about: its accounts (account balance) and its
 * transactions (transaction status). Nothing moves, so nothing has a receipt; what was true at the
 * moment of the decision is in the record, and the result that is sent later tells just that.
 */
#include <string.h>

#include "operator/internal.h"

void operator__advance_balance(const struct operator_state *o, struct decision *d,
                               const struct operator_request *r)
{
    operator__request_end(o, d, r, operator__request_objection(o, r), NULL);
}

/* ---- whose transaction is it? ---- */

/* Paid to it or asked for by it. */
static bool payment_concerns(const struct stk_payment *p, uint32_t short_code)
{
    return p->short_code == short_code || p->party_b == short_code;
}

static bool request_concerns(const struct operator_request *r, uint32_t short_code)
{
    bool is_party = r->party_type == PARTY_SHORT_CODE || r->party_type == PARTY_TILL;
    return r->short_code == short_code || (is_party && r->party == short_code);
}

bool operator__counter_of(struct span id, uint64_t *out)
{
    enum { GROUPS = 4 + 1 + 4 + 1 + 4 + 1 + 12 };
    if (id.size <= GROUPS) {
        return false;
    }
    struct span digits = {id.data + GROUPS, id.size - GROUPS};
    return span_parse_u64(digits, out);
}

/* A payment by its MerchantRequestID or CheckoutRequestID. */
static const struct stk_payment *payment_by_own_id(const struct operator_state *o, struct span id)
{
    char text[ID_TEXT_SIZE];
    uint64_t number;
    const struct stk_payment *p = operator_payment_by_checkout(o, id);
    if (p != NULL || !operator__counter_of(id, &number)) {
        return p;
    }
    p = operator_payment(o, number);
    if (p == NULL) {
        return NULL;
    }
    payment_merchant_request_id(p, text);
    return span_is(id, text) ? p : NULL;
}

/* What was only read back on loan is no part of the state: nothing is decided by it. */
static bool is_guest(const struct operator_state *o, const struct stk_payment *p)
{
    return p != NULL && map_get(&o->by_number, p->number) == MAP_NONE;
}

struct original operator__original_named(const struct operator_state *o, uint32_t short_code,
                                         uint8_t naming, struct span id)
{
    struct original found = {NULL, NULL};
    if (naming == ORIGINAL_BY_CONVERSATION) {
        found.request = operator_request_by_conversation(o, short_code, id);
        found.payment = found.request == NULL ? payment_by_own_id(o, id) : NULL;
    } else {
        found.request = operator_request_by_receipt(o, id);
        found.payment = operator_payment_by_receipt(o, id);
        CHECK(found.request == NULL || found.payment == NULL); /* receipts are of one counter */
    }
    if (is_guest(o, found.payment) ||
        (found.payment != NULL && !payment_concerns(found.payment, short_code))) {
        found.payment = NULL;
    }
    if (found.request != NULL && !request_concerns(found.request, short_code)) {
        found.request = NULL;
    }
    return found;
}

struct original operator__find_original(const struct operator_state *o,
                                        const struct operator_request *r)
{
    struct original found =
        operator__original_named(o, r->short_code, r->command, operator_text(o, r->reference));
    if (found.request == r) {
        found.request = NULL; /* it cannot be about itself */
    }
    return found;
}

void operator__note_original(struct decision *d, uint64_t number, struct original original)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_REQUEST_LOOKED_UP;
    e.number = number;
    if (original.payment != NULL) {
        e.original = request_original_payment(original.payment->number);
        e.seen = original.payment->state;
    } else if (original.request != NULL) {
        e.original = request_original_request(original.request->number);
        e.seen = original.request->state;
    }
    operator__emit(d, &e);
}

void operator__advance_status(const struct operator_state *o, struct decision *d,
                              const struct operator_request *r)
{
    enum request_outcome outcome = operator__request_objection(o, r);
    if (outcome == REQUEST_DONE) {
        struct original original = operator__find_original(o, r);
        if (original.payment == NULL && original.request == NULL) {
            outcome = REQUEST_ORIGINAL_INVALID;
        } else {
            operator__note_original(d, r->number, original);
        }
    }
    operator__request_end(o, d, r, outcome, NULL);
}
