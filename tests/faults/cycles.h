/*
 * cycles.h - what strikes in a cycle of load, strike, restart and check. See cycles.c.
 */
#ifndef HAKIKA_TESTS_FAULTS_CYCLES_H
#define HAKIKA_TESTS_FAULTS_CYCLES_H

#include "faults/faults.h"

struct strike {
    uint32_t cycles_per_book;
    /* A place for a new book; calls world_begin. */
    void (*open)(struct world *w, const struct fault_options *options);
    /* Right before the load; may be NULL. */
    void (*arm)(struct world *w);
    /* Strikes, in a thread of its own, while the load runs. */
    void (*hit)(struct world *w);
    /* The program has ended: makes the data readable again. */
    void (*recover)(struct world *w);
    /* Removes what open made. */
    void (*close)(struct world *w);
};

int cycles_run(struct world *w, const struct strike *strike, const struct fault_options *options);
void cycle_must_start(struct world *w);
void cycle_must_verify(struct world *w);

#endif
