/*
 * stk.c - the STK payment decided: acceptance, phase 1 (R1.2), the answer on the phone, phase 2
 * (R1.3), the deadline. The drawing and the invariants are in operator.h.
 *
 * Every function here looks and writes events; none changes state. The one who types the PIN pays:
 * payer and prompt are PhoneNumber's (docs/decisions/0004).
 */
#include <string.h>

#include "base/caltime.h"
#include "base/mutant.h"
#include "operator/internal.h"

static bool verifier_equal(const uint8_t a[PIN_VERIFIER_BYTES], const uint8_t b[PIN_VERIFIER_BYTES])
{
    struct span left = {(const char *)a, PIN_VERIFIER_BYTES};
    struct span right = {(const char *)b, PIN_VERIFIER_BYTES};
    return span_equal_secret(left, right);
}

/* ---- acceptance ---- */

/* R1.4: the payment that makes this push a duplicate, or NULL. */
static const struct stk_payment *find_duplicate(const struct operator_state *o,
                                                const struct stk_push_command *c, int64_t now_ns)
{
    uint32_t slot = map_get(&o->by_fingerprint, operator__fingerprint_key(c->fingerprint));
    if (o->settings->fingerprint_ns == 0 || slot == MAP_NONE) {
        return NULL;
    }
    const struct stk_payment *p = payment_at(o, slot);
    bool same = memcmp(p->fingerprint, c->fingerprint, sizeof(p->fingerprint)) == 0;
    bool recent = now_ns - p->step_ns[STEP_ACCEPTED] < o->settings->fingerprint_ns;
    bool ended_badly = p->state == STK_FAILED || p->state == STK_STATE_CANCELLED;
    bool holds = !ended_badly || MUTATED(FINGERPRINT_KEPT);
    holds = holds || !o->settings->fingerprint_released_on_failure;
    return same && recent && holds ? p : NULL;
}

/* The milliseconds of the time, as real ids have, but never one that this phone had in this
 * second: a frozen clock hands out 1, 2, 3, ... after it. */
static uint32_t checkout_serial(const struct operator_state *o, const struct subscriber *s,
                                uint64_t msisdn, int64_t now_ns)
{
    int64_t second = now_ns / NS_PER_S;
    uint32_t serial = (uint32_t)(now_ns / NS_PER_MS % 1000);
    if (s != NULL && s->checkout_second == second && serial <= s->checkout_serial) {
        serial = s->checkout_serial + 1;
    }
    uint32_t tail = (uint32_t)(msisdn % ID_MSISDN_TAIL_END);
    /* Two phones can share the last nine digits (2547... and another prefix). */
    while (map_get(&o->by_checkout, operator__checkout_key(second * NS_PER_S, serial, tail)) !=
           MAP_NONE) {
        serial++;
    }
    return serial;
}

static void emit_push(const struct operator_state *o, struct decision *d,
                      const struct stk_push_command *c, uint32_t slot)
{
    const struct subscriber *s = operator_subscriber_at(o, slot);
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    if (s == NULL) {
        e.slot = slot;
        e.kind = EVENT_PERSON_KEPT;
        e.msisdn = c->msisdn;
        operator__emit(d, &e);
        e.kind = EVENT_SUBSCRIBER_SEEN;
        operator__emit(d, &e);
    }
    e.number = o->last_payment + 1;
    e.kind = EVENT_STK_TEXTS_KEPT;
    e.url = c->url;
    e.reference = c->reference;
    e.description = c->description;
    memcpy(e.fingerprint, c->fingerprint, sizeof(e.fingerprint));
    operator__emit(d, &e);
    e.kind = EVENT_STK_ACCEPTED;
    e.slot = slot;
    e.short_code = c->short_code;
    e.party_b = c->party_b;
    e.type = c->type;
    e.amount_minor = c->amount_minor;
    e.checkout_serial = checkout_serial(o, s, c->msisdn, d->command->now_ns);
    e.target = c->target;
    operator__emit(d, &e);
}

