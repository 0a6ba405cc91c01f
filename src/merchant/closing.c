/*
 * closing.c - a payment (payout, refund) that ended long ago: when it may leave memory, its record,
 * leaving, being read as the guest, coming home. See closing.h and book/closing.h. It leaves with
 * all that belongs to it: texts, notices with their raw bytes, ledger entries. Its messages in the
 * outbox and its events for the application are not part of it and stay.
 *
 * The ended ones stand in the order of their ends, but for those that were looked at and could not
 * leave yet: they go to the back. The order is memory only and decides nothing.
 * Tests: tests/unit/test_merchant_closing.c, tests/unit/test_merchant_random.c and _soak.c.
 */
#include <string.h>

#include "base/caltime.h"
#include "base/matching.h"
#include "merchant/internal.h"
#include "merchant/record_fields.h"

enum {
    RECORD_VERSION = 1, /* of the bytes that record writes: in the journal for ever */
    LOOKED_AT = 4,      /* for each that is wanted */
    RECORD_FIXED = 512, /* bytes: more than the numbers of a payment or notice are */
    SHOWN_LOOKS_MAX = 4096,
};
/* What may still be found by its payer alone, or repaired by a late callback (R5.4), stays so long
 * at least: then every payment that it could be taken for is made, and its alert is over. */
#define DOUBTFUL_AGE_NS (4 * MATCHING_WINDOW_NS)

/* ---- the order of the ended ones ---- */

void gateway__closed_append(struct gateway *g, uint32_t slot)
{
    struct gateway_payment *p = payment_slot(g, slot);
    CHECK(gateway_state_ended(p->state));
    p->closed_after = SLAB_NONE;
    p->closed_before = g->closed_last;
    *(g->closed_last == SLAB_NONE ? &g->closed_first
                                  : &payment_slot(g, g->closed_last)->closed_after) = slot;
    g->closed_last = slot;
    g->closed++;
}

static void closed_remove(struct gateway *g, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    CHECK(g->closed > 0);
    *(p->closed_before == SLAB_NONE ? &g->closed_first
                                    : &payment_slot(g, p->closed_before)->closed_after) =
        p->closed_after;
    *(p->closed_after == SLAB_NONE ? &g->closed_last
                                   : &payment_slot(g, p->closed_after)->closed_before) =
        p->closed_before;
    g->closed--;
}

static int64_t ended_ns(const struct gateway_payment *p)
{
    return p->entered_ns[p->state];
}

/* ---- may it leave? ---- */

static bool is_waiting(const struct gateway *g, uint64_t item)
{
    const struct outbox_item *known = item == 0 ? NULL : outbox_item(&g->book->outbox, item);
    return known != NULL && known->state == OUTBOX_WAITING;
}

/* Is anything on its way: a call to the provider, a message to the application, a refund of it? */
static bool is_busy(const struct gateway *g, const struct gateway_payment *p)
{
    const struct gateway_merchant *m = merchant_at(g, p->merchant);
    for (uint32_t i = 0; i < m->endpoints; i++) {
        uint64_t chain = gateway__chain(m->endpoint[i], FEED_OBJECT_PAYMENT, p->number);
        if (map_get(&g->webhook_last, chain) != MAP_NONE) {
            return true;
        }
    }
    return p->question != 0 || p->timer != TIMERS_NOWHERE || is_waiting(g, p->item) ||
           is_waiting(g, p->front_item) || is_waiting(g, p->late_item) ||
           (p->refund != 0 && gateway__payment_slot(g, p->refund) != MAP_NONE);
}

/* Is there another that the same payer's money could be taken for? Then both stay, so that whoever
 * looks sees that there are two. */
static bool has_twin(const struct gateway *g, const struct gateway_payment *p)
{
    int64_t sent_ns = p->entered_ns[GATEWAY_SUBMITTED];
    uint32_t slot = gateway__find_by_phone(g, p->provider, p->phone);
    for (; slot != MAP_NONE && slot != SLAB_NONE; slot = payment_slot(g, slot)->phone_before) {
        const struct gateway_payment *other = payment_slot(g, slot);
        if (other->entered_ns[GATEWAY_SUBMITTED] == 0) {
            continue; /* it never left: nobody can have paid it */
        }
        int64_t apart_ns = other->entered_ns[GATEWAY_SUBMITTED] - sent_ns;
        if (other != p && gateway__is_doubtful(other) && other->amount_minor == p->amount_minor &&
            apart_ns <= 2 * MATCHING_WINDOW_NS && apart_ns >= -2 * MATCHING_WINDOW_NS) {
            return true;
        }
        if (apart_ns < -DOUBTFUL_AGE_NS) {
            return false;
        }
    }
    return false;
}

