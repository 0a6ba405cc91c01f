/*
 * test_operator_standing.c - standing orders: the dates, the PIN that allows them, payments on
 * their dates and never twice, too little money, the end. Every world is proved at its end
 * (tests/support/world.c): replayed, saved and loaded, its invariants checked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "support/world.h"

#define KES(shillings) ((int64_t)(shillings)*100)
#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define HOUR           (3600 * WORLD_S)
#define DAY            (24 * HOUR)

static uint32_t day_of(int32_t year, uint32_t month, uint32_t day)
{
    const struct civil c = {.year = year, .month = month, .day = day};
    return civil_to_day(&c);
}

/* ---- dates ---- */

static void dates_follow_the_calendar(void **state)
{
    (void)state;
    static const struct {
        uint8_t frequency;
        uint32_t nth;
        int32_t year;
        uint32_t month, day;
    } rows[] = {
        {STANDING_ONCE, 0, 2027, 12, 31},        {STANDING_DAILY, 1, 2028, 1, 1},
        {STANDING_WEEKLY, 2, 2028, 1, 14},       {STANDING_MONTHLY, 1, 2028, 1, 31},
        {STANDING_MONTHLY, 2, 2028, 2, 29}, /* a leap year */
        {STANDING_MONTHLY, 3, 2028, 3, 31}, /* and the 31st again */
        {STANDING_MONTHLY, 4, 2028, 4, 30},      {STANDING_BI_MONTHLY, 1, 2028, 2, 29},
        {STANDING_QUARTERLY, 2, 2028, 6, 30},    {STANDING_HALF_YEARLY, 1, 2028, 6, 30},
        {STANDING_HALF_YEARLY, 2, 2028, 12, 31}, {STANDING_YEARLY, 3, 2030, 12, 31},
    };
    struct standing_terms terms = {.start_day = day_of(2027, 12, 31),
                                   .end_day = day_of(2040, 1, 1)};
    uint32_t day;
    for (size_t i = 0; i < COUNT(rows); i++) {
        terms.frequency = rows[i].frequency;
        assert_true(standing_day(&terms, rows[i].nth, &day));
        assert_int_equal(day, day_of(rows[i].year, rows[i].month, rows[i].day));
    }
    terms.frequency = STANDING_ONCE;
    assert_false(standing_day(&terms, 1, &day));
    terms.frequency = STANDING_MONTHLY;
    terms.end_day = day_of(2028, 2, 28);
    assert_true(standing_day(&terms, 1, &day));
    assert_false(standing_day(&terms, 2, &day)); /* the 29th is a day too late */
    assert_false(standing_day(&terms, UINT32_MAX, &day));
    terms.end_day = day_of(2100, 12, 31);
    assert_true(standing_terms_good(&terms));
    assert_true(standing_day(&terms, 73 * 12, &day));
    assert_false(standing_day(&terms, 73 * 12 + 1, &day)); /* in 2101 */
    terms.end_day++;
    assert_false(standing_terms_good(&terms));
}

static void names_are_told(void **state)
{
    (void)state;
    assert_string_equal(standing_frequency_name(STANDING_HALF_YEARLY), "half_yearly");
    assert_string_equal(standing_state_name(STANDING_FINISHED), "finished");
}

/* ---- an order ---- */

/* The world begins on 2026-01-31, a Saturday, at 09:30 in Kenya. */
static struct request_command wants(uint64_t msisdn, uint8_t frequency, uint32_t last)
{
    struct request_command c;
    memset(&c, 0, sizeof(c));
    c.kind = REQUEST_STANDING_ORDER;
    c.command = C2B_PAY_BILL;
    c.without_initiator = true;
    c.short_code = WORLD_PAYBILL;
    c.party = msisdn;
    c.party_type = PARTY_MSISDN;
    c.amount_minor = KES(500);
    c.reference = SPAN_LITERAL("LOAN-7");
    c.remarks = SPAN_LITERAL("Bike");
    c.result_url = SPAN_LITERAL("https://shop.example/ratiba");
    c.target = 9;
    c.terms = (struct standing_terms){day_of(2026, 2, 1), day_of(2026, 2, last), frequency};
    return c;
}

