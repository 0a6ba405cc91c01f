/*
 * test_journal.c - the door of the journal on a disk in memory: what it keeps, what it refuses,
 * what it does when the disk fails. What a power cut leaves is the crash enumeration's matter
 * (tests/crash/), threads and real files are test_journal_files.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "journal/format.h"
#include "support/journal_rig.h"

#define SEGMENT_1 "book/journal-00000001.seg"
#define SEGMENT_2 "book/journal-00000002.seg"
#define SEGMENT_3 "book/journal-00000003.seg"

static uint8_t *content_copy(const struct journal_rig *rig, const char *path, uint64_t *size)
{
    const uint8_t *content = sim_disk_content(rig->sim, path, size);
    assert_non_null(content);
    uint8_t *copy = malloc(*size + 1);
    assert_non_null(copy);
    memcpy(copy, content, *size);
    return copy;
}

/* Opening is refused, with this status, names the file, says what to do, and changes nothing. */
static void assert_refused(struct journal_rig *rig, enum journal_status status, const char *word)
{
    uint64_t before = sim_disk_fingerprint(rig->sim);
    assert_int_equal(rig_open(rig), status);
    if (strstr(rig->error.message, word) == NULL) {
        fail_msg("\"%s\" is not in: %s", word, rig->error.message);
    }
    assert_true(sim_disk_fingerprint(rig->sim) == before);
}

/* --- keeping ---------------------------------------------------------------------------------- */

static void test_empty(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint8_t identity[16];
    rig_init(&rig);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    struct journal_head head = journal_head(rig.journal);
    assert_int_equal(head.batch, 0);
    assert_int_equal(head.position, 0);
    assert_int_equal(rig_count(&rig), 0);
    memset(rig.options.identity, 7, 16); /* ignored from now on */
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    journal_identity(rig.journal, identity);
    assert_int_equal(identity[0], 0x1d);
    struct journal_head again = journal_head(rig.journal);
    assert_memory_equal(&head, &again, sizeof(head));
    rig_fini(&rig);
}

static void test_append_and_reopen(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,    2,     3935,  3936,  3937, 100,   4095, 4096,
                                   8031, 8032,  8033,  12000, 1,    50,    3936, 3936,
                                   3936, 30000, 60000, 60001, 1,    70000, 90000};
    struct journal_rig rig;
    rig_init(&rig);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(rig_append(&rig, sizes[i]), JOURNAL_OK);
        struct journal_head head = journal_head(rig.journal);
        assert_int_equal(head.batch, i + 1);
        assert_int_equal(head.time_ns, 1000 * (int)(i + 1));
        if (i % 3 == 0) {
            assert_int_equal(rig_open(&rig), JOURNAL_OK);
        }
        struct journal_head found = journal_head(rig.journal);
        assert_memory_equal(&head, &found, sizeof(head));
        assert_int_equal(rig_count(&rig), i + 1);
    }
    rig_fini(&rig);
}

static void test_first_batch_larger_than_first_segment(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint64_t size = 0;
    rig_init(&rig);
    rig_grow(&rig, 1, JOURNAL_PAYLOAD_MAX);
    assert_non_null(sim_disk_content(rig.sim, SEGMENT_1, &size));
    assert_int_equal(size, SEGMENT_HEADER_BYTES + BATCH_BYTES_MAX);
    assert_null(sim_disk_content(rig.sim, SEGMENT_2, &size));
    rig_grow(&rig, 1, JOURNAL_PAYLOAD_MAX);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(rig_count(&rig), 2);
    rig_fini(&rig);
}

static void test_segment_sizes_double(void **state)
{
    (void)state;
    static const uint64_t expected[] = {16384, 32768, 65536, 65536};
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 40, 3000);
    for (unsigned i = 0; i < 4; i++) {
        char path[64];
        uint64_t size = 0;
        (void)snprintf(path, sizeof(path), "book/journal-%08u.seg", i + 1);
        assert_non_null(sim_disk_content(rig.sim, path, &size));
        assert_int_equal(size, expected[i]);
    }
    rig_fini(&rig);
}

/* A spare that is too small for the next batch gives its number to a larger one. */
static void test_small_spare_is_replaced(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint64_t size = 0;
    rig_init(&rig);
    rig_grow(&rig, 2, 3000);
    journal_make_room(rig.journal);
    assert_non_null(sim_disk_content(rig.sim, SEGMENT_2, &size));
    assert_int_equal(size, 32768);
    assert_int_equal(rig_append(&rig, 50000), JOURNAL_OK);
    assert_non_null(sim_disk_content(rig.sim, SEGMENT_2, &size));
    assert_true(size > 50000);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(rig_count(&rig), 3);
    rig_fini(&rig);
}

static bool read_epoch(void *context, const struct journal_read_batch *batch)
{
    uint64_t *epochs = context;
    epochs[batch->batch] = batch->epoch;
    return true;
}

