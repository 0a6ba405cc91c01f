/*
 * json.c - JSON in through json-c, JSON out by hand. See json.h.
 *
 * json-c builds the tree, but even its strict mode lets through what another parser reads
 * differently: NaN, single quotes, control characters, 01, 1., a second member of the same name,
 * broken UTF-8; and what it refuses changes from release to release. So every text is scanned
 * first, token by token. The scan refuses all that RFC 8259 has no place for, and json-c is left
 * with the order of the tokens. The scan counts the members, too: when the tree has fewer, a name
 * was given twice. json-c bends integers to 64 bits without a word; json_integer refuses those.
 */
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "wire/ascii.h"

enum {
    NUMBER_BYTES_MAX = 64,
    TEXTS_BYTES = 1024, /* decimal forms of integers; what does not fit is kept by json-c */
    INTEGER_BYTES = 20, /* the longest int64 with its sign */
};

struct json_scratch {
    struct json_tokener *tokener;
    struct json_object *root;
    size_t texts_size;
    char texts[TEXTS_BYTES];
};

/* json-c's null is a null pointer, which is also its "no such member". Ours has an address. */
static const char json_null_place = 0;

static struct json_object *json_null(void)
{
    return (struct json_object *)(uintptr_t)&json_null_place;
}

struct json_scratch *json_scratch_create(void)
{
    struct json_scratch *scratch = calloc(1, sizeof(*scratch));
    CHECK(scratch != NULL);
    /* Deeper than the scan allows, so that the scan's sentence is the one that is given. */
    scratch->tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
    CHECK(scratch->tokener != NULL);
    return scratch;
}

static void json_scratch_clear(struct json_scratch *scratch)
{
    if (scratch->root != NULL) {
        (void)json_object_put(scratch->root);
    }
    scratch->root = NULL;
    scratch->texts_size = 0;
    json_tokener_reset(scratch->tokener);
}

void json_scratch_destroy(struct json_scratch *scratch)
{
    if (scratch != NULL) {
        json_scratch_clear(scratch);
        json_tokener_free(scratch->tokener);
        free(scratch);
    }
}

/* ---- The scan ------------------------------------------------------------------------------ */

struct scan {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t depth;
    uint32_t containers;
    uint32_t members;
    bool after_comma;
    const char *why;
};

static bool scan_fail(struct scan *s, const char *why)
{
    s->why = why;
    return false;
}

/*
 * Length of the UTF-8 sequence at the start of the bytes; 0 when there is none: cut short, longer
 * than needed, a surrogate, beyond U+10FFFF.
 */
