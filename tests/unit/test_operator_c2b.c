/*
 * test_operator_c2b.c - payments that customers make by themselves, in the pure core: registration,
 * the question to the validation URL and all it can be answered with, confirmations, incomes.
 * Every world is proved at its end (tests/support/world.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/delivery_error.h"
#include "support/world.h"

#define KES(shillings) ((int64_t)(shillings)*100)

static enum operator_refusal registered(struct world *w, uint32_t short_code,
                                        const char *validation, uint8_t response_type, bool once)
{
    struct c2b_register_command c = {
        .short_code = short_code,
        .version = 2,
        .response_type = response_type,
        .once = once,
        .confirmation_url = span_from("https://shop.example/c2b/confirm"),
        .validation_url = span_from(validation),
        .confirmation_target = 71,
        .validation_target = 72,
    };
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    (void)world_do(w, COMMAND_C2B_REGISTER, &c, &reply);
    return reply.refusal;
}

static void validating(struct world *w, uint8_t response_type)
{
    struct validation_set_command c = {WORLD_PAYBILL, true};
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    assert_int_equal(registered(w, WORLD_PAYBILL, "https://shop.example/ask", response_type, false),
                     OPERATOR_DONE);
    (void)world_do(w, COMMAND_VALIDATION_SET, &c, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
}

struct payment {
    uint64_t msisdn;
    uint32_t short_code; /* 0: WORLD_PAYBILL */
    uint8_t type;        /* 0: pay bill */
    int64_t amount_minor;
    uint32_t pin; /* 0: none is asked */
};

static struct request_command payment_command(const struct payment *p)
{
    struct request_command c;
    memset(&c, 0, sizeof(c));
    c.kind = REQUEST_C2B;
    c.command = p->type == 0 ? C2B_PAY_BILL : p->type;
    c.short_code = p->short_code == 0 ? WORLD_PAYBILL : p->short_code;
    c.party = p->msisdn;
    c.amount_minor = p->amount_minor;
    c.reference = span_from("INV-7");
    c.without_initiator = true;
    c.has_pin = p->pin != 0;
    world_verifier(p->msisdn, p->pin, c.verifier);
    return c;
}

static uint64_t pay(struct world *w, const struct payment *p)
{
    struct request_command c = payment_command(p);
    return world_ask(w, &c);
}

/* What the receiver of the next message answers; the number of the item. */
static uint64_t answer(struct world *w, uint16_t status, uint8_t error, uint16_t verdict,
                       const char *text)
{
    uint64_t number = world_take(w);
    assert_int_not_equal(number, 0);
    struct delivery_result_command c = {
        .number = number,
        .generation = w->book->generation,
        .status = status,
        .error = error,
        .duration_ms = 20,
        .retry_after_ms = -1,
        .answer = span_from("{}"),
        .verdict = verdict,
        .verdict_text = span_from(text),
    };
    enum book_outcome outcome = BOOK_DONE;
    assert_int_not_equal(world_do(w, COMMAND_DELIVERY_RESULT, &c, &outcome), 0);
    return number;
}

static void a_payment_is_confirmed(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    int64_t utility = world_utility(&w, WORLD_PAYBILL);
    struct payment p = {.msisdn = WORLD_ANNA, .amount_minor = KES(250)};
    uint64_t silent = pay(&w, &p); /* nothing registered: it completes, and nobody is told */
    assert_int_equal(world_request(&w, silent)->outcome, REQUEST_DONE);
    assert_int_equal(world_request(&w, silent)->delivery, 0);
    assert_int_equal(world_operator(&w)->last_income, 0);
    assert_int_equal(registered(&w, WORLD_PAYBILL, "", C2B_COMPLETED, false), OPERATOR_DONE);
    uint64_t told = pay(&w, &p);
    const struct operator_request *r = world_request(&w, told);
    assert_int_equal(r->outcome, REQUEST_DONE);
    const struct outbox_item *item = outbox_item(&w.book->outbox, r->delivery);
    assert_non_null(item);
    assert_int_equal(item->kind, MESSAGE_RESULT);
    assert_int_equal(item->target, 71);
    assert_int_equal(r->after_minor[ACCOUNT_UTILITY], utility + KES(500));
    assert_int_equal(world_utility(&w, WORLD_PAYBILL), utility + KES(500));
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - KES(500));
    const struct income *income = operator_income(world_operator(&w), 1);
    assert_non_null(income);
    assert_int_equal(income->source, request_original_request(told));
    assert_int_equal(income->receipt, r->receipt);
    world_end(&w);
}

