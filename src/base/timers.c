/*
 * timers.c - see timers.h. Tests: tests/unit/test_base.c.
 */
#include "base/timers.h"

#include <stdlib.h>
#include <string.h>

enum { TIMERS_ARITY = 4 };

void timers_init(struct timers *t, timers_place_fn place, void *context)
{
    CHECK(place != NULL);
    memset(t, 0, sizeof(*t));
    t->place = place;
    t->context = context;
}

void timers_fini(struct timers *t)
{
    free(t->entries);
    timers_init(t, t->place, t->context);
}

bool timers_reserve(struct timers *t, uint32_t count)
{
    uint64_t needed = (uint64_t)t->count + count;
    if (needed <= t->capacity) {
        return true;
    }
    uint64_t capacity = t->capacity == 0 ? 64 : (uint64_t)t->capacity * 2;
    capacity = capacity < needed ? needed : capacity;
    if (capacity >= TIMERS_NOWHERE) {
        return false;
    }
    struct timer_entry *entries = realloc(t->entries, capacity * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    t->entries = entries;
    t->capacity = (uint32_t)capacity;
    return true;
}

static bool timers_before(const struct timer_entry *a, const struct timer_entry *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->id < b->id;
}

static void timers_put(struct timers *t, uint32_t position, struct timer_entry e)
{
    t->entries[position] = e;
    t->place(t->context, e.id, position);
}

static void timers_rise(struct timers *t, uint32_t position, struct timer_entry e)
{
    while (position > 0) {
        uint32_t parent = (position - 1) / TIMERS_ARITY;
        if (!timers_before(&e, &t->entries[parent])) {
            break;
        }
        timers_put(t, position, t->entries[parent]);
        position = parent;
    }
    timers_put(t, position, e);
}

static void timers_sink(struct timers *t, uint32_t position, struct timer_entry e)
{
    for (;;) {
        uint64_t first = (uint64_t)position * TIMERS_ARITY + 1;
        if (first >= t->count) {
            break;
        }
        uint32_t best = (uint32_t)first;
        uint32_t end = t->count - best < TIMERS_ARITY ? t->count : best + TIMERS_ARITY;
        for (uint32_t child = best + 1; child < end; child++) {
            if (timers_before(&t->entries[child], &t->entries[best])) {
                best = child;
            }
        }
        if (!timers_before(&t->entries[best], &e)) {
            break;
        }
        timers_put(t, position, t->entries[best]);
        position = best;
    }
    timers_put(t, position, e);
}

void timers_add(struct timers *t, int64_t due_ns, uint64_t id)
{
    CHECK(t->count < t->capacity);
    struct timer_entry e = {due_ns, id};
    t->count++;
    timers_rise(t, t->count - 1, e);
}

void timers_remove(struct timers *t, uint32_t position)
{
    CHECK(position < t->count);
    uint64_t id = t->entries[position].id;
    struct timer_entry last = t->entries[t->count - 1];
    t->count--;
    if (position < t->count) {
        if (position > 0 && timers_before(&last, &t->entries[(position - 1) / TIMERS_ARITY])) {
            timers_rise(t, position, last);
        } else {
            timers_sink(t, position, last);
        }
    }
    t->place(t->context, id, TIMERS_NOWHERE);
}

void timers_check(const struct timers *t)
{
    CHECK(t->count <= t->capacity);
    for (uint32_t i = 1; i < t->count; i++) {
        CHECK(!timers_before(&t->entries[i], &t->entries[(i - 1) / TIMERS_ARITY]));
    }
}
