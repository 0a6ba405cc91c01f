/*
 * paystack.c - see paystack.h.
 */
#include "wire/paystack.h"

#include <string.h>

#include "base/caltime.h"
#include "wire/daraja_answer.h"

static bool is_reference_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '=' || c == '_';
}

bool paystack_reference_is_good(struct span reference)
{
    for (size_t i = 0; i < reference.size; i++) {
        if (!is_reference_character(reference.data[i])) {
            return false;
        }
    }
    return reference.size > 0 && reference.size <= PAYSTACK_REFERENCE_MAX;
}

static void field_maybe(struct writer *w, const char *name, struct span text)
{
    if (text.size > 0) {
        json_field_string(w, name, text);
    }
}

static struct span or_kes(struct span currency)
{
    return currency.size > 0 ? currency : SPAN_LITERAL("KES");
}

/* ---- requests ---- */

static void render_payment(struct writer *w, const struct paystack_payment *payment)
{
    CHECK(payment->amount_minor > 0);
    json_open(w, '{');
    json_field_string(w, "email", payment->email);
    json_field_i64(w, "amount", payment->amount_minor);
    json_field_string(w, "currency", or_kes(payment->currency));
    field_maybe(w, "reference", payment->reference);
    field_maybe(w, "callback_url", payment->callback_url);
}

void paystack_initialize_render(struct writer *w, const struct paystack_payment *payment)
{
    render_payment(w, payment);
    json_key(w, "channels");
    json_open(w, '[');
    json_put_string(w, SPAN_LITERAL("mobile_money"));
    json_close(w, ']');
    json_close(w, '}');
}

void paystack_charge_render(struct writer *w, const struct paystack_payment *payment)
{
    render_payment(w, payment);
    json_key(w, "mobile_money");
    json_open(w, '{');
    json_field_string(w, "phone", payment->phone);
    json_field_string(w, "provider", payment->provider);
    json_close(w, '}');
    json_close(w, '}');
}

/* The body as one object; NULL when it is none. */
static struct json_object *object_of(struct span body, struct json_scratch *scratch)
{
    const char *why;
    struct json_object *object = json_parse(scratch, body, &why);
    return json_is_object(object) ? object : NULL;
}

/* A whole number above zero, also as a string of digits. */
static bool take_positive_amount(struct json_scratch *scratch, const struct json_object *object,
                                 int64_t *out)
{
    struct json_object *value = json_member(object, "amount");
    return value != NULL && json_whole(scratch, value, out) && *out > 0;
}

const char *paystack_payment_parse(struct span body, bool is_charge, struct json_scratch *scratch,
                                   struct paystack_payment *out)
{
    memset(out, 0, sizeof(*out));
    struct json_object *o = object_of(body, scratch);
    if (o == NULL) {
        return "Invalid JSON in request body";
    }
    struct json_object *money = json_member(o, "mobile_money");
    out->email = daraja_text(scratch, o, "email", NULL);
    out->currency = or_kes(daraja_text(scratch, o, "currency", NULL));
    out->reference = daraja_text(scratch, o, "reference", NULL);
    out->callback_url = daraja_text(scratch, o, "callback_url", NULL);
    out->phone = daraja_text(scratch, money, "phone", NULL);
    out->provider = daraja_text(scratch, money, "provider", NULL);
    if (out->email.size < 3 || memchr(out->email.data, '@', out->email.size) == NULL) {
        return "Invalid Email Address Passed";
    }
    if (!take_positive_amount(scratch, o, &out->amount_minor)) {
        return "Invalid Amount Sent";
    }
    if (!span_is(out->currency, "KES")) {
        return "Currency not supported by merchant";
    }
    if (out->reference.size > 0 && !paystack_reference_is_good(out->reference)) {
        return "Invalid transaction reference";
    }
    if (is_charge && (!span_is(out->provider, "mpesa") || out->phone.size == 0)) {
        return "Charge attempted with an unsupported channel";
    }
    return NULL;
}

void paystack_refund_render(struct writer *w, const struct paystack_refund *refund)
{
    CHECK(refund->transaction.size > 0 && refund->amount_minor >= 0);
    json_open(w, '{');
    json_field_string(w, "transaction", refund->transaction);
    if (refund->amount_minor > 0) {
        json_field_i64(w, "amount", refund->amount_minor);
    }
    field_maybe(w, "merchant_note", refund->note);
    json_close(w, '}');
}

