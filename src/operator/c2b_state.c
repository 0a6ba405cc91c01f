/*
 * c2b_state.c - what organisations registered for C2B and their incomes as state: events in bytes
 * and into state, canonical bytes both directions, invariants I1 and I2 of c2b.h.
 */
#include <string.h>

#include "base/caltime.h"
#include "operator/internal.h"

/* ---- events in bytes ---- */

void operator__encode_customers(struct writer *w, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_C2B_URLS_KEPT:
        put_u32(w, e->slot);
        put_u8(w, e->version);
        put_u8(w, e->response_type);
        put_u64(w, e->target);
        put_u64(w, e->validation_target);
        put_text(w, e->url);
        put_text(w, e->validation_url);
        break;
    case EVENT_VALIDATION_SET:
        put_u32(w, e->slot);
        put_u8(w, e->validates);
        break;
    case EVENT_PULL_REGISTERED:
        put_u32(w, e->slot);
        put_u64(w, e->msisdn);
        put_text(w, e->url);
        break;
    case EVENT_REQUEST_ANSWERED:
        put_u64(w, e->number);
        put_text(w, e->reference);
        break;
    case EVENT_RECEIPT_RESERVED:
        put_u64(w, e->number);
        put_u32(w, e->receipt_day);
        put_u64(w, e->receipt);
        break;
    default: UNREACHABLE("unknown event of a customer's payment");
    }
}

static void decode_urls(struct reader *r, struct operator_event *e)
{
    e->slot = get_u32(r);
    e->version = get_u8(r);
    e->response_type = get_u8(r);
    e->target = get_u64(r);
    e->validation_target = get_u64(r);
    e->url = get_text(r);
    e->validation_url = get_text(r);
    r->bad = r->bad || e->version < 1 || e->version > 2 || e->response_type < C2B_COMPLETED ||
             e->response_type > C2B_CANCELLED;
}

bool operator__decode_customers(uint16_t kind, struct reader *r, struct operator_event *e)
{
    uint8_t flag;
    switch (kind) {
    case EVENT_C2B_URLS_KEPT: decode_urls(r, e); break;
    case EVENT_VALIDATION_SET:
        e->slot = get_u32(r);
        flag = get_u8(r);
        r->bad = r->bad || flag > 1;
        e->validates = flag == 1;
        break;
    case EVENT_PULL_REGISTERED:
        e->slot = get_u32(r);
        e->msisdn = get_u64(r);
        e->url = get_text(r);
        break;
    case EVENT_REQUEST_ANSWERED:
        e->number = get_u64(r);
        e->reference = get_text(r);
        break;
    case EVENT_RECEIPT_RESERVED:
        e->number = get_u64(r);
        e->receipt_day = get_u32(r);
        e->receipt = get_u64(r);
        r->bad = r->bad || e->receipt_day == 0 || e->receipt >= ID_RECEIPT_SERIAL_END;
        break;
    default: return false;
    }
    return reader_done(r);
}

/* ---- apply ---- */

static struct organisation *registering(struct operator_state *o, const struct operator_event *e)
{
    CHECK(slab_is_used(&o->organisations, e->slot));
    return organisation_at(o, e->slot);
}

static void apply_urls(struct operator_state *o, const struct operator_event *e)
{
    struct organisation *g = registering(o, e);
    g->c2b.version = e->version;
    g->c2b.response_type = e->response_type;
    g->c2b.confirmation_target = e->target;
    g->c2b.validation_target = e->validation_target;
    texts_replace(&o->book->texts, &g->c2b.confirmation_url, e->url);
    texts_replace(&o->book->texts, &g->c2b.validation_url, e->validation_url);
}

static struct operator_request *request_of(struct operator_state *o, const struct operator_event *e)
{
    uint32_t slot = map_get(&o->requests_by_number, e->number);
    CHECK(slot != MAP_NONE);
    operator__touch_request(o, slot);
    return request_at(o, slot);
}

static void apply_reserved(struct operator_state *o, const struct operator_event *e)
{
    struct operator_request *r = request_of(o, e);
    CHECK(r->receipt_day == 0);
    r->receipt_day = e->receipt_day;
    r->receipt = e->receipt;
    o->receipt_day = e->receipt_day;
    o->receipt_next = e->receipt + 1;
}

