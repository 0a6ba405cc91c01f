/*
 * recover.c - what opening finds: the segments, the head of the history, and what a crash left.
 *
 *   list names -> read every segment header -> (writing) sync what memory holds and forget it
 *     -> choose where to start -> walk, batch by batch, to the head -> look at what lies behind it
 *     -> nothing: done | one torn batch: cut it | an intact batch, or too much: damage, stop
 *
 * Invariants
 *  R1  nothing is written before every header was found to be ours, and of a version we know.
 *  R2  the head is the last batch that continues the chain; behind it there is, at most, what one
 *      append could have left: anything but zeros lies within one batch's length (its own, when
 *      its header can be read) of where the next batch would have gone, in the head's segment or
 *      at the start of the next, and contains no other batch's header.
 *  R3  no batch but the last is ever dropped: the header of one behind a damaged place stops the
 *      opening, whether or not its content is intact.
 *  R4  what is believed is on the device: the segments at the tail are synced (an earlier process
 *      may have died between its write and its sync) and read back from the device (after an
 *      earlier failed sync, memory shows what the device does not have). Otherwise a later batch
 *      in the next segment could become durable before an earlier one.
 *  R5  a torn batch is zeroed, and that is synced, before anything new is written: the new batch
 *      may go elsewhere, and then the remains would look like damage before it.
 * Tests: tests/unit/test_journal.c, tests/crash/.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/internal.h"

struct recovery {
    struct journal *j;
    const struct journal_options *options;
    struct journal_error *error;
    struct journal__scan scan;
    bool snapshots; /* the directory holds at least one */
    bool no_memory;
    char leftover[JOURNAL_NAME_MAX]; /* the name of one, or empty */
    size_t suspect; /* index of the first segment that the last process may have written in */
    size_t index;   /* where the walk stands: segment and offset of the next batch */
    uint64_t offset;
    uint64_t epoch; /* of the last batch */
    uint64_t epoch_max;
    size_t head_index; /* where the next batch would go */
    uint64_t head_end;
    size_t torn_index; /* what a torn batch left: [torn_from, torn_to), empty when equal */
    uint64_t torn_from;
    uint64_t torn_to;
};

/* What lies from a place on in one segment, where the next batch should have been. */
struct behind {
    uint64_t from; /* the blocks that are not zero are in [from, to); equal when there are none */
    uint64_t to;
    uint64_t most;  /* up to here one torn batch can explain them */
    uint64_t batch; /* the first batch whose header is found further on, or 0 */
    uint64_t offset;
};

static void recovery_check(const struct recovery *r)
{
    CHECK(r->index < r->j->segment_count);
    CHECK(r->offset % batch_alignment() == 0);
    CHECK(r->offset >= SEGMENT_HEADER_BYTES && r->offset <= r->j->segments[r->index].size);
    CHECK(r->torn_from <= r->torn_to);
}

static enum journal_status fail_damaged(struct recovery *r, size_t index, uint64_t offset,
                                        const char *what)
{
    CHECK(index < r->j->segment_count);
    CHECK(offset <= r->j->segments[index].size);
    char name[JOURNAL_NAME_MAX];
    journal__segment_name(r->j->segments[index].number, name);
    return journal__fail(
        r->error, JOURNAL_CORRUPT,
        "history is damaged in %s/%s at offset %" PRIu64 ": %s. Nothing was changed. Keep this "
        "directory as it is; put an intact copy of %s in its place (backup or replica), then run "
        "'hakika verify'. Going on without it would lose acknowledged payments.",
        r->j->directory, name, offset, what, name);
}

static enum journal_status fail_scan(struct recovery *r, const char *doing)
{
    CHECK(r->scan.error < 0);
    CHECK(r->scan.number > 0);
    char name[JOURNAL_NAME_MAX];
    journal__segment_name(r->scan.number, name);
    return journal__fail_io(r->error, r->scan.error, doing, r->j->directory, name);
}