static size_t utf8_length(const uint8_t *at, size_t size)
{
    uint8_t lead = at[0];
    uint8_t low = 0x80, high = 0xbf; /* what the second byte may be */
    size_t length = 2;
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    if (lead >= 0xf0) {
        length = 4;
        low = lead == 0xf0 ? 0x90 : low;
        high = lead == 0xf4 ? 0x8f : high;
    } else if (lead >= 0xe0) {
        length = 3;
        low = lead == 0xe0 ? 0xa0 : low;
        high = lead == 0xed ? 0x9f : high;
    }
    if (size < length || at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

/* A backslash and what follows; json-c judges the escape itself. */
static bool scan_escape(struct scan *s)
{
    if (s->end - s->at >= 6 && memcmp(s->at, "\\u0000", 6) == 0) {
        return scan_fail(s, "a string holds \\u0000");
    }
    if (s->end - s->at < 2) {
        return scan_fail(s, "a string has no end");
    }
    /* The second byte may be a quote or a backslash; it must not be taken for another token. */
    s->at += s->at[1] < 0x80 ? 2 : 1;
    return true;
}

/* One of the bytes is a quote, a backslash, a control character or not ASCII. */
static bool word_is_special(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = ones << 7;
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    uint64_t below = (word - ones * 0x20) | (quote - ones) | (backslash - ones);
    return ((below | word) & tops) != 0;
}

static bool scan_string(struct scan *s)
{
    s->at++;
    for (;;) {
        uint64_t word;
        while (s->end - s->at >= (ptrdiff_t)sizeof(word)) {
            memcpy(&word, s->at, sizeof(word));
            if (word_is_special(word)) {
                break;
            }
            s->at += sizeof(word);
        }
        while (s->at < s->end && *s->at >= 0x20 && *s->at < 0x80 && *s->at != '"' &&
               *s->at != '\\') {
            s->at++;
        }
        if (s->at == s->end) {
            return scan_fail(s, "a string has no end");
        }
        if (*s->at == '"') {
            s->at++;
            return true;
        }
        if (*s->at < 0x20) {
            return scan_fail(s, "a string holds a control character");
        }
        if (*s->at == '\\') {
            if (!scan_escape(s)) {
                return false;
            }
            continue;
        }
        size_t length = utf8_length(s->at, (size_t)(s->end - s->at));
        if (length == 0) {
            return scan_fail(s, "a string is not UTF-8");
        }
        s->at += length;
    }
}

static size_t scan_digits(struct scan *s)
{
    const uint8_t *start = s->at;
    while (s->at < s->end && ascii_is_digit((char)*s->at)) {
        s->at++;
    }
    return (size_t)(s->at - start);
}

static bool scan_number(struct scan *s)
{
    const uint8_t *start = s->at;
    s->at += *s->at == '-';
    bool zero = s->at < s->end && *s->at == '0';
    size_t whole = scan_digits(s);
    bool good = whole > 0 && !(zero && whole > 1);
    if (good && s->at < s->end && *s->at == '.') {
        s->at++;
        good = scan_digits(s) > 0;
    }
    if (good && s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        s->at += s->at < s->end && (*s->at == '+' || *s->at == '-');
        good = scan_digits(s) > 0;
    }
    if (!good) {
        return scan_fail(s, "a number is malformed");
    }
    return s->at - start <= NUMBER_BYTES_MAX || scan_fail(s, "a number is too long");
}

static bool scan_open(struct scan *s)
{
    s->at++;
    s->containers++;
    s->depth++;
    return s->depth <= JSON_DEPTH_MAX || scan_fail(s, "nested too deeply");
}

/* Too many of them are json-c's to refuse; a comma in front it would forgive. */
static bool scan_close(struct scan *s)
{
    s->at++;
    s->depth -= s->depth > 0;
    return !s->after_comma || scan_fail(s, "a comma has nothing after it");
}

static bool scan_word(struct scan *s)
{
    static const struct span words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((size_t)(s->end - s->at) >= words[i].size &&
            memcmp(s->at, words[i].data, words[i].size) == 0) {
            s->at += words[i].size;
            return true;
        }
    }
    return scan_fail(s, "a character that does not belong there");
}

static bool scan_token(struct scan *s)
{
    switch (*s->at) {
    case '"': return scan_string(s);
    case '{':
    case '[': return scan_open(s);
    case '}':
    case ']': return scan_close(s);
    case ':':
        s->members++;
        s->at++;
        return true;
    case ',': s->at++; return true;
    default: return *s->at == '-' || ascii_is_digit((char)*s->at) ? scan_number(s) : scan_word(s);
    }
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool scan_text(struct scan *s)
{
    while (s->at < s->end) {
        if (is_space(*s->at)) {
            s->at++;
            continue;
        }
        bool comma = *s->at == ',';
        if (!scan_token(s)) {
            return false;
        }
        s->after_comma = comma;
    }
    return true;
}

/* ---- The tree ------------------------------------------------------------------------------ */

/* Where a walk stands in one container. */
struct walk_level {
    struct lh_entry *entry;    /* of an object: the next member */
    struct json_object *array; /* or else the array, and the next element */
    size_t index;
};

static bool is_container(const struct json_object *value)
{
    return json_object_is_type(value, json_type_object) ||
           json_object_is_type(value, json_type_array);
}

static struct walk_level walk_enter(struct json_object *container, uint32_t *members)
{
    struct walk_level level = {NULL, NULL, 0};
    if (json_object_is_type(container, json_type_object)) {
        struct lh_table *table = json_object_get_object(container);
        *members += (uint32_t)lh_table_length(table);
        level.entry = lh_table_head(table);
    } else {
        level.array = container;
    }
    return level;
}

/* The next value of the container; false at its end. */
static bool walk_next(struct walk_level *level, struct json_object **out)
{
    if (level->array != NULL) {
        if (level->index == json_object_array_length(level->array)) {
            return false;
        }
        *out = json_object_array_get_idx(level->array, level->index);
        level->index++;
        return true;
    }
    if (level->entry == NULL) {
        return false;
    }
    *out = (struct json_object *)(uintptr_t)lh_entry_v(level->entry);
    level->entry = lh_entry_next(level->entry);
    return true;
}

static uint32_t count_members(struct json_object *root)
{
    struct walk_level levels[JSON_DEPTH_MAX];
    uint32_t depth = 1;
    uint32_t members = 0;
    levels[0] = walk_enter(root, &members);
    while (depth > 0) {
        struct json_object *value;
        if (!walk_next(&levels[depth - 1], &value)) {
            depth--;
        } else if (is_container(value)) {
            CHECK(depth < JSON_DEPTH_MAX);
            levels[depth] = walk_enter(value, &members);
            depth++;
        }
    }
    return members;
}

static bool members_are_distinct(struct json_object *root, const struct scan *s)
{
    if (s->members < 2) {
        return true;
    }
    if (s->containers == 1) {
        return (uint32_t)json_object_object_length(root) == s->members;
    }
    return count_members(root) == s->members;
}

/* The text is trimmed, so that json-c must end exactly where it ends. It would stop at the end of
 * the first of several values. */
static bool build_tree(struct json_scratch *scratch, struct span text, const char **why)
{
    struct json_tokener *tokener = scratch->tokener;
    scratch->root = json_tokener_parse_ex(tokener, text.data, (int)text.size);
    size_t end = json_tokener_get_parse_end(tokener);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) {
        /* A bare number may go on; this says that it does not. */
        scratch->root = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
        end = text.size;
    }
    if (error != json_tokener_success) {
        *why = json_tokener_error_desc(error);
        return false;
    }
    if (end != text.size) {
        *why = "there is something after the value";
        return false;
    }
    return true;
}

struct json_object *json_parse(struct json_scratch *scratch, struct span text, const char **why)
{
    json_scratch_clear(scratch);
    text = span_trim(text);
    if (text.size == 0 || text.size > JSON_BYTES_MAX) {
        *why = text.size == 0 ? "there is nothing" : "too large";
        return NULL;
    }
    struct scan s = {0};
    s.at = (const uint8_t *)text.data;
    s.end = s.at + text.size;
    if (!scan_text(&s)) {
        *why = s.why;
        return NULL;
    }
    if (!build_tree(scratch, text, why)) {
        return NULL;
    }
    if (!members_are_distinct(scratch->root, &s)) {
        *why = "a name is given twice";
        return NULL;
    }
    return scratch->root == NULL ? json_null() : scratch->root;
}

/* ---- Reading values ------------------------------------------------------------------------ */

static bool is_type(const struct json_object *value, enum json_type type)
{
    return value != NULL && value != json_null() && json_object_is_type(value, type);
}

bool json_is_object(const struct json_object *value)
{
    return is_type(value, json_type_object);
}

bool json_is_array(const struct json_object *value)
{
    return is_type(value, json_type_array);
}

bool json_is_null(const struct json_object *value)
{
    return value == json_null();
}

struct json_object *json_member(const struct json_object *object, const char *name)
{
    struct json_object *value;
    if (!json_is_object(object) || !json_object_object_get_ex(object, name, &value)) {
        return NULL;
    }
    return value == NULL ? json_null() : value;
}

size_t json_count(const struct json_object *array)
{
    return json_is_array(array) ? json_object_array_length(array) : 0;
}

struct json_object *json_item(const struct json_object *array, size_t index)
{
    CHECK(index < json_count(array));
    struct json_object *value = json_object_array_get_idx(array, index);
    return value == NULL ? json_null() : value;
}

bool json_string(struct json_object *value, struct span *out)
{
    if (!is_type(value, json_type_string)) {
        return false;
    }
    out->data = json_object_get_string(value);
    out->size = (size_t)json_object_get_string_len(value);
    return true;
}

/* json-c answers the ends of the range for everything beyond them; the ends are given up. */
bool json_integer(struct json_object *value, int64_t *out)
{
    if (!is_type(value, json_type_int)) {
        return false;
    }
    int64_t number = json_object_get_int64(value);
    if (number == INT64_MIN || number == INT64_MAX) {
        return false;
    }
    *out = number;
    return true;
}

bool json_boolean(struct json_object *value, bool *out)
{
    if (!is_type(value, json_type_boolean)) {
        return false;
    }
    *out = json_object_get_boolean(value) != 0;
    return true;
}

/* Decimal digits of the value at the end of `out`; returns how many. */
static size_t write_u64(char out[INTEGER_BYTES], uint64_t value)
{
    size_t size = 0;
    do {
        size++;
        out[INTEGER_BYTES - size] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return size;
}

static size_t write_i64(char out[INTEGER_BYTES], int64_t value)
{
    size_t size = write_u64(out, value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value);
    if (value < 0) {
        size++;
        out[INTEGER_BYTES - size] = '-';
    }
    return size;
}

static bool integer_text(struct json_scratch *scratch, struct json_object *value, struct span *out)
{
    char digits[INTEGER_BYTES];
    int64_t number;
    if (!json_integer(value, &number)) {
        return false;
    }
    size_t size = write_i64(digits, number);
    if (TEXTS_BYTES - scratch->texts_size < size) {
        out->data = json_object_get_string(value);
        out->size = size;
        return out->data != NULL;
    }
    char *at = scratch->texts + scratch->texts_size;
    memcpy(at, digits + INTEGER_BYTES - size, size);
    scratch->texts_size += size;
    out->data = at;
    out->size = size;
    return true;
}

bool json_text(struct json_scratch *scratch, struct json_object *value, struct span *out)
{
    if (is_type(value, json_type_int)) {
        return integer_text(scratch, value, out);
    }
    if (is_type(value, json_type_double)) {
        /* json-c keeps the text of a parsed decimal beside its value. */
        const char *text = json_object_get_userdata(value);
        *out = span_from(text);
        return text != NULL;
    }
    return json_string(value, out);
}

bool json_whole(struct json_scratch *scratch, struct json_object *value, int64_t *out)
{
    struct span text;
    uint64_t number;
    (void)scratch;
    if (!json_string(value, &text)) {
        return json_integer(value, out);
    }
    if (!span_parse_u64(text, &number) || number > INT64_MAX) {
        return false;
    }
    *out = (int64_t)number;
    return true;
}

/* ---- Output -------------------------------------------------------------------------------- */

/* A writer that streams takes pieces up to its capacity; a long text is cut to fit. */
static void write_bytes(struct writer *w, const char *data, size_t size)
{
    while (w->flush != NULL && size > w->capacity && !w->overflow) {
        put_raw(w, data, w->capacity);
        data += w->capacity;
        size -= w->capacity;
    }
    put_raw(w, data, size);
}

static void write_char(struct writer *w, char c)
{
    put_u8(w, (uint8_t)c);
}

/*
 * A value, or the key of one, needs a comma in front unless the last byte opened something or came
 * before the document. A writer that has written keeps its last byte in its buffer (codec.c), also
 * when it streams.
 */
static void write_separator(struct writer *w)
{
    if (w->size == 0) {
        return;
    }
    switch (w->data[w->size - 1]) {
    case '{':
    case '[':
    case ':':
    case ',':
    case ' ':
    case '\n': return;
    default: write_char(w, ',');
    }
}

void json_raw(struct writer *w, const char *text)
{
    write_bytes(w, text, strlen(text));
}

void json_open(struct writer *w, char bracket)
{
    CHECK(bracket == '{' || bracket == '[');
    write_separator(w);
    write_char(w, bracket);
}

void json_close(struct writer *w, char bracket)
{
    CHECK(bracket == '}' || bracket == ']');
    write_char(w, bracket);
}

/* Writes what must be escaped at the start of the text, and returns how much of it that was. */
static size_t write_escaped(struct writer *w, struct span text)
{
    uint8_t c = (uint8_t)text.data[0];
    if (c >= 0x80) {
        write_bytes(w, "\xef\xbf\xbd", 3); /* U+FFFD for each byte that is not UTF-8 */
        return 1;
    }
    write_char(w, '\\');
    switch (c) {
    case '"':
    case '\\': write_char(w, (char)c); break;
    case '\b': write_char(w, 'b'); break;
    case '\f': write_char(w, 'f'); break;
    case '\n': write_char(w, 'n'); break;
    case '\r': write_char(w, 'r'); break;
    case '\t': write_char(w, 't'); break;
    default:
        write_bytes(w, "u00", 3);
        write_char(w, "0123456789abcdef"[c >> 4]);
        write_char(w, "0123456789abcdef"[c & 15]);
        break;
    }
    return 1;
}

/* Whether none of the eight bytes needs a second look: all are ASCII, and neither control
 * characters nor '"' nor '\\'. (Each term has the top bit of the bytes that it looks for; a borrow
 * can only set too many.) */
static bool word_is_plain(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones * 0x80;
    uint64_t quotes = word ^ (ones * '"');
    uint64_t slashes = word ^ (ones * '\\');
    uint64_t special = word | (word - ones * 0x20) | (quotes - ones) | (slashes - ones);
    return (special & tops) == 0;
}

/* How much of the text can be written as it is. */
static size_t plain_length(struct span text)
{
    size_t at = 0;
    uint64_t word;
    while (text.size - at >= sizeof(word)) {
        memcpy(&word, text.data + at, sizeof(word));
        if (!word_is_plain(word)) {
            break;
        }
        at += sizeof(word);
    }
    while (at < text.size) {
        uint8_t c = (uint8_t)text.data[at];
        if (c < 0x20 || c == '"' || c == '\\') {
            break;
        }
        size_t length = c < 0x80 ? 1 : utf8_length((const uint8_t *)text.data + at, text.size - at);
        if (length == 0) {
            break;
        }
        at += length;
    }
    return at;
}

static void write_quoted(struct writer *w, struct span text)
{
    write_char(w, '"');
    while (text.size > 0) {
        size_t done = plain_length(text);
        write_bytes(w, text.data, done);
        if (done < text.size) {
            struct span rest = {text.data + done, text.size - done};
            done += write_escaped(w, rest);
        }
        text.data += done;
        text.size -= done;
    }
    write_char(w, '"');
}

void json_key(struct writer *w, const char *name)
{
    write_separator(w);
    write_quoted(w, span_from(name));
    write_char(w, ':');
}

void json_put_string(struct writer *w, struct span text)
{
    write_separator(w);
    write_quoted(w, text);
}

void json_put_i64(struct writer *w, int64_t value)
{
    char digits[INTEGER_BYTES];
    size_t size = write_i64(digits, value);
    write_separator(w);
    write_bytes(w, digits + INTEGER_BYTES - size, size);
}

void json_put_u64(struct writer *w, uint64_t value)
{
    char digits[INTEGER_BYTES];
    size_t size = write_u64(digits, value);
    write_separator(w);
    write_bytes(w, digits + INTEGER_BYTES - size, size);
}

void json_put_bool(struct writer *w, bool value)
{
    write_separator(w);
    json_raw(w, value ? "true" : "false");
}

void json_put_null(struct writer *w)
{
    write_separator(w);
    json_raw(w, "null");
}

void json_field_string(struct writer *w, const char *name, struct span text)
{
    json_key(w, name);
    json_put_string(w, text);
}

void json_field_text(struct writer *w, const char *name, const char *text)
{
    json_field_string(w, name, span_from(text));
}

void json_field_i64(struct writer *w, const char *name, int64_t value)
{
    json_key(w, name);
    json_put_i64(w, value);
}

void json_field_u64(struct writer *w, const char *name, uint64_t value)
{
    json_key(w, name);
    json_put_u64(w, value);
}

void json_field_bool(struct writer *w, const char *name, bool value)
{
    json_key(w, name);
    json_put_bool(w, value);
}

void json_field_null(struct writer *w, const char *name)
{
    json_key(w, name);
    json_put_null(w);
}

void json_compact(struct json_object *value, struct writer *w)
{
    size_t size = 0;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    if (text == NULL) {
        w->overflow = true; /* no memory */
        return;
    }
    put_raw(w, text, size);
}
