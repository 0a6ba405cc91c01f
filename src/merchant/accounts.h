/*
 * accounts.h - who there is in the merchant book: merchants with their ledger accounts and API
 * keys, their accounts at providers, and where they want to be told.
 */
#ifndef HAKIKA_MERCHANT_ACCOUNTS_H
#define HAKIKA_MERCHANT_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "merchant/fields.h"
#include "merchant/limits.h"

/* Codes of ledger accounts of this book. The owner is the slot of the merchant, or provider. */
enum gateway_account_code {
    GATEWAY_CLEARING = 1, /* the money at the provider: debits exceed credits; equals its balance */
    GATEWAY_WALLET = 2,   /* what the merchant may dispose of */
    GATEWAY_ESCROW = 3,   /* held for orders (R5.7) */
    GATEWAY_FEES = 4,     /* what the provider took */
    GATEWAY_SUSPENSE = 5, /* arrived, and nobody knows for whom */
};

/* Reasons of transfers of this book. */
enum gateway_transfer_code {
    GATEWAY_TRANSFER_PAYMENT = 1,   /* clearing -> wallet or escrow; reference: the payment */
    GATEWAY_TRANSFER_RELEASE = 2,   /* escrow -> wallet */
    GATEWAY_TRANSFER_REVERSAL = 3,  /* back to clearing */
    GATEWAY_TRANSFER_PAYOUT = 4,    /* wallet (or escrow) -> clearing, held first */
    GATEWAY_TRANSFER_FEE = 5,       /* fees -> clearing: what the provider took */
    GATEWAY_TRANSFER_RECEIPT = 6,   /* clearing -> wallet or suspense; reference: the receipt */
    GATEWAY_TRANSFER_ASSIGN = 7,    /* suspense -> wallet */
    GATEWAY_TRANSFER_TAKE_BACK = 8, /* wallet or suspense -> clearing */
};

#define GATEWAY_MERCHANT_FIELDS(X)       \
    X(u32, name)                         \
    X(u32, wallet) /* ledger accounts */ \
    X(u32, escrow)                       \
    X(u32, fees)                         \
    X(u32, suspense)                     \
    X(u32, endpoints) /* webhook endpoints that it has */
struct gateway_merchant {
    GATEWAY_MERCHANT_FIELDS(FIELD_DECLARE)
    uint32_t endpoint[GATEWAY_ENDPOINTS_EACH]; /* slots, the first `endpoints` of them. Saved */
};

#define GATEWAY_KEY_FIELDS(X)                                      \
    X(raw16, hash) /* of the API key; the key itself is nowhere */ \
    X(u32, merchant)                                               \
    X(flag, closed)
struct gateway_key {
    GATEWAY_KEY_FIELDS(FIELD_DECLARE)
};

/* The registration of C2B URLs with the provider. Numbers stand in the journal.
 * X(NAME, number, "status in the API") */
#define GATEWAY_C2B_STATES(X)                                   \
    X(NONE, 0, "not_registered")                                \
    X(ASKED, 1, "asked")                                        \
    X(REGISTERED, 2, "registered")                              \
    X(REFUSED, 3, "refused") /* surely: why stands beside it */ \
    X(UNKNOWN, 4, "unknown") /* the answer was lost: ask again */

enum c2b_state {
#define X(name, number, text) GATEWAY_C2B_##name = number,
    GATEWAY_C2B_STATES(X)
#undef X
        GATEWAY_C2B_STATE_LAST = 4,
};
const char *c2b_state_name(uint8_t state);

/* What a payment is let through for, when the provider asks before it moves (validation). */
enum c2b_rule {
    GATEWAY_C2B_ACCEPTS_ALL = 0,
    GATEWAY_C2B_ACCEPTS_ORDERS = 1, /* only an account reference that names an order */
    GATEWAY_C2B_RULE_LAST = 1,
};

/* What becomes of a new payment while the breaker towards its provider is open. Numbers stand in
 * the journal. */
enum gateway_unavailable_rule {
    GATEWAY_UNAVAILABLE_REFUSE = 0,
    GATEWAY_UNAVAILABLE_QUEUE = 1, /* it is made, and leaves when the breaker lets it */
    GATEWAY_UNAVAILABLE_LAST = 1,
};

