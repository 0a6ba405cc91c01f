/*
 * test_merchant_reconcile.c - comparing with the provider's books: discrepancies of rows and
 * lines, their owners and ends; pulling page by page; the sweep of what is open (R2.7, R5.4), and
 * the alert over 0.1 % repaired, once a day.
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

/* A line of a statement, or a row of a pull. */
struct line {
    enum observation_kind kind;
    const char *receipt;
    const char *original;
    const char *account;
    int64_t amount_minor;
    bool pulled;
    bool came_in;
};

static uint8_t take(struct shop *s, struct line l)
{
    char body[200];
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct observation o;
    memset(&o, 0, sizeof(o));
    o.kind = l.kind;
    o.source = l.pulled ? OBSERVED_BY_PULL : OBSERVED_BY_STATEMENT;
    o.verdict = OBSERVED_SUCCEEDED;
    o.reference = span_from(l.receipt);
    o.receipt = span_from(l.receipt);
    o.original_receipt = span_from(l.original);
    o.came_in = l.came_in;
    o.account_reference = span_from(l.account);
    o.has_amount = true;
    o.amount_minor = l.amount_minor;
    (void)snprintf(body, sizeof(body), "line %d %d %s %lld", (int)l.kind, (int)l.pulled, l.receipt,
                   (long long)l.amount_minor);
    struct notice_command n = {.claim = &o, .body = span_from(body)};
    uint64_t key[2] = {hash_bytes(body, strlen(body), 1), hash_bytes(body, strlen(body), 2)};
    memcpy(n.key, key, sizeof(n.key));
    memcpy(n.digest, key, sizeof(n.digest));
    assert_true(shop_do(s, COMMAND_NOTICE, &n, &reply) > 0);
    return reply.effect;
}

static const struct gateway_discrepancy *last(const struct shop *s, uint64_t number, uint8_t kind)
{
    const struct gateway *g = shop_gateway(s);
    assert_int_equal(g->last_discrepancy, number);
    const struct gateway_discrepancy *d = gateway_discrepancy(g, number);
    assert_non_null(d);
    assert_int_equal(d->kind, kind);
    return d;
}

static enum gateway_refusal resolve(struct shop *s, uint32_t merchant, uint64_t number,
                                    uint8_t reason)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct discrepancy_resolve_command c = {.merchant = merchant,
                                            .number = number,
                                            .reason = reason,
                                            .owner = SPAN_LITERAL("Wanjiku"),
                                            .note = SPAN_LITERAL("asked the bank")};
    (void)shop_do(s, COMMAND_DISCREPANCY_RESOLVE, &c, &reply);
    return reply.refusal;
}

