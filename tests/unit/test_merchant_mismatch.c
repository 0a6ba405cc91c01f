/*
 * test_merchant_mismatch.c - a person decides about a payment whose money is not as we asked
 * (R6.10): accepted with what came, given back, or rejected; booked to the cent, once, and decided
 * about once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "support/shop.h"

enum { CAME = 14900 }; /* cents, of SHOP_AMOUNT */

static int64_t balance(const struct shop *s, bool escrow)
{
    const struct gateway_merchant *m = gateway_merchant(shop_gateway(s), 0);
    return gateway_balance(shop_gateway(s), escrow ? m->escrow : m->suspense);
}

/* "Paid", but `amount_minor`, by a callback or who else. */
static struct shop_claim wrong(enum observation_source source, int64_t amount_minor)
{
    struct shop_claim c = shop_paid();
    c.source = source;
    c.amount_minor = amount_minor;
    return c;
}

static uint64_t mismatched(struct shop *s, const char *order)
{
    uint64_t n = shop_pending(s, order);
    struct shop_claim c = wrong(OBSERVED_BY_CALLBACK, CAME);
    assert_int_equal(shop_claims(s, n, &c), NOTICE_MOVED);
    assert_int_equal(shop_payment(s, n)->state, GATEWAY_MISMATCHED);
    return n;
}

static enum gateway_refusal decide(struct shop *s, uint64_t number, uint8_t judgement,
                                   int64_t amount_minor)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct judgement_command c = {.number = number,
                                  .judgement = judgement,
                                  .amount_minor = amount_minor,
                                  .judge = SPAN_LITERAL("Wanjiru"),
                                  .note = SPAN_LITERAL("agreed by phone")};
    uint64_t position = shop_do(s, COMMAND_PAYMENT_JUDGE, &c, &reply);
    assert_true((position > 0) == (reply.refusal == GATEWAY_DONE));
    return reply.refusal;
}

/* The same money as a C2B confirmation or a row says it. */
static uint8_t arrives_by(struct shop *s, enum observation_source source, const char *receipt,
                          const char *order, int64_t amount_minor)
{
    struct observation o;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    char body[64];
    memset(&o, 0, sizeof(o));
    o.kind = OBSERVED_RECEIPT;
    o.source = source;
    o.verdict = OBSERVED_SUCCEEDED;
    o.reference = span_from(receipt);
    o.receipt = o.reference;
    o.account_reference = span_from(order);
    o.has_amount = true;
    o.amount_minor = amount_minor;
    (void)snprintf(body, sizeof(body), "%s %lld", receipt, (long long)amount_minor);
    struct notice_command n = {.claim = &o, .body = span_from(body)};
    uint64_t key[2] = {hash_bytes(body, strlen(body), 1), hash_bytes(body, strlen(body), 2)};
    memcpy(n.key, key, sizeof(n.key));
    assert_true(shop_do(s, COMMAND_NOTICE, &n, &reply) > 0);
    return reply.effect;
}

static uint8_t arrives(struct shop *s, const char *receipt, const char *order, int64_t amount_minor)
{
    return arrives_by(s, OBSERVED_BY_CALLBACK, receipt, order, amount_minor);
}

