/*
 * test_operator_requests.c - requests in the pure core: acceptance, the pipeline, each kind's
 * checks and money, what is told afterwards. Every world is proved at its end: all invariants,
 * replay, save and load (tests/support/world.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/world.h"

#define KES(shillings) ((int64_t)(shillings)*100)

static void outcome_is(const struct world *w, uint64_t number, enum request_outcome outcome)
{
    const struct operator_request *r = world_request(w, number);
    assert_int_equal(r->outcome, outcome);
    assert_int_equal(r->state, request_outcome_state(outcome));
    assert_int_equal(r->has_receipt, outcome == REQUEST_DONE);
    const struct outbox_item *item = outbox_item(&w->book->outbox, r->delivery);
    assert_non_null(item);
    assert_int_equal(item->kind, MESSAGE_RESULT);
    assert_int_equal(item->subject, number);
}

/* S12: the utility account pays, the working account does not help, charges are owed. */
static void a_payout_leaves_the_utility_account(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    int64_t utility = world_account(&w, WORLD_BULK, ACCOUNT_UTILITY);
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(2000)};
    uint64_t number = world_payout(&w, &p);
    outcome_is(&w, number, REQUEST_DONE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY + KES(2000));
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_UTILITY), utility - KES(2000));
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_CHARGES_PAID), -KES(9));
    const struct operator_request *r = world_request(&w, number);
    assert_int_equal(r->charge_minor, KES(9));
    assert_int_equal(r->after_minor[ACCOUNT_UTILITY], utility - KES(2000));
    assert_int_equal(r->after_minor[ACCOUNT_CHARGES_PAID], -KES(9));
    char id[ID_RECEIPT_SIZE];
    request_transaction_id(r, id);
    assert_ptr_equal(operator_request_by_receipt(world_operator(&w), span_from(id)), r);
    world_end(&w);
}

static void bands_of_the_charge(void **state)
{
    (void)state;
    static const struct {
        int64_t amount, charge;
    } bands[] = {{10, 0},   {100, 0},   {101, 5},    {1500, 5},   {1501, 9},
                 {5000, 9}, {5001, 11}, {20000, 11}, {20001, 13}, {250000, 13}};
    for (size_t i = 0; i < sizeof(bands) / sizeof(bands[0]); i++) {
        struct world w;
        world_start(&w, true);
        struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(bands[i].amount)};
        uint64_t number = world_payout(&w, &p);
        outcome_is(&w, number, REQUEST_DONE);
        assert_int_equal(world_request(&w, number)->charge_minor, KES(bands[i].charge));
        world_end(&w);
    }
}

static void every_refusal_of_a_payout(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    const struct {
        struct world_payout payout;
        enum request_outcome outcome;
    } rows[] = {
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(9)}, REQUEST_BELOW_MINIMUM},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(250001)}, REQUEST_ABOVE_MAXIMUM},
        {{.msisdn = WORLD_STRANGER, .amount_minor = KES(100)}, REQUEST_UNREGISTERED},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(100), .wrong_password = true},
         REQUEST_INITIATOR},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(100), .short_code = 123456},
         REQUEST_PARTY_UNKNOWN},
        {{.msisdn = WORLD_ANNA, .amount_minor = KES(100), .short_code = WORLD_TILL},
         REQUEST_PRODUCT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        outcome_is(&w, world_payout(&w, &rows[i].payout), rows[i].outcome);
    }
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    world_end(&w);
}

/* S13: what the wallet may hold. */
static void a_full_wallet_takes_nothing_more(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, KES(499500) - WORLD_MONEY), OPERATOR_DONE);
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(600)};
    outcome_is(&w, world_payout(&w, &p), REQUEST_MAX_BALANCE);
    p.amount_minor = KES(500);
    outcome_is(&w, world_payout(&w, &p), REQUEST_DONE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), KES(500000));
    world_end(&w);
}