/* Each kind once, however often its line comes; what agrees opens none, nor does a callback. */
static void test_discrepancies(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    struct line own = {OBSERVED_RECEIPT, "UA1A000001", NULL, "INV-1", SHOP_AMOUNT, false, false};
    assert_int_equal(take(&s, own), NOTICE_CONFIRMS);
    assert_int_equal(shop_gateway(&s)->last_discrepancy, 0);
    own.amount_minor -= 100;
    assert_int_equal(take(&s, own), NOTICE_MISMATCH);
    const struct gateway_discrepancy *d = last(&s, 1, DISCREPANCY_AMOUNT);
    assert_int_equal(d->payment, n);
    assert_int_equal(d->ours_minor - d->theirs_minor, 100);
    struct line nobody = {OBSERVED_RECEIPT, "UA1C000002", NULL, "NOBODY", 700, false, false};
    assert_int_equal(take(&s, nobody), NOTICE_MOVED);
    assert_int_equal(last(&s, 2, DISCREPANCY_UNKNOWN_ACCOUNT)->receipt, 1);
    nobody.pulled = true; /* the same by pull, and again: still the one */
    assert_int_equal(take(&s, nobody), NOTICE_CONFIRMS);
    assert_int_equal(take(&s, nobody), NOTICE_CONFIRMS);
    struct line payout = {OBSERVED_PAYOUT, "UA1B000003", NULL, NULL, 900, false, false};
    assert_int_equal(take(&s, payout), NOTICE_ORPHAN);
    assert_int_equal(take(&s, payout), NOTICE_ORPHAN);
    (void)last(&s, 3, DISCREPANCY_UNKNOWN_PAYOUT);
    struct line back = {OBSERVED_REFUND, "UA1R000004", "UA0Z000000", NULL, 900, false, false};
    assert_int_equal(take(&s, back), NOTICE_ORPHAN);
    (void)last(&s, 4, DISCREPANCY_REVERSAL);
    back.receipt = "UA1R000005";
    back.original = "UA1A000001"; /* one that we know is taken back */
    back.amount_minor = SHOP_AMOUNT;
    assert_int_equal(take(&s, back), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
    assert_int_equal(shop_gateway(&s)->last_discrepancy, 4);
    assert_int_equal(shop_gateway(&s)->disagreements, 4);
    assert_int_equal(shop_told(&s, FEED_DISCREPANCY_OPENED), 4);
    shop_end(&s);
}

/* "It went back", by a signed webhook. */
static struct shop_claim went_back(int64_t amount_minor)
{
    struct shop_claim c = {.source = OBSERVED_BY_WEBHOOK,
                           .verdict = OBSERVED_SUCCEEDED,
                           .kind = OBSERVED_REFUND,
                           .code = "processed",
                           .amount_minor = amount_minor};
    return c;
}

/* It comes before the success that it takes back: a discrepancy until then, and with the success it
 * is booked, in the same decision, over a restart. */
static void test_back_before_it_came(void **state)
{
    (void)state;
    static const enum gateway_state before[] = {GATEWAY_PENDING, GATEWAY_FAILED};
    for (int i = 0; i < 2; i++) {
        struct shop s;
        shop_start(&s);
        uint64_t n = shop_pending(&s, "INV-1");
        struct shop_claim failed = {
            .source = OBSERVED_BY_CALLBACK, .verdict = OBSERVED_FAILED, .code = "1"};
        if (before[i] == GATEWAY_FAILED) {
            assert_int_equal(shop_claims(&s, n, &failed), NOTICE_MOVED);
        }
        struct shop_claim pending = went_back(SHOP_AMOUNT);
        pending.verdict = OBSERVED_FAILED; /* no money moved: nothing to look into */
        assert_int_equal(shop_claims(&s, n, &pending), NOTICE_CONTRADICTS);
        assert_int_equal(shop_gateway(&s)->last_discrepancy, 0);
        struct shop_claim back = went_back(SHOP_AMOUNT);
        assert_int_equal(shop_claims(&s, n, &back), NOTICE_CONTRADICTS);
        assert_int_equal(shop_payment(&s, n)->state, before[i]);
        assert_int_equal(last(&s, 1, DISCREPANCY_REVERSAL)->payment, n);
        shop_restart(&s);
        struct shop_claim paid = shop_paid();
        assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
        assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
        assert_true(shop_payment(&s, n)->entered_position[GATEWAY_SUCCEEDED] != 0);
        assert_int_equal(shop_wallet(&s), 0);
        assert_int_equal(shop_clearing(&s), 0);
        assert_int_equal(last(&s, 1, DISCREPANCY_REVERSAL)->reason, DISCREPANCY_IS_CORRECTED);
        assert_int_equal(shop_told(&s, FEED_PAYMENT_SUCCEEDED), 1);
        assert_int_equal(shop_told(&s, FEED_PAYMENT_REVERSED), 1);
        assert_int_equal(shop_claims(&s, n, &back), NOTICE_CONFIRMS);
        shop_end(&s);
    }
}

/* A part of it cannot be booked as a reversal: whoever says so, a person gets it to see, once, and
 * the payment stays in memory as long as nobody has. */
static void test_a_part_went_back(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    shop_with_attic(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    struct shop_claim early = went_back(100);
    assert_int_equal(shop_claims(&s, n, &early), NOTICE_MISMATCH);
    assert_int_equal(last(&s, 1, DISCREPANCY_AMOUNT)->theirs_minor, 100);
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_SUCCEEDED);
    assert_int_equal(resolve(&s, 0, 1, DISCREPANCY_IS_EXPLAINED), GATEWAY_DONE);
    struct shop_claim part = went_back(200);
    assert_int_equal(shop_claims(&s, n, &part), NOTICE_MISMATCH);
    assert_int_equal(shop_claims(&s, n, &part), NOTICE_MISMATCH);
    assert_int_equal(last(&s, 2, DISCREPANCY_AMOUNT)->ours_minor, SHOP_AMOUNT);
    assert_int_equal(shop_told(&s, FEED_DISCREPANCY_OPENED), 2);
    shop_pass(&s, 7200 * SHOP_S);
    assert_int_equal(shop_clear(&s, 3600 * SHOP_S, false), 0);
    assert_int_equal(resolve(&s, 0, 2, DISCREPANCY_IS_EXPLAINED), GATEWAY_DONE);
    assert_int_equal(shop_clear(&s, 3600 * SHOP_S, false), 1);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    shop_end(&s);
}

/* A reversal's line that stands before that of its payment fits nothing; read again it does. */
static void test_lines_in_the_wrong_order(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pending(&s, "INV-1");
    struct line back = {OBSERVED_REFUND, "UA1R000004", "UA1A000001", NULL,
                        SHOP_AMOUNT,     false,        false};
    assert_int_equal(take(&s, back), NOTICE_ORPHAN);
    (void)last(&s, 1, DISCREPANCY_REVERSAL);
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    assert_int_equal(take(&s, back), NOTICE_MOVED);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_REVERSED);
    assert_int_equal(last(&s, 1, DISCREPANCY_REVERSAL)->reason, DISCREPANCY_IS_CORRECTED);
    assert_int_equal(shop_clearing(&s), 0);
    shop_end(&s);
}

