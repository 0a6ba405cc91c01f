/*
 * test_verify_payments.c - hakika verify (R6.8) on forged payments: illegal moves, references that
 * take effect twice, money and callbacks that do not belong to an end, deliveries out of turn. Each
 * is caught by the proof that is meant for it, at the place of the forgery.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "operator/operator.h"
#include "support/verify_rig.h"

/* ---- payments ---- */

static void test_second_end_of_a_payment(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 1);
    (void)forge_paid(&f, number, 1, AMOUNT);
    (void)forge_cancelled(&f, number);
    expect(&f, PROOF_PAYMENTS, "had ended before");
}

static void test_paid_twice(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 1);
    (void)forge_paid(&f, number, 1, AMOUNT);
    (void)forge_paid(&f, number, 1, AMOUNT);
    uint64_t position = f.position;
    expect(&f, PROOF_PAYMENTS, "had ended before");
    assert_breach(PROOF_EFFECTS, position, "which does not end here");
}

static void test_moves_that_the_table_forbids(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = forge_push(&f, 1, AMOUNT);
    (void)forge_paid(&f, number, 1, AMOUNT);
    expect(&f, PROOF_PAYMENTS, "is paid although no prompt was on the phone");
    open_story(&f);
    (void)forge_cancelled(&f, forge_push(&f, 1, AMOUNT));
    expect(&f, PROOF_PAYMENTS, "is cancelled although no prompt was on the phone");
    open_story(&f);
    forge_prompted(&f, open_prompt(&f, 1));
    expect(&f, PROOF_PAYMENTS, "is prompted a second time");
    open_story(&f);
    forge_prompted(&f, 7);
    expect(&f, PROOF_PAYMENTS, "which was never accepted");
    open_story(&f);
    forge_prompted(&f, 1);
    expect(&f, PROOF_PAYMENTS, "had ended before");
}

static void end_with(struct forge *f, uint64_t number, uint8_t outcome)
{
    forge_frame(f, COMMAND_STK_ADVANCE);
    forge_ended(f, number, outcome);
    forge_queued(f, ++f->deliveries, number);
}

static void test_outcomes_that_cannot_be(void **state)
{
    (void)state;
    const struct {
        uint8_t outcome;
        const char *what;
    } cases[] = {
        {STK_NO_ANSWER, "ends unanswered before its time"},
        {STK_UNREACHABLE, "ends unreachable, but was reached"},
        {STK_WRONG_PIN, "fails by a wrong PIN that is not counted"},
        {STK_RULED, "ends by a rule, but none orders anything for it"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct forge f;
        open_story(&f);
        end_with(&f, open_prompt(&f, 1), cases[i].outcome);
        expect(&f, PROOF_PAYMENTS, cases[i].what);
    }
    const uint8_t unknown[] = {0, STK_OUTCOME_LAST + 1, 200};
    for (size_t i = 0; i < sizeof(unknown); i++) {
        struct forge f;
        open_story(&f);
        end_with(&f, open_prompt(&f, 1), unknown[i]);
        expect(&f, PROOF_RECORDS, "stk_ended is malformed");
    }
}

static void test_outcomes_that_may_be(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    const uint8_t early[] = {STK_NO_MONEY,     STK_DAY_LIMIT,       STK_PAYER_UNKNOWN,
                             STK_PRODUCT,      STK_PAYER_SUSPENDED, STK_PAYEE_INACTIVE,
                             STK_PAYEE_UNKNOWN};
    for (size_t i = 0; i < sizeof(early); i++) {
        end_with(&f, forge_push(&f, 1, AMOUNT), early[i]);
        end_with(&f, open_prompt(&f, 2), early[i]);
    }
    end_with(&f, open_prompt(&f, 2), STK_PIN_LOCKED);
    uint64_t number = open_prompt(&f, 3);
    f.time_ns += 60 * FORGE_SECOND;
    end_with(&f, number, STK_NO_ANSWER);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    forge_remove(&f);
}

static void test_wrong_pins_are_counted_up(void **state)
{
    (void)state;
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_PIN_TRIED;
    e.slot = 1;
    for (uint8_t failures = 1; failures <= 3; failures++) {
        struct forge f;
        open_story(&f);
        uint64_t number = open_prompt(&f, 1);
        forge_frame(&f, COMMAND_STK_APPROVE);
        e.failures = failures;
        forge_operator(&f, &e);
        forge_ended(&f, number, STK_WRONG_PIN);
        forge_queued(&f, ++f.deliveries, number);
        if (failures != 1) {
            expect(&f, PROOF_PAYMENTS, "wrong PINs after 0");
            continue;
        }
        forge_close(&f);
        verify(&f);
        assert_every_proof_holds();
        forge_remove(&f);
    }
}

static void test_two_prompts_on_one_phone(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    (void)open_prompt(&f, 1);
    (void)forge_push(&f, 1, AMOUNT);
    expect(&f, PROOF_PAYMENTS, "opens on a phone that has payment 2 open");
}

static void test_answers_out_of_turn(void **state)
{
    (void)state;
    struct forge f;
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STK_ANSWERED;
    e.answer = ANSWER_APPROVE;
    open_story(&f);
    e.number = open_prompt(&f, 1);
    forge_frame(&f, COMMAND_STK_APPROVE);
    forge_operator(&f, &e);
    expect(&f, PROOF_PAYMENTS, "out of turn");
    open_story(&f);
    e.number = forge_push(&f, 1, AMOUNT);
    for (int i = 0; i < 2; i++) {
        forge_frame(&f, COMMAND_STK_APPROVE);
        forge_operator(&f, &e);
    }
    expect(&f, PROOF_PAYMENTS, "out of turn");
}

static void test_accepted_without_texts(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_STK_PUSH);
    forge_accepted(&f, 2, 1, AMOUNT);
    expect(&f, PROOF_PAYMENTS, "without its texts");
    open_story(&f);
    forge_frame(&f, COMMAND_STK_PUSH);
    forge_texts(&f, 2);
    expect(&f, PROOF_PAYMENTS, "was not accepted");
}

