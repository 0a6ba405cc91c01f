/*
 * ledger.c - plans, events and their effects. See ledger.h for the invariants L1 to L5.
 * Relies on base only. Must never read a clock or fail inside ledger_apply.
 * Tests: tests/unit/test_ledger.c; the simulation's auditor keeps a second ledger beside this one.
 */
#include "ledger/ledger.h"

#include <string.h>

#include "base/mutant.h"

const char *ledger_result_text(enum ledger_result result)
{
    switch (result) {
#define X(name, number, remembered, sentence) \
    case LEDGER_##name: return sentence;
        LEDGER_RESULTS(X)
#undef X
    }
    UNREACHABLE("ledger result out of range");
}

bool ledger_result_remembered(enum ledger_result result)
{
    switch (result) {
#define X(name, number, remembered, sentence) \
    case LEDGER_##name: return (remembered) != 0 && result != LEDGER_OK;
        LEDGER_RESULTS(X)
#undef X
    }
    UNREACHABLE("ledger result out of range");
}

static void ledger_place_timer(void *context, uint64_t id, uint32_t position)
{
    struct ledger *l = context;
    CHECK(slab_is_used(&l->entries, (uint32_t)id));
    const struct entry *e = slab_at(&l->entries, (uint32_t)id);
    CHECK(e->state == ENTRY_HOLD_OPEN); /* a hold leaves the timers before it ends */
    struct entry_hold *hold = slab_at(&l->holds, e->hold);
    CHECK(hold->expires_ns != 0);
    hold->timer_position = position;
}

void ledger_init(struct ledger *l, uint64_t hash_seed)
{
    memset(l, 0, sizeof(*l));
    slab_init(&l->accounts, sizeof(struct account), LEDGER_ACCOUNTS_MAX);
    slab_init(&l->entries, sizeof(struct entry), LEDGER_TRANSFERS_MAX);
    slab_init(&l->holds, sizeof(struct entry_hold), LEDGER_TRANSFERS_MAX);
    id_table_init(&l->by_id, hash_seed);
    timers_init(&l->expiring, ledger_place_timer, l);
    CHECK(ledger_next_account(l, 0) == 0);
}

void ledger_fini(struct ledger *l)
{
    slab_fini(&l->accounts);
    slab_fini(&l->entries);
    slab_fini(&l->holds);
    id_table_fini(&l->by_id);
    timers_fini(&l->expiring);
}

void ledger_move(struct ledger *to, const struct ledger *from)
{
    CHECK(to != from);
    CHECK(from->expiring.context == from);
    *to = *from;
    to->expiring.context = to;
}

bool ledger_reserve(struct ledger *l, uint32_t accounts, uint32_t transfers)
{
    CHECK(accounts <= LEDGER_ACCOUNTS_MAX);
    CHECK(transfers <= LEDGER_TRANSFERS_MAX);
    return slab_reserve(&l->accounts, accounts) && slab_reserve(&l->entries, transfers) &&
           slab_reserve(&l->holds, transfers) && id_table_reserve(&l->by_id, transfers) &&
           timers_reserve(&l->expiring, transfers);
}

const struct account *ledger_account(const struct ledger *l, uint32_t index)
{
    /* Accounts are never removed (ledger_apply CHECKs it): all below the high water exist. */
    return index < l->accounts.high_water ? slab_at(&l->accounts, index) : NULL;
}

uint32_t ledger_next_account(const struct ledger *l, uint32_t n)
{
    CHECK(l->accounts.free_head == SLAB_NONE); /* accounts are never removed */
    CHECK(l->accounts.used == l->accounts.high_water);
    CHECK(n < LEDGER_ACCOUNTS_MAX);
    return l->accounts.high_water + n;
}

const struct entry *ledger_entry(const struct ledger *l, uint64_t transfer_id)
{
    uint32_t index = id_table_get(&l->by_id, &l->entries, transfer_id);
    if (index == SLAB_NONE) {
        return NULL;
    }
    CHECK(slab_is_used(&l->entries, index));
    const struct entry *e = slab_at(&l->entries, index);
    CHECK(e->id == transfer_id);
    return e;
}

