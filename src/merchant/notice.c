/*
 * notice.c - the one door for every inbound claim: kept with its raw bytes, recognised when it has
 * come before, and applied, all in one decision (R5.3). What a claim may do to a payment is decided
 * here and nowhere else.
 */
#include <string.h>

#include "merchant/internal.h"

static struct span cut(struct span text, size_t max)
{
    text.size = text.size < max ? text.size : max;
    return text;
}

struct observation gateway__cut(const struct observation *claim)
{
    struct observation short_one = *claim;
    short_one.account_reference = cut(claim->account_reference, GATEWAY_ID_MAX);
    short_one.party = cut(claim->party, GATEWAY_ID_MAX);
    short_one.reference = cut(claim->reference, GATEWAY_ID_MAX);
    short_one.second_reference = cut(claim->second_reference, GATEWAY_ID_MAX);
    short_one.original_receipt = cut(claim->original_receipt, GATEWAY_ID_MAX);
    short_one.receipt = cut(claim->receipt, GATEWAY_ID_MAX);
    short_one.code = cut(claim->code, GATEWAY_CODE_MAX);
    short_one.words = cut(claim->words, GATEWAY_WORDS_MAX);
    return short_one;
}

/* ---- what a claim does to a payment ---- */

/* The phone that was asked: but a person may have accepted what another one paid, and a refund goes
 * to whoever paid. */
static bool is_of_phone(const struct gateway *g, const struct gateway_payment *p)
{
    const struct gateway_payment *paid =
        gateway_is_refund(p->method) ? gateway_payment(g, p->overrides) : p;
    return paid == NULL || paid->judgement == JUDGEMENT_NONE || paid->judgement == JUDGEMENT_REJECT;
}

/* Money that is booked already needs no room. */
static bool has_room(const struct gateway *g, const struct gateway_payment *p,
                     const struct observation *claim)
{
    bool booked = p->state == GATEWAY_SUCCEEDED || p->state == GATEWAY_REVERSED;
    return booked || (gateway_pays_out(p->method)
                          ? gateway__may_leave(g, p, claim)
                          : gateway__may_arrive(g, p->provider, gateway_paid_minor(p)));
}

/* R6.10: the money must be what we asked for, from whom we asked, to where we asked. 0: it is. */
static uint8_t objection(const struct gateway *g, const struct gateway_payment *p,
                         const struct observation *claim)
{
    const struct gateway_provider *provider = provider_at(g, p->provider);
    uint32_t payee = provider->party_b != 0 ? provider->party_b : provider->short_code;
    if (claim->has_amount && claim->amount_minor != gateway_paid_minor(p)) {
        return REASON_AMOUNT;
    }
    if (claim->currency[0] != '\0' && memcmp(claim->currency, "KES", 4) != 0) {
        return REASON_CURRENCY;
    }
    if (claim->phone != 0 && claim->phone != p->phone && is_of_phone(g, p)) {
        return REASON_PHONE;
    }
    if (!gateway_pays_out(p->method) && claim->short_code != 0 && claim->short_code != payee &&
        claim->short_code != provider->short_code) {
        return REASON_SHORT_CODE;
    }
    uint32_t other = gateway__find(g, TEXT_OF_RECEIPT, p->provider, claim->receipt);
    if (other != MAP_NONE && payment_slot(g, other)->number != p->number) {
        return REASON_RECEIPT;
    }
    return has_room(g, p, claim) ? 0 : REASON_LEDGER;
}

/* A refund whose payment was taken back otherwise: that money went once, and is booked. */
static bool came_too_late(const struct gateway *g, const struct gateway_payment *p)
{
    const struct gateway_payment *original =
        gateway_is_refund(p->method) ? gateway_payment(g, p->overrides) : NULL;
    return original != NULL && original->state == GATEWAY_REVERSED && p->state != GATEWAY_SUCCEEDED;
}

/* What a claim of money means to a payment as it stands. */
static uint8_t effect_of_paid(const struct gateway *g, const struct gateway_payment *p,
                              const struct observation *claim)
{
    if (p->state == GATEWAY_CREATED || came_too_late(g, p)) {
        return NOTICE_CONTRADICTS; /* nothing has left us: nobody can have paid */
    }
    if (objection(g, p, claim) != 0) {
        bool open = !gateway_state_ended(p->state) && p->state != GATEWAY_MISMATCHED;
        return open ? NOTICE_MOVED : NOTICE_MISMATCH;
    }
    if (p->state == GATEWAY_MISMATCHED && !claim->has_amount) {
        return NOTICE_MISMATCH; /* "paid", but not how much: what was objected to still stands */
    }
    if (p->state != GATEWAY_SUCCEEDED && p->state != GATEWAY_REVERSED) {
        bool weaker = gateway_state_ended(p->state) && p->source != 0 &&
                      observation_rank(claim->source) < observation_rank(p->source) &&
                      !gateway__awaits_proof(g, p); /* both together are as strong as either */
        return weaker                              ? NOTICE_CONTRADICTS
               : gateway__is_unproven(g, p, claim) ? NOTICE_UNPROVEN
                                                   : NOTICE_MOVED;
    }
    if (claim->receipt.size == 0) {
        return NOTICE_CONFIRMS;
    }
    if (p->receipt == TEXT_NONE) {
        return NOTICE_ENRICHES;
    }
    bool same = span_equal(gateway_text(g, p->receipt), claim->receipt);
    return same ? NOTICE_CONFIRMS : NOTICE_CONTRADICTS;
}

