/*
 * c2b.c - payments that customers make by themselves: what an organisation registers for them, the
 * question to its validation URL, and the payment. Nothing moves before the validation URL has
 * answered or its time is over; then everything is looked at again (as R1.3).
 */
#include <string.h>

#include "base/caltime.h"
#include "base/delivery_error.h"
#include "operator/internal.h"

/* The attempt itself has 8 s on the wire; this is for one that cannot even begin. */
#define VALIDATION_NS (10 * NS_PER_S)

/* ---- what an organisation registers ---- */

static const struct organisation *organisation_asked(const struct operator_state *o,
                                                     struct decision *d, uint32_t short_code,
                                                     struct operator_event *e)
{
    struct operator_reply *reply = d->command->reply;
    CHECK(reply != NULL);
    memset(e, 0, sizeof(*e));
    uint32_t slot = map_get(&o->by_short_code, short_code);
    reply->refusal = slot == MAP_NONE ? OPERATOR_NOT_FOUND : OPERATOR_DONE;
    reply->slot = slot;
    e->slot = slot;
    return slot == MAP_NONE ? NULL : organisation_at(o, slot);
}

void operator__decide_c2b_register(const struct operator_state *o, struct decision *d)
{
    const struct c2b_register_command *c = d->command->body;
    struct operator_event e;
    const struct organisation *g = organisation_asked(o, d, c->short_code, &e);
    CHECK(c->version == 1 || c->version == 2);
    CHECK(c->response_type == C2B_COMPLETED || c->response_type == C2B_CANCELLED);
    CHECK(c->confirmation_url.size > 0 && c->confirmation_url.size <= OPERATOR_URL_MAX);
    CHECK(c->validation_url.size <= OPERATOR_URL_MAX);
    if (g == NULL) {
        return;
    }
    if (c->once && g->c2b.version != 0) {
        ((struct operator_reply *)d->command->reply)->refusal = OPERATOR_EXISTS;
        return;
    }
    e.kind = EVENT_C2B_URLS_KEPT;
    e.version = c->version;
    e.response_type = c->response_type;
    e.url = c->confirmation_url;
    e.validation_url = c->validation_url;
    e.target = c->confirmation_target;
    e.validation_target = c->validation_target;
    operator__emit(d, &e);
}

void operator__decide_validation_set(const struct operator_state *o, struct decision *d)
{
    const struct validation_set_command *c = d->command->body;
    struct operator_event e;
    if (organisation_asked(o, d, c->short_code, &e) != NULL) {
        e.kind = EVENT_VALIDATION_SET;
        e.validates = c->validates;
        operator__emit(d, &e);
    }
}

void operator__decide_pull_register(const struct operator_state *o, struct decision *d)
{
    const struct pull_register_command *c = d->command->body;
    struct operator_event e;
    const struct organisation *g = organisation_asked(o, d, c->short_code, &e);
    CHECK(c->number != 0);
    CHECK(c->url.size <= OPERATOR_URL_MAX);
    if (g != NULL && g->c2b.pull_number != 0) {
        ((struct operator_reply *)d->command->reply)->refusal = OPERATOR_EXISTS;
    } else if (g != NULL) {
        e.kind = EVENT_PULL_REGISTERED;
        e.msisdn = c->number;
        e.url = c->url;
        operator__emit(d, &e);
    }
}

/* ---- acceptance ---- */

static bool pin_right(const struct operator_state *o, const struct request_command *c)
{
    const struct subscriber *s = operator_subscriber(o, c->party);
    if (s == NULL || s->status == SUBSCRIBER_UNREGISTERED ||
        s->pin_failures >= o->settings->pin_failures_max) {
        return false;
    }
    struct span own = {(const char *)s->verifier, PIN_VERIFIER_BYTES};
    struct span given = {(const char *)c->verifier, PIN_VERIFIER_BYTES};
    return span_equal_secret(own, given);
}

void operator__c2b_fill(const struct operator_state *o, struct request_command *c)
{
    const struct organisation *g = operator_organisation(o, c->short_code);
    CHECK(c->kind == REQUEST_C2B);
    CHECK(c->command == C2B_PAY_BILL || c->command == C2B_BUY_GOODS);
    c->without_initiator = !c->has_pin || pin_right(o, c);
    c->command |= c->has_pin ? C2B_PIN_GIVEN : 0;
    c->party_type = PARTY_MSISDN;
    if (g != NULL) {
        c->command |= (uint8_t)(g->c2b.version << C2B_VERSION_SHIFT);
        c->result_url = operator_text(o, g->c2b.confirmation_url);
        c->target = g->c2b.confirmation_target;
    }
}

