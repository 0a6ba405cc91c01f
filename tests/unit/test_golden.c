/*
 * test_golden.c - journals of every version that was ever written still replay to the digests that
 * were recorded for them, prove themselves, and can be written on; and today's book writes a
 * journal of the same story that does, too. How to record another: tests/golden/README.md.
 * limit: 180
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/verify/run.h"
#include "engine/engine.h"
#include "merchant/events.h"
#include "operator/events.h"
#include "support/folder.h"
#include "support/golden.h"
#include "support/golden_shop.h"
#include "support/golden_story.h"

enum { PATH_BYTES = FOLDER_PATH_MAX };

static struct verify_report report;

/* ---- folders ---- */

static void golden_path(const char *rest, char out[PATH_BYTES])
{
    const char *root = getenv("HAKIKA_SOURCE_ROOT");
    assert_non_null(root); /* script/test sets it */
    (void)snprintf(out, PATH_BYTES, "%s/tests/golden%s%s", root, rest[0] == '\0' ? "" : "/", rest);
}

/* Unpacks the files of tests/golden/NAME that end in .gz. */
static void unpack_golden(const char *name, const char *to)
{
    char folder[PATH_BYTES];
    golden_path(name, folder);
    folder_unpack(folder, to);
}

/* Calls back with the name of every golden journal; returns how many. */
static uint32_t each_golden(void (*callback)(const char *name))
{
    char folder[PATH_BYTES];
    uint32_t count = 0;
    golden_path("", folder);
    DIR *names = opendir(folder);
    assert_non_null(names);
    for (const struct dirent *entry = readdir(names); entry != NULL; entry = readdir(names)) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
            callback(entry->d_name);
            count++;
        }
    }
    (void)closedir(names);
    return count;
}

/* ---- what every journal must stand ---- */

static void must(bool good, const char *name, const char *message)
{
    if (!good) {
        print_error("%s: %s\n", name, message);
        fail();
    }
}

static bool is_merchants(const char *directory)
{
    struct journal_error error;
    struct journal *journal = NULL;
    struct book_options book;
    must(golden_open(directory, true, &journal, &book, &error) == JOURNAL_OK, directory,
         error.message);
    journal_close(journal);
    return book.domain == &merchant_domain;
}

static void must_verify(const char *name, const char *directory)
{
    struct journal_error error;
    struct verify_options options = {.directory = directory, .merchant = is_merchants(directory)};
    must(verify_run(&options, &report, &error), name, error.message);
    for (int p = 0; p < PROOF_COUNT; p++) {
        const struct verify_verdict *v = &report.proofs[p];
        must(v->done, name, verify_proof_name((enum verify_proof)p));
        must(v->breaches == 0, name, v->findings[0].text);
    }
}

/* One more decision at the end: the journal can be written on by this program. */
static void must_go_on(const char *name, const char *directory)
{
    struct book_options options;
    struct engine_recovery recovery;
    struct journal_error error;
    struct journal *journal = NULL;
    must(golden_open(directory, false, &journal, &options, &error) == JOURNAL_OK, directory,
         error.message);
    struct book *book = engine_recover(journal, &options, &recovery);
    must(book != NULL, name, recovery.message);
    uint8_t *buffer = aligned_alloc(JOURNAL_BLOCK_BYTES, 64 * 1024);
    assert_non_null(buffer);
    struct writer w = writer_init(buffer + JOURNAL_BATCH_HEADER_BYTES, 32 * 1024);
    struct clock_command clock = {.mode = CLOCK_VIRTUAL};
    enum book_outcome outcome;
    struct book_command command = {COMMAND_CLOCK, book->time_ns + 1, 1, &clock, &outcome};
    struct journal_head head = journal_head(journal);
    assert_int_equal(book_execute(book, &command, &w), head.position + 1);
    struct journal_batch batch = {
        .buffer = buffer,
        .capacity = 64 * 1024,
        .payload_size = w.size,
        .first_position = head.position + 1,
        .frame_count = 1,
        .time_ns = command.now_ns,
    };
    assert_int_equal(journal_append(journal, &batch, head.hash, &error), JOURNAL_OK);
    struct digest_value digest = book_digest(book);
    book_destroy(book);
    book = engine_recover(journal, &options, &recovery);
    must(book != NULL, name, recovery.message);
    assert_int_equal(book_digest(book).low, digest.low);
    book_destroy(book);
    journal_close(journal);
    free(buffer);
    must_verify(name, directory);
}

