/*
 * test_operator.c - the STK payment: every refusal and every outcome, in `dev` and in `sandbox`
 * (R1.1 to R1.4, R3.3). Every test ends with the proof of its world: replay, save and load, and all
 * invariants. Accounts, ids and receipts are in test_operator_accounts.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "support/world.h"

/* A false CHECK ends the test, and is what some tests expect. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#define SHILLINGS(n) ((int64_t)(n)*100)

enum { WRONG_PIN = 9999 };

/* What everybody can see of a payment that ended. */
static void check_ended(const struct world *w, uint64_t number, enum stk_outcome outcome)
{
    const struct stk_payment *p = world_payment(w, number);
    if (p->outcome != outcome) {
        fail_msg("payment %llu: \"%s\", not \"%s\"", (unsigned long long)number,
                 stk_outcome_words(p->outcome), stk_outcome_words(outcome));
    }
    assert_int_equal(p->state, stk_outcome_state(outcome));
    assert_int_equal(world_callbacks(w, number), 1);
    assert_int_equal(p->step_ns[STEP_ENDED], w->now_ns);
    assert_int_equal(operator_subscriber_at(world_operator(w), p->subscriber)->open_payment,
                     SLAB_NONE);
    char receipt[ID_RECEIPT_SIZE];
    payment_receipt(p, receipt);
    assert_int_equal(strlen(receipt), outcome == STK_PAID ? ID_RECEIPT_LENGTH : 0);
}

static struct operator_reply order_as(struct world *w, uint64_t msisdn, int64_t amount_minor,
                                      const char *reference)
{
    struct world_order order = {
        .msisdn = msisdn, .amount_minor = amount_minor, .reference = reference};
    return world_order(w, &order);
}

/* ---- the way of a payment ---- */

/* R1.1: PENDING, PROCESSING, SUCCESS; debit, credit, state and callback in one step (R1.3). */
static void test_paid(void **state)
{
    (void)state;
    for (uint32_t dev = 0; dev < 2; dev++) {
        struct world w;
        world_start(&w, dev);
        int64_t utility_minor = world_utility(&w, WORLD_PAYBILL);
        struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(150), "INV-1");
        const struct stk_payment *p = world_payment(&w, reply.number);
        assert_int_equal(p->state, STK_PENDING);
        assert_int_equal(p->step_ns[STEP_ACCEPTED], w.now_ns);
        assert_true(book_next_due(w.book) == INT64_MIN);
        w.now_ns += 5;
        assert_int_equal(world_run(&w), 1);
        assert_int_equal(p->state, STK_PROCESSING);
        assert_true(p->reached);
        assert_int_equal(p->expires_ns, w.now_ns + 60 * NS_PER_S);
        assert_int_equal(book_next_due(w.book), p->expires_ns);
        assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY); /* nothing has moved */
        w.now_ns += 20 * NS_PER_S;
        uint64_t position = w.book->position;
        assert_int_equal(world_approve(&w, reply.number, WORLD_PIN), OPERATOR_DONE);
        assert_int_equal(w.book->position, position + 1);
        check_ended(&w, reply.number, STK_PAID);
        assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - SHILLINGS(150));
        assert_int_equal(world_utility(&w, WORLD_PAYBILL), utility_minor + SHILLINGS(150));
        const struct entry *moved =
            ledger_entry(&w.book->ledger, payment_transfer_id(reply.number, 0));
        assert_int_equal(moved->amount_minor, SHILLINGS(150));
        assert_int_equal(moved->reference, reply.number);
        assert_true(span_is(operator_text(world_operator(&w), p->reference), "INV-1"));
        assert_int_equal(world_run(&w), 0);
        world_end(&w);
    }
}

/* The states' table, whole: nothing moves back (R1.1). */
static void test_state_table(void **state)
{
    (void)state;
    static const char *const names[] = {"PENDING", "PROCESSING", "SUCCESS", "FAILED", "CANCELLED"};
    static const char *const moves[] = {".P.F.", "..SFC", ".....", ".....", "....."};
    for (uint32_t from = 1; from <= 5; from++) {
        assert_string_equal(stk_state_name(from), names[from - 1]);
        assert_int_equal(stk_state_final(from), from >= 3);
        for (uint32_t to = 1; to <= 5; to++) {
            assert_int_equal(stk_state_may_move(from, to), moves[from - 1][to - 1] != '.');
        }
    }
    expect_assert_failure((void)stk_state_name(0));
    expect_assert_failure((void)stk_state_name(6));
    expect_assert_failure((void)stk_state_may_move(0, 1));
    for (uint32_t outcome = 1; outcome <= STK_INTERNAL; outcome++) {
        assert_true(stk_state_final(stk_outcome_state(outcome)));
        assert_true(strlen(stk_outcome_words(outcome)) > 10);
        assert_int_equal(strcmp(stk_outcome_code(outcome), "0") == 0, outcome == STK_PAID);
    }
    assert_non_null(stk_outcome_words(STK_OPEN));
    expect_assert_failure((void)stk_outcome_code(STK_OPEN));
    expect_assert_failure((void)stk_outcome_state(STK_OPEN));
}

