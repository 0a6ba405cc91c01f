/*
 * test_merchant_unknown.c - a person decides about what nobody could find out (R4.4): a push, a
 * payout, a refund; accepted under the receipt that was seen at the provider, or rejected when
 * nothing of it is under way. A hold ends once, and what the provider says later counts more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/delivery_error.h"
#include "support/shop.h"

enum { LONG_S = 1000 * 1000, PAID_OUT = 5000 };

/* A payout, or a refund of a payment, that has left; nobody has answered yet. */
static uint64_t left(struct shop *s, uint64_t refunds)
{
    struct gateway_reply reply = shop_pay_out(s, PAID_OUT, refunds);
    assert_int_equal(reply.refusal, GATEWAY_DONE);
    (void)shop_leaves(s, reply.number, refunds != 0 ? CALL_REVERSAL : CALL_PAYOUT);
    return reply.number;
}

/* What becomes of it: the answer is lost, and all questions are in vain, up to the last. */
static void nobody_knows(struct shop *s, uint64_t number, uint16_t question)
{
    shop_fail(s, shop_payment(s, number)->item, DELIVERY_TIMEOUT);
    assert_int_equal(shop_payment(s, number)->state, GATEWAY_UNCONFIRMED);
    shop_pass(s, (int64_t)LONG_S * SHOP_S);
    assert_true(shop_payment(s, number)->attention);
    shop_fail_all(s, question);
}

static struct judgement_command about(uint64_t number, uint8_t judgement, int64_t amount_minor,
                                      const char *receipt)
{
    struct judgement_command c = {.number = number,
                                  .judgement = judgement,
                                  .amount_minor = amount_minor,
                                  .receipt = receipt == NULL ? SPAN_EMPTY : span_from(receipt),
                                  .judge = SPAN_LITERAL("Wanjiru"),
                                  .note = SPAN_LITERAL("seen in the portal")};
    return c;
}

static enum gateway_refusal decide(struct shop *s, const struct judgement_command *c)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    uint64_t position = shop_do(s, COMMAND_PAYMENT_JUDGE, c, &reply);
    assert_true((position > 0) == (reply.refusal == GATEWAY_DONE));
    return reply.refusal;
}

static enum gateway_refusal accept(struct shop *s, uint64_t number, int64_t amount_minor,
                                   const char *receipt)
{
    struct judgement_command c = about(number, JUDGEMENT_ACCEPT, amount_minor, receipt);
    return decide(s, &c);
}

static enum gateway_refusal reject(struct shop *s, uint64_t number)
{
    struct judgement_command c = about(number, JUDGEMENT_REJECT, 0, NULL);
    return decide(s, &c);
}

static void assert_decided(const struct shop *s, uint64_t number, uint8_t state)
{
    const struct gateway_payment *p = shop_payment(s, number);
    assert_int_equal(p->state, state);
    assert_int_equal(p->reason, REASON_PERSON);
    assert_int_equal(p->source, 0);
    assert_false(p->attention);
    assert_true(span_is(gateway_text(shop_gateway(s), p->judge), "Wanjiru"));
    assert_true(span_is(gateway_text(shop_gateway(s), p->judge_note), "seen in the portal"));
}

