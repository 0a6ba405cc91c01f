/*
 * test_merchant_closing.c - payments that have left memory (docs/decisions/0011), and every way on
 * which somebody comes back to them: callbacks late and doubled, answers to questions, rows and
 * lines, the same API call again, the order's guard, refunds, readers, reports; and what may not
 * leave. Each shop proves itself at its end by a replay and a saved copy.
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
#include "support/shop.h"

#define HOUR (3600 * SHOP_S)

static bool at_home(const struct shop *s, uint64_t number)
{
    struct old_name name = gateway_payment_name(number);
    return book_holds(s->book, &name);
}

static void start(struct shop *s)
{
    shop_start(s);
    shop_with_attic(s);
}

static struct shop_claim paid_as(const char *receipt)
{
    struct shop_claim c = shop_paid();
    c.receipt = receipt;
    return c;
}

/* Paid by its callback, and gone. */
static uint64_t paid_and_left(struct shop *s, const char *order, const char *receipt)
{
    struct shop_claim paid = paid_as(receipt);
    uint64_t number = shop_pending(s, order);
    assert_int_equal(shop_claims(s, number, &paid), NOTICE_MOVED);
    shop_pass(s, HOUR);
    assert_true(shop_clear(s, HOUR / 2, false) > 0);
    assert_false(at_home(s, number));
    return number;
}

/* All of it comes back as it was, and nothing is left behind in memory. */
static void test_it_leaves_whole(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    uint64_t number = paid_and_left(&s, "INV-1", "UA1A000001");
    const struct gateway *g = shop_gateway(&s);
    assert_int_equal(g->payments.used, 0);
    assert_int_equal(g->notices.used, 0);
    assert_int_equal(s.book->ledger.entries.used, 0);
    assert_int_equal(s.book->keys.used + s.book->keys_left, 1);
    assert_int_equal(g->left, 1);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    assert_int_equal(shop_clearing(&s), SHOP_AMOUNT);
    const struct gateway_payment *p = shop_payment(&s, number); /* as the guest */
    assert_int_equal(p->state, GATEWAY_SUCCEEDED);
    assert_int_equal(p->amount_minor, SHOP_AMOUNT);
    assert_int_equal(p->phone, SHOP_PHONE);
    assert_true(span_is(gateway_text(g, p->order), "INV-1"));
    assert_true(span_is(gateway_text(g, p->receipt), "UA1A000001"));
    assert_true(span_is(gateway_text(g, p->provider_id), "ws_CO_1"));
    assert_int_equal(p->notices, 1);
    const struct gateway_notice *n = gateway_notice_at(g, p->first_notice);
    assert_int_equal(n->payment, number);
    assert_ptr_equal(gateway_notice(g, n->number), n);
    assert_true(gateway_text(g, n->body[0]).size > 0);
    assert_int_equal(n->next, SLAB_NONE);
    assert_false(at_home(&s, number)); /* reading brings nothing home */
    shop_end(&s);
}

/* Every name leads to it. */
static void test_every_name_finds_it(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    uint64_t number = paid_and_left(&s, "INV-1", "UA1A000001");
    uint8_t token[16];
    memcpy(token, shop_payment(&s, number)->token, sizeof(token));
    struct old_name names[] = {
        gateway_payment_name(number),
        gateway_token_name(token),
        gateway_receipt_name(0, SPAN_LITERAL("UA1A000001")),
        gateway_order_name(0, SPAN_LITERAL("INV-1")),
        gateway_notice_name(1),
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        book_unhost(s.book);
        assert_true(attic_reach(s.attic, s.book, &names[i]));
        assert_int_equal(shop_gateway(&s)->guest.payment.number, number);
    }
    struct old_name nobody = gateway_order_name(0, SPAN_LITERAL("INV-2"));
    assert_false(attic_reach(s.attic, s.book, &nobody));
    shop_end(&s);
}

