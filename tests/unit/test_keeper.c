/*
 * test_keeper.c - the keeper with a real engine and a real index whose answers come when the test
 * says so: what may happen between a batch's first record and the last of its frames, and how the
 * batches are filled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "engine/engine.h"
#include "operator/operator.h"
#include "support/folder.h"

enum {
    PAYBILL = 174379,
    MANY_KEYS = 3000,   /* more than two batches of them */
    YOUNG_KEYS = 20000, /* more than one look comes by */
    SOME = 60,
    PAYMENTS_OF_TWO_TURNS = 300, /* more than the keeper makes records of in one */
};
#define ANNA     ((uint64_t)254712000001)
#define WINDOW_S 120 /* what is closed may leave */

static const uint8_t IDENTITY[16] = {7};

struct rig {
    struct operator_settings settings;
    struct book *book;
    struct book_clock clock;
    struct engine *engine;
    struct keeper *keeper;
    struct old_index *index;
    char folder[FOLDER_PATH_MAX];
    int64_t monotonic_ns;
    struct journal_batch batch;
    bool writing;
    struct journal_head head;
    struct keeper_settings keeping;
    const struct index_batch *put; /* what the index has and did not answer */
};

static int64_t rig_monotonic(void *context)
{
    return ((struct rig *)context)->monotonic_ns;
}

static void rig_start(void *context, const struct journal_batch *batch,
                      const uint8_t previous[JOURNAL_HASH_BYTES])
{
    struct rig *r = context;
    (void)previous;
    r->batch = *batch;
    r->writing = true;
}

static enum engine_room rig_room(void *context, uint64_t bytes)
{
    (void)context;
    (void)bytes;
    return ENGINE_ROOM_NOW;
}

static enum index_answer rig_find(void *context, uint64_t generation, const struct old_name *name,
                                  struct old_name *primary, struct span *record)
{
    return index_find(((struct rig *)context)->index, generation, name, primary, record);
}

static void rig_put(void *context, const struct index_batch *batch)
{
    struct rig *r = context;
    assert_null(r->put);
    r->put = batch;
}

static void rig_settle(struct rig *r)
{
    do {
        engine_turn(r->engine);
        if (r->writing) {
            r->writing = false;
            r->head.batch++;
            r->head.position = r->batch.first_position + r->batch.frame_count - 1;
            engine_written(r->engine, JOURNAL_OK, &r->head);
        }
    } while (!engine_idle(r->engine));
}

static void rig_do(struct rig *r, uint16_t kind, const void *body, void *reply)
{
    struct engine_result result = engine_execute(r->engine, ENGINE_CONTINUATION, kind, body, reply);
    assert_int_equal(result.status, ENGINE_APPLIED);
}

static void rig_pass(struct rig *r, int64_t seconds)
{
    book_clock_move(&r->clock, engine_now(r->engine) + seconds * NS_PER_S);
    rig_settle(r);
}

static void rig_seed(struct rig *r)
{
    struct seed_command seed;
    struct operator_reply reply;
    memset(&seed, 0, sizeof(seed));
    seed.organisation_count = 1;
    seed.organisations[0].short_code = PAYBILL;
    seed.organisations[0].type = ORGANISATION_PAYBILL;
    seed.organisations[0].charges = CHARGES_CUSTOMER;
    seed.subscriber_count = 1;
    seed.subscribers[0].msisdn = ANNA;
    seed.subscribers[0].balance_minor = 10000000;
    memset(seed.subscribers[0].verifier, 7, PIN_VERIFIER_BYTES);
    rig_do(r, COMMAND_SEED, &seed, &reply);
    rig_settle(r);
}

static void rig_index(struct rig *r)
{
    char path[FOLDER_PATH_MAX + 16];
    char message[INDEX_MESSAGE_MAX] = "";
    folder_make(r->folder);
    (void)snprintf(path, sizeof(path), "%s/index.mdb", r->folder);
    r->index = index_create(path, IDENTITY, message); /* one that waits for no disk */
    assert_non_null(r->index);
}