/* What a scenario rule orders is kept with the payment, in the frame that accepts it (R6.2). */
static void emit_ruled(const struct operator_state *o, struct decision *d,
                       const struct stk_push_command *c)
{
    struct rule_call call = {
        .api = RULE_API_STK_PUSH,
        .short_code = c->short_code,
        .msisdn = c->msisdn,
        .amount_minor = c->amount_minor,
        .reference = c->reference,
    };
    struct rule_verdict verdict;
    operator_rule_look(o, &call, &verdict);
    operator__rule_count(d, &verdict);
    if (verdict.rule == NULL) {
        return;
    }
    uint8_t order[RULE_ORDER_BYTES_MAX];
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STK_RULED;
    e.number = o->last_payment + 1;
    e.orders = (struct span){(const char *)order, operator_ruled_encode(o, &verdict, order)};
    operator__emit(d, &e);
}

void operator__decide_push(const struct operator_state *o, struct decision *d)
{
    const struct stk_push_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    CHECK(reply != NULL);
    CHECK(c->type == 1 || c->type == 2);
    CHECK(c->amount_minor > 0 && c->amount_minor <= o->settings->payment_max_minor);
    CHECK(c->url.size <= OPERATOR_URL_MAX && c->reference.size <= OPERATOR_REFERENCE_MAX &&
          c->description.size <= OPERATOR_REFERENCE_MAX);
    if (map_get(&o->by_short_code, c->short_code) == MAP_NONE) {
        reply->refusal = OPERATOR_MERCHANT_UNKNOWN;
        return;
    }
    const struct stk_payment *twin = find_duplicate(o, c, d->command->now_ns);
    if (twin != NULL) {
        reply->refusal = OPERATOR_DUPLICATE;
        reply->number = twin->number;
        return;
    }
    uint32_t slot = map_get(&o->by_msisdn, c->msisdn);
    if (slot == MAP_NONE) {
        CHECK(o->subscribers.free_head == SLAB_NONE);
        slot = o->subscribers.high_water;
    } else if (subscriber_at(o, slot)->open_request != SLAB_NONE) {
        reply->refusal = OPERATOR_SUBSCRIBER_LOCKED; /* by a prompt that is no payment's */
        return;
    } else if (subscriber_at(o, slot)->open_payment != SLAB_NONE && !MUTATED(LOCK_SKIPPED)) {
        reply->refusal = OPERATOR_SUBSCRIBER_LOCKED;
        reply->number = payment_at(o, subscriber_at(o, slot)->open_payment)->number;
        return;
    }
    emit_push(o, d, c, slot);
    emit_ruled(o, d, c);
    reply->refusal = OPERATOR_DONE;
    reply->number = o->last_payment + 1;
}

/* ---- endings ---- */

/* The end of a payment and the callback that tells it: one frame (R1.3). */
static void emit_end(const struct operator_state *o, struct decision *d,
                     const struct stk_payment *p, enum stk_outcome outcome)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STK_ENDED;
    e.number = p->number;
    e.outcome = (uint8_t)outcome;
    CHECK(stk_state_may_move(p->state, stk_outcome_state(outcome)));
    if (outcome == STK_PAID) {
        int64_t clock_ns = d->command->now_ns - (MUTATED(RECEIPT_DAY_UTC) ? 10800 * NS_PER_S : 0);
        operator__next_receipt(o, clock_ns, &e.receipt_day, &e.receipt);
    }
    operator__emit(d, &e);
    struct ruled ruled;
    struct rule_message callback = {p->number, p->target, MESSAGE_STK_CALLBACK};
    bool is_ruled = payment_ruled(o, p, &ruled);
    if (MUTATED(CALLBACK_TWICE) && outcome == STK_CANCELLED) {
        rule_effects_init(&ruled.effects);
        ruled.effects.times = 2;
        is_ruled = true;
    }
    operator__rule_messages(o, d, is_ruled ? &ruled.effects : NULL, &callback);
    if (outcome == STK_PAID) {
        const struct bill_payment paid = {p->party_b, operator_text(o, p->reference),
                                          p->amount_minor};
        uint64_t nth = 1 + operator__callback_count(o, p);
        operator__tell_income(o, d, p->party_b, nth);
        nth += operator_organisation(o, p->party_b)->c2b.version != 0;
        operator__bill_paid(o, d, &paid, nth);
    }
}

