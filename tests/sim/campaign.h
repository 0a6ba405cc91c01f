/*
 * campaign.h - many seeds: workers, progress, the table at the end; one seed; and making a failing
 * one smaller.
 */
#ifndef HAKIKA_SIM_CAMPAIGN_H
#define HAKIKA_SIM_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/world.h"

enum {
    CAMPAIGN_JOBS_MAX = 64,
    CAMPAIGN_FAILURES_MAX = 20, /* then it stops: something is thoroughly wrong */
    CAMPAIGN_KINDS_FROM = 1000, /* seeds from which on every kind of fault must have occurred */
    RUN_SECONDS_MAX = 60,       /* of computing, for one seed */
};

struct campaign_options {
    const char *program; /* as it was called, for the command that repeats */
    const char *seeds_path;
    uint64_t start;
    uint64_t count;
    uint32_t jobs;
    bool line;  /* also one line of key=value at the end */
    bool quiet; /* no progress */
    struct world_options run;
};

/* Exit code. */
int campaign_run(const struct campaign_options *options);
int shrink_run(const struct campaign_options *options);

/* What a seed is run with: every 32nd twice, every 256th checked after every decision. Adds to the
 * world's tally. */
void campaign_live(struct world *w, const struct world_options *options);
/* Runs seeds in a child, from the options' own on, `most` of them or until one fails: then true.
 * *lives: how many began; the last one is the one that failed. */
bool campaign_child(const struct world_options *options, uint64_t most, struct sim_failure *failure,
                    uint64_t *lives);

/* "sim --seed 7 --faults kill,power-cut", for the repetition of a run. */
void command_print(const char *program, const struct world_options *options, char *out,
                   size_t size);
uint64_t faults_all(void);

#endif
