/*
 * test_daraja_bill.c - the bytes of bill manager, both directions: what billers send, read and
 * refused field by field; the answers, refusals and pushed payments to the letter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "wire/daraja_bill.h"

/* A false CHECK ends the test. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { BODY_MAX = 2048, MEMBERS_MAX = 12 };

static const struct daraja_url_rule LAX = {false, false};
static struct json_scratch *scratch;

struct member {
    const char *name;
    const char *value;
};

static const struct member BILLER[MEMBERS_MAX] = {
    {"shortcode", "\"718003\""},
    {"email", "\"youremail@gmail.com\""},
    {"officialContact", "\"0710XX\""},
    {"sendReminders", "\"1\""},
    {"logo", "\"image\""},
    {"callbackurl", "\"http://my.server.com/bar/callback\""},
};
static const struct member INVOICE[MEMBERS_MAX] = {
    {"externalReference", "\"#9932340\""},
    {"billedFullName", "\"John Doe\""},
    {"billedPhoneNumber", "\"0722000001\""},
    {"billedPeriod", "\"August 2021\""},
    {"invoiceName", "\"Jentrys\""},
    {"dueDate", "\"2021-10-12\""},
    {"accountReference", "\"1ASD678H\""},
    {"amount", "\"800\""},
    {"invoiceItems", "[{\"itemName\": \"food\", \"amount\": \"700\"}]"},
};
static const struct member ACKNOWLEDGEMENT[MEMBERS_MAX] = {
    {"paymentDate", "\"2021-10-01\""},    {"paidAmount", "\"800\""},
    {"accountReference", "\"Balboa95\""}, {"transactionId", "\"PJB53MYR1N\""},
    {"phoneNumber", "\"0722000001\""},    {"fullName", "\"John Doe\""},
    {"invoiceName", "\"School Fees\""},   {"externalReference", "\"955\""},
};

/* These members as an object, one of them replaced (NULL: left out). */
static struct span object_of(const struct member *members, const char *name, const char *value)
{
    static char body[BODY_MAX];
    size_t size = 0;
    for (size_t i = 0; i < MEMBERS_MAX && members[i].name != NULL; i++) {
        const char *text = strcmp(members[i].name, name) == 0 ? value : members[i].value;
        if (text != NULL) {
            size += (size_t)snprintf(body + size, sizeof(body) - size, "%s\"%s\":%s",
                                     size > 0 ? "," : "{", members[i].name, text);
        }
    }
    size += (size_t)snprintf(body + size, sizeof(body) - size, "}");
    assert_true(size < sizeof(body));
    return (struct span){body, size};
}

static bool biller(const char *name, const char *value, struct daraja_biller *out,
                   struct daraja_error *error)
{
    return daraja_biller_parse(object_of(BILLER, name, value), &LAX, scratch, out, error);
}

/* Its items point into `room`. */
static bool invoice(const char *name, const char *value, struct daraja_invoice *out,
                    struct daraja_error *error, enum daraja_bill_refusal *refusal)
{
    static uint8_t room[BODY_MAX];
    struct daraja_bill_reading reading = {scratch, writer_init(room, sizeof(room)), error,
                                          DARAJA_BILL_NOT_REFUSED};
    struct json_object *object =
        daraja_bill_open(object_of(INVOICE, name, value), false, scratch, error);
    assert_non_null(object);
    error->kind = DARAJA_ERROR_NONE;
    bool good = daraja_invoice_parse(object, &reading, out);
    *refusal = reading.refusal;
    return good;
}

static bool acknowledgement(const char *name, const char *value, struct span *receipt,
                            struct daraja_error *error)
{
    return daraja_acknowledgement_parse(object_of(ACKNOWLEDGEMENT, name, value), scratch, receipt,
                                        error);
}

static uint32_t day_of(int32_t year, uint32_t month, uint32_t day)
{
    const struct civil c = {.year = year, .month = month, .day = day};
    return civil_to_day(&c);
}

/* ---- what billers send ---- */

static void the_portals_requests(void **state)
{
    (void)state;
    struct daraja_biller b;
    struct daraja_invoice i;
    struct daraja_error error;
    enum daraja_bill_refusal refusal;
    struct span receipt;
    assert_true(biller("", NULL, &b, &error));
    assert_int_equal(b.short_code, 718003);
    assert_true(span_is(b.email, "youremail@gmail.com"));
    assert_true(span_is(b.contact, "0710XX"));
    assert_true(b.reminders);
    assert_true(span_is(b.url, "http://my.server.com/bar/callback"));
    assert_true(invoice("", NULL, &i, &error, &refusal));
    assert_true(span_is(i.reference, "#9932340"));
    assert_true(span_is(i.name, "John Doe"));
    assert_int_equal(i.msisdn, 254722000001);
    assert_true(span_is(i.period, "August 2021"));
    assert_true(span_is(i.title, "Jentrys"));
    assert_int_equal(i.due_day, day_of(2021, 10, 12));
    assert_true(span_is(i.account, "1ASD678H"));
    assert_int_equal(i.amount_minor, 80000);
    assert_true(span_is(i.items, "[{\"itemName\":\"food\",\"amount\":\"700\"}]"));
    assert_true(acknowledgement("", NULL, &receipt, &error));
    assert_true(span_is(receipt, "PJB53MYR1N"));
}

