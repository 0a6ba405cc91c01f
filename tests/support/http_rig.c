/*
 * http_rig.c - see http_rig.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/http_rig.h"

static void keep(char *out, size_t capacity, struct span text)
{
    size_t size = text.size < capacity - 1 ? text.size : capacity - 1;
    memcpy(out, text.data == NULL ? "" : text.data, size);
    out[size] = '\0';
}

static void on_gone(void *context, struct http_ticket ticket)
{
    struct rig *rig = context;
    rig->gone++;
    rig->last_gone = ticket;
}

static void remember(struct rig *rig, struct http_exchange *x)
{
    assert_true(rig->held_count < HELD_MAX);
    rig->held[rig->held_count++] = http_ticket(x);
}

static void note_request(struct rig *rig, struct http_exchange *x)
{
    struct span header = http_header(x, "X-Test");
    struct span value = http_query_value(x, "name");
    keep(rig->method, sizeof(rig->method), http_method(x));
    keep(rig->path, sizeof(rig->path), http_path(x));
    keep(rig->query, sizeof(rig->query), http_query(x));
    keep(rig->body, sizeof(rig->body), http_body(x));
    keep(rig->peer, sizeof(rig->peer), http_peer(x));
    keep(rig->header, sizeof(rig->header), header);
    uint8_t room[8192];
    struct writer w = writer_init(room, sizeof(room));
    struct span list = http_header_list(x, "x-test", &w);
    assert_true((list.data != NULL) == (header.data != NULL));
    keep(rig->header_list, sizeof(rig->header_list), list);
    keep(rig->value, sizeof(rig->value), value);
    rig->header_present = header.data != NULL;
    rig->value_present = value.data != NULL;
    rig->body_size = http_body(x).size;
    assert_true(http_received_ns(x) > 0);
}

static void reply_with_headers(struct http_exchange *x)
{
    struct span what = http_query(x);
    if (span_is(what, "many")) {
        for (int i = 0; i < 17; i++) {
            http_reply_header(x, "X-Many", SPAN_LITERAL("1"));
        }
    } else if (span_is(what, "large")) {
        char value[3000];
        memset(value, 'v', sizeof(value));
        http_reply_header(x, "X-Large", (struct span){value, sizeof(value)});
    } else if (span_is(what, "split")) {
        http_reply_header(x, "X-Split", SPAN_LITERAL("a\r\nSet-Cookie: b"));
    } else {
        http_reply_header(x, "X-One", SPAN_LITERAL("first"));
        http_reply_header(x, "X-Two", SPAN_EMPTY);
    }
    http_reply(x, 200, "text/plain", SPAN_LITERAL("ok"));
}

void rig_handle(void *context, struct http_exchange *x)
{
    struct rig *rig = context;
    rig->calls++;
    note_request(rig, x);
    struct span path = http_path(x);
    if (span_is(path, "/hold")) {
        http_hold(x, 202, "text/plain", http_body(x));
        remember(rig, x);
    } else if (span_is(path, "/hold-and-release")) {
        http_hold(x, 200, "text/plain", SPAN_LITERAL("ok"));
        http_release(x);
    } else if (span_is(path, "/open")) {
        http_hold_open(x);
        http_on_gone(x, on_gone, rig);
        remember(rig, x);
    } else if (span_is(path, "/stream")) {
        http_stream(x, 200, "text/event-stream");
        http_on_gone(x, on_gone, rig);
        remember(rig, x);
    } else if (span_is(path, "/headers")) {
        reply_with_headers(x);
    } else {
        http_reply(x, 200, "text/plain",
                   span_is(path, "/echo") ? http_body(x) : SPAN_LITERAL("ok"));
    }
}

static bool admit(void *context, struct http_exchange *x)
{
    struct rig *rig = context;
    rig->admits++;
    assert_int_equal(http_body(x).size, 0);
    if (rig->admit_refuses) {
        http_reply_header(x, "Retry-After", SPAN_LITERAL("1"));
        http_reply(x, 503, "text/plain", SPAN_LITERAL("shed"));
        return false;
    }
    return true;
}

void rig_start(struct rig *rig, struct http_limits limits)
{
    char error[256] = "";
    memset(rig, 0, sizeof(*rig));
    struct http_options options = {
        .address = "127.0.0.1",
        .limits = limits,
        .admit = admit,
        .handle = rig_handle,
        .context = rig,
        .server_name = "hakika-test",
    };
    rig->server = http_start(&options, error);
    assert_string_equal(error, "");
    assert_non_null(rig->server);
    assert_true(http_port(rig->server) > 0);
}

void rig_stop(struct rig *rig)
{
    http_stop(rig->server);
    rig->server = NULL;
}

int64_t now_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void turn(struct rig *rig, int wait_ms)
{
    int timeout_ms = http_timeout_ms(rig->server);
    if (timeout_ms < 0 || timeout_ms > wait_ms) {
        timeout_ms = wait_ms;
    }
    struct pollfd descriptor = {.fd = http_descriptor(rig->server), .events = POLLIN};
    assert_true(poll(&descriptor, 1, timeout_ms) >= 0);
    http_turn(rig->server);
}

void turns(struct rig *rig, int count)
{
    for (int i = 0; i < count; i++) {
        turn(rig, 0);
    }
}

void wait_until_quiet(struct rig *rig)
{
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    while (http_active(rig->server) > 0 || http_counters(rig->server).connections > 0) {
        assert_true(now_ms() < give_up_ms);
        turn(rig, 2);
    }
}

/* ----------------------------------------------------------------- clients */

