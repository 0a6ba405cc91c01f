/*
 * daraja_payout.c - see daraja_payout.h.
 */
#include "wire/daraja_payout.h"

#include <string.h>

#include "base/money.h"
#include "wire/daraja_fields.h"
#include "wire/liberal.h"

#define INTERNAL_TIMEOUT_URL \
    SPAN_LITERAL("https://internalapi.safaricom.co.ke/mpesa/b2cresults/v1/submit")

static const struct daraja_field field_originator = {"OriginatorConversationID",
                                                     "OriginatorConversationId",
                                                     NULL,
                                                     "must be 1 to 100 bytes of your own, "
                                                     "another one for each request",
                                                     DARAJA_SHOWN_FULL,
                                                     false};
static const struct daraja_field field_initiator_name = {
    "InitiatorName", "Initiator", NULL, DARAJA_RULE_WORDS, DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_recipient = {
    "PartyB", NULL, NULL, DARAJA_RULE_PHONE, DARAJA_SHOWN_PHONE, false};
static const struct daraja_field field_payout_occasion = {
    "Occassion", "Occasion", NULL, "must be at most 100 bytes", DARAJA_SHOWN_NEVER, false};

static const char *const command_names[] = {"BusinessPayment", "SalaryPayment", "PromotionPayment",
                                            "BusinessPayToPochi"};

static bool take_command(struct daraja_body *b, enum daraja_payout_api api,
                         enum daraja_payout_command *out)
{
    bool pochi = api == DARAJA_B2POCHI;
    uint32_t index = 0;
    if (!daraja_take_choice(b, &daraja_field_command, pochi ? &command_names[3] : command_names,
                            pochi ? 1 : 3, &index)) {
        return false;
    }
    *out =
        pochi ? DARAJA_PAY_TO_POCHI : (enum daraja_payout_command)(DARAJA_BUSINESS_PAYMENT + index);
    return true;
}

bool daraja_payout_parse(enum daraja_payout_api api, struct span body,
                         const struct daraja_url_rule *rule, struct json_scratch *scratch,
                         struct daraja_payout *out, struct daraja_error *error)
{
    struct daraja_body b;
    memset(out, 0, sizeof(*out));
    return daraja_body_open(&b, body, scratch, error) &&
           (api == DARAJA_B2C_V1 ||
            daraja_take_words(&b, &field_originator, &out->originator_id)) &&
           daraja_take_words(&b, &field_initiator_name, &out->initiator) &&
           daraja_take_any_text(&b, &daraja_field_credential, &out->security_credential) &&
           take_command(&b, api, &out->command) &&
           daraja_take_amount(&b, &daraja_field_amount, DARAJA_AMOUNT_MAX_MINOR, false,
                              &out->amount_minor) &&
           daraja_take_short_code(&b, &daraja_field_party_a_code, &out->party_a) &&
           daraja_take_phone(&b, &field_recipient, &out->party_b) &&
           daraja_take_words(&b, &daraja_field_remarks, &out->remarks) &&
           daraja_take_url(&b, &daraja_field_timeout_url, rule, &out->timeout_url) &&
           daraja_take_url(&b, &daraja_field_result_url, rule, &out->result_url) &&
           daraja_take_optional_words(&b, &field_payout_occasion, &out->occasion);
}

static void render_parameters(struct writer *w, const struct daraja_payout_result *r)
{
    daraja_parameters_open(w);
    daraja_parameter_money(w, "TransactionAmount", r->amount_minor);
    daraja_parameter_text(w, "TransactionReceipt", span_from(r->receipt));
    daraja_parameter_text(w, "ReceiverPartyPublicName", r->receiver);
    daraja_parameter_text(w, "TransactionCompletedDateTime", span_from(r->completed));
    daraja_parameter_money(w, "B2CUtilityAccountAvailableFunds", r->utility_minor);
    daraja_parameter_money(w, "B2CWorkingAccountAvailableFunds", r->working_minor);
    daraja_parameter_text(w, "B2CRecipientIsRegisteredCustomer",
                          r->registered ? SPAN_LITERAL("Y") : SPAN_LITERAL("N"));
    daraja_parameter_money(w, "B2CChargesPaidAccountAvailableFunds", r->charges_minor);
    daraja_parameters_close(w);
}

void daraja_payout_render(struct writer *w, const struct daraja_result_head *head,
                          const struct daraja_payout_result *result)
{
    daraja_result_open(w, head);
    if (result != NULL) {
        render_parameters(w, result);
    }
    daraja_reference_render(w, "QueueTimeoutURL", INTERNAL_TIMEOUT_URL);
    daraja_result_close(w);
}

/* ---- the client's direction ---- */

void daraja_payout_request_render(enum daraja_payout_api api, struct writer *w,
                                  const struct daraja_payout *payout)
{
    CHECK(payout->command >= DARAJA_BUSINESS_PAYMENT && payout->command <= DARAJA_PAY_TO_POCHI);
    CHECK(IMPLIES(api != DARAJA_B2C_V1, payout->originator_id.size > 0));
    json_open(w, '{');
    if (api != DARAJA_B2C_V1) {
        json_field_string(w, field_originator.name, payout->originator_id);
    }
    json_field_string(w, field_initiator_name.name, payout->initiator);
    json_field_string(w, daraja_field_credential.name, payout->security_credential);
    json_field_text(w, daraja_field_command.name,
                    command_names[payout->command - DARAJA_BUSINESS_PAYMENT]);
    daraja_field_shillings(w, daraja_field_amount.name, payout->amount_minor);
    daraja_field_digits(w, daraja_field_party_a_code.name, payout->party_a);
    daraja_field_digits(w, field_recipient.name, payout->party_b);
    json_field_string(w, daraja_field_remarks.name, payout->remarks);
    json_field_string(w, daraja_field_timeout_url.name, payout->timeout_url);
    json_field_string(w, daraja_field_result_url.name, payout->result_url);
    daraja_field_maybe(w, field_payout_occasion.name, payout->occasion);
    json_close(w, '}');
}

uint64_t daraja_party_phone(struct span party)
{
    uint64_t msisdn;
    size_t size = 0;
    while (size < party.size && party.data[size] != ' ') {
        size++;
    }
    return liberal_phone((struct span){party.data, size}, &msisdn) ? msisdn : 0;
}

void daraja_payout_result_read(const struct daraja_envelope *e, struct daraja_payout_seen *out)
{
    memset(out, 0, sizeof(*out));
    out->receipt = daraja_envelope_parameter(e, "TransactionReceipt");
    if (out->receipt.size == 0) {
        out->receipt = e->transaction_id;
    }
    out->has_amount = daraja_envelope_amount(e, "TransactionAmount", &out->amount_minor);
    out->receiver = daraja_envelope_parameter(e, "ReceiverPartyPublicName");
    out->phone = daraja_party_phone(out->receiver);
    out->completed_ns = daraja_envelope_time(e, "TransactionCompletedDateTime");
    out->has_utility =
        daraja_envelope_amount(e, "B2CUtilityAccountAvailableFunds", &out->utility_minor);
    out->has_working =
        daraja_envelope_amount(e, "B2CWorkingAccountAvailableFunds", &out->working_minor);
    out->has_charges =
        daraja_envelope_amount(e, "B2CChargesPaidAccountAvailableFunds", &out->charges_minor);
}
