/*
 * view.c - hakika view rebuild: the tables of the views, from the journals, from scratch;
 * and whose view is meant.
 * Tests: tests/e2e/140-view.sh.
 */
#include "app/view.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/monotonic.h"
#include "view/view.h"

static const char VIEW_HELP[] =
    "hakika view rebuild DIR [--book BOOK] [--out FILE]: throws away the SQL view of the data\n"
    "folder DIR and builds it again from the journal.\n"
    "\n"
    "  DIR         what was given to hakika serve --data\n"
    "  --book operator|merchant  whose view (default: of every book that has a journal there)\n"
    "  --out FILE  another file than DIR/view.sqlite (the merchant's: DIR/merchant-view.sqlite);\n"
    "              may run beside the server; of one book\n"
    "\n"
    "A server keeps its view up to date by itself, and rebuilds it when it is damaged or of\n"
    "another version. Exit status: 0 built, 1 not (the message says why), 2 wrong arguments.\n";

static double rate(const struct view_progress *p, double begun)
{
    double seconds = monotonic_seconds() - begun;
    return seconds > 0 ? (double)p->rows / seconds : 0;
}

static void print_rebuild_progress(void *context, const struct view_progress *p)
{
    const double *begun = context;
    (void)fprintf(stderr, "hakika: %" PRIu64 " of %" PRIu64 " frames, %.0f rows/s\n", p->position,
                  p->head, rate(p, *begun));
}

bool view_book_parse(const char *name, enum view_book *out)
{
    *out = strcmp(name, "merchant") == 0 ? VIEW_OF_MERCHANT : VIEW_OF_OPERATOR;
    return strcmp(name, view_book_name(*out)) == 0;
}

static bool is_there(const char *data, const char *name)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%.2000s/%s", data, name);
    return access(path, F_OK) == 0;
}

enum view_book view_book_kept(const char *data)
{
    bool merchant = !is_there(data, view_file_name(VIEW_OF_OPERATOR)) &&
                    is_there(data, view_file_name(VIEW_OF_MERCHANT));
    return merchant ? VIEW_OF_MERCHANT : VIEW_OF_OPERATOR;
}

static int rebuild(const char *data, enum view_book book, const char *out)
{
    char journal[PATH_BYTES];
    char file[PATH_BYTES];
    char error[512];
    struct view_progress done;
    double begun = monotonic_seconds();
    (void)snprintf(journal, sizeof(journal), "%.2000s/%s", data, view_book_name(book));
    (void)snprintf(file, sizeof(file), "%.2000s%s%s", out != NULL ? out : data,
                   out != NULL ? "" : "/", out != NULL ? "" : view_file_name(book));
    struct view_options options = {.book = book, .journal = journal, .file = file};
    if (!view_rebuild(&options, print_rebuild_progress, &begun, &done, error)) {
        (void)fprintf(stderr,
                      "hakika: the view of %.300s was not rebuilt: %s. (Beside a running server, "
                      "write it to another file with --out FILE.)\n",
                      data, error);
        return EXIT_FAILED;
    }
    (void)printf("%s: %" PRIu64 " frames, %" PRIu64 " rows written in %.2f s (%.0f rows/s)\n", file,
                 done.position, done.rows, monotonic_seconds() - begun, rate(&done, begun));
    if (done.skipped > 0) {
        (void)printf("%" PRIu64 " events are of kinds that the view does not show\n", done.skipped);
    }
    return EXIT_GOOD;
}

/* Of the book that was named, or of every one that is there; --out has room for one. */
static int rebuild_all(const char *data, const char *book_name, const char *out)
{
    enum view_book book = VIEW_OF_OPERATOR;
    bool merchant = is_there(data, view_book_name(VIEW_OF_MERCHANT));
    bool alone = merchant && !is_there(data, view_book_name(VIEW_OF_OPERATOR));
    if (book_name != NULL ? !view_book_parse(book_name, &book) : alone) {
        book = VIEW_OF_MERCHANT;
    }
    int status = rebuild(data, book, out);
    bool another = merchant && !alone && book_name == NULL && out == NULL;
    return status == EXIT_GOOD && another ? rebuild(data, VIEW_OF_MERCHANT, NULL) : status;
}

int view_command(int argc, char **argv)
{
    const char *data = NULL;
    const char *out = NULL;
    const char *book = NULL;
    enum view_book parsed;
    bool good = argc > 0 && strcmp(argv[0], "rebuild") == 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(VIEW_HELP, stdout);
            return EXIT_GOOD;
        }
    }
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--out") == 0 && i + 1 < argc && out == NULL) {
            out = argv[++i];
        } else if (strcmp(argv[i], "--book") == 0 && i + 1 < argc && book == NULL) {
            book = argv[++i];
            good = view_book_parse(book, &parsed);
        } else {
            good = argv[i][0] != '-' && argv[i][0] != '\0' && data == NULL;
            data = argv[i];
        }
    }
    if (!good || data == NULL || strlen(data) > 2000 || (out != NULL && strlen(out) > 2000)) {
        (void)fprintf(stderr, "hakika: it is hakika view rebuild DIR [--book operator|merchant] "
                              "[--out FILE]; see hakika view --help\n");
        return EXIT_USAGE;
    }
    return rebuild_all(data, book, out);
}