/* R2.3: nobody answered, or the phone could not be reached, is one end: the prompt timed out. */
static uint8_t state_of(const struct gateway_payment *p, const struct observation *claim)
{
    if (gateway_pays_out(p->method)) {
        return GATEWAY_FAILED;
    }
    bool timed_out =
        claim->reason == OBSERVED_REASON_EXPIRED || claim->reason == OBSERVED_REASON_UNREACHABLE;
    return timed_out                                    ? GATEWAY_EXPIRED
           : claim->reason == OBSERVED_REASON_CANCELLED ? GATEWAY_CANCELLED
                                                        : GATEWAY_FAILED;
}

/* A success is never left for a claim of failure, whoever makes it; nor does one bad end replace
 * another. */
static uint8_t effect_of_failure(const struct gateway_payment *p, const struct observation *claim)
{
    if (p->state == state_of(p, claim)) {
        return NOTICE_CONFIRMS;
    }
    bool open = p->state == GATEWAY_SUBMITTED || p->state == GATEWAY_PENDING ||
                p->state == GATEWAY_UNCONFIRMED;
    return open ? NOTICE_MOVED : NOTICE_CONTRADICTS;
}

/* What comes to our URL or answers us names the request: is it another one's? */
static bool names_another(const struct gateway *g, const struct gateway_payment *p,
                          const struct observation *claim)
{
    if (claim->reference.size == 0 || claim->source > OBSERVED_BY_WEBHOOK ||
        claim->kind == OBSERVED_RECEIPT) { /* which is known by its receipt alone */
        return false;
    }
    if (p->provider_id != TEXT_NONE) {
        return !span_equal(gateway_text(g, p->provider_id), claim->reference);
    }
    const struct gateway_payment *other =
        gateway_payment_by_provider_id(g, p->provider, claim->reference);
    bool given_back =
        gateway_is_refund(p->method) && other != NULL && other->number == p->overrides;
    return other != NULL && !given_back; /* Paystack names a refund by what it gives back */
}

/* Only the whole of a success can be taken back; a part of it is for a person, and so is much money
 * of which nobody signed that it went back (R6.10): a statement will say so, too. */
static uint8_t effect_of_refund(const struct gateway *g, const struct gateway_payment *p,
                                const struct observation *claim)
{
    if (claim->has_amount && claim->amount_minor != gateway_paid_minor(p)) {
        return NOTICE_MISMATCH;
    }
    if (p->state == GATEWAY_REVERSED) {
        return NOTICE_CONFIRMS;
    }
    bool acts = p->state == GATEWAY_SUCCEEDED && claim->verdict == OBSERVED_SUCCEEDED &&
                !gateway__is_unproven(g, p, claim);
    return acts ? NOTICE_MOVED : NOTICE_CONTRADICTS;
}

static uint8_t effect_on(const struct gateway *g, const struct gateway_payment *p,
                         const struct observation *claim)
{
    if (claim->kind == OBSERVED_NOTHING) {
        return NOTICE_UNREADABLE;
    }
    bool mine = gateway_pays_out(p->method) || claim->kind == OBSERVED_PAYMENT ||
                claim->kind == OBSERVED_RECEIPT || claim->kind == OBSERVED_REFUND;
    if (!mine || names_another(g, p, claim)) {
        return NOTICE_CONTRADICTS; /* a payout, a balance, or an id that is not this payment's */
    }
    if (!observation_is_definite(claim->verdict)) {
        return NOTICE_IN_FLIGHT;
    }
    if (claim->kind == OBSERVED_REFUND && (claim->came_in || !gateway_is_refund(p->method))) {
        return gateway_pays_out(p->method) ? NOTICE_CONTRADICTS /* it came back: for a person */
                                           : effect_of_refund(g, p, claim);
    }
    return claim->verdict == OBSERVED_SUCCEEDED ? effect_of_paid(g, p, claim)
                                                : effect_of_failure(p, claim);
}

/* True: the payment has learned the provider's id. */
static bool keep_ids(struct gateway_decision *gd, const struct gateway_payment *p,
                     const struct observation *claim)
{
    bool taken = gateway_payment_by_provider_id(gd->g, p->provider, claim->reference) != NULL;
    if (p->provider_id != TEXT_NONE || claim->reference.size == 0 || taken ||
        claim->source > OBSERVED_BY_WEBHOOK || claim->kind == OBSERVED_RECEIPT) {
        return false; /* what a status result names is the question, not the payment */
    }
    struct gateway_event e = {.kind = EVENT_PAYMENT_IDS_KEPT};
    e.payment_ids_kept.number = p->number;
    e.payment_ids_kept.provider_id = claim->reference;
    e.payment_ids_kept.other_id = claim->second_reference;
    gateway__emit(gd, &e);
    return true;
}

