/*
 * test_operator_organisations.c - what organisations ask for beyond payouts: balance and status,
 * reversals, payments between them, settlement, express checkout on a till's phone, and requests
 * that wait too long. Every world is proved at its end (tests/support/world.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/world.h"

#define KES(shillings) ((int64_t)(shillings)*100)
#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define MONEY          (WORLD_MONEY * 10) /* in each account of an organisation */

/* A request with a result URL and the right credential. */
static struct request_command asks(uint8_t kind, uint32_t short_code)
{
    struct request_command c;
    memset(&c, 0, sizeof(c));
    c.kind = kind;
    c.command = 1;
    c.short_code = short_code;
    c.credential_good = true;
    c.result_url = SPAN_LITERAL("https://shop.example/result");
    c.target = 5;
    return c;
}

static const struct operator_request *ask(struct world *w, const struct request_command *c)
{
    uint64_t number = world_ask(w, c);
    assert_int_not_equal(number, 0);
    return world_request(w, number);
}

static void told(const struct world *w, const struct operator_request *r)
{
    const struct outbox_item *item = outbox_item(&w->book->outbox, r->delivery);
    assert_non_null(item);
    assert_int_equal(item->kind, MESSAGE_RESULT);
    assert_int_equal(item->subject, r->number);
}

static uint64_t pay(struct world *w, int64_t amount_minor)
{
    uint64_t number = world_push(w, WORLD_ANNA, amount_minor);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_payment(w, number)->state, STK_SUCCESS);
    return number;
}

static enum operator_refusal change(struct world *w, const struct organisation_change_command *c)
{
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(w, COMMAND_ORGANISATION_CHANGE, c, &reply);
    return reply.refusal;
}

static enum operator_refusal answer(struct world *w, uint16_t kind, uint64_t number, uint32_t pin)
{
    struct stk_answer_command c = {.number = number};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    world_verifier(WORLD_BEN, pin, c.verifier);
    (void)world_do(w, kind, &c, &reply);
    return reply.refusal;
}

/* ---- account balance ---- */

static void balance_is_of_the_moment(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = asks(REQUEST_BALANCE, WORLD_PAYBILL);
    uint64_t number = ask(&w, &c)->number;
    (void)pay(&w, KES(70));
    const struct operator_request *r = world_request(&w, number);
    assert_int_equal(r->outcome, REQUEST_DONE);
    assert_false(r->has_receipt);
    assert_int_equal(r->after_minor[ACCOUNT_UTILITY], MONEY);
    assert_int_equal(ask(&w, &c)->after_minor[ACCOUNT_UTILITY], MONEY + KES(70));
    told(&w, r);
    world_end(&w);
}

/* The portal: no automatic retries of this callback. Others are tried again. */
static void balance_is_told_once(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = asks(REQUEST_BALANCE, WORLD_PAYBILL);
    uint64_t delivery = ask(&w, &c)->delivery;
    assert_int_equal(world_take(&w), delivery);
    assert_int_equal(world_report(&w, delivery, 500, 0), BOOK_DONE);
    assert_int_equal(outbox_item(&w.book->outbox, delivery)->state, OUTBOX_DEAD);
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100)};
    delivery = world_request(&w, world_payout(&w, &p))->delivery;
    assert_int_equal(world_take(&w), delivery);
    assert_int_equal(world_report(&w, delivery, 500, 0), BOOK_DONE);
    assert_int_equal(outbox_item(&w.book->outbox, delivery)->state, OUTBOX_WAITING);
    world_end(&w);
}

