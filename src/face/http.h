/*
 * http.h - the inbound HTTP server of one book: libmicrohttpd driven by the book's own loop
 * (external epoll), with replies that can be held back until their decision is durable.
 *
 * Guarantees
 *  H1  a handler runs once per request, with the whole head and body in hand, on the loop's thread.
 *  H2  nothing of a reply leaves before http_release (or at once with http_reply).
 *  H3  every limit is explicit (struct http_limits); what exceeds one is answered with a clear
 *      error (413, 414, 431, 408, 503) or closed, and never reaches a handler. The clock of a
 *      request starts with its connection or its request line; a request line that dribbles in
 *      is noticed within another request_ms_max. A reply that its peer does not read is cut when
 *      nothing has moved for idle_ms_max.
 *  H4  a request that a proxy might read differently never reaches a handler: Content-Length
 *      together with Transfer-Encoding, repeated or non-digit Content-Length, missing or repeated
 *      Host, other transfer codings, control characters in header values, folded lines, bare LF,
 *      a path with dot segments, encoded slashes or NUL, an absolute target that is not the Host.
 *      After a chunked body the connection ends with the reply, so that whatever another reader
 *      takes for the next request is never read as one.
 *  H5  a connection that disappears while its reply is held frees everything; releasing such an
 *      exchange is harmless.
 *
 * A refusal is application/problem+json with a stable code (http_internal.h has the list) and ends
 * the connection. Where the library refuses before anything is known here (no HTTP version, a
 * header line without colon, broken chunks, a head beyond the connection's memory: 400, 413, 414,
 * 431, 505), the body is the library's own short HTML.
 * HEAD and OPTIONS reach the handler as methods; the body of a reply to HEAD is not sent.
 */
#ifndef HAKIKA_FACE_HTTP_H
#define HAKIKA_FACE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"

struct http_limits {
    uint32_t connections_max;      /* 2,048; at the limit new connections are refused with 503 */
    uint32_t body_bytes_max;       /* 64 KiB; larger is 413 */
    uint32_t large_body_bytes_max; /* 2 MiB: of the calls that take a file (large_body) */
    uint32_t head_bytes_max;       /* 8 KiB in all; larger is 431; memory of every connection */
    uint32_t headers_max;          /* 64; more is 431 (and more than 16 query parameters 414) */
    uint32_t target_bytes_max;     /* 2 KiB of path and query; longer is 414 */
    uint32_t request_ms_max; /* 10,000: from first byte to whole request, else 408 and close */
    uint32_t idle_ms_max;    /* 75,000: keep-alive without a request */
};

/* The defaults in the comments above. */
struct http_limits http_limits_default(void);

struct http_server;
/* One request and its reply; lives until the reply is sent or the peer goes. */
struct http_exchange;

/*
 * Called once per request. The handler must, before it returns, either reply (http_reply), or hold
 * (http_hold) or start a stream (http_stream).
 */
typedef void (*http_handler_fn)(void *context, struct http_exchange *exchange);

/*
 * Called with the head only, before the body is read or parsed; returning false means that it has
 * replied already (http_reply; the body is then discarded). May be NULL.
 */
typedef bool (*http_admit_fn)(void *context, struct http_exchange *exchange);

/* Called with method and path known: is it a call that takes a file? May be NULL. */
typedef bool (*http_large_body_fn)(void *context, const struct http_exchange *exchange);

struct http_options {
    const char *address; /* numeric IPv4 or IPv6 */
    uint16_t port;       /* 0: any free one */
    struct http_limits limits;
    http_admit_fn admit;
    http_large_body_fn large_body;
    http_handler_fn handle;
    void *context;
    const char *server_name; /* value of the Server header, NULL for none */
};

/* Binds and listens; NULL with a message (what, on what address, why, what to do) on failure. */
struct http_server *http_start(const struct http_options *options, char error[256]);
uint16_t http_port(const struct http_server *server);

/* The descriptor to watch for reading in the loop's own epoll set (it is an epoll descriptor). */
int http_descriptor(const struct http_server *server);
/* Milliseconds until http_turn wants to run even if nothing happens; -1: never. */
int http_timeout_ms(struct http_server *server);
/* Accepts, reads, calls handlers, writes; never blocks. To be called when the descriptor is ready,
 * after releases, and when the timeout has passed. */
