/*
 * test_view.c - the view is a function of the journal (V1): golden journals give the tables in
 * tests/view, step by step or at once, through stops, kills and damage. HAKIKA_VIEW_OUT=DIR writes
 * the tables of today's program there, to be looked at and kept.
 * limit: 240
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "operator/events.h"
#include "support/golden_story.h"
#include "support/view_rig.h"

enum { PATH_BYTES = FOLDER_PATH_MAX };

/* ---- golden journals ---- */

/* The position before the reset in the story. */
static uint64_t before_reset(const struct world *w)
{
    struct reader r = reader_init(w->frames, w->frames_size);
    struct frame_reader frame;
    uint64_t found = 0;
    while (frame_next(&r, &frame)) {
        if (frame.info.cause == COMMAND_SEED) {
            found = frame.info.position - 1;
        }
    }
    assert_true(found > 0);
    return found;
}

static void test_a_reset_empties_the_tables(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    golden_story_write(&w, s.journal);
    scene_catch_up(&s, before_reset(&w));
    assert_true(scene_number_of(s.file, "SELECT count(*) FROM transactions") > 50);
    assert_int_equal(scene_number_of(s.file, VIEW_GENERATION), 1);
    uint64_t head = w.book->position;
    scene_catch_up(&s, head);
    assert_int_equal(scene_number_of(s.file, VIEW_GENERATION), w.book->generation);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM transactions"),
                     world_operator(&w)->last_payment);
    struct view_progress done = scene_rebuild(&s, s.other);
    assert_int_equal(done.position, head);
    assert_int_equal(done.skipped, 0);
    assert_equal_views(&s, s.file, s.other);
    world_end(&w);
    scene_end(&s);
}

static void test_golden_journals_give_the_expected_tables(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t position; /* where to look; 0: at the end */
        const char *tables;
    } cases[] = {
        {"1-story", 671, "1-story-671.txt"}, /* before its reset */
        {"1-story", 0, "1-story.txt"},
        {"1-server", 0, "1-server.txt"},
        {"1-worlds", 0, "1-worlds.txt"},
        {"3-story", 832, "3-story-832.txt"}, /* before its reset */
        {"3-story", 0, "3-story.txt"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_golden_view(VIEW_OF_OPERATOR, cases[i].name, cases[i].position, cases[i].tables);
    }
}

/* The tables agree with the state that the same frames make. */
static void test_balances_are_those_of_the_book(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    golden_story_write(&w, s.journal);
    (void)scene_rebuild(&s, s.file);
    const struct ledger *ledger = &w.book->ledger;
    for (uint32_t i = 0; ledger_account(ledger, i) != NULL; i++) {
        const struct account *a = ledger_account(ledger, i);
        char sql[128];
        (void)snprintf(sql, sizeof(sql), "SELECT balance FROM accounts WHERE account = %u", i);
        assert_int_equal(scene_number_of(s.file, sql), account_balance(a));
        (void)snprintf(sql, sizeof(sql),
                       "SELECT debits_pending * 1000003 + credits_pending FROM accounts "
                       "WHERE account = %u",
                       i);
        assert_int_equal(scene_number_of(s.file, sql),
                         a->debits_pending * 1000003 + a->credits_pending);
    }
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM accounts"),
                     ledger->accounts.used);
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM callbacks"),
                     w.book->outbox.last_number); /* also of those that left memory */
    assert_int_equal(scene_number_of(s.file, "SELECT count(*) FROM deliveries"),
                     scene_number_of(s.file, "SELECT sum(attempts) FROM callbacks"));
    assert_true(scene_number_of(s.file, "SELECT count(*) FROM deliveries") >=
                (int64_t)w.book->outbox.attempts.used);
    /* The last balance_after of an account is its balance. */
    assert_int_equal(scene_number_of(s.file,
                                     "SELECT count(*) FROM accounts a JOIN entries e ON e.number "
                                     "= (SELECT max(number) FROM entries WHERE account = "
                                     "a.account) WHERE e.balance_after <> a.balance"),
                     0);
    world_end(&w);
    scene_end(&s);
}

/* A payout and a refused one: their rows, entries and messages. */
static void test_requests_of_organisations(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    scene_start(&s, VIEW_OF_OPERATOR);
    world_start(&w, true);
    struct world_payout p = {.msisdn = WORLD_ANNA, .amount_minor = 200000};
    const struct operator_request *paid = world_request(&w, world_payout(&w, &p));
    p.wrong_password = true;
    (void)world_payout(&w, &p);
    golden_story_write(&w, s.journal);
    (void)scene_rebuild(&s, s.file);
    char *text = NULL;
    size_t size = 0;
    char receipt[ID_RECEIPT_SIZE];
    char conversation[ID_TEXT_SIZE];
    char expected[400];
    request_transaction_id(paid, receipt);
    request_conversation_id(paid, conversation);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    scene_ask(s.file,
              "SELECT type, status, result_code, receipt, amount, charge, party, party_type, "
              "conversation_id FROM requests ORDER BY number",
              out);
    (void)fclose(out);
    (void)snprintf(expected, sizeof(expected), "b2c|SUCCESS|0|%s|200000|900|254700000001|msisdn|%s",
                   receipt, conversation);
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "b2c|FAILED|2001|-|200000|0|254700000001|msisdn|AG_"));
    free(text);
    assert_int_equal(scene_number_of(s.file,
                                     "SELECT sum(amount) FROM entries WHERE request_number = 1 "
                                     "AND direction = 'debit' AND transaction_number IS NULL"),
                     200900);
    assert_int_equal(scene_number_of(s.file,
                                     "SELECT count(*) FROM callbacks WHERE kind = 'result' AND "
                                     "request_number IS NOT NULL AND url IS NOT NULL"),
                     2);
    world_end(&w);
    scene_end(&s);
}