/* What refuses every kind of request alike. */
static void refusals_of_every_kind(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {REQUEST_BALANCE, REQUEST_STATUS, REQUEST_REVERSAL, REQUEST_B2B,
                                    REQUEST_TAX,     REQUEST_B2C,    REQUEST_POCHI};
    struct world w;
    world_start(&w, true);
    struct organisation_change_command stop = {.short_code = WORLD_OTHER_PAYBILL,
                                               .fields = ORGANISATION_CHANGE_ACTIVE};
    assert_int_equal(change(&w, &stop), OPERATOR_DONE);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct request_command c = asks(kinds[i], 123456);
        c.amount_minor = KES(100);
        assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARTY_UNKNOWN);
        c = asks(kinds[i], WORLD_PAYBILL);
        c.amount_minor = KES(100);
        c.credential_good = false;
        assert_int_equal(ask(&w, &c)->outcome, REQUEST_INITIATOR);
        c.credential_good = true;
        c.initiator = SPAN_LITERAL("somebody");
        assert_int_equal(ask(&w, &c)->outcome, REQUEST_INITIATOR);
        c = asks(kinds[i], WORLD_OTHER_PAYBILL);
        c.amount_minor = KES(100);
        const struct operator_request *r = ask(&w, &c);
        assert_int_equal(r->outcome, REQUEST_ORGANISATION_INACTIVE);
        assert_string_equal(request_outcome_code(r->outcome), "11");
        told(&w, r);
    }
    world_end(&w);
}

/* ---- transaction status ---- */

static const struct operator_request *status_of(struct world *w, uint32_t short_code,
                                                uint8_t naming, const char *id)
{
    struct request_command c = asks(REQUEST_STATUS, short_code);
    c.command = naming;
    c.reference = span_from(id);
    return ask(w, &c);
}

static void status_of_a_payment(void **state)
{
    (void)state;
    struct world w;
    char ids[3][ID_TEXT_SIZE];
    world_start(&w, true);
    uint64_t number = world_push(&w, WORLD_ANNA, KES(70));
    const struct stk_payment *p = world_payment(&w, number);
    payment_merchant_request_id(p, ids[0]);
    payment_checkout_id(world_operator(&w), p, ids[1]);
    uint64_t early = status_of(&w, WORLD_PAYBILL, ORIGINAL_BY_CONVERSATION, ids[0])->number;
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    payment_receipt(world_payment(&w, number), ids[2]);
    for (uint32_t i = 0; i < 3; i++) {
        uint8_t naming = i == 2 ? ORIGINAL_BY_RECEIPT : ORIGINAL_BY_CONVERSATION;
        const struct operator_request *r = status_of(&w, WORLD_PAYBILL, naming, ids[i]);
        assert_int_equal(r->outcome, REQUEST_DONE);
        assert_int_equal(r->seen, STK_SUCCESS);
        assert_ptr_equal(request_original_stk(world_operator(&w), r), world_payment(&w, number));
        assert_null(request_original(world_operator(&w), r));
    }
    /* What was seen stays what was seen. */
    assert_int_equal(world_request(&w, early)->seen, STK_PROCESSING);
    /* Not by the other kind of name, and not by others. */
    assert_int_equal(status_of(&w, WORLD_PAYBILL, ORIGINAL_BY_RECEIPT, ids[0])->outcome,
                     REQUEST_ORIGINAL_INVALID);
    assert_int_equal(status_of(&w, WORLD_TILL, ORIGINAL_BY_RECEIPT, ids[2])->outcome,
                     REQUEST_ORIGINAL_INVALID);
    assert_int_equal(status_of(&w, WORLD_TILL, ORIGINAL_BY_CONVERSATION, ids[1])->outcome,
                     REQUEST_ORIGINAL_INVALID);
    static const char *const strangers[] = {"", "TK60708BHZ", "nonsense",
                                            "f1e2-4b95-a71d-b30d3cdbb7a71"};
    for (size_t i = 0; i < COUNT(strangers); i++) {
        for (uint8_t naming = 1; naming <= 2; naming++) {
            assert_int_equal(status_of(&w, WORLD_PAYBILL, naming, strangers[i])->outcome,
                             REQUEST_ORIGINAL_INVALID);
        }
    }
    world_end(&w);
}

