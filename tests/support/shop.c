/*
 * shop.c - see shop.h.
 */
#include "support/shop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/delivery_error.h"
#include "base/hash.h"
#include "support/saved.h"

static struct book *shop_book(const struct shop *s, uint64_t hash_seed)
{
    struct book_options options = {
        .domain = &merchant_domain, .hash_seed = hash_seed, .settings = &s->settings};
    struct book *b = book_create(&options);
    assert_non_null(b);
    return b;
}

void shop_start(struct shop *s)
{
    memset(s, 0, sizeof(*s));
    s->settings = gateway_settings_default();
    s->now_ns = SHOP_START_NS;
    s->random = 7;
    s->book = shop_book(s, 1);
    struct gateway_seed_command c = {.name = SPAN_LITERAL("Shop"), .has_provider = true};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    c.has_key = true;
    memset(c.key_hash, 1, sizeof(c.key_hash));
    c.provider.kind = OBSERVED_AT_DARAJA;
    c.provider.short_code = SHOP_PAYBILL;
    c.provider.target = 70;
    memset(c.provider.token, 2, sizeof(c.provider.token));
    assert_true(shop_do(s, COMMAND_GATEWAY_SEED, &c, &reply) > 0);
}

/* ---- the proof ---- */

static struct book *replayed(const struct shop *s, uint64_t hash_seed)
{
    struct book *b = shop_book(s, hash_seed);
    b->outbox.replaying = true;
    struct reader r = reader_init(s->frames, s->frames_size);
    while (r.at < r.size) {
        assert_int_equal(book_replay_frame(b, &r), BOOK_REPLAYED);
    }
    b->outbox.replaying = false;
    assert_true(digest_equal(book_digest(b), book_digest(s->book)));
    book_check(b);
    return b;
}

static struct book *shop_copy(const struct shop *s, uint64_t hash_seed)
{
    struct span saved = saved_book(s->book, 1024 * 1024 + s->frames_size * 8);
    struct book *b = shop_book(s, hash_seed);
    struct reader r = reader_init(saved.data, saved.size);
    assert_true(book_load(b, &r));
    assert_true(digest_equal(book_digest(b), book_digest(s->book)));
    book_check(b);
    return b;
}

void shop_prove(const struct shop *s)
{
    book_check(s->book);
    book_destroy(replayed(s, 2));
    book_destroy(shop_copy(s, 3));
}

void shop_restart(struct shop *s)
{
    struct book *b = shop_copy(s, s->book->hash_seed + 1);
    book_destroy(s->book);
    s->book = b;
}

void shop_replay(struct shop *s)
{
    struct book *b = replayed(s, s->book->hash_seed + 1);
    book_destroy(s->book);
    s->book = b;
}

void shop_end(struct shop *s)
{
    shop_prove(s);
    book_destroy(s->book);
    free(s->frames);
    if (s->attic != NULL) {
        attic_close(s->attic);
        free(s->attic);
    }
    memset(s, 0, sizeof(*s));
}

/* ---- commands ---- */

static void keep_frame(struct shop *s, const struct writer *out)
{
    while (s->frames_room - s->frames_size < out->size) {
        s->frames_room = s->frames_room == 0 ? 64 * 1024 : s->frames_room * 2;
        s->frames = realloc(s->frames, s->frames_room);
        assert_non_null(s->frames);
    }
    memcpy(s->frames + s->frames_size, out->data, out->size);
    s->frames_size += out->size;
}

static uint64_t execute(struct shop *s, struct book_command *command)
{
    static uint8_t scratch[BOOK_FRAME_BYTES_MAX];
    struct writer out = writer_init(scratch, sizeof(scratch));
    command->random = s->random;
    s->random = hash_u64(s->random, 4);
    uint64_t position = book_execute(s->book, command, &out);
    assert_true(position != BOOK_NO_MEMORY);
    if (position != 0) {
        keep_frame(s, &out);
    }
    return position;
}

static uint64_t execute_alone(void *context, uint16_t kind, const void *body, void *reply)
{
    struct shop *s = context;
    struct book_command command = {kind, s->now_ns, 0, body, reply};
    return execute(s, &command);
}

uint64_t shop_do(struct shop *s, uint16_t kind, const void *body, void *reply)
{
    struct book_command command = {kind, s->now_ns, 0, body, reply};
    if (s->attic != NULL) {
        const struct attic_port port = {s, execute_alone};
        attic_fetch(s->attic, s->book, &command, &port);
    }
    return execute(s, &command);
}

void shop_with_attic(struct shop *s)
{
    s->attic = malloc(sizeof(*s->attic));
    assert_non_null(s->attic);
    attic_open(s->attic);
}

