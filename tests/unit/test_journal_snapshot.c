/*
 * test_journal_snapshot.c - snapshots: what is loaded is what was written, and everything that is
 * not certainly right is ignored.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/journal_rig.h"

enum { VERSION = 4 };

static void snapshot_path(uint64_t position, char out[64])
{
    (void)snprintf(out, 64, "book/snapshot-%020llu.snap", (unsigned long long)position);
}

/* The position of what is loaded, 0 for nothing; the content must be `text`. */
static uint64_t loaded(struct journal_rig *rig, uint64_t max_position, const char *text)
{
    struct snapshot_meta meta;
    size_t size = 0;
    uint8_t *content = snapshot_load(rig->journal, VERSION, max_position, &meta, &size);
    if (content == NULL) {
        return 0;
    }
    assert_int_equal(meta.state_version, VERSION);
    if (text != NULL) {
        assert_int_equal(size, strlen(text));
        assert_memory_equal(content, text, size);
    }
    free(content);
    return meta.position;
}

/* Three snapshots, at positions 1, 3 and 4; the first one is removed by the third. */
static void rig_with_snapshots(struct journal_rig *rig)
{
    rig_init(rig);
    rig_grow(rig, 1, 100);
    assert_true(rig_snapshot(rig, VERSION, "one", 3));
    rig_grow(rig, 1, 100);
    assert_true(rig_snapshot(rig, VERSION, "three", 5));
    rig_grow(rig, 1, 100);
    assert_true(rig_snapshot(rig, VERSION, "four", 4));
    sim_disk_settle(rig->sim);
}

static void test_newest_is_loaded_and_two_are_kept(void **state)
{
    (void)state;
    struct journal_rig rig;
    uint64_t size = 0;
    char path[64];
    rig_with_snapshots(&rig);
    assert_int_equal(rig_open(&rig), JOURNAL_OK);
    assert_int_equal(loaded(&rig, UINT64_MAX, "four"), 4);
    assert_int_equal(loaded(&rig, 4, "four"), 4);
    assert_int_equal(loaded(&rig, 3, "three"), 3);
    assert_int_equal(loaded(&rig, 2, NULL), 0);
    snapshot_path(1, path);
    assert_null(sim_disk_content(rig.sim, path, &size));
    rig_fini(&rig);
}

static void test_none(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 2, 100);
    assert_int_equal(loaded(&rig, UINT64_MAX, NULL), 0);
    assert_int_equal(loaded(&rig, 0, NULL), 0);
    rig_fini(&rig);
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0, 1, 63, 64, 4096, 100000, (1 << 20) - 1, 1 << 20, (9 << 20) + 5};
    struct journal_rig rig;
    rig_init(&rig);
    rig_grow(&rig, 1, 100);
    uint8_t *content = malloc(10 << 20);
    assert_non_null(content);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct snapshot_meta meta;
        size_t size = 0;
        memset(content, (int)(i + 1), 10 << 20);
        assert_true(rig_snapshot(&rig, VERSION, content, sizes[i])); /* replaces the one before */
        uint8_t *found = snapshot_load(rig.journal, VERSION, UINT64_MAX, &meta, &size);
        assert_non_null(found);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(found, content, size);
        free(found);
    }
    free(content);
    rig_fini(&rig);
}

static void test_other_version_is_ignored(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_with_snapshots(&rig);
    rig_grow(&rig, 1, 10);
    assert_true(rig_snapshot(&rig, VERSION + 1, "newer", 5));
    assert_int_equal(loaded(&rig, UINT64_MAX, "four"), 4);
    rig_fini(&rig);
}

static void test_every_flipped_byte_is_noticed(void **state)
{
    (void)state;
    struct journal_rig rig;
    struct sim_disk *shelf = sim_disk_create();
    char path[64];
    uint64_t size = 0;
    rig_with_snapshots(&rig);
    rig_close(&rig);
    snapshot_path(4, path);
    assert_non_null(sim_disk_content(rig.sim, path, &size));
    assert_int_equal(size, 64 + 4 + 48);
    sim_disk_copy(shelf, rig.sim);
    for (uint64_t at = 0; at < size; at++) {
        sim_disk_copy(rig.sim, shelf);
        assert_true(sim_disk_flip(rig.sim, path, at, (uint8_t)(1u << at % 8)));
        assert_int_equal(rig_open(&rig), JOURNAL_OK);
        assert_int_equal(loaded(&rig, UINT64_MAX, "three"), 3);
        rig_close(&rig);
    }
    sim_disk_destroy(shelf);
    rig_fini(&rig);
}

static void test_every_cut_is_noticed(void **state)
{
    (void)state;
    struct journal_rig rig;
    char path[64];
    uint64_t size = 0;
    rig_with_snapshots(&rig);
    snapshot_path(4, path);
    const uint8_t *content = sim_disk_content(rig.sim, path, &size);
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, content, size);
    copy[size] = 0;
    for (uint64_t length = 0; length <= size + 1; length++) {
        sim_disk_put(rig.sim, path, copy, length);
        assert_int_equal(loaded(&rig, UINT64_MAX, NULL), length == size ? 4 : 3);
    }
    free(copy);
    rig_fini(&rig);
}

