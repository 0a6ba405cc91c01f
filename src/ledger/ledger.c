/*
 * ledger.c - plans, events and their effects. See ledger.h for the invariants L1 to L5.
 * Relies on base only. Must never read a clock or fail inside ledger_apply.
 * Tests: tests/unit/test_ledger.c; the simulation's auditor keeps a second ledger beside this one.
 */
#include "ledger/ledger.h"

#include <string.h>

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
    struct entry *e = slab_at(&l->entries, (uint32_t)id);
    CHECK(e->state == ENTRY_HOLD_OPEN || position == TIMERS_NOWHERE);
    e->timer_position = position;
}

void ledger_init(struct ledger *l, uint64_t hash_seed)
{
    memset(l, 0, sizeof(*l));
    slab_init(&l->accounts, sizeof(struct account), LEDGER_ACCOUNTS_MAX);
    slab_init(&l->entries, sizeof(struct entry), LEDGER_TRANSFERS_MAX);
    map_init(&l->by_id, hash_seed,
             3); /* ids are handed out in sequence: keep neighbours together */
    timers_init(&l->holds, ledger_place_timer, l);
}

void ledger_fini(struct ledger *l)
{
    slab_fini(&l->accounts);
    slab_fini(&l->entries);
    map_fini(&l->by_id);
    timers_fini(&l->holds);
}

bool ledger_reserve(struct ledger *l, uint32_t accounts, uint32_t transfers)
{
    return slab_reserve(&l->accounts, accounts) && slab_reserve(&l->entries, transfers) &&
           map_reserve(&l->by_id, transfers) && timers_reserve(&l->holds, transfers);
}

const struct account *ledger_account(const struct ledger *l, uint32_t index)
{
    return slab_is_used(&l->accounts, index) ? slab_at(&l->accounts, index) : NULL;
}

uint32_t ledger_next_account(const struct ledger *l, uint32_t n)
{
    CHECK(l->accounts.free_head == SLAB_NONE); /* accounts are never removed */
    CHECK(n < LEDGER_ACCOUNTS_MAX);
    return l->accounts.high_water + n;
}

const struct entry *ledger_entry(const struct ledger *l, uint64_t transfer_id)
{
    uint32_t index = map_get(&l->by_id, transfer_id);
    return index == MAP_NONE ? NULL : slab_at(&l->entries, index);
}

int64_t account_balance(const struct account *a)
{
    int64_t balance;
    CHECK(money_sub(a->credits_posted, a->debits_posted, &balance));
    return balance;
}

int64_t account_available(const struct account *a)
{
    int64_t available;
    CHECK(money_sub(account_balance(a), a->debits_pending, &available));
    return available;
}

void ledger_check_account(const struct account *a)
{
    CHECK(a->debits_pending >= 0 && a->debits_posted >= 0);
    CHECK(a->credits_pending >= 0 && a->credits_posted >= 0);
    if ((a->flags & ACCOUNT_DEBITS_LIMITED) != 0) {
        CHECK(account_available(a) >= 0);
    }
    if ((a->flags & ACCOUNT_CREDITS_LIMITED) != 0) {
        CHECK(a->credits_posted + a->credits_pending <= a->debits_posted);
    }
}

/* ---- plans ---- */

void ledger_plan_init(struct ledger_plan *plan, const struct ledger *l)
{
    plan->ledger = l;
    plan->count = 0;
    plan->touched = 0;
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

static bool transfer_same(const struct transfer *a, const struct transfer *b)
{
    return a->id == b->id && a->kind == b->kind && a->code == b->code &&
           a->debit_account == b->debit_account && a->credit_account == b->credit_account &&
           a->amount_minor == b->amount_minor && a->hold_id == b->hold_id &&
           a->reference == b->reference && a->expires_ns == b->expires_ns;
}

/* What the id alone decides. LEDGER_OK: it is new. */
static enum ledger_result plan_check_id(const struct ledger_plan *plan, const struct transfer *t)
{
    const struct entry *before = ledger_entry(plan->ledger, t->id);
    if (before == NULL) {
        return LEDGER_OK;
    }
    struct transfer asked = *t;
    if (t->kind == TRANSFER_POST_HOLD || t->kind == TRANSFER_VOID_HOLD) {
        /* The caller need not know the accounts of the hold; the entry has them. */
        asked.debit_account = before->transfer.debit_account;
        asked.credit_account = before->transfer.credit_account;
    }
    if (t->kind == TRANSFER_VOID_HOLD) {
        asked.amount_minor = before->transfer.amount_minor;
    }
    if (!transfer_same(&asked, &before->transfer)) {
        return LEDGER_ID_REUSED;
    }
    return before->state == ENTRY_REFUSED ? LEDGER_FAILED_BEFORE : LEDGER_REPEATED;
}

/* Finds the hold that t ends and fills in its accounts (and, for a void, its amount). */
static enum ledger_result plan_resolve_hold(const struct ledger_plan *plan, struct transfer *t)
{
    const struct entry *hold = ledger_entry(plan->ledger, t->hold_id);
    if (hold == NULL || hold->transfer.kind != TRANSFER_HOLD || hold->state == ENTRY_REFUSED) {
        return LEDGER_HOLD_UNKNOWN;
    }
    if (hold->state != ENTRY_HOLD_OPEN) {
        return LEDGER_HOLD_NOT_OPEN;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->transfers[i].hold_id == t->hold_id) {
            return LEDGER_HOLD_NOT_OPEN; /* an earlier transfer of this group ends it */
        }
    }
    if (t->kind == TRANSFER_VOID_HOLD) {
        t->amount_minor = hold->transfer.amount_minor;
    } else if (t->amount_minor > hold->transfer.amount_minor) {
        return LEDGER_HOLD_EXCEEDED;
    }
    t->debit_account = hold->transfer.debit_account;
    t->credit_account = hold->transfer.credit_account;
    return LEDGER_OK;
}

