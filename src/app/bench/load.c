/*
 * load.c - epoll, edge-triggered: one send and one receive per request, one epoll_wait per batch.
 * Requests are made and answers are read in one buffer for all connections, which stays in the
 * processor's cache; a connection has memory of its own only for what did not come or go at once.
 *
 *   connecting --connected--> idle --sent--> busy --answered--> idle
 *       ^                       |              |
 *       |                    closed     closed, late, bad
 *       +-----------------------+--------------+       (refused: after a pause)
 *
 * An edge-triggered descriptor speaks up once; a receive that fills less than the room asked for
 * has emptied it, so that nothing is overlooked without a second receive.
 */
#include "app/bench/load.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "app/bench/message.h"
#include "app/monotonic.h"

enum {
    EVENTS_MAX = 256,
    TIMEOUT_MS_DEFAULT = 10000,
    CHECK_EVERY_MS = 50, /* for late answers, broken connections and the stop flag */
};

#define NONE       UINT32_MAX
#define EVENT_WAKE UINT32_MAX /* what epoll hands back for wake_fd */

static const int64_t NS_PER_MS = 1000000;
static const uint64_t NS_PER_S = 1000000000;

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_CONNECTING,
    CONNECTION_IDLE,
    CONNECTION_BUSY
};

/* Bytes that wait for others; the memory is kept. */
struct rest {
    char *data;
    size_t size;
    size_t capacity;
};

struct connection {
    enum connection_state state;
    int fd;
    uint32_t next_idle;
    bool listed;         /* in the idle list, perhaps closed since */
    uint64_t tag;        /* of the request under way */
    int64_t since_ns;    /* when it was sent, or was due */
    int64_t late_ns;     /* when it is given up */
    struct rest request; /* what could not be sent yet */
    struct rest answer;  /* the beginning of one, as far as it has come */
};

struct load {
    struct load_options o;
    struct load_result *result;
    int epoll;
    struct sockaddr_storage address;
    socklen_t address_size;
    struct connection *connections;
    char *request; /* LOAD_REQUEST_MAX, of all connections */
    char *answer;  /* LOAD_ANSWER_MAX */
    uint32_t idle; /* a stack: the warmest connection first */
    uint32_t busy;
    uint32_t connecting;
    int64_t start_ns;
    int64_t end_ns;      /* of the sending */
    int64_t last_ns;     /* the last answer */
    int64_t check_at_ns; /* the next look at all connections */
    uint64_t next;       /* number of the next request */
    bool sending;
};

/* Keeps these bytes instead of what was kept (of which they may be a part). */
static void rest_keep(struct rest *r, const char *data, size_t size)
{
    if (size > r->capacity) {
        char *grown = malloc(size);
        CHECK(grown != NULL);
        memcpy(grown, data, size);
        free(r->data);
        r->data = grown;
        r->capacity = size;
    } else if (size > 0) {
        memmove(r->data, data, size);
    }
    r->size = size;
}

/* ---- connections --------------------------------------------------------------------------- */

static void connection_open(struct load *l, struct connection *c)
{
    CHECK(c->state == CONNECTION_CLOSED);
    int one = 1;
    c->fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        return;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u32 = (uint32_t)(c - l->connections)};
    if ((connect(c->fd, (const struct sockaddr *)&l->address, l->address_size) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        (void)close(c->fd);
        c->fd = -1;
        return;
    }
    c->state = CONNECTION_CONNECTING;
    c->request.size = c->answer.size = 0;
    l->connecting++;
}

static void connection_list_idle(struct load *l, struct connection *c)
{
    c->state = CONNECTION_IDLE;
    if (!c->listed) {
        c->listed = true;
        c->next_idle = l->idle;
        l->idle = (uint32_t)(c - l->connections);
    }
}

/* NULL when none is idle. Those that were closed while they were idle are dropped here. */
static struct connection *connection_take_idle(struct load *l)
{
    while (l->idle != NONE) {
        struct connection *c = &l->connections[l->idle];
        l->idle = c->next_idle;
        c->listed = false;
        if (c->state == CONNECTION_IDLE) {
            return c;
        }
    }
    return NULL;
}