/* Of another journal, of a fork, or of a future that was lost: the journal does not confirm it. */
static void test_strangers_are_ignored(void **state)
{
    (void)state;
    struct journal_rig rig;
    struct journal_rig other;
    char path[64];
    uint64_t size = 0;
    rig_with_snapshots(&rig);
    rig_with_snapshots(&other);
    rig_grow(&other, 1, 100);
    assert_true(rig_snapshot(&other, VERSION, "ahead", 5));
    snapshot_path(6, path);
    const uint8_t *content = sim_disk_content(other.sim, path, &size);
    assert_non_null(content);
    sim_disk_put(rig.sim, path, content, size);
    assert_int_equal(loaded(&rig, UINT64_MAX, "four"), 4); /* ahead of the head */
    rig_grow(&rig, 1, 101);
    assert_int_equal(loaded(&rig, UINT64_MAX, "four"), 4); /* the same position, another batch */
    rig_fini(&other);
    rig_fini(&rig);
}

/* Under another position's name, or naming a batch that ends elsewhere. */
static void test_wrong_place_is_ignored(void **state)
{
    (void)state;
    struct journal_rig rig;
    char path[64];
    uint64_t size = 0;
    rig_with_snapshots(&rig);
    rig_grow(&rig, 4, 100);
    snapshot_path(4, path);
    const uint8_t *content = sim_disk_content(rig.sim, path, &size);
    snapshot_path(7, path);
    sim_disk_put(rig.sim, path, content, size);
    assert_int_equal(loaded(&rig, UINT64_MAX, "four"), 4);
    struct journal_head head = journal_head(rig.journal);
    const struct snapshot_meta metas[] = {
        {.position = head.position, .batch = head.batch, .state_version = VERSION},
        {.position = head.position, .batch = head.batch - 1, .state_version = VERSION},
        {.position = head.position + 1, .batch = head.batch + 1, .state_version = VERSION},
        {.position = head.position + 1, .batch = head.batch, .state_version = VERSION},
    };
    for (size_t i = 0; i < sizeof(metas) / sizeof(metas[0]); i++) {
        struct snapshot_meta meta = metas[i];
        if (i > 0) {
            memcpy(meta.hash, head.hash, sizeof(meta.hash));
        }
        struct snapshot_writer *writer =
            snapshot_create(rig.options.disk, "book", &meta, &rig.error);
        assert_non_null(writer);
        assert_true(snapshot_commit(writer, &rig.error));
        assert_int_equal(loaded(&rig, UINT64_MAX, NULL) <= 4, 1);
        snapshot_path(meta.position, path);
        sim_disk_drop(rig.sim, path);
    }
    rig_fini(&rig);
}

static void test_abandoned_leaves_nothing(void **state)
{
    (void)state;
    struct journal_rig rig;
    rig_with_snapshots(&rig);
    rig_grow(&rig, 1, 10);
    uint64_t before = sim_disk_fingerprint(rig.sim);
    struct journal_head head = journal_head(rig.journal);
    struct snapshot_meta meta = {
        .position = head.position, .batch = head.batch, .state_version = VERSION};
    struct snapshot_writer *writer = snapshot_create(rig.options.disk, "book", &meta, &rig.error);
    assert_non_null(writer);
    assert_true(snapshot_write(writer, (const uint8_t *)"abc", 3));
    assert_true(snapshot_write(writer, NULL, 0));
    snapshot_abandon(writer);
    assert_true(sim_disk_fingerprint(rig.sim) == before);
    rig_fini(&rig);
}

/* The n-th call fails: no snapshot, no remains, the older one is loaded, the journal goes on. */
static void test_every_call_fails_once(void **state)
{
    (void)state;
    static const int codes[] = {EIO, ENOSPC};
    for (unsigned kind = SIM_OPEN; kind < SIM_ALL; kind <<= 1) {
        for (uint64_t n = 1; n < 40; n++) {
            struct journal_rig rig;
            rig_with_snapshots(&rig);
            rig_grow(&rig, 1, 10);
            sim_disk_fail(rig.sim, kind, n, codes[n % 2], false);
            bool committed = rig_snapshot(&rig, VERSION, "six", 3);
            bool struck = sim_disk_failures(rig.sim) > 0;
            sim_disk_fail(rig.sim, 0, 0, 0, false);
            if (!committed) {
                assert_true(struck);
                assert_true(rig.error.status == JOURNAL_IO_ERROR ||
                            rig.error.status == JOURNAL_DISK_FULL);
            }
            uint64_t position = loaded(&rig, UINT64_MAX, NULL);
            assert_true(committed ? position == 6 : position == 4 || position == 6);
            rig_grow(&rig, 1, 10);
            rig_fini(&rig);
            if (!struck) {
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_is_loaded_and_two_are_kept),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_other_version_is_ignored),
        cmocka_unit_test(test_every_flipped_byte_is_noticed),
        cmocka_unit_test(test_every_cut_is_noticed),
        cmocka_unit_test(test_strangers_are_ignored),
        cmocka_unit_test(test_wrong_place_is_ignored),
        cmocka_unit_test(test_abandoned_leaves_nothing),
        cmocka_unit_test(test_every_call_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