/* Adds the transfer's effect to both accounts; LEDGER_OVERFLOW leaves them half changed. */
static enum ledger_result transfer_effect(const struct transfer *t, int64_t held_minor,
                                          struct account *debit, struct account *credit)
{
    bool fits = true;
    switch ((enum transfer_kind)t->kind) {
    case TRANSFER_POST:
    case TRANSFER_POST_HOLD:
        fits = money_add(debit->debits_posted, t->amount_minor, &debit->debits_posted) &&
               money_add(credit->credits_posted, t->amount_minor, &credit->credits_posted);
        break;
    case TRANSFER_HOLD:
        fits = money_add(debit->debits_pending, t->amount_minor, &debit->debits_pending) &&
               money_add(credit->credits_pending, t->amount_minor, &credit->credits_pending);
        break;
    case TRANSFER_VOID_HOLD: break;
    }
    if (held_minor > 0) {
        fits = fits && money_sub(debit->debits_pending, held_minor, &debit->debits_pending) &&
               money_sub(credit->credits_pending, held_minor, &credit->credits_pending);
    }
    return fits ? LEDGER_OK : LEDGER_OVERFLOW;
}

static enum ledger_result plan_check_limits(const struct account *debit,
                                            const struct account *credit)
{
    int64_t all_debits;
    int64_t all_credits;
    /* Totals stay so far from the ends that balance and available cannot overflow either. */
    if (!money_add(debit->debits_posted, debit->debits_pending, &all_debits) ||
        !money_add(credit->credits_posted, credit->credits_pending, &all_credits)) {
        return LEDGER_OVERFLOW;
    }
    if ((debit->flags & ACCOUNT_DEBITS_LIMITED) != 0 && all_debits > debit->credits_posted) {
        return LEDGER_EXCEEDS_CREDITS;
    }
    if ((credit->flags & ACCOUNT_CREDITS_LIMITED) != 0 && all_credits > credit->debits_posted) {
        return LEDGER_EXCEEDS_DEBITS;
    }
    return LEDGER_OK;
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

static enum ledger_result plan_check_accounts(struct ledger_plan *plan, const struct transfer *t)
{
    if (t->debit_account == t->credit_account) {
        return LEDGER_ACCOUNTS_SAME;
    }
    const struct account *debit = plan_account(plan, t->debit_account);
    if (debit == NULL) {
        return LEDGER_DEBIT_UNKNOWN;
    }
    const struct account *credit = plan_account(plan, t->credit_account);
    if (credit == NULL) {
        return LEDGER_CREDIT_UNKNOWN;
    }
    if (debit->currency != credit->currency) {
        return LEDGER_CURRENCY_DIFFERS;
    }
    bool ends_hold = t->kind == TRANSFER_VOID_HOLD; /* giving money back is always allowed */
    if ((debit->flags & ACCOUNT_CLOSED) != 0 && !ends_hold) {
        return LEDGER_DEBIT_CLOSED;
    }
    if ((credit->flags & ACCOUNT_CLOSED) != 0 && !ends_hold) {
        return LEDGER_CREDIT_CLOSED;
    }
    return LEDGER_OK;
}

enum ledger_result ledger_plan_add(struct ledger_plan *plan, const struct transfer *asked)
{
    CHECK(plan->count < LEDGER_PLAN_MAX);
    struct transfer t = *asked;
    enum ledger_result result = plan_check_shape(&t);
    if (result == LEDGER_OK) {
        result = plan_check_id(plan, &t);
    }
    int64_t held_minor = 0;
    if (result == LEDGER_OK && t.kind >= TRANSFER_POST_HOLD) {
        result = plan_resolve_hold(plan, &t);
        if (result == LEDGER_OK) {
            held_minor = ledger_entry(plan->ledger, t.hold_id)->transfer.amount_minor;
        }
    }
    if (result == LEDGER_OK) {
        result = plan_check_accounts(plan, &t);
    }
    if (result != LEDGER_OK) {
        return result;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        CHECK(plan->transfers[i].id != t.id);
    }
    struct account *debit = plan_account(plan, t.debit_account);
    struct account *credit = plan_account(plan, t.credit_account);
    result = transfer_effect(&t, held_minor, debit, credit);
    if (result == LEDGER_OK) {
        result = plan_check_limits(debit, credit);
    }
    if (result == LEDGER_OK) {
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
    memset(out, 0, sizeof(*out));
    out->transfer = plan->transfers[i];
    CHECK(out->transfer.kind >= TRANSFER_POST && out->transfer.kind <= TRANSFER_VOID_HOLD);
    out->kind = kinds[out->transfer.kind];
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
    CHECK(a->currency != 0);
}

static struct account *apply_account(struct ledger *l, uint32_t index)
{
    CHECK(slab_is_used(&l->accounts, index));
    return slab_at(&l->accounts, index);
}

static struct entry *apply_remember(struct ledger *l, const struct transfer *t, uint8_t state,
                                    uint8_t result)
{
    uint32_t index = slab_take(&l->entries);
    struct entry *e = slab_at(&l->entries, index);
    e->transfer = *t;
    e->state = state;
    e->result = result;
    e->timer_position = TIMERS_NOWHERE;
    map_put(&l->by_id, t->id, index);
    if (state == ENTRY_HOLD_OPEN && t->expires_ns != 0) {
        timers_add(&l->holds, t->expires_ns, index);
    }
    return e;
}

/* Ends an open hold and returns what it held. */
static int64_t apply_end_hold(struct ledger *l, uint64_t hold_id, uint8_t state)
{
    uint32_t index = map_get(&l->by_id, hold_id);
    CHECK(index != MAP_NONE);
    struct entry *hold = slab_at(&l->entries, index);
    CHECK(hold->state == ENTRY_HOLD_OPEN);
    if (hold->timer_position != TIMERS_NOWHERE) {
        timers_remove(&l->holds, hold->timer_position);
    }
    hold->state = state;
    CHECK(money_sub(l->pending_minor, hold->transfer.amount_minor, &l->pending_minor));
    return hold->transfer.amount_minor;
}

static void apply_transfer(struct ledger *l, const struct ledger_event *e, uint8_t state,
                           int64_t held_minor)
{
    struct account *debit = apply_account(l, e->transfer.debit_account);
    struct account *credit = apply_account(l, e->transfer.credit_account);
    CHECK(transfer_effect(&e->transfer, held_minor, debit, credit) == LEDGER_OK);
    ledger_check_account(debit);
    ledger_check_account(credit);
    (void)apply_remember(l, &e->transfer, state, LEDGER_OK);
    if (e->kind == EVENT_HOLD_PLACED) {
        CHECK(money_add(l->pending_minor, e->transfer.amount_minor, &l->pending_minor));
    } else if (e->kind != EVENT_HOLD_VOIDED) {
        CHECK(money_add(l->posted_minor, e->transfer.amount_minor, &l->posted_minor));
    }
}

static void apply_hold_expired(struct ledger *l, uint64_t hold_id)
{
    const struct entry *hold = ledger_entry(l, hold_id);
    CHECK(hold != NULL);
    struct account *debit = apply_account(l, hold->transfer.debit_account);
    struct account *credit = apply_account(l, hold->transfer.credit_account);
    int64_t held_minor = apply_end_hold(l, hold_id, ENTRY_HOLD_EXPIRED);
    CHECK(money_sub(debit->debits_pending, held_minor, &debit->debits_pending));
    CHECK(money_sub(credit->credits_pending, held_minor, &credit->credits_pending));
    ledger_check_account(debit);
    ledger_check_account(credit);
}

void ledger_apply(struct ledger *l, const struct ledger_event *e)
{
    switch (e->kind) {
    case EVENT_ACCOUNT_OPENED: apply_account_opened(l, e); break;
    case EVENT_ACCOUNT_FLAGS_SET: apply_account(l, e->account)->flags = e->opened.flags; break;
    case EVENT_TRANSFER_POSTED: apply_transfer(l, e, ENTRY_POSTED, 0); break;
    case EVENT_TRANSFER_REFUSED:
        (void)apply_remember(l, &e->transfer, ENTRY_REFUSED, e->result);
        break;
    case EVENT_HOLD_PLACED: apply_transfer(l, e, ENTRY_HOLD_OPEN, 0); break;
    case EVENT_HOLD_POSTED:
        apply_transfer(l, e, ENTRY_POSTED,
                       apply_end_hold(l, e->transfer.hold_id, ENTRY_HOLD_POSTED));
        break;
    case EVENT_HOLD_VOIDED:
        apply_transfer(l, e, ENTRY_POSTED,
                       apply_end_hold(l, e->transfer.hold_id, ENTRY_HOLD_VOIDED));
        break;
    case EVENT_HOLD_EXPIRED: apply_hold_expired(l, e->transfer.hold_id); break;
    default: UNREACHABLE("unknown ledger event");
    }
}

const struct entry *ledger_next_expiry(const struct ledger *l, int64_t *due_ns)
{
    const struct timer_entry *first = timers_first(&l->holds);
    if (first == NULL) {
        return NULL;
    }
    *due_ns = first->due_ns;
    return slab_at(&l->entries, (uint32_t)first->id);
}
