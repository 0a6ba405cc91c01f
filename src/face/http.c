/*
 * http.c - connections and their time limits, the turn, starting and stopping. The contract is in
 * http.h; the head's grammar in http_request.c; replies in http_reply.c.
 *
 * Invariants
 *  1. A slot is UNUSED and free, or belongs to exactly one connection.
 *  2. A connection that waits for its peer (to send, to read) is on exactly one clock; one that
 *     waits for us (held, streaming) is on none.
 *  3. A suspended connection has phase HANDLED or SENDING (a stream without bytes), or DOOMED.
 *     A parked one has phase HANDLED and is not suspended.
 *  4. The generation of a slot grows with every request, so a ticket names one exchange for ever.
 *
 * Must never block, and never start a thread. Tests: tests/unit/test_http.c.
 */
#include "face/http_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h> /* glibc's struct tcp_info has no byte counts */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    LISTEN_BACKLOG = 4096,
    TURN_ROUNDS_MAX = 8, /* of the library, per http_turn */
};

static const int64_t ns_per_ms = 1000000;

int64_t http__now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct http_limits http_limits_default(void)
{
    return (struct http_limits){
        .connections_max = 2048,
        .body_bytes_max = 64 * 1024,
        .large_body_bytes_max = 2 * 1024 * 1024,
        .head_bytes_max = 8 * 1024,
        .headers_max = 64,
        .target_bytes_max = 2048,
        .request_ms_max = 10000,
        .idle_ms_max = 75000,
    };
}

/* ------------------------------------------------------------------ clocks */

void http__clock_stop(struct http_exchange *x)
{
    if (x->clock == HTTP_CLOCK_NONE) {
        return;
    }
    struct http_clock_list *list = &x->server->clocks[x->clock];
    if (x->clock_previous == NULL) {
        list->first = x->clock_next;
    } else {
        x->clock_previous->clock_next = x->clock_next;
    }
    if (x->clock_next == NULL) {
        list->last = x->clock_previous;
    } else {
        x->clock_next->clock_previous = x->clock_previous;
    }
    x->clock = HTTP_CLOCK_NONE;
    x->clock_previous = NULL;
    x->clock_next = NULL;
}

void http__clock_start(struct http_exchange *x, enum http_clock clock, int64_t since_ns)
{
    CHECK(clock < HTTP_CLOCK_COUNT);
    http__clock_stop(x);
    struct http_clock_list *list = &x->server->clocks[clock];
    x->clock = clock;
    x->since_ns = since_ns;
    x->clock_previous = list->last;
    if (list->last == NULL) {
        list->first = x;
    } else {
        list->last->clock_next = x;
    }
    list->last = x;
}

/* How long a member may stay before it is looked at. */
static int64_t clock_patience_ns(const struct http_server *s, enum http_clock clock)
{
    uint32_t ms = s->limits.idle_ms_max;
    if (clock == HTTP_CLOCK_READING) {
        ms = s->limits.request_ms_max;
    }
    if (clock == HTTP_CLOCK_IDLE && s->limits.request_ms_max < ms) {
        ms = s->limits.request_ms_max;
    }
    return (int64_t)ms * ns_per_ms;
}

/*
 * Whether bytes of a request have come that the library has read but cannot show yet: the kernel
 * knows how many it received.
 */
static bool has_partial_request(const struct http_exchange *x)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    memset(&info, 0, sizeof(info));
    if (getsockopt(x->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return false;
    }
    return info.tcpi_bytes_received > x->consumed;
}

/* Whether the peer has acknowledged anything since the last look. */
static bool has_read_some(struct http_exchange *x)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    memset(&info, 0, sizeof(info));
    if (getsockopt(x->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return false;
    }
    bool progress = info.tcpi_bytes_acked != x->acknowledged;
    x->acknowledged = info.tcpi_bytes_acked;
    return progress;
}

