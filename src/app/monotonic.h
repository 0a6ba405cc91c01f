/*
 * monotonic.h - the machine's monotonic time: for measuring and for patience, never for deciding.
 */
#ifndef HAKIKA_APP_MONOTONIC_H
#define HAKIKA_APP_MONOTONIC_H

#include <stdint.h>
#include <time.h>

#include "base/check.h"

static inline int64_t monotonic_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t monotonic_ms(void)
{
    return monotonic_ns() / 1000000;
}

static inline double monotonic_seconds(void)
{
    return (double)monotonic_ns() / 1e9;
}

#endif
