/*
 * test_ledger.c - the ledger: every result and which comes first, ids that take effect once
 * (R3.8), linked groups, holds, the edges of 63 bits, bytes in both directions, and random
 * transfers against a naive second ledger that keeps a list and no totals (R3.5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "ledger/ledger.h"
#include "support/random.h"

/* A false CHECK ends the test, and is what some tests expect. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_MINOR    INT64_MAX

/* ---- helpers ---- */

/* Carries an event out as the book does: what is applied is what the bytes say. */
static void apply(struct ledger *l, const struct ledger_event *e)
{
    uint8_t bytes[128];
    struct writer w = writer_init(bytes, sizeof(bytes));
    ledger_event_encode(&w, e);
    assert_false(w.overflow);
    struct ledger_event read;
    for (size_t size = 0; size < w.size; size++) {
        struct reader cut = reader_init(bytes, size);
        assert_false(ledger_event_decode(e->kind, &cut, &read));
    }
    struct reader r = reader_init(bytes, w.size);
    assert_true(ledger_event_decode(e->kind, &r, &read));
    uint8_t again[sizeof(bytes)];
    struct writer w2 = writer_init(again, sizeof(again));
    ledger_event_encode(&w2, &read);
    assert_int_equal(w2.size, w.size);
    assert_memory_equal(again, bytes, w.size);
    assert_true(ledger_reserve(l, 1, 1));
    ledger_apply(l, &read);
}

static uint32_t open_account(struct ledger *l, uint16_t flags, uint16_t currency)
{
    struct ledger_event e = {.kind = EVENT_ACCOUNT_OPENED};
    e.account = ledger_next_account(l, 0);
    e.opened.owner = 1000 + e.account;
    e.opened.code = (uint16_t)(7 + e.account);
    e.opened.flags = flags;
    e.opened.currency = currency;
    apply(l, &e);
    return e.account;
}

static void set_flags(struct ledger *l, uint32_t account, uint16_t flags)
{
    struct ledger_event e = {.kind = EVENT_ACCOUNT_FLAGS_SET, .account = account};
    e.opened.flags = flags;
    apply(l, &e);
}

static void refuse(struct ledger *l, const struct transfer *t, enum ledger_result result)
{
    struct ledger_event e = {.kind = EVENT_TRANSFER_REFUSED, .result = (uint8_t)result};
    e.transfer = *t;
    if (t->kind != TRANSFER_HOLD) {
        e.transfer.expires_ns = 0;
    }
    if (t->kind == TRANSFER_POST || t->kind == TRANSFER_HOLD) {
        e.transfer.hold_id = 0;
    }
    apply(l, &e);
}

/* Decides one transfer alone at a time, and carries out or remembers what came of it. */
static enum ledger_result ask_at(struct ledger *l, const struct transfer *t, int64_t now_ns)
{
    struct ledger_plan plan;
    ledger_plan_init(&plan, l);
    plan.now_ns = now_ns;
    enum ledger_result result = ledger_plan_add(&plan, t);
    if (result == LEDGER_OK) {
        struct ledger_event e;
        ledger_plan_event(&plan, 0, &e);
        apply(l, &e);
    } else if (ledger_result_remembered(result) && ledger_entry(l, t->id) == NULL) {
        refuse(l, t, result);
    }
    ledger_check(l);
    return result;
}

static enum ledger_result ask(struct ledger *l, const struct transfer *t)
{
    return ask_at(l, t, INT64_MIN);
}

static struct transfer post(uint64_t id, uint32_t debit, uint32_t credit, int64_t amount_minor)
{
    struct transfer t = {.id = id,
                         .kind = TRANSFER_POST,
                         .amount_minor = amount_minor,
                         .debit_account = debit,
                         .credit_account = credit,
                         .reference = 5,
                         .code = 3};
    return t;
}

static struct transfer hold(uint64_t id, uint32_t debit, uint32_t credit, int64_t amount_minor)
{
    struct transfer t = post(id, debit, credit, amount_minor);
    t.kind = TRANSFER_HOLD;
    return t;
}

static struct transfer end_hold(uint64_t id, uint64_t hold_id, uint16_t kind, int64_t amount_minor)
{
    struct transfer t = post(id, 0, 0, amount_minor);
    t.kind = kind;
    t.hold_id = hold_id;
    return t;
}

static enum ledger_result post_now(struct ledger *l, uint64_t id, uint32_t debit, uint32_t credit,
                                   int64_t amount_minor)
{
    struct transfer t = post(id, debit, credit, amount_minor);
    return ask(l, &t);
}

static void expire(struct ledger *l, uint64_t hold_id)
{
    struct ledger_event e = {.kind = EVENT_HOLD_EXPIRED};
    e.transfer.hold_id = hold_id;
    apply(l, &e);
    ledger_check(l);
}

static bool digest_flush(void *context, const uint8_t *data, size_t size)
{
    digest_update(context, data, size);
    return true;
}

static struct digest_value digest_of(const struct ledger *l)
{
    uint8_t buffer[512];
    struct digest d;
    digest_init(&d);
    struct writer w = writer_init(buffer, sizeof(buffer));
    w.flush = digest_flush;
    w.context = &d;
    ledger_save(l, &w);
    assert_true(writer_finish(&w));
    return digest_finish(&d);
}

static size_t save_to(const struct ledger *l, uint8_t *bytes, size_t room)
{
    struct writer w = writer_init(bytes, room);
    ledger_save(l, &w);
    assert_true(writer_finish(&w));
    return w.size;
}

/* Saves, loads into a new ledger with another hash seed, compares, and puts it in the old one's
 * place, so that everything after it runs on the loaded one. */
static void reload(struct ledger *l)
{
    enum { ROOM = 1024 * 1024 };
    uint8_t *bytes = malloc(ROOM);
    assert_non_null(bytes);
    size_t size = save_to(l, bytes, ROOM);
    struct digest_value before = digest_of(l);
    ledger_fini(l);
    ledger_init(l, before.low);
    struct reader r = reader_init(bytes, size);
    assert_true(ledger_load(l, &r));
    assert_true(reader_done(&r));
    struct digest_value after = digest_of(l);
    assert_true(before.high == after.high && before.low == after.low);
    ledger_check(l);
    free(bytes);
}

/* ---- a small world with one of everything ---- */

