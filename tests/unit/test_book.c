/*
 * test_book.c - the shell of the state machine: bytes of frames, replay, what is refused in a
 * journal, batches of transfers, clock, checkpoints, results of deliveries (R3.4, R3.5, R3.8).
 * Damaged frames and snapshots are tried in child processes: they must end in a status or in a
 * CHECK, and never in anything that a sanitizer sees. limit: 180
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "operator/events.h"
#include "support/coverage.h"
#include "support/world.h"

/* In a child that tries damaged bytes a false CHECK is a legal end of a try, and of the thread that
 * tries. What that held is lost, so a child makes room for another one from time to time; with
 * sanitizers, a child for each would cost more than the tries. */
enum { PANICS_OF_A_CHILD = 64 };
static bool panic_ends_thread;

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    if (panic_ends_thread) {
        pthread_exit(NULL);
    }
    mock_assert(0, what, file, line);
    abort();
}

/* Books by the thousand: freed memory is used again soon, or the time goes into new pages. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- frames ---- */

static void set_clock(struct world *w, uint8_t mode, int64_t offset_ns)
{
    struct clock_command c = {mode, offset_ns};
    enum book_outcome outcome = BOOK_NOTHING;
    assert_int_not_equal(world_do(w, COMMAND_CLOCK, &c, &outcome), 0);
    assert_int_equal(outcome, BOOK_DONE);
}

/* The layout is read back for ever. */
static void test_frame_bytes(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    size_t start = w.frames_size;
    w.now_ns = 0x1f2e3d4c5b6a7988;
    set_clock(&w, CLOCK_VIRTUAL, -2);
    static const uint8_t expected[] = {
        45,   0,    0,    0,                            /* bytes of the frame */
        1,    0,                                        /* the command that caused it */
        0,    0,                                        /* reserved */
        2,    0,    0,    0,    0,    0,    0,    0,    /* position */
        0x88, 0x79, 0x6a, 0x5b, 0x4c, 0x3d, 0x2e, 0x1f, /* time */
        0,    0,    0,    0,    0,    0,    0,    0,    /* reserved */
        2,    0,                                        /* kind of event */
        9,    0,                                        /* its bytes */
        1,                                              /* mode */
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* offset */
    };
    assert_int_equal(w.frames_size - start, sizeof(expected));
    assert_memory_equal(w.frames + start, expected, sizeof(expected));
    assert_int_equal(w.book->clock_mode, CLOCK_VIRTUAL);
    assert_int_equal(w.book->clock_offset_ns, -2);
    assert_int_equal(w.book->time_ns, w.now_ns);
    world_end(&w);
}

/* Everybody who reads a journal walks it like this. */
static void test_walk(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = world_push(&w, WORLD_ANNA, 500);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    static const uint16_t causes[] = {COMMAND_SEED, COMMAND_STK_PUSH, COMMAND_STK_ADVANCE,
                                      COMMAND_STK_APPROVE};
    static const uint16_t last[] = {EVENT_TRANSFER_POSTED, EVENT_DELIVERY_QUEUED};
    struct reader r = reader_init(w.frames, w.frames_size);
    struct frame_reader f;
    uint16_t kinds[16];
    uint32_t frames = 0;
    uint32_t events = 0;
    while (frame_next(&r, &f)) {
        assert_int_equal(f.info.cause, causes[frames]);
        assert_int_equal(f.info.position, ++frames);
        assert_int_equal(f.info.time_ns, w.now_ns);
        struct reader body;
        events = 0;
        while (frame_event(&f, &kinds[events % COUNT(kinds)], &body)) {
            assert_true(body.size > 0);
            events++;
        }
        assert_false(f.events.bad);
    }
    assert_false(r.bad);
    assert_int_equal(frames, COUNT(causes));
    assert_int_equal(events, 3); /* money, state, callback: R1.3 */
    assert_int_equal(kinds[0], last[0]);
    assert_int_equal(kinds[2], last[1]);
    world_end(&w);
}

/* A refusal leaves what stands before it in the buffer alone, and adds nothing. */
static void test_refusal_leaves_no_trace(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    static uint8_t buffer[BOOK_FRAME_BYTES_MAX + 100];
    struct writer out = writer_init(buffer, sizeof(buffer));
    put_text(&out, span_from("what came before"));
    size_t size = out.size;
    struct delivery_revive_command c = {4711};
    enum book_outcome outcome = BOOK_DONE;
    struct book_command command = {COMMAND_DELIVERY_REVIVE, w.now_ns + 5, 0, &c, &outcome};
    struct digest_value before = book_digest(w.book);
    assert_int_equal(book_execute(w.book, &command, &out), 0);
    assert_int_equal(outcome, BOOK_NOT_FOUND);
    assert_int_equal(out.size, size);
    assert_memory_equal(buffer + 2, "what came before", 16);
    assert_int_equal(w.book->time_ns, w.now_ns); /* not even time has passed */
    assert_true(book_digest(w.book).high == before.high);
    command.now_ns = w.now_ns - 1;
    expect_assert_failure((void)book_execute(w.book, &command, &out)); /* K2 */
    struct writer small = writer_init(buffer, BOOK_FRAME_BYTES_MAX - 1);
    command.now_ns = w.now_ns;
    expect_assert_failure((void)book_execute(w.book, &command, &small));
    world_end(&w);
}

/* ---- what is refused in a journal ---- */

static struct book *empty_book(const struct world *w)
{
    struct book_options options = {
        .domain = &operator_domain, .hash_seed = 9, .settings = &w->settings};
    struct book *b = book_create(&options);
    assert_non_null(b);
    return b;
}

