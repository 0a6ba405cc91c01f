/*
 * test_operator_accounts.c - who is on the network and what they hold: opening, changing, funding
 * (R3.8), reset to a new generation; and the ids that payments get: receipts and checkout ids.
 * Every test ends with the proof of its world.
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- subscribers ---- */

static enum operator_refusal open_subscriber(struct world *w, uint64_t msisdn, const char *name,
                                             int64_t balance_minor)
{
    struct subscriber_command c = {.msisdn = msisdn,
                                   .name = span_from(name),
                                   .key_version = 1,
                                   .balance_minor = balance_minor};
    world_verifier(msisdn, WORLD_PIN, c.verifier);
    struct operator_reply reply = {OPERATOR_DONE, SLAB_NONE, 0};
    uint64_t position = world_do(w, COMMAND_SUBSCRIBER_OPEN, &c, &reply);
    assert_int_equal(position != 0, reply.refusal == OPERATOR_DONE);
    if (position != 0) {
        assert_ptr_equal(operator_subscriber_at(world_operator(w), reply.slot),
                         operator_subscriber(world_operator(w), msisdn));
    }
    return reply.refusal;
}

static struct span name_of(const struct world *w, uint64_t msisdn)
{
    const struct operator_state *o = world_operator(w);
    return operator_text(o, operator_subscriber(o, msisdn)->name);
}

static void test_subscriber_opened(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(open_subscriber(&w, 254733000001, "Chebet Koech", 5000), OPERATOR_DONE);
    assert_int_equal(world_balance(&w, 254733000001), 5000);
    assert_true(span_is(name_of(&w, 254733000001), "Chebet Koech"));
    assert_int_equal(open_subscriber(&w, 254733000001, "Somebody", 1), OPERATOR_EXISTS);
    assert_int_equal(open_subscriber(&w, WORLD_ANNA, "Somebody", 1), OPERATOR_EXISTS);
    assert_int_equal(open_subscriber(&w, 254733000002, "", 0), OPERATOR_DONE);
    assert_int_equal(world_balance(&w, 254733000002), 0);
    char name[OPERATOR_NAME_MAX + 2];
    memset(name, 'n', sizeof(name));
    name[OPERATOR_NAME_MAX + 1] = '\0';
    assert_int_equal(open_subscriber(&w, 254733000003, name, 0), OPERATOR_LIMIT);
    name[OPERATOR_NAME_MAX] = '\0';
    assert_int_equal(open_subscriber(&w, 254733000003, name, 0), OPERATOR_DONE);
    assert_int_equal(open_subscriber(&w, 254733000004, "", -1), OPERATOR_LIMIT);
    world_end(&w);
}

