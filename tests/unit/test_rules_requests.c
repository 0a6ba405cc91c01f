/*
 * test_rules_requests.c - scenario rules for requests in the book (R6.2): which call a request is,
 * what an order makes of its turn, its prompt, its end and its results, and that all of it survives
 * replay, save and load (every world proves that at its end).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "support/random.h"
#include "support/world.h"

#define KES(shillings)    ((int64_t)(shillings)*100)
#define COUNT(array)      (sizeof(array) / sizeof((array)[0]))
#define RULE(match, then) "{\"rules\":[{\"name\":\"r\",\"match\":" match ",\"then\":" then "}]}"

static struct request_command asks(uint8_t kind)
{
    struct request_command c;
    memset(&c, 0, sizeof(c));
    c.kind = kind;
    c.command = 1;
    c.short_code = WORLD_PAYBILL;
    c.credential_good = true;
    c.amount_minor = KES(100);
    c.reference = SPAN_LITERAL("INV-7");
    c.result_url = SPAN_LITERAL("https://shop.example/result");
    c.timeout_url = SPAN_LITERAL("https://shop.example/late");
    c.target = 5;
    c.timeout_target = 6;
    switch (kind) {
    case REQUEST_B2C:
    case REQUEST_POCHI:
    case REQUEST_C2B:
    case REQUEST_STANDING_ORDER:
        c.party = WORLD_ANNA;
        c.party_type = PARTY_MSISDN;
        break;
    case REQUEST_EXPRESS:
        c.party = WORLD_TILL;
        c.party_type = PARTY_TILL;
        break;
    default:
        c.party = kind == REQUEST_B2B ? WORLD_OTHER_PAYBILL : 0;
        c.party_type = kind == REQUEST_B2B ? PARTY_SHORT_CODE : PARTY_NONE;
        break;
    }
    c.without_initiator =
        kind == REQUEST_C2B || kind == REQUEST_EXPRESS || kind == REQUEST_STANDING_ORDER;
    if (kind == REQUEST_EXPRESS || kind == REQUEST_STANDING_ORDER) {
        c.timeout_url = SPAN_EMPTY;
    }
    c.remarks = SPAN_LITERAL("name");
    c.terms = (struct standing_terms){20485, 20490, STANDING_DAILY}; /* 2026-02-01 */
    return c;
}

/* The world with a till whose nominated phone is Anna's. */
static void start(struct world *w)
{
    world_start(w, true);
    struct organisation_change_command c = {
        .short_code = WORLD_TILL, .fields = ORGANISATION_CHANGE_NOMINATED, .nominated = WORLD_ANNA};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_ORGANISATION_CHANGE, &c, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
}

static const struct operator_request *ask(struct world *w, uint8_t kind)
{
    struct request_command c = asks(kind);
    uint64_t number = world_ask(w, &c);
    assert_int_not_equal(number, 0);
    return world_request(w, number);
}

static void is_ended(const struct world *w, const struct operator_request *r,
                     enum request_outcome outcome, const char *code)
{
    char text[RULE_CODE_MAX + 1];
    assert_int_equal(r->outcome, outcome);
    request_result_code(world_operator(w), r, text);
    assert_string_equal(text, code);
}

static uint32_t results(const struct world *w, uint64_t number)
{
    uint32_t count = 0;
    for (uint64_t i = 1; outbox_item(&w->book->outbox, i) != NULL; i++) {
        const struct outbox_item *item = outbox_item(&w->book->outbox, i);
        count += (item->kind & ~MESSAGE_RULED) == MESSAGE_RESULT && item->subject == number;
    }
    return count;
}

/* ---- which call it is ---- */

