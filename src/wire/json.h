/*
 * json.h - JSON in (json-c, with our limits on size and nesting) and JSON out (straight into a
 * writer, no tree).
 *
 * Guarantees: input over the limits, with trailing bytes, with duplicate keys or with invalid
 * UTF-8 is refused with a reason; numbers keep their text; output is valid JSON whatever the text.
 */
#ifndef HAKIKA_WIRE_JSON_H
#define HAKIKA_WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/span.h"

enum {
    JSON_DEPTH_MAX = 16,
    JSON_BYTES_MAX = 256 * 1024,
};

struct json_object; /* json-c's */

/* Owns the tree of one parse and the texts made from it; reusable, one per thread. */
struct json_scratch;
struct json_scratch *json_scratch_create(void);
void json_scratch_destroy(struct json_scratch *scratch);

/* NULL, with a sentence in *why, when the text is not one acceptable JSON value. The value lives
 * until the next parse with this scratch. */
struct json_object *json_parse(struct json_scratch *scratch, struct span text, const char **why);

bool json_is_object(const struct json_object *value);
/* NULL when absent. Key comparison is exact. */
struct json_object *json_member(const struct json_object *object, const char *name);
bool json_is_array(const struct json_object *value);
bool json_is_null(const struct json_object *value);
size_t json_count(const struct json_object *array); /* 0 when it is no array */
struct json_object *json_item(const struct json_object *array, size_t index);
/* A string's bytes, or a number's text as it was sent; false for other kinds, and for integers that
 * json_integer refuses. */
bool json_text(struct json_scratch *scratch, struct json_object *value, struct span *out);
bool json_string(struct json_object *value, struct span *out); /* strings only */
/* A whole number, sent as a number or as a string of digits. */
bool json_whole(struct json_scratch *scratch, struct json_object *value, int64_t *out);
/* JSON integers only; false at the ends of the range of int64_t and beyond. */
bool json_integer(struct json_object *value, int64_t *out);
bool json_boolean(struct json_object *value, bool *out);
/* The value as text without spaces, into w. */
void json_compact(struct json_object *value, struct writer *w);

/* Output. Commas are placed here: a key, a value or a bracket that opens gets one in front when the
 * last byte written is the end of another. (A space or a line feed is no such end: what stands in
 * front of a document may be anything that ends in one.) */
void json_raw(struct writer *w, const char *text); /* as it is, without a comma */
void json_open(struct writer *w, char bracket);    /* '{' or '[' */
void json_close(struct writer *w, char bracket);   /* '}' or ']' */
void json_key(struct writer *w, const char *name);
void json_put_string(struct writer *w,
                     struct span text); /* quoted, escaped, invalid UTF-8 -> U+FFFD */
void json_put_i64(struct writer *w, int64_t value);
void json_put_u64(struct writer *w, uint64_t value);
void json_put_bool(struct writer *w, bool value);
void json_put_null(struct writer *w);
/* key and value in one call */
void json_field_string(struct writer *w, const char *name, struct span text);
void json_field_text(struct writer *w, const char *name, const char *text);
void json_field_i64(struct writer *w, const char *name, int64_t value);
void json_field_u64(struct writer *w, const char *name, uint64_t value);
void json_field_bool(struct writer *w, const char *name, bool value);
void json_field_null(struct writer *w, const char *name);

#endif
