/*
 * daraja_ratiba.c - see daraja_ratiba.h.
 */
#include "wire/daraja_ratiba.h"

#include <string.h>

#include "base/caltime.h"
#include "base/money.h"
#include "wire/daraja_fields.h"

#define RULE_DATE "must be a date like 20260131"

static const struct daraja_field field_order_name = {
    "StandingOrderName", NULL, NULL, DARAJA_RULE_WORDS, DARAJA_SHOWN_NEVER, false};
static const struct daraja_field field_start_date = {"StartDate",       NULL, NULL, RULE_DATE,
                                                     DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_end_date = {"EndDate",         NULL, NULL, RULE_DATE,
                                                   DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_order_type = {
    "TransactionType",
    NULL,
    NULL,
    "must be Standing Order Customer Pay Bill or Standing Order Customer Pay Marchant",
    DARAJA_SHOWN_FULL,
    false};
static const struct daraja_field field_receiver_party_type = {
    "ReceiverPartyIdentifierType",
    "RecieverPartyIdentifierType",
    NULL,
    "must be 4 for a paybill or 2 for a till, as TransactionType says",
    DARAJA_SHOWN_FULL,
    false};
static const struct daraja_field field_description = {
    "TransactionDesc", NULL, NULL, "must be at most 100 bytes", DARAJA_SHOWN_NEVER, false};
static const struct daraja_field field_frequency = {
    "Frequency", NULL, NULL, "must be 1 (one off) to 8 (yearly)", DARAJA_SHOWN_FULL, false};

/* ---- request ---- */

/* "20260131" */
static bool take_date(struct daraja_body *b, const struct daraja_field *field, uint32_t *out)
{
    enum { YEAR_FIRST = 1970, YEAR_LAST = 2100, DIGITS = 8 };
    struct span text;
    uint64_t digits;
    if (!daraja_take_text(b, field, &text)) {
        return false;
    }
    if (text.size != DIGITS || !span_parse_u64(text, &digits)) {
        return daraja_field_refuse(b, field, field->rule, &text);
    }
    struct civil date = {.year = (int32_t)(digits / 10000),
                         .month = (uint32_t)(digits / 100 % 100),
                         .day = (uint32_t)(digits % 100)};
    if (date.year < YEAR_FIRST || date.year > YEAR_LAST || !civil_exists(&date)) {
        return daraja_field_refuse(b, field, field->rule, &text);
    }
    *out = civil_to_day(&date);
    return true;
}

static bool take_dates(struct daraja_body *b, uint32_t today, struct daraja_ratiba *out)
{
    if (!take_date(b, &field_start_date, &out->start_day)) {
        return false;
    }
    if (out->start_day < today) {
        return daraja_field_refuse(b, &field_start_date, "must not be in the past", NULL);
    }
    if (!take_date(b, &field_end_date, &out->end_day)) {
        return false;
    }
    return out->end_day >= out->start_day ||
           daraja_field_refuse(b, &field_end_date, "must not be before StartDate", NULL);
}

/* "Marchant" is the documented spelling; clients send the other one as well. */
static bool take_types(struct daraja_body *b, struct daraja_ratiba *out)
{
    static const char *const types[] = {"Standing Order Customer Pay Bill",
                                        "Standing Order Customer Pay Marchant",
                                        "Standing Order Customer Pay Merchant"};
    static const char *const receivers[] = {"4", "2"};
    uint32_t type = 0;
    uint32_t receiver = 0;
    if (!daraja_take_choice(b, &field_order_type, types, 3, &type) ||
        !daraja_take_choice(b, &field_receiver_party_type, receivers, 2, &receiver)) {
        return false;
    }
    out->buy_goods = type != 0;
    return (receiver == 1) == out->buy_goods ||
           daraja_field_refuse(b, &field_receiver_party_type, field_receiver_party_type.rule, NULL);
}

static bool take_texts(struct daraja_body *b, const struct daraja_url_rule *rule,
                       struct daraja_ratiba *out)
{
    return daraja_take_url(b, &daraja_field_callback_url, rule, &out->callback_url) &&
           (out->buy_goods
                ? daraja_take_optional_words(b, &daraja_field_account_reference, &out->reference)
                : daraja_take_words(b, &daraja_field_account_reference, &out->reference)) &&
           daraja_take_optional_words(b, &field_description, &out->description);
}

bool daraja_ratiba_parse(struct span body, const struct daraja_url_rule *rule, uint32_t today,
                         struct json_scratch *scratch, struct daraja_ratiba *out,
                         struct daraja_error *error)
{
    static const char *const frequencies[] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    struct daraja_body b;
    uint32_t frequency = 0;
    memset(out, 0, sizeof(*out));
    bool good = daraja_body_open(&b, body, scratch, error) &&
                daraja_take_words(&b, &field_order_name, &out->name) &&
                take_dates(&b, today, out) &&
                daraja_take_short_code(&b, &daraja_field_business_short_code, &out->short_code) &&
                take_types(&b, out) &&
                daraja_take_amount(&b, &daraja_field_amount, DARAJA_AMOUNT_MAX_MINOR, false,
                                   &out->amount_minor) &&
                daraja_take_phone(&b, &daraja_field_party_a_phone, &out->msisdn) &&
                take_texts(&b, rule, out) &&
                daraja_take_choice(&b, &field_frequency, frequencies, 8, &frequency);
    out->frequency = (uint8_t)(frequency + 1);
    return good;
}

/* ---- answer ---- */

void daraja_ratiba_accepted_render(struct writer *w, struct span response_id)
{
    json_open(w, '{');
    json_key(w, "ResponseHeader");
    json_open(w, '{');
    json_field_string(w, "responseRefID", response_id);
    json_field_text(w, "responseCode", "200");
    json_field_text(w, "responseDescription", "Request accepted for processing");
    json_field_text(w, "ResultDesc", "The service request is processed successfully.");
    json_close(w, '}');
    json_key(w, "ResponseBody");
    json_open(w, '{');
    json_field_text(w, "responseDescription", "Request accepted for processing");
    json_field_text(w, "responseCode", "200");
    json_close(w, '}');
    json_close(w, '}');
}

/* ---- callback ---- */

/* The words of a success and of a failure, whose keys differ in their first letters. */
struct casing {
    const char *header;
    const char *body;
    const char *data;
    const char *name;
    const char *value;
};

static void data_item(struct writer *w, const struct casing *keys, const char *name,
                      struct span value)
{
    json_open(w, '{');
    json_field_text(w, keys->name, name);
    json_field_string(w, keys->value, value);
    json_close(w, '}');
}

/* "254******867" in a success, "*********867" in a failure. */
static struct span masked(uint64_t msisdn, uint32_t shown_first, char out[12])
{
    enum { DIGITS = 12, SHOWN_LAST = 3 };
    for (uint32_t i = DIGITS; i > 0; i--) {
        bool shown = i <= shown_first || i > DIGITS - SHOWN_LAST;
        out[i - 1] = shown ? (char)('0' + msisdn % 10) : '*';
        msisdn /= 10;
    }
    return (struct span){out, DIGITS};
}

void daraja_ratiba_render(struct writer *w, const struct daraja_ratiba_result *r)
{
    static const struct casing success = {"responseHeader", "responseBody", "responseData", "name",
                                          "value"};
    static const struct casing failure = {"ResponseHeader", "ResponseBody", "ResponseData", "Name",
                                          "Value"};
    bool good = strcmp(r->code, "0") == 0;
    const struct casing *keys = good ? &success : &failure;
    char msisdn[12];
    json_open(w, '{');
    json_key(w, keys->header);
    json_open(w, '{');
    json_field_string(w, "responseRefID", r->response_id);
    json_field_string(w, "requestRefID", r->request_id);
    json_field_text(w, "responseCode", r->code);
    json_field_text(w, "responseDescription",
                    good ? "The service request is processed successfully" : r->desc);
    json_close(w, '}');
    json_key(w, keys->body);
    json_open(w, '{');
    json_key(w, keys->data);
    json_open(w, '[');
    data_item(w, keys, "TransactionID", span_from(good ? r->transaction_id : "0000000000"));
    data_item(w, keys, "responseCode", span_from(r->code));
    data_item(w, keys, "Status", span_from(good ? "OKAY" : "ERROR"));
    data_item(w, keys, "Msisdn", masked(r->msisdn, good ? 3 : 0, msisdn));
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, '}');
}