static enum operator_refusal answer(struct world *w, uint16_t kind, uint64_t number, uint32_t pin)
{
    struct stk_answer_command c = {.number = number};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    world_verifier(world_request(w, number)->party, pin, c.verifier);
    (void)world_do(w, kind, &c, &reply);
    return reply.refusal;
}

static const struct standing_order *order(const struct world *w, uint64_t number)
{
    const struct standing_order *found = operator_standing_order(world_operator(w), number);
    assert_non_null(found);
    return found;
}

/* Asks and allows it; the number of the order. */
static uint64_t allowed(struct world *w, const struct request_command *c)
{
    uint64_t number = world_ask(w, c);
    assert_int_equal(world_request(w, number)->state, STK_PROCESSING);
    assert_int_equal(answer(w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_request(w, number)->outcome, REQUEST_DONE);
    return world_operator(w)->last_standing;
}

static uint32_t messages(const struct world *w, uint64_t request)
{
    uint32_t count = 0;
    for (uint64_t i = 1; outbox_item(&w->book->outbox, i) != NULL; i++) {
        const struct outbox_item *item = outbox_item(&w->book->outbox, i);
        count += item->kind == MESSAGE_RESULT && item->subject == request;
    }
    return count;
}

static void pays_on_its_dates(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = wants(WORLD_ANNA, STANDING_DAILY, 5);
    int64_t before_minor = world_balance(&w, WORLD_ANNA);
    uint64_t number = allowed(&w, &c);
    const struct operator_request *asked = world_request(&w, order(&w, number)->request);
    assert_false(asked->has_receipt); /* nothing moved */
    assert_int_not_equal(asked->receipt_day, 0);
    assert_int_equal(messages(&w, asked->number), 1);
    assert_int_equal(order(&w, number)->state, STANDING_ACTIVE);
    assert_int_equal(order(&w, number)->due_ns, standing_day_ns(day_of(2026, 2, 1)));
    world_pass(&w, 20 * HOUR); /* 05:30 on the first date */
    assert_int_equal(world_balance(&w, WORLD_ANNA), before_minor);
    world_pass(&w, HOUR);
    assert_int_equal(world_balance(&w, WORLD_ANNA), before_minor - KES(500));
    world_restart(&w);
    world_pass(&w, 3 * DAY);
    assert_int_equal(world_balance(&w, WORLD_ANNA), before_minor - KES(2000));
    assert_int_equal(order(&w, number)->runs, 4);
    world_pass(&w, 40 * DAY);
    const struct standing_order *over = order(&w, number);
    assert_int_equal(world_balance(&w, WORLD_ANNA), before_minor - KES(2500));
    assert_int_equal(over->state, STANDING_FINISHED);
    assert_int_equal(over->runs, 5);
    assert_int_equal(over->paid, 5);
    assert_int_equal(over->closed_ns, standing_day_ns(day_of(2026, 2, 5)));
    const struct operator_request *last = world_request(&w, over->last_run);
    assert_int_equal(last->kind, REQUEST_STANDING_PAYMENT);
    assert_true(last->has_receipt);
    assert_int_equal(last->original, request_original_request(over->request));
    assert_int_equal(messages(&w, last->number), 1);
    world_end(&w);
}

/* What keeps an order from being: the end of its request, and the code that is told. */
static void refused(struct world *w, const struct request_command *c, enum request_outcome outcome,
                    const char *code)
{
    uint64_t number = world_ask(w, c);
    world_pass(w, 61 * WORLD_S);
    const struct operator_request *r = world_request(w, number);
    assert_int_equal(r->outcome, outcome);
    assert_string_equal(request_outcome_code(outcome), code);
    assert_int_equal(messages(w, number), 1);
    assert_int_equal(order(w, world_operator(w)->last_standing)->state, STANDING_REFUSED);
}

static void refusals(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = wants(WORLD_ANNA, STANDING_MONTHLY, 28);
    refused(&w, &c, REQUEST_NO_ANSWER, "1037");
    assert_int_equal(world_reachable(&w, WORLD_ANNA, false), OPERATOR_DONE);
    refused(&w, &c, REQUEST_UNREACHABLE, "1037");
    assert_int_equal(world_reachable(&w, WORLD_ANNA, true), OPERATOR_DONE);
    (void)world_push(&w, WORLD_ANNA, KES(1)); /* has the phone for a minute */
    refused(&w, &c, REQUEST_PHONE_BUSY, "1001");
    c.command = C2B_BUY_GOODS; /* of a paybill */
    refused(&w, &c, REQUEST_PRODUCT, "2028");
    c.command = C2B_PAY_BILL;
    c.short_code = 123456;
    refused(&w, &c, REQUEST_PARTY_UNKNOWN, "SFC_IC0003");
    c.short_code = WORLD_PAYBILL;
    c.party = WORLD_STRANGER;
    refused(&w, &c, REQUEST_PARTY_UNKNOWN, "SFC_IC0003");
    c.party = WORLD_ANNA;
    c.amount_minor = KES(250001);
    refused(&w, &c, REQUEST_ABOVE_MAXIMUM, "3");
    c.amount_minor = KES(10);
    struct subscriber_change_command suspend = {
        .msisdn = WORLD_ANNA, .fields = CHANGE_STATUS, .status = SUBSCRIBER_SUSPENDED};
    assert_int_equal(world_change(&w, &suspend), OPERATOR_DONE);
    refused(&w, &c, REQUEST_ACCOUNT_STATUS, "2006");
    world_end(&w);
}

static void answers_on_the_phone(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = wants(WORLD_ANNA, STANDING_ONCE, 1);
    uint64_t number = world_ask(&w, &c);
    assert_int_equal(answer(&w, COMMAND_REQUEST_CANCEL, number, 0), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_USER_CANCELLED);
    assert_int_equal(world_request(&w, number)->state, STK_STATE_CANCELLED);
    number = world_ask(&w, &c);
    assert_int_equal(answer(&w, COMMAND_REQUEST_APPROVE, number, 1111), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_WRONG_PIN);
    assert_int_equal(operator_subscriber(world_operator(&w), WORLD_ANNA)->pin_failures, 1);
    assert_int_equal(answer(&w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN),
                     OPERATOR_ALREADY_ENDED);
    uint64_t opened = allowed(&w, &c);
    /* The customer has one of this name now; under another one it is let through. */
    refused(&w, &c, REQUEST_NAME_TAKEN, "15");
    c.remarks = SPAN_LITERAL("Bike 2");
    (void)allowed(&w, &c);
    c.party = WORLD_BEN;
    c.remarks = SPAN_LITERAL("Bike");
    (void)allowed(&w, &c);
    c.party = WORLD_ROBOT; /* gives its PIN by itself */
    number = world_ask(&w, &c);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_DONE);
    world_pass(&w, 2 * DAY);
    assert_int_equal(order(&w, opened)->state, STANDING_FINISHED);
    c.party = WORLD_ANNA; /* it is over: its name is free */
    c.terms.start_day = day_of(2026, 2, 3);
    c.terms.end_day = day_of(2026, 2, 3);
    (void)allowed(&w, &c);
    world_end(&w);
}

