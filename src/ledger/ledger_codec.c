/*
 * ledger_codec.c - the ledger in bytes: events for the journal, state for snapshots and digests,
 * and the full check of the invariants. Both directions of every form stand side by side.
 */
#include <string.h>

#include "base/hash.h"
#include "base/mutant.h"
#include "ledger/ledger.h"

enum {
    ACCOUNT_FLAGS_KNOWN = ACCOUNT_DEBITS_LIMITED | ACCOUNT_CREDITS_LIMITED | ACCOUNT_CLOSED,
    TRANSFER_BYTES = 8 + 8 + 8 + 4 + 4 + 2, /* without what only holds have */
};

static bool kind_known(uint16_t kind)
{
    return kind >= TRANSFER_POST && kind <= TRANSFER_VOID_HOLD;
}

/* Results that an entry may have: those that are remembered. */
static bool result_may_stay(uint8_t result)
{
    return result > LEDGER_OK && result <= LEDGER_LINKED_FAILED &&
           ledger_result_remembered((enum ledger_result)result);
}

static void transfer_encode(struct writer *w, const struct transfer *t)
{
    CHECK(t->id != 0);
    CHECK(kind_known(t->kind));
    uint8_t *at = writer_claim(w, TRANSFER_BYTES);
    if (at == NULL) {
        return;
    }
    at = store_u64(at, t->id);
    at = store_u64(at, t->reference);
    at = store_i64(at, t->amount_minor);
    at = store_u32(at, t->debit_account);
    at = store_u32(at, t->credit_account);
    (void)store_u16(at, t->code);
    if (t->kind == TRANSFER_HOLD) {
        put_i64(w, t->expires_ns);
    } else if (t->kind != TRANSFER_POST) {
        put_u64(w, t->hold_id);
    }
}

/* The kind is known from outside: from the event, or from the byte before (refused, saved). */
static void transfer_decode(struct reader *r, uint16_t kind, struct transfer *t)
{
    memset(t, 0, sizeof(*t));
    const uint8_t *at = kind_known(kind) ? reader_claim(r, TRANSFER_BYTES) : NULL;
    if (at == NULL) {
        r->bad = true;
        return;
    }
    t->kind = kind;
    at = fetch_u64(at, &t->id);
    at = fetch_u64(at, &t->reference);
    at = fetch_i64(at, &t->amount_minor);
    at = fetch_u32(at, &t->debit_account);
    at = fetch_u32(at, &t->credit_account);
    (void)fetch_u16(at, &t->code);
    if (kind == TRANSFER_HOLD) {
        t->expires_ns = get_i64(r);
    } else if (kind != TRANSFER_POST) {
        t->hold_id = get_u64(r);
    }
    r->bad = r->bad || t->id == 0;
}

/* The kind of transfer that an event kind carries; 0 for those that carry none. */
static uint16_t event_transfer_kind(uint16_t event_kind)
{
    switch (event_kind) {
    case EVENT_TRANSFER_POSTED: return TRANSFER_POST;
    case EVENT_HOLD_PLACED: return TRANSFER_HOLD;
    case EVENT_HOLD_POSTED: return TRANSFER_POST_HOLD;
    case EVENT_HOLD_VOIDED: return TRANSFER_VOID_HOLD;
    default: return 0;
    }
}

