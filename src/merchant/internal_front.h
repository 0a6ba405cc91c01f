/*
 * internal_front.h - of internal.h: applications that speak Daraja (R6.12), and providers that
 * cannot be reached.
 */
#ifndef HAKIKA_MERCHANT_INTERNAL_FRONT_H
#define HAKIKA_MERCHANT_INTERNAL_FRONT_H

#include "merchant/internal.h"

/* How it was asked for at Daraja's own paths, after its creation. */
void gateway__keep_front(struct gateway_decision *gd, const struct gateway_front *front,
                         uint64_t number);
/* A notice about it may say that it waits in the provider's queue: its application is told, once.
 */
void gateway__forward_late(struct gateway_decision *gd, const struct gateway_payment *p,
                           const struct observation *claim, uint64_t notice);
/* Is the breaker towards the provider open, and does the account refuse then? The reply says how
 * long. */
bool gateway__unavailable(const struct gateway_decision *gd, uint32_t provider,
                          struct gateway_reply *reply);
/* A confirmation that has just come goes on to the application's own URL. */
void gateway__forward_confirmation(struct gateway_decision *gd, const struct notice_command *c,
                                   uint64_t notice);

#endif
