/*
 * save.c - the merchant book's tables in a snapshot and in the digest. Maps, timers and counters
 * that follow from the tables are rebuilt.
 */
#include "merchant/internal.h"

#define DEFINE_CODEC(name, type, FIELDS)                     \
    static void save_##name(struct writer *w, const type *e) \
    {                                                        \
        FIELDS(FIELD_PUT)                                    \
    }                                                        \
    static void load_##name(struct reader *r, type *e)       \
    {                                                        \
        FIELDS(FIELD_GET)                                    \
    }
DEFINE_CODEC(merchant, struct gateway_merchant, GATEWAY_MERCHANT_FIELDS)
DEFINE_CODEC(key, struct gateway_key, GATEWAY_KEY_FIELDS)
DEFINE_CODEC(provider, struct gateway_provider, GATEWAY_PROVIDER_FIELDS)
DEFINE_CODEC(endpoint, struct gateway_endpoint, GATEWAY_ENDPOINT_FIELDS)
DEFINE_CODEC(payment, struct gateway_payment, GATEWAY_PAYMENT_FIELDS)
DEFINE_CODEC(notice, struct gateway_notice, GATEWAY_NOTICE_FIELDS)
DEFINE_CODEC(receipt, struct gateway_receipt, GATEWAY_RECEIPT_FIELDS)
DEFINE_CODEC(discrepancy, struct gateway_discrepancy, GATEWAY_DISCREPANCY_FIELDS)
DEFINE_CODEC(shadow, struct gateway_shadow, GATEWAY_SHADOW_FIELDS)
DEFINE_CODEC(feed, struct gateway_feed, GATEWAY_FEED_FIELDS)
DEFINE_CODEC(webhook, struct gateway_webhook, GATEWAY_WEBHOOK_FIELDS)
DEFINE_CODEC(day, struct gateway_day, GATEWAY_DAY_FIELDS)
#undef DEFINE_CODEC

#define FOR_EACH(slab, i) \
    for (uint32_t i = slab_next(slab, 0); i != SLAB_NONE; i = slab_next(slab, i + 1))

static void save_counters(const struct gateway *g, struct writer *w)
{
    put_u64(w, g->last_payment);
    put_u64(w, g->last_notice);
    put_u64(w, g->last_receipt);
    put_u64(w, g->last_discrepancy);
    put_u64(w, g->sweep_cursor);
    put_i64(w, g->sweep_due_ns);
    put_i64(w, g->last_repair_ns);
    put_u64(w, g->last_seq);
    put_u64(w, g->last_refund);
    put_u32(w, g->orphan_first);
    put_u32(w, g->orphan_last);
    put_u64(w, g->orphans);
    put_u64(w, g->repaired);
    put_u64(w, g->late);
    put_u64(w, g->left);
    for (uint32_t i = 0; i < GATEWAY_STATES_END; i++) {
        put_u64(w, g->entered[i]);
    }
}

static void save_payments(const struct gateway *g, struct writer *w)
{
    slab_shape_save(&g->payments, w);
    FOR_EACH(&g->payments, i)
    {
        const struct gateway_payment *p = payment_slot(g, i);
        save_payment(w, p);
        for (uint32_t s = 0; s < GATEWAY_STATES_END; s++) {
            put_i64(w, p->entered_ns[s]);
            put_u64(w, p->entered_position[s]);
        }
    }
    slab_shape_save(&g->notices, w);
    FOR_EACH(&g->notices, i)
    {
        const struct gateway_notice *n = notice_at(g, i);
        save_notice(w, n);
        for (uint32_t b = 0; b < GATEWAY_BODY_PARTS; b++) {
            put_u32(w, n->body[b]);
        }
    }
    slab_shape_save(&g->receipts, w);
    FOR_EACH(&g->receipts, i)
    {
        save_receipt(w, receipt_at(g, i));
    }
    slab_shape_save(&g->discrepancies, w);
    FOR_EACH(&g->discrepancies, i)
    {
        save_discrepancy(w, discrepancy_at(g, i));
    }
    slab_shape_save(&g->shadows, w);
    FOR_EACH(&g->shadows, i)
    {
        save_shadow(w, slab_at(&g->shadows, i));
    }
}