static void keep_result(struct gateway_decision *gd, const struct gateway_payment *p,
                        const struct observation *claim, bool with_receipt)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_RESULT_KEPT};
    e.payment_result_kept.number = p->number;
    e.payment_result_kept.code = claim->code;
    e.payment_result_kept.words = claim->words;
    if (with_receipt) {
        gateway__receipt_is_of(gd, p, claim->receipt);
        e.payment_result_kept.receipt = claim->receipt;
    }
    gateway__emit(gd, &e);
}

/* R2.1: no state is skipped. A claim about the outcome shows that the prompt was out. */
static void through_pending(struct gateway_decision *gd, const struct gateway_payment *p,
                            const struct observation *claim, uint64_t notice)
{
    struct gateway_move m = {.state = GATEWAY_PENDING,
                             .source = (uint8_t)claim->source,
                             .reason = REASON_PROMPT_SEEN,
                             .notice = notice,
                             .due_ns = p->due_ns};
    if (p->state == GATEWAY_SUBMITTED) {
        gateway__move(gd, p, &m);
    }
}

/* The money as the book sees it: at the provider, and the merchant's. */
static struct transfer money_of(const struct gateway *g, const struct gateway_payment *p)
{
    const struct gateway_merchant *m = merchant_at(g, p->merchant);
    struct transfer t = {.id = gateway_transfer_id(p->number, 0),
                         .reference = p->number,
                         .amount_minor = gateway_paid_minor(p),
                         .debit_account = provider_at(g, p->provider)->clearing,
                         .credit_account = p->capture == CAPTURE_ESCROW ? m->escrow : m->wallet,
                         .kind = TRANSFER_POST,
                         .code = GATEWAY_TRANSFER_PAYMENT};
    return t;
}

void gateway__propose_refund(struct gateway_decision *gd, const struct gateway_payment *p,
                             uint64_t first, bool has_receipt)
{
    struct gateway_event e = {.kind = EVENT_REFUND_PROPOSED};
    e.refund_proposed.number = gd->g->last_refund + 1;
    e.refund_proposed.payment = p->number;
    e.refund_proposed.first_payment = first;
    e.refund_proposed.amount_minor = gateway_paid_minor(p);
    gateway__emit(gd, &e);
    gateway__tell_payment(gd, p, FEED_REFUND_PROPOSED, has_receipt);
}

/* Was the order paid by another payment already? Then this one is money to give back. A person who
 * has decided that it is to be given back has it proposed anyway. */
static void propose_refund(struct gateway_decision *gd, const struct gateway_payment *p,
                           const struct observation *claim)
{
    const struct gateway_payment *other =
        gateway_payment_of_order(gd->g, p->merchant, gateway_text(gd->g, p->order));
    for (; other != NULL; other = gateway_payment_before(gd->g, other)) {
        if (other->number != p->number && other->state == GATEWAY_SUCCEEDED) {
            break;
        }
    }
    if (other != NULL || p->judgement == JUDGEMENT_REFUND) {
        gateway__propose_refund(gd, p, other == NULL ? 0 : other->number, claim->receipt.size > 0);
    }
}

static void mismatch(struct gateway_decision *gd, const struct gateway_payment *p,
                     const struct observation *claim, uint64_t notice, uint8_t reason)
{
    CHECK(!gateway_state_ended(p->state)); /* what comes after an end is right, or moves nothing */
    through_pending(gd, p, claim, notice);
    struct gateway_move m = {.state = GATEWAY_MISMATCHED,
                             .source = (uint8_t)claim->source,
                             .reason = reason,
                             .notice = notice};
    gateway__move(gd, p, &m);
    gateway__tell_payment(gd, p, FEED_PAYMENT_MISMATCHED, false);
}

/* The payment whose refund has succeeded: its money went with the refund. */
static void given_back(struct gateway_decision *gd, const struct gateway_payment *original,
                       uint64_t notice)
{
    CHECK(original != NULL);
    struct gateway_move m = {
        .state = GATEWAY_REVERSED, .reason = REASON_REFUNDED, .notice = notice};
    if (original->state == GATEWAY_SUCCEEDED) {
        gateway__move(gd, original, &m);
        gateway__tell_payment(gd, original, FEED_PAYMENT_REVERSED, original->receipt != TEXT_NONE);
    }
}

/* R2.7: an STK query has no receipt, Transaction Status has. Asked once; nothing waits for the
 * answer, which comes to the payment's own status URL as a notice and brings what was missing. */
