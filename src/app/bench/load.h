/*
 * load.h - the sending end of a measurement: one thread that drives N keep-alive connections.
 *
 * Guarantees
 *  - closed loop (rate_per_s 0): each connection sends its next request when the former has ended;
 *    a latency runs from the sending.
 *  - open loop: request n is due at start + n / rate, whatever the server does; a latency runs from
 *    when the request was due, so that a server that stalls cannot hide what its users would have
 *    waited (no coordinated omission). Requests due but not sent are the backlog, without limit.
 *  - every request made is answered once through the answer function: with its status, or with 0
 *    when the connection broke, the answer was not understood or it did not come in time.
 *  - urgent requests (what follows from an answer: an approval after a push) go out as soon as a
 *    connection is idle, before those of the schedule, also after the schedule has ended.
 *  - no allocation per request. No function is called after load_run has returned.
 * Relies on answers with Content-Length (or 204). Tests: tests/unit/test_bench_tools.c.
 */
#ifndef HAKIKA_APP_BENCH_LOAD_H
#define HAKIKA_APP_BENCH_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

enum {
    LOAD_REQUEST_MAX = 16 * 1024,
    LOAD_ANSWER_MAX = 64 * 1024,
};

/* Closed loop: nothing to send at this moment; asked again at the next event (or by wake_fd). */
#define LOAD_LATER SIZE_MAX

/* Writes a whole request, from its request line on; returns its size, 0 for "no more", LOAD_LATER.
   *tag is its number; another value may be put there: it comes back with the answer. */
typedef size_t (*load_make_fn)(void *context, uint64_t *tag, char *buffer, size_t capacity);
/* The body lives until the function returns. */
typedef void (*load_answer_fn)(void *context, uint64_t tag, int status, struct span body,
                               int64_t latency_ns);

struct load_options {
    const char *host; /* NULL: 127.0.0.1 */
    uint16_t port;
    uint32_t connections;     /* 0: 1 */
    uint64_t rate_per_s;      /* 0: closed loop */
    uint64_t requests_max;    /* 0: no limit */
    uint32_t duration_ms;     /* 0: no limit; one of the limits, or stop, must end it */
    uint32_t timeout_ms;      /* of one request; 0: 10,000 */
    const _Atomic bool *stop; /* ends the sending when it becomes true; may be NULL */
    int wake_fd;              /* an eventfd that ends the waiting for events; 0: none */
    load_make_fn make;
    load_make_fn urgent;   /* 0: none now; may be NULL */
    load_answer_fn answer; /* may be NULL */
    void *context;
};

struct load_result {
    uint64_t sent;
    uint64_t answered;    /* with any status */
    uint64_t failed;      /* without one */
    uint64_t statuses[6]; /* answered, by class: [2] counts 2xx */
    uint64_t connects;    /* connections opened; more than asked for when some broke */
    uint64_t backlog_max; /* open loop: due and not sent, at worst */
    uint64_t backlog_end; /* ... and when the sending ended: these were never sent */
    int64_t elapsed_ns;   /* from the first sending to the last answer */
};

/* Runs until a limit is reached and what is under way has ended. False with a message when no
   connection could be made. */
bool load_run(const struct load_options *options, struct load_result *out,
              char error[256]) MUST_USE;

#endif
