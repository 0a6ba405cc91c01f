/*
 * merchant.h - the door of the merchant book: the gateway that stands between a merchant's
 * application and a provider (Daraja, Paystack), and never loses or doubles a payment. Pure: time,
 * randomness, hashes and what messages say come in with the commands. See docs/merchant.md.
 *
 * Invariants (gateway_check; those marked * also after every frame, for what it touched)
 *  G1* a payment is in exactly one state of the table in payment.h, and moved only along its moves;
 *      each state is entered at most once.
 *  G2* a payment that has succeeded has exactly one ledger transfer of its amount, from its
 *      provider's clearing account to its merchant's wallet or escrow; no other payment has one
 *      (R5.1, R3.8).
 *  G3* its push is one outbox item; it leaves only while the state is created or submitted, and
 *      `sending` is durable before it does (docs/decisions/0009). A payout that the provider has no
 *      trace of has another item, under the same id, once the one before has ended.
 *  G4* a payment that has not ended has a timer, unless the ladder has left it to a person.
 *  G5  of the payments for one order at most one is open, unless somebody chose to override an
 *      unknown one (R2.9).
 *  G6  notices: every one belongs to one payment, one receipt, or to the orphans; a key is there
 *      once (R5.2).
 *  G7  events for the application are numbered without gaps, and those of one object, too.
 *  G8  of the webhooks for one endpoint and object only the first is in the outbox.
 *  G9* a payment asked for at Daraja's own paths that has ended has a callback to the application's
 *      own URL in the outbox (R6.12).
 *  G10* a receipt has exactly one transfer of its amount from its provider's clearing account to
 *      the merchant's wallet (its order is known) or suspense; one on to the wallet when it was
 *      assigned later; and one back when its number turned out to be a payment's, in the frame
 *      where that payment learned it. What lies on a suspense account is the sum of the receipts
 *      there.
 *  G11 payments that were made are in memory or have left (closing.c), and what has left has ended
 *      and is counted in the days of its success.
 */
#ifndef HAKIKA_MERCHANT_MERCHANT_H
#define HAKIKA_MERCHANT_MERCHANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/map.h"
#include "base/observation.h"
#include "base/slab.h"
#include "base/span.h"
#include "base/timers.h"
#include "book/book.h"
#include "merchant/accounts.h"
#include "merchant/closing.h"
#include "merchant/commands.h"
#include "merchant/discrepancy.h"
#include "merchant/feed.h"
#include "merchant/notice.h"
#include "merchant/payment.h"
#include "merchant/shadow.h"
#include "merchant/receipt.h"

/* Settings are inputs, not state. Times in nanoseconds. */
struct gateway_settings {
    int64_t unsent_ns;      /* a push that cannot leave is given up after: 60 s */
    int64_t unconfirmed_ns; /* without an outcome after being sent: 90 s (R5.5) */
    int64_t question_ns;    /* an answer to a question takes no longer: 30 s */
    /* From this amount on an unsigned callback alone is no success: the provider is
     * asked. 0: off. */
    int64_t confirm_minor;
};
struct gateway_settings gateway_settings_default(void);

enum { GATEWAY_TOUCHED_MAX = 16, GATEWAY_TOUCHED_RECEIPTS_MAX = 4 };