/* Is there another that was shown to its payer under the same reference, whose money could be taken
 * for this one's? On one side of it: the later ones, or the earlier. */
static bool has_shown_twin(const struct gateway *g, const struct gateway_payment *p, bool later)
{
    struct span reference = gateway_account_reference(g, p);
    uint32_t slot = later ? p->shown_after : p->shown_before;
    for (uint32_t looks = 0; slot != SLAB_NONE; looks++) {
        const struct gateway_payment *other = payment_slot(g, slot);
        int64_t apart_ns = other->entered_ns[GATEWAY_CREATED] - p->entered_ns[GATEWAY_SUBMITTED];
        if (apart_ns > DOUBTFUL_AGE_NS || apart_ns < -DOUBTFUL_AGE_NS) {
            return false;
        }
        bool alike = other->provider == p->provider && other->amount_minor == p->amount_minor &&
                     span_equal(gateway_account_reference(g, other), reference);
        if (alike || looks == SHOWN_LOOKS_MAX) {
            return true;
        }
        slot = later ? other->shown_after : other->shown_before;
    }
    return false;
}

static bool was_repaired(const struct gateway_payment *p)
{
    bool own = p->source == OBSERVED_BY_CALLBACK || p->source == OBSERVED_BY_WEBHOOK;
    return p->entered_position[GATEWAY_SUCCEEDED] != 0 && !own && !gateway_pays_out(p->method);
}

/* Its notices: not too many, none too new, none that somebody has to look into. */
static bool notices_rest(const struct gateway *g, const struct gateway_payment *p,
                         const struct closing_terms *terms)
{
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        const struct gateway_notice *n = notice_at(g, i);
        if (n->taken_ns > terms->before_ns ||
            gateway__disputed(g, p->provider, gateway_text(g, n->receipt)) ||
            gateway__disputed(g, p->provider, gateway_text(g, n->reference))) {
            return false;
        }
    }
    return p->notices <= GATEWAY_RECORD_NOTICES &&
           !gateway__disputed(g, p->provider, gateway_text(g, p->receipt));
}

static size_t record_size(const struct gateway *g, const struct gateway_payment *p)
{
    size_t size = RECORD_FIXED + GATEWAY_LEGS * 64 + GATEWAY_STATES_END * 16;
#define T(name) size += 2 + gateway_text(g, p->name).size;
    RECORD_PAYMENT_TEXTS_1(T)
#undef T
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        const struct gateway_notice *n = notice_at(g, i);
        size += RECORD_FIXED / 2;
#define T(name) size += 2 + gateway_text(g, n->name).size;
        RECORD_NOTICE_TEXTS_1(T)
#undef T
        for (uint32_t b = 0; b < GATEWAY_BODY_PARTS; b++) {
            size += 2 + gateway_text(g, n->body[b]).size;
        }
    }
    return size;
}

static bool may_leave(const void *state, uint64_t number, const struct closing_terms *terms)
{
    const struct gateway *g = state;
    uint32_t slot = gateway__payment_slot(g, number);
    if (slot == MAP_NONE) {
        return false;
    }
    const struct gateway_payment *p = payment_slot(g, slot);
    if (!gateway_state_ended(p->state) || p->changed > terms->as_of ||
        ended_ns(p) > terms->before_ns || p->escrow == ESCROW_HELD) {
        return false;
    }
    int64_t age_ns = terms->now_ns - ended_ns(p);
    bool doubtful = gateway__is_doubtful(p);
    if ((doubtful || was_repaired(p)) && age_ns < DOUBTFUL_AGE_NS) {
        return false;
    }
    bool twin = (doubtful && has_twin(g, p)) ||
                (p->shown && (has_shown_twin(g, p, true) || has_shown_twin(g, p, false)));
    return !is_busy(g, p) && notices_rest(g, p, terms) && !twin &&
           record_size(g, p) <= CLOSING_RECORD_MAX;
}