/* Of every kind of request, by both names; the receiver may ask, too. */
static void status_of_requests(void **state)
{
    (void)state;
    struct world w;
    char id[ID_TEXT_SIZE];
    world_start(&w, true);
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100), .conversation = "P-1"};
    uint64_t payout = world_payout(&w, &p);
    request_transaction_id(world_request(&w, payout), id);
    assert_int_equal(status_of(&w, WORLD_BULK, ORIGINAL_BY_RECEIPT, id)->original,
                     request_original_request(payout));
    assert_int_equal(status_of(&w, WORLD_BULK, ORIGINAL_BY_CONVERSATION, "P-1")->original,
                     request_original_request(payout));
    p.conversation = "P-2";
    p.amount_minor = KES(1);
    (void)world_payout(&w, &p);
    assert_int_equal(status_of(&w, WORLD_BULK, ORIGINAL_BY_CONVERSATION, "P-2")->seen, STK_FAILED);
    struct request_command c = asks(REQUEST_B2B, WORLD_PAYBILL);
    c.amount_minor = KES(5);
    c.party = WORLD_OTHER_PAYBILL;
    c.party_type = PARTY_SHORT_CODE;
    uint64_t between = ask(&w, &c)->number;
    request_transaction_id(world_request(&w, between), id);
    assert_int_equal(status_of(&w, WORLD_OTHER_PAYBILL, ORIGINAL_BY_RECEIPT, id)->original,
                     request_original_request(between));
    assert_int_equal(status_of(&w, WORLD_BULK, ORIGINAL_BY_RECEIPT, id)->original, 0);
    c = asks(REQUEST_BALANCE, WORLD_PAYBILL);
    const struct operator_request *r = ask(&w, &c);
    struct span made = request_originator_id(world_operator(&w), r, id);
    assert_true(made.size > 0);
    uint64_t number = r->number;
    assert_int_equal(status_of(&w, WORLD_PAYBILL, ORIGINAL_BY_CONVERSATION, id)->original,
                     request_original_request(number));
    world_end(&w);
}

/* ---- reversal ---- */

static struct request_command reversal_of(struct world *w, uint64_t payment, char id[ID_TEXT_SIZE])
{
    struct request_command c = asks(REQUEST_REVERSAL, WORLD_PAYBILL);
    payment_receipt(world_payment(w, payment), id);
    c.reference = span_from(id);
    c.amount_minor = world_payment(w, payment)->amount_minor;
    return c;
}

static void a_reversal_gives_back_once(void **state)
{
    (void)state;
    struct world w;
    char id[ID_TEXT_SIZE];
    char other[ID_TEXT_SIZE];
    world_start(&w, true);
    uint64_t payment = pay(&w, KES(70));
    struct request_command c = reversal_of(&w, payment, id);
    const struct operator_request *r = ask(&w, &c);
    assert_int_equal(r->outcome, REQUEST_DONE);
    assert_true(r->has_receipt);
    request_transaction_id(r, other);
    assert_string_not_equal(id, other);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    assert_int_equal(world_utility(&w, WORLD_PAYBILL), MONEY);
    assert_int_equal(r->after_minor[ACCOUNT_UTILITY], MONEY);
    assert_int_equal(world_payment(&w, payment)->reversal, r->number);
    assert_int_equal(world_payment(&w, payment)->state, STK_SUCCESS);
    world_restart(&w);
    r = ask(&w, &c);
    assert_int_equal(r->outcome, REQUEST_ALREADY_REVERSED);
    assert_string_equal(request_outcome_code(r->outcome), "R000001");
    /* A reversal is no customer's payment: it cannot be reversed in turn. */
    c.reference = span_from(other);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PRODUCT);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    world_end(&w);
}

