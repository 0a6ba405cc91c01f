/*
 * map.c - see map.h. Open addressing; deletion in the young table shifts entries back, so that it
 * never holds tombstones; the old table is only ever emptied. Tests: tests/unit/test_base.c.
 *
 * Sequential keys: 64 ids that follow each other share one kilobyte, so that a run of them costs
 * one cache and TLB miss instead of 64; each such block is turned by an offset of its own, so that
 * ids which are all multiples of something spread as well. A probe goes 65 entries on: out of the
 * full block that it met, and, 65 being odd, once through the whole table before it comes back.
 * (Going one entry on, two blocks in one place would cost 64 probes each.)
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/large.h"

enum {
    MAP_SIZE_MIN = 16,
    MAP_MOVE_STEP = 8, /* entries of the old table looked at per change */
    MAP_PAGE_BYTES = 4096,
    MAP_TOUCH_STEP = 64, /* entries of the young table asked for per entry added */
};

enum {
    MAP_RUN_SHIFT = 6,
    MAP_RUN = 1 << MAP_RUN_SHIFT,
};

/* The inverse of 65 modulo 2^32: how many steps of a probe one entry is from another. */
#define MAP_STEP_INVERSE 3237744577u
_Static_assert((uint32_t)((MAP_RUN + 1) * MAP_STEP_INVERSE) == 1u, "inverse of the probe's step");

void map_init(struct map *m, uint64_t seed, enum map_keys keys)
{
    memset(m, 0, sizeof(*m));
    m->seed = seed;
    m->sequential = keys == MAP_SEQUENTIAL;
}

static void map_free_table(struct map_table *t)
{
    large_free_excluded(t->entries, ((size_t)t->mask + 1) * sizeof(*t->entries));
    memset(t, 0, sizeof(*t));
}

void map_fini(struct map *m)
{
    map_free_table(&m->young);
    map_free_table(&m->old);
    map_init(m, m->seed, m->sequential ? MAP_SEQUENTIAL : MAP_HASHED);
}

static uint32_t map_home(const struct map *m, const struct map_table *t, uint64_t key)
{
    if (!m->sequential) {
        return (uint32_t)hash_u64(key, m->seed) & t->mask;
    }
    uint64_t h = hash_u64(key >> MAP_RUN_SHIFT, m->seed);
    uint64_t inside = (key + (h >> 58)) & (MAP_RUN - 1);
    return (uint32_t)(h << MAP_RUN_SHIFT | inside) & t->mask;
}

static uint32_t map_next(const struct map *m, const struct map_table *t, uint32_t i)
{
    return (i + (m->sequential ? MAP_RUN + 1 : 1)) & t->mask;
}

/* Steps of a probe from one entry to another. */
static uint32_t map_steps(const struct map *m, const struct map_table *t, uint32_t from,
                          uint32_t to)
{
    return ((to - from) * (m->sequential ? MAP_STEP_INVERSE : 1)) & t->mask;
}

/* The entry of the key in this table, or NULL. */
static struct map_entry *map_find(const struct map *m, const struct map_table *t, uint64_t key)
{
    if (t->entries == NULL) {
        return NULL;
    }
    for (uint32_t i = map_home(m, t, key);; i = map_next(m, t, i)) {
        struct map_entry *e = &t->entries[i];
        if (e->filled == 0 && e->moved == 0) {
            return NULL;
        }
        if (e->moved == 0 && e->key == key) {
            return e;
        }
    }
}

uint32_t map_get(const struct map *m, uint64_t key)
{
    const struct map_entry *e = map_find(m, &m->young, key);
    if (e == NULL && m->old.count > 0) {
        e = map_find(m, &m->old, key);
    }
    return e == NULL ? MAP_NONE : e->filled - 1;
}

static void map_insert(struct map *m, uint64_t key, uint32_t value)
{
    struct map_table *t = &m->young;
    CHECK(t->entries != NULL);
    CHECK(t->count < t->mask); /* one entry stays empty, or a probe would not end */
    uint32_t i = map_home(m, t, key);
    while (t->entries[i].filled != 0) {
        CHECK(t->entries[i].key != key); /* a key is present at most once */
        i = map_next(m, t, i);
    }
    t->entries[i].key = key;
    t->entries[i].filled = value + 1;
    t->count++;
}

