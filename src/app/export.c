/*
 * export.c - hakika export: the rows of one day in Kenya as files, one for each table, for
 * bookkeepers and other programs.
 *
 * Guarantees: all files show one moment of the view; each is written under a temporary name, synced
 * and renamed when all of them are whole, so that a file with its name is complete; rows are
 * streamed, whatever their number; the same view gives the same bytes. It refuses when the view
 * lacks something of that day. Tests: tests/e2e/144-export.sh.
 */
#include "app/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/command.h"
#include "app/export_tables.h"
#include "app/rows.h"
#include "app/view.h"
#include "base/caltime.h"
#include "base/money.h"
#include "journal/journal.h"
#include "view/view.h"
#include "wire/json.h"

enum {
    EXPORT_PATH_BYTES = 2400, /* the name of a file has its book, table and day */
    SQL_BYTES = 4096,
    TABLES_MAX = 8,
    PATIENCE_MS = 3000, /* for a view that comes no further towards where the journal is */
    LOOK_MS = 50,
};

struct export_arguments {
    const char *data;
    const char *out;
    const char *day;
    bool has_book;
    enum view_book book;
    bool json;
    bool raw;
    int64_t from_ns;
    int64_t until_ns;
};

/* One file under way. */
struct export_file {
    char path[EXPORT_PATH_BYTES];
    char temporary[EXPORT_PATH_BYTES + 32];
    bool made;
    FILE *out;
    struct writer json;
    uint8_t buffer[8192];
    uint64_t rows;
    int direction_column; /* of entries; -1: another table */
    int amount_column;
    int64_t debits_minor;
    int64_t credits_minor;
    bool too_large; /* a sum does not fit */
    bool as_json;
};

static const char EXPORT_HELP[] =
    "hakika export DIR --day YYYY-MM-DD [--book operator|merchant] [--format csv|jsonl]\n"
    "[--out DIR] [--raw]: writes what the SQL view of the data folder DIR has of one day, one\n"
    "file for each table, also while a server runs.\n"
    "\n"
    "  --day     a day in Kenya (EAT)\n"
    "  --book    whose (default: the operator's when it has a view, else the merchant's)\n"
    "  --format  csv (RFC 4180, the default) or jsonl (an object of JSON in each line)\n"
    "  --out     where the files go (default: here); made when it is missing\n"
    "  --raw     with the bytes of messages (raw_callback, raw_query_response, bodies)\n"
    "\n"
    "Of the merchant: payments, payouts, refunds, receipts, entries, notices, discrepancies; of\n"
    "the operator: transactions, requests, entries. A payment belongs to the day on which it was\n"
    "made, an entry to the day on which it was posted. Amounts are in cents, times in UTC. At the\n"
    "end the sums of the day's entries are printed: debits and credits are equal.\n"
    "In CSV a text that a spreadsheet could take for a formula (it begins with = + - @ ' or a tab\n"
    "or line end) has a ' in front.\n"
    "Exit status: 0 written, 1 not (the message says why), 2 wrong arguments.\n";

static bool failed(const char *what, const char *on, const char *why)
{
    (void)fprintf(stderr, "hakika: export: %s %.300s: %.400s. No file was written.\n", what, on,
                  why);
    return false;
}

/* ---- is the day whole? ---- */

static bool take_number(void *context, const char *const *names, const struct view_cell *row,
                        uint32_t count)
{
    int64_t *out = context;
    (void)names;
    if (row != NULL && count > 0 && row[0].kind == VIEW_INTEGER) {
        *out = row[0].integer;
    }
    return true;
}

static bool meta_number(const char *file, const char *name, int64_t *out)
{
    char sql[100];
    char error[512];
    *out = 0;
    (void)snprintf(sql, sizeof(sql), "SELECT value FROM meta WHERE name = '%s'", name);
    return view_query(file, sql, take_number, out, error) ||
           failed("cannot ask the view", file, error);
}

