/*
 * test_journal_files.c - the journal on the real disk: threads, locks, forks, real descriptors;
 * and the second reader (tests/tools/journal_dump.c), which must agree with the first.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/disk.h"
#include "journal/internal.h"
#include "sim/memory.h"
#include "support/journal_rig.h"
#include "tools/journal_dump.h"

/* A rig on the real disk, in a directory of its own. */
struct real_rig {
    struct journal_rig rig;
    char directory[64];
};

static void real_init(struct real_rig *real)
{
    rig_init(&real->rig);
    (void)snprintf(real->directory, sizeof(real->directory), "/tmp/hakika-journal-XXXXXX");
    assert_non_null(mkdtemp(real->directory));
    real->rig.options.directory = real->directory;
    real->rig.options.disk = NULL;
}

static bool remove_name(void *context, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    assert_int_equal(unlink(path), 0);
    return true;
}

static void real_fini(struct real_rig *real)
{
    struct disk *disk = disk_real();
    rig_close(&real->rig);
    assert_int_equal(disk->list(disk->context, real->directory, remove_name, real->directory), 0);
    assert_int_equal(rmdir(real->directory), 0);
    rig_fini(&real->rig);
}

static void test_defaults(void **state)
{
    (void)state;
    struct real_rig real;
    struct stat status;
    char path[128];
    real_init(&real);
    real.rig.options.segment_bytes_min = 0;
    real.rig.options.segment_bytes_max = 0;
    rig_grow(&real.rig, 20, 5000);
    (void)snprintf(path, sizeof(path), "%s/journal-00000001.seg", real.directory);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 1 << 20);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    assert_int_equal(rig_count(&real.rig), 20);
    real_fini(&real);
}

static void wait_for_room(const struct journal *journal, uint64_t bytes)
{
    for (int i = 0; !journal_has_room(journal, bytes); i++) {
        const struct timespec pause = {.tv_nsec = 1000000};
        assert_true(i < 10000);
        (void)nanosleep(&pause, NULL);
    }
}

/* The thread makes spares; batches go on through many of them, whatever their size. */
static void test_background_spares(void **state)
{
    (void)state;
    struct real_rig real;
    real_init(&real);
    real.rig.options.background_spares = true;
    for (int round = 0; round < 4; round++) {
        assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
        wait_for_room(real.rig.journal, 10000);
        rig_grow(&real.rig, 30, 3000);
        rig_grow(&real.rig, 1, 70000); /* larger than any spare */
        rig_grow(&real.rig, 5, 30000);
        journal_make_room(real.rig.journal);
        wait_for_room(real.rig.journal, 30000);
    }
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    assert_int_equal(rig_count(&real.rig), 4 * 36);
    real_fini(&real);
}

/* Another thread asks for room all the time, as the engine does. */
struct asker {
    const struct journal *journal;
    atomic_bool over;
    uint64_t asked;
    uint64_t refused;
};

static void *ask(void *argument)
{
    struct asker *a = argument;
    while (!atomic_load(&a->over)) {
        a->refused += journal_has_room(a->journal, 1000) ? 0 : 1;
        a->asked++;
    }
    return NULL;
}

