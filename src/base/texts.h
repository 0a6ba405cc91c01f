/*
 * texts.h - short byte strings with an owner, kept in slabs by size class and named by a handle:
 * no heap allocation per string, no fragmentation, canonical in snapshots.
 *
 * Guarantees: texts_reserve is the only function that allocates; a handle stays valid until
 * texts_drop. TEXT_NONE is the empty text and needs no dropping. A lent text is the caller's bytes
 * under a handle, for a while: no part of what is kept, saved or checked.
 */
#ifndef HAKIKA_BASE_TEXTS_H
#define HAKIKA_BASE_TEXTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/slab.h"
#include "base/span.h"

enum {
    TEXT_NONE = 0,
    TEXT_CLASSES = 7,
    TEXT_BYTES_MAX = 2046, /* largest class, less the length */
    TEXT_LENT_MAX = 160,   /* at once */
};

struct texts {
    struct slab classes[TEXT_CLASSES]; /* 32, 64, 128, 256, 512, 1024, 2048 bytes */
    struct span lent[TEXT_LENT_MAX];   /* memory only */
    uint32_t lent_count;
};

void texts_init(struct texts *t);
void texts_fini(struct texts *t);
/* Room for `count` more texts of any size. */
bool texts_reserve(struct texts *t, uint32_t count) MUST_USE;
/* Copies; CHECKs that room was reserved and size <= TEXT_BYTES_MAX. Empty gives TEXT_NONE. */
uint32_t texts_keep(struct texts *t, struct span text);
/* Is it the handle of a text that is kept here (or TEXT_NONE)? For handles that were read. */
bool texts_known(const struct texts *t, uint32_t handle);
struct span texts_at(const struct texts *t, uint32_t handle);
void texts_drop(struct texts *t, uint32_t handle);
/* Another text in place of what *handle names: drops the one and keeps the other, whose room was
 * reserved. */
void texts_replace(struct texts *t, uint32_t *handle, struct span text);
/* Lends somebody else's bytes a handle until texts_unlend; CHECKs that there is room. */
uint32_t texts_lend(struct texts *t, struct span text);
/* Ends all loans: their handles are void. */
void texts_unlend(struct texts *t);
void texts_save(const struct texts *t, struct writer *w);
bool texts_load(struct texts *t, struct reader *r) MUST_USE;
void texts_check(const struct texts *t);

#endif
