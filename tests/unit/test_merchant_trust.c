/*
 * test_merchant_trust.c - unsigned claims of much money (R6.10, --confirm-from): what somebody who
 * knows a payment's URL can forge, beside the truth, before it and after it. Whatever is forged,
 * money is booked once, and each shop proves itself at its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/delivery_error.h"
#include "base/hash.h"
#include "support/shop.h"

static void start(struct shop *s)
{
    shop_start(s);
    s->settings.confirm_minor = SHOP_AMOUNT;
}

static uint8_t told_paid(struct shop *s, uint64_t number, enum observation_source source,
                         const char *receipt)
{
    struct shop_claim c = shop_paid();
    c.source = source;
    c.receipt = receipt;
    return shop_claims(s, number, &c);
}

static uint8_t called_back(struct shop *s, uint64_t number, const char *receipt)
{
    return told_paid(s, number, OBSERVED_BY_CALLBACK, receipt);
}

/* The STK query: "paid", and no more. */
static uint8_t queried(struct shop *s, uint64_t number)
{
    struct shop_claim c = {.source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED, .code = "0"};
    return shop_claims(s, number, &c);
}

static uint8_t expired(struct shop *s, uint64_t number)
{
    struct shop_claim c = {.source = OBSERVED_BY_CALLBACK,
                           .verdict = OBSERVED_FAILED,
                           .reason = OBSERVED_REASON_EXPIRED,
                           .code = "1037"};
    return shop_claims(s, number, &c);
}

struct arrival {
    enum observation_source source;
    const char *receipt;
    const char *order;
    int64_t amount_minor;
    uint64_t phone;
};

/* Money that arrived: a C2B confirmation, or a row. */
static uint8_t arrives(struct shop *s, const struct arrival *a)
{
    struct observation o;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    char body[64];
    memset(&o, 0, sizeof(o));
    o.kind = OBSERVED_RECEIPT;
    o.source = a->source;
    o.verdict = OBSERVED_SUCCEEDED;
    o.reference = span_from(a->receipt);
    o.receipt = o.reference;
    o.account_reference = span_from(a->order);
    o.has_amount = true;
    o.amount_minor = a->amount_minor;
    o.phone = a->phone;
    (void)snprintf(body, sizeof(body), "%d %s %s", (int)a->source, a->receipt, a->order);
    struct notice_command n = {.claim = &o, .body = span_from(body)};
    uint64_t key[2] = {hash_bytes(body, strlen(body), 1), hash_bytes(body, strlen(body), 2)};
    memcpy(n.key, key, sizeof(n.key));
    assert_true(shop_do(s, COMMAND_NOTICE, &n, &reply) > 0);
    return reply.effect;
}

static uint8_t confirmed(struct shop *s, const char *receipt, const char *order)
{
    const struct arrival a = {OBSERVED_BY_CALLBACK, receipt, order, SHOP_AMOUNT, 0};
    return arrives(s, &a);
}

static void expect(const struct shop *s, uint64_t number, uint8_t state, const char *receipt)
{
    const struct gateway_payment *p = shop_payment(s, number);
    assert_int_equal(p->state, state);
    assert_true(span_is(gateway_text(shop_gateway(s), p->receipt), receipt));
}

static void expect_money(const struct shop *s, int64_t amount_minor)
{
    const struct gateway_merchant *m = gateway_merchant(shop_gateway(s), 0);
    assert_int_equal(shop_clearing(s), amount_minor);
    assert_int_equal(shop_wallet(s), amount_minor);
    assert_int_equal(gateway_balance(shop_gateway(s), m->suspense), 0);
}

/* A forged callback, then the true one: the receipt is whichever Transaction Status says, and the
 * confirmation of the same money finds its payment before and after that. */