static void every_refusal_of_a_payment(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct subscriber_change_command suspend = {
        .msisdn = WORLD_BEN, .fields = CHANGE_STATUS, .status = SUBSCRIBER_SUSPENDED};
    assert_int_equal(world_change(&w, &suspend), OPERATOR_DONE);
    const struct {
        struct payment payment;
        enum request_outcome outcome;
    } rows[] = {
        {{.msisdn = WORLD_STRANGER, .amount_minor = KES(10)}, REQUEST_PARTY_UNKNOWN},
        {{.msisdn = WORLD_ANNA, .short_code = 123456, .amount_minor = KES(10)},
         REQUEST_PARTY_UNKNOWN},
        {{.msisdn = WORLD_BEN, .amount_minor = KES(10)}, REQUEST_ACCOUNT_STATUS},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .type = C2B_BUY_GOODS}, REQUEST_PRODUCT},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .short_code = WORLD_TILL},
         REQUEST_PRODUCT},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .short_code = WORLD_BULK},
         REQUEST_PRODUCT},
        {{.msisdn = WORLD_ANNA, .amount_minor = 99}, REQUEST_BELOW_MINIMUM},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(250001)}, REQUEST_ABOVE_MAXIMUM},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(200000)}, REQUEST_NO_MONEY},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .pin = 9999}, REQUEST_WRONG_PIN},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .pin = 9999}, REQUEST_WRONG_PIN},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .pin = WORLD_PIN}, REQUEST_DONE},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .pin = 9999}, REQUEST_WRONG_PIN},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .pin = 9999}, REQUEST_WRONG_PIN},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .pin = 9999}, REQUEST_WRONG_PIN},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(10), .pin = WORLD_PIN}, REQUEST_PIN_LOCKED},
        {{.msisdn = WORLD_ANNA,
          .amount_minor = KES(20),
          .type = C2B_BUY_GOODS,
          .short_code = WORLD_TILL},
         REQUEST_DONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t number = pay(&w, &rows[i].payment);
        assert_int_equal(world_request(&w, number)->outcome, rows[i].outcome);
    }
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - KES(30));
    world_end(&w);
}

/* Payments of Anna that come together, all before the first turn: a PIN each, 0 at the end. */
static void come_together(struct world *w, const uint32_t *pins, const enum request_outcome *ends)
{
    uint64_t first = world_operator(w)->last_request + 1;
    uint32_t count = 0;
    for (; pins[count] != 0; count++) {
        struct payment p = {.msisdn = WORLD_ANNA, .amount_minor = KES(10), .pin = pins[count]};
        struct request_command c = payment_command(&p);
        struct operator_reply reply = {OPERATOR_DONE, 0, 0};
        assert_int_not_equal(world_do(w, COMMAND_REQUEST, &c, &reply), 0);
    }
    world_restart(w);
    (void)world_run(w);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(world_request(w, first + i)->outcome, ends[i]);
    }
}

static uint8_t wrong_pins(const struct world *w)
{
    return operator_subscriber(world_operator(w), WORLD_ANNA)->pin_failures;
}

/* Tries that come together are as many as those that come one by one. */
static void pins_that_come_together(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    come_together(&w, (const uint32_t[]){9999, 9998, WORLD_PIN, 9997, 0},
                  (const enum request_outcome[]){REQUEST_WRONG_PIN, REQUEST_WRONG_PIN, REQUEST_DONE,
                                                 REQUEST_WRONG_PIN});
    assert_int_equal(wrong_pins(&w), 1); /* the right one forgave those before it */
    struct payment p = {.msisdn = WORLD_ANNA, .amount_minor = KES(10), .pin = 9999};
    assert_int_equal(world_request(&w, pay(&w, &p))->outcome, REQUEST_WRONG_PIN);
    /* One try is left: a right one behind a wrong one that is not counted yet forgives nothing. */
    come_together(
        &w, (const uint32_t[]){9996, WORLD_PIN, WORLD_PIN, 0},
        (const enum request_outcome[]){REQUEST_WRONG_PIN, REQUEST_PIN_LOCKED, REQUEST_PIN_LOCKED});
    assert_int_equal(wrong_pins(&w), 3);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - KES(10));
    p.pin = 0; /* Safaricom's own simulation asks for none */
    assert_int_equal(world_request(&w, pay(&w, &p))->outcome, REQUEST_DONE);
    world_end(&w);
    world_start(&w, true);
    come_together(&w, (const uint32_t[]){9999, 9998, 9997, WORLD_PIN, 0},
                  (const enum request_outcome[]){REQUEST_WRONG_PIN, REQUEST_WRONG_PIN,
                                                 REQUEST_WRONG_PIN, REQUEST_PIN_LOCKED});
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    world_end(&w);
}