static void every_refusal_of_a_reversal(void **state)
{
    (void)state;
    struct world w;
    char id[ID_TEXT_SIZE];
    world_start(&w, true);
    uint64_t payment = pay(&w, KES(70));
    struct request_command c = reversal_of(&w, payment, id);
    c.amount_minor = KES(69);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARAMETERS);
    c = reversal_of(&w, payment, id);
    c.short_code = WORLD_OTHER_PAYBILL;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_ORIGINAL_INVALID);
    c = reversal_of(&w, payment, id);
    c.reference = SPAN_LITERAL("TK60708BHZ");
    assert_string_equal(request_outcome_code(ask(&w, &c)->outcome), "R000002");
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100)};
    request_transaction_id(world_request(&w, world_payout(&w, &p)), id);
    c = asks(REQUEST_REVERSAL, WORLD_BULK);
    c.reference = span_from(id);
    c.amount_minor = KES(100);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PRODUCT);
    /* The wallet that paid: suspended, or full by now. */
    struct subscriber_change_command suspend = {
        .msisdn = WORLD_ANNA, .fields = CHANGE_STATUS, .status = SUBSCRIBER_SUSPENDED};
    assert_int_equal(world_change(&w, &suspend), OPERATOR_DONE);
    c = reversal_of(&w, payment, id);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_ACCOUNT_STATUS);
    suspend.status = SUBSCRIBER_ACTIVE;
    assert_int_equal(world_change(&w, &suspend), OPERATOR_DONE);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, KES(500000) - world_balance(&w, WORLD_ANNA)),
                     OPERATOR_DONE);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_MAX_BALANCE);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, -KES(400000)), OPERATOR_DONE);
    /* The money has left the utility account. */
    struct request_command settle = asks(REQUEST_SETTLEMENT, WORLD_PAYBILL);
    settle.without_initiator = true;
    assert_int_equal(ask(&w, &settle)->outcome, REQUEST_DONE);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_NO_MONEY);
    assert_int_equal(world_payment(&w, payment)->reversal, 0);
    world_end(&w);
}

/* ---- between organisations ---- */

static void each_command_moves_between_its_accounts(void **state)
{
    (void)state;
    static const struct {
        uint8_t command;
        uint32_t from, to;
        enum organisation_account debit, credit;
    } rows[] = {
        {B2B_PAY_BILL, WORLD_PAYBILL, WORLD_OTHER_PAYBILL, ACCOUNT_WORKING, ACCOUNT_UTILITY},
        {B2B_BUY_GOODS, WORLD_PAYBILL, WORLD_TILL, ACCOUNT_WORKING, ACCOUNT_UTILITY},
        {B2B_PAY_TO_BULK, WORLD_PAYBILL, WORLD_BULK, ACCOUNT_WORKING, ACCOUNT_UTILITY},
        {B2B_MMF_TO_UTILITY, WORLD_BULK, WORLD_BULK, ACCOUNT_WORKING, ACCOUNT_UTILITY},
        {B2B_TRANSFER, WORLD_PAYBILL, WORLD_TILL, ACCOUNT_WORKING, ACCOUNT_WORKING},
        {B2B_DISBURSE, WORLD_PAYBILL, WORLD_OTHER_PAYBILL, ACCOUNT_UTILITY, ACCOUNT_WORKING},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        world_start(&w, true);
        struct request_command c = asks(REQUEST_B2B, rows[i].from);
        c.command = rows[i].command;
        c.party = rows[i].to;
        c.party_type = PARTY_SHORT_CODE;
        c.amount_minor = KES(239);
        const struct operator_request *r = ask(&w, &c);
        assert_int_equal(r->outcome, REQUEST_DONE);
        assert_true(r->has_receipt);
        assert_int_equal(request_debit_account(r), rows[i].debit);
        assert_int_equal(world_account(&w, rows[i].from, rows[i].debit), MONEY - KES(239));
        assert_int_equal(world_account(&w, rows[i].to, rows[i].credit), MONEY + KES(239));
        assert_int_equal(r->after_minor[rows[i].debit], MONEY - KES(239));
        told(&w, r);
        world_end(&w);
    }
}