/* --- names and headers ------------------------------------------------------------------------ */

static bool list_name(void *context, const char *name)
{
    struct recovery *r = context;
    CHECK(r != NULL);
    CHECK(name != NULL);
    struct journal__segment segment = {0};
    if (journal__segment_number(name, &segment.number)) {
        r->no_memory = !journal__segment_add(r->j, &segment);
    } else if (journal__is_leftover(name) && strlen(name) < sizeof(r->leftover)) {
        memcpy(r->leftover, name, strlen(name) + 1);
    } else if (strncmp(name, "snapshot-", 9) == 0) {
        r->snapshots = true;
    }
    return !r->no_memory;
}

static int by_number(const void *a, const void *b)
{
    const struct journal__segment *left = a;
    const struct journal__segment *right = b;
    CHECK(left->number > 0);
    CHECK(right->number > 0);
    return left->number < right->number ? -1 : left->number > right->number;
}

static enum journal_status recover_list(struct recovery *r)
{
    struct journal *j = r->j;
    CHECK(j->segment_count == 0);
    CHECK(j->head.batch == 0);
    int result = j->disk->list(j->disk->context, j->directory, list_name, r);
    if (result == 0 && r->no_memory) {
        result = -ENOMEM;
    }
    if (result != 0) {
        return journal__fail_io(r->error, result, "listing", j->directory, NULL);
    }
    if (j->segment_count > 0) {
        qsort(j->segments, j->segment_count, sizeof(j->segments[0]), by_number);
    }
    for (size_t i = 0; i < j->segment_count; i++) {
        if (j->segments[i].number != i + 1) {
            char name[JOURNAL_NAME_MAX];
            journal__segment_name(i + 1, name);
            return journal__fail(r->error, JOURNAL_CORRUPT,
                                 "a segment is missing: %s/%s is not there but later ones are. "
                                 "Nothing was changed. Bring it back (backup or replica); without "
                                 "it the history of the payments in it is lost.",
                                 j->directory, name);
        }
    }
    if (j->segment_count == 0 && r->snapshots) {
        return journal__fail(r->error, JOURNAL_CORRUPT,
                             "the journal is missing: %s holds snapshots but no segment "
                             "(journal-00000001.seg). Nothing was changed. Bring the segments "
                             "back; to begin a new book, choose an empty directory.",
                             j->directory);
    }
    return JOURNAL_OK;
}

static bool list_leftover(void *context, const char *name)
{
    struct recovery *r = context;
    CHECK(r->leftover[0] == '\0');
    CHECK(name != NULL);
    if (!journal__is_leftover(name) || strlen(name) >= sizeof(r->leftover)) {
        return true;
    }
    memcpy(r->leftover, name, strlen(name) + 1);
    return false;
}

/* Removes what an unfinished segment or snapshot left behind, one name per listing. */
static enum journal_status recover_leftovers(struct recovery *r)
{
    struct disk *disk = r->j->disk;
    CHECK(r->j->state == JOURNAL_STATE_WRITER);
    CHECK(r->j->lock_file != NULL);
    while (r->leftover[0] != '\0') {
        char path[JOURNAL_PATH_MAX];
        journal__path(path, r->j->directory, r->leftover);
        int result = disk->remove(disk->context, path);
        if (result != 0) {
            return journal__fail_io(r->error, result, "removing the half-made", r->j->directory,
                                    r->leftover);
        }
        r->leftover[0] = '\0';
        result = disk->list(disk->context, r->j->directory, list_leftover, r);
        if (result != 0) {
            return journal__fail_io(r->error, result, "listing", r->j->directory, NULL);
        }
    }
    return JOURNAL_OK;
}

