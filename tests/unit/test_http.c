/*
 * test_http.c - the HTTP server (face/http.h) with clients that mean well, and with those that
 * leave in the middle. What hostile clients try is in test_http_hostile.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/http_rig.h"

/* ---------------------------------------------------------- good requests */

static void test_request_is_seen_whole(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct reply reply =
        ask(&rig, "POST /a%20b/c?x=1&name=J%C3%BCrgen+K%2e&name=2 HTTP/1.1\r\n" HOST
                  "x-TEST: \t two words \t\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(reply.status, 200);
    assert_string_equal(rig.method, "POST");
    assert_string_equal(rig.path, "/a b/c");
    assert_string_equal(rig.query, "x=1&name=J%C3%BCrgen+K%2e&name=2");
    assert_string_equal(rig.value, "J\xc3\xbcrgen K.");
    assert_string_equal(rig.header, "two words");
    assert_string_equal(rig.body, "hello");
    assert_string_equal(rig.peer, "127.0.0.1");
    assert_int_equal(rig.calls, 1);
    assert_int_equal(rig.admits, 1);
    rig_stop(&rig);
}

static void test_reply_carries_what_it_should(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct reply reply = ask(&rig, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(reply.head, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(reply.head, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(reply.head, "\r\nServer: hakika-test\r\n"));
    assert_non_null(strstr(reply.head, "\r\nContent-Length: 2\r\n"));
    assert_non_null(strstr(reply.head, "\r\nDate: "));
    assert_null(strstr(reply.head, "Connection: close"));
    assert_string_equal(reply.body, "ok");
    rig_stop(&rig);
}

static void test_query_values(void **state)
{
    (void)state;
    static const struct {
        const char *query, *value; /* NULL: absent */
    } cases[] = {
        {"?name=v", "v"},
        {"?name=", ""},
        {"?name", ""},
        {"?other=1", NULL},
        {"", NULL},
        {"?", NULL},
        {"?&&name=a&", "a"},
        {"?names=1&name=2", "2"},
        {"?name=a=b", "a=b"},
        {"?name=%zz", NULL},
        {"?name=%4", NULL},
        {"?name=a%00b", "a"},
        {"?name=%41%42%43", "ABC"},
        {"?NAME=1", NULL},
    };
    struct rig rig;
    rig_start(&rig, http_limits_default());
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char request[256];
        (void)snprintf(request, sizeof(request), "GET /%s HTTP/1.1\r\n" HOST "\r\n",
                       cases[i].query);
        assert_int_equal(ask(&rig, request).status, 200);
        assert_int_equal(rig.value_present, cases[i].value != NULL);
        assert_string_equal(rig.value, cases[i].value == NULL ? "" : cases[i].value);
    }
    rig_stop(&rig);
}

static void test_accepted_forms(void **state)
{
    (void)state;
    static const struct {
        const char *request, *method, *path;
    } cases[] = {
        {"GET / HTTP/1.0\r\n" HOST "\r\n", "GET", "/"},
        {"GET /a//b/.c/..d/e... HTTP/1.1\r\n" HOST "\r\n", "GET", "/a//b/.c/..d/e..."},
        {"GET http://LOCALHOST:8254/x?y HTTP/1.1\r\n" HOST "\r\n", "GET", "/x"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS", "*"},
        {"OPTIONS /o HTTP/1.1\r\n" HOST "\r\n", "OPTIONS", "/o"},
        {"BREW /pot HTTP/1.1\r\n" HOST "\r\n", "BREW", "/pot"},
        {"get / HTTP/1.1\r\n" HOST "\r\n", "get", "/"},
        {"\r\nGET /blank HTTP/1.1\r\n" HOST "\r\n", "GET", "/blank"},
        {"DELETE /d HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "DELETE", "/d"},
        {"GET /host HTTP/1.1\r\nhOsT:[::1]:80\r\n\r\n", "GET", "/host"},
        {"GET /%e2%82%ac HTTP/1.1\r\n" HOST "\r\n", "GET", "/\xe2\x82\xac"},
        {"GET /obs HTTP/1.1\r\n" HOST "X-Test: \xe4\t\xff\r\n\r\n", "GET", "/obs"},
        {"GET /empty HTTP/1.1\r\n" HOST "X-Test:\r\nX: \r\n\r\n", "GET", "/empty"},
    };
    struct rig rig;
    rig_start(&rig, http_limits_default());
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ask(&rig, cases[i].request).status, 200);
        assert_string_equal(rig.method, cases[i].method);
        assert_string_equal(rig.path, cases[i].path);
    }
    assert_true(rig.header_present); /* an empty header is there */
    rig_stop(&rig);
}

/* What a proxy adds on a line of its own counts as much as what it adds to the last line. */
static void test_lines_of_one_name_are_a_list(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    assert_int_equal(ask(&rig, "GET / HTTP/1.1\r\nX-Test: 1, 2 \r\n" HOST
                               "X-Other: x\r\nx-TEST:\r\nX-Test2: y\r\nX-Test: 3\r\n\r\n")
                         .status,
                     200);
    assert_string_equal(rig.header, "1, 2"); /* the first line alone */
    assert_string_equal(rig.header_list, "1, 2, , 3");
    assert_int_equal(ask(&rig, "GET / HTTP/1.1\r\n" HOST "X-Test:\r\n\r\n").status, 200);
    assert_true(rig.header_present); /* and the rig found the list there, too */
    assert_string_equal(rig.header_list, "");
    assert_int_equal(ask(&rig, "GET / HTTP/1.1\r\n" HOST "\r\n").status, 200);
    assert_false(rig.header_present);
    rig_stop(&rig);
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "HEAD /a HTTP/1.1\r\n" HOST "\r\n");
    struct reply reply = client_reply_of(&rig, &client, true);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "Content-Length: 2\r\n"));
    client_send(&rig, &client, "GET /b HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(client_reply(&rig, &client).body, "ok");
    client_close(&client);
    rig_stop(&rig);
}