static void every_refusal_between_organisations(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct organisation_change_command stop = {.short_code = WORLD_OTHER_PAYBILL,
                                               .fields = ORGANISATION_CHANGE_ACTIVE};
    static const struct {
        uint8_t kind, command;
        uint64_t to;
        int64_t amount_minor;
        enum request_outcome outcome;
    } rows[] = {
        {REQUEST_B2B, B2B_PAY_BILL, WORLD_TILL, KES(1), REQUEST_PRODUCT},
        {REQUEST_B2B, B2B_PAY_BILL, WORLD_BULK, KES(1), REQUEST_PRODUCT},
        {REQUEST_B2B, B2B_BUY_GOODS, WORLD_BULK, KES(1), REQUEST_PRODUCT},
        {REQUEST_B2B, B2B_PAY_TO_BULK, WORLD_TILL, KES(1), REQUEST_PRODUCT},
        {REQUEST_B2B, B2B_PAY_BILL, 999999, KES(1), REQUEST_PARTY_UNKNOWN},
        {REQUEST_B2B, B2B_PAY_BILL, UINT64_MAX, KES(1), REQUEST_PARTY_UNKNOWN},
        {REQUEST_B2B, B2B_PAY_BILL, WORLD_PAYBILL, KES(1), REQUEST_PARAMETERS},
        {REQUEST_B2B, B2B_MMF_TO_UTILITY, WORLD_BULK, KES(1), REQUEST_PARAMETERS},
        {REQUEST_B2B, B2B_BUY_GOODS, WORLD_TILL, MONEY + 1, REQUEST_NO_MONEY},
        {REQUEST_B2B, B2B_TRANSFER, WORLD_OTHER_PAYBILL, KES(1), REQUEST_ACCOUNT_STATUS},
        {REQUEST_TAX, 1, WORLD_TILL, KES(1), REQUEST_PARTY_UNKNOWN},
        {REQUEST_TAX, 1, TAX_AUTHORITY, KES(1), REQUEST_PARTY_UNKNOWN}, /* not on this network */
    };
    assert_int_equal(change(&w, &stop), OPERATOR_DONE);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request_command c = asks(rows[i].kind, WORLD_PAYBILL);
        c.command = rows[i].command;
        c.party = rows[i].to;
        c.party_type = PARTY_SHORT_CODE;
        c.amount_minor = rows[i].amount_minor;
        const struct operator_request *r = ask(&w, &c);
        assert_int_equal(r->outcome, rows[i].outcome);
        assert_false(r->has_receipt);
        told(&w, r);
    }
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        int64_t before = i == ACCOUNT_UTILITY || i == ACCOUNT_WORKING ? MONEY : 0;
        assert_int_equal(world_account(&w, WORLD_PAYBILL, (enum organisation_account)i), before);
    }
    world_end(&w);
}

static void tax_is_paid_from_the_working_account(void **state)
{
    (void)state;
    struct world w;
    struct operator_reply reply;
    world_start(&w, true);
    struct organisation_command kra = {.short_code = TAX_AUTHORITY,
                                       .type = ORGANISATION_PAYBILL,
                                       .charges = CHARGES_BUSINESS,
                                       .name = SPAN_LITERAL("Tax authority")};
    (void)world_do(&w, COMMAND_ORGANISATION_OPEN, &kra, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    struct request_command c = asks(REQUEST_TAX, WORLD_PAYBILL);
    c.party = TAX_AUTHORITY;
    c.party_type = PARTY_SHORT_CODE;
    c.amount_minor = KES(239);
    c.reference = SPAN_LITERAL("353353");
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_DONE);
    assert_int_equal(world_account(&w, WORLD_PAYBILL, ACCOUNT_WORKING), MONEY - KES(239));
    assert_int_equal(world_account(&w, TAX_AUTHORITY, ACCOUNT_UTILITY), KES(239));
    world_end(&w);
}

/* ---- settlement ---- */

static void settlement_pays_the_charges_first(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(2000)}; /* 9 owed */
    assert_int_equal(world_request(&w, world_payout(&w, &p))->outcome, REQUEST_DONE);
    struct request_command c = asks(REQUEST_SETTLEMENT, WORLD_BULK);
    c.without_initiator = true;
    c.result_url = SPAN_EMPTY;
    c.amount_minor = KES(4); /* less than what is owed */
    const struct operator_request *r = ask(&w, &c);
    assert_int_equal(r->outcome, REQUEST_DONE);
    assert_int_equal(r->delivery, 0);
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_CHARGES_PAID), -KES(5));
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_WORKING), MONEY);
    c.amount_minor = 0; /* all of it */
    r = ask(&w, &c);
    assert_int_equal(r->amount_minor, MONEY - KES(2004));
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_UTILITY), 0);
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_SETTLEMENT), 0);
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_CHARGES_PAID), 0);
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_WORKING), 2 * MONEY - KES(2009));
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_NO_MONEY); /* nothing is left */
    c.amount_minor = 1;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_NO_MONEY);
    /* S12: the working account is full, and a payout fails until money is moved the other way. */
    assert_int_equal(world_request(&w, world_payout(&w, &p))->outcome, REQUEST_NO_MONEY);
    c = asks(REQUEST_B2B, WORLD_BULK);
    c.command = B2B_MMF_TO_UTILITY;
    c.party = WORLD_BULK;
    c.party_type = PARTY_SHORT_CODE;
    c.amount_minor = KES(50000);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_DONE);
    assert_int_equal(world_request(&w, world_payout(&w, &p))->outcome, REQUEST_DONE);
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_UTILITY), KES(48000));
    assert_int_equal(world_account(&w, WORLD_BULK, ACCOUNT_CHARGES_PAID), -KES(9));
    world_end(&w);
}

