/*
 * daraja_envelope.c - see daraja_envelope.h.
 */
#include "wire/daraja_envelope.h"

#include <string.h>

#include "base/money.h"
#include "wire/daraja_answer.h"
#include "wire/liberal.h"

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
        {"22", "The receiver is not allowed to receive this transaction"},
        {"24", "Missing mandatory fields"},
        {"25", "Invalid parameter"},
        {"26", "Traffic blocking condition in place"},
        {"29", "Invalid command"},
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

/* ---- the client's direction ---- */

bool daraja_accepted_parse(const struct json_object *object, struct json_scratch *scratch,
                           struct daraja_accepted *out)
{
    /* C2B spells it without the first n of Conversation. */
    out->originator_id =
        daraja_text(scratch, object, "OriginatorConversationID", "OriginatorCoversationID");
    out->conversation_id = daraja_text(scratch, object, "ConversationID", NULL);
    out->response_code = daraja_text(scratch, object, "ResponseCode", NULL);
    out->description = daraja_text(scratch, object, "ResponseDescription", NULL);
    /* Old answers of C2B's registration have a description alone. */
    if (out->response_code.size == 0 && daraja_says(out->description, "success")) {
        out->response_code = SPAN_LITERAL("0");
    }
    return out->response_code.size > 0;
}

/* "OAK0000000": the day and zeros stand for "no transaction". */
static bool is_no_transaction(struct span id)
{
    static const char zeros[] = "0000000";
    struct span tail = {NULL, 0};
    if (id.size >= sizeof(zeros) - 1) {
        tail = (struct span){id.data + id.size - (sizeof(zeros) - 1), sizeof(zeros) - 1};
    }
    return span_is(tail, zeros);
}

bool daraja_envelope_parse(struct span body, struct json_scratch *scratch,
                           struct daraja_envelope *out)
{
    const char *why;
    memset(out, 0, sizeof(*out));
    out->scratch = scratch;
    struct json_object *result = json_member(json_parse(scratch, body, &why), "Result");
    out->code = daraja_text(scratch, result, "ResultCode", NULL);
    out->desc = daraja_text(scratch, result, "ResultDesc", NULL);
    out->originator_id =
        daraja_text(scratch, result, "OriginatorConversationID", "OriginatorCoversationID");
    out->conversation_id = daraja_text(scratch, result, "ConversationID", NULL);
    out->transaction_id = daraja_text(scratch, result, "TransactionID", NULL);
    if (is_no_transaction(out->transaction_id)) {
        out->transaction_id = SPAN_EMPTY;
    }
    out->waits = span_is(daraja_text(scratch, result, "ResultType", NULL), "1");
    out->parameters = json_member(json_member(result, "ResultParameters"), "ResultParameter");
    out->references = json_member(json_member(result, "ReferenceData"), "ReferenceItem");
    return out->code.size > 0 && (out->originator_id.size > 0 || out->conversation_id.size > 0);
}

/* Lists of one arrive as the bare object. */
static struct span item_value(struct json_scratch *scratch, const struct json_object *items,
                              const char *key)
{
    struct span name;
    size_t count = json_is_object(items) ? 1 : json_count(items);
    for (size_t i = 0; i < count; i++) {
        const struct json_object *item = json_is_object(items) ? items : json_item(items, i);
        if (json_string(json_member(item, "Key"), &name) && span_is(name, key)) {
            return daraja_text(scratch, item, "Value", NULL);
        }
    }
    return SPAN_EMPTY;
}

struct span daraja_envelope_parameter(const struct daraja_envelope *e, const char *key)
{
    return item_value(e->scratch, e->parameters, key);
}

struct span daraja_envelope_reference(const struct daraja_envelope *e, const char *key)
{
    return item_value(e->scratch, e->references, key);
}

bool daraja_envelope_amount(const struct daraja_envelope *e, const char *key, int64_t *minor_out)
{
    return liberal_amount(daraja_envelope_parameter(e, key), minor_out);
}

int64_t daraja_envelope_time(const struct daraja_envelope *e, const char *key)
{
    int64_t at_ns = 0;
    return liberal_time_eat(daraja_envelope_parameter(e, key), &at_ns) ? at_ns : 0;
}

/* The text up to the separator, which is taken away with it; everything when there is none. */
static struct span cut_at(struct span *rest, char separator)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, separator, rest->size);
    struct span part = *rest;
    if (end == NULL) {
        *rest = SPAN_EMPTY;
        return part;
    }
    part.size = (size_t)(end - part.data);
    rest->data = end + 1;
    rest->size -= part.size + 1;
    return part;
}

bool daraja_account_next(struct span *rest, struct daraja_account *out)
{
    struct span text = cut_at(rest, '&');
    out->name = span_trim(cut_at(&text, '|'));
    out->currency = span_trim(cut_at(&text, '|'));
    struct span current = cut_at(&text, '|');
    out->has_available = liberal_amount(cut_at(&text, '|'), &out->available_minor);
    return out->name.size > 0 && out->currency.size == 3 &&
           liberal_amount(current, &out->current_minor);
}

static void relay_member(struct writer *w, const struct json_object *result, const char *name)
{
    struct json_object *member = json_member(result, name);
    if (member != NULL) {
        json_key(w, name);
        json_compact(member, w);
    }
}

bool daraja_result_relay(struct writer *w, struct span body, struct json_scratch *scratch,
                         struct span originator_id, const char *conversation_id)
{
    static const char *const before[] = {"ResultType", "ResultCode", "ResultDesc"};
    static const char *const after[] = {"TransactionID", "ResultParameters", "ReferenceData"};
    const char *why;
    const struct json_object *whole = json_parse(scratch, body, &why);
    const struct json_object *result = json_is_object(whole) ? json_member(whole, "Result") : NULL;
    if (!json_is_object(result) || json_member(result, "ResultCode") == NULL) {
        return false;
    }
    json_open(w, '{');
    json_key(w, "Result");
    json_open(w, '{');
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        relay_member(w, result, before[i]);
    }
    json_field_string(w, "OriginatorConversationID", originator_id);
    json_field_text(w, "ConversationID", conversation_id);
    for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
        relay_member(w, result, after[i]);
    }
    daraja_result_close(w);
    return true;
}