static void an_empty_utility_account_pays_nothing(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct subscriber_change_command suspend = {
        .msisdn = WORLD_BEN, .fields = CHANGE_STATUS, .status = SUBSCRIBER_SUSPENDED};
    assert_int_equal(world_change(&w, &suspend), OPERATOR_DONE);
    struct world_payout p = {.msisdn = WORLD_BEN, .amount_minor = KES(100)};
    outcome_is(&w, world_payout(&w, &p), REQUEST_ACCOUNT_STATUS);
    for (uint64_t i = 0; i < 4; i++) {
        p.msisdn = WORLD_ANNA;
        p.amount_minor = KES(250000);
        assert_int_equal(world_adjust(&w, WORLD_ANNA, -world_balance(&w, WORLD_ANNA)),
                         OPERATOR_DONE);
        outcome_is(&w, world_payout(&w, &p), REQUEST_DONE);
    }
    assert_int_equal(world_adjust(&w, WORLD_ANNA, -world_balance(&w, WORLD_ANNA)), OPERATOR_DONE);
    assert_true(world_account(&w, WORLD_BULK, ACCOUNT_WORKING) > KES(100));
    p.amount_minor = KES(100);
    outcome_is(&w, world_payout(&w, &p), REQUEST_NO_MONEY);
    world_end(&w);
}

/* The caller's own id takes effect once, per organisation. */
static void an_originator_conversation_id_is_used_once(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct world_payout p = {
        .msisdn = WORLD_ANNA, .amount_minor = KES(100), .conversation = "payroll-7"};
    uint64_t number = world_payout(&w, &p);
    assert_int_not_equal(number, 0);
    p.amount_minor = KES(200);
    assert_int_equal(world_payout(&w, &p), 0);
    p.short_code = WORLD_PAYBILL;
    uint64_t other = world_payout(&w, &p);
    assert_int_not_equal(other, 0);
    const struct operator_state *o = world_operator(&w);
    struct span id = SPAN_LITERAL("payroll-7");
    assert_int_equal(operator_request_by_conversation(o, WORLD_BULK, id)->number, number);
    assert_int_equal(operator_request_by_conversation(o, WORLD_PAYBILL, id)->number, other);
    assert_null(operator_request_by_conversation(o, WORLD_TILL, id));
    world_restart(&w);
    assert_int_equal(world_payout(&w, &p), 0);
    char made[ID_TEXT_SIZE];
    p.conversation = NULL;
    number = world_payout(&w, &p);
    o = world_operator(&w);
    id = request_originator_id(o, world_request(&w, number), made);
    assert_int_equal(operator_request_by_conversation(o, WORLD_PAYBILL, id)->number, number);
    world_end(&w);
}

/* On a clock that stands still the ids that the operator makes can be foreseen: one that a later
 * request will have is not a caller's to take. */
static void an_id_still_to_come_is_nobodys(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    char id[ID_TEXT_SIZE];
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100), .conversation = id};
    for (uint64_t ahead = 1; ahead <= 3; ahead++) {
        uint64_t number = world_operator(&w)->last_request + ahead;
        id_request_format((uint64_t)w.now_ns, number, id);
        assert_int_equal(world_payout(&w, &p), 0);
    }
    for (uint32_t i = 0; i < 3; i++) {
        p.conversation = NULL;
        uint64_t number = world_payout(&w, &p);
        assert_int_not_equal(number, 0);
        id_request_format(1, number, id); /* of our form, but no number to come */
        p.conversation = id;
        assert_int_not_equal(world_payout(&w, &p), 0);
    }
    /* What is not of that form may end in any number. */
    p.conversation = "4f054a9b-8a2c-4d1e-8f9a-099999999999";
    assert_int_not_equal(world_payout(&w, &p), 0);
    p.conversation = "4f05-4a9b-8a2c-3d1e0f9a8b7c";
    assert_int_not_equal(world_payout(&w, &p), 0);
    world_end(&w);
}

/* Receipts of payments and requests come from one counter: never the same one twice. */
static void receipts_are_shared_with_payments(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    char receipts[4][ID_RECEIPT_SIZE];
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100)};
    for (uint32_t i = 0; i < 4; i += 2) {
        request_transaction_id(world_request(&w, world_payout(&w, &p)), receipts[i]);
        uint64_t number = world_push(&w, WORLD_ANNA, KES(10 + i));
        assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
        payment_receipt(world_payment(&w, number), receipts[i + 1]);
        world_restart(&w);
    }
    for (uint32_t i = 1; i < 4; i++) {
        assert_true(strcmp(receipts[i - 1], receipts[i]) < 0);
    }
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payout_leaves_the_utility_account),
        cmocka_unit_test(bands_of_the_charge),
        cmocka_unit_test(every_refusal_of_a_payout),
        cmocka_unit_test(a_full_wallet_takes_nothing_more),
        cmocka_unit_test(an_empty_utility_account_pays_nothing),
        cmocka_unit_test(an_originator_conversation_id_is_used_once),
        cmocka_unit_test(an_id_still_to_come_is_nobodys),
        cmocka_unit_test(receipts_are_shared_with_payments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
