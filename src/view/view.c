/*
 * view.c - the view beside a server: a thread of the lowest priority that follows the journal; and
 * the view from scratch.
 *
 *   loop: view_durable(position) --wakes--> thread: a round up to there --figures--> /metrics
 *
 * The loop and the thread share atomics and one condition variable; the thread holds no lock while
 * it works. What goes wrong is said on standard error when it is new, and tried again.
 * Tests: tests/unit/test_view.c, tests/e2e/140-view.sh.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "view/internal.h"

enum {
    GATHER_MS = 10, /* a woken thread lets a few more frames come */
    RETRY_MS_FIRST = 1000,
    RETRY_MS_LAST = 60000,
    BEAT_MS = 1000,
};

struct view {
    char journal[4096];
    char file[4096];
    char folder[4096]; /* in which the file lies */
    uint64_t room_bytes;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping;    /* under the mutex */
    atomic_bool idle; /* the thread waits, or is about to */
    atomic_uint_least64_t durable;
    atomic_uint_least64_t position;
    atomic_int_least64_t behind_ns; /* monotonic: what it lacks is at most as old */
    atomic_int_least64_t stop_ns;   /* monotonic: when patience ends; INT64_MAX: not stopping */
    atomic_uint_least64_t skipped;
    atomic_uint_least64_t rebuilt;
    atomic_bool waits;
    bool no_room; /* said already */
    int lock;     /* descriptor; -1: not held */
    char said[VIEW_ERROR_MAX];
    struct feed feed;
};

