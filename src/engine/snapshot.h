/*
 * snapshot.h - snapshots of a running book: a forked child writes what the parent was at that
 * moment, so that the book pauses only for the fork.
 *
 * Guarantees: started only when everything applied is durable (engine_hold, engine_settled), so a
 * snapshot is never ahead of the journal; the parent learns the digest of what was written and can
 * journal it as a checkpoint; a child that fails leaves no snapshot and harms nothing.
 * The child has no indexes (base/large.h): what saves a book walks its slabs.
 */
#ifndef HAKIKA_ENGINE_SNAPSHOT_H
#define HAKIKA_ENGINE_SNAPSHOT_H

#include "engine/core.h"

struct snapshot_child {
    int pid;        /* 0: none is under way */
    int descriptor; /* readable when the child is done */
    uint64_t position;
};

struct snapshot_request {
    const struct book *book;
    const char *directory;
    struct journal_head head; /* head.position == book->position */
};

/* In this process; true with the digest when it is in place. */
bool snapshot_take(const struct snapshot_request *request, struct digest_value *digest_out,
                   struct journal_error *error);
/* In a child. False (with error) when it could not be started. */
bool snapshot_fork(const struct snapshot_request *request, struct snapshot_child *child,
                   struct journal_error *error);
/* Reaps a finished child; true when its snapshot is in place. Call when descriptor is readable. */
bool snapshot_reap(struct snapshot_child *child, struct digest_value *digest_out);

#endif
