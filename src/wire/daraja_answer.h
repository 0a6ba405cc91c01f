/*
 * daraja_answer.h - what came back when Daraja was called: its error envelope, the fault of the
 * gateway in front of it, a page that is no JSON, nothing at all, or an answer of the product.
 *
 * Guarantees: any bytes are an answer of some form; one code with several meanings is told apart by
 * its message (500.001.1001 has four), and what nobody has written down is DARAJA_MEANS_UNKNOWN,
 * never a refusal. Spans live until the scratch's next parse. Sources: docs/daraja-notes.md.
 * Tests: tests/unit/test_daraja_client.c, fuzzed by fuzz_daraja_client.
 */
#ifndef HAKIKA_WIRE_DARAJA_ANSWER_H
#define HAKIKA_WIRE_DARAJA_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"
#include "wire/json.h"

enum daraja_answer_form {
    DARAJA_ANSWER_EMPTY = 1,
    DARAJA_ANSWER_NOT_JSON = 2, /* HTML of a proxy, a body cut short */
    DARAJA_ANSWER_OBJECT = 3,   /* an object that is no error: the product reads it */
    DARAJA_ANSWER_ERROR = 4,    /* {"requestId","errorCode","errorMessage"} */
    DARAJA_ANSWER_FAULT = 5,    /* {"fault":{"faultstring","detail":{"errorcode"}}} */
};

struct daraja_answer {
    enum daraja_answer_form form;
    uint32_t http_status;
    struct json_object *object; /* OBJECT, ERROR, FAULT */
    struct span request_id;
    struct span code; /* "500.001.1001"; of a fault "policies.ratelimit.QuotaViolation" */
    struct span message;
};

void daraja_answer_read(struct span body, uint32_t http_status, struct json_scratch *scratch,
                        struct daraja_answer *out);

/* What an error means for the one who called. */
enum daraja_meaning {
    DARAJA_MEANS_UNKNOWN = 0,     /* it may have been taken: nothing may be concluded */
    DARAJA_MEANS_IN_FLIGHT = 1,   /* "The transaction is being processed" */
    DARAJA_MEANS_CREDENTIALS = 2, /* Password, consumer key or secret */
    DARAJA_MEANS_MERCHANT = 3,    /* "Merchant does not exist" */
    DARAJA_MEANS_PHONE_BUSY = 4,  /* "Unable to lock subscriber" */
    DARAJA_MEANS_TOKEN = 5,       /* expired or unknown access token */
    DARAJA_MEANS_PRODUCT = 6,     /* "no apiproduct match found" */
    DARAJA_MEANS_FIELD = 7,       /* a field of the request */
    DARAJA_MEANS_BUSY = 8,        /* spike arrest, quota, maintenance */
    DARAJA_MEANS_DUPLICATE = 9,   /* "Duplicate OriginatorConversationID." */
    DARAJA_MEANS_REGISTERED = 10, /* "Urls are already registered." */
    DARAJA_MEANS_REQUEST = 11,    /* path, method or header */
    DARAJA_MEANS_REPEATED = 12,   /* "Duplicate request": an operator that knows fingerprints */
};

/* Of an ERROR, a FAULT, or of an HTTP status from 400 without either. */
enum daraja_meaning daraja_answer_meaning(const struct daraja_answer *answer);

/* A member as text, whatever its JSON type, under one name or the other (NULL: none); or empty. */
struct span daraja_text(struct json_scratch *scratch, const struct json_object *object,
                        const char *name, const char *also);
/* Is `needle` (lower case) in the text, whatever the case there? */
bool daraja_says(struct span text, const char *needle);

#endif
