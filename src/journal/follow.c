/*
 * follow.c - reading on behind the head, while a writer (another thread or process) appends.
 *
 * Invariants
 *  F1  what is handed out is intact and continues what was handed out or read before.
 *  F2  the head moves with what was handed out, and with nothing else.
 *  F3  a place where nothing was written yet is never looked at: the caller knows what is durable.
 * Tests: tests/unit/test_journal.c, tests/unit/test_journal_files.c.
 */
#include <inttypes.h>
#include <string.h>

#include "journal/internal.h"

static enum journal_status follow_fail(struct journal *j, const struct journal__scan *scan,
                                       const char *what, struct journal_error *error)
{
    char name[JOURNAL_NAME_MAX];
    CHECK(scan->number > 0);
    CHECK(scan->error <= 0);
    journal__segment_name(scan->number, name);
    if (scan->error != 0) {
        return journal__fail_io(error, scan->error, "reading", j->directory, name);
    }
    return journal__fail(error, JOURNAL_CORRUPT,
                         "%s/%s at offset %" PRIu64 ": %s, although it was written. Run 'hakika "
                         "verify'.",
                         j->directory, name, j->end, what);
}

/* Reads the header of the segment behind the last one of the table. */
static int segment_look(struct journal *j, uint64_t number, struct segment_header *out)
{
    uint8_t block[SEGMENT_HEADER_BYTES] = {0};
    struct disk_file *file = NULL;
    size_t got = 0;
    uint32_t version = 0;
    CHECK(j->state == JOURNAL_STATE_READER);
    CHECK(number == j->segment_count + 1);
    *out = (struct segment_header){.number = 0};
    int result = journal__segment_open(j->disk, j->directory, number, false, &file);
    if (result != 0) {
        return result;
    }
    result = j->disk->read_at(j->disk->context, file, block, sizeof(block), 0, &got);
    j->disk->close(j->disk->context, file);
    if (result == 0 && segment_header_decode(block, out, &version) != FORMAT_VALID) {
        out->number = 0;
    }
    return result;
}

/* Goes on to the next segment, and the scan with it. */
static enum journal_status follow_segment(struct journal *j, struct journal__scan *scan,
                                          struct journal_error *error)
{
    struct segment_header header;
    char name[JOURNAL_NAME_MAX];
    uint64_t number = j->segment_count + 1;
    CHECK(scan->number == number - 1);
    journal__segment_name(number, name);
    int result = segment_look(j, number, &header);
    if (result != 0) {
        return journal__fail_io(error, result, "reading the header of", j->directory, name);
    }
    if (header.number != number || header.size < SEGMENT_BYTES_LEAST ||
        memcmp(&header.seed, &j->seed, sizeof(j->seed)) != 0) {
        return journal__fail(error, JOURNAL_CORRUPT,
                             "the header of %s/%s is not one of this journal. Run 'hakika verify'.",
                             j->directory, name);
    }
    struct journal__segment segment = {
        .number = number, .size = header.size, .epoch = header.epoch};
    if (!journal__segment_add(j, &segment)) {
        return journal__fail(error, JOURNAL_IO_ERROR, "reading %s/%s failed: no memory",
                             j->directory, name);
    }
    j->end = SEGMENT_HEADER_BYTES;
    CHECK(j->segment_count == number);
    return journal__scan_open(scan, j->directory, number, segment.size) == 0
               ? JOURNAL_OK
               : follow_fail(j, scan, "", error);
}

/* Takes the batch behind the head (F1, F2). */
static void follow_accept(struct journal *j, const struct batch_header *header)
{
    struct journal__segment *segment = &j->segments[j->segment_count - 1];
    CHECK(header->segment == segment->number);
    CHECK(j->end + batch_size(header->payload_size) <= segment->size);
    if (segment->first_batch == 0) {
        segment->first_batch = header->batch;
        segment->first_position = header->first_position;
    }
    journal__head_advance(&j->head, header);
    j->end += batch_size(header->payload_size);
}

enum journal_status journal_follow(struct journal *journal, uint64_t until_position,
                                   journal_read_fn callback, void *context,
                                   struct journal_error *error)
{
    struct journal__scan scan;
    enum journal_status status = JOURNAL_OK;
    CHECK(journal->state == JOURNAL_STATE_READER);
    CHECK(journal->segment_count > 0);
    *error = (struct journal_error){.status = JOURNAL_OK};
    journal__scan_init(&scan, journal->disk);
    const struct journal__segment *last = &journal->segments[journal->segment_count - 1];
    if (journal__scan_open(&scan, journal->directory, last->number, last->size) != 0) {
        status = follow_fail(journal, &scan, "", error);
    }
    bool wanted = true;
    bool begun = false; /* a segment in which nothing has been found yet */
    while (status == JOURNAL_OK && wanted && journal->head.position < until_position) {
        struct batch_header header;
        const uint8_t *payload = NULL;
        enum journal__found found =
            journal__scan_batch(&scan, &journal->seed, journal->end, &header, &payload);
        if (found == FOUND_NOTHING && !begun) {
            status = follow_segment(journal, &scan, error);
            begun = true;
        } else if (found != FOUND_BATCH) {
            status = follow_fail(journal, &scan, "the batch there is not intact", error);
        } else if (!journal__continues(&journal->head, 0, &header)) {
            status =
                follow_fail(journal, &scan, "the batch there does not continue the chain", error);
        } else {
            begun = false;
            follow_accept(journal, &header);
            wanted = journal__deliver(&header, payload, callback, context);
        }
    }
    journal__scan_fini(&scan);
    return status;
}