void gateway__save(const void *state, struct writer *w)
{
    const struct gateway *g = state;
    save_counters(g, w);
    slab_shape_save(&g->merchants, w);
    FOR_EACH(&g->merchants, i)
    {
        save_merchant(w, merchant_at(g, i));
        for (uint32_t n = 0; n < GATEWAY_ENDPOINTS_EACH; n++) {
            put_u32(w, merchant_at(g, i)->endpoint[n]);
        }
    }
    slab_shape_save(&g->keys, w);
    FOR_EACH(&g->keys, i)
    {
        save_key(w, slab_at(&g->keys, i));
    }
    slab_shape_save(&g->providers, w);
    FOR_EACH(&g->providers, i)
    {
        save_provider(w, provider_at(g, i));
    }
    slab_shape_save(&g->endpoints, w);
    FOR_EACH(&g->endpoints, i)
    {
        save_endpoint(w, endpoint_at(g, i));
    }
    save_payments(g, w);
    slab_shape_save(&g->feed, w);
    FOR_EACH(&g->feed, i)
    {
        save_feed(w, slab_at(&g->feed, i));
    }
    slab_shape_save(&g->webhooks, w);
    FOR_EACH(&g->webhooks, i)
    {
        save_webhook(w, webhook_at(g, i));
    }
    slab_shape_save(&g->days, w);
    FOR_EACH(&g->days, i)
    {
        const struct gateway_day *d = slab_at(&g->days, i);
        save_day(w, d);
        for (uint32_t n = 0; n <= OBSERVED_BY_STATEMENT; n++) {
            put_u64(w, d->repaired_by[n]);
        }
    }
}

/* ---- loading ---- */

static void load_counters(struct gateway *g, struct reader *r)
{
    g->last_payment = get_u64(r);
    g->last_notice = get_u64(r);
    g->last_receipt = get_u64(r);
    g->last_discrepancy = get_u64(r);
    g->sweep_cursor = get_u64(r);
    g->sweep_due_ns = get_i64(r);
    g->last_repair_ns = get_i64(r);
    g->last_seq = get_u64(r);
    g->last_refund = get_u64(r);
    g->orphan_first = get_u32(r);
    g->orphan_last = get_u32(r);
    g->orphans = get_u64(r);
    g->repaired = get_u64(r);
    g->late = get_u64(r);
    g->left = get_u64(r);
    for (uint32_t i = 0; i < GATEWAY_STATES_END; i++) {
        g->entered[i] = get_u64(r);
    }
}

static bool load_people(struct gateway *g, struct reader *r)
{
    if (!slab_shape_load(&g->merchants, r)) {
        return false;
    }
    FOR_EACH(&g->merchants, i)
    {
        struct gateway_merchant *m = merchant_at(g, i);
        load_merchant(r, m);
        for (uint32_t n = 0; n < GATEWAY_ENDPOINTS_EACH; n++) {
            m->endpoint[n] = get_u32(r);
        }
        if (m->endpoints > GATEWAY_ENDPOINTS_EACH) {
            return false;
        }
    }
    if (!slab_shape_load(&g->keys, r) || !map_reserve(&g->by_key_hash, g->keys.used)) {
        return false;
    }
    FOR_EACH(&g->keys, i)
    {
        struct gateway_key *k = slab_at(&g->keys, i);
        load_key(r, k);
        if (r->bad || map_get(&g->by_key_hash, gateway__bytes_key(k->hash)) != MAP_NONE) {
            return false;
        }
        map_put(&g->by_key_hash, gateway__bytes_key(k->hash), i);
    }
    return true;
}

