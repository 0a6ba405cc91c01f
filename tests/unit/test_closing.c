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
    struct closed_leave_command c = {.generation = w->book->generation,
                                     .as_of = as_of,
                                     .numbers = &number,
                                     .count = 1,
                                     .space = OLD_SPACE_PAYMENT};
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
    struct transfer moved;
    assert_true(payment_transfer(world_operator(&w), &before, &moved));
    assert_int_equal(moved.amount_minor, 4200);
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
    struct transfer left;
    assert_true(payment_transfer(o, guest, &left)); /* R6.4: the ledger still tells of it */
    assert_memory_equal(&left, &moved, sizeof(moved));
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

/* What a scenario rule ordered leaves with the payment, is told while it is the guest, and comes
 * home; one without a callback, or with several, stays. */
static void test_ruled_payments(void **state)
{
    (void)state;
    struct world w;
    struct ruled ruled;
    world_start(&w, true);
    world_rules(&w, "{\"rules\":[{\"name\":\"lies\",\"match\":{\"amount\":4200},\"then\":{"
                    "\"callback\":{\"code\":\"1037\"},\"query\":{\"pending\":true}}},"
                    "{\"name\":\"twice\",\"match\":{\"amount\":4300},\"then\":{"
                    "\"callback\":{\"times\":2}}},"
                    "{\"name\":\"never\",\"match\":{\"amount\":4400},\"then\":{"
                    "\"callback\":{\"never\":true}}}]}");
    uint64_t lies = closed_payment(&w, WORLD_ANNA, 4200);
    uint64_t twice = closed_payment(&w, WORLD_BEN, 4300);
    assert_int_equal(world_report(&w, world_take(&w), 200, 0), BOOK_DONE);
    uint64_t never = world_push(&w, WORLD_ANNA, 4400);
    (void)world_run(&w);
    assert_int_equal(world_approve(&w, never, WORLD_PIN), OPERATOR_DONE);
    world_rules(&w, "{\"rules\":[]}");
    world_pass(&w, 120 * WORLD_S);
    keep_record(&w, lies);
    assert_int_equal(leave(&w, lies, w.book->position), BOOK_DONE);
    assert_int_equal(leave(&w, twice, w.book->position), BOOK_NOTHING);
    assert_int_equal(leave(&w, never, w.book->position), BOOK_NOTHING);
    world_prove(&w);
    be_guest(&w, lies);
    const struct stk_payment *guest = operator_payment(world_operator(&w), lies);
    assert_non_null(guest);
    assert_true(payment_ruled(world_operator(&w), guest, &ruled));
    assert_string_equal(ruled.name, "lies");
    assert_string_equal(ruled.effects.callback_code, "1037");
    assert_int_equal(ruled.effects.query, RULE_QUERY_PENDING);
    struct old_name name = operator_payment_name(lies);
    for (size_t size = 0; size < record_size; size++) {
        assert_false(book_host(w.book, &name, (struct span){(const char *)record, size}));
    }
    be_guest(&w, lies);
    enum book_outcome outcome = BOOK_NOTHING;
    struct delivery_revive_command revive = {operator_payment(world_operator(&w), lies)->delivery};
    assert_int_not_equal(world_do(&w, COMMAND_DELIVERY_REVIVE, &revive, &outcome), 0);
    assert_true(payment_ruled(world_operator(&w), world_payment(&w, lies), &ruled));
    assert_string_equal(ruled.name, "lies");
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
        struct keys_leave_command c = {.generation = w.book->generation,
                                       .as_of = w.book->position,
                                       .keys = (const uint8_t(*)[16]) & keys[gone],
                                       .count = 1};
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

/* ---- fetching ---- */

static uint32_t finds;

static enum fetch_answer find_record(void *context, const struct old_name *name,
                                     struct old_name *primary, struct span *out)
{
    const uint64_t *number = context;
    (void)name;
    finds++;
    *primary = operator_payment_name(*number);
    *out = (struct span){(const char *)record, record_size};
    return FETCH_DONE;
}

static struct world *recalling;

static enum fetch_answer recall_record(void *context, const struct recall_command *c)
{
    enum book_outcome outcome = BOOK_DONE;
    (void)context;
    assert_true(world_do(recalling, COMMAND_RECALL, c, &outcome) > 0);
    return FETCH_DONE;
}

/* What a reversal or a status query is about comes home before it is accepted, because it is looked
 * at again when the request is carried out; a key that was the guest of an earlier command does not
 * stop that. What an approval names is only read. */
static void test_a_request_brings_it_home(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    recalling = &w;
    uint64_t number = closed_payment(&w, WORLD_ANNA, 4200);
    world_pass(&w, 120 * WORLD_S);
    keep_record(&w, number);
    char receipt[ID_TEXT_SIZE];
    const struct stk_payment *p = world_payment(&w, number);
    id_receipt_format(p->receipt_day, p->receipt, receipt);
    assert_int_equal(leave(&w, number, w.book->position), BOOK_DONE);
    const struct fetch_port port = {&number, find_record, recall_record};
    struct stk_answer_command approve = {.number = number};
    struct book_command command = {.kind = COMMAND_STK_APPROVE, .body = &approve};
    w.book->guest.has_key = true;
    assert_int_equal(book_fetch(w.book, &command, &port), FETCH_DONE);
    assert_int_equal(finds, 1);
    struct old_name name = operator_payment_name(number);
    assert_false(book_holds(w.book, &name));
    assert_non_null(operator_payment(world_operator(&w), number));
    struct request_command ask = {.kind = REQUEST_REVERSAL, .reference = span_from(receipt)};
    command = (struct book_command){.kind = COMMAND_REQUEST, .body = &ask};
    w.book->guest.has_key = true;
    assert_int_equal(book_fetch(w.book, &command, &port), FETCH_DONE);
    assert_true(book_holds(w.book, &name));
    assert_int_equal(book_fetch(w.book, &command, &port), FETCH_DONE); /* it is there */
    assert_int_equal(finds, 2);
    world_end(&w);
}

/* ---- what is asked for ---- */

/* What a command names and memory does not hold is fetched: by each name that a thing has. */
static void test_what_a_command_names(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = closed_payment(&w, WORLD_ANNA, 4200);
    world_pass(&w, 120 * WORLD_S);
    char ids[3][ID_TEXT_SIZE];
    const struct stk_payment *p = world_payment(&w, number);
    payment_receipt(p, ids[0]);
    payment_checkout_id(world_operator(&w), p, ids[1]);
    payment_merchant_request_id(p, ids[2]);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5; i++) {
            struct old_names missing;
            struct request_command c = {.kind = i % 2 == 0 ? REQUEST_STATUS : REQUEST_REVERSAL,
                                        .reference = i < 3 ? span_from(ids[i])
                                                           : SPAN_LITERAL("no id of ours")};
            c.kind = i == 4 ? REQUEST_BALANCE : c.kind;
            struct book_command command = {.kind = COMMAND_REQUEST, .body = &c};
            book_missing(w.book, &command, &missing);
            assert_int_equal(missing.count, round == 1 && i < 3);
        }
        if (round == 0) {
            assert_int_equal(leave(&w, number, w.book->position), BOOK_DONE);
        }
    }
    struct old_names missing;
    struct rule_call call = {RULE_API_OAUTH, 0, 0, -1, SPAN_EMPTY};
    struct book_command command = {.kind = COMMAND_RULE_CALL, .body = &call};
    book_missing(w.book, &command, &missing);
    assert_int_equal(missing.count, 0);
    world_end(&w);
}

