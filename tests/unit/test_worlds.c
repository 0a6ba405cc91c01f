/*
 * test_worlds.c - saved worlds in the book (book/worlds.c, W1 to W3): every world that is made here
 * is replayed from its frames and saved and loaded at the end (support/world.h).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "support/world.h"

static enum book_outcome act(struct world *w, uint16_t kind, const char *name, const char *from)
{
    struct world_command c = {.name = span_from(name), .from = span_from(from)};
    enum book_outcome outcome = BOOK_NOTHING;
    uint64_t position = world_do(w, kind, &c, &outcome);
    assert_int_equal(position != 0, outcome == BOOK_DONE);
    return outcome;
}

static enum book_outcome save(struct world *w, const char *name)
{
    return act(w, COMMAND_WORLD_SAVE, name, "");
}

static enum book_outcome restore(struct world *w, const char *name)
{
    enum book_outcome outcome = act(w, COMMAND_WORLD_RESTORE, name, "");
    w->now_ns = outcome == BOOK_DONE ? w->book->time_ns : w->now_ns;
    return outcome;
}

static void set_clock(struct world *w, enum clock_mode mode)
{
    struct clock_command c = {.mode = (uint8_t)mode};
    assert_true(world_do(w, COMMAND_CLOCK, &c, NULL) > 0);
}

static void assert_same(struct digest_value a, struct digest_value b)
{
    assert_true(digest_equal(a, b));
}

/* A payment of Anna's, open on her phone. */
static uint64_t open_payment(struct world *w)
{
    return world_push(w, WORLD_ANNA, 100 * 100);
}

static void test_a_restored_world_is_the_saved_one(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    set_clock(&w, CLOCK_VIRTUAL);
    uint64_t number = open_payment(&w);
    struct digest_value then = book_contents_digest(w.book);
    assert_int_equal(save(&w, "prompt-open"), BOOK_DONE);
    int64_t then_ns = w.now_ns;
    uint64_t generation = w.book->generation;
    for (int round = 0; round < 3; round++) {
        w.now_ns += 5 * WORLD_S;
        assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
        (void)world_run(&w);
        assert_int_equal(world_payment(&w, number)->state, STK_SUCCESS);
        assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY - 100 * 100);
        assert_false(digest_equal(book_contents_digest(w.book), then));
        if (round == 1) {
            world_restart(&w);
        }
        assert_int_equal(restore(&w, "prompt-open"), BOOK_DONE);
        assert_same(book_contents_digest(w.book), then); /* W2 */
        assert_int_equal(w.book->generation, generation + 1 + (uint64_t)round);
        assert_int_equal(w.book->generation_position, w.book->position);
        assert_int_equal(w.book->time_ns, then_ns); /* W3 */
        assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY);
        assert_int_equal(world_payment(&w, number)->state, STK_PROCESSING);
    }
    /* Its deadline is the one it had. */
    w.now_ns = then_ns + 61 * WORLD_S;
    (void)world_run(&w);
    assert_int_equal(world_payment(&w, number)->outcome, STK_NO_ANSWER);
    world_end(&w);
}

static void test_a_real_clock_never_goes_back(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, false);
    uint64_t number = open_payment(&w);
    assert_int_equal(save(&w, "a"), BOOK_DONE);
    w.now_ns += 3600 * WORLD_S;
    (void)world_run(&w);
    int64_t now_ns = w.now_ns;
    assert_int_equal(restore(&w, "a"), BOOK_DONE);
    assert_int_equal(w.book->time_ns, now_ns);
    assert_int_equal(world_payment(&w, number)->state, STK_PROCESSING);
    (void)world_run(&w); /* what was due meanwhile happens at once */
    assert_int_equal(world_payment(&w, number)->outcome, STK_NO_ANSWER);
    /* A world of a virtual future takes even a real clock along. */
    w.now_ns += 3600 * WORLD_S;
    int64_t future_ns = w.now_ns;
    assert_int_equal(save(&w, "future"), BOOK_DONE);
    set_clock(&w, CLOCK_VIRTUAL);
    assert_int_equal(restore(&w, "a"), BOOK_DONE);
    assert_true(w.now_ns < future_ns);
    set_clock(&w, CLOCK_REAL);
    assert_int_equal(restore(&w, "future"), BOOK_DONE);
    assert_int_equal(w.book->time_ns, future_ns);
    world_end(&w);
}

static void test_names_and_counts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "a b", "a/b",
        "a:b",      "a[b", "a{b",
        "\xc3\xa4", "a\n", "12345678901234567890123456789012345678901234567890123456789012345"};
    struct world w;
    world_start(&w, true);
    w.quick = true;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(book_world_name_valid(span_from(bad[i])));
    }
    assert_true(book_world_name_valid(SPAN_LITERAL("A.b-c_9")));
    assert_int_equal(save(&w, "one"), BOOK_DONE);
    assert_int_equal(save(&w, "one"), BOOK_EXISTS);
    assert_int_equal(restore(&w, "two"), BOOK_NOT_FOUND);
    assert_int_equal(act(&w, COMMAND_WORLD_COPY, "two", "none"), BOOK_NOT_FOUND);
    assert_int_equal(act(&w, COMMAND_WORLD_COPY, "one", "one"), BOOK_EXISTS);
    assert_int_equal(act(&w, COMMAND_WORLD_REMOVE, "two", ""), BOOK_NOT_FOUND);
    for (int i = 1; i < BOOK_WORLDS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "w%d", i);
        assert_int_equal(save(&w, name), BOOK_DONE);
    }
    assert_int_equal(save(&w, "more"), BOOK_TOO_MANY);
    assert_int_equal(act(&w, COMMAND_WORLD_COPY, "more", "one"), BOOK_TOO_MANY);
    assert_int_equal(act(&w, COMMAND_WORLD_REMOVE, "w7", ""), BOOK_DONE);
    assert_int_equal(save(&w, "more"), BOOK_DONE);
    assert_string_equal(w.book->worlds[BOOK_WORLDS_MAX - 1].name, "more");
    world_end(&w);
}

/* A fork is a copy of its own: it outlives what it came from. */
static void test_a_copy_and_a_reset(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, 500), OPERATOR_DONE);
    assert_int_equal(save(&w, "base"), BOOK_DONE);
    struct digest_value then = book_contents_digest(w.book);
    assert_int_equal(world_adjust(&w, WORLD_ANNA, 500), OPERATOR_DONE);
    assert_int_equal(act(&w, COMMAND_WORLD_COPY, "fork", "base"), BOOK_DONE);
    assert_int_equal(act(&w, COMMAND_WORLD_REMOVE, "base", ""), BOOK_DONE);
    const struct book_world *fork = book_world(w.book, SPAN_LITERAL("fork"));
    assert_same(fork->digest, then);
    assert_true(fork->position < w.book->position - 2);
    struct seed_command seed;
    struct operator_reply reply;
    memset(&seed, 0, sizeof(seed));
    assert_true(world_do(&w, COMMAND_SEED, &seed, &reply) > 0);
    assert_null(operator_subscriber(operator_of(w.book), WORLD_ANNA));
    world_restart(&w); /* worlds outlive resets, and lie in snapshots */
    assert_int_equal(restore(&w, "fork"), BOOK_DONE);
    assert_int_equal(world_balance(&w, WORLD_ANNA), WORLD_MONEY + 500);
    assert_same(book_contents_digest(w.book), then);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_restored_world_is_the_saved_one),
        cmocka_unit_test(test_a_real_clock_never_goes_back),
        cmocka_unit_test(test_names_and_counts),
        cmocka_unit_test(test_a_copy_and_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
