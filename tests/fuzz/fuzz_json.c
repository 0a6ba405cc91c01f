/*
 * fuzz_json.c - any bytes as JSON text and as the text of a string.
 *
 * Must hold: what is accepted is what json-c in its strict mode accepts, too; it is accepted again
 * when json-c prints the tree, and the print of that is the same; a string that we write is read
 * back as it was, or as U+FFFD where it was no UTF-8.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_scratch *scratch;

static struct json_object *read_text(struct span text)
{
    const char *why = NULL;
    struct json_object *value = json_parse(scratch, text, &why);
    CHECK((value == NULL) == (why != NULL));
    return value;
}

/* json-c prints null for a null pointer; ours is a pointer of its own. */
static char *print_tree(struct json_object *value, size_t *size)
{
    const char *text = json_is_null(value) ? "null" : json_object_to_json_string_ext(value, 0);
    *size = strlen(text);
    char *copy = malloc(*size + 1);
    CHECK(copy != NULL);
    memcpy(copy, text, *size + 1);
    return copy;
}

static void try_readers(struct json_object *value)
{
    struct span text;
    int64_t number;
    bool flag;
    bool is_text = json_text(scratch, value, &text);
    bool is_string = json_string(value, &text);
    CHECK(IMPLIES(is_string, is_text));
    CHECK(IMPLIES(is_string, memchr(text.data, '\0', text.size) == NULL));
    CHECK(IMPLIES(json_integer(value, &number), json_whole(scratch, value, &number)));
    CHECK(IMPLIES(json_boolean(value, &flag), !is_text));
    CHECK(IMPLIES(json_is_null(value), !is_text && !json_is_object(value)));
    for (size_t i = 0; i < json_count(value); i++) {
        CHECK(json_item(value, i) != NULL);
    }
}

/* Newer releases of json-c refuse such an integer for the whole text, we for its field. */
static bool has_long_integer(struct span text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.size && digits < 19; i++) {
        digits = text.data[i] >= '0' && text.data[i] <= '9' ? digits + 1 : 0;
    }
    return digits == 19;
}

static void check_strict(struct span text)
{
    struct json_tokener *strict = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
    CHECK(strict != NULL);
    json_tokener_set_flags(strict, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *value = json_tokener_parse_ex(strict, text.data, (int)text.size);
    if (value == NULL && json_tokener_get_error(strict) == json_tokener_continue) {
        value = json_tokener_parse_ex(strict, "", 1);
    }
    CHECK(json_tokener_get_error(strict) == json_tokener_success || has_long_integer(text));
    json_object_put(value);
    json_tokener_free(strict);
}

static void fuzz_text(struct span text)
{
    size_t first_size, second_size;
    struct json_object *value = read_text(text);
    if (value == NULL) {
        return;
    }
    check_strict(text);
    try_readers(value);
    char *first = print_tree(value, &first_size);
    if (first_size <= JSON_BYTES_MAX) {
        value = read_text((struct span){first, first_size});
        CHECK(value != NULL);
        char *second = print_tree(value, &second_size);
        CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
        free(second);
    }
    free(first);
}

static void fuzz_string(struct span text)
{
    size_t capacity = 6 * text.size + 2;
    char *out = malloc(capacity);
    CHECK(out != NULL);
    struct writer w = writer_init(out, capacity);
    json_put_string(&w, text);
    CHECK(!w.overflow);
    bool has_nul = text.size > 0 && memchr(text.data, '\0', text.size) != NULL;
    struct json_object *value = read_text((struct span){out, w.size});
    CHECK((value == NULL) == (has_nul || w.size > JSON_BYTES_MAX));
    struct span back;
    if (value != NULL) {
        CHECK(json_string(value, &back));
        CHECK(back.size >= text.size);
        CHECK(IMPLIES(back.size == text.size && memchr(back.data, 0xef, back.size) == NULL,
                      span_equal(back, text)));
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (scratch == NULL) {
        scratch = json_scratch_create();
    }
    struct span text = {(const char *)data, size};
    fuzz_text(text);
    fuzz_string(text);
    return 0;
}
