/*
 * fuzz_snapshot.c - any bytes as the content of a snapshot.
 *
 * Must hold: loading gives a book or says no, whatever the bytes: it never leaves them, never stops
 * at a CHECK, never takes much memory for a short input. Whether a state that loads makes sense
 * (sums, links), is for book_check and the checksum around it, so that is not asked here.
 *
 * The first byte picks how the rest is used: as it is, or as changes (position, byte) to the
 * snapshot of a book in which something has happened, so that the fuzzer need not invent one.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/small_book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STATE_BYTES_MAX = 256 * 1024 };

static uint8_t model[STATE_BYTES_MAX];
static size_t model_size;
static uint8_t changed[STATE_BYTES_MAX];

static void make_model(void)
{
    struct small_book s;
    small_book_open(&s);
    small_book_story(&s);
    struct writer w = writer_init(model, sizeof(model));
    book_save(s.book, &w);
    CHECK(!w.overflow);
    model_size = w.size;
    small_book_close(&s);
}

static void try_load(const uint8_t *data, size_t size)
{
    struct book *b = small_book_empty();
    struct reader r = reader_init(data, size);
    if (book_load(b, &r)) {
        CHECK(reader_done(&r));
    }
    book_destroy(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (model_size == 0) {
        make_model();
    }
    if (size == 0 || size > STATE_BYTES_MAX) {
        return 0;
    }
    if (data[0] == 0) {
        try_load(data + 1, size - 1);
        return 0;
    }
    memcpy(changed, model, model_size);
    for (size_t i = 1; i + 3 <= size; i += 3) {
        size_t at = ((size_t)data[i] << 8 | data[i + 1]) % model_size;
        changed[at] = data[i + 2];
    }
    try_load(changed, model_size);
    return 0;
}
