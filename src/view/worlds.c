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

/* ---- worlds of other journals ---- */

enum { ASIDE = -1 }; /* in place of a world: what the tables hold while another one is built */

bool projection_import(struct projection *p, uint16_t kind, struct reader *body)
{
    struct span name = SPAN_EMPTY;
    int64_t time_ns = 0;
    uint16_t cause = 0;
    if (kind != EVENT_WORLD_IMPORT_FRAME) {
        name = get_text(body);
    }
    if (kind != EVENT_WORLD_IMPORTED) {
        time_ns = get_i64(body);
    }
    if (kind == EVENT_WORLD_IMPORT_FRAME) {
        cause = get_u16(body);
    }
    if (body->bad || name.size >= sizeof(p->imported)) {
        return false;
    }
    struct span events = {(const char *)body->data + body->at, body->size - body->at};
    if (kind == EVENT_WORLD_IMPORTED) {
        memcpy(p->imported, name.data, name.size);
        p->imported[name.size] = '\0';
        return true;
    }
    if (kind == EVENT_WORLD_IMPORT_BEGUN) {
        events = SPAN_EMPTY;
        (void)RUN(p->store, IMPORT_FORGET, number(p->frame.position));
    }
    (void)RUN(p->store, IMPORT_PART, number(p->frame.position), integer(time_ns), integer(cause),
              bytes_of(events));
    return true;
}

/* One kept decision; the first row only says when the world was saved. */
static bool build_part(struct projection *p, sqlite3_stmt *row,
                       bool (*events)(struct projection *p, struct frame_reader *frame))
{
    struct span bytes = store_bytes(row, 3);
    struct frame_reader f = {{(uint64_t)sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
                              (uint16_t)sqlite3_column_int64(row, 2)},
                             reader_init(bytes.data, bytes.size)};
    p->frame = f.info;
    if (!caltime_in_range(f.info.time_ns)) {
        return false;
    }
    (void)rfc3339_format(f.info.time_ns, p->at);
    return f.info.cause == 0 || events(p, &f);
}

static bool build(struct projection *p,
                  bool (*events)(struct projection *p, struct frame_reader *frame),
                  char saved_at[RFC3339_SIZE])
{
    sqlite3_stmt *row = NULL;
    bool good = sqlite3_prepare_v2(p->store->db,
                                   "SELECT position, time_ns, cause, events FROM import_parts"
                                   " ORDER BY position",
                                   -1, &row, NULL) == SQLITE_OK;
    for (bool first = true; good && sqlite3_step(row) == SQLITE_ROW; first = false) {
        good = build_part(p, row, events);
        if (first) {
            memcpy(saved_at, p->at, RFC3339_SIZE);
        }
    }
    (void)sqlite3_finalize(row);
    return good;
}

/* Builds it in the tables of the present, which are put aside meanwhile; all in one transaction. */
bool projection_imported(struct projection *p,
                         bool (*events)(struct projection *p, struct frame_reader *frame))
{
    struct projection present = *p;
    char saved_at[RFC3339_SIZE] = "";
    (void)each_table(p->store, "INSERT INTO saved_@T (world, @C) SELECT @W, @C FROM @T ORDER BY 2",
                     ASIDE);
    projection_empty(p);
    bool good = build(p, events, saved_at);
    *p = present;
    memcpy(p->at, saved_at, sizeof(p->at));
    save(p, span_from(p->imported));
    memcpy(p->at, present.at, sizeof(p->at));
    p->imported[0] = '\0';
    projection_empty(p);
    (void)each_table(
        p->store, "INSERT INTO @T (@C) SELECT @C FROM saved_@T WHERE world = @W ORDER BY 1", ASIDE);
    forget(p); /* what was put aside, which no world names */
    (void)RUN(p->store, IMPORT_FORGET, number(p->frame.position));
    return good;
}
