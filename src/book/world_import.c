/*
 * world_import.c - a world of another journal, brought in as the decisions that made it (W4). What
 * they were is known then to whoever reads this journal alone, in the format that never changes;
 * a copy of the state would bind it to the program that made it.
 *
 * The run of frames: begun, one for each decision, imported. Each decision has the position of
 * the frame that brings it, so that positions, and the ids that are made of them, fit this journal
 * and no other decision can have them. What is begun is memory and no state: every other frame ends
 * it, and so does a restart, since a program begins anew.
 *
 * Relies on: whoever imports a stranger's file has looked at it before (face/world_file.h,
 * app/world_check.h); here is checked what must hold of any journal.
 * Tests: tests/unit/test_world_import.c, tests/e2e/stories/162-world-files.mjs.
 */
#include <stdlib.h>
#include <string.h>

#include "book/book_internal.h"

static struct span import_name(const struct book_import *m)
{
    CHECK(m->name_size <= BOOK_WORLD_NAME_MAX);
    return (struct span){m->name, m->name_size};
}

/* Is one under way whose next frame comes after this position? */
static bool goes_on(const struct book *b, uint64_t position)
{
    CHECK(IMPLIES(b->import.bytes == NULL, b->import.position == 0));
    return b->import.bytes != NULL && b->import.position == position;
}

static struct digest_value digest_of_import(const struct book_import *m)
{
    struct digest d;
    digest_init(&d);
    digest_update(&d, m->bytes, m->size);
    CHECK(m->size <= m->room);
    return digest_finish(&d);
}

/* A history opens its generation with its first event, and is about nothing but its contents. */
static bool events_fit(struct span events, bool first)
{
    CHECK(events.size == 0 || events.data != NULL);
    struct frame_reader f = {{1, 0, 1}, reader_init(events.data, events.size)};
    uint16_t kind;
    struct reader body;
    uint32_t count = 0;
    while (frame_event(&f, &kind, &body)) {
        bool opens = kind == EVENT_GENERATION_OPENED;
        if (opens != (first && count == 0) ||
            (kind <= BOOK_EVENT_LAST && !opens && kind != EVENT_KEY_KEPT)) {
            return false;
        }
        count++;
    }
    return !f.events.bad && count > 0;
}

/* ---- what may fail ---- */

/* Replays what came in beside the present contents. */
static enum book_replay replay_import(struct book *b)
{
    const struct book_import *m = &b->import;
    enum book_replay result = BOOK_REPLAYED;
    CHECK(b->fresh == NULL);
    CHECK(m->bytes != NULL);
    CHECK(b->prepared.bytes == NULL);
    if (!book__fresh_prepare(b)) {
        return BOOK_REPLAY_MEMORY;
    }
    struct book *scratch = b->fresh;
    struct reader r = reader_init(m->bytes, m->size);
    scratch->position = m->begun;
    scratch->outbox.replaying = true;
    while (result == BOOK_REPLAYED && r.at < r.size) {
        result = book_replay_frame(scratch, &r);
    }
    scratch->outbox.replaying = false;
    if (result == BOOK_REPLAYED && scratch->time_ns > m->time_ns) {
        result = BOOK_FRAME_BAD; /* saved before its last decision */
    }
    if (result == BOOK_REPLAYED && !book__contents_prepare(b, scratch, BOOK_WORLD_BYTES_MAX)) {
        result = BOOK_REPLAY_MEMORY;
    }
    book__fresh_drop(b);
    CHECK(IMPLIES(result != BOOK_REPLAYED, b->prepared.bytes == NULL));
    return result;
}

bool book__import_prepare(struct book *b, const struct book_command *command)
{
    const struct world_import_command *c = command->body;
    CHECK(b->prepared.bytes == NULL);
    CHECK(!b->prepared.unreadable);
    if (command->kind == COMMAND_WORLD_IMPORT_BEGIN && c->bytes > 0 &&
        c->bytes <= BOOK_IMPORT_BYTES_MAX) {
        b->prepared.bytes = malloc(c->bytes);
        b->prepared.size = c->bytes;
        return b->prepared.bytes != NULL;
    }
    if (command->kind != COMMAND_WORLD_IMPORT_END || !goes_on(b, b->position)) {
        return true;
    }
    enum book_replay result = replay_import(b);
    b->prepared.unreadable = result != BOOK_REPLAYED && result != BOOK_REPLAY_MEMORY;
    return result != BOOK_REPLAY_MEMORY;
}

