/*
 * bill.c - bill manager decided: opting in, invoices, their payments, the acknowledgement of a
 * payment. See bill.h. Tests: tests/unit/test_operator_bill.c.
 */
#include "operator/bill.h"

#include <string.h>

#include "operator/internal.h"

const char *invoice_state_name(enum invoice_state state)
{
    static const char *const names[] = {NULL, "sent", "partly_paid", "paid", "cancelled"};
    CHECK(state >= INVOICE_SENT && state <= INVOICE_CANCELLED);
    return names[state];
}

const struct invoice *operator_invoice(const struct operator_state *o, uint64_t number)
{
    bool there = number > 0 && number <= o->last_invoice;
    return there ? invoice_at(o, (uint32_t)(number - 1)) : NULL;
}

const struct invoice *operator_invoice_by_reference(const struct operator_state *o,
                                                    uint32_t short_code, struct span reference)
{
    uint32_t slot = map_get(&o->invoice_references, operator__invoice_key(short_code, reference));
    const struct invoice *i = slot == MAP_NONE ? NULL : invoice_at(o, slot);
    bool same = i != NULL && i->short_code == short_code &&
                span_equal(operator_text(o, i->reference), reference);
    return same ? i : NULL;
}

/* ---- opting in ---- */

void operator__decide_biller(const struct operator_state *o, struct decision *d)
{
    const struct biller_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    struct operator_event e;
    CHECK(reply != NULL);
    CHECK(c->url.size > 0 && c->url.size <= OPERATOR_URL_MAX);
    CHECK(c->email.size <= OPERATOR_REFERENCE_MAX && c->contact.size <= OPERATOR_REFERENCE_MAX);
    uint32_t slot = map_get(&o->by_short_code, c->short_code);
    bool opted = slot != MAP_NONE && organisation_at(o, slot)->biller.opted;
    reply->refusal = slot == MAP_NONE || (c->change && !opted) ? OPERATOR_NOT_FOUND
                     : opted && !c->change                     ? OPERATOR_EXISTS
                                                               : OPERATOR_DONE;
    if (reply->refusal != OPERATOR_DONE) {
        return;
    }
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_BILLER_KEPT;
    e.slot = slot;
    e.approves = c->reminders;
    e.target = c->target;
    e.url = c->url;
    e.name = c->email;
    e.reference = c->contact;
    operator__emit(d, &e);
}

/* ---- invoices ---- */

static bool is_biller(const struct operator_state *o, uint32_t short_code)
{
    const struct organisation *g = operator_organisation(o, short_code);
    return g != NULL && g->biller.opted;
}

void operator__decide_invoice(const struct operator_state *o, struct decision *d)
{
    const struct invoice_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    struct operator_event e;
    CHECK(reply != NULL);
    CHECK(c->amount_minor > 0 && c->amount_minor <= OPERATOR_AMOUNT_MAX);
    CHECK(c->items.size <= INVOICE_ITEMS_BYTES_MAX && c->reference.size > 0);
    const struct invoice *known = operator_invoice_by_reference(o, c->short_code, c->reference);
    uint64_t key = operator__invoice_key(c->short_code, c->reference);
    bool taken = map_get(&o->invoice_references, key) != MAP_NONE;
    if (!is_biller(o, c->short_code) || (c->change && known == NULL)) {
        reply->refusal = OPERATOR_NOT_FOUND;
    } else if (!c->change && taken) {
        reply->refusal = OPERATOR_EXISTS;
    } else if (c->change && known->state != INVOICE_SENT) {
        reply->refusal = OPERATOR_ALREADY_ENDED;
    } else {
        reply->refusal = OPERATOR_DONE;
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_INVOICE_KEPT;
        e.number = known != NULL ? known->number : o->last_invoice + 1;
        e.short_code = c->short_code;
        e.msisdn = c->msisdn;
        e.amount_minor = c->amount_minor;
        e.receipt_day = c->due_day;
        e.reference = c->reference;
        e.conversation = c->account;
        e.name = c->name;
        e.remarks = c->period;
        e.occasion = c->title;
        e.orders = c->items;
        operator__emit(d, &e);
        reply->number = e.number;
    }
}