void ledger_event_encode(struct writer *w, const struct ledger_event *e)
{
    switch (e->kind) {
    case EVENT_ACCOUNT_OPENED:
        CHECK(e->opened.currency != 0);
        CHECK((e->opened.flags & ~ACCOUNT_FLAGS_KNOWN) == 0);
        put_u32(w, e->account);
        put_u64(w, e->opened.owner);
        put_u16(w, e->opened.code);
        put_u16(w, e->opened.flags);
        put_u16(w, e->opened.currency);
        break;
    case EVENT_ACCOUNT_FLAGS_SET:
        CHECK((e->opened.flags & ~ACCOUNT_FLAGS_KNOWN) == 0);
        put_u32(w, e->account);
        put_u16(w, e->opened.flags);
        break;
    case EVENT_TRANSFER_REFUSED:
        CHECK(result_may_stay(e->result));
        put_u8(w, e->result);
        put_u8(w, (uint8_t)e->transfer.kind);
        transfer_encode(w, &e->transfer);
        break;
    case EVENT_HOLD_EXPIRED:
        CHECK(e->transfer.hold_id != 0);
        put_u64(w, e->transfer.hold_id);
        break;
    default:
        CHECK(event_transfer_kind(e->kind) == e->transfer.kind);
        CHECK(e->transfer.amount_minor > 0);
        transfer_encode(w, &e->transfer);
        break;
    }
}

bool ledger_event_decode(uint16_t kind, struct reader *r, struct ledger_event *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = kind;
    switch (kind) {
    case EVENT_ACCOUNT_OPENED:
        out->account = get_u32(r);
        out->opened.owner = get_u64(r);
        out->opened.code = get_u16(r);
        out->opened.flags = get_u16(r);
        out->opened.currency = get_u16(r);
        r->bad = r->bad || out->opened.currency == 0;
        break;
    case EVENT_ACCOUNT_FLAGS_SET:
        out->account = get_u32(r);
        out->opened.flags = get_u16(r);
        break;
    case EVENT_TRANSFER_REFUSED:
        out->result = get_u8(r);
        transfer_decode(r, get_u8(r), &out->transfer);
        r->bad = r->bad || !result_may_stay(out->result);
        break;
    case EVENT_HOLD_EXPIRED:
        out->transfer.hold_id = get_u64(r);
        r->bad = r->bad || out->transfer.hold_id == 0;
        break;
    default:
        if (event_transfer_kind(kind) == 0) {
            return false;
        }
        transfer_decode(r, event_transfer_kind(kind), &out->transfer);
        r->bad = r->bad || out->transfer.amount_minor <= 0;
        break;
    }
    return reader_done(r) && (out->opened.flags & ~ACCOUNT_FLAGS_KNOWN) == 0;
}

static void account_save(struct writer *w, const struct account *a)
{
    ledger_check_account(a);
    put_i64(w, a->debits_pending);
    put_i64(w, a->debits_posted);
    put_i64(w, a->credits_pending);
    put_i64(w, a->credits_posted);
    put_i64(w, a->debits_left);
    put_i64(w, a->credits_left);
    put_u64(w, a->owner);
    put_u16(w, a->code);
    put_u16(w, a->flags);
    put_u16(w, a->currency);
}

/* L2 and L4 of one account, whose fields are known not to be below zero. Whether the totals of all
 * fit together, a load cannot say: that is ledger_check's. */
static bool account_plausible(const struct account *a)
{
    CHECK(a->debits_posted >= 0 && a->debits_pending >= 0);
    CHECK(a->credits_posted >= 0 && a->credits_pending >= 0);
    uint64_t debits = (uint64_t)a->debits_posted + (uint64_t)a->debits_pending;
    uint64_t credits = (uint64_t)a->credits_posted + (uint64_t)a->credits_pending;
    return debits <= INT64_MAX && credits <= INT64_MAX &&
           ((a->flags & ACCOUNT_DEBITS_LIMITED) == 0 || debits <= (uint64_t)a->credits_posted) &&
           ((a->flags & ACCOUNT_CREDITS_LIMITED) == 0 || credits <= (uint64_t)a->debits_posted);
}

