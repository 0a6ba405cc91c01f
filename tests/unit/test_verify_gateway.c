/*
 * test_verify_gateway.c - hakika verify (R6.8) on forged journals of the merchant's book: an honest
 * story of a shop, and after it one frame that no honest program would write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/delivery_error.h"
#include "base/hash.h"
#include "support/shop.h"
#include "support/verify_rig.h"

/* Money for an order by paybill. */
static void arrive(struct shop *s, const char *receipt, const char *order)
{
    struct observation o;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct notice_command n = {.claim = &o, .body = span_from(receipt)};
    memset(&o, 0, sizeof(o));
    o.kind = OBSERVED_RECEIPT;
    o.source = OBSERVED_BY_CALLBACK;
    o.verdict = OBSERVED_SUCCEEDED;
    o.reference = span_from(receipt);
    o.receipt = o.reference;
    o.account_reference = span_from(order);
    o.has_amount = true;
    o.amount_minor = SHOP_AMOUNT;
    uint64_t key[2] = {hash_bytes(receipt, strlen(receipt), 1), 7};
    memcpy(n.key, key, sizeof(n.key));
    memcpy(n.digest, key, sizeof(n.digest));
    assert_true(shop_do(s, COMMAND_NOTICE, &n, &reply) > 0);
}

/* Receipts 1 (waits, named INV-1), 2 (assigned to INV-2) and 3 (taken back); payments 1 (for INV-1,
 * asked for over receipt 1), 2 (INV-3, paid), 3 (another amount, accepted), 4 (the same, waits). */
static void tell_story(struct shop *s)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    shop_start(s);
    arrive(s, "UA1C000001", "INV-1");
    arrive(s, "UA1C000002", "INV-9");
    arrive(s, "UA1A000001", "INV-8");
    struct receipt_assign_command assign = {.number = 2, .order = SPAN_LITERAL("INV-2")};
    assert_true(shop_do(s, COMMAND_RECEIPT_ASSIGN, &assign, &reply) > 0);
    struct payment_create_command c = {.amount_minor = SHOP_AMOUNT,
                                       .phone = SHOP_PHONE,
                                       .method = METHOD_MPESA_STK,
                                       .capture = CAPTURE_WALLET,
                                       .override_receipt = 1,
                                       .token = {77},
                                       .key = {77},
                                       .order = SPAN_LITERAL("INV-1")};
    assert_true(shop_do(s, COMMAND_PAYMENT_CREATE, &c, &reply) > 0);
    shop_answer(s, reply.number, OBSERVED_REFUSED, OBSERVED_REASON_REQUEST, "");
    uint64_t paid = shop_pending(s, "INV-3");
    struct shop_claim callback = shop_paid();
    assert_int_equal(shop_claims(s, paid, &callback), NOTICE_MOVED);
    callback.receipt = "UA1A000003";
    callback.amount_minor = SHOP_AMOUNT - 100;
    uint64_t wrong = shop_pending(s, "INV-4");
    assert_int_equal(shop_claims(s, wrong, &callback), NOTICE_MOVED);
    struct judgement_command accept = {.number = wrong,
                                       .judgement = JUDGEMENT_ACCEPT,
                                       .amount_minor = SHOP_AMOUNT - 100,
                                       .judge = SPAN_LITERAL("Wanjiru"),
                                       .note = SPAN_LITERAL("agreed")};
    assert_true(shop_do(s, COMMAND_PAYMENT_JUDGE, &accept, &reply) > 0);
    callback.receipt = "UA1A000004";
    assert_int_equal(shop_claims(s, shop_pending(s, "INV-5"), &callback), NOTICE_MOVED);
}

/* What the shop has told so far as a journal, open for one frame more. */
static void open_told(struct forge *f, struct shop *s)
{
    forge_open_merchant(f, s->frames, s->frames_size);
    shop_end(s);
}

/* It is proved as it stands. */
static void expect_proved(struct forge *f)
{
    forge_close(f);
    verify(f);
    assert_every_proof_holds();
    forge_remove(f);
}

/* The honest story as a journal, open for one frame more. */
static void open_shop(struct forge *f)
{
    struct shop s;
    tell_story(&s);
    open_told(f, &s);
}

static void test_an_honest_shop(void **state)
{
    (void)state;
    struct forge f;
    open_shop(&f);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(report.totals.payments, 4);
    assert_int_equal(report.totals.paid_minor, 2 * SHOP_AMOUNT - 100);
    forge_remove(&f);
}