/* What was paid in is no payment's going back, whatever it names: a person gets it to see, now and
 * when it is read again after the payment's success. */
static void test_a_reversal_that_was_paid_in(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct line in = {.kind = OBSERVED_REFUND,
                      .receipt = "UA1A000001",
                      .original = "UA1A000001",
                      .amount_minor = SHOP_AMOUNT,
                      .came_in = true};
    uint64_t n = shop_pending(&s, "INV-1");
    assert_int_equal(take(&s, in), NOTICE_ORPHAN);
    (void)last(&s, 1, DISCREPANCY_REVERSAL);
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    assert_int_equal(take(&s, in), NOTICE_ORPHAN);
    in.receipt = "UA1R000004";
    assert_int_equal(take(&s, in), NOTICE_ORPHAN);
    (void)last(&s, 2, DISCREPANCY_REVERSAL);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_SUCCEEDED);
    assert_int_equal(shop_wallet(&s), SHOP_AMOUNT);
    shop_end(&s);
}

/* Of several accounts none is taken for the one that nobody named. */
static void test_the_account_that_is_meant(void **state)
{
    (void)state;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct merchant_command merchant = {.name = SPAN_LITERAL("Other")};
    struct provider_command other = {
        .merchant = 1, .kind = OBSERVED_AT_DARAJA, .short_code = 600000, .token = {9}};
    struct provider_command second = {
        .kind = OBSERVED_AT_DARAJA, .short_code = 600001, .token = {10}};
    shop_start(&s);
    assert_true(shop_do(&s, COMMAND_MERCHANT_OPEN, &merchant, &reply) > 0);
    assert_true(shop_do(&s, COMMAND_PROVIDER_OPEN, &other, &reply) > 0);
    const struct gateway *g = shop_gateway(&s);
    assert_int_equal(gateway_only_provider(g, 0, OBSERVED_AT_DARAJA, 0), 0);
    assert_int_equal(gateway_only_provider(g, 1, OBSERVED_AT_DARAJA, 0), 1);
    assert_true(shop_do(&s, COMMAND_PROVIDER_OPEN, &second, &reply) > 0);
    assert_int_equal(gateway_only_provider(g, 0, OBSERVED_AT_DARAJA, 0), SLAB_NONE);
    assert_int_equal(gateway_only_provider(g, 0, OBSERVED_AT_DARAJA, SHOP_PAYBILL), 0);
    assert_int_equal(gateway_only_provider(g, 0, OBSERVED_AT_DARAJA, 600001), 2);
    assert_int_equal(gateway_only_provider(g, 0, OBSERVED_AT_DARAJA, 600000), SLAB_NONE);
    assert_int_equal(gateway_only_provider(g, 0, OBSERVED_AT_PAYSTACK, 0), SLAB_NONE);
    shop_end(&s);
}

