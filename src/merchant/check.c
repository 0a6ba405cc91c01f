/*
 * check.c - the merchant book's invariants, as merchant.h numbers them.
 */
#include "merchant/internal.h"

/* G2 of payouts and refunds: held while it is open, posted when it succeeded, else released. */
static void check_out(const struct gateway *g, const struct gateway_payment *p)
{
    const struct entry *hold = ledger_entry(&g->book->ledger, gateway_transfer_id(p->number, 4));
    const struct entry *late = ledger_entry(&g->book->ledger, gateway_transfer_id(p->number, 6));
    CHECK(hold != NULL && hold->amount_minor == p->amount_minor);
    CHECK(hold->credit_account == provider_at(g, p->provider)->clearing);
    bool paid = p->entered_position[GATEWAY_SUCCEEDED] != 0;
    if (paid) {
        const struct entry *end = ledger_entry(&g->book->ledger, gateway_transfer_id(p->number, 5));
        const struct entry *moved = late != NULL ? late : end;
        CHECK((hold->state == ENTRY_HOLD_POSTED) == (late == NULL));
        CHECK(moved != NULL && moved->amount_minor == p->amount_minor);
    } else {
        CHECK(late == NULL);
        CHECK((hold->state == ENTRY_HOLD_OPEN) == !gateway_state_ended(p->state));
    }
}

/* G2: the money of a payment was booked once and exactly, or not at all. */
static void check_money(const struct gateway *g, const struct gateway_payment *p)
{
    const struct entry *e = ledger_entry(&g->book->ledger, gateway_transfer_id(p->number, 0));
    bool paid = p->entered_position[GATEWAY_SUCCEEDED] != 0;
    if (gateway_pays_out(p->method)) {
        CHECK(e == NULL);
        check_out(g, p);
        return;
    }
    CHECK((e != NULL) == paid);
    if (e == NULL) {
        return;
    }
    const struct gateway_merchant *m = merchant_at(g, p->merchant);
    CHECK(e->state == ENTRY_POSTED);
    CHECK(e->amount_minor == gateway_paid_minor(p));
    CHECK(e->debit_account == provider_at(g, p->provider)->clearing);
    CHECK(e->credit_account == (p->capture == CAPTURE_ESCROW ? m->escrow : m->wallet));
    const struct entry *back = ledger_entry(&g->book->ledger, gateway_transfer_id(p->number, 2));
    CHECK((back != NULL) == (p->state == GATEWAY_REVERSED && p->reason != REASON_REFUNDED));
}

/* G1, G3, G4, G9. */
static void check_payment(const struct gateway *g, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    bool ended = gateway_state_ended(p->state);
    CHECK(p->entered_position[p->state] != 0);
    CHECK(p->entered_position[GATEWAY_CREATED] != 0);
    CHECK(IMPLIES(p->sending, p->entered_position[GATEWAY_SUBMITTED] != 0));
    CHECK((p->timer != TIMERS_NOWHERE) == (p->due_ns != 0));
    CHECK(IMPLIES(ended, p->due_ns == 0));
    CHECK(IMPLIES(!ended, p->due_ns != 0 || p->attention));
    CHECK(IMPLIES(p->paid_minor != 0, p->entered_position[GATEWAY_SUCCEEDED] != 0));
    CHECK(IMPLIES(p->judgement != 0, p->judge != TEXT_NONE && p->state > GATEWAY_MISMATCHED));
    CHECK(IMPLIES(p->late, p->entered_position[GATEWAY_SUCCEEDED] != 0));
    CHECK(gateway__payment_slot(g, p->number) == slot);
    CHECK(gateway_payment_by_token(g, p->token) == p);
    CHECK((p->first_notice == SLAB_NONE) == (p->notices == 0));
    CHECK((p->front_item != 0) == (p->front_url != TEXT_NONE && ended)); /* G9 */
    check_money(g, p);
}

