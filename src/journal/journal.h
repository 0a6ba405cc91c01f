/*
 * journal.h - the door of the journal: one durable, ordered, tamper-evident history of a book.
 *
 * Words (docs/glossary.md): a *record* is one event; a *frame* is the record group of one
 * decision, all of it or none; a *batch* is the frames of one group commit, the unit of writing,
 * checksumming and syncing; a *segment* is a file of batches; a *position* counts frames, from 1,
 * without gaps, over the whole life of a journal.
 *
 * Guarantees
 *  J1  journal_append returns JOURNAL_OK only when the batch and everything before it is on disk.
 *  J2  batches are found again exactly in the order and with the content in which they were
 *      appended, or opening fails with a message; a batch whose append never returned JOURNAL_OK
 *      is found whole or not at all, and only as the last one.
 *      (Damage to the very last batch looks like a torn write and costs that batch: whoever keeps
 *      a copy of the head elsewhere, as the index of old ids does, can notice.)
 *  J3  after the first failed write or sync nothing more is ever acknowledged by this object
 *      (JOURNAL_POISONED); fsync is never retried.
 *  J4  every batch carries the SHA-256 of its predecessor (chained) and its own, seeded with the
 *      journal's identity, the epoch, the segment and the offset, over length and content; no run
 *      of zeros and no stale batch is ever valid.
 *  J5  a newer or foreign format is refused before a byte is written.
 *  J6  one process at a time (directory lock).
 *
 * A journal store is used from one thread at a time. Another store (PostgreSQL) implements the
 * same functions with the same meanings: append(batch, expected previous) -> ok, fenced, unknown.
 */
#ifndef HAKIKA_JOURNAL_JOURNAL_H
#define HAKIKA_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

enum {
    JOURNAL_BLOCK_BYTES = 4096,       /* every batch starts and ends on a block: no shared sector */
    JOURNAL_BATCH_HEADER_BYTES = 160, /* room that the caller leaves in front of the payload */
    JOURNAL_PAYLOAD_MAX = 8 * 1024 * 1024,
    JOURNAL_HASH_BYTES = 32,
};

enum journal_status {
    JOURNAL_OK = 0,
    JOURNAL_FENCED,    /* somebody else appended: drop the state and replay */
    JOURNAL_UNKNOWN,   /* the outcome is not known (a remote store lost its connection) */
    JOURNAL_POISONED,  /* an earlier write or sync failed; only a restart helps */
    JOURNAL_DISK_FULL, /* no room was left *before* anything was written; append again later */
    JOURNAL_IO_ERROR,  /* the operating system refused something while opening or reading */
    JOURNAL_CORRUPT,   /* history is damaged before its tail, or a segment is missing */
    JOURNAL_FOREIGN,   /* another format version, another book, or not a journal at all */
    JOURNAL_LOCKED,    /* another process has the directory open */
    JOURNAL_LIMIT,     /* the batch is empty, too large or out of order */
};

/* What went wrong, for a person: what was tried, on what, what was wrong, what to do. */
struct journal_error {
    enum journal_status status;
    char message[768];
};

/* Where the history ends. */
struct journal_head {
    uint64_t batch;                   /* number of the last batch, 0 when empty */
    uint64_t position;                /* position of its last frame, 0 when empty */
    int64_t time_ns;                  /* book time of its last frame */
    uint8_t hash[JOURNAL_HASH_BYTES]; /* its hash; of an empty journal, a hash of its identity */
};

/*
 * A batch to append. `buffer` is aligned to JOURNAL_BLOCK_BYTES; the payload (payload_size bytes,
 * at least 1) starts at buffer + JOURNAL_BATCH_HEADER_BYTES, and capacity leaves room to pad the
 * whole to a block. The journal fills header and padding in place; it does not keep the buffer.
 */
struct journal_batch {
    uint8_t *buffer;
    size_t capacity;
    size_t payload_size;
    uint64_t first_position; /* must be head.position + 1 */
    uint32_t frame_count;    /* at least 1 */
    int64_t time_ns;         /* book time of the last frame */
};

/* A batch that was read back. Payload lives until the callback returns. */
struct journal_read_batch {
    uint64_t batch;
    uint64_t first_position;
    uint32_t frame_count;
    int64_t time_ns;
    uint64_t epoch; /* which opening wrote it: later openings have greater ones */
    uint64_t segment;
    uint64_t offset; /* of the batch header in its segment file */
    const uint8_t *payload;
    size_t payload_size;
    uint8_t hash[JOURNAL_HASH_BYTES];
};

/* False stops the reading (which then returns JOURNAL_OK). */
typedef bool (*journal_read_fn)(void *context, const struct journal_read_batch *batch);

struct journal; /* the file store */
struct disk;    /* journal/disk.h: the operating system, or a simulated disk */

struct journal_options {
    const char *directory;      /* created when missing (not its parents) */
    struct disk *disk;          /* NULL: the real one */
    uint8_t identity[16];       /* random id of a new book; ignored when the journal exists */
    char book[16];              /* "operator", "merchant": refused when it differs on disk */
    uint64_t segment_bytes_min; /* size of the first segment, a multiple of a block; 0: 1 MiB */
    uint64_t segment_bytes_max; /* sizes double up to this; 0: 64 MiB */
    uint64_t verify_bytes;      /* full segments to verify on opening, newest first; 0: 128 MiB */
    bool read_only;             /* verify: takes no lock, changes nothing */
    bool background_spares;     /* zero-fill spare segments on a thread of its own */
};

