/*
 * daraja_error.c - see daraja_error.h. Tests: tests/unit/test_daraja_stk.c.
 */
#include "wire/daraja_error.h"

#include <string.h>

#include "wire/json.h"

struct daraja_error_row {
    unsigned status;
    const char *code;
    const char *message;
};

static const struct daraja_error_row daraja_errors[DARAJA_ERROR_COUNT] = {
#define X(name, status, code, message) [DARAJA_ERROR_##name] = {(status), (code), (message)},
    DARAJA_ERRORS(X)
#undef X
};

static const struct daraja_error_row *daraja_error_row(enum daraja_error_kind kind)
{
    CHECK(kind > DARAJA_ERROR_NONE && kind < DARAJA_ERROR_COUNT);
    return &daraja_errors[kind];
}

unsigned daraja_error_status(enum daraja_error_kind kind)
{
    return daraja_error_row(kind)->status;
}

const char *daraja_error_code(enum daraja_error_kind kind)
{
    return daraja_error_row(kind)->code;
}

/*
 * As much as fits. Other than printable ASCII becomes '?': the explanation travels in a header, and
 * may quote what a stranger sent.
 */
static void copy_printable(char *out, size_t capacity, const char *text)
{
    size_t size = 0;
    for (; text != NULL && text[size] != '\0' && size < capacity - 1; size++) {
        out[size] = text[size] >= ' ' && text[size] <= '~' ? text[size] : '?';
    }
    out[size] = '\0';
}

void daraja_error_set(struct daraja_error *error, enum daraja_error_kind kind, const char *detail,
                      const char *explain)
{
    CHECK(kind > DARAJA_ERROR_NONE && kind < DARAJA_ERROR_COUNT);
    error->kind = kind;
    copy_printable(error->detail, sizeof(error->detail), detail);
    copy_printable(error->explain, sizeof(error->explain), explain);
}

/* The wording with the detail in its place. */
static struct span error_message(const struct daraja_error *error, char *out, size_t capacity)
{
    struct writer w = writer_init(out, capacity);
    for (const char *at = daraja_error_row(error->kind)->message; *at != '\0'; at++) {
        if (at[0] == '%' && at[1] == 's') {
            json_raw(&w, error->detail);
            at++;
        } else {
            put_u8(&w, (uint8_t)*at);
        }
    }
    CHECK(!w.overflow);
    return (struct span){out, w.size};
}

void daraja_error_render_code(struct writer *w, const char *code, const char *message,
                              struct span request_id)
{
    char words[256];
    struct daraja_error error = {.kind = DARAJA_ERROR_INTERNAL, .detail = "BusinessShortCode"};
    for (uint32_t kind = DARAJA_ERROR_COUNT - 1; kind > DARAJA_ERROR_NONE; kind--) {
        if (strcmp(daraja_errors[kind].code, code) == 0) {
            error.kind = kind; /* of several wordings the first */
        }
    }
    struct span usual = error_message(&error, words, sizeof(words));
    json_open(w, '{');
    json_field_string(w, "requestId", request_id);
    json_field_text(w, "errorCode", code);
    json_field_string(w, "errorMessage", message[0] != '\0' ? span_from(message) : usual);
    json_close(w, '}');
}

unsigned daraja_error_code_status(const char *code)
{
    if (code[0] == '0') { /* maintenance: the only code that begins with no status */
        return daraja_error_status(DARAJA_ERROR_MAINTENANCE);
    }
    CHECK(code[0] >= '4' && code[0] <= '5' && code[1] >= '0' && code[1] <= '9' && code[2] >= '0' &&
          code[2] <= '9');
    return (unsigned)((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
}

void daraja_error_render(struct writer *w, const struct daraja_error *error, struct span request_id)
{
    char message[256];
    json_open(w, '{');
    json_field_string(w, "requestId", request_id);
    json_field_text(w, "errorCode", daraja_error_code(error->kind));
    json_field_string(w, "errorMessage", error_message(error, message, sizeof(message)));
    json_close(w, '}');
}
