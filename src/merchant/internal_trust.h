/*
 * internal_trust.h - of internal.h: claims of money that nobody signed (--confirm-from).
 */
#ifndef HAKIKA_MERCHANT_INTERNAL_TRUST_H
#define HAKIKA_MERCHANT_INTERNAL_TRUST_H

#include "merchant/internal.h"

/* Did it come to a URL of ours by somebody who has proved nothing but that he knows the URL?
 * `kind`: enum observation_provider. */
bool gateway__is_unsigned(uint8_t kind, uint8_t source);
/* R6.10: from an amount on, the provider itself must say so, too. */
bool gateway__is_unproven(const struct gateway *g, const struct gateway_payment *p,
                          const struct observation *claim);
/* The same of money that arrived without a push. */
bool gateway__is_unproven_arrival(const struct gateway *g, uint32_t provider, uint8_t source,
                                  int64_t amount_minor);
/* receipt.c: does the claim say of this receipt, which nobody signed, where its money belongs? */
bool gateway__is_proof(const struct gateway_decision *gd, const struct gateway_receipt *r,
                       const struct observation *claim);
/* And then it is assigned. */
void gateway__prove_receipt(struct gateway_decision *gd, uint32_t provider,
                            const struct observation *claim);
/* Has somebody said so who waits for the provider's word? */
bool gateway__awaits_proof(const struct gateway *g, const struct gateway_payment *p);
/* The receipt number that all of them name; empty: they name none, or several. */
struct span gateway__unproven_receipt(const struct gateway *g, const struct gateway_payment *p);
/* receipt.c: may money under this number be the payment's, and is it nobody else's? */
bool gateway__receipt_may_be_of(const struct gateway *g, const struct gateway_payment *p,
                                struct span text);

#endif
