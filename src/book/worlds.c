/*
 * worlds.c - saved worlds: what the book held at a moment, kept under a name and put back later
 * (R6.3: tests begin where they want to). See book.h for W1 to W3.
 *
 * A world is the canonical bytes of the book's contents, and state itself: the event that saves one
 * holds its name alone, since replay stands at the same contents when it comes by. So a journal
 * needs no other file, and a newer program that keeps its state differently saves it differently.
 *
 * What may fail (memory) happens in book__prepare, before a decision; apply only moves pointers.
 * In replay there is no "before": there, apply prepares, and says when memory has run out.
 * Tests: tests/unit/test_worlds.c, tests/e2e/stories/160-worlds.mjs.
 */
#include <stdlib.h>
#include <string.h>

#include "book/book_internal.h"

bool book_world_name_valid(struct span name)
{
    if (name.size == 0 || name.size > BOOK_WORLD_NAME_MAX) {
        return false;
    }
    CHECK(name.data != NULL);
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '.' || c == '_' || c == '-';
        if (!good) {
            return false;
        }
    }
    return true;
}

static struct span world_name(const struct book_world *w)
{
    CHECK(w->name_size > 0);
    CHECK(w->name_size <= BOOK_WORLD_NAME_MAX);
    return (struct span){w->name, w->name_size};
}

/* world_count when there is none. */
static uint32_t world_index(const struct book *b, struct span name)
{
    CHECK(b->world_count <= BOOK_WORLDS_MAX);
    CHECK(name.size == 0 || name.data != NULL);
    for (uint32_t i = 0; i < b->world_count; i++) {
        if (span_equal(world_name(&b->worlds[i]), name)) {
            return i;
        }
    }
    return b->world_count;
}

const struct book_world *book_world(const struct book *b, struct span name)
{
    uint32_t index = world_index(b, name);
    CHECK(index <= b->world_count);
    CHECK(IMPLIES(index < b->world_count, b->worlds[index].bytes != NULL));
    return index < b->world_count ? &b->worlds[index] : NULL;
}

static size_t all_worlds_size(const struct book *b)
{
    size_t size = 0;
    CHECK(b->world_count <= BOOK_WORLDS_MAX);
    for (uint32_t i = 0; i < b->world_count; i++) {
        CHECK(b->worlds[i].size <= SIZE_MAX - size);
        size += b->worlds[i].size;
    }
    return size;
}

/* ---- what may fail ---- */

struct world_count {
    size_t size;
    size_t most;
};

static bool count_flush(void *context, const uint8_t *data, size_t size)
{
    struct world_count *count = context;
    (void)data;
    CHECK(count->size <= SIZE_MAX - size);
    count->size += size;
    return count->size <= count->most; /* a book of gigabytes is not walked to its end */
}

bool book__contents_prepare(struct book *b, const struct book *from, size_t most)
{
    uint8_t buffer[16 * 1024];
    struct world_count count = {0, most};
    struct writer w = writer_init(buffer, sizeof(buffer));
    w.flush = count_flush;
    w.context = &count;
    CHECK(b->prepared.bytes == NULL);
    CHECK(b->prepared.size == 0);
    book__contents_save(from, &w);
    if (!writer_finish(&w)) {
        return true;
    }
    b->prepared.bytes = malloc(count.size);
    if (b->prepared.bytes == NULL) {
        return false;
    }
    b->prepared.size = count.size;
    w = writer_init(b->prepared.bytes, count.size);
    book__contents_save(from, &w);
    CHECK(!w.overflow);
    CHECK(w.size == count.size);
    return true;
}

static bool prepare_copy(struct book *b, const struct book_world *from)
{
    CHECK(b->prepared.bytes == NULL);
    CHECK(from->size > 0);
    CHECK(from->bytes != NULL);
    b->prepared.bytes = malloc(from->size);
    if (b->prepared.bytes == NULL) {
        return false;
    }
    b->prepared.size = from->size;
    memcpy(b->prepared.bytes, from->bytes, from->size);
    return true;
}

static bool prepare_restore(struct book *b, const struct book_world *from)
{
    CHECK(b->fresh == NULL);
    CHECK(from->size > 0);
    if (!book__fresh_make(b)) {
        return false;
    }
    struct reader r = reader_init(from->bytes, from->size);
    bool loaded = book__contents_load(b->fresh, &r);
    CHECK(IMPLIES(loaded, reader_done(&r))); /* our own bytes */
    return loaded;
}