static void test_two_receipts_are_none(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct shop s;
        start(&s);
        uint64_t n = shop_pending(&s, "INV-1");
        assert_int_equal(called_back(&s, n, "UA1FORGED0"), NOTICE_UNPROVEN);
        assert_int_equal(called_back(&s, n, "UA1A000001"), NOTICE_UNPROVEN);
        shop_restart(&s);
        s.settings.confirm_minor = SHOP_AMOUNT;
        assert_int_equal(queried(&s, n), NOTICE_MOVED);
        expect(&s, n, GATEWAY_SUCCEEDED, "");
        assert_int_not_equal(shop_take(&s, CALL_STATUS), 0);
        if (first == 0) {
            assert_int_equal(confirmed(&s, "UA1A000001", "INV-1"), NOTICE_ENRICHES);
            assert_int_equal(told_paid(&s, n, OBSERVED_BY_STATUS, "UA1A000001"), NOTICE_CONFIRMS);
        } else {
            assert_int_equal(told_paid(&s, n, OBSERVED_BY_STATUS, "UA1A000001"), NOTICE_ENRICHES);
            assert_int_equal(confirmed(&s, "UA1A000001", "INV-1"), NOTICE_CONFIRMS);
        }
        expect(&s, n, GATEWAY_SUCCEEDED, "UA1A000001");
        expect_money(&s, SHOP_AMOUNT);
        shop_end(&s);
    }
}

/* The same forged receipt for two payments: a true success of the second needs nobody, and when it
 * had ended it comes late. */
static void test_a_receipt_of_another(void **state)
{
    (void)state;
    for (int ended = 0; ended < 2; ended++) {
        struct shop s;
        start(&s);
        uint64_t one = shop_pending(&s, "INV-1");
        uint64_t two = shop_pending(&s, "INV-2");
        if (ended == 1) {
            assert_int_equal(expired(&s, two), NOTICE_MOVED);
        }
        assert_int_equal(called_back(&s, two, "UA1FORGED0"), NOTICE_UNPROVEN);
        assert_int_equal(called_back(&s, one, "UA1FORGED0"), NOTICE_UNPROVEN);
        assert_int_equal(queried(&s, one), NOTICE_MOVED);
        assert_int_equal(queried(&s, two), NOTICE_MOVED);
        expect(&s, two, GATEWAY_SUCCEEDED, "");
        assert_int_equal(shop_payment(&s, two)->late, ended == 1);
        assert_int_equal(told_paid(&s, two, OBSERVED_BY_STATUS, "UA1A000002"), NOTICE_ENRICHES);
        expect(&s, two, GATEWAY_SUCCEEDED, "UA1A000002");
        expect_money(&s, 2 * SHOP_AMOUNT);
        shop_end(&s);
    }
}

/* It is another's although that one has left memory. */
static void test_a_receipt_of_one_that_left(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    shop_with_attic(&s);
    uint64_t two = shop_pending(&s, "INV-2");
    assert_int_equal(called_back(&s, two, "UA1A000001"), NOTICE_UNPROVEN);
    uint64_t one = shop_pending(&s, "INV-1");
    assert_int_equal(told_paid(&s, one, OBSERVED_BY_PULL, "UA1A000001"), NOTICE_MOVED);
    shop_pass(&s, 7200 * SHOP_S);
    assert_int_equal(shop_clear(&s, 3600 * SHOP_S, false), 1);
    struct old_name name = gateway_payment_name(one);
    assert_false(book_holds(s.book, &name));
    assert_int_equal(queried(&s, two), NOTICE_MOVED);
    expect(&s, two, GATEWAY_SUCCEEDED, "");
    expect(&s, one, GATEWAY_SUCCEEDED, "UA1A000001");
    expect_money(&s, 2 * SHOP_AMOUNT);
    shop_end(&s);
}

/* A forged callback that names money which arrived for somebody else takes nothing away from it;
 * one that fits is the payment's. */
