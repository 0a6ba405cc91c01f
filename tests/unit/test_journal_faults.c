/*
 * test_journal_faults.c - a reader that follows a writer while calls and bytes fail; a
 * history that changes under an open journal; names of directories and files that are odd. What it
 * says is always an error with the right status, never a wrong history, and the next try is whole.
 */
#include <errno.h>
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool count_batch(void *context, const struct journal_read_batch *batch)
{
    uint64_t *count = context;
    (*count)++;
    assert_true(batch->payload_size == 0 || batch->payload[0] == rig_byte(batch->batch, 0));
    return true;
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

/* ---- following ---- */

/* Whatever call fails, nothing is delivered twice or left out. */
static void test_following_fails_at_every_call(void **state)
{
    (void)state;
    struct journal_rig rig;
    bool struck = true;
    for (uint32_t n = 1; struck; n++) {
        uint64_t count = 0;
        struct journal_error error;
        assert_true(n < 200);
        rig_init(&rig);
        rig_grow(&rig, 1, 1500);
        struct journal *reader = open_reader(&rig);
        rig_grow(&rig, 30, 3000);
        uint64_t last = journal_head(rig.journal).position;
        sim_disk_fail(rig.sim, SIM_ALL, n, n % 2 == 0 ? EIO : EACCES, false);
        enum journal_status status = journal_follow(reader, last, count_batch, &count, &error);
        struck = sim_disk_failures(rig.sim) > 0;
        sim_disk_fail(rig.sim, 0, 0, 0, false);
        assert_int_equal(status, struck ? JOURNAL_IO_ERROR : JOURNAL_OK);
        assert_int_equal(journal_head(reader).batch, 1 + count);
        assert_int_equal(journal_follow(reader, last, count_batch, &count, &error), JOURNAL_OK);
        assert_int_equal(count, 30);
        journal_close(reader);
        rig_fini(&rig);
    }
}

/* A next segment that is not one of this journal is not gone on with. */
static void test_following_into_a_damaged_segment(void **state)
{
    (void)state;
    static const uint64_t places[] = {0, 8, 12, 16, 24, 32, 40, 48, 64, 80, 90, 100, 200};
    struct journal_rig rig;
    struct journal_error error;
    uint64_t count = 0;
    rig_init(&rig);
    rig_grow(&rig, 1, 100);
    struct journal *reader = open_reader(&rig);
    rig_grow(&rig, 6, 3000);
    uint64_t last = journal_head(rig.journal).position;
    for (size_t i = 0; i < COUNT(places); i++) {
        assert_true(sim_disk_flip(rig.sim, SEGMENT_2, places[i], 1));
        assert_int_equal(journal_follow(reader, last, count_batch, &count, &error),
                         JOURNAL_CORRUPT);
        assert_non_null(strstr(error.message, "is not one of this journal"));
        assert_true(sim_disk_flip(rig.sim, SEGMENT_2, places[i], 1));
    }
    assert_int_equal(journal_follow(reader, last, count_batch, &count, &error), JOURNAL_OK);
    assert_int_equal(count, 6);
    journal_close(reader);
    rig_fini(&rig);
}

/* ---- another history under an open journal ---- */

static void put_from(struct journal_rig *to, const struct journal_rig *from, const char *path)
{
    uint64_t size = 0;
    const uint8_t *content = sim_disk_content(from->sim, path, &size);
    assert_non_null(content);
    sim_disk_put(to->sim, path, content, size);
}

/* Two journals of one identity that differ in their first batch only, so in every hash. */
static void two_histories(struct journal_rig *a, struct journal_rig *b)
{
    rig_init(a);
    rig_init(b);
    rig_grow(a, 1, 3000);
    rig_grow(b, 1, 3001);
    rig_grow(a, 12, 3000);
    rig_grow(b, 12, 3000);
    assert_int_equal(journal_head(a->journal).batch, 13);
}

static void assert_read(struct journal_rig *rig, enum journal_status status, const char *word)
{
    uint64_t count = 0;
    assert_int_equal(journal_read(rig->journal, 1, count_batch, &count, &rig->error), status);
    if (strstr(rig->error.message, word) == NULL) {
        fail_msg("\"%s\" is not in: %s", word, rig->error.message);
    }
}

static void test_another_history_is_noticed(void **state)
{
    (void)state;
    struct journal_rig a;
    struct journal_rig b;
    struct journal_error error;
    uint64_t count = 0;
    two_histories(&a, &b);
    struct journal *reader = open_reader(&a);
    put_from(&a, &b, SEGMENT_2);
    assert_read(&a, JOURNAL_CORRUPT, "does not continue the chain");
    put_from(&a, &b, SEGMENT_1);
    put_from(&a, &b, SEGMENT_3);
    assert_read(&a, JOURNAL_CORRUPT, "the chain does not end in the head");
    rig_grow(&b, 1, 3000);
    put_from(&a, &b, SEGMENT_3); /* a batch more, which a follower would go on to */
    uint64_t last = journal_head(b.journal).position;
    assert_int_equal(journal_follow(reader, last, count_batch, &count, &error), JOURNAL_CORRUPT);
    assert_non_null(strstr(error.message, "does not continue the chain"));
    assert_int_equal(count, 0);
    journal_close(reader);
    rig_fini(&a);
    rig_fini(&b);
}

/* A snapshot is of this history or it is ignored: of another one it says nothing about ours. */
static void test_snapshot_of_another_history(void **state)
{
    (void)state;
    struct journal_rig a;
    struct journal_rig b;
    struct snapshot_meta meta;
    size_t size = 0;
    two_histories(&a, &b);
    assert_true(rig_snapshot(&b, 1, "of b", 4));
    char path[64];
    (void)snprintf(path, sizeof(path), "book/snapshot-%020d.snap",
                   (int)journal_head(b.journal).position);
    put_from(&a, &b, path);
    assert_null(snapshot_load(a.journal, 1, UINT64_MAX, &meta, &size));
    assert_true(rig_snapshot(&a, 1, "of a", 4));
    uint8_t *content = snapshot_load(a.journal, 1, UINT64_MAX, &meta, &size);
    assert_non_null(content);
    assert_memory_equal(content, "of a", 4);
    free(content);
    assert_null(snapshot_load(a.journal, 1, 0, &meta, &size)); /* none that old */
    rig_fini(&a);
    rig_fini(&b);
}

/* Bytes that go bad under an open journal: in a header that is stepped over, in the batch. */
static void test_reading_damage(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint64_t size = 0;
    rig_init(&rig);
    rig_grow(&rig, 13, 3000);
    assert_true(sim_disk_flip(rig.sim, SEGMENT_1, 4096, 1));
    assert_read(&rig, JOURNAL_CORRUPT, "a batch header in this segment is not intact");
    assert_true(sim_disk_flip(rig.sim, SEGMENT_1, 4096, 1));
    assert_true(sim_disk_flip(rig.sim, SEGMENT_1, 4096 + 500, 1));
    assert_read(&rig, JOURNAL_CORRUPT, "the batch there is not intact");
    assert_true(sim_disk_flip(rig.sim, SEGMENT_1, 4096 + 500, 1));
    /* The file is shorter than it was when it was opened. */
    const uint8_t *content = sim_disk_content(rig.sim, SEGMENT_2, &size);
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, content, size);
    sim_disk_put(rig.sim, SEGMENT_2, copy, 3 * 4096);
    assert_read(&rig, JOURNAL_IO_ERROR, "failed");
    sim_disk_put(rig.sim, SEGMENT_2, copy, size);
    assert_int_equal(rig_count(&rig), 13);
    free(copy);
    rig_fini(&rig);
}

