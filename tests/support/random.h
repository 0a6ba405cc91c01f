/*
 * random.h - the generator of tests that draw: everything follows from one seed, and a requirement
 * that does not hold prints the seed and the step, so that the failure can be repeated.
 */
#ifndef HAKIKA_TESTS_SUPPORT_RANDOM_H
#define HAKIKA_TESTS_SUPPORT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct test_random {
    uint64_t seed;
    uint64_t state;
    uint64_t step; /* the test counts its steps here */
};

static inline uint64_t random_next(struct test_random *r)
{
    r->state += 0x9e3779b97f4a7c15u;
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline struct test_random random_from(uint64_t seed)
{
    struct test_random r = {seed, seed, 0};
    r.state = random_next(&r) ^ seed; /* or neighbouring seeds would share most of their numbers */
    return r;
}

/* Below end, which is at least 1. */
static inline uint32_t random_below(struct test_random *r, uint32_t end)
{
    return (uint32_t)(random_next(r) % end);
}

/* True in `parts` of 100 cases. */
static inline bool random_percent(struct test_random *r, uint32_t parts)
{
    return random_below(r, 100) < parts;
}

/* A condition that must hold in a test that draws. */
#define REQUIRE(r, condition)                                                        \
    do {                                                                             \
        if (!(condition)) {                                                          \
            print_error("seed %llu, step %llu: %s\n", (unsigned long long)(r)->seed, \
                        (unsigned long long)(r)->step, #condition);                  \
            fail();                                                                  \
        }                                                                            \
    } while (0)

#endif
