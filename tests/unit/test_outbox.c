/*
 * test_outbox.c - the outbox: states and phases, the schedule and its jitter, breakers, turns of
 * targets, dead and revived items (R1.5, R3.9), bytes in both directions. Every test ends by
 * replaying its events into a second outbox and by a round trip through a saved one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "base/delivery_error.h"
#include "book/book.h"
#include "book/outbox.h"
#include "support/random.h"

/* A false CHECK ends the test, and is what some tests expect. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { RIG_EVENTS = 8192, RIG_BYTES = 4 * 1024 * 1024 };

struct rig_event {
    uint8_t bytes[64 + OUTBOX_ANSWER_KEPT_MAX];
    size_t size;
    uint16_t kind;
    uint64_t position;
    int64_t now_ns;
};

/* An outbox with its own log of events. */
struct rig {
    struct outbox outbox;
    struct texts texts;
    struct outbox_schedule schedule;
    int64_t now_ns;
    uint64_t position; /* of the latest event; all are durable unless a test says otherwise */
    struct rig_event *events;
    uint32_t event_count;
};

static void rig_start(struct rig *g)
{
    memset(g, 0, sizeof(*g));
    texts_init(&g->texts);
    outbox_init(&g->outbox, &g->texts, 5);
    g->schedule = *outbox_schedule_default();
    g->now_ns = 1000;
    g->events = calloc(RIG_EVENTS, sizeof(*g->events));
    assert_non_null(g->events);
}

static void rig_apply(struct outbox *o, struct texts *t, const struct rig_event *logged)
{
    struct outbox_event e;
    struct reader r = reader_init(logged->bytes, logged->size);
    assert_true(outbox_event_decode(logged->kind, &r, &e));
    assert_true(outbox_reserve(o, 1));
    assert_true(texts_reserve(t, 1));
    outbox_apply(o, &e, logged->position, logged->now_ns);
}

static void rig_emit(struct rig *g, const struct outbox_event *e)
{
    assert_true(g->event_count < RIG_EVENTS);
    struct rig_event *logged = &g->events[g->event_count++];
    struct writer w = writer_init(logged->bytes, sizeof(logged->bytes));
    outbox_event_encode(&w, e);
    assert_false(w.overflow);
    logged->size = w.size;
    logged->kind = e->kind;
    logged->position = ++g->position;
    logged->now_ns = g->now_ns;
    rig_apply(&g->outbox, &g->texts, logged);
}

static size_t rig_save(const struct outbox *o, const struct texts *t, uint8_t *bytes)
{
    struct writer w = writer_init(bytes, RIG_BYTES);
    texts_save(t, &w);
    outbox_save(o, &w);
    assert_true(writer_finish(&w));
    return w.size;
}

/* Replay and load: whatever happened, two other outboxes come to the same bytes. */
static void rig_finish(struct rig *g)
{
    uint8_t *bytes = malloc(RIG_BYTES);
    uint8_t *others = malloc(RIG_BYTES);
    assert_non_null(bytes);
    assert_non_null(others);
    outbox_check(&g->outbox);
    size_t size = rig_save(&g->outbox, &g->texts, bytes);
    struct texts texts;
    struct outbox other;
    texts_init(&texts);
    outbox_init(&other, &texts, 77);
    other.replaying = true;
    for (uint32_t i = 0; i < g->event_count; i++) {
        rig_apply(&other, &texts, &g->events[i]);
    }
    outbox_check(&other);
    assert_int_equal(rig_save(&other, &texts, others), size);
    assert_memory_equal(others, bytes, size);
    outbox_fini(&other);
    texts_fini(&texts);
    texts_init(&texts);
    outbox_init(&other, &texts, 78);
    struct reader r = reader_init(bytes, size);
    assert_true(texts_load(&texts, &r));
    assert_true(outbox_load(&other, &r) && reader_done(&r));
    outbox_check(&other);
    assert_int_equal(rig_save(&other, &texts, others), size);
    assert_memory_equal(others, bytes, size);
    outbox_fini(&other);
    texts_fini(&texts);
    outbox_fini(&g->outbox);
    texts_fini(&g->texts);
    free(g->events);
    free(bytes);
    free(others);
}

/* ---- what happens to an outbox ---- */

static uint64_t queue_at(struct rig *g, uint64_t target, int64_t next_try_ns)
{
    struct outbox_event e = {.kind = EVENT_DELIVERY_QUEUED};
    e.number = outbox_next_number(&g->outbox, 1);
    e.subject = 1000 + e.number;
    e.target = target;
    e.item_kind = 3;
    e.next_try_ns = next_try_ns;
    rig_emit(g, &e);
    return e.number;
}

