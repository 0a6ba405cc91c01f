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

#endif