void http_turn(struct http_server *server);
/* Stops accepting; existing exchanges go on. */
void http_quiesce(struct http_server *server);
/* Exchanges whose reply has not been sent completely. */
uint32_t http_active(const struct http_server *server);
void http_stop(struct http_server *server); /* closes everything; NULL is fine */

struct http_counters {
    uint64_t requests, refused_connections, refused_requests, timeouts, bytes_in, bytes_out;
    uint32_t connections;
};
struct http_counters http_counters(const struct http_server *server);

/* The request; spans are valid until the reply has been sent. */
struct span http_method(const struct http_exchange *x);
struct span http_path(const struct http_exchange *x);  /* percent-decoded, no query */
struct span http_query(const struct http_exchange *x); /* raw, without '?' */
struct span http_body(const struct http_exchange *x);
/* The first line of that name; data NULL: absent. */
struct span http_header(const struct http_exchange *x, const char *name);
/* The values of all lines of that name, in order and with commas between, written behind what w
 * holds: what a list is that proxies lengthen (RFC 9110 5.3). Never longer than the head was. */
struct span http_header_list(const struct http_exchange *x, const char *name, struct writer *w);
/* Percent- and plus-decoded value of a query parameter; data NULL: absent. */
struct span http_query_value(struct http_exchange *x, const char *name);
struct span http_peer(const struct http_exchange *x);    /* numeric address, no port */
int64_t http_received_ns(const struct http_exchange *x); /* CLOCK_MONOTONIC at the first byte */

/* A stable handle, so that a late release of a vanished exchange is recognised. */
struct http_ticket {
    uint32_t slot;
    uint32_t generation;
};
struct http_ticket http_ticket(const struct http_exchange *x);
/* NULL when that exchange is gone. */
struct http_exchange *http_find(struct http_server *server, struct http_ticket ticket);

/* What HTTP calls a status, "Not Found" for 404; static. */
const char *http_phrase(unsigned status);

/*
 * Adds a reply header (copied), before the reply is given. At most 16 and 1 KiB in all, values
 * without control characters; otherwise the reply becomes a 500. An empty value adds nothing.
 */
void http_reply_header(struct http_exchange *x, const char *name, struct span value);
/* Bytes that a value under this name may have; 0: there is no room for another header. */
size_t http_reply_header_room(const struct http_exchange *x, const char *name);
/* What a reply can suffer on its way, for those who test their clients. */
enum http_break {
    HTTP_WHOLE = 0,
    HTTP_BREAK_RESET = 1, /* not a byte, and the connection is reset */
    HTTP_BREAK_HALF = 2,  /* the head, half of the body, and the connection ends */
};
/* Before the reply is given; it takes effect when the reply would leave. */
void http_break(struct http_exchange *x, enum http_break how);
/* Replies now: status, content type, body (copied). */
void http_reply(struct http_exchange *x, unsigned status, const char *content_type,
                struct span body);
/* Prepares the reply (copied) but keeps it back until http_release. */
void http_hold(struct http_exchange *x, unsigned status, const char *content_type,
               struct span body);
/* Holds without a reply yet (long polls); http_hold or http_reply must follow some time. */
void http_hold_open(struct http_exchange *x);
/* Takes back what was prepared, headers too: a held reply that is not true any more. Another must
 * follow. False: it has left already. */
bool http_retract(struct http_exchange *x);
/* Lets a held reply go. */
void http_release(struct http_exchange *x);
/*
 * Tells the owner when an exchange ends before its reply was released or its stream ended: the peer
 * went away. It is looked for four times a second; a peer that only shut down its sending side
 * counts as gone here (and does not without http_on_gone: its reply is sent).
 */
void http_on_gone(struct http_exchange *x, void (*gone)(void *context, struct http_ticket ticket),
                  void *context);

/* Server-sent events and other endless replies: chunked, flushed by http_turn. */
void http_stream(struct http_exchange *x, unsigned status, const char *content_type);
/* Queues bytes; false when the peer is too slow (its 1 MiB buffer is full) or gone. */
bool http_stream_write(struct http_exchange *x, struct span bytes);
void http_stream_end(struct http_exchange *x);

#endif
