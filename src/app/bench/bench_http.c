/*
 * bench_http.c - the profiles that go through the whole program over HTTP: ack, stk, hot, surge.
 *
 * Each ends with questions whose answers must agree: what the generator saw, what the server
 * counted and what the accounts hold.
 */
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/bench/internal.h"
#include "app/bench/pay.h"
#include "app/bench/sink.h"
#include "app/monotonic.h"

enum {
    WARM_UP_MS = 1000,
    CONNECTIONS_DEFAULT = 128,
    PAYERS_DEFAULT = 512,
    PHONES = 100000,       /* of stk and hot */
    PHONES_SURGE = 400000, /* each payment that is under way holds one */
    ACK_PHONES_PER_S = 80000,
    ACK_PHONES_MAX = 1500000,
    ACK_OPEN_RATE =
        40000, /* of the last level; 4/5 of what the slowest one carried if that is less */
    SURGE_CONNECTIONS = 1000,
    PROBE_RATE_PER_S = 500,
    PROBE_CONNECTIONS = 16,
    EXPIRY_MS_MAX = 120000,
    STATE_BYTES = 100 * 1000 * 1000, /* of the profile snapshot, before it is measured */
    FILL_MS = 2000,
    FILL_ROUNDS_MAX = 100,
};

/* A server and its payers. */
struct scene {
    struct bench *bench;
    struct child child;
    struct pay *pay;
    int64_t received_minor;     /* by the paybills, before any payment */
    const char *snapshot_bytes; /* --snapshot-bytes of the server; NULL: its default */
    bool through_gateway;
};

static bool scene_open(struct scene *s, const struct pay_options *o, const char *clock,
                       char error[256])
{
    char data[600];
    /* A state of 100 MB is reached only when what is closed stays in memory ("0"). */
    const char *keep_closed = s->snapshot_bytes != NULL ? "0" : s->bench->options.keep_closed;
    const char *view = s->bench->options.view_off ? "off" : "on";
    const char *const all[][2] = {{"--profile", "sandbox"},
                                  {"--book", o->through_gateway ? "both" : "operator"},
                                  {"--merchant-port", o->through_gateway ? "0" : NULL},
                                  {"--clock", clock},
                                  {"--view", view},
                                  {"--keep-closed", keep_closed},
                                  {"--snapshot-bytes", s->snapshot_bytes}};
    enum { FLAGS = sizeof(all) / sizeof(all[0]) };
    const char *arguments[2 * FLAGS + 2] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < FLAGS; i++) {
        if (all[i][1] != NULL) {
            arguments[count++] = all[i][0];
            arguments[count++] = all[i][1];
        }
    }
    arguments[count] = o->through_gateway ? "--allow-private-targets" : NULL; /* the sink */
    (void)snprintf(data, sizeof(data), "%s/data", s->bench->folder);
    bench_progress("starting the server, opening phones and paybills", 0);
    if (!child_start(&s->child, data, arguments, error)) {
        return false;
    }
    struct pay_options options = *o;
    options.child = &s->child;
    options.stop = &s->bench->stop;
    s->pay = pay_create(&options, error);
    if (s->pay != NULL && !pay_received_minor(s->pay, &s->received_minor)) {
        (void)snprintf(error, 256, "the server does not tell what the paybills hold");
        return false;
    }
    return s->pay != NULL;
}

static void scene_close(struct scene *s)
{
    child_stop(&s->child);
    pay_destroy(s->pay);
}

/* ---- figures of a phase --------------------------------------------------------------------- */

static void phase_usage(struct report_phase *phase, const struct child_usage *before,
                        const struct child_usage *after)
{
    phase->server_user_us = after->user_us - before->user_us;
    phase->server_system_us = after->system_us - before->system_us;
    phase->load_us = after->load_us - before->load_us;
    uint64_t ours_us = phase->server_user_us + phase->server_system_us + phase->load_us;
    uint64_t all_us = after->machine_us - before->machine_us;
    phase->others_us = all_us > ours_us ? all_us - ours_us : 0;
    phase->journal_bytes = after->journal_bytes - before->journal_bytes;
    phase->syncs = after->batches - before->batches;
    report_count_add(phase, "snapshots", after->snapshots - before->snapshots, false);
    if (after->disk_bytes != UINT64_MAX && before->disk_bytes != UINT64_MAX) {
        phase->disk_bytes = after->disk_bytes - before->disk_bytes;
    }
}

