/*
 * read.c - reading back: batches in order, each verified and chained to the one before it.
 *
 * Invariants
 *  D1  nothing is handed out that is not intact and does not continue what was handed out before.
 *  D2  reading ends exactly at the head, with the head's hash, unless the caller stops it.
 * Tests: tests/unit/test_journal.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "journal/internal.h"

static enum journal_status read_fail(struct journal *j, const struct journal__scan *scan,
                                     uint64_t offset, const char *what, struct journal_error *error)
{
    char name[JOURNAL_NAME_MAX];
    CHECK(scan->number > 0);
    CHECK(scan->error <= 0);
    journal__segment_name(scan->number, name);
    if (scan->error != 0) {
        return journal__fail_io(error, scan->error, "reading", j->directory, name);
    }
    return journal__fail(error, JOURNAL_CORRUPT,
                         "history is damaged in %s/%s at offset %" PRIu64 ": %s. Keep this "
                         "directory as it is; put an intact copy of %s in its place (backup or "
                         "replica), then run 'hakika verify'.",
                         j->directory, name, offset, what, name);
}

/* The segment in which a position (or, with by_batch, a batch) is, as an index. */
static size_t read_segment(const struct journal *j, uint64_t target, bool by_batch)
{
    size_t index = j->segment_count - 1;
    CHECK(j->segment_count > 0);
    CHECK(target > 0);
    while (index > 0) {
        const struct journal__segment *segment = &j->segments[index];
        uint64_t first = by_batch ? segment->first_batch : segment->first_position;
        if (first != 0 && first <= target) {
            break;
        }
        index--;
    }
    return index;
}

/* Opens a segment of the table. */
static int read_open(struct journal *j, struct journal__scan *scan, size_t index)
{
    CHECK(index < j->segment_count);
    CHECK(j->segments[index].number == index + 1);
    const struct journal__segment *segment = &j->segments[index];
    return journal__scan_open(scan, j->directory, segment->number, segment->size);
}

/*
 * Steps over whole batches, by their headers alone, to the one that holds the target; returns
 * its offset, or 0 when the scan failed or a header is not one.
 */
static uint64_t read_seek(struct journal__scan *scan, uint64_t target, bool by_batch)
{
    uint64_t offset = SEGMENT_HEADER_BYTES;
    CHECK(target > 0);
    while (offset < scan->size) {
        struct batch_header header;
        const uint8_t *block = journal__scan_view(scan, offset, JOURNAL_BLOCK_BYTES);
        if (block == NULL ||
            batch_header_decode(block, scan->number, offset, &header) != FORMAT_VALID) {
            return 0;
        }
        uint64_t last = by_batch ? header.batch : header.first_position + header.frame_count - 1;
        if (last >= target) {
            return offset;
        }
        offset += batch_size(header.payload_size);
    }
    CHECK(offset > SEGMENT_HEADER_BYTES);
    return 0;
}

/* What precedes the first batch to be read: known for the first of all, else what it says. */
static void read_anchor(const struct journal *j, const struct batch_header *header,
                        struct journal_head *out)
{
    CHECK(header->batch > 0);
    *out =
        (struct journal_head){.batch = header->batch - 1, .position = header->first_position - 1};
    if (header->batch == 1) {
        format_genesis(&j->seed, out->hash);
    } else {
        memcpy(out->hash, header->previous, sizeof(out->hash));
    }
    CHECK(out->position >= out->batch);
}

bool journal__deliver(const struct batch_header *header, const uint8_t *payload,
                      journal_read_fn callback, void *context)
{
    CHECK(payload != NULL);
    CHECK(header->payload_size > 0);
    struct journal_read_batch batch = {
        .batch = header->batch,
        .first_position = header->first_position,
        .frame_count = header->frame_count,
        .time_ns = header->time_ns,
        .epoch = header->epoch,
        .segment = header->segment,
        .offset = header->offset,
        .payload = payload,
        .payload_size = header->payload_size,
    };
    memcpy(batch.hash, header->hash, sizeof(batch.hash));
    return callback(context, &batch);
}