static void test_merchant_unknown(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct world_order order = {
        .msisdn = WORLD_STRANGER, .short_code = 123, .amount_minor = SHILLINGS(1)};
    assert_int_equal(world_order(&w, &order).refusal, OPERATOR_MERCHANT_UNKNOWN);
    assert_null(operator_subscriber(world_operator(&w), WORLD_STRANGER)); /* left no trace */
    world_end(&w);
}

/* ---- fingerprints (R1.4) ---- */

static void test_duplicate_refused(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t first = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
    assert_int_equal(reply.refusal, OPERATOR_DUPLICATE); /* before the lock of the phone */
    assert_int_equal(reply.number, first);
    assert_int_equal(world_approve(&w, first, WORLD_PIN), OPERATOR_DONE);
    reply = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
    assert_int_equal(reply.refusal, OPERATOR_DUPLICATE); /* it holds after success, too */
    assert_int_equal(reply.number, first);
    /* Anything that differs makes it another request. */
    struct world_order other = {.msisdn = WORLD_ANNA, .amount_minor = SHILLINGS(11)};
    assert_int_equal(world_order(&w, &other).refusal, OPERATOR_DONE);
    other = (struct world_order){.msisdn = WORLD_BEN, .amount_minor = SHILLINGS(10)};
    assert_int_equal(world_order(&w, &other).refusal, OPERATOR_DONE);
    world_pass(&w, 61 * NS_PER_S);
    other = (struct world_order){
        .msisdn = WORLD_ANNA, .amount_minor = SHILLINGS(10), .reference = "INV-2"};
    assert_int_equal(world_order(&w, &other).refusal, OPERATOR_DONE);
    (void)world_run(&w);
    world_pass(&w, 61 * NS_PER_S);
    other.reference = NULL;
    other.short_code = WORLD_OTHER_PAYBILL;
    assert_int_equal(world_order(&w, &other).refusal, OPERATOR_DONE);
    world_end(&w);
}

/* It holds for 60 s from its acceptance, to the nanosecond. */
static void test_duplicate_at_60_s(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    int64_t accepted_ns = w.now_ns;
    uint64_t first = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    w.now_ns += 30 * NS_PER_S;
    assert_int_equal(world_approve(&w, first, WORLD_PIN), OPERATOR_DONE);
    w.now_ns = accepted_ns + 60 * NS_PER_S - 1;
    assert_int_equal(order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL).refusal, OPERATOR_DUPLICATE);
    w.now_ns++;
    struct operator_reply second = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
    assert_int_equal(second.refusal, OPERATOR_DONE);
    /* From now on the second one holds it. */
    w.now_ns += 59 * NS_PER_S;
    struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
    assert_int_equal(reply.refusal, OPERATOR_DUPLICATE);
    assert_int_equal(reply.number, second.number);
    world_end(&w);
}

/* A payment that failed or was cancelled releases it; a setting turns that off. */
static void test_duplicate_released(void **state)
{
    (void)state;
    for (uint32_t released = 0; released < 2; released++) {
        struct world w;
        world_start(&w, true);
        w.settings.fingerprint_released_on_failure = released;
        enum operator_refusal expected = released ? OPERATOR_DONE : OPERATOR_DUPLICATE;
        uint64_t first = world_push(&w, WORLD_ANNA, SHILLINGS(10));
        assert_int_equal(world_cancel(&w, first), OPERATOR_DONE);
        struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
        assert_int_equal(reply.refusal, expected);
        world_restart(&w);
        uint64_t wrong = world_push(&w, WORLD_BEN, SHILLINGS(10));
        assert_int_equal(world_approve(&w, wrong, WRONG_PIN), OPERATOR_DONE);
        check_ended(&w, wrong, STK_WRONG_PIN);
        reply = order_as(&w, WORLD_BEN, SHILLINGS(10), NULL);
        assert_int_equal(reply.refusal, expected);
        world_end(&w);
    }
}

