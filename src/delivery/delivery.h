/*
 * delivery.h - the door of outbound HTTP: one thread with libcurl's multi interface takes work
 * from a bounded ring, sends it, and reports each attempt back through another ring.
 *
 * Guarantees
 *  D1  every job that delivery_submit accepted is reported exactly once, whatever happens.
 *  D2  an attempt ends within its time limits (connect, total); nothing is retried here: retries,
 *      schedules, per-target concurrency and circuit breaking are decided by the book's outbox.
 *  D3  answers are bounded: at most answer_bytes_max of a body is kept, the rest is read and
 *      dropped up to a limit and then the connection is closed.
 *  D4  redirects are never followed; only http and https; no proxy from the environment.
 *  D5  connections are reused; a slow target occupies only its own connections.
 * The strings of a job are copied by delivery_submit; those of a report live until the report
 * callback returns, which may submit again. All functions are called by one thread.
 * Targets (scheme, host, port) take turns; each has at most 128 attempts under way and never more
 * than as many connections as it leaves free, so that targets that hang leave room for the others.
 * A job that waits for a connection has not begun: its time limits run from its sending.
 * RESOLVE, CONNECT, TLS, BAD_URL and FORBIDDEN mean that nothing of the request was sent.
 */
#ifndef HAKIKA_DELIVERY_DELIVERY_H
#define HAKIKA_DELIVERY_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/delivery_error.h"
#include "base/span.h"

enum {
    DELIVERY_ANSWER_BYTES_MAX = 8 * 1024, /* what a provider answers to a question is read whole */
    DELIVERY_HEADERS_MAX = 8,
};

struct delivery_job {
    uint64_t id; /* the caller's; comes back in the report */
    uint64_t generation;
    struct span url;
    struct span body; /* POSTed as content_type; data NULL: a GET */
    const char *content_type;
    uint32_t total_ms; /* time limit of this one, instead of the options'; 0: theirs */
    const char *headers[DELIVERY_HEADERS_MAX]; /* "Name: value", NULL-terminated when fewer */
};

struct delivery_report {
    uint64_t id;
    uint64_t generation;
    enum delivery_error error;
    uint16_t status; /* 0 without an answer */
    uint32_t duration_ms;
    int64_t retry_after_ms; /* from Retry-After in seconds form; -1 absent */
    struct span answer;     /* start of the answer's body */
};

struct delivery_options {
    uint32_t jobs_max;          /* accepted and not yet reported; default 1,024 */
    uint32_t connections_max;   /* in all; default 512 */
    uint32_t connect_ms;        /* default 5,000 */
    uint32_t total_ms;          /* default 10,000 */
    bool allow_private_targets; /* false: refuse loopback, private, link-local, multicast addresses
                                   (checked on the address that is really connected to) */
    const char *allow_cidrs;    /* "127.0.0.0/8,::1/128": allowed although private; may be NULL */
    const char *user_agent;
    const char *resolve_from; /* tests: "host:port:address,..." as curl's RESOLVE, several
                                   separated by blanks; may be NULL */
};

struct delivery;

/* May the whole internet connect to it? (Not loopback, private, link-local, multicast.) */
struct sockaddr;
bool delivery_address_public(const struct sockaddr *address);

/* A list of networks, "10.0.0.0/8,::1": is it one, and is this numeric address in one of them? */
bool delivery_networks_good(const char *cidrs) MUST_USE;
bool delivery_networks_contain(const char *cidrs, struct span address) MUST_USE;

/* This address and port may be connected to although it is private: what the same process serves.
 * Before the first job. False: it is no numeric address. */
bool delivery_allow_peer(struct delivery *delivery, const char *address, uint16_t port) MUST_USE;

/* Starts the thread; NULL with a message on failure. */
struct delivery *delivery_start(const struct delivery_options *options, char error[256]);

/* Jobs that can be submitted now without refusal. */
uint32_t delivery_room(const struct delivery *delivery);
/* False: no room (nothing happened). Wakes the thread at most once per delivery_flush. */
bool delivery_submit(struct delivery *delivery, const struct delivery_job *job) MUST_USE;
/* Nothing that was submitted is sure to start before this. */
void delivery_flush(struct delivery *delivery);

/* An eventfd that is readable when reports wait. */
int delivery_descriptor(const struct delivery *delivery);
typedef void (*delivery_report_fn)(void *context, const struct delivery_report *report);
/* Hands out up to max waiting reports; returns how many. */
uint32_t delivery_collect(struct delivery *delivery, uint32_t max, delivery_report_fn report,
                          void *context);

/* Jobs submitted and not yet collected. */
uint32_t delivery_in_flight(const struct delivery *delivery);

/* Refuses new jobs from now on; jobs not begun end at once and attempts under way after grace_ms,
 * as DELIVERY_STOPPED. Does not wait: reports are collected as ever until none is in flight. */
void delivery_close(struct delivery *delivery, uint32_t grace_ms);

/* Closes (unless that was done), waits for the attempts under way and joins the thread. Reports
 * still waiting are dropped: the outbox will try those again. NULL is fine. */
void delivery_stop(struct delivery *delivery, uint32_t grace_ms);

#endif
