/*
 * sink.c - epoll, level-triggered: one read, one parse and one send per turn of a connection.
 */
#include "app/bench/sink.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/bench/message.h"

enum {
    SINK_CONNECTIONS_DEFAULT = 1024,
    SINK_EVENTS_MAX = 128,
    ANSWERS_MAX = 32, /* sent at once to a client that pipelines */
};

#define NONE                 UINT32_MAX
/* What epoll hands back for the descriptors that are not connections; listener i is FIRST + i. */
#define EVENT_STOP           UINT32_MAX
#define EVENT_FIRST_LISTENER (UINT32_MAX - SINK_PORTS_MAX)

#define ANSWER_BODY "{\"ResultCode\":0,\"ResultDesc\":\"Accepted\"}"

static const char ANSWER[] = "HTTP/1.1 200 OK\r\n"
                             "Content-Type: application/json\r\n"
                             "Content-Length: 40\r\n"
                             "\r\n" ANSWER_BODY;
_Static_assert(sizeof(ANSWER_BODY) - 1 == 40, "the length that the answer promises");

enum { ANSWER_SIZE = sizeof(ANSWER) - 1 };

struct sink_connection {
    int fd; /* -1: free */
    uint32_t next_free;
    size_t size;
    char *buffer; /* SINK_REQUEST_MAX, kept for the next connection */
};

struct sink {
    struct sink_options options;
    int listeners[SINK_PORTS_MAX];
    uint16_t ports[SINK_PORTS_MAX];
    int epoll;
    int stop_fd;
    pthread_t thread;
    _Atomic uint64_t count;
    uint32_t free_connections; /* list */
    struct sink_connection *connections;
    char answers[ANSWERS_MAX * ANSWER_SIZE]; /* the same answer over and over */
};

static void sink_connection_close(struct sink *s, struct sink_connection *c)
{
    (void)close(c->fd);
    c->fd = -1;
    c->size = 0;
    c->next_free = s->free_connections;
    s->free_connections = (uint32_t)(c - s->connections);
}