static bool account_load(struct reader *r, struct account *a)
{
    a->debits_pending = get_i64(r);
    a->debits_posted = get_i64(r);
    a->credits_pending = get_i64(r);
    a->credits_posted = get_i64(r);
    a->debits_left = get_i64(r);
    a->credits_left = get_i64(r);
    a->owner = get_u64(r);
    a->code = get_u16(r);
    a->flags = get_u16(r);
    a->currency = get_u16(r);
    return !r->bad && a->debits_pending >= 0 && a->debits_posted >= 0 && a->credits_pending >= 0 &&
           a->credits_posted >= 0 && a->debits_left >= 0 && a->debits_left <= a->debits_posted &&
           a->credits_left >= 0 && a->credits_left <= a->credits_posted && a->currency != 0 &&
           (a->flags & ~ACCOUNT_FLAGS_KNOWN) == 0 && account_plausible(a);
}

void ledger_entry_encode(struct writer *w, const struct entry_record *e)
{
    CHECK(e->state >= ENTRY_POSTED && e->state <= ENTRY_HOLD_EXPIRED);
    CHECK((e->state == ENTRY_REFUSED) == result_may_stay(e->result));
    put_u8(w, e->state);
    put_u8(w, e->result);
    put_u8(w, (uint8_t)e->transfer.kind);
    transfer_encode(w, &e->transfer);
}

bool ledger_entry_decode(struct reader *r, struct entry_record *e)
{
    memset(e, 0, sizeof(*e));
    e->state = get_u8(r);
    e->result = get_u8(r);
    transfer_decode(r, get_u8(r), &e->transfer);
    bool refused = e->state == ENTRY_REFUSED;
    bool was_hold = e->state >= ENTRY_HOLD_OPEN;
    return !r->bad && e->state >= ENTRY_POSTED && e->state <= ENTRY_HOLD_EXPIRED &&
           (refused ? result_may_stay(e->result) : e->result == LEDGER_OK) &&
           (refused || was_hold == (e->transfer.kind == TRANSFER_HOLD)) &&
           (refused || e->transfer.amount_minor > 0);
}

void ledger_save(const struct ledger *l, struct writer *w)
{
    CHECK(l->posted_minor >= 0 && l->pending_minor >= 0);
    CHECK(id_table_count(&l->by_id) == l->entries.used);
    CHECK(l->expiring.count <= l->holds.used);
    put_i64(w, l->posted_minor);
    put_i64(w, l->pending_minor);
    put_i64(w, l->left_minor);
    put_u64(w, l->left);
    slab_shape_save(&l->accounts, w);
    for (uint32_t i = slab_next(&l->accounts, 0); i != SLAB_NONE;
         i = slab_next(&l->accounts, i + 1)) {
        account_save(w, slab_at(&l->accounts, i));
    }
    slab_shape_save(&l->entries, w);
    for (uint32_t i = slab_next(&l->entries, 0); i != SLAB_NONE;
         i = slab_next(&l->entries, i + 1)) {
        struct entry_record record;
        ledger_entry_record(l, slab_at(&l->entries, i), &record);
        ledger_entry_encode(w, &record);
    }
}

static bool load_accounts(struct ledger *l, struct reader *r)
{
    if (!slab_shape_load(&l->accounts, r)) {
        return false;
    }
    for (uint32_t i = slab_next(&l->accounts, 0); i != SLAB_NONE;
         i = slab_next(&l->accounts, i + 1)) {
        if (!account_load(r, slab_at(&l->accounts, i))) {
            return false;
        }
    }
    return l->accounts.free_head == SLAB_NONE; /* accounts are never removed */
}

/* What only holds have; false: no memory. */
static bool load_hold(struct ledger *l, struct entry *e, uint32_t index, const struct transfer *t)
{
    CHECK(e->id == t->id);
    CHECK(slab_is_used(&l->entries, index));
    e->hold = SLAB_NONE;
    if (t->expires_ns == 0 && t->hold_id == 0) {
        return true;
    }
    if (!slab_reserve(&l->holds, 1) || !timers_reserve(&l->expiring, 1)) {
        return false;
    }
    e->hold = slab_take(&l->holds);
    struct entry_hold *hold = slab_at(&l->holds, e->hold);
    *hold = (struct entry_hold){t->expires_ns, t->hold_id, TIMERS_NOWHERE};
    if (e->state == ENTRY_HOLD_OPEN && t->expires_ns != 0 && !MUTATED(HOLD_TIMER_LOST)) {
        timers_add(&l->expiring, t->expires_ns, index);
        CHECK(hold->timer_position != TIMERS_NOWHERE);
    }
    return true;
}

