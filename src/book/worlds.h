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
 *  W4  a world of another journal comes as the decisions that made it, each in a frame of its own,
 *      in a run of frames with nothing in between; it is kept when the last one has the digest of
 *      all, and what was begun and not ended leaves nothing. Its positions are those of the frames
 *      that brought it, so that they fit this journal.
 */
#ifndef HAKIKA_BOOK_WORLDS_H
#define HAKIKA_BOOK_WORLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/span.h"

struct book;

/* The answer of the commands of the book itself. */
enum book_outcome {
    BOOK_DONE = 0,
    BOOK_NOTHING = 1, /* nothing to do: stale, or repeated */
    BOOK_NOT_FOUND = 2,
    BOOK_EXISTS = 3,
    BOOK_TOO_LARGE = 4, /* the world, or all of them together */
    BOOK_TOO_MANY = 5,
    BOOK_LEFT = 6,        /* closed payments have left memory: no world can hold them */
    BOOK_INTERRUPTED = 7, /* something else was decided between two parts of an import */
    BOOK_UNREADABLE = 8,  /* what was imported is no history of a book */
};

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

enum {
    BOOK_IMPORT_BYTES_MAX = 2 * 1024 * 1024, /* of an imported world's frames */
    BOOK_IMPORT_FRAME_MAX = 16 * 1024,       /* of one of them: as large as a decision may be */
    BOOK_IMPORT_EVENT_EXTRA = 4 + 8 + 2,     /* what an event of one adds to its events */
};

/* COMMAND_WORLD_IMPORT_*: begin has name, time, frames and bytes; each frame its time, cause and
 * events; end has the name and the digest of all frames as they stand in this journal (header and
 * events, one behind the other). The reply is enum book_outcome. */
struct world_import_command {
    struct span name;
    int64_t time_ns; /* begin: when it was saved; frame: of the decision */
    uint32_t frames;
    uint32_t bytes; /* of all frames, headers included */
    uint16_t cause;
    struct span events;
    struct digest_value digest;
};

/* A world that is on its way in. */
struct book_import {
    char name[BOOK_WORLD_NAME_MAX];
    uint32_t name_size;
    uint8_t *bytes; /* frames; NULL: none is under way */
    size_t size, room;
    uint64_t begun;    /* position of the frame that began it */
    uint64_t position; /* of the latest frame of it */
    int64_t time_ns;
    uint32_t frames, wanted;
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
    uint8_t *bytes; /* of the world to keep, or room for one that is imported */
    size_t size;
    bool unreadable; /* the imported frames are no history */
};

/* NULL when there is none. */
const struct book_world *book_world(const struct book *b, struct span name);
/* May a world have this name? */
bool book_world_name_valid(struct span name);

#endif
