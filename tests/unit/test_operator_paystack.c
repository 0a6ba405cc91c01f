/*
 * test_operator_paystack.c - Paystack's side of the network in the book: businesses and their keys,
 * charges with a prompt, what was initialized and waits for a phone, refunds, when webhooks are
 * tried again. Every world is proved at its end (tests/support/world.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/world.h"

#define KES(shillings) ((int64_t)(shillings)*100)
#define HOUR           (3600 * WORLD_S)

static enum operator_refusal opens(struct world *w, uint32_t short_code, uint8_t key, bool live)
{
    struct paystack_command c = {.short_code = short_code,
                                 .live = live,
                                 .key = SPAN_LITERAL("sealed"),
                                 .url = SPAN_LITERAL("https://shop.example/paystack"),
                                 .target = 9};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    memset(c.key_hash, key, sizeof(c.key_hash));
    (void)world_do(w, COMMAND_PAYSTACK, &c, &reply);
    return reply.refusal;
}

static uint64_t charges(struct world *w, const char *reference, uint64_t msisdn)
{
    const struct request_command c = {
        .kind = REQUEST_PAYSTACK,
        .command = C2B_PAY_BILL,
        .without_initiator = true,
        .short_code = WORLD_PAYBILL,
        .party = msisdn,
        .party_type = msisdn != 0 ? PARTY_MSISDN : PARTY_NONE,
        .amount_minor = KES(150),
        .conversation = span_from(reference),
        .reference = span_from(reference),
        .remarks = SPAN_LITERAL("wanjiru@example.com"),
        .result_url = SPAN_LITERAL("https://shop.example/paystack"),
        .target = 9,
    };
    return world_ask(w, &c);
}

static uint64_t refunds(struct world *w, const char *reference, int64_t amount_minor)
{
    const struct request_command c = {
        .kind = REQUEST_PAYSTACK_REFUND,
        .command = ORIGINAL_BY_CONVERSATION,
        .without_initiator = true,
        .short_code = WORLD_PAYBILL,
        .amount_minor = amount_minor,
        .reference = span_from(reference),
        .result_url = SPAN_LITERAL("https://shop.example/paystack"),
        .target = 9,
    };
    return world_ask(w, &c);
}

static enum operator_refusal answers(struct world *w, uint16_t kind, uint64_t number, uint32_t pin)
{
    struct stk_answer_command c = {.number = number};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    world_verifier(world_request(w, number)->party, pin, c.verifier);
    (void)world_do(w, kind, &c, &reply);
    return reply.refusal;
}

static enum operator_refusal names(struct world *w, uint64_t number, uint64_t msisdn)
{
    const struct paystack_phone_command c = {number, msisdn};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_PAYSTACK_PHONE, &c, &reply);
    (void)world_run(w);
    return reply.refusal;
}

static void a_key_belongs_to_one_business(void **state)
{
    (void)state;
    struct world w;
    uint8_t hash[16];
    world_start(&w, true);
    memset(hash, 1, sizeof(hash));
    assert_null(operator_paystack(world_operator(&w), hash));
    assert_int_equal(opens(&w, WORLD_PAYBILL, 1, false), OPERATOR_DONE);
    assert_int_equal(opens(&w, WORLD_TILL, 1, false), OPERATOR_EXISTS);
    assert_int_equal(opens(&w, 999999, 2, false), OPERATOR_NOT_FOUND);
    assert_int_equal(operator_paystack(world_operator(&w), hash)->short_code, WORLD_PAYBILL);
    assert_int_equal(opens(&w, WORLD_PAYBILL, 2, true), OPERATOR_DONE); /* another key */
    assert_null(operator_paystack(world_operator(&w), hash));
    assert_int_equal(opens(&w, WORLD_TILL, 1, false), OPERATOR_DONE); /* free again */
    world_restart(&w);
    assert_int_equal(operator_paystack(world_operator(&w), hash)->short_code, WORLD_TILL);
    world_end(&w);
}

static void a_charge_moves_money_with_the_pin(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(opens(&w, WORLD_PAYBILL, 1, false), OPERATOR_DONE);
    int64_t utility_minor = world_utility(&w, WORLD_PAYBILL);
    uint64_t number = charges(&w, "order-1", WORLD_ANNA);
    assert_int_equal(world_request(&w, number)->state, STK_PROCESSING);
    assert_int_equal(charges(&w, "order-1", WORLD_BEN), 0); /* its reference is taken */
    assert_int_equal(answers(&w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN), OPERATOR_DONE);
    const struct operator_request *r = world_request(&w, number);
    assert_int_equal(r->outcome, REQUEST_DONE);
    assert_true(r->has_receipt && r->delivery != 0);
    assert_int_equal(world_utility(&w, WORLD_PAYBILL), utility_minor + KES(150));
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - KES(150));
    world_end(&w);
}

