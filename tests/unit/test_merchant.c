/*
 * test_merchant.c - the merchant book in the pure core: the life of a payment, the guard, claims of
 * every kind in every order, the ladder. Every shop is proved at its end (tests/support/shop.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "base/delivery_error.h"
#include "merchant/events.h"
#include "support/random.h"
#include "support/shop.h"

static void expect(const struct shop *s, uint64_t number, uint8_t state, uint8_t reason)
{
    const struct gateway_payment *p = shop_payment(s, number);
    assert_string_equal(gateway_state_name(p->state), gateway_state_name(state));
    if (reason != 0) {
        assert_string_equal(gateway_reason_name(p->reason), gateway_reason_name(reason));
    }
}

static void expect_money(const struct shop *s, int64_t minor)
{
    assert_int_equal(shop_wallet(s), minor);
    assert_int_equal(shop_clearing(s), minor);
}

/* ---- events ---- */

/* Every kind comes back as it went, and is refused with a byte less or more. */
static void test_every_event_round_trips(void **state)
{
    (void)state;
    uint8_t bytes[16 * 1024];
    for (uint16_t kind = GATEWAY_EVENT_FIRST; kind <= GATEWAY_EVENT_LAST; kind++) {
        if (gateway_event_name(kind) == NULL) {
            continue;
        }
        struct gateway_event e = {.kind = kind};
        struct gateway_event back;
        if (kind == EVENT_PAYMENT_CREATED) {
            e.payment_created.amount_minor = 5;
            e.payment_created.method = METHOD_MPESA_STK;
            e.payment_created.capture = CAPTURE_ESCROW;
        } else if (kind == EVENT_PAYMENT_JUDGED) {
            e.payment_judged.judgement = JUDGEMENT_ACCEPT;
            e.payment_judged.amount_minor = 5;
        } else if (kind == EVENT_PAYMENT_MOVED) {
            e.payment_moved.state = GATEWAY_PENDING;
            e.payment_moved.reason = REASON_CLAIM;
        } else if (kind == EVENT_NOTICE_TAKEN) {
            e.notice_taken.source = OBSERVED_BY_QUERY;
            e.notice_taken.effect = NOTICE_ORPHAN;
        } else if (kind == EVENT_FEED_ADDED) {
            e.feed_added.type = FEED_PAYMENT_STUCK;
        } else if (kind == EVENT_PROVIDER_OPENED) {
            e.provider_opened.provider_kind = OBSERVED_AT_PAYSTACK;
        } else if (kind == EVENT_DISCREPANCY_OPENED) {
            e.discrepancy_opened.discrepancy_kind = DISCREPANCY_MISSING;
            e.discrepancy_opened.reference = SPAN_LITERAL("UA1A000001");
        } else if (kind == EVENT_DISCREPANCY_RESOLVED) {
            e.discrepancy_resolved.reason = DISCREPANCY_IS_EXPLAINED;
        } else if (kind == EVENT_RECEIPT_CREATED) {
            e.receipt_created.amount_minor = 5;
            e.receipt_created.state = RECEIPT_SUSPENSE;
            e.receipt_created.source = OBSERVED_BY_PULL;
        } else if (kind == EVENT_NOTICE_KEPT) {
            e.notice_kept.body = SPAN_LITERAL("{\"a\":1}");
        }
        struct writer w = writer_init(bytes, sizeof(bytes));
        gateway_event_encode(&w, &e);
        struct reader r = reader_init(bytes, w.size);
        assert_true(gateway_event_decode(kind, &r, &back));
        uint8_t again[16 * 1024];
        struct writer v = writer_init(again, sizeof(again));
        gateway_event_encode(&v, &back);
        assert_int_equal(v.size, w.size);
        assert_memory_equal(bytes, again, w.size);
        struct reader shorter = reader_init(bytes, w.size - 1);
        assert_false(gateway_event_decode(kind, &shorter, &back));
        bytes[w.size] = 0;
        struct reader longer = reader_init(bytes, w.size + 1);
        assert_false(gateway_event_decode(kind, &longer, &back));
    }
}

/* ---- the usual way, and its repetitions ---- */

static void test_paid_once(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    expect(&s, n, GATEWAY_SUCCEEDED, REASON_CLAIM);
    expect_money(&s, SHOP_AMOUNT);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(shop_claims(&s, n, &paid), NOTICE_CONFIRMS);
    }
    struct shop_claim query = {.source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED};
    assert_int_equal(shop_claims(&s, n, &query), NOTICE_CONFIRMS);
    expect_money(&s, SHOP_AMOUNT);
    assert_int_equal(shop_told(&s, FEED_PAYMENT_SUCCEEDED), 1);
    assert_int_equal(shop_gateway(&s)->repaired, 0);
    shop_end(&s);
}