enum {
    ISSUER,  /* no limits */
    ANNA,    /* 1,000, of which 300 are held for BEN */
    BEN,     /* nothing */
    CLOSED,  /* 500, closed */
    DOLLARS, /* another currency */
    ASSET,   /* may not be credited above its debits: 50 left */
    SHUT,    /* closed too, empty */
    FULL,    /* no limits, debited with almost everything there is */
    ACCOUNTS,
    NOBODY = 99,
};

static void world_init(struct ledger *l)
{
    ledger_init(l, 42);
    static const uint16_t flags[ACCOUNTS] = {
        [ANNA] = ACCOUNT_DEBITS_LIMITED,    [BEN] = ACCOUNT_DEBITS_LIMITED,
        [CLOSED] = ACCOUNT_DEBITS_LIMITED,  [ASSET] = ACCOUNT_CREDITS_LIMITED,
        [DOLLARS] = ACCOUNT_DEBITS_LIMITED,
    };
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        assert_int_equal(open_account(l, flags[i], i == DOLLARS ? 840 : LEDGER_CURRENCY_KES), i);
    }
    assert_int_equal(post_now(l, 1, ISSUER, ANNA, 1000), LEDGER_OK);
    assert_int_equal(post_now(l, 2, ISSUER, CLOSED, 500), LEDGER_OK);
    assert_int_equal(post_now(l, 3, ASSET, ISSUER, 50), LEDGER_OK);
    set_flags(l, CLOSED, ACCOUNT_DEBITS_LIMITED | ACCOUNT_CLOSED);
    set_flags(l, SHUT, ACCOUNT_CLOSED);
    struct transfer t = hold(10, ANNA, BEN, 300);
    assert_int_equal(ask(l, &t), LEDGER_OK);
    t = hold(11, ANNA, BEN, 200);
    assert_int_equal(ask(l, &t), LEDGER_OK);
    t = end_hold(12, 11, TRANSFER_VOID_HOLD, 0);
    assert_int_equal(ask(l, &t), LEDGER_OK);
    t = hold(13, ANNA, BEN, 100);
    t.expires_ns = 7000;
    assert_int_equal(ask(l, &t), LEDGER_OK);
    expire(l, 13);
    t = post(14, ANNA, BEN, 5000); /* refused, and remembered */
    assert_int_equal(ask(l, &t), LEDGER_EXCEEDS_CREDITS);
    t = hold(15, ANNA, BEN, 5000);
    assert_int_equal(ask(l, &t), LEDGER_EXCEEDS_CREDITS);
}

#define TIME_OF_CASES 9000

/* The world once more, with a ledger that is nearly full. */
static void world_fill(struct ledger *l)
{
    assert_int_equal(post_now(l, 900, FULL, ISSUER, MAX_MINOR - 10000), LEDGER_OK);
}

struct result_case {
    const char *what;
    struct transfer t;
    enum ledger_result expected;
};

#define POST(i, d, c, a)                                                               \
    {                                                                                  \
        .id = (i), .kind = TRANSFER_POST, .debit_account = (d), .credit_account = (c), \
        .amount_minor = (a), .reference = 5, .code = 3                                 \
    }
#define ENDS(i, h, k, a)                                                                       \
    {                                                                                          \
        .id = (i), .kind = (k), .hold_id = (h), .amount_minor = (a), .reference = 5, .code = 3 \
    }

/* clang-format off */
static const struct result_case result_cases[] = {
    /* Each result by itself. */
    {"posted", POST(50, ANNA, BEN, 700), LEDGER_OK},
    {"id 0", POST(0, ANNA, BEN, 1), LEDGER_ID_MISSING},
    {"kind 0", {.id = 50, .kind = 0, .amount_minor = 1, .credit_account = 1}, LEDGER_KIND_UNKNOWN},
    {"kind 5", {.id = 50, .kind = 5, .amount_minor = 1, .credit_account = 1}, LEDGER_KIND_UNKNOWN},
    {"kind 257", {.id = 50, .kind = 257, .amount_minor = 1}, LEDGER_KIND_UNKNOWN},
    {"amount 0", POST(50, ANNA, BEN, 0), LEDGER_AMOUNT_NOT_POSITIVE},
    {"amount -1", POST(50, ANNA, BEN, -1), LEDGER_AMOUNT_NOT_POSITIVE},
    {"least amount", POST(50, ANNA, BEN, INT64_MIN), LEDGER_AMOUNT_NOT_POSITIVE},
    {"other amount", POST(1, ISSUER, ANNA, 1001), LEDGER_ID_REUSED},
    {"other debit", POST(1, BEN, ANNA, 1000), LEDGER_ID_REUSED},
    {"other credit", POST(1, ISSUER, BEN, 1000), LEDGER_ID_REUSED},
    {"repeated", POST(1, ISSUER, ANNA, 1000), LEDGER_REPEATED},
    {"failed before", POST(14, ANNA, BEN, 5000), LEDGER_FAILED_BEFORE},
    {"no such hold", ENDS(50, 77, TRANSFER_POST_HOLD, 1), LEDGER_HOLD_UNKNOWN},
    {"not a hold", ENDS(50, 1, TRANSFER_VOID_HOLD, 0), LEDGER_HOLD_UNKNOWN},
    {"a refused hold", ENDS(50, 15, TRANSFER_VOID_HOLD, 0), LEDGER_HOLD_UNKNOWN},
    {"voided before", ENDS(50, 11, TRANSFER_POST_HOLD, 1), LEDGER_HOLD_NOT_OPEN},
    {"expired before", ENDS(50, 13, TRANSFER_VOID_HOLD, 0), LEDGER_HOLD_NOT_OPEN},
    {"more than held", ENDS(50, 10, TRANSFER_POST_HOLD, 301), LEDGER_HOLD_EXCEEDED},
    {"all of a hold", ENDS(50, 10, TRANSFER_POST_HOLD, 300), LEDGER_OK},
    {"part of a hold", ENDS(50, 10, TRANSFER_POST_HOLD, 1), LEDGER_OK},
    {"void", ENDS(50, 10, TRANSFER_VOID_HOLD, 0), LEDGER_OK},
    {"same accounts", POST(50, ANNA, ANNA, 1), LEDGER_ACCOUNTS_SAME},
    {"no debit account", POST(50, NOBODY, BEN, 1), LEDGER_DEBIT_UNKNOWN},
    {"no credit account", POST(50, ANNA, NOBODY, 1), LEDGER_CREDIT_UNKNOWN},
    {"the next account", POST(50, ANNA, ACCOUNTS, 1), LEDGER_CREDIT_UNKNOWN},
    {"no account at all", POST(50, UINT32_MAX, BEN, 1), LEDGER_DEBIT_UNKNOWN},
    {"currencies", POST(50, ANNA, DOLLARS, 1), LEDGER_CURRENCY_DIFFERS},
    {"closed debit", POST(50, CLOSED, BEN, 1), LEDGER_DEBIT_CLOSED},
    {"closed credit", POST(50, ANNA, CLOSED, 1), LEDGER_CREDIT_CLOSED},
    {"too much", POST(50, ANNA, BEN, 701), LEDGER_EXCEEDS_CREDITS},
    {"all", POST(50, ANNA, BEN, 700), LEDGER_OK},
    {"too much credit", POST(50, ISSUER, ASSET, 51), LEDGER_EXCEEDS_DEBITS},
    {"all of the credit", POST(50, ISSUER, ASSET, 50), LEDGER_OK},
    {"too large", POST(50, ISSUER, BEN, MAX_MINOR), LEDGER_OVERFLOW},
    /* Two at once: the first of the table answers. */
    {"id, kind", {.id = 0, .kind = 9}, LEDGER_ID_MISSING},
    {"kind, amount", {.id = 50, .kind = 9, .amount_minor = 0}, LEDGER_KIND_UNKNOWN},
    {"amount, reused", POST(1, ISSUER, ANNA, 0), LEDGER_AMOUNT_NOT_POSITIVE},
    {"reused, hold", ENDS(1, 77, TRANSFER_POST_HOLD, 1), LEDGER_ID_REUSED},
    {"reused, same accounts", POST(1, ANNA, ANNA, 1000), LEDGER_ID_REUSED},
    {"not open, exceeded", ENDS(50, 11, TRANSFER_POST_HOLD, 9999), LEDGER_HOLD_NOT_OPEN},
    {"same, unknown", POST(50, NOBODY, NOBODY, 1), LEDGER_ACCOUNTS_SAME},
    {"debit, credit unknown", POST(50, NOBODY, NOBODY + 1, 1), LEDGER_DEBIT_UNKNOWN},
    {"credit unknown, debit closed", POST(50, CLOSED, NOBODY, 1), LEDGER_CREDIT_UNKNOWN},
    {"currency, debit closed", POST(50, CLOSED, DOLLARS, 1), LEDGER_CURRENCY_DIFFERS},
    {"debit, credit closed", POST(50, CLOSED, SHUT, 1), LEDGER_DEBIT_CLOSED},
    {"debit closed, too much", POST(50, CLOSED, BEN, 9999), LEDGER_DEBIT_CLOSED},
    {"credit closed, too much", POST(50, ANNA, CLOSED, 9999), LEDGER_CREDIT_CLOSED},
    {"debits, credits exceeded", POST(50, ANNA, ASSET, 701), LEDGER_EXCEEDS_CREDITS},
    {"debits exceeded, overflow", POST(50, ANNA, BEN, MAX_MINOR), LEDGER_EXCEEDS_CREDITS},
    {"credits exceeded, overflow", POST(50, ISSUER, ASSET, MAX_MINOR), LEDGER_EXCEEDS_DEBITS},
};
/* clang-format on */