/* Real Daraja has no such rule: sandbox and daraja-strict go without it. */
static void test_no_duplicates_in_sandbox(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t number = world_push(&w, WORLD_ANNA, SHILLINGS(10));
        assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
        check_ended(&w, number, STK_PAID);
    }
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - SHILLINGS(30));
    world_end(&w);
}

/* Two requests whose digests agree in their first half are told apart. */
static void test_fingerprint_collision(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct stk_push_command c = {.short_code = WORLD_PAYBILL,
                                 .party_b = WORLD_PAYBILL,
                                 .type = 1,
                                 .amount_minor = 100,
                                 .msisdn = WORLD_ANNA,
                                 .url = span_from("https://a.example/"),
                                 .reference = span_from("A"),
                                 .fingerprint = {1, 2, 3, 4, 5, 6, 7, 8, 0}};
    struct operator_reply reply;
    assert_int_not_equal(world_do(&w, COMMAND_STK_PUSH, &c, &reply), 0);
    c.fingerprint[15] = 1;
    c.msisdn = WORLD_BEN;
    assert_int_not_equal(world_do(&w, COMMAND_STK_PUSH, &c, &reply), 0);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    world_end(&w);
}

/* ---- one prompt per phone ---- */

static void test_phone_locked(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    struct operator_reply first = order_as(&w, WORLD_ANNA, SHILLINGS(10), "A");
    struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(20), "B");
    assert_int_equal(reply.refusal, OPERATOR_SUBSCRIBER_LOCKED); /* from acceptance on */
    assert_int_equal(reply.number, first.number);
    (void)world_run(&w);
    assert_int_equal(order_as(&w, WORLD_ANNA, SHILLINGS(20), "B").refusal,
                     OPERATOR_SUBSCRIBER_LOCKED);
    world_restart(&w);
    assert_int_equal(order_as(&w, WORLD_ANNA, SHILLINGS(20), "B").refusal,
                     OPERATOR_SUBSCRIBER_LOCKED);
    assert_int_equal(order_as(&w, WORLD_BEN, SHILLINGS(20), "B").refusal, OPERATOR_DONE);
    assert_int_equal(world_cancel(&w, first.number), OPERATOR_DONE);
    assert_int_equal(order_as(&w, WORLD_ANNA, SHILLINGS(20), "B").refusal, OPERATOR_DONE);
    world_end(&w);
}

/* ---- answers on the phone ---- */

static void test_answers_refused(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(world_approve(&w, 1, WORLD_PIN), OPERATOR_NOT_FOUND);
    assert_int_equal(world_cancel(&w, UINT64_MAX), OPERATOR_NOT_FOUND);
    uint64_t number = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_ALREADY_ENDED);
    assert_int_equal(world_approve(&w, number, WRONG_PIN), OPERATOR_ALREADY_ENDED);
    assert_int_equal(world_cancel(&w, number), OPERATOR_ALREADY_ENDED);
    check_ended(&w, number, STK_PAID);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - SHILLINGS(10));
    world_end(&w);
}

/* An answer that comes before the network's turn is parked, and counts when the turn comes. */
static void test_parked_answers(void **state)
{
    (void)state;
    static const enum stk_outcome outcomes[] = {STK_PAID, STK_CANCELLED, STK_WRONG_PIN};
    for (uint32_t i = 0; i < 3; i++) {
        struct world w;
        world_start(&w, true);
        struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
        const struct stk_payment *p = world_payment(&w, reply.number);
        enum operator_refusal refusal =
            i == 1 ? world_cancel(&w, reply.number)
                   : world_approve(&w, reply.number, i == 0 ? WORLD_PIN : WRONG_PIN);
        assert_int_equal(refusal, OPERATOR_DONE);
        assert_int_equal(p->state, STK_PENDING);
        assert_int_equal(world_approve(&w, reply.number, WORLD_PIN), OPERATOR_ALREADY_ANSWERED);
        assert_int_equal(world_cancel(&w, reply.number), OPERATOR_ALREADY_ANSWERED);
        world_restart(&w);
        assert_int_equal(world_run(&w), 2); /* prompted, then ended */
        check_ended(&w, reply.number, outcomes[i]);
        p = world_payment(&w, reply.number);
        assert_int_not_equal(p->step_position[STEP_PROMPTED], 0);
        for (uint32_t b = 0; b < PIN_VERIFIER_BYTES; b++) {
            assert_int_equal(p->verifier[b], 0); /* not kept longer than needed */
        }
        world_end(&w);
    }
}

