/*
 * test_delivery.c - outbound HTTP against a sink on loopback that behaves as its path says, well or
 * badly. Also run under TSan. limit: 60
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "delivery/address.h"
#include "delivery/delivery.h"
#include "delivery/targets.h"

/* ---- the sink: one thread per connection ---------------------------------------------------- */

enum { SINK_IDS = 32768, SINK_BUFFER = 16384, SINK_THREADS = 512, TLS_HANDSHAKE = 22 };

struct sink {
    int listener;
    uint16_t port;
    pthread_t acceptor;
    pthread_t threads[SINK_THREADS];
    _Atomic int sockets[SINK_THREADS];
    uint32_t connections;
    _Atomic bool stopping;
    _Atomic bool tls_is_silent; /* or is answered in plain text, as most servers do */
    _Atomic uint32_t requests;
    _Atomic uint32_t wrong_bodies;
    _Atomic uint8_t seen[SINK_IDS]; /* by the number in X-Id */
};

struct sink_connection {
    struct sink *sink;
    uint32_t number;
};

struct sink_request {
    char path[64];
    uint32_t id;
    size_t size; /* of head and body */
};

static void pause_us(long us)
{
    struct timespec pause = {us / 1000000, us % 1000000 * 1000};
    (void)nanosleep(&pause, NULL);
}

static void sink_send(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        data += sent;
        size -= (size_t)sent;
    }
}

static void sink_answer(int fd, int status, const char *headers, const char *body)
{
    char text[2048];
    int size =
        snprintf(text, sizeof(text), "HTTP/1.1 %d Whatever\r\n%sContent-Length: %zu\r\n\r\n%s",
                 status, headers, strlen(body), body);
    sink_send(fd, text, (size_t)size);
}

static void sink_send_many(int fd, const char *start, const char *piece, uint32_t count)
{
    sink_send(fd, start, strlen(start));
    for (uint32_t i = 0; i < count; i++) {
        sink_send(fd, piece, strlen(piece));
    }
}

static void sink_sleep_ms(struct sink *sink, uint32_t ms)
{
    for (uint32_t slept = 0; slept < ms && !atomic_load(&sink->stopping); slept += 5) {
        pause_us(5000);
    }
}