static void test_a_payout_that_left(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    uint64_t n = left(&s, 0);
    assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000050"), GATEWAY_NOT_WAITING); /* submitted */
    assert_int_equal(reject(&s, n), GATEWAY_NOT_WAITING);
    nobody_knows(&s, n, CALL_STATUS);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT - PAID_OUT);
    assert_int_equal(accept(&s, n, PAID_OUT, NULL), GATEWAY_RECEIPT_WRONG);
    assert_int_equal(accept(&s, n, PAID_OUT + 1, "UA1A000050"), GATEWAY_AMOUNT_DIFFERS);
    assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000001"), GATEWAY_NOT_OURS); /* what came in */
    struct judgement_command c = about(n, JUDGEMENT_REFUND, PAID_OUT, "UA1A000050");
    assert_int_equal(decide(&s, &c), GATEWAY_NOT_WAITING);
    assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000050"), GATEWAY_DONE);
    for (int i = 0; i < 3; i++) { /* as it is, after a restart, after a kill */
        assert_decided(&s, n, GATEWAY_SUCCEEDED);
        assert_int_equal(shop_free(&s), SHOP_AMOUNT - PAID_OUT);
        assert_int_equal(shop_wallet(&s), SHOP_AMOUNT - PAID_OUT);
        assert_int_equal(shop_clearing(&s), SHOP_AMOUNT - PAID_OUT);
        assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000050"), GATEWAY_REPEATED);
        assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000051"), GATEWAY_JUDGED);
        assert_int_equal(reject(&s, n), GATEWAY_JUDGED);
        if (i == 0) {
            shop_restart(&s);
        } else {
            shop_replay(&s);
        }
    }
    assert_int_equal(shop_told(&s, FEED_PAYOUT_SUCCEEDED), 1);
    shop_end(&s);
}

/* The statement says so later: the same money, once. */
static void test_the_statement_agrees(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    uint64_t n = left(&s, 0);
    nobody_knows(&s, n, CALL_STATUS);
    struct shop_claim line = {.source = OBSERVED_BY_STATEMENT,
                              .verdict = OBSERVED_SUCCEEDED,
                              .kind = OBSERVED_PAYOUT,
                              .reference = "UA1A000050",
                              .receipt = "UA1A000050",
                              .amount_minor = PAID_OUT,
                              .phone = SHOP_PHONE};
    assert_int_equal(shop_claims(&s, 0, &line), NOTICE_ORPHAN); /* it names nothing that we know */
    assert_int_equal(shop_told(&s, FEED_DISCREPANCY_OPENED), 1);
    assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000050"), GATEWAY_DONE);
    assert_int_equal(shop_told(&s, FEED_DISCREPANCY_RESOLVED), 1);
    assert_int_equal(gateway_discrepancy(shop_gateway(&s), 1)->reason, DISCREPANCY_IS_CORRECTED);
    assert_int_equal(shop_claims(&s, 0, &line), NOTICE_CONFIRMS);
    assert_int_equal(shop_claims(&s, n, &line), NOTICE_CONFIRMS);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT - PAID_OUT);
    shop_end(&s);
}

/* Rejected: the hold is released; and when it was paid after all, that counts. */
static void test_a_payout_that_did_not_leave(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct shop s;
        (void)shop_start_rich(&s);
        uint64_t n = left(&s, 0);
        shop_fail(&s, shop_payment(&s, n)->item, DELIVERY_TIMEOUT);
        assert_int_equal(reject(&s, n), GATEWAY_STILL_ASKED); /* nobody has looked for long */
        shop_pass(&s, (int64_t)LONG_S * SHOP_S);
        assert_int_equal(reject(&s, n), GATEWAY_STILL_ASKED); /* the last question is out */
        shop_fail_all(&s, CALL_STATUS);
        struct judgement_command c = about(n, JUDGEMENT_REJECT, 0, "UA1A000050");
        assert_int_equal(decide(&s, &c), GATEWAY_RECEIPT_WRONG);
        assert_int_equal(reject(&s, n), GATEWAY_DONE);
        shop_replay(&s);
        assert_decided(&s, n, GATEWAY_FAILED);
        assert_int_equal(reject(&s, n), GATEWAY_REPEATED);
        assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000050"), GATEWAY_JUDGED);
        assert_int_equal(shop_free(&s), SHOP_AMOUNT);
        assert_int_equal(shop_clearing(&s), SHOP_AMOUNT);
        assert_int_equal(shop_told(&s, FEED_PAYOUT_FAILED), 1);
        struct shop_claim paid = {.source = OBSERVED_BY_CALLBACK,
                                  .verdict = OBSERVED_SUCCEEDED,
                                  .kind = OBSERVED_PAYOUT,
                                  .amount_minor = PAID_OUT,
                                  .receipt = "UA1A000050",
                                  .phone = SHOP_PHONE};
        if (late == 1) {
            assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
            assert_int_equal(shop_payment(&s, n)->state, GATEWAY_SUCCEEDED);
            assert_true(shop_payment(&s, n)->late);
            assert_int_equal(shop_clearing(&s), SHOP_AMOUNT - PAID_OUT);
        }
        shop_end(&s);
    }
}