static void every_kind_is_a_call(void **state)
{
    (void)state;
    static const struct {
        uint8_t kind;
        enum rule_api api;
        bool has_phone, has_amount;
    } rows[] = {
        {REQUEST_C2B, RULE_API_C2B, true, true},
        {REQUEST_B2C, RULE_API_B2C, true, true},
        {REQUEST_POCHI, RULE_API_B2POCHI, true, true},
        {REQUEST_B2B, RULE_API_B2B, false, true},
        {REQUEST_TAX, RULE_API_TAX, false, true},
        {REQUEST_EXPRESS, RULE_API_B2B_EXPRESS, false, true},
        {REQUEST_STATUS, RULE_API_STATUS, false, false},
        {REQUEST_BALANCE, RULE_API_BALANCE, false, false},
        {REQUEST_REVERSAL, RULE_API_REVERSAL, false, true},
        {REQUEST_STANDING_ORDER, RULE_API_RATIBA, true, true},
    };
    struct rule_call call;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request_command c = asks(rows[i].kind);
        assert_true(request_rule_call(&c, &call));
        assert_int_equal(call.api, rows[i].api);
        assert_int_equal(call.short_code, WORLD_PAYBILL);
        assert_int_equal(call.msisdn, rows[i].has_phone ? WORLD_ANNA : 0);
        assert_int_equal(call.amount_minor, rows[i].has_amount ? KES(100) : -1);
        assert_true(span_is(call.reference, "INV-7"));
    }
    struct request_command settlement = asks(REQUEST_SETTLEMENT);
    assert_false(request_rule_call(&settlement, &call));
}

static const uint8_t KINDS[] = {
    REQUEST_C2B,    REQUEST_B2C,     REQUEST_POCHI,    REQUEST_B2B,     REQUEST_TAX,
    REQUEST_STATUS, REQUEST_BALANCE, REQUEST_REVERSAL, REQUEST_EXPRESS, REQUEST_STANDING_ORDER};

static void any_kind_fails_by_order(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_rules(&w, RULE("{\"reference\":\"INV-7\"}", "{\"outcome\":{\"code\":\"R000009\"}}"));
    for (size_t i = 0; i < COUNT(KINDS); i++) {
        const struct operator_request *r = ask(&w, KINDS[i]);
        is_ended(&w, r, REQUEST_RULED, "R000009");
        assert_int_equal(r->state, STK_FAILED);
        assert_false(r->has_receipt);
        assert_int_equal(results(&w, r->number), KINDS[i] == REQUEST_C2B ? 0 : 1);
    }
    assert_int_equal(world_operator(&w)->rules->counts[0][0].applied, COUNT(KINDS));
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    world_end(&w);
}

static void an_end_can_wait(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_rules(&w, RULE("{}", "{\"outcome\":{\"code\":\"0\",\"delay_ms\":45000}}"));
    uint64_t number = ask(&w, REQUEST_B2C)->number;
    assert_int_equal(world_request(&w, number)->state, STK_PENDING);
    world_pass(&w, 31 * WORLD_S);
    assert_int_not_equal(world_request(&w, number)->late, 0); /* its time-out URL hears of it */
    assert_int_equal(world_request(&w, number)->state, STK_PENDING);
    world_restart(&w);
    world_pass(&w, 15 * WORLD_S);
    is_ended(&w, world_request(&w, number), REQUEST_DONE, "0");
    assert_int_equal(world_request(&w, number)->step_ns[REQUEST_ENDED],
                     world_request(&w, number)->step_ns[REQUEST_ACCEPTED] + 45 * WORLD_S);
    world_end(&w);
}

/* ---- prompts ---- */

