/*
 * world_files.c - see world_files.h.
 */
#include "app/world_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/verify/audit.h"
#include "app/verify/guarded.h"
#include "book/book.h"
#include "journal/journal.h"

/* ---- the decisions of a world ---- */

/* Grows up to a world's limit; beyond it, it only knows that it did. */
struct decisions {
    uint8_t *bytes;
    size_t size, room;
    bool too_long;
    bool left; /* something in it left memory */
};

struct saved_world {
    char name[BOOK_WORLD_NAME_MAX + 1];
    struct decisions decisions;
};

struct scan {
    struct decisions present;
    struct decisions incoming; /* of an import under way */
    struct saved_world worlds[BOOK_WORLDS_MAX];
    uint32_t count;
    uint64_t until;
    uint64_t bytes;
    bool no_memory, malformed;
};

static void decisions_clear(struct decisions *d)
{
    free(d->bytes);
    memset(d, 0, sizeof(*d));
}

static void decisions_add(struct scan *scan, struct decisions *d, const void *bytes, size_t size)
{
    if (d->too_long || d->size + size > BOOK_IMPORT_BYTES_MAX) {
        d->too_long = true;
        return;
    }
    if (d->size + size > d->room) {
        size_t room = d->room == 0 ? 64 * 1024 : 2 * d->room;
        uint8_t *grown = realloc(d->bytes, room);
        if (grown == NULL) {
            scan->no_memory = true;
            return;
        }
        d->bytes = grown;
        d->room = room;
    }
    memcpy(d->bytes + d->size, bytes, size);
    d->size += size;
}

static void decisions_copy(struct scan *scan, struct decisions *to, const struct decisions *from)
{
    to->too_long = from->too_long;
    to->left = from->left;
    if (from->size > 0) {
        to->room = from->size;
        to->bytes = malloc(from->size);
        scan->no_memory = scan->no_memory || to->bytes == NULL;
        to->room = to->bytes == NULL ? 0 : to->room;
        decisions_add(scan, to, from->bytes, to->bytes == NULL ? 0 : from->size);
    }
}

static struct saved_world *find_world(struct scan *scan, struct span name)
{
    for (uint32_t i = 0; i < scan->count; i++) {
        if (span_is(name, scan->worlds[i].name)) {
            return &scan->worlds[i];
        }
    }
    return NULL;
}

static void keep_world(struct scan *scan, struct span name, const struct decisions *decisions)
{
    if (scan->count == BOOK_WORLDS_MAX || !book_world_name_valid(name)) {
        scan->malformed = true;
        return;
    }
    struct saved_world *w = &scan->worlds[scan->count++];
    memset(w, 0, sizeof(*w));
    memcpy(w->name, name.data, name.size);
    decisions_copy(scan, &w->decisions, decisions);
}

static void forget_world(struct scan *scan, struct saved_world *w)
{
    decisions_clear(&w->decisions);
    scan->count--;
    *w = scan->worlds[scan->count]; /* their order means nothing here */
}

/* Frame headers as the journal has them. */
static void add_frame(struct scan *scan, struct decisions *d, const struct frame_info *info,
                      struct span events)
{
    uint8_t header[BOOK_FRAME_HEADER_BYTES];
    struct writer w = writer_init(header, sizeof(header));
    put_u32(&w, (uint32_t)(sizeof(header) + events.size));
    put_u16(&w, info->cause);
    put_u16(&w, 0);
    put_u64(&w, info->position);
    put_i64(&w, info->time_ns);
    put_u64(&w, 0);
    decisions_add(scan, d, header, sizeof(header));
    decisions_add(scan, d, events.data, events.size);
}

static void world_event(struct scan *scan, uint16_t kind, struct reader *r)
{
    struct span from = SPAN_EMPTY;
    if (kind == EVENT_WORLD_COPIED) {
        from = get_text(r);
    } else if (kind == EVENT_WORLD_RESTORED) {
        (void)get_u64(r);
        (void)get_i64(r);
    }
    struct span name = get_text(r);
    struct saved_world *w = find_world(scan, kind == EVENT_WORLD_COPIED ? from : name);
    if (!reader_done(r) || (w == NULL && kind != EVENT_WORLD_SAVED)) {
        scan->malformed = true;
        return;
    }
    switch (kind) {
    case EVENT_WORLD_SAVED: keep_world(scan, name, &scan->present); break;
    case EVENT_WORLD_COPIED: keep_world(scan, name, &w->decisions); break;
    case EVENT_WORLD_REMOVED: forget_world(scan, w); break;
    default: decisions_clear(&scan->present); decisions_copy(scan, &scan->present, &w->decisions);
    }
}

