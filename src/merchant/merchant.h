/*
 * merchant.h - the door of the merchant book: the gateway that stands between a merchant's
 * application and a provider (Daraja, Paystack). See docs/merchant.md.
 */
#ifndef HAKIKA_MERCHANT_MERCHANT_H
#define HAKIKA_MERCHANT_MERCHANT_H

#include "merchant/claim.h"

#endif
