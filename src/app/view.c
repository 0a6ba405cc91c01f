/*
 * view.c - hakika view rebuild: the tables of the view, from the journal, from scratch.
 * Tests: tests/e2e/140-view.sh.
 */
#include "app/view.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "view/view.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, PATH_BYTES = 2048 };

static const char HELP[] =
    "hakika view rebuild DIR [--out FILE]: throws away the SQL view of the data folder DIR and\n"
    "builds it again from the journal.\n"
    "\n"
    "  DIR         what was given to hakika serve --data\n"
    "  --out FILE  another file than DIR/view.sqlite; may run beside the server\n"
    "\n"
    "A server keeps its view up to date by itself, and rebuilds it when it is damaged or of\n"
    "another version. Exit status: 0 built, 1 not (the message says why), 2 wrong arguments.\n";

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double rate(const struct view_progress *p, double begun)
{
    double seconds = seconds_now() - begun;
    return seconds > 0 ? (double)p->rows / seconds : 0;
}

static void print_progress(void *context, const struct view_progress *p)
{
    const double *begun = context;
    (void)fprintf(stderr, "hakika: %" PRIu64 " of %" PRIu64 " frames, %.0f rows/s\n", p->position,
                  p->head, rate(p, *begun));
}

static int rebuild(const char *data, const char *out)
{
    char journal[PATH_BYTES];
    char file[PATH_BYTES];
    char error[512];
    struct view_progress done;
    double begun = seconds_now();
    (void)snprintf(journal, sizeof(journal), "%.2000s/operator", data);
    (void)snprintf(file, sizeof(file), "%.2000s%s", out != NULL ? out : data,
                   out != NULL ? "" : "/view.sqlite");
    struct view_options options = {.journal = journal, .file = file};
    if (!view_rebuild(&options, print_progress, &begun, &done, error)) {
        (void)fprintf(stderr,
                      "hakika: the view of %.300s was not rebuilt: %s. (Beside a running server, "
                      "write it to another file with --out FILE.)\n",
                      data, error);
        return EXIT_FAILED;
    }
    (void)printf("%s: %" PRIu64 " frames, %" PRIu64 " rows written in %.2f s (%.0f rows/s)\n", file,
                 done.position, done.rows, seconds_now() - begun, rate(&done, begun));
    if (done.skipped > 0) {
        (void)printf("%" PRIu64 " events are of kinds that the view does not show\n", done.skipped);
    }
    return EXIT_GOOD;
}

int view_command(int argc, char **argv)
{
    const char *data = NULL;
    const char *out = NULL;
    bool good = argc > 0 && strcmp(argv[0], "rebuild") == 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(HELP, stdout);
            return EXIT_GOOD;
        }
    }
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--out") == 0 && i + 1 < argc && out == NULL) {
            out = argv[++i];
        } else {
            good = argv[i][0] != '-' && argv[i][0] != '\0' && data == NULL;
            data = argv[i];
        }
    }
    if (!good || data == NULL || strlen(data) > 2000 || (out != NULL && strlen(out) > 2000)) {
        (void)fprintf(stderr, "hakika: it is hakika view rebuild DIR [--out FILE]; see hakika view "
                              "--help\n");
        return EXIT_USAGE;
    }
    return rebuild(data, out);
}
