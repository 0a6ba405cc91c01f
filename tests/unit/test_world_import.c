/*
 * test_world_import.c - a world of another journal (book/world_import.c, W4), by way of its file
 * (face/world_file.c): every world that is made here is replayed from its frames and saved and
 * loaded at the end (support/world.h).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "face/world_file.h"
#include "support/world.h"

static char error[WORLD_FILE_ERROR_SIZE];

static struct secrets *key_of(uint8_t byte)
{
    uint8_t key[32];
    memset(key, byte, sizeof(key));
    struct secrets *s = secrets_from_key(key);
    assert_non_null(s);
    return s;
}

/* Everything that was decided in w, as a file. */
static uint8_t *file_of(const struct world *w, size_t *size)
{
    struct secrets *s = key_of(1);
    struct world_file world = {.frames = {(const char *)w->frames, w->frames_size},
                               .time_ns = w->now_ns,
                               .name = SPAN_LITERAL("there")};
    uint8_t *file = world_file_make(&world, s, size, error);
    secrets_close(s);
    assert_non_null(file);
    return file;
}

/* What is to be brought in, as frames of the journal of w from `first` on. */
struct parcel {
    uint8_t *file;
    size_t file_size;
    uint8_t *frames;
    size_t size; /* of the frames */
    uint32_t count;
    int64_t time_ns;
};

static void open_file(struct parcel *p, uint64_t first)
{
    struct secrets *s = key_of(2);
    struct world_file read;
    free(p->frames);
    assert_true(world_file_read((struct span){(const char *)p->file, p->file_size}, &read, error));
    p->count = read.count;
    p->time_ns = read.time_ns;
    p->frames = world_file_localise(&read, s, first, &p->size, error);
    assert_non_null(p->frames);
    secrets_close(s);
}

static void parcel_make(struct parcel *p, const struct world *from, const struct world *to)
{
    memset(p, 0, sizeof(*p));
    p->file = file_of(from, &p->file_size);
    open_file(p, to->book->position + 2);
}

static void parcel_fini(struct parcel *p)
{
    free(p->file);
    free(p->frames);
}

static enum book_outcome step(struct world *w, uint16_t kind, const struct world_import_command *c)
{
    enum book_outcome outcome = BOOK_NOTHING;
    uint64_t position = world_do(w, kind, c, &outcome);
    assert_int_equal(position != 0, outcome == BOOK_DONE);
    return outcome;
}

static struct world_import_command begin_command(const struct parcel *p, const char *name)
{
    return (struct world_import_command){.name = span_from(name),
                                         .time_ns = p->time_ns,
                                         .frames = p->count,
                                         .bytes = (uint32_t)p->size};
}

static struct world_import_command frame_command(const struct frame_reader *f)
{
    return (struct world_import_command){.time_ns = f->info.time_ns,
                                         .cause = f->info.cause,
                                         .events = {(const char *)f->events.data, f->events.size}};
}

/* The first `most` frames. */
static enum book_outcome bring(struct world *w, const struct parcel *p, uint32_t most)
{
    struct reader r = reader_init(p->frames, p->size);
    struct frame_reader f;
    enum book_outcome outcome = BOOK_DONE;
    for (uint32_t i = 0; i < most && outcome == BOOK_DONE && frame_next(&r, &f); i++) {
        struct world_import_command c = frame_command(&f);
        outcome = step(w, COMMAND_WORLD_IMPORT_FRAME, &c);
    }
    return outcome;
}

static struct digest_value digest_of(const struct parcel *p)
{
    struct digest d;
    digest_init(&d);
    digest_update(&d, p->frames, p->size);
    return digest_finish(&d);
}

static enum book_outcome finish(struct world *w, const struct parcel *p, const char *name)
{
    struct world_import_command c = {.name = span_from(name), .digest = digest_of(p)};
    return step(w, COMMAND_WORLD_IMPORT_END, &c);
}

