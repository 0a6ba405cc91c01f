/*
 * reconciliation.c - how many successes had to be repaired (R2.7, R5.4).
 *
 * A repair is a success that something else than its own callback brought (a query, a status, a
 * pull, a statement), and whose own callback has not come since. One whose callback comes after all
 * was only late: it needed no repair, and must not give an alert for ever.
 *
 * Guarantees: computed from the payments and notices as they stand, so that it is the same after
 * every replay. What a payment that leaves memory is in its day is added to a sum for that day, and
 * taken out again when it comes home: the day's report stays the same to the last payment.
 * Tests: tests/unit/test_merchant_soak.c, tests/e2e/stories/330-gateway-scenarios.mjs.
 */
#include "base/caltime.h"
#include "merchant/internal.h"

/* Repairs in a thousand successes that are still ordinary. */
enum { ALERT_PER_THOUSAND = 1 };

/* Who brought the success of a payment. One that was reversed keeps it among its notices. */
static uint8_t source_of(const struct gateway *g, const struct gateway_payment *p)
{
    if (p->state == GATEWAY_SUCCEEDED) {
        return p->source;
    }
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        const struct gateway_notice *n = notice_at(g, i);
        if (n->about != OBSERVED_REFUND && n->effect == NOTICE_MOVED &&
            n->verdict == OBSERVED_SUCCEEDED) {
            return n->source;
        }
    }
    return 0;
}

static bool is_own(uint8_t source)
{
    return source == OBSERVED_BY_CALLBACK || source == OBSERVED_BY_WEBHOOK;
}

/* Has the payment's own callback said that it was paid, before or after others did? One that names
 * another payment, or claims other money, is none of its own. */
static bool own_callback_came(const struct gateway *g, const struct gateway_payment *p)
{
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        const struct gateway_notice *n = notice_at(g, i);
        bool agrees = n->effect == NOTICE_MOVED || n->effect == NOTICE_CONFIRMS ||
                      n->effect == NOTICE_ENRICHES || n->effect == NOTICE_UNPROVEN;
        if (agrees && is_own(n->source) && n->about == OBSERVED_PAYMENT &&
            n->verdict == OBSERVED_SUCCEEDED) {
            return true;
        }
    }
    return false;
}

/* What the success of one payment is to its day. */
struct tally {
    uint8_t source;
    bool late;
    bool repaired;
};

static struct tally tally_of(const struct gateway *g, const struct gateway_payment *p)
{
    struct tally t = {.source = source_of(g, p)};
    CHECK(p->entered_position[GATEWAY_SUCCEEDED] != 0);
    CHECK(t.source <= OBSERVED_BY_STATEMENT);
    t.late = !is_own(t.source) && own_callback_came(g, p);
    t.repaired = !is_own(t.source) && !t.late;
    return t;
}

static void count(const struct gateway *g, const struct gateway_payment *p, int64_t from_ns,
                  int64_t until_ns, struct gateway_repairs *out)
{
    int64_t at_ns = p->entered_ns[GATEWAY_SUCCEEDED];
    if (!gateway_state_ended(p->state)) {
        out->open++;
        out->unknown += p->state == GATEWAY_UNCONFIRMED;
        out->attention += p->attention;
    }
    if (p->entered_position[GATEWAY_SUCCEEDED] == 0 || at_ns < from_ns || at_ns >= until_ns) {
        return;
    }
    struct tally t = tally_of(g, p);
    out->checked++;
    out->late += t.late;
    out->repaired += t.repaired;
    out->repaired_by[t.source] += t.repaired;
}

/* ---- what left ---- */

uint64_t gateway__day_key(uint32_t provider, uint32_t day)
{
    return (uint64_t)provider << 32 | day;
}

void gateway__count_left(struct gateway *g, const struct gateway_payment *p, int sign)
{
    if (p->entered_position[GATEWAY_SUCCEEDED] == 0 || gateway_pays_out(p->method)) {
        return;
    }
    struct tally t = tally_of(g, p);
    uint32_t day = eat_day_number(p->entered_ns[GATEWAY_SUCCEEDED]);
    uint64_t key = gateway__day_key(p->provider, day);
    uint32_t slot = map_get(&g->by_day, key);
    if (slot == MAP_NONE) {
        slot = slab_take(&g->days);
        struct gateway_day *made = slab_at(&g->days, slot);
        made->provider = p->provider;
        made->day = day;
        map_put(&g->by_day, key, slot);
    }
    struct gateway_day *d = slab_at(&g->days, slot);
    uint64_t one = sign > 0 ? 1 : UINT64_MAX; /* or back by one */
    CHECK(sign > 0 || d->checked > 0);
    d->checked += one;
    d->late += t.late ? one : 0;
    d->repaired += t.repaired ? one : 0;
    d->repaired_by[t.source] += t.repaired ? one : 0;
    CHECK(d->late + d->repaired <= d->checked);
}

uint64_t gateway__count_paid(const struct gateway *g)
{
    uint64_t paid = 0;
    for (uint32_t i = slab_next(&g->payments, 0); i != SLAB_NONE;
         i = slab_next(&g->payments, i + 1)) {
        const struct gateway_payment *p = payment_slot(g, i);
        paid += p->entered_position[GATEWAY_SUCCEEDED] != 0 && !gateway_pays_out(p->method);
    }
    for (uint32_t i = slab_next(&g->days, 0); i != SLAB_NONE; i = slab_next(&g->days, i + 1)) {
        paid += ((const struct gateway_day *)slab_at(&g->days, i))->checked;
    }
    return paid;
}

static void count_day(const struct gateway *g, uint32_t provider, uint32_t day,
                      struct gateway_repairs *out)
{
    uint32_t slot = map_get(&g->by_day, gateway__day_key(provider, day));
    if (slot == MAP_NONE) {
        return;
    }
    const struct gateway_day *d = slab_at(&g->days, slot);
    out->checked += d->checked;
    out->late += d->late;
    out->repaired += d->repaired;
    for (uint32_t i = 0; i <= OBSERVED_BY_STATEMENT; i++) {
        out->repaired_by[i] += d->repaired_by[i];
    }
}

void gateway_repairs(const struct gateway *g, uint32_t provider, int64_t from_ns, int64_t until_ns,
                     struct gateway_repairs *out)
{
    CHECK(slab_is_used(&g->providers, provider));
    CHECK(from_ns <= until_ns);
    *out = (struct gateway_repairs){.checked = 0};
    for (uint32_t i = slab_next(&g->payments, 0); i != SLAB_NONE;
         i = slab_next(&g->payments, i + 1)) {
        const struct gateway_payment *p = payment_slot(g, i);
        if (p->provider == provider && !gateway_pays_out(p->method)) {
            count(g, p, from_ns, until_ns, out);
        }
    }
    int64_t first_ns = from_ns > 0 ? from_ns : 0;
    int64_t last_ns = until_ns <= CALTIME_END_NS ? until_ns - 1 : CALTIME_END_NS - 1;
    uint32_t last = last_ns >= first_ns ? eat_day_number(last_ns) : 0;
    for (uint32_t day = eat_day_number(first_ns); day <= last; day++) {
        count_day(g, provider, day, out);
    }
    out->alert = out->repaired * 1000 > out->checked * ALERT_PER_THOUSAND;
}
