/*
 * test_statement.c - statement files as they come: preamble, quotes, line ends, shifted columns,
 * masked phones, charges, sweeps, reversals; and the proof that the rows add up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "provider/provider.h"
#include "wire/statement.h"

static struct statement s;
static struct statement_row row;
static const char *why;

static int64_t utc(const char *text)
{
    int64_t ns = 0;
    assert_true(rfc3339_parse(span_from(text), &ns));
    return ns;
}

static void open_file(const char *text)
{
    const char *refused = statement_open(span_from(text), &s);
    if (refused != NULL) {
        fail_msg("%s", refused);
    }
}

static void next_is(enum statement_step step)
{
    enum statement_step got = statement_next(&s, &row, &why);
    if (got != step) {
        fail_msg("step %d at line %u: %s", (int)got, row.line, got == STATEMENT_BAD_ROW ? why : "");
    }
}

#define PORTAL_HEAD                                                                             \
    "Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn," \
    "Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.\n"

static void a_portal_file_is_read(void **state)
{
    (void)state;
    open_file(
        "\xef\xbb\xbf"
        "Account Holder:,SHOP LTD\r\nShort Code:,600000\r\nTime Period:,\"From 01-07-2021, "
        "00:00:00\"\r\n\r\n" PORTAL_HEAD
        "PGD7ABCDEF,13-07-2021 14:10:03,13-07-2021 14:10:01,\"Pay Bill from 254708374149 - "
        "JANE, \"\"J\"\" DOE Acc. INV-7\",Completed,\"1,200.00\",,\"26,200.00\",true,Pay Bill "
        "Online,\"254708374149 - JANE\nDOE\",,INV-7\r\n"
        "\r\n"
        "PGD8ABCDEF,2021-07-13 15:00:00,,Pay Bill Charge,Completed,,-24.50,26175.50,true,Pay "
        "Bill Charge,,PGD7ABCDEF,\r\n");
    assert_int_equal(s.form, STATEMENT_PORTAL);
    assert_int_equal(s.short_code, 600000);
    next_is(STATEMENT_ROW);
    assert_int_equal(row.line, 6);
    assert_int_equal(row.kind, STATEMENT_PAID_IN);
    assert_true(span_is(row.receipt, "PGD7ABCDEF") && span_is(row.status, "Completed"));
    assert_true(row.in_minor == 120000 && row.out_minor == 0);
    assert_true(row.has_balance && row.balance_minor == 2620000);
    assert_true(row.completed_ns == utc("2021-07-13T11:10:03Z"));
    assert_true(row.initiated_ns == utc("2021-07-13T11:10:01Z"));
    assert_true(span_is(row.details, "Pay Bill from 254708374149 - JANE, \"J\" DOE Acc. INV-7"));
    assert_true(span_is(row.party, "254708374149 - JANE\nDOE") && row.phone == 254708374149);
    assert_true(span_is(row.account, "INV-7"));
    next_is(STATEMENT_ROW);
    assert_int_equal(row.line, 9);
    assert_int_equal(row.kind, STATEMENT_CHARGE);
    assert_true(row.out_minor == 2450 && span_is(row.linked, "PGD7ABCDEF"));
    next_is(STATEMENT_END);
    next_is(STATEMENT_END);
}

/* A subset of columns is in use, and spreadsheets write semicolons. */
static void columns_are_found_by_name(void **state)
{
    (void)state;
    open_file("Completion time;RECEIPT NO;Withdrawn;Paid in;Details\n"
              "13/07/2021 14:10;PGD7ABCDEF;;100;Business Payment to Customer\n");
    next_is(STATEMENT_ROW);
    assert_true(row.in_minor == 10000 && !row.has_balance && row.phone == 0);
    next_is(STATEMENT_END);
}

#define TILL_HEAD                                                                   \
    "STORE_NAME,RECEIPT_NUMBER,ACCOUNT_TYPE_NAME,TRANSACTION_TYPE,START_TIMESTAMP," \
    "TRANSACTION_PARTY_DETAILS,CREDIT_AMOUNT,DEBIT_AMOUNT,BALANCE,LINKED_TRANSACTION_ID\n"