/* R2.1: an early callback passes through PENDING in its own frame. */
static void test_callback_before_the_answer(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pay(&s, "INV-1");
    struct payment_command c = {.number = n};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_CONTRADICTS); /* nothing has left yet */
    uint64_t item = shop_take(&s, CALL_PUSH);
    assert_true(shop_do(&s, COMMAND_PAYMENT_SENDING, &c, &reply) > 0);
    expect(&s, n, GATEWAY_SUBMITTED, REASON_SENT);
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    expect(&s, n, GATEWAY_SUCCEEDED, REASON_CLAIM);
    const struct gateway_payment *p = shop_payment(&s, n);
    assert_int_equal(p->entered_position[GATEWAY_PENDING], p->entered_position[GATEWAY_SUCCEEDED]);
    shop_fail(&s, item, DELIVERY_TIMEOUT); /* its answer never comes: nothing to find out */
    expect(&s, n, GATEWAY_SUCCEEDED, 0);
    expect_money(&s, SHOP_AMOUNT);
    shop_end(&s);
}

/* ---- sending at most once ---- */

static void test_lost_answer_is_never_sent_again(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pay(&s, "INV-1");
    struct payment_command c = {.number = n};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    uint64_t item = shop_take(&s, CALL_PUSH);
    assert_int_equal(gateway_push_may_leave(shop_gateway(&s), n), PUSH_MARK);
    assert_true(shop_do(&s, COMMAND_PAYMENT_SENDING, &c, &reply) > 0);
    shop_restart(&s); /* killed while it was under way */
    assert_int_equal(shop_take(&s, CALL_PUSH), item);
    assert_int_equal(gateway_push_may_leave(shop_gateway(&s), n), PUSH_INTERRUPTED);
    shop_fail(&s, item, DELIVERY_INTERRUPTED);
    expect(&s, n, GATEWAY_UNCONFIRMED, REASON_ANSWER_LOST);
    assert_int_equal(outbox_item(&s.book->outbox, item)->state, OUTBOX_DEAD);
    /* A second push for the order is refused all the while, but for a person's override. */
    assert_int_equal(shop_create(&s, "INV-1", 0).refusal, GATEWAY_ORDER_OPEN);
    struct gateway_reply other = shop_create(&s, "INV-1", n);
    assert_int_equal(other.refusal, GATEWAY_DONE);
    assert_int_equal(shop_payment(&s, other.number)->overrides, n);
    /* It was paid after all, and so was the second: one of them is to be given back. */
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    shop_answer(&s, other.number, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_2");
    paid.receipt = "UA1A000002";
    assert_int_equal(shop_claims(&s, other.number, &paid), NOTICE_MOVED);
    assert_int_equal(shop_told(&s, FEED_REFUND_PROPOSED), 1);
    expect_money(&s, 2 * SHOP_AMOUNT);
    shop_end(&s);
}

static void test_what_never_left_fails(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pay(&s, "INV-1");
    struct payment_command c = {.number = n};
    for (int i = 0; i < 4; i++) { /* nobody there: it surely did not arrive, so it is tried again */
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        uint64_t item = shop_take(&s, CALL_PUSH);
        assert_true(item > 0);
        assert_true(shop_do(&s, COMMAND_PAYMENT_SENDING, &c, &reply) > 0);
        shop_fail(&s, item, DELIVERY_CONNECT);
        assert_int_equal(shop_payment(&s, n)->sending, false);
        shop_pass(&s, 10 * SHOP_S);
    }
    expect(&s, n, GATEWAY_SUBMITTED, 0);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    uint64_t item = shop_take(&s, CALL_PUSH);
    assert_true(shop_do(&s, COMMAND_PAYMENT_SENDING, &c, &reply) > 0);
    shop_fail(&s, item, DELIVERY_CONNECT);
    expect(&s, n, GATEWAY_FAILED, REASON_NEVER_SENT);
    assert_true(gateway_state_retryable(GATEWAY_FAILED));
    assert_int_equal(shop_create(&s, "INV-1", 0).refusal, GATEWAY_DONE);
    /* One that cannot leave at all is given up after a minute, and then stays here. */
    shop_pass(&s, 61 * SHOP_S);
    expect(&s, 2, GATEWAY_FAILED, REASON_NEVER_SENT);
    assert_int_equal(gateway_push_may_leave(shop_gateway(&s), 2), PUSH_OVER);
    shop_end(&s);
}

static void test_refused_push(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pay(&s, "INV-1");
    shop_answer(&s, n, OBSERVED_REFUSED, OBSERVED_REASON_REQUEST, "");
    expect(&s, n, GATEWAY_FAILED, REASON_REFUSED);
    n = shop_pay(&s, "INV-1");
    shop_answer(&s, n, OBSERVED_REFUSED, OBSERVED_REASON_BUSY, "");
    expect(&s, n, GATEWAY_SUBMITTED, 0); /* tried again */
    shop_pass(&s, 2 * SHOP_S);
    shop_answer(&s, n, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE, "");
    expect(&s, n, GATEWAY_UNCONFIRMED, REASON_ANSWER_LOST);
    shop_end(&s);
}

/* ---- claims ---- */

/* R6.10: another amount, phone or receipt is never a silent success. */
static void test_mismatch_is_its_own_state(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    struct shop_claim paid = shop_paid();
    paid.amount_minor = SHOP_AMOUNT - 100;
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    expect(&s, n, GATEWAY_MISMATCHED, REASON_AMOUNT);
    expect_money(&s, 0);
    assert_true(shop_payment(&s, n)->attention);
    assert_int_equal(shop_create(&s, "INV-1", 0).refusal, GATEWAY_ORDER_OPEN);
    struct shop_claim told = {.source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED};
    assert_int_equal(shop_claims(&s, n, &told), NOTICE_MISMATCH); /* names no amount */
    expect(&s, n, GATEWAY_MISMATCHED, REASON_AMOUNT);
    expect_money(&s, 0);
    paid = shop_paid(); /* the truth comes: it counts */
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    expect_money(&s, SHOP_AMOUNT);
    uint64_t m = shop_pending(&s, "INV-2");
    assert_int_equal(shop_claims(&s, m, &paid), NOTICE_MOVED); /* the receipt of another one */
    expect(&s, m, GATEWAY_MISMATCHED, REASON_RECEIPT);
    expect_money(&s, SHOP_AMOUNT);
    uint64_t k = shop_pending(&s, "INV-3");
    paid.phone++;
    paid.receipt = "UA1A000003";
    assert_int_equal(shop_claims(&s, k, &paid), NOTICE_MOVED);
    expect(&s, k, GATEWAY_MISMATCHED, REASON_PHONE);
    shop_end(&s);
}

/* Only a late success leaves a bad end; a success is never left. */
static void test_late_success_and_contradictions(void **state)
{
    (void)state;
    static const struct {
        enum observation_reason reason;
        uint8_t state;
    } ends[] = {{OBSERVED_REASON_CANCELLED, GATEWAY_CANCELLED},
                {OBSERVED_REASON_EXPIRED, GATEWAY_EXPIRED},
                {OBSERVED_REASON_UNREACHABLE, GATEWAY_EXPIRED},
                {OBSERVED_REASON_FUNDS, GATEWAY_FAILED}};
    struct shop s;
    shop_start(&s);
    for (uint32_t i = 0; i < 4; i++) {
        char order[16];
        char receipt[16];
        (void)snprintf(order, sizeof(order), "INV-%u", i);
        (void)snprintf(receipt, sizeof(receipt), "UA1A00000%u", i);
        uint64_t n = shop_pending(&s, order);
        struct shop_claim failed = {.source = OBSERVED_BY_CALLBACK,
                                    .verdict = OBSERVED_FAILED,
                                    .reason = ends[i].reason,
                                    .code = "x"};
        assert_int_equal(shop_claims(&s, n, &failed), NOTICE_MOVED);
        expect(&s, n, ends[i].state, REASON_CLAIM);
        failed.reason = OBSERVED_REASON_OTHER;
        failed.code = "y";
        uint8_t other = shop_claims(&s, n, &failed);
        assert_int_equal(other,
                         ends[i].state == GATEWAY_FAILED ? NOTICE_CONFIRMS : NOTICE_CONTRADICTS);
        struct shop_claim paid = shop_paid();
        paid.receipt = receipt;
        assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
        expect(&s, n, GATEWAY_SUCCEEDED, REASON_LATE);
        assert_true(shop_payment(&s, n)->late);
        failed.code = "z";
        assert_int_equal(shop_claims(&s, n, &failed), NOTICE_CONTRADICTS);
        expect(&s, n, GATEWAY_SUCCEEDED, REASON_LATE);
    }
    expect_money(&s, 4 * SHOP_AMOUNT);
    assert_int_equal(shop_gateway(&s)->late, 4);
    shop_end(&s);
}

/* R2.7: a success by query has no receipt: Transaction Status is asked for it, once; whoever brings
 * it adds it, and nothing else. One that has its receipt is not asked about. */
static void test_receipt_comes_later(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    struct shop_claim query = {
        .source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED, .code = "0"};
    assert_int_equal(shop_claims(&s, n, &query), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->receipt, TEXT_NONE);
    assert_int_equal(shop_gateway(&s)->repaired, 1);
    uint64_t asked = shop_take(&s, CALL_STATUS);
    assert_true(asked != 0);
    shop_fail(&s, asked, DELIVERY_CONNECT); /* the success stands, and nobody asks again */
    expect(&s, n, GATEWAY_SUCCEEDED, REASON_CLAIM);
    shop_pass(&s, 3600 * SHOP_S);
    assert_int_equal(shop_take(&s, CALL_STATUS), 0);
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_ENRICHES);
    uint64_t other = shop_pending(&s, "INV-2");
    struct shop_claim whole = shop_paid();
    whole.receipt = "UA1A000002";
    assert_int_equal(shop_claims(&s, other, &whole), NOTICE_MOVED);
    assert_int_equal(shop_take(&s, CALL_STATUS), 0);
    assert_true(
        span_is(gateway_text(shop_gateway(&s), shop_payment(&s, n)->receipt), "UA1A000001"));
    assert_int_equal(shop_told(&s, FEED_PAYMENT_SUCCEEDED), 2);
    assert_int_equal(shop_told(&s, FEED_PAYMENT_RECEIPT), 1);
    paid.receipt = "UA1A000009";
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_CONTRADICTS);
    expect_money(&s, 2 * SHOP_AMOUNT);
    shop_end(&s);
}