static void ask_for_receipt(struct gateway_decision *gd, const struct gateway_payment *p)
{
    const struct gateway_provider *provider = provider_at(gd->g, p->provider);
    CHECK(!gateway_pays_out(p->method));
    if (provider->kind == OBSERVED_AT_DARAJA && p->provider_id != TEXT_NONE) {
        (void)gateway__queue(gd, CALL_STATUS, p->number, provider->target);
    }
}

/* The money of a success, and what Paystack kept of it: that never lay there. */
static bool book_money(struct gateway_decision *gd, const struct gateway_payment *p,
                       const struct observation *claim)
{
    if (gateway_pays_out(p->method)) {
        return gateway__pay_out(gd, p, claim);
    }
    struct transfer legs[2] = {money_of(gd->g, p), money_of(gd->g, p)};
    bool charged = p->method == METHOD_PAYSTACK && claim->has_fee && claim->fee_minor > 0 &&
                   claim->fee_minor <= gateway_paid_minor(p);
    legs[1].id = gateway_transfer_id(p->number, 3);
    legs[1].amount_minor = claim->fee_minor;
    legs[1].debit_account = merchant_at(gd->g, p->merchant)->fees;
    legs[1].credit_account = legs[0].debit_account;
    legs[1].code = GATEWAY_TRANSFER_FEE;
    return gateway__post(gd, legs, charged ? 2 : 1);
}

/* A refund of ours that has not left yet: what it was to give back is gone. */
static void withdraw_refund(struct gateway_decision *gd, const struct gateway_payment *p)
{
    const struct gateway_payment *refund = gateway_payment(gd->g, p->refund);
    struct gateway_move m = {.state = GATEWAY_FAILED, .reason = REASON_NEVER_SENT};
    if (refund != NULL && refund->state == GATEWAY_CREATED) {
        gateway__release_hold(gd, refund);
        gateway__move(gd, refund, &m);
        gateway__tell_payment(gd, refund, FEED_PAYMENT_FAILED, false);
    }
}

static void reverse(struct gateway_decision *gd, const struct gateway_payment *p,
                    const struct observation *claim, uint64_t notice, bool has_receipt)
{
    struct transfer money = money_of(gd->g, p);
    uint32_t from = p->escrow == ESCROW_RELEASED ? merchant_at(gd->g, p->merchant)->wallet
                                                 : money.credit_account;
    struct transfer back = {.id = gateway_transfer_id(p->number, 2),
                            .reference = p->number,
                            .amount_minor = gateway_paid_minor(p),
                            .debit_account = from,
                            .credit_account = money.debit_account,
                            .kind = TRANSFER_POST,
                            .code = GATEWAY_TRANSFER_REVERSAL};
    struct gateway_move m = {.state = GATEWAY_REVERSED,
                             .source = (uint8_t)claim->source,
                             .reason = REASON_CLAIM,
                             .notice = notice};
    CHECK(
        gateway__post(gd, &back, 1)); /* the accounts have no limits: what has happened is booked */
    gateway__move(gd, p, &m);
    gateway__tell_payment(gd, p, FEED_PAYMENT_REVERSED, has_receipt);
    gateway__return_settled(gd, p, claim);
    withdraw_refund(gd, p);
}

/* It was said before the success that the money went back, and could not be true then, or not as
 * much as was asked for. Nobody says it again, so it counts now; `now`: the payment as it stands
 * after the success, with what a person accepted. */
static bool reverse_told_before(struct gateway_decision *gd, const struct gateway_payment *now,
                                bool has_receipt)
{
    for (uint32_t i = now->first_notice; i != SLAB_NONE; i = notice_at(gd->g, i)->next) {
        const struct gateway_notice *n = notice_at(gd->g, i);
        const struct observation claim = gateway__claim_of(gd->g, n);
        bool early = n->about == OBSERVED_REFUND &&
                     (n->effect == NOTICE_CONTRADICTS || n->effect == NOTICE_MISMATCH);
        if (!early || effect_on(gd->g, now, &claim) != NOTICE_MOVED) {
            continue;
        }
        struct gateway_event e = {.kind = EVENT_NOTICE_JOINED};
        e.notice_joined.number = n->number;
        e.notice_joined.payment = now->number;
        e.notice_joined.effect = NOTICE_MOVED;
        gateway__emit(gd, &e);
        reverse(gd, now, &claim, n->number, has_receipt);
        return true;
    }
    return false;
}

static void succeed(struct gateway_decision *gd, const struct gateway_payment *p,
                    const struct observation *given, uint64_t notice)
{
    struct observation whole = *given;
    const struct observation *claim = &whole;
    if (given->receipt.size == 0 && !gateway_pays_out(p->method)) {
        whole.receipt = gateway__receipt_that_fits(gd->g, p); /* its confirmation came first */
    }
    struct span said = gateway__unproven_receipt(gd->g, p);
    if (whole.receipt.size == 0 && gateway__receipt_may_be_of(gd->g, p, said)) {
        whole.receipt = said;
    }
    uint8_t reason = objection(gd->g, p, claim);
    if (reason != 0) {
        mismatch(gd, p, claim, notice, reason);
        return;
    }
    reason = gateway_state_ended(p->state) ? REASON_LATE : REASON_CLAIM;
    if (!gateway__settle(gd, p, claim, notice, reason)) {
        mismatch(gd, p, claim, notice, REASON_LEDGER);
    }
}

