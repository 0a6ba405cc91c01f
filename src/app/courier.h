/*
 * courier.h - what stands between the merchant book's outbox and the delivery thread: a request to
 * a provider needs an access token, and a push may leave only when the book has durably written
 * that it is about to (docs/decisions/0009).
 *
 *   taken from the outbox -> token there? -> push: marked in the book -> durable -> submitted
 *
 * Guarantees: one token request at a time for each provider account (single flight); every item
 * that was taken is submitted or reported; a push is submitted at most once for each mark.
 * Tests: tests/e2e/320-gateway.sh.
 */
#ifndef HAKIKA_APP_COURIER_H
#define HAKIKA_APP_COURIER_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery/delivery.h"
#include "engine/engine.h"
#include "face/face.h"

enum {
    COURIER_WAITING_MAX = OUTBOX_IN_FLIGHT_MAX,
    COURIER_TOKENS_MAX = 64, /* token requests under way */
    COURIER_BYTES_MAX = 64 * 1024,
};

/* Tells the book of an attempt at an item that was none. False: it has no room to remember it, and
 * the item is back in the outbox. */
typedef bool (*courier_unsent_fn)(void *context, uint64_t number, enum delivery_error why);

/* An item that was taken and has not been submitted. */
struct courier_entry {
    uint64_t number;
    uint64_t wait_position; /* a marked push: of the mark */
    uint32_t provider;      /* whose token it needs; SLAB_NONE: none */
    bool is_push;
    bool marked;
};

struct courier {
    struct engine *engine;
    struct surface *surface;
    struct delivery *delivery;
    courier_unsent_fn unsent;
    void *context;
    uint64_t generation;
    uint32_t count;
    struct courier_entry waiting[COURIER_WAITING_MAX];
    uint32_t token_count;
    uint32_t tokens[COURIER_TOKENS_MAX]; /* provider accounts whose token is being fetched */
    uint8_t bytes[COURIER_BYTES_MAX];
};

/* Takes what may leave, and submits what is ready. */
void courier_turn(struct courier *c);
/* A report of the delivery thread: true when it was about a token. */
bool courier_token_report(struct courier *c, const struct delivery_report *report);
/* The same for a call that is forwarded in shadow mode. */
bool courier_shadow_report(struct courier *c, const struct delivery_report *report);
/* Items taken and not submitted yet. */
uint32_t courier_waiting(const struct courier *c);

#endif
