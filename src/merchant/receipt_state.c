/*
 * receipt_state.c - receipts in the tables: events into state (total: nothing is decided here), how
 * they are found, and their invariant G10. See receipt.h.
 */
#include <string.h>

#include "merchant/internal.h"

/* ---- finding them ---- */

static const struct map *receipt_map(const struct gateway *g, enum receipt_text which)
{
    return which == RECEIPT_BY_TEXT ? &g->receipt_by_text : &g->receipt_by_reference;
}

/* Where it lies, or the free place where it would; of the same hash each lies one further on. */
static uint64_t receipt_place(const struct gateway *g, enum receipt_text which, uint32_t provider,
                              struct span text, uint32_t *slot_out)
{
    for (uint64_t key = gateway__text_key(provider, text);; key++) {
        uint32_t slot = map_get(receipt_map(g, which), key);
        *slot_out = slot;
        if (slot == MAP_NONE) {
            return key;
        }
        const struct gateway_receipt *r = receipt_at(g, slot);
        uint32_t handle = which == RECEIPT_BY_TEXT ? r->receipt : r->reference;
        if (r->provider == provider && span_equal(gateway_text(g, handle), text)) {
            return key;
        }
    }
}

uint32_t gateway__receipt_find(const struct gateway *g, enum receipt_text which, uint32_t provider,
                               struct span text)
{
    uint32_t slot = MAP_NONE;
    if (text.size > 0) {
        (void)receipt_place(g, which, provider, text, &slot);
    }
    return slot;
}

uint32_t gateway__receipt_slot(const struct gateway *g, uint64_t number)
{
    return map_get(&g->receipt_by_number, number);
}

const struct gateway_receipt *gateway_receipt(const struct gateway *g, uint64_t number)
{
    uint32_t slot = gateway__receipt_slot(g, number);
    return slot == MAP_NONE ? NULL : receipt_at(g, slot);
}

const struct gateway_receipt *gateway_receipt_by_text(const struct gateway *g, uint32_t provider,
                                                      struct span text)
{
    uint32_t slot = gateway__receipt_find(g, RECEIPT_BY_TEXT, provider, text);
    return slot == MAP_NONE ? NULL : receipt_at(g, slot);
}

/* ---- by the order that they are for ---- */

/* What was assigned is for its order; what waits, for the one that its payer named; what was taken
 * back is a payment's and counts there. */
static struct span order_of(const struct gateway *g, const struct gateway_receipt *r)
{
    return r->state == RECEIPT_ASSIGNED   ? gateway_text(g, r->order)
           : r->state == RECEIPT_SUSPENSE ? gateway_text(g, r->reference)
                                          : SPAN_EMPTY;
}

static uint64_t order_key(const struct gateway *g, const struct gateway_receipt *r)
{
    return gateway__text_key(provider_at(g, r->provider)->merchant, order_of(g, r));
}

/* One list for each hash, so that a receipt can leave it. Its state counts as well. */
static void order_link(struct gateway *g, uint32_t slot)
{
    struct gateway_receipt *r = receipt_at(g, slot);
    r->order_next = SLAB_NONE;
    r->order_previous = SLAB_NONE;
    if (r->state == 0) {
        return; /* its texts come first */
    }
    g->receipts_in[r->state]++;
    if (order_of(g, r).size == 0) {
        return;
    }
    uint32_t first = map_get(&g->receipt_by_order, order_key(g, r));
    if (first == MAP_NONE) {
        map_put(&g->receipt_by_order, order_key(g, r), slot);
        return;
    }
    r->order_previous = first;
    r->order_next = receipt_at(g, first)->order_next;
    receipt_at(g, first)->order_next = slot;
    if (r->order_next != SLAB_NONE) {
        receipt_at(g, r->order_next)->order_previous = slot;
    }
}

/* Before its state or order changes. */
static void order_unlink(struct gateway *g, uint32_t slot)
{
    const struct gateway_receipt *r = receipt_at(g, slot);
    g->receipts_in[r->state]--;
    if (order_of(g, r).size == 0) {
        return;
    }
    if (r->order_next != SLAB_NONE) {
        receipt_at(g, r->order_next)->order_previous = r->order_previous;
    }
    if (r->order_previous != SLAB_NONE) {
        receipt_at(g, r->order_previous)->order_next = r->order_next;
        return;
    }
    CHECK(map_get(&g->receipt_by_order, order_key(g, r)) == slot);
    CHECK(map_remove(&g->receipt_by_order, order_key(g, r)));
    if (r->order_next != SLAB_NONE) {
        map_put(&g->receipt_by_order, order_key(g, r), r->order_next);
    }
}

