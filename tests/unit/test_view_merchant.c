/*
 * test_view_merchant.c - the merchant's view is a function of its journal (V1), step by step or at
 * once, through stops and kills; it agrees with the book; and no secret is in it.
 * limit: 240
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/golden_shop.h"
#include "support/view_rig.h"

static void test_a_reset_empties_the_tables(void **state)
{
    (void)state;
    struct scene s;
    struct shop shop;
    scene_start(&s, VIEW_OF_MERCHANT);
    uint64_t before = golden_shop(&shop);
    golden_shop_write(&shop, s.journal);
    scene_catch_up(&s, before);
    assert_true(scene_number_of(s.file, "SELECT count(*) FROM payments") > 15);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM merchants"), 2);
    scene_catch_up(&s, shop.book->position);
    assert_int_equal(scene_number_of(s.file, VIEW_GENERATION), shop.book->generation);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM transactions"), 3);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM merchants"), 1);
    assert_int_equal(scene_rebuild(&s, s.other).skipped, 0);
    assert_equal_views(&s, s.file, s.other);
    shop_end(&shop);
    scene_end(&s);
}

static void test_following_a_writer_equals_a_rebuild(void **state)
{
    (void)state;
    struct scene s;
    struct shop shop;
    scene_start(&s, VIEW_OF_MERCHANT);
    (void)golden_shop(&shop);
    following_equals_a_rebuild(&s, shop.frames, shop.frames_size);
    shop_end(&shop);
    scene_end(&s);
}

static void test_kill_at_any_moment(void **state)
{
    (void)state;
    struct scene s;
    struct shop shop;
    scene_start(&s, VIEW_OF_MERCHANT);
    (void)golden_shop(&shop);
    golden_shop_write(&shop, s.journal);
    kills_change_nothing(&s, shop.book->position);
    shop_end(&shop);
    scene_end(&s);
}

static void test_golden_journals_give_the_expected_tables(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t position; /* where to look; 0: at the end */
        const char *tables;
    } cases[] = {
        {"6-merchant", 3177, "6-merchant-first.txt"}, /* before its reset */
        {"6-merchant", 0, "6-merchant.txt"},
        {"7-merchant-closing", 0, "7-merchant-closing.txt"}, /* rows of what left stay */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_golden_view(VIEW_OF_MERCHANT, cases[i].name, cases[i].position, cases[i].tables);
    }
}

/* ---- it says what the book says ---- */

static int64_t number_by(const struct scene *s, const char *sql, uint64_t number)
{
    char text[400];
    (void)snprintf(text, sizeof(text), "%s %llu", sql, (unsigned long long)number);
    return scene_number_of(s->file, text);
}

static char *line_by(const struct scene *s, const char *sql, uint64_t number)
{
    char question[400];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    (void)snprintf(question, sizeof(question), "%s %llu", sql, (unsigned long long)number);
    scene_ask(s->file, question, out);
    (void)fclose(out);
    char *line = strchr(text, '\n');
    assert_non_null(line);
    line = strdup(line + 1);
    free(text);
    return line;
}

/* The story without its reset. */
static void told_before_reset(struct scene *s, struct shop *shop)
{
    scene_start(s, VIEW_OF_MERCHANT);
    golden_shop_first(shop);
    golden_shop_write(shop, s->journal);
    assert_int_equal(scene_rebuild(s, s->file).skipped, 0);
}

