/*
 * world.c - see world.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "support/saved.h"
#include "support/world.h"
#include "wire/rules.h"

enum { WORLD_FRAMES_FIRST = 64 * 1024 };

static bool same_digest(struct digest_value a, struct digest_value b)
{
    return a.high == b.high && a.low == b.low;
}

static struct book *world_book(const struct world *w, uint64_t hash_seed)
{
    struct book_options options = {
        .domain = &operator_domain, .hash_seed = hash_seed, .settings = &w->settings};
    struct book *b = book_create(&options);
    assert_non_null(b);
    return b;
}

void world_start(struct world *w, bool dev)
{
    memset(w, 0, sizeof(*w));
    w->settings = operator_settings_default(dev);
    w->now_ns = WORLD_START_NS;
    w->random = 99;
    w->book = world_book(w, 1);
    assert_int_equal(world_seed(w), OPERATOR_DONE);
}

/* ---- the proof ---- */

static void prove_replay(const struct world *w, struct digest_value expected)
{
    struct book *b = world_book(w, 2);
    b->outbox.replaying = true;
    struct reader r = reader_init(w->frames, w->frames_size);
    while (r.at < r.size) {
        assert_int_equal(book_replay_frame(b, &r), BOOK_REPLAYED);
    }
    assert_true(b->outbox.replaying); /* a reset on the way does not end it */
    b->outbox.replaying = false;
    assert_true(operator_of(b)->touched_count <= 1); /* of the last frame, not of all of them */
    assert_int_equal(b->position, w->book->position);
    assert_true(same_digest(book_digest(b), expected));
    book_check(b);
    book_destroy(b);
}

/* A copy made by saving and loading. */
static struct book *world_copy(const struct world *w, uint64_t hash_seed)
{
    struct span saved = saved_book(w->book, 1024 * 1024 + w->frames_size * 4);
    struct book *b = world_book(w, hash_seed);
    struct reader r = reader_init(saved.data, saved.size);
    assert_true(book_load(b, &r));
    assert_true(reader_done(&r));
    assert_true(same_digest(book_digest(b), book_digest(w->book)));
    book_check(b);
    return b;
}

void world_prove(const struct world *w)
{
    book_check(w->book);
    prove_replay(w, book_digest(w->book));
    book_destroy(world_copy(w, 3));
}

void world_end(struct world *w)
{
    world_prove(w);
    book_destroy(w->book);
    free(w->frames);
    free(w->scratch);
    memset(w, 0, sizeof(*w));
}

void world_restart(struct world *w)
{
    struct book *b = world_copy(w, w->book->hash_seed + 1);
    book_destroy(w->book);
    w->book = b;
}

/* ---- commands ---- */

static void keep_frame(struct world *w, const struct writer *out)
{
    while (w->frames_room - w->frames_size < out->size) {
        w->frames_room = w->frames_room == 0 ? WORLD_FRAMES_FIRST : w->frames_room * 2;
        w->frames = realloc(w->frames, w->frames_room);
        assert_non_null(w->frames);
    }
    memcpy(w->frames + w->frames_size, out->data, out->size);
    w->frames_size += out->size;
}

uint64_t world_do(struct world *w, uint16_t kind, const void *body, void *reply)
{
    struct book_command command = {kind, w->now_ns, w->random, body, reply};
    w->random = hash_u64(w->random, 4);
    size_t room = book_frame_bytes_max(&command);
    if (w->scratch_room < room) {
        free(w->scratch);
        w->scratch = malloc(room);
        assert_non_null(w->scratch);
        w->scratch_room = room;
    }
    struct digest_value before = {0, 0};
    if (!w->quick) {
        before = book_digest(w->book);
    }
    uint64_t position = w->book->position;
    struct writer out = writer_init(w->scratch, w->scratch_room);
    uint64_t result = book_execute(w->book, &command, &out);
    if (result == 0) {
        assert_int_equal(out.size, 0);
        assert_int_equal(w->book->position, position);
        assert_true(w->quick || same_digest(before, book_digest(w->book)));
        return 0;
    }
    assert_int_equal(result, position + 1);
    assert_int_equal(w->book->position, result);
    keep_frame(w, &out);
    if (!w->quick) {
        book_check(w->book);
    }
    return result;
}

