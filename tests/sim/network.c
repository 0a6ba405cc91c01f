/*
 * network.c - what lies between the operator and the receivers of callbacks: takes what the engine
 * hands out, carries it there or loses it, and reports what came of it.
 */
#include <string.h>

#include "sim/world.h"

typedef unsigned long long ull;

#define MS ((int64_t)1000000)
#define S  ((int64_t)1000000000)

/* What came of a delivery, packed into a moment. */
struct report {
    uint16_t http;
    uint8_t error;
    uint8_t answer_size;
    uint16_t retry_after_s; /* 0: none */
    uint16_t generation;
};

static uint64_t report_pack(struct report r)
{
    return (uint64_t)r.http << 48 | (uint64_t)r.error << 40 | (uint64_t)r.answer_size << 32 |
           (uint64_t)r.retry_after_s << 16 | r.generation;
}

static struct report report_unpack(uint64_t packed)
{
    struct report r = {(uint16_t)(packed >> 48), packed >> 40 & 255, packed >> 32 & 255,
                       (uint16_t)(packed >> 16), (uint16_t)packed};
    return r;
}

/* A callback reaches its receiver. */
static void arrive(struct world *w, const struct told *told)
{
    auditor_told_payment(&w->auditor, told);
    struct auditor *a = &w->auditor;
    for (uint32_t i = a->told_count; i > 0; i--) {
        struct told *known = &a->told[i - 1];
        if (known->number == told->number && known->generation == told->generation) {
            known->arrivals++;
            w->tally.acts[ACT_CALLBACK]++;
            w->tally.acts[ACT_CALLBACK_AGAIN] += known->arrivals > 1;
            return;
        }
    }
    FAIL("a callback about payment %llu was not noted", (ull)told->number);
}

/* What the receiver answers, by its mood; how long it takes. */
static struct report answer_of(struct world *w, struct site *site, int64_t *takes_ns)
{
    struct dice *d = &w->dice_net;
    struct report r = {.http = 200, .answer_size = dice_chance(d, 200) ? 40 : 0};
    *takes_ns = dice_span_ns(d, MS, 100 * MS);
    if (site->mood == SITE_FINE || w->now_ns >= site->until_ns || w->repaired) {
        return r;
    }
    switch (site->mood) {
    case SITE_DEAD:
        r = (struct report){.error = 2};
        *takes_ns = dice_chance(d, 500) ? MS : 10 * S;
        w->tally.faults[FAULT_SITE_DEAD]++;
        break;
    case SITE_SLOW:
        *takes_ns = dice_span_ns(d, S, 25 * S);
        w->tally.faults[FAULT_SITE_SLOW]++;
        break;
    case SITE_ERRORS: {
        static const uint16_t answers[] = {500, 503, 404, 301, 200, 199, 429};
        r.http = answers[dice_below(d, 7)];
        r.retry_after_s = dice_chance(d, 200) ? (uint16_t)dice_between(d, 1, 50000) : 0;
        w->tally.faults[FAULT_SITE_ERRORS]++;
        break;
    }
    case SITE_FINE: break;
    }
    return r;
}

static void send(struct world *w, const struct outbox_item *item)
{
    struct dice *d = &w->dice_net;
    struct told told;
    EXPECT(world_look(w, item->subject, &told), "message %llu is about payment %llu, which is not",
           (ull)item->number, (ull)item->subject);
    told.position = item->position;
    EXPECT(told.outcome != STK_OPEN, "message %llu is about payment %llu, which is open (A4)",
           (ull)item->number, (ull)item->subject);
    auditor_handed_out(&w->auditor, item->number, item->subject, engine_now(w->node.engine));
    const struct audited_payment *p = auditor_payment(&w->auditor, item->subject);
    struct site *site = &w->sites[w->cast.shops[p->shop].site];
    int64_t takes_ns;
    struct report r = answer_of(w, site, &takes_ns);
    bool arrives = r.error == 0;
    if (arrives && world_has(w, FAULT_REQUEST_LOST) && dice_chance(d, 60)) {
        w->tally.faults[FAULT_REQUEST_LOST]++;
        arrives = false;
        r = (struct report){.error = 3};
        takes_ns = 10 * S;
    } else if (arrives && world_has(w, FAULT_ANSWER_LOST) && dice_chance(d, 60)) {
        w->tally.faults[FAULT_ANSWER_LOST]++;
        r = (struct report){.error = 4};
        takes_ns = 10 * S;
    }
    TELL(w, "message %llu about payment %llu %s: %d, error %d", (ull)item->number,
         (ull)item->subject, arrives ? "arrives" : "does not arrive", r.http, r.error);
    world_note(w, MOMENT_REPORT, item->number, arrives);
    if (arrives) {
        arrive(w, &told);
    }
    r.generation = (uint16_t)w->node.book->generation;
    if (world_has(w, FAULT_REPORT_LATE) && dice_chance(d, 30)) {
        w->tally.faults[FAULT_REPORT_LATE]++;
        takes_ns += dice_span_ns(d, 10 * S, 120 * S);
    }
    world_plan_here(w, takes_ns, MOMENT_REPORT, item->number, report_pack(r));
    if (world_has(w, FAULT_REPORT_TWICE) && dice_chance(d, 50)) {
        w->tally.faults[FAULT_REPORT_TWICE]++;
        world_plan_here(w, takes_ns + dice_span_ns(d, MS, 10 * S), MOMENT_REPORT, item->number,
                        report_pack(r));
    }
}

void network_send(struct world *w)
{
    const struct outbox_item *item;
    while ((item = engine_take_outgoing(w->node.engine)) != NULL) {
        struct outbox_item copy = *item;
        send(w, &copy);
    }
}

void network_report(struct world *w, uint64_t message, uint64_t packed)
{
    struct report r = report_unpack(packed);
    struct ask ask = {
        .kind = ASK_REPORT,
        .number = message,
        .generation = r.generation,
        .http = r.http,
        .error = r.error,
        .answer_size = r.answer_size,
        .retry_after_ms = r.retry_after_s == 0 ? -1 : (int64_t)r.retry_after_s * 1000,
    };
    struct reply reply = world_ask(w, ENGINE_CONTINUATION, &ask);
    if (reply.status != ENGINE_APPLIED && reply.status != ENGINE_REFUSED) {
        world_plan_here(w, dice_between(&w->dice_net, 20 * MS, 200 * MS), MOMENT_REPORT, message,
                        packed);
    }
}

/* At the end: what is delivered has arrived, what is dead was counted (A4). */
void network_finish(struct world *w)
{
    const struct auditor *a = &w->auditor;
    for (uint32_t i = 0; i < a->message_count; i++) {
        const struct audited_message *m = &a->messages[i];
        w->tally.acts[ACT_DEAD_LETTER] += m->state == OUTBOX_DEAD;
        bool arrived = false;
        for (uint32_t j = 0; j < a->told_count && !arrived; j++) {
            arrived = a->told[j].number == m->payment && a->told[j].generation == a->generation &&
                      a->told[j].arrivals > 0;
        }
        EXPECT(m->state != OUTBOX_DELIVERED || arrived,
               "message %u counts as delivered, and nobody ever got it (A4)", i + 1);
    }
}
