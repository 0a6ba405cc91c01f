/*
 * test_rules.c - scenario rules in the book (R6.2): which rule a call meets, how it is counted,
 * what it makes of phone, outcome and callbacks, and that all of it survives replay, save and load
 * (every world proves that at its end). How documents are read: test_rules_document.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "base/hash.h"
#include "support/world.h"

/* A false CHECK ends the test, and is what some tests expect. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#define SHILLINGS(n)      ((int64_t)(n)*100)
#define COUNT(array)      (sizeof(array) / sizeof((array)[0]))
#define RULE(match, then) "{\"rules\":[{\"name\":\"r\",\"match\":" match ",\"then\":" then "}]}"

static uint64_t push(struct world *w, uint64_t msisdn, const char *reference)
{
    struct world_order o = {.msisdn = msisdn, .amount_minor = SHILLINGS(7), .reference = reference};
    struct operator_reply reply = world_order(w, &o);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    (void)world_run(w);
    return reply.number;
}

static bool is_ruled(const struct world *w, uint64_t number)
{
    struct ruled ruled;
    return payment_ruled(world_operator(w), world_payment(w, number), &ruled);
}

static void is_ended(const struct world *w, uint64_t number, enum stk_outcome outcome,
                     const char *code)
{
    const struct stk_payment *p = world_payment(w, number);
    char text[RULE_CODE_MAX + 1];
    assert_int_equal(p->outcome, outcome);
    payment_result_code(world_operator(w), p, text);
    assert_string_equal(text, code);
}

/* ---- matching ---- */

static const struct {
    const char *match;
    const char *met; /* of the calls below, in their order */
} MATCHES[] = {
    {"{}", "yyyyy"},
    {"{\"api\":\"stk_push\"}", "yyy.."},
    {"{\"api\":[\"oauth\",\"balance\"]}", "...yy"},
    {"{\"short_code\":174379}", "yy..y"},
    {"{\"phone\":\"254700000001\"}", "y...."},
    {"{\"phone\":\"25470000000\"}", "....."}, /* exact is exact */
    {"{\"phone\":{\"prefix\":\"2547000\"}}", "yy..."},
    {"{\"phone\":{\"suffix\":\"01\"}}", "y.y.."},
    {"{\"phone\":{\"suffix\":\"254700000001\"}}", "y...."},
    {"{\"amount\":700}", "y...."},
    {"{\"amount\":{\"min\":700,\"max\":800}}", "yy..."},
    {"{\"amount\":{\"min\":701}}", ".yy.."},
    {"{\"amount\":{\"max\":799}}", "y...."},
    {"{\"reference\":\"INV-1\"}", "y...."},
    {"{\"reference\":{\"prefix\":\"INV-\"}}", "yy..."},
    {"{\"api\":\"stk_push\",\"phone\":{\"suffix\":\"01\"},\"amount\":700}", "y...."},
};

static void test_matching(void **state)
{
    (void)state;
    const struct rule_call calls[] = {
        {RULE_API_STK_PUSH, WORLD_PAYBILL, 254700000001, 700, SPAN_LITERAL("INV-1")},
        {RULE_API_STK_PUSH, WORLD_PAYBILL, 254700000002, 800, SPAN_LITERAL("INV-2")},
        {RULE_API_STK_PUSH, WORLD_TILL, 254111111101, 900, SPAN_LITERAL("inv-1")},
        {RULE_API_OAUTH, 0, 0, -1, SPAN_EMPTY},
        {RULE_API_BALANCE, WORLD_PAYBILL, 0, -1, SPAN_EMPTY},
    };
    struct world w;
    world_start(&w, false);
    for (size_t i = 0; i < COUNT(MATCHES); i++) {
        char document[400];
        (void)snprintf(document, sizeof(document),
                       "{\"rules\":[{\"name\":\"r\",\"match\":%s,\"then\":{\"query\":{\"pending\":"
                       "true}}}]}",
                       MATCHES[i].match);
        world_rules(&w, document);
        for (size_t c = 0; c < COUNT(calls); c++) {
            struct rule_verdict v;
            operator_rule_look(world_operator(&w), &calls[c], &v);
            if ((v.rule != NULL) != (MATCHES[i].met[c] == 'y')) {
                fail_msg("%s and call %zu", MATCHES[i].match, c);
            }
        }
    }
    world_end(&w);
}