/* Both amounts are in the record; the same decision again changes nothing, another one neither. */
static void test_accepted_with_what_came(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = mismatched(&s, "INV-1");
    assert_int_equal(gateway_mismatch_claim(shop_gateway(&s), shop_payment(&s, n))->amount_minor,
                     CAME);
    assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, SHOP_AMOUNT), GATEWAY_AMOUNT_DIFFERS);
    assert_int_equal(decide(&s, 99, JUDGEMENT_ACCEPT, CAME), GATEWAY_NOT_FOUND);
    assert_int_equal(shop_clearing(&s), 0);
    shop_replay(&s);
    assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, CAME), GATEWAY_DONE);
    for (int i = 0; i < 3; i++) { /* as it is, after a restart, after a kill */
        const struct gateway_payment *p = shop_payment(&s, n);
        assert_int_equal(p->state, GATEWAY_SUCCEEDED);
        assert_int_equal(p->reason, REASON_PERSON);
        assert_int_equal(p->amount_minor, SHOP_AMOUNT);
        assert_int_equal(gateway_paid_minor(p), CAME);
        assert_true(span_is(gateway_text(shop_gateway(&s), p->judge), "Wanjiru"));
        assert_true(span_is(gateway_text(shop_gateway(&s), p->judge_note), "agreed by phone"));
        assert_true(span_is(gateway_text(shop_gateway(&s), p->receipt), "UA1A000001"));
        assert_int_equal(shop_clearing(&s), CAME);
        assert_int_equal(shop_wallet(&s), CAME);
        assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, CAME), GATEWAY_REPEATED);
        assert_int_equal(decide(&s, n, JUDGEMENT_REFUND, CAME), GATEWAY_JUDGED);
        assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, CAME + 1), GATEWAY_JUDGED);
        assert_int_equal(decide(&s, n, JUDGEMENT_REJECT, 0), GATEWAY_JUDGED);
        if (i == 0) {
            shop_restart(&s);
        } else {
            shop_replay(&s);
        }
    }
    assert_int_equal(shop_told(&s, FEED_PAYMENT_SUCCEEDED), 1);
    assert_int_equal(shop_told(&s, FEED_REFUND_PROPOSED), 0);
    /* What comes later says the same, or otherwise, of the money that was booked. */
    struct shop_claim again = wrong(OBSERVED_BY_STATUS, CAME);
    assert_int_equal(shop_claims(&s, n, &again), NOTICE_CONFIRMS);
    again.amount_minor = SHOP_AMOUNT;
    assert_int_equal(shop_claims(&s, n, &again), NOTICE_MISMATCH);
    assert_int_equal(arrives(&s, "UA1A000001", "INV-1", CAME), NOTICE_CONFIRMS);
    assert_int_equal(shop_create(&s, "INV-1", 0).refusal, GATEWAY_ORDER_PAID);
    shop_end(&s);
}

/* Its confirmation came, before the callback or after it: one credit. */
static void test_the_receipt_is_taken_back(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        struct shop s;
        shop_start(&s);
        uint64_t n = shop_pending(&s, "INV-1");
        if (before == 1) {
            assert_int_equal(arrives(&s, "UA1A000001", "INV-1", CAME), NOTICE_MOVED);
        }
        struct shop_claim c = wrong(OBSERVED_BY_CALLBACK, CAME);
        assert_int_equal(shop_claims(&s, n, &c), NOTICE_MOVED);
        if (before == 0) {
            assert_int_equal(arrives(&s, "UA1A000001", "INV-1", CAME), NOTICE_MOVED);
        }
        assert_int_equal(shop_clearing(&s), CAME);
        assert_int_equal(decide(&s, n, JUDGEMENT_REJECT, 0), GATEWAY_MONEY_CAME);
        assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, CAME), GATEWAY_DONE);
        assert_int_equal(shop_clearing(&s), CAME);
        assert_int_equal(shop_wallet(&s), CAME);
        assert_int_equal(balance(&s, false), 0);
        assert_int_equal(shop_told(&s, FEED_RECEIPT_TAKEN_BACK), 1);
        shop_end(&s);
    }
}

/* Nothing came: a lie. What the provider says later counts more than the person. */
static void test_rejected(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = mismatched(&s, "INV-1");
    assert_int_equal(decide(&s, n, JUDGEMENT_REJECT, 0), GATEWAY_DONE);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_FAILED);
    assert_int_equal(shop_payment(&s, n)->reason, REASON_PERSON);
    assert_false(shop_payment(&s, n)->attention);
    assert_int_equal(shop_clearing(&s), 0);
    shop_replay(&s);
    assert_int_equal(decide(&s, n, JUDGEMENT_REJECT, 0), GATEWAY_REPEATED);
    assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, CAME), GATEWAY_JUDGED);
    struct shop_claim late = wrong(OBSERVED_BY_QUERY, 0);
    late.receipt = NULL;
    assert_int_equal(shop_claims(&s, n, &late), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_SUCCEEDED);
    assert_true(shop_payment(&s, n)->late);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT);
    /* When the provider itself says that money came, it cannot be rejected. */
    uint64_t m = shop_pending(&s, "INV-2");
    struct shop_claim row = wrong(OBSERVED_BY_PULL, CAME);
    row.receipt = "UA1A000002";
    assert_int_equal(shop_claims(&s, m, &row), NOTICE_MOVED);
    assert_int_equal(decide(&s, m, JUDGEMENT_REJECT, 0), GATEWAY_MONEY_CAME);
    assert_int_equal(decide(&s, m, JUDGEMENT_ACCEPT, CAME), GATEWAY_DONE);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT + CAME);
    /* Daraja signs its results no more than its callbacks: that may be a lie, too. */
    uint64_t lie = shop_pending(&s, "INV-3");
    struct shop_claim result = wrong(OBSERVED_BY_STATUS, CAME);
    result.receipt = "UA1A000003";
    assert_int_equal(shop_claims(&s, lie, &result), NOTICE_MOVED);
    assert_int_equal(decide(&s, lie, JUDGEMENT_REJECT, 0), GATEWAY_DONE);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT + CAME);
    shop_end(&s);
}