static void sink_reset(int fd)
{
    struct linger linger = {1, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* The decimal number at the start of the text; 0 without one. */
static uint32_t number_at(const char *text)
{
    uint64_t value = 0;
    struct span digits = {text, strspn(text, "0123456789")};
    return span_parse_u64(digits, &value) ? (uint32_t)value : 0;
}

/* Behaves as the path says. False: the connection ends. */
static bool sink_behave(struct sink *sink, int fd, const char *path, uint32_t nth)
{
    if (strcmp(path, "/ok") == 0) {
        sink_answer(fd, 200, "", "{\"ResultCode\":0}");
    } else if (strncmp(path, "/status/", 8) == 0) {
        sink_answer(fd, (int)number_at(path + 8), "", "as asked");
    } else if (strcmp(path, "/retry-after") == 0) {
        sink_answer(fd, 503, "retry-AFTER: 120\r\n", "");
    } else if (strcmp(path, "/retry-date") == 0) {
        sink_answer(fd, 503, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", "");
    } else if (strcmp(path, "/retry-zero") == 0) {
        sink_answer(fd, 429, "Retry-After: 0\r\n", "");
    } else if (strcmp(path, "/slow") == 0) {
        sink_sleep_ms(sink, 60);
        sink_answer(fd, 200, "", "late");
    } else if (strcmp(path, "/never") == 0) {
        sink_sleep_ms(sink, 10000);
        return false;
    } else if (strcmp(path, "/half") == 0) {
        sink_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 45);
        return false;
    } else if (strcmp(path, "/drip") == 0) {
        for (uint32_t i = 0; i < 200 && !atomic_load(&sink->stopping); i++) {
            sink_send(fd, i == 0 ? "HTTP/1.1 200 OK\r\nX: " : "y", i == 0 ? 20 : 1);
            pause_us(20000);
        }
        return false;
    } else if (strcmp(path, "/reset") == 0) {
        sink_reset(fd);
        return false;
    } else if (strcmp(path, "/close-later") == 0) { /* keeps the connection once, then hangs up */
        if (nth > 0) {
            return false;
        }
        sink_answer(fd, 200, "", "");
    } else if (strcmp(path, "/long") == 0) {
        sink_send_many(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "0123456789",
                       10000);
    } else if (strcmp(path, "/huge") == 0) {
        sink_send_many(fd, "HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef", 1 << 18);
        return false;
    } else if (strcmp(path, "/huge-head") == 0) {
        sink_send_many(fd, "HTTP/1.1 200 OK\r\n", "X-Padding: 0123456789abcdef\r\n", 1 << 16);
        return false;
    } else if (strcmp(path, "/garbage") == 0) {
        sink_send(fd, "\x01\x02 this is not HTTP at all\r\n\r\n", 31);
        return false;
    } else if (strcmp(path, "/redirect") == 0) {
        sink_answer(fd, 302, "Location: http://127.0.0.1/secret\r\n", "");
    } else {
        sink_answer(fd, 404, "", path);
    }
    return true;
}

/* A whole request in the buffer; false: more is needed. */
static bool sink_parse(struct sink *sink, char *buffer, size_t size, struct sink_request *out)
{
    buffer[size] = '\0';
    char *end = strstr(buffer, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    const char *length = strstr(buffer, "Content-Length: ");
    const char *id = strstr(buffer, "X-Id: ");
    size_t body = length == NULL ? 0 : number_at(length + 16);
    out->size = (size_t)(end + 4 - buffer) + body;
    if (size < out->size) {
        return false;
    }
    out->path[0] = '\0';
    out->id = id == NULL ? 0 : number_at(id + 6);
    size_t path_size = strcspn(buffer + 5, " ");
    if (strncmp(buffer, "POST ", 5) == 0 && path_size < sizeof(out->path)) {
        memcpy(out->path, buffer + 5, path_size);
        out->path[path_size] = '\0';
    }
    char expected[32];
    int expected_size = snprintf(expected, sizeof(expected), "{\"id\":%u}", out->id);
    if (body != (size_t)expected_size || memcmp(end + 4, expected, body) != 0 ||
        strstr(buffer, "Content-Type: application/json\r\n") == NULL ||
        strstr(buffer, "Expect:") != NULL) {
        atomic_fetch_add(&sink->wrong_bodies, 1);
    }
    return true;
}

static void *sink_serve(void *context)
{
    struct sink_connection *connection = context;
    struct sink *sink = connection->sink;
    int fd = atomic_load(&sink->sockets[connection->number]);
    char buffer[SINK_BUFFER + 1];
    size_t size = 0;
    bool open = true;
    for (uint32_t nth = 0; open; nth++) {
        struct sink_request request;
        while (!sink_parse(sink, buffer, size, &request)) {
            ssize_t got = recv(fd, buffer + size, SINK_BUFFER - size, 0);
            if (got <= 0) {
                open = false;
                break;
            }
            size += (size_t)got;
            if (buffer[0] == TLS_HANDSHAKE && !atomic_load(&sink->tls_is_silent)) {
                sink_answer(fd, 400, "", "plain HTTP here");
                open = false;
                break;
            }
        }
        if (open) {
            memmove(buffer, buffer + request.size, size - request.size);
            size -= request.size;
            atomic_fetch_add(&sink->requests, 1);
            atomic_fetch_add(&sink->seen[request.id % SINK_IDS], 1);
            open = sink_behave(sink, fd, request.path, nth);
        }
    }
    atomic_store(&sink->sockets[connection->number], -1);
    (void)close(fd);
    free(connection);
    return NULL;
}

static void *sink_accept(void *context)
{
    struct sink *sink = context;
    for (;;) {
        int fd = accept(sink->listener, NULL, NULL);
        if (fd < 0 || sink->connections == SINK_THREADS) {
            return NULL;
        }
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct sink_connection *connection = calloc(1, sizeof(*connection));
        connection->sink = sink;
        connection->number = sink->connections++;
        atomic_store(&sink->sockets[connection->number], fd);
        if (pthread_create(&sink->threads[connection->number], NULL, sink_serve, connection) != 0) {
            abort();
        }
    }
}

static int listen_on_loopback(uint16_t *port_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 512), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port_out = ntohs(address.sin_port);
    return fd;
}

static struct sink *sink_start(void)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    assert_non_null(sink);
    sink->listener = listen_on_loopback(&sink->port);
    assert_int_equal(pthread_create(&sink->acceptor, NULL, sink_accept, sink), 0);
    return sink;
}

static void sink_stop(struct sink *sink)
{
    atomic_store(&sink->stopping, true);
    (void)shutdown(sink->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(sink->acceptor, NULL), 0);
    for (uint32_t i = 0; i < sink->connections; i++) {
        int fd = atomic_load(&sink->sockets[i]);
        if (fd >= 0) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
    for (uint32_t i = 0; i < sink->connections; i++) {
        assert_int_equal(pthread_join(sink->threads[i], NULL), 0);
    }
    (void)close(sink->listener);
    assert_int_equal(atomic_load(&sink->wrong_bodies), 0);
    free(sink);
}

/* ---- the client's side ---------------------------------------------------------------------- */

enum { ANSWER_SHOWN_MAX = 512 };

struct seen_report {
    uint32_t times;
    enum delivery_error error;
    uint16_t status;
    uint32_t duration_ms;
    int64_t retry_after_ms;
    char answer[ANSWER_SHOWN_MAX + 1]; /* its beginning */
    size_t answer_size;
};

struct bench {
    struct sink *sink;
    struct delivery *delivery;
    struct seen_report *reports; /* by id */
    uint32_t reports_count;
};

static const struct delivery_options OPTIONS = {
    .jobs_max = 256,
    .connections_max = 64,
    .connect_ms = 2000,
    .total_ms = 5000,
    .allow_cidrs = "127.0.0.0/8",
};

static struct bench bench_start(const struct delivery_options *options)
{
    struct bench b = {0};
    char error[256] = "";
    b.sink = sink_start();
    b.reports = calloc(SINK_IDS, sizeof(*b.reports));
    assert_non_null(b.reports);
    b.delivery = delivery_start(options, error);
    assert_string_equal(error, "");
    assert_non_null(b.delivery);
    return b;
}

static void bench_stop(struct bench *b)
{
    delivery_stop(b->delivery, 0);
    sink_stop(b->sink);
    free(b->reports);
}

static bool bench_submit_url(struct bench *b, uint32_t id, const char *url)
{
    char body[32];
    char header[32];
    (void)snprintf(body, sizeof(body), "{\"id\":%u}", id);
    (void)snprintf(header, sizeof(header), "X-Id: %u", id);
    struct delivery_job job = {
        .id = id,
        .generation = id + 7,
        .url = span_from(url),
        .body = span_from(body),
        .content_type = "application/json",
        .headers = {header, "X-Other: something"},
    };
    return delivery_submit(b->delivery, &job);
}

static bool bench_submit(struct bench *b, uint32_t id, const char *path)
{
    char url[128];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", b->sink->port, path);
    return bench_submit_url(b, id, url);
}

static void bench_report(void *context, const struct delivery_report *report)
{
    struct bench *b = context;
    assert_true(report->id < SINK_IDS);
    assert_int_equal(report->generation, report->id + 7);
    struct seen_report *seen = &b->reports[report->id];
    seen->times++;
    seen->error = report->error;
    seen->status = report->status;
    seen->duration_ms = report->duration_ms;
    seen->retry_after_ms = report->retry_after_ms;
    assert_true(report->answer.size <= DELIVERY_ANSWER_BYTES_MAX);
    size_t shown = report->answer.size < ANSWER_SHOWN_MAX ? report->answer.size : ANSWER_SHOWN_MAX;
    memcpy(seen->answer, report->answer.data, shown);
    seen->answer[shown] = '\0';
    seen->answer_size = report->answer.size;
    b->reports_count++;
}

/* Sleeps on the descriptor as an engine would. */
static void bench_wait(struct bench *b, uint32_t reports_count)
{
    while (b->reports_count < reports_count) {
        struct pollfd wait = {.fd = delivery_descriptor(b->delivery), .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 30000), 1);
        (void)delivery_collect(b->delivery, UINT32_MAX, bench_report, b);
    }
    assert_int_equal(b->reports_count, reports_count);
}

static struct seen_report *bench_one_url(struct bench *b, uint32_t id, const char *url)
{
    assert_true(bench_submit_url(b, id, url));
    delivery_flush(b->delivery);
    bench_wait(b, b->reports_count + 1);
    assert_int_equal(b->reports[id].times, 1);
    assert_int_equal(delivery_in_flight(b->delivery), 0);
    return &b->reports[id];
}

static struct seen_report *bench_one(struct bench *b, uint32_t id, const char *path)
{
    char url[128];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", b->sink->port, path);
    return bench_one_url(b, id, url);
}

static void assert_failed(const struct seen_report *r, enum delivery_error error)
{
    assert_int_equal(r->error, error);
    assert_int_equal(r->status, 0);
    assert_int_equal(r->retry_after_ms, -1);
    assert_int_equal(r->answer_size, 0);
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void test_answers(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    struct seen_report *r = bench_one(&b, 1, "/ok");
    assert_int_equal(r->error, DELIVERY_ANSWERED);
    assert_int_equal(r->status, 200);
    assert_int_equal(r->retry_after_ms, -1);
    assert_string_equal(r->answer, "{\"ResultCode\":0}");
    static const uint16_t STATUSES[] = {201, 202, 301, 304, 307, 400, 401, 404, 410, 500, 502};
    for (uint32_t i = 0; i < sizeof(STATUSES) / sizeof(STATUSES[0]); i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "/status/%u", STATUSES[i]);
        r = bench_one(&b, 10 + i, path);
        assert_int_equal(r->error, DELIVERY_ANSWERED);
        assert_int_equal(r->status, STATUSES[i]);
    }
    assert_int_equal(b.sink->requests, 1 + sizeof(STATUSES) / sizeof(STATUSES[0]));
    bench_stop(&b);
}

static void test_connections_are_reused(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    int64_t begun_ms = now_ms();
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(bench_one(&b, i, "/ok")->status, 200);
    }
    assert_int_equal(b.sink->connections, 1);
    assert_true(now_ms() - begun_ms < 5000); /* each woke the thread: by itself it sleeps 1 s */
    bench_stop(&b);
}

