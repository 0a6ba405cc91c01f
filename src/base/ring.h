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

/* Counters run freely over 32 bits; their difference is what the ring holds. Each side keeps the
   last value that it saw of the other, so that it touches the other's cache line only when needed. */
struct ring {
    uint32_t capacity;
    uint8_t gap_before[RING_CACHE_LINE];
    _Atomic uint32_t pushed; /* written by the producer */
    uint32_t popped_seen;    /* the producer's */
    uint8_t gap_between[RING_CACHE_LINE];
    _Atomic uint32_t popped; /* written by the consumer */
    uint32_t pushed_seen;    /* the consumer's */
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
    r->popped_seen = 0;
    r->pushed_seen = 0;
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

/* Producer: how many may be pushed now. Looks at the consumer only when it seems full. */
static inline uint32_t ring_room(struct ring *r)
{
    uint32_t pushed = atomic_load_explicit(&r->pushed, memory_order_relaxed);
    if (pushed - r->popped_seen == r->capacity) {
        r->popped_seen = atomic_load_explicit(&r->popped, memory_order_acquire);
    }
    uint32_t held = pushed - r->popped_seen;
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
    uint32_t pushed = atomic_load_explicit(&r->pushed, memory_order_relaxed);
    CHECK(pushed - r->popped_seen + count <= r->capacity);
    atomic_store_explicit(&r->pushed, pushed + count, memory_order_release);
}

/* Consumer: how many wait. Looks at the producer only when it seems empty. */
static inline uint32_t ring_waiting(struct ring *r)
{
    uint32_t popped = atomic_load_explicit(&r->popped, memory_order_relaxed);
    if (r->pushed_seen == popped) {
        r->pushed_seen = atomic_load_explicit(&r->pushed, memory_order_acquire);
    }
    return r->pushed_seen - popped;
}

/* Consumer: where the element offset places behind the first waiting one stands. */
static inline uint32_t ring_pop_index(const struct ring *r, uint32_t offset)
{
    return (atomic_load_explicit(&r->popped, memory_order_relaxed) + offset) & (r->capacity - 1);
}

/* Consumer: gives back count elements that it has read. */
static inline void ring_pop(struct ring *r, uint32_t count)
{
    uint32_t popped = atomic_load_explicit(&r->popped, memory_order_relaxed);
    CHECK(count <= r->pushed_seen - popped);
    atomic_store_explicit(&r->popped, popped + count, memory_order_release);
}

#endif
