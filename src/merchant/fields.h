/*
 * fields.h - lists of fields that give a struct and both directions of its bytes, so that the three
 * cannot drift apart: X(type, name) with the types u8, u16, u32, u64, i64, flag, raw16 and text.
 *
 * Guarantees: fixed widths, little-endian, in the order of the list. A list that stands in a
 * journal is frozen: another field is another list, under a new number.
 */
#ifndef HAKIKA_MERCHANT_FIELDS_H
#define HAKIKA_MERCHANT_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/span.h"

#define FIELD_C_u8(name)          uint8_t name;
#define FIELD_C_u16(name)         uint16_t name;
#define FIELD_C_u32(name)         uint32_t name;
#define FIELD_C_u64(name)         uint64_t name;
#define FIELD_C_i64(name)         int64_t name;
#define FIELD_C_flag(name)        bool name;
#define FIELD_C_raw16(name)       uint8_t name[16];
#define FIELD_C_text(name)        struct span name;
#define FIELD_DECLARE(type, name) FIELD_C_##type(name)

/* Into w (a struct writer *) from e-> */
#define FIELD_PUT_u8(name)    put_u8(w, e->name);
#define FIELD_PUT_u16(name)   put_u16(w, e->name);
#define FIELD_PUT_u32(name)   put_u32(w, e->name);
#define FIELD_PUT_u64(name)   put_u64(w, e->name);
#define FIELD_PUT_i64(name)   put_i64(w, e->name);
#define FIELD_PUT_flag(name)  put_u8(w, e->name);
#define FIELD_PUT_raw16(name) put_raw(w, e->name, 16);
#define FIELD_PUT_text(name)  put_text(w, e->name);
#define FIELD_PUT(type, name) FIELD_PUT_##type(name)

/* From r (a struct reader *) to e-> */
#define FIELD_GET_u8(name)    e->name = get_u8(r);
#define FIELD_GET_u16(name)   e->name = get_u16(r);
#define FIELD_GET_u32(name)   e->name = get_u32(r);
#define FIELD_GET_u64(name)   e->name = get_u64(r);
#define FIELD_GET_i64(name)   e->name = get_i64(r);
#define FIELD_GET_flag(name)  e->name = fields_flag(r);
#define FIELD_GET_raw16(name) get_raw(r, e->name, 16);
#define FIELD_GET_text(name)  e->name = get_text(r);
#define FIELD_GET(type, name) FIELD_GET_##type(name)

/* One byte, 0 or 1. */
static inline bool fields_flag(struct reader *r)
{
    uint8_t byte = get_u8(r);
    r->bad = r->bad || byte > 1;
    return byte == 1;
}

#endif
