/*
 * http_reply.c - replies: at once, held back until released, refused, streamed.
 *
 * Guarantees: http__queue is the only way to the library's MHD_queue_response, and it runs only
 * when a reply is both prepared and released (H2). Bodies stay in the exchange's own buffer and
 * are sent from there without another copy.
 * Tests: tests/unit/test_http.c.
 */
#include "face/http_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct refusal_text {
    unsigned status;
    const char *code;
    const char *detail;
};

static const struct refusal_text refusal_texts[] = {
    [HTTP_REFUSE_NONE] = {500, "internal", "No reason was given."},
#define X(name, status, code, detail) [HTTP_REFUSE_##name] = {status, code, detail},
    HTTP_REFUSALS(X)
#undef X
};

bool http__buffer_reserve(struct http_buffer *b, size_t more)
{
    CHECK(more < SIZE_MAX / 4 && b->size < SIZE_MAX / 4);
    if (b->capacity - b->size >= more) {
        return true;
    }
    size_t capacity = b->capacity == 0 ? 512 : b->capacity;
    while (capacity < b->size + more) {
        capacity *= 2;
    }
    char *data = realloc(b->data, capacity);
    if (data == NULL) {
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

bool http__buffer_append(struct http_buffer *b, const void *data, size_t size)
{
    if (size == 0) {
        return true;
    }
    if (!http__buffer_reserve(b, size)) {
        return false;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return true;
}

void http__buffer_reset(struct http_buffer *b)
{
    if (b->capacity > HTTP_BUFFER_KEEP_BYTES) {
        http__buffer_free(b);
    }
    b->size = 0;
}

void http__buffer_free(struct http_buffer *b)
{
    free(b->data);
    *b = (struct http_buffer){0};
}

void http__suspend(struct http_exchange *x)
{
    CHECK(!x->suspended);
    MHD_suspend_connection(x->connection);
    x->suspended = true;
}

void http__resume(struct http_exchange *x)
{
    CHECK(x->suspended);
    x->suspended = false;
    x->server->resumed = true;
    MHD_resume_connection(x->connection);
}

void http__unpark(struct http_exchange *x)
{
    x->server->parked -= x->parked ? 1 : 0;
    x->parked = false;
}

const char *http_phrase(unsigned status)
{
    return MHD_get_reason_phrase_for(status);
}

/* The problem+json body of a refusal; returns its length. */
static size_t refusal_body(enum http_refusal why, char *out, size_t capacity)
{
    const struct refusal_text *text = &refusal_texts[why];
    int size = snprintf(out, capacity,
                        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,"
                        "\"detail\":\"%s\",\"code\":\"%s\"}",
                        http_phrase(text->status), text->status, text->detail, text->code);
    CHECK(size > 0 && (size_t)size < capacity);
    return (size_t)size;
}

void http__refuse_raw(struct http_exchange *x, enum http_refusal why)
{
    CHECK(x->phase != HTTP_SENDING && x->phase != HTTP_UNUSED);
    char body[512];
    size_t body_size = refusal_body(why, body, sizeof(body));
    unsigned status = refusal_texts[why].status;
    char reply[1024];
    int size = snprintf(reply, sizeof(reply),
                        "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\n"
                        "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                        status, http_phrase(status), body_size, body);
    CHECK(size > 0 && (size_t)size < sizeof(reply));
    /* The socket's buffer is empty, or the peer does not read: then it does not get to know. */
    ssize_t sent = send(x->fd, reply, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        x->server->counters.bytes_out += (uint64_t)sent;
    }
    http__cut(x);
}

static void prepare(struct http_exchange *x, unsigned status, const char *content_type,
                    struct span body)
{
    CHECK(!x->prepared);
    CHECK(x->phase == HTTP_HEAD || x->phase == HTTP_BODY || x->phase == HTTP_HANDLED ||
          x->phase == HTTP_DOOMED);
    CHECK(status >= 200 && status <= 599);
    size_t type_size = content_type == NULL ? 0 : strlen(content_type);
    CHECK(type_size < sizeof(x->content_type));
    memcpy(x->content_type, content_type == NULL ? "" : content_type, type_size);
    x->content_type[type_size] = '\0';
    x->status = status;
    x->prepared = true;
    if (!http__buffer_append(&x->reply, body.data, body.size)) {
        x->headers_overflow = true;
    }
}

static void unprepare(struct http_exchange *x)
{
    x->prepared = false;
    x->reply.size = 0;
    x->headers.size = 0;
    x->headers_count = 0;
    x->headers_overflow = false;
    x->broken = HTTP_WHOLE;
}

void http__refuse(struct http_exchange *x, enum http_refusal why)
{
    char body[512];
    size_t size = refusal_body(why, body, sizeof(body));
    unprepare(x);
    x->close_after = true;
    prepare(x, refusal_texts[why].status, "application/problem+json", (struct span){body, size});
    x->released = true;
}

/* Hands queued bytes of a stream to the library; suspends while there are none. */
static ssize_t stream_read(void *context, uint64_t position, char *out, size_t max)
{
    (void)position;
    struct http_exchange *x = context;
    x->server->goes_on = true;
    if (x->peer_gone) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t left = x->reply.size - x->stream_sent;
    if (left == 0) {
        if (x->stream_ended) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        http__suspend(x);
        return 0;
    }
    size_t size = left < max ? left : max;
    memcpy(out, x->reply.data + x->stream_sent, size);
    x->stream_sent += size;
    x->server->counters.bytes_out += size;
    if (x->stream_sent == x->reply.size) {
        x->stream_sent = 0;
        x->reply.size = 0;
    }
    return (ssize_t)size;
}

static bool add_headers(struct http_exchange *x, struct MHD_Response *response)
{
    const char *at = x->headers.data;
    for (uint32_t i = 0; i < x->headers_count; i++) {
        const char *value = at + strlen(at) + 1;
        if (MHD_add_response_header(response, at, value) == MHD_NO) {
            return false;
        }
        at = value + strlen(value) + 1;
    }
    if (x->content_type[0] != '\0' &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, x->content_type) ==
            MHD_NO) {
        return false;
    }
    if (x->server->server_name != NULL &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, x->server->server_name) ==
            MHD_NO) {
        return false;
    }
    bool closes = x->close_after || x->server->listener < 0;
    return !closes ||
           MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") != MHD_NO;
}

/* Half of the body, of which the head has announced the whole. */
static ssize_t half_read(void *context, uint64_t position, char *out, size_t max)
{
    struct http_exchange *x = context;
    size_t half = x->reply.size / 2;
    if (position >= half) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t size = half - (size_t)position < max ? half - (size_t)position : max;
    memcpy(out, x->reply.data + position, size);
    return (ssize_t)size;
}

/* Dissolving the association makes the kernel send a reset; shutting it down would say goodbye. */
static void reset_connection(struct http_exchange *x)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(x->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)connect(x->fd, &nobody, sizeof(nobody));
}

static struct MHD_Response *make_response(struct http_exchange *x)
{
    if (x->streaming) {
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, stream_read, x, NULL);
    }
    if (x->broken == HTTP_BREAK_HALF) {
        return MHD_create_response_from_callback(x->reply.size, 8192, half_read, x, NULL);
    }
    return MHD_create_response_from_buffer(x->reply.size, x->reply.data, MHD_RESPMEM_PERSISTENT);
}