const char *paystack_refund_parse(struct span body, struct json_scratch *scratch,
                                  struct paystack_refund *out)
{
    memset(out, 0, sizeof(*out));
    struct json_object *o = object_of(body, scratch);
    out->transaction = daraja_text(scratch, o, "transaction", NULL);
    out->note = daraja_text(scratch, o, "merchant_note", "customer_note");
    if (out->transaction.size == 0) {
        return "Transaction is required";
    }
    return json_member(o, "amount") != NULL && !take_positive_amount(scratch, o, &out->amount_minor)
               ? "Invalid Amount Sent"
               : NULL;
}

void paystack_transfer_render(struct writer *w, const struct paystack_transfer *transfer)
{
    CHECK(transfer->amount_minor > 0 && transfer->reference.size > 0);
    json_open(w, '{');
    json_field_text(w, "source", "balance");
    json_field_i64(w, "amount", transfer->amount_minor);
    json_field_string(w, "recipient", transfer->recipient);
    json_field_string(w, "reference", transfer->reference);
    json_field_text(w, "currency", "KES");
    field_maybe(w, "reason", transfer->reason);
    json_close(w, '}');
}

const char *paystack_transfer_parse(struct span body, struct json_scratch *scratch,
                                    struct paystack_transfer *out)
{
    memset(out, 0, sizeof(*out));
    struct json_object *o = object_of(body, scratch);
    out->recipient = daraja_text(scratch, o, "recipient", NULL);
    out->reference = daraja_text(scratch, o, "reference", NULL);
    out->reason = daraja_text(scratch, o, "reason", NULL);
    if (!span_is(daraja_text(scratch, o, "source", NULL), "balance")) {
        return "Invalid source";
    }
    if (!take_positive_amount(scratch, o, &out->amount_minor)) {
        return "Invalid Amount Sent";
    }
    if (out->recipient.size == 0) {
        return "Recipient is required";
    }
    return out->reference.size > 0 && !paystack_reference_is_good(out->reference)
               ? "Invalid transfer reference"
               : NULL;
}

void paystack_recipient_render(struct writer *w, const struct paystack_recipient *recipient)
{
    json_open(w, '{');
    json_field_text(w, "type", "mobile_money");
    json_field_string(w, "name", recipient->name);
    json_field_string(w, "account_number", recipient->account_number);
    json_field_text(w, "bank_code", "MPESA");
    json_field_text(w, "currency", "KES");
    json_close(w, '}');
}

const char *paystack_recipient_parse(struct span body, struct json_scratch *scratch,
                                     struct paystack_recipient *out)
{
    memset(out, 0, sizeof(*out));
    struct json_object *o = object_of(body, scratch);
    out->name = daraja_text(scratch, o, "name", NULL);
    out->account_number = daraja_text(scratch, o, "account_number", NULL);
    if (!span_is(daraja_text(scratch, o, "type", NULL), "mobile_money")) {
        return "Recipient type is not supported";
    }
    return out->name.size == 0 || out->account_number.size == 0
               ? "Name and account number are required"
               : NULL;
}

/* ---- answers, read ---- */

void paystack_answer_read(struct span body, struct json_scratch *scratch,
                          struct paystack_answer *out)
{
    memset(out, 0, sizeof(*out));
    struct json_object *o = object_of(body, scratch);
    out->is_envelope = json_boolean(json_member(o, "status"), &out->good);
    out->message = daraja_text(scratch, o, "message", NULL);
    struct json_object *data = json_member(o, "data");
    out->data = json_is_object(data) ? data : NULL;
}

static struct span first_text(struct json_scratch *scratch, const struct json_object *a,
                              const char *name, const struct json_object *b, const char *other)
{
    struct span text = daraja_text(scratch, a, name, NULL);
    return text.size > 0 ? text : daraja_text(scratch, b, other, NULL);
}

