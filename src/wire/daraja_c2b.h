/*
 * daraja_c2b.h - the bytes of Daraja's C2B (register URL v1 and v2, simulate, validation and
 * confirmation) and of Pull Transactions (register, query): requests in, answers and messages out,
 * and what a validation URL answered.
 *
 * Guarantees: as daraja_fields.h; rendering never truncates.
 * Sources: docs/daraja-notes.md. Tests: tests/unit/test_daraja_c2b.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_C2B_H
#define HAKIKA_WIRE_DARAJA_C2B_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"
#include "wire/daraja_error.h"
#include "wire/daraja_url.h"
#include "wire/json.h"

struct daraja_c2b_register {
    uint32_t short_code;
    bool cancelled; /* ResponseType: Cancelled; otherwise Completed */
    struct span confirmation_url;
    struct span validation_url; /* may be empty */
};

struct daraja_c2b_simulate {
    uint32_t short_code;
    bool buy_goods; /* CommandID: CustomerBuyGoodsOnline; otherwise CustomerPayBillOnline */
    int64_t amount_minor;
    uint64_t msisdn;
    struct span reference; /* may be empty for buy goods */
};

/* True and *out filled, or false and *error filled. no_words: the URLs may not hold words that name
 * the operator or smell of an attack (mpesa, safaricom, exe, cmd, sql, query, ...). */
bool daraja_c2b_register_parse(struct span body, const struct daraja_url_rule *rule, bool no_words,
                               struct json_scratch *scratch, struct daraja_c2b_register *out,
                               struct daraja_error *error) MUST_USE;
bool daraja_c2b_simulate_parse(struct span body, struct json_scratch *scratch,
                               struct daraja_c2b_simulate *out,
                               struct daraja_error *error) MUST_USE;

/* The answer of both; the key really is misspelt. */
void daraja_c2b_accepted_render(struct writer *w, const char *originator_id,
                                const char *description);

/* Validation and confirmation: one form, all values strings. */
struct daraja_c2b_message {
    bool buy_goods;
    const char *transaction_id;
    const char *time; /* YYYYMMDDHHmmss */
    int64_t amount_minor;
    uint32_t short_code;
    struct span reference;
    bool has_balance; /* blank in a validation */
    int64_t balance_minor;
    struct span third_party_id;
    const char *msisdn;
    struct span name; /* split at its blanks */
};
void daraja_c2b_message_render(struct writer *w, const struct daraja_c2b_message *m);

/* "2547 ***** 126" */
void daraja_c2b_mask(uint64_t msisdn, char out[24]);

/* What a validation URL answered. */
struct daraja_c2b_verdict {
    bool accepted;
    uint8_t rejected;           /* 1 to 6: C2B00011 to C2B00016; any other code counts as 6 */
    struct span third_party_id; /* of an acceptance; may be empty; cut to 100 bytes */
};
/* False: it says neither yes nor no. */
bool daraja_c2b_verdict_parse(struct span answer, struct json_scratch *scratch,
                              struct daraja_c2b_verdict *out) MUST_USE;

/* ---- Pull Transactions ---- */

struct daraja_pull_register {
    uint32_t short_code;
    uint64_t number; /* NominatedNumber */
    struct span url;
};
struct daraja_pull_query {
    uint32_t short_code;
    int64_t start_ns;
    int64_t end_ns;
    uint64_t offset; /* in rows */
};
bool daraja_pull_register_parse(struct span body, const struct daraja_url_rule *rule,
                                struct json_scratch *scratch, struct daraja_pull_register *out,
                                struct daraja_error *error) MUST_USE;
bool daraja_pull_query_parse(struct span body, struct json_scratch *scratch,
                             struct daraja_pull_query *out, struct daraja_error *error) MUST_USE;

void daraja_pull_registered_render(struct writer *w, const char *reference, uint32_t short_code,
                                   bool already);
struct daraja_pull_row {
    const char *transaction_id;
    int64_t at_ns;
    uint64_t msisdn;
    struct span sender;
    bool buy_goods;
    struct span reference;
    int64_t amount_minor;
    struct span organisation;
};
/* The answer: open, rows, close. none: there is no row. */
void daraja_pull_open(struct writer *w, const char *reference, bool none);
void daraja_pull_row_render(struct writer *w, const struct daraja_pull_row *row);
void daraja_pull_close(struct writer *w);

/* ---- the client's direction ---- */

/* Does a URL hold a word for which Daraja refuses it (mpesa, safaricom, exe, cmd, sql, query)? */
bool daraja_c2b_url_has_word(struct span url);
void daraja_c2b_register_render(struct writer *w, const struct daraja_c2b_register *request);

/* A validation or a confirmation as it came. */
struct daraja_c2b_seen {
    struct span transaction_id;
    struct span type; /* "Pay Bill" */
    bool has_amount;
    int64_t amount_minor;
    int64_t at_ns; /* 0: not given */
    uint32_t short_code;
    struct span reference; /* empty for tills */
    struct span invoice;
    struct span third_party_id;
    bool has_balance; /* blank in a validation */
    int64_t balance_minor;
    struct span msisdn; /* plain, masked or hashed */
    uint64_t phone;     /* 0: not in full */
    struct span first_name;
    struct span middle_name;
    struct span last_name;
};
/* False when it is neither. */
bool daraja_c2b_message_parse(struct span body, struct json_scratch *scratch,
                              struct daraja_c2b_seen *out) MUST_USE;
/* What a validation URL answers; third_party_id goes with an acceptance when it is not empty. */
void daraja_c2b_verdict_render(struct writer *w, const struct daraja_c2b_verdict *verdict);

void daraja_pull_register_render(struct writer *w, const struct daraja_pull_register *request);
void daraja_pull_query_render(struct writer *w, const struct daraja_pull_query *request);

/* The answer of both pull calls; the rows are taken out one after the other. */
struct daraja_pull_answer {
    struct span reference;
    struct span code; /* "1000": done; "1001": nothing found, or registered before */
    struct span message;
    struct json_scratch *scratch;
    struct json_object *rows; /* an array of arrays, also when there is no row */
    size_t outer;
    size_t inner;
};
/* A list that was cut off somewhere, as far as its rows are whole, closed in `room`; one that is
 * whole, or has no whole row, as it is. */
struct span daraja_pull_whole(struct span answer, char *room, size_t size);
bool daraja_pull_answer_parse(struct json_object *object, struct json_scratch *scratch,
                              struct daraja_pull_answer *out) MUST_USE;
struct daraja_pull_seen {
    struct span transaction_id;
    int64_t at_ns; /* 0: not given */
    struct span msisdn;
    uint64_t phone; /* 0: not in full */
    struct span sender;
    struct span type;
    struct span reference;
    struct span organisation;
    bool has_amount;
    int64_t amount_minor;
};
/* False at the end. What holds no transaction id is passed over. */
bool daraja_pull_row_next(struct daraja_pull_answer *answer, struct daraja_pull_seen *out) MUST_USE;

#endif