static void phase_counts(struct report_phase *phase, const struct pay_counts *c, bool surge)
{
    report_count_add(phase, "pushes", c->pushed, false);
    report_count_add(phase, "accepted", c->accepted, false);
    report_count_add(phase, "refused_busy", c->refused_busy, !surge);
    report_count_add(phase, "refused_otherwise", c->refused_other, true);
    report_count_add(phase, "unanswered", c->unanswered, true);
    report_count_add(phase, "approvals_repeated", c->approval_retries, false);
    report_count_add(phase, "approvals_failed", c->approval_failures, true);
    report_count_add(phase, "unpaid", c->unpaid, true);
    report_count_add(phase, "callbacks_unexpected", c->unexpected, true);
    report_count_add(phase, "never_sent", c->backlog_end, false);
}

static uint64_t ms_of(int64_t ns)
{
    return (uint64_t)ns / 1000000;
}

/* One measured run. NULL with a message when it could not be made. */
static struct report_phase *measure(struct scene *s, const char *name, const char *operation,
                                    const struct pay_load *load, char error[256])
{
    struct child_usage before;
    struct child_usage after;
    bench_progress(name, load->duration_ms);
    pay_clear(s->pay);
    if (!child_usage(&s->child, &before) || !pay_run(s->pay, load, error) ||
        !child_usage(&s->child, &after)) {
        if (error[0] == '\0') {
            (void)snprintf(error, 256, "the server has gone");
        }
        return NULL;
    }
    struct report_phase *phase = report_phase_add(&s->bench->report, name, operation);
    const struct pay_stats *stats = pay_stats(s->pay);
    phase->elapsed_ns = stats->last_ns - stats->first_ns;
    phase_usage(phase, &before, &after);
    if (stats->surprise[0] != '\0') {
        report_problem(&s->bench->report, "an answer that was not foreseen: %s", stats->surprise);
    }
    return phase;
}

/* ---- do the sums agree? --------------------------------------------------------------------- */

static void agree(struct report *r, const char *what, uint64_t one, const char *other_what,
                  uint64_t other)
{
    if (one != other) {
        report_problem(r, "%s %" PRIu64 ", but %s %" PRIu64, what, one, other_what, other);
    }
}

/* accepted and ended: what the generator saw of all runs on this server. */
static void check_sums(struct scene *s, uint64_t accepted, uint64_t ended, uint64_t paid)
{
    struct report *r = &s->bench->report;
    struct child *c = &s->child;
    int64_t received_minor = 0;
    /* The sink counts a callback before the server has its answer, and the server shows what is on
     * disk only. */
    for (int tries = 0; tries < 200; tries++) {
        if (!child_metrics(c)) {
            report_problem(r, "the server does not answer any more");
            return;
        }
        if (child_metric(c, "hakika_callbacks_in_flight") == 0 &&
            child_metric(c, "hakika_callbacks_waiting") == 0 &&
            child_metric(c, "hakika_callbacks_delivered_total") == ended) {
            break;
        }
        struct timespec beat = {0, 10000000};
        (void)nanosleep(&beat, NULL);
    }
    agree(r, "accepted were", accepted, "ended with a callback", ended);
    agree(r, "answered as accepted were", accepted, "the server accepted",
          child_metric(c, "hakika_payments_accepted_total"));
    agree(r, "callbacks came for", ended, "the server ended",
          child_metric_sum(c, "hakika_payments_ended_total"));
    agree(r, "callbacks came for", ended, "the server counts as delivered",
          child_metric(c, "hakika_callbacks_delivered_total"));
    agree(r, "payments left open", child_metric(c, "hakika_payments_open"), "expected", 0);
    agree(r, "callbacks given up", child_metric(c, "hakika_callbacks_dead"), "expected", 0);
    agree(r, "attempts that failed", child_metric(c, "hakika_callback_attempts_failed_total"),
          "expected", 0);
    if (!pay_received_minor(s->pay, &received_minor)) {
        report_problem(r, "the server does not tell what the paybills hold");
        return;
    }
    agree(r, "cents received by the paybills", (uint64_t)(received_minor - s->received_minor),
          "paid", paid * PAY_AMOUNT_MINOR);
}

