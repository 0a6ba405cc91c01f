/*
 * reversal.c - an organisation gives a customer's payment back, whole: from its utility account (a
 * till's merchant account) to the wallet that paid. Only what customers paid can be reversed, and
 * once (Q8); the original keeps its SUCCESS and names its reversal (R2.1).
 */
#include "operator/internal.h"

/* Who paid it; NULL: it is not a customer's payment. */
static const struct subscriber *payer_of(const struct operator_state *o, struct original original)
{
    if (original.payment != NULL) {
        return operator_subscriber_at(o, original.payment->subscriber);
    }
    return request_is_income(original.request->kind)
               ? operator_subscriber(o, original.request->party)
               : NULL;
}

/* Was the money paid to the organisation that wants to give it back? */
static bool paid_to(struct original original, uint32_t short_code)
{
    return original.payment != NULL ? original.payment->party_b == short_code
                                    : original.request->short_code == short_code;
}

static enum request_outcome reversal_objection(const struct operator_state *o,
                                               const struct operator_request *r,
                                               struct original original)
{
    bool paid = original.payment != NULL || original.request != NULL;
    if (!paid || !paid_to(original, r->short_code)) {
        return REQUEST_ORIGINAL_INVALID;
    }
    const struct subscriber *payer = payer_of(o, original);
    if (payer == NULL) {
        return REQUEST_PRODUCT; /* payouts and payments between organisations stay */
    }
    bool is_stk = original.payment != NULL;
    uint8_t state = is_stk ? original.payment->state : original.request->state;
    if (state != STK_SUCCESS) {
        return REQUEST_ORIGINAL_INVALID; /* named by its reference, before it was paid */
    }
    if ((is_stk ? original.payment->reversal : original.request->reversal) != 0) {
        return REQUEST_ALREADY_REVERSED;
    }
    int64_t amount_minor = is_stk ? original.payment->amount_minor : original.request->amount_minor;
    if (r->amount_minor != amount_minor) {
        return REQUEST_PARAMETERS;
    }
    return operator__wallet_objection(o, payer, amount_minor);
}

void operator__advance_reversal(const struct operator_state *o, struct decision *d,
                                const struct operator_request *r)
{
    enum request_outcome objection = operator__request_objection(o, r);
    struct original original = {NULL, NULL};
    if (objection == REQUEST_DONE) {
        original = operator__find_original(o, r);
        objection = reversal_objection(o, r, original);
    }
    if (original.payment != NULL || original.request != NULL) {
        operator__note_original(d, r->number, original);
    }
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    const struct subscriber *payer = payer_of(o, original);
    CHECK(payer != NULL);
    struct request_leg leg = {
        organisation_of(o, r->short_code)->accounts[ACCOUNT_UTILITY],
        payer->account,
        r->amount_minor,
        TRANSFER_CODE_REVERSAL,
    };
    operator__request_pay(o, d, r, &leg, 1, 0);
}