void ledger_entry_record(const struct ledger *l, const struct entry *e, struct entry_record *out)
{
    CHECK(e->id != 0);
    memset(out, 0, sizeof(*out));
    out->transfer.id = e->id;
    out->transfer.reference = e->reference;
    out->transfer.amount_minor = e->amount_minor;
    out->transfer.debit_account = e->debit_account;
    out->transfer.credit_account = e->credit_account;
    out->transfer.kind = e->kind;
    out->transfer.code = e->code;
    out->state = e->state;
    out->result = e->result;
    if (e->hold != SLAB_NONE) {
        const struct entry_hold *hold = slab_at(&l->holds, e->hold);
        CHECK(hold->expires_ns != 0 || hold->hold_id != 0);
        out->transfer.expires_ns = hold->expires_ns;
        out->transfer.hold_id = hold->hold_id;
    }
}

int64_t account_balance(const struct account *a)
{
    int64_t balance;
    CHECK(a->credits_posted >= 0 && a->debits_posted >= 0);
    CHECK(money_sub(a->credits_posted, a->debits_posted, &balance));
    return balance;
}

int64_t account_available(const struct account *a)
{
    int64_t available;
    CHECK(a->debits_pending >= 0);
    CHECK(money_sub(account_balance(a), a->debits_pending, &available));
    return available;
}

/* What a CREDITS_LIMITED account may still be credited with. */
static int64_t account_room(const struct account *a)
{
    int64_t room;
    CHECK(a->credits_pending >= 0);
    CHECK(money_sub(-account_balance(a), a->credits_pending, &room));
    return room;
}

void ledger_check_account(const struct account *a)
{
    /* L4, all four at once: the sign bit of one is the sign bit of all of them or'ed together. */
    CHECK((a->debits_pending | a->debits_posted | a->credits_pending | a->credits_posted) >= 0);
    CHECK(a->currency != 0);
    /* L2. None is below zero, so that as unsigned numbers the sums of two do not overflow. */
    if ((a->flags & ACCOUNT_DEBITS_LIMITED) != 0) {
        CHECK((uint64_t)a->debits_posted + (uint64_t)a->debits_pending <=
              (uint64_t)a->credits_posted);
    }
    if ((a->flags & ACCOUNT_CREDITS_LIMITED) != 0) {
        CHECK((uint64_t)a->credits_posted + (uint64_t)a->credits_pending <=
              (uint64_t)a->debits_posted);
    }
}

/* ---- transfers ---- */

/* Forgets what the kind of transfer does not use: the journal does not keep it, so it must not
 * count when the same transfer is asked for again. */
static void transfer_normalise(struct transfer *t)
{
    CHECK(t->kind >= TRANSFER_POST && t->kind <= TRANSFER_VOID_HOLD);
    if (t->kind != TRANSFER_HOLD) {
        t->expires_ns = 0;
    }
    if (t->kind == TRANSFER_POST || t->kind == TRANSFER_HOLD) {
        t->hold_id = 0;
    }
}

static bool transfer_ends_hold(const struct transfer *t)
{
    return t->kind == TRANSFER_POST_HOLD || t->kind == TRANSFER_VOID_HOLD;
}

/* Does `asked` ask again for what `kept` was? */
static bool transfer_repeats(const struct transfer *asked, const struct transfer *kept)
{
    CHECK(asked->id == kept->id);
    /* The caller need not know the accounts of a hold, nor what a void gives back. */
    bool accounts_count = !transfer_ends_hold(asked);
    bool amount_counts = asked->kind != TRANSFER_VOID_HOLD;
    return asked->kind == kept->kind && asked->code == kept->code &&
           asked->hold_id == kept->hold_id && asked->reference == kept->reference &&
           asked->expires_ns == kept->expires_ns &&
           (!accounts_count || asked->debit_account == kept->debit_account) &&
           (!accounts_count || asked->credit_account == kept->credit_account) &&
           (!amount_counts || asked->amount_minor == kept->amount_minor);
}

/* What a transfer does to a pair of totals: those of an account on one side, or of the ledger. */
struct effect {
    int64_t posted_minor;
    int64_t pending_minor; /* below zero: what a hold had set aside is given back */
};

