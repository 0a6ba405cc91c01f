/*
 * latency.c - see latency.h.
 * Tests: tests/unit/test_latency.c.
 */
#include "base/latency.h"

#include "base/check.h"

static const uint32_t bounds_us[LATENCY_BOUNDS] = {
    100,    200,    500,     1000,    2000,    5000,     10000,    20000,    50000,     100000,
    200000, 500000, 1000000, 2000000, 5000000, 10000000, 30000000, 60000000, 120000000,
};

void latency_add(struct latency *h, int64_t took_ns)
{
    int64_t took = took_ns > 0 ? took_ns : 0;
    uint32_t step = 0;
    /* Most times lie in the first steps. */
    while (step < LATENCY_BOUNDS && took > (int64_t)bounds_us[step] * 1000) {
        step++;
    }
    h->counts[step]++;
    if (__builtin_add_overflow(h->sum_ns, took, &h->sum_ns)) {
        h->sum_ns = INT64_MAX;
    }
}

uint32_t latency_bound_us(uint32_t i)
{
    CHECK(i < LATENCY_BOUNDS);
    return bounds_us[i];
}
