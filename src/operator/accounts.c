/*
 * accounts.c - who is on the network: subscribers, organisations, the money issued to them, and
 * the seed that a new or reset book starts from.
 */
#include <string.h>

#include "operator/internal.h"

static struct operator_reply *reply_of(const struct decision *d)
{
    CHECK(d->command->reply != NULL);
    return d->command->reply;
}

static void refuse(const struct decision *d, enum operator_refusal refusal)
{
    CHECK(d->events == 0);
    reply_of(d)->refusal = refusal;
}

/* Transfers that belong to no payment take their id from the frame that makes them. */
static uint64_t frame_transfer_id(const struct decision *d, uint32_t leg)
{
    CHECK(leg < 64);
    return (uint64_t)2 << 60 | d->position << 6 | leg;
}

static void open_account(struct decision *d, uint32_t index, uint16_t code, uint16_t flags,
                         uint64_t owner)
{
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_ACCOUNT_OPENED;
    e.account = index;
    e.opened.code = code;
    e.opened.flags = flags;
    e.opened.owner = owner;
    e.opened.currency = LEDGER_CURRENCY_KES;
    decision_ledger(d, &e);
}

/* Can the ledger carry this much more e-money? No total of an account is above the ledger's. */
static bool ledger_carries(const struct ledger *l, int64_t amount_minor)
{
    int64_t all_minor;
    CHECK(amount_minor >= 0);
    return money_add(l->posted_minor, l->pending_minor, &all_minor) &&
           money_add(all_minor, amount_minor, &all_minor);
}

/* Money to an account that this same decision opened: no plan can know it yet. Whether the ledger
 * can carry it was asked before the first event. */
static void issue_to_new(struct decision *d, uint32_t trust, uint32_t account, int64_t amount_minor,
                         uint32_t leg)
{
    if (amount_minor == 0) {
        return;
    }
    CHECK(amount_minor > 0);
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_TRANSFER_POSTED;
    e.transfer.id = frame_transfer_id(d, leg);
    e.transfer.kind = TRANSFER_POST;
    e.transfer.code = TRANSFER_CODE_ISSUE;
    e.transfer.amount_minor = amount_minor;
    e.transfer.debit_account = trust;
    e.transfer.credit_account = account;
    decision_ledger(d, &e);
}

enum ledger_result operator__issue(const struct operator_state *o, struct decision *d,
                                   uint32_t account, int64_t amount_minor, uint32_t leg)
{
    struct transfer t;
    memset(&t, 0, sizeof(t));
    t.id = frame_transfer_id(d, leg);
    t.kind = TRANSFER_POST;
    t.code = amount_minor > 0 ? TRANSFER_CODE_ISSUE : TRANSFER_CODE_REDEEM;
    t.amount_minor = amount_minor > 0 ? amount_minor : -amount_minor;
    t.debit_account = amount_minor > 0 ? o->account_trust : account;
    t.credit_account = amount_minor > 0 ? account : o->account_trust;
    struct ledger_plan plan;
    ledger_plan_init(&plan, &o->book->ledger);
    enum ledger_result result = ledger_plan_add(&plan, &t);
    if (result == LEDGER_OK) {
        struct ledger_event e;
        ledger_plan_event(&plan, 0, &e);
        decision_ledger(d, &e);
    }
    return result;
}

/* ---- subscribers ---- */

/* Where a decision's new things will lie. */
struct fresh {
    uint32_t account;      /* next account index */
    uint32_t subscriber;   /* next subscriber slot */
    uint32_t organisation; /* next organisation slot */
    uint32_t leg;
    uint32_t trust;
};

static bool subscriber_acceptable(const struct subscriber_command *c)
{
    return c->balance_minor >= 0 && c->name.size <= OPERATOR_NAME_MAX;
}

/* slot: the next free one, or that of a number that was asked for before it had a wallet; the
 * person's name is known only now. */
static void emit_subscriber(struct decision *d, const struct subscriber_command *c,
                            struct fresh *fresh, uint32_t slot)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.slot = slot;
    e.kind = EVENT_PERSON_KEPT;
    e.msisdn = c->msisdn;
    e.name = c->name;
    operator__emit(d, &e);
    open_account(d, fresh->account, CODE_WALLET, ACCOUNT_DEBITS_LIMITED, slot);
    e.kind = EVENT_SUBSCRIBER_OPENED;
    e.account = fresh->account;
    memcpy(e.verifier, c->verifier, sizeof(e.verifier));
    e.key_version = c->key_version;
    e.approves = c->approves;
    operator__emit(d, &e);
    issue_to_new(d, fresh->trust, fresh->account, c->balance_minor, fresh->leg++);
    fresh->account++;
}

