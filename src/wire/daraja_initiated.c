/*
 * daraja_initiated.c - see daraja_initiated.h.
 */
#include "wire/daraja_initiated.h"

#include <string.h>

#include "base/money.h"
#include "wire/daraja_fields.h"
#include "wire/liberal.h"

#define INTERNAL(product) \
    SPAN_LITERAL("https://internalapi.safaricom.co.ke/mpesa/" product "/v1/submit")

#define RULE_AMOUNT "must be shillings above 0, with at most two decimals"

static const struct daraja_field field_initiator = {"Initiator",       "InitiatorName",   NULL,
                                                    DARAJA_RULE_WORDS, DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_transaction = {
    "TransactionID", NULL, NULL, "must be a receipt number", DARAJA_SHOWN_FULL, true};
static const struct daraja_field field_conversation = {
    "OriginalConversationID",
    "OriginatorConversationID",
    "OriginalConversationID",
    "must be the originator conversation id of the request that is asked about",
    DARAJA_SHOWN_FULL,
    true};
static const struct daraja_field field_exact_amount = {"Amount",          NULL, NULL, RULE_AMOUNT,
                                                       DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_tax_party = {
    "PartyB", NULL, NULL, "must be 572572, the tax authority", DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_receiver = {
    "ReceiverParty", NULL, NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_party_type = {
    "IdentifierType", NULL, NULL, "must be 4 (short code) or 2 (till)", DARAJA_SHOWN_FULL, false};
static const struct daraja_field field_sender_type = {
    "SenderIdentifierType", NULL, NULL, "must be 4 (short code) or 2 (till)",
    DARAJA_SHOWN_FULL,      false};
static const struct daraja_field field_receiver_type = {"RecieverIdentifierType",
                                                        "ReceiverIdentifierType",
                                                        NULL,
                                                        "must be 4 (short code) or 2 (till)",
                                                        DARAJA_SHOWN_FULL,
                                                        false};
static const struct daraja_field field_reversal_type = {
    "RecieverIdentifierType",       "ReceiverIdentifierType", NULL,
    "must be 11 or 4 (short code)", DARAJA_SHOWN_FULL,        false};
static const struct daraja_field field_requester = {
    "Requester", NULL, NULL, DARAJA_RULE_PHONE, DARAJA_SHOWN_PHONE, false};
static const struct daraja_field field_occasion = {
    "Occasion", "Occassion", NULL, "must be at most 100 bytes", DARAJA_SHOWN_NEVER, false};

/* ---- requests ---- */

static bool take_head(struct daraja_body *b, const char *const *commands, uint32_t count,
                      struct daraja_initiated *out)
{
    uint32_t index = 0;
    if (!daraja_take_words(b, &field_initiator, &out->initiator) ||
        !daraja_take_any_text(b, &daraja_field_credential, &out->security_credential) ||
        !daraja_take_choice(b, &daraja_field_command, commands, count, &index)) {
        return false;
    }
    out->command = (enum daraja_b2b_command)(index + 1);
    return true;
}

static bool take_tail(struct daraja_body *b, const struct daraja_url_rule *rule,
                      struct daraja_initiated *out)
{
    return daraja_take_words(b, &daraja_field_remarks, &out->remarks) &&
           daraja_take_url(b, &daraja_field_timeout_url, rule, &out->timeout_url) &&
           daraja_take_url(b, &daraja_field_result_url, rule, &out->result_url) &&
           daraja_take_optional_words(b, &field_occasion, &out->occasion);
}

static bool take_amount(struct daraja_body *b, struct daraja_initiated *out)
{
    return daraja_take_amount(b, &field_exact_amount, DARAJA_AMOUNT_MAX_MINOR, true,
                              &out->amount_minor);
}

/* 4 is a short code, 2 a till; both are organisations, so which one it is changes nothing here. */
static bool take_type(struct daraja_body *b, const struct daraja_field *field, bool *is_till)
{
    static const char *const names[] = {"4", "2"};
    uint32_t index = 0;
    bool good = daraja_take_choice(b, field, names, 2, &index);
    *is_till = index == 1;
    return good;
}

static bool take_party_a(struct daraja_body *b, struct daraja_initiated *out)
{
    bool ignored;
    return daraja_take_short_code(b, &daraja_field_party_a_code, &out->party_a) &&
           take_type(b, &field_party_type, &ignored);
}

static bool take_status(struct daraja_body *b, struct daraja_initiated *out)
{
    static const char *const commands[] = {"TransactionStatusQuery"};
    if (!take_head(b, commands, 1, out) ||
        !daraja_take_optional_words(b, &field_transaction, &out->transaction_id) ||
        !daraja_take_optional_words(b, &field_conversation, &out->conversation_id)) {
        return false;
    }
    if (out->transaction_id.size == 0 && out->conversation_id.size == 0) {
        return daraja_field_refuse(b, &field_transaction,
                                   "is missing, and so is OriginalConversationID", NULL);
    }
    return take_party_a(b, out);
}

static bool take_reversal(struct daraja_body *b, struct daraja_initiated *out)
{
    static const char *const commands[] = {"TransactionReversal"};
    static const char *const types[] = {"11", "4"};
    uint32_t ignored;
    return take_head(b, commands, 1, out) &&
           daraja_take_words(b, &field_transaction, &out->transaction_id) && take_amount(b, out) &&
           daraja_take_short_code(b, &field_receiver, &out->party_a) &&
           daraja_take_choice(b, &field_reversal_type, types, 2, &ignored);
}

/* Requester: a customer on whose behalf it is, or nothing. */
static bool take_requester(struct daraja_body *b, struct daraja_initiated *out)
{
    struct span text;
    return daraja_take_optional(b, &field_requester, &text) &&
           (text.size == 0 || daraja_take_phone(b, &field_requester, &out->requester));
}

static const char *const b2b_commands[] = {"BusinessPayBill",
                                           "BusinessBuyGoods",
                                           "BusinessPayToBulk",
                                           "BusinessTransferFromMMFToUtility",
                                           "BusinessToBusinessTransfer",
                                           "DisburseFundsToBusiness",
                                           "PayTaxToKRA"};

static bool take_b2b(struct daraja_body *b, bool is_tax, struct daraja_initiated *out)
{
    bool ignored;
    if (!take_head(b, is_tax ? &b2b_commands[6] : b2b_commands, is_tax ? 1 : 6, out) ||
        !take_type(b, &field_sender_type, &ignored) ||
        !take_type(b, &field_receiver_type, &out->party_b_is_till) || !take_amount(b, out) ||
        !daraja_take_short_code(b, &daraja_field_party_a_code, &out->party_a) ||
        !daraja_take_short_code(b, &daraja_field_party_b_code, &out->party_b)) {
        return false;
    }
    if (is_tax && out->party_b != 572572) {
        return daraja_field_refuse(b, &field_tax_party, field_tax_party.rule, NULL);
    }
    bool billed = is_tax || out->command == DARAJA_PAY_BILL;
    return (billed ? daraja_take_words(b, &daraja_field_account_reference, &out->reference)
                   : daraja_take_optional_words(b, &daraja_field_account_reference,
                                                &out->reference)) &&
           take_requester(b, out);
}

bool daraja_initiated_parse(enum daraja_initiated_api api, struct span body,
                            const struct daraja_url_rule *rule, struct json_scratch *scratch,
                            struct daraja_initiated *out, struct daraja_error *error)
{
    static const char *const balance[] = {"AccountBalance"};
    struct daraja_body b;
    bool good = false;
    memset(out, 0, sizeof(*out));
    if (!daraja_body_open(&b, body, scratch, error)) {
        return false;
    }
    switch (api) {
    case DARAJA_BALANCE: good = take_head(&b, balance, 1, out) && take_party_a(&b, out); break;
    case DARAJA_STATUS: good = take_status(&b, out); break;
    case DARAJA_REVERSAL: good = take_reversal(&b, out); break;
    case DARAJA_B2B: good = take_b2b(&b, false, out); break;
    case DARAJA_TAX: good = take_b2b(&b, true, out); break;
    }
    return good && take_tail(&b, rule, out);
}

/* ---- results ---- */

/* "Working Account|KES|700000.00|700000.00|0.00|0.00": current, available, reserved, uncleared. */
static void put_account(struct writer *w, const char *name, int64_t minor)
{
    char text[MONEY_TEXT_MAX];
    (void)money_format(minor, text);
    json_raw(w, name);
    json_raw(w, "|KES|");
    json_raw(w, text);
    json_raw(w, "|");
    json_raw(w, text);
    json_raw(w, "|0.00|0.00");
}

enum { ACCOUNT_TEXT_MAX = 128, ACCOUNTS_TEXT_MAX = 6 * ACCOUNT_TEXT_MAX };

static struct span account_text(char *out, size_t room, const char *name, int64_t minor)
{
    struct writer w = writer_init(out, room);
    put_account(&w, name, minor);
    CHECK(!w.overflow);
    return (struct span){out, w.size};
}

static struct span accounts_text(char out[ACCOUNTS_TEXT_MAX], const struct daraja_balances *b)
{
    struct writer w = writer_init(out, ACCOUNTS_TEXT_MAX);
    put_account(&w, "Working Account", b->working_minor);
    json_raw(&w, "&");
    put_account(&w, "Float Account", 0);
    json_raw(&w, "&");
    put_account(&w, b->is_till ? "Merchant Account" : "Utility Account", b->utility_minor);
    json_raw(&w, "&");
    put_account(&w, "Charges Paid Account", b->charges_minor);
    json_raw(&w, "&");
    put_account(&w, "Organization Settlement Account", b->settlement_minor);
    CHECK(!w.overflow);
    return (struct span){out, w.size};
}

void daraja_balance_render(struct writer *w, const struct daraja_result_head *head,
                           const struct daraja_balances *result)
{
    char accounts[ACCOUNTS_TEXT_MAX];
    daraja_result_open(w, head);
    if (result != NULL) {
        daraja_parameters_open(w);
        daraja_parameter_text(w, "AccountBalance", accounts_text(accounts, result));
        daraja_parameter_raw(w, "BOCompletedTime", result->completed);
        daraja_parameters_close(w);
    }
    daraja_reference_render(w, "QueueTimeoutURL", INTERNAL("abresults"));
    daraja_result_close(w);
}

/* A text, or the Key alone. */
static void parameter_maybe(struct writer *w, const char *key, const char *value)
{
    if (value == NULL) {
        daraja_parameter_empty(w, key);
    } else {
        daraja_parameter_text(w, key, span_from(value));
    }
}

static void status_charges(struct writer *w, const struct daraja_status_result *r)
{
    char money[MONEY_TEXT_MAX];
    char text[ACCOUNT_TEXT_MAX];
    if (r->charge_minor == 0) {
        daraja_parameter_empty(w, "DebitPartyCharges");
        return;
    }
    struct writer charge = writer_init(text, sizeof(text));
    (void)money_format(r->charge_minor, money);
    json_raw(&charge, r->charge_name);
    json_raw(&charge, "|KES|");
    json_raw(&charge, money);
    CHECK(!charge.overflow);
    daraja_parameter_text(w, "DebitPartyCharges", (struct span){text, charge.size});
}

void daraja_status_render(struct writer *w, const struct daraja_result_head *head,
                          struct span occasion, const struct daraja_status_result *result)
{
    daraja_result_open(w, head);
    if (result != NULL) {
        daraja_parameters_open(w);
        daraja_parameter_text(w, "DebitPartyName", result->debit_party);
        daraja_parameter_text(w, "CreditPartyName", result->credit_party);
        daraja_parameter_text(w, "OriginatorConversationID", result->originator_id);
        daraja_parameter_raw(w, "InitiatedTime", result->initiated);
        daraja_parameter_text(w, "DebitAccountType", span_from(result->debit_account));
        status_charges(w, result);
        daraja_parameter_empty(w, "TransactionReason");
        daraja_parameter_text(w, "ReasonType", span_from(result->reason));
        daraja_parameter_text(w, "TransactionStatus", span_from(result->status));
        if (result->finalised == NULL) {
            daraja_parameter_empty(w, "FinalisedTime");
        } else {
            daraja_parameter_raw(w, "FinalisedTime", result->finalised);
        }
        daraja_parameter_money(w, "Amount", result->amount_minor);
        parameter_maybe(w, "ConversationID", result->conversation_id);
        parameter_maybe(w, "ReceiptNo", result->receipt);
        daraja_parameters_close(w);
    }
    daraja_reference_render(w, "Occasion", occasion);
    daraja_result_close(w);
}

void daraja_reversal_render(struct writer *w, const struct daraja_result_head *head,
                            const struct daraja_reversal_result *result)
{
    char account[ACCOUNT_TEXT_MAX];
    daraja_result_open(w, head);
    if (result != NULL) {
        daraja_parameters_open(w);
        daraja_parameter_text(w, "DebitAccountBalance",
                              account_text(account, sizeof(account),
                                           result->is_till ? "Merchant Account" : "Utility Account",
                                           result->balance_minor));
        daraja_parameter_money(w, "Amount", result->amount_minor);
        daraja_parameter_raw(w, "TransCompletedTime", result->completed);
        daraja_parameter_text(w, "OriginalTransactionID", result->original);
        daraja_parameter_money(w, "Charge", 0);
        daraja_parameter_text(w, "CreditPartyPublicName", result->credit_party);
        daraja_parameter_text(w, "DebitPartyPublicName", result->debit_party);
        daraja_parameters_close(w);
    }
    daraja_reference_render(w, "QueueTimeoutURL", INTERNAL("reversalresults"));
    daraja_result_close(w);
}

/* Cents, as a number without a point. */
static void put_cents(struct writer *w, int64_t minor)
{
    char digits[MONEY_TEXT_MAX];
    size_t at = sizeof(digits);
    CHECK(minor >= 0);
    do {
        digits[--at] = (char)('0' + minor % 10);
        minor /= 10;
    } while (minor > 0);
    put_raw(w, digits + at, sizeof(digits) - at);
}

/* "{Amount={CurrencyCode=KES, MinimumAmount=618683, BasicAmount=6186.83}}": cents, shillings. */
static struct span amount_text(char *out, size_t room, int64_t minor)
{
    char money[MONEY_TEXT_MAX];
    struct writer w = writer_init(out, room);
    (void)money_format(minor, money);
    json_raw(&w, "{Amount={CurrencyCode=KES, MinimumAmount=");
    put_cents(&w, minor);
    json_raw(&w, ", BasicAmount=");
    json_raw(&w, money);
    json_raw(&w, "}}");
    CHECK(!w.overflow);
    return (struct span){out, w.size};
}

static void b2b_parameters(struct writer *w, const struct daraja_b2b_result *r)
{
    char amount[ACCOUNT_TEXT_MAX];
    char account[ACCOUNT_TEXT_MAX];
    char money[MONEY_TEXT_MAX];
    struct span balance = amount_text(amount, sizeof(amount), r->balance_minor);
    (void)money_format(r->amount_minor, money);
    daraja_parameters_open(w);
    daraja_parameter_text(w, "DebitAccountBalance", balance);
    daraja_parameter_text(w, "Amount", span_from(money));
    daraja_parameter_text(w, "DebitPartyAffectedAccountBalance",
                          account_text(account, sizeof(account), r->account, r->balance_minor));
    daraja_parameter_text(w, "TransCompletedTime", span_from(r->completed));
    daraja_parameter_text(w, "DebitPartyCharges", SPAN_EMPTY);
    daraja_parameter_text(w, "ReceiverPartyPublicName", r->receiver);
    daraja_parameter_text(w, "Currency", SPAN_LITERAL("KES"));
    daraja_parameter_text(w, "InitiatorAccountCurrentBalance", balance);
    daraja_parameter_text(w, "DebitAccountCurrentBalance", balance);
    daraja_parameters_close(w);
}

void daraja_b2b_render(struct writer *w, const struct daraja_result_head *head, const char *ended,
                       struct span reference, struct span timeout_url,
                       const struct daraja_b2b_result *result)
{
    daraja_result_open(w, head);
    if (result != NULL) {
        b2b_parameters(w, result);
    } else {
        daraja_parameter_alone(w, "BOCompletedTime", ended);
    }
    daraja_references_render(w, "BillReferenceNumber", reference, "QueueTimeoutURL", timeout_url);
    daraja_result_close(w);
}

void daraja_late_render(struct writer *w, const struct daraja_result_head *head)
{
    daraja_result_open(w, head);
    daraja_result_close(w);
}

/* ---- the client's direction ---- */

static void render_status(struct writer *w, const struct daraja_initiated *request)
{
    CHECK(request->transaction_id.size > 0 || request->conversation_id.size > 0);
    daraja_field_maybe(w, field_transaction.name, request->transaction_id);
    daraja_field_maybe(w, field_conversation.name, request->conversation_id);
}

static void render_reversal(struct writer *w, const struct daraja_initiated *request)
{
    json_field_string(w, field_transaction.name, request->transaction_id);
    daraja_field_shillings(w, field_exact_amount.name, request->amount_minor);
    daraja_field_digits(w, field_receiver.name, request->party_a);
    json_field_text(w, field_reversal_type.name, "11");
}

static void render_b2b(struct writer *w, const struct daraja_initiated *request)
{
    json_field_text(w, field_sender_type.name, "4");
    json_field_text(w, field_receiver_type.name, request->party_b_is_till ? "2" : "4");
    daraja_field_shillings(w, field_exact_amount.name, request->amount_minor);
    daraja_field_digits(w, daraja_field_party_a_code.name, request->party_a);
    daraja_field_digits(w, daraja_field_party_b_code.name, request->party_b);
    daraja_field_maybe(w, daraja_field_account_reference.name, request->reference);
    if (request->requester != 0) {
        daraja_field_digits(w, field_requester.name, request->requester);
    }
}

static const char *command_of(enum daraja_initiated_api api, const struct daraja_initiated *request)
{
    switch (api) {
    case DARAJA_BALANCE: return "AccountBalance";
    case DARAJA_STATUS: return "TransactionStatusQuery";
    case DARAJA_REVERSAL: return "TransactionReversal";
    case DARAJA_TAX: return "PayTaxToKRA";
    case DARAJA_B2B: break;
    }
    CHECK(request->command >= DARAJA_PAY_BILL && request->command <= DARAJA_DISBURSE_FUNDS);
    return b2b_commands[request->command - DARAJA_PAY_BILL];
}

void daraja_initiated_request_render(enum daraja_initiated_api api, struct writer *w,
                                     const struct daraja_initiated *request)
{
    json_open(w, '{');
    json_field_string(w, field_initiator.name, request->initiator);
    json_field_string(w, daraja_field_credential.name, request->security_credential);
    json_field_text(w, daraja_field_command.name, command_of(api, request));
    switch (api) {
    case DARAJA_STATUS: render_status(w, request); break;
    case DARAJA_REVERSAL: render_reversal(w, request); break;
    case DARAJA_B2B:
    case DARAJA_TAX: render_b2b(w, request); break;
    case DARAJA_BALANCE: break;
    }
    if (api == DARAJA_STATUS || api == DARAJA_BALANCE) {
        daraja_field_digits(w, daraja_field_party_a_code.name, request->party_a);
        json_field_text(w, field_party_type.name, "4");
    }
    json_field_string(w, daraja_field_remarks.name, request->remarks);
    json_field_string(w, daraja_field_timeout_url.name, request->timeout_url);
    json_field_string(w, daraja_field_result_url.name, request->result_url);
    daraja_field_maybe(w, field_occasion.name, request->occasion);
    json_close(w, '}');
}

/* "Fee For B2C Payment|KES|22.40", or a bare amount. */
static bool charge_of(struct span text, int64_t *minor_out)
{
    struct daraja_account fee;
    if (daraja_account_next(&text, &fee)) {
        *minor_out = fee.current_minor;
        return true;
    }
    return liberal_amount(text, minor_out);
}

void daraja_status_result_read(const struct daraja_envelope *e, struct daraja_status_seen *out)
{
    struct span charges = daraja_envelope_parameter(e, "DebitPartyCharges");
    memset(out, 0, sizeof(*out));
    out->debit_party = daraja_envelope_parameter(e, "DebitPartyName");
    out->credit_party = daraja_envelope_parameter(e, "CreditPartyName");
    out->originator_id = daraja_envelope_parameter(e, "OriginatorConversationID");
    out->conversation_id = daraja_envelope_parameter(e, "ConversationID");
    out->status = daraja_envelope_parameter(e, "TransactionStatus");
    out->reason = daraja_envelope_parameter(e, "ReasonType");
    out->receipt = daraja_envelope_parameter(e, "ReceiptNo");
    out->has_amount = daraja_envelope_amount(e, "Amount", &out->amount_minor);
    out->has_charge = charge_of(charges, &out->charge_minor);
    out->initiated_ns = daraja_envelope_time(e, "InitiatedTime");
    out->finalised_ns = daraja_envelope_time(e, "FinalisedTime");
}

void daraja_reversal_result_read(const struct daraja_envelope *e, struct daraja_reversal_seen *out)
{
    struct daraja_account account;
    struct span balance = daraja_envelope_parameter(e, "DebitAccountBalance");
    memset(out, 0, sizeof(*out));
    out->original = daraja_envelope_parameter(e, "OriginalTransactionID");
    out->has_amount = daraja_envelope_amount(e, "Amount", &out->amount_minor);
    out->has_charge = daraja_envelope_amount(e, "Charge", &out->charge_minor);
    out->credit_party = daraja_envelope_parameter(e, "CreditPartyPublicName");
    out->debit_party = daraja_envelope_parameter(e, "DebitPartyPublicName");
    out->completed_ns = daraja_envelope_time(e, "TransCompletedTime");
    out->has_balance = daraja_account_next(&balance, &account);
    out->balance_minor = out->has_balance ? account.current_minor : 0;
}
