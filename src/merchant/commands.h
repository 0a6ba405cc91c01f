/*
 * commands.h - what the merchant book can be asked to do, and its reply. Numbers are the causes of
 * frames in the journal.
 */
#ifndef HAKIKA_MERCHANT_COMMANDS_H
#define HAKIKA_MERCHANT_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/observation.h"
#include "base/span.h"
#include "merchant/limits.h"
#include "merchant/refusals.h"

/*
 * What the book wants of a provider: kinds of outbox items, whose numbers stand in the journal.
 * X(NAME, number, "name")
 */
#define MERCHANT_CALLS(X)                                                        \
    X(PUSH, 1, "push")         /* ask the customer: STK push, Paystack charge */ \
    X(QUERY, 2, "query")       /* what became of it: STK query, verify */        \
    X(STATUS, 3, "status")     /* Transaction Status: receipt, by any id */      \
    X(PAYOUT, 4, "payout")     /* B2C, Paystack transfer */                      \
    X(REVERSAL, 5, "reversal") /* take a payment back: reversal, refund */       \
    X(REGISTER, 6, "register") /* C2B URLs, pull */                              \
    X(PULL, 7, "pull")                                                           \
    X(BALANCE, 8, "balance")                                                     \
    X(TOKEN, 9, "token") /* an access token; never an outbox item */             \
    X(PULL_REGISTER, 10, "pull_register")

enum merchant_call_kind {
#define X(name, number, text) CALL_##name = number,
    MERCHANT_CALLS(X)
#undef X
};
/* What is asked of the provider can be done twice only with harm: marked before it leaves. */
static inline bool merchant_call_moves_money(uint16_t kind)
{
    return kind == CALL_PUSH || kind == CALL_PAYOUT || kind == CALL_REVERSAL;
}

/* Kinds of outbox items: enum merchant_call_kind, and: */
enum {
    MESSAGE_WEBHOOK = 64,
    MESSAGE_FORWARD = 65, /* Daraja's callback of a payment, to the application's own URL */
    MESSAGE_LATE = 66,    /* that a payout waits in the provider's queue, to its QueueTimeOutURL */
    MESSAGE_C2B = 67,     /* a notice of C2B, as it came, to the application's own URL */
};
/* What tells an application that speaks Daraja something, at least once. */
static inline bool merchant_message_is_forward(uint16_t kind)
{
    return kind >= MESSAGE_FORWARD && kind <= MESSAGE_C2B;
}

enum gateway_command_kind {
    COMMAND_GATEWAY_SEED = 192,
    COMMAND_MERCHANT_OPEN = 193,
    COMMAND_API_KEY_OPEN = 194,
    COMMAND_PROVIDER_OPEN = 196,
    COMMAND_PROVIDER_SET = 199, /* struct provider_set_command */
    COMMAND_ENDPOINT_OPEN = 197,
    COMMAND_ENDPOINT_CHANGE = 198,
    COMMAND_PAYMENT_CREATE = 200,
    COMMAND_PAYMENT_SENDING = 201,  /* struct payment_command: the push is about to leave */
    COMMAND_PAYMENT_RESOLVE = 202,  /* struct payment_command: ask the provider now */
    COMMAND_PAYMENT_DUE = 203,      /* internal: the first payment whose timer is due */
    COMMAND_PAYMENT_RELEASE = 204,  /* struct payment_command: escrow to the seller */
    COMMAND_PAYMENT_JUDGE = 206,    /* struct judgement_command: a person decides */
    COMMAND_PAYOUT_CREATE = 205,    /* struct payout_command: payouts and refunds */
    COMMAND_CALLBACKS_ROTATE = 218, /* struct callbacks_command: a new token */
    COMMAND_CALLBACKS_RETIRE = 219, /* the same: the one before is good no more */
    COMMAND_NOTICE = 210,
    COMMAND_RECEIPT_ASSIGN = 211,
    COMMAND_C2B_URLS = 212,
    COMMAND_PULL = 215,        /* struct pull_command */
    COMMAND_PULL_NUMBER = 216, /* struct pull_command: with the nominated phone */
    COMMAND_PULL_DUE = 220,    /* internal: the first account that is to be pulled by itself */
    COMMAND_SWEEP = 217,       /* internal: the sweep is due */
    COMMAND_DISAGREE = 213,    /* struct discrepancy_command */
    COMMAND_DISCREPANCY_RESOLVE = 214,
    COMMAND_ENDPOINT_ROTATE = 241,
    COMMAND_EVENT_REPLAY = 242,
    COMMAND_SHADOW = 270, /* struct shadow_command: a call went through in shadow mode */
};

struct provider_command {
    uint32_t merchant; /* slot */
    uint8_t kind;
    bool production;
    bool is_till;
    uint32_t short_code;
    uint32_t party_b;
    uint64_t target;
    uint8_t token[16];
    struct span base_url; /* empty: the operator next door */
    struct span key;      /* from here on sealed */
    struct span secret;
    struct span passkey;
    struct span initiator;
    struct span credential;
};

struct provider_set_command {
    uint32_t merchant;
    uint32_t provider;
    uint8_t when_unavailable; /* enum gateway_unavailable_rule */
};

struct api_key_command {
    uint32_t merchant;
    uint8_t hash[16];
};

struct merchant_command {
    struct span name;
};

/* Opens a new generation with one merchant, its provider and its key. */
struct gateway_seed_command {
    struct span name;
    bool has_provider;
    bool has_key;
    uint8_t key_hash[16];
    struct provider_command provider;
};

