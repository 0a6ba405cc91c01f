/*
 * writer.c - see writer.h. The worker's piece is one batch: append and sync.
 */
#include "engine/writer.h"

#include <stdlib.h>
#include <string.h>

#include "engine/worker.h"

struct writer_thread {
    struct worker worker;
    struct journal *journal;
    struct journal_batch batch;
    uint8_t previous[JOURNAL_HASH_BYTES];
    enum journal_status status;
    struct journal_head head;
    struct journal_error error;
};

static void writer_work(void *context)
{
    struct writer_thread *w = context;
    memset(&w->error, 0, sizeof(w->error));
    w->status = journal_append(w->journal, &w->batch, w->previous, &w->error);
    w->head = journal_head(w->journal);
}

struct writer_thread *writer_start_thread(struct journal *journal)
{
    struct writer_thread *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return NULL;
    }
    w->journal = journal;
    if (!worker_start(&w->worker, writer_work, w)) {
        free(w);
        return NULL;
    }
    return w;
}

static void writer_start(void *context, const struct journal_batch *batch,
                         const uint8_t previous[JOURNAL_HASH_BYTES])
{
    struct writer_thread *w = context;
    worker_fill(&w->worker);
    w->batch = *batch;
    memcpy(w->previous, previous, JOURNAL_HASH_BYTES);
    worker_go(&w->worker);
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
    return w->worker.event;
}

bool writer_collect(struct writer_thread *w, enum journal_status *status, struct journal_head *head,
                    struct journal_error *error)
{
    if (!worker_take(&w->worker)) {
        return false;
    }
    *status = w->status;
    *head = w->head;
    *error = w->error;
    return true;
}

void writer_stop(struct writer_thread *w)
{
    if (w != NULL) {
        worker_stop(&w->worker);
        free(w);
    }
}