static void created(struct forge *f, uint64_t number, const char *order)
{
    struct gateway_event kept = {.kind = EVENT_PAYMENT_KEPT};
    kept.payment_kept.number = number;
    kept.payment_kept.phone = SHOP_PHONE;
    kept.payment_kept.order = span_from(order);
    kept.payment_kept.token[0] = (uint8_t)(200 + number);
    forge_gateway(f, &kept);
    struct gateway_event e = {.kind = EVENT_PAYMENT_CREATED};
    e.payment_created.number = number;
    e.payment_created.amount_minor = SHOP_AMOUNT;
    e.payment_created.method = METHOD_MPESA_STK;
    e.payment_created.capture = CAPTURE_WALLET;
    forge_gateway(f, &e);
}

static void over(struct forge *f, uint64_t number, uint64_t receipt)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_OVER_RECEIPT};
    e.payment_over_receipt.number = number;
    e.payment_over_receipt.receipt = receipt;
    forge_gateway(f, &e);
}

/* A push over a receipt of another order, of a payment's money, of none; twice; too late. */
static void test_overridden_receipts(void **state)
{
    (void)state;
    static const struct {
        const char *order;
        uint64_t payment, receipt;
        const char *what;
    } forged[] = {
        {"INV-9", 5, 2, "is not its order's"}, {"INV-8", 5, 3, "is not its order's"},
        {"INV-2", 5, 9, "does not exist"},     {"INV-2", 1, 1, "too late, or twice"},
        {"INV-2", 2, 2, "too late, or twice"},
    };
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        struct forge f;
        open_shop(&f);
        forge_frame(&f, COMMAND_PAYMENT_CREATE);
        created(&f, 5, forged[i].order);
        over(&f, forged[i].payment, forged[i].receipt);
        expect(&f, PROOF_EFFECTS, forged[i].what);
    }
}

static void judged(struct forge *f, uint64_t number, uint8_t judgement, int64_t amount_minor,
                   uint64_t notice)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_JUDGED};
    e.payment_judged.number = number;
    e.payment_judged.judgement = judgement;
    e.payment_judged.amount_minor = amount_minor;
    e.payment_judged.notice = notice;
    forge_gateway(f, &e);
}

/* A decision about what does not wait, a second time, without money or a claim, and one that is not
 * carried out. */
static void test_forged_decisions(void **state)
{
    (void)state;
    static const struct {
        uint64_t payment;
        uint8_t judgement;
        int64_t amount_minor;
        uint64_t notice;
        const char *what;
    } forged[] = {
        {2, JUDGEMENT_ACCEPT, 100, 1, "in state 6"},
        {3, JUDGEMENT_REJECT, 0, 1, "a second time"},
        {4, JUDGEMENT_ACCEPT, 0, 1, "with 0 cents"},
        {4, JUDGEMENT_REJECT, 100, 1, "with 100 cents"},
        {4, JUDGEMENT_ACCEPT, 100, 99, "notice 99"},
        {4, JUDGEMENT_ACCEPT, 100, 1, "left in state 5"},
        {4, JUDGEMENT_REJECT, 0, 1, "left in state 5"},
    };
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        struct forge f;
        open_shop(&f);
        forge_frame(&f, COMMAND_PAYMENT_JUDGE);
        judged(&f, forged[i].payment, forged[i].judgement, forged[i].amount_minor,
               forged[i].notice);
        expect(&f, PROOF_PAYMENTS, forged[i].what);
    }
}

/* A push is never sent again, nor a payout that does not exist. */
static void test_sent_again(void **state)
{
    (void)state;
    static const struct {
        uint64_t payment;
        const char *what;
    } forged[] = {{2, "is sent again in state 6"}, {4, "is sent again in state 5"}};
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        struct forge f;
        struct gateway_event e = {.kind = EVENT_PAYMENT_RESENT};
        open_shop(&f);
        forge_frame(&f, COMMAND_NOTICE);
        e.payment_resent.number = forged[i].payment;
        forge_gateway(&f, &e);
        expect(&f, PROOF_EFFECTS, forged[i].what);
    }
}

static void no_trace(struct shop *s, uint64_t number)
{
    struct shop_claim c = {.source = OBSERVED_BY_STATUS,
                           .verdict = OBSERVED_UNKNOWN,
                           .reason = OBSERVED_REASON_NOT_FOUND,
                           .code = "R000002"};
    (void)shop_claims(s, number, &c);
}