static void request_end(struct load *l, struct connection *c, int status, struct span body)
{
    int64_t now = monotonic_ns();
    l->last_ns = now;
    if (status == 0) {
        l->result->failed++;
    } else {
        l->result->answered++;
        l->result->statuses[status / 100 % 6]++;
    }
    if (l->o.answer != NULL) {
        l->o.answer(l->o.context, c->tag, status, body, now - c->since_ns);
    }
}

static void connection_close(struct load *l, struct connection *c)
{
    CHECK(c->state != CONNECTION_CLOSED);
    enum connection_state was = c->state;
    (void)close(c->fd);
    c->fd = -1;
    c->state = CONNECTION_CLOSED;
    l->connecting -= was == CONNECTION_CONNECTING ? 1 : 0;
    if (was == CONNECTION_BUSY) {
        l->busy--;
        request_end(l, c, 0, SPAN_EMPTY);
    }
    if (was != CONNECTION_CONNECTING && l->sending) {
        connection_open(l, c); /* refused ones wait for check_connections */
    }
}

/* ---- requests ------------------------------------------------------------------------------ */

/* Sends these bytes and keeps what does not go; false when the connection is broken. */
static bool request_send(struct connection *c, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(c->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        if (sent < 0) {
            break; /* an edge will tell */
        }
        data += sent;
        size -= (size_t)sent;
    }
    rest_keep(&c->request, data, size);
    return true;
}

/* What make returned for the idle connection c is on its way, if it is a request. since_ns: when it
   was due; 0: now. */
static bool request_begin(struct load *l, struct connection *c, load_make_fn make, int64_t since_ns)
{
    CHECK(c->state == CONNECTION_IDLE);
    bool scheduled = make == l->o.make;
    c->tag = l->next;
    size_t size = make(l->o.context, &c->tag, l->request, LOAD_REQUEST_MAX);
    if (size == 0 || size == LOAD_LATER) {
        CHECK(size == 0 || l->o.rate_per_s == 0); /* a schedule does not wait */
        l->sending = l->sending && (size == LOAD_LATER || !scheduled);
        connection_list_idle(l, c);
        return false;
    }
    CHECK(size <= LOAD_REQUEST_MAX);
    int64_t now = monotonic_ns();
    l->next += scheduled ? 1 : 0;
    l->result->sent++;
    l->busy++;
    c->state = CONNECTION_BUSY;
    c->since_ns = since_ns == 0 ? now : since_ns;
    c->late_ns = now + l->o.timeout_ms * NS_PER_MS;
    c->answer.size = 0;
    if (!request_send(c, l->request, size)) {
        connection_close(l, c);
    }
    return true;
}

/* When request n is due: exact for any n, without overflow. */
static int64_t due_ns(const struct load *l, uint64_t n)
{
    uint64_t rate = l->o.rate_per_s;
    uint64_t seconds = n / rate;
    return l->start_ns + (int64_t)(seconds * NS_PER_S + n % rate * NS_PER_S / rate);
}

/* How many requests are due at a time: those with due_ns <= now. */
static uint64_t due_count(const struct load *l, int64_t now)
{
    uint64_t passed = (uint64_t)(now - l->start_ns);
    uint64_t rate = l->o.rate_per_s;
    uint64_t count = passed / NS_PER_S * rate + passed % NS_PER_S * rate / NS_PER_S;
    count += due_ns(l, count) <= now ? 1 : 0;
    return l->o.requests_max != 0 && count > l->o.requests_max ? l->o.requests_max : count;
}

static void send_open_loop(struct load *l)
{
    int64_t now = monotonic_ns();
    now = now < l->end_ns ? now : l->end_ns - 1; /* nothing is due at the end or after it */
    uint64_t due = due_count(l, now);
    while (l->next < due) {
        struct connection *c = connection_take_idle(l);
        if (c == NULL) {
            uint64_t backlog = due - l->next;
            l->result->backlog_max =
                backlog > l->result->backlog_max ? backlog : l->result->backlog_max;
            return;
        }
        if (!request_begin(l, c, l->o.make, due_ns(l, l->next))) {
            return;
        }
    }
}

static void send_closed_loop(struct load *l)
{
    struct connection *c;
    while ((l->o.requests_max == 0 || l->next < l->o.requests_max) &&
           (c = connection_take_idle(l)) != NULL) {
        if (!request_begin(l, c, l->o.make, 0)) {
            return;
        }
    }
}