/* nth, first, every and the chance look at the calls that the rest holds for. */
static void test_turns(void **state)
{
    (void)state;
    static const struct {
        const char *match;
        const char *applied;
    } cases[] = {
        {"{\"nth\":3}", "..y......"},
        {"{\"first\":2}", "yy......."},
        {"{\"every\":4}", "...y...y."},
        {"{\"every\":2,\"first\":4}", ".y.y....."},
        {"{\"probability\":{\"per_million\":0}}", "........."},
        {"{\"probability\":{\"per_million\":1000000}}", "yyyyyyyyy"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        char document[300];
        world_start(&w, false);
        (void)snprintf(document, sizeof(document),
                       "{\"rules\":[{\"name\":\"r\",\"match\":%s,\"then\":{\"outcome\":{\"code\":"
                       "\"17\"}}}]}",
                       cases[i].match);
        world_rules(&w, document);
        for (size_t n = 0; n < strlen(cases[i].applied); n++) {
            uint64_t number = push(&w, WORLD_ANNA, "turn");
            if (is_ruled(&w, number) != (cases[i].applied[n] == 'y')) {
                fail_msg("%s, call %zu", cases[i].match, n + 1);
            }
            if (n == 4) {
                world_restart(&w); /* counting goes on */
            }
            (void)world_cancel(&w, number);
        }
        const struct rule_count *count = &world_operator(&w)->rules->counts[RULE_ORIGIN_USER][0];
        assert_int_equal(count->matched, strlen(cases[i].applied));
        world_end(&w);
    }
}

/* The same seed gives the same calls, another one others, and about as many as were asked for. */
static void test_chance(void **state)
{
    (void)state;
    bool drawn[3][200];
    uint32_t seeds[3] = {7, 7, 8};
    for (uint32_t i = 0; i < 3; i++) {
        struct world w;
        char document[300];
        world_start(&w, false);
        w.quick = true;
        (void)snprintf(document, sizeof(document),
                       "{\"rules\":[{\"name\":\"r\",\"match\":{\"probability\":{\"per_million\":"
                       "300000,\"seed\":%u}},\"then\":{\"outcome\":{\"code\":\"17\"}}}]}",
                       seeds[i]);
        world_rules(&w, document);
        uint32_t count = 0;
        for (uint32_t n = 0; n < 200; n++) {
            uint64_t number = push(&w, WORLD_ANNA, "dice");
            drawn[i][n] = is_ruled(&w, number);
            count += drawn[i][n];
            (void)world_cancel(&w, number);
        }
        assert_true(count > 40 && count < 80);
        world_end(&w);
    }
    assert_memory_equal(drawn[0], drawn[1], sizeof(drawn[0]));
    assert_memory_not_equal(drawn[0], drawn[2], sizeof(drawn[0]));
}

/* The first that matches applies; those after it do not count the call. */
static void test_order(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    world_rules(
        &w,
        "{\"rules\":["
        "{\"name\":\"second call\",\"match\":{\"nth\":2},\"then\":{\"outcome\":{\"code\":\"8\"}}},"
        "{\"name\":\"the rest\",\"then\":{\"outcome\":{\"code\":\"17\"}}},"
        "{\"name\":\"never met\",\"then\":{\"outcome\":{\"code\":\"26\"}}}]}");
    is_ended(&w, push(&w, WORLD_ANNA, "1"), STK_RULED, "17");
    is_ended(&w, push(&w, WORLD_ANNA, "2"), STK_RULED, "8");
    is_ended(&w, push(&w, WORLD_ANNA, "3"), STK_RULED, "17");
    const struct rule_count *c = world_operator(&w)->rules->counts[RULE_ORIGIN_USER];
    assert_int_equal(c[0].matched, 3);
    assert_int_equal(c[0].applied, 1);
    assert_int_equal(c[1].matched, 2);
    assert_int_equal(c[1].applied, 2);
    assert_int_equal(c[2].matched, 0);
    /* New rules begin anew; what was ordered before stays with its payment. */
    uint64_t revision = world_operator(&w)->rules->revision;
    world_rules(&w, "{\"rules\":[]}");
    assert_int_equal(world_operator(&w)->rules->revision, revision + 1);
    assert_true(is_ruled(&w, 1));
    assert_false(is_ruled(&w, push(&w, WORLD_ANNA, "4")));
    world_end(&w);
}

/* A call that ends with what a rule says of it is counted, and nothing else happens. */
static void test_counted_alone(void **state)
{
    (void)state;
    struct world w;
    struct operator_reply reply;
    struct rule_call call = {RULE_API_OAUTH, 0, 0, -1, SPAN_EMPTY};
    world_start(&w, false);
    assert_int_equal(world_do(&w, COMMAND_RULE_CALL, &call, &reply), 0); /* met none: no trace */
    world_rules(&w, RULE("{\"api\":\"oauth\"}", "{\"answer\":{\"status\":503}}"));
    assert_true(world_do(&w, COMMAND_RULE_CALL, &call, &reply) != 0);
    assert_int_equal(world_operator(&w)->rules->counts[0][0].applied, 1);
    assert_int_equal(world_operator(&w)->last_payment, 0);
    world_end(&w);
}

/* ---- outcomes and phones ---- */

static const struct {
    const char *then;
    int64_t before_ns; /* still open */
    int64_t after_ns;  /* has ended */
    enum stk_outcome outcome;
    const char *code;
} ENDS[] = {
    {"{\"outcome\":{\"code\":\"1025\"}}", -1, 0, STK_RULED, "1025"},
    {"{\"outcome\":{\"code\":\"NEW_CODE\",\"delay_ms\":5000}}", 4999, 5000, STK_RULED, "NEW_CODE"},
    {"{\"outcome\":{\"code\":\"1032\"}}", -1, 0, STK_CANCELLED, "1032"},
    {"{\"outcome\":{\"code\":\"1032\",\"delay_ms\":700}}", 699, 700, STK_CANCELLED, "1032"},
    {"{\"outcome\":{\"code\":\"0\"}}", -1, 0, STK_PAID, "0"},
    {"{\"outcome\":{\"code\":\"0\",\"delay_ms\":9000}}", 8999, 9000, STK_PAID, "0"},
    {"{\"prompt\":{\"act\":\"approve\"}}", -1, 0, STK_PAID, "0"},
    {"{\"prompt\":{\"act\":\"approve\",\"delay_ms\":20000}}", 19999, 20000, STK_PAID, "0"},
    {"{\"prompt\":{\"act\":\"approve\",\"delay_ms\":60000}}", 59999, 60000, STK_NO_ANSWER, "1037"},
    {"{\"prompt\":{\"act\":\"wrong_pin\",\"delay_ms\":10}}", 9, 10, STK_WRONG_PIN, "2001"},
    {"{\"prompt\":{\"act\":\"cancel\",\"delay_ms\":10}}", 9, 10, STK_CANCELLED, "1032"},
    {"{\"prompt\":{\"act\":\"ignore\"}}", 59999, 60000, STK_NO_ANSWER, "1037"},
    {"{\"prompt\":{\"act\":\"ignore\",\"delay_ms\":7000}}", 6999, 7000, STK_NO_ANSWER, "1037"},
    {"{\"prompt\":{\"act\":\"unreachable\"}}", 3999, 4000, STK_UNREACHABLE, "1037"},
    {"{\"prompt\":{\"act\":\"unreachable\",\"delay_ms\":100}}", 99, 100, STK_UNREACHABLE, "1037"},
};

/* Also the sandbox's phone that approves by itself does what the rule says. */
static void test_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ENDS); i++) {
        for (uint32_t robot = 0; robot < 2; robot++) {
            struct world w;
            char document[300];
            uint64_t msisdn = robot != 0 ? WORLD_ROBOT : WORLD_ANNA;
            world_start(&w, false);
            (void)snprintf(document, sizeof(document), "{\"rules\":[{\"name\":\"r\",\"then\":%s}]}",
                           ENDS[i].then);
            world_rules(&w, document);
            int64_t start_ns = w.now_ns;
            uint64_t number = push(&w, msisdn, "end");
            if (ENDS[i].before_ns >= 0) {
                world_pass(&w, ENDS[i].before_ns * NS_PER_MS);
                assert_false(stk_state_final(world_payment(&w, number)->state));
                world_restart(&w); /* timers are state */
                world_pass(&w, start_ns + ENDS[i].after_ns * NS_PER_MS - w.now_ns);
            }
            is_ended(&w, number, ENDS[i].outcome, ENDS[i].code);
            assert_int_equal(world_payment(&w, number)->step_ns[STEP_ENDED],
                             start_ns + ENDS[i].after_ns * NS_PER_MS);
            bool paid = ENDS[i].outcome == STK_PAID;
            assert_int_equal(world_balance(&w, msisdn), WORLD_MONEY - (paid ? SHILLINGS(7) : 0));
            world_end(&w);
        }
    }
}