static void test_a_receipt_that_arrived(void **state)
{
    (void)state;
    static const struct {
        struct arrival arrival;
        bool fits;
    } rows[] = {
        {{OBSERVED_BY_CALLBACK, "UA1A000007", "", SHOP_AMOUNT - 100, 0}, false},
        {{OBSERVED_BY_CALLBACK, "UA1A000007", "", SHOP_AMOUNT, SHOP_PHONE + 1}, false},
        {{OBSERVED_BY_CALLBACK, "UA1A000007", "OTHER", SHOP_AMOUNT, SHOP_PHONE}, false},
        {{OBSERVED_BY_CALLBACK, "UA1A000007", "", SHOP_AMOUNT, SHOP_PHONE}, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shop s;
        start(&s);
        assert_int_equal(arrives(&s, &rows[i].arrival), NOTICE_MOVED);
        uint64_t n = shop_pending(&s, "INV-1");
        assert_int_equal(called_back(&s, n, "UA1A000007"), NOTICE_UNPROVEN);
        assert_int_equal(queried(&s, n), NOTICE_MOVED);
        expect(&s, n, GATEWAY_SUCCEEDED, rows[i].fits ? "UA1A000007" : "");
        assert_int_equal(shop_told(&s, FEED_RECEIPT_TAKEN_BACK), rows[i].fits);
        int64_t beside = rows[i].fits ? 0 : rows[i].arrival.amount_minor;
        assert_int_equal(shop_clearing(&s), SHOP_AMOUNT + beside);
        shop_end(&s);
    }
}

/* Under whichever last word of the URL, and as whatever message, it comes: unsigned is unsigned.
 * What we fetched ourselves, over a connection that is the provider's, is not. */
static void test_every_door(void **state)
{
    (void)state;
    static const struct {
        enum observation_source source;
        enum observation_kind kind;
        bool moves;
    } rows[] = {
        {OBSERVED_BY_CALLBACK, OBSERVED_PAYMENT, false},
        {OBSERVED_BY_CALLBACK, OBSERVED_RECEIPT, false},
        {OBSERVED_BY_STATUS, OBSERVED_PAYMENT, false},
        {OBSERVED_BY_STATUS, OBSERVED_RECEIPT, false},
        {OBSERVED_BY_QUERY, OBSERVED_PAYMENT, true},
        {OBSERVED_BY_PULL, OBSERVED_RECEIPT, true},
        {OBSERVED_BY_STATEMENT, OBSERVED_RECEIPT, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shop s;
        start(&s);
        uint64_t n = shop_pending(&s, "INV-1");
        struct shop_claim c = shop_paid();
        c.source = rows[i].source;
        c.kind = rows[i].kind;
        assert_int_equal(shop_claims(&s, n, &c), rows[i].moves ? NOTICE_MOVED : NOTICE_UNPROVEN);
        assert_int_equal(shop_payment(&s, n)->state,
                         rows[i].moves ? GATEWAY_SUCCEEDED : GATEWAY_PENDING);
        assert_int_equal(shop_take(&s, CALL_QUERY) != 0, !rows[i].moves);
        assert_int_equal(queried(&s, n), rows[i].moves ? NOTICE_CONFIRMS : NOTICE_MOVED);
        expect(&s, n, GATEWAY_SUCCEEDED, "UA1A000001");
        expect_money(&s, SHOP_AMOUNT);
        shop_end(&s);
    }
}

/* That it went back is a claim of money, too: of a payment, and of what its refund waits for. It
 * moves nothing, before the success or after it, and is a discrepancy; a statement is believed. */
static void test_unsigned_returns(void **state)
{
    (void)state;
    static const enum observation_source sources[] = {OBSERVED_BY_CALLBACK, OBSERVED_BY_STATUS};
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        struct shop s;
        start(&s);
        uint64_t n = shop_pending(&s, "INV-1");
        struct shop_claim back = shop_paid();
        back.source = sources[i];
        back.kind = OBSERVED_REFUND;
        back.receipt = NULL;
        assert_int_equal(shop_claims(&s, n, &back), NOTICE_CONTRADICTS);
        assert_int_equal(shop_gateway(&s)->last_discrepancy, 1);
        assert_int_equal(called_back(&s, n, "UA1A000001"), NOTICE_UNPROVEN);
        assert_int_equal(queried(&s, n), NOTICE_MOVED);
        expect(&s, n, GATEWAY_SUCCEEDED, "UA1A000001");
        assert_int_equal(shop_claims(&s, n, &back), NOTICE_CONTRADICTS);
        expect_money(&s, SHOP_AMOUNT);
        struct shop_claim line = back;
        line.source = OBSERVED_BY_STATEMENT;
        line.reference = "UA1R000001";
        line.receipt = "UA1R000001";
        line.original = "UA1A000001";
        assert_int_equal(shop_claims(&s, 0, &line), NOTICE_MOVED);
        assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
        expect_money(&s, 0);
        shop_end(&s);
    }
}

/* A confirmation alone of much money credits no order: it waits for the provider's own row, which
 * must name the same order and amount, or for a person. Less is believed. */
static void test_a_confirmation_alone(void **state)
{
    (void)state;
    static const enum observation_source rows[] = {OBSERVED_BY_PULL, OBSERVED_BY_STATEMENT};
    for (uint32_t i = 0; i < 2; i++) {
        struct shop s;
        start(&s);
        uint64_t n = shop_pay(&s, "INV-1");
        shop_answer(&s, n, OBSERVED_REFUSED, OBSERVED_REASON_REQUEST, "");
        struct arrival small = {OBSERVED_BY_CALLBACK, "UA1C000001", "INV-1", 100, 0};
        assert_int_equal(arrives(&s, &small), NOTICE_MOVED);
        expect_money(&s, 100);
        assert_int_equal(confirmed(&s, "UA1C000002", "INV-1"), NOTICE_MOVED);
        const struct gateway_receipt *r =
            gateway_receipt_by_text(shop_gateway(&s), 0, SPAN_LITERAL("UA1C000002"));
        assert_int_equal(r->state, RECEIPT_SUSPENSE);
        assert_int_equal(shop_wallet(&s), 100);
        struct arrival row = {rows[i], "UA1C000002", "INV-2", SHOP_AMOUNT, 0};
        assert_int_equal(arrives(&s, &row), NOTICE_CONFIRMS); /* for another order: a person's */
        assert_int_equal(shop_wallet(&s), 100);
        assert_int_equal(shop_gateway(&s)->disagreements, 1);
        shop_restart(&s);
        row.source = rows[1 - i];
        row.order = "INV-1";
        for (int again = 0; again < 2; again++) {
            assert_int_equal(arrives(&s, &row), NOTICE_CONFIRMS);
            expect_money(&s, 100 + SHOP_AMOUNT);
        }
        assert_int_equal(shop_gateway(&s)->last_discrepancy, 1);
        assert_int_equal(shop_gateway(&s)->disagreements, 0);
        assert_int_equal(shop_told(&s, FEED_RECEIPT_ASSIGNED), 1);
        row = (struct arrival){rows[i], "UA1C000003", "INV-1", SHOP_AMOUNT, 0};
        assert_int_equal(arrives(&s, &row), NOTICE_MOVED); /* the row came first: at once */
        expect_money(&s, 100 + 2 * SHOP_AMOUNT);
        shop_end(&s);
    }
}

/* A confirmation with the payer's whole number, which fits an open push: the payer may have
 * cancelled it and paid by hand. Whatever becomes of the push, the money is booked once. */
static void test_a_confirmation_that_fits_a_push(void **state)
{
    (void)state;
    enum { CANCELLED, PAID, ROW, CALLED_BACK, WAYS };
    for (int way = CANCELLED; way < WAYS; way++) {
        struct shop s;
        start(&s);
        uint64_t n = shop_pending(&s, "INV-1");
        struct arrival a = {OBSERVED_BY_CALLBACK, "UA1C000001", "INV-1", SHOP_AMOUNT, SHOP_PHONE};
        assert_int_equal(arrives(&s, &a), NOTICE_MOVED);
        assert_int_equal(arrives(&s, &a), NOTICE_CONFIRMS);
        const struct gateway_receipt *r =
            gateway_receipt_by_text(shop_gateway(&s), 0, SPAN_LITERAL("UA1C000001"));
        assert_int_equal(r->state, RECEIPT_SUSPENSE);
        assert_int_equal(gateway_receipt_suggestion(shop_gateway(&s), r)->number, n);
        assert_int_equal(shop_clearing(&s), SHOP_AMOUNT);
        assert_int_equal(shop_wallet(&s), 0);
        assert_int_not_equal(shop_take(&s, CALL_QUERY), 0); /* it is asked at once */
        struct shop_claim cancelled = {.source = OBSERVED_BY_QUERY,
                                       .verdict = OBSERVED_FAILED,
                                       .reason = OBSERVED_REASON_CANCELLED,
                                       .code = "1032"};
        struct arrival row = a;
        row.source = OBSERVED_BY_STATEMENT;
        if (way == CANCELLED) {
            assert_int_equal(shop_claims(&s, n, &cancelled), NOTICE_MOVED);
            assert_int_equal(shop_clearing(&s), SHOP_AMOUNT);
            assert_int_equal(shop_wallet(&s), 0);
            assert_int_equal(shop_create(&s, "INV-1", 0).refusal, GATEWAY_ORDER_FUNDED);
        } else if (way == PAID) {
            assert_int_equal(queried(&s, n), NOTICE_MOVED);
        } else if (way == CALLED_BACK) {
            assert_int_equal(called_back(&s, n, "UA1C000001"), NOTICE_UNPROVEN);
            assert_int_equal(queried(&s, n), NOTICE_MOVED);
        }
        assert_int_equal(arrives(&s, &row),
                         way == CANCELLED || way == ROW ? NOTICE_MOVED : NOTICE_CONFIRMS);
        expect(&s, n, GATEWAY_SUCCEEDED, "UA1C000001");
        expect_money(&s, SHOP_AMOUNT);
        assert_int_equal(shop_told(&s, FEED_RECEIPT_TAKEN_BACK), 1);
        shop_end(&s);
    }
}

/* The provider's answer to a question: a claim, or (UNKNOWN) one that tells nothing yet. */
static void answer(struct shop *s, uint64_t item, uint64_t number, enum observation_verdict verdict)
{
    struct gateway_reading reading;
    struct observation o = {.kind = OBSERVED_PAYMENT,
                            .source = OBSERVED_BY_QUERY,
                            .verdict = verdict,
                            .code = SPAN_LITERAL("0")};
    struct delivery_result_command c = {.number = item,
                                        .generation = s->book->generation,
                                        .status = 200,
                                        .retry_after_ms = -1,
                                        .reading = &reading};
    enum book_outcome outcome = BOOK_DONE;
    memset(&reading, 0, sizeof(reading));
    reading.answer = o;
    reading.notice = (struct notice_command){
        .payment = number, .claim = &o, .body = SPAN_LITERAL("{}"), .key = {77, (uint8_t)verdict}};
    assert_true(shop_do(s, COMMAND_DELIVERY_RESULT, &c, &outcome) > 0);
}

/* The next question, which leaves no earlier than that; its item. */
static uint64_t next_question(struct shop *s, int64_t wait_ns)
{
    if (wait_ns > 0) {
        shop_pass(s, wait_ns - SHOP_S);
        assert_int_equal(shop_take(s, CALL_QUERY), 0);
        shop_pass(s, SHOP_S);
    }
    uint64_t item = shop_take(s, CALL_QUERY);
    assert_int_not_equal(item, 0);
    return item;
}

/* A query came too early; then the true callback, which nobody signed. It is asked about until the
 * provider has answered, whatever becomes of the questions. */
static void test_a_late_success_is_found(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct shop s;
        start(&s);
        uint64_t n = shop_pending(&s, "INV-1");
        struct shop_claim early = {.source = OBSERVED_BY_QUERY,
                                   .verdict = OBSERVED_FAILED,
                                   .reason = OBSERVED_REASON_EXPIRED,
                                   .code = "1037"};
        assert_int_equal(shop_claims(&s, n, &early), NOTICE_MOVED);
        assert_int_equal(called_back(&s, n, "UA1A000001"), NOTICE_UNPROVEN);
        uint64_t item = next_question(&s, 0);
        for (uint8_t rung = 0; rung < 3; rung++) {
            if (how == 0) {
                shop_fail(&s, item, DELIVERY_TIMEOUT);
            } else if (how == 1) {
                shop_fail(&s, item, DELIVERY_CONNECT);
            } else {
                answer(&s, item, n, OBSERVED_IN_FLIGHT);
            }
            assert_int_equal(called_back(&s, n, "UA1A000001"), NOTICE_UNPROVEN);
            if (rung == 1) {
                shop_replay(&s);
                s.settings.confirm_minor = SHOP_AMOUNT;
            }
            item = next_question(&s, gateway_rung_ns(rung));
        }
        answer(&s, item, n, OBSERVED_SUCCEEDED);
        expect(&s, n, GATEWAY_SUCCEEDED, "UA1A000001");
        assert_true(shop_payment(&s, n)->late);
        assert_int_equal(shop_payment(&s, n)->question, 0);
        expect_money(&s, SHOP_AMOUNT);
        shop_pass(&s, 100 * 3600 * SHOP_S);
        assert_int_equal(shop_take(&s, CALL_QUERY), 0);
        shop_end(&s);
    }
}