static void test_owners_and_ends(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    (void)take(&s, (struct line){OBSERVED_RECEIPT, "UA1C000001", NULL, "A", 700, true, false});
    (void)take(&s, (struct line){OBSERVED_RECEIPT, "UA1C000002", NULL, "B", 700, true, false});
    assert_int_equal(resolve(&s, 1, 1, DISCREPANCY_IS_EXPLAINED), GATEWAY_NOT_FOUND);
    assert_int_equal(resolve(&s, 0, 9, DISCREPANCY_IS_EXPLAINED), GATEWAY_NOT_FOUND);
    assert_int_equal(resolve(&s, 0, 1, DISCREPANCY_IS_OPEN), GATEWAY_DONE); /* has an owner */
    const struct gateway_discrepancy *d = gateway_discrepancy(shop_gateway(&s), 1);
    assert_int_equal(d->resolved_ns, 0);
    assert_true(span_is(gateway_text(shop_gateway(&s), d->owner), "Wanjiku"));
    assert_int_equal(resolve(&s, 0, 1, DISCREPANCY_IS_WRITTEN_OFF), GATEWAY_DONE);
    assert_int_equal(resolve(&s, 0, 1, DISCREPANCY_IS_EXPLAINED), GATEWAY_NOTHING_TO_DO);
    /* The other one ends by itself, when its receipt finds its order. */
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct receipt_assign_command assign = {.number = 2, .order = SPAN_LITERAL("INV-9")};
    assert_true(shop_do(&s, COMMAND_RECEIPT_ASSIGN, &assign, &reply) > 0);
    assert_int_equal(gateway_discrepancy(shop_gateway(&s), 2)->reason, DISCREPANCY_IS_ASSIGNED);
    assert_int_equal(shop_gateway(&s)->disagreements, 0);
    assert_int_equal(shop_told(&s, FEED_DISCREPANCY_OPENED), 2);
    assert_int_equal(shop_told(&s, FEED_DISCREPANCY_RESOLVED), 2);
    shop_restart(&s);
    (void)take(&s, (struct line){OBSERVED_RECEIPT, "UA1C000002", NULL, "B", 700, false, false});
    assert_int_equal(shop_gateway(&s)->last_discrepancy, 2);
    struct discrepancy_command whole = {.kind = DISCREPANCY_BALANCE,
                                        .reference = SPAN_LITERAL("a statement")};
    for (uint32_t i = 0; i < 2; i++) {
        reply.refusal = GATEWAY_DONE;
        assert_int_equal(shop_do(&s, COMMAND_DISAGREE, &whole, &reply) > 0, i == 0);
        assert_int_equal(reply.refusal, i == 0 ? GATEWAY_DONE : GATEWAY_EXISTS);
    }
    shop_end(&s);
}

/* ---- pull ---- */

static void answer(struct shop *s, uint16_t kind, enum observation_verdict verdict, uint32_t rows)
{
    struct gateway_reading reading;
    enum book_outcome outcome = BOOK_DONE;
    memset(&reading, 0, sizeof(reading));
    reading.answer.source = OBSERVED_BY_SUBMISSION;
    reading.answer.verdict = verdict;
    reading.answer.words = SPAN_LITERAL("Success");
    reading.rows = rows;
    struct delivery_result_command c = {.number = shop_take(s, kind),
                                        .generation = s->book->generation,
                                        .status = 200,
                                        .retry_after_ms = -1,
                                        .reading = &reading};
    assert_true(c.number > 0);
    assert_true(shop_do(s, COMMAND_DELIVERY_RESULT, &c, &outcome) > 0);
}

