/*
 * test_merchant_receipts.c - money that arrives without a push (C2B): one receipt for each number
 * whatever reports it, to the order that it names or to suspense, taken back when it was a
 * payment's; every order of confirmation, callback, query and status gives one credit (R5.1, R5.2,
 * G10).
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

#define MASK "2547 ***** 149" /* of SHOP_PHONE */

static int64_t suspense(const struct shop *s)
{
    const struct gateway *g = shop_gateway(s);
    return gateway_balance(g, gateway_merchant(g, 0)->suspense);
}

static void expect_money(const struct shop *s, int64_t wallet_minor, int64_t suspense_minor)
{
    assert_int_equal(shop_wallet(s), wallet_minor);
    assert_int_equal(suspense(s), suspense_minor);
    assert_int_equal(shop_clearing(s), wallet_minor + suspense_minor);
}

/* A confirmation, or a row of a list. */
struct arrives {
    enum observation_source source; /* 0: a confirmation */
    const char *receipt;
    const char *account;
    int64_t amount_minor; /* 0: SHOP_AMOUNT */
    const char *party;
    uint64_t phone;
    uint32_t short_code; /* 0: ours */
    int64_t at_ns;       /* 0: not said */
};

static uint8_t arrive(struct shop *s, struct arrives a)
{
    char body[200];
    struct observation o;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    memset(&o, 0, sizeof(o));
    o.kind = OBSERVED_RECEIPT;
    o.source = a.source != 0 ? a.source : OBSERVED_BY_CALLBACK;
    o.verdict = OBSERVED_SUCCEEDED;
    o.reference = span_from(a.receipt);
    o.receipt = span_from(a.receipt);
    o.account_reference = span_from(a.account);
    o.party = span_from(a.party);
    o.phone = a.phone;
    o.short_code = a.short_code != 0 ? a.short_code : SHOP_PAYBILL;
    o.at_ns = a.at_ns;
    o.has_amount = true;
    o.amount_minor = a.amount_minor != 0 ? a.amount_minor : SHOP_AMOUNT;
    (void)snprintf(body, sizeof(body), "arrives %d %s %s %lld", (int)o.source, a.receipt,
                   a.account == NULL ? "" : a.account, (long long)o.amount_minor);
    struct notice_command n = {.claim = &o, .body = span_from(body)};
    uint64_t key[2] = {hash_bytes(body, strlen(body), 1), hash_bytes(body, strlen(body), 2)};
    memcpy(n.key, key, sizeof(n.key));
    memcpy(n.digest, key, sizeof(n.digest));
    assert_true(shop_do(s, COMMAND_NOTICE, &n, &reply) > 0);
    return reply.effect;
}

static const struct gateway_receipt *receipt(const struct shop *s, const char *text)
{
    const struct gateway_receipt *r = gateway_receipt_by_text(shop_gateway(s), 0, span_from(text));
    assert_non_null(r);
    return r;
}

static enum gateway_refusal assign(struct shop *s, uint32_t merchant, uint64_t number,
                                   const char *order)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct receipt_assign_command c = {
        .merchant = merchant, .number = number, .order = span_from(order)};
    uint64_t position = shop_do(s, COMMAND_RECEIPT_ASSIGN, &c, &reply);
    assert_true((position > 0) == (reply.refusal == GATEWAY_DONE));
    return reply.refusal;
}

/* The same money, reported three times and by three sources, is one receipt. */
static void test_one_receipt_for_each_number(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct arrives a = {.receipt = "UA1C000001", .account = "NOBODY", .party = MASK};
    assert_int_equal(arrive(&s, a), NOTICE_MOVED);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(arrive(&s, a), NOTICE_CONFIRMS);
    }
    assert_int_equal(shop_gateway(&s)->last_notice, 1);
    a.source = OBSERVED_BY_PULL;
    assert_int_equal(arrive(&s, a), NOTICE_CONFIRMS);
    a.source = OBSERVED_BY_STATEMENT;
    a.amount_minor = SHOP_AMOUNT + 1;
    assert_int_equal(arrive(&s, a), NOTICE_MISMATCH);
    const struct gateway_receipt *r = receipt(&s, "UA1C000001");
    assert_int_equal(r->state, RECEIPT_SUSPENSE);
    assert_int_equal(r->notices, 3);
    assert_int_equal(shop_gateway(&s)->orphans, 0);
    assert_int_equal(shop_told(&s, FEED_RECEIPT_CREATED), 1);
    expect_money(&s, 0, SHOP_AMOUNT);
    shop_end(&s);
}

/* What names an order is its money; what names none waits for a person. Neither is what was paid to
 * another short code, or never moved. */
