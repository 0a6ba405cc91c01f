/*
 * sweep.c - what is done by itself, again and again: everything that has been open for over ten
 * minutes is asked about every five (R2.7, R5.4), beside the ladder of each payment; the alert
 * when more than 0.1 % of a day had to be repaired; and pulling what arrived from the provider's
 * list, every hour once a nominated number is registered.
 *
 * Guarantees: one decision asks about a few only, so that nobody waits behind a sweep. A book in
 * which nothing is open that could be asked about sweeps nothing and has no timer: a virtual clock
 * can come to rest.
 *
 * Tests: tests/unit/test_merchant_reconcile.c, tests/e2e/360-gateway-reconcile.sh.
 */
#include "base/caltime.h"
#include "merchant/internal.h"

enum { ASKED_EACH = 12 }; /* by one decision: of the outbox items that it may queue */
#define PULL_EVERY_NS   (3600 * NS_PER_S)
#define PULL_BUSY_NS    (300 * NS_PER_S) /* when it is being pulled, or registered, just then */
#define PULL_OVERLAP_NS (900 * NS_PER_S)
#define PULL_REACH_NS   (48 * 3600 * NS_PER_S) /* Daraja lists no more */
#define SWEEP_EVERY_NS  (300 * NS_PER_S)       /* R2.7 */
#define SWEEP_AGE_NS    (600 * NS_PER_S)       /* R2.7 */
#define ALERT_SETTLE_NS (900 * NS_PER_S) /* a callback that comes until then was late, not lost */

void gateway__sweep_at(struct gateway_decision *gd, uint64_t cursor, int64_t due_ns)
{
    struct gateway_event e = {.kind = EVENT_SWEEP_DUE};
    e.sweep_due.cursor = cursor;
    e.sweep_due.due_ns = due_ns;
    gateway__emit(gd, &e);
}

void gateway__sweep_begins(struct gateway_decision *gd)
{
    if (gd->g->sweep_due_ns == 0) {
        gateway__sweep_at(gd, 0, gd->now_ns + SWEEP_AGE_NS);
    }
}

/* Open, and nobody but the ladder looks after it. */
static bool is_swept(const struct gateway_payment *p)
{
    return !gateway_state_ended(p->state) && !p->attention;
}

/* By an id that the provider knows. What has none cannot be asked about. */
static bool is_known(const struct gateway_payment *p)
{
    return p->provider_id != TEXT_NONE || gateway_pays_out(p->method);
}

static bool wants_asking(const struct gateway_payment *p, int64_t now_ns)
{
    return is_swept(p) && p->state > GATEWAY_SUBMITTED && p->state != GATEWAY_MISMATCHED &&
           p->question == 0 && is_known(p) &&
           now_ns - p->entered_ns[GATEWAY_CREATED] >= SWEEP_AGE_NS;
}

/* ---- the alert ---- */

static void alert(struct gateway_decision *gd, uint32_t slot, uint32_t day)
{
    const struct gateway_provider *a = provider_at(gd->g, slot);
    struct gateway_event e = {.kind = EVENT_ALERT_RAISED};
    e.alert_raised.slot = slot;
    e.alert_raised.day = day;
    gateway__emit(gd, &e);
    struct gateway_telling t = {.type = FEED_ALERT_REPAIR_RATE,
                                .object_kind = FEED_OBJECT_PROVIDER,
                                .object = (uint64_t)slot + 1,
                                .object_seq = a->object_seq,
                                .merchant = a->merchant};
    gateway__tell(gd, &t);
}

static int64_t begin_of(uint32_t day)
{
    struct civil c;
    civil_from_day(day, &c);
    return civil_to_ns(&c, EAT_OFFSET_S);
}