/* A number that was asked for first and got its wallet later keeps one identity, and its name. */
static void test_subscriber_opened_after_push(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t failed = world_push(&w, WORLD_STRANGER, 100);
    assert_int_equal(world_payment(&w, failed)->outcome, STK_PAYER_UNKNOWN);
    struct world_order order = {.msisdn = WORLD_STRANGER, .amount_minor = 700};
    struct operator_reply pending = world_order(&w, &order);
    assert_int_equal(pending.refusal, OPERATOR_DONE);
    uint32_t people = world_operator(&w)->subscribers.used;
    assert_int_equal(open_subscriber(&w, WORLD_STRANGER, "Zawadi", 1000), OPERATOR_DONE);
    assert_int_equal(world_operator(&w)->subscribers.used, people);
    assert_true(span_is(name_of(&w, WORLD_STRANGER), "Zawadi"));
    (void)world_run(&w); /* the wallet came in time for the payment that waited */
    assert_int_equal(world_approve(&w, pending.number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_payment(&w, pending.number)->outcome, STK_PAID);
    assert_int_equal(world_balance(&w, WORLD_STRANGER), 300);
    assert_int_equal(open_subscriber(&w, WORLD_STRANGER, "Again", 1000), OPERATOR_EXISTS);
    world_end(&w);
}

static void test_subscriber_changed(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    const struct subscriber *anna = operator_subscriber(world_operator(&w), WORLD_ANNA);
    struct subscriber_change_command c = {.msisdn = WORLD_ANNA,
                                          .fields = CHANGE_SIM_SWAPPED,
                                          .sim_swapped_ns = 77,
                                          .reachable = false,
                                          .status = SUBSCRIBER_SUSPENDED,
                                          .adjust_minor = 5};
    assert_int_equal(world_change(&w, &c), OPERATOR_DONE);
    assert_int_equal(anna->sim_swapped_ns, 77);
    assert_true(anna->reachable); /* fields that were not named stay */
    assert_int_equal(anna->status, SUBSCRIBER_ACTIVE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    c.fields = CHANGE_REACHABLE | CHANGE_STATUS | CHANGE_PIN | CHANGE_BALANCE;
    c.key_version = 9;
    assert_int_equal(world_change(&w, &c), OPERATOR_DONE);
    assert_false(anna->reachable);
    assert_int_equal(anna->status, SUBSCRIBER_SUSPENDED);
    assert_int_equal(anna->sim_swapped_ns, 77);
    assert_int_equal(anna->key_version, 9);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY + 5);
    uint64_t position = w.book->position;
    c.fields = 0;
    assert_int_equal(world_change(&w, &c), OPERATOR_DONE); /* nothing asked, nothing written */
    assert_int_equal(w.book->position, position);
    c.msisdn = WORLD_STRANGER;
    assert_int_equal(world_change(&w, &c), OPERATOR_NOT_FOUND);
    world_end(&w);
}

/* Money in circulation: what every wallet and organisation holds, the trust account owes. */
static int64_t circulation(const struct world *w)
{
    return -operator_balance(world_operator(w), world_operator(w)->account_trust);
}

static void test_adjust(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    int64_t issued_minor = circulation(&w);
    assert_int_equal(issued_minor, WORLD_MONEY * (3 + 4 * 20));
    assert_int_equal(world_adjust(&w, WORLD_ANNA, 50), OPERATOR_DONE);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, -20), OPERATOR_DONE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY + 30);
    assert_int_equal(circulation(&w), issued_minor + 30);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, -(WORLD_MONEY + 31)), OPERATOR_NO_MONEY);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, -INT64_MAX), OPERATOR_NO_MONEY);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, INT64_MIN), OPERATOR_LIMIT);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, INT64_MAX), OPERATOR_LIMIT);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, -(WORLD_MONEY + 30)), OPERATOR_DONE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), 0);
    /* A refused adjustment changes nothing else either. */
    struct subscriber_change_command c = {
        .msisdn = WORLD_ANNA, .fields = CHANGE_BALANCE | CHANGE_REACHABLE, .adjust_minor = -1};
    assert_int_equal(world_change(&w, &c), OPERATOR_NO_MONEY);
    assert_true(operator_subscriber(world_operator(&w), WORLD_ANNA)->reachable);
    world_end(&w);
}

/* Amounts that the ledger could not add up are refused, not a reason to stop. */
static void test_amounts_without_end(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    int64_t left_minor = INT64_MAX - w.book->ledger.posted_minor;
    assert_int_equal(open_subscriber(&w, 254733000001, "Rich", INT64_MAX), OPERATOR_LIMIT);
    assert_int_equal(open_subscriber(&w, 254733000001, "Rich", left_minor + 1), OPERATOR_LIMIT);
    struct organisation_command g = {.short_code = 700700,
                                     .type = ORGANISATION_PAYBILL,
                                     .charges = CHARGES_BUSINESS,
                                     .utility_minor = INT64_MAX,
                                     .working_minor = 1};
    struct operator_reply reply;
    assert_int_equal(world_do(&w, COMMAND_ORGANISATION_OPEN, &g, &reply), 0);
    assert_int_equal(reply.refusal, OPERATOR_LIMIT);
    g.utility_minor = left_minor;
    assert_int_equal(world_do(&w, COMMAND_ORGANISATION_OPEN, &g, &reply), 0);
    assert_int_equal(reply.refusal, OPERATOR_LIMIT);
    assert_int_equal(open_subscriber(&w, 254733000001, "Rich", left_minor), OPERATOR_DONE);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, 1), OPERATOR_LIMIT);
    /* No payment fits into the ledger's sums any more: it ends, and says why. */
    uint64_t number = world_push(&w, WORLD_BEN, 100);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_payment(&w, number)->outcome, STK_INTERNAL);
    world_end(&w);
}