/* R5.2: the same callback again is recognised, whenever it comes, and does nothing. */
static void test_a_doubled_callback(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    uint64_t number = paid_and_left(&s, "INV-1", "UA1A000001");
    struct shop_claim paid = paid_as("UA1A000001");
    uint64_t told = shop_gateway(&s)->last_seq;
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(shop_claims(&s, number, &paid), NOTICE_CONFIRMS);
        assert_true(at_home(&s, number));
        assert_int_equal(gateway_notice(shop_gateway(&s), 1)->repeats, i);
        assert_int_equal(shop_clear(&s, 0, false), 1); /* and away again */
    }
    assert_int_equal(shop_gateway(&s)->last_seq, told);
    assert_int_equal(shop_gateway(&s)->last_notice, 1);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    shop_end(&s);
}

/* A success that comes after it had failed and left: booked once, told once. */
static void test_a_late_success(void **state)
{
    (void)state;
    struct shop s;
    struct shop_claim failed = {.source = OBSERVED_BY_CALLBACK,
                                .verdict = OBSERVED_FAILED,
                                .reason = OBSERVED_REASON_CANCELLED,
                                .code = "1032"};
    start(&s);
    uint64_t number = shop_pending(&s, "INV-1");
    assert_int_equal(shop_claims(&s, number, &failed), NOTICE_MOVED);
    shop_pass(&s, HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    struct shop_claim paid = paid_as("UA1A000001");
    assert_int_equal(shop_claims(&s, number, &paid), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, number)->state, GATEWAY_SUCCEEDED);
    assert_true(shop_payment(&s, number)->late);
    assert_int_equal(shop_told(&s, FEED_PAYMENT_SUCCEEDED), 1);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    assert_int_equal(shop_claims(&s, number, &paid), NOTICE_CONFIRMS);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    assert_int_equal(shop_told(&s, FEED_PAYMENT_SUCCEEDED), 1);
    shop_end(&s);
}

/* A callback that names an old payment's id, or its receipt, but comes for another one. */
static void test_what_names_an_old_one(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    (void)paid_and_left(&s, "INV-1", "UA1A000001");
    uint64_t other = shop_pending(&s, "INV-2");
    struct shop_claim stolen = paid_as("UA1A000001"); /* R6.10: a receipt is used once */
    assert_int_equal(shop_claims(&s, other, &stolen), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, other)->state, GATEWAY_MISMATCHED);
    assert_int_equal(shop_payment(&s, other)->reason, REASON_RECEIPT);
    struct shop_claim named = paid_as("UA1A000009");
    named.reference = "ws_CO_1"; /* to no payment's URL: found by the id */
    assert_int_equal(shop_claims(&s, 0, &named), NOTICE_CONTRADICTS);
    assert_true(at_home(&s, 1));
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    shop_end(&s);
}