/* Once for each account, and one by a decision. False: there is no other. */
static bool alert_of_day(struct gateway_decision *gd, uint32_t day, int64_t until_ns)
{
    const struct gateway *g = gd->g;
    int64_t from_ns = begin_of(day);
    for (uint32_t i = slab_next(&g->providers, 0); i != SLAB_NONE;
         i = slab_next(&g->providers, i + 1)) {
        struct gateway_repairs repairs;
        if (provider_at(g, i)->alert_day >= day) {
            continue;
        }
        gateway_repairs(g, i, from_ns, until_ns, &repairs);
        if (repairs.alert) {
            alert(gd, i, day);
            return true;
        }
    }
    return false;
}

/* The last minutes of a day have settled when the next one has begun. */
static bool alert_one(struct gateway_decision *gd)
{
    int64_t until_ns = gd->now_ns - ALERT_SETTLE_NS;
    uint32_t day = eat_day_number(until_ns);
    uint32_t before = eat_day_number(until_ns - 2 * SWEEP_EVERY_NS);
    return (before != day && alert_of_day(gd, before, begin_of(day))) ||
           alert_of_day(gd, day, until_ns);
}

/* ---- the sweep ---- */

/* Is there anything that the next round may ask about? What is open has a timer. */
static bool any_left(const struct gateway *g)
{
    for (uint32_t i = 0; i < g->due.count; i++) {
        const struct gateway_payment *p =
            payment_slot(g, gateway__timer_slot(g->due.entries[i].id));
        if (is_swept(p) && (is_known(p) || p->state < GATEWAY_UNCONFIRMED)) {
            return true;
        }
    }
    return false;
}

/* At its end: is there anything to come back for? */
static void end_of_round(struct gateway_decision *gd)
{
    const struct gateway *g = gd->g;
    if (alert_one(gd)) {
        gateway__sweep_at(gd, g->last_payment, gd->now_ns); /* perhaps another account's, too */
        return;
    }
    bool unsettled =
        g->last_repair_ns != 0 && gd->now_ns - g->last_repair_ns < ALERT_SETTLE_NS + SWEEP_EVERY_NS;
    gateway__sweep_at(gd, 0, any_left(g) || unsettled ? gd->now_ns + SWEEP_EVERY_NS : 0);
}

/* The first payments after that number which want asking, in the order of their numbers; how many.
 * What is open has a timer: those are looked at, not all that were ever made. */
static uint32_t next_to_ask(const struct gateway *g, uint64_t after, int64_t now_ns,
                            const struct gateway_payment *out[ASKED_EACH])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->due.count; i++) {
        const struct gateway_payment *p =
            payment_slot(g, gateway__timer_slot(g->due.entries[i].id));
        bool full = count == ASKED_EACH;
        if (p->number <= after || !wants_asking(p, now_ns) ||
            (full && out[count - 1]->number < p->number)) {
            continue;
        }
        uint32_t at = full ? count - 1 : count++;
        for (; at > 0 && out[at - 1]->number > p->number; at--) {
            out[at] = out[at - 1];
        }
        out[at] = p;
    }
    return count;
}

void gateway__decide_sweep(const struct gateway *g, struct decision *d)
{
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_payment *asked[ASKED_EACH];
    CHECK(g->sweep_due_ns != 0 && g->sweep_due_ns <= gd.now_ns);
    uint32_t count = next_to_ask(g, g->sweep_cursor, gd.now_ns, asked);
    for (uint32_t i = 0; i < count; i++) {
        gateway__ask(&gd, asked[i], asked[i]->rung, asked[i]->due_ns);
    }
    if (count == ASKED_EACH) {
        gateway__sweep_at(&gd, asked[count - 1]->number, gd.now_ns);
        return;
    }
    end_of_round(&gd);
}

/* ---- pull ---- */

/* One call at a time: the answer to a call that another has replaced counts for nothing. */
static bool is_being_asked(const struct gateway_provider *a)
{
    return a->pull_state == GATEWAY_PULL_ASKED || a->pull_state == GATEWAY_PULL_REGISTERING;
}