static void what_fails_is_not_told(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(opens(&w, WORLD_PAYBILL, 1, false), OPERATOR_DONE);
    uint64_t number = charges(&w, "order-1", WORLD_ANNA);
    assert_int_equal(world_request(&w, charges(&w, "order-2", WORLD_ANNA))->outcome,
                     REQUEST_PHONE_BUSY);
    assert_int_equal(answers(&w, COMMAND_REQUEST_CANCEL, number, 0), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_USER_CANCELLED);
    number = charges(&w, "order-3", WORLD_ANNA);
    assert_int_equal(answers(&w, COMMAND_REQUEST_APPROVE, number, 4321), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_WRONG_PIN);
    number = charges(&w, "order-4", WORLD_ANNA);
    world_pass(&w, 61 * WORLD_S);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_NO_ANSWER);
    assert_int_equal(world_take(&w), 0); /* found by asking only */
    world_end(&w);
}

static void what_was_initialized_waits_for_a_phone(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(opens(&w, WORLD_PAYBILL, 1, false), OPERATOR_DONE);
    uint64_t number = charges(&w, "page-1", 0);
    assert_true(world_request(&w, number)->held);
    world_restart(&w);
    assert_int_equal(names(&w, 99, WORLD_ANNA), OPERATOR_NOT_FOUND);
    assert_int_equal(names(&w, number, WORLD_ANNA), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->state, STK_PROCESSING);
    assert_int_equal(names(&w, number, WORLD_BEN), OPERATOR_ALREADY_ANSWERED);
    assert_int_equal(answers(&w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_DONE);
    number = charges(&w, "page-2", 0);
    world_pass(&w, 24 * HOUR);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_NO_ANSWER);
    assert_int_equal(names(&w, number, WORLD_ANNA), OPERATOR_ALREADY_ENDED);
    world_end(&w);
}

/* A rule that delays the end is no day without a phone. */
static void a_rule_is_no_wait_for_a_phone(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(opens(&w, WORLD_PAYBILL, 1, false), OPERATOR_DONE);
    world_rules(&w, "{\"rules\":[{\"name\":\"r\",\"match\":{},\"then\":"
                    "{\"outcome\":{\"code\":\"0\",\"delay_ms\":5000}}}]}");
    uint64_t number = charges(&w, "page-1", 0);
    world_pass(&w, 12 * HOUR);
    assert_true(world_request(&w, number)->held);
    assert_int_equal(names(&w, number, WORLD_ANNA), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_DONE); /* the rule's answer */
    number = charges(&w, "page-2", 0);
    world_pass(&w, 24 * HOUR);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_NO_ANSWER);
    world_end(&w);
}

static void a_charge_is_refunded_once_and_whole(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(opens(&w, WORLD_PAYBILL, 1, false), OPERATOR_DONE);
    uint64_t number = charges(&w, "order-1", WORLD_ANNA);
    assert_int_equal(world_request(&w, refunds(&w, "order-1", KES(150)))->outcome,
                     REQUEST_ORIGINAL_INVALID);
    assert_int_equal(answers(&w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_request(&w, refunds(&w, "order-1", KES(100)))->outcome,
                     REQUEST_PARAMETERS);
    uint64_t refund = refunds(&w, "order-1", KES(150));
    assert_int_equal(world_request(&w, refund)->outcome, REQUEST_DONE);
    assert_int_equal(world_request(&w, number)->reversal, refund);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    assert_int_equal(world_request(&w, refunds(&w, "order-1", KES(150)))->outcome,
                     REQUEST_ALREADY_REVERSED);
    world_end(&w);
}

/* Fails until it is dead; how often, and whether each next try was at these times. */
static uint32_t tried(struct world *w, const int64_t *delays_ns, uint32_t count)
{
    uint32_t tries = 0;
    for (;;) {
        uint64_t number = world_take(w);
        assert_int_not_equal(number, 0);
        (void)world_report(w, number, 201, 0);
        const struct outbox_item *item = outbox_item(&w->book->outbox, number);
        tries++;
        if (item->state != OUTBOX_WAITING) {
            assert_int_equal(item->state, OUTBOX_DEAD);
            return tries;
        }
        int64_t delay_ns = delays_ns[tries <= count ? tries - 1 : count - 1];
        assert_int_equal(item->next_try_ns, w->now_ns + delay_ns);
        world_pass(w, delay_ns);
    }
}

static void webhooks_are_tried_as_paystack_does(void **state)
{
    (void)state;
    static const int64_t test_ns[] = {HOUR};
    static const int64_t live_ns[] = {180 * WORLD_S, 180 * WORLD_S, 180 * WORLD_S, HOUR};
    for (uint32_t live = 0; live <= 1; live++) {
        struct world w;
        world_start(&w, true);
        assert_int_equal(opens(&w, WORLD_PAYBILL, 1, live == 1), OPERATOR_DONE);
        uint64_t number = charges(&w, "order-1", WORLD_ANNA);
        assert_int_equal(answers(&w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN), OPERATOR_DONE);
        assert_int_equal(live == 1 ? tried(&w, live_ns, 4) : tried(&w, test_ns, 1),
                         live == 1 ? 76 : 11);
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_belongs_to_one_business),
        cmocka_unit_test(a_charge_moves_money_with_the_pin),
        cmocka_unit_test(what_fails_is_not_told),
        cmocka_unit_test(what_was_initialized_waits_for_a_phone),
        cmocka_unit_test(a_rule_is_no_wait_for_a_phone),
        cmocka_unit_test(a_charge_is_refunded_once_and_whole),
        cmocka_unit_test(webhooks_are_tried_as_paystack_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