static void test_payments_are_those_of_the_book(void **state)
{
    (void)state;
    struct scene s;
    struct shop shop;
    told_before_reset(&s, &shop);
    const struct gateway *g = shop_gateway(&shop);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM transactions"), g->last_payment);
    for (uint64_t n = 1; n <= g->last_payment; n++) {
        char expected[400];
        const struct gateway_payment *p = shop_payment(&shop, n);
        char *line = line_by(&s,
                             "SELECT status, stk_state, amount, phone, coalesce(receipt, ''), "
                             "coalesce(result_code, ''), escrow, late, attention, querying, rung, "
                             "coalesce(order_id, '') FROM transactions WHERE number =",
                             n);
        struct span receipt = gateway_text(g, p->receipt);
        struct span code = gateway_text(g, p->code);
        struct span order = gateway_text(g, p->order);
        (void)snprintf(
            expected, sizeof(expected), "%s|%s|%lld|%llu|%.*s|%.*s|%s|%d|%d|%d|%u|%.*s\n",
            gateway_state_name(p->state), gateway_state_stk_name(p->state),
            (long long)p->amount_minor, (unsigned long long)p->phone, (int)receipt.size,
            receipt.data, (int)code.size, code.data, gateway_escrow_name(p->escrow), p->late,
            p->attention, p->question != 0, p->rung, (int)order.size, order.data);
        assert_string_equal(line, expected);
        free(line);
        assert_int_equal(
            number_by(&s, "SELECT count(*) FROM notices WHERE transaction_number =", n),
            p->notices);
        int64_t entered = 0;
        for (uint8_t i = 1; i < GATEWAY_STATES_END; i++) {
            entered += p->entered_position[i] != 0;
        }
        assert_int_equal(number_by(&s, "SELECT count(*) FROM moves WHERE transaction_number =", n),
                         entered);
        assert_int_equal(number_by(&s, "SELECT count(*) FROM events WHERE transaction_number =", n),
                         p->object_seq);
    }
    shop_end(&shop);
    scene_end(&s);
}

static void test_money_is_that_of_the_book(void **state)
{
    (void)state;
    struct scene s;
    struct shop shop;
    told_before_reset(&s, &shop);
    const struct ledger *ledger = &shop.book->ledger;
    for (uint32_t i = 0; ledger_account(ledger, i) != NULL; i++) {
        const struct account *a = ledger_account(ledger, i);
        assert_int_equal(number_by(&s, "SELECT balance FROM accounts WHERE account =", i),
                         account_balance(a));
        assert_int_equal(number_by(&s, "SELECT debits_pending FROM accounts WHERE account =", i),
                         a->debits_pending);
        assert_int_equal(number_by(&s,
                                   "SELECT coalesce((SELECT balance_after FROM entries WHERE "
                                   "account = a.account ORDER BY number DESC LIMIT 1), 0) "
                                   "FROM accounts a WHERE account =",
                                   i),
                         account_balance(a));
    }
    assert_int_equal(scene_number_of(s.file, "SELECT sum(balance) FROM accounts"), 0);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM entries WHERE reason = 'other'"),
                     0);
    assert_int_equal(scene_number_of(s.file, "SELECT count(DISTINCT reason) FROM entries"), 8);
    assert_int_equal(scene_number_of(s.file, "SELECT balance FROM balances WHERE id = 'wallet' AND "
                                             "merchant_number = 1"),
                     shop_wallet(&shop));
    assert_int_equal(
        scene_number_of(s.file, "SELECT balance FROM balances WHERE id = 'clearing_174379'"),
        shop_clearing(&shop));
    assert_int_equal(scene_number_of(s.file, "SELECT balance FROM balances WHERE id = "
                                             "'clearing_paystack'"),
                     SHOP_AMOUNT - 435);
    shop_end(&shop);
    scene_end(&s);
}

/* R5.4: the same repairs as the book counts, of the day on which everything of it succeeded. */
static void test_reconciliations_are_those_of_the_book(void **state)
{
    (void)state;
    struct scene s;
    struct shop shop;
    struct gateway_repairs repairs;
    told_before_reset(&s, &shop);
    gateway_repairs(shop_gateway(&shop), 0, 0, INT64_MAX, &repairs);
    assert_true(repairs.repaired > 0 && repairs.late > 0);
    assert_int_equal(scene_number_of(s.file, "SELECT sum(checked) FROM reconciliations WHERE "
                                             "provider_number = 1"),
                     repairs.checked);
    assert_int_equal(scene_number_of(s.file, "SELECT sum(repaired) FROM reconciliations WHERE "
                                             "provider_number = 1"),
                     repairs.repaired);
    assert_int_equal(scene_number_of(s.file,
                                     "SELECT sum(late_callbacks) FROM reconciliations WHERE "
                                     "provider_number = 1"),
                     repairs.late);
    assert_int_equal(scene_number_of(s.file, "SELECT sum(repaired) FROM payments"),
                     repairs.repaired);
    assert_true(scene_number_of(s.file, "SELECT max(alert) FROM reconciliations") == 1);
    shop_end(&shop);
    scene_end(&s);
}