/* The provider gives one of its ids a second time: it is the old payment's. */
static void test_an_id_is_not_learned_twice(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    (void)paid_and_left(&s, "INV-1", "UA1A000001");
    uint64_t other = shop_pay(&s, "INV-2");
    shop_answer(&s, other, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_1");
    assert_int_equal(shop_payment(&s, other)->provider_id, TEXT_NONE);
    shop_end(&s);
}

/* R3.8: the same call with the same key gives the same answer, also when the key has left, too. */
static void test_the_same_call_again(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    uint64_t number = paid_and_left(&s, "INV-1", "UA1A000001");
    shop_pass(&s, 30 * HOUR);
    (void)shop_clear(&s, 24 * HOUR, false);
    assert_int_equal(s.book->keys.used, 0);
    s.keys--; /* the key of that one */
    struct gateway_reply reply = shop_create(&s, "INV-1", 0);
    assert_int_equal(reply.refusal, GATEWAY_REPEATED);
    assert_int_equal(reply.number, number);
    assert_false(at_home(&s, number));
    assert_int_equal(shop_gateway(&s)->last_payment, number);
    shop_end(&s);
}

/* R2.9: an order stays paid, whoever of its payments has left and in whichever order they did. */
static void test_the_order_stays_paid(void **state)
{
    (void)state;
    struct shop s;
    struct shop_claim failed = {.source = OBSERVED_BY_CALLBACK,
                                .verdict = OBSERVED_FAILED,
                                .reason = OBSERVED_REASON_CANCELLED,
                                .code = "1032"};
    struct shop_claim paid = paid_as("UA1A000001");
    start(&s);
    uint64_t first = shop_pending(&s, "INV-1");
    assert_int_equal(shop_claims(&s, first, &failed), NOTICE_MOVED);
    shop_pass(&s, HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    uint64_t second = shop_pending(&s, "INV-1"); /* the first comes home for it */
    assert_int_equal(shop_payment(&s, second)->before, first);
    assert_int_equal(shop_payment(&s, first)->after, second);
    assert_int_equal(shop_claims(&s, second, &paid), NOTICE_MOVED);
    shop_pass(&s, HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 2);
    struct gateway_reply reply = shop_create(&s, "INV-1", 0);
    assert_int_equal(reply.refusal, GATEWAY_ORDER_PAID);
    assert_int_equal(reply.number, second);
    assert_int_equal(shop_clear(&s, 0, false), 2);
    /* The older one comes home alone, and leaves again: the order's name still leads to both. */
    assert_int_equal(shop_claims(&s, first, &failed), NOTICE_CONFIRMS);
    assert_true(at_home(&s, first) && !at_home(&s, second));
    reply = shop_create(&s, "INV-1", 0);
    assert_int_equal(reply.refusal, GATEWAY_ORDER_PAID);
    assert_int_equal(reply.number, second);
    assert_int_equal(shop_clear(&s, 0, false), 2);
    assert_int_equal(shop_claims(&s, first, &failed), NOTICE_CONFIRMS);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    reply = shop_create(&s, "INV-1", 0);
    assert_int_equal(reply.refusal, GATEWAY_ORDER_PAID);
    shop_end(&s);
}

/* Both payments of an order are paid in the end, the second long after the first has left. */
static void test_a_refund_is_proposed(void **state)
{
    (void)state;
    struct shop s;
    struct shop_claim failed = {.source = OBSERVED_BY_CALLBACK,
                                .verdict = OBSERVED_FAILED,
                                .reason = OBSERVED_REASON_CANCELLED,
                                .code = "1032"};
    start(&s);
    uint64_t first = shop_pending(&s, "INV-1");
    assert_int_equal(shop_claims(&s, first, &failed), NOTICE_MOVED);
    (void)paid_and_left(&s, "INV-1", "UA1A000002");
    (void)shop_clear(&s, 0, false);
    assert_int_equal(shop_gateway(&s)->left, 2);
    struct shop_claim paid = paid_as("UA1A000001");
    assert_int_equal(shop_claims(&s, first, &paid), NOTICE_MOVED);
    assert_int_equal(shop_told(&s, FEED_REFUND_PROPOSED), 1);
    assert_int_equal(shop_wallet(&s), 2 * SHOP_AMOUNT);
    shop_end(&s);
}

static uint64_t refund(struct shop *s, uint64_t number, enum gateway_refusal expected)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct payout_command c = {.refunds = number};
    s->keys++;
    memcpy(c.key, &s->keys, sizeof(s->keys));
    memcpy(c.token, &s->keys, sizeof(s->keys));
    c.token[15] = 0x78;
    (void)shop_do(s, COMMAND_PAYOUT_CREATE, &c, &reply);
    assert_int_equal(reply.refusal, expected);
    return reply.number;
}

/* What left is given back; then both have left, and the refund's result comes once more. */
static void test_a_refund_of_an_old_one(void **state)
{
    (void)state;
    struct shop s;
    struct shop_claim done = {.source = OBSERVED_BY_CALLBACK,
                              .kind = OBSERVED_REFUND,
                              .verdict = OBSERVED_SUCCEEDED,
                              .receipt = "UA1R000001",
                              .amount_minor = SHOP_AMOUNT};
    start(&s);
    uint64_t number = paid_and_left(&s, "INV-1", "UA1A000001");
    uint64_t back = refund(&s, number, GATEWAY_DONE);
    assert_true(at_home(&s, number));
    shop_pass(&s, 2 * HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 0); /* not while it is being given back */
    shop_fail(&s, shop_take(&s, CALL_REVERSAL), DELIVERY_TIMEOUT);
    assert_int_equal(shop_claims(&s, back, &done), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, number)->state, GATEWAY_REVERSED);
    assert_int_equal(shop_wallet(&s), 0);
    uint64_t question = shop_take(&s, CALL_STATUS);
    if (question != 0) {
        shop_fail(&s, question, DELIVERY_TIMEOUT);
    }
    shop_pass(&s, HOUR);
    (void)shop_clear(&s, 0, false);
    assert_int_equal(shop_gateway(&s)->left, 2);
    assert_int_equal(shop_claims(&s, back, &done), NOTICE_CONFIRMS);
    assert_true(at_home(&s, back) && at_home(&s, number));
    assert_int_equal(refund(&s, number, GATEWAY_NOT_PAID), back);
    assert_int_equal(shop_wallet(&s), 0);
    shop_end(&s);
}