/* What left and is mismatched kept its hold for ever: now a person ends it; but not against the
 * provider's own word. */
static void test_a_payout_that_is_mismatched(void **state)
{
    (void)state;
    for (int proven = 0; proven < 2; proven++) {
        struct shop s;
        (void)shop_start_rich(&s);
        uint64_t n = left(&s, 0);
        struct shop_claim other = {.source = proven ? OBSERVED_BY_STATEMENT : OBSERVED_BY_CALLBACK,
                                   .verdict = OBSERVED_SUCCEEDED,
                                   .kind = OBSERVED_PAYOUT,
                                   .amount_minor = PAID_OUT - 100,
                                   .receipt = "UA1A000050",
                                   .phone = SHOP_PHONE};
        assert_int_equal(shop_claims(&s, n, &other), NOTICE_MOVED);
        assert_int_equal(shop_payment(&s, n)->state, GATEWAY_MISMATCHED);
        shop_fail(&s, shop_payment(&s, n)->item, DELIVERY_TIMEOUT);
        assert_int_equal(shop_free(&s), SHOP_AMOUNT - PAID_OUT);
        assert_int_equal(accept(&s, n, PAID_OUT - 100, "UA1A000050"), GATEWAY_AMOUNT_DIFFERS);
        assert_int_equal(reject(&s, n), proven ? GATEWAY_MONEY_CAME : GATEWAY_DONE);
        if (proven) {
            assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000050"), GATEWAY_DONE);
        }
        shop_replay(&s);
        assert_decided(&s, n, proven ? GATEWAY_SUCCEEDED : GATEWAY_FAILED);
        assert_int_equal(shop_free(&s), SHOP_AMOUNT - (proven ? PAID_OUT : 0));
        assert_int_equal(shop_clearing(&s), SHOP_AMOUNT - (proven ? PAID_OUT : 0));
        shop_end(&s);
    }
}

/* The payment that it gives back goes with it; and not twice. */
static void test_a_refund(void **state)
{
    (void)state;
    for (int taken_back = 0; taken_back < 2; taken_back++) {
        struct shop s;
        uint64_t paid = shop_start_rich(&s);
        uint64_t n = left(&s, paid);
        nobody_knows(&s, n, CALL_STATUS);
        assert_int_equal(accept(&s, n, SHOP_AMOUNT, "UA1A000001"), GATEWAY_NOT_OURS);
        if (taken_back == 1) { /* by another reversal than ours, which is booked */
            struct shop_claim row = {.source = OBSERVED_BY_STATEMENT,
                                     .verdict = OBSERVED_SUCCEEDED,
                                     .kind = OBSERVED_REFUND,
                                     .reference = "UA1R000002",
                                     .receipt = "UA1R000002",
                                     .original = "UA1A000001",
                                     .amount_minor = SHOP_AMOUNT,
                                     .phone = SHOP_PHONE};
            assert_int_equal(shop_claims(&s, 0, &row), NOTICE_MOVED); /* it is ours, then */
            assert_int_equal(shop_payment(&s, n)->state, GATEWAY_SUCCEEDED);
            assert_int_equal(accept(&s, n, SHOP_AMOUNT, "UA1R000001"), GATEWAY_NOT_WAITING);
        } else {
            assert_int_equal(accept(&s, n, SHOP_AMOUNT, "UA1R000001"), GATEWAY_DONE);
            assert_decided(&s, n, GATEWAY_SUCCEEDED);
        }
        shop_replay(&s);
        assert_int_equal(shop_payment(&s, paid)->state, GATEWAY_REVERSED);
        assert_int_equal(shop_wallet(&s), 0);
        assert_int_equal(shop_clearing(&s), 0);
        assert_int_equal(shop_told(&s, FEED_REFUND_SUCCEEDED), 1);
        assert_int_equal(shop_told(&s, FEED_PAYMENT_REVERSED), 1);
        shop_end(&s);
    }
}

