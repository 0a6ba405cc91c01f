/*
 * nth_failure.c - the n-th call of a kind fails, n = 1, 2, 3 ... until none is left to fail: while
 * a new book is made and used, and while an old one is recovered and used. The program may refuse,
 * go on or end with a message (a false CHECK that says where counts as one, and is listed); it may
 * not acknowledge what is not there after a restart, nor die otherwise. Uses the library shim.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults/cycles.h"

enum {
    REQUESTS = 160,
    LOAD_MS_MAX = 5000,
    END_MS_MAX = 20000,
    QUIET_ENOUGH = 3, /* so many n in a row that strike nothing: there is no such call any more */
    SNAPSHOT_BYTES = 48 * 1024,
    CHECKS_MAX = 64,
    CHECK_TEXT = 160,
};

struct watch {
    struct world *w;
    int status;
};

struct tally {
    uint64_t struck, refused_to_start, ended, went_on, stopped, signalled;
    char checks[CHECKS_MAX][CHECK_TEXT];
    uint32_t check_count;
};

/* Waits for the end of the program, whoever brings it about. */
static void *watch_run(void *context)
{
    struct watch *v = context;
    v->status = server_wait(&v->w->server, END_MS_MAX);
    v->w->stop = true;
    return NULL;
}

/* Load while it lives, then SIGTERM; how it ended. */
static int live(struct world *w)
{
    pthread_t thread;
    struct watch v = {w, 0};
    pid_t pid = w->server.pid;
    w->stop = false;
    CHECK(pthread_create(&thread, NULL, watch_run, &v) == 0);
    if (world_prepare(w)) {
        world_load(w, LOAD_MS_MAX, REQUESTS);
    }
    if (!w->stop) {
        (void)kill(pid, SIGTERM);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    return v.status;
}

/* Did it say which CHECK was false? Lists each of them once. */
static bool said_why(const struct world *w, struct tally *t)
{
    static char words[64 * 1024];
    char check[CHECK_TEXT];
    FILE *log = fopen(w->server.log, "r");
    size_t size = log != NULL ? fread(words, 1, sizeof(words) - 1, log) : 0;
    if (log != NULL) {
        (void)fclose(log);
    }
    words[size] = '\0';
    const char *at = strstr(words, "broken promise at ");
    if (at == NULL) {
        return false;
    }
    at += strlen("broken promise at ");
    (void)snprintf(check, sizeof(check), "%.*s", (int)strcspn(at, "\n"), at);
    for (uint32_t i = 0; i < t->check_count; i++) {
        if (strcmp(t->checks[i], check) == 0) {
            return true;
        }
    }
    if (t->check_count < CHECKS_MAX) {
        memcpy(t->checks[t->check_count++], check, sizeof(check));
    }
    return true;
}

static int error_number(const char *mode)
{
    return strcmp(mode, "full") == 0 ? ENOSPC : strcmp(mode, "memory") == 0 ? ENOMEM : EIO;
}

static void set_fault(struct world *w, const struct fault_options *o, uint64_t n)
{
    static char texts[6][480];
    const char *mode = o->mode != NULL ? o->mode : "once";
    bool named =
        strcmp(mode, "once") == 0 || strcmp(mode, "from") == 0 || strcmp(mode, "short") == 0;
    (void)snprintf(texts[0], sizeof(texts[0]), "FAULT_CALL=%s", o->call);
    (void)snprintf(texts[1], sizeof(texts[1]), "FAULT_N=%llu", (unsigned long long)n);
    (void)snprintf(texts[2], sizeof(texts[2]), "FAULT_MODE=%s", named ? mode : "once");
    (void)snprintf(texts[3], sizeof(texts[3]), "FAULT_ERROR=%d",
                   strcmp(o->call, "malloc") == 0 || strcmp(o->call, "mmap") == 0
                       ? ENOMEM
                       : error_number(mode));
    (void)snprintf(texts[4], sizeof(texts[4]), "FAULT_FOLDER=%.440s", o->folder);
    (void)snprintf(texts[5], sizeof(texts[5]), "FAULT_REPORT=%.440s/struck", o->folder);
    for (uint32_t i = 0; i < 6; i++) {
        w->server.environment[i] = texts[i];
    }
    w->server.preload = o->shim;
}

static bool take_report(const struct fault_options *o)
{
    char path[480];
    (void)snprintf(path, sizeof(path), "%s/struck", o->folder);
    return unlink(path) == 0;
}

/* One life with the fault; true when it struck. */
static bool faulty_life(struct world *w, const struct fault_options *o, uint64_t n, struct tally *t)
{
    (void)take_report(o);
    (void)remove(w->server.log);
    set_fault(w, o, n);
    w->server.snapshot_bytes = SNAPSHOT_BYTES;
    bool ready = server_start(&w->server);
    int status = ready ? live(w) : server_wait(&w->server, END_MS_MAX);
    bool struck = take_report(o);
    if (status == SERVER_STILL_RUNNING) {
        world_fail(w, "%s %llu: it neither works nor ends", o->call, (unsigned long long)n);
    }
    if (status == SERVER_SIGNALLED + SIGABRT && said_why(w, t)) {
        t->stopped++;
    } else if (status >= SERVER_SIGNALLED) {
        t->signalled++;
        (void)printf("nth_failure: %s %llu (%s): it died of signal %d\n", o->call,
                     (unsigned long long)n, o->mode, status - SERVER_SIGNALLED);
        (void)fflush(stdout);
    } else if (!struck && status != 0) {
        world_fail(w, "%s %llu: nothing failed, and it ended with %d", o->call,
                   (unsigned long long)n, status);
    }
    t->struck += struck ? 1 : 0;
    t->refused_to_start += !ready ? 1 : 0;
    t->ended += ready && status != 0 ? 1 : 0;
    t->went_on += struck && status == 0 ? 1 : 0;
    w->server.preload = NULL;
    w->server.environment[0] = NULL;
    return struck;
}

/* A life without faults: everything told is there. */
static void honest_life(struct world *w)
{
    if (w->total_accepted > 0) {
        cycle_must_verify(w); /* before: there may be no journal yet */
    }
    cycle_must_start(w);
    if (!world_prepare(w)) {
        world_fail(w, "without faults it does not answer either");
    }
    world_check(w, true);
    callbacks_await(w);
    callbacks_check(w);
    server_kill(&w->server);
    cycle_must_verify(w);
}

static bool one_n(struct world *w, const struct fault_options *o, uint64_t n, struct tally *t)
{
    char data[400];
    char verdict[440];
    (void)snprintf(data, sizeof(data), "%.300s/nth-%s-%llu", o->folder, o->call,
                   (unsigned long long)n);
    (void)snprintf(verdict, sizeof(verdict), "%s.verify", data);
    w->cycle = (uint32_t)n;
    world_begin(w, data);
    w->total_accepted = 0;
    bool struck = faulty_life(w, o, n, t);
    honest_life(w);
    struck = faulty_life(w, o, n, t) || struck;
    honest_life(w);
    world_end(w);
    const char *const arguments[] = {"rm", "-rf", data, w->server.log, verdict, NULL};
    (void)run_program(arguments, NULL);
    return struck;
}

static void report(const struct fault_options *o, const struct tally *t, uint64_t last, bool more,
                   int64_t took_ms)
{
    (void)printf("nth_failure: %s %s, every %u. of %llu%s: struck %llu times, %lld s: %llu starts "
                 "refused, %llu ended by themselves, %llu went on, %llu stopped at a CHECK, %llu "
                 "died of a signal\n",
                 o->call, o->mode != NULL ? o->mode : "once", o->stride, (unsigned long long)last,
                 more ? " and more" : "", (unsigned long long)t->struck, (long long)took_ms / 1000,
                 (unsigned long long)t->refused_to_start, (unsigned long long)t->ended,
                 (unsigned long long)t->went_on, (unsigned long long)t->stopped,
                 (unsigned long long)t->signalled);
    for (uint32_t i = 0; i < t->check_count; i++) {
        (void)printf("    stopped at %s\n", t->checks[i]);
    }
}

int nth_failure(const struct fault_options *o)
{
    static struct tally t;
    struct world *w = world_create("nth_failure", o->program, o->seed);
    uint32_t quiet = 0;
    uint64_t n = o->seed;
    int64_t began = clock_ms();
    if (o->shim == NULL || o->call == NULL) {
        (void)fprintf(stderr, "faults nth needs --shim and --call\n");
        return 2;
    }
    w->failed_requests_fine = true;
    for (; quiet < QUIET_ENOUGH && (o->cycles == 0 || n < o->seed + o->cycles); n += o->stride) {
        quiet = one_n(w, o, n, &t) ? 0 : quiet + 1;
    }
    report(o, &t, n - 1, quiet < QUIET_ENOUGH, clock_ms() - began);
    return t.signalled > 0 ? 1 : 0;
}