/* R6.10: from an amount on an unsigned callback is no success before the provider says the same,
 * also when it comes after another end; its receipt counts then. */
static void test_much_money_is_confirmed(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    s.settings.confirm_minor = SHOP_AMOUNT + 1;
    uint64_t little = shop_pending(&s, "INV-1");
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, little, &paid), NOTICE_MOVED);
    s.settings.confirm_minor = SHOP_AMOUNT;
    uint64_t n = shop_pending(&s, "INV-2");
    paid.receipt = "UA1A000002";
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_UNPROVEN);
    expect(&s, n, GATEWAY_PENDING, REASON_ACCEPTED);
    assert_int_not_equal(shop_take(&s, CALL_QUERY), 0);
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_UNPROVEN); /* again: still asked once */
    assert_int_equal(shop_take(&s, CALL_QUERY), 0);
    shop_restart(&s);
    s.settings.confirm_minor = SHOP_AMOUNT;
    struct shop_claim query = {
        .source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED, .code = "0"};
    assert_int_equal(shop_claims(&s, n, &query), NOTICE_MOVED);
    expect(&s, n, GATEWAY_SUCCEEDED, REASON_CLAIM);
    assert_true(
        span_is(gateway_text(shop_gateway(&s), shop_payment(&s, n)->receipt), "UA1A000002"));
    assert_int_equal(shop_take(&s, CALL_STATUS), 0); /* nothing is missing */
    uint64_t late = shop_pending(&s, "INV-3");
    struct shop_claim failed = {.source = OBSERVED_BY_CALLBACK,
                                .verdict = OBSERVED_FAILED,
                                .reason = OBSERVED_REASON_CANCELLED,
                                .code = "1032"};
    assert_int_equal(shop_claims(&s, late, &failed), NOTICE_MOVED);
    paid.receipt = "UA1A000003";
    assert_int_equal(shop_claims(&s, late, &paid), NOTICE_UNPROVEN);
    expect(&s, late, GATEWAY_CANCELLED, REASON_CLAIM);
    assert_int_equal(shop_claims(&s, late, &query), NOTICE_MOVED); /* with the callback */
    expect(&s, late, GATEWAY_SUCCEEDED, REASON_LATE);
    uint64_t ended = shop_pending(&s, "INV-4");
    assert_int_equal(shop_claims(&s, ended, &failed), NOTICE_MOVED);
    assert_int_equal(shop_claims(&s, ended, &query), NOTICE_CONTRADICTS); /* alone it is weaker */
    expect_money(&s, 3 * SHOP_AMOUNT);
    shop_end(&s);
}