static void test_every_opening_has_a_new_epoch(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint64_t epochs[8] = {0};
    rig_init(&rig);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_open(&rig), JOURNAL_OK);
        rig_grow(&rig, 2, 10);
    }
    assert_int_equal(journal_read(rig.journal, 1, read_epoch, epochs, &rig.error), JOURNAL_OK);
    assert_true(epochs[1] > 0);
    for (int i = 1; i < 6; i++) {
        assert_true(i % 2 == 1 ? epochs[i] == epochs[i + 1] : epochs[i] < epochs[i + 1]);
    }
    rig_fini(&rig);
}

struct reading {
    uint64_t first;
    uint64_t last;
    uint64_t stop_after;
};

static bool read_some(void *context, const struct journal_read_batch *batch)
{
    struct reading *reading = context;
    reading->first = reading->first == 0 ? batch->batch : reading->first;
    reading->last = batch->batch;
    return batch->batch != reading->stop_after;
}

static bool read_last(void *context, const struct journal_read_batch *batch)
{
    struct journal_read_batch *last = context;
    *last = *batch;
    return true;
}

static bool read_nothing(void *context, const struct journal_read_batch *batch)
{
    uint64_t *count = context;
    *count = batch->batch;
    return true;
}

static void test_read_from_every_position(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 30, 2500); /* 45 positions in several segments */
    for (uint64_t position = 0; position <= 47; position++) {
        struct reading reading = {0};
        assert_int_equal(journal_read(rig.journal, position, read_some, &reading, &rig.error),
                         JOURNAL_OK);
        uint64_t from = position == 0 ? 1 : position;
        uint64_t batch = from > 45 ? 0 : (from - 1) / 3 * 2 + ((from - 1) % 3 == 0 ? 1 : 2);
        assert_int_equal(reading.first, batch);
        assert_int_equal(reading.last, from > 45 ? 0 : 30);
    }
    struct reading stopped = {.stop_after = 12};
    assert_int_equal(journal_read(rig.journal, 1, read_some, &stopped, &rig.error), JOURNAL_OK);
    assert_int_equal(stopped.last, 12);
    rig_fini(&rig);
}

/* The bytes are frozen: this is the journal that every later program must still write and read. */
static void test_bytes_are_frozen(void **state)
{
    (void)state;
    static const uint8_t head_hash[32] = {0x32, 0x30, 0x38, 0x4e, 0x90, 0x8e, 0x67, 0x5c,
                                          0xdd, 0xd0, 0xa4, 0xc4, 0xb3, 0xd6, 0xb9, 0xb4,
                                          0x0e, 0x2f, 0xa0, 0x63, 0x33, 0x0a, 0x3d, 0xfe,
                                          0x5e, 0x87, 0x49, 0x44, 0xf3, 0x3b, 0xd7, 0xa1};
    struct journal_rig rig;
    uint64_t size = 0;
    rig_init(&rig);
    rig_grow(&rig, 3, 100);
    struct journal_head head = journal_head(rig.journal);
    assert_memory_equal(head.hash, head_hash, sizeof(head_hash));
    const uint8_t *segment = sim_disk_content(rig.sim, SEGMENT_1, &size);
    assert_non_null(segment);
    assert_memory_equal(segment, "HAKIKASG\x01\0\0\0\0\x10\0\0\x01\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0",
                        32);
    assert_memory_equal(segment + 4096, "HAKIKABT\x01\0\0\0\xa0\0\0\0\x01\0\0\0\0\0\0\0", 24);
    assert_memory_equal(segment + 3 * 4096 + 128, head_hash, sizeof(head_hash));
    rig_fini(&rig);
}

/* --- refusing appends ------------------------------------------------------------------------- */

static void test_append_limits(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 2, 100);
    struct journal_head head = journal_head(rig.journal);
    const struct {
        size_t payload_size;
        uint64_t first_position;
        uint32_t frame_count;
        enum journal_status status;
    } cases[] = {
        {0, 4, 1, JOURNAL_LIMIT},  {(size_t)JOURNAL_PAYLOAD_MAX + 1, 4, 1, JOURNAL_LIMIT},
        {10, 4, 0, JOURNAL_LIMIT}, {10, 3, 1, JOURNAL_LIMIT},
        {10, 5, 1, JOURNAL_LIMIT}, {10, 0, 1, JOURNAL_LIMIT},
        {10, 4, 1, JOURNAL_OK},
    };
    assert_int_equal(head.position, 3);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct journal_batch batch = {
            .buffer = rig.buffer,
            .capacity = JOURNAL_PAYLOAD_MAX + 2 * JOURNAL_BLOCK_BYTES,
            .payload_size = cases[i].payload_size,
            .first_position = cases[i].first_position,
            .frame_count = cases[i].frame_count,
        };
        uint64_t before = sim_disk_fingerprint(rig.sim);
        assert_int_equal(journal_append(rig.journal, &batch, head.hash, &rig.error),
                         cases[i].status);
        assert_true((cases[i].status == JOURNAL_OK) == (sim_disk_fingerprint(rig.sim) != before));
    }
    rig_fini(&rig);
}