static enum book_outcome import(struct world *w, const struct parcel *p, const char *name)
{
    struct world_import_command c = begin_command(p, name);
    enum book_outcome outcome = step(w, COMMAND_WORLD_IMPORT_BEGIN, &c);
    outcome = outcome == BOOK_DONE ? bring(w, p, UINT32_MAX) : outcome;
    return outcome == BOOK_DONE ? finish(w, p, name) : outcome;
}

static void restore(struct world *w, const char *name)
{
    struct world_command c = {.name = span_from(name), .from = SPAN_EMPTY};
    enum book_outcome outcome = BOOK_NOTHING;
    (void)world_do(w, COMMAND_WORLD_RESTORE, &c, &outcome);
    assert_int_equal(outcome, BOOK_DONE);
    w->now_ns = w->book->time_ns;
}

/* A day elsewhere: one payment paid, one open on the phone. */
static uint64_t elsewhere(struct world *w)
{
    world_start(w, true);
    uint64_t paid = world_push(w, WORLD_ANNA, 100 * 100);
    assert_int_equal(world_approve(w, paid, WORLD_PIN), OPERATOR_DONE);
    (void)world_run(w);
    assert_int_equal(world_adjust(w, WORLD_BEN, 5000), OPERATOR_DONE); /* ids made of positions */
    return world_push(w, WORLD_ROBOT, 20 * 100) - 1;
}

static void test_it_is_there(void **state)
{
    (void)state;
    struct world there, here;
    struct parcel p;
    uint64_t paid = elsewhere(&there);
    world_start(&here, true);
    (void)world_push(&here, WORLD_BEN, 300);
    int64_t anna = world_balance(&here, WORLD_ANNA);
    parcel_make(&p, &there, &here);
    assert_int_equal(import(&here, &p, "there"), BOOK_DONE);
    assert_int_equal(world_balance(&here, WORLD_ANNA), anna); /* the present stays */
    const struct book_world *w = book_world(here.book, SPAN_LITERAL("there"));
    assert_non_null(w);
    assert_int_equal(w->position, here.book->position);
    assert_int_equal(w->time_ns, there.now_ns);
    world_restart(&here);
    restore(&here, "there");
    assert_int_equal(world_balance(&here, WORLD_ANNA), world_balance(&there, WORLD_ANNA));
    assert_int_equal(world_balance(&here, WORLD_BEN), world_balance(&there, WORLD_BEN));
    assert_int_equal(world_payment(&here, paid)->receipt, world_payment(&there, paid)->receipt);
    assert_true(world_payment(&here, paid)->step_position[0] > 1);
    book_check(here.book);
    /* Its own ids of frames: the other's positions mean nothing here. */
    for (int i = 0; i < 40; i++) {
        assert_int_equal(world_adjust(&here, WORLD_BEN, 100), OPERATOR_DONE);
    }
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

static void test_what_comes_in_between_ends_it(void **state)
{
    (void)state;
    struct world there, here;
    struct parcel p;
    (void)elsewhere(&there);
    world_start(&here, true);
    parcel_make(&p, &there, &here);
    struct world_import_command c = begin_command(&p, "x");
    struct reader r = reader_init(p.frames, p.size);
    struct frame_reader f;
    assert_true(frame_next(&r, &f));
    struct world_import_command one = frame_command(&f);
    assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_FRAME, &one), BOOK_INTERRUPTED);
    assert_int_equal(finish(&here, &p, "x"), BOOK_INTERRUPTED);
    /* Another decision, or a restart, in the middle. */
    for (int round = 0; round < 2; round++) {
        assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_DONE);
        open_file(&p, here.book->position + 1);
        assert_int_equal(bring(&here, &p, 2), BOOK_DONE);
        if (round == 0) {
            assert_int_equal(world_adjust(&here, WORLD_BEN, 1), OPERATOR_DONE);
        } else {
            world_restart(&here);
        }
        assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_FRAME, &one), BOOK_INTERRUPTED);
        assert_int_equal(finish(&here, &p, "x"), BOOK_INTERRUPTED);
        assert_int_equal(here.book->world_count, 0);
    }
    open_file(&p, here.book->position + 2);
    assert_int_equal(import(&here, &p, "x"), BOOK_DONE);
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct world there, here;
    struct parcel p;
    (void)elsewhere(&there);
    world_start(&here, true);
    parcel_make(&p, &there, &here);
    struct world_import_command c = begin_command(&p, "x");
    c.bytes = BOOK_IMPORT_BYTES_MAX + 1;
    assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_TOO_LARGE);
    c.bytes = 0;
    assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_TOO_LARGE);
    /* Not all of it, and more than was said. */
    c = begin_command(&p, "x");
    assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_DONE);
    assert_int_equal(bring(&here, &p, p.count - 1), BOOK_DONE);
    assert_int_equal(finish(&here, &p, "x"), BOOK_UNREADABLE);
    c.frames--;
    assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_DONE);
    assert_int_equal(bring(&here, &p, UINT32_MAX), BOOK_UNREADABLE);
    /* Frames for other positions than those that they get: they have another digest here. */
    c = begin_command(&p, "x");
    assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_DONE);
    assert_int_equal(bring(&here, &p, UINT32_MAX), BOOK_DONE);
    assert_int_equal(finish(&here, &p, "x"), BOOK_UNREADABLE);
    assert_int_equal(here.book->world_count, 0);
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