static uint32_t find(void *state, const struct closing_terms *terms, uint64_t *out, uint32_t most)
{
    struct gateway *g = state;
    uint32_t looked = g->closed < most * LOOKED_AT ? g->closed : most * LOOKED_AT;
    uint32_t found = 0;
    for (; looked > 0 && found < most; looked--) {
        uint32_t slot = g->closed_first;
        struct gateway_payment *p = payment_slot(g, slot);
        if (ended_ns(p) > terms->before_ns) {
            break; /* those behind it are younger, or were looked at a short while ago */
        }
        closed_remove(g, slot);
        gateway__closed_append(g, slot);
        if (!p->leaving && may_leave(g, p->number, terms)) {
            p->leaving = true;
            out[found++] = p->number;
        }
    }
    return found;
}

static void stay(void *state, uint64_t number)
{
    struct gateway *g = state;
    uint32_t slot = gateway__payment_slot(g, number);
    if (slot != MAP_NONE) {
        payment_slot(g, slot)->leaving = false;
    }
}

static int64_t first_closed(const void *state)
{
    const struct gateway *g = state;
    return g->closed == 0 ? INT64_MAX : ended_ns(payment_slot(g, g->closed_first));
}

static uint32_t closed_count(const void *state)
{
    const struct gateway *g = state;
    return g->closed;
}

static uint64_t closed_left(const void *state)
{
    const struct gateway *g = state;
    return g->left;
}

/* ---- the record ---- */

struct notice_record {
    struct gateway_notice notice;
#define T(name) struct span name;
    RECORD_NOTICE_TEXTS_1(T)
#undef T
    struct span body[GATEWAY_BODY_PARTS];
};

struct payment_record {
    struct gateway_payment payment;
#define T(name) struct span name;
    RECORD_PAYMENT_TEXTS_1(T)
#undef T
    struct notice_record notices[GATEWAY_RECORD_NOTICES];
    uint32_t legs;
    struct entry_record leg[GATEWAY_LEGS];
};

static void put_notice(const struct gateway *g, const struct gateway_notice *e, struct writer *w)
{
    RECORD_NOTICE_1(FIELD_PUT)
#define T(name) put_text(w, gateway_text(g, e->name));
    RECORD_NOTICE_TEXTS_1(T)
#undef T
    for (uint32_t i = 0; i < GATEWAY_BODY_PARTS; i++) {
        put_text(w, gateway_text(g, e->body[i]));
    }
}

static void get_notice(struct reader *r, struct notice_record *out)
{
    struct gateway_notice *e = &out->notice;
    RECORD_NOTICE_1(FIELD_GET)
#define T(name) out->name = get_text(r);
    RECORD_NOTICE_TEXTS_1(T)
#undef T
    for (uint32_t i = 0; i < GATEWAY_BODY_PARTS; i++) {
        out->body[i] = get_text(r);
    }
}

static void put_legs(const struct gateway *g, uint64_t number, struct writer *w)
{
    const struct entry *legs[GATEWAY_LEGS];
    uint8_t count = 0;
    for (uint32_t i = 0; i < GATEWAY_LEGS; i++) {
        const struct entry *e = ledger_entry(&g->book->ledger, gateway_transfer_id(number, i));
        if (e != NULL) {
            legs[count++] = e;
        }
    }
    put_u8(w, count);
    for (uint32_t i = 0; i < count; i++) {
        struct entry_record whole;
        ledger_entry_record(&g->book->ledger, legs[i], &whole);
        ledger_entry_encode(w, &whole);
    }
}

static void record(const void *state, uint64_t number, struct writer *w, struct old_names *names)
{
    const struct gateway *g = state;
    uint32_t slot = gateway__payment_slot(g, number);
    CHECK(slot != MAP_NONE);
    const struct gateway_payment *e = payment_slot(g, slot);
    CHECK(gateway_state_ended(e->state));
    put_u8(w, RECORD_VERSION);
    RECORD_PAYMENT_1(FIELD_PUT)
    for (uint32_t s = 0; s < GATEWAY_STATES_END; s++) {
        put_i64(w, e->entered_ns[s]);
        put_u64(w, e->entered_position[s]);
    }
#define T(name) put_text(w, gateway_text(g, e->name));
    RECORD_PAYMENT_TEXTS_1(T)
#undef T
    for (uint32_t i = e->first_notice; i != SLAB_NONE; i = notice_at(g, i)->next) {
        put_notice(g, notice_at(g, i), w);
    }
    put_legs(g, number, w);
    gateway__names_of(g, e, names);
}

