/*
 * segment.c - segment files: their names, and how one comes into being.
 *
 * A segment is made under a temporary name and renamed when all of it is durable; so a file with
 * a segment's name is complete, whenever the power fails:
 *
 *      (nothing) --create--> NAME.tmp, growing --sync--> NAME.tmp, durable
 *                --rename--> NAME.seg --sync directory--> a spare that may be used
 *
 * Invariants
 *  S1  NAME.seg has a valid header, exactly the size that the header says, and nothing but zeros
 *      behind the header until batches are written.
 *  S2  no batch is written into a segment before its name is durable.
 *  S3  leftovers (NAME.tmp) mean nothing and are removed on opening.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal/internal.h"

enum {
    ZERO_CHUNK_BYTES =
        256 << 10, /* measured: larger ones delay commits, smaller ones gain nothing */
    ZERO_PAUSE_NS = 250 * 1000,
    ZERO_AHEAD = 100, /* thousandths that the spare should be ahead of the current segment's use */
};

void journal__segment_name(uint64_t number, char out[JOURNAL_NAME_MAX])
{
    CHECK(number > 0);
    int n = snprintf(out, JOURNAL_NAME_MAX, "journal-%08" PRIu64 ".seg", number);
    CHECK(n > 0 && n < JOURNAL_NAME_MAX);
}

bool journal__segment_number(const char *name, uint64_t *number_out)
{
    CHECK(name != NULL);
    CHECK(number_out != NULL);
    const char prefix[] = "journal-";
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    const char *digits = name + sizeof(prefix) - 1;
    size_t count = strspn(digits, "0123456789");
    uint64_t number = 0;
    if (count == 0 || count > 18 || !span_parse_u64((struct span){digits, count}, &number) ||
        number == 0) {
        return false;
    }
    char expected[JOURNAL_NAME_MAX];
    journal__segment_name(number, expected); /* one name for one number */
    if (strcmp(name, expected) != 0) {
        return false;
    }
    *number_out = number;
    return true;
}

void journal__path(char out[JOURNAL_PATH_MAX], const char *directory, const char *name)
{
    CHECK(directory != NULL && directory[0] != '\0');
    CHECK(name != NULL && name[0] != '\0');
    int n = snprintf(out, JOURNAL_PATH_MAX, "%s/%s", directory, name);
    CHECK(n > 0 && n < JOURNAL_PATH_MAX);
}

bool journal__is_leftover(const char *name)
{
    CHECK(name != NULL);
    size_t length = strlen(name);
    const char suffix[] = ".tmp";
    if (length < sizeof(suffix) || strcmp(name + length - (sizeof(suffix) - 1), suffix) != 0) {
        return false;
    }
    return strncmp(name, "journal-", 8) == 0 || strncmp(name, "snapshot-", 9) == 0;
}

int journal__segment_open(struct disk *disk, const char *directory, uint64_t number, bool writable,
                          struct disk_file **out)
{
    char name[JOURNAL_NAME_MAX];
    char path[JOURNAL_PATH_MAX];
    CHECK(disk != NULL);
    CHECK(out != NULL);
    journal__segment_name(number, name);
    journal__path(path, directory, name);
    return disk->open(disk->context, path, writable, false, false, out);
}

/*
 * Between two chunks written in the background: what was written goes to the device now, so that
 * no large flush ever stands in front of a commit; and while there is time, the commits get their
 * turn.
 */
static int pace_keep(struct disk *disk, struct disk_file *file, const struct segment_pace *pace,
                     uint64_t done)
{
    CHECK(pace != NULL);
    CHECK(done <= 1000);
    CHECK(file != NULL);
    if (atomic_load(&pace->cancel)) {
        return -ECANCELED;
    }
    if (atomic_load(&pace->hurry)) {
        return 0; /* nothing else is going on */
    }
    int result = disk->sync(disk->context, file);
    if (done >= atomic_load(&pace->used) + ZERO_AHEAD) {
        const struct timespec pause = {.tv_sec = 0, .tv_nsec = ZERO_PAUSE_NS};
        (void)nanosleep(&pause, NULL);
    }
    return result;
}

int journal__write_zeros(struct disk *disk, struct disk_file *file, uint64_t from, uint64_t to,
                         const struct segment_pace *pace)
{
    CHECK(from <= to);
    CHECK(from % batch_alignment() == 0 && to % batch_alignment() == 0);
    if (from == to) {
        return 0;
    }
    size_t chunk = to - from < ZERO_CHUNK_BYTES ? (size_t)(to - from) : (size_t)ZERO_CHUNK_BYTES;
    void *zeros = calloc(1, chunk);
    if (zeros == NULL) {
        return -ENOMEM;
    }
    int result = 0;
    for (uint64_t at = from; at < to && result == 0; at += chunk) {
        size_t size = to - at < chunk ? (size_t)(to - at) : chunk;
        result = disk->write_at(disk->context, file, zeros, size, at);
        if (result == 0 && pace != NULL) {
            result = pace_keep(disk, file, pace, (at + size) * 1000 / to);
        }
    }
    free(zeros);
    return result;
}

/* Header and zeros into the temporary file, all of it durable. */
static int make_fill(const struct segment_order *order, struct disk_file *file)
{
    struct disk *disk = order->disk;
    uint8_t block[SEGMENT_HEADER_BYTES];
    CHECK(file != NULL);
    CHECK(order->header.size >= SEGMENT_BYTES_LEAST);
    segment_header_encode(&order->header, block);
    int result = disk->write_at(disk->context, file, block, sizeof(block), 0);
    if (result == 0) {
        result =
            journal__write_zeros(disk, file, SEGMENT_HEADER_BYTES, order->header.size, order->pace);
    }
    if (result == 0 && !MUTANT(SEGMENT_NOT_SYNCED)) {
        result = disk->sync(disk->context, file);
    }
    return result;
}

int journal__segment_make(const struct segment_order *order, struct disk_file **out)
{
    struct disk *disk = order->disk;
    char name[JOURNAL_NAME_MAX];
    char final_path[JOURNAL_PATH_MAX];
    char path[JOURNAL_PATH_MAX];
    CHECK(order->header.number > 0);
    CHECK(order->directory != NULL);
    *out = NULL;
    journal__segment_name(order->header.number, name);
    journal__path(final_path, order->directory, name);
    memcpy(strrchr(name, '.'), ".tmp", sizeof(".tmp"));
    journal__path(path, order->directory, name);

    struct disk_file *file = NULL;
    int result = disk->remove(disk->context, path);
    if (result != 0 && result != -ENOENT) {
        return result;
    }
    result = disk->open(disk->context, path, true, true, true, &file);
    if (result != 0) {
        return result;
    }
    result = make_fill(order, file);
    if (result == 0) {
        result = disk->rename(disk->context, path, final_path);
    }
    if (result == 0 && !MUTANT(SEGMENT_NAME_LOST)) {
        result = disk->sync_directory(disk->context, order->directory);
    }
    if (result != 0) {
        disk->close(disk->context, file);
        (void)disk->remove(disk->context, path); /* gives the room back */
        return result;
    }
    *out = file;
    return 0;
}