uint32_t world_run(struct world *w)
{
    struct book_command command;
    uint32_t count = 0;
    while (book_work(w->book, w->now_ns, &command)) {
        assert_int_not_equal(world_do(w, command.kind, command.body, NULL), 0);
        assert_true(++count < 100000);
    }
    return count;
}

/* When a timer of the book itself is due; the outbox has its own. */
static int64_t world_due(const struct world *w)
{
    int64_t due_ns = w->book->domain->next_due(w->book->domain_state);
    int64_t hold_ns;
    if (ledger_next_expiry(&w->book->ledger, &hold_ns) != NULL && hold_ns < due_ns) {
        due_ns = hold_ns;
    }
    return due_ns;
}

void world_pass(struct world *w, int64_t duration_ns)
{
    int64_t end_ns = w->now_ns + duration_ns;
    (void)world_run(w);
    for (int64_t due_ns = world_due(w); due_ns <= end_ns; due_ns = world_due(w)) {
        assert_true(due_ns >= w->now_ns);
        assert_true(book_next_due(w->book) <= due_ns);
        w->now_ns = due_ns;
        assert_int_not_equal(world_run(w), 0);
    }
    w->now_ns = end_ns;
}

void world_verifier(uint64_t msisdn, uint32_t pin, uint8_t out[PIN_VERIFIER_BYTES])
{
    uint64_t high = hash_u64(msisdn, pin);
    uint64_t low = hash_u64(high, msisdn);
    memcpy(out, &high, sizeof(high));
    memcpy(out + 8, &low, sizeof(low));
}

static void seed_organisation(struct organisation_command *c, uint32_t short_code, uint8_t type)
{
    c->short_code = short_code;
    c->type = type;
    c->charges = CHARGES_CUSTOMER;
    c->name = span_from(type == ORGANISATION_TILL ? "Duka la Juma" : "Hakika Shop");
    c->initiator = span_from("testapi");
    c->secrets[SECRET_PASSKEY] = span_from("sealed passkey");
    c->utility_minor = WORLD_MONEY * 10;
    c->working_minor = WORLD_MONEY * 10;
}

static void seed_subscriber(struct subscriber_command *c, uint64_t msisdn, const char *name)
{
    c->msisdn = msisdn;
    c->name = span_from(name);
    c->balance_minor = WORLD_MONEY;
    c->key_version = 1;
    world_verifier(msisdn, WORLD_PIN, c->verifier);
}

void world_seed_command(struct seed_command *c)
{
    memset(c, 0, sizeof(*c));
    c->organisation_count = 4;
    seed_organisation(&c->organisations[0], WORLD_PAYBILL, ORGANISATION_PAYBILL);
    seed_organisation(&c->organisations[1], WORLD_OTHER_PAYBILL, ORGANISATION_PAYBILL);
    seed_organisation(&c->organisations[2], WORLD_BULK, ORGANISATION_BULK);
    seed_organisation(&c->organisations[3], WORLD_TILL, ORGANISATION_TILL);
    c->subscriber_count = 3;
    seed_subscriber(&c->subscribers[0], WORLD_ANNA, "Anna Wanjiru");
    seed_subscriber(&c->subscribers[1], WORLD_BEN, "Ben Otieno");
    seed_subscriber(&c->subscribers[2], WORLD_ROBOT, "");
    c->subscribers[2].approves = true;
}

enum operator_refusal world_seed(struct world *w)
{
    struct seed_command c;
    struct operator_reply reply;
    world_seed_command(&c);
    (void)world_do(w, COMMAND_SEED, &c, &reply);
    return reply.refusal;
}

/* ---- payments ---- */