static void test_routing_and_assigning(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pay(&s, "INV-1");
    shop_answer(&s, n, OBSERVED_REFUSED, OBSERVED_REASON_REQUEST, ""); /* the prompt failed */
    assert_int_equal(arrive(&s, (struct arrives){.receipt = "UA1C000001", .account = "INV-1"}),
                     NOTICE_MOVED);
    assert_int_equal(receipt(&s, "UA1C000001")->state, RECEIPT_ASSIGNED);
    expect_money(&s, SHOP_AMOUNT, 0);
    (void)arrive(&s, (struct arrives){.receipt = "UA1C000002", .account = "inv 1"});
    (void)arrive(&s, (struct arrives){.receipt = "UA1C000003"}); /* a till has no reference */
    expect_money(&s, SHOP_AMOUNT, 2 * SHOP_AMOUNT);
    struct arrives elsewhere = {.receipt = "UA1C000004", .account = "INV-1", .short_code = 600000};
    assert_int_equal(arrive(&s, elsewhere), NOTICE_ORPHAN);
    uint64_t second = receipt(&s, "UA1C000002")->number;
    assert_int_equal(assign(&s, 1, second, "INV-1"), GATEWAY_NOT_FOUND);
    assert_int_equal(assign(&s, 0, 99, "INV-1"), GATEWAY_NOT_FOUND);
    assert_int_equal(assign(&s, 0, second, "INV-1"), GATEWAY_DONE);
    expect_money(&s, 2 * SHOP_AMOUNT, SHOP_AMOUNT);
    assert_int_equal(assign(&s, 0, second, "INV-1"), GATEWAY_REPEATED);
    assert_int_equal(assign(&s, 0, second, "INV-2"), GATEWAY_NOT_HELD);
    assert_true(receipt(&s, "UA1C000002")->by_person);
    shop_restart(&s);
    expect_money(&s, 2 * SHOP_AMOUNT, SHOP_AMOUNT);
    assert_int_equal(arrive(&s, (struct arrives){.receipt = "UA1C000003"}), NOTICE_CONFIRMS);
    assert_int_equal(shop_told(&s, FEED_RECEIPT_ASSIGNED), 1);
    shop_end(&s);
}

/* An STK payment has a confirmation, too: before its callback or after, it is one credit. */
static void test_confirmation_of_a_payment(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct shop_claim paid = shop_paid();
    struct arrives a = {.receipt = "UA1A000001", .account = "INV-1", .party = MASK};
    uint64_t n = shop_pending(&s, "INV-1");
    assert_int_equal(arrive(&s, a), NOTICE_MOVED);
    expect_money(&s, 0, SHOP_AMOUNT); /* kept back: the push is still open */
    assert_int_equal(gateway_receipt_suggestion(shop_gateway(&s), receipt(&s, a.receipt))->number,
                     n);
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    expect_money(&s, SHOP_AMOUNT, 0);
    const struct gateway_receipt *r = receipt(&s, a.receipt);
    assert_int_equal(r->state, RECEIPT_TAKEN_BACK);
    assert_int_equal(r->payment, n);
    assert_int_equal(arrive(&s, a), NOTICE_CONFIRMS);
    a.source = OBSERVED_BY_PULL;
    assert_int_equal(arrive(&s, a), NOTICE_CONFIRMS);
    assert_int_equal(assign(&s, 0, r->number, "INV-9"), GATEWAY_NOT_HELD);
    /* After it: nothing is made. */
    uint64_t m = shop_pending(&s, "INV-2");
    paid.receipt = "UA1A000002";
    assert_int_equal(shop_claims(&s, m, &paid), NOTICE_MOVED);
    struct arrives late = {.receipt = "UA1A000002", .account = "INV-2", .party = MASK};
    assert_int_equal(arrive(&s, late), NOTICE_CONFIRMS);
    late.amount_minor = SHOP_AMOUNT + 100;
    assert_int_equal(arrive(&s, late), NOTICE_MISMATCH);
    assert_int_equal(shop_gateway(&s)->last_receipt, 1);
    expect_money(&s, 2 * SHOP_AMOUNT, 0);
    assert_int_equal(shop_told(&s, FEED_RECEIPT_CREATED), 1);
    assert_int_equal(shop_told(&s, FEED_RECEIPT_TAKEN_BACK), 1);
    assert_int_equal(shop_told(&s, FEED_PAYMENT_SUCCEEDED), 2);
    shop_end(&s);
}

/* A query says "paid" and no receipt: the one confirmation that fits is that money, whichever comes
 * first; and one that does not fit is other money. */