static uint64_t queue(struct rig *g, uint64_t target)
{
    return queue_at(g, target, g->now_ns);
}

static const struct outbox_item *item(const struct rig *g, uint64_t number)
{
    const struct outbox_item *found = outbox_item(&g->outbox, number);
    assert_non_null(found);
    return found;
}

/* Number of the next item that leaves, 0 when none may. */
static uint64_t take(struct rig *g)
{
    const struct outbox_item *taken = outbox_take(&g->outbox, g->now_ns, g->position);
    assert_true(taken == NULL || taken->phase == OUTBOX_IN_FLIGHT);
    return taken == NULL ? 0 : taken->number;
}

static void report(struct rig *g, uint64_t number, uint16_t status, uint8_t error, uint64_t random)
{
    struct outbox_event e = {.kind = 0};
    outbox_judge(item(g, number), &g->schedule, status, error, g->now_ns, random, &e);
    e.duration_ms = 12;
    rig_emit(g, &e);
}

static void revive(struct rig *g, uint64_t number)
{
    struct outbox_event e = {.kind = EVENT_DELIVERY_REVIVED, .number = number};
    e.next_try_ns = g->now_ns;
    rig_emit(g, &e);
}

/* Fails the item once from TIMED, jumping to its time. */
static void fail_once(struct rig *g, uint64_t number, uint8_t error)
{
    g->now_ns = item(g, number)->next_try_ns;
    assert_int_equal(take(g), number);
    report(g, number, error == 0 ? 500 : 0, error, UINT64_MAX);
}

/* ---- states ---- */

static void test_delivered(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    assert_int_equal(take(&g), 0);
    assert_true(outbox_next_due(&g.outbox) == INT64_MAX);
    assert_null(outbox_item(&g.outbox, 1));
    uint64_t n = queue(&g, 7);
    assert_int_equal(n, 1);
    assert_int_equal(item(&g, n)->state, OUTBOX_WAITING);
    assert_int_equal(item(&g, n)->subject, 1001);
    assert_int_equal(outbox_next_due(&g.outbox), g.now_ns);
    assert_int_equal(take(&g), n);
    assert_int_equal(take(&g), 0); /* it has left already */
    assert_true(outbox_next_due(&g.outbox) == INT64_MAX);
    g.now_ns += 40;
    report(&g, n, 204, 0, 0);
    assert_int_equal(item(&g, n)->state, OUTBOX_DELIVERED);
    assert_int_equal(g.outbox.delivered, 1);
    const struct outbox_attempt *a = outbox_attempt(&g.outbox, item(&g, n)->first_attempt);
    assert_int_equal(a->status, 204);
    assert_int_equal(a->at_ns, g.now_ns);
    assert_int_equal(a->duration_ms, 12);
    assert_null(outbox_attempt(&g.outbox, a->next));
    assert_int_equal(take(&g), 0);
    rig_finish(&g);
}

/* Only 2xx is a delivery, and only when there was an answer. */
static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        uint16_t status;
        uint8_t error;
        bool delivered;
    } cases[] = {
        {200, 0, true},  {201, 0, true},  {299, 0, true},    {199, 0, false}, {300, 0, false},
        {301, 0, false}, {404, 0, false}, {500, 0, false},   {0, 0, false},   {0, 3, false},
        {200, 4, false}, {99, 0, false},  {65535, 0, false},
    };
    struct rig g;
    rig_start(&g);
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t n = queue(&g, 7 + i);
        assert_int_equal(take(&g), n);
        report(&g, n, cases[i].status, cases[i].error, 5);
        assert_int_equal(item(&g, n)->state,
                         cases[i].delivered ? OUTBOX_DELIVERED : OUTBOX_WAITING);
        outbox_check(&g.outbox);
    }
    assert_int_equal(g.outbox.delivered, 3);
    assert_int_equal(g.outbox.failed_attempts, COUNT(cases) - 3);
    rig_finish(&g);
}

