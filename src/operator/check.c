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
    CHECK(e->state == ENTRY_POSTED && e->amount_minor == p->amount_minor);
    CHECK(e->debit_account == subscriber_at(o, p->subscriber)->account);
    CHECK(e->credit_account == payee->accounts[ACCOUNT_UTILITY]);
    CHECK(map_get(&o->by_receipt, operator__receipt_key(p->receipt_day, p->receipt)) != MAP_NONE);
}

/* O1: what has happened, happened in the order of the arrows, and nothing else has. */
static void check_steps(const struct stk_payment *p)
{
    bool prompted = p->state == STK_PROCESSING || p->step_position[STEP_PROMPTED] != 0;
    uint64_t position = p->step_position[STEP_ACCEPTED];
    CHECK(position != 0);
    CHECK(IMPLIES(p->state == STK_PENDING, !prompted));
    CHECK(IMPLIES(p->state == STK_SUCCESS || p->state == STK_STATE_CANCELLED, prompted));
    CHECK(stk_state_final(p->state) == (p->step_position[STEP_ENDED] != 0));
    if (prompted) {
        CHECK(p->step_position[STEP_PROMPTED] > position);
        CHECK(p->step_ns[STEP_PROMPTED] >= p->step_ns[STEP_ACCEPTED]);
        position = p->step_position[STEP_PROMPTED];
    }
    if (stk_state_final(p->state)) {
        CHECK(p->step_position[STEP_ENDED] > position);
        CHECK(p->step_ns[STEP_ENDED] >= p->step_ns[STEP_ACCEPTED]);
    }
}

/* O3: as many callbacks as there must be, each about this payment. */
static void check_callbacks(const struct operator_state *o, const struct stk_payment *p)
{
    uint32_t count = payment_callbacks(o, p);
    CHECK((count > 0) == (p->delivery != 0));
    for (uint32_t i = 0; i < count; i++) {
        const struct outbox_item *item = outbox_item(&o->book->outbox, p->delivery + i);
        CHECK(item != NULL);
        CHECK(item->subject == p->number);
        CHECK((item->kind & ~MESSAGE_RULED) == MESSAGE_STK_CALLBACK);
        CHECK(IMPLIES(item->kind != MESSAGE_STK_CALLBACK, p->ruled != TEXT_NONE));
    }
}

/* O1 to O7 of one payment. */
static void check_payment(const struct operator_state *o, uint32_t slot)
{
    const struct stk_payment *p = payment_at(o, slot);
    CHECK(p->state >= STK_PENDING && p->state <= STK_STATE_CANCELLED);
    bool final = stk_state_final(p->state);
    CHECK(final == (p->outcome != STK_OPEN));
    CHECK(IMPLIES(final, stk_outcome_state(p->outcome) == (enum stk_state)p->state));
    CHECK(map_get(&o->by_number, p->number) == slot);
    check_money(o, p);
    check_callbacks(o, p);
    CHECK((subscriber_at(o, p->subscriber)->open_payment == slot) == !final); /* O4 */
    CHECK((p->timer != TIMERS_NOWHERE) == (p->state == STK_PROCESSING));      /* O5 */
    if (p->timer != TIMERS_NOWHERE) {
        CHECK(p->timer < o->prompts.count);
        CHECK(o->prompts.entries[p->timer].id == prompt_timer_id(p, slot));
        CHECK(o->prompts.entries[p->timer].due_ns == operator__prompt_due(o, p));
    }
    bool waits =
        p->state == STK_PENDING || (p->state == STK_PROCESSING && p->answer != ANSWER_NONE);
    CHECK(p->queued == waits); /* O6 */
    if (p->reversal != 0) {    /* Q8 */
        const struct operator_request *reversal = operator_request(o, p->reversal);
        CHECK(reversal != NULL);
        CHECK(reversal->kind == REQUEST_REVERSAL && reversal->has_receipt);
        CHECK(reversal->original == request_original_payment(p->number));
    }
    check_steps(p);
}

