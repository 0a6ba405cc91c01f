/*
 * audit_ledger.c - the auditor's own double entry: accounts, transfers, holds. See audit.h.
 *
 * Every sum is kept twice: on the accounts, and as one running total over the transfers. At the end
 * the two must agree on both sides.
 */
#include <inttypes.h>
#include <string.h>

#include "app/verify/audit.h"
#include "app/verify/audit_numbers.h"

enum {
    REASON_ISSUE = 1, /* of transfers */
    REASON_REDEEM = 2,
};

__extension__ typedef __int128 wide;

void audit__ledger_init(struct audit *a)
{
    array_init(&a->accounts, sizeof(struct audit_account));
    table_init(&a->holds, sizeof(struct audit_hold));
    table_init(&a->ids, 0);
    a->posted_minor = 0;
    a->held_minor = 0;
    a->has_network = false;
}

void audit__ledger_fini(struct audit *a)
{
    array_fini(&a->accounts);
    table_fini(&a->holds);
    table_fini(&a->ids);
}

/* ---- accounts ---- */

static void account_opened(struct audit *a, const struct ledger_event *e)
{
    if (e->account != a->accounts.count) {
        audit__breach(a, PROOF_MONEY, "account %u is opened where account %" PRIu64 " comes next",
                      e->account, a->accounts.count);
        return;
    }
    struct audit_account *account = array_add(&a->accounts);
    if (account == NULL) {
        a->report->no_memory = true;
        return;
    }
    account->owner = e->opened.owner;
    account->code = e->opened.code;
    account->flags = e->opened.flags;
    account->currency = e->opened.currency;
}

uint16_t audit__account_code(const struct audit *a, uint32_t account)
{
    const struct audit_account *known = array_at(&a->accounts, account);
    return known == NULL ? 0 : known->code;
}

static void account_flags(struct audit *a, const struct ledger_event *e)
{
    struct audit_account *account = array_at(&a->accounts, e->account);
    if (account == NULL) {
        audit__breach(a, PROOF_MONEY, "flags are set on account %u, which does not exist",
                      e->account);
        return;
    }
    account->flags = e->opened.flags;
}

/* Whether the account keeps its limit, counting what is set aside against it. */
static void account_check(struct audit *a, uint32_t index, uint64_t transfer)
{
    const struct audit_account *account = array_at(&a->accounts, index);
    wide debits = (wide)account->debits_posted + account->debits_held;
    wide credits = (wide)account->credits_posted + account->credits_held;
    if ((account->flags & ACCOUNT_DEBITS_LIMITED) != 0 && debits > account->credits_posted) {
        audit__breach(a, PROOF_MONEY,
                      "account %u falls below zero by %" PRId64 " cents with transfer %" PRIx64,
                      index, (int64_t)(debits - account->credits_posted), transfer);
    }
    if ((account->flags & ACCOUNT_CREDITS_LIMITED) != 0 && credits > account->debits_posted) {
        audit__breach(a, PROOF_MONEY,
                      "account %u is credited %" PRId64 " cents more than debited with transfer "
                      "%" PRIx64,
                      index, (int64_t)(credits - account->debits_posted), transfer);
    }
}

static void add_to_total(struct audit *a, int64_t *total, int64_t amount_minor)
{
    if (__builtin_add_overflow(*total, amount_minor, total) || *total < 0) {
        audit__breach(a, PROOF_MONEY, "a total leaves the range of 63 bits");
        *total = 0;
    }
}

/* ---- transfers ---- */

/* The id is used now, and for the only time. */
static void transfer_id(struct audit *a, const struct transfer *t)
{
    uint64_t form = t->id >> 60;
    bool chosen = a->frame.cause == COMMAND_TRANSFERS;
    audit__checked(a, PROOF_REFERENCES);
    if (!chosen && (form == ID_OF_PAYMENT || form == ID_OF_REQUEST)) {
        return; /* the end of the frame sees to it that it ends that payment or request */
    }
    if (!chosen && form == ID_OF_FRAME) {
        if ((t->id << 4 >> 10) != a->frame.position) {
            audit__breach(a, PROOF_REFERENCES, "transfer %" PRIx64 " carries another position",
                          t->id);
        }
        if (t->id <= a->frame.last_leg) {
            audit__breach(a, PROOF_REFERENCES, "transfer %" PRIx64 " happens a second time", t->id);
        }
        a->frame.last_leg = t->id;
        return;
    }
    if (chosen && form >= ID_OF_PAYMENT && form <= ID_OF_REQUEST) {
        audit__breach(a, PROOF_REFERENCES,
                      "transfer %" PRIx64 " was asked for from outside under an id that belongs "
                      "to a %s",
                      t->id,
                      form == ID_OF_PAYMENT ? "payment"
                      : form == ID_OF_FRAME ? "decision"
                                            : "request");
    }
    if (table_find(&a->ids, t->id) != NULL) {
        audit__breach(a, PROOF_REFERENCES, "transfer %" PRIx64 " happens a second time", t->id);
        return;
    }
    a->report->no_memory = a->report->no_memory || table_add(&a->ids, t->id) == NULL;
}

