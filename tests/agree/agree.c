/*
 * agree.c - the property that nobody contradicts anybody (R6.4): histories with random payments,
 * requests, rules, phones, settings and lossy receivers, in which callbacks, results,
 * confirmations, queries, status, balances, pull, the control API and the SQL view are compared,
 * byte by byte as they go over the wire.
 *
 *   agree --seed N [--trace]                    one history
 *   agree [--count N] [--start S] [--jobs J]    many (10,000 with 2 processes)
 *   agree --selftest                            each source is tampered with, and must be caught
 *
 * The exit code is the verdict.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agree/acts.h"

typedef unsigned long long ull;

enum { JOBS_MAX = 16 };

struct totals {
    uint64_t histories, acts[ACT_COUNT], claims, paid, ruled;
};

struct run {
    uint64_t start, count, jobs;
    const char *tampered;
};

static _Noreturn void usage(void)
{
    (void)fprintf(stderr, "usage: agree [--seed N [--trace] | --count N] [--start S] [--jobs J] "
                          "[--selftest]\n");
    exit(2);
}

/* Every jobs-th history, from the one of this worker on. */
static void work(const struct run *run, uint64_t first, struct totals *out)
{
    struct town *town = calloc(1, sizeof(*town));
    struct deals *deals = calloc(1, sizeof(*deals));
    struct ears *ears = calloc(1, sizeof(*ears));
    struct history *h = calloc(1, sizeof(*h));
    CHECK(town != NULL && deals != NULL && ears != NULL && h != NULL);
    ears->arena = malloc(HEARD_BYTES);
    CHECK(ears->arena != NULL);
    ears->town = town;
    ears->deals = deals;
    deals->tampered = run->tampered;
    h->town = town;
    h->deals = deals;
    h->ears = ears;
    town_open(town, ears_receive, ears);
    for (uint64_t i = first; i < run->count; i += run->jobs) {
        history_live(h, run->start + i);
    }
    town_close(town);
    out->histories = h->histories;
    memcpy(out->acts, h->acts, sizeof(out->acts));
    out->claims = deals->claims;
    out->paid = h->paid;
    out->ruled = h->ruled;
    free(ears->arena);
    free(h);
    free(ears);
    free(deals);
    free(town);
}

static bool wait_for(pid_t pid)
{
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void *shared(size_t size)
{
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    return page;
}

/* Lives the histories in children; true when all of them agree. */
static bool live(const struct run *run, struct totals *sum)
{
    pid_t pids[JOBS_MAX];
    struct totals *totals = shared(JOBS_MAX * sizeof(*totals));
    bool good = true;
    (void)fflush(stdout);
    for (uint64_t i = 0; i < run->jobs; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0) {
            work(run, i, &totals[i]);
            _exit(0);
        }
    }
    memset(sum, 0, sizeof(*sum));
    for (uint64_t i = 0; i < run->jobs; i++) {
        good = wait_for(pids[i]) && good;
        for (size_t j = 0; j < sizeof(*sum) / sizeof(uint64_t); j++) {
            ((uint64_t *)sum)[j] += ((const uint64_t *)&totals[i])[j];
        }
    }
    CHECK(munmap(totals, JOBS_MAX * sizeof(*totals)) == 0);
    return good;
}

static int many(const struct run *run)
{
    struct totals sum;
    struct timespec from;
    struct timespec to;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &from) == 0);
    bool good = live(run, &sum);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &to) == 0);
    for (uint32_t i = 0; i < ACT_COUNT; i++) {
        printf("  %-10s %10llu\n", act_names[i], (ull)sum.acts[i]);
        if (sum.acts[i] == 0 && run->count >= 100 && good) {
            printf("FAILED: nobody ever did this\n");
            good = false;
        }
    }
    printf("%llu histories, %llu claims compared, %llu payments and requests done, %llu ruled, "
           "%.1f s%s\n",
           (ull)sum.histories, (ull)sum.claims, (ull)sum.paid, (ull)sum.ruled,
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
           good ? ", no contradiction" : "");
    return good ? 0 : 1;
}

/* Whether a source that says something wrong is caught at all. */
static int selftest(void)
{
    static const char *const sources[] = {"callback", "result",       "status",
                                          "balance",  "confirmation", "query",
                                          "pull",     "view",         "the control API"};
    int missed = 0;
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        const struct run run = {.start = 1, .count = 100, .jobs = 1, .tampered = sources[i]};
        struct totals sum;
        (void)fflush(stdout);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            if (freopen("/dev/null", "w", stderr) == NULL) {
                _exit(0);
            }
            _exit(live(&run, &sum) ? 0 : 1);
        }
        bool survived = wait_for(pid);
        printf("  %-16s %s\n", sources[i], survived ? "NOT caught" : "caught");
        missed += survived;
    }
    printf("%d of %zu tampered sources were not caught\n", missed,
           sizeof(sources) / sizeof(sources[0]));
    return missed == 0 ? 0 : 1;
}

static uint64_t number_of(const char *text)
{
    char *end = NULL;
    uint64_t n = strtoull(text, &end, 0);
    if (end == text || *end != '\0') {
        usage();
    }
    return n;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},
        {"start", required_argument, NULL, 'f'},
        {"jobs", required_argument, NULL, 'j'},
        {"trace", no_argument, NULL, 't'},
        {"selftest", no_argument, NULL, 'x'},
        {NULL, 0, NULL, 0},
    };
    struct run run = {.start = 1, .count = 10000, .jobs = 2, .tampered = NULL};
    bool tests_itself = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            run.start = number_of(optarg);
            run.count = 1;
            run.jobs = 1;
            break;
        case 'c': run.count = number_of(optarg); break;
        case 'f': run.start = number_of(optarg); break;
        case 'j': run.jobs = number_of(optarg); break;
        case 't': told_trace = true; break;
        case 'x': tests_itself = true; break;
        default: usage();
        }
    }
    if (optind != argc || run.jobs == 0 || run.jobs > JOBS_MAX) {
        usage();
    }
    return tests_itself ? selftest() : many(&run);
}