/* What was seen in shadow mode stays, and acts on nothing. */
static void test_shadows_are_kept(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct shadow_command seen = {.status = 200,
                                  .duration_ms = 12,
                                  .path = SPAN_LITERAL("POST /mpesa/stkpush/v1/processrequest"),
                                  .request = SPAN_LITERAL("{}"),
                                  .answer = SPAN_LITERAL("{\"ResponseCode\":\"0\"}")};
    shop_start(&s);
    assert_null(gateway_shadow(shop_gateway(&s), 1));
    assert_int_not_equal(shop_do(&s, COMMAND_SHADOW, &seen, &reply), 0);
    seen.status = 0;
    seen.error = DELIVERY_CONNECT;
    seen.answer = SPAN_EMPTY;
    assert_int_not_equal(shop_do(&s, COMMAND_SHADOW, &seen, &reply), 0);
    assert_int_equal(reply.number, 2);
    shop_restart(&s);
    const struct gateway_shadow *first = gateway_shadow(shop_gateway(&s), 1);
    assert_int_equal(first->status, 200);
    assert_true(span_is(gateway_text(shop_gateway(&s), first->request), "{}"));
    assert_int_equal(gateway_shadow(shop_gateway(&s), 2)->error, DELIVERY_CONNECT);
    assert_null(gateway_shadow(shop_gateway(&s), 3));
    assert_int_equal(shop_gateway(&s)->last_seq, 0);
    expect_money(&s, 0);
    shop_end(&s);
}

