/*
 * test_verify_requests.c - hakika verify (R6.8) on forged requests of organisations: accepted
 * without what belongs to them, a phone number where none belongs (R2.8), numbers out of order,
 * standing orders that pay after they were cancelled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "operator/operator.h"
#include "support/verify_rig.h"

#define PHONE ((uint64_t)254700000001) /* of slot 1 */

static void event(struct forge *f, uint16_t kind, uint64_t number, uint64_t party,
                  uint8_t party_type)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = kind;
    e.number = number;
    e.party = party;
    e.party_type = party_type;
    e.request_kind = REQUEST_B2C;
    e.command = 1;
    e.short_code = FORGE_SHORT_CODE;
    e.amount_minor = AMOUNT;
    e.outcome = REQUEST_NO_MONEY;
    forge_operator(f, &e);
}

static void request(struct forge *f, uint64_t number)
{
    forge_frame(f, COMMAND_REQUEST);
    event(f, EVENT_REQUEST_TEXTS_KEPT, number, 0, 0);
}

/* Fails without a result URL: nobody is told. */
static void ended(struct forge *f, uint64_t number)
{
    forge_frame(f, COMMAND_REQUEST_ADVANCE);
    event(f, EVENT_REQUEST_ENDED, number, 0, 0);
}

static void test_honest_requests(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, 0, PARTY_MSISDN);
    request(&f, 2);
    event(&f, EVENT_REQUEST_ACCEPTED, 2, FORGE_SHORT_CODE, PARTY_SHORT_CODE);
    request(&f, 3); /* as older programs wrote it */
    event(&f, EVENT_REQUEST_ACCEPTED_1, 3, PHONE, PARTY_MSISDN);
    ended(&f, 1);
    ended(&f, 2);
    ended(&f, 3);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    forge_remove(&f);
}

static void test_phone_numbers_that_do_not_belong(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, 0, PARTY_MSISDN);
    expect(&f, PROOF_REFERENCES, "without a phone number of its own");
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, FORGE_SHORT_CODE, PARTY_SHORT_CODE);
    expect(&f, PROOF_REFERENCES, "with a phone number of its own");
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_ACCEPTED_1, 1, PHONE, PARTY_MSISDN);
    expect(&f, PROOF_REFERENCES, "with a phone number of its own");
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_PARTY_KEPT, 1, PHONE, 0);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, 0, PARTY_MSISDN);
    expect(&f, PROOF_REFERENCES, "kept where it does not belong");
}

static void test_accepted_out_of_order(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    request(&f, 2);
    expect(&f, PROOF_REFERENCES, "request 2 follows request 0");
    open_story(&f);
    forge_frame(&f, COMMAND_REQUEST);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, 0, PARTY_MSISDN);
    expect(&f, PROOF_PAYMENTS, "is accepted without its texts");
}

/* A rule orders so many messages of what request 1 is about to send. */
static void message_ruled(struct forge *f, uint8_t times)
{
    struct rule_book book;
    struct operator_state o;
    struct rule rule;
    uint8_t order[RULE_ORDER_BYTES_MAX];
    struct operator_event e;
    memset(&book, 0, sizeof(book));
    memset(&o, 0, sizeof(o));
    memset(&rule, 0, sizeof(rule));
    memset(&e, 0, sizeof(e));
    o.rules = &book;
    memcpy(rule.name, "r", 2);
    rule_effects_init(&rule.effects);
    rule.effects.times = times;
    const struct rule_verdict verdict = {.rule = &rule};
    e.kind = EVENT_REQUEST_MESSAGE_RULED;
    e.number = 1;
    e.orders = (struct span){(const char *)order, operator_ruled_encode(&o, &verdict, order)};
    forge_operator(f, &e);
}

static void message(struct forge *f, uint16_t kind)
{
    struct outbox_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_DELIVERY_QUEUED;
    e.number = ++f->deliveries;
    e.subject = 1;
    e.item_kind = kind;
    e.next_try_ns = f->time_ns;
    forge_outbox(f, &e);
}

