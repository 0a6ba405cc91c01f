/*
 * control_overview.c - the control API's calls for those who look at the whole: who is on the
 * network, what a payment did to the ledger, and whether the money is all there. They only read.
 * Tests: tests/e2e/300-overview.sh.
 */
#include <stdio.h>
#include <string.h>

#include "face/internal.h"
#include "operator/events.h"

enum {
    ENTRY_LEGS = 8,                  /* transfers of a payment or request at most */
    MONEY_ACCOUNTS_MAX = 200 * 1000, /* more take too long to add up while others wait */
};

/* ---- who is there ---- */

/* The slot below which to look; UINT32_MAX after answering that the number is unknown. */
static uint32_t slots_below(struct request *q, const struct operator_state *o)
{
    struct span after = http_query_value(q->x, "starting_after");
    uint64_t msisdn;
    if (after.data == NULL) {
        return o->subscribers.high_water;
    }
    const struct subscriber *u =
        span_parse_u64(after, &msisdn) ? operator_subscriber(o, msisdn) : NULL;
    for (uint32_t i = 0; u != NULL && i < o->subscribers.high_water; i++) {
        if (slab_is_used(&o->subscribers, i) && slab_at(&o->subscribers, i) == (const void *)u) {
            return i;
        }
    }
    surface_problem(q, engine_read_position(q->s->engine), 400, "invalid_starting_after",
                    "starting_after must be a number from this list");
    return UINT32_MAX;
}

void control_subscriber_list(struct request *q)
{
    const struct operator_state *o = surface_operator(q->s);
    uint64_t most;
    if (!surface_list_limit(q, &most)) {
        return;
    }
    uint32_t below = slots_below(q, o);
    if (below == UINT32_MAX) {
        return;
    }
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    uint64_t shown = 0;
    while (below > 0 && shown < most) {
        below--;
        const struct subscriber *u = operator_subscriber_at(o, below);
        if (u != NULL && u->status != SUBSCRIBER_UNREGISTERED) {
            control_subscriber_render(q->s, &w, u);
            shown++;
        }
    }
    surface_list_close(q, &w, below > 0);
}

void control_organisation_list(struct request *q)
{
    const struct operator_state *o = surface_operator(q->s);
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    uint32_t i = slab_next(&o->organisations, 0);
    for (uint32_t shown = 0; i != SLAB_NONE && shown < LIST_LIMIT_MAX; shown++) {
        control_organisation_render(q->s, &w, slab_at(&o->organisations, i));
        i = slab_next(&o->organisations, i + 1);
    }
    surface_list_close(q, &w, i != SLAB_NONE);
}

/* ---- the ledger ---- */

static const char *account_kind(uint16_t code)
{
    static const char *const accounts[] = {"utility", "working", "charges_paid", "settlement"};
    switch (code) {
    case CODE_TRUST: return "trust";
    case CODE_FEES: return "fees";
    case CODE_WALLET: return "wallet";
    default: break;
    }
    uint32_t n = (uint32_t)code - CODE_UTILITY;
    return n < ORGANISATION_ACCOUNTS ? accounts[n] : "other";
}

static void render_side(struct surface *s, struct writer *w, const char *name, uint32_t index)
{
    const struct operator_state *o = surface_operator(s);
    const struct account *a = ledger_account(&o->book->ledger, index);
    CHECK(a != NULL);
    char owner[24] = "";
    struct span words = SPAN_EMPTY;
    if (a->code == CODE_WALLET) {
        const struct subscriber *u = operator_subscriber_at(o, (uint32_t)a->owner);
        CHECK(u != NULL);
        (void)snprintf(owner, sizeof(owner), "%llu", (unsigned long long)u->msisdn);
        words = operator_text(o, u->name);
    } else if (a->code >= CODE_UTILITY) {
        const struct organisation *g = operator_organisation(o, (uint32_t)a->owner);
        (void)snprintf(owner, sizeof(owner), "%llu", (unsigned long long)a->owner);
        words = g != NULL ? operator_text(o, g->name) : SPAN_EMPTY;
    }
    json_key(w, name);
    json_open(w, '{');
    json_field_u64(w, "account", index);
    json_field_text(w, "kind", account_kind(a->code));
    json_field_text(w, "owner", owner);
    json_field_string(w, "name", words);
    json_field_i64(w, "balance_now", account_balance(a));
    json_close(w, '}');
}

