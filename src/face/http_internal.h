/*
 * http_internal.h - what http.c (connections, time limits, the turn), http_request.c (the strict
 * reading of a head) and http_reply.c (replies, held replies, streams) share.
 *
 * Relies on: a connection serves one request at a time, so a connection's slot and the exchange
 * on it are one object. Slots and their buffers are reused, never freed before http_stop.
 * A suspended connection is not watched by the library: nothing happens to it until it is resumed.
 * A connection whose handler gave no reply stays ready in the library's eyes, and the handler is
 * called again in every round: such a connection is called parked here.
 */
#ifndef HAKIKA_FACE_HTTP_INTERNAL_H
#define HAKIKA_FACE_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <netinet/in.h>

#include "face/http.h"

enum {
    HTTP_BUFFER_KEEP_BYTES = 16 * 1024,  /* larger buffers are given back after the request */
    HTTP_STREAM_BYTES_MAX = 1024 * 1024, /* unsent bytes of one stream */
    HTTP_PARAMETERS_MAX = 16,            /* in a query */
    HTTP_REPLY_HEADERS_MAX = 16,
    HTTP_REPLY_HEADERS_BYTES_MAX = 1024,
    HTTP_OVERFLOW_CONNECTIONS = 256, /* beyond the limit, only to be told 503 */
    HTTP_GONE_INTERVAL_MS = 250,     /* how often watched peers are looked at */
    HTTP_LOOKS_MAX = 16,             /* at a held reply, before it is suspended: see settle */
    HTTP_PARKED_BEAT_MS = 1,         /* how long a turn may be put off while replies are parked */
};

/* A growable run of bytes that keeps its memory between requests. */
struct http_buffer {
    char *data;
    size_t size;
    size_t capacity;
};

/* Room for more bytes after size; false when there is no memory. */
bool http__buffer_reserve(struct http_buffer *b, size_t more) MUST_USE;
bool http__buffer_append(struct http_buffer *b, const void *data, size_t size) MUST_USE;
void http__buffer_reset(struct http_buffer *b);
void http__buffer_free(struct http_buffer *b);

/*
 * The life of a slot.
 *
 *   UNUSED -> IDLE            accepted                           connection_opened
 *   IDLE   -> HEAD            request line parsed                target_seen
 *   HEAD   -> BODY            head is good                       request_begin
 *   BODY   -> HANDLED         body is whole, the handler ran     request_whole
 *   HANDLED-> SENDING         reply queued                       http__queue
 *   SENDING-> IDLE            reply sent                         request_done
 *   any    -> DOOMED          refused on the wire or cut         http__refuse_raw, http__cut
 *   any    -> UNUSED          connection closed                  connection_closed
 */
enum http_phase {
    HTTP_UNUSED,
    HTTP_IDLE,
    HTTP_HEAD,
    HTTP_BODY,
    HTTP_HANDLED,
    HTTP_SENDING,
    HTTP_DOOMED, /* every further byte is ignored; the socket is shut down */
};

/* Which clock runs for a connection; each list is in the order of its members' since_ns. */
enum http_clock {
    HTTP_CLOCK_READING, /* request_ms_max */
    HTTP_CLOCK_IDLE,    /* idle_ms_max, with a look at the socket every request_ms_max */
    HTTP_CLOCK_SENDING, /* idle_ms_max without progress */
    HTTP_CLOCK_COUNT,
    HTTP_CLOCK_NONE = HTTP_CLOCK_COUNT,
};

struct http_exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    int fd;
    uint32_t slot;
    uint32_t generation;
    enum http_phase phase;

    enum http_clock clock;
    struct http_exchange *clock_previous, *clock_next;
    int64_t since_ns;       /* when this clock was started */
    int64_t idle_since_ns;  /* when the last reply was sent, or the connection accepted */
    uintptr_t buffer_start; /* where the library reads requests of this connection into */
    uint64_t consumed;      /* bytes of all requests that were parsed */
    uint64_t acknowledged;  /* bytes the peer had acknowledged when last looked at */

    /* the request */
    int64_t received_ns;
    const char *uri;           /* the library's memory: the target, in place */
    struct http_buffer target; /* raw copy; behind it, as large, path_room and query_room */
    char *path_room, *query_room;
    bool target_too_long;
    struct span method, path, query;
    struct http_buffer body;
    uint64_t body_expected; /* Content-Length, 0 when chunked or absent */
    uint64_t body_max;
    uint64_t body_received; /* kept in body, unless the request was not admitted */
    bool expects_continue;
    char peer[INET6_ADDRSTRLEN];

    /* the reply */
    bool counted; /* in http_active */
    bool in_handler;
    bool prepared; /* status, type and body are set */
    bool open;     /* held without a reply */
    bool released; /* may go */
    bool suspended;
    bool parked;   /* held, and looked at in every round of the library */
    uint8_t looks; /* at the parked one */
    bool close_after;
    enum http_break broken;
    bool headers_overflow;
    bool streaming, stream_ended, peer_gone;
    unsigned status;
    char content_type[80];
    struct http_buffer reply;   /* body, or bytes of a stream still to be sent */
    size_t stream_sent;         /* of reply, already handed to the library */
    struct http_buffer headers; /* name NUL value NUL ... */
    uint32_t headers_count;

    void (*gone)(void *context, struct http_ticket ticket);
    void *gone_context;
    struct http_exchange *watch_previous, *watch_next;
    bool watched;
};