/* A rule cannot make money, cannot pay whom there is none of, and a person may be quicker. */
static void test_truth_stays(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    world_rules(&w, RULE("{}", "{\"prompt\":{\"act\":\"approve\",\"delay_ms\":5000}}"));
    assert_int_equal(world_adjust(&w, WORLD_BEN, SHILLINGS(5) - WORLD_MONEY), OPERATOR_DONE);
    uint64_t number = push(&w, WORLD_BEN, "poor");
    world_pass(&w, 5 * WORLD_S);
    is_ended(&w, number, STK_NO_MONEY, "1");
    is_ended(&w, push(&w, WORLD_STRANGER, "nobody"), STK_PAYER_UNKNOWN, "SFC_IC0003");
    number = push(&w, WORLD_ANNA, "person");
    assert_int_equal(world_cancel(&w, number), OPERATOR_DONE);
    is_ended(&w, number, STK_CANCELLED, "1032");
    world_pass(&w, 90 * WORLD_S);
    is_ended(&w, number, STK_CANCELLED, "1032");
    assert_int_equal(world_reachable(&w, WORLD_ANNA, false), OPERATOR_DONE);
    number = push(&w, WORLD_ANNA, "off");
    world_pass(&w, 90 * WORLD_S);
    is_ended(&w, number, STK_UNREACHABLE, "1037"); /* a phone that is off approves nothing */
    world_end(&w);
}