static void test_retry_after(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    struct seen_report *r = bench_one(&b, 1, "/retry-after");
    assert_int_equal(r->status, 503);
    assert_int_equal(r->retry_after_ms, 120000);
    assert_int_equal(bench_one(&b, 2, "/retry-date")->retry_after_ms, -1);
    assert_int_equal(bench_one(&b, 3, "/retry-zero")->retry_after_ms, 0);
    assert_int_equal(bench_one(&b, 4, "/ok")->retry_after_ms, -1);
    bench_stop(&b);
}

static void test_bounded_answers(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    struct seen_report *r = bench_one(&b, 1, "/long");
    assert_int_equal(r->error, DELIVERY_ANSWERED);
    assert_int_equal(r->answer_size, DELIVERY_ANSWER_BYTES_MAX);
    /* Enough for what a provider answers to a question (Paystack's verify has 1.5 kB). */
    assert_true(DELIVERY_ANSWER_BYTES_MAX >= 8000);
    assert_memory_equal(r->answer, "01234567890123456789", 20);
    assert_failed(bench_one(&b, 2, "/huge"), DELIVERY_PROTOCOL);
    assert_failed(bench_one(&b, 3, "/huge-head"), DELIVERY_PROTOCOL);
    assert_failed(bench_one(&b, 4, "/garbage"), DELIVERY_PROTOCOL);
    assert_int_equal(bench_one(&b, 5, "/ok")->status, 200);
    bench_stop(&b);
}