void http__cut(struct http_exchange *x)
{
    CHECK(x->phase != HTTP_UNUSED);
    http__clock_stop(x);
    http__unpark(x);
    x->phase = HTTP_DOOMED;
    (void)shutdown(x->fd, SHUT_RDWR);
}

static void expire_reading(struct http_exchange *x, int64_t now_ns)
{
    if (x->phase == HTTP_IDLE && !has_partial_request(x)) {
        http__clock_start(x, HTTP_CLOCK_IDLE, now_ns);
        return;
    }
    x->server->counters.timeouts++;
    http__refuse_raw(x, HTTP_REFUSE_TIMEOUT);
}

static void expire_idle(struct http_exchange *x, int64_t now_ns)
{
    if (has_partial_request(x)) {
        http__clock_start(x, HTTP_CLOCK_READING, now_ns);
        return;
    }
    if (now_ns - x->idle_since_ns < (int64_t)x->server->limits.idle_ms_max * ns_per_ms) {
        http__clock_start(x, HTTP_CLOCK_IDLE, now_ns);
        return;
    }
    http__cut(x);
}

static void expire_sending(struct http_exchange *x, int64_t now_ns)
{
    if (has_read_some(x)) {
        http__clock_start(x, HTTP_CLOCK_SENDING, now_ns);
        return;
    }
    x->server->counters.timeouts++;
    http__cut(x);
}

static void run_clocks(struct http_server *s)
{
    static void (*const expire[HTTP_CLOCK_COUNT])(struct http_exchange *, int64_t) = {
        [HTTP_CLOCK_READING] = expire_reading,
        [HTTP_CLOCK_IDLE] = expire_idle,
        [HTTP_CLOCK_SENDING] = expire_sending,
    };
    for (uint32_t clock = 0; clock < HTTP_CLOCK_COUNT; clock++) {
        int64_t patience_ns = clock_patience_ns(s, (enum http_clock)clock);
        struct http_exchange *x;
        while ((x = s->clocks[clock].first) != NULL && s->now_ns - x->since_ns >= patience_ns) {
            expire[clock](x, s->now_ns);
        }
    }
}

/* ------------------------------------------------------- peers that go away */

static void watch_stop(struct http_exchange *x)
{
    if (!x->watched) {
        return;
    }
    if (x->watch_previous == NULL) {
        x->server->watched = x->watch_next;
    } else {
        x->watch_previous->watch_next = x->watch_next;
    }
    if (x->watch_next != NULL) {
        x->watch_next->watch_previous = x->watch_previous;
    }
    x->watched = false;
    x->watch_previous = NULL;
    x->watch_next = NULL;
}

void http_on_gone(struct http_exchange *x, void (*gone)(void *context, struct http_ticket ticket),
                  void *context)
{
    CHECK(x->phase == HTTP_HANDLED || x->phase == HTTP_SENDING);
    x->gone = gone;
    x->gone_context = context;
    if (x->watched) {
        return;
    }
    x->watched = true;
    x->watch_next = x->server->watched;
    if (x->watch_next != NULL) {
        x->watch_next->watch_previous = x;
    }
    x->server->watched = x;
}