static enum book_replay replay_bytes(struct book *b, const uint8_t *bytes, size_t size)
{
    struct reader r = reader_init(bytes, size);
    return book_replay_frame(b, &r);
}

/* Writes a frame by hand: one event of a kind with a body of zeros. */
static size_t make_frame(uint8_t *bytes, uint64_t position, int64_t time_ns, uint16_t kind,
                         uint16_t body)
{
    struct writer w = writer_init(bytes, 256);
    put_u32(&w, (uint32_t)(BOOK_FRAME_HEADER_BYTES + BOOK_EVENT_HEADER_BYTES + body));
    put_u16(&w, COMMAND_CLOCK);
    put_u16(&w, 0);
    put_u64(&w, position);
    put_i64(&w, time_ns);
    put_u64(&w, 0);
    put_u16(&w, kind);
    put_u16(&w, body);
    for (uint16_t i = 0; i < body; i++) {
        put_u8(&w, 0);
    }
    assert_false(w.overflow);
    return w.size;
}

static void test_gaps(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    int64_t start_ns = w.now_ns;
    uint8_t bytes[256];
    static const struct {
        int64_t position;
        int64_t time_ns;
        enum book_replay expected;
    } cases[] = {
        {1, 0, BOOK_FRAME_GAP},  {3, 0, BOOK_FRAME_GAP}, {0, 0, BOOK_FRAME_GAP},
        {2, -1, BOOK_FRAME_GAP}, {2, 0, BOOK_REPLAYED},  {2, 0, BOOK_FRAME_GAP},
        {3, 5, BOOK_REPLAYED},   {4, 4, BOOK_FRAME_GAP},
    };
    struct book *b = empty_book(&w);
    assert_int_equal(replay_bytes(b, w.frames, w.frames_size), BOOK_REPLAYED);
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t position = b->position;
        size_t size = make_frame(bytes, (uint64_t)cases[i].position, start_ns + cases[i].time_ns,
                                 EVENT_CLOCK_SET, 9);
        assert_int_equal(replay_bytes(b, bytes, size), cases[i].expected);
        assert_int_equal(b->position, position + (cases[i].expected == BOOK_REPLAYED));
        book_check(b);
    }
    book_destroy(b);
    world_end(&w);
}

/* Kinds that nobody has given yet were written by a newer program; they are not guessed at. */
static void test_unknown_events(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    for (uint32_t kind = 0; kind < 200; kind++) {
        uint8_t bytes[256];
        bool known = (kind >= EVENT_GENERATION_OPENED && kind <= BOOK_EVENT_KNOWN_LAST) ||
                     (kind >= EVENT_ACCOUNT_OPENED && kind <= EVENT_HOLD_EXPIRED) ||
                     (kind >= EVENT_DELIVERY_QUEUED && kind <= OUTBOX_EVENT_KNOWN_LAST) ||
                     operator_event_name((uint16_t)kind) != NULL;
        struct book *b = empty_book(&w);
        assert_int_equal(replay_bytes(b, w.frames, w.frames_size), BOOK_REPLAYED);
        size_t size = make_frame(bytes, 2, w.now_ns, (uint16_t)kind, 200);
        assert_int_equal(replay_bytes(b, bytes, size), known ? BOOK_FRAME_BAD : BOOK_EVENT_UNKNOWN);
        assert_int_equal(b->position, 1);
        book_check(b);
        book_destroy(b);
    }
    world_end(&w);
}

