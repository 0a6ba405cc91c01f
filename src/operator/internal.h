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
enum pin_answer operator__try_pin(const struct operator_state *o, struct decision *d, uint32_t slot,
                                  const uint8_t verifier[PIN_VERIFIER_BYTES]);

/* request.c, for the kinds */
enum { REQUEST_LEGS_MAX = 4 };
struct request_leg {
    uint32_t debit; /* ledger accounts */
    uint32_t credit;
    int64_t amount_minor;
    uint16_t code; /* enum transfer_code */
};
struct request_money {
    int64_t charge_minor;
};
/* Emits the end, with a receipt when money moved (the ledger's events come before it). */
void operator__request_end(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r, enum request_outcome outcome,
                           const struct request_money *money);
/* All legs or none, and the end that follows from it. The first leg is the payment itself. */
void operator__request_pay(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r, const struct request_leg *legs,
                           uint32_t count, int64_t charge_minor);
/* What refuses any request of this organisation; REQUEST_DONE: nothing. */
enum request_outcome operator__request_objection(const struct operator_state *o,
                                                 const struct operator_request *r);
/* Somebody outside is asked: PROCESSING until due_ns. message_kind 0: no message (a phone). */
void operator__request_ask(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r, int64_t due_ns, uint64_t target,
                           uint16_t message_kind);
/* A prompt on the phone of the subscriber in this slot, who is on no other: PROCESSING. */
void operator__request_prompt(const struct operator_state *o, struct decision *d,
                              const struct operator_request *r, uint32_t slot);
/* What refuses money for this wallet; REQUEST_DONE: nothing. s may be NULL. */
enum request_outcome operator__wallet_objection(const struct operator_state *o,
                                                const struct subscriber *s, int64_t amount_minor);
/* Texts and acceptance of the next request. */
void operator__emit_accepted(const struct operator_state *o, struct decision *d,
                             const struct request_command *c, bool initiator_good);
/* Is a request that ends like this told to its result URL? */
bool operator__request_told(const struct operator_state *o, const struct operator_request *r,
                            enum request_outcome outcome);
bool operator__request_kind_built(enum request_kind kind);

/* What the kinds do at their turn. */
typedef void request_step_fn(const struct operator_state *o, struct decision *d,
                             const struct operator_request *r);
request_step_fn operator__advance_b2c;
request_step_fn operator__advance_balance;
request_step_fn operator__advance_status;
request_step_fn operator__advance_reversal;
request_step_fn operator__advance_b2b;
request_step_fn operator__advance_settlement;
request_step_fn operator__advance_express;
request_step_fn operator__approved_express;
request_step_fn operator__expire_express;

/* enquiry.c: what a STATUS or REVERSAL is about, as far as it concerns its organisation. */
struct original {
    const struct stk_payment *payment; /* one of the two, or neither */
    const struct operator_request *request;
};
struct original operator__find_original(const struct operator_state *o,
                                        const struct operator_request *r);
struct original operator__original_named(const struct operator_state *o, uint32_t short_code,
                                         uint8_t naming, struct span id);
/* Emits what was found by request `number`; the state at this moment goes into its record. */
void operator__note_original(struct decision *d, uint64_t number, struct original original);
/* The number at the end of "f1e2-4b95-a71d-b30d3cdbb7a7942864": all that follows 27 characters. */
bool operator__counter_of(struct span id, uint64_t *out);

/* c2b.c */
void operator__decide_c2b_register(const struct operator_state *o, struct decision *d);
void operator__decide_validation_set(const struct operator_state *o, struct decision *d);
void operator__decide_pull_register(const struct operator_state *o, struct decision *d);
/* What the organisation registered and whether the PIN is right go into the command. */
void operator__c2b_fill(const struct operator_state *o, struct request_command *c);
/* What else the frame of its acceptance says. */
void operator__c2b_accepted(const struct operator_state *o, struct decision *d,
                            const struct request_command *c);
void operator__advance_c2b(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r);
void operator__expire_c2b(const struct operator_state *o, struct decision *d,
                          const struct operator_request *r);
/* The validation URL was tried; the attempt and what it decides are one frame. */
void operator__c2b_attempted(const struct operator_state *o, struct decision *d,
                             const struct outbox_item *item,
                             const struct delivery_result_command *c);
/* The receipt that a request will have if it succeeds, told before that. */
void operator__reserve_receipt(const struct operator_state *o, struct decision *d,
                               const struct operator_request *r);
bool operator__income_kept(const struct organisation *g);
/* A payment to this organisation succeeds in this decision: its C2B confirmation, the nth item of
 * the frame, when the organisation registered URLs. */
void operator__tell_income(const struct operator_state *o, struct decision *d, uint32_t short_code,
                           uint64_t nth);
/* What refuses a customer's payment to an organisation, whatever the amount; with the amount. */
enum request_outcome operator__c2b_party_objection(const struct operator_state *o,
                                                   const struct operator_request *r);
enum request_outcome operator__c2b_objection(const struct operator_state *o,
                                             const struct operator_request *r, int64_t now_ns);

/* standing.c */
void operator__standing_asked(const struct operator_state *o, struct decision *d,
                              const struct request_command *c);
request_step_fn operator__advance_standing;
request_step_fn operator__expire_standing;
request_step_fn operator__approved_standing;
request_step_fn operator__advance_standing_payment;
void operator__decide_standing_run(const struct operator_state *o, struct decision *d);
void operator__decide_standing_cancel(const struct operator_state *o, struct decision *d);

/* standing_state.c */
void operator__encode_standing(struct writer *w, const struct operator_event *e);
bool operator__decode_standing(uint16_t kind, struct reader *r, struct operator_event *e);
uint64_t operator__standing_key(uint64_t msisdn, struct span name);
void operator__apply_standing(struct operator_state *o, const struct operator_event *e,
                              const struct frame_info *frame);
/* A request of an order has ended. */
void operator__apply_standing_end(struct operator_state *o, const struct operator_request *r);
void operator__save_standing(const struct operator_state *o, struct writer *w);
bool operator__load_standing(struct operator_state *o, struct reader *r);
void operator__check_standing(const struct operator_state *o, uint32_t slot);
void operator__check_standing_orders(const struct operator_state *o);

/* c2b_state.c */
void operator__encode_customers(struct writer *w, const struct operator_event *e);
bool operator__decode_customers(uint16_t kind, struct reader *r, struct operator_event *e);
void operator__apply_customers(struct operator_state *o, const struct operator_event *e);
void operator__apply_payment_income(struct operator_state *o, const struct stk_payment *p,
                                    uint64_t nth);
void operator__apply_request_income(struct operator_state *o, const struct operator_request *r);
void operator__save_organisation_c2b(struct writer *w, const struct organisation_c2b *c);
void operator__load_organisation_c2b(struct reader *r, struct organisation_c2b *c);
void operator__save_incomes(const struct operator_state *o, struct writer *w);
bool operator__load_incomes(struct operator_state *o, struct reader *r);
void operator__check_incomes(const struct operator_state *o);

/* apply.c: what a person sent counts against the limit of the day. */
void operator__apply_spent(struct operator_state *o, struct subscriber *s, int64_t amount_minor,
                           int64_t now_ns);

/* request_state.c */
void operator__apply_request(struct operator_state *o, const struct operator_event *e,
                             const struct frame_info *frame);
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

#endif
