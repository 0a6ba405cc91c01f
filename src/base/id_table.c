/*
 * id_table.c - see id_table.h. Open addressing; deletion in the young half shifts places back, so
 * that it never holds tombstones; the old half is only ever emptied. Tests:
 * tests/unit/test_id_table.c.
 *
 * 64 ids that follow each other stand side by side, so that a run of them costs one cache and TLB
 * miss instead of 64; each such block is turned by an offset of its own, so that ids which are all
 * multiples of something spread as well. A probe goes 65 places on: out of the full block that it
 * met, and, 65 being odd, once through the whole table before it comes back. (map.c does the same
 * for keys that it holds itself.)
 *
 * A place knows 32 bits of where its id belongs, enough for a table of any size: growing reads no
 * slot, and a look-up reads one only where all 32 bits agree, which is nearly always the right one.
 */
#include "base/id_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/large.h"

enum {
    TABLE_SIZE_MIN = 16,
    TABLE_MOVE_STEP = 8, /* places of the old half looked at per change */
    TABLE_PAGE_BYTES = 4096,
    TABLE_TOUCH_STEP = 64, /* places of the young half asked for per id added */
    RUN_SHIFT = 6,
    RUN = 1 << RUN_SHIFT,
    PROBE_STEP = RUN + 1,
};

/* Instead of slot + 1, in the old half only: moved or removed, keep probing. */
#define PLACE_GONE UINT32_MAX

/* The inverse of 65 modulo 2^32: how many steps of a probe one place is from another. */
#define PROBE_STEP_INVERSE 3237744577u
_Static_assert((uint32_t)(PROBE_STEP *PROBE_STEP_INVERSE) == 1u, "inverse of the probe's step");

void id_table_init(struct id_table *t, uint64_t seed)
{
    memset(t, 0, sizeof(*t));
    t->seed = seed;
}

static void free_half(struct id_half *half)
{
    large_free_excluded(half->places, ((size_t)half->mask + 1) * sizeof(*half->places));
    memset(half, 0, sizeof(*half));
}

void id_table_fini(struct id_table *t)
{
    free_half(&t->young);
    free_half(&t->old);
    id_table_init(t, t->seed);
}

static uint32_t home_of(const struct id_table *t, uint64_t id)
{
    uint64_t h = hash_u64(id >> RUN_SHIFT, t->seed);
    uint64_t inside = (id + (h >> 58)) & (RUN - 1);
    return (uint32_t)(h << RUN_SHIFT | inside);
}

static uint64_t id_of(const struct slab *slots, const struct id_place *place)
{
    uint64_t id;
    memcpy(&id, slab_at(slots, place->filled - 1), sizeof(id));
    return id;
}

/* The place of the id in this half, or NULL. */
static struct id_place *find(const struct id_half *half, const struct slab *slots, uint32_t home,
                             uint64_t id)
{
    if (half->places == NULL) {
        return NULL;
    }
    for (uint32_t i = home & half->mask;; i = (i + PROBE_STEP) & half->mask) {
        struct id_place *p = &half->places[i];
        if (p->filled == 0) {
            return NULL;
        }
        if (p->home == home && p->filled != PLACE_GONE && id_of(slots, p) == id) {
            return p;
        }
    }
}

uint32_t id_table_get(const struct id_table *t, const struct slab *slots, uint64_t id)
{
    uint32_t home = home_of(t, id);
    const struct id_place *p = find(&t->young, slots, home, id);
    if (p == NULL && t->old.count > 0) {
        p = find(&t->old, slots, home, id);
    }
    return p == NULL ? SLAB_NONE : p->filled - 1;
}

/* Puts a place that is nowhere in the young half there. */
static void insert(struct id_half *half, struct id_place place)
{
    CHECK(half->places != NULL);
    CHECK(half->count < half->mask); /* one place stays empty, or a probe would not end */
    uint32_t i = place.home & half->mask;
    while (half->places[i].filled != 0) {
        i = (i + PROBE_STEP) & half->mask;
    }
    half->places[i] = place;
    half->count++;
}

static void move_some(struct id_table *t, uint32_t limit)
{
    struct id_half *old = &t->old;
    for (; old->places != NULL && limit > 0; limit--) {
        if (old->count == 0 || t->cursor > old->mask) {
            CHECK(old->count == 0);
            free_half(old);
            t->cursor = 0;
            return;
        }
        struct id_place *p = &old->places[t->cursor++];
        if (p->filled != 0 && p->filled != PLACE_GONE) {
            insert(&t->young, *p);
            p->filled = PLACE_GONE;
            old->count--;
        }
    }
}

/*
 * Writes to the pages of a fresh half in order, ahead of those who look ids up: a page that is read
 * first costs the kernel twice, once for a page of zeros that all share and once, with a message to
 * every other processor, for one of its own. Adds nothing to what is there, so as to be a write
 * from the start.
 */
