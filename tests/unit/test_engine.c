/*
 * test_engine.c - the turn, with a writer that finishes when the test says so: what may be shown
 * and when, what is refused and why, a disk that is full and comes back, a journal that fails, the
 * seam for old ids, a virtual clock that is moved.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "engine/engine.h"
#include "operator/operator.h"

enum { WORK_PER_TURN = 2 };

struct rig {
    struct operator_settings settings;
    struct book *book;
    struct book_clock clock;
    struct engine *engine;
    int64_t monotonic_ns;
    struct journal_batch batch; /* the one under way */
    bool writing;
    enum engine_room room;
    uint32_t started;
    uint32_t fetched;
    struct old_name fetched_name;
    enum index_answer answer;
    struct journal_head head;
};

static int64_t rig_monotonic(void *context)
{
    return ((struct rig *)context)->monotonic_ns;
}

static void rig_start(void *context, const struct journal_batch *batch,
                      const uint8_t previous[JOURNAL_HASH_BYTES])
{
    struct rig *r = context;
    assert_false(r->writing);
    assert_memory_equal(previous, r->head.hash, JOURNAL_HASH_BYTES);
    r->batch = *batch;
    r->writing = true;
    r->started++;
}

static enum engine_room rig_room(void *context, uint64_t bytes)
{
    (void)bytes;
    return ((struct rig *)context)->room;
}

static enum index_answer rig_find(void *context, uint64_t generation, const struct old_name *name,
                                  struct old_name *primary, struct span *record)
{
    struct rig *r = context;
    (void)primary;
    (void)record;
    assert_int_equal(generation, r->book->generation);
    r->fetched++;
    r->fetched_name = *name;
    return r->answer;
}

/* The disk has the batch under way. */
static void rig_synced(struct rig *r)
{
    assert_true(r->writing);
    r->writing = false;
    r->head.batch++;
    r->head.position = r->batch.first_position + r->batch.frame_count - 1;
    r->head.hash[0]++;
    engine_written(r->engine, JOURNAL_OK, &r->head);
}

static void rig_settle(struct rig *r)
{
    for (int i = 0; i < 20; i++) {
        engine_turn(r->engine);
        if (r->writing) {
            rig_synced(r);
        }
    }
    assert_true(engine_idle(r->engine));
}

static void rig_seed(struct rig *r)
{
    struct seed_command seed;
    struct operator_reply reply;
    memset(&seed, 0, sizeof(seed));
    seed.organisation_count = 1;
    seed.organisations[0].short_code = 174379;
    seed.organisations[0].type = ORGANISATION_PAYBILL;
    seed.organisations[0].charges = CHARGES_CUSTOMER;
    seed.subscriber_count = 2;
    for (uint32_t i = 0; i < 2; i++) {
        seed.subscribers[i].msisdn = 254712000001 + i;
        seed.subscribers[i].balance_minor = 100000;
        memset(seed.subscribers[i].verifier, 7, PIN_VERIFIER_BYTES);
    }
    struct engine_result result =
        engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_SEED, &seed, &reply);
    assert_int_equal(result.status, ENGINE_APPLIED);
    rig_settle(r);
}

static int rig_make(void **state, const struct engine_limits *limits)
{
    struct rig *r = calloc(1, sizeof(*r));
    r->settings = operator_settings_default(true);
    struct book_options options = {.domain = &operator_domain, .settings = &r->settings};
    r->book = book_create(&options);
    r->room = ENGINE_ROOM_NOW;
    r->answer = INDEX_NOTHING;
    r->monotonic_ns = 1;
    book_clock_init_virtual(&r->clock, CLOCK_VIRTUAL_START_NS, rig_monotonic, r);
    struct engine_options engine = {
        .book = r->book,
        .clock = &r->clock,
        .writer = {r, rig_start, rig_room},
        .archive = {r, rig_find},
        .limits = *limits,
        .random_seed = 1,
    };
    r->engine = engine_create(&engine);
    rig_seed(r);
    *state = r;
    return 0;
}