/* What fits nothing is kept, and joins when its payment learns the id. */
static void test_orphan_joins(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pay(&s, "INV-1");
    struct shop_claim paid = shop_paid();
    paid.source = OBSERVED_BY_STATUS;
    paid.reference = "ws_CO_1";
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_ORPHAN);
    assert_int_equal(shop_gateway(&s)->orphans, 1);
    shop_restart(&s);
    shop_answer(&s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_1");
    expect(&s, n, GATEWAY_SUCCEEDED, REASON_CLAIM);
    assert_int_equal(shop_gateway(&s)->orphans, 0);
    expect_money(&s, SHOP_AMOUNT);
    shop_end(&s);
}

/* ---- the ladder ---- */

static void test_ladder(void **state)
{
    (void)state;
    static const int64_t waits[] = {60, 120, 300, 900, 3600, 14400, 43200, 86400};
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    shop_pass(&s, 89 * SHOP_S);
    expect(&s, n, GATEWAY_PENDING, 0);
    shop_pass(&s, SHOP_S);
    expect(&s, n, GATEWAY_UNCONFIRMED, REASON_NO_CALLBACK); /* R5.5: never failed */
    for (uint32_t i = 0; i < 9; i++) {
        uint64_t question = shop_take(&s, CALL_QUERY);
        assert_int_equal(question, shop_payment(&s, n)->question);
        assert_true(question > 0);
        shop_fail(&s, question, DELIVERY_TIMEOUT); /* no answer, and so no conclusion */
        expect(&s, n, GATEWAY_UNCONFIRMED, 0);
        if (i < 8) {
            shop_pass(&s, waits[i] * SHOP_S);
        }
    }
    shop_pass(&s, 60 * SHOP_S);
    assert_true(shop_payment(&s, n)->attention); /* now a person */
    assert_int_equal(shop_told(&s, FEED_PAYMENT_STUCK), 1);
    shop_pass(&s, 1000000 * SHOP_S);
    expect(&s, n, GATEWAY_UNCONFIRMED, 0);
    struct shop_claim statement = shop_paid();
    statement.source = OBSERVED_BY_STATEMENT;
    assert_int_equal(shop_claims(&s, n, &statement), NOTICE_MOVED);
    expect_money(&s, SHOP_AMOUNT);
    shop_end(&s);
}

/* ---- webhooks ---- */

