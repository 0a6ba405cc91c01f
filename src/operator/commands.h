/*
 * commands.h - what the operator can be asked to do, and its reply. Numbers are the causes of
 * frames in the journal.
 */
#ifndef HAKIKA_OPERATOR_COMMANDS_H
#define HAKIKA_OPERATOR_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "book/book.h"
#include "operator/accounts.h"
#include "operator/limits.h"
#include "operator/rules.h"
#include "operator/standing.h"

/* What an item of the outbox is: its kind. The subject is the number of a payment or a request. */
enum operator_message {
    MESSAGE_STK_CALLBACK = 1,  /* of a payment */
    MESSAGE_RESULT = 2,        /* of a request: the API's own result, callback or confirmation */
    MESSAGE_TIMEOUT = 3,       /* of a request: to its time-out URL */
    MESSAGE_VALIDATION = 4,    /* of a C2B request: may it be paid? */
    MESSAGE_BILL = 11,         /* of an income: to the biller (bill.h) */
    MESSAGE_CONFIRMATION = 10, /* of an income: an STK payment to an organisation with C2B URLs */
};

/* Kinds of commands (frame causes): numbers are never reused. */
enum operator_command_kind {
    COMMAND_SEED = 64,
    COMMAND_SUBSCRIBER_OPEN = 65,
    COMMAND_SUBSCRIBER_CHANGE = 66,
    COMMAND_ORGANISATION_OPEN = 67,
    COMMAND_ORGANISATION_FUND = 68,
    COMMAND_STK_PUSH = 69,
    COMMAND_STK_APPROVE = 70,
    COMMAND_STK_CANCEL = 71,
    COMMAND_STK_ADVANCE = 72, /* internal: the head of the pipeline */
    COMMAND_STK_EXPIRE = 73,  /* internal: the first prompt whose time is over */
    COMMAND_REQUEST = 74,
    COMMAND_REQUEST_ADVANCE = 75, /* internal: the head of the pipeline of requests */
    COMMAND_REQUEST_EXPIRE = 76,  /* internal: the first request whose deadline is over */
    COMMAND_REQUEST_APPROVE = 77, /* struct stk_answer_command, number: of the request */
    COMMAND_REQUEST_CANCEL = 78,  /* struct stk_answer_command */
    COMMAND_ORGANISATION_CHANGE = 79,
    COMMAND_C2B_REGISTER = 110,
    COMMAND_VALIDATION_SET = 111,
    COMMAND_PULL_REGISTER = 112,
    COMMAND_RULES_SET = 96,     /* struct rules_command */
    COMMAND_RULE_CALL = 97,     /* struct rule_call: a call that ends with what a rule says of it */
    COMMAND_STANDING_RUN = 117, /* internal: the first standing order that is due pays */
    COMMAND_STANDING_CANCEL = 118, /* struct standing_cancel_command */
    COMMAND_BILLER = 119,          /* struct biller_command */
    COMMAND_INVOICE = 120,         /* struct invoice_command */
    COMMAND_INVOICE_CANCEL = 121,  /* struct invoice_cancel_command */
    COMMAND_ACKNOWLEDGE = 122,     /* struct acknowledge_command */
    COMMAND_PAYSTACK = 150,        /* struct paystack_command */
    COMMAND_PAYSTACK_PHONE = 151,  /* struct paystack_phone_command */
    COMMAND_RULE_ACT = 98,         /* internal: what a rule lets the first phone do that is due */
};

struct subscriber_command {
    uint64_t msisdn;
    struct span name;
    uint8_t verifier[PIN_VERIFIER_BYTES];
    uint8_t key_version;
    int64_t balance_minor; /* e-money issued to it, 0 or more */
    bool approves;
};

struct organisation_command {
    uint32_t short_code;
    struct span name;
    uint8_t type;
    uint8_t charges;
    struct span initiator;
    struct span secrets[ORGANISATION_SECRETS]; /* sealed */
    int64_t utility_minor;
    int64_t working_minor;
};

/* Which fields of an organisation_change_command count. */
enum organisation_change {
    ORGANISATION_CHANGE_ACTIVE = 1,
    ORGANISATION_CHANGE_NOMINATED = 2,
    ORGANISATION_CHANGE_DELAY = 4,
};

struct organisation_change_command {
    uint32_t short_code;
    uint32_t fields; /* enum organisation_change, or-ed */
    bool active;
    uint64_t nominated;     /* MSISDN of a wallet on this network; 0: none any more */
    int64_t queue_delay_ns; /* 0 to OPERATOR_QUEUE_DELAY_MAX */
};

