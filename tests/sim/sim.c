/*
 * sim.c - the command line of the simulation:
 *
 *   sim --seed N [--trace] [--shrink]            one seed, told or made smaller
 *   sim --count N [--start S] [--jobs J]         many; or --seeds A..B
 *   --payments P --phones N --steps M --faults LIST|MASK|none --careful     what is run
 *   --seeds-file F                               seeds that failed once, run first
 *
 * The exit code is the verdict: 0 nothing found, 1 something was, 2 wrong arguments.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/campaign.h"

typedef unsigned long long ull;

/* ---- arguments ---- */

static _Noreturn void usage(const char *what)
{
    (void)fprintf(stderr,
                  "%s\nusage: sim --seed N | --count N [--start S] | --seeds A..B\n"
                  "    [--jobs N] [--payments N] [--phones N] [--steps N] [--faults LIST]\n"
                  "    [--trace] [--shrink] [--careful] [--seeds-file FILE] [--line] [--quiet]\n",
                  what);
    exit(2);
}

static uint64_t number_of(const char *text)
{
    char *end = NULL;
    uint64_t number = strtoull(text, &end, 0);
    if (end == text || *end != '\0') {
        usage("a number is expected");
    }
    return number;
}

static uint64_t faults_of(const char *text)
{
    if (strcmp(text, "all") == 0) {
        return faults_all();
    }
    if (strcmp(text, "none") == 0) {
        return 0;
    }
    if (text[0] >= '0' && text[0] <= '9') {
        return number_of(text) & faults_all();
    }
    uint64_t mask = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        uint64_t found = 0;
        for (uint32_t k = 0; k < FAULT_COUNT; k++) {
            const char *name = sim_fault_name(k);
            if (strlen(name) == length && strncmp(name, text, length) == 0) {
                found = (uint64_t)1 << k;
            }
        }
        if (found == 0) {
            usage("there is no such kind of fault");
        }
        mask |= found;
        text += length + (text[length] == ',');
    }
    return mask;
}

static void range_of(const char *text, struct campaign_options *o)
{
    char *end = NULL;
    o->start = strtoull(text, &end, 0);
    if (end == text || strncmp(end, "..", 2) != 0) {
        usage("--seeds takes A..B");
    }
    uint64_t last = number_of(end + 2);
    if (last < o->start) {
        usage("--seeds takes A..B, B not below A");
    }
    o->count = last - o->start + 1;
}

enum sim_option {
    OPTION_SEED = 1,
    OPTION_COUNT,
    OPTION_START,
    OPTION_SEEDS,
    OPTION_JOBS,
    OPTION_PAYMENTS,
    OPTION_PHONES,
    OPTION_STEPS,
    OPTION_FAULTS,
    OPTION_TRACE,
    OPTION_SHRINK,
    OPTION_CAREFUL,
    OPTION_SEEDS_FILE,
    OPTION_LINE,
    OPTION_QUIET,
};

struct arguments {
    struct campaign_options campaign;
    bool one;
    bool shrink;
};

static void take(struct arguments *a, int option)
{
    struct campaign_options *o = &a->campaign;
    switch (option) {
    case OPTION_SEED:
        o->run.seed = number_of(optarg);
        a->one = true;
        break;
    case OPTION_COUNT: o->count = number_of(optarg); break;
    case OPTION_START: o->start = number_of(optarg); break;
    case OPTION_SEEDS: range_of(optarg, o); break;
    case OPTION_JOBS: o->jobs = (uint32_t)number_of(optarg); break;
    case OPTION_PAYMENTS: o->run.payments = (uint32_t)number_of(optarg); break;
    case OPTION_PHONES: o->run.phones = (uint32_t)number_of(optarg); break;
    case OPTION_STEPS: o->run.steps = number_of(optarg); break;
    case OPTION_FAULTS: o->run.faults = faults_of(optarg); break;
    case OPTION_TRACE: o->run.trace = true; break;
    case OPTION_SHRINK: a->shrink = true; break;
    case OPTION_CAREFUL: o->run.careful = true; break;
    case OPTION_SEEDS_FILE: o->seeds_path = optarg; break;
    case OPTION_LINE: o->line = true; break;
    case OPTION_QUIET: o->quiet = true; break;
    default: usage("no such option");
    }
}

static void parse(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, OPTION_SEED},
        {"count", required_argument, NULL, OPTION_COUNT},
        {"start", required_argument, NULL, OPTION_START},
        {"seeds", required_argument, NULL, OPTION_SEEDS},
        {"jobs", required_argument, NULL, OPTION_JOBS},
        {"payments", required_argument, NULL, OPTION_PAYMENTS},
        {"phones", required_argument, NULL, OPTION_PHONES},
        {"steps", required_argument, NULL, OPTION_STEPS},
        {"faults", required_argument, NULL, OPTION_FAULTS},
        {"trace", no_argument, NULL, OPTION_TRACE},
        {"shrink", no_argument, NULL, OPTION_SHRINK},
        {"careful", no_argument, NULL, OPTION_CAREFUL},
        {"seeds-file", required_argument, NULL, OPTION_SEEDS_FILE},
        {"line", no_argument, NULL, OPTION_LINE},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {NULL, 0, NULL, 0},
    };
    a->campaign = (struct campaign_options){
        .program = argv[0],
        .start = 1,
        .count = 1000,
        .jobs = 2,
        .run = {.payments = WORLD_PAYMENTS_DEFAULT, .faults = faults_all()},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        take(a, option);
    }
    const struct campaign_options *o = &a->campaign;
    if (optind != argc || o->jobs == 0 || o->jobs > CAMPAIGN_JOBS_MAX || o->run.payments == 0 ||
        o->run.payments > AUDITOR_PAYMENTS_MAX / 2 || o->run.phones > 40) {
        usage("an argument is out of range");
    }
}

int main(int argc, char **argv)
{
    struct arguments a = {.one = false};
    parse(argc, argv, &a);
    char command[512];
    command_print(argv[0], &a.campaign.run, command, sizeof(command));
    sim_repeat = command;
    if (a.shrink) {
        return shrink_run(&a.campaign);
    }
    if (!a.one) {
        return campaign_run(&a.campaign);
    }
    struct world *w = world_create();
    campaign_live(w, &a.campaign.run);
    printf("seed %llu: nothing found; %llu decisions, %llu recoveries, trace %016llx\n",
           (ull)a.campaign.run.seed, (ull)w->tally.work[WORK_FRAMES],
           (ull)w->tally.work[WORK_RECOVERIES], (ull)w->trace);
    world_destroy(w);
    return 0;
}
