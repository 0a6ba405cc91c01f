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
#include "wire/daraja_result.h"

enum {
    AMOUNT_MAX_MINOR = 250000 * MONEY_MINOR_PER_MAJOR,
    TEXT_CHARACTERS_MAX = 100,
    CHECKOUT_ID_BYTES_MAX = 63,
    SHOWN_BYTES_MAX = 24, /* of a wrong value, in an explanation */
    PHONE_DIGITS = 12,
    TIMESTAMP_DIGITS = 14,
};

/* How much of a wrong value an explanation may repeat. */
enum shown {
    SHOWN_FULL,  /* its beginning */
    SHOWN_PHONE, /* four characters and how many there are */
    SHOWN_NEVER, /* secrets, and texts of customers */
};

struct field {
    const char *name;
    const char *reported; /* the name in the error message; not always the same */
    const char *rule;     /* to be read after the name */
    enum shown shown;
    bool string_only;
};

#define RULE_SHORT_CODE "must be 5 to 7 digits"
#define RULE_PHONE      "must be 12 digits like 254712345678"

static const struct field field_short_code = {"BusinessShortCode", "BusinessShortCode",
                                              RULE_SHORT_CODE, SHOWN_FULL, false};
static const struct field field_password = {
    "Password", "Password", "must be base64 of short code, passkey and timestamp, one text",
    SHOWN_NEVER, true};
static const struct field field_timestamp = {"Timestamp", "Timestamp",
                                             "must be a date and time as 14 digits, YYYYMMDDHHmmss",
                                             SHOWN_FULL, false};
static const struct field field_type = {"TransactionType", "TransactionType",
                                        "must be CustomerPayBillOnline or CustomerBuyGoodsOnline",
                                        SHOWN_FULL, true};
static const struct field field_amount = {
    "Amount", "Amount", "must be whole shillings from 1 to 250000", SHOWN_FULL, false};
static const struct field field_party_a = {"PartyA", "PartyA", RULE_PHONE, SHOWN_PHONE, false};
static const struct field field_party_b = {"PartyB", "PartyB", RULE_SHORT_CODE, SHOWN_FULL, false};
static const struct field field_phone = {"PhoneNumber", "PhoneNumber", RULE_PHONE, SHOWN_PHONE,
                                         false};
static const struct field field_callback_url = {
    "CallBackURL", "CallBackURL", "must be an absolute http or https URL", SHOWN_NEVER, true};
static const struct field field_reference = {"AccountReference", "AccountReference",
                                             "must be 1 to 100 characters", SHOWN_NEVER, false};
static const struct field field_desc = {
    "TransactionDesc", "Remarks", "must be 1 to 100 characters (Daraja reports it as Remarks)",
    SHOWN_NEVER, false};
static const struct field field_checkout_id = {"CheckoutRequestID", "CheckoutRequestID",
                                               "must be the id that the push was answered with",
                                               SHOWN_FULL, true};

struct request {
    struct json_scratch *scratch;
    struct json_object *object;
    struct daraja_error *error;
};

/* ---- Refusing ------------------------------------------------------------------------------ */

static bool is_digits(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.size > 0;
}

/* "; got 0712... (10 digits)" */
static void explain_value(struct writer *w, enum shown shown, struct span value)
{
    if (shown == SHOWN_NEVER) {
        return;
    }
    size_t most = shown == SHOWN_PHONE ? 4 : SHOWN_BYTES_MAX;
    bool cut = value.size > most;
    json_raw(w, "; got ");
    put_raw(w, value.size == 0 ? "nothing" : value.data,
            value.size == 0 ? 7
            : cut           ? most
                            : value.size);
    if (cut) {
        char count[MONEY_TEXT_MAX];
        size_t size = money_format((int64_t)value.size * MONEY_MINOR_PER_MAJOR, count);
        json_raw(w, "... (");
        put_raw(w, count, size - 3);
        json_raw(w, is_digits(value) ? " digits)" : " bytes)");
    }
}

