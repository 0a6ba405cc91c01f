/*
 * report.h - the figures of a measurement, as text for people or as one JSON object per profile.
 *
 * Guarantees: integers only; a figure that could not be taken is left out, never shown as 0.
 */
#ifndef HAKIKA_APP_BENCH_REPORT_H
#define HAKIKA_APP_BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "app/bench/fsync_rate.h"
#include "app/bench/histogram.h"

enum {
    REPORT_PHASES_MAX = 12,
    REPORT_LATENCIES_MAX = 4,
    REPORT_COUNTS_MAX = 16,
};

#define REPORT_UNKNOWN UINT64_MAX

struct report_latency {
    const char *name; /* "push to acknowledgement"; a literal */
    const char *key;  /* "ack": p50 becomes ack_p50_ms; NULL: p50_ms */
    int64_t p50_ns, p99_ns, p999_ns, max_ns;
};

/* What is counted beside the operations; errors make the exit status 1. */
struct report_count {
    const char *name; /* a literal, as a JSON key: "refused_busy" */
    uint64_t count;
    bool is_error;
};

struct report_phase {
    char name[64];         /* "64 connections" */
    const char *operation; /* "payments", a literal */
    uint64_t operations;
    int64_t elapsed_ns;
    uint64_t server_user_us,
        server_system_us;   /* CPU of the server, all threads; or REPORT_UNKNOWN */
    uint64_t load_us;       /* CPU of generator and sink; or REPORT_UNKNOWN */
    uint64_t others_us;     /* CPU of all other processes; or REPORT_UNKNOWN */
    uint64_t journal_bytes; /* of frames; or REPORT_UNKNOWN */
    uint64_t disk_bytes;    /* written by the server, all files; REPORT_UNKNOWN */
    uint64_t syncs;         /* group commits; or REPORT_UNKNOWN */
    struct report_latency latencies[REPORT_LATENCIES_MAX]; /* the first is the main one */
    uint32_t latencies_count;
    struct report_count counts[REPORT_COUNTS_MAX];
    uint32_t counts_count;
};

struct report {
    const char *profile;
    char title[160];
    struct report_phase phases[REPORT_PHASES_MAX];
    uint32_t phases_count;
    uint32_t main_phase; /* whose figures stand at the top of the JSON object */
    char problems[4][200];
    uint32_t problems_count; /* sums that do not agree: exit status 1 */
    struct fsync_rate fsync_4k, fsync_64k;
};

/* The next phase, all unknown. */
struct report_phase *report_phase_add(struct report *r, const char *name, const char *operation);
void report_latency_add(struct report_phase *p, const char *name, const char *key,
                        const struct histogram *h);
/* Counts of 0 are kept in JSON and left out of the text, but for errors. */
void report_count_add(struct report_phase *p, const char *name, uint64_t count, bool is_error);
void report_problem(struct report *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

uint64_t report_rate(const struct report_phase *p);
uint64_t report_errors(const struct report *r);

void report_print_text(const struct report *r);
void report_print_json(const struct report *r);

#endif