static struct fresh fresh_now(const struct operator_state *o)
{
    CHECK(o->subscribers.free_head == SLAB_NONE);   /* nobody is ever removed, */
    CHECK(o->organisations.free_head == SLAB_NONE); /* so slots follow each other */
    struct fresh fresh = {ledger_next_account(&o->book->ledger, 0), o->subscribers.high_water,
                          o->organisations.high_water, 0, o->account_trust};
    return fresh;
}

void operator__decide_subscriber_open(const struct operator_state *o, struct decision *d)
{
    const struct subscriber_command *c = d->command->body;
    struct fresh fresh = fresh_now(o);
    uint32_t slot = map_get(&o->by_msisdn, c->msisdn);
    if (slot != MAP_NONE && subscriber_at(o, slot)->status != SUBSCRIBER_UNREGISTERED) {
        refuse(d, OPERATOR_EXISTS);
        return;
    }
    if (!subscriber_acceptable(c) || !ledger_carries(&o->book->ledger, c->balance_minor)) {
        refuse(d, OPERATOR_LIMIT);
        return;
    }
    slot = slot != MAP_NONE ? slot : fresh.subscriber;
    emit_subscriber(d, c, &fresh, slot);
    reply_of(d)->refusal = OPERATOR_DONE;
    reply_of(d)->slot = slot;
}

static void emit_change(struct decision *d, const struct subscriber_change_command *c,
                        const struct subscriber *s, uint32_t slot)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.slot = slot;
    if ((c->fields & (CHANGE_REACHABLE | CHANGE_STATUS | CHANGE_SIM_SWAPPED)) != 0) {
        e.kind = EVENT_SUBSCRIBER_CHANGED;
        e.reachable = (c->fields & CHANGE_REACHABLE) != 0 ? c->reachable : s->reachable;
        e.status = (c->fields & CHANGE_STATUS) != 0 ? c->status : s->status;
        e.sim_swapped_ns =
            (c->fields & CHANGE_SIM_SWAPPED) != 0 ? c->sim_swapped_ns : s->sim_swapped_ns;
        operator__emit(d, &e);
    }
    if ((c->fields & CHANGE_PIN) != 0) {
        e.kind = EVENT_PIN_SET;
        memcpy(e.verifier, c->verifier, sizeof(e.verifier));
        e.key_version = c->key_version;
        operator__emit(d, &e);
    }
}

void operator__decide_subscriber_change(const struct operator_state *o, struct decision *d)
{
    const struct subscriber_change_command *c = d->command->body;
    uint32_t slot = map_get(&o->by_msisdn, c->msisdn);
    if (slot == MAP_NONE || subscriber_at(o, slot)->status == SUBSCRIBER_UNREGISTERED) {
        refuse(d, OPERATOR_NOT_FOUND);
        return;
    }
    const struct subscriber *s = subscriber_at(o, slot);
    CHECK(IMPLIES((c->fields & CHANGE_STATUS) != 0,
                  c->status == SUBSCRIBER_ACTIVE || c->status == SUBSCRIBER_SUSPENDED));
    reply_of(d)->slot = slot;
    if ((c->fields & CHANGE_BALANCE) != 0 && c->adjust_minor != 0) {
        if (c->adjust_minor == INT64_MIN) {
            refuse(d, OPERATOR_LIMIT);
            return;
        }
        enum ledger_result result = operator__issue(o, d, s->account, c->adjust_minor, 0);
        if (result != LEDGER_OK) {
            refuse(d, result == LEDGER_EXCEEDS_CREDITS ? OPERATOR_NO_MONEY : OPERATOR_LIMIT);
            return;
        }
    }
    emit_change(d, c, s, slot);
    reply_of(d)->refusal = OPERATOR_DONE;
}

/* ---- organisations ---- */