/* A name is of one thing: as another kind of name, cut, or with another number it is nothing. */
static void test_names_that_are_not_quite(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = closed_payment(&w, WORLD_ANNA, 4200);
    char receipt[ID_RECEIPT_SIZE];
    payment_receipt(world_payment(&w, number), receipt);
    struct old_name name;
    assert_true(operator_id_name(span_from(receipt), &name));
    assert_true(book_holds(w.book, &name));
    uint64_t cancelled = world_push(&w, WORLD_ANNA, 100);
    assert_int_equal(world_cancel(&w, cancelled), OPERATOR_DONE);
    name.bytes[name.size - 1] ^= 1; /* the next receipt was never given */
    assert_false(book_holds(w.book, &name));
    name.bytes[name.size - 1] ^= 1;
    name.size--;
    assert_false(book_holds(w.book, &name));
    name.size++;
    name.space = OLD_SPACE_CHECKOUT;
    assert_false(book_holds(w.book, &name));
    name.space = 99;
    assert_false(book_holds(w.book, &name));
    name = operator_payment_name(number);
    assert_true(book_holds(w.book, &name));
    name.size--;
    assert_false(book_holds(w.book, &name));
    assert_null(book_closing(w.book, 99));
    world_end(&w);
}

/* Every byte of a record: a guest is what its record says, or there is none. */
static void test_every_byte_of_a_record(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint64_t number = closed_payment(&w, WORLD_ANNA, 4200);
    world_pass(&w, 120 * WORLD_S);
    keep_record(&w, number);
    assert_int_equal(leave(&w, number, w.book->position), BOOK_DONE);
    struct old_name name = operator_payment_name(number);
    uint32_t refused = 0;
    for (size_t at = 0; at < record_size; at++) {
        for (uint32_t which = 0; which < 4; which++) {
            uint8_t good = record[at];
            const uint8_t others[] = {0, 0xff, (uint8_t)(good ^ 1), (uint8_t)(good + 2)};
            record[at] = others[which];
            bool hosted =
                book_host(w.book, &name, (struct span){(const char *)record, record_size});
            const struct stk_payment *guest = operator_payment(world_operator(&w), number);
            assert_true(hosted == (guest != NULL));
            assert_true(guest == NULL || guest->number == number);
            struct transfer moved = {.amount_minor = 4200};
            assert_true(guest == NULL || payment_transfer(world_operator(&w), guest, &moved));
            assert_int_equal(moved.amount_minor, 4200); /* between accounts that can be shown */
            assert_non_null(ledger_account(&w.book->ledger, moved.debit_account));
            refused += !hosted;
            book_unhost(w.book);
            record[at] = good;
        }
    }
    assert_true(refused > 100);
    static uint8_t large[CLOSING_RECORD_MAX + 1];
    assert_false(book_host(w.book, &name, (struct span){(const char *)large, sizeof(large)}));
    name.space = 99;
    assert_false(book_host(w.book, &name, (struct span){(const char *)record, record_size}));
    book_check(w.book);
    world_end(&w);
}

