/*
 * daraja_payout.c - see daraja_payout.h.
 */
#include "wire/daraja_payout.h"

#include <string.h>

#include "base/money.h"
#include "wire/daraja_fields.h"

/* Larger amounts are a result (3), not an error; beyond this they are no amounts. */
#define AMOUNT_MAX_MINOR ((int64_t)1000 * 1000 * 1000 * MONEY_MINOR_PER_MAJOR)
#define INTERNAL_TIMEOUT_URL \
    SPAN_LITERAL("https://internalapi.safaricom.co.ke/mpesa/b2cresults/v1/submit")

static const struct daraja_field field_originator = {"OriginatorConversationID",
                                                     "OriginatorConversationId",
                                                     NULL,
                                                     "must be 1 to 100 characters of your own, "
                                                     "another one for each request",
                                                     DARAJA_SHOWN_FULL,
                                                     false};
static const struct daraja_field field_initiator = {
    "InitiatorName", "Initiator", NULL, "must be 1 to 100 characters", DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_credential = {
    "SecurityCredential", NULL, NULL, "must be the encrypted initiator password, in base64",
    DARAJA_SHOWN_NEVER,   true};
static const struct daraja_field field_command = {
    "CommandID", NULL, NULL, "must be one that this API knows", DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_amount = {
    "Amount", NULL, NULL, "must be whole shillings above 0", DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_party_a = {
    "PartyA", NULL, NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_party_b = {"PartyB",           NULL, NULL, DARAJA_RULE_PHONE,
                                                  DARAJA_SHOWN_PHONE, false};
static const struct daraja_field field_remarks = {
    "Remarks", NULL, NULL, "must be 1 to 100 characters", DARAJA_SHOWN_NEVER, false};
static const struct daraja_field field_timeout = {"QueueTimeOutURL",
                                                  "QueueTimeoutURL",
                                                  NULL,
                                                  "must be an absolute http or https URL",
                                                  DARAJA_SHOWN_NEVER,
                                                  true};
static const struct daraja_field field_result = {
    "ResultURL", NULL, NULL, "must be an absolute http or https URL", DARAJA_SHOWN_NEVER, true};
static const struct daraja_field field_occasion = {
    "Occassion", "Occasion", NULL, "must be at most 100 characters", DARAJA_SHOWN_NEVER, false};

static bool take_command(struct daraja_body *b, enum daraja_payout_api api,
                         enum daraja_payout_command *out)
{
    static const char *const names[] = {"BusinessPayment", "SalaryPayment", "PromotionPayment",
                                        "BusinessPayToPochi"};
    bool pochi = api == DARAJA_B2POCHI;
    uint32_t index = 0;
    if (!daraja_take_choice(b, &field_command, pochi ? &names[3] : names, pochi ? 1 : 3, &index)) {
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
           daraja_take_words(&b, &field_initiator, &out->initiator) &&
           daraja_take_text(&b, &field_credential, &out->security_credential) &&
           take_command(&b, api, &out->command) &&
           daraja_take_amount(&b, &field_amount, AMOUNT_MAX_MINOR, false, &out->amount_minor) &&
           daraja_take_short_code(&b, &field_party_a, &out->party_a) &&
           daraja_take_phone(&b, &field_party_b, &out->party_b) &&
           daraja_take_words(&b, &field_remarks, &out->remarks) &&
           daraja_take_url(&b, &field_timeout, rule, &out->timeout_url) &&
           daraja_take_url(&b, &field_result, rule, &out->result_url) &&
           daraja_take_optional_words(&b, &field_occasion, &out->occasion);
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
