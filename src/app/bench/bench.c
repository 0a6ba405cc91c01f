/*
 * bench.c - the command: arguments, the temporary folder, the progress bar, one profile after the
 * other.
 */
#include "app/bench/bench.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app/bench/internal.h"
#include "app/command.h"
#include "app/ephemeral.h"
#include "app/monotonic.h"
#include "base/span.h"

enum {
    SECONDS_DEFAULT = 5,
    SECONDS_MAX = 3600,
    BAR_CELLS = 30,
    BAR_BEAT_MS = 100,
};

struct profile_entry {
    const char *name;
    const char *help;
    bool (*run)(struct bench *b, char error[256]);
};

static const struct profile_entry PROFILES[] = {
    {"ledger", "transfers in process: batches of 8,190, and 64 single ones in flight",
     bench_ledger},
    {"ack", "STK pushes accepted over HTTP, and the expiry of their prompts", bench_ack},
    {"stk", "whole payments: push, PIN, ledger, callback; about 1,000 paybills", bench_stk},
    {"hot", "the same, all to one paybill", bench_hot},
    {"gateway", "the same as hot through the merchant gateway before the operator, both books",
     bench_gateway},
    {"snapshot", "the same as stk while snapshots of a state of 100 MB are written",
     bench_snapshot},
    {"surge", "three times as many pushes as stk can carry, in an open loop", bench_surge},
};
enum { PROFILE_COUNT = sizeof(PROFILES) / sizeof(PROFILES[0]) };

static struct bench the_bench; /* its folder and stop flag are what a signal is about */

/* ---- progress ------------------------------------------------------------------------------- */

struct progress {
    pthread_mutex_t mutex;
    pthread_t thread;
    bool running;
    bool shown; /* a bar is on the terminal */
    char what[80];
    int64_t begun_ms;
    uint32_t expected_ms;
};

static struct progress progress = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void progress_draw(struct progress *p)
{
    char bar[BAR_CELLS + 1];
    int64_t passed_ms = monotonic_ms() - p->begun_ms;
    int64_t cells = p->expected_ms == 0 ? 0 : passed_ms * BAR_CELLS / p->expected_ms;
    cells = cells > BAR_CELLS ? BAR_CELLS : cells;
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)cells);
    bar[BAR_CELLS] = '\0';
    (void)fprintf(stderr, "\r\033[K%-50s [%s] %lld s", p->what, bar, (long long)passed_ms / 1000);
    (void)fflush(stderr);
    p->shown = true;
}

