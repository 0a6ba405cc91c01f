/*
 * audit_standing.c - standing orders as the events tell them: asked for in order, opened by the
 * request that asked and succeeded, paid on their dates and at no other time, once for each, by
 * the one who allowed it. The dates are computed here a second time, on purpose. See audit.h.
 */
#include <inttypes.h>

#include "app/verify/audit.h"

enum {
    SECONDS_A_DAY = 24 * 60 * 60,
    MORNING_S = (6 - 3) * 60 * 60, /* 06:00 in Nairobi, in UTC */
    DATES_MAX = 80000,             /* more than there are days until 2100 */
};

void audit__standing_init(struct audit *a)
{
    array_init(&a->standing, sizeof(struct audit_standing));
}

void audit__standing_fini(struct audit *a)
{
    array_fini(&a->standing);
}

/* ---- dates ---- */

struct date {
    uint32_t year, month, day;
};

static bool is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t days_in(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

static struct date date_of(uint32_t days)
{
    struct date d = {1970, 1, 1};
    while (days >= (is_leap(d.year) ? 366u : 365u)) {
        days -= is_leap(d.year) ? 366u : 365u;
        d.year++;
    }
    while (days >= days_in(d.year, d.month)) {
        days -= days_in(d.year, d.month);
        d.month++;
    }
    d.day += days;
    return d;
}

static uint32_t days_of(struct date d)
{
    uint32_t days = d.day - 1;
    for (uint32_t year = 1970; year < d.year; year++) {
        days += is_leap(year) ? 366u : 365u;
    }
    for (uint32_t month = 1; month < d.month; month++) {
        days += days_in(d.year, month);
    }
    return days;
}

/* When the payment after `runs` of them is due, in ns; 0: the end date is before it. */
static int64_t due_after(const struct standing_terms *terms, uint32_t runs)
{
    static const uint32_t day_steps[] = {0, 0, 1, 7, 0, 0, 0, 0, 0};
    static const uint32_t month_steps[] = {0, 0, 0, 0, 1, 2, 3, 6, 12};
    uint32_t days = terms->start_day;
    if (runs > DATES_MAX || (terms->frequency == STANDING_ONCE && runs > 0)) {
        return 0;
    }
    days += day_steps[terms->frequency] * runs;
    if (month_steps[terms->frequency] > 0) {
        struct date d = date_of(terms->start_day);
        uint32_t month = d.month - 1 + month_steps[terms->frequency] * runs;
        d.year += month / 12;
        d.month = month % 12 + 1;
        d.day = d.day < days_in(d.year, d.month) ? d.day : days_in(d.year, d.month);
        days = days_of(d);
    }
    if (days > terms->end_day) {
        return 0;
    }
    return ((int64_t)days * SECONDS_A_DAY + MORNING_S) * 1000 * 1000 * 1000;
}

/* ---- events ---- */

static void order_asked(struct audit *a, const struct operator_event *e)
{
    const struct audit_request *r = table_find(&a->requests, e->request);
    if (e->number != a->standing.count + 1 || r == NULL || r->kind != REQUEST_STANDING_ORDER ||
        r->order != 0) {
        audit__breach(a, PROOF_REFERENCES,
                      "standing order %" PRIu64 " is asked for by request %" PRIu64
                      ", which cannot be",
                      e->number, e->request);
        return;
    }
    struct audit_standing *order = array_add(&a->standing);
    if (order == NULL) {
        a->report->no_memory = true;
        return;
    }
    ((struct audit_request *)table_find(&a->requests, e->request))->order = e->number;
    order->terms = e->terms;
    order->amount_minor = r->amount_minor;
    order->party = r->party;
    order->short_code = r->short_code;
    order->state = STANDING_ASKED;
    order->request = e->request;
}

static void ran(struct audit *a, const struct operator_event *e, struct audit_standing *order)
{
    struct audit_request *r = table_find(&a->requests, e->request);
    if (order->state != STANDING_ACTIVE || a->frame.time_ns < order->due_ns) {
        audit__breach(a, PROOF_PAYMENTS,
                      "standing order %" PRIu64 " pays before its date, or is not active",
                      e->number);
    }
    if (r == NULL || r->kind != REQUEST_STANDING_PAYMENT || r->order != 0 ||
        r->amount_minor != order->amount_minor || r->party != order->party ||
        r->short_code != order->short_code) {
        audit__breach(a, PROOF_PAYMENTS,
                      "request %" PRIu64 " is not the payment that standing order %" PRIu64
                      " allows",
                      e->request, e->number);
    } else {
        r->order = e->number;
    }
    order->runs++;
    order->due_ns = e->expires_ns;
    order->state = e->expires_ns != 0 ? STANDING_ACTIVE : STANDING_FINISHED;
    if (e->expires_ns != due_after(&order->terms, order->runs)) {
        audit__breach(a, PROOF_PAYMENTS,
                      "standing order %" PRIu64 " is next due at %" PRId64
                      " ns, which is not a date of it",
                      e->number, e->expires_ns);
    }
}

void audit__standing_event(struct audit *a, const struct operator_event *e)
{
    audit__checked(a, PROOF_PAYMENTS);
    if (e->kind == EVENT_STANDING_ORDER_ASKED) {
        order_asked(a, e);
        return;
    }
    struct audit_standing *order = array_at(&a->standing, e->number - 1);
    if (order == NULL) {
        audit__breach(a, PROOF_REFERENCES, "there is no standing order %" PRIu64, e->number);
        return;
    }
    if (e->kind == EVENT_STANDING_ORDER_RAN) {
        ran(a, e, order);
        return;
    }
    bool opens = e->kind == EVENT_STANDING_ORDER_OPENED;
    if (order->state != (opens ? STANDING_ASKED : STANDING_ACTIVE)) {
        audit__breach(a, PROOF_PAYMENTS, "standing order %" PRIu64 " is %s out of turn", e->number,
                      opens ? "opened" : "cancelled");
    }
    if (opens && e->expires_ns != due_after(&order->terms, 0)) {
        audit__breach(a, PROOF_PAYMENTS,
                      "standing order %" PRIu64 " does not begin on its first date", e->number);
    }
    order->state = opens ? STANDING_ACTIVE : STANDING_CANCELLED;
    order->due_ns = opens ? e->expires_ns : 0;
    order->no_more = e->kind == EVENT_STANDING_ORDER_CANCELLED;
    a->frame.standing_opened = opens ? e->number : 0;
}

/* Journals of older programs let a payment that was under way go on (event 120). */
static void check_allowed(struct audit *a, uint64_t number, const struct audit_request *r)
{
    const struct audit_standing *order = array_at(&a->standing, r->order - 1);
    if (order != NULL && order->no_more) {
        audit__breach(a, PROOF_PAYMENTS,
                      "request %" PRIu64 " is paid although standing order %" PRIu64
                      " had been cancelled",
                      number, r->order);
    }
}

/* A request of an order ends: the one that asked for it opens it, or it never will be. */
void audit__standing_end(struct audit *a, uint64_t number, const struct audit_request *r,
                         uint8_t outcome)
{
    bool is_order = r->kind == REQUEST_STANDING_ORDER;
    bool opened = is_order && r->order != 0 && a->frame.standing_opened == r->order;
    bool named = is_order || r->kind == REQUEST_STANDING_PAYMENT;
    if (named != (r->order != 0) || (is_order && opened != (outcome == REQUEST_DONE))) {
        audit__breach(a, PROOF_PAYMENTS,
                      "request %" PRIu64 " ends as %u, which does not fit its standing order",
                      number, outcome);
    }
    if (opened) {
        a->frame.standing_opened = 0;
    }
    if (r->kind == REQUEST_STANDING_PAYMENT && outcome == REQUEST_DONE) {
        check_allowed(a, number, r);
    }
}