/* ---- while it is written ---- */

static void test_following_a_writer_equals_a_rebuild(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    following_equals_a_rebuild(&s, w.frames, w.frames_size);
    world_end(&w);
    scene_end(&s);
}

/* V3: what was not called durable is not shown, although it is in the journal. */
static void test_goes_no_further_than_durable(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    golden_story_write(&w, s.journal);
    struct view *v = scene_view(&s);
    for (uint64_t position = 7; position < 60; position += 11) {
        view_durable(v, position);
        scene_wait_for(v, position);
        assert_int_equal(scene_number_of(s.file, VIEW_POSITION), position);
    }
    view_stop(v, 0);
    world_end(&w);
    scene_end(&s);
}

static void test_kill_at_any_moment(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    golden_story_write(&w, s.journal);
    kills_change_nothing(&s, w.book->position);
    world_end(&w);
    scene_end(&s);
}

/* ---- files that are of no use ---- */

static void change(const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void overwrite(const char *file, long from, int byte, size_t size)
{
    FILE *f = fopen(file, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, from, SEEK_SET), 0);
    for (size_t i = 0; i < size; i++) {
        (void)fputc(byte, f);
    }
    (void)fclose(f);
}

/* After this was done to a file that stood somewhat before the head, the view thrown away and
 * built anew is the same as ever. */
static void spoil(const struct scene *s, uint64_t head, const char *sql, long from, size_t size)
{
    (void)unlink(s->file);
    scene_catch_up(s, head - 3);
    if (sql != NULL) {
        change(s->file, sql);
    }
    if (size > 0) {
        overwrite(s->file, from, 0x5a, size);
    }
    struct view *v = scene_view(s);
    view_durable(v, head);
    scene_wait_for(v, head);
    assert_int_equal(view_figures(v).rebuilt, 1);
    view_stop(v, 0);
    assert_equal_views(s, s->file, s->other);
}

static void test_useless_files_are_built_again(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    golden_story_write(&w, s.journal);
    uint64_t head = w.book->position;
    (void)scene_rebuild(&s, s.other);
    spoil(&s, head, "UPDATE meta SET value = 1 WHERE name = 'fingerprint'", 0, 0);
    spoil(&s, head, "DELETE FROM meta WHERE name = 'fingerprint'", 0, 0);
    spoil(&s, head, "UPDATE meta SET value = '00' || substr(value, 3) WHERE name = 'batch_hash'", 0,
          0);
    spoil(&s, head, "UPDATE meta SET value = '00' || substr(value, 3) WHERE name = 'journal'", 0,
          0);
    spoil(&s, head, "UPDATE meta SET value = 1000000 WHERE name = 'position'", 0, 0);
    spoil(&s, head, "UPDATE meta SET value = 20 WHERE name = 'position'", 0, 0);
    spoil(&s, head, "DROP TABLE deliveries", 0, 0);
    spoil(&s, head, "DROP TABLE meta", 0, 0);
    spoil(&s, head, NULL, 0, 100);       /* the header */
    spoil(&s, head, NULL, 4096, 400000); /* pages */
    world_end(&w);
    scene_end(&s);
}

/* ---- what it does not know, and what it has no room for ---- */

/* One more frame with an event of this kind. */
static void append_event(struct journal *journal, uint16_t kind)
{
    uint8_t bytes[64];
    struct journal_head head = journal_head(journal);
    struct writer w = writer_init(bytes, sizeof(bytes));
    put_u32(&w, BOOK_FRAME_HEADER_BYTES + BOOK_EVENT_HEADER_BYTES + 8);
    put_u16(&w, 99);
    put_u16(&w, 0);
    put_u64(&w, head.position + 1);
    put_i64(&w, head.time_ns);
    put_u64(&w, 0);
    put_u16(&w, kind);
    put_u16(&w, 8);
    put_u64(&w, 1);
    struct reader frames = reader_init(bytes, w.size);
    scene_append(journal, &frames, 1);
}