bool gateway__settle(struct gateway_decision *gd, const struct gateway_payment *p,
                     const struct observation *claim, uint64_t notice, uint8_t reason)
{
    if (!book_money(gd, p, claim)) {
        return false;
    }
    through_pending(gd, p, claim, notice);
    keep_result(gd, p, claim, true);
    struct gateway_move m = {.state = GATEWAY_SUCCEEDED,
                             .source = (uint8_t)claim->source,
                             .reason = reason,
                             .notice = notice};
    gateway__move(gd, p, &m);
    gateway__tell_payment(gd, p, FEED_PAYMENT_SUCCEEDED, claim->receipt.size > 0);
    if (claim->source != OBSERVED_BY_CALLBACK && claim->source != OBSERVED_BY_WEBHOOK) {
        gateway__sweep_begins(gd); /* a repair: are there too many? */
    }
    if (claim->receipt.size == 0 && !gateway_pays_out(p->method)) {
        ask_for_receipt(gd, p);
    }
    if (gateway_is_refund(p->method)) {
        given_back(gd, gateway_payment(gd->g, p->overrides), notice);
    } else if (!gateway_pays_out(p->method)) {
        struct gateway_payment now = *p;
        now.state = GATEWAY_SUCCEEDED;
        now.escrow = p->capture == CAPTURE_ESCROW ? ESCROW_HELD : ESCROW_NONE;
        if (!reverse_told_before(gd, &now, claim->receipt.size > 0)) {
            propose_refund(gd, p, claim);
        }
    }
    return true;
}

static void end(struct gateway_decision *gd, const struct gateway_payment *p,
                const struct observation *claim, uint64_t notice)
{
    static const uint16_t types[GATEWAY_STATES_END] = {
        [GATEWAY_FAILED] = FEED_PAYMENT_FAILED,
        [GATEWAY_EXPIRED] = FEED_PAYMENT_EXPIRED,
        [GATEWAY_CANCELLED] = FEED_PAYMENT_CANCELLED,
    };
    uint8_t state = state_of(p, claim);
    through_pending(gd, p, claim, notice);
    keep_result(gd, p, claim, false);
    gateway__release_hold(gd, p);
    struct gateway_move m = {
        .state = state, .source = (uint8_t)claim->source, .reason = REASON_CLAIM, .notice = notice};
    gateway__move(gd, p, &m);
    gateway__tell_payment(gd, p, types[state], false);
    bool is_unsigned =
        gateway__is_unsigned(provider_at(gd->g, p->provider)->kind, (uint8_t)claim->source);
    if (is_unsigned && gateway__awaits_proof(gd->g, p)) {
        gateway__ask(gd, p, 0, 0); /* one or the other is not true, and the ladder ends here */
    }
}

/* Carries out what effect_on said. */
static void act(struct gateway_decision *gd, const struct gateway_payment *p,
                const struct observation *claim, uint64_t notice, uint8_t effect)
{
    if (effect == NOTICE_ENRICHES) {
        keep_result(gd, p, claim, true);
        gateway__tell_payment(gd, p, FEED_PAYMENT_RECEIPT, true);
        return;
    }
    if (effect == NOTICE_UNPROVEN) {
        bool learned = keep_ids(gd, p, claim);
        gateway__ask_for_proof(gd, p, learned);
        return;
    }
    if (effect != NOTICE_MOVED) {
        return;
    }
    (void)keep_ids(gd, p, claim);
    if (claim->kind == OBSERVED_REFUND && !gateway_pays_out(p->method)) {
        reverse(gd, p, claim, notice, p->receipt != TEXT_NONE);
    } else if (claim->verdict == OBSERVED_SUCCEEDED) {
        succeed(gd, p, claim, notice);
    } else {
        end(gd, p, claim, notice);
    }
}

/* ---- the door ---- */

