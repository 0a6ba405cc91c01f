/*
 * file.c - the file store: opening, appending, rolling over.
 *
 *                  read_only                           append: ok
 *   (closed) --open--------> READER                     +-----+
 *       \                                               |     v
 *        +---open----------------------------------> WRITER ----+
 *                                                       |       | a write or a sync failed,
 *                                                       |       | here or in the spare
 *                             (closed) <--close-- any   +----> POISONED (final)
 *
 * READER    nothing is ever written; append is refused by a CHECK.
 * WRITER    the head is durable; `end` is where the next batch goes; the lock is held.
 * POISONED  what is on disk behind the head is unknown; every append says so; only a restart,
 *           which reads the truth from the device, helps.
 *
 * Invariants (journal_check, called on every append)
 *  I1  the head's batch is 0 if and only if its position is 0; there are no fewer frames than
 *      batches.
 *  I2  `end` is a whole number of blocks, behind the segment's header and not behind its end.
 *  I3  the segment table is complete: entry i is segment i + 1, the last one is the current one,
 *      all before it hold batches, in ascending order.
 *  I4  a writer has the current segment open, and an epoch greater than any that was seen.
 *  I5  `room` says how much of the current segment is left, or 0 unless a writer.
 *  I6  one pwrite and one fdatasync per batch; the head moves only after both succeeded.
 *  I7  every batch starts and ends on a block, so that no sector holds bytes of two batches.
 * Tests: tests/unit/test_journal.c, tests/crash/.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/internal.h"

enum {
    SEGMENT_BYTES_MIN_DEFAULT = 1 << 20,
    SEGMENT_BYTES_MAX_DEFAULT = 64 << 20,
    VERIFY_BYTES_DEFAULT = 128 << 20,
    SEGMENTS_AT_FIRST = 8,
};

static void journal_check(const struct journal *j)
{
    CHECK((j->head.batch == 0) == (j->head.position == 0)); /* I1 */
    CHECK(j->head.position >= j->head.batch);
    CHECK(j->segment_count > 0);
    const struct journal__segment *current = &j->segments[j->segment_count - 1];
    CHECK(j->end % batch_alignment() == 0); /* I2 */
    CHECK(j->end >= SEGMENT_HEADER_BYTES && j->end <= current->size);
    CHECK(current->number == j->segment_count); /* I3 */
    CHECK(IMPLIES(j->segment_count > 1, j->segments[j->segment_count - 2].first_batch > 0));
    CHECK(current->first_batch <= j->head.batch);
    CHECK((current->first_batch == 0) == (j->end == SEGMENT_HEADER_BYTES));
    CHECK(IMPLIES(j->state == JOURNAL_STATE_WRITER, j->file != NULL)); /* I4 */
    CHECK(IMPLIES(j->state == JOURNAL_STATE_WRITER, j->epoch >= current->epoch));
    uint64_t room = j->state == JOURNAL_STATE_WRITER ? current->size - j->end : 0;
    CHECK(atomic_load(&j->room) == room); /* I5 */
}

/* --- messages --------------------------------------------------------------------------------- */

enum journal_status journal__fail(struct journal_error *error, enum journal_status status,
                                  const char *format, ...)
{
    CHECK(error != NULL);
    CHECK(status != JOURNAL_OK);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    error->status = status;
    return status;
}

bool journal__is_full(int code)
{
    CHECK(code <= 0);
    return code == -ENOSPC || code == -EDQUOT;
}

enum journal_status journal__fail_io(struct journal_error *error, int code, const char *doing,
                                     const char *directory, const char *name)
{
    CHECK(code < 0);
    CHECK(directory != NULL);
    const char *slash = name != NULL ? "/" : "";
    const char *file = name != NULL ? name : "";
    if (journal__is_full(code)) {
        return journal__fail(error, JOURNAL_DISK_FULL,
                             "%s %s%s%s failed: the disk is full (%s). Free some space there.",
                             doing, directory, slash, file, strerror(-code));
    }
    const char *advice = code == -EACCES || code == -EPERM || code == -EROFS
                             ? "Check who owns the directory and how it is mounted."
                             : "Nothing was acknowledged; check the disk before a restart.";
    return journal__fail(error, JOURNAL_IO_ERROR, "%s %s%s%s failed: %s. %s", doing, directory,
                         slash, file, strerror(-code), advice);
}

