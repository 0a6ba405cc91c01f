/*
 * paystack.c - Paystack's side of the network: opening a business, the customer's payment with its
 * prompt, events in bytes and state. See paystack.h. Tests: tests/unit/test_operator_paystack.c.
 */
#include "operator/paystack.h"

#include <string.h>

#include "base/caltime.h"
#include "operator/internal.h"

static uint64_t paystack_key(const uint8_t hash[16])
{
    uint64_t key;
    memcpy(&key, hash, sizeof(key));
    return key;
}

const struct organisation *operator_paystack(const struct operator_state *o,
                                             const uint8_t key_hash[16])
{
    uint32_t slot = map_get(&o->paystack_keys, paystack_key(key_hash));
    const struct organisation *g = slot == MAP_NONE ? NULL : organisation_at(o, slot);
    bool same = g != NULL && memcmp(g->paystack.key_hash, key_hash, 16) == 0;
    return same ? g : NULL;
}

/* ---- decisions ---- */

void operator__decide_paystack(const struct operator_state *o, struct decision *d)
{
    const struct paystack_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    struct operator_event e;
    CHECK(reply != NULL);
    CHECK(c->key.size > 0 && c->key.size <= OPERATOR_SECRET_MAX && c->url.size <= OPERATOR_URL_MAX);
    uint32_t slot = map_get(&o->by_short_code, c->short_code);
    uint32_t owner = map_get(&o->paystack_keys, paystack_key(c->key_hash));
    bool taken = owner != MAP_NONE && owner != slot;
    reply->refusal = slot == MAP_NONE ? OPERATOR_NOT_FOUND
                     : taken          ? OPERATOR_EXISTS
                                      : OPERATOR_DONE;
    if (reply->refusal != OPERATOR_DONE) {
        return;
    }
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_PAYSTACK_KEPT;
    e.slot = slot;
    e.active = c->live;
    e.target = c->target;
    memcpy(e.fingerprint, c->key_hash, sizeof(e.fingerprint));
    e.url = c->url;
    e.secrets[0] = c->key;
    operator__emit(d, &e);
}

void operator__decide_paystack_phone(const struct operator_state *o, struct decision *d)
{
    const struct paystack_phone_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    const struct operator_request *r = operator_request(o, c->number);
    struct operator_event e;
    CHECK(reply != NULL && c->msisdn != 0);
    reply->number = c->number;
    reply->refusal = r == NULL || r->kind != REQUEST_PAYSTACK ? OPERATOR_NOT_FOUND
                     : stk_state_final(r->state)              ? OPERATOR_ALREADY_ENDED
                     : r->party != 0                          ? OPERATOR_ALREADY_ANSWERED
                                                              : OPERATOR_DONE;
    if (reply->refusal == OPERATOR_DONE) {
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_PAYSTACK_PHONE_KEPT;
        e.number = c->number;
        e.msisdn = c->msisdn;
        operator__emit(d, &e);
    }
}

/* Nobody has said yet which phone pays: it waits for a day, whatever a rule made it wait before. */
static void wait_for_phone(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r)
{
    struct operator_event e;
    int64_t over_ns = r->step_ns[REQUEST_ACCEPTED] + PAYSTACK_PHONE_WAIT_S * NS_PER_S;
    if (d->command->now_ns >= over_ns) {
        operator__request_end(o, d, r, REQUEST_NO_ANSWER, NULL);
        return;
    }
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_REQUEST_HELD;
    e.number = r->number;
    e.turn_ns = over_ns;
    e.expires_ns = e.turn_ns;
    operator__emit(d, &e);
}

/* R1.2: whether there is enough money is looked at before the prompt only in dev. */
static enum request_outcome early_objection(const struct operator_state *o,
                                            const struct operator_request *r, int64_t now_ns)
{
    enum request_outcome objection = operator__c2b_objection(o, r, now_ns);
    bool of_funds = objection == REQUEST_NO_MONEY || objection == REQUEST_DAY_LIMIT;
    return of_funds && !o->settings->funds_checked_early ? REQUEST_DONE : objection;
}

void operator__advance_paystack(const struct operator_state *o, struct decision *d,
                                const struct operator_request *r)
{
    if (r->party == 0) {
        wait_for_phone(o, d, r);
        return;
    }
    enum request_outcome objection = early_objection(o, r, d->command->now_ns);
    operator__request_to_phone(o, d, r, objection);
}

/* Everything again (R1.3), then the money. */
void operator__approved_paystack(const struct operator_state *o, struct decision *d,
                                 const struct operator_request *r)
{
    enum request_outcome objection = operator__c2b_objection(o, r, d->command->now_ns);
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    struct request_leg leg = {operator_subscriber(o, r->party)->account,
                              organisation_of(o, r->short_code)->accounts[ACCOUNT_UTILITY],
                              r->amount_minor, TRANSFER_CODE_C2B};
    operator__request_pay(o, d, r, &leg, 1, 0);
}

/* ---- retry habits ---- */