void operator__apply_customers(struct operator_state *o, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_C2B_URLS_KEPT: apply_urls(o, e); break;
    case EVENT_VALIDATION_SET: registering(o, e)->c2b.validates = e->validates; break;
    case EVENT_PULL_REGISTERED:
        registering(o, e)->c2b.pull_number = e->msisdn;
        texts_replace(&o->book->texts, &registering(o, e)->c2b.pull_url, e->url);
        break;
    case EVENT_REQUEST_ANSWERED:
        texts_replace(&o->book->texts, &request_of(o, e)->answer, e->reference);
        break;
    case EVENT_RECEIPT_RESERVED: apply_reserved(o, e); break;
    default: UNREACHABLE("unknown event of a customer's payment");
    }
}

static bool is_recent(const struct income *income, int64_t now_ns)
{
    return now_ns - income->at_ns <= (int64_t)INCOME_AGE_MAX_S * NS_PER_S;
}

/* From slot on: the first that may be pulled at now_ns, or the last. Each is passed once. */
static uint32_t first_recent(const struct operator_state *o, uint32_t slot, int64_t now_ns)
{
    for (uint32_t i = 0; i < o->incomes.used && slot != SLAB_NONE; i++) {
        const struct income *income = income_at(o, slot);
        if (is_recent(income, now_ns) || income->next == SLAB_NONE) {
            break;
        }
        slot = income->next;
    }
    return slot;
}

/* Those that nobody was told of and nobody can pull any more; only from the front, and none that is
 * recent_income. */
static void drop_old(struct operator_state *o, struct organisation *g, int64_t now_ns)
{
    for (uint32_t i = 0; i < INCOMES_DROPPED_MAX && g->c2b.first_income != SLAB_NONE; i++) {
        uint32_t slot = g->c2b.first_income;
        const struct income *old = income_at(o, slot);
        if (is_recent(old, now_ns) || old->confirmation != 0 || old->notice != 0 ||
            old->next == SLAB_NONE) {
            return;
        }
        g->c2b.first_income = old->next;
        CHECK(map_remove(&o->incomes_by_number, old->number));
        CHECK(map_remove(&o->incomes_by_receipt,
                         operator__receipt_key(old->receipt_day, old->receipt)));
        texts_drop(&o->book->texts, old->reference);
        texts_drop(&o->book->texts, old->url);
        slab_release(&o->incomes, slot);
    }
}

static struct income *append(struct operator_state *o, uint32_t short_code, int64_t now_ns)
{
    struct organisation *g = organisation_at(o, map_get(&o->by_short_code, short_code));
    if (!operator__income_kept(g)) {
        return NULL;
    }
    uint32_t slot = slab_take(&o->incomes);
    struct income *income = income_at(o, slot);
    income->number = ++o->last_income;
    income->short_code = short_code;
    income->at_ns = now_ns;
    income->balance_minor = operator_balance(o, g->accounts[ACCOUNT_UTILITY]);
    income->next = SLAB_NONE;
    income->version = g->c2b.version;
    if (g->c2b.first_income == SLAB_NONE) {
        g->c2b.first_income = slot;
        g->c2b.recent_income = slot;
    } else {
        income_at(o, g->c2b.last_income)->next = slot;
    }
    g->c2b.last_income = slot;
    map_put(&o->incomes_by_number, income->number, slot);
    g->c2b.recent_income = first_recent(o, g->c2b.recent_income, now_ns);
    drop_old(o, g, now_ns);
    return income;
}

static void name_by_receipt(struct operator_state *o, struct income *income, uint32_t day,
                            uint64_t receipt)
{
    income->receipt_day = day;
    income->receipt = receipt;
    map_put(&o->incomes_by_receipt, operator__receipt_key(day, receipt),
            map_get(&o->incomes_by_number, income->number));
}

/* The biller's push is the nth item of the frame. */
static void note_bill(const struct operator_state *o, struct income *income,
                      const struct organisation *g, uint64_t nth)
{
    income->notice = g->biller.opted ? outbox_next_number(&o->book->outbox, nth) : 0;
}

void operator__apply_payment_income(struct operator_state *o, const struct stk_payment *p,
                                    uint64_t nth)
{
    struct texts *texts = &o->book->texts;
    const struct organisation *g = operator_organisation(o, p->party_b);
    struct income *income = append(o, p->party_b, p->step_ns[STEP_ENDED]);
    if (income == NULL) {
        return;
    }
    income->source = request_original_payment(p->number);
    income->msisdn = subscriber_at(o, p->subscriber)->msisdn;
    income->amount_minor = p->amount_minor;
    name_by_receipt(o, income, p->receipt_day, p->receipt);
    income->reference = texts_keep(texts, operator_text(o, p->reference));
    income->type = p->type;
    if (g->c2b.version != 0) {
        income->url = texts_keep(texts, operator_text(o, g->c2b.confirmation_url));
        income->confirmation = outbox_next_number(&o->book->outbox, nth);
    }
    note_bill(o, income, g, nth + (g->c2b.version != 0));
}