static int rig_open(void **state)
{
    struct engine_limits limits = engine_limits_default();
    limits.work_per_turn_max = WORK_PER_TURN;
    return rig_make(state, &limits);
}

/* Any decision fills a batch. */
static int rig_open_narrow(void **state)
{
    struct engine_limits limits = engine_limits_default();
    limits.batch_bytes_max = 1;
    return rig_make(state, &limits);
}

static int rig_close(void **state)
{
    struct rig *r = *state;
    book_check(r->book);
    engine_destroy(r->engine);
    book_destroy(r->book);
    free(r);
    return 0;
}

static struct engine_result rig_push(struct rig *r, uint64_t msisdn, uint8_t tag,
                                     struct operator_reply *reply)
{
    struct stk_push_command c;
    memset(&c, 0, sizeof(c));
    c.short_code = 174379;
    c.party_b = 174379;
    c.type = 1;
    c.amount_minor = 1000;
    c.msisdn = msisdn;
    c.url = SPAN_LITERAL("http://127.0.0.1/");
    c.target = 1;
    c.fingerprint[0] = tag;
    memset(reply, 0, sizeof(*reply));
    return engine_execute(r->engine, ENGINE_NEW_WORK, COMMAND_STK_PUSH, &c, reply);
}

static void nothing_is_shown_before_the_disk_has_it(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    uint64_t before = engine_durable(r->engine);
    struct engine_result result = rig_push(r, 254712000001, 1, &reply);
    assert_int_equal(result.status, ENGINE_APPLIED);
    assert_true(result.wait_position > before);
    engine_turn(r->engine);
    assert_true(r->writing);
    assert_int_equal(engine_durable(r->engine), before);
    rig_synced(r);
    assert_true(engine_durable(r->engine) >= result.wait_position);
}

static void a_refusal_waits_for_what_it_rests_on(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    struct engine_result first = rig_push(r, 254712000001, 1, &reply);
    struct engine_result second = rig_push(r, 254712000001, 1, &reply);
    assert_int_equal(second.status, ENGINE_REFUSED);
    assert_int_equal(reply.refusal, OPERATOR_DUPLICATE);
    assert_true(second.wait_position >= first.wait_position);
    assert_true(second.wait_position > engine_durable(r->engine));
    rig_settle(r);
}

static void one_batch_at_a_time_and_the_next_collects(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    engine_turn(r->engine);
    uint32_t started = r->started;
    (void)rig_push(r, 254712000002, 2, &reply);
    engine_turn(r->engine);
    engine_turn(r->engine);
    assert_int_equal(r->started, started);
    rig_synced(r);
    assert_int_equal(r->started, started + 1); /* at once, without another turn */
    rig_settle(r);
}

static void a_stalled_disk_refuses_new_work_but_takes_answers(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    rig_settle(r);
    (void)rig_push(r, 254712000002, 2, &reply);
    engine_turn(r->engine);
    r->monotonic_ns += 79 * NS_PER_MS;
    assert_int_equal(engine_admits(r->engine, ENGINE_NEW_WORK), ENGINE_APPLIED);
    r->monotonic_ns += 2 * NS_PER_MS;
    assert_int_equal(rig_push(r, 254712000003, 3, &reply).status, ENGINE_BUSY);
    struct stk_answer_command approve = {.number = 1};
    memset(approve.verifier, 7, sizeof(approve.verifier));
    struct engine_result taken =
        engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_STK_APPROVE, &approve, &reply);
    assert_int_equal(taken.status, ENGINE_APPLIED);
    assert_int_equal(engine_counters(r->engine).refused_busy, 1);
    rig_settle(r);
    assert_int_equal(rig_push(r, 254712000001, 4, &reply).status, ENGINE_APPLIED);
    rig_settle(r);
}

/* An answer to a prompt that does not exist: work that continues, and changes nothing. */
static enum engine_status rig_answer(struct rig *r)
{
    struct stk_answer_command c = {.number = 1000};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    return engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_STK_CANCEL, &c, &reply).status;
}

