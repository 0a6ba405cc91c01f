/*
 * test_damaged_state.c - what a book is made from, damaged at every byte: a state, a frame of its
 * journal. Each is refused, or taken for what it then says and nothing else: written again, it is
 * the same bytes (but for a flag that is any number, which becomes 1). A frame that does not fit
 * the state may also stop at an invariant. Loading never stops the process, and nothing is read
 * beyond the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "operator/events.h"
#include "support/world.h"

#define KES(shillings) ((int64_t)(shillings)*100)

enum { ROOM = 1024 * 1024 };

/* A false CHECK ends the test, and is what some tests allow. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

/* What stands in the place of a byte: little, much, a neighbour. */
static uint8_t damage(uint8_t byte, uint32_t which)
{
    const uint8_t others[] = {0, 0xff, (uint8_t)(byte ^ 1)};
    return others[which];
}
enum { DAMAGES = 3 };

/* ---- a world with something of everything ---- */

static const char *const rules =
    "{\"rules\":[{\"name\":\"odd\",\"match\":{\"api\":\"stk_push\",\"amount\":7700},"
    "\"then\":{\"outcome\":{\"code\":\"1037\"},\"callback\":{\"times\":2,\"hold_for_next\":true,"
    "\"code\":\"1\",\"text\":\"no\"}}}]}";

static struct request_command asks(uint8_t kind, uint32_t short_code)
{
    struct request_command c = {.kind = kind,
                                .command = 1,
                                .short_code = short_code,
                                .credential_good = true,
                                .result_url = SPAN_LITERAL("https://x/r"),
                                .timeout_url = SPAN_LITERAL("https://x/t"),
                                .target = 5,
                                .timeout_target = 6,
                                .amount_minor = KES(20)};
    return c;
}

static void done(struct world *w, uint16_t kind, const void *body)
{
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    assert_int_not_equal(world_do(w, kind, body, &reply), 0);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
}

