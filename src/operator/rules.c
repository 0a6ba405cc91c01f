/*
 * rules.c - scenario rules judged, counted and obeyed: which one a call meets, and what becomes of
 * messages that a rule multiplies, delays or holds back. See rules.h.
 * Tests: tests/unit/test_rules.c, tests/e2e/stories/150-rules.mjs.
 */
#include "operator/rules.h"

#include <string.h>

#include "base/caltime.h"
#include "base/hash.h"
#include "operator/internal.h"

#define MS(n) ((int64_t)(n)*NS_PER_MS)

/* ---- does a rule match? ---- */

static bool text_fits(uint8_t how, const char *pattern, struct span text)
{
    struct span p = span_from(pattern);
    switch ((enum rule_how)how) {
    case RULE_HOW_ANY: return true;
    case RULE_HOW_EXACT: return span_equal(text, p);
    case RULE_HOW_PREFIX: return span_starts_with(text, p);
    case RULE_HOW_SUFFIX:
        return text.size >= p.size &&
               span_equal((struct span){text.data + (text.size - p.size), p.size}, p);
    }
    UNREACHABLE("no such way to match");
}

/* Decimal digits of a phone number, at the end of the buffer. */
static struct span phone_text(uint64_t msisdn, char buffer[20])
{
    size_t at = 20;
    do {
        buffer[--at] = (char)('0' + msisdn % 10);
        msisdn /= 10;
    } while (msisdn > 0);
    return (struct span){buffer + at, 20 - at};
}

/* Everything but nth, first, every and the chance. */
static bool call_fits(const struct rule_match *m, const struct rule_call *call)
{
    char digits[20];
    bool any = m->apis == 0 && call->api < RULE_API_MESSAGES;
    if (!any && (m->apis >> call->api & 1) == 0) {
        return false;
    }
    if (m->short_code != 0 && m->short_code != call->short_code) {
        return false;
    }
    if (m->has_amount && (call->amount_minor < 0 || call->amount_minor < m->amount_min_minor ||
                          call->amount_minor > m->amount_max_minor)) {
        return false;
    }
    if (m->phone_how != RULE_HOW_ANY &&
        (call->msisdn == 0 ||
         !text_fits(m->phone_how, m->phone, phone_text(call->msisdn, digits)))) {
        return false;
    }
    return m->reference_how == RULE_HOW_ANY ||
           (call->reference.data != NULL &&
            text_fits(m->reference_how, m->reference, call->reference));
}

/* Does the n-th call that fits take the rule's turn? n counts from 1. */
static bool turn_fits(const struct rule_match *m, uint32_t place, uint64_t n)
{
    CHECK(n > 0);
    if ((m->nth != 0 && n != m->nth) || (m->first != 0 && n > m->first) ||
        (m->every != 0 && n % m->every != 0)) {
        return false;
    }
    if (m->chance_ppm == RULE_CHANCE_ALWAYS) {
        return true;
    }
    uint64_t dice = hash_u64(n, hash_u64(place, m->seed));
    return dice % RULE_CHANCE_ALWAYS < m->chance_ppm;
}

void operator_rule_look(const struct operator_state *o, const struct rule_call *call,
                        struct rule_verdict *out)
{
    const struct rule_book *b = o->rules;
    CHECK(call->api >= RULE_API_STK_PUSH && call->api <= RULE_API_LAST);
    out->rule = NULL;
    out->met_count = 0;
    for (uint32_t origin = 0; origin < RULE_ORIGINS; origin++) {
        const struct rule_list *list = &b->lists[origin];
        for (uint32_t i = 0; i < list->count; i++) {
            const struct rule *rule = &list->rules[i];
            if (!call_fits(&rule->match, call)) {
                continue;
            }
            out->met[out->met_count++] = (uint8_t)(i | origin << 7);
            if (turn_fits(&rule->match, i, b->counts[origin][i].matched + 1)) {
                out->rule = rule;
                out->origin = (uint8_t)origin;
                out->index = (uint8_t)i;
                return;
            }
        }
    }
}

/* ---- decisions ---- */

void operator__rule_count(struct decision *d, const struct rule_verdict *v)
{
    struct operator_event e;
    if (v->met_count == 0) {
        return;
    }
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_RULES_COUNTED;
    e.applied = RULE_NOT_APPLIED;
    if (v->rule != NULL) {
        e.applied = (uint8_t)(v->index | v->origin << 7);
    }
    e.orders = (struct span){(const char *)v->met, v->met_count};
    CHECK(v->rule == NULL || v->met[v->met_count - 1] == e.applied);
    operator__emit(d, &e);
}

void operator__decide_rules_set(const struct operator_state *o, struct decision *d)
{
    const struct rules_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    struct operator_event e;
    (void)o;
    CHECK(c->origin < RULE_ORIGINS);
    CHECK(rule_list_decode(c->list, NULL));
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_RULES_SET;
    e.origin = c->origin;
    e.orders = c->list;
    operator__emit(d, &e);
    reply->refusal = OPERATOR_DONE;
}

void operator__decide_rule_call(const struct operator_state *o, struct decision *d)
{
    struct operator_reply *reply = d->command->reply;
    struct rule_verdict verdict;
    operator_rule_look(o, d->command->body, &verdict);
    operator__rule_count(d, &verdict);
    reply->refusal = OPERATOR_DONE;
}