/* ---- failures ------------------------------------------------------------------------------- */

static void test_broken_connections(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    assert_failed(bench_one(&b, 1, "/reset"), DELIVERY_RESET);
    assert_failed(bench_one(&b, 2, "/half"), DELIVERY_RESET);
    uint16_t port;
    int listener = listen_on_loopback(&port);
    (void)close(listener);
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    assert_failed(bench_one_url(&b, 3, url), DELIVERY_CONNECT);
    bench_stop(&b);
}

/* A server that hangs up on a reused connection may have acted: the request is not repeated. */
static void test_no_silent_second_sending(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    assert_int_equal(bench_one(&b, 1, "/close-later")->status, 200);
    assert_failed(bench_one(&b, 2, "/close-later"), DELIVERY_RESET);
    assert_int_equal(atomic_load(&b.sink->seen[2]), 1);
    assert_int_equal(atomic_load(&b.sink->requests), 2);
    bench_stop(&b);
}

static void test_timeouts(void **state)
{
    (void)state;
    struct delivery_options options = OPTIONS;
    options.total_ms = 300;
    struct bench b = bench_start(&options);
    struct seen_report *r = bench_one(&b, 1, "/never");
    assert_failed(r, DELIVERY_TIMEOUT);
    assert_in_range(r->duration_ms, 290, 5000);
    assert_failed(bench_one(&b, 2, "/drip"), DELIVERY_TIMEOUT);
    assert_int_equal(bench_one(&b, 3, "/slow")->status, 200);
    bench_stop(&b);
}