static void send_urgent(struct load *l)
{
    struct connection *c;
    while (l->o.urgent != NULL && (c = connection_take_idle(l)) != NULL) {
        if (!request_begin(l, c, l->o.urgent, 0)) {
            return;
        }
    }
}

static void send_some(struct load *l)
{
    send_urgent(l);
    if (!l->sending) {
        return;
    }
    if (l->o.rate_per_s == 0) {
        send_closed_loop(l);
    } else {
        send_open_loop(l);
    }
    if (monotonic_ns() >= l->end_ns || (l->o.requests_max != 0 && l->next >= l->o.requests_max) ||
        (l->o.stop != NULL && atomic_load_explicit(l->o.stop, memory_order_relaxed))) {
        l->sending = false;
    }
    if (!l->sending && l->o.rate_per_s != 0) {
        int64_t now = monotonic_ns();
        uint64_t due = due_count(l, now < l->end_ns ? now : l->end_ns - 1);
        l->result->backlog_end = due > l->next ? due - l->next : 0;
    }
}

/* ---- events -------------------------------------------------------------------------------- */

/* A whole answer ends its request. False: the connection is to be closed. */
static bool answer_take(struct load *l, struct connection *c, size_t size)
{
    struct message m;
    switch (message_find((struct span){l->answer, size}, &m)) {
    case MESSAGE_PARTIAL: rest_keep(&c->answer, l->answer, size); return size < LOAD_ANSWER_MAX;
    case MESSAGE_BAD: return false;
    case MESSAGE_WHOLE: break;
    }
    if (c->state != CONNECTION_BUSY || m.status < 200 || m.size != size) {
        return false; /* an answer that nobody asked for, or more than one */
    }
    l->busy--;
    connection_list_idle(l, c);
    c->answer.size = 0;
    request_end(l, c, m.status, m.body);
    return !m.closes;
}

/* False: the connection is to be closed. */
static bool connection_receive(struct load *l, struct connection *c)
{
    for (;;) {
        size_t before = c->answer.size;
        size_t room = LOAD_ANSWER_MAX - before;
        if (before > 0) {
            memcpy(l->answer, c->answer.data, before);
        }
        ssize_t got = recv(c->fd, l->answer + before, room, 0);
        if (got < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        if (got == 0 || !answer_take(l, c, before + (size_t)got)) {
            return false;
        }
        if ((size_t)got < room) {
            return true;
        }
    }
}

static void connection_event(struct load *l, struct connection *c, uint32_t events)
{
    bool well = true;
    if (c->state == CONNECTION_CONNECTING && (events & (EPOLLERR | EPOLLHUP)) == 0 &&
        (events & EPOLLOUT) != 0) {
        l->connecting--;
        l->result->connects++;
        connection_list_idle(l, c);
    }
    if ((events & EPOLLOUT) != 0 && c->state == CONNECTION_BUSY) {
        well = request_send(c, c->request.data, c->request.size);
    }
    if (well && (events & EPOLLIN) != 0) {
        well = connection_receive(l, c);
    }
    /* A half-closed server may have answered first; then the receive above has taken it. */
    if (!well || (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) {
        connection_close(l, c);
    }
}

/* Gives up late requests and opens what is closed, every now and then. */
static void check_connections(struct load *l, int64_t now)
{
    if (now < l->check_at_ns) {
        return;
    }
    l->check_at_ns = now + CHECK_EVERY_MS * NS_PER_MS;
    for (uint32_t i = 0; i < l->o.connections; i++) {
        struct connection *c = &l->connections[i];
        if (c->state == CONNECTION_BUSY && now >= c->late_ns) {
            connection_close(l, c);
        }
        if (c->state == CONNECTION_CLOSED && l->sending) {
            connection_open(l, c);
        }
    }
}

static void wait_for_events(struct load *l)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t now = monotonic_ns();
    int64_t until = l->check_at_ns;
    if (l->sending && l->idle != NONE && l->o.rate_per_s != 0) {
        int64_t due = due_ns(l, l->next);
        until = due < until ? due : until;
    }
    int64_t left = until > now ? until - now : 0;
    struct timespec timeout = {left / 1000000000, left % 1000000000};
    int count = epoll_pwait2(l->epoll, events, EVENTS_MAX, &timeout, NULL);
    CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == EVENT_WAKE) {
            uint64_t ignored;
            CHECK(read(l->o.wake_fd, &ignored, sizeof(ignored)) > 0 || errno == EAGAIN);
            continue;
        }
        CHECK(events[i].data.u32 < l->o.connections);
        struct connection *c = &l->connections[events[i].data.u32];
        if (c->state != CONNECTION_CLOSED) {
            connection_event(l, c, events[i].events);
        }
    }
}