/* Between prompt and turn the payment waits with its answer: a second one is refused. */
static void test_parked_in_processing(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
    assert_int_equal(world_approve(&w, reply.number, WORLD_PIN), OPERATOR_DONE);
    struct book_command command;
    assert_true(book_work(w.book, w.now_ns, &command));
    assert_int_not_equal(world_do(&w, command.kind, command.body, NULL), 0);
    assert_int_equal(world_payment(&w, reply.number)->state, STK_PROCESSING);
    assert_int_equal(world_cancel(&w, reply.number), OPERATOR_ALREADY_ANSWERED);
    world_restart(&w);
    /* The answer was there in time: the deadline does not overtake it. */
    w.now_ns = world_payment(&w, reply.number)->expires_ns + NS_PER_S;
    assert_int_equal(world_run(&w), 1);
    check_ended(&w, reply.number, STK_PAID);
    world_end(&w);
}

/* Several payments in the pipeline: in the order in which they came. */
static void test_pipeline_order(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct operator_reply anna = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
    struct operator_reply ben = order_as(&w, WORLD_BEN, SHILLINGS(10), NULL);
    struct operator_reply robot = order_as(&w, WORLD_ROBOT, SHILLINGS(10), NULL);
    assert_int_equal(world_approve(&w, anna.number, WORLD_PIN), OPERATOR_DONE);
    world_restart(&w);
    assert_int_equal(world_run(&w), 5); /* three prompts, Anna's and the robot's answers */
    check_ended(&w, anna.number, STK_PAID);
    check_ended(&w, robot.number, STK_PAID);
    uint64_t prompted = world_payment(&w, ben.number)->step_position[STEP_PROMPTED];
    assert_true(prompted > world_payment(&w, anna.number)->step_position[STEP_PROMPTED]);
    assert_true(prompted < world_payment(&w, robot.number)->step_position[STEP_PROMPTED]);
    assert_int_equal(world_approve(&w, ben.number, WORLD_PIN), OPERATOR_DONE);
    world_end(&w);
}

/* R6.2: the sandbox's test number approves by itself. */
static void test_approves_by_itself(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    uint64_t number = world_push(&w, WORLD_ROBOT, SHILLINGS(10));
    check_ended(&w, number, STK_PAID);
    /* Even it has no more than it has. */
    assert_int_equal(world_adjust(&w, WORLD_ROBOT, SHILLINGS(5) - world_balance(&w, WORLD_ROBOT)),
                     OPERATOR_DONE);
    number = world_push(&w, WORLD_ROBOT, SHILLINGS(6));
    check_ended(&w, number, STK_NO_MONEY);
    /* What its owner answers first counts. */
    struct operator_reply reply = order_as(&w, WORLD_ROBOT, SHILLINGS(1), "C");
    assert_int_equal(world_cancel(&w, reply.number), OPERATOR_DONE);
    (void)world_run(&w);
    check_ended(&w, reply.number, STK_CANCELLED);
    /* And it must be there to answer. */
    assert_int_equal(world_reachable(&w, WORLD_ROBOT, false), OPERATOR_DONE);
    number = world_push(&w, WORLD_ROBOT, SHILLINGS(1));
    assert_int_equal(world_payment(&w, number)->state, STK_PROCESSING);
    world_pass(&w, 4 * NS_PER_S);
    check_ended(&w, number, STK_UNREACHABLE);
    world_end(&w);
}

/* ---- deadlines ---- */

static void test_expires_at_60_s(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    int64_t prompted_ns = w.now_ns;
    w.now_ns = prompted_ns + 60 * NS_PER_S - 1;
    assert_int_equal(world_run(&w), 0);
    assert_int_equal(world_payment(&w, number)->state, STK_PROCESSING);
    w.now_ns++;
    /* At its time it is over, even before anybody noticed: who comes first in a turn decides
     * nothing. */
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_ALREADY_ENDED);
    assert_int_equal(world_cancel(&w, number), OPERATOR_ALREADY_ENDED);
    assert_int_equal(world_run(&w), 1);
    check_ended(&w, number, STK_NO_ANSWER);
    assert_string_equal(stk_outcome_code(STK_NO_ANSWER), "1037");
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    number = world_push(&w, WORLD_ANNA, SHILLINGS(10)); /* the phone and the fingerprint are free */
    w.now_ns += 60 * NS_PER_S - 1;
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    check_ended(&w, number, STK_PAID);
    world_end(&w);
}

