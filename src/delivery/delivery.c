/*
 * delivery.c - the thread, the slots and the two rings.
 *
 * A job lives in a slot from submit to collect. Slots are owned in turn:
 *
 *   free list --submit--> jobs ring --thread--> targets (waits) --> attempt (under way)
 *      ^                                            |                    |
 *      +--------------- collect <-- reports ring <--+--------------------+
 *
 * The caller owns the free list and writes a slot before it enters the jobs ring; the thread owns
 * it until it enters the reports ring. D1 follows: a slot is in exactly one of these places, both
 * rings have room for all slots, and delivery_stop checks the sum.
 *
 * Sleeping: the thread says that it will sleep, then looks at the ring once more; the caller
 * pushes, then looks whether the thread sleeps. Both looks exchange the same flag, so one comes
 * first and the other sees what was written before it: no wake-up is lost, and a busy thread costs
 * the caller no system call. Reports use the same pattern with the eventfd.
 * Tests: tests/unit/test_delivery.c.
 */
#include "delivery/delivery.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/large.h"
#include "base/ring.h"
#include "delivery/attempt.h"
#include "delivery/loop.h"
#include "delivery/targets.h"

enum {
    JOBS_DEFAULT = 1024,
    CONNECTIONS_DEFAULT = 512,
    PER_TARGET_MAX = 128, /* the book's outbox allows 64 attempts per target */
    CONNECT_MS_DEFAULT = 5000,
    TOTAL_MS_DEFAULT = 10000,
    POLL_MS_MAX = 1000,
    SLOT_BYTES_FIRST = 2048,
    SLOT_BYTES_KEPT_MAX = 16 * 1024, /* larger buffers are given back after the job */
    LIMIT_MAX = 1 << 20,
};

#define NONE UINT32_MAX

struct delivery {
    /* Set at start. */
    struct attempt_settings settings;
    char *user_agent;
    uint32_t jobs_max;
    uint32_t connections_max;
    int report_fd;
    struct delivery_loop loop; /* the thread's, but for waking it */
    pthread_t thread;
    struct delivery_slot *slots;

    /* The caller's. */
    uint32_t *free_slots; /* a stack of those that were used before */
    uint32_t free_count;
    uint32_t slots_begun; /* those from here on were never used, nor is their memory touched */
    bool unflushed;
    bool closed;

    /* Shared. */
    struct ring jobs;
    uint32_t *jobs_items; /* slot numbers */
    struct ring reports;
    uint32_t *reports_items;
    _Atomic bool asleep;         /* the thread sleeps or is about to */
    _Atomic bool signalled;      /* report_fd is readable or about to be */
    _Atomic int64_t close_at_ns; /* 0: open; else when attempts under way are ended */

    /* The thread's. */
    struct targets *targets;
    struct attempt *attempts; /* connections_max of them; handles are made on demand */
    uint32_t idle_attempts;   /* list */
    uint32_t *active;         /* numbers of attempts under way, in no order */
    uint32_t active_count;
    bool reported; /* something was put in the reports ring since the last signal */
};

/* ---- the thread ---------------------------------------------------------------------------- */

static void thread_report(struct delivery *d, uint32_t slot)
{
    CHECK(ring_room(&d->reports) > 0); /* as many places as slots */
    d->reports_items[ring_push_index(&d->reports, 0)] = slot;
    ring_push(&d->reports, 1);
    d->reported = true;
}

/* Nothing of the job was sent. */
static void thread_report_unsent(struct delivery *d, uint32_t slot, enum delivery_error error)
{
    struct delivery_slot *s = &d->slots[slot];
    s->error = error;
    s->status = 0;
    s->duration_ms = 0;
    s->retry_after_ms = -1;
    s->answer_size = 0;
    thread_report(d, slot);
}

static void signal_reports(struct delivery *d)
{
    if (!atomic_exchange(&d->signalled, true)) {
        uint64_t one = 1;
        ssize_t written = write(d->report_fd, &one, sizeof(one));
        CHECK(written == sizeof(one) || errno == EAGAIN);
    }
}

static void thread_take_jobs(struct delivery *d)
{
    uint32_t count = ring_waiting(&d->jobs);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = d->jobs_items[ring_pop_index(&d->jobs, i)];
        CHECK(slot < d->jobs_max);
        delivery__targets_wait(d->targets, d->slots[slot].target_key, slot);
    }
    ring_pop(&d->jobs, count);
}

