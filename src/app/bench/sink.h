/*
 * sink.h - the receiving end of a measurement: an HTTP/1.1 server on loopback that accepts every
 * callback with {"ResultCode":0,"ResultDesc":"Accepted"}, as merchants do, and hands the body out.
 *
 * Guarantees: one thread, one answer per request in order (pipelined requests too), no allocation
 * per request. A request larger than SINK_REQUEST_MAX or not HTTP ends its connection.
 * It answers whoever asks and checks nothing: it listens on loopback only.
 * Tests: tests/unit/test_bench_tools.c.
 */
#ifndef HAKIKA_APP_BENCH_SINK_H
#define HAKIKA_APP_BENCH_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

enum { SINK_REQUEST_MAX = 16 * 1024 };

/* Called in the sink's thread, before the answer is sent. The body lives until it returns. */
typedef void (*sink_body_fn)(void *context, struct span body);

enum { SINK_PORTS_MAX = 16 };

struct sink_options {
    uint16_t port;  /* 0: any that is free */
    uint32_t ports; /* how many, all free ones but the first: targets of their own; 0: 1 */
    uint32_t connections_max; /* 0: 1,024 */
    sink_body_fn body;        /* may be NULL */
    /* Called in the sink's thread when it has handed out what had come: one wake-up for many. */
    void (*rested)(void *context);
    void *context;
};

struct sink;

/* NULL with a message on failure. */
struct sink *sink_start(const struct sink_options *options, char error[256]);
uint16_t sink_port(const struct sink *sink);
/* The i-th of several, i < ports. */
uint16_t sink_port_at(const struct sink *sink, uint32_t i);
/* Requests answered so far. */
uint64_t sink_count(const struct sink *sink);
/* NULL is fine. */
void sink_stop(struct sink *sink);

#endif