/* The clock of the prompt starts when it reaches the phone, not when the push was accepted. */
static void test_expiry_counts_from_prompt(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
    w.now_ns += 50 * NS_PER_S; /* a slow pipeline */
    (void)world_run(&w);
    w.now_ns += 59 * NS_PER_S;
    assert_int_equal(world_run(&w), 0);
    assert_int_equal(world_approve(&w, reply.number, WORLD_PIN), OPERATOR_DONE);
    check_ended(&w, reply.number, STK_PAID);
    world_end(&w);
}

/* Several prompts end in the order of their deadlines; after a restart, too. */
static void test_expiry_order(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t anna = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    w.now_ns += 10;
    assert_int_equal(world_reachable(&w, WORLD_BEN, false), OPERATOR_DONE);
    uint64_t ben = world_push(&w, WORLD_BEN, SHILLINGS(10));
    world_restart(&w);
    world_pass(&w, 4 * NS_PER_S);
    check_ended(&w, ben, STK_UNREACHABLE);
    assert_int_equal(world_payment(&w, anna)->state, STK_PROCESSING);
    world_pass(&w, 56 * NS_PER_S - 10);
    check_ended(&w, anna, STK_NO_ANSWER);
    world_end(&w);
}

/* A phone that is off: 1037 after 4 s, as in life; nothing on it can be answered. */
static void test_unreachable(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(world_reachable(&w, WORLD_ANNA, false), OPERATOR_DONE);
    struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
    assert_int_equal(world_approve(&w, reply.number, WORLD_PIN), OPERATOR_DONE); /* parked, but */
    (void)world_run(&w);
    const struct stk_payment *p = world_payment(&w, reply.number);
    assert_int_equal(p->state, STK_PROCESSING); /* nobody saw the prompt that it answers */
    assert_false(p->reached);
    assert_int_equal(p->answer, ANSWER_NONE);
    assert_int_equal(world_approve(&w, reply.number, WORLD_PIN), OPERATOR_NOT_FOUND);
    assert_int_equal(world_cancel(&w, reply.number), OPERATOR_NOT_FOUND);
    assert_int_equal(world_reachable(&w, WORLD_ANNA, true), OPERATOR_DONE); /* too late for it */
    w.now_ns += 4 * NS_PER_S - 1;
    assert_int_equal(world_run(&w), 0);
    w.now_ns++;
    assert_int_equal(world_run(&w), 1);
    check_ended(&w, reply.number, STK_UNREACHABLE);
    assert_string_equal(stk_outcome_code(STK_UNREACHABLE), "1037");
    uint64_t number = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    check_ended(&w, number, STK_PAID);
    world_end(&w);
}

static void test_cancelled(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    assert_int_equal(world_cancel(&w, number), OPERATOR_DONE);
    check_ended(&w, number, STK_CANCELLED);
    assert_int_equal(world_payment(&w, number)->state, STK_STATE_CANCELLED);
    assert_string_equal(stk_outcome_code(STK_CANCELLED), "1032");
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    world_pass(&w, 120 * NS_PER_S); /* no deadline is left behind */
    assert_int_equal(world_callbacks(&w, number), 1);
    world_end(&w);
}

/* ---- PINs (R3.3) ---- */

static uint64_t try_pin(struct world *w, uint32_t pin)
{
    uint64_t number = world_push(w, WORLD_ANNA, SHILLINGS(10));
    assert_int_equal(world_approve(w, number, pin), OPERATOR_DONE);
    return number;
}

static uint32_t failures(const struct world *w)
{
    return operator_subscriber(world_operator(w), WORLD_ANNA)->pin_failures;
}

static enum operator_refusal change_pin(struct world *w, uint32_t pin)
{
    struct subscriber_change_command c = {
        .msisdn = WORLD_ANNA, .fields = CHANGE_PIN, .key_version = 2};
    world_verifier(WORLD_ANNA, pin, c.verifier);
    return world_change(w, &c);
}