static enum journal_status header_explain(struct recovery *r, const char *name,
                                          enum format_verdict verdict, uint32_t version)
{
    CHECK(verdict != FORMAT_VALID);
    CHECK(name != NULL);
    if (verdict == FORMAT_VERSION) {
        return journal__fail(r->error, JOURNAL_FOREIGN,
                             "%s/%s has format version %" PRIu32 " (offset 8); this program reads "
                             "versions %d to %d. Nothing was changed. Use the program that wrote "
                             "it, or a newer one.",
                             r->j->directory, name, version, JOURNAL_FORMAT_OLDEST,
                             JOURNAL_FORMAT_VERSION);
    }
    if (verdict == FORMAT_FOREIGN) {
        return journal__fail(r->error, JOURNAL_FOREIGN,
                             "%s/%s is not a journal segment, or its first bytes (offset 0) are "
                             "damaged. Nothing was changed. Check the directory's name; if it is "
                             "right, restore this file from a backup.",
                             r->j->directory, name);
    }
    return journal__fail(r->error, JOURNAL_CORRUPT,
                         "the header of %s/%s (offset 0) is damaged. Nothing was changed. Restore "
                         "this file from a backup or replica.",
                         r->j->directory, name);
}

/* Whether a valid header belongs here: number, size, journal and book. */
static enum journal_status header_belongs(struct recovery *r, const char *name, size_t index,
                                          const struct segment_header *header, uint64_t file_size)
{
    struct journal *j = r->j;
    CHECK(index < j->segment_count);
    CHECK(header->number > 0);
    if (header->number != j->segments[index].number || header->size != file_size) {
        return journal__fail(r->error, JOURNAL_CORRUPT,
                             "%s/%s says in its header (offset 0) that it is segment %" PRIu64
                             " of %" PRIu64 " bytes, but it has %" PRIu64 " bytes: it was "
                             "renamed, cut or extended. Nothing was changed. Restore it from a "
                             "backup or replica.",
                             j->directory, name, header->number, header->size, file_size);
    }
    if (memcmp(header->seed.book, r->options->book, BOOK_BYTES) != 0) {
        return journal__fail(r->error, JOURNAL_FOREIGN,
                             "%s belongs to the book \"%s\", not to \"%s\". Nothing was changed. "
                             "Give each book a directory of its own.",
                             j->directory, (const char *)header->seed.book, r->options->book);
    }
    if (index == 0) {
        j->seed = header->seed;
    } else if (memcmp(&j->seed, &header->seed, sizeof(j->seed)) != 0) {
        return journal__fail(r->error, JOURNAL_FOREIGN,
                             "%s/%s belongs to another journal than the segments before it. "
                             "Nothing was changed. Put back the file that belongs here.",
                             j->directory, name);
    }
    return JOURNAL_OK;
}

static enum journal_status recover_header(struct recovery *r, size_t index)
{
    struct journal *j = r->j;
    struct disk *disk = j->disk;
    char name[JOURNAL_NAME_MAX];
    uint8_t block[SEGMENT_HEADER_BYTES] = {0};
    uint64_t file_size = 0;
    size_t got = 0;
    struct disk_file *file = NULL;
    CHECK(index < j->segment_count);
    CHECK(j->segments[index].number == index + 1);
    journal__segment_name(j->segments[index].number, name);
    int result = journal__segment_open(disk, j->directory, j->segments[index].number, false, &file);
    if (result == 0) {
        result = disk->size(disk->context, file, &file_size);
        if (result == 0) {
            result = disk->read_at(disk->context, file, block, sizeof(block), 0, &got);
        }
        disk->close(disk->context, file);
    }
    if (result != 0) {
        return journal__fail_io(r->error, result, "reading the header of", j->directory, name);
    }
    struct segment_header header;
    uint32_t version = 0;
    enum format_verdict verdict = segment_header_decode(block, &header, &version);
    if (verdict != FORMAT_VALID) {
        return header_explain(r, name, verdict, version);
    }
    enum journal_status status = header_belongs(r, name, index, &header, file_size);
    if (status == JOURNAL_OK) {
        j->segments[index].size = header.size;
        j->segments[index].epoch = header.epoch;
        r->epoch_max = header.epoch > r->epoch_max ? header.epoch : r->epoch_max;
    }
    return status;
}

