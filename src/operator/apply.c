/*
 * apply.c - the operator's events into state. Total: a well-formed event always has its effect, and
 * every broken assumption is a CHECK. Nothing here decides anything.
 */
#include <string.h>

#include "base/caltime.h"
#include "base/mutant.h"
#include "operator/internal.h"

void operator__touch(struct operator_state *o, uint32_t slot)
{
    for (uint32_t i = 0; i < o->touched_count; i++) {
        if (o->touched[i] == slot) {
            return;
        }
    }
    CHECK(o->touched_count < OPERATOR_TOUCHED_MAX); /* or a frame would go unchecked */
    o->touched[o->touched_count++] = slot;
}

void operator__touch_request(struct operator_state *o, uint32_t slot)
{
    for (uint32_t i = 0; i < o->requests_touched_count; i++) {
        if (o->requests_touched[i] == slot) {
            return;
        }
    }
    CHECK(o->requests_touched_count < OPERATOR_TOUCHED_MAX);
    o->requests_touched[o->requests_touched_count++] = slot;
}

void operator__queue_append(struct operator_state *o, uint32_t slot)
{
    struct stk_payment *p = payment_at(o, slot);
    CHECK(!p->queued);
    p->queued = true;
    p->next = SLAB_NONE;
    if (o->queue_tail == SLAB_NONE) {
        o->queue_head = slot;
    } else {
        payment_at(o, o->queue_tail)->next = slot;
    }
    o->queue_tail = slot;
    o->queued++;
}

static void queue_pop(struct operator_state *o, uint32_t slot)
{
    CHECK(o->queued > 0 && o->queue_head == slot);
    struct stk_payment *p = payment_at(o, slot);
    o->queue_head = p->next;
    if (o->queue_head == SLAB_NONE) {
        o->queue_tail = SLAB_NONE;
    }
    p->queued = false;
    p->next = SLAB_NONE;
    o->queued--;
}

/* O1: the one function that moves a payment. */
static void move_to(struct operator_state *o, struct stk_payment *p, enum stk_state state)
{
    CHECK(stk_state_may_move(p->state, state));
    CHECK(o->open > 0);
    p->state = (uint8_t)state;
    if (stk_state_final(state)) {
        o->open--;
    }
}

static void step(struct stk_payment *p, enum stk_step which, const struct frame_info *frame)
{
    CHECK(p->step_position[which] == 0);
    p->step_ns[which] = frame->time_ns;
    p->step_position[which] = frame->position;
}

static uint32_t slot_of(const struct operator_state *o, uint64_t number)
{
    uint32_t slot = map_get(&o->by_number, number);
    CHECK(slot != MAP_NONE);
    return slot;
}

/* A person's number and name: a new slot, or the name for a number that is there already. */
static void apply_person(struct operator_state *o, const struct operator_event *e,
                         const struct frame_info *frame)
{
    if (slab_is_used(&o->subscribers, e->slot)) {
        struct subscriber *known = subscriber_at(o, e->slot);
        CHECK(known->msisdn == e->msisdn);
        texts_replace(&o->book->texts, &known->name, e->name);
        return;
    }
    uint32_t slot = slab_take(&o->subscribers);
    CHECK(slot == e->slot);
    struct subscriber *s = subscriber_at(o, slot);
    s->msisdn = e->msisdn;
    s->known_ns = frame->time_ns;
    s->name = texts_keep(&o->book->texts, e->name);
    s->open_payment = SLAB_NONE;
    s->open_request = SLAB_NONE;
    s->reachable = true;
    s->checkout_second = -1;
    map_put(&o->by_msisdn, e->msisdn, slot);
}