/* One turn of the loop: how many of the pushes asked for were taken. */
static uint32_t rig_turn(struct rig *r, uint32_t pushes, uint32_t answers, int64_t worked_ns)
{
    struct operator_reply reply;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < pushes; i++) {
        taken += rig_push(r, 254712000001, 1, &reply).status != ENGINE_BUSY ? 1 : 0;
    }
    for (uint32_t i = 0; i < answers; i++) {
        assert_int_equal(rig_answer(r), ENGINE_REFUSED); /* never for lack of room */
    }
    rig_settle(r);
    engine_pace(r->engine, worked_ns);
    return taken;
}

static void long_turns_take_less_new_work_so_that_answers_come_through(void **state)
{
    struct rig *r = *state;
    int64_t limit_ns = engine_limits_default().turn_ns_max;
    uint32_t least = UINT32_MAX;
    assert_int_equal(rig_turn(r, 100, 0, 10 * limit_ns), 100); /* nobody else waited */
    assert_int_equal(rig_turn(r, 100, 100, limit_ns), 100);
    assert_int_equal(rig_turn(r, 100, 100, 2 * limit_ns), 100);
    assert_int_equal(rig_turn(r, 100, 100, 10 * limit_ns), 50);
    assert_int_equal(rig_turn(r, 100, 100, limit_ns), 12); /* a quarter, for one turn */
    assert_int_equal(engine_admits(r->engine, ENGINE_NEW_WORK), ENGINE_APPLIED); /* next turn */
    for (uint32_t i = 0; i < 50; i++) {
        least = rig_turn(r, 100, 100, 2 * limit_ns);
    }
    assert_true(least > 0 && least < 10); /* never nothing */
    uint32_t turns = 0;
    while (rig_turn(r, 100, 100, limit_ns) < 100) {
        assert_true(++turns < 100); /* and it comes back */
    }
    assert_true(turns > 10); /* by steps */
    for (uint32_t i = 0; i < 50; i++) {
        least = rig_turn(r, 100, 100, 2 * limit_ns);
    }
    for (turns = 0; rig_turn(r, 100, 0, 10 * limit_ns) < 100; turns++) {
        assert_true(turns < 7); /* when nobody else waits, at once */
    }
    (void)rig_turn(r, 0, 1, 10 * limit_ns); /* a long turn that was not its doing */
    assert_int_equal(rig_turn(r, 100, 100, limit_ns), 100);
}

static void a_full_disk_refuses_and_recovers(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    struct engine_result accepted = rig_push(r, 254712000001, 1, &reply);
    engine_turn(r->engine);
    r->room = ENGINE_ROOM_FULL;
    r->writing = false;
    engine_written(r->engine, JOURNAL_DISK_FULL, NULL);
    assert_false(engine_poisoned(r->engine));
    assert_int_equal(rig_push(r, 254712000002, 2, &reply).status, ENGINE_DISK_FULL);
    engine_turn(r->engine);
    assert_false(r->writing);
    assert_true(engine_durable(r->engine) < accepted.wait_position);
    r->room = ENGINE_ROOM_NOW;
    engine_turn(r->engine);
    assert_true(r->writing); /* the batch that waited */
    rig_settle(r);
    assert_true(engine_durable(r->engine) >= accepted.wait_position);
    assert_int_equal(rig_push(r, 254712000002, 2, &reply).status, ENGINE_APPLIED);
    rig_settle(r);
}

/* The next segment is still being made: that is no full disk, and what was begun may end. */
static void a_segment_that_is_late_is_no_full_disk(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    rig_settle(r);
    r->room = ENGINE_ROOM_SOON;
    struct stk_answer_command approve = {.number = reply.number};
    assert_int_equal(rig_push(r, 254712000002, 2, &reply).status, ENGINE_BUSY);
    assert_int_equal(
        engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_STK_APPROVE, &approve, &reply)
            .status,
        ENGINE_APPLIED);
    r->room = ENGINE_ROOM_NOW;
    rig_settle(r);
    assert_int_equal(operator_of(r->book)->queued, 0); /* it has ended, one way or the other */
}

/* What cannot be written is not decided, so that what there is stays readable; the loop is told to
 * look again, since nobody tells when space returns. */
