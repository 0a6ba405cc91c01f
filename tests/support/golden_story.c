/*
 * golden_story.c - see golden_story.h. A golden journal that was recorded stays what it is when
 * this story changes; a new one is recorded beside it.
 */
#include "support/golden_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "base/delivery_error.h"
#include "journal/journal.h"

enum {
    BUFFER_BYTES = 1024 * 1024,
    ROUNDS = 24, /* of the everyday chapter */
    DAY_S = 86400,
};

/* ---- small things ---- */

static uint64_t order(struct world *w, const struct world_order *o)
{
    struct operator_reply reply = world_order(w, o);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    return reply.number;
}

static uint64_t order_and_run(struct world *w, const struct world_order *o)
{
    uint64_t number = order(w, o);
    (void)world_run(w);
    return number;
}

static void ended(const struct world *w, uint64_t number, enum stk_outcome outcome)
{
    assert_int_equal(world_payment(w, number)->outcome, outcome);
}

static void open_subscriber(struct world *w, uint64_t msisdn, const char *name, int64_t money)
{
    struct subscriber_command c = {
        .msisdn = msisdn, .name = span_from(name), .key_version = 1, .balance_minor = money};
    struct operator_reply reply;
    world_verifier(msisdn, WORLD_PIN, c.verifier);
    (void)world_do(w, COMMAND_SUBSCRIBER_OPEN, &c, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
}

static void change(struct world *w, const struct subscriber_change_command *c)
{
    assert_int_equal(world_change(w, c), OPERATOR_DONE);
}

static void fund(struct world *w, uint32_t short_code, uint8_t account, int64_t amount_minor,
                 uint8_t key)
{
    struct fund_command c = {.short_code = short_code,
                             .account = account,
                             .amount_minor = amount_minor,
                             .has_key = key != 0};
    struct operator_reply reply;
    memset(c.key, key, sizeof(c.key));
    memset(c.request, key + 1, sizeof(c.request));
    (void)world_do(w, COMMAND_ORGANISATION_FUND, &c, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
}

static void set_clock(struct world *w, uint8_t mode, int64_t offset_ns)
{
    struct clock_command c = {.mode = mode, .offset_ns = offset_ns};
    enum book_outcome outcome;
    (void)world_do(w, COMMAND_CLOCK, &c, &outcome);
}

static void checkpoint(struct world *w)
{
    struct checkpoint_command c = {w->book->position, book_digest(w->book)};
    enum book_outcome outcome;
    (void)world_do(w, COMMAND_CHECKPOINT, &c, &outcome);
}

/* Every callback that is due gets this answer; returns how many there were. */
static uint32_t answer_all(struct world *w, uint16_t status, uint8_t error)
{
    uint32_t count = 0;
    for (uint64_t number = world_take(w); number != 0; number = world_take(w)) {
        assert_int_equal(world_report(w, number, status, error), BOOK_DONE);
        count++;
    }
    return count;
}

/* ---- chapters ---- */

/* Paid and not paid, by every road that a client can bring about. */
static void chapter_endings(struct world *w)
{
    uint64_t number = world_push(w, WORLD_ANNA, 12000);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    ended(w, number, STK_PAID);
    number = world_push(w, WORLD_ANNA, 100);
    assert_int_equal(world_cancel(w, number), OPERATOR_DONE);
    ended(w, number, STK_CANCELLED);
    number = world_push(w, WORLD_ANNA, 200);
    world_pass(w, 61 * WORLD_S);
    ended(w, number, STK_NO_ANSWER);
    assert_int_equal(world_reachable(w, WORLD_BEN, false), OPERATOR_DONE);
    number = world_push(w, WORLD_BEN, 300);
    world_pass(w, 10 * WORLD_S);
    ended(w, number, STK_UNREACHABLE);
    assert_int_equal(world_reachable(w, WORLD_BEN, true), OPERATOR_DONE);
    number = world_push(w, WORLD_STRANGER, 400);
    ended(w, number, STK_PAYER_UNKNOWN);
    number = world_push(w, WORLD_BEN, WORLD_MONEY + 100);
    ended(w, number, STK_NO_MONEY);
    struct world_order wrong = {.msisdn = WORLD_BEN, .party_b = 999999, .amount_minor = 500};
    ended(w, order_and_run(w, &wrong), STK_PAYEE_UNKNOWN);
    wrong.party_b = WORLD_TILL;
    wrong.reference = "till by paybill";
    ended(w, order_and_run(w, &wrong), STK_PRODUCT);
    struct world_order till = {.msisdn = WORLD_BEN,
                               .short_code = WORLD_TILL,
                               .party_b = WORLD_TILL,
                               .type = 2,
                               .amount_minor = 600,
                               .reference = ""};
    number = order_and_run(w, &till);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    ended(w, number, STK_PAID);
    number = world_push(w, WORLD_ROBOT, 700); /* approves by itself */
    ended(w, number, STK_PAID);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
}

/* Answers that are there before the prompt, and a suspended wallet. */
static void chapter_early_answers(struct world *w)
{
    struct world_order o = {.msisdn = WORLD_ANNA, .amount_minor = 1100, .reference = "early"};
    uint64_t number = order(w, &o);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    (void)world_run(w);
    ended(w, number, STK_PAID);
    o.reference = "early no";
    number = order(w, &o);
    assert_int_equal(world_cancel(w, number), OPERATOR_DONE);
    (void)world_run(w);
    ended(w, number, STK_CANCELLED);
    struct subscriber_change_command c = {
        .msisdn = WORLD_ANNA, .fields = CHANGE_STATUS, .status = SUBSCRIBER_SUSPENDED};
    change(w, &c);
    o.reference = "suspended";
    ended(w, order_and_run(w, &o), STK_PAYER_SUSPENDED);
    c.status = SUBSCRIBER_ACTIVE;
    change(w, &c);
}

/* Wrong PINs until the PIN is locked, a new PIN, an old one that is wrong now. */
static void chapter_pins(struct world *w)
{
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t number = world_push(w, WORLD_BEN, 1000 + 100 * (int64_t)i);
        assert_int_equal(world_approve(w, number, 1111), OPERATOR_DONE);
        ended(w, number, STK_WRONG_PIN);
    }
    uint64_t number = world_push(w, WORLD_BEN, 5000);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    ended(w, number, STK_PIN_LOCKED);
    struct subscriber_change_command c = {
        .msisdn = WORLD_BEN, .fields = CHANGE_PIN | CHANGE_SIM_SWAPPED, .key_version = 1};
    c.sim_swapped_ns = w->now_ns;
    world_verifier(WORLD_BEN, 4321, c.verifier);
    change(w, &c);
    number = world_push(w, WORLD_BEN, 5100);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    ended(w, number, STK_WRONG_PIN);
    number = world_push(w, WORLD_BEN, 5200);
    assert_int_equal(world_approve(w, number, 4321), OPERATOR_DONE);
    ended(w, number, STK_PAID);
}

/* Money in and out, keys, organisations, subscribers; the day's limit; money that is gone after the
 * PIN when it is only looked at there. */
static void chapter_money(struct world *w)
{
    open_subscriber(w, 254722000001, "Wanjikũ wa Kamau", 60000000);
    open_subscriber(w, WORLD_STRANGER, "", 0); /* seen before, a wallet now */
    assert_int_equal(world_adjust(w, WORLD_STRANGER, 5000), OPERATOR_DONE);
    assert_int_equal(world_adjust(w, WORLD_STRANGER, -2000), OPERATOR_DONE);
    fund(w, WORLD_PAYBILL, ACCOUNT_UTILITY, 123456, 0);
    fund(w, WORLD_BULK, ACCOUNT_WORKING, 999, 17);
    struct organisation_command c = {.short_code = 600123,
                                     .name = SPAN_LITERAL("Chama cha Akiba"),
                                     .type = ORGANISATION_PAYBILL,
                                     .charges = CHARGES_SHARED,
                                     .initiator = SPAN_LITERAL("treasurer")};
    struct operator_reply reply;
    (void)world_do(w, COMMAND_ORGANISATION_OPEN, &c, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    for (int64_t i = 0; i < 2; i++) {
        uint64_t number = world_push(w, 254722000001, 24000000 + i);
        assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
        ended(w, number, STK_PAID);
    }
    struct world_order o = {.msisdn = 254722000001, .amount_minor = 5000000};
    w->settings.funds_checked_early = false;
    uint64_t number = order_and_run(w, &o);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    ended(w, number, STK_DAY_LIMIT);
    number = world_push(w, WORLD_STRANGER, 300000);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    ended(w, number, STK_NO_MONEY);
    w->settings.funds_checked_early = true;
}

/* Answers of every kind, a dead letter, replays by hand, a receiver's Retry-After. */
static void chapter_deliveries(struct world *w)
{
    uint64_t number = world_push(w, WORLD_ANNA, 2100);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    uint64_t delivery = world_payment(w, number)->delivery;
    const uint8_t errors[] = {DELIVERY_CONNECT, DELIVERY_TIMEOUT, DELIVERY_RESET,
                              DELIVERY_TLS,     DELIVERY_RESOLVE, DELIVERY_PROTOCOL};
    for (uint32_t i = 0; outbox_item(&w->book->outbox, delivery)->state == OUTBOX_WAITING; i++) {
        uint8_t error = i % 2 == 0 ? errors[i / 2 % sizeof(errors)] : DELIVERY_ANSWERED;
        assert_true(i < 20);
        (void)answer_all(w, error == DELIVERY_ANSWERED ? 500 : 0, error);
        world_pass(w, 8 * 3600 * WORLD_S);
    }
    assert_int_equal(outbox_item(&w->book->outbox, delivery)->state, OUTBOX_DEAD);
    struct delivery_revive_command again = {delivery};
    enum book_outcome outcome;
    (void)world_do(w, COMMAND_DELIVERY_REVIVE, &again, &outcome);
    assert_int_equal(outcome, BOOK_DONE);
    struct delivery_result_command busy = {.number = delivery,
                                           .generation = w->book->generation,
                                           .status = 503,
                                           .duration_ms = 3,
                                           .retry_after_ms = 60000};
    assert_int_equal(world_take(w), delivery);
    (void)world_do(w, COMMAND_DELIVERY_RESULT, &busy, &outcome);
    world_pass(w, 3600 * WORLD_S);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
    (void)world_do(w, COMMAND_DELIVERY_REVIVE, &again, &outcome); /* a delivered one, once more */
    struct delivery_edit_command edit = {.number = delivery,
                                         .target = 78,
                                         .url = SPAN_LITERAL("http://127.0.0.1:9/edited"),
                                         .body = SPAN_LITERAL("{\"ResultCode\":\"0\"}")};
    struct delivery_edit_reply edited = {BOOK_NOTHING, 0};
    assert_int_not_equal(world_do(w, COMMAND_DELIVERY_EDIT, &edit, &edited), 0);
    edit.number = edited.number;
    assert_int_not_equal(world_do(w, COMMAND_DELIVERY_EDIT, &edit, &edited), 0);
    assert_int_equal(outbox_edit(&w->book->outbox, edited.number)->original, delivery);
    (void)answer_all(w, 204, DELIVERY_ANSWERED);
}

static struct transfer transfer_of(uint64_t id, uint16_t kind, uint32_t debit, uint32_t credit,
                                   int64_t amount_minor)
{
    struct transfer t = {.id = id,
                         .kind = kind,
                         .code = 77,
                         .reference = id * 10,
                         .debit_account = debit,
                         .credit_account = credit,
                         .amount_minor = amount_minor};
    return t;
}

static void transfers(struct world *w, struct transfer *t, const bool *linked, uint32_t count)
{
    uint8_t results[16];
    struct transfers_command c = {
        .transfers = t, .linked = linked, .results = results, .count = count};
    assert_int_not_equal(world_do(w, COMMAND_TRANSFERS, &c, NULL), 0);
}

/* Transfers and holds that belong to no payment: posted, refused, linked, posted in part, voided,
 * expired. */
static void chapter_ledger(struct world *w)
{
    struct open_accounts_command open = {
        .count = 3, .code = 500, .flags = ACCOUNT_DEBITS_LIMITED, .currency = LEDGER_CURRENCY_KES};
    enum book_outcome outcome;
    uint32_t a = ledger_next_account(&w->book->ledger, 0);
    (void)world_do(w, COMMAND_OPEN_ACCOUNTS, &open, &outcome);
    open.count = 1;
    open.flags = ACCOUNT_CREDITS_LIMITED;
    (void)world_do(w, COMMAND_OPEN_ACCOUNTS, &open, &outcome);
    uint32_t anna = operator_subscriber(world_operator(w), WORLD_ANNA)->account;
    struct transfer posts[] = {
        transfer_of(1, TRANSFER_POST, anna, a, 100000),
        transfer_of(2, TRANSFER_POST, a, a + 1, 100001), /* more than there is: remembered */
        transfer_of(3, TRANSFER_POST, a, a + 1, 4000),
        transfer_of(4, TRANSFER_POST, a + 1, a + 2, 4000),
        transfer_of(5, TRANSFER_POST, a, 9999, 1),
    };
    const bool linked[] = {false, false, true, false, false};
    transfers(w, posts, linked, 5);
    struct transfer failing[] = {
        transfer_of(6, TRANSFER_POST, a, a + 1, 10),
        transfer_of(7, TRANSFER_POST, a + 1, a + 2, 999999),
    };
    const bool both[] = {true, false};
    transfers(w, failing, both, 2);
    struct transfer holds[] = {
        transfer_of(10, TRANSFER_HOLD, a, a + 1, 5000),
        transfer_of(11, TRANSFER_HOLD, a, a + 1, 600),
        transfer_of(12, TRANSFER_HOLD, a, a + 2, 70),
        transfer_of(13, TRANSFER_POST_HOLD, 0, 0, 4999),
        transfer_of(14, TRANSFER_VOID_HOLD, 0, 0, 0),
        transfer_of(15, TRANSFER_HOLD, a, a + 1, 8),
    };
    holds[2].expires_ns = w->now_ns + 30 * WORLD_S;
    holds[3].hold_id = 10;
    holds[4].hold_id = 11;
    transfers(w, holds, NULL, 6); /* hold 15 stays open */
    struct transfer late = transfer_of(16, TRANSFER_VOID_HOLD, 0, 0, 0);
    late.hold_id = 10; /* was posted: refused and remembered */
    transfers(w, &late, NULL, 1);
    world_pass(w, 31 * WORLD_S); /* hold 12 expires */
}

/* Payouts: one that arrives, one that the utility account cannot pay, one by a wrong initiator. */
static void chapter_payouts(struct world *w)
{
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = 200000, .conversation = "P-1"};
    assert_int_equal(world_request(w, world_payout(w, &p))->outcome, REQUEST_DONE);
    p.conversation = "";
    p.amount_minor = 25000000;
    for (uint32_t i = 0; i < 5; i++) {
        (void)world_payout(w, &p);
    }
    assert_int_equal(world_request(w, world_payout(w, &p))->outcome, REQUEST_MAX_BALANCE);
    p.wrong_password = true;
    assert_int_equal(world_request(w, world_payout(w, &p))->outcome, REQUEST_INITIATOR);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
}

static uint64_t ask(struct world *w, uint8_t kind, uint32_t short_code, const char *reference,
                    int64_t amount_minor)
{
    struct request_command c = {.kind = kind,
                                .command = 1,
                                .party_type = PARTY_SHORT_CODE,
                                .short_code = short_code,
                                .amount_minor = amount_minor,
                                .credential_good = true,
                                .result_url = SPAN_LITERAL("https://shop.example/result"),
                                .timeout_url = SPAN_LITERAL("https://shop.example/late"),
                                .target = 6,
                                .timeout_target = 7};
    c.without_initiator = kind == REQUEST_EXPRESS || kind == REQUEST_SETTLEMENT;
    c.party = kind == REQUEST_EXPRESS ? WORLD_TILL : WORLD_OTHER_PAYBILL;
    c.reference = span_from(reference);
    return world_ask(w, &c);
}

static void change_organisation(struct world *w, const struct organisation_change_command *c)
{
    struct operator_reply reply;
    (void)world_do(w, COMMAND_ORGANISATION_CHANGE, c, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
}

static void asked(const struct world *w, uint64_t number, enum request_outcome outcome)
{
    assert_int_equal(world_request(w, number)->outcome, outcome);
}

/* What organisations ask for: balance, status, a reversal, payments between them, settlement, a
 * till's prompt, a request that is late. */
static void chapter_organisations(struct world *w)
{
    char receipt[ID_RECEIPT_SIZE];
    uint64_t number = world_push(w, WORLD_ANNA, 7000);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    payment_receipt(world_payment(w, number), receipt);
    asked(w, ask(w, REQUEST_BALANCE, WORLD_PAYBILL, "", 0), REQUEST_DONE);
    asked(w, ask(w, REQUEST_STATUS, WORLD_PAYBILL, receipt, 0), REQUEST_DONE);
    asked(w, ask(w, REQUEST_STATUS, WORLD_TILL, receipt, 0), REQUEST_ORIGINAL_INVALID);
    asked(w, ask(w, REQUEST_REVERSAL, WORLD_PAYBILL, receipt, 7000), REQUEST_DONE);
    asked(w, ask(w, REQUEST_REVERSAL, WORLD_PAYBILL, receipt, 7000), REQUEST_ALREADY_REVERSED);
    asked(w, ask(w, REQUEST_B2B, WORLD_PAYBILL, "353353", 23900), REQUEST_DONE);
    asked(w, ask(w, REQUEST_TAX, WORLD_PAYBILL, "353353", 23900), REQUEST_PARTY_UNKNOWN);
    asked(w, ask(w, REQUEST_SETTLEMENT, WORLD_BULK, "", 0), REQUEST_DONE);
    asked(w, ask(w, REQUEST_SETTLEMENT, WORLD_BULK, "", 0), REQUEST_NO_MONEY);
    struct organisation_change_command c = {
        .short_code = WORLD_TILL, .fields = ORGANISATION_CHANGE_NOMINATED, .nominated = WORLD_ANNA};
    change_organisation(w, &c);
    number = ask(w, REQUEST_EXPRESS, WORLD_PAYBILL, "INV-9", 7100);
    struct stk_answer_command yes = {.number = number};
    struct operator_reply reply;
    world_verifier(WORLD_ANNA, WORLD_PIN, yes.verifier);
    (void)world_do(w, COMMAND_REQUEST_APPROVE, &yes, &reply);
    asked(w, number, REQUEST_DONE);
    number = ask(w, REQUEST_EXPRESS, WORLD_PAYBILL, "INV-10", 7100);
    world_pass(w, 61 * WORLD_S);
    asked(w, number, REQUEST_USSD_SESSION);
    c.short_code = WORLD_OTHER_PAYBILL;
    c.fields = ORGANISATION_CHANGE_DELAY;
    c.queue_delay_ns = 50 * WORLD_S;
    change_organisation(w, &c);
    number = ask(w, REQUEST_BALANCE, WORLD_OTHER_PAYBILL, "", 0);
    asked(w, number, REQUEST_OPEN);
    world_pass(w, 51 * WORLD_S);
    asked(w, number, REQUEST_DONE);
    assert_int_not_equal(world_request(w, number)->late, 0);
    c.queue_delay_ns = 0;
    change_organisation(w, &c);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
}

static void c2b_registered(struct world *w)
{
    struct c2b_register_command urls = {
        .short_code = WORLD_OTHER_PAYBILL,
        .version = 2,
        .response_type = C2B_CANCELLED,
        .confirmation_url = span_from("https://shop.example/c2b/confirmation"),
        .validation_url = span_from("https://shop.example/c2b/validation"),
        .confirmation_target = 71,
        .validation_target = 71,
    };
    struct validation_set_command change = {WORLD_OTHER_PAYBILL, true};
    struct pull_register_command pull = {WORLD_OTHER_PAYBILL, WORLD_ANNA,
                                         span_from("https://shop.example/pull")};
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    (void)world_do(w, COMMAND_C2B_REGISTER, &urls, &reply);
    (void)world_do(w, COMMAND_VALIDATION_SET, &change, &reply);
    (void)world_do(w, COMMAND_PULL_REGISTER, &pull, &reply);
}

/* Customers pay by themselves: one is let through, one is refused, one gets no answer. */
static void chapter_customers(struct world *w)
{
    struct request_command c;
    struct delivery_result_command said = {
        .generation = w->book->generation, .status = 200, .retry_after_ms = -1};
    enum book_outcome outcome = BOOK_DONE;
    c2b_registered(w);
    memset(&c, 0, sizeof(c));
    c.kind = REQUEST_C2B;
    c.command = C2B_PAY_BILL;
    c.short_code = WORLD_OTHER_PAYBILL;
    c.party = WORLD_ANNA;
    c.amount_minor = 12300;
    c.reference = span_from("INV-9");
    c.without_initiator = true;
    uint64_t number = world_ask(w, &c);
    said.number = world_take(w);
    said.verdict = C2B_ACCEPTED;
    said.verdict_text = span_from("TP-77");
    (void)world_do(w, COMMAND_DELIVERY_RESULT, &said, &outcome);
    assert_int_equal(world_request(w, number)->outcome, REQUEST_DONE);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
    number = world_ask(w, &c);
    said.number = world_take(w);
    said.verdict = C2B_REJECTED + 2;
    (void)world_do(w, COMMAND_DELIVERY_RESULT, &said, &outcome);
    assert_int_equal(world_request(w, number)->outcome, REQUEST_BAD_ACCOUNT);
    number = world_ask(w, &c);
    world_pass(w, 11 * WORLD_S);
    assert_int_equal(world_request(w, number)->outcome, REQUEST_NOT_VALIDATED);
}

/* A standing order that is paid on its dates, one that is cancelled, one that nobody allows. */
static void chapter_standing_orders(struct world *w)
{
    struct request_command c = {
        .kind = REQUEST_STANDING_ORDER,
        .command = C2B_PAY_BILL,
        .without_initiator = true,
        .short_code = WORLD_PAYBILL,
        .party = WORLD_ANNA,
        .party_type = PARTY_MSISDN,
        .amount_minor = 50000,
        .reference = SPAN_LITERAL("LOAN-7"),
        .remarks = SPAN_LITERAL("Baiskeli"),
        .result_url = SPAN_LITERAL("https://shop.example/ratiba"),
        .target = 8,
    };
    uint32_t today = eat_day_number(w->now_ns);
    c.terms = (struct standing_terms){today + 1, today + 2, STANDING_DAILY};
    struct stk_answer_command yes = {.number = world_ask(w, &c)};
    struct operator_reply reply;
    world_verifier(WORLD_ANNA, WORLD_PIN, yes.verifier);
    (void)world_do(w, COMMAND_REQUEST_APPROVE, &yes, &reply);
    asked(w, yes.number, REQUEST_DONE);
    c.remarks = SPAN_LITERAL("Kodi");
    asked(w, world_ask(w, &c), REQUEST_OPEN);
    world_pass(w, 61 * WORLD_S);
    asked(w, world_operator(w)->last_request, REQUEST_NO_ANSWER);
    c.party = WORLD_ROBOT;
    c.terms.frequency = STANDING_MONTHLY;
    c.terms.end_day = today + 300;
    asked(w, world_ask(w, &c), REQUEST_DONE);
    world_pass(w, (int64_t)3 * DAY_S * WORLD_S);
    struct standing_cancel_command stop = {3};
    (void)world_do(w, COMMAND_STANDING_CANCEL, &stop, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    assert_int_equal(operator_standing_order(world_operator(w), 1)->paid, 2);
    assert_int_equal(operator_standing_order(world_operator(w), 1)->state, STANDING_FINISHED);
    assert_int_equal(operator_standing_order(world_operator(w), 3)->runs, 1);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
}

/* A biller sends invoices: one is paid in two parts, one cancelled; a payment is acknowledged. */
static void chapter_bills(struct world *w)
{
    struct biller_command biller = {.short_code = WORLD_PAYBILL,
                                    .reminders = true,
                                    .url = SPAN_LITERAL("https://shop.example/bill"),
                                    .email = SPAN_LITERAL("bills@shop.example"),
                                    .contact = SPAN_LITERAL("0722000000"),
                                    .target = 9};
    struct invoice_command invoice = {.short_code = WORLD_PAYBILL,
                                      .msisdn = WORLD_ANNA,
                                      .amount_minor = 10000,
                                      .due_day = 20500,
                                      .reference = SPAN_LITERAL("B-1"),
                                      .account = SPAN_LITERAL("MAJI-7"),
                                      .name = SPAN_LITERAL("Anna Wanjiru"),
                                      .period = SPAN_LITERAL("August 2021"),
                                      .title = SPAN_LITERAL("maji"),
                                      .items = SPAN_LITERAL("[]")};
    struct invoice_cancel_command cancel = {WORLD_PAYBILL, SPAN_LITERAL("B-2")};
    struct request_command pays = {.kind = REQUEST_C2B,
                                   .command = C2B_PAY_BILL,
                                   .short_code = WORLD_PAYBILL,
                                   .party = WORLD_ANNA,
                                   .amount_minor = 4000,
                                   .reference = SPAN_LITERAL("MAJI-7"),
                                   .without_initiator = true};
    struct operator_reply reply;
    char receipt[ID_RECEIPT_SIZE];
    (void)world_do(w, COMMAND_BILLER, &biller, &reply);
    (void)world_do(w, COMMAND_INVOICE, &invoice, &reply);
    invoice.reference = SPAN_LITERAL("B-2");
    (void)world_do(w, COMMAND_INVOICE, &invoice, &reply);
    (void)world_do(w, COMMAND_INVOICE_CANCEL, &cancel, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    uint64_t number = world_ask(w, &pays);
    pays.amount_minor = 7000;
    asked(w, world_ask(w, &pays), REQUEST_DONE);
    assert_int_equal(operator_invoice(world_operator(w), 1)->state, INVOICE_PAID);
    request_transaction_id(world_request(w, number), receipt);
    struct acknowledge_command seen = {WORLD_PAYBILL, span_from(receipt)};
    (void)world_do(w, COMMAND_ACKNOWLEDGE, &seen, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
}

/* Through Paystack: what was initialized gets its phone and is paid, and is given back. */
static void chapter_paystack(struct world *w)
{
    struct paystack_command opens = {.short_code = WORLD_PAYBILL,
                                     .key_hash = {1, 2, 3},
                                     .key = SPAN_LITERAL("sealed"),
                                     .url = SPAN_LITERAL("https://shop.example/paystack"),
                                     .target = 9};
    struct request_command charge = {.kind = REQUEST_PAYSTACK,
                                     .command = C2B_PAY_BILL,
                                     .without_initiator = true,
                                     .short_code = WORLD_PAYBILL,
                                     .amount_minor = 12300,
                                     .conversation = SPAN_LITERAL("order-1"),
                                     .reference = SPAN_LITERAL("order-1"),
                                     .result_url = SPAN_LITERAL("https://shop.example/paystack"),
                                     .target = 9};
    struct request_command refund = {.kind = REQUEST_PAYSTACK_REFUND,
                                     .command = ORIGINAL_BY_CONVERSATION,
                                     .without_initiator = true,
                                     .short_code = WORLD_PAYBILL,
                                     .amount_minor = 12300,
                                     .reference = SPAN_LITERAL("order-1"),
                                     .result_url = SPAN_LITERAL("https://shop.example/paystack"),
                                     .target = 9};
    struct operator_reply reply;
    (void)world_do(w, COMMAND_PAYSTACK, &opens, &reply);
    uint64_t number = world_ask(w, &charge);
    const struct paystack_phone_command phone = {number, WORLD_ANNA};
    (void)world_do(w, COMMAND_PAYSTACK_PHONE, &phone, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    (void)world_run(w);
    struct stk_answer_command pin = {.number = number};
    world_verifier(WORLD_ANNA, WORLD_PIN, pin.verifier);
    (void)world_do(w, COMMAND_REQUEST_APPROVE, &pin, &reply);
    asked(w, number, REQUEST_DONE);
    asked(w, world_ask(w, &refund), REQUEST_DONE);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
}

/* The ordinary day of a shop: several payments of several people, some left alone. */
static void chapter_everyday(struct world *w)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const uint64_t people[] = {WORLD_ANNA, WORLD_BEN, 254722000001, WORLD_ROBOT};
        uint64_t numbers[4] = {0, 0, 0, 0};
        for (uint32_t p = 0; p < 4; p++) {
            char reference[32];
            (void)snprintf(reference, sizeof(reference), "INV-%u-%u", i, p);
            struct world_order o = {.msisdn = people[p],
                                    .short_code = i % 3 == 0 ? WORLD_OTHER_PAYBILL : WORLD_PAYBILL,
                                    .amount_minor = 100 * (1 + i + p),
                                    .reference = reference,
                                    .target = 1 + i % 5};
            numbers[p] = order(w, &o);
            w->now_ns += 40 * 1000 * 1000;
        }
        (void)world_run(w);
        for (uint32_t p = 0; p < 3; p++) {
            if ((i + p) % 5 == 0) {
                assert_int_equal(world_cancel(w, numbers[p]), OPERATOR_DONE);
            } else if ((i + p) % 7 != 0) {
                assert_int_equal(
                    world_approve(w, numbers[p], people[p] == WORLD_BEN ? 4321 : WORLD_PIN),
                    OPERATOR_DONE);
            }
        }
        world_pass(w, 61 * WORLD_S + (int64_t)i * 1000 * 1000);
        (void)answer_all(w, i % 4 == 0 ? 502 : 200, DELIVERY_ANSWERED);
    }
}

/* What is sent before an end obeys, too: a time-out told twice and not at all, a question never
 * asked. */
static void rules_for_messages(struct world *w)
{
    struct organisation_change_command c = {.short_code = WORLD_OTHER_PAYBILL,
                                            .fields = ORGANISATION_CHANGE_DELAY,
                                            .queue_delay_ns = 50 * WORLD_S};
    change_organisation(w, &c);
    world_rules(w, "{\"rules\":["
                   "{\"name\":\"twice\",\"match\":{\"api\":\"queue_timeout\",\"nth\":1},"
                   "\"then\":{\"callback\":{\"times\":2,\"spacing_ms\":500,\"cut\":true}}},"
                   "{\"name\":\"never\",\"match\":{\"api\":[\"queue_timeout\",\"c2b_validation\"]},"
                   "\"then\":{\"callback\":{\"never\":true}}}]}");
    uint64_t told = ask(w, REQUEST_BALANCE, WORLD_OTHER_PAYBILL, "", 0);
    world_pass(w, 51 * WORLD_S);
    asked(w, told, REQUEST_DONE);
    assert_int_not_equal(world_request(w, told)->late, 0);
    uint64_t untold = ask(w, REQUEST_BALANCE, WORLD_OTHER_PAYBILL, "", 0);
    world_pass(w, 51 * WORLD_S);
    asked(w, untold, REQUEST_DONE);
    assert_int_equal(world_request(w, untold)->late, 0);
    c.queue_delay_ns = 0;
    change_organisation(w, &c);
    struct request_command pay = {.kind = REQUEST_C2B,
                                  .command = C2B_PAY_BILL,
                                  .short_code = WORLD_OTHER_PAYBILL,
                                  .party = WORLD_ANNA,
                                  .amount_minor = 500,
                                  .reference = SPAN_LITERAL("INV-9"),
                                  .without_initiator = true};
    uint64_t unasked = world_ask(w, &pay);
    world_pass(w, 11 * WORLD_S);
    assert_int_equal(world_request(w, unasked)->outcome, REQUEST_NOT_VALIDATED);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
}

/* What scenario rules order: an end, a phone that acts by itself, messages held and doubled. */
static void chapter_rules(struct world *w)
{
    world_rules(
        w, "{\"rules\":["
           "{\"name\":\"fails\",\"match\":{\"reference\":\"fails\"},"
           "\"then\":{\"outcome\":{\"code\":\"1025\",\"text\":\"not today\",\"delay_ms\":500}}},"
           "{\"name\":\"held\",\"match\":{\"reference\":\"held\",\"first\":5},"
           "\"then\":{\"prompt\":{\"act\":\"approve\",\"delay_ms\":1000},"
           "\"callback\":{\"hold_for_next\":true,\"times\":2,\"code\":\"1037\"},"
           "\"query\":{\"pending\":true}}},"
           "{\"name\":\"silent\",\"match\":{\"amount\":{\"min\":123400,\"max\":123499}},"
           "\"then\":{\"prompt\":{\"act\":\"wrong_pin\"},\"callback\":{\"never\":true}}}]}");
    struct world_order o = {.msisdn = WORLD_ANNA, .amount_minor = 100, .reference = "fails"};
    uint64_t fails = order_and_run(w, &o);
    world_pass(w, WORLD_S);
    ended(w, fails, STK_RULED);
    o.reference = "held";
    uint64_t held = order_and_run(w, &o);
    world_pass(w, 2 * WORLD_S);
    ended(w, held, STK_PAID);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
    o.reference = "next";
    uint64_t next = order_and_run(w, &o);
    assert_int_equal(world_cancel(w, next), OPERATOR_DONE);
    assert_int_equal(answer_all(w, 200, DELIVERY_ANSWERED), 3);
    o.amount_minor = 123456;
    ended(w, order_and_run(w, &o), STK_WRONG_PIN);
    world_rules(w, "{\"rules\":["
                   "{\"name\":\"fails\",\"match\":{\"api\":\"balance\"},"
                   "\"then\":{\"outcome\":{\"code\":\"26\",\"delay_ms\":500},"
                   "\"callback\":{\"times\":2}}},"
                   "{\"name\":\"lies\",\"match\":{\"api\":\"b2b\"},"
                   "\"then\":{\"callback\":{\"code\":\"17\",\"hold_for_next\":true}}},"
                   "{\"name\":\"wrong\",\"match\":{\"api\":\"b2b_express\"},"
                   "\"then\":{\"prompt\":{\"act\":\"wrong_pin\",\"delay_ms\":900}}}]}");
    asked(w, ask(w, REQUEST_B2B, WORLD_PAYBILL, "353354", 100), REQUEST_DONE);
    uint64_t balance = ask(w, REQUEST_BALANCE, WORLD_PAYBILL, "", 0);
    uint64_t express = ask(w, REQUEST_EXPRESS, WORLD_PAYBILL, "INV-11", 100);
    world_pass(w, WORLD_S);
    asked(w, balance, REQUEST_RULED);
    asked(w, express, REQUEST_WRONG_PIN);
    assert_int_equal(answer_all(w, 200, DELIVERY_ANSWERED), 4);
    rules_for_messages(w);
    world_rules(w, "{\"rules\":[]}");
}

/* Past midnight in Nairobi: receipts and limits of a new day; and one push a second before. */
static void chapter_midnight(struct world *w)
{
    int64_t day_ns = (int64_t)DAY_S * WORLD_S;
    int64_t midnight_ns =
        (int64_t)(eat_day_number(w->now_ns) + 1) * day_ns - (int64_t)EAT_OFFSET_S * WORLD_S;
    world_pass(w, midnight_ns - w->now_ns - WORLD_S);
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t number = world_push(w, WORLD_ANNA, 777 + i);
        assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
        ended(w, number, STK_PAID);
        world_pass(w, WORLD_S);
    }
}

/* More money than 63 bits hold, so that even the ledger refuses a payment. */
static void chapter_overflow(struct world *w)
{
    int64_t room = INT64_MAX - w->book->ledger.posted_minor - w->book->ledger.pending_minor;
    fund(w, WORLD_OTHER_PAYBILL, ACCOUNT_WORKING, room - 50, 0);
    uint64_t number = world_push(w, WORLD_ANNA, 100);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    ended(w, number, STK_INTERNAL);
}

static void about_world(struct world *w, uint16_t kind, const char *name, const char *from)
{
    struct world_command c = {.name = span_from(name), .from = span_from(from)};
    enum book_outcome outcome = BOOK_NOTHING;
    assert_int_not_equal(world_do(w, kind, &c, &outcome), 0);
    assert_int_equal(outcome, BOOK_DONE);
    w->now_ns = kind == COMMAND_WORLD_RESTORE ? w->book->time_ns : w->now_ns;
}

/* One payment ends in three worlds: in two the clock goes back, in one it is real. */
static void chapter_worlds(struct world *w)
{
    uint64_t number = world_push(w, WORLD_BEN, 4200);
    set_clock(w, CLOCK_VIRTUAL, 0);
    about_world(w, COMMAND_WORLD_SAVE, "prompt-open", "");
    about_world(w, COMMAND_WORLD_COPY, "fork", "prompt-open");
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    ended(w, number, STK_PAID);
    world_pass(w, 3600 * WORLD_S);
    about_world(w, COMMAND_WORLD_RESTORE, "prompt-open", "");
    about_world(w, COMMAND_WORLD_REMOVE, "prompt-open", "");
    assert_int_equal(world_cancel(w, number), OPERATOR_DONE);
    ended(w, number, STK_CANCELLED);
    set_clock(w, CLOCK_REAL, 5 * WORLD_S);
    world_pass(w, 7200 * WORLD_S);
    about_world(w, COMMAND_WORLD_RESTORE, "fork", "");
    (void)world_run(w);
    ended(w, number, STK_NO_ANSWER);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
}

/* Ids that are made of positions, in frames that other positions have now. */
static void move_ids(struct frame_reader f, uint64_t position)
{
    uint16_t kind;
    struct reader body;
    while (frame_event(&f, &kind, &body)) {
        uint64_t id = kind == EVENT_TRANSFER_POSTED ? get_u64(&body) : 0;
        if (id >> 60 == 2) {
            uint64_t moved = (uint64_t)2 << 60 | position << 6 | (id & 63);
            memcpy((uint8_t *)(uintptr_t)body.data, &moved, sizeof(moved));
        }
    }
}

static void import_step(struct world *w, uint16_t kind, const struct world_import_command *c)
{
    enum book_outcome outcome = BOOK_NOTHING;
    (void)world_do(w, kind, c, &outcome);
    assert_int_equal(outcome, BOOK_DONE);
}

/* Everything of another world, in frames of this one. */
static void import_world(struct world *w, const struct world *there, const char *name)
{
    struct reader r = reader_init(there->frames, there->frames_size);
    struct frame_reader f;
    struct digest digest;
    struct world_import_command c = {.name = span_from(name),
                                     .time_ns = there->now_ns,
                                     .frames = (uint32_t)there->book->position,
                                     .bytes = (uint32_t)there->frames_size};
    import_step(w, COMMAND_WORLD_IMPORT_BEGIN, &c);
    digest_init(&digest);
    while (frame_next(&r, &f)) {
        uint8_t header[BOOK_FRAME_HEADER_BYTES];
        struct writer out = writer_init(header, sizeof(header));
        move_ids(f, w->book->position + 1);
        put_u32(&out, (uint32_t)(sizeof(header) + f.events.size));
        put_u32(&out, f.info.cause);
        put_u64(&out, w->book->position + 1);
        put_i64(&out, f.info.time_ns);
        put_u64(&out, 0);
        digest_update(&digest, header, sizeof(header));
        digest_update(&digest, f.events.data, f.events.size);
        c.time_ns = f.info.time_ns;
        c.cause = f.info.cause;
        c.events = (struct span){(const char *)f.events.data, f.events.size};
        import_step(w, COMMAND_WORLD_IMPORT_FRAME, &c);
    }
    c.digest = digest_finish(&digest);
    import_step(w, COMMAND_WORLD_IMPORT_END, &c);
}

/* A world of another journal comes in, is lived in for a while, and left. */
static void chapter_import(struct world *w)
{
    struct world there;
    world_start(&there, true);
    uint64_t number = world_push(&there, WORLD_ANNA, 3300);
    about_world(w, COMMAND_WORLD_SAVE, "here", "");
    import_world(w, &there, "there");
    about_world(w, COMMAND_WORLD_RESTORE, "there", "");
    (void)world_run(w); /* a real clock: the prompt is long over */
    ended(w, number, STK_NO_ANSWER);
    number = world_push(w, WORLD_ANNA, 1200);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    about_world(w, COMMAND_WORLD_RESTORE, "here", "");
    about_world(w, COMMAND_WORLD_REMOVE, "there", "");
    about_world(w, COMMAND_WORLD_REMOVE, "here", "");
    book_destroy(there.book);
    free(there.frames);
    free(there.scratch);
}

/* Closed payments and a key leave memory; one payment comes home to be told again. */
static void chapter_leaving(struct world *w)
{
    static uint8_t record[CLOSING_RECORD_MAX];
    const struct domain_closing *closing = book_closing(w->book, OLD_SPACE_PAYMENT);
    struct old_names names = {.count = 0};
    struct writer out = writer_init(record, sizeof(record));
    uint8_t key[1][16];
    uint64_t numbers[16];
    enum book_outcome outcome = BOOK_NOTHING;
    about_world(w, COMMAND_WORLD_REMOVE, "fork", ""); /* while there is one, nothing leaves */
    fund(w, WORLD_PAYBILL, ACCOUNT_UTILITY, 500, 99);
    memset(key, 99, sizeof(key));
    world_pass(w, 120 * WORLD_S);
    uint64_t as_of = w->book->position;
    struct closing_terms terms = {w->now_ns, w->now_ns, as_of};
    uint32_t count = closing->find(w->book->domain_state, &terms, numbers, 16);
    assert_true(count > 2);
    closing->record(w->book->domain_state, numbers[0], &out, &names);
    struct closed_leave_command leave = {.generation = w->book->generation,
                                         .as_of = as_of,
                                         .numbers = numbers,
                                         .count = count,
                                         .space = OLD_SPACE_PAYMENT};
    assert_int_not_equal(world_do(w, COMMAND_CLOSED_LEAVE, &leave, &outcome), 0);
    struct keys_leave_command keys = {.generation = w->book->generation,
                                      .as_of = as_of,
                                      .keys = (const uint8_t(*)[16])key,
                                      .count = 1};
    assert_int_not_equal(world_do(w, COMMAND_KEYS_LEAVE, &keys, &outcome), 0);
    assert_null(operator_payment(world_operator(w), numbers[0]));
    struct old_name name = operator_payment_name(numbers[0]);
    assert_true(book_host(w->book, &name, (struct span){(const char *)record, out.size}));
    struct delivery_revive_command revive = {
        operator_payment(world_operator(w), numbers[0])->delivery};
    assert_int_not_equal(world_do(w, COMMAND_DELIVERY_REVIVE, &revive, &outcome), 0);
    assert_int_equal(outcome, BOOK_DONE);
    (void)answer_all(w, 200, DELIVERY_ANSWERED);
}

void golden_story(struct world *w)
{
    world_start(w, true);
    chapter_endings(w);
    chapter_early_answers(w);
    set_clock(w, CLOCK_VIRTUAL, 0);
    chapter_pins(w);
    checkpoint(w);
    chapter_money(w);
    chapter_deliveries(w);
    set_clock(w, CLOCK_REAL, 5 * WORLD_S);
    chapter_ledger(w);
    chapter_payouts(w);
    chapter_organisations(w);
    chapter_customers(w);
    chapter_standing_orders(w);
    chapter_bills(w);
    chapter_paystack(w);
    chapter_everyday(w);
    chapter_rules(w);
    checkpoint(w);
    chapter_midnight(w);
    chapter_overflow(w);
    (void)world_push(w, WORLD_BEN, 4444); /* open when everything is reset */
    assert_int_equal(world_seed(w), OPERATOR_DONE);
    chapter_endings(w);
    chapter_worlds(w);
    chapter_import(w);
    chapter_leaving(w);
    checkpoint(w);
    (void)world_push(w, WORLD_ANNA, 9999); /* these two are open at the end */
    struct world_order o = {.msisdn = WORLD_BEN, .amount_minor = 8888, .reference = "pending"};
    (void)order(w, &o);
}

/* ---- as a journal ---- */

struct story_writer {
    struct journal *journal;
    uint8_t *buffer;
    uint32_t batches;
};

static void story_open(struct story_writer *s, const char *book, const char *directory)
{
    struct journal_error error;
    struct journal_options options = {
        .directory = directory,
        .identity = "golden journal 1",
        .segment_bytes_max = 1024 * 1024,
    };
    (void)snprintf(options.book, sizeof(options.book), "%s", book);
    if (journal_open(&options, &s->journal, &error) != JOURNAL_OK) {
        print_error("%s\n", error.message);
        fail();
    }
}

/* The next one to four frames as one batch. */
static void story_append(struct story_writer *s, struct reader *frames)
{
    struct journal_error error;
    struct journal_head head = journal_head(s->journal);
    struct frame_reader f;
    struct journal_batch batch = {
        .buffer = s->buffer, .capacity = BUFFER_BYTES, .first_position = head.position + 1};
    size_t start = frames->at;
    uint32_t count = 1 + s->batches % 4;
    while (batch.frame_count < count && frame_next(frames, &f)) {
        batch.frame_count++;
        batch.time_ns = f.info.time_ns;
    }
    batch.payload_size = frames->at - start;
    memcpy(s->buffer + JOURNAL_BATCH_HEADER_BYTES, frames->data + start, batch.payload_size);
    assert_int_equal(journal_append(s->journal, &batch, head.hash, &error), JOURNAL_OK);
    s->batches++;
}

uint64_t golden_frames_write(struct reader *frames, const char *book, const char *directory)
{
    struct story_writer s = {.buffer = aligned_alloc(JOURNAL_BLOCK_BYTES, BUFFER_BYTES)};
    assert_non_null(s.buffer);
    story_open(&s, book, directory);
    while (frames->at < frames->size / 2) {
        story_append(&s, frames);
    }
    journal_close(s.journal);
    story_open(&s, book, directory); /* a restart: another epoch */
    while (frames->at < frames->size) {
        story_append(&s, frames);
    }
    uint64_t position = journal_head(s.journal).position;
    journal_close(s.journal);
    free(s.buffer);
    return position;
}

void golden_story_write(const struct world *w, const char *directory)
{
    struct reader frames = reader_init(w->frames, w->frames_size);
    assert_int_equal(golden_frames_write(&frames, "operator", directory), w->book->position);
}