static void golden_holds(const char *name)
{
    char folder[PATH_BYTES], path[PATH_BYTES], message[GOLDEN_MESSAGE_MAX];
    static struct golden_record record;
    folder_make(folder);
    unpack_golden(name, folder);
    (void)snprintf(message, sizeof(message), "%s/record", name);
    golden_path(message, path);
    must(golden_record_read(path, &record, message), name, message);
    must(golden_replay(folder, &record, 1, message), name, message);
    must(golden_replay(folder, &record, 0x9e3779b97f4a7c15u, message), name, message);
    must_verify(name, folder);
    must_go_on(name, folder);
    folder_remove(folder);
}

static void test_every_golden_journal_replays_to_its_digests(void **state)
{
    (void)state;
    assert_true(each_golden(golden_holds) >= 1);
}

/* ---- today's story ---- */

static void test_story_tells_everything(void **state)
{
    (void)state;
    struct world w;
    enum { KINDS_END = 192 };
    bool kinds[KINDS_END] = {false};
    golden_story(&w);
    struct reader r = reader_init(w.frames, w.frames_size);
    struct frame_reader f;
    while (frame_next(&r, &f)) {
        uint16_t kind;
        struct reader body;
        while (frame_event(&f, &kind, &body)) {
            assert_true(kind < KINDS_END);
            kinds[kind] = true;
        }
    }
    for (uint16_t kind = 0; kind < KINDS_END; kind++) {
        bool known = (kind >= EVENT_GENERATION_OPENED && kind <= BOOK_EVENT_KNOWN_LAST) ||
                     (kind >= EVENT_ACCOUNT_OPENED && kind <= EVENT_HOLD_EXPIRED) ||
                     (kind >= EVENT_DELIVERY_QUEUED && kind <= OUTBOX_EVENT_KNOWN_LAST) ||
                     operator_domain.event_name(kind) != NULL;
        /* Nobody sets flags yet; what is retired stands in older journals (2-story, 5-story). */
        bool silent = kind == EVENT_ACCOUNT_FLAGS_SET || kind == EVENT_REQUEST_ACCEPTED_1 ||
                      kind == EVENT_STANDING_ORDER_CANCELLED_1;
        if (known && !kinds[kind] && !silent) {
            print_error("event kind %u is not in the story\n", kind);
            fail();
        }
    }
    world_end(&w);
}

/* With HAKIKA_GOLDEN_OUT a folder: leaves today's journal there, to be recorded. */
static void test_story_proves_itself_and_is_always_the_same(void **state)
{
    (void)state;
    struct world first, second;
    char folder[PATH_BYTES], message[GOLDEN_MESSAGE_MAX];
    static struct golden_record record;
    golden_story(&first);
    golden_story(&second);
    assert_int_equal(first.frames_size, second.frames_size);
    assert_memory_equal(first.frames, second.frames, first.frames_size);
    const char *keep = getenv("HAKIKA_GOLDEN_OUT");
    folder_make(folder);
    golden_story_write(&first, keep != NULL ? keep : folder);
    const char *written = keep != NULL ? keep : folder;
    must(golden_measure(written, 100, &record, message), "story", message);
    must(golden_replay(written, &record, 3, message), "story", message);
    must_verify("story", written);
    assert_true(report.totals.checkpoints == 3);
    assert_true(report.totals.generations == 6);
    for (uint32_t outcome = STK_PAID; outcome <= STK_OUTCOME_LAST; outcome++) {
        /* Nothing makes an organisation inactive yet. */
        assert_true(report.totals.ended[outcome] > 0 || outcome == STK_PAYEE_INACTIVE);
    }
    struct digest_value digest = book_digest(first.book);
    assert_int_equal(record.digests[record.count - 1].digest.high, digest.high);
    assert_int_equal(record.digests[record.count - 1].digest.low, digest.low);
    world_end(&first);
    world_end(&second);
    folder_remove(folder);
}

