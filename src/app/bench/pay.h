/*
 * pay.h - people who pay: many phones, many paybills, and a sink for the callbacks. Sends STK
 * pushes (and approvals), and follows every payment from its push to its callback.
 *
 * A phone:  FREE --push--> PUSHING --accepted--> TO_APPROVE --> APPROVING --> APPROVED --+
 *             ^               |refused                 callback at any time --> called   |
 *             +---------------+--------------------- answered and called ----------------+
 * Without approval a phone waits from ACCEPTED for the callback that tells the expiry, or what a
 * rule of the operator made of the prompt.
 *
 * Guarantees: a payment counts as ended when its callback has come, once and for the id that its
 * push was answered with; every other callback is counted as unexpected. Latencies are measured
 * where the bytes arrive. A phone has one payment at a time, and the one that rested longest goes
 * first.
 */
#ifndef HAKIKA_APP_BENCH_PAY_H
#define HAKIKA_APP_BENCH_PAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/bench/child.h"
#include "app/bench/histogram.h"
#include "app/bench/load.h"

enum {
    PAY_AMOUNT_MINOR = 100, /* of each payment */
    PAY_PAYBILLS_MAX = 998, /* 600001 to 600998: dev and sandbox open them by themselves */
};

struct pay_options {
    struct child *child;
    uint32_t phones;
    uint32_t paybills; /* at most PAY_PAYBILLS_MAX */
    uint32_t targets;  /* ports of the sink: receivers of callbacks, for the server; at most 16 */
    bool approves;     /* with the right PIN, at once; else nobody answers the prompts ... */
    bool through_gateway; /* ... but a rule; the pushes go to Daraja's paths of the gateway, to the
                             short code that it opens with; paybills is 1 */
    const _Atomic bool *stop;
};

struct pay_load {
    uint32_t connections;
    uint32_t payers;     /* closed loop: payments under way at once; 0: no limit */
    uint32_t rate_per_s; /* open loop; 0: closed */
    uint32_t duration_ms;
};

struct pay_counts {
    uint64_t pushed;
    uint64_t accepted;
    uint64_t refused_busy;  /* pushes: "try again later" */
    uint64_t refused_other; /* pushes: any other answer but yes */
    uint64_t unanswered;    /* pushes: connection broken, or nothing in 10 s */
    uint64_t approval_retries;
    uint64_t approval_failures;
    uint64_t paid;        /* callbacks with ResultCode 0, first of their payment */
    uint64_t unpaid;      /* ... with another one */
    uint64_t unexpected;  /* callbacks that no payment waited for: doubled, or of an unknown id */
    uint64_t backlog_end; /* open loop: due and never sent */
    uint64_t starved;     /* open loop: ended early, every phone has a payment under way */
};

struct pay_stats {
    struct pay_counts counts;
    struct histogram ack;      /* push to acceptance */
    struct histogram whole;    /* push to callback */
    struct histogram refusal;  /* push to refusal */
    int64_t first_ns, last_ns; /* first push; last answer or callback */
    int64_t stall_ns;          /* longest time without an answer while requests were being sent */
    int64_t answered_ns;       /* when the latest one came */
    int64_t first_callback_ns, last_callback_ns; /* monotonic; 0: none */
    char surprise[160];                          /* the first unforeseen answer, or "" */
};

struct pay;

/* Sink, token, paybills and phones. NULL with a message. */
struct pay *pay_create(const struct pay_options *options, char error[256]);
void pay_destroy(struct pay *p); /* NULL is fine */

/* Runs a load, then waits until every accepted payment has ended or nothing has come for 10 s.
   (Without approval: does not wait.) */
bool pay_run(struct pay *p, const struct pay_load *load, char error[256]) MUST_USE;
/* Accepted and not ended. */
uint32_t pay_open(const struct pay *p);
/* Takes note of the callbacks that have come: for those who wait for something else. */
void pay_collect(struct pay *p);

/* Of everything since the last pay_clear. */
const struct pay_stats *pay_stats(const struct pay *p);
void pay_clear(struct pay *p);

/* What all paybills together have received, says the control API. False: it does not say. */
bool pay_received_minor(struct pay *p, int64_t *out) MUST_USE;

#endif