static void test_frames_refused(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint8_t good[256];
    size_t size = make_frame(good, 2, w.now_ns, EVENT_CLOCK_SET, 9);
    static const struct {
        const char *what;
        size_t at;
        uint8_t value;
    } cases[] = {
        {"size without events", 0, BOOK_FRAME_HEADER_BYTES},
        {"size below a header", 0, 3},
        {"size beyond the bytes", 0, 46},
        {"size of millions", 3, 1},
        {"reserved", 6, 1},
        {"reserved", 7, 1},
        {"reserved", 24, 1},
        {"reserved", 31, 128},
        {"an event beyond its frame", 34, 10},
        {"an event that is too short", 34, 8},
        {"no such clock", 36, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t bytes[256];
        memcpy(bytes, good, size);
        bytes[cases[i].at] = cases[i].value;
        struct book *b = empty_book(&w);
        assert_int_equal(replay_bytes(b, w.frames, w.frames_size), BOOK_REPLAYED);
        enum book_replay result = replay_bytes(b, bytes, size);
        if (result != BOOK_FRAME_BAD) {
            fail_msg("%s: %d", cases[i].what, (int)result);
        }
        book_destroy(b);
    }
    struct book *b = empty_book(&w);
    assert_int_equal(replay_bytes(b, w.frames, w.frames_size), BOOK_REPLAYED);
    assert_int_equal(replay_bytes(b, good, 0), BOOK_FRAME_BAD);
    assert_int_equal(replay_bytes(b, good, size), BOOK_REPLAYED);
    book_destroy(b);
    world_end(&w);
}

/* ---- damaged bytes ---- */

enum { WAYS = 2 }; /* of damaging one byte */

/* What parent and children share. */
struct trial_progress {
    uint32_t next;
    uint32_t replayed, refused, panics;
};

struct trial {
    const struct world *w;
    const uint8_t *snapshot; /* the book before the frame */
    size_t snapshot_size;
    const uint8_t *bytes; /* the frame; NULL: the snapshot itself is what is damaged */
    size_t size;
    uint32_t count, step;
    struct trial_progress *progress;
};

static bool trial_one(const struct trial *t, const uint8_t *bytes, size_t size)
{
    struct book *b = empty_book(t->w);
    struct reader snapshot = reader_init(t->bytes == NULL ? bytes : t->snapshot,
                                         t->bytes == NULL ? size : t->snapshot_size);
    bool fine = book_load(b, &snapshot);
    if (t->bytes != NULL) {
        fine = fine && replay_bytes(b, bytes, size) == BOOK_REPLAYED;
    }
    if (fine) {
        (void)book_digest(b);
        book_check(b);
    }
    book_destroy(b);
    return fine;
}

/* Variant v: a byte damaged in one of several ways, or the bytes cut there (with the frame's own
 * size made to fit, so that it is the events that are cut). */
static void trial_variant(const struct trial *t, uint32_t v)
{
    const uint8_t *original = t->bytes == NULL ? t->snapshot : t->bytes;
    size_t size = t->bytes == NULL ? t->snapshot_size : t->size;
    static const uint8_t flips[WAYS] = {0x01, 0xff};
    uint32_t at = v / (WAYS + 2);
    uint32_t way = v % (WAYS + 2);
    uint8_t *bytes = malloc(size); /* of its exact size, for the sanitizer */
    memcpy(bytes, original, size);
    if (way < WAYS) {
        bytes[at] ^= flips[way];
    } else {
        size = at;
    }
    if (way == WAYS + 1 && size >= sizeof(uint32_t)) {
        uint32_t cut = (uint32_t)size;
        memcpy(bytes, &cut, sizeof(cut));
    }
    uint8_t *exact = realloc(bytes, size > 0 ? size : 1);
    bool fine = trial_one(t, exact, size);
    t->progress->replayed += fine;
    t->progress->refused += !fine;
    free(exact);
}

/* All variants that are left, or up to the first false CHECK. */
static void *trial_thread(void *context)
{
    const struct trial *t = context;
    while (t->progress->next < t->count) {
        uint32_t v = t->progress->next;
        t->progress->next += t->step;
        trial_variant(t, v);
    }
    return context;
}

static _Noreturn void trial_child(struct trial *t)
{
    panic_ends_thread = true;
    for (uint32_t panics = 0; t->progress->next < t->count && panics < PANICS_OF_A_CHILD;) {
        pthread_t thread;
        void *end = NULL;
        assert_int_equal(pthread_create(&thread, NULL, trial_thread, t), 0);
        assert_int_equal(pthread_join(thread, &end), 0);
        panics += end == NULL;
        t->progress->panics += end == NULL;
    }
    coverage_dump();
    _exit(0);
}

/* Runs all variants, whichever CHECKs they find false. */
static void trial_run(struct trial *t, uint32_t step)
{
    t->step = step;
    t->progress =
        mmap(NULL, sizeof(*t->progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(t->progress != MAP_FAILED);
    t->count = (uint32_t)(t->bytes == NULL ? t->snapshot_size : t->size) * (WAYS + 2);
    while (t->progress->next < t->count) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            trial_child(t);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail_msg("variant %u ends with status %d", t->progress->next - step, status);
        }
    }
    struct trial_progress *p = t->progress;
    assert_true(p->refused > 0);
    assert_int_equal(p->replayed + p->refused + p->panics, (t->count + step - 1) / step);
    assert_int_equal(munmap(t->progress, sizeof(*t->progress)), 0);
}

static size_t snapshot_of(const struct world *w, uint8_t *bytes, size_t room)
{
    struct writer out = writer_init(bytes, room);
    book_save(w->book, &out);
    assert_true(writer_finish(&out));
    return out.size;
}

enum { SNAPSHOT_ROOM = 64 * 1024 };

/* Tries the frames that come after what is in the world now. */
static void trial_frames(struct world *w, uint8_t *snapshot, size_t snapshot_size, size_t from,
                         uint32_t step)
{
    struct reader r = reader_init(w->frames + from, w->frames_size - from);
    struct frame_reader f;
    assert_true(frame_next(&r, &f));
    struct trial t = {.w = w, .snapshot = snapshot, .snapshot_size = snapshot_size};
    t.bytes = w->frames + from;
    t.size = r.at;
    trial_run(&t, step);
}

static void do_push(struct world *w)
{
    struct world_order order = {.msisdn = WORLD_STRANGER, .amount_minor = 900};
    assert_int_equal(world_order(w, &order).refusal, OPERATOR_DONE);
}

static void do_approve(struct world *w)
{
    assert_int_equal(world_approve(w, 1, WORLD_PIN), OPERATOR_DONE);
}

static void do_report(struct world *w)
{
    uint64_t number = world_take(w);
    assert_int_not_equal(number, 0);
    assert_int_equal(world_report(w, number, 500, 0), BOOK_DONE);
}

static void do_fund(struct world *w)
{
    struct fund_command c = {.short_code = WORLD_TILL, .amount_minor = 5, .has_key = true};
    struct operator_reply reply;
    assert_int_not_equal(world_do(w, COMMAND_ORGANISATION_FUND, &c, &reply), 0);
}

static void do_open(struct world *w)
{
    struct subscriber_command c = {.msisdn = 254733000001, .name = span_from("Zuri")};
    c.balance_minor = 3;
    struct operator_reply reply;
    assert_int_not_equal(world_do(w, COMMAND_SUBSCRIBER_OPEN, &c, &reply), 0);
}

static void do_run_one(struct world *w)
{
    struct book_command command;
    assert_true(book_work(w->book, w->now_ns, &command));
    assert_int_not_equal(world_do(w, command.kind, command.body, NULL), 0);
}

static void do_parked(struct world *w)
{
    assert_int_equal(world_cancel(w, 2), OPERATOR_DONE);
}

/* Each kind of frame, every third of its variants: each byte damaged, or cut at each length. */
static void test_damaged_frames(void **state)
{
    (void)state;
    static void (*const steps[])(struct world *) = {
        do_open, do_fund, do_run_one, do_approve, do_report, do_push, do_parked, do_run_one,
    };
    struct world w;
    world_start(&w, true);
    w.quick = true;
    struct world_order order = {.msisdn = WORLD_ANNA, .amount_minor = 900};
    assert_int_equal(world_order(&w, &order).refusal, OPERATOR_DONE);
    uint8_t *snapshot = malloc(SNAPSHOT_ROOM);
    assert_non_null(snapshot);
    for (size_t i = 0; i < COUNT(steps); i++) {
        size_t size = snapshot_of(&w, snapshot, SNAPSHOT_ROOM);
        size_t from = w.frames_size;
        steps[i](&w);
        trial_frames(&w, snapshot, size, from, 3);
    }
    free(snapshot);
    world_end(&w);
}

static void test_damaged_seed(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct book *empty = empty_book(&w);
    uint8_t *snapshot = malloc(SNAPSHOT_ROOM);
    assert_non_null(snapshot);
    struct writer out = writer_init(snapshot, SNAPSHOT_ROOM);
    book_save(empty, &out);
    assert_true(writer_finish(&out));
    book_destroy(empty);
    trial_frames(&w, snapshot, out.size, 0, 13); /* it is long: every 13th variant */
    free(snapshot);
    world_end(&w);
}

/* A snapshot carries checksums of its own; what gets past them must still not do harm. */
static void test_damaged_snapshot(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = world_push(&w, WORLD_ANNA, 900);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    (void)world_push(&w, WORLD_BEN, 900);
    do_report(&w);
    static const struct world_payout payouts[] = {
        {.msisdn = WORLD_ANNA, .amount_minor = 90000, .conversation = "first"},
        {.msisdn = WORLD_BEN, .amount_minor = 5, .conversation = "second"},
        {.msisdn = WORLD_ANNA, .amount_minor = 90000, .wrong_password = true},
        {.msisdn = WORLD_BEN, .amount_minor = 90000},
    };
    for (size_t i = 0; i < COUNT(payouts); i++) {
        assert_int_not_equal(world_payout(&w, &payouts[i]), 0);
    }
    do_push(&w);
    do_fund(&w);
    uint8_t *snapshot = malloc(SNAPSHOT_ROOM);
    assert_non_null(snapshot);
    struct trial t = {.w = &w, .snapshot = snapshot};
    t.snapshot_size = snapshot_of(&w, snapshot, SNAPSHOT_ROOM);
    trial_run(&t, 17); /* it is long: every 17th variant */
    free(snapshot);
    world_end(&w);
}

/* ---- clock, checkpoints, accounts ---- */

static void test_clock_and_checkpoint(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    struct checkpoint_command c = {w.book->position, book_digest(w.book)};
    enum book_outcome outcome = BOOK_NOTHING;
    assert_int_equal(world_do(&w, COMMAND_CHECKPOINT, &c, &outcome), 2);
    assert_int_equal(outcome, BOOK_DONE);
    assert_int_equal(w.book->checkpoint_position, 1);
    assert_true(w.book->checkpoint_digest.low == c.digest.low);
    set_clock(&w, CLOCK_VIRTUAL, 0);
    world_restart(&w);
    assert_int_equal(w.book->clock_mode, CLOCK_VIRTUAL);
    set_clock(&w, CLOCK_REAL, 5);
    assert_int_equal(world_seed(&w), OPERATOR_DONE); /* a reset leaves the clock alone */
    assert_int_equal(w.book->clock_offset_ns, 5);
    c.position = w.book->position + 1; /* of a state that has not been */
    expect_assert_failure((void)world_do(&w, COMMAND_CHECKPOINT, &c, &outcome));
    struct clock_command bad = {7, 0};
    expect_assert_failure((void)world_do(&w, COMMAND_CLOCK, &bad, &outcome));
    expect_assert_failure((void)world_do(&w, 60, &bad, &outcome)); /* no such command */
    world_end(&w);
}

/* Opens accounts for the transfers of the tests below; returns the first. */
static uint32_t open_accounts(struct world *w, uint32_t count, uint16_t flags)
{
    struct open_accounts_command c = {count, 50, flags, LEDGER_CURRENCY_KES};
    enum book_outcome outcome = BOOK_NOTHING;
    uint32_t first = ledger_next_account(&w->book->ledger, 0);
    assert_int_equal(world_do(w, COMMAND_OPEN_ACCOUNTS, &c, &outcome) != 0, count > 0);
    assert_int_equal(outcome, BOOK_DONE);
    return first;
}

static void test_open_accounts(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint32_t before = ledger_next_account(&w.book->ledger, 0);
    assert_int_equal(open_accounts(&w, 0, 0), before);
    assert_int_equal(open_accounts(&w, BOOK_RESERVE_ACCOUNTS, 0), before);
    assert_int_equal(open_accounts(&w, 1, ACCOUNT_DEBITS_LIMITED), before + BOOK_RESERVE_ACCOUNTS);
    const struct account *a = ledger_account(&w.book->ledger, before + BOOK_RESERVE_ACCOUNTS);
    assert_int_equal(a->flags, ACCOUNT_DEBITS_LIMITED);
    assert_int_equal(a->code, 50);
    struct open_accounts_command c = {BOOK_RESERVE_ACCOUNTS + 1, 50, 0, LEDGER_CURRENCY_KES};
    enum book_outcome outcome;
    expect_assert_failure((void)world_do(&w, COMMAND_OPEN_ACCOUNTS, &c, &outcome));
    world_end(&w);
}

/* ---- batches of transfers ---- */

enum { BATCH_MAX = 64 };

struct batch {
    struct transfer transfers[BATCH_MAX];
    bool linked[BATCH_MAX];
    uint8_t results[BATCH_MAX];
    uint32_t count;
};

static struct transfer *batch_add(struct batch *b, uint64_t id, uint32_t debit, uint32_t credit,
                                  int64_t amount_minor)
{
    assert_true(b->count < BATCH_MAX);
    struct transfer *t = &b->transfers[b->count];
    *t = (struct transfer){.id = id, .kind = TRANSFER_POST, .amount_minor = amount_minor};
    t->debit_account = debit;
    t->credit_account = credit;
    b->linked[b->count++] = false;
    return t;
}

/* Executes the batch and compares its results; returns the position of the frame. */
static uint64_t batch_do(struct world *w, struct batch *b, const uint8_t *expected)
{
    memset(b->results, 0xee, sizeof(b->results));
    struct transfers_command c = {b->transfers, b->linked, b->results, b->count};
    uint64_t position = world_do(w, COMMAND_TRANSFERS, &c, NULL);
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->results[i] != expected[i]) {
            fail_msg("transfer %u: \"%s\", not \"%s\"", i, ledger_result_text(b->results[i]),
                     ledger_result_text(expected[i]));
        }
    }
    return position;
}

