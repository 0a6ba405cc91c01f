/*
 * ring.h - a bounded queue between exactly two threads: one only pushes, the other only pops.
 *
 * Guarantees
 *  - it holds at most its capacity (a power of two); nothing is lost, doubled or reordered;
 *  - no locks, no waiting, no memory of its own: the ring deals in indexes of a caller's array,
 *    so that an element may be of any type and is written and read in place;
 *  - what the producer wrote before ring_push is visible to the consumer that sees it waiting, and
 *    a slot is reused only after ring_pop.
 * Producer:  if (ring_room(r) > 0) { array[ring_push_index(r, 0)] = x; ring_push(r, 1); }
 * Consumer:  if (ring_waiting(r) > 0) { x = array[ring_pop_index(r, 0)]; ring_pop(r, 1); }
 * Both sides may handle several elements at once (offset and count).
 * Tests: tests/unit/test_ring.c.
 */
#ifndef HAKIKA_BASE_RING_H
#define HAKIKA_BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum { RING_CACHE_LINE = 64 };

/* Counters run freely over 32 bits; their difference is what the ring holds. The gaps keep the two
   sides from writing to one cache line. */
struct ring {
    uint32_t capacity;
    uint8_t gap_before[RING_CACHE_LINE];
    _Atomic uint32_t pushed; /* written by the producer */
    uint8_t gap_between[RING_CACHE_LINE];
    _Atomic uint32_t popped; /* written by the consumer */
    uint8_t gap_after[RING_CACHE_LINE];
};

static inline void ring_init(struct ring *r, uint32_t capacity)
{
    CHECK(capacity > 0);
    CHECK((capacity & (capacity - 1)) == 0);
    CHECK(capacity <= UINT32_C(1) << 31);
    r->capacity = capacity;
    atomic_init(&r->pushed, 0);
    atomic_init(&r->popped, 0);
}

/* The smallest capacity that holds count elements. */
static inline uint32_t ring_capacity_for(uint32_t count)
{
    CHECK(count <= UINT32_C(1) << 31);
    uint32_t capacity = 1;
    while (capacity < count) {
        capacity <<= 1;
    }
    return capacity;
}

/* Producer: how many may be pushed now; more when the consumer goes on. */
static inline uint32_t ring_room(const struct ring *r)
{
    uint32_t popped = atomic_load_explicit(&r->popped, memory_order_acquire);
    uint32_t held = atomic_load_explicit(&r->pushed, memory_order_relaxed) - popped;
    CHECK(held <= r->capacity);
    return r->capacity - held;
}

/* Producer: where the element offset places behind the last pushed one goes. */
static inline uint32_t ring_push_index(const struct ring *r, uint32_t offset)
{
    return (atomic_load_explicit(&r->pushed, memory_order_relaxed) + offset) & (r->capacity - 1);
}

/* Producer: hands over count elements that were written; there must be room for them. */
static inline void ring_push(struct ring *r, uint32_t count)
{
    CHECK(count <= ring_room(r));
    uint32_t pushed = atomic_load_explicit(&r->pushed, memory_order_relaxed);
    atomic_store_explicit(&r->pushed, pushed + count, memory_order_release);
}

/* Consumer: how many wait; more when the producer goes on. */
static inline uint32_t ring_waiting(const struct ring *r)
{
    uint32_t pushed = atomic_load_explicit(&r->pushed, memory_order_acquire);
    uint32_t held = pushed - atomic_load_explicit(&r->popped, memory_order_relaxed);
    CHECK(held <= r->capacity);
    return held;
}

/* Consumer: where the element offset places behind the first waiting one stands. */
static inline uint32_t ring_pop_index(const struct ring *r, uint32_t offset)
{
    return (atomic_load_explicit(&r->popped, memory_order_relaxed) + offset) & (r->capacity - 1);
}

/* Consumer: gives back count elements that it has read. */
static inline void ring_pop(struct ring *r, uint32_t count)
{
    CHECK(count <= ring_waiting(r));
    uint32_t popped = atomic_load_explicit(&r->popped, memory_order_relaxed);
    atomic_store_explicit(&r->popped, popped + count, memory_order_release);
}

#endif
