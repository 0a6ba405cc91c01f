/*
 * daraja_url.h - what a callback URL must look like when a request names it.
 *
 * Guarantees: pure text; no name is resolved. It tells a developer early what cannot work; whether
 * an address may be connected to is decided again when the delivery connects.
 * Tests: tests/unit/test_daraja_url.c.
 */
#ifndef HAKIKA_WIRE_DARAJA_URL_H
#define HAKIKA_WIRE_DARAJA_URL_H

#include <stdbool.h>

#include "base/check.h"
#include "base/span.h"

enum { DARAJA_URL_BYTES_MAX = 1024 };

/* What a callback URL must be, by profile. */
struct daraja_url_rule {
    bool https_only;
    bool public_only; /* refuses localhost, bare names and private addresses written as literals */
};

/*
 * An absolute http or https URL with a host and no user in it. NULL when it is fine, otherwise what
 * is wrong with it, to follow the name of the field ("must be an absolute URL").
 */
const char *daraja_url_refusal(struct span url, const struct daraja_url_rule *rule) MUST_USE;

#endif