/* In the field header and data are off by one column, either way. */
static void a_till_file_may_be_off_by_one_column(void **state)
{
    (void)state;
    static const char *const files[] = {
        TILL_HEAD "SHOP,PGD7ABCDEF,Merchant Account,Buy Goods,2021-07-13 14:10:03,254708374149 - "
                  "J,1200,0,26200,\n",
        TILL_HEAD "1,SHOP,PGD7ABCDEF,Merchant Account,Buy Goods,2021-07-13 14:10:03,254708374149 - "
                  "J,1200,0,26200,\n",
        TILL_HEAD "PGD7ABCDEF,Merchant Account,Buy Goods,2021-07-13 14:10:03,254708374149 - "
                  "J,1200,0,26200,\n",
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        open_file(files[i]);
        assert_int_equal(s.form, STATEMENT_TILL);
        next_is(STATEMENT_ROW);
        assert_true(span_is(row.receipt, "PGD7ABCDEF") && row.in_minor == 120000);
        assert_true(row.balance_minor == 2620000 && row.phone == 254708374149);
        assert_true(span_is(row.ledger, "Merchant Account") && row.kind == STATEMENT_PAID_IN);
        next_is(STATEMENT_END);
    }
}

static void kinds_of_rows(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *amounts; /* credit, debit */
        enum statement_kind kind;
    } rows[] = {
        {"Pay merchant Charge", "0,5", STATEMENT_CHARGE},
        {"FSI to Merchant Charge by Receiver", "0,5", STATEMENT_CHARGE},
        {"Merchant to Merchant Payment Charge to M-PESA", "0,5", STATEMENT_CHARGE},
        {"Merchant Account to Organization Settlement Account", "0,5", STATEMENT_SWEEP},
        {"Reversal of Buy Goods", "0,5", STATEMENT_REVERSAL},
        {"Customer Merchant Payment", "5,0", STATEMENT_PAID_IN},
        {"Business Payment to Customer", "0,5", STATEMENT_PAID_OUT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char file[1024];
        (void)snprintf(file, sizeof(file),
                       TILL_HEAD "SHOP,PGD7ABCDEF,Merchant Account,%s,2021-07-13 "
                                 "14:10:03,2547***149,%s,1,PGD6ABCDEF\n",
                       rows[i].type, rows[i].amounts);
        open_file(file);
        next_is(STATEMENT_ROW);
        assert_int_equal(row.kind, rows[i].kind);
        assert_int_equal(row.phone, 0); /* masked */
    }
}

/* Names and references, which the payer chooses, say nothing of the kind; nor is money that came a
 * charge. */