/* A server that does not speak TLS says so, or waits for the end of a head that never comes. */
static void test_tls_fails(void **state)
{
    (void)state;
    struct delivery_options options = OPTIONS;
    options.connect_ms = 10000; /* a busy machine is no failed handshake */
    for (uint32_t silent = 0; silent < 2; silent++) {
        char url[64];
        options.total_ms = silent == 1 ? 150 : 10000;
        struct bench b = bench_start(&options);
        atomic_store(&b.sink->tls_is_silent, silent == 1);
        (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/ok", b.sink->port);
        assert_failed(bench_one_url(&b, 1, url), silent == 1 ? DELIVERY_CONNECT : DELIVERY_TLS);
        assert_int_equal(b.sink->requests, 0);
        bench_stop(&b);
    }
}

static void test_bad_urls(void **state)
{
    (void)state;
    static const char *const URLS[] = {
        "",
        "not a url",
        "http://",
        "ftp://127.0.0.1/file",
        "file:///etc/passwd",
        "gopher://127.0.0.1:1/x",
        "http://127.0.0.1:99999/",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1/\r\nX-Injected: 1",
        "http://127.0.0.1/a b",
    };
    struct bench b = bench_start(&OPTIONS);
    for (uint32_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        assert_failed(bench_one_url(&b, i, URLS[i]), DELIVERY_BAD_URL);
    }
    assert_int_equal(b.sink->requests, 0);
    bench_stop(&b);
}

static void test_header_cannot_smuggle(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/ok", b.sink->port);
    struct delivery_job job = {
        .id = 1,
        .generation = 8,
        .url = span_from(url),
        .content_type = "application/json",
        .headers = {"X-A: b\r\nX-Injected: 1"},
    };
    assert_true(delivery_submit(b.delivery, &job));
    delivery_flush(b.delivery);
    bench_wait(&b, 1);
    assert_failed(&b.reports[1], DELIVERY_BAD_URL);
    assert_int_equal(b.sink->requests, 0);
    bench_stop(&b);
}

/* A label of 64 letters cannot be asked for, so the failure needs no name server. */
static void test_names(void **state)
{
    (void)state;
    struct delivery_options options = OPTIONS;
    struct bench b = {0};
    char url[160];
    char resolve[64];
    b.sink = sink_start();
    b.reports = calloc(SINK_IDS, sizeof(*b.reports));
    (void)snprintf(resolve, sizeof(resolve), "shop.example:%u:127.0.0.1", b.sink->port);
    options.resolve_from = resolve;
    char error[256] = "";
    b.delivery = delivery_start(&options, error);
    assert_non_null(b.delivery);
    (void)snprintf(url, sizeof(url), "http://shop.example:%u/ok", b.sink->port);
    assert_int_equal(bench_one_url(&b, 1, url)->status, 200);
    (void)snprintf(url, sizeof(url), "http://%064d.example:%u/ok", 0, b.sink->port);
    assert_failed(bench_one_url(&b, 2, url), DELIVERY_RESOLVE);
    bench_stop(&b);
}

/* ---- forbidden targets ---------------------------------------------------------------------- */

static void test_private_targets(void **state)
{
    (void)state;
    struct delivery_options options = OPTIONS;
    options.allow_cidrs = NULL;
    options.resolve_from = "inside.example:80:10.0.0.1 mapped.example:80:::ffff:127.0.0.1";
    struct bench b = bench_start(&options);
    static const char *const URLS[] = {
        "http://localhost:%u/ok",     "http://[::1]:%u/ok",
        "http://127.1:%u/ok",         "http://2130706433:%u/ok",
        "http://0x7f000001:%u/ok",    "http://0:%u/ok",
        "http://169.254.169.254/%u/", "http://[::ffff:127.0.0.1]:%u/ok",
        "http://inside.example/%u",   "http://mapped.example/%u",
    };
    for (uint32_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        char url[128];
        const char *mark = strstr(URLS[i], "%u");
        (void)snprintf(url, sizeof(url), "%.*s%u%s", (int)(mark - URLS[i]), URLS[i], b.sink->port,
                       mark + 2);
        assert_failed(bench_one_url(&b, i, url), DELIVERY_FORBIDDEN);
    }
    assert_int_equal(b.sink->requests, 0);
    bench_stop(&b);
}

/* One address and port is let through; the same address on another port is not. */
static void test_one_peer_may_be_private(void **state)
{
    (void)state;
    struct delivery_options options = OPTIONS;
    char url[64];
    options.allow_cidrs = NULL;
    struct bench b = bench_start(&options);
    assert_false(delivery_allow_peer(b.delivery, "localhost", b.sink->port));
    assert_true(delivery_allow_peer(b.delivery, "127.0.0.1", b.sink->port));
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/ok", b.sink->port);
    assert_int_equal(bench_one_url(&b, 1, url)->status, 200);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/ok", b.sink->port - 1);
    assert_failed(bench_one_url(&b, 2, url), DELIVERY_FORBIDDEN);
    bench_stop(&b);
}

static void test_networks(void **state)
{
    (void)state;
    static const struct {
        const char *cidrs;
        const char *address;
        bool inside;
    } rows[] = {
        {"196.201.214.0/24", "196.201.214.7", true},
        {"196.201.214.0/24", "196.201.215.7", false},
        {"10.0.0.1, ::1", "::1", true},
        {"10.0.0.1", "::ffff:10.0.0.1", true},
        {"", "10.0.0.1", false},
        {"0.0.0.0/0", "10.0.0.1/8", false},
        {"0.0.0.0/0", "nobody", false},
        {"0.0.0.0/0", "", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(delivery_networks_good(rows[i].cidrs));
        assert_int_equal(delivery_networks_contain(rows[i].cidrs, span_from(rows[i].address)),
                         rows[i].inside);
    }
    assert_false(delivery_networks_good("safaricom"));
    assert_false(delivery_networks_good("10.0.0.0/33"));
    assert_false(delivery_networks_contain("10.0.0.0/33", SPAN_LITERAL("10.0.0.1")));
}

static void test_redirect_is_not_followed(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    struct seen_report *r = bench_one(&b, 1, "/redirect");
    assert_int_equal(r->error, DELIVERY_ANSWERED);
    assert_int_equal(r->status, 302);
    assert_int_equal(b.sink->requests, 1);
    bench_stop(&b);
}

static bool allowed(const struct address_rules *rules, const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&address, &v4, sizeof(v4));
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&address, &v6, sizeof(v6));
    }
    return delivery__address_allowed(rules, (const struct sockaddr *)&address);
}