static void test_paid_by_query(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct shop_claim query = {
        .source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED, .code = "0"};
    uint64_t n = shop_pending(&s, "INV-1");
    struct arrives a = {.receipt = "UA1A000001", .account = "INV-1", .party = MASK};
    assert_int_equal(arrive(&s, a), NOTICE_MOVED);
    assert_int_equal(shop_claims(&s, n, &query), NOTICE_MOVED);
    assert_true(
        span_is(gateway_text(shop_gateway(&s), shop_payment(&s, n)->receipt), "UA1A000001"));
    assert_int_equal(shop_take(&s, CALL_STATUS), 0); /* it is known: nobody is asked */
    expect_money(&s, SHOP_AMOUNT, 0);
    uint64_t m = shop_pending(&s, "INV-2");
    assert_int_equal(shop_claims(&s, m, &query), NOTICE_MOVED);
    struct arrives other = {.receipt = "UA1C000007", .account = "INV-2", .party = "2547 ***** 150"};
    assert_int_equal(arrive(&s, other), NOTICE_MOVED); /* somebody else paid for it as well */
    expect_money(&s, 3 * SHOP_AMOUNT, 0);
    struct arrives own = {.receipt = "UA1A000002", .account = "INV-2", .party = MASK};
    assert_int_equal(arrive(&s, own), NOTICE_ENRICHES);
    expect_money(&s, 3 * SHOP_AMOUNT, 0);
    assert_int_equal(shop_gateway(&s)->last_receipt, 2);
    assert_int_equal(arrive(&s, own), NOTICE_CONFIRMS);
    shop_end(&s);
}

/* Two of each that fit: nobody can tell, so nothing is bound, and status brings the truth. */
static void test_ambiguity_waits_for_the_receipt_number(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct shop_claim query = {
        .source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED, .code = "0"};
    uint64_t n = shop_pending(&s, "INV-1");
    (void)arrive(&s, (struct arrives){.receipt = "UA1A000001", .account = "INV-1", .party = MASK});
    (void)arrive(&s, (struct arrives){.receipt = "UA1C000002", .account = "INV-1", .party = MASK});
    expect_money(&s, 0, 2 * SHOP_AMOUNT);
    assert_int_equal(shop_claims(&s, n, &query), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->receipt, TEXT_NONE);
    struct shop_claim status = shop_paid();
    status.source = OBSERVED_BY_STATUS;
    assert_int_equal(shop_claims(&s, n, &status), NOTICE_ENRICHES);
    assert_int_equal(receipt(&s, "UA1A000001")->state, RECEIPT_TAKEN_BACK);
    expect_money(&s, SHOP_AMOUNT, SHOP_AMOUNT); /* the other one is other money */
    shop_end(&s);
}

/* What the payer sees is the beginning of a long order, or what the application calls it. When only
 * a query says that the push was paid, a confirmation under that reference is its money. */
static void test_the_reference_that_the_payer_sees(void **state)
{
    (void)state;
    struct shop_claim query = {
        .source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED, .code = "0"};
    for (int i = 0; i < 4; i++) {
        struct shop s;
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        struct payment_create_command c = {.amount_minor = SHOP_AMOUNT,
                                           .phone = SHOP_PHONE,
                                           .method = METHOD_MPESA_STK,
                                           .capture = CAPTURE_WALLET,
                                           .order = SPAN_LITERAL("CART#17"),
                                           .key = {77},
                                           .token = {77},
                                           .front = {.url = SPAN_LITERAL("https://shop.example/cb"),
                                                     .reference = SPAN_LITERAL("CART"),
                                                     .target = 7}};
        bool front = i >= 2;
        struct arrives a = {
            .receipt = "UA1A000001", .account = front ? "CART" : "INVOICE-2026", .party = MASK};
        shop_start(&s);
        if (front) {
            assert_true(shop_do(&s, COMMAND_PAYMENT_CREATE, &c, &reply) > 0);
        }
        uint64_t n = front ? reply.number : shop_pay(&s, "INVOICE-2026-0001");
        shop_answer(&s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_1");
        if (i % 2 == 0) {
            assert_int_equal(arrive(&s, a), NOTICE_MOVED);
            expect_money(&s, 0, SHOP_AMOUNT);
            assert_int_equal(
                gateway_receipt_suggestion(shop_gateway(&s), receipt(&s, a.receipt))->number, n);
        }
        shop_restart(&s);
        assert_int_equal(shop_claims(&s, n, &query), NOTICE_MOVED);
        if (i % 2 == 1) {
            assert_int_equal(arrive(&s, a), NOTICE_ENRICHES);
        }
        assert_true(
            span_is(gateway_text(shop_gateway(&s), shop_payment(&s, n)->receipt), "UA1A000001"));
        expect_money(&s, SHOP_AMOUNT, 0);
        shop_end(&s);
    }
}

/* Two orders that begin alike are shown alike: nothing is bound before the number is known. And
 * what names an order in full was paid by hand: no push was shown so. */
static void test_orders_that_are_shown_alike(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct shop_claim query = {
        .source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED, .code = "0"};
    uint64_t n = shop_pending(&s, "INVOICE-2026-0001");
    uint64_t m = shop_pending(&s, "INVOICE-2026-0002");
    struct arrives a = {.receipt = "UA1A000001", .account = "INVOICE-2026", .party = MASK};
    assert_int_equal(arrive(&s, a), NOTICE_MOVED);
    assert_int_equal(shop_claims(&s, n, &query), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->receipt, TEXT_NONE);
    expect_money(&s, SHOP_AMOUNT, SHOP_AMOUNT);
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, m, &paid), NOTICE_MOVED);
    expect_money(&s, 2 * SHOP_AMOUNT, 0);
    struct arrives own = {.receipt = "UA1A000002", .account = "INVOICE-2026", .party = MASK};
    assert_int_equal(arrive(&s, own), NOTICE_ENRICHES); /* now there is but one */
    struct arrives by_hand = {
        .receipt = "UA1C000003", .account = "INVOICE-2026-0001", .party = MASK};
    assert_int_equal(arrive(&s, by_hand), NOTICE_MOVED);
    assert_int_equal(receipt(&s, by_hand.receipt)->state, RECEIPT_ASSIGNED);
    expect_money(&s, 3 * SHOP_AMOUNT, 0);
    shop_end(&s);
}