/* A suspended connection is not in the library's sight, so its end is looked for here. */
static bool peer_has_gone(const struct http_exchange *x)
{
    char byte;
    ssize_t got = recv(x->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

static void look_for_gone(struct http_server *s)
{
    if (s->watched == NULL || s->now_ns - s->watched_ns < HTTP_GONE_INTERVAL_MS * ns_per_ms) {
        return;
    }
    s->watched_ns = s->now_ns;
    for (struct http_exchange *x = s->watched; x != NULL; x = x->watch_next) {
        if (!x->suspended || x->peer_gone || !peer_has_gone(x)) {
            continue;
        }
        x->peer_gone = true;
        http__cut(x);
        http__resume(x);
    }
}

/* ------------------------------------------------- what the library calls */

static struct http_exchange *exchange_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static void exchange_reset(struct http_exchange *x)
{
    x->generation++;
    x->uri = NULL;
    x->target_too_long = false;
    x->method = x->path = x->query = SPAN_EMPTY;
    x->body_expected = x->body_received = 0;
    x->body_max = 0;
    x->expects_continue = false;
    x->counted = x->in_handler = x->prepared = x->open = x->released = false;
    x->close_after = x->headers_overflow = false;
    x->broken = HTTP_WHOLE;
    x->streaming = x->stream_ended = x->peer_gone = false;
    x->stream_sent = 0;
    x->headers_count = 0;
    x->gone = NULL;
    x->gone_context = NULL;
    http__buffer_reset(&x->target);
    http__buffer_reset(&x->body);
    http__buffer_reset(&x->reply);
    http__buffer_reset(&x->headers);
}

/* The exchange is over, whatever became of it; its owner hears of it when it was still waiting. */
static void exchange_end(struct http_exchange *x)
{
    struct http_server *s = x->server;
    bool owner_waits = x->streaming ? !x->stream_ended : !x->released;
    watch_stop(x);
    http__unpark(x);
    if (x->phase == HTTP_HEAD) {
        s->counters.refused_requests++; /* by the library, or abandoned */
    }
    if (x->counted) {
        x->counted = false;
        s->active--;
    }
    if (x->gone != NULL && owner_waits && !s->stopping) {
        x->gone(x->gone_context, http_ticket(x));
    }
    exchange_reset(x);
}

static struct http_exchange *slot_take(struct http_server *s)
{
    if (s->free_count > 0) {
        return s->slots[s->free_slots[--s->free_count]];
    }
    if (s->slots_made == s->slots_max) {
        return NULL;
    }
    struct http_exchange *x = calloc(1, sizeof(*x));
    if (x == NULL) {
        return NULL;
    }
    x->server = s;
    x->slot = s->slots_made;
    x->clock = HTTP_CLOCK_NONE;
    s->slots[s->slots_made++] = x;
    return x;
}

static void note_peer(struct http_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info == NULL ? NULL : info->client_addr;
    x->peer[0] = '\0';
    if (address == NULL) {
        return;
    }
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        (void)inet_ntop(AF_INET, &in.sin_addr, x->peer, sizeof(x->peer));
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        (void)inet_ntop(AF_INET6, &in6.sin6_addr, x->peer, sizeof(x->peer));
    }
}

static void connection_opened(struct http_server *s, struct MHD_Connection *connection,
                              void **context)
{
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct http_exchange *x = slot_take(s);
    if (x == NULL) {
        (void)shutdown(fd, SHUT_RDWR); /* no memory; the library closes what it cannot read */
        return;
    }
    CHECK(x->phase == HTTP_UNUSED);
    x->connection = connection;
    x->fd = fd;
    x->phase = HTTP_IDLE;
    x->idle_since_ns = s->now_ns;
    x->acknowledged = 0;
    x->buffer_start = 0;
    x->consumed = 0;
    note_peer(x);
    *context = x;
    s->counters.connections++;
    if (s->counters.connections > s->limits.connections_max) {
        s->counters.refused_connections++;
        http__refuse_raw(x, HTTP_REFUSE_TOO_MANY_CONNECTIONS);
        return;
    }
    http__clock_start(x, HTTP_CLOCK_READING, s->now_ns);
}

static void connection_closed(struct http_server *s, struct http_exchange *x)
{
    CHECK(x->phase != HTTP_UNUSED);
    http__clock_stop(x);
    exchange_end(x); /* libmicrohttpd 1.0.1 does not always say so before */
    x->phase = HTTP_UNUSED;
    x->suspended = false;
    x->connection = NULL;
    x->fd = -1;
    s->free_slots[s->free_count++] = x->slot;
    s->counters.connections--;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_opened(context, connection, socket_context);
    } else if (*socket_context != NULL) {
        connection_closed(context, *socket_context);
    }
}