struct gateway {
    struct book *book;
    const struct gateway_settings *settings;
    struct slab merchants;
    struct slab keys;
    struct slab providers;
    struct slab endpoints;
    struct slab payments;
    struct slab notices;
    struct slab receipts;
    struct slab discrepancies;
    struct slab feed;
    struct slab webhooks;
    struct slab shadows;
    struct slab days; /* what left, by the day of its success */
    struct map by_key_hash;
    struct map by_provider_token;
    struct map by_short_code; /* kind and short code -> provider */
    struct map by_number;
    struct map by_token;
    struct map by_provider_id; /* hash of provider and id -> payment */
    struct map by_order;       /* hash of merchant and order -> the latest payment */
    struct map by_phone;       /* hash of provider and phone -> the latest payment */
    struct map by_shown;       /* hash of provider and account reference -> the latest (shown.c) */
    struct map by_receipt;     /* hash of provider and receipt -> payment */
    struct map receipt_by_number;
    struct map receipt_by_text;      /* hash of provider and receipt -> receipt */
    struct map receipt_by_reference; /* hash of provider and reference -> the latest receipt */
    struct map receipt_by_order;     /* hash of merchant and order -> the first of a list */
    struct map discrepancy_by_number;
    struct map discrepancy_by_reference; /* hash of provider, kind and reference */
    struct map notice_by_key;
    struct map notice_by_number;
    struct map orphan_by_reference; /* hash of provider and reference -> the first such orphan */
    struct map feed_by_seq;
    struct map webhook_last; /* chain -> the last webhook of it that has not ended */
    struct map webhook_by_subject;
    struct map by_day; /* provider and day */
    struct timers due; /* payments; id: gateway__timer_id */
    uint64_t last_payment;
    uint64_t last_notice;
    uint64_t last_receipt;
    uint64_t last_discrepancy;
    uint64_t last_seq;
    uint64_t last_refund;
    uint32_t orphan_first; /* slots of notices */
    uint32_t orphan_last;
    uint64_t orphans;
    uint64_t disagreements; /* open discrepancies */
    uint64_t sweep_cursor;  /* the payment that the sweep has come to, ... */
    int64_t sweep_due_ns;   /* ... when it goes on; 0: nothing is open */
    int64_t pull_due_ns;    /* of the account that is to be pulled first; 0: none. Derived */
    int64_t last_repair_ns; /* when a success was last brought by anything but its own callback */
    uint32_t open;          /* payments that have not ended */
    uint32_t attention;     /* of those: left to a person */
    uint64_t receipts_in[RECEIPT_STATE_LAST + 1]; /* how many are in each state. Derived */
    uint64_t repaired; /* successes that came by another way than their own callback */
    uint64_t paid;     /* successes of payments alone: no payouts, no refunds. Derived */
    uint64_t late;     /* successes after another end */
    uint64_t entered[GATEWAY_STATES_END]; /* moves into each state */
    uint64_t left;                        /* payments that are not in memory */
    uint32_t closed_first;                /* those in memory that have ended; memory only */
    uint32_t closed_last;
    uint32_t closed;
    struct gateway_guest guest;            /* memory only */
    uint32_t touched[GATEWAY_TOUCHED_MAX]; /* payments of the last frame; memory only */
    uint32_t touched_count;
    uint32_t touched_receipts[GATEWAY_TOUCHED_RECEIPTS_MAX];
    uint32_t touched_receipt_count;
    uint64_t touched_position;
};

extern const struct book_domain merchant_domain;

/* Reads. All of them answer from the state as it is, durable or not: the caller waits. */
const struct gateway *gateway_of(const struct book *b);
const struct gateway_merchant *gateway_merchant(const struct gateway *g, uint32_t slot);
const struct gateway_provider *gateway_provider(const struct gateway *g, uint32_t slot);
const struct gateway_endpoint *gateway_endpoint(const struct gateway *g, uint32_t slot);
/* The merchant that an API key belongs to; SLAB_NONE: no such key. */
uint32_t gateway_merchant_of_key(const struct gateway *g, const uint8_t hash[16]);
/* The first provider account of a merchant of that kind and short code (0: any); SLAB_NONE. */
uint32_t gateway_provider_of(const struct gateway *g, uint32_t merchant, uint8_t kind,
                             uint32_t short_code);
/* The same where a guess would be wrong: without a short code only the one that there is. */
uint32_t gateway_only_provider(const struct gateway *g, uint32_t merchant, uint8_t kind,
                               uint32_t short_code);
/* NULL when there is none. */
const struct gateway_payment *gateway_payment(const struct gateway *g, uint64_t number);
const struct gateway_payment *gateway_payment_by_token(const struct gateway *g,
                                                       const uint8_t token[16]);
const struct gateway_payment *gateway_payment_by_provider_id(const struct gateway *g,
                                                             uint32_t provider, struct span id);
/* The payment whose money has this receipt number at the provider. */
const struct gateway_payment *gateway_payment_by_receipt(const struct gateway *g, uint32_t provider,
                                                         struct span receipt);
