/*
 * test_closing.c - what is closed leaves memory by an event, is read as the guest, and comes home:
 * who may leave, that sums and invariants hold without it, that replay and snapshot agree, and that
 * idempotency keys whose places in the table touch are found again when one of them leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/world.h"

static uint8_t record[CLOSING_RECORD_MAX];
static size_t record_size;

static const struct domain_closing *closing_of(const struct world *w)
{
    return book_closing(w->book, OLD_SPACE_PAYMENT);
}

/* A payment with an end and a callback that was delivered at once. */
static uint64_t closed_payment(struct world *w, uint64_t msisdn, int64_t amount_minor)
{
    uint64_t number = world_push(w, msisdn, amount_minor);
    (void)world_run(w);
    assert_int_equal(world_approve(w, number, WORLD_PIN), OPERATOR_DONE);
    (void)world_run(w);
    uint64_t message = world_take(w);
    assert_int_not_equal(message, 0);
    assert_int_equal(world_report(w, message, 200, 0), BOOK_DONE);
    return number;
}

static void keep_record(const struct world *w, uint64_t number)
{
    struct writer out = writer_init(record, sizeof(record));
    struct old_names names = {.count = 0};
    closing_of(w)->record(w->book->domain_state, number, &out, &names);
    assert_false(out.overflow);
    assert_true(names.count >= 2);
    record_size = out.size;
}

static enum book_outcome leave(struct world *w, uint64_t number, uint64_t as_of)
{
    enum book_outcome outcome = BOOK_DONE;
    struct closed_leave_command c = {
        .as_of = as_of, .numbers = &number, .count = 1, .space = OLD_SPACE_PAYMENT};
    (void)world_do(w, COMMAND_CLOSED_LEAVE, &c, &outcome);
    return outcome;
}

static void be_guest(struct world *w, uint64_t number)
{
    struct old_name name = operator_payment_name(number);
    assert_true(book_host(w->book, &name, (struct span){(const char *)record, record_size}));
}

static void test_who_may_leave(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t open = world_push(&w, WORLD_ANNA, 1000);
    (void)world_run(&w);
    assert_int_equal(leave(&w, open, w.book->position), BOOK_NOTHING); /* it has not ended */
    assert_int_equal(world_cancel(&w, open), OPERATOR_DONE);
    world_pass(&w, 120 * WORLD_S);
    assert_int_equal(leave(&w, open, w.book->position), BOOK_NOTHING); /* its callback waits */
    assert_int_equal(world_report(&w, world_take(&w), 200, 0), BOOK_DONE);
    uint64_t settled = w.book->position;
    assert_int_equal(leave(&w, open, settled - 1), BOOK_NOTHING); /* a record of before that */
    assert_int_equal(leave(&w, open, settled), BOOK_DONE);
    assert_int_equal(leave(&w, open, w.book->position), BOOK_NOTHING); /* it has left */
    assert_int_equal(leave(&w, 77, w.book->position), BOOK_NOTHING);
    uint64_t young = closed_payment(&w, WORLD_ANNA, 1000);
    assert_int_equal(leave(&w, young, w.book->position), BOOK_NOTHING); /* R1.4 looks back 60 s */
    world_pass(&w, 60 * WORLD_S);
    assert_int_equal(leave(&w, young, w.book->position), BOOK_DONE);
    world_end(&w);
}

