/*
 * worlds.h - saved worlds: what the book held at a moment (accounts, payments, deliveries, keys,
 * texts), under a name, to be put back later. Part of book/book.h.
 *
 * Worlds are state like everything else: the journal alone rebuilds them, a snapshot of the book
 * holds them, resets leave them alone.
 *
 * Invariants (book_check) and guarantees
 *  W1  names are different from each other, and there are at most BOOK_WORLDS_MAX.
 *  W2  restoring opens a generation whose contents have the world's digest.
 *  W3  with a virtual clock, time goes to the world's; with a real one it never goes back.
 */
#ifndef HAKIKA_BOOK_WORLDS_H
#define HAKIKA_BOOK_WORLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/span.h"

struct book;

enum {
    BOOK_WORLDS_MAX = 32,
    BOOK_WORLD_NAME_MAX = 64,                /* letters, digits, '.', '_' and '-' */
    BOOK_WORLD_BYTES_MAX = 32 * 1024 * 1024, /* of one world */
    BOOK_ALL_WORLDS_BYTES_MAX = 128 * 1024 * 1024,
};

/* COMMAND_WORLD_*; the reply is enum book_outcome. */
struct world_command {
    struct span name;
    struct span from; /* COMMAND_WORLD_COPY: the world that name is to hold, too */
};

struct book_world {
    char name[BOOK_WORLD_NAME_MAX];
    uint32_t name_size;
    uint64_t generation; /* when it was saved */
    uint64_t position;   /* of the frame that saved it */
    int64_t time_ns;
    uint8_t *bytes;
    size_t size;
    struct digest_value digest; /* of bytes */
};

/* What a command about worlds needs and may fail to get, found before it is decided (K1). */
struct book_prepared {
    uint8_t *bytes; /* of the world to keep */
    size_t size;
};

/* NULL when there is none. */
const struct book_world *book_world(const struct book *b, struct span name);
/* May a world have this name? */
bool book_world_name_valid(struct span name);

#endif