/* ---- stk and hot ---------------------------------------------------------------------------- */

/* The size of the newest snapshot: that of the state, as it is saved. */
static uint64_t state_bytes(const struct child *c)
{
    char path[600];
    char newest[256] = "";
    struct stat info = {.st_size = 0};
    (void)snprintf(path, sizeof(path), "%s/operator", c->data);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        const char *end = strstr(e->d_name, ".snap");
        if (end != NULL && end[5] == '\0' && strcmp(e->d_name, newest) > 0) {
            (void)snprintf(newest, sizeof(newest), "%s", e->d_name); /* positions, zero-filled */
        }
    }
    if (newest[0] == '\0' || fstatat(dirfd(dir), newest, &info, 0) != 0) {
        info.st_size = 0;
    }
    (void)closedir(dir);
    return (uint64_t)info.st_size;
}

/* Before the measurement: payments until the state is as large as the scene asks for. */
static bool fill(struct scene *s, struct pay_load load, struct pay_counts *total, char error[256])
{
    bench_progress("making payments until the state has 100 MB", FILL_MS * 10);
    load.duration_ms = FILL_MS;
    for (int i = 0; state_bytes(&s->child) < STATE_BYTES; i++) {
        if (i == FILL_ROUNDS_MAX || atomic_load(&s->bench->stop)) {
            (void)snprintf(error, 256, "%d rounds of %d ms did not fill the state", i, FILL_MS);
            return false;
        }
        if (!pay_run(s->pay, &load, error)) {
            return false;
        }
    }
    *total = pay_stats(s->pay)->counts;
    return true;
}

static bool whole_life(struct bench *b, uint32_t paybills, struct scene *s, uint32_t phones,
                       struct pay_counts *total, char error[256])
{
    struct pay_options o = {
        .phones = phones,
        .paybills = paybills,
        .targets = paybills < SINK_PORTS_MAX ? paybills : SINK_PORTS_MAX,
        .approves = !s->through_gateway,
        .through_gateway = s->through_gateway,
    };
    struct pay_load load = {
        .connections = b->options.connections != 0 ? b->options.connections : CONNECTIONS_DEFAULT,
        .payers = b->options.payers != 0 ? b->options.payers : PAYERS_DEFAULT,
        .duration_ms = WARM_UP_MS,
    };
    char name[64];
    s->bench = b;
    if (!scene_open(s, &o, "real", error)) {
        return false;
    }
    bench_progress("warming up", WARM_UP_MS);
    if (!pay_run(s->pay, &load, error)) {
        return false;
    }
    *total = pay_stats(s->pay)->counts;
    if (s->snapshot_bytes != NULL && !fill(s, load, total, error)) {
        return false;
    }
    load.duration_ms = (uint32_t)bench_seconds_ms(b);
    (void)snprintf(name, sizeof(name), "%u payers at once, %u connections", load.payers,
                   load.connections);
    struct report_phase *phase = measure(s, name, "payments", &load, error);
    if (phase == NULL) {
        return false;
    }
    const struct pay_stats *stats = pay_stats(s->pay);
    phase->operations = stats->counts.paid;
    report_latency_add(phase, "push to callback", NULL, &stats->whole);
    report_latency_add(phase, "push to acknowledgement", "ack", &stats->ack);
    phase_counts(phase, &stats->counts, false);
    report_count_add(phase, "longest_stall_ms", ms_of(stats->stall_ns), false);
    total->accepted += stats->counts.accepted;
    total->paid += stats->counts.paid;
    total->unpaid += stats->counts.unpaid;
    return true;
}

