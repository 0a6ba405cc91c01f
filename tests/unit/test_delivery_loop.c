/*
 * test_delivery_loop.c - the sockets that libcurl's transfers wait for, in one thread: the server's
 * side is played by the test itself.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "delivery/loop.h"

enum { TURNS_MAX = 10000, WAIT_MS = 5 };

struct rig {
    struct delivery_loop loop;
    CURL *easy;
    int listener;
    int peer; /* the server's end of the connection; -1: none */
    uint32_t opened;
    curl_socket_t fd; /* our end of the latest one */
};

static curl_socket_t rig_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct rig *r = context;
    (void)purpose;
    r->opened++;
    r->fd = delivery__loop_open(&r->loop, address);
    return r->fd;
}

static size_t rig_take(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

static void rig_start(struct rig *r)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    char url[64];
    *r = (struct rig){.peer = -1};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(r->listener, 8), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&address, &size), 0);
    assert_true(delivery__loop_init(&r->loop));
    r->easy = curl_easy_init();
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
    curl_easy_setopt(r->easy, CURLOPT_URL, url);
    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, rig_take);
    curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETFUNCTION, rig_open);
    curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_CLOSESOCKETFUNCTION, delivery__loop_close);
    curl_easy_setopt(r->easy, CURLOPT_CLOSESOCKETDATA, &r->loop);
}

static void rig_stop(struct rig *r)
{
    curl_easy_cleanup(r->easy);
    delivery__loop_fini(&r->loop);
    close(r->listener);
    if (r->peer >= 0) {
        close(r->peer);
    }
}

static void rig_serve(struct rig *r)
{
    static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    char request[1024];
    if (r->peer < 0) {
        r->peer = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK);
    }
    if (r->peer >= 0 && recv(r->peer, request, sizeof(request), 0) > 0) {
        assert_int_equal(send(r->peer, ANSWER, sizeof(ANSWER) - 1, 0), sizeof(ANSWER) - 1);
    }
}

static CURLcode rig_fetch(struct rig *r)
{
    int left = 0;
    assert_int_equal(curl_multi_add_handle(r->loop.multi, r->easy), CURLM_OK);
    for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
        delivery__loop_run_timers(&r->loop);
        CURLMsg *message = curl_multi_info_read(r->loop.multi, &left);
        if (message != NULL) {
            CURLcode code = message->data.result;
            assert_int_equal(curl_multi_remove_handle(r->loop.multi, r->easy), CURLM_OK);
            return code;
        }
        rig_serve(r);
        delivery__loop_wait(&r->loop, WAIT_MS);
    }
    fail_msg("the transfer does not end");
    return CURLE_OK;
}

/* L1, L2: over one connection, and it stays watched between transfers. */
static void test_used_again(void **state)
{
    struct rig r;
    (void)state;
    rig_start(&r);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(rig_fetch(&r), CURLE_OK);
        assert_true(r.loop.watches[r.fd].mask != 0);
        assert_false(r.loop.watches[r.fd].wanted);
    }
    assert_int_equal(r.opened, 1);
    rig_stop(&r);
}

/* L2: the end of an idle connection is looked at once, not for ever; the next transfer has a new
 * one. */
static void test_idle_connection_ends(void **state)
{
    struct rig r;
    (void)state;
    rig_start(&r);
    assert_int_equal(rig_fetch(&r), CURLE_OK);
    curl_socket_t first = r.fd;
    assert_int_equal(close(r.peer), 0);
    r.peer = -1;
    for (uint32_t turn = 0; turn < TURNS_MAX && r.loop.watches[first].mask != 0; turn++) {
        delivery__loop_wait(&r.loop, WAIT_MS);
    }
    assert_int_equal(r.loop.watches[first].mask, 0);
    assert_true(r.loop.watches[first].ours); /* libcurl finds out, and closes it */
    uint32_t serial = r.loop.watches[first].serial;
    assert_int_equal(rig_fetch(&r), CURLE_OK);
    assert_int_equal(r.opened, 2);
    /* L3: a socket with the same number is another one. */
    assert_true(r.fd != first || r.loop.watches[r.fd].serial == serial + 1);
    rig_stop(&r);
}

/* A wake-up before the wait ends it; the next one waits again. */
static void test_wake(void **state)
{
    struct rig r;
    (void)state;
    rig_start(&r);
    delivery__loop_wake(&r.loop);
    delivery__loop_wake(&r.loop);
    delivery__loop_wait(&r.loop, 60 * 1000); /* would take a minute */
    delivery__loop_wait(&r.loop, 0);
    delivery__loop_wake(&r.loop);
    delivery__loop_wait(&r.loop, 60 * 1000);
    rig_stop(&r);
}

/* Nobody listens: libcurl closes the socket, and nothing is watched any more. */
static void test_refused(void **state)
{
    struct rig r;
    (void)state;
    rig_start(&r);
    close(r.listener);
    assert_int_equal(rig_fetch(&r), CURLE_COULDNT_CONNECT);
    assert_false(r.loop.watches[r.fd].ours);
    assert_int_equal(r.loop.watches[r.fd].mask, 0);
    r.listener = socket(AF_INET, SOCK_STREAM, 0);
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_used_again),
        cmocka_unit_test(test_idle_connection_ends),
        cmocka_unit_test(test_wake),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