static void kinds_of_rows_without_a_type(void **state)
{
    (void)state;
    static const struct {
        const char *details;
        const char *amounts; /* paid in, withdrawn */
        enum statement_kind kind;
    } rows[] = {
        {"Pay Bill Online from 254708374149 - JANE REVERSON Acc. INV-1", "150,", STATEMENT_PAID_IN},
        {"Pay Bill from JANE REVERSON Acc. INV-1", "150,", STATEMENT_PAID_IN},
        {"Pay Bill Online from 2547***149 - J Acc. PHONE-CHARGER", "150,", STATEMENT_PAID_IN},
        {"Pay Bill Acc. REVERSE-CAMERA", "150,", STATEMENT_PAID_IN},
        {"Business Payment to 254708374149 - CHARGE REVERSON", ",150", STATEMENT_PAID_OUT},
        {"Merchant Account to Organization Settlement Account", ",150", STATEMENT_SWEEP},
        {"Merchant to Merchant Payment Charge to M-PESA", ",5", STATEMENT_CHARGE},
        {"Pay Bill Charge", ",5", STATEMENT_CHARGE},
        {"Pay Bill Charge", "5,", STATEMENT_PAID_IN},
        {"Reversal of Pay Bill Charge", "5,", STATEMENT_CHARGE},
        {"Pay Bill Reversal to 254708374149 - JANE", ",150", STATEMENT_REVERSAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char file[512];
        (void)snprintf(file, sizeof(file),
                       "Receipt No.,Completion Time,Details,Paid In,Withdrawn\n"
                       "PGD7ABCDEF,13-07-2021 14:10:03,%s,%s\n",
                       rows[i].details, rows[i].amounts);
        open_file(file);
        next_is(STATEMENT_ROW);
        if (row.kind != rows[i].kind) {
            fail_msg("%s: kind %d", rows[i].details, (int)row.kind);
        }
    }
}

static void a_bad_row_is_said_and_the_next_one_read(void **state)
{
    (void)state;
    open_file(PORTAL_HEAD "not a receipt,13-07-2021 14:10:03,,d,Completed,1,,1,,,,,\n"
                          "PGD7ABCDEF,31-02-2021 14:10:03,,d,Completed,1,,1,,,,,\n"
                          "PGD7ABCDEF,13-07-2021 14:10:03,,d,Completed,1.005,,1,,,,,\n"
                          "PGD7ABCDEF,13-07-2021 14:10:03,,d,Completed,1,1,1,,,,,\n"
                          "PGD7ABCDEF,13-07-2021 14:10:03,,d,Completed,,,1,,,,,\n"
                          "PGD7ABCDEF,13-07-2021 14:10:03,,d,Completed,1,,1,,,,,\n"
                          "PGD8ABCDEF,13-07-2021 14:10:03,,\"no end,Completed,1,,1,,,,,\n");
    for (uint32_t line = 2; line <= 6; line++) {
        next_is(STATEMENT_BAD_ROW);
        assert_int_equal(row.line, line);
    }
    next_is(STATEMENT_ROW);
    assert_int_equal(row.line, 7);
    next_is(STATEMENT_BAD_ROW);
    assert_string_equal(why, "the row is too long, or a quote does not close");
    next_is(STATEMENT_END);
}

static void what_is_no_statement_is_refused(void **state)
{
    (void)state;
    static const char *const files[] = {"", "\n\n", "a,b,c\n1,2,3\n", "<html>",
                                        "Receipt No.,Completion Time\n"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        assert_non_null(statement_open(span_from(files[i]), &s));
        assert_int_equal(statement_next(&s, &row, &why), STATEMENT_END);
    }
}

static struct statement_proof prove(const char *rows)
{
    char file[4096];
    struct statement_proof p;
    (void)snprintf(file, sizeof(file), "%s%s",
                   "Receipt No.,Completion Time,Paid In,Withdrawn,Balance\n", rows);
    open_file(file);
    statement_proof_init(&p);
    while (statement_next(&s, &row, &why) == STATEMENT_ROW) {
        statement_proof_add(&p, &row);
    }
    statement_proof_end(&p);
    return p;
}

#define R(receipt, in, out, balance) receipt ",13-07-2021 14:10:03," in "," out "," balance "\n"

static void rows_add_up_in_either_direction(void **state)
{
    (void)state;
    struct statement_proof p = prove(R("AAAAAAAAA1", "100", "", "1100") R(
        "AAAAAAAAA2", "", "30.50", "1069.50") R("AAAAAAAAA3", "5", "", "1074.50"));
    assert_true(p.opening_minor == 100000 && p.closing_minor == 107450 && p.gaps == 0);
    assert_true(p.in_minor == 10500 && p.out_minor == 3050 && p.variance_minor == 0);
    assert_false(p.descending || p.overflow);
    p = prove(R("AAAAAAAAA3", "5", "", "1074.50") R("AAAAAAAAA2", "", "30.50", "1069.50")
                  R("AAAAAAAAA1", "100", "", "1100"));
    assert_true(p.opening_minor == 100000 && p.closing_minor == 107450 && p.gaps == 0);
    assert_true(p.descending && p.variance_minor == 0);
}

/* A missing row shows as a gap, and as a variance that is computed. */
static void a_missing_row_is_found(void **state)
{
    (void)state;
    struct statement_proof p = prove(R("AAAAAAAAA1", "100", "", "1100") R(
        "AAAAAAAAA3", "5", "", "1074.50") R("AAAAAAAAA4", "5", "", "1079.50"));
    assert_true(p.gaps == 1 && p.first_gap_line == 3);
    assert_int_equal(p.variance_minor, 3050);
}

static void sums_that_do_not_fit_prove_nothing(void **state)
{
    (void)state;
    struct statement_proof p = prove(R("AAAAAAAAA1", "90000000000000000", "", "1")
                                         R("AAAAAAAAA2", "90000000000000000", "", "1"));
    assert_true(p.overflow);
}

/* ---- as observations ---- */

struct seen {
    size_t count;
    enum observation_kind kinds[8];
    enum observation_verdict verdicts[8];
    int64_t amounts[8];
    bool came_in[8];
    char original[16];
};

static void take(void *context, const struct observation *o)
{
    struct seen *seen = context;
    assert_true(seen->count < 8 && o->source == OBSERVED_BY_STATEMENT);
    seen->kinds[seen->count] = o->kind;
    seen->verdicts[seen->count] = o->verdict;
    seen->amounts[seen->count] = o->amount_minor;
    seen->came_in[seen->count] = o->came_in;
    seen->count++;
    if (o->original_receipt.size > 0) {
        (void)snprintf(seen->original, sizeof(seen->original), "%.*s",
                       (int)o->original_receipt.size, o->original_receipt.data);
    }
}

static void rows_become_observations(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct provider_statement read;
    const struct provider_account account = {.provider = OBSERVED_AT_DARAJA, .short_code = 600000};
    provider_read_statement(
        &account,
        SPAN_LITERAL("Short Code:,600111\n" PORTAL_HEAD
                     "PGD1ABCDEF,13-07-2021 14:10:03,,d,Completed,100,,1100,,Pay Bill,,,\n"
                     "PGD2ABCDEF,13-07-2021 14:10:04,,d,Completed,,1,1099,,Pay Bill Charge,,"
                     "PGD1ABCDEF,\n"
                     "PGD3ABCDEF,13-07-2021 14:10:05,,d,Declined,50,,1099,,Pay Bill,,,\n"
                     "broken\n"
                     "PGD4ABCDEF,13-07-2021 14:10:06,,d,Completed,,99,1000,,Salary,,,\n"
                     "PGD5ABCDEF,13-07-2021 14:10:07,,d,Completed,99,,1099,,Salary Reversal,,"
                     "PGD4ABCDEF,\n"
                     "PGD6ABCDEF,13-07-2021 14:10:08,,d,Completed,,99,1000,,Pay Bill Reversal,,"
                     "PGD1ABCDEF,\n"),
        take, &seen, &read);
    assert_null(read.why);
    assert_true(read.short_code == 600111 && read.rows == 6);
    assert_true(read.bad_rows == 1 && read.first_bad_line == 6 && read.first_bad_why != NULL);
    assert_int_equal(seen.count, 6);
    assert_true(seen.kinds[0] == OBSERVED_RECEIPT && seen.amounts[0] == 10000);
    assert_int_equal(seen.kinds[1], OBSERVED_CHARGE);
    assert_string_equal(seen.original, "PGD1ABCDEF");
    assert_int_equal(seen.verdicts[2], OBSERVED_UNKNOWN); /* declined: no money, no conclusion */
    assert_int_equal(seen.kinds[3], OBSERVED_PAYOUT);
    assert_true(seen.kinds[4] == OBSERVED_REFUND && seen.came_in[4]); /* of what was paid out */
    assert_true(seen.kinds[5] == OBSERVED_REFUND && !seen.came_in[5]);
    assert_true(read.proof.gaps == 0 && read.proof.variance_minor == 0);
    assert_true(read.proof.opening_minor == 100000 && read.proof.closing_minor == 100000);
    provider_read_statement(&account, SPAN_LITERAL("nothing"), take, &seen, &read);
    assert_true(read.why != NULL && read.rows == 0 && seen.count == 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_portal_file_is_read),
        cmocka_unit_test(columns_are_found_by_name),
        cmocka_unit_test(a_till_file_may_be_off_by_one_column),
        cmocka_unit_test(kinds_of_rows),
        cmocka_unit_test(kinds_of_rows_without_a_type),
        cmocka_unit_test(a_bad_row_is_said_and_the_next_one_read),
        cmocka_unit_test(what_is_no_statement_is_refused),
        cmocka_unit_test(rows_add_up_in_either_direction),
        cmocka_unit_test(a_missing_row_is_found),
        cmocka_unit_test(sums_that_do_not_fit_prove_nothing),
        cmocka_unit_test(rows_become_observations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