static void test_append_is_fenced(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 1, 100);
    struct journal_head stale = journal_head(rig.journal);
    rig_grow(&rig, 1, 100);
    struct journal_head head = journal_head(rig.journal);
    const struct journal_batch batch = {.buffer = rig.buffer,
                                        .capacity = 2 * JOURNAL_BLOCK_BYTES,
                                        .payload_size = 10,
                                        .first_position = head.position + 1,
                                        .frame_count = 1};
    uint64_t before = sim_disk_fingerprint(rig.sim);
    assert_int_equal(journal_append(rig.journal, &batch, stale.hash, &rig.error), JOURNAL_FENCED);
    assert_true(sim_disk_fingerprint(rig.sim) == before);
    assert_int_equal(journal_append(rig.journal, &batch, head.hash, &rig.error), JOURNAL_OK);
    rig_fini(&rig);
}

/* --- refusing to open ------------------------------------------------------------------------- */

static void test_wrong_book(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 1, 10);
    rig_close(&rig);
    memcpy(rig.options.book, "merchant", 9);
    assert_refused(&rig, JOURNAL_FOREIGN, "belongs to the book \"operator\", not to \"merchant\"");
    rig_fini(&rig);
}

static void test_format_versions(void **state)
{
    (void)state;
    static const uint8_t versions[] = {0, 2, 3, 255};
    for (size_t i = 0; i < sizeof(versions); i++) {
        struct journal_rig rig;
        uint64_t size = 0;
        rig_init(&rig);
        rig_grow(&rig, 10, 2000);
        rig_close(&rig);
        sim_disk_settle(rig.sim);
        /* in the last segment, behind a torn tail that must not be cut either */
        assert_non_null(sim_disk_content(rig.sim, SEGMENT_2, &size));
        assert_true(sim_disk_flip(rig.sim, SEGMENT_2, 8, 1 ^ versions[i]));
        assert_true(sim_disk_flip(rig.sim, SEGMENT_1, 4096 + 3 * 4096 - 1, 1));
        assert_refused(&rig, JOURNAL_FOREIGN, "format version");
        assert_non_null(strstr(rig.error.message, "journal-00000002.seg"));
        rig_fini(&rig);
    }
}

static void test_not_a_journal(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint8_t text[20000];
    memset(text, 'x', sizeof(text));
    rig_init(&rig);
    rig_grow(&rig, 1, 10);
    rig_close(&rig);
    sim_disk_settle(rig.sim);
    sim_disk_put(rig.sim, SEGMENT_1, text, sizeof(text));
    assert_refused(&rig, JOURNAL_FOREIGN, "is not a journal segment");
    sim_disk_put(rig.sim, SEGMENT_1, text, 0);
    assert_refused(&rig, JOURNAL_FOREIGN, "is not a journal segment");
    rig_fini(&rig);
}

static void test_missing_segments(void **state)
{
    (void)state;
    static const char *const paths[] = {SEGMENT_1, SEGMENT_2};
    for (size_t i = 0; i < 2; i++) {
        struct journal_rig rig;
        rig_init(&rig);
        rig_grow(&rig, 20, 3000);
        rig_close(&rig);
        sim_disk_settle(rig.sim);
        sim_disk_drop(rig.sim, paths[i]);
        assert_refused(&rig, JOURNAL_CORRUPT, paths[i]);
        rig_fini(&rig);
    }
}

static void test_missing_journal_with_snapshots(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 1, 10);
    assert_true(rig_snapshot(&rig, 1, "abc", 3));
    rig_close(&rig);
    sim_disk_settle(rig.sim);
    sim_disk_drop(rig.sim, SEGMENT_1);
    assert_refused(&rig, JOURNAL_CORRUPT, "the journal is missing");
    rig_fini(&rig);
}

static void test_segment_cut_extended_or_renamed(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint64_t size = 0;
    rig_init(&rig);
    rig_grow(&rig, 20, 3000);
    rig_close(&rig);
    sim_disk_settle(rig.sim);
    uint8_t *copy = content_copy(&rig, SEGMENT_2, &size);
    sim_disk_put(rig.sim, SEGMENT_2, copy, size - 4096);
    assert_refused(&rig, JOURNAL_CORRUPT, "journal-00000002.seg");
    copy[size] = 0;
    sim_disk_put(rig.sim, SEGMENT_2, copy, size + 1);
    assert_refused(&rig, JOURNAL_CORRUPT, "journal-00000002.seg");
    sim_disk_put(rig.sim, SEGMENT_2, copy, size);
    uint8_t *first = content_copy(&rig, SEGMENT_1, &size);
    sim_disk_put(rig.sim, SEGMENT_3, first, size); /* a stale segment under a new name */
    assert_refused(&rig, JOURNAL_CORRUPT, "journal-00000003.seg");
    free(first);
    free(copy);
    rig_fini(&rig);
}

