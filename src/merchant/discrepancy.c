/*
 * discrepancy.c - opening discrepancies in the decision of the row or line that shows them, owning
 * and resolving them; events into state.
 *
 * Guarantees: of one kind there is one for each reference of a provider account, however often it
 * is shown; one that was resolved stays so. No money moves here: what is to be corrected is
 * corrected by a notice, an assignment or a refund, and this says only that somebody has looked.
 * Tests: tests/unit/test_merchant_reconcile.c.
 */
#include "merchant/internal.h"

/* Where it lies, or the free place where it would. */
static uint64_t place_of(const struct gateway *g, uint32_t provider, uint8_t kind,
                         struct span reference, uint32_t *slot_out)
{
    for (uint64_t key = gateway__text_key(provider << 3 | kind, reference);; key++) {
        uint32_t slot = map_get(&g->discrepancy_by_reference, key);
        *slot_out = slot;
        if (slot == MAP_NONE) {
            return key;
        }
        const struct gateway_discrepancy *known = discrepancy_at(g, slot);
        if (known->provider == provider && known->kind == kind &&
            span_equal(gateway_text(g, known->reference), reference)) {
            return key;
        }
    }
}

const struct gateway_discrepancy *gateway_discrepancy(const struct gateway *g, uint64_t number)
{
    uint32_t slot = map_get(&g->discrepancy_by_number, number);
    return slot == MAP_NONE ? NULL : discrepancy_at(g, slot);
}

bool gateway__disputed(const struct gateway *g, uint32_t provider, struct span receipt)
{
    if (g->disagreements == 0 || receipt.size == 0) {
        return false;
    }
    for (uint8_t kind = 1; kind <= DISCREPANCY_KIND_LAST; kind++) {
        uint32_t slot;
        (void)place_of(g, provider, kind, receipt, &slot);
        if (slot != MAP_NONE && discrepancy_at(g, slot)->resolved_ns == 0) {
            return true;
        }
    }
    return false;
}

/* ---- deciding ---- */

/* Twice at most: when it is opened, and when it is resolved. */
static void tell(struct gateway_decision *gd, uint64_t number, uint32_t provider, uint16_t type)
{
    struct gateway_telling t = {.type = type,
                                .object_kind = FEED_OBJECT_DISCREPANCY,
                                .object = number,
                                .object_seq = type == FEED_DISCREPANCY_OPENED ? 0 : 1,
                                .merchant = provider_at(gd->g, provider)->merchant};
    gateway__tell(gd, &t);
}

void gateway__disagree(struct gateway_decision *gd, const struct gateway_discrepancy *d,
                       struct span reference)
{
    uint32_t slot;
    (void)place_of(gd->g, d->provider, d->kind, reference, &slot);
    if (slot != MAP_NONE || reference.size == 0) {
        return;
    }
    struct gateway_event e = {.kind = EVENT_DISCREPANCY_OPENED};
    e.discrepancy_opened.number = gd->g->last_discrepancy + 1;
    e.discrepancy_opened.discrepancy_kind = d->kind;
    e.discrepancy_opened.provider = d->provider;
    e.discrepancy_opened.notice = d->notice;
    e.discrepancy_opened.payment = d->payment;
    e.discrepancy_opened.receipt = d->receipt;
    e.discrepancy_opened.ours_minor = d->ours_minor;
    e.discrepancy_opened.theirs_minor = d->theirs_minor;
    e.discrepancy_opened.reference = reference;
    gateway__emit(gd, &e);
    tell(gd, e.discrepancy_opened.number, d->provider, FEED_DISCREPANCY_OPENED);
}

/* Money that went back, and not as what we know: nobody asks about that again. */
static bool is_odd_return(const struct observation *claim, uint8_t effect)
{
    return claim->kind == OBSERVED_REFUND && claim->verdict == OBSERVED_SUCCEEDED &&
           (effect == NOTICE_CONTRADICTS || effect == NOTICE_MISMATCH);
}

/* waits: it arrived, and lies on suspense or could not even be booked. */
static uint8_t kind_of(const struct observation *claim, uint8_t effect, bool waits)
{
    bool orphan = effect == NOTICE_ORPHAN && claim->verdict == OBSERVED_SUCCEEDED;
    return effect == NOTICE_MISMATCH                  ? DISCREPANCY_AMOUNT
           : waits                                    ? DISCREPANCY_UNKNOWN_ACCOUNT
           : orphan && claim->kind == OBSERVED_PAYOUT ? DISCREPANCY_UNKNOWN_PAYOUT
           : orphan && claim->kind == OBSERVED_REFUND ? DISCREPANCY_REVERSAL
           : is_odd_return(claim, effect)             ? DISCREPANCY_REVERSAL
                                                      : 0;
}