/* Pulling what arrived. Numbers stand in the journal. X(NAME, number, "status in the API") */
#define GATEWAY_PULL_STATES(X)       \
    X(NONE, 0, "never")              \
    X(REGISTERING, 1, "registering") \
    X(ASKED, 2, "asked")             \
    X(DONE, 3, "done")               \
    X(FAILED, 4, "failed")

enum gateway_pull_state {
#define X(name, number, text) GATEWAY_PULL_##name = number,
    GATEWAY_PULL_STATES(X)
#undef X
        GATEWAY_PULL_STATE_LAST = 4,
};
const char *gateway_pull_state_name(uint8_t state);

#define GATEWAY_PROVIDER_FIELDS(X)                                                       \
    X(u64, target)          /* of its base URL, for the outbox */                        \
    X(raw16, token)         /* of its callback URLs: C2B and results */                  \
    X(raw16, token_before)  /* the one before it, while has_before */                    \
    X(raw16, token_retired) /* the latest that is good no more, while has_retired */     \
    X(flag, has_before)                                                                  \
    X(flag, has_retired)                                                                 \
    X(u32, merchant)                                                                     \
    X(u32, short_code)                                                                   \
    X(u32, party_b)                                                                      \
    X(u32, clearing) /* ledger account */                                                \
    X(u32, base_url) /* texts; the secrets are sealed. Empty: the operator next door */  \
    X(u32, key)                                                                          \
    X(u32, secret)                                                                       \
    X(u32, passkey)                                                                      \
    X(u32, initiator)                                                                    \
    X(u32, credential)                                                                   \
    X(u64, c2b_item)  /* outbox number of the latest registration of C2B URLs; 0 */      \
    X(u32, c2b_words) /* what was answered to it */                                      \
    X(u8, c2b_state)                                                                     \
    X(u8, c2b_rule)                                                                      \
    X(flag, c2b_cancels) /* what is not answered in time is cancelled by the provider */ \
    X(u64, pull_item)    /* outbox number of the latest call of pull; 0 */               \
    X(u64, pull_phone)   /* the nominated number that it is registered with; 0 */        \
    X(i64, pull_from_ns)                                                                 \
    X(i64, pull_until_ns)                                                                \
    X(u32, pull_offset) /* rows of it that have been taken */                            \
    X(u32, pull_words)                                                                   \
    X(i64, pull_due_ns)     /* when it is pulled by itself; 0: never */                  \
    X(i64, pulled_until_ns) /* all that arrived until then was pulled */                 \
    X(u8, pull_state)                                                                    \
    X(u8, when_unavailable) /* enum gateway_unavailable_rule */                          \
    X(u32, c2b_forward)     /* text: where confirmations go on to; empty: nowhere */     \
    X(u64, c2b_forward_target)                                                           \
    X(u32, alert_day)  /* the latest day that an alert was raised for; 0: none */        \
    X(u32, object_seq) /* events told about it so far */                                 \
    X(u8, kind)                                                                          \
    X(flag, production)                                                                  \
    X(flag, is_till)
struct gateway_provider {
    GATEWAY_PROVIDER_FIELDS(FIELD_DECLARE)
};

enum gateway_endpoint_status {
    ENDPOINT_ENABLED = 0,
    ENDPOINT_DISABLED = 1, /* by its owner, or because it answered 410 */
};

#define GATEWAY_ENDPOINT_FIELDS(X)                                         \
    X(u64, target)                                                         \
    X(u64, types) /* bit 1 << enum feed_type of what it wants; 0: all */   \
    X(u32, merchant)                                                       \
    X(u32, url)                                                            \
    X(u32, secret)                                                         \
    X(u32, secret_before) /* until before_until_ns: signed with, too */    \
    X(u32, secret_oldest) /* the one before that: an answer may be lost */ \
    X(i64, before_until_ns)                                                \
    X(u8, status)
struct gateway_endpoint {
    GATEWAY_ENDPOINT_FIELDS(FIELD_DECLARE)
};

#endif