void gateway_order_money(const struct gateway *g, uint32_t merchant, struct span order,
                         struct gateway_order_money *out)
{
    uint32_t slot = map_get(&g->receipt_by_order, gateway__text_key(merchant, order));
    *out = (struct gateway_order_money){.latest = 0};
    for (; slot != MAP_NONE && slot != SLAB_NONE; slot = receipt_at(g, slot)->order_next) {
        const struct gateway_receipt *r = receipt_at(g, slot);
        if (provider_at(g, r->provider)->merchant != merchant ||
            !span_equal(order_of(g, r), order)) {
            continue; /* of another order with the same hash */
        }
        out->assigned_minor += r->state == RECEIPT_ASSIGNED ? r->amount_minor : 0;
        out->waiting_minor += r->state == RECEIPT_SUSPENSE ? r->amount_minor : 0;
        out->latest = r->number > out->latest ? r->number : out->latest;
    }
}

void gateway__receipt_index(struct gateway *g, uint32_t slot)
{
    const struct gateway_receipt *r = receipt_at(g, slot);
    uint32_t other;
    uint64_t key =
        receipt_place(g, RECEIPT_BY_TEXT, r->provider, gateway_text(g, r->receipt), &other);
    CHECK(other == MAP_NONE); /* one for each number (G10) */
    map_put(&g->receipt_by_text, key, slot);
    map_put(&g->receipt_by_number, r->number, slot);
    order_link(g, slot);
    if (r->reference == TEXT_NONE) {
        return;
    }
    key =
        receipt_place(g, RECEIPT_BY_REFERENCE, r->provider, gateway_text(g, r->reference), &other);
    if (other != MAP_NONE && receipt_at(g, other)->number > r->number) {
        return; /* the latest counts, in whatever order they are read */
    }
    if (other != MAP_NONE) {
        CHECK(map_remove(&g->receipt_by_reference, key));
    }
    map_put(&g->receipt_by_reference, key, slot);
}

/* ---- events ---- */

void gateway__touch_receipt(struct gateway *g, uint32_t slot)
{
    for (uint32_t i = 0; i < g->touched_receipt_count; i++) {
        if (g->touched_receipts[i] == slot) {
            return;
        }
    }
    CHECK(g->touched_receipt_count < GATEWAY_TOUCHED_RECEIPTS_MAX);
    g->touched_receipts[g->touched_receipt_count++] = slot;
}

static void apply_kept(struct gateway *g, const struct gateway_event *e)
{
    struct texts *texts = &g->book->texts;
    CHECK(e->receipt_kept.number == g->last_receipt + 1);
    uint32_t slot = slab_take(&g->receipts);
    struct gateway_receipt *r = receipt_at(g, slot);
    r->number = e->receipt_kept.number;
    r->provider = e->receipt_kept.provider;
    r->phone = e->receipt_kept.phone;
    r->receipt = texts_keep(texts, e->receipt_kept.receipt);
    r->reference = texts_keep(texts, e->receipt_kept.reference);
    r->party = texts_keep(texts, e->receipt_kept.party);
    r->first_notice = SLAB_NONE;
    r->last_notice = SLAB_NONE;
    uint32_t before =
        gateway__receipt_find(g, RECEIPT_BY_REFERENCE, r->provider, e->receipt_kept.reference);
    r->before = before == MAP_NONE ? SLAB_NONE : before;
    gateway__receipt_index(g, slot);
    g->last_receipt = r->number;
}

static void apply_receipt_created(struct gateway *g, uint32_t slot, const struct gateway_event *e,
                                  const struct frame_info *frame)
{
    struct gateway_receipt *r = receipt_at(g, slot);
    CHECK(r->state == 0);
    r->amount_minor = e->receipt_created.amount_minor;
    r->at_ns = e->receipt_created.at_ns;
    r->state = e->receipt_created.state;
    r->source = e->receipt_created.source;
    r->taken_ns = frame->time_ns;
    r->position = frame->position;
    if (r->state == RECEIPT_ASSIGNED) {
        r->order = texts_keep(&g->book->texts, gateway_text(g, r->reference));
    }
    order_link(g, slot);
}

