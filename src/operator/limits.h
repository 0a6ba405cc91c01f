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
    OPERATOR_SEED_MAX = 8,   /* organisations and subscribers of a seed */
    OPERATOR_NAME_MAX = 100, /* bytes */
    OPERATOR_URL_MAX = 1024,
    OPERATOR_REFERENCE_MAX = 100,
    OPERATOR_SECRET_MAX = 256, /* a sealed secret */
    PIN_VERIFIER_BYTES = 16,
};

#endif
