/*
 * daraja_envelope.h - what Daraja's initiator APIs (B2C, B2B, reversal, balance, status, ...) have
 * in common on the wire: the answer that accepts a request, and the Result that comes later.
 *
 * Guarantees: rendering never truncates: what does not fit is an error of the writer.
 * Tests: tests/unit/test_daraja_requests.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_ENVELOPE_H
#define HAKIKA_WIRE_DARAJA_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/span.h"
#include "wire/json.h"

/* The synchronous answer: strings only. */
void daraja_accepted_render(struct writer *w, struct span originator_id,
                            const char *conversation_id);

struct daraja_result_head {
    const char *code; /* "0", "2001", "R000002" */
    const char *desc;
    struct span originator_id;
    const char *conversation_id;
    const char *transaction_id;
    bool waits;        /* ResultType 1: more messages follow; 0: this is the end */
    bool code_as_text; /* balance, B2B and tax send "0", the others 0; other texts are quoted */
};

/* Daraja's wording for a result code of an initiator API; never NULL. */
const char *daraja_initiator_desc(const char *code);

/* {"Result":{... up to TransactionID; then, in this order and where they apply, the parameters
 * and the reference data; then the end. */
void daraja_result_open(struct writer *w, const struct daraja_result_head *head);
void daraja_parameters_open(struct writer *w);
void daraja_parameter_text(struct writer *w, const char *key, struct span value);
void daraja_parameter_raw(struct writer *w, const char *key, const char *value); /* a number */
void daraja_parameter_money(struct writer *w, const char *key, int64_t minor);   /* 190.00 */
void daraja_parameter_empty(struct writer *w, const char *key);                  /* Key only */
void daraja_parameters_close(struct writer *w);
/* All parameters there are: one number, as a bare object, as it comes over the wire. */
void daraja_parameter_alone(struct writer *w, const char *key, const char *value);
/* A single item as a bare object, as it comes over the wire. Value absent when empty. */
void daraja_reference_render(struct writer *w, const char *key, struct span value);
/* Two items in an array; a Value is absent when empty. */
void daraja_references_render(struct writer *w, const char *key, struct span value,
                              const char *other_key, struct span other_value);
void daraja_result_close(struct writer *w);

/* ---- the client's direction ---- */

struct daraja_accepted {
    struct span originator_id;
    struct span conversation_id;
    struct span response_code; /* "0": taken */
    struct span description;
};
/* False when it accepts nothing (an error envelope: daraja_answer.h). */
bool daraja_accepted_parse(const struct json_object *object, struct json_scratch *scratch,
                           struct daraja_accepted *out) MUST_USE;

/* A message to ResultURL or QueueTimeOutURL. */
struct daraja_envelope {
    struct span code; /* as text, whatever its JSON type */
    struct span desc;
    struct span originator_id;
    struct span conversation_id;
    struct span transaction_id; /* empty also for the day and zeros that a failure may have */
    bool waits;                 /* ResultType 1: more messages follow */
    struct json_scratch *scratch;
    struct json_object *parameters; /* a list, one bare object, or NULL */
    struct json_object *references;
};
/* False when it is no result. */
bool daraja_envelope_parse(struct span body, struct json_scratch *scratch,
                           struct daraja_envelope *out) MUST_USE;
/* The Result that came, told on under other ids: code, words, parameters and references as they
 * are. False, and nothing written, when it is no result. */
bool daraja_result_relay(struct writer *w, struct span body, struct json_scratch *scratch,
                         struct span originator_id, const char *conversation_id) MUST_USE;
/* A result parameter as text: of several with that key the first; empty when there is none or when
 * it has no value. */
struct span daraja_envelope_parameter(const struct daraja_envelope *e, const char *key);
struct span daraja_envelope_reference(const struct daraja_envelope *e, const char *key);
bool daraja_envelope_amount(const struct daraja_envelope *e, const char *key,
                            int64_t *minor_out) MUST_USE;
/* 0 when there is none. */
int64_t daraja_envelope_time(const struct daraja_envelope *e, const char *key);

/* "Utility Account|KES|228037.00|228037.00|0.00|0.00", also "Fee For B2C Payment|KES|22.40": what
 * follows after an '&' stays in *rest. False at the end and for what is no account. */
struct daraja_account {
    struct span name;
    struct span currency;
    int64_t current_minor;
    bool has_available;
    int64_t available_minor;
};
bool daraja_account_next(struct span *rest, struct daraja_account *out) MUST_USE;

#endif