static bool load_entries(struct ledger *l, struct reader *r)
{
    if (!slab_shape_load(&l->entries, r) || !id_table_reserve(&l->by_id, l->entries.used)) {
        return false;
    }
    for (uint32_t i = slab_next(&l->entries, 0); i != SLAB_NONE;
         i = slab_next(&l->entries, i + 1)) {
        struct entry *e = slab_at(&l->entries, i);
        struct entry_record record;
        if (!ledger_entry_decode(r, &record) ||
            id_table_get(&l->by_id, &l->entries, record.transfer.id) != SLAB_NONE) {
            return false;
        }
        e->id = record.transfer.id;
        e->reference = record.transfer.reference;
        e->amount_minor = record.transfer.amount_minor;
        e->debit_account = record.transfer.debit_account;
        e->credit_account = record.transfer.credit_account;
        e->code = record.transfer.code;
        e->kind = record.transfer.kind & 15u;
        e->state = record.state & 15u;
        e->result = record.result;
        id_table_put(&l->by_id, &l->entries, i);
        if (!load_hold(l, e, i, &record.transfer)) {
            return false;
        }
    }
    CHECK(id_table_count(&l->by_id) == l->entries.used);
    CHECK(l->holds.used <= l->entries.used);
    return !r->bad;
}

bool ledger_load(struct ledger *l, struct reader *r)
{
    CHECK(l->accounts.high_water == 0 && l->entries.high_water == 0);
    CHECK(l->expiring.count == 0 && id_table_count(&l->by_id) == 0);
    l->posted_minor = get_i64(r);
    l->pending_minor = get_i64(r);
    l->left_minor = get_i64(r);
    l->left = get_u64(r);
    return l->posted_minor >= 0 && l->pending_minor >= 0 && l->left_minor >= 0 &&
           load_accounts(l, r) && load_entries(l, r);
}

/*
 * L1 to L3 without memory for each account: amounts are also summed up weighted by a number drawn
 * from the account's index, modulo 2^64. If the weighted sums over accounts and over transfers
 * agree, so do the amounts of every account (but for one chance in 2^64).
 */
struct check_sums {
    int64_t debits_posted, credits_posted, debits_pending, credits_pending;
    int64_t debits_left, credits_left;
    uint64_t weighted_posted, weighted_pending;
};

static uint64_t check_weight(uint32_t account, bool debit)
{
    return hash_u64((uint64_t)account << 1 | debit, 0x5851f42d4c957f2d) | 1;
}

static void check_sum(int64_t *sum, int64_t amount)
{
    CHECK(amount >= 0);
    CHECK(money_add(*sum, amount, sum));
}

/* L1 and L2 over all accounts. */
static void check_accounts(const struct ledger *l, struct check_sums *s)
{
    memset(s, 0, sizeof(*s));
    for (uint32_t i = slab_next(&l->accounts, 0); i != SLAB_NONE;
         i = slab_next(&l->accounts, i + 1)) {
        const struct account *a = slab_at(&l->accounts, i);
        ledger_check_account(a);
        check_sum(&s->debits_posted, a->debits_posted);
        check_sum(&s->credits_posted, a->credits_posted);
        check_sum(&s->debits_pending, a->debits_pending);
        check_sum(&s->credits_pending, a->credits_pending);
        check_sum(&s->debits_left, a->debits_left);
        check_sum(&s->credits_left, a->credits_left);
        /* What left is the account's own to answer for: the entries must give the rest. */
        s->weighted_posted +=
            check_weight(i, true) * (uint64_t)(a->debits_posted - a->debits_left) +
            check_weight(i, false) * (uint64_t)(a->credits_posted - a->credits_left);
        s->weighted_pending += check_weight(i, true) * (uint64_t)a->debits_pending +
                               check_weight(i, false) * (uint64_t)a->credits_pending;
    }
    CHECK(s->debits_posted == l->posted_minor && s->credits_posted == l->posted_minor);
    CHECK(s->debits_pending == l->pending_minor && s->credits_pending == l->pending_minor);
    CHECK(s->debits_left == l->left_minor && s->credits_left == l->left_minor);
    CHECK(l->left_minor <= l->posted_minor);
}

