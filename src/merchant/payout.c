/*
 * payout.c - money that leaves: payouts (B2C) and refunds (reversal of a payment). The amount is
 * held from the decision that makes it until a definite end: posted when it succeeded, released
 * when it failed for certain; unknown stays held (R4.4).
 *
 * Ledger transfers of one: leg 4 the hold, 5 its end, 6 the money of a success that came after a
 * definite failure had released it, 7 the provider's fee.
 */
#include <string.h>

#include "merchant/internal.h"

/* Of an arrival its money can be assigned, released, taken back (or its payment reversed), and the
 * provider's charge is no more than it: less than five times what arrived, and what is paid out
 * twice, is ever posted at one account. So the ledger's sums cannot overflow (limits.h), and what
 * follows from what was booked is booked without asking again. */
bool gateway__may_arrive(const struct gateway *g, uint32_t provider, int64_t amount_minor)
{
    const struct account *clearing =
        ledger_account(&g->book->ledger, provider_at(g, provider)->clearing);
    CHECK(amount_minor > 0 && amount_minor <= GATEWAY_AMOUNT_MAX);
    return clearing->debits_posted <= GATEWAY_TURNOVER_MAX - amount_minor;
}

static bool has_fee(const struct observation *claim)
{
    return claim->has_fee && claim->fee_minor > 0 && claim->fee_minor <= GATEWAY_AMOUNT_MAX;
}

bool gateway__may_leave(const struct gateway *g, const struct gateway_payment *p,
                        const struct observation *claim)
{
    const struct account *clearing =
        ledger_account(&g->book->ledger, provider_at(g, p->provider)->clearing);
    int64_t all_minor = p->amount_minor + (has_fee(claim) ? claim->fee_minor : 0);
    CHECK(p->amount_minor > 0 && p->amount_minor <= GATEWAY_AMOUNT_MAX);
    return clearing->credits_posted <= 2 * GATEWAY_TURNOVER_MAX - all_minor;
}

