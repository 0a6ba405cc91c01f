/*
 * check.c - the operator's invariants, as operator.h numbers them.
 */
#include <string.h>

#include "operator/internal.h"

/* O2: the money of a payment moved once and exactly, or not at all. */
static void check_money(const struct operator_state *o, const struct stk_payment *p)
{
    const struct entry *e = ledger_entry(&o->book->ledger, payment_transfer_id(p->number, 0));
    CHECK((e != NULL) == (p->state == STK_SUCCESS));
    if (e == NULL) {
        return;
    }
    const struct organisation *payee = operator_organisation(o, p->party_b);
    CHECK(payee != NULL);
    CHECK(e->state == ENTRY_POSTED && e->transfer.amount_minor == p->amount_minor);
    CHECK(e->transfer.debit_account == subscriber_at(o, p->subscriber)->account);
    CHECK(e->transfer.credit_account == payee->accounts[ACCOUNT_UTILITY]);
    CHECK(map_get(&o->by_receipt, operator__receipt_key(p->receipt_day, p->receipt)) != MAP_NONE);
}

/* O1 to O5 and O7 of one payment. */
static void check_payment(const struct operator_state *o, uint32_t slot)
{
    const struct stk_payment *p = payment_at(o, slot);
    CHECK(p->state >= STK_PENDING && p->state <= STK_STATE_CANCELLED);
    bool final = stk_state_final(p->state);
    CHECK(final == (p->outcome != STK_OPEN));
    CHECK(IMPLIES(final, stk_outcome_state(p->outcome) == (enum stk_state)p->state));
    CHECK(map_get(&o->by_number, p->number) == slot);
    check_money(o, p);
    CHECK(final == (p->delivery != 0)); /* O3 */
    if (final) {
        const struct outbox_item *item = outbox_item(&o->book->outbox, p->delivery);
        CHECK(item != NULL && item->subject == p->number);
    }
    CHECK((subscriber_at(o, p->subscriber)->open_payment == slot) == !final); /* O4 */
    CHECK((p->timer != TIMERS_NOWHERE) == (p->state == STK_PROCESSING));      /* O5 */
    bool waits =
        p->state == STK_PENDING || (p->state == STK_PROCESSING && p->answer != ANSWER_NONE);
    CHECK(p->queued == waits); /* O6 */
}

void operator__check_touched(void *state)
{
    struct operator_state *o = state;
    for (uint32_t i = 0; i < o->touched_count; i++) {
        check_payment(o, o->touched[i]);
    }
    o->touched_count = 0;
}

static void check_queue(const struct operator_state *o)
{
    uint32_t count = 0;
    uint32_t last = SLAB_NONE;
    for (uint32_t i = o->queue_head; i != SLAB_NONE; count++) {
        CHECK(count < o->queued);
        last = i;
        i = payment_at(o, i)->next;
    }
    CHECK(count == o->queued && last == o->queue_tail);
}

void operator__check(const void *state)
{
    const struct operator_state *o = state;
    uint32_t open = 0;
    uint32_t queued = 0;
    uint32_t processing = 0;
    uint64_t paid = 0;
    for (uint32_t i = slab_next(&o->payments, 0); i != SLAB_NONE;
         i = slab_next(&o->payments, i + 1)) {
        const struct stk_payment *p = payment_at(o, i);
        check_payment(o, i);
        open += !stk_state_final(p->state);
        queued += p->queued;
        processing += p->state == STK_PROCESSING;
        paid += p->state == STK_SUCCESS;
    }
    CHECK(open == o->open && queued == o->queued && processing == o->prompts.count);
    CHECK(paid == o->ended[STK_PAID]);
    CHECK(paid == map_count(&o->by_receipt)); /* O7 */
    CHECK(map_count(&o->by_checkout) == o->payments.used);
    check_queue(o);
    timers_check(&o->prompts);
    for (uint32_t i = slab_next(&o->subscribers, 0); i != SLAB_NONE;
         i = slab_next(&o->subscribers, i + 1)) {
        const struct subscriber *s = subscriber_at(o, i);
        CHECK(map_get(&o->by_msisdn, s->msisdn) == i);
        CHECK(
            IMPLIES(s->open_payment != SLAB_NONE, payment_at(o, s->open_payment)->subscriber == i));
    }
}