/* Names the field in Daraja's words, and says in ours what is wrong with it. Always false. */
static bool refuse(struct request *r, const struct field *field, const char *rule,
                   const struct span *value)
{
    char sentence[sizeof(r->error->explain)];
    struct writer w = writer_init(sentence, sizeof(sentence) - 1);
    json_raw(&w, field->name);
    json_raw(&w, " ");
    json_raw(&w, rule);
    if (value != NULL) {
        explain_value(&w, field->shown, *value);
    }
    sentence[w.size] = '\0';
    daraja_error_set(r->error, DARAJA_ERROR_INVALID_FIELD, field->reported, sentence);
    return false;
}

static bool refuse_value(struct request *r, const struct field *field, struct span value)
{
    return refuse(r, field, field->rule, &value);
}

/* ---- Reading fields ------------------------------------------------------------------------ */

static bool request_open(struct request *r, struct span body)
{
    const char *why = "it must be one object";
    r->object = json_parse(r->scratch, body, &why);
    if (r->object != NULL && json_is_object(r->object)) {
        return true;
    }
    char sentence[sizeof(r->error->explain)];
    struct writer w = writer_init(sentence, sizeof(sentence) - 1);
    json_raw(&w, "The body is not the JSON that is expected: ");
    json_raw(&w, why);
    sentence[w.size] = '\0';
    daraja_error_set(r->error, DARAJA_ERROR_INVALID_PAYLOAD, "", sentence);
    return false;
}

static bool take_text(struct request *r, const struct field *field, struct span *out)
{
    struct json_object *value = json_member(r->object, field->name);
    bool good = field->string_only ? json_string(value, out) : json_text(r->scratch, value, out);
    if (good) {
        return true;
    }
    if (value == NULL || json_is_null(value)) {
        return refuse(r, field, value == NULL ? "is missing" : "is null", NULL);
    }
    return refuse(r, field, field->rule, NULL);
}

static bool take_short_code(struct request *r, const struct field *field, uint32_t *out)
{
    struct span text;
    uint64_t number;
    if (!take_text(r, field, &text)) {
        return false;
    }
    if (text.size < 5 || text.size > 7 || text.data[0] == '0' || !span_parse_u64(text, &number)) {
        return refuse_value(r, field, text);
    }
    *out = (uint32_t)number;
    return true;
}

static bool take_phone(struct request *r, const struct field *field, uint64_t *out)
{
    struct span text;
    if (!take_text(r, field, &text)) {
        return false;
    }
    bool kenyan_mobile = span_starts_with(text, SPAN_LITERAL("2547")) ||
                         span_starts_with(text, SPAN_LITERAL("2541"));
    if (text.size != PHONE_DIGITS || !kenyan_mobile || !span_parse_u64(text, out)) {
        return refuse_value(r, field, text);
    }
    return true;
}

static bool take_password(struct request *r, struct span *out)
{
    if (!take_text(r, &field_password, out)) {
        return false;
    }
    return (out->size > 0 && out->size <= DARAJA_PASSWORD_BYTES_MAX) ||
           refuse_value(r, &field_password, *out);
}

/* Any date: many clients send UTC or their own clock, and only its place in Password counts. */
static bool take_timestamp(struct request *r, struct span *out)
{
    int64_t ignored_ns;
    if (!take_text(r, &field_timestamp, out)) {
        return false;
    }
    return (out->size == TIMESTAMP_DIGITS && eat_stamp_parse(*out, &ignored_ns)) ||
           refuse_value(r, &field_timestamp, *out);
}

static bool take_type(struct request *r, enum daraja_transaction_type *out)
{
    struct span text;
    if (!take_text(r, &field_type, &text)) {
        return false;
    }
    if (span_is(text, "CustomerPayBillOnline")) {
        *out = DARAJA_PAYBILL_ONLINE;
        return true;
    }
    if (span_is(text, "CustomerBuyGoodsOnline")) {
        *out = DARAJA_BUY_GOODS_ONLINE;
        return true;
    }
    return refuse_value(r, &field_type, text);
}