/* ---- deciding ---- */

static enum book_outcome judge_begin(const struct book *b, const struct world_import_command *c)
{
    if (c->bytes == 0 || c->frames == 0 || c->bytes > BOOK_IMPORT_BYTES_MAX) {
        return BOOK_TOO_LARGE;
    }
    CHECK(c->time_ns >= 0);
    CHECK(c->frames <= c->bytes);
    return book__judge_new_world(b, c->name);
}

static enum book_outcome judge_frame(const struct book *b, const struct world_import_command *c)
{
    const struct book_import *m = &b->import;
    if (!goes_on(b, b->position)) {
        return BOOK_INTERRUPTED;
    }
    size_t size = c->events.size + BOOK_FRAME_HEADER_BYTES;
    bool fits = size <= BOOK_IMPORT_FRAME_MAX && size <= m->room - m->size &&
                m->frames < m->wanted && c->cause != 0 && events_fit(c->events, m->frames == 0);
    CHECK(m->size <= m->room);
    return fits ? BOOK_DONE : BOOK_UNREADABLE;
}

static bool is_whole(const struct book_import *m, struct span name, struct digest_value digest)
{
    CHECK(m->bytes != NULL);
    CHECK(m->frames <= m->wanted);
    return m->frames == m->wanted && m->size == m->room && span_equal(name, import_name(m)) &&
           digest_equal(digest, digest_of_import(m));
}

static enum book_outcome judge_end(const struct book *b, const struct world_import_command *c)
{
    CHECK(b->fresh == NULL);
    if (!goes_on(b, b->position)) {
        return BOOK_INTERRUPTED;
    }
    if (b->prepared.unreadable || !is_whole(&b->import, c->name, c->digest)) {
        return BOOK_UNREADABLE;
    }
    return book__judge_new_world(b, c->name);
}

static void write_begin(struct decision *d, const struct world_import_command *c)
{
    struct writer *w = decision_begin(d, EVENT_WORLD_IMPORT_BEGUN);
    CHECK(book_world_name_valid(c->name));
    CHECK(c->bytes <= BOOK_IMPORT_BYTES_MAX);
    put_text(w, c->name);
    put_i64(w, c->time_ns);
    put_u32(w, c->frames);
    put_u32(w, c->bytes);
    decision_end(d);
}

static void write_frame(struct decision *d, const struct world_import_command *c)
{
    struct writer *w = decision_begin(d, EVENT_WORLD_IMPORT_FRAME);
    CHECK(c->cause != 0);
    CHECK(c->events.size > 0);
    put_i64(w, c->time_ns);
    put_u16(w, c->cause);
    put_raw(w, c->events.data, c->events.size);
    decision_end(d);
}

static void write_end(struct decision *d, const struct world_import_command *c)
{
    struct writer *w = decision_begin(d, EVENT_WORLD_IMPORTED);
    CHECK(book_world_name_valid(c->name));
    CHECK(d->book->import.frames == d->book->import.wanted);
    put_text(w, c->name);
    put_u64(w, c->digest.high);
    put_u64(w, c->digest.low);
    decision_end(d);
}

enum book_outcome book__decide_import(struct decision *d)
{
    const struct world_import_command *c = d->command->body;
    bool begins = d->command->kind == COMMAND_WORLD_IMPORT_BEGIN;
    bool ends = d->command->kind == COMMAND_WORLD_IMPORT_END;
    enum book_outcome outcome = begins ? judge_begin(d->book, c)
                                : ends ? judge_end(d->book, c)
                                       : judge_frame(d->book, c);
    CHECK(d->command->reply != NULL);
    CHECK(d->events == 0);
    if (outcome == BOOK_DONE) {
        (begins ? write_begin : ends ? write_end : write_frame)(d, c);
    }
    return outcome;
}