/* Each against the state after those before it, all of them one frame. */
static void test_transfers(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint32_t issuer = open_accounts(&w, 1, 0);
    uint32_t a = open_accounts(&w, 2, ACCOUNT_DEBITS_LIMITED);
    uint32_t b = a + 1;
    struct batch batch = {.count = 0};
    assert_int_equal(batch_do(&w, &batch, NULL), 0); /* nothing asked, nothing written */
    (void)batch_add(&batch, 1, a, b, 10);
    (void)batch_add(&batch, 2, issuer, a, 100);
    (void)batch_add(&batch, 3, a, b, 100);
    (void)batch_add(&batch, 4, a, b, 1);
    (void)batch_add(&batch, 2, issuer, a, 100);
    (void)batch_add(&batch, 5, a, a, 1);
    (void)batch_add(&batch, 0, a, b, 1);
    static const uint8_t expected[] = {
        LEDGER_EXCEEDS_CREDITS, LEDGER_OK,       LEDGER_OK,
        LEDGER_EXCEEDS_CREDITS, LEDGER_REPEATED, LEDGER_ACCOUNTS_SAME,
        LEDGER_ID_MISSING};
    uint64_t position = w.book->position;
    assert_int_equal(batch_do(&w, &batch, expected), position + 1);
    assert_int_equal(account_available(ledger_account(&w.book->ledger, b)), 100);
    assert_null(ledger_entry(&w.book->ledger, 5)); /* not remembered: it may never have been */
    world_restart(&w);
    static const uint8_t again[] = {LEDGER_FAILED_BEFORE, LEDGER_REPEATED, LEDGER_REPEATED,
                                    LEDGER_FAILED_BEFORE, LEDGER_REPEATED, LEDGER_ACCOUNTS_SAME,
                                    LEDGER_ID_MISSING};
    assert_int_equal(batch_do(&w, &batch, again), 0); /* nothing new: no frame (R3.8) */
    world_end(&w);
}

