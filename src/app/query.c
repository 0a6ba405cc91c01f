/*
 * query.c - hakika query: one question in SQL to the view, printed as a table, JSON or CSV.
 *
 * Guarantees: rows go to standard output and nothing else does; JSON and CSV are printed row by
 * row, whatever their number; a table keeps up to TABLE_BYTES_MAX to find the widths of its
 * columns, and says so when it has to cut.
 * Tests: tests/e2e/140-view.sh.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/rows.h"
#include "app/view.h"
#include "base/check.h"
#include "view/view.h"
#include "wire/json.h"

enum {
    COLUMNS_MAX = 256,
    CELL_WIDTH_MAX = 200, /* of a table; longer ones are cut with three dots */
    TABLE_BYTES_MAX = 64 * 1024 * 1024,
};

enum form { FORM_TABLE, FORM_JSON, FORM_CSV };

struct query_arguments {
    bool has_book;
    enum view_book book;
    const char *data;
    const char *sql;
    enum form form;
};

/* A table that waits for its widths: cells one behind the other, each ended by NUL. */
struct text_table {
    char *text;
    size_t size;
    size_t capacity;
    uint32_t columns;
    uint64_t rows;
    uint32_t widths[COLUMNS_MAX];
    bool right[COLUMNS_MAX]; /* only numbers */
    bool cut;                /* rows were left out */
};

static const char QUERY_HELP[] =
    "hakika query [DIR] \"select ...\" [--book BOOK] [--json | --csv]: asks the SQL view of the\n"
    "data folder DIR (default: hakika-data) one question, also while a server runs.\n"
    "\n"
    "  --book operator|merchant  whose view (default: the operator's when there is one, else the\n"
    "                            merchant's)\n"
    "  --json  an array with an object for each row\n"
    "  --csv   a line for each row, columns named in the first (RFC 4180)\n"
    "\n"
    "Of the operator: transactions, requests, entries, holds, callbacks, deliveries, prompts,\n"
    "accounts, subscribers, organisations, organisation_balances, subscriber_balances, ...\n"
    "Of the merchant: payments, payouts, refunds, moves, notices, receipts, discrepancies,\n"
    "events, webhooks, outgoing, attempts, entries, holds, accounts, balances,\n"
    "reconciliations, ...\n"
    "Amounts are in cents. What the columns mean:\n"
    "  hakika query \"select sql from sqlite_schema\"\n"
    "Exit status: 0 answered, 1 not (the message says why), 2 wrong arguments.\n";

/* ---- a table ---- */