/* ---- histories that begin or end wrongly ---- */

static struct journal__seed seed_of(const struct journal_rig *rig)
{
    struct journal__seed seed;
    memset(&seed, 0, sizeof(seed));
    memcpy(seed.identity, rig->options.identity, IDENTITY_BYTES);
    memcpy(seed.book, rig->options.book, strlen(rig->options.book));
    return seed;
}

/* Puts an intact batch with these numbers where the segment's first one is. */
static void forge_first(struct journal_rig *rig, const char *path, uint64_t segment, uint64_t batch,
                        uint64_t position)
{
    struct journal__seed seed = seed_of(rig);
    uint64_t size = 0;
    const uint8_t *content = sim_disk_content(rig->sim, path, &size);
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, content, size);
    struct batch_header header = {.batch = batch,
                                  .first_position = position,
                                  .frame_count = 1,
                                  .payload_size = 100,
                                  .time_ns = 5,
                                  .segment = segment,
                                  .offset = 4096,
                                  .epoch = 1};
    batch_encode(&seed, &header, copy + 4096);
    sim_disk_put(rig->sim, path, copy, size);
    free(copy);
}

static void assert_refused(struct journal_rig *rig, enum journal_status status, const char *word)
{
    assert_int_equal(rig_open(rig), status);
    if (strstr(rig->error.message, word) == NULL) {
        fail_msg("\"%s\" is not in: %s", word, rig->error.message);
    }
}

