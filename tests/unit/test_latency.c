/*
 * test_latency.c - base/latency.h: every time lands in its step, and none is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/latency.h"

static uint64_t total(const struct latency *h)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i <= LATENCY_BOUNDS; i++) {
        sum += h->counts[i];
    }
    return sum;
}

static void test_steps_rise(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < LATENCY_BOUNDS; i++) {
        assert_true(latency_bound_us(i) > latency_bound_us(i - 1));
    }
    assert_int_equal(latency_bound_us(0), 100);
    assert_int_equal(latency_bound_us(LATENCY_BOUNDS - 1), 120 * 1000 * 1000);
}

static void test_edges_belong_to_the_step_below(void **state)
{
    (void)state;
    struct latency h = {.sum_ns = 0};
    for (uint32_t i = 0; i < LATENCY_BOUNDS; i++) {
        int64_t edge_ns = (int64_t)latency_bound_us(i) * 1000;
        latency_add(&h, edge_ns);
        assert_int_equal(h.counts[i], i == 0 ? 1 : 2);
        latency_add(&h, edge_ns + 1);
        assert_int_equal(h.counts[i + 1], 1);
    }
    assert_int_equal(total(&h), 2 * LATENCY_BOUNDS);
}

static void test_odd_times(void **state)
{
    (void)state;
    struct latency h = {.sum_ns = 0};
    latency_add(&h, 0);
    latency_add(&h, -5); /* a clock that went back says nothing */
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.sum_ns, 0);
    latency_add(&h, 3000000);
    assert_int_equal(h.counts[5], 1); /* over 2 ms, up to 5 */
    assert_int_equal(h.sum_ns, 3000000);
    latency_add(&h, INT64_MAX);
    assert_int_equal(h.counts[LATENCY_BOUNDS], 1);
    assert_true(h.sum_ns == INT64_MAX);
    assert_int_equal(total(&h), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_rise),
        cmocka_unit_test(test_edges_belong_to_the_step_below),
        cmocka_unit_test(test_odd_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
