/*
 * audit_customers.c - what organisations register for the payments that customers make, and their
 * incomes: counted one after the other, and told once where they asked for it. See audit.h.
 */
#include <inttypes.h>

#include "app/verify/audit.h"

static struct audit_organisation *organisation_at(struct audit *a, uint32_t slot)
{
    return slot < a->organisations.count ? array_at(&a->organisations, slot) : NULL;
}

static void reserved(struct audit *a, const struct operator_event *e)
{
    struct audit_request *r = table_find(&a->requests, e->number);
    audit__checked(a, PROOF_REFERENCES);
    audit__receipt(a, e->receipt_day, e->receipt, "request", e->number);
    if (r == NULL || r->receipt_day != 0) {
        audit__breach(a, PROOF_REFERENCES,
                      "a receipt is reserved for request %" PRIu64 ", which has one or has ended",
                      e->number);
        return;
    }
    r->receipt_day = e->receipt_day;
    r->receipt = e->receipt;
}

void audit__customers_event(struct audit *a, const struct operator_event *e)
{
    struct audit_organisation *g;
    if (e->kind == EVENT_RECEIPT_RESERVED) {
        reserved(a, e);
        return;
    }
    if (e->kind == EVENT_REQUEST_ANSWERED) {
        if (table_find(&a->requests, e->number) == NULL) {
            audit__breach(a, PROOF_PAYMENTS,
                          "request %" PRIu64 " is answered, but it is not "
                          "open",
                          e->number);
        }
        return;
    }
    g = organisation_at(a, e->slot);
    audit__checked(a, PROOF_PAYMENTS);
    if (g == NULL) {
        audit__breach(a, PROOF_PAYMENTS, "organisation %u registers, but there is none", e->slot);
    } else if (e->kind == EVENT_C2B_URLS_KEPT) {
        g->confirmation_target = e->target;
        g->has_urls = true;
        g->keeps_incomes = true;
    } else if (e->kind == EVENT_PULL_REGISTERED) {
        g->keeps_incomes = true;
    }
}

/* A secret key belongs to one business, and a phone is named once for what waits for one. */
void audit__paystack_event(struct audit *a, const struct operator_event *e)
{
    audit__checked(a, PROOF_REFERENCES);
    if (e->kind == EVENT_PAYSTACK_KEPT) {
        if (organisation_at(a, e->slot) == NULL) {
            audit__breach(a, PROOF_REFERENCES,
                          "organisation %u has a Paystack key, but is not there", e->slot);
        }
        return;
    }
    struct audit_request *r = table_find(&a->requests, e->number);
    if (r == NULL || r->kind != REQUEST_PAYSTACK || r->party != 0 || r->asked) {
        audit__breach(a, PROOF_REFERENCES,
                      "request %" PRIu64 " gets a phone, but does not wait for one", e->number);
        return;
    }
    r->party = e->msisdn;
    r->held = false;
}

void audit__income(struct audit *a, uint32_t short_code, bool of_payment)
{
    const uint32_t *slot = table_find(&a->short_codes, short_code);
    const struct audit_organisation *g = slot == NULL ? NULL : organisation_at(a, *slot);
    if (g == NULL || !g->keeps_incomes) {
        return;
    }
    a->last_income++;
    if (g->is_biller) {
        a->frame.bills_due++;
        a->frame.bill_target = g->bill_target;
    }
    if (of_payment && g->has_urls) {
        a->frame.confirmations_due++;
        a->frame.confirmation_target = g->confirmation_target;
    }
}

void audit__confirmation(struct audit *a, uint64_t subject, uint64_t target)
{
    audit__checked(a, PROOF_EFFECTS);
    if (a->frame.confirmations_due == 0 || subject != a->last_income ||
        target != a->frame.confirmation_target) {
        audit__breach(a, PROOF_EFFECTS,
                      "a confirmation of income %" PRIu64 " is queued, which is not new here",
                      subject);
        return;
    }
    a->frame.confirmations_due--;
}