/* ---- references ---- */

static void test_receipt_twice(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 1);
    f.receipt--; /* the first payment's */
    (void)forge_paid(&f, number, 1, AMOUNT);
    expect(&f, PROOF_REFERENCES, "receipts must rise");
}

static void test_receipt_of_another_day(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 1);
    forge_frame(&f, COMMAND_STK_APPROVE);
    forge_pays(&f, number, 1, AMOUNT);
    forge_receipt(&f, number, FORGE_DAY + 1, FORGE_RECEIPT);
    forge_queued(&f, 2, number);
    expect(&f, PROOF_REFERENCES, "is dated day");
}

static void test_receipt_days_end_at_midnight_in_nairobi(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    f.time_ns = FORGE_START_NS + 86400 * FORGE_SECOND - 1; /* the last nanosecond of the day */
    (void)forge_payment(&f, 1, AMOUNT);
    f.time_ns++;
    uint64_t number = open_prompt(&f, 2);
    forge_frame(&f, COMMAND_STK_APPROVE);
    forge_pays(&f, number, 2, AMOUNT);
    forge_receipt(&f, number, FORGE_DAY + 1, FORGE_RECEIPT);
    forge_queued(&f, 3, number);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    forge_remove(&f);
}

static void test_receipt_without_payment(void **state)
{
    (void)state;
    struct forge f;
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    open_story(&f);
    e.kind = EVENT_STK_ENDED;
    e.number = open_prompt(&f, 1);
    e.outcome = STK_CANCELLED;
    e.receipt = 5;
    forge_frame(&f, COMMAND_STK_CANCEL);
    forge_operator(&f, &e);
    forge_queued(&f, 2, e.number);
    expect(&f, PROOF_REFERENCES, "has a receipt but was not paid");
}

static void test_ids_that_happen_twice(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_transfer(&f, 42, 9, FORGE_WALLET, FORGE_WALLET + 1, 5);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_transfer(&f, 42, 9, FORGE_WALLET, FORGE_WALLET + 1, 5);
    expect(&f, PROOF_REFERENCES, "transfer 2a happens a second time");
    open_story(&f);
    forge_frame(&f, COMMAND_ORGANISATION_FUND);
    forge_transfer(&f, forge_frame_id(&f, 0), 1, FORGE_TRUST, FORGE_UTILITY, 5);
    forge_transfer(&f, forge_frame_id(&f, 0), 1, FORGE_TRUST, FORGE_UTILITY, 5);
    expect(&f, PROOF_REFERENCES, "happens a second time");
    open_story(&f);
    forge_frame(&f, COMMAND_ORGANISATION_FUND);
    forge_transfer(&f, forge_frame_id(&f, 0) - 64, 1, FORGE_TRUST, FORGE_UTILITY, 5);
    expect(&f, PROOF_REFERENCES, "carries another position");
    open_story(&f);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_transfer(&f, forge_payment_id(9, 0), 9, FORGE_WALLET, FORGE_WALLET + 1, 5);
    expect(&f, PROOF_REFERENCES, "belongs to a payment");
}

