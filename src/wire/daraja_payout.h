/*
 * daraja_payout.h - the bytes of Daraja's B2C (v1 and v3) and B2Pochi: requests in, results out.
 * Sources: docs/daraja-notes.md. Tests: tests/unit/test_daraja_requests.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_PAYOUT_H
#define HAKIKA_WIRE_DARAJA_PAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/daraja_envelope.h"
#include "wire/daraja_error.h"
#include "wire/daraja_url.h"
#include "wire/json.h"

enum daraja_payout_api {
    DARAJA_B2C_V1 = 1, /* no originator conversation id of the caller's */
    DARAJA_B2C_V3 = 3, /* mandatory, used once */
    DARAJA_B2POCHI = 4,
};

/* CommandID */
enum daraja_payout_command {
    DARAJA_BUSINESS_PAYMENT = 1,
    DARAJA_SALARY_PAYMENT = 2,
    DARAJA_PROMOTION_PAYMENT = 3,
    DARAJA_PAY_TO_POCHI = 4,
};

struct daraja_payout {
    struct span originator_id; /* empty in v1 */
    struct span initiator;
    struct span security_credential;
    enum daraja_payout_command command;
    int64_t amount_minor; /* above 0; limits give results, not errors */
    uint32_t party_a;
    uint64_t party_b;
    struct span remarks;
    struct span timeout_url;
    struct span result_url;
    struct span occasion; /* may be empty */
};

/* True and *out filled, or false and *error filled. */
bool daraja_payout_parse(enum daraja_payout_api api, struct span body,
                         const struct daraja_url_rule *rule, struct json_scratch *scratch,
                         struct daraja_payout *out, struct daraja_error *error) MUST_USE;

/* What a success adds to the envelope. */
struct daraja_payout_result {
    int64_t amount_minor;
    const char *receipt;
    struct span receiver;  /* "254705912645 - NICHOLAS JOHN SONGOK" */
    const char *completed; /* "06.07.2024 22:48:52" */
    int64_t utility_minor;
    int64_t working_minor;
    int64_t charges_minor;
    bool registered;
};

/* result NULL: a failure, without parameters. */
void daraja_payout_render(struct writer *w, const struct daraja_result_head *head,
                          const struct daraja_payout_result *result);

/* ---- the client's direction ---- */

/* The request as it is read above; originator_id goes with v3 and B2Pochi. */
void daraja_payout_request_render(enum daraja_payout_api api, struct writer *w,
                                  const struct daraja_payout *payout);

/* What a result says; what it does not say is empty, false or 0. */
struct daraja_payout_seen {
    struct span receipt;
    bool has_amount;
    int64_t amount_minor;
    struct span receiver; /* "254705912645 - NICHOLAS JOHN SONGOK" */
    uint64_t phone;       /* 0: not in it */
    int64_t completed_ns;
    bool has_utility;
    int64_t utility_minor; /* a free balance check with each payout */
    bool has_working;
    int64_t working_minor;
    bool has_charges;
    int64_t charges_minor;
};
void daraja_payout_result_read(const struct daraja_envelope *e, struct daraja_payout_seen *out);
/* The number in front of "254705912645 - NAME"; 0 when there is none in full. */
uint64_t daraja_party_phone(struct span party);

#endif
