/*
 * worker.c - see worker.h. Tests: tests/unit/test_writer.c, through the journal's writer.
 */
#include "engine/worker.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void *worker_main(void *argument)
{
    struct worker *w = argument;
    (void)pthread_mutex_lock(&w->mutex);
    for (;;) {
        while (w->state != WORKER_FULL && !w->stopping) {
            (void)pthread_cond_wait(&w->filled, &w->mutex);
        }
        if (w->state != WORKER_FULL) {
            break;
        }
        (void)pthread_mutex_unlock(&w->mutex);
        w->work(w->context);
        (void)pthread_mutex_lock(&w->mutex);
        w->state = WORKER_DONE;
        uint64_t one = 1;
        CHECK(write(w->event, &one, sizeof(one)) == (ssize_t)sizeof(one));
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return NULL;
}

bool worker_start(struct worker *w, void (*work)(void *context), void *context)
{
    w->work = work;
    w->context = context;
    w->state = WORKER_EMPTY;
    w->stopping = false;
    w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->event < 0) {
        return false;
    }
    CHECK(pthread_mutex_init(&w->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&w->filled, NULL) == 0);
    int failed = pthread_create(&w->thread, NULL, worker_main, w);
    if (failed != 0) {
        (void)close(w->event);
        errno = failed;
    }
    return failed == 0;
}

void worker_fill(struct worker *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    CHECK(w->state == WORKER_EMPTY);
}

void worker_go(struct worker *w)
{
    w->state = WORKER_FULL;
    (void)pthread_cond_signal(&w->filled);
    (void)pthread_mutex_unlock(&w->mutex);
}

bool worker_take(struct worker *w)
{
    uint64_t count;
    if (read(w->event, &count, sizeof(count)) < 0) {
        return false; /* nothing has happened */
    }
    (void)pthread_mutex_lock(&w->mutex);
    bool done = w->state == WORKER_DONE;
    if (done) {
        w->state = WORKER_EMPTY;
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return done;
}

void worker_stop(struct worker *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    (void)pthread_cond_signal(&w->filled);
    (void)pthread_mutex_unlock(&w->mutex);
    (void)pthread_join(w->thread, NULL);
    (void)close(w->event);
    (void)pthread_cond_destroy(&w->filled);
    (void)pthread_mutex_destroy(&w->mutex);
}
