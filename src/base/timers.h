/*
 * timers.h - deadlines as state: a 4-ary heap of (due time, id), ordered by time and, among equal
 * times, by id; entries can be removed and moved by id.
 *
 * Guarantees: the order in which due timers come out depends only on their times and ids, never on
 * the history of the heap, so a restored book fires in the same order.
 * Invariants (timers_check): no child is before its parent; positions are found again.
 * The owner stores for each id the position through `place` (called whenever an entry moves).
 */
#ifndef HAKIKA_BASE_TIMERS_H
#define HAKIKA_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define TIMERS_NOWHERE UINT32_MAX

struct timer_entry {
    int64_t due_ns;
    uint64_t id;
};

/* Tells where the entry of `id` lies now; TIMERS_NOWHERE when it has left. */
typedef void (*timers_place_fn)(void *context, uint64_t id, uint32_t position);

struct timers {
    struct timer_entry *entries;
    uint32_t count;
    uint32_t capacity;
    timers_place_fn place;
    void *context;
};

void timers_init(struct timers *t, timers_place_fn place, void *context);
void timers_fini(struct timers *t);
bool timers_reserve(struct timers *t, uint32_t count) MUST_USE;
/* Adds; CHECKs that room was reserved. */
void timers_add(struct timers *t, int64_t due_ns, uint64_t id);
/* Removes the entry at a position that place() told. */
void timers_remove(struct timers *t, uint32_t position);

/* The earliest entry, NULL when empty. */
static inline const struct timer_entry *timers_first(const struct timers *t)
{
    return t->count == 0 ? NULL : &t->entries[0];
}

void timers_check(const struct timers *t);

#endif