/* Wrong PINs count over payments, a right one forgets them, the third locks. */
static void test_pin_lock(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    check_ended(&w, try_pin(&w, WRONG_PIN), STK_WRONG_PIN);
    check_ended(&w, try_pin(&w, WRONG_PIN), STK_WRONG_PIN);
    assert_int_equal(failures(&w), 2);
    world_restart(&w);
    check_ended(&w, try_pin(&w, WORLD_PIN), STK_PAID);
    assert_int_equal(failures(&w), 0);
    for (uint32_t i = 1; i <= 3; i++) {
        check_ended(&w, try_pin(&w, WRONG_PIN), STK_WRONG_PIN);
        assert_int_equal(failures(&w), i);
    }
    world_restart(&w);
    check_ended(&w, try_pin(&w, WORLD_PIN), STK_PIN_LOCKED); /* the right one helps no more */
    check_ended(&w, try_pin(&w, WRONG_PIN), STK_PIN_LOCKED);
    assert_int_equal(failures(&w), 3);
    uint64_t number = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    assert_int_equal(world_cancel(&w, number), OPERATOR_DONE); /* cancelling needs no PIN */
    check_ended(&w, number, STK_CANCELLED);
    assert_int_equal(change_pin(&w, 4321), OPERATOR_DONE);
    assert_int_equal(failures(&w), 0);
    check_ended(&w, try_pin(&w, WORLD_PIN), STK_WRONG_PIN); /* that was the old one */
    check_ended(&w, try_pin(&w, 4321), STK_PAID);
    assert_int_equal(operator_subscriber(world_operator(&w), WORLD_ANNA)->key_version, 2);
    world_end(&w);
}

/* A right PIN forgets the wrong ones even when the payment then fails for money. */
static void test_pin_right_but_no_money(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    check_ended(&w, try_pin(&w, WRONG_PIN), STK_WRONG_PIN);
    uint64_t number = world_push(&w, WORLD_ANNA, WORLD_MONEY + 100);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    check_ended(&w, number, STK_NO_MONEY);
    assert_int_equal(failures(&w), 0);
    /* A wrong PIN says nothing about the money. */
    number = world_push(&w, WORLD_ANNA, WORLD_MONEY + 100);
    assert_int_equal(world_approve(&w, number, WRONG_PIN), OPERATOR_DONE);
    check_ended(&w, number, STK_WRONG_PIN);
    world_end(&w);
}