/* The journal's head as it is now; 0: it cannot be read. */
static uint64_t journal_position(const struct export_arguments *a)
{
    char directory[PATH_BYTES];
    struct journal *journal = NULL;
    struct journal_error error;
    struct journal_options options = {.verify_bytes = 1};
    (void)snprintf(directory, sizeof(directory), "%.2000s/%s", a->data, view_book_name(a->book));
    (void)snprintf(options.book, sizeof(options.book), "%s", view_book_name(a->book));
    options.directory = directory;
    if (journal_open_beside(&options, &journal, &error) != JOURNAL_OK) {
        (void)failed("cannot read the journal", directory, error.message);
        return 0;
    }
    uint64_t position = journal_head(journal).position;
    journal_close(journal);
    return position;
}

/* A view that has something of a later time has all of the day: frames come in order. One that has
 * not must have what the journal has now. */
static bool day_is_whole(const struct export_arguments *a, const char *file)
{
    int64_t time_ns;
    int64_t position;
    int64_t before = 0;
    char words[200];
    struct timespec pause = {0, (long)LOOK_MS * 1000000};
    if (!meta_number(file, "time_ns", &time_ns) || time_ns >= a->until_ns) {
        return time_ns >= a->until_ns;
    }
    uint64_t head = journal_position(a);
    if (head == 0) {
        return false;
    }
    for (int waited_ms = 0; waited_ms <= PATIENCE_MS; waited_ms += LOOK_MS) {
        if (!meta_number(file, "position", &position)) {
            return false;
        }
        if ((uint64_t)position >= head) {
            return true;
        }
        waited_ms = position > before ? 0 : waited_ms;
        before = position;
        (void)nanosleep(&pause, NULL);
    }
    (void)snprintf(
        words, sizeof(words),
        "it stands at %" PRId64 ", the journal at %" PRIu64
        ". Start the server with --view on, or run hakika view rebuild, and export again",
        position, head);
    return failed("the view has not all of that day:", file, words);
}

/* ---- one file ---- */