/* By what it is found again: the receipt, if need be that of the payment; else the id. */
static struct span reference_of(const struct gateway *g, const struct observation *claim,
                                const struct gateway_payment *p)
{
    struct span own = p == NULL ? SPAN_EMPTY : gateway_text(g, p->receipt);
    return claim->receipt.size > 0     ? claim->receipt
           : own.size > 0              ? own
           : claim->reference.size > 0 ? claim->reference
                                       : claim->original_receipt;
}

void gateway__compare(struct gateway_decision *gd, const struct notice_command *c,
                      const struct gateway_payment *p, uint64_t notice, uint8_t effect)
{
    const struct gateway *g = gd->g;
    const struct observation *claim = c->claim;
    const struct gateway_receipt *r = gateway_receipt_by_text(g, c->provider, claim->receipt);
    bool made = p == NULL && r == NULL && effect == NOTICE_MOVED; /* by this decision */
    bool waits =
        p == NULL &&
        ((r != NULL && r->state == RECEIPT_SUSPENSE && !gateway__is_proof(gd, r, claim)) ||
         (made && gateway__receipt_waits(gd, c->provider, claim)) ||
         (r == NULL && effect == NOTICE_ORPHAN && gateway__arrived(g, c->provider, claim)));
    struct gateway_discrepancy d = {
        .provider = c->provider,
        .kind = kind_of(claim, effect, waits),
        .notice = notice,
        .payment = p != NULL ? p->number : 0,
        .receipt = p != NULL ? 0 : (made ? g->last_receipt + 1 : (r != NULL ? r->number : 0)),
        .ours_minor = p != NULL ? gateway_paid_minor(p) : (r != NULL ? r->amount_minor : 0),
        .theirs_minor = claim->has_amount ? claim->amount_minor : 0,
    };
    bool odd = is_odd_return(claim, effect);
    if (d.kind != 0 &&
        (odd || claim->source == OBSERVED_BY_PULL || claim->source == OBSERVED_BY_STATEMENT)) {
        gateway__disagree(gd, &d, odd ? reference_of(g, claim, p) : claim->receipt);
    }
}

static void resolve(struct gateway_decision *gd, uint64_t number, uint8_t reason)
{
    struct gateway_event e = {.kind = EVENT_DISCREPANCY_RESOLVED};
    e.discrepancy_resolved.number = number;
    e.discrepancy_resolved.reason = reason;
    gateway__emit(gd, &e);
    tell(gd, number, gateway_discrepancy(gd->g, number)->provider, FEED_DISCREPANCY_RESOLVED);
}

void gateway__receipt_found_owner(struct gateway_decision *gd, const struct gateway_receipt *r)
{
    uint32_t slot;
    (void)place_of(gd->g, r->provider, DISCREPANCY_UNKNOWN_ACCOUNT, gateway_text(gd->g, r->receipt),
                   &slot);
    if (slot != MAP_NONE && discrepancy_at(gd->g, slot)->resolved_ns == 0) {
        resolve(gd, discrepancy_at(gd->g, slot)->number, DISCREPANCY_IS_ASSIGNED);
    }
}

static void corrected(struct gateway_decision *gd, uint32_t provider, uint8_t kind,
                      struct span reference)
{
    uint32_t slot;
    (void)place_of(gd->g, provider, kind, reference, &slot);
    if (slot != MAP_NONE && discrepancy_at(gd->g, slot)->resolved_ns == 0) {
        resolve(gd, discrepancy_at(gd->g, slot)->number, DISCREPANCY_IS_CORRECTED);
    }
}

void gateway__money_settled(struct gateway_decision *gd, const struct gateway_payment *p,
                            struct span receipt)
{
    corrected(gd, p->provider,
              gateway_is_refund(p->method)  ? DISCREPANCY_REVERSAL
              : gateway_pays_out(p->method) ? DISCREPANCY_UNKNOWN_PAYOUT
                                            : DISCREPANCY_AMOUNT,
              receipt);
}

void gateway__return_settled(struct gateway_decision *gd, const struct gateway_payment *p,
                             const struct observation *claim)
{
    corrected(gd, p->provider, DISCREPANCY_REVERSAL, reference_of(gd->g, claim, p));
}

