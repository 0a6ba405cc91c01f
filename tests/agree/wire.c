/*
 * wire.c - see wire.h.
 */
#include "agree/wire.h"

#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

struct http_exchange {
    struct http_server *server;
    const struct wire_request *request;
    char value[256];     /* of the query parameter that was asked for last */
    char explained[256]; /* the beginning of a Hakika-Explain; a rule's before others */
    uint32_t generation;
    bool live, prepared, released;
    unsigned status;
    enum http_break broken;
    size_t size;
    char body[WIRE_REPLY_MAX];
};

struct http_server {
    struct http_exchange exchange;
};

struct http_server *wire_create(void)
{
    struct http_server *w = calloc(1, sizeof(*w));
    CHECK(w != NULL);
    w->exchange.server = w;
    return w;
}

void wire_destroy(struct http_server *w)
{
    free(w);
}

void wire_begin(struct http_server *w, const struct wire_request *request, http_handler_fn handle,
                void *context)
{
    struct http_exchange *x = &w->exchange;
    x->request = request;
    x->generation++;
    x->live = true;
    x->prepared = false;
    x->released = false;
    x->status = 0;
    x->broken = HTTP_WHOLE;
    x->size = 0;
    x->explained[0] = '\0';
    handle(context, x);
}

bool wire_answered(const struct http_server *w)
{
    return w->exchange.prepared && w->exchange.released;
}

struct wire_reply wire_reply(const struct http_server *w)
{
    const struct http_exchange *x = &w->exchange;
    CHECK(wire_answered(w));
    if (x->broken == HTTP_BREAK_RESET) {
        return (struct wire_reply){0, SPAN_EMPTY, false};
    }
    bool cut = x->broken == HTTP_BREAK_HALF;
    return (struct wire_reply){x->status, {x->body, cut ? x->size / 2 : x->size}, cut};
}

const char *wire_explained(const struct http_server *w)
{
    return w->exchange.explained;
}

/* ---- what the face asks of its server ---- */

struct span http_method(const struct http_exchange *x)
{
    return span_from(x->request->method);
}

struct span http_path(const struct http_exchange *x)
{
    return span_from(x->request->path);
}

struct span http_query(const struct http_exchange *x)
{
    return x->request->query == NULL ? SPAN_EMPTY : span_from(x->request->query);
}

struct span http_body(const struct http_exchange *x)
{
    return x->request->body == NULL ? SPAN_EMPTY : span_from(x->request->body);
}

struct span http_header(const struct http_exchange *x, const char *name)
{
    for (uint32_t i = 0; i < WIRE_HEADERS_MAX && x->request->headers[i].name != NULL; i++) {
        if (strcmp(x->request->headers[i].name, name) == 0) {
            return span_from(x->request->headers[i].value);
        }
    }
    return SPAN_EMPTY;
}

struct span http_header_list(const struct http_exchange *x, const char *name, struct writer *w)
{
    (void)w; /* each header is there once */
    return http_header(x, name);
}

/* Values need no decoding here: who asks writes them plainly. */
struct span http_query_value(struct http_exchange *x, const char *name)
{
    const char *at = x->request->query;
    size_t size = strlen(name);
    while (at != NULL && *at != '\0') {
        size_t end = strcspn(at, "&");
        if (strncmp(at, name, size) == 0 && at[size] == '=') {
            size_t length = end - size - 1;
            CHECK(length < sizeof(x->value));
            memcpy(x->value, at + size + 1, length);
            return (struct span){x->value, length};
        }
        at += end + (at[end] == '&');
    }
    return SPAN_EMPTY;
}

struct span http_peer(const struct http_exchange *x)
{
    (void)x;
    return SPAN_LITERAL("127.0.0.1");
}

int64_t http_received_ns(const struct http_exchange *x)
{
    (void)x;
    return 1;
}

struct http_ticket http_ticket(const struct http_exchange *x)
{
    return (struct http_ticket){0, x->generation};
}

struct http_exchange *http_find(struct http_server *server, struct http_ticket ticket)
{
    struct http_exchange *x = &server->exchange;
    return x->live && ticket.generation == x->generation ? x : NULL;
}

struct http_counters http_counters(const struct http_server *server)
{
    (void)server;
    return (struct http_counters){0};
}

size_t http_reply_header_room(const struct http_exchange *x, const char *name)
{
    CHECK(!x->prepared && name[0] != '\0');
    return sizeof(x->explained) - 1;
}

void http_reply_header(struct http_exchange *x, const char *name, struct span value)
{
    CHECK(!x->prepared && name[0] != '\0' && (value.size == 0 || value.data != NULL));
    bool rule = span_starts_with(value, SPAN_LITERAL("scenario rule "));
    if (strcmp(name, "Hakika-Explain") == 0 && (rule || x->explained[0] == '\0')) {
        size_t size = value.size < sizeof(x->explained) ? value.size : sizeof(x->explained) - 1;
        memcpy(x->explained, value.data, size);
        x->explained[size] = '\0';
    }
}

void http_break(struct http_exchange *x, enum http_break how)
{
    CHECK(!x->prepared);
    x->broken = how;
}

void http_hold(struct http_exchange *x, unsigned status, const char *content_type, struct span body)
{
    CHECK(x->live && !x->prepared && content_type != NULL);
    CHECK(body.size <= sizeof(x->body));
    x->status = status;
    x->size = body.size;
    if (body.size > 0) {
        memcpy(x->body, body.data, body.size);
    }
    x->prepared = true;
}

void http_reply(struct http_exchange *x, unsigned status, const char *content_type,
                struct span body)
{
    http_hold(x, status, content_type, body);
    x->released = true;
}

void http_hold_open(struct http_exchange *x)
{
    CHECK(!x->prepared);
}

bool http_retract(struct http_exchange *x)
{
    bool there = x->live && !x->released;
    x->prepared = there ? false : x->prepared;
    return there;
}

const char *http_phrase(unsigned status)
{
    return MHD_get_reason_phrase_for(status);
}

void http_release(struct http_exchange *x)
{
    CHECK(x->prepared);
    x->released = true;
}

void http_on_gone(struct http_exchange *x, void (*gone)(void *context, struct http_ticket ticket),
                  void *context)
{
    (void)context;
    CHECK(x->live && gone != NULL);
}

/* Nobody streams here. */
void http_stream(struct http_exchange *x, unsigned status, const char *content_type)
{
    (void)x;
    (void)status;
    (void)content_type;
    UNREACHABLE("a stream in one process");
}

bool http_stream_write(struct http_exchange *x, struct span bytes)
{
    (void)x;
    (void)bytes;
    UNREACHABLE("a stream in one process");
}

void http_stream_end(struct http_exchange *x)
{
    (void)x;
    UNREACHABLE("a stream in one process");
}
