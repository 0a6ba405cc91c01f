/*
 * index_build.c - the index of old ids built anew: the journal is replayed into a book of its own,
 * and just before something leaves that book, its record is made. The book is as small as it was in
 * life, for the same reason.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/index.h"

enum { PROGRESS_EVERY = 1 << 16 }; /* frames */

struct build {
    const struct index_rebuild *rebuild;
    struct old_index *index;
    struct book *book;
    struct index_batch batch;
    uint8_t *buffer;
    uint64_t head;
    char *message;
    bool good;
};

static bool build_flush(struct build *b)
{
    if (b->batch.count > 0 && b->good) {
        b->good = index_put(b->index, &b->batch, b->message);
    }
    index_batch_init(&b->batch, b->buffer, INDEX_BATCH_BYTES);
    return b->good;
}

/* Room for one more record of the present generation. */
static bool build_room(struct build *b)
{
    bool other = b->batch.count > 0 && b->batch.generation != b->book->generation;
    if (other || !index_batch_has_room(&b->batch)) {
        (void)build_flush(b);
    }
    b->batch.generation = b->book->generation;
    b->batch.head.position = b->book->position;
    return b->good;
}

static void build_numbers(struct build *b, struct left_event *e)
{
    uint64_t first;
    uint32_t count;
    while (left_event_run(e, &first, &count)) {
        for (uint32_t i = 0; i < count && build_room(b); i++) {
            index_batch_thing(&b->batch, b->book, e->space, first + i);
        }
    }
}

static void build_keys(struct build *b, struct left_event *e)
{
    uint8_t key[16];
    while (left_event_key(e, key) && build_room(b)) {
        const struct idempotency_entry *entry = book_key(b->book, key);
        CHECK(entry != NULL);
        index_batch_key(&b->batch, entry);
    }
}

/* What the frame at r takes out of memory, while it is still there. */
static void build_before_frame(struct build *b, struct reader r)
{
    struct frame_reader f;
    struct reader body;
    uint16_t kind;
    bool leaves = frame_next(&r, &f) &&
                  (f.info.cause == COMMAND_CLOSED_LEAVE || f.info.cause == COMMAND_KEYS_LEAVE);
    while (leaves && frame_event(&f, &kind, &body)) {
        struct left_event e;
        if (kind == EVENT_CLOSED_LEFT && left_event_decode(kind, &body, &e)) {
            build_numbers(b, &e);
        } else if (kind == EVENT_KEYS_LEFT && left_event_decode(kind, &body, &e)) {
            build_keys(b, &e);
        }
    }
}

static bool build_batch(void *context, const struct journal_read_batch *batch)
{
    struct build *b = context;
    struct reader r = reader_init(batch->payload, batch->payload_size);
    while (r.at < r.size && b->good) {
        build_before_frame(b, r);
        if (b->good && book_replay_frame(b->book, &r) != BOOK_REPLAYED) {
            (void)snprintf(b->message, INDEX_MESSAGE_MAX,
                           "building the index of old ids failed: the journal cannot be replayed "
                           "at position %llu; hakika verify says more",
                           (unsigned long long)b->book->position + 1);
            b->good = false;
        }
        if (b->rebuild->progress != NULL && b->book->position % PROGRESS_EVERY == 0) {
            b->rebuild->progress(b->rebuild->context, b->book->position, b->head);
        }
    }
    return b->good;
}

static bool build_all(struct build *b)
{
    struct journal_error error;
    struct journal_head head = journal_head(b->rebuild->journal);
    b->head = head.position;
    b->book->outbox.replaying = true;
    enum journal_status status = journal_read(b->rebuild->journal, 1, build_batch, b, &error);
    if (status != JOURNAL_OK && b->good) {
        (void)snprintf(b->message, INDEX_MESSAGE_MAX, "%.500s", error.message);
        b->good = false;
    }
    (void)build_flush(b);
    if (!b->good) {
        index_close(b->index);
        return false;
    }
    return index_finish(b->index, b->book->generation, &head, b->message);
}

bool index_build(const struct index_rebuild *rebuild, char *message)
{
    uint8_t identity[16];
    journal_identity(rebuild->journal, identity);
    struct build b = {.rebuild = rebuild, .message = message, .good = true};
    b.buffer = malloc(INDEX_BATCH_BYTES);
    b.book = book_create(rebuild->options);
    bool built = false;
    if (b.buffer == NULL || b.book == NULL) {
        (void)snprintf(message, INDEX_MESSAGE_MAX, "out of memory for the index of old ids");
    } else {
        index_batch_init(&b.batch, b.buffer, INDEX_BATCH_BYTES);
        b.index = index_create(rebuild->path, identity, message);
        built = b.index != NULL && build_all(&b);
    }
    book_destroy(b.book);
    free(b.buffer);
    return built;
}