/* --- opening ---------------------------------------------------------------------------------- */

bool journal__segment_add(struct journal *j, const struct journal__segment *segment)
{
    CHECK(j->segment_count <= j->segment_capacity);
    CHECK(segment->number > 0);
    if (j->segment_count == j->segment_capacity) {
        size_t capacity = j->segment_capacity == 0 ? SEGMENTS_AT_FIRST : 2 * j->segment_capacity;
        struct journal__segment *larger = realloc(j->segments, capacity * sizeof(*larger));
        if (larger == NULL) {
            return false;
        }
        j->segments = larger;
        j->segment_capacity = capacity;
    }
    j->segments[j->segment_count++] = *segment;
    return true;
}

/* How large the segment behind one of `previous` bytes (0: none) should be, for `needed` bytes. */
static uint64_t next_size(const struct journal *j, uint64_t previous, uint64_t needed)
{
    CHECK(j->segment_bytes_min <= j->segment_bytes_max);
    uint64_t size = previous == 0 ? j->segment_bytes_min : 2 * previous;
    size = size < j->segment_bytes_min ? j->segment_bytes_min : size;
    size = size > j->segment_bytes_max ? j->segment_bytes_max : size;
    uint64_t least = SEGMENT_HEADER_BYTES + needed + JOURNAL_BLOCK_BYTES - 1;
    least -= least % JOURNAL_BLOCK_BYTES;
    CHECK(least <= SEGMENT_HEADER_BYTES + BATCH_BYTES_MAX);
    return size < least ? least : size;
}

static struct segment_order next_order(const struct journal *j, uint64_t needed)
{
    uint64_t previous = j->segment_count == 0 ? 0 : j->segments[j->segment_count - 1].size;
    struct segment_order order = {
        .disk = j->disk,
        .directory = j->directory,
        .header = {.seed = j->seed,
                   .number = j->segment_count + 1,
                   .size = next_size(j, previous, needed),
                   .epoch = j->epoch},
    };
    CHECK(order.header.size % JOURNAL_BLOCK_BYTES == 0);
    CHECK(j->epoch > 0);
    return order;
}

/* Tells other threads how much of the current segment is left. */
static void note_room(struct journal *j)
{
    CHECK(j->segment_count > 0);
    uint64_t size = j->segments[j->segment_count - 1].size;
    CHECK(j->end <= size);
    atomic_store(&j->room, size - j->end);
    atomic_store(&j->spare.pace.used, (unsigned)(j->end * 1000 / size));
}

/* The directory in which `directory` is: its own name must survive a power cut too. */
static int sync_parent(struct journal *j)
{
    char parent[JOURNAL_PATH_MAX];
    size_t length = strlen(j->directory);
    CHECK(length > 0 && length < sizeof(parent));
    CHECK(j->state == JOURNAL_STATE_WRITER);
    memcpy(parent, j->directory, length + 1);
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        memcpy(parent, ".", sizeof("."));
    } else if (slash == parent) {
        memcpy(parent, "/", sizeof("/"));
    } else {
        *slash = '\0';
    }
    int result = j->disk->sync_directory(j->disk->context, parent);
    return result == -EACCES ? 0 : result; /* it may be ours to use and not to read */
}

static enum journal_status open_create(struct journal *j, const struct journal_options *options,
                                       struct journal_error *error)
{
    CHECK(j->segment_count == 0);
    CHECK(j->state == JOURNAL_STATE_WRITER);
    memcpy(j->seed.identity, options->identity, IDENTITY_BYTES);
    memcpy(j->seed.book, options->book, BOOK_BYTES);
    j->epoch = 1;
    struct segment_order order = next_order(j, 0);
    int result = sync_parent(j);
    if (result == 0) {
        result = journal__segment_make(&order, &j->file);
    }
    struct journal__segment first = {.number = 1, .size = order.header.size, .epoch = 1};
    if (result == 0 && !journal__segment_add(j, &first)) {
        result = -ENOMEM;
    }
    if (result != 0) {
        return journal__fail_io(error, result, "creating a journal in", j->directory, NULL);
    }
    format_genesis(&j->seed, j->head.hash);
    j->end = SEGMENT_HEADER_BYTES;
    return JOURNAL_OK;
}