/* `how` has the settings of the scene only. */
static bool stk_on(struct bench *b, uint32_t paybills, const struct scene *how, char error[256])
{
    struct scene *s = calloc(1, sizeof(*s));
    struct pay_counts total;
    CHECK(s != NULL);
    (void)snprintf(b->report.title, sizeof(b->report.title),
                   "push, PIN, ledger, callback%s; %u paybill%s, %u phones",
                   how->through_gateway ? ", through the gateway" : "", paybills,
                   paybills == 1 ? "" : "s", PHONES);
    s->snapshot_bytes = how->snapshot_bytes;
    s->through_gateway = how->through_gateway;
    bool ok = whole_life(b, paybills, s, PHONES, &total, error);
    if (ok) {
        uint64_t bytes = state_bytes(&s->child);
        if (bytes > 0) {
            report_count_add(&b->report.phases[0], "state_mb", bytes / 1000000, false);
        }
        check_sums(s, total.accepted, total.paid + total.unpaid, total.paid);
    }
    scene_close(s);
    free(s);
    return ok;
}

bool bench_stk(struct bench *b, char error[256])
{
    static const struct scene AS_IT_IS;
    return stk_on(b, PAY_PAYBILLS_MAX, &AS_IT_IS, error);
}

/* A snapshot every two seconds or so, one after the other. */
bool bench_snapshot(struct bench *b, char error[256])
{
    static const struct scene OFTEN = {.snapshot_bytes = "16777216"};
    return stk_on(b, PAY_PAYBILLS_MAX, &OFTEN, error);
}

bool bench_hot(struct bench *b, char error[256])
{
    static const struct scene AS_IT_IS;
    return stk_on(b, 1, &AS_IT_IS, error);
}

bool bench_gateway(struct bench *b, char error[256])
{
    static const struct scene THROUGH = {.through_gateway = true};
    return stk_on(b, 1, &THROUGH, error);
}

/* ---- surge ---------------------------------------------------------------------------------- */

static bool surge_measure(struct scene *s, struct pay_counts *total, char error[256])
{
    struct bench *b = s->bench;
    uint64_t nominal = report_rate(&b->report.phases[0]);
    struct pay_load load = {
        .connections = SURGE_CONNECTIONS,
        .rate_per_s = b->options.rate != 0 ? b->options.rate : (uint32_t)(3 * nominal),
        .duration_ms = (uint32_t)bench_seconds_ms(b),
    };
    char name[64];
    (void)snprintf(name, sizeof(name), "open loop, %u pushes/s, %u connections", load.rate_per_s,
                   load.connections);
    struct report_phase *phase = measure(s, name, "payments", &load, error);
    if (phase == NULL) {
        return false;
    }
    const struct pay_stats *stats = pay_stats(s->pay);
    phase->operations = stats->counts.paid;
    report_latency_add(phase, "push to callback", NULL, &stats->whole);
    report_latency_add(phase, "push to acknowledgement", "ack", &stats->ack);
    report_latency_add(phase, "push to refusal", "refusal", &stats->refusal);
    phase_counts(phase, &stats->counts, true);
    /* What the offered load costs both ends tells how much of it this machine can bear at all. */
    uint64_t requests = stats->counts.pushed + stats->counts.accepted; /* with the approvals */
    if (requests > 0) {
        uint64_t server_us = phase->server_user_us + phase->server_system_us;
        report_count_add(phase, "server_ns_per_request", server_us * 1000 / requests, false);
        report_count_add(phase, "load_ns_per_request", phase->load_us * 1000 / requests, false);
    }
    if (nominal > 0) {
        report_count_add(phase, "goodput_percent_of_stk", report_rate(phase) * 100 / nominal,
                         false);
    }
    if (stats->counts.starved > 0) {
        report_problem(&b->report, "ended early: %u payments were under way at once", PHONES_SURGE);
    }
    total->accepted += stats->counts.accepted;
    total->paid += stats->counts.paid;
    total->unpaid += stats->counts.unpaid;
    b->report.main_phase = 1;
    return true;
}

