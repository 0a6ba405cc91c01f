/*
 * bank.c - see bank.h.
 */
#include "sim/bank.h"

#include <string.h>

#include "sim/fail.h"

typedef unsigned long long ull;

void bank_clear(struct bank *b)
{
    b->account_count = 0;
    b->entry_count = 0;
}

void bank_open(struct bank *b, uint32_t index, uint16_t flags, uint16_t currency)
{
    CHECK(b->account_count < BANK_ACCOUNTS_MAX);
    struct bank_account account = {.index = index, .flags = flags, .currency = currency};
    b->accounts[b->account_count++] = account;
}

static struct bank_account *find_account(struct bank *b, uint32_t index)
{
    for (uint32_t i = 0; i < b->account_count; i++) {
        if (b->accounts[i].index == index) {
            return &b->accounts[i];
        }
    }
    return NULL;
}

static struct bank_entry *find_entry(struct bank *b, uint64_t id)
{
    for (uint32_t i = 0; i < b->entry_count; i++) {
        if (b->entries[i].t.id == id) {
            return &b->entries[i];
        }
    }
    return NULL;
}

static bool ends_hold(const struct transfer *t)
{
    return t->kind == TRANSFER_POST_HOLD || t->kind == TRANSFER_VOID_HOLD;
}

/* Is it the same request, as far as its kind uses the fields? */
static bool same(const struct transfer *asked, const struct transfer *kept)
{
    if (asked->kind != kept->kind || asked->code != kept->code ||
        asked->reference != kept->reference) {
        return false;
    }
    if (ends_hold(asked)) {
        return asked->hold_id == kept->hold_id &&
               (asked->kind == TRANSFER_VOID_HOLD || asked->amount_minor == kept->amount_minor);
    }
    return asked->amount_minor == kept->amount_minor &&
           asked->debit_account == kept->debit_account &&
           asked->credit_account == kept->credit_account &&
           (asked->kind == TRANSFER_POST || asked->expires_ns == kept->expires_ns);
}

/* What the form and the id say. */
static enum ledger_result by_itself(struct bank *b, const struct transfer *t)
{
    if (t->id >> 60 != 0) {
        return LEDGER_ID_RESERVED;
    }
    if (t->id == 0) {
        return LEDGER_ID_MISSING;
    }
    if (t->kind < TRANSFER_POST || t->kind > TRANSFER_VOID_HOLD) {
        return LEDGER_KIND_UNKNOWN;
    }
    if (t->amount_minor <= 0 && t->kind != TRANSFER_VOID_HOLD) {
        return LEDGER_AMOUNT_NOT_POSITIVE;
    }
    const struct bank_entry *before = find_entry(b, t->id);
    if (before == NULL) {
        return LEDGER_OK;
    }
    if (!same(t, &before->t)) {
        return LEDGER_ID_REUSED;
    }
    return before->state == ENTRY_REFUSED ? LEDGER_FAILED_BEFORE : LEDGER_REPEATED;
}

/* The hold that t ends; fills in what t takes from it. */
static enum ledger_result by_hold(struct bank *b, struct transfer *t, int64_t now_ns)
{
    const struct bank_entry *hold = find_entry(b, t->hold_id);
    if (hold == NULL || hold->t.kind != TRANSFER_HOLD || hold->state == ENTRY_REFUSED) {
        return LEDGER_HOLD_UNKNOWN;
    }
    bool over = hold->t.expires_ns != 0 && now_ns >= hold->t.expires_ns;
    if (hold->state != ENTRY_HOLD_OPEN || over) {
        return LEDGER_HOLD_NOT_OPEN;
    }
    if (t->kind == TRANSFER_POST_HOLD && t->amount_minor > hold->t.amount_minor) {
        return LEDGER_HOLD_EXCEEDED;
    }
    t->amount_minor = t->kind == TRANSFER_VOID_HOLD ? hold->t.amount_minor : t->amount_minor;
    t->debit_account = hold->t.debit_account;
    t->credit_account = hold->t.credit_account;
    return LEDGER_OK;
}

