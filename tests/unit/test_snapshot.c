/*
 * test_snapshot.c - a child writes down what the book was at the fork (engine/snapshot.h), while
 * the book goes on: also when its indexes are so large that a child has none of them.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/large.h"
#include "engine/snapshot.h"
#include "support/folder.h"
#include "support/world.h"

/* As many as an index of LARGE_EXCLUDED_BYTES has room for, and all are looked up by number. */
enum { PEOPLE = LARGE_EXCLUDED_BYTES / sizeof(struct map_entry) };

static void open_people(struct world *w, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct subscriber_command c = {.msisdn = UINT64_C(254720000000) + i,
                                       .balance_minor = 100 * (1 + (int64_t)i)};
        struct operator_reply reply;
        memset(&reply, 0, sizeof(reply));
        assert_true(world_do(w, COMMAND_SUBSCRIBER_OPEN, &c, &reply) > 0);
    }
}

static struct snapshot_request request_of(const struct world *w, const char *folder)
{
    struct snapshot_request request = {
        .book = w->book, .directory = folder, .head = {.position = w->book->position, .batch = 1}};
    return request;
}

/* Waits for the child; true when its snapshot is in place. */
static bool reap(struct snapshot_child *child, struct digest_value *written)
{
    struct pollfd done = {.fd = child->descriptor, .events = POLLIN};
    assert_int_equal(poll(&done, 1, 60 * 1000), 1);
    bool good = snapshot_reap(child, written);
    assert_int_equal(child->pid, 0);
    return good;
}

/* What the child wrote is what the book was, whatever it has become meanwhile. */
static void test_a_child_writes_it_down(void **state)
{
    (void)state;
    for (uint32_t many = 0; many < 2; many++) {
        struct world w;
        char folder[FOLDER_PATH_MAX];
        struct snapshot_child child = {0, -1, 0};
        struct journal_error error;
        struct digest_value written;
        world_start(&w, true);
        w.quick = true;
        folder_make(folder);
        open_people(&w, many == 0 ? 10 : PEOPLE);
        struct digest_value digest = book_digest(w.book);
        struct snapshot_request request = request_of(&w, folder);
        assert_true(snapshot_fork(&request, &child, &error));
        struct subscriber_command more = {.msisdn = UINT64_C(254730000000)};
        struct operator_reply reply;
        memset(&reply, 0, sizeof(reply));
        assert_true(world_do(&w, COMMAND_SUBSCRIBER_OPEN, &more, &reply) > 0);
        assert_true(reap(&child, &written));
        assert_true(written.high == digest.high && written.low == digest.low);
        folder_remove(folder);
        world_end(&w);
    }
}

/* It says so, harms nothing, and the next one is written. */
static void test_a_child_that_cannot_write(void **state)
{
    (void)state;
    struct world w;
    char folder[FOLDER_PATH_MAX];
    struct snapshot_child child = {0, -1, 0};
    struct journal_error error;
    struct digest_value written;
    world_start(&w, true);
    folder_make(folder);
    struct snapshot_request request = request_of(&w, "/nowhere");
    assert_true(snapshot_fork(&request, &child, &error));
    assert_false(reap(&child, &written));
    request = request_of(&w, folder);
    assert_true(snapshot_take(&request, &written, &error));
    struct digest_value digest = book_digest(w.book);
    assert_true(written.high == digest.high && written.low == digest.low);
    folder_remove(folder);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_writes_it_down),
        cmocka_unit_test(test_a_child_that_cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
