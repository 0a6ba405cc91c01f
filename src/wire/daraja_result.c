/*
 * daraja_result.c - see daraja_result.h. Tests: tests/unit/test_daraja_stk.c.
 */
#include "wire/daraja_result.h"

static const struct daraja_result_text daraja_results[DARAJA_RESULT_COUNT] = {
#define X(name, code, desc, meaning) [DARAJA_RESULT_##name] = {(code), (desc), (meaning)},
    DARAJA_RESULTS(X)
#undef X
};

const struct daraja_result_text *daraja_result_text(enum daraja_result_kind kind)
{
    CHECK(kind < DARAJA_RESULT_COUNT);
    return &daraja_results[kind];
}

const struct daraja_result_text *daraja_result_find(struct span code)
{
    for (unsigned kind = 0; kind < DARAJA_RESULT_COUNT; kind++) {
        if (span_is(code, daraja_results[kind].code)) {
            return &daraja_results[kind];
        }
    }
    return NULL;
}
