/*
 * base64.h - RFC 4648 base64 with the standard alphabet, as HTTP Basic and Daraja's Password do.
 *
 * Guarantees: decoding refuses every character outside the alphabet, padding in the wrong place and
 * stray bits, so that one value has one text; only the padding itself may be left out.
 * Tests: tests/unit/test_daraja_auth.c.
 */
#ifndef HAKIKA_WIRE_BASE64_H
#define HAKIKA_WIRE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"

void base64_encode(struct writer *w, struct span bytes);
/* False when malformed or when it does not fit. */
bool base64_decode(struct span text, char *out, size_t capacity, size_t *size_out) MUST_USE;

#endif
