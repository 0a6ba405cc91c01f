/*
 * saved.c - see saved.h.
 */
#include "support/saved.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct span saved_book(const struct book *b, size_t most)
{
    /* Kept from call to call: a new megabyte each time would cost more than the saving. */
    static uint8_t *bytes;
    static size_t room;
    if (room < most) {
        room = 2 * most;
        free(bytes);
        bytes = malloc(room);
        assert_non_null(bytes);
    }
    struct writer out = writer_init(bytes, most);
    book_save(b, &out);
    assert_true(writer_finish(&out));
    return (struct span){(const char *)bytes, out.size};
}