/* held_minor: what the hold that the transfer ends had set aside. */
static struct effect transfer_effect(const struct transfer *t, int64_t held_minor)
{
    CHECK(t->amount_minor > 0);
    CHECK(transfer_ends_hold(t) == (held_minor > 0));
    if (t->kind == TRANSFER_POST) {
        return (struct effect){t->amount_minor, 0};
    }
    if (t->kind == TRANSFER_HOLD) {
        return (struct effect){0, t->amount_minor};
    }
    CHECK(held_minor > 0);
    return (struct effect){t->kind == TRANSFER_POST_HOLD ? t->amount_minor : 0, -held_minor};
}

/* False: out of range, and the totals are not to be used. */
static bool totals_move(struct effect effect, int64_t *posted_minor, int64_t *pending_minor)
{
    return money_add(*posted_minor, effect.posted_minor, posted_minor) &&
           money_add(*pending_minor, effect.pending_minor, pending_minor);
}

void ledger_plan_init(struct ledger_plan *plan, const struct ledger *l)
{
    plan->ledger = l;
    plan->now_ns = INT64_MIN;
    plan->posted_minor = l->posted_minor;
    plan->pending_minor = l->pending_minor;
    plan->failed = false;
    plan->count = 0;
    plan->touched = 0;
    CHECK(plan->posted_minor >= 0);
    CHECK(plan->pending_minor >= 0);
}

/* The account as it will be after the transfers planned so far; NULL when it does not exist. */
static struct account *plan_account(struct ledger_plan *plan, uint32_t index)
{
    for (uint32_t i = 0; i < plan->touched; i++) {
        if (plan->account_index[i] == index) {
            return &plan->account_after[i];
        }
    }
    const struct account *now = ledger_account(plan->ledger, index);
    if (now == NULL) {
        return NULL;
    }
    CHECK(plan->touched < LEDGER_PLAN_MAX * 2);
    plan->account_index[plan->touched] = index;
    plan->account_after[plan->touched] = *now;
    return &plan->account_after[plan->touched++];
}

static enum ledger_result plan_check_shape(const struct transfer *t)
{
    if (t->id == 0) {
        return LEDGER_ID_MISSING;
    }
    if (t->kind < TRANSFER_POST || t->kind > TRANSFER_VOID_HOLD) {
        return LEDGER_KIND_UNKNOWN;
    }
    if (t->kind != TRANSFER_VOID_HOLD && t->amount_minor <= 0) {
        return LEDGER_AMOUNT_NOT_POSITIVE;
    }
    return LEDGER_OK;
}

/* What the id alone decides (R3.8). LEDGER_OK: it is new. */
static enum ledger_result plan_check_id(const struct ledger_plan *plan, const struct transfer *t)
{
    CHECK(t->id != 0);
    const struct entry *before = ledger_entry(plan->ledger, t->id);
    if (before != NULL && !MUTATED(TRANSFER_ID_UNCHECKED)) {
        CHECK(before->state >= ENTRY_POSTED && before->state <= ENTRY_HOLD_EXPIRED);
        struct entry_record record;
        ledger_entry_record(plan->ledger, before, &record);
        if (!transfer_repeats(t, &record.transfer)) {
            return LEDGER_ID_REUSED;
        }
        return before->state == ENTRY_REFUSED ? LEDGER_FAILED_BEFORE : LEDGER_REPEATED;
    }
    /* Clients choose ids: one that stands twice in a group is an answer, not a bug. */
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->transfers[i].id == t->id) {
            return transfer_repeats(t, &plan->transfers[i]) ? LEDGER_REPEATED : LEDGER_ID_REUSED;
        }
    }
    return LEDGER_OK;
}

/* When a hold ends by itself; 0: never. */
static int64_t ledger_expires(const struct ledger *l, const struct entry *e)
{
    CHECK(e->kind == TRANSFER_HOLD);
    if (e->hold == SLAB_NONE) {
        return 0;
    }
    const struct entry_hold *hold = slab_at(&l->holds, e->hold);
    CHECK(hold->expires_ns != 0);
    CHECK(hold->hold_id == 0);
    return hold->expires_ns;
}