static void deadlines_wait_for_a_full_disk(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    rig_settle(r);
    uint64_t position = engine_durable(r->engine);
    assert_int_equal(engine_timeout_ms(r->engine), -1); /* a virtual clock stands still */
    r->room = ENGINE_ROOM_FULL;
    book_clock_move(&r->clock, engine_now(r->engine) + 61 * NS_PER_S);
    for (int i = 0; i < 3; i++) {
        engine_turn(r->engine);
        assert_int_equal(engine_applied(r->engine), position);
        assert_in_range(engine_timeout_ms(r->engine), 10, 1000);
    }
    struct stk_answer_command approve = {.number = reply.number};
    assert_int_equal(
        engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_STK_APPROVE, &approve, &reply)
            .status,
        ENGINE_DISK_FULL);
    r->room = ENGINE_ROOM_NOW;
    assert_int_equal(engine_timeout_ms(r->engine), 0);
    rig_settle(r);
    assert_true(engine_durable(r->engine) > position);
    assert_int_equal(operator_payment(operator_of(r->book), 1)->outcome, STK_NO_ANSWER);
}

/* A batch that waits for space is tried again although nothing else is due. */
static void a_batch_waits_for_space_with_a_beat(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    engine_turn(r->engine);
    r->room = ENGINE_ROOM_FULL;
    r->writing = false;
    engine_written(r->engine, JOURNAL_DISK_FULL, NULL);
    assert_in_range(engine_timeout_ms(r->engine), 10, 1000);
    r->room = ENGINE_ROOM_NOW;
    rig_settle(r);
}

static void a_failed_sync_ends_everything(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    struct engine_result result = rig_push(r, 254712000001, 1, &reply);
    engine_turn(r->engine);
    r->writing = false;
    engine_written(r->engine, JOURNAL_POISONED, NULL);
    assert_true(engine_poisoned(r->engine));
    assert_true(engine_durable(r->engine) < result.wait_position);
    assert_int_equal(rig_push(r, 254712000002, 2, &reply).status, ENGINE_POISONED);
    assert_null(engine_take_outgoing(r->engine));
    engine_turn(r->engine);
    assert_false(r->writing);
}

static void outgoing_items_wait_for_the_disk(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    rig_settle(r);
    struct stk_answer_command cancel = {.number = 1};
    (void)engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_STK_CANCEL, &cancel, &reply);
    engine_turn(r->engine);
    assert_null(engine_take_outgoing(r->engine));
    rig_synced(r);
    const struct outbox_item *item = engine_take_outgoing(r->engine);
    assert_non_null(item);
    assert_int_equal(item->subject, 1);
    assert_null(engine_take_outgoing(r->engine));
}

static void old_ids_are_looked_for_before_a_decision_that_names_them(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    rig_settle(r);
    struct stk_answer_command c = {.number = reply.number};
    assert_int_equal(
        engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_STK_CANCEL, &c, &reply).status,
        ENGINE_APPLIED);
    assert_int_equal(r->fetched, 0); /* all of that is in memory */
    c.number = 77;
    assert_int_equal(
        engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_STK_CANCEL, &c, &reply).status,
        ENGINE_REFUSED);
    assert_int_equal(r->fetched, 1);
    struct old_name name = operator_payment_name(77);
    assert_memory_equal(&r->fetched_name, &name, sizeof(name));
    r->answer = INDEX_FAILED; /* nobody knows: nothing is decided */
    assert_int_equal(
        engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_STK_CANCEL, &c, &reply).status,
        ENGINE_NO_INDEX);
    rig_settle(r);
}

static void a_pause_holds_commands_until_resumed(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    engine_hold(r->engine);
    assert_int_equal(rig_push(r, 254712000002, 2, &reply).status, ENGINE_BUSY);
    engine_turn(r->engine);
    assert_true(r->writing);
    rig_synced(r);
    assert_true(engine_settled(r->engine));
    assert_int_equal(engine_durable(r->engine), engine_applied(r->engine));
    engine_resume(r->engine);
    assert_int_equal(rig_push(r, 254712000002, 2, &reply).status, ENGINE_APPLIED);
    rig_settle(r);
}

