/*
 * test_merchant_room.c - what others say may bring any amount, any number of times: one arrival,
 * and all that ever arrives at one provider account, have a limit, so that the ledger's sums cannot
 * overflow. What is too much is kept, shown and booked nowhere, and nothing ends the process.
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

static uint8_t arrive_at(struct shop *s, uint32_t provider, enum observation_source source,
                         const char *receipt, int64_t amount_minor)
{
    char body[100];
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct observation o = {.kind = OBSERVED_RECEIPT,
                            .source = source,
                            .verdict = OBSERVED_SUCCEEDED,
                            .has_amount = true,
                            .amount_minor = amount_minor,
                            .reference = span_from(receipt),
                            .receipt = span_from(receipt)};
    (void)snprintf(body, sizeof(body), "%u %d %s %lld", provider, (int)source, receipt,
                   (long long)amount_minor);
    struct notice_command n = {.provider = provider, .claim = &o, .body = span_from(body)};
    uint64_t key[2] = {hash_bytes(body, strlen(body), 1), hash_bytes(body, strlen(body), 2)};
    memcpy(n.key, key, sizeof(n.key));
    memcpy(n.digest, key, sizeof(n.digest));
    assert_true(shop_do(s, COMMAND_NOTICE, &n, &reply) > 0);
    return reply.effect;
}

static uint8_t arrive(struct shop *s, enum observation_source source, const char *receipt,
                      int64_t amount_minor)
{
    return arrive_at(s, 0, source, receipt, amount_minor);
}

static uint64_t pending(struct shop *s, int64_t amount_minor)
{
    char id[32];
    char order[32];
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    s->keys++;
    (void)snprintf(order, sizeof(order), "INV-%u", (unsigned)s->keys);
    struct payment_create_command c = {.amount_minor = amount_minor,
                                       .phone = SHOP_PHONE,
                                       .method = METHOD_MPESA_STK,
                                       .capture = CAPTURE_WALLET,
                                       .order = span_from(order)};
    memcpy(c.key, &s->keys, sizeof(s->keys));
    memcpy(c.token, &s->keys, sizeof(s->keys));
    assert_true(shop_do(s, COMMAND_PAYMENT_CREATE, &c, &reply) > 0);
    (void)snprintf(id, sizeof(id), "ws_CO_%u", (unsigned)reply.number);
    shop_answer(s, reply.number, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, id);
    return reply.number;
}

static uint8_t pay(struct shop *s, uint64_t number, int64_t amount_minor)
{
    char receipt[32];
    struct shop_claim c = shop_paid();
    (void)snprintf(receipt, sizeof(receipt), "UA1P%06u", (unsigned)number);
    c.receipt = receipt;
    c.amount_minor = amount_minor;
    return shop_claims(s, number, &c);
}

/* All but `rest_minor` of what may ever arrive at the account. */
static void fill(struct shop *s, int64_t rest_minor)
{
    int64_t left_minor = GATEWAY_TURNOVER_MAX - rest_minor;
    while (left_minor > 0) {
        int64_t amount_minor = left_minor < GATEWAY_AMOUNT_MAX ? left_minor : GATEWAY_AMOUNT_MAX;
        uint64_t n = pending(s, amount_minor);
        assert_int_equal(pay(s, n, amount_minor), NOTICE_MOVED);
        assert_int_equal(shop_payment(s, n)->state, GATEWAY_SUCCEEDED);
        left_minor -= amount_minor;
    }
}

static void test_one_arrival_has_a_limit(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    assert_int_equal(arrive(&s, OBSERVED_BY_CALLBACK, "UA1C000001", GATEWAY_ARRIVAL_MAX),
                     NOTICE_MOVED);
    assert_int_equal(arrive(&s, OBSERVED_BY_CALLBACK, "UA1C000002", GATEWAY_ARRIVAL_MAX + 1),
                     NOTICE_ORPHAN);
    assert_int_equal(shop_gateway(&s)->disagreements, 0); /* whoever knows the URL can say that */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(arrive(&s, OBSERVED_BY_STATEMENT, "UA1C000002", GATEWAY_ARRIVAL_MAX + 1),
                         NOTICE_ORPHAN);
    }
    const struct gateway_discrepancy *d = gateway_discrepancy(shop_gateway(&s), 1);
    assert_non_null(d);
    assert_int_equal(shop_gateway(&s)->last_discrepancy, 1);
    assert_int_equal(d->kind, DISCREPANCY_UNKNOWN_ACCOUNT);
    assert_int_equal(d->receipt, 0);
    assert_int_equal(d->theirs_minor, GATEWAY_ARRIVAL_MAX + 1);
    assert_int_equal(shop_gateway(&s)->last_receipt, 1);
    assert_int_equal(shop_clearing(&s), GATEWAY_ARRIVAL_MAX);
    shop_end(&s);
}