/* An account may hold more than a request may move: it is settled in parts, not all at once. */
static void settlement_of_more_than_a_request_may_move(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    int64_t before_minor = world_account(&w, WORLD_PAYBILL, ACCOUNT_UTILITY);
    struct fund_command fund = {.short_code = WORLD_PAYBILL,
                                .account = ACCOUNT_UTILITY,
                                .amount_minor = OPERATOR_AMOUNT_MAX - before_minor};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    (void)world_do(&w, COMMAND_ORGANISATION_FUND, &fund, &reply);
    fund.amount_minor = 1;
    (void)world_do(&w, COMMAND_ORGANISATION_FUND, &fund, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    struct request_command c = asks(REQUEST_SETTLEMENT, WORLD_PAYBILL);
    c.without_initiator = true;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_ABOVE_MAXIMUM);
    assert_int_equal(world_account(&w, WORLD_PAYBILL, ACCOUNT_UTILITY), OPERATOR_AMOUNT_MAX + 1);
    c.amount_minor = 1;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_DONE);
    c.amount_minor = 0;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_DONE);
    assert_int_equal(world_account(&w, WORLD_PAYBILL, ACCOUNT_UTILITY), 0);
    world_end(&w);
}

/* ---- express checkout ---- */

static void nominate(struct world *w, uint64_t msisdn)
{
    struct organisation_change_command c = {
        .short_code = WORLD_TILL, .fields = ORGANISATION_CHANGE_NOMINATED, .nominated = msisdn};
    assert_int_equal(change(w, &c), OPERATOR_DONE);
}

static struct request_command express(int64_t amount_minor)
{
    struct request_command c = asks(REQUEST_EXPRESS, WORLD_PAYBILL);
    c.without_initiator = true;
    c.party = WORLD_TILL;
    c.party_type = PARTY_TILL;
    c.amount_minor = amount_minor;
    c.reference = SPAN_LITERAL("INV-7");
    return c;
}

static void a_till_pays_on_its_phone(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    nominate(&w, WORLD_BEN);
    struct request_command c = express(KES(71));
    uint64_t number = ask(&w, &c)->number;
    const struct subscriber *ben = operator_subscriber(world_operator(&w), WORLD_BEN);
    assert_int_equal(world_request(&w, number)->state, STK_PROCESSING);
    assert_int_equal(operator_request_prompt(world_operator(&w), ben)->number, number);
    /* One prompt per phone, whoever asks. */
    struct world_order push = {.msisdn = WORLD_BEN, .amount_minor = KES(5)};
    assert_int_equal(world_order(&w, &push).refusal, OPERATOR_SUBSCRIBER_LOCKED);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_USSD_SESSION);
    world_restart(&w);
    assert_int_equal(answer(&w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN), OPERATOR_DONE);
    const struct operator_request *r = world_request(&w, number);
    assert_int_equal(r->outcome, REQUEST_DONE);
    told(&w, r);
    assert_int_equal(world_account(&w, WORLD_TILL, ACCOUNT_UTILITY), MONEY - KES(71));
    assert_int_equal(world_account(&w, WORLD_PAYBILL, ACCOUNT_UTILITY), MONEY + KES(71));
    assert_int_equal(world_balance(&w, WORLD_BEN), WORLD_MONEY);
    assert_int_equal(answer(&w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN),
                     OPERATOR_ALREADY_ENDED);
    assert_int_equal(world_order(&w, &push).refusal, OPERATOR_DONE); /* the phone is free */
    (void)world_run(&w);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_USSD_SESSION); /* and busy again */
    world_end(&w);
}

