/*
 * internal.h - what the files of merchant/ share with each other and with nobody else.
 */
#ifndef HAKIKA_MERCHANT_INTERNAL_H
#define HAKIKA_MERCHANT_INTERNAL_H

#include "merchant/events.h"
#include "merchant/internal_decision.h"
#include "merchant/merchant.h"

static inline struct gateway_merchant *merchant_at(const struct gateway *g, uint32_t slot)
{
    return slab_at(&g->merchants, slot);
}

static inline struct gateway_provider *provider_at(const struct gateway *g, uint32_t slot)
{
    return slab_at(&g->providers, slot);
}

static inline struct gateway_endpoint *endpoint_at(const struct gateway *g, uint32_t slot)
{
    return slab_at(&g->endpoints, slot);
}

static inline struct gateway_payment *payment_slot(const struct gateway *g, uint32_t slot)
{
    return slab_at(&g->payments, slot);
}

static inline struct gateway_notice *notice_at(const struct gateway *g, uint32_t slot)
{
    return slab_at(&g->notices, slot);
}

static inline struct gateway_receipt *receipt_at(const struct gateway *g, uint32_t slot)
{
    return slab_at(&g->receipts, slot);
}

static inline struct gateway_discrepancy *discrepancy_at(const struct gateway *g, uint32_t slot)
{
    return slab_at(&g->discrepancies, slot);
}

static inline struct gateway_webhook *webhook_at(const struct gateway *g, uint32_t slot)
{
    return slab_at(&g->webhooks, slot);
}

/* The id of a payment's timer: of two at the same time the lower number's comes first, whatever
 * slots they lie in. */
static inline uint64_t gateway__timer_id(const struct gateway_payment *p, uint32_t slot)
{
    CHECK(slot < GATEWAY_PAYMENTS_MAX);
    CHECK(p->number < UINT64_C(1) << 36);
    return p->number << 28 | slot;
}

_Static_assert(GATEWAY_PAYMENTS_MAX == 1 << 28, "slots fill 28 bits of the id of a timer");
static inline uint32_t gateway__timer_slot(uint64_t id)
{
    return (uint32_t)(id & (GATEWAY_PAYMENTS_MAX - 1));
}

/* payment.c */
uint32_t gateway__payment_slot(const struct gateway *g, uint64_t number); /* MAP_NONE */
struct gateway_move {
    uint8_t state;
    uint8_t source;
    uint8_t reason;
    uint64_t notice;
    int64_t due_ns;
};
void gateway__move(struct gateway_decision *gd, const struct gateway_payment *p,
                   const struct gateway_move *m);
/* Asks the provider what became of it, unless it is being asked or no id is known. */
void gateway__ask(struct gateway_decision *gd, const struct gateway_payment *p, uint8_t rung,
                  int64_t due_ns);
/* Asks because of a claim that nobody signed; of what has ended, too, until the provider has
 * answered. `learned`: the provider's id, in this decision. */
void gateway__ask_for_proof(struct gateway_decision *gd, const struct gateway_payment *p,
                            bool learned);
void gateway__unconfirm(struct gateway_decision *gd, const struct gateway_payment *p,
                        uint8_t reason);
void gateway__decide_create(const struct gateway *g, struct decision *d);
void gateway__decide_sending(const struct gateway *g, struct decision *d);
void gateway__decide_resolve(const struct gateway *g, struct decision *d);
void gateway__decide_due(const struct gateway *g, struct decision *d);
void gateway__decide_release(const struct gateway *g, struct decision *d);
void gateway__push_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                             const struct delivery_result_command *c, uint8_t becomes);
void gateway__question_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                                 const struct delivery_result_command *c);
/* Does this end of an attempt mean that the provider surely has nothing of it? */
bool gateway__surely_unsent(const struct delivery_result_command *c);

/* payout.c */
void gateway__decide_payout(const struct gateway *g, struct decision *d);
/* The hold of a payout that has failed for certain ends; of anything else nothing happens. */
void gateway__release_hold(struct gateway_decision *gd, const struct gateway_payment *p);
/* The money of a payout that succeeded. False: the ledger would not take it. */
bool gateway__pay_out(struct gateway_decision *gd, const struct gateway_payment *p,
                      const struct observation *claim);
/* The provider has no trace of a payout whose answer was lost: it leaves again, as the same. */
void gateway__send_again(struct gateway_decision *gd, const struct gateway_payment *p,
                         const struct observation *claim);
static inline bool gateway__is_resent(const struct gateway_payment *p)
{
    return p->resent > 0 && p->state == GATEWAY_UNCONFIRMED;
}
/* Is there room in the ledger for this to arrive at the account, and for all that can follow of it?
 * What others say may bring any amount, any number of times: only these two bound it. */
bool gateway__may_arrive(const struct gateway *g, uint32_t provider, int64_t amount_minor);
/* The same for what is paid out, with the provider's fee. */
bool gateway__may_leave(const struct gateway *g, const struct gateway_payment *p,
                        const struct observation *claim);
