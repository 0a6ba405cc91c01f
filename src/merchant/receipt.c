/*
 * receipt.c - money that arrived without a push of ours (C2B): whose it is, making the receipt in
 * the decision of its notice, assigning one by hand, and taking it back when it turns out to be the
 * money of a payment (an STK payment gives a C2B confirmation as well).
 *
 * Guarantees: of one receipt number at a provider account there is one receipt or one payment that
 * has the money, never both (R5.1, G10). What is weaker than a receipt number binds a receipt and a
 * payment only when the payment was said to be paid and just one of each fits; an open payment that
 * would fit keeps the money on suspense until it has ended, so that nobody is told twice.
 * Tests: tests/unit/test_merchant_receipts.c, tests/e2e/350-gateway-receipts.sh.
 */
#include <string.h>

#include "base/matching.h"
#include "merchant/internal.h"

enum {
    CANDIDATES_MAX = 32,
    LOOKS_MAX = 4096, /* at payments or receipts of one reference: beyond, nobody can tell */
};
/* Payments that were asked for so long before are not looked at. */
#define CANDIDATE_AGE_NS (4 * MATCHING_WINDOW_NS)

/* ---- whose it is ---- */

/* Does a phone fit what was said of the payer: a number, a mask ("2547 ***** 126"), or a hash that
 * tells nothing? */
static bool fits_party(uint64_t phone, uint64_t known, struct span party)
{
    char digits[20];
    size_t count = 0;
    size_t front = 0;
    size_t back = 0;
    size_t end = 0;
    bool masked = false;
    if (known != 0) {
        return known == phone;
    }
    for (uint64_t rest = phone; rest > 0; rest /= 10) {
        digits[count++] = (char)('0' + rest % 10); /* the last one first */
    }
    while (front < party.size && front < count && party.data[front] == digits[count - 1 - front]) {
        front++;
    }
    for (size_t i = 0; i < party.size; i++) {
        masked = masked || party.data[i] == '*';
        end = party.data[i] >= '0' && party.data[i] <= '9' ? i + 1 : end; /* a name may follow */
    }
    while (back < end && back < count && party.data[end - 1 - back] == digits[back]) {
        back++;
    }
    return !masked || (front >= 3 && back >= 2);
}

static bool is_near(int64_t a_ns, int64_t b_ns)
{
    return a_ns - b_ns <= MATCHING_WINDOW_NS && b_ns - a_ns <= MATCHING_WINDOW_NS;
}

/* Would money of this amount, by this payer, at this time, look like the payment's? */
static bool looks_like(const struct gateway_payment *p, int64_t amount_minor, uint64_t phone,
                       struct span party, int64_t at_ns)
{
    int64_t sent_ns = p->entered_ns[GATEWAY_SUBMITTED];
    bool asked = p->method == METHOD_MPESA_STK && sent_ns != 0 && p->receipt == TEXT_NONE;
    return asked && (p->state == GATEWAY_MISMATCHED || p->amount_minor == amount_minor) &&
           is_near(at_ns, sent_ns) && fits_party(p->phone, phone, party);
}

static bool was_paid(const struct gateway_payment *p)
{
    return p->state == GATEWAY_SUCCEEDED || p->state == GATEWAY_REVERSED;
}

bool gateway__arrived(const struct gateway *g, uint32_t provider, const struct observation *claim)
{
    const struct gateway_provider *a = provider_at(g, provider);
    bool ours = claim->short_code == 0 || claim->short_code == a->short_code ||
                claim->short_code == a->party_b;
    bool shillings = claim->currency[0] == '\0' || memcmp(claim->currency, "KES", 4) == 0;
    return claim->kind == OBSERVED_RECEIPT && claim->verdict == OBSERVED_SUCCEEDED &&
           claim->receipt.size > 0 && claim->has_amount && claim->amount_minor > 0 &&
           claim->amount_minor <= GATEWAY_AMOUNT_MAX && ours && shillings;
}

