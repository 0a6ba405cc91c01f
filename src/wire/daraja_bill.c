/*
 * daraja_bill.c - see daraja_bill.h.
 */
#include "wire/daraja_bill.h"

#include <string.h>

#include "base/caltime.h"
#include "base/money.h"
#include "wire/daraja_fields.h"

#define WORDS(name)                                                      \
    {                                                                    \
        (name), NULL, NULL, DARAJA_RULE_WORDS, DARAJA_SHOWN_NEVER, false \
    }

static const struct daraja_field field_biller_short_code = {
    "shortcode", "shortCode", NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_email = WORDS("email");
static const struct daraja_field field_contact = WORDS("officialContact");
static const struct daraja_field field_reminders = {"sendReminders",   NULL, NULL, "must be 0 or 1",
                                                    DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_url = {"callbackurl",   "callbackUrl",      NULL,
                                              DARAJA_RULE_URL, DARAJA_SHOWN_NEVER, true};
static const struct daraja_field field_external_reference = WORDS("externalReference");
static const struct daraja_field field_billed_name = WORDS("billedFullName");
static const struct daraja_field field_billed_phone = WORDS("billedPhoneNumber");
static const struct daraja_field field_period = WORDS("billedPeriod");
static const struct daraja_field field_title = WORDS("invoiceName");
static const struct daraja_field field_due = WORDS("dueDate");
static const struct daraja_field field_account = WORDS("accountReference");
static const struct daraja_field field_billed_amount = {
    "amount", NULL, NULL, "must be shillings above 0", DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_items = {
    "invoiceItems",     NULL, NULL, "must be a list of itemName and amount, 1 KiB at most",
    DARAJA_SHOWN_NEVER, false};
static const struct daraja_field field_item_name = WORDS("itemName");
static const struct daraja_field field_paid_transaction = WORDS("transactionId");
static const struct daraja_field field_paid_date = WORDS("paymentDate");
static const struct daraja_field field_paid_amount = {
    "paidAmount", NULL, NULL, "must be shillings above 0", DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_paid_phone = WORDS("phoneNumber");
static const struct daraja_field field_paid_name = WORDS("fullName");

/* ---- requests ---- */

bool daraja_biller_parse(struct span body, const struct daraja_url_rule *rule,
                         struct json_scratch *scratch, struct daraja_biller *out,
                         struct daraja_error *error)
{
    static const char *const flags[] = {"0", "1"};
    struct daraja_body b;
    uint32_t reminders = 0;
    memset(out, 0, sizeof(*out));
    bool good = daraja_body_open(&b, body, scratch, error) &&
                daraja_take_short_code(&b, &field_biller_short_code, &out->short_code) &&
                daraja_take_words(&b, &field_email, &out->email) &&
                daraja_take_words(&b, &field_contact, &out->contact) &&
                daraja_take_choice(&b, &field_reminders, flags, 2, &reminders) &&
                daraja_take_url(&b, &field_url, rule, &out->url);
    out->reminders = reminders == 1;
    return good;
}

/* "0722000000" or "254722000000". */
static bool read_phone(struct span text, uint64_t *out)
{
    enum { LOCAL_DIGITS = 10, DIGITS = 12 };
    uint64_t number;
    if (!span_parse_u64(text, &number)) {
        return false;
    }
    if (text.size == LOCAL_DIGITS && text.data[0] == '0') {
        number += (uint64_t)254 * 1000 * 1000 * 1000;
    } else if (text.size != DIGITS) {
        return false;
    }
    uint64_t prefix = number / 100000000;
    *out = number;
    return prefix == 2547 || prefix == 2541;
}

/* "2021-10-12", "2021-09-15 00:00:00.00" */
static bool read_iso_date(struct span text, uint32_t *out)
{
    enum { DATE = 10 };
    uint64_t year;
    uint64_t month;
    uint64_t day;
    if (text.size < DATE || text.data[4] != '-' || text.data[7] != '-' ||
        (text.size > DATE && text.data[DATE] != ' ') ||
        !span_parse_u64((struct span){text.data, 4}, &year) ||
        !span_parse_u64((struct span){text.data + 5, 2}, &month) ||
        !span_parse_u64((struct span){text.data + 8, 2}, &day) || year < 1970 || year > 2100) {
        return false;
    }
    const struct civil c = {.year = (int32_t)year, .month = (uint32_t)month, .day = (uint32_t)day};
    if (!civil_exists(&c)) {
        return false;
    }
    *out = civil_to_day(&c);
    return true;
}

/* Each a name and an amount; kept as they came. */
static bool take_items(struct daraja_body *b, struct writer *room, struct daraja_invoice *out)
{
    struct json_object *items = json_member(b->object, field_items.name);
    size_t start = room->size;
    if (items == NULL || json_is_null(items)) {
        return true;
    }
    for (size_t i = 0; json_is_array(items) && i < json_count(items); i++) {
        struct daraja_body item = {b->scratch, json_item(items, i), b->error};
        struct span name;
        int64_t minor;
        if (!json_is_object(item.object)) {
            return daraja_field_refuse(b, &field_items, field_items.rule, NULL);
        }
        if (!daraja_take_words(&item, &field_item_name, &name) ||
            !daraja_take_amount(&item, &field_billed_amount, DARAJA_AMOUNT_MAX_MINOR, true,
                                &minor)) {
            return false;
        }
    }
    if (json_is_array(items)) {
        json_compact(items, room);
    }
    out->items = (struct span){(const char *)room->data + start, room->size - start};
    bool good =
        json_is_array(items) && !room->overflow && out->items.size <= DARAJA_BILL_ITEMS_BYTES_MAX;
    return good || daraja_field_refuse(b, &field_items, field_items.rule, NULL);
}

bool daraja_invoice_parse(struct json_object *object, struct daraja_bill_reading *reading,
                          struct daraja_invoice *out)
{
    struct daraja_body b = {reading->scratch, object, reading->error};
    struct span phone;
    struct span due;
    memset(out, 0, sizeof(*out));
    reading->refusal = DARAJA_BILL_NOT_REFUSED;
    if (!json_is_object(object)) {
        daraja_error_set(reading->error, DARAJA_ERROR_INVALID_PAYLOAD, "",
                         "each invoice must be an object");
        return false;
    }
    if (!daraja_take_words(&b, &field_external_reference, &out->reference) ||
        !daraja_take_words(&b, &field_billed_name, &out->name) ||
        !daraja_take_words(&b, &field_billed_phone, &phone) ||
        !daraja_take_words(&b, &field_period, &out->period) ||
        !daraja_take_words(&b, &field_title, &out->title) ||
        !daraja_take_words(&b, &field_due, &due) ||
        !daraja_take_words(&b, &field_account, &out->account) ||
        !daraja_take_amount(&b, &field_billed_amount, DARAJA_AMOUNT_MAX_MINOR, true,
                            &out->amount_minor) ||
        !take_items(&b, &reading->room, out)) {
        return false;
    }
    if (!read_phone(phone, &out->msisdn)) {
        reading->refusal = DARAJA_BILL_PHONE;
    } else if (!read_iso_date(due, &out->due_day)) {
        reading->refusal = DARAJA_BILL_DUE_DATE;
    }
    return reading->refusal == DARAJA_BILL_NOT_REFUSED;
}

bool daraja_bill_reference_parse(struct json_object *object, struct json_scratch *scratch,
                                 struct span *out, struct daraja_error *error)
{
    struct daraja_body b = {scratch, object, error};
    if (!json_is_object(object)) {
        daraja_error_set(error, DARAJA_ERROR_INVALID_PAYLOAD, "",
                         "each invoice must be an object with externalReference");
        return false;
    }
    return daraja_take_words(&b, &field_external_reference, out);
}

struct json_object *daraja_bill_open(struct span body, bool bulk, struct json_scratch *scratch,
                                     struct daraja_error *error)
{
    struct daraja_body b;
    const char *why = "it must be a list of 1 to 1000 invoices";
    if (!bulk) {
        return daraja_body_open(&b, body, scratch, error) ? b.object : NULL;
    }
    struct json_object *list = json_parse(scratch, body, &why);
    if (list == NULL || !json_is_array(list) || json_count(list) == 0 ||
        json_count(list) > DARAJA_BILL_BULK_MAX) {
        daraja_error_set(error, DARAJA_ERROR_INVALID_PAYLOAD, "", why);
        return NULL;
    }
    return list;
}

bool daraja_acknowledgement_parse(struct span body, struct json_scratch *scratch,
                                  struct span *receipt, struct daraja_error *error)
{
    struct daraja_body b;
    struct span ignored;
    int64_t minor;
    return daraja_body_open(&b, body, scratch, error) &&
           daraja_take_words(&b, &field_paid_date, &ignored) &&
           daraja_take_amount(&b, &field_paid_amount, DARAJA_AMOUNT_MAX_MINOR, true, &minor) &&
           daraja_take_words(&b, &field_account, &ignored) &&
           daraja_take_words(&b, &field_paid_transaction, receipt) &&
           daraja_take_words(&b, &field_paid_phone, &ignored) &&
           daraja_take_words(&b, &field_paid_name, &ignored) &&
           daraja_take_words(&b, &field_title, &ignored) &&
           daraja_take_optional_words(&b, &field_external_reference, &ignored);
}

/* ---- answers ---- */

void daraja_bill_done_render(struct writer *w, const char *app_key, const char *message,
                             bool with_errors)
{
    json_open(w, '{');
    if (app_key != NULL) {
        json_field_text(w, "app_key", app_key);
    }
    if (message != NULL) {
        json_field_text(w, "Status_Message", message);
    }
    json_field_text(w, "resmsg", "Success");
    json_field_text(w, "rescode", "200");
    if (with_errors) {
        json_key(w, "errors");
        json_open(w, '[');
        json_close(w, ']');
    }
    json_close(w, '}');
}

void daraja_bill_refused_render(struct writer *w, enum daraja_bill_refusal refusal)
{
    static const struct {
        const char *message;
        const char *resmsg;
        const char *rescode;
    } rows[DARAJA_BILL_REFUSALS] = {
        [DARAJA_BILL_REGISTERED] = {"Biller already Registered", "Action Forbidden", "409"},
        [DARAJA_BILL_NO_BILLER] = {"Invalid consumerkey/shortcode", "Action Forbidden", "409"},
        [DARAJA_BILL_REFERENCE_TAKEN] =
            {"Another entry exists with the same externalReference number", "Action Forbidden",
             "409"},
        [DARAJA_BILL_PHONE] = {"Incorrect phone number format", "Action Forbidden", "409"},
        [DARAJA_BILL_DUE_DATE] = {"Incorrect due date format", "Action Forbidden", "409"},
        [DARAJA_BILL_PAID] = {"Partially or fully paid invoices cannot be cancelled.", "Conflict",
                              "409"},
        [DARAJA_BILL_NO_INVOICE] = {"Invoice does not exist.", "Not Found", "404"},
        [DARAJA_BILL_NO_PAYMENT] = {"Transaction does not exist.", "Not Found", "404"},
    };
    CHECK(refusal > 0 && refusal < DARAJA_BILL_REFUSALS);
    bool of_cancel = refusal == DARAJA_BILL_PAID;
    json_open(w, '{');
    json_field_text(w, "Status_Message", rows[refusal].message);
    json_field_text(w, "resmsg", rows[refusal].resmsg);
    json_field_text(w, "rescode", rows[refusal].rescode);
    if (of_cancel) {
        json_key(w, "errors");
        json_open(w, '[');
        json_close(w, ']');
    }
    json_close(w, '}');
}

void daraja_bill_payment_render(struct writer *w, const struct daraja_bill_payment *p)
{
    char amount[MONEY_TEXT_MAX];
    size_t size = money_format(p->amount_minor, amount);
    bool whole = p->amount_minor % MONEY_MINOR_PER_MAJOR == 0;
    json_open(w, '{');
    json_field_text(w, "transactionId", p->transaction_id);
    json_field_string(w, "paidAmount", (struct span){amount, whole ? size - 3 : size});
    daraja_field_digits(w, "msisdn", p->msisdn);
    json_field_text(w, "dateCreated", p->date);
    json_field_string(w, "accountReference", p->account);
    daraja_field_digits(w, "shortCode", p->short_code);
    json_close(w, '}');
}
