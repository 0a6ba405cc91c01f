/*
 * view_rig.c - see view_rig.h.
 */
#include "support/view_rig.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "book/book.h"
#include "support/random.h"

enum { PATH_BYTES = FOLDER_PATH_MAX, BUFFER_BYTES = 1024 * 1024 };

static const char *const OPERATOR[] = {"meta",
                                       "organisations",
                                       "subscribers",
                                       "accounts",
                                       "transactions",
                                       "prompts",
                                       "entries",
                                       "holds",
                                       "callbacks",
                                       "deliveries",
                                       "messages",
                                       "organisation_balances",
                                       "subscriber_balances",
                                       "requests",
                                       "rulings",
                                       "rules",
                                       "validations",
                                       "worlds",
                                       "saved_transactions",
                                       "saved_accounts",
                                       "saved_entries",
                                       NULL};

static const char *const MERCHANT[] = {"meta",
                                       "merchants",
                                       "api_keys",
                                       "providers",
                                       "webhook_endpoints",
                                       "transactions",
                                       "moves",
                                       "notices",
                                       "receipts",
                                       "discrepancies",
                                       "refund_proposals",
                                       "events",
                                       "webhooks",
                                       "outgoing",
                                       "attempts",
                                       "entries",
                                       "holds",
                                       "accounts",
                                       "shadow_calls",
                                       "worlds",
                                       "balances",
                                       "reconciliations",
                                       "saved_transactions",
                                       NULL};

/* By book. */
static const char *const *const TABLES[] = {OPERATOR, MERCHANT};

void scene_start(struct scene *s, enum view_book book)
{
    s->book = book;
    folder_make(s->folder);
    (void)snprintf(s->journal, sizeof(s->journal), "%s/%s", s->folder, view_book_name(book));
    (void)snprintf(s->file, sizeof(s->file), "%s/%s", s->folder, view_file_name(book));
    (void)snprintf(s->other, sizeof(s->other), "%s/other.sqlite", s->folder);
}

void scene_end(const struct scene *s)
{
    folder_remove(s->folder);
}

struct view_options scene_options_of(const struct scene *s, const char *file)
{
    return (struct view_options){
        .book = s->book, .journal = s->journal, .file = file, .room_bytes = 1};
}

struct view_progress scene_rebuild(const struct scene *s, const char *file)
{
    struct view_options options = scene_options_of(s, file);
    struct view_progress done;
    char error[512];
    bool good = view_rebuild(&options, NULL, NULL, &done, error);
    if (!good) {
        fail_msg("%s", error);
    }
    return done;
}

/* ---- a view as text ---- */

static bool print_row(void *context, const char *const *names, const struct view_cell *row,
                      uint32_t count)
{
    FILE *out = context;
    for (uint32_t i = 0; i < count; i++) {
        const char *word = row == NULL ? names[i] : row[i].data == NULL ? "-" : row[i].data;
        (void)fprintf(out, "%s%s", i == 0 ? "" : "|", word);
    }
    (void)fprintf(out, "\n");
    return true;
}

bool scene_print_nothing(void *context, const char *const *names, const struct view_cell *row,
                         uint32_t count)
{
    (void)context;
    (void)names;
    (void)row;
    (void)count;
    return true;
}

void scene_ask(const char *file, const char *sql, FILE *out)
{
    char error[512];
    if (!view_query(file, sql, print_row, out, error)) {
        fail_msg("%s: %s", sql, error);
    }
}

/* Every row of every table. with_meta: also what is different for each file or program. */
char *scene_dump(const struct scene *s, const char *file, bool with_meta)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    const char *const *tables = TABLES[s->book];
    for (size_t i = 0; tables[i] != NULL; i++) {
        char sql[200];
        bool narrow = i == 0 && !with_meta;
        (void)snprintf(sql, sizeof(sql), "SELECT * FROM %s %s ORDER BY 1, 2", tables[i],
                       narrow ? "WHERE name <> 'fingerprint'" : "");
        (void)fprintf(out, "== %s\n", tables[i]);
        scene_ask(file, sql, out);
    }
    (void)fclose(out);
    return text;
}

