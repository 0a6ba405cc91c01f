/*
 * campaign.c - see campaign.h. Workers are children that share a page of counters with their
 * parent; each takes the next seed until there is none. A failure ends its worker: the parent
 * notes the seed, says how to repeat it, and puts another worker in its place.
 */
#include "sim/campaign.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/coverage.h"

typedef unsigned long long ull;

enum { SEEDS_KEPT_MAX = 4096 };

struct slot {
    pid_t pid;
    struct world_options now;
    struct sim_failure failure;
    struct tally tally;
    uint64_t seeds;
    uint64_t faults_least; /* in one seed */
};

struct shared {
    atomic_ullong next; /* index of the next run */
    atomic_ullong done;
    struct slot slots[CAMPAIGN_JOBS_MAX];
};

struct campaign {
    const struct campaign_options *options;
    struct shared *shared;
    struct world_options kept[SEEDS_KEPT_MAX]; /* seeds that failed once, run first */
    uint64_t kept_count;
    uint64_t failures;
    double started_s;
};

static double now_s(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

uint64_t faults_all(void)
{
    return ((uint64_t)1 << FAULT_COUNT) - 1;
}

void command_print(const char *program, const struct world_options *options, char *out, size_t size)
{
    int at = snprintf(out, size, "%s --seed %llu", program, (ull)options->seed);
    if (options->payments != WORLD_PAYMENTS_DEFAULT) {
        at += snprintf(out + at, size - (size_t)at, " --payments %u", options->payments);
    }
    if (options->phones != 0) {
        at += snprintf(out + at, size - (size_t)at, " --phones %u", options->phones);
    }
    if (options->steps != 0) {
        at += snprintf(out + at, size - (size_t)at, " --steps %llu", (ull)options->steps);
    }
    if (options->careful) {
        at += snprintf(out + at, size - (size_t)at, " --careful");
    }
    if (options->faults == faults_all()) {
        return;
    }
    at += snprintf(out + at, size - (size_t)at, " --faults ");
    const char *comma = "";
    for (uint32_t k = 0; k < FAULT_COUNT; k++) {
        if ((options->faults >> k & 1) != 0) {
            at += snprintf(out + at, size - (size_t)at, "%s%s", comma, sim_fault_name(k));
            comma = ",";
        }
    }
    if (options->faults == 0) {
        (void)snprintf(out + at, size - (size_t)at, "none");
    }
}

/* ---- one run ---- */

/* Ends the process after so many seconds of computing (not of waiting: machines are busy). */
static void limit_time(void)
{
    struct itimerval limit = {.it_value = {.tv_sec = RUN_SECONDS_MAX}};
    CHECK(setitimer(ITIMER_PROF, &limit, NULL) == 0);
}

void campaign_live(struct world *w, const struct world_options *options)
{
    struct world_options run = *options;
    run.careful = options->careful || options->seed % 256 == 9;
    uint64_t trace = world_run(w, &run);
    if (world_lives_twice(options->seed) && !options->trace) {
        struct tally before = w->tally;
        uint64_t again = world_run(w, &run);
        EXPECT(trace == again, "the same seed lived two lives: %016llx and %016llx", (ull)trace,
               (ull)again);
        w->tally = before;
        w->tally.work[WORK_TWICE_RUN]++;
    }
}

/* What a child leaves behind, also when it dies. */
struct child_end {
    struct sim_failure failure;
    uint64_t lives;
};

static _Noreturn void child_live(const struct world_options *options, uint64_t most,
                                 struct child_end *end)
{
    struct world_options run = *options;
    sim_failure = &end->failure;
    if (freopen("/dev/null", "w", stderr) == NULL) {
        (void)fprintf(stdout, "the messages of this child cannot be silenced\n");
    }
    struct world *w = world_create(); /* made once: a life takes less than this */
    for (; end->lives < most; run.seed++) {
        end->lives++;
        limit_time();
        campaign_live(w, &run);
    }
    _exit(0);
}

bool campaign_child(const struct world_options *options, uint64_t most, struct sim_failure *failure,
                    uint64_t *lives)
{
    struct child_end *end =
        mmap(NULL, sizeof(*end), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(end != MAP_FAILED);
    (void)fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child_live(options, most, end);
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    *failure = end->failure;
    *lives = end->lives;
    CHECK(munmap(end, sizeof(*end)) == 0);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* ---- workers ---- */

/* The n-th run: first the seeds that were kept, then the campaign's own. */
static bool nth_run(const struct campaign *c, uint64_t n, struct world_options *out)
{
    if (n < c->kept_count) {
        *out = c->kept[n];
        return true;
    }
    *out = c->options->run;
    out->seed = c->options->start + (n - c->kept_count);
    return n - c->kept_count < c->options->count;
}

static uint64_t faults_of(const struct tally *t)
{
    uint64_t sum = 0;
    for (uint32_t k = 0; k < FAULT_COUNT; k++) {
        sum += t->faults[k];
    }
    return sum;
}

static _Noreturn void work(struct campaign *c, struct slot *slot)
{
    struct world *w = world_create();
    sim_failure = &slot->failure;
    w->tally = slot->tally;
    for (;;) {
        uint64_t n = atomic_fetch_add(&c->shared->next, 1);
        if (!nth_run(c, n, &slot->now)) {
            coverage_dump();
            _exit(0);
        }
        limit_time();
        uint64_t before = faults_of(&w->tally);
        campaign_live(w, &slot->now);
        uint64_t faults = faults_of(&w->tally) - before;
        slot->faults_least = faults < slot->faults_least ? faults : slot->faults_least;
        slot->tally = w->tally;
        slot->seeds++;
        (void)atomic_fetch_add(&c->shared->done, 1);
    }
}

static void start_worker(struct campaign *c, uint32_t index)
{
    struct slot *slot = &c->shared->slots[index];
    memset(&slot->failure, 0, sizeof(slot->failure));
    (void)fflush(stdout);
    (void)fflush(stderr);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        work(c, slot);
    }
    slot->pid = pid;
}

/* A worker has ended; true when all of its work was done. */
static bool worker_ended(struct campaign *c, struct slot *slot, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    char command[512];
    command_print(c->options->program, &slot->now, command, sizeof(command));
    c->failures++;
    printf("\nFAILED: %s\n    %s\n    repeat: %s --trace\n    shrink: %s --shrink\n",
           slot->failure.message[0] != '\0' ? slot->failure.message : "the process died",
           WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "", command, command);
    return false;
}

static void progress(const struct campaign *c, bool terminal, double *shown_s)
{
    double time_s = now_s();
    if (c->options->quiet || time_s - *shown_s < (terminal ? 0.5 : 10.0)) {
        return;
    }
    *shown_s = time_s;
    uint64_t done = atomic_load(&c->shared->done);
    uint64_t total = c->options->count + c->kept_count;
    double rate = (double)done / (time_s - c->started_s);
    printf("%ssim: %llu of %llu seeds, %.0f/s, %.0f s left, %llu failed%s", terminal ? "\r" : "",
           (ull)done, (ull)total, rate, rate > 0 ? (double)(total - done) / rate : 0.0,
           (ull)c->failures, terminal ? "   " : "\n");
    (void)fflush(stdout);
}

static void oversee(struct campaign *c)
{
    uint32_t running = c->options->jobs;
    bool terminal = isatty(STDOUT_FILENO) != 0;
    double shown_s = now_s();
    while (running > 0) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
            (void)nanosleep(&pause, NULL);
            progress(c, terminal, &shown_s);
            continue;
        }
        for (uint32_t i = 0; i < c->options->jobs; i++) {
            struct slot *slot = &c->shared->slots[i];
            if (slot->pid != pid) {
                continue;
            }
            slot->pid = 0;
            running--;
            if (!worker_ended(c, slot, status) && c->failures < CAMPAIGN_FAILURES_MAX) {
                start_worker(c, i);
                running++;
            }
        }
    }
    if (terminal && !c->options->quiet) {
        printf("\r%-70s\r", "");
    }
}

