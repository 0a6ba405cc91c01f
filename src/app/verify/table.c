/*
 * table.c - see table.h. Tests: tests/unit/test_verify.c.
 */
#include "app/verify/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum {
    ARRAY_ROOM_FIRST = 64,
    TABLE_ROOM_FIRST = 64,
    SLOT_HEADER_BYTES = 16, /* key, and whether the slot is taken */
};

void array_init(struct array *a, size_t item_size)
{
    memset(a, 0, sizeof(*a));
    a->item_size = item_size;
}

void array_fini(struct array *a)
{
    free(a->items);
    array_init(a, a->item_size);
}

void *array_add(struct array *a)
{
    if (a->count == a->room) {
        uint64_t room = a->room == 0 ? ARRAY_ROOM_FIRST : a->room * 2;
        uint8_t *items = realloc(a->items, (size_t)room * a->item_size);
        if (items == NULL) {
            return NULL;
        }
        a->items = items;
        a->room = room;
    }
    void *item = a->items + (size_t)a->count * a->item_size;
    memset(item, 0, a->item_size);
    a->count++;
    return item;
}

void *array_at(const struct array *a, uint64_t index)
{
    return index < a->count ? a->items + (size_t)index * a->item_size : NULL;
}

void array_clear(struct array *a)
{
    a->count = 0;
}

/* A copy of so many bytes; NULL: no memory, or nothing to copy. */
static uint8_t *duplicate(const uint8_t *bytes, uint64_t count, size_t size)
{
    uint8_t *copy = count > 0 ? malloc((size_t)count * size) : NULL;
    if (copy != NULL) {
        memcpy(copy, bytes, (size_t)count * size);
    }
    return copy;
}

bool array_own(struct array *a)
{
    bool empty = a->count == 0;
    a->items = duplicate(a->items, a->count, a->item_size);
    a->room = a->items != NULL ? a->count : 0;
    a->count = a->room;
    return empty || a->items != NULL;
}

bool table_own(struct table *t)
{
    bool empty = t->room == 0;
    t->slots = duplicate(t->slots, t->room, t->slot_size);
    t->count = t->slots != NULL ? t->count : 0;
    t->room = t->slots != NULL ? t->room : 0;
    return empty || t->slots != NULL;
}

static uint64_t slot_key(const uint8_t *slot)
{
    uint64_t key;
    memcpy(&key, slot, sizeof(key));
    return key;
}

static bool slot_taken(const uint8_t *slot)
{
    return slot[8] != 0;
}

static uint8_t *slot_at(const struct table *t, uint64_t index)
{
    return t->slots + (size_t)index * t->slot_size;
}

/* Where a key would like to be: the high bits of a product, which every bit of the key reaches. */
static uint64_t slot_home(const struct table *t, uint64_t key)
{
    uint64_t mixed = (key ^ key >> 32) * 0x9fb21c651e98df25u;
    return (mixed ^ mixed >> 29) & (t->room - 1);
}

void table_init(struct table *t, size_t record_size)
{
    memset(t, 0, sizeof(*t));
    t->slot_size = SLOT_HEADER_BYTES + (record_size + 7) / 8 * 8;
}

void table_fini(struct table *t)
{
    free(t->slots);
    t->slots = NULL;
    t->count = 0;
    t->room = 0;
}

void table_clear(struct table *t)
{
    if (t->count > 0) {
        memset(t->slots, 0, (size_t)t->room * t->slot_size);
    }
    t->count = 0;
}

/* The slot of the key, or the free one where it belongs. */
static uint8_t *slot_probe(const struct table *t, uint64_t key)
{
    uint64_t index = slot_home(t, key);
    uint8_t *slot = slot_at(t, index);
    while (slot_taken(slot) && slot_key(slot) != key) {
        index = (index + 1) & (t->room - 1);
        slot = slot_at(t, index);
    }
    return slot;
}

void *table_find(const struct table *t, uint64_t key)
{
    if (t->count == 0) {
        return NULL;
    }
    uint8_t *slot = slot_probe(t, key);
    return slot_taken(slot) ? slot + SLOT_HEADER_BYTES : NULL;
}

static bool table_grow(struct table *t)
{
    struct table bigger = *t;
    bigger.room = t->room == 0 ? TABLE_ROOM_FIRST : t->room * 2;
    bigger.slots = calloc((size_t)bigger.room, t->slot_size);
    if (bigger.slots == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < t->room; i++) {
        const uint8_t *slot = slot_at(t, i);
        if (slot_taken(slot)) {
            memcpy(slot_probe(&bigger, slot_key(slot)), slot, t->slot_size);
        }
    }
    free(t->slots);
    *t = bigger;
    return true;
}

void *table_add(struct table *t, uint64_t key)
{
    if (t->count * 4 >= t->room * 3 && !table_grow(t)) {
        return NULL;
    }
    uint8_t *slot = slot_probe(t, key);
    CHECK(!slot_taken(slot));
    memset(slot, 0, t->slot_size);
    memcpy(slot, &key, sizeof(key));
    slot[8] = 1;
    t->count++;
    return slot + SLOT_HEADER_BYTES;
}

/* Moves what probed past the hole back into it, so that no marker of removal is needed. */
void table_remove(struct table *t, uint64_t key)
{
    uint64_t mask = t->room - 1;
    uint8_t *hole = slot_probe(t, key);
    CHECK(slot_taken(hole));
    uint64_t hole_index = (uint64_t)(hole - t->slots) / t->slot_size;
    for (uint64_t i = (hole_index + 1) & mask; slot_taken(slot_at(t, i)); i = (i + 1) & mask) {
        uint64_t home = slot_home(t, slot_key(slot_at(t, i)));
        if (((i - home) & mask) >= ((i - hole_index) & mask)) {
            memcpy(slot_at(t, hole_index), slot_at(t, i), t->slot_size);
            hole_index = i;
        }
    }
    memset(slot_at(t, hole_index), 0, t->slot_size);
    t->count--;
}
