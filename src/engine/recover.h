/*
 * recover.h - from the journal back to the state (E5).
 */
#ifndef HAKIKA_ENGINE_RECOVER_H
#define HAKIKA_ENGINE_RECOVER_H

#include "book/book.h"
#include "journal/journal.h"

struct engine_recovery {
    uint64_t snapshot_position; /* 0: none was used */
    uint64_t frames_replayed;
    char message[512]; /* what went wrong, and what to do */
};
/* Snapshot plus tail into a new book. NULL on failure. */
struct book *engine_recover(struct journal *journal, const struct book_options *options,
                            struct engine_recovery *out);

#endif