static bool sink_watch(struct sink *s, int fd, uint32_t what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void sink_accept(struct sink *s, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    uint32_t i = s->free_connections;
    if (i == NONE) {
        (void)close(fd);
        return;
    }
    struct sink_connection *c = &s->connections[i];
    c->buffer = c->buffer != NULL ? c->buffer : malloc(SINK_REQUEST_MAX);
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (c->buffer == NULL || !sink_watch(s, fd, i)) {
        (void)close(fd);
        return;
    }
    s->free_connections = c->next_free;
    c->fd = fd;
    c->size = 0;
}

/* A client that does not read its answers is not worth a buffer. */
static bool connection_answer(struct sink *s, struct sink_connection *c, uint32_t count)
{
    while (count > 0) {
        uint32_t now = count < ANSWERS_MAX ? count : ANSWERS_MAX;
        size_t size = (size_t)now * ANSWER_SIZE;
        if (send(c->fd, s->answers, size, MSG_NOSIGNAL) != (ssize_t)size) {
            return false;
        }
        count -= now;
    }
    return true;
}

/* False: the connection is to be closed. */
static bool connection_read(struct sink *s, struct sink_connection *c)
{
    ssize_t got = recv(c->fd, c->buffer + c->size, SINK_REQUEST_MAX - c->size, 0);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    c->size += (size_t)got;
    size_t used = 0;
    uint32_t answers = 0;
    struct message m;
    enum message_state state;
    for (;;) {
        state = message_find((struct span){c->buffer + used, c->size - used}, &m);
        if (state != MESSAGE_WHOLE) {
            break;
        }
        if (s->options.body != NULL) {
            s->options.body(s->options.context, m.body);
        }
        used += m.size;
        answers++;
    }
    atomic_fetch_add_explicit(&s->count, answers, memory_order_relaxed);
    if (!connection_answer(s, c, answers) || state == MESSAGE_BAD) {
        return false;
    }
    c->size -= used;
    if (c->size > 0 && used > 0) {
        memmove(c->buffer, c->buffer + used, c->size);
    }
    return c->size < SINK_REQUEST_MAX; /* full and still not whole: too large */
}

static void *sink_run(void *context)
{
    struct sink *s = context;
    struct epoll_event events[SINK_EVENTS_MAX];
    (void)pthread_setname_np(pthread_self(), "sink");
    for (;;) {
        int count = epoll_wait(s->epoll, events, SINK_EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            uint32_t what = events[i].data.u32;
            if (what == EVENT_STOP) {
                return NULL;
            }
            if (what >= EVENT_FIRST_LISTENER) {
                sink_accept(s, s->listeners[what - EVENT_FIRST_LISTENER]);
                continue;
            }
            CHECK(what < s->options.connections_max);
            struct sink_connection *c = &s->connections[what];
            /* A closed one may speak up once more while a forked child still holds it. */
            if (c->fd >= 0 && !connection_read(s, c)) {
                sink_connection_close(s, c);
            }
        }
        if (s->options.rested != NULL) {
            s->options.rested(s->options.context);
        }
    }
}

static void close_if_open(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void sink_free(struct sink *s)
{
    for (uint32_t i = 0; s->connections != NULL && i < s->options.connections_max; i++) {
        if (s->connections[i].fd >= 0) {
            (void)close(s->connections[i].fd);
        }
        free(s->connections[i].buffer);
    }
    for (uint32_t i = 0; i < SINK_PORTS_MAX; i++) {
        close_if_open(s->listeners[i]);
    }
    close_if_open(s->epoll);
    close_if_open(s->stop_fd);
    free(s->connections);
    free(s);
}

static bool start_listen(struct sink *s, uint32_t i)
{
    uint16_t port = i == 0 ? s->options.port : 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    s->listeners[i] = fd;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, size) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    s->ports[i] = ntohs(address.sin_port);
    return sink_watch(s, fd, EVENT_FIRST_LISTENER + i);
}

static bool start_loop(struct sink *s)
{
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = s->epoll >= 0 && s->stop_fd >= 0 && sink_watch(s, s->stop_fd, EVENT_STOP);
    for (uint32_t i = 0; ok && i < s->options.ports; i++) {
        ok = start_listen(s, i);
    }
    if (!ok) {
        return false;
    }
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&s->thread, NULL, sink_run, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    return failed == 0;
}

static bool start_memory(struct sink *s)
{
    uint32_t count = s->options.connections_max;
    s->connections = calloc(count, sizeof(*s->connections));
    for (uint32_t i = 0; s->connections != NULL && i < count; i++) {
        s->connections[i].fd = -1;
        s->connections[i].next_free = i + 1 < count ? i + 1 : NONE;
    }
    for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
        memcpy(s->answers + (size_t)i * ANSWER_SIZE, ANSWER, ANSWER_SIZE);
    }
    return s->connections != NULL;
}

struct sink *sink_start(const struct sink_options *options, char error[256])
{
    struct sink *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        (void)snprintf(error, 256, "sink: no memory");
        return NULL;
    }
    s->options = *options;
    if (s->options.connections_max == 0) {
        s->options.connections_max = SINK_CONNECTIONS_DEFAULT;
    }
    s->options.ports = s->options.ports == 0 ? 1 : s->options.ports;
    CHECK(s->options.connections_max < EVENT_FIRST_LISTENER);
    CHECK(s->options.ports <= SINK_PORTS_MAX);
    memset(s->listeners, 0xff, sizeof(s->listeners)); /* all -1 */
    s->epoll = -1;
    s->stop_fd = -1;
    if (!start_memory(s) || !start_loop(s)) {
        (void)snprintf(error, 256, "sink: cannot listen on port %u of loopback: %s",
                       s->options.port, strerror(errno));
        sink_free(s);
        return NULL;
    }
    return s;
}

uint16_t sink_port(const struct sink *s)
{
    return s->ports[0];
}

uint16_t sink_port_at(const struct sink *s, uint32_t i)
{
    CHECK(i < s->options.ports);
    return s->ports[i];
}

uint64_t sink_count(const struct sink *s)
{
    return atomic_load_explicit(&s->count, memory_order_relaxed);
}

void sink_stop(struct sink *s)
{
    if (s == NULL) {
        return;
    }
    uint64_t one = 1;
    CHECK(write(s->stop_fd, &one, sizeof(one)) == sizeof(one));
    CHECK(pthread_join(s->thread, NULL) == 0);
    sink_free(s);
}