/* The answer to the push joins a callback that came before it and takes a receipt back: of two
 * objects three things are told in one decision, of each in its own order, by its own webhooks. */
static void test_all_in_one_decision(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct endpoint_command endpoint = {.target = 7};
    shop_start(&s);
    assert_true(shop_do(&s, COMMAND_ENDPOINT_OPEN, &endpoint, &reply) > 0);
    uint64_t n = shop_pay(&s, "INV-1");
    assert_int_equal(arrive(&s, (struct arrives){.receipt = "UA1A000001", .account = "typo"}),
                     NOTICE_MOVED);
    struct shop_claim paid = shop_paid();
    paid.reference = "ws_CO_1";
    assert_int_equal(shop_claims(&s, 0, &paid), NOTICE_ORPHAN);
    uint64_t before = shop_gateway(&s)->last_seq;
    shop_answer(&s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_1");
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_SUCCEEDED);
    static const uint16_t told[] = {FEED_PAYMENT_PENDING, FEED_RECEIPT_TAKEN_BACK,
                                    FEED_PAYMENT_SUCCEEDED};
    static const uint32_t object_seqs[] = {2, 2, 3};
    for (uint32_t i = 0; i < 3; i++) {
        const struct gateway_feed *f = gateway_feed_event(shop_gateway(&s), before + 1 + i);
        assert_int_equal(f->type, told[i]);
        assert_int_equal(f->object_seq, object_seqs[i]);
    }
    expect_money(&s, SHOP_AMOUNT, 0);
    shop_end(&s);
}

/* What a person has assigned is taken back, too, when it turns out to be a payment's. */
static void test_a_wrong_assignment_is_taken_back(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    (void)arrive(&s, (struct arrives){.receipt = "UA1A000001", .account = "typo", .party = MASK});
    assert_int_equal(assign(&s, 0, 1, "INV-7"), GATEWAY_DONE);
    expect_money(&s, SHOP_AMOUNT, 0);
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    expect_money(&s, SHOP_AMOUNT, 0);
    assert_int_equal(receipt(&s, "UA1A000001")->state, RECEIPT_TAKEN_BACK);
    shop_end(&s);
}

/* The answer to the push is lost, its callback too, and it was paid. A row that names amount,
 * phone, account and time is that payment's money; a second push was refused all the while. */
