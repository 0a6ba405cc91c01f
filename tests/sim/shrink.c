/*
 * shrink.c - makes a failing run smaller while it goes on failing: fewer kinds of faults, fewer
 * payments, fewer phones, fewer moments. What fails may change on the way; it is told at the end.
 */
#include <stdio.h>

#include "sim/campaign.h"

typedef unsigned long long ull;

struct shrinking {
    struct world_options best;
    struct sim_failure failure;
    uint32_t tried;
};

static bool still_fails(struct shrinking *s, const struct world_options *options)
{
    struct sim_failure failure;
    uint64_t lives;
    s->tried++;
    if (!campaign_child(options, 1, &failure, &lives)) {
        return false;
    }
    s->best = *options;
    s->failure = failure;
    return true;
}

static void fewer_faults(struct shrinking *s)
{
    struct world_options none = s->best;
    none.faults = 0;
    if (still_fails(s, &none)) {
        return;
    }
    for (bool again = true; again;) {
        again = false;
        for (uint32_t k = 0; k < FAULT_COUNT; k++) {
            struct world_options less = s->best;
            less.faults &= ~((uint64_t)1 << k);
            if (less.faults != s->best.faults && still_fails(s, &less)) {
                again = true;
            }
        }
    }
}

static void fewer_payments(struct shrinking *s)
{
    static const uint32_t tries[] = {1, 2, 3, 5, 8, 13, 20, 30, 45, 70, 100, 150};
    for (uint32_t i = 0; i < sizeof(tries) / sizeof(tries[0]) && tries[i] < s->best.payments; i++) {
        struct world_options less = s->best;
        less.payments = tries[i];
        if (still_fails(s, &less)) {
            return;
        }
    }
}

static void fewer_phones(struct shrinking *s)
{
    for (uint32_t phones = 1; phones < 8; phones++) {
        struct world_options less = s->best;
        less.phones = phones;
        if (still_fails(s, &less)) {
            return;
        }
    }
}

static void fewer_moments(struct shrinking *s)
{
    uint64_t passes = 0; /* a number of moments after which nothing fails */
    uint64_t fails = s->failure.step;
    struct world_options less = s->best;
    less.steps = fails;
    if (fails == 0 || !still_fails(s, &less)) {
        return;
    }
    while (passes + 1 < fails) {
        less = s->best;
        less.steps = passes + (fails - passes) / 2;
        if (still_fails(s, &less)) {
            fails = less.steps;
        } else {
            passes = less.steps;
        }
    }
}

int shrink_run(const struct campaign_options *options)
{
    struct shrinking s = {.best = options->run};
    s.best.trace = false;
    struct world_options first = s.best;
    if (!still_fails(&s, &first)) {
        printf("seed %llu does not fail\n", (ull)options->run.seed);
        return 0;
    }
    for (uint32_t round = 0; round < 2; round++) {
        fewer_faults(&s);
        fewer_payments(&s);
        fewer_phones(&s);
    }
    fewer_moments(&s);
    char command[512];
    command_print(options->program, &s.best, command, sizeof(command));
    printf("after %u runs the smallest that fails is\n    %s --trace\n%s\n", s.tried, command,
           s.failure.message[0] != '\0' ? s.failure.message : "the process died");
    printf("line for tests/sim/seeds.txt: %llu %u 0x%llx %llu\n", (ull)s.best.seed, s.best.payments,
           (ull)s.best.faults, (ull)s.best.steps);
    return 1;
}