static int column_of(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* What the file's entries add up to, from the very rows that are written. */
static void add_up(struct export_file *f, const struct view_cell *row)
{
    bool debit = strcmp(row[f->direction_column].data, "debit") == 0;
    int64_t *sum = debit ? &f->debits_minor : &f->credits_minor;
    f->too_large = f->too_large || !money_add(*sum, row[f->amount_column].integer, sum);
}

static bool write_row(void *context, const char *const *names, const struct view_cell *row,
                      uint32_t count)
{
    struct export_file *f = context;
    if (row == NULL) {
        f->direction_column = column_of(names, count, "direction");
        f->amount_column = column_of(names, count, "amount");
        return f->as_json || rows_csv(f->out, names, NULL, count, true);
    }
    f->rows++;
    if (f->direction_column >= 0) {
        add_up(f, row);
    }
    if (!f->as_json) {
        return rows_csv(f->out, names, row, count, true);
    }
    rows_json(&f->json, names, row, count);
    json_raw(&f->json, "\n");
    return writer_finish(&f->json);
}

/* The pattern with the day's bounds in it. */
static void fill_in(const struct export_arguments *a, const char *pattern, char out[SQL_BYTES])
{
    struct writer w = writer_init(out, SQL_BYTES);
    for (const char *c = pattern; *c != '\0';) {
        char bound[24] = "";
        bool from = strncmp(c, "= FROM", 6) == 0;
        bool until = strncmp(c, "< UNTIL", 7) == 0;
        if (from || until) {
            (void)snprintf(bound, sizeof(bound), "%s%" PRId64, from ? "= " : "< ",
                           from ? a->from_ns : a->until_ns);
            put_raw(&w, bound, strlen(bound));
            c += from ? 6 : 7;
        } else {
            put_raw(&w, c++, 1);
        }
    }
    put_u8(&w, '\0');
    CHECK(!w.overflow);
}

static bool open_file(const struct export_arguments *a, const char *table, struct export_file *f)
{
    (void)snprintf(f->path, sizeof(f->path), "%.2000s/%s-%s-%s.%s", a->out, view_book_name(a->book),
                   table, a->day, a->json ? "jsonl" : "csv");
    (void)snprintf(f->temporary, sizeof(f->temporary), "%s.%ld.part", f->path, (long)getpid());
    mode_t before = umask(077); /* names and phone numbers: for nobody else */
    f->out = fopen(f->temporary, "wx");
    (void)umask(before);
    if (f->out == NULL) {
        return failed("cannot write", f->temporary, strerror(errno));
    }
    f->made = true;
    f->as_json = a->json;
    f->json = writer_init(f->buffer, sizeof(f->buffer));
    f->json.flush = rows_flush;
    f->json.context = f->out;
    return true;
}

static bool close_file(struct export_file *f)
{
    FILE *out = f->out;
    f->out = NULL;
    bool good = fflush(out) == 0 && fsync(fileno(out)) == 0;
    int error = errno;
    good = fclose(out) == 0 && good;
    return good || failed("cannot write", f->temporary, strerror(error));
}

static bool write_table(const struct export_arguments *a, const struct export_table *table,
                        struct view_reader *reader, struct export_file *f)
{
    char pattern[SQL_BYTES];
    char sql[SQL_BYTES];
    char error[512];
    (void)snprintf(pattern, sizeof(pattern), "%s%s%s", table->columns,
                   a->raw && table->raw != NULL ? table->raw : "", table->rest);
    fill_in(a, pattern, sql);
    if (!open_file(a, table->name, f)) {
        return false;
    }
    errno = 0;
    if (!view_ask(reader, sql, write_row, f, error)) {
        return failed("cannot ask for", table->name, error);
    }
    if (ferror(f->out) != 0 || f->json.overflow) {
        return failed("cannot write", f->temporary, strerror(errno != 0 ? errno : EIO));
    }
    if (f->too_large || f->debits_minor != f->credits_minor) {
        return failed("the debits and credits of", table->name,
                      "are not equal, which must not be: run hakika verify");
    }
    return close_file(f);
}

/* ---- sums ---- */

static void print_money(int64_t minor)
{
    char text[40];
    uint64_t size = minor < 0 ? -(uint64_t)minor : (uint64_t)minor;
    (void)snprintf(text, sizeof(text), "%s%" PRIu64 ".%02u", minor < 0 ? "-" : "",
                   size / MONEY_MINOR_PER_MAJOR, (unsigned)(size % MONEY_MINOR_PER_MAJOR));
    (void)printf(" %18s", text);
}

/* Columns: account, debits, credits, how many entries. */
static bool print_sum(void *context, const char *const *names, const struct view_cell *row,
                      uint32_t count)
{
    (void)context;
    (void)names;
    CHECK(count == 4);
    if (row == NULL) {
        (void)printf("%-30s %18s %18s %18s %10s\n", "account (KES)", "debits", "credits",
                     "credits - debits", "entries");
        return true;
    }
    (void)printf("%-30.30s", row[0].data);
    print_money(row[1].integer);
    print_money(row[2].integer);
    print_money(row[2].integer - row[1].integer);
    (void)printf(" %10" PRId64 "\n", row[3].integer);
    return true;
}

static bool print_sums(const struct export_arguments *a, struct view_reader *reader,
                       const struct export_file *files, uint32_t count)
{
    char sql[SQL_BYTES];
    char error[512];
    for (uint32_t i = 0; i < count; i++) {
        (void)printf("%s: %" PRIu64 " rows\n", files[i].path, files[i].rows);
    }
    fill_in(a, a->book == VIEW_OF_MERCHANT ? MERCHANT_SUMS : OPERATOR_SUMS, sql);
    if (!view_ask(reader, sql, print_sum, NULL, error)) {
        (void)fprintf(stderr,
                      "hakika: export: the files are written, but their sums cannot be "
                      "asked for: %.300s.\n",
                      error);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (files[i].direction_column >= 0) {
            (void)printf("%-30s", "all of them");
            print_money(files[i].debits_minor);
            print_money(files[i].credits_minor);
            print_money(0); /* or there would be no files */
            (void)printf(" %10" PRIu64 "\n", files[i].rows);
        }
    }
    return true;
}

/* ---- all of them ---- */

/* Names appear when every file is there, so that one with its name is whole. */
static bool rename_all(struct export_file *files, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rename(files[i].temporary, files[i].path) != 0) {
            (void)fprintf(stderr,
                          "hakika: export: cannot rename to %.300s: %s. The %u files before it are "
                          "whole; it and those after it were not written.\n",
                          files[i].path, strerror(errno), i);
            return false;
        }
        files[i].made = false;
    }
    return true;
}