static void test_both_are_lost(void **state)
{
    (void)state;
    static const enum observation_source sources[] = {OBSERVED_BY_PULL, OBSERVED_BY_STATEMENT};
    for (uint32_t i = 0; i < 2; i++) {
        struct shop s;
        shop_start(&s);
        uint64_t n = shop_pay(&s, "INV-1-LONGER-THAN-TWELVE");
        int64_t sent_ns = s.now_ns;
        shop_answer(&s, n, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE, "");
        shop_pass(&s, 40 * 3600 * SHOP_S);
        assert_int_equal(shop_payment(&s, n)->state, GATEWAY_UNCONFIRMED);
        assert_int_equal(shop_create(&s, "INV-1-LONGER-THAN-TWELVE", 0).refusal,
                         GATEWAY_ORDER_OPEN);
        struct arrives row = {.source = sources[i],
                              .receipt = "UA1A000001",
                              .account = "INV-1-LONGER",
                              .phone = SHOP_PHONE,
                              .at_ns = sent_ns + 16 * 60 * SHOP_S};
        struct arrives other = row;
        other.receipt = "UA1C000009";
        assert_int_equal(arrive(&s, other), NOTICE_MOVED); /* too late: other money */
        expect_money(&s, 0, SHOP_AMOUNT);
        row.at_ns = sent_ns + 20 * SHOP_S;
        assert_int_equal(arrive(&s, row), NOTICE_MOVED);
        assert_int_equal(shop_payment(&s, n)->state, GATEWAY_SUCCEEDED);
        assert_int_equal(shop_payment(&s, n)->source, sources[i]);
        assert_int_equal(arrive(&s, row), NOTICE_CONFIRMS);
        row.source = sources[1 - i];
        assert_int_equal(arrive(&s, row), NOTICE_CONFIRMS);
        struct shop_claim paid = shop_paid();
        assert_int_equal(shop_claims(&s, n, &paid), NOTICE_CONFIRMS); /* the callback after all */
        expect_money(&s, SHOP_AMOUNT, SHOP_AMOUNT);
        assert_int_equal(shop_told(&s, FEED_PAYMENT_SUCCEEDED), 1);
        assert_int_equal(shop_create(&s, "INV-1-LONGER-THAN-TWELVE", 0).refusal,
                         GATEWAY_ORDER_PAID);
        assert_int_equal(shop_gateway(&s)->repaired, 1);
        shop_end(&s);
    }
}

/* Two that fit alike are a person's; a definite end that the provider told stands; what a query
 * said does not. */
static void test_matching_is_careful(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pay(&s, "INV-1");
    shop_answer(&s, n, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE, "");
    uint64_t m = shop_create(&s, "INV-1", n).number; /* overridden */
    shop_answer(&s, m, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE, "");
    struct arrives row = {.source = OBSERVED_BY_PULL,
                          .receipt = "UA1A000001",
                          .account = "INV-1",
                          .phone = SHOP_PHONE};
    assert_int_equal(arrive(&s, row), NOTICE_MOVED);
    expect_money(&s, 0, SHOP_AMOUNT);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_UNCONFIRMED);
    uint64_t cancelled = shop_pending(&s, "INV-2");
    struct shop_claim failed = {.source = OBSERVED_BY_CALLBACK,
                                .verdict = OBSERVED_FAILED,
                                .reason = OBSERVED_REASON_CANCELLED};
    assert_int_equal(shop_claims(&s, cancelled, &failed), NOTICE_MOVED);
    row.receipt = "UA1A000002";
    row.account = "INV-2";
    assert_int_equal(arrive(&s, row), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, cancelled)->state, GATEWAY_CANCELLED);
    assert_int_equal(receipt(&s, "UA1A000002")->state, RECEIPT_ASSIGNED);
    uint64_t doubtful = shop_pending(&s, "INV-3");
    failed.source = OBSERVED_BY_QUERY;
    assert_int_equal(shop_claims(&s, doubtful, &failed), NOTICE_MOVED);
    row.receipt = "UA1A000003";
    row.account = "INV-3";
    assert_int_equal(arrive(&s, row), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, doubtful)->state, GATEWAY_SUCCEEDED);
    expect_money(&s, 2 * SHOP_AMOUNT, SHOP_AMOUNT);
    shop_end(&s);
}

/* ---- the guard (R2.9) ---- */

static struct gateway_reply ask(struct shop *s, uint32_t merchant, const char *order,
                                uint64_t over_payment, uint64_t over_receipt)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct payment_create_command c = {.merchant = merchant,
                                       .amount_minor = SHOP_AMOUNT,
                                       .phone = SHOP_PHONE,
                                       .method = METHOD_MPESA_STK,
                                       .capture = CAPTURE_WALLET,
                                       .overrides = over_payment,
                                       .override_receipt = over_receipt,
                                       .order = span_from(order)};
    s->keys++;
    memcpy(c.key, &s->keys, sizeof(s->keys));
    memcpy(c.token, &s->keys, sizeof(s->keys));
    c.token[8] = 1; /* none of shop_create's */
    uint64_t position = shop_do(s, COMMAND_PAYMENT_CREATE, &c, &reply);
    assert_true((position > 0) == (reply.refusal == GATEWAY_DONE));
    return reply;
}