/* R3.8: a result comes from the first rule that is broken; refused means that nothing moved. */
static void test_results(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(result_cases); i++) {
        const struct result_case *c = &result_cases[i];
        struct ledger l;
        world_init(&l);
        struct account before[ACCOUNTS];
        for (uint32_t a = 0; a < ACCOUNTS; a++) {
            before[a] = *ledger_account(&l, a);
        }
        enum ledger_result result = ask_at(&l, &c->t, TIME_OF_CASES);
        if (result != c->expected) {
            fail_msg("%s: \"%s\", not \"%s\"", c->what, ledger_result_text(result),
                     ledger_result_text(c->expected));
        }
        for (uint32_t a = 0; a < ACCOUNTS && result != LEDGER_OK; a++) {
            assert_memory_equal(&before[a], ledger_account(&l, a), sizeof(before[a]));
        }
        /* The same once more: moved once, or refused for the same reason. */
        enum ledger_result again = ask_at(&l, &c->t, TIME_OF_CASES);
        enum ledger_result expected = result == LEDGER_OK                ? LEDGER_REPEATED
                                      : ledger_result_remembered(result) ? LEDGER_FAILED_BEFORE
                                                                         : result;
        assert_int_equal(again, expected);
        reload(&l);
        assert_int_equal(ask_at(&l, &c->t, TIME_OF_CASES), expected);
        ledger_fini(&l);
    }
}

static void test_result_texts(void **state)
{
    (void)state;
    uint32_t remembered = 0;
    for (uint32_t i = 0; i <= LEDGER_ID_RESERVED; i++) {
        const char *text = ledger_result_text(i);
        assert_true(strlen(text) > 4);
        for (uint32_t other = 0; other < i; other++) {
            assert_string_not_equal(text, ledger_result_text(other));
        }
        remembered += ledger_result_remembered(i);
    }
    assert_int_equal(remembered, 12);
    assert_false(ledger_result_remembered(LEDGER_OK));
    expect_assert_failure((void)ledger_result_text(LEDGER_ID_RESERVED + 1));
    expect_assert_failure((void)ledger_result_remembered(LEDGER_ID_RESERVED + 1));
}

/* ---- idempotency (R3.8) ---- */

/* Each field that counts makes it another transfer; each that does not, does not. */
static void test_payload_compared(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    struct transfer kept = hold(60, ANNA, BEN, 10);
    kept.expires_ns = 5;
    assert_int_equal(ask(&l, &kept), LEDGER_OK);
    struct transfer asked[] = {kept, kept, kept, kept, kept, kept, kept, kept};
    asked[0].reference++;
    asked[1].amount_minor++;
    asked[2].expires_ns++;
    asked[3].debit_account = ISSUER;
    asked[4].credit_account = ISSUER;
    asked[5].kind = TRANSFER_POST;
    asked[6].code++;
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(ask(&l, &asked[i]), LEDGER_ID_REUSED);
    }
    asked[7].hold_id = 4711; /* a hold has none: it is not kept and does not count */
    assert_int_equal(ask(&l, &asked[7]), LEDGER_REPEATED);
    struct transfer end = end_hold(61, 60, TRANSFER_VOID_HOLD, 0);
    assert_int_equal(ask(&l, &end), LEDGER_OK);
    end.amount_minor = 77;
    end.debit_account = 3; /* the hold knows its accounts and its amount better */
    assert_int_equal(ask(&l, &end), LEDGER_REPEATED);
    end.hold_id = 10;
    assert_int_equal(ask(&l, &end), LEDGER_ID_REUSED);
    ledger_fini(&l);
}

