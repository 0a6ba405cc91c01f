/*
 * map.h - a hash table from a 64-bit key to a 32-bit value (a slot index), which grows a few
 * entries at a time so that no single operation stalls.
 *
 * Keys are ids, or hashes whose owner compares the real thing after the look-up. A key is present
 * at most once. Iteration order is never used for anything: snapshots walk slabs.
 * Invariants (map_check): every entry is found again by map_get; count matches; the newer table
 * always has room for everything in the older one plus what was reserved.
 */
#ifndef HAKIKA_BASE_MAP_H
#define HAKIKA_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

#define MAP_NONE UINT32_MAX

struct map_entry {
    uint64_t key;
    uint32_t filled; /* value + 1; 0: empty, so that a fresh table is all zeros */
    uint32_t moved;  /* in the older table: entry was moved or removed, keep probing */
};

struct map_table {
    struct map_entry *entries;
    uint32_t mask; /* size - 1 */
    uint32_t count;
};

struct map {
    struct map_table young;
    struct map_table old; /* entries == NULL: not growing */
    uint32_t cursor;      /* next entry of old to move */
    uint32_t touched;     /* entries of young whose memory was asked for, see map_touch_some */
    uint64_t seed;
    bool sequential; /* ids handed out in sequence: neighbours lie together */
};

enum map_keys {
    MAP_HASHED = 0,     /* any keys */
    MAP_SEQUENTIAL = 1, /* ids handed out in sequence: 64 of them share a kilobyte */
};

/* seed: any number. Allocates nothing. */
void map_init(struct map *m, uint64_t seed, enum map_keys keys);
void map_fini(struct map *m);

/* Room for `count` more entries without allocation. False: no memory. */
bool map_reserve(struct map *m, uint32_t count) MUST_USE;

/* MAP_NONE when absent. */
uint32_t map_get(const struct map *m, uint64_t key);
/* Adds; CHECKs that the key is absent and that room was reserved. */
void map_put(struct map *m, uint64_t key, uint32_t value);
/* Removes; false when absent. */
bool map_remove(struct map *m, uint64_t key);

static inline uint32_t map_count(const struct map *m)
{
    return m->young.count + m->old.count;
}

void map_check(const struct map *m);

#endif