/* "1", "1.0" and "1.00" are one shilling; "1.50" is not whole, "1e2" is no amount. */
static bool take_amount(struct request *r, int64_t *out)
{
    struct span text;
    int64_t minor;
    if (!take_text(r, &field_amount, &text)) {
        return false;
    }
    if (!money_parse(text, &minor) || minor <= 0 || minor > AMOUNT_MAX_MINOR ||
        minor % MONEY_MINOR_PER_MAJOR != 0) {
        return refuse_value(r, &field_amount, text);
    }
    *out = minor;
    return true;
}

static bool take_callback_url(struct request *r, const struct daraja_url_rule *rule,
                              struct span *out)
{
    if (!take_text(r, &field_callback_url, out)) {
        return false;
    }
    const char *refusal = daraja_url_refusal(*out, rule);
    return refusal == NULL || refuse(r, &field_callback_url, refusal, NULL);
}

/* The documented lengths are advice; what a prompt can hold is the operator's to judge. */
static bool take_words(struct request *r, const struct field *field, struct span *out)
{
    size_t characters = 0;
    if (!take_text(r, field, out)) {
        return false;
    }
    for (size_t i = 0; i < out->size; i++) {
        uint8_t c = (uint8_t)out->data[i];
        if (c < ' ' || c == 0x7f) {
            return refuse(r, field, "must not hold control characters", NULL);
        }
        characters += (c & 0xc0) != 0x80; /* the first byte of each */
    }
    return (characters >= 1 && characters <= TEXT_CHARACTERS_MAX) || refuse_value(r, field, *out);
}

static bool take_checkout_id(struct request *r, struct span *out)
{
    if (!take_text(r, &field_checkout_id, out)) {
        return false;
    }
    return (out->size > 0 && out->size <= CHECKOUT_ID_BYTES_MAX) ||
           refuse_value(r, &field_checkout_id, *out);
}

/* ---- Requests ------------------------------------------------------------------------------ */

bool daraja_stk_push_parse(struct span body, const struct daraja_url_rule *rule,
                           struct json_scratch *scratch, struct daraja_stk_push *out,
                           struct daraja_error *error)
{
    struct request r = {scratch, NULL, error};
    return request_open(&r, body) &&
           take_short_code(&r, &field_short_code, &out->business_short_code) &&
           take_password(&r, &out->password) && take_timestamp(&r, &out->timestamp) &&
           take_type(&r, &out->type) && take_amount(&r, &out->amount_minor) &&
           take_phone(&r, &field_party_a, &out->party_a) &&
           take_short_code(&r, &field_party_b, &out->party_b) &&
           take_phone(&r, &field_phone, &out->phone_number) &&
           take_callback_url(&r, rule, &out->callback_url) &&
           take_words(&r, &field_reference, &out->account_reference) &&
           take_words(&r, &field_desc, &out->transaction_desc);
}

bool daraja_stk_query_parse(struct span body, struct json_scratch *scratch,
                            struct daraja_stk_query *out, struct daraja_error *error)
{
    struct request r = {scratch, NULL, error};
    return request_open(&r, body) &&
           take_short_code(&r, &field_short_code, &out->business_short_code) &&
           take_password(&r, &out->password) && take_timestamp(&r, &out->timestamp) &&
           take_checkout_id(&r, &out->checkout_request_id);
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
    return is_digits(code) && code.size <= 18 && (code.size == 1 || code.data[0] != '0');
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
    CHECK(result->receipt[0] != '\0' && is_digits(span_from(result->transaction_date)));
    (void)money_format(result->amount_minor, amount);
    json_key(w, "CallbackMetadata");
    json_open(w, '{');
    json_key(w, "Item");
    json_open(w, '[');
    render_number_item(w, "Amount", amount);
    render_item(w, "MpesaReceiptNumber");
    json_field_text(w, "Value", result->receipt);
    json_close(w, '}');
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

void daraja_stk_callback_render(struct writer *w, const struct daraja_stk_result *result)
{
    struct span code = span_from(result->result_code);
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
    if (span_is(code, "0")) {
        render_metadata(w, result);
    }
    json_close(w, '}');
    json_close(w, '}');
    json_close(w, '}');
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
        out->has_amount = money_parse(value, &out->amount_minor);
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