/* R1.5, R3.9: at once, then 5 s, 30 s, ... as the longest, each shortened at random. */
static void test_schedule_and_jitter(void **state)
{
    (void)state;
    static const int64_t longest_s[] = {5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800};
    static const uint64_t randoms[] = {0, 1, UINT64_MAX, 0x123456789abcdef, 77777777777777};
    for (size_t r = 0; r < COUNT(randoms); r++) {
        struct rig g;
        rig_start(&g);
        uint64_t n = queue(&g, 7);
        for (size_t i = 0; i < COUNT(longest_s); i++) {
            g.now_ns = item(&g, n)->next_try_ns;
            assert_int_equal(take(&g), n);
            report(&g, n, 503, 0, randoms[r]);
            int64_t delay_ns = item(&g, n)->next_try_ns - g.now_ns;
            assert_true(delay_ns > 0 && delay_ns <= longest_s[i] * NS_PER_S);
            assert_int_equal(delay_ns, 1 + randoms[r] % (uint64_t)(longest_s[i] * NS_PER_S));
            assert_int_equal(outbox_next_due(&g.outbox), item(&g, n)->next_try_ns);
            g.now_ns = item(&g, n)->next_try_ns - 1;
            assert_int_equal(take(&g), 0); /* not a nanosecond earlier */
        }
        g.now_ns++;
        assert_int_equal(take(&g), n);
        report(&g, n, 503, 0, randoms[r]);
        assert_int_equal(item(&g, n)->state, OUTBOX_DEAD);
        assert_int_equal(item(&g, n)->attempts, 10);
        assert_int_equal(g.outbox.dead, 1);
        assert_int_equal(g.outbox.dead_of_kind[item(&g, n)->kind], 1);
        assert_true(outbox_next_due(&g.outbox) == INT64_MAX);
        rig_finish(&g); /* which counts them again, here and in what was loaded */
    }
}

/* Full jitter spreads over the whole delay, not around its end. */
static void test_jitter_spreads(void **state)
{
    (void)state;
    struct test_random r = random_from(4);
    struct rig g;
    rig_start(&g);
    uint64_t n = queue(&g, 7);
    uint32_t quarter[4] = {0};
    for (r.step = 0; r.step < 4000; r.step++) {
        struct outbox_event e = {.kind = 0};
        outbox_judge(item(&g, n), &g.schedule, 0, 2, 0, random_next(&r), &e);
        REQUIRE(&r, e.next_try_ns > 0 && e.next_try_ns <= 5 * NS_PER_S);
        quarter[(e.next_try_ns - 1) * 4 / (5 * NS_PER_S)]++;
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_in_range(quarter[i], 850, 1150);
    }
    rig_finish(&g);
}

static void test_dead_and_revived(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    g.schedule.tries = 2;
    uint64_t n = queue(&g, 7);
    fail_once(&g, n, 0);
    fail_once(&g, n, 0);
    assert_int_equal(item(&g, n)->state, OUTBOX_DEAD);
    assert_int_equal(g.outbox.dead_of_kind[item(&g, n)->kind], 1);
    assert_int_equal(g.outbox.dead_of_kind[0], 0);
    expect_assert_failure(report(&g, n, 200, 0, 0)); /* nothing is under way */
    revive(&g, n);
    assert_int_equal(g.outbox.dead_of_kind[item(&g, n)->kind], 0);
    assert_int_equal(item(&g, n)->state, OUTBOX_WAITING);
    assert_int_equal(item(&g, n)->tries, 0); /* a schedule of its own, from the start */
    assert_int_equal(item(&g, n)->attempts, 2);
    assert_int_equal(g.outbox.dead, 0);
    assert_int_equal(take(&g), n);
    report(&g, n, 200, 0, 0);
    assert_int_equal(g.outbox.delivered, 1);
    revive(&g, n); /* sent again although it arrived: a person wanted it */
    assert_int_equal(g.outbox.delivered, 0);
    assert_int_equal(take(&g), n);
    report(&g, n, 500, 0, 3);
    assert_int_equal(item(&g, n)->attempts, 4);
    assert_int_equal(item(&g, n)->tries, 1);
    rig_finish(&g);
}

/* Revived while it waits: from the timers, and out of the front, middle and end of a queue. */
static void test_revived_while_waiting(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    uint64_t timed = queue_at(&g, 7, g.now_ns + 1000);
    revive(&g, timed);
    assert_int_equal(item(&g, timed)->next_try_ns, g.now_ns);
    uint64_t numbers[6] = {timed};
    for (uint32_t i = 1; i < 6; i++) {
        numbers[i] = queue(&g, 7);
    }
    assert_int_equal(take(&g), timed); /* all are in the queue now, and one has left */
    assert_int_equal(g.outbox.ready, 5);
    static const uint32_t order[] = {3, 5, 1}; /* middle, end, front */
    for (uint32_t i = 0; i < 3; i++) {
        revive(&g, numbers[order[i]]);
        assert_int_equal(item(&g, numbers[order[i]])->phase, OUTBOX_TIMED);
        outbox_check(&g.outbox);
    }
    assert_int_equal(g.outbox.ready, 2);
    static const uint32_t expected[] = {2, 4, 1, 3, 5}; /* what was ready, then by age */
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(take(&g), numbers[expected[i]]);
        outbox_check(&g.outbox);
    }
    rig_finish(&g);
}

