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

static inline struct operator_request *request_at(const struct operator_state *o, uint32_t slot)
{
    return slab_at(&o->requests, slot);
}

/* The id of a payment's deadline: of two at the same time the lower number's comes first, whatever
 * slots they lie in. */
static inline uint64_t prompt_timer_id(const struct stk_payment *p, uint32_t slot)
{
    CHECK(slot < OPERATOR_PAYMENTS_MAX);
    CHECK(p->number < UINT64_C(1) << 36);
    return p->number << 28 | slot;
}

_Static_assert(OPERATOR_PAYMENTS_MAX == 1 << 28, "slots fill 28 bits of the id of a deadline");
static inline uint32_t prompt_timer_slot(uint64_t id)
{
    return (uint32_t)(id & (OPERATOR_PAYMENTS_MAX - 1));
}

static inline struct standing_order *standing_at(const struct operator_state *o, uint32_t slot)
{
    return slab_at(&o->standing_orders, slot);
}

static inline struct invoice *invoice_at(const struct operator_state *o, uint32_t slot)
{
    return slab_at(&o->invoices, slot);
}

static inline struct income *income_at(const struct operator_state *o, uint32_t slot)
{
    return slab_at(&o->incomes, slot);
}

static inline struct subscriber *subscriber_at(const struct operator_state *o, uint32_t slot)
{
    return slab_at(&o->subscribers, slot);
}

static inline struct organisation *organisation_at(const struct operator_state *o, uint32_t slot)
{
    return slab_at(&o->organisations, slot);
}

/* One that is known to be there. */
static inline const struct organisation *organisation_of(const struct operator_state *o,
                                                         uint64_t short_code)
{
    CHECK(short_code <= UINT32_MAX);
    const struct organisation *g = operator_organisation(o, (uint32_t)short_code);
    CHECK(g != NULL);
    return g;
}

/* Keys of the maps; the looked-up thing is compared afterwards where a key is a hash. */
uint64_t operator__checkout_key(int64_t second_ns, uint32_t serial, uint32_t tail);
uint64_t operator__receipt_key(uint32_t day, uint64_t serial);
uint64_t operator__fingerprint_key(const uint8_t fingerprint[16]);
uint64_t operator__conversation_key(uint32_t short_code, struct span conversation);

/* The receipt number of a success at now_ns: day and serial. Taken when its event is applied. */
void operator__next_receipt(const struct operator_state *o, int64_t now_ns, uint32_t *day_out,
                            uint64_t *serial_out);

enum { OPERATOR_CLOSINGS = 1 };
extern const struct domain_closing operator__closings[OPERATOR_CLOSINGS];
/* What a command names: what of it has left memory is fetched before the command is decided. */
void operator__named(const void *state, const struct book_command *command, struct old_names *out);
void operator__closed_append(struct operator_state *o, uint32_t slot);
/* The guest, when that is one of its names. */
const struct stk_payment *operator__guest_named(const struct operator_state *o,
                                                const struct old_name *name);
/* save.c: what a payment must be for the tables; putting it into them. */
bool operator__payment_plausible(const struct operator_state *o, const struct stk_payment *p);
bool operator__index_payment(struct operator_state *o, uint32_t slot);

void operator__emit(struct decision *d, const struct operator_event *e);
/* Issues e-money to an account (or takes it back when negative) in the decision d. */
enum ledger_result operator__issue(const struct operator_state *o, struct decision *d,
                                   uint32_t account, int64_t amount_minor, uint32_t leg);

/* Scenario rules (rules.h says how an API uses these). */
void operator__rule_count(struct decision *d, const struct rule_verdict *v);
/* Queues the messages about an end as `effects` orders (NULL: one, now). */
struct rule_message {
    uint64_t subject;
    uint64_t target;
    uint16_t kind;
};
void operator__rule_messages(const struct operator_state *o, struct decision *d,
                             const struct rule_effects *effects, const struct rule_message *m);
/* When the timer of a prompt is due: the deadline, or what a rule lets the phone do before it. */
int64_t operator__prompt_due(const struct operator_state *o, const struct stk_payment *p);
void operator__rules_save(const struct operator_state *o, struct writer *w);
bool operator__rules_load(struct operator_state *o, struct reader *r);
void operator__rules_check(const struct operator_state *o);
void operator__rules_apply(struct operator_state *o, const struct operator_event *e);
/* How many callbacks tell the end of a payment: 1, unless a rule orders otherwise. */
uint32_t operator__callback_count(const struct operator_state *o, const struct stk_payment *p);
void operator__rules_attempted(const void *state, struct decision *d,
                               const struct outbox_item *item);

/* decide, by product */
void operator__decide_rules_set(const struct operator_state *o, struct decision *d);
void operator__decide_rule_call(const struct operator_state *o, struct decision *d);
void operator__decide_rule_act(const struct operator_state *o, struct decision *d);
void operator__decide_seed(const struct operator_state *o, struct decision *d);
void operator__decide_subscriber_open(const struct operator_state *o, struct decision *d);
void operator__decide_subscriber_change(const struct operator_state *o, struct decision *d);
void operator__decide_organisation_open(const struct operator_state *o, struct decision *d);
void operator__decide_fund(const struct operator_state *o, struct decision *d);
void operator__decide_push(const struct operator_state *o, struct decision *d);
void operator__decide_answer(const struct operator_state *o, struct decision *d);
void operator__decide_advance(const struct operator_state *o, struct decision *d);
void operator__decide_expire(const struct operator_state *o, struct decision *d);

void operator__decide_request(const struct operator_state *o, struct decision *d);
void operator__decide_request_advance(const struct operator_state *o, struct decision *d);
void operator__decide_request_expire(const struct operator_state *o, struct decision *d);
void operator__decide_request_answer(const struct operator_state *o, struct decision *d);
void operator__decide_organisation_change(const struct operator_state *o, struct decision *d);

enum pin_answer {
    PIN_IS_RIGHT,
    PIN_IS_WRONG, /* and counted */
    PIN_IS_LOCKED,
};
/* Compares the PIN and counts wrong ones, over all prompts (R3.3). */
/* The same when somebody else knows whether it was right. */
enum pin_answer operator__count_pin(const struct operator_state *o, struct decision *d,
                                    uint32_t slot, bool right);
enum pin_answer operator__try_pin(const struct operator_state *o, struct decision *d, uint32_t slot,
                                  const uint8_t verifier[PIN_VERIFIER_BYTES]);

/* apply.c: what a person sent counts against the limit of the day. */
void operator__apply_spent(struct operator_state *o, struct subscriber *s, int64_t amount_minor,
                           int64_t now_ns);

/* request_state.c */
void operator__apply_request(struct operator_state *o, const struct operator_event *e,
                             const struct frame_info *frame);
/* The slot of a request that is there: an event of its own names it. */
uint32_t operator__request_slot(const struct operator_state *o, uint64_t number);
void operator__touch_request(struct operator_state *o, uint32_t slot);
void operator__save_requests(const struct operator_state *o, struct writer *w);
bool operator__load_requests(struct operator_state *o, struct reader *r);
void operator__check_requests(const struct operator_state *o);
void operator__check_requests_touched(struct operator_state *o);

bool operator__apply(void *state, const struct frame_info *frame, uint16_t kind, struct reader *r);
void operator__touch(struct operator_state *o, uint32_t slot);
void operator__queue_append(struct operator_state *o, uint32_t slot);

void operator__save(const void *state, struct writer *w);
bool operator__load(void *state, struct reader *r);
void operator__check(const void *state);
void operator__check_touched(void *state);

#include "operator/internal_requests.h"

#endif