static int client_connect(const struct rig *rig, int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_port(rig->server)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

struct client client_open(const struct rig *rig)
{
    struct client client = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(client.fd >= 0);
    assert_int_equal(client_connect(rig, client.fd), 0);
    return client;
}

bool client_can_connect(const struct rig *rig)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    bool can = client_connect(rig, fd) == 0;
    assert_int_equal(close(fd), 0);
    return can;
}

void client_close(struct client *client)
{
    assert_int_equal(close(client->fd), 0);
    free(client->data);
}

void client_reset(struct client *client)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    client_close(client);
}

bool client_try_send(struct rig *rig, struct client *client, const char *data, size_t size)
{
    size_t sent = 0;
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    while (sent < size) {
        ssize_t n = send(client->fd, data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN) {
            return false;
        }
        sent += n < 0 ? 0 : (size_t)n;
        turn(rig, n < 0 ? 2 : 0);
        assert_true(now_ms() < give_up_ms);
    }
    return true;
}

void client_send(struct rig *rig, struct client *client, const char *text)
{
    assert_true(client_try_send(rig, client, text, strlen(text)));
}

void client_receive(struct client *client)
{
    while (!client->closed) {
        if (client->capacity - client->size < 8192) {
            client->capacity = client->capacity * 2 + 16384;
            client->data = realloc(client->data, client->capacity);
            assert_non_null(client->data);
        }
        ssize_t n = recv(client->fd, client->data + client->size,
                         client->capacity - client->size - 1, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        client->closed = n <= 0;
        client->size += n <= 0 ? 0 : (size_t)n;
        client->data[client->size] = '\0';
    }
}

size_t client_reply_size(const struct client *client, bool without_body)
{
    const char *end = client->size == 0 ? NULL : strstr(client->data, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    size_t size = (size_t)(end + 4 - client->data);
    const char *length = strcasestr(client->data, "\r\nContent-Length: ");
    if (length != NULL && length < end && !without_body) {
        size += strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    }
    return size <= client->size ? size : 0;
}

static struct reply reply_take(struct client *client, size_t size)
{
    struct reply reply = {0};
    const char *end = strstr(client->data, "\r\n\r\n");
    assert_non_null(end);
    size_t head = (size_t)(end + 4 - client->data);
    assert_int_equal(strncmp(client->data, "HTTP/1.1 ", 9), 0);
    reply.status = (int)strtol(client->data + 9, NULL, 10);
    keep(reply.head, sizeof(reply.head), (struct span){client->data, head});
    keep(reply.body, sizeof(reply.body), (struct span){client->data + head, size - head});
    memmove(client->data, client->data + size, client->size - size + 1);
    client->size -= size;
    return reply;
}

struct reply client_reply_of(struct rig *rig, struct client *client, bool without_body)
{
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    size_t size;
    client_receive(client);
    while ((size = client_reply_size(client, without_body)) == 0) {
        assert_true(now_ms() < give_up_ms);
        assert_false(client->closed);
        turn(rig, 2);
        client_receive(client);
    }
    return reply_take(client, size);
}

struct reply client_reply(struct rig *rig, struct client *client)
{
    return client_reply_of(rig, client, false);
}

void client_wait_closed(struct rig *rig, struct client *client)
{
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    for (client_receive(client); !client->closed; client_receive(client)) {
        assert_true(now_ms() < give_up_ms);
        turn(rig, 2);
    }
}

void assert_silent(struct rig *rig, struct client *client)
{
    turns(rig, 10);
    client_receive(client);
    assert_int_equal(client->size, 0);
    assert_false(client->closed);
}

struct reply ask(struct rig *rig, const char *request)
{
    struct client client = client_open(rig);
    client_send(rig, &client, request);
    struct reply reply = client_reply(rig, &client);
    client_close(&client);
    return reply;
}

struct http_exchange *rig_held(struct rig *rig, unsigned index)
{
    assert_true(index < rig->held_count);
    return http_find(rig->server, rig->held[index]);
}

void assert_works(struct rig *rig)
{
    struct reply reply = ask(rig, "GET /works HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "ok");
    assert_string_equal(rig->path, "/works");
}