uint64_t shop_clear(struct shop *s, int64_t age_ns, bool torn)
{
    const struct attic_port port = {s, execute_alone};
    struct closing_terms terms = {.now_ns = s->now_ns, .before_ns = s->now_ns - age_ns};
    return attic_clear(s->attic, s->book, &terms, torn, &port);
}

static void run(struct shop *s)
{
    struct book_command due;
    while (book_work(s->book, s->now_ns, &due)) {
        assert_true(shop_do(s, due.kind, due.body, due.reply) > 0);
    }
}

void shop_pass(struct shop *s, int64_t duration_ns)
{
    int64_t until_ns = s->now_ns + duration_ns;
    for (;;) {
        int64_t due_ns = s->book->domain->next_due(s->book->domain_state);
        if (due_ns > until_ns) {
            break;
        }
        s->now_ns = due_ns > s->now_ns ? due_ns : s->now_ns;
        run(s);
    }
    s->now_ns = until_ns;
}

/* ---- reads ---- */

const struct gateway *shop_gateway(const struct shop *s)
{
    return gateway_of(s->book);
}

const struct gateway_payment *shop_payment(const struct shop *s, uint64_t number)
{
    if (s->attic != NULL) {
        struct old_name name = gateway_payment_name(number);
        (void)attic_reach(s->attic, s->book, &name);
    }
    const struct gateway_payment *p = gateway_payment(shop_gateway(s), number);
    assert_non_null(p);
    return p;
}

int64_t shop_wallet(const struct shop *s)
{
    return gateway_balance(shop_gateway(s), gateway_merchant(shop_gateway(s), 0)->wallet);
}

int64_t shop_clearing(const struct shop *s)
{
    return -gateway_balance(shop_gateway(s), gateway_provider(shop_gateway(s), 0)->clearing);
}

uint64_t shop_told(const struct shop *s, uint16_t type)
{
    uint64_t count = 0;
    for (uint64_t seq = 1; seq <= shop_gateway(s)->last_seq; seq++) {
        count += gateway_feed_event(shop_gateway(s), seq)->type == type;
    }
    return count;
}

/* ---- payments ---- */

static struct gateway_reply create(struct shop *s, const char *order, uint64_t overrides,
                                   uint8_t capture)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct payment_create_command c = {
        .amount_minor = SHOP_AMOUNT,
        .phone = SHOP_PHONE,
        .method = METHOD_MPESA_STK,
        .capture = capture,
        .overrides = overrides,
        .order = span_from(order),
    };
    s->keys++;
    memcpy(c.key, &s->keys, sizeof(s->keys));
    memcpy(c.token, &s->keys, sizeof(s->keys));
    c.token[15] = 0x77;
    (void)shop_do(s, COMMAND_PAYMENT_CREATE, &c, &reply);
    return reply;
}

struct gateway_reply shop_create(struct shop *s, const char *order, uint64_t overrides)
{
    return create(s, order, overrides, CAPTURE_WALLET);
}

uint64_t shop_escrow(struct shop *s, const char *order)
{
    struct gateway_reply reply = create(s, order, 0, CAPTURE_ESCROW);
    assert_int_equal(reply.refusal, GATEWAY_DONE);
    return reply.number;
}

uint64_t shop_pay(struct shop *s, const char *order)
{
    struct gateway_reply reply = shop_create(s, order, 0);
    assert_int_equal(reply.refusal, GATEWAY_DONE);
    return reply.number;
}

uint64_t shop_take(struct shop *s, uint16_t kind)
{
    uint64_t others[64];
    uint32_t count = 0;
    uint64_t found = 0;
    while (found == 0 && count < 64) {
        const struct outbox_item *item =
            outbox_take(&s->book->outbox, s->now_ns, s->book->position);
        if (item == NULL) {
            break;
        }
        if (item->kind == kind) {
            found = item->number;
        } else {
            others[count++] = item->number;
        }
    }
    while (count > 0) {
        outbox_return(&s->book->outbox, others[--count]);
    }
    return found;
}

static void result(struct shop *s, const struct delivery_result_command *c)
{
    enum book_outcome outcome = BOOK_DONE;
    assert_true(shop_do(s, COMMAND_DELIVERY_RESULT, c, &outcome) > 0);
}

void shop_fail(struct shop *s, uint64_t item, uint8_t error)
{
    struct delivery_result_command c = {
        .number = item, .generation = s->book->generation, .error = error, .retry_after_ms = -1};
    result(s, &c);
}

uint64_t shop_leaves(struct shop *s, uint64_t number, uint16_t kind)
{
    struct payment_command sending = {.number = number};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    uint64_t item = shop_take(s, kind);
    assert_int_equal(item, shop_payment(s, number)->item);
    assert_true(shop_do(s, COMMAND_PAYMENT_SENDING, &sending, &reply) > 0);
    return item;
}

