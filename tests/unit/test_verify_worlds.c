/*
 * test_verify_worlds.c - hakika verify and saved worlds (app/verify/audit_worlds.c): what an honest
 * journal may tell, and each lie about a world.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

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

/* ---- imported worlds ---- */

/* Another journal's decisions, for positions behind `begun`. */
struct parcel {
    struct forge forge;
    uint8_t *bytes;
    size_t size;
    uint32_t count;
};

static void parcel_open(struct parcel *p, uint64_t begun)
{
    memset(p, 0, sizeof(*p));
    forge_open(&p->forge);
    p->forge.position = begun;
    forge_seed(&p->forge, 1);
}

static void parcel_close(struct parcel *p)
{
    p->size = p->forge.w.size;
    p->count = p->forge.batch_frames;
    p->bytes = malloc(p->size);
    assert_non_null(p->bytes);
    const uint8_t *data = p->forge.w.data;
    forge_commit(&p->forge); /* completes the last frame; the bytes stay where they are */
    memcpy(p->bytes, data, p->size);
    forge_close(&p->forge);
    forge_remove(&p->forge);
}

static void import_begun(struct forge *f, const struct parcel *p, const char *name)
{
    forge_frame(f, COMMAND_WORLD_IMPORT_BEGIN);
    struct writer *w = forge_event(f, EVENT_WORLD_IMPORT_BEGUN);
    put_text(w, span_from(name));
    put_i64(w, p->forge.time_ns);
    put_u32(w, p->count);
    put_u32(w, (uint32_t)p->size);
}

static void import_frames(struct forge *f, const struct parcel *p, uint32_t most)
{
    struct reader r = reader_init(p->bytes, p->size);
    struct frame_reader inner;
    for (uint32_t i = 0; i < most && frame_next(&r, &inner); i++) {
        forge_frame(f, COMMAND_WORLD_IMPORT_FRAME);
        struct writer *w = forge_event(f, EVENT_WORLD_IMPORT_FRAME);
        put_i64(w, inner.info.time_ns);
        put_u16(w, inner.info.cause);
        put_raw(w, inner.events.data, inner.events.size);
    }
}

static void import_ended(struct forge *f, const struct parcel *p, const char *name)
{
    struct digest d;
    digest_init(&d);
    digest_update(&d, p->bytes, p->size);
    struct digest_value value = digest_finish(&d);
    forge_frame(f, COMMAND_WORLD_IMPORT_END);
    struct writer *w = forge_event(f, EVENT_WORLD_IMPORTED);
    put_text(w, span_from(name));
    put_u64(w, value.high);
    put_u64(w, value.low);
}

static void import_all(struct forge *f, const struct parcel *p)
{
    import_begun(f, p, "there");
    import_frames(f, p, UINT32_MAX);
    import_ended(f, p, "there");
}

static void test_an_honest_import(void **state)
{
    (void)state;
    struct forge f;
    struct parcel p;
    open_story(&f);
    parcel_open(&p, f.position + 1);
    uint64_t number = forge_push(&p.forge, 0, AMOUNT);
    forge_prompted(&p.forge, number);
    parcel_close(&p);
    import_begun(&f, &p, "x"); /* never ended: leaves nothing */
    import_frames(&f, &p, 1);
    (void)forge_payment(&f, 1, AMOUNT);
    uint8_t *first = p.bytes;
    parcel_open(&p, f.position + 1);
    number = forge_push(&p.forge, 0, AMOUNT);
    forge_prompted(&p.forge, number);
    parcel_close(&p);
    import_all(&f, &p);
    go_virtual(&f);
    restored(&f, "there", 2, p.forge.time_ns);
    f.time_ns = p.forge.time_ns;
    f.payments = 1;
    f.deliveries = 0;
    f.receipt = FORGE_RECEIPT;
    (void)forge_paid(&f, number, 0, AMOUNT);
    forge_close(&f);
    verify(&f);
    assert_every_proof_holds();
    forge_remove(&f);
    free(first);
    free(p.bytes);
}