/* The strongest claim counts, of equals the latest. */
static void test_which_claim_counts(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = mismatched(&s, "INV-1");
    struct shop_claim status = wrong(OBSERVED_BY_STATUS, CAME - 100);
    assert_int_equal(shop_claims(&s, n, &status), NOTICE_MISMATCH);
    struct shop_claim later = wrong(OBSERVED_BY_CALLBACK, CAME + 200);
    assert_int_equal(shop_claims(&s, n, &later), NOTICE_MISMATCH);
    assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, CAME), GATEWAY_AMOUNT_DIFFERS);
    assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, CAME - 100), GATEWAY_DONE);
    assert_int_equal(shop_clearing(&s), CAME - 100);
    assert_int_equal(shop_gateway(&s)->repaired, 1); /* its own callback did not say so */
    shop_end(&s);
}

/* What was asked for after all needs nobody; and what did not come to us can only be rejected. */
static void test_what_nobody_may_accept(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = mismatched(&s, "INV-1");
    struct shop_claim right = wrong(OBSERVED_BY_STATUS, SHOP_AMOUNT);
    assert_int_equal(decide(&s, shop_pending(&s, "INV-9"), JUDGEMENT_REJECT, 0),
                     GATEWAY_NOT_WAITING);
    assert_int_equal(shop_claims(&s, n, &right), NOTICE_MOVED);
    assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, SHOP_AMOUNT), GATEWAY_NOT_WAITING);
    uint64_t m = shop_pending(&s, "INV-2"); /* under the receipt of the first */
    struct shop_claim used = wrong(OBSERVED_BY_CALLBACK, SHOP_AMOUNT);
    assert_int_equal(shop_claims(&s, m, &used), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, m)->reason, REASON_RECEIPT);
    assert_int_equal(decide(&s, m, JUDGEMENT_ACCEPT, SHOP_AMOUNT), GATEWAY_NOT_OURS);
    assert_int_equal(decide(&s, m, JUDGEMENT_REFUND, SHOP_AMOUNT), GATEWAY_NOT_OURS);
    assert_int_equal(decide(&s, m, JUDGEMENT_REJECT, 0), GATEWAY_DONE);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT);
    uint64_t other = shop_pending(&s, "INV-3"); /* by another phone: it is money all the same */
    struct shop_claim phone = wrong(OBSERVED_BY_CALLBACK, SHOP_AMOUNT);
    phone.phone = SHOP_PHONE + 1;
    phone.receipt = "UA1A000003";
    assert_int_equal(shop_claims(&s, other, &phone), NOTICE_MOVED);
    assert_int_equal(decide(&s, other, JUDGEMENT_ACCEPT, SHOP_AMOUNT), GATEWAY_DONE);
    assert_int_equal(shop_clearing(&s), 2 * SHOP_AMOUNT);
    shop_end(&s);
}