/* Finds the hold that t ends, fills in its accounts (and, for a void, its amount) and says how much
 * it holds. */
static enum ledger_result plan_resolve_hold(const struct ledger_plan *plan, struct transfer *t,
                                            int64_t *held_minor)
{
    CHECK(transfer_ends_hold(t));
    const struct entry *hold = ledger_entry(plan->ledger, t->hold_id);
    if (hold == NULL || hold->kind != TRANSFER_HOLD || hold->state == ENTRY_REFUSED) {
        return LEDGER_HOLD_UNKNOWN;
    }
    if (hold->state != ENTRY_HOLD_OPEN) {
        return LEDGER_HOLD_NOT_OPEN;
    }
    int64_t expires_ns = ledger_expires(plan->ledger, hold);
    if (expires_ns != 0 && expires_ns <= plan->now_ns) {
        return LEDGER_HOLD_NOT_OPEN; /* its time is over, whether that was noticed yet or not */
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->transfers[i].hold_id == t->hold_id) {
            return LEDGER_HOLD_NOT_OPEN; /* an earlier transfer of this group ends it */
        }
    }
    *held_minor = hold->amount_minor;
    CHECK(*held_minor > 0);
    if (t->kind == TRANSFER_VOID_HOLD) {
        t->amount_minor = *held_minor;
    } else if (t->amount_minor > *held_minor) {
        return LEDGER_HOLD_EXCEEDED;
    }
    t->debit_account = hold->debit_account;
    t->credit_account = hold->credit_account;
    CHECK(t->amount_minor > 0);
    CHECK(t->debit_account != t->credit_account);
    return LEDGER_OK;
}

/* The two accounts of a transfer, in the plan. */
struct plan_sides {
    struct account *debit;
    struct account *credit;
};

static enum ledger_result plan_check_accounts(struct ledger_plan *plan, const struct transfer *t,
                                              struct plan_sides *sides)
{
    if (t->debit_account == t->credit_account) {
        return LEDGER_ACCOUNTS_SAME;
    }
    struct account *debit = plan_account(plan, t->debit_account);
    if (debit == NULL) {
        return LEDGER_DEBIT_UNKNOWN;
    }
    struct account *credit = plan_account(plan, t->credit_account);
    if (credit == NULL) {
        return LEDGER_CREDIT_UNKNOWN;
    }
    *sides = (struct plan_sides){debit, credit};
    if (debit->currency != credit->currency) {
        return LEDGER_CURRENCY_DIFFERS;
    }
    bool gives_back = t->kind == TRANSFER_VOID_HOLD; /* giving money back is always allowed */
    if ((debit->flags & ACCOUNT_CLOSED) != 0 && !gives_back) {
        return LEDGER_DEBIT_CLOSED;
    }
    if ((credit->flags & ACCOUNT_CLOSED) != 0 && !gives_back) {
        return LEDGER_CREDIT_CLOSED;
    }
    return LEDGER_OK;
}

/* L2. What ends a hold needs nothing: the money was set aside when the hold was placed. */
static enum ledger_result plan_check_limits(const struct transfer *t, const struct account *debit,
                                            const struct account *credit)
{
    CHECK(t->amount_minor > 0);
    CHECK(debit != credit);
    if (transfer_ends_hold(t)) {
        return LEDGER_OK;
    }
    if ((debit->flags & ACCOUNT_DEBITS_LIMITED) != 0 &&
        t->amount_minor >
            (MUTATED(HOLD_SPENT) ? account_balance(debit) : account_available(debit))) {
        return LEDGER_EXCEEDS_CREDITS;
    }
    if ((credit->flags & ACCOUNT_CREDITS_LIMITED) != 0 && t->amount_minor > account_room(credit)) {
        return LEDGER_EXCEEDS_DEBITS;
    }
    return LEDGER_OK;
}