static void every_ending_of_an_express_checkout(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = express(KES(71));
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_NO_NOMINATED);
    nominate(&w, WORLD_BEN);
    c.party = WORLD_OTHER_PAYBILL;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PRODUCT);
    c.party = 999999;
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_PARTY_UNKNOWN);
    c = express(KES(71));
    uint64_t number = ask(&w, &c)->number;
    assert_int_equal(answer(&w, COMMAND_REQUEST_CANCEL, number, 0), OPERATOR_DONE);
    assert_string_equal(request_outcome_code(world_request(&w, number)->outcome), "4001");
    assert_int_equal(world_request(&w, number)->state, STK_STATE_CANCELLED);
    number = ask(&w, &c)->number;
    world_pass(&w, w.settings.prompt_ns);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_USSD_SESSION);
    assert_int_equal(world_reachable(&w, WORLD_BEN, false), OPERATOR_DONE);
    number = ask(&w, &c)->number;
    assert_int_equal(answer(&w, COMMAND_REQUEST_CANCEL, number, 0), OPERATOR_NOT_FOUND);
    world_pass(&w, w.settings.unreachable_ns);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_USSD_NETWORK);
    assert_int_equal(world_reachable(&w, WORLD_BEN, true), OPERATOR_DONE);
    c = express(MONEY + 1);
    number = ask(&w, &c)->number;
    assert_int_equal(answer(&w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_NO_MONEY);
    /* Wrong PINs count on every prompt of this phone (R3.3). */
    c = express(KES(71));
    for (uint32_t i = 0; i < 3; i++) {
        number = ask(&w, &c)->number;
        assert_int_equal(answer(&w, COMMAND_REQUEST_APPROVE, number, 1111), OPERATOR_DONE);
        assert_int_equal(world_request(&w, number)->outcome, REQUEST_WRONG_PIN);
    }
    number = ask(&w, &c)->number;
    assert_int_equal(answer(&w, COMMAND_REQUEST_APPROVE, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_PIN_LOCKED);
    uint64_t payment = world_push(&w, WORLD_BEN, KES(1));
    assert_int_equal(world_approve(&w, payment, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_payment(&w, payment)->outcome, STK_PIN_LOCKED);
    assert_int_equal(answer(&w, COMMAND_REQUEST_CANCEL, 9999, 0), OPERATOR_NOT_FOUND);
    assert_int_equal(world_account(&w, WORLD_TILL, ACCOUNT_UTILITY), MONEY);
    world_end(&w);
}

static void settings_of_an_organisation(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct organisation_change_command c = {.short_code = 999999,
                                            .fields = ORGANISATION_CHANGE_ACTIVE};
    assert_int_equal(change(&w, &c), OPERATOR_NOT_FOUND);
    c.short_code = WORLD_TILL;
    c.fields = ORGANISATION_CHANGE_NOMINATED;
    c.nominated = WORLD_STRANGER;
    assert_int_equal(change(&w, &c), OPERATOR_NOT_FOUND);
    c.fields = ORGANISATION_CHANGE_DELAY;
    c.queue_delay_ns = -1;
    assert_int_equal(change(&w, &c), OPERATOR_LIMIT);
    c.queue_delay_ns = OPERATOR_QUEUE_DELAY_MAX + 1;
    assert_int_equal(change(&w, &c), OPERATOR_LIMIT);
    c.queue_delay_ns = OPERATOR_QUEUE_DELAY_MAX;
    assert_int_equal(change(&w, &c), OPERATOR_DONE);
    nominate(&w, WORLD_BEN);
    const struct organisation *g = operator_organisation(world_operator(&w), WORLD_TILL);
    assert_true(g->active);
    assert_int_equal(g->queue_delay_ns, OPERATOR_QUEUE_DELAY_MAX);
    nominate(&w, 0);
    c = (struct organisation_change_command){.short_code = WORLD_TILL,
                                             .fields = ORGANISATION_CHANGE_ACTIVE};
    assert_int_equal(change(&w, &c), OPERATOR_DONE);
    world_restart(&w);
    g = operator_organisation(world_operator(&w), WORLD_TILL);
    assert_false(g->active);
    assert_int_equal(g->queue_delay_ns, OPERATOR_QUEUE_DELAY_MAX);
    world_end(&w);
}

/* ---- waiting too long ---- */

static void delay(struct world *w, int64_t delay_ns)
{
    struct organisation_change_command c = {
        .short_code = WORLD_BULK, .fields = ORGANISATION_CHANGE_DELAY, .queue_delay_ns = delay_ns};
    assert_int_equal(change(w, &c), OPERATOR_DONE);
}

/* The time-out URL is told once, money has not moved by then, and the result comes all the same. */
static void a_late_request_is_told_twice(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    delay(&w, 45 * WORLD_S);
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100)};
    uint64_t number = world_payout(&w, &p);
    assert_true(world_request(&w, number)->held);
    delay(&w, 0); /* a decision that was made stays */
    world_pass(&w, w.settings.queue_timeout_ns - 1);
    assert_int_equal(world_request(&w, number)->late, 0);
    world_restart(&w);
    world_pass(&w, 1);
    const struct operator_request *r = world_request(&w, number);
    const struct outbox_item *item = outbox_item(&w.book->outbox, r->late);
    assert_non_null(item);
    assert_int_equal(item->kind, MESSAGE_TIMEOUT);
    assert_int_equal(item->target, r->timeout_target);
    assert_int_equal(r->state, STK_PENDING);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    world_pass(&w, 15 * WORLD_S);
    r = world_request(&w, number);
    assert_int_equal(r->outcome, REQUEST_DONE);
    told(&w, r);
    assert_int_equal(world_callbacks(&w, number), 2);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY + KES(100));
    world_end(&w);
}