static void test_segment_of_another_journal(void **state)
{
    (void)state;
    struct journal_rig rig;
    struct journal_rig other;
    uint64_t size = 0;
    rig_init(&rig);
    rig_init(&other);
    other.options.identity[3] ^= 1;
    rig_grow(&rig, 20, 3000);
    rig_grow(&other, 20, 3000);
    rig_close(&rig);
    rig_close(&other);
    sim_disk_settle(rig.sim);
    uint8_t *copy = content_copy(&other, SEGMENT_3, &size);
    sim_disk_put(rig.sim, SEGMENT_3, copy, size);
    assert_refused(&rig, JOURNAL_FOREIGN, "journal-00000003.seg");
    free(copy);
    rig_fini(&rig);
    rig_fini(&other);
}

/* A flipped byte in front of the last batch stops the opening; in that batch it costs the batch. */
static void test_every_flipped_byte(void **state)
{
    (void)state;
    struct journal_rig rig;
    struct sim_disk *shelf = sim_disk_create();
    uint64_t size = 0;
    rig_init(&rig);
    rig_grow(&rig, 2, 300);
    rig_grow(&rig, 1, 5000); /* does not fit: goes into the second segment */
    rig_grow(&rig, 1, 20);
    rig_close(&rig);
    sim_disk_settle(rig.sim);
    sim_disk_copy(shelf, rig.sim);
    const uint64_t last = 4096 + 8192; /* of batch 4, in the second segment */
    const char *const paths[] = {SEGMENT_1, SEGMENT_2};
    for (uint64_t segment = 0; segment < 2; segment++) {
        assert_non_null(sim_disk_content(shelf, paths[segment], &size));
        for (uint64_t at = 0; at < size; at++) {
            bool dense = at % 4096 < 600 || at % 4096 > 4080 || at % 61 == 0;
            if (!dense) {
                continue;
            }
            sim_disk_copy(rig.sim, shelf);
            assert_true(sim_disk_flip(rig.sim, paths[segment], at, (uint8_t)(1u << (at % 8))));
            uint64_t before = sim_disk_fingerprint(rig.sim);
            enum journal_status status = rig_open(&rig);
            if (segment == 0 || at < last) {
                assert_true(status == JOURNAL_CORRUPT || status == JOURNAL_FOREIGN);
                assert_non_null(strstr(rig.error.message, paths[segment] + 5));
                assert_non_null(strstr(rig.error.message, "offset"));
                assert_true(sim_disk_fingerprint(rig.sim) == before);
            } else {
                assert_int_equal(status, JOURNAL_OK);
                assert_int_equal(rig_count(&rig), at < last + 4096 ? 3 : 4);
                rig_close(&rig);
            }
        }
    }
    sim_disk_destroy(shelf);
    rig_fini(&rig);
}

/* Damage in old segments is found when they are verified, and when they are read. */
static void test_verification_budget(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 60, 3000);
    rig_close(&rig);
    sim_disk_settle(rig.sim);
    assert_true(sim_disk_flip(rig.sim, SEGMENT_1, 4096 + 500, 4));
    rig.options.verify_bytes = 1;
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(journal_read(rig.journal, 1, read_some, &(struct reading){0}, &rig.error),
                     JOURNAL_CORRUPT);
    assert_non_null(strstr(rig.error.message, "journal-00000001.seg at offset 4096"));
    struct reading late = {0};
    assert_int_equal(journal_read(rig.journal, 80, read_some, &late, &rig.error), JOURNAL_OK);
    assert_int_equal(late.last, 60);
    rig.options.verify_bytes = 0;
    rig_close(&rig);
    assert_refused(&rig, JOURNAL_CORRUPT, "journal-00000001.seg at offset 4096");
    rig_fini(&rig);
}

/* --- the tail --------------------------------------------------------------------------------- */

/* A torn batch is cut, the place is zero and durable, and the journal goes on there. */
static void test_torn_tail_is_cut(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint64_t size = 0;
    rig_init(&rig);
    rig_grow(&rig, 2, 100);
    sim_disk_fail(rig.sim, SIM_WRITE, 1, EIO, false);
    assert_int_equal(rig_append(&rig, 4000), JOURNAL_POISONED);
    rig_close(&rig);
    sim_disk_settle(rig.sim);
    assert_true(sim_disk_flip(rig.sim, SEGMENT_1, 12288 + 200, 0xff)); /* torn for certain */
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(rig_count(&rig), 2);
    const uint8_t *segment = sim_disk_content(rig.sim, SEGMENT_1, &size);
    assert_true(format_is_zero(segment + 12288, size - 12288));
    rig_grow(&rig, 1, 10);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(rig_count(&rig), 3);
    rig_fini(&rig);
}

