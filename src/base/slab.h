/*
 * slab.h - a growing table of equal-sized slots, named by index: pointers stay valid while the
 * table grows, a free slot is reused in last-freed-first order, and a walk in index order is the
 * canonical order of snapshots and digests.
 *
 * Invariants (slab_check)
 *  1. used + free = high_water; every index below high_water is used or on the free list, not both.
 *  2. slots beyond high_water have never been handed out.
 *  3. growth never moves a slot; slab_reserve is the only function that allocates.
 */
#ifndef HAKIKA_BASE_SLAB_H
#define HAKIKA_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"

#define SLAB_NONE UINT32_MAX

struct slab {
    uint8_t **chunks;    /* chunk i holds slots [i << shift, (i + 1) << shift) */
    uint64_t *used_bits; /* one bit a slot */
    uint32_t chunk_count;
    uint32_t chunk_room;   /* chunks that `chunks` and used_bits have room for */
    uint32_t piece_left;   /* chunks of the newest piece of memory that are not used yet */
    uint32_t first_begins; /* of the first chunks, a bit each: a piece begins there */
    uint32_t chunk_shift;  /* slots per chunk as a power of two */
    uint32_t slot_size;    /* at least 4, a multiple of 8 */
    uint32_t used;
    uint32_t high_water;
    uint32_t free_head; /* SLAB_NONE: no free slot below high_water */
    uint32_t slots_max; /* hard limit */
};

/* slot_size in bytes; slots_max at most UINT32_MAX - 1. Allocates nothing. */
void slab_init(struct slab *s, size_t slot_size, uint32_t slots_max);
void slab_fini(struct slab *s);

/* Makes sure that `count` more slots can be taken without allocation. False: limit or memory. */
bool slab_reserve(struct slab *s, uint32_t count) MUST_USE;

/* Takes a zeroed slot; CHECKs that one was reserved. */
uint32_t slab_take(struct slab *s);
void slab_release(struct slab *s, uint32_t index);

bool slab_is_used(const struct slab *s, uint32_t index);

static inline void *slab_at(const struct slab *s, uint32_t index)
{
    CHECK(index < s->high_water);
    uint32_t mask = (1u << s->chunk_shift) - 1;
    return s->chunks[index >> s->chunk_shift] + (size_t)(index & mask) * s->slot_size;
}

/* The used slot at or after index, SLAB_NONE at the end: for (i = slab_next(s, 0); ...). */
uint32_t slab_next(const struct slab *s, uint32_t index);

/* The shape (which slots are used, order of the free list), so that a restored slab hands out the
 * same indexes as the original would. Contents are the owner's to save right after, in index order,
 * at least one byte for each used slot. */
void slab_shape_save(const struct slab *s, struct writer *w);
/* Into an empty slab: afterwards the used slots exist, zeroed. False: malformed or no memory. */
bool slab_shape_load(struct slab *s, struct reader *r) MUST_USE;

void slab_check(const struct slab *s);

#endif
