/*
 * store.c - the view's SQLite file: opened or made, its statements, and the SQL transaction.
 *
 * WAL, so that anybody reads while the view is written; synchronous=NORMAL: after a power cut the
 * file is sound and perhaps a little older, and the view goes on from the position that is in it.
 * After the first failure every call does nothing and gives false until the file is opened again.
 * Tests: tests/unit/test_view.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "view/internal.h"

static const char *const STATEMENTS[] = {
#define X(name, sql) sql,
    COMMON_STATEMENTS(X) OPERATOR_STATEMENTS(X) MERCHANT_STATEMENTS(X)
#undef X
};

static const char SETTINGS[] = "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = NORMAL;"
                               "PRAGMA wal_autocheckpoint = 4000;"
                               "PRAGMA cache_size = -32768;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA trusted_schema = OFF;";

const struct book_view *book_view(enum view_book book)
{
    static const struct book_view *const all[] = {
        [VIEW_OF_OPERATOR] = &book_view_operator, [VIEW_OF_MERCHANT] = &book_view_merchant};
    CHECK((size_t)book < sizeof(all) / sizeof(all[0]));
    return all[book];
}

const char *view_book_name(enum view_book book)
{
    return book_view(book)->book;
}

const char *view_file_name(enum view_book book)
{
    return book_view(book)->file;
}

bool store_fail(struct store *s, int code)
{
    if (s->code == SQLITE_OK) {
        s->code = code;
        (void)snprintf(s->error, sizeof(s->error), "%.200s",
                       s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
    }
    return false;
}

bool store_is_damaged(int code)
{
    int primary = code & 0xff;
    /* The projection writes nothing that a sound view of this schema does not take. */
    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_CONSTRAINT ||
           primary == SQLITE_MISMATCH || primary == SQLITE_ERROR || primary == SQLITE_SCHEMA;
}

/* What the rows of this program mean: its schema, its version and the events that it knows. */
static uint64_t store_fingerprint(const struct store *s)
{
    struct span schema = s->of->schema();
    uint64_t print = hash_bytes(schema.data, schema.size, VIEW_VERSION);
    for (uint16_t kind = s->of->first_event; kind <= s->of->last_event; kind++) {
        const char *name = s->of->event_name(kind);
        print = name == NULL ? print : hash_bytes(name, strlen(name), print + kind);
    }
    return print;
}

bool store_execute(struct store *s, const char *sql)
{
    int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || store_fail(s, code);
}

/* One number from a question; false when it gives none. */
static bool store_ask(struct store *s, const char *sql, int64_t *out)
{
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(s->db, sql, -1, &row, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(row);
        *out = code == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        (void)store_fail(s, sqlite3_extended_errcode(s->db));
    }
    (void)sqlite3_finalize(row);
    return code == SQLITE_ROW;
}

static bool store_create(struct store *s)
{
    struct span schema = s->of->schema();
    char *sql = malloc(schema.size + 1);
    char meta[256];
    if (sql == NULL) {
        return store_fail(s, SQLITE_NOMEM);
    }
    memcpy(sql, schema.data, schema.size);
    sql[schema.size] = '\0';
    (void)snprintf(meta, sizeof(meta),
                   "INSERT INTO meta VALUES ('schema_version', %d), ('fingerprint', %lld);"
                   "COMMIT",
                   VIEW_VERSION, (long long)store_fingerprint(s));
    bool good = store_execute(s, "BEGIN IMMEDIATE") && store_execute(s, sql) &&
                store_make_twins(s) && store_execute(s, meta);
    free(sql);
    return good;
}

static bool is_of(const struct book_view *of, int statement)
{
    return statement < STATEMENT_COMMON_END ||
           (statement >= (int)of->first_statement && statement < (int)of->end_statement);
}

static bool store_prepare(struct store *s)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        if (!is_of(s->of, i)) {
            continue;
        }
        int code = sqlite3_prepare_v3(s->db, STATEMENTS[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &s->statements[i], NULL);
        if (code != SQLITE_OK) {
            return store_fail(s, code);
        }
    }
    return true;
}

/* A file of our own, empty or filled; other people's rights are none. */
static bool store_attach(struct store *s, const char *file)
{
    int descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        s->code = SQLITE_CANTOPEN;
        (void)snprintf(s->error, sizeof(s->error), "%.200s", strerror(errno));
        return false;
    }
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* nobody asks for it; refused later on */
    (void)close(descriptor); /* before SQLite holds a lock that this would give up */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(file, &s->db, flags, NULL);
    if (code != SQLITE_OK) {
        return store_fail(s, code);
    }
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, 2000);
    return store_execute(s, SETTINGS);
}

