/*
 * daraja_envelope.c - see daraja_envelope.h.
 */
#include "wire/daraja_envelope.h"

#include "base/money.h"

void daraja_accepted_render(struct writer *w, struct span originator_id,
                            const char *conversation_id)
{
    json_open(w, '{');
    json_field_text(w, "ConversationID", conversation_id);
    json_field_string(w, "OriginatorConversationID", originator_id);
    json_field_text(w, "ResponseCode", "0");
    json_field_text(w, "ResponseDescription", "Accept the service request successfully.");
    json_close(w, '}');
}

const char *daraja_initiator_desc(const char *code)
{
    static const struct {
        const char *code;
        const char *desc;
    } rows[] = {
        {"0", "The service request is processed successfully."},
        {"1", "The balance is insufficient for the transaction."},
        {"2", "Declined due to limit rule"},
        {"3", "Declined due to limit rule: greater than the maximum transaction amount."},
        {"4", "Declined due to limit rule: would exceed daily transfer limit"},
        {"8", "Declined due to limit rule: would exceed the maximum balance."},
        {"11", "The DebitParty is in an invalid state."},
        {"15", "Duplicate Detected"},
        {"17", "Internal Failure"},
        {"18", "Initiator Credential Check Failure"},
        {"20", "Unresolved Initiator"},
        {"21", "The initiator is not allowed to initiate this request"},
        {"25", "Invalid parameter"},
        {"26", "Traffic blocking condition in place"},
        {"1001", "Unable to lock subscriber, a transaction is already in process for the current "
                 "subscriber"},
        {"1032", "Request cancelled by user"},
        {"1037", "DS timeout user cannot be reached."},
        {"2001", "The initiator information is invalid."},
        {"2006",
         "Declined due to account rule: The account status does not allow this transaction."},
        {"2028", "The request is not permitted according to product assignment."},
        {"2040", "Credit Party customer type (Unregistered or Registered Customer) can't be "
                 "supported by the service."},
        {"4001", "User cancelled transaction"},
        {"4104", "Missing Nominated Number"},
        {"4201", "USSD Network Error"},
        {"4203", "USSD Exception Error"},
        {"8006", "The security credential is locked"},
        {"R000001", "The transaction has already been reversed"},
        {"R000002", "The OriginalTransactionID is invalid."},
        {"SFC_IC0003", "The operator does not exist."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (span_is(span_from(code), rows[i].code)) {
            return rows[i].desc;
        }
    }
    return "Rule limited.";
}

void daraja_result_open(struct writer *w, const struct daraja_result_head *head)
{
    uint64_t ignored;
    bool number = !head->code_as_text && span_parse_u64(span_from(head->code), &ignored);
    json_open(w, '{');
    json_key(w, "Result");
    json_open(w, '{');
    if (head->code_as_text) {
        json_field_text(w, "ResultType", head->waits ? "1" : "0");
    } else {
        json_field_i64(w, "ResultType", head->waits ? 1 : 0);
    }
    json_key(w, "ResultCode");
    if (number) {
        json_raw(w, head->code);
    } else {
        json_put_string(w, span_from(head->code));
    }
    json_field_text(w, "ResultDesc", head->desc);
    json_field_string(w, "OriginatorConversationID", head->originator_id);
    json_field_text(w, "ConversationID", head->conversation_id);
    json_field_text(w, "TransactionID", head->transaction_id);
}

void daraja_parameters_open(struct writer *w)
{
    json_key(w, "ResultParameters");
    json_open(w, '{');
    json_key(w, "ResultParameter");
    json_open(w, '[');
}

static void parameter_open(struct writer *w, const char *key)
{
    json_open(w, '{');
    json_field_text(w, "Key", key);
}

void daraja_parameter_text(struct writer *w, const char *key, struct span value)
{
    parameter_open(w, key);
    json_field_string(w, "Value", value);
    json_close(w, '}');
}

void daraja_parameter_raw(struct writer *w, const char *key, const char *value)
{
    parameter_open(w, key);
    json_key(w, "Value");
    json_raw(w, value);
    json_close(w, '}');
}

void daraja_parameter_money(struct writer *w, const char *key, int64_t minor)
{
    char text[MONEY_TEXT_MAX];
    (void)money_format(minor, text);
    daraja_parameter_raw(w, key, text);
}

void daraja_parameter_empty(struct writer *w, const char *key)
{
    parameter_open(w, key);
    json_close(w, '}');
}

void daraja_parameters_close(struct writer *w)
{
    json_close(w, ']');
    json_close(w, '}');
}

void daraja_parameter_alone(struct writer *w, const char *key, const char *value)
{
    json_key(w, "ResultParameters");
    json_open(w, '{');
    json_key(w, "ResultParameter");
    daraja_parameter_raw(w, key, value);
    json_close(w, '}');
}

static void reference_item(struct writer *w, const char *key, struct span value)
{
    parameter_open(w, key);
    if (value.size > 0) {
        json_field_string(w, "Value", value);
    }
    json_close(w, '}');
}

void daraja_reference_render(struct writer *w, const char *key, struct span value)
{
    json_key(w, "ReferenceData");
    json_open(w, '{');
    json_key(w, "ReferenceItem");
    reference_item(w, key, value);
    json_close(w, '}');
}

void daraja_references_render(struct writer *w, const char *key, struct span value,
                              const char *other_key, struct span other_value)
{
    json_key(w, "ReferenceData");
    json_open(w, '{');
    json_key(w, "ReferenceItem");
    json_open(w, '[');
    reference_item(w, key, value);
    reference_item(w, other_key, other_value);
    json_close(w, ']');
    json_close(w, '}');
}

void daraja_result_close(struct writer *w)
{
    json_close(w, '}');
    json_close(w, '}');
}