bool gateway__may_be_booked(const struct gateway *g, uint32_t provider,
                            const struct observation *claim)
{
    return gateway__arrived(g, provider, claim) && claim->amount_minor <= GATEWAY_ARRIVAL_MAX &&
           gateway__may_arrive(g, provider, claim->amount_minor);
}

/* Money as it arrived, for comparing it with payments. */
struct arrival {
    uint32_t provider;
    int64_t amount_minor;
    uint64_t phone;
    int64_t at_ns;
    struct span party;
    struct span reference;
};

static struct arrival arrival_of(uint32_t provider, const struct observation *claim, int64_t now_ns)
{
    struct arrival a = {.provider = provider,
                        .amount_minor = claim->amount_minor,
                        .phone = claim->phone,
                        .at_ns = claim->at_ns != 0 ? claim->at_ns : now_ns,
                        .party = claim->party,
                        .reference = claim->account_reference};
    return a;
}

static struct arrival arrival_again(const struct gateway *g, const struct gateway_receipt *r)
{
    struct arrival a = {.provider = r->provider,
                        .amount_minor = r->amount_minor,
                        .phone = r->phone,
                        .at_ns = r->at_ns != 0 ? r->at_ns : r->taken_ns,
                        .party = gateway_text(g, r->party),
                        .reference = gateway_text(g, r->reference)};
    return a;
}

/* The payments that were shown to the payer under the reference that it names, and whose money it
 * may be, because they are open, or were paid and nobody said under which receipt. */
struct fitting {
    const struct gateway_payment *latest; /* NULL: none of those looked at */
    uint32_t count;                       /* more than one: which of them, nobody can tell */
};

static struct fitting fitting_of(const struct gateway *g, const struct arrival *a)
{
    struct fitting f = {NULL, 0};
    uint32_t slot = gateway__find_shown(g, a->provider, a->reference);
    for (uint32_t looks = 0; slot != SLAB_NONE; slot = payment_slot(g, slot)->shown_before) {
        const struct gateway_payment *p = payment_slot(g, slot);
        bool lives = !gateway_state_ended(p->state) || was_paid(p);
        if (a->at_ns - p->entered_ns[GATEWAY_CREATED] > CANDIDATE_AGE_NS) {
            break;
        }
        if (looks++ == LOOKS_MAX) {
            f.count += 2;
            break;
        }
        if (lives && p->provider == a->provider &&
            span_equal(gateway_account_reference(g, p), a->reference) &&
            looks_like(p, a->amount_minor, a->phone, a->party, a->at_ns)) {
            f.latest = f.latest == NULL ? p : f.latest;
            f.count++;
        }
    }
    return f;
}

/* Could it have been paid although it ended? What a query said of it may have been too early; what
 * the provider said by itself is believed: then other money was paid by hand. */
static bool may_be_paid(const struct gateway_payment *p)
{
    bool open = !gateway_state_ended(p->state);
    bool doubtful =
        p->source == 0 || observation_rank(p->source) < observation_rank(OBSERVED_BY_CALLBACK);
    return open || was_paid(p) || doubtful;
}

bool gateway__is_doubtful(const struct gateway_payment *p)
{
    return p->method == METHOD_MPESA_STK && p->entered_ns[GATEWAY_SUBMITTED] != 0 &&
           p->receipt == TEXT_NONE && may_be_paid(p);
}

/* Amount, phone and account reference within a quarter of an hour, and only one payment fits: it is
 * that payment's money, although its answer and its callback may both be lost. */