static void import_event(struct scan *scan, const struct frame_info *info, uint16_t kind,
                         struct reader *r)
{
    if (kind == EVENT_WORLD_IMPORT_FRAME) {
        struct frame_info inner = {info->position, get_i64(r), get_u16(r)};
        struct span events = {(const char *)r->data + r->at, r->size - r->at};
        add_frame(scan, &scan->incoming, &inner, events);
        return;
    }
    if (kind == EVENT_WORLD_IMPORT_BEGUN) {
        decisions_clear(&scan->incoming); /* of one that never ended */
        return;
    }
    keep_world(scan, get_text(r), &scan->incoming);
    decisions_clear(&scan->incoming);
}

/* One event is of the contents, of worlds, or of neither (then it is left out). */
static void scan_event(struct scan *scan, const struct frame_info *info, uint16_t kind,
                       struct reader body, struct writer *kept)
{
    if (kind == EVENT_GENERATION_OPENED) {
        decisions_clear(&scan->present);
    }
    if (kind > BOOK_EVENT_LAST || kind == EVENT_GENERATION_OPENED || kind == EVENT_KEY_KEPT) {
        put_u16(kept, kind);
        put_u16(kept, (uint16_t)body.size);
        put_raw(kept, body.data, body.size);
    } else if (kind >= EVENT_WORLD_SAVED && kind <= EVENT_WORLD_RESTORED) {
        world_event(scan, kind, &body);
    } else if (kind >= EVENT_WORLD_IMPORT_BEGUN && kind <= EVENT_WORLD_IMPORTED) {
        import_event(scan, info, kind, &body);
    } else if (kind >= EVENT_CLOSED_LEFT && kind <= EVENT_RECALLED) {
        scan->present.left = true;
    }
}

static void scan_frame(struct scan *scan, struct frame_reader *f)
{
    uint8_t room[BOOK_IMPORT_FRAME_MAX];
    struct writer kept = writer_init(room, sizeof(room));
    uint16_t kind;
    struct reader body;
    while (frame_event(f, &kind, &body)) {
        scan_event(scan, &f->info, kind, body, &kept);
    }
    if (kept.overflow || kept.size > sizeof(room) - BOOK_FRAME_HEADER_BYTES) {
        scan->present.too_long = true; /* a batch of many transfers */
    } else if (kept.size > 0) {
        add_frame(scan, &scan->present, &f->info, (struct span){(char *)room, kept.size});
    }
}

static bool scan_batch(void *context, const struct journal_read_batch *batch)
{
    struct scan *scan = context;
    struct reader r = reader_init(batch->payload, batch->payload_size);
    struct frame_reader f;
    scan->bytes += batch->payload_size;
    while (frame_next(&r, &f) && f.info.position <= scan->until) {
        scan_frame(scan, &f);
    }
    scan->malformed = scan->malformed || r.bad;
    return !scan->no_memory && !scan->malformed && scan->bytes <= WORLD_JOURNAL_BYTES_MAX &&
           (batch->frame_count == 0 || batch->first_position + batch->frame_count <= scan->until);
}

static const char *scan_fault(struct scan *scan, struct span name)
{
    struct saved_world *w = find_world(scan, name);
    if (scan->no_memory) {
        return "out of memory";
    }
    if (scan->malformed) {
        return "the journal holds what this program cannot read; run 'hakika verify'";
    }
    if (scan->bytes > WORLD_JOURNAL_BYTES_MAX) {
        return "the journal is longer than the 256 MiB that are searched for a world's decisions: "
               "save the world in a younger data folder";
    }
    if (w == NULL) {
        return "the world is not on disk yet; try again";
    }
    if (w->decisions.left) {
        return "payments of this world have left memory, and a file cannot hold them";
    }
    return w->decisions.too_long
               ? "more was decided in this world than the 2 MiB that a file holds: "
                 "save it earlier, or reset and build it anew"
               : NULL;
}