static bool index_token(struct gateway *g, const uint8_t token[16], bool has, uint32_t slot)
{
    if (!has) {
        return true;
    }
    if (map_get(&g->by_provider_token, gateway__bytes_key(token)) != MAP_NONE) {
        return false;
    }
    map_put(&g->by_provider_token, gateway__bytes_key(token), slot);
    return true;
}

static bool load_places(struct gateway *g, struct reader *r)
{
    if (!slab_shape_load(&g->providers, r) ||
        !map_reserve(&g->by_provider_token, 3 * g->providers.used) ||
        !map_reserve(&g->by_short_code, g->providers.used)) {
        return false;
    }
    FOR_EACH(&g->providers, i)
    {
        struct gateway_provider *p = provider_at(g, i);
        load_provider(r, p);
        uint64_t code = gateway__short_code_key(p->kind, p->short_code);
        if (r->bad || !index_token(g, p->token, true, i) ||
            !index_token(g, p->token_before, p->has_before, i) ||
            !index_token(g, p->token_retired, p->has_retired, i) ||
            (p->short_code != 0 && map_get(&g->by_short_code, code) != MAP_NONE)) {
            return false;
        }
        if (p->short_code != 0) {
            map_put(&g->by_short_code, code, i);
        }
    }
    gateway__pull_first(g);
    if (!slab_shape_load(&g->endpoints, r)) {
        return false;
    }
    FOR_EACH(&g->endpoints, i)
    {
        load_endpoint(r, endpoint_at(g, i));
    }
    return !r->bad;
}

static bool payment_plausible(const struct gateway *g, const struct gateway_payment *p)
{
    const struct texts *t = &g->book->texts;
    return p->state >= GATEWAY_CREATED && p->state < GATEWAY_STATES_END && p->number != 0 &&
           p->number <= g->last_payment && slab_is_used(&g->merchants, p->merchant) &&
           slab_is_used(&g->providers, p->provider) && texts_known(t, p->order) &&
           p->order != TEXT_NONE && texts_known(t, p->provider_id) && texts_known(t, p->receipt) &&
           p->amount_minor > 0 && p->paid_minor >= 0 && p->judgement <= JUDGEMENT_LAST &&
           p->resent <= GATEWAY_RESENT_MAX && texts_known(t, p->judge) &&
           texts_known(t, p->judge_note) && map_get(&g->by_number, p->number) == MAP_NONE &&
           map_get(&g->by_token, gateway__bytes_key(p->token)) == MAP_NONE;
}

/* Timers, counts and what is memory only. */
static void place_payment(struct gateway *g, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    gateway__index_payment(g, slot);
    if (p->due_ns != 0) {
        timers_add(&g->due, p->due_ns, gateway__timer_id(p, slot));
    }
    if (gateway_state_ended(p->state)) {
        gateway__closed_append(g, slot);
    }
    g->open += !gateway_state_ended(p->state);
    g->attention += p->attention;
}

static bool load_payments(struct gateway *g, struct reader *r)
{
    if (!slab_shape_load(&g->payments, r)) {
        return false;
    }
    uint32_t count = g->payments.used;
    if (!map_reserve(&g->by_number, count) || !map_reserve(&g->by_token, count) ||
        !map_reserve(&g->by_provider_id, count) || !map_reserve(&g->by_receipt, count) ||
        !map_reserve(&g->by_order, count) || !map_reserve(&g->by_phone, count) ||
        !map_reserve(&g->by_shown, count) || !timers_reserve(&g->due, count)) {
        return false;
    }
    FOR_EACH(&g->payments, i)
    {
        struct gateway_payment *p = payment_slot(g, i);
        load_payment(r, p);
        for (uint32_t s = 0; s < GATEWAY_STATES_END; s++) {
            p->entered_ns[s] = get_i64(r);
            p->entered_position[s] = get_u64(r);
        }
        p->timer = TIMERS_NOWHERE;
        if (r->bad || !payment_plausible(g, p)) {
            return false;
        }
        place_payment(g, i);
    }
    return true;
}