static void test_refusals_use_their_id_up(void **state)
{
    (void)state;
    struct forge f;
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    open_story(&f);
    e.kind = EVENT_TRANSFER_REFUSED;
    e.result = LEDGER_EXCEEDS_CREDITS;
    e.transfer.kind = TRANSFER_POST;
    e.transfer.id = 42;
    e.transfer.amount_minor = 1;
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_ledger(&f, &e);
    forge_frame(&f, COMMAND_TRANSFERS);
    forge_transfer(&f, 42, 9, FORGE_WALLET, FORGE_WALLET + 1, 5);
    expect(&f, PROOF_REFERENCES, "transfer 2a happens a second time");
}

static void test_payment_numbers(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    f.payments = 5;
    (void)forge_push(&f, 1, AMOUNT);
    expect(&f, PROOF_REFERENCES, "payment 6 follows payment 1");
    open_story(&f);
    f.payments = 0;
    (void)forge_push(&f, 1, AMOUNT);
    expect(&f, PROOF_REFERENCES, "payment 1 follows payment 1");
}

static void test_checkout_id_twice(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    (void)forge_cancelled(&f, open_prompt(&f, 1));
    forge_frame(&f, COMMAND_STK_PUSH);
    forge_texts(&f, 3);
    /* The same phone, the same second, the serial of payment 2. */
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_STK_ACCEPTED;
    e.number = 3;
    e.slot = 1;
    e.short_code = FORGE_SHORT_CODE;
    e.party_b = FORGE_SHORT_CODE;
    e.type = 1;
    e.amount_minor = AMOUNT;
    e.checkout_serial = 2;
    forge_operator(&f, &e);
    expect(&f, PROOF_REFERENCES, "has the checkout id of another payment");
}

static void test_keys_numbers_and_codes_twice(void **state)
{
    (void)state;
    struct forge f;
    const uint8_t key[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    open_story(&f);
    for (int i = 0; i < 2; i++) {
        forge_frame(&f, COMMAND_ORGANISATION_FUND);
        struct writer *w = forge_event(&f, EVENT_KEY_KEPT);
        put_raw(w, key, sizeof(key));
        put_u64(w, 1);
    }
    expect(&f, PROOF_REFERENCES, "key took effect a second time");
    open_story(&f);
    forge_frame(&f, COMMAND_SUBSCRIBER_OPEN);
    forge_person(&f, FORGE_SUBSCRIBERS, 254700000001u);
    expect(&f, PROOF_REFERENCES, "has the phone number of another");
    open_story(&f);
    forge_frame(&f, COMMAND_SUBSCRIBER_OPEN);
    forge_person(&f, 1, 254700000001u); /* who has a wallet, and so a name, for good */
    expect(&f, PROOF_REFERENCES, "person 1 is kept where person 4 comes next");
    open_story(&f);
    forge_frame(&f, COMMAND_ORGANISATION_OPEN);
    forge_organisation(&f, 1, FORGE_SHORT_CODE, FORGE_UTILITY);
    expect(&f, PROOF_REFERENCES, "is opened a second time");
}

/* ---- effects ---- */

static void test_doubled_transfer(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 1);
    forge_frame(&f, COMMAND_STK_APPROVE);
    forge_pays(&f, number, 1, AMOUNT);
    forge_pays(&f, number, 1, AMOUNT);
    forge_ended(&f, number, STK_PAID);
    forge_queued(&f, 2, number);
    expect(&f, PROOF_EFFECTS, "is paid, and 2 transfers move money for it");
    assert_breach(PROOF_MONEY, 0, "payments of 24600 cents were paid, 36900 cents moved");
}

static void test_transfer_after_the_end(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_STK_ADVANCE);
    forge_pays(&f, 1, 0, AMOUNT);
    expect(&f, PROOF_EFFECTS, "12300 cents move for payment 1, which does not end here");
}

static void test_paid_without_money(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    end_with(&f, open_prompt(&f, 1), STK_PAID);
    expect(&f, PROOF_EFFECTS, "is paid, and 0 transfers");
}

static void test_money_without_payment(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 1);
    forge_frame(&f, COMMAND_STK_CANCEL);
    forge_pays(&f, number, 1, AMOUNT);
    forge_ended(&f, number, STK_CANCELLED);
    forge_queued(&f, 2, number);
    expect(&f, PROOF_EFFECTS, "is not paid, and 1 transfers");
}

static void test_wrong_amount(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 1);
    forge_frame(&f, COMMAND_STK_APPROVE);
    forge_pays(&f, number, 1, AMOUNT - 1);
    forge_ended(&f, number, STK_PAID);
    forge_queued(&f, 2, number);
    expect(&f, PROOF_EFFECTS, "is of 12300 cents, but its transfer moves 12299");
}

