/*
 * child.h - the server that is measured: this program, started as `hakika serve`, with what its
 * kernel and its /metrics know about it.
 *
 * Guarantees: the server dies with this process whatever happens to it (PR_SET_PDEATHSIG).
 * Linux only: /proc.
 */
#ifndef HAKIKA_APP_BENCH_CHILD_H
#define HAKIKA_APP_BENCH_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/span.h"

enum {
    CHILD_ANSWER_MAX = 64 * 1024,
    CHILD_ARGUMENTS_MAX = 14,
};

struct child {
    pid_t pid;              /* 0: none */
    uint16_t port;          /* the operator's */
    uint16_t merchant_port; /* 0: it has no merchant book */
    char data[512];
    char answer[CHILD_ANSWER_MAX + 1]; /* the last one, whole */
};

/* What the server has used and done so far; differences of two are what a phase cost. */
struct child_usage {
    uint64_t user_us, system_us; /* all its threads, and snapshots that have ended */
    uint64_t disk_bytes;         /* UINT64_MAX: the kernel does not tell us */
    uint64_t journal_bytes;
    uint64_t batches;
    uint64_t snapshots;
    uint64_t load_us;    /* of this process */
    uint64_t machine_us; /* of everybody, by all processors; 0: not known */
};

/* Starts it on `data` (made when missing) with further arguments (NULL-terminated) and waits until
   it is ready. False with a message. */
bool child_start(struct child *c, const char *data, const char *const *arguments,
                 char error[256]) MUST_USE;
/* SIGTERM, then patience, then SIGKILL. Nothing when none runs. */
void child_stop(struct child *c);

/* One request on a connection of its own; 0 when there was no answer. body_out lives until the next
   one. Long answers are waited for up to timeout_ms. */
int child_request(struct child *c, const char *method, const char *path, const char *headers,
                  const char *body, uint32_t timeout_ms, struct span *body_out);

/* CPU that this whole machine has used since its start; 0: not known. */
uint64_t child_machine_us(void);
/* As getrusage tells it. */
uint64_t child_time_us(struct timeval t);

/* False when it has gone. */
bool child_usage(struct child *c, struct child_usage *out) MUST_USE;

/* The server's metrics now, as text in c->answer; then single values ("name" or "name{label}"), 0
   when absent. */
bool child_metrics(struct child *c) MUST_USE;
uint64_t child_metric(const struct child *c, const char *name);
/* The sum over all labels. */
uint64_t child_metric_sum(const struct child *c, const char *name);

#endif