/* A line of a statement, known by its receipt number alone. */
static void test_a_line_of_a_statement(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    uint64_t number = paid_and_left(&s, "INV-1", "UA1A000001");
    struct shop_claim line = paid_as("UA1A000001");
    line.kind = OBSERVED_RECEIPT;
    line.source = OBSERVED_BY_STATEMENT;
    line.reference = "UA1A000001";
    assert_int_equal(shop_claims(&s, 0, &line), NOTICE_CONFIRMS);
    assert_true(at_home(&s, number));
    assert_int_equal(shop_gateway(&s)->last_receipt, 0); /* it is the payment's money */
    line.amount_minor += 100;
    assert_int_equal(shop_claims(&s, 0, &line), NOTICE_MISMATCH);
    assert_int_equal(shop_gateway(&s)->disagreements, 1);
    shop_pass(&s, 2 * HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 0); /* somebody has to look at it */
    struct discrepancy_resolve_command solved = {
        .number = 1, .reason = DISCREPANCY_IS_EXPLAINED, .owner = SPAN_LITERAL("Jane")};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    assert_true(shop_do(&s, COMMAND_DISCREPANCY_RESOLVE, &solved, &reply) > 0);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    shop_end(&s);
}

/* Expired by a query, left, and a row with payer, amount and time brings it back: it was paid. */
static void test_a_row_that_names_the_payer(void **state)
{
    (void)state;
    struct shop s;
    struct shop_claim expired = {.source = OBSERVED_BY_QUERY,
                                 .verdict = OBSERVED_FAILED,
                                 .reason = OBSERVED_REASON_EXPIRED,
                                 .code = "1037"};
    start(&s);
    int64_t sent_ns = s.now_ns;
    uint64_t number = shop_pending(&s, "INV-1");
    assert_int_equal(shop_claims(&s, number, &expired), NOTICE_MOVED);
    assert_int_equal(shop_clear(&s, 0, false), 0); /* it is doubtful: an hour at least */
    shop_pass(&s, 2 * HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    struct observation o = {.kind = OBSERVED_RECEIPT,
                            .source = OBSERVED_BY_PULL,
                            .verdict = OBSERVED_SUCCEEDED,
                            .has_amount = true,
                            .amount_minor = SHOP_AMOUNT,
                            .phone = SHOP_PHONE,
                            .at_ns = sent_ns + 30 * SHOP_S,
                            .reference = SPAN_LITERAL("UA1A000001"),
                            .receipt = SPAN_LITERAL("UA1A000001"),
                            .account_reference = SPAN_LITERAL("INV-1")};
    struct notice_command n = {.claim = &o, .key = {9}, .body = SPAN_LITERAL("{}")};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    assert_true(shop_do(&s, COMMAND_NOTICE, &n, &reply) > 0);
    assert_int_equal(reply.effect, NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, number)->state, GATEWAY_SUCCEEDED);
    assert_int_equal(shop_gateway(&s)->last_receipt, 0);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    shop_end(&s);
}

