/*
 * shown.c - the pushes whose receipt is still to come, by the account reference that payer and
 * provider see: which is not the order when that is long, or when the application has another name.
 * Lists, the latest first, in memory only.
 *
 * Guarantees: in a list is every push at home that is open, or was paid and has no receipt.
 * Tests: tests/unit/test_merchant_receipts.c.
 */
#include "merchant/internal.h"

/* Others of the same hash are in the same list: whoever walks it compares. */
static uint64_t key_of(const struct gateway *g, const struct gateway_payment *p)
{
    return gateway__text_key(p->provider, gateway_account_reference(g, p));
}

static uint32_t first_of(const struct gateway *g, uint64_t key)
{
    uint32_t slot = map_get(&g->by_shown, key);
    return slot == MAP_NONE ? SLAB_NONE : slot;
}

uint32_t gateway__find_shown(const struct gateway *g, uint32_t provider, struct span reference)
{
    return reference.size == 0 ? SLAB_NONE : first_of(g, gateway__text_key(provider, reference));
}

static bool belongs(const struct gateway_payment *p)
{
    bool paid = p->state == GATEWAY_SUCCEEDED || p->state == GATEWAY_REVERSED;
    return p->method == METHOD_MPESA_STK && p->receipt == TEXT_NONE &&
           (paid || !gateway_state_ended(p->state));
}

/* Where its number belongs. */
static void put_in(struct gateway *g, uint32_t slot)
{
    struct gateway_payment *p = payment_slot(g, slot);
    uint64_t key = key_of(g, p);
    uint32_t first = first_of(g, key);
    uint32_t after = SLAB_NONE;
    uint32_t before = first;
    while (before != SLAB_NONE && payment_slot(g, before)->number > p->number) {
        after = before;
        before = payment_slot(g, before)->shown_before;
    }
    p->shown = true;
    p->shown_before = before;
    p->shown_after = after;
    if (before != SLAB_NONE) {
        payment_slot(g, before)->shown_after = slot;
    }
    if (after != SLAB_NONE) {
        payment_slot(g, after)->shown_before = slot;
        return;
    }
    if (first != SLAB_NONE) {
        CHECK(map_remove(&g->by_shown, key));
    }
    map_put(&g->by_shown, key, slot);
}

void gateway__take_out_shown(struct gateway *g, uint32_t slot)
{
    struct gateway_payment *p = payment_slot(g, slot);
    if (!p->shown) {
        return;
    }
    uint64_t key = key_of(g, p);
    CHECK((first_of(g, key) == slot) == (p->shown_after == SLAB_NONE));
    p->shown = false;
    if (p->shown_before != SLAB_NONE) {
        payment_slot(g, p->shown_before)->shown_after = p->shown_after;
    }
    if (p->shown_after != SLAB_NONE) {
        payment_slot(g, p->shown_after)->shown_before = p->shown_before;
        return;
    }
    CHECK(map_remove(&g->by_shown, key));
    if (p->shown_before != SLAB_NONE) {
        map_put(&g->by_shown, key, p->shown_before);
    }
}

void gateway__place_shown(struct gateway *g, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    if (!belongs(p)) {
        gateway__take_out_shown(g, slot);
    } else if (!p->shown) {
        put_in(g, slot);
    }
}

void gateway__check_shown(const struct gateway *g, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    CHECK(p->shown == belongs(p));
    CHECK(IMPLIES(p->shown, (first_of(g, key_of(g, p)) == slot) == (p->shown_after == SLAB_NONE)));
    CHECK(IMPLIES(p->shown && p->shown_before != SLAB_NONE,
                  payment_slot(g, p->shown_before)->shown_after == slot &&
                      payment_slot(g, p->shown_before)->number < p->number));
}
