/*
 * standing.c - standing orders decided: asking for one, the PIN, the payments on their dates. See
 * standing.h. Tests: tests/unit/test_operator_standing.c.
 */
#include "operator/standing.h"

#include <string.h>

#include "base/caltime.h"
#include "operator/internal.h"

const char *standing_state_name(enum standing_state state)
{
    static const char *const names[] = {NULL,      "asked",    "active",
                                        "refused", "finished", "cancelled"};
    CHECK(state >= STANDING_ASKED && state <= STANDING_CANCELLED);
    return names[state];
}

struct step {
    const char *name;
    uint32_t days;
    uint32_t months;
};

static const struct step *step_of(uint8_t frequency)
{
    static const struct step steps[STANDING_FREQUENCY_END] = {
#define X(name, number, text, days, months) [number] = {(text), (days), (months)},
        STANDING_FREQUENCIES(X)
#undef X
    };
    CHECK(frequency > 0 && frequency < STANDING_FREQUENCY_END);
    return &steps[frequency];
}

const char *standing_frequency_name(enum standing_frequency frequency)
{
    return step_of((uint8_t)frequency)->name;
}

/* ---- dates ---- */

bool standing_terms_good(const struct standing_terms *terms)
{
    return terms->frequency > 0 && terms->frequency < STANDING_FREQUENCY_END &&
           terms->start_day <= terms->end_day &&
           terms->end_day < (uint32_t)(CALTIME_END_NS / NS_PER_S / SECONDS_PER_DAY);
}

/* The same day of a later month, or the last one of that month. False: beyond the calendar. */
static bool months_later(uint32_t day, uint32_t months, uint32_t *out)
{
    enum { YEAR_LAST = 2100 };
    struct civil c;
    civil_from_day(day, &c);
    uint32_t month = c.month - 1 + months;
    c.year += (int32_t)(month / 12);
    c.month = month % 12 + 1;
    if (c.year > YEAR_LAST) {
        return false;
    }
    while (!civil_exists(&c)) { /* 31, 30, 29, 28 */
        CHECK(c.day > 28);
        c.day--;
    }
    *out = civil_to_day(&c);
    return true;
}

bool standing_day(const struct standing_terms *terms, uint32_t nth, uint32_t *day_out)
{
    const struct step *step = step_of(terms->frequency);
    uint64_t day = terms->start_day + (uint64_t)step->days * nth;
    CHECK(standing_terms_good(terms));
    if (nth > 0 && step->days == 0 && step->months == 0) {
        return false;
    }
    if (day > terms->end_day || nth > 12 * 200 * 31) {
        return false;
    }
    *day_out = (uint32_t)day;
    if (step->months > 0 && !months_later(terms->start_day, step->months * nth, day_out)) {
        return false;
    }
    return *day_out <= terms->end_day;
}

int64_t standing_day_ns(uint32_t day)
{
    int64_t second = (int64_t)day * SECONDS_PER_DAY + STANDING_HOUR * 3600 - EAT_OFFSET_S;
    return second * NS_PER_S;
}

/* When the payment after `runs` of them is due; 0: there is none. */
static int64_t next_due_ns(const struct standing_terms *terms, uint32_t runs)
{
    uint32_t day;
    return standing_day(terms, runs, &day) ? standing_day_ns(day) : 0;
}

const struct standing_order *operator_standing_order(const struct operator_state *o,
                                                     uint64_t number)
{
    bool there = number > 0 && number <= o->last_standing;
    return there ? standing_at(o, (uint32_t)(number - 1)) : NULL;
}

/* ---- asking ---- */

void operator__standing_asked(const struct operator_state *o, struct decision *d,
                              const struct request_command *c)
{
    struct operator_event e;
    CHECK(standing_terms_good(&c->terms));
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STANDING_ORDER_ASKED;
    e.number = o->last_standing + 1;
    e.request = o->last_request + 1;
    e.terms = c->terms;
    operator__emit(d, &e);
}

/* What refuses the order before and after the PIN. Money is no matter until the first date. */
static enum request_outcome asking_objection(const struct operator_state *o,
                                             const struct operator_request *r)
{
    enum request_outcome objection = operator__c2b_party_objection(o, r);
    if (objection != REQUEST_DONE) {
        return objection;
    }
    if (r->amount_minor > o->settings->payment_max_minor) {
        return REQUEST_ABOVE_MAXIMUM;
    }
    uint64_t key = operator__standing_key(r->party, operator_text(o, r->remarks));
    return map_get(&o->standing_names, key) == MAP_NONE ? REQUEST_DONE : REQUEST_NAME_TAKEN;
}