static enum journal_status open_lock(struct journal *j, struct journal_error *error)
{
    char path[JOURNAL_PATH_MAX];
    CHECK(j->lock_file == NULL);
    CHECK(j->state == JOURNAL_STATE_WRITER);
    int result = j->disk->make_directory(j->disk->context, j->directory);
    if (result != 0) {
        return journal__fail_io(error, result, "making the directory", j->directory, NULL);
    }
    journal__path(path, j->directory, "lock");
    result = j->disk->open(j->disk->context, path, true, true, false, &j->lock_file);
    if (result == 0) {
        result = j->disk->lock(j->disk->context, j->lock_file);
    }
    if (result == -EWOULDBLOCK) {
        return journal__fail(error, JOURNAL_LOCKED,
                             "%s is in use by another process (it holds %s). Stop that one first, "
                             "or choose another directory.",
                             j->directory, path);
    }
    return result == 0 ? JOURNAL_OK
                       : journal__fail_io(error, result, "locking", j->directory, "lock");
}

/* Zeros in options mean the defaults; sizes are whole blocks. */
static struct journal *open_allocate(const struct journal_options *options)
{
    size_t length = strlen(options->directory);
    while (length > 1 && options->directory[length - 1] == '/') {
        length--;
    }
    struct journal *j = calloc(1, sizeof(*j) + length + 1);
    if (j == NULL) {
        return NULL;
    }
    memcpy(j->directory, options->directory, length);
    j->disk = options->disk != NULL ? options->disk : disk_real();
    j->state = options->read_only ? JOURNAL_STATE_READER : JOURNAL_STATE_WRITER;
    uint64_t least = options->segment_bytes_min;
    uint64_t most = options->segment_bytes_max;
    j->segment_bytes_min = least != 0 ? least : SEGMENT_BYTES_MIN_DEFAULT;
    j->segment_bytes_max = most != 0 ? most : SEGMENT_BYTES_MAX_DEFAULT;
    if (j->segment_bytes_max < j->segment_bytes_min) {
        j->segment_bytes_max = j->segment_bytes_min;
    }
    j->verify_bytes = options->verify_bytes != 0 ? options->verify_bytes : VERIFY_BYTES_DEFAULT;
    CHECK(j->segment_bytes_min >= SEGMENT_BYTES_LEAST);
    CHECK(options->directory != NULL);
    CHECK(j->segment_bytes_min % JOURNAL_BLOCK_BYTES == 0);
    CHECK(j->segment_bytes_max % JOURNAL_BLOCK_BYTES == 0);
    return j;
}

static enum journal_status open_steps(struct journal *j, const struct journal_options *options,
                                      struct journal_error *error)
{
    bool empty = false;
    CHECK(j->file == NULL);
    CHECK(j->segment_count == 0);
    enum journal_status status = options->read_only ? JOURNAL_OK : open_lock(j, error);
    if (status == JOURNAL_OK) {
        status = journal__recover(j, options, &empty, error);
    }
    if (status == JOURNAL_OK && empty) {
        status = options->read_only
                     ? journal__fail(error, JOURNAL_FOREIGN,
                                     "there is no journal in %s: no file journal-00000001.seg. "
                                     "Check the directory's name.",
                                     j->directory)
                     : open_create(j, options, error);
    }
    if (status != JOURNAL_OK || options->read_only) {
        return status;
    }
    note_room(j);
    int result = journal__spare_start(&j->spare, options->background_spares);
    if (result != 0) {
        return journal__fail_io(error, result, "starting a thread for", j->directory, NULL);
    }
    if (j->spare.threaded) {
        const struct segment_order order = next_order(j, 0);
        journal__spare_want(&j->spare, &order);
    }
    return JOURNAL_OK;
}