/* A field that the kind ignores is not kept; asked again with it, the transfer is the same. */
static void test_ignored_fields(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    struct transfer t = post(60, ANNA, BEN, 10);
    t.hold_id = 10;
    t.expires_ns = 99;
    assert_int_equal(ask(&l, &t), LEDGER_OK);
    assert_int_equal(ask(&l, &t), LEDGER_REPEATED);
    struct transfer end = end_hold(61, 10, TRANSFER_POST_HOLD, 10);
    end.expires_ns = 99;
    assert_int_equal(ask(&l, &end), LEDGER_OK);
    assert_int_equal(ask(&l, &end), LEDGER_REPEATED);
    t = post(62, BEN, ANNA, 10000);
    t.expires_ns = 99;
    assert_int_equal(ask(&l, &t), LEDGER_EXCEEDS_CREDITS);
    assert_int_equal(ask(&l, &t), LEDGER_FAILED_BEFORE);
    ledger_fini(&l);
}

/* A failure is remembered even when it would succeed by now. */
static void test_failure_remembered(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    assert_int_equal(post_now(&l, 60, BEN, ANNA, 50), LEDGER_EXCEEDS_CREDITS);
    assert_int_equal(post_now(&l, 61, ISSUER, BEN, 50), LEDGER_OK);
    assert_int_equal(post_now(&l, 60, BEN, ANNA, 50), LEDGER_FAILED_BEFORE);
    assert_int_equal(ledger_entry(&l, 60)->result, LEDGER_EXCEEDS_CREDITS);
    assert_int_equal(post_now(&l, 60, BEN, ANNA, 49), LEDGER_ID_REUSED);
    assert_int_equal(post_now(&l, 62, BEN, ANNA, 50), LEDGER_OK);
    assert_int_equal(account_available(ledger_account(&l, BEN)), 0);
    ledger_fini(&l);
}

/* ---- linked groups ---- */

/* Every transfer is judged on what those before it leave. */
static void test_group_builds_on_itself(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    struct transfer group[] = {
        post(60, ANNA, BEN, 700),
        post(61, BEN, ISSUER, 600),
        post(62, BEN, ANNA, 100),
        post(63, ANNA, CLOSED, 1),
    };
    struct ledger_plan plan;
    struct ledger_event e;
    ledger_plan_init(&plan, &l);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(ledger_plan_add(&plan, &group[i]), LEDGER_OK);
    }
    assert_null(ledger_entry(&l, 60)); /* nothing has happened yet */
    for (uint32_t i = 0; i < 3; i++) {
        ledger_plan_event(&plan, i, &e);
        apply(&l, &e);
    }
    expect_assert_failure(ledger_plan_event(&plan, 3, &e));
    assert_int_equal(account_available(ledger_account(&l, BEN)), 0);
    assert_int_equal(account_available(ledger_account(&l, ANNA)), 100);
    ledger_plan_init(&plan, &l);
    group[0].id = 70;
    group[0].amount_minor = 100;
    assert_int_equal(ledger_plan_add(&plan, &group[0]), LEDGER_OK);
    assert_int_equal(ledger_plan_add(&plan, &group[3]), LEDGER_CREDIT_CLOSED);
    expect_assert_failure(assert_int_equal(ledger_plan_add(&plan, &group[0]),
                                           LEDGER_OK)); /* it has failed as a whole */
    expect_assert_failure(ledger_plan_event(&plan, 0, &e));
    ledger_check(&l);
    ledger_fini(&l);
}

static void test_group_same_id_twice(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    struct transfer t = post(60, ANNA, BEN, 7);
    struct ledger_plan plan;
    ledger_plan_init(&plan, &l);
    assert_int_equal(ledger_plan_add(&plan, &t), LEDGER_OK);
    assert_int_equal(ledger_plan_add(&plan, &t), LEDGER_REPEATED);
    ledger_plan_init(&plan, &l);
    assert_int_equal(ledger_plan_add(&plan, &t), LEDGER_OK);
    t.amount_minor++;
    assert_int_equal(ledger_plan_add(&plan, &t), LEDGER_ID_REUSED);
    ledger_fini(&l);
}

static void test_group_ends_hold_once(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    struct transfer part = end_hold(60, 10, TRANSFER_POST_HOLD, 100);
    struct transfer rest = end_hold(61, 10, TRANSFER_VOID_HOLD, 0);
    struct transfer other = post(62, ANNA, BEN, 700);
    other.hold_id = 10; /* means nothing here, and must not be taken for an end of the hold */
    struct ledger_plan plan;
    ledger_plan_init(&plan, &l);
    assert_int_equal(ledger_plan_add(&plan, &part), LEDGER_OK);
    assert_int_equal(ledger_plan_add(&plan, &rest), LEDGER_HOLD_NOT_OPEN);
    ledger_plan_init(&plan, &l);
    assert_int_equal(ledger_plan_add(&plan, &other), LEDGER_OK);
    assert_int_equal(ledger_plan_add(&plan, &part), LEDGER_OK);
    /* What the hold releases can be spent in the same group: 700 + 300 - 100 were there. */
    struct transfer spend = post(63, ANNA, BEN, 200);
    assert_int_equal(ledger_plan_add(&plan, &spend), LEDGER_OK);
    struct transfer more = post(64, ANNA, BEN, 1);
    assert_int_equal(ledger_plan_add(&plan, &more), LEDGER_EXCEEDS_CREDITS);
    ledger_fini(&l);
}

static void test_group_full(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    struct ledger_plan plan;
    ledger_plan_init(&plan, &l);
    for (uint32_t i = 0; i < LEDGER_PLAN_MAX; i++) {
        struct transfer t = post(60 + i, ANNA, BEN, 1);
        assert_int_equal(ledger_plan_add(&plan, &t), LEDGER_OK);
    }
    struct transfer t = post(99, ANNA, BEN, 1);
    expect_assert_failure(assert_int_equal(ledger_plan_add(&plan, &t), LEDGER_OK));
    ledger_fini(&l);
}

/* ---- holds ---- */