/* Wrong PINs by order are wrong PINs: the third locks. */
static void test_wrong_pins_count(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    world_rules(&w, RULE("{}", "{\"prompt\":{\"act\":\"wrong_pin\"}}"));
    for (uint32_t i = 0; i < 3; i++) {
        is_ended(&w, push(&w, WORLD_ANNA, "pin"), STK_WRONG_PIN, "2001");
    }
    is_ended(&w, push(&w, WORLD_ANNA, "pin"), STK_PIN_LOCKED, "8006");
    world_end(&w);
}

/* ---- callbacks ---- */

/* What may leave now, all of it reported as answered; the payments in the order of leaving. */
static uint32_t deliver(struct world *w, uint64_t *subjects)
{
    uint32_t count = 0;
    for (uint64_t n = world_take(w); n != 0; n = world_take(w)) {
        subjects[count++] = outbox_item(&w->book->outbox, n)->subject;
        assert_int_equal(world_report(w, n, 200, 0), BOOK_DONE);
    }
    return count;
}

static void test_never_late_and_often(void **state)
{
    (void)state;
    struct world w;
    uint64_t out[16];
    world_start(&w, false);
    world_rules(
        &w, RULE("{\"nth\":1}", "{\"outcome\":{\"code\":\"17\"},\"callback\":{\"never\":true}}"));
    uint64_t number = push(&w, WORLD_ANNA, "never");
    assert_int_equal(world_payment(&w, number)->delivery, 0);
    assert_int_equal(deliver(&w, out), 0);
    world_rules(&w, RULE("{\"nth\":1}", "{\"outcome\":{\"code\":\"17\"},\"callback\":{\"delay_ms\":"
                                        "90000,\"times\":3,\"spacing_ms\":1000}}"));
    number = push(&w, WORLD_ANNA, "late");
    world_pass(&w, 89 * WORLD_S);
    assert_int_equal(deliver(&w, out), 0);
    for (uint32_t i = 0; i < 3; i++) {
        world_restart(&w);
        world_pass(&w, WORLD_S);
        assert_int_equal(deliver(&w, out), 1);
        assert_int_equal(out[0], number);
    }
    world_pass(&w, 900 * WORLD_S);
    assert_int_equal(deliver(&w, out), 0);
    assert_int_equal(payment_callbacks(world_operator(&w), world_payment(&w, number)), 3);
    world_end(&w);
}