/* From the batch at (index, offset) to the head. */
static enum journal_status read_walk(struct journal *j, struct journal__scan *scan, size_t index,
                                     uint64_t offset, journal_read_fn callback, void *context,
                                     struct journal_error *error)
{
    struct journal_head at = {0};
    uint64_t epoch = 0;
    CHECK(offset >= SEGMENT_HEADER_BYTES);
    CHECK(index < j->segment_count);
    while (at.batch < j->head.batch) {
        struct batch_header header;
        const uint8_t *payload = NULL;
        enum journal__found found = journal__scan_batch(scan, &j->seed, offset, &header, &payload);
        if (found == FOUND_NOTHING && index + 1 < j->segment_count) {
            index++;
            offset = SEGMENT_HEADER_BYTES;
            if (read_open(j, scan, index) != 0) {
                return read_fail(j, scan, 0, "", error);
            }
            continue;
        }
        if (found != FOUND_BATCH) {
            return read_fail(j, scan, offset, "the batch there is not intact", error);
        }
        if (at.batch == 0) {
            read_anchor(j, &header, &at);
        }
        if (!journal__continues(&at, epoch, &header)) {
            return read_fail(j, scan, offset, "the batch there does not continue the chain", error);
        }
        if (!journal__deliver(&header, payload, callback, context)) {
            return JOURNAL_OK;
        }
        journal__head_advance(&at, &header);
        epoch = header.epoch;
        offset += batch_size(header.payload_size);
    }
    if (memcmp(at.hash, j->head.hash, sizeof(at.hash)) != 0) {
        return read_fail(j, scan, offset, "the chain does not end in the head", error);
    }
    return JOURNAL_OK;
}

enum journal_status journal_read(struct journal *journal, uint64_t from_position,
                                 journal_read_fn callback, void *context,
                                 struct journal_error *error)
{
    CHECK(callback != NULL);
    CHECK(journal->segment_count > 0);
    *error = (struct journal_error){.status = JOURNAL_OK};
    if (journal->head.position == 0 || from_position > journal->head.position) {
        return JOURNAL_OK;
    }
    uint64_t from = from_position == 0 ? 1 : from_position;
    struct journal__scan scan;
    journal__scan_init(&scan, journal->disk);
    size_t index = read_segment(journal, from, false);
    enum journal_status status;
    if (read_open(journal, &scan, index) != 0) {
        status = read_fail(journal, &scan, 0, "", error);
    } else {
        uint64_t offset = read_seek(&scan, from, false);
        status = offset == 0 ? read_fail(journal, &scan, SEGMENT_HEADER_BYTES,
                                         "a batch header in this segment is not intact", error)
                             : read_walk(journal, &scan, index, offset, callback, context, error);
    }
    journal__scan_fini(&scan);
    return status;
}

bool journal__confirms(struct journal *j, const struct snapshot_meta *meta)
{
    CHECK(j->segment_count > 0);
    if (meta->batch == 0 || meta->batch > j->head.batch || meta->position > j->head.position) {
        return false;
    }
    struct journal__scan scan;
    struct batch_header header = {0};
    const uint8_t *payload = NULL;
    bool intact = false;
    journal__scan_init(&scan, j->disk);
    if (read_open(j, &scan, read_segment(j, meta->batch, true)) == 0) {
        uint64_t offset = read_seek(&scan, meta->batch, true);
        intact = offset != 0 &&
                 journal__scan_batch(&scan, &j->seed, offset, &header, &payload) == FOUND_BATCH;
    }
    journal__scan_fini(&scan);
    CHECK(IMPLIES(intact, header.batch > 0));
    return intact && header.batch == meta->batch &&
           header.first_position + header.frame_count - 1 == meta->position &&
           memcmp(header.hash, meta->hash, sizeof(header.hash)) == 0;
}