static bool load_notices(struct gateway *g, struct reader *r)
{
    if (!slab_shape_load(&g->notices, r) || !map_reserve(&g->notice_by_key, g->notices.used) ||
        !map_reserve(&g->notice_by_number, g->notices.used) ||
        !map_reserve(&g->orphan_by_reference, g->notices.used)) {
        return false;
    }
    FOR_EACH(&g->notices, i)
    {
        struct gateway_notice *n = notice_at(g, i);
        load_notice(r, n);
        for (uint32_t b = 0; b < GATEWAY_BODY_PARTS; b++) {
            n->body[b] = get_u32(r);
        }
        if (r->bad || map_get(&g->notice_by_number, n->number) != MAP_NONE ||
            !texts_known(&g->book->texts, n->reference)) {
            return false;
        }
        map_put(&g->notice_by_number, n->number, i);
    }
    return true;
}

static bool receipt_plausible(const struct gateway *g, const struct gateway_receipt *r)
{
    const struct texts *t = &g->book->texts;
    return r->number > 0 && r->number <= g->last_receipt &&
           slab_is_used(&g->providers, r->provider) && texts_known(t, r->receipt) &&
           r->receipt != TEXT_NONE && texts_known(t, r->reference) && texts_known(t, r->party) &&
           texts_known(t, r->order) && r->amount_minor > 0 && r->state >= RECEIPT_SUSPENSE &&
           r->state <= RECEIPT_STATE_LAST &&
           map_get(&g->receipt_by_number, r->number) == MAP_NONE &&
           gateway_receipt_by_text(g, r->provider, gateway_text(g, r->receipt)) == NULL;
}

/* Of those with the same account reference the latest is found first. */
static bool load_receipts(struct gateway *g, struct reader *r)
{
    if (!slab_shape_load(&g->receipts, r) ||
        !map_reserve(&g->receipt_by_number, g->receipts.used) ||
        !map_reserve(&g->receipt_by_text, g->receipts.used) ||
        !map_reserve(&g->receipt_by_reference, g->receipts.used) ||
        !map_reserve(&g->receipt_by_order, g->receipts.used)) {
        return false;
    }
    FOR_EACH(&g->receipts, i)
    {
        load_receipt(r, receipt_at(g, i));
        if (r->bad || !receipt_plausible(g, receipt_at(g, i))) {
            return false;
        }
        gateway__receipt_index(g, i);
    }
    return true;
}

static bool load_discrepancies(struct gateway *g, struct reader *r)
{
    const struct texts *t = &g->book->texts;
    if (!slab_shape_load(&g->discrepancies, r) ||
        !map_reserve(&g->discrepancy_by_number, g->discrepancies.used) ||
        !map_reserve(&g->discrepancy_by_reference, g->discrepancies.used)) {
        return false;
    }
    FOR_EACH(&g->discrepancies, i)
    {
        struct gateway_discrepancy *d = discrepancy_at(g, i);
        load_discrepancy(r, d);
        if (r->bad || d->number == 0 || d->number > g->last_discrepancy || d->kind == 0 ||
            d->kind > DISCREPANCY_KIND_LAST || d->reason > DISCREPANCY_REASON_LAST ||
            !slab_is_used(&g->providers, d->provider) || !texts_known(t, d->reference) ||
            !texts_known(t, d->owner) || !texts_known(t, d->note) ||
            gateway_discrepancy(g, d->number) != NULL) {
            return false;
        }
        gateway__discrepancy_index(g, i);
    }
    return true;
}