struct http_clock_list {
    struct http_exchange *first, *last;
};

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_limits limits;
    http_admit_fn admit;
    http_large_body_fn large_body;
    http_handler_fn handle;
    void *context;
    char *server_name;
    uint16_t port;
    int epoll;
    int listener; /* -1 once quiesced */
    bool stopping;
    bool resumed;     /* something was let go since the last turn: the next one is due at once */
    bool goes_on;     /* something of this round needs the next one */
    bool verify_head; /* this library edits the head in place, see http__head_check */

    struct http_exchange **slots;
    uint32_t slots_made, slots_max;
    uint32_t *free_slots;
    uint32_t free_count;

    int64_t now_ns; /* CLOCK_MONOTONIC at the start of the turn */
    struct http_clock_list clocks[HTTP_CLOCK_COUNT];
    struct http_exchange *watched;
    int64_t watched_ns; /* when the watched peers were last looked at */
    uint32_t active;
    uint32_t parked;
    struct http_counters counters;
};

/* Why a request is refused. The words are part of the interface; see http_request.c. */
#define HTTP_REFUSALS(X)                                                                         \
    X(BAD_REQUEST_LINE, 400, "bad_request_line", "The request line is malformed.")               \
    X(BAD_TARGET, 400, "bad_target", "The request target is malformed or ambiguous.")            \
    X(BAD_HEADER, 400, "bad_header", "A header line is malformed.")                              \
    X(BAD_HOST, 400, "bad_host", "Exactly one valid Host header is required.")                   \
    X(BAD_LENGTH, 400, "bad_content_length",                                                     \
      "Content-Length must appear once, as decimal digits, without Transfer-Encoding.")          \
    X(BAD_CODING, 501, "unsupported_transfer_coding", "The only transfer coding is chunked.")    \
    X(BAD_EXPECT, 417, "unsupported_expectation", "The only expectation is 100-continue.")       \
    X(BAD_VERSION, 505, "unsupported_version", "Use HTTP/1.1.")                                  \
    X(TIMEOUT, 408, "request_timeout", "The request did not arrive in time.")                    \
    X(BODY_TOO_LARGE, 413, "body_too_large", "The body is larger than this server accepts.")     \
    X(TARGET_TOO_LONG, 414, "target_too_long", "The target is longer than this server accepts.") \
    X(HEAD_TOO_LARGE, 431, "head_too_large", "The head has too many or too large headers.")      \
    X(REPLY_FAILED, 500, "reply_failed", "The reply could not be built.")                        \
    X(NO_MEMORY, 503, "no_memory", "The server is out of memory; try again later.")              \
    X(TOO_MANY_CONNECTIONS, 503, "too_many_connections",                                         \
      "The server has as many connections as it accepts; try again later.")

enum http_refusal {
    HTTP_REFUSE_NONE,
#define X(name, status, code, detail) HTTP_REFUSE_##name,
    HTTP_REFUSALS(X)
#undef X
};

/* http_request.c */
enum http_refusal http__head_check(struct http_exchange *x, const char *method,
                                   const char *version);

/* http_reply.c */
/* Sends what is prepared and released; false when the connection must be closed instead. */
bool http__queue(struct http_exchange *x) MUST_USE;
/* Prepares and releases a problem+json reply; the connection closes after it. */
void http__refuse(struct http_exchange *x, enum http_refusal why);
/*
 * Answers where the library cannot (while it still reads): straight to the socket, then nothing
 * more is read. Only while no reply is being sent.
 */
void http__refuse_raw(struct http_exchange *x, enum http_refusal why);
void http__suspend(struct http_exchange *x);
void http__resume(struct http_exchange *x);
void http__unpark(struct http_exchange *x);

/* http.c */
int64_t http__now_ns(void);
void http__clock_start(struct http_exchange *x, enum http_clock clock, int64_t since_ns);
void http__clock_stop(struct http_exchange *x);
/* Ends the connection without a word. */
void http__cut(struct http_exchange *x);

#endif