/* A parked approval is compared with the PIN that is valid when its turn comes. */
static void test_pin_changed_while_parked(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    struct operator_reply reply = order_as(&w, WORLD_ANNA, SHILLINGS(10), NULL);
    assert_int_equal(world_approve(&w, reply.number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(change_pin(&w, 4321), OPERATOR_DONE);
    (void)world_run(&w);
    check_ended(&w, reply.number, STK_WRONG_PIN);
    world_end(&w);
}

/* ---- what refuses a payment (R1.2) ---- */

/* In dev a payer without money fails in phase 1, in the sandbox after the PIN. */
static void test_no_money(void **state)
{
    (void)state;
    for (uint32_t dev = 0; dev < 2; dev++) {
        struct world w;
        world_start(&w, dev);
        uint64_t number = world_push(&w, WORLD_ANNA, WORLD_MONEY + 1);
        if (!dev) {
            assert_int_equal(world_payment(&w, number)->state, STK_PROCESSING);
            assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
        }
        check_ended(&w, number, STK_NO_MONEY);
        assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
        number = world_push(&w, WORLD_ANNA, WORLD_MONEY); /* exactly all of it is fine */
        assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
        check_ended(&w, number, STK_PAID);
        assert_int_equal(world_balance(&w, WORLD_ANNA), 0);
        world_end(&w);
    }
}

/* R1.3: what was fine in phase 1 is looked at again after the PIN. */
static void test_money_gone_meanwhile(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = world_push(&w, WORLD_ANNA, SHILLINGS(500));
    assert_int_equal(world_adjust(&w, WORLD_ANNA, 100 - WORLD_MONEY), OPERATOR_DONE);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    check_ended(&w, number, STK_NO_MONEY);
    world_end(&w);
}

static void test_payer_suspended(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct subscriber_change_command c = {
        .msisdn = WORLD_ANNA, .fields = CHANGE_STATUS, .status = SUBSCRIBER_SUSPENDED};
    uint64_t before = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    assert_int_equal(world_change(&w, &c), OPERATOR_DONE);
    assert_int_equal(world_approve(&w, before, WORLD_PIN), OPERATOR_DONE);
    check_ended(&w, before, STK_PAYER_SUSPENDED); /* meanwhile */
    uint64_t number = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    check_ended(&w, number, STK_PAYER_SUSPENDED); /* in phase 1 */
    c.status = SUBSCRIBER_ACTIVE;
    assert_int_equal(world_change(&w, &c), OPERATOR_DONE);
    number = world_push(&w, WORLD_ANNA, SHILLINGS(10));
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    check_ended(&w, number, STK_PAID);
    c.status = SUBSCRIBER_UNREGISTERED; /* would make room for a second wallet */
    struct operator_reply reply;
    expect_assert_failure((void)world_do(&w, COMMAND_SUBSCRIBER_CHANGE, &c, &reply));
    world_end(&w);
}

/* A number without a wallet is a person nevertheless: its payment fails, and a wallet may come. */
static void test_payer_unknown(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = world_push(&w, WORLD_STRANGER, SHILLINGS(10));
    check_ended(&w, number, STK_PAYER_UNKNOWN);
    struct operator_reply reply = order_as(&w, WORLD_STRANGER, SHILLINGS(10), NULL);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    assert_int_equal(world_approve(&w, reply.number, WORLD_PIN), OPERATOR_DONE);
    (void)world_run(&w);
    check_ended(&w, reply.number, STK_PAYER_UNKNOWN);
    assert_int_equal(world_adjust(&w, WORLD_STRANGER, 5), OPERATOR_NOT_FOUND);
    world_end(&w);
}

/* TransactionType and kind of business must fit, and a bulk account receives from nobody. */
static void test_payee(void **state)
{
    (void)state;
    static const struct {
        uint32_t party_b;
        uint8_t type; /* 1 paybill, 2 buy goods */
        enum stk_outcome outcome;
    } cases[] = {
        {WORLD_PAYBILL, 1, STK_PAID},   {WORLD_PAYBILL, 2, STK_PRODUCT},
        {WORLD_TILL, 2, STK_PAID},      {WORLD_TILL, 1, STK_PRODUCT},
        {WORLD_BULK, 1, STK_PRODUCT},   {WORLD_BULK, 2, STK_PRODUCT},
        {424242, 1, STK_PAYEE_UNKNOWN},
    };
    struct world w;
    world_start(&w, true);
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world_order order = {.msisdn = WORLD_ANNA,
                                    .party_b = cases[i].party_b,
                                    .type = cases[i].type,
                                    .amount_minor = SHILLINGS(10 + i)};
        struct operator_reply reply = world_order(&w, &order);
        assert_int_equal(reply.refusal, OPERATOR_DONE);
        (void)world_run(&w);
        if (cases[i].outcome == STK_PAID) {
            assert_int_equal(world_approve(&w, reply.number, WORLD_PIN), OPERATOR_DONE);
        }
        check_ended(&w, reply.number, cases[i].outcome);
    }
    assert_int_equal(world_utility(&w, WORLD_TILL), WORLD_MONEY * 10 + SHILLINGS(12));
    world_end(&w);
}

/* Suspended, an unknown payee, the wrong product, no money: the first of the list is the reason. */
static void test_precedence(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct world_order order = {
        .msisdn = WORLD_ANNA, .party_b = 424242, .type = 2, .amount_minor = WORLD_MONEY * 2};
    struct subscriber_change_command c = {
        .msisdn = WORLD_ANNA, .fields = CHANGE_STATUS, .status = SUBSCRIBER_SUSPENDED};
    assert_int_equal(world_change(&w, &c), OPERATOR_DONE);
    struct operator_reply reply = world_order(&w, &order);
    (void)world_run(&w);
    check_ended(&w, reply.number, STK_PAYER_SUSPENDED);
    c.status = SUBSCRIBER_ACTIVE;
    assert_int_equal(world_change(&w, &c), OPERATOR_DONE);
    reply = world_order(&w, &order);
    (void)world_run(&w);
    check_ended(&w, reply.number, STK_PAYEE_UNKNOWN);
    order.party_b = WORLD_PAYBILL;
    reply = world_order(&w, &order);
    (void)world_run(&w);
    check_ended(&w, reply.number, STK_PRODUCT);
    order.type = 1;
    reply = world_order(&w, &order);
    (void)world_run(&w);
    check_ended(&w, reply.number, STK_NO_MONEY);
    world_end(&w);
}

/* ---- the day's limit (R3.3) ---- */

static enum stk_outcome pay(struct world *w, int64_t amount_minor)
{
    uint64_t number = world_push(w, WORLD_ANNA, amount_minor);
    if (world_payment(w, number)->state == STK_PROCESSING) {
        assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    }
    return world_payment(w, number)->outcome;
}

static int64_t allowance(const struct world *w)
{
    const struct operator_state *o = world_operator(w);
    return operator_day_allowance(o, operator_subscriber(o, WORLD_ANNA), w->now_ns);
}

/* The day is Kenya's: it ends at 21:00 UTC. */
static void test_day_limit(void **state)
{
    (void)state;
    for (uint32_t dev = 0; dev < 2; dev++) {
        struct world w;
        world_start(&w, dev);
        w.settings.fingerprint_ns = 0;
        assert_int_equal(world_adjust(&w, WORLD_ANNA, WORLD_MONEY * 20), OPERATOR_DONE);
        int64_t midnight_ns;
        assert_true(rfc3339_parse(span_from("2026-01-31T21:00:00Z"), &midnight_ns));
        assert_int_equal(allowance(&w), SHILLINGS(500000));
        assert_int_equal(pay(&w, SHILLINGS(250000)), STK_PAID);
        assert_int_equal(pay(&w, SHILLINGS(249999)), STK_PAID);
        assert_int_equal(allowance(&w), SHILLINGS(1));
        assert_int_equal(pay(&w, SHILLINGS(2)), STK_DAY_LIMIT);
        world_restart(&w);
        w.now_ns = midnight_ns - 1;
        assert_int_equal(pay(&w, SHILLINGS(1) + 1), STK_DAY_LIMIT);
        assert_int_equal(pay(&w, SHILLINGS(1)), STK_PAID);
        assert_int_equal(allowance(&w), 0);
        w.now_ns = midnight_ns;
        assert_int_equal(allowance(&w), SHILLINGS(500000));
        assert_int_equal(pay(&w, SHILLINGS(250000)), STK_PAID);
        assert_int_equal(allowance(&w), SHILLINGS(250000));
        world_end(&w);
    }
}

/* A prompt before midnight, its PIN after: it counts for the day on which it was paid. */
static void test_day_limit_over_midnight(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, WORLD_MONEY * 20), OPERATOR_DONE);
    assert_int_equal(pay(&w, SHILLINGS(250000)), STK_PAID);
    assert_int_equal(pay(&w, SHILLINGS(250000)), STK_PAID);
    int64_t midnight_ns;
    assert_true(rfc3339_parse(span_from("2026-01-31T21:00:00Z"), &midnight_ns));
    w.now_ns = midnight_ns - 10;
    uint64_t number = world_push(&w, WORLD_ANNA, SHILLINGS(1000));
    w.now_ns = midnight_ns + 10;
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    check_ended(&w, number, STK_PAID);
    assert_int_equal(allowance(&w), SHILLINGS(499000));
    world_end(&w);
}