/* A frame of an import about something else than a history's contents. */
static enum book_outcome bring_event(struct world *w, const struct parcel *p, uint16_t kind,
                                     uint32_t size)
{
    uint8_t bytes[64] = {0};
    struct writer out = writer_init(bytes, sizeof(bytes));
    struct world_import_command c = begin_command(p, "x");
    assert_int_equal(step(w, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_DONE);
    put_u16(&out, kind);
    put_u16(&out, (uint16_t)size);
    c.cause = 1;
    c.events = (struct span){(const char *)bytes, BOOK_EVENT_HEADER_BYTES + size};
    return step(w, COMMAND_WORLD_IMPORT_FRAME, &c);
}

static void test_only_contents_come_in(void **state)
{
    (void)state;
    struct world there, here;
    struct parcel p;
    (void)elsewhere(&there);
    world_start(&here, true);
    parcel_make(&p, &there, &here);
    for (uint16_t kind = 0; kind <= BOOK_EVENT_LAST; kind++) {
        enum book_outcome wanted = kind == EVENT_GENERATION_OPENED ? BOOK_DONE : BOOK_UNREADABLE;
        assert_int_equal(bring_event(&here, &p, kind, 8), wanted);
    }
    assert_int_equal(bring_event(&here, &p, EVENT_ACCOUNT_OPENED, 18), BOOK_UNREADABLE);
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

/* Every byte of an import's frames in a journal, made another: replay says so or takes it, and
 * never stops at the events of the import itself. */
static void test_a_damaged_journal(void **state)
{
    (void)state;
    struct world there, here;
    struct parcel p;
    world_start(&there, true);
    there.quick = true;
    world_start(&here, true);
    here.quick = true;
    parcel_make(&p, &there, &here);
    size_t before = here.frames_size;
    assert_int_equal(import(&here, &p, "x"), BOOK_DONE);
    struct book_options options = {.domain = &operator_domain, .settings = &here.settings};
    uint32_t refused = 0;
    for (size_t at = before + 16; at < here.frames_size; at += 7) {
        here.frames[at] ^= 0x55;
        struct book *b = book_create(&options);
        struct reader r = reader_init(here.frames, here.frames_size);
        enum book_replay result = BOOK_REPLAYED;
        b->outbox.replaying = true;
        while (r.at < r.size && result == BOOK_REPLAYED) {
            struct reader next = r;
            struct frame_reader f;
            uint16_t kind = 0;
            struct reader body;
            bool whole = frame_next(&next, &f) && frame_event(&f, &kind, &body);
            /* The end of it replays what came in, and a digest says first that it is the same. */
            result = whole ? book_replay_frame(b, &r) : BOOK_FRAME_BAD;
        }
        refused += result != BOOK_REPLAYED;
        book_destroy(b);
        here.frames[at] ^= 0x55;
    }
    assert_true(refused > (here.frames_size - before) / 7 * 9 / 10);
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

/* ---- commands and frames that are wrong in one place ---- */

/* Two frames: what opened the generation there, and an event that no program knows. */
static void strange(struct parcel *p, const struct world *from, const struct world *to)
{
    parcel_make(p, from, to);
    struct reader r = reader_init(p->frames, p->size);
    struct frame_reader f;
    assert_true(frame_next(&r, &f));
    size_t first = r.at;
    assert_true(frame_next(&r, &f));
    struct writer w = writer_init(p->frames + first, p->size - first);
    put_u32(&w, BOOK_FRAME_HEADER_BYTES + BOOK_EVENT_HEADER_BYTES + 8);
    put_u16(&w, 1);
    put_u16(&w, 0);
    put_u64(&w, f.info.position);
    put_i64(&w, f.info.time_ns);
    put_u64(&w, 0);
    put_u16(&w, 59999);
    put_u16(&w, 8);
    put_u64(&w, 0);
    assert_false(w.overflow);
    p->size = first + w.size;
    p->count = 2;
}

static void test_a_frame_that_does_not_fit(void **state)
{
    static const char zeros[BOOK_IMPORT_FRAME_MAX];
    (void)state;
    struct world there, here;
    struct parcel p;
    (void)elsewhere(&there);
    world_start(&here, true);
    parcel_make(&p, &there, &here);
    struct reader r = reader_init(p.frames, p.size);
    struct frame_reader f;
    assert_true(frame_next(&r, &f));
    const struct world_import_command good = frame_command(&f);
    struct world_import_command wrong[4] = {good, good, good, good};
    wrong[0].cause = 0;
    wrong[1].events = (struct span){zeros, 0};
    wrong[2].events = (struct span){zeros, sizeof(zeros)};
    wrong[3].events.size--; /* half an event */
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct world_import_command c = begin_command(&p, "x");
        assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_DONE);
        assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_FRAME, &wrong[i]), BOOK_UNREADABLE);
        assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_FRAME, &good), BOOK_DONE); /* goes on */
    }
    struct world_import_command c = begin_command(&p, "x");
    c.bytes = (uint32_t)(good.events.size + BOOK_FRAME_HEADER_BYTES); /* room for the first only */
    assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_DONE);
    assert_int_equal(bring(&here, &p, 2), BOOK_UNREADABLE);
    c = begin_command(&p, "x");
    c.frames = 0;
    assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_TOO_LARGE);
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

