/*
 * bill_state.c - bill manager as state: events in bytes and into state, canonical bytes both
 * directions, invariants N1 to N3 of bill.h.
 */
#include <string.h>

#include "base/hash.h"
#include "operator/internal.h"

/* ---- events in bytes ---- */

void operator__encode_bill(struct writer *w, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_BILLER_KEPT:
        put_u32(w, e->slot);
        put_u8(w, e->approves);
        put_u64(w, e->target);
        put_text(w, e->url);
        put_text(w, e->name);
        put_text(w, e->reference);
        break;
    case EVENT_INVOICE_KEPT:
        put_u64(w, e->number);
        put_u32(w, e->short_code);
        put_u64(w, e->msisdn);
        put_i64(w, e->amount_minor);
        put_u32(w, e->receipt_day);
        put_text(w, e->reference);
        put_text(w, e->conversation);
        put_text(w, e->name);
        put_text(w, e->remarks);
        put_text(w, e->occasion);
        put_text(w, e->orders);
        break;
    case EVENT_INVOICE_PAID:
        put_u64(w, e->number);
        put_i64(w, e->amount_minor);
        put_u64(w, e->request);
        break;
    case EVENT_INVOICE_CANCELLED:
    case EVENT_INCOME_ACKNOWLEDGED: put_u64(w, e->number); break;
    default: UNREACHABLE("unknown event of bill manager");
    }
}

static void decode_invoice(struct reader *r, struct operator_event *e)
{
    e->number = get_u64(r);
    e->short_code = get_u32(r);
    e->msisdn = get_u64(r);
    e->amount_minor = get_i64(r);
    e->receipt_day = get_u32(r);
    e->reference = get_text(r);
    e->conversation = get_text(r);
    e->name = get_text(r);
    e->remarks = get_text(r);
    e->occasion = get_text(r);
    e->orders = get_text(r);
    r->bad = r->bad || e->amount_minor <= 0 || e->amount_minor > OPERATOR_AMOUNT_MAX ||
             e->number == 0 || e->orders.size > INVOICE_ITEMS_BYTES_MAX;
}

bool operator__decode_bill(uint16_t kind, struct reader *r, struct operator_event *e)
{
    uint8_t flag;
    switch (kind) {
    case EVENT_BILLER_KEPT:
        e->slot = get_u32(r);
        flag = get_u8(r);
        e->approves = flag == 1;
        e->target = get_u64(r);
        e->url = get_text(r);
        e->name = get_text(r);
        e->reference = get_text(r);
        r->bad = r->bad || flag > 1;
        break;
    case EVENT_INVOICE_KEPT: decode_invoice(r, e); break;
    case EVENT_INVOICE_PAID:
        e->number = get_u64(r);
        e->amount_minor = get_i64(r);
        e->request = get_u64(r);
        r->bad = r->bad || e->amount_minor <= 0;
        break;
    case EVENT_INVOICE_CANCELLED:
    case EVENT_INCOME_ACKNOWLEDGED: e->number = get_u64(r); break;
    default: return false;
    }
    return reader_done(r);
}

/* ---- the lists of open invoices ---- */

uint64_t operator__invoice_key(uint32_t short_code, struct span text)
{
    return hash_bytes(text.data, text.size, short_code);
}

static uint64_t account_key(const struct operator_state *o, const struct invoice *i)
{
    return operator__invoice_key(i->short_code, operator_text(o, i->account));
}

static bool is_open(const struct invoice *i)
{
    return i->state == INVOICE_SENT || i->state == INVOICE_PARTLY_PAID;
}

/* Where its slot is in order: a list that is rebuilt by load is the same, whatever was changed. */
static void list_add(struct operator_state *o, uint32_t slot)
{
    struct invoice *i = invoice_at(o, slot);
    uint64_t key = account_key(o, i);
    uint32_t at = map_get(&o->invoice_accounts, key);
    if (at == MAP_NONE || at > slot) {
        i->next = at == MAP_NONE ? SLAB_NONE : at;
        (void)map_remove(&o->invoice_accounts, key);
        map_put(&o->invoice_accounts, key, slot);
        return;
    }
    while (invoice_at(o, at)->next < slot) { /* SLAB_NONE is above all of them */
        at = invoice_at(o, at)->next;
    }
    i->next = invoice_at(o, at)->next;
    CHECK(i->next != slot);
    invoice_at(o, at)->next = slot;
}

static void list_remove(struct operator_state *o, uint32_t slot)
{
    struct invoice *i = invoice_at(o, slot);
    uint64_t key = account_key(o, i);
    uint32_t at = map_get(&o->invoice_accounts, key);
    CHECK(at != MAP_NONE);
    if (at == slot) {
        CHECK(map_remove(&o->invoice_accounts, key));
        if (i->next != SLAB_NONE) {
            map_put(&o->invoice_accounts, key, i->next);
        }
    } else {
        while (invoice_at(o, at)->next != slot) {
            at = invoice_at(o, at)->next;
            CHECK(at != SLAB_NONE);
        }
        invoice_at(o, at)->next = i->next;
    }
    i->next = SLAB_NONE;
}