/* ---- money ---- */

static void tries_again_for_money(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = wants(WORLD_ANNA, STANDING_WEEKLY, 28);
    uint64_t number = allowed(&w, &c);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, -world_balance(&w, WORLD_ANNA)), OPERATOR_DONE);
    world_pass(&w, 21 * HOUR); /* 06:30 */
    uint64_t run = order(&w, number)->last_run;
    assert_int_equal(world_request(&w, run)->state, STK_PENDING);
    assert_true(world_request(&w, run)->held);
    assert_int_equal(world_request(&w, run)->due_ns,
                     standing_day_ns(day_of(2026, 2, 1)) + 4 * HOUR);
    world_restart(&w);
    world_pass(&w, 4 * HOUR); /* 10:30: tried in vain */
    assert_int_equal(world_adjust(&w, WORLD_ANNA, KES(700)), OPERATOR_DONE);
    assert_int_equal(world_request(&w, run)->state, STK_PENDING);
    world_pass(&w, 4 * HOUR); /* 14:30 */
    assert_int_equal(world_request(&w, run)->outcome, REQUEST_DONE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), KES(200));
    assert_int_equal(messages(&w, run), 1); /* the tries in between are nobody's matter */
    world_pass(&w, 7 * DAY);                /* the next date, with too little all day */
    run = order(&w, number)->last_run;
    assert_int_equal(world_request(&w, run)->outcome, REQUEST_NO_MONEY);
    assert_int_equal(world_request(&w, run)->step_ns[REQUEST_ENDED],
                     standing_day_ns(day_of(2026, 2, 8)) + 8 * HOUR);
    assert_int_equal(messages(&w, run), 1);
    assert_int_equal(order(&w, number)->state, STANDING_ACTIVE);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, KES(10000)), OPERATOR_DONE);
    world_pass(&w, 7 * DAY);
    assert_int_equal(order(&w, number)->runs, 3);
    assert_int_equal(order(&w, number)->paid, 2);
    world_end(&w);
}