/* What refuses the payment before or after the PIN, whatever the PIN: STK_PAID when nothing. */
static enum stk_outcome find_objection(const struct operator_state *o, const struct stk_payment *p,
                                       int64_t now_ns, bool with_funds)
{
    const struct subscriber *s = subscriber_at(o, p->subscriber);
    if (s->status == SUBSCRIBER_UNREGISTERED) {
        return STK_PAYER_UNKNOWN;
    }
    if (s->status == SUBSCRIBER_SUSPENDED) {
        return STK_PAYER_SUSPENDED;
    }
    const struct organisation *payee = operator_organisation(o, p->party_b);
    if (payee == NULL) {
        return STK_PAYEE_UNKNOWN;
    }
    bool is_till = payee->type == ORGANISATION_TILL;
    if (payee->type == ORGANISATION_BULK || is_till != (p->type == 2)) {
        return STK_PRODUCT;
    }
    if (!payee->active) {
        return STK_PAYEE_INACTIVE;
    }
    const struct account *wallet = ledger_account(&o->book->ledger, s->account);
    CHECK(wallet != NULL);
    if (with_funds && account_available(wallet) < p->amount_minor) {
        return STK_NO_MONEY;
    }
    if (with_funds && operator_day_allowance(o, s, now_ns) < p->amount_minor) {
        return STK_DAY_LIMIT;
    }
    return STK_PAID;
}

static void emit_pin_tried(struct decision *d, uint32_t slot, uint8_t failures)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_PIN_TRIED;
    e.slot = slot;
    e.failures = failures;
    operator__emit(d, &e);
}

/* The failed attempt is durable before anyone learns of it: it is in the frame of the end. */
enum pin_answer operator__count_pin(const struct operator_state *o, struct decision *d,
                                    uint32_t slot, bool right)
{
    const struct subscriber *s = subscriber_at(o, slot);
    if (s->pin_failures >= o->settings->pin_failures_max) {
        return PIN_IS_LOCKED;
    }
    if (!right) {
        if (!MUTATED(PIN_TRY_UNWRITTEN)) {
            emit_pin_tried(d, slot, (uint8_t)(s->pin_failures + 1));
        }
        return PIN_IS_WRONG;
    }
    if (s->pin_failures > 0) {
        emit_pin_tried(d, slot, 0);
    }
    return PIN_IS_RIGHT;
}

enum pin_answer operator__try_pin(const struct operator_state *o, struct decision *d, uint32_t slot,
                                  const uint8_t verifier[PIN_VERIFIER_BYTES])
{
    return operator__count_pin(o, d, slot,
                               verifier_equal(subscriber_at(o, slot)->verifier, verifier));
}

/* R1.3: everything again, then debit, credit, state and callback in one frame. */
static void emit_payment(const struct operator_state *o, struct decision *d,
                         const struct stk_payment *p)
{
    bool again = !MUTATED(FUNDS_CHECKED_ONCE);
    enum stk_outcome outcome = find_objection(o, p, d->command->now_ns, again);
    if (outcome == STK_PAID) {
        struct transfer t;
        memset(&t, 0, sizeof(t));
        t.id = payment_transfer_id(p->number, 0);
        t.kind = TRANSFER_POST;
        t.code = TRANSFER_CODE_STK;
        t.reference = p->number;
        t.amount_minor = p->amount_minor;
        t.debit_account = subscriber_at(o, p->subscriber)->account;
        t.credit_account = operator_organisation(o, p->party_b)->accounts[ACCOUNT_UTILITY];
        struct ledger_plan plan;
        ledger_plan_init(&plan, &o->book->ledger);
        enum ledger_result result = ledger_plan_add(&plan, &t);
        if (result == LEDGER_OK) {
            struct ledger_event e;
            ledger_plan_event(&plan, 0, &e);
            decision_ledger(d, &e);
        } else {
            CHECK(result == LEDGER_OVERFLOW); /* everything else was looked at above */
            outcome = STK_INTERNAL;
        }
    }
    emit_end(o, d, p, outcome);
}