static void check_totals(const struct ledger *l, uint32_t index, int64_t debits_pending,
                         int64_t debits_posted, int64_t credits_pending, int64_t credits_posted)
{
    const struct account *a = ledger_account(l, index);
    assert_int_equal(a->debits_pending, debits_pending);
    assert_int_equal(a->debits_posted, debits_posted);
    assert_int_equal(a->credits_pending, credits_pending);
    assert_int_equal(a->credits_posted, credits_posted);
}

static void test_hold_ends(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    check_totals(&l, ANNA, 300, 0, 0, 1000);
    check_totals(&l, BEN, 0, 0, 300, 0);
    assert_int_equal(account_available(ledger_account(&l, ANNA)), 700);
    assert_int_equal(account_balance(ledger_account(&l, ANNA)), 1000);
    assert_int_equal(account_available(ledger_account(&l, BEN)), 0); /* not Ben's yet */
    struct transfer t = end_hold(60, 10, TRANSFER_POST_HOLD, 120);
    assert_int_equal(ask(&l, &t), LEDGER_OK);
    check_totals(&l, ANNA, 0, 120, 0, 1000); /* the rest is free again */
    check_totals(&l, BEN, 0, 0, 0, 120);
    assert_int_equal(ledger_entry(&l, 10)->state, ENTRY_HOLD_POSTED);
    assert_int_equal(ledger_entry(&l, 60)->debit_account, ANNA);
    t = hold(61, BEN, ANNA, 120);
    assert_int_equal(ask(&l, &t), LEDGER_OK);
    assert_int_equal(post_now(&l, 62, BEN, ISSUER, 1), LEDGER_EXCEEDS_CREDITS);
    t = end_hold(63, 61, TRANSFER_VOID_HOLD, 0);
    assert_int_equal(ask(&l, &t), LEDGER_OK);
    assert_int_equal(ledger_entry(&l, 63)->amount_minor, 120);
    check_totals(&l, BEN, 0, 0, 0, 120);
    assert_int_equal(ledger_entry(&l, 61)->state, ENTRY_HOLD_VOIDED);
    t.id = 64;
    assert_int_equal(ask(&l, &t), LEDGER_HOLD_NOT_OPEN);
    ledger_fini(&l);
}

/* A hold is given back even when an account was closed meanwhile; it is not posted then. */
static void test_hold_on_closed_account(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    set_flags(&l, BEN, ACCOUNT_DEBITS_LIMITED | ACCOUNT_CLOSED);
    struct transfer t = end_hold(60, 10, TRANSFER_POST_HOLD, 300);
    assert_int_equal(ask(&l, &t), LEDGER_CREDIT_CLOSED);
    t = end_hold(61, 10, TRANSFER_VOID_HOLD, 0);
    assert_int_equal(ask(&l, &t), LEDGER_OK);
    check_totals(&l, ANNA, 0, 0, 0, 1000);
    ledger_fini(&l);
}

static void test_hold_expires(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    int64_t due_ns = 1;
    assert_null(ledger_next_expiry(&l, &due_ns));
    static const int64_t times[] = {900, 500, 700, 500};
    for (uint32_t i = 0; i < COUNT(times); i++) {
        struct transfer t = hold(60 + i, ANNA, BEN, 10);
        t.expires_ns = times[i];
        assert_int_equal(ask(&l, &t), LEDGER_OK);
    }
    reload(&l);
    assert_int_equal(ledger_next_expiry(&l, &due_ns)->id, 61); /* the older of two at 500 */
    assert_int_equal(due_ns, 500);
    struct transfer t = end_hold(70, 61, TRANSFER_POST_HOLD, 10);
    assert_int_equal(ask_at(&l, &t, 500), LEDGER_HOLD_NOT_OPEN); /* at its time it is over, */
    t.id = 71;
    assert_int_equal(ask_at(&l, &t, 499), LEDGER_OK); /* before it, it is not */
    static const uint64_t order[] = {63, 62, 60};
    for (uint32_t i = 0; i < COUNT(order); i++) {
        const struct entry *e = ledger_next_expiry(&l, &due_ns);
        assert_int_equal(e->id, order[i]);
        expire(&l, order[i]);
        assert_int_equal(ledger_entry(&l, order[i])->state, ENTRY_HOLD_EXPIRED);
    }
    assert_null(ledger_next_expiry(&l, &due_ns));
    check_totals(&l, ANNA, 300, 10, 0, 1000);
    expect_assert_failure(expire(&l, 60)); /* once only */
    ledger_fini(&l);
}

/* ---- the edges of 63 bits (L4) ---- */

static void test_overflow_of_the_whole(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    world_fill(&l);
    int64_t left_minor = MAX_MINOR - l.posted_minor - l.pending_minor;
    assert_true(left_minor > 0);
    /* Two accounts that hold nothing: neither would overflow, but the sum over all would. */
    assert_int_equal(post_now(&l, 60, SHUT, DOLLARS, 1), LEDGER_CURRENCY_DIFFERS);
    set_flags(&l, SHUT, 0);
    assert_int_equal(post_now(&l, 61, SHUT, BEN, left_minor + 1), LEDGER_OVERFLOW);
    struct transfer t = hold(62, SHUT, BEN, left_minor + 1);
    assert_int_equal(ask(&l, &t), LEDGER_OVERFLOW);
    t = hold(63, SHUT, BEN, left_minor);
    assert_int_equal(ask(&l, &t), LEDGER_OK);
    t = end_hold(64, 10, TRANSFER_POST_HOLD, 300); /* pending becomes posted: nothing is added */
    assert_int_equal(ask(&l, &t), LEDGER_OK);
    assert_int_equal(post_now(&l, 65, ISSUER, BEN, 1), LEDGER_OVERFLOW);
    t = end_hold(66, 63, TRANSFER_VOID_HOLD, 0);
    assert_int_equal(ask(&l, &t), LEDGER_OK);
    assert_int_equal(post_now(&l, 67, SHUT, BEN, left_minor), LEDGER_OK);
    assert_true(l.posted_minor == MAX_MINOR);
    reload(&l);
    assert_int_equal(post_now(&l, 68, BEN, SHUT, 1), LEDGER_OVERFLOW);
    ledger_fini(&l);
}