bool book__prepare(struct book *b, const struct book_command *command)
{
    CHECK(b->prepared.bytes == NULL);
    CHECK(b->fresh == NULL);
    if (command->kind < COMMAND_WORLD_SAVE || command->kind > COMMAND_WORLD_RESTORE) {
        return book__import_prepare(b, command);
    }
    const struct world_command *c = command->body;
    const struct book_world *named = book_world(b, c->name);
    const struct book_world *from = book_world(b, c->from);
    bool room = b->world_count < BOOK_WORLDS_MAX;
    bool good = true;
    if (command->kind == COMMAND_WORLD_SAVE && named == NULL && room) {
        good = book__contents_prepare(b, b, BOOK_WORLD_BYTES_MAX);
    } else if (command->kind == COMMAND_WORLD_COPY && named == NULL && from != NULL && room) {
        good = prepare_copy(b, from);
    } else if (command->kind == COMMAND_WORLD_RESTORE && named != NULL) {
        good = prepare_restore(b, named);
    }
    if (!good) {
        book__prepare_end(b);
    }
    return good;
}

void book__prepare_end(struct book *b)
{
    CHECK(b->fresh != b);
    CHECK(IMPLIES(b->prepared.bytes == NULL, b->prepared.size == 0));
    free(b->prepared.bytes);
    book__fresh_drop(b);
    memset(&b->prepared, 0, sizeof(b->prepared));
}

/* ---- deciding ---- */

enum book_outcome book__judge_new_world(const struct book *b, struct span name)
{
    CHECK(book_world_name_valid(name));
    if (book__left(b) > 0) {
        return BOOK_LEFT; /* a world holds all of its past; what left is in the index only */
    }
    if (book_world(b, name) != NULL) {
        return BOOK_EXISTS;
    }
    if (b->world_count == BOOK_WORLDS_MAX) {
        return BOOK_TOO_MANY;
    }
    bool fits = b->prepared.bytes != NULL &&
                all_worlds_size(b) + b->prepared.size <= BOOK_ALL_WORLDS_BYTES_MAX;
    CHECK(b->fresh == NULL);
    return fits ? BOOK_DONE : BOOK_TOO_LARGE;
}

static enum book_outcome judge(const struct decision *d)
{
    const struct world_command *c = d->command->body;
    const struct book *b = d->book;
    CHECK(d->events == 0);
    CHECK(d->command->reply != NULL); /* a refusal must be told */
    switch (d->command->kind) {
    case COMMAND_WORLD_SAVE: return book__judge_new_world(b, c->name);
    case COMMAND_WORLD_COPY:
        return book_world(b, c->from) == NULL ? BOOK_NOT_FOUND : book__judge_new_world(b, c->name);
    default: return book_world(b, c->name) == NULL ? BOOK_NOT_FOUND : BOOK_DONE;
    }
}

/* W3: with a real clock a book goes on now, or when its world was saved if that is later (the clock
 * was virtual then). */
static int64_t time_after_restore(const struct decision *d, const struct book_world *w)
{
    bool back = d->book->clock_mode == CLOCK_VIRTUAL;
    CHECK(w->time_ns >= 0);
    CHECK(d->command->now_ns >= d->book->time_ns);
    return back || w->time_ns > d->command->now_ns ? w->time_ns : d->command->now_ns;
}

enum book_outcome book__decide_world(struct decision *d)
{
    const struct world_command *c = d->command->body;
    enum book_outcome outcome = judge(d);
    struct writer *w;
    CHECK(d->events == 0);
    if (outcome != BOOK_DONE) {
        return outcome;
    }
    switch (d->command->kind) {
    case COMMAND_WORLD_SAVE: w = decision_begin(d, EVENT_WORLD_SAVED); break;
    case COMMAND_WORLD_COPY:
        w = decision_begin(d, EVENT_WORLD_COPIED);
        put_text(w, c->from);
        break;
    case COMMAND_WORLD_REMOVE: w = decision_begin(d, EVENT_WORLD_REMOVED); break;
    default:
        CHECK(d->command->kind == COMMAND_WORLD_RESTORE);
        w = decision_begin(d, EVENT_WORLD_RESTORED);
        put_u64(w, d->book->generation + 1);
        put_i64(w, time_after_restore(d, book_world(d->book, c->name)));
    }
    put_text(w, c->name);
    decision_end(d);
    CHECK(d->events == 1);
    return BOOK_DONE;
}