/* The latest payment for an order, then those before it; NULL at the end. */
const struct gateway_payment *gateway_payment_of_order(const struct gateway *g, uint32_t merchant,
                                                       struct span order);
const struct gateway_payment *gateway_payment_before(const struct gateway *g,
                                                     const struct gateway_payment *p);
/* What the provider is told, and tells, as account reference: the first 12 bytes of the order, or
 * what an application that speaks Daraja gave. */
enum { GATEWAY_REFERENCE_SHOWN = 12 };
struct span gateway_account_reference(const struct gateway *g, const struct gateway_payment *p);
/* The provider account whose callback URLs have this token, or have it still; SLAB_NONE. */
uint32_t gateway_provider_by_token(const struct gateway *g, const uint8_t token[16]);
/* Is it one that was good until it was retired (the latest such of its account)? */
bool gateway_token_is_retired(const struct gateway *g, const uint8_t token[16]);
const struct gateway_notice *gateway_notice(const struct gateway *g, uint64_t number);
/* Of a payment that waits for a person: the claim of money that counts, which is the latest of the
 * strongest; NULL: none says that it was paid. */
const struct gateway_notice *gateway_mismatch_claim(const struct gateway *g,
                                                    const struct gateway_payment *p);
const struct gateway_receipt *gateway_receipt(const struct gateway *g, uint64_t number);
const struct gateway_discrepancy *gateway_discrepancy(const struct gateway *g, uint64_t number);
/* By its number at the provider. */
const struct gateway_receipt *gateway_receipt_by_text(const struct gateway *g, uint32_t provider,
                                                      struct span text);
/* Whose it may be: the open payment that would have looked like this; NULL: none. */
const struct gateway_payment *gateway_receipt_suggestion(const struct gateway *g,
                                                         const struct gateway_receipt *r);
/* What arrived for an order by itself. Walks over the receipts for it. */
void gateway_order_money(const struct gateway *g, uint32_t merchant, struct span order,
                         struct gateway_order_money *out);
/* Is a payment with this account reference let through? (validation) */
bool gateway_c2b_accepts(const struct gateway *g, uint32_t provider, struct span reference);
/* Slots of notices: those of a payment (from its first_notice), the orphans (orphan_first). */
const struct gateway_notice *gateway_notice_at(const struct gateway *g, uint32_t slot);
const struct gateway_feed *gateway_feed_event(const struct gateway *g, uint64_t seq);
struct span gateway_text(const struct gateway *g, uint32_t handle);
int64_t gateway_balance(const struct gateway *g, uint32_t account);
/* May the push with this outbox item leave? */
enum gateway_push {
    PUSH_MARK = 0,    /* after COMMAND_PAYMENT_SENDING is durable */
    PUSH_INTERRUPTED, /* it may have left before the process ended: never again */
    PUSH_OVER,        /* nobody waits for it any more */
};
enum gateway_push gateway_push_may_leave(const struct gateway *g, uint64_t number);
/* The ledger transfer of a payment, leg 0 to 7. */
uint64_t gateway_transfer_id(uint64_t number, uint32_t leg);
/* Of a receipt: 0 it arrives, 1 it is assigned, 2 it is taken back. */
uint64_t gateway_receipt_transfer_id(uint64_t number, uint32_t leg);

/*
 * The payments of a provider account that succeeded in [from, until), and how many of them had to
 * be repaired: their success came by another way than a callback or webhook of their own, and none
 * has come since (R5.4). Walks over all payments.
 */
struct gateway_repairs {
    uint64_t checked;
    uint64_t repaired;
    uint64_t late; /* found by another way first; their own callback came afterwards */
    uint64_t repaired_by[OBSERVED_BY_STATEMENT + 1]; /* by enum observation_source */
    bool alert;                                      /* more than 0.1 % were repaired */
    uint64_t open;                                   /* now, whenever they were made: not ended, */
    uint64_t unknown;                                /* of those: being found out, */
    uint64_t attention;                              /* of those: left to a person */
};
/* Of what has left, whole days in Kenya count: those that the time touches. */
void gateway_repairs(const struct gateway *g, uint32_t provider, int64_t from_ns, int64_t until_ns,
                     struct gateway_repairs *out);

void gateway_check(const struct gateway *g);

#endif