void assert_equal_views(const struct scene *s, const char *a, const char *b)
{
    char *left = scene_dump(s, a, true);
    char *right = scene_dump(s, b, true);
    assert_string_equal(left, right);
    free(left);
    free(right);
}

int64_t scene_number_of(const char *file, const char *sql)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    scene_ask(file, sql, out);
    (void)fclose(out);
    const char *value = strchr(text, '\n');
    assert_non_null(value);
    int64_t n = strtoll(value + 1, NULL, 10);
    free(text);
    return n;
}

/* ---- a view beside a writer ---- */

struct view *scene_view(const struct scene *s)
{
    struct view_options options = scene_options_of(s, s->file);
    char error[256];
    struct view *v = view_start(&options, error);
    assert_non_null(v);
    return v;
}

void scene_wait_ms(long ms)
{
    struct timespec pause = {0, ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

void scene_wait_for(struct view *v, uint64_t position)
{
    for (int i = 0; view_figures(v).position != position; i++) {
        assert_true(i < 60000);
        scene_wait_ms(1);
    }
}

/* The file as a running view makes it of a whole journal. */
void scene_catch_up(const struct scene *s, uint64_t position)
{
    struct view *v = scene_view(s);
    view_durable(v, position);
    scene_wait_for(v, position);
    assert_int_equal(view_figures(v).lag_ns, 0);
    view_stop(v, 0);
}

struct journal *scene_open_writer(const struct scene *s)
{
    struct journal *journal = NULL;
    struct journal_error error;
    struct journal_options options = {.directory = s->journal, .segment_bytes_max = 1 << 20};
    (void)snprintf(options.book, sizeof(options.book), "%s", view_book_name(s->book));
    memset(options.identity, 7, sizeof(options.identity));
    assert_int_equal(journal_open(&options, &journal, &error), JOURNAL_OK);
    return journal;
}

/* Appends so many of the frames as one batch. */
void scene_append(struct journal *journal, struct reader *frames, uint32_t count)
{
    struct journal_head head = journal_head(journal);
    struct journal_error error;
    uint8_t *buffer = aligned_alloc(JOURNAL_BLOCK_BYTES, BUFFER_BYTES);
    struct journal_batch batch = {
        .buffer = buffer, .capacity = BUFFER_BYTES, .first_position = head.position + 1};
    struct frame_reader frame;
    size_t from = frames->at;
    assert_non_null(buffer);
    for (; batch.frame_count < count && frame_next(frames, &frame); batch.frame_count++) {
        batch.time_ns = frame.info.time_ns;
    }
    batch.payload_size = frames->at - from;
    memcpy(buffer + JOURNAL_BATCH_HEADER_BYTES, frames->data + from, batch.payload_size);
    assert_int_equal(journal_append(journal, &batch, head.hash, &error), JOURNAL_OK);
    free(buffer);
}

/* ---- golden journals ---- */

/* tests/REST in the source. */
static void source_path(const char *rest, char out[PATH_BYTES])
{
    const char *root = getenv("HAKIKA_SOURCE_ROOT");
    assert_non_null(root); /* script/test sets it */
    (void)snprintf(out, PATH_BYTES, "%s/tests/%s", root, rest);
}

static void assert_expected(const struct scene *s, const char *name, const char *file)
{
    char rest[128];
    char path[PATH_BYTES];
    char *text = scene_dump(s, file, false);
    const char *keep = getenv("HAKIKA_VIEW_OUT");
    (void)snprintf(rest, sizeof(rest), "view/%s", name);
    source_path(rest, path);
    if (keep != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", keep, name);
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        (void)fputs(text, out);
        (void)fclose(out);
    }
    char *expected = folder_read(path);
    if (strcmp(text, expected) != 0) {
        size_t at = 0;
        while (text[at] == expected[at]) {
            at++;
        }
        fail_msg("the view differs from tests/%s at byte %zu: %.120s instead of %.120s", rest, at,
                 text + at, expected + at);
    }
    free(text);
    free(expected);
}

void assert_golden_view(enum view_book book, const char *name, uint64_t position,
                        const char *tables)
{
    struct scene s;
    char rest[64];
    char path[PATH_BYTES];
    scene_start(&s, book);
    (void)snprintf(rest, sizeof(rest), "golden/%s", name);
    source_path(rest, path);
    folder_unpack(path, s.journal);
    if (position != 0) {
        scene_catch_up(&s, position);
    } else {
        assert_int_equal(scene_rebuild(&s, s.file).skipped, 0);
    }
    assert_expected(&s, tables, s.file);
    scene_end(&s);
}

/* ---- while it is written ---- */

void following_equals_a_rebuild(const struct scene *s, const uint8_t *bytes, size_t size)
{
    struct test_random random = random_from(20);
    struct reader frames = reader_init(bytes, size);
    struct journal *journal = scene_open_writer(s);
    struct view *v = scene_view(s);
    while (frames.at < frames.size) {
        scene_append(journal, &frames, 1 + random_below(&random, 12));
        uint64_t position = journal_head(journal).position;
        view_durable(v, position);
        if (random_below(&random, 4) == 0) {
            scene_wait_for(v, position);
        }
        if (random_below(&random, 16) == 0) {
            view_stop(v, random_below(&random, 2) == 0 ? 0 : 30000);
            v = scene_view(s);
        }
    }
    view_stop(v, 30000); /* takes in what it was told about */
    (void)scene_rebuild(s, s->other);
    assert_equal_views(s, s->file, s->other);
    assert_int_equal(scene_number_of(s->file, VIEW_POSITION), journal_head(journal).position);
    journal_close(journal);
}

/* The process that is killed: a view, and how far it has got, told in shared memory. (The parent
 * could ask the file; a thousand times a second that costs more than the view does.) */
static _Noreturn void follow_and_tell(const struct scene *s, uint64_t head, atomic_ulong *reached)
{
    struct view_options options = scene_options_of(s, s->file);
    char error[256];
    options.rows_per_commit = 1; /* a commit for each frame */
    struct view *v = view_start(&options, error);
    if (v != NULL) {
        view_durable(v, head);
    }
    for (;;) {
        atomic_store(reached, v != NULL ? view_figures(v).position : 0);
        scene_wait_ms(1);
    }
}

void kills_change_nothing(const struct scene *s, uint64_t head)
{
    struct test_random random = random_from(3);
    uint32_t partly = 0;
    atomic_ulong *reached =
        mmap(NULL, sizeof(*reached), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(reached, MAP_FAILED);
    (void)scene_rebuild(s, s->other);
    for (int round = 0; round < 9; round++) {
        int64_t from = access(s->file, F_OK) == 0 ? scene_number_of(s->file, VIEW_POSITION) : 0;
        uint64_t target = (uint64_t)from + 1 + random_below(&random, 150);
        atomic_store(reached, 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            follow_and_tell(s, head, reached);
        }
        for (int i = 0; atomic_load(reached) < target && atomic_load(reached) < head; i++) {
            assert_true(i < 60000);
            scene_wait_ms(1);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        int64_t at = scene_number_of(s->file, VIEW_POSITION);
        assert_true(at >= from);
        partly += at > 0 && at < (int64_t)head;
        if (round % 3 == 2) {
            scene_catch_up(s, head);
            assert_equal_views(s, s->file, s->other);
            assert_int_equal(unlink(s->file), 0);
        }
    }
    assert_true(partly > 2);
    assert_int_equal(munmap(reached, sizeof(*reached)), 0);
}