static void expect_funded(struct shop *s, const char *order, uint64_t latest,
                          int64_t assigned_minor, int64_t waiting_minor)
{
    struct gateway_order_money money;
    struct gateway_reply reply = ask(s, 0, order, 0, 0);
    gateway_order_money(shop_gateway(s), 0, span_from(order), &money);
    assert_int_equal(reply.refusal, latest == 0 ? GATEWAY_DONE : GATEWAY_ORDER_FUNDED);
    assert_int_equal(money.latest, latest);
    assert_int_equal(money.assigned_minor, assigned_minor);
    assert_int_equal(money.waiting_minor, waiting_minor);
    if (latest != 0) {
        assert_int_equal(reply.number, latest);
    }
}

static void end_badly(struct shop *s, uint64_t number)
{
    struct shop_claim failed = {.source = OBSERVED_BY_CALLBACK,
                                .verdict = OBSERVED_FAILED,
                                .reason = OBSERVED_REASON_CANCELLED};
    assert_int_equal(shop_claims(s, number, &failed), NOTICE_MOVED);
}

/* Paid by paybill: the order takes no push unless the caller names the latest receipt. */
static void test_an_order_that_was_paid_by_paybill(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    end_badly(&s, shop_pending(&s, "INV-1"));
    (void)arrive(&s, (struct arrives){.receipt = "UA1C000001", .account = "INV-1"});
    expect_funded(&s, "INV-1", 1, SHOP_AMOUNT, 0);
    shop_restart(&s);
    expect_funded(&s, "INV-1", 1, SHOP_AMOUNT, 0);
    shop_replay(&s);
    expect_funded(&s, "INV-1", 1, SHOP_AMOUNT, 0);
    /* The smallest part stops it as well, and the sum grows. */
    (void)arrive(
        &s, (struct arrives){.receipt = "UA1C000002", .account = "INV-1", .amount_minor = 100});
    expect_funded(&s, "INV-1", 2, SHOP_AMOUNT + 100, 0);
    assert_int_equal(ask(&s, 0, "INV-1", 0, 1).refusal, GATEWAY_ORDER_FUNDED); /* not the latest */
    assert_int_equal(ask(&s, 0, "INV-1", 0, 9).refusal, GATEWAY_ORDER_FUNDED);
    assert_int_equal(ask(&s, 0, "INV-2", 0, 1).refusal, GATEWAY_NOT_OVERRIDABLE);
    uint64_t n = ask(&s, 0, "INV-1", 0, 2).number;
    assert_int_equal(shop_payment(&s, n)->override_receipt, 2);
    assert_int_equal(ask(&s, 0, "INV-1", 0, 2).refusal, GATEWAY_ORDER_OPEN); /* one at a time */
    shop_restart(&s);
    assert_int_equal(shop_payment(&s, n)->override_receipt, 2);
    shop_end(&s);
}

/* By hand: it stops pushes for the order that it was assigned to, and for the one that it named no
 * more. What is taken back, stops nothing. */
static void test_assigned_by_hand_and_taken_back(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    (void)arrive(&s, (struct arrives){.receipt = "UA1A000001", .account = "typo"});
    (void)arrive(&s, (struct arrives){.receipt = "UA1A000002", .account = "typo"});
    (void)arrive(&s, (struct arrives){.receipt = "UA1A000003", .account = "typo"});
    expect_funded(&s, "typo", 3, 0, 3 * SHOP_AMOUNT);
    for (uint64_t number = 1; number <= 2; number++) {
        assert_int_equal(assign(&s, 0, 3 - number, "INV-7"), GATEWAY_DONE);
        expect_funded(&s, "typo", 3, 0, (int64_t)(3 - number) * SHOP_AMOUNT);
        expect_funded(&s, "INV-7", 2, (int64_t)number * SHOP_AMOUNT, 0);
    }
    shop_restart(&s);
    expect_funded(&s, "INV-7", 2, 2 * SHOP_AMOUNT, 0);
    assert_int_equal(assign(&s, 0, 3, "INV-8"), GATEWAY_DONE);
    uint64_t n = shop_pending(&s, "INV-1");
    struct shop_claim paid = shop_paid(); /* as UA1A000001 */
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    assert_int_equal(receipt(&s, "UA1A000001")->state, RECEIPT_TAKEN_BACK);
    expect_funded(&s, "INV-7", 2, SHOP_AMOUNT, 0);
    uint64_t m = shop_pending(&s, "INV-2");
    paid.receipt = "UA1A000002";
    assert_int_equal(shop_claims(&s, m, &paid), NOTICE_MOVED);
    expect_funded(&s, "typo", 0, 0, 0); /* nobody's any more: a push may leave */
    expect_funded(&s, "INV-7", 0, 0, 0);
    shop_restart(&s);
    expect_funded(&s, "INV-8", 3, SHOP_AMOUNT, 0);
    shop_end(&s);
}