/* --- the tail comes from the device, not from memory (R4) ------------------------------------- */

static enum journal_status refresh_segment(struct recovery *r, size_t index)
{
    struct disk *disk = r->j->disk;
    uint64_t number = r->j->segments[index].number;
    struct disk_file *file = NULL;
    CHECK(r->j->state == JOURNAL_STATE_WRITER);
    CHECK(index >= r->suspect);
    int result = journal__segment_open(disk, r->j->directory, number, true, &file);
    if (result == 0) {
        if (!MUTANT(OPEN_NOT_SYNCED)) {
            result = disk->sync(disk->context, file);
        }
        if (result == 0 && !MUTANT(OPEN_NOT_FORGOTTEN)) {
            result = disk->forget(disk->context, file);
        }
        disk->close(disk->context, file);
    }
    if (result != 0) {
        char name[JOURNAL_NAME_MAX];
        journal__segment_name(number, name);
        return journal__fail_io(r->error, result, "syncing", r->j->directory, name);
    }
    journal__scan_reread(&r->scan);
    return JOURNAL_OK;
}

/* Finds the segments that were written last: from the last one that has a first batch on. */
static enum journal_status recover_suspects(struct recovery *r)
{
    struct journal *j = r->j;
    CHECK(j->segment_count > 0);
    CHECK(j->head.batch == 0);
    r->suspect = j->segment_count - 1;
    for (;;) {
        struct journal__segment *segment = &j->segments[r->suspect];
        if (journal__scan_open(&r->scan, j->directory, segment->number, segment->size) != 0) {
            return fail_scan(r, "opening");
        }
        const uint8_t *block =
            journal__scan_view(&r->scan, SEGMENT_HEADER_BYTES, JOURNAL_BLOCK_BYTES);
        if (block == NULL) {
            return fail_scan(r, "reading");
        }
        if (r->suspect == 0 || !format_is_zero(block, JOURNAL_BLOCK_BYTES)) {
            break;
        }
        r->suspect--;
    }
    for (size_t i = r->suspect; i < j->segment_count && j->state == JOURNAL_STATE_WRITER; i++) {
        enum journal_status status = refresh_segment(r, i);
        if (status != JOURNAL_OK) {
            return status;
        }
    }
    int result = 0;
    if (j->state == JOURNAL_STATE_WRITER && !MUTANT(OPEN_NAMES_LOST)) {
        result = j->disk->sync_directory(j->disk->context, j->directory);
    }
    return result == 0 ? JOURNAL_OK
                       : journal__fail_io(r->error, result, "syncing", j->directory, NULL);
}

/* --- the walk --------------------------------------------------------------------------------- */

/* Reads the batch at a place. FOUND_ERROR leaves its reason in the scan. */
static enum journal__found found_at(struct recovery *r, size_t index, uint64_t offset,
                                    struct batch_header *header)
{
    const uint8_t *payload = NULL;
    const struct journal__segment *segment = &r->j->segments[index];
    CHECK(index < r->j->segment_count);
    CHECK(offset >= SEGMENT_HEADER_BYTES);
    if (journal__scan_open(&r->scan, r->j->directory, segment->number, segment->size) != 0) {
        return FOUND_ERROR;
    }
    return journal__scan_batch(&r->scan, &r->j->seed, offset, header, &payload);
}

/*
 * Chooses the segment where verification starts: at the first one that the last process wrote in,
 * and before it as many as verify_bytes allows; always at an intact batch.
 */