void paystack_data_read(const struct json_object *data, struct json_scratch *scratch,
                        struct paystack_data *out)
{
    memset(out, 0, sizeof(*out));
    const struct json_object *transaction = json_member(data, "transaction");
    const struct json_object *customer = json_member(data, "customer");
    const struct json_object *authorization = json_member(data, "authorization");
    struct json_object *amount = json_member(data, "amount");
    struct json_object *fees = json_member(data, "fees");
    struct span paid = daraja_text(scratch, data, "paid_at", "paidAt");
    out->reference = first_text(scratch, transaction, "reference", data, "transaction_reference");
    if (out->reference.size == 0) {
        out->reference = daraja_text(scratch, data, "reference", NULL);
    }
    out->status = daraja_text(scratch, data, "status", NULL);
    out->id = daraja_text(scratch, data, "id", NULL);
    out->receipt = daraja_text(scratch, data, "receipt_number", NULL);
    out->currency = daraja_text(scratch, data, "currency", NULL);
    out->channel = daraja_text(scratch, data, "channel", NULL);
    out->words = daraja_text(scratch, data, "gateway_response", NULL);
    if (out->words.size == 0) {
        out->words = daraja_text(scratch, data, "message", "display_text");
    }
    out->payer = daraja_text(scratch, authorization, "mobile_money_number", NULL);
    out->phone = daraja_text(scratch, customer, "phone", NULL);
    out->recipient = daraja_text(scratch, data, "recipient_code", NULL);
    out->authorization_url = daraja_text(scratch, data, "authorization_url", NULL);
    out->has_amount =
        amount != NULL && json_whole(scratch, amount, &out->amount_minor) && out->amount_minor >= 0;
    out->has_fee =
        fees != NULL && json_whole(scratch, fees, &out->fee_minor) && out->fee_minor >= 0;
    if (!rfc3339_parse(paid, &out->paid_ns)) {
        out->paid_ns = 0;
    }
}

/* ---- answers, written ---- */

static void open_answer(struct writer *w, bool good, const char *message)
{
    json_open(w, '{');
    json_field_bool(w, "status", good);
    json_field_text(w, "message", message);
}

void paystack_error_render(struct writer *w, const char *message)
{
    open_answer(w, false, message);
    json_close(w, '}');
}

void paystack_initialized_render(struct writer *w, const char *authorization_url,
                                 const char *access_code, struct span reference)
{
    open_answer(w, true, "Authorization URL created");
    json_key(w, "data");
    json_open(w, '{');
    json_field_text(w, "authorization_url", authorization_url);
    json_field_text(w, "access_code", access_code);
    json_field_string(w, "reference", reference);
    json_close(w, '}');
    json_close(w, '}');
}

void paystack_charged_render(struct writer *w, struct span reference, const char *status,
                             const char *message)
{
    bool waits = strcmp(status, "pay_offline") == 0;
    open_answer(w, true, message);
    json_key(w, "data");
    json_open(w, '{');
    json_field_string(w, "reference", reference);
    json_field_text(w, "status", status);
    if (waits) {
        json_field_text(w, "display_text",
                        "Please complete authorization process on your mobile phone");
    }
    json_close(w, '}');
    json_close(w, '}');
}

static void field_time(struct writer *w, const char *name, int64_t at_ns)
{
    char text[RFC3339_SIZE];
    if (at_ns == 0) {
        json_field_null(w, name);
        return;
    }
    (void)rfc3339_format(at_ns, text);
    json_field_text(w, name, text);
}

static void field_or_null(struct writer *w, const char *name, const char *text)
{
    if (text == NULL) {
        json_field_null(w, name);
    } else {
        json_field_text(w, name, text);
    }
}

static void render_customer(struct writer *w, const struct paystack_transaction *t)
{
    json_key(w, "customer");
    json_open(w, '{');
    json_field_u64(w, "id", t->id);
    json_field_text(w, "first_name", "");
    json_field_text(w, "last_name", "");
    json_field_string(w, "email", t->email);
    json_field_text(w, "risk_action", "default");
    json_close(w, '}');
}

static void render_authorization(struct writer *w, const struct paystack_transaction *t)
{
    char phone[24];
    struct writer p = writer_init(phone, sizeof(phone));
    json_put_u64(&p, t->phone);
    json_key(w, "authorization");
    json_open(w, '{');
    json_field_text(w, "channel", "mobile_money");
    json_field_text(w, "bank", "M-PESA");
    json_field_text(w, "country_code", "KE");
    json_field_text(w, "brand", "M-pesa");
    json_field_bool(w, "reusable", false);
    if (t->phone != 0) {
        json_field_string(w, "mobile_money_number", (struct span){phone, p.size});
    }
    json_close(w, '}');
}