/* In suspense because a push was open that it may belong to. When that push has failed, the money
 * is still there. And beside an unknown payment both have to be overridden. */
static void test_money_that_waits_stops_a_push(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct arrives a = {.receipt = "UA1A000001", .account = "INV-1", .party = MASK};
    uint64_t n = shop_pending(&s, "INV-1");
    (void)arrive(&s, a);
    assert_int_equal(ask(&s, 0, "INV-1", 0, 1).refusal, GATEWAY_ORDER_OPEN);
    shop_pass(&s, 100 * SHOP_S);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_UNCONFIRMED);
    struct gateway_reply reply = ask(&s, 0, "INV-1", n, 0);
    assert_int_equal(reply.refusal, GATEWAY_ORDER_FUNDED);
    assert_int_equal(reply.number, 1);
    assert_int_equal(ask(&s, 0, "INV-1", 0, 1).refusal, GATEWAY_ORDER_OPEN);
    uint64_t second = ask(&s, 0, "INV-1", n, 1).number;
    assert_int_equal(shop_payment(&s, second)->overrides, n);
    shop_answer(&s, second, OBSERVED_REFUSED, OBSERVED_REASON_REQUEST, "");
    end_badly(&s, n);
    uint64_t third = shop_pending(&s, "INV-2");
    a = (struct arrives){.receipt = "UA1A000002", .account = "INV-2", .party = MASK};
    (void)arrive(&s, a);
    end_badly(&s, third);
    expect_funded(&s, "INV-2", 2, 0, SHOP_AMOUNT);
    struct shop_claim paid = shop_paid(); /* the late success takes it back */
    paid.receipt = "UA1A000002";
    assert_int_equal(shop_claims(&s, third, &paid), NOTICE_MOVED);
    assert_int_equal(ask(&s, 0, "INV-2", 0, 2).refusal, GATEWAY_ORDER_PAID);
    assert_int_equal(ask(&s, 0, "INV-2", 0, 0).refusal, GATEWAY_ORDER_PAID);
    shop_end(&s);
}

/* The same order of another merchant is another order. */
static void test_orders_of_two_merchants(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct merchant_command merchant = {.name = SPAN_LITERAL("Other")};
    struct provider_command provider = {
        .merchant = 1, .kind = OBSERVED_AT_DARAJA, .short_code = 600000, .token = {9}};
    shop_start(&s);
    assert_true(shop_do(&s, COMMAND_MERCHANT_OPEN, &merchant, &reply) > 0);
    assert_true(shop_do(&s, COMMAND_PROVIDER_OPEN, &provider, &reply) > 0);
    (void)arrive(&s, (struct arrives){.receipt = "UA1C000001", .account = "INV-1"});
    struct gateway_order_money money;
    gateway_order_money(shop_gateway(&s), 1, SPAN_LITERAL("INV-1"), &money);
    assert_int_equal(money.latest, 0);
    expect_funded(&s, "INV-1", 1, 0, SHOP_AMOUNT);
    shop_end(&s);
}

/* ---- registering URLs ---- */

static enum gateway_refusal register_urls(struct shop *s, uint32_t merchant, uint8_t rule)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct c2b_registration_command c = {.merchant = merchant, .rule = rule, .cancels = true};
    (void)shop_do(s, COMMAND_C2B_URLS, &c, &reply);
    return reply.refusal;
}

static void answer(struct shop *s, enum observation_verdict verdict)
{
    struct gateway_reading reading;
    enum book_outcome outcome = BOOK_DONE;
    memset(&reading, 0, sizeof(reading));
    reading.answer.source = OBSERVED_BY_SUBMISSION;
    reading.answer.verdict = verdict;
    reading.answer.words = SPAN_LITERAL("Urls are already registered.");
    struct delivery_result_command c = {.number = shop_take(s, CALL_REGISTER),
                                        .generation = s->book->generation,
                                        .status = 200,
                                        .retry_after_ms = -1,
                                        .reading = &reading};
    assert_true(c.number > 0);
    assert_true(shop_do(s, COMMAND_DELIVERY_RESULT, &c, &outcome) > 0);
}