static void emit_organisation(struct decision *d, const struct organisation_command *c,
                              struct fresh *fresh)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.slot = fresh->organisation++;
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        /* Charges Paid runs negative: fees owed to the operator. */
        uint16_t flags = i == ACCOUNT_CHARGES_PAID ? 0 : ACCOUNT_DEBITS_LIMITED;
        e.accounts[i] = fresh->account++;
        open_account(d, e.accounts[i], (uint16_t)(CODE_UTILITY + i), flags, c->short_code);
    }
    e.kind = EVENT_ORGANISATION_OPENED;
    e.short_code = c->short_code;
    e.type = c->type;
    e.charges = c->charges;
    operator__emit(d, &e);
    e.kind = EVENT_ORGANISATION_KEPT;
    e.name = c->name;
    e.initiator = c->initiator;
    memcpy(e.secrets, c->secrets, sizeof(e.secrets));
    operator__emit(d, &e);
    issue_to_new(d, fresh->trust, e.accounts[ACCOUNT_UTILITY], c->utility_minor, fresh->leg++);
    issue_to_new(d, fresh->trust, e.accounts[ACCOUNT_WORKING], c->working_minor, fresh->leg++);
}

static bool organisation_acceptable(const struct organisation_command *c)
{
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        if (c->secrets[i].size > OPERATOR_SECRET_MAX) {
            return false;
        }
    }
    return c->type >= ORGANISATION_PAYBILL && c->type <= ORGANISATION_BULK &&
           c->charges >= CHARGES_CUSTOMER && c->charges <= CHARGES_BUSINESS &&
           c->utility_minor >= 0 && c->working_minor >= 0 && c->name.size <= OPERATOR_NAME_MAX &&
           c->initiator.size <= OPERATOR_NAME_MAX;
}

/* Adds what the organisation starts with; false when it does not fit. */
static bool organisation_money(const struct organisation_command *c, int64_t *sum_minor)
{
    return money_add(*sum_minor, c->utility_minor, sum_minor) &&
           money_add(*sum_minor, c->working_minor, sum_minor);
}

void operator__decide_organisation_open(const struct operator_state *o, struct decision *d)
{
    const struct organisation_command *c = d->command->body;
    struct fresh fresh = fresh_now(o);
    if (map_get(&o->by_short_code, c->short_code) != MAP_NONE) {
        refuse(d, OPERATOR_EXISTS);
        return;
    }
    int64_t issued_minor = 0;
    if (!organisation_acceptable(c) || !organisation_money(c, &issued_minor) ||
        !ledger_carries(&o->book->ledger, issued_minor)) {
        refuse(d, OPERATOR_LIMIT);
        return;
    }
    reply_of(d)->slot = fresh.organisation;
    emit_organisation(d, c, &fresh);
    reply_of(d)->refusal = OPERATOR_DONE;
}

/* False: an idempotency key decides (and has been answered). */
static bool key_is_new(const struct fund_command *c, const struct decision *d)
{
    const struct idempotency_entry *before = c->has_key ? book_key(d->book, c->key) : NULL;
    if (before == NULL) {
        return true;
    }
    bool same = memcmp(before->request, c->request, sizeof(before->request)) == 0;
    refuse(d, same ? OPERATOR_REPEATED : OPERATOR_KEY_REUSED);
    return false;
}

void operator__decide_fund(const struct operator_state *o, struct decision *d)
{
    const struct fund_command *c = d->command->body;
    uint32_t slot = map_get(&o->by_short_code, c->short_code);
    if (slot == MAP_NONE) {
        refuse(d, OPERATOR_NOT_FOUND);
        return;
    }
    reply_of(d)->slot = slot;
    if (!key_is_new(c, d)) {
        return;
    }
    CHECK(c->account == ACCOUNT_UTILITY || c->account == ACCOUNT_WORKING);
    if (c->amount_minor <= 0) {
        refuse(d, OPERATOR_LIMIT);
        return;
    }
    uint32_t account = organisation_at(o, slot)->accounts[c->account];
    if (operator__issue(o, d, account, c->amount_minor, 0) != LEDGER_OK) {
        refuse(d, OPERATOR_LIMIT);
        return;
    }
    if (c->has_key) {
        decision_keep_key(d, c->key, c->request, c->short_code);
    }
    reply_of(d)->refusal = OPERATOR_DONE;
}