static void test_damage_larger_than_a_batch_is_no_torn_tail(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint64_t size = 0;
    rig_init(&rig);
    rig.options.segment_bytes_min = 16 << 20;
    rig.options.segment_bytes_max = 16 << 20;
    rig_grow(&rig, 1, 100);
    rig_close(&rig);
    sim_disk_settle(rig.sim);
    uint8_t *copy = content_copy(&rig, SEGMENT_1, &size);
    memset(copy + 8192, 0x55, BATCH_BYTES_MAX + 1);
    sim_disk_put(rig.sim, SEGMENT_1, copy, size);
    assert_refused(&rig, JOURNAL_CORRUPT, "no single interrupted append");
    memset(copy + 8192 + BATCH_BYTES_MAX, 0, 4096);
    sim_disk_put(rig.sim, SEGMENT_1, copy, size);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    free(copy);
    rig_fini(&rig);
}

static void test_leftovers_are_removed(void **state)
{
    (void)state;
    static const char *const names[] = {"book/journal-00000002.tmp", "book/journal-00000003.tmp",
                                        "book/snapshot-00000000000000000001.tmp"};
    static const char *const kept[] = {"book/index.mdb", "book/notes.tmp", "book/journal-x.seg",
                                       "book/journal-1234567890123456789.seg",
                                       "book/journal-00000000.seg"};
    struct journal_rig rig;
    uint64_t size = 0;
    rig_init(&rig);
    rig_grow(&rig, 1, 100);
    rig_close(&rig);
    sim_disk_settle(rig.sim);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        sim_disk_put(rig.sim, names[i], (const uint8_t *)"half", 4);
    }
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        sim_disk_put(rig.sim, kept[i], (const uint8_t *)"mine", 4);
    }
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_null(sim_disk_content(rig.sim, names[i], &size));
    }
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        assert_non_null(sim_disk_content(rig.sim, kept[i], &size));
    }
    rig_fini(&rig);
}

/* --- reading only ----------------------------------------------------------------------------- */

static void test_read_only_changes_nothing(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 5, 3000);
    sim_disk_fail(rig.sim, SIM_WRITE, 1, EIO, false);
    assert_int_equal(rig_append(&rig, 4000), JOURNAL_POISONED);
    rig_close(&rig);
    sim_disk_settle(rig.sim);
    sim_disk_put(rig.sim, "book/journal-00000009.tmp", (const uint8_t *)"half", 4);
    sim_disk_drop(rig.sim, "book/lock");
    uint64_t before = sim_disk_fingerprint(rig.sim);
    rig.options.read_only = true;
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(rig_count(&rig), 5);
    assert_false(journal_has_room(rig.journal, 1));
    rig_close(&rig);
    assert_true(sim_disk_fingerprint(rig.sim) == before);
    rig_fini(&rig);
}

static void test_read_only_beside_a_writer(void **state)
{
    (void)state;
    struct journal_rig rig;
    struct journal *reader = NULL;
    struct journal_error error;
    rig_init(&rig);
    rig_grow(&rig, 3, 3000);
    struct journal_options options = rig.options;
    assert_int_equal(journal_open(&options, &reader, &error), JOURNAL_LOCKED);
    assert_non_null(strstr(error.message, "in use by another process"));
    options.read_only = true;
    assert_int_equal(journal_open(&options, &reader, &error), JOURNAL_OK);
    assert_int_equal(journal_head(reader).batch, 3);
    rig_grow(&rig, 1, 10);
    journal_close(reader);
    rig_fini(&rig);
}

/* Which batches a follower has been given, and when it wants no more. */
struct followed {
    uint64_t batches;
    uint64_t enough; /* stops behind this batch; 0: never */
};

static bool follow_one(void *context, const struct journal_read_batch *batch)
{
    struct followed *seen = context;
    seen->batches++;
    assert_int_equal(batch->batch, seen->batches);
    for (size_t i = 0; i < batch->payload_size; i++) {
        assert_int_equal(batch->payload[i], rig_byte(batch->batch, i));
    }
    return seen->batches != seen->enough;
}

static void follow_to(struct journal *reader, uint64_t position, struct followed *seen)
{
    struct journal_error error;
    assert_int_equal(journal_follow(reader, position, follow_one, seen, &error), JOURNAL_OK);
}

static struct journal *open_reader(const struct journal_rig *rig)
{
    struct journal_options options = rig->options;
    struct journal_error error;
    struct journal *reader = NULL;
    options.read_only = true;
    assert_int_equal(journal_open(&options, &reader, &error), JOURNAL_OK);
    return reader;
}

/* A reader that was opened on an empty journal sees every batch once, through many segments, and
 * another opening of the writer. */