void operator__apply_request_income(struct operator_state *o, const struct operator_request *r)
{
    struct income *income = append(o, r->short_code, r->step_ns[REQUEST_ENDED]);
    if (income == NULL) {
        return;
    }
    income->source = request_original_request(r->number);
    income->msisdn = r->party;
    income->amount_minor = r->amount_minor;
    name_by_receipt(o, income, r->receipt_day, r->receipt);
    income->reference = texts_keep(&o->book->texts, operator_text(o, r->reference));
    income->type = r->command & C2B_TYPE_MASK;
    const struct organisation *g = operator_organisation(o, r->short_code);
    uint64_t nth = 1 + operator__request_results(o, r, r->outcome);
    if (r->kind == REQUEST_STANDING_PAYMENT && g->c2b.version != 0) { /* C2B tells by itself */
        income->url = texts_keep(&o->book->texts, operator_text(o, g->c2b.confirmation_url));
        income->confirmation = outbox_next_number(&o->book->outbox, nth++);
    }
    note_bill(o, income, g, nth);
}

/* ---- bytes ---- */

void operator__save_organisation_c2b(struct writer *w, const struct organisation_c2b *c)
{
    put_u64(w, c->confirmation_target);
    put_u64(w, c->validation_target);
    put_u64(w, c->pull_number);
    put_u32(w, c->confirmation_url);
    put_u32(w, c->validation_url);
    put_u32(w, c->pull_url);
    put_u32(w, c->first_income);
    put_u32(w, c->last_income);
    put_u8(w, c->version);
    put_u8(w, c->response_type);
    put_u8(w, c->validates);
}

void operator__load_organisation_c2b(struct reader *r, struct organisation_c2b *c)
{
    c->confirmation_target = get_u64(r);
    c->validation_target = get_u64(r);
    c->pull_number = get_u64(r);
    c->confirmation_url = get_u32(r);
    c->validation_url = get_u32(r);
    c->pull_url = get_u32(r);
    c->first_income = get_u32(r);
    c->last_income = get_u32(r);
    c->recent_income = SLAB_NONE;
    c->version = get_u8(r);
    c->response_type = get_u8(r);
    c->validates = get_u8(r) != 0;
    r->bad = r->bad || c->version > 2 || c->response_type > C2B_CANCELLED;
}

static void save_income(struct writer *w, const struct income *income)
{
    put_u64(w, income->number);
    put_u64(w, income->source);
    put_u64(w, income->msisdn);
    put_u64(w, income->receipt);
    put_u64(w, income->confirmation);
    put_u64(w, income->notice);
    put_u64(w, income->invoice);
    put_i64(w, income->acknowledged_ns);
    put_i64(w, income->amount_minor);
    put_i64(w, income->balance_minor);
    put_i64(w, income->at_ns);
    put_u32(w, income->receipt_day);
    put_u32(w, income->short_code);
    put_u32(w, income->reference);
    put_u32(w, income->url);
    put_u32(w, income->next);
    put_u8(w, income->type);
    put_u8(w, income->version);
}

static bool load_income(struct reader *r, struct income *income)
{
    income->number = get_u64(r);
    income->source = get_u64(r);
    income->msisdn = get_u64(r);
    income->receipt = get_u64(r);
    income->confirmation = get_u64(r);
    income->notice = get_u64(r);
    income->invoice = get_u64(r);
    income->acknowledged_ns = get_i64(r);
    income->amount_minor = get_i64(r);
    income->balance_minor = get_i64(r);
    income->at_ns = get_i64(r);
    income->receipt_day = get_u32(r);
    income->short_code = get_u32(r);
    income->reference = get_u32(r);
    income->url = get_u32(r);
    income->next = get_u32(r);
    income->type = get_u8(r);
    income->version = get_u8(r);
    return !r->bad && caltime_in_range(income->at_ns) && income->receipt < ID_RECEIPT_SERIAL_END &&
           income->type >= C2B_PAY_BILL && income->type <= C2B_BUY_GOODS && income->version <= 2;
}

void operator__save_incomes(const struct operator_state *o, struct writer *w)
{
    put_u64(w, o->last_income);
    slab_shape_save(&o->incomes, w);
    for (uint32_t i = slab_next(&o->incomes, 0); i != SLAB_NONE;
         i = slab_next(&o->incomes, i + 1)) {
        save_income(w, income_at(o, i));
    }
}