const struct outbox_schedule *operator__paystack_schedule(const struct operator_state *o,
                                                          const struct operator_request *r)
{
    static const struct outbox_schedule test = {
        .tries = 11, .steady = true, .ok_only = true, .delay_ns = {0, 3600 * NS_PER_S}};
    static const struct outbox_schedule live = {
        .tries = 4 + 72,
        .steady = true,
        .ok_only = true,
        .delay_ns = {0, 180 * NS_PER_S, 180 * NS_PER_S, 180 * NS_PER_S, 3600 * NS_PER_S}};
    return organisation_of(o, r->short_code)->paystack.live ? &live : &test;
}

/* ---- events in bytes ---- */

void operator__encode_paystack(struct writer *w, const struct operator_event *e)
{
    if (e->kind == EVENT_PAYSTACK_PHONE_KEPT) {
        put_u64(w, e->number);
        put_u64(w, e->msisdn);
        return;
    }
    CHECK(e->kind == EVENT_PAYSTACK_KEPT);
    put_u32(w, e->slot);
    put_u8(w, e->active);
    put_u64(w, e->target);
    put_raw(w, e->fingerprint, sizeof(e->fingerprint));
    put_text(w, e->url);
    put_text(w, e->secrets[0]);
}

bool operator__decode_paystack(uint16_t kind, struct reader *r, struct operator_event *e)
{
    if (kind == EVENT_PAYSTACK_PHONE_KEPT) {
        e->number = get_u64(r);
        e->msisdn = get_u64(r);
        r->bad = r->bad || e->msisdn == 0;
        return reader_done(r);
    }
    if (kind != EVENT_PAYSTACK_KEPT) {
        return false;
    }
    e->slot = get_u32(r);
    uint8_t flag = get_u8(r);
    e->active = flag == 1;
    e->target = get_u64(r);
    get_raw(r, e->fingerprint, sizeof(e->fingerprint));
    e->url = get_text(r);
    e->secrets[0] = get_text(r);
    r->bad = r->bad || flag > 1 || e->secrets[0].size == 0;
    return reader_done(r);
}

/* ---- state ---- */

static void apply_paystack_kept(struct operator_state *o, const struct operator_event *e)
{
    CHECK(slab_is_used(&o->organisations, e->slot));
    struct organisation_paystack *p = &organisation_at(o, e->slot)->paystack;
    struct texts *texts = &o->book->texts;
    if (p->open) {
        CHECK(map_remove(&o->paystack_keys, paystack_key(p->key_hash)));
    }
    texts_drop(texts, p->key);
    texts_drop(texts, p->url);
    p->open = true;
    p->live = e->active;
    p->target = e->target;
    memcpy(p->key_hash, e->fingerprint, sizeof(p->key_hash));
    p->key = texts_keep(texts, e->secrets[0]);
    p->url = texts_keep(texts, e->url);
    map_put(&o->paystack_keys, paystack_key(p->key_hash), e->slot);
}

void operator__apply_paystack(struct operator_state *o, const struct operator_event *e)
{
    if (e->kind == EVENT_PAYSTACK_KEPT) {
        apply_paystack_kept(o, e);
    } else {
        operator__apply_paystack_phone(o, e);
    }
}

void operator__save_paystack(struct writer *w, const struct organisation_paystack *p)
{
    put_raw(w, p->key_hash, sizeof(p->key_hash));
    put_u64(w, p->target);
    put_u32(w, p->key);
    put_u32(w, p->url);
    put_u8(w, p->open);
    put_u8(w, p->live);
}

void operator__load_paystack(struct reader *r, struct organisation_paystack *p)
{
    get_raw(r, p->key_hash, sizeof(p->key_hash));
    p->target = get_u64(r);
    p->key = get_u32(r);
    p->url = get_u32(r);
    p->open = get_u8(r) != 0;
    p->live = get_u8(r) != 0;
}

bool operator__index_paystack(struct operator_state *o, uint32_t slot)
{
    const struct organisation_paystack *p = &organisation_at(o, slot)->paystack;
    if (!p->open) {
        return true;
    }
    if (!map_reserve(&o->paystack_keys, 1) || !texts_known(&o->book->texts, p->key) ||
        map_get(&o->paystack_keys, paystack_key(p->key_hash)) != MAP_NONE) {
        return false;
    }
    map_put(&o->paystack_keys, paystack_key(p->key_hash), slot);
    return true;
}

void operator__check_paystack(const struct operator_state *o)
{
    uint32_t open = 0;
    for (uint32_t i = slab_next(&o->organisations, 0); i != SLAB_NONE;
         i = slab_next(&o->organisations, i + 1)) {
        const struct organisation *g = organisation_at(o, i);
        open += g->paystack.open;
        CHECK(IMPLIES(g->paystack.open, operator_paystack(o, g->paystack.key_hash) == g)); /* S1 */
    }
    CHECK(map_count(&o->paystack_keys) == open);
    map_check(&o->paystack_keys);
}
