/*
 * loop.c - see loop.h.
 */
#include "delivery/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 64,
    WATCHES_FIRST = 256,
};

#define WAKE UINT64_MAX /* what the wake descriptor's events carry */

int64_t delivery__loop_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- what the kernel watches ---- */

static struct delivery_watch *watch_of(struct delivery_loop *loop, curl_socket_t fd)
{
    bool known = fd >= 0 && (uint32_t)fd < loop->watches_count;
    return known && loop->watches[fd].ours ? &loop->watches[fd] : NULL;
}

static struct epoll_event event_of(curl_socket_t fd, uint32_t serial, uint32_t mask)
{
    struct epoll_event event = {.events = mask};
    event.data.u64 = (uint64_t)serial << 32 | (uint32_t)fd;
    return event;
}

/* False: the kernel has no memory for it; the transfer ends by its time limit. */
static bool watch(struct delivery_loop *loop, curl_socket_t fd, uint32_t serial, uint32_t mask)
{
    struct epoll_event event = event_of(fd, serial, mask);
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
           (errno == ENOENT && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void watch_no_more(struct delivery_loop *loop, curl_socket_t fd)
{
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* closed already: fine */
}

static uint32_t mask_of(int what)
{
    uint32_t mask = 0;
    mask |= what == CURL_POLL_IN || what == CURL_POLL_INOUT ? (uint32_t)EPOLLIN : 0;
    mask |= what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? (uint32_t)EPOLLOUT : 0;
    return mask;
}

/* libcurl says what it waits for on a socket, or that it does not any more. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    struct delivery_loop *loop = context;
    struct delivery_watch *w = watch_of(loop, fd);
    uint32_t mask = what == CURL_POLL_REMOVE ? 0 : mask_of(what);
    (void)easy;
    (void)unused;
    if (w == NULL && mask == 0) {
        watch_no_more(loop, fd);
        return 0;
    }
    if (w == NULL) {
        (void)watch(loop, fd, 0, mask);
        return 0;
    }
    w->wanted = mask != 0;
    if (w->wanted && w->mask != mask) { /* L1 */
        w->mask = watch(loop, fd, w->serial, mask) ? mask : 0;
    }
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct delivery_loop *loop = context;
    (void)multi;
    loop->timer_at_ns =
        timeout_ms < 0 ? INT64_MAX : delivery__loop_now_ns() + (int64_t)timeout_ms * 1000000;
    return 0;
}

/* ---- sockets ---- */

static bool reserve(struct delivery_loop *loop, curl_socket_t fd)
{
    uint32_t count = loop->watches_count == 0 ? WATCHES_FIRST : loop->watches_count;
    while (count <= (uint32_t)fd) {
        count *= 2;
    }
    if (count == loop->watches_count) {
        return true;
    }
    struct delivery_watch *more = realloc(loop->watches, count * sizeof(*more));
    if (more == NULL) {
        return false;
    }
    memset(more + loop->watches_count, 0, (count - loop->watches_count) * sizeof(*more));
    loop->watches = more;
    loop->watches_count = count;
    return true;
}

curl_socket_t delivery__loop_open(struct delivery_loop *loop, const struct curl_sockaddr *address)
{
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    if (!reserve(loop, fd)) {
        (void)close(fd);
        return CURL_SOCKET_BAD;
    }
    struct delivery_watch *w = &loop->watches[fd];
    w->serial++; /* L3 */
    w->mask = 0; /* the kernel forgot the one before when it was closed */
    w->ours = true;
    w->wanted = false;
    return fd;
}

int delivery__loop_close(void *context, curl_socket_t fd)
{
    struct delivery_loop *loop = context;
    struct delivery_watch *w = watch_of(loop, fd);
    if (w != NULL) {
        w->ours = false;
        w->wanted = false;
        w->mask = 0;
    }
    return close(fd);
}

/* ---- waiting ---- */

static void run(struct delivery_loop *loop, curl_socket_t fd, int ready)
{
    int running = 0;
    CHECK(curl_multi_socket_action(loop->multi, fd, ready, &running) == CURLM_OK);
}

void delivery__loop_run_timers(struct delivery_loop *loop)
{
    if (loop->timer_at_ns != INT64_MAX && loop->timer_at_ns <= delivery__loop_now_ns()) {
        loop->timer_at_ns = INT64_MAX; /* libcurl says when it wants the next one */
        run(loop, CURL_SOCKET_TIMEOUT, 0);
    }
}

static void handle(struct delivery_loop *loop, const struct epoll_event *event)
{
    if (event->data.u64 == WAKE) {
        uint64_t count;
        CHECK(read(loop->wake_fd, &count, sizeof(count)) == sizeof(count) || errno == EAGAIN);
        return;
    }
    curl_socket_t fd = (curl_socket_t)(event->data.u64 & UINT32_MAX);
    uint32_t serial = (uint32_t)(event->data.u64 >> 32);
    struct delivery_watch *w = watch_of(loop, fd);
    if (serial != 0 && (w == NULL || w->serial != serial)) {
        return; /* L3: closed while this batch was handled */
    }
    if (w != NULL && !w->wanted) { /* L2 */
        watch_no_more(loop, fd);
        w->mask = 0;
        return;
    }
    int ready = 0;
    ready |= (event->events & (uint32_t)EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
    ready |= (event->events & (uint32_t)EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
    ready |= (event->events & (uint32_t)(EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
    run(loop, fd, ready);
}

void delivery__loop_wait(struct delivery_loop *loop, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    if (loop->timer_at_ns != INT64_MAX) {
        int64_t left_ms = (loop->timer_at_ns - delivery__loop_now_ns() + 999999) / 1000000;
        left_ms = left_ms < 0 ? 0 : left_ms;
        timeout_ms = left_ms < timeout_ms ? (int)left_ms : timeout_ms;
    }
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);
    CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        handle(loop, &events[i]);
    }
}

void delivery__loop_wake(struct delivery_loop *loop)
{
    uint64_t one = 1;
    CHECK(write(loop->wake_fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN);
}

/* ---- beginning and end ---- */

bool delivery__loop_init(struct delivery_loop *loop)
{
    struct epoll_event wake = {.events = EPOLLIN};
    wake.data.u64 = WAKE;
    loop->timer_at_ns = INT64_MAX;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->multi = curl_multi_init();
    return loop->multi != NULL && loop->epoll_fd >= 0 && loop->wake_fd >= 0 &&
           epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wake) == 0 &&
           curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
           curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
           curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK;
}

void delivery__loop_fini(struct delivery_loop *loop)
{
    if (loop->multi != NULL) {
        CHECK(curl_multi_cleanup(loop->multi) == CURLM_OK); /* closes what is idle */
    }
    if (loop->epoll_fd >= 0) {
        (void)close(loop->epoll_fd);
    }
    if (loop->wake_fd >= 0) {
        (void)close(loop->wake_fd);
    }
    free(loop->watches);
}