/* The bytes alone. */
static bool record_decode(struct reader *r, struct payment_record *out)
{
    struct gateway_payment *e = &out->payment;
    memset(out, 0, sizeof(*out));
    if (get_u8(r) != RECORD_VERSION) {
        return false;
    }
    RECORD_PAYMENT_1(FIELD_GET)
    for (uint32_t s = 0; s < GATEWAY_STATES_END; s++) {
        e->entered_ns[s] = get_i64(r);
        e->entered_position[s] = get_u64(r);
    }
#define T(name) out->name = get_text(r);
    RECORD_PAYMENT_TEXTS_1(T)
#undef T
    if (r->bad || e->notices > GATEWAY_RECORD_NOTICES) {
        return false;
    }
    for (uint32_t i = 0; i < e->notices; i++) {
        get_notice(r, &out->notices[i]);
    }
    out->legs = get_u8(r);
    bool good = !r->bad && out->legs <= GATEWAY_LEGS;
    for (uint32_t i = 0; good && i < out->legs; i++) {
        good = ledger_entry_decode(r, &out->leg[i]) && out->leg[i].state != ENTRY_HOLD_OPEN;
    }
    e->timer = TIMERS_NOWHERE;
    e->first_notice = SLAB_NONE;
    e->last_notice = SLAB_NONE;
    return good && reader_done(r) && e->state >= GATEWAY_CREATED && e->state < GATEWAY_STATES_END &&
           gateway_state_ended(e->state) && e->entered_position[e->state] != 0 && e->method >= 1 &&
           e->method <= METHOD_LAST && e->amount_minor > 0 && out->order.size > 0;
}

/* A record that is one of ours and of a payment that this book has had. */
static bool record_read(const struct gateway *g, uint64_t number, struct reader *r,
                        struct payment_record *out)
{
    const struct gateway_payment *p = &out->payment;
    return record_decode(r, out) && p->number == number && number <= g->last_payment &&
           slab_is_used(&g->merchants, p->merchant) && slab_is_used(&g->providers, p->provider);
}

bool gateway_recalled_read(uint64_t number, struct reader *r, struct gateway_recalled *out)
{
    struct payment_record c;
    if (!record_decode(r, &c) || c.payment.number != number) {
        return false;
    }
    out->state = c.payment.state;
    out->paid_minor = gateway_paid_minor(&c.payment);
    out->object_seq = c.payment.object_seq;
    out->has_receipt = c.receipt.size > 0;
    return true;
}

/* ---- leaving and coming home ---- */

static void notice_leaves(struct gateway *g, uint32_t slot)
{
    struct texts *texts = &g->book->texts;
    const struct gateway_notice *n = notice_at(g, slot);
    uint64_t key = gateway__bytes_key(n->key);
    if (map_get(&g->notice_by_key, key) == slot) {
        CHECK(map_remove(&g->notice_by_key, key));
    }
    CHECK(map_remove(&g->notice_by_number, n->number));
#define T(name) texts_drop(texts, n->name);
    RECORD_NOTICE_TEXTS_1(T)
#undef T
    for (uint32_t i = 0; i < GATEWAY_BODY_PARTS; i++) {
        texts_drop(texts, n->body[i]);
    }
    slab_release(&g->notices, slot);
}

static void leave(void *state, uint64_t number)
{
    struct gateway *g = state;
    struct texts *texts = &g->book->texts;
    uint32_t slot = gateway__payment_slot(g, number);
    CHECK(slot != MAP_NONE);
    const struct gateway_payment *p = payment_slot(g, slot);
    CHECK(gateway_state_ended(p->state) && p->timer == TIMERS_NOWHERE);
    gateway__count_left(g, p, 1);
    for (uint32_t i = p->first_notice; i != SLAB_NONE;) {
        uint32_t next = notice_at(g, i)->next;
        notice_leaves(g, i);
        i = next;
    }
    for (uint32_t i = 0; i < GATEWAY_LEGS; i++) {
        uint64_t id = gateway_transfer_id(number, i);
        if (ledger_entry(&g->book->ledger, id) != NULL) {
            ledger_leave(&g->book->ledger, id);
        }
    }
    closed_remove(g, slot);
    gateway__unindex_payment(g, slot);
#define T(name) texts_drop(texts, p->name);
    RECORD_PAYMENT_TEXTS_1(T)
#undef T
    g->touched_count = 0; /* of the frame before, in a replay: this one touches nothing */
    g->left++;
    slab_release(&g->payments, slot);
}