/* Stands for SHA-256 over the normalised fields (R1.4). */
static void order_fingerprint(const struct stk_push_command *c, uint8_t out[16])
{
    uint64_t fields[3] = {c->msisdn, c->short_code, (uint64_t)c->amount_minor};
    uint64_t high = hash_bytes(c->reference.data, c->reference.size, 7);
    high = hash_bytes(fields, sizeof(fields), high);
    uint64_t low = hash_u64(high, 8);
    memcpy(out, &high, sizeof(high));
    memcpy(out + 8, &low, sizeof(low));
}

struct operator_reply world_order(struct world *w, const struct world_order *order)
{
    struct stk_push_command c;
    memset(&c, 0, sizeof(c));
    c.msisdn = order->msisdn;
    c.short_code = order->short_code == 0 ? WORLD_PAYBILL : order->short_code;
    c.party_b = order->party_b == 0 ? c.short_code : order->party_b;
    c.type = order->type == 0 ? 1 : order->type;
    c.amount_minor = order->amount_minor;
    c.url = span_from("https://shop.example/callbacks/mpesa");
    c.reference = span_from(order->reference == NULL ? "INV-1" : order->reference);
    c.description = span_from("two books");
    c.target = order->target == 0 ? c.short_code : order->target;
    order_fingerprint(&c, c.fingerprint);
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    uint64_t position = world_do(w, COMMAND_STK_PUSH, &c, &reply);
    assert_int_equal(position != 0, reply.refusal == OPERATOR_DONE);
    return reply;
}

uint64_t world_push(struct world *w, uint64_t msisdn, int64_t amount_minor)
{
    struct world_order order = {.msisdn = msisdn, .amount_minor = amount_minor};
    struct operator_reply reply = world_order(w, &order);
    assert_int_equal(reply.refusal, OPERATOR_DONE);
    (void)world_run(w);
    return reply.number;
}

uint64_t world_ask(struct world *w, const struct request_command *command)
{
    struct request_command c = *command;
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    if (!c.without_initiator && c.initiator.size == 0) {
        c.initiator = span_from("testapi");
    }
    uint64_t position = world_do(w, COMMAND_REQUEST, &c, &reply);
    assert_int_equal(position != 0, reply.refusal == OPERATOR_DONE);
    (void)world_run(w);
    return position == 0 ? 0 : reply.number;
}

uint64_t world_payout(struct world *w, const struct world_payout *payout)
{
    struct request_command c;
    memset(&c, 0, sizeof(c));
    c.kind = REQUEST_B2C;
    c.command = 1;
    c.party_type = PARTY_MSISDN;
    c.party = payout->msisdn;
    c.short_code = payout->short_code == 0 ? WORLD_BULK : payout->short_code;
    c.amount_minor = payout->amount_minor;
    c.conversation = span_from(payout->conversation == NULL ? "" : payout->conversation);
    c.credential_good = !payout->wrong_password;
    c.result_url = span_from("https://shop.example/b2c/result");
    c.timeout_url = span_from("https://shop.example/b2c/timeout");
    c.remarks = span_from("wages");
    c.target = c.short_code;
    c.timeout_target = c.short_code;
    return world_ask(w, &c);
}

const struct operator_request *world_request(const struct world *w, uint64_t number)
{
    const struct operator_request *r = operator_request(world_operator(w), number);
    assert_non_null(r);
    return r;
}

int64_t world_account(const struct world *w, uint32_t short_code, enum organisation_account which)
{
    const struct organisation *g = operator_organisation(world_operator(w), short_code);
    assert_non_null(g);
    return operator_balance(world_operator(w), g->accounts[which]);
}

static enum operator_refusal world_answer(struct world *w, uint16_t kind, uint64_t number,
                                          uint32_t pin)
{
    struct stk_answer_command c = {.number = number};
    const struct stk_payment *p = operator_payment(world_operator(w), number);
    if (p != NULL && kind == COMMAND_STK_APPROVE) {
        world_verifier(operator_subscriber_at(world_operator(w), p->subscriber)->msisdn, pin,
                       c.verifier);
    }
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    uint64_t position = world_do(w, kind, &c, &reply);
    assert_int_equal(position != 0, reply.refusal == OPERATOR_DONE);
    return reply.refusal;
}

