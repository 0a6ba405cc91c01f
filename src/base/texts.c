/*
 * texts.c - see texts.h. A slot holds a 16-bit length and the bytes; a handle is class and slot
 * index, plus one, so that zero means none. The class after the last one is that of lent texts.
 * Tests: tests/unit/test_base.c.
 */
#include "base/texts.h"

enum {
    TEXT_CLASS_SHIFT = 29,
    TEXT_SMALLEST = 32,
    TEXT_LENGTH_BYTES = 2,
    TEXT_SLOTS_MAX = (1 << TEXT_CLASS_SHIFT) - 2,
};

void texts_init(struct texts *t)
{
    for (uint32_t c = 0; c < TEXT_CLASSES; c++) {
        slab_init(&t->classes[c], (size_t)TEXT_SMALLEST << c, TEXT_SLOTS_MAX);
    }
    t->lent_count = 0;
}

void texts_fini(struct texts *t)
{
    for (uint32_t c = 0; c < TEXT_CLASSES; c++) {
        slab_fini(&t->classes[c]);
    }
}

static uint32_t texts_class(size_t size)
{
    CHECK(size <= TEXT_BYTES_MAX);
    uint32_t c = 0;
    while (((size_t)TEXT_SMALLEST << c) < size + TEXT_LENGTH_BYTES) {
        c++;
    }
    CHECK(c < TEXT_CLASSES);
    return c;
}

/* The class of a handle; a handle from a damaged snapshot can name one that does not exist. */
static uint32_t texts_handle_class(uint32_t handle)
{
    uint32_t c = (handle - 1) >> TEXT_CLASS_SHIFT;
    CHECK(c < TEXT_CLASSES);
    return c;
}

static uint32_t texts_handle_index(uint32_t handle)
{
    return (handle - 1) & ((1u << TEXT_CLASS_SHIFT) - 1);
}

bool texts_reserve(struct texts *t, uint32_t count)
{
    for (uint32_t c = 0; c < TEXT_CLASSES; c++) {
        if (!slab_reserve(&t->classes[c], count)) {
            return false;
        }
    }
    return true;
}

uint32_t texts_keep(struct texts *t, struct span text)
{
    if (text.size == 0) {
        return TEXT_NONE;
    }
    uint32_t c = texts_class(text.size);
    uint32_t index = slab_take(&t->classes[c]);
    uint8_t *slot = slab_at(&t->classes[c], index);
    uint16_t size = (uint16_t)text.size;
    memcpy(slot, &size, sizeof(size));
    memcpy(slot + TEXT_LENGTH_BYTES, text.data, text.size);
    return (c << TEXT_CLASS_SHIFT) + index + 1;
}

bool texts_known(const struct texts *t, uint32_t handle)
{
    uint32_t c = handle >> TEXT_CLASS_SHIFT;
    return handle == TEXT_NONE || (c < TEXT_CLASSES && handle != c << TEXT_CLASS_SHIFT &&
                                   slab_is_used(&t->classes[c], texts_handle_index(handle)));
}

struct span texts_at(const struct texts *t, uint32_t handle)
{
    if (handle == TEXT_NONE) {
        return SPAN_EMPTY;
    }
    uint32_t index = texts_handle_index(handle);
    if ((handle - 1) >> TEXT_CLASS_SHIFT == TEXT_CLASSES) {
        CHECK(index < t->lent_count);
        return t->lent[index];
    }
    const struct slab *s = &t->classes[texts_handle_class(handle)];
    CHECK(slab_is_used(s, index));
    const uint8_t *slot = slab_at(s, index);
    uint16_t size;
    memcpy(&size, slot, sizeof(size));
    struct span text = {(const char *)slot + TEXT_LENGTH_BYTES, size};
    return text;
}

void texts_drop(struct texts *t, uint32_t handle)
{
    if (handle != TEXT_NONE) {
        slab_release(&t->classes[texts_handle_class(handle)], texts_handle_index(handle));
    }
}

void texts_replace(struct texts *t, uint32_t *handle, struct span text)
{
    texts_drop(t, *handle);
    *handle = texts_keep(t, text);
}

uint32_t texts_lend(struct texts *t, struct span text)
{
    if (text.size == 0) {
        return TEXT_NONE;
    }
    CHECK(t->lent_count < TEXT_LENT_MAX);
    t->lent[t->lent_count] = text;
    return ((uint32_t)TEXT_CLASSES << TEXT_CLASS_SHIFT) + t->lent_count++ + 1;
}

void texts_unlend(struct texts *t)
{
    t->lent_count = 0;
}

void texts_save(const struct texts *t, struct writer *w)
{
    for (uint32_t c = 0; c < TEXT_CLASSES; c++) {
        const struct slab *s = &t->classes[c];
        slab_shape_save(s, w);
        for (uint32_t i = slab_next(s, 0); i != SLAB_NONE; i = slab_next(s, i + 1)) {
            put_text(w, texts_at(t, (c << TEXT_CLASS_SHIFT) + i + 1));
        }
    }
}

static bool texts_load_class(struct slab *s, struct reader *r)
{
    if (!slab_shape_load(s, r)) {
        return false;
    }
    for (uint32_t i = slab_next(s, 0); i != SLAB_NONE; i = slab_next(s, i + 1)) {
        struct span text = get_text(r);
        if (r->bad || text.size == 0 || text.size + TEXT_LENGTH_BYTES > s->slot_size) {
            return false;
        }
        uint8_t *slot = slab_at(s, i);
        uint16_t size = (uint16_t)text.size;
        memcpy(slot, &size, sizeof(size));
        memcpy(slot + TEXT_LENGTH_BYTES, text.data, text.size);
    }
    return true;
}

bool texts_load(struct texts *t, struct reader *r)
{
    for (uint32_t c = 0; c < TEXT_CLASSES; c++) {
        if (!texts_load_class(&t->classes[c], r)) {
            return false;
        }
    }
    return true;
}

void texts_check(const struct texts *t)
{
    for (uint32_t c = 0; c < TEXT_CLASSES; c++) {
        slab_check(&t->classes[c]);
    }
}
