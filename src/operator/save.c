/*
 * save.c - the operator's state in canonical bytes, both directions. Maps, timers and links are
 * rebuilt; the pipeline's order is saved.
 */
#include <string.h>

#include "base/caltime.h"
#include "base/mutant.h"
#include "operator/internal.h"

static void save_subscriber(struct writer *w, const struct subscriber *s)
{
    put_u64(w, s->msisdn);
    put_i64(w, s->known_ns);
    put_i64(w, s->sim_swapped_ns);
    put_i64(w, s->day_spent_minor);
    put_i64(w, s->checkout_second);
    put_u32(w, s->checkout_serial);
    put_u32(w, s->day);
    put_u32(w, s->account);
    put_u32(w, s->name);
    put_u32(w, s->open_payment);
    put_u32(w, s->open_request);
    put_u16(w, s->payments);
    put_raw(w, s->verifier, sizeof(s->verifier));
    put_u8(w, s->key_version);
    put_u8(w, MUTATED(PIN_TRY_NOT_SAVED) ? 0 : s->pin_failures);
    put_u8(w, s->status);
    put_u8(w, s->reachable);
    put_u8(w, s->approves);
}

static void load_subscriber(struct reader *r, struct subscriber *s)
{
    s->msisdn = get_u64(r);
    s->known_ns = get_i64(r);
    s->sim_swapped_ns = get_i64(r);
    s->day_spent_minor = get_i64(r);
    s->checkout_second = get_i64(r);
    s->checkout_serial = get_u32(r);
    s->day = get_u32(r);
    s->account = get_u32(r);
    s->name = get_u32(r);
    s->open_payment = get_u32(r);
    s->open_request = get_u32(r);
    s->payments = get_u16(r);
    get_raw(r, s->verifier, sizeof(s->verifier));
    s->key_version = get_u8(r);
    s->pin_failures = get_u8(r);
    s->status = get_u8(r);
    s->reachable = get_u8(r) != 0;
    s->approves = get_u8(r) != 0;
}

static void save_organisation(struct writer *w, const struct organisation *g)
{
    put_u32(w, g->short_code);
    put_u32(w, g->name);
    put_u32(w, g->initiator);
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        put_u32(w, g->secrets[i]);
    }
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        put_u32(w, g->accounts[i]);
    }
    put_u32(w, g->nominated);
    put_i64(w, g->queue_delay_ns);
    put_u8(w, g->type);
    put_u8(w, g->charges);
    put_u8(w, g->active);
    operator__save_organisation_c2b(w, &g->c2b);
    operator__save_biller(w, &g->biller);
    operator__save_paystack(w, &g->paystack);
}

static bool load_organisation(struct reader *r, struct organisation *g)
{
    g->short_code = get_u32(r);
    g->name = get_u32(r);
    g->initiator = get_u32(r);
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        g->secrets[i] = get_u32(r);
    }
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        g->accounts[i] = get_u32(r);
    }
    g->nominated = get_u32(r);
    g->queue_delay_ns = get_i64(r);
    g->type = get_u8(r);
    g->charges = get_u8(r);
    g->active = get_u8(r) != 0;
    operator__load_organisation_c2b(r, &g->c2b);
    operator__load_biller(r, &g->biller);
    operator__load_paystack(r, &g->paystack);
    return !r->bad && g->type >= ORGANISATION_PAYBILL && g->type <= ORGANISATION_BULK &&
           g->charges >= CHARGES_CUSTOMER && g->charges <= CHARGES_BUSINESS;
}

static void save_payment(struct writer *w, const struct stk_payment *p)
{
    put_u64(w, p->number);
    put_u64(w, p->target);
    put_u64(w, p->receipt);
    put_u64(w, p->delivery);
    put_u64(w, p->reversal);
    put_i64(w, p->amount_minor);
    put_i64(w, p->expires_ns);
    for (uint32_t i = 0; i < STK_STEPS; i++) {
        put_i64(w, p->step_ns[i]);
        put_u64(w, p->step_position[i]);
    }
    put_raw(w, p->fingerprint, sizeof(p->fingerprint));
    put_raw(w, p->verifier, sizeof(p->verifier));
    put_u32(w, p->subscriber);
    put_u32(w, p->short_code);
    put_u32(w, p->party_b);
    put_u32(w, p->url);
    put_u32(w, p->reference);
    put_u32(w, p->description);
    put_u32(w, p->ruled);
    put_u32(w, p->checkout_serial);
    put_u32(w, p->receipt_day);
    put_u8(w, p->state);
    put_u8(w, p->outcome);
    put_u8(w, p->answer);
    put_u8(w, p->type);
    put_u8(w, p->reached);
    put_u8(w, p->kept);
}