/* A payout, interrupted for long; sent again it cannot leave, and it is sent once more. */
static void tell_of_a_payout(struct shop *s)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    shop_start(s);
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(s, shop_pending(s, "INV-1"), &paid), NOTICE_MOVED);
    struct payout_command c = {.amount_minor = 5000,
                               .phone = SHOP_PHONE,
                               .reference = SPAN_LITERAL("SALARY"),
                               .token = {50},
                               .key = {50}};
    assert_true(shop_do(s, COMMAND_PAYOUT_CREATE, &c, &reply) > 0);
    struct payment_command sending = {.number = reply.number};
    uint64_t item = shop_take(s, CALL_PAYOUT);
    assert_true(shop_do(s, COMMAND_PAYMENT_SENDING, &sending, &reply) > 0);
    shop_pass(s, 120 * SHOP_S);
    shop_fail(s, item, DELIVERY_WITHDRAWN);
    no_trace(s, sending.number);
    assert_int_equal(shop_payment(s, sending.number)->resent, 1);
    while ((item = shop_take(s, CALL_PAYOUT)) != 0) {
        assert_true(shop_do(s, COMMAND_PAYMENT_SENDING, &sending, &reply) > 0);
        shop_fail(s, item, DELIVERY_CONNECT);
        shop_pass(s, 10 * SHOP_S);
    }
    assert_false(shop_payment(s, sending.number)->sending);
    no_trace(s, sending.number);
    assert_int_equal(shop_payment(s, sending.number)->resent, 2);
}

/* What a payout's end posts is its own hold, and all of it. */
static void test_a_payout_posts_its_hold(void **state)
{
    (void)state;
    static const struct {
        int64_t amount_minor;
        uint64_t hold_of;
    } forged[] = {{1, 2}, {4999, 2}, {5001, 2}, {5000, 1}};
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        struct forge f;
        struct shop s;
        struct ledger_event e = {.kind = EVENT_HOLD_POSTED};
        tell_of_a_payout(&s);
        const struct entry *hold = ledger_entry(&s.book->ledger, gateway_transfer_id(2, 4));
        assert_non_null(hold);
        e.transfer = (struct transfer){.id = gateway_transfer_id(2, 5),
                                       .hold_id = gateway_transfer_id(forged[i].hold_of, 4),
                                       .reference = 2,
                                       .amount_minor = forged[i].amount_minor,
                                       .debit_account = hold->debit_account,
                                       .credit_account = hold->credit_account,
                                       .kind = TRANSFER_POST_HOLD,
                                       .code = GATEWAY_TRANSFER_PAYOUT};
        open_told(&f, &s);
        forge_frame(&f, COMMAND_NOTICE);
        forge_ledger(&f, &e);
        expect(&f, PROOF_EFFECTS, "of a payout is not as it should be");
    }
}

static void test_an_honest_payout_sent_again(void **state)
{
    (void)state;
    struct forge f;
    struct shop s;
    tell_of_a_payout(&s);
    open_told(&f, &s);
    expect_proved(&f);
}

/* A person about what nobody could find out: it is booked as it was asked for, by no notice. */
static void test_forged_decisions_about_the_unknown(void **state)
{
    (void)state;
    static const struct {
        uint8_t judgement;
        int64_t amount_minor;
        uint64_t notice;
        const char *what;
    } forged[] = {
        {JUDGEMENT_ACCEPT, 4999, 0, "with 4999 cents and notice 0"},
        {JUDGEMENT_ACCEPT, 5000, 1, "with 5000 cents and notice 1"},
        {JUDGEMENT_REJECT, 0, 1, "with 0 cents and notice 1"},
        {JUDGEMENT_ACCEPT, 5000, 0, "left in state 4"},
        {JUDGEMENT_REJECT, 0, 0, "left in state 4"},
    };
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        struct forge f;
        struct shop s;
        tell_of_a_payout(&s);
        open_told(&f, &s);
        forge_frame(&f, COMMAND_PAYMENT_JUDGE);
        judged(&f, 2, forged[i].judgement, forged[i].amount_minor, forged[i].notice);
        expect(&f, PROOF_PAYMENTS, forged[i].what);
    }
}

static void test_honest_decisions_about_the_unknown(void **state)
{
    (void)state;
    for (int accepts = 0; accepts < 2; accepts++) {
        struct forge f;
        struct shop s;
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        struct judgement_command c = {.number = 2,
                                      .judgement = accepts ? JUDGEMENT_ACCEPT : JUDGEMENT_REJECT,
                                      .amount_minor = accepts ? 5000 : 0,
                                      .receipt = accepts ? SPAN_LITERAL("UA1A0P0001") : SPAN_EMPTY,
                                      .judge = SPAN_LITERAL("Wanjiru"),
                                      .note = SPAN_LITERAL("seen in the portal")};
        tell_of_a_payout(&s);
        shop_fail(&s, shop_take(&s, CALL_PAYOUT), DELIVERY_TIMEOUT);
        shop_pass(&s, 1000000 * SHOP_S);
        shop_fail_all(&s, CALL_STATUS);
        assert_true(shop_do(&s, COMMAND_PAYMENT_JUDGE, &c, &reply) > 0);
        open_told(&f, &s);
        expect_proved(&f);
    }
}