void http_break(struct http_exchange *x, enum http_break how)
{
    CHECK(!x->prepared);
    x->broken = how;
}

bool http__queue(struct http_exchange *x)
{
    CHECK(x->prepared && x->released);
    if (x->broken == HTTP_BREAK_RESET) {
        reset_connection(x);
        return false;
    }
    if (x->headers_overflow) {
        http__refuse(x, HTTP_REFUSE_REPLY_FAILED);
    }
    struct MHD_Response *response = make_response(x);
    if (response == NULL) {
        return false;
    }
    bool queued = add_headers(x, response) &&
                  MHD_queue_response(x->connection, x->status, response) == MHD_YES;
    MHD_destroy_response(response);
    if (!queued) {
        return false;
    }
    x->phase = HTTP_SENDING;
    if (!x->streaming) {
        x->server->counters.bytes_out += x->reply.size;
        http__clock_start(x, HTTP_CLOCK_SENDING, x->server->now_ns);
    }
    return true;
}

/* A reply became both prepared and released after the handler had returned. */
static void send_held(struct http_exchange *x)
{
    CHECK(x->phase == HTTP_HANDLED && x->suspended != x->parked);
    if (x->parked) {
        x->server->resumed = true; /* its handler is called again in the next round */
        return;
    }
    if (!http__queue(x)) {
        http__cut(x);
    }
    http__resume(x);
}