/* At the end of the ladder the same message, and a person, have it asked again; a definite answer
 * is one. */
static void test_asked_again_on_demand(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    struct payment_command resolve = {.number = n};
    assert_int_equal(expired(&s, n), NOTICE_MOVED);
    assert_int_equal(shop_do(&s, COMMAND_PAYMENT_RESOLVE, &resolve, &reply), 0);
    assert_int_equal(reply.refusal, GATEWAY_NOTHING_TO_DO);
    assert_int_equal(called_back(&s, n, "UA1A000001"), NOTICE_UNPROVEN);
    shop_fail(&s, next_question(&s, 0), DELIVERY_TIMEOUT);
    for (uint8_t rung = 0; rung < GATEWAY_RUNGS; rung++) {
        shop_fail(&s, next_question(&s, gateway_rung_ns(rung)), DELIVERY_TIMEOUT);
    }
    shop_pass(&s, 1000 * 3600 * SHOP_S);
    assert_int_equal(shop_take(&s, CALL_QUERY), 0);
    assert_int_equal(called_back(&s, n, "UA1A000001"), NOTICE_UNPROVEN);
    answer(&s, next_question(&s, 0), n, OBSERVED_FAILED);
    assert_int_equal(shop_payment(&s, n)->question, 0);
    reply.refusal = GATEWAY_DONE;
    assert_true(shop_do(&s, COMMAND_PAYMENT_RESOLVE, &resolve, &reply) > 0);
    assert_int_equal(shop_do(&s, COMMAND_PAYMENT_RESOLVE, &resolve, &reply), 0);
    answer(&s, next_question(&s, 0), n, OBSERVED_SUCCEEDED);
    expect(&s, n, GATEWAY_SUCCEEDED, "UA1A000001");
    expect_money(&s, SHOP_AMOUNT);
    shop_end(&s);
}