static void touch_some(struct id_table *t)
{
    if (t->touched > t->young.mask) {
        return;
    }
    if (t->touched % (TABLE_PAGE_BYTES / sizeof(struct id_place)) == 0) {
        (void)__atomic_fetch_add(&t->young.places[t->touched].home, 0, __ATOMIC_RELAXED);
    }
    t->touched += TABLE_TOUCH_STEP;
}

static bool new_half(struct id_half *half, uint64_t size)
{
    if (size > (uint64_t)1 << 31) {
        return false;
    }
    struct id_place *places = large_zeroed(size, sizeof(*places));
    if (places == NULL) {
        return false;
    }
    large_exclude_from_fork(places, size * sizeof(*places)); /* snapshots walk slabs */
    *half = (struct id_half){places, (uint32_t)(size - 1), 0};
    return true;
}

bool id_table_reserve(struct id_table *t, uint32_t count)
{
    uint64_t needed = (uint64_t)id_table_count(t) + count + 1;
    uint64_t size = t->young.places == NULL ? 0 : (uint64_t)t->young.mask + 1;
    if (size > 0 && needed * 4 <= size * 3) {
        return true;
    }
    move_some(t, UINT32_MAX); /* growing again while still growing: finish the former first */
    uint64_t grown = size < TABLE_SIZE_MIN ? TABLE_SIZE_MIN : size * 2;
    while (needed * 4 > grown * 3) {
        grown *= 2;
    }
    struct id_half half;
    if (!new_half(&half, grown)) {
        return false;
    }
    t->old = t->young;
    t->young = half;
    t->cursor = 0;
    t->touched = 0;
    return true;
}

void id_table_put(struct id_table *t, const struct slab *slots, uint32_t slot)
{
    struct id_half *young = &t->young;
    struct id_place place = {0, slot + 1};
    CHECK(slot < SLAB_NONE - 1);
    uint64_t id = id_of(slots, &place);
    place.home = home_of(t, id);
    CHECK(t->old.count == 0 || find(&t->old, slots, place.home, id) == NULL);
    touch_some(t);
    move_some(t, TABLE_MOVE_STEP);
    CHECK(young->count < young->mask); /* one place stays empty, or a probe would not end */
    uint32_t i = place.home & young->mask;
    for (; young->places[i].filled != 0; i = (i + PROBE_STEP) & young->mask) {
        const struct id_place *p = &young->places[i];
        CHECK(p->home != place.home || id_of(slots, p) != id); /* an id is present at most once */
    }
    young->places[i] = place;
    young->count++;
}

/* Closes the gap at i by moving back places that probed past it. */
static void close_gap(struct id_half *half, uint32_t i)
{
    uint32_t gap = i;
    uint32_t mask = half->mask;
    for (uint32_t j = (i + PROBE_STEP) & mask; half->places[j].filled != 0;
         j = (j + PROBE_STEP) & mask) {
        uint32_t from_home = ((j - half->places[j].home) * PROBE_STEP_INVERSE) & mask;
        uint32_t from_gap = ((j - gap) * PROBE_STEP_INVERSE) & mask;
        if (from_home >= from_gap) {
            half->places[gap] = half->places[j];
            gap = j;
        }
    }
    half->places[gap].filled = 0;
    half->count--;
}

bool id_table_remove(struct id_table *t, const struct slab *slots, uint64_t id)
{
    uint32_t home = home_of(t, id);
    struct id_place *p = find(&t->young, slots, home, id);
    if (p != NULL) {
        close_gap(&t->young, (uint32_t)(p - t->young.places));
        move_some(t, TABLE_MOVE_STEP);
        return true;
    }
    p = t->old.count > 0 ? find(&t->old, slots, home, id) : NULL;
    if (p == NULL) {
        return false;
    }
    p->filled = PLACE_GONE;
    t->old.count--;
    move_some(t, TABLE_MOVE_STEP);
    return true;
}

static uint32_t check_half(const struct id_table *t, const struct id_half *half,
                           const struct slab *slots)
{
    uint32_t found = 0;
    for (uint64_t i = 0; half->places != NULL && i <= half->mask; i++) {
        const struct id_place *p = &half->places[i];
        if (p->filled != 0 && p->filled != PLACE_GONE) {
            uint64_t id = id_of(slots, p);
            CHECK(p->home == home_of(t, id));
            CHECK(id_table_get(t, slots, id) == p->filled - 1);
            found++;
        }
    }
    return found;
}

void id_table_check(const struct id_table *t, const struct slab *slots)
{
    CHECK(check_half(t, &t->young, slots) == t->young.count);
    CHECK(check_half(t, &t->old, slots) == t->old.count);
}