static enum journal_status recover_start(struct recovery *r)
{
    struct journal *j = r->j;
    struct batch_header first = {0};
    uint64_t budget = j->verify_bytes;
    size_t start = r->suspect;
    CHECK(r->suspect < j->segment_count);
    CHECK(j->head.batch == 0);
    while (start > 0) {
        uint64_t size = j->segments[start - 1].size;
        if (size <= budget) {
            budget -= size;
            start--;
            continue;
        }
        enum journal__found found = found_at(r, start, SEGMENT_HEADER_BYTES, &first);
        if (found == FOUND_ERROR) {
            return fail_scan(r, "reading");
        }
        if (found == FOUND_BATCH) {
            break;
        }
        start--;
    }
    r->index = start;
    r->offset = SEGMENT_HEADER_BYTES;
    if (start == 0) {
        format_genesis(&j->seed, j->head.hash);
    } else {
        if (first.batch == 1 || first.first_position == 1) {
            return fail_damaged(r, start, SEGMENT_HEADER_BYTES,
                                "the first batch of a journal is in a later segment");
        }
        j->head.batch = first.batch - 1;
        j->head.position = first.first_position - 1;
        memcpy(j->head.hash, first.previous, sizeof(j->head.hash));
    }
    return JOURNAL_OK;
}

/* A segment before the start is trusted for now; only its first batch header is looked at. */
static enum journal_status recover_trusted(struct recovery *r, size_t index)
{
    struct journal *j = r->j;
    struct journal__segment *segment = &j->segments[index];
    struct batch_header header;
    if (journal__scan_open(&r->scan, j->directory, segment->number, segment->size) != 0) {
        return fail_scan(r, "opening");
    }
    const uint8_t *block = journal__scan_view(&r->scan, SEGMENT_HEADER_BYTES, JOURNAL_BLOCK_BYTES);
    if (block == NULL) {
        return fail_scan(r, "reading");
    }
    uint64_t batch_before = index == 0 ? 0 : j->segments[index - 1].first_batch;
    uint64_t position_before = index == 0 ? 0 : j->segments[index - 1].first_position;
    if (batch_header_decode(block, segment->number, SEGMENT_HEADER_BYTES, &header) !=
            FORMAT_VALID ||
        header.batch <= batch_before || header.first_position <= position_before) {
        return fail_damaged(r, index, SEGMENT_HEADER_BYTES,
                            "the segment does not begin with a batch that belongs there");
    }
    CHECK(header.batch > 0);
    CHECK(index < r->index);
    segment->first_batch = header.batch;
    segment->first_position = header.first_position;
    r->epoch_max = header.epoch > r->epoch_max ? header.epoch : r->epoch_max;
    return JOURNAL_OK;
}

/* Takes the intact batch at the walk's place into the history. */
static enum journal_status walk_accept(struct recovery *r, const struct batch_header *header)
{
    struct journal *j = r->j;
    CHECK(header->epoch > 0);
    recovery_check(r);
    if (!journal__continues(&j->head, r->epoch, header)) {
        return fail_damaged(r, r->index, r->offset,
                            "an intact batch that does not continue the chain: batches before it "
                            "are missing, or the file was exchanged");
    }
    struct journal__segment *segment = &j->segments[r->index];
    if (segment->first_batch == 0) {
        CHECK(r->offset == SEGMENT_HEADER_BYTES);
        segment->first_batch = header->batch;
        segment->first_position = header->first_position;
    }
    journal__head_advance(&j->head, header);
    r->epoch = header->epoch;
    r->epoch_max = header->epoch > r->epoch_max ? header->epoch : r->epoch_max;
    r->offset += batch_size(header->payload_size);
    r->head_index = r->index;
    r->head_end = r->offset;
    return JOURNAL_OK;
}