enum journal_status journal_open(const struct journal_options *options, struct journal **out,
                                 struct journal_error *error)
{
    CHECK(options->directory != NULL && options->directory[0] != '\0');
    CHECK(options->book[0] != '\0');
    CHECK(memchr(options->book, '\0', sizeof(options->book)) != NULL);
    *out = NULL;
    *error = (struct journal_error){.status = JOURNAL_OK};
    if (strlen(options->directory) + JOURNAL_NAME_MAX + 1 >= JOURNAL_PATH_MAX) {
        return journal__fail(error, JOURNAL_IO_ERROR, "the name of the directory is too long");
    }
    struct journal *j = open_allocate(options);
    if (j == NULL) {
        return journal__fail(error, JOURNAL_IO_ERROR, "opening %s failed: no memory",
                             options->directory);
    }
    enum journal_status status = open_steps(j, options, error);
    if (status != JOURNAL_OK) {
        journal_close(j);
        return status;
    }
    journal_check(j);
    *out = j;
    return JOURNAL_OK;
}

enum journal_status journal_open_beside(const struct journal_options *options, struct journal **out,
                                        struct journal_error *error)
{
    enum { TRIES = 8, PAUSE_NS = 10 * 1000 * 1000 };
    const struct timespec pause = {0, PAUSE_NS};
    struct journal_options beside = *options;
    enum journal_status status = JOURNAL_CORRUPT;
    beside.read_only = true;
    for (int tried = 0; tried < TRIES && status == JOURNAL_CORRUPT; tried++) {
        if (tried > 0) {
            (void)nanosleep(&pause, NULL);
        }
        status = journal_open(&beside, out, error);
    }
    CHECK((status == JOURNAL_OK) == (*out != NULL));
    CHECK(IMPLIES(status == JOURNAL_OK, (*out)->state == JOURNAL_STATE_READER));
    return status;
}

bool journal_is_verified(const struct journal *journal)
{
    CHECK(journal->segment_count > 0);
    CHECK(journal->segments_trusted < journal->segment_count);
    return journal->segments_trusted == 0;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    struct disk *disk = journal->disk;
    CHECK(disk != NULL);
    journal__spare_stop(&journal->spare, disk);
    if (journal->file != NULL) {
        disk->close(disk->context, journal->file);
    }
    if (journal->lock_file != NULL) {
        disk->close(disk->context, journal->lock_file);
    }
    free(journal->segments);
    free(journal);
}

struct journal_head journal_head(const struct journal *journal)
{
    CHECK(journal != NULL);
    CHECK(journal->segment_count > 0);
    return journal->head;
}

void journal_identity(const struct journal *journal, uint8_t out[16])
{
    CHECK(journal != NULL);
    CHECK(journal->segment_count > 0);
    memcpy(out, journal->seed.identity, IDENTITY_BYTES);
}

/* --- appending -------------------------------------------------------------------------------- */

/* The end of this object's life as a writer (J3). */
static enum journal_status poison(struct journal *j, int code, struct journal_error *error)
{
    CHECK(code < 0);
    CHECK(j->state != JOURNAL_STATE_READER);
    if (j->state != JOURNAL_STATE_POISONED && !MUTANT(POISON_FORGOTTEN)) {
        j->state = JOURNAL_STATE_POISONED;
        atomic_store(&j->poison_errno, code);
        atomic_store(&j->room, 0);
    }
    return journal__fail(error, JOURNAL_POISONED,
                         "writing or syncing the journal in %s failed: %s. Nothing more is "
                         "acknowledged, because nobody knows what reached the disk. Check the "
                         "disk, then restart: what was acknowledged is there.",
                         j->directory, strerror(-atomic_load(&j->poison_errno)));
}