bool bench_surge(struct bench *b, char error[256])
{
    struct scene *s = calloc(1, sizeof(*s));
    struct pay_counts total;
    CHECK(s != NULL);
    (void)snprintf(b->report.title, sizeof(b->report.title),
                   "what stk carries, then three times as much in an open loop; %u paybills",
                   PAY_PAYBILLS_MAX);
    bool ok = whole_life(b, PAY_PAYBILLS_MAX, s, PHONES_SURGE, &total, error) &&
              surge_measure(s, &total, error);
    if (ok) {
        check_sums(s, total.accepted, total.paid + total.unpaid, total.paid);
    }
    scene_close(s);
    free(s);
    return ok;
}

/* ---- ack ------------------------------------------------------------------------------------ */

/* While all prompts expire at one instant of the virtual clock, somebody else asks things. */
struct expiry {
    struct scene *scene;
    struct child client; /* of the thread that moves the clock: an answer buffer of its own */
    pthread_t thread;
    int status; /* of the request that moved the clock */
    _Atomic bool moved;
    int64_t begun_ns;
    int64_t expired_ns; /* no payment open any more */
    struct histogram probe;
    uint64_t probe_failures;
};

static void *expiry_move_clock(void *context)
{
    struct expiry *e = context;
    struct span body;
    e->status = child_request(&e->client, "POST", "/sim/v1/clock", "", "{\"advance_ms\":61000}",
                              EXPIRY_MS_MAX, &body);
    atomic_store(&e->moved, true);
    return NULL;
}

/* Every tenth question is for the metrics; the others read durable state, as customers do. */
static size_t expiry_probe(void *context, uint64_t *tag, char *buffer, size_t capacity)
{
    struct expiry *e = context;
    pay_collect(e->scene->pay);
    int size = snprintf(buffer, capacity, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
                        *tag % 10 == 0 ? "/metrics" : "/sim/v1/subscribers/254708374149",
                        e->scene->child.port);
    return (size_t)size;
}

static void expiry_answer(void *context, uint64_t tag, int status, struct span body,
                          int64_t latency_ns)
{
    struct expiry *e = context;
    static const char NONE_OPEN[] = "\nhakika_payments_open 0\n";
    histogram_add(&e->probe, latency_ns);
    e->probe_failures += status == 200 ? 0 : 1;
    if (tag % 10 == 0 && e->expired_ns == 0 &&
        memmem(body.data, body.size, NONE_OPEN, sizeof(NONE_OPEN) - 1) != NULL) {
        e->expired_ns = monotonic_ns();
    }
}

static bool expiry_run(struct expiry *e, char error[256])
{
    struct load_result result;
    struct load_options load = {
        .port = e->scene->child.port,
        .connections = PROBE_CONNECTIONS,
        .rate_per_s = PROBE_RATE_PER_S,
        .timeout_ms = EXPIRY_MS_MAX,
        .stop = &e->moved,
        .make = expiry_probe,
        .answer = expiry_answer,
        .context = e,
    };
    e->client.port = e->scene->child.port;
    e->begun_ns = monotonic_ns();
    if (pthread_create(&e->thread, NULL, expiry_move_clock, e) != 0) {
        (void)snprintf(error, 256, "no thread");
        return false;
    }
    bool ok = load_run(&load, &result, error);
    (void)pthread_join(e->thread, NULL);
    pay_collect(e->scene->pay);
    if (ok && e->status != 200) {
        (void)snprintf(error, 256, "the clock did not move: %d", e->status);
        ok = false;
    }
    return ok;
}

/* The prompts of all levels' pushes since the last expiry end; one phase of the report. */
static bool expire_all(struct scene *s, uint32_t prompts, char error[256])
{
    struct report *r = &s->bench->report;
    struct expiry *e = calloc(1, sizeof(*e));
    struct child_usage before;
    struct child_usage after;
    char name[64];
    CHECK(e != NULL);
    e->scene = s;
    (void)snprintf(name, sizeof(name), "all %u prompts expire at once", prompts);
    bench_progress(name, 10000);
    pay_clear(s->pay);
    bool ok =
        child_usage(&s->child, &before) && expiry_run(e, error) && child_usage(&s->child, &after);
    if (ok) {
        const struct pay_stats *stats = pay_stats(s->pay);
        struct report_phase *phase = report_phase_add(r, name, "expiries with callback");
        phase->operations = stats->counts.unpaid;
        phase->elapsed_ns =
            stats->last_callback_ns > e->begun_ns ? stats->last_callback_ns - e->begun_ns : 0;
        phase_usage(phase, &before, &after);
        report_latency_add(phase, "others meanwhile", NULL, &e->probe);
        report_count_add(phase, "expired_after_ms",
                         (uint64_t)(e->expired_ns == 0 ? 0 : e->expired_ns - e->begun_ns) / 1000000,
                         false);
        report_count_add(phase, "probes_failed", e->probe_failures, true);
        report_count_add(phase, "paid", stats->counts.paid, true);
        report_count_add(phase, "callbacks_unexpected", stats->counts.unexpected, true);
        agree(r, "prompts", prompts, "expired", stats->counts.unpaid);
    }
    free(e);
    return ok;
}