/* Looks at every block of a segment from a place on where a batch could have been. */
static enum journal_status walk_behind(struct recovery *r, size_t index, uint64_t from,
                                       struct behind *out)
{
    const struct journal__segment *segment = &r->j->segments[index];
    CHECK(from >= SEGMENT_HEADER_BYTES);
    CHECK(from <= segment->size);
    *out = (struct behind){.from = segment->size, .most = from + BATCH_BYTES_MAX};
    if (journal__scan_open(&r->scan, r->j->directory, segment->number, segment->size) != 0) {
        return fail_scan(r, "opening");
    }
    for (uint64_t at = from; at < segment->size; at += batch_alignment()) {
        struct batch_header header;
        size_t size = journal__scan_block(&r->scan, at);
        const uint8_t *block = journal__scan_view(&r->scan, at, size);
        if (block == NULL) {
            return fail_scan(r, "reading");
        }
        if (format_is_zero(block, batch_alignment())) {
            continue;
        }
        out->from = out->from < at ? out->from : at;
        out->to = at + batch_alignment();
        if (size < JOURNAL_BATCH_HEADER_BYTES ||
            batch_header_decode(block, segment->number, at, &header) != FORMAT_VALID) {
            continue;
        }
        if (at == from) {
            out->most = at + batch_size(header.payload_size);
        } else if (out->batch == 0) {
            out->batch = header.batch;
            out->offset = at;
        }
    }
    out->to = out->to < out->from ? out->from : out->to; /* nothing: both at the end */
    return JOURNAL_OK;
}

/* A batch lies behind a place where none is intact: history is damaged there. */
static enum journal_status fail_batch_behind(struct recovery *r, size_t damaged, uint64_t offset,
                                             size_t index, const struct behind *behind)
{
    char name[JOURNAL_NAME_MAX];
    char what[JOURNAL_NAME_MAX + 160];
    CHECK(behind->batch > 0);
    CHECK(damaged <= index);
    journal__segment_name(r->j->segments[index].number, name);
    int n = snprintf(what, sizeof(what),
                     "batch %" PRIu64 " should be there and is not intact, but batch %" PRIu64
                     " follows in %s at offset %" PRIu64,
                     r->j->head.batch + 1, behind->batch, name, behind->offset);
    CHECK(n > 0 && (size_t)n < sizeof(what));
    return fail_damaged(r, damaged, offset, what);
}

/* Remains that are more than one torn batch. */
static enum journal_status fail_remains(struct recovery *r, size_t index, uint64_t offset)
{
    CHECK(offset >= SEGMENT_HEADER_BYTES);
    CHECK(index < r->j->segment_count);
    return fail_damaged(r, index, offset,
                        "there are remains here that no single interrupted append can have left");
}

/* What lies behind the walk's place in later segments: nothing, or what one append left (R2). */
static enum journal_status recover_later(struct recovery *r, const struct behind *here)
{
    bool torn_here = here->from < here->to;
    for (size_t i = r->index + 1; i < r->j->segment_count; i++) {
        struct behind behind;
        enum journal_status status = walk_behind(r, i, SEGMENT_HEADER_BYTES, &behind);
        if (status != JOURNAL_OK) {
            return status;
        }
        if (behind.batch != 0 && !MUTANT(DAMAGE_CUT)) {
            return torn_here ? fail_batch_behind(r, r->index, r->offset, i, &behind)
                             : fail_batch_behind(r, r->index + 1, SEGMENT_HEADER_BYTES, i, &behind);
        }
        if (behind.from == behind.to) {
            continue;
        }
        if (torn_here || i > r->index + 1 || behind.to > behind.most) {
            return fail_remains(r, i, behind.from);
        }
        r->torn_index = i;
        r->torn_from = behind.from;
        r->torn_to = behind.to;
    }
    CHECK(r->torn_from <= r->torn_to);
    return JOURNAL_OK;
}

/* Whether an intact batch is at a place; an error is an error, and never an absence. */
static enum journal_status recover_probe(struct recovery *r, size_t index, uint64_t offset,
                                         bool *there_out)
{
    struct batch_header header;
    CHECK(index < r->j->segment_count);
    enum journal__found found = found_at(r, index, offset, &header);
    *there_out = found == FOUND_BATCH;
    CHECK(IMPLIES(found == FOUND_ERROR, r->scan.error != 0));
    return found == FOUND_ERROR && !MUTANT(ERROR_IS_ABSENCE) ? fail_scan(r, "reading") : JOURNAL_OK;
}