void gateway__check_touched(void *state)
{
    const struct gateway *g = state;
    if (g->touched_position != g->book->position) {
        return;
    }
    for (uint32_t i = 0; i < g->touched_count; i++) {
        check_payment(g, g->touched[i]);
    }
    for (uint32_t i = 0; i < g->touched_receipt_count; i++) {
        gateway__check_receipt(g, g->touched_receipts[i]);
    }
}

/* G5: of an order at most one is open, but for those that somebody overrode. */
static void check_order(const struct gateway *g, const struct gateway_payment *latest)
{
    uint32_t open = 0;
    uint32_t overrides = 0;
    for (const struct gateway_payment *p = latest; p != NULL; p = gateway_payment_before(g, p)) {
        open += !gateway_state_ended(p->state);
        overrides += p->overrides != 0;
    }
    CHECK(open <= overrides + 1);
}

static void check_notices(const struct gateway *g)
{
    uint64_t orphans = 0;
    uint64_t linked = 0;
    for (uint32_t i = g->orphan_first; i != SLAB_NONE; i = notice_at(g, i)->next) {
        CHECK(notice_at(g, i)->payment == 0);
        orphans++;
    }
    CHECK(orphans == g->orphans);
    for (uint32_t i = slab_next(&g->payments, 0); i != SLAB_NONE;
         i = slab_next(&g->payments, i + 1)) {
        const struct gateway_payment *p = payment_slot(g, i);
        uint32_t notices = 0;
        for (uint32_t n = p->first_notice; n != SLAB_NONE; n = notice_at(g, n)->next) {
            CHECK(notice_at(g, n)->payment == p->number);
            notices++;
        }
        CHECK(notices == p->notices);
        linked += notices;
    }
    for (uint32_t i = slab_next(&g->receipts, 0); i != SLAB_NONE;
         i = slab_next(&g->receipts, i + 1)) {
        uint32_t notices = 0;
        for (uint32_t n = receipt_at(g, i)->first_notice; n != SLAB_NONE;
             n = notice_at(g, n)->next) {
            CHECK(notice_at(g, n)->payment == 0);
            notices++;
        }
        CHECK(notices == receipt_at(g, i)->notices);
        linked += notices;
    }
    CHECK(linked + orphans == g->notices.used); /* G6 */
}

static void check_webhooks(const struct gateway *g)
{
    for (uint32_t i = slab_next(&g->webhooks, 0); i != SLAB_NONE;
         i = slab_next(&g->webhooks, i + 1)) {
        const struct gateway_webhook *w = webhook_at(g, i);
        CHECK(gateway__webhook_find(g, webhook_subject(w->seq, w->endpoint)) == i);
        CHECK(IMPLIES(w->item != 0, outbox_item(&g->book->outbox, w->item) != NULL));
        CHECK(IMPLIES(w->next != SLAB_NONE, webhook_at(g, w->next)->item == 0)); /* G8 */
        CHECK(IMPLIES(w->next != SLAB_NONE, webhook_at(g, w->next)->chain == w->chain));
    }
}

void gateway__check(const void *state)
{
    const struct gateway *g = state;
    uint32_t open = 0;
    uint32_t attention = 0;
    for (uint32_t i = slab_next(&g->payments, 0); i != SLAB_NONE;
         i = slab_next(&g->payments, i + 1)) {
        const struct gateway_payment *p = payment_slot(g, i);
        check_payment(g, i);
        gateway__check_shown(g, i);
        open += !gateway_state_ended(p->state);
        attention += p->attention;
        if (!gateway_pays_out(p->method) &&
            gateway__find(g, TEXT_OF_ORDER, p->merchant, gateway_text(g, p->order)) == i) {
            check_order(g, p);
        }
    }
    CHECK(open == g->open);
    CHECK(g->payments.used + g->left == g->entered[GATEWAY_CREATED]); /* G11 */
    CHECK(g->closed == g->payments.used - open);
    CHECK(attention == g->attention);
    CHECK(gateway__count_paid(g) == g->paid && g->repaired <= g->paid);
    CHECK(g->feed.used == g->last_seq); /* G7 */
    check_notices(g);
    gateway__check_receipts(g);
    gateway__check_discrepancies(g);
    check_webhooks(g);
    timers_check(&g->due);
}