/* The last item of a queue goes; its target gets turns again when something new comes. */
static void test_revived_last_of_queue(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    uint64_t numbers[OUTBOX_TARGET_IN_FLIGHT_MAX + 1];
    for (uint32_t i = 0; i < COUNT(numbers); i++) {
        numbers[i] = queue(&g, 7);
    }
    for (uint32_t i = 0; i < OUTBOX_TARGET_IN_FLIGHT_MAX; i++) {
        assert_int_equal(take(&g), numbers[i]);
    }
    uint64_t last = numbers[OUTBOX_TARGET_IN_FLIGHT_MAX];
    revive(&g, last);
    assert_int_equal(g.outbox.ready, 0);
    assert_int_equal(outbox_next_due(&g.outbox), g.now_ns);
    assert_int_equal(take(&g), 0);
    report(&g, numbers[0], 200, 0, 0);
    assert_int_equal(take(&g), last);
    rig_finish(&g);
}

/* ---- durability ---- */

static void test_nothing_leaves_before_it_is_durable(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    uint64_t n = queue(&g, 7);
    assert_null(outbox_take(&g.outbox, g.now_ns, g.position - 1));
    assert_int_equal(outbox_take(&g.outbox, g.now_ns, g.position)->number, n);
    report(&g, n, 500, 0, 0);
    g.now_ns = item(&g, n)->next_try_ns;
    assert_null(outbox_take(&g.outbox, g.now_ns, g.position - 1)); /* nor is it tried again */
    assert_int_equal(take(&g), n);
    g.outbox.replaying = true;
    expect_assert_failure((void)take(&g));
    g.outbox.replaying = false;
    rig_finish(&g);
}

static void test_returned(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    uint64_t a = queue(&g, 7);
    uint64_t b = queue(&g, 7);
    assert_int_equal(take(&g), a);
    outbox_return(&g.outbox, a);
    assert_int_equal(g.outbox.in_flight, 0);
    assert_int_equal(take(&g), a); /* it keeps its place in front */
    assert_int_equal(take(&g), b);
    outbox_return(&g.outbox, b);
    assert_true(outbox_next_due(&g.outbox) <= g.now_ns);
    assert_int_equal(take(&g), b);
    report(&g, b, 200, 0, 0);
    expect_assert_failure(outbox_return(&g.outbox, b));
    expect_assert_failure(outbox_return(&g.outbox, 99));
    rig_finish(&g);
}

/* ---- targets ---- */

/* A target with much to do takes turns with the others. */
static void test_round_robin(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    uint64_t many[5];
    for (uint32_t i = 0; i < 5; i++) {
        many[i] = queue(&g, 1);
    }
    uint64_t b = queue(&g, 2);
    uint64_t c1 = queue(&g, 3);
    uint64_t c2 = queue(&g, 3);
    const uint64_t expected[] = {many[0], b, c1, many[1], c2, many[2], many[3], many[4]};
    for (uint32_t i = 0; i < COUNT(expected); i++) {
        assert_int_equal(take(&g), expected[i]);
        outbox_check(&g.outbox);
    }
    assert_int_equal(take(&g), 0);
    rig_finish(&g);
}

/* A slow target slows nobody else, and when it is full its queue waits for a result, not a time. */
static void test_target_limit(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    uint64_t first = 0;
    for (uint32_t i = 0; i < OUTBOX_TARGET_IN_FLIGHT_MAX + 10; i++) {
        uint64_t n = queue(&g, 1);
        first = first == 0 ? n : first;
    }
    for (uint32_t i = 0; i < OUTBOX_TARGET_IN_FLIGHT_MAX; i++) {
        assert_int_equal(take(&g), first + i);
    }
    assert_int_equal(take(&g), 0);
    assert_true(outbox_next_due(&g.outbox) == INT64_MAX);
    uint64_t other = queue(&g, 2);
    assert_int_equal(take(&g), other);
    report(&g, first + 5, 200, 0, 0);
    assert_true(outbox_next_due(&g.outbox) <= g.now_ns);
    assert_int_equal(take(&g), first + OUTBOX_TARGET_IN_FLIGHT_MAX);
    assert_int_equal(take(&g), 0);
    rig_finish(&g);
}