/* A short wait tells nobody; without a time-out URL nothing waits; those behind overtake. */
static void a_short_wait_is_told_once(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    delay(&w, 29 * WORLD_S);
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = KES(100)};
    uint64_t number = world_payout(&w, &p);
    struct request_command c = asks(REQUEST_BALANCE, WORLD_BULK);
    assert_int_equal(ask(&w, &c)->outcome, REQUEST_DONE);
    p.short_code = WORLD_PAYBILL;
    assert_int_equal(world_request(&w, world_payout(&w, &p))->outcome, REQUEST_DONE);
    world_pass(&w, 29 * WORLD_S);
    assert_int_equal(world_request(&w, number)->outcome, REQUEST_DONE);
    assert_int_equal(world_request(&w, number)->late, 0);
    world_end(&w);
}

/* A pipeline that stood still (a server that was down) is late, too. */
static void what_waited_for_the_pipeline_is_late(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct request_command c = asks(REQUEST_BALANCE, WORLD_PAYBILL);
    struct operator_reply reply;
    c.timeout_url = SPAN_LITERAL("https://shop.example/timeout");
    c.initiator = SPAN_LITERAL("testapi");
    assert_int_not_equal(world_do(&w, COMMAND_REQUEST, &c, &reply), 0);
    w.now_ns += w.settings.queue_timeout_ns;
    (void)world_run(&w);
    assert_int_not_equal(world_request(&w, reply.number)->late, 0);
    assert_int_equal(world_request(&w, reply.number)->outcome, REQUEST_DONE);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(balance_is_of_the_moment),
        cmocka_unit_test(balance_is_told_once),
        cmocka_unit_test(refusals_of_every_kind),
        cmocka_unit_test(status_of_a_payment),
        cmocka_unit_test(status_of_requests),
        cmocka_unit_test(a_reversal_gives_back_once),
        cmocka_unit_test(every_refusal_of_a_reversal),
        cmocka_unit_test(each_command_moves_between_its_accounts),
        cmocka_unit_test(every_refusal_between_organisations),
        cmocka_unit_test(tax_is_paid_from_the_working_account),
        cmocka_unit_test(settlement_pays_the_charges_first),
        cmocka_unit_test(settlement_of_more_than_a_request_may_move),
        cmocka_unit_test(a_till_pays_on_its_phone),
        cmocka_unit_test(every_ending_of_an_express_checkout),
        cmocka_unit_test(settings_of_an_organisation),
        cmocka_unit_test(a_late_request_is_told_twice),
        cmocka_unit_test(a_short_wait_is_told_once),
        cmocka_unit_test(what_waited_for_the_pipeline_is_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
