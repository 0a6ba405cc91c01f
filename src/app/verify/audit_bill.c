/*
 * audit_bill.c - bill manager as the events tell it: invoices are sent in order, paid by incomes of
 * their organisation and never more than they are of, cancelled while nobody paid; every payment of
 * a biller is pushed to it. See audit.h.
 */
#include <inttypes.h>

#include "app/verify/audit.h"

void audit__bill_init(struct audit *a)
{
    array_init(&a->invoices, sizeof(struct audit_invoice));
}

void audit__bill_fini(struct audit *a)
{
    array_fini(&a->invoices);
}

static void biller(struct audit *a, const struct operator_event *e)
{
    struct audit_organisation *g = array_at(&a->organisations, e->slot);
    if (g == NULL) {
        audit__breach(a, PROOF_REFERENCES, "organisation %u opts in, but there is none", e->slot);
        return;
    }
    g->is_biller = true;
    g->keeps_incomes = true;
    g->bill_target = e->target;
}

static void invoice_kept(struct audit *a, const struct operator_event *e)
{
    const uint32_t *slot = table_find(&a->short_codes, e->short_code);
    const struct audit_organisation *g = slot == NULL ? NULL : array_at(&a->organisations, *slot);
    if (g == NULL || !g->is_biller || e->number > a->invoices.count + 1) {
        audit__breach(a, PROOF_REFERENCES,
                      "invoice %" PRIu64 " is sent by %u, which is no biller, or out of order",
                      e->number, e->short_code);
        return;
    }
    struct audit_invoice *i = e->number == a->invoices.count + 1
                                  ? array_add(&a->invoices)
                                  : array_at(&a->invoices, e->number - 1);
    if (i == NULL) {
        a->report->no_memory = true;
        return;
    }
    if (i->paid_minor != 0 || i->cancelled) {
        audit__breach(a, PROOF_PAYMENTS, "invoice %" PRIu64 " changes after its time", e->number);
    }
    i->amount_minor = e->amount_minor;
}

static void paid(struct audit *a, const struct operator_event *e)
{
    struct audit_invoice *i = array_at(&a->invoices, e->number - 1);
    if (i == NULL || i->cancelled || e->request != a->last_income || a->frame.bills_due == 0 ||
        e->amount_minor > i->amount_minor - i->paid_minor) {
        audit__breach(a, PROOF_EFFECTS,
                      "invoice %" PRIu64 " is paid by what is no payment of it, or too much of it",
                      e->number);
        return;
    }
    i->paid_minor += e->amount_minor;
}

static void cancelled(struct audit *a, const struct operator_event *e)
{
    struct audit_invoice *i = array_at(&a->invoices, e->number - 1);
    if (i == NULL || i->cancelled || i->paid_minor != 0) {
        audit__breach(a, PROOF_PAYMENTS, "invoice %" PRIu64 " is cancelled, but cannot be",
                      e->number);
        return;
    }
    i->cancelled = true;
}

void audit__bill_event(struct audit *a, const struct operator_event *e)
{
    audit__checked(a, PROOF_PAYMENTS);
    switch (e->kind) {
    case EVENT_BILLER_KEPT: biller(a, e); break;
    case EVENT_INVOICE_KEPT: invoice_kept(a, e); break;
    case EVENT_INVOICE_PAID: paid(a, e); break;
    case EVENT_INVOICE_CANCELLED: cancelled(a, e); break;
    default:
        if (e->number == 0 || e->number > a->last_income) {
            audit__breach(a, PROOF_REFERENCES, "income %" PRIu64 " is acknowledged, but never was",
                          e->number);
        }
        break;
    }
}

/* The push of a payment to a biller. */
void audit__bill_notice(struct audit *a, uint64_t subject, uint64_t target)
{
    audit__checked(a, PROOF_EFFECTS);
    if (a->frame.bills_due == 0 || subject != a->last_income || target != a->frame.bill_target) {
        audit__breach(a, PROOF_EFFECTS, "income %" PRIu64 " is pushed to a biller out of turn",
                      subject);
        return;
    }
    a->frame.bills_due--;
}