enum store_opening store_open(struct store *s, const struct book_view *of, const char *file)
{
    int64_t tables = 0;
    int64_t print = 0;
    memset(s, 0, sizeof(*s));
    s->of = of;
    if (!store_attach(s, file) || !store_ask(s, "SELECT count(*) FROM sqlite_schema", &tables)) {
        return store_is_damaged(s->code) ? STORE_FOREIGN : STORE_FAILED;
    }
    if (tables == 0 && !store_create(s)) {
        return STORE_FAILED;
    }
    bool told = store_ask(s, "SELECT value FROM meta WHERE name = 'fingerprint'", &print);
    if (!told && s->code == SQLITE_OK) {
        (void)snprintf(s->error, sizeof(s->error), "it is not a view");
        return STORE_FOREIGN;
    }
    if (told && (uint64_t)print != store_fingerprint(s)) {
        (void)snprintf(s->error, sizeof(s->error), "another version of hakika wrote it");
        return STORE_FOREIGN;
    }
    if (!told || !store_prepare(s)) {
        return store_is_damaged(s->code) ? STORE_FOREIGN : STORE_FAILED;
    }
    return STORE_READY;
}

void store_close(struct store *s)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        (void)sqlite3_finalize(s->statements[i]);
    }
    (void)sqlite3_close(s->db);
    memset(s, 0, sizeof(*s));
}

bool store_discard(const char *file)
{
    /* The file first: SQLite ignores a -wal whose file is gone, but not a file without its -wal. */
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        char path[4096];
        int size = snprintf(path, sizeof(path), "%s%s", file, endings[i]);
        if (size >= (int)sizeof(path)) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (unlink(path) != 0 && errno != ENOENT) {
            return false;
        }
    }
    return true;
}

/* ---- statements ---- */

static void store_bind(sqlite3_stmt *statement, const struct value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int at = (int)i + 1;
        const struct value *v = &values[i];
        switch (v->kind) {
        case VALUE_NULL: (void)sqlite3_bind_null(statement, at); break;
        case VALUE_INTEGER: (void)sqlite3_bind_int64(statement, at, v->integer); break;
        case VALUE_TEXT:
            (void)sqlite3_bind_text(statement, at, v->text.size == 0 ? "" : v->text.data,
                                    (int)v->text.size, SQLITE_STATIC);
            break;
        case VALUE_BLOB:
            (void)sqlite3_bind_blob(statement, at, v->text.size == 0 ? "" : v->text.data,
                                    (int)v->text.size, SQLITE_STATIC);
            break;
        }
    }
}

bool store_run(struct store *s, enum statement which, const struct value *values, uint32_t count)
{
    sqlite3_stmt *statement = s->statements[which];
    if (s->code != SQLITE_OK) {
        return false;
    }
    CHECK((int)count == sqlite3_bind_parameter_count(statement));
    store_bind(statement, values, count);
    int code = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    if (code != SQLITE_DONE) {
        return store_fail(s, code);
    }
    s->rows++;
    return true;
}

sqlite3_stmt *store_look(struct store *s, enum statement which, int64_t key)
{
    sqlite3_stmt *row = s->statements[which];
    if (s->code != SQLITE_OK) {
        return NULL;
    }
    (void)sqlite3_bind_int64(row, 1, key);
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW) {
        return row;
    }
    (void)sqlite3_reset(row);
    if (code != SQLITE_DONE) {
        (void)store_fail(s, code);
    }
    return NULL;
}

void store_done(sqlite3_stmt *row)
{
    (void)sqlite3_reset(row);
}

struct span store_text(sqlite3_stmt *row, int column)
{
    struct span out = {(const char *)sqlite3_column_text(row, column), 0};
    out.size = out.data == NULL ? 0 : (size_t)sqlite3_column_bytes(row, column);
    return out;
}

struct span store_bytes(sqlite3_stmt *row, int column)
{
    struct span out = {sqlite3_column_blob(row, column), 0};
    out.size = out.data == NULL ? 0 : (size_t)sqlite3_column_bytes(row, column);
    return out;
}

bool store_begin(struct store *s)
{
    CHECK(!s->open);
    s->open = store_run(s, STATEMENT_BEGIN, NULL, 0);
    return s->open;
}

bool store_commit(struct store *s)
{
    CHECK(s->open);
    s->open = !store_run(s, STATEMENT_COMMIT, NULL, 0);
    return !s->open;
}

void store_rollback(struct store *s)
{
    if (s->open) {
        (void)sqlite3_step(s->statements[STATEMENT_ROLLBACK]);
        (void)sqlite3_reset(s->statements[STATEMENT_ROLLBACK]);
        s->open = false;
    }
}
