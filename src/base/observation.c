/*
 * observation.c - see observation.h.
 */
#include "base/observation.h"

const char *observation_kind_name(enum observation_kind kind)
{
    switch (kind) {
    case OBSERVED_NOTHING: break;
#define X(name, number, text) \
    case OBSERVED_##name: return text;
        OBSERVATION_KINDS(X)
#undef X
    }
    return "unknown";
}

const char *observation_source_name(enum observation_source source)
{
    switch (source) {
#define X(name, number, rank, text) \
    case OBSERVED_BY_##name: return text;
        OBSERVATION_SOURCES(X)
#undef X
    }
    return "unknown";
}

const char *observation_verdict_name(enum observation_verdict verdict)
{
    switch (verdict) {
#define X(name, number, text) \
    case OBSERVED_##name: return text;
        OBSERVATION_VERDICTS(X)
#undef X
    }
    return "unknown";
}

const char *observation_reason_name(enum observation_reason reason)
{
    switch (reason) {
#define X(name, number, text) \
    case OBSERVED_REASON_##name: return text;
        OBSERVATION_REASONS(X)
#undef X
    }
    return "unknown";
}

uint32_t observation_rank(enum observation_source source)
{
    uint32_t found = 0;
    switch (source) {
#define X(name, number, rank, text) \
    case OBSERVED_BY_##name: found = rank; break;
        OBSERVATION_SOURCES(X)
#undef X
    }
    CHECK(found > 0);
    return found;
}

bool observation_overwrites(enum observation_verdict later, enum observation_source later_by,
                            enum observation_verdict earlier, enum observation_source earlier_by)
{
    uint32_t later_rank = observation_rank(later_by);
    uint32_t earlier_rank = observation_rank(earlier_by);
    if (earlier == OBSERVED_SUCCEEDED || later == OBSERVED_UNKNOWN) {
        return false;
    }
    if (earlier == OBSERVED_FAILED) {
        return later == OBSERVED_SUCCEEDED && later_rank >= earlier_rank;
    }
    if (observation_is_definite(later)) {
        return true;
    }
    return earlier == OBSERVED_UNKNOWN && later == OBSERVED_IN_FLIGHT;
}

bool observation_retryable(enum observation_verdict verdict, enum observation_reason reason)
{
    if (verdict == OBSERVED_REFUSED) {
        return reason != OBSERVED_REASON_DUPLICATE;
    }
    if (verdict != OBSERVED_FAILED) {
        return false;
    }
    switch (reason) {
    case OBSERVED_REASON_FUNDS:
    case OBSERVED_REASON_CANCELLED:
    case OBSERVED_REASON_EXPIRED:
    case OBSERVED_REASON_UNREACHABLE:
    case OBSERVED_REASON_WRONG_PIN:
    case OBSERVED_REASON_PHONE_BUSY:
    case OBSERVED_REASON_BUSY:
    case OBSERVED_REASON_PROVIDER: return true;
    case OBSERVED_REASON_NONE:
    case OBSERVED_REASON_LIMIT:
    case OBSERVED_REASON_PIN_LOCKED:
    case OBSERVED_REASON_RECEIVER:
    case OBSERVED_REASON_CREDENTIALS:
    case OBSERVED_REASON_CONFIGURATION:
    case OBSERVED_REASON_REQUEST:
    case OBSERVED_REASON_DUPLICATE:
    case OBSERVED_REASON_REVERSED:
    case OBSERVED_REASON_NOT_FOUND:
    case OBSERVED_REASON_TOKEN:
    case OBSERVED_REASON_OTHER: return false;
    }
    return false;
}