/* The library keeps a record per parameter, whatever we do; its memory is bounded. */
static bool has_too_many_parameters(struct span target)
{
    uint32_t parameters = 0;
    for (size_t i = 0; i < target.size; i++) {
        parameters += target.data[i] == '&';
    }
    return parameters >= HTTP_PARAMETERS_MAX;
}

/* The request line has been read; the target is still as it came. */
static void *on_target(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *s = context;
    struct http_exchange *x = exchange_of(connection);
    if (x == NULL || x->phase != HTTP_IDLE) {
        return x;
    }
    x->phase = HTTP_HEAD;
    x->received_ns = http__now_ns();
    http__clock_start(x, HTTP_CLOCK_READING, s->now_ns);
    size_t size = uri == NULL ? 0 : strlen(uri);
    x->uri = uri;
    if (size > s->limits.target_bytes_max) {
        x->target_too_long = true;
        return x;
    }
    if (has_too_many_parameters((struct span){uri, size})) {
        http__refuse_raw(x, HTTP_REFUSE_TARGET_TOO_LONG);
        return x;
    }
    if (!http__buffer_reserve(&x->target, 3 * size + 1)) {
        http__refuse_raw(x, HTTP_REFUSE_NO_MEMORY);
        return x;
    }
    memcpy(x->target.data, uri == NULL ? "" : uri, size);
    x->target.size = size;
    x->path_room = x->target.data + size;
    x->query_room = x->path_room + size;
    return x;
}

/* The library must not decode anything: targets are decoded, strictly, in http_request.c. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/*
 * What becomes of an exchange that its handler has seen: sent, or held. To suspend a connection and
 * to resume it costs three system calls (out of the epoll set and into it, a receive that finds
 * nothing), and most replies are held for one group commit. So it is parked first, which costs a
 * call of on_request for each round of the library, and suspended when it was looked at so often
 * that suspending would have been cheaper. One that waits for somebody is suspended at once.
 * False: the connection is to be closed.
 */
static bool settle(struct http_exchange *x)
{
    if (x->prepared && x->released) {
        x->server->goes_on = x->server->goes_on || x->parked;
        http__unpark(x);
        return http__queue(x);
    }
    if (!x->parked) {
        http__clock_stop(x);
        x->looks = x->prepared ? 0 : HTTP_LOOKS_MAX;
        x->parked = true;
        x->server->parked++;
    }
    if (x->looks++ == HTTP_LOOKS_MAX) {
        http__unpark(x);
        http__suspend(x);
    }
    return true;
}

static enum MHD_Result request_begin(struct http_exchange *x, const char *method,
                                     const char *version)
{
    struct http_server *s = x->server;
    enum http_refusal refusal = http__head_check(x, method, version);
    if (refusal != HTTP_REFUSE_NONE) {
        s->counters.refused_requests++;
        http__refuse(x, refusal);
        return settle(x) ? MHD_YES : MHD_NO;
    }
    s->counters.requests++;
    s->active++;
    x->counted = true;
    x->phase = HTTP_BODY;
    if (s->admit == NULL) {
        return MHD_YES;
    }
    x->in_handler = true;
    bool admitted = s->admit(s->context, x);
    x->in_handler = false;
    CHECK(admitted == !x->prepared);
    /* A refused body is read and forgotten, which keeps the connection, unless not sent yet. */
    return admitted || !x->expects_continue || settle(x) ? MHD_YES : MHD_NO;
}

