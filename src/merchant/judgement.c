/*
 * judgement.c - a person's decision about a payment whose money is not as we asked (R6.10), and
 * about one that nobody could find out about (R4.4): what was pushed, paid out or given back.
 *
 * Guarantees
 *  - Mismatched: it is accepted with what really came, accepted and given back, or rejected because
 *    nothing came. What is booked is what the provider said, to the cent, once, and a receipt that
 *    has the same money is taken back in the same decision: clearing is what lies at the provider.
 *    What did not come to our short code, or is another payment's, is never booked; what came is
 *    never rejected.
 *  - Unconfirmed, and a payout or refund that is mismatched: it is accepted as it was asked for,
 *    under the receipt that the person saw at the provider, which nothing else has; or rejected,
 *    but only when the ladder is at its end, nothing of it is under way, and nobody who is known
 *    says that money moved. A hold ends with it. What the provider says later counts more.
 *  - Who decided and why stands in the journal, and a payment is decided about once.
 * Tests: tests/unit/test_merchant_mismatch.c, tests/unit/test_merchant_unknown.c,
 * tests/e2e/351-gateway-mismatch.sh, tests/e2e/352-gateway-unknown.sh.
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

/* Somebody says so who is known: not an unsigned callback or result. */
static bool is_proven(const struct gateway *g, const struct gateway_payment *p,
                      const struct gateway_notice *n)
{
    return observation_rank(n->source) > observation_rank(OBSERVED_BY_CALLBACK) &&
           !gateway__is_unsigned(provider_at(g, p->provider)->kind, n->source);
}

/* Is it certain that money came? Its own confirmation did, or somebody says so who is known. */
static bool has_come(const struct gateway *g, const struct gateway_payment *p,
                     const struct gateway_notice *n)
{
    const struct gateway_receipt *r =
        gateway_receipt_by_text(g, p->provider, gateway_text(g, n->receipt));
    bool arrived = r != NULL && r->state != RECEIPT_TAKEN_BACK;
    return is_ours(g, p, n) && (arrived || is_proven(g, p, n));
}