static void test_overflow_in_a_group(void **state)
{
    (void)state;
    struct ledger l;
    ledger_init(&l, 1);
    for (uint32_t i = 0; i < 4; i++) {
        (void)open_account(&l, 0, LEDGER_CURRENCY_KES);
    }
    struct transfer large[] = {post(1, 0, 1, MAX_MINOR - 5), post(2, 2, 3, 5), post(3, 2, 3, 1)};
    struct ledger_plan plan;
    ledger_plan_init(&plan, &l);
    assert_int_equal(ledger_plan_add(&plan, &large[0]), LEDGER_OK);
    assert_int_equal(ledger_plan_add(&plan, &large[1]), LEDGER_OK);
    assert_int_equal(ledger_plan_add(&plan, &large[2]), LEDGER_OVERFLOW);
    ledger_fini(&l);
}

/* ---- what cannot be is a CHECK, never undefined ---- */

static void test_impossible_events(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    struct ledger_event e = {.kind = EVENT_TRANSFER_POSTED, .transfer = post(60, ANNA, BEN, 701)};
    expect_assert_failure(apply(&l, &e)); /* below zero */
    ledger_fini(&l);
    world_init(&l);
    e.transfer = post(60, FULL, ISSUER, MAX_MINOR);
    expect_assert_failure(apply(&l, &e)); /* overflow */
    ledger_fini(&l);
    world_init(&l);
    e.transfer = post(1, ISSUER, ANNA, 1000);
    expect_assert_failure(apply(&l, &e)); /* an id twice */
    ledger_fini(&l);
    world_init(&l);
    e.transfer = post(60, ANNA, NOBODY, 1);
    expect_assert_failure(apply(&l, &e));
    e.transfer = post(60, ANNA, ANNA, 1);
    expect_assert_failure(apply(&l, &e));
    e.kind = EVENT_HOLD_POSTED;
    e.transfer = end_hold(60, 10, TRANSFER_POST_HOLD, 300);
    expect_assert_failure(apply(&l, &e)); /* not the hold's accounts */
    ledger_fini(&l);
    world_init(&l);
    e.kind = EVENT_ACCOUNT_OPENED;
    e.transfer = (struct transfer){0};
    e.account = ACCOUNTS + 1;
    e.opened.currency = 404;
    expect_assert_failure(apply(&l, &e));                                 /* not the next index */
    expect_assert_failure(set_flags(&l, ISSUER, ACCOUNT_DEBITS_LIMITED)); /* it is below zero */
    ledger_fini(&l);
}

/* Events that say nothing sensible are told apart from events. */
static void test_events_refused(void **state)
{
    (void)state;
    struct ledger_event e;
    uint8_t bytes[64] = {0};
    for (uint16_t kind = 0; kind < 64; kind++) {
        for (size_t size = 0; size <= sizeof(bytes); size++) {
            struct reader r = reader_init(bytes, size);
            bool fine = ledger_event_decode(kind, &r, &e);
            assert_int_equal(fine, kind == EVENT_ACCOUNT_FLAGS_SET && size == 6);
        }
    }
    struct ledger_event refused = {.kind = EVENT_TRANSFER_REFUSED, .result = LEDGER_OVERFLOW};
    refused.transfer = post(60, ANNA, BEN, 1);
    struct writer w = writer_init(bytes, sizeof(bytes));
    ledger_event_encode(&w, &refused);
    for (uint32_t result = 0; result < 256; result++) {
        for (uint32_t kind = 0; kind < 6; kind++) {
            bytes[0] = (uint8_t)result;
            bytes[1] = (uint8_t)kind;
            bool ends = kind != TRANSFER_POST; /* the others have 8 bytes more */
            struct reader r = reader_init(bytes, w.size + (ends ? 8 : 0));
            bool known = result >= 1 && result <= 19 && ledger_result_remembered(result);
            assert_int_equal(ledger_event_decode(EVENT_TRANSFER_REFUSED, &r, &e),
                             known && kind >= 1 && kind <= 4);
        }
    }
    refused.result = LEDGER_REPEATED;
    expect_assert_failure(ledger_event_encode(&w, &refused)); /* is not remembered */
}

/* Every cut and every flipped byte of a saved ledger is refused, or loads something whose checks
 * hold or fail; nothing else happens. */
static void test_load_damaged(void **state)
{
    (void)state;
    struct ledger l;
    world_init(&l);
    uint8_t bytes[4096];
    size_t size = save_to(&l, bytes, sizeof(bytes));
    ledger_fini(&l);
    for (size_t cut = 0; cut < size; cut++) {
        struct reader r = reader_init(bytes, cut);
        ledger_init(&l, 1);
        assert_false(ledger_load(&l, &r));
        ledger_fini(&l);
    }
    uint32_t loaded = 0;
    for (size_t at = 0; at < size; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1u << bit);
            struct reader r = reader_init(bytes, size);
            ledger_init(&l, 1);
            loaded += ledger_load(&l, &r);
            ledger_fini(&l);
            bytes[at] ^= (uint8_t)(1u << bit);
        }
    }
    assert_true(loaded > 0); /* owners and references carry no check of their own */
}

/* ---- random transfers against a naive second ledger ---- */

enum { MODEL_ACCOUNTS = 7, MODEL_RECORDS = 2500, GROUP_MAX = 4 };

struct record {
    struct transfer t;
    uint8_t state;
    uint8_t result;
};

/* A list of what happened. Totals are not kept: they are added up whenever they are needed. */
struct model {
    uint16_t flags[MODEL_ACCOUNTS];
    uint16_t currency[MODEL_ACCOUNTS];
    struct record records[MODEL_RECORDS];
    uint32_t count;
    uint32_t seen[LEDGER_LINKED_FAILED]; /* how often each result came, over all seeds */
};

struct model_totals {
    int64_t debits_pending, debits_posted, credits_pending, credits_posted;
};

static struct model_totals model_totals(const struct model *m, uint32_t account)
{
    struct model_totals s = {0, 0, 0, 0};
    for (uint32_t i = 0; i < m->count; i++) {
        const struct record *r = &m->records[i];
        bool posted = r->state == ENTRY_POSTED && r->t.kind != TRANSFER_VOID_HOLD;
        bool open = r->state == ENTRY_HOLD_OPEN;
        if (r->t.debit_account == account) {
            s.debits_posted += posted ? r->t.amount_minor : 0;
            s.debits_pending += open ? r->t.amount_minor : 0;
        }
        if (r->t.credit_account == account) {
            s.credits_posted += posted ? r->t.amount_minor : 0;
            s.credits_pending += open ? r->t.amount_minor : 0;
        }
    }
    return s;
}

static struct record *model_find(struct model *m, uint64_t id)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->records[i].t.id == id) {
            return &m->records[i];
        }
    }
    return NULL;
}