static bool header_is_clean(struct span s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return true;
}

size_t http_reply_header_room(const struct http_exchange *x, const char *name)
{
    size_t taken = x->headers.size + strlen(name) + 2; /* each of the two ends with a NUL */
    bool full = x->headers_count == HTTP_REPLY_HEADERS_MAX || taken > HTTP_REPLY_HEADERS_BYTES_MAX;
    return full ? 0 : HTTP_REPLY_HEADERS_BYTES_MAX - taken;
}

void http_reply_header(struct http_exchange *x, const char *name, struct span value)
{
    CHECK(!x->prepared);
    CHECK(header_is_clean(span_from(name)) && name[0] != '\0');
    if (value.size == 0) {
        return; /* the library has no empty headers */
    }
    if (value.size > http_reply_header_room(x, name) || !header_is_clean(value)) {
        x->headers_overflow = true;
        return;
    }
    if (!http__buffer_append(&x->headers, name, strlen(name) + 1) ||
        !http__buffer_append(&x->headers, value.data, value.size) ||
        !http__buffer_append(&x->headers, "", 1)) {
        x->headers_overflow = true;
        return;
    }
    x->headers_count++;
}

void http_reply(struct http_exchange *x, unsigned status, const char *content_type,
                struct span body)
{
    prepare(x, status, content_type, body);
    http_release(x);
}

void http_hold(struct http_exchange *x, unsigned status, const char *content_type, struct span body)
{
    CHECK(x->phase == HTTP_HANDLED); /* not from admit */
    prepare(x, status, content_type, body);
}

bool http_retract(struct http_exchange *x)
{
    if (x->phase != HTTP_HANDLED || x->released) {
        return false;
    }
    CHECK(!x->streaming);
    unprepare(x);
    return true;
}

void http_hold_open(struct http_exchange *x)
{
    CHECK(x->phase == HTTP_HANDLED && x->in_handler);
    CHECK(!x->prepared);
    x->open = true;
}

void http_release(struct http_exchange *x)
{
    if (x->phase == HTTP_DOOMED || x->released) {
        return;
    }
    CHECK(x->prepared);
    x->released = true;
    if (!x->in_handler) {
        send_held(x);
    }
}

void http_stream(struct http_exchange *x, unsigned status, const char *content_type)
{
    CHECK(x->phase == HTTP_HANDLED);
    x->streaming = true;
    prepare(x, status, content_type, SPAN_EMPTY);
    http_release(x);
}

bool http_stream_write(struct http_exchange *x, struct span bytes)
{
    CHECK(x->streaming && !x->stream_ended);
    size_t waiting = x->reply.size - x->stream_sent;
    if (x->peer_gone || x->phase == HTTP_DOOMED || bytes.size > HTTP_STREAM_BYTES_MAX - waiting) {
        return false;
    }
    if (x->stream_sent > 0 && x->reply.capacity - x->reply.size < bytes.size) {
        memmove(x->reply.data, x->reply.data + x->stream_sent, waiting);
        x->reply.size = waiting;
        x->stream_sent = 0;
    }
    if (!http__buffer_append(&x->reply, bytes.data, bytes.size)) {
        return false;
    }
    if (x->suspended && bytes.size > 0) {
        http__resume(x);
    }
    return true;
}

void http_stream_end(struct http_exchange *x)
{
    CHECK(x->streaming);
    if (x->stream_ended || x->phase == HTTP_DOOMED) {
        return;
    }
    x->stream_ended = true;
    if (x->phase == HTTP_SENDING) {
        http__clock_start(x, HTTP_CLOCK_SENDING, x->server->now_ns);
    }
    if (x->suspended) {
        http__resume(x);
    }
}