/* A pause during which deadlines pass used to last until they were all decided, and whoever asked
 * for anything waited with it (0.6 s for 130,000 prompts). */
static void what_is_due_waits_for_the_end_of_a_pause(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    rig_settle(r);
    const struct stk_payment *p = operator_payment(operator_of(r->book), 1);
    engine_hold(r->engine);
    book_clock_move(&r->clock, CLOCK_VIRTUAL_START_NS + 61 * NS_PER_S);
    engine_turn(r->engine);
    assert_true(engine_settled(r->engine));
    assert_int_equal(p->outcome, STK_OPEN);
    assert_in_range(engine_timeout_ms(r->engine), 1, 1000); /* neither spinning nor for ever */
    engine_resume(r->engine);
    assert_int_equal(engine_timeout_ms(r->engine), 0);
    rig_settle(r);
    assert_int_equal(p->outcome, STK_NO_ANSWER);
}

/* Prompts on both phones, on disk. */
static void rig_prompts(struct rig *r)
{
    struct operator_reply reply;
    for (uint8_t i = 0; i < WORK_PER_TURN; i++) {
        (void)rig_push(r, 254712000001 + i, i, &reply);
        rig_settle(r);
    }
}

/* What a snapshot waits for: that deadlines which came together are worked off. */
static void more_that_is_due_than_a_turn_decides_leaves_it_behind(void **state)
{
    struct rig *r = *state;
    rig_prompts(r);
    assert_false(engine_behind(r->engine));
    book_clock_move(&r->clock, CLOCK_VIRTUAL_START_NS + 61 * NS_PER_S);
    engine_turn(r->engine);
    assert_true(engine_behind(r->engine));
    rig_settle(r);
    assert_false(engine_behind(r->engine));
}

/* A decision that leaves nothing to do: the phone is off, or on again. */
static void rig_switch(struct rig *r, bool on)
{
    struct operator_reply reply;
    struct subscriber_change_command c = {
        .msisdn = 254712000001, .fields = CHANGE_REACHABLE, .reachable = on};
    assert_int_equal(
        engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_SUBSCRIBER_CHANGE, &c, &reply)
            .status,
        ENGINE_APPLIED);
}

static int64_t rig_slow(void *context)
{
    return ((struct rig *)context)->monotonic_ns += 10 * NS_PER_MS;
}

/* After a fork each page that a deadline touches is copied: 4,096 of them once took 200 ms. */
static void deadlines_take_no_more_of_a_turn_than_its_time(void **state)
{
    struct rig *r = *state;
    rig_prompts(r);
    const struct stk_payment *first = operator_payment(operator_of(r->book), 1);
    const struct stk_payment *second = operator_payment(operator_of(r->book), 2);
    r->clock.monotonic_ns = rig_slow;
    book_clock_move(&r->clock, CLOCK_VIRTUAL_START_NS + 61 * NS_PER_S);
    engine_turn(r->engine);
    assert_int_equal(first->outcome, STK_NO_ANSWER); /* never nothing */
    assert_int_equal(second->outcome, STK_OPEN);
    assert_true(engine_behind(r->engine));
    assert_int_equal(engine_timeout_ms(r->engine), 0);
    rig_settle(r);
    assert_int_equal(second->outcome, STK_NO_ANSWER);
}

/* Else whoever looks at something during a storm waits for all of it to reach the disk (0.5 s for
 * 130,000 prompts). */