void gateway__decide_disagree(const struct gateway *g, struct decision *d)
{
    const struct discrepancy_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_payment *p = gateway_payment(g, c->payment);
    struct gateway_discrepancy found = {.provider = c->provider,
                                        .kind = c->kind,
                                        .payment = c->payment,
                                        .ours_minor = p == NULL ? 0 : gateway_paid_minor(p),
                                        .theirs_minor = c->theirs_minor};
    CHECK(slab_is_used(&g->providers, c->provider));
    CHECK(c->kind >= 1 && c->kind <= DISCREPANCY_KIND_LAST);
    uint32_t slot;
    (void)place_of(g, c->provider, c->kind, c->reference, &slot);
    reply->refusal = slot == MAP_NONE ? GATEWAY_DONE : GATEWAY_EXISTS;
    gateway__disagree(&gd, &found, c->reference);
}

void gateway__decide_resolve_discrepancy(const struct gateway *g, struct decision *d)
{
    const struct discrepancy_resolve_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_discrepancy *known = gateway_discrepancy(g, c->number);
    reply->number = c->number;
    if (known == NULL || provider_at(g, known->provider)->merchant != c->merchant) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    if (known->resolved_ns != 0) {
        reply->refusal = GATEWAY_NOTHING_TO_DO;
        return;
    }
    struct gateway_event e = {.kind = EVENT_DISCREPANCY_NOTED};
    e.discrepancy_noted.number = known->number;
    e.discrepancy_noted.owner = c->owner;
    e.discrepancy_noted.note = c->note;
    gateway__emit(&gd, &e);
    if (c->reason != DISCREPANCY_IS_OPEN) {
        resolve(&gd, known->number, c->reason);
    }
}

/* ---- events ---- */

void gateway__discrepancy_index(struct gateway *g, uint32_t slot)
{
    const struct gateway_discrepancy *d = discrepancy_at(g, slot);
    uint32_t other;
    uint64_t key = place_of(g, d->provider, d->kind, gateway_text(g, d->reference), &other);
    CHECK(other == MAP_NONE);
    map_put(&g->discrepancy_by_reference, key, slot);
    map_put(&g->discrepancy_by_number, d->number, slot);
    g->disagreements += d->resolved_ns == 0;
}

static void apply_opened(struct gateway *g, const struct gateway_event *e,
                         const struct frame_info *frame)
{
    CHECK(e->discrepancy_opened.number == g->last_discrepancy + 1);
    uint32_t slot = slab_take(&g->discrepancies);
    struct gateway_discrepancy *d = discrepancy_at(g, slot);
    d->number = e->discrepancy_opened.number;
    d->kind = e->discrepancy_opened.discrepancy_kind;
    d->provider = e->discrepancy_opened.provider;
    d->notice = e->discrepancy_opened.notice;
    d->payment = e->discrepancy_opened.payment;
    d->receipt = e->discrepancy_opened.receipt;
    d->ours_minor = e->discrepancy_opened.ours_minor;
    d->theirs_minor = e->discrepancy_opened.theirs_minor;
    d->reference = texts_keep(&g->book->texts, e->discrepancy_opened.reference);
    d->opened_ns = frame->time_ns;
    gateway__discrepancy_index(g, slot);
    g->last_discrepancy = d->number;
}

void gateway__apply_discrepancy(struct gateway *g, const struct gateway_event *e,
                                const struct frame_info *frame)
{
    if (e->kind == EVENT_DISCREPANCY_OPENED) {
        apply_opened(g, e, frame);
        return;
    }
    uint32_t slot = map_get(&g->discrepancy_by_number, e->discrepancy_noted.number);
    CHECK(slot != MAP_NONE);
    struct gateway_discrepancy *d = discrepancy_at(g, slot);
    CHECK(d->resolved_ns == 0);
    if (e->kind == EVENT_DISCREPANCY_NOTED) {
        texts_replace(&g->book->texts, &d->owner, e->discrepancy_noted.owner);
        texts_replace(&g->book->texts, &d->note, e->discrepancy_noted.note);
        return;
    }
    d->reason = e->discrepancy_resolved.reason;
    d->resolved_ns = frame->time_ns;
    CHECK(g->disagreements > 0);
    g->disagreements--;
}

void gateway__check_discrepancies(const struct gateway *g)
{
    uint64_t open = 0;
    CHECK(g->discrepancies.used == g->last_discrepancy);
    for (uint32_t i = slab_next(&g->discrepancies, 0); i != SLAB_NONE;
         i = slab_next(&g->discrepancies, i + 1)) {
        const struct gateway_discrepancy *d = discrepancy_at(g, i);
        CHECK((d->resolved_ns != 0) == (d->reason != DISCREPANCY_IS_OPEN));
        CHECK(d->reference != TEXT_NONE);
        open += d->resolved_ns == 0;
    }
    CHECK(open == g->disagreements);
}