static void limits_and_states_hold_on_the_date(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = wants(WORLD_ANNA, STANDING_DAILY, 9);
    c.amount_minor = KES(250000);
    uint64_t number = allowed(&w, &c);
    c.remarks = SPAN_LITERAL("two");
    (void)allowed(&w, &c);
    c.remarks = SPAN_LITERAL("three");
    (void)allowed(&w, &c);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, KES(2000000)), OPERATOR_DONE);
    world_pass(&w, DAY);
    /* Half a million a day is the limit: the third of them is refused, and not tried again. */
    assert_int_equal(world_request(&w, order(&w, number)->last_run)->outcome, REQUEST_DONE);
    assert_int_equal(world_request(&w, order(&w, 3)->last_run)->outcome, REQUEST_DAY_LIMIT);
    struct organisation_change_command stop = {.short_code = WORLD_PAYBILL,
                                               .fields = ORGANISATION_CHANGE_ACTIVE};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(&w, COMMAND_ORGANISATION_CHANGE, &stop, &reply);
    world_pass(&w, DAY);
    assert_int_equal(world_request(&w, order(&w, number)->last_run)->outcome,
                     REQUEST_ORGANISATION_INACTIVE);
    world_end(&w);
}

static enum operator_refusal cancel(struct world *w, uint64_t number)
{
    struct standing_cancel_command c = {number};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_STANDING_CANCEL, &c, &reply);
    return reply.refusal;
}

static void a_customer_cancels(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = wants(WORLD_BEN, STANDING_DAILY, 20);
    uint64_t number = allowed(&w, &c);
    world_pass(&w, 2 * DAY);
    int64_t money = world_balance(&w, WORLD_BEN);
    assert_int_equal(cancel(&w, number), OPERATOR_DONE);
    assert_int_equal(cancel(&w, number), OPERATOR_ALREADY_ENDED);
    assert_int_equal(cancel(&w, 77), OPERATOR_NOT_FOUND);
    world_restart(&w);
    world_pass(&w, 9 * DAY);
    assert_int_equal(world_balance(&w, WORLD_BEN), money);
    assert_int_equal(order(&w, number)->state, STANDING_CANCELLED);
    assert_int_equal(order(&w, number)->due_ns, 0);
    assert_int_equal(order(&w, number)->runs, 2);
    world_end(&w);
}