static void test_an_end_that_does_not_fit(void **state)
{
    (void)state;
    struct world there, here;
    struct parcel p;
    (void)elsewhere(&there);
    world_start(&here, true);
    parcel_make(&p, &there, &here);
    struct world_import_command c = begin_command(&p, "x");
    assert_int_equal(step(&here, COMMAND_WORLD_IMPORT_BEGIN, &c), BOOK_DONE);
    assert_int_equal(bring(&here, &p, UINT32_MAX), BOOK_DONE);
    assert_int_equal(finish(&here, &p, "y"), BOOK_UNREADABLE); /* another name */
    open_file(&p, here.book->position + 2);
    p.time_ns = 1; /* saved before its last decision */
    assert_int_equal(import(&here, &p, "x"), BOOK_UNREADABLE);
    parcel_fini(&p);
    strange(&p, &there, &here);
    assert_int_equal(import(&here, &p, "x"), BOOK_UNREADABLE);
    assert_int_equal(here.book->world_count, 0);
    parcel_fini(&p);
    parcel_make(&p, &there, &here);
    assert_int_equal(import(&here, &p, "x"), BOOK_DONE);
    open_file(&p, here.book->position + 2);
    assert_int_equal(import(&here, &p, "x"), BOOK_EXISTS);
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

/* What a frame of a journal says that no decision wrote. */
struct forged {
    uint8_t body[8192];
    size_t size;
};

static struct forged forged_made(struct writer *w)
{
    struct forged f = {.size = w->size};
    assert_false(w->overflow);
    assert_true(w->size < sizeof(f.body));
    memcpy(f.body, w->data, w->size);
    return f;
}

static struct forged forged_begin(const char *name, int64_t time_ns, uint32_t frames,
                                  uint32_t bytes)
{
    uint8_t text[8192];
    struct writer w = writer_init(text, sizeof(text));
    put_text(&w, span_from(name));
    put_i64(&w, time_ns);
    put_u32(&w, frames);
    put_u32(&w, bytes);
    return forged_made(&w);
}

static struct forged forged_frame(const struct frame_reader *frame, uint16_t cause)
{
    uint8_t text[8192];
    struct writer w = writer_init(text, sizeof(text));
    put_i64(&w, frame->info.time_ns);
    put_u16(&w, cause);
    put_raw(&w, frame->events.data, frame->events.size);
    return forged_made(&w);
}

static struct forged forged_end(const struct parcel *p, const char *name)
{
    uint8_t text[256];
    struct writer w = writer_init(text, sizeof(text));
    struct digest_value value = digest_of(p);
    put_text(&w, span_from(name));
    put_u64(&w, value.high);
    put_u64(&w, value.low);
    return forged_made(&w);
}

/* The journal of w so far in a book of its own. */
static struct book *replay_all(const struct world *w)
{
    struct book_options options = {.domain = &operator_domain, .settings = &w->settings};
    struct book *b = book_create(&options);
    struct reader r = reader_init(w->frames, w->frames_size);
    assert_non_null(b);
    b->outbox.replaying = true;
    while (r.at < r.size) {
        assert_int_equal(book_replay_frame(b, &r), BOOK_REPLAYED);
    }
    return b;
}

static enum book_replay replay_forged(struct book *b, uint16_t kind, struct forged *f)
{
    uint8_t frame[10000];
    struct writer w = writer_init(frame, sizeof(frame));
    assert_true(f->size > 0);
    put_u32(&w, (uint32_t)(BOOK_FRAME_HEADER_BYTES + BOOK_EVENT_HEADER_BYTES + f->size));
    put_u16(&w, 1);
    put_u16(&w, 0);
    put_u64(&w, b->position + 1);
    put_i64(&w, b->time_ns);
    put_u64(&w, 0);
    put_u16(&w, kind);
    put_u16(&w, (uint16_t)f->size);
    put_raw(&w, f->body, f->size);
    assert_false(w.overflow);
    struct reader r = reader_init(frame, w.size);
    return book_replay_frame(b, &r);
}

static struct forged forged_names(const char *first, const char *second)
{
    uint8_t text[256];
    struct writer w = writer_init(text, sizeof(text));
    put_text(&w, span_from(first));
    if (second != NULL) {
        put_text(&w, span_from(second));
    }
    return forged_made(&w);
}

/* Worlds saved, and copied from another, as no decision would have it. */
static void test_a_forged_save_and_copy(void **state)
{
    (void)state;
    struct world w;
    struct forged longer = forged_names("new", NULL);
    longer.size++;
    const struct {
        uint16_t kind;
        struct forged f;
        enum book_replay wanted;
    } cases[] = {
        {EVENT_WORLD_SAVED, forged_names("new", NULL), BOOK_REPLAYED},
        {EVENT_WORLD_SAVED, forged_names("a b", NULL), BOOK_FRAME_BAD},
        {EVENT_WORLD_SAVED, forged_names("there", NULL), BOOK_FRAME_BAD},
        {EVENT_WORLD_SAVED, longer, BOOK_FRAME_BAD},
        {EVENT_WORLD_COPIED, forged_names("there", "new"), BOOK_REPLAYED},
        {EVENT_WORLD_COPIED, forged_names("nowhere", "new"), BOOK_FRAME_BAD},
        {EVENT_WORLD_COPIED, forged_names("there", "there"), BOOK_FRAME_BAD},
        {EVENT_WORLD_COPIED, forged_names("there", ""), BOOK_FRAME_BAD},
    };
    world_start(&w, true);
    struct world_command save = {.name = SPAN_LITERAL("there")};
    enum book_outcome outcome = BOOK_NOTHING;
    (void)world_do(&w, COMMAND_WORLD_SAVE, &save, &outcome);
    assert_int_equal(outcome, BOOK_DONE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct book *b = replay_all(&w);
        struct forged f = cases[i].f;
        assert_int_equal(replay_forged(b, cases[i].kind, &f), cases[i].wanted);
        book_destroy(b);
    }
    /* One more than there is room for. */
    struct book *b = replay_all(&w);
    for (int i = 1; i <= BOOK_WORLDS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "w%d", i);
        struct forged f = forged_names(name, NULL);
        assert_int_equal(replay_forged(b, EVENT_WORLD_SAVED, &f),
                         i < BOOK_WORLDS_MAX ? BOOK_REPLAYED : BOOK_FRAME_BAD);
    }
    book_destroy(b);
    world_end(&w);
}

