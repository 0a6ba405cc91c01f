/*
 * message.c - one pass over the lines of the head, looking closely only at those that start like a
 * header that matters.
 */
#include "app/bench/message.h"

#include <strings.h>

enum { MESSAGE_BODY_MAX = 1 << 20 };

/* The value of a header line when its name (with the colon) matches. */
static bool header_is(struct span line, struct span name, struct span *value_out)
{
    if (line.size < name.size || strncasecmp(line.data, name.data, name.size) != 0) {
        return false;
    }
    *value_out = span_trim((struct span){line.data + name.size, line.size - name.size});
    return true;
}

static bool header_read(struct span line, struct message *m, uint64_t *length)
{
    struct span value;
    if (header_is(line, SPAN_LITERAL("content-length:"), &value)) {
        return span_parse_u64(value, length) && *length <= MESSAGE_BODY_MAX;
    }
    if (header_is(line, SPAN_LITERAL("connection:"), &value)) {
        m->closes = value.size == 5 && strncasecmp(value.data, "close", 5) == 0;
    }
    return true;
}

static bool status_read(struct span head, struct message *m)
{
    uint64_t status = 0;
    if (!span_starts_with(head, SPAN_LITERAL("HTTP/1."))) {
        return true; /* a request */
    }
    if (head.size < 12 || !span_parse_u64((struct span){head.data + 9, 3}, &status)) {
        return false;
    }
    m->status = (int)status;
    return true;
}

enum message_state message_find(struct span bytes, struct message *out)
{
    const char *end = bytes.size < 4 ? NULL : memmem(bytes.data, bytes.size, "\r\n\r\n", 4);
    if (end == NULL) {
        return MESSAGE_PARTIAL;
    }
    *out = (struct message){.head = {bytes.data, (size_t)(end - bytes.data)}};
    uint64_t length = 0;
    if (!status_read(out->head, out)) {
        return MESSAGE_BAD;
    }
    const char *at = bytes.data;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        char first = (char)(at[0] | 0x20);
        const char *line_end = memchr(at, '\r', (size_t)(end + 1 - at));
        struct span line = {at, (size_t)(line_end - at)};
        if (first == 'c' && !header_read(line, out, &length)) {
            return MESSAGE_BAD;
        }
        struct span value;
        if (first == 't' && header_is(line, SPAN_LITERAL("transfer-encoding:"), &value)) {
            return MESSAGE_BAD;
        }
    }
    if (out->status == 204 || out->status == 304) {
        length = 0;
    }
    out->body = (struct span){end + 4, (size_t)length};
    out->size = out->head.size + 4 + (size_t)length;
    return out->size <= bytes.size ? MESSAGE_WHOLE : MESSAGE_PARTIAL;
}