/* What is sent unasked counts against the limit of the day, with what is sent by push. */
static void the_limit_of_the_day(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, KES(600000)), OPERATOR_DONE);
    struct payment p = {.msisdn = WORLD_ANNA, .amount_minor = KES(250000)};
    assert_int_equal(world_request(&w, pay(&w, &p))->outcome, REQUEST_DONE);
    uint64_t push = world_push(&w, WORLD_ANNA, KES(249999));
    assert_int_equal(world_approve(&w, push, WORLD_PIN), OPERATOR_DONE);
    p.amount_minor = KES(2);
    assert_int_equal(world_request(&w, pay(&w, &p))->outcome, REQUEST_DAY_LIMIT);
    p.amount_minor = KES(1);
    assert_int_equal(world_request(&w, pay(&w, &p))->outcome, REQUEST_DONE);
    world_end(&w);
}

/* Each answer of the validation URL, for both response types. */
static void what_the_validation_url_says(void **state)
{
    (void)state;
    static const struct {
        uint16_t status;
        uint8_t error;
        uint16_t verdict;
        enum request_outcome completed, cancelled;
    } rows[] = {
        {200, 0, C2B_ACCEPTED, REQUEST_DONE, REQUEST_DONE},
        {200, 0, C2B_REJECTED + 1, REQUEST_BAD_MSISDN, REQUEST_BAD_MSISDN},
        {200, 0, C2B_REJECTED + 2, REQUEST_BAD_ACCOUNT, REQUEST_BAD_ACCOUNT},
        {200, 0, C2B_REJECTED + 3, REQUEST_BAD_AMOUNT, REQUEST_BAD_AMOUNT},
        {200, 0, C2B_REJECTED + 4, REQUEST_BAD_KYC, REQUEST_BAD_KYC},
        {200, 0, C2B_REJECTED + 5, REQUEST_BAD_SHORT_CODE, REQUEST_BAD_SHORT_CODE},
        {200, 0, C2B_REJECTED + 6, REQUEST_REJECTED, REQUEST_REJECTED},
        {200, 0, C2B_UNINTELLIGIBLE, REQUEST_DONE, REQUEST_NOT_VALIDATED},
        {500, 0, C2B_ACCEPTED, REQUEST_DONE, REQUEST_NOT_VALIDATED},
        {0, DELIVERY_TIMEOUT, C2B_UNINTELLIGIBLE, REQUEST_DONE, REQUEST_NOT_VALIDATED},
        {0, DELIVERY_CONNECT, C2B_UNINTELLIGIBLE, REQUEST_DONE, REQUEST_NOT_VALIDATED},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        world_start(&w, true);
        bool completed = i % 2 == 0;
        validating(&w, completed ? C2B_COMPLETED : C2B_CANCELLED);
        struct payment p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100)};
        uint64_t number = pay(&w, &p);
        const struct operator_request *r = world_request(&w, number);
        assert_int_equal(r->state, STK_PROCESSING);
        assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY); /* nothing moved yet */
        char promised[ID_RECEIPT_SIZE];
        char given[ID_RECEIPT_SIZE];
        request_transaction_id(r, promised);
        uint64_t question =
            answer(&w, rows[i / 2].status, rows[i / 2].error, rows[i / 2].verdict, "");
        assert_int_equal(outbox_item(&w.book->outbox, question)->kind, MESSAGE_VALIDATION);
        assert_int_not_equal(outbox_item(&w.book->outbox, question)->state, OUTBOX_WAITING);
        r = world_request(&w, number);
        enum request_outcome expected = completed ? rows[i / 2].completed : rows[i / 2].cancelled;
        assert_int_equal(r->outcome, expected);
        assert_int_equal(r->delivery != 0, expected == REQUEST_DONE);
        request_transaction_id(r, given);
        assert_string_equal(promised, given);
        assert_int_equal(world_balance(&w, WORLD_ANNA),
                         WORLD_MONEY - (expected == REQUEST_DONE ? KES(100) : 0));
        world_end(&w);
    }
}

