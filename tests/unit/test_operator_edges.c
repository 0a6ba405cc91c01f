/*
 * test_operator_edges.c - the operator's rarer answers: parties that are not there, not active or
 * not wallets, requests about themselves or about others' transactions, phones that are off, what
 * is read of something that does not exist. Every world is proved at its end (support/world.c).
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
#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))

static struct request_command asks(uint8_t kind, uint32_t short_code)
{
    struct request_command c;
    memset(&c, 0, sizeof(c));
    c.kind = kind;
    c.command = 1;
    c.short_code = short_code;
    c.credential_good = true;
    c.result_url = SPAN_LITERAL("https://shop.example/result");
    c.target = 5;
    c.amount_minor = KES(50);
    return c;
}

static const struct operator_request *ask(struct world *w, const struct request_command *c)
{
    uint64_t number = world_ask(w, c);
    assert_int_not_equal(number, 0);
    return world_request(w, number);
}

static enum operator_refusal order(struct world *w, uint16_t kind, const void *body)
{
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    (void)world_do(w, kind, body, &reply);
    return reply.refusal;
}

static void switch_organisation(struct world *w, uint32_t short_code, bool active)
{
    struct organisation_change_command c = {
        .short_code = short_code, .fields = ORGANISATION_CHANGE_ACTIVE, .active = active};
    assert_int_equal(order(w, COMMAND_ORGANISATION_CHANGE, &c), OPERATOR_DONE);
}

static enum operator_refusal nominate(struct world *w, uint64_t msisdn)
{
    struct organisation_change_command c = {
        .short_code = WORLD_TILL, .fields = ORGANISATION_CHANGE_NOMINATED, .nominated = msisdn};
    return order(w, COMMAND_ORGANISATION_CHANGE, &c);
}

static void suspend(struct world *w, uint64_t msisdn, bool suspended)
{
    struct subscriber_change_command c = {.msisdn = msisdn,
                                          .fields = CHANGE_STATUS,
                                          .status =
                                              suspended ? SUBSCRIBER_SUSPENDED : SUBSCRIBER_ACTIVE};
    assert_int_equal(world_change(w, &c), OPERATOR_DONE);
}

/* Somebody who was asked to pay and has no wallet: the network knows the number, no more. */
static void see_stranger(struct world *w)
{
    uint64_t number = world_push(w, WORLD_STRANGER, KES(1));
    assert_int_equal(world_payment(w, number)->outcome, STK_PAYER_UNKNOWN);
}

static struct request_command customer_pays(uint64_t msisdn, uint32_t pin)
{
    struct request_command c = asks(REQUEST_C2B, WORLD_PAYBILL);
    c.command = C2B_PAY_BILL;
    c.party = msisdn;
    c.without_initiator = true;
    c.has_pin = pin != 0;
    world_verifier(msisdn, pin, c.verifier);
    return c;
}

static enum operator_refusal register_urls(struct world *w, const char *validation)
{
    struct c2b_register_command c = {
        .short_code = WORLD_PAYBILL,
        .version = 1,
        .response_type = C2B_COMPLETED,
        .confirmation_url = SPAN_LITERAL("https://shop.example/confirm"),
        .validation_url = span_from(validation),
        .confirmation_target = 71,
        .validation_target = 72,
    };
    return order(w, COMMAND_C2B_REGISTER, &c);
}

/* ---- organisations ---- */

static void organisations_that_cannot_be(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct organisation_command good = {.short_code = 700001,
                                        .type = ORGANISATION_PAYBILL,
                                        .charges = CHARGES_BUSINESS,
                                        .name = SPAN_LITERAL("Duka")};
    struct organisation_command c = good;
    c.charges = 0;
    assert_int_equal(order(&w, COMMAND_ORGANISATION_OPEN, &c), OPERATOR_LIMIT);
    c.charges = CHARGES_BUSINESS + 1;
    assert_int_equal(order(&w, COMMAND_ORGANISATION_OPEN, &c), OPERATOR_LIMIT);
    c = good;
    c.type = 0;
    assert_int_equal(order(&w, COMMAND_ORGANISATION_OPEN, &c), OPERATOR_LIMIT);
    c = good;
    c.utility_minor = INT64_MAX;
    c.working_minor = 1;
    assert_int_equal(order(&w, COMMAND_ORGANISATION_OPEN, &c), OPERATOR_LIMIT);
    c.working_minor = INT64_MAX;
    c.utility_minor = 0;
    assert_int_equal(order(&w, COMMAND_ORGANISATION_OPEN, &c), OPERATOR_LIMIT);
    assert_null(operator_organisation(world_operator(&w), 700001));
    assert_int_equal(order(&w, COMMAND_ORGANISATION_OPEN, &good), OPERATOR_DONE);
    assert_int_equal(order(&w, COMMAND_ORGANISATION_OPEN, &good), OPERATOR_EXISTS);
    world_end(&w);
}