static void test_segments_that_begin_wrongly(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig.options.verify_bytes = 1; /* only the last segment is walked, those before are trusted */
    rig.options.segment_bytes_max = 16384;
    rig_grow(&rig, 9, 3000);
    rig_close(&rig);
    forge_first(&rig, SEGMENT_3, 3, 1, 1);
    assert_refused(&rig, JOURNAL_CORRUPT, "the first batch of a journal is in a later segment");
    forge_first(&rig, SEGMENT_3, 3, 2, 2);
    assert_refused(&rig, JOURNAL_CORRUPT, "the batches here are older than those before them");
    forge_first(&rig, SEGMENT_2, 2, 1, 1);
    assert_refused(&rig, JOURNAL_CORRUPT, "does not begin with a batch that belongs there");
    forge_first(&rig, SEGMENT_2, 2, 4, 1);
    assert_refused(&rig, JOURNAL_CORRUPT, "does not begin with a batch that belongs there");
    rig_fini(&rig);
}

/* Adds an empty segment, with garbage in one of its blocks; block 0: none. */
static void add_segment(struct journal_rig *rig, uint64_t number, uint64_t block)
{
    struct segment_header header = {
        .seed = seed_of(rig), .number = number, .size = 16384, .epoch = 1};
    static uint8_t content[16384];
    char path[64];
    memset(content, 0, sizeof(content));
    segment_header_encode(&header, content);
    if (block > 0) {
        memset(content + block * 4096, 0x5a, 100);
    }
    (void)snprintf(path, sizeof(path), "book/journal-%08u.seg", (unsigned)number);
    sim_disk_put(rig->sim, path, content, sizeof(content));
}