static void *progress_run(void *context)
{
    struct progress *p = context;
    (void)pthread_mutex_lock(&p->mutex);
    while (p->running) {
        if (p->what[0] != '\0') {
            progress_draw(p);
        }
        (void)pthread_mutex_unlock(&p->mutex);
        struct timespec beat = {0, BAR_BEAT_MS * 1000000L};
        (void)nanosleep(&beat, NULL);
        (void)pthread_mutex_lock(&p->mutex);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return NULL;
}

static void progress_start(void)
{
    if (isatty(STDERR_FILENO)) {
        progress.running = true;
        progress.running = pthread_create(&progress.thread, NULL, progress_run, &progress) == 0;
    }
}

void bench_progress(const char *what, uint32_t expected_ms)
{
    (void)pthread_mutex_lock(&progress.mutex);
    (void)snprintf(progress.what, sizeof(progress.what), "%s", what);
    progress.begun_ms = monotonic_ms();
    progress.expected_ms = expected_ms;
    if (what[0] == '\0' && progress.shown) {
        (void)fprintf(stderr, "\r\033[K");
        progress.shown = false;
    }
    (void)pthread_mutex_unlock(&progress.mutex);
}

static void progress_stop(void)
{
    bench_progress("", 0);
    (void)pthread_mutex_lock(&progress.mutex);
    bool joins = progress.running;
    progress.running = false;
    (void)pthread_mutex_unlock(&progress.mutex);
    if (joins) {
        (void)pthread_join(progress.thread, NULL);
    }
}

/* ---- the folder ----------------------------------------------------------------------------- */

static bool folder_make(struct bench *b, char error[256])
{
    char here[400];
    if (getcwd(here, sizeof(here)) == NULL) {
        (void)snprintf(error, 256, "the working directory: %s", strerror(errno));
        return false;
    }
    (void)snprintf(b->folder, sizeof(b->folder), "%s/hakika-bench-XXXXXX", here);
    if (mkdtemp(b->folder) == NULL) {
        (void)snprintf(error, 256, "cannot make a folder in %.150s: %s", here, strerror(errno));
        b->folder[0] = '\0';
        return false;
    }
    return true;
}

static void folder_remove(struct bench *b)
{
    if (b->folder[0] != '\0') {
        ephemeral_remove(b->folder);
    }
    b->folder[0] = '\0';
}

/* ---- running -------------------------------------------------------------------------------- */

/* The first one ends the measurement in good order, the second one this process at once. */
static void on_signal(int signal_number)
{
    if (atomic_exchange(&the_bench.stop, true)) {
        _exit(128 + signal_number);
    }
}

static void process_prepare(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct rlimit files;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static bool profile_run(struct bench *b, const struct profile_entry *profile, char error[256])
{
    memset(&b->report, 0, sizeof(b->report));
    b->report.profile = profile->name;
    bench_progress("measuring the disk", 1000);
    bool ok =
        folder_make(b, error) && fsync_rate_measure(b->folder, 4096, &b->report.fsync_4k, error) &&
        fsync_rate_measure(b->folder, 65536, &b->report.fsync_64k, error) && profile->run(b, error);
    bench_progress("", 0);
    folder_remove(b);
    if (ok && atomic_load(&b->stop)) {
        (void)snprintf(error, 256, "stopped");
        ok = false;
    }
    return ok;
}

static bool profile_report(struct bench *b)
{
    if (b->options.json) {
        report_print_json(&b->report);
    } else {
        report_print_text(&b->report);
    }
    return b->report.problems_count == 0 && report_errors(&b->report) == 0;
}

/* ---- the command line ----------------------------------------------------------------------- */

static int usage(FILE *to)
{
    (void)fprintf(to, "hakika bench [PROFILE...] [FLAGS]: measures this program on this machine.\n"
                      "Without a profile: all of them.\n\n");
    for (int i = 0; i < PROFILE_COUNT; i++) {
        (void)fprintf(to, "  %-8s %s\n", PROFILES[i].name, PROFILES[i].help);
    }
    (void)fprintf(
        to, "\n"
            "  --seconds N      of each measurement (default: 5)\n"
            "  --json           one JSON object for each profile\n"
            "  --connections N  of stk and hot (default: 128)\n"
            "  --payers N       payments under way at once in stk and hot (default: 512)\n"
            "  --rate N         pushes/s of surge (default: 3 times what stk carried) and of\n"
            "                   the open loop of ack (default: at most 40,000)\n"
            "  --view on|off    whether the server keeps its SQL view (default: on)\n"
            "  --index on|off   on: what is closed leaves memory after 2 s, into the index of old\n"
            "                   ids; off: nothing leaves (default: the server's)\n"
            "\nhakika bench history --data DIR --payments N makes a data folder with so many\n"
            "closed payments in its past, to measure starts and look-ups on.\n"
            "\nThe journals are written to a folder below the working directory and "
            "removed at the end.\n");
    return to == stderr ? EXIT_USAGE : EXIT_GOOD;
}

enum flag { FLAG_UNKNOWN, FLAG_TAKEN, FLAG_WRONG };

/* FLAG_WRONG, after saying what it takes. */
static enum flag flag_wrong(const char *name, const char *takes, const char *value)
{
    (void)fprintf(stderr, "hakika: bench %s takes %s, not \"%.60s\"\n\n", name, takes,
                  value == NULL ? "" : value);
    return FLAG_WRONG;
}

static enum flag read_switch(const char *name, const char *value, bool *off)
{
    *off = value != NULL && strcmp(value, "off") == 0;
    bool good = *off || (value != NULL && strcmp(value, "on") == 0);
    return good ? FLAG_TAKEN : flag_wrong(name, "on or off", value);
}

static enum flag read_flag(struct bench_options *o, const char *name, const char *value)
{
    bool off;
    struct {
        const char *name;
        uint32_t *to;
        uint64_t max;
    } const flags[] = {
        {"--seconds", &o->seconds, SECONDS_MAX},
        {"--connections", &o->connections, 1500},
        {"--payers", &o->payers, 20000},
        {"--rate", &o->rate, 1000000},
    };
    if (strcmp(name, "--view") == 0) {
        return read_switch(name, value, &o->view_off);
    }
    if (strcmp(name, "--index") == 0) {
        enum flag read = read_switch(name, value, &off);
        o->keep_closed = off ? "0" : "2s";
        return read;
    }
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        uint64_t number;
        char takes[64];
        if (strcmp(name, flags[i].name) != 0) {
            continue;
        }
        if (value == NULL || !span_parse_u64(span_from(value), &number) || number == 0 ||
            number > flags[i].max) {
            (void)snprintf(takes, sizeof(takes), "a number from 1 to %llu",
                           (unsigned long long)flags[i].max);
            return flag_wrong(name, takes, value);
        }
        *flags[i].to = (uint32_t)number;
        return FLAG_TAKEN;
    }
    return FLAG_UNKNOWN;
}

/* Marks the chosen profiles; false after saying what is wrong. */
static bool read_arguments(int argc, char **argv, struct bench_options *o,
                           bool chosen[PROFILE_COUNT])
{
    bool any = false;
    for (int i = 0; i < argc; i++) {
        bool known = false;
        for (int p = 0; p < PROFILE_COUNT; p++) {
            if (strcmp(argv[i], PROFILES[p].name) == 0) {
                chosen[p] = known = any = true;
            }
        }
        if (strcmp(argv[i], "--json") == 0) {
            o->json = known = true;
        }
        enum flag flag = known ? FLAG_UNKNOWN : read_flag(o, argv[i], argv[i + 1]);
        i += flag == FLAG_TAKEN;
        if (flag == FLAG_WRONG) {
            return false;
        }
        if (!known && flag == FLAG_UNKNOWN) {
            (void)fprintf(stderr, "hakika: bench does not understand \"%.60s\"\n\n", argv[i]);
            return false;
        }
    }
    for (int p = 0; p < PROFILE_COUNT; p++) {
        chosen[p] = chosen[p] || !any;
    }
    return true;
}

/* --data DIR --payments N */
static int read_history(int argc, char **argv)
{
    const char *data = NULL;
    uint64_t payments = 0;
    for (int i = 0; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--data") == 0) {
            data = argv[i + 1];
        } else if (strcmp(argv[i], "--payments") != 0 ||
                   !span_parse_u64(span_from(argv[i + 1]), &payments)) {
            return usage(stderr);
        }
    }
    return argc % 2 == 0 ? bench_history(data, payments) : usage(stderr);
}

int bench_command(int argc, char **argv)
{
    struct bench *b = &the_bench;
    bool chosen[PROFILE_COUNT] = {false};
    bool good = true;
    b->options.seconds = SECONDS_DEFAULT;
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        return usage(stdout);
    }
    if (argc > 0 && strcmp(argv[0], "history") == 0) {
        return read_history(argc - 1, argv + 1);
    }
    if (!read_arguments(argc, argv, &b->options, chosen)) {
        return usage(stderr);
    }
    process_prepare();
    progress_start();
    for (int p = 0; p < PROFILE_COUNT && !atomic_load(&b->stop); p++) {
        char error[256] = "";
        if (!chosen[p]) {
            continue;
        }
        if (profile_run(b, &PROFILES[p], error)) {
            good = profile_report(b) && good;
        } else {
            (void)fprintf(stderr, "hakika: bench %s: %s\n", PROFILES[p].name, error);
            good = false;
        }
    }
    progress_stop();
    return good ? EXIT_GOOD : EXIT_FAILED;
}