static enum MHD_Result request_body(struct http_exchange *x, const char *data, size_t *size)
{
    struct http_server *s = x->server;
    s->counters.bytes_in += *size;
    x->consumed += *size;
    x->body_received += *size;
    s->goes_on = s->goes_on || x->body_received < x->body_expected;
    if (x->body_received > x->body_max) {
        s->counters.refused_requests++;
        http__refuse_raw(x, HTTP_REFUSE_BODY_TOO_LARGE);
        return MHD_NO;
    }
    if (x->prepared) { /* not admitted */
        *size = 0;
        return MHD_YES;
    }
    if (x->body.size == 0 && x->body_expected > *size &&
        !http__buffer_reserve(&x->body, (size_t)x->body_expected)) {
        http__refuse_raw(x, HTTP_REFUSE_NO_MEMORY);
        return MHD_NO;
    }
    if (!http__buffer_append(&x->body, data, *size)) {
        http__refuse_raw(x, HTTP_REFUSE_NO_MEMORY);
        return MHD_NO;
    }
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result request_whole(struct http_exchange *x)
{
    struct http_server *s = x->server;
    http__clock_stop(x);
    x->phase = HTTP_HANDLED;
    if (!x->prepared) { /* admitted */
        x->in_handler = true;
        s->handle(s->context, x);
        x->in_handler = false;
        CHECK(x->prepared || x->open);
    }
    return settle(x) ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **request_context)
{
    (void)context;
    (void)connection;
    (void)url;
    struct http_exchange *x = *request_context;
    if (x == NULL) {
        return MHD_NO;
    }
    if (x->parked) {
        return settle(x) ? MHD_YES : MHD_NO;
    }
    if (x->phase == HTTP_HEAD) {
        return request_begin(x, method, version);
    }
    if (x->phase != HTTP_BODY) {
        return MHD_NO; /* doomed */
    }
    return *size > 0 ? request_body(x, data, size) : request_whole(x);
}

/* The library is done with a request: its reply has been sent, or the connection ended before. */
static void on_done(void *context, struct MHD_Connection *connection, void **request_context,
                    enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct http_server *s = context;
    struct http_exchange *x = *request_context;
    if (x == NULL) {
        return;
    }
    exchange_end(x);
    if (x->phase != HTTP_DOOMED) {
        x->phase = HTTP_IDLE;
        x->idle_since_ns = s->now_ns;
        http__clock_start(x, HTTP_CLOCK_IDLE, s->now_ns);
    }
    *request_context = NULL;
}

static enum http_refusal refusal_of_message(const char *format)
{
    if (strstr(format, "Too large") != NULL) {
        return HTTP_REFUSE_BODY_TOO_LARGE;
    }
    if (strstr(format, "Content-Length") != NULL) {
        return HTTP_REFUSE_BAD_LENGTH;
    }
    return strstr(format, "memory") != NULL ? HTTP_REFUSE_HEAD_TOO_LARGE : HTTP_REFUSE_BAD_HEADER;
}

/*
 * The library says that it is about to refuse something. When that is a head which it has read to
 * its end, version 0.9.75 writes its status line twice, so we answer first and shut the socket.
 * Whose head it is, is not said; but only the one being worked on is whole and not ours yet.
 */
static void on_message(void *context, const char *format, va_list arguments)
{
    (void)arguments;
    struct http_server *s = context;
    for (struct http_exchange *x = s->clocks[HTTP_CLOCK_READING].first; x != NULL;
         x = x->clock_next) {
        bool whole =
            x->phase == HTTP_HEAD && x->method.data == NULL &&
            MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) != NULL;
        if (whole) {
            s->counters.refused_requests++;
            http__refuse_raw(x, refusal_of_message(format));
            return;
        }
    }
}

/* ----------------------------------------------------------- start and stop */

static bool address_parse(const struct http_options *options, struct sockaddr_storage *out,
                          socklen_t *size)
{
    memset(out, 0, sizeof(*out));
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    if (inet_pton(AF_INET, options->address, &in.sin_addr) == 1) {
        memcpy(out, &in, sizeof(in));
        *size = sizeof(in);
        return true;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(options->port)};
    if (inet_pton(AF_INET6, options->address, &in6.sin6_addr) == 1) {
        memcpy(out, &in6, sizeof(in6));
        *size = sizeof(in6);
        return true;
    }
    return false;
}