/*
 * Opens or creates. A torn tail (the last batch invalid, nothing valid after it) is cut: zeroed
 * and synced before anything else is written (never when read_only). Damage before the tail is
 * JOURNAL_CORRUPT. The segment with the head is always verified whole, older ones as far as
 * verify_bytes goes (UINT64_MAX: all); reading verifies what it reads in any case. Opening also
 * removes half-made files (*.tmp). On failure *out is NULL and error says what to do.
 */
enum journal_status journal_open(const struct journal_options *options, struct journal **out,
                                 struct journal_error *error) MUST_USE;

/*
 * Opens read-only a journal that a process may be writing, whatever options->read_only says. What
 * is just being written may be caught half, and look damaged: it is looked at again a few times,
 * milliseconds apart, before JOURNAL_CORRUPT is the answer.
 */
enum journal_status journal_open_beside(const struct journal_options *options, struct journal **out,
                                        struct journal_error *error) MUST_USE;

/* Was every batch looked at when it was opened? Otherwise segments were trusted (verify_bytes). */
bool journal_is_verified(const struct journal *journal);

/* Closes without syncing anything: what was acknowledged is on disk already. NULL is fine. */
void journal_close(struct journal *journal);

struct journal_head journal_head(const struct journal *journal);

/* Random id chosen at creation. */
void journal_identity(const struct journal *journal, uint8_t out[16]);

/*
 * Appends and syncs. `previous` is the hash the caller believes to be the head's (fencing); with
 * another one the answer is JOURNAL_FENCED and nothing is written. JOURNAL_DISK_FULL is returned
 * only when nothing was written and the journal can go on.
 */
enum journal_status journal_append(struct journal *journal, const struct journal_batch *batch,
                                   const uint8_t previous[JOURNAL_HASH_BYTES],
                                   struct journal_error *error) MUST_USE;

/*
 * True while a zero-filled spare segment is ready or the current one has room for `bytes` more:
 * admission refuses new work otherwise (architecture, Admission). Without background_spares also
 * true when a spare can be made in passing: unless the last try found the disk full. False once
 * poisoned. Safe from any thread.
 */
bool journal_has_room(const struct journal *journal, uint64_t bytes);

/*
 * True while the disk is known to be full: the last try to make a segment found no space. Tells a
 * full disk from a spare that is merely still being made. Safe from any thread.
 */
bool journal_is_full(const struct journal *journal);

/*
 * True once nothing will ever be acknowledged again: a write or a sync failed, or the next segment
 * could not be made for another reason than a full disk. The next append says so. Safe from any
 * thread.
 */
bool journal_has_failed(const struct journal *journal);

/*
 * Sees to it that there is a spare. Only needed without background_spares: there it makes one, or
 * tries again after the disk was full; the thread does both by itself.
 */
void journal_make_room(struct journal *journal);

/*
 * Reads the batches that contain positions >= from_position, in order, until the head or until
 * the callback returns false. Verifies every checksum and the chain from the first batch read on.
 */
enum journal_status journal_read(struct journal *journal, uint64_t from_position,
                                 journal_read_fn callback, void *context,
                                 struct journal_error *error) MUST_USE;

/*
 * For a journal opened read_only beside its writer: hands out the batches behind the head, in
 * order, up to the one that holds until_position, and moves the head with them; false from the
 * callback stops it there. until_position must be durable, says the writer (engine_durable): what
 * should be there by then and is not is JOURNAL_CORRUPT.
 */
enum journal_status journal_follow(struct journal *journal, uint64_t until_position,
                                   journal_read_fn callback, void *context,
                                   struct journal_error *error) MUST_USE;

/* Name and version of what this program writes and the oldest it reads, for --version. */
enum { JOURNAL_FORMAT_VERSION = 1, JOURNAL_FORMAT_OLDEST = 1 };

/*
 * Snapshots: the state of a book at a position, beside the journal. A snapshot is an accelerator:
 * one that is missing, damaged, of another version or ahead of the head is ignored, never trusted.
 */
struct snapshot_meta {
    uint64_t position;                /* the state after this frame */
    uint64_t batch;                   /* the batch whose last frame that is */
    uint8_t hash[JOURNAL_HASH_BYTES]; /* its hash in the chain */
    uint32_t state_version;           /* the caller's format of the content */
};

struct snapshot_writer; /* opaque */

/* Starts a temporary file. NULL (with error) when the disk refuses. */
struct snapshot_writer *snapshot_create(struct disk *disk, const char *directory,
                                        const struct snapshot_meta *meta,
                                        struct journal_error *error);
/* A writer_flush_fn: context is the snapshot_writer. After false, commit fails and says why. */
bool snapshot_write(void *context, const uint8_t *data, size_t size);
/* Syncs, renames into place, syncs the directory, removes older snapshots but the newest other. */
bool snapshot_commit(struct snapshot_writer *writer, struct journal_error *error) MUST_USE;
/* Instead of committing: removes the temporary file. commit and abandon both free the writer. */
void snapshot_abandon(struct snapshot_writer *writer);

/*
 * Loads the newest usable snapshot at or below max_position whose state_version is the given one
 * and whose (batch, hash) the journal confirms when the batch is still there. Returns its content
 * (free() it) and meta, or NULL when there is none: then the caller replays from the start.
 */
uint8_t *snapshot_load(struct journal *journal, uint32_t state_version, uint64_t max_position,
                       struct snapshot_meta *meta_out, size_t *size_out);

#endif