/* The history ends at the walk's place; `here` lies behind it, and must be explained. */
static enum journal_status recover_tail(struct recovery *r, const struct behind *here)
{
    bool clean = here->from == here->to;
    CHECK(here->batch == 0 || MUTANT(DAMAGE_CUT));
    if (!clean && here->to > here->most) {
        return fail_remains(r, r->index, r->offset);
    }
    r->torn_index = r->index;
    r->torn_from = MUTANT(CUT_TOO_MUCH) && !clean ? r->offset - batch_alignment() : here->from;
    r->torn_to = here->to;
    CHECK(r->torn_from <= r->torn_to);
    return recover_later(r, here);
}

/*
 * No batch continues the history at the walk's place. *more_out: one does at the start of the next
 * segment, or (a reader beside a living writer) by now here after all.
 */
static enum journal_status recover_end(struct recovery *r, bool *more_out)
{
    struct journal *j = r->j;
    struct behind here;
    recovery_check(r);
    CHECK(more_out != NULL);
    *more_out = false;
    enum journal_status status = walk_behind(r, r->index, r->offset, &here);
    if (status == JOURNAL_OK && here.batch != 0 && j->state == JOURNAL_STATE_READER) {
        journal__scan_reread(&r->scan);
        status = recover_probe(r, r->index, r->offset, more_out);
    }
    if (status != JOURNAL_OK || *more_out) {
        return status;
    }
    if (here.batch != 0 && !MUTANT(DAMAGE_CUT)) {
        return fail_batch_behind(r, r->index, r->offset, r->index, &here);
    }
    if (here.from == here.to && r->index + 1 < j->segment_count) {
        status = recover_probe(r, r->index + 1, SEGMENT_HEADER_BYTES, more_out);
        if (status != JOURNAL_OK) {
            return status;
        }
        if (*more_out) {
            r->index++;
            r->offset = SEGMENT_HEADER_BYTES;
            return JOURNAL_OK;
        }
    }
    return recover_tail(r, &here);
}

static enum journal_status recover_walk(struct recovery *r)
{
    CHECK(r->offset == SEGMENT_HEADER_BYTES);
    r->head_index = r->index;
    r->head_end = r->offset;
    for (bool more = true; more;) {
        struct batch_header header;
        enum journal__found found = found_at(r, r->index, r->offset, &header);
        enum journal_status status = JOURNAL_OK;
        if (found == FOUND_ERROR) {
            return fail_scan(r, "reading");
        }
        if (found == FOUND_BATCH) {
            status = walk_accept(r, &header);
        } else {
            status = recover_end(r, &more);
        }
        if (status != JOURNAL_OK) {
            return status;
        }
    }
    CHECK(r->head_index <= r->index);
    return JOURNAL_OK;
}

/* --- what writing needs ----------------------------------------------------------------------- */

/* Zeroes what a torn batch left and makes that durable (R5). */
static enum journal_status recover_cut(struct recovery *r)
{
    struct disk *disk = r->j->disk;
    CHECK(r->j->state == JOURNAL_STATE_WRITER);
    CHECK(r->torn_to - r->torn_from <= BATCH_BYTES_MAX);
    if (r->torn_from == r->torn_to || MUTANT(TAIL_NOT_CUT)) {
        return JOURNAL_OK;
    }
    uint64_t number = r->j->segments[r->torn_index].number;
    struct disk_file *file = NULL;
    int result = journal__segment_open(disk, r->j->directory, number, true, &file);
    if (result == 0) {
        result = journal__write_zeros(disk, file, r->torn_from, r->torn_to, NULL);
        if (result == 0 && !MUTANT(TAIL_NOT_SYNCED)) {
            result = disk->sync(disk->context, file);
        }
        disk->close(disk->context, file);
    }
    if (result != 0) {
        char name[JOURNAL_NAME_MAX];
        journal__segment_name(number, name);
        return journal__fail_io(r->error, result, "cutting the torn tail of", r->j->directory,
                                name);
    }
    return JOURNAL_OK;
}