static void load_payment(struct reader *r, struct stk_payment *p)
{
    p->number = get_u64(r);
    p->target = get_u64(r);
    p->receipt = get_u64(r);
    p->delivery = get_u64(r);
    p->reversal = get_u64(r);
    p->amount_minor = get_i64(r);
    p->expires_ns = get_i64(r);
    for (uint32_t i = 0; i < STK_STEPS; i++) {
        p->step_ns[i] = get_i64(r);
        p->step_position[i] = get_u64(r);
    }
    get_raw(r, p->fingerprint, sizeof(p->fingerprint));
    get_raw(r, p->verifier, sizeof(p->verifier));
    p->subscriber = get_u32(r);
    p->short_code = get_u32(r);
    p->party_b = get_u32(r);
    p->url = get_u32(r);
    p->reference = get_u32(r);
    p->description = get_u32(r);
    p->ruled = get_u32(r);
    p->checkout_serial = get_u32(r);
    p->receipt_day = get_u32(r);
    p->state = get_u8(r);
    p->outcome = get_u8(r);
    p->answer = get_u8(r);
    p->type = get_u8(r);
    p->reached = get_u8(r) != 0;
    p->kept = get_u8(r) != 0;
    p->timer = TIMERS_NOWHERE;
    p->next = SLAB_NONE;
    p->before = SLAB_NONE;
}

void operator__save(const void *state, struct writer *w)
{
    const struct operator_state *o = state;
    put_u64(w, o->last_payment);
    put_u32(w, o->receipt_day);
    put_u64(w, o->receipt_next);
    put_u32(w, o->account_trust);
    put_u32(w, o->account_fees);
    for (uint32_t i = 0; i < sizeof(o->ended) / sizeof(o->ended[0]); i++) {
        put_u64(w, o->ended[i]);
        put_u64(w, o->left[i]);
    }
    slab_shape_save(&o->subscribers, w);
    for (uint32_t i = slab_next(&o->subscribers, 0); i != SLAB_NONE;
         i = slab_next(&o->subscribers, i + 1)) {
        save_subscriber(w, subscriber_at(o, i));
    }
    slab_shape_save(&o->organisations, w);
    for (uint32_t i = slab_next(&o->organisations, 0); i != SLAB_NONE;
         i = slab_next(&o->organisations, i + 1)) {
        save_organisation(w, organisation_at(o, i));
    }
    slab_shape_save(&o->payments, w);
    for (uint32_t i = slab_next(&o->payments, 0); i != SLAB_NONE;
         i = slab_next(&o->payments, i + 1)) {
        save_payment(w, payment_at(o, i));
    }
    put_u32(w, o->queued);
    for (uint32_t i = o->queue_head; i != SLAB_NONE; i = payment_at(o, i)->next) {
        put_u32(w, i);
    }
    operator__save_requests(o, w);
    operator__save_standing(o, w);
    operator__save_invoices(o, w);
    operator__save_incomes(o, w);
    operator__rules_save(o, w);
}

static bool load_subscribers(struct operator_state *o, struct reader *r)
{
    if (!slab_shape_load(&o->subscribers, r) || !map_reserve(&o->by_msisdn, o->subscribers.used)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->subscribers, 0); i != SLAB_NONE;
         i = slab_next(&o->subscribers, i + 1)) {
        struct subscriber *s = subscriber_at(o, i);
        load_subscriber(r, s);
        if (r->bad || map_get(&o->by_msisdn, s->msisdn) != MAP_NONE) {
            return false;
        }
        map_put(&o->by_msisdn, s->msisdn, i);
    }
    return true;
}

static bool load_organisations(struct operator_state *o, struct reader *r)
{
    if (!slab_shape_load(&o->organisations, r) ||
        !map_reserve(&o->by_short_code, o->organisations.used)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->organisations, 0); i != SLAB_NONE;
         i = slab_next(&o->organisations, i + 1)) {
        struct organisation *g = organisation_at(o, i);
        if (!load_organisation(r, g) || map_get(&o->by_short_code, g->short_code) != MAP_NONE) {
            return false;
        }
        map_put(&o->by_short_code, g->short_code, i);
        if (!operator__index_paystack(o, i)) {
            return false;
        }
    }
    return true;
}

/* What a rule ordered is looked up while the payment is put into the tables. */
bool operator__order_plausible(const struct operator_state *o, uint32_t handle)
{
    struct ruled ruled;
    return handle == TEXT_NONE || (texts_known(&o->book->texts, handle) &&
                                   operator_ruled_decode(operator_text(o, handle), &ruled));
}