static void other_forms_that_are_taken(void **state)
{
    (void)state;
    struct daraja_biller b;
    struct daraja_invoice i;
    struct daraja_error error;
    enum daraja_bill_refusal refusal;
    struct span receipt;
    assert_true(biller("sendReminders", "0", &b, &error));
    assert_false(b.reminders);
    assert_true(biller("shortcode", "718003", &b, &error));
    assert_true(biller("logo", NULL, &b, &error));
    assert_true(invoice("billedPhoneNumber", "\"254110000001\"", &i, &error, &refusal));
    assert_int_equal(i.msisdn, 254110000001);
    assert_true(invoice("dueDate", "\"2021-09-15 00:00:00.00\"", &i, &error, &refusal));
    assert_int_equal(i.due_day, day_of(2021, 9, 15));
    assert_true(invoice("amount", "800.5", &i, &error, &refusal));
    assert_int_equal(i.amount_minor, 80050);
    const char *const none[] = {NULL, "null", "[]"};
    for (size_t n = 0; n < COUNT(none); n++) {
        assert_true(invoice("invoiceItems", none[n], &i, &error, &refusal));
        assert_int_equal(i.items.size, n == 2 ? 2 : 0);
    }
    assert_true(acknowledgement("externalReference", NULL, &receipt, &error));
    assert_true(acknowledgement("paidAmount", "800", &receipt, &error));
}

static void named(const struct daraja_error *error, const char *name)
{
    assert_int_equal(error->kind, DARAJA_ERROR_INVALID_FIELD);
    assert_string_equal(error->detail, name);
}

/* Every field: missing, null, of another type, empty; and what else is wrong with it. */
static void refusals_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const struct member *members;
        const char *name;
        const char *value;
    } rows[] = {
        {BILLER, "shortcode", "\"12\""},     {BILLER, "sendReminders", "2"},
        {BILLER, "callbackurl", "\"here\""}, {INVOICE, "amount", "0"},
        {INVOICE, "amount", "\"1.005\""},    {INVOICE, "invoiceItems", "{}"},
        {INVOICE, "invoiceItems", "[5]"},    {ACKNOWLEDGEMENT, "paidAmount", "\"-1\""},
    };
    static const char *const common[] = {NULL, "null", "{}", "true", "\"\""};
    static const struct member *const tables[] = {BILLER, INVOICE, ACKNOWLEDGEMENT};
    for (size_t i = 0; i < COUNT(rows) + COUNT(tables) * MEMBERS_MAX * COUNT(common); i++) {
        size_t n = i < COUNT(rows) ? 0 : i - COUNT(rows);
        const struct member *members = i < COUNT(rows) ? rows[i].members : tables[n % 3];
        const char *name = i < COUNT(rows) ? rows[i].name : members[n / 3 % MEMBERS_MAX].name;
        const char *value =
            i < COUNT(rows) ? rows[i].value : common[n / (COUNT(tables) * MEMBERS_MAX)];
        bool optional = name == NULL || strcmp(name, "logo") == 0 ||
                        strcmp(name, "invoiceItems") == 0 ||
                        (members == ACKNOWLEDGEMENT && strcmp(name, "externalReference") == 0);
        struct daraja_biller b;
        struct daraja_invoice v;
        struct daraja_error error;
        enum daraja_bill_refusal refusal = DARAJA_BILL_NOT_REFUSED;
        struct span receipt;
        if (optional && i >= COUNT(rows)) {
            continue;
        }
        assert_false(members == BILLER    ? biller(name, value, &b, &error)
                     : members == INVOICE ? invoice(name, value, &v, &error, &refusal)
                                          : acknowledgement(name, value, &receipt, &error));
        assert_int_equal(refusal, DARAJA_BILL_NOT_REFUSED);
        named(&error, name);
    }
}

