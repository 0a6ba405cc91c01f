/*
 * fsync_rate.h - how often per second the disk under a directory makes a write durable: the number
 * that every figure of a durable system has to be read against.
 *
 * Guarantees: writes only a file of its own that has no name, zero-filled and synced beforehand, as
 * a journal segment is; takes about FSYNC_RATE_MS per size and a little for the preparation.
 * Tests: tests/unit/test_bench_tools.c.
 */
#ifndef HAKIKA_APP_BENCH_FSYNC_RATE_H
#define HAKIKA_APP_BENCH_FSYNC_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum { FSYNC_RATE_MS = 300 };

struct fsync_rate {
    uint32_t block_bytes;
    uint64_t syncs;
    uint64_t per_second;
    int64_t median_ns; /* of one write and its fdatasync */
    int64_t p99_ns;
};

/* Writes blocks of block_bytes, each followed by fdatasync. False with a message on failure. */
bool fsync_rate_measure(const char *directory, uint32_t block_bytes, struct fsync_rate *out,
                        char error[256]) MUST_USE;

#endif
