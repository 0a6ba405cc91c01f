/*
 * index_thread.c - the index on a thread of its own. One slot, handed back and forth under a mutex:
 *
 *   EMPTY --put (loop)--> FULL --index_put, sync (thread)--> DONE --collect (loop)--> EMPTY
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/index.h"

enum slot_state { SLOT_EMPTY, SLOT_FULL, SLOT_DONE };

struct index_thread {
    struct old_index *index;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    int event;
    enum slot_state state;
    bool stopping;
    bool good;
    const struct index_batch *batch;
    char message[INDEX_MESSAGE_MAX];
};

static void *index_main(void *context)
{
    struct index_thread *t = context;
    (void)pthread_mutex_lock(&t->mutex);
    for (;;) {
        while (t->state != SLOT_FULL && !t->stopping) {
            (void)pthread_cond_wait(&t->filled, &t->mutex);
        }
        if (t->state != SLOT_FULL) {
            break;
        }
        (void)pthread_mutex_unlock(&t->mutex);
        char message[INDEX_MESSAGE_MAX] = "";
        bool good = index_put(t->index, t->batch, message);
        (void)pthread_mutex_lock(&t->mutex);
        t->good = good;
        memcpy(t->message, message, sizeof(message));
        t->state = SLOT_DONE;
        uint64_t one = 1;
        CHECK(write(t->event, &one, sizeof(one)) == (ssize_t)sizeof(one));
    }
    (void)pthread_mutex_unlock(&t->mutex);
    return NULL;
}

struct index_thread *index_start_thread(struct old_index *index)
{
    struct index_thread *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    t->index = index;
    t->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->event < 0) {
        free(t);
        return NULL;
    }
    CHECK(pthread_mutex_init(&t->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&t->filled, NULL) == 0);
    int status = pthread_create(&t->thread, NULL, index_main, t);
    if (status != 0) {
        (void)close(t->event);
        free(t);
        errno = status;
        return NULL;
    }
    return t;
}

void index_stop(struct index_thread *t)
{
    if (t == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&t->mutex);
    t->stopping = true;
    (void)pthread_cond_signal(&t->filled);
    (void)pthread_mutex_unlock(&t->mutex);
    (void)pthread_join(t->thread, NULL);
    (void)pthread_cond_destroy(&t->filled);
    (void)pthread_mutex_destroy(&t->mutex);
    (void)close(t->event);
    free(t);
}

int index_descriptor(const struct index_thread *t)
{
    return t->event;
}

void index_thread_put(void *context, const struct index_batch *batch)
{
    struct index_thread *t = context;
    (void)pthread_mutex_lock(&t->mutex);
    CHECK(t->state == SLOT_EMPTY);
    t->batch = batch;
    t->state = SLOT_FULL;
    (void)pthread_cond_signal(&t->filled);
    (void)pthread_mutex_unlock(&t->mutex);
}

bool index_collect(struct index_thread *t, bool *good, char *message)
{
    uint64_t count;
    if (read(t->event, &count, sizeof(count)) < 0) {
        return false; /* nothing has happened */
    }
    (void)pthread_mutex_lock(&t->mutex);
    bool done = t->state == SLOT_DONE;
    if (done) {
        *good = t->good;
        memcpy(message, t->message, INDEX_MESSAGE_MAX);
        t->state = SLOT_EMPTY;
    }
    (void)pthread_mutex_unlock(&t->mutex);
    return done;
}