static enum ledger_result by_accounts(struct bank *b, const struct transfer *t)
{
    const struct bank_account *debit = find_account(b, t->debit_account);
    const struct bank_account *credit = find_account(b, t->credit_account);
    if (t->debit_account == t->credit_account) {
        return LEDGER_ACCOUNTS_SAME;
    }
    if (debit == NULL || credit == NULL) {
        return debit == NULL ? LEDGER_DEBIT_UNKNOWN : LEDGER_CREDIT_UNKNOWN;
    }
    if (debit->currency != credit->currency) {
        return LEDGER_CURRENCY_DIFFERS;
    }
    bool gives_back = t->kind == TRANSFER_VOID_HOLD;
    if (((debit->flags | credit->flags) & ACCOUNT_CLOSED) != 0 && !gives_back) {
        return (debit->flags & ACCOUNT_CLOSED) != 0 ? LEDGER_DEBIT_CLOSED : LEDGER_CREDIT_CLOSED;
    }
    if (ends_hold(t)) {
        return LEDGER_OK;
    }
    if ((debit->flags & ACCOUNT_DEBITS_LIMITED) != 0 &&
        debit->credits - debit->debits - debit->held_debits < t->amount_minor) {
        return LEDGER_EXCEEDS_CREDITS;
    }
    if ((credit->flags & ACCOUNT_CREDITS_LIMITED) != 0 &&
        credit->debits - credit->credits - credit->held_credits < t->amount_minor) {
        return LEDGER_EXCEEDS_DEBITS;
    }
    return LEDGER_OK;
}

static struct bank_entry *write_down(struct bank *b, const struct transfer *t,
                                     enum entry_state state, enum ledger_result result)
{
    CHECK(b->entry_count < BANK_ENTRIES_MAX);
    struct bank_entry *e = &b->entries[b->entry_count++];
    e->t = *t;
    e->state = state;
    e->result = result;
    return e;
}

static void move(struct bank *b, const struct transfer *t)
{
    struct bank_account *debit = find_account(b, t->debit_account);
    struct bank_account *credit = find_account(b, t->credit_account);
    CHECK(debit != NULL && credit != NULL);
    if (t->kind == TRANSFER_HOLD) {
        debit->held_debits += t->amount_minor;
        credit->held_credits += t->amount_minor;
        (void)write_down(b, t, ENTRY_HOLD_OPEN, LEDGER_OK);
        return;
    }
    if (ends_hold(t)) {
        struct bank_entry *hold = find_entry(b, t->hold_id);
        CHECK(hold != NULL);
        debit->held_debits -= hold->t.amount_minor;
        credit->held_credits -= hold->t.amount_minor;
        hold->state = t->kind == TRANSFER_POST_HOLD ? ENTRY_HOLD_POSTED : ENTRY_HOLD_VOIDED;
    }
    if (t->kind != TRANSFER_VOID_HOLD) {
        debit->debits += t->amount_minor;
        credit->credits += t->amount_minor;
    }
    (void)write_down(b, t, ENTRY_POSTED, LEDGER_OK);
}

static enum ledger_result take_one(struct bank *b, struct transfer t, int64_t now_ns)
{
    enum ledger_result result = by_itself(b, &t);
    if (result == LEDGER_OK && ends_hold(&t)) {
        result = by_hold(b, &t, now_ns);
    }
    if (result == LEDGER_OK) {
        result = by_accounts(b, &t);
    }
    if (result == LEDGER_OK) {
        move(b, &t);
    }
    return result;
}

/* All of them, or none and the refusals written down. */
void bank_copy(struct bank *to, const struct bank *from)
{
    memcpy(to->accounts, from->accounts, sizeof(to->accounts));
    to->account_count = from->account_count;
    memcpy(to->entries, from->entries, from->entry_count * sizeof(from->entries[0]));
    to->entry_count = from->entry_count;
}