/* More arrivals than the account holds: the first that does not fit is kept and shown. */
static void test_many_arrivals(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    char receipt[32];
    shop_start(&s);
    fill(&s, 3 * GATEWAY_ARRIVAL_MAX);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(receipt, sizeof(receipt), "UA1C%06d", i);
        assert_int_equal(arrive(&s, OBSERVED_BY_STATEMENT, receipt, GATEWAY_ARRIVAL_MAX),
                         i < 3 ? NOTICE_MOVED : NOTICE_ORPHAN);
    }
    assert_int_equal(shop_gateway(&s)->last_receipt, 3);
    assert_int_equal(shop_gateway(&s)->disagreements, 5);
    assert_int_equal(shop_clearing(&s), GATEWAY_TURNOVER_MAX);
    assert_int_equal(arrive(&s, OBSERVED_BY_PULL, "UA1C000001", GATEWAY_ARRIVAL_MAX),
                     NOTICE_CONFIRMS);
    /* What follows of what was booked has room. */
    struct receipt_assign_command c = {.number = 1, .order = SPAN_LITERAL("INV-77")};
    assert_true(shop_do(&s, COMMAND_RECEIPT_ASSIGN, &c, &reply) > 0);
    struct shop_claim back = shop_paid();
    back.kind = OBSERVED_REFUND;
    back.receipt = "UA1R000001";
    back.amount_minor = GATEWAY_AMOUNT_MAX;
    assert_int_equal(shop_claims(&s, 1, &back), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, 1)->state, GATEWAY_REVERSED);
    /* Another account, of whomever, has its own room. */
    struct provider_command open = {
        .kind = OBSERVED_AT_DARAJA, .short_code = 600000, .token = {0xff, 7}};
    assert_true(shop_do(&s, COMMAND_PROVIDER_OPEN, &open, &reply) > 0);
    uint32_t other = gateway_provider_of(shop_gateway(&s), 0, OBSERVED_AT_DARAJA, 600000);
    assert_int_equal(arrive_at(&s, other, OBSERVED_BY_CALLBACK, "UA1C000004", SHOP_AMOUNT),
                     NOTICE_MOVED);
    shop_end(&s);
}

/* A push that is paid when nothing more fits waits for a person; one that had ended stays so. */
static void test_a_push_does_not_fit(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t open = pending(&s, SHOP_AMOUNT);
    uint64_t ended = pending(&s, SHOP_AMOUNT);
    struct shop_claim expired = {.source = OBSERVED_BY_QUERY,
                                 .verdict = OBSERVED_FAILED,
                                 .reason = OBSERVED_REASON_EXPIRED,
                                 .code = "1037"};
    assert_int_equal(shop_claims(&s, ended, &expired), NOTICE_MOVED);
    uint64_t odd = pending(&s, SHOP_AMOUNT);
    assert_int_equal(pay(&s, odd, SHOP_AMOUNT - 100), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, odd)->state, GATEWAY_MISMATCHED);
    fill(&s, SHOP_AMOUNT - 101);
    assert_int_equal(pay(&s, open, SHOP_AMOUNT), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, open)->state, GATEWAY_MISMATCHED);
    assert_int_equal(shop_payment(&s, open)->reason, REASON_LEDGER);
    assert_int_equal(pay(&s, ended, SHOP_AMOUNT), NOTICE_MISMATCH);
    assert_int_equal(shop_payment(&s, ended)->state, GATEWAY_EXPIRED);
    const uint64_t waiting[] = {open, odd};
    for (int i = 0; i < 2; i++) {
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        struct judgement_command c = {.number = waiting[i],
                                      .judgement = JUDGEMENT_ACCEPT,
                                      .amount_minor = i == 0 ? SHOP_AMOUNT : SHOP_AMOUNT - 100,
                                      .judge = SPAN_LITERAL("Wanjiru"),
                                      .note = SPAN_LITERAL("n")};
        assert_int_equal(shop_do(&s, COMMAND_PAYMENT_JUDGE, &c, &reply), 0);
        assert_int_equal(reply.refusal, GATEWAY_NO_ROOM);
    }
    assert_int_equal(shop_clearing(&s), GATEWAY_TURNOVER_MAX - (SHOP_AMOUNT - 101));
    shop_end(&s);
}

/* Fees that a result names, and successes after a failure had let the money go, grow no sum beyond
 * its end either. */
static void test_payouts_have_a_limit(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    fill(&s, 0);
    uint32_t booked = 0;
    for (uint32_t i = 0; i < 8; i++) {
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        struct payout_command c = {.amount_minor = GATEWAY_AMOUNT_MAX,
                                   .phone = SHOP_PHONE,
                                   .reference = SPAN_LITERAL("PAY"),
                                   .token = {90, (uint8_t)i},
                                   .key = {90, (uint8_t)i}};
        if (shop_do(&s, COMMAND_PAYOUT_CREATE, &c, &reply) == 0) {
            assert_int_equal(reply.refusal, GATEWAY_NO_MONEY);
            break;
        }
        uint64_t number = reply.number;
        struct payment_command sending = {.number = number};
        assert_true(shop_take(&s, CALL_PAYOUT) > 0);
        assert_true(shop_do(&s, COMMAND_PAYMENT_SENDING, &sending, &reply) > 0);
        struct shop_claim failed = {.source = OBSERVED_BY_CALLBACK,
                                    .kind = OBSERVED_PAYOUT,
                                    .verdict = OBSERVED_FAILED,
                                    .reference = NULL,
                                    .code = "17"};
        assert_int_equal(shop_claims(&s, number, &failed), NOTICE_MOVED);
    }
    const uint64_t last = shop_gateway(&s)->last_payment;
    for (uint64_t n = last - 7; n <= last; n++) {
        char receipt[32];
        (void)snprintf(receipt, sizeof(receipt), "UA1B%06u", (unsigned)n);
        struct shop_claim late = {.source = OBSERVED_BY_CALLBACK,
                                  .kind = OBSERVED_PAYOUT,
                                  .verdict = OBSERVED_SUCCEEDED,
                                  .receipt = receipt,
                                  .amount_minor = GATEWAY_AMOUNT_MAX};
        booked += shop_claims(&s, n, &late) == NOTICE_MOVED;
    }
    assert_int_equal(booked, 5);
    shop_end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_arrival_has_a_limit),
        cmocka_unit_test(test_many_arrivals),
        cmocka_unit_test(test_a_push_does_not_fit),
        cmocka_unit_test(test_payouts_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
