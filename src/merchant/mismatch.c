/*
 * mismatch.c - a person's decision about a payment whose money is not as we asked (R6.10): it is
 * accepted with what really came, accepted and given back, or rejected because nothing came.
 *
 * Guarantees: what is booked is what the provider said, to the cent, once, and a receipt that has
 * the same money is taken back in the same decision: clearing is what lies at the provider. What
 * did not come to our short code, or is another payment's, is never booked; what came is never
 * rejected. Who decided and why stands in the journal, and a payment is decided about once.
 * Tests: tests/unit/test_merchant_mismatch.c, tests/e2e/351-gateway-mismatch.sh.
 */
#include "merchant/internal.h"

static bool says_paid(const struct gateway_notice *n)
{
    bool about = n->about == OBSERVED_PAYMENT || n->about == OBSERVED_RECEIPT;
    bool counts = n->effect == NOTICE_MOVED || n->effect == NOTICE_MISMATCH;
    return about && counts && n->verdict == OBSERVED_SUCCEEDED;
}

/* "Paid" without an amount says less than any claim that names one. */
static uint32_t weight_of_word(const struct gateway_notice *n)
{
    return observation_rank(n->source) + (n->amount_minor != 0 ? 100 : 0);
}

const struct gateway_notice *gateway_mismatch_claim(const struct gateway *g,
                                                    const struct gateway_payment *p)
{
    const struct gateway_notice *best = NULL;
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        const struct gateway_notice *n = notice_at(g, i);
        if (says_paid(n) && (best == NULL || weight_of_word(n) >= weight_of_word(best))) {
            best = n;
        }
    }
    return best;
}

/* What it would be booked with. */
static int64_t amount_of(const struct gateway_payment *p, const struct gateway_notice *n)
{
    return n->amount_minor != 0 ? n->amount_minor : p->amount_minor;
}

/* Does the money lie on our account, as far as the provider's words go? */
static bool is_ours(const struct gateway *g, const struct gateway_payment *p,
                    const struct gateway_notice *n)
{
    uint32_t owner = gateway__find(g, TEXT_OF_RECEIPT, p->provider, gateway_text(g, n->receipt));
    return (p->reason == REASON_AMOUNT || p->reason == REASON_PHONE) && owner == MAP_NONE &&
           amount_of(p, n) <= GATEWAY_AMOUNT_MAX;
}

/* Is it certain that money came? A confirmation of its own did, or somebody says so who is known:
 * not an unsigned callback or result. */
static bool has_come(const struct gateway *g, const struct gateway_payment *p,
                     const struct gateway_notice *n)
{
    const struct gateway_receipt *r =
        gateway_receipt_by_text(g, p->provider, gateway_text(g, n->receipt));
    bool arrived = r != NULL && r->state != RECEIPT_TAKEN_BACK;
    bool proven = observation_rank(n->source) > observation_rank(OBSERVED_BY_CALLBACK) &&
                  !gateway__is_unsigned(provider_at(g, p->provider)->kind, n->source);
    return is_ours(g, p, n) && (arrived || proven);
}

static enum gateway_refusal look(const struct gateway *g, const struct judgement_command *c,
                                 const struct gateway_payment *p, const struct gateway_notice *n)
{
    if (p->judgement != JUDGEMENT_NONE) {
        bool same = p->judgement == c->judgement && p->paid_minor == c->amount_minor;
        return same ? GATEWAY_REPEATED : GATEWAY_JUDGED;
    }
    if (p->state != GATEWAY_MISMATCHED || gateway_pays_out(p->method) || n == NULL) {
        return GATEWAY_NOT_WAITING;
    }
    if (c->judgement == JUDGEMENT_REJECT) {
        return has_come(g, p, n) ? GATEWAY_MONEY_CAME : GATEWAY_DONE;
    }
    if (p->reason == REASON_LEDGER) {
        return GATEWAY_NO_ROOM;
    }
    if (!is_ours(g, p, n)) {
        return GATEWAY_NOT_OURS;
    }
    if (c->amount_minor != amount_of(p, n)) {
        return GATEWAY_AMOUNT_DIFFERS;
    }
    return gateway__may_arrive(g, p->provider, c->amount_minor) ? GATEWAY_DONE : GATEWAY_NO_ROOM;
}

static void judged(struct gateway_decision *gd, const struct judgement_command *c, uint64_t notice)
{
    struct gateway_event kept = {.kind = EVENT_PAYMENT_JUDGE_KEPT};
    kept.payment_judge_kept.number = c->number;
    kept.payment_judge_kept.judge = c->judge;
    kept.payment_judge_kept.note = c->note;
    gateway__emit(gd, &kept);
    struct gateway_event e = {.kind = EVENT_PAYMENT_JUDGED};
    e.payment_judged.number = c->number;
    e.payment_judged.judgement = c->judgement;
    e.payment_judged.amount_minor = c->amount_minor;
    e.payment_judged.notice = notice;
    gateway__emit(gd, &e);
}

/* Source 0: whatever the provider says after it, counts more. */
static void reject(struct gateway_decision *gd, const struct gateway_payment *p)
{
    struct gateway_move m = {.state = GATEWAY_FAILED, .reason = REASON_PERSON};
    gateway__move(gd, p, &m);
    gateway__tell_payment(gd, p, FEED_PAYMENT_FAILED, false);
}

void gateway__decide_judgement(const struct gateway *g, struct decision *d)
{
    const struct judgement_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_payment *p = gateway_payment(g, c->number);
    reply->number = c->number;
    CHECK(c->judgement >= JUDGEMENT_ACCEPT && c->judgement <= JUDGEMENT_LAST);
    CHECK((c->amount_minor == 0) == (c->judgement == JUDGEMENT_REJECT));
    CHECK(c->judge.size > 0);
    if (p == NULL || p->merchant != c->merchant) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    const struct gateway_notice *n = gateway_mismatch_claim(g, p);
    reply->refusal = look(g, c, p, n);
    if (reply->refusal != GATEWAY_DONE) {
        return;
    }
    judged(&gd, c, n->number);
    if (c->judgement == JUDGEMENT_REJECT) {
        reject(&gd, p);
        return;
    }
    struct gateway_payment now = *p; /* as it stands after what this decision has written */
    now.judgement = c->judgement;
    now.paid_minor = c->amount_minor;
    struct observation claim = gateway__claim_of(g, n);
    claim.reference = SPAN_EMPTY;
    claim.has_fee = c->fee_minor > 0; /* which a notice does not keep but in its raw bytes */
    claim.fee_minor = c->fee_minor;
    CHECK(gateway__settle(&gd, &now, &claim, n->number, REASON_PERSON)); /* look: there is room */
    gateway__amount_settled(&gd, p->provider, claim.receipt);
}