static int listen_on(const struct sockaddr_storage *address, socklen_t size)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    /* Accepted sockets inherit TCP_NODELAY from this one. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)address, size) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &address, sizeof(in6));
        return ntohs(in6.sin6_port);
    }
    struct sockaddr_in in;
    memcpy(&in, &address, sizeof(in));
    return ntohs(in.sin_port);
}

/*
 * Room for a head of the largest size, the library's records of what is in it (64 bytes each), a
 * reply's head. The library clears all of it after each request, so that with many connections it
 * is also what goes through the processor's cache: no more than is needed.
 */
static size_t connection_memory(const struct http_limits *limits)
{
    return limits->head_bytes_max + ((size_t)limits->headers_max + HTTP_PARAMETERS_MAX) * 64 +
           HTTP_REPLY_HEADERS_BYTES_MAX + 512;
}

static bool daemon_start(struct http_server *s)
{
    /* From 1.0 on the library can be strict by itself; before, http_request.c verifies. */
    s->verify_head = strncmp(MHD_get_version(), "0.", 2) == 0;
    /* clang-format off */
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, on_message, s,
        MHD_OPTION_LISTEN_SOCKET, s->listener,
        MHD_OPTION_CONNECTION_LIMIT, s->limits.connections_max + HTTP_OVERFLOW_CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory(&s->limits),
        MHD_OPTION_CONNECTION_TIMEOUT, 0U,
        MHD_OPTION_STRICT_FOR_CLIENT, s->verify_head ? 0 : 1,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_done, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_END);
    /* clang-format on */
    if (s->daemon == NULL) {
        return false;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    CHECK(info != NULL);
    s->epoll = info->epoll_fd;
    return true;
}

static struct http_server *server_make(const struct http_options *options)
{
    struct http_server *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->limits = options->limits;
    s->admit = options->admit;
    s->large_body = options->large_body;
    s->handle = options->handle;
    s->context = options->context;
    s->listener = -1;
    s->slots_max = s->limits.connections_max + HTTP_OVERFLOW_CONNECTIONS;
    s->slots = calloc(s->slots_max, sizeof(struct http_exchange *));
    s->free_slots = calloc(s->slots_max, sizeof(*s->free_slots));
    s->server_name = options->server_name == NULL ? NULL : strdup(options->server_name);
    bool named = options->server_name == NULL || s->server_name != NULL;
    if (s->slots == NULL || s->free_slots == NULL || !named) {
        http_stop(s);
        return NULL;
    }
    s->now_ns = http__now_ns();
    return s;
}

struct http_server *http_start(const struct http_options *options, char error[256])
{
    CHECK(options->handle != NULL && options->address != NULL);
    CHECK(options->limits.connections_max > 0 && options->limits.head_bytes_max > 0);
    struct sockaddr_storage address;
    socklen_t size = 0;
    if (!address_parse(options, &address, &size)) {
        (void)snprintf(error, 256,
                       "cannot listen on \"%s\": not a numeric IPv4 or IPv6 address; "
                       "use for example 127.0.0.1",
                       options->address);
        return NULL;
    }
    struct http_server *s = server_make(options);
    if (s == NULL) {
        (void)snprintf(error, 256, "cannot start the HTTP server: out of memory");
        return NULL;
    }
    s->listener = listen_on(&address, size);
    if (s->listener < 0) {
        (void)snprintf(error, 256,
                       "cannot listen on %s port %u: %s; choose another port or stop "
                       "the program that uses it",
                       options->address, options->port, strerror(errno));
        http_stop(s);
        return NULL;
    }
    s->port = bound_port(s->listener);
    if (!daemon_start(s)) {
        (void)snprintf(error, 256, "cannot start the HTTP library on %s port %u: %s",
                       options->address, s->port, strerror(errno));
        http_stop(s);
        return NULL;
    }
    return s;
}

void http_quiesce(struct http_server *s)
{
    if (s->listener < 0) {
        return;
    }
    (void)MHD_quiesce_daemon(s->daemon);
    (void)close(s->listener);
    s->listener = -1;
}