/* Posts a group of transfers that stand or fall together. */
bool gateway__post(struct gateway_decision *gd, const struct transfer *transfers, uint32_t count);
/* What is made, of whatever kind (its method says which), and its call; its number. */
uint64_t gateway__open(struct gateway_decision *gd, const struct payment_create_command *c,
                       uint16_t call);
/* The end of that decision: it is told, and its idempotency key kept. */
void gateway__opened(struct gateway_decision *gd, const struct payment_create_command *c,
                     uint64_t number);
/* "already made with this key": the reply says what. */
bool gateway__repeated(const struct gateway *g, const uint8_t key[16], const uint8_t request[16],
                       struct gateway_reply *reply);

/* receipt.c */
void gateway__decide_assign(const struct gateway *g, struct decision *d);
/* Does the claim say that money arrived at this provider account, under a receipt number? */
bool gateway__arrived(const struct gateway *g, uint32_t provider, const struct observation *claim);
/* Such money makes a receipt, unless it is too much for one, or for the account. */
bool gateway__may_be_booked(const struct gateway *g, uint32_t provider,
                            const struct observation *claim);
/* The payment whose money it is, when that can be told; NULL. */
const struct gateway_payment *gateway__payment_of_receipt(const struct gateway_decision *gd,
                                                          uint32_t provider,
                                                          const struct observation *claim);
/* Makes a receipt of it: before its notice is written, and after. */
uint64_t gateway__receipt_open(struct gateway_decision *gd, uint32_t provider,
                               const struct observation *claim);
void gateway__receipt_opened(struct gateway_decision *gd, uint64_t number, uint32_t provider,
                             const struct observation *claim);
/* A payment learns its receipt: a receipt of that number is taken back. */
void gateway__receipt_is_of(struct gateway_decision *gd, const struct gateway_payment *p,
                            struct span text);
/* The number of the one receipt that must be this payment's, which was paid by what names none;
 * empty: there is none, or more than one. */
struct span gateway__receipt_that_fits(const struct gateway *g, const struct gateway_payment *p);

/* Will what arrived lie on suspense? */
bool gateway__receipt_waits(const struct gateway_decision *gd, uint32_t provider,
                            const struct observation *claim);

/* discrepancy.c */
void gateway__disagree(struct gateway_decision *gd, const struct gateway_discrepancy *d,
                       struct span reference);
/* Does what a row or line says of the provider's books agree with ours? At the end of the decision
 * that took it. */
void gateway__compare(struct gateway_decision *gd, const struct notice_command *c,
                      const struct gateway_payment *p, uint64_t notice, uint8_t effect);
/* What this receipt number is about was decided: its amount differs no more, and what left or went
 * back is known now. */
void gateway__money_settled(struct gateway_decision *gd, const struct gateway_payment *p,
                            struct span receipt);
/* Money that went back and fitted nothing is booked now. p: as it was when that was said. */
void gateway__return_settled(struct gateway_decision *gd, const struct gateway_payment *p,
                             const struct observation *claim);
void gateway__receipt_found_owner(struct gateway_decision *gd, const struct gateway_receipt *r);
void gateway__decide_disagree(const struct gateway *g, struct decision *d);
void gateway__decide_resolve_discrepancy(const struct gateway *g, struct decision *d);
void gateway__apply_discrepancy(struct gateway *g, const struct gateway_event *e,
                                const struct frame_info *frame);
void gateway__discrepancy_index(struct gateway *g, uint32_t slot);
void gateway__check_discrepancies(const struct gateway *g);

/* sweep.c */
void gateway__sweep_at(struct gateway_decision *gd, uint64_t cursor, int64_t due_ns);
/* Something is open from now on: there will be a sweep. */
void gateway__sweep_begins(struct gateway_decision *gd);
void gateway__decide_sweep(const struct gateway *g, struct decision *d);
void gateway__decide_pull(const struct gateway *g, struct decision *d);
void gateway__decide_pull_due(const struct gateway *g, struct decision *d);
/* The account that is to be pulled first, once one has changed or all are loaded. */
void gateway__pull_first(struct gateway *g);
void gateway__decide_pull_number(const struct gateway *g, struct decision *d);
void gateway__pull_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                             const struct delivery_result_command *c, uint8_t becomes);
void gateway__apply_sweep(struct gateway *g, const struct gateway_event *e);

/* receipt_state.c */
uint32_t gateway__receipt_slot(const struct gateway *g, uint64_t number); /* MAP_NONE */
/* By number at the provider, and the latest by account reference; MAP_NONE. */
enum receipt_text { RECEIPT_BY_TEXT, RECEIPT_BY_REFERENCE };
uint32_t gateway__receipt_find(const struct gateway *g, enum receipt_text which, uint32_t provider,
                               struct span text);
void gateway__apply_receipt(struct gateway *g, const struct gateway_event *e,
                            const struct frame_info *frame);