/* An attempt with a handle; NONE when there is no memory for another handle. */
static uint32_t thread_attempt_take(struct delivery *d)
{
    uint32_t i = d->idle_attempts;
    CHECK(i != NONE); /* targets gave a connection, so an attempt is idle */
    struct attempt *a = &d->attempts[i];
    if (a->easy == NULL && !delivery__attempt_init(a, &d->settings)) {
        return NONE;
    }
    d->idle_attempts = a->next_idle;
    a->place = d->active_count;
    d->active[d->active_count++] = i;
    return i;
}

static void thread_attempt_give_back(struct delivery *d, uint32_t i)
{
    struct attempt *a = &d->attempts[i];
    CHECK(d->active_count > 0 && d->active[a->place] == i);
    uint32_t last = d->active[--d->active_count];
    d->active[a->place] = last;
    d->attempts[last].place = a->place;
    a->next_idle = d->idle_attempts;
    d->idle_attempts = i;
    delivery__targets_done(d->targets, a->slot_index);
    thread_report(d, a->slot_index);
}

static void thread_start_job(struct delivery *d, uint32_t slot)
{
    uint32_t i = thread_attempt_take(d);
    if (i == NONE) {
        delivery__targets_done(d->targets, slot);
        thread_report_unsent(d, slot, DELIVERY_CONNECT); /* no memory: it is tried again later */
        return;
    }
    struct attempt *a = &d->attempts[i];
    a->slot_index = slot;
    if (!delivery__attempt_begin(a, &d->slots[slot])) {
        thread_attempt_give_back(d, i);
        return;
    }
    if (curl_multi_add_handle(d->loop.multi, a->easy) != CURLM_OK) {
        delivery__attempt_end(a, CURLE_OUT_OF_MEMORY);
        thread_attempt_give_back(d, i);
    }
}

/* Starts what may start now; those that were started need libcurl's attention before any sleep. */
static uint32_t thread_start_jobs(struct delivery *d)
{
    uint32_t slot;
    uint32_t started = 0;
    while (delivery__targets_next(d->targets, &slot)) {
        thread_start_job(d, slot);
        started++;
    }
    return started;
}

static void thread_finish_attempts(struct delivery *d)
{
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(d->loop.multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* the message dies with remove_handle */
        char *private = NULL;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        struct attempt *a = (struct attempt *)(void *)private;
        CHECK(a != NULL && a->easy == easy);
        CHECK(curl_multi_remove_handle(d->loop.multi, easy) == CURLM_OK);
        delivery__attempt_end(a, code);
        thread_attempt_give_back(d, (uint32_t)(a - d->attempts));
    }
}

/* Once closing: what has not begun ends now, what is under way at the deadline. */
static void thread_close(struct delivery *d, int64_t close_at_ns)
{
    uint32_t slot;
    while (delivery__targets_abandon(d->targets, &slot)) {
        thread_report_unsent(d, slot, DELIVERY_STOPPED);
    }
    if (delivery__loop_now_ns() < close_at_ns) {
        return;
    }
    while (d->active_count > 0) {
        struct attempt *a = &d->attempts[d->active[d->active_count - 1]];
        CHECK(curl_multi_remove_handle(d->loop.multi, a->easy) == CURLM_OK);
        delivery__attempt_end(a, CURLE_ABORTED_BY_CALLBACK);
        d->slots[a->slot_index].error = DELIVERY_STOPPED;
        thread_attempt_give_back(d, (uint32_t)(a - d->attempts));
    }
}

static void thread_sleep(struct delivery *d, int64_t close_at_ns)
{
    int timeout_ms = POLL_MS_MAX;
    if (close_at_ns != 0) {
        int64_t left_ms = (close_at_ns - delivery__loop_now_ns()) / 1000000 + 1;
        left_ms = left_ms < 0 ? 0 : left_ms;
        timeout_ms = left_ms < POLL_MS_MAX ? (int)left_ms : POLL_MS_MAX;
    }
    (void)atomic_exchange(&d->asleep, true);
    bool news = ring_waiting(&d->jobs) > 0 || atomic_load(&d->close_at_ns) != close_at_ns;
    delivery__loop_wait(&d->loop, news ? 0 : timeout_ms);
    atomic_store(&d->asleep, false);
}