/* A new one with the settings as they are. */
static void rig_keeper(struct rig *r)
{
    struct keeper_port port = {r, rig_put};
    keeper_destroy(r->keeper);
    r->keeper = keeper_create(r->engine, &port, &r->keeping);
    assert_non_null(r->keeper);
}

static int rig_open(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->settings = operator_settings_default(true);
    struct book_options options = {.domain = &operator_domain, .settings = &r->settings};
    r->book = book_create(&options);
    r->monotonic_ns = 1;
    book_clock_init_virtual(&r->clock, CLOCK_VIRTUAL_START_NS, rig_monotonic, r);
    rig_index(r);
    struct engine_options engine = {
        .book = r->book,
        .clock = &r->clock,
        .writer = {r, rig_start, rig_room},
        .archive = {r, rig_find},
        .limits = engine_limits_default(),
        .random_seed = 1,
    };
    r->engine = engine_create(&engine);
    r->keeping = keeper_settings_default();
    r->keeping.closed_ns = WINDOW_S * NS_PER_S;
    r->keeping.keys_ns = WINDOW_S * NS_PER_S;
    rig_keeper(r);
    rig_seed(r);
    *state = r;
    return 0;
}

static int rig_close(void **state)
{
    struct rig *r = *state;
    book_check(r->book);
    keeper_destroy(r->keeper);
    engine_destroy(r->engine);
    book_destroy(r->book);
    index_close(r->index);
    folder_remove(r->folder);
    free(r);
    return 0;
}

/* Turns of the loop until the keeper waits: for the index, for a clock, or for nothing. */
static void rig_turns(struct rig *r)
{
    while (keeper_turn(r->keeper) || keeper_timeout_ms(r->keeper) == 1) {
        rig_settle(r);
    }
    rig_settle(r);
}

static void rig_index_answers(struct rig *r)
{
    char message[INDEX_MESSAGE_MAX] = "";
    assert_non_null(r->put);
    assert_true(index_put(r->index, r->put, message));
    r->put = NULL;
    keeper_written(r->keeper, true);
}

/* All that may leave does. */
static void rig_all_leaves(struct rig *r)
{
    rig_pass(r, WINDOW_S);
    for (int i = 0; i < 10; i++) {
        r->monotonic_ns += 120 * NS_PER_S;
        rig_turns(r);
        if (r->put != NULL) {
            rig_index_answers(r);
        }
    }
    rig_turns(r);
}

/* ---- what happens in the book ---- */

static uint64_t closed_payment(struct rig *r, uint32_t tag)
{
    struct operator_reply reply;
    struct stk_push_command push;
    memset(&push, 0, sizeof(push));
    push.short_code = PAYBILL;
    push.party_b = PAYBILL;
    push.type = 1;
    push.amount_minor = 100;
    push.msisdn = ANNA;
    push.url = SPAN_LITERAL("http://127.0.0.1/");
    push.target = 1;
    memcpy(push.fingerprint, &tag, sizeof(tag));
    rig_do(r, COMMAND_STK_PUSH, &push, &reply);
    uint64_t number = reply.number;
    rig_settle(r);
    rig_pass(r, 2);
    struct stk_answer_command approve = {.number = number};
    memset(approve.verifier, 7, sizeof(approve.verifier));
    rig_do(r, COMMAND_STK_APPROVE, &approve, &reply);
    rig_settle(r);
    const struct outbox_item *item = engine_take_outgoing(r->engine);
    assert_non_null(item);
    struct delivery_result_command result = {.number = item->number,
                                             .generation = r->book->generation,
                                             .status = 200,
                                             .retry_after_ms = -1};
    enum book_outcome outcome;
    rig_do(r, COMMAND_DELIVERY_RESULT, &result, &outcome);
    rig_settle(r);
    return number;
}

static enum operator_refusal fund(struct rig *r, uint32_t key)
{
    struct operator_reply reply;
    struct fund_command c = {.short_code = PAYBILL,
                             .account = ACCOUNT_UTILITY,
                             .amount_minor = 100,
                             .has_key = true,
                             .key = {1}};
    memcpy(c.key + 4, &key, sizeof(key));
    (void)engine_execute(r->engine, ENGINE_CONTINUATION, COMMAND_ORGANISATION_FUND, &c, &reply);
    return reply.refusal;
}