static void apply_subscriber(struct operator_state *o, const struct operator_event *e)
{
    CHECK(slab_is_used(&o->subscribers, e->slot));
    struct subscriber *s = subscriber_at(o, e->slot);
    switch (e->kind) {
    case EVENT_SUBSCRIBER_OPENED:
        CHECK(s->status == SUBSCRIBER_UNREGISTERED);
        s->status = SUBSCRIBER_ACTIVE;
        s->account = e->account;
        memcpy(s->verifier, e->verifier, sizeof(s->verifier));
        s->key_version = e->key_version;
        s->approves = e->approves;
        break;
    case EVENT_SUBSCRIBER_CHANGED:
        s->status = e->status;
        s->reachable = e->reachable;
        s->sim_swapped_ns = e->sim_swapped_ns;
        break;
    case EVENT_PIN_SET:
        memcpy(s->verifier, e->verifier, sizeof(s->verifier));
        s->key_version = e->key_version;
        s->pin_failures = 0;
        break;
    case EVENT_PIN_TRIED: s->pin_failures = e->failures; break;
    default: break; /* SUBSCRIBER_SEEN: the person is all there is */
    }
}

static void apply_organisation(struct operator_state *o, const struct operator_event *e)
{
    struct texts *texts = &o->book->texts;
    if (e->kind == EVENT_ORGANISATION_OPENED) {
        uint32_t slot = slab_take(&o->organisations);
        CHECK(slot == e->slot);
        struct organisation *g = organisation_at(o, slot);
        g->short_code = e->short_code;
        g->type = e->type;
        g->charges = e->charges;
        g->active = true;
        g->nominated = SLAB_NONE;
        g->c2b.first_income = SLAB_NONE;
        g->c2b.last_income = SLAB_NONE;
        g->c2b.recent_income = SLAB_NONE;
        memcpy(g->accounts, e->accounts, sizeof(g->accounts));
        map_put(&o->by_short_code, e->short_code, slot);
        return;
    }
    CHECK(slab_is_used(&o->organisations, e->slot));
    struct organisation *g = organisation_at(o, e->slot);
    if (e->kind == EVENT_ORGANISATION_CHANGED) {
        CHECK(e->nominated == SLAB_NONE || slab_is_used(&o->subscribers, e->nominated));
        g->active = e->active;
        g->nominated = e->nominated;
        g->queue_delay_ns = e->queue_delay_ns;
        return;
    }
    g->name = texts_keep(texts, e->name);
    g->initiator = texts_keep(texts, e->initiator);
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        g->secrets[i] = texts_keep(texts, e->secrets[i]);
    }
}

/* The texts come first and make the payment's slot; STK_ACCEPTED in the same frame fills it. */
static void apply_texts(struct operator_state *o, const struct operator_event *e)
{
    CHECK(e->number == o->last_payment + 1);
    uint32_t slot = slab_take(&o->payments);
    struct stk_payment *p = payment_at(o, slot);
    p->number = e->number;
    p->url = texts_keep(&o->book->texts, e->url);
    p->reference = texts_keep(&o->book->texts, e->reference);
    p->description = texts_keep(&o->book->texts, e->description);
    p->timer = TIMERS_NOWHERE;
    p->next = SLAB_NONE;
    p->before = SLAB_NONE;
    memcpy(p->fingerprint, e->fingerprint, sizeof(p->fingerprint));
    map_put(&o->by_number, e->number, slot);
    uint64_t key = operator__fingerprint_key(e->fingerprint);
    (void)map_remove(&o->by_fingerprint, key); /* the latest payment with a fingerprint counts */
    map_put(&o->by_fingerprint, key, slot);
    o->last_payment = e->number;
}

static void apply_accepted(struct operator_state *o, const struct operator_event *e,
                           const struct frame_info *frame)
{
    uint32_t slot = slot_of(o, e->number);
    struct stk_payment *p = payment_at(o, slot);
    struct subscriber *s = subscriber_at(o, e->slot);
    CHECK(p->state == 0);
    CHECK(s->open_payment == SLAB_NONE && s->open_request == SLAB_NONE); /* O4, Q7 */
    p->state = STK_PENDING;
    p->subscriber = e->slot;
    p->short_code = e->short_code;
    p->party_b = e->party_b;
    p->type = e->type;
    p->amount_minor = e->amount_minor;
    p->checkout_serial = e->checkout_serial;
    p->target = e->target;
    step(p, STEP_ACCEPTED, frame);
    s->open_payment = slot;
    s->checkout_second = frame->time_ns / NS_PER_S;
    s->checkout_serial = e->checkout_serial;
    uint32_t tail = (uint32_t)(s->msisdn % ID_MSISDN_TAIL_END);
    map_put(&o->by_checkout,
            operator__checkout_key(s->checkout_second * NS_PER_S, e->checkout_serial, tail), slot);
    o->open++;
    operator__queue_append(o, slot);
    operator__touch(o, slot);
}