static void deadlines_are_decided_as_fast_as_the_disk_takes_them(void **state)
{
    struct rig *r = *state;
    rig_prompts(r);
    const struct stk_payment *first = operator_payment(operator_of(r->book), 1);
    const struct stk_payment *second = operator_payment(operator_of(r->book), 2);
    rig_switch(r, false);
    engine_turn(r->engine); /* a batch is being written, and another has begun */
    assert_true(r->writing);
    rig_switch(r, true);
    book_clock_move(&r->clock, CLOCK_VIRTUAL_START_NS + 61 * NS_PER_S);
    engine_turn(r->engine);
    assert_int_equal(first->outcome, STK_OPEN);
    assert_true(engine_behind(r->engine));
    assert_in_range(engine_timeout_ms(r->engine), 1, 1000); /* the writer's word comes first */
    rig_synced(r);                                          /* the other one is handed over */
    assert_true(r->writing);
    assert_int_equal(engine_timeout_ms(r->engine), 0);
    engine_turn(r->engine);
    assert_int_equal(first->outcome, STK_NO_ANSWER);
    assert_int_equal(second->outcome, STK_OPEN);
    rig_settle(r);
    assert_int_equal(second->outcome, STK_NO_ANSWER);
}

/* As the keeper's are: without another turn they waited for whatever came next. */
static void a_decision_after_the_turn_asks_for_another(void **state)
{
    struct rig *r = *state;
    rig_settle(r);
    assert_int_equal(engine_timeout_ms(r->engine), -1); /* a virtual clock stands still */
    rig_switch(r, false);
    assert_int_equal(engine_timeout_ms(r->engine), 0);
    engine_turn(r->engine);
    assert_true(r->writing);
    rig_switch(r, true);
    assert_int_equal(engine_timeout_ms(r->engine), -1); /* it goes when the disk has the first */
    rig_synced(r);
    assert_true(r->writing);
    rig_settle(r);
    assert_int_equal(engine_durable(r->engine), engine_applied(r->engine));
}

static enum engine_advance_end rig_advance(struct rig *r, uint32_t in_flight, int64_t *advanced)
{
    enum engine_advance_end end = ADVANCE_RUNNING;
    for (int i = 0; i < 100 && end == ADVANCE_RUNNING; i++) {
        engine_turn(r->engine);
        if (r->writing) {
            rig_synced(r);
        }
        const struct outbox_item *item;
        while ((item = engine_take_outgoing(r->engine)) != NULL) {
            struct delivery_result_command c = {.number = item->number,
                                                .generation = r->book->generation,
                                                .status = 200,
                                                .retry_after_ms = -1};
            enum book_outcome outcome;
            (void)engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_DELIVERY_RESULT, &c,
                                 &outcome);
        }
        end = engine_advance_step(r->engine, in_flight, advanced);
    }
    return end;
}

static void the_clock_moves_timer_by_timer(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    int64_t advanced;
    (void)rig_push(r, 254712000001, 1, &reply);
    assert_true(engine_advance(r->engine, 59 * NS_PER_S, false));
    assert_false(engine_advance(r->engine, 1, false)); /* one at a time */
    assert_int_equal(rig_advance(r, 0, &advanced), ADVANCE_REACHED);
    assert_int_equal(operator_payment(operator_of(r->book), 1)->state, STK_PROCESSING);
    assert_true(engine_advance(r->engine, 10 * NS_PER_S, false));
    assert_int_equal(rig_advance(r, 0, &advanced), ADVANCE_REACHED);
    assert_int_equal(advanced, 10 * NS_PER_S);
    const struct stk_payment *p = operator_payment(operator_of(r->book), 1);
    assert_int_equal(p->outcome, STK_NO_ANSWER);
    assert_int_equal(p->step_ns[STEP_ENDED], CLOCK_VIRTUAL_START_NS + 60 * NS_PER_S);
}

static void the_clock_runs_until_nothing_is_left(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    int64_t advanced;
    (void)rig_push(r, 254712000001, 1, &reply);
    assert_true(engine_advance(r->engine, INT64_MAX, true));
    assert_int_equal(rig_advance(r, 0, &advanced), ADVANCE_IDLE);
    assert_int_equal(advanced, 60 * NS_PER_S);
    (void)rig_push(r, 254712000001, 2, &reply);
    assert_true(engine_advance(r->engine, 5 * NS_PER_S, true));
    assert_int_equal(rig_advance(r, 0, &advanced), ADVANCE_LIMIT);
}