/* A till's phone is a wallet: a number that was only seen is none. */
static void nominated_numbers_are_wallets(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(nominate(&w, WORLD_STRANGER), OPERATOR_NOT_FOUND);
    see_stranger(&w);
    assert_int_equal(nominate(&w, WORLD_STRANGER), OPERATOR_NOT_FOUND);
    assert_int_equal(nominate(&w, WORLD_BEN), OPERATOR_DONE);
    assert_int_equal(nominate(&w, 0), OPERATOR_DONE);
    const struct organisation *till = operator_organisation(world_operator(&w), WORLD_TILL);
    assert_int_equal(till->nominated, SLAB_NONE);
    world_end(&w);
}

/* ---- customers who pay by themselves ---- */

static void customers_who_are_not_customers(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    /* With a PIN of nobody, of somebody without a wallet, to a code that is not there. */
    struct request_command c = customer_pays(WORLD_STRANGER, WORLD_PIN);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARTY_UNKNOWN);
    see_stranger(&w);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARTY_UNKNOWN);
    c = customer_pays(WORLD_STRANGER, 0);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARTY_UNKNOWN);
    c = customer_pays(WORLD_ANNA, WORLD_PIN);
    c.short_code = 123456;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARTY_UNKNOWN);
    c = customer_pays(WORLD_ANNA, WORLD_PIN); /* right, and no try is written for it */
    uint64_t position = w.book->position;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_DONE);
    assert_int_equal(w.book->position, position + 2);
    assert_int_equal(operator_subscriber(world_operator(&w), WORLD_ANNA)->pin_failures, 0);
    switch_organisation(&w, WORLD_PAYBILL, false);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_ORGANISATION_INACTIVE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - KES(50));
    world_end(&w);
}

static void settings_of_codes_that_are_not_there(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct validation_set_command validation = {123456, true};
    assert_int_equal(order(&w, COMMAND_VALIDATION_SET, &validation), OPERATOR_NOT_FOUND);
    struct pull_register_command pull = {123456, WORLD_ANNA, SPAN_LITERAL("https://x/")};
    assert_int_equal(order(&w, COMMAND_PULL_REGISTER, &pull), OPERATOR_NOT_FOUND);
    assert_null(operator_income(world_operator(&w), 1));
    /* Validation without a URL to ask is no validation. */
    validation.short_code = WORLD_PAYBILL;
    assert_int_equal(order(&w, COMMAND_VALIDATION_SET, &validation), OPERATOR_DONE);
    struct request_command c = customer_pays(WORLD_ANNA, 0);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_DONE);
    assert_int_equal(register_urls(&w, ""), OPERATOR_DONE);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_DONE);
    assert_int_equal(register_urls(&w, "https://shop.example/ask"), OPERATOR_DONE);
    assert_int_equal(ask(&w, &c)->state, STK_PROCESSING);
    world_end(&w);
}

static enum book_outcome answered(struct world *w, uint64_t number, uint16_t status, uint8_t error)
{
    struct delivery_result_command c = {
        .number = number,
        .generation = w->book->generation,
        .status = status,
        .error = error,
        .duration_ms = 20,
        .retry_after_ms = -1,
        .answer = SPAN_LITERAL("{}"),
        .verdict = C2B_ACCEPTED,
    };
    enum book_outcome outcome = BOOK_DONE;
    (void)world_do(w, COMMAND_DELIVERY_RESULT, &c, &outcome);
    return outcome;
}