/* G8: for one endpoint and object the next leaves when the one before has arrived, or is dead. */
static void test_webhooks_keep_their_order(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct endpoint_command c = {.target = 9, .url = SPAN_LITERAL("https://shop.example/hook")};
    assert_true(shop_do(&s, COMMAND_ENDPOINT_OPEN, &c, &reply) > 0);
    uint64_t n = shop_pending(&s, "INV-1");
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        uint64_t item = shop_take(&s, MESSAGE_WEBHOOK);
        assert_true(item > 0);
        assert_int_equal(webhook_subject_seq(outbox_item(&s.book->outbox, item)->subject), seq);
        assert_int_equal(shop_take(&s, MESSAGE_WEBHOOK), 0);
        shop_restart(&s);
        assert_int_equal(shop_take(&s, MESSAGE_WEBHOOK), item);
        struct delivery_result_command done = {
            .number = item, .generation = s.book->generation, .status = 204, .retry_after_ms = -1};
        enum book_outcome outcome;
        assert_true(shop_do(&s, COMMAND_DELIVERY_RESULT, &done, &outcome) > 0);
    }
    assert_int_equal(shop_take(&s, MESSAGE_WEBHOOK), 0);
    assert_int_equal(shop_gateway(&s)->webhooks.used, 0);
    shop_end(&s);
}

static void expect_secrets(const struct shop *s, const char *now, const char *before,
                           const char *oldest)
{
    const struct gateway_endpoint *e = gateway_endpoint(shop_gateway(s), 0);
    assert_true(span_is(gateway_text(shop_gateway(s), e->secret), now));
    assert_true(span_is(gateway_text(shop_gateway(s), e->secret_before), before));
    assert_true(span_is(gateway_text(shop_gateway(s), e->secret_oldest), oldest));
}

/* The secrets before stay for a day, one of an earlier rotation too; over restarts and replays. */
static void test_secrets_are_rotated(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct endpoint_command c = {.target = 9,
                                 .url = SPAN_LITERAL("https://shop.example/hook"),
                                 .secret = SPAN_LITERAL("one")};
    struct endpoint_rotate_command next = {.merchant = 1, .secret = SPAN_LITERAL("two")};
    assert_true(shop_do(&s, COMMAND_ENDPOINT_OPEN, &c, &reply) > 0);
    assert_int_equal(shop_do(&s, COMMAND_ENDPOINT_ROTATE, &next, &reply), 0);
    assert_int_equal(reply.refusal, GATEWAY_NOT_FOUND); /* somebody else's */
    next.merchant = 0;
    assert_true(shop_do(&s, COMMAND_ENDPOINT_ROTATE, &next, &reply) > 0);
    expect_secrets(&s, "two", "one", "");
    next.secret = SPAN_LITERAL("three");
    assert_true(shop_do(&s, COMMAND_ENDPOINT_ROTATE, &next, &reply) > 0);
    expect_secrets(&s, "three", "two", "one");
    shop_restart(&s);
    expect_secrets(&s, "three", "two", "one");
    shop_pass(&s, (int64_t)GATEWAY_ROTATION_S * NS_PER_S);
    next.secret = SPAN_LITERAL("four");
    assert_true(shop_do(&s, COMMAND_ENDPOINT_ROTATE, &next, &reply) > 0);
    expect_secrets(&s, "four", "three", "");
    shop_replay(&s);
    expect_secrets(&s, "four", "three", "");
    shop_end(&s);
}

static void deliver(struct shop *s, uint64_t item)
{
    struct delivery_result_command done = {
        .number = item, .generation = s->book->generation, .status = 204, .retry_after_ms = -1};
    enum book_outcome outcome;
    assert_true(shop_do(s, COMMAND_DELIVERY_RESULT, &done, &outcome) > 0);
}

/* What ended leaves again beside the chain; what is on its way or waits behind it does not. */
static void test_events_are_replayed(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct endpoint_command c = {.target = 9, .url = SPAN_LITERAL("https://shop.example/hook")};
    assert_true(shop_do(&s, COMMAND_ENDPOINT_OPEN, &c, &reply) > 0);
    (void)shop_pending(&s, "INV-1"); /* events 1 and 2 */
    struct event_replay_command again = {.merchant = 1, .seq = 1};
    assert_int_equal(shop_do(&s, COMMAND_EVENT_REPLAY, &again, &reply), 0);
    assert_int_equal(reply.refusal, GATEWAY_NOT_FOUND);
    again.merchant = 0;
    uint64_t first = shop_take(&s, MESSAGE_WEBHOOK);
    for (again.seq = 1; again.seq <= 2; again.seq++) {
        memset(&reply, 0, sizeof(reply));
        assert_int_equal(shop_do(&s, COMMAND_EVENT_REPLAY, &again, &reply), 0);
        assert_int_equal(reply.refusal, GATEWAY_UNDER_WAY);
    }
    deliver(&s, first);
    again.seq = 1;
    memset(&reply, 0, sizeof(reply));
    assert_true(shop_do(&s, COMMAND_EVENT_REPLAY, &again, &reply) > 0);
    assert_int_equal(reply.number, 1);
    uint32_t seen = 0;
    for (uint64_t item; (item = shop_take(&s, MESSAGE_WEBHOOK)) != 0; deliver(&s, item)) {
        seen |= 1u << webhook_subject_seq(outbox_item(&s.book->outbox, item)->subject);
    }
    assert_int_equal(seen, 1u << 1 | 1u << 2);
    assert_int_equal(shop_gateway(&s)->webhooks.used, 0);
    shop_replay(&s);
    shop_end(&s);
}