/* ---- what left memory ---- */

/* The same story two days later: payments 2 and 3 have left; 4 waits for a person, and 1 stays as
 * long as the same payer's money could be for either. */
static void open_old_shop(struct forge *f)
{
    struct shop s;
    tell_story(&s);
    shop_with_attic(&s);
    shop_pass(&s, 48 * 3600 * SHOP_S);
    assert_int_equal(shop_clear(&s, 3600 * SHOP_S, false), 2);
    open_told(f, &s);
}

static void left(struct forge *f, uint64_t number)
{
    struct writer *w = forge_event(f, EVENT_CLOSED_LEFT);
    put_u64(w, 1);
    put_u8(w, OLD_SPACE_GATEWAY_PAYMENT);
    put_u16(w, 1);
    put_u64(w, number);
    put_u16(w, 1);
}

static void test_an_honest_old_shop(void **state)
{
    (void)state;
    struct forge f;
    open_old_shop(&f);
    expect_proved(&f);
}

/* What has not ended leaves, what was never made, and what has left already. */
static void test_forged_leaving(void **state)
{
    (void)state;
    static const struct {
        uint64_t payment;
        const char *what;
    } forged[] = {{4, "has not ended"}, {9, "was never made"}, {2, "left memory twice"}};
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        struct forge f;
        open_old_shop(&f);
        forge_frame(&f, COMMAND_CLOSED_LEAVE);
        left(&f, forged[i].payment);
        expect(&f, PROOF_PAYMENTS, forged[i].what);
    }
}

/* What left changes as if it were there; what is there comes home; a record of something else. */
static void test_forged_coming_home(void **state)
{
    (void)state;
    struct forge f;
    struct gateway_event moved = {.kind = EVENT_PAYMENT_MOVED};
    open_old_shop(&f);
    forge_frame(&f, COMMAND_NOTICE);
    moved.payment_moved.number = 2;
    moved.payment_moved.state = GATEWAY_REVERSED;
    moved.payment_moved.reason = REASON_CLAIM;
    forge_gateway(&f, &moved);
    expect(&f, PROOF_PAYMENTS, "changes without coming home");
    for (uint32_t i = 0; i < 2; i++) {
        open_old_shop(&f);
        forge_frame(&f, COMMAND_RECALL);
        struct writer *w = forge_event(&f, EVENT_RECALLED);
        put_u8(w, OLD_SPACE_GATEWAY_PAYMENT);
        put_u64(w, i == 0 ? 4 : 2);
        put_u8(w, 1);
        expect(&f, i == 0 ? PROOF_PAYMENTS : PROOF_RECORDS,
               i == 0 ? "had not left" : "is malformed");
    }
}

/* The token of a payment that left is another one's. */
static void test_a_token_given_again(void **state)
{
    (void)state;
    struct forge f;
    open_old_shop(&f);
    forge_frame(&f, COMMAND_PAYMENT_CREATE);
    struct gateway_event kept = {.kind = EVENT_PAYMENT_KEPT};
    kept.payment_kept.number = 5;
    kept.payment_kept.phone = SHOP_PHONE;
    kept.payment_kept.order = SPAN_LITERAL("INV-7");
    kept.payment_kept.token[0] = 1; /* of payment 2 */
    forge_gateway(&f, &kept);
    expect(&f, PROOF_REFERENCES, "is given to a second payment, payment 5");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_honest_shop),
        cmocka_unit_test(test_overridden_receipts),
        cmocka_unit_test(test_forged_decisions),
        cmocka_unit_test(test_sent_again),
        cmocka_unit_test(test_a_payout_posts_its_hold),
        cmocka_unit_test(test_an_honest_payout_sent_again),
        cmocka_unit_test(test_forged_decisions_about_the_unknown),
        cmocka_unit_test(test_honest_decisions_about_the_unknown),
        cmocka_unit_test(test_an_honest_old_shop),
        cmocka_unit_test(test_forged_leaving),
        cmocka_unit_test(test_forged_coming_home),
        cmocka_unit_test(test_a_token_given_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
