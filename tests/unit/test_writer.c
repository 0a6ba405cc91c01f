/*
 * test_writer.c - the journal on a thread of its own: a batch goes through, and a journal that has
 * failed says so to whoever gives it the next one.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "sim/sim_disk.h"

struct rig {
    struct sim_disk *sim;
    struct journal *journal;
    struct writer_thread *writer;
    struct engine_writer port;
    struct journal_head head;
    uint8_t *buffer;
};

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    r->sim = sim_disk_create();
    struct journal_options options = {.directory = "book",
                                      .disk = sim_disk_interface(r->sim),
                                      .book = "operator",
                                      .segment_bytes_min = 65536,
                                      .segment_bytes_max = 65536};
    struct journal_error error;
    assert_int_equal(journal_open(&options, &r->journal, &error), JOURNAL_OK);
    r->head = journal_head(r->journal);
    r->writer = writer_start_thread(r->journal);
    assert_non_null(r->writer);
    r->port = writer_port(r->writer);
    r->buffer = aligned_alloc(JOURNAL_BLOCK_BYTES, 65536);
    assert_non_null(r->buffer);
}

static void rig_fini(struct rig *r)
{
    writer_stop(r->writer);
    journal_close(r->journal);
    sim_disk_destroy(r->sim);
    free(r->buffer);
}

/* Gives the writer a batch of one frame and waits for what comes of it. */
static enum journal_status rig_write(struct rig *r, size_t size)
{
    memset(r->buffer, 7, 65536);
    struct journal_batch batch = {.buffer = r->buffer,
                                  .capacity = 65536,
                                  .payload_size = size,
                                  .first_position = r->head.position + 1,
                                  .frame_count = 1};
    r->port.start(r->port.context, &batch, r->head.hash);
    struct pollfd wait = {.fd = writer_descriptor(r->writer), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 10000), 1);
    enum journal_status status;
    struct journal_error error;
    assert_true(writer_collect(r->writer, &status, &r->head, &error));
    assert_false(writer_collect(r->writer, &status, &r->head, &error));
    return status;
}

static void test_batches_go_through(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(r.port.room(r.port.context, 5000), ENGINE_ROOM_NOW);
        assert_int_equal(rig_write(&r, 5000), JOURNAL_OK);
        assert_int_equal(r.head.position, i);
    }
    rig_fini(&r);
}

/* The next segment cannot be made: there is no room, but the process must not stay up and refuse
 * everything as if the disk were full. (Found by the simulation: seed 1339.) */
static void test_a_failed_journal_takes_one_more_batch(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    assert_int_equal(rig_write(&r, 5000), JOURNAL_OK);
    assert_false(journal_has_failed(r.journal));
    sim_disk_fail(r.sim, SIM_OPEN, 1, EIO, false);
    journal_make_room(r.journal);
    assert_true(journal_has_failed(r.journal));
    assert_false(journal_has_room(r.journal, 1));
    assert_int_equal(r.port.room(r.port.context, 1), ENGINE_ROOM_NOW);
    assert_int_equal(rig_write(&r, 5000), JOURNAL_POISONED);
    assert_int_equal(rig_write(&r, 5000), JOURNAL_POISONED);
    assert_int_equal(r.head.position, 1);
    rig_fini(&r);
}

static void test_a_full_disk_is_no_failure(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    assert_int_equal(rig_write(&r, 5000), JOURNAL_OK);
    sim_disk_limit(r.sim, 1);
    journal_make_room(r.journal);
    assert_false(journal_has_failed(r.journal));
    assert_int_equal(r.port.room(r.port.context, 60000), ENGINE_ROOM_FULL);
    sim_disk_limit(r.sim, 0);
    journal_make_room(r.journal);
    assert_int_equal(r.port.room(r.port.context, 50000), ENGINE_ROOM_NOW);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_go_through),
        cmocka_unit_test(test_a_failed_journal_takes_one_more_batch),
        cmocka_unit_test(test_a_full_disk_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