static void what_the_receiver_adds_is_kept(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    validating(&w, C2B_CANCELLED);
    struct payment p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100)};
    uint64_t number = pay(&w, &p);
    world_restart(&w);
    (void)answer(&w, 200, 0, C2B_ACCEPTED, "1234567890");
    world_restart(&w);
    struct span text = operator_text(world_operator(&w), world_request(&w, number)->answer);
    assert_true(span_is(text, "1234567890"));
    world_end(&w);
}

/* Everything is looked at again after the answer: money that is gone by then does not move. */
static void money_spent_while_the_question_is_open(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    validating(&w, C2B_COMPLETED);
    struct payment p = {.msisdn = WORLD_ANNA, .amount_minor = KES(90000)};
    uint64_t number = pay(&w, &p);
    struct payment other = {
        .msisdn = WORLD_ANNA, .amount_minor = KES(50000), .short_code = WORLD_OTHER_PAYBILL};
    uint64_t meanwhile = pay(&w, &other);
    assert_int_equal(world_request(&w, meanwhile)->outcome, REQUEST_DONE);
    (void)answer(&w, 200, 0, C2B_ACCEPTED, "");
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_NO_MONEY);
    char earlier[ID_RECEIPT_SIZE];
    char later[ID_RECEIPT_SIZE];
    request_transaction_id(world_request(&w, number), earlier);
    request_transaction_id(world_request(&w, meanwhile), later);
    assert_true(strcmp(earlier, later) < 0); /* the reserved one is nobody else's */
    world_end(&w);
}

/* A question that cannot even leave: its deadline decides, and it is not asked afterwards. */
static void a_question_that_never_left(void **state)
{
    (void)state;
    for (uint8_t type = C2B_COMPLETED; type <= C2B_CANCELLED; type++) {
        struct world w;
        world_start(&w, true);
        validating(&w, type);
        struct payment p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100)};
        uint64_t number = pay(&w, &p);
        uint64_t question = world_request(&w, number)->question;
        world_pass(&w, 9 * WORLD_S);
        assert_int_equal(world_request(&w, number)->state, STK_PROCESSING);
        world_pass(&w, 2 * WORLD_S);
        assert_int_equal(world_request(&w, number)->outcome,
                         type == C2B_COMPLETED ? REQUEST_DONE : REQUEST_NOT_VALIDATED);
        assert_int_equal(outbox_item(&w.book->outbox, question)->state, OUTBOX_DEAD);
        world_end(&w);
    }
}

/* S06: an STK payment to a short code with URLs is confirmed there, too, with the same receipt. */
static void an_stk_payment_is_confirmed_too(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    int64_t utility = world_utility(&w, WORLD_PAYBILL);
    assert_int_equal(registered(&w, WORLD_PAYBILL, "", C2B_COMPLETED, false), OPERATOR_DONE);
    uint64_t number = world_push(&w, WORLD_ANNA, KES(50));
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    world_restart(&w);
    const struct income *income = operator_income(world_operator(&w), 1);
    assert_non_null(income);
    assert_int_equal(income->source, request_original_payment(number));
    assert_int_equal(income->receipt, world_payment(&w, number)->receipt);
    assert_int_equal(income->balance_minor, utility + KES(50));
    const struct outbox_item *item = outbox_item(&w.book->outbox, income->confirmation);
    assert_non_null(item);
    assert_int_equal(item->kind, MESSAGE_CONFIRMATION);
    assert_int_equal(item->target, 71);
    number = world_push(&w, WORLD_ANNA, KES(51));
    assert_int_equal(world_cancel(&w, number), OPERATOR_DONE);
    assert_int_equal(world_operator(&w)->last_income, 1); /* a rejected one is not */
    world_end(&w);
}