/* "Paid" and "not paid", and nobody signed either: the ladder ends, the question does not. */
static void test_two_unsigned_words(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    assert_int_equal(called_back(&s, n, "UA1A000001"), NOTICE_UNPROVEN);
    shop_fail(&s, next_question(&s, 0), DELIVERY_TIMEOUT);
    assert_int_equal(expired(&s, n), NOTICE_MOVED);
    answer(&s, next_question(&s, 0), n, OBSERVED_SUCCEEDED);
    expect(&s, n, GATEWAY_SUCCEEDED, "UA1A000001");
    expect_money(&s, SHOP_AMOUNT);
    shop_end(&s);
}

/* The answer to the push was lost: the callback that nobody signed tells by which id to ask. */
static void test_the_id_to_ask_by(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    start(&s);
    uint64_t n = shop_pay(&s, "INV-1");
    struct payment_command sending = {.number = n};
    uint64_t push = shop_take(&s, CALL_PUSH);
    assert_true(shop_do(&s, COMMAND_PAYMENT_SENDING, &sending, &reply) > 0);
    shop_fail(&s, push, DELIVERY_TIMEOUT);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_UNCONFIRMED);
    assert_int_equal(shop_take(&s, CALL_QUERY), 0);
    assert_int_equal(called_back(&s, n, "UA1A000001"), NOTICE_UNPROVEN);
    answer(&s, next_question(&s, 0), n, OBSERVED_SUCCEEDED);
    expect(&s, n, GATEWAY_SUCCEEDED, "UA1A000001");
    expect_money(&s, SHOP_AMOUNT);
    shop_end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_receipts_are_none),
        cmocka_unit_test(test_a_confirmation_alone),
        cmocka_unit_test(test_a_confirmation_that_fits_a_push),
        cmocka_unit_test(test_a_late_success_is_found),
        cmocka_unit_test(test_asked_again_on_demand),
        cmocka_unit_test(test_two_unsigned_words),
        cmocka_unit_test(test_the_id_to_ask_by),
        cmocka_unit_test(test_a_receipt_of_another),
        cmocka_unit_test(test_a_receipt_of_one_that_left),
        cmocka_unit_test(test_a_receipt_that_arrived),
        cmocka_unit_test(test_every_door),
        cmocka_unit_test(test_unsigned_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
