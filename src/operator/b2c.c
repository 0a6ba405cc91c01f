/*
 * b2c.c - payouts: an organisation pays a person (B2C, B2Pochi). They leave the utility account,
 * whatever the working account holds, and the operator's fee goes to Charges Paid, which runs
 * negative until it is settled (docs/daraja-notes.md, organisations' accounts).
 */
#include "operator/internal.h"

enum {
    B2C_MIN_MINOR = 10 * 100,
    B2C_MAX_MINOR = 250000 * 100,
};

/* What the organisation pays for a payout to a registered customer, in cents. */
static int64_t b2c_charge(int64_t amount_minor)
{
    static const struct {
        int64_t up_to_minor;
        int64_t charge_minor;
    } bands[] = {
        {100 * 100, 0},      {1500 * 100, 500},     {5000 * 100, 900},
        {20000 * 100, 1100}, {B2C_MAX_MINOR, 1300},
    };
    for (uint32_t i = 0; i < sizeof(bands) / sizeof(bands[0]); i++) {
        if (amount_minor <= bands[i].up_to_minor) {
            return bands[i].charge_minor;
        }
    }
    UNREACHABLE("the amount of a payout was looked at before");
}

static enum request_outcome b2c_objection(const struct operator_state *o,
                                          const struct operator_request *r)
{
    enum request_outcome objection = operator__request_objection(o, r);
    if (objection != REQUEST_DONE) {
        return objection;
    }
    if (operator_organisation(o, r->short_code)->type == ORGANISATION_TILL) {
        return REQUEST_PRODUCT; /* a till has no utility account to pay out of */
    }
    if (r->amount_minor < B2C_MIN_MINOR || r->amount_minor > B2C_MAX_MINOR) {
        return r->amount_minor < B2C_MIN_MINOR ? REQUEST_BELOW_MINIMUM : REQUEST_ABOVE_MAXIMUM;
    }
    return operator__wallet_objection(o, operator_subscriber(o, r->party), r->amount_minor);
}

void operator__advance_b2c(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r)
{
    enum request_outcome objection = b2c_objection(o, r);
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    const struct organisation *g = operator_organisation(o, r->short_code);
    int64_t charge_minor = b2c_charge(r->amount_minor);
    struct request_leg legs[2] = {
        {g->accounts[ACCOUNT_UTILITY], operator_subscriber(o, r->party)->account, r->amount_minor,
         TRANSFER_CODE_B2C},
        {g->accounts[ACCOUNT_CHARGES_PAID], o->account_fees, charge_minor, TRANSFER_CODE_CHARGE},
    };
    operator__request_pay(o, d, r, legs, charge_minor > 0 ? 2 : 1, charge_minor);
}