static bool model_same(const struct transfer *a, const struct transfer *b)
{
    if (a->kind != b->kind || a->reference != b->reference || a->code != b->code) {
        return false;
    }
    switch (a->kind) {
    case TRANSFER_POST:
    case TRANSFER_HOLD:
        return a->amount_minor == b->amount_minor && a->debit_account == b->debit_account &&
               a->credit_account == b->credit_account &&
               (a->kind == TRANSFER_POST || a->expires_ns == b->expires_ns);
    case TRANSFER_POST_HOLD: return a->hold_id == b->hold_id && a->amount_minor == b->amount_minor;
    default: return a->hold_id == b->hold_id;
    }
}

/* Sum of all posted and pending amounts, to see when 63 bits are full. */
static int64_t model_everything(const struct model *m)
{
    int64_t all = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct record *r = &m->records[i];
        bool counts = (r->state == ENTRY_POSTED && r->t.kind != TRANSFER_VOID_HOLD) ||
                      r->state == ENTRY_HOLD_OPEN;
        all += counts ? r->t.amount_minor : 0;
    }
    return all;
}

static enum ledger_result model_accounts(const struct model *m, const struct transfer *t)
{
    if (t->debit_account == t->credit_account) {
        return LEDGER_ACCOUNTS_SAME;
    }
    if (t->debit_account >= MODEL_ACCOUNTS) {
        return LEDGER_DEBIT_UNKNOWN;
    }
    if (t->credit_account >= MODEL_ACCOUNTS) {
        return LEDGER_CREDIT_UNKNOWN;
    }
    if (m->currency[t->debit_account] != m->currency[t->credit_account]) {
        return LEDGER_CURRENCY_DIFFERS;
    }
    if (t->kind == TRANSFER_VOID_HOLD) {
        return LEDGER_OK;
    }
    if ((m->flags[t->debit_account] & ACCOUNT_CLOSED) != 0) {
        return LEDGER_DEBIT_CLOSED;
    }
    return (m->flags[t->credit_account] & ACCOUNT_CLOSED) != 0 ? LEDGER_CREDIT_CLOSED : LEDGER_OK;
}

static enum ledger_result model_money(const struct model *m, const struct transfer *t)
{
    struct model_totals d = model_totals(m, t->debit_account);
    struct model_totals c = model_totals(m, t->credit_account);
    if ((m->flags[t->debit_account] & ACCOUNT_DEBITS_LIMITED) != 0 &&
        t->amount_minor > d.credits_posted - d.debits_posted - d.debits_pending) {
        return LEDGER_EXCEEDS_CREDITS;
    }
    if ((m->flags[t->credit_account] & ACCOUNT_CREDITS_LIMITED) != 0 &&
        t->amount_minor > c.debits_posted - c.credits_posted - c.credits_pending) {
        return LEDGER_EXCEEDS_DEBITS;
    }
    return t->amount_minor > MAX_MINOR - model_everything(m) ? LEDGER_OVERFLOW : LEDGER_OK;
}

/* Decides one transfer and, when it may happen, does it. */
static enum ledger_result model_ask(struct model *m, struct transfer t, int64_t now_ns)
{
    if (t.id == 0) {
        return LEDGER_ID_MISSING;
    }
    if (t.kind < 1 || t.kind > 4) {
        return LEDGER_KIND_UNKNOWN;
    }
    if (t.kind != TRANSFER_VOID_HOLD && t.amount_minor <= 0) {
        return LEDGER_AMOUNT_NOT_POSITIVE;
    }
    const struct record *before = model_find(m, t.id);
    if (before != NULL) {
        bool failed = before->state == ENTRY_REFUSED;
        return !model_same(&t, &before->t) ? LEDGER_ID_REUSED
               : failed                    ? LEDGER_FAILED_BEFORE
                                           : LEDGER_REPEATED;
    }
    struct record *held = NULL;
    if (t.kind == TRANSFER_POST_HOLD || t.kind == TRANSFER_VOID_HOLD) {
        held = model_find(m, t.hold_id);
        if (held == NULL || held->t.kind != TRANSFER_HOLD || held->state == ENTRY_REFUSED) {
            return LEDGER_HOLD_UNKNOWN;
        }
        if (held->state != ENTRY_HOLD_OPEN ||
            (held->t.expires_ns != 0 && held->t.expires_ns <= now_ns)) {
            return LEDGER_HOLD_NOT_OPEN;
        }
        if (t.kind == TRANSFER_POST_HOLD && t.amount_minor > held->t.amount_minor) {
            return LEDGER_HOLD_EXCEEDED;
        }
        t.debit_account = held->t.debit_account;
        t.credit_account = held->t.credit_account;
    }
    enum ledger_result result = model_accounts(m, &t);
    if (result == LEDGER_OK && held == NULL) {
        result = model_money(m, &t);
    }
    if (result == LEDGER_OK && held != NULL) {
        held->state = t.kind == TRANSFER_POST_HOLD ? ENTRY_HOLD_POSTED : ENTRY_HOLD_VOIDED;
    }
    if (result == LEDGER_OK) {
        uint8_t state = t.kind == TRANSFER_HOLD ? ENTRY_HOLD_OPEN : ENTRY_POSTED;
        m->records[m->count++] = (struct record){t, state, LEDGER_OK};
    }
    return result;
}

static struct transfer draw_transfer(struct test_random *r, const struct model *m)
{
    if (m->count > 0 && random_percent(r, 15)) { /* a retry, sometimes with something changed */
        struct transfer t = m->records[random_below(r, m->count)].t;
        t.amount_minor += random_percent(r, 20);
        t.reference += random_percent(r, 10);
        return t;
    }
    struct transfer t = post(1 + random_below(r, 20000), 0, 0, 0);
    t.debit_account = random_below(r, MODEL_ACCOUNTS + 1);
    t.credit_account = random_below(r, MODEL_ACCOUNTS + 1);
    t.amount_minor = random_below(r, 60);
    t.kind = (uint16_t)(random_percent(r, 1) ? random_below(r, 9) : 1 + random_below(r, 4));
    t.hold_id = random_below(r, 4000);
    if (m->count > 0 && random_percent(r, 90)) {
        t.hold_id = m->records[m->count - 1 - random_below(r, m->count < 40 ? m->count : 40)].t.id;
    }
    t.expires_ns = random_percent(r, 50) ? (int64_t)r->step + random_below(r, 80) : 0;
    if (random_percent(r, 4)) {
        t.amount_minor = MAX_MINOR >> (1 + random_below(r, 4));
        t.debit_account = 0; /* the one that has no limit */
    }
    t.code = (uint16_t)random_below(r, 3);
    t.id = random_percent(r, 1) ? 0 : t.id;
    return t;
}