/* Each lie inside is told with the position that brought it. */
static void test_lies_inside_an_import(void **state)
{
    (void)state;
    struct forge f;
    struct parcel p;
    open_story(&f); /* money out of nothing */
    parcel_open(&p, f.position + 1);
    forge_frame(&p.forge, COMMAND_ORGANISATION_FUND);
    forge_transfer(&p.forge, forge_frame_id(&p.forge, 0), 1, FORGE_WALLET, FORGE_UTILITY,
                   FORGE_WALLET_MINOR * 9);
    parcel_close(&p);
    import_all(&f, &p);
    expect(&f, PROOF_MONEY, "imported world");
    free(p.bytes);
    open_story(&f); /* a payment that ends twice */
    parcel_open(&p, f.position + 1);
    uint64_t number = forge_push(&p.forge, 0, AMOUNT);
    forge_prompted(&p.forge, number);
    (void)forge_cancelled(&p.forge, number);
    (void)forge_cancelled(&p.forge, number);
    parcel_close(&p);
    import_all(&f, &p);
    expect(&f, PROOF_PAYMENTS, "imported world");
    free(p.bytes);
    open_story(&f); /* a world in a world */
    parcel_open(&p, f.position + 1);
    saved(&p.forge, "inner");
    parcel_close(&p);
    import_all(&f, &p);
    expect(&f, PROOF_RECORDS, "has no place in an imported world");
    free(p.bytes);
    open_story(&f); /* ids of another position */
    parcel_open(&p, f.position + 3);
    parcel_close(&p);
    import_all(&f, &p);
    expect(&f, PROOF_REFERENCES, "imported world");
    free(p.bytes);
}

static void test_lies_about_an_import(void **state)
{
    (void)state;
    static const char not_all[] = "not the one that was begun";
    static const char gap[] = "does not follow the one before";
    struct forge f;
    struct parcel p;
    open_story(&f);
    parcel_open(&p, f.position + 1);
    (void)forge_push(&p.forge, 0, AMOUNT);
    parcel_close(&p);
    import_begun(&f, &p, "x");
    import_frames(&f, &p, 1);
    import_ended(&f, &p, "x");
    expect(&f, PROOF_REFERENCES, not_all);
    open_story(&f);
    import_begun(&f, &p, "x");
    import_frames(&f, &p, UINT32_MAX);
    import_ended(&f, &p, "y");
    expect(&f, PROOF_REFERENCES, not_all);
    open_story(&f);
    import_begun(&f, &p, "x");
    import_frames(&f, &p, UINT32_MAX);
    p.bytes[p.size - 1] ^= 1; /* another digest */
    import_ended(&f, &p, "x");
    expect(&f, PROOF_REFERENCES, not_all);
    p.bytes[p.size - 1] ^= 1;
    open_story(&f);
    import_begun(&f, &p, "x");
    import_frames(&f, &p, 1);
    go_virtual(&f);
    import_ended(&f, &p, "x");
    expect(&f, PROOF_ORDER, gap);
    open_story(&f);
    import_frames(&f, &p, 1);
    expect(&f, PROOF_ORDER, gap);
    open_story(&f);
    import_ended(&f, &p, "x");
    expect(&f, PROOF_ORDER, gap);
    open_story(&f);
    forge_frame(&f, COMMAND_WORLD_IMPORT_BEGIN);
    put_u8(forge_event(&f, EVENT_WORLD_IMPORT_BEGUN), 1);
    expect(&f, PROOF_RECORDS, "malformed");
    free(p.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_honest_journal_of_worlds),
        cmocka_unit_test(test_lies_about_names),
        cmocka_unit_test(test_lies_about_order),
        cmocka_unit_test(test_the_restored_world_is_the_saved_one),
        cmocka_unit_test(test_an_honest_import),
        cmocka_unit_test(test_lies_inside_an_import),
        cmocka_unit_test(test_lies_about_an_import),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