/* ---- applying ---- */

static enum book_replay apply_begun(struct book *b, const struct frame_info *info, struct reader *r)
{
    struct span name = get_text(r);
    struct book_import m = {
        .time_ns = get_i64(r), .begun = info->position, .position = info->position};
    m.wanted = get_u32(r);
    m.room = get_u32(r);
    if (!reader_done(r) || !book_world_name_valid(name) || m.time_ns < 0 || m.wanted == 0 ||
        m.room == 0 || m.room > BOOK_IMPORT_BYTES_MAX || book_world(b, name) != NULL) {
        return BOOK_FRAME_BAD;
    }
    CHECK(IMPLIES(b->prepared.bytes != NULL, b->prepared.size == m.room));
    m.bytes = b->prepared.bytes != NULL ? b->prepared.bytes : malloc(m.room);
    b->prepared.bytes = NULL;
    b->prepared.size = 0;
    if (m.bytes == NULL) {
        return BOOK_REPLAY_MEMORY;
    }
    memcpy(m.name, name.data, name.size);
    m.name_size = (uint32_t)name.size;
    free(b->import.bytes); /* one that never ended */
    b->import = m;
    CHECK(goes_on(b, info->position));
    return BOOK_REPLAYED;
}

static enum book_replay apply_frame(struct book *b, const struct frame_info *info, struct reader *r)
{
    struct book_import *m = &b->import;
    int64_t time_ns = get_i64(r);
    uint16_t cause = get_u16(r);
    if (r->bad || !goes_on(b, info->position - 1) || cause == 0) {
        return BOOK_FRAME_BAD;
    }
    struct span events = {(const char *)r->data + r->at, r->size - r->at};
    size_t size = events.size + BOOK_FRAME_HEADER_BYTES;
    if (size > m->room - m->size || m->frames == m->wanted || !events_fit(events, m->frames == 0)) {
        return BOOK_FRAME_BAD;
    }
    struct writer w = writer_init(m->bytes + m->size, size);
    put_u32(&w, (uint32_t)size);
    put_u16(&w, cause);
    put_u16(&w, 0);
    put_u64(&w, info->position);
    put_i64(&w, time_ns);
    put_u64(&w, 0);
    put_raw(&w, events.data, events.size);
    CHECK(!w.overflow && w.size == size);
    m->size += size;
    m->frames++;
    CHECK(m->size <= m->room && m->frames <= m->wanted);
    m->position = info->position;
    return BOOK_REPLAYED;
}

static enum book_replay apply_imported(struct book *b, const struct frame_info *info,
                                       struct reader *r)
{
    struct book_import *m = &b->import;
    struct span name = get_text(r);
    struct digest_value digest = {.high = get_u64(r)};
    digest.low = get_u64(r);
    if (!reader_done(r) || !goes_on(b, info->position - 1) || !is_whole(m, name, digest) ||
        book_world(b, name) != NULL || b->world_count == BOOK_WORLDS_MAX) {
        return BOOK_FRAME_BAD;
    }
    if (b->prepared.bytes == NULL) {
        enum book_replay result = replay_import(b);
        if (result != BOOK_REPLAYED || b->prepared.bytes == NULL) {
            return result != BOOK_REPLAYED ? result : BOOK_FRAME_BAD;
        }
    }
    struct book_world *w = book__keep_world(b, info, name);
    w->time_ns = m->time_ns;
    free(m->bytes);
    memset(m, 0, sizeof(*m));
    CHECK(book_world(b, name) == w);
    return BOOK_REPLAYED;
}

enum book_replay book__apply_import(struct book *b, const struct frame_info *info, uint16_t kind,
                                    struct reader *r)
{
    CHECK(kind >= EVENT_WORLD_IMPORT_BEGUN);
    CHECK(kind <= EVENT_WORLD_IMPORTED);
    switch (kind) {
    case EVENT_WORLD_IMPORT_BEGUN: return apply_begun(b, info, r);
    case EVENT_WORLD_IMPORT_FRAME: return apply_frame(b, info, r);
    default: return apply_imported(b, info, r);
    }
}
