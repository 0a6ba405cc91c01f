/*
 * world.h - an operator's book in memory, without engine, disk or network: a virtual now, commands
 * as calls, every frame kept. At its end a world proves itself: all frames replayed into a fresh
 * book, and a saved and loaded book, give the same digest, and every invariant holds in all three.
 *
 * After each command the invariants are checked, and a refusal must have left no trace (switched
 * off with `quick` where a test runs too many commands for that).
 */
#ifndef HAKIKA_TESTS_SUPPORT_WORLD_H
#define HAKIKA_TESTS_SUPPORT_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "book/book.h"
#include "operator/operator.h"

/* 2026-01-31 09:30:00 in Kenya; a Saturday. */
#define WORLD_START_NS ((int64_t)1769841000 * 1000 * 1000 * 1000)
#define WORLD_S        ((int64_t)1000 * 1000 * 1000)

enum {
    WORLD_PAYBILL = 174379,
    WORLD_OTHER_PAYBILL = 600000,
    WORLD_BULK = 600999,
    WORLD_TILL = 5551234,
    WORLD_PIN = 1234, /* of everybody in the seed */
};
/* Seeded: ANNA and BEN with a wallet of 100,000.00; ROBOT too, and it approves by itself. */
#define WORLD_ANNA     ((uint64_t)254700000001)
#define WORLD_BEN      ((uint64_t)254700000002)
#define WORLD_ROBOT    ((uint64_t)254708374149)
#define WORLD_STRANGER ((uint64_t)254711111111)
#define WORLD_MONEY    ((int64_t)100000 * 100)

struct world {
    struct book *book;
    struct operator_settings settings;
    int64_t now_ns;
    uint64_t random;
    bool quick;
    uint8_t *frames; /* all of them, from position 1 */
    size_t frames_size;
    size_t frames_room;
    uint8_t *scratch; /* room for one frame */
    size_t scratch_room;
};

/* A seeded book at WORLD_START_NS with the settings of a profile. */
void world_start(struct world *w, bool dev);
/* Proves the world and frees it. */
void world_end(struct world *w);
/* The proof alone; the world goes on. */
void world_prove(const struct world *w);
/* Puts a saved and loaded book in the place of this one, as after a restart. */
void world_restart(struct world *w);

/* Executes one command; the position of its frame, 0 when there is none. */
uint64_t world_do(struct world *w, uint16_t kind, const void *body, void *reply);
/* Runs everything internal that is due now; returns how much that was. */
uint32_t world_run(struct world *w);
/* Lets time pass, timer by timer; what is due is run at its time. */
void world_pass(struct world *w, int64_t duration_ns);

/* The seed that world_start used. */
void world_seed_command(struct seed_command *c);
enum operator_refusal world_seed(struct world *w);

/* The verifier of a PIN. */
void world_verifier(uint64_t msisdn, uint32_t pin, uint8_t out[PIN_VERIFIER_BYTES]);

struct world_order {
    uint64_t msisdn;
    uint32_t short_code; /* 0: WORLD_PAYBILL */
    uint32_t party_b;    /* 0: the short code */
    uint8_t type;        /* 0: paybill */
    int64_t amount_minor;
    const char *reference; /* NULL: "INV-1" */
    uint64_t target;       /* 0: one for each short code */
};
/* Does not run the pipeline: the payment is PENDING. */
struct operator_reply world_order(struct world *w, const struct world_order *order);
/* The same, then runs; the number of the payment. Fails the test when it is refused. */
uint64_t world_push(struct world *w, uint64_t msisdn, int64_t amount_minor);
enum operator_refusal world_approve(struct world *w, uint64_t number, uint32_t pin);
enum operator_refusal world_cancel(struct world *w, uint64_t number);

/* Asks for something (initiator and credential are filled in when without_initiator is not set and
 * they are empty) and runs; the number, 0 when it was refused as a duplicate. */
uint64_t world_ask(struct world *w, const struct request_command *command);
struct world_payout {
    uint64_t msisdn;
    uint32_t short_code; /* 0: WORLD_BULK */
    int64_t amount_minor;
    const char *conversation; /* NULL or "": one of the operator's */
    bool wrong_password;
};
uint64_t world_payout(struct world *w, const struct world_payout *payout);
const struct operator_request *world_request(const struct world *w, uint64_t number);
/* One of the four accounts of an organisation. */
int64_t world_account(const struct world *w, uint32_t short_code, enum organisation_account which);

const struct operator_state *world_operator(const struct world *w);
const struct stk_payment *world_payment(const struct world *w, uint64_t number);
int64_t world_balance(const struct world *w, uint64_t msisdn);
int64_t world_utility(const struct world *w, uint32_t short_code);
enum operator_refusal world_change(struct world *w, const struct subscriber_change_command *c);
enum operator_refusal world_adjust(struct world *w, uint64_t msisdn, int64_t adjust_minor);
enum operator_refusal world_reachable(struct world *w, uint64_t msisdn, bool reachable);

/* Puts the user's scenario rules in force: a rules document, which must be one. */
void world_rules(struct world *w, const char *document);
/* The next callback that may leave, 0 when there is none. */
uint64_t world_take(struct world *w);
enum book_outcome world_report(struct world *w, uint64_t number, uint16_t status, uint8_t error);
/* Callbacks of a payment in the outbox. */
uint32_t world_callbacks(const struct world *w, uint64_t number);

#endif
