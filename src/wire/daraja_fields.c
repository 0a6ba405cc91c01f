/*
 * daraja_fields.c - see daraja_fields.h.
 */
#include "wire/daraja_fields.h"

#include "wire/ascii.h"

enum {
    SHOWN_BYTES_MAX = 24, /* of a wrong value, in an explanation */
    PHONE_DIGITS = 12,
};

const struct daraja_field daraja_field_account_reference = {
    "AccountReference", NULL, NULL, DARAJA_RULE_WORDS, DARAJA_SHOWN_NEVER, false};
const struct daraja_field daraja_field_amount = {
    "Amount", NULL, NULL, "must be whole shillings above 0", DARAJA_SHOWN_FULL, false};
const struct daraja_field daraja_field_limited_amount = {
    "Amount", NULL, NULL, DARAJA_RULE_TRANSACTION, DARAJA_SHOWN_FULL, false};
const struct daraja_field daraja_field_business_short_code = {
    "BusinessShortCode", NULL, NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};
const struct daraja_field daraja_field_callback_url = {
    "CallBackURL", NULL, NULL, DARAJA_RULE_URL, DARAJA_SHOWN_NEVER, true};
const struct daraja_field daraja_field_command = {
    "CommandID", NULL, NULL, "must be one that this API knows", DARAJA_SHOWN_FULL, true};
const struct daraja_field daraja_field_credential = {
    "SecurityCredential", NULL, NULL, "must be the encrypted initiator password, in base64",
    DARAJA_SHOWN_NEVER,   true};
const struct daraja_field daraja_field_party_a_code = {
    "PartyA", NULL, NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};
const struct daraja_field daraja_field_party_a_phone = {
    "PartyA", NULL, NULL, DARAJA_RULE_PHONE, DARAJA_SHOWN_PHONE, false};
const struct daraja_field daraja_field_party_b_code = {
    "PartyB", NULL, NULL, DARAJA_RULE_SHORT_CODE, DARAJA_SHOWN_FULL, false};
const struct daraja_field daraja_field_remarks = {"Remarks",          NULL, NULL, DARAJA_RULE_WORDS,
                                                  DARAJA_SHOWN_NEVER, false};
const struct daraja_field daraja_field_result_url = {
    "ResultURL", NULL, NULL, DARAJA_RULE_URL, DARAJA_SHOWN_NEVER, true};
const struct daraja_field daraja_field_timeout_url = {"QueueTimeOutURL", "QueueTimeoutURL",  NULL,
                                                      DARAJA_RULE_URL,   DARAJA_SHOWN_NEVER, true};

/* "; got 0712... (10 digits)" */
static void explain_value(struct writer *w, enum daraja_shown shown, struct span value)
{
    if (shown == DARAJA_SHOWN_NEVER) {
        return;
    }
    size_t most = shown == DARAJA_SHOWN_PHONE ? 4 : SHOWN_BYTES_MAX;
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
        json_raw(w, ascii_is_digits(value) ? " digits)" : " bytes)");
    }
}

bool daraja_field_refuse(struct daraja_body *b, const struct daraja_field *field, const char *rule,
                         const struct span *value)
{
    char sentence[sizeof(b->error->explain)];
    struct writer w = writer_init(sentence, sizeof(sentence) - 1);
    json_raw(&w, field->name);
    json_raw(&w, " ");
    json_raw(&w, rule);
    if (value != NULL) {
        explain_value(&w, field->shown, *value);
    }
    sentence[w.size] = '\0';
    daraja_error_set(b->error, DARAJA_ERROR_INVALID_FIELD,
                     field->reported != NULL ? field->reported : field->name, sentence);
    return false;
}

static bool refuse_value(struct daraja_body *b, const struct daraja_field *field, struct span value)
{
    return daraja_field_refuse(b, field, field->rule, &value);
}

bool daraja_body_open(struct daraja_body *b, struct span body, struct json_scratch *scratch,
                      struct daraja_error *error)
{
    const char *why = "it must be one object";
    b->scratch = scratch;
    b->error = error;
    b->object = json_parse(scratch, body, &why);
    if (b->object != NULL && json_is_object(b->object)) {
        return true;
    }
    char sentence[sizeof(b->error->explain)];
    struct writer w = writer_init(sentence, sizeof(sentence) - 1);
    json_raw(&w, "The body is not the JSON that is expected: ");
    json_raw(&w, why);
    sentence[w.size] = '\0';
    daraja_error_set(b->error, DARAJA_ERROR_INVALID_PAYLOAD, "", sentence);
    return false;
}

/* The member under its name, or under the other spelling. */
static struct json_object *member(const struct daraja_body *b, const struct daraja_field *field)
{
    struct json_object *value = json_member(b->object, field->name);
    if (value == NULL && field->also != NULL) {
        value = json_member(b->object, field->also);
    }
    return value;
}

