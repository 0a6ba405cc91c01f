/*
 * fuzz_http.c - arbitrary bytes on a real connection to the HTTP server (face/http.h).
 *
 * The first byte of the input says how the rest is sent and how the client behaves; the rest goes
 * over the wire. Whatever it is, the server goes on, everything is given back, and a first request
 * that reaches the handler was strictly formed, which is checked here against the raw bytes by
 * other means than the server's own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "face/http.h"

enum {
    INPUT_MAX = 16 * 1024,
    BODY_MAX = 2048,
    HELD_MAX = 64,
    PIECE_MASK = 0x0f,  /* 0: all at once, otherwise pieces of so many bytes */
    HALF_CLOSE = 0x10,  /* the client sends no more */
    REFUSE = 0x20,      /* admission says no */
    LEAVE_EARLY = 0x40, /* the client resets before replies are released */
};

static struct {
    struct http_server *server;
    const uint8_t *input;
    size_t input_size;
    uint8_t flags;
    unsigned calls;
    struct http_ticket held[HELD_MAX];
    unsigned held_count;
} fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ------------------------------------------------- a second opinion on the head */

/* What ends a head: CR LF CR LF, or what cannot be told from it afterwards (http_request.c). */
static bool ends_head(const uint8_t *rest, size_t size)
{
    for (size_t i = 0; i < 4; i++) {
        if (i >= size || memchr("\r\n\0:", rest[i], 4) == NULL) {
            return false;
        }
    }
    return rest[3] == '\n';
}

/* The size of the line at the start of rest, without its end; -1 when it is unclean or has none. */
static long line_size(const uint8_t *rest, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        bool clean = (rest[i] >= 0x20 && rest[i] != 0x7f) || rest[i] == '\t';
        if (!clean) {
            bool line_ends = (rest[i] == '\r' || rest[i] == '\0') && rest[i + 1] == '\n';
            return line_ends || ends_head(rest + i, size - i) ? (long)i : -1;
        }
    }
    return -1;
}

static bool line_is_header(const uint8_t *line, size_t size, const char *name)
{
    size_t length = strlen(name);
    return size > length && line[length] == ':' &&
           strncasecmp((const char *)line, name, length) == 0;
}

static void check_first_head(void)
{
    const uint8_t *rest = fuzz.input;
    size_t size = fuzz.input_size;
    unsigned hosts = 0, lengths = 0, codings = 0;
    for (unsigned line = 0;; line++) {
        long length = line_size(rest, size);
        CHECK(length > 0);
        CHECK(rest[0] > ' ' && rest[0] != ':');
        hosts += line_is_header(rest, (size_t)length, "host");
        lengths += line_is_header(rest, (size_t)length, "content-length");
        codings += line_is_header(rest, (size_t)length, "transfer-encoding");
        CHECK(line == 0 || memchr(rest, ':', (size_t)length) != NULL);
        if (ends_head(rest + length, size - (size_t)length)) {
            break;
        }
        rest += length + 2;
        size -= (size_t)length + 2;
    }
    CHECK(hosts == 1);
    CHECK(lengths + codings <= 1);
}

/* --------------------------------------------------------------- the server */

static void check_request(struct http_exchange *x)
{
    struct span path = http_path(x);
    CHECK(path.size > 0 && path.size <= 2048);
    CHECK(path.data[0] == '/' || span_is(path, "*"));
    CHECK(memchr(path.data, '\0', path.size) == NULL);
    CHECK(memmem(path.data, path.size, "/../", 4) == NULL);
    CHECK(http_body(x).size <= BODY_MAX);
    CHECK(http_header(x, "Host").size > 0);
    CHECK(http_method(x).size > 0 && memchr(http_method(x).data, ' ', http_method(x).size) == NULL);
    struct span value = http_query_value(x, "q");
    CHECK(value.data == NULL || value.size <= http_query(x).size);
    bool plain_start = fuzz.input_size > 0 && fuzz.input[0] != '\r' && fuzz.input[0] != '\n' &&
                       fuzz.input[0] != '\0';
    if (fuzz.calls == 0 && plain_start) {
        check_first_head();
    }
}