/* An item is named by what is wrong with it; what does not fit is refused whole. */
static void items_of_invoices(void **state)
{
    (void)state;
    struct daraja_invoice v;
    struct daraja_error error;
    enum daraja_bill_refusal refusal;
    char long_list[DARAJA_BILL_ITEMS_BYTES_MAX + 200] = "[";
    assert_false(invoice("invoiceItems", "[{\"amount\":1}]", &v, &error, &refusal));
    named(&error, "itemName");
    assert_false(invoice("invoiceItems", "[{\"itemName\":\"x\"}]", &v, &error, &refusal));
    named(&error, "amount");
    for (size_t size = 1; size < DARAJA_BILL_ITEMS_BYTES_MAX; size = strlen(long_list)) {
        (void)snprintf(long_list + size, sizeof(long_list) - size,
                       "%s{\"itemName\":\"a long name\",\"amount\":1}", size > 1 ? "," : "");
    }
    memcpy(long_list + strlen(long_list), "]", 2);
    assert_false(invoice("invoiceItems", long_list, &v, &error, &refusal));
    named(&error, "invoiceItems");
}

/* What bill manager refuses in its own words, not in Daraja's envelope. */
static void phones_and_dates_have_words_of_their_own(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        enum daraja_bill_refusal refusal;
    } rows[] = {
        {"billedPhoneNumber", "\"123\"", DARAJA_BILL_PHONE},
        {"billedPhoneNumber", "\"0622000001\"", DARAJA_BILL_PHONE},
        {"billedPhoneNumber", "\"+254722000001\"", DARAJA_BILL_PHONE},
        {"billedPhoneNumber", "\"072200000x\"", DARAJA_BILL_PHONE},
        {"dueDate", "\"12/10/2021\"", DARAJA_BILL_DUE_DATE},
        {"dueDate", "\"2021-02-30\"", DARAJA_BILL_DUE_DATE},
        {"dueDate", "\"2021-10-12T00:00\"", DARAJA_BILL_DUE_DATE},
        {"dueDate", "\"1969-12-31\"", DARAJA_BILL_DUE_DATE},
        {"dueDate", "\"2021-1-1\"", DARAJA_BILL_DUE_DATE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct daraja_invoice v;
        struct daraja_error error;
        enum daraja_bill_refusal refusal;
        assert_false(invoice(rows[i].name, rows[i].value, &v, &error, &refusal));
        assert_int_equal(refusal, rows[i].refusal);
        assert_int_equal(error.kind, DARAJA_ERROR_NONE);
    }
}

static void lists_and_objects(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool bulk, good;
    } rows[] = {
        {"{\"externalReference\":\"1\"}", false, true},
        {"[{\"externalReference\":\"1\"}]", true, true},
        {"[{\"externalReference\":\"1\"}]", false, false},
        {"{\"externalReference\":\"1\"}", true, false},
        {"[]", true, false},
        {"", true, false},
        {"[", true, false},
        {"5", false, false},
    };
    static char list[2 * DARAJA_BILL_BULK_MAX + 8] = "[0";
    struct daraja_error error;
    struct span reference;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_object *open =
            daraja_bill_open(span_from(rows[i].body), rows[i].bulk, scratch, &error);
        assert_int_equal(open != NULL, rows[i].good);
        if (!rows[i].good) {
            assert_int_equal(error.kind, DARAJA_ERROR_INVALID_PAYLOAD);
            continue;
        }
        struct json_object *one = rows[i].bulk ? json_item(open, 0) : open;
        assert_true(daraja_bill_reference_parse(one, scratch, &reference, &error));
        assert_true(span_is(reference, "1"));
    }
    for (size_t i = 1; i < DARAJA_BILL_BULK_MAX; i++) {
        memcpy(list + 2 * i, ",0", 3);
    }
    memcpy(list + strlen(list), "]", 2);
    struct json_object *most = daraja_bill_open(span_from(list), true, scratch, &error);
    assert_non_null(most);
    assert_false(daraja_bill_reference_parse(json_item(most, 0), scratch, &reference, &error));
    assert_int_equal(error.kind, DARAJA_ERROR_INVALID_PAYLOAD);
    memcpy(list + strlen(list) - 1, ",0]", 4);
    assert_null(daraja_bill_open(span_from(list), true, scratch, &error));
    assert_int_equal(error.kind, DARAJA_ERROR_INVALID_PAYLOAD);
}

/* ---- what they get ---- */

static void is_written(struct writer *w, const char *expected)
{
    assert_false(w->overflow);
    assert_true(span_is((struct span){(const char *)w->data, w->size}, expected));
}

