/*
 * accounts.h - who is on the network: subscribers and organisations, as the book keeps them.
 */
#ifndef HAKIKA_OPERATOR_ACCOUNTS_H
#define HAKIKA_OPERATOR_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "operator/bill.h"
#include "operator/c2b.h"
#include "operator/limits.h"
#include "operator/paystack.h"

enum subscriber_status {
    SUBSCRIBER_UNREGISTERED = 0, /* a number that was asked for, without a wallet */
    SUBSCRIBER_ACTIVE = 1,
    SUBSCRIBER_SUSPENDED = 2,
};

struct subscriber {
    uint64_t msisdn;
    int64_t known_ns;        /* since when the number is on the network */
    int64_t sim_swapped_ns;  /* 0: never */
    int64_t day_spent_minor; /* outgoing amounts of that Kenyan day */
    int64_t checkout_second; /* of the latest checkout id */
    uint32_t checkout_serial;
    uint32_t day;
    uint32_t account;                     /* ledger account; only when registered */
    uint32_t name;                        /* text */
    uint32_t open_payment;                /* slot; SLAB_NONE: none */
    uint32_t open_request;                /* slot, whose prompt the phone has; SLAB_NONE: none */
    uint16_t payments;                    /* ended ones, saturating: for people */
    uint8_t verifier[PIN_VERIFIER_BYTES]; /* keyed HMAC over account, key version and PIN */
    uint8_t key_version;
    uint8_t pin_failures;
    uint8_t status; /* enum subscriber_status */
    bool reachable;
    bool approves; /* the sandbox's test number approves by itself */
};

enum organisation_type {
    ORGANISATION_PAYBILL = 1,
    ORGANISATION_TILL = 2,
    ORGANISATION_BULK = 3,
};

enum organisation_account {
    ACCOUNT_UTILITY = 0, /* till: Merchant Account */
    ACCOUNT_WORKING = 1,
    ACCOUNT_CHARGES_PAID = 2,
    ACCOUNT_SETTLEMENT = 3,
    ORGANISATION_ACCOUNTS = 4,
};

/* Who pays the fee of a customer's payment (facts for later work; no fee yet). */
enum organisation_charges {
    CHARGES_CUSTOMER = 1,
    CHARGES_SHARED = 2,
    CHARGES_BUSINESS = 3,
};

enum organisation_secret {
    SECRET_PASSKEY = 0,
    SECRET_CONSUMER_KEY = 1,
    SECRET_CONSUMER_SECRET = 2,
    SECRET_INITIATOR_PASSWORD = 3,
    ORGANISATION_SECRETS = 4,
};

struct organisation {
    uint32_t short_code;
    uint32_t name;                          /* text */
    uint32_t initiator;                     /* text */
    uint32_t secrets[ORGANISATION_SECRETS]; /* texts, sealed with a key outside the journal */
    uint32_t accounts[ORGANISATION_ACCOUNTS];
    uint32_t nominated;     /* slot of the subscriber whose phone is prompted; SLAB_NONE: none */
    int64_t queue_delay_ns; /* how long its requests wait before their turn; 0: not at all */
    uint8_t type;           /* enum organisation_type */
    uint8_t charges;        /* enum organisation_charges */
    bool active;
    struct organisation_c2b c2b;
    struct organisation_biller biller;
    struct organisation_paystack paystack;
};

#endif