static void take_group(struct bank *b, const struct transfer *t, uint32_t count, int64_t now_ns,
                       uint8_t *results)
{
    static struct bank before; /* to go back to */
    bank_copy(&before, b);
    uint32_t failed = count;
    for (uint32_t i = 0; i < count && failed == count; i++) {
        results[i] = (uint8_t)take_one(b, t[i], now_ns);
        failed = results[i] == LEDGER_OK ? count : i;
    }
    if (failed == count) {
        return;
    }
    bank_copy(b, &before);
    for (uint32_t i = 0; i < count; i++) {
        enum ledger_result own = by_itself(b, &t[i]);
        if (i != failed) {
            results[i] = (uint8_t)(own != LEDGER_OK ? own : LEDGER_LINKED_FAILED);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (results[i] >= LEDGER_HOLD_UNKNOWN && results[i] <= LEDGER_LINKED_FAILED &&
            results[i] != LEDGER_ACCOUNTS_SAME) {
            (void)write_down(b, &t[i], ENTRY_REFUSED, results[i]);
        }
    }
}

bool bank_take(struct bank *b, const struct bank_order *order, int64_t now_ns,
               uint8_t results[BANK_ORDER_MAX])
{
    uint32_t entries = b->entry_count;
    for (uint32_t i = 0; i < order->count;) {
        uint32_t count = 1;
        while (i + count < order->count && order->linked[i + count - 1]) {
            count++;
        }
        take_group(b, order->transfers + i, count, now_ns, results + i);
        i += count;
    }
    return b->entry_count > entries;
}

/* ---- holds that end by themselves ---- */

struct bank_entry *bank_overdue(struct bank *b, int64_t now_ns)
{
    struct bank_entry *first = NULL;
    for (uint32_t i = 0; i < b->entry_count; i++) {
        struct bank_entry *e = &b->entries[i];
        if (e->state == ENTRY_HOLD_OPEN && e->t.expires_ns != 0 && e->t.expires_ns <= now_ns &&
            (first == NULL || e->t.expires_ns < first->t.expires_ns)) {
            first = e;
        }
    }
    return first;
}

void bank_expire(struct bank *b, struct bank_entry *hold)
{
    struct bank_account *debit = find_account(b, hold->t.debit_account);
    struct bank_account *credit = find_account(b, hold->t.credit_account);
    CHECK(debit != NULL && credit != NULL);
    debit->held_debits -= hold->t.amount_minor;
    credit->held_credits -= hold->t.amount_minor;
    hold->state = ENTRY_HOLD_EXPIRED;
}

/* ---- comparing ---- */

void bank_compare(const struct bank *b, const struct book *book)
{
    for (uint32_t i = 0; i < b->account_count; i++) {
        const struct bank_account *a = &b->accounts[i];
        const struct account *real = ledger_account(&book->ledger, a->index);
        EXPECT(real != NULL, "account %u is missing (A6)", a->index);
        EXPECT(real->debits_posted == a->debits && real->credits_posted == a->credits &&
                   real->debits_pending == a->held_debits &&
                   real->credits_pending == a->held_credits && real->flags == a->flags &&
                   real->currency == a->currency,
               "account %u: %lld/%lld posted, %lld/%lld held; it should be %lld/%lld, %lld/%lld "
               "(A6)",
               a->index, (long long)real->debits_posted, (long long)real->credits_posted,
               (long long)real->debits_pending, (long long)real->credits_pending,
               (long long)a->debits, (long long)a->credits, (long long)a->held_debits,
               (long long)a->held_credits);
    }
    for (uint32_t i = 0; i < b->entry_count; i++) {
        const struct bank_entry *e = &b->entries[i];
        const struct entry *real = ledger_entry(&book->ledger, e->t.id);
        EXPECT(real != NULL, "transfer %llu is missing (A3)", (ull)e->t.id);
        EXPECT(real->state == e->state && real->result == e->result,
               "transfer %llu is in state %d (%d), it should be in %d (%d) (A3)", (ull)e->t.id,
               real->state, real->result, e->state, e->result);
    }
}