void gateway__decide_pull_number(const struct gateway *g, struct decision *d)
{
    const struct pull_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_provider *a = gateway_provider(g, c->provider);
    CHECK(c->phone != 0);
    if (a == NULL || a->merchant != c->merchant || a->kind != OBSERVED_AT_DARAJA) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    struct gateway_event e = {.kind = EVENT_PULL_NUMBER_KEPT};
    e.pull_number_kept.slot = c->provider;
    e.pull_number_kept.phone = c->phone;
    e.pull_number_kept.item = gateway__queue(&gd, CALL_PULL_REGISTER, c->provider, a->target);
    gateway__emit(&gd, &e);
    reply->slot = c->provider;
}

static void ask_for_page(struct gateway_decision *gd, uint32_t slot, const struct pull_command *c,
                         uint32_t offset)
{
    struct gateway_event e = {.kind = EVENT_PULL_ASKED};
    e.pull_asked.slot = slot;
    e.pull_asked.from_ns = c->from_ns;
    e.pull_asked.until_ns = c->until_ns;
    e.pull_asked.offset = offset;
    e.pull_asked.item = gateway__queue(gd, CALL_PULL, slot, provider_at(gd->g, slot)->target);
    gateway__emit(gd, &e);
}

static void pull_at(struct gateway_decision *gd, uint32_t slot, int64_t due_ns)
{
    struct gateway_event e = {.kind = EVENT_PULL_DUE};
    e.pull_due.slot = slot;
    e.pull_due.due_ns = due_ns;
    gateway__emit(gd, &e);
}

void gateway__decide_pull(const struct gateway *g, struct decision *d)
{
    const struct pull_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_provider *a = gateway_provider(g, c->provider);
    if (a == NULL || a->merchant != c->merchant || a->kind != OBSERVED_AT_DARAJA) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    if (is_being_asked(a)) {
        reply->refusal = GATEWAY_UNDER_WAY;
        return;
    }
    ask_for_page(&gd, c->provider, c, 0);
    reply->slot = c->provider;
}

/* From where the last one ended, and a little before: what arrives is listed late. What is older
 * than the provider lists cannot be had. */
void gateway__decide_pull_due(const struct gateway *g, struct decision *d)
{
    struct gateway_decision gd = gateway__decision(g, d);
    uint32_t slot = slab_next(&g->providers, 0);
    while (provider_at(g, slot)->pull_due_ns != g->pull_due_ns) {
        slot = slab_next(&g->providers, slot + 1);
        CHECK(slot != SLAB_NONE);
    }
    const struct gateway_provider *a = provider_at(g, slot);
    bool busy = is_being_asked(a);
    int64_t oldest_ns = gd.now_ns - PULL_REACH_NS;
    int64_t from_ns = a->pulled_until_ns - PULL_OVERLAP_NS;
    const struct pull_command c = {.from_ns = from_ns > oldest_ns ? from_ns : oldest_ns,
                                   .until_ns = gd.now_ns};
    CHECK(a->pull_due_ns != 0 && a->pull_due_ns <= gd.now_ns);
    pull_at(&gd, slot, gd.now_ns + (busy ? PULL_BUSY_NS : PULL_EVERY_NS));
    if (!busy) {
        ask_for_page(&gd, slot, &c, 0);
    }
}