struct endpoint_command {
    uint32_t merchant;
    uint64_t target;
    uint64_t types; /* bits of enum feed_type; 0: all */
    struct span url;
    struct span secret; /* sealed */
};

struct endpoint_change_command {
    uint32_t merchant;
    uint32_t endpoint;
    uint8_t status;
    uint64_t types;
};

/* Another secret; the ones before sign for a while, too. */
struct endpoint_rotate_command {
    uint32_t merchant;
    uint32_t endpoint;
    struct span secret; /* sealed */
};

/* An event once more, to each endpoint that wants it. */
struct event_replay_command {
    uint32_t merchant;
    uint64_t seq;
};

/* How it was asked for at Daraja's own paths (R6.12); url empty: it was not. */
struct gateway_front {
    struct span url; /* where its end goes: CallBackURL, ResultURL */
    struct span reference;
    uint64_t target;
    struct span late_url; /* QueueTimeOutURL, of payouts and reversals */
    uint64_t late_target;
    uint8_t command; /* of a payout: number of its CommandID */
    struct span occasion;
};

struct payment_create_command {
    uint32_t merchant;
    uint32_t provider;
    int64_t amount_minor;
    uint64_t phone;
    uint8_t method;
    uint8_t capture;
    uint64_t overrides;        /* the unknown payment that somebody chose to override; 0: none */
    uint64_t override_receipt; /* the latest receipt for the order, the same way; 0: none */
    struct span order;
    struct span description;
    uint8_t token[16]; /* random, drawn at the face */
    uint8_t key[16];   /* idempotency key and request digests */
    uint8_t request[16];
    struct span reference; /* our id, which the provider will know it by (Paystack); else empty */
    struct span email;     /* of the customer (Paystack) */
    struct gateway_front front;
};

struct payment_command {
    uint64_t number;
};

/* A person decides about a payment whose money is not as we asked, or that nobody could find out
 * about. */
struct judgement_command {
    uint32_t merchant;
    uint64_t number;
    uint8_t judgement;    /* enum gateway_judgement */
    int64_t amount_minor; /* that the person saw; of a rejection 0 */
    int64_t fee_minor;    /* what the provider kept of it, by the same claim; 0: not said */
    struct span receipt;  /* of what nobody could find out: as the person saw it; else empty */
    struct span judge;
    struct span note;
};

struct payout_command {
    uint32_t merchant;
    uint32_t provider;    /* of a refund: the payment's own */
    int64_t amount_minor; /* of a refund: all of it */
    uint64_t phone;
    uint64_t refunds; /* the payment that is given back by reversal; 0: a payout */
    struct span reference;
    struct span description;
    uint8_t token[16];
    uint8_t key[16];
    uint8_t request[16];
    struct gateway_front front;
};

/* A person says which order a receipt on the suspense account is for. */
struct receipt_assign_command {
    uint32_t merchant;
    uint64_t number;
    struct span order;
};

/* Asks the provider to send C2B validations and confirmations to us. */
struct c2b_registration_command {
    uint32_t merchant;
    uint32_t provider;
    uint8_t rule; /* enum c2b_rule */
    bool cancels; /* what we do not answer in time is cancelled */
    /* Of an application that speaks Daraja; empty: as it was. The rule stays as it is then, and a
     * registration that stands is not asked for again. */
    struct span forward_url;
    uint64_t forward_target;
};

/* The token in the callback URLs of a provider account. */
struct callbacks_command {
    uint32_t merchant;
    uint32_t provider;
    uint8_t token[16]; /* ROTATE: the new one */
};

/* What arrived in a window of time, at most the latest 48 h. */
struct pull_command {
    uint32_t merchant;
    uint32_t provider;
    int64_t from_ns;
    int64_t until_ns;
    uint64_t phone;
};

/* What a whole statement shows, and no single row. */
struct discrepancy_command {
    uint32_t provider;
    uint8_t kind; /* enum discrepancy_kind */
    uint64_t payment;
    int64_t theirs_minor;
    struct span reference;
};

/* A person owns it; and, unless the reason is OPEN, has found out. */
struct discrepancy_resolve_command {
    uint32_t merchant;
    uint64_t number;
    uint8_t reason; /* enum discrepancy_reason */
    struct span owner;
    struct span note;
};

/* A notice at the door. */
struct notice_command {
    uint64_t payment; /* that the token of the URL belongs to; 0: found by what it names */
    uint32_t provider;
    const struct observation *claim;
    uint8_t key[16];
    uint8_t digest[16];
    struct span body;
    struct span headers;
    struct span peer;
};

/* What the answer to one of our calls says: struct delivery_result_command.reading. */
struct gateway_reading {
    /* Of what was submitted: IN_FLIGHT means that it was taken on, REFUSED that it did not get in
     * (BUSY and TOKEN: it may be sent again), anything else that nobody can tell. */
    struct observation answer;
    struct notice_command notice; /* for answers to questions; claim NULL: none */
    uint32_t rows;                /* PULL: that were taken, each as a notice of its own */
};

/* The reply of every command of the merchant book. */
struct gateway_reply {
    enum gateway_refusal refusal;
    uint32_t slot;   /* of what was opened */
    uint64_t number; /* of the payment (also of the other one, for ORDER_*), the notice, receipt
                        or how many webhooks leave */
    uint8_t effect;  /* enum notice_effect */
};

#endif