static void apply_ruled(struct operator_state *o, const struct operator_event *e)
{
    struct stk_payment *p = payment_at(o, slot_of(o, e->number));
    CHECK(p->state == STK_PENDING);
    CHECK(p->ruled == TEXT_NONE);
    p->ruled = texts_keep(&o->book->texts, e->orders);
}

static void apply_prompted(struct operator_state *o, const struct operator_event *e,
                           const struct frame_info *frame)
{
    uint32_t slot = slot_of(o, e->number);
    struct stk_payment *p = payment_at(o, slot);
    queue_pop(o, slot);
    move_to(o, p, STK_PROCESSING);
    p->reached = e->reachable;
    p->expires_ns = e->expires_ns;
    step(p, STEP_PROMPTED, frame);
    timers_add(&o->prompts, operator__prompt_due(o, p), prompt_timer_id(p, slot));
    struct ruled ruled; /* says what this phone does, instead of what it does by itself */
    bool acts = payment_ruled(o, p, &ruled) &&
                (ruled.effects.act != RULE_ACT_NONE || rule_orders_end(&ruled.effects));
    if (p->reached && p->answer == ANSWER_NONE && subscriber_at(o, p->subscriber)->approves &&
        !acts) {
        p->answer = ANSWER_AUTOMATIC;
    }
    if (!p->reached) {
        p->answer = ANSWER_NONE; /* nobody saw a prompt: what was parked answers nothing */
    }
    if (p->answer != ANSWER_NONE) {
        operator__queue_append(o, slot); /* the answer was there first: its turn comes now */
    }
    operator__touch(o, slot);
}

static void apply_answered(struct operator_state *o, const struct operator_event *e,
                           const struct frame_info *frame)
{
    uint32_t slot = slot_of(o, e->number);
    struct stk_payment *p = payment_at(o, slot);
    CHECK(p->state == STK_PENDING);
    CHECK(p->answer == ANSWER_NONE);
    p->answer = e->answer;
    memcpy(p->verifier, e->verifier, sizeof(p->verifier));
    step(p, STEP_ANSWERED, frame);
    operator__touch(o, slot);
}

static void apply_receipt(struct operator_state *o, struct stk_payment *p, uint32_t slot,
                          const struct operator_event *e)
{
    p->receipt_day = e->receipt_day;
    p->receipt = e->receipt;
    o->receipt_day = e->receipt_day;
    o->receipt_next = e->receipt + 1;
    map_put(&o->by_receipt, operator__receipt_key(e->receipt_day, e->receipt), slot);
}

void operator__apply_spent(struct operator_state *o, struct subscriber *s, int64_t amount_minor,
                           int64_t now_ns)
{
    CHECK(o->book != NULL);
    uint32_t today = eat_day_number(now_ns);
    if (s->day != today) {
        s->day = today;
        s->day_spent_minor = MUTATED(DAY_NEVER_ENDS) ? s->day_spent_minor : 0;
    }
    CHECK(money_add(s->day_spent_minor, amount_minor, &s->day_spent_minor));
}