static void a_prompt_obeys(void **state)
{
    (void)state;
    static const struct {
        const char *then;
        enum request_outcome order, express;
        int64_t after_s;
    } rows[] = {
        {"{\"prompt\":{\"act\":\"approve\",\"delay_ms\":7000}}", REQUEST_DONE, REQUEST_DONE, 7},
        {"{\"prompt\":{\"act\":\"wrong_pin\"}}", REQUEST_WRONG_PIN, REQUEST_WRONG_PIN, 0},
        {"{\"prompt\":{\"act\":\"cancel\",\"delay_ms\":2000}}", REQUEST_USER_CANCELLED,
         REQUEST_CANCELLED, 2},
        {"{\"prompt\":{\"act\":\"ignore\"}}", REQUEST_NO_ANSWER, REQUEST_USSD_SESSION, 60},
        {"{\"prompt\":{\"act\":\"ignore\",\"delay_ms\":5000}}", REQUEST_NO_ANSWER,
         REQUEST_USSD_SESSION, 5},
        {"{\"prompt\":{\"act\":\"unreachable\"}}", REQUEST_UNREACHABLE, REQUEST_USSD_NETWORK, 4},
        {"{\"outcome\":{\"code\":\"0\"}}", REQUEST_DONE, REQUEST_DONE, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (uint32_t kind = 0; kind < 2; kind++) {
            struct world w;
            char document[256];
            start(&w);
            (void)snprintf(document, sizeof(document), "{\"rules\":[{\"name\":\"r\",\"then\":%s}]}",
                           rows[i].then);
            world_rules(&w, document);
            uint64_t number = ask(&w, kind == 0 ? REQUEST_STANDING_ORDER : REQUEST_EXPRESS)->number;
            world_restart(&w);
            world_pass(&w, 61 * WORLD_S);
            const struct operator_request *r = world_request(&w, number);
            assert_int_equal(r->outcome, kind == 0 ? rows[i].order : rows[i].express);
            assert_int_equal(r->step_ns[REQUEST_ENDED] - r->step_ns[REQUEST_ASKED],
                             rows[i].after_s * WORLD_S);
            world_end(&w);
        }
    }
}

/* A person is quicker than the rule, and the third wrong PIN by order locks the PIN. */
static void people_and_pins_count(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_rules(&w, RULE("{}", "{\"prompt\":{\"act\":\"cancel\",\"delay_ms\":30000}}"));
    struct stk_answer_command yes = {.number = ask(&w, REQUEST_STANDING_ORDER)->number};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    world_verifier(WORLD_ANNA, WORLD_PIN, yes.verifier);
    world_pass(&w, 29 * WORLD_S);
    (void)world_do(&w, COMMAND_REQUEST_APPROVE, &yes, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    is_ended(&w, world_request(&w, yes.number), REQUEST_DONE, "0");
    world_rules(&w, RULE("{\"api\":\"b2b_express\"}", "{\"prompt\":{\"act\":\"wrong_pin\"}}"));
    for (uint32_t i = 0; i < 3; i++) {
        is_ended(&w, ask(&w, REQUEST_EXPRESS), REQUEST_WRONG_PIN, "2001");
    }
    is_ended(&w, ask(&w, REQUEST_EXPRESS), REQUEST_PIN_LOCKED, "8006");
    world_end(&w);
}

/* ---- results ---- */

static void results_obey(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    world_rules(&w, RULE("{}", "{\"callback\":{\"times\":3,\"spacing_ms\":1000,\"amount\":5}}"));
    const struct operator_request *r = ask(&w, REQUEST_B2C);
    assert_int_equal(results(&w, r->number), 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct outbox_item *item = outbox_item(&w.book->outbox, r->delivery + i);
        assert_int_equal(item->kind, MESSAGE_RESULT | MESSAGE_RULED);
        assert_int_equal(item->next_try_ns, r->step_ns[REQUEST_ENDED] + i * WORLD_S);
    }
    world_rules(&w, RULE("{}", "{\"callback\":{\"never\":true}}"));
    r = ask(&w, REQUEST_BALANCE);
    assert_int_equal(r->delivery, 0);
    assert_int_equal(results(&w, r->number), 0);
    /* The order that was given stays given, whatever the rules are by now. */
    world_rules(&w, RULE("{\"nth\":1}", "{\"outcome\":{\"code\":\"17\",\"delay_ms\":5000}}"));
    uint64_t number = ask(&w, REQUEST_TAX)->number;
    world_rules(&w, "{\"rules\":[]}");
    world_pass(&w, 6 * WORLD_S);
    is_ended(&w, world_request(&w, number), REQUEST_RULED, "17");
    world_end(&w);
}

/* Of a standing order's payment the results are multiplied, its C2B confirmation is not. */
static void payments_on_dates_obey(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    struct c2b_register_command urls = {
        .short_code = WORLD_PAYBILL,
        .version = 2,
        .response_type = C2B_COMPLETED,
        .confirmation_url = SPAN_LITERAL("https://shop.example/confirmation"),
        .confirmation_target = 71,
    };
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(&w, COMMAND_C2B_REGISTER, &urls, &reply);
    world_rules(&w, "{\"rules\":[{\"name\":\"yes\",\"match\":{\"api\":\"ratiba\"},"
                    "\"then\":{\"prompt\":{\"act\":\"approve\"}}},"
                    "{\"name\":\"twice\",\"match\":{\"api\":\"ratiba_payment\",\"nth\":1},"
                    "\"then\":{\"callback\":{\"times\":2}}},"
                    "{\"name\":\"never\",\"match\":{\"api\":\"ratiba_payment\",\"nth\":1},"
                    "\"then\":{\"callback\":{\"never\":true}}},"
                    "{\"name\":\"fails\",\"match\":{\"api\":\"ratiba_payment\"},"
                    "\"then\":{\"outcome\":{\"code\":\"26\"}}}]}");
    (void)ask(&w, REQUEST_STANDING_ORDER);
    world_pass(&w, 24 * 3600 * WORLD_S);
    const struct standing_order *order = operator_standing_order(world_operator(&w), 1);
    const struct operator_request *first = world_request(&w, order->last_run);
    assert_int_equal(results(&w, first->number), 2);
    assert_int_equal(operator_income(world_operator(&w), 1)->confirmation, first->delivery + 2);
    world_pass(&w, 24 * 3600 * WORLD_S);
    const struct operator_request *second = world_request(&w, order->last_run);
    is_ended(&w, second, REQUEST_DONE, "0");
    assert_int_equal(results(&w, second->number), 0);
    assert_int_not_equal(operator_income(world_operator(&w), 2)->confirmation, 0);
    world_pass(&w, 24 * 3600 * WORLD_S);
    is_ended(&w, world_request(&w, order->last_run), REQUEST_RULED, "26");
    assert_int_equal(order->paid, 2);
    world_end(&w);
}

/* ---- what is sent before the end ---- */

static uint32_t messages(const struct world *w, uint64_t number, uint16_t kind, uint64_t *first)
{
    uint32_t count = 0;
    *first = 0;
    for (uint64_t i = 1; outbox_item(&w->book->outbox, i) != NULL; i++) {
        const struct outbox_item *item = outbox_item(&w->book->outbox, i);
        bool is = (item->kind & ~MESSAGE_RULED) == kind && item->subject == number;
        *first = is && *first == 0 ? i : *first;
        count += is;
    }
    return count;
}

static void queue_delay(struct world *w, int64_t delay_ns)
{
    struct organisation_change_command c = {.short_code = WORLD_PAYBILL,
                                            .fields = ORGANISATION_CHANGE_DELAY,
                                            .queue_delay_ns = delay_ns};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_ORGANISATION_CHANGE, &c, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
}

/* The time-out notices of a request that is late by so much, as this orders. */
static void time_outs_obey(void **state)
{
    (void)state;
    static const struct {
        const char *then;
        uint32_t count;
        int64_t delay_ns, spacing_ns;
        bool changed;
    } rows[] = {
        {"{\"callback\":{\"times\":1}}", 1, 0, 0, false},
        {"{\"callback\":{\"never\":true}}", 0, 0, 0, false},
        {"{\"callback\":{\"delay_ms\":60000}}", 1, 60 * WORLD_S, 0, false},
        {"{\"callback\":{\"times\":3,\"spacing_ms\":2000}}", 3, 0, 2 * WORLD_S, false},
        {"{\"callback\":{\"cut\":true}}", 1, 0, 0, true},
        {"{\"callback\":{\"code\":\"1\",\"times\":2}}", 2, 0, 0, true},
    };
    struct world w;
    uint64_t first;
    start(&w);
    queue_delay(&w, 45 * WORLD_S);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char document[256];
        (void)snprintf(document, sizeof(document),
                       RULE("{\"api\":\"queue_timeout\",\"reference\":\"INV-7\"}", "%s"),
                       rows[i].then);
        world_rules(&w, document);
        uint64_t number = ask(&w, REQUEST_B2B)->number;
        world_pass(&w, 31 * WORLD_S);
        const struct operator_request *r = world_request(&w, number);
        assert_int_equal(messages(&w, number, MESSAGE_TIMEOUT, &first), rows[i].count);
        assert_int_equal(r->late, first);
        assert_int_equal(r->outcome, REQUEST_OPEN);
        for (uint32_t n = 0; n < rows[i].count; n++) {
            const struct outbox_item *item = outbox_item(&w.book->outbox, first + n);
            assert_int_equal(item->kind,
                             rows[i].changed ? MESSAGE_TIMEOUT | MESSAGE_RULED : MESSAGE_TIMEOUT);
            assert_int_equal(item->next_try_ns - r->step_ns[REQUEST_ACCEPTED],
                             30 * WORLD_S + rows[i].delay_ns + n * rows[i].spacing_ns);
        }
        world_pass(&w, 15 * WORLD_S); /* told or not, once; and the result comes all the same */
        is_ended(&w, world_request(&w, number), REQUEST_DONE, "0");
        assert_int_equal(messages(&w, number, MESSAGE_TIMEOUT, &first), rows[i].count);
        assert_int_equal(results(&w, number), 1);
    }
    /* Only a rule that names them is for them, and they are counted like calls. */
    world_rules(&w, RULE("{}", "{\"callback\":{\"never\":true}}"));
    uint64_t number = ask(&w, REQUEST_B2B)->number;
    world_pass(&w, 46 * WORLD_S);
    assert_int_equal(messages(&w, number, MESSAGE_TIMEOUT, &first), 1);
    assert_int_equal(results(&w, number), 0);
    assert_int_equal(world_operator(&w)->rules->counts[0][0].matched, 1);
    world_end(&w);
}

static void validates(struct world *w, uint8_t response_type)
{
    struct c2b_register_command urls = {
        .short_code = WORLD_PAYBILL,
        .version = 2,
        .response_type = response_type,
        .confirmation_url = SPAN_LITERAL("https://shop.example/confirmation"),
        .validation_url = SPAN_LITERAL("https://shop.example/validation"),
        .confirmation_target = 71,
        .validation_target = 71,
    };
    struct validation_set_command on = {WORLD_PAYBILL, true};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_C2B_REGISTER, &urls, &reply);
    (void)world_do(w, COMMAND_VALIDATION_SET, &on, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
}

/* The question of a C2B payment: never asked or asked too late is no answer, and so ResponseType
 * decides; asked twice is decided by the first answer. */
static void questions_obey(void **state)
{
    (void)state;
    static const struct {
        const char *then;
        uint8_t response_type;
        uint32_t count;
        enum request_outcome outcome;
    } rows[] = {
        {"{\"callback\":{\"never\":true}}", C2B_COMPLETED, 0, REQUEST_DONE},
        {"{\"callback\":{\"never\":true}}", C2B_CANCELLED, 0, REQUEST_NOT_VALIDATED},
        {"{\"callback\":{\"delay_ms\":11000}}", C2B_CANCELLED, 1, REQUEST_NOT_VALIDATED},
        {"{\"callback\":{\"hold_for_next\":true}}", C2B_CANCELLED, 1, REQUEST_NOT_VALIDATED},
        {"{\"callback\":{\"times\":2,\"amount\":1}}", C2B_COMPLETED, 2, REQUEST_BAD_ACCOUNT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct delivery_result_command said = {
            .status = 200, .retry_after_ms = -1, .verdict = C2B_REJECTED + 2};
        enum book_outcome outcome = BOOK_DONE;
        struct world w;
        uint64_t first;
        char document[256];
        start(&w);
        validates(&w, rows[i].response_type);
        (void)snprintf(document, sizeof(document), RULE("{\"api\":\"c2b_validation\"}", "%s"),
                       rows[i].then);
        world_rules(&w, document);
        uint64_t number = ask(&w, REQUEST_C2B)->number;
        assert_int_equal(world_request(&w, number)->state, STK_PROCESSING);
        assert_int_equal(messages(&w, number, MESSAGE_VALIDATION, &first), rows[i].count);
        assert_int_equal(world_request(&w, number)->question, first);
        if (rows[i].count == 2) {
            said.generation = w.book->generation;
            for (said.number = world_take(&w); said.number != 0; said.number = world_take(&w)) {
                (void)world_do(&w, COMMAND_DELIVERY_RESULT, &said, &outcome);
            }
        }
        world_pass(&w, 10 * WORLD_S);
        assert_int_equal(world_request(&w, number)->outcome, rows[i].outcome);
        world_end(&w);
    }
}

/* ---- at random ---- */

/* Rules of every kind over requests of every kind: the invariants are checked after each command,
 * money is conserved, and what comes of it is the same after replay, save and load. */
static void random_histories(void **state)
{
    (void)state;
    static const char *const thens[] = {
        "{\"outcome\":{\"code\":\"1\"}}",
        "{\"outcome\":{\"code\":\"0\",\"delay_ms\":40000},\"callback\":{\"times\":2}}",
        "{\"prompt\":{\"act\":\"approve\",\"delay_ms\":3000},\"callback\":{\"code\":\"17\"}}",
        "{\"prompt\":{\"act\":\"wrong_pin\"}}",
        "{\"prompt\":{\"act\":\"unreachable\",\"delay_ms\":9000},\"callback\":{\"never\":true}}",
        "{\"callback\":{\"hold_for_next\":true,\"times\":2,\"cut\":true}}",
        "{\"callback\":{\"delay_ms\":5000,\"amount\":1}}",
    };
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world w;
        struct test_random random = random_from(seed);
        start(&w);
        for (uint32_t i = 0; i < 60; i++) {
            char document[512];
            if (i % 4 == 0) {
                (void)snprintf(document, sizeof(document),
                               "{\"rules\":[{\"name\":\"r\",\"match\":{\"probability\":"
                               "{\"per_million\":600000,\"seed\":7}},\"then\":%s}]}",
                               thens[random_below(&random, COUNT(thens))]);
                world_rules(&w, document);
            }
            uint64_t number = ask(&w, KINDS[random_below(&random, COUNT(KINDS))])->number;
            world_pass(&w, (int64_t)random_below(&random, 20) * WORLD_S);
            for (uint64_t sent = world_take(&w); sent != 0; sent = world_take(&w)) {
                assert_int_equal(world_report(&w, sent, 200, 0), BOOK_DONE);
            }
            assert_non_null(world_request(&w, number));
            if (random_below(&random, 20) == 0) {
                world_restart(&w);
            }
        }
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_a_call),   cmocka_unit_test(any_kind_fails_by_order),
        cmocka_unit_test(an_end_can_wait),        cmocka_unit_test(a_prompt_obeys),
        cmocka_unit_test(people_and_pins_count),  cmocka_unit_test(results_obey),
        cmocka_unit_test(time_outs_obey),         cmocka_unit_test(questions_obey),
        cmocka_unit_test(payments_on_dates_obey), cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