static void test_chunked_body(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client,
                "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
                "5\r\nhello\r\n7\r\n, world\r\n0\r\nTrailer: t\r\n\r\n"
                "GET /smuggled HTTP/1.1\r\n" HOST "\r\n");
    struct reply reply = client_reply(&rig, &client);
    assert_string_equal(reply.body, "hello, world");
    assert_non_null(strstr(reply.head, "Connection: close\r\n"));
    client_wait_closed(&rig, &client);
    assert_int_equal(client.size, 0);
    assert_int_equal(rig.calls, 1); /* what follows a chunked body is not read */
    client_close(&client);
    rig_stop(&rig);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    static const char request[] =
        "POST /echo?name=n HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\nhello world";
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    for (int repeat = 0; repeat < 3; repeat++) {
        for (size_t i = 0; i < sizeof(request) - 1; i++) {
            assert_true(client_try_send(&rig, &client, request + i, 1));
        }
        struct reply reply = client_reply(&rig, &client);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.body, "hello world");
        assert_string_equal(rig.value, "n");
    }
    client_close(&client);
    rig_stop(&rig);
}

static void test_pipeline_is_answered_in_order(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client,
                "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
                "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\ntwo\r\n"
                "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nthree");
    assert_silent(&rig, &client);
    assert_int_equal(rig.calls, 1); /* the second is not looked at before the first is answered */
    http_release(rig_held(&rig, 0));
    assert_string_equal(client_reply(&rig, &client).body, "one");
    assert_string_equal(client_reply(&rig, &client).body, "two");
    assert_silent(&rig, &client);
    assert_int_equal(rig.calls, 3);
    http_release(rig_held(&rig, 1));
    assert_string_equal(client_reply(&rig, &client).body, "three");
    client_close(&client);
    rig_stop(&rig);
}