static void render_transaction(struct writer *w, const struct paystack_transaction *t)
{
    json_key(w, "data");
    json_open(w, '{');
    json_field_u64(w, "id", t->id);
    json_field_text(w, "domain", t->domain);
    json_field_text(w, "status", t->status);
    json_field_string(w, "reference", t->reference);
    field_or_null(w, "receipt_number", t->receipt);
    json_field_i64(w, "amount", t->amount_minor);
    json_field_null(w, "message");
    json_field_text(w, "gateway_response", t->response);
    field_time(w, "paid_at", t->paid_ns);
    field_time(w, "created_at", t->created_ns);
    json_field_text(w, "channel", "mobile_money");
    json_field_text(w, "currency", "KES");
    json_field_text(w, "metadata", "");
    json_field_i64(w, "fees", t->fee_minor);
    render_authorization(w, t);
    render_customer(w, t);
    json_field_i64(w, "requested_amount", t->amount_minor);
    field_time(w, "paidAt", t->paid_ns);
    json_close(w, '}');
}

void paystack_verify_render(struct writer *w, const struct paystack_transaction *t)
{
    open_answer(w, true, "Verification successful");
    render_transaction(w, t);
    json_close(w, '}');
}

static void render_refund(struct writer *w, const struct paystack_refunded *r)
{
    json_field_u64(w, "id", r->id);
    json_field_text(w, "domain", r->domain);
    json_field_text(w, "status", r->status);
    json_field_i64(w, "amount", r->amount_minor);
    json_field_text(w, "currency", "KES");
    field_time(w, "createdAt", r->created_ns);
}

void paystack_refunded_render(struct writer *w, const char *message,
                              const struct paystack_refunded *r)
{
    open_answer(w, true, message);
    json_key(w, "data");
    json_open(w, '{');
    json_key(w, "transaction");
    json_open(w, '{');
    json_field_u64(w, "id", r->transaction);
    json_field_string(w, "reference", r->reference);
    json_field_i64(w, "amount", r->amount_minor);
    json_close(w, '}');
    render_refund(w, r);
    json_field_bool(w, "fully_deducted", strcmp(r->status, "processed") == 0);
    json_close(w, '}');
    json_close(w, '}');
}

/* ---- webhooks ---- */

void paystack_refund_webhook_render(struct writer *w, const char *event,
                                    const struct paystack_refunded *r)
{
    json_open(w, '{');
    json_field_text(w, "event", event);
    json_key(w, "data");
    json_open(w, '{');
    json_field_string(w, "transaction_reference", r->reference);
    render_refund(w, r);
    json_close(w, '}');
    json_close(w, '}');
}

void paystack_webhook_render(struct writer *w, const char *event,
                             const struct paystack_transaction *t)
{
    json_open(w, '{');
    json_field_text(w, "event", event);
    render_transaction(w, t);
    json_close(w, '}');
}

bool paystack_webhook_parse(struct span body, struct json_scratch *scratch,
                            struct paystack_webhook *out)
{
    memset(out, 0, sizeof(*out));
    struct json_object *o = object_of(body, scratch);
    struct json_object *data = json_member(o, "data");
    if (!json_string(json_member(o, "event"), &out->event) || out->event.size == 0 ||
        !json_is_object(data)) {
        return false;
    }
    paystack_data_read(data, scratch, &out->data);
    return out->data.reference.size > 0;
}

static bool hex_value(char c, uint8_t *out)
{
    if (c >= '0' && c <= '9') {
        *out = (uint8_t)(c - '0');
        return true;
    }
    c = (char)(c | 0x20);
    *out = (uint8_t)(c - 'a' + 10);
    return c >= 'a' && c <= 'f';
}

bool paystack_signature_matches(struct span header, const uint8_t mac[PAYSTACK_SIGNATURE_BYTES])
{
    uint8_t given[PAYSTACK_SIGNATURE_BYTES];
    header = span_trim(header);
    if (header.size != (size_t)2 * PAYSTACK_SIGNATURE_BYTES) {
        return false;
    }
    for (size_t i = 0; i < PAYSTACK_SIGNATURE_BYTES; i++) {
        uint8_t high, low;
        if (!hex_value(header.data[2 * i], &high) || !hex_value(header.data[2 * i + 1], &low)) {
            return false;
        }
        given[i] = (uint8_t)(high << 4 | low);
    }
    return span_equal_secret((struct span){(const char *)given, sizeof(given)},
                             (struct span){(const char *)mac, PAYSTACK_SIGNATURE_BYTES});
}

void paystack_signature_render(struct writer *w, const uint8_t mac[PAYSTACK_SIGNATURE_BYTES])
{
    for (size_t i = 0; i < PAYSTACK_SIGNATURE_BYTES; i++) {
        put_u8(w, (uint8_t) "0123456789abcdef"[mac[i] >> 4]);
        put_u8(w, (uint8_t) "0123456789abcdef"[mac[i] & 15]);
    }
}
