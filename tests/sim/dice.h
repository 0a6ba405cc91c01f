/*
 * dice.h - the simulation's only source of chance: small generators that all spring from one seed.
 *
 * Every actor and every kind of fault has a stream of its own, so that switching one off (when a
 * failure is shrunk) leaves the others as they were.
 */
#ifndef HAKIKA_SIM_DICE_H
#define HAKIKA_SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/hash.h"

struct dice {
    uint64_t state;
};

static inline struct dice dice_init(uint64_t seed, uint64_t stream)
{
    struct dice d = {hash_u64(seed, hash_u64(stream, 0x73696d))};
    return d;
}

static inline uint64_t dice_next(struct dice *d)
{
    d->state += 0x9e3779b97f4a7c15u;
    uint64_t x = d->state;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* 0 to limit - 1 */
static inline uint64_t dice_below(struct dice *d, uint64_t limit)
{
    CHECK(limit > 0);
    return dice_next(d) % limit;
}

static inline bool dice_chance(struct dice *d, uint32_t per_mille)
{
    return dice_below(d, 1000) < per_mille;
}

/* least to most, both included */
static inline int64_t dice_between(struct dice *d, int64_t least, int64_t most)
{
    CHECK(least <= most);
    return least + (int64_t)dice_below(d, (uint64_t)(most - least) + 1);
}

/* Between two times, every order of magnitude as likely as the next. */
static inline int64_t dice_span_ns(struct dice *d, int64_t least, int64_t most)
{
    CHECK(least > 0 && least <= most);
    uint32_t doublings = 0;
    while (least << (doublings + 1) <= most && doublings < 40) {
        doublings++;
    }
    int64_t low = least << dice_below(d, doublings + 1);
    int64_t high = low * 2 - 1;
    return dice_between(d, low, high < most ? high : most);
}

#endif
