/*
 * claim.c - the names of what claims say and where they come from.
 */
#include "merchant/claim.h"

#include <stddef.h>

const char *merchant_source_name(uint8_t source)
{
    switch (source) {
#define X(name, number, text) \
    case number: return text;
        MERCHANT_SOURCES(X)
#undef X
    default: return NULL;
    }
}

const char *merchant_verdict_name(uint8_t verdict)
{
    switch (verdict) {
#define X(name, number, text) \
    case number: return text;
        MERCHANT_VERDICTS(X)
#undef X
    default: return NULL;
    }
}

const char *merchant_call_name(uint8_t kind)
{
    switch (kind) {
#define X(name, number, text) \
    case number: return text;
        MERCHANT_CALLS(X)
#undef X
    default: return NULL;
    }
}