static const struct gateway_payment *match_by_phone(const struct gateway *g,
                                                    const struct arrival *a)
{
    const struct gateway_payment *found[CANDIDATES_MAX];
    struct matching_side sides[CANDIDATES_MAX];
    const struct matching_side line = {.amount_minor = a->amount_minor,
                                       .phone = a->phone,
                                       .account = a->reference,
                                       .at_ns = a->at_ns};
    struct matching best;
    size_t count = 0;
    uint32_t slot = a->phone == 0 ? MAP_NONE : gateway__find_by_phone(g, a->provider, a->phone);
    for (; slot != MAP_NONE && slot != SLAB_NONE; slot = payment_slot(g, slot)->phone_before) {
        const struct gateway_payment *p = payment_slot(g, slot);
        if (a->at_ns - p->entered_ns[GATEWAY_CREATED] > CANDIDATE_AGE_NS) {
            break;
        }
        if (count == CANDIDATES_MAX) {
            return NULL; /* which of so many, nobody can tell */
        }
        if (gateway__is_doubtful(p)) {
            found[count] = p;
            sides[count++] = (struct matching_side){.amount_minor = p->amount_minor,
                                                    .phone = p->phone,
                                                    .account = gateway_account_reference(g, p),
                                                    .at_ns = p->entered_ns[GATEWAY_SUBMITTED]};
        }
    }
    matching_find(&line, sides, count, &best);
    return matching_applies(&best) ? found[best.index] : NULL;
}

const struct gateway_payment *gateway__payment_of_receipt(const struct gateway_decision *gd,
                                                          uint32_t provider,
                                                          const struct observation *claim)
{
    const struct gateway *g = gd->g;
    const struct arrival a = arrival_of(provider, claim, gd->now_ns);
    uint32_t slot = gateway__find(g, TEXT_OF_RECEIPT, provider, claim->receipt);
    if (slot != MAP_NONE) {
        return payment_slot(g, slot);
    }
    const struct gateway_receipt *r = gateway_receipt_by_text(g, provider, claim->receipt);
    if (r != NULL && (r->by_person || r->amount_minor != claim->amount_minor)) {
        return NULL;
    }
    const struct gateway_payment *p = match_by_phone(g, &a);
    if (p != NULL || r != NULL) {
        return p;
    }
    const struct fitting f = fitting_of(g, &a);
    return f.count == 1 && was_paid(f.latest) ? f.latest : NULL;
}

const struct gateway_payment *gateway_receipt_suggestion(const struct gateway *g,
                                                         const struct gateway_receipt *r)
{
    const struct arrival a = arrival_again(g, r);
    return r->state == RECEIPT_SUSPENSE ? fitting_of(g, &a).latest : NULL;
}

/* May it be nobody's but this payment's? */
static bool is_only(const struct gateway *g, const struct gateway_receipt *r,
                    const struct gateway_payment *p)
{
    const struct arrival a = arrival_again(g, r);
    if (r->state == RECEIPT_TAKEN_BACK || r->by_person || r->amount_minor != p->amount_minor ||
        !looks_like(p, a.amount_minor, a.phone, a.party, a.at_ns)) {
        return false;
    }
    const struct fitting f = fitting_of(g, &a);
    return f.count == 0 || (f.count == 1 && f.latest == p);
}

struct span gateway__receipt_that_fits(const struct gateway *g, const struct gateway_payment *p)
{
    struct span reference = gateway_account_reference(g, p);
    const struct gateway_receipt *found = NULL;
    uint32_t looks = 0;
    uint32_t slot = gateway__receipt_find(g, RECEIPT_BY_REFERENCE, p->provider, reference);
    for (; slot != MAP_NONE && slot != SLAB_NONE; slot = receipt_at(g, slot)->before) {
        const struct gateway_receipt *r = receipt_at(g, slot);
        bool fits = is_only(g, r, p);
        if ((fits && found != NULL) || looks++ == LOOKS_MAX) {
            return SPAN_EMPTY; /* which of them, nobody can tell */
        }
        found = fits ? r : found;
    }
    return found == NULL ? SPAN_EMPTY : gateway_text(g, found->receipt);
}

bool gateway__receipt_may_be_of(const struct gateway *g, const struct gateway_payment *p,
                                struct span text)
{
    if (text.size == 0 || gateway__find(g, TEXT_OF_RECEIPT, p->provider, text) != MAP_NONE) {
        return false;
    }
    const struct gateway_receipt *r = gateway_receipt_by_text(g, p->provider, text);
    if (r == NULL) {
        return true;
    }
    struct span reference = gateway_text(g, r->reference);
    bool named = reference.size == 0 || span_equal(reference, gateway_account_reference(g, p));
    return named && r->state != RECEIPT_TAKEN_BACK && !r->by_person &&
           r->amount_minor == gateway_paid_minor(p) &&
           fits_party(p->phone, r->phone, gateway_text(g, r->party));
}