static void *thread_run(void *context)
{
    struct delivery *d = context;
    (void)pthread_setname_np(pthread_self(), "delivery");
    for (;;) {
        int64_t close_at_ns = atomic_load(&d->close_at_ns); /* before the ring: see all of it */
        delivery__loop_run_timers(&d->loop);
        thread_finish_attempts(d);
        thread_take_jobs(d);
        if (close_at_ns != 0) {
            thread_close(d, close_at_ns);
        }
        if (d->reported) {
            d->reported = false;
            signal_reports(d);
        }
        if (close_at_ns != 0 && d->active_count == 0) {
            return NULL;
        }
        if (close_at_ns != 0 || thread_start_jobs(d) == 0) {
            thread_sleep(d, close_at_ns);
        }
    }
}

/* ---- start and stop ------------------------------------------------------------------------ */

static void delivery_free(struct delivery *d)
{
    for (uint32_t i = 0; d->attempts != NULL && i < d->connections_max; i++) {
        delivery__attempt_fini(&d->attempts[i]);
    }
    delivery__loop_fini(&d->loop);
    for (uint32_t i = 0; d->slots != NULL && i < d->slots_begun; i++) {
        free(d->slots[i].bytes);
    }
    if (d->report_fd >= 0) {
        (void)close(d->report_fd);
    }
    curl_slist_free_all(d->settings.resolve);
    delivery__targets_destroy(d->targets);
    free(d->user_agent);
    free(d->attempts);
    free(d->active);
    large_free_excluded(d->slots, d->jobs_max * sizeof(*d->slots));
    free(d->free_slots);
    free(d->jobs_items);
    free(d->reports_items);
    free(d);
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    value = value == 0 ? otherwise : value;
    return value < LIMIT_MAX ? value : LIMIT_MAX;
}

static bool start_memory(struct delivery *d)
{
    uint32_t capacity = ring_capacity_for(d->jobs_max);
    ring_init(&d->jobs, capacity);
    ring_init(&d->reports, capacity);
    d->jobs_items = calloc(capacity, sizeof(*d->jobs_items));
    d->reports_items = calloc(capacity, sizeof(*d->reports_items));
    d->slots = calloc(d->jobs_max, sizeof(*d->slots));
    d->free_slots = calloc(d->jobs_max, sizeof(*d->free_slots));
    d->attempts = calloc(d->connections_max, sizeof(*d->attempts));
    d->active = calloc(d->connections_max, sizeof(*d->active));
    d->targets = delivery__targets_create(d->jobs_max, d->connections_max, PER_TARGET_MAX);
    if (d->jobs_items == NULL || d->reports_items == NULL || d->slots == NULL ||
        d->free_slots == NULL || d->attempts == NULL || d->active == NULL || d->targets == NULL) {
        return false;
    }
    large_exclude_from_fork(d->slots, d->jobs_max * sizeof(*d->slots));
    for (uint32_t i = 0; i < d->connections_max; i++) {
        d->attempts[i].next_idle = i + 1 < d->connections_max ? i + 1 : NONE;
    }
    return true;
}

/* Blanks separate several entries of resolve_from. */
static bool start_resolve(struct delivery *d, const char *resolve_from)
{
    const char *at = resolve_from == NULL ? "" : resolve_from;
    while (*at != '\0') {
        size_t size = strcspn(at, " ");
        char *entry = strndup(at, size);
        struct curl_slist *list =
            entry == NULL ? NULL : curl_slist_append(d->settings.resolve, entry);
        free(entry);
        if (list == NULL) {
            return false;
        }
        d->settings.resolve = list;
        at += size;
        at += *at == ' ' ? 1 : 0;
    }
    return true;
}

static bool start_curl(struct delivery *d)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return false;
    }
    d->report_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!delivery__loop_init(&d->loop) || d->report_fd < 0) {
        return false;
    }
    CURLM *multi = d->loop.multi;
    return curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)d->connections_max) == CURLM_OK;
}

/* Signals are the main thread's business; SIGPIPE from inside TLS becomes an error. */
static bool start_thread(struct delivery *d)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&d->thread, NULL, thread_run, d);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

static struct delivery *start_fail(struct delivery *d, char error[256], const char *why)
{
    (void)snprintf(error, 256, "delivery: %s", why);
    delivery_free(d);
    return NULL;
}