/* What a request sends before its end is one message, or as many as a rule ordered. */
static void test_messages_before_the_end(void **state)
{
    (void)state;
    enum { UNRULED = 9 };
    static const struct {
        uint8_t times;      /* that a rule orders */
        bool late;          /* the request says that it is */
        uint16_t kinds[3];  /* what is queued then */
        const char *breach; /* NULL: none */
    } rows[] = {
        {UNRULED, true, {MESSAGE_TIMEOUT}, NULL},
        {2, true, {MESSAGE_TIMEOUT | MESSAGE_RULED, MESSAGE_TIMEOUT}, NULL},
        {0, false, {0}, NULL},
        {UNRULED, true, {0}, "is late or asks, and its URL is not told"},
        {2, true, {MESSAGE_TIMEOUT}, "is late or asks, and its URL is not told"},
        {UNRULED, true, {MESSAGE_TIMEOUT, MESSAGE_TIMEOUT}, "which neither ends nor asks here"},
        {UNRULED, true, {MESSAGE_TIMEOUT | MESSAGE_RULED}, "which neither ends nor asks here"},
        {UNRULED, false, {MESSAGE_TIMEOUT}, "which neither ends nor asks here"},
        {0, true, {MESSAGE_TIMEOUT}, "which neither ends nor asks here"},
        {UNRULED, true, {MESSAGE_VALIDATION}, "which neither ends nor asks here"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct forge f;
        open_story(&f);
        request(&f, 1);
        event(&f, EVENT_REQUEST_ACCEPTED, 1, FORGE_SHORT_CODE, PARTY_SHORT_CODE);
        forge_frame(&f, COMMAND_REQUEST_ADVANCE);
        if (rows[i].times != UNRULED) {
            message_ruled(&f, rows[i].times);
        }
        if (rows[i].late) {
            event(&f, EVENT_REQUEST_TIMED_OUT, 1, 0, 0);
        }
        for (uint32_t n = 0; rows[i].kinds[n] != 0; n++) {
            message(&f, rows[i].kinds[n]);
        }
        if (rows[i].breach != NULL) {
            expect(&f, PROOF_EFFECTS, rows[i].breach);
            continue;
        }
        ended(&f, 1);
        forge_close(&f);
        verify(&f);
        assert_every_proof_holds();
        forge_remove(&f);
    }
    struct forge f;
    open_story(&f);
    request(&f, 1);
    event(&f, EVENT_REQUEST_ACCEPTED, 1, FORGE_SHORT_CODE, PARTY_SHORT_CODE);
    forge_frame(&f, COMMAND_REQUEST_ADVANCE);
    message_ruled(&f, 0);
    message_ruled(&f, 0);
    expect(&f, PROOF_PAYMENTS, "that is out already");
}

/* ---- standing orders ---- */

static void standing_request(struct forge *f, uint64_t number, uint8_t kind)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_REQUEST_TEXTS_KEPT;
    e.number = number;
    forge_operator(f, &e);
    event(f, EVENT_REQUEST_PARTY_KEPT, number, PHONE, 0);
    e.kind = EVENT_REQUEST_ACCEPTED;
    e.request_kind = kind;
    e.command = C2B_PAY_BILL;
    e.party_type = PARTY_MSISDN;
    e.short_code = FORGE_SHORT_CODE;
    e.amount_minor = AMOUNT;
    forge_operator(f, &e);
}

static void standing(struct forge *f, uint16_t kind, uint64_t request, uint32_t due_day)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = kind;
    e.number = 1;
    e.request = request;
    e.terms = (struct standing_terms){FORGE_DAY - 1, FORGE_DAY + 5, STANDING_DAILY};
    e.expires_ns = due_day != 0 ? standing_day_ns(due_day) : 0;
    forge_operator(f, &e);
}

static void standing_paid(struct forge *f)
{
    struct operator_event e;
    struct ledger_event money;
    memset(&money, 0, sizeof(money));
    money.kind = EVENT_TRANSFER_POSTED;
    money.transfer.id = request_transfer_id(2, 0);
    money.transfer.kind = TRANSFER_POST;
    money.transfer.code = TRANSFER_CODE_STANDING;
    money.transfer.reference = 2;
    money.transfer.debit_account = FORGE_WALLET + 1;
    money.transfer.credit_account = FORGE_UTILITY;
    money.transfer.amount_minor = AMOUNT;
    forge_ledger(f, &money);
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_REQUEST_ENDED;
    e.number = 2;
    e.outcome = REQUEST_DONE;
    e.has_receipt = true;
    e.receipt_day = FORGE_DAY;
    e.receipt = ++f->receipt;
    forge_operator(f, &e);
}

/* A payment under way when its order is cancelled; the kind of the event says what that means. */
static void cancelled_and_paid(struct forge *f, uint16_t cancelled)
{
    struct operator_event done;
    memset(&done, 0, sizeof(done));
    done.kind = EVENT_REQUEST_ENDED;
    done.number = 1;
    done.outcome = REQUEST_DONE;
    open_story(f);
    forge_frame(f, COMMAND_REQUEST);
    standing_request(f, 1, REQUEST_STANDING_ORDER);
    standing(f, EVENT_STANDING_ORDER_ASKED, 1, 0);
    forge_frame(f, COMMAND_REQUEST_ADVANCE);
    standing(f, EVENT_STANDING_ORDER_OPENED, 0, FORGE_DAY - 1);
    forge_operator(f, &done);
    forge_frame(f, COMMAND_STANDING_RUN);
    standing_request(f, 2, REQUEST_STANDING_PAYMENT);
    standing(f, EVENT_STANDING_ORDER_RAN, 2, FORGE_DAY);
    forge_frame(f, COMMAND_STANDING_CANCEL);
    standing(f, cancelled, 0, 0);
    forge_frame(f, COMMAND_REQUEST_ADVANCE);
    standing_paid(f);
}

static void test_paid_after_a_cancel(void **state)
{
    (void)state;
    struct forge f;
    cancelled_and_paid(&f, EVENT_STANDING_ORDER_CANCELLED_1); /* as older programs did */
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    forge_remove(&f);
    cancelled_and_paid(&f, EVENT_STANDING_ORDER_CANCELLED);
    expect(&f, PROOF_PAYMENTS, "is paid although standing order 1 had been cancelled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest_requests),
        cmocka_unit_test(test_phone_numbers_that_do_not_belong),
        cmocka_unit_test(test_accepted_out_of_order),
        cmocka_unit_test(test_messages_before_the_end),
        cmocka_unit_test(test_paid_after_a_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