/* Held until the next payment's callback of that target has gone out, however that goes. */
static void test_held(void **state)
{
    (void)state;
    struct world w;
    uint64_t out[16];
    world_start(&w, false);
    world_rules(&w, "{\"rules\":[{\"name\":\"h\",\"match\":{\"reference\":\"held\"},\"then\":{"
                    "\"outcome\":{\"code\":\"17\"},\"callback\":{\"hold_for_next\":true}}},"
                    "{\"name\":\"e\",\"then\":{\"outcome\":{\"code\":\"26\"}}}]}");
    uint64_t held = push(&w, WORLD_ANNA, "held");
    assert_int_equal(deliver(&w, out), 0);
    assert_int_equal(book_next_due(w.book), INT64_MAX); /* idle: nothing will happen by itself */
    world_restart(&w);
    struct world_order elsewhere = {.msisdn = WORLD_BEN, .amount_minor = 100, .target = 999};
    (void)world_order(&w, &elsewhere);
    (void)world_run(&w);
    assert_int_equal(deliver(&w, out), 1);        /* another target's lets nothing go */
    uint64_t next = push(&w, WORLD_ANNA, "held"); /* is the next one, and so not held */
    uint64_t item = world_take(&w);
    assert_int_equal(outbox_item(&w.book->outbox, item)->subject, next);
    assert_int_equal(world_take(&w), 0);
    assert_int_equal(world_report(&w, item, 500, 0), BOOK_DONE); /* out is out */
    assert_int_equal(deliver(&w, out), 1);
    assert_int_equal(out[0], held);
    assert_int_equal(world_operator(&w)->rules->held_count, 0);
    world_end(&w);
}

/* Sent by hand it is not sent again when its turn comes. */
static void test_held_and_sent_by_hand(void **state)
{
    (void)state;
    struct world w;
    uint64_t out[16];
    enum book_outcome outcome;
    world_start(&w, false);
    world_rules(&w, RULE("{\"reference\":\"held\"}", "{\"outcome\":{\"code\":\"17\"},\"callback\":"
                                                     "{\"hold_for_next\":true}}"));
    uint64_t held = push(&w, WORLD_ANNA, "held");
    struct delivery_revive_command c = {world_payment(&w, held)->delivery};
    assert_true(world_do(&w, COMMAND_DELIVERY_REVIVE, &c, &outcome) != 0);
    assert_int_equal(deliver(&w, out), 1);
    assert_int_equal(world_cancel(&w, push(&w, WORLD_ANNA, "next")), OPERATOR_DONE);
    assert_int_equal(deliver(&w, out), 1);
    world_pass(&w, 900 * WORLD_S);
    assert_int_equal(deliver(&w, out), 0);
    world_end(&w);
}