static enum book_outcome keys_leave(struct world *w, const uint8_t key[16], uint64_t as_of)
{
    uint8_t keys[1][16];
    memcpy(keys[0], key, sizeof(keys[0]));
    enum book_outcome outcome = BOOK_DONE;
    struct keys_leave_command c = {
        .generation = w->book->generation, .as_of = as_of, .keys = keys, .count = 1};
    (void)world_do(w, COMMAND_KEYS_LEAVE, &c, &outcome);
    return outcome;
}

static void test_keys_that_stay(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint8_t known[16] = {1};
    uint8_t unknown[16] = {2};
    uint64_t before = w.book->position;
    fund(&w, known, OPERATOR_DONE);
    assert_int_equal(keys_leave(&w, unknown, w.book->position), BOOK_NOTHING);
    assert_int_equal(keys_leave(&w, known, before), BOOK_NOTHING); /* its record is of before */
    enum book_outcome outcome = BOOK_NOTHING;
    struct world_command save = {.name = SPAN_LITERAL("a"), .from = SPAN_EMPTY};
    assert_int_not_equal(world_do(&w, COMMAND_WORLD_SAVE, &save, &outcome), 0);
    assert_int_equal(keys_leave(&w, known, w.book->position), BOOK_NOTHING);
    uint64_t number = closed_payment(&w, WORLD_ANNA, 4200);
    world_pass(&w, 120 * WORLD_S);
    assert_int_equal(leave(&w, number, w.book->position), BOOK_NOTHING); /* a world is saved */
    assert_int_not_equal(world_do(&w, COMMAND_WORLD_REMOVE, &save, &outcome), 0);
    assert_int_equal(keys_leave(&w, known, w.book->position), BOOK_DONE);
    assert_int_equal(world_do(&w, COMMAND_WORLD_SAVE, &save, &outcome), 0);
    assert_int_equal(outcome, BOOK_LEFT); /* a world holds all of its past */
    /* A key's record that is cut, or of a key that memory holds, is no guest. */
    struct writer out = writer_init(record, sizeof(record));
    struct idempotency_entry e = {.subject = 7, .position = 3, .kept_ns = 5};
    memcpy(e.key, known, sizeof(e.key));
    book_key_record(&e, &out);
    struct old_name name = {.space = OLD_SPACE_KEY, .size = 16};
    memcpy(name.bytes, known, 16);
    assert_false(book_host(w.book, &name, (struct span){(const char *)record, out.size - 1}));
    assert_true(book_host(w.book, &name, (struct span){(const char *)record, out.size}));
    book_unhost(w.book);
    uint8_t other[16] = {9};
    fund(&w, other, OPERATOR_DONE);
    memcpy(record, other, 16);
    assert_false(book_host(w.book, &name, (struct span){(const char *)record, out.size}));
    world_end(&w);
}

