/*
 * test_id_table.c - the table of ids (base/id_table.h) against a plain model, through growth and
 * removal, with ids that come in sequence, that are multiples of something, and at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/id_table.h"
#include "sim/memory.h"
#include "support/random.h"

/* A false CHECK ends the test, and is what some tests expect. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

enum { IDS = 5000 };

struct thing {
    uint64_t id; /* first: where the table looks */
    uint64_t model;
};

struct rig {
    struct slab slots;
    struct id_table table;
    uint64_t ids[IDS];
    uint32_t slot[IDS]; /* SLAB_NONE: not in the table */
    uint32_t count;
};

static struct rig *rig_start(uint64_t seed, uint32_t way)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct test_random r = random_from(seed);
    assert_non_null(rig);
    slab_init(&rig->slots, sizeof(struct thing), 1000000);
    id_table_init(&rig->table, random_next(&r));
    uint64_t first = random_next(&r) >> 8;
    for (uint32_t i = 0; i < IDS; i++) {
        const uint64_t ways[] = {first + i, first + (uint64_t)i * 4096, random_next(&r) | 1};
        rig->ids[i] = ways[way];
        rig->slot[i] = SLAB_NONE;
    }
    return rig;
}

static void rig_end(struct rig *rig)
{
    id_table_fini(&rig->table);
    assert_int_equal(id_table_count(&rig->table), 0);
    assert_int_equal(id_table_get(&rig->table, &rig->slots, 1), SLAB_NONE);
    slab_fini(&rig->slots);
    free(rig);
}

static void add(struct rig *rig, uint32_t i)
{
    assert_true(slab_reserve(&rig->slots, 1));
    assert_true(id_table_reserve(&rig->table, 1));
    rig->slot[i] = slab_take(&rig->slots);
    struct thing *t = slab_at(&rig->slots, rig->slot[i]);
    t->id = rig->ids[i];
    id_table_put(&rig->table, &rig->slots, rig->slot[i]);
    rig->count++;
}

static void take_away(struct rig *rig, uint32_t i)
{
    assert_true(id_table_remove(&rig->table, &rig->slots, rig->ids[i]));
    slab_release(&rig->slots, rig->slot[i]);
    rig->slot[i] = SLAB_NONE;
    rig->count--;
    assert_false(id_table_remove(&rig->table, &rig->slots, rig->ids[i]));
}

static void compare(struct rig *rig)
{
    assert_int_equal(id_table_count(&rig->table), rig->count);
    for (uint32_t i = 0; i < IDS; i++) {
        assert_int_equal(id_table_get(&rig->table, &rig->slots, rig->ids[i]), rig->slot[i]);
    }
    id_table_check(&rig->table, &rig->slots);
}

/* Grows and shrinks through several doublings; places are moved from half to half meanwhile. */
static void test_against_a_model(void **state)
{
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        struct rig *rig = rig_start(way + 1, way);
        struct test_random r = random_from(way + 77);
        uint32_t growing = 0;
        for (uint32_t step = 0; step < 12000; step++) {
            uint32_t i = (uint32_t)(random_next(&r) % IDS);
            bool adds = random_next(&r) % 8 < (step / 3000 % 2 == 0 ? 7 : 2);
            if (rig->slot[i] == SLAB_NONE && adds) {
                add(rig, i);
            } else if (rig->slot[i] != SLAB_NONE && !adds) {
                take_away(rig, i);
            }
            growing += rig->table.old.places != NULL;
            if (step % 2000 == 0) {
                compare(rig);
            }
        }
        assert_true(growing > 100);
        compare(rig);
        rig_end(rig);
    }
}

/* Removed from the older half; and a second growth before the first is over. */
static void test_while_growing(void **state)
{
    (void)state;
    struct rig *rig = rig_start(9, 0);
    for (uint32_t i = 0; i < 4000; i++) {
        add(rig, i);
    }
    assert_true(id_table_reserve(&rig->table, 4000));
    assert_true(rig->table.old.count > 3000); /* nothing has been moved yet */
    compare(rig);
    for (uint32_t i = 0; i < 100; i++) {
        take_away(rig, i);
    }
    assert_true(rig->table.old.count > 0);
    compare(rig);
    assert_true(id_table_reserve(&rig->table, 100000));
    compare(rig);
    rig_end(rig);
}

/* What was reserved is there, an id is there once, and a table that cannot grow stays as it is. */
static void test_room(void **state)
{
    (void)state;
    struct rig *rig = rig_start(5, 0);
    assert_true(id_table_reserve(&rig->table, 3000));
    const struct id_place *places = rig->table.young.places;
    for (uint32_t i = 0; i < 3000; i++) {
        add(rig, i);
    }
    assert_ptr_equal(rig->table.young.places, places);
    expect_assert_failure(id_table_put(&rig->table, &rig->slots, rig->slot[7]));
    assert_true(id_table_reserve(&rig->table, 2000));
    expect_assert_failure(id_table_put(&rig->table, &rig->slots, rig->slot[2999])); /* in old */
    uint64_t failures = memory_failures();
    memory_fail_in(1);
    memory_window(true);
    assert_false(id_table_reserve(&rig->table, 1000000));
    memory_window(false);
    memory_fail_in(0);
    assert_int_equal(memory_failures(), failures + 1);
    assert_false(id_table_reserve(&rig->table, UINT32_MAX)); /* more than places have numbers */
    compare(rig);
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_while_growing),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
