/*
 * states.c - the tables of states, reasons, effects and types: their names, and which moves are
 * allowed.
 */
#include <stddef.h>

#include "base/caltime.h"
#include "merchant/merchant.h"

struct state_row {
    const char *name;
    const char *stk;
    bool ended;
    bool retryable;
};

static const struct state_row *row_of(uint8_t state)
{
    static const struct state_row rows[GATEWAY_STATES_END] = {
#define X(name, number, status, stk, ended, retryable) [number] = {status, stk, ended, retryable},
        GATEWAY_STATES(X)
#undef X
    };
    CHECK(state >= GATEWAY_CREATED && state < GATEWAY_STATES_END);
    return &rows[state];
}

const char *gateway_state_name(uint8_t state)
{
    return row_of(state)->name;
}

const char *gateway_state_stk_name(uint8_t state)
{
    return row_of(state)->stk;
}

bool gateway_state_ended(uint8_t state)
{
    return row_of(state)->ended;
}

bool gateway_state_retryable(uint8_t state)
{
    return row_of(state)->retryable;
}

bool gateway_state_may_move(uint8_t from, uint8_t to)
{
    /* Legal moves as bits of the states they lead to (docs/merchant.md, "The payment"). */
    enum {
        ENDS = 1 << GATEWAY_FAILED | 1 << GATEWAY_EXPIRED | 1 << GATEWAY_CANCELLED,
    };
    static const uint16_t moves[GATEWAY_STATES_END] = {
        [GATEWAY_CREATED] = 1 << GATEWAY_SUBMITTED | 1 << GATEWAY_FAILED,
        [GATEWAY_SUBMITTED] = 1 << GATEWAY_PENDING | 1 << GATEWAY_UNCONFIRMED | 1 << GATEWAY_FAILED,
        [GATEWAY_PENDING] =
            1 << GATEWAY_UNCONFIRMED | 1 << GATEWAY_MISMATCHED | 1 << GATEWAY_SUCCEEDED | ENDS,
        [GATEWAY_UNCONFIRMED] = 1 << GATEWAY_MISMATCHED | 1 << GATEWAY_SUCCEEDED | ENDS,
        [GATEWAY_MISMATCHED] = 1 << GATEWAY_SUCCEEDED | 1 << GATEWAY_FAILED,
        [GATEWAY_FAILED] = 1 << GATEWAY_SUCCEEDED,
        [GATEWAY_EXPIRED] = 1 << GATEWAY_SUCCEEDED,
        [GATEWAY_CANCELLED] = 1 << GATEWAY_SUCCEEDED,
        [GATEWAY_SUCCEEDED] = 1 << GATEWAY_REVERSED,
    };
    CHECK(from >= GATEWAY_CREATED && from < GATEWAY_STATES_END);
    CHECK(to >= GATEWAY_CREATED && to < GATEWAY_STATES_END);
    return (moves[from] >> to & 1) != 0;
}

const char *gateway_method_name(uint8_t method)
{
    static const char *const names[METHOD_LAST + 1] = {
        NULL, "mpesa_stk", "paystack", "mpesa_b2c", "mpesa_reversal", "paystack_refund"};
    return method <= METHOD_LAST ? names[method] : NULL;
}

const char *gateway_escrow_name(uint8_t escrow)
{
    static const char *const names[] = {"none", "held", "released", "refunded"};
    return escrow <= ESCROW_REFUNDED ? names[escrow] : NULL;
}

const char *gateway_reason_name(uint8_t reason)
{
    switch (reason) {
#define X(name, number, text, words) \
    case number: return text;
        GATEWAY_REASONS(X)
#undef X
    default: return NULL;
    }
}

const char *gateway_reason_words(uint8_t reason)
{
    switch (reason) {
#define X(name, number, text, words) \
    case number: return words;
        GATEWAY_REASONS(X)
#undef X
    default: return NULL;
    }
}

const char *gateway_judgement_name(uint8_t judgement)
{
    switch (judgement) {
#define X(name, number, text) \
    case number: return text;
        GATEWAY_JUDGEMENTS(X)
#undef X
    default: return NULL;
    }
}

const char *notice_effect_name(uint8_t effect)
{
    switch (effect) {
#define X(name, number, text) \
    case number: return text;
        NOTICE_EFFECTS(X)
#undef X
    default: return NULL;
    }
}

const char *receipt_state_name(uint8_t state)
{
    switch (state) {
#define X(name, number, text) \
    case number: return text;
        RECEIPT_STATES(X)
#undef X
    default: return NULL;
    }
}

const char *discrepancy_kind_name(uint8_t kind)
{
    switch (kind) {
#define X(name, number, text, words) \
    case number: return text;
        DISCREPANCY_KINDS(X)
#undef X
    default: return NULL;
    }
}

const char *discrepancy_kind_words(uint8_t kind)
{
    switch (kind) {
#define X(name, number, text, words) \
    case number: return words;
        DISCREPANCY_KINDS(X)
#undef X
    default: return NULL;
    }
}

const char *discrepancy_reason_name(uint8_t reason)
{
    switch (reason) {
#define X(name, number, text) \
    case number: return text;
        DISCREPANCY_REASONS(X)
#undef X
    default: return NULL;
    }
}

const char *gateway_pull_state_name(uint8_t state)
{
    switch (state) {
#define X(name, number, text) \
    case number: return text;
        GATEWAY_PULL_STATES(X)
#undef X
    default: return NULL;
    }
}

const char *c2b_state_name(uint8_t state)
{
    switch (state) {
#define X(name, number, text) \
    case number: return text;
        GATEWAY_C2B_STATES(X)
#undef X
    default: return NULL;
    }
}

const char *feed_type_name(uint16_t type)
{
    switch (type) {
#define X(name, number, text) \
    case number: return text;
        FEED_TYPES(X)
#undef X
    default: return NULL;
    }
}

int64_t gateway_rung_ns(uint8_t rung)
{
    static const int64_t seconds[GATEWAY_RUNGS] = {60, 120, 300, 900, 3600, 14400, 43200, 86400};
    CHECK(rung < GATEWAY_RUNGS);
    return seconds[rung] * NS_PER_S;
}