/* ---- the table ---- */

static void add_up(const struct campaign *c, struct slot *out)
{
    memset(out, 0, sizeof(*out));
    out->faults_least = UINT64_MAX;
    for (uint32_t i = 0; i < c->options->jobs; i++) {
        const struct slot *slot = &c->shared->slots[i];
        const uint64_t *from = (const uint64_t *)&slot->tally;
        uint64_t *to = (uint64_t *)&out->tally;
        for (size_t j = 0; j < sizeof(struct tally) / sizeof(uint64_t); j++) {
            to[j] += from[j];
        }
        out->seeds += slot->seeds;
        if (slot->faults_least < out->faults_least) {
            out->faults_least = slot->faults_least;
        }
    }
}

static void print_outcomes(const struct tally *t)
{
    printf("  payments that ended\n");
#define X(name, number, state, code, words) \
    printf("    %-52s %12llu\n", #name, (ull)t->outcomes[number]);
    STK_OUTCOMES(X)
#undef X
}

/* How many kinds of faults never occurred. */
static uint32_t print_table(const struct slot *sum)
{
    const struct tally *t = &sum->tally;
    uint32_t missing = 0;
    printf("  faults\n");
    for (uint32_t k = 0; k < FAULT_COUNT; k++) {
        char text[96];
        (void)snprintf(text, sizeof(text), "%s: %s", sim_fault_name(k), sim_fault_text(k));
        printf("    %-75s %12llu\n", text, (ull)t->faults[k]);
        missing += t->faults[k] == 0;
    }
    printf("  people and messages\n");
#define X(name, text) printf("    %-52s %12llu\n", text, (ull)t->acts[ACT_##name]);
    SIM_ACTS(X)
#undef X
    print_outcomes(t);
    printf("  work\n");
#define X(name, text) printf("    %-52s %12llu\n", text, (ull)t->work[WORK_##name]);
    SIM_WORK(X)
#undef X
    return missing;
}

static void print_line(const struct campaign *c, const struct slot *sum)
{
    const struct tally *t = &sum->tally;
    printf("LINE start=%llu count=%llu seeds=%llu failures=%llu seconds=%.0f faults_least=%llu",
           (ull)c->options->start, (ull)c->options->count, (ull)sum->seeds, (ull)c->failures,
           now_s() - c->started_s, (ull)sum->faults_least);
    for (uint32_t k = 0; k < FAULT_COUNT; k++) {
        printf(" %s=%llu", sim_fault_name(k), (ull)t->faults[k]);
    }
    printf(" payments=%llu recoveries=%llu decisions=%llu lost=%llu replays=%llu twice=%llu\n",
           (ull)t->acts[ACT_PUSH], (ull)t->work[WORK_RECOVERIES], (ull)t->work[WORK_FRAMES],
           (ull)t->work[WORK_LOST_DECISIONS], (ull)t->work[WORK_REPLAYS],
           (ull)t->work[WORK_TWICE_RUN]);
}

static int verdict(const struct campaign *c)
{
    struct slot sum;
    add_up(c, &sum);
    uint32_t missing = print_table(&sum);
    double seconds = now_s() - c->started_s;
    uint64_t faults = faults_of(&sum.tally);
    printf("%llu seeds, %llu payments, %llu faults (%llu or more in each seed), %llu recoveries, "
           "%.1f s, %.0f seeds/s, %llu failed\n",
           (ull)sum.seeds, (ull)sum.tally.acts[ACT_PUSH], (ull)faults, (ull)sum.faults_least,
           (ull)sum.tally.work[WORK_RECOVERIES], seconds, (double)sum.seeds / seconds,
           (ull)c->failures);
    if (c->options->line) {
        print_line(c, &sum);
    }
    if (missing > 0 && sum.seeds >= CAMPAIGN_KINDS_FROM && c->options->run.faults == faults_all()) {
        printf("FAILED: %u kinds of faults never occurred\n", missing);
        return 1;
    }
    return c->failures == 0 ? 0 : 1;
}

/* ---- seeds that failed once ---- */

/* Lines of "SEED [PAYMENTS [FAULTS-MASK [STEPS]]]"; # begins a comment. */
static void read_seeds(struct campaign *c)
{
    FILE *file = c->options->seeds_path != NULL ? fopen(c->options->seeds_path, "r") : NULL;
    if (file == NULL) {
        return;
    }
    char line[512];
    while (fgets(line, sizeof(line), file) != NULL && c->kept_count < SEEDS_KEPT_MAX) {
        line[strcspn(line, "#\n")] = '\0';
        struct world_options *run = &c->kept[c->kept_count];
        *run = c->options->run;
        char *at = line;
        char *end = NULL;
        run->seed = strtoull(at, &end, 0);
        if (end == at) {
            continue;
        }
        uint64_t payments = strtoull(at = end, &end, 0);
        run->payments = end != at ? (uint32_t)payments : run->payments;
        uint64_t faults = strtoull(at = end, &end, 0);
        run->faults = end != at ? faults : run->faults;
        uint64_t steps = strtoull(at = end, &end, 0);
        run->steps = end != at ? steps : run->steps;
        c->kept_count++;
    }
    (void)fclose(file);
}

int campaign_run(const struct campaign_options *options)
{
    struct campaign *c = calloc(1, sizeof(*c));
    CHECK(c != NULL);
    c->options = options;
    c->started_s = now_s();
    c->shared =
        mmap(NULL, sizeof(*c->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(c->shared != MAP_FAILED);
    read_seeds(c);
    for (uint32_t i = 0; i < options->jobs; i++) {
        c->shared->slots[i].faults_least = UINT64_MAX;
        start_worker(c, i);
    }
    oversee(c);
    int code = verdict(c);
    CHECK(munmap(c->shared, sizeof(*c->shared)) == 0);
    free(c);
    return code;
}
