/*
 * listen.c - hakika listen [--port N]: answers every POST as M-Pesa's callers expect it and prints
 * the bodies, one line each. Loopback only; keeps nothing.
 */
#include "app/listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "app/command.h"
#include "base/span.h"
#include "face/face.h"

static void listen_handle(void *context, struct http_exchange *x)
{
    struct span body = http_body(x);
    struct span path = http_path(x);
    (void)context;
    (void)printf("%.*s %.*s", (int)path.size, path.data, (int)body.size, body.data);
    (void)printf("\n");
    (void)fflush(stdout);
    http_reply(x, 200, "application/json",
               SPAN_LITERAL("{\"ResultCode\":0,\"ResultDesc\":\"Accepted\"}"));
}

static int listen_run(struct http_server *server)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, http_descriptor(server), &event) != 0) {
        (void)fprintf(stderr, "hakika: epoll: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    for (;;) {
        if (epoll_wait(epoll, &event, 1, http_timeout_ms(server)) < 0 && errno != EINTR) {
            (void)fprintf(stderr, "hakika: epoll_wait: %s\n", strerror(errno));
            (void)close(epoll);
            return EXIT_FAILED;
        }
        http_turn(server);
    }
}

int listen_command(int argc, char **argv)
{
    char error[256];
    uint64_t port = 9000;
    bool given = argc == 2 && strcmp(argv[0], "--port") == 0;
    if (given && (!span_parse_u64(span_from(argv[1]), &port) || port > 65535)) {
        given = false;
        argc = 1;
    }
    if (argc != 0 && !given) {
        (void)fprintf(stderr, "hakika listen [--port N]: prints every callback that arrives at\n"
                              "http://127.0.0.1:N/ (default 9000) and answers it with 200.\n");
        return argc == 1 && strcmp(argv[0], "--help") == 0 ? EXIT_GOOD : EXIT_USAGE;
    }
    struct http_options options = {
        .address = "127.0.0.1",
        .port = (uint16_t)port,
        .limits = http_limits_default(),
        .handle = listen_handle,
    };
    struct http_server *server = http_start(&options, error);
    if (server == NULL) {
        (void)fprintf(stderr, "hakika: %s\n", error);
        return EXIT_FAILED;
    }
    (void)fprintf(stderr, "listening on http://127.0.0.1:%u/\n", http_port(server));
    return listen_run(server);
}