/* What has no status of success says nothing, whatever its body; the payment is decided once. */
static void answers_that_say_nothing(void **state)
{
    (void)state;
    static const struct {
        uint16_t status;
        uint8_t error;
    } rows[] = {{302, 0}, {0, DELIVERY_TIMEOUT}, {100, 0}, {200, DELIVERY_TIMEOUT}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        world_start(&w, true);
        assert_int_equal(register_urls(&w, "https://shop.example/ask"), OPERATOR_DONE);
        struct validation_set_command on = {WORLD_PAYBILL, true};
        assert_int_equal(order(&w, COMMAND_VALIDATION_SET, &on), OPERATOR_DONE);
        struct request_command c = customer_pays(WORLD_ANNA, 0);
        const struct operator_request *r = ask(&w, &c);
        uint64_t number = r->number;
        uint64_t question = r->question;
        assert_int_equal(world_take(&w), question);
        assert_int_equal(answered(&w, question, rows[i].status, rows[i].error), BOOK_DONE);
        r = world_request(&w, number);
        assert_int_equal(r->outcome, REQUEST_DONE); /* ResponseType is Completed */
        /* Sent again by hand, its answer comes too late to matter. */
        enum book_outcome outcome = BOOK_NOTHING;
        struct delivery_revive_command again = {question};
        assert_int_not_equal(world_do(&w, COMMAND_DELIVERY_REVIVE, &again, &outcome), 0);
        for (uint64_t taken = world_take(&w); taken != question; taken = world_take(&w)) {
            assert_int_not_equal(taken, 0);
        }
        assert_int_equal(answered(&w, question, 200, 0), BOOK_DONE);
        assert_int_equal(world_request(&w, number)->step_position[REQUEST_ENDED],
                         r->step_position[REQUEST_ENDED]);
        assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - KES(50));
        world_end(&w);
    }
}

/* An organisation that only pulls is told nothing, and its incomes are kept all the same. */
static void incomes_without_urls(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct pull_register_command pull = {WORLD_PAYBILL, WORLD_ANNA, SPAN_LITERAL("https://x/")};
    assert_int_equal(order(&w, COMMAND_PULL_REGISTER, &pull), OPERATOR_DONE);
    uint64_t number = world_push(&w, WORLD_ANNA, KES(30));
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    const struct income *income = operator_income(world_operator(&w), 1);
    assert_non_null(income);
    assert_int_equal(income->confirmation, 0);
    assert_int_equal(income->url, TEXT_NONE);
    /* One that was told of stays, however old, and with it all that came after. */
    assert_int_equal(register_urls(&w, ""), OPERATOR_DONE);
    number = world_push(&w, WORLD_ANNA, KES(31));
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_not_equal(operator_income(world_operator(&w), 2)->confirmation, 0);
    world_pass(&w, (int64_t)(INCOME_AGE_MAX_S + 1) * WORLD_S);
    number = world_push(&w, WORLD_ANNA, KES(32));
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_null(operator_income(world_operator(&w), 1));
    assert_non_null(operator_income(world_operator(&w), 2));
    assert_non_null(operator_income(world_operator(&w), 3));
    world_end(&w);
}

/* ---- express checkout ---- */

static struct request_command express(uint64_t till)
{
    struct request_command c = asks(REQUEST_EXPRESS, WORLD_PAYBILL);
    c.without_initiator = true;
    c.party_type = PARTY_TILL;
    c.party = till;
    return c;
}

static enum operator_refusal approve(struct world *w, uint64_t number)
{
    struct stk_answer_command c = {.number = number};
    world_verifier(WORLD_BEN, WORLD_PIN, c.verifier);
    return order(w, COMMAND_REQUEST_APPROVE, &c);
}

static void express_checkouts_that_end_early(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(nominate(&w, WORLD_BEN), OPERATOR_DONE);
    struct request_command c = express((uint64_t)UINT32_MAX + 1 + WORLD_TILL);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARTY_UNKNOWN);
    c = express(WORLD_TILL);
    c.short_code = WORLD_BULK; /* only a paybill is paid like this */
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PRODUCT);
    c = express(WORLD_TILL);
    c.short_code = 123456;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARTY_UNKNOWN);
    c = express(WORLD_TILL);
    switch_organisation(&w, WORLD_TILL, false);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_ORGANISATION_INACTIVE);
    switch_organisation(&w, WORLD_TILL, true);
    /* Everything is looked at again after the PIN: the till, then the person. */
    uint64_t number = ask(&w, &c)->number;
    assert_int_equal(world_request(&w, number)->state, STK_PROCESSING);
    switch_organisation(&w, WORLD_TILL, false);
    assert_int_equal(approve(&w, number), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_ORGANISATION_INACTIVE);
    switch_organisation(&w, WORLD_TILL, true);
    number = ask(&w, &c)->number;
    suspend(&w, WORLD_BEN, true);
    assert_int_equal(approve(&w, number), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_ACCOUNT_STATUS);
    suspend(&w, WORLD_BEN, false);
    int64_t held = world_account(&w, WORLD_TILL, ACCOUNT_UTILITY);
    assert_int_equal(held, WORLD_MONEY * 10);
    world_end(&w);
}

