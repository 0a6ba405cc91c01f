/*
 * index_thread.c - the index on a thread of its own (worker.h): index_put, which syncs.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/index.h"
#include "engine/worker.h"

struct index_thread {
    struct worker worker;
    struct old_index *index;
    const struct index_batch *batch;
    bool good;
    char message[INDEX_MESSAGE_MAX];
};

static void index_work(void *context)
{
    struct index_thread *t = context;
    memset(t->message, 0, sizeof(t->message));
    t->good = index_put(t->index, t->batch, t->message);
}

struct index_thread *index_start_thread(struct old_index *index)
{
    struct index_thread *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    t->index = index;
    if (!worker_start(&t->worker, index_work, t)) {
        free(t);
        return NULL;
    }
    return t;
}

void index_stop(struct index_thread *t)
{
    if (t != NULL) {
        worker_stop(&t->worker);
        free(t);
    }
}

int index_descriptor(const struct index_thread *t)
{
    return t->worker.event;
}

void index_thread_put(void *context, const struct index_batch *batch)
{
    struct index_thread *t = context;
    worker_fill(&t->worker);
    t->batch = batch;
    worker_go(&t->worker);
}

bool index_collect(struct index_thread *t, bool *good, char *message)
{
    if (!worker_take(&t->worker)) {
        return false;
    }
    *good = t->good;
    memcpy(message, t->message, INDEX_MESSAGE_MAX);
    return true;
}