static uint64_t keep(struct gateway_decision *gd, const struct notice_command *c,
                     const struct gateway_payment *p, uint8_t effect)
{
    const struct observation *claim = c->claim;
    uint64_t number = gd->g->last_notice + 1;
    struct gateway_event kept = {.kind = EVENT_NOTICE_KEPT};
    kept.notice_kept.number = number;
    kept.notice_kept.phone = claim->phone;
    kept.notice_kept.reference = claim->reference;
    kept.notice_kept.receipt = claim->receipt;
    kept.notice_kept.code = claim->code;
    kept.notice_kept.words = claim->words;
    kept.notice_kept.peer = cut(c->peer, GATEWAY_PEER_MAX);
    kept.notice_kept.headers = cut(c->headers, GATEWAY_HEADERS_MAX);
    kept.notice_kept.body = c->body;
    CHECK(c->body.size <= GATEWAY_BODY_MAX);
    gateway__emit(gd, &kept);
    struct gateway_event e = {.kind = EVENT_NOTICE_TAKEN};
    e.notice_taken.number = number;
    e.notice_taken.provider = c->provider;
    e.notice_taken.payment = p != NULL ? p->number : 0;
    e.notice_taken.source = (uint8_t)claim->source;
    e.notice_taken.about = (uint8_t)claim->kind;
    e.notice_taken.verdict = (uint8_t)claim->verdict;
    e.notice_taken.why = (uint8_t)claim->reason;
    e.notice_taken.effect = effect;
    e.notice_taken.amount_minor = claim->has_amount ? claim->amount_minor : 0;
    memcpy(e.notice_taken.key, c->key, sizeof(c->key));
    memcpy(e.notice_taken.digest, c->digest, sizeof(c->digest));
    gateway__emit(gd, &e);
    return number;
}

/* Money that arrived for nobody's push: a receipt, once for each number. */
static uint8_t take_arrival(struct gateway_decision *gd, const struct notice_command *c,
                            uint64_t *number)
{
    const struct gateway_receipt *r =
        gateway_receipt_by_text(gd->g, c->provider, c->claim->receipt);
    if (r != NULL) {
        uint8_t effect =
            r->amount_minor == c->claim->amount_minor ? NOTICE_CONFIRMS : NOTICE_MISMATCH;
        *number = keep(gd, c, NULL, effect);
        return effect;
    }
    if (!gateway__may_be_booked(gd->g, c->provider, c->claim)) {
        *number = keep(gd, c, NULL, NOTICE_ORPHAN);
        return NOTICE_ORPHAN;
    }
    uint64_t receipt = gateway__receipt_open(gd, c->provider, c->claim);
    *number = keep(gd, c, NULL, NOTICE_MOVED);
    gateway__receipt_opened(gd, receipt, c->provider, c->claim);
    return NOTICE_MOVED;
}

/* Money given back is often named by its payment alone (a statement's reversal, all of Paystack).
 * As long as the latest refund of ours has not succeeded, it is meant: it is under way, or had
 * failed and was carried out after all. It posts its own leg and moves the payment, so that the
 * money is booked once, whatever else comes. What never left us cannot be meant. */
static const struct gateway_payment *refund_meant(const struct gateway *g,
                                                  const struct observation *claim,
                                                  const struct gateway_payment *p)
{
    bool given_back = p != NULL && claim->kind == OBSERVED_REFUND && !gateway_pays_out(p->method) &&
                      p->state == GATEWAY_SUCCEEDED && !gateway__is_unproven(g, p, claim);
    const struct gateway_payment *refund = given_back ? gateway_payment(g, p->refund) : NULL;
    bool meant = refund != NULL && refund->state != GATEWAY_SUCCEEDED &&
                 refund->entered_position[GATEWAY_SUBMITTED] != 0;
    return meant ? refund : p;
}

/* Where a reversal has no receipt of its own, it stands under that of its payment: this is not the
 * refund's. */
static void leave_receipt(const struct gateway *g, const struct gateway_payment *p,
                          struct observation *claim)
{
    const struct gateway_payment *original =
        p != NULL && gateway_is_refund(p->method) ? gateway_payment(g, p->overrides) : NULL;
    if (original != NULL && span_equal(gateway_text(g, original->receipt), claim->receipt)) {
        claim->receipt = SPAN_EMPTY;
    }
}

/* A statement's line is known by its receipt; a reversal also by what it takes back. What was paid
 * in can only be the coming back of what we had paid out. */
static const struct gateway_payment *of_line(const struct gateway *g,
                                             const struct notice_command *c)
{
    uint32_t slot = gateway__find(g, TEXT_OF_RECEIPT, c->provider, c->claim->receipt);
    if (slot == MAP_NONE && c->claim->kind == OBSERVED_REFUND) {
        slot = gateway__find(g, TEXT_OF_RECEIPT, c->provider, c->claim->original_receipt);
    }
    const struct gateway_payment *p = slot == MAP_NONE ? NULL : payment_slot(g, slot);
    return p != NULL && c->claim->came_in && !gateway_pays_out(p->method) ? NULL : p;
}

/* The payment that a notice is about; NULL: none, or none yet. */
static const struct gateway_payment *about(const struct gateway_decision *gd,
                                           const struct notice_command *c, bool arrived)
{
    if (c->payment == 0 && arrived) {
        return gateway__payment_of_receipt(gd, c->provider, c->claim);
    }
    bool line = c->claim->source == OBSERVED_BY_STATEMENT;
    const struct gateway_payment *named =
        c->payment != 0 ? gateway_payment(gd->g, c->payment)
        : line          ? of_line(gd->g, c)
                        : gateway_payment_by_provider_id(gd->g, c->provider, c->claim->reference);
    return refund_meant(gd->g, c->claim, named);
}

