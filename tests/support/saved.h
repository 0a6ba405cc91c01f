/*
 * saved.h - the bytes of a whole book, as a snapshot has them, for the copies that tests make.
 */
#ifndef HAKIKA_TESTS_SAVED_H
#define HAKIKA_TESTS_SAVED_H

#include <stddef.h>

#include "base/span.h"
#include "book/book.h"

/* What the book saves, which is at most `most` bytes; it fails the test otherwise. The bytes are
 * good until the next call. */
struct span saved_book(const struct book *b, size_t most);

#endif
