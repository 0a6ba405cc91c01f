/*
 * small_book.h - an operator's book in memory for fuzz targets: opened, given commands, closed.
 * Every frame is kept, so that a target can replay them.
 */
#ifndef HAKIKA_TESTS_FUZZ_SMALL_BOOK_H
#define HAKIKA_TESTS_FUZZ_SMALL_BOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "book/book.h"
#include "operator/operator.h"

enum {
    SMALL_FRAMES_BYTES = 512 * 1024,
    SMALL_PHONES = 4,
    SMALL_SHOP = 600000,
    SMALL_SHOPS = 2,
};
#define SMALL_START_NS ((int64_t)1767214800 * 1000 * 1000 * 1000)
#define SMALL_PHONE    ((uint64_t)254700000000)

struct small_book {
    struct book *book;
    int64_t now_ns;
    uint64_t random;
    struct writer frames;
};

static inline struct book *small_book_empty(void)
{
    static struct operator_settings settings;
    settings = operator_settings_default(true);
    struct book_options options = {.domain = &operator_domain, .settings = &settings};
    struct book *b = book_create(&options);
    CHECK(b != NULL);
    return b;
}

/* Executes a command when there is room for its frame; false when there is none. */
static inline bool small_book_do(struct small_book *s, uint16_t kind, const void *body, void *reply)
{
    struct book_command c = {kind, s->now_ns, s->random++ * 0x9e3779b97f4a7c15u, body, reply};
    if (s->frames.capacity - s->frames.size < book_frame_bytes_max(&c)) {
        return false;
    }
    CHECK(book_execute(s->book, &c, &s->frames) != BOOK_NO_MEMORY);
    return true;
}

/* Everything internal that is due now, at most `most` of it. */
static inline void small_book_run(struct small_book *s, uint32_t most)
{
    struct book_command c;
    while (most-- > 0 && book_work(s->book, s->now_ns, &c)) {
        if (!small_book_do(s, c.kind, c.body, c.reply)) {
            return;
        }
    }
}

static inline void small_book_seed(struct small_book *s)
{
    static struct seed_command seed;
    struct operator_reply reply;
    memset(&seed, 0, sizeof(seed));
    for (uint32_t i = 0; i < SMALL_SHOPS; i++) {
        struct organisation_command *o = &seed.organisations[seed.organisation_count++];
        o->short_code = SMALL_SHOP + i;
        o->name = SPAN_LITERAL("Shop");
        o->type = i == 0 ? ORGANISATION_PAYBILL : ORGANISATION_TILL;
        o->charges = CHARGES_CUSTOMER;
        o->utility_minor = 1000;
    }
    for (uint32_t i = 0; i < SMALL_PHONES; i++) {
        struct subscriber_command *u = &seed.subscribers[seed.subscriber_count++];
        u->msisdn = SMALL_PHONE + i;
        u->name = SPAN_LITERAL("Somebody");
        u->balance_minor = 50000;
        u->approves = i == SMALL_PHONES - 1;
    }
    (void)small_book_do(s, COMMAND_SEED, &seed, &reply);
}

static inline void small_book_open(struct small_book *s)
{
    static uint8_t frames[SMALL_FRAMES_BYTES];
    s->book = small_book_empty();
    s->now_ns = SMALL_START_NS;
    s->random = 1;
    s->frames = writer_init(frames, sizeof(frames));
    small_book_seed(s);
}

static inline void small_book_close(struct small_book *s)
{
    book_destroy(s->book);
    s->book = NULL;
}

static inline void small_book_push(struct small_book *s, uint64_t msisdn, uint32_t short_code,
                                   int64_t amount_minor)
{
    struct operator_reply reply;
    struct stk_push_command c;
    memset(&c, 0, sizeof(c));
    c.short_code = short_code;
    c.party_b = short_code;
    c.type = short_code == SMALL_SHOP ? 1 : 2;
    c.amount_minor = amount_minor;
    c.msisdn = msisdn;
    c.url = SPAN_LITERAL("http://127.0.0.1/x");
    c.reference = SPAN_LITERAL("A1");
    c.description = SPAN_LITERAL("d");
    c.target = 1 + short_code % 2;
    memcpy(c.fingerprint, &msisdn, sizeof(msisdn));
    memcpy(c.fingerprint + 8, &amount_minor, sizeof(amount_minor));
    (void)small_book_do(s, COMMAND_STK_PUSH, &c, &reply);
}

static inline void small_book_answer(struct small_book *s, uint16_t kind, uint64_t number,
                                     bool right)
{
    struct operator_reply reply;
    struct stk_answer_command c;
    memset(&c, 0, sizeof(c));
    c.number = number;
    c.verifier[0] = right ? 0 : 1; /* the seed's verifiers are zero */
    (void)small_book_do(s, kind, &c, &reply);
}

/* The next callback leaves and comes back; false when none may leave. */
static inline bool small_book_deliver(struct small_book *s, uint16_t status, uint8_t error,
                                      struct span answer)
{
    const struct outbox_item *item = outbox_take(&s->book->outbox, s->now_ns, s->book->position);
    if (item == NULL) {
        return false;
    }
    struct delivery_result_command c = {
        .number = item->number,
        .generation = s->book->generation,
        .status = status,
        .error = error,
        .retry_after_ms = -1,
        .answer = answer,
    };
    enum book_outcome outcome;
    (void)small_book_do(s, COMMAND_DELIVERY_RESULT, &c, &outcome);
    return true;
}

/* A bit of everything: paid, refused, cancelled, open; callbacks delivered, failed, waiting. */
static inline void small_book_story(struct small_book *s)
{
    for (uint32_t i = 0; i < SMALL_PHONES; i++) {
        s->now_ns += 1000000;
        small_book_push(s, SMALL_PHONE + i, SMALL_SHOP + i % SMALL_SHOPS, 100 + i);
        small_book_run(s, 8);
    }
    small_book_answer(s, COMMAND_STK_APPROVE, 1, true);
    small_book_answer(s, COMMAND_STK_CANCEL, 2, true);
    small_book_run(s, 8);
    (void)small_book_deliver(s, 200, 0, SPAN_LITERAL("ok"));
    (void)small_book_deliver(s, 0, 1, SPAN_EMPTY);
    small_book_push(s, SMALL_PHONE, SMALL_SHOP, 777);
    small_book_run(s, 8);
    small_book_answer(s, COMMAND_STK_APPROVE, 5, false);
    small_book_push(s, SMALL_PHONE + 9, SMALL_SHOP, 100);
}

#endif
