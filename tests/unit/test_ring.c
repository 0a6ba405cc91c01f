/*
 * test_ring.c - base/ring.h: order, bounds, and a race of two threads (also run under TSan).
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ring.h"

static void test_capacity_for(void **state)
{
    (void)state;
    assert_int_equal(ring_capacity_for(0), 1);
    assert_int_equal(ring_capacity_for(1), 1);
    assert_int_equal(ring_capacity_for(3), 4);
    assert_int_equal(ring_capacity_for(1024), 1024);
    assert_int_equal(ring_capacity_for(1025), 2048);
}

static void test_fills_and_empties(void **state)
{
    (void)state;
    struct ring r;
    uint32_t items[4];
    ring_init(&r, 4);
    assert_int_equal(ring_waiting(&r), 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(ring_room(&r), 4 - i);
        items[ring_push_index(&r, 0)] = i;
        ring_push(&r, 1);
    }
    assert_int_equal(ring_room(&r), 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(ring_waiting(&r) > 0);
        assert_int_equal(items[ring_pop_index(&r, 0)], i);
        ring_pop(&r, 1);
    }
    assert_int_equal(ring_waiting(&r), 0);
    assert_int_equal(ring_room(&r), 4);
}

static void test_several_at_once_across_the_edge(void **state)
{
    (void)state;
    struct ring r;
    uint32_t items[8];
    uint32_t next = 0;
    uint32_t expected = 0;
    ring_init(&r, 8);
    for (uint32_t round = 0; round < 100; round++) {
        assert_true(ring_room(&r) >= 5);
        for (uint32_t i = 0; i < 5; i++) {
            items[ring_push_index(&r, i)] = next++;
        }
        ring_push(&r, 5);
        assert_int_equal(ring_waiting(&r), 5);
        for (uint32_t i = 0; i < 5; i++) {
            assert_int_equal(items[ring_pop_index(&r, i)], expected++);
        }
        ring_pop(&r, 5);
    }
}

static void test_counters_wrap(void **state)
{
    (void)state;
    struct ring r;
    uint32_t items[2];
    ring_init(&r, 2);
    atomic_store(&r.pushed, UINT32_MAX);
    atomic_store(&r.popped, UINT32_MAX);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(ring_room(&r), 2);
        items[ring_push_index(&r, 0)] = i;
        ring_push(&r, 1);
        assert_int_equal(ring_waiting(&r), 1);
        assert_int_equal(items[ring_pop_index(&r, 0)], i);
        ring_pop(&r, 1);
    }
}

enum { RACE_ITEMS = 300000, RACE_CAPACITY = 64 };

struct race {
    struct ring ring;
    uint64_t items[RACE_CAPACITY];
};

static void *race_push(void *context)
{
    struct race *race = context;
    for (uint64_t i = 0; i < RACE_ITEMS;) {
        if (ring_room(&race->ring) > 0) {
            race->items[ring_push_index(&race->ring, 0)] = i++;
            ring_push(&race->ring, 1);
        } else {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    (void)state;
    static struct race race;
    pthread_t producer;
    ring_init(&race.ring, RACE_CAPACITY);
    assert_int_equal(pthread_create(&producer, NULL, race_push, &race), 0);
    uint64_t expected = 0;
    uint64_t wrong = 0;
    while (expected < RACE_ITEMS) {
        uint32_t waiting = ring_waiting(&race.ring);
        for (uint32_t i = 0; i < waiting; i++) {
            wrong += race.items[ring_pop_index(&race.ring, i)] != expected++;
        }
        ring_pop(&race.ring, waiting);
        if (waiting == 0) {
            (void)sched_yield();
        }
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(ring_waiting(&race.ring), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capacity_for),
        cmocka_unit_test(test_fills_and_empties),
        cmocka_unit_test(test_several_at_once_across_the_edge),
        cmocka_unit_test(test_counters_wrap),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