/* L5 of what expires: exactly an open hold that does has a timer, and it is the right one. */
static bool check_expiry(const struct ledger *l, const struct entry *e, uint32_t index)
{
    if (e->hold == SLAB_NONE) {
        return false;
    }
    CHECK(slab_is_used(&l->holds, e->hold));
    const struct entry_hold *hold = slab_at(&l->holds, e->hold);
    bool expires = e->state == ENTRY_HOLD_OPEN && hold->expires_ns != 0;
    CHECK((hold->timer_position != TIMERS_NOWHERE) == expires);
    if (expires) {
        CHECK(hold->timer_position < l->expiring.count);
        CHECK(l->expiring.entries[hold->timer_position].id == index);
        CHECK(l->expiring.entries[hold->timer_position].due_ns == hold->expires_ns);
    }
    return expires;
}

/* One transfer: its part in L3 is taken out of the sums. */
static void check_entry(const struct ledger *l, uint32_t index, struct check_sums *s)
{
    const struct entry *e = slab_at(&l->entries, index);
    CHECK(id_table_get(&l->by_id, &l->entries, e->id) == index);
    CHECK((e->state == ENTRY_REFUSED) == (e->result != LEDGER_OK));
    bool open = e->state == ENTRY_HOLD_OPEN;
    bool posted = e->state == ENTRY_POSTED && e->kind != TRANSFER_VOID_HOLD;
    if (!open && !posted) {
        return;
    }
    CHECK(ledger_account(l, e->debit_account) != NULL);
    CHECK(ledger_account(l, e->credit_account) != NULL);
    uint64_t weighted =
        (check_weight(e->debit_account, true) + check_weight(e->credit_account, false)) *
        (uint64_t)e->amount_minor;
    s->weighted_pending -= open ? weighted : 0;
    s->weighted_posted -= posted ? weighted : 0;
    check_sum(&s->debits_pending, open ? e->amount_minor : 0);
    check_sum(&s->debits_posted, posted ? e->amount_minor : 0);
}

void ledger_check(const struct ledger *l)
{
    struct check_sums s;
    int64_t all_minor;
    uint32_t expiring = 0;
    uint32_t holds = 0;
    check_accounts(l, &s);
    CHECK(money_add(l->posted_minor, l->pending_minor, &all_minor)); /* L4 */
    s.debits_posted = 0;
    s.debits_pending = 0;
    for (uint32_t i = slab_next(&l->entries, 0); i != SLAB_NONE;
         i = slab_next(&l->entries, i + 1)) {
        check_entry(l, i, &s);
        const struct entry *e = slab_at(&l->entries, i);
        expiring += check_expiry(l, e, i);
        holds += e->hold != SLAB_NONE;
    }
    CHECK(s.debits_posted == l->posted_minor - l->left_minor);
    CHECK(s.debits_pending == l->pending_minor);
    CHECK(s.weighted_posted == 0);
    CHECK(s.weighted_pending == 0);
    CHECK(expiring == l->expiring.count); /* L5 */
    CHECK(holds == l->holds.used);
    CHECK(l->entries.used == id_table_count(&l->by_id));
    CHECK(l->accounts.used == l->accounts.high_water);
    id_table_check(&l->by_id, &l->entries);
    timers_check(&l->expiring);
    slab_check(&l->accounts);
    slab_check(&l->entries);
    slab_check(&l->holds);
}