bool gateway_c2b_accepts(const struct gateway *g, uint32_t provider, struct span reference)
{
    const struct gateway_provider *a = provider_at(g, provider);
    return a->c2b_rule == GATEWAY_C2B_ACCEPTS_ALL ||
           gateway_payment_of_order(g, a->merchant, reference) != NULL;
}

/* ---- making one ---- */

static void tell_receipt(struct gateway_decision *gd, uint64_t number, uint32_t provider,
                         uint32_t object_seq, uint16_t type)
{
    struct gateway_telling t = {.type = type,
                                .object_kind = FEED_OBJECT_RECEIPT,
                                .object = number,
                                .object_seq = object_seq,
                                .merchant = provider_at(gd->g, provider)->merchant,
                                .has_receipt = true};
    gateway__tell(gd, &t);
}

static void post(struct gateway_decision *gd, uint64_t number, uint32_t leg, uint16_t code,
                 struct transfer t)
{
    t.id = gateway_receipt_transfer_id(number, leg);
    t.reference = number;
    t.kind = TRANSFER_POST;
    t.code = code;
    CHECK(gateway__post(gd, &t, 1)); /* no account has a limit; the ledger: gateway__may_arrive */
}

static uint32_t receipt_account(const struct gateway *g, uint32_t provider, uint8_t state)
{
    const struct gateway_merchant *m = merchant_at(g, provider_at(g, provider)->merchant);
    return state == RECEIPT_ASSIGNED ? m->wallet : m->suspense;
}

uint64_t gateway__receipt_open(struct gateway_decision *gd, uint32_t provider,
                               const struct observation *claim)
{
    struct gateway_event kept = {.kind = EVENT_RECEIPT_KEPT};
    kept.receipt_kept.number = gd->g->last_receipt + 1;
    kept.receipt_kept.provider = provider;
    kept.receipt_kept.phone = claim->phone;
    kept.receipt_kept.receipt = claim->receipt;
    kept.receipt_kept.reference = claim->account_reference;
    kept.receipt_kept.party = claim->party;
    gateway__emit(gd, &kept);
    return kept.receipt_kept.number;
}

/* Known is the order that the payer named, and no push for it can still bring the same money. */
static bool is_for_order(const struct gateway_decision *gd, uint32_t provider,
                         const struct observation *claim)
{
    const struct arrival a = arrival_of(provider, claim, gd->now_ns);
    bool known = gateway_payment_of_order(gd->g, provider_at(gd->g, provider)->merchant,
                                          claim->account_reference) != NULL;
    return known && fitting_of(gd->g, &a).count == 0;
}

bool gateway__receipt_waits(const struct gateway_decision *gd, uint32_t provider,
                            const struct observation *claim)
{
    return !is_for_order(gd, provider, claim) ||
           gateway__is_unproven_arrival(gd->g, provider, (uint8_t)claim->source,
                                        claim->amount_minor);
}

bool gateway__is_proof(const struct gateway_decision *gd, const struct gateway_receipt *r,
                       const struct observation *claim)
{
    const struct gateway *g = gd->g;
    return r->state == RECEIPT_SUSPENSE && claim->has_amount &&
           claim->amount_minor == r->amount_minor &&
           gateway__is_unproven_arrival(g, r->provider, r->source, r->amount_minor) &&
           !gateway__is_unsigned(provider_at(g, r->provider)->kind, (uint8_t)claim->source) &&
           span_equal(gateway_text(g, r->reference), claim->account_reference) &&
           is_for_order(gd, r->provider, claim);
}