/* ---- applying ---- */

static struct digest_value digest_bytes(const uint8_t *bytes, size_t size)
{
    struct digest d;
    CHECK(bytes != NULL);
    CHECK(size > 0);
    digest_init(&d);
    digest_update(&d, bytes, size);
    return digest_finish(&d);
}

struct book_world *book__keep_world(struct book *b, const struct frame_info *info, struct span name)
{
    CHECK(b->world_count < BOOK_WORLDS_MAX); /* W1 */
    CHECK(b->prepared.bytes != NULL);
    CHECK(book_world(b, name) == NULL);
    struct book_world *w = &b->worlds[b->world_count];
    memset(w, 0, sizeof(*w));
    memcpy(w->name, name.data, name.size);
    w->name_size = (uint32_t)name.size;
    w->generation = b->generation;
    w->position = info->position;
    w->time_ns = info->time_ns;
    w->bytes = b->prepared.bytes;
    w->size = b->prepared.size;
    w->digest = digest_bytes(w->bytes, w->size);
    b->prepared.bytes = NULL;
    b->prepared.size = 0;
    b->world_count++;
    return w;
}

static enum book_replay apply_new(struct book *b, const struct frame_info *info, uint16_t kind,
                                  struct reader *r)
{
    struct span from = SPAN_EMPTY;
    if (kind == EVENT_WORLD_COPIED) {
        from = get_text(r);
    }
    struct span name = get_text(r);
    const struct book_world *like = book_world(b, from);
    bool copies = kind == EVENT_WORLD_COPIED;
    if (!reader_done(r) || !book_world_name_valid(name) || book_world(b, name) != NULL ||
        b->world_count == BOOK_WORLDS_MAX || (copies && like == NULL)) {
        return BOOK_FRAME_BAD;
    }
    if (b->prepared.bytes == NULL &&
        !(copies ? prepare_copy(b, like) : book__contents_prepare(b, b, SIZE_MAX))) {
        return BOOK_REPLAY_MEMORY;
    }
    CHECK(b->prepared.bytes != NULL);
    CHECK(b->prepared.size > 0);
    struct book_world *w = book__keep_world(b, info, name);
    if (copies) {
        w->generation = like->generation;
        w->position = like->position;
        w->time_ns = like->time_ns;
    }
    return BOOK_REPLAYED;
}

static enum book_replay apply_removed(struct book *b, struct reader *r)
{
    struct span name = get_text(r);
    uint32_t index = world_index(b, name);
    if (!reader_done(r) || index == b->world_count) {
        return BOOK_FRAME_BAD;
    }
    CHECK(b->worlds[index].bytes != NULL);
    free(b->worlds[index].bytes);
    b->world_count--;
    memmove(&b->worlds[index], &b->worlds[index + 1],
            (b->world_count - index) * sizeof(b->worlds[0]));
    CHECK(book_world(b, name) == NULL);
    CHECK(b->world_count < BOOK_WORLDS_MAX);
    return BOOK_REPLAYED;
}

static enum book_replay apply_restored(struct book *b, const struct frame_info *info,
                                       struct reader *r)
{
    uint64_t generation = get_u64(r);
    int64_t time_ns = get_i64(r);
    const struct book_world *w = book_world(b, get_text(r));
    if (!reader_done(r) || w == NULL || generation != b->generation + 1 || time_ns < w->time_ns) {
        return BOOK_FRAME_BAD;
    }
    if (b->fresh == NULL && !prepare_restore(b, w)) {
        return BOOK_REPLAY_MEMORY;
    }
    CHECK(b->fresh->world_count == 0);
    CHECK(b->prepared.bytes == NULL);
    book__fresh_use(b);
    b->generation = generation;
    b->generation_position = info->position;
    b->time_ns = time_ns; /* W3 */
    CHECK(b->domain_state != NULL);
    return BOOK_REPLAYED;
}