/* Linked transfers stand or fall together; the others of the batch are not concerned. */
static void test_transfers_linked(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint32_t issuer = open_accounts(&w, 1, 0);
    uint32_t a = open_accounts(&w, 2, ACCOUNT_DEBITS_LIMITED);
    uint32_t b = a + 1;
    struct batch batch = {.count = 0};
    (void)batch_add(&batch, 1, issuer, a, 100);
    (void)batch_add(&batch, 2, a, b, 60); /* 2, 3 and 4 are a group */
    (void)batch_add(&batch, 3, b, issuer, 60);
    (void)batch_add(&batch, 4, a, b, 41);
    (void)batch_add(&batch, 5, a, b, 100);
    (void)batch_add(&batch, 6, b, a, 30); /* 6 and 7 are one; the last link leads nowhere */
    (void)batch_add(&batch, 7, a, b, 10);
    batch.linked[1] = true;
    batch.linked[2] = true;
    batch.linked[5] = true;
    batch.linked[6] = true;
    static const uint8_t expected[] = {LEDGER_OK,
                                       LEDGER_LINKED_FAILED,
                                       LEDGER_LINKED_FAILED,
                                       LEDGER_EXCEEDS_CREDITS,
                                       LEDGER_OK,
                                       LEDGER_OK,
                                       LEDGER_OK};
    (void)batch_do(&w, &batch, expected);
    assert_int_equal(account_available(ledger_account(&w.book->ledger, a)), 20);
    assert_int_equal(ledger_entry(&w.book->ledger, 2)->result, LEDGER_LINKED_FAILED);
    /* Asked again, every transfer is told what became of it: nobody reads "failed" of money that
     * moved. */
    static const uint8_t again[] = {
        LEDGER_REPEATED, LEDGER_FAILED_BEFORE, LEDGER_FAILED_BEFORE, LEDGER_FAILED_BEFORE,
        LEDGER_REPEATED, LEDGER_REPEATED,      LEDGER_REPEATED};
    assert_int_equal(batch_do(&w, &batch, again), 0);
    world_end(&w);
}

