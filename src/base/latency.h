/*
 * latency.h - how long things took: counts in fixed steps from a tenth of a millisecond to two
 * minutes, as Prometheus wants them. Adding costs a few nanoseconds and no memory; whoever adds has
 * read the clock.
 */
#ifndef HAKIKA_BASE_LATENCY_H
#define HAKIKA_BASE_LATENCY_H

#include <stdint.h>

enum { LATENCY_BOUNDS = 19 };

struct latency {
    uint64_t counts[LATENCY_BOUNDS + 1]; /* of each step alone; the last: longer than all */
    int64_t sum_ns;
};

/* Counts one; a time below zero counts as zero. */
void latency_add(struct latency *h, int64_t took_ns);
/* The longest time that step `i` holds, in microseconds. */
uint32_t latency_bound_us(uint32_t i);

#endif