static enum gateway_refusal pull(struct shop *s, uint32_t merchant)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct pull_command c = {.merchant = merchant,
                             .from_ns = s->now_ns - 3600 * SHOP_S,
                             .until_ns = s->now_ns,
                             .phone = SHOP_PHONE};
    (void)shop_do(s, COMMAND_PULL, &c, &reply);
    return reply.refusal;
}

static void test_pages(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct pull_command number = {.phone = SHOP_PHONE};
    assert_true(shop_do(&s, COMMAND_PULL_NUMBER, &number, &reply) > 0);
    answer(&s, CALL_PULL_REGISTER, OBSERVED_SUCCEEDED, 0);
    assert_int_equal(shop_take(&s, CALL_PULL), 0);
    assert_int_equal(pull(&s, 1), GATEWAY_NOT_FOUND);
    assert_int_equal(pull(&s, 0), GATEWAY_DONE);
    assert_int_equal(pull(&s, 0), GATEWAY_UNDER_WAY);
    answer(&s, CALL_PULL, OBSERVED_SUCCEEDED, 30);
    answer(&s, CALL_PULL, OBSERVED_SUCCEEDED, 7);
    shop_restart(&s);
    const struct gateway_provider *a = gateway_provider(shop_gateway(&s), 0);
    assert_int_equal(a->pull_offset, 37);
    assert_int_equal(a->pull_state, GATEWAY_PULL_ASKED);
    answer(&s, CALL_PULL, OBSERVED_SUCCEEDED, 0);
    assert_int_equal(gateway_provider(shop_gateway(&s), 0)->pull_state, GATEWAY_PULL_DONE);
    assert_int_equal(shop_take(&s, CALL_PULL), 0);
    assert_int_equal(pull(&s, 0), GATEWAY_DONE);
    answer(&s, CALL_PULL, OBSERVED_UNKNOWN, 0);
    assert_int_equal(gateway_provider(shop_gateway(&s), 0)->pull_state, GATEWAY_PULL_FAILED);
    assert_int_equal(pull(&s, 0), GATEWAY_DONE);
    shop_end(&s);
}

static const struct gateway_provider *paybill(const struct shop *s)
{
    return gateway_provider(shop_gateway(s), 0);
}

/* R5.4: by itself, every hour once a number is registered; from where the list was read to, as far
 * as it is whole, and never further back than the provider lists. */
