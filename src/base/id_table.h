/*
 * id_table.h - finds the slot of a slab by the 64-bit id that the slot begins with. Half the memory
 * of a map from ids: 8 bytes a place, and the id itself is read from the slot. For ids that are
 * mostly handed out in sequence: 64 that follow each other share half a kilobyte.
 *
 * Grows a few places at a time, so that no single operation stalls. An id is present at most once.
 * The order of places is never used for anything: snapshots walk the slab.
 * Every call is given the slab, so that the table may be moved in memory together with it.
 * Invariants (id_table_check): every place is found again; the counts match; the newer half always
 * has room for everything in the older one plus what was reserved.
 */
#ifndef HAKIKA_BASE_ID_TABLE_H
#define HAKIKA_BASE_ID_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slab.h"

struct id_place {
    uint32_t home;   /* where its id would stand in a table of 2^32 places */
    uint32_t filled; /* slot + 1; 0: empty, so that a fresh table is all zeros */
};

struct id_half {
    struct id_place *places;
    uint32_t mask; /* size - 1 */
    uint32_t count;
};

struct id_table {
    struct id_half young;
    struct id_half old; /* places == NULL: not growing */
    uint32_t cursor;    /* next place of old to move */
    uint32_t touched;   /* places of young whose memory was asked for */
    uint64_t seed;
};

/* seed: any number. Allocates nothing. */
void id_table_init(struct id_table *t, uint64_t seed);
void id_table_fini(struct id_table *t);

/* Room for `count` more ids without allocation. False: no memory. */
bool id_table_reserve(struct id_table *t, uint32_t count) MUST_USE;

/* The slot that begins with this id; SLAB_NONE: there is none. */
uint32_t id_table_get(const struct id_table *t, const struct slab *slots, uint64_t id);
/* Adds the id that the slot begins with; CHECKs that it is absent and that room was reserved. */
void id_table_put(struct id_table *t, const struct slab *slots, uint32_t slot);
/* Removes an id whose slot still begins with it; false when it is absent. */
bool id_table_remove(struct id_table *t, const struct slab *slots, uint64_t id);

static inline uint32_t id_table_count(const struct id_table *t)
{
    return t->young.count + t->old.count;
}

void id_table_check(const struct id_table *t, const struct slab *slots);

#endif