/* What is no transfer at all fails its group but is never remembered, wherever it stands. */
static void test_transfers_malformed_in_group(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint32_t a = open_accounts(&w, 2, 0);
    struct batch batch = {.count = 0};
    (void)batch_add(&batch, 1, a, a + 1, 5);
    (void)batch_add(&batch, 2, a, 99999, 5); /* this one fails the group */
    (void)batch_add(&batch, 0, a, a + 1, 5);
    batch_add(&batch, 3, a, a + 1, 5)->kind = 300;
    (void)batch_add(&batch, 4, a, a + 1, -5);
    (void)batch_add(&batch, 1, a, a + 1, 6);
    (void)batch_add(&batch, 0, a, a + 1, 5);
    for (uint32_t i = 0; i < 6; i++) {
        batch.linked[i] = true;
    }
    static const uint8_t expected[] = {
        LEDGER_LINKED_FAILED,       LEDGER_CREDIT_UNKNOWN, LEDGER_ID_MISSING, LEDGER_KIND_UNKNOWN,
        LEDGER_AMOUNT_NOT_POSITIVE, LEDGER_LINKED_FAILED,  LEDGER_ID_MISSING};
    (void)batch_do(&w, &batch, expected);
    assert_int_equal(w.book->ledger.entries.used,
                     ledger_entry(&w.book->ledger, 2) != NULL ? w.book->ledger.entries.used : 0);
    assert_null(ledger_entry(&w.book->ledger, 0));
    assert_null(ledger_entry(&w.book->ledger, 3));
    assert_null(ledger_entry(&w.book->ledger, 4));
    assert_int_equal(ledger_entry(&w.book->ledger, 1)->amount_minor, 5);
    world_end(&w);
}

/* Ids that the book gives out itself: taken by a client, a payment would be "repeated" before it
 * was ever made. */
static void test_transfers_reserved_ids(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint32_t a = open_accounts(&w, 2, 0);
    struct batch batch = {.count = 0};
    (void)batch_add(&batch, BOOK_DOMAIN_IDS - 1, a, a + 1, 5);
    (void)batch_add(&batch, BOOK_DOMAIN_IDS, a, a + 1, 5);
    (void)batch_add(&batch, UINT64_MAX, a, a + 1, 5);
    (void)batch_add(&batch, 7, a, a + 1, 5);
    (void)batch_add(&batch, (uint64_t)1 << 60 | 1 << 3, a, a + 1, 5); /* of the first payment */
    (void)batch_add(&batch, (uint64_t)2 << 60 | 9, a, 99999, -5);
    batch.linked[3] = true;
    batch.linked[4] = true;
    static const uint8_t expected[] = {LEDGER_OK,          LEDGER_ID_RESERVED,
                                       LEDGER_ID_RESERVED, LEDGER_LINKED_FAILED,
                                       LEDGER_ID_RESERVED, LEDGER_ID_RESERVED};
    uint32_t entries = w.book->ledger.entries.used;
    assert_int_not_equal(batch_do(&w, &batch, expected), 0);
    assert_int_equal(w.book->ledger.entries.used, entries + 2); /* and 7, refused */
    uint64_t number = world_push(&w, WORLD_ANNA, 100);
    assert_int_equal(number, 1);
    assert_int_equal(world_approve(&w, number, WORLD_PIN), OPERATOR_DONE);
    assert_int_equal(world_payment(&w, number)->state, STK_SUCCESS);
    world_end(&w);
}

/* The same id twice in one group is an answer: clients choose ids. */
static void test_transfers_same_id_in_group(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint32_t a = open_accounts(&w, 2, 0);
    struct batch batch = {.count = 0};
    (void)batch_add(&batch, 1, a, a + 1, 5);
    (void)batch_add(&batch, 1, a, a + 1, 5);
    batch.linked[0] = true;
    static const uint8_t expected[] = {LEDGER_LINKED_FAILED, LEDGER_REPEATED};
    (void)batch_do(&w, &batch, expected);
    assert_int_equal(account_balance(ledger_account(&w.book->ledger, a)), 0);
    world_end(&w);
}

/* A group that is too large is refused whole: it must never be carried out in parts. */
static void test_transfers_group_too_large(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint32_t a = open_accounts(&w, 2, 0);
    struct batch batch = {.count = 0};
    uint8_t expected[BATCH_MAX];
    for (uint32_t i = 0; i <= LEDGER_PLAN_MAX; i++) {
        (void)batch_add(&batch, 1 + i, a, a + 1, 5);
        batch.linked[i] = i < LEDGER_PLAN_MAX;
        expected[i] = LEDGER_GROUP_TOO_LARGE;
    }
    (void)batch_add(&batch, 50, a, a + 1, 7);
    expected[LEDGER_PLAN_MAX + 1] = LEDGER_OK;
    (void)batch_do(&w, &batch, expected);
    assert_int_equal(account_balance(ledger_account(&w.book->ledger, a + 1)), 7);
    batch.linked[LEDGER_PLAN_MAX - 1] = false; /* one fewer is a group */
    memset(expected, LEDGER_OK, sizeof(expected));
    expected[LEDGER_PLAN_MAX + 1] = LEDGER_REPEATED;
    (void)batch_do(&w, &batch, expected);
    assert_int_equal(account_balance(ledger_account(&w.book->ledger, a + 1)),
                     7 + 5 * (LEDGER_PLAN_MAX + 1));
    world_end(&w);
}

