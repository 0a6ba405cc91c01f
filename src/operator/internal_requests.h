/*
 * internal_requests.h - what the files of operator/ that decide requests share: the life of a
 * request, its kinds, scenario rules for it, customers' payments and standing orders. Part of
 * internal.h, which includes it.
 */
#ifndef HAKIKA_OPERATOR_INTERNAL_REQUESTS_H
#define HAKIKA_OPERATOR_INTERNAL_REQUESTS_H

#include "operator/events.h"
#include "operator/operator.h"

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
/* Somebody outside is asked by a message of this kind, unless a rule orders none: PROCESSING until
 * due_ns. */
void operator__request_ask(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r, int64_t due_ns,
                           const struct rule_message *question);
/* A prompt on the phone of the subscriber in this slot, who is on no other: PROCESSING. */
void operator__request_prompt(const struct operator_state *o, struct decision *d,
                              const struct operator_request *r, uint32_t slot);
/* The customer's answer is needed: ended by the objection or a busy phone; approved at once by the
 * sandbox's test number, which gives its PIN by itself; else a prompt. The number of r->party is a
 * subscriber's, unless there is an objection. */
void operator__request_to_phone(const struct operator_state *o, struct decision *d,
                                const struct operator_request *r, enum request_outcome objection);
/* What refuses money for this wallet; REQUEST_DONE: nothing. s may be NULL. */
enum request_outcome operator__wallet_objection(const struct operator_state *o,
                                                const struct subscriber *s, int64_t amount_minor);
/* Texts and acceptance of the next request. */
void operator__emit_accepted(const struct operator_state *o, struct decision *d,
                             const struct request_command *c, bool initiator_good);
/* Is a request that ends like this told to its result URL? */
bool operator__request_told(const struct operator_state *o, const struct operator_request *r,
                            enum request_outcome outcome);
/* request_rules.c: the rule for a request that is being accepted, counted and kept with it. */
void operator__request_rule(const struct operator_state *o, struct decision *d,
                            const struct request_command *c);
/* The rule for the message that it is about to send before its end, counted and kept with it; what
 * it orders for that message: by default the usual. */
void operator__message_rule(const struct operator_state *o, struct decision *d,
                            const struct operator_request *r, uint16_t message_kind,
                            struct rule_effects *out);
/* Its time-out URL was told, or a rule ordered that it is not. */
bool operator__late_decided(const struct operator_request *r);
/* How many results tell such an end. */
uint32_t operator__request_results(const struct operator_state *o, const struct operator_request *r,
                                   enum request_outcome outcome);
/* Does a rule order that it fails? */
bool operator__request_fails_by_order(const struct operator_state *o,
                                      const struct operator_request *r);
/* Not before this is its turn, by a rule. */
int64_t operator__request_ruled_turn(const struct operator_state *o,
                                     const struct operator_request *r);
struct ruled_act {
    uint8_t act; /* enum rule_act */
    int64_t delay_ns;
};
/* What a rule lets the phone do with its prompt. */
struct ruled_act operator__request_act(const struct operator_state *o,
                                       const struct operator_request *r);
/* When its timer is due: the deadline, or what a rule lets the phone do before it. */
int64_t operator__request_due(const struct operator_state *o, const struct operator_request *r);
/* What a rule ordered can be read back. */
bool operator__order_plausible(const struct operator_state *o, uint32_t handle);
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

/* paystack.c */
void operator__decide_paystack(const struct operator_state *o, struct decision *d);
void operator__decide_paystack_phone(const struct operator_state *o, struct decision *d);
request_step_fn operator__advance_paystack;
request_step_fn operator__approved_paystack;
/* How often and when Paystack tries a webhook. */
const struct outbox_schedule *operator__paystack_schedule(const struct operator_state *o,
                                                          const struct operator_request *r);
void operator__encode_paystack(struct writer *w, const struct operator_event *e);
bool operator__decode_paystack(uint16_t kind, struct reader *r, struct operator_event *e);
void operator__apply_paystack(struct operator_state *o, const struct operator_event *e);
void operator__apply_paystack_phone(struct operator_state *o, const struct operator_event *e);
void operator__save_paystack(struct writer *w, const struct organisation_paystack *p);
void operator__load_paystack(struct reader *r, struct organisation_paystack *p);
/* False: its key is another's, or its texts are not there. */
bool operator__index_paystack(struct operator_state *o, uint32_t slot);
void operator__check_paystack(const struct operator_state *o);

/* bill.c */
void operator__decide_biller(const struct operator_state *o, struct decision *d);
void operator__decide_invoice(const struct operator_state *o, struct decision *d);
void operator__decide_invoice_cancel(const struct operator_state *o, struct decision *d);
void operator__decide_acknowledge(const struct operator_state *o, struct decision *d);
struct bill_payment {
    uint32_t short_code;
    struct span account;
    int64_t amount_minor;
};
/* A customer pays in this decision: the biller is told by the nth item of the frame, and an open
 * invoice takes the money, when the organisation is one. */
void operator__bill_paid(const struct operator_state *o, struct decision *d,
                         const struct bill_payment *paid, uint64_t nth);

/* bill_state.c */
void operator__encode_bill(struct writer *w, const struct operator_event *e);
bool operator__decode_bill(uint16_t kind, struct reader *r, struct operator_event *e);
uint64_t operator__invoice_key(uint32_t short_code, struct span text);
void operator__apply_bill(struct operator_state *o, const struct operator_event *e,
                          const struct frame_info *frame);
void operator__save_biller(struct writer *w, const struct organisation_biller *b);
void operator__load_biller(struct reader *r, struct organisation_biller *b);
void operator__save_invoices(const struct operator_state *o, struct writer *w);
bool operator__load_invoices(struct operator_state *o, struct reader *r);
void operator__check_invoices(const struct operator_state *o);

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

#endif