/* The first of its kind counts, as it was when they were taken one after the other. */
static bool index_notices(struct gateway *g)
{
    FOR_EACH(&g->notices, i)
    {
        uint64_t key = gateway__bytes_key(notice_at(g, i)->key);
        uint32_t other = map_get(&g->notice_by_key, key);
        if (other != MAP_NONE && notice_at(g, other)->number < notice_at(g, i)->number) {
            continue;
        }
        (void)map_remove(&g->notice_by_key, key);
        map_put(&g->notice_by_key, key, i);
    }
    uint64_t left = g->orphans;
    for (uint32_t i = g->orphan_first; i != SLAB_NONE; i = notice_at(g, i)->next) {
        if (!slab_is_used(&g->notices, i) || left-- == 0) {
            return false;
        }
        const struct gateway_notice *n = notice_at(g, i);
        uint64_t key = gateway__text_key(n->provider, gateway_text(g, n->reference));
        if (n->reference != TEXT_NONE && map_get(&g->orphan_by_reference, key) == MAP_NONE) {
            map_put(&g->orphan_by_reference, key, i);
        }
    }
    return true;
}

static bool load_telling(struct gateway *g, struct reader *r)
{
    if (!slab_shape_load(&g->feed, r) || !map_reserve(&g->feed_by_seq, g->feed.used)) {
        return false;
    }
    FOR_EACH(&g->feed, i)
    {
        struct gateway_feed *f = slab_at(&g->feed, i);
        load_feed(r, f);
        if (r->bad || map_get(&g->feed_by_seq, f->seq) != MAP_NONE) {
            return false;
        }
        map_put(&g->feed_by_seq, f->seq, i);
    }
    if (!slab_shape_load(&g->webhooks, r) || !map_reserve(&g->webhook_last, g->webhooks.used) ||
        !map_reserve(&g->webhook_by_subject, g->webhooks.used)) {
        return false;
    }
    FOR_EACH(&g->webhooks, i)
    {
        struct gateway_webhook *w = webhook_at(g, i);
        load_webhook(r, w);
        uint64_t subject = webhook_subject(w->seq, w->endpoint);
        if (r->bad || map_get(&g->webhook_by_subject, subject) != MAP_NONE ||
            (w->next == SLAB_NONE && map_get(&g->webhook_last, w->chain) != MAP_NONE)) {
            return false;
        }
        map_put(&g->webhook_by_subject, subject, i);
        if (w->next == SLAB_NONE) {
            map_put(&g->webhook_last, w->chain, i);
        }
    }
    return !r->bad;
}

static bool load_days(struct gateway *g, struct reader *r)
{
    if (!slab_shape_load(&g->days, r) || !map_reserve(&g->by_day, g->days.used)) {
        return false;
    }
    FOR_EACH(&g->days, i)
    {
        struct gateway_day *d = slab_at(&g->days, i);
        load_day(r, d);
        for (uint32_t n = 0; n <= OBSERVED_BY_STATEMENT; n++) {
            d->repaired_by[n] = get_u64(r);
        }
        uint64_t key = gateway__day_key(d->provider, d->day);
        if (r->bad || !slab_is_used(&g->providers, d->provider) ||
            map_get(&g->by_day, key) != MAP_NONE) {
            return false;
        }
        map_put(&g->by_day, key, i);
    }
    return true;
}

static bool load_shadows(struct gateway *g, struct reader *r)
{
    const struct texts *t = &g->book->texts;
    if (!slab_shape_load(&g->shadows, r) || g->shadows.used != g->shadows.high_water) {
        return false;
    }
    FOR_EACH(&g->shadows, i)
    {
        struct gateway_shadow *s = slab_at(&g->shadows, i);
        load_shadow(r, s);
        if (r->bad || s->number != i + (uint64_t)1 || !texts_known(t, s->path) ||
            !texts_known(t, s->request) || !texts_known(t, s->answer)) {
            return false;
        }
    }
    return true;
}

static bool derive_paid(struct gateway *g)
{
    g->paid = gateway__count_paid(g);
    return true;
}

bool gateway__load(void *state, struct reader *r)
{
    struct gateway *g = state;
    CHECK(g->payments.high_water == 0);
    load_counters(g, r);
    return load_people(g, r) && load_places(g, r) && load_payments(g, r) && load_notices(g, r) &&
           load_receipts(g, r) && load_discrepancies(g, r) && load_shadows(g, r) &&
           index_notices(g) && load_telling(g, r) && load_days(g, r) && derive_paid(g);
}