static bool write_all(const struct export_arguments *a, struct view_reader *reader)
{
    const struct export_table *tables =
        a->book == VIEW_OF_MERCHANT ? MERCHANT_TABLES : OPERATOR_TABLES;
    struct export_file *files = calloc(TABLES_MAX, sizeof(*files));
    uint32_t count = 0;
    bool good = files != NULL;
    for (; good && tables[count].name != NULL; count++) {
        CHECK(count < TABLES_MAX);
        good = write_table(a, &tables[count], reader, &files[count]);
    }
    good = good && rename_all(files, count) && print_sums(a, reader, files, count);
    for (uint32_t i = 0; files != NULL && i < TABLES_MAX; i++) {
        if (files[i].out != NULL) {
            (void)fclose(files[i].out);
        }
        if (files[i].made) {
            (void)unlink(files[i].temporary);
        }
    }
    free(files);
    return good;
}

static bool export_day(const struct export_arguments *a)
{
    char file[PATH_BYTES];
    char error[512];
    (void)snprintf(file, sizeof(file), "%.2000s/%s", a->data, view_file_name(a->book));
    if (access(file, R_OK) != 0) {
        return failed("there is no view to read", file,
                      "a server makes it (hakika serve --view on), or hakika view rebuild");
    }
    if (mkdir(a->out, 0700) != 0 && errno != EEXIST) {
        return failed("cannot make the folder", a->out, strerror(errno));
    }
    if (!day_is_whole(a, file)) {
        return false;
    }
    struct view_reader *reader = view_open(file, error);
    if (reader == NULL) {
        return failed("cannot read", file, error);
    }
    bool good = write_all(a, reader);
    view_close(reader);
    return good;
}

/* ---- arguments ---- */

/* YYYY-MM-DD, of a day that exists. */
static bool parse_day(const char *text, struct export_arguments *a)
{
    char stamp[32];
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-') {
        return false;
    }
    (void)snprintf(stamp, sizeof(stamp), "%.4s%.2s%.2s000000", text, text + 5, text + 8);
    a->day = text;
    bool good = eat_stamp_parse(span_from(stamp), &a->from_ns);
    a->until_ns = a->from_ns + SECONDS_PER_DAY * NS_PER_S;
    return good;
}

static bool parse_flag(const char *name, const char *value, struct export_arguments *a)
{
    if (strcmp(name, "--day") == 0) {
        return parse_day(value, a);
    }
    if (strcmp(name, "--book") == 0) {
        a->has_book = view_book_parse(value, &a->book);
        return a->has_book;
    }
    if (strcmp(name, "--format") == 0) {
        a->json = strcmp(value, "jsonl") == 0;
        return a->json || strcmp(value, "csv") == 0;
    }
    if (strcmp(name, "--out") == 0) {
        a->out = value;
        return value[0] != '\0' && strlen(value) <= 2000;
    }
    return false;
}

static bool parse_export(int argc, char **argv, struct export_arguments *a)
{
    *a = (struct export_arguments){.out = "."};
    for (int i = 0; i < argc; i++) {
        bool flag = strncmp(argv[i], "--", 2) == 0;
        if (strcmp(argv[i], "--raw") == 0) {
            a->raw = true;
        } else if (flag && (i + 1 == argc || !parse_flag(argv[i], argv[i + 1], a))) {
            (void)fprintf(stderr, "hakika: export: %.40s %.60s is not understood\n", argv[i],
                          i + 1 < argc ? argv[i + 1] : "(no value)");
            return false;
        } else if (flag) {
            i++;
        } else if (a->data != NULL || argv[i][0] == '\0' || strlen(argv[i]) > 2000) {
            return false;
        } else {
            a->data = argv[i];
        }
    }
    return a->data != NULL && a->day != NULL;
}

int export_command(int argc, char **argv)
{
    struct export_arguments a;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(EXPORT_HELP, stdout);
            return EXIT_GOOD;
        }
    }
    if (!parse_export(argc, argv, &a)) {
        (void)fprintf(stderr, "hakika: it is hakika export DIR --day YYYY-MM-DD [--book operator|"
                              "merchant] [--format csv|jsonl] [--out DIR] [--raw]; see hakika "
                              "export --help\n");
        return EXIT_USAGE;
    }
    a.book = a.has_book ? a.book : view_book_kept(a.data);
    return export_day(&a) && fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}
