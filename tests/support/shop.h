/*
 * shop.h - a merchant's book in memory, without engine, disk or network: a virtual now, commands as
 * calls, every frame kept. At its end a shop proves itself: all frames replayed into a fresh book,
 * and a saved and loaded book, give the same digest, and every invariant holds in all three.
 */
#ifndef HAKIKA_TESTS_SUPPORT_SHOP_H
#define HAKIKA_TESTS_SUPPORT_SHOP_H

#include <stdbool.h>
#include <stdint.h>

#include "book/book.h"
#include "merchant/merchant.h"
#include "support/attic.h"

#define SHOP_START_NS ((int64_t)1769841000 * 1000 * 1000 * 1000)
#define SHOP_S        ((int64_t)1000 * 1000 * 1000)
#define SHOP_PHONE    ((uint64_t)254708374149)
#define SHOP_AMOUNT   ((int64_t)15000)

enum { SHOP_PAYBILL = 174379 };

struct shop {
    struct book *book;
    struct gateway_settings settings;
    int64_t now_ns;
    uint64_t random;
    uint8_t *frames; /* all of them, from position 1 */
    size_t frames_size;
    size_t frames_room;
    uint64_t keys;       /* idempotency keys given so far */
    struct attic *attic; /* NULL: nothing leaves */
};

/* A seeded book: one merchant, its key and a paybill. */
void shop_start(struct shop *s);
/* From now on what is closed can leave: shop_clear. */
void shop_with_attic(struct shop *s);
/* What has been closed for so long leaves; how many payments did. With `torn` the process dies
 * between the index and the journal. */
uint64_t shop_clear(struct shop *s, int64_t age_ns, bool torn);
/* Proves the shop and frees it. */
void shop_end(struct shop *s);
void shop_prove(const struct shop *s);
/* Puts a saved and loaded book in the place of this one, as after a restart. */
void shop_restart(struct shop *s);
/* The same from the frames alone, as after a kill without a snapshot. */
void shop_replay(struct shop *s);

/* Executes one command; the position of its frame, 0 when there is none. */
uint64_t shop_do(struct shop *s, uint16_t kind, const void *body, void *reply);
/* Runs what is due, timer by timer, until the time has passed. */
void shop_pass(struct shop *s, int64_t duration_ns);

const struct gateway *shop_gateway(const struct shop *s);
/* In memory or, until the next call, from the attic. */
const struct gateway_payment *shop_payment(const struct shop *s, uint64_t number);
int64_t shop_wallet(const struct shop *s);
int64_t shop_clearing(const struct shop *s);
uint64_t shop_told(const struct shop *s, uint16_t type); /* how many events of a type */

/* Asks for a payment with a new key; the reply says what came of it. */
struct gateway_reply shop_create(struct shop *s, const char *order, uint64_t overrides);
/* The same, expected to be taken; its number. */
uint64_t shop_pay(struct shop *s, const char *order);
/* The same, of money that is held until the order is done. */
uint64_t shop_escrow(struct shop *s, const char *order);
/* Hands the push out and gives the provider's answer to it. */
void shop_answer(struct shop *s, uint64_t number, enum observation_verdict verdict,
                 enum observation_reason reason, const char *reference);
/* Created, sent, taken on: pending with "ws_CO_<number>". */
uint64_t shop_pending(struct shop *s, const char *order);
/* What the outbox has for the kind; its number, 0: nothing. Marks it handed out. */
uint64_t shop_take(struct shop *s, uint16_t kind);
/* Ends an attempt without an HTTP answer. */
void shop_fail(struct shop *s, uint64_t item, uint8_t error);

/* What every test of money that leaves needs: a shop with the money of one payment (its number); a
 * payout, or a refund of `refunds`, asked for with a new key; what of the wallet is not held; and
 * the request of a payment, payout or refund handed out, marked as leaving (its item). */
uint64_t shop_start_rich(struct shop *s);
struct gateway_reply shop_pay_out(struct shop *s, int64_t amount_minor, uint64_t refunds);
int64_t shop_free(const struct shop *s);
uint64_t shop_leaves(struct shop *s, uint64_t number, uint16_t kind);
/* Ends all attempts of the kind in vain. */
void shop_fail_all(struct shop *s, uint16_t kind);

/* A claim about a payment, as a notice at the door (payment 0: found by what it names). */
struct shop_claim {
    enum observation_source source;
    enum observation_verdict verdict;
    enum observation_reason reason;
    enum observation_kind kind; /* 0: PAYMENT */
    const char *reference;      /* NULL: "ws_CO_<number>" */
    const char *receipt;        /* NULL: none */
    const char *original;       /* receipt of what is taken back; NULL: none */
    const char *code;
    int64_t amount_minor; /* 0: not said */
    uint64_t phone;
};
uint8_t shop_claims(struct shop *s, uint64_t payment, const struct shop_claim *c);
/* The usual callback of a success. */
struct shop_claim shop_paid(void);

#endif
