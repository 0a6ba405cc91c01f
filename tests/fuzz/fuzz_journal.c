/*
 * fuzz_journal.c - any bytes as the files of a journal.
 *
 * The first byte of the input chooses: an even one, and the rest are edits of a good journal with
 * snapshots (file, offset, length, bytes); an odd one, and the rest are batches, with headers as
 * the input wants them and with right hashes, so that what lies behind the hash is reached.
 *
 * Must hold: opening and reading end, with an answer; what an edited journal still gives is a
 * beginning of what was appended, and a snapshot is right or not given at all; opening once more
 * says the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "sim/sim_disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BATCHES = 6, PAYLOAD = 2500, SEGMENT_BYTES = 16384, BUFFER_BYTES = 2 * JOURNAL_BLOCK_BYTES };

static const char *const files[] = {
    "book/journal-00000001.seg",
    "book/journal-00000002.seg",
    "book/journal-00000003.seg",
    "book/snapshot-00000000000000000002.snap",
    "book/snapshot-00000000000000000004.snap",
    "book/journal-00000004.seg",
};

static struct sim_disk *good; /* the journal that is edited */
static struct sim_disk *disk; /* and its copy */
static uint8_t *buffer;

static struct journal_options options_for(struct sim_disk *sim)
{
    struct journal_options options = {.directory = "book",
                                      .disk = sim_disk_interface(sim),
                                      .book = "operator",
                                      .segment_bytes_min = SEGMENT_BYTES,
                                      .segment_bytes_max = SEGMENT_BYTES};
    memset(options.identity, 3, sizeof(options.identity));
    return options;
}

static void snapshot(struct journal *journal)
{
    struct journal_error error;
    struct journal_head head = journal_head(journal);
    struct snapshot_meta meta = {
        .position = head.position, .batch = head.batch, .state_version = 1};
    memcpy(meta.hash, head.hash, sizeof(meta.hash));
    struct snapshot_writer *writer =
        snapshot_create(sim_disk_interface(good), "book", &meta, &error);
    CHECK(writer != NULL);
    CHECK(snapshot_write(writer, (const uint8_t *)"the state", 9));
    CHECK(snapshot_commit(writer, &error));
}

static void make_good(void)
{
    struct journal *journal = NULL;
    struct journal_error error;
    good = sim_disk_create();
    disk = sim_disk_create();
    buffer = aligned_alloc(JOURNAL_BLOCK_BYTES, BUFFER_BYTES);
    CHECK(buffer != NULL);
    const struct journal_options options = options_for(good);
    CHECK(journal_open(&options, &journal, &error) == JOURNAL_OK);
    for (uint64_t i = 1; i <= BATCHES; i++) {
        struct journal_head head = journal_head(journal);
        const struct journal_batch batch = {.buffer = buffer,
                                            .capacity = BUFFER_BYTES,
                                            .payload_size = PAYLOAD,
                                            .first_position = i,
                                            .frame_count = 1};
        memset(buffer + JOURNAL_BATCH_HEADER_BYTES, (int)i, PAYLOAD);
        CHECK(journal_append(journal, &batch, head.hash, &error) == JOURNAL_OK);
        if (i == 2 || i == 4) {
            snapshot(journal);
        }
    }
    journal_make_room(journal);
    journal_close(journal);
    sim_disk_settle(good);
}

/* --- edits ------------------------------------------------------------------------------------ */

static void edit(const uint8_t *data, size_t size)
{
    struct reader r = reader_init(data, size);
    sim_disk_copy(disk, good);
    while (!reader_done(&r) && !r.bad) {
        const char *path = files[get_u8(&r) % (sizeof(files) / sizeof(files[0]))];
        uint16_t offset = get_u16(&r);
        uint8_t length = get_u8(&r);
        for (uint8_t i = 0; i < length && !r.bad; i++) {
            (void)sim_disk_flip(disk, path, (uint64_t)offset + i, get_u8(&r));
        }
        if (length == 0) {
            sim_disk_drop(disk, path);
        }
    }
}

static bool is_beginning(void *context, const struct journal_read_batch *batch)
{
    uint64_t *count = context;
    (*count)++;
    CHECK(batch->batch == *count && batch->first_position == *count);
    CHECK(batch->payload_size == PAYLOAD);
    for (size_t i = 0; i < PAYLOAD; i++) {
        CHECK(batch->payload[i] == *count);
    }
    return true;
}

