/*
 * recover.c - from the journal back to the state: the newest usable snapshot, then the frames after
 * it; without a snapshot, all frames. E5.
 */
#include "engine/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutant.h"

struct recover_walk {
    struct book *book;
    struct engine_recovery *out;
    enum book_replay result;
};

static const char *replay_text(enum book_replay result)
{
    switch (result) {
    case BOOK_REPLAYED: return "fine";
    case BOOK_FRAME_BAD:
        return "a frame is malformed although its checksum is right: it was written by a program "
               "with a bug or by another program; keep the folder and report it";
    case BOOK_FRAME_GAP:
        return "positions or times do not follow each other; keep the folder and report it";
    case BOOK_EVENT_UNKNOWN:
        return "it holds an event that this program does not know: it was written by a newer "
               "version; start that one";
    case BOOK_REPLAY_MEMORY: return "out of memory; give the process more";
    case BOOK_DIGEST_DIFFERS:
        return "the state differs from the digest that was recorded; keep the folder and report "
               "it";
    }
    UNREACHABLE("unknown replay result");
}

static bool recover_batch(void *context, const struct journal_read_batch *batch)
{
    struct recover_walk *walk = context;
    struct reader r = reader_init(batch->payload, batch->payload_size);
    uint64_t position = batch->first_position;
    uint32_t frames = 0;
    while (r.at < r.size && walk->result == BOOK_REPLAYED) {
        if (position > walk->book->position) {
            walk->result = book_replay_frame(walk->book, &r);
            walk->out->frames_replayed++;
        } else {
            struct frame_reader skipped; /* the snapshot covers it */
            if (!frame_next(&r, &skipped)) {
                walk->result = BOOK_FRAME_BAD;
            }
        }
        position++;
        frames++;
    }
    if (walk->result == BOOK_REPLAYED && frames != batch->frame_count) {
        walk->result = BOOK_FRAME_GAP;
    }
    if (walk->result != BOOK_REPLAYED) {
        (void)snprintf(walk->out->message, sizeof(walk->out->message),
                       "replaying the journal failed at position %llu (segment %llu, offset %llu): "
                       "%s",
                       (unsigned long long)position - 1, (unsigned long long)batch->segment,
                       (unsigned long long)batch->offset, replay_text(walk->result));
    }
    return walk->result == BOOK_REPLAYED;
}

/* A new book filled from the newest snapshot; NULL when there is none that fits. */
static struct book *recover_snapshot(struct journal *journal, const struct book_options *options,
                                     struct engine_recovery *out)
{
    struct snapshot_meta meta;
    size_t size = 0;
    uint8_t *content =
        snapshot_load(journal, BOOK_STATE_VERSION, journal_head(journal).position, &meta, &size);
    if (content == NULL) {
        return NULL;
    }
    struct book *book = book_create(options);
    struct reader r = reader_init(content, size);
    bool loaded = book != NULL && book_load(book, &r) && book->position == meta.position;
    free(content);
    if (!loaded) {
        book_destroy(book);
        return NULL;
    }
    out->snapshot_position = meta.position;
    book->position +=
        MUTATED(SNAPSHOT_FRAME_LOST) && book->position < journal_head(journal).position;
    return book;
}

struct book *engine_recover(struct journal *journal, const struct book_options *options,
                            struct engine_recovery *out)
{
    memset(out, 0, sizeof(*out));
    struct journal_head head = journal_head(journal);
    struct book *book = recover_snapshot(journal, options, out);
    if (book == NULL) {
        book = book_create(options);
    }
    if (book == NULL) {
        (void)snprintf(out->message, sizeof(out->message), "out of memory while opening the book");
        return NULL;
    }
    struct recover_walk walk = {book, out, BOOK_REPLAYED};
    if (book->position < head.position) {
        struct journal_error error;
        book->outbox.replaying = true;
        enum journal_status status =
            journal_read(journal, book->position + 1, recover_batch, &walk, &error);
        book->outbox.replaying = false;
        if (status != JOURNAL_OK) {
            (void)snprintf(out->message, sizeof(out->message), "%.500s", error.message);
            book_destroy(book);
            return NULL;
        }
    }
    if (walk.result != BOOK_REPLAYED || book->position != head.position) {
        book_destroy(book);
        return NULL;
    }
    return book;
}