/* A clock moved past what the calendar can print stopped the process once. */
static void the_clock_stops_at_the_end_of_the_calendar(void **state)
{
    struct rig *r = *state;
    int64_t advanced;
    assert_true(engine_advance(r->engine, INT64_MAX, false));
    assert_int_equal(rig_advance(r, 0, &advanced), ADVANCE_REACHED);
    assert_int_equal(engine_now(r->engine), CLOCK_END_NS);
    char receipt[ID_RECEIPT_SIZE];
    uint32_t day = eat_day_number(CLOCK_END_NS);
    uint32_t read_day = 0;
    uint64_t serial = 0;
    id_receipt_format(day, 7, receipt); /* the last day whose receipts can be read */
    assert_true(id_receipt_parse(span_from(receipt), &read_day, &serial) && read_day == day);
    id_receipt_format(eat_day_number(CLOCK_END_NS + NS_PER_S), 7, receipt);
    assert_true(id_receipt_parse(span_from(receipt), &read_day, &serial) && read_day < day);
    assert_true(engine_advance(r->engine, 10 * NS_PER_S, false));
    assert_int_equal(rig_advance(r, 0, &advanced), ADVANCE_REACHED);
    assert_int_equal(advanced, 0);
}

/* Where the clock arrived is a frame: while there can be none, it does not go (a caller that was
 * told "later" and asked again moved it twice once). */
static void time_stands_still_while_nothing_can_be_kept(void **state)
{
    struct rig *r = *state;
    int64_t advanced;
    int64_t before = engine_now(r->engine);
    r->room = ENGINE_ROOM_FULL;
    assert_true(engine_advance(r->engine, 60 * NS_PER_S, false));
    assert_int_equal(engine_advance_step(r->engine, 0, &advanced), ADVANCE_RUNNING);
    assert_int_equal(engine_now(r->engine), before);
    assert_in_range(engine_timeout_ms(r->engine), 10, 1000); /* no spinning meanwhile */
    r->room = ENGINE_ROOM_NOW;
    engine_hold(r->engine);
    assert_int_equal(engine_advance_step(r->engine, 0, &advanced), ADVANCE_RUNNING);
    assert_int_equal(engine_now(r->engine), before);
    engine_resume(r->engine);
    assert_int_equal(rig_advance(r, 0, &advanced), ADVANCE_REACHED);
    assert_int_equal(advanced, 60 * NS_PER_S);
}

/* What is due comes with engine_begin, and then nothing until all that follows is decided. */
static void what_was_looked_at_is_what_is_decided_on(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    rig_settle(r);
    book_clock_move(&r->clock, CLOCK_VIRTUAL_START_NS + 60 * NS_PER_S);
    const struct stk_payment *p = operator_payment(operator_of(r->book), 1);
    assert_int_equal(engine_begin(r->engine, ENGINE_CONTINUATION), ENGINE_APPLIED);
    assert_int_equal(p->outcome, STK_NO_ANSWER);
    struct clock_command c = {.mode = CLOCK_VIRTUAL};
    assert_int_equal(engine_execute_next(r->engine, COMMAND_CLOCK, &c, NULL).status,
                     ENGINE_APPLIED);
    assert_int_equal(r->book->time_ns, CLOCK_VIRTUAL_START_NS + 60 * NS_PER_S);
    r->room = ENGINE_ROOM_FULL;
    assert_int_equal(engine_begin(r->engine, ENGINE_CONTINUATION), ENGINE_DISK_FULL);
    r->room = ENGINE_ROOM_NOW;
    rig_settle(r);
}

static void time_stands_still_while_http_is_in_flight(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    int64_t advanced;
    (void)rig_push(r, 254712000001, 1, &reply);
    int64_t before = engine_now(r->engine);
    assert_true(engine_advance(r->engine, 60 * NS_PER_S, false));
    assert_int_equal(rig_advance(r, 1, &advanced), ADVANCE_RUNNING);
    assert_int_equal(engine_now(r->engine), before);
    assert_int_equal(rig_advance(r, 0, &advanced), ADVANCE_REACHED);
}

