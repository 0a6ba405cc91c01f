/*
 * scan.c - reads the batches of a segment through a window that moves forward.
 *
 * Invariants
 *  W1  window[0 .. filled) are the bytes [at, at + filled) of the file, filled <= capacity.
 *  W2  after an error the window is empty.
 *  W3  no byte is believed that the hash of its batch does not cover.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal/internal.h"

/* So much that a system call is little beside the reading, and so little that it stays in a cache:
 * every new page of memory that is read into costs a fault, three windows at every start. */
enum { READ_AHEAD_BYTES = 1 << 16 };

static void scan_check(const struct journal__scan *scan)
{
    CHECK(scan->filled <= scan->capacity);
    CHECK(scan->error <= 0);
    CHECK(IMPLIES(scan->error != 0, scan->filled == 0));
}

void journal__scan_init(struct journal__scan *scan, struct disk *disk)
{
    CHECK(scan != NULL);
    CHECK(disk != NULL);
    *scan = (struct journal__scan){.disk = disk};
}

void journal__scan_fini(struct journal__scan *scan)
{
    CHECK(scan->disk != NULL);
    scan_check(scan);
    if (scan->file != NULL) {
        scan->disk->close(scan->disk->context, scan->file);
    }
    free(scan->window);
    *scan = (struct journal__scan){.disk = scan->disk};
}

int journal__scan_open(struct journal__scan *scan, const char *directory, uint64_t number,
                       uint64_t size)
{
    CHECK(size >= SEGMENT_BYTES_LEAST);
    CHECK(number > 0);
    scan_check(scan);
    if (scan->file != NULL && scan->number == number) {
        return 0;
    }
    if (scan->file != NULL) {
        scan->disk->close(scan->disk->context, scan->file);
        scan->file = NULL;
    }
    scan->filled = 0;
    scan->error = journal__segment_open(scan->disk, directory, number, false, &scan->file);
    scan->number = number;
    scan->size = size;
    return scan->error;
}

void journal__scan_reread(struct journal__scan *scan)
{
    CHECK(scan->disk != NULL);
    scan_check(scan);
    scan->filled = 0;
}

/* Makes room for `size` bytes in the window. */
static bool scan_reserve(struct journal__scan *scan, size_t size)
{
    CHECK(size <= BATCH_BYTES_MAX);
    CHECK(size > 0);
    if (size <= scan->capacity) {
        return true;
    }
    uint8_t *larger = realloc(scan->window, size);
    if (larger == NULL) {
        scan->error = -ENOMEM;
        scan->filled = 0;
        return false;
    }
    scan->window = larger;
    scan->capacity = size;
    return true;
}

const uint8_t *journal__scan_view(struct journal__scan *scan, uint64_t offset, size_t size)
{
    CHECK(scan->file != NULL);
    CHECK(offset + size <= scan->size);
    scan_check(scan);
    if (offset >= scan->at && offset + size <= scan->at + scan->filled) {
        return scan->window + (offset - scan->at);
    }
    uint64_t left = scan->size - offset;
    size_t wanted = size > READ_AHEAD_BYTES ? size : (size_t)READ_AHEAD_BYTES;
    wanted = wanted > left ? (size_t)left : wanted;
    if (scan->error != 0 || !scan_reserve(scan, wanted)) {
        return NULL;
    }
    size_t kept = 0;
    if (offset >= scan->at && offset < scan->at + scan->filled) {
        kept = (size_t)(scan->at + scan->filled - offset);
        memmove(scan->window, scan->window + (offset - scan->at), kept);
    }
    size_t got = 0;
    int result = scan->disk->read_at(scan->disk->context, scan->file, scan->window + kept,
                                     wanted - kept, offset + kept, &got);
    if (result != 0 || got != wanted - kept) {
        scan->error = result != 0 ? result : -EIO; /* shorter than its size: cut while we read */
        scan->filled = 0;
        return NULL;
    }
    scan->at = offset;
    scan->filled = wanted;
    return scan->window;
}

size_t journal__scan_block(const struct journal__scan *scan, uint64_t offset)
{
    CHECK(offset <= scan->size);
    CHECK(scan->file != NULL);
    uint64_t left = scan->size - offset;
    return left < JOURNAL_BLOCK_BYTES ? (size_t)left : (size_t)JOURNAL_BLOCK_BYTES;
}

enum journal__found journal__scan_batch(struct journal__scan *scan,
                                        const struct journal__seed *seed, uint64_t offset,
                                        struct batch_header *header_out,
                                        const uint8_t **payload_out)
{
    CHECK(offset % batch_alignment() == 0);
    CHECK(offset >= SEGMENT_HEADER_BYTES && offset <= scan->size);
    size_t size = journal__scan_block(scan, offset);
    if (size < JOURNAL_BATCH_HEADER_BYTES) {
        return FOUND_NOTHING;
    }
    const uint8_t *block = journal__scan_view(scan, offset, size);
    if (block == NULL) {
        return FOUND_ERROR;
    }
    enum format_verdict verdict = batch_header_decode(block, scan->number, offset, header_out);
    if (verdict != FORMAT_VALID) {
        return format_is_zero(block, size) ? FOUND_NOTHING : FOUND_DAMAGE;
    }
    size = batch_size(header_out->payload_size);
    if (size > scan->size - offset) {
        return FOUND_DAMAGE;
    }
    const uint8_t *data = journal__scan_view(scan, offset, size);
    if (data == NULL) {
        return FOUND_ERROR;
    }
    *payload_out = data + JOURNAL_BATCH_HEADER_BYTES;
    return batch_is_intact(seed, header_out, data) ? FOUND_BATCH : FOUND_DAMAGE;
}

bool journal__continues(const struct journal_head *head, uint64_t epoch,
                        const struct batch_header *header)
{
    CHECK(header->batch > 0);
    CHECK(head->position >= head->batch);
    return header->batch == head->batch + 1 && header->first_position == head->position + 1 &&
           header->epoch >= epoch &&
           (MUTANT(NO_CHAIN) || memcmp(header->previous, head->hash, JOURNAL_HASH_BYTES) == 0);
}

void journal__head_advance(struct journal_head *head, const struct batch_header *header)
{
    CHECK(header->batch == head->batch + 1);
    CHECK(header->frame_count > 0);
    head->batch = header->batch;
    head->position = header->first_position + header->frame_count - 1;
    head->time_ns = header->time_ns;
    memcpy(head->hash, header->hash, sizeof(head->hash));
}