/* ---- organisations ---- */

static void test_organisation_opened(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct organisation_command c = {.short_code = 700700,
                                     .name = span_from("Soko"),
                                     .type = ORGANISATION_TILL,
                                     .charges = CHARGES_SHARED,
                                     .initiator = span_from("api"),
                                     .utility_minor = 7,
                                     .working_minor = 9};
    c.secrets[SECRET_CONSUMER_SECRET] = span_from("sealed");
    struct operator_reply reply;
    assert_int_not_equal(world_do(&w, COMMAND_ORGANISATION_OPEN, &c, &reply), 0);
    const struct operator_state *o = world_operator(&w);
    const struct organisation *g = operator_organisation(o, 700700);
    assert_true(span_is(operator_text(o, g->name), "Soko"));
    assert_true(span_is(operator_text(o, g->initiator), "api"));
    assert_true(span_is(operator_text(o, g->secrets[SECRET_CONSUMER_SECRET]), "sealed"));
    assert_int_equal(g->secrets[SECRET_PASSKEY], TEXT_NONE);
    static const int64_t balances[] = {7, 9, 0, 0};
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        assert_int_equal(operator_balance(o, g->accounts[i]), balances[i]);
    }
    assert_int_equal(world_do(&w, COMMAND_ORGANISATION_OPEN, &c, &reply), 0);
    assert_int_equal(reply.refusal, OPERATOR_EXISTS);
    world_restart(&w);
    static char large[OPERATOR_SECRET_MAX + 1];
    struct organisation_command bad[] = {c, c, c, c, c, c, c, c};
    bad[0].utility_minor = -1;
    bad[1].working_minor = -1;
    bad[2].name = (struct span){large, OPERATOR_NAME_MAX + 1};
    bad[3].initiator = (struct span){large, OPERATOR_NAME_MAX + 1};
    bad[4].secrets[2] = (struct span){large, OPERATOR_SECRET_MAX + 1};
    bad[5].type = 0;
    bad[6].type = 4;
    bad[7].charges = 4;
    for (uint32_t i = 0; i < COUNT(bad); i++) {
        bad[i].short_code = 800800;
        assert_int_equal(world_do(&w, COMMAND_ORGANISATION_OPEN, &bad[i], &reply), 0);
        assert_int_equal(reply.refusal, OPERATOR_LIMIT);
    }
    world_end(&w);
}

static enum operator_refusal fund(struct world *w, const struct fund_command *c)
{
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    uint64_t position = world_do(w, COMMAND_ORGANISATION_FUND, c, &reply);
    assert_int_equal(position != 0, reply.refusal == OPERATOR_DONE);
    return reply.refusal;
}

