/*
 * daraja_fields.h - reading a request body field by field, in Daraja's manner: numbers as strings
 * and strings as numbers, some names in several spellings, and the first field that is wrong is
 * the one that is named ("Bad Request - Invalid <field>").
 *
 * Guarantees: no value is changed on the way; an explanation never repeats a secret or a customer's
 * text, and of a phone number four digits at most. Spans point into the scratch and live until its
 * next parse. Tests: tests/unit/test_daraja_stk.c, test_daraja_requests.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_FIELDS_H
#define HAKIKA_WIRE_DARAJA_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/money.h"
#include "base/span.h"
#include "wire/daraja_error.h"
#include "wire/daraja_url.h"
#include "wire/json.h"

enum { DARAJA_TEXT_BYTES_MAX = 100 }; /* what a book keeps of a text: OPERATOR_REFERENCE_MAX */

/* How much of a wrong value an explanation may repeat. */
enum daraja_shown {
    DARAJA_SHOWN_FULL,  /* its beginning */
    DARAJA_SHOWN_PHONE, /* four characters and how many there are */
    DARAJA_SHOWN_NEVER, /* secrets, and texts of customers */
};

struct daraja_field {
    const char *name;
    const char *also;     /* another spelling that clients send; NULL: none */
    const char *reported; /* the name in the error message; NULL: name */
    const char *rule;     /* to be read after the name */
    enum daraja_shown shown;
    bool string_only;
};

#define DARAJA_RULE_SHORT_CODE "must be 5 to 7 digits"
#define DARAJA_RULE_PHONE      "must be 12 digits like 254712345678"
#define DARAJA_RULE_URL        "must be an absolute http or https URL"
#define DARAJA_RULE_WORDS      "must be 1 to 100 bytes"

/* What a customer may pay at once, and the rule that says it. */
#define DARAJA_TRANSACTION_MAX_MINOR ((int64_t)250000 * MONEY_MINOR_PER_MAJOR)
#define DARAJA_RULE_TRANSACTION      "must be whole shillings from 1 to 250000"
/* Beyond this they are no amounts; what is too much for somebody is a result, not an error. */
#define DARAJA_AMOUNT_MAX_MINOR      ((int64_t)1000 * 1000 * 1000 * MONEY_MINOR_PER_MAJOR)

/* The fields that several APIs read by the same rule; what one alone has stands in its file. */
extern const struct daraja_field daraja_field_account_reference;
extern const struct daraja_field daraja_field_amount;         /* whole, of any size */
extern const struct daraja_field daraja_field_limited_amount; /* whole, of one transaction */
extern const struct daraja_field daraja_field_business_short_code;
extern const struct daraja_field daraja_field_callback_url;
extern const struct daraja_field daraja_field_command;
extern const struct daraja_field daraja_field_credential;
extern const struct daraja_field daraja_field_party_a_code;  /* an organisation */
extern const struct daraja_field daraja_field_party_a_phone; /* a customer */
extern const struct daraja_field daraja_field_party_b_code;
extern const struct daraja_field daraja_field_remarks;
extern const struct daraja_field daraja_field_result_url;
extern const struct daraja_field daraja_field_timeout_url;

/* A body being read. */
struct daraja_body {
    struct json_scratch *scratch;
    struct json_object *object;
    struct daraja_error *error;
};

/* Parses the body as one object; false: *error is set (400.002.05). */
bool daraja_body_open(struct daraja_body *b, struct span body, struct json_scratch *scratch,
                      struct daraja_error *error) MUST_USE;

/* Each of these is false when the field is wrong, with *error naming it (400.002.02). */
bool daraja_take_text(struct daraja_body *b, const struct daraja_field *field,
                      struct span *out) MUST_USE;
/* Not empty, and of any length: a SecurityCredential. */
bool daraja_take_any_text(struct daraja_body *b, const struct daraja_field *field,
                          struct span *out) MUST_USE;
/* Absent, null and empty give an empty span. */
bool daraja_take_optional(struct daraja_body *b, const struct daraja_field *field,
                          struct span *out) MUST_USE;
/* 1 to 100 bytes, no control characters. */
bool daraja_take_words(struct daraja_body *b, const struct daraja_field *field,
                       struct span *out) MUST_USE;
/* The same, or nothing. */
bool daraja_take_optional_words(struct daraja_body *b, const struct daraja_field *field,
                                struct span *out) MUST_USE;
bool daraja_take_short_code(struct daraja_body *b, const struct daraja_field *field,
                            uint32_t *out) MUST_USE;
/* 2547XXXXXXXX or 2541XXXXXXXX. */
bool daraja_take_phone(struct daraja_body *b, const struct daraja_field *field,
                       uint64_t *out) MUST_USE;
/* Shillings, whole or with cents when `cents`, above 0 and up to max_minor; in cents. */
bool daraja_take_amount(struct daraja_body *b, const struct daraja_field *field, int64_t max_minor,
                        bool cents, int64_t *out) MUST_USE;
bool daraja_take_url(struct daraja_body *b, const struct daraja_field *field,
                     const struct daraja_url_rule *rule, struct span *out) MUST_USE;
/* One of count names; *out is its index. */
bool daraja_take_choice(struct daraja_body *b, const struct daraja_field *field,
                        const char *const *names, uint32_t count, uint32_t *out) MUST_USE;

/* Names the field in Daraja's words and says in ours what is wrong with it; value may be NULL.
 * Always false. */
bool daraja_field_refuse(struct daraja_body *b, const struct daraja_field *field, const char *rule,
                         const struct span *value);

/* ---- writing requests: strings, which all of Daraja's APIs take for numbers ---- */

void daraja_field_digits(struct writer *w, const char *name, uint64_t value);
/* "100", and with cents "100.50". */
void daraja_field_shillings(struct writer *w, const char *name, int64_t minor);
/* Nothing when the text is empty. */
void daraja_field_maybe(struct writer *w, const char *name, struct span text);

#endif