struct delivery *delivery_start(const struct delivery_options *o, char error[256])
{
    struct delivery *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        (void)snprintf(error, 256, "delivery: no memory");
        return NULL;
    }
    d->report_fd = -1;
    d->loop.epoll_fd = -1;
    d->loop.wake_fd = -1;
    d->settings.loop = &d->loop;
    d->jobs_max = or_default(o->jobs_max, JOBS_DEFAULT);
    d->connections_max = or_default(o->connections_max, CONNECTIONS_DEFAULT);
    d->settings.connect_ms = (long)or_default(o->connect_ms, CONNECT_MS_DEFAULT);
    d->settings.total_ms = (long)or_default(o->total_ms, TOTAL_MS_DEFAULT);
    d->user_agent = strdup(o->user_agent == NULL ? "Hakika" : o->user_agent);
    d->settings.user_agent = d->user_agent;
    if (!delivery__address_rules_parse(&d->settings.rules, o->allow_private_targets,
                                       o->allow_cidrs)) {
        return start_fail(d, error, "the list of allowed networks is not a list of CIDRs");
    }
    if (d->user_agent == NULL || !start_memory(d) || !start_resolve(d, o->resolve_from)) {
        return start_fail(d, error, "no memory for the jobs");
    }
    if (!start_curl(d)) {
        return start_fail(d, error, "libcurl did not start");
    }
    if (!start_thread(d)) {
        return start_fail(d, error, "no thread");
    }
    return d;
}

void delivery_close(struct delivery *d, uint32_t grace_ms)
{
    if (d->closed) {
        return;
    }
    d->closed = true;
    atomic_store(&d->close_at_ns, delivery__loop_now_ns() + (int64_t)grace_ms * 1000000);
    delivery__loop_wake(&d->loop);
}

void delivery_stop(struct delivery *d, uint32_t grace_ms)
{
    if (d == NULL) {
        return;
    }
    delivery_close(d, grace_ms);
    CHECK(pthread_join(d->thread, NULL) == 0);
    CHECK(ring_waiting(&d->jobs) == 0);
    CHECK(ring_waiting(&d->reports) + d->free_count == d->slots_begun); /* D1 */
    delivery_free(d);
}

/* ---- the caller's side --------------------------------------------------------------------- */

bool delivery_allow_peer(struct delivery *d, const char *address, uint16_t port)
{
    CHECK(delivery_in_flight(d) == 0); /* the thread reads it with the first job */
    return delivery__address_peer_set(&d->settings.rules, address, port);
}

uint32_t delivery_room(const struct delivery *d)
{
    return d->closed ? 0 : d->jobs_max - delivery_in_flight(d);
}

uint32_t delivery_in_flight(const struct delivery *d)
{
    return d->slots_begun - d->free_count;
}

int delivery_descriptor(const struct delivery *d)
{
    return d->report_fd;
}

/* Nothing that would end a request line or a header early. */
static bool text_is_clean(const char *text, size_t size, unsigned char lowest)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < lowest || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool slot_reserve(struct delivery_slot *slot, size_t size)
{
    if (slot->bytes_capacity >= size) {
        return true;
    }
    size_t capacity = size < SLOT_BYTES_FIRST ? SLOT_BYTES_FIRST : size;
    char *bytes = malloc(capacity); /* the old content is of no use: no realloc */
    if (bytes == NULL) {
        return false;
    }
    free(slot->bytes);
    slot->bytes = bytes;
    slot->bytes_capacity = capacity;
    return true;
}

static char *copy_text(char **at, const char *text, size_t size)
{
    char *start = *at;
    if (size > 0) {
        memcpy(start, text, size);
    }
    start[size] = '\0';
    *at = start + size + 1;
    return start;
}

struct job_sizes {
    size_t type;
    size_t headers[DELIVERY_HEADERS_MAX];
    uint32_t headers_count;
    size_t total;
};

static const char CONTENT_TYPE[] = "Content-Type: ";
static char EXPECT_OFF[] = "Expect:"; /* libcurl's list wants it writable; nobody writes */

static void job_measure(const struct delivery_job *job, struct job_sizes *out)
{
    CHECK(job->content_type != NULL);
    out->type = strlen(job->content_type);
    out->headers_count = 0;
    out->total = job->url.size + job->body.size + sizeof(CONTENT_TYPE) + out->type + 3;
    while (out->headers_count < DELIVERY_HEADERS_MAX && job->headers[out->headers_count] != NULL) {
        size_t size = strlen(job->headers[out->headers_count]);
        out->headers[out->headers_count++] = size;
        out->total += size + 1;
    }
}