bool daraja_take_text(struct daraja_body *b, const struct daraja_field *field, struct span *out)
{
    struct json_object *value = member(b, field);
    bool good = field->string_only ? json_string(value, out) : json_text(b->scratch, value, out);
    if (good) {
        return true;
    }
    if (value == NULL || json_is_null(value)) {
        return daraja_field_refuse(b, field, value == NULL ? "is missing" : "is null", NULL);
    }
    return daraja_field_refuse(b, field, field->rule, NULL);
}

bool daraja_take_optional(struct daraja_body *b, const struct daraja_field *field, struct span *out)
{
    struct json_object *value = member(b, field);
    *out = (struct span){NULL, 0};
    return value == NULL || json_is_null(value) || daraja_take_text(b, field, out);
}

bool daraja_take_short_code(struct daraja_body *b, const struct daraja_field *field, uint32_t *out)
{
    struct span text;
    uint64_t number;
    if (!daraja_take_text(b, field, &text)) {
        return false;
    }
    if (text.size < 5 || text.size > 7 || text.data[0] == '0' || !span_parse_u64(text, &number)) {
        return refuse_value(b, field, text);
    }
    *out = (uint32_t)number;
    return true;
}

bool daraja_take_phone(struct daraja_body *b, const struct daraja_field *field, uint64_t *out)
{
    struct span text;
    if (!daraja_take_text(b, field, &text)) {
        return false;
    }
    bool kenyan_mobile = span_starts_with(text, SPAN_LITERAL("2547")) ||
                         span_starts_with(text, SPAN_LITERAL("2541"));
    if (text.size != PHONE_DIGITS || !kenyan_mobile || !span_parse_u64(text, out)) {
        return refuse_value(b, field, text);
    }
    return true;
}

/* "1", "1.0" and "1.00" are one shilling; "1.50" is not whole, "1e2" is no amount. */
bool daraja_take_amount(struct daraja_body *b, const struct daraja_field *field, int64_t max_minor,
                        bool cents, int64_t *out)
{
    struct span text;
    int64_t minor;
    if (!daraja_take_text(b, field, &text)) {
        return false;
    }
    if (!money_parse(text, &minor) || minor <= 0 || minor > max_minor ||
        (!cents && minor % MONEY_MINOR_PER_MAJOR != 0)) {
        return refuse_value(b, field, text);
    }
    *out = minor;
    return true;
}

bool daraja_take_url(struct daraja_body *b, const struct daraja_field *field,
                     const struct daraja_url_rule *rule, struct span *out)
{
    if (!daraja_take_text(b, field, out)) {
        return false;
    }
    const char *refusal = daraja_url_refusal(*out, rule);
    return refusal == NULL || daraja_field_refuse(b, field, refusal, NULL);
}

/* The documented lengths are advice; what a prompt can hold is the operator's to judge. */
static bool check_words(struct daraja_body *b, const struct daraja_field *field, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.data[i];
        if (c < ' ' || c == 0x7f) {
            return daraja_field_refuse(b, field, "must not hold control characters", NULL);
        }
    }
    return text.size <= DARAJA_TEXT_BYTES_MAX || refuse_value(b, field, text);
}

bool daraja_take_any_text(struct daraja_body *b, const struct daraja_field *field, struct span *out)
{
    return daraja_take_text(b, field, out) && (out->size > 0 || refuse_value(b, field, *out));
}

bool daraja_take_words(struct daraja_body *b, const struct daraja_field *field, struct span *out)
{
    return daraja_take_any_text(b, field, out) && check_words(b, field, *out);
}

bool daraja_take_optional_words(struct daraja_body *b, const struct daraja_field *field,
                                struct span *out)
{
    return daraja_take_optional(b, field, out) && check_words(b, field, *out);
}

bool daraja_take_choice(struct daraja_body *b, const struct daraja_field *field,
                        const char *const *names, uint32_t count, uint32_t *out)
{
    struct span text;
    if (!daraja_take_text(b, field, &text)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (span_is(text, names[i])) {
            *out = i;
            return true;
        }
    }
    return refuse_value(b, field, text);
}

/* ---- writing ---- */

void daraja_field_digits(struct writer *w, const char *name, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        at--;
        digits[at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    json_field_string(w, name, (struct span){digits + at, sizeof(digits) - at});
}

void daraja_field_shillings(struct writer *w, const char *name, int64_t minor)
{
    char text[MONEY_TEXT_MAX];
    CHECK(minor >= 0);
    size_t size = money_format(minor, text);
    if (minor % MONEY_MINOR_PER_MAJOR == 0) {
        size -= sizeof(".00") - 1;
    }
    json_field_string(w, name, (struct span){text, size});
}

void daraja_field_maybe(struct writer *w, const char *name, struct span text)
{
    if (text.size > 0) {
        json_field_string(w, name, text);
    }
}