/* The PIN was typed; right says whether it is the subscriber's. */
static void emit_pin(const struct operator_state *o, struct decision *d,
                     const struct stk_payment *p, bool right)
{
    const struct subscriber *s = subscriber_at(o, p->subscriber);
    if (s->status == SUBSCRIBER_UNREGISTERED) {
        emit_end(o, d, p, STK_PAYER_UNKNOWN);
        return;
    }
    switch (operator__count_pin(o, d, p->subscriber, right)) {
    case PIN_IS_LOCKED: emit_end(o, d, p, STK_PIN_LOCKED); break;
    case PIN_IS_WRONG: emit_end(o, d, p, STK_WRONG_PIN); break;
    case PIN_IS_RIGHT: emit_payment(o, d, p); break;
    }
}

static void emit_approval(const struct operator_state *o, struct decision *d,
                          const struct stk_payment *p, const uint8_t verifier[PIN_VERIFIER_BYTES])
{
    const struct subscriber *s = subscriber_at(o, p->subscriber);
    emit_pin(o, d, p, verifier_equal(s->verifier, verifier));
}

/* ---- the phone's answer ---- */

void operator__decide_answer(const struct operator_state *o, struct decision *d)
{
    const struct stk_answer_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    bool cancels = d->command->kind == COMMAND_STK_CANCEL;
    const struct stk_payment *p = operator_payment(o, c->number);
    if (p == NULL) {
        reply->refusal = OPERATOR_NOT_FOUND;
        return;
    }
    reply->number = p->number;
    if (stk_state_final(p->state)) {
        reply->refusal = OPERATOR_ALREADY_ENDED;
        return;
    }
    if (p->answer != ANSWER_NONE) {
        reply->refusal = OPERATOR_ALREADY_ANSWERED;
        return;
    }
    if (p->state == STK_PROCESSING && !p->reached) {
        reply->refusal = OPERATOR_NOT_FOUND; /* no prompt ever reached this phone */
        return;
    }
    bool late = p->state == STK_PROCESSING && d->command->now_ns >= p->expires_ns;
    if (late && !MUTATED(DEADLINE_OVERTAKEN)) {
        /* The deadline decides, not who comes first in a turn; its timer is about to end it. */
        reply->refusal = OPERATOR_ALREADY_ENDED;
        return;
    }
    reply->refusal = OPERATOR_DONE;
    if (p->state == STK_PENDING) {
        struct operator_event e;
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_STK_ANSWERED;
        e.number = p->number;
        e.answer = cancels ? ANSWER_CANCEL : ANSWER_APPROVE;
        memcpy(e.verifier, c->verifier, sizeof(e.verifier));
        operator__emit(d, &e);
    } else if (cancels) {
        emit_end(o, d, p, STK_CANCELLED);
    } else {
        emit_approval(o, d, p, c->verifier);
    }
}

/* ---- the pipeline (R1.5) ---- */

/* Is this the code of a payment that is paid, or that the person cancelled? Everything else that a
 * rule can order is a failure of its own. */
static enum stk_outcome ruled_outcome(const struct rule_effects *e)
{
    if (strcmp(e->outcome_code, "0") == 0) {
        return STK_PAID;
    }
    return strcmp(e->outcome_code, "1032") == 0 ? STK_CANCELLED : STK_RULED;
}

/* How long the prompt stays open, 0 for the usual time. */
static int64_t ruled_life_ns(const struct rule_effects *e)
{
    bool is_life = e->act == RULE_ACT_IGNORE || e->act == RULE_ACT_UNREACHABLE;
    return is_life ? e->act_delay_ms * NS_PER_MS : 0;
}