/* A payment that waits is not taken from one who wants no more (event 156). */
static void what_waits_is_not_paid_after_a_cancel(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = wants(WORLD_ANNA, STANDING_DAILY, 1);
    uint64_t last = allowed(&w, &c); /* its only date: FINISHED while it waits */
    c = wants(WORLD_ANNA, STANDING_DAILY, 20);
    c.remarks = SPAN_LITERAL("Car");
    uint64_t number = allowed(&w, &c);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, -world_balance(&w, WORLD_ANNA)), OPERATOR_DONE);
    world_pass(&w, 21 * HOUR); /* 06:30 */
    uint64_t run = order(&w, number)->last_run;
    assert_true(world_request(&w, run)->held);
    assert_int_equal(cancel(&w, number), OPERATOR_DONE);
    world_restart(&w);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, KES(5000)), OPERATOR_DONE);
    world_pass(&w, 4 * HOUR); /* 10:30 */
    assert_int_equal(world_request(&w, run)->outcome, REQUEST_ACCOUNT_STATUS);
    assert_int_equal(world_request(&w, order(&w, last)->last_run)->outcome, REQUEST_DONE);
    assert_int_equal(order(&w, number)->paid, 0);
    assert_int_equal(messages(&w, run), 1);
    assert_int_equal(world_balance(&w, WORLD_ANNA), KES(4500));
    world_end(&w);
}

/* ---- the organisation ---- */

static void confirmed_pulled_and_reversed(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct c2b_register_command urls = {
        .short_code = WORLD_PAYBILL,
        .version = 2,
        .response_type = C2B_COMPLETED,
        .confirmation_url = SPAN_LITERAL("https://shop.example/confirmation"),
        .confirmation_target = 71,
        .validation_target = 71,
    };
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(&w, COMMAND_C2B_REGISTER, &urls, &reply);
    struct request_command c = wants(WORLD_ANNA, STANDING_DAILY, 1);
    int64_t before_minor = world_balance(&w, WORLD_ANNA);
    int64_t utility_minor = world_utility(&w, WORLD_PAYBILL);
    uint64_t number = allowed(&w, &c);
    world_pass(&w, DAY);
    const struct operator_request *run = world_request(&w, order(&w, number)->last_run);
    const struct income *income = operator_income(world_operator(&w), 1);
    assert_non_null(income);
    assert_int_equal(income->source, request_original_request(run->number));
    assert_int_equal(income->amount_minor, KES(500));
    assert_int_equal(income->balance_minor, utility_minor + KES(500));
    assert_int_equal(outbox_item(&w.book->outbox, income->confirmation)->kind,
                     MESSAGE_CONFIRMATION);
    assert_int_equal(income->confirmation, run->delivery + 1);
    char receipt[ID_RECEIPT_SIZE];
    request_transaction_id(run, receipt);
    struct request_command back = {.kind = REQUEST_REVERSAL,
                                   .command = ORIGINAL_BY_RECEIPT,
                                   .short_code = WORLD_PAYBILL,
                                   .credential_good = true,
                                   .amount_minor = KES(500),
                                   .reference = span_from(receipt)};
    uint64_t reversal = world_ask(&w, &back);
    assert_int_equal(world_request(&w, reversal)->outcome, REQUEST_DONE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), before_minor);
    assert_int_equal(world_request(&w, run->number)->reversal, reversal);
    world_end(&w);
}

/* An order that was asked for on the date itself, after six in the morning, pays at once; of one
 * that was down for days, each date is paid. */
static void dates_that_are_over_are_paid_at_once(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = wants(WORLD_ANNA, STANDING_DAILY, 3);
    c.terms.start_day = day_of(2026, 1, 31);
    int64_t before_minor = world_balance(&w, WORLD_ANNA);
    uint64_t number = allowed(&w, &c);
    (void)world_run(&w);
    assert_int_equal(order(&w, number)->paid, 1);
    w.now_ns += 10 * DAY; /* nobody was there */
    (void)world_run(&w);
    assert_int_equal(order(&w, number)->paid, 4);
    assert_int_equal(world_balance(&w, WORLD_ANNA), before_minor - KES(2000));
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_follow_the_calendar),
        cmocka_unit_test(names_are_told),
        cmocka_unit_test(pays_on_its_dates),
        cmocka_unit_test(refusals),
        cmocka_unit_test(answers_on_the_phone),
        cmocka_unit_test(tries_again_for_money),
        cmocka_unit_test(limits_and_states_hold_on_the_date),
        cmocka_unit_test(a_customer_cancels),
        cmocka_unit_test(what_waits_is_not_paid_after_a_cancel),
        cmocka_unit_test(confirmed_pulled_and_reversed),
        cmocka_unit_test(dates_that_are_over_are_paid_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