/* Opens the head's segment for writing, and the one behind it as the spare. */
static enum journal_status recover_writer(struct recovery *r)
{
    struct journal *j = r->j;
    struct disk_file *spare = NULL;
    CHECK(j->file == NULL);
    CHECK(r->head_index < j->segment_count);
    uint64_t number = j->segments[r->head_index].number;
    int result = journal__segment_open(j->disk, j->directory, number, true, &j->file);
    if (result == 0 && r->head_index + 1 < j->segment_count) {
        number++;
        result = journal__segment_open(j->disk, j->directory, number, true, &spare);
    }
    if (result != 0) {
        char name[JOURNAL_NAME_MAX];
        journal__segment_name(number, name);
        return journal__fail_io(r->error, result, "opening", j->directory, name);
    }
    if (spare != NULL) {
        const struct journal__segment *segment = &j->segments[r->head_index + 1];
        struct segment_order order = {
            .disk = j->disk,
            .directory = j->directory,
            .header = {.seed = j->seed,
                       .number = segment->number,
                       .size = segment->size,
                       .epoch = segment->epoch},
        };
        journal__spare_adopt(&j->spare, &order, spare);
    }
    return JOURNAL_OK;
}

/* From the headers to the head. */
static enum journal_status recover_head(struct recovery *r)
{
    struct journal *j = r->j;
    CHECK(j->segment_count > 0);
    enum journal_status status = recover_suspects(r);
    if (status == JOURNAL_OK) {
        status = recover_start(r);
    }
    size_t start = r->index;
    j->segments_trusted = start;
    for (size_t i = 0; i < start && status == JOURNAL_OK; i++) {
        status = recover_trusted(r, i);
    }
    if (status == JOURNAL_OK && start > 0 && j->head.batch < j->segments[start - 1].first_batch) {
        status = fail_damaged(r, start, SEGMENT_HEADER_BYTES,
                              "the batches here are older than those before them");
    }
    if (status == JOURNAL_OK) {
        status = recover_walk(r);
    }
    CHECK(IMPLIES(status == JOURNAL_OK, r->head_index < j->segment_count));
    return status;
}

/* From the head to a journal that can be written. */
static enum journal_status recover_finish(struct recovery *r)
{
    struct journal *j = r->j;
    enum journal_status status = JOURNAL_OK;
    CHECK(r->epoch_max > 0);
    CHECK(r->head_end >= SEGMENT_HEADER_BYTES);
    if (j->state == JOURNAL_STATE_WRITER) {
        if (r->epoch_max == UINT64_MAX) { /* nobody opens that often */
            return fail_damaged(r, r->head_index, 0, "its epochs are used up");
        }
        status = recover_cut(r);
        if (status == JOURNAL_OK) {
            status = recover_writer(r);
        }
    }
    j->epoch = MUTANT(EPOCH_KEPT) ? r->epoch_max : r->epoch_max + 1;
    j->end = r->head_end;
    j->segment_count = r->head_index + 1;
    return status;
}

enum journal_status journal__recover(struct journal *j, const struct journal_options *options,
                                     bool *empty_out, struct journal_error *error)
{
    struct recovery r = {.j = j, .options = options, .error = error};
    CHECK(j->head.batch == 0);
    CHECK(j->segment_count == 0);
    enum journal_status status = recover_list(&r);
    *empty_out = status == JOURNAL_OK && j->segment_count == 0;
    for (size_t i = 0; i < j->segment_count && status == JOURNAL_OK; i++) {
        status = recover_header(&r, i);
    }
    if (status == JOURNAL_OK && j->state == JOURNAL_STATE_WRITER) {
        status = recover_leftovers(&r);
    }
    if (status != JOURNAL_OK || *empty_out) {
        return status;
    }
    journal__scan_init(&r.scan, j->disk);
    status = recover_head(&r);
    journal__scan_fini(&r.scan);
    return status == JOURNAL_OK ? recover_finish(&r) : status;
}
