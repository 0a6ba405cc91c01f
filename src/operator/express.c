/*
 * express.c - B2B express checkout: a vendor asks a till to pay. The phone that the till has
 * nominated gets the prompt; with the right PIN the till's merchant account pays the vendor's
 * utility account. The asking organisation of the record is the vendor's paybill; its party is the
 * till.
 */
#include "operator/internal.h"

static const struct organisation *till_of(const struct operator_state *o,
                                          const struct operator_request *r)
{
    return r->party <= UINT32_MAX ? operator_organisation(o, (uint32_t)r->party) : NULL;
}

static enum request_outcome express_objection(const struct operator_state *o,
                                              const struct operator_request *r)
{
    enum request_outcome objection = operator__request_objection(o, r);
    const struct organisation *till = till_of(o, r);
    if (objection != REQUEST_DONE) {
        return objection;
    }
    if (till == NULL) {
        return REQUEST_PARTY_UNKNOWN;
    }
    if (till->type != ORGANISATION_TILL ||
        organisation_of(o, r->short_code)->type != ORGANISATION_PAYBILL) {
        return REQUEST_PRODUCT;
    }
    if (!till->active) {
        return REQUEST_ORGANISATION_INACTIVE;
    }
    return till->nominated != SLAB_NONE ? REQUEST_DONE : REQUEST_NO_NOMINATED;
}

void operator__advance_express(const struct operator_state *o, struct decision *d,
                               const struct operator_request *r)
{
    enum request_outcome objection = express_objection(o, r);
    if (objection == REQUEST_DONE) {
        const struct subscriber *s = subscriber_at(o, organisation_of(o, r->party)->nominated);
        bool busy = s->open_payment != SLAB_NONE || s->open_request != SLAB_NONE;
        objection = busy ? REQUEST_USSD_SESSION : REQUEST_DONE;
    }
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    operator__request_prompt(o, d, r, organisation_of(o, r->party)->nominated);
}

/* Everything again (R1.3), then the money. */
void operator__approved_express(const struct operator_state *o, struct decision *d,
                                const struct operator_request *r)
{
    enum request_outcome objection = express_objection(o, r);
    if (objection == REQUEST_DONE && subscriber_at(o, r->phone)->status != SUBSCRIBER_ACTIVE) {
        objection = REQUEST_ACCOUNT_STATUS;
    }
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    struct request_leg leg = {
        organisation_of(o, r->party)->accounts[ACCOUNT_UTILITY],
        organisation_of(o, r->short_code)->accounts[ACCOUNT_UTILITY],
        r->amount_minor,
        TRANSFER_CODE_B2B,
    };
    operator__request_pay(o, d, r, &leg, 1, 0);
}

void operator__expire_express(const struct operator_state *o, struct decision *d,
                              const struct operator_request *r)
{
    operator__request_end(o, d, r, r->reached ? REQUEST_USSD_SESSION : REQUEST_USSD_NETWORK, NULL);
}