/* Limits, range (L4), and the effect on the accounts in the plan. */
static enum ledger_result plan_move(struct ledger_plan *plan, const struct transfer *t,
                                    const struct plan_sides *sides, int64_t held_minor)
{
    struct account *debit = sides->debit;
    struct account *credit = sides->credit;
    enum ledger_result result = plan_check_limits(t, debit, credit);
    if (result != LEDGER_OK) {
        return result;
    }
    int64_t all_minor;
    struct effect effect = transfer_effect(t, held_minor);
    if (!totals_move(effect, &plan->posted_minor, &plan->pending_minor) ||
        !money_add(plan->posted_minor, plan->pending_minor, &all_minor)) {
        return LEDGER_OVERFLOW;
    }
    /* No account's total is above the ledger's, so these fit as well. */
    CHECK(totals_move(effect, &debit->debits_posted, &debit->debits_pending));
    CHECK(totals_move(effect, &credit->credits_posted, &credit->credits_pending));
    return LEDGER_OK; /* L2 and L4 of both are checked when the event is applied */
}

enum ledger_result ledger_plan_add(struct ledger_plan *plan, const struct transfer *asked)
{
    CHECK(plan->count < LEDGER_PLAN_MAX);
    CHECK(!plan->failed);
    struct transfer t = *asked;
    struct plan_sides sides = {NULL, NULL};
    int64_t held_minor = 0;
    enum ledger_result result = plan_check_shape(&t);
    if (result == LEDGER_OK) {
        transfer_normalise(&t);
        result = plan_check_id(plan, &t);
    }
    if (result == LEDGER_OK && transfer_ends_hold(&t)) {
        result = plan_resolve_hold(plan, &t, &held_minor);
    }
    if (result == LEDGER_OK) {
        result = plan_check_accounts(plan, &t, &sides);
    }
    if (result == LEDGER_OK) {
        result = plan_move(plan, &t, &sides, held_minor);
    }
    plan->failed = result != LEDGER_OK;
    if (result == LEDGER_OK) {
        CHECK(t.amount_minor > 0);
        CHECK(plan->posted_minor >= plan->ledger->posted_minor); /* what is posted stays posted */
        plan->transfers[plan->count++] = t;
    }
    return result;
}

void ledger_plan_event(const struct ledger_plan *plan, uint32_t i, struct ledger_event *out)
{
    static const uint16_t kinds[] = {
        [TRANSFER_POST] = EVENT_TRANSFER_POSTED,
        [TRANSFER_HOLD] = EVENT_HOLD_PLACED,
        [TRANSFER_POST_HOLD] = EVENT_HOLD_POSTED,
        [TRANSFER_VOID_HOLD] = EVENT_HOLD_VOIDED,
    };
    CHECK(i < plan->count);
    CHECK(!plan->failed); /* all of a group or none */
    memset(out, 0, sizeof(*out));
    out->transfer = plan->transfers[i];
    CHECK(out->transfer.kind >= TRANSFER_POST && out->transfer.kind <= TRANSFER_VOID_HOLD);
    out->kind = kinds[out->transfer.kind];
    CHECK(out->kind >= LEDGER_EVENT_FIRST && out->kind <= LEDGER_EVENT_LAST);
}

/* ---- effects ---- */

static void apply_account_opened(struct ledger *l, const struct ledger_event *e)
{
    uint32_t index = slab_take(&l->accounts);
    CHECK(index == e->account);
    struct account *a = slab_at(&l->accounts, index);
    a->owner = e->opened.owner;
    a->code = e->opened.code;
    a->flags = e->opened.flags;
    a->currency = e->opened.currency;
    ledger_check_account(a);
    CHECK(account_balance(a) == 0);
}

static struct account *apply_account(struct ledger *l, uint32_t index)
{
    CHECK(index < l->accounts.high_water); /* and thus used: see ledger_account */
    return slab_at(&l->accounts, index);
}

static void apply_account_flags(struct ledger *l, const struct ledger_event *e)
{
    struct account *a = apply_account(l, e->account);
    a->flags = e->opened.flags;
    ledger_check_account(a); /* a limit may only be set on an account that keeps it */
}

static void entry_fill(struct entry *e, const struct transfer *t, uint8_t state, uint8_t result)
{
    CHECK(state <= ENTRY_HOLD_EXPIRED);
    CHECK(t->kind >= TRANSFER_POST && t->kind <= TRANSFER_VOID_HOLD);
    e->id = t->id;
    e->reference = t->reference;
    e->amount_minor = t->amount_minor;
    e->debit_account = t->debit_account;
    e->credit_account = t->credit_account;
    e->code = t->code;
    e->kind = t->kind & 15u;
    e->state = state & 15u;
    e->result = result;
}

