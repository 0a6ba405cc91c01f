/*
 * writer.c - see writer.h. One slot, handed back and forth under a mutex:
 *
 *   EMPTY --start (loop)--> FULL --append, sync (thread)--> DONE --collect (loop)--> EMPTY
 */
#include "engine/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum slot_state { SLOT_EMPTY, SLOT_FULL, SLOT_DONE };

struct writer_thread {
    struct journal *journal;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    int event;
    enum slot_state state;
    bool stopping;
    struct journal_batch batch;
    uint8_t previous[JOURNAL_HASH_BYTES];
    enum journal_status status;
    struct journal_head head;
    struct journal_error error;
};

static void writer_wake_loop(struct writer_thread *w)
{
    uint64_t one = 1;
    CHECK(write(w->event, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static void *writer_main(void *context)
{
    struct writer_thread *w = context;
    (void)pthread_mutex_lock(&w->mutex);
    for (;;) {
        while (w->state != SLOT_FULL && !w->stopping) {
            (void)pthread_cond_wait(&w->filled, &w->mutex);
        }
        if (w->state != SLOT_FULL) {
            break;
        }
        (void)pthread_mutex_unlock(&w->mutex);
        struct journal_error error;
        memset(&error, 0, sizeof(error));
        enum journal_status status = journal_append(w->journal, &w->batch, w->previous, &error);
        struct journal_head head = journal_head(w->journal);
        (void)pthread_mutex_lock(&w->mutex);
        w->status = status;
        w->head = head;
        w->error = error;
        w->state = SLOT_DONE;
        writer_wake_loop(w);
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return NULL;
}

struct writer_thread *writer_start_thread(struct journal *journal)
{
    struct writer_thread *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return NULL;
    }
    w->journal = journal;
    w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->event < 0) {
        free(w);
        return NULL;
    }
    CHECK(pthread_mutex_init(&w->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&w->filled, NULL) == 0);
    int failed = pthread_create(&w->thread, NULL, writer_main, w);
    if (failed != 0) {
        (void)close(w->event);
        free(w);
        errno = failed;
        return NULL;
    }
    return w;
}

static void writer_start(void *context, const struct journal_batch *batch,
                         const uint8_t previous[JOURNAL_HASH_BYTES])
{
    struct writer_thread *w = context;
    (void)pthread_mutex_lock(&w->mutex);
    CHECK(w->state == SLOT_EMPTY);
    w->batch = *batch;
    memcpy(w->previous, previous, JOURNAL_HASH_BYTES);
    w->state = SLOT_FULL;
    (void)pthread_cond_signal(&w->filled);
    (void)pthread_mutex_unlock(&w->mutex);
}

enum engine_room writer_room(const struct journal *journal, uint64_t bytes)
{
    /* A journal that failed is given one more batch: its answer ends the process (E2). Otherwise
     * the process would stay up, and refuse everything as if the disk were full. */
    if (journal_has_room(journal, bytes) || journal_has_failed(journal)) {
        return ENGINE_ROOM_NOW;
    }
    return journal_is_full(journal) ? ENGINE_ROOM_FULL : ENGINE_ROOM_SOON;
}

static enum engine_room writer_port_room(void *context, uint64_t bytes)
{
    const struct writer_thread *w = context;
    return writer_room(w->journal, bytes);
}

struct engine_writer writer_port(struct writer_thread *w)
{
    struct engine_writer port = {w, writer_start, writer_port_room};
    return port;
}

int writer_descriptor(const struct writer_thread *w)
{
    return w->event;
}

bool writer_collect(struct writer_thread *w, enum journal_status *status, struct journal_head *head,
                    struct journal_error *error)
{
    uint64_t count;
    if (read(w->event, &count, sizeof(count)) < 0) {
        return false; /* nothing has happened */
    }
    (void)pthread_mutex_lock(&w->mutex);
    bool done = w->state == SLOT_DONE;
    if (done) {
        *status = w->status;
        *head = w->head;
        *error = w->error;
        w->state = SLOT_EMPTY;
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return done;
}

void writer_stop(struct writer_thread *w)
{
    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    (void)pthread_cond_signal(&w->filled);
    (void)pthread_mutex_unlock(&w->mutex);
    (void)pthread_join(w->thread, NULL);
    (void)close(w->event);
    (void)pthread_cond_destroy(&w->filled);
    (void)pthread_mutex_destroy(&w->mutex);
    free(w);
}