/* R3.8: the same key and request take effect once; the key with another request is refused. */
static void test_fund(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    int64_t before_minor = world_utility(&w, WORLD_PAYBILL);
    struct fund_command c = {.short_code = WORLD_PAYBILL,
                             .account = ACCOUNT_UTILITY,
                             .amount_minor = 500,
                             .has_key = true,
                             .key = {1, 2, 3},
                             .request = {4, 5, 6}};
    assert_int_equal(fund(&w, &c), OPERATOR_DONE);
    assert_int_equal(fund(&w, &c), OPERATOR_REPEATED);
    world_restart(&w);
    assert_int_equal(fund(&w, &c), OPERATOR_REPEATED);
    assert_int_equal(world_utility(&w, WORLD_PAYBILL), before_minor + 500);
    c.request[15] = 1;
    assert_int_equal(fund(&w, &c), OPERATOR_KEY_REUSED);
    c.amount_minor = 0; /* the key answers before the amount does */
    assert_int_equal(fund(&w, &c), OPERATOR_KEY_REUSED);
    c.amount_minor = 500;
    c.key[15] = 1; /* equal in its first half */
    assert_int_equal(fund(&w, &c), OPERATOR_DONE);
    c.has_key = false;
    assert_int_equal(fund(&w, &c), OPERATOR_DONE);
    assert_int_equal(fund(&w, &c), OPERATOR_DONE);
    assert_int_equal(world_utility(&w, WORLD_PAYBILL), before_minor + 2000);
    c.short_code = 1;
    assert_int_equal(fund(&w, &c), OPERATOR_NOT_FOUND);
    c.short_code = WORLD_PAYBILL;
    static const int64_t amounts[] = {0, -1, INT64_MIN, INT64_MAX};
    for (uint32_t i = 0; i < COUNT(amounts); i++) {
        c.amount_minor = amounts[i];
        assert_int_equal(fund(&w, &c), OPERATOR_LIMIT);
    }
    /* A refusal does not use the key up. */
    c.has_key = true;
    c.key[0] = 99;
    c.amount_minor = 0;
    assert_int_equal(fund(&w, &c), OPERATOR_LIMIT);
    c.amount_minor = 1;
    assert_int_equal(fund(&w, &c), OPERATOR_DONE);
    world_end(&w);
}

/* Clients choose keys: many whose first 64 bits are equal are all told apart. */
static void test_keys_with_equal_bits(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct fund_command c = {.short_code = WORLD_PAYBILL, .account = ACCOUNT_WORKING};
    c.amount_minor = 1;
    c.has_key = true;
    for (uint32_t i = 0; i < 60; i++) {
        c.key[0] = (uint8_t)(i % 3); /* neighbours, too: 0, 1 and 2 run into each other */
        c.key[8] = (uint8_t)i;
        c.request[0] = (uint8_t)i;
        assert_int_equal(fund(&w, &c), OPERATOR_DONE);
    }
    world_restart(&w);
    for (uint32_t i = 0; i < 60; i++) {
        c.key[0] = (uint8_t)(i % 3);
        c.key[8] = (uint8_t)i;
        c.request[0] = (uint8_t)i;
        assert_int_equal(fund(&w, &c), OPERATOR_REPEATED);
        assert_int_equal(book_key(w.book, c.key)->subject, WORLD_PAYBILL);
    }
    c.key[8] = 60;
    assert_null(book_key(w.book, c.key));
    world_end(&w);
}

/* ---- the seed, and reset ---- */

