/*
 * daraja_stk.c - see daraja_stk.h.
 *
 * Fields are checked in Daraja's order, and the first that is wrong is the one that is named. What
 * Daraja is known to let through is let through here: numbers as strings and strings as numbers,
 * texts longer than documented, a PartyB that is not the short code.
 */
#include "wire/daraja_stk.h"

#include <string.h>

#include "base/caltime.h"
#include "base/ids.h"
#include "base/money.h"
#include "wire/ascii.h"
#include "wire/daraja_answer.h"
#include "wire/daraja_fields.h"
#include "wire/daraja_result.h"
#include "wire/liberal.h"

enum {
    CHECKOUT_ID_BYTES_MAX = 63,
    TIMESTAMP_DIGITS = 14,
};

static const struct daraja_field field_password = {
    "Password",         NULL, NULL, "must be base64 of short code, passkey and timestamp, one text",
    DARAJA_SHOWN_NEVER, true};
static const struct daraja_field field_timestamp = {
    "Timestamp",       NULL, NULL, "must be a date and time as 14 digits, YYYYMMDDHHmmss",
    DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_type = {
    "TransactionType", NULL, NULL, "must be CustomerPayBillOnline or CustomerBuyGoodsOnline",
    DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_phone = {"PhoneNumber",      NULL, NULL, DARAJA_RULE_PHONE,
                                                DARAJA_SHOWN_PHONE, false};
static const struct daraja_field field_desc = {
    "TransactionDesc",  NULL, "Remarks", "must be 1 to 100 bytes (Daraja reports it as Remarks)",
    DARAJA_SHOWN_NEVER, false};
static const struct daraja_field field_checkout_id = {
    "CheckoutRequestID", NULL, NULL, "must be the id that the push was answered with",
    DARAJA_SHOWN_FULL,   true};

/* ---- Reading fields ------------------------------------------------------------------------ */

static bool take_password(struct daraja_body *b, struct span *out)
{
    if (!daraja_take_text(b, &field_password, out)) {
        return false;
    }
    return (out->size > 0 && out->size <= DARAJA_PASSWORD_BYTES_MAX) ||
           daraja_field_refuse(b, &field_password, field_password.rule, out);
}

/* Any date: many clients send UTC or their own clock, and only its place in Password counts. */
static bool take_timestamp(struct daraja_body *b, struct span *out)
{
    int64_t ignored_ns;
    if (!daraja_take_text(b, &field_timestamp, out)) {
        return false;
    }
    return (out->size == TIMESTAMP_DIGITS && eat_stamp_parse(*out, &ignored_ns)) ||
           daraja_field_refuse(b, &field_timestamp, field_timestamp.rule, out);
}

static bool take_transaction_type(struct daraja_body *b, enum daraja_transaction_type *out)
{
    static const char *const names[] = {"CustomerPayBillOnline", "CustomerBuyGoodsOnline"};
    uint32_t index;
    if (!daraja_take_choice(b, &field_type, names, 2, &index)) {
        return false;
    }
    *out = index == 0 ? DARAJA_PAYBILL_ONLINE : DARAJA_BUY_GOODS_ONLINE;
    return true;
}

static bool take_checkout_id(struct daraja_body *b, struct span *out)
{
    if (!daraja_take_text(b, &field_checkout_id, out)) {
        return false;
    }
    return (out->size > 0 && out->size <= CHECKOUT_ID_BYTES_MAX) ||
           daraja_field_refuse(b, &field_checkout_id, field_checkout_id.rule, out);
}

/* ---- Requests ------------------------------------------------------------------------------ */

bool daraja_stk_push_parse(struct span body, const struct daraja_url_rule *rule,
                           struct json_scratch *scratch, struct daraja_stk_push *out,
                           struct daraja_error *error)
{
    struct daraja_body b;
    return daraja_body_open(&b, body, scratch, error) &&
           daraja_take_short_code(&b, &daraja_field_business_short_code,
                                  &out->business_short_code) &&
           take_password(&b, &out->password) && take_timestamp(&b, &out->timestamp) &&
           take_transaction_type(&b, &out->type) &&
           daraja_take_amount(&b, &daraja_field_limited_amount, DARAJA_TRANSACTION_MAX_MINOR, false,
                              &out->amount_minor) &&
           daraja_take_phone(&b, &daraja_field_party_a_phone, &out->party_a) &&
           daraja_take_short_code(&b, &daraja_field_party_b_code, &out->party_b) &&
           daraja_take_phone(&b, &field_phone, &out->phone_number) &&
           daraja_take_url(&b, &daraja_field_callback_url, rule, &out->callback_url) &&
           daraja_take_words(&b, &daraja_field_account_reference, &out->account_reference) &&
           daraja_take_words(&b, &field_desc, &out->transaction_desc);
}

bool daraja_stk_query_parse(struct span body, struct json_scratch *scratch,
                            struct daraja_stk_query *out, struct daraja_error *error)
{
    struct daraja_body b;
    return daraja_body_open(&b, body, scratch, error) &&
           daraja_take_short_code(&b, &daraja_field_business_short_code,
                                  &out->business_short_code) &&
           take_password(&b, &out->password) && take_timestamp(&b, &out->timestamp) &&
           take_checkout_id(&b, &out->checkout_request_id);
}

/* ---- Answers ------------------------------------------------------------------------------- */

static void render_ids(struct writer *w, const struct daraja_stk_ids *ids)
{
    json_field_text(w, "MerchantRequestID", ids->merchant_request_id);
    json_field_text(w, "CheckoutRequestID", ids->checkout_request_id);
}

void daraja_stk_accepted_render(struct writer *w, const struct daraja_stk_ids *ids)
{
    json_open(w, '{');
    render_ids(w, ids);
    json_field_text(w, "ResponseCode", "0");
    json_field_text(w, "ResponseDescription", "Success. Request accepted for processing");
    json_field_text(w, "CustomerMessage", "Success. Request accepted for processing");
    json_close(w, '}');
}

/* "successsfully" with three s: so it comes over the wire. */
static void render_query_answer(struct writer *w, const struct daraja_stk_ids *ids,
                                const char *result_code, const char *result_desc)
{
    json_open(w, '{');
    json_field_text(w, "ResponseCode", "0");
    json_field_text(w, "ResponseDescription",
                    "The service request has been accepted successsfully");
    render_ids(w, ids);
    json_field_text(w, "ResultCode", result_code);
    json_field_text(w, "ResultDesc", result_desc);
    json_close(w, '}');
}

void daraja_stk_query_result_render(struct writer *w, const struct daraja_stk_result *result)
{
    render_query_answer(w, &result->ids, result->result_code, result->result_desc);
}

void daraja_stk_query_pending_render(struct writer *w, const struct daraja_stk_ids *ids)
{
    const struct daraja_result_text *text = daraja_result_text(DARAJA_RESULT_UNDER_PROCESSING);
    render_query_answer(w, ids, text->code, text->desc);
}

/* ---- The callback -------------------------------------------------------------------------- */

static bool is_json_integer(struct span code)
{
    return ascii_is_digits(code) && code.size <= 18 && (code.size == 1 || code.data[0] != '0');
}

static void render_item(struct writer *w, const char *name)
{
    json_open(w, '{');
    json_field_text(w, "Name", name);
}

static void render_number_item(struct writer *w, const char *name, const char *number)
{
    render_item(w, name);
    json_key(w, "Value");
    json_raw(w, number);
    json_close(w, '}');
}

static void render_metadata(struct writer *w, const struct daraja_stk_result *result)
{
    char amount[MONEY_TEXT_MAX];
    CHECK(result->amount_minor >= 0);
    CHECK(ascii_is_digits(span_from(result->transaction_date)));
    (void)money_format(result->amount_minor, amount);
    json_key(w, "CallbackMetadata");
    json_open(w, '{');
    json_key(w, "Item");
    json_open(w, '[');
    render_number_item(w, "Amount", amount);
    if (result->receipt[0] != '\0') { /* not known when only a query said that it was paid */
        render_item(w, "MpesaReceiptNumber");
        json_field_text(w, "Value", result->receipt);
        json_close(w, '}');
    }
    render_item(w, "Balance"); /* without a value, as it has come for years */
    json_close(w, '}');
    render_number_item(w, "TransactionDate", result->transaction_date);
    render_item(w, "PhoneNumber");
    json_field_u64(w, "Value", result->phone_number);
    json_close(w, '}');
    json_close(w, ']');
    json_close(w, '}');
}

static const char *end_desc(const struct daraja_stk_end *end)
{
    const struct daraja_result_text *text = daraja_result_find(span_from(end->result_code));
    if (end->words != NULL && end->words[0] != '\0') {
        return end->words;
    }
    if (end->unanswered) {
        text = daraja_result_text(DARAJA_RESULT_NO_RESPONSE);
    } else if (text == NULL) {
        text = daraja_result_text(DARAJA_RESULT_RULE_LIMITED);
    }
    return text->desc;
}

void daraja_stk_result_of(const struct daraja_stk_end *end, struct daraja_stk_result *out)
{
    memset(out, 0, sizeof(*out));
    id_merchant_request_format((uint64_t)end->accepted_ns, end->number,
                               out->ids.merchant_request_id);
    id_checkout_format(end->accepted_ns, end->checkout_serial, end->msisdn,
                       out->ids.checkout_request_id);
    out->result_code = end->result_code;
    out->result_desc = end_desc(end);
    out->amount_minor = end->amount_minor;
    if (span_is(span_from(end->result_code), "0")) {
        id_receipt_format(end->receipt_day, end->receipt_serial, out->receipt);
    }
    (void)eat_stamp_format(end->ended_ns, out->transaction_date);
    out->phone_number = end->msisdn;
}

void daraja_stk_result_tell(struct daraja_stk_result *out, const char *code, const char *words)
{
    const struct daraja_result_text *text = daraja_result_find(span_from(code));
    out->result_code = code;
    out->result_desc = words[0] != '\0' ? words
                       : text != NULL   ? text->desc
                                        : "The service request failed.";
}

void daraja_stk_result_bend(const struct daraja_stk_end *end, const struct rule_effects *effects,
                            struct daraja_stk_result *out)
{
    enum { LIES_FROM = 1295 };
    uint64_t shard = (uint64_t)60466176; /* 36 to the 5th */
    if (effects->callback_code[0] != '\0') {
        daraja_stk_result_tell(out, effects->callback_code, effects->callback_text);
    }
    if (effects->callback_amount_minor >= 0) {
        out->amount_minor = effects->callback_amount_minor;
    }
    if (out->receipt[0] == '\0') {
        id_receipt_format(eat_day_number(end->ended_ns), LIES_FROM * shard + end->number % shard,
                          out->receipt);
    }
    out->cut = effects->cut;
    out->no_metadata = effects->no_metadata;
}

void daraja_stk_callback_render(struct writer *w, const struct daraja_stk_result *result)
{
    struct span code = span_from(result->result_code);
    size_t start = w->size;
    json_open(w, '{');
    json_key(w, "Body");
    json_open(w, '{');
    json_key(w, "stkCallback");
    json_open(w, '{');
    render_ids(w, &result->ids);
    json_key(w, "ResultCode");
    if (is_json_integer(code)) {
        json_raw(w, result->result_code);
    } else {
        json_put_string(w, code);
    }
    json_field_text(w, "ResultDesc", result->result_desc);
    if (span_is(code, "0") && !result->no_metadata) {
        render_metadata(w, result);
    }
    json_close(w, '}');
    json_close(w, '}');
    json_close(w, '}');
    if (result->cut && !w->overflow) {
        w->size = start + (w->size - start) / 2;
    }
}

static void callback_take_item(struct json_scratch *scratch, const struct json_object *item,
                               struct daraja_stk_callback *out)
{
    struct span name, value;
    if (!json_string(json_member(item, "Name"), &name) ||
        !json_text(scratch, json_member(item, "Value"), &value)) {
        return;
    }
    if (span_is(name, "Amount")) {
        out->has_amount = liberal_amount(value, &out->amount_minor) && out->amount_minor >= 0;
    } else if (span_is(name, "MpesaReceiptNumber")) {
        out->receipt = value;
    } else if (span_is(name, "TransactionDate")) {
        out->transaction_date = value;
    } else if (span_is(name, "PhoneNumber")) {
        out->phone_number = value;
    }
}

/* Lists of one are known to arrive as the bare object. */
static void callback_take_items(struct json_scratch *scratch, const struct json_object *items,
                                struct daraja_stk_callback *out)
{
    if (json_is_object(items)) {
        callback_take_item(scratch, items, out);
    }
    for (size_t i = 0; i < json_count(items); i++) {
        callback_take_item(scratch, json_item(items, i), out);
    }
}

bool daraja_stk_callback_parse(struct span body, struct json_scratch *scratch,
                               struct daraja_stk_callback *out)
{
    const char *why;
    memset(out, 0, sizeof(*out));
    struct json_object *root = json_parse(scratch, body, &why);
    struct json_object *callback = json_member(json_member(root, "Body"), "stkCallback");
    if (!json_string(json_member(callback, "CheckoutRequestID"), &out->checkout_request_id) ||
        out->checkout_request_id.size == 0 ||
        !json_text(scratch, json_member(callback, "ResultCode"), &out->result_code) ||
        out->result_code.size == 0) {
        return false;
    }
    /* A claim without these two is a claim all the same. */
    (void)json_string(json_member(callback, "MerchantRequestID"), &out->merchant_request_id);
    (void)json_string(json_member(callback, "ResultDesc"), &out->result_desc);
    struct json_object *metadata = json_member(callback, "CallbackMetadata");
    callback_take_items(scratch, json_member(metadata, "Item"), out);
    return true;
}

/* ---- The client's direction ---------------------------------------------------------------- */

void daraja_stk_push_render(struct writer *w, const struct daraja_stk_push *push)
{
    CHECK(push->amount_minor > 0 && push->amount_minor % MONEY_MINOR_PER_MAJOR == 0);
    json_open(w, '{');
    daraja_field_digits(w, daraja_field_business_short_code.name, push->business_short_code);
    json_field_string(w, field_password.name, push->password);
    json_field_string(w, field_timestamp.name, push->timestamp);
    json_field_text(w, field_type.name,
                    push->type == DARAJA_PAYBILL_ONLINE ? "CustomerPayBillOnline"
                                                        : "CustomerBuyGoodsOnline");
    daraja_field_shillings(w, daraja_field_limited_amount.name, push->amount_minor);
    daraja_field_digits(w, daraja_field_party_a_phone.name, push->party_a);
    daraja_field_digits(w, daraja_field_party_b_code.name, push->party_b);
    daraja_field_digits(w, field_phone.name, push->phone_number);
    json_field_string(w, daraja_field_callback_url.name, push->callback_url);
    json_field_string(w, daraja_field_account_reference.name, push->account_reference);
    json_field_string(w, field_desc.name, push->transaction_desc);
    json_close(w, '}');
}

void daraja_stk_query_render(struct writer *w, const struct daraja_stk_query *query)
{
    json_open(w, '{');
    daraja_field_digits(w, daraja_field_business_short_code.name, query->business_short_code);
    json_field_string(w, field_password.name, query->password);
    json_field_string(w, field_timestamp.name, query->timestamp);
    json_field_string(w, field_checkout_id.name, query->checkout_request_id);
    json_close(w, '}');
}

bool daraja_stk_accepted_parse(const struct json_object *object, struct json_scratch *scratch,
                               struct daraja_stk_accepted *out)
{
    out->merchant_request_id = daraja_text(scratch, object, "MerchantRequestID", NULL);
    out->checkout_request_id = daraja_text(scratch, object, "CheckoutRequestID", NULL);
    out->response_code = daraja_text(scratch, object, "ResponseCode", NULL);
    out->description = daraja_text(scratch, object, "ResponseDescription", "CustomerMessage");
    return out->response_code.size > 0;
}

bool daraja_stk_query_answer_parse(const struct json_object *object, struct json_scratch *scratch,
                                   struct daraja_stk_query_answer *out)
{
    out->merchant_request_id = daraja_text(scratch, object, "MerchantRequestID", NULL);
    out->checkout_request_id = daraja_text(scratch, object, "CheckoutRequestID", NULL);
    out->result_code = daraja_text(scratch, object, "ResultCode", NULL);
    out->result_desc = daraja_text(scratch, object, "ResultDesc", NULL);
    out->in_flight = span_is(out->result_code, "4999") ||
                     daraja_says(out->result_desc, "under processing") ||
                     daraja_says(out->result_desc, "being processed");
    return out->result_code.size > 0;
}