static void an_answer_at_the_deadline_is_too_late(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    (void)rig_push(r, 254712000001, 1, &reply);
    rig_settle(r);
    book_clock_move(&r->clock, CLOCK_VIRTUAL_START_NS + 60 * NS_PER_S);
    struct stk_answer_command approve = {.number = 1};
    memset(approve.verifier, 7, sizeof(approve.verifier));
    (void)engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_STK_APPROVE, &approve, &reply);
    assert_int_equal(reply.refusal, OPERATOR_ALREADY_ENDED);
    assert_int_equal(operator_payment(operator_of(r->book), 1)->outcome, STK_NO_ANSWER);
    rig_settle(r);
}

/* A real clock: it goes on while one looks at it. */
static int64_t rig_ticking(void *context)
{
    return ((struct rig *)context)->monotonic_ns++;
}

static void a_command_is_not_behind_the_deadlines_that_go_before_it(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    r->clock.monotonic_ns = rig_ticking;
    book_clock_set_virtual(&r->clock, false);
    (void)rig_push(r, 254712000001, 1, &reply);
    rig_settle(r);
    r->monotonic_ns += 60 * NS_PER_S; /* its deadline has passed, and no turn has noticed */
    (void)rig_push(r, 254712000002, 2, &reply);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    assert_int_equal(operator_payment(operator_of(r->book), 1)->outcome, STK_NO_ANSWER);
    rig_settle(r);
}

static void durable_frames_can_be_read_again(void **state)
{
    struct rig *r = *state;
    struct operator_reply reply;
    const uint8_t *data;
    size_t size;
    uint64_t from = engine_applied(r->engine) + 1;
    (void)rig_push(r, 254712000001, 1, &reply);
    assert_true(engine_recent(r->engine, from, &data, &size));
    assert_int_equal(size, 0); /* not durable yet */
    rig_settle(r);
    assert_true(engine_recent(r->engine, from, &data, &size));
    struct reader reader = reader_init(data, size);
    struct frame_reader frame;
    uint32_t frames = 0;
    while (frame_next(&reader, &frame)) {
        assert_int_equal(frame.info.position, from + frames);
        frames++;
    }
    assert_int_equal(frames, engine_durable(r->engine) - from + 1);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)
    const struct CMUnitTest tests[] = {
        STORY(nothing_is_shown_before_the_disk_has_it),
        STORY(a_refusal_waits_for_what_it_rests_on),
        STORY(one_batch_at_a_time_and_the_next_collects),
        STORY(a_stalled_disk_refuses_new_work_but_takes_answers),
        STORY(long_turns_take_less_new_work_so_that_answers_come_through),
        STORY(a_full_disk_refuses_and_recovers),
        STORY(a_segment_that_is_late_is_no_full_disk),
        STORY(deadlines_wait_for_a_full_disk),
        STORY(a_batch_waits_for_space_with_a_beat),
        STORY(a_failed_sync_ends_everything),
        STORY(outgoing_items_wait_for_the_disk),
        STORY(old_ids_are_looked_for_before_a_decision_that_names_them),
        STORY(a_pause_holds_commands_until_resumed),
        STORY(what_is_due_waits_for_the_end_of_a_pause),
        STORY(more_that_is_due_than_a_turn_decides_leaves_it_behind),
        cmocka_unit_test_setup_teardown(deadlines_are_decided_as_fast_as_the_disk_takes_them,
                                        rig_open_narrow, rig_close),
        STORY(deadlines_take_no_more_of_a_turn_than_its_time),
        STORY(a_decision_after_the_turn_asks_for_another),
        STORY(the_clock_moves_timer_by_timer),
        STORY(the_clock_runs_until_nothing_is_left),
        STORY(the_clock_stops_at_the_end_of_the_calendar),
        STORY(time_stands_still_while_nothing_can_be_kept),
        STORY(what_was_looked_at_is_what_is_decided_on),
        STORY(time_stands_still_while_http_is_in_flight),
        STORY(an_answer_at_the_deadline_is_too_late),
        STORY(a_command_is_not_behind_the_deadlines_that_go_before_it),
        STORY(durable_frames_can_be_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
