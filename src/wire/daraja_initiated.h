/*
 * daraja_initiated.h - the bytes of the calls that an organisation's initiator makes beside
 * payouts: account balance, transaction status, reversal, B2B and tax remittance. Requests in,
 * results out. Sources: docs/daraja-notes.md. Tests: tests/unit/test_daraja_initiated.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_INITIATED_H
#define HAKIKA_WIRE_DARAJA_INITIATED_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/daraja_envelope.h"
#include "wire/daraja_error.h"
#include "wire/daraja_url.h"
#include "wire/json.h"

enum daraja_initiated_api {
    DARAJA_BALANCE = 1,
    DARAJA_STATUS = 2,
    DARAJA_REVERSAL = 3,
    DARAJA_B2B = 4,
    DARAJA_TAX = 5,
};

/* CommandID of B2B; the others have one each, which is checked and not told. */
enum daraja_b2b_command {
    DARAJA_PAY_BILL = 1,
    DARAJA_BUY_GOODS = 2,
    DARAJA_PAY_TO_BULK = 3,
    DARAJA_MMF_TO_UTILITY = 4,
    DARAJA_BUSINESS_TRANSFER = 5,
    DARAJA_DISBURSE_FUNDS = 6,
};

/* What an API does not have stays zero. */
struct daraja_initiated {
    struct span initiator;
    struct span security_credential;
    enum daraja_b2b_command command;
    struct span transaction_id;  /* STATUS, REVERSAL: the receipt; STATUS may have the other */
    struct span conversation_id; /* STATUS: OriginalConversationID, when there is no receipt */
    int64_t amount_minor;        /* REVERSAL, B2B, TAX: above 0 */
    uint32_t party_a;            /* who asks: PartyA, ReceiverParty of a reversal */
    uint32_t party_b;            /* B2B, TAX */
    bool party_b_is_till;
    struct span reference; /* AccountReference; may be empty */
    uint64_t requester;    /* 0: none */
    struct span remarks;
    struct span timeout_url;
    struct span result_url;
    struct span occasion; /* may be empty */
};

/* True and *out filled, or false and *error filled. */
bool daraja_initiated_parse(enum daraja_initiated_api api, struct span body,
                            const struct daraja_url_rule *rule, struct json_scratch *scratch,
                            struct daraja_initiated *out, struct daraja_error *error) MUST_USE;

/* ---- results; `result` NULL: a failure ---- */

/* An organisation's accounts as the balance shows them, in cents. */
struct daraja_balances {
    bool is_till;
    int64_t utility_minor; /* a till's merchant account */
    int64_t working_minor;
    int64_t charges_minor;
    int64_t settlement_minor;
    const char *completed; /* YYYYMMDDHHmmss */
};
void daraja_balance_render(struct writer *w, const struct daraja_result_head *head,
                           const struct daraja_balances *result);

struct daraja_status_result {
    struct span debit_party;
    struct span credit_party;
    struct span originator_id;
    const char *conversation_id; /* NULL: it has none */
    const char *initiated;       /* YYYYMMDDHHmmss */
    const char *finalised;       /* NULL: not yet */
    const char *debit_account;   /* "Utility Account" */
    const char *charge_name;     /* "Fee For B2C Payment"; with charge_minor above 0 */
    int64_t charge_minor;
    const char *reason; /* "Business Payment to Customer via API" */
    const char *status; /* "Completed" */
    int64_t amount_minor;
    const char *receipt; /* NULL: none */
};
void daraja_status_render(struct writer *w, const struct daraja_result_head *head,
                          struct span occasion, const struct daraja_status_result *result);

struct daraja_reversal_result {
    bool is_till;
    int64_t balance_minor; /* of the account that paid back, afterwards */
    int64_t amount_minor;
    const char *completed;
    struct span original;
    struct span credit_party;
    struct span debit_party;
};
void daraja_reversal_render(struct writer *w, const struct daraja_result_head *head,
                            const struct daraja_reversal_result *result);

struct daraja_b2b_result {
    const char *account; /* "Working Account" */
    int64_t balance_minor;
    int64_t amount_minor;
    const char *completed;
    struct span receiver;
};
/* ended: when it ended, also badly; YYYYMMDDHHmmss. */
void daraja_b2b_render(struct writer *w, const struct daraja_result_head *head, const char *ended,
                       struct span reference, struct span timeout_url,
                       const struct daraja_b2b_result *result);

/* The message to QueueTimeOutURL: no parameters, and more is to come (ResultType 1). */
void daraja_late_render(struct writer *w, const struct daraja_result_head *head);

/* ---- the client's direction ---- */

/* The requests as they are read above. A status has transaction_id or conversation_id. */
void daraja_initiated_request_render(enum daraja_initiated_api api, struct writer *w,
                                     const struct daraja_initiated *request);

/* What results say; what they do not say is empty, false or 0. A balance is read with
 * daraja_account_next from its parameter "AccountBalance". */
struct daraja_status_seen {
    struct span debit_party;
    struct span credit_party;
    struct span originator_id; /* of the request asked about */
    struct span conversation_id;
    struct span status; /* "Completed" */
    struct span reason; /* "Pay Bill Online" */
    struct span receipt;
    bool has_amount;
    int64_t amount_minor;
    bool has_charge;
    int64_t charge_minor;
    int64_t initiated_ns;
    int64_t finalised_ns;
};
void daraja_status_result_read(const struct daraja_envelope *e, struct daraja_status_seen *out);

struct daraja_reversal_seen {
    struct span original; /* receipt of what was reversed */
    bool has_amount;
    int64_t amount_minor;
    bool has_charge;
    int64_t charge_minor;
    bool has_balance;
    int64_t balance_minor; /* of the account that paid back, afterwards */
    struct span credit_party;
    struct span debit_party;
    int64_t completed_ns;
};
void daraja_reversal_result_read(const struct daraja_envelope *e, struct daraja_reversal_seen *out);

#endif