/* clang-format off */
static const char *const REFUSED[] = {
    "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
    "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::a00:1",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::1",
    "3fff::1", "fc00::1", "fdff::1", "fe80::1", "fec0::1", "ff02::1",
};

static const char *const ALLOWED[] = {
    "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.0.0.1",
    "128.0.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "197.248.0.1", "198.17.0.1",
    "198.20.0.1", "223.255.255.255", "::ffff:8.8.8.8", "2606::1", "2c0f:fe38::1",
    "64:ff9b::808:808", "2001:4860:4860::8888", "3ffe::1",
};
/* clang-format on */

static void test_address_rules(void **state)
{
    (void)state;
    struct address_rules rules;
    assert_true(delivery__address_rules_parse(&rules, false, NULL));
    for (uint32_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
        if (allowed(&rules, REFUSED[i])) {
            fail_msg("%s was allowed", REFUSED[i]);
        }
    }
    for (uint32_t i = 0; i < sizeof(ALLOWED) / sizeof(ALLOWED[0]); i++) {
        if (!allowed(&rules, ALLOWED[i])) {
            fail_msg("%s was refused", ALLOWED[i]);
        }
    }
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(delivery__address_allowed(&rules, &local));
    assert_true(delivery__address_rules_parse(&rules, true, NULL));
    assert_true(allowed(&rules, "10.0.0.1"));
    assert_false(delivery__address_allowed(&rules, &local));
}