void gateway__receipt_opened(struct gateway_decision *gd, uint64_t number, uint32_t provider,
                             const struct observation *claim)
{
    const struct gateway *g = gd->g;
    struct gateway_event e = {.kind = EVENT_RECEIPT_CREATED};
    e.receipt_created.number = number;
    e.receipt_created.amount_minor = claim->amount_minor;
    e.receipt_created.at_ns = claim->at_ns;
    e.receipt_created.state =
        gateway__receipt_waits(gd, provider, claim) ? RECEIPT_SUSPENSE : RECEIPT_ASSIGNED;
    e.receipt_created.source = (uint8_t)claim->source;
    gateway__emit(gd, &e);
    struct transfer t = {.amount_minor = claim->amount_minor,
                         .debit_account = provider_at(g, provider)->clearing,
                         .credit_account = receipt_account(g, provider, e.receipt_created.state)};
    post(gd, number, 0, GATEWAY_TRANSFER_RECEIPT, t);
    tell_receipt(gd, number, provider, 0, FEED_RECEIPT_CREATED);
}

/* ---- and what becomes of it ---- */

void gateway__receipt_is_of(struct gateway_decision *gd, const struct gateway_payment *p,
                            struct span text)
{
    const struct gateway *g = gd->g;
    uint32_t slot = gateway__receipt_find(g, RECEIPT_BY_TEXT, p->provider, text);
    if (slot == MAP_NONE || receipt_at(g, slot)->state == RECEIPT_TAKEN_BACK) {
        return;
    }
    const struct gateway_receipt *r = receipt_at(g, slot);
    struct gateway_event e = {.kind = EVENT_RECEIPT_TAKEN_BACK};
    e.receipt_taken_back.number = r->number;
    e.receipt_taken_back.payment = p->number;
    gateway__emit(gd, &e);
    gateway__receipt_found_owner(gd, r);
    struct transfer t = {.amount_minor = r->amount_minor,
                         .debit_account = receipt_account(g, r->provider, r->state),
                         .credit_account = provider_at(g, r->provider)->clearing};
    post(gd, r->number, 2, GATEWAY_TRANSFER_TAKE_BACK, t);
    tell_receipt(gd, r->number, r->provider, r->object_seq, FEED_RECEIPT_TAKEN_BACK);
}

static void assign(struct gateway_decision *gd, const struct gateway_receipt *r, struct span order,
                   bool by_person)
{
    struct gateway_event e = {.kind = EVENT_RECEIPT_ASSIGNED};
    e.receipt_assigned.number = r->number;
    e.receipt_assigned.by_person = by_person;
    e.receipt_assigned.order = order;
    gateway__emit(gd, &e);
    gateway__receipt_found_owner(gd, r);
    struct transfer t = {.amount_minor = r->amount_minor,
                         .debit_account = receipt_account(gd->g, r->provider, RECEIPT_SUSPENSE),
                         .credit_account = receipt_account(gd->g, r->provider, RECEIPT_ASSIGNED)};
    post(gd, r->number, 1, GATEWAY_TRANSFER_ASSIGN, t);
    tell_receipt(gd, r->number, r->provider, r->object_seq, FEED_RECEIPT_ASSIGNED);
}

void gateway__decide_assign(const struct gateway *g, struct decision *d)
{
    const struct receipt_assign_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_receipt *r = gateway_receipt(g, c->number);
    reply->number = c->number;
    if (r == NULL || provider_at(g, r->provider)->merchant != c->merchant) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    if (r->state != RECEIPT_SUSPENSE) {
        bool same = r->state == RECEIPT_ASSIGNED && span_equal(gateway_text(g, r->order), c->order);
        reply->refusal = same ? GATEWAY_REPEATED : GATEWAY_NOT_HELD;
        return;
    }
    CHECK(c->order.size > 0 && c->order.size <= GATEWAY_ORDER_MAX);
    assign(&gd, r, c->order, true);
}

void gateway__prove_receipt(struct gateway_decision *gd, uint32_t provider,
                            const struct observation *claim)
{
    const struct gateway_receipt *r = gateway_receipt_by_text(gd->g, provider, claim->receipt);
    if (r != NULL && gateway__is_proof(gd, r, claim)) {
        assign(gd, r, claim->account_reference, false);
    }
}
