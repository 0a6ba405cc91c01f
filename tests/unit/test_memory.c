/*
 * test_memory.c - out of memory at every allocation in turn: whatever is asked of a book is refused
 * as a whole, the book stays what it was, and the same question is answered as soon as there is
 * memory again (K1). Nothing that apply does may allocate: replay and live say so before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/memory.h"
#include "support/world.h"

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

/* More than anything here allocates. */
enum { ALLOCATIONS_MAX = 4000, ROOM = 4 * 1024 * 1024 };

static bool same(struct digest_value a, struct digest_value b)
{
    return a.high == b.high && a.low == b.low;
}

/* True while the n-th allocation of what happened since the last call was there to fail. */
static bool struck(uint64_t *failures)
{
    memory_window(false);
    bool failed = memory_failures() > *failures;
    *failures = memory_failures();
    return failed;
}

static void fail_at(uint32_t n)
{
    memory_fail_in(n);
    memory_window(true);
}

static struct book_options options_of(struct operator_settings *settings)
{
    *settings = operator_settings_default(true);
    return (struct book_options){.domain = &operator_domain, .hash_seed = 3, .settings = settings};
}

static void test_create(void **state)
{
    (void)state;
    struct operator_settings settings;
    struct book_options options = options_of(&settings);
    uint64_t failures = memory_failures();
    uint32_t n = 0;
    struct book *b = NULL;
    do {
        assert_null(b);
        assert_true(n < ALLOCATIONS_MAX);
        fail_at(++n);
        b = book_create(&options);
    } while (struck(&failures));
    assert_non_null(b);
    assert_true(n > 1);
    book_destroy(b);
}

/* Executes a command with the n-th allocation failing, for n from 1 until none is left to fail. */
static uint32_t try_command(struct world *w, uint16_t kind, const void *body, void *reply)
{
    struct book_command command = {kind, w->now_ns, 7, body, reply};
    uint8_t *frame = malloc(ROOM);
    assert_non_null(frame);
    uint64_t failures = memory_failures();
    for (uint32_t n = 1; n < ALLOCATIONS_MAX; n++) {
        struct digest_value before = book_digest(w->book);
        uint64_t position = w->book->position;
        struct writer out = writer_init(frame, ROOM);
        fail_at(n);
        uint64_t result = book_execute(w->book, &command, &out);
        if (!struck(&failures)) {
            assert_int_equal(result, position + 1);
            free(frame);
            return n - 1;
        }
        assert_true(result == BOOK_NO_MEMORY);
        assert_int_equal(out.size, 0);
        assert_int_equal(w->book->position, position);
        assert_true(same(before, book_digest(w->book)));
        book_check(w->book);
    }
    fail_msg("it never succeeds");
    return 0;
}

/* A reset empties the book only when there is room for what comes after it. */
static void test_reset(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    (void)world_push(&w, WORLD_ANNA, 100);
    struct seed_command seed;
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    world_seed_command(&seed);
    uint64_t generation = w.book->generation;
    assert_true(try_command(&w, COMMAND_SEED, &seed, &reply) > 20);
    assert_int_equal(w.book->generation, generation + 1);
    assert_int_equal(world_operator(&w)->payments.used, 0);
    (void)world_balance(&w, WORLD_ANNA);
    book_check(w.book);
    book_destroy(w.book);
    free(w.frames);
    free(w.scratch);
}

/* Worlds are saved, copied and restored only when there is room for all of it. */
static void test_saved_worlds(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    (void)world_push(&w, WORLD_ANNA, 100);
    struct digest_value then = book_contents_digest(w.book);
    struct world_command save = {.name = SPAN_LITERAL("a"), .from = SPAN_EMPTY};
    struct world_command copy = {.name = SPAN_LITERAL("b"), .from = SPAN_LITERAL("a")};
    struct world_command restore = {.name = SPAN_LITERAL("b"), .from = SPAN_EMPTY};
    enum book_outcome outcome = BOOK_NOTHING;
    assert_int_equal(try_command(&w, COMMAND_WORLD_SAVE, &save, &outcome), 1);
    assert_int_equal(try_command(&w, COMMAND_WORLD_COPY, &copy, &outcome), 1);
    assert_true(try_command(&w, COMMAND_WORLD_RESTORE, &restore, &outcome) > 20);
    assert_int_equal(outcome, BOOK_DONE);
    assert_true(same(book_contents_digest(w.book), then));
    book_check(w.book);
    book_destroy(w.book);
    free(w.frames);
    free(w.scratch);
}

