/*
 * test_merchant_payouts.c - money that leaves the merchant book, in the pure core: held, posted or
 * released, each once; unknown stays held. Every shop is proved at its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/delivery_error.h"
#include "support/shop.h"

/* Marks and answers the request of a payout or refund. */
static void answer(struct shop *s, uint64_t number, uint16_t kind, enum observation_verdict verdict,
                   enum observation_reason reason)
{
    struct gateway_reading reading;
    enum book_outcome outcome;
    memset(&reading, 0, sizeof(reading));
    reading.answer.kind = OBSERVED_PAYOUT;
    reading.answer.source = OBSERVED_BY_SUBMISSION;
    reading.answer.verdict = verdict;
    reading.answer.reason = reason;
    reading.answer.reference = verdict == OBSERVED_IN_FLIGHT ? SPAN_LITERAL("AG_1") : SPAN_EMPTY;
    struct delivery_result_command c = {.number = shop_leaves(s, number, kind),
                                        .generation = s->book->generation,
                                        .status = verdict == OBSERVED_IN_FLIGHT ? 200 : 500,
                                        .retry_after_ms = -1,
                                        .reading = &reading};
    assert_true(shop_do(s, COMMAND_DELIVERY_RESULT, &c, &outcome) > 0);
}

static struct shop_claim result(enum observation_verdict verdict, const char *code)
{
    struct shop_claim c = {.source = OBSERVED_BY_CALLBACK,
                           .verdict = verdict,
                           .kind = OBSERVED_PAYOUT,
                           .code = code,
                           .amount_minor = verdict == OBSERVED_SUCCEEDED ? 5000 : 0,
                           .receipt = verdict == OBSERVED_SUCCEEDED ? "UA1A000050" : NULL,
                           .phone = SHOP_PHONE};
    return c;
}

static void test_held_until_a_definite_end(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    assert_int_equal(shop_pay_out(&s, SHOP_AMOUNT + 1, 0).refusal, GATEWAY_NO_MONEY);
    uint64_t n = shop_pay_out(&s, 5000, 0).number;
    assert_int_equal(shop_free(&s), SHOP_AMOUNT - 5000);
    assert_int_equal(shop_pay_out(&s, SHOP_AMOUNT - 4999, 0).refusal, GATEWAY_NO_MONEY);
    answer(&s, n, CALL_PAYOUT, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    shop_restart(&s);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_PENDING);
    shop_pass(&s, 1000000 * SHOP_S); /* nobody tells: still held, and asked about */
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_UNCONFIRMED);
    assert_true(shop_payment(&s, n)->attention);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT - 5000);
    assert_true(shop_take(&s, CALL_STATUS) > 0);
    assert_int_equal(shop_told(&s, FEED_PAYOUT_STUCK), 1);
    s.book->domain->check(s.book->domain_state);
    shop_end(&s);
}

static void test_released_and_paid_after_all(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    uint64_t n = shop_pay_out(&s, 5000, 0).number;
    answer(&s, n, CALL_PAYOUT, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    struct shop_claim failed = result(OBSERVED_FAILED, "2040");
    failed.reference = "AG_1";
    assert_int_equal(shop_claims(&s, n, &failed), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_FAILED);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT);
    struct shop_claim paid = result(OBSERVED_SUCCEEDED, "0");
    paid.reference = "AG_1";
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_SUCCEEDED);
    assert_true(shop_payment(&s, n)->late);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT - 5000);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT - 5000);
    assert_int_equal(shop_told(&s, FEED_PAYOUT_SUCCEEDED), 1);
    shop_end(&s);
}

static void test_never_sent_and_refused_release(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    uint64_t n = shop_pay_out(&s, 5000, 0).number;
    shop_pass(&s, 61 * SHOP_S); /* it cannot leave */
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_FAILED);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT);
    s.now_ns += SHOP_S;
    uint64_t m = shop_pay_out(&s, 5000, 0).number;
    uint64_t item = shop_take(&s, CALL_PAYOUT);
    if (item == shop_payment(&s, n)->item) { /* of the one before: withdrawn */
        shop_fail(&s, item, DELIVERY_WITHDRAWN);
    } else {
        outbox_return(&s.book->outbox, item);
    }
    answer(&s, m, CALL_PAYOUT, OBSERVED_REFUSED, OBSERVED_REASON_CREDENTIALS);
    assert_int_equal(shop_payment(&s, m)->state, GATEWAY_FAILED);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT);
    assert_int_equal(shop_told(&s, FEED_PAYOUT_FAILED), 2);
    shop_end(&s);
}

