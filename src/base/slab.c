/*
 * slab.c - see slab.h. Tests: tests/unit/test_base.c.
 */
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

#include "base/large.h"

enum {
    SLAB_CHUNK_BYTES = 32 * 1024,
    /* The first 512 KiB or less come as they are asked for, in one piece each time: what nobody
     * uses is not touched. The rest comes in regions that can have huge pages; of this size, as
     * the C library never has any in stock, so that it need not clear them. */
    SLAB_FIRST_CHUNKS = 16,
    SLAB_REGION_BYTES = 32 * 1024 * 1024,
};

void slab_init(struct slab *s, size_t slot_size, uint32_t slots_max)
{
    CHECK(slot_size >= sizeof(uint32_t));
    CHECK(slots_max < SLAB_NONE);
    memset(s, 0, sizeof(*s));
    s->slot_size = (uint32_t)((slot_size + 7) & ~(size_t)7);
    s->slots_max = slots_max;
    s->free_head = SLAB_NONE;
    while (((size_t)s->slot_size << (s->chunk_shift + 1)) <= SLAB_CHUNK_BYTES) {
        s->chunk_shift++;
    }
}

static size_t slab_chunk_bytes(const struct slab *s)
{
    return (size_t)s->slot_size << s->chunk_shift;
}

/* Chunks in one region: one, when a slot is that large. */
static uint32_t slab_region_chunks(const struct slab *s)
{
    size_t chunks = SLAB_REGION_BYTES / slab_chunk_bytes(s);
    return chunks == 0 ? 1 : (uint32_t)chunks;
}

/* Does memory of its own begin with this chunk? */
static bool slab_begins(const struct slab *s, uint32_t chunk)
{
    if (chunk < SLAB_FIRST_CHUNKS) {
        return (s->first_begins >> chunk & 1) != 0;
    }
    return (chunk - SLAB_FIRST_CHUNKS) % slab_region_chunks(s) == 0;
}

void slab_fini(struct slab *s)
{
    for (uint32_t i = 0; i < s->chunk_count; i++) {
        if (slab_begins(s, i)) {
            free(s->chunks[i]);
        }
    }
    free(s->chunks);
    free(s->used_bits);
    memset(s, 0, sizeof(*s));
    s->free_head = SLAB_NONE;
}

static size_t slab_words(const struct slab *s, uint32_t chunks)
{
    return (((size_t)chunks << s->chunk_shift) + 63) / 64;
}

static bool slab_grow_directory(struct slab *s)
{
    size_t words = slab_words(s, s->chunk_room);
    uint32_t room = s->chunk_room == 0 ? 8 : s->chunk_room * 2;
    uint8_t **chunks = realloc(s->chunks, room * sizeof(*chunks));
    if (chunks == NULL) {
        return false;
    }
    s->chunks = chunks;
    uint64_t *bits = realloc(s->used_bits, slab_words(s, room) * sizeof(*bits));
    if (bits == NULL) {
        return false;
    }
    memset(bits + words, 0, (slab_words(s, room) - words) * sizeof(*bits));
    s->used_bits = bits;
    s->chunk_room = room;
    return true;
}

/* Memory for the next chunks, of which at least `wanted` are needed. */
static uint8_t *slab_piece(struct slab *s, uint64_t wanted)
{
    uint64_t count = slab_region_chunks(s);
    if (s->chunk_count < SLAB_FIRST_CHUNKS) {
        uint32_t left = SLAB_FIRST_CHUNKS - s->chunk_count;
        count = wanted < left ? wanted : left;
    }
    uint8_t *piece = large_zeroed(count, slab_chunk_bytes(s));
    if (piece != NULL) {
        s->piece_left = (uint32_t)count;
        s->first_begins |= s->chunk_count < SLAB_FIRST_CHUNKS ? 1u << s->chunk_count : 0;
    }
    return piece;
}

static bool slab_add_chunk(struct slab *s, uint64_t wanted)
{
    if (s->chunk_count == s->chunk_room && !slab_grow_directory(s)) {
        return false;
    }
    uint8_t *chunk = s->piece_left > 0 ? s->chunks[s->chunk_count - 1] + slab_chunk_bytes(s)
                                       : slab_piece(s, wanted);
    if (chunk == NULL) {
        return false;
    }
    s->piece_left--;
    s->chunks[s->chunk_count++] = chunk;
    return true;
}