static enum journal_status append_check(struct journal *j, const struct journal_batch *batch,
                                        const uint8_t previous[JOURNAL_HASH_BYTES],
                                        struct journal_error *error)
{
    journal_check(j);
    CHECK(j->state != JOURNAL_STATE_READER);
    int spare_error = atomic_load(&j->spare.error);
    if (j->state == JOURNAL_STATE_POISONED || spare_error != 0) {
        return poison(j, spare_error != 0 ? spare_error : atomic_load(&j->poison_errno), error);
    }
    if (memcmp(previous, j->head.hash, JOURNAL_HASH_BYTES) != 0) {
        return journal__fail(error, JOURNAL_FENCED,
                             "the journal in %s does not end where the writer believes: its head "
                             "is batch %" PRIu64 ". Drop the state and replay.",
                             j->directory, j->head.batch);
    }
    if (batch->payload_size == 0 || batch->payload_size > JOURNAL_PAYLOAD_MAX ||
        batch->frame_count == 0 || batch->first_position != j->head.position + 1) {
        return journal__fail(error, JOURNAL_LIMIT,
                             "a batch of %zu bytes and %" PRIu32 " frames from position %" PRIu64
                             " cannot follow position %" PRIu64 " (1 to %d bytes, 1 frame or "
                             "more, no gap)",
                             batch->payload_size, batch->frame_count, batch->first_position,
                             j->head.position, JOURNAL_PAYLOAD_MAX);
    }
    CHECK((uintptr_t)batch->buffer % JOURNAL_BLOCK_BYTES == 0);
    CHECK(batch->capacity >= batch_size(batch->payload_size));
    return JOURNAL_OK;
}

/*
 * A segment that a batch of `needed` bytes fits in: the spare, or, while the first segment is
 * still empty and too small, a larger first one (no segment but the last is ever empty).
 */
static int roll_take(struct journal *j, size_t needed, struct segment_order *order,
                     struct disk_file **out)
{
    CHECK(needed % batch_alignment() == 0);
    *order = next_order(j, needed);
    if (j->end > SEGMENT_HEADER_BYTES) {
        return journal__spare_take(&j->spare, order, &order->header, out);
    }
    CHECK(j->segment_count == 1);
    order->header.number = 1;
    int result = journal__segment_make(order, out);
    if (result == 0) {
        j->segment_count = 0;
    }
    return result;
}

/* Goes on in the next segment. Nothing is written into it yet. */
static enum journal_status append_roll(struct journal *j, size_t needed,
                                       struct journal_error *error)
{
    struct segment_order order;
    struct disk_file *file = NULL;
    CHECK(needed <= BATCH_BYTES_MAX);
    uint64_t ahead = atomic_load(&j->spare.room);
    if (ahead >= needed) {
        atomic_store(&j->room, ahead); /* no moment at which there seems to be no room */
    }
    int result = roll_take(j, needed, &order, &file);
    if (result != 0) {
        note_room(j);
    }
    atomic_store(&j->full, result != 0 && journal__is_full(result));
    if (atomic_load(&j->full) && !MUTANT(FULL_POISONS)) {
        return journal__fail(error, JOURNAL_DISK_FULL,
                             "the disk of %s is full: there is no room for another journal "
                             "segment of %" PRIu64 " bytes. Nothing was written. Free some space; "
                             "it goes on by itself.",
                             j->directory, order.header.size);
    }
    if (result != 0) {
        return poison(j, result, error);
    }
    const struct journal__segment segment = {
        .number = order.header.number, .size = order.header.size, .epoch = order.header.epoch};
    CHECK(segment.size >= SEGMENT_HEADER_BYTES + needed);
    j->disk->close(j->disk->context, j->file);
    j->file = file;
    if (!journal__segment_add(j, &segment)) {
        return poison(j, -ENOMEM, error);
    }
    j->end = SEGMENT_HEADER_BYTES;
    note_room(j);
    if (j->spare.threaded) {
        const struct segment_order next = next_order(j, 0);
        journal__spare_want(&j->spare, &next);
    }
    return JOURNAL_OK;
}