/* Opens a new generation: empties the book and fills it with this. */
struct seed_command {
    uint32_t organisation_count;
    uint32_t subscriber_count;
    struct organisation_command organisations[OPERATOR_SEED_MAX];
    struct subscriber_command subscribers[OPERATOR_SEED_MAX];
};

/* Which fields of a subscriber_change_command count. */
enum subscriber_change {
    CHANGE_REACHABLE = 1,
    CHANGE_STATUS = 2,
    CHANGE_PIN = 4, /* also unlocks */
    CHANGE_SIM_SWAPPED = 8,
    CHANGE_BALANCE = 16,
};

struct subscriber_change_command {
    uint64_t msisdn;
    uint32_t fields; /* enum subscriber_change, or-ed */
    bool reachable;
    uint8_t status;
    uint8_t verifier[PIN_VERIFIER_BYTES];
    uint8_t key_version;
    int64_t sim_swapped_ns;
    int64_t adjust_minor; /* added to or taken from the wallet, against the trust account */
};

struct fund_command {
    uint32_t short_code;
    uint8_t account; /* enum organisation_account: utility or working */
    int64_t amount_minor;
    bool has_key;
    uint8_t key[16]; /* idempotency key and request digests */
    uint8_t request[16];
};

struct stk_push_command {
    uint32_t short_code;
    uint32_t party_b;
    uint8_t type; /* 1 paybill, 2 buy goods */
    int64_t amount_minor;
    uint64_t msisdn;
    struct span url;
    struct span reference;
    struct span description;
    uint64_t target;
    uint8_t fingerprint[16]; /* SHA-256 over phone, short code, amount, reference (R1.4), cut */
};

struct stk_answer_command {
    uint64_t number;                      /* of the payment or the request */
    uint8_t verifier[PIN_VERIFIER_BYTES]; /* of an approval */
};

/* What an organisation asks for (request.h). Texts that an API does not have are empty. */
struct request_command {
    uint8_t kind;       /* enum request_kind */
    uint8_t command;    /* the kind's own: which CommandID */
    uint8_t party_type; /* enum party_type */
    uint32_t short_code;
    uint64_t party;
    int64_t amount_minor;     /* 0 to OPERATOR_AMOUNT_MAX; the kind's own limits give results */
    uint64_t original;        /* request_original_*; 0: nothing */
    struct span conversation; /* the caller's own originator conversation id; empty: one of ours */
    struct span initiator;
    bool credential_good;   /* the initiator's password was right, or nobody can tell (dev) */
    bool without_initiator; /* an API that has none */
    bool has_pin;           /* of the party, who asks by itself (C2B) */
    uint8_t verifier[PIN_VERIFIER_BYTES];
    struct span result_url;
    struct span timeout_url;
    struct span reference;
    struct span remarks;
    struct span occasion;
    uint64_t target;
    uint64_t timeout_target;
    struct standing_terms terms; /* STANDING_ORDER only */
};

/* Puts a list of scenario rules in the place of the one of that origin; counts begin anew. */
struct rules_command {
    uint8_t origin;   /* enum rule_origin */
    struct span list; /* rule_list_encode */
};

/* The reply of every operator command. */
enum operator_refusal {
    OPERATOR_DONE = 0,
    OPERATOR_MERCHANT_UNKNOWN,  /* BusinessShortCode */
    OPERATOR_DUPLICATE,         /* R1.4; of a request: its originator conversation id */
    OPERATOR_SUBSCRIBER_LOCKED, /* a prompt is open on that phone */
    OPERATOR_NOT_FOUND,
    OPERATOR_EXISTS,
    OPERATOR_ALREADY_ANSWERED, /* the prompt has an answer that waits for its turn */
    OPERATOR_ALREADY_ENDED,
    OPERATOR_NO_MONEY,   /* an adjustment below zero */
    OPERATOR_LIMIT,      /* an amount out of range */
    OPERATOR_KEY_REUSED, /* an idempotency key with another request */
    OPERATOR_REPEATED,   /* an idempotency key with the same request: nothing happened */
};

struct operator_reply {
    enum operator_refusal refusal;
    uint32_t slot;   /* of the subscriber, organisation or payment */
    uint64_t number; /* of the payment (also of the other one, for DUPLICATE) */
};

#endif
