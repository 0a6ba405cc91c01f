/*
 * forge.h - writes journals frame by frame and event by event, as no honest program would: every
 * checksum is right and what stands under it is whatever the test wants. For the tests of what
 * reads journals.
 *
 * The story functions lay an honest ground (a seed, pushes, prompts, endings) out of the same
 * pieces, so that a test changes one thing and nothing else. Failures are cmocka assertions.
 */
#ifndef HAKIKA_TESTS_SUPPORT_FORGE_H
#define HAKIKA_TESTS_SUPPORT_FORGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "book/book.h"
#include "journal/journal.h"
#include "merchant/events.h"
#include "operator/events.h"

enum {
    FORGE_BUFFER_BYTES = 1024 * 1024,
    FORGE_SUBSCRIBERS = 4, /* slots 0 to 3, wallets in accounts 6 to 9 */
    FORGE_SHORT_CODE = 600000,
    FORGE_TRUST = 0,
    FORGE_FEES = 1,
    FORGE_UTILITY = 2, /* of the only organisation; 3, 4, 5 are its others */
    FORGE_WALLET = 6,  /* of subscriber 0 */
    FORGE_TARGET = 77,
};
/* 2026-01-01 00:00 in Nairobi, and that day's number there. */
#define FORGE_START_NS     ((int64_t)1767214800 * 1000 * 1000 * 1000)
#define FORGE_DAY          20454u
#define FORGE_SECOND       ((int64_t)1000 * 1000 * 1000)
#define FORGE_RECEIPT      ((uint64_t)360 * 60466176)
#define FORGE_WALLET_MINOR ((int64_t)100000) /* what every wallet is seeded with */

struct forge {
    struct journal *journal;
    const char *book;
    char directory[256];
    uint8_t *buffer;
    struct writer w;   /* the payload of the open batch */
    size_t frame_at;   /* start of the frame under way; SIZE_MAX: none */
    size_t event_at;   /* start of the event under way; SIZE_MAX: none */
    uint64_t position; /* of the last frame begun */
    int64_t time_ns;   /* that the next frame gets */
    uint64_t batch_from;
    uint32_t batch_frames;
    uint64_t payments;   /* numbers handed out by the story */
    uint64_t deliveries; /* the same */
    uint64_t receipt;
};

/* In a new temporary directory. */
void forge_open(struct forge *f);
/* The same of the merchant's book, with honest frames behind it (from position 1 on). */
void forge_open_merchant(struct forge *f, const uint8_t *frames, size_t size);
/* Appends what is open, closes the journal; the directory stays until forge_remove. */
void forge_close(struct forge *f);
void forge_remove(struct forge *f);
/* Opens the journal again, to write on. */
void forge_reopen(struct forge *f);

/* ---- bytes ---- */

void forge_frame(struct forge *f, uint16_t cause);
/* The same with a position and a time that nobody checks. */
void forge_frame_at(struct forge *f, uint16_t cause, uint64_t position, int64_t time_ns);
/* Fields are put into the returned writer. */
struct writer *forge_event(struct forge *f, uint16_t kind);
void forge_ledger(struct forge *f, const struct ledger_event *e);
void forge_outbox(struct forge *f, const struct outbox_event *e);
void forge_operator(struct forge *f, const struct operator_event *e);
void forge_gateway(struct forge *f, const struct gateway_event *e);
/* Ends the batch and appends it. Does nothing when no frame is open. */
void forge_commit(struct forge *f);

/* ---- pieces ---- */

void forge_account(struct forge *f, uint32_t index, uint16_t code, uint16_t flags, uint64_t owner);
void forge_transfer(struct forge *f, uint64_t id, uint16_t reason, uint32_t debit, uint32_t credit,
                    int64_t amount_minor);
void forge_person(struct forge *f, uint32_t slot, uint64_t msisdn);
void forge_organisation(struct forge *f, uint32_t slot, uint32_t short_code, uint32_t account);
void forge_texts(struct forge *f, uint64_t number);
void forge_accepted(struct forge *f, uint64_t number, uint32_t slot, int64_t amount_minor);
void forge_ended(struct forge *f, uint64_t number, uint8_t outcome);
void forge_receipt(struct forge *f, uint64_t number, uint32_t day, uint64_t receipt);
void forge_queued(struct forge *f, uint64_t number, uint64_t payment);
void forge_attempted(struct forge *f, uint64_t number, uint16_t status, uint8_t state);
void forge_checkpoint(struct forge *f, uint64_t position, struct digest_value digest);

static inline uint64_t forge_payment_id(uint64_t number, uint32_t leg)
{
    return (uint64_t)1 << 60 | number << 3 | leg;
}

static inline uint64_t forge_frame_id(const struct forge *f, uint32_t leg)
{
    return (uint64_t)2 << 60 | f->position << 6 | leg;
}

/* ---- an honest story ---- */

/* Generation 1 or the next: the network, one organisation, FORGE_SUBSCRIBERS wallets. */
void forge_seed(struct forge *f, uint64_t generation);
/* A push is accepted (one frame); returns its number. */
uint64_t forge_push(struct forge *f, uint32_t slot, int64_t amount_minor);
void forge_prompted(struct forge *f, uint64_t number); /* one frame */
/* The transfer of a payment, inside a frame. */
void forge_pays(struct forge *f, uint64_t number, uint32_t slot, int64_t amount_minor);
/* Paid in one frame, callback queued; returns the number of the delivery. */
uint64_t forge_paid(struct forge *f, uint64_t number, uint32_t slot, int64_t amount_minor);
/* All of it. */
uint64_t forge_payment(struct forge *f, uint32_t slot, int64_t amount_minor);
/* Cancelled on the phone: end and callback in one frame. */
uint64_t forge_cancelled(struct forge *f, uint64_t number);

#endif