/* However many targets hang, there is a place for the next one, and they share the rest. */
static void test_many_slow_targets(void **state)
{
    enum { SLOW = 30, EACH = 100 };
    (void)state;
    struct rig g;
    rig_start(&g);
    for (uint32_t i = 0; i < SLOW * EACH; i++) {
        (void)queue(&g, 1 + i % SLOW);
    }
    while (take(&g) != 0) {
    }
    assert_true(g.outbox.in_flight > OUTBOX_IN_FLIGHT_MAX * 3 / 4);
    assert_true(g.outbox.in_flight < OUTBOX_IN_FLIGHT_MAX - 32);
    for (uint32_t i = 0; i < 10; i++) {
        uint64_t other = queue(&g, SLOW + 1);
        assert_int_equal(take(&g), other);
    }
    outbox_check(&g.outbox);
    rig_finish(&g);
}

/* ---- the breaker (R3.9) ---- */

/* Fails items of a target until its breaker opens, with one left in its queue. */
static void break_target(struct rig *g, uint64_t target)
{
    uint64_t numbers[OUTBOX_BREAKER_FAILURES];
    for (uint32_t i = 0; i < OUTBOX_BREAKER_FAILURES; i++) {
        numbers[i] = queue(g, target);
        assert_int_equal(take(g), numbers[i]);
    }
    uint64_t waiting = queue(g, target);
    for (uint32_t i = 0; i < OUTBOX_BREAKER_FAILURES; i++) {
        assert_true(outbox_next_due(&g->outbox) <= g->now_ns);
        report(g, numbers[i], 0, 2, UINT64_MAX);
    }
    assert_int_equal(take(g), 0);
    assert_int_equal(item(g, waiting)->phase, OUTBOX_READY);
}

static void test_breaker_opens_and_closes(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    break_target(&g, 1);
    uint64_t other = queue(&g, 2);
    assert_int_equal(take(&g), other); /* the others go on */
    int64_t open_ns = g.now_ns + OUTBOX_BREAKER_FIRST_NS;
    assert_int_equal(outbox_next_due(&g.outbox), open_ns);
    g.now_ns = open_ns - 1;
    assert_int_equal(take(&g), 0);
    g.now_ns = open_ns;
    uint64_t probe = take(&g);
    assert_int_not_equal(probe, 0);
    uint64_t next = queue(&g, 1);
    assert_int_equal(take(&g), 0); /* half open: one probe at a time */
    assert_int_not_equal(outbox_next_due(&g.outbox), open_ns);
    report(&g, probe, 500, 0, 0); /* any answer will do: somebody is there */
    assert_int_equal(take(&g), next);
    rig_finish(&g);
}

/* What was not sent at all says nothing about the receiver. */
static void test_unsent_breaks_nothing(void **state)
{
    (void)state;
    static const uint8_t unsent[] = {DELIVERY_RULED, DELIVERY_WITHDRAWN, DELIVERY_INTERRUPTED,
                                     DELIVERY_UNWRITTEN};
    for (size_t i = 0; i < sizeof(unsent) / sizeof(unsent[0]); i++) {
        struct rig g;
        rig_start(&g);
        for (uint32_t n = 0; n < 2 * OUTBOX_BREAKER_FAILURES; n++) {
            uint64_t number = queue(&g, 1);
            assert_int_equal(take(&g), number);
            report(&g, number, 0, unsent[i], UINT64_MAX);
        }
        uint64_t next = queue(&g, 1);
        assert_int_equal(take(&g), next);
        rig_finish(&g);
    }
}

/* Each failed probe doubles the pause, up to half a minute. */
static void test_breaker_pauses(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    break_target(&g, 1);
    static const int64_t pauses_s[] = {1, 2, 4, 8, 16, 30, 30, 30};
    for (uint32_t i = 0; i < COUNT(pauses_s); i++) {
        uint64_t extra = queue(&g, 1); /* so that there is always something to probe with */
        assert_int_equal(take(&g), 0);
        g.now_ns += pauses_s[i] * NS_PER_S - 1;
        assert_int_equal(take(&g), 0);
        g.now_ns++;
        uint64_t probe = take(&g);
        assert_int_not_equal(probe, 0);
        report(&g, probe, 0, 3, UINT64_MAX);
        assert_int_equal(item(&g, extra)->state, OUTBOX_WAITING);
    }
    rig_finish(&g);
}

/* Sixty hang together and fail together: a second of pause, not half a minute. */
static void test_breaker_opens_once(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    uint64_t numbers[60];
    for (uint32_t i = 0; i < COUNT(numbers); i++) {
        numbers[i] = queue(&g, 1);
        assert_int_equal(take(&g), numbers[i]);
    }
    for (uint32_t i = 0; i < COUNT(numbers); i++) {
        report(&g, numbers[i], 0, 3, UINT64_MAX);
        g.now_ns += 1000 * 1000;
    }
    uint64_t waiting = queue(&g, 1);
    g.now_ns += OUTBOX_BREAKER_FIRST_NS;
    assert_int_equal(take(&g), waiting); /* the probe, while the others wait for their next try */
    report(&g, waiting, 0, 3, UINT64_MAX);
    (void)queue(&g, 1);
    g.now_ns += 2 * OUTBOX_BREAKER_FIRST_NS - 1;
    assert_int_equal(take(&g), 0); /* a failed probe counts */
    g.now_ns++;
    assert_int_not_equal(take(&g), 0);
    rig_finish(&g);
}