/* Answers to what has no prompt: nothing of that number, another kind, its turn not yet, off. */
static void answers_to_what_does_not_ask(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(nominate(&w, WORLD_BEN), OPERATOR_DONE);
    assert_int_equal(approve(&w, 1), OPERATOR_NOT_FOUND);
    struct request_command c = asks(REQUEST_BALANCE, WORLD_PAYBILL);
    assert_int_equal(approve(&w, ask(&w, &c)->number), OPERATOR_NOT_FOUND);
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    c = express(WORLD_TILL);
    c.initiator = SPAN_LITERAL("testapi");
    assert_int_not_equal(world_do(&w, COMMAND_REQUEST, &c, &reply), 0); /* and does not run */
    uint64_t waiting = reply.number;
    assert_int_equal(approve(&w, waiting), OPERATOR_NOT_FOUND);
    assert_int_not_equal(world_do(&w, COMMAND_REQUEST, &c, &reply), 0); /* two in the pipeline */
    assert_int_equal(world_operator(&w)->requests_queued, 2);
    world_restart(&w);
    (void)world_run(&w);
    assert_int_equal(world_request(&w, reply.number)->outcome, REQUEST_USSD_SESSION);
    const struct operator_state *o = world_operator(&w);
    const struct subscriber *ben = operator_subscriber(o, WORLD_BEN);
    assert_int_equal(operator_request_prompt(o, ben)->number, waiting);
    assert_null(operator_request_prompt(o, operator_subscriber(o, WORLD_ANNA)));
    w.now_ns = world_request(&w, waiting)->due_ns; /* its deadline is in this very moment */
    assert_int_equal(approve(&w, waiting), OPERATOR_ALREADY_ENDED);
    (void)world_run(&w);
    assert_int_equal(world_request(&w, waiting)->outcome, REQUEST_USSD_SESSION);
    assert_int_equal(world_reachable(&w, WORLD_BEN, false), OPERATOR_DONE);
    waiting = ask(&w, &c)->number;
    assert_null(operator_request_prompt(world_operator(&w), ben));
    assert_int_equal(approve(&w, waiting), OPERATOR_NOT_FOUND);
    world_end(&w);
}

/* Prompts of payments and of requests end in the order of their deadlines. */
static void deadlines_of_both_kinds(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(nominate(&w, WORLD_BEN), OPERATOR_DONE);
    struct request_command c = express(WORLD_TILL);
    for (uint32_t round = 0; round < 2; round++) {
        uint64_t request = 0;
        uint64_t payment = 0;
        for (uint32_t i = 0; i < 2; i++) {
            if (i == round) {
                request = ask(&w, &c)->number;
            } else {
                payment = world_push(&w, WORLD_ANNA, KES(3));
            }
            world_pass(&w, WORLD_S);
        }
        world_pass(&w, w.settings.prompt_ns - 2 * WORLD_S);
        assert_int_equal(world_request(&w, request)->outcome,
                         round == 0 ? REQUEST_USSD_SESSION : REQUEST_OPEN);
        assert_int_equal(world_payment(&w, payment)->outcome,
                         round == 0 ? STK_OPEN : STK_NO_ANSWER);
        world_pass(&w, WORLD_S);
        assert_int_equal(world_request(&w, request)->outcome, REQUEST_USSD_SESSION);
        assert_int_equal(world_payment(&w, payment)->outcome, STK_NO_ANSWER);
    }
    world_end(&w);
}

/* ---- transactions looked up and given back ---- */

static const struct operator_request *status_of(struct world *w, uint32_t short_code,
                                                uint8_t naming, struct span id)
{
    struct request_command c = asks(REQUEST_STATUS, short_code);
    c.command = naming;
    c.reference = id;
    return ask(w, &c);
}

