/*
 * daraja_answer.c - see daraja_answer.h.
 */
#include "wire/daraja_answer.h"

#include <string.h>

#include "wire/ascii.h"

struct span daraja_text(struct json_scratch *scratch, const struct json_object *object,
                        const char *name, const char *also)
{
    struct span text;
    struct json_object *value = json_member(object, name);
    if (value == NULL && also != NULL) {
        value = json_member(object, also);
    }
    if (value == NULL || !json_text(scratch, value, &text)) {
        return SPAN_EMPTY;
    }
    return text;
}

bool daraja_says(struct span text, const char *needle)
{
    size_t size = strlen(needle);
    CHECK(size > 0);
    for (size_t at = 0; at + size <= text.size; at++) {
        size_t same = 0;
        while (same < size && ascii_lower(text.data[at + same]) == needle[same]) {
            same++;
        }
        if (same == size) {
            return true;
        }
    }
    return false;
}

void daraja_answer_read(struct span body, uint32_t http_status, struct json_scratch *scratch,
                        struct daraja_answer *out)
{
    const char *why;
    *out = (struct daraja_answer){.form = DARAJA_ANSWER_EMPTY, .http_status = http_status};
    if (span_trim(body).size == 0) {
        return;
    }
    out->object = json_parse(scratch, body, &why);
    if (!json_is_object(out->object)) {
        out->object = NULL;
        out->form = DARAJA_ANSWER_NOT_JSON;
        return;
    }
    struct json_object *fault = json_member(out->object, "fault");
    if (json_is_object(fault)) {
        out->form = DARAJA_ANSWER_FAULT;
        out->message = daraja_text(scratch, fault, "faultstring", NULL);
        out->code = daraja_text(scratch, json_member(fault, "detail"), "errorcode", NULL);
        return;
    }
    out->request_id = daraja_text(scratch, out->object, "requestId", "requestID");
    out->code = daraja_text(scratch, out->object, "errorCode", "error_code");
    out->message = daraja_text(scratch, out->object, "errorMessage", "error_message");
    out->form = out->code.size > 0 ? DARAJA_ANSWER_ERROR : DARAJA_ANSWER_OBJECT;
}

/* In this order: "Invalid Access Token - ... no apiproduct match found" is about the product, and
 * "Error Occurred: Spike Arrest Violation" says nothing of what the code is otherwise used for. */
static enum daraja_meaning meaning_of_message(struct span message)
{
    static const struct {
        const char *says;
        enum daraja_meaning meaning;
    } rows[] = {
        {"being processed", DARAJA_MEANS_IN_FLIGHT},
        {"under processing", DARAJA_MEANS_IN_FLIGHT},
        {"unable to lock subscriber", DARAJA_MEANS_PHONE_BUSY},
        {"wrong credentials", DARAJA_MEANS_CREDENTIALS},
        {"merchant does not exist", DARAJA_MEANS_MERCHANT},
        {"no apiproduct match", DARAJA_MEANS_PRODUCT},
        {"access token", DARAJA_MEANS_TOKEN},
        {"originatorconversationid", DARAJA_MEANS_DUPLICATE},
        {"duplicate request", DARAJA_MEANS_REPEATED},
        {"already registered", DARAJA_MEANS_REGISTERED},
        {"spike arrest", DARAJA_MEANS_BUSY},
        {"quota violation", DARAJA_MEANS_BUSY},
        {"rate limit", DARAJA_MEANS_BUSY},
        {"system is busy", DARAJA_MEANS_BUSY},
        {"under maintenance", DARAJA_MEANS_BUSY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (daraja_says(message, rows[i].says)) {
            return rows[i].meaning;
        }
    }
    return DARAJA_MEANS_UNKNOWN;
}

static enum daraja_meaning meaning_of_code(struct span code)
{
    static const struct {
        const char *begins;
        enum daraja_meaning meaning;
    } rows[] = {
        {"500.003.02", DARAJA_MEANS_BUSY},
        {"500.003.03", DARAJA_MEANS_BUSY},
        {"00.002.1001", DARAJA_MEANS_BUSY},
        {"400.003.01", DARAJA_MEANS_TOKEN},
        {"401.003.01", DARAJA_MEANS_TOKEN},
        {"401.002.01", DARAJA_MEANS_TOKEN},
        {"404.001.03", DARAJA_MEANS_TOKEN},
        {"400.008.01", DARAJA_MEANS_CREDENTIALS},
        {"400.008.02", DARAJA_MEANS_REQUEST},
        {"400.", DARAJA_MEANS_FIELD},
        {"404.", DARAJA_MEANS_REQUEST},
        {"405.", DARAJA_MEANS_REQUEST},
        {"policies.ratelimit", DARAJA_MEANS_BUSY},
        {"oauth.v2", DARAJA_MEANS_TOKEN},
        {"keymanagement", DARAJA_MEANS_TOKEN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (span_starts_with(code, span_from(rows[i].begins))) {
            return rows[i].meaning;
        }
    }
    return DARAJA_MEANS_UNKNOWN;
}

/* A page of whatever stands in front: what refuses before it passes anything on is known by its
 * status, everything else may have passed it on. */
static enum daraja_meaning meaning_of_status(uint32_t status)
{
    switch (status) {
    case 401: return DARAJA_MEANS_TOKEN;
    case 403:
    case 404:
    case 405:
    case 411:
    case 413:
    case 414:
    case 415: return DARAJA_MEANS_REQUEST;
    case 429: return DARAJA_MEANS_BUSY;
    default: return DARAJA_MEANS_UNKNOWN;
    }
}

enum daraja_meaning daraja_answer_meaning(const struct daraja_answer *answer)
{
    bool speaks = answer->form == DARAJA_ANSWER_ERROR || answer->form == DARAJA_ANSWER_FAULT;
    enum daraja_meaning meaning = DARAJA_MEANS_UNKNOWN;
    if (speaks) {
        meaning = meaning_of_message(answer->message);
    }
    /* The id is also named when it is missing: "Duplicate ..." says that it was used before. */
    if (speaks && meaning == DARAJA_MEANS_DUPLICATE && !daraja_says(answer->message, "duplicate")) {
        meaning = DARAJA_MEANS_FIELD;
    }
    if (speaks && meaning == DARAJA_MEANS_UNKNOWN) {
        meaning = meaning_of_code(answer->code);
    }
    if (!speaks && answer->http_status >= 400) {
        meaning = meaning_of_status(answer->http_status);
    }
    return meaning;
}