/* One append is interrupted at a time: remains in two places, or far behind, are something else. */
static void test_remains_of_more_than_one_append(void **state)
{
    (void)state;
    static const struct {
        uint64_t first, second; /* garbage in the two segments behind the last batch */
        bool torn_here;
        bool opens;
    } rows[] = {
        {0, 0, false, true},  {1, 0, false, true}, {0, 1, false, false},
        {1, 1, false, false}, {0, 0, true, true},  {1, 0, true, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct journal_rig rig;
        rig_init(&rig);
        rig_grow(&rig, 2, 3000);
        rig_close(&rig);
        sim_disk_settle(rig.sim);
        sim_disk_drop(rig.sim, SEGMENT_2);
        if (rows[i].torn_here) {
            assert_true(sim_disk_flip(rig.sim, SEGMENT_1, 3 * 4096 + 7, 0x77));
        }
        add_segment(&rig, 2, rows[i].first);
        add_segment(&rig, 3, rows[i].second);
        if (rows[i].opens) {
            assert_int_equal(rig_open(&rig), JOURNAL_OK);
            assert_int_equal(rig_count(&rig), 2);
            rig_grow(&rig, 8, 3000);
            assert_int_equal(rig_count(&rig), 10);
        } else {
            assert_refused(&rig, JOURNAL_CORRUPT, "no single interrupted append");
        }
        rig_fini(&rig);
    }
}

/* ---- headers ---- */

static void test_every_field_of_a_segment_header(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint8_t good[SEGMENT_HEADER_BYTES];
    uint8_t block[SEGMENT_HEADER_BYTES];
    uint32_t version;
    rig_init(&rig);
    struct segment_header header = {.seed = seed_of(&rig), .number = 3, .size = 16384, .epoch = 2};
    struct segment_header out;
    segment_header_encode(&header, good);
    assert_int_equal(segment_header_decode(good, &out, &version), FORMAT_VALID);
    for (size_t at = 0; at < 200; at++) {
        for (uint32_t which = 0; which < 3; which++) {
            const uint8_t others[] = {0, 0xff, (uint8_t)(good[at] ^ 1)};
            memcpy(block, good, sizeof(block));
            block[at] = others[which];
            assert_true(block[at] == good[at] ||
                        segment_header_decode(block, &out, &version) != FORMAT_VALID);
        }
    }
    /* Zeros where there must be a number, and names of books that are none; the hash is right. */
    static const char *const books[] = {"\0\0\0", "sixteen letters!", "a\0b"};
    for (size_t i = 0; i < COUNT(books); i++) {
        memcpy(header.seed.book, books[i], i == 1 ? 16 : 4);
        segment_header_encode(&header, block);
        assert_int_equal(segment_header_decode(block, &out, &version), FORMAT_DAMAGED);
    }
    for (size_t at = 16; at < 40; at += 8) { /* number, size, epoch */
        memcpy(block, good, sizeof(block));
        memset(block + at, 0, 8);
        assert_int_equal(segment_header_decode(block, &out, &version), FORMAT_DAMAGED);
    }
    rig_fini(&rig);
}

static void test_every_field_of_a_batch_header(void **state)
{
    (void)state;
    struct journal_rig rig;
    static uint8_t good[4096];
    uint8_t bytes[JOURNAL_BATCH_HEADER_BYTES];
    rig_init(&rig);
    struct journal__seed seed = seed_of(&rig);
    struct batch_header header = {.batch = 2,
                                  .first_position = 3,
                                  .frame_count = 1,
                                  .payload_size = 100,
                                  .time_ns = 5,
                                  .segment = 7,
                                  .offset = 8192,
                                  .epoch = 1};
    struct batch_header out;
    batch_encode(&seed, &header, good);
    assert_int_equal(batch_header_decode(good, 7, 8192, &out), FORMAT_VALID);
    assert_true(batch_is_intact(&seed, &out, good));
    assert_int_equal(batch_header_decode(good, 8, 8192, &out), FORMAT_DAMAGED);
    assert_int_equal(batch_header_decode(good, 7, 4096, &out), FORMAT_DAMAGED);
    static const struct {
        size_t at, size;
        uint8_t byte;
    } rows[] = {
        {8, 4, 9},     /* version */
        {12, 4, 1},    /* size of the header */
        {16, 8, 0},    /* batch */
        {24, 8, 0},    /* position */
        {32, 4, 0},    /* frames */
        {36, 4, 0},    /* payload */
        {36, 4, 0xff}, /* the same, too large */
        {64, 8, 0},    /* epoch */
        {72, 8, 1},    /* reserved */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        memcpy(bytes, good, sizeof(bytes));
        memset(bytes + rows[i].at, rows[i].byte, rows[i].size);
        assert_int_equal(batch_header_decode(bytes, 7, 8192, &out), FORMAT_DAMAGED);
    }
    memcpy(bytes, good, sizeof(bytes));
    bytes[0] ^= 1;
    assert_int_equal(batch_header_decode(bytes, 7, 8192, &out), FORMAT_FOREIGN);
    rig_fini(&rig);
}

/* ---- names, sizes, refusals ---- */

/* Files of other names are nobody's: they are neither read, nor removed, nor in the way. */
static void test_strange_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "journal-.seg",
        "journal-00000000.seg",
        "journal-0000000000000000001.seg",
        "journal-1.seg",
        "journal-00000002.segment",
        "journal-x0000002.seg",
        "snapshot-.snap",
        "snapshot-99999999999999999999.snap",
        "snapshot-00000000000000000009.snapshot",
        "journal-00000000000000000000000000000000000000000000000000000000000000000000000000.tmp",
        "notes.txt",
    };
    struct journal_rig rig;
    struct snapshot_meta meta;
    size_t size = 0;
    rig_init(&rig);
    rig_grow(&rig, 4, 3000);
    rig_close(&rig);
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "book/%s", names[i]);
        sim_disk_put(rig.sim, path, (const uint8_t *)"strange", 7);
    }
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(rig_count(&rig), 4);
    assert_null(snapshot_load(rig.journal, 1, UINT64_MAX, &meta, &size));
    assert_true(rig_snapshot(&rig, 1, "state", 5));
    free(snapshot_load(rig.journal, 1, UINT64_MAX, &meta, &size));
    assert_int_equal(meta.position, journal_head(rig.journal).position);
    uint64_t left = 0;
    assert_non_null(sim_disk_content(rig.sim, "book/notes.txt", &left));
    rig_fini(&rig);
}