/* Where those begin that may be pulled, as after the newest one came. False: nonsense. */
static bool lists_begin(struct operator_state *o)
{
    for (uint32_t i = slab_next(&o->organisations, 0); i != SLAB_NONE;
         i = slab_next(&o->organisations, i + 1)) {
        struct organisation_c2b *c = &organisation_at(o, i)->c2b;
        if (c->first_income == SLAB_NONE) {
            continue;
        }
        if (!slab_is_used(&o->incomes, c->first_income) ||
            !slab_is_used(&o->incomes, c->last_income)) {
            return false;
        }
        c->recent_income = first_recent(o, c->first_income, income_at(o, c->last_income)->at_ns);
    }
    return true;
}

bool operator__load_incomes(struct operator_state *o, struct reader *r)
{
    o->last_income = get_u64(r);
    if (!slab_shape_load(&o->incomes, r) || !map_reserve(&o->incomes_by_number, o->incomes.used) ||
        !map_reserve(&o->incomes_by_receipt, o->incomes.used)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->incomes, 0); i != SLAB_NONE;
         i = slab_next(&o->incomes, i + 1)) {
        struct income *income = income_at(o, i);
        if (!load_income(r, income) || map_get(&o->incomes_by_number, income->number) != MAP_NONE ||
            (income->next != SLAB_NONE && !slab_is_used(&o->incomes, income->next))) {
            return false;
        }
        map_put(&o->incomes_by_number, income->number, i);
        uint64_t receipt = operator__receipt_key(income->receipt_day, income->receipt);
        if (map_get(&o->incomes_by_receipt, receipt) != MAP_NONE) {
            return false;
        }
        map_put(&o->incomes_by_receipt, receipt, i);
    }
    return lists_begin(o);
}

/* ---- invariants ---- */

static void check_income(const struct operator_state *o, const struct income *income,
                         uint32_t short_code)
{
    CHECK(income->short_code == short_code && income->number <= o->last_income);
    CHECK(operator_income(o, income->number) == income);
    CHECK(income->receipt_day != 0 && income->amount_minor > 0);                          /* I2 */
    CHECK(operator_income_by_receipt(o, income->receipt_day, income->receipt) == income); /* I3 */
    if (income->confirmation != 0) {
        const struct outbox_item *item = outbox_item(&o->book->outbox, income->confirmation);
        CHECK(item != NULL);
        CHECK(item->kind == MESSAGE_CONFIRMATION && item->subject == income->number);
    }
    CHECK(income->invoice <= o->last_invoice && IMPLIES(income->invoice != 0, income->notice != 0));
    if (income->notice != 0) {
        const struct outbox_item *item = outbox_item(&o->book->outbox, income->notice);
        CHECK(item != NULL);
        CHECK(item->kind == MESSAGE_BILL && item->subject == income->number);
    }
}

void operator__check_incomes(const struct operator_state *o)
{
    uint32_t found = 0;
    for (uint32_t i = slab_next(&o->organisations, 0); i != SLAB_NONE;
         i = slab_next(&o->organisations, i + 1)) {
        const struct organisation *g = organisation_at(o, i);
        uint32_t slot = g->c2b.first_income;
        const struct income *before = NULL;
        CHECK(IMPLIES(slot == SLAB_NONE, g->c2b.last_income == SLAB_NONE));
        CHECK((slot == SLAB_NONE) == (g->c2b.recent_income == SLAB_NONE));
        if (slot != SLAB_NONE) { /* I3 */
            int64_t newest_ns = income_at(o, g->c2b.last_income)->at_ns;
            CHECK(g->c2b.recent_income == first_recent(o, slot, newest_ns));
        }
        while (slot != SLAB_NONE) { /* I1 */
            CHECK(found < o->incomes.used);
            CHECK(IMPLIES(income_at(o, slot)->next == SLAB_NONE, slot == g->c2b.last_income));
            const struct income *income = operator_income_next(o, &slot);
            check_income(o, income, g->short_code);
            CHECK(before == NULL ||
                  (before->number < income->number && before->at_ns <= income->at_ns));
            before = income;
            found++;
        }
    }
    CHECK(found == o->incomes.used);
    CHECK(map_count(&o->incomes_by_number) == o->incomes.used);
    CHECK(map_count(&o->incomes_by_receipt) == o->incomes.used);
    map_check(&o->incomes_by_number);
    map_check(&o->incomes_by_receipt);
    slab_check(&o->incomes);
}