/* Nine failures and an answer are not ten failures in a row. */
static void test_breaker_needs_a_row(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < OUTBOX_BREAKER_FAILURES - 1; i++) {
            uint64_t n = queue(&g, 1);
            assert_int_equal(take(&g), n);
            report(&g, n, 0, 2, UINT64_MAX);
        }
        uint64_t n = queue(&g, 1);
        assert_int_equal(take(&g), n);
        report(&g, n, 404, 0, UINT64_MAX);
    }
    uint64_t n = queue(&g, 1);
    assert_int_equal(take(&g), n);
    rig_finish(&g);
}

/* ---- answers that are kept (R2.8) ---- */

static void test_answer_kept(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    uint64_t n = queue(&g, 7);
    char large[OUTBOX_ANSWER_KEPT_MAX + 1];
    memset(large, 'x', sizeof(large));
    for (uint32_t i = 0; i < 2; i++) {
        g.now_ns = item(&g, n)->next_try_ns;
        assert_int_equal(take(&g), n);
        report(&g, n, 500, 0, 0);
        struct outbox_event e = {.kind = EVENT_ANSWER_KEPT, .number = n};
        e.answer = i == 0 ? span_from("no room") : (struct span){large, OUTBOX_ANSWER_KEPT_MAX};
        rig_emit(&g, &e);
    }
    const struct outbox_attempt *a = outbox_attempt(&g.outbox, item(&g, n)->first_attempt);
    assert_true(span_is(texts_at(&g.texts, a->answer), "no room"));
    a = outbox_attempt(&g.outbox, a->next);
    assert_int_equal(texts_at(&g.texts, a->answer).size, OUTBOX_ANSWER_KEPT_MAX);
    struct outbox_event e = {.kind = EVENT_ANSWER_KEPT, .number = n};
    e.answer = (struct span){large, sizeof(large)};
    uint8_t bytes[1024];
    struct writer w = writer_init(bytes, sizeof(bytes));
    expect_assert_failure(outbox_event_encode(&w, &e));
    rig_finish(&g);
}

/* ---- bytes ---- */

static void test_events_refused(void **state)
{
    (void)state;
    static const struct {
        struct outbox_event e;
        size_t size;
    } cases[] = {
        {{.kind = EVENT_DELIVERY_QUEUED, .number = 1, .next_try_ns = 5}, 34},
        {{.kind = EVENT_DELIVERY_ATTEMPTED, .number = 1, .state = OUTBOX_DEAD}, 24},
        {{.kind = EVENT_DELIVERY_REVIVED, .number = 1}, 16},
        {{.kind = EVENT_ANSWER_KEPT, .number = 1, .answer = {"abc", 3}}, 13},
    };
    struct outbox_event read;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t bytes[64] = {0};
        struct writer w = writer_init(bytes, sizeof(bytes));
        outbox_event_encode(&w, &cases[i].e);
        assert_int_equal(w.size, cases[i].size);
        for (size_t size = 0; size <= sizeof(bytes); size++) {
            struct reader r = reader_init(bytes, size);
            assert_int_equal(outbox_event_decode(cases[i].e.kind, &r, &read), size == w.size);
        }
        for (uint16_t kind = 0; kind < 100; kind++) {
            struct reader r = reader_init(bytes, w.size);
            bool known = kind >= EVENT_DELIVERY_QUEUED && kind <= EVENT_ANSWER_KEPT;
            assert_true(known || !outbox_event_decode(kind, &r, &read));
        }
        memset(bytes, 0, 8); /* item 0 does not exist */
        struct reader r = reader_init(bytes, w.size);
        assert_false(outbox_event_decode(cases[i].e.kind, &r, &read));
    }
    for (uint32_t value = 0; value < 256; value++) {
        uint8_t bytes[24] = {1};
        bytes[23] = (uint8_t)value;
        struct reader r = reader_init(bytes, sizeof(bytes));
        assert_int_equal(outbox_event_decode(EVENT_DELIVERY_ATTEMPTED, &r, &read),
                         value == OUTBOX_DELIVERED || value == OUTBOX_DEAD);
        bytes[8] = 1; /* a next try, which only a waiting one has */
        r = reader_init(bytes, sizeof(bytes));
        assert_int_equal(outbox_event_decode(EVENT_DELIVERY_ATTEMPTED, &r, &read),
                         value == OUTBOX_WAITING);
    }
}

