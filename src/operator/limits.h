/*
 * limits.h - how large things may be on the network.
 */
#ifndef HAKIKA_OPERATOR_LIMITS_H
#define HAKIKA_OPERATOR_LIMITS_H

#include "base/check.h"

enum {
    OPERATOR_SUBSCRIBERS_MAX = 64 * 1024 * 1024,
    OPERATOR_ORGANISATIONS_MAX = 1024 * 1024,
    OPERATOR_PAYMENTS_MAX = 256 * 1024 * 1024,
    OPERATOR_REQUESTS_MAX = 256 * 1024 * 1024,
    OPERATOR_INCOMES_MAX = 256 * 1024 * 1024,
    OPERATOR_STANDING_MAX = 64 * 1024 * 1024,
    OPERATOR_INVOICES_MAX = 64 * 1024 * 1024,
    OPERATOR_SEED_MAX = 8,   /* organisations and subscribers of a seed */
    OPERATOR_NAME_MAX = 100, /* bytes */
    OPERATOR_URL_MAX = 1024,
    OPERATOR_REFERENCE_MAX = 100,
    OPERATOR_SECRET_MAX = 256, /* a sealed secret */
    PIN_VERIFIER_BYTES = 16,
};
/* Of one request, in cents: 10^12 shillings, far above every limit, far below an overflow. */
#define OPERATOR_AMOUNT_MAX      ((int64_t)1000 * 1000 * 1000 * 1000 * 100)
/* An organisation's requests can be made to wait for at most a day. */
#define OPERATOR_QUEUE_DELAY_MAX ((int64_t)86400 * 1000 * 1000 * 1000)

#endif