static void test_guest_and_home(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = closed_payment(&w, WORLD_ANNA, 4200);
    world_pass(&w, 120 * WORLD_S);
    struct stk_payment before = *world_payment(&w, number);
    char receipt[ID_RECEIPT_SIZE];
    payment_receipt(&before, receipt);
    struct digest_value digest = book_contents_digest(w.book);
    keep_record(&w, number);
    assert_int_equal(leave(&w, number, w.book->position), BOOK_DONE);
    const struct operator_state *o = world_operator(&w);
    assert_null(operator_payment(o, number));
    assert_null(operator_payment_by_receipt(o, span_from(receipt)));
    assert_null(outbox_item(&w.book->outbox, before.delivery));
    book_check(w.book); /* the sums hold by the base */
    assert_int_equal(w.book->ledger.left_minor, 4200);
    world_prove(&w);

    struct digest_value without = book_digest(w.book);
    be_guest(&w, number);
    const struct stk_payment *guest = operator_payment(o, number);
    assert_non_null(guest);
    assert_ptr_equal(operator_payment_by_receipt(o, span_from(receipt)), guest);
    assert_int_equal(guest->amount_minor, 4200);
    const struct outbox_item *item = outbox_item(&w.book->outbox, before.delivery);
    assert_int_equal(outbox_attempt(&w.book->outbox, item->first_attempt)->status, 200);
    struct digest_value with = book_digest(w.book);
    assert_memory_equal(&without, &with, sizeof(with)); /* a guest is no part of the state */
    book_check(w.book);

    enum book_outcome outcome = BOOK_NOTHING;
    struct delivery_revive_command revive = {before.delivery};
    assert_int_not_equal(world_do(&w, COMMAND_DELIVERY_REVIVE, &revive, &outcome), 0);
    assert_int_equal(outcome, BOOK_DONE);
    assert_ptr_not_equal(operator_payment(o, number), guest);
    assert_int_equal(w.book->ledger.left_minor, 0);
    world_prove(&w);
    assert_int_equal(world_report(&w, world_take(&w), 200, 0), BOOK_DONE);
    assert_int_equal(outbox_item(&w.book->outbox, before.delivery)->attempts, 2);
    struct digest_value home = book_contents_digest(w.book);
    assert_memory_not_equal(&digest, &home, sizeof(home));
    world_prove(&w);
    world_end(&w);
}

static void test_damaged_records(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = closed_payment(&w, WORLD_ANNA, 4200);
    world_pass(&w, 120 * WORLD_S);
    keep_record(&w, number);
    assert_int_equal(leave(&w, number, w.book->position), BOOK_DONE);
    struct old_name name = operator_payment_name(number);
    for (size_t size = 0; size < record_size; size++) {
        assert_false(book_host(w.book, &name, (struct span){(const char *)record, size}));
        assert_null(operator_payment(world_operator(&w), number));
    }
    name = operator_payment_name(number + 1); /* somebody else's */
    assert_false(book_host(w.book, &name, (struct span){(const char *)record, record_size}));
    record[0]++; /* another version */
    name = operator_payment_name(number);
    assert_false(book_host(w.book, &name, (struct span){(const char *)record, record_size}));
    book_check(w.book);
    world_end(&w);
}

static void fund(struct world *w, const uint8_t key[16], enum operator_refusal expected)
{
    struct operator_reply reply;
    struct fund_command c = {.short_code = WORLD_PAYBILL,
                             .account = ACCOUNT_UTILITY,
                             .amount_minor = 100,
                             .has_key = true};
    memcpy(c.key, key, 16);
    (void)world_do(w, COMMAND_ORGANISATION_FUND, &c, &reply);
    assert_int_equal(reply.refusal, expected);
}

/* Five keys that want the same place or the next one; each leaves in turn, first to last. */
static void test_keys_leave(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint8_t keys[5][16];
    memset(keys, 9, sizeof(keys));
    for (uint8_t i = 0; i < 5; i++) {
        keys[i][0] = i == 3 ? 10 : 9; /* the fourth's own place is the second's */
        keys[i][15] = i;
        fund(&w, keys[i], OPERATOR_DONE);
    }
    for (uint32_t gone = 0; gone < 5; gone++) {
        enum book_outcome outcome = BOOK_NOTHING;
        struct keys_leave_command c = {
            .as_of = w.book->position, .keys = (const uint8_t(*)[16]) & keys[gone], .count = 1};
        assert_int_not_equal(world_do(&w, COMMAND_KEYS_LEAVE, &c, &outcome), 0);
        assert_null(book_key(w.book, keys[gone]));
        for (uint32_t i = gone + 1; i < 5; i++) {
            fund(&w, keys[i], OPERATOR_REPEATED);
        }
        world_prove(&w);
    }
    struct writer out = writer_init(record, sizeof(record));
    struct idempotency_entry e = {.subject = 7, .position = 3, .kept_ns = 5};
    memcpy(e.key, keys[2], sizeof(e.key));
    book_key_record(&e, &out);
    struct old_name name = {.space = OLD_SPACE_KEY, .size = 16};
    memcpy(name.bytes, keys[2], 16);
    assert_true(book_host(w.book, &name, (struct span){(const char *)record, out.size}));
    fund(&w, keys[2], OPERATOR_REPEATED); /* as the guest it is known */
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_leave),
        cmocka_unit_test(test_guest_and_home),
        cmocka_unit_test(test_damaged_records),
        cmocka_unit_test(test_keys_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