static void test_address_exceptions(void **state)
{
    (void)state;
    struct address_rules rules;
    assert_true(delivery__address_rules_parse(&rules, false, "127.0.0.0/8, ::1,10.1.0.0/17"));
    assert_true(allowed(&rules, "127.9.9.9"));
    assert_true(allowed(&rules, "::ffff:127.0.0.1"));
    assert_true(allowed(&rules, "::1"));
    assert_false(allowed(&rules, "::2"));
    assert_true(allowed(&rules, "10.1.127.255"));
    assert_false(allowed(&rules, "10.1.128.0"));
    assert_true(delivery__address_rules_parse(&rules, false, ""));
    static const char *const BAD[] = {
        "127.0.0.1/33",     "::1/129",
        "127.0.0/8",        "x",
        "127.0.0.0/8,,::1", "10.0.0.0/-1",
        "1.2.3.4/",         "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/64",
    };
    for (uint32_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_false(delivery__address_rules_parse(&rules, false, BAD[i]));
    }
    char error[256] = "";
    struct delivery_options options = {.allow_cidrs = "nonsense"};
    assert_null(delivery_start(&options, error));
    assert_non_null(strstr(error, "CIDR"));
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void test_target_keys(void **state)
{
    (void)state;
    uint64_t key = delivery__target_key(span_from("http://shop.example:80/a"));
    assert_true(key == delivery__target_key(span_from("http://SHOP.example:80/b?c")));
    assert_true(key == delivery__target_key(span_from("http://shop.example:80?q=/")));
    assert_true(key != delivery__target_key(span_from("https://shop.example:80/a")));
    assert_true(key != delivery__target_key(span_from("http://shop.example:81/a")));
}

/* T1 and T2: targets that never answer leave connections, and each queue keeps its order. */
static void test_turns(void **state)
{
    (void)state;
    struct targets *t = delivery__targets_create(128, 12, 8);
    uint32_t slot = 0;
    assert_non_null(t);
    assert_false(delivery__targets_next(t, &slot));
    for (uint32_t i = 0; i < 60; i++) {
        delivery__targets_wait(t, 100 + i % 3, i);
    }
    uint32_t started[3] = {0};
    while (delivery__targets_next(t, &slot)) {
        assert_int_equal(slot, started[slot % 3] * 3 + slot % 3);
        started[slot % 3]++;
    }
    assert_int_equal(delivery__targets_active(t), 9);
    assert_int_equal(started[0], 3);
    assert_int_equal(started[1], 3);
    delivery__targets_wait(t, 7, 100);
    assert_true(delivery__targets_next(t, &slot));
    assert_int_equal(slot, 100);
    delivery__targets_done(t, 100);
    uint32_t abandoned = 0;
    while (delivery__targets_abandon(t, &slot)) {
        abandoned++;
    }
    assert_int_equal(abandoned, 51);
    for (uint32_t i = 0; i < 9; i++) {
        delivery__targets_done(t, i);
    }
    assert_int_equal(delivery__targets_active(t), 0);
    for (uint32_t i = 0; i < 128; i++) { /* all records are free again */
        delivery__targets_wait(t, i, i);
    }
    delivery__targets_destroy(t);
}

static void test_one_target_alone(void **state)
{
    (void)state;
    struct targets *t = delivery__targets_create(64, 100, 8);
    uint32_t slot = 0;
    uint32_t started = 0;
    for (uint32_t i = 0; i < 20; i++) {
        delivery__targets_wait(t, 1, i);
    }
    while (delivery__targets_next(t, &slot)) {
        started++;
    }
    assert_int_equal(started, 8);
    delivery__targets_done(t, 0);
    assert_true(delivery__targets_next(t, &slot));
    assert_int_equal(slot, 8);
    assert_false(delivery__targets_next(t, &slot));
    delivery__targets_destroy(t);
}

/* D5: a target that hangs has as many jobs as fit, and another is served at once. */
static void test_slow_target_does_not_starve_others(void **state)
{
    (void)state;
    struct delivery_options options = OPTIONS;
    options.connections_max = 8;
    struct bench b = bench_start(&options);
    struct sink *other = sink_start();
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(bench_submit(&b, i, "/never"));
    }
    delivery_flush(b.delivery);
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/ok", other->port);
    int64_t begun_ms = now_ms();
    for (uint32_t i = 100; i < 200; i++) {
        assert_true(bench_submit_url(&b, i, url));
    }
    delivery_flush(b.delivery);
    bench_wait(&b, 100);
    assert_true(now_ms() - begun_ms < 2500);
    for (uint32_t i = 100; i < 200; i++) {
        assert_int_equal(b.reports[i].status, 200);
    }
    bench_stop(&b);
    sink_stop(other);
}

/* ---- bounds and stopping -------------------------------------------------------------------- */

static void test_room(void **state)
{
    (void)state;
    struct delivery_options options = OPTIONS;
    options.jobs_max = 5; /* not a power of two */
    struct bench b = bench_start(&options);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 5; i++) {
            assert_int_equal(delivery_room(b.delivery), 5 - i);
            assert_true(bench_submit(&b, round * 10 + i, "/ok"));
        }
        assert_int_equal(delivery_room(b.delivery), 0);
        assert_int_equal(delivery_in_flight(b.delivery), 5);
        assert_false(bench_submit(&b, 99, "/ok"));
        delivery_flush(b.delivery);
        bench_wait(&b, round * 5 + 5);
    }
    assert_int_equal(delivery_room(b.delivery), 5);
    assert_int_equal(b.reports[99].times, 0);
    bench_stop(&b);
}

static void test_collect_a_few_at_a_time(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(bench_submit(&b, i, "/ok"));
    }
    delivery_flush(b.delivery);
    for (uint32_t i = 0; i < 10;) { /* the descriptor stays readable while reports wait */
        struct pollfd wait = {.fd = delivery_descriptor(b.delivery), .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 5000), 1);
        i += delivery_collect(b.delivery, 1, bench_report, &b);
    }
    assert_int_equal(delivery_collect(b.delivery, 1, bench_report, &b), 0);
    struct pollfd wait = {.fd = delivery_descriptor(b.delivery), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 0), 0);
    bench_stop(&b);
}

static void test_large_bodies(void **state)
{
    (void)state;
    struct bench b = bench_start(&OPTIONS);
    static char body[300000];
    memset(body, 'x', sizeof(body));
    struct delivery_job job = {
        .id = 1,
        .generation = 8,
        .url = SPAN_LITERAL("http://127.0.0.1:1/"),
        .body = {body, sizeof(body)},
        .content_type = "text/plain",
    };
    assert_true(delivery_submit(b.delivery, &job));
    delivery_flush(b.delivery);
    bench_wait(&b, 1);
    assert_failed(&b.reports[1], DELIVERY_CONNECT);
    assert_int_equal(bench_one(&b, 2, "/ok")->status, 200);
    bench_stop(&b);
}

