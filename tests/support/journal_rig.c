/*
 * journal_rig.c - see journal_rig.h.
 */
#include "support/journal_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RIG_BUFFER_BYTES = JOURNAL_PAYLOAD_MAX + 2 * JOURNAL_BLOCK_BYTES };

/* What a batch is made in. One for all rigs, which use it in turns: its eight megabytes are not had
 * and given back for each of a thousand lives. Not an array: every test program has this file, and
 * the search for leaks at its end would read all of it. */
static uint8_t *rig_buffer(void)
{
    static uint8_t *buffer;
    if (buffer == NULL) {
        buffer = aligned_alloc(JOURNAL_BLOCK_BYTES, RIG_BUFFER_BYTES);
        assert_non_null(buffer);
    }
    return buffer;
}

void rig_init(struct journal_rig *rig)
{
    *rig = (struct journal_rig){
        .sim = sim_disk_create(),
        .options = {.directory = "book",
                    .book = "operator",
                    .segment_bytes_min = 16384,
                    .segment_bytes_max = 65536},
    };
    rig->options.disk = sim_disk_interface(rig->sim);
    memset(rig->options.identity, 0x1d, sizeof(rig->options.identity));
    rig->buffer = rig_buffer();
}

void rig_fini(struct journal_rig *rig)
{
    rig_close(rig);
    sim_disk_destroy(rig->sim);
}

enum journal_status rig_open(struct journal_rig *rig)
{
    rig_close(rig);
    enum journal_status status = journal_open(&rig->options, &rig->journal, &rig->error);
    assert_int_equal(status, rig->error.status);
    assert_true((status == JOURNAL_OK) == (rig->journal != NULL));
    return status;
}

void rig_close(struct journal_rig *rig)
{
    journal_close(rig->journal);
    rig->journal = NULL;
}

uint8_t rig_byte(uint64_t batch, size_t at)
{
    return (uint8_t)(batch * 31 + at / 7 + at % 251);
}

enum journal_status rig_append(struct journal_rig *rig, size_t payload_size)
{
    struct journal_head head = journal_head(rig->journal);
    const struct journal_batch batch = {
        .buffer = rig->buffer,
        .capacity = RIG_BUFFER_BYTES,
        .payload_size = payload_size,
        .first_position = head.position + 1,
        .frame_count = 2 - (uint32_t)((head.batch + 1) % 2),
        .time_ns = (int64_t)(1000 * (head.batch + 1)),
    };
    for (size_t i = 0; i < payload_size && payload_size <= JOURNAL_PAYLOAD_MAX; i++) {
        rig->buffer[JOURNAL_BATCH_HEADER_BYTES + i] = rig_byte(head.batch + 1, i);
    }
    return journal_append(rig->journal, &batch, head.hash, &rig->error);
}

void rig_grow(struct journal_rig *rig, int count, size_t payload_size)
{
    if (rig->journal == NULL) {
        assert_int_equal(rig_open(rig), JOURNAL_OK);
    }
    for (int i = 0; i < count; i++) {
        assert_int_equal(rig_append(rig, payload_size), JOURNAL_OK);
    }
}

static bool rig_read(void *context, const struct journal_read_batch *batch)
{
    uint64_t *count = context;
    (*count)++;
    assert_int_equal(batch->batch, *count);
    assert_int_equal(batch->frame_count, 2 - batch->batch % 2);
    assert_int_equal(batch->time_ns, 1000 * batch->batch);
    for (size_t i = 0; i < batch->payload_size; i++) {
        if (batch->payload[i] != rig_byte(batch->batch, i)) {
            fail_msg("batch %d differs at byte %zu", (int)batch->batch, i);
        }
    }
    return true;
}

uint64_t rig_count(struct journal_rig *rig)
{
    uint64_t count = 0;
    assert_int_equal(journal_read(rig->journal, 1, rig_read, &count, &rig->error), JOURNAL_OK);
    assert_int_equal(count, journal_head(rig->journal).batch);
    return count;
}

bool rig_snapshot(struct journal_rig *rig, uint32_t state_version, const void *content, size_t size)
{
    struct journal_head head = journal_head(rig->journal);
    struct snapshot_meta meta = {
        .position = head.position, .batch = head.batch, .state_version = state_version};
    memcpy(meta.hash, head.hash, sizeof(meta.hash));
    struct snapshot_writer *writer =
        snapshot_create(rig->options.disk, rig->options.directory, &meta, &rig->error);
    if (writer == NULL) {
        return false;
    }
    (void)snapshot_write(writer, content, size); /* commit says why it failed */
    return snapshot_commit(writer, &rig->error);
}