static void answers(void **state)
{
    (void)state;
    uint8_t out[512];
    static const struct {
        const char *key;
        const char *message;
        bool errors;
        const char *expected;
    } rows[] = {
        {NULL, NULL, false, "{\"resmsg\":\"Success\",\"rescode\":\"200\"}"},
        {"AG_2376487236_126732989KJ", NULL, false,
         "{\"app_key\":\"AG_2376487236_126732989KJ\",\"resmsg\":\"Success\",\"rescode\":\"200\"}"},
        {NULL, "Invoice sent successfully", false,
         "{\"Status_Message\":\"Invoice sent successfully\",\"resmsg\":\"Success\","
         "\"rescode\":\"200\"}"},
        {NULL, "Invoice cancelled successfully.", true,
         "{\"Status_Message\":\"Invoice cancelled successfully.\",\"resmsg\":\"Success\","
         "\"rescode\":\"200\",\"errors\":[]}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct writer w = writer_init(out, sizeof(out));
        daraja_bill_done_render(&w, rows[i].key, rows[i].message, rows[i].errors);
        is_written(&w, rows[i].expected);
    }
}

#define REFUSED(words, resmsg, rescode)                            \
    "{\"Status_Message\":\"" words "\",\"resmsg\":\"" resmsg "\"," \
    "\"rescode\":\"" rescode "\""

static void refusals(void **state)
{
    (void)state;
    static const char *const expected[DARAJA_BILL_REFUSALS] = {
        [DARAJA_BILL_REGISTERED] =
            REFUSED("Biller already Registered", "Action Forbidden", "409") "}",
        [DARAJA_BILL_NO_BILLER] =
            REFUSED("Invalid consumerkey/shortcode", "Action Forbidden", "409") "}",
        [DARAJA_BILL_REFERENCE_TAKEN] =
            REFUSED("Another entry exists with the same externalReference number",
                    "Action Forbidden", "409") "}",
        [DARAJA_BILL_PHONE] =
            REFUSED("Incorrect phone number format", "Action Forbidden", "409") "}",
        [DARAJA_BILL_DUE_DATE] =
            REFUSED("Incorrect due date format", "Action Forbidden", "409") "}",
        [DARAJA_BILL_PAID] = REFUSED("Partially or fully paid invoices cannot be cancelled.",
                                     "Conflict", "409") ",\"errors\":[]}",
        [DARAJA_BILL_NO_INVOICE] = REFUSED("Invoice does not exist.", "Not Found", "404") "}",
        [DARAJA_BILL_NO_PAYMENT] = REFUSED("Transaction does not exist.", "Not Found", "404") "}",
    };
    uint8_t out[512];
    for (uint32_t i = 1; i < DARAJA_BILL_REFUSALS; i++) {
        struct writer w = writer_init(out, sizeof(out));
        daraja_bill_refused_render(&w, (enum daraja_bill_refusal)i);
        is_written(&w, expected[i]);
    }
    struct writer w = writer_init(out, sizeof(out));
    expect_assert_failure(daraja_bill_refused_render(&w, DARAJA_BILL_NOT_REFUSED));
}

static void payments_that_are_pushed(void **state)
{
    (void)state;
    static const struct {
        int64_t minor;
        const char *paid;
    } rows[] = {{80000, "800"}, {80050, "800.50"}, {100, "1"}, {5, "0.05"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t out[512];
        char expected[300];
        struct writer w = writer_init(out, sizeof(out));
        const struct daraja_bill_payment p = {.transaction_id = "RJB53MYR1N",
                                              .amount_minor = rows[i].minor,
                                              .msisdn = 254710119383,
                                              .date = "2021-09-15",
                                              .account = SPAN_LITERAL("LGHJIO789"),
                                              .short_code = 718003};
        daraja_bill_payment_render(&w, &p);
        (void)snprintf(expected, sizeof(expected),
                       "{\"transactionId\":\"RJB53MYR1N\",\"paidAmount\":\"%s\","
                       "\"msisdn\":\"254710119383\",\"dateCreated\":\"2021-09-15\","
                       "\"accountReference\":\"LGHJIO789\",\"shortCode\":\"718003\"}",
                       rows[i].paid);
        is_written(&w, expected);
        struct writer small = writer_init(out, 40);
        daraja_bill_payment_render(&small, &p);
        assert_true(small.overflow);
    }
}

static int start(void **state)
{
    (void)state;
    scratch = json_scratch_create();
    return scratch == NULL;
}

static int stop(void **state)
{
    (void)state;
    json_scratch_destroy(scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_portals_requests),
        cmocka_unit_test(other_forms_that_are_taken),
        cmocka_unit_test(refusals_name_the_field),
        cmocka_unit_test(items_of_invoices),
        cmocka_unit_test(phones_and_dates_have_words_of_their_own),
        cmocka_unit_test(lists_and_objects),
        cmocka_unit_test(answers),
        cmocka_unit_test(refusals),
        cmocka_unit_test(payments_that_are_pushed),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
