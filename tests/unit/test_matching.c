/*
 * test_matching.c - the order in which a line from outside is matched to a payment, and what is
 * never applied by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/matching.h"
#include "support/random.h"

#define MINUTE ((int64_t)60 * 1000 * 1000 * 1000)

static const struct matching_side line = {.receipt = SPAN_LITERAL("NLJ7RT61SV"),
                                          .ids = {SPAN_LITERAL("ws_CO_1")},
                                          .amount_minor = 10000,
                                          .phone = 254708374149,
                                          .account = SPAN_LITERAL("INV-7"),
                                          .at_ns = 1000 * MINUTE};

static struct matching find(const struct matching_side *candidates, size_t count)
{
    struct matching m;
    matching_find(&line, candidates, count, &m);
    return m;
}

static void the_order_is_receipt_id_alike_suggestion(void **state)
{
    (void)state;
    const struct matching_side candidates[] = {
        {.amount_minor = 10000, .phone = 254708374149},
        {.amount_minor = 10000,
         .phone = 254708374149,
         .account = SPAN_LITERAL("INV-7"),
         .at_ns = 1014 * MINUTE},
        {.ids = {SPAN_EMPTY, SPAN_LITERAL("ws_CO_1")}, .amount_minor = 1},
        {.receipt = SPAN_LITERAL("NLJ7RT61SV")},
    };
    static const enum matching_strength strengths[] = {MATCHING_SUGGESTED, MATCHING_UNIQUE,
                                                       MATCHING_ID, MATCHING_RECEIPT};
    for (size_t count = 1; count <= 4; count++) {
        struct matching m = find(candidates, count);
        assert_int_equal(m.strength, strengths[count - 1]);
        assert_int_equal(m.index, count - 1);
        assert_int_equal(matching_applies(&m), count > 1);
    }
}

static void what_is_alike_must_be_the_only_one(void **state)
{
    (void)state;
    struct matching_side twins[2] = {{.amount_minor = 10000,
                                      .phone = 254708374149,
                                      .account = SPAN_LITERAL("INV-7"),
                                      .at_ns = 1000 * MINUTE}};
    twins[1] = twins[0];
    struct matching m = find(twins, 2);
    assert_int_equal(m.strength, MATCHING_SUGGESTED);
    assert_false(matching_applies(&m));
    twins[1].at_ns = 1016 * MINUTE; /* outside the window */
    m = find(twins, 2);
    assert_true(m.strength == MATCHING_UNIQUE && matching_applies(&m));
}

static void a_receipt_claimed_twice_is_not_applied(void **state)
{
    (void)state;
    const struct matching_side twins[] = {{.receipt = SPAN_LITERAL("NLJ7RT61SV")},
                                          {.receipt = SPAN_LITERAL("NLJ7RT61SV")}};
    struct matching m = find(twins, 2);
    assert_true(m.strength == MATCHING_RECEIPT && m.similar == 2 && !matching_applies(&m));
}

static void weaker_is_only_suggested_and_unknown_matches_nothing(void **state)
{
    (void)state;
    static const struct {
        struct matching_side candidate;
        enum matching_strength strength;
    } rows[] = {
        {{.amount_minor = 10000}, MATCHING_NONE},
        {{.amount_minor = 10000, .account = SPAN_LITERAL("INV-7")}, MATCHING_SUGGESTED},
        /* The phone is masked on one side. */
        {{.amount_minor = 10000, .account = SPAN_LITERAL("INV-7"), .at_ns = 1000 * MINUTE},
         MATCHING_SUGGESTED},
        {{.amount_minor = 10001,
          .phone = 254708374149,
          .account = SPAN_LITERAL("INV-7"),
          .at_ns = 1000 * MINUTE},
         MATCHING_NONE},
        /* Alike, but with a receipt of its own: another transaction. */
        {{.receipt = SPAN_LITERAL("NLJ7RT61SW"),
          .amount_minor = 10000,
          .phone = 254708374149,
          .account = SPAN_LITERAL("INV-7"),
          .at_ns = 1000 * MINUTE},
         MATCHING_NONE},
        {{.receipt = SPAN_LITERAL("")}, MATCHING_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(find(&rows[i].candidate, 1).strength, rows[i].strength);
    }
    const struct matching_side blank = {.amount_minor = 0};
    struct matching m;
    matching_find(&blank, &blank, 1, &m);
    assert_int_equal(m.strength, MATCHING_NONE);
    assert_int_equal(find(NULL, 0).strength, MATCHING_NONE);
}

/* Whatever the order of the candidates: the same strength, and the same payment when it applies. */
static void the_order_of_candidates_does_not_matter(void **state)
{
    (void)state;
    static const char *const receipts[] = {"", "NLJ7RT61SV", "NLJ7RT61SW"};
    static const char *const accounts[] = {"", "INV-7", "INV-8"};
    struct matching_side candidates[6];
    struct matching_side turned[6];
    struct test_random r = random_from(7);
    uint32_t applied = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        size_t count = random_below(&r, 6) + 1;
        for (size_t i = 0; i < count; i++) {
            candidates[i] =
                (struct matching_side){.receipt = span_from(receipts[random_below(&r, 3)]),
                                       .amount_minor = 10000 + random_below(&r, 2),
                                       .phone = 254708374149 + random_below(&r, 2),
                                       .account = span_from(accounts[random_below(&r, 3)]),
                                       .at_ns = (980 + (int64_t)random_below(&r, 40)) * MINUTE};
            turned[count - 1 - i] = candidates[i];
        }
        struct matching a = find(candidates, count);
        struct matching b = find(turned, count);
        assert_true(a.strength == b.strength && a.similar == b.similar);
        if (matching_applies(&a)) {
            assert_int_equal(a.index, count - 1 - b.index);
            applied++;
        }
    }
    assert_true(applied > 1000); /* it does happen */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_receipt_id_alike_suggestion),
        cmocka_unit_test(what_is_alike_must_be_the_only_one),
        cmocka_unit_test(a_receipt_claimed_twice_is_not_applied),
        cmocka_unit_test(weaker_is_only_suggested_and_unknown_matches_nothing),
        cmocka_unit_test(the_order_of_candidates_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