static void status_of_what_is_ones_own(void **state)
{
    (void)state;
    struct world w;
    char id[ID_TEXT_SIZE];
    world_start(&w, true);
    /* A till that is paid through its head office: both may ask, others may not. */
    struct world_order at_till = {.msisdn = WORLD_ANNA,
                                  .short_code = WORLD_OTHER_PAYBILL,
                                  .party_b = WORLD_TILL,
                                  .type = 2,
                                  .amount_minor = KES(9)};
    uint64_t number = world_order(&w, &at_till).number;
    (void)world_run(&w);
    payment_merchant_request_id(world_payment(&w, number), id);
    struct span named = span_from(id);
    static const uint32_t theirs[] = {WORLD_OTHER_PAYBILL, WORLD_TILL};
    for (size_t i = 0; i < COUNT(theirs); i++) {
        assert_int_equal(status_of(&w, theirs[i], ORIGINAL_BY_CONVERSATION, named)->original,
                         request_original_payment(number));
    }
    assert_int_equal(status_of(&w, WORLD_BULK, ORIGINAL_BY_CONVERSATION, named)->outcome,
                     REQUEST_ORIGINAL_INVALID);
    /* The counter at its end says which payment; the rest must be that payment's, too. */
    struct span unknown = SPAN_LITERAL("f1e2-4b95-a71d-b30d3cdbb7a7999");
    assert_int_equal(status_of(&w, WORLD_TILL, ORIGINAL_BY_CONVERSATION, unknown)->outcome,
                     REQUEST_ORIGINAL_INVALID);
    /* A till that was paid by an organisation may ask for that. */
    struct request_command c = asks(REQUEST_B2B, WORLD_PAYBILL);
    c.command = B2B_BUY_GOODS;
    c.party = WORLD_TILL;
    c.party_type = PARTY_TILL;
    uint64_t bought = ask(&w, &c)->number;
    request_transaction_id(world_request(&w, bought), id);
    const struct operator_request *r =
        status_of(&w, WORLD_TILL, ORIGINAL_BY_RECEIPT, span_from(id));
    assert_int_equal(r->original, request_original_request(bought));
    assert_ptr_equal(request_original(world_operator(&w), r), world_request(&w, bought));
    assert_null(request_original_stk(world_operator(&w), r));
    assert_int_equal(status_of(&w, WORLD_BULK, ORIGINAL_BY_RECEIPT, span_from(id))->outcome,
                     REQUEST_ORIGINAL_INVALID);
    /* A request cannot be about itself. */
    c = asks(REQUEST_STATUS, WORLD_PAYBILL);
    c.command = ORIGINAL_BY_CONVERSATION;
    c.conversation = SPAN_LITERAL("MY-OWN");
    c.reference = SPAN_LITERAL("MY-OWN");
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_ORIGINAL_INVALID);
    world_end(&w);
}

static void a_customers_payment_is_given_back(void **state)
{
    (void)state;
    struct world w;
    char id[ID_TEXT_SIZE];
    world_start(&w, true);
    struct request_command c = customer_pays(WORLD_ANNA, 0);
    uint64_t paid = ask(&w, &c)->number;
    request_transaction_id(world_request(&w, paid), id);
    c = asks(REQUEST_REVERSAL, WORLD_PAYBILL);
    c.reference = span_from(id);
    c.amount_minor = KES(49);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARAMETERS);
    c.amount_minor = KES(50);
    uint64_t reversal = ask(&w, &c)->number;
    assert_int_equal(world_request(&w, reversal)->outcome, REQUEST_DONE);
    assert_int_equal(world_request(&w, paid)->reversal, reversal);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    world_restart(&w);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_ALREADY_REVERSED);
    /* The head office asked for the payment, but the till was paid: only the till gives it back. */
    struct world_order at_till = {.msisdn = WORLD_ANNA,
                                  .short_code = WORLD_OTHER_PAYBILL,
                                  .party_b = WORLD_TILL,
                                  .type = 2,
                                  .amount_minor = KES(9)};
    uint64_t number = world_order(&w, &at_till).number;
    (void)world_run(&w);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    payment_receipt(world_payment(&w, number), id);
    c = asks(REQUEST_REVERSAL, WORLD_OTHER_PAYBILL);
    c.reference = span_from(id);
    c.amount_minor = KES(9);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_ORIGINAL_INVALID);
    c.short_code = WORLD_TILL;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_DONE);
    world_end(&w);
}

static void settlement_of_those_who_may_not(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = asks(REQUEST_SETTLEMENT, 123456);
    c.without_initiator = true;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARTY_UNKNOWN);
    switch_organisation(&w, WORLD_PAYBILL, false);
    c.short_code = WORLD_PAYBILL;
    const struct operator_request *r = ask(&w, &c);
    assert_int_equal(r->outcome, REQUEST_ORGANISATION_INACTIVE);
    assert_int_equal(request_debit_account(r), ACCOUNT_UTILITY);
    c = asks(REQUEST_TAX, WORLD_PAYBILL);
    assert_int_equal(request_debit_account(ask(&w, &c)), ACCOUNT_WORKING);
    world_end(&w);
}

