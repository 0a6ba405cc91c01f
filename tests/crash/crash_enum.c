/*
 * crash_enum.c - the crash enumeration as a program (see enumerate.h).
 *
 *   crash_enum [--states N] [--seed S] [--lying-disk]
 *   crash_enum --replay ID      looks at one state again
 *
 * Exit status 0: no violation. 1: a violation, with the identifier that repeats it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "crash/enumerate.h"

enum { STATES_DEFAULT = 1000000 };

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    fprintf(stderr, "crash_enum --replay %s\n", enumeration_current());
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int usage(void)
{
    fprintf(stderr, "usage: crash_enum [--states N] [--seed S] [--lying-disk] | --replay ID\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct enumeration e = {.seed = 1, .states_max = STATES_DEFAULT};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--lying-disk") == 0) {
            e.lying_disk = true;
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--states") == 0 && value[0] != '\0') {
            e.states_max = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i - 1], "--seed") == 0 && value[0] != '\0') {
            e.seed = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i - 1], "--replay") == 0 && value[0] != '\0') {
            e.replay = value;
        } else {
            return usage();
        }
    }
    double begun = seconds();
    enumeration_run(&e);
    double taken = seconds() - begun;
    printf("%" PRIu64 " states (%" PRIu64 " after a cut, %" PRIu64 " after a kill, %" PRIu64
           " after a second cut, %" PRIu64 " damaged)\n",
           e.states, e.states_cut, e.states_killed, e.states_again, e.states_damaged);
    printf("%" PRIu64 " points, %" PRIu64 " of them with every possible state; %" PRIu64
           " rounds, %" PRIu64 " appends, %" PRIu64 " faults\n",
           e.points, e.points_whole, e.rounds, e.appends, e.faults);
    printf("%.1f s, %.0f states/s, seed %" PRIu64 "\n", taken, (double)e.states / taken, e.seed);
    if (e.violated) {
        printf("VIOLATION: %s\n  crash_enum%s --replay %s\n", e.what,
               e.lying_disk ? " --lying-disk" : "", e.id);
        return 1;
    }
    if (e.replay != NULL && e.states == 0) {
        printf("there is no such state\n");
        return 1;
    }
    printf("0 violations\n");
    return 0;
}