/* ---- everything at once ---- */

/*
 * R5.1: a thousand deliveries of the same callback, mixed with answers to queries (some of which
 * contradict), rows of a pull and lines of a statement, in any order, with restarts in between:
 * one credit, one event, one receipt.
 */
static void test_any_order_gives_one_effect(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct test_random r = random_from(seed);
        struct shop s;
        shop_start(&s);
        uint64_t n = shop_pending(&s, "INV-1");
        struct shop_claim said[6];
        for (uint32_t i = 0; i < 6; i++) {
            said[i] = shop_paid();
        }
        said[1].source = OBSERVED_BY_PULL;
        said[2].source = OBSERVED_BY_STATEMENT;
        said[3] = (struct shop_claim){.source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED};
        said[4] = (struct shop_claim){.source = OBSERVED_BY_QUERY, .verdict = OBSERVED_IN_FLIGHT};
        said[5] = (struct shop_claim){.source = OBSERVED_BY_QUERY,
                                      .verdict = OBSERVED_FAILED,
                                      .reason = OBSERVED_REASON_EXPIRED,
                                      .code = "1037"};
        uint32_t callbacks = 0;
        while (callbacks < 1000) {
            uint32_t which = random_next(&r) % 4 != 0 ? 0 : (uint32_t)(random_next(&r) % 6);
            callbacks += which == 0;
            (void)shop_claims(&s, n, &said[which]);
            if (random_next(&r) % 400 == 0) {
                shop_restart(&s);
            }
        }
        expect(&s, n, GATEWAY_SUCCEEDED, 0);
        expect_money(&s, SHOP_AMOUNT);
        assert_int_equal(shop_told(&s, FEED_PAYMENT_SUCCEEDED), 1);
        assert_true(
            span_is(gateway_text(shop_gateway(&s), shop_payment(&s, n)->receipt), "UA1A000001"));
        assert_true(shop_payment(&s, n)->notices <= 6);
        shop_end(&s);
    }
}

/* R5.7: held for the order, released once. */
static void test_escrow_is_released_once(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct payment_command release = {.number = shop_escrow(&s, "INV-1")};
    assert_int_equal(shop_do(&s, COMMAND_PAYMENT_RELEASE, &release, &reply), 0);
    assert_int_equal(reply.refusal, GATEWAY_NOT_HELD);
    shop_answer(&s, release.number, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_1");
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, release.number, &paid), NOTICE_MOVED);
    assert_int_equal(shop_wallet(&s), 0);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT);
    reply.refusal = GATEWAY_DONE;
    assert_true(shop_do(&s, COMMAND_PAYMENT_RELEASE, &release, &reply) > 0);
    assert_int_equal(shop_do(&s, COMMAND_PAYMENT_RELEASE, &release, &reply), 0);
    assert_int_equal(reply.refusal, GATEWAY_NOTHING_TO_DO);
    expect_money(&s, SHOP_AMOUNT);
    shop_end(&s);
}

/* R6.12: asked for at Daraja's own paths, so each end is a callback to the application's URL, a
 * late success another one; and at least once: a receiver that fails is tried again. */
