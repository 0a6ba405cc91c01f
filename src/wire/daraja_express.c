/*
 * daraja_express.c - see daraja_express.h.
 */
#include "wire/daraja_express.h"

#include <string.h>

#include "base/money.h"
#include "wire/daraja_fields.h"

static const struct daraja_field field_till = {
    "primaryShortCode", NULL, NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_paybill = {
    "receiverShortCode", NULL, NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_express_amount = {
    "amount", NULL, NULL, "must be whole shillings above 0", DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_payment_reference = {
    "paymentRef", NULL, NULL, DARAJA_RULE_WORDS, DARAJA_SHOWN_NEVER, false};
static const struct daraja_field field_express_callback = {
    "callbackUrl", "callBackUrl", NULL, DARAJA_RULE_URL, DARAJA_SHOWN_NEVER, true};
static const struct daraja_field field_partner = {"partnerName",      NULL, NULL, DARAJA_RULE_WORDS,
                                                  DARAJA_SHOWN_NEVER, false};
static const struct daraja_field field_request = {"RequestRefID",
                                                  "requestRefID",
                                                  NULL,
                                                  DARAJA_RULE_WORDS
                                                  " of your own, another one for each request",
                                                  DARAJA_SHOWN_FULL,
                                                  false};

bool daraja_express_parse(struct span body, const struct daraja_url_rule *rule,
                          struct json_scratch *scratch, struct daraja_express *out,
                          struct daraja_error *error)
{
    struct daraja_body b;
    memset(out, 0, sizeof(*out));
    return daraja_body_open(&b, body, scratch, error) &&
           daraja_take_short_code(&b, &field_till, &out->till) &&
           daraja_take_short_code(&b, &field_paybill, &out->paybill) &&
           daraja_take_amount(&b, &field_express_amount, DARAJA_AMOUNT_MAX_MINOR, false,
                              &out->amount_minor) &&
           daraja_take_words(&b, &field_payment_reference, &out->reference) &&
           daraja_take_url(&b, &field_express_callback, rule, &out->callback_url) &&
           daraja_take_words(&b, &field_partner, &out->partner) &&
           daraja_take_words(&b, &field_request, &out->request_id);
}

void daraja_express_accepted_render(struct writer *w)
{
    json_open(w, '{');
    json_field_text(w, "code", "0");
    json_field_text(w, "status", "USSD Initiated Successfully");
    json_close(w, '}');
}

/* "71.0", as the samples have it; cents in full when there are any. */
static void put_amount(struct writer *w, int64_t minor)
{
    char text[MONEY_TEXT_MAX];
    size_t size = money_format(minor, text);
    struct span amount = {text, size - (minor % 10 == 0 ? 1 : 0)};
    json_field_string(w, "amount", amount);
}

void daraja_express_render(struct writer *w, const struct daraja_express_result *r)
{
    bool paid = strcmp(r->code, "0") == 0;
    json_open(w, '{');
    json_field_text(w, "resultCode", r->code);
    json_field_text(w, "resultDesc", r->desc);
    if (!paid) {
        json_field_string(w, "requestId", r->request_id);
        put_amount(w, r->amount_minor);
        json_field_string(w, "paymentReference", r->reference);
        json_close(w, '}');
        return;
    }
    put_amount(w, r->amount_minor);
    json_field_string(w, "requestId", r->request_id);
    json_field_text(w, "resultType", "0");
    json_field_text(w, "conversationID", r->conversation_id);
    json_field_text(w, "transactionId", r->transaction_id);
    json_field_text(w, "status", "SUCCESS");
    json_close(w, '}');
}
