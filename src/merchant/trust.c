/*
 * trust.c - how far an unsigned claim of money is believed (R6.10): from --confirm-from on it moves
 * nothing before the provider, asked by us, says the same.
 *
 * Guarantees: which of our URLs it came to, and what it calls itself (a callback, a confirmation, a
 * result), changes nothing: at Daraja whoever knows one URL of a payment can guess the others. Of
 * what it says nothing is used but a receipt number that nobody contradicts; without one the
 * success stands all the same, and Transaction Status is asked for it.
 * Tests: tests/unit/test_merchant_trust.c, tests/e2e/349-gateway-trust.sh.
 */
#include "merchant/internal.h"

bool gateway__is_unsigned(uint8_t kind, uint8_t source)
{
    bool result = kind == OBSERVED_AT_DARAJA && source == OBSERVED_BY_STATUS;
    return source == OBSERVED_BY_CALLBACK || result; /* which comes to a URL, like a callback */
}

bool gateway__is_unproven(const struct gateway *g, const struct gateway_payment *p,
                          const struct observation *claim)
{
    int64_t from_minor = g->settings->confirm_minor;
    bool moves = claim->kind == OBSERVED_PAYMENT || claim->kind == OBSERVED_RECEIPT ||
                 claim->kind == OBSERVED_REFUND;
    return from_minor > 0 && p->amount_minor >= from_minor && moves &&
           gateway__is_unsigned(provider_at(g, p->provider)->kind, (uint8_t)claim->source) &&
           !gateway_pays_out(p->method);
}

bool gateway__is_unproven_arrival(const struct gateway *g, uint32_t provider, uint8_t source,
                                  int64_t amount_minor)
{
    int64_t from_minor = g->settings->confirm_minor;
    return from_minor > 0 && amount_minor >= from_minor &&
           gateway__is_unsigned(provider_at(g, provider)->kind, source);
}

bool gateway__awaits_proof(const struct gateway *g, const struct gateway_payment *p)
{
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        if (notice_at(g, i)->effect == NOTICE_UNPROVEN) {
            return true;
        }
    }
    return false;
}

struct span gateway__unproven_receipt(const struct gateway *g, const struct gateway_payment *p)
{
    struct span found = SPAN_EMPTY;
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        struct span named = gateway_text(g, notice_at(g, i)->receipt);
        if (notice_at(g, i)->effect != NOTICE_UNPROVEN || named.size == 0) {
            continue;
        }
        if (found.size > 0 && !span_equal(found, named)) {
            return SPAN_EMPTY; /* one of them lies: which, nobody can tell */
        }
        found = named;
    }
    return found;
}
