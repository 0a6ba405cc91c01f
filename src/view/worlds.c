/*
 * worlds.c - generations and saved worlds: emptying the tables, keeping what they hold under a
 * name, and putting it back. Each table T of the contents has a twin saved_T with a column `world`
 * in front; twins are made from the tables, so that a new table needs nothing here but its name.
 * Tests: tests/unit/test_view.c (golden journals), tests/e2e/140-view.sh.
 */
#include <stdio.h>
#include <string.h>

#include "view/internal.h"

enum { SQL_MAX = 4096 };

/* The columns of a table that are stored (not those that are computed), with commas. */
static bool columns_of(struct store *s, const char *table, char out[1024])
{
    char sql[128];
    sqlite3_stmt *row = NULL;
    (void)snprintf(sql, sizeof(sql), "SELECT group_concat(name) FROM pragma_table_info('%s')",
                   table);
    int size = 0;
    if (sqlite3_prepare_v2(s->db, sql, -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW && sqlite3_column_bytes(row, 0) > 0) {
        size = snprintf(out, 1024, "%s", (const char *)sqlite3_column_text(row, 0));
    }
    (void)sqlite3_finalize(row);
    return size > 0 && size < 1024;
}

/* The SQL of a pattern: @T is the table, @C its columns, @W the world. */
static void expand(char out[SQL_MAX], const char *pattern, const char *table, const char *columns,
                   int64_t world)
{
    char digits[24];
    struct writer w = writer_init(out, SQL_MAX);
    (void)snprintf(digits, sizeof(digits), "%lld", (long long)world);
    for (const char *c = pattern; *c != '\0'; c++) {
        const char *word = NULL;
        if (*c == '@') {
            c++;
            word = *c == 'T' ? table : *c == 'C' ? columns : digits;
        }
        put_raw(&w, word == NULL ? c : word, word == NULL ? 1 : strlen(word));
    }
    put_u8(&w, '\0');
    CHECK(!w.overflow);
}

/* Runs the pattern for each table of the contents. */
static bool each_table(struct store *s, const char *pattern, int64_t world)
{
    for (uint32_t i = 0; i < s->of->contents_count; i++) {
        char columns[1024];
        char sql[SQL_MAX];
        if (!columns_of(s, s->of->contents[i], columns)) {
            return store_fail(s, SQLITE_CORRUPT);
        }
        expand(sql, pattern, s->of->contents[i], columns, world);
        if (!store_execute(s, sql)) {
            return false;
        }
        s->rows += (uint64_t)sqlite3_changes(s->db);
    }
    return true;
}

bool store_make_twins(struct store *s)
{
    return each_table(s,
                      "CREATE TABLE saved_@T AS SELECT @W AS world, @C FROM @T WHERE 0;"
                      "CREATE INDEX saved_@T_by_world ON saved_@T (world)",
                      0);
}

void projection_empty(struct projection *p)
{
    (void)each_table(p->store, "DELETE FROM @T", 0);
}

/* The rows of worlds that have no name any more. */
static void forget(struct projection *p)
{
    (void)each_table(p->store, "DELETE FROM saved_@T WHERE world NOT IN (SELECT world FROM worlds)",
                     0);
}

static void save(struct projection *p, struct span name)
{
    (void)RUN(p->store, WORLD_ADD, text_of(name), number(p->frame.position), text(p->at),
              number(p->frame.position));
    (void)each_table(p->store, "INSERT INTO saved_@T (world, @C) SELECT @W, @C FROM @T ORDER BY 2",
                     (int64_t)p->frame.position);
}

static void restore(struct projection *p, struct span name)
{
    sqlite3_stmt *row = NULL;
    int64_t world = -1;
    if (p->store->code != SQLITE_OK) {
        return;
    }
    if (sqlite3_prepare_v2(p->store->db, "SELECT world FROM worlds WHERE name = ?1", -1, &row,
                           NULL) == SQLITE_OK) {
        (void)sqlite3_bind_text(row, 1, name.data, (int)name.size, SQLITE_STATIC);
        world = sqlite3_step(row) == SQLITE_ROW ? sqlite3_column_int64(row, 0) : -1;
    }
    (void)sqlite3_finalize(row);
    if (world < 0) {
        (void)store_fail(p->store, SQLITE_CORRUPT); /* the journal has it, this file has not */
        return;
    }
    projection_empty(p);
    (void)each_table(
        p->store, "INSERT INTO @T (@C) SELECT @C FROM saved_@T WHERE world = @W ORDER BY 1", world);
}

bool projection_world(struct projection *p, uint16_t kind, struct reader *body)
{
    struct span from = SPAN_EMPTY;
    if (kind == EVENT_WORLD_COPIED) {
        from = get_text(body);
    } else if (kind == EVENT_WORLD_RESTORED) {
        p->generation = get_u64(body);
        (void)get_i64(body); /* the time that frames go on from */
    }
    struct span name = get_text(body);
    if (!reader_done(body)) {
        return false;
    }
    switch (kind) {
    case EVENT_WORLD_SAVED: save(p, name); break;
    case EVENT_WORLD_COPIED: (void)RUN(p->store, WORLD_COPY, text_of(from), text_of(name)); break;
    case EVENT_WORLD_REMOVED:
        (void)RUN(p->store, WORLD_REMOVE, text_of(name));
        forget(p);
        break;
    default: restore(p, name); break;
    }
    return true;
}