/* ---- apply ---- */

static void apply_biller(struct operator_state *o, const struct operator_event *e,
                         const struct frame_info *frame)
{
    CHECK(slab_is_used(&o->organisations, e->slot));
    struct organisation_biller *b = &organisation_at(o, e->slot)->biller;
    b->opted_ns = b->opted ? b->opted_ns : frame->time_ns;
    b->opted = true;
    b->reminders = e->approves;
    b->target = e->target;
    texts_replace(&o->book->texts, &b->url, e->url);
    texts_replace(&o->book->texts, &b->email, e->name);
    texts_replace(&o->book->texts, &b->contact, e->reference);
}

static void apply_kept(struct operator_state *o, const struct operator_event *e,
                       const struct frame_info *frame)
{
    bool is_new = e->number == o->last_invoice + 1;
    uint32_t slot = is_new ? slab_take(&o->invoices) : (uint32_t)(e->number - 1);
    CHECK(is_new || e->number <= o->last_invoice);
    struct invoice *i = invoice_at(o, slot);
    if (is_new) {
        CHECK(slot == o->last_invoice);
        o->last_invoice = e->number;
        map_put(&o->invoice_references, operator__invoice_key(e->short_code, e->reference), slot);
    } else {
        CHECK(i->state == INVOICE_SENT);
        list_remove(o, slot);
    }
    i->number = e->number;
    i->short_code = e->short_code;
    i->msisdn = e->msisdn;
    i->amount_minor = e->amount_minor;
    i->due_day = e->receipt_day;
    i->sent_ns = frame->time_ns;
    i->state = INVOICE_SENT;
    texts_replace(&o->book->texts, &i->reference, e->reference);
    texts_replace(&o->book->texts, &i->account, e->conversation);
    texts_replace(&o->book->texts, &i->name, e->name);
    texts_replace(&o->book->texts, &i->period, e->remarks);
    texts_replace(&o->book->texts, &i->title, e->occasion);
    texts_replace(&o->book->texts, &i->items, e->orders);
    list_add(o, slot);
}

static void apply_paid(struct operator_state *o, const struct operator_event *e,
                       const struct frame_info *frame)
{
    uint32_t income = map_get(&o->incomes_by_number, e->request);
    struct invoice *i = invoice_at(o, (uint32_t)(e->number - 1));
    CHECK(income != MAP_NONE && is_open(i));
    i->paid_minor += e->amount_minor;
    CHECK(i->paid_minor <= i->amount_minor);
    i->state = i->paid_minor == i->amount_minor ? INVOICE_PAID : INVOICE_PARTLY_PAID;
    income_at(o, income)->invoice = e->number;
    if (i->state == INVOICE_PAID) {
        i->closed_ns = frame->time_ns;
        list_remove(o, (uint32_t)(e->number - 1));
    }
}

void operator__apply_bill(struct operator_state *o, const struct operator_event *e,
                          const struct frame_info *frame)
{
    switch (e->kind) {
    case EVENT_BILLER_KEPT: apply_biller(o, e, frame); break;
    case EVENT_INVOICE_KEPT: apply_kept(o, e, frame); break;
    case EVENT_INVOICE_PAID: apply_paid(o, e, frame); break;
    case EVENT_INVOICE_CANCELLED: {
        struct invoice *i = invoice_at(o, (uint32_t)(e->number - 1));
        CHECK(i->state == INVOICE_SENT);
        list_remove(o, (uint32_t)(e->number - 1));
        i->state = INVOICE_CANCELLED;
        i->closed_ns = frame->time_ns;
        break;
    }
    case EVENT_INCOME_ACKNOWLEDGED: {
        uint32_t slot = map_get(&o->incomes_by_number, e->number);
        CHECK(slot != MAP_NONE && income_at(o, slot)->acknowledged_ns == 0);
        income_at(o, slot)->acknowledged_ns = frame->time_ns;
        break;
    }
    default: UNREACHABLE("unknown event of bill manager");
    }
}

/* ---- bytes ---- */

void operator__save_biller(struct writer *w, const struct organisation_biller *b)
{
    put_u64(w, b->target);
    put_i64(w, b->opted_ns);
    put_u32(w, b->url);
    put_u32(w, b->email);
    put_u32(w, b->contact);
    put_u8(w, b->opted);
    put_u8(w, b->reminders);
}