/* Given back: what came, no more and no less. */
static void test_given_back(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    shop_start(&s);
    uint64_t n = mismatched(&s, "INV-1");
    assert_int_equal(decide(&s, n, JUDGEMENT_REFUND, CAME), GATEWAY_DONE);
    assert_int_equal(shop_told(&s, FEED_REFUND_PROPOSED), 1);
    assert_int_equal(decide(&s, n, JUDGEMENT_REFUND, CAME), GATEWAY_REPEATED);
    assert_int_equal(shop_told(&s, FEED_REFUND_PROPOSED), 1);
    struct payout_command c = {.refunds = n, .token = {50}, .key = {50}};
    assert_true(shop_do(&s, COMMAND_PAYOUT_CREATE, &c, &reply) > 0);
    const struct gateway_payment *refund = shop_payment(&s, reply.number);
    assert_int_equal(refund->amount_minor, CAME);
    uint64_t number = refund->number;
    struct payment_command sending = {.number = number};
    assert_true(shop_take(&s, CALL_REVERSAL) > 0);
    assert_true(shop_do(&s, COMMAND_PAYMENT_SENDING, &sending, &reply) > 0);
    struct shop_claim result = {.source = OBSERVED_BY_CALLBACK,
                                .verdict = OBSERVED_SUCCEEDED,
                                .kind = OBSERVED_REFUND,
                                .receipt = "UA1R000001",
                                .phone = SHOP_PHONE + 5, /* whoever paid gets it back */
                                .amount_minor = CAME};
    assert_int_equal(shop_claims(&s, number, &result), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
    assert_int_equal(shop_clearing(&s), 0);
    assert_int_equal(shop_wallet(&s), 0);
    /* By the provider itself: the same amount. */
    uint64_t m = shop_pending(&s, "INV-2");
    struct shop_claim came = wrong(OBSERVED_BY_CALLBACK, CAME);
    came.receipt = "UA1A000002";
    assert_int_equal(shop_claims(&s, m, &came), NOTICE_MOVED);
    assert_int_equal(decide(&s, m, JUDGEMENT_ACCEPT, CAME), GATEWAY_DONE);
    struct shop_claim back = {.source = OBSERVED_BY_STATUS,
                              .verdict = OBSERVED_SUCCEEDED,
                              .kind = OBSERVED_REFUND,
                              .amount_minor = SHOP_AMOUNT};
    assert_int_equal(shop_claims(&s, m, &back), NOTICE_MISMATCH);
    back.amount_minor = CAME;
    assert_int_equal(shop_claims(&s, m, &back), NOTICE_MOVED);
    assert_int_equal(shop_clearing(&s), 0);
    shop_end(&s);
}

/* A row of the provider's books opened a discrepancy; the decision ends it. And escrow holds what
 * came. */
static void test_discrepancy_and_escrow(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    shop_start(&s);
    uint64_t n = shop_escrow(&s, "INV-1");
    shop_answer(&s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_1");
    struct shop_claim row = wrong(OBSERVED_BY_STATEMENT, CAME);
    assert_int_equal(shop_claims(&s, n, &row), NOTICE_MOVED);
    assert_int_equal(shop_claims(&s, n, &row), NOTICE_MISMATCH);
    assert_int_equal(shop_gateway(&s)->disagreements, 1);
    assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, CAME), GATEWAY_DONE);
    assert_int_equal(shop_gateway(&s)->disagreements, 0);
    assert_int_equal(gateway_discrepancy(shop_gateway(&s), 1)->reason, DISCREPANCY_IS_CORRECTED);
    assert_int_equal(balance(&s, true), CAME);
    struct payment_command release = {.number = n};
    assert_true(shop_do(&s, COMMAND_PAYMENT_RELEASE, &release, &reply) > 0);
    assert_int_equal(shop_wallet(&s), CAME);
    assert_int_equal(shop_clearing(&s), CAME);
    shop_end(&s);
}

/* It went back before anybody had decided: what a person accepts, or wants given back, lies at the
 * provider no more. */
static void test_it_had_gone_back(void **state)
{
    (void)state;
    for (uint8_t judgement = JUDGEMENT_ACCEPT; judgement <= JUDGEMENT_REFUND; judgement++) {
        struct shop s;
        shop_start(&s);
        uint64_t n = mismatched(&s, "INV-1");
        struct shop_claim back = wrong(OBSERVED_BY_WEBHOOK, CAME);
        back.kind = OBSERVED_REFUND;
        back.receipt = NULL;
        assert_int_equal(shop_claims(&s, n, &back), NOTICE_MISMATCH);
        shop_restart(&s);
        assert_int_equal(decide(&s, n, judgement, CAME), GATEWAY_DONE);
        assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
        assert_int_equal(shop_wallet(&s), 0);
        assert_int_equal(shop_clearing(&s), 0);
        assert_int_equal(shop_told(&s, FEED_REFUND_PROPOSED), 0);
        assert_int_equal(shop_claims(&s, n, &back), NOTICE_CONFIRMS);
        shop_end(&s);
    }
}