void gateway__apply_receipt(struct gateway *g, const struct gateway_event *e,
                            const struct frame_info *frame)
{
    if (e->kind == EVENT_RECEIPT_KEPT) {
        apply_kept(g, e);
        return;
    }
    uint32_t slot = gateway__receipt_slot(g, e->receipt_created.number); /* of all the first */
    CHECK(slot != MAP_NONE);
    struct gateway_receipt *r = receipt_at(g, slot);
    switch (e->kind) {
    case EVENT_RECEIPT_CREATED: apply_receipt_created(g, slot, e, frame); break;
    case EVENT_RECEIPT_ASSIGNED:
        CHECK(r->state == RECEIPT_SUSPENSE);
        order_unlink(g, slot);
        r->state = RECEIPT_ASSIGNED;
        r->by_person = e->receipt_assigned.by_person;
        r->order = texts_keep(&g->book->texts, e->receipt_assigned.order);
        order_link(g, slot);
        break;
    case EVENT_RECEIPT_TAKEN_BACK:
        CHECK(r->state == RECEIPT_SUSPENSE || r->state == RECEIPT_ASSIGNED);
        order_unlink(g, slot);
        r->state = RECEIPT_TAKEN_BACK;
        g->receipts_in[RECEIPT_TAKEN_BACK]++;
        r->payment = e->receipt_taken_back.payment;
        break;
    default: UNREACHABLE("unknown event of a receipt");
    }
    gateway__touch_receipt(g, slot);
}

/* ---- G10 ---- */

void gateway__check_receipt(const struct gateway *g, uint32_t slot)
{
    const struct gateway_receipt *r = receipt_at(g, slot);
    const struct ledger *l = &g->book->ledger;
    const struct gateway_provider *a = provider_at(g, r->provider);
    const struct gateway_merchant *m = merchant_at(g, a->merchant);
    const struct entry *came = ledger_entry(l, gateway_receipt_transfer_id(r->number, 0));
    const struct entry *moved = ledger_entry(l, gateway_receipt_transfer_id(r->number, 1));
    const struct entry *back = ledger_entry(l, gateway_receipt_transfer_id(r->number, 2));
    uint32_t paid = gateway__find(g, TEXT_OF_RECEIPT, r->provider, gateway_text(g, r->receipt));
    CHECK(r->state >= RECEIPT_SUSPENSE && r->state <= RECEIPT_STATE_LAST);
    CHECK(gateway__receipt_slot(g, r->number) == slot);
    CHECK(came != NULL && came->amount_minor == r->amount_minor);
    CHECK(came->debit_account == a->clearing);
    CHECK(came->credit_account == m->wallet || came->credit_account == m->suspense);
    CHECK(IMPLIES(moved != NULL, came->credit_account == m->suspense));
    CHECK(IMPLIES(r->state == RECEIPT_SUSPENSE, moved == NULL));
    CHECK(IMPLIES(r->state == RECEIPT_ASSIGNED,
                  r->order != TEXT_NONE && (moved != NULL || came->credit_account == m->wallet)));
    CHECK((back != NULL) == (r->state == RECEIPT_TAKEN_BACK));
    CHECK(IMPLIES(back != NULL, back->amount_minor == r->amount_minor &&
                                    back->credit_account == a->clearing &&
                                    (back->debit_account == m->wallet) ==
                                        (moved != NULL || came->credit_account == m->wallet)));
    /* Never both have the money, be the payment in memory or not. */
    CHECK((paid != MAP_NONE) ==
          (r->state == RECEIPT_TAKEN_BACK && gateway__payment_slot(g, r->payment) != MAP_NONE));
    CHECK(IMPLIES(paid != MAP_NONE, payment_slot(g, paid)->number == r->payment));
    CHECK(r->notices > 0 && r->first_notice != SLAB_NONE);
    struct gateway_order_money money;
    gateway_order_money(g, a->merchant, order_of(g, r), &money);
    CHECK(IMPLIES(order_of(g, r).size > 0, money.latest >= r->number)); /* it is found */
}

void gateway__check_receipts(const struct gateway *g)
{
    uint64_t in[RECEIPT_STATE_LAST + 1] = {0};
    for (uint32_t i = slab_next(&g->receipts, 0); i != SLAB_NONE;
         i = slab_next(&g->receipts, i + 1)) {
        gateway__check_receipt(g, i);
        in[receipt_at(g, i)->state]++;
    }
    CHECK(memcmp(in, g->receipts_in, sizeof(in)) == 0);
    for (uint32_t i = slab_next(&g->merchants, 0); i != SLAB_NONE;
         i = slab_next(&g->merchants, i + 1)) {
        int64_t waiting_minor = 0;
        for (uint32_t n = slab_next(&g->receipts, 0); n != SLAB_NONE;
             n = slab_next(&g->receipts, n + 1)) {
            const struct gateway_receipt *r = receipt_at(g, n);
            bool waits = r->state == RECEIPT_SUSPENSE && provider_at(g, r->provider)->merchant == i;
            waiting_minor += waits ? r->amount_minor : 0;
        }
        CHECK(gateway_balance(g, merchant_at(g, i)->suspense) == waiting_minor);
    }
}
