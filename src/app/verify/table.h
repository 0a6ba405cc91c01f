/*
 * table.h - the auditor's own memory: growing arrays and a table from a 64-bit key to a small
 * record. Deliberately not base/map and base/slab, which the audited code uses.
 *
 * Guarantees: nothing is lost or found wrongly; memory that runs out is an answer, never a crash.
 * A pointer into either stays valid until the next addition to it.
 */
#ifndef HAKIKA_APP_VERIFY_TABLE_H
#define HAKIKA_APP_VERIFY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct array {
    uint8_t *items;
    size_t item_size;
    uint64_t count;
    uint64_t room;
};

void array_init(struct array *a, size_t item_size);
void array_fini(struct array *a);
/* A zeroed item at the end; NULL: no memory. */
void *array_add(struct array *a);
/* NULL when there is no such item. */
void *array_at(const struct array *a, uint64_t index);
void array_clear(struct array *a);
/* Of a struct that was copied by value: gives it memory of its own. False: no memory, and it is
 * empty. */
bool array_own(struct array *a);

/* Open addressing, linear probing; no key is there twice. */
struct table {
    uint8_t *slots; /* key, flag, record */
    size_t slot_size;
    uint64_t count;
    uint64_t room; /* slots, a power of two, or 0 */
};

void table_init(struct table *t, size_t record_size);
void table_fini(struct table *t);
/* The record; NULL when the key is absent. */
void *table_find(const struct table *t, uint64_t key);
/* The zeroed record of a key that must be absent; NULL: no memory. */
void *table_add(struct table *t, uint64_t key);
/* The key must be there. */
void table_remove(struct table *t, uint64_t key);
void table_clear(struct table *t);
bool table_own(struct table *t); /* as array_own */

#endif
