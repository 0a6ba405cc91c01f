/*
 * enumerate.h - cuts the power at every point of a journal's life and looks at what remains.
 *
 * A *round* is one short life, different for every number: openings, appends of all sizes,
 * roll-overs, snapshots, kills, power cuts, failing writes and syncs, full disks. A *point* is any
 * moment in it: after every operation on the disk and after every answer. A *state* is one of the
 * disks that a cut at that point can leave. Every state is opened by the real journal code and
 * compared with what had been acknowledged.
 *
 * What is checked of each state
 *  C1  opening succeeds: no crash is ever taken for damage.
 *  C2  every acknowledged batch is there, identical, at its place; at most one batch more, and
 *      then exactly the one that was being appended.
 *  C3  epochs grow from opening to opening.
 *  C4  a snapshot that was committed, or a newer one, is loaded, and its content is right.
 *  C5  (sampled) the journal goes on from there: one more batch survives the next cut.
 * And at the end of each round, of a disk damaged on purpose:
 *  C6  damage before the last batch is never passed over; in the tail it costs the last batch at
 *      most; nothing that another journal or a fork of this one wrote is ever accepted.
 *
 * Everything follows from the seed; a violation has an identifier that repeats it.
 */
#ifndef HAKIKA_CRASH_ENUMERATE_H
#define HAKIKA_CRASH_ENUMERATE_H

#include <stdbool.h>
#include <stdint.h>

enum { ENUMERATION_ID_MAX = 96 };

struct enumeration {
    /* in */
    uint64_t seed;
    uint64_t states_max;
    const char *replay; /* an identifier: only that state; else NULL */
    bool lying_disk;    /* to show that the enumeration notices */
    /* out */
    uint64_t states; /* of which: */
    uint64_t states_cut;
    uint64_t states_killed;
    uint64_t states_again; /* a second cut after going on */
    uint64_t states_damaged;
    uint64_t points;
    uint64_t points_whole; /* all possible states of the point were tried */
    uint64_t rounds;
    uint64_t faults;
    uint64_t appends;
    bool violated;
    char id[ENUMERATION_ID_MAX];
    char what[512];
};

void enumeration_run(struct enumeration *e);

/* The state being looked at, for whoever has to report a panic. */
const char *enumeration_current(void);

#endif