/* R6.3: back to the seeded state, in a new generation; the journal remembers everything. */
static void test_reset(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(w.book->generation, 1);
    uint64_t paid = world_push(&w, WORLD_ANNA, 700);
    assert_int_equal(world_approve(&w, paid, WORLD_PIN), OPERATOR_DONE);
    uint64_t open = world_push(&w, WORLD_BEN, 900);
    uint64_t flying = world_take(&w);
    assert_int_equal(flying, 1);
    struct fund_command c = {.short_code = WORLD_PAYBILL, .amount_minor = 5, .has_key = true};
    assert_int_equal(fund(&w, &c), OPERATOR_DONE);
    uint64_t position = w.book->position;
    struct delivery_result_command late = {
        .number = flying, .generation = w.book->generation, .status = 200, .retry_after_ms = -1};
    assert_int_equal(world_seed(&w), OPERATOR_DONE);
    assert_int_equal(w.book->generation, 2);
    assert_int_equal(w.book->position, position + 1); /* positions go on */
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
    assert_null(operator_payment(world_operator(&w), paid));
    assert_null(operator_payment(world_operator(&w), open));
    assert_int_equal(world_approve(&w, open, WORLD_PIN), OPERATOR_NOT_FOUND);
    assert_true(book_next_due(w.book) == INT64_MAX); /* no deadline, no callback is left */
    assert_int_equal(fund(&w, &c), OPERATOR_DONE);   /* keys are forgotten as well */
    /* The callback of the former world reports back: of a payment that this one has, by number. */
    uint64_t number = world_push(&w, WORLD_ANNA, 100);
    assert_int_equal(number, paid);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_take(&w), flying);
    enum book_outcome outcome = BOOK_DONE;
    assert_int_equal(world_do(&w, COMMAND_DELIVERY_RESULT, &late, &outcome), 0);
    assert_int_equal(outcome, BOOK_NOTHING);
    assert_int_equal(outbox_item(&w.book->outbox, flying)->state, OUTBOX_WAITING);
    assert_int_equal(world_report(&w, flying, 200, 0), BOOK_DONE);
    world_restart(&w);
    assert_int_equal(world_seed(&w), OPERATOR_DONE);
    assert_int_equal(w.book->generation, 3);
    world_end(&w);
}

/* A seed that contradicts itself is answered, and the book stays as it is. */
static void test_seed_refused(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct seed_command base;
    world_seed_command(&base);
    struct seed_command bad[] = {base, base, base, base, base, base};
    bad[0].organisations[3].short_code = WORLD_PAYBILL;
    bad[1].subscribers[2].msisdn = WORLD_ANNA;
    bad[2].subscribers[0].balance_minor = INT64_MAX;
    bad[3].organisations[1].utility_minor = -1;
    bad[4].organisations[2].type = 9;
    bad[5].organisations[0].working_minor = INT64_MAX;
    for (uint32_t i = 0; i < COUNT(bad); i++) {
        struct operator_reply reply = {OPERATOR_DONE, 0, 0};
        assert_int_equal(world_do(&w, COMMAND_SEED, &bad[i], &reply), 0);
        assert_int_equal(reply.refusal, i < 2 ? OPERATOR_EXISTS : OPERATOR_LIMIT);
    }
    assert_int_equal(w.book->generation, 1);
    base.organisation_count = OPERATOR_SEED_MAX + 1;
    struct operator_reply reply;
    expect_assert_failure((void)world_do(&w, COMMAND_SEED, &base, &reply));
    world_end(&w);
}

/* The largest seed there can be fits into one frame and into the room that is reserved. */
static void test_seed_full(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    static char text[OPERATOR_SECRET_MAX];
    memset(text, 't', sizeof(text));
    struct seed_command *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->organisation_count = OPERATOR_SEED_MAX;
    c->subscriber_count = OPERATOR_SEED_MAX;
    for (uint32_t i = 0; i < OPERATOR_SEED_MAX; i++) {
        struct organisation_command *g = &c->organisations[i];
        g->short_code = 1000 + i;
        g->type = ORGANISATION_PAYBILL;
        g->charges = CHARGES_CUSTOMER;
        g->name = (struct span){text, OPERATOR_NAME_MAX};
        g->initiator = (struct span){text, OPERATOR_NAME_MAX};
        for (uint32_t s = 0; s < ORGANISATION_SECRETS; s++) {
            g->secrets[s] = (struct span){text, OPERATOR_SECRET_MAX};
        }
        g->utility_minor = 1;
        g->working_minor = 1;
        c->subscribers[i].msisdn = WORLD_ANNA + i;
        c->subscribers[i].name = (struct span){text, OPERATOR_NAME_MAX};
        c->subscribers[i].balance_minor = 1;
    }
    struct operator_reply reply;
    assert_int_not_equal(world_do(&w, COMMAND_SEED, c, &reply), 0);
    assert_int_equal(circulation(&w), OPERATOR_SEED_MAX * 3);
    memset(c, 0, sizeof(*c));
    assert_int_not_equal(world_do(&w, COMMAND_SEED, c, &reply), 0); /* and the smallest */
    assert_int_equal(circulation(&w), 0);
    free(c);
    world_end(&w);
}

