/*
 * world_file.h - a saved world as one file: the decisions that made it, for another server to take
 * in (docs/journal-format.md, "World files"; decision 0010).
 *
 * Guarantees
 *  - any bytes are a possible file: what is wrong with them is said, nothing is read beyond them.
 *  - no secret leaves: PIN verifiers, sealed passkeys, passwords and keys are taken out of a file,
 *    and what an opened one holds in their place is not looked at. A server that opens one puts its
 *    own there: every PIN is 1234, every organisation has the public sandbox's secrets.
 *  - what is taken in has positions of this journal, in the ids that are made of them, too.
 * Whether the decisions are those of a sound book is for others to say (surface_options,
 * world_sound; book/worlds.h).
 * Tests: tests/unit/test_world_import.c, tests/fuzz/fuzz_world_file.c.
 */
#ifndef HAKIKA_FACE_WORLD_FILE_H
#define HAKIKA_FACE_WORLD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"
#include "face/secrets.h"

enum {
    WORLD_FILE_VERSION = 1,
    WORLD_FILE_HEADER_BYTES = 128,
    WORLD_FILE_EXTRA = WORLD_FILE_HEADER_BYTES + 32, /* header, and SHA-256 at the end */
    WORLD_FILE_BYTES_MAX = 2 * 1024 * 1024,          /* of a whole file */
    WORLD_FILE_SLOTS_MAX = 1 << 16, /* subscribers, organisations, payments, each */
    WORLD_FILE_ERROR_SIZE = 200,
};

/* Frames of a history, and what stands in the file's header about it. */
struct world_file {
    struct span frames; /* whole frames with their headers, one behind the other */
    uint32_t count;     /* of frames; world_file_make counts them itself */
    int64_t time_ns;    /* when it was saved */
    struct span name;   /* under which it was saved */
};

/* Reads the envelope: magic, version, sizes, digest, and that the frames are whole and count up.
 * Spans point into the file. False: error says what is wrong, and what to do. */
bool world_file_read(struct span file, struct world_file *out,
                     char error[WORLD_FILE_ERROR_SIZE]) MUST_USE;

/* The bytes of a file with secrets taken out (malloc'ed; the caller frees them), or NULL with an
 * error: no memory, too large, or no frames of ours. */
uint8_t *world_file_make(const struct world_file *world, struct secrets *secrets, size_t *size_out,
                         char error[WORLD_FILE_ERROR_SIZE]) MUST_USE;

/* The frames as this server takes them in: positions from first_position on, without gaps, and its
 * own secrets. As world_file_make. */
uint8_t *world_file_localise(const struct world_file *world, struct secrets *secrets,
                             uint64_t first_position, size_t *size_out,
                             char error[WORLD_FILE_ERROR_SIZE]) MUST_USE;

#endif
