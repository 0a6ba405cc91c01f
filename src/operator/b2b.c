/*
 * b2b.c - payments between organisations, and between the accounts of one: the B2B CommandIDs, tax
 * remittance, revenue settlement. Which account pays which is the table below; docs/daraja-notes.md
 * says where it comes from.
 */
#include <string.h>

#include "operator/internal.h"

/* One bit for each enum organisation_type. */
enum {
    IS_PAYBILL = 1 << ORGANISATION_PAYBILL,
    IS_TILL = 1 << ORGANISATION_TILL,
    IS_BULK = 1 << ORGANISATION_BULK,
    IS_ANY = IS_PAYBILL | IS_TILL | IS_BULK,
};

static const struct b2b_rule {
    uint8_t debit; /* enum organisation_account, of the one that pays */
    uint8_t credit;
    uint8_t receivers;
    bool within; /* the receiver is the payer itself */
} b2b_rules[B2B_COMMAND_END] = {
    [B2B_PAY_BILL] = {ACCOUNT_WORKING, ACCOUNT_UTILITY, IS_PAYBILL, false},
    [B2B_BUY_GOODS] = {ACCOUNT_WORKING, ACCOUNT_UTILITY, IS_TILL, false},
    [B2B_PAY_TO_BULK] = {ACCOUNT_WORKING, ACCOUNT_UTILITY, IS_BULK, false},
    [B2B_MMF_TO_UTILITY] = {ACCOUNT_WORKING, ACCOUNT_UTILITY, IS_ANY, true},
    [B2B_TRANSFER] = {ACCOUNT_WORKING, ACCOUNT_WORKING, IS_ANY, false},
    [B2B_DISBURSE] = {ACCOUNT_UTILITY, ACCOUNT_WORKING, IS_ANY, false},
};

static const struct b2b_rule *b2b_rule(const struct operator_request *r)
{
    uint8_t command = r->kind == REQUEST_TAX ? B2B_PAY_BILL : r->command;
    CHECK(command > 0 && command < B2B_COMMAND_END);
    return &b2b_rules[command];
}

enum organisation_account request_debit_account(const struct operator_request *r)
{
    bool between = r->kind == REQUEST_B2B || r->kind == REQUEST_TAX;
    return between ? (enum organisation_account)b2b_rule(r)->debit : ACCOUNT_UTILITY;
}

static const struct organisation *receiver_of(const struct operator_state *o,
                                              const struct operator_request *r)
{
    return r->party <= UINT32_MAX ? operator_organisation(o, (uint32_t)r->party) : NULL;
}

static enum request_outcome b2b_objection(const struct operator_state *o,
                                          const struct operator_request *r)
{
    enum request_outcome objection = operator__request_objection(o, r);
    const struct b2b_rule *rule = b2b_rule(r);
    if (objection != REQUEST_DONE) {
        return objection;
    }
    if ((r->party == r->short_code) != rule->within) {
        return REQUEST_PARAMETERS;
    }
    if (r->kind == REQUEST_TAX && r->party != TAX_AUTHORITY) {
        return REQUEST_PARTY_UNKNOWN;
    }
    const struct organisation *receiver = receiver_of(o, r);
    if (receiver == NULL) {
        return REQUEST_PARTY_UNKNOWN;
    }
    if ((1 << receiver->type & rule->receivers) == 0) {
        return REQUEST_PRODUCT;
    }
    return receiver->active ? REQUEST_DONE : REQUEST_ACCOUNT_STATUS;
}

void operator__advance_b2b(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r)
{
    enum request_outcome objection = b2b_objection(o, r);
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    const struct b2b_rule *rule = b2b_rule(r);
    struct request_leg leg = {
        organisation_of(o, r->short_code)->accounts[rule->debit],
        organisation_of(o, r->party)->accounts[rule->credit],
        r->amount_minor,
        rule->within ? TRANSFER_CODE_SETTLEMENT : TRANSFER_CODE_B2B,
    };
    operator__request_pay(o, d, r, &leg, 1, 0);
}

/* ---- revenue settlement ---- */

/*
 * What customers paid leaves the utility account through the settlement account: first the charges
 * that are owed to the operator are paid back to zero, the rest goes to the working account. Asked
 * for without an amount, it takes all that is there at its turn, if one request may be of so much.
 */
void operator__advance_settlement(const struct operator_state *o, struct decision *d,
                                  const struct operator_request *r)
{
    enum request_outcome objection = operator__request_objection(o, r);
    int64_t amount_minor = r->amount_minor;
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    const struct organisation *g = organisation_of(o, r->short_code);
    if (amount_minor == 0) {
        amount_minor = operator_balance(o, g->accounts[ACCOUNT_UTILITY]);
    }
    if (amount_minor <= 0 || amount_minor > OPERATOR_AMOUNT_MAX) {
        objection = amount_minor <= 0 ? REQUEST_NO_MONEY : REQUEST_ABOVE_MAXIMUM;
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    int64_t owed_minor = -operator_balance(o, g->accounts[ACCOUNT_CHARGES_PAID]);
    int64_t charges_minor = owed_minor < amount_minor ? owed_minor : amount_minor;
    charges_minor = charges_minor > 0 ? charges_minor : 0;
    struct request_leg legs[3] = {
        {g->accounts[ACCOUNT_UTILITY], g->accounts[ACCOUNT_SETTLEMENT], amount_minor,
         TRANSFER_CODE_SETTLEMENT},
    };
    uint32_t count = 1;
    if (charges_minor > 0) {
        legs[count++] =
            (struct request_leg){g->accounts[ACCOUNT_SETTLEMENT], g->accounts[ACCOUNT_CHARGES_PAID],
                                 charges_minor, TRANSFER_CODE_SETTLEMENT};
    }
    if (amount_minor > charges_minor) {
        legs[count++] =
            (struct request_leg){g->accounts[ACCOUNT_SETTLEMENT], g->accounts[ACCOUNT_WORKING],
                                 amount_minor - charges_minor, TRANSFER_CODE_SETTLEMENT};
    }
    if (r->amount_minor == 0) {
        struct operator_event e;
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_REQUEST_AMOUNT_SET;
        e.number = r->number;
        e.amount_minor = amount_minor;
        operator__emit(d, &e);
    }
    operator__request_pay(o, d, r, legs, count, 0);
}
