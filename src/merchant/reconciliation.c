/*
 * reconciliation.c - how many successes had to be repaired (R2.7, R5.4).
 *
 * A repair is a success that something else than its own callback brought (a query, a status, a
 * pull, a statement), and whose own callback has not come since. One whose callback comes after all
 * was only late: it needed no repair, and must not give an alert for ever.
 *
 * Guarantees: reads only; computed from the payments and notices as they stand, so that it is the
 * same after every replay, and saves nothing of its own.
 * Tests: tests/unit/test_merchant_soak.c, tests/e2e/stories/330-gateway-scenarios.mjs.
 */
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
    uint8_t source = source_of(g, p);
    CHECK(source <= OBSERVED_BY_STATEMENT);
    bool late = !is_own(source) && own_callback_came(g, p);
    bool repaired = !is_own(source) && !late;
    out->checked++;
    out->late += late;
    out->repaired += repaired;
    out->repaired_by[source] += repaired;
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
    out->alert = out->repaired * 1000 > out->checked * ALERT_PER_THOUSAND;
}