/* A row or late confirmation, whose payer is masked. */
static uint8_t masked_row(struct shop *s, enum observation_source source, const char *receipt,
                          const char *party, int64_t at_ns)
{
    struct observation o = {.kind = OBSERVED_RECEIPT,
                            .source = source,
                            .verdict = OBSERVED_SUCCEEDED,
                            .has_amount = true,
                            .amount_minor = SHOP_AMOUNT,
                            .at_ns = at_ns,
                            .reference = span_from(receipt),
                            .receipt = span_from(receipt),
                            .party = span_from(party),
                            .account_reference = SPAN_LITERAL("ORDER-123456")};
    struct notice_command n = {
        .claim = &o, .key = {9, (uint8_t)source, (uint8_t)receipt[9]}, .body = SPAN_LITERAL("{}")};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    assert_true(shop_do(s, COMMAND_NOTICE, &n, &reply) > 0);
    return reply.effect;
}

/* Paid, as a query says, under an order of which the payer saw the first 12 bytes. */
static uint64_t paid_by_query(struct shop *s, const char *order, uint64_t phone)
{
    struct shop_claim c = {.source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED, .code = "0"};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct payment_create_command create = {.amount_minor = SHOP_AMOUNT,
                                            .phone = phone,
                                            .method = METHOD_MPESA_STK,
                                            .capture = CAPTURE_WALLET,
                                            .order = span_from(order),
                                            .token = {8, (uint8_t)(phone >> 8)},
                                            .key = {8, (uint8_t)(phone >> 8)}};
    assert_true(shop_do(s, COMMAND_PAYMENT_CREATE, &create, &reply) > 0);
    uint64_t number = reply.number;
    shop_answer(s, number, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE,
                number == 1 ? "ws_CO_1" : "ws_CO_2");
    assert_int_equal(shop_claims(s, number, &c), NOTICE_MOVED);
    shop_fail(s, shop_take(s, CALL_STATUS), DELIVERY_WITHDRAWN); /* no initiator */
    return number;
}

/* Its callback was lost, and a query found it. The day's statement, or a late confirmation, names
 * neither its order nor its phone: it is its money, as if it had never left. */
static void test_a_row_that_names_what_was_shown(void **state)
{
    (void)state;
    static const enum observation_source sources[] = {OBSERVED_BY_STATEMENT, OBSERVED_BY_CALLBACK};
    for (size_t i = 0; i < 4; i++) {
        struct shop s;
        start(&s);
        int64_t sent_ns = s.now_ns;
        uint64_t number = paid_by_query(&s, "ORDER-1234567890", SHOP_PHONE);
        shop_pass(&s, 20 * HOUR);
        assert_int_equal(i % 2 == 0 ? shop_clear(&s, HOUR, false) : 1, 1);
        assert_int_equal(at_home(&s, number), i % 2);
        int64_t at_ns = sent_ns + (i < 2 ? 30 : 890) * SHOP_S;
        assert_int_equal(
            masked_row(&s, sources[i / 2], "UA1A000001", "2547******149 - JOHN DOE", at_ns),
            NOTICE_ENRICHES);
        assert_true(span_is(gateway_text(shop_gateway(&s), shop_payment(&s, number)->receipt),
                            "UA1A000001"));
        assert_int_equal(shop_gateway(&s)->last_receipt, 0);
        assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
        assert_int_equal(shop_clearing(&s), SHOP_AMOUNT);
        /* It has its receipt now: other money under the same reference is not its own. */
        shop_pass(&s, 2 * HOUR);
        assert_int_equal(shop_clear(&s, HOUR, false), 1);
        assert_int_equal(
            masked_row(&s, OBSERVED_BY_STATEMENT, "UA1A000002", "2547******149", at_ns),
            NOTICE_MOVED);
        assert_int_equal(shop_gateway(&s)->last_receipt, 1);
        shop_end(&s);
    }
}