/* The provider has seen our id before: an earlier request arrived, so nothing is concluded. */
static void test_duplicate_is_unknown(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    uint64_t n = shop_pay_out(&s, 5000, 0).number;
    answer(&s, n, CALL_PAYOUT, OBSERVED_REFUSED, OBSERVED_REASON_DUPLICATE);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_UNCONFIRMED);
    assert_int_equal(shop_payment(&s, n)->reason, REASON_DUPLICATE);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT - 5000);
    assert_true(shop_take(&s, CALL_STATUS) > 0);
    shop_end(&s);
}

static void test_refund_once(void **state)
{
    (void)state;
    struct shop s;
    uint64_t n = shop_start_rich(&s);
    assert_int_equal(shop_pay_out(&s, 1, 99).refusal, GATEWAY_NOT_FOUND);
    uint64_t r = shop_pay_out(&s, 0, n).number;
    assert_int_equal(shop_pay_out(&s, 0, n).refusal, GATEWAY_EXISTS);
    assert_int_equal(shop_pay_out(&s, 0, r).refusal, GATEWAY_NOT_PAID);
    answer(&s, r, CALL_REVERSAL, OBSERVED_REFUSED, OBSERVED_REASON_CREDENTIALS);
    assert_int_equal(shop_payment(&s, r)->state, GATEWAY_FAILED);
    r = shop_pay_out(&s, 0, n).number; /* one that failed for certain may be asked for again */
    answer(&s, r, CALL_REVERSAL, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    shop_restart(&s);
    struct shop_claim done = result(OBSERVED_SUCCEEDED, "0");
    done.kind = OBSERVED_REFUND;
    done.amount_minor = SHOP_AMOUNT;
    done.reference = "AG_1";
    assert_int_equal(shop_claims(&s, r, &done), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, r)->state, GATEWAY_SUCCEEDED);
    assert_int_equal(shop_gateway(&s)->entered[GATEWAY_SUCCEEDED], 2);
    assert_int_equal(shop_gateway(&s)->paid, 1); /* a refund is none */
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
    assert_int_equal(shop_payment(&s, n)->reason, REASON_REFUNDED);
    assert_int_equal(shop_wallet(&s), 0);
    assert_int_equal(shop_clearing(&s), 0);
    assert_int_equal(shop_pay_out(&s, 0, n).refusal, GATEWAY_NOT_PAID);
    assert_int_equal(shop_create(&s, "INV-1", 0).refusal, GATEWAY_DONE); /* it may be paid anew */
    shop_end(&s);
}

/* A reversal as a statement has it: a receipt of its own, and that of what it takes back. */
static struct shop_claim reversal_line(const char *receipt)
{
    struct shop_claim c = {.source = OBSERVED_BY_STATEMENT,
                           .verdict = OBSERVED_SUCCEEDED,
                           .kind = OBSERVED_REFUND,
                           .reference = receipt,
                           .receipt = receipt,
                           .original = "UA1A000001",
                           .amount_minor = SHOP_AMOUNT,
                           .phone = SHOP_PHONE};
    return c;
}

static struct shop_claim reversal_result(enum observation_verdict verdict)
{
    struct shop_claim c = result(verdict, verdict == OBSERVED_SUCCEEDED ? "0" : "2001");
    c.kind = OBSERVED_REFUND;
    c.amount_minor = verdict == OBSERVED_SUCCEEDED ? SHOP_AMOUNT : 0;
    c.receipt = verdict == OBSERVED_SUCCEEDED ? "UA1R000001" : NULL;
    c.reference = "AG_1";
    return c;
}

static void assert_given_back_once(struct shop *s, uint64_t payment, uint64_t refund)
{
    assert_int_equal(shop_payment(s, payment)->state, GATEWAY_REVERSED);
    assert_int_equal(shop_payment(s, refund)->state, GATEWAY_SUCCEEDED);
    assert_int_equal(shop_wallet(s), 0);
    assert_int_equal(shop_free(s), 0);
    assert_int_equal(shop_clearing(s), 0);
    assert_int_equal(shop_told(s, FEED_PAYMENT_REVERSED), 1);
    assert_int_equal(shop_told(s, FEED_REFUND_SUCCEEDED), 1);
    assert_int_equal(shop_gateway(s)->last_discrepancy, 0);
}