/* What only holds have. */
static uint32_t apply_keep_hold(struct ledger *l, const struct transfer *t)
{
    CHECK(t->expires_ns == 0 || t->kind == TRANSFER_HOLD);
    if (t->expires_ns == 0 && t->hold_id == 0) {
        return SLAB_NONE;
    }
    CHECK(t->hold_id == 0 || transfer_ends_hold(t));
    uint32_t index = slab_take(&l->holds);
    struct entry_hold *hold = slab_at(&l->holds, index);
    hold->expires_ns = t->expires_ns;
    hold->hold_id = t->hold_id;
    hold->timer_position = TIMERS_NOWHERE;
    return index;
}

static void apply_remember(struct ledger *l, const struct transfer *t, uint8_t state,
                           uint8_t result)
{
    CHECK(t->id != 0);
    CHECK((state == ENTRY_REFUSED) == (result != LEDGER_OK));
    uint32_t index = slab_take(&l->entries);
    struct entry *e = slab_at(&l->entries, index);
    entry_fill(e, t, state, result);
    e->hold = apply_keep_hold(l, t);
    id_table_put(&l->by_id, &l->entries, index); /* L5: CHECKs that the id is new */
    if (state == ENTRY_HOLD_OPEN && t->expires_ns != 0) {
        timers_add(&l->expiring, t->expires_ns, index);
    }
}

/* Ends an open hold and returns it. */
static const struct entry *apply_end_hold(struct ledger *l, uint64_t hold_id, uint8_t state)
{
    uint32_t index = id_table_get(&l->by_id, &l->entries, hold_id);
    CHECK(index != SLAB_NONE);
    struct entry *e = slab_at(&l->entries, index);
    CHECK(e->state == ENTRY_HOLD_OPEN);
    CHECK(e->kind == TRANSFER_HOLD);
    if (e->hold != SLAB_NONE) {
        const struct entry_hold *hold = slab_at(&l->holds, e->hold);
        timers_remove(&l->expiring, hold->timer_position);
        CHECK(hold->timer_position == TIMERS_NOWHERE);
    }
    e->state = state & 15u;
    return e;
}

/* The money side of an event, on the two accounts and on the ledger's sums (L1). */
static void apply_move(struct ledger *l, const struct transfer *t, int64_t held_minor)
{
    struct account *debit = apply_account(l, t->debit_account);
    struct account *credit = apply_account(l, t->credit_account);
    CHECK(debit != credit);
    CHECK(debit->currency == credit->currency);
    struct effect effect = transfer_effect(t, held_minor);
    CHECK(totals_move(effect, &debit->debits_posted, &debit->debits_pending));
    CHECK(totals_move(effect, &credit->credits_posted, &credit->credits_pending));
    CHECK(totals_move(effect, &l->posted_minor, &l->pending_minor));
    ledger_check_account(debit);
    ledger_check_account(credit);
    CHECK(l->posted_minor >= 0 && l->pending_minor >= 0);
}

static void apply_transfer(struct ledger *l, const struct ledger_event *e, uint8_t state)
{
    CHECK(!transfer_ends_hold(&e->transfer));
    apply_move(l, &e->transfer, 0);
    apply_remember(l, &e->transfer, state, LEDGER_OK);
}

static void apply_hold_ended(struct ledger *l, const struct ledger_event *e, uint8_t hold_state)
{
    CHECK(transfer_ends_hold(&e->transfer));
    const struct entry *hold = apply_end_hold(l, e->transfer.hold_id, hold_state);
    CHECK(hold->debit_account == e->transfer.debit_account);
    CHECK(hold->credit_account == e->transfer.credit_account);
    CHECK(e->transfer.amount_minor <= hold->amount_minor);
    apply_move(l, &e->transfer, hold->amount_minor);
    apply_remember(l, &e->transfer, ENTRY_POSTED, LEDGER_OK);
}