static void test_the_rest_is_that_of_the_book(void **state)
{
    (void)state;
    struct scene s;
    struct shop shop;
    told_before_reset(&s, &shop);
    const struct gateway *g = shop_gateway(&shop);
    assert_int_equal(scene_number_of(s.file, "SELECT max(seq) FROM events"), g->last_seq);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM notices"), g->last_notice);
    assert_int_equal(
        scene_number_of(s.file, "SELECT count(*) FROM notices WHERE status = 'orphan'"),
        g->orphans);
    assert_int_equal(
        scene_number_of(s.file, "SELECT count(*) FROM discrepancies WHERE status = 'open'"),
        g->disagreements);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM outgoing"),
                     shop.book->outbox.last_number);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM attempts"),
                     scene_number_of(s.file, "SELECT sum(attempts) FROM outgoing"));
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM outgoing WHERE state = 'dead'"),
                     shop.book->outbox.dead);
    assert_int_equal(
        scene_number_of(s.file, "SELECT count(*) FROM webhooks WHERE ended_at IS NULL"),
        g->webhooks.used);
    for (uint64_t n = 1; n <= g->last_receipt; n++) {
        const struct gateway_receipt *r = gateway_receipt(g, n);
        char *status = line_by(&s, "SELECT status FROM receipts WHERE number =", n);
        assert_int_equal(strncmp(status, receipt_state_name(r->state), strlen(status) - 1), 0);
        free(status);
        assert_int_equal(number_by(&s, "SELECT amount FROM receipts WHERE number =", n),
                         r->amount_minor);
        assert_int_equal(number_by(&s, "SELECT count(*) FROM notices WHERE receipt_number =", n),
                         r->notices);
    }
    assert_int_equal(
        scene_number_of(s.file, "SELECT count(*) FROM payments WHERE raw_callback IS NOT "
                                "NULL"),
        scene_number_of(s.file, "SELECT count(DISTINCT n.transaction_number) FROM notices n "
                                "JOIN payments p ON p.number = n.transaction_number "
                                "WHERE n.source IN ('callback', 'webhook')"));
    shop_end(&shop);
    scene_end(&s);
}

/* ---- what is not in it ---- */

static bool contains(const char *data, size_t size, const char *word)
{
    return memmem(data, size, word, strlen(word)) != NULL;
}

/* Neither sealed secrets nor hashes of keys nor tokens of callback URLs are in any page. */
static void test_no_secret_is_in_it(void **state)
{
    (void)state;
    struct scene s;
    struct shop shop;
    scene_start(&s, VIEW_OF_MERCHANT);
    (void)golden_shop(&shop);
    golden_shop_write(&shop, s.journal);
    (void)scene_rebuild(&s, s.file);
    FILE *file = fopen(s.file, "rb");
    assert_non_null(file);
    static char bytes[8 * 1024 * 1024];
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    assert_true(size > 0 && size < sizeof(bytes));
    assert_true(contains(bytes, size, "UA1A000001") || contains(bytes, size, "AGAIN-1"));
    for (int i = 0; i < GOLDEN_SHOP_SECRETS_COUNT; i++) {
        assert_true(contains((const char *)shop.frames, shop.frames_size, GOLDEN_SHOP_SECRETS[i]));
        assert_false(contains(bytes, size, GOLDEN_SHOP_SECRETS[i]));
    }
    shop_end(&shop);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reset_empties_the_tables),
        cmocka_unit_test(test_following_a_writer_equals_a_rebuild),
        cmocka_unit_test(test_kill_at_any_moment),
        cmocka_unit_test(test_golden_journals_give_the_expected_tables),
        cmocka_unit_test(test_payments_are_those_of_the_book),
        cmocka_unit_test(test_money_is_that_of_the_book),
        cmocka_unit_test(test_reconciliations_are_those_of_the_book),
        cmocka_unit_test(test_the_rest_is_that_of_the_book),
        cmocka_unit_test(test_no_secret_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