/* Money that nobody signed, found by its payer to be a payment's, is bound to it by no more than
 * that: until the provider says so it is a receipt that waits, as it would be with a masked payer.
 * The payment takes it back when it succeeds, and may end otherwise. */
static bool only_looks_like(const struct gateway *g, const struct notice_command *c,
                            const struct gateway_payment *p)
{
    return c->payment == 0 && p != NULL && gateway__arrived(g, c->provider, c->claim) &&
           effect_on(g, p, c->claim) == NOTICE_UNPROVEN;
}

/* The very same message was about another one: Paystack names a refund by its payment alone, so
 * that what is delivered again of an older refund looks like the word of the latest. */
static bool was_of_another(const struct gateway *g, const struct notice_command *c,
                           const struct gateway_notice *known, const struct gateway_payment *p)
{
    if (p == NULL || known->payment == 0 || known->payment == p->number ||
        memcmp(known->digest, c->digest, sizeof(c->digest)) != 0) {
        return false;
    }
    const struct gateway_payment *other = gateway_payment(g, known->payment);
    return known->effect == NOTICE_MOVED || known->effect == NOTICE_ENRICHES ||
           (other != NULL && gateway_is_refund(other->method));
}

/* The same has come before (R5.2). It does nothing twice; but what it could not do then (it fitted
 * nothing, or came too early) it may do now. */
static uint8_t repeat(struct gateway_decision *gd, const struct notice_command *c,
                      const struct gateway_notice *known, const struct gateway_payment *p)
{
    bool booked = known->effect != NOTICE_ORPHAN ||
                  gateway_receipt_by_text(gd->g, c->provider, c->claim->receipt) != NULL;
    bool arrived = booked && gateway__arrived(gd->g, c->provider, c->claim);
    uint8_t effect =
        p != NULL ? effect_on(gd->g, p, c->claim) : (arrived ? NOTICE_CONFIRMS : NOTICE_ORPHAN);
    effect = was_of_another(gd->g, c, known, p) ? NOTICE_CONFIRMS : effect;
    bool doubts = effect == NOTICE_UNPROVEN && known->effect != NOTICE_UNPROVEN &&
                  (known->effect == NOTICE_ORPHAN || known->payment == p->number);
    bool acts = effect == NOTICE_MOVED || effect == NOTICE_ENRICHES || doubts;
    if (!acts) {
        struct gateway_event e = {.kind = EVENT_NOTICE_REPEATED};
        e.notice_repeated.number = known->number;
        memcpy(e.notice_repeated.digest, c->digest, sizeof(c->digest));
        gateway__emit(gd, &e);
        if (effect == NOTICE_UNPROVEN && gateway_state_ended(p->state) && p->question == 0) {
            act(gd, p, c->claim, known->number, effect); /* nothing else asks */
        }
        return effect;
    }
    struct gateway_event e = {.kind = EVENT_NOTICE_JOINED};
    e.notice_joined.number = known->number;
    e.notice_joined.payment = p->number;
    e.notice_joined.effect = effect;
    gateway__emit(gd, &e);
    act(gd, p, c->claim, known->number, effect);
    return effect;
}

uint8_t gateway__take_notice(struct gateway_decision *gd, const struct notice_command *given,
                             uint64_t *number_out)
{
    const struct gateway *g = gd->g;
    struct observation claim = gateway__cut(given->claim);
    struct notice_command command = *given;
    const struct notice_command *c = &command;
    command.claim = &claim;
    bool arrived = gateway__arrived(g, c->provider, &claim);
    const struct gateway_payment *found = about(gd, c, arrived);
    const struct gateway_payment *p = only_looks_like(g, c, found) ? NULL : found;
    leave_receipt(g, p, &claim);
    uint32_t slot = map_get(&g->notice_by_key, gateway__bytes_key(c->key));
    const struct gateway_notice *known = slot == MAP_NONE ? NULL : notice_at(g, slot);
    bool same = known != NULL && memcmp(known->key, c->key, sizeof(c->key)) == 0;
    uint64_t number = same ? known->number : 0;
    uint8_t effect;
    if (same) {
        effect = repeat(gd, c, known, p);
    } else if (p == NULL && arrived) {
        effect = take_arrival(gd, c, &number);
        if (found != NULL) {
            gateway__ask_for_proof(gd, found, false);
        }
    } else {
        effect = p == NULL ? NOTICE_ORPHAN : effect_on(g, p, c->claim);
        number = keep(gd, c, p, effect);
        if (p != NULL) {
            gateway__forward_late(gd, p, c->claim, number);
            act(gd, p, c->claim, number, effect);
        }
    }
    if (p != NULL) {
        gateway__send_again(gd, p, &claim);
    } else if (arrived) {
        gateway__prove_receipt(gd, c->provider, &claim);
    }
    if (!same) {
        gateway__forward_confirmation(gd, c, number);
    }
    gateway__compare(gd, c, p, number, effect);
    if (number_out != NULL) {
        *number_out = number;
    }
    return effect;
}