/* Holds in a batch, and their end by time: at its deadline a hold is over for everybody. */
static void test_holds_in_batches(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint32_t a = open_accounts(&w, 2, 0);
    struct batch batch = {.count = 0};
    batch_add(&batch, 1, a, a + 1, 50)->kind = TRANSFER_HOLD;
    batch.transfers[0].expires_ns = w.now_ns + 1000;
    batch_add(&batch, 2, a, a + 1, 60)->kind = TRANSFER_HOLD;
    batch.transfers[1].expires_ns = w.now_ns + 500;
    static const uint8_t placed[] = {LEDGER_OK, LEDGER_OK};
    (void)batch_do(&w, &batch, placed);
    assert_int_equal(book_next_due(w.book), w.now_ns + 500);
    world_restart(&w);
    struct batch ends = {.count = 0};
    batch_add(&ends, 3, 0, 0, 10)->kind = TRANSFER_POST_HOLD;
    ends.transfers[0].hold_id = 2;
    batch_add(&ends, 4, 0, 0, 10)->kind = TRANSFER_POST_HOLD;
    ends.transfers[1].hold_id = 1;
    w.now_ns += 500; /* the first is over, though nobody has said so yet */
    static const uint8_t ended[] = {LEDGER_HOLD_NOT_OPEN, LEDGER_OK};
    (void)batch_do(&w, &ends, ended);
    assert_int_equal(world_run(&w), 1);
    assert_int_equal(ledger_entry(&w.book->ledger, 2)->state, ENTRY_HOLD_EXPIRED);
    assert_int_equal(ledger_entry(&w.book->ledger, 1)->state, ENTRY_HOLD_POSTED);
    assert_true(book_next_due(w.book) == INT64_MAX);
    assert_int_equal(account_balance(ledger_account(&w.book->ledger, a + 1)), 10);
    assert_int_equal(w.book->ledger.pending_minor, 0);
    world_end(&w);
}

/* The largest batch fits its frame, whatever its transfers are. */
static void test_transfers_most(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    w.quick = true;
    uint32_t a = open_accounts(&w, 2, 0);
    struct transfer *transfers = calloc(BOOK_TRANSFERS_MAX, sizeof(*transfers));
    uint8_t *results = calloc(BOOK_TRANSFERS_MAX, 1);
    assert_non_null(transfers);
    assert_non_null(results);
    for (uint32_t i = 0; i < BOOK_TRANSFERS_MAX; i++) {
        transfers[i] = (struct transfer){.id = 1 + i, .amount_minor = 1, .debit_account = a};
        transfers[i].credit_account = i % 3 == 0 ? 99999 : a + 1; /* refused, held, posted */
        transfers[i].kind = i % 3 == 2 ? TRANSFER_POST : TRANSFER_HOLD;
    }
    struct transfers_command c = {transfers, NULL, results, BOOK_TRANSFERS_MAX};
    assert_int_not_equal(world_do(&w, COMMAND_TRANSFERS, &c, NULL), 0);
    assert_int_equal(w.book->ledger.posted_minor - WORLD_MONEY * 83, BOOK_TRANSFERS_MAX / 3);
    assert_int_equal(w.book->ledger.pending_minor, BOOK_TRANSFERS_MAX / 3);
    c.count++;
    expect_assert_failure((void)world_do(&w, COMMAND_TRANSFERS, &c, NULL));
    free(transfers);
    free(results);
    world_end(&w);
}

/* ---- results of deliveries ---- */

/* A world with one callback that is under way; its number is 1. */
static void world_flying(struct world *w)
{
    world_start(w, true);
    uint64_t number = world_push(w, WORLD_ANNA, 100);
    assert_int_equal(world_cancel(w, number), OPERATOR_DONE);
    assert_int_equal(world_take(w), 1);
}

static enum book_outcome report(struct world *w, const struct delivery_result_command *c)
{
    enum book_outcome outcome = BOOK_DONE;
    uint64_t position = world_do(w, COMMAND_DELIVERY_RESULT, c, &outcome);
    assert_int_equal(position != 0, outcome == BOOK_DONE);
    return outcome;
}

/* Results of what is not under way are dropped: late, repeated, of another generation, unknown. */
static void test_results_dropped(void **state)
{
    (void)state;
    struct world w;
    world_flying(&w);
    struct delivery_result_command c = {
        .number = 1, .generation = 1, .status = 200, .retry_after_ms = -1};
    c.number = 2;
    assert_int_equal(report(&w, &c), BOOK_NOTHING);
    c.number = 0;
    assert_int_equal(report(&w, &c), BOOK_NOTHING);
    c.number = 1;
    c.generation = 2;
    assert_int_equal(report(&w, &c), BOOK_NOTHING);
    c.generation = 1;
    assert_int_equal(report(&w, &c), BOOK_DONE);
    assert_int_equal(report(&w, &c), BOOK_NOTHING);
    world_end(&w);
    world_flying(&w);
    world_restart(&w); /* the process that sent it is gone: it will be sent again */
    assert_int_equal(report(&w, &c), BOOK_NOTHING);
    assert_int_equal(world_take(&w), 1);
    assert_int_equal(report(&w, &c), BOOK_DONE);
    world_end(&w);
}