/* Two that were shown alike stay, so that it is seen that there are two. */
static void test_shown_alike_they_stay(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    int64_t sent_ns = s.now_ns;
    uint64_t one = paid_by_query(&s, "ORDER-1234567890", SHOP_PHONE);
    shop_pass(&s, 60 * SHOP_S);
    uint64_t two = paid_by_query(&s, "ORDER-1234567891", SHOP_PHONE + 100000);
    shop_pass(&s, 20 * HOUR);
    assert_int_equal(shop_clear(&s, HOUR, false), 0);
    assert_int_equal(
        masked_row(&s, OBSERVED_BY_STATEMENT, "UA1A000001", "2547******149", sent_ns + SHOP_S),
        NOTICE_MOVED); /* whose it is, nobody can tell */
    assert_int_equal(shop_gateway(&s)->last_receipt, 1);
    struct shop_claim c = paid_as("UA1A000001");
    assert_int_equal(shop_claims(&s, one, &c), NOTICE_ENRICHES);
    c.receipt = "UA1A000002";
    c.phone += 100000;
    assert_int_equal(shop_claims(&s, two, &c), NOTICE_ENRICHES);
    assert_int_equal(shop_clearing(&s), 2 * SHOP_AMOUNT);
    shop_pass(&s, 2 * HOUR);
    assert_int_equal(shop_clear(&s, HOUR, false), 2);
    shop_end(&s);
}

/* Payments 1 and 2: the same payer, amount and reference, both expired by query. */
static void start_with_twins(struct shop *s)
{
    struct shop_claim expired = {.source = OBSERVED_BY_QUERY,
                                 .verdict = OBSERVED_FAILED,
                                 .reason = OBSERVED_REASON_EXPIRED,
                                 .code = "1037"};
    start(s);
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t number = shop_pending(s, "INV-1");
        assert_int_equal(shop_claims(s, number, &expired), NOTICE_MOVED);
        shop_pass(s, 60 * SHOP_S);
    }
}

/* Two that the same row could be about stay, so that it is seen that there are two. */
static void test_twins_stay(void **state)
{
    (void)state;
    struct shop s;
    start_with_twins(&s);
    shop_pass(&s, 5 * HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 0);
    struct shop_claim paid = paid_as("UA1A000001");
    assert_int_equal(shop_claims(&s, 1, &paid), NOTICE_MOVED);
    shop_pass(&s, 5 * HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 2);
    shop_end(&s);
}

/* A push that never left stands between them: it is no twin, and hides none. */
static void test_twins_behind_one_that_never_left(void **state)
{
    (void)state;
    struct shop s;
    start_with_twins(&s);
    uint64_t unsent = shop_pay(&s, "INV-2");
    shop_pass(&s, 5 * HOUR);
    assert_int_equal(shop_payment(&s, unsent)->entered_ns[GATEWAY_SUBMITTED], 0);
    assert_int_equal(shop_clear(&s, 0, false), 0);
    assert_true(at_home(&s, 1) && at_home(&s, 2));
    shop_end(&s);
}

