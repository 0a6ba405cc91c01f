/*
 * fail.c - see fail.h. A false CHECK of the code under test ends a run in the same way.
 */
#include "sim/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"

typedef unsigned long long ull;

struct sim_place sim_place;
struct sim_failure *sim_failure;
const char *sim_repeat = "sim";

_Noreturn void sim_fail(const char *file, int line, const char *format, ...)
{
    static struct sim_failure told;
    struct sim_failure *out = sim_failure != NULL ? sim_failure : &told;
    va_list arguments;
    va_start(arguments, format);
    int at = snprintf(out->message, sizeof(out->message),
                      "seed %llu, moment %llu, %.6f s, position %llu: ", (ull)sim_place.seed,
                      (ull)sim_place.step, (double)sim_place.now_ns / 1e9, (ull)sim_place.position);
    at += vsnprintf(out->message + at, sizeof(out->message) - (size_t)at, format, arguments);
    va_end(arguments);
    if (at > 0 && (size_t)at < sizeof(out->message)) {
        (void)snprintf(out->message + at, sizeof(out->message) - (size_t)at, " (%s:%d)", file,
                       line);
    }
    out->step = sim_place.step;
    (void)fflush(stdout);
    if (sim_failure == NULL) {
        (void)fprintf(stderr, "FAILED: %s\n    repeat: %s --trace\n    shrink: %s --shrink\n",
                      told.message, sim_repeat, sim_repeat);
    }
    _exit(SIM_EXIT_FAILED);
}

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    sim_fail(file, line, "CHECK failed: %s", what);
}