/* A receiver may ask for patience, within a day; more, or nonsense, is as if it had not asked. */
static void test_retry_after(void **state)
{
    (void)state;
    static const struct {
        int64_t retry_after_ms;
        int64_t least_ms; /* 0: as scheduled, at most 5 s */
    } cases[] = {
        {-1, 0},
        {0, 0},
        {1, 0},
        {60000, 60000},
        {86400000, 86400000},
        {86400001, 0},
        {INT64_MAX / 1000000 + 1, 0},
        {INT64_MAX, 0},
        {INT64_MIN, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        world_flying(&w);
        struct delivery_result_command c = {.number = 1, .generation = 1, .status = 503};
        c.retry_after_ms = cases[i].retry_after_ms;
        assert_int_equal(report(&w, &c), BOOK_DONE);
        int64_t wait_ns = outbox_item(&w.book->outbox, 1)->next_try_ns - w.now_ns;
        if (cases[i].least_ms > 0) {
            assert_true(wait_ns == cases[i].least_ms * 1000000);
        } else {
            assert_true(wait_ns > 0 && wait_ns <= 5 * WORLD_S);
        }
        assert_int_equal(book_next_due(w.book), w.now_ns + wait_ns);
        world_end(&w);
    }
}

/* The beginning of an answer is kept as evidence (R2.8). */
static void test_answers_are_cut(void **state)
{
    (void)state;
    struct world w;
    world_flying(&w);
    char large[OUTBOX_ANSWER_KEPT_MAX + 100];
    memset(large, 'a', sizeof(large));
    struct delivery_result_command c = {
        .number = 1, .generation = 1, .status = 500, .retry_after_ms = -1};
    c.answer = (struct span){large, sizeof(large)};
    assert_int_equal(report(&w, &c), BOOK_DONE);
    const struct outbox_item *item = outbox_item(&w.book->outbox, 1);
    const struct outbox_attempt *a = outbox_attempt(&w.book->outbox, item->last_attempt);
    assert_int_equal(texts_at(&w.book->texts, a->answer).size, OUTBOX_ANSWER_KEPT_MAX);
    w.now_ns = item->next_try_ns;
    assert_int_equal(world_take(&w), 1);
    c.answer = SPAN_EMPTY;
    assert_int_equal(report(&w, &c), BOOK_DONE);
    a = outbox_attempt(&w.book->outbox, item->last_attempt);
    assert_int_equal(a->answer, TEXT_NONE);
    world_end(&w);
}

static enum book_outcome revive(struct world *w, uint64_t number)
{
    struct delivery_revive_command c = {number};
    enum book_outcome outcome = BOOK_DONE;
    uint64_t position = world_do(w, COMMAND_DELIVERY_REVIVE, &c, &outcome);
    assert_int_equal(position != 0, outcome == BOOK_DONE);
    return outcome;
}

static void test_revive(void **state)
{
    (void)state;
    struct world w;
    world_flying(&w);
    assert_int_equal(revive(&w, 2), BOOK_NOT_FOUND);
    assert_int_equal(revive(&w, 1), BOOK_NOTHING); /* it is being tried this moment */
    assert_int_equal(world_report(&w, 1, 500, 0), BOOK_DONE);
    assert_int_equal(world_take(&w), 0);
    assert_int_equal(revive(&w, 1), BOOK_DONE);
    assert_int_equal(world_take(&w), 1); /* at once */
    assert_int_equal(world_report(&w, 1, 200, 0), BOOK_DONE);
    assert_int_equal(revive(&w, 1), BOOK_DONE);
    w.quick = true;
    uint32_t attempts = 2;
    do {
        assert_int_equal(world_take(&w), 1);
        assert_int_equal(world_report(&w, 1, 200, 0), BOOK_DONE);
        attempts++;
    } while (revive(&w, 1) == BOOK_DONE);
    /* Attempts are counted with 16 bits, and a schedule's worth of them must still fit. */
    assert_int_equal(attempts, UINT16_MAX - OUTBOX_TRIES_MAX + 1);
    assert_int_equal(outbox_item(&w.book->outbox, 1)->attempts, attempts);
    world_end(&w);
}

/* The earliest of prompts, holds and deliveries. */
static void test_next_due(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    assert_true(book_next_due(w.book) == INT64_MAX);
    uint32_t a = open_accounts(&w, 2, 0);
    struct batch batch = {.count = 0};
    batch_add(&batch, 1, a, a + 1, 50)->kind = TRANSFER_HOLD;
    batch.transfers[0].expires_ns = w.now_ns + 90 * WORLD_S;
    static const uint8_t placed[] = {LEDGER_OK};
    (void)batch_do(&w, &batch, placed);
    assert_int_equal(book_next_due(w.book), w.now_ns + 90 * WORLD_S);
    uint64_t number = world_push(&w, WORLD_ANNA, 100);
    assert_int_equal(book_next_due(w.book), w.now_ns + 60 * WORLD_S);
    assert_int_equal(world_cancel(&w, number), OPERATOR_DONE);
    assert_int_equal(book_next_due(w.book), w.now_ns); /* the callback */
    assert_int_equal(world_take(&w), 1);
    assert_int_equal(world_report(&w, 1, 0, 2), BOOK_DONE);
    assert_true(book_next_due(w.book) > w.now_ns);
    assert_true(book_next_due(w.book) <= w.now_ns + 5 * WORLD_S);
    world_pass(&w, 91 * WORLD_S);
    assert_int_equal(ledger_entry(&w.book->ledger, 1)->state, ENTRY_HOLD_EXPIRED);
    world_end(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_bytes),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_refusal_leaves_no_trace),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_unknown_events),
        cmocka_unit_test(test_frames_refused),
        cmocka_unit_test(test_damaged_frames),
        cmocka_unit_test(test_damaged_seed),
        cmocka_unit_test(test_damaged_snapshot),
        cmocka_unit_test(test_clock_and_checkpoint),
        cmocka_unit_test(test_open_accounts),
        cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_transfers_linked),
        cmocka_unit_test(test_transfers_malformed_in_group),
        cmocka_unit_test(test_transfers_reserved_ids),
        cmocka_unit_test(test_transfers_same_id_in_group),
        cmocka_unit_test(test_transfers_group_too_large),
        cmocka_unit_test(test_holds_in_batches),
        cmocka_unit_test(test_transfers_most),
        cmocka_unit_test(test_results_dropped),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_answers_are_cut),
        cmocka_unit_test(test_revive),
        cmocka_unit_test(test_next_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