/* Into the maps, after loading: in the order of their numbers. */
void gateway__receipt_index(struct gateway *g, uint32_t slot);
void gateway__touch_receipt(struct gateway *g, uint32_t slot);
void gateway__check_receipt(const struct gateway *g, uint32_t slot);
void gateway__check_receipts(const struct gateway *g);

/* accounts.c */
void gateway__decide_c2b(const struct gateway *g, struct decision *d);
void gateway__c2b_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                            const struct delivery_result_command *c, uint8_t becomes);

/* shadow.c */
void gateway__decide_shadow(const struct gateway *g, struct decision *d);
void gateway__apply_shadow(struct gateway *g, const struct gateway_event *e,
                           const struct frame_info *frame);

/* notice.c */
void gateway__decide_notice(const struct gateway *g, struct decision *d);
/* Takes a notice in the decision under way; returns what it did. *number_out may be NULL. */
uint8_t gateway__take_notice(struct gateway_decision *gd, const struct notice_command *c,
                             uint64_t *number_out);
/* The claim with its texts as short as the book keeps them. */
struct observation gateway__cut(const struct observation *claim);
/* Orphans that name this id belong to the payment, which has just learned it. */
void gateway__join_orphans(struct gateway_decision *gd, const struct gateway_payment *p,
                           struct span provider_id);

/* A success whose money the ledger takes: everything that belongs to it. False: it does not, and
 * nothing was written. */
bool gateway__settle(struct gateway_decision *gd, const struct gateway_payment *p,
                     const struct observation *claim, uint64_t notice, uint8_t reason);
/* Money to give back: it is told. first: the payment that the order was paid by before; 0: none. */
void gateway__propose_refund(struct gateway_decision *gd, const struct gateway_payment *p,
                             uint64_t first, bool has_receipt);
/* What a notice said. */
struct observation gateway__claim_of(const struct gateway *g, const struct gateway_notice *n);

/* judgement.c */
void gateway__decide_judgement(const struct gateway *g, struct decision *d);
/* accounts.c */
void gateway__decide_seed(const struct gateway *g, struct decision *d);
void gateway__decide_merchant(const struct gateway *g, struct decision *d);
void gateway__decide_api_key(const struct gateway *g, struct decision *d);
void gateway__decide_provider(const struct gateway *g, struct decision *d);
void gateway__decide_provider_set(const struct gateway *g, struct decision *d);
void gateway__decide_endpoint(const struct gateway *g, struct decision *d);
void gateway__decide_endpoint_change(const struct gateway *g, struct decision *d);
void gateway__decide_callbacks(const struct gateway *g, struct decision *d);
void gateway__decide_endpoint_rotate(const struct gateway *g, struct decision *d);
void gateway__decide_event_replay(const struct gateway *g, struct decision *d);

/* feed.c */
uint64_t gateway__chain(uint32_t endpoint, uint8_t object_kind, uint64_t object);
void gateway__webhook_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                                const struct delivery_result_command *c, uint8_t becomes);

/* Keys of the maps. What is found is compared; of two things with the same key the second lies one
 * further on, and so on. */
uint64_t gateway__bytes_key(const uint8_t bytes[16]);
uint64_t gateway__text_key(uint32_t scope, struct span text);
uint64_t gateway__short_code_key(uint8_t kind, uint32_t short_code);
/* Payouts have references of their own, beside the orders of payments. */
uint32_t gateway__order_scope(const struct gateway_payment *p);
/* Slot of the payment in the map whose text (its order, id or receipt) is this; MAP_NONE. */
enum gateway_text { TEXT_OF_ORDER, TEXT_OF_PROVIDER_ID, TEXT_OF_RECEIPT };
uint32_t gateway__find(const struct gateway *g, enum gateway_text which, uint32_t scope,
                       struct span text);
void gateway__index(struct gateway *g, enum gateway_text which, uint32_t slot);
/* The latest payment by a phone at a provider account; MAP_NONE. */
uint32_t gateway__find_by_phone(const struct gateway *g, uint32_t provider, uint64_t phone);

/* shown.c: the pushes without a receipt, by the account reference that the payer sees: of those at
 * home a list by shown_before, the latest first; SLAB_NONE. It holds a few others, too: compare. */
uint32_t gateway__find_shown(const struct gateway *g, uint32_t provider, struct span reference);
/* Into its list or out of it, as the payment stands now; out of it before its reference changes. */
void gateway__place_shown(struct gateway *g, uint32_t slot);
void gateway__take_out_shown(struct gateway *g, uint32_t slot);
void gateway__check_shown(const struct gateway *g, uint32_t slot);

bool gateway__apply(void *state, const struct frame_info *frame, uint16_t kind, struct reader *r);
void gateway__save(const void *state, struct writer *w);
bool gateway__load(void *state, struct reader *r);
void gateway__check(const void *state);
void gateway__check_touched(void *state);
uint32_t gateway__webhook_find(const struct gateway *g, uint64_t subject);

#include "merchant/internal_closing.h"
#include "merchant/internal_front.h"
#include "merchant/internal_trust.h"

#endif
