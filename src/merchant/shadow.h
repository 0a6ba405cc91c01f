/*
 * shadow.h - shadow mode (R6.12): calls of an application to Daraja that went through us unchanged,
 * as they were seen. Nothing here acts: no payment, no money, no message comes of them.
 */
#ifndef HAKIKA_MERCHANT_SHADOW_H
#define HAKIKA_MERCHANT_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "merchant/fields.h"
#include "merchant/limits.h"

enum { GATEWAY_SHADOW_TEXT_MAX = 2000, GATEWAY_SHADOWS_MAX = 64 * 1024 * 1024 };

/* Secrets in it are masked by whoever saw it. */
#define FIELDS_SHADOW_SEEN(X)                             \
    X(u64, number)                                        \
    X(u16, status) /* of the answer; 0: there was none */ \
    X(u8, error)   /* enum delivery_error */              \
    X(u32, duration_ms)                                   \
    X(text, path) /* "POST /mpesa/stkpush/v1/..." */      \
    X(text, request)                                      \
    X(text, answer)

#define GATEWAY_SHADOW_FIELDS(X) \
    X(u64, number) /* from 1 */  \
    X(u64, position)             \
    X(i64, at_ns)                \
    X(u32, duration_ms)          \
    X(u32, path) /* texts */     \
    X(u32, request)              \
    X(u32, answer)               \
    X(u16, status)               \
    X(u8, error)
struct gateway_shadow {
    GATEWAY_SHADOW_FIELDS(FIELD_DECLARE)
};

struct shadow_command {
    uint16_t status;
    uint8_t error;
    uint32_t duration_ms;
    struct span path;
    struct span request;
    struct span answer;
};

struct gateway;
/* NULL when there is none. */
const struct gateway_shadow *gateway_shadow(const struct gateway *g, uint64_t number);

#endif