static bool admit(void *context, struct http_exchange *x)
{
    (void)context;
    if (fuzz.flags & REFUSE) {
        http_reply(x, 503, "text/plain", SPAN_LITERAL("no"));
        return false;
    }
    return true;
}

static void handle(void *context, struct http_exchange *x)
{
    (void)context;
    check_request(x);
    fuzz.calls++;
    char kind = http_path(x).size > 1 ? http_path(x).data[1] : 'r';
    bool room = fuzz.held_count < HELD_MAX;
    if (kind == 'h' && room) {
        http_hold(x, 200, "text/plain", http_body(x));
    } else if (kind == 'o' && room) {
        http_hold_open(x);
    } else if (kind == 's' && room) {
        http_stream(x, 200, "text/event-stream");
    } else {
        http_reply(x, 200, "text/plain", http_query_value(x, "q"));
        return;
    }
    fuzz.held[fuzz.held_count++] = http_ticket(x);
}

static void release_all(void)
{
    for (unsigned i = 0; i < fuzz.held_count; i++) {
        struct http_exchange *x = http_find(fuzz.server, fuzz.held[i]);
        if (x == NULL) {
            continue;
        }
        char kind = http_path(x).data[1];
        if (kind == 'h') {
            http_release(x);
        } else if (kind == 'o') {
            http_reply(x, 200, "text/plain", SPAN_LITERAL("later"));
        } else {
            (void)http_stream_write(x, SPAN_LITERAL("data: x\n\n"));
            http_stream_end(x);
        }
    }
    fuzz.held_count = 0;
}

static void start(void)
{
    char error[256];
    struct http_options options = {
        .address = "127.0.0.1",
        .limits = http_limits_default(),
        .admit = admit,
        .handle = handle,
    };
    options.limits.body_bytes_max = BODY_MAX;
    fuzz.server = http_start(&options, error);
    CHECK(fuzz.server != NULL);
}

/* --------------------------------------------------------------- the client */

static int client_open(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_port(fuzz.server)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void turns(int count)
{
    for (int i = 0; i < count; i++) {
        http_turn(fuzz.server);
    }
}

static void client_send(int fd)
{
    size_t piece = fuzz.flags & PIECE_MASK;
    size_t sent = 0;
    while (sent < fuzz.input_size) {
        size_t left = fuzz.input_size - sent;
        size_t size = piece == 0 || piece > left ? left : piece;
        ssize_t n = send(fd, fuzz.input + sent, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            return; /* closed by the server */
        }
        sent += (size_t)n;
        if (piece != 0 && sent < 512) {
            turns(1);
        }
    }
}

/* Every reply, if there is any, begins as one. */
static void client_receive(int fd)
{
    char reply[4096];
    ssize_t first = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
    CHECK(first < 9 || memcmp(reply, "HTTP/1.1 ", 9) == 0);
    while (first > 0) {
        first = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
    }
}

static void client_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
    CHECK(close(fd) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX) {
        return 0;
    }
    if (fuzz.server == NULL) {
        start();
    }
    fuzz.flags = data[0];
    fuzz.input = data + 1;
    fuzz.input_size = size - 1;
    fuzz.calls = 0;
    int fd = client_open();
    turns(1);
    client_send(fd);
    if (fuzz.flags & HALF_CLOSE) {
        CHECK(shutdown(fd, SHUT_WR) == 0 || errno == ENOTCONN);
    }
    turns(2);
    bool left = (fuzz.flags & LEAVE_EARLY) != 0;
    if (left) {
        client_reset(fd);
    }
    for (int i = 0; fuzz.held_count > 0; i++) {
        CHECK(i < INPUT_MAX);
        release_all();
        turns(2);
    }
    if (!left) {
        client_receive(fd);
        client_reset(fd);
    }
    for (int i = 0; http_counters(fuzz.server).connections > 0; i++) {
        CHECK(i < 100);
        turns(1);
    }
    CHECK(http_active(fuzz.server) == 0);
    return 0;
}