/* The rows of a page are taken before; the next page is asked for until one is empty. */
void gateway__pull_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                             const struct delivery_result_command *c, uint8_t becomes)
{
    const struct gateway_reading *reading = c->reading;
    uint32_t slot = (uint32_t)item->subject;
    const struct gateway_provider *a = gateway_provider(gd->g, slot);
    CHECK(a != NULL);
    if (becomes == OUTBOX_WAITING || a->pull_item != item->number) {
        return;
    }
    struct gateway_event e = {.kind = EVENT_PULL_ANSWERED};
    e.pull_answered.slot = slot;
    e.pull_answered.state = GATEWAY_PULL_FAILED;
    if (c->error == 0 && reading != NULL) {
        struct observation answer = gateway__cut(&reading->answer);
        bool whole = answer.verdict == OBSERVED_SUCCEEDED;
        e.pull_answered.state = whole ? GATEWAY_PULL_DONE : GATEWAY_PULL_FAILED;
        e.pull_answered.words = answer.words;
        e.pull_answered.rows = reading->rows;
    }
    gateway__emit(gd, &e);
    if (item->kind == CALL_PULL_REGISTER && a->pull_due_ns == 0 &&
        e.pull_answered.state == GATEWAY_PULL_DONE) {
        pull_at(gd, slot, gd->now_ns + PULL_EVERY_NS); /* from now on by itself */
    }
    if (item->kind == CALL_PULL && e.pull_answered.state == GATEWAY_PULL_DONE &&
        e.pull_answered.rows > 0) {
        const struct pull_command again = {.from_ns = a->pull_from_ns,
                                           .until_ns = a->pull_until_ns};
        ask_for_page(gd, slot, &again, a->pull_offset + e.pull_answered.rows);
    }
}

/* ---- events ---- */

void gateway__pull_first(struct gateway *g)
{
    g->pull_due_ns = 0;
    for (uint32_t i = slab_next(&g->providers, 0); i != SLAB_NONE;
         i = slab_next(&g->providers, i + 1)) {
        int64_t due_ns = provider_at(g, i)->pull_due_ns;
        bool first = due_ns != 0 && (g->pull_due_ns == 0 || due_ns < g->pull_due_ns);
        g->pull_due_ns = first ? due_ns : g->pull_due_ns;
    }
}

/* To the end of a list, which begins where the one before ended, or reaches as far as can be. */
static void covered(struct gateway_provider *a, uint8_t state, uint32_t rows)
{
    bool end = a->pull_state == GATEWAY_PULL_ASKED && state == GATEWAY_PULL_DONE && rows == 0;
    bool joins = a->pulled_until_ns == 0 || a->pull_from_ns <= a->pulled_until_ns ||
                 a->pull_until_ns - a->pull_from_ns >= PULL_REACH_NS;
    if (end && joins && a->pull_until_ns > a->pulled_until_ns) {
        a->pulled_until_ns = a->pull_until_ns;
    }
}

void gateway__apply_sweep(struct gateway *g, const struct gateway_event *e)
{
    switch (e->kind) {
    case EVENT_SWEEP_DUE:
        g->sweep_cursor = e->sweep_due.cursor;
        g->sweep_due_ns = e->sweep_due.due_ns;
        return;
    case EVENT_ALERT_RAISED:
        provider_at(g, e->alert_raised.slot)->alert_day = e->alert_raised.day;
        return;
    default: break;
    }
    struct gateway_provider *a = provider_at(g, e->pull_asked.slot); /* of all the first */
    switch (e->kind) {
    case EVENT_PULL_NUMBER_KEPT:
        a->pull_phone = e->pull_number_kept.phone;
        a->pull_item = e->pull_number_kept.item;
        a->pull_state = GATEWAY_PULL_REGISTERING;
        break;
    case EVENT_PULL_ASKED:
        a->pull_item = e->pull_asked.item;
        a->pull_from_ns = e->pull_asked.from_ns;
        a->pull_until_ns = e->pull_asked.until_ns;
        a->pull_offset = e->pull_asked.offset;
        a->pull_state = GATEWAY_PULL_ASKED;
        break;
    case EVENT_PULL_ANSWERED:
        texts_replace(&g->book->texts, &a->pull_words, e->pull_answered.words);
        covered(a, e->pull_answered.state, e->pull_answered.rows);
        a->pull_state = e->pull_answered.state;
        break;
    case EVENT_PULL_DUE:
        a->pull_due_ns = e->pull_due.due_ns;
        gateway__pull_first(g);
        break;
    default: UNREACHABLE("unknown event of a sweep");
    }
}
