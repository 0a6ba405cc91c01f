/*
 * ledger_codec.c - the ledger in bytes: events for the journal, state for snapshots and digests,
 * and the full check of the invariants. Both directions of every form stand side by side.
 */
#include <string.h>

#include "ledger/ledger.h"

static void transfer_encode(struct writer *w, const struct transfer *t)
{
    put_u64(w, t->id);
    put_u64(w, t->reference);
    put_i64(w, t->amount_minor);
    put_u32(w, t->debit_account);
    put_u32(w, t->credit_account);
    put_u16(w, t->code);
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
    t->kind = kind;
    t->id = get_u64(r);
    t->reference = get_u64(r);
    t->amount_minor = get_i64(r);
    t->debit_account = get_u32(r);
    t->credit_account = get_u32(r);
    t->code = get_u16(r);
    if (kind == TRANSFER_HOLD) {
        t->expires_ns = get_i64(r);
    } else if (kind != TRANSFER_POST) {
        t->hold_id = get_u64(r);
    }
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
        put_u32(w, e->account);
        put_u64(w, e->opened.owner);
        put_u16(w, e->opened.code);
        put_u16(w, e->opened.flags);
        put_u16(w, e->opened.currency);
        break;
    case EVENT_ACCOUNT_FLAGS_SET:
        put_u32(w, e->account);
        put_u16(w, e->opened.flags);
        break;
    case EVENT_TRANSFER_REFUSED:
        put_u8(w, e->result);
        put_u8(w, (uint8_t)e->transfer.kind);
        transfer_encode(w, &e->transfer);
        break;
    case EVENT_HOLD_EXPIRED: put_u64(w, e->transfer.hold_id); break;
    default:
        CHECK(event_transfer_kind(e->kind) == e->transfer.kind);
        CHECK(e->transfer.kind != 0);
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
        break;
    case EVENT_ACCOUNT_FLAGS_SET:
        out->account = get_u32(r);
        out->opened.flags = get_u16(r);
        break;
    case EVENT_TRANSFER_REFUSED:
        out->result = get_u8(r);
        transfer_decode(r, get_u8(r), &out->transfer);
        break;
    case EVENT_HOLD_EXPIRED: out->transfer.hold_id = get_u64(r); break;
    default:
        if (event_transfer_kind(kind) == 0) {
            return false;
        }
        transfer_decode(r, event_transfer_kind(kind), &out->transfer);
        break;
    }
    return reader_done(r);
}

void ledger_save(const struct ledger *l, struct writer *w)
{
    put_i64(w, l->posted_minor);
    put_i64(w, l->pending_minor);
    slab_shape_save(&l->accounts, w);
    for (uint32_t i = slab_next(&l->accounts, 0); i != SLAB_NONE;
         i = slab_next(&l->accounts, i + 1)) {
        const struct account *a = slab_at(&l->accounts, i);
        put_i64(w, a->debits_pending);
        put_i64(w, a->debits_posted);
        put_i64(w, a->credits_pending);
        put_i64(w, a->credits_posted);
        put_u64(w, a->owner);
        put_u16(w, a->code);
        put_u16(w, a->flags);
        put_u16(w, a->currency);
    }
    slab_shape_save(&l->entries, w);
    for (uint32_t i = slab_next(&l->entries, 0); i != SLAB_NONE;
         i = slab_next(&l->entries, i + 1)) {
        const struct entry *e = slab_at(&l->entries, i);
        put_u8(w, e->state);
        put_u8(w, e->result);
        put_u8(w, (uint8_t)e->transfer.kind);
        transfer_encode(w, &e->transfer);
    }
}

static bool load_accounts(struct ledger *l, struct reader *r)
{
    if (!slab_shape_load(&l->accounts, r)) {
        return false;
    }
    for (uint32_t i = slab_next(&l->accounts, 0); i != SLAB_NONE;
         i = slab_next(&l->accounts, i + 1)) {
        struct account *a = slab_at(&l->accounts, i);
        a->debits_pending = get_i64(r);
        a->debits_posted = get_i64(r);
        a->credits_pending = get_i64(r);
        a->credits_posted = get_i64(r);
        a->owner = get_u64(r);
        a->code = get_u16(r);
        a->flags = get_u16(r);
        a->currency = get_u16(r);
    }
    return !r->bad;
}

static bool load_entries(struct ledger *l, struct reader *r)
{
    if (!slab_shape_load(&l->entries, r) || !map_reserve(&l->by_id, l->entries.used) ||
        !timers_reserve(&l->holds, l->entries.used)) {
        return false;
    }
    for (uint32_t i = slab_next(&l->entries, 0); i != SLAB_NONE;
         i = slab_next(&l->entries, i + 1)) {
        struct entry *e = slab_at(&l->entries, i);
        e->state = get_u8(r);
        e->result = get_u8(r);
        transfer_decode(r, get_u8(r), &e->transfer);
        e->timer_position = TIMERS_NOWHERE;
        if (r->bad || map_get(&l->by_id, e->transfer.id) != MAP_NONE) {
            return false;
        }
        map_put(&l->by_id, e->transfer.id, i);
        if (e->state == ENTRY_HOLD_OPEN && e->transfer.expires_ns != 0) {
            timers_add(&l->holds, e->transfer.expires_ns, i);
        }
    }
    return !r->bad;
}

bool ledger_load(struct ledger *l, struct reader *r)
{
    CHECK(l->accounts.high_water == 0 && l->entries.high_water == 0);
    l->posted_minor = get_i64(r);
    l->pending_minor = get_i64(r);
    return load_accounts(l, r) && load_entries(l, r);
}

struct check_sums {
    int64_t debits_posted, credits_posted, debits_pending, credits_pending;
};

static void check_sum(int64_t *sum, int64_t amount)
{
    CHECK(money_add(*sum, amount, sum));
}

/* L1 and L2 over all accounts. */
static void check_accounts(const struct ledger *l)
{
    struct check_sums s = {0, 0, 0, 0};
    for (uint32_t i = slab_next(&l->accounts, 0); i != SLAB_NONE;
         i = slab_next(&l->accounts, i + 1)) {
        const struct account *a = slab_at(&l->accounts, i);
        ledger_check_account(a);
        check_sum(&s.debits_posted, a->debits_posted);
        check_sum(&s.credits_posted, a->credits_posted);
        check_sum(&s.debits_pending, a->debits_pending);
        check_sum(&s.credits_pending, a->credits_pending);
    }
    CHECK(s.debits_posted == l->posted_minor && s.credits_posted == l->posted_minor);
    CHECK(s.debits_pending == l->pending_minor && s.credits_pending == l->pending_minor);
}

void ledger_check(const struct ledger *l)
{
    check_accounts(l);
    int64_t open_minor = 0;
    uint32_t expiring = 0;
    for (uint32_t i = slab_next(&l->entries, 0); i != SLAB_NONE;
         i = slab_next(&l->entries, i + 1)) {
        const struct entry *e = slab_at(&l->entries, i);
        CHECK(map_get(&l->by_id, e->transfer.id) == i);
        if (e->state == ENTRY_HOLD_OPEN) {
            check_sum(&open_minor, e->transfer.amount_minor);
            CHECK((e->timer_position != TIMERS_NOWHERE) == (e->transfer.expires_ns != 0));
            expiring += e->transfer.expires_ns != 0;
        }
    }
    CHECK(open_minor == l->pending_minor); /* L3 */
    CHECK(expiring == l->holds.count);     /* L5 */
    CHECK(l->entries.used == map_count(&l->by_id));
    timers_check(&l->holds);
    slab_check(&l->accounts);
    slab_check(&l->entries);
}
