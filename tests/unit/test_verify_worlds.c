/*
 * test_verify_worlds.c - hakika verify and saved worlds (app/verify/audit_worlds.c): what an honest
 * journal may tell, and each lie about a world.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support/verify_rig.h"

static void saved(struct forge *f, const char *name)
{
    forge_frame(f, COMMAND_WORLD_SAVE);
    put_text(forge_event(f, EVENT_WORLD_SAVED), span_from(name));
}

static void copied(struct forge *f, const char *from, const char *name)
{
    forge_frame(f, COMMAND_WORLD_COPY);
    struct writer *w = forge_event(f, EVENT_WORLD_COPIED);
    put_text(w, span_from(from));
    put_text(w, span_from(name));
}

static void removed(struct forge *f, const char *name)
{
    forge_frame(f, COMMAND_WORLD_REMOVE);
    put_text(forge_event(f, EVENT_WORLD_REMOVED), span_from(name));
}

static void restored(struct forge *f, const char *name, uint64_t generation, int64_t time_ns)
{
    forge_frame(f, COMMAND_WORLD_RESTORE);
    struct writer *w = forge_event(f, EVENT_WORLD_RESTORED);
    put_u64(w, generation);
    put_i64(w, time_ns);
    put_text(w, span_from(name));
}

static void go_virtual(struct forge *f)
{
    forge_frame(f, COMMAND_CLOCK);
    struct writer *w = forge_event(f, EVENT_CLOCK_SET);
    put_u8(w, CLOCK_VIRTUAL);
    put_i64(w, 0);
}

/* The same payment ends twice, once in each world that came of the saved one. */
static void test_an_honest_journal_of_worlds(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    uint64_t number = open_prompt(&f, 0);
    go_virtual(&f);
    saved(&f, "open");
    int64_t saved_ns = f.time_ns;
    copied(&f, "open", "fork");
    removed(&f, "open");
    (void)forge_cancelled(&f, number);
    f.time_ns += (int64_t)3600 * 1000000000;
    restored(&f, "fork", 2, saved_ns);
    f.time_ns = saved_ns;
    f.deliveries--; /* numbers go back with the world */
    (void)forge_paid(&f, number, 0, AMOUNT);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    assert_int_equal(report.totals.generations, 2);
    forge_remove(&f);
}

static void test_lies_about_names(void **state)
{
    (void)state;
    static const char no_world[] = "none was saved under that name";
    struct forge f;
    open_story(&f);
    restored(&f, "nothing", 2, f.time_ns);
    expect(&f, PROOF_REFERENCES, no_world);
    open_story(&f);
    removed(&f, "nothing");
    expect(&f, PROOF_REFERENCES, no_world);
    open_story(&f);
    copied(&f, "nothing", "x");
    expect(&f, PROOF_REFERENCES, no_world);
    open_story(&f);
    saved(&f, "x");
    saved(&f, "x");
    expect(&f, PROOF_REFERENCES, "a name that is taken");
    open_story(&f);
    saved(&f, "");
    expect(&f, PROOF_REFERENCES, "a name that is taken or no name");
    open_story(&f);
    saved(&f, "x");
    removed(&f, "x");
    restored(&f, "x", 2, f.time_ns);
    expect(&f, PROOF_REFERENCES, no_world);
    open_story(&f);
    forge_frame(&f, COMMAND_WORLD_SAVE);
    put_u8(forge_event(&f, EVENT_WORLD_SAVED), 1);
    expect(&f, PROOF_RECORDS, "malformed");
}

static void test_lies_about_order(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    saved(&f, "x");
    restored(&f, "x", 7, f.time_ns);
    expect(&f, PROOF_ORDER, "generation 7 follows generation 1");
    open_story(&f); /* the clock is real */
    saved(&f, "x");
    int64_t then_ns = f.time_ns;
    f.time_ns += 1000000000;
    restored(&f, "x", 2, then_ns);
    expect(&f, PROOF_ORDER, "a restored world begins at");
    open_story(&f);
    go_virtual(&f);
    saved(&f, "x");
    f.time_ns += 1000000000;
    restored(&f, "x", 2, f.time_ns);
    expect(&f, PROOF_ORDER, "a restored world begins at");
}

/* A payment that is not in the saved world is not in the restored one. */
static void test_the_restored_world_is_the_saved_one(void **state)
{
    (void)state;
    struct forge f;
    open_story(&f);
    saved(&f, "before");
    uint64_t number = open_prompt(&f, 0);
    restored(&f, "before", 2, f.time_ns);
    (void)forge_cancelled(&f, number);
    forge_close(&f);
    verify(&f);
    assert_true(report.proofs[PROOF_PAYMENTS].breaches > 0);
    forge_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_honest_journal_of_worlds),
        cmocka_unit_test(test_lies_about_names),
        cmocka_unit_test(test_lies_about_order),
        cmocka_unit_test(test_the_restored_world_is_the_saved_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
