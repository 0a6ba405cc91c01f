/*
 * mutants.c - proves that the crash enumeration would notice: the journal is built once more with
 * seeded bugs (journal/mutant.h), each is switched on in turn, and each must be caught.
 *
 *   mutants [--states N] [NAME...]     N: how many states a mutant may survive (default 400000)
 *
 * Exit status 0: all caught, and the journal without a bug is clean.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "crash/enumerate.h"
#include "journal/mutant.h"

enum { STATES_DEFAULT = 400000, STATES_CLEAN = 20000, LYING_DISK = MUTANT_COUNT };

enum journal_mutant journal_mutant = MUTANT_NONE;

static const char *const names[] = {
    "NONE",
#define X(name, text) #name,
    JOURNAL_MUTANTS(X)
#undef X
        "LYING_DISK",
};

static const char *const texts[] = {
    "the journal as it is",
#define X(name, text) text,
    JOURNAL_MUTANTS(X)
#undef X
        "no bug, but a disk that lies about syncs",
};

/* What the child found, through a pipe. */
struct verdict {
    bool caught;
    uint64_t states;
    char id[ENUMERATION_ID_MAX];
    char what[200];
};

static struct enumeration *running;
static int verdict_pipe = -1;

static void verdict_send(const struct enumeration *e, bool caught, const char *what)
{
    struct verdict verdict = {.caught = caught, .states = e->states};
    (void)snprintf(verdict.id, sizeof(verdict.id), "%s", enumeration_current());
    (void)snprintf(verdict.what, sizeof(verdict.what), "%s", what);
    CHECK(write(verdict_pipe, &verdict, sizeof(verdict)) == (ssize_t)sizeof(verdict));
}

/* A CHECK that fails is a catch too: the process stops before it can do harm. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    char text[200];
    (void)snprintf(text, sizeof(text), "CHECK at %s:%d: %s", file, line, what);
    if (running != NULL) {
        verdict_send(running, true, text);
        _exit(0);
    }
    fprintf(stderr, "%s\n", text);
    abort();
}

static void child_run(size_t mutant, uint64_t states)
{
    struct enumeration e = {.seed = 1,
                            .states_max = mutant == MUTANT_NONE ? STATES_CLEAN : states,
                            .lying_disk = mutant == LYING_DISK};
    journal_mutant = mutant < MUTANT_COUNT ? (enum journal_mutant)mutant : MUTANT_NONE;
    running = &e;
    enumeration_run(&e);
    verdict_send(&e, e.violated, e.what);
}

/* Each mutant in a process of its own: it may do anything. */
static struct verdict examine(size_t mutant, uint64_t states)
{
    struct verdict verdict = {.caught = false};
    int ends[2];
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        verdict_pipe = ends[1];
        child_run(mutant, states);
        _exit(0);
    }
    (void)close(ends[1]);
    if (read(ends[0], &verdict, sizeof(verdict)) != (ssize_t)sizeof(verdict)) {
        verdict = (struct verdict){.caught = true, .what = "the process died"};
    }
    (void)close(ends[0]);
    CHECK(waitpid(child, NULL, 0) == child);
    return verdict;
}

static bool is_chosen(const char *name, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--states") == 0) {
            i++;
            continue;
        }
        any = true;
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return !any;
}

int main(int argc, char **argv)
{
    uint64_t states = STATES_DEFAULT;
    unsigned examined = 0;
    unsigned wrong = 0;
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--states") == 0) {
            states = strtoull(argv[i + 1], NULL, 10);
        }
    }
    for (size_t mutant = 0; mutant < sizeof(names) / sizeof(names[0]); mutant++) {
        if (!is_chosen(names[mutant], argc, argv)) {
            continue;
        }
        struct verdict verdict = examine(mutant, states);
        bool right = verdict.caught == (mutant != MUTANT_NONE);
        const char *word = mutant == MUTANT_NONE ? (right ? "clean" : "NOT CLEAN")
                                                 : (right ? "caught" : "SURVIVED");
        examined++;
        wrong += right ? 0 : 1;
        printf("%-9s %-21s %-62s %8" PRIu64 " states", word, names[mutant], texts[mutant],
               verdict.states);
        printf("%s%.90s\n", verdict.caught ? "  " : "", verdict.caught ? verdict.what : "");
    }
    printf("%u examined, %u not as they should be\n", examined, wrong);
    return wrong == 0 && examined > 0 ? 0 : 1;
}