static void map_move_some(struct map *m, uint32_t limit)
{
    struct map_table *old = &m->old;
    while (old->entries != NULL && limit > 0) {
        if (old->count == 0 || m->cursor > old->mask) {
            CHECK(old->count == 0);
            map_free_table(old);
            m->cursor = 0;
            return;
        }
        struct map_entry *e = &old->entries[m->cursor++];
        if (e->filled != 0 && e->moved == 0) {
            map_insert(m, e->key, e->filled - 1);
            e->moved = 1;
            old->count--;
        }
        limit--;
    }
}

/*
 * Writes to the pages of a fresh table in order, ahead of those who look keys up: a page that is
 * read first costs the kernel twice, once for a page of zeros that all share and once, with a
 * message to every other processor, for one of its own. Young entries are never `moved`, so that
 * this write changes nothing.
 */
static void map_touch_some(struct map *m)
{
    if (m->touched > m->young.mask) {
        return;
    }
    if (m->touched % (MAP_PAGE_BYTES / sizeof(struct map_entry)) == 0) {
        *(volatile uint32_t *)&m->young.entries[m->touched].moved = 0;
    }
    m->touched += MAP_TOUCH_STEP;
}

static bool map_new_table(struct map_table *t, uint64_t size)
{
    if (size > (uint64_t)1 << 31) {
        return false;
    }
    struct map_entry *entries = large_zeroed(size, sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    large_exclude_from_fork(entries, size * sizeof(*entries)); /* snapshots walk slabs */
    t->entries = entries;
    t->mask = (uint32_t)(size - 1);
    t->count = 0;
    return true;
}

bool map_reserve(struct map *m, uint32_t count)
{
    uint64_t needed = (uint64_t)map_count(m) + count + 1;
    uint64_t size = m->young.entries == NULL ? 0 : (uint64_t)m->young.mask + 1;
    if (size > 0 && needed * 4 <= size * 3) {
        return true;
    }
    map_move_some(m, UINT32_MAX); /* growing again while still growing: finish the former first */
    uint64_t grown = size < MAP_SIZE_MIN ? MAP_SIZE_MIN : size * 2;
    while (needed * 4 > grown * 3) {
        grown *= 2;
    }
    struct map_table table;
    if (!map_new_table(&table, grown)) {
        return false;
    }
    m->old = m->young;
    m->young = table;
    m->cursor = 0;
    m->touched = 0;
    return true;
}

void map_put(struct map *m, uint64_t key, uint32_t value)
{
    CHECK(value != MAP_NONE);
    CHECK(m->old.count == 0 || map_find(m, &m->old, key) == NULL);
    map_touch_some(m);
    map_move_some(m, MAP_MOVE_STEP);
    map_insert(m, key, value);
}

/* Closes the gap at i by moving back entries that probed past it. */
static void map_close_gap(struct map *m, uint32_t i)
{
    struct map_table *t = &m->young;
    uint32_t gap = i;
    for (uint32_t j = map_next(m, t, i); t->entries[j].filled != 0; j = map_next(m, t, j)) {
        uint32_t home = map_home(m, t, t->entries[j].key);
        if (map_steps(m, t, home, j) >= map_steps(m, t, gap, j)) {
            t->entries[gap] = t->entries[j];
            gap = j;
        }
    }
    t->entries[gap].filled = 0;
    t->count--;
}

bool map_remove(struct map *m, uint64_t key)
{
    struct map_entry *e = map_find(m, &m->young, key);
    if (e != NULL) {
        map_close_gap(m, (uint32_t)(e - m->young.entries));
        map_move_some(m, MAP_MOVE_STEP);
        return true;
    }
    e = m->old.count > 0 ? map_find(m, &m->old, key) : NULL;
    if (e == NULL) {
        return false;
    }
    e->moved = 1;
    m->old.count--;
    map_move_some(m, MAP_MOVE_STEP);
    return true;
}

static uint32_t map_check_table(const struct map *m, const struct map_table *t)
{
    uint32_t found = 0;
    for (uint64_t i = 0; t->entries != NULL && i <= t->mask; i++) {
        const struct map_entry *e = &t->entries[i];
        if (e->filled != 0 && e->moved == 0) {
            CHECK(map_get(m, e->key) == e->filled - 1);
            found++;
        }
    }
    return found;
}

void map_check(const struct map *m)
{
    CHECK(map_check_table(m, &m->young) == m->young.count);
    CHECK(map_check_table(m, &m->old) == m->old.count);
}
