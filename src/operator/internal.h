/*
 * internal.h - what the files of operator/ share with each other and with nobody else.
 */
#ifndef HAKIKA_OPERATOR_INTERNAL_H
#define HAKIKA_OPERATOR_INTERNAL_H

#include "operator/events.h"
#include "operator/operator.h"

static inline struct stk_payment *payment_at(const struct operator_state *o, uint32_t slot)
{
    return slab_at(&o->payments, slot);
}

static inline struct subscriber *subscriber_at(const struct operator_state *o, uint32_t slot)
{
    return slab_at(&o->subscribers, slot);
}

static inline struct organisation *organisation_at(const struct operator_state *o, uint32_t slot)
{
    return slab_at(&o->organisations, slot);
}

/* Keys of the maps; the looked-up thing is compared afterwards where a key is a hash. */
uint64_t operator__checkout_key(int64_t second_ns, uint32_t serial, uint32_t tail);
uint64_t operator__receipt_key(uint32_t day, uint64_t serial);
uint64_t operator__fingerprint_key(const uint8_t fingerprint[16]);

void operator__emit(struct decision *d, const struct operator_event *e);
/* Issues e-money to an account (or takes it back when negative) in the decision d. */
enum ledger_result operator__issue(const struct operator_state *o, struct decision *d,
                                   uint32_t account, int64_t amount_minor, uint32_t leg);

/* decide, by product */
void operator__decide_seed(const struct operator_state *o, struct decision *d);
void operator__decide_subscriber_open(const struct operator_state *o, struct decision *d);
void operator__decide_subscriber_change(const struct operator_state *o, struct decision *d);
void operator__decide_organisation_open(const struct operator_state *o, struct decision *d);
void operator__decide_fund(const struct operator_state *o, struct decision *d);
void operator__decide_push(const struct operator_state *o, struct decision *d);
void operator__decide_answer(const struct operator_state *o, struct decision *d);
void operator__decide_advance(const struct operator_state *o, struct decision *d);
void operator__decide_expire(const struct operator_state *o, struct decision *d);

bool operator__apply(void *state, const struct frame_info *frame, uint16_t kind, struct reader *r);
void operator__touch(struct operator_state *o, uint32_t slot);
void operator__queue_append(struct operator_state *o, uint32_t slot);

void operator__save(const void *state, struct writer *w);
bool operator__load(void *state, struct reader *r);
void operator__check(const void *state);
void operator__check_touched(void *state);

#endif