/* Both accounts are there and fit each other; NULL otherwise (said). */
static bool transfer_accounts(struct audit *a, const struct transfer *t, bool gives_back)
{
    const struct audit_account *debit = array_at(&a->accounts, t->debit_account);
    const struct audit_account *credit = array_at(&a->accounts, t->credit_account);
    if (debit == NULL || credit == NULL || debit == credit) {
        audit__breach(a, PROOF_MONEY, "transfer %" PRIx64 " goes from account %u to account %u: %s",
                      t->id, t->debit_account, t->credit_account,
                      debit == credit && debit != NULL ? "the same" : "there is no such account");
        return false;
    }
    if (debit->currency != credit->currency) {
        audit__breach(a, PROOF_MONEY, "transfer %" PRIx64 " mixes currencies %u and %u", t->id,
                      debit->currency, credit->currency);
    }
    if (((debit->flags | credit->flags) & ACCOUNT_CLOSED) != 0 && !gives_back) {
        audit__breach(a, PROOF_MONEY, "transfer %" PRIx64 " touches a closed account", t->id);
    }
    return true;
}

/* Moves amount into the totals of both sides, and out of what was held. */
static void transfer_move(struct audit *a, const struct transfer *t, int64_t posts_minor,
                          int64_t holds_minor)
{
    struct audit_account *debit = array_at(&a->accounts, t->debit_account);
    struct audit_account *credit = array_at(&a->accounts, t->credit_account);
    add_to_total(a, &debit->debits_posted, posts_minor);
    add_to_total(a, &credit->credits_posted, posts_minor);
    add_to_total(a, &a->posted_minor, posts_minor);
    add_to_total(a, &debit->debits_held, holds_minor);
    add_to_total(a, &credit->credits_held, holds_minor);
    add_to_total(a, &a->held_minor, holds_minor);
    account_check(a, t->debit_account, t->id);
    account_check(a, t->credit_account, t->id);
}

/*
 * Money comes into being and goes away only against the trust account, and only by the commands
 * that issue it; otherwise it moves for a payment, or because somebody asked for that transfer.
 */
static void transfer_reason(struct audit *a, const struct transfer *t)
{
    uint16_t cause = a->frame.cause;
    if (cause == COMMAND_TRANSFERS) {
        return;
    }
    if (a->merchant) {
        audit__gateway_transfer(a, t);
        return;
    }
    if (t->id >> 60 == ID_OF_PAYMENT) {
        if (a->frame.transfer_count == AUDIT_ENDS_MAX) {
            audit__breach(a, PROOF_EFFECTS, "more than %d transfers of payments in one decision",
                          AUDIT_ENDS_MAX);
            return;
        }
        a->frame.transfers[a->frame.transfer_count++] = *t;
        add_to_total(a, &a->moved_minor, t->amount_minor);
        return;
    }
    if (t->id >> 60 == ID_OF_REQUEST) {
        audit__request_transfer(a, t);
        return;
    }
    bool issues = t->code == REASON_ISSUE && t->debit_account == a->account_trust;
    bool redeems = t->code == REASON_REDEEM && t->credit_account == a->account_trust;
    bool may = cause >= COMMAND_SEED && cause <= COMMAND_ORGANISATION_FUND;
    if (!may || !(issues || redeems)) {
        audit__breach(a, PROOF_MONEY,
                      "transfer %" PRIx64 " (%" PRId64 " cents, reason %u, account %u to %u) "
                      "belongs to no payment and was not issued by command %u",
                      t->id, t->amount_minor, t->code, t->debit_account, t->credit_account, cause);
    }
}

static void transfer_posted(struct audit *a, const struct transfer *t)
{
    transfer_id(a, t);
    transfer_reason(a, t);
    if (transfer_accounts(a, t, false)) {
        transfer_move(a, t, t->amount_minor, 0);
    }
    a->report->totals.transfers++;
}

static void hold_placed(struct audit *a, const struct transfer *t)
{
    transfer_id(a, t);
    transfer_reason(a, t);
    if (!transfer_accounts(a, t, false)) {
        return;
    }
    transfer_move(a, t, 0, t->amount_minor);
    if (table_find(&a->holds, t->id) != NULL) {
        return; /* said already: the id happens a second time */
    }
    struct audit_hold *hold = table_add(&a->holds, t->id);
    if (hold == NULL) {
        a->report->no_memory = true;
        return;
    }
    hold->amount_minor = t->amount_minor;
    hold->expires_ns = t->expires_ns;
    hold->debit = t->debit_account;
    hold->credit = t->credit_account;
    a->report->totals.holds++;
}