void operator__check_touched(void *state)
{
    struct operator_state *o = state;
    for (uint32_t i = 0; i < o->touched_count; i++) {
        check_payment(o, o->touched[i]);
    }
    o->touched_count = 0;
    operator__check_requests_touched(o);
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

/* The closed ones in memory stand in their order, each once. */
static void check_closed(const struct operator_state *o)
{
    uint32_t count = 0;
    uint32_t last = SLAB_NONE;
    for (uint32_t i = o->closed_head; i != SLAB_NONE; count++) {
        CHECK(count < o->closed);
        CHECK(payment_at(o, i)->before == last);
        CHECK(stk_state_final(payment_at(o, i)->state));
        last = i;
        i = payment_at(o, i)->next;
    }
    CHECK(count == o->closed && last == o->closed_tail);
    CHECK(o->closed + o->open == o->payments.used);
}

/* O4 and O8 of one subscriber. */
static void check_subscriber(const struct operator_state *o, uint32_t slot)
{
    const struct subscriber *s = subscriber_at(o, slot);
    CHECK(map_get(&o->by_msisdn, s->msisdn) == slot);
    CHECK(s->status <= SUBSCRIBER_SUSPENDED);
    CHECK(s->day_spent_minor >= 0);
    if (s->open_payment != SLAB_NONE) {
        CHECK(payment_at(o, s->open_payment)->subscriber == slot);
        CHECK(!stk_state_final(payment_at(o, s->open_payment)->state));
    }
    if (s->open_request != SLAB_NONE) { /* Q7 */
        CHECK(s->open_payment == SLAB_NONE);
        CHECK(slab_is_used(&o->requests, s->open_request));
        CHECK(request_at(o, s->open_request)->phone == slot);
        CHECK(request_at(o, s->open_request)->state == STK_PROCESSING);
    }
    if (s->status != SUBSCRIBER_UNREGISTERED) {
        const struct account *wallet = ledger_account(&o->book->ledger, s->account);
        CHECK(wallet != NULL);
        CHECK(wallet->owner == slot);
        CHECK(wallet->code == CODE_WALLET);
        CHECK(account_available(wallet) >= 0);
    }
}

static void check_organisation(const struct operator_state *o, uint32_t slot)
{
    const struct organisation *g = organisation_at(o, slot);
    CHECK(map_get(&o->by_short_code, g->short_code) == slot);
    CHECK(g->nominated == SLAB_NONE || slab_is_used(&o->subscribers, g->nominated));
    CHECK(g->queue_delay_ns >= 0 && g->queue_delay_ns <= OPERATOR_QUEUE_DELAY_MAX);
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        const struct account *a = ledger_account(&o->book->ledger, g->accounts[i]);
        CHECK(a != NULL);
        CHECK(a->owner == g->short_code);
        CHECK(a->code == CODE_UTILITY + i);
    }
}

/* O7: every look-up by an id that was handed out leads back to the payment. */
static void check_lookups(const struct operator_state *o, uint32_t slot)
{
    const struct stk_payment *p = payment_at(o, slot);
    char text[ID_TEXT_SIZE];
    payment_checkout_id(o, p, text);
    CHECK(operator_payment_by_checkout(o, span_from(text)) == p);
    CHECK(operator_payment(o, p->number) == p);
    if (p->state == STK_SUCCESS) {
        uint64_t key = operator__receipt_key(p->receipt_day, p->receipt);
        CHECK(map_get(&o->by_receipt, key) == slot);
    }
    uint32_t latest = map_get(&o->by_fingerprint, operator__fingerprint_key(p->fingerprint));
    CHECK(IMPLIES(latest == MAP_NONE, operator_left(o) > 0)); /* a later one with it left */
    CHECK(latest == MAP_NONE || payment_at(o, latest)->number >= p->number);
}

static void check_people(const struct operator_state *o)
{
    uint32_t busy = 0;
    for (uint32_t i = slab_next(&o->subscribers, 0); i != SLAB_NONE;
         i = slab_next(&o->subscribers, i + 1)) {
        check_subscriber(o, i);
        busy += subscriber_at(o, i)->open_payment != SLAB_NONE;
    }
    CHECK(busy == o->open); /* O4 */
    CHECK(map_count(&o->by_msisdn) == o->subscribers.used);
    for (uint32_t i = slab_next(&o->organisations, 0); i != SLAB_NONE;
         i = slab_next(&o->organisations, i + 1)) {
        check_organisation(o, i);
    }
    CHECK(map_count(&o->by_short_code) == o->organisations.used);
    slab_check(&o->subscribers);
    slab_check(&o->organisations);
    map_check(&o->by_msisdn);
    map_check(&o->by_short_code);
}

static void check_tables(const struct operator_state *o)
{
    CHECK(map_count(&o->by_receipt) + o->left[STK_PAID] == o->ended[STK_PAID]); /* O7 */
    CHECK(map_count(&o->by_checkout) == o->payments.used);
    CHECK(map_count(&o->by_number) == o->payments.used);
    CHECK(o->last_payment == o->payments.used + operator_left(o)); /* numbers have no gaps */
    map_check(&o->by_number);
    map_check(&o->by_checkout);
    map_check(&o->by_receipt);
    map_check(&o->by_fingerprint);
    slab_check(&o->payments);
    timers_check(&o->prompts);
}

void operator__check(const void *state)
{
    const struct operator_state *o = state;
    uint32_t open = 0;
    uint32_t queued = 0;
    uint32_t processing = 0;
    uint64_t ended[STK_OUTCOMES_MAX] = {0};
    for (uint32_t i = slab_next(&o->payments, 0); i != SLAB_NONE;
         i = slab_next(&o->payments, i + 1)) {
        const struct stk_payment *p = payment_at(o, i);
        check_payment(o, i);
        check_lookups(o, i);
        open += !stk_state_final(p->state);
        queued += p->queued;
        processing += p->state == STK_PROCESSING;
        ended[p->outcome]++;
    }
    CHECK(open == o->open);
    CHECK(queued == o->queued);
    CHECK(processing == o->prompts.count);
    ended[STK_OPEN] = 0;
    for (uint32_t i = 0; i < sizeof(ended) / sizeof(ended[0]); i++) {
        ended[i] += o->left[i];
    }
    CHECK(memcmp(ended, o->ended, sizeof(ended)) == 0);
    operator__rules_check(o);
    check_queue(o);
    check_closed(o);
    check_tables(o);
    check_people(o);
    operator__check_requests(o);
    operator__check_standing_orders(o);
    operator__check_invoices(o);
    operator__check_paystack(o);
    operator__check_incomes(o);
}
