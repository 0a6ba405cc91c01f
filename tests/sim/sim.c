/*
 * sim.c - the command line of the simulation.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/world.h"

typedef unsigned long long ull;

_Noreturn void sim_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fflush(stdout);
    (void)fprintf(stderr, "seed %llu, moment %llu, %.6f s, position %llu: ", (ull)sim_place.seed,
                  (ull)sim_place.step, (double)sim_place.now_ns / 1e9, (ull)sim_place.position);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n    (%s:%d)\n", file, line);
    va_end(arguments);
    _exit(SIM_EXIT_FAILED);
}

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    sim_fail(file, line, "CHECK failed: %s", what);
}

int main(int argc, char **argv)
{
    struct world *w = world_create();
    uint64_t from = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t to = argc > 2 ? strtoull(argv[2], NULL, 10) : from;
    for (uint64_t seed = from; seed <= to; seed++) {
        struct world_options options = {.seed = seed, .payments = 200, .trace = argc > 3};
        uint64_t trace = world_run(w, &options);
        (void)trace;
    }
    printf("%llu frames, %llu batches, %llu moments\n", (ull)w->tally.work[WORK_FRAMES],
           (ull)w->tally.work[WORK_BATCHES], (ull)w->tally.work[WORK_MOMENTS]);
    world_destroy(w);
    return 0;
}