/* ---- receipts ---- */

static void pay(struct world *w, int64_t amount_minor, char receipt[ID_RECEIPT_SIZE])
{
    uint64_t number = world_push(w, WORLD_ANNA, amount_minor);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    const struct stk_payment *p = world_payment(w, number);
    assert_int_equal(p->outcome, STK_PAID);
    payment_receipt(p, receipt);
    assert_ptr_equal(operator_payment_by_receipt(world_operator(w), span_from(receipt)), p);
}

/* Dated by Kenya's day, one after the other, unique; the counter starts anew every day. */
static void test_receipts(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    char receipt[ID_RECEIPT_SIZE];
    pay(&w, 100, receipt);
    assert_string_equal(receipt, "UAVA000000"); /* 2026, January, 31 */
    pay(&w, 100, receipt);
    assert_string_equal(receipt, "UAVA000001");
    world_restart(&w);
    uint64_t failed = world_push(&w, WORLD_ANNA, 100);
    assert_int_equal(world_approve(&w, failed, 1), OPERATOR_DONE); /* a failure takes no receipt */
    payment_receipt(world_payment(&w, failed), receipt);
    assert_string_equal(receipt, "");
    for (uint32_t i = 2; i < 40; i++) {
        pay(&w, 100, receipt);
    }
    assert_string_equal(receipt, "UAVA000013"); /* 39 in base 36 */
    assert_true(rfc3339_parse(span_from("2026-01-31T20:59:59.999Z"), &w.now_ns));
    pay(&w, 100, receipt);
    assert_string_equal(receipt, "UAVA000014");
    w.now_ns += NS_PER_MS;
    pay(&w, 100, receipt);
    assert_string_equal(receipt, "UB1A000000");
    world_pass(&w, 400 * (int64_t)SECONDS_PER_DAY * NS_PER_S);
    pay(&w, 100, receipt);
    assert_string_equal(receipt, "VC8A000000");
    static const char *const unknown[] = {"UB1A000001",  "UAUA000000", "uaVA000000", "UAVA00000",
                                          "UAVA0000000", "",           "ZZZZZZZZZZ", "UAVB000000"};
    for (uint32_t i = 0; i < COUNT(unknown); i++) {
        assert_null(operator_payment_by_receipt(world_operator(&w), span_from(unknown[i])));
    }
    world_end(&w);
}

/* The first day of all days is a day like any other. */
static void test_receipts_of_day_zero(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    book_destroy(w.book);
    struct book_options options = {.domain = &operator_domain, .settings = &w.settings};
    w.book = book_create(&options);
    assert_non_null(w.book);
    w.frames_size = 0;
    w.now_ns = 0;
    assert_int_equal(world_seed(&w), OPERATOR_DONE);
    uint64_t number = world_push(&w, WORLD_ANNA, 100);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_payment(&w, number)->receipt, (uint64_t)360 * 60466176);
    world_end(&w);
}

static void test_receipt_shards(void **state)
{
    (void)state;
    static const struct {
        uint32_t shard;
        const char *receipt;
    } cases[] = {{0, "UAV0000000"}, {35, "UAV0Z00000"}, {36, "UAV1000000"}, {1295, "UAVZZ00000"}};
    for (uint32_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        world_start(&w, false);
        w.settings.receipt_shard = cases[i].shard;
        char receipt[ID_RECEIPT_SIZE];
        pay(&w, 100, receipt);
        assert_string_equal(receipt, cases[i].receipt);
        pay(&w, 100, receipt);
        assert_int_equal(receipt[ID_RECEIPT_LENGTH - 1], '1');
        world_end(&w);
    }
}

/* ---- checkout ids ---- */

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Thousands of pushes while the clock stands: no two payments share an id, whoever is asked; and
 * each id leads to its payment. Two phones share their last nine digits. */
