/*
 * query.c - questions to the view: one statement, reading only. Three things keep it so: the file
 * is opened for reading, SQLite is told to refuse everything but reading while it prepares the
 * statement, and a second statement behind the first is refused.
 * Tests: tests/unit/test_view.c, tests/e2e/140-view.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view/internal.h"

struct view_reader {
    sqlite3 *db;
    bool wants_more; /* the statement wants more than reading */
};

/* What a reader may do: read, call functions, and ask what there is. */
static int permit(void *context, int action, const char *first, const char *second,
                  const char *database, const char *trigger)
{
    struct view_reader *q = context;
    (void)second;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
    case SQLITE_FUNCTION: return SQLITE_OK;
    case SQLITE_PRAGMA:
        if (first != NULL && strncmp(first, "table_", 6) == 0) {
            return SQLITE_OK;
        }
        break;
    default: break;
    }
    q->wants_more = true;
    return SQLITE_DENY;
}

static bool refuse(char error[512], const char *words)
{
    (void)snprintf(error, 512, "%s", words);
    return false;
}

static bool prepare(struct view_reader *q, const char *sql, sqlite3_stmt **out, char error[512])
{
    const char *rest = NULL;
    int code = sqlite3_prepare_v2(q->db, sql, -1, out, &rest);
    if (q->wants_more || (*out != NULL && sqlite3_stmt_readonly(*out) == 0)) {
        return refuse(error, "this would change something, or do something else than read. The "
                             "view only repeats what the journal says, so it is only ever read; "
                             "nothing was changed. To change the book, use its API");
    }
    if (code != SQLITE_OK) {
        (void)snprintf(error, 512, "%.400s", sqlite3_errmsg(q->db));
        return false;
    }
    if (*out == NULL) {
        return refuse(error, "there is no question in it");
    }
    sqlite3_stmt *second = NULL;
    code = sqlite3_prepare_v2(q->db, rest, -1, &second, NULL);
    bool alone = code == SQLITE_OK && second == NULL && !q->wants_more;
    (void)sqlite3_finalize(second);
    return alone || refuse(error, "one question at a time: something follows the first");
}

static void read_cell(sqlite3_stmt *row, int column, struct view_cell *out)
{
    memset(out, 0, sizeof(*out));
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL: return;
    case SQLITE_INTEGER:
        out->kind = VIEW_INTEGER;
        out->integer = sqlite3_column_int64(row, column);
        break;
    case SQLITE_FLOAT: out->kind = VIEW_REAL; break;
    case SQLITE_BLOB: out->kind = VIEW_BLOB; break;
    default: out->kind = VIEW_TEXT; break;
    }
    out->data = out->kind == VIEW_BLOB ? sqlite3_column_blob(row, column)
                                       : (const char *)sqlite3_column_text(row, column);
    out->size = (uint64_t)sqlite3_column_bytes(row, column);
}

static bool answer(struct view_reader *q, sqlite3_stmt *statement, view_row_fn row, void *context,
                   char error[512])
{
    int count = sqlite3_column_count(statement);
    const char **names = calloc((size_t)count + 1, sizeof(*names));
    struct view_cell *cells = calloc((size_t)count + 1, sizeof(*cells));
    int code = names == NULL || cells == NULL ? SQLITE_NOMEM : SQLITE_ROW;
    for (int i = 0; i < count && code == SQLITE_ROW; i++) {
        names[i] = sqlite3_column_name(statement, i);
        code = names[i] == NULL ? SQLITE_NOMEM : code;
    }
    bool wanted = code == SQLITE_ROW && row(context, names, NULL, (uint32_t)count);
    while (wanted && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < count; i++) {
            read_cell(statement, i, &cells[i]);
        }
        wanted = row(context, names, cells, (uint32_t)count);
    }
    free(names);
    free(cells);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        (void)snprintf(error, 512, "%.400s",
                       code == SQLITE_NOMEM ? "out of memory" : sqlite3_errmsg(q->db));
        return false;
    }
    return true;
}

struct view_reader *view_open(const char *file, char error[512])
{
    struct view_reader *q = calloc(1, sizeof(*q));
    if (q == NULL) {
        (void)refuse(error, "out of memory");
        return NULL;
    }
    int code = sqlite3_open_v2(file, &q->db, SQLITE_OPEN_READONLY, NULL);
    if (code != SQLITE_OK) {
        (void)snprintf(error, 512, "cannot open %.300s: %s", file, sqlite3_errstr(code));
        view_close(q);
        return NULL;
    }
    (void)sqlite3_busy_timeout(q->db, 5000);
    /* The first read of a transaction fixes what all of them see. */
    if (sqlite3_exec(q->db, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) !=
        SQLITE_OK) {
        (void)snprintf(error, 512, "%.400s", sqlite3_errmsg(q->db));
        view_close(q);
        return NULL;
    }
    (void)sqlite3_set_authorizer(q->db, permit, q);
    return q;
}

bool view_ask(struct view_reader *q, const char *sql, view_row_fn row, void *context,
              char error[512])
{
    sqlite3_stmt *statement = NULL;
    q->wants_more = false;
    bool good = prepare(q, sql, &statement, error) && answer(q, statement, row, context, error);
    (void)sqlite3_finalize(statement);
    return good;
}

void view_close(struct view_reader *q)
{
    if (q != NULL) {
        (void)sqlite3_close(q->db);
        free(q);
    }
}

bool view_query(const char *file, const char *sql, view_row_fn row, void *context, char error[512])
{
    struct view_reader *q = view_open(file, error);
    bool good = q != NULL && view_ask(q, sql, row, context, error);
    view_close(q);
    return good;
}
