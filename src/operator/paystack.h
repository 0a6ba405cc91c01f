/*
 * paystack.h - an organisation that is paid through Paystack. What customers pay that way are
 * requests of kind PAYSTACK: their originator conversation id is Paystack's reference, the phone
 * is prompted, and the money goes to the utility account. A transaction that was initialized has no
 * phone yet: it waits for one (struct paystack_phone_command) for a day. Refunds are requests of
 * kind PAYSTACK_REFUND, which reverse one, whole. Only successes of the former and every end of the
 * latter are told, to the URL that the organisation had when the request was accepted.
 *
 * Invariant (operator_check)
 *  S1  a business is found by the digest of its secret key, and no two have the same.
 */
#ifndef HAKIKA_OPERATOR_PAYSTACK_H
#define HAKIKA_OPERATOR_PAYSTACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum { PAYSTACK_PHONE_WAIT_S = 86400 };

/* Part of struct organisation. */
struct organisation_paystack {
    uint8_t key_hash[16];
    uint64_t target;
    uint32_t key; /* texts: sealed */
    uint32_t url; /* of the webhooks; empty: nobody is told */
    bool open;    /* false: the rest means nothing */
    bool live;    /* retried as Paystack retries for a live key */
};

/* Opens the business, or changes key and URL. */
struct paystack_command {
    uint32_t short_code;
    uint8_t key_hash[16];
    bool live;
    struct span key; /* sealed */
    struct span url;
    uint64_t target;
};

/* The phone that is to pay what was initialized. */
struct paystack_phone_command {
    uint64_t number; /* of the request */
    uint64_t msisdn;
};

struct operator_state;
struct organisation;
/* The business with this secret key; NULL: there is none. */
const struct organisation *operator_paystack(const struct operator_state *o,
                                             const uint8_t key_hash[16]);

#endif
