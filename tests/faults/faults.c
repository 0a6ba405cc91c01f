/*
 * faults.c - the command line of the fault tests:
 *
 *   faults kill  --program build/hakika --folder DIR [--seed N] [--cycles N] [--load-ms N]
 *   faults cut   ... the same; DIR is a mount point that may be shut down, see power_cut.c
 *   faults nth   ... --shim LIBRARY --call NAME --mode NAME [--stride N]
 *   faults full  ... DIR is a small tmpfs
 *
 * Exit status: 0 all held, 1 a violation (with how to repeat it), 2 wrong arguments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/faults.h"

struct command {
    const char *name;
    int (*run)(const struct fault_options *options);
};

static const struct command COMMANDS[] = {
    {"kill", kill_loop},
    {"cut", power_cut},
    {"nth", nth_failure},
    {"full", full_disk},
};

static bool option(struct fault_options *o, const char *name, const char *value)
{
    struct {
        const char *name;
        const char **text;
        uint32_t *number;
    } known[] = {
        {"--program", &o->program, NULL}, {"--folder", &o->folder, NULL},
        {"--shim", &o->shim, NULL},       {"--call", &o->call, NULL},
        {"--mode", &o->mode, NULL},       {"--cycles", NULL, &o->cycles},
        {"--stride", NULL, &o->stride},   {"--load-ms", NULL, &o->load_ms},
    };
    if (strcmp(name, "--seed") == 0) {
        o->seed = strtoull(value, NULL, 10);
        return true;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i].name) != 0) {
            continue;
        }
        if (known[i].text != NULL) {
            *known[i].text = value;
        } else {
            *known[i].number = (uint32_t)strtoul(value, NULL, 10);
        }
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct fault_options options = {.seed = 1, .cycles = 20, .stride = 1, .load_ms = 300};
    for (int i = 2; i + 1 < argc; i += 2) {
        if (!option(&options, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "faults: there is no option %s\n", argv[i]);
            return 2;
        }
    }
    for (size_t i = 0; argc > 1 && i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
        if (strcmp(argv[1], COMMANDS[i].name) == 0 && options.program != NULL &&
            options.folder != NULL) {
            return COMMANDS[i].run(&options);
        }
    }
    (void)fprintf(stderr, "usage: faults kill|cut|nth|full --program FILE --folder DIR [...]\n");
    return 2;
}