static void test_follow_a_writer(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 3000, 4096, 15000, 70000, 1};
    struct journal_rig rig;
    struct followed seen = {0, 0};
    rig_init(&rig);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    struct journal *reader = open_reader(&rig);
    follow_to(reader, 0, &seen);
    assert_int_equal(seen.batches, 0);
    for (int round = 0; round < 40; round++) {
        rig_grow(&rig, 1 + round % 3, sizes[round % 6]);
        follow_to(reader, journal_head(rig.journal).position, &seen);
        assert_int_equal(seen.batches, journal_head(rig.journal).batch);
        assert_memory_equal(journal_head(reader).hash, journal_head(rig.journal).hash, 32);
        if (round == 20) {
            assert_int_equal(rig_open(&rig), JOURNAL_OK);
        }
    }
    seen.batches = 0; /* what was followed can be read again */
    assert_int_equal(journal_read(reader, 1, follow_one, &seen, &rig.error), JOURNAL_OK);
    assert_int_equal(seen.batches, journal_head(rig.journal).batch);
    journal_close(reader);
    rig_fini(&rig);
}

/* It goes no further than it is told to, and stops when it is told to. */
static void test_follow_goes_no_further(void **state)
{
    (void)state;
    struct journal_rig rig;
    struct followed seen = {0, 2};
    struct journal_error error;
    rig_init(&rig);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    struct journal *reader = open_reader(&rig);
    rig_grow(&rig, 10, 5000); /* positions 1 to 15 */
    follow_to(reader, 15, &seen);
    assert_int_equal(seen.batches, 2);
    assert_int_equal(journal_head(reader).batch, 2);
    follow_to(reader, 5, &seen); /* in batch 4 */
    assert_int_equal(seen.batches, 4);
    follow_to(reader, 6, &seen);
    assert_int_equal(seen.batches, 4);
    assert_int_equal(journal_follow(reader, 16, follow_one, &seen, &error), JOURNAL_IO_ERROR);
    assert_int_equal(seen.batches, 10); /* what there is, before what there is not */
    journal_close(reader);
    rig_fini(&rig);
}

static void test_follow_finds_damage(void **state)
{
    (void)state;
    struct journal_rig rig;
    struct followed seen = {1, 0};
    struct journal_error error;
    rig_init(&rig);
    rig_grow(&rig, 1, 100);
    struct journal *reader = open_reader(&rig);
    rig_grow(&rig, 2, 100);
    assert_true(sim_disk_flip(rig.sim, SEGMENT_1, 3 * 4096 + 200, 1)); /* in batch 3 */
    assert_int_equal(journal_follow(reader, 4, follow_one, &seen, &error), JOURNAL_CORRUPT);
    assert_non_null(strstr(error.message, "the batch there is not intact"));
    assert_int_equal(journal_head(reader).batch, 2);
    journal_close(reader);
    rig_fini(&rig);
}

/* The next segment, when the reader gets to it, is another one of this journal, or a stranger's. */
static void test_follow_finds_another_segment(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct journal_rig rig;
        struct journal_rig other;
        struct followed seen = {1, 0};
        struct journal_error error;
        uint64_t size = 0;
        rig_init(&rig);
        rig_init(&other);
        other.options.identity[3] ^= 1;
        rig_grow(&rig, 1, 100);
        struct journal *reader = open_reader(&rig);
        rig_grow(&rig, 20, 3000);
        rig_grow(&other, 21, 3000);
        uint8_t *copy = round == 0 ? content_copy(&rig, SEGMENT_3, &size)
                                   : content_copy(&other, SEGMENT_2, &size);
        sim_disk_put(rig.sim, SEGMENT_2, copy, size);
        uint64_t head = journal_head(rig.journal).position;
        assert_int_equal(journal_follow(reader, head, follow_one, &seen, &error), JOURNAL_CORRUPT);
        assert_non_null(strstr(error.message, "00000002.seg is not one of this journal"));
        free(copy);
        journal_close(reader);
        rig_fini(&rig);
        rig_fini(&other);
    }
}

static void test_read_only_of_nothing(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig.options.read_only = true;
    assert_refused(&rig, JOURNAL_IO_ERROR, "listing book failed");
    rig.options.read_only = false;
    rig_grow(&rig, 1, 10);
    rig_close(&rig);
    sim_disk_drop(rig.sim, SEGMENT_1);
    rig.options.read_only = true;
    assert_refused(&rig, JOURNAL_FOREIGN, "there is no journal in book");
    rig_fini(&rig);
}

static void test_directory_cannot_be_made(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig.options.directory = "missing/book";
    assert_refused(&rig, JOURNAL_IO_ERROR, "making the directory missing/book failed");
    char *name = malloc(5000);
    assert_non_null(name);
    memset(name, 'd', 4999);
    name[4999] = '\0';
    rig.options.directory = name;
    assert_refused(&rig, JOURNAL_IO_ERROR, "too long");
    free(name);
    rig.options.directory = "book///";
    rig_grow(&rig, 1, 10);
    rig.options.directory = "book";
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(rig_count(&rig), 1);
    rig_fini(&rig);
}

/* --- a failing disk --------------------------------------------------------------------------- */