static void test_a_forged_begin(void **state)
{
    (void)state;
    struct world there, here;
    struct parcel p;
    (void)elsewhere(&there);
    world_start(&here, true);
    here.quick = true;
    parcel_make(&p, &there, &here);
    assert_int_equal(import(&here, &p, "taken"), BOOK_DONE);
    struct forged longer = forged_begin("x", 1, 1, 100);
    longer.size++;
    const struct {
        struct forged f;
        enum book_replay wanted;
    } cases[] = {
        {forged_begin("x", 1, 1, 100), BOOK_REPLAYED},
        {longer, BOOK_FRAME_BAD},
        {forged_begin("not/a/name", 1, 1, 100), BOOK_FRAME_BAD},
        {forged_begin("x", -1, 1, 100), BOOK_FRAME_BAD},
        {forged_begin("x", 1, 0, 100), BOOK_FRAME_BAD},
        {forged_begin("x", 1, 1, 0), BOOK_FRAME_BAD},
        {forged_begin("x", 1, 1, BOOK_IMPORT_BYTES_MAX + 1), BOOK_FRAME_BAD},
        {forged_begin("taken", 1, 1, 100), BOOK_FRAME_BAD},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct book *b = replay_all(&here);
        struct forged f = cases[i].f;
        assert_int_equal(replay_forged(b, EVENT_WORLD_IMPORT_BEGUN, &f), cases[i].wanted);
        book_destroy(b);
    }
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

static void test_a_forged_frame(void **state)
{
    (void)state;
    struct world there, here;
    struct parcel p;
    (void)elsewhere(&there);
    world_start(&here, true);
    here.quick = true;
    parcel_make(&p, &there, &here);
    struct reader r = reader_init(p.frames, p.size);
    struct frame_reader first;
    assert_true(frame_next(&r, &first));
    uint32_t size = (uint32_t)r.at;
    struct frame_reader halved = first;
    halved.events.size--;
    const struct {
        uint32_t frames;
        uint32_t bytes; /* 0: nothing was begun */
        struct forged f;
        enum book_replay wanted;
    } cases[] = {
        {1, size, forged_frame(&first, 1), BOOK_REPLAYED},
        {1, size * 2, forged_frame(&first, 1), BOOK_REPLAYED}, /* there is room for another */
        {1, size, forged_frame(&first, 0), BOOK_FRAME_BAD},
        {1, size, forged_frame(&halved, 1), BOOK_FRAME_BAD},
        {1, size - 1, forged_frame(&first, 1), BOOK_FRAME_BAD},
        {0, 0, forged_frame(&first, 1), BOOK_FRAME_BAD},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct book *b = replay_all(&here);
        struct forged begin = forged_begin("x", 1, cases[i].frames, cases[i].bytes);
        struct forged f = cases[i].f;
        if (cases[i].bytes != 0) {
            assert_int_equal(replay_forged(b, EVENT_WORLD_IMPORT_BEGUN, &begin), BOOK_REPLAYED);
        }
        assert_int_equal(replay_forged(b, EVENT_WORLD_IMPORT_FRAME, &f), cases[i].wanted);
        if (cases[i].wanted == BOOK_REPLAYED) { /* one more than was said */
            assert_int_equal(replay_forged(b, EVENT_WORLD_IMPORT_FRAME, &f), BOOK_FRAME_BAD);
        }
        book_destroy(b);
    }
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

/* Begins, brings what is in p and ends as f says. */
static enum book_replay replay_end(const struct world *w, const struct parcel *p, struct forged f)
{
    struct book *b = replay_all(w);
    struct forged begin = forged_begin("x", p->time_ns, p->count, (uint32_t)p->size);
    assert_int_equal(replay_forged(b, EVENT_WORLD_IMPORT_BEGUN, &begin), BOOK_REPLAYED);
    struct reader r = reader_init(p->frames, p->size);
    struct frame_reader frame;
    while (frame_next(&r, &frame)) {
        struct forged one = forged_frame(&frame, frame.info.cause);
        assert_int_equal(replay_forged(b, EVENT_WORLD_IMPORT_FRAME, &one), BOOK_REPLAYED);
    }
    enum book_replay result = replay_forged(b, EVENT_WORLD_IMPORTED, &f);
    book_destroy(b);
    return result;
}

static void test_a_forged_end(void **state)
{
    (void)state;
    struct world there, here;
    struct parcel p;
    (void)elsewhere(&there);
    world_start(&here, true);
    here.quick = true;
    parcel_make(&p, &there, &here);
    assert_int_equal(replay_end(&here, &p, forged_end(&p, "x")), BOOK_REPLAYED);
    assert_int_equal(replay_end(&here, &p, forged_end(&p, "y")), BOOK_FRAME_BAD);
    struct forged wrong = forged_end(&p, "x");
    wrong.body[wrong.size - 1] ^= 1;
    assert_int_equal(replay_end(&here, &p, wrong), BOOK_FRAME_BAD);
    struct forged longer = forged_end(&p, "x");
    longer.size++;
    assert_int_equal(replay_end(&here, &p, longer), BOOK_FRAME_BAD);
    struct book *b = replay_all(&here);
    struct forged nothing = forged_end(&p, "x");
    assert_int_equal(replay_forged(b, EVENT_WORLD_IMPORTED, &nothing), BOOK_FRAME_BAD);
    book_destroy(b);
    int64_t saved_ns = p.time_ns;
    p.time_ns = 1;
    assert_int_equal(replay_end(&here, &p, forged_end(&p, "x")), BOOK_FRAME_BAD);
    p.time_ns = saved_ns;
    parcel_fini(&p);
    strange(&p, &there, &here);
    assert_int_equal(replay_end(&here, &p, forged_end(&p, "x")), BOOK_EVENT_UNKNOWN);
    parcel_fini(&p);
    for (int i = 0; i < BOOK_WORLDS_MAX; i++) { /* one more than there is room for */
        char name[16];
        enum book_outcome outcome = BOOK_NOTHING;
        (void)snprintf(name, sizeof(name), "w%d", i);
        struct world_command save = {.name = span_from(name)};
        (void)world_do(&here, COMMAND_WORLD_SAVE, &save, &outcome);
        assert_int_equal(outcome, BOOK_DONE);
    }
    parcel_make(&p, &there, &here);
    assert_int_equal(replay_end(&here, &p, forged_end(&p, "x")), BOOK_FRAME_BAD);
    parcel_fini(&p);
    world_end(&there);
    world_end(&here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_there),
        cmocka_unit_test(test_what_comes_in_between_ends_it),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_only_contents_come_in),
        cmocka_unit_test(test_a_damaged_journal),
        cmocka_unit_test(test_a_frame_that_does_not_fit),
        cmocka_unit_test(test_an_end_that_does_not_fit),
        cmocka_unit_test(test_a_forged_save_and_copy),
        cmocka_unit_test(test_a_forged_begin),
        cmocka_unit_test(test_a_forged_frame),
        cmocka_unit_test(test_a_forged_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