static void some_payments(struct world *w)
{
    uint64_t paid = world_push(w, WORLD_ANNA, KES(30));
    assert_int_equal(world_approve(w, paid, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_report(w, world_take(w), 500, 0), BOOK_DONE);
    uint64_t cancelled = world_push(w, WORLD_ANNA, KES(31));
    assert_int_equal(world_cancel(w, cancelled), OPERATOR_DONE);
    struct delivery_edit_command edit = {.number = world_payment(w, cancelled)->delivery,
                                         .target = 9,
                                         .url = SPAN_LITERAL("https://x/edited"),
                                         .body = SPAN_LITERAL("{}")};
    struct delivery_edit_reply reply = {.outcome = BOOK_NOTHING};
    assert_int_not_equal(world_do(w, COMMAND_DELIVERY_EDIT, &edit, &reply), 0);
    world_rules(w, rules);
    (void)world_push(w, WORLD_ANNA, 7700);
    struct world_order waiting = {.msisdn = WORLD_BEN, .amount_minor = KES(5)};
    assert_int_equal(world_order(w, &waiting).refusal, OPERATOR_DONE);
}

static void some_requests(struct world *w)
{
    struct c2b_register_command c2b = {.short_code = WORLD_TILL,
                                       .version = 2,
                                       .response_type = C2B_CANCELLED,
                                       .confirmation_url = SPAN_LITERAL("https://x/c"),
                                       .validation_url = SPAN_LITERAL("https://x/v"),
                                       .confirmation_target = 71,
                                       .validation_target = 72};
    done(w, COMMAND_C2B_REGISTER, &c2b);
    struct request_command c = asks(REQUEST_C2B, WORLD_TILL);
    c.command = C2B_BUY_GOODS;
    c.party = WORLD_ANNA;
    c.without_initiator = true;
    (void)world_ask(w, &c); /* leaves an income */
    done(w, COMMAND_VALIDATION_SET, &(struct validation_set_command){WORLD_TILL, true});
    (void)world_ask(w, &c); /* asks, and waits for the answer */
    struct world_payout p = {.msisdn = WORLD_BEN, .amount_minor = KES(40), .conversation = "P-1"};
    (void)world_payout(w, &p);
    struct organisation_change_command slow = {.short_code = WORLD_OTHER_PAYBILL,
                                               .fields = ORGANISATION_CHANGE_DELAY,
                                               .queue_delay_ns = 30 * WORLD_S};
    done(w, COMMAND_ORGANISATION_CHANGE, &slow);
    c = asks(REQUEST_BALANCE, WORLD_OTHER_PAYBILL);
    (void)world_ask(w, &c); /* held back */
}

static void fund_with_key(struct world *w)
{
    struct fund_command c = {.short_code = WORLD_PAYBILL,
                             .account = ACCOUNT_UTILITY,
                             .amount_minor = 100,
                             .has_key = true,
                             .key = {2, 2, 3}};
    done(w, COMMAND_ORGANISATION_FUND, &c);
    c.key[0] = 3; /* a neighbour: one changed bit makes them the same */
    done(w, COMMAND_ORGANISATION_FUND, &c);
}

static void start_small(struct world *w)
{
    world_start(w, false);
    w->quick = true;
}

/* ---- states ---- */

struct loader {
    struct operator_settings settings;
    struct book_options options;
    uint8_t *bytes; /* the good ones, one of them changed at a time */
    size_t size;
    uint8_t *again; /* what a loaded book writes */
    uint32_t taken;
    uint32_t refused;
};

static void loader_start(struct loader *l, const struct world *w)
{
    memset(l, 0, sizeof(*l));
    l->settings = w->settings;
    l->options =
        (struct book_options){.domain = &operator_domain, .hash_seed = 3, .settings = &l->settings};
    l->bytes = malloc(ROOM);
    l->again = malloc(ROOM);
    assert_true(l->bytes != NULL && l->again != NULL);
    struct writer out = writer_init(l->bytes, ROOM);
    book_save(w->book, &out);
    assert_true(writer_finish(&out));
    l->size = out.size;
}

static void loader_end(struct loader *l)
{
    free(l->bytes);
    free(l->again);
}

/* Loads what stands in bytes; the byte at `changed` may have been written differently. */
static void load(struct loader *l, size_t size, size_t changed)
{
    struct book *b = book_create(&l->options);
    assert_non_null(b);
    struct reader r = reader_init(l->bytes, size);
    if (!book_load(b, &r)) {
        l->refused++;
        book_destroy(b);
        return;
    }
    struct writer out = writer_init(l->again, ROOM);
    book_save(b, &out);
    l->taken++;
    book_destroy(b);
    assert_true(writer_finish(&out));
    assert_int_equal(out.size, size);
    if (changed < size && l->bytes[changed] > 1 && l->again[changed] == 1) {
        l->again[changed] = l->bytes[changed]; /* a flag */
    }
    if (memcmp(l->again, l->bytes, size) != 0) {
        fail_msg("with byte %zu changed another state was loaded", changed);
    }
}

/* Bytes from `from` on; of those, only within NEAR of the text `near` when there is one. */
struct range {
    size_t from;
    const char *near;
    uint32_t ends; /* places where the state may end as well */
};

enum {
    NEAR = 48,
#ifdef __SANITIZE_ADDRESS__
    SHARE = 7, /* sanitizers make it slow: three bytes of seven, each in one way */
#else
    SHARE = 1,
#endif
};

static bool in_range(const struct loader *l, const struct range *range, size_t at)
{
    if (at < range->from || range->near == NULL) {
        return at >= range->from;
    }
    size_t from = at > NEAR ? at - NEAR : 0;
    size_t size = l->size - from < 2 * NEAR ? l->size - from : 2 * NEAR;
    return memmem(l->bytes + from, size, range->near, strlen(range->near)) != NULL;
}

static void damage_state(const struct world *w, const struct range *range)
{
    struct loader l;
    uint32_t damaged = 0;
    loader_start(&l, w);
    load(&l, l.size, SIZE_MAX);
    assert_int_equal(l.taken, 1);
    for (size_t at = 0; at < l.size; at++) {
        uint8_t good = l.bytes[at];
        for (uint32_t which = 0; which < DAMAGES && in_range(&l, range, at); which++) {
            l.bytes[at] = damage(good, which);
            if (l.bytes[at] != good && (at + which) % SHARE == 0) {
                load(&l, l.size, at);
                damaged++;
            }
        }
        l.bytes[at] = good;
    }
    assert_true(damaged > 40 && l.refused > 10 && l.taken > 10);
    uint32_t taken = l.taken;
    for (size_t size = range->from; size < l.size; size += 1 + size % (2 * SHARE)) {
        load(&l, size, SIZE_MAX);
    }
    assert_in_range(l.taken - taken, 0, range->ends);
    taken = l.taken;
    l.bytes[l.size] = 0;
    load(&l, l.size + 1, SIZE_MAX);
    assert_int_equal(l.taken, taken); /* a byte too many is never a state */
    loader_end(&l);
}

static void test_payments_and_keys(void **state)
{
    (void)state;
    struct world w;
    start_small(&w);
    some_payments(&w);
    fund_with_key(&w);
    damage_state(&w, &(struct range){0, NULL, 0});
    world_end(&w);
}

static void test_requests_and_incomes(void **state)
{
    (void)state;
    struct world w;
    start_small(&w);
    some_requests(&w);
    damage_state(&w, &(struct range){0, NULL, 0});
    world_end(&w);
}

static void test_saved_worlds(void **state)
{
    (void)state;
    struct world w;
    start_small(&w);
    enum book_outcome outcome;
    struct loader without;
    loader_start(&without, &w);
    struct range range = {.from = without.size - 16, .near = "on", .ends = 1};
    loader_end(&without);
    struct world_command c = {.name = SPAN_LITERAL("one"), .from = SPAN_EMPTY};
    assert_int_not_equal(world_do(&w, COMMAND_WORLD_SAVE, &c, &outcome), 0);
    c = (struct world_command){.name = SPAN_LITERAL("onf"), .from = SPAN_LITERAL("one")};
    assert_int_not_equal(world_do(&w, COMMAND_WORLD_COPY, &c, &outcome), 0);
    damage_state(&w, &range);
    world_end(&w);
}

/* ---- frames ---- */

/* A book in the state that the loader holds. */
static struct book *loaded(struct loader *l)
{
    struct book *b = book_create(&l->options);
    assert_non_null(b);
    struct reader r = reader_init(l->bytes, l->size);
    assert_true(book_load(b, &r));
    return b;
}

struct trial {
    struct book *book;
    const uint8_t *frame;
    size_t size;
    enum book_replay result;
    struct digest_value digest;
    bool whole; /* it did not stop at a CHECK */
};

/* Stops at a CHECK in any case: at its end, if not before. */
static void try_frame(struct trial *t)
{
    struct reader r = reader_init(t->frame, t->size);
    t->book->outbox.replaying = true;
    t->result = book_replay_frame(t->book, &r);
    if (t->result == BOOK_REPLAYED) {
        book_check(t->book); /* it may be another story, but it is a whole one */
        t->digest = book_digest(t->book);
    }
    t->whole = true;
    hakika_panic(__FILE__, __LINE__, "the end");
}

/* Replays a frame after the loaded state. What does not fit the state may stop at a CHECK. */
static enum book_replay replay(struct loader *l, const uint8_t *frame, size_t size,
                               struct digest_value *digest)
{
    struct trial t = {.book = loaded(l), .frame = frame, .size = size, .result = BOOK_FRAME_GAP};
    uint64_t position = t.book->position;
    expect_assert_failure(try_frame(&t));
    bool replayed = t.whole && t.result == BOOK_REPLAYED;
    *digest = t.digest;
    l->taken += replayed;
    l->refused += t.whole && !replayed;
    assert_true(!t.whole || t.book->position == position + replayed);
    book_destroy(t.book);
    return t.whole ? t.result : BOOK_FRAME_GAP;
}

static void damage_frame(struct loader *l, const struct world *w, size_t from)
{
    struct digest_value digest = {0, 0};
    struct digest_value live = book_digest(w->book);
    size_t size = w->frames_size - from;
    uint8_t *frame = malloc(size);
    assert_non_null(frame);
    memcpy(frame, w->frames + from, size);
    assert_int_equal(replay(l, frame, size, &digest), BOOK_REPLAYED);
    assert_true(digest_equal(digest, live)); /* K1 */
    l->taken = l->refused = 0;
    for (size_t at = BOOK_FRAME_HEADER_BYTES; at < size; at++) {
        uint8_t good = frame[at];
        for (uint32_t which = 0; which < DAMAGES; which++) {
            frame[at] = damage(good, which);
            if (frame[at] != good && (at + which) % SHARE == 0) {
                (void)replay(l, frame, size, &digest);
            }
        }
        frame[at] = good;
    }
    assert_true(l->refused > 0);
    assert_int_equal(replay(l, frame, size - 1, &digest), BOOK_FRAME_BAD);
    free(frame);
}

static void do_edit(struct world *w)
{
    struct delivery_edit_command edit = {
        .number = 1, .target = 9, .url = SPAN_LITERAL("https://x/"), .body = SPAN_LITERAL("{}")};
    struct delivery_edit_reply reply = {.outcome = BOOK_NOTHING};
    assert_int_not_equal(world_do(w, COMMAND_DELIVERY_EDIT, &edit, &reply), 0);
}

static void do_answer(struct world *w)
{
    assert_int_equal(world_report(w, world_take(w), 200, 0), BOOK_DONE);
}

static void do_leave(struct world *w)
{
    uint64_t number = 1;
    enum book_outcome outcome;
    w->now_ns += 120 * WORLD_S;
    struct closed_leave_command c = {.generation = w->book->generation,
                                     .as_of = w->book->position,
                                     .numbers = &number,
                                     .count = 1,
                                     .space = OLD_SPACE_PAYMENT};
    assert_int_not_equal(world_do(w, COMMAND_CLOSED_LEAVE, &c, &outcome), 0);
}

static void do_keys_leave(struct world *w)
{
    uint8_t keys[2][16] = {{2, 2, 3}, {3, 2, 3}};
    enum book_outcome outcome;
    struct keys_leave_command c = {.generation = w->book->generation,
                                   .as_of = w->book->position,
                                   .keys = (const uint8_t(*)[16])keys,
                                   .count = 2};
    assert_int_not_equal(world_do(w, COMMAND_KEYS_LEAVE, &c, &outcome), 0);
}

static void do_world(struct world *w, uint16_t kind, const char *name, const char *from)
{
    enum book_outcome outcome;
    struct world_command c = {.name = span_from(name), .from = span_from(from)};
    assert_int_not_equal(world_do(w, kind, &c, &outcome), 0);
}

static void do_world_save(struct world *w)
{
    do_world(w, COMMAND_WORLD_SAVE, "one", "");
}

static void do_world_copy(struct world *w)
{
    do_world(w, COMMAND_WORLD_COPY, "onf", "one");
}

static void do_world_restore(struct world *w)
{
    do_world(w, COMMAND_WORLD_RESTORE, "one", "");
}

static void do_world_remove(struct world *w)
{
    do_world(w, COMMAND_WORLD_REMOVE, "onf", "");
}

static void do_register(struct world *w)
{
    struct c2b_register_command c2b = {.short_code = WORLD_TILL,
                                       .version = 2,
                                       .response_type = C2B_CANCELLED,
                                       .confirmation_url = SPAN_LITERAL("https://x/c"),
                                       .validation_url = SPAN_LITERAL("https://x/v"),
                                       .confirmation_target = 71,
                                       .validation_target = 72};
    done(w, COMMAND_C2B_REGISTER, &c2b);
}

static void do_rules(struct world *w)
{
    world_rules(w, rules);
}

static void do_request(struct world *w)
{
    struct request_command c = asks(REQUEST_STATUS, WORLD_PAYBILL);
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    assert_int_not_equal(world_do(w, COMMAND_REQUEST, &c, &reply), 0);
}

/* The kinds of frames that test_book.c does not damage: it has pushes, answers, accounts. */
static void test_frames(void **state)
{
    (void)state;
    static void (*const steps[])(struct world *) = {
        do_answer,     do_edit,       do_leave,         do_keys_leave,   do_register, do_rules,
        do_world_save, do_world_copy, do_world_restore, do_world_remove, do_request,
    };
    struct world w;
    start_small(&w);
    fund_with_key(&w);
    uint64_t paid = world_push(&w, WORLD_ANNA, KES(30));
    assert_int_equal(world_approve(&w, paid, WORLD_PIN), OPERATOR_DONE);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct loader l;
        if (steps[i] == do_world_save) { /* which nothing may have left before */
            assert_int_equal(world_seed(&w), OPERATOR_DONE);
        }
        loader_start(&l, &w);
        size_t from = w.frames_size;
        steps[i](&w);
        damage_frame(&l, &w, from);
        loader_end(&l);
    }
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payments_and_keys),
        cmocka_unit_test(test_requests_and_incomes),
        cmocka_unit_test(test_saved_worlds),
        cmocka_unit_test(test_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