/* Sends 60,000 bytes and has them back. */
static void large_there_and_back(struct rig *rig)
{
    enum { LARGE = 60000 };
    struct client client = client_open(rig);
    char *body = malloc(LARGE + 1);
    assert_non_null(body);
    for (size_t i = 0; i < LARGE; i++) {
        body[i] = (char)('a' + i % 26);
    }
    body[LARGE] = '\0';
    client_send(rig, &client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n");
    assert_true(client_try_send(rig, &client, body, LARGE));
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    while (client_reply_size(&client, false) == 0) {
        assert_true(now_ms() < give_up_ms);
        turn(rig, 2);
        client_receive(&client);
    }
    assert_string_equal(strstr(client.data, "\r\n\r\n") + 4, body);
    free(body);
    client_close(&client);
}

static void test_large_reply(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    large_there_and_back(&rig);
    rig_stop(&rig);
}

/* ------------------------------------------------------------ held replies */

static void test_held_reply_waits_for_release(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    for (unsigned i = 0; i < 3; i++) {
        client_send(&rig, &client, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody");
        assert_silent(&rig, &client);
        assert_int_equal(http_active(rig.server), 1);
        http_release(rig_held(&rig, i));
        http_release(rig_held(&rig, i)); /* twice is once */
        struct reply reply = client_reply(&rig, &client);
        assert_int_equal(reply.status, 202);
        assert_string_equal(reply.body, "body");
        turns(&rig, 3);
        assert_int_equal(http_active(rig.server), 0);
        assert_null(rig_held(&rig, i)); /* that exchange is over, though the slot lives on */
    }
    assert_int_equal(rig.held[0].slot, rig.held[2].slot);
    client_close(&client);
    rig_stop(&rig);
}

static void test_release_inside_the_handler(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct reply reply = ask(&rig, "GET /hold-and-release HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(reply.status, 200);
    rig_stop(&rig);
}

static void test_open_hold_is_filled_later(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client first = client_open(&rig);
    struct client second = client_open(&rig);
    client_send(&rig, &first, "GET /open HTTP/1.1\r\n" HOST "\r\n");
    client_send(&rig, &second, "GET /open HTTP/1.1\r\n" HOST "\r\n");
    assert_silent(&rig, &first);
    http_reply(rig_held(&rig, 0), 200, "text/plain", SPAN_LITERAL("at once"));
    http_reply_header(rig_held(&rig, 1), "X-Late", SPAN_LITERAL("yes"));
    http_hold(rig_held(&rig, 1), 200, "text/plain", SPAN_LITERAL("in two steps"));
    assert_string_equal(client_reply(&rig, &first).body, "at once");
    assert_silent(&rig, &second);
    http_release(rig_held(&rig, 1));
    struct reply reply = client_reply(&rig, &second);
    assert_string_equal(reply.body, "in two steps");
    assert_non_null(strstr(reply.head, "X-Late: yes\r\n"));
    assert_int_equal(rig.gone, 0);
    client_close(&first);
    client_close(&second);
    rig_stop(&rig);
}

/* A held reply that has become untrue is taken back, headers too, as long as it is held. */
static void test_held_reply_is_taken_back(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "GET /open HTTP/1.1\r\n" HOST "\r\n");
    assert_silent(&rig, &client);
    http_reply_header(rig_held(&rig, 0), "X-Early", SPAN_LITERAL("yes"));
    http_hold(rig_held(&rig, 0), 200, "text/plain", SPAN_LITERAL("accepted"));
    assert_true(http_retract(rig_held(&rig, 0)));
    assert_silent(&rig, &client);
    http_reply(rig_held(&rig, 0), 500, "text/plain", SPAN_LITERAL("not known"));
    struct reply reply = client_reply(&rig, &client);
    assert_int_equal(reply.status, 500);
    assert_string_equal(reply.body, "not known");
    assert_null(strstr(reply.head, "X-Early"));
    client_close(&client);
    rig_stop(&rig);
}

static void test_many_held_replies_at_once(void **state)
{
    (void)state;
    enum { CLIENTS = 200 };
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client clients[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++) {
        char request[128];
        (void)snprintf(request, sizeof(request),
                       "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\n%04u", i);
        clients[i] = client_open(&rig);
        client_send(&rig, &clients[i], request);
    }
    turns(&rig, 10);
    assert_int_equal(rig.held_count, CLIENTS);
    assert_int_equal(http_active(rig.server), CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++) {
        http_release(rig_held(&rig, CLIENTS - 1 - i));
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        char expected[8];
        (void)snprintf(expected, sizeof(expected), "%04u", i);
        assert_string_equal(client_reply(&rig, &clients[i]).body, expected);
        client_close(&clients[i]);
    }
    wait_until_quiet(&rig);
    rig_stop(&rig);
}

static void test_waiting_costs_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    assert_int_equal(http_timeout_ms(rig.server), -1);
    struct client held_client = client_open(&rig);
    struct client stream = client_open(&rig);
    struct client half = client_open(&rig);
    client_send(&rig, &held_client, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    client_send(&rig, &stream, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    client_send(&rig, &half, "GET / HTT");
    turns(&rig, 40); /* the held reply is not even looked at any more */
    /* Nothing to do now: the loop may sleep until the next look at the stream's peer. */
    assert_true(http_timeout_ms(rig.server) > 20);
    struct pollfd descriptor = {.fd = http_descriptor(rig.server), .events = POLLIN};
    assert_int_equal(poll(&descriptor, 1, 0), 0);
    http_release(rig_held(&rig, 0));
    assert_int_equal(http_timeout_ms(rig.server), 0);
    client_close(&held_client);
    client_close(&stream);
    client_close(&half);
    rig_stop(&rig);
}

/* --------------------------------------------------------- peers that leave */

static void test_reset_while_held(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    turns(&rig, 3);
    client_reset(&client);
    wait_until_quiet(&rig); /* seen at once: the held reply is still in the library's sight */
    assert_null(rig_held(&rig, 0));
    assert_works(&rig);
    rig_stop(&rig);
}

/* Held for long, it is out of the library's sight, and ours until we let go. */
static void test_reset_while_held_for_long(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    turns(&rig, 40);
    client_reset(&client);
    turns(&rig, 5);
    assert_non_null(rig_held(&rig, 0));
    http_release(rig_held(&rig, 0));
    wait_until_quiet(&rig);
    assert_null(rig_held(&rig, 0));
    assert_works(&rig);
    rig_stop(&rig);
}

/* A reply arrives whole whenever it is released: while it is parked, while it is being suspended,
 * and long after; also when another one is large and needs many rounds meanwhile. */
static void test_release_after_any_number_of_turns(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    for (int waited = 0; waited < 40; waited++) {
        client_send(&rig, &client, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody");
        while (rig.held_count == (unsigned)waited) {
            turn(&rig, 1);
        }
        turns(&rig, waited);
        if (waited % 8 == 0) {
            large_there_and_back(&rig);
        }
        assert_int_equal(client.size, 0);
        http_release(rig_held(&rig, (unsigned)waited));
        assert_string_equal(client_reply(&rig, &client).body, "body");
    }
    client_close(&client);
    rig_stop(&rig);
}

static void test_half_closed_peer_gets_its_reply(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    assert_silent(&rig, &client);
    http_release(rig_held(&rig, 0));
    assert_string_equal(client_reply(&rig, &client).body, "hi");
    client_wait_closed(&rig, &client);
    client_close(&client);
    wait_until_quiet(&rig);
    rig_stop(&rig);
}

static void test_gone_is_told(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /open HTTP/1.1\r\n" HOST "\r\n",
        "GET /stream HTTP/1.1\r\n" HOST "\r\n",
    };
    for (unsigned with_reset = 0; with_reset < 2; with_reset++) {
        for (unsigned i = 0; i < 2; i++) {
            struct rig rig;
            rig_start(&rig, http_limits_default());
            struct client client = client_open(&rig);
            client_send(&rig, &client, requests[i]);
            turns(&rig, 3);
            if (with_reset) {
                client_reset(&client);
            } else {
                client_close(&client);
            }
            wait_until_quiet(&rig);
            assert_int_equal(rig.gone, 1);
            assert_int_equal(rig.last_gone.slot, rig.held[0].slot);
            assert_int_equal(rig.last_gone.generation, rig.held[0].generation);
            assert_null(rig_held(&rig, 0));
            rig_stop(&rig);
        }
    }
}

static void test_peer_leaves_in_the_middle(void **state)
{
    (void)state;
    static const char *const beginnings[] = {
        "",
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
    };
    struct rig rig;
    rig_start(&rig, http_limits_default());
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        struct client polite = client_open(&rig);
        struct client rude = client_open(&rig);
        struct client half = client_open(&rig);
        client_send(&rig, &polite, beginnings[i]);
        client_send(&rig, &rude, beginnings[i]);
        client_send(&rig, &half, beginnings[i]);
        client_close(&polite);
        client_reset(&rude);
        assert_int_equal(shutdown(half.fd, SHUT_WR), 0);
        client_wait_closed(&rig, &half);
        client_close(&half);
        wait_until_quiet(&rig);
    }
    assert_int_equal(rig.calls, 0);
    assert_works(&rig);
    rig_stop(&rig);
}

static void test_stop_with_everything_open(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /hold HTTP/1.1\r\n" HOST "\r\n",
        "GET /open HTTP/1.1\r\n" HOST "\r\n",
        "GET /stream HTTP/1.1\r\n" HOST "\r\n",
        "GET / HTTP/1.1\r\nHo",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabc",
        "",
    };
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client clients[sizeof(requests) / sizeof(requests[0])];
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        clients[i] = client_open(&rig);
        client_send(&rig, &clients[i], requests[i]);
    }
    turns(&rig, 5);
    rig_stop(&rig);
    assert_int_equal(rig.gone, 0); /* the owner is going itself */
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        client_close(&clients[i]);
    }
    http_stop(NULL);
}