static void test_unknown_events_are_counted(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    struct journal *journal = scene_open_writer(&s);
    struct reader frames = reader_init(w.frames, w.frames_size);
    scene_append(journal, &frames, 40);
    for (uint16_t kind = 1000; kind < 1005; kind++) {
        append_event(journal, kind);
    }
    uint64_t head = journal_head(journal).position;
    struct view *v = scene_view(&s);
    view_durable(v, head);
    scene_wait_for(v, head);
    assert_int_equal(view_figures(v).skipped, 5);
    view_stop(v, 0);
    assert_int_equal(
        scene_number_of(s.file, "SELECT value FROM meta WHERE name = 'events_skipped'"), 5);
    append_event(journal, EVENT_STK_ENDED); /* known, and not its bytes */
    v = scene_view(&s);
    view_durable(v, head + 1);
    for (int i = 0; !view_figures(v).waits; i++) {
        assert_true(i < 60000);
        scene_wait_ms(1);
    }
    assert_int_equal(view_figures(v).position, head); /* it stops there, and says so */
    view_stop(v, 0);
    journal_close(journal);
    world_end(&w);
    scene_end(&s);
}

/* V5 */
static void test_leaves_room_for_the_journal(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    golden_story_write(&w, s.journal);
    struct view_options options = scene_options_of(&s, s.file);
    char error[256];
    options.room_bytes = UINT64_MAX;
    struct view *v = view_start(&options, error);
    assert_non_null(v);
    view_durable(v, 5);
    for (int i = 0; !view_figures(v).waits; i++) {
        assert_true(i < 60000);
        scene_wait_ms(1);
    }
    assert_int_equal(view_figures(v).position, 0);
    assert_true(view_figures(v).lag_ns > 0);
    assert_int_equal(access(s.file, F_OK), -1);
    view_stop(v, 0);
    world_end(&w);
    scene_end(&s);
}

static void test_one_writer_at_a_time(void **state)
{
    (void)state;
    struct scene s;
    struct world w;
    struct view_progress done;
    char error[512];
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    golden_story_write(&w, s.journal);
    struct view *v = scene_view(&s);
    view_durable(v, 5);
    scene_wait_for(v, 5);
    struct view_options options = scene_options_of(&s, s.file);
    assert_false(view_rebuild(&options, NULL, NULL, &done, error));
    assert_non_null(strstr(error, "another process"));
    view_stop(v, 0);
    (void)scene_rebuild(&s, s.file);
    options.journal = s.folder; /* no journal there */
    assert_false(view_rebuild(&options, NULL, NULL, &done, error));
    assert_non_null(strstr(error, "there is no journal"));
    world_end(&w);
    scene_end(&s);
}

/* ---- questions ---- */

static void test_questions_only_read(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "DELETE FROM transactions",
        "delete from transactions",
        "UPDATE accounts SET debits_posted = 0",
        "INSERT INTO messages VALUES (1, 2, 3, 'x', 'y', 4)",
        "DROP TABLE meta",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "ATTACH 'other.sqlite' AS o",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 3",
        "VACUUM",
        "BEGIN",
        "REINDEX",
        "WITH x AS (SELECT 1) DELETE FROM meta",
    };
    struct scene s;
    struct world w;
    char error[512];
    scene_start(&s, VIEW_OF_OPERATOR);
    golden_story(&w);
    golden_story_write(&w, s.journal);
    (void)scene_rebuild(&s, s.file);
    char *before = scene_dump(&s, s.file, true);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_false(view_query(s.file, refused[i], scene_print_nothing, NULL, error));
        if (strstr(error, "nothing was changed") == NULL) {
            fail_msg("%s: %s", refused[i], error);
        }
    }
    assert_false(view_query(s.file, "SELECT 1; SELECT 2", scene_print_nothing, NULL, error));
    assert_non_null(strstr(error, "one question at a time"));
    assert_false(view_query(s.file, "  ", scene_print_nothing, NULL, error));
    assert_non_null(strstr(error, "no question"));
    assert_false(view_query(s.file, "SELECT nonsense FROM meta", scene_print_nothing, NULL, error));
    assert_non_null(strstr(error, "no such column: nonsense"));
    assert_false(view_query(s.folder, "SELECT 1", scene_print_nothing, NULL, error));
    assert_int_equal(scene_number_of(s.file, "SELECT 6 * 7; -- and no more"), 42);
    assert_int_equal(scene_number_of(s.file, "PRAGMA table_info(meta)"), 0); /* column 0 */
    char *after = scene_dump(&s, s.file, true);
    assert_string_equal(before, after);
    free(before);
    free(after);
    world_end(&w);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reset_empties_the_tables),
        cmocka_unit_test(test_golden_journals_give_the_expected_tables),
        cmocka_unit_test(test_balances_are_those_of_the_book),
        cmocka_unit_test(test_requests_of_organisations),
        cmocka_unit_test(test_following_a_writer_equals_a_rebuild),
        cmocka_unit_test(test_goes_no_further_than_durable),
        cmocka_unit_test(test_kill_at_any_moment),
        cmocka_unit_test(test_useless_files_are_built_again),
        cmocka_unit_test(test_unknown_events_are_counted),
        cmocka_unit_test(test_leaves_room_for_the_journal),
        cmocka_unit_test(test_one_writer_at_a_time),
        cmocka_unit_test(test_questions_only_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