/* One life, with the n-th call of some kinds failing; whatever was acknowledged must be there. */
static bool life_with_fault(unsigned operations, uint64_t countdown, bool repeat, int code)
{
    struct journal_rig rig;
    uint64_t acknowledged = 0;
    uint64_t appended = 0;
    rig_init(&rig);
    sim_disk_fail(rig.sim, operations, countdown, code, repeat);
    enum journal_status status = rig_open(&rig);
    if (status != JOURNAL_OK && status != JOURNAL_IO_ERROR && status != JOURNAL_DISK_FULL) {
        fail_msg("status %d: %s", (int)status, rig.error.message);
    }
    for (int i = 0; i < 14 && status == JOURNAL_OK; i++) {
        appended++;
        status = rig_append(&rig, 1500 * (size_t)(1 + i % 4));
        acknowledged += status == JOURNAL_OK ? 1 : 0;
        if (i == 4 && status == JOURNAL_OK) {
            (void)rig_snapshot(&rig, 1, "state", 5);
        }
        if (i == 7 && status == JOURNAL_OK) {
            status = rig_open(&rig);
            if (status != JOURNAL_OK && status != JOURNAL_IO_ERROR && status != JOURNAL_DISK_FULL) {
                fail_msg("status %d: %s", (int)status, rig.error.message);
            }
        }
        if (status == JOURNAL_POISONED) {
            assert_false(journal_has_room(rig.journal, 1));
            assert_int_equal(rig_append(&rig, 10), JOURNAL_POISONED);
        }
    }
    bool struck = sim_disk_failures(rig.sim) > 0;
    sim_disk_fail(rig.sim, 0, 0, 0, false);
    rig_close(&rig);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    uint64_t found = rig_count(&rig);
    assert_true(found >= acknowledged && found <= appended);
    rig_grow(&rig, 3, 4000);
    rig_fini(&rig);
    return struck;
}

static void test_every_call_fails_once(void **state)
{
    (void)state;
    static const int codes[] = {EIO, ENOSPC};
    for (unsigned kind = 1; kind < SIM_ALL; kind <<= 1) {
        for (size_t c = 0; c < 2; c++) {
            for (int repeat = 0; repeat < 2; repeat++) {
                uint64_t n = 1;
                while (life_with_fault(kind, n, repeat == 1, codes[c])) {
                    n++;
                    assert_true(n < 1000);
                }
                assert_true(n > 1); /* each kind of call is made, and was made to fail */
            }
        }
    }
}

/* A recovery that has something to do: segments to trust, a torn tail to cut, files to remove. */
static void rig_with_work(struct journal_rig *rig)
{
    rig_init(rig);
    rig->options.verify_bytes = 1;
    rig_grow(rig, 30, 3000);
    struct journal_read_batch last = {0};
    assert_int_equal(journal_read(rig->journal, 1, read_last, &last, &rig->error), JOURNAL_OK);
    rig_close(rig);
    sim_disk_settle(rig->sim);
    char path[64];
    (void)snprintf(path, sizeof(path), "book/journal-%08u.seg", (unsigned)last.segment);
    for (uint64_t at = 0; at < 1000; at += 100) { /* in the block behind it */
        assert_true(sim_disk_flip(rig->sim, path, last.offset + 4096 + at, 0x99));
    }
    sim_disk_put(rig->sim, "book/journal-00000009.tmp", (const uint8_t *)"half", 4);
    sim_disk_put(rig->sim, "book/snapshot-00000000000000000009.tmp", (const uint8_t *)"half", 4);
}

/* Opening, reading and loading: an error is an error, and the next try finds everything. */
static void test_every_call_of_a_recovery_fails(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_with_work(&rig);
    struct sim_disk *shelf = sim_disk_create();
    sim_disk_copy(shelf, rig.sim);
    for (int read_only = 0; read_only < 2; read_only++) {
        rig.options.read_only = read_only == 1;
        uint64_t n = 0;
        for (bool struck = true; struck;) {
            n++;
            sim_disk_copy(rig.sim, shelf);
            uint64_t failures = sim_disk_failures(rig.sim);
            sim_disk_fail(rig.sim, SIM_ALL, n, n % 3 == 0 ? EACCES : EIO, n % 2 == 0);
            enum journal_status status = rig_open(&rig);
            if (status == JOURNAL_OK) {
                uint64_t count = 0;
                status = journal_read(rig.journal, 1, read_nothing, &count, &rig.error);
                assert_true(status == JOURNAL_IO_ERROR || count == 30);
            }
            struck = sim_disk_failures(rig.sim) > failures;
            sim_disk_fail(rig.sim, 0, 0, 0, false);
            assert_int_equal(status, struck ? JOURNAL_IO_ERROR : JOURNAL_OK);
            assert_int_equal(rig_open(&rig), JOURNAL_OK);
            assert_int_equal(rig_count(&rig), 30);
            rig_close(&rig);
        }
        assert_true(n > 20);
    }
    sim_disk_destroy(shelf);
    rig_fini(&rig);
}