static void slot_link_header(struct delivery_slot *slot, uint32_t i, char *text)
{
    CHECK(i < JOB_HEADERS_MAX);
    slot->headers[i].data = text;
    slot->headers[i].next = NULL;
    if (i > 0) {
        slot->headers[i - 1].next = &slot->headers[i];
    }
}

static void slot_fill(struct delivery_slot *slot, const struct delivery_job *job,
                      const struct job_sizes *sizes)
{
    char *at = slot->bytes;
    slot->id = job->id;
    slot->generation = job->generation;
    slot->total_ms = (long)job->total_ms;
    slot->is_get = job->body.data == NULL;
    slot->url = copy_text(&at, job->url.data, job->url.size);
    slot->valid = text_is_clean(job->url.data, job->url.size, 0x21) && job->url.size > 0;
    slot->target_key = delivery__target_key(job->url);

    char *type = at;
    memcpy(type, CONTENT_TYPE, sizeof(CONTENT_TYPE) - 1);
    at += sizeof(CONTENT_TYPE) - 1;
    (void)copy_text(&at, job->content_type, sizes->type);
    slot->valid = slot->valid && text_is_clean(type, strlen(type), 0x20);
    slot_link_header(slot, 0, EXPECT_OFF);
    slot_link_header(slot, 1, type);
    for (uint32_t i = 0; i < sizes->headers_count; i++) {
        char *text = copy_text(&at, job->headers[i], sizes->headers[i]);
        slot->valid = slot->valid && text_is_clean(text, sizes->headers[i], 0x20);
        slot_link_header(slot, i + 2, text);
    }
    slot->body = copy_text(&at, job->body.data, job->body.size);
    slot->body_size = job->body.size;
    CHECK(at <= slot->bytes + slot->bytes_capacity);
}

bool delivery_submit(struct delivery *d, const struct delivery_job *job)
{
    if (delivery_room(d) == 0) {
        return false;
    }
    bool again = d->free_count > 0;
    uint32_t number = again ? d->free_slots[d->free_count - 1] : d->slots_begun;
    struct delivery_slot *slot = &d->slots[number];
    struct job_sizes sizes;
    job_measure(job, &sizes);
    if (!slot_reserve(slot, sizes.total)) {
        return false;
    }
    slot_fill(slot, job, &sizes);
    if (again) {
        d->free_count--;
    } else {
        d->slots_begun++;
    }
    CHECK(ring_room(&d->jobs) > 0); /* as many places as slots */
    d->jobs_items[ring_push_index(&d->jobs, 0)] = number;
    ring_push(&d->jobs, 1);
    d->unflushed = true;
    return true;
}

void delivery_flush(struct delivery *d)
{
    if (!d->unflushed) {
        return;
    }
    d->unflushed = false;
    if (atomic_exchange(&d->asleep, false)) {
        delivery__loop_wake(&d->loop);
    }
}

static void collect_one(struct delivery *d, uint32_t number, delivery_report_fn report,
                        void *context)
{
    struct delivery_slot *slot = &d->slots[number];
    struct delivery_report r = {
        .id = slot->id,
        .generation = slot->generation,
        .error = slot->error,
        .status = slot->status,
        .duration_ms = slot->duration_ms,
        .retry_after_ms = slot->retry_after_ms,
        .answer = {slot->answer, slot->answer_size},
    };
    report(context, &r);
    if (slot->bytes_capacity > SLOT_BYTES_KEPT_MAX) {
        free(slot->bytes);
        slot->bytes = NULL;
        slot->bytes_capacity = 0;
    }
    CHECK(d->free_count < d->slots_begun);
    d->free_slots[d->free_count++] = number;
}

uint32_t delivery_collect(struct delivery *d, uint32_t max, delivery_report_fn report,
                          void *context)
{
    uint32_t waiting = ring_waiting(&d->reports);
    uint32_t count = waiting < max ? waiting : max;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = d->reports_items[ring_pop_index(&d->reports, 0)];
        ring_pop(&d->reports, 1);
        collect_one(d, number, report, context);
    }
    if (count < waiting) {
        return count; /* the descriptor stays readable */
    }
    /* Read before clearing the mark: a signal that falls between is only one too many. */
    uint64_t signals = 0;
    ssize_t got = read(d->report_fd, &signals, sizeof(signals));
    CHECK(got == sizeof(signals) || errno == EAGAIN);
    (void)atomic_exchange(&d->signalled, false);
    if (ring_waiting(&d->reports) > 0) {
        signal_reports(d);
    }
    return count;
}