/* D1 when closing: attempts under way, jobs that wait and jobs just submitted are all reported. */
static void test_close_reports_everything(void **state)
{
    (void)state;
    struct delivery_options options = OPTIONS;
    options.connections_max = 8;
    struct bench b = bench_start(&options);
    for (uint32_t i = 0; i < 50; i++) {
        assert_true(bench_submit(&b, i, i < 2 ? "/slow" : "/never"));
        delivery_flush(b.delivery);
    }
    while (atomic_load(&b.sink->requests) < 4) {
        pause_us(1000);
    }
    for (uint32_t i = 50; i < 60; i++) {
        assert_true(bench_submit(&b, i, "/ok"));
    }
    delivery_close(b.delivery, 1000); /* the grace */
    assert_int_equal(delivery_room(b.delivery), 0);
    assert_false(bench_submit(&b, 99, "/ok"));
    bench_wait(&b, 60);
    assert_int_equal(delivery_in_flight(b.delivery), 0);
    for (uint32_t i = 0; i < 60; i++) {
        assert_int_equal(b.reports[i].times, 1);
        if (i < 2) { /* within the grace */
            assert_int_equal(b.reports[i].status, 200);
        } else {
            assert_failed(&b.reports[i], DELIVERY_STOPPED);
        }
    }
    bench_stop(&b);
}

static void test_stop_with_jobs_in_flight(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 20; round++) {
        struct bench b = bench_start(&OPTIONS);
        for (uint32_t i = 0; i < 100; i++) {
            assert_true(bench_submit(&b, i, i % 3 == 0 ? "/never" : "/ok"));
            if (i == 50) {
                delivery_flush(b.delivery);
            }
        }
        if (round % 2 == 0) {
            pause_us(500 * round);
            (void)delivery_collect(b.delivery, 10, bench_report, &b);
        }
        int64_t begun_ms = now_ms();
        delivery_stop(b.delivery, round % 4 == 0 ? 30 : 0); /* checks D1 itself */
        assert_true(now_ms() - begun_ms < 2000);
        b.delivery = NULL;
        bench_stop(&b);
    }
    delivery_stop(NULL, 0);
}

static void test_idle_start_and_stop(void **state)
{
    (void)state;
    struct delivery_options options = {0};
    char error[256];
    struct delivery *d = delivery_start(&options, error);
    assert_non_null(d);
    assert_int_equal(delivery_room(d), 1024);
    delivery_flush(d);
    int64_t begun_ms = now_ms();
    delivery_stop(d, 5000); /* nothing under way: the grace is not waited for */
    assert_true(now_ms() - begun_ms < 1000);
}

static void test_error_texts(void **state)
{
    (void)state;
    for (uint32_t i = DELIVERY_ANSWERED; i <= DELIVERY_STOPPED; i++) {
        assert_string_not_equal(delivery_error_text((enum delivery_error)i), "unknown");
    }
}

/* ---- many ----------------------------------------------------------------------------------- */

static void test_many_exactly_once(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct delivery_options options = OPTIONS;
    options.jobs_max = 1024;
    struct bench b = bench_start(&options);
    uint32_t next = 0;
    while (b.reports_count < MANY) {
        while (next < MANY && delivery_room(b.delivery) > 0) {
            assert_true(bench_submit(&b, next, "/ok"));
            next++;
        }
        delivery_flush(b.delivery);
        struct pollfd wait = {.fd = delivery_descriptor(b.delivery), .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 10000), 1);
        (void)delivery_collect(b.delivery, 256, bench_report, &b);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(b.reports[i].times, 1);
        assert_int_equal(b.reports[i].status, 200);
        assert_int_equal(atomic_load(&b.sink->seen[i]), 1);
    }
    assert_true(b.sink->connections <= options.connections_max);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_connections_are_reused),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_bounded_answers),
        cmocka_unit_test(test_broken_connections),
        cmocka_unit_test(test_no_silent_second_sending),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_tls_fails),
        cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_header_cannot_smuggle),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_private_targets),
        cmocka_unit_test(test_one_peer_may_be_private),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_redirect_is_not_followed),
        cmocka_unit_test(test_address_rules),
        cmocka_unit_test(test_address_exceptions),
        cmocka_unit_test(test_target_keys),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_one_target_alone),
        cmocka_unit_test(test_slow_target_does_not_starve_others),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_collect_a_few_at_a_time),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_close_reports_everything),
        cmocka_unit_test(test_stop_with_jobs_in_flight),
        cmocka_unit_test(test_idle_start_and_stop),
        cmocka_unit_test(test_error_texts),
        cmocka_unit_test(test_many_exactly_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