/* Ends a hold: posted in part or whole, voided, or over time. */
static void hold_ended(struct audit *a, const struct ledger_event *e)
{
    struct transfer t = e->transfer;
    const struct audit_hold *found = table_find(&a->holds, t.hold_id);
    bool posts = e->kind == EVENT_HOLD_POSTED;
    bool expires = e->kind == EVENT_HOLD_EXPIRED;
    if (!expires) {
        transfer_id(a, &t);
        transfer_reason(a, &t);
    }
    if (found == NULL) {
        audit__breach(a, PROOF_MONEY, "hold %" PRIx64 " ends but is not open", t.hold_id);
        return;
    }
    struct audit_hold hold = *found;
    if (expires) {
        t.debit_account = hold.debit;
        t.credit_account = hold.credit;
        t.amount_minor = hold.amount_minor;
    }
    if (expires && (hold.expires_ns == 0 || hold.expires_ns > a->frame.time_ns)) {
        audit__breach(a, PROOF_MONEY, "hold %" PRIx64 " expires before its time", t.hold_id);
    }
    if (t.debit_account != hold.debit || t.credit_account != hold.credit ||
        (posts ? t.amount_minor > hold.amount_minor : t.amount_minor != hold.amount_minor)) {
        audit__breach(a, PROOF_MONEY, "hold %" PRIx64 " ends with other accounts or more money",
                      t.hold_id);
        return;
    }
    table_remove(&a->holds, t.hold_id);
    transfer_move(a, &t, posts ? t.amount_minor : 0, -hold.amount_minor);
    a->report->totals.transfers += posts;
}

void audit__ledger_event(struct audit *a, uint16_t kind, struct reader *body)
{
    struct ledger_event e;
    if (kind > EVENT_HOLD_EXPIRED) {
        audit__breach(a, PROOF_RECORDS, "event kind %u is unknown", kind);
        return;
    }
    if (!ledger_event_decode(kind, body, &e)) {
        audit__breach(a, PROOF_RECORDS, "ledger event %u is malformed", kind);
        return;
    }
    audit__checked(a, PROOF_MONEY);
    switch (kind) {
    case EVENT_ACCOUNT_OPENED: account_opened(a, &e); break;
    case EVENT_ACCOUNT_FLAGS_SET: account_flags(a, &e); break;
    case EVENT_TRANSFER_POSTED: transfer_posted(a, &e.transfer); break;
    case EVENT_TRANSFER_REFUSED: transfer_id(a, &e.transfer); break;
    case EVENT_HOLD_PLACED: hold_placed(a, &e.transfer); break;
    default: hold_ended(a, &e); break;
    }
}

/* ---- the end ---- */

/* Balances by where the money is. */
struct standing {
    wide issued, wallets, organisations, others;
};

static void count_balance(struct standing *s, const struct audit_account *account)
{
    wide balance = (wide)account->credits_posted - account->debits_posted;
    if (account->code == AUDIT_CODE_TRUST) {
        s->issued -= balance;
    } else if (account->code == AUDIT_CODE_WALLET) {
        s->wallets += balance;
    } else if (account->code >= AUDIT_CODE_UTILITY && account->code <= AUDIT_CODE_SETTLEMENT) {
        s->organisations += balance;
    } else {
        s->others += balance;
    }
}

static void finish_standing(struct audit *a, const struct standing *s)
{
    struct verify_totals *t = &a->report->totals;
    t->issued_minor = (int64_t)s->issued;
    t->wallets_minor = (int64_t)s->wallets;
    t->organisations_minor = (int64_t)s->organisations;
    t->others_minor = (int64_t)s->others;
    if (s->issued != s->wallets + s->organisations + s->others) {
        audit__breach(a, PROOF_MONEY,
                      "generation %" PRIu64 ": %" PRId64 " cents issued, %" PRId64
                      " in wallets, organisations and elsewhere",
                      a->generation, t->issued_minor,
                      (int64_t)(s->wallets + s->organisations + s->others));
    }
}

void audit__ledger_finish(struct audit *a)
{
    wide debits = 0, credits = 0, debits_held = 0, credits_held = 0;
    struct standing standing = {0, 0, 0, 0};
    for (uint64_t i = 0; i < a->accounts.count; i++) {
        const struct audit_account *account = array_at(&a->accounts, i);
        debits += account->debits_posted;
        credits += account->credits_posted;
        debits_held += account->debits_held;
        credits_held += account->credits_held;
        count_balance(&standing, account);
    }
    if (debits != credits || debits != a->posted_minor) {
        audit__breach(a, PROOF_MONEY,
                      "generation %" PRIu64 ": debits of %" PRId64 " and credits of %" PRId64
                      " cents over all accounts, %" PRId64 " moved by transfers",
                      a->generation, (int64_t)debits, (int64_t)credits, a->posted_minor);
    }
    if (debits_held != credits_held || debits_held != a->held_minor) {
        audit__breach(a, PROOF_MONEY, "generation %" PRIu64 ": held amounts do not agree",
                      a->generation);
    }
    if (!a->merchant) { /* whose accounts have other codes */
        finish_standing(a, &standing);
    }
}