static void test_front_is_told_each_end(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct payment_create_command c = {.amount_minor = SHOP_AMOUNT,
                                       .phone = SHOP_PHONE,
                                       .method = METHOD_MPESA_STK,
                                       .capture = CAPTURE_WALLET,
                                       .order = SPAN_LITERAL("SAME#1"),
                                       .key = {9},
                                       .token = {9},
                                       .front = {.url = SPAN_LITERAL("http://app.example/callback"),
                                                 .reference = SPAN_LITERAL("SAME"),
                                                 .target = 77}};
    assert_true(shop_do(&s, COMMAND_PAYMENT_CREATE, &c, &reply) > 0);
    uint64_t n = reply.number;
    assert_true(
        span_is(gateway_text(shop_gateway(&s), shop_payment(&s, n)->front_reference), "SAME"));
    shop_answer(&s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_1");
    assert_int_equal(shop_take(&s, MESSAGE_FORWARD), 0);
    struct shop_claim expired = shop_paid();
    expired.verdict = OBSERVED_FAILED;
    expired.reason = OBSERVED_REASON_EXPIRED;
    expired.code = "1037";
    expired.receipt = NULL;
    assert_int_equal(shop_claims(&s, n, &expired), NOTICE_MOVED);
    uint64_t item = shop_take(&s, MESSAGE_FORWARD);
    assert_true(item != 0 && item == shop_payment(&s, n)->front_item);
    shop_fail(&s, item, DELIVERY_TIMEOUT);
    assert_int_equal(shop_take(&s, MESSAGE_FORWARD), 0);
    shop_restart(&s);
    shop_pass(&s, 6 * SHOP_S);
    assert_int_equal(shop_take(&s, MESSAGE_FORWARD), item);
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    uint64_t late = shop_payment(&s, n)->front_item;
    assert_true(late != item && late != 0);
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_CONFIRMS);
    assert_int_equal(shop_payment(&s, n)->front_item, late);
    expect_money(&s, SHOP_AMOUNT);
    shop_end(&s);
}

/* Room for one more of everything is made ready before each command: a full table would refuse them
 * all. */
static void test_nobody_fills_the_book_with_accounts(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint32_t made = 0;
    enum gateway_refusal refusal = GATEWAY_DONE;
    for (uint32_t i = 0; i < GATEWAY_PROVIDERS_MAX + 64 && refusal == GATEWAY_DONE; i++) {
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        struct merchant_command another = {.name = SPAN_LITERAL("Another")};
        struct provider_command c = {.kind = OBSERVED_AT_PAYSTACK, .merchant = i / 63};
        memcpy(c.token, &i, sizeof(i));
        if (i / 63 > 0 && i % 63 == 0) {
            assert_true(shop_do(&s, COMMAND_MERCHANT_OPEN, &another, &reply) > 0);
        }
        (void)shop_do(&s, COMMAND_PROVIDER_OPEN, &c, &reply);
        refusal = reply.refusal;
        made += refusal == GATEWAY_DONE;
    }
    assert_int_equal(refusal, GATEWAY_TOO_MANY);
    assert_int_equal(made + 1, GATEWAY_PROVIDERS_MAX - 1); /* and the shop's own */
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    for (uint32_t i = 0; reply.refusal == GATEWAY_DONE; i++) {
        struct api_key_command key = {.merchant = 0};
        memcpy(key.hash, &i, sizeof(i));
        key.hash[15] = 1;
        assert_true(i <= GATEWAY_KEYS_EACH);
        (void)shop_do(&s, COMMAND_API_KEY_OPEN, &key, &reply);
    }
    assert_int_equal(reply.refusal, GATEWAY_TOO_MANY);
    reply.refusal = GATEWAY_DONE;
    struct provider_command mine = {
        .kind = OBSERVED_AT_PAYSTACK, .merchant = 1, .token = {0xff, 7}};
    (void)shop_do(&s, COMMAND_PROVIDER_OPEN, &mine, &reply);
    assert_int_equal(reply.refusal, GATEWAY_TOO_MANY);
    assert_true(shop_pay(&s, "INV-1") > 0); /* the book still decides */
    shop_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_event_round_trips),
        cmocka_unit_test(test_paid_once),
        cmocka_unit_test(test_callback_before_the_answer),
        cmocka_unit_test(test_lost_answer_is_never_sent_again),
        cmocka_unit_test(test_what_never_left_fails),
        cmocka_unit_test(test_refused_push),
        cmocka_unit_test(test_mismatch_is_its_own_state),
        cmocka_unit_test(test_late_success_and_contradictions),
        cmocka_unit_test(test_receipt_comes_later),
        cmocka_unit_test(test_orphan_joins),
        cmocka_unit_test(test_ladder),
        cmocka_unit_test(test_webhooks_keep_their_order),
        cmocka_unit_test(test_secrets_are_rotated),
        cmocka_unit_test(test_much_money_is_confirmed),
        cmocka_unit_test(test_events_are_replayed),
        cmocka_unit_test(test_shadows_are_kept),
        cmocka_unit_test(test_any_order_gives_one_effect),
        cmocka_unit_test(test_escrow_is_released_once),
        cmocka_unit_test(test_nobody_fills_the_book_with_accounts),
        cmocka_unit_test(test_front_is_told_each_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