/* ---- its turn ---- */

enum request_outcome operator__c2b_party_objection(const struct operator_state *o,
                                                   const struct operator_request *r)
{
    const struct subscriber *s = operator_subscriber(o, r->party);
    const struct organisation *g = operator_organisation(o, r->short_code);
    if (s == NULL || s->status == SUBSCRIBER_UNREGISTERED || g == NULL) {
        return REQUEST_PARTY_UNKNOWN;
    }
    if (s->status == SUBSCRIBER_SUSPENDED) {
        return REQUEST_ACCOUNT_STATUS;
    }
    bool is_till = g->type == ORGANISATION_TILL;
    bool wants_till = (r->command & C2B_TYPE_MASK) == C2B_BUY_GOODS;
    if (g->type == ORGANISATION_BULK || is_till != wants_till) {
        return REQUEST_PRODUCT;
    }
    return g->active ? REQUEST_DONE : REQUEST_ORGANISATION_INACTIVE;
}

enum request_outcome operator__c2b_objection(const struct operator_state *o,
                                             const struct operator_request *r, int64_t now_ns)
{
    enum request_outcome objection = operator__c2b_party_objection(o, r);
    if (objection != REQUEST_DONE) {
        return objection;
    }
    const struct subscriber *s = operator_subscriber(o, r->party);
    if (r->amount_minor < 100) {
        return REQUEST_BELOW_MINIMUM;
    }
    if (r->amount_minor > o->settings->payment_max_minor) {
        return REQUEST_ABOVE_MAXIMUM;
    }
    if (account_available(ledger_account(&o->book->ledger, s->account)) < r->amount_minor) {
        return REQUEST_NO_MONEY;
    }
    bool within_day = operator_day_allowance(o, s, now_ns) >= r->amount_minor;
    return within_day ? REQUEST_DONE : REQUEST_DAY_LIMIT;
}

/* Everything is looked at (again), and then the money moves. */
static void c2b_pay(const struct operator_state *o, struct decision *d,
                    const struct operator_request *r)
{
    enum request_outcome objection = operator__c2b_objection(o, r, d->command->now_ns);
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    const struct organisation *g = operator_organisation(o, r->short_code);
    struct request_leg leg = {operator_subscriber(o, r->party)->account,
                              g->accounts[ACCOUNT_UTILITY], r->amount_minor, TRANSFER_CODE_C2B};
    operator__request_pay(o, d, r, &leg, 1, 0);
}

void operator__reserve_receipt(const struct operator_state *o, struct decision *d,
                               const struct operator_request *r)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    CHECK(r->receipt_day == 0);
    e.kind = EVENT_RECEIPT_RESERVED;
    e.number = r->number;
    operator__next_receipt(o, d->command->now_ns, &e.receipt_day, &e.receipt);
    operator__emit(d, &e);
}

/*
 * What the PIN was is known since acceptance; what that means is decided here, in the order of
 * turns, so that those that came together have no more tries than those that came one by one.
 * False: it has ended.
 */
static bool pin_counts(const struct operator_state *o, struct decision *d,
                       const struct operator_request *r)
{
    uint32_t slot = map_get(&o->by_msisdn, r->party);
    bool given = (r->command & C2B_PIN_GIVEN) != 0 || !r->initiator_good;
    bool known = slot != MAP_NONE && subscriber_at(o, slot)->status != SUBSCRIBER_UNREGISTERED;
    if (!given || !known) {
        return true;
    }
    switch (operator__count_pin(o, d, slot, r->initiator_good)) {
    case PIN_IS_LOCKED: operator__request_end(o, d, r, REQUEST_PIN_LOCKED, NULL); return false;
    case PIN_IS_WRONG: operator__request_end(o, d, r, REQUEST_WRONG_PIN, NULL); return false;
    case PIN_IS_RIGHT: break;
    }
    return true;
}

void operator__advance_c2b(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r)
{
    enum request_outcome objection = operator__c2b_objection(o, r, d->command->now_ns);
    if (!pin_counts(o, d, r)) {
        return;
    }
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    const struct organisation *g = operator_organisation(o, r->short_code);
    if (g->c2b.validates && operator_text(o, g->c2b.validation_url).size > 0) {
        operator__reserve_receipt(o, d, r);
        const struct rule_message question = {r->number, g->c2b.validation_target,
                                              MESSAGE_VALIDATION};
        operator__request_ask(o, d, r, d->command->now_ns + VALIDATION_NS, &question);
        return;
    }
    c2b_pay(o, d, r);
}

