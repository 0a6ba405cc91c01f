/*
 * internal_closing.h - closing.c and names.c for the other files of merchant/.
 */
#ifndef HAKIKA_MERCHANT_INTERNAL_CLOSING_H
#define HAKIKA_MERCHANT_INTERNAL_CLOSING_H

/* Slots from here on are notices of the guest. */
#define GATEWAY_GUEST_NOTICES (UINT32_MAX - GATEWAY_RECORD_NOTICES)

enum { GATEWAY_CLOSINGS = 1 };
extern const struct domain_closing gateway__closings[GATEWAY_CLOSINGS];

/* Among those that have ended, from now on. */
void gateway__closed_append(struct gateway *g, uint32_t slot);

/* names.c */
void gateway__named(const void *state, const struct book_command *command, struct old_names *out);
bool gateway__holds(const void *state, const struct old_name *name);
/* Every name of the payment but the primary one. */
void gateway__names_of(const struct gateway *g, const struct gateway_payment *p,
                       struct old_names *out);
/* May money that says its payer, and no more, still be this payment's? */
bool gateway__is_doubtful(const struct gateway_payment *p);

/* What the orphans that name this id, which the payment learns, may be about beside it. */
void gateway__name_orphans(const struct gateway *g, const struct gateway_payment *p,
                           struct span provider_id, struct old_names *out);
/* Is there an open discrepancy about this receipt number? */
bool gateway__disputed(const struct gateway *g, uint32_t provider, struct span receipt);

/* Into the maps and the list of its phone: of one just made (its number and token are in), and of
 * one that is read; and out of them. */
void gateway__index_created(struct gateway *g, uint32_t slot);
void gateway__index_payment(struct gateway *g, uint32_t slot);
void gateway__unindex_payment(struct gateway *g, uint32_t slot);

/* reconciliation.c: what a payment that leaves (sign 1) or comes home (-1) is in its day. */
void gateway__count_left(struct gateway *g, const struct gateway_payment *p, int sign);
/* How many payments succeeded: of those in memory, and of the days. */
uint64_t gateway__count_paid(const struct gateway *g);
uint64_t gateway__day_key(uint32_t provider, uint32_t day);

#endif