/* A group in the ledger and in the model: the same answers, all done or nothing. */
static void ask_both(struct test_random *r, struct ledger *l, struct model *m, struct model *backup)
{
    uint32_t count = random_percent(r, 70) ? 1 : 1 + random_below(r, GROUP_MAX);
    struct ledger_plan plan;
    ledger_plan_init(&plan, l);
    plan.now_ns = (int64_t)r->step;
    backup->count = m->count;
    memcpy(backup->records, m->records, m->count * sizeof(m->records[0]));
    for (uint32_t i = 0; i < count; i++) {
        struct transfer t = draw_transfer(r, m);
        enum ledger_result expected = model_ask(m, t, plan.now_ns);
        if (expected >= LEDGER_HOLD_UNKNOWN || expected == LEDGER_OK) {
            /* A hold of this very group is not known yet. */
            bool inside = (t.kind == TRANSFER_POST_HOLD || t.kind == TRANSFER_VOID_HOLD) &&
                          ledger_entry(l, t.hold_id) == NULL;
            expected = inside ? LEDGER_HOLD_UNKNOWN : expected;
        }
        enum ledger_result result = ledger_plan_add(&plan, &t);
        REQUIRE(r, result == expected);
        m->seen[result]++;
        if (result == LEDGER_OK) {
            continue;
        }
        m->count = backup->count;
        memcpy(m->records, backup->records, m->count * sizeof(m->records[0]));
        if (count == 1 && ledger_result_remembered(result)) {
            m->records[m->count++] = (struct record){t, ENTRY_REFUSED, (uint8_t)result};
            refuse(l, &t, result);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct ledger_event e;
        ledger_plan_event(&plan, i, &e);
        apply(l, &e);
    }
}

/* Ends what is due in both; the ledger's order is by time, then by age. */
static void expire_both(struct test_random *r, struct ledger *l, struct model *m)
{
    int64_t due_ns;
    const struct entry *first = ledger_next_expiry(l, &due_ns);
    while (first != NULL && due_ns <= (int64_t)r->step) {
        struct record *expected = NULL;
        for (uint32_t i = 0; i < m->count; i++) {
            struct record *c = &m->records[i];
            bool open = c->state == ENTRY_HOLD_OPEN && c->t.expires_ns != 0;
            if (open && (expected == NULL || c->t.expires_ns < expected->t.expires_ns)) {
                expected = c;
            }
        }
        REQUIRE(r, expected != NULL && expected->t.id == first->id);
        expected->state = ENTRY_HOLD_EXPIRED;
        struct ledger_event e = {.kind = EVENT_HOLD_EXPIRED};
        e.transfer.hold_id = first->id;
        apply(l, &e);
        first = ledger_next_expiry(l, &due_ns);
    }
}

static void compare_both(struct test_random *r, const struct ledger *l, struct model *m)
{
    for (uint32_t i = 0; i < MODEL_ACCOUNTS; i++) {
        const struct account *a = ledger_account(l, i);
        struct model_totals s = model_totals(m, i);
        REQUIRE(r, a->debits_pending == s.debits_pending && a->debits_posted == s.debits_posted);
        REQUIRE(r,
                a->credits_pending == s.credits_pending && a->credits_posted == s.credits_posted);
    }
    REQUIRE(r, l->entries.used == m->count);
    REQUIRE(r, l->posted_minor + l->pending_minor == model_everything(m));
}

static void random_story(uint64_t seed, struct model *m, struct model *backup)
{
    static const uint16_t flags[MODEL_ACCOUNTS] = {
        0,
        ACCOUNT_DEBITS_LIMITED,
        ACCOUNT_DEBITS_LIMITED,
        ACCOUNT_DEBITS_LIMITED,
        ACCOUNT_CREDITS_LIMITED,
        ACCOUNT_CLOSED,
        ACCOUNT_DEBITS_LIMITED,
    };
    struct test_random r = random_from(seed);
    struct ledger l;
    ledger_init(&l, random_next(&r));
    m->count = 0;
    for (uint32_t i = 0; i < MODEL_ACCOUNTS; i++) {
        m->flags[i] = flags[i];
        m->currency[i] = i == 6 ? 840 : 404;
        (void)open_account(&l, m->flags[i], m->currency[i]);
    }
    for (r.step = 0; r.step < 2000 && m->count < MODEL_RECORDS - 8; r.step++) {
        ask_both(&r, &l, m, backup);
        if (random_percent(&r, 10)) {
            expire_both(&r, &l, m);
        }
        compare_both(&r, &l, m);
        if (r.step % 100 == 0) {
            ledger_check(&l);
        }
        if (random_percent(&r, 1)) {
            reload(&l);
        }
    }
    ledger_check(&l);
    reload(&l);
    ledger_fini(&l);
}

static void test_against_naive_ledger(void **state)
{
    (void)state;
    struct model *m = calloc(1, sizeof(*m));
    struct model *backup = calloc(1, sizeof(*backup));
    assert_non_null(m);
    assert_non_null(backup);
    for (uint64_t seed = 1; seed <= 25; seed++) {
        random_story(seed, m, backup);
    }
    for (uint32_t i = 0; i < COUNT(m->seen); i++) {
        if (m->seen[i] == 0) {
            fail_msg("never seen: %s", ledger_result_text(i));
        }
    }
    free(m);
    free(backup);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_result_texts),
        cmocka_unit_test(test_payload_compared),
        cmocka_unit_test(test_ignored_fields),
        cmocka_unit_test(test_failure_remembered),
        cmocka_unit_test(test_group_builds_on_itself),
        cmocka_unit_test(test_group_same_id_twice),
        cmocka_unit_test(test_group_ends_hold_once),
        cmocka_unit_test(test_group_full),
        cmocka_unit_test(test_hold_ends),
        cmocka_unit_test(test_hold_on_closed_account),
        cmocka_unit_test(test_hold_expires),
        cmocka_unit_test(test_overflow_of_the_whole),
        cmocka_unit_test(test_overflow_in_a_group),
        cmocka_unit_test(test_impossible_events),
        cmocka_unit_test(test_events_refused),
        cmocka_unit_test(test_load_damaged),
        cmocka_unit_test(test_against_naive_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