static void advance_pending(const struct operator_state *o, struct decision *d,
                            const struct stk_payment *p)
{
    int64_t now_ns = d->command->now_ns;
    struct ruled ruled;
    bool is_ruled = payment_ruled(o, p, &ruled);
    bool fails =
        is_ruled && rule_orders_end(&ruled.effects) && ruled_outcome(&ruled.effects) == STK_RULED;
    enum stk_outcome outcome = find_objection(o, p, now_ns, o->settings->funds_checked_early);
    if (fails && ruled.effects.act_delay_ms == 0) {
        emit_end(o, d, p, STK_RULED);
        return;
    }
    if (outcome != STK_PAID && !fails) {
        emit_end(o, d, p, outcome);
        return;
    }
    int64_t life_ns = is_ruled ? ruled_life_ns(&ruled.effects) : 0;
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STK_PROMPTED;
    e.number = p->number;
    e.reachable = subscriber_at(o, p->subscriber)->reachable &&
                  !(is_ruled && ruled.effects.act == RULE_ACT_UNREACHABLE);
    if (life_ns == 0) {
        life_ns = e.reachable ? o->settings->prompt_ns : o->settings->unreachable_ns;
    }
    e.expires_ns = now_ns + life_ns;
    operator__emit(d, &e);
}

void operator__decide_advance(const struct operator_state *o, struct decision *d)
{
    CHECK(o->queued > 0);
    const struct stk_payment *p = payment_at(o, o->queue_head);
    CHECK(p->queued);
    if (p->state == STK_PENDING) {
        advance_pending(o, d, p);
        return;
    }
    CHECK(p->state == STK_PROCESSING);
    switch ((enum stk_answer)p->answer) {
    case ANSWER_APPROVE: emit_approval(o, d, p, p->verifier); break;
    case ANSWER_CANCEL: emit_end(o, d, p, STK_CANCELLED); break;
    case ANSWER_AUTOMATIC: emit_payment(o, d, p); break;
    case ANSWER_NONE: UNREACHABLE("a payment waits in the pipeline for nothing");
    default: UNREACHABLE("an answer of no known kind");
    }
}

/* ---- what a rule lets the phone do ---- */

/* When, or INT64_MAX: nothing. What a phone that is off cannot do, an ordered failure can. */
static int64_t ruled_act_ns(const struct operator_state *o, const struct stk_payment *p)
{
    struct ruled ruled;
    if (!payment_ruled(o, p, &ruled)) {
        return INT64_MAX;
    }
    const struct rule_effects *e = &ruled.effects;
    bool acts = e->act == RULE_ACT_APPROVE || e->act == RULE_ACT_WRONG_PIN ||
                e->act == RULE_ACT_CANCEL || rule_orders_end(e);
    bool able = p->reached || (rule_orders_end(e) && ruled_outcome(e) == STK_RULED);
    return acts && able ? p->step_ns[STEP_PROMPTED] + e->act_delay_ms * NS_PER_MS : INT64_MAX;
}

int64_t operator__prompt_due(const struct operator_state *o, const struct stk_payment *p)
{
    int64_t act_ns = ruled_act_ns(o, p);
    CHECK(p->state == STK_PROCESSING);
    return act_ns < p->expires_ns ? act_ns : p->expires_ns;
}

void operator__decide_rule_act(const struct operator_state *o, struct decision *d)
{
    const struct timer_entry *first = timers_first(&o->prompts);
    struct ruled ruled;
    CHECK(first != NULL && first->due_ns <= d->command->now_ns);
    const struct stk_payment *p = payment_at(o, prompt_timer_slot(first->id));
    CHECK(p->state == STK_PROCESSING && first->due_ns < p->expires_ns);
    CHECK(payment_ruled(o, p, &ruled));
    enum stk_outcome ordered =
        rule_orders_end(&ruled.effects) ? ruled_outcome(&ruled.effects) : STK_OPEN;
    if (ordered == STK_RULED) {
        emit_end(o, d, p, STK_RULED);
    } else if (ordered == STK_CANCELLED || ruled.effects.act == RULE_ACT_CANCEL) {
        emit_end(o, d, p, STK_CANCELLED);
    } else {
        emit_pin(o, d, p, ruled.effects.act != RULE_ACT_WRONG_PIN);
    }
}

void operator__decide_expire(const struct operator_state *o, struct decision *d)
{
    const struct timer_entry *first = timers_first(&o->prompts);
    CHECK(first != NULL && first->due_ns <= d->command->now_ns);
    const struct stk_payment *p = payment_at(o, prompt_timer_slot(first->id));
    CHECK(p->state == STK_PROCESSING && p->expires_ns == first->due_ns);
    emit_end(o, d, p, p->reached ? STK_NO_ANSWER : STK_UNREACHABLE);
}
