/*
 * codec.h - bytes in and out, field by field, little-endian: the only way structures reach the
 * journal, a snapshot or a digest.
 *
 * Guarantees: a writer never writes past its buffer and a reader never reads past its end; the
 * first failure is remembered (overflow, bad) and everything after it is a no-op, so callers test
 * once at the end. Nothing depends on the machine's byte order or padding.
 * A writer with a flush function streams: when its buffer is full the bytes go out and it goes on.
 */
#ifndef HAKIKA_BASE_CODEC_H
#define HAKIKA_BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/span.h"

/* Takes size bytes; false means that the destination failed. */
typedef bool (*writer_flush_fn)(void *context, const uint8_t *data, size_t size);

struct writer {
    uint8_t *data;
    size_t capacity;
    size_t size;           /* bytes in data now */
    bool overflow;         /* something did not fit, or a flush failed */
    writer_flush_fn flush; /* NULL: no streaming */
    void *context;
};

struct reader {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool bad; /* something was missing or malformed */
};

static inline struct writer writer_init(void *data, size_t capacity)
{
    struct writer w = {data, capacity, 0, false, NULL, NULL};
    return w;
}

static inline struct reader reader_init(const void *data, size_t size)
{
    struct reader r = {data, size, 0, false};
    return r;
}

/* Makes room for size bytes, flushing when streaming; NULL after an overflow. */
uint8_t *writer_claim_slow(struct writer *w, size_t size);

static inline uint8_t *writer_claim(struct writer *w, size_t size)
{
    if (__builtin_expect(w->overflow || w->capacity - w->size < size, 0)) {
        return writer_claim_slow(w, size);
    }
    uint8_t *at = w->data + w->size;
    w->size += size;
    return at;
}

/* Hands out what is buffered; needed once at the end of a streamed write. */
bool writer_finish(struct writer *w) MUST_USE;

static inline const uint8_t *reader_claim(struct reader *r, size_t size)
{
    if (__builtin_expect(r->bad || r->size - r->at < size, 0)) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *at = r->data + r->at;
    r->at += size;
    return at;
}

/* The target machines are little-endian; a big-endian build swaps here and nowhere else. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte order: port codec.h");

#define CODEC_INTEGER(name, type)                           \
    static inline void put_##name(struct writer *w, type v) \
    {                                                       \
        uint8_t *at = writer_claim(w, sizeof(v));           \
        if (at != NULL) {                                   \
            memcpy(at, &v, sizeof(v));                      \
        }                                                   \
    }                                                       \
    static inline type get_##name(struct reader *r)         \
    {                                                       \
        type v = 0;                                         \
        const uint8_t *at = reader_claim(r, sizeof(v));     \
        if (at != NULL) {                                   \
            memcpy(&v, at, sizeof(v));                      \
        }                                                   \
        return v;                                           \
    }

CODEC_INTEGER(u8, uint8_t)
CODEC_INTEGER(u16, uint16_t)
CODEC_INTEGER(u32, uint32_t)
CODEC_INTEGER(u64, uint64_t)
CODEC_INTEGER(i64, int64_t)
#undef CODEC_INTEGER

/* Fields of a run of bytes that was claimed as a whole: one check of the room for all of them. Each
 * returns the place behind the field. */
#define CODEC_FIELD(name, type)                                             \
    static inline uint8_t *store_##name(uint8_t *at, type v)                \
    {                                                                       \
        memcpy(at, &v, sizeof(v));                                          \
        return at + sizeof(v);                                              \
    }                                                                       \
    static inline const uint8_t *fetch_##name(const uint8_t *at, type *out) \
    {                                                                       \
        memcpy(out, at, sizeof(*out));                                      \
        return at + sizeof(*out);                                           \
    }

CODEC_FIELD(u16, uint16_t)
CODEC_FIELD(u32, uint32_t)
CODEC_FIELD(u64, uint64_t)
CODEC_FIELD(i64, int64_t)
#undef CODEC_FIELD

/* Bytes of a length that both sides know. */
void put_raw(struct writer *w, const void *data, size_t size);
void get_raw(struct reader *r, void *out, size_t size);

/* Length (u16) and bytes; longer than 65,535 is an overflow. */
void put_text(struct writer *w, struct span text);
/* The span points into the reader's data. */
struct span get_text(struct reader *r);

/* True when everything was read and nothing was bad. */
static inline bool reader_done(const struct reader *r)
{
    return !r->bad && r->at == r->size;
}

#endif