/* ---- today's story of the merchant book ---- */

static void test_merchant_story_tells_everything(void **state)
{
    (void)state;
    struct shop s;
    bool kinds[GATEWAY_EVENT_LAST + 1] = {false};
    (void)golden_shop(&s);
    struct reader r = reader_init(s.frames, s.frames_size);
    struct frame_reader f;
    while (frame_next(&r, &f)) {
        uint16_t kind;
        struct reader body;
        while (frame_event(&f, &kind, &body)) {
            assert_true(kind <= GATEWAY_EVENT_LAST);
            kinds[kind] = true;
        }
    }
    assert_true(kinds[EVENT_CLOSED_LEFT] && kinds[EVENT_KEYS_LEFT] && kinds[EVENT_RECALLED]);
    for (uint16_t kind = GATEWAY_EVENT_FIRST; kind <= GATEWAY_EVENT_LAST; kind++) {
        bool silent = kind == EVENT_API_KEY_CLOSED; /* nobody closes one yet */
        if (gateway_event_name(kind) != NULL && !kinds[kind] && !silent) {
            print_error("event kind %u (%s) is not in the merchant's story\n", kind,
                        gateway_event_name(kind));
            fail();
        }
    }
    shop_end(&s);
}

/* With HAKIKA_GOLDEN_MERCHANT_OUT a folder: leaves today's journal there, to be recorded. */
static void test_merchant_story_proves_itself(void **state)
{
    (void)state;
    struct shop first, second;
    char folder[PATH_BYTES], message[GOLDEN_MESSAGE_MAX];
    static struct golden_record record;
    (void)golden_shop(&first);
    (void)golden_shop(&second);
    assert_int_equal(first.frames_size, second.frames_size);
    assert_memory_equal(first.frames, second.frames, first.frames_size);
    const char *keep = getenv("HAKIKA_GOLDEN_MERCHANT_OUT");
    folder_make(folder);
    const char *written = keep != NULL ? keep : folder;
    golden_shop_write(&first, written);
    must(golden_measure(written, 100, &record, message), "merchant story", message);
    must(golden_replay(written, &record, 3, message), "merchant story", message);
    must_verify("merchant story", written);
    struct digest_value digest = book_digest(first.book);
    assert_true(digest_equal(record.digests[record.count - 1].digest, digest));
    shop_end(&first);
    shop_end(&second);
    folder_remove(folder);
}

static void test_changed_golden_journal_is_noticed(void **state)
{
    (void)state;
    struct world w;
    char folder[PATH_BYTES], message[GOLDEN_MESSAGE_MAX];
    static struct golden_record record;
    golden_story(&w);
    folder_make(folder);
    golden_story_write(&w, folder);
    world_end(&w);
    must(golden_measure(folder, 100, &record, message), "story", message);
    record.digests[2].digest.low ^= 1;
    assert_false(golden_replay(folder, &record, 1, message));
    assert_non_null(strstr(message, "another digest than was recorded"));
    record.digests[2].digest.low ^= 1;
    record.head_hash[0] ^= 1;
    assert_false(golden_replay(folder, &record, 1, message));
    assert_non_null(strstr(message, "never changed"));
    for (uint32_t i = 0; i < record.count; i++) {
        record.digests[i].state_version++;
    }
    assert_false(golden_replay(folder, &record, 1, message));
    assert_non_null(strstr(message, "no digest is recorded for state version"));
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_golden_journal_replays_to_its_digests),
        cmocka_unit_test(test_story_tells_everything),
        cmocka_unit_test(test_story_proves_itself_and_is_always_the_same),
        cmocka_unit_test(test_merchant_story_tells_everything),
        cmocka_unit_test(test_merchant_story_proves_itself),
        cmocka_unit_test(test_changed_golden_journal_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