/* Tables grow under a batch: all of them have grown before the first transfer is decided. */
static void test_transfers(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct open_accounts_command open = {2, 1, 0, LEDGER_CURRENCY_KES};
    enum book_outcome outcome;
    uint32_t account = ledger_next_account(&w.book->ledger, 0);
    (void)try_command(&w, COMMAND_OPEN_ACCOUNTS, &open, &outcome);
    static struct transfer transfers[BOOK_TRANSFERS_MAX];
    static uint8_t results[BOOK_TRANSFERS_MAX];
    for (uint32_t i = 0; i < BOOK_TRANSFERS_MAX; i++) {
        transfers[i] = (struct transfer){.id = 1 + i,
                                         .kind = TRANSFER_HOLD,
                                         .amount_minor = 1,
                                         .expires_ns = w.now_ns + 1 + i,
                                         .debit_account = account,
                                         .credit_account = account + 1};
    }
    struct transfers_command c = {transfers, NULL, results, BOOK_TRANSFERS_MAX};
    assert_true(try_command(&w, COMMAND_TRANSFERS, &c, NULL) > 3);
    assert_int_equal(results[BOOK_TRANSFERS_MAX - 1], LEDGER_OK);
    book_check(w.book);
    book_destroy(w.book);
    free(w.frames);
    free(w.scratch);
}

/* A world with something of everything: payments in each phase, callbacks, a key, a reset. */
static void busy_world(struct world *w)
{
    struct world_command saved = {.name = SPAN_LITERAL("saved"), .from = SPAN_EMPTY};
    enum book_outcome outcome;
    world_start(w, true);
    w->quick = true;
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 80; i++) {
            uint64_t number = world_push(w, i % 2 == 0 ? WORLD_ANNA : WORLD_BEN, 100);
            assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
            uint64_t callback = world_take(w);
            (void)world_report(w, callback, i % 3 == 0 ? 200 : 500, 0);
            world_pass(w, WORLD_S * 61);
        }
        (void)world_push(w, WORLD_ANNA, 100);
        if (round == 0) {
            assert_true(world_do(w, COMMAND_WORLD_SAVE, &saved, &outcome) > 0);
            assert_int_equal(world_seed(w), OPERATOR_DONE);
        }
    }
    assert_true(world_do(w, COMMAND_WORLD_RESTORE, &saved, &outcome) > 0);
}

static void test_replay(void **state)
{
    (void)state;
    struct world w;
    busy_world(&w);
    struct operator_settings settings;
    struct book_options options = options_of(&settings);
    uint64_t failures = memory_failures();
    uint32_t n = 0;
    bool failed = true;
    while (failed) {
        assert_true(++n < ALLOCATIONS_MAX);
        struct book *b = book_create(&options);
        assert_non_null(b);
        b->outbox.replaying = true;
        struct reader r = reader_init(w.frames, w.frames_size);
        enum book_replay result = BOOK_REPLAYED;
        fail_at(n);
        while (result == BOOK_REPLAYED && r.at < r.size) {
            result = book_replay_frame(b, &r);
        }
        failed = struck(&failures);
        assert_int_equal(result, failed ? BOOK_REPLAY_MEMORY : BOOK_REPLAYED);
        assert_true(failed || same(book_digest(b), book_digest(w.book)));
        book_destroy(b);
    }
    assert_true(n > 50);
    w.quick = false;
    world_end(&w);
}

static void test_load(void **state)
{
    (void)state;
    struct world w;
    busy_world(&w);
    uint8_t *bytes = malloc(ROOM);
    assert_non_null(bytes);
    struct writer out = writer_init(bytes, ROOM);
    book_save(w.book, &out);
    assert_true(writer_finish(&out));
    struct operator_settings settings;
    struct book_options options = options_of(&settings);
    uint64_t failures = memory_failures();
    uint32_t n = 0;
    bool failed = true;
    while (failed) {
        assert_true(++n < ALLOCATIONS_MAX);
        struct book *b = book_create(&options);
        assert_non_null(b);
        struct reader r = reader_init(bytes, out.size);
        fail_at(n);
        bool loaded = book_load(b, &r);
        failed = struck(&failures);
        assert_int_equal(loaded, !failed);
        book_destroy(b);
    }
    assert_true(n > 20);
    free(bytes);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),    cmocka_unit_test(test_reset),
        cmocka_unit_test(test_transfers), cmocka_unit_test(test_replay),
        cmocka_unit_test(test_load),      cmocka_unit_test(test_saved_worlds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