static void notice_comes(struct gateway *g, struct gateway_payment *p,
                         const struct notice_record *c)
{
    struct texts *texts = &g->book->texts;
    uint32_t slot = slab_take(&g->notices);
    struct gateway_notice *n = notice_at(g, slot);
    *n = c->notice;
#define T(name) n->name = texts_keep(texts, c->name);
    RECORD_NOTICE_TEXTS_1(T)
#undef T
    for (uint32_t i = 0; i < GATEWAY_BODY_PARTS; i++) {
        n->body[i] = texts_keep(texts, c->body[i]);
    }
    n->payment = p->number;
    n->next = SLAB_NONE;
    *(p->last_notice == SLAB_NONE ? &p->first_notice : &notice_at(g, p->last_notice)->next) = slot;
    p->last_notice = slot;
    map_put(&g->notice_by_number, n->number, slot);
    uint64_t key = gateway__bytes_key(n->key);
    if (map_get(&g->notice_by_key, key) == MAP_NONE) {
        map_put(&g->notice_by_key, key, slot);
    }
}

static bool recall(void *state, uint64_t number, struct reader *r)
{
    struct gateway *g = state;
    struct payment_record c;
    struct texts *texts = &g->book->texts;
    if (!record_read(g, number, r, &c)) {
        return false;
    }
    CHECK(gateway__payment_slot(g, number) == MAP_NONE && g->left > 0);
    uint32_t slot = slab_take(&g->payments);
    struct gateway_payment *p = payment_slot(g, slot);
    *p = c.payment;
#define T(name) p->name = texts_keep(texts, c.name);
    RECORD_PAYMENT_TEXTS_1(T)
#undef T
    for (uint32_t i = 0; i < p->notices; i++) {
        notice_comes(g, p, &c.notices[i]);
    }
    for (uint32_t i = 0; i < c.legs; i++) {
        ledger_come_home(&g->book->ledger, &c.leg[i]);
    }
    g->left--;
    gateway__index_payment(g, slot);
    gateway__closed_append(g, slot);
    gateway__count_left(g, p, -1);
    g->touched_count = 1;
    g->touched[0] = slot;
    g->touched_receipt_count = 0;
    g->touched_position = g->book->position + 1;
    p->changed = g->touched_position;
    return true;
}

/* ---- the guest ---- */

static uint32_t lend(struct gateway *g, struct span text)
{
    return text.size == 0 ? TEXT_NONE : texts_lend(&g->book->texts, text);
}

static bool host(void *state, uint64_t number, struct reader *r)
{
    struct gateway *g = state;
    struct payment_record c;
    if (!record_read(g, number, r, &c)) {
        return false;
    }
    CHECK(gateway__payment_slot(g, number) == MAP_NONE);
    struct gateway_payment *p = &g->guest.payment;
    *p = c.payment;
#define T(name) p->name = lend(g, c.name);
    RECORD_PAYMENT_TEXTS_1(T)
#undef T
    for (uint32_t i = 0; i < p->notices; i++) {
        struct gateway_notice *n = &g->guest.notices[i];
        const struct notice_record *from = &c.notices[i];
        *n = from->notice;
#define T(name) n->name = lend(g, from->name);
        RECORD_NOTICE_TEXTS_1(T)
#undef T
        for (uint32_t b = 0; b < GATEWAY_BODY_PARTS; b++) {
            n->body[b] = lend(g, from->body[b]);
        }
        n->payment = number;
        n->next = i + 1 == p->notices ? SLAB_NONE : GATEWAY_GUEST_NOTICES + i + 1;
    }
    p->first_notice = p->notices == 0 ? SLAB_NONE : GATEWAY_GUEST_NOTICES;
    return true;
}

static void unhost(void *state)
{
    struct gateway *g = state;
    g->guest.payment.number = 0;
}

const struct domain_closing gateway__closings[GATEWAY_CLOSINGS] = {
    {
        .space = OLD_SPACE_GATEWAY_PAYMENT,
        .comes_home = true,
        .find = find,
        .stay = stay,
        .may_leave = may_leave,
        .first_closed = first_closed,
        .count = closed_count,
        .left = closed_left,
        .record = record,
        .leave = leave,
        .recall = recall,
        .host = host,
        .unhost = unhost,
        .holds = gateway__holds,
    },
};