static void test_pulled_by_itself(void **state)
{
    (void)state;
    const int64_t hour_ns = 3600 * SHOP_S;
    struct shop s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct pull_command number = {.phone = SHOP_PHONE};
    shop_start(&s);
    assert_true(shop_do(&s, COMMAND_PULL_NUMBER, &number, &reply) > 0);
    answer(&s, CALL_PULL_REGISTER, OBSERVED_REFUSED, 0);
    assert_int_equal(paybill(&s)->pull_due_ns, 0);
    assert_true(shop_do(&s, COMMAND_PULL_NUMBER, &number, &reply) > 0);
    assert_int_equal(pull(&s, 0), GATEWAY_UNDER_WAY); /* the answer is waited for */
    answer(&s, CALL_PULL_REGISTER, OBSERVED_SUCCEEDED, 0);
    assert_int_equal(paybill(&s)->pull_due_ns, s.now_ns + hour_ns);
    shop_restart(&s);
    shop_pass(&s, hour_ns - 1);
    assert_int_equal(shop_take(&s, CALL_PULL), 0);
    shop_pass(&s, 1);
    assert_int_equal(paybill(&s)->pull_from_ns, s.now_ns - 48 * hour_ns); /* the first time */
    answer(&s, CALL_PULL, OBSERVED_SUCCEEDED, 3);
    assert_int_equal(paybill(&s)->pulled_until_ns, 0); /* not to its end yet */
    answer(&s, CALL_PULL, OBSERVED_SUCCEEDED, 0);
    int64_t until_ns = s.now_ns;
    assert_int_equal(paybill(&s)->pulled_until_ns, until_ns);
    shop_pass(&s, hour_ns);
    assert_int_equal(paybill(&s)->pull_from_ns, until_ns - 900 * SHOP_S);
    answer(&s, CALL_PULL, OBSERVED_UNKNOWN, 0); /* lost: the next one makes up for it */
    shop_replay(&s);
    shop_pass(&s, hour_ns - 100 * SHOP_S);
    assert_int_equal(pull(&s, 0), GATEWAY_DONE); /* a person's, from an hour ago: a gap before it */
    shop_pass(&s, 200 * SHOP_S);                 /* which is under way when the time comes */
    assert_int_equal(paybill(&s)->pulled_until_ns, until_ns);
    answer(&s, CALL_PULL, OBSERVED_SUCCEEDED, 0);
    assert_int_equal(paybill(&s)->pulled_until_ns, until_ns);
    shop_pass(&s, 300 * SHOP_S);
    assert_int_equal(paybill(&s)->pull_state, GATEWAY_PULL_ASKED);
    assert_int_equal(paybill(&s)->pull_from_ns, until_ns - 900 * SHOP_S);
    answer(&s, CALL_PULL, OBSERVED_SUCCEEDED, 0);
    assert_true(paybill(&s)->pulled_until_ns > until_ns);
    shop_end(&s);
}

/* ---- sweeps ---- */

/* R2.7: over ten minutes open, asked every five; beside the ladder, which has become slow. A book
 * in which nothing is open comes to rest. */
static void test_sweep(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    assert_int_equal(s.book->domain->next_due(s.book->domain_state), INT64_MAX);
    uint64_t n = shop_pending(&s, "INV-1");
    uint32_t asked = 0;
    for (uint32_t minute = 0; minute < 70; minute++) {
        uint64_t question = shop_take(&s, CALL_QUERY);
        asked += question > 0;
        if (question > 0) {
            shop_fail(&s, question, DELIVERY_TIMEOUT);
        }
        shop_pass(&s, 60 * SHOP_S);
    }
    /* At 1:30 by the ladder, and 1, 2, 5 and 15 minutes after; by the sweep from the tenth minute
     * on, every five: each of those, unless it was being asked at that moment. */
    assert_in_range(asked, 14, 18);
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    shop_pass(&s, 3600 * SHOP_S);
    assert_int_equal(shop_gateway(&s)->sweep_due_ns, 0);
    assert_int_equal(s.book->domain->next_due(s.book->domain_state), INT64_MAX);
    (void)shop_pay(&s, "INV-2"); /* and begins again */
    assert_true(shop_gateway(&s)->sweep_due_ns > s.now_ns);
    shop_end(&s);
}

/* What has no id cannot be asked about: no frame is written for it again and again. */
static void test_nothing_to_sweep(void **state)
{
    (void)state;
    struct shop s;
    shop_start(&s);
    uint64_t n = shop_pay(&s, "INV-1");
    shop_answer(&s, n, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE, "");
    shop_pass(&s, 900 * SHOP_S);
    assert_int_equal(shop_payment(&s, n)->state, GATEWAY_UNCONFIRMED);
    assert_int_equal(shop_gateway(&s)->sweep_due_ns, 0);
    struct shop_claim paid = shop_paid(); /* found at last: the alert is due all the same */
    paid.source = OBSERVED_BY_STATUS;
    assert_int_equal(shop_claims(&s, n, &paid), NOTICE_MOVED);
    shop_pass(&s, 3600 * SHOP_S);
    assert_int_equal(shop_told(&s, FEED_ALERT_REPAIR_RATE), 1);
    shop_end(&s);
}

static void pay_one(struct shop *s, uint32_t i, enum observation_source source)
{
    char order[16];
    char receipt[16];
    (void)snprintf(order, sizeof(order), "INV-%u", i);
    (void)snprintf(receipt, sizeof(receipt), "UA1A%06u", i);
    uint64_t n = shop_pending(s, order);
    struct shop_claim paid = shop_paid();
    paid.source = source;
    paid.receipt = receipt;
    assert_int_equal(shop_claims(s, n, &paid), NOTICE_MOVED);
}