static void world(struct rig *r, uint16_t kind)
{
    struct world_command c = {.name = SPAN_LITERAL("a"), .from = SPAN_EMPTY};
    enum book_outcome outcome = BOOK_NOTHING;
    rig_do(r, kind, &c, &outcome);
    assert_int_equal(outcome, BOOK_DONE);
    rig_settle(r);
}

/* Back to a world that was saved, used and removed within one round of the keeper. */
static void restore(struct rig *r)
{
    uint64_t generation = r->book->generation;
    world(r, COMMAND_WORLD_SAVE);
    world(r, COMMAND_WORLD_RESTORE);
    world(r, COMMAND_WORLD_REMOVE);
    assert_int_equal(r->book->generation, generation + 1);
}

static bool is_found(struct rig *r, uint64_t number)
{
    struct old_name name = operator_payment_name(number);
    return engine_reach(r->engine, &name) == ENGINE_REACHED &&
           operator_payment(operator_of(r->book), number) != NULL;
}

/* ---- worlds ---- */

/* What was restored has the positions of before, and they are not beyond the batch's. */
static void a_world_restored_while_the_index_writes(void **state)
{
    struct rig *r = *state;
    assert_int_equal(fund(r, 1), OPERATOR_DONE);
    uint64_t number = closed_payment(r, 1);
    rig_pass(r, WINDOW_S);
    rig_turns(r);
    assert_int_equal(r->put->count, 2); /* a payment and a key */
    restore(r);
    rig_index_answers(r);
    rig_turns(r);
    assert_int_equal(keeper_counters(r->keeper).frames, 0);
    assert_true(is_found(r, number));
    assert_int_equal(fund(r, 1), OPERATOR_REPEATED);
    rig_all_leaves(r);
    assert_int_equal(index_state_of(r->index).generation, r->book->generation);
    assert_null(book_key(r->book, (const uint8_t[16]){1, 0, 0, 0, 1}));
    assert_true(is_found(r, number));
    assert_int_equal(fund(r, 1), OPERATOR_REPEATED);
}

/* The same, with half of the records made. */
static void a_world_restored_while_records_are_made(void **state)
{
    struct rig *r = *state;
    for (uint32_t i = 1; i <= PAYMENTS_OF_TWO_TURNS; i++) {
        (void)closed_payment(r, i);
    }
    assert_int_equal(fund(r, 1), OPERATOR_DONE);
    rig_pass(r, WINDOW_S);
    assert_true(keeper_turn(r->keeper));
    assert_null(r->put);
    restore(r);
    rig_turns(r);
    assert_int_equal(r->put->generation, r->book->generation);
    assert_int_equal(r->put->count, PAYMENTS_OF_TWO_TURNS + 1);
    rig_index_answers(r);
    rig_all_leaves(r);
    assert_true(keeper_counters(r->keeper).frames > 0);
    for (uint32_t i = 1; i <= PAYMENTS_OF_TWO_TURNS; i++) {
        assert_true(is_found(r, i));
    }
    assert_int_equal(fund(r, 1), OPERATOR_REPEATED);
}

/* ... and when some of the frames are decided: then no world can be saved (worlds.h), but all can
 * begin anew. */
static void a_reset_while_frames_are_decided(void **state)
{
    struct rig *r = *state;
    assert_int_equal(fund(r, 1), OPERATOR_DONE);
    uint64_t number = closed_payment(r, 1);
    rig_pass(r, WINDOW_S);
    rig_turns(r);
    rig_index_answers(r);
    assert_true(keeper_turn(r->keeper));
    assert_int_equal(keeper_counters(r->keeper).frames, 1);
    rig_seed(r);
    assert_int_equal(fund(r, 1), OPERATOR_DONE); /* of the new generation: not asked before */
    rig_turns(r);
    assert_int_equal(keeper_counters(r->keeper).frames, 1);
    assert_int_equal(fund(r, 1), OPERATOR_REPEATED);
    assert_false(is_found(r, number));
}

/* ---- how fast, and who first ---- */