enum book_replay book__apply_world(struct book *b, const struct frame_info *info, uint16_t kind,
                                   struct reader *r)
{
    CHECK(kind >= EVENT_WORLD_SAVED);
    CHECK(kind <= EVENT_WORLD_RESTORED);
    CHECK(b->time_ns == info->time_ns);
    switch (kind) {
    case EVENT_WORLD_REMOVED: return apply_removed(b, r);
    case EVENT_WORLD_RESTORED: return apply_restored(b, info, r);
    default: return apply_new(b, info, kind, r);
    }
}

/* ---- in snapshots ---- */

/* In pieces, so that a streaming writer needs no buffer of a world's size. */
static void save_bytes(struct writer *w, const uint8_t *bytes, size_t size)
{
    CHECK(bytes != NULL);
    CHECK(size > 0);
    for (size_t at = 0; at < size;) {
        size_t piece = size - at < 4096 ? size - at : 4096;
        put_raw(w, bytes + at, piece);
        at += piece;
    }
}

/* Nothing when there are no worlds: such a book has the bytes that it had before worlds were. */
void book__worlds_save(const struct book *b, struct writer *w)
{
    CHECK(b->world_count <= BOOK_WORLDS_MAX);
    CHECK(b->prepared.bytes == NULL);
    if (b->world_count == 0) {
        return;
    }
    put_u32(w, b->world_count);
    for (uint32_t i = 0; i < b->world_count; i++) {
        const struct book_world *world = &b->worlds[i];
        put_text(w, world_name(world));
        put_u64(w, world->generation);
        put_u64(w, world->position);
        put_i64(w, world->time_ns);
        put_u64(w, world->size);
        save_bytes(w, world->bytes, world->size);
    }
}

static bool load_world(struct book *b, struct reader *r)
{
    CHECK(b->world_count < BOOK_WORLDS_MAX);
    struct book_world *w = &b->worlds[b->world_count];
    struct span name = get_text(r);
    memset(w, 0, sizeof(*w));
    w->generation = get_u64(r);
    w->position = get_u64(r);
    w->time_ns = get_i64(r);
    uint64_t size = get_u64(r);
    const uint8_t *bytes = size > 0 ? reader_claim(r, size) : NULL;
    if (r->bad || bytes == NULL || w->time_ns < 0 || !book_world_name_valid(name) ||
        book_world(b, name) != NULL) {
        return false;
    }
    w->bytes = malloc(size);
    if (w->bytes == NULL) {
        return false;
    }
    memcpy(w->bytes, bytes, size);
    memcpy(w->name, name.data, name.size);
    w->name_size = (uint32_t)name.size;
    w->size = size;
    w->digest = digest_bytes(bytes, size);
    b->world_count++;
    CHECK(b->world_count <= BOOK_WORLDS_MAX);
    return true;
}

bool book__worlds_load(struct book *b, struct reader *r)
{
    CHECK(b->world_count == 0);
    if (r->at == r->size) {
        return !r->bad;
    }
    uint32_t count = get_u32(r);
    if (r->bad || count == 0 || count > BOOK_WORLDS_MAX) {
        return false;
    }
    while (b->world_count < count) {
        if (!load_world(b, r)) {
            return false;
        }
    }
    CHECK(b->world_count == count);
    return true;
}

void book__worlds_fini(struct book *b)
{
    CHECK(b->world_count <= BOOK_WORLDS_MAX);
    for (uint32_t i = 0; i < b->world_count; i++) {
        CHECK(b->worlds[i].bytes != NULL);
        free(b->worlds[i].bytes);
    }
    b->world_count = 0;
    free(b->import.bytes);
    b->import.bytes = NULL;
    book__prepare_end(b);
}

void book__worlds_check(const struct book *b)
{
    CHECK(b->world_count <= BOOK_WORLDS_MAX);
    CHECK(b->fresh == NULL);
    for (uint32_t i = 0; i < b->world_count; i++) {
        const struct book_world *w = &b->worlds[i];
        CHECK(world_index(b, world_name(w)) == i); /* W1 */
        CHECK(w->generation <= b->generation);
        CHECK(w->position <= b->position);
        CHECK(book_world_name_valid(world_name(w)));
        CHECK(digest_equal(digest_bytes(w->bytes, w->size), w->digest));
    }
}