/* R5.4: 1 of 1,000 is still ordinary, 2 are not; once a day; and a callback that was only late is
 * no reason. */
static void test_alert(void **state)
{
    (void)state;
    static struct shop s;
    shop_start(&s);
    for (uint32_t i = 0; i < 1000; i++) {
        pay_one(&s, i, i == 500 ? OBSERVED_BY_STATUS : OBSERVED_BY_CALLBACK);
    }
    shop_pass(&s, 2 * 3600 * SHOP_S);
    assert_int_equal(shop_told(&s, FEED_ALERT_REPAIR_RATE), 0);
    pay_one(&s, 1000, OBSERVED_BY_STATUS);
    struct shop_claim late = shop_paid();
    late.receipt = "UA1A001000";
    shop_pass(&s, 60 * SHOP_S);
    assert_int_equal(shop_claims(&s, 1001, &late), NOTICE_CONFIRMS);
    shop_pass(&s, 3600 * SHOP_S);
    assert_int_equal(shop_told(&s, FEED_ALERT_REPAIR_RATE), 0);
    pay_one(&s, 1001, OBSERVED_BY_STATUS);
    shop_pass(&s, 3600 * SHOP_S);
    assert_int_equal(shop_told(&s, FEED_ALERT_REPAIR_RATE), 1);
    pay_one(&s, 1002, OBSERVED_BY_STATUS);
    shop_pass(&s, 3600 * SHOP_S);
    assert_int_equal(shop_told(&s, FEED_ALERT_REPAIR_RATE), 1); /* once a day */
    shop_pass(&s, 24 * 3600 * SHOP_S);
    pay_one(&s, 1003, OBSERVED_BY_STATUS);
    shop_pass(&s, 3600 * SHOP_S);
    assert_int_equal(shop_told(&s, FEED_ALERT_REPAIR_RATE), 2);
    shop_end(&s);
}

/* What was repaired in the last minutes of a day counts for that day, when the next has begun. */
static void test_alert_at_the_end_of_a_day(void **state)
{
    (void)state;
    static const int64_t before_s[] = {30, 200, 299, 600};
    for (uint32_t i = 0; i < 4; i++) {
        struct shop s;
        shop_start(&s);
        int64_t midnight_ns = SHOP_START_NS + 86400 * SHOP_S;
        midnight_ns -= (midnight_ns + 3 * 3600 * SHOP_S) % (86400 * SHOP_S); /* in Kenya */
        shop_pass(&s, midnight_ns - before_s[i] * SHOP_S - s.now_ns);
        pay_one(&s, 0, OBSERVED_BY_STATUS);
        shop_pass(&s, 3600 * SHOP_S);
        assert_int_equal(shop_told(&s, FEED_ALERT_REPAIR_RATE), 1);
        uint32_t day = paybill(&s)->alert_day;
        shop_pass(&s, 3600 * SHOP_S);
        pay_one(&s, 1, OBSERVED_BY_STATUS); /* and the next day has its own */
        shop_pass(&s, 3600 * SHOP_S);
        assert_int_equal(shop_told(&s, FEED_ALERT_REPAIR_RATE), 2);
        assert_int_equal(paybill(&s)->alert_day, day + 1);
        shop_end(&s);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_discrepancies),
        cmocka_unit_test(test_back_before_it_came),
        cmocka_unit_test(test_a_part_went_back),
        cmocka_unit_test(test_lines_in_the_wrong_order),
        cmocka_unit_test(test_a_reversal_that_was_paid_in),
        cmocka_unit_test(test_the_account_that_is_meant),
        cmocka_unit_test(test_owners_and_ends),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_pulled_by_itself),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_nothing_to_sweep),
        cmocka_unit_test(test_alert),
        cmocka_unit_test(test_alert_at_the_end_of_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