/* The Result of our reversal is late, and the statement has it before: it is booked once, by the
 * refund, whether the line has a receipt of its own or stands under that of the payment. */
static void test_a_statement_tells_of_our_refund(void **state)
{
    (void)state;
    static const char *const receipts[] = {"UA1R000001", "UA1A000001"};
    for (int i = 0; i < 2; i++) {
        struct shop s;
        uint64_t n = shop_start_rich(&s);
        uint64_t r = shop_pay_out(&s, 0, n).number;
        answer(&s, r, CALL_REVERSAL, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
        struct shop_claim line = reversal_line(receipts[i]);
        assert_int_equal(shop_claims(&s, 0, &line), NOTICE_MOVED);
        assert_given_back_once(&s, n, r);
        assert_int_equal(shop_claims(&s, 0, &line), NOTICE_CONFIRMS);
        struct shop_claim late = reversal_result(OBSERVED_SUCCEEDED);
        assert_int_equal(shop_claims(&s, r, &late), i == 0 ? NOTICE_CONFIRMS : NOTICE_ENRICHES);
        assert_given_back_once(&s, n, r);
        shop_end(&s);
    }
}

/* The same of a refund that had failed, and that has left memory together with its payment. */
static void test_a_statement_tells_of_a_failed_refund(void **state)
{
    (void)state;
    struct shop s;
    uint64_t n = shop_start_rich(&s);
    shop_with_attic(&s);
    uint64_t r = shop_pay_out(&s, 0, n).number;
    answer(&s, r, CALL_REVERSAL, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    struct shop_claim failed = reversal_result(OBSERVED_FAILED);
    assert_int_equal(shop_claims(&s, r, &failed), NOTICE_MOVED);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT);
    shop_pass(&s, 7200 * SHOP_S);
    assert_int_equal(shop_clear(&s, 3600 * SHOP_S, false), 2);
    struct shop_claim line = reversal_line("UA1R000001");
    assert_int_equal(shop_claims(&s, 0, &line), NOTICE_MOVED);
    assert_true(shop_payment(&s, r)->late);
    assert_given_back_once(&s, n, r);
    struct shop_claim late = reversal_result(OBSERVED_SUCCEEDED);
    assert_int_equal(shop_claims(&s, r, &late), NOTICE_CONFIRMS);
    assert_given_back_once(&s, n, r);
    shop_end(&s);
}

/* Somebody else takes the payment back before our refund has left: it never leaves. And what an
 * older refund says, when a newer one is under way, is not said of both. */
static void test_taken_back_beside_a_refund(void **state)
{
    (void)state;
    struct shop s;
    uint64_t n = shop_start_rich(&s);
    uint64_t r = shop_pay_out(&s, 0, n).number;
    struct shop_claim line = reversal_line("UA1R000001");
    assert_int_equal(shop_claims(&s, 0, &line), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
    assert_int_equal(shop_payment(&s, r)->state, GATEWAY_FAILED);
    assert_int_equal(gateway_push_may_leave(shop_gateway(&s), r), PUSH_OVER);
    assert_int_equal(shop_free(&s), 0);
    assert_int_equal(shop_clearing(&s), 0);
    struct shop_claim odd = reversal_result(OBSERVED_SUCCEEDED);
    odd.reference = NULL;
    assert_int_equal(shop_claims(&s, r, &odd), NOTICE_CONTRADICTS);
    assert_int_equal(shop_clearing(&s), 0);
    shop_end(&s);

    n = shop_start_rich(&s);
    r = shop_pay_out(&s, 0, n).number;
    answer(&s, r, CALL_REVERSAL, OBSERVED_REFUSED, OBSERVED_REASON_CREDENTIALS);
    uint64_t again = shop_pay_out(&s, 0, n).number;
    answer(&s, again, CALL_REVERSAL, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    odd.receipt = "UA1R000002";
    assert_int_equal(shop_claims(&s, r, &odd), NOTICE_MOVED); /* of the first, after all */
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
    struct shop_claim late = reversal_result(OBSERVED_SUCCEEDED);
    assert_int_equal(shop_claims(&s, again, &late), NOTICE_CONTRADICTS);
    assert_int_equal(shop_wallet(&s), 0);
    assert_int_equal(shop_clearing(&s), 0);
    shop_end(&s);
}

/* "It failed", of a refund that is named by its payment alone, is delivered again when another one
 * is under way: that is not said of the new one, whose money stays held until it has ended. */
static void test_an_old_refunds_word_again(void **state)
{
    (void)state;
    struct shop s;
    uint64_t n = shop_start_rich(&s);
    uint64_t r = shop_pay_out(&s, 0, n).number;
    answer(&s, r, CALL_REVERSAL, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE);
    struct shop_claim failed = {.source = OBSERVED_BY_WEBHOOK,
                                .verdict = OBSERVED_FAILED,
                                .kind = OBSERVED_REFUND,
                                .reference = "ws_CO_1"};
    assert_int_equal(shop_claims(&s, 0, &failed), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, r)->state, GATEWAY_FAILED);
    uint64_t again = shop_pay_out(&s, 0, n).number;
    answer(&s, again, CALL_REVERSAL, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(shop_claims(&s, 0, &failed), NOTICE_CONFIRMS);
        assert_int_equal(shop_payment(&s, again)->state, GATEWAY_UNCONFIRMED);
        assert_int_equal(shop_free(&s), 0);
        shop_restart(&s);
    }
    struct shop_claim done = failed;
    done.verdict = OBSERVED_SUCCEEDED;
    done.amount_minor = SHOP_AMOUNT;
    assert_int_equal(shop_claims(&s, 0, &done), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->refund, again);
    assert_given_back_once(&s, n, again);
    shop_end(&s);
}

/* The same when the old refund has left memory, while its payment is kept here by the new one. */
static void test_the_word_of_a_refund_that_left(void **state)
{
    (void)state;
    struct shop s;
    uint64_t n = shop_start_rich(&s);
    shop_with_attic(&s);
    uint64_t r = shop_pay_out(&s, 0, n).number;
    answer(&s, r, CALL_REVERSAL, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE);
    struct shop_claim failed = {.source = OBSERVED_BY_WEBHOOK,
                                .verdict = OBSERVED_FAILED,
                                .kind = OBSERVED_REFUND,
                                .reference = "ws_CO_1"};
    assert_int_equal(shop_claims(&s, 0, &failed), NOTICE_MOVED);
    shop_fail(&s, shop_take(&s, CALL_STATUS), DELIVERY_TIMEOUT);
    shop_pass(&s, 7200 * SHOP_S);
    (void)shop_clear(&s, 0, false);
    uint64_t again = shop_pay_out(&s, 0, n).number;
    answer(&s, again, CALL_REVERSAL, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE);
    (void)shop_clear(&s, 0, false);
    assert_int_equal(map_get(&shop_gateway(&s)->by_number, r), MAP_NONE);
    assert_int_equal(shop_claims(&s, 0, &failed), NOTICE_CONFIRMS);
    assert_int_equal(shop_payment(&s, again)->state, GATEWAY_UNCONFIRMED);
    assert_int_equal(shop_free(&s), 0);
    shop_end(&s);
}

/* A payout that came back stays succeeded, and a person gets it to see, whether the line has a
 * receipt of its own or stands under that of the payout. */
static void test_a_payout_came_back(void **state)
{
    (void)state;
    static const char *const receipts[] = {"UA1R000001", "UA1A000050"};
    for (int i = 0; i < 2; i++) {
        struct shop s;
        (void)shop_start_rich(&s);
        uint64_t n = shop_pay_out(&s, 5000, 0).number;
        answer(&s, n, CALL_PAYOUT, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
        struct shop_claim paid = result(OBSERVED_SUCCEEDED, "0");
        paid.reference = "AG_1";
        assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
        struct shop_claim line = reversal_line(receipts[i]);
        line.original = "UA1A000050";
        line.amount_minor = 5000;
        assert_int_equal(shop_claims(&s, 0, &line), NOTICE_CONTRADICTS);
        assert_int_equal(shop_claims(&s, 0, &line), NOTICE_CONTRADICTS);
        const struct gateway_discrepancy *d = gateway_discrepancy(shop_gateway(&s), 1);
        assert_non_null(d);
        assert_int_equal(d->kind, DISCREPANCY_REVERSAL);
        assert_int_equal(d->payment, n);
        assert_int_equal(shop_told(&s, FEED_DISCREPANCY_OPENED), 1);
        assert_int_equal(shop_payment(&s, n)->state, GATEWAY_SUCCEEDED);
        assert_int_equal(shop_wallet(&s), SHOP_AMOUNT - 5000);
        shop_end(&s);
    }
}

static enum gateway_refusal release(struct shop *s, uint64_t payment)
{
    struct payment_command c = {.number = payment};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    (void)shop_do(s, COMMAND_PAYMENT_RELEASE, &c, &reply);
    return reply.refusal;
}

/* R5.7: escrow is not released while a refund may give it back; after one that failed it is, also
 * when that has left memory. If it succeeds after all, its money is where the release put it. */
static void test_escrow_after_a_failed_refund(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    shop_with_attic(&s);
    const uint32_t escrow = gateway_merchant(shop_gateway(&s), 0)->escrow;
    uint64_t n = shop_escrow(&s, "INV-1");
    shop_answer(&s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_1");
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    uint64_t r = shop_pay_out(&s, 0, n).number;
    answer(&s, r, CALL_REVERSAL, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    assert_int_equal(release(&s, n), GATEWAY_NOT_HELD);
    struct shop_claim failed = reversal_result(OBSERVED_FAILED);
    assert_int_equal(shop_claims(&s, r, &failed), NOTICE_MOVED);
    shop_pass(&s, 7200 * SHOP_S);
    assert_int_equal(shop_clear(&s, 3600 * SHOP_S, false), 1); /* the refund */
    assert_int_equal(release(&s, n), GATEWAY_DONE);
    assert_int_equal(gateway_balance(shop_gateway(&s), escrow), 0);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    struct shop_claim late = reversal_result(OBSERVED_SUCCEEDED);
    assert_int_equal(shop_claims(&s, r, &late), NOTICE_MOVED);
    assert_int_equal(gateway_balance(shop_gateway(&s), escrow), 0);
    assert_given_back_once(&s, n, r);
    shop_end(&s);
}

/* R6.12: asked for at Daraja's own paths. Its application is told once that it waits in the
 * provider's queue, and of each end; over a restart, too. */
static void test_front_is_told(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    const struct payout_command c = {.amount_minor = 5000,
                                     .phone = SHOP_PHONE,
                                     .reference = SPAN_LITERAL("wage-1#2"),
                                     .key = {9},
                                     .token = {9},
                                     .front = {.url = SPAN_LITERAL("http://app.example/result"),
                                               .reference = SPAN_LITERAL("wage-1"),
                                               .target = 77,
                                               .late_url = SPAN_LITERAL("http://app.example/late"),
                                               .late_target = 78,
                                               .command = 2,
                                               .occasion = SPAN_LITERAL("March")}};
    assert_true(shop_do(&s, COMMAND_PAYOUT_CREATE, &c, &reply) > 0);
    uint64_t n = reply.number;
    assert_int_equal(shop_payment(&s, n)->command, 2);
    answer(&s, n, CALL_PAYOUT, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    struct shop_claim waits = result(OBSERVED_UNKNOWN, "0");
    waits.reference = "AG_1";
    waits.reason = OBSERVED_REASON_BUSY;
    assert_int_equal(shop_claims(&s, n, &waits), NOTICE_IN_FLIGHT);
    uint64_t late = shop_take(&s, MESSAGE_LATE);
    assert_true(late != 0 && late == shop_payment(&s, n)->late_item);
    shop_restart(&s);
    waits.code = "1";
    assert_int_equal(shop_claims(&s, n, &waits), NOTICE_IN_FLIGHT);
    assert_int_equal(shop_payment(&s, n)->late_item, late);
    assert_int_equal(shop_take(&s, MESSAGE_FORWARD), 0);
    struct shop_claim paid = result(OBSERVED_SUCCEEDED, "0");
    paid.reference = "AG_1";
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    assert_int_equal(shop_take(&s, MESSAGE_FORWARD), shop_payment(&s, n)->front_item);
    waits.code = "2"; /* too late to say so */
    (void)shop_claims(&s, n, &waits);
    assert_int_equal(shop_payment(&s, n)->late_item, late);
    shop_replay(&s);
    assert_true(span_is(gateway_text(shop_gateway(&s), shop_payment(&s, n)->occasion), "March"));
    shop_end(&s);
}

/* ---- sent again under the same id ---- */

static uint8_t no_trace(struct shop *s, uint64_t number)
{
    struct shop_claim c = {.source = OBSERVED_BY_STATUS,
                           .verdict = OBSERVED_UNKNOWN,
                           .reason = OBSERVED_REASON_NOT_FOUND,
                           .code = "R000002"};
    return shop_claims(s, number, &c);
}

static void mark(struct shop *s, uint64_t number)
{
    struct payment_command sending = {.number = number};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    assert_true(shop_do(s, COMMAND_PAYMENT_SENDING, &sending, &reply) > 0);
}

/* Marked, and then the process is killed; after the restart it is reported as interrupted. */
static void interrupt(struct shop *s, uint64_t number)
{
    assert_true(shop_take(s, CALL_PAYOUT) > 0);
    mark(s, number);
    shop_replay(s);
    assert_int_equal(gateway_push_may_leave(shop_gateway(s), number), PUSH_INTERRUPTED);
    uint64_t item = shop_take(s, CALL_PAYOUT);
    assert_int_equal(item, shop_payment(s, number)->item);
    shop_fail(s, item, DELIVERY_INTERRUPTED);
    assert_int_equal(shop_payment(s, number)->state, GATEWAY_UNCONFIRMED);
}

/* A kill between mark and sending leaves a payout that never left: the provider has no trace of
 * it, and it leaves again. Killed again in the middle of that, once more; then it is paid. */
static void test_no_trace_of_it(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    uint64_t n = shop_pay_out(&s, 5000, 0).number;
    uint64_t first = shop_payment(&s, n)->item;
    interrupt(&s, n);
    assert_int_equal(gateway_push_may_leave(shop_gateway(&s), n), PUSH_OVER);
    assert_int_equal(no_trace(&s, n), NOTICE_IN_FLIGHT);
    uint64_t second = shop_payment(&s, n)->item;
    assert_true(second > first);
    assert_int_equal(gateway_push_may_leave(shop_gateway(&s), n), PUSH_MARK);
    assert_int_equal(no_trace(&s, n), NOTICE_IN_FLIGHT); /* told twice: it is on its way */
    assert_int_equal(shop_payment(&s, n)->item, second);
    interrupt(&s, n);
    assert_int_equal(no_trace(&s, n), NOTICE_IN_FLIGHT);
    assert_int_equal(shop_payment(&s, n)->resent, 2);
    shop_restart(&s);
    answer(&s, n, CALL_PAYOUT, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    assert_int_equal(no_trace(&s, n), NOTICE_IN_FLIGHT); /* late: it has an id by now */
    assert_int_equal(shop_payment(&s, n)->resent, 2);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT - 5000); /* held all the while, once */
    struct shop_claim paid = result(OBSERVED_SUCCEEDED, "0");
    paid.reference = "AG_1";
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT - 5000);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT - 5000);
    assert_int_equal(no_trace(&s, n), NOTICE_IN_FLIGHT);
    assert_int_equal(shop_take(&s, CALL_PAYOUT), 0);
    shop_end(&s);
}

/* The first one had arrived: "duplicate" leaves it unknown, and the next question finds it. What
 * cannot be reached fails for certain only when nothing was sent before. */
static void test_sent_again_and_seen_before(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    uint64_t n = shop_pay_out(&s, 5000, 0).number;
    interrupt(&s, n);
    assert_int_equal(no_trace(&s, n), NOTICE_IN_FLIGHT);
    answer(&s, n, CALL_PAYOUT, OBSERVED_REFUSED, OBSERVED_REASON_DUPLICATE);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_UNCONFIRMED);
    struct shop_claim status = result(OBSERVED_SUCCEEDED, NULL);
    status.source = OBSERVED_BY_STATUS;
    assert_int_equal(shop_claims(&s, n, &status), NOTICE_MOVED);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT - 5000);
    uint64_t m = shop_pay_out(&s, 5000, 0).number;
    interrupt(&s, m);
    for (uint8_t i = 1; i <= GATEWAY_RESENT_MAX; i++) {
        assert_int_equal(no_trace(&s, m), NOTICE_IN_FLIGHT);
        assert_int_equal(shop_payment(&s, m)->resent, i);
        if (i == 1) {
            mark(&s, m);
            shop_fail(&s, shop_take(&s, CALL_PAYOUT), DELIVERY_CONNECT);
            shop_pass(&s, 2 * SHOP_S);
            assert_false(shop_payment(&s, m)->sending);
        }
        answer(&s, m, CALL_PAYOUT, OBSERVED_REFUSED, OBSERVED_REASON_REQUEST);
        assert_int_equal(shop_payment(&s, m)->state, GATEWAY_UNCONFIRMED); /* never failed */
    }
    assert_int_equal(no_trace(&s, m), NOTICE_IN_FLIGHT); /* a person, in the end */
    assert_int_equal(shop_payment(&s, m)->resent, GATEWAY_RESENT_MAX);
    assert_int_equal(shop_take(&s, CALL_PAYOUT), 0);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT - 10000);
    shop_end(&s);
}

/* The same after so long that the timer is first: it is unconfirmed before anybody reports it as
 * interrupted, and what waits for it in the outbox is withdrawn. */
static void test_no_trace_after_a_long_outage(void **state)
{
    (void)state;
    struct shop s;
    (void)shop_start_rich(&s);
    uint64_t n = shop_pay_out(&s, 5000, 0).number;
    assert_true(shop_take(&s, CALL_PAYOUT) > 0);
    mark(&s, n);
    shop_replay(&s);
    shop_pass(&s, 120 * SHOP_S);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_UNCONFIRMED);
    assert_int_equal(shop_payment(&s, n)->reason, REASON_NO_CALLBACK);
    assert_int_equal(gateway_push_may_leave(shop_gateway(&s), n), PUSH_OVER);
    assert_int_equal(no_trace(&s, n), NOTICE_IN_FLIGHT); /* it may be leaving at this moment */
    assert_int_equal(shop_payment(&s, n)->resent, 0);
    shop_fail(&s, shop_take(&s, CALL_PAYOUT), DELIVERY_WITHDRAWN);
    assert_int_equal(no_trace(&s, n), NOTICE_IN_FLIGHT);
    assert_int_equal(shop_payment(&s, n)->resent, 1);
    answer(&s, n, CALL_PAYOUT, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    struct shop_claim paid = result(OBSERVED_SUCCEEDED, "0");
    paid.reference = "AG_1";
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT - 5000);
    assert_int_equal(shop_free(&s), SHOP_AMOUNT - 5000);
    shop_end(&s);
}

