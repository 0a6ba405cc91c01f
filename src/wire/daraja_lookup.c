/*
 * daraja_lookup.c - see daraja_lookup.h.
 */
#include "wire/daraja_lookup.h"

#include <string.h>

#include "base/money.h"
#include "wire/base64.h"
#include "wire/daraja_fields.h"

static const struct daraja_field field_merchant = {"MerchantName",    NULL, NULL, DARAJA_RULE_WORDS,
                                                   DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_qr_reference = {
    "RefNo", NULL, NULL, DARAJA_RULE_WORDS, DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_code = {
    "TrxCode", NULL, NULL, "must be BG, WA, PB, SM or SB", DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_cpi = {
    "CPI",
    NULL,
    NULL,
    "must be a till, a short code or a phone number: 5 to 12 digits",
    DARAJA_SHOWN_PHONE,
    false};
static const struct daraja_field field_size = {
    "Size", NULL, NULL, "must be the side of the picture, 64 to 1024 pixels", DARAJA_SHOWN_FULL,
    false};
static const struct daraja_field field_customer = {
    "customerNumber", NULL, NULL, DARAJA_RULE_PHONE, DARAJA_SHOWN_PHONE, false};
static const struct daraja_field field_identifier_type = {
    "IdentifierType", NULL, NULL, "must be 4 (paybill) or 2 (till)", DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_identifier = {
    "Identifier", NULL, NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};

/* ---- QR ---- */

static bool take_digits(struct daraja_body *b, const struct daraja_field *field, size_t least,
                        size_t most, struct span *out)
{
    uint64_t ignored;
    if (!daraja_take_text(b, field, out)) {
        return false;
    }
    return (out->size >= least && out->size <= most && span_parse_u64(*out, &ignored)) ||
           daraja_field_refuse(b, field, field->rule, out);
}

static bool take_pixels(struct daraja_body *b, uint32_t *out)
{
    struct span text;
    uint64_t pixels;
    if (!daraja_take_text(b, &field_size, &text)) {
        return false;
    }
    if (!span_parse_u64(text, &pixels) || pixels < DARAJA_QR_PIXELS_MIN ||
        pixels > DARAJA_QR_PIXELS_MAX) {
        return daraja_field_refuse(b, &field_size, field_size.rule, &text);
    }
    *out = (uint32_t)pixels;
    return true;
}

bool daraja_qr_parse(struct span body, struct json_scratch *scratch, struct daraja_qr *out,
                     struct daraja_error *error)
{
    static const char *const codes[] = {"BG", "WA", "PB", "SM", "SB"};
    struct daraja_body b;
    uint32_t index = 0;
    memset(out, 0, sizeof(*out));
    bool good = daraja_body_open(&b, body, scratch, error) &&
                daraja_take_words(&b, &field_merchant, &out->merchant_name) &&
                daraja_take_words(&b, &field_qr_reference, &out->reference) &&
                daraja_take_amount(&b, &daraja_field_limited_amount, DARAJA_TRANSACTION_MAX_MINOR,
                                   false, &out->amount_minor) &&
                daraja_take_choice(&b, &field_code, codes, 5, &index) &&
                take_digits(&b, &field_cpi, 5, 12, &out->cpi) && take_pixels(&b, &out->pixels);
    memcpy(out->code, codes[index], sizeof(out->code));
    return good;
}

static void put_percent(struct writer *w, struct span text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            put_u8(w, c);
        } else {
            put_u8(w, '%');
            put_u8(w, (uint8_t)digits[c >> 4]);
            put_u8(w, (uint8_t)digits[c & 15]);
        }
    }
}

void daraja_qr_text_render(struct writer *w, const struct daraja_qr *qr)
{
    char digits[24];
    struct writer amount = writer_init(digits, sizeof(digits));
    json_put_u64(&amount, (uint64_t)(qr->amount_minor / MONEY_MINOR_PER_MAJOR));
    json_raw(w, "hakika:pay?code=");
    json_raw(w, qr->code);
    json_raw(w, "&cpi=");
    put_percent(w, qr->cpi);
    json_raw(w, "&amount=");
    put_raw(w, digits, amount.size);
    json_raw(w, "&ref=");
    put_percent(w, qr->reference);
    json_raw(w, "&name=");
    put_percent(w, qr->merchant_name);
}

void daraja_qr_answer_render(struct writer *w, const char *response_code, const char *request_id,
                             struct span png)
{
    json_open(w, '{');
    json_field_text(w, "ResponseCode", response_code);
    json_field_text(w, "RequestID", request_id);
    json_field_text(w, "ResponseDescription", "QR Code Successfully Generated.");
    json_key(w, "QRCode");
    json_raw(w, "\"");
    base64_encode(w, png); /* nothing in it needs an escape */
    json_raw(w, "\"");
    json_close(w, '}');
}

/* ---- IMSI and SIM swap ---- */

bool daraja_customer_parse(struct span body, struct json_scratch *scratch, uint64_t *msisdn_out,
                           struct daraja_error *error)
{
    struct daraja_body b;
    return daraja_body_open(&b, body, scratch, error) &&
           daraja_take_phone(&b, &field_customer, msisdn_out);
}

void daraja_customer_render(struct writer *w, const struct daraja_customer *c, uint32_t version)
{
    json_open(w, '{');
    json_field_text(w, "requestRefID", c->request_id);
    json_field_text(w, "responseCode", "200");
    json_field_text(w, "responseDesc", "Success");
    if (version == 1) {
        json_field_text(w, "imsi", c->imsi);
    }
    json_field_text(w, "lastSwapDate", c->swapped);
    if (version == 1) {
        json_field_text(w, "msisdnRegistrationDate", c->registered);
        daraja_field_digits(w, "customerNumber", c->msisdn);
    }
    json_close(w, '}');
}

void daraja_customer_unknown_render(struct writer *w, const char *request_id)
{
    json_open(w, '{');
    json_field_text(w, "requestRefID", request_id);
    json_field_text(w, "responseCode", "404");
    json_field_text(w, "responseDesc", "Customer not found");
    json_close(w, '}');
}

/* ---- organisation info ---- */

bool daraja_org_query_parse(struct span body, struct json_scratch *scratch,
                            struct daraja_org_query *out, struct daraja_error *error)
{
    static const char *const types[] = {"4", "2"};
    struct daraja_body b;
    uint32_t index = 0;
    memset(out, 0, sizeof(*out));
    bool good = daraja_body_open(&b, body, scratch, error) &&
                daraja_take_choice(&b, &field_identifier_type, types, 2, &index) &&
                daraja_take_short_code(&b, &field_identifier, &out->short_code);
    out->is_till = index == 1;
    return good;
}

void daraja_org_render(struct writer *w, const char *conversation_id,
                       const struct daraja_org_query *query, struct span name,
                       const char *charge_profile)
{
    bool found = name.size > 0;
    json_open(w, '{');
    json_field_text(w, "ConversationID", conversation_id);
    json_field_text(w, "ResponseCode", found ? "4000" : "4004");
    json_field_text(w, "ResponseMessage", found ? "Success" : "Not found");
    json_field_text(w, "DetailedMessage",
                    found ? "Request received successfully" : "The identifier does not exist");
    if (found) {
        daraja_field_digits(w, query->is_till ? "TillNumber" : "OrganizationShortCode",
                            query->short_code);
        json_field_string(w, "OrganizationName", name);
        json_field_text(w, "ChargeProfileID", charge_profile);
    }
    json_close(w, '}');
}