bool slab_reserve(struct slab *s, uint32_t count)
{
    uint32_t free_slots = s->high_water - s->used;
    if (count <= free_slots) {
        return true;
    }
    uint64_t needed = (uint64_t)s->high_water + (count - free_slots);
    if (needed > s->slots_max) {
        return false;
    }
    uint64_t chunks = (needed + (1u << s->chunk_shift) - 1) >> s->chunk_shift;
    while (s->chunk_count < chunks) {
        if (!slab_add_chunk(s, chunks - s->chunk_count)) {
            return false;
        }
    }
    return true;
}

static uint64_t *slab_word(const struct slab *s, uint32_t index)
{
    return &s->used_bits[index / 64];
}

bool slab_is_used(const struct slab *s, uint32_t index)
{
    return index < s->high_water && (*slab_word(s, index) >> (index % 64) & 1) != 0;
}

uint32_t slab_take(struct slab *s)
{
    uint32_t index = s->free_head;
    if (index != SLAB_NONE) {
        uint8_t *slot = slab_at(s, index);
        memcpy(&s->free_head, slot, sizeof(s->free_head));
        memset(slot, 0, s->slot_size);
    } else {
        index = s->high_water;
        CHECK(((uint64_t)s->chunk_count << s->chunk_shift) > index);
        s->high_water++;
    }
    CHECK(!slab_is_used(s, index));
    *slab_word(s, index) |= (uint64_t)1 << (index % 64);
    s->used++;
    return index;
}

void slab_release(struct slab *s, uint32_t index)
{
    CHECK(slab_is_used(s, index));
    uint8_t *slot = slab_at(s, index);
    memset(slot, 0, s->slot_size);
    memcpy(slot, &s->free_head, sizeof(s->free_head));
    s->free_head = index;
    *slab_word(s, index) &= ~((uint64_t)1 << (index % 64));
    s->used--;
}

uint32_t slab_next(const struct slab *s, uint32_t index)
{
    while (index < s->high_water) {
        uint64_t word = *slab_word(s, index) >> (index % 64);
        if (word != 0) {
            uint32_t found = index + (uint32_t)__builtin_ctzll(word);
            return found < s->high_water ? found : SLAB_NONE;
        }
        index = (index / 64 + 1) * 64;
    }
    return SLAB_NONE;
}

void slab_shape_save(const struct slab *s, struct writer *w)
{
    put_u32(w, s->high_water);
    put_u32(w, s->high_water - s->used);
    uint32_t count = 0;
    for (uint32_t i = s->free_head; i != SLAB_NONE; count++) {
        put_u32(w, i);
        memcpy(&i, slab_at(s, i), sizeof(i));
    }
    CHECK(count == s->high_water - s->used);
}

/* Marks all as used, then frees the listed ones in reverse, which rebuilds the same list. */
static bool slab_shape_free(struct slab *s, struct reader *r, uint32_t count)
{
    const uint8_t *list = reader_claim(r, (size_t)count * sizeof(uint32_t));
    if (list == NULL) {
        return false;
    }
    for (uint32_t i = count; i > 0; i--) {
        uint32_t index;
        memcpy(&index, list + (size_t)(i - 1) * sizeof(index), sizeof(index));
        if (!slab_is_used(s, index)) {
            return false;
        }
        slab_release(s, index);
    }
    return true;
}

bool slab_shape_load(struct slab *s, struct reader *r)
{
    CHECK(s->high_water == 0);
    uint32_t high_water = get_u32(r);
    uint32_t free_count = get_u32(r);
    /* Every slot has bytes that follow, so that a false number cannot ask for all memory. */
    if (r->bad || free_count > high_water || high_water > r->size - r->at ||
        !slab_reserve(s, high_water)) {
        return false;
    }
    for (uint32_t i = 0; i < high_water; i++) {
        (void)slab_take(s);
    }
    return slab_shape_free(s, r, free_count);
}

void slab_check(const struct slab *s)
{
    uint32_t used = 0;
    for (uint32_t i = slab_next(s, 0); i != SLAB_NONE; i = slab_next(s, i + 1)) {
        used++;
    }
    CHECK(used == s->used);
    uint32_t free_count = 0;
    for (uint32_t i = s->free_head; i != SLAB_NONE; free_count++) {
        CHECK(i < s->high_water && !slab_is_used(s, i));
        CHECK(free_count < s->high_water);
        memcpy(&i, slab_at(s, i), sizeof(i));
    }
    CHECK(used + free_count == s->high_water);
}