/* How many characters UTF-8 text shows: bytes that do not continue one. */
static uint32_t text_width(const char *text)
{
    uint32_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

/* Cuts what is too long, and makes one line of it. */
static bool text_table_put(struct text_table *t, uint32_t column, const char *data, uint64_t size)
{
    bool cut = size > CELL_WIDTH_MAX;
    uint64_t kept = cut ? CELL_WIDTH_MAX - 3 : size;
    while (cut && kept > 0 && ((unsigned char)data[kept] & 0xc0) == 0x80) {
        kept--; /* not within a character */
    }
    if (t->capacity - t->size < kept + 4) {
        size_t capacity = t->capacity == 0 ? 64 * 1024 : t->capacity * 2;
        char *larger = capacity > TABLE_BYTES_MAX ? NULL : realloc(t->text, capacity);
        if (larger == NULL) {
            return false;
        }
        t->text = larger;
        t->capacity = capacity;
    }
    char *cell = t->text + t->size;
    for (uint64_t i = 0; i < kept; i++) {
        cell[i] = (unsigned char)data[i] < ' ' ? ' ' : data[i];
    }
    memcpy(cell + kept, "...", 3);
    size_t length = (size_t)kept + (cut ? 3 : 0);
    cell[length] = '\0';
    t->size += length + 1;
    uint32_t width = text_width(cell);
    t->widths[column] = width > t->widths[column] ? width : t->widths[column];
    return true;
}

static bool text_table_row(void *context, const char *const *names, const struct view_cell *row,
                           uint32_t count)
{
    struct text_table *t = context;
    size_t before = t->size;
    t->columns = count < COLUMNS_MAX ? count : COLUMNS_MAX;
    for (uint32_t i = 0; i < t->columns; i++) {
        const char *data = row == NULL ? names[i] : row[i].data;
        uint64_t size = row == NULL ? strlen(names[i]) : row[i].size;
        if (row == NULL) {
            t->right[i] = true;
        } else {
            t->right[i] = t->right[i] && row[i].kind != VIEW_TEXT && row[i].kind != VIEW_BLOB;
        }
        if (!text_table_put(t, i, data, size)) {
            t->size = before;
            t->cut = true;
            return false;
        }
    }
    t->rows++;
    return true;
}

static void text_table_print(const struct text_table *t)
{
    const char *cell = t->text;
    for (uint64_t r = 0; r < t->rows; r++) {
        for (uint32_t i = 0; i < t->columns; i++) {
            int fill = (int)(t->widths[i] - text_width(cell));
            bool last = i + 1 == t->columns;
            (void)printf("%s%*s%s%*s", i == 0 ? "" : "  ", t->right[i] ? fill : 0, "", cell,
                         t->right[i] || last ? 0 : fill, "");
            cell += strlen(cell) + 1;
        }
        (void)printf("\n");
        for (uint32_t i = 0; r == 0 && i < t->columns; i++) {
            (void)printf("%s", i == 0 ? "" : "  ");
            for (uint32_t n = 0; n < t->widths[i]; n++) {
                (void)putchar('-');
            }
        }
        (void)printf("%s", r == 0 ? "\n" : "");
    }
}

/* ---- CSV and JSON ---- */

static bool csv_row(void *context, const char *const *names, const struct view_cell *row,
                    uint32_t count)
{
    (void)context;
    return rows_csv(stdout, names, row, count, false);
}

static bool json_row(void *context, const char *const *names, const struct view_cell *row,
                     uint32_t count)
{
    struct writer *w = context;
    if (row == NULL) {
        json_open(w, '[');
        return true;
    }
    rows_json(w, names, row, count);
    return !w->overflow;
}

/* ---- the command ---- */

static bool ask_table(const char *file, const char *sql, char error[512])
{
    static struct text_table t;
    bool good = view_query(file, sql, text_table_row, &t, error);
    if (good) {
        text_table_print(&t);
    }
    if (good && t.cut) {
        (void)fprintf(stderr,
                      "hakika: only the first %" PRIu64 " rows fit into a table; --json "
                      "and --csv print all\n",
                      t.rows - 1);
    }
    free(t.text);
    return good;
}

static bool ask_json(const char *file, const char *sql, char error[512])
{
    uint8_t buffer[8192];
    struct writer w = writer_init(buffer, sizeof(buffer));
    w.flush = rows_flush;
    w.context = stdout;
    bool good = view_query(file, sql, json_row, &w, error);
    if (good) {
        json_close(&w, ']');
        json_raw(&w, "\n");
    }
    return writer_finish(&w) && good;
}

static bool parse_query(int argc, char **argv, struct query_arguments *out)
{
    const char *words[2] = {NULL, NULL};
    int count = 0;
    *out = (struct query_arguments){.data = "hakika-data"};
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && out->form != FORM_CSV) {
            out->form = FORM_JSON;
        } else if (strcmp(argv[i], "--csv") == 0 && out->form != FORM_JSON) {
            out->form = FORM_CSV;
        } else if (strcmp(argv[i], "--book") == 0 && i + 1 < argc && !out->has_book) {
            out->has_book = view_book_parse(argv[++i], &out->book);
            if (!out->has_book) {
                return false;
            }
        } else if (count < 2 && strncmp(argv[i], "--", 2) != 0) {
            words[count++] = argv[i];
        } else {
            return false;
        }
    }
    out->data = count == 2 ? words[0] : out->data;
    out->sql = count == 2 ? words[1] : words[0];
    return count > 0 && strlen(out->data) <= 2000;
}

int query_command(int argc, char **argv)
{
    struct query_arguments a;
    char file[PATH_BYTES];
    char error[512] = "";
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        (void)fputs(QUERY_HELP, stdout);
        return EXIT_GOOD;
    }
    if (!parse_query(argc, argv, &a)) {
        (void)fprintf(stderr, "hakika: it is hakika query [DIR] \"select ...\" [--book operator|"
                              "merchant] [--json | --csv]; see hakika query --help\n");
        return EXIT_USAGE;
    }
    a.book = a.has_book ? a.book : view_book_kept(a.data);
    (void)snprintf(file, sizeof(file), "%.2000s/%s", a.data, view_file_name(a.book));
    if (access(file, R_OK) != 0) {
        (void)fprintf(stderr,
                      "hakika: there is no view to ask in %.300s (no file %.300s that can be "
                      "read). A server makes it (hakika serve --view on), or hakika view rebuild\n",
                      a.data, file);
        return EXIT_FAILED;
    }
    bool good = a.form == FORM_TABLE  ? ask_table(file, a.sql, error)
                : a.form == FORM_JSON ? ask_json(file, a.sql, error)
                                      : view_query(file, a.sql, csv_row, NULL, error);
    if (!good) {
        (void)fprintf(stderr, "hakika: query: %s.\n", error);
    }
    return good && fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}