/* A restored world has everything with the positions of before, so that they alone say yes. */
static void test_records_of_another_generation(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    uint8_t key[16] = {1};
    fund(&w, key, OPERATOR_DONE);
    uint64_t number = closed_payment(&w, WORLD_ANNA, 4200);
    world_pass(&w, 120 * WORLD_S);
    uint64_t generation = w.book->generation;
    uint64_t as_of = w.book->position;
    enum book_outcome outcome = BOOK_NOTHING;
    struct world_command command = {.name = SPAN_LITERAL("a"), .from = SPAN_EMPTY};
    assert_int_not_equal(world_do(&w, COMMAND_WORLD_SAVE, &command, &outcome), 0);
    assert_int_not_equal(world_do(&w, COMMAND_WORLD_RESTORE, &command, &outcome), 0);
    assert_int_not_equal(world_do(&w, COMMAND_WORLD_REMOVE, &command, &outcome), 0);
    struct closed_leave_command closed = {.generation = generation,
                                          .as_of = as_of,
                                          .numbers = &number,
                                          .count = 1,
                                          .space = OLD_SPACE_PAYMENT};
    assert_int_equal(world_do(&w, COMMAND_CLOSED_LEAVE, &closed, &outcome), 0);
    assert_int_equal(outcome, BOOK_NOTHING);
    struct keys_leave_command keys = {
        .generation = generation, .as_of = as_of, .keys = (const uint8_t(*)[16])key, .count = 1};
    outcome = BOOK_DONE;
    assert_int_equal(world_do(&w, COMMAND_KEYS_LEAVE, &keys, &outcome), 0);
    assert_int_equal(outcome, BOOK_NOTHING);
    assert_int_equal(leave(&w, number, as_of), BOOK_DONE);
    assert_int_equal(keys_leave(&w, key, as_of), BOOK_DONE);
    world_end(&w);
}

/* What a rule ordered stays, and so does what changed after its record was made. */
static void test_payments_that_stay(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, true);
    world_rules(&w, "{\"rules\":[{\"name\":\"r\",\"match\":{\"amount\":7700},"
                    "\"then\":{\"outcome\":{\"code\":\"17\"},\"callback\":{\"times\":2}}}]}");
    uint64_t ruled = world_push(&w, WORLD_ANNA, 7700);
    assert_int_equal(world_payment(&w, ruled)->outcome, STK_RULED);
    assert_int_equal(world_report(&w, world_take(&w), 200, 0), BOOK_DONE);
    assert_int_equal(world_report(&w, world_take(&w), 200, 0), BOOK_DONE);
    uint64_t plain = closed_payment(&w, WORLD_BEN, 4200);
    world_pass(&w, 120 * WORLD_S);
    assert_int_equal(leave(&w, ruled, w.book->position), BOOK_NOTHING);
    const struct domain_closing *c = closing_of(&w);
    uint64_t found[4];
    struct closing_terms terms = {w.now_ns, w.now_ns - 3600 * WORLD_S, w.book->position};
    assert_int_equal(c->find(w.book->domain_state, &terms, found, 4), 0); /* not old enough */
    terms.before_ns = w.now_ns;
    terms.as_of = 0;
    assert_int_equal(c->find(w.book->domain_state, &terms, found, 4), 0); /* not yet durable */
    terms.as_of = w.book->position;
    assert_int_equal(c->find(w.book->domain_state, &terms, found, 4), 1);
    assert_int_equal(found[0], plain);
    assert_int_equal(c->find(w.book->domain_state, &terms, found, 4), 0); /* it is on its way */
    c->stay(w.book->domain_state, plain);
    assert_int_equal(c->find(w.book->domain_state, &terms, found, 1), 1);
    c->stay(w.book->domain_state, 99); /* of a world that was reset */
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_leave),
        cmocka_unit_test(test_guest_and_home),
        cmocka_unit_test(test_damaged_records),
        cmocka_unit_test(test_ruled_payments),
        cmocka_unit_test(test_keys_leave),
        cmocka_unit_test(test_a_request_brings_it_home),
        cmocka_unit_test(test_what_a_command_names),
        cmocka_unit_test(test_names_that_are_not_quite),
        cmocka_unit_test(test_every_byte_of_a_record),
        cmocka_unit_test(test_keys_that_stay),
        cmocka_unit_test(test_records_of_another_generation),
        cmocka_unit_test(test_payments_that_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