static void test_registering(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    assert_int_equal(register_urls(&s, 1, 0), GATEWAY_NOT_FOUND);
    assert_true(gateway_c2b_accepts(shop_gateway(&s), 0, SPAN_LITERAL("NOBODY")));
    static const struct {
        enum observation_verdict verdict;
        uint8_t state;
    } ends[] = {{OBSERVED_UNKNOWN, GATEWAY_C2B_UNKNOWN},
                {OBSERVED_REFUSED, GATEWAY_C2B_REFUSED},
                {OBSERVED_SUCCEEDED, GATEWAY_C2B_REGISTERED}};
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(register_urls(&s, 0, GATEWAY_C2B_ACCEPTS_ORDERS), GATEWAY_DONE);
        assert_int_equal(register_urls(&s, 0, 0), GATEWAY_UNDER_WAY);
        answer(&s, ends[i].verdict);
        const struct gateway_provider *p = gateway_provider(shop_gateway(&s), 0);
        assert_int_equal(p->c2b_state, ends[i].state);
        assert_true(gateway_text(shop_gateway(&s), p->c2b_words).size > 0);
    }
    (void)shop_pay(&s, "INV-1");
    assert_false(gateway_c2b_accepts(shop_gateway(&s), 0, SPAN_LITERAL("NOBODY")));
    assert_true(gateway_c2b_accepts(shop_gateway(&s), 0, SPAN_LITERAL("INV-1")));
    shop_end(&s);
}

/* Two tokens at most; a retired one is nobody's, and known as such while it is the latest. */
static void test_callback_tokens(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    uint8_t first[16];
    struct callbacks_command c = {.token = {21}};
    const uint8_t second[16] = {21};
    const uint8_t third[16] = {22};
    memset(first, 2, sizeof(first));
    shop_start(&s);
    assert_int_equal(shop_do(&s, COMMAND_CALLBACKS_RETIRE, &c, &reply), 0);
    assert_int_equal(reply.refusal, GATEWAY_NOTHING_TO_DO);
    reply.refusal = GATEWAY_DONE;
    assert_true(shop_do(&s, COMMAND_CALLBACKS_ROTATE, &c, &reply) > 0);
    shop_restart(&s);
    assert_int_equal(gateway_provider_by_token(shop_gateway(&s), first), 0);
    assert_int_equal(gateway_provider_by_token(shop_gateway(&s), second), 0);
    c.token[0] = 22;
    assert_int_equal(shop_do(&s, COMMAND_CALLBACKS_ROTATE, &c, &reply), 0);
    assert_int_equal(reply.refusal, GATEWAY_TOO_MANY);
    reply.refusal = GATEWAY_DONE;
    assert_true(shop_do(&s, COMMAND_CALLBACKS_RETIRE, &c, &reply) > 0);
    shop_restart(&s);
    assert_int_equal(gateway_provider_by_token(shop_gateway(&s), first), SLAB_NONE);
    assert_true(gateway_token_is_retired(shop_gateway(&s), first));
    assert_false(gateway_token_is_retired(shop_gateway(&s), second));
    assert_true(shop_do(&s, COMMAND_CALLBACKS_ROTATE, &c, &reply) > 0);
    assert_true(shop_do(&s, COMMAND_CALLBACKS_RETIRE, &c, &reply) > 0);
    shop_replay(&s);
    assert_int_equal(gateway_provider_by_token(shop_gateway(&s), third), 0);
    assert_int_equal(gateway_provider_by_token(shop_gateway(&s), second), SLAB_NONE);
    assert_true(gateway_token_is_retired(shop_gateway(&s), second));
    assert_false(gateway_token_is_retired(shop_gateway(&s), first)); /* forgotten */
    c.merchant = 1;
    assert_int_equal(shop_do(&s, COMMAND_CALLBACKS_ROTATE, &c, &reply), 0);
    assert_int_equal(reply.refusal, GATEWAY_NOT_FOUND);
    shop_end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_receipt_for_each_number),
        cmocka_unit_test(test_routing_and_assigning),
        cmocka_unit_test(test_confirmation_of_a_payment),
        cmocka_unit_test(test_paid_by_query),
        cmocka_unit_test(test_ambiguity_waits_for_the_receipt_number),
        cmocka_unit_test(test_the_reference_that_the_payer_sees),
        cmocka_unit_test(test_orders_that_are_shown_alike),
        cmocka_unit_test(test_all_in_one_decision),
        cmocka_unit_test(test_a_wrong_assignment_is_taken_back),
        cmocka_unit_test(test_both_are_lost),
        cmocka_unit_test(test_matching_is_careful),
        cmocka_unit_test(test_an_order_that_was_paid_by_paybill),
        cmocka_unit_test(test_assigned_by_hand_and_taken_back),
        cmocka_unit_test(test_money_that_waits_stops_a_push),
        cmocka_unit_test(test_orders_of_two_merchants),
        cmocka_unit_test(test_callback_tokens),
        cmocka_unit_test(test_registering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