/* Is the change one that this organisation can have? Fills the slot of the nominated number. */
static enum operator_refusal change_refusal(const struct operator_state *o,
                                            const struct organisation_change_command *c,
                                            uint32_t *nominated)
{
    if ((c->fields & ORGANISATION_CHANGE_DELAY) != 0 &&
        (c->queue_delay_ns < 0 || c->queue_delay_ns > OPERATOR_QUEUE_DELAY_MAX)) {
        return OPERATOR_LIMIT;
    }
    if ((c->fields & ORGANISATION_CHANGE_NOMINATED) == 0) {
        return OPERATOR_DONE;
    }
    *nominated = c->nominated == 0 ? SLAB_NONE : map_get(&o->by_msisdn, c->nominated);
    bool has_wallet =
        *nominated != SLAB_NONE && subscriber_at(o, *nominated)->status != SUBSCRIBER_UNREGISTERED;
    return c->nominated == 0 || has_wallet ? OPERATOR_DONE : OPERATOR_NOT_FOUND;
}

void operator__decide_organisation_change(const struct operator_state *o, struct decision *d)
{
    const struct organisation_change_command *c = d->command->body;
    uint32_t slot = map_get(&o->by_short_code, c->short_code);
    if (slot == MAP_NONE) {
        refuse(d, OPERATOR_NOT_FOUND);
        return;
    }
    const struct organisation *g = organisation_at(o, slot);
    uint32_t nominated = g->nominated;
    enum operator_refusal refusal = change_refusal(o, c, &nominated);
    if (refusal != OPERATOR_DONE) {
        refuse(d, refusal);
        return;
    }
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_ORGANISATION_CHANGED;
    e.slot = slot;
    e.active = (c->fields & ORGANISATION_CHANGE_ACTIVE) != 0 ? c->active : g->active;
    e.nominated = nominated;
    e.queue_delay_ns =
        (c->fields & ORGANISATION_CHANGE_DELAY) != 0 ? c->queue_delay_ns : g->queue_delay_ns;
    operator__emit(d, &e);
    reply_of(d)->slot = slot;
    reply_of(d)->refusal = OPERATOR_DONE;
}

/* ---- the seed ---- */

/* A seed may come from a file: what is wrong with it is an answer, and nothing is emptied. */
static enum operator_refusal check_seed(const struct seed_command *c)
{
    int64_t sum_minor = 0;
    for (uint32_t i = 0; i < c->organisation_count; i++) {
        const struct organisation_command *g = &c->organisations[i];
        if (!organisation_acceptable(g) || !organisation_money(g, &sum_minor)) {
            return OPERATOR_LIMIT;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (c->organisations[j].short_code == g->short_code) {
                return OPERATOR_EXISTS;
            }
        }
    }
    for (uint32_t i = 0; i < c->subscriber_count; i++) {
        const struct subscriber_command *s = &c->subscribers[i];
        if (!subscriber_acceptable(s) || !money_add(sum_minor, s->balance_minor, &sum_minor)) {
            return OPERATOR_LIMIT;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (c->subscribers[j].msisdn == s->msisdn) {
                return OPERATOR_EXISTS;
            }
        }
    }
    return OPERATOR_DONE;
}

void operator__decide_seed(const struct operator_state *o, struct decision *d)
{
    const struct seed_command *c = d->command->body;
    CHECK(c->organisation_count <= OPERATOR_SEED_MAX);
    CHECK(c->subscriber_count <= OPERATOR_SEED_MAX);
    CHECK(o->book == d->book);
    enum operator_refusal refusal = check_seed(c);
    if (refusal != OPERATOR_DONE) {
        refuse(d, refusal);
        return;
    }
    decision_open_generation(d);
    struct fresh fresh = {2, 0, 0, 0, 0}; /* the book is empty from here on */
    open_account(d, 0, CODE_TRUST, 0, 0);
    open_account(d, 1, CODE_FEES, ACCOUNT_DEBITS_LIMITED, 0);
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_NETWORK_OPENED;
    e.account = 0;
    e.accounts[0] = 1;
    operator__emit(d, &e);
    for (uint32_t i = 0; i < c->organisation_count; i++) {
        emit_organisation(d, &c->organisations[i], &fresh);
    }
    for (uint32_t i = 0; i < c->subscriber_count; i++) {
        emit_subscriber(d, &c->subscribers[i], &fresh, fresh.subscriber);
        fresh.subscriber++;
    }
    CHECK(fresh.account <= BOOK_RESERVE_ACCOUNTS);
    CHECK(fresh.leg <= BOOK_RESERVE_TRANSFERS);
    reply_of(d)->refusal = OPERATOR_DONE;
}