enum operator_refusal world_approve(struct world *w, uint64_t number, uint32_t pin)
{
    return world_answer(w, COMMAND_STK_APPROVE, number, pin);
}

enum operator_refusal world_cancel(struct world *w, uint64_t number)
{
    return world_answer(w, COMMAND_STK_CANCEL, number, 0);
}

const struct operator_state *world_operator(const struct world *w)
{
    return operator_of(w->book);
}

const struct stk_payment *world_payment(const struct world *w, uint64_t number)
{
    const struct stk_payment *p = operator_payment(world_operator(w), number);
    assert_non_null(p);
    return p;
}

int64_t world_balance(const struct world *w, uint64_t msisdn)
{
    const struct subscriber *s = operator_subscriber(world_operator(w), msisdn);
    assert_non_null(s);
    return operator_balance(world_operator(w), s->account);
}

int64_t world_utility(const struct world *w, uint32_t short_code)
{
    const struct organisation *g = operator_organisation(world_operator(w), short_code);
    assert_non_null(g);
    return operator_balance(world_operator(w), g->accounts[ACCOUNT_UTILITY]);
}

enum operator_refusal world_change(struct world *w, const struct subscriber_change_command *c)
{
    struct operator_reply reply = {OPERATOR_DONE, 0, 0};
    (void)world_do(w, COMMAND_SUBSCRIBER_CHANGE, c, &reply);
    return reply.refusal;
}

enum operator_refusal world_adjust(struct world *w, uint64_t msisdn, int64_t adjust_minor)
{
    struct subscriber_change_command c = {
        .msisdn = msisdn, .fields = CHANGE_BALANCE, .adjust_minor = adjust_minor};
    return world_change(w, &c);
}

enum operator_refusal world_reachable(struct world *w, uint64_t msisdn, bool reachable)
{
    struct subscriber_change_command c = {
        .msisdn = msisdn, .fields = CHANGE_REACHABLE, .reachable = reachable};
    return world_change(w, &c);
}

/* ---- callbacks ---- */

uint64_t world_take(struct world *w)
{
    const struct outbox_item *item = outbox_take(&w->book->outbox, w->now_ns, w->book->position);
    return item == NULL ? 0 : item->number;
}

enum book_outcome world_report(struct world *w, uint64_t number, uint16_t status, uint8_t error)
{
    struct delivery_result_command c = {
        .number = number,
        .generation = w->book->generation,
        .status = status,
        .error = error,
        .duration_ms = 20,
        .retry_after_ms = -1,
        .answer = span_from("ok"),
    };
    enum book_outcome outcome = BOOK_DONE;
    uint64_t position = world_do(w, COMMAND_DELIVERY_RESULT, &c, &outcome);
    assert_int_equal(position != 0, outcome == BOOK_DONE);
    return outcome;
}

uint32_t world_callbacks(const struct world *w, uint64_t number)
{
    uint32_t count = 0;
    for (uint64_t n = 1; n <= w->book->outbox.last_number; n++) {
        const struct outbox_item *item = outbox_item(&w->book->outbox, n);
        count += item != NULL && item->subject == number;
    }
    return count;
}

void world_rules(struct world *w, const char *document)
{
    struct json_scratch *scratch = json_scratch_create();
    struct rule_list *list = malloc(sizeof(*list));
    struct rules_error error;
    uint8_t bytes[RULES_BYTES_MAX];
    struct operator_reply reply;
    assert_non_null(list);
    if (!rules_parse(span_from(document), scratch, list, &error)) {
        fail_msg("rules: at \"%s\": %s", error.place, error.why);
    }
    struct rules_command c = {
        .origin = RULE_ORIGIN_USER,
        .list = {(const char *)bytes, rule_list_encode(list, bytes)},
    };
    assert_true(world_do(w, COMMAND_RULES_SET, &c, &reply) != 0);
    free(list);
    json_scratch_destroy(scratch);
}