/* One number of connections, and then the expiry of what it left. rate 0: closed loop. The rate of
   acceptance goes to *rate_out. */
static bool ack_level(struct scene *s, uint32_t connections, uint32_t rate, uint64_t *rate_out,
                      uint64_t *accepted, char error[256])
{
    struct pay_load load = {
        .connections = connections,
        .rate_per_s = rate,
        .duration_ms = (uint32_t)bench_seconds_ms(s->bench),
    };
    char name[64];
    (void)snprintf(name, sizeof(name), "%u connections", connections);
    if (rate > 0) {
        (void)snprintf(name, sizeof(name), "%u connections, open loop, %u pushes/s", connections,
                       rate);
    }
    struct report_phase *phase = measure(s, name, "acknowledgements", &load, error);
    if (phase == NULL) {
        return false;
    }
    const struct pay_stats *stats = pay_stats(s->pay);
    uint32_t prompts = (uint32_t)stats->counts.accepted;
    phase->operations = prompts;
    report_latency_add(phase, "push to acknowledgement", NULL, &stats->ack);
    phase_counts(phase, &stats->counts, false);
    *accepted += prompts;
    *rate_out = report_rate(phase);
    return expire_all(s, prompts, error);
}

/* A closed loop with 1,000 connections cannot show short latencies: each waits for the 999 others,
   1,000 / rate. So the last level offers at a fixed rate what the fewer connections carried. */
static bool ack_levels(struct scene *s, uint64_t *accepted, char error[256])
{
    static const uint32_t LEVELS[] = {64, 128, 256, 1000};
    struct bench *b = s->bench;
    uint64_t slowest = UINT64_MAX;
    uint64_t rate = 0;
    uint32_t phase = 0;
    for (uint32_t i = 0; i < 4 && !atomic_load(&b->stop); i++) {
        phase = b->report.phases_count;
        if (!ack_level(s, LEVELS[i], 0, &rate, accepted, error)) {
            return false;
        }
        if (rate < slowest) {
            slowest = rate;
            b->report.main_phase = phase;
        }
    }
    uint64_t open_rate = slowest < ACK_OPEN_RATE ? slowest * 4 / 5 : ACK_OPEN_RATE;
    open_rate = b->options.rate != 0 ? b->options.rate : open_rate;
    return atomic_load(&b->stop) || open_rate == 0 ||
           ack_level(s, 1000, (uint32_t)open_rate, &rate, accepted, error);
}

bool bench_ack(struct bench *b, char error[256])
{
    struct scene *s = calloc(1, sizeof(*s));
    uint64_t accepted = 0;
    CHECK(s != NULL);
    uint64_t phones = (uint64_t)b->options.seconds * ACK_PHONES_PER_S;
    struct pay_options o = {
        .phones = (uint32_t)(phones < ACK_PHONES_MAX ? phones : ACK_PHONES_MAX),
        .paybills = PAY_PAYBILLS_MAX,
        .targets = SINK_PORTS_MAX,
    };
    s->bench = b;
    (void)snprintf(b->report.title, sizeof(b->report.title),
                   "STK pushes that nobody answers, %u phones, %u paybills", o.phones, o.paybills);
    bool ok = scene_open(s, &o, "virtual", error) && ack_levels(s, &accepted, error);
    if (ok) {
        check_sums(s, accepted, accepted, 0);
    }
    scene_close(s);
    free(s);
    return ok;
}
