/*
 * world_files.h - what a saved world's file needs from outside the face: the decisions that made
 * the world, read from the journal's files, and a second opinion on those of a stranger.
 *
 * Guarantees
 *  - world_history gives the decisions of one world, flattened: those of the worlds that it was
 *    restored from come first; clock, checkpoints and other worlds are left out; the journal is
 *    read only.
 *  - world_sound survives any bytes: the auditor of hakika verify reads them, and only what that
 *    finds right is replayed, in a child, with every invariant checked.
 * Both work while the loop stands still, so both are bounded: WORLD_JOURNAL_BYTES_MAX,
 * BOOK_IMPORT_BYTES_MAX, WORLD_CHILD_S.
 * Tests: tests/e2e/stories/162-world-files.mjs.
 */
#ifndef HAKIKA_APP_WORLD_FILES_H
#define HAKIKA_APP_WORLD_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "operator/operator.h"

enum {
    WORLD_JOURNAL_BYTES_MAX = 256 * 1024 * 1024, /* of journal that is read for one file */
    WORLD_CHILD_S = 5,                           /* for the replay of one */
    WORLD_FILES_ERROR_SIZE = 200,
};

/*
 * The frames of the world of this name, as the journal in `directory` has it up to a position that
 * is durable (malloc'ed; the caller frees them); NULL with an error.
 */
uint8_t *world_history(const char *directory, uint64_t until_position, struct span name,
                       size_t *size_out, char error[WORLD_FILES_ERROR_SIZE]) MUST_USE;

/* Whether frames with positions from their first on without gaps are a sound book's history; false
 * with what is wrong. */
bool world_sound(struct span frames, const struct operator_settings *settings,
                 char error[WORLD_FILES_ERROR_SIZE]) MUST_USE;

#endif