static void test_wrong_payer_and_payee(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 1);
    forge_frame(&f, COMMAND_STK_APPROVE);
    forge_pays(&f, number, 2, AMOUNT);
    forge_ended(&f, number, STK_PAID);
    forge_queued(&f, 2, number);
    expect(&f, PROOF_EFFECTS, "which is not its payer's");
    open_story(&f);
    number = open_prompt(&f, 1);
    forge_frame(&f, COMMAND_STK_APPROVE);
    forge_transfer(&f, forge_payment_id(number, 0), 3, FORGE_WALLET + 1, FORGE_UTILITY + 1, AMOUNT);
    forge_ended(&f, number, STK_PAID);
    forge_queued(&f, 2, number);
    expect(&f, PROOF_EFFECTS, "which is not its payee's");
    assert_breach(PROOF_EFFECTS, 0, "is not labelled as it");
}

static void test_missing_callback(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 1);
    forge_frame(&f, COMMAND_STK_APPROVE);
    forge_pays(&f, number, 1, AMOUNT);
    forge_ended(&f, number, STK_PAID);
    expect(&f, PROOF_EFFECTS, "ended and queued 0 callbacks");
}

static void test_too_many_callbacks(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    (void)forge_cancelled(&f, open_prompt(&f, 1));
    forge_queued(&f, ++f.deliveries, 2);
    expect(&f, PROOF_EFFECTS, "ended and queued 2 callbacks");
    open_story(&f);
    forge_frame(&f, COMMAND_STK_ADVANCE);
    forge_queued(&f, ++f.deliveries, 1);
    expect(&f, PROOF_EFFECTS, "a callback is queued for payment 1, which does not end here");
}

static void test_crowded_frames_are_bounded(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_STK_ADVANCE);
    for (int i = 0; i < 100; i++) {
        forge_queued(&f, ++f.deliveries, 1);
    }
    expect(&f, PROOF_EFFECTS, "callbacks in one decision");
    open_story(&f);
    forge_frame(&f, COMMAND_STK_ADVANCE);
    for (uint32_t i = 0; i < 100; i++) {
        forge_pays(&f, 2 + i, 1, 1);
    }
    expect(&f, PROOF_EFFECTS, "transfers of payments in one decision");
}

/* ---- deliveries ---- */

static void test_attempts_without_delivery(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_DELIVERY_RESULT);
    forge_attempted(&f, 9, 200, OUTBOX_DELIVERED);
    expect(&f, PROOF_DELIVERIES, "delivery 9 is attempted, but it was never queued");
    open_story(&f);
    for (int i = 0; i < 2; i++) {
        forge_frame(&f, COMMAND_DELIVERY_RESULT);
        forge_attempted(&f, 1, 200, OUTBOX_DELIVERED);
    }
    expect(&f, PROOF_DELIVERIES, "does not wait");
}

static void revive(struct forge *f, uint64_t number)
{
    struct outbox_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_DELIVERY_REVIVED;
    e.number = number;
    e.next_try_ns = f->time_ns;
    forge_frame(f, COMMAND_DELIVERY_REVIVE);
    forge_outbox(f, &e);
}

static void test_delivered_dead_and_replayed(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_DELIVERY_RESULT);
    forge_attempted(&f, 1, 503, OUTBOX_WAITING);
    forge_frame(&f, COMMAND_DELIVERY_RESULT);
    forge_attempted(&f, 1, 0, OUTBOX_DEAD);
    revive(&f, 1);
    forge_frame(&f, COMMAND_DELIVERY_RESULT);
    forge_attempted(&f, 1, 200, OUTBOX_DELIVERED);
    revive(&f, 1);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(report.totals.attempts, 3);
    assert_int_equal(report.totals.waiting, 1);
    forge_remove(&f);
}

static void test_attempts_that_do_not_fit(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_frame(&f, COMMAND_DELIVERY_RESULT);
    forge_attempted(&f, 1, 500, OUTBOX_DELIVERED);
    expect(&f, PROOF_DELIVERIES, "got status 500, error 0 and became state 2");
    open_story(&f);
    forge_frame(&f, COMMAND_DELIVERY_RESULT);
    forge_attempted(&f, 1, 200, OUTBOX_DEAD);
    expect(&f, PROOF_DELIVERIES, "became state 3");
    open_story(&f);
    revive(&f, 7);
    expect(&f, PROOF_DELIVERIES, "is replayed, but it was never queued");
    open_story(&f);
    f.deliveries = 4;
    (void)forge_cancelled(&f, open_prompt(&f, 1));
    expect(&f, PROOF_REFERENCES, "delivery 5 follows delivery 1");
}