/* A push whose answer was lost: no id, no callback, nothing that could be asked about. */
static uint64_t lost_push(struct shop *s)
{
    uint64_t n = shop_pay(s, "INV-9");
    (void)shop_leaves(s, n, CALL_PUSH);
    return n;
}

static void test_a_push(void **state)
{
    (void)state;
    for (uint8_t judgement = JUDGEMENT_ACCEPT; judgement <= JUDGEMENT_REJECT; judgement++) {
        struct shop s;
        shop_start(&s);
        uint64_t n = lost_push(&s);
        nobody_knows(&s, n, CALL_QUERY);
        bool booked = judgement != JUDGEMENT_REJECT;
        struct judgement_command c =
            about(n, judgement, booked ? SHOP_AMOUNT : 0, booked ? "UA1A000009" : NULL);
        assert_int_equal(decide(&s, &c), GATEWAY_DONE);
        shop_replay(&s);
        assert_decided(&s, n, booked ? GATEWAY_SUCCEEDED : GATEWAY_FAILED);
        assert_int_equal(shop_clearing(&s), booked ? SHOP_AMOUNT : 0);
        assert_int_equal(shop_wallet(&s), booked ? SHOP_AMOUNT : 0);
        assert_int_equal(shop_told(&s, FEED_REFUND_PROPOSED), judgement == JUDGEMENT_REFUND);
        struct gateway_reply again = shop_create(&s, "INV-9", 0);
        assert_int_equal(again.refusal, booked ? GATEWAY_ORDER_PAID : GATEWAY_DONE);
        shop_end(&s);
    }
}

/* Its confirmation lies in suspense: the money came, and is booked once. */
static void test_a_push_whose_money_came_by_itself(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = lost_push(&s);
    nobody_knows(&s, n, CALL_QUERY);
    struct shop_claim came = {.source = OBSERVED_BY_CALLBACK,
                              .verdict = OBSERVED_SUCCEEDED,
                              .kind = OBSERVED_RECEIPT,
                              .reference = "UA1A000009",
                              .receipt = "UA1A000009",
                              .amount_minor = SHOP_AMOUNT};
    assert_int_equal(shop_claims(&s, 0, &came), NOTICE_MOVED);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT);
    assert_int_equal(accept(&s, n, SHOP_AMOUNT, "UA1A000009"), GATEWAY_DONE);
    shop_replay(&s);
    assert_decided(&s, n, GATEWAY_SUCCEEDED);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT); /* not twice */
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    assert_int_equal(shop_told(&s, FEED_RECEIPT_TAKEN_BACK), 1);
    shop_end(&s);
}

/* The payment whose receipt it would take has left memory. */
static void test_what_it_names_comes_home(void **state)
{
    (void)state;
    struct shop s;
    uint64_t paid = shop_start_rich(&s);
    shop_with_attic(&s);
    uint64_t n = left(&s, 0);
    nobody_knows(&s, n, CALL_STATUS);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000001"), GATEWAY_NOT_OURS);
    assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000050"), GATEWAY_DONE);
    assert_int_equal(shop_payment(&s, paid)->state, GATEWAY_SUCCEEDED);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT - PAID_OUT);
    assert_true(shop_clear(&s, 0, false) > 0); /* and it can leave with what was decided */
    assert_int_equal(accept(&s, n, PAID_OUT, "UA1A000050"), GATEWAY_REPEATED);
    shop_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_payout_that_left),
        cmocka_unit_test(test_the_statement_agrees),
        cmocka_unit_test(test_a_payout_that_did_not_leave),
        cmocka_unit_test(test_a_payout_that_is_mismatched),
        cmocka_unit_test(test_a_refund),
        cmocka_unit_test(test_a_push),
        cmocka_unit_test(test_a_push_whose_money_came_by_itself),
        cmocka_unit_test(test_what_it_names_comes_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
