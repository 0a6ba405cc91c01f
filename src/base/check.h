/*
 * check.h - assertions that stay on in every build.
 *
 * Guarantees: a false CHECK never returns; it calls hakika_panic(), which the application defines
 * (it prints what and where, and aborts) and which tests may define for themselves.
 * Pure code needs nothing else from outside. CHECK is for bugs, never for input: bad input is an
 * outcome or an error value.
 */
#ifndef HAKIKA_BASE_CHECK_H
#define HAKIKA_BASE_CHECK_H

/* Stops the process. Defined outside the pure directories (app/panic.c, or a test). */
_Noreturn void hakika_panic(const char *file, int line, const char *what);

#define CHECK(condition)                                  \
    do {                                                  \
        if (__builtin_expect(!(condition), 0)) {          \
            hakika_panic(__FILE__, __LINE__, #condition); \
        }                                                 \
    } while (0)

/* CHECK(if a then b), written the way one reads it. */
#define IMPLIES(a, b) (!(a) || (b))

/* A branch that cannot be reached; says why. */
#define UNREACHABLE(why) hakika_panic(__FILE__, __LINE__, why)

#define MUST_USE __attribute__((warn_unused_result))

#endif