/* Another phone's money was accepted: the provider's own row, which names that phone, agrees. */
static void test_another_phone_was_accepted(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    struct shop_claim c = shop_paid();
    c.phone = SHOP_PHONE + 1;
    assert_int_equal(shop_claims(&s, n, &c), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->reason, REASON_PHONE);
    assert_int_equal(decide(&s, n, JUDGEMENT_ACCEPT, SHOP_AMOUNT), GATEWAY_DONE);
    struct shop_claim row = c;
    row.source = OBSERVED_BY_STATEMENT;
    row.kind = OBSERVED_RECEIPT;
    row.reference = row.receipt;
    assert_int_equal(shop_claims(&s, 0, &row), NOTICE_CONFIRMS);
    assert_int_equal(shop_gateway(&s)->last_discrepancy, 0);
    /* What was rejected stays so, whoever says that this phone paid. */
    uint64_t m = shop_pending(&s, "INV-2");
    c.receipt = "UA1A000002";
    assert_int_equal(shop_claims(&s, m, &c), NOTICE_MOVED);
    assert_int_equal(decide(&s, m, JUDGEMENT_REJECT, 0), GATEWAY_DONE);
    assert_int_equal(shop_claims(&s, m, &c), NOTICE_MISMATCH);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    shop_end(&s);
}

/* What Paystack kept of an accepted amount never lay there: it is booked with it, once. */
static void test_fee_of_what_is_accepted(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    shop_start(&s);
    struct provider_command open = {.kind = OBSERVED_AT_PAYSTACK, .token = {0xff, 7}};
    assert_true(shop_do(&s, COMMAND_PROVIDER_OPEN, &open, &reply) > 0);
    uint32_t provider = gateway_provider_of(shop_gateway(&s), 0, OBSERVED_AT_PAYSTACK, 0);
    struct payment_create_command c = {.provider = provider,
                                       .amount_minor = SHOP_AMOUNT,
                                       .phone = SHOP_PHONE,
                                       .method = METHOD_PAYSTACK,
                                       .capture = CAPTURE_WALLET,
                                       .token = {60},
                                       .key = {60},
                                       .order = SPAN_LITERAL("INV-1"),
                                       .reference = SPAN_LITERAL("hk-1"),
                                       .email = SPAN_LITERAL("a@b.c")};
    assert_true(shop_do(&s, COMMAND_PAYMENT_CREATE, &c, &reply) > 0);
    uint64_t n = reply.number;
    shop_answer(&s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "hk-1");
    struct observation claim = {.kind = OBSERVED_PAYMENT,
                                .source = OBSERVED_BY_WEBHOOK,
                                .verdict = OBSERVED_SUCCEEDED,
                                .reference = SPAN_LITERAL("hk-1"),
                                .receipt = SPAN_LITERAL("UA1A000001"),
                                .has_amount = true,
                                .amount_minor = CAME};
    struct notice_command notice = {.provider = provider, .claim = &claim, .key = {1}};
    assert_true(shop_do(&s, COMMAND_NOTICE, &notice, &reply) > 0);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_MISMATCHED);
    struct judgement_command accept = {.number = n,
                                       .judgement = JUDGEMENT_ACCEPT,
                                       .amount_minor = CAME,
                                       .fee_minor = 200,
                                       .judge = SPAN_LITERAL("Wanjiru"),
                                       .note = SPAN_LITERAL("agreed")};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(shop_do(&s, COMMAND_PAYMENT_JUDGE, &accept, &reply) > 0, i == 0);
    }
    const struct gateway *g = shop_gateway(&s);
    assert_int_equal(-gateway_balance(g, gateway_provider(g, provider)->clearing), CAME - 200);
    assert_int_equal(gateway_balance(g, gateway_merchant(g, 0)->fees), -200);
    assert_int_equal(shop_wallet(&s), CAME);
    shop_end(&s);
}

