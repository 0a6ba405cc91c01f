/*
 * internal.h - what the files of src/journal/ share; nobody outside includes it.
 */
#ifndef HAKIKA_JOURNAL_INTERNAL_H
#define HAKIKA_JOURNAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "journal/disk.h"
#include "journal/format.h"
#include "journal/journal.h"

enum {
    JOURNAL_PATH_MAX = 4096,
    JOURNAL_NAME_MAX = 64,
};

/* One segment file with batches in it, or the first one of an empty journal. */
struct journal__segment {
    uint64_t number;
    uint64_t size;
    uint64_t epoch;
    uint64_t first_batch;    /* 0: no batch yet */
    uint64_t first_position; /* 0: no batch yet */
};

/* How a segment is made on a thread of its own, beside the commits. */
struct segment_pace {
    atomic_bool hurry;  /* a commit is waiting for it */
    atomic_bool cancel; /* nobody needs it any more */
    atomic_uint used;   /* how much of the current segment is used, in thousandths */
};

/* Where a segment that is to be made belongs, and what it is to be. */
struct segment_order {
    struct disk *disk;
    const char *directory;
    struct segment_header header;
    const struct segment_pace *pace; /* NULL: as fast as the disk goes */
};

enum spare_state {
    SPARE_NONE,    /* nobody has asked for one */
    SPARE_WANTED,  /* asked for; being made */
    SPARE_READY,   /* zero-filled, synced and under its final name */
    SPARE_NO_ROOM, /* the disk is full; tried again from time to time */
    SPARE_FAILED,  /* the disk failed: the journal will poison itself */
};

/*
 * The next segment, made before it is needed. With a thread, everything but the atomics
 * and `threaded` is guarded by the mutex.
 */
struct journal__spare {
    bool threaded;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct segment_pace pace;
    enum spare_state state;
    struct segment_order order; /* the one that is wanted, or ready */
    struct disk_file *file;     /* when ready */
    atomic_uint_least64_t room; /* bytes for batches in the spare that is ready, else 0 */
    atomic_int error;           /* the errno of SPARE_FAILED */
    atomic_bool full;           /* SPARE_NO_ROOM */
};

enum journal_state {
    JOURNAL_STATE_READER, /* opened read_only */
    JOURNAL_STATE_WRITER,
    JOURNAL_STATE_POISONED, /* final */
};

struct journal {
    struct disk *disk;
    enum journal_state state;
    atomic_int poison_errno; /* 0 until poisoned */
    atomic_bool full;        /* the last roll-over found the disk full */
    struct journal__seed seed;
    uint64_t epoch; /* of this opening, in every batch it writes */
    uint64_t segment_bytes_min;
    uint64_t segment_bytes_max;
    uint64_t verify_bytes;
    struct disk_file *lock_file;
    struct journal_head head;
    struct journal__segment *segments; /* in order; the last one is the current one */
    size_t segment_count;
    size_t segment_capacity;
    size_t segments_trusted;    /* the first ones, not verified when this was opened */
    struct disk_file *file;     /* the current segment, when writing */
    uint64_t end;               /* where the next batch goes in it */
    atomic_uint_least64_t room; /* bytes left in it; 0 when poisoned */
    struct journal__spare spare;
    char directory[]; /* without a slash at the end */
};

/* --- messages --------------------------------------------------------------------------------- */