/* A refund has no id that the provider would recognise. */
static void test_a_refund_is_never_sent_again(void **state)
{
    (void)state;
    struct shop s;
    struct payment_command sending = {0};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    uint64_t n = shop_pay_out(&s, 0, shop_start_rich(&s)).number;
    sending.number = n;
    uint64_t item = shop_take(&s, CALL_REVERSAL);
    assert_true(shop_do(&s, COMMAND_PAYMENT_SENDING, &sending, &reply) > 0);
    shop_fail(&s, item, DELIVERY_INTERRUPTED);
    assert_int_equal(no_trace(&s, n), NOTICE_IN_FLIGHT);
    assert_int_equal(shop_payment(&s, n)->item, item);
    assert_int_equal(shop_take(&s, CALL_REVERSAL), 0);
    shop_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_until_a_definite_end),
        cmocka_unit_test(test_no_trace_of_it),
        cmocka_unit_test(test_no_trace_after_a_long_outage),
        cmocka_unit_test(test_sent_again_and_seen_before),
        cmocka_unit_test(test_a_refund_is_never_sent_again),
        cmocka_unit_test(test_released_and_paid_after_all),
        cmocka_unit_test(test_never_sent_and_refused_release),
        cmocka_unit_test(test_duplicate_is_unknown),
        cmocka_unit_test(test_refund_once),
        cmocka_unit_test(test_a_statement_tells_of_our_refund),
        cmocka_unit_test(test_a_statement_tells_of_a_failed_refund),
        cmocka_unit_test(test_taken_back_beside_a_refund),
        cmocka_unit_test(test_an_old_refunds_word_again),
        cmocka_unit_test(test_the_word_of_a_refund_that_left),
        cmocka_unit_test(test_escrow_after_a_failed_refund),
        cmocka_unit_test(test_a_payout_came_back),
        cmocka_unit_test(test_front_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