void operator__approved_standing(const struct operator_state *o, struct decision *d,
                                 const struct operator_request *r)
{
    const struct standing_order *order = standing_at(o, r->order);
    enum request_outcome objection = asking_objection(o, r);
    struct operator_event e;
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    operator__reserve_receipt(o, d, r); /* its TransactionID; no money moves, so it stays with it */
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STANDING_ORDER_OPENED;
    e.number = order->number;
    e.expires_ns = next_due_ns(&order->terms, 0);
    operator__emit(d, &e);
    operator__request_end(o, d, r, REQUEST_DONE, NULL);
}

void operator__advance_standing(const struct operator_state *o, struct decision *d,
                                const struct operator_request *r)
{
    enum request_outcome objection = asking_objection(o, r);
    operator__request_to_phone(o, d, r, objection);
}

void operator__expire_standing(const struct operator_state *o, struct decision *d,
                               const struct operator_request *r)
{
    operator__request_end(o, d, r, r->reached ? REQUEST_NO_ANSWER : REQUEST_UNREACHABLE, NULL);
}

void operator__decide_standing_cancel(const struct operator_state *o, struct decision *d)
{
    const struct standing_cancel_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    const struct standing_order *order = operator_standing_order(o, c->number);
    struct operator_event e;
    CHECK(reply != NULL);
    reply->number = c->number;
    reply->refusal = order == NULL                     ? OPERATOR_NOT_FOUND
                     : order->state == STANDING_ACTIVE ? OPERATOR_DONE
                                                       : OPERATOR_ALREADY_ENDED;
    if (reply->refusal == OPERATOR_DONE) {
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_STANDING_ORDER_CANCELLED;
        e.number = c->number;
        operator__emit(d, &e);
    }
}

/* ---- the payments ---- */

/* The first order whose date has come makes its payment: a request that takes its turn like any. */
void operator__decide_standing_run(const struct operator_state *o, struct decision *d)
{
    const struct timer_entry *first = timers_first(&o->standing_due);
    struct operator_event e;
    CHECK(first != NULL && first->due_ns <= d->command->now_ns);
    const struct standing_order *order = standing_at(o, (uint32_t)first->id);
    const struct operator_request *asked = operator_request(o, order->request);
    CHECK(order->state == STANDING_ACTIVE && asked != NULL);
    const struct request_command c = {
        .kind = REQUEST_STANDING_PAYMENT,
        .command = asked->command,
        .party_type = PARTY_MSISDN,
        .short_code = asked->short_code,
        .party = asked->party,
        .amount_minor = asked->amount_minor,
        .original = request_original_request(asked->number),
        .result_url = operator_text(o, asked->result_url),
        .reference = operator_text(o, asked->reference),
        .remarks = operator_text(o, asked->remarks),
        .occasion = operator_text(o, asked->occasion),
        .target = asked->target,
    };
    operator__emit_accepted(o, d, &c, true);
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STANDING_ORDER_RAN;
    e.number = order->number;
    e.request = o->last_request + 1;
    e.expires_ns = next_due_ns(&order->terms, order->runs + 1);
    operator__emit(d, &e);
    operator__request_rule(o, d, &c);
}

/* When it is tried again although there was not enough money; 0: not any more. */
static int64_t retry_ns(const struct operator_request *r, int64_t now_ns)
{
    int64_t between_ns = STANDING_RETRY_S * NS_PER_S;
    int64_t tries = 1 + (now_ns - r->step_ns[REQUEST_ACCEPTED]) / between_ns;
    return tries < STANDING_TRIES ? r->step_ns[REQUEST_ACCEPTED] + tries * between_ns : 0;
}

/* One that waited, for money or by a rule, may find that the customer wants no more. FINISHED only
 * says that this was the last date. */
static enum request_outcome payment_objection(const struct operator_state *o,
                                              const struct operator_request *r, int64_t now_ns)
{
    bool cancelled = standing_at(o, r->order)->state == STANDING_CANCELLED;
    return cancelled ? REQUEST_ACCOUNT_STATUS : operator__c2b_objection(o, r, now_ns);
}

void operator__advance_standing_payment(const struct operator_state *o, struct decision *d,
                                        const struct operator_request *r)
{
    int64_t now_ns = d->command->now_ns;
    enum request_outcome objection = payment_objection(o, r, now_ns);
    int64_t again_ns = objection == REQUEST_NO_MONEY ? retry_ns(r, now_ns) : 0;
    if (again_ns != 0) {
        struct operator_event e;
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_REQUEST_HELD;
        e.number = r->number;
        e.turn_ns = again_ns;
        e.expires_ns = again_ns;
        operator__emit(d, &e);
        return;
    }
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    struct request_leg leg = {operator_subscriber(o, r->party)->account,
                              organisation_of(o, r->short_code)->accounts[ACCOUNT_UTILITY],
                              r->amount_minor, TRANSFER_CODE_STANDING};
    operator__request_pay(o, d, r, &leg, 1, 0);
}