static void test_answer_without_attempt(void **state)
{
    (void)state;
    struct forge f;
    struct outbox_event e;
    memset(&e, 0, sizeof(e));
    open_story(&f);
    e.kind = EVENT_ANSWER_KEPT;
    e.number = 1;
    e.answer = SPAN_LITERAL("thank you");
    forge_frame(&f, COMMAND_DELIVERY_RESULT);
    forge_outbox(&f, &e);
    expect(&f, PROOF_DELIVERIES, "without an attempt");
}

/* ---- what left memory ---- */

static void forge_edited(struct forge *f, uint64_t number, uint64_t original)
{
    struct outbox_event e = {
        .kind = EVENT_DELIVERY_EDITED,
        .number = number,
        .original = original,
        .subject = 1,
        .target = 78,
        .item_kind = 1,
        .next_try_ns = f->time_ns,
        .url = SPAN_LITERAL("http://127.0.0.1:9/edited"),
        .body = SPAN_LITERAL("{}"),
    };
    forge_frame(f, COMMAND_DELIVERY_EDIT);
    forge_outbox(f, &e);
}

static void forge_delivered(struct forge *f, uint64_t number)
{
    forge_frame(f, COMMAND_DELIVERY_RESULT);
    forge_attempted(f, number, 200, OUTBOX_DELIVERED);
}

/* Payment 1 leaves; `held`: that must be caught. */
static void leave(struct forge *f, const char *held)
{
    forge_frame(f, COMMAND_CLOSED_LEAVE);
    struct writer *w = forge_event(f, EVENT_CLOSED_LEFT);
    put_u64(w, 1);
    put_u8(w, OLD_SPACE_PAYMENT);
    put_u16(w, 1);
    put_u64(w, 1);
    put_u16(w, 1);
    if (held != NULL) {
        expect(f, PROOF_DELIVERIES, held);
        return;
    }
    forge_close(f);
    verify(f);
    assert_every_proof_holds();
    forge_remove(f);
}

/* A payment is held up by its own callback, and by no copy that somebody edited. */
static void test_an_edited_copy_holds_no_payment_up(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    forge_delivered(&f, 1);
    forge_edited(&f, 2, 1);
    leave(&f, NULL);
    open_story(&f);
    forge_edited(&f, 2, 1);
    forge_delivered(&f, 2);
    leave(&f, "payment 1 left memory, but its callback 1 waits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_end_of_a_payment),
        cmocka_unit_test(test_paid_twice),
        cmocka_unit_test(test_moves_that_the_table_forbids),
        cmocka_unit_test(test_outcomes_that_cannot_be),
        cmocka_unit_test(test_outcomes_that_may_be),
        cmocka_unit_test(test_wrong_pins_are_counted_up),
        cmocka_unit_test(test_two_prompts_on_one_phone),
        cmocka_unit_test(test_answers_out_of_turn),
        cmocka_unit_test(test_accepted_without_texts),
        cmocka_unit_test(test_receipt_twice),
        cmocka_unit_test(test_receipt_of_another_day),
        cmocka_unit_test(test_receipt_days_end_at_midnight_in_nairobi),
        cmocka_unit_test(test_receipt_without_payment),
        cmocka_unit_test(test_ids_that_happen_twice),
        cmocka_unit_test(test_refusals_use_their_id_up),
        cmocka_unit_test(test_payment_numbers),
        cmocka_unit_test(test_checkout_id_twice),
        cmocka_unit_test(test_keys_numbers_and_codes_twice),
        cmocka_unit_test(test_doubled_transfer),
        cmocka_unit_test(test_transfer_after_the_end),
        cmocka_unit_test(test_paid_without_money),
        cmocka_unit_test(test_money_without_payment),
        cmocka_unit_test(test_wrong_amount),
        cmocka_unit_test(test_wrong_payer_and_payee),
        cmocka_unit_test(test_missing_callback),
        cmocka_unit_test(test_too_many_callbacks),
        cmocka_unit_test(test_crowded_frames_are_bounded),
        cmocka_unit_test(test_attempts_without_delivery),
        cmocka_unit_test(test_delivered_dead_and_replayed),
        cmocka_unit_test(test_attempts_that_do_not_fit),
        cmocka_unit_test(test_answer_without_attempt),
        cmocka_unit_test(test_an_edited_copy_holds_no_payment_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