void operator__decide_invoice_cancel(const struct operator_state *o, struct decision *d)
{
    const struct invoice_cancel_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    const struct invoice *i = operator_invoice_by_reference(o, c->short_code, c->reference);
    struct operator_event e;
    CHECK(reply != NULL);
    reply->refusal = i == NULL || i->state == INVOICE_CANCELLED ? OPERATOR_NOT_FOUND
                     : i->state != INVOICE_SENT                 ? OPERATOR_ALREADY_ENDED
                                                                : OPERATOR_DONE;
    if (reply->refusal == OPERATOR_DONE) {
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_INVOICE_CANCELLED;
        e.number = i->number;
        operator__emit(d, &e);
    }
}

/* ---- payments ---- */

/* The oldest open invoice of the account that a payment names; NULL: it pays none. */
static const struct invoice *oldest_open(const struct operator_state *o, uint32_t short_code,
                                         struct span account)
{
    uint32_t slot = map_get(&o->invoice_accounts, operator__invoice_key(short_code, account));
    const struct invoice *i = slot == MAP_NONE ? NULL : invoice_at(o, slot);
    bool same = i != NULL && i->short_code == short_code &&
                span_equal(operator_text(o, i->account), account);
    return same ? i : NULL;
}

void operator__bill_paid(const struct operator_state *o, struct decision *d,
                         const struct bill_payment *paid, uint64_t nth)
{
    const struct organisation *g = operator_organisation(o, paid->short_code);
    struct outbox_event queued;
    CHECK(g != NULL && paid->amount_minor > 0);
    if (!g->biller.opted) {
        return;
    }
    const struct invoice *i = oldest_open(o, paid->short_code, paid->account);
    if (i != NULL) {
        int64_t rest_minor = i->amount_minor - i->paid_minor;
        struct operator_event e;
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_INVOICE_PAID;
        e.number = i->number;
        e.amount_minor = paid->amount_minor < rest_minor ? paid->amount_minor : rest_minor;
        e.request = o->last_income + 1;
        operator__emit(d, &e);
    }
    memset(&queued, 0, sizeof(queued));
    queued.kind = EVENT_DELIVERY_QUEUED;
    queued.number = outbox_next_number(&o->book->outbox, nth);
    queued.subject = o->last_income + 1;
    queued.target = g->biller.target;
    queued.item_kind = MESSAGE_BILL;
    queued.next_try_ns = d->command->now_ns;
    decision_outbox(d, &queued);
}

/* The organisation's income with this receipt. */
static const struct income *income_of(const struct operator_state *o, uint32_t short_code,
                                      struct span receipt)
{
    uint32_t day;
    uint64_t serial;
    if (!id_receipt_parse(receipt, &day, &serial)) {
        return NULL;
    }
    const struct income *i = operator_income_by_receipt(o, day, serial);
    return i != NULL && i->short_code == short_code ? i : NULL;
}

void operator__decide_acknowledge(const struct operator_state *o, struct decision *d)
{
    const struct acknowledge_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    const struct income *i = income_of(o, c->short_code, c->receipt);
    struct operator_event e;
    CHECK(reply != NULL);
    reply->refusal = i == NULL || i->notice == 0 ? OPERATOR_NOT_FOUND
                     : i->acknowledged_ns != 0   ? OPERATOR_REPEATED
                                                 : OPERATOR_DONE;
    reply->number = i != NULL ? i->number : 0;
    if (reply->refusal == OPERATOR_DONE) {
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_INCOME_ACKNOWLEDGED;
        e.number = i->number;
        operator__emit(d, &e);
    }
}