void operator__load_biller(struct reader *r, struct organisation_biller *b)
{
    b->target = get_u64(r);
    b->opted_ns = get_i64(r);
    b->url = get_u32(r);
    b->email = get_u32(r);
    b->contact = get_u32(r);
    b->opted = get_u8(r) != 0;
    b->reminders = get_u8(r) != 0;
}

void operator__save_invoices(const struct operator_state *o, struct writer *w)
{
    slab_shape_save(&o->invoices, w);
    for (uint32_t slot = 0; slot < o->last_invoice; slot++) {
        const struct invoice *i = invoice_at(o, slot);
        const uint32_t narrow[] = {i->short_code, i->due_day, i->reference, i->account,
                                   i->name,       i->period,  i->title,     i->items};
        put_u64(w, i->msisdn);
        put_i64(w, i->amount_minor);
        put_i64(w, i->paid_minor);
        put_i64(w, i->sent_ns);
        put_i64(w, i->closed_ns);
        for (uint32_t k = 0; k < sizeof(narrow) / sizeof(narrow[0]); k++) {
            put_u32(w, narrow[k]);
        }
        put_u8(w, i->state);
    }
}

static bool load_invoice(struct operator_state *o, struct reader *r, uint32_t slot)
{
    struct invoice *i = invoice_at(o, slot);
    uint32_t *const narrow[] = {&i->short_code, &i->due_day, &i->reference, &i->account,
                                &i->name,       &i->period,  &i->title,     &i->items};
    i->number = slot + (uint64_t)1;
    i->msisdn = get_u64(r);
    i->amount_minor = get_i64(r);
    i->paid_minor = get_i64(r);
    i->sent_ns = get_i64(r);
    i->closed_ns = get_i64(r);
    for (uint32_t k = 0; k < sizeof(narrow) / sizeof(narrow[0]); k++) {
        *narrow[k] = get_u32(r);
    }
    i->state = get_u8(r);
    i->next = SLAB_NONE;
    if (r->bad || i->state < INVOICE_SENT || i->state > INVOICE_CANCELLED ||
        !texts_known(&o->book->texts, i->reference) || !texts_known(&o->book->texts, i->account)) {
        return false;
    }
    uint64_t key = operator__invoice_key(i->short_code, operator_text(o, i->reference));
    if (map_get(&o->invoice_references, key) != MAP_NONE) {
        return false;
    }
    map_put(&o->invoice_references, key, slot);
    if (is_open(i)) {
        list_add(o, slot);
    }
    return true;
}

bool operator__load_invoices(struct operator_state *o, struct reader *r)
{
    if (!slab_shape_load(&o->invoices, r) || o->invoices.used != o->invoices.high_water ||
        !map_reserve(&o->invoice_references, o->invoices.used) ||
        !map_reserve(&o->invoice_accounts, o->invoices.used)) {
        return false;
    }
    o->last_invoice = o->invoices.used;
    for (uint32_t slot = 0; slot < o->last_invoice; slot++) {
        if (!load_invoice(o, r, slot)) {
            return false;
        }
    }
    return true;
}

/* ---- invariants ---- */

/* N1 and N2 of one invoice. */
static void check_invoice(const struct operator_state *o, uint32_t slot)
{
    const struct invoice *i = invoice_at(o, slot);
    CHECK(i->number == slot + (uint64_t)1);
    CHECK(i->paid_minor >= 0 && i->paid_minor <= i->amount_minor);
    CHECK((i->paid_minor == i->amount_minor) == (i->state == INVOICE_PAID));
    CHECK((i->paid_minor > 0) == (i->state == INVOICE_PAID || i->state == INVOICE_PARTLY_PAID));
    CHECK((i->closed_ns != 0) == !is_open(i));
    CHECK(operator_invoice_by_reference(o, i->short_code, operator_text(o, i->reference)) == i);
}

void operator__check_invoices(const struct operator_state *o)
{
    uint32_t open = 0;
    uint32_t listed = 0;
    for (uint32_t slot = 0; slot < o->last_invoice; slot++) {
        const struct invoice *i = invoice_at(o, slot);
        check_invoice(o, slot);
        open += is_open(i);
        if (is_open(i) && map_get(&o->invoice_accounts, account_key(o, i)) == slot) { /* N3 */
            for (uint32_t at = slot; at != SLAB_NONE; at = invoice_at(o, at)->next) {
                uint32_t next = invoice_at(o, at)->next;
                CHECK(is_open(invoice_at(o, at)));
                CHECK(next == SLAB_NONE || next > at);
                listed++;
            }
        }
    }
    CHECK(open == listed);
    CHECK(o->invoices.used == o->last_invoice);
    CHECK(map_count(&o->invoice_references) == o->last_invoice);
    map_check(&o->invoice_references);
    map_check(&o->invoice_accounts);
    slab_check(&o->invoices);
}
