/*
 * clock.h - the one clock of a process, shared by its books: real (the machine's, with an offset)
 * or virtual (moves only when told). Times are nanoseconds UTC since 1970.
 *
 * Guarantees: never goes backwards inside a generation of the book; steps of the machine's wall
 * clock have no effect while the process runs (the monotonic clock carries it on).
 */
#ifndef HAKIKA_ENGINE_CLOCK_H
#define HAKIKA_ENGINE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct book_clock {
    /* The machine: wall time once at the start, then monotonic. Replaced in the simulation. */
    int64_t (*monotonic_ns)(void *context);
    void *context;
    int64_t base_ns; /* book time when the monotonic clock showed base_monotonic_ns */
    int64_t base_monotonic_ns;
    int64_t virtual_ns;
    bool is_virtual;
};

/* 2026-01-01T00:00:00+03:00: where a virtual clock starts unless told otherwise. */
#define CLOCK_VIRTUAL_START_NS ((int64_t)1767214800 * 1000 * 1000 * 1000)

/* 2041-12-31T23:59:59+03:00: no clock is moved past it. A receipt tells its year by one of 36
 * symbols (base/ids.h), and from 2042 on it would be read as one of 36 years before. */
#define CLOCK_END_NS ((int64_t)2272136399 * 1000 * 1000 * 1000)

/* Real, from the machine's clocks. */
void book_clock_init_real(struct book_clock *c);
/* Ahead of the machine's wall clock by so much, or behind it: an offset that was kept. */
void book_clock_shift(struct book_clock *c, int64_t by_ns);
/* Virtual, at start_ns. monotonic_ns may be NULL: then the machine's. */
void book_clock_init_virtual(struct book_clock *c, int64_t start_ns,
                             int64_t (*monotonic_ns)(void *), void *context);
int64_t book_clock_now(const struct book_clock *c);
/* The machine's own monotonic time, whatever the mode: for measuring, never for deciding. */
int64_t book_clock_monotonic(const struct book_clock *c);
/* At least this from now on (after recovery: the time of the last frame). */
void book_clock_at_least(struct book_clock *c, int64_t ns);
/* Moves a virtual clock forward; CHECKs that it is virtual and that ns is not before now. */
void book_clock_move(struct book_clock *c, int64_t ns);
/* Puts a virtual clock to another time, back too: a restored world begins. */
void book_clock_put(struct book_clock *c, int64_t ns);
/* Switching keeps the time that is shown. */
void book_clock_set_virtual(struct book_clock *c, bool is_virtual);
/* How far a real clock is ahead of the machine's wall clock. */
int64_t book_clock_offset(const struct book_clock *c);

#endif
