/*
 * internal.h - what the profiles of `hakika bench` share.
 */
#ifndef HAKIKA_APP_BENCH_INTERNAL_H
#define HAKIKA_APP_BENCH_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/bench/child.h"
#include "app/bench/report.h"

struct bench_options {
    uint32_t seconds;     /* of each measurement */
    uint32_t connections; /* of stk and hot; 0: the default */
    uint32_t payers;      /* payments under way in stk and hot; 0: the default */
    uint32_t rate;        /* of the open loops of surge and ack, pushes/s; 0: the default */
    bool json;
    bool view_off;           /* the server keeps no SQL view */
    const char *keep_closed; /* --keep-closed of the server; NULL: its default */
};

struct bench {
    struct bench_options options;
    char folder[512]; /* temporary, below the working directory */
    _Atomic bool stop;
    struct report report;
};

/* A profile: fills the report. False with a message when it could not be measured. */
bool bench_ledger(struct bench *b, char error[256]);
bool bench_ack(struct bench *b, char error[256]);
bool bench_stk(struct bench *b, char error[256]);
bool bench_hot(struct bench *b, char error[256]);
bool bench_gateway(struct bench *b, char error[256]);
bool bench_snapshot(struct bench *b, char error[256]);
bool bench_surge(struct bench *b, char error[256]);

/* Makes a data folder with so many closed payments in it. Exit status as bench_command's. */
int bench_history(const char *data, uint64_t payments);

/* The bar on a terminal: what runs, and for how long it will. Nothing elsewhere. */
void bench_progress(const char *what, uint32_t expected_ms);

static inline uint64_t bench_seconds_ms(const struct bench *b)
{
    return (uint64_t)b->options.seconds * 1000;
}

#endif