static void apply_ended(struct operator_state *o, const struct operator_event *e,
                        const struct frame_info *frame)
{
    uint32_t slot = slot_of(o, e->number);
    struct stk_payment *p = payment_at(o, slot);
    struct subscriber *s = subscriber_at(o, p->subscriber);
    if (p->queued) {
        queue_pop(o, slot);
    }
    if (p->timer != TIMERS_NOWHERE) {
        timers_remove(&o->prompts, p->timer);
    }
    CHECK(e->outcome > STK_OPEN && e->outcome <= STK_OUTCOME_LAST);
    move_to(o, p, stk_outcome_state(e->outcome));
    p->outcome = e->outcome;
    step(p, STEP_ENDED, frame);
    memset(p->verifier, 0, sizeof(p->verifier));
    CHECK(s->open_payment == slot);
    s->open_payment = SLAB_NONE;
    s->payments = (uint16_t)(s->payments + (s->payments < UINT16_MAX));
    o->ended[e->outcome]++;
    /* Queued next, in the same frame. */
    p->delivery = payment_callbacks(o, p) > 0 ? outbox_next_number(&o->book->outbox, 1) : 0;
    if (e->outcome == STK_PAID) {
        apply_receipt(o, p, slot, e);
        operator__apply_spent(o, s, p->amount_minor, frame->time_ns);
        /* told after the callbacks */
        operator__apply_payment_income(o, p, 1 + operator__callback_count(o, p));
    }
    operator__closed_append(o, slot);
    operator__touch(o, slot);
}

bool operator__apply(void *state, const struct frame_info *frame, uint16_t kind, struct reader *r)
{
    struct operator_state *o = state;
    struct operator_event e;
    if (!operator_event_decode(kind, r, &e)) {
        return false;
    }
    if (o->touched_position != frame->position) { /* a replay checks nothing and forgets nothing */
        o->touched_position = frame->position;
        o->touched_count = 0;
        o->requests_touched_count = 0;
    }
    switch (kind) {
    case EVENT_PERSON_KEPT: apply_person(o, &e, frame); break;
    case EVENT_NETWORK_OPENED:
        o->account_trust = e.account;
        o->account_fees = e.accounts[0];
        break;
    case EVENT_ORGANISATION_OPENED:
    case EVENT_ORGANISATION_KEPT:
    case EVENT_ORGANISATION_CHANGED: apply_organisation(o, &e); break;
    case EVENT_STK_TEXTS_KEPT: apply_texts(o, &e); break;
    case EVENT_STK_ACCEPTED: apply_accepted(o, &e, frame); break;
    case EVENT_STK_PROMPTED: apply_prompted(o, &e, frame); break;
    case EVENT_STK_ANSWERED: apply_answered(o, &e, frame); break;
    case EVENT_STK_ENDED: apply_ended(o, &e, frame); break;
    case EVENT_C2B_URLS_KEPT:
    case EVENT_VALIDATION_SET:
    case EVENT_PULL_REGISTERED:
    case EVENT_REQUEST_ANSWERED:
    case EVENT_RECEIPT_RESERVED: operator__apply_customers(o, &e); break;
    case EVENT_STK_RULED: apply_ruled(o, &e); break;
    case EVENT_STANDING_ORDER_ASKED:
    case EVENT_STANDING_ORDER_OPENED:
    case EVENT_STANDING_ORDER_RAN:
    case EVENT_STANDING_ORDER_CANCELLED_1:
    case EVENT_STANDING_ORDER_CANCELLED: operator__apply_standing(o, &e, frame); break;
    case EVENT_BILLER_KEPT:
    case EVENT_INVOICE_KEPT:
    case EVENT_INVOICE_PAID:
    case EVENT_INVOICE_CANCELLED:
    case EVENT_INCOME_ACKNOWLEDGED: operator__apply_bill(o, &e, frame); break;
    case EVENT_PAYSTACK_KEPT:
    case EVENT_PAYSTACK_PHONE_KEPT: operator__apply_paystack(o, &e); break;
    case EVENT_RULES_SET:
    case EVENT_RULES_COUNTED:
    case EVENT_MESSAGE_HELD:
    case EVENT_MESSAGE_LET_GO: operator__rules_apply(o, &e); break;
    default:
        if (operator_event_of_request(kind)) {
            operator__apply_request(o, &e, frame);
        } else {
            apply_subscriber(o, &e);
        }
        break;
    }
    return true;
}
