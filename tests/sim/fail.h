/*
 * fail.h - how a simulated run ends badly: one sentence about what was found, where in the run, and
 * the command that repeats it; then the process ends. Runs are children of the campaign, so that
 * a failed run is a result and not the end of everything.
 */
#ifndef HAKIKA_SIM_FAIL_H
#define HAKIKA_SIM_FAIL_H

#include <stdbool.h>
#include <stdint.h>

enum { SIM_EXIT_FAILED = 3 }; /* of a run in which something was found */

/* Where the run is, kept up to date by the world for the message. */
struct sim_place {
    uint64_t seed;
    uint64_t step; /* moments that have been lived through */
    int64_t now_ns;
    uint64_t position;
};
extern struct sim_place sim_place;

/* Where a run ended badly; in memory that the child shares with its parent. */
struct sim_failure {
    uint64_t step;
    char message[600];
};

/* Where sim_fail leaves its message, or NULL: it prints it, with the command that repeats. */
extern struct sim_failure *sim_failure;
extern const char *sim_repeat;

_Noreturn void sim_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define FAIL(...) sim_fail(__FILE__, __LINE__, __VA_ARGS__)

/* EXPECT(what must be true, "what it means", ...) */
#define EXPECT(condition, ...)                         \
    do {                                               \
        if (__builtin_expect(!(condition), 0)) {       \
            sim_fail(__FILE__, __LINE__, __VA_ARGS__); \
        }                                              \
    } while (0)

#endif