void http_stop(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    s->stopping = true;
    for (uint32_t i = 0; i < s->slots_made; i++) {
        struct http_exchange *x = s->slots[i];
        if (x->suspended) {
            http__resume(x); /* the library cannot stop with suspended connections */
        }
    }
    if (s->daemon != NULL) {
        MHD_stop_daemon(s->daemon); /* closes the listener, unless quiesced */
        s->listener = -1;
    }
    if (s->listener >= 0) {
        (void)close(s->listener);
    }
    for (uint32_t i = 0; i < s->slots_made; i++) {
        struct http_exchange *x = s->slots[i];
        http__buffer_free(&x->target);
        http__buffer_free(&x->body);
        http__buffer_free(&x->reply);
        http__buffer_free(&x->headers);
        free(x);
    }
    free(s->slots);
    free(s->free_slots);
    free(s->server_name);
    free(s);
}

/* ------------------------------------------------------------------ the loop */

/* The library has work that needs no further event. */
static bool library_is_ready(const struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG timeout = 0;
    return MHD_get_timeout(s->daemon, &timeout) == MHD_YES && timeout == 0;
}

void http_turn(struct http_server *s)
{
    s->now_ns = http__now_ns();
    run_clocks(s);
    look_for_gone(s);
    /* A reply that was let go is handed to the library in one round and sent in the next. */
    int rounds_min = s->resumed ? 2 : 1;
    s->resumed = false;
    /* Parked connections are always ready: with them, only what is known to go on makes another
     * round worth while (each takes in new requests, and the loop has other things to do). What
     * that overlooks is found HTTP_PARKED_BEAT_MS later. */
    for (int round = 1; round <= TURN_ROUNDS_MAX; round++) {
        s->goes_on = false;
        (void)MHD_run(s->daemon);
        bool more = s->parked > 0 ? s->goes_on : library_is_ready(s);
        if (round >= rounds_min && !more) {
            break;
        }
    }
}

int http_timeout_ms(struct http_server *s)
{
    if (s->resumed || (s->parked == 0 && library_is_ready(s))) {
        return 0;
    }
    int64_t now_ns = http__now_ns();
    int64_t wait_ns = s->parked > 0 ? HTTP_PARKED_BEAT_MS * ns_per_ms : INT64_MAX;
    for (uint32_t clock = 0; clock < HTTP_CLOCK_COUNT; clock++) {
        const struct http_exchange *x = s->clocks[clock].first;
        if (x != NULL) {
            int64_t left_ns = x->since_ns + clock_patience_ns(s, (enum http_clock)clock) - now_ns;
            wait_ns = left_ns < wait_ns ? left_ns : wait_ns;
        }
    }
    if (s->watched != NULL) {
        int64_t left_ns = s->watched_ns + HTTP_GONE_INTERVAL_MS * ns_per_ms - now_ns;
        wait_ns = left_ns < wait_ns ? left_ns : wait_ns;
    }
    if (wait_ns == INT64_MAX) {
        return -1;
    }
    int64_t wait_ms = wait_ns <= 0 ? 0 : (wait_ns + ns_per_ms - 1) / ns_per_ms;
    return wait_ms > 60000 ? 60000 : (int)wait_ms;
}

uint16_t http_port(const struct http_server *s)
{
    return s->port;
}

int http_descriptor(const struct http_server *s)
{
    return s->epoll;
}

uint32_t http_active(const struct http_server *s)
{
    return s->active;
}

struct http_counters http_counters(const struct http_server *s)
{
    return s->counters;
}

struct http_ticket http_ticket(const struct http_exchange *x)
{
    return (struct http_ticket){x->slot, x->generation};
}

struct http_exchange *http_find(struct http_server *s, struct http_ticket ticket)
{
    if (ticket.slot >= s->slots_made) {
        return NULL;
    }
    struct http_exchange *x = s->slots[ticket.slot];
    return x->generation == ticket.generation && x->counted ? x : NULL;
}