/* ------------------------------------------------------------------ streams */

/* Everything the client has until the text appears; fails when it does not. */
static void wait_for_text(struct rig *rig, struct client *client, const char *text)
{
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    while (client->size == 0 || strstr(client->data, text) == NULL) {
        assert_true(now_ms() < give_up_ms);
        assert_false(client->closed);
        turn(rig, 2);
        client_receive(client);
    }
}

static void test_stream(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    wait_for_text(&rig, &client, "\r\n\r\n"); /* the head does not wait for the first bytes */
    assert_non_null(strstr(client.data, "Transfer-Encoding: chunked\r\n"));
    for (int i = 0; i < 3; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "data: event %d\n\n", i);
        assert_true(http_stream_write(rig_held(&rig, 0), span_from(text)));
        wait_for_text(&rig, &client, text);
        turns(&rig, 5);
    }
    assert_true(http_stream_write(rig_held(&rig, 0), SPAN_EMPTY));
    http_stream_end(rig_held(&rig, 0));
    wait_for_text(&rig, &client, "\r\n0\r\n\r\n");
    turns(&rig, 5);
    assert_null(rig_held(&rig, 0));
    assert_int_equal(rig.gone, 0);
    client.size = 0;
    client_send(&rig, &client, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(client_reply(&rig, &client).body, "ok"); /* the connection goes on */
    client_close(&client);
    rig_stop(&rig);
}