/* No time passes: a batch full of keys alone was followed by the next one a second later. */
static void keys_leave_batch_after_batch(void **state)
{
    struct rig *r = *state;
    for (uint32_t i = 0; i < MANY_KEYS; i++) {
        assert_int_equal(fund(r, i), OPERATOR_DONE);
    }
    rig_pass(r, WINDOW_S);
    for (rig_turns(r); r->put != NULL; rig_turns(r)) {
        rig_index_answers(r);
    }
    assert_int_equal(r->book->keys.used, 0);
    struct keeper_counters counters = keeper_counters(r->keeper);
    assert_int_equal(counters.records, MANY_KEYS);
    assert_int_equal(counters.batches, 3);
    assert_int_equal(counters.frames, 4 + 4 + 4);
    for (uint32_t i = 0; i < MANY_KEYS; i++) {
        assert_int_equal(fund(r, i), OPERATOR_REPEATED);
    }
}

/* However small the batches: neither waits until the other is through. */
static void keys_and_payments_share_a_batch(void **state)
{
    struct rig *r = *state;
    const struct domain_closing *closing = book_closing(r->book, OLD_SPACE_PAYMENT);
    r->keeping.batch_bytes = KEEPER_BATCH_BYTES_MIN;
    rig_keeper(r);
    for (uint32_t i = 0; i < SOME; i++) {
        (void)closed_payment(r, i);
        assert_int_equal(fund(r, i), OPERATOR_DONE);
    }
    rig_pass(r, WINDOW_S);
    uint32_t payments = closing->count(r->book->domain_state);
    uint32_t keys = r->book->keys.used;
    assert_int_equal(payments, SOME);
    assert_int_equal(keys, SOME);
    for (rig_turns(r); r->put != NULL; rig_turns(r)) {
        rig_index_answers(r);
        while (keeper_timeout_ms(r->keeper) == 1) {
            (void)keeper_turn(r->keeper);
        }
        uint32_t payments_now = closing->count(r->book->domain_state);
        uint32_t keys_now = r->book->keys.used;
        assert_true(payments_now < payments || payments == 0);
        assert_true(keys_now < keys || keys == 0);
        payments = payments_now;
        keys = keys_now;
    }
    assert_int_equal(payments, 0);
    assert_int_equal(keys, 0);
}

/* A look comes by some of the keys; those beyond wait for the next one, not for the next minute. */
static void a_key_behind_many_young_ones_is_found_soon(void **state)
{
    struct rig *r = *state;
    for (uint32_t i = 0; i < SOME; i++) {
        assert_int_equal(fund(r, i), OPERATOR_DONE);
    }
    rig_pass(r, WINDOW_S - 1);
    for (uint32_t i = SOME; i < SOME + YOUNG_KEYS; i++) {
        assert_int_equal(fund(r, i), OPERATOR_DONE);
        rig_settle(r);
    }
    rig_turns(r);
    assert_null(r->put); /* and the place of the look is behind the old ones */
    rig_pass(r, 1);
    for (uint32_t pauses = 0; r->put == NULL; pauses++) {
        assert_true(pauses < 3);
        assert_true(keeper_timeout_ms(r->keeper) <= 1001);
        r->monotonic_ns += r->keeping.pause_ns;
        rig_turns(r);
    }
    assert_int_equal(r->put->count, SOME);
    rig_index_answers(r);
    rig_turns(r);
    assert_int_equal(r->book->keys.used, YOUNG_KEYS);
    for (uint32_t pauses = 0; keeper_timeout_ms(r->keeper) >= 0; pauses++) { /* then it rests */
        assert_true(pauses < 3);
        r->monotonic_ns += r->keeping.pause_ns;
        rig_turns(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_world_restored_while_the_index_writes, rig_open,
                                        rig_close),
        cmocka_unit_test_setup_teardown(a_world_restored_while_records_are_made, rig_open,
                                        rig_close),
        cmocka_unit_test_setup_teardown(a_reset_while_frames_are_decided, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(keys_leave_batch_after_batch, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(keys_and_payments_share_a_batch, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(a_key_behind_many_young_ones_is_found_soon, rig_open,
                                        rig_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