static void test_checkout_ids_under_a_frozen_clock(void **state)
{
    (void)state;
    enum { PUSHES = 3000, PHONES = 4 };
    static const uint64_t phones[PHONES] = {WORLD_ANNA, WORLD_BEN, 1254700000001, WORLD_STRANGER};
    struct world w;
    world_start(&w, false);
    w.quick = true;
    assert_int_equal(open_subscriber(&w, phones[2], "Anna's twin", 5), OPERATOR_DONE);
    w.now_ns += 995 * NS_PER_MS; /* serials begin with the milliseconds: 995, 996, ..., 1000, ... */
    char(*ids)[ID_TEXT_SIZE] = calloc(PUSHES, ID_TEXT_SIZE);
    assert_non_null(ids);
    for (uint32_t i = 0; i < PUSHES; i++) {
        struct world_order order = {.msisdn = phones[i % PHONES], .amount_minor = 100 + i};
        struct operator_reply reply = world_order(&w, &order);
        assert_int_equal(reply.refusal, OPERATOR_DONE);
        const struct stk_payment *p = world_payment(&w, reply.number);
        payment_checkout_id(world_operator(&w), p, ids[i]);
        struct span id = span_from(ids[i]);
        assert_ptr_equal(operator_payment_by_checkout(world_operator(&w), id), p);
        assert_int_equal(world_cancel(&w, reply.number), OPERATOR_DONE);
        if (i == PUSHES / 2) {
            world_restart(&w);
        }
        (void)world_run(&w);
    }
    assert_string_equal(ids[0], "ws_CO_31012026093000995700000001");
    assert_string_equal(ids[2], "ws_CO_31012026093000996700000001"); /* the twin */
    qsort(ids, PUSHES, ID_TEXT_SIZE, compare_ids);
    for (uint32_t i = 1; i < PUSHES; i++) {
        assert_string_not_equal(ids[i], ids[i - 1]);
    }
    free(ids);
    world_end(&w);
}

/* The serial starts anew with each second, and never runs backwards within one. */
static void test_checkout_serials(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    static const struct {
        int64_t after_ms;
        uint32_t serial;
    } cases[] = {{7, 7}, {0, 8}, {0, 9}, {1, 10}, {500, 508}, {0, 509}, {492, 0}, {0, 1}};
    for (uint32_t i = 0; i < COUNT(cases); i++) {
        w.now_ns += cases[i].after_ms * NS_PER_MS;
        uint64_t number = world_push(&w, WORLD_ANNA, 100);
        assert_int_equal(world_payment(&w, number)->checkout_serial, cases[i].serial);
        assert_int_equal(world_cancel(&w, number), OPERATOR_DONE);
    }
    static const char *const unknown[] = {"ws_CO_31012026093000003700000001",
                                          "ws_CO_31012026093000007700000002",
                                          "WS_CO_31012026093000007700000001", "ws_CO_", ""};
    for (uint32_t i = 0; i < COUNT(unknown); i++) {
        assert_null(operator_payment_by_checkout(world_operator(&w), span_from(unknown[i])));
    }
    world_end(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subscriber_opened),
        cmocka_unit_test(test_subscriber_opened_after_push),
        cmocka_unit_test(test_subscriber_changed),
        cmocka_unit_test(test_adjust),
        cmocka_unit_test(test_amounts_without_end),
        cmocka_unit_test(test_organisation_opened),
        cmocka_unit_test(test_fund),
        cmocka_unit_test(test_keys_with_equal_bits),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_seed_refused),
        cmocka_unit_test(test_seed_full),
        cmocka_unit_test(test_receipts),
        cmocka_unit_test(test_receipts_of_day_zero),
        cmocka_unit_test(test_receipt_shards),
        cmocka_unit_test(test_checkout_ids_under_a_frozen_clock),
        cmocka_unit_test(test_checkout_serials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