/* An amount that no face lets through is a bug of ours, not an outcome. */
static void test_push_bounds(void **state)
{
    (void)state;
    static const int64_t amounts[] = {0, -1, INT64_MIN, SHILLINGS(250000) + 1, INT64_MAX};
    struct world w;
    world_start(&w, true);
    w.quick = true;
    for (uint32_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
        struct world_order order = {.msisdn = WORLD_ANNA, .amount_minor = amounts[i]};
        expect_assert_failure((void)world_order(&w, &order));
    }
    struct world_order order = {.msisdn = WORLD_ANNA, .type = 3, .amount_minor = 1};
    expect_assert_failure((void)world_order(&w, &order));
    assert_null(operator_payment(world_operator(&w), 1));
    world_end(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paid),
        cmocka_unit_test(test_state_table),
        cmocka_unit_test(test_merchant_unknown),
        cmocka_unit_test(test_duplicate_refused),
        cmocka_unit_test(test_duplicate_at_60_s),
        cmocka_unit_test(test_duplicate_released),
        cmocka_unit_test(test_no_duplicates_in_sandbox),
        cmocka_unit_test(test_fingerprint_collision),
        cmocka_unit_test(test_phone_locked),
        cmocka_unit_test(test_answers_refused),
        cmocka_unit_test(test_parked_answers),
        cmocka_unit_test(test_parked_in_processing),
        cmocka_unit_test(test_pipeline_order),
        cmocka_unit_test(test_approves_by_itself),
        cmocka_unit_test(test_expires_at_60_s),
        cmocka_unit_test(test_expiry_counts_from_prompt),
        cmocka_unit_test(test_expiry_order),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_pin_lock),
        cmocka_unit_test(test_pin_right_but_no_money),
        cmocka_unit_test(test_pin_changed_while_parked),
        cmocka_unit_test(test_no_money),
        cmocka_unit_test(test_money_gone_meanwhile),
        cmocka_unit_test(test_payer_suspended),
        cmocka_unit_test(test_payer_unknown),
        cmocka_unit_test(test_payee),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_day_limit),
        cmocka_unit_test(test_day_limit_over_midnight),
        cmocka_unit_test(test_push_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