static const char *transfer_name(uint16_t code)
{
    static const char *const codes[] = {
        [TRANSFER_CODE_ISSUE] = "issue",
        [TRANSFER_CODE_REDEEM] = "redeem",
        [TRANSFER_CODE_STK] = "stk_push",
        [TRANSFER_CODE_C2B] = "c2b",
        [TRANSFER_CODE_B2C] = "b2c",
        [TRANSFER_CODE_B2B] = "b2b",
        [TRANSFER_CODE_CHARGE] = "charge",
        [TRANSFER_CODE_REVERSAL] = "reversal",
        [TRANSFER_CODE_SETTLEMENT] = "settlement",
        [TRANSFER_CODE_STANDING] = "standing_order",
    };
    bool known = code < sizeof(codes) / sizeof(codes[0]) && codes[code] != NULL;
    return known ? codes[code] : "?";
}

static void render_entry(struct surface *s, struct writer *w, const struct transfer *t)
{
    char id[24];
    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)t->id);
    json_open(w, '{');
    json_field_text(w, "object", "entry");
    json_field_text(w, "transfer", id);
    json_field_text(w, "code", transfer_name(t->code));
    json_field_i64(w, "amount", t->amount_minor);
    json_field_text(w, "currency", "KES");
    render_side(s, w, "debit", t->debit_account);
    render_side(s, w, "credit", t->credit_account);
    json_close(w, '}');
}

static void render_request_entries(struct surface *s, struct writer *w, uint64_t number)
{
    const struct ledger *l = &engine_book(s->engine)->ledger;
    for (uint32_t leg = 0; leg < ENTRY_LEGS; leg++) {
        const struct entry *e = ledger_entry(l, request_transfer_id(number, leg));
        if (e != NULL && e->state == ENTRY_POSTED) {
            struct entry_record whole;
            ledger_entry_record(l, e, &whole);
            render_entry(s, w, &whole.transfer);
        }
    }
}

/* ?transaction=: what moved for this payment or request. */
void control_entry_list(struct request *q)
{
    struct span id = http_query_value(q->x, "transaction");
    const struct operator_request *r = id.data == NULL ? NULL : control_find_request(q->s, id);
    const struct stk_payment *p =
        id.data == NULL || r != NULL ? NULL : control_find_payment(q->s, id);
    struct transfer moved;
    if (r == NULL && p == NULL) {
        surface_not_found(q, "give transaction: an id, CheckoutRequestID or receipt that exists");
        return;
    }
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    if (r != NULL) {
        render_request_entries(q->s, &w, r->number);
    } else if (payment_transfer(surface_operator(q->s), p, &moved)) {
        render_entry(q->s, &w, &moved);
    }
    surface_list_close(q, &w, false);
}

struct sums {
    int64_t wallets, organisations, fees, trust, all;
};

static void add_up(const struct ledger *l, struct sums *sums)
{
    for (uint32_t i = slab_next(&l->accounts, 0); i != SLAB_NONE;
         i = slab_next(&l->accounts, i + 1)) {
        const struct account *a = slab_at(&l->accounts, i);
        int64_t balance = account_balance(a);
        int64_t *sum = a->code == CODE_WALLET  ? &sums->wallets
                       : a->code == CODE_TRUST ? &sums->trust
                       : a->code == CODE_FEES  ? &sums->fees
                                               : &sums->organisations;
        *sum += balance; /* L4: every sum of balances fits */
        sums->all += balance;
    }
}

/* R3.7, R3.10: e-money and the trust account behind it, added up anew. */
void control_money(struct request *q)
{
    const struct ledger *l = &engine_book(q->s->engine)->ledger;
    struct sums sums = {0, 0, 0, 0, 0};
    bool counted = l->accounts.used <= MONEY_ACCOUNTS_MAX;
    struct writer w = surface_writer(q->s);
    json_open(&w, '{');
    json_field_text(&w, "object", "money");
    json_field_text(&w, "currency", "KES");
    json_field_i64(&w, "posted", l->posted_minor);
    json_field_i64(&w, "pending", l->pending_minor);
    json_field_u64(&w, "accounts", l->accounts.used);
    json_field_bool(&w, "counted", counted);
    if (counted) {
        add_up(l, &sums);
        json_field_i64(&w, "wallets", sums.wallets);
        json_field_i64(&w, "organisations", sums.organisations);
        json_field_i64(&w, "fees", sums.fees);
        json_field_i64(&w, "trust", sums.trust);
        json_field_i64(&w, "difference", sums.all);
    }
    json_close(&w, '}');
    surface_json(q, engine_read_position(q->s->engine), 200, &w);
}