/* An edited delivery says what it was made of, and has all of what it needs and no more. */
static void test_edits_refused(void **state)
{
    static char text[OUTBOX_EDIT_BODY_MAX + 1];
    static uint8_t bytes[2 * sizeof(text) + 100];
    (void)state;
    static const struct {
        uint64_t original;
        size_t url;
        size_t body;
        bool good;
    } cases[] = {
        {6, 1, 1, true},
        {6, OUTBOX_EDIT_URL_MAX, OUTBOX_EDIT_BODY_MAX, true},
        {0, 1, 1, false},
        {7, 1, 1, false}, /* itself */
        {8, 1, 1, false},
        {6, 0, 1, false},
        {6, 1, 0, false},
        {6, OUTBOX_EDIT_URL_MAX + 1, 1, false},
        {6, 1, OUTBOX_EDIT_BODY_MAX + 1, false},
    };
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct writer w = writer_init(bytes, sizeof(bytes));
        struct outbox_event read;
        put_u64(&w, 7); /* number, subject, target, kind, next try */
        put_u64(&w, 1);
        put_u64(&w, 1);
        put_u16(&w, 1);
        put_i64(&w, 5);
        put_u64(&w, cases[i].original);
        put_text(&w, (struct span){text, cases[i].url});
        put_text(&w, (struct span){text, cases[i].body});
        assert_false(w.overflow);
        struct reader r = reader_init(bytes, w.size);
        assert_int_equal(outbox_event_decode(EVENT_DELIVERY_EDITED, &r, &read), cases[i].good);
    }
    for (size_t size = OUTBOX_ANSWER_KEPT_MAX; size <= OUTBOX_ANSWER_KEPT_MAX + 1; size++) {
        struct writer w = writer_init(bytes, sizeof(bytes));
        struct outbox_event read;
        put_u64(&w, 7);
        put_text(&w, (struct span){text, size});
        struct reader r = reader_init(bytes, w.size);
        assert_int_equal(outbox_event_decode(EVENT_ANSWER_KEPT, &r, &read),
                         size == OUTBOX_ANSWER_KEPT_MAX);
    }
}

static void test_load_damaged(void **state)
{
    (void)state;
    struct rig g;
    rig_start(&g);
    uint64_t n = queue(&g, 7);
    fail_once(&g, n, 3);
    (void)queue(&g, 8);
    uint64_t delivered = queue(&g, 9);
    while (take(&g) != delivered) {
    }
    report(&g, delivered, 200, 0, 0);
    uint8_t bytes[2048];
    struct writer w = writer_init(bytes, sizeof(bytes));
    outbox_save(&g.outbox, &w);
    assert_true(writer_finish(&w));
    struct texts texts;
    texts_init(&texts);
    uint32_t loaded = 0;
    for (size_t at = 0; at < w.size; at++) {
        struct outbox o;
        outbox_init(&o, &texts, 1);
        struct reader cut = reader_init(bytes, at);
        assert_false(outbox_load(&o, &cut));
        outbox_fini(&o);
        for (uint32_t bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1u << bit);
            outbox_init(&o, &texts, 1);
            struct reader r = reader_init(bytes, w.size);
            loaded += outbox_load(&o, &r);
            outbox_fini(&o);
            bytes[at] ^= (uint8_t)(1u << bit);
        }
    }
    assert_true(loaded > 0);
    texts_fini(&texts);
    rig_finish(&g);
}

/* ---- random ---- */

enum { FLYING_MAX = 400 };

struct flight {
    uint64_t numbers[FLYING_MAX];
    uint32_t count;
    uint64_t durable; /* grows only */
};

static void story_report(struct test_random *r, struct rig *g, struct flight *f)
{
    if (f->count == 0) {
        return;
    }
    uint32_t i = random_below(r, f->count);
    uint64_t n = f->numbers[i];
    f->numbers[i] = f->numbers[--f->count];
    if (random_percent(r, 10)) {
        outbox_return(&g->outbox, n);
        return;
    }
    uint64_t target = item(g, n)->target;
    bool broken = target == 1 && g->now_ns / (60 * NS_PER_S) % 2 == 0; /* down every other minute */
    uint16_t status = random_percent(r, 70) ? 200 : 500;
    report(g, n, broken ? 0 : status, broken ? 2 : 0, random_next(r));
}