/* ---- payments by push ---- */

static void a_payee_that_stops(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = world_push(&w, WORLD_ANNA, KES(5));
    switch_organisation(&w, WORLD_PAYBILL, false);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_payment(&w, number)->outcome, STK_PAYEE_INACTIVE);
    number = world_push(&w, WORLD_ANNA, KES(6));
    assert_int_equal(world_payment(&w, number)->outcome, STK_PAYEE_INACTIVE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    world_end(&w);
}

/* A rule that orders a failure prompts even a phone without a wallet; its PIN is nobody's. And a
 * locked PIN is said at the order, too. */
static void ordered_prompts_and_pins(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    world_rules(&w, "{\"rules\":[{\"name\":\"r\",\"then\":{\"outcome\":{\"code\":\"17\","
                    "\"delay_ms\":20000}}}]}");
    uint64_t number = world_push(&w, WORLD_STRANGER, KES(7));
    assert_int_equal(world_payment(&w, number)->state, STK_PROCESSING);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_payment(&w, number)->outcome, STK_PAYER_UNKNOWN);
    suspend(&w, WORLD_BEN, true);
    number = world_push(&w, WORLD_BEN, KES(7));
    assert_int_equal(world_payment(&w, number)->state, STK_PROCESSING); /* it fails as ordered */
    world_pass(&w, 20 * WORLD_S);
    assert_int_equal(world_payment(&w, number)->outcome, STK_RULED);
    char code[RULE_CODE_MAX + 1];
    payment_result_code(world_operator(&w), world_payment(&w, number), code);
    assert_string_equal(code, "17");
    world_end(&w);
}

/* ---- reading what is not there ---- */

static void reading_what_is_not_there(void **state)
{
    (void)state;
    struct world w;
    char id[ID_TEXT_SIZE];
    char receipt[ID_RECEIPT_SIZE];
    world_start(&w, true);
    const struct operator_state *o = world_operator(&w);
    assert_null(operator_payment_at(o, 0));
    assert_null(operator_payment_by_checkout(o, SPAN_LITERAL("ws_CO_310120260930001234567890")));
    assert_null(operator_payment_by_checkout(o, SPAN_LITERAL("ws_CO_")));
    assert_null(operator_payment_by_receipt(o, SPAN_LITERAL("TK60708BHZ")));
    assert_null(operator_request_by_receipt(o, SPAN_LITERAL("nonsense")));
    uint64_t number = world_push(&w, WORLD_ANNA, KES(5));
    assert_ptr_equal(operator_payment_at(o, 0), world_payment(&w, number));
    payment_checkout_id(o, world_payment(&w, number), id);
    assert_ptr_equal(operator_payment_by_checkout(o, span_from(id)), world_payment(&w, number));
    /* Of a request that has not moved money: the day of its end, or of its beginning, and zeros. */
    struct request_command c = asks(REQUEST_BALANCE, WORLD_PAYBILL);
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    c.initiator = SPAN_LITERAL("testapi");
    assert_int_not_equal(world_do(&w, COMMAND_REQUEST, &c, &reply), 0);
    request_transaction_id(world_request(&w, reply.number), id);
    assert_string_equal(request_outcome_words(world_request(&w, reply.number)->outcome),
                        "not decided yet");
    (void)world_run(&w);
    request_transaction_id(world_request(&w, reply.number), receipt);
    assert_string_equal(id, receipt);
    assert_string_equal(request_outcome_words(world_request(&w, reply.number)->outcome), "done");
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(organisations_that_cannot_be),
        cmocka_unit_test(nominated_numbers_are_wallets),
        cmocka_unit_test(customers_who_are_not_customers),
        cmocka_unit_test(settings_of_codes_that_are_not_there),
        cmocka_unit_test(answers_that_say_nothing),
        cmocka_unit_test(incomes_without_urls),
        cmocka_unit_test(express_checkouts_that_end_early),
        cmocka_unit_test(answers_to_what_does_not_ask),
        cmocka_unit_test(deadlines_of_both_kinds),
        cmocka_unit_test(status_of_what_is_ones_own),
        cmocka_unit_test(a_customers_payment_is_given_back),
        cmocka_unit_test(settlement_of_those_who_may_not),
        cmocka_unit_test(a_payee_that_stops),
        cmocka_unit_test(ordered_prompts_and_pins),
        cmocka_unit_test(reading_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