bool gateway__post(struct gateway_decision *gd, const struct transfer *transfers, uint32_t count)
{
    struct ledger_plan plan;
    ledger_plan_init(&plan, &gd->g->book->ledger);
    plan.now_ns = gd->now_ns;
    for (uint32_t i = 0; i < count; i++) {
        if (ledger_plan_add(&plan, &transfers[i]) != LEDGER_OK) {
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct ledger_event e;
        ledger_plan_event(&plan, i, &e);
        decision_ledger(gd->d, &e);
    }
    return true;
}

static struct transfer leg_of(const struct gateway_payment *p, uint32_t leg, uint16_t kind)
{
    struct transfer t = {.id = gateway_transfer_id(p->number, leg),
                         .hold_id = gateway_transfer_id(p->number, 4),
                         .reference = p->number,
                         .amount_minor = p->amount_minor,
                         .kind = kind,
                         .code = GATEWAY_TRANSFER_PAYOUT};
    return t;
}

void gateway__release_hold(struct gateway_decision *gd, const struct gateway_payment *p)
{
    struct transfer t = leg_of(p, 5, TRANSFER_VOID_HOLD);
    if (gateway_pays_out(p->method)) {
        CHECK(gateway__post(gd, &t, 1)); /* it has no time limit, and ends here only */
    }
}

/* Where the money is: what its hold was on; but escrow that was released after the refund had
 * failed lies in the wallet. */
static uint32_t account_of(const struct gateway *g, const struct gateway_payment *p,
                           const struct entry *hold)
{
    const struct gateway_payment *original =
        gateway_is_refund(p->method) ? gateway_payment(g, p->overrides) : NULL;
    bool released = original != NULL && original->escrow == ESCROW_RELEASED;
    return released ? merchant_at(g, p->merchant)->wallet : hold->debit_account;
}

bool gateway__pay_out(struct gateway_decision *gd, const struct gateway_payment *p,
                      const struct observation *claim)
{
    const struct ledger *l = &gd->g->book->ledger;
    const struct entry *hold = ledger_entry(l, gateway_transfer_id(p->number, 4));
    const struct gateway_merchant *m = merchant_at(gd->g, p->merchant);
    struct transfer legs[2];
    uint32_t count = 1;
    CHECK(hold != NULL);
    bool held = hold->state == ENTRY_HOLD_OPEN;
    legs[0] = leg_of(p, held ? 5 : 6, held ? TRANSFER_POST_HOLD : TRANSFER_POST);
    legs[0].debit_account = account_of(gd->g, p, hold);
    legs[0].credit_account = hold->credit_account;
    if (has_fee(claim)) {
        legs[count] = leg_of(p, 7, TRANSFER_POST);
        legs[count].amount_minor = claim->fee_minor;
        legs[count].debit_account = m->fees;
        legs[count].credit_account = hold->credit_account;
        legs[count++].code = GATEWAY_TRANSFER_FEE;
    }
    return gateway__post(gd, legs, count);
}

/* Not found at the provider, so it may never have left. Sending it again is safe, because the
 * provider refuses an id that it has seen: whichever arrives first counts, and there is no second
 * payout (docs/merchant.md, "Payouts and refunds"). A reversal has no id of ours: never. */
void gateway__send_again(struct gateway_decision *gd, const struct gateway_payment *p,
                         const struct observation *claim)
{
    const struct outbox_item *item = outbox_item(&gd->g->book->outbox, p->item);
    /* However long it took to see that no answer comes: the timer may have been first. */
    bool lost = p->state == GATEWAY_UNCONFIRMED && p->reason != REASON_DUPLICATE &&
                p->provider_id == TEXT_NONE && (p->sending || p->resent > 0);
    bool no_trace =
        claim->source == OBSERVED_BY_STATUS && claim->reason == OBSERVED_REASON_NOT_FOUND;
    bool waits = item != NULL && item->state == OUTBOX_WAITING; /* it has not ended yet */
    if (p->method != METHOD_MPESA_B2C || !lost || !no_trace || waits ||
        p->resent == GATEWAY_RESENT_MAX) {
        return;
    }
    struct gateway_event e = {.kind = EVENT_PAYMENT_RESENT};
    e.payment_resent.number = p->number;
    e.payment_resent.item =
        gateway__queue(gd, CALL_PAYOUT, p->number, provider_at(gd->g, p->provider)->target);
    gateway__emit(gd, &e);
}

/* ---- making one ---- */

/* What it is paid from, and whether it may be; the original payment of a refund in *original. */
static enum gateway_refusal look_for_payout(const struct gateway *g, struct payout_command *c,
                                            uint32_t *account,
                                            const struct gateway_payment **original)
{
    const struct gateway_payment *p = c->refunds != 0 ? gateway_payment(g, c->refunds) : NULL;
    *account = merchant_at(g, c->merchant)->wallet;
    *original = p;
    if (c->refunds != 0) {
        if (p == NULL || p->merchant != c->merchant) {
            return GATEWAY_NOT_FOUND;
        }
        bool named = p->receipt != TEXT_NONE || p->method == METHOD_PAYSTACK;
        if (p->state != GATEWAY_SUCCEEDED || !named || gateway_pays_out(p->method)) {
            return GATEWAY_NOT_PAID;
        }
        const struct gateway_payment *before = gateway_payment(g, p->refund);
        if (before != NULL && before->state != GATEWAY_FAILED) {
            return GATEWAY_EXISTS;
        }
        c->provider = p->provider;
        c->amount_minor = gateway_paid_minor(p);
        c->phone = p->phone;
        c->reference = gateway_text(g, p->order);
        *account = p->escrow == ESCROW_HELD ? merchant_at(g, c->merchant)->escrow : *account;
    }
    if (!slab_is_used(&g->providers, c->provider) ||
        provider_at(g, c->provider)->merchant != c->merchant) {
        return GATEWAY_NO_PROVIDER;
    }
    int64_t free_minor = account_available(ledger_account(&g->book->ledger, *account));
    return free_minor < c->amount_minor ? GATEWAY_NO_MONEY : GATEWAY_DONE;
}

static uint8_t method_of(const struct gateway *g, const struct payout_command *c)
{
    bool at_paystack = provider_at(g, c->provider)->kind == OBSERVED_AT_PAYSTACK;
    return c->refunds == 0 ? METHOD_MPESA_B2C
           : at_paystack   ? METHOD_PAYSTACK_REFUND
                           : METHOD_MPESA_REVERSAL;
}

static void create_payout(struct gateway_decision *gd, const struct payout_command *c,
                          uint32_t account)
{
    struct payment_create_command opening = {
        .merchant = c->merchant,
        .provider = c->provider,
        .amount_minor = c->amount_minor,
        .phone = c->phone,
        .method = method_of(gd->g, c),
        .capture = CAPTURE_WALLET,
        .overrides = c->refunds,
        .order = c->reference,
        .description = c->description,
    };
    memcpy(opening.token, c->token, sizeof(opening.token));
    memcpy(opening.key, c->key, sizeof(opening.key));
    memcpy(opening.request, c->request, sizeof(opening.request));
    uint64_t number = gateway__open(gd, &opening, c->refunds != 0 ? CALL_REVERSAL : CALL_PAYOUT);
    struct gateway_payment made = {.number = number, .amount_minor = c->amount_minor};
    struct transfer hold = leg_of(&made, 4, TRANSFER_HOLD);
    hold.hold_id = 0;
    hold.debit_account = account;
    hold.credit_account = provider_at(gd->g, c->provider)->clearing;
    CHECK(gateway__post(gd, &hold, 1)); /* the money is there: look_for_payout() saw it */
    gateway__keep_front(gd, &c->front, number);
    gateway__opened(gd, &opening, number);
}

void gateway__decide_payout(const struct gateway *g, struct decision *d)
{
    struct payout_command c = *(const struct payout_command *)d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_payment *original;
    uint32_t account;
    CHECK(slab_is_used(&g->merchants, c.merchant));
    if (gateway__repeated(g, c.key, c.request, reply)) {
        return;
    }
    reply->refusal = look_for_payout(g, &c, &account, &original);
    if (reply->refusal != GATEWAY_DONE) {
        reply->number = original != NULL ? original->refund : 0;
        return;
    }
    CHECK(c.amount_minor > 0 && c.amount_minor <= GATEWAY_AMOUNT_MAX);
    if (gateway__unavailable(&gd, c.provider, reply)) {
        return;
    }
    create_payout(&gd, &c, account);
    reply->number = g->last_payment + 1;
}