void shop_fail_all(struct shop *s, uint16_t kind)
{
    for (uint64_t item = shop_take(s, kind); item != 0; item = shop_take(s, kind)) {
        shop_fail(s, item, DELIVERY_WITHDRAWN);
    }
}

struct gateway_reply shop_pay_out(struct shop *s, int64_t amount_minor, uint64_t refunds)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct payout_command c = {.amount_minor = amount_minor,
                               .phone = SHOP_PHONE,
                               .refunds = refunds,
                               .reference = SPAN_LITERAL("SALARY")};
    s->keys++;
    memcpy(c.key, &s->keys, sizeof(s->keys));
    memcpy(c.token, &s->keys, sizeof(s->keys));
    c.token[15] = 0x77;
    (void)shop_do(s, COMMAND_PAYOUT_CREATE, &c, &reply);
    return reply;
}

int64_t shop_free(const struct shop *s)
{
    const struct gateway_merchant *m = gateway_merchant(shop_gateway(s), 0);
    return account_available(ledger_account(&s->book->ledger, m->wallet));
}

void shop_answer(struct shop *s, uint64_t number, enum observation_verdict verdict,
                 enum observation_reason reason, const char *reference)
{
    struct gateway_reading reading;
    memset(&reading, 0, sizeof(reading));
    reading.answer.kind = OBSERVED_PAYMENT;
    reading.answer.source = OBSERVED_BY_SUBMISSION;
    reading.answer.verdict = verdict;
    reading.answer.reason = reason;
    reading.answer.reference = span_from(reference);
    struct delivery_result_command c = {
        .number = shop_leaves(s, number, CALL_PUSH),
        .generation = s->book->generation,
        .status = verdict == OBSERVED_IN_FLIGHT ? 200 : 500,
        .retry_after_ms = -1,
        .reading = &reading,
    };
    result(s, &c);
}

uint64_t shop_pending(struct shop *s, const char *order)
{
    char id[32];
    uint64_t number = shop_pay(s, order);
    (void)snprintf(id, sizeof(id), "ws_CO_%llu", (unsigned long long)number);
    shop_answer(s, number, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, id);
    assert_int_equal(shop_payment(s, number)->state, GATEWAY_PENDING);
    return number;
}

/* ---- claims ---- */

uint8_t shop_claims(struct shop *s, uint64_t payment, const struct shop_claim *c)
{
    char id[32];
    char body[200];
    struct observation o;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    memset(&o, 0, sizeof(o));
    (void)snprintf(id, sizeof(id), "ws_CO_%llu", (unsigned long long)payment);
    o.kind = c->kind != 0 ? c->kind : OBSERVED_PAYMENT;
    o.source = c->source;
    o.verdict = c->verdict;
    o.reason = c->reason;
    o.reference = span_from(c->reference != NULL ? c->reference : id);
    o.receipt = span_from(c->receipt);
    o.original_receipt = span_from(c->original);
    o.code = span_from(c->code);
    o.has_amount = c->amount_minor != 0;
    o.amount_minor = c->amount_minor;
    o.phone = c->phone;
    (void)snprintf(body, sizeof(body), "%d %d %d %s %s %s %lld", (int)o.kind, (int)o.source,
                   (int)o.verdict, c->reference != NULL ? c->reference : id,
                   c->receipt != NULL ? c->receipt : "", c->code != NULL ? c->code : "",
                   (long long)c->amount_minor);
    struct notice_command n = {.claim = &o, .body = span_from(body)};
    n.payment = c->reference == NULL ? payment : 0;
    uint64_t high = hash_bytes(body, strlen(body), 1);
    uint64_t low = hash_bytes(body, strlen(body), payment + 2);
    memcpy(n.key, &low, sizeof(low));
    memcpy(n.key + 8, &high, sizeof(high));
    memcpy(n.digest, n.key, sizeof(n.key));
    assert_true(shop_do(s, COMMAND_NOTICE, &n, &reply) > 0);
    return reply.effect;
}

struct shop_claim shop_paid(void)
{
    struct shop_claim c = {.source = OBSERVED_BY_CALLBACK,
                           .verdict = OBSERVED_SUCCEEDED,
                           .receipt = "UA1A000001",
                           .code = "0",
                           .amount_minor = SHOP_AMOUNT,
                           .phone = SHOP_PHONE};
    return c;
}

uint64_t shop_start_rich(struct shop *s)
{
    shop_start(s);
    uint64_t number = shop_pending(s, "INV-1");
    struct shop_claim paid = shop_paid();
    assert_int_equal(shop_claims(s, number, &paid), NOTICE_MOVED);
    return number;
}
