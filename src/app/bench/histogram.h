/*
 * histogram.h - counts latencies in log-linear buckets, like HdrHistogram.
 *
 * Guarantees: integers only; no allocation; a percentile is at most 0.1 % above the true value (the
 * top of its bucket), exact below 2,048 ns and never above the largest value seen. Merging equals
 * having added everything to one histogram. Values are clamped to 0 .. 2^42-1 ns (73 minutes).
 * A histogram has about 270 KB: static or heap memory, not the stack.
 * Tests: tests/unit/test_bench_tools.c.
 */
#ifndef HAKIKA_APP_BENCH_HISTOGRAM_H
#define HAKIKA_APP_BENCH_HISTOGRAM_H

#include <stdint.h>

#include "base/check.h"

enum {
    HISTOGRAM_SUB_BITS = 10, /* 1,024 buckets per power of two */
    HISTOGRAM_VALUE_BITS = 42,
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
    HISTOGRAM_PPM = 1000000,
};

struct histogram {
    uint64_t count;
    int64_t min; /* of an empty histogram: 0, as max and mean */
    int64_t max;
    uint64_t sum;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, int64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that ppm millionths of all values do not exceed: 500,000 is the median. */
int64_t histogram_percentile(const struct histogram *h, uint32_t ppm);
int64_t histogram_mean(const struct histogram *h);

#endif
