/*
 * test_observation.c - which claim overwrites which (R2.5, R5.4), what may be tried again (R2.1),
 * and that every number has a name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/observation.h"

static void nothing_overwrites_a_success(void **state)
{
    (void)state;
    for (uint32_t by = OBSERVED_BY_SUBMISSION; by <= OBSERVED_BY_STATEMENT; by++) {
        for (uint32_t verdict = OBSERVED_UNKNOWN; verdict <= OBSERVED_REFUSED; verdict++) {
            assert_false(observation_overwrites((enum observation_verdict)verdict,
                                                (enum observation_source)by, OBSERVED_SUCCEEDED,
                                                OBSERVED_BY_SUBMISSION));
        }
    }
}

static void a_late_success_overwrites_a_failure_of_its_rank_or_below(void **state)
{
    (void)state;
    assert_true(observation_overwrites(OBSERVED_SUCCEEDED, OBSERVED_BY_CALLBACK, OBSERVED_FAILED,
                                       OBSERVED_BY_QUERY));
    assert_true(observation_overwrites(OBSERVED_SUCCEEDED, OBSERVED_BY_CALLBACK, OBSERVED_FAILED,
                                       OBSERVED_BY_CALLBACK));
    assert_false(observation_overwrites(OBSERVED_SUCCEEDED, OBSERVED_BY_QUERY, OBSERVED_FAILED,
                                        OBSERVED_BY_STATUS));
    assert_false(observation_overwrites(OBSERVED_FAILED, OBSERVED_BY_STATEMENT, OBSERVED_FAILED,
                                        OBSERVED_BY_QUERY));
    assert_false(observation_overwrites(OBSERVED_IN_FLIGHT, OBSERVED_BY_STATEMENT, OBSERVED_FAILED,
                                        OBSERVED_BY_QUERY));
}

static void the_definite_overwrites_what_is_not(void **state)
{
    (void)state;
    assert_true(observation_overwrites(OBSERVED_FAILED, OBSERVED_BY_SUBMISSION, OBSERVED_IN_FLIGHT,
                                       OBSERVED_BY_STATUS));
    assert_true(observation_overwrites(OBSERVED_SUCCEEDED, OBSERVED_BY_QUERY, OBSERVED_UNKNOWN,
                                       OBSERVED_BY_SUBMISSION));
    assert_true(observation_overwrites(OBSERVED_IN_FLIGHT, OBSERVED_BY_QUERY, OBSERVED_UNKNOWN,
                                       OBSERVED_BY_SUBMISSION));
    assert_false(observation_overwrites(OBSERVED_UNKNOWN, OBSERVED_BY_STATEMENT, OBSERVED_IN_FLIGHT,
                                        OBSERVED_BY_SUBMISSION));
    assert_false(observation_overwrites(OBSERVED_IN_FLIGHT, OBSERVED_BY_QUERY, OBSERVED_IN_FLIGHT,
                                        OBSERVED_BY_SUBMISSION));
}

static void only_a_definite_end_may_be_tried_again(void **state)
{
    (void)state;
    assert_true(observation_retryable(OBSERVED_FAILED, OBSERVED_REASON_EXPIRED));
    assert_true(observation_retryable(OBSERVED_FAILED, OBSERVED_REASON_FUNDS));
    assert_true(observation_retryable(OBSERVED_FAILED, OBSERVED_REASON_CANCELLED));
    assert_true(observation_retryable(OBSERVED_REFUSED, OBSERVED_REASON_TOKEN));
    assert_false(observation_retryable(OBSERVED_REFUSED, OBSERVED_REASON_DUPLICATE));
    assert_false(observation_retryable(OBSERVED_FAILED, OBSERVED_REASON_PIN_LOCKED));
    assert_false(observation_retryable(OBSERVED_UNKNOWN, OBSERVED_REASON_EXPIRED));
    assert_false(observation_retryable(OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE));
    assert_false(observation_retryable(OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE));
}

static void every_number_has_a_name(void **state)
{
    (void)state;
    for (uint32_t i = OBSERVED_PAYMENT; i <= OBSERVED_TRANSFER; i++) {
        assert_string_not_equal(observation_kind_name((enum observation_kind)i), "unknown");
    }
    for (uint32_t i = OBSERVED_BY_SUBMISSION; i <= OBSERVED_BY_STATEMENT; i++) {
        assert_string_not_equal(observation_source_name((enum observation_source)i), "unknown");
    }
    for (uint32_t i = OBSERVED_REASON_NONE; i <= OBSERVED_REASON_OTHER; i++) {
        assert_string_not_equal(observation_reason_name((enum observation_reason)i), "unknown");
    }
    assert_string_equal(observation_verdict_name(OBSERVED_IN_FLIGHT), "in_flight");
    assert_string_equal(observation_verdict_name((enum observation_verdict)77), "unknown");
    assert_string_equal(observation_kind_name(OBSERVED_NOTHING), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_overwrites_a_success),
        cmocka_unit_test(a_late_success_overwrites_a_failure_of_its_rank_or_below),
        cmocka_unit_test(the_definite_overwrites_what_is_not),
        cmocka_unit_test(only_a_definite_end_may_be_tried_again),
        cmocka_unit_test(every_number_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