static void check_edited(struct journal *journal)
{
    struct journal_error error;
    struct snapshot_meta meta;
    uint64_t count = 0;
    size_t size = 0;
    CHECK(journal_read(journal, 1, is_beginning, &count, &error) == JOURNAL_OK);
    CHECK(count == journal_head(journal).batch);
    uint8_t *content = snapshot_load(journal, 1, UINT64_MAX, &meta, &size);
    CHECK(content == NULL || (size == 9 && memcmp(content, "the state", 9) == 0));
    free(content);
}

/* --- batches ---------------------------------------------------------------------------------- */

/* A segment with a right header and batches as the input wants them. */
static void compose(const uint8_t *data, size_t size)
{
    struct reader r = reader_init(data, size);
    uint8_t *segment = calloc(1, SEGMENT_BYTES);
    struct segment_header header = {.number = 1, .size = SEGMENT_BYTES, .epoch = 1 + get_u8(&r)};
    struct batch_header before = {.batch = 0};
    CHECK(segment != NULL);
    memset(header.seed.identity, 3, sizeof(header.seed.identity));
    memcpy(header.seed.book, "operator", 8);
    segment_header_encode(&header, segment);
    format_genesis(&header.seed, before.hash);
    for (uint64_t at = SEGMENT_HEADER_BYTES; at < SEGMENT_BYTES && !reader_done(&r);) {
        uint8_t wrong = get_u8(&r); /* which fields are not as they should be */
        struct batch_header batch = {
            .batch = before.batch + 1 + ((wrong & 1) != 0 ? get_u64(&r) : 0),
            .first_position =
                before.first_position + before.frame_count + ((wrong & 2) != 0 ? get_u64(&r) : 0),
            .frame_count = get_u8(&r) + 1u,
            .payload_size = get_u16(&r) % (SEGMENT_BYTES - JOURNAL_BATCH_HEADER_BYTES) + 1u,
            .time_ns = get_i64(&r),
            .segment = 1 + ((wrong & 4) != 0 ? get_u64(&r) : 0),
            .offset = at,
            .epoch = header.epoch + ((wrong & 8) != 0 ? get_u64(&r) : 0),
        };
        batch.first_position += before.batch == 0 ? 1 : 0;
        batch.batch += batch.batch == 0 ? 1 : 0;
        batch.epoch += batch.epoch == 0 ? 1 : 0;
        size_t whole = batch_size(batch.payload_size);
        if (whole > SEGMENT_BYTES - at) {
            break;
        }
        memcpy(batch.previous, before.hash, sizeof(batch.previous));
        batch.previous[0] ^= (wrong & 16) != 0 ? 1 : 0;
        batch_encode(&header.seed, &batch, segment + at);
        at += (wrong & 32) != 0 ? JOURNAL_BLOCK_BYTES : whole;
        before = batch;
    }
    sim_disk_destroy(disk);
    disk = sim_disk_create();
    struct disk *interface = sim_disk_interface(disk);
    CHECK(interface->make_directory(interface->context, "book") == 0);
    sim_disk_settle(disk);
    sim_disk_put(disk, files[0], segment, SEGMENT_BYTES);
    free(segment);
}

static bool is_chained(void *context, const struct journal_read_batch *batch)
{
    uint64_t *position = context;
    CHECK(batch->first_position == *position + 1);
    CHECK(batch->frame_count > 0 && batch->payload_size > 0);
    *position += batch->frame_count;
    return true;
}

static void check_composed(struct journal *journal)
{
    struct journal_error error;
    uint64_t position = 0;
    CHECK(journal_read(journal, 1, is_chained, &position, &error) == JOURNAL_OK);
    CHECK(position == journal_head(journal).position);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (good == NULL) {
        make_good();
    }
    if (size == 0) {
        return 0;
    }
    bool edits = data[0] % 2 == 0;
    if (edits) {
        edit(data + 1, size - 1);
    } else {
        compose(data + 1, size - 1);
    }
    struct journal_options options = options_for(disk);
    enum journal_status first = JOURNAL_OK;
    for (int i = 0; i < 2; i++) {
        struct journal *journal = NULL;
        struct journal_error error;
        options.read_only = i == 0;
        enum journal_status status = journal_open(&options, &journal, &error);
        CHECK((status == JOURNAL_OK) == (error.message[0] == '\0'));
        if (status == JOURNAL_OK) {
            (edits ? check_edited : check_composed)(journal);
        }
        journal_close(journal);
        bool writers_only = strstr(error.message, "epochs are used up") != NULL;
        CHECK(i == 0 || status == first || (edits && first == JOURNAL_FOREIGN) || writers_only);
        first = status;
    }
    return 0;
}