static void test_stream_written_and_ended_at_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "GET /stream HTTP/1.0\r\n" HOST "\r\n");
    turns(&rig, 5);
    assert_true(http_stream_write(rig_held(&rig, 0), SPAN_LITERAL("all ")));
    assert_true(http_stream_write(rig_held(&rig, 0), SPAN_LITERAL("there is")));
    http_stream_end(rig_held(&rig, 0));
    http_stream_end(rig_held(&rig, 0)); /* twice is once */
    client_wait_closed(&rig, &client);  /* HTTP/1.0 knows no chunks: the end is the end */
    assert_string_equal(strstr(client.data, "\r\n\r\n") + 4, "all there is");
    client_close(&client);
    rig_stop(&rig);
}

static void test_stream_to_a_slow_peer(void **state)
{
    (void)state;
    static char block[64 * 1024];
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    turns(&rig, 5);
    memset(block, 'b', sizeof(block));
    size_t written = 0;
    while (http_stream_write(rig_held(&rig, 0), (struct span){block, sizeof(block)})) {
        written += sizeof(block);
        turns(&rig, 2);
        assert_true(written < 256 * sizeof(block)); /* what sockets hold, and 1 MiB */
    }
    assert_true(written >= 16 * sizeof(block));
    http_stream_end(rig_held(&rig, 0));
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    while (client.size < written || strstr(client.data + client.size - 5, "0\r\n\r\n") == NULL) {
        assert_true(now_ms() < give_up_ms);
        turn(&rig, 2);
        client_receive(&client);
    }
    assert_true(http_counters(rig.server).bytes_out >= written);
    client_close(&client);
    wait_until_quiet(&rig);
    rig_stop(&rig);
}