/* One write, one sync. */
static int append_write(struct journal *j, const struct journal_batch *batch, size_t size)
{
    struct disk *disk = j->disk;
    CHECK(size % batch_alignment() == 0);
    CHECK(j->end % batch_alignment() == 0);
    if (MUTANT(ACK_BEFORE_SYNC) && disk->sync(disk->context, j->file) != 0) {
        return -EIO;
    }
    int result = disk->write_at(disk->context, j->file, batch->buffer, size, j->end);
    if (result != 0 && !MUTANT(WRITE_ERROR_IGNORED)) {
        return result;
    }
    if (MUTANT(SKIP_SYNC) || MUTANT(ACK_BEFORE_SYNC)) {
        return 0;
    }
    result = disk->sync(disk->context, j->file);
    return MUTANT(SYNC_RETRIED) && result != 0 ? disk->sync(disk->context, j->file) : result;
}

enum journal_status journal_append(struct journal *journal, const struct journal_batch *batch,
                                   const uint8_t previous[JOURNAL_HASH_BYTES],
                                   struct journal_error *error)
{
    CHECK(batch->buffer != NULL);
    CHECK(previous != NULL);
    enum journal_status status = append_check(journal, batch, previous, error);
    if (status != JOURNAL_OK) {
        return status;
    }
    size_t size = batch_size(batch->payload_size);
    if (atomic_load(&journal->room) < size) {
        status = append_roll(journal, size, error);
        if (status != JOURNAL_OK) {
            return status;
        }
    }
    struct journal__segment *current = &journal->segments[journal->segment_count - 1];
    struct batch_header header = {
        .batch = journal->head.batch + 1,
        .first_position = batch->first_position,
        .frame_count = batch->frame_count,
        .payload_size = (uint32_t)batch->payload_size,
        .time_ns = batch->time_ns,
        .segment = current->number,
        .offset = journal->end,
        .epoch = journal->epoch,
    };
    memcpy(header.previous, journal->head.hash, sizeof(header.previous));
    batch_encode(&journal->seed, &header, batch->buffer);
    int result = append_write(journal, batch, size);
    if (result != 0 && !MUTANT(HEAD_EARLY)) {
        return poison(journal, result, error);
    }
    if (current->first_batch == 0) {
        current->first_batch = header.batch;
        current->first_position = header.first_position;
    }
    journal__head_advance(&journal->head, &header);
    journal->end += size;
    note_room(journal);
    journal_check(journal);
    return result == 0 ? JOURNAL_OK : poison(journal, result, error);
}

bool journal_has_room(const struct journal *journal, uint64_t bytes)
{
    CHECK(journal != NULL);
    /* In this order: when the spare becomes the current segment, its room is noted there first. */
    uint64_t spare = atomic_load(&journal->spare.room);
    uint64_t room = atomic_load(&journal->room);
    if (journal_has_failed(journal) || bytes > INT64_MAX) {
        return false;
    }
    uint64_t needed = JOURNAL_BATCH_HEADER_BYTES + bytes + JOURNAL_BLOCK_BYTES - 1;
    needed -= needed % JOURNAL_BLOCK_BYTES;
    if (room >= needed || spare >= needed) {
        return true;
    }
    /* Without a thread a spare is made when it is needed; the last try tells whether that works. */
    return journal->lock_file != NULL && !journal->spare.threaded && !journal_is_full(journal) &&
           needed <= BATCH_BYTES_MAX;
}

bool journal_is_full(const struct journal *journal)
{
    CHECK(journal != NULL);
    return atomic_load(&journal->full) || atomic_load(&journal->spare.full);
}

bool journal_has_failed(const struct journal *journal)
{
    CHECK(journal != NULL);
    return atomic_load(&journal->spare.error) != 0 || atomic_load(&journal->poison_errno) != 0;
}

void journal_make_room(struct journal *journal)
{
    CHECK(journal != NULL);
    CHECK(journal->state != JOURNAL_STATE_READER);
    if (journal->state != JOURNAL_STATE_WRITER) {
        return;
    }
    const struct segment_order order = next_order(journal, 0);
    atomic_store(&journal->full, false);
    journal__spare_want(&journal->spare, &order);
    if (!journal->spare.threaded) {
        journal__spare_make(&journal->spare);
    }
}
