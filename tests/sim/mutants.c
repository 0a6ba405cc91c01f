/*
 * mutants.c - proof that the simulation notices bugs: it is compiled with the seeded ones of
 * base/mutant.h and runs seed after seed with each of them until one fails. One that survives is a
 * failure of the simulation.
 *
 *   mutants [--seeds MOST] [--jobs N] [NAME...]
 */
#ifndef HAKIKA_MUTANTS
#define HAKIKA_MUTANTS /* for tools that look at this file alone; the build says it, too */
#endif

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mutant.h"
#include "journal/mutant.h"
#include "sim/campaign.h"

typedef unsigned long long ull;

enum { SEEDS_MOST = 2000, SEEDS_CLEAN = 40, JOBS_MAX = 16 };

int hakika_mutant;
enum journal_mutant journal_mutant; /* none: tests/crash has its own proof */

static const struct {
    const char *name;
    const char *text;
} mutants[] = {{"NOTHING", "no bug: nothing may be noticed"},
#define X(name, text) {#name, text},
               CORE_MUTANTS(X)
#undef X
};

enum { MUTANTS = sizeof(mutants) / sizeof(mutants[0]) };

struct result {
    bool wanted;
    bool caught;
    uint64_t seeds;
    char message[160];
};

/*
 * Where the hunt begins: at the first seed, except for a bug that shows so rarely that the seeds
 * before one which is known to show it would be most of the time of all bugs together. No promise:
 * when the world has changed, the hunt goes on from there.
 */
static uint64_t first_seed(int mutant)
{
    return mutant == MUTATED_PIPELINE_LOST ? 790 : 1;
}

/* Seed after seed until one fails, in a child. */
static void hunt(int mutant, uint64_t most, struct result *out)
{
    struct world_options options = {
        .seed = first_seed(mutant),
        .payments = WORLD_PAYMENTS_DEFAULT,
        .faults = faults_all(),
    };
    struct sim_failure failure;
    hakika_mutant = mutant;
    out->caught = campaign_child(&options, most, &failure, &out->seeds);
    if (out->caught) {
        const char *what = strstr(failure.message, ": ");
        (void)snprintf(out->message, sizeof(out->message), "%.150s",
                       what != NULL ? what + 2 : "the process died");
    }
}

/* Every jobs-th mutant. */
static _Noreturn void work(struct result *results, int first, int jobs, uint64_t most)
{
    for (int i = first; i < MUTANTS; i += jobs) {
        if (results[i].wanted) {
            hunt(i, i == MUTATED_NOTHING ? SEEDS_CLEAN : most, &results[i]);
        }
    }
    _exit(0);
}

static void run(struct result *results, int jobs, uint64_t most)
{
    pid_t pids[JOBS_MAX];
    for (int i = 0; i < jobs; i++) {
        (void)fflush(stdout);
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0) {
            work(results, i, jobs, most);
        }
    }
    for (int i = 0; i < jobs; i++) {
        int status = 0;
        CHECK(waitpid(pids[i], &status, 0) == pids[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static int table(const struct result *results, double seconds)
{
    uint32_t caught = 0;
    uint32_t survived = 0;
    for (int i = 0; i < MUTANTS; i++) {
        const struct result *r = &results[i];
        if (!r->wanted) {
            continue;
        }
        bool good = r->caught == (i != MUTATED_NOTHING);
        caught += i != MUTATED_NOTHING && r->caught;
        survived += !good;
        printf("%-8s %-22s %5llu seeds  %s\n", good ? "ok" : "FAILED", mutants[i].name,
               (ull)r->seeds, mutants[i].text);
        if (r->caught) {
            printf("             %s\n", r->message);
        }
    }
    printf("%u seeded bugs caught, %u failed, %.0f s\n", caught, survived, seconds);
    return survived == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seeds", required_argument, NULL, 's'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    uint64_t most = SEEDS_MOST;
    long jobs = 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 's') {
            most = strtoull(optarg, NULL, 10);
        } else if (option == 'j') {
            jobs = strtol(optarg, NULL, 10);
        } else {
            return 2;
        }
    }
    if (most == 0 || jobs < 1 || jobs > JOBS_MAX) {
        return 2;
    }
    struct result *results = mmap(NULL, sizeof(*results) * MUTANTS, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(results != MAP_FAILED);
    for (int i = 0; i < MUTANTS; i++) {
        results[i].wanted = optind == argc;
        for (int j = optind; j < argc; j++) {
            results[i].wanted = results[i].wanted || strcmp(argv[j], mutants[i].name) == 0;
        }
    }
    time_t begun = time(NULL);
    run(results, (int)jobs, most);
    return table(results, difftime(time(NULL), begun));
}