static void open_endpoints(struct shop *s)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    for (int i = 0; i < GATEWAY_ENDPOINTS_EACH; i++) {
        struct endpoint_command c = {.target = 9,
                                     .url = SPAN_LITERAL("https://shop.example/hook"),
                                     .secret = SPAN_LITERAL("sealed")};
        assert_true(shop_do(s, COMMAND_ENDPOINT_OPEN, &c, &reply) > 0);
    }
}

/* Asked for at Daraja's own path: its end goes on to the application's own URL, too. */
static uint64_t pending_at_front(struct shop *s)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct payment_create_command c = {.amount_minor = SHOP_AMOUNT,
                                       .phone = SHOP_PHONE,
                                       .method = METHOD_MPESA_STK,
                                       .capture = CAPTURE_WALLET,
                                       .order = SPAN_LITERAL("REF#1"),
                                       .token = {7},
                                       .key = {7},
                                       .front = {.url = SPAN_LITERAL("https://shop.example/cb"),
                                                 .reference = SPAN_LITERAL("REF"),
                                                 .target = 3}};
    assert_true(shop_do(s, COMMAND_PAYMENT_CREATE, &c, &reply) > 0);
    shop_answer(s, reply.number, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_1");
    return reply.number;
}

/* Every webhook so far arrives, so that none waits for the one before it. */
static void deliver_webhooks(struct shop *s)
{
    uint64_t item;
    while ((item = shop_take(s, MESSAGE_WEBHOOK)) != 0) {
        struct delivery_result_command c = {
            .number = item, .generation = s->book->generation, .status = 200, .retry_after_ms = -1};
        enum book_outcome outcome = BOOK_DONE;
        assert_true(shop_do(s, COMMAND_DELIVERY_RESULT, &c, &outcome) > 0);
    }
}

/* The decision that tells the most: the payment's end, that it had gone back, its receipt, and the
 * end of three discrepancies, each to every endpoint, and the end to the application's own URL. */
static void test_all_that_one_decision_tells(void **state)
{
    (void)state;
    for (uint8_t judgement = JUDGEMENT_ACCEPT; judgement <= JUDGEMENT_REFUND; judgement++) {
        struct shop s;
        shop_start(&s);
        open_endpoints(&s);
        uint64_t n = pending_at_front(&s);
        struct shop_claim came = wrong(OBSERVED_BY_CALLBACK, CAME);
        assert_int_equal(shop_claims(&s, n, &came), NOTICE_MOVED);
        struct shop_claim back = wrong(OBSERVED_BY_CALLBACK, 0);
        back.kind = OBSERVED_REFUND;
        back.receipt = "UA1R000001";
        assert_int_equal(shop_claims(&s, n, &back), NOTICE_CONTRADICTS);
        const char *receipt = "UA1A000001";
        assert_int_equal(arrives_by(&s, OBSERVED_BY_STATEMENT, receipt, "REF", CAME), NOTICE_MOVED);
        assert_int_equal(arrives_by(&s, OBSERVED_BY_STATEMENT, receipt, "REF", CAME - 100),
                         NOTICE_MISMATCH);
        assert_int_equal(shop_gateway(&s)->disagreements, 3);
        deliver_webhooks(&s);
        uint64_t before = s.book->outbox.last_number;
        assert_int_equal(decide(&s, n, judgement, CAME), GATEWAY_DONE);
        assert_int_equal(s.book->outbox.last_number - before, 5 * GATEWAY_ENDPOINTS_EACH + 1);
        assert_int_equal(shop_gateway(&s)->disagreements, 0);
        assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
        assert_int_equal(shop_told(&s, FEED_RECEIPT_TAKEN_BACK), 1);
        assert_int_equal(shop_clearing(&s), 0);
        shop_end(&s);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted_with_what_came),
        cmocka_unit_test(test_the_receipt_is_taken_back),
        cmocka_unit_test(test_rejected),
        cmocka_unit_test(test_all_that_one_decision_tells),
        cmocka_unit_test(test_which_claim_counts),
        cmocka_unit_test(test_what_nobody_may_accept),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_discrepancy_and_escrow),
        cmocka_unit_test(test_it_had_gone_back),
        cmocka_unit_test(test_another_phone_was_accepted),
        cmocka_unit_test(test_fee_of_what_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