/* Only a message whose words are changed says so by its kind. */
static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *callback;
        bool changed;
    } cases[] = {
        {"{\"delay_ms\":5}", false},    {"{\"times\":2}", false},
        {"{\"fail_first\":3}", false},  {"{\"cut\":true}", true},
        {"{\"metadata\":false}", true}, {"{\"code\":\"1037\"}", true},
        {"{\"amount\":500000}", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        char document[300];
        world_start(&w, false);
        (void)snprintf(document, sizeof(document),
                       "{\"rules\":[{\"name\":\"r\",\"then\":{\"prompt\":{\"act\":\"approve\"},"
                       "\"callback\":%s}}]}",
                       cases[i].callback);
        world_rules(&w, document);
        uint64_t number = push(&w, WORLD_ANNA, "kind");
        uint64_t item = world_payment(&w, number)->delivery;
        uint16_t kind = outbox_item(&w.book->outbox, item)->kind;
        assert_int_equal((kind & MESSAGE_RULED) != 0, cases[i].changed);
        is_ended(&w, number, STK_PAID, "0"); /* the truth is what it was */
        world_end(&w);
    }
}

/* ---- bytes ---- */

/* Every cut of an encoded list is refused, and none of its single bytes can crash the reader. */
static void test_list_in_bytes(void **state)
{
    (void)state;
    struct world w;
    static struct rule_list read;
    uint8_t bytes[RULES_BYTES_MAX];
    world_start(&w, false);
    world_rules(&w, "{\"rules\":[{\"name\":\"all of it\",\"match\":{\"api\":[\"stk_push\",\"b2c\"],"
                    "\"short_code\":174379,\"phone\":{\"prefix\":\"2547\"},\"amount\":{\"min\":1,"
                    "\"max\":9},\"reference\":\"R\",\"nth\":3,\"first\":4,\"every\":5,"
                    "\"probability\":{\"per_million\":6,\"seed\":7}},\"then\":{\"answer\":{"
                    "\"connection\":\"half_body\",\"delay_ms\":8},\"prompt\":{\"act\":\"cancel\","
                    "\"delay_ms\":9},\"callback\":{\"delay_ms\":10,\"times\":2,\"spacing_ms\":11,"
                    "\"hold_for_next\":true,\"before_answer\":true,\"fail_first\":3,\"amount\":12,"
                    "\"metadata\":false,\"cut\":true,\"code\":\"13\",\"text\":\"T\"},\"query\":{"
                    "\"code\":\"14\",\"text\":\"U\"}}}]}");
    const struct rule_list *list = &world_operator(&w)->rules->lists[RULE_ORIGIN_USER];
    size_t size = rule_list_encode(list, bytes);
    assert_true(rule_list_decode((struct span){(char *)bytes, size}, &read));
    assert_int_equal(read.count, 1);
    assert_memory_equal(&read.rules[0], &list->rules[0], sizeof(read.rules[0]));
    assert_int_equal(size, 126);
    assert_int_equal(hash_bytes(bytes, size, 1), 0x290548ae8f9df50fu); /* read back for ever */
    for (size_t cut = 0; cut < size; cut++) {
        assert_false(rule_list_decode((struct span){(char *)bytes, cut}, NULL));
    }
    for (size_t at = 0; at < size; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1u << bit);
            if (rule_list_decode((struct span){(char *)bytes, size}, &read)) {
                uint8_t again[RULES_BYTES_MAX];
                assert_true(rule_list_encode(&read, again) > 0);
            }
            bytes[at] ^= (uint8_t)(1u << bit);
        }
    }
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_counted_alone),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_truth_stays),
        cmocka_unit_test(test_wrong_pins_count),
        cmocka_unit_test(test_never_late_and_often),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_held_and_sent_by_hand),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_list_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