/* About a mismatch of money that came. */
static enum gateway_refusal look_at_mismatch(const struct gateway *g,
                                             const struct judgement_command *c,
                                             const struct gateway_payment *p,
                                             const struct gateway_notice *n)
{
    CHECK(p->state == GATEWAY_MISMATCHED);
    CHECK(!gateway_pays_out(p->method));
    if (n == NULL) {
        return GATEWAY_NOT_WAITING;
    }
    if (c->receipt.size > 0) {
        return GATEWAY_RECEIPT_WRONG; /* the one that was claimed counts */
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

/* ---- what only the provider's own books can tell ---- */

static bool is_unknown(const struct gateway_payment *p)
{
    return p->state == GATEWAY_UNCONFIRMED ||
           (p->state == GATEWAY_MISMATCHED && gateway_pays_out(p->method));
}

/* Is it being found out, or may it still leave? */
static bool is_under_way(const struct gateway *g, const struct gateway_payment *p)
{
    const struct outbox_item *item = outbox_item(&g->book->outbox, p->item);
    return !p->attention || p->question != 0 || (item != NULL && item->state == OUTBOX_WAITING);
}

/* Its own confirmation came, or somebody who is known says that its money moved. */
static bool has_moved(const struct gateway *g, const struct gateway_payment *p)
{
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        const struct gateway_notice *n = notice_at(g, i);
        bool about = n->effect == NOTICE_MOVED || n->effect == NOTICE_MISMATCH;
        if (about && n->verdict == OBSERVED_SUCCEEDED && is_proven(g, p, n)) {
            return true;
        }
    }
    return !gateway_pays_out(p->method) && gateway__receipt_that_fits(g, p).size > 0;
}

/* Is the receipt nobody's, and the money not booked otherwise? */
static bool may_be_its(const struct gateway *g, const struct gateway_payment *p,
                       struct span receipt)
{
    if (!gateway_pays_out(p->method)) {
        return gateway__receipt_may_be_of(g, p, receipt);
    }
    const struct gateway_payment *original =
        gateway_is_refund(p->method) ? gateway_payment(g, p->overrides) : NULL;
    bool gone = original != NULL && original->state != GATEWAY_SUCCEEDED;
    return !gone && gateway__find(g, TEXT_OF_RECEIPT, p->provider, receipt) == MAP_NONE &&
           gateway_receipt_by_text(g, p->provider, receipt) == NULL;
}

/* What a person saw at the provider, as a claim. */
static struct observation seen_at_provider(const struct gateway_payment *p,
                                           const struct judgement_command *c)
{
    struct observation claim = {
        .kind = gateway_is_refund(p->method)  ? OBSERVED_REFUND
                : gateway_pays_out(p->method) ? OBSERVED_PAYOUT
                                              : OBSERVED_PAYMENT,
        .verdict = OBSERVED_SUCCEEDED,
        .receipt = c->receipt,
        .has_amount = true,
        .amount_minor = c->amount_minor,
    };
    return claim;
}

static enum gateway_refusal look_at_unknown(const struct gateway *g,
                                            const struct judgement_command *c,
                                            const struct gateway_payment *p)
{
    bool leaves = gateway_pays_out(p->method);
    CHECK(is_unknown(p));
    if (c->judgement == JUDGEMENT_REFUND && leaves) {
        return GATEWAY_NOT_WAITING; /* there is nothing that could be given back */
    }
    if ((c->receipt.size > 0) != (c->judgement != JUDGEMENT_REJECT)) {
        return GATEWAY_RECEIPT_WRONG;
    }
    if (c->judgement == JUDGEMENT_REJECT) {
        return has_moved(g, p)      ? GATEWAY_MONEY_CAME
               : is_under_way(g, p) ? GATEWAY_STILL_ASKED
                                    : GATEWAY_DONE;
    }
    if (c->amount_minor != p->amount_minor) {
        return GATEWAY_AMOUNT_DIFFERS;
    }
    if (!may_be_its(g, p, c->receipt)) {
        return GATEWAY_NOT_OURS;
    }
    struct observation claim = seen_at_provider(p, c);
    bool room = leaves ? gateway__may_leave(g, p, &claim)
                       : gateway__may_arrive(g, p->provider, c->amount_minor);
    return room ? GATEWAY_DONE : GATEWAY_NO_ROOM;
}

/* ---- deciding ---- */

static enum gateway_refusal look(const struct gateway *g, const struct judgement_command *c,
                                 const struct gateway_payment *p, const struct gateway_notice *n)
{
    if (p->judgement != JUDGEMENT_NONE) {
        bool same = p->judgement == c->judgement && p->paid_minor == c->amount_minor &&
                    (c->receipt.size == 0 || span_equal(gateway_text(g, p->receipt), c->receipt));
        return same ? GATEWAY_REPEATED : GATEWAY_JUDGED;
    }
    if (is_unknown(p)) {
        return look_at_unknown(g, c, p);
    }
    return p->state == GATEWAY_MISMATCHED ? look_at_mismatch(g, c, p, n) : GATEWAY_NOT_WAITING;
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
    gateway__release_hold(gd, p);
    gateway__move(gd, p, &m);
    gateway__tell_payment(gd, p, FEED_PAYMENT_FAILED, false);
}

/* The claim that is booked: the provider's, or what the person saw. */
static struct observation claim_that_counts(const struct gateway *g,
                                            const struct judgement_command *c,
                                            const struct gateway_payment *p,
                                            const struct gateway_notice *n)
{
    if (n == NULL) {
        return seen_at_provider(p, c);
    }
    struct observation claim = gateway__claim_of(g, n);
    claim.reference = SPAN_EMPTY;
    claim.has_fee = c->fee_minor > 0; /* which a notice does not keep but in its raw bytes */
    claim.fee_minor = c->fee_minor;
    return claim;
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
    const struct gateway_notice *n = is_unknown(p) ? NULL : gateway_mismatch_claim(g, p);
    reply->refusal = look(g, c, p, n);
    if (reply->refusal != GATEWAY_DONE) {
        return;
    }
    uint64_t notice = n == NULL ? 0 : n->number;
    judged(&gd, c, notice);
    if (c->judgement == JUDGEMENT_REJECT) {
        reject(&gd, p);
        return;
    }
    struct gateway_payment now = *p; /* as it stands after what this decision has written */
    now.judgement = c->judgement;
    now.paid_minor = c->amount_minor;
    const struct observation claim = claim_that_counts(g, c, p, n);
    CHECK(gateway__settle(&gd, &now, &claim, notice, REASON_PERSON)); /* look: there is room */
    gateway__money_settled(&gd, p, claim.receipt);
}