static void apply_hold_expired(struct ledger *l, uint64_t hold_id)
{
    const struct entry *hold = apply_end_hold(l, hold_id, ENTRY_HOLD_EXPIRED);
    struct entry_record record;
    CHECK(ledger_expires(l, hold) != 0);
    ledger_entry_record(l, hold, &record);
    record.transfer.kind = TRANSFER_VOID_HOLD; /* what a void would do, without an id of its own */
    apply_move(l, &record.transfer, hold->amount_minor);
}

void ledger_apply(struct ledger *l, const struct ledger_event *e)
{
    switch (e->kind) {
    case EVENT_ACCOUNT_OPENED: apply_account_opened(l, e); break;
    case EVENT_ACCOUNT_FLAGS_SET: apply_account_flags(l, e); break;
    case EVENT_TRANSFER_POSTED: apply_transfer(l, e, ENTRY_POSTED); break;
    case EVENT_TRANSFER_REFUSED: apply_remember(l, &e->transfer, ENTRY_REFUSED, e->result); break;
    case EVENT_HOLD_PLACED: apply_transfer(l, e, ENTRY_HOLD_OPEN); break;
    case EVENT_HOLD_POSTED: apply_hold_ended(l, e, ENTRY_HOLD_POSTED); break;
    case EVENT_HOLD_VOIDED: apply_hold_ended(l, e, ENTRY_HOLD_VOIDED); break;
    case EVENT_HOLD_EXPIRED: apply_hold_expired(l, e->transfer.hold_id); break;
    default: UNREACHABLE("unknown ledger event");
    }
    CHECK(id_table_count(&l->by_id) == l->entries.used); /* L5 */
    CHECK(l->accounts.used == l->accounts.high_water);   /* accounts are never removed */
}

/* ---- leaving and coming home ---- */

/* Moves an entry's part of the posted sums into the base (sign 1) or out of it (-1). */
static void base_move(struct ledger *l, const struct entry *e, int64_t sign)
{
    if (e->state != ENTRY_POSTED || e->kind == TRANSFER_VOID_HOLD) {
        return; /* nothing was posted under this id */
    }
    struct account *debit = apply_account(l, e->debit_account);
    struct account *credit = apply_account(l, e->credit_account);
    CHECK(e->amount_minor > 0);
    debit->debits_left += sign * e->amount_minor;
    credit->credits_left += sign * e->amount_minor;
    l->left_minor += sign * e->amount_minor;
    CHECK(debit->debits_left >= 0 && debit->debits_left <= debit->debits_posted);
    CHECK(credit->credits_left >= 0 && credit->credits_left <= credit->credits_posted);
    CHECK(l->left_minor >= 0 && l->left_minor <= l->posted_minor);
}

void ledger_leave(struct ledger *l, uint64_t transfer_id)
{
    uint32_t index = id_table_get(&l->by_id, &l->entries, transfer_id);
    CHECK(index != SLAB_NONE);
    const struct entry *e = slab_at(&l->entries, index);
    CHECK(e->state != ENTRY_HOLD_OPEN);
    if (!MUTATED(BASE_FORGOTTEN)) {
        base_move(l, e, 1);
    }
    if (e->hold != SLAB_NONE) {
        slab_release(&l->holds, e->hold);
    }
    l->left++;
    CHECK(id_table_remove(&l->by_id, &l->entries, transfer_id));
    slab_release(&l->entries, index);
}

void ledger_come_home(struct ledger *l, const struct entry_record *e)
{
    CHECK(l->left > 0);
    CHECK(e->state != ENTRY_HOLD_OPEN);
    apply_remember(l, &e->transfer, e->state, e->result);
    base_move(l, ledger_entry(l, e->transfer.id), -1);
    l->left--;
}

const struct entry *ledger_next_expiry(const struct ledger *l, int64_t *due_ns)
{
    const struct timer_entry *first = timers_first(&l->expiring);
    if (first == NULL) {
        return NULL;
    }
    *due_ns = first->due_ns;
    const struct entry *hold = slab_at(&l->entries, (uint32_t)first->id);
    CHECK(hold->state == ENTRY_HOLD_OPEN);
    CHECK(ledger_expires(l, hold) == first->due_ns);
    return hold;
}