static int64_t now_ns(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- what the loop sees ---- */

void view_durable(struct view *v, uint64_t position)
{
    uint64_t before = atomic_load_explicit(&v->durable, memory_order_relaxed);
    if (position == before) {
        return;
    }
    if (atomic_load(&v->position) >= before) {
        atomic_store(&v->behind_ns, now_ns());
    }
    atomic_store(&v->durable, position);
    if (atomic_load(&v->idle)) {
        (void)pthread_mutex_lock(&v->mutex);
        (void)pthread_cond_signal(&v->changed);
        (void)pthread_mutex_unlock(&v->mutex);
    }
}

struct view_figures view_figures(const struct view *v)
{
    struct view_figures out = {
        .position = atomic_load(&v->position),
        .durable = atomic_load(&v->durable),
        .skipped = atomic_load(&v->skipped),
        .rebuilt = atomic_load(&v->rebuilt),
        .waits = atomic_load(&v->waits),
    };
    int64_t lag_ns = now_ns() - atomic_load(&v->behind_ns);
    out.lag_ns = out.position < out.durable && lag_ns > 0 ? lag_ns : 0;
    return out;
}

/* ---- the thread ---- */

/* Says it when it is new; the same words are said once. */
static void say(struct view *v, const char *what)
{
    if (strcmp(v->said, what) == 0) {
        return;
    }
    (void)snprintf(v->said, sizeof(v->said), "%s", what);
    (void)fprintf(stderr, "hakika: the view %.300s: %s\n", v->file, what);
}

static bool patience_over(struct view *v)
{
    return now_ns() >= atomic_load(&v->stop_ns);
}

/* V5. What cannot be asked is no reason to wait. */
static bool has_room(const struct view *v)
{
    struct statvfs disk;
    return statvfs(v->folder, &disk) != 0 ||
           (uint64_t)disk.f_bavail * disk.f_frsize >= v->room_bytes;
}

static bool committed(void *context, const struct feed *f)
{
    struct view *v = context;
    atomic_store(&v->skipped, f->projection.skipped);
    atomic_store(&v->position, f->projection.position);
    return !patience_over(v) && has_room(v);
}

/* One round. False: wait, and try again. */
static bool work(struct view *v)
{
    int64_t since_ns = now_ns();
    char words[VIEW_ERROR_MAX + 64];
    if (v->lock < 0) {
        v->lock = view_lock(v->file, v->feed.error);
    }
    if (v->lock < 0) {
        say(v, v->feed.error);
        return false;
    }
    if (!has_room(v)) {
        (void)snprintf(words, sizeof(words),
                       "it waits: less than %llu MB of the disk are free, and the journal may need "
                       "them",
                       (unsigned long long)(v->room_bytes / 1000000));
        say(v, words);
        return false;
    }
    enum feed_result result = feed_round(&v->feed, atomic_load(&v->durable));
    if (result == FEED_DONE) {
        atomic_store(&v->position, v->feed.projection.position);
        atomic_store(&v->skipped, v->feed.projection.skipped);
        if (!v->feed.ended) {
            atomic_store(&v->behind_ns, since_ns);
            v->said[0] = '\0';
        }
        return !v->feed.ended;
    }
    if (result == FEED_FAILED) {
        (void)snprintf(words, sizeof(words), "%s; it is tried again", v->feed.error);
        say(v, words);
        return false;
    }
    (void)snprintf(words, sizeof(words), "%s; it is thrown away and built again", v->feed.error);
    say(v, words);
    atomic_fetch_add(&v->rebuilt, 1);
    atomic_store(&v->position, 0);
    if (!feed_discard(&v->feed)) {
        say(v, v->feed.error);
    }
    return false;
}

static void add_ms(struct timespec *t, uint32_t ms)
{
    t->tv_sec += ms / 1000;
    t->tv_nsec += (long)(ms % 1000) * 1000000;
    if (t->tv_nsec >= NS_PER_S) {
        t->tv_sec++;
        t->tv_nsec -= NS_PER_S;
    }
}

/* Until there is something new (ms 0), or so long, or the stop. False: stop now. */
static bool rest(struct view *v, uint32_t ms)
{
    struct timespec until;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    add_ms(&until, ms);
    (void)pthread_mutex_lock(&v->mutex);
    atomic_store(&v->idle, true);
    bool late = false;
    while (!v->stopping && !late) {
        if (ms != 0) {
            late = pthread_cond_timedwait(&v->changed, &v->mutex, &until) == ETIMEDOUT;
        } else if (atomic_load(&v->durable) > atomic_load(&v->position)) {
            break;
        } else {
            (void)pthread_cond_wait(&v->changed, &v->mutex);
        }
    }
    atomic_store(&v->idle, false);
    bool stopping = v->stopping;
    (void)pthread_mutex_unlock(&v->mutex);
    bool done = atomic_load(&v->position) >= atomic_load(&v->durable);
    return !stopping || !(done || ms != 0 || patience_over(v));
}

static void gather(void)
{
    struct timespec pause = {0, (long)GATHER_MS * 1000000};
    (void)nanosleep(&pause, NULL);
}

static void *view_main(void *context)
{
    struct view *v = context;
    struct sched_param none;
    uint32_t retry_ms = RETRY_MS_FIRST;
    memset(&none, 0, sizeof(none));
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
    for (bool goes_on = rest(v, 0); goes_on;) {
        gather();
        uint64_t rebuilt = atomic_load(&v->rebuilt);
        bool good = work(v);
        bool fresh = rebuilt != atomic_load(&v->rebuilt) && rebuilt == 0;
        atomic_store(&v->waits, !good && !fresh);
        if (good || fresh) { /* a file that was thrown away for the first time: at once */
            retry_ms = good ? RETRY_MS_FIRST : retry_ms;
            goes_on = rest(v, 0);
        } else {
            goes_on = rest(v, retry_ms);
            retry_ms = retry_ms * 2 < RETRY_MS_LAST ? retry_ms * 2 : RETRY_MS_LAST;
        }
    }
    feed_close(&v->feed);
    if (v->lock >= 0) {
        (void)close(v->lock);
    }
    return NULL;
}

/* ---- start and stop ---- */

static bool take_options(struct view *v, const struct view_options *options)
{
    int sizes[3] = {
        snprintf(v->journal, sizeof(v->journal), "%s", options->journal),
        snprintf(v->file, sizeof(v->file), "%s", options->file),
        snprintf(v->folder, sizeof(v->folder), "%s", options->file),
    };
    char *slash = strrchr(v->folder, '/');
    if (slash == NULL) {
        (void)snprintf(v->folder, sizeof(v->folder), ".");
    } else {
        slash[slash == v->folder ? 1 : 0] = '\0';
    }
    v->room_bytes = options->room_bytes == 0 ? VIEW_ROOM_BYTES : options->room_bytes;
    v->feed = (struct feed){.of = book_view(options->book),
                            .directory = v->journal,
                            .file = v->file,
                            .rows_per_commit = options->rows_per_commit,
                            .committed = committed,
                            .context = v};
    return sizes[0] < (int)sizeof(v->journal) && sizes[1] < (int)sizeof(v->file);
}

struct view *view_start(const struct view_options *options, char error[256])
{
    pthread_condattr_t attributes;
    struct view *v = calloc(1, sizeof(*v));
    if (v == NULL || !take_options(v, options)) {
        (void)snprintf(error, 256, v == NULL ? "out of memory" : "its path is too long");
        free(v);
        return NULL;
    }
    v->lock = -1;
    atomic_store(&v->stop_ns, INT64_MAX);
    CHECK(pthread_mutex_init(&v->mutex, NULL) == 0);
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&v->changed, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
    int failed = pthread_create(&v->thread, NULL, view_main, v);
    if (failed != 0) {
        (void)snprintf(error, 256, "%s", strerror(failed));
        free(v);
        return NULL;
    }
    return v;
}

void view_stop(struct view *v, uint32_t patience_ms)
{
    if (v == NULL) {
        return;
    }
    atomic_store(&v->stop_ns, now_ns() + (int64_t)patience_ms * NS_PER_MS);
    (void)pthread_mutex_lock(&v->mutex);
    v->stopping = true;
    (void)pthread_cond_signal(&v->changed);
    (void)pthread_mutex_unlock(&v->mutex);
    (void)pthread_join(v->thread, NULL);
    (void)pthread_cond_destroy(&v->changed);
    (void)pthread_mutex_destroy(&v->mutex);
    free(v);
}

/* ---- from scratch ---- */

struct rebuild {
    struct view_progress figures;
    view_progress_fn progress;
    void *context;
    int64_t beat_ns;
};

static bool rebuild_committed(void *context, const struct feed *f)
{
    struct rebuild *r = context;
    r->figures.position = f->projection.position;
    r->figures.head = journal_head(f->journal).position;
    r->figures.rows = f->store.rows;
    r->figures.skipped = f->projection.skipped;
    if (r->progress != NULL && now_ns() >= r->beat_ns) {
        r->beat_ns = now_ns() + BEAT_MS * NS_PER_MS;
        r->progress(r->context, &r->figures);
    }
    return true;
}

bool view_rebuild(const struct view_options *options, view_progress_fn progress, void *context,
                  struct view_progress *out, char error[512])
{
    struct rebuild r = {.progress = progress, .context = context};
    r.beat_ns = now_ns() + BEAT_MS * NS_PER_MS;
    struct feed *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        (void)snprintf(error, 512, "out of memory");
        return false;
    }
    *f = (struct feed){.of = book_view(options->book),
                       .directory = options->journal,
                       .file = options->file,
                       .committed = rebuild_committed,
                       .context = &r};
    int lock = view_lock(options->file, f->error);
    bool good = lock >= 0 && feed_discard(f) && feed_round(f, UINT64_MAX) == FEED_DONE;
    (void)snprintf(error, 512, "%s", f->error);
    *out = r.figures;
    feed_close(f);
    free(f);
    if (lock >= 0) {
        (void)close(lock);
    }
    return good;
}