/* While a spare is ready there is never a moment without room, not even while it is taken. */
static void test_room_while_the_spare_is_taken(void **state)
{
    (void)state;
    struct real_rig real;
    struct asker asker;
    pthread_t thread;
    real_init(&real);
    real.rig.options.segment_bytes_min = 65536;
    real.rig.options.background_spares = true;
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    const struct journal *journal = real.rig.journal;
    memset(&asker, 0, sizeof(asker));
    asker.journal = journal;
    wait_for_room(journal, 20000);
    assert_int_equal(pthread_create(&thread, NULL, ask, &asker), 0);
    for (int i = 0; i < 200; i++) {
        for (int n = 0; atomic_load(&journal->spare.room) == 0; n++) {
            const struct timespec pause = {.tv_nsec = 1000000};
            assert_true(n < 10000);
            (void)nanosleep(&pause, NULL);
        }
        rig_grow(&real.rig, 1, 12000); /* three in each, and room is left */
    }
    atomic_store(&asker.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(asker.asked > 0);
    assert_int_equal(asker.refused, 0);
    assert_false(journal_is_full(journal));
    real_fini(&real);
}

/* Closing does not wait for a spare that is being made, and what it leaves is cleaned up. */
static void test_close_while_a_spare_is_made(void **state)
{
    (void)state;
    struct real_rig real;
    real_init(&real);
    real.rig.options.segment_bytes_min = 4 << 20;
    real.rig.options.segment_bytes_max = 64 << 20;
    real.rig.options.background_spares = true;
    for (int i = 0; i < 10; i++) {
        rig_grow(&real.rig, 1, 100);
        assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
        rig_close(&real.rig);
    }
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    assert_int_equal(rig_count(&real.rig), 10);
    real_fini(&real);
}

/* The disk is full for the thread: admission is told, and it goes on when there is room again. */
static atomic_bool disk_is_full;

static int full_write_at(void *context, struct disk_file *file, const void *data, size_t size,
                         uint64_t offset)
{
    (void)context;
    struct disk *disk = disk_real();
    uint64_t end = 0;
    assert_int_equal(disk->size(disk->context, file, &end), 0);
    if (offset + size > end && atomic_load(&disk_is_full)) {
        return -ENOSPC;
    }
    return disk->write_at(disk->context, file, data, size, offset);
}

static void test_full_disk_in_the_background(void **state)
{
    (void)state;
    struct real_rig real;
    real_init(&real);
    struct disk disk = *disk_real();
    disk.write_at = full_write_at;
    real.rig.options.disk = &disk;
    real.rig.options.background_spares = true;
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    atomic_store(&disk_is_full, true);
    enum journal_status status = JOURNAL_OK;
    uint64_t appended = 0;
    while (status == JOURNAL_OK && appended < 1000) {
        status = rig_append(&real.rig, 3000);
        appended += status == JOURNAL_OK ? 1 : 0;
    }
    assert_int_equal(status, JOURNAL_DISK_FULL);
    assert_false(journal_has_room(real.rig.journal, 3000));
    assert_int_equal(rig_append(&real.rig, 3000), JOURNAL_DISK_FULL);
    atomic_store(&disk_is_full, false);
    wait_for_room(real.rig.journal, 3000);
    assert_int_equal(rig_append(&real.rig, 3000), JOURNAL_OK);
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    assert_int_equal(rig_count(&real.rig), appended + 1);
    real_fini(&real);
}

/* The thread's disk fails: the journal poisons itself before it needs the spare. */
static int broken_rename(void *context, const char *from, const char *to)
{
    (void)context;
    (void)from;
    (void)to;
    return -EIO;
}

static void test_broken_disk_in_the_background(void **state)
{
    (void)state;
    struct real_rig real;
    real_init(&real);
    struct disk disk = *disk_real();
    rig_grow(&real.rig, 1, 100);
    disk.rename = broken_rename;
    real.rig.options.disk = &disk;
    real.rig.options.background_spares = true;
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    for (int i = 0; journal_has_room(real.rig.journal, 10); i++) {
        const struct timespec pause = {.tv_nsec = 1000000};
        assert_true(i < 10000);
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(rig_append(&real.rig, 10), JOURNAL_POISONED);
    real.rig.options.disk = NULL;
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    assert_int_equal(rig_count(&real.rig), 1);
    real_fini(&real);
}

static enum journal_status open_second(struct real_rig *real)
{
    struct journal *second = NULL;
    struct journal_error error;
    enum journal_status status = journal_open(&real->rig.options, &second, &error);
    journal_close(second);
    return status;
}

/* A child forked for a snapshot holds no lock: after the parent's end a new one can open. */
static void test_lock_and_fork(void **state)
{
    (void)state;
    struct real_rig real;
    int ready[2];
    int finish[2];
    char byte = 0;
    real_init(&real);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(finish), 0);
    rig_grow(&real.rig, 2, 100);
    assert_int_equal(open_second(&real), JOURNAL_LOCKED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(finish[1]);
        bool good = rig_snapshot(&real.rig, 1, "state", 5);
        (void)!write(ready[1], good ? "y" : "n", 1);
        (void)!read(finish[0], &byte, 1);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(open_second(&real), JOURNAL_LOCKED); /* the parent still has it */
    rig_grow(&real.rig, 1, 100);
    rig_close(&real.rig);
    assert_int_equal(open_second(&real), JOURNAL_OK); /* though the child lives */
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    struct snapshot_meta meta;
    size_t size = 0;
    uint8_t *content = snapshot_load(real.rig.journal, 1, UINT64_MAX, &meta, &size);
    assert_non_null(content);
    assert_memory_equal(content, "state", 5);
    assert_int_equal(meta.batch, 2);
    free(content);
    (void)close(finish[1]);
    (void)close(finish[0]);
    (void)close(ready[0]);
    (void)close(ready[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    real_fini(&real);
}

static void test_refusals_of_the_real_disk(void **state)
{
    (void)state;
    struct disk *disk = disk_real();
    struct disk_file *file = NULL;
    struct real_rig real;
    char path[128];
    real_init(&real);
    (void)snprintf(path, sizeof(path), "%s/nothing", real.directory);
    assert_int_equal(disk->open(NULL, path, false, false, false, &file), -ENOENT);
    assert_null(file);
    assert_int_equal(disk->remove(NULL, path), -ENOENT);
    assert_int_equal(disk->rename(NULL, path, path), -ENOENT);
    assert_int_equal(disk->sync_directory(NULL, path), -ENOENT);
    assert_int_equal(disk->list(NULL, path, remove_name, NULL), -ENOENT);
    assert_int_equal(disk->make_directory(NULL, real.directory), 0);
    assert_int_equal(disk->open(NULL, path, true, true, true, &file), 0);
    assert_int_equal(disk->make_directory(NULL, path), -ENOTDIR);
    disk->close(NULL, file);
    assert_int_equal(disk->open(NULL, path, true, true, true, &file), -EEXIST);
    assert_int_equal(disk->open(NULL, path, true, true, false, &file), 0);
    uint8_t bytes[10] = "123456789";
    size_t got = 0;
    assert_int_equal(disk->write_at(NULL, file, bytes, 10, 100), 0);
    assert_int_equal(disk->read_at(NULL, file, bytes, 10, 105, &got), 0);
    assert_int_equal(got, 5);
    assert_memory_equal(bytes, "6789", 5);
    assert_int_equal(disk->lock(NULL, file), 0);
    assert_int_equal(disk->sync(NULL, file), 0);
    assert_int_equal(disk->forget(NULL, file), 0);
    disk->close(NULL, file);
    assert_int_equal(disk->sync_directory(NULL, path), -ENOTDIR);
    real.rig.options.directory = path; /* a file */
    assert_int_equal(rig_open(&real.rig), JOURNAL_IO_ERROR);
    real.rig.options.directory = real.directory;
    real_fini(&real);
}

static void path_in(const struct real_rig *real, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", real->directory, name);
}

/* What others leave in the folder is no segment of ours, and a folder in the place of a new file is
 * an error that says so; the path of the folder may end in slashes. */
static void test_strange_names_in_the_folder(void **state)
{
    static const char *const names[] = {"journal-.seg", "journal-00000000.seg",
                                        "journal-1234567890123456789.seg", "journal-1.seg",
                                        "journal-99999999999999999999.seg"};
    (void)state;
    struct disk *disk = disk_real();
    struct disk_file *file = NULL;
    struct real_rig real;
    char slashes[80];
    char path[128];
    real_init(&real);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        path_in(&real, names[i], path);
        assert_int_equal(disk->open(NULL, path, true, true, true, &file), 0);
        disk->close(NULL, file);
    }
    (void)snprintf(slashes, sizeof(slashes), "%s///", real.directory);
    real.rig.options.directory = slashes;
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    assert_int_equal(rig_append(&real.rig, 100), JOURNAL_OK);
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    assert_int_equal(rig_count(&real.rig), 1);
    char taken[128];
    path_in(&real, "snapshot-00000000000000000001.tmp", taken);
    assert_int_equal(disk->make_directory(NULL, taken), 0);
    assert_false(rig_snapshot(&real.rig, 1, "state", 5));
    assert_int_equal(rmdir(taken), 0);
    assert_true(rig_snapshot(&real.rig, 1, "state", 5));
    real_fini(&real);
}

static bool stop_at_once(void *context, const char *name)
{
    uint32_t *calls = context;
    (*calls)++;
    assert_int_not_equal(name[0], '\0');
    return false;
}

/* Files that are no files: what the operating system refuses comes back as it is. */
static void test_devices_and_directories(void **state)
{
    (void)state;
    struct disk *disk = disk_real();
    struct disk_file *file = NULL;
    struct real_rig real;
    char path[128];
    char byte = 'x';
    size_t got = 0;
    uint64_t size = 0;
    uint32_t calls = 0;
    real_init(&real);
    assert_int_equal(disk->open(NULL, real.directory, false, false, false, &file), 0);
    assert_int_equal(disk->size(NULL, file, &size), -EINVAL);
    assert_int_equal(disk->read_at(NULL, file, &byte, 1, 0, &got), -EISDIR);
    assert_int_equal(disk->write_at(NULL, file, &byte, 1, 0), -EBADF);
    disk->close(NULL, file);
    assert_int_equal(disk->open(NULL, "/dev/full", true, false, false, &file), 0);
    assert_int_equal(disk->write_at(NULL, file, &byte, 1, 0), -ENOSPC);
    assert_int_equal(disk->sync(NULL, file), -EINVAL);
    disk->close(NULL, file);
    (void)snprintf(path, sizeof(path), "%s/no/such", real.directory);
    assert_int_equal(disk->make_directory(NULL, path), -ENOENT);
    assert_int_equal(disk->list(NULL, "/dev", stop_at_once, &calls), 0);
    assert_int_equal(calls, 1);
    real_fini(&real);
}

/* --- no memory -------------------------------------------------------------------------------- */

static bool count_batch(void *context, const struct journal_read_batch *batch)
{
    uint64_t *count = context;
    (*count)++;
    assert_int_equal(batch->batch, *count);
    return true;
}

/* Opens, reads, loads, snapshots and appends; false when anything of it was refused. */
static bool use_everything(struct journal_rig *rig)
{
    struct snapshot_meta meta;
    uint64_t count = 0;
    size_t size = 0;
    if (rig_open(rig) != JOURNAL_OK) {
        return false;
    }
    bool good = journal_read(rig->journal, 1, count_batch, &count, &rig->error) == JOURNAL_OK;
    uint8_t *content = snapshot_load(rig->journal, 1, UINT64_MAX, &meta, &size);
    good = content != NULL && good;
    free(content);
    good = rig_snapshot(rig, 1, "state", 5) && good;
    return rig_append(rig, 100) == JOURNAL_OK && good;
}

/* Each allocation fails in turn: something is refused, and nothing is lost by it. */
static void test_no_memory(void **state)
{
    (void)state;
    struct real_rig real;
    struct journal_rig *rig = &real.rig;
    uint64_t batches = 60;
    bool failed = true;
    real_init(&real);
    rig->options.segment_bytes_max = 1024 * 1024; /* few of them: each allocates when opened */
    rig_grow(rig, 60, 5000);
    assert_true(rig_snapshot(rig, 1, "state", 5));
    for (uint32_t n = 1; failed; n++) {
        rig_close(rig);
        uint64_t failures = memory_failures();
        memory_fail_in(n);
        memory_window(true);
        bool good = use_everything(rig);
        memory_window(false);
        failed = memory_failures() > failures;
        assert_true(good || failed);
        assert_true(n < 1000);
        assert_int_equal(rig_open(rig), JOURNAL_OK);
        assert_true(rig_count(rig) >= batches);
        batches = journal_head(rig->journal).batch;
    }
    memory_fail_in(0);
    real_fini(&real);
}

/* --- the second reader ------------------------------------------------------------------------ */

static bool print_batch(void *context, const struct journal_read_batch *batch)
{
    FILE *out = context;
    (void)fprintf(out,
                  "batch %" PRIu64 " positions %" PRIu64 "-%" PRIu64 " time %" PRId64
                  " epoch %" PRIu64 " at %" PRIu64 ":%" PRIu64 " payload %zu hash ",
                  batch->batch, batch->first_position,
                  batch->first_position + batch->frame_count - 1, batch->time_ns, batch->epoch,
                  batch->segment, batch->offset, batch->payload_size);
    for (size_t i = 0; i < sizeof(batch->hash); i++) {
        (void)fprintf(out, "%02x", (unsigned)batch->hash[i]);
    }
    (void)fputc('\n', out);
    return true;
}

/* Both readers see the same batches; `end` is how the second one must find the tail. */
static void assert_readers_agree(struct real_rig *real, const char *end)
{
    char *first = NULL;
    char *second = NULL;
    size_t first_size = 0;
    size_t second_size = 0;
    FILE *out = open_memstream(&second, &second_size);
    assert_non_null(out);
    rig_close(&real->rig);
    assert_int_equal(journal_dump(real->directory, out), 0); /* before a writer could cut */
    assert_int_equal(fclose(out), 0);
    real->rig.options.read_only = true;
    assert_int_equal(rig_open(&real->rig), JOURNAL_OK);
    out = open_memstream(&first, &first_size);
    assert_non_null(out);
    assert_int_equal(journal_read(real->rig.journal, 1, print_batch, out, &real->rig.error),
                     JOURNAL_OK);
    (void)fprintf(out, "head %" PRIu64 " %s\n", journal_head(real->rig.journal).batch, end);
    assert_int_equal(fclose(out), 0);
    real->rig.options.read_only = false;
    rig_close(&real->rig);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

/* Changes one byte of a segment; returns what it was. */
static uint8_t poke(struct real_rig *real, unsigned segment, long offset, uint8_t bits)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/journal-%08u.seg", real->directory, segment);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_true(byte != EOF);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_true(fputc(byte ^ bits, file) != EOF);
    assert_int_equal(fclose(file), 0);
    return (uint8_t)byte;
}

static void test_second_reader_agrees(void **state)
{
    (void)state;
    struct real_rig real;
    real_init(&real);
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    assert_readers_agree(&real, "empty");
    for (int i = 0; i < 5; i++) { /* epochs */
        rig_grow(&real.rig, 7, 1 + 1300 * (size_t)i);
        assert_readers_agree(&real, "clean");
    }
    rig_grow(&real.rig, 1, 90000);
    rig_grow(&real.rig, 2, 10);
    assert_readers_agree(&real, "clean");
    assert_int_equal(rig_open(&real.rig), JOURNAL_OK);
    assert_int_equal(rig_count(&real.rig), 38);
    real_fini(&real);
}

/* Wherever a byte is wrong, both readers say the same: damage, torn tail, or nothing. */
static void test_second_reader_agrees_on_damage(void **state)
{
    (void)state;
    struct real_rig real;
    unsigned torn = 0;
    unsigned damaged = 0;
    real_init(&real);
    rig_grow(&real.rig, 2, 300);
    rig_grow(&real.rig, 2, 5000);
    rig_close(&real.rig);
    for (unsigned segment = 1; segment <= 2; segment++) {
        for (long offset = 0; offset < 16384; offset += offset % 4096 < 200 ? 7 : 331) {
            char *text = NULL;
            size_t size = 0;
            (void)poke(&real, segment, offset, 0x10);
            FILE *out = open_memstream(&text, &size);
            assert_non_null(out);
            int verdict = journal_dump(real.directory, out);
            assert_int_equal(fclose(out), 0);
            real.rig.options.read_only = true;
            enum journal_status status = rig_open(&real.rig);
            assert_int_equal(verdict == 0, status == JOURNAL_OK);
            if (status == JOURNAL_OK) {
                char head[64];
                (void)snprintf(head, sizeof(head), "head %" PRIu64 " ",
                               journal_head(real.rig.journal).batch);
                assert_non_null(strstr(text, head));
                torn++;
            } else {
                damaged++;
            }
            rig_close(&real.rig);
            free(text);
            (void)poke(&real, segment, offset, 0x10);
        }
    }
    assert_true(torn > 10 && damaged > 100);
    real_fini(&real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_background_spares),
        cmocka_unit_test(test_room_while_the_spare_is_taken),
        cmocka_unit_test(test_close_while_a_spare_is_made),
        cmocka_unit_test(test_full_disk_in_the_background),
        cmocka_unit_test(test_broken_disk_in_the_background),
        cmocka_unit_test(test_lock_and_fork),
        cmocka_unit_test(test_refusals_of_the_real_disk),
        cmocka_unit_test(test_devices_and_directories),
        cmocka_unit_test(test_strange_names_in_the_folder),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_second_reader_agrees),
        cmocka_unit_test(test_second_reader_agrees_on_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