void gateway__decide_notice(const struct gateway *g, struct decision *d)
{
    const struct notice_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    CHECK(c->claim != NULL);
    CHECK(slab_is_used(&g->providers, c->provider));
    CHECK(c->payment == 0 || gateway_payment(g, c->payment) != NULL);
    reply->effect = gateway__take_notice(&gd, c, &reply->number);
}

/* ---- orphans ---- */

struct observation gateway__claim_of(const struct gateway *g, const struct gateway_notice *n)
{
    struct observation claim = {
        .kind = n->about,
        .source = n->source,
        .verdict = n->verdict,
        .reason = n->why,
        .has_amount = n->amount_minor != 0,
        .amount_minor = n->amount_minor,
        .phone = n->phone,
        .reference = gateway_text(g, n->reference),
        .receipt = gateway_text(g, n->receipt),
        .code = gateway_text(g, n->code),
        .words = gateway_text(g, n->words),
    };
    return claim;
}

/* Of several that could act the one that says most does: money, and with a receipt. */
static uint32_t weight(const struct gateway *g, const struct gateway_payment *p,
                       const struct gateway_notice *n)
{
    struct observation claim = gateway__claim_of(g, n);
    claim.reference = SPAN_EMPTY; /* learned a moment ago */
    if (effect_on(g, p, &claim) != NOTICE_MOVED) {
        return 0;
    }
    return 1u + (claim.verdict == OBSERVED_SUCCEEDED ? 2u : 0) + (claim.receipt.size > 0 ? 1u : 0);
}

/* Beside one that acted. */
static uint8_t effect_beside(const struct gateway *g, const struct gateway_payment *p,
                             const struct gateway_notice *n, const struct gateway_notice *acted)
{
    struct observation claim = gateway__claim_of(g, n);
    claim.reference = SPAN_EMPTY;
    uint8_t effect = effect_on(g, p, &claim);
    if (effect != NOTICE_MOVED || n == acted) {
        return effect;
    }
    return n->verdict == acted->verdict ? NOTICE_CONFIRMS : NOTICE_CONTRADICTS;
}

/* Orphans that name the id, the oldest first; how many. */
static uint32_t orphans_of(const struct gateway *g, const struct gateway_payment *p,
                           struct span provider_id,
                           const struct gateway_notice *out[GATEWAY_JOINED_MAX])
{
    uint32_t count = 0;
    uint32_t slot = map_get(&g->orphan_by_reference, gateway__text_key(p->provider, provider_id));
    for (; slot != MAP_NONE && slot != SLAB_NONE; slot = notice_at(g, slot)->next) {
        const struct gateway_notice *n = notice_at(g, slot);
        bool names =
            n->provider == p->provider && span_equal(gateway_text(g, n->reference), provider_id);
        if (names && count < GATEWAY_JOINED_MAX) {
            out[count++] = n;
        }
    }
    return count;
}

void gateway__name_orphans(const struct gateway *g, const struct gateway_payment *p,
                           struct span provider_id, struct old_names *out)
{
    const struct gateway_notice *orphans[GATEWAY_JOINED_MAX];
    uint32_t count = provider_id.size == 0 ? 0 : orphans_of(g, p, provider_id, orphans);
    for (uint32_t i = 0; i < count; i++) {
        struct span receipt = gateway_text(g, orphans[i]->receipt);
        if (receipt.size > 0) {
            struct old_name name = gateway_receipt_name(p->provider, receipt);
            old_names_add(out, &name);
        }
    }
}

void gateway__join_orphans(struct gateway_decision *gd, const struct gateway_payment *p,
                           struct span provider_id)
{
    const struct gateway *g = gd->g;
    const struct gateway_notice *orphans[GATEWAY_JOINED_MAX];
    const struct gateway_notice *best = NULL;
    struct gateway_payment now = *p; /* as it stands after what this decision has written */
    now.state = p->state == GATEWAY_SUBMITTED ? GATEWAY_PENDING : p->state;
    uint32_t count = orphans_of(g, p, provider_id, orphans);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t most = best == NULL ? 0 : weight(g, &now, best);
        best = weight(g, &now, orphans[i]) > most ? orphans[i] : best;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct gateway_event e = {.kind = EVENT_NOTICE_JOINED};
        e.notice_joined.number = orphans[i]->number;
        e.notice_joined.payment = p->number;
        e.notice_joined.effect = effect_beside(g, &now, orphans[i], best);
        gateway__emit(gd, &e);
    }
    if (best != NULL) {
        struct observation claim = gateway__claim_of(g, best);
        claim.reference = SPAN_EMPTY;
        act(gd, &now, &claim, best->number, NOTICE_MOVED);
    }
}