static void test_stream_for_head_ends_at_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "HEAD /stream HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(client_reply_of(&rig, &client, true).status, 200);
    turns(&rig, 5);
    assert_int_equal(rig.gone, 1);
    assert_null(rig_held(&rig, 0));
    client_close(&client);
    rig_stop(&rig);
}

/* ------------------------------------------------------- headers and admission */

static void test_reply_headers(void **state)
{
    (void)state;
    static const char *const refused[] = {"many", "large", "split"};
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct reply reply = ask(&rig, "GET /headers HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "X-One: first\r\n"));
    assert_null(strstr(reply.head, "X-Two"));
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char request[64];
        (void)snprintf(request, sizeof(request), "GET /headers?%s HTTP/1.1\r\n" HOST "\r\n",
                       refused[i]);
        reply = ask(&rig, request);
        assert_int_equal(reply.status, 500);
        assert_non_null(strstr(reply.body, "\"code\":\"reply_failed\""));
        assert_null(strstr(reply.head, "Set-Cookie"));
    }
    rig_stop(&rig);
}

static void test_admission_refuses_before_the_body(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    rig.admit_refuses = true;
    for (int i = 0; i < 3; i++) {
        client_send(&rig, &client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
        struct reply reply = client_reply(&rig, &client);
        assert_int_equal(reply.status, 503);
        assert_string_equal(reply.body, "shed");
        assert_non_null(strstr(reply.head, "Retry-After: 1\r\n"));
    }
    assert_int_equal(rig.calls, 0);
    assert_int_equal(rig.admits, 3);
    rig.admit_refuses = false; /* the same connection is welcome again */
    client_send(&rig, &client, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
    assert_string_equal(client_reply(&rig, &client).body, "hello");
    client_close(&client);
    rig_stop(&rig);
}

static void test_expectation(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    client_send(&rig, &client,
                "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(client_reply_of(&rig, &client, true).status, 100);
    assert_silent(&rig, &client);
    client_send(&rig, &client, "hello");
    assert_string_equal(client_reply(&rig, &client).body, "hello");

    rig.admit_refuses = true; /* then the body is not even asked for */
    client_send(&rig, &client,
                "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(client_reply(&rig, &client).status, 503);
    client_wait_closed(&rig, &client);
    client_close(&client);
    rig_stop(&rig);
}

/* ------------------------------------------------------------- life of a server */

static void test_start_says_what_is_wrong(void **state)
{
    (void)state;
    struct rig rig;
    char error[256] = "";
    rig_start(&rig, http_limits_default());
    struct http_options options = {
        .address = "localhost", .limits = http_limits_default(), .handle = rig_handle};
    assert_null(http_start(&options, error));
    assert_non_null(strstr(error, "\"localhost\": not a numeric"));
    options.address = "127.0.0.1";
    options.port = http_port(rig.server);
    assert_null(http_start(&options, error));
    assert_non_null(strstr(error, "Address already in use"));
    assert_non_null(strstr(error, "choose another port"));
    rig_stop(&rig);
}

static void test_quiesce(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client client = client_open(&rig);
    struct client waiting = client_open(&rig);
    client_send(&rig, &waiting, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    client_send(&rig, &client, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_null(strstr(client_reply(&rig, &client).head, "Connection: close"));
    http_quiesce(rig.server);
    http_quiesce(rig.server);
    turns(&rig, 3);
    assert_false(client_can_connect(&rig));
    client_send(&rig, &client, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(client_reply(&rig, &client).head, "Connection: close"));
    client_wait_closed(&rig, &client);
    assert_int_equal(http_active(rig.server), 1);
    http_release(rig_held(&rig, 0));
    assert_int_equal(client_reply(&rig, &waiting).status, 202);
    client_close(&client);
    client_close(&waiting);
    wait_until_quiet(&rig);
    rig_stop(&rig);
}

static void test_counters(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    static const char request[] = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello";
    assert_int_equal(ask(&rig, request).status, 200);
    assert_int_equal(ask(&rig, "GET / HTTP/1.1\r\n\r\n").status, 400);
    wait_until_quiet(&rig);
    struct http_counters counters = http_counters(rig.server);
    assert_int_equal(counters.requests, 1);
    assert_int_equal(counters.refused_requests, 1);
    assert_int_equal(counters.refused_connections, 0);
    assert_int_equal(counters.connections, 0);
    assert_true(counters.bytes_in >= sizeof(request) - 1);
    assert_true(counters.bytes_out >= 5);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_seen_whole),
        cmocka_unit_test(test_reply_carries_what_it_should),
        cmocka_unit_test(test_query_values),
        cmocka_unit_test(test_accepted_forms),
        cmocka_unit_test(test_lines_of_one_name_are_a_list),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_chunked_body),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_pipeline_is_answered_in_order),
        cmocka_unit_test(test_large_reply),
        cmocka_unit_test(test_held_reply_waits_for_release),
        cmocka_unit_test(test_release_inside_the_handler),
        cmocka_unit_test(test_open_hold_is_filled_later),
        cmocka_unit_test(test_held_reply_is_taken_back),
        cmocka_unit_test(test_many_held_replies_at_once),
        cmocka_unit_test(test_waiting_costs_nothing),
        cmocka_unit_test(test_reset_while_held),
        cmocka_unit_test(test_reset_while_held_for_long),
        cmocka_unit_test(test_release_after_any_number_of_turns),
        cmocka_unit_test(test_half_closed_peer_gets_its_reply),
        cmocka_unit_test(test_gone_is_told),
        cmocka_unit_test(test_peer_leaves_in_the_middle),
        cmocka_unit_test(test_stop_with_everything_open),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_written_and_ended_at_once),
        cmocka_unit_test(test_stream_to_a_slow_peer),
        cmocka_unit_test(test_stream_for_head_ends_at_once),
        cmocka_unit_test(test_reply_headers),
        cmocka_unit_test(test_admission_refuses_before_the_body),
        cmocka_unit_test(test_expectation),
        cmocka_unit_test(test_start_says_what_is_wrong),
        cmocka_unit_test(test_quiesce),
        cmocka_unit_test(test_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