/* The question is answered after its payment has left. */
static void test_an_answer_after_it_left(void **state)
{
    (void)state;
    struct shop s;
    struct shop_claim query = {.source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED};
    start(&s);
    uint64_t number = shop_pending(&s, "INV-1");
    assert_int_equal(shop_claims(&s, number, &query), NOTICE_MOVED); /* the receipt is asked for */
    uint64_t question = shop_take(&s, CALL_STATUS);
    assert_int_not_equal(question, 0);
    shop_pass(&s, 2 * HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    shop_fail(&s, question, DELIVERY_TIMEOUT); /* its end is about a payment */
    assert_true(at_home(&s, number));
    assert_int_equal(shop_clear(&s, 0, false), 1);
    struct shop_claim status = paid_as("UA1A000001");
    status.source = OBSERVED_BY_STATUS;
    assert_int_equal(shop_claims(&s, number, &status), NOTICE_ENRICHES);
    assert_int_equal(shop_told(&s, FEED_PAYMENT_RECEIPT), 1);
    shop_end(&s);
}

/* Reports of a day count what has left, and follow what comes home (R5.4). */
static void test_the_days_report_stays(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_repairs before;
    struct gateway_repairs after;
    struct shop_claim query = {.source = OBSERVED_BY_QUERY, .verdict = OBSERVED_SUCCEEDED};
    start(&s);
    uint32_t day = eat_day_number(s.now_ns);
    struct civil c;
    civil_from_day(day, &c);
    int64_t from_ns = civil_to_ns(&c, EAT_OFFSET_S);
    int64_t until_ns = from_ns + 24 * HOUR;
    for (uint32_t i = 1; i <= 3; i++) {
        char order[16];
        char receipt[16];
        (void)snprintf(order, sizeof(order), "INV-%u", i);
        (void)snprintf(receipt, sizeof(receipt), "UA1A00000%u", i);
        struct shop_claim paid = paid_as(receipt);
        uint64_t number = shop_pending(&s, order);
        assert_int_equal(shop_claims(&s, number, i == 3 ? &query : &paid), NOTICE_MOVED);
    }
    gateway_repairs(shop_gateway(&s), 0, from_ns, until_ns, &before);
    assert_int_equal(before.checked, 3);
    assert_int_equal(before.repaired_by[OBSERVED_BY_QUERY], 1);
    assert_int_equal(shop_gateway(&s)->paid, 3);
    shop_pass(&s, 30 * HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 3);
    gateway_repairs(shop_gateway(&s), 0, from_ns, until_ns, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(shop_gateway(&s)->paid, 3); /* whether they are in memory or not */
    shop_restart(&s);
    assert_int_equal(shop_gateway(&s)->paid, 3);
    struct shop_claim own = paid_as("UA1A000003"); /* it was only late */
    assert_int_equal(shop_claims(&s, 3, &own), NOTICE_ENRICHES);
    for (uint32_t i = 0; i < 2; i++) {
        gateway_repairs(shop_gateway(&s), 0, from_ns, until_ns, &after);
        assert_int_equal(after.checked, 3);
        assert_int_equal(after.repaired, 0);
        assert_int_equal(after.late, 1);
        (void)shop_clear(&s, 0, false);
    }
    gateway_repairs(shop_gateway(&s), 0, until_ns, until_ns + 24 * HOUR, &after);
    assert_int_equal(after.checked, 0);
    shop_end(&s);
}

/* What is open in any way stays. */
static void test_what_stays(void **state)
{
    (void)state;
    struct shop s;
    start(&s);
    (void)shop_pending(&s, "INV-1"); /* nothing said yet */
    struct shop_claim other = paid_as("UA1A000002");
    other.amount_minor += 1;
    assert_int_equal(shop_claims(&s, shop_pending(&s, "INV-2"), &other), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, 2)->state, GATEWAY_MISMATCHED);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    assert_int_equal(shop_escrow(&s, "INV-3"), 3);
    shop_answer(&s, 3, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_3");
    struct shop_claim paid = paid_as("UA1A000003");
    assert_int_equal(shop_claims(&s, 3, &paid), NOTICE_MOVED);
    shop_pass(&s, 5 * HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 0);
    struct payment_command release = {.number = 3};
    assert_true(shop_do(&s, COMMAND_PAYMENT_RELEASE, &release, &reply) > 0);
    assert_int_equal(shop_clear(&s, HOUR, false), 1); /* its end was long ago */
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    reply.refusal = GATEWAY_DONE;
    (void)shop_do(&s, COMMAND_PAYMENT_RELEASE, &release, &reply);
    assert_int_equal(reply.refusal, GATEWAY_NOTHING_TO_DO);
    shop_end(&s);
}

/* A webhook that has not arrived keeps its payment, and one more notice than a record has room. */
static void test_webhooks_and_many_notices(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct endpoint_command c = {.target = 9,
                                 .types = 1 << FEED_PAYMENT_SUCCEEDED,
                                 .url = SPAN_LITERAL("https://shop.example")};
    start(&s);
    assert_true(shop_do(&s, COMMAND_ENDPOINT_OPEN, &c, &reply) > 0);
    struct shop_claim paid = paid_as("UA1A000001");
    uint64_t number = shop_pending(&s, "INV-1");
    assert_int_equal(shop_claims(&s, number, &paid), NOTICE_MOVED);
    shop_pass(&s, 2 * HOUR);
    assert_int_equal(shop_clear(&s, 0, false), 0);
    uint64_t item = shop_take(&s, MESSAGE_WEBHOOK);
    struct delivery_result_command arrived = {
        .number = item, .generation = s.book->generation, .status = 200, .retry_after_ms = -1};
    enum book_outcome outcome = BOOK_DONE;
    assert_true(shop_do(&s, COMMAND_DELIVERY_RESULT, &arrived, &outcome) > 0);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    struct event_replay_command again = {.seq = shop_gateway(&s)->last_seq};
    assert_true(shop_do(&s, COMMAND_EVENT_REPLAY, &again, &reply) > 0);
    arrived.number = shop_take(&s, MESSAGE_WEBHOOK);
    assert_true(shop_do(&s, COMMAND_DELIVERY_RESULT, &arrived, &outcome) > 0);
    assert_false(at_home(&s, number));
    for (uint32_t i = 0; i < GATEWAY_RECORD_NOTICES; i++) {
        char code[16];
        (void)snprintf(code, sizeof(code), "C%u", i);
        paid.code = code;
        assert_int_equal(shop_claims(&s, number, &paid), NOTICE_CONFIRMS);
        (void)shop_clear(&s, 0, false);
    }
    assert_true(at_home(&s, number));
    shop_end(&s);
}

/* A kill between the index and the journal, and restarts with and without a snapshot. */
static void test_restarts(void **state)
{
    (void)state;
    struct shop s;
    struct shop_claim paid = paid_as("UA1A000001");
    start(&s);
    uint64_t number = shop_pending(&s, "INV-1");
    assert_int_equal(shop_claims(&s, number, &paid), NOTICE_MOVED);
    shop_pass(&s, HOUR);
    (void)shop_clear(&s, 0, true); /* the index has it, memory as well */
    shop_replay(&s);
    assert_true(at_home(&s, number));
    assert_int_equal(shop_claims(&s, number, &paid), NOTICE_CONFIRMS);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    shop_restart(&s);
    assert_false(at_home(&s, number));
    assert_int_equal(shop_payment(&s, number)->notices, 1);
    assert_int_equal(gateway_notice(shop_gateway(&s), 1)->repeats, 1); /* the newer record */
    shop_replay(&s);
    assert_int_equal(shop_create(&s, "INV-1", 0).refusal, GATEWAY_ORDER_PAID);
    shop_restart(&s);
    assert_int_equal(shop_clear(&s, 0, false), 1);
    assert_int_equal(shop_claims(&s, number, &paid), NOTICE_CONFIRMS);
    shop_end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_leaves_whole),
        cmocka_unit_test(test_every_name_finds_it),
        cmocka_unit_test(test_a_doubled_callback),
        cmocka_unit_test(test_a_late_success),
        cmocka_unit_test(test_what_names_an_old_one),
        cmocka_unit_test(test_an_id_is_not_learned_twice),
        cmocka_unit_test(test_the_same_call_again),
        cmocka_unit_test(test_the_order_stays_paid),
        cmocka_unit_test(test_a_refund_is_proposed),
        cmocka_unit_test(test_a_refund_of_an_old_one),
        cmocka_unit_test(test_a_line_of_a_statement),
        cmocka_unit_test(test_a_row_that_names_the_payer),
        cmocka_unit_test(test_a_row_that_names_what_was_shown),
        cmocka_unit_test(test_shown_alike_they_stay),
        cmocka_unit_test(test_twins_stay),
        cmocka_unit_test(test_twins_behind_one_that_never_left),
        cmocka_unit_test(test_an_answer_after_it_left),
        cmocka_unit_test(test_the_days_report_stays),
        cmocka_unit_test(test_what_stays),
        cmocka_unit_test(test_webhooks_and_many_notices),
        cmocka_unit_test(test_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