/* The parent of the directory is synced, too, however the directory is named. */
static void test_names_of_directories(void **state)
{
    (void)state;
    static const char *const names[] = {"book", "/book", "book/", "book///"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct journal_rig rig;
        rig_init(&rig);
        rig.options.directory = names[i];
        rig_grow(&rig, 2, 100);
        rig_close(&rig);
        assert_int_equal(rig_open(&rig), JOURNAL_OK);
        assert_int_equal(rig_count(&rig), 2);
        rig_fini(&rig);
    }
    struct journal_rig rig;
    rig_init(&rig); /* a parent that may not be read is not ours to sync */
    sim_disk_fail(rig.sim, SIM_SYNC_DIRECTORY, 1, EACCES, false);
    rig_grow(&rig, 2, 100);
    rig_fini(&rig);
    rig_init(&rig); /* sizes the wrong way round: the least counts */
    rig.options.segment_bytes_min = 65536;
    rig.options.segment_bytes_max = 16384;
    rig_grow(&rig, 2, 100);
    uint64_t size = 0;
    assert_non_null(sim_disk_content(rig.sim, SEGMENT_1, &size));
    assert_int_equal(size, 65536);
    rig_fini(&rig);
}

/* What a person reads: who may do what, or that the disk is full. */
static void test_words_of_refusals(void **state)
{
    (void)state;
    static const struct {
        int code;
        enum journal_status status;
        const char *word;
    } rows[] = {
        {EACCES, JOURNAL_IO_ERROR, "who owns the directory"},
        {EPERM, JOURNAL_IO_ERROR, "who owns the directory"},
        {EROFS, JOURNAL_IO_ERROR, "who owns the directory"},
        {EIO, JOURNAL_IO_ERROR, "check the disk before a restart"},
        {ENOSPC, JOURNAL_DISK_FULL, "Free some space"},
        {EDQUOT, JOURNAL_DISK_FULL, "Free some space"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct journal_rig rig;
        rig_init(&rig);
        sim_disk_fail(rig.sim, SIM_OPEN, 1, rows[i].code, false);
        assert_refused(&rig, rows[i].status, rows[i].word);
        rig_fini(&rig);
    }
}

/* A poisoned journal makes no room and has none; a reader never has. */
static void test_room_of_those_who_cannot_write(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 1, 100);
    struct journal *reader = open_reader(&rig);
    assert_false(journal_has_room(reader, 1));
    journal_close(reader);
    assert_true(journal_has_room(rig.journal, 1));
    assert_false(journal_has_room(rig.journal, UINT64_MAX));
    sim_disk_fail(rig.sim, SIM_SYNC, 1, EIO, false);
    assert_int_equal(rig_append(&rig, 100), JOURNAL_POISONED);
    journal_make_room(rig.journal);
    assert_false(journal_has_room(rig.journal, 1));
    assert_true(journal_has_failed(rig.journal));
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_following_fails_at_every_call),
        cmocka_unit_test(test_following_into_a_damaged_segment),
        cmocka_unit_test(test_another_history_is_noticed),
        cmocka_unit_test(test_snapshot_of_another_history),
        cmocka_unit_test(test_reading_damage),
        cmocka_unit_test(test_segments_that_begin_wrongly),
        cmocka_unit_test(test_remains_of_more_than_one_append),
        cmocka_unit_test(test_every_field_of_a_segment_header),
        cmocka_unit_test(test_every_field_of_a_batch_header),
        cmocka_unit_test(test_strange_names),
        cmocka_unit_test(test_names_of_directories),
        cmocka_unit_test(test_words_of_refusals),
        cmocka_unit_test(test_room_of_those_who_cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
