/*
 * limits.h - how large things may be in the merchant book.
 */
#ifndef HAKIKA_MERCHANT_LIMITS_H
#define HAKIKA_MERCHANT_LIMITS_H

#include <stdint.h>

#include "base/check.h"

enum {
    GATEWAY_MERCHANTS_MAX = 4096,
    GATEWAY_KEYS_MAX = 64 * 1024,
    GATEWAY_KEYS_EACH = 256, /* API keys of one merchant */
    GATEWAY_PROVIDERS_MAX = 4096,
    GATEWAY_PROVIDERS_EACH = 64, /* accounts of one merchant */
    GATEWAY_ENDPOINTS_MAX = 16 * 1024,
    GATEWAY_ROTATION_S = 24 * 60 * 60, /* that the secrets before sign after a rotation */
    GATEWAY_ENDPOINTS_EACH = 4,        /* webhook endpoints of one merchant */
    GATEWAY_PAYMENTS_MAX = 256 * 1024 * 1024,
    GATEWAY_NOTICES_MAX = 512 * 1024 * 1024,
    GATEWAY_FEED_MAX = 512 * 1024 * 1024,
    GATEWAY_DISCREPANCIES_MAX = 16 * 1024 * 1024,
    GATEWAY_NOTE_MAX = 500,
    GATEWAY_RESENT_MAX = 5, /* how often a payout is sent again under its id */
    GATEWAY_RECEIPTS_MAX = 256 * 1024 * 1024,
    GATEWAY_REFUNDS_MAX = 64 * 1024 * 1024,
    GATEWAY_NAME_MAX = 100, /* bytes */
    GATEWAY_URL_MAX = 1024,
    GATEWAY_ORDER_MAX = 100,
    GATEWAY_EMAIL_MAX = 100,
    GATEWAY_DESCRIPTION_MAX = 100,
    GATEWAY_SEALED_MAX = 512, /* a sealed secret; a SecurityCredential is 344 characters */
    GATEWAY_BODY_MAX = 8000,  /* of a notice; what is larger is refused at the door */
    GATEWAY_HEADERS_MAX = 400,
    GATEWAY_PEER_MAX = 64,
    GATEWAY_ID_MAX = 100, /* of what a notice names; what is longer is cut */
    GATEWAY_CODE_MAX = 23,
    GATEWAY_WORDS_MAX = 200,
    GATEWAY_BODY_PARTS = 4,      /* texts that hold a body */
    GATEWAY_JOINED_MAX = 8,      /* orphans that join in one decision */
    GATEWAY_FRAME_FEED_MAX = 6,  /* events for the application in one decision */
    GATEWAY_RECORD_NOTICES = 12, /* a payment with more of them stays in memory */
    GATEWAY_LEGS = 8,            /* ledger transfers that a payment can have */
    GATEWAY_DAYS_MAX = 16 * 1024 * 1024,
};
/* Of one payment, in cents: 10^12 shillings, far above every limit, far below an overflow. */
#define GATEWAY_AMOUNT_MAX   ((int64_t)1000 * 1000 * 1000 * 1000 * 100)
/* Of one arrival without a push, in cents: 10^9 shillings, where M-Pesa moves 250,000 at most. */
#define GATEWAY_ARRIVAL_MAX  ((int64_t)1000 * 1000 * 1000 * 100)
/* Of all that ever arrives at one provider account, in cents: 2.5 * 10^12 shillings. Whoever fills
 * the accounts of one merchant takes no room from another's, and what follows an arrival always
 * finds room in the ledger (gateway__may_arrive). */
#define GATEWAY_TURNOVER_MAX ((int64_t)250 * 1000 * 1000 * 1000 * 1000)
_Static_assert(GATEWAY_PROVIDERS_MAX *GATEWAY_TURNOVER_MAX <= INT64_MAX / 8,
               "the sum of all that is ever posted fits");

#endif
