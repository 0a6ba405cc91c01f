/*
 * codec.c - the parts of the codec that are not worth inlining. Tests: tests/unit/test_base.c.
 */
#include "base/codec.h"

uint8_t *writer_claim_slow(struct writer *w, size_t size)
{
    CHECK(w->size <= w->capacity);
    if (w->overflow || w->flush == NULL || size > w->capacity || !writer_finish(w)) {
        w->overflow = true;
        return NULL;
    }
    w->size = size;
    return w->data;
}

bool writer_finish(struct writer *w)
{
    if (w->overflow) {
        return false;
    }
    if (w->flush != NULL && w->size > 0) {
        if (!w->flush(w->context, w->data, w->size)) {
            w->overflow = true;
            return false;
        }
        w->size = 0;
    }
    return true;
}

void put_raw(struct writer *w, const void *data, size_t size)
{
    uint8_t *at = writer_claim(w, size);
    if (at != NULL && size > 0) {
        memcpy(at, data, size);
    }
}

void get_raw(struct reader *r, void *out, size_t size)
{
    const uint8_t *at = reader_claim(r, size);
    if (at != NULL && size > 0) {
        memcpy(out, at, size);
    } else {
        memset(out, 0, size);
    }
}

void put_text(struct writer *w, struct span text)
{
    if (text.size > UINT16_MAX) {
        w->overflow = true;
        return;
    }
    put_u16(w, (uint16_t)text.size);
    put_raw(w, text.data, text.size);
}

struct span get_text(struct reader *r)
{
    uint16_t size = get_u16(r);
    const uint8_t *at = reader_claim(r, size);
    struct span text = {(const char *)at, at == NULL ? 0 : size};
    return text;
}