/* What a payment must be for the tables; whether it keeps the invariants, operator_check says. */
bool operator__payment_plausible(const struct operator_state *o, const struct stk_payment *p)
{
    return slab_is_used(&o->subscribers, p->subscriber) && p->number <= o->last_payment &&
           p->state >= STK_PENDING && p->state <= STK_STATE_CANCELLED &&
           p->outcome <= STK_OUTCOME_LAST && (p->type == 1 || p->type == 2) &&
           p->answer <= ANSWER_AUTOMATIC && p->amount_minor > 0 &&
           p->receipt < ID_RECEIPT_SERIAL_END && caltime_in_range(p->step_ns[STEP_ACCEPTED]) &&
           operator__order_plausible(o, p->ruled);
}

/* Puts a loaded payment into the tables. The fingerprint's owner is the payment with the highest
 * number, as it was when they were made one after the other. */
bool operator__index_payment(struct operator_state *o, uint32_t slot)
{
    const struct stk_payment *p = payment_at(o, slot);
    if (!operator__payment_plausible(o, p) || map_get(&o->by_number, p->number) != MAP_NONE) {
        return false;
    }
    map_put(&o->by_number, p->number, slot);
    uint32_t tail = (uint32_t)(subscriber_at(o, p->subscriber)->msisdn % ID_MSISDN_TAIL_END);
    int64_t second_ns = p->step_ns[STEP_ACCEPTED] / NS_PER_S * NS_PER_S;
    uint64_t checkout_key = operator__checkout_key(second_ns, p->checkout_serial, tail);
    if (map_get(&o->by_checkout, checkout_key) != MAP_NONE) {
        return false;
    }
    map_put(&o->by_checkout, checkout_key, slot);
    uint64_t key = operator__fingerprint_key(p->fingerprint);
    uint32_t other = map_get(&o->by_fingerprint, key);
    bool latest = other == MAP_NONE || payment_at(o, other)->number < p->number;
    if (latest && !MUTATED(FINGERPRINT_LOST)) {
        (void)map_remove(&o->by_fingerprint, key);
        map_put(&o->by_fingerprint, key, slot);
    }
    if (p->state == STK_SUCCESS) {
        uint64_t receipt_key = operator__receipt_key(p->receipt_day, p->receipt);
        if (map_get(&o->by_receipt, receipt_key) != MAP_NONE) {
            return false;
        }
        map_put(&o->by_receipt, receipt_key, slot);
    }
    if (p->state == STK_PROCESSING && !MUTATED(PROMPT_TIMER_LOST)) {
        timers_add(&o->prompts, operator__prompt_due(o, p), prompt_timer_id(p, slot));
    }
    o->open += !stk_state_final(p->state);
    if (stk_state_final(p->state)) {
        operator__closed_append(o, slot);
    }
    return true;
}

static bool load_payments(struct operator_state *o, struct reader *r)
{
    if (!slab_shape_load(&o->payments, r)) {
        return false;
    }
    uint32_t count = o->payments.used;
    if (!map_reserve(&o->by_number, count) || !map_reserve(&o->by_checkout, count) ||
        !map_reserve(&o->by_receipt, count) || !map_reserve(&o->by_fingerprint, count) ||
        !timers_reserve(&o->prompts, count)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->payments, 0); i != SLAB_NONE;
         i = slab_next(&o->payments, i + 1)) {
        load_payment(r, payment_at(o, i));
        if (r->bad || !operator__index_payment(o, i)) {
            return false;
        }
    }
    uint32_t queued = get_u32(r);
    for (uint32_t i = 0; i < queued && !r->bad; i++) {
        uint32_t slot = get_u32(r);
        if (!slab_is_used(&o->payments, slot) || payment_at(o, slot)->queued) {
            return false;
        }
        if (!MUTATED(PIPELINE_LOST)) {
            operator__queue_append(o, slot);
        }
    }
    return !r->bad;
}

bool operator__load(void *state, struct reader *r)
{
    struct operator_state *o = state;
    CHECK(o->payments.high_water == 0);
    o->last_payment = get_u64(r);
    o->receipt_day = get_u32(r);
    o->receipt_next = MUTATED(RECEIPT_COUNTER_LOST) ? get_u64(r) * 0 : get_u64(r);
    o->account_trust = get_u32(r);
    o->account_fees = get_u32(r);
    for (uint32_t i = 0; i < sizeof(o->ended) / sizeof(o->ended[0]); i++) {
        o->ended[i] = get_u64(r);
        o->left[i] = get_u64(r);
    }
    return load_subscribers(o, r) && load_organisations(o, r) && load_payments(o, r) &&
           operator__load_requests(o, r) && operator__load_standing(o, r) &&
           operator__load_invoices(o, r) && operator__load_incomes(o, r) &&
           operator__rules_load(o, r);
}