static void urls_are_registered_once_or_again(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(registered(&w, 123456, "", C2B_COMPLETED, false), OPERATOR_NOT_FOUND);
    assert_int_equal(registered(&w, WORLD_TILL, "", C2B_COMPLETED, true), OPERATOR_DONE);
    assert_int_equal(registered(&w, WORLD_TILL, "", C2B_COMPLETED, true), OPERATOR_EXISTS);
    assert_int_equal(registered(&w, WORLD_TILL, "https://x.example/v", C2B_CANCELLED, false),
                     OPERATOR_DONE);
    const struct organisation *g = operator_organisation(world_operator(&w), WORLD_TILL);
    assert_int_equal(g->c2b.response_type, C2B_CANCELLED);
    assert_true(
        span_is(operator_text(world_operator(&w), g->c2b.validation_url), "https://x.example/v"));
    struct pull_register_command pull = {WORLD_TILL, WORLD_ANNA, SPAN_LITERAL("https://x/")};
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    (void)world_do(&w, COMMAND_PULL_REGISTER, &pull, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    (void)world_do(&w, COMMAND_PULL_REGISTER, &pull, &reply);
    assert_int_equal(reply.refusal, OPERATOR_EXISTS);
    world_end(&w);
}

/* Incomes that nobody was told of go when they are too old to be pulled. */
static void incomes_grow_old(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct pull_register_command pull = {WORLD_PAYBILL, WORLD_ANNA, SPAN_LITERAL("https://x/")};
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    (void)world_do(&w, COMMAND_PULL_REGISTER, &pull, &reply);
    struct payment p = {.msisdn = WORLD_ANNA, .amount_minor = KES(5)};
    for (uint32_t i = 0; i < 6; i++) {
        (void)pay(&w, &p);
    }
    assert_int_equal(world_operator(&w)->incomes.used, 6);
    world_pass(&w, 48 * 3600 * WORLD_S + WORLD_S);
    (void)pay(&w, &p);
    assert_int_equal(world_operator(&w)->incomes.used, 3); /* a few at a time */
    world_restart(&w);
    (void)pay(&w, &p);
    assert_int_equal(world_operator(&w)->incomes.used, 2);
    uint32_t slot = operator_organisation(world_operator(&w), WORLD_PAYBILL)->c2b.first_income;
    assert_int_equal(operator_income_next(world_operator(&w), &slot)->number, 7);
    assert_int_equal(operator_income_next(world_operator(&w), &slot)->number, 8);
    assert_null(operator_income_next(world_operator(&w), &slot));
    world_end(&w);
}

/* Those who were told of keep their incomes for ever: who pulls begins at the first that may be
 * listed, not at the first that there ever was. */
static void a_pull_begins_at_the_recent_ones(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    const struct organisation *g = operator_organisation(world_operator(&w), WORLD_PAYBILL);
    assert_int_equal(g->c2b.recent_income, SLAB_NONE);
    assert_int_equal(registered(&w, WORLD_PAYBILL, "", C2B_COMPLETED, false), OPERATOR_DONE);
    for (uint32_t day = 0; day < 6; day++) {
        for (uint32_t i = 0; i < 2; i++) {
            uint64_t number = world_push(&w, WORLD_ANNA, KES(5));
            assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
            world_pass(&w, 61 * WORLD_S);
        }
        /* Two a day: today's and yesterday's. */
        uint64_t first = day == 0 ? 1 : 2 * (day - 1) + 1;
        for (uint32_t start = 0; start < 2; start++) {
            const struct operator_state *o = world_operator(&w);
            uint32_t slot = operator_organisation(o, WORLD_PAYBILL)->c2b.recent_income;
            assert_int_equal(operator_income_next(o, &slot)->number, first);
            operator_check(o);
            world_restart(&w);
        }
        world_pass(&w, 24 * 3600 * WORLD_S);
    }
    assert_int_equal(world_operator(&w)->incomes.used, 12);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payment_is_confirmed),
        cmocka_unit_test(every_refusal_of_a_payment),
        cmocka_unit_test(pins_that_come_together),
        cmocka_unit_test(the_limit_of_the_day),
        cmocka_unit_test(what_the_validation_url_says),
        cmocka_unit_test(what_the_receiver_adds_is_kept),
        cmocka_unit_test(money_spent_while_the_question_is_open),
        cmocka_unit_test(a_question_that_never_left),
        cmocka_unit_test(an_stk_payment_is_confirmed_too),
        cmocka_unit_test(urls_are_registered_once_or_again),
        cmocka_unit_test(incomes_grow_old),
        cmocka_unit_test(a_pull_begins_at_the_recent_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