static void story_take(struct test_random *r, struct rig *g, struct flight *f)
{
    uint64_t behind = random_below(r, 3);
    f->durable = g->position > f->durable + behind ? g->position - behind : f->durable;
    const struct outbox_item *taken = outbox_take(&g->outbox, g->now_ns, f->durable);
    if (taken == NULL) {
        return;
    }
    REQUIRE(r, taken->state == OUTBOX_WAITING && taken->phase == OUTBOX_IN_FLIGHT);
    REQUIRE(r, taken->next_try_ns <= g->now_ns && taken->position <= f->durable);
    uint32_t same = 1;
    for (uint32_t i = 0; i < f->count; i++) {
        REQUIRE(r, f->numbers[i] != taken->number); /* nothing is under way twice */
        same += item(g, f->numbers[i])->target == taken->target;
    }
    REQUIRE(r, same <= OUTBOX_TARGET_IN_FLIGHT_MAX);
    REQUIRE(r, f->count < FLYING_MAX);
    f->numbers[f->count++] = taken->number;
}

static void story_step(struct test_random *r, struct rig *g, struct flight *f)
{
    uint32_t dice = random_below(r, 100);
    if (dice < 25) {
        uint64_t target = 1 + random_below(r, 4);
        (void)queue_at(g, target, g->now_ns + (int64_t)random_below(r, 3) * NS_PER_S);
    } else if (dice < 60) {
        story_take(r, g, f);
    } else if (dice < 90) {
        story_report(r, g, f);
    } else if (dice < 94 && g->outbox.last_number > 0) {
        uint64_t n = 1 + random_below(r, (uint32_t)g->outbox.last_number);
        if (item(g, n)->phase != OUTBOX_IN_FLIGHT) {
            revive(g, n);
        }
    } else {
        int64_t due_ns = outbox_next_due(&g->outbox);
        bool jump = due_ns != INT64_MAX && due_ns > g->now_ns && random_percent(r, 50);
        g->now_ns = jump ? due_ns : g->now_ns + (int64_t)random_below(r, 100) * NS_PER_MS;
    }
}

/* When everything answers, everything arrives: nothing is forgotten in a queue or behind a breaker
 * (R1.5). */
static void story_drain(struct test_random *r, struct rig *g, struct flight *f)
{
    for (uint32_t i = 0; i < 20000; i++) {
        while (f->count > 0) {
            report(g, f->numbers[--f->count], 200, 0, 0);
        }
        const struct outbox_item *taken = outbox_take(&g->outbox, g->now_ns, g->position);
        if (taken != NULL) {
            f->numbers[f->count++] = taken->number;
            continue;
        }
        int64_t due_ns = outbox_next_due(&g->outbox);
        if (due_ns == INT64_MAX) {
            break;
        }
        REQUIRE(r, due_ns > g->now_ns); /* or one could have been taken */
        g->now_ns = due_ns;
    }
    REQUIRE(r, g->outbox.delivered + g->outbox.dead == g->outbox.items.used);
}

static void test_random_story(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct test_random r = random_from(seed);
        struct rig g;
        struct flight f = {.count = 0};
        rig_start(&g);
        g.schedule.tries = 4;
        for (r.step = 0; r.step < 2000; r.step++) {
            story_step(&r, &g, &f);
            if (r.step % 20 == 0) {
                outbox_check(&g.outbox);
            }
            REQUIRE(&r, g.outbox.in_flight == f.count);
        }
        story_drain(&r, &g, &f);
        REQUIRE(&r, g.outbox.delivered > 100 && g.outbox.failed_attempts > 100);
        rig_finish(&g);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_schedule_and_jitter),
        cmocka_unit_test(test_jitter_spreads),
        cmocka_unit_test(test_dead_and_revived),
        cmocka_unit_test(test_revived_while_waiting),
        cmocka_unit_test(test_revived_last_of_queue),
        cmocka_unit_test(test_nothing_leaves_before_it_is_durable),
        cmocka_unit_test(test_returned),
        cmocka_unit_test(test_round_robin),
        cmocka_unit_test(test_target_limit),
        cmocka_unit_test(test_many_slow_targets),
        cmocka_unit_test(test_breaker_opens_and_closes),
        cmocka_unit_test(test_unsent_breaks_nothing),
        cmocka_unit_test(test_breaker_pauses),
        cmocka_unit_test(test_breaker_opens_once),
        cmocka_unit_test(test_breaker_needs_a_row),
        cmocka_unit_test(test_answer_kept),
        cmocka_unit_test(test_events_refused),
        cmocka_unit_test(test_edits_refused),
        cmocka_unit_test(test_load_damaged),
        cmocka_unit_test(test_random_story),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