/* Fills in error and returns status. */
enum journal_status journal__fail(struct journal_error *error, enum journal_status status,
                                  const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For an operating system's refusal: JOURNAL_DISK_FULL or JOURNAL_IO_ERROR by its kind. */
enum journal_status journal__fail_io(struct journal_error *error, int code, const char *doing,
                                     const char *directory, const char *name);

/* True for the codes that mean that the disk, or the quota, is full. */
bool journal__is_full(int code);

/* --- segment.c: names, and making a segment --------------------------------------------------- */

void journal__segment_name(uint64_t number, char out[JOURNAL_NAME_MAX]);
/* False when the name is not a segment's. */
bool journal__segment_number(const char *name, uint64_t *number_out);
void journal__path(char out[JOURNAL_PATH_MAX], const char *directory, const char *name);
/* True when the name is of a file that a crash left half made. */
bool journal__is_leftover(const char *name);

/* Opens segment `number`. Returns 0 or a negative errno. */
int journal__segment_open(struct disk *disk, const char *directory, uint64_t number, bool writable,
                          struct disk_file **out);

/*
 * Makes a segment, replacing an empty spare of that number: zeros and header under a temporary
 * name, synced, renamed, the directory synced. Returns 0 or a negative errno (nothing remains).
 */
int journal__segment_make(const struct segment_order *order, struct disk_file **out);

/* Writes zeros; with a pace in chunks that are synced. Returns 0 or a negative errno. */
int journal__write_zeros(struct disk *disk, struct disk_file *file, uint64_t from, uint64_t to,
                         const struct segment_pace *pace);

/* --- scan.c: reading the batches of one segment ----------------------------------------------- */

struct journal__scan {
    struct disk *disk;
    struct disk_file *file;
    uint64_t number;
    uint64_t size;
    uint8_t *window; /* the bytes [at, at + filled) of the file */
    size_t capacity;
    uint64_t at;
    size_t filled;
    int error; /* a negative errno: the window is useless */
};

enum journal__found {
    FOUND_BATCH,   /* intact: it was appended here, exactly so */
    FOUND_NOTHING, /* a block of zeros, or the end of the segment */
    FOUND_DAMAGE,  /* something else */
    FOUND_ERROR,   /* the disk refused; scan->error says why */
};

void journal__scan_init(struct journal__scan *scan, struct disk *disk);
void journal__scan_fini(struct journal__scan *scan);
/* Opens a segment file (closing the one before). Returns 0 or a negative errno. */
int journal__scan_open(struct journal__scan *scan, const char *directory, uint64_t number,
                       uint64_t size);
/* How much of a block there is at an offset: all of it, or nothing at the end of the segment. */
size_t journal__scan_block(const struct journal__scan *scan, uint64_t offset);
/* `size` bytes at `offset`, or NULL after an error; valid until the next call. */
const uint8_t *journal__scan_view(struct journal__scan *scan, uint64_t offset, size_t size);
/* What is at `offset`; for FOUND_BATCH its header and, in *payload_out, its payload. */
enum journal__found journal__scan_batch(struct journal__scan *scan,
                                        const struct journal__seed *seed, uint64_t offset,
                                        struct batch_header *header_out,
                                        const uint8_t **payload_out);
/* Forgets the window, so that the next view reads the disk again. */
void journal__scan_reread(struct journal__scan *scan);

/* True when the batch continues the history that ends in head. */
bool journal__continues(const struct journal_head *head, uint64_t epoch,
                        const struct batch_header *header);
void journal__head_advance(struct journal_head *head, const struct batch_header *header);

/* --- recover.c -------------------------------------------------------------------------------- */

/*
 * Finds the segments and the head, cuts a torn tail (unless reading only), and leaves the current
 * segment open for writing and the spare, if there is one, in place. *empty_out: there is no
 * journal in the directory.
 */
enum journal_status journal__recover(struct journal *j, const struct journal_options *options,
                                     bool *empty_out, struct journal_error *error);

/* Adds a segment to the table; false when memory is short. */
bool journal__segment_add(struct journal *j, const struct journal__segment *segment);

/* --- read.c ----------------------------------------------------------------------------------- */

/* Hands a batch to the reader; false when that wants no more. */
bool journal__deliver(const struct batch_header *header, const uint8_t *payload,
                      journal_read_fn callback, void *context);
/* True when the journal holds the batch of a snapshot, with that hash and last position. */
bool journal__confirms(struct journal *j, const struct snapshot_meta *meta);

/* --- spare.c ---------------------------------------------------------------------------------- */

/* Starts the thread (when threaded). Returns 0 or a negative errno. */
int journal__spare_start(struct journal__spare *spare, bool threaded);
/* Stops the thread and closes the spare's file. */
void journal__spare_stop(struct journal__spare *spare, struct disk *disk);
/* Hands over a spare that was found on opening. */
void journal__spare_adopt(struct journal__spare *spare, const struct segment_order *order,
                          struct disk_file *file);
/* Asks for one, unless one is ready or being made. Does not wait. */
void journal__spare_want(struct journal__spare *spare, const struct segment_order *order);
/* Without a thread: makes the one that is wanted. */
void journal__spare_make(struct journal__spare *spare);
/*
 * Takes the spare, at least as large as the order; waits for the thread, or makes it here and
 * now. Returns 0, or a negative errno for which journal__is_full tells the two kinds apart.
 */
int journal__spare_take(struct journal__spare *spare, const struct segment_order *order,
                        struct segment_header *header_out, struct disk_file **file_out);

#endif