/* ---- messages ---- */

/* Does another message of this target wait for the next one already? Then this is the next one. */
static bool target_is_held(const struct operator_state *o, uint64_t target)
{
    for (uint32_t i = 0; i < o->rules->held_count; i++) {
        if (outbox_item(&o->book->outbox, o->rules->held[i])->target == target) {
            return true;
        }
    }
    return false;
}

static void emit_message(struct decision *d, uint16_t kind, uint64_t number)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = kind;
    e.number = number;
    operator__emit(d, &e);
}

void operator__rule_messages(const struct operator_state *o, struct decision *d,
                             const struct rule_effects *effects, const struct rule_message *m)
{
    struct rule_effects usual;
    if (effects == NULL) {
        rule_effects_init(&usual);
        effects = &usual;
    }
    bool held = effects->hold_for_next && !target_is_held(o, m->target) &&
                o->rules->held_count + effects->times <= RULES_HELD_MAX;
    int64_t first_ns = d->command->now_ns + MS(effects->callback_delay_ms);
    CHECK(effects->times <= RULE_TIMES_MAX);
    for (uint32_t i = 0; i < effects->times; i++) {
        struct outbox_event queued;
        memset(&queued, 0, sizeof(queued));
        queued.kind = EVENT_DELIVERY_QUEUED;
        queued.number = outbox_next_number(&o->book->outbox, i + 1);
        queued.subject = m->subject;
        queued.target = m->target;
        queued.item_kind = rule_changes_callback(effects) ? m->kind | MESSAGE_RULED : m->kind;
        queued.next_try_ns = held ? MESSAGE_HELD_NS : first_ns + MS(effects->spacing_ms) * i;
        decision_outbox(d, &queued);
        if (held) {
            emit_message(d, EVENT_MESSAGE_HELD, queued.number);
        }
    }
}

uint32_t operator__callback_count(const struct operator_state *o, const struct stk_payment *p)
{
    struct ruled ruled;
    return payment_ruled(o, p, &ruled) ? ruled.effects.times : 1;
}

/* A message of a target has gone out: those that waited for it follow. */
void operator__rules_attempted(const void *state, struct decision *d,
                               const struct outbox_item *item)
{
    const struct operator_state *o = state;
    for (uint32_t i = 0; i < o->rules->held_count; i++) {
        const struct outbox_item *held = outbox_item(&o->book->outbox, o->rules->held[i]);
        CHECK(held != NULL);
        bool own = held->subject == item->subject && held->kind == item->kind;
        bool replayed = held->state != OUTBOX_WAITING || held->next_try_ns != MESSAGE_HELD_NS;
        if (held->number == item->number) {
            emit_message(d, EVENT_MESSAGE_LET_GO, held->number); /* someone sent it by hand */
        } else if (held->target == item->target && item->number > held->number && !own) {
            emit_message(d, EVENT_MESSAGE_LET_GO, held->number);
            if (!replayed) {
                struct outbox_event e;
                memset(&e, 0, sizeof(e));
                e.kind = EVENT_DELIVERY_REVIVED;
                e.number = held->number;
                e.next_try_ns = d->command->now_ns;
                decision_outbox(d, &e);
            }
        }
    }
}

/* ---- state ---- */

static void count(struct rule_book *b, const struct operator_event *e)
{
    for (size_t i = 0; i < e->orders.size; i++) {
        uint8_t met = (uint8_t)e->orders.data[i];
        struct rule_count *c = &b->counts[met >> 7][met & 0x7f];
        c->matched++;
        c->applied += met == e->applied;
    }
}

static void let_go(struct rule_book *b, uint64_t number)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->held_count; i++) {
        b->held[kept] = b->held[i];
        kept += b->held[i] != number;
    }
    CHECK(kept + 1 == b->held_count);
    b->held_count = kept;
}

void operator__rules_apply(struct operator_state *o, const struct operator_event *e)
{
    struct rule_book *b = o->rules;
    switch (e->kind) {
    case EVENT_RULES_SET:
        CHECK(rule_list_decode(e->orders, &b->lists[e->origin]));
        memset(b->counts[e->origin], 0, sizeof(b->counts[e->origin]));
        b->revision++;
        break;
    case EVENT_RULES_COUNTED: count(b, e); break;
    case EVENT_MESSAGE_HELD:
        CHECK(b->held_count < RULES_HELD_MAX);
        b->held[b->held_count++] = e->number;
        break;
    case EVENT_MESSAGE_LET_GO: let_go(b, e->number); break;
    default: UNREACHABLE("not an event of the rules");
    }
}

void operator__rules_check(const struct operator_state *o)
{
    const struct rule_book *b = o->rules;
    for (uint32_t origin = 0; origin < RULE_ORIGINS; origin++) {
        CHECK(b->lists[origin].count <= RULES_MAX);
        for (uint32_t i = 0; i < b->lists[origin].count; i++) {
            CHECK(b->counts[origin][i].applied <= b->counts[origin][i].matched); /* S3 */
        }
    }
    CHECK(b->held_count <= RULES_HELD_MAX);
    for (uint32_t i = 0; i < b->held_count; i++) {
        CHECK(outbox_item(&o->book->outbox, b->held[i]) != NULL); /* S2 */
        CHECK(i == 0 || b->held[i] > b->held[i - 1]);
    }
}