static void scan_fini(struct scan *scan)
{
    while (scan->count > 0) {
        forget_world(scan, &scan->worlds[scan->count - 1]);
    }
    decisions_clear(&scan->present);
    decisions_clear(&scan->incoming);
}

static bool read_journal(struct scan *scan, const char *directory, char *error)
{
    struct journal_error why;
    struct journal *journal = NULL;
    struct journal_options options = {
        .directory = directory, .book = "operator", .verify_bytes = 1};
    bool good = journal_open_beside(&options, &journal, &why) == JOURNAL_OK &&
                journal_read(journal, 1, scan_batch, scan, &why) == JOURNAL_OK;
    if (!good) {
        (void)snprintf(error, WORLD_FILES_ERROR_SIZE, "the journal cannot be read: %.150s",
                       why.message);
    }
    journal_close(journal);
    return good;
}

uint8_t *world_history(const char *directory, uint64_t until_position, struct span name,
                       size_t *size_out, char error[WORLD_FILES_ERROR_SIZE])
{
    struct scan *scan = calloc(1, sizeof(*scan));
    uint8_t *bytes = NULL;
    if (scan == NULL) {
        (void)snprintf(error, WORLD_FILES_ERROR_SIZE, "out of memory");
        return NULL;
    }
    scan->until = until_position;
    if (read_journal(scan, directory, error)) {
        const char *fault = scan_fault(scan, name);
        if (fault != NULL) {
            (void)snprintf(error, WORLD_FILES_ERROR_SIZE, "%s", fault);
        } else {
            struct decisions *d = &find_world(scan, name)->decisions;
            bytes = d->bytes;
            *size_out = d->size;
            d->bytes = NULL;
        }
    }
    scan_fini(scan);
    free(scan);
    return bytes;
}

/* ---- is it sound? ---- */

struct rehearsal {
    struct span frames;
    uint64_t begun;
    const struct operator_settings *settings;
};

/* In a child: what the book will do with it, and every invariant after it. */
static void rehearse(void *context)
{
    const struct rehearsal *rehearsal = context;
    struct book_options options = {.domain = &operator_domain, .settings = rehearsal->settings};
    struct reader r = reader_init(rehearsal->frames.data, rehearsal->frames.size);
    (void)alarm(WORLD_CHILD_S);
    struct book *book = book_create(&options);
    CHECK(book != NULL);
    book->position = rehearsal->begun;
    book->outbox.replaying = true;
    while (r.at < r.size) {
        CHECK(book_replay_frame(book, &r) == BOOK_REPLAYED);
    }
    book->outbox.replaying = false;
    book_check(book);
}

static bool replays(const struct rehearsal *rehearsal, char *error)
{
    struct guarded_end end;
    struct rehearsal copy = *rehearsal;
    guarded_run(rehearse, NULL, &copy, &end);
    if (!end.ran) {
        (void)snprintf(error, WORLD_FILES_ERROR_SIZE, "no process to look at the file with");
    } else if (!end.good) {
        (void)snprintf(error, WORLD_FILES_ERROR_SIZE,
                       "its decisions are not those of a sound book: replaying them stops (%.80s)",
                       end.text[0] == '\0' ? "too slow, or no memory" : end.text);
        error[strcspn(error, "\n")] = '\0';
    }
    return end.ran && end.good;
}

bool world_sound(struct span frames, const struct operator_settings *settings,
                 char error[WORLD_FILES_ERROR_SIZE])
{
    struct reader r = reader_init(frames.data, frames.size);
    struct frame_reader first;
    if (!frame_next(&r, &first) || first.info.position < 2) {
        (void)snprintf(error, WORLD_FILES_ERROR_SIZE, "it holds no decisions");
        return false;
    }
    struct rehearsal rehearsal = {frames, first.info.position - 1, settings};
    struct audit_import *import = audit_import_create(rehearsal.begun);
    if (import == NULL) {
        (void)snprintf(error, WORLD_FILES_ERROR_SIZE, "out of memory");
        return false;
    }
    audit_import_frames(import, frames);
    const char *breach = audit_import_finish(import);
    if (breach != NULL) {
        (void)snprintf(error, WORLD_FILES_ERROR_SIZE,
                       "its decisions are not those of a sound book: %.120s", breach);
    }
    audit_import_destroy(import);
    return breach == NULL && replays(&rehearsal, error);
}