/* Segments that are trusted still have to begin as they should. */
static void test_trusted_segments_begin_right(void **state)
{
    (void)state;
    static const uint64_t places[] = {4096, 4096 + 20, 4096 + 30, 4096 + 50, 4096 + 58};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct journal_rig rig;
        rig_init(&rig);
        rig.options.verify_bytes = 1;
        rig_grow(&rig, 60, 3000);
        rig_close(&rig);
        sim_disk_settle(rig.sim);
        assert_true(sim_disk_flip(rig.sim, SEGMENT_2, places[i], 0x40));
        enum journal_status status = rig_open(&rig);
        bool seen = places[i] == 4096 + 20 || places[i] == 4096 + 30; /* a number too large */
        assert_int_equal(status, JOURNAL_CORRUPT);
        assert_non_null(strstr(rig.error.message, seen ? "journal-0" : "journal-00000002.seg"));
        rig_fini(&rig);
    }
}

static void test_full_disk(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 3, 3000); /* the first segment is full */
    uint64_t used = sim_disk_used(rig.sim);
    struct journal_head head = journal_head(rig.journal);
    sim_disk_limit(rig.sim, used + 20000); /* too little for the next one */
    assert_true(journal_has_room(rig.journal, 3000));
    uint64_t before = sim_disk_fingerprint(rig.sim);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_append(&rig, 3000), JOURNAL_DISK_FULL);
        assert_non_null(strstr(rig.error.message, "the disk of book is full"));
        assert_false(journal_has_room(rig.journal, 3000));
    }
    assert_true(sim_disk_fingerprint(rig.sim) == before); /* nothing half made remains */
    assert_int_equal(sim_disk_used(rig.sim), used);
    struct journal_head after = journal_head(rig.journal);
    assert_memory_equal(&head, &after, sizeof(head));
    journal_make_room(rig.journal);
    assert_false(journal_has_room(rig.journal, 3000));
    sim_disk_limit(rig.sim, 0);
    journal_make_room(rig.journal);
    assert_true(journal_has_room(rig.journal, 3000));
    assert_int_equal(rig_append(&rig, 3000), JOURNAL_OK);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(rig_count(&rig), 4);
    rig_fini(&rig);
}

static void test_full_disk_at_creation(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    sim_disk_limit(rig.sim, 9000);
    assert_int_equal(rig_open(&rig), JOURNAL_DISK_FULL);
    sim_disk_limit(rig.sim, 0);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    rig_fini(&rig);
}

static void test_room(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 1, 100);
    assert_true(journal_has_room(rig.journal, 0));
    assert_true(journal_has_room(rig.journal, 2 * 4096 - JOURNAL_BATCH_HEADER_BYTES));
    assert_true(journal_has_room(rig.journal, JOURNAL_PAYLOAD_MAX)); /* can be made in passing */
    assert_false(journal_has_room(rig.journal, UINT64_MAX));
    assert_false(journal_has_room(rig.journal, 1ull << 40));
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_append_and_reopen),
        cmocka_unit_test(test_first_batch_larger_than_first_segment),
        cmocka_unit_test(test_segment_sizes_double),
        cmocka_unit_test(test_small_spare_is_replaced),
        cmocka_unit_test(test_every_opening_has_a_new_epoch),
        cmocka_unit_test(test_read_from_every_position),
        cmocka_unit_test(test_bytes_are_frozen),
        cmocka_unit_test(test_append_limits),
        cmocka_unit_test(test_append_is_fenced),
        cmocka_unit_test(test_wrong_book),
        cmocka_unit_test(test_format_versions),
        cmocka_unit_test(test_not_a_journal),
        cmocka_unit_test(test_missing_segments),
        cmocka_unit_test(test_missing_journal_with_snapshots),
        cmocka_unit_test(test_segment_cut_extended_or_renamed),
        cmocka_unit_test(test_segment_of_another_journal),
        cmocka_unit_test(test_every_flipped_byte),
        cmocka_unit_test(test_verification_budget),
        cmocka_unit_test(test_torn_tail_is_cut),
        cmocka_unit_test(test_damage_larger_than_a_batch_is_no_torn_tail),
        cmocka_unit_test(test_leftovers_are_removed),
        cmocka_unit_test(test_read_only_changes_nothing),
        cmocka_unit_test(test_read_only_beside_a_writer),
        cmocka_unit_test(test_follow_a_writer),
        cmocka_unit_test(test_follow_goes_no_further),
        cmocka_unit_test(test_follow_finds_damage),
        cmocka_unit_test(test_follow_finds_another_segment),
        cmocka_unit_test(test_read_only_of_nothing),
        cmocka_unit_test(test_directory_cannot_be_made),
        cmocka_unit_test(test_every_call_fails_once),
        cmocka_unit_test(test_every_call_of_a_recovery_fails),
        cmocka_unit_test(test_trusted_segments_begin_right),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_full_disk_at_creation),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