/* ---- the run ------------------------------------------------------------------------------- */

static bool run_resolve(struct load *l, char error[256])
{
    const char *host = l->o.host == NULL ? "127.0.0.1" : l->o.host;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", l->o.port);
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0) {
        (void)snprintf(error, 256, "load: %s: %s", host, gai_strerror(failed));
        return false;
    }
    memcpy(&l->address, found->ai_addr, found->ai_addrlen);
    l->address_size = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool run_memory(struct load *l, char error[256])
{
    l->connections = calloc(l->o.connections, sizeof(*l->connections));
    l->request = malloc(LOAD_REQUEST_MAX);
    l->answer = malloc(LOAD_ANSWER_MAX);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wake = {.events = EPOLLIN, .data.u32 = EVENT_WAKE};
    bool ok = l->connections != NULL && l->request != NULL && l->answer != NULL && l->epoll >= 0;
    if (ok && l->o.wake_fd > 0) {
        ok = epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->o.wake_fd, &wake) == 0;
    }
    if (!ok) {
        (void)snprintf(error, 256, "load: no memory for %u connections", l->o.connections);
        return false;
    }
    for (uint32_t i = 0; i < l->o.connections; i++) {
        l->connections[i].fd = -1;
    }
    return true;
}

/* All connections stand, or have failed once, before the clock starts. */
static bool run_connect(struct load *l, char error[256])
{
    int64_t end = monotonic_ns() + l->o.timeout_ms * NS_PER_MS;
    for (uint32_t i = 0; i < l->o.connections; i++) {
        connection_open(l, &l->connections[i]);
    }
    while (l->connecting > 0 && monotonic_ns() < end) {
        l->check_at_ns = monotonic_ns() + CHECK_EVERY_MS * NS_PER_MS;
        wait_for_events(l);
    }
    if (l->result->connects == 0) {
        (void)snprintf(error, 256, "load: cannot connect to %s, port %u",
                       l->o.host == NULL ? "127.0.0.1" : l->o.host, l->o.port);
        return false;
    }
    return true;
}

static void run_loop(struct load *l)
{
    l->start_ns = monotonic_ns();
    l->last_ns = l->start_ns;
    l->check_at_ns = 0;
    l->end_ns = l->o.duration_ms == 0 ? INT64_MAX : l->start_ns + l->o.duration_ms * NS_PER_MS;
    l->sending = true;
    for (;;) {
        send_some(l); /* the last answers, too, may ask for urgent requests */
        if (!l->sending && l->busy == 0) {
            break;
        }
        wait_for_events(l);
        check_connections(l, monotonic_ns());
    }
    l->result->elapsed_ns = l->last_ns - l->start_ns;
}

bool load_run(const struct load_options *options, struct load_result *out, char error[256])
{
    struct load l = {.o = *options, .result = out, .epoll = -1, .idle = NONE};
    CHECK(options->make != NULL);
    l.o.connections = l.o.connections == 0 ? 1 : l.o.connections;
    l.o.timeout_ms = l.o.timeout_ms == 0 ? TIMEOUT_MS_DEFAULT : l.o.timeout_ms;
    memset(out, 0, sizeof(*out));
    bool ok = run_resolve(&l, error) && run_memory(&l, error) && run_connect(&l, error);
    if (ok) {
        /* The usual slack of 50 us would be added to most latencies of an open loop. */
        int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
        (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
        run_loop(&l);
        (void)prctl(PR_SET_TIMERSLACK, slack_ns, 0, 0, 0);
    }
    for (uint32_t i = 0; l.connections != NULL && i < l.o.connections; i++) {
        if (l.connections[i].fd >= 0) {
            (void)close(l.connections[i].fd);
        }
        free(l.connections[i].request.data);
        free(l.connections[i].answer.data);
    }
    if (l.epoll >= 0) {
        (void)close(l.epoll);
    }
    free(l.connections);
    free(l.request);
    free(l.answer);
    return ok;
}