/* ---- the validation URL ---- */

/* No answer that says anything: the registered ResponseType decides. */
static void c2b_unanswered(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r)
{
    const struct organisation *g = operator_organisation(o, r->short_code);
    if (g->c2b.response_type == C2B_CANCELLED) {
        operator__request_end(o, d, r, REQUEST_NOT_VALIDATED, NULL);
    } else {
        c2b_pay(o, d, r);
    }
}

static enum request_outcome rejection(uint16_t verdict)
{
    static const enum request_outcome outcomes[] = {
        [1] = REQUEST_BAD_MSISDN, [2] = REQUEST_BAD_ACCOUNT,    [3] = REQUEST_BAD_AMOUNT,
        [4] = REQUEST_BAD_KYC,    [5] = REQUEST_BAD_SHORT_CODE, [6] = REQUEST_REJECTED,
    };
    CHECK(verdict > C2B_REJECTED && verdict <= C2B_REJECTED + 6);
    return outcomes[verdict - C2B_REJECTED];
}

void operator__c2b_attempted(const struct operator_state *o, struct decision *d,
                             const struct outbox_item *item,
                             const struct delivery_result_command *c)
{
    const struct operator_request *r = operator_request(o, item->subject);
    if (r == NULL || r->state != STK_PROCESSING || r->question != item->number) {
        return; /* replayed by hand, or its time was over: it has ended */
    }
    bool answered = c->error == 0 && c->status >= 200 && c->status < 300;
    if (!answered || c->verdict == C2B_UNINTELLIGIBLE) {
        c2b_unanswered(o, d, r);
        return;
    }
    if (c->verdict != C2B_ACCEPTED) {
        operator__request_end(o, d, r, rejection(c->verdict), NULL);
        return;
    }
    if (c->verdict_text.size > 0) {
        struct operator_event e;
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_REQUEST_ANSWERED;
        e.number = r->number;
        e.reference = c->verdict_text;
        operator__emit(d, &e);
    }
    c2b_pay(o, d, r);
}

void operator__expire_c2b(const struct operator_state *o, struct decision *d,
                          const struct operator_request *r)
{
    const struct outbox_item *item = outbox_item(&o->book->outbox, r->question);
    CHECK((item != NULL) == (r->question != 0)); /* a rule may have ordered that nobody is asked */
    if (item != NULL && item->state == OUTBOX_WAITING) { /* nobody needs its answer any more */
        struct outbox_event e;
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_DELIVERY_ATTEMPTED;
        e.number = item->number;
        e.error = DELIVERY_TIMEOUT;
        e.state = OUTBOX_DEAD;
        decision_outbox(d, &e);
    }
    c2b_unanswered(o, d, r);
}

/* ---- incomes ---- */

bool operator__income_kept(const struct organisation *g)
{
    return g->c2b.version != 0 || g->c2b.pull_number != 0 || g->biller.opted;
}

void operator__tell_income(const struct operator_state *o, struct decision *d, uint32_t short_code,
                           uint64_t nth)
{
    const struct organisation *g = operator_organisation(o, short_code);
    CHECK(g != NULL);
    if (g->c2b.version == 0) {
        return;
    }
    struct outbox_event queued;
    memset(&queued, 0, sizeof(queued));
    queued.kind = EVENT_DELIVERY_QUEUED;
    queued.number = outbox_next_number(&o->book->outbox, nth);
    queued.subject = o->last_income + 1;
    queued.target = g->c2b.confirmation_target;
    queued.item_kind = MESSAGE_CONFIRMATION;
    queued.next_try_ns = d->command->now_ns;
    decision_outbox(d, &queued);
}

const struct income *operator_income(const struct operator_state *o, uint64_t number)
{
    uint32_t slot = map_get(&o->incomes_by_number, number);
    return slot == MAP_NONE ? NULL : income_at(o, slot);
}

const struct income *operator_income_by_receipt(const struct operator_state *o, uint32_t day,
                                                uint64_t receipt)
{
    uint32_t slot = map_get(&o->incomes_by_receipt, operator__receipt_key(day, receipt));
    return slot == MAP_NONE ? NULL : income_at(o, slot);
}

const struct income *operator_income_next(const struct operator_state *o, uint32_t *slot)
{
    if (*slot == SLAB_NONE) {
        return NULL;
    }
    const struct income *income = income_at(o, *slot);
    *slot = income->next;
    return income;
}
