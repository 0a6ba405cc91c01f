/*
 * test_http_hostile.c - the HTTP server (face/http.h) against bytes that should not be: requests
 * that could be read in two ways, requests beyond every limit, requests that never end.
 *
 * Each refused request is checked for its documented answer, for never reaching the handler, for
 * the connection's end, and for a server that goes on as if nothing had been. The answers are
 * those with libmicrohttpd 0.9; from 1.0 on it refuses more by itself, in its own words.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <malloc.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "support/http_rig.h"

#define BYTES(text) (text), sizeof(text) - 1
#define LIBRARY     NULL /* refused by libmicrohttpd in its own words */
#define GET         "GET / HTTP/1.1\r\n" HOST
#define POST        "POST /echo HTTP/1.1\r\n" HOST
#define REST        " HTTP/1.1\r\n" HOST "\r\n"
#define LENGTH      "Content-Length: "
#define CODING      "Transfer-Encoding: "
#define CHUNKED     POST CODING "chunked\r\n\r\n"
#define BAD_LENGTH  "bad_content_length"
#define BAD_CODING  "unsupported_transfer_coding"

struct attack {
    const char *name;
    const char *bytes;
    size_t size;
    int status; /* 0: closed without a word */
    const char *code;
};

static const struct attack attacks[] = {
    /* two ways to say where the body ends */
    {"length and coding",
     BYTES(POST LENGTH "5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil" REST), 400,
     BAD_LENGTH},
    {"coding and length", BYTES(POST CODING "chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"), 400,
     BAD_LENGTH},
    {"coding and length 0", BYTES(POST CODING "chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"), 400,
     BAD_LENGTH},
    {"the same length twice", BYTES(POST LENGTH "5\r\nContent-Length: 5\r\n\r\nhello"), 400,
     BAD_LENGTH},
    {"two lengths", BYTES(POST LENGTH "5\r\nContent-Length: 6\r\n\r\nhello!"), 400, BAD_LENGTH},
    {"two lengths, other case", BYTES(POST "content-length: 0\r\nCONTENT-LENGTH: 5\r\n\r\nhello"),
     400, BAD_LENGTH},
    {"list of lengths", BYTES(POST LENGTH "5, 5\r\n\r\nhello"), 400, BAD_LENGTH},
    {"length with plus", BYTES(POST LENGTH "+5\r\n\r\nhello"), 400, BAD_LENGTH},
    {"length with minus", BYTES(POST LENGTH "-5\r\n\r\nhello"), 400, BAD_LENGTH},
    {"length with a space in it", BYTES(POST LENGTH "1 0\r\n\r\nhello"), 400, BAD_LENGTH},
    {"length in hexadecimal", BYTES(POST LENGTH "0x5\r\n\r\nhello"), 400, BAD_LENGTH},
    {"length with exponent", BYTES(POST LENGTH "1e1\r\n\r\nhello"), 400, BAD_LENGTH},
    {"length of nothing", BYTES(POST "Content-Length:\r\n\r\nhello"), 400, BAD_LENGTH},
    {"length of 2^64", BYTES(POST LENGTH "18446744073709551616\r\n\r\nhello"), 413,
     "body_too_large"},
    {"length of 2^64 - 1", BYTES(POST LENGTH "18446744073709551615\r\n\r\nhello"), 413,
     "body_too_large"},
    {"length of 2^63", BYTES(POST LENGTH "9223372036854775808\r\n\r\nhello"), 413,
     "body_too_large"},
    {"length of forty digits",
     BYTES(POST LENGTH "1234567890123456789012345678901234567890\r\n\r\nhello"), 413,
     "body_too_large"},
    {"length just over the limit", BYTES(POST LENGTH "65537\r\n\r\nhello"), 413, "body_too_large"},
    {"length over the limit, expecting",
     BYTES(POST "Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n"), 413, "body_too_large"},
    {"unknown coding", BYTES(POST CODING "gzip\r\n\r\nhello"), 501, BAD_CODING},
    {"coding identity", BYTES(POST CODING "identity\r\n\r\nhello"), 501, BAD_CODING},
    {"list of codings", BYTES(POST CODING "gzip, chunked\r\n\r\n0\r\n\r\n"), 501, BAD_CODING},
    {"chunked twice in a list", BYTES(POST CODING "chunked, chunked\r\n\r\n0\r\n\r\n"), 501,
     BAD_CODING},
    {"chunked twice", BYTES(POST CODING "chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     501, BAD_CODING},
    {"chunked and identity",
     BYTES(POST CODING "chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"), 501, BAD_CODING},
    {"coding in quotes", BYTES(POST CODING "\"chunked\"\r\n\r\n0\r\n\r\n"), 501, BAD_CODING},
    {"coding after vertical tab",
     BYTES(POST CODING "\x0b"
                       "chunked\r\n\r\n0\r\n\r\n"),
     400, "bad_header"},
    {"coding of nothing", BYTES(POST "Transfer-Encoding:\r\n\r\nhello"), 501, BAD_CODING},
    {"chunked in HTTP/1.0", BYTES("POST /echo HTTP/1.0\r\n" HOST CODING "chunked\r\n\r\n0\r\n\r\n"),
     501, BAD_CODING},
    {"coding behind a fold", BYTES(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), 400,
     "bad_header"},
    {"coding with space before colon", BYTES(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
     400, "bad_header"},
    {"length with space before colon", BYTES(POST "Content-Length : 5\r\n\r\nhello"), 400,
     "bad_header"},
    {"unknown expectation", BYTES(POST "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello"), 417,
     "unsupported_expectation"},

    /* chunks */
    {"chunk size of letters", BYTES(CHUNKED "zz\r\nhello\r\n0\r\n\r\n"), 400, LIBRARY},
    {"chunk size negative", BYTES(CHUNKED "-5\r\nhello\r\n0\r\n\r\n"), 400, LIBRARY},
    {"chunk size with 0x", BYTES(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"), 400, LIBRARY},
    {"chunk size with space", BYTES(CHUNKED "5 \r\nhello\r\n0\r\n\r\n"), 400, LIBRARY},
    {"chunk size of nothing", BYTES(CHUNKED "\r\nhello\r\n0\r\n\r\n"), 400, LIBRARY},
    {"chunk size beyond 64 bits", BYTES(CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n"), 413,
     LIBRARY},
    {"chunk longer than said", BYTES(CHUNKED "5\r\nhello!\r\n0\r\n\r\n"), 400, LIBRARY},

    /* who is meant */
    {"no host", BYTES("GET / HTTP/1.1\r\n\r\n"), 400, "bad_host"},
    {"no host, HTTP/1.0", BYTES("GET / HTTP/1.0\r\n\r\n"), 400, "bad_host"},
    {"two hosts", BYTES(GET "Host: b\r\n\r\n"), 400, "bad_host"},
    {"the same host twice", BYTES(GET HOST "\r\n"), 400, "bad_host"},
    {"empty host", BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400, "bad_host"},
    {"host with user", BYTES("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), 400, "bad_host"},
    {"host with path", BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400, "bad_host"},
    {"host with space", BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400, "bad_host"},
    {"host list", BYTES("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), 400, "bad_host"},
    {"target of another host", BYTES("GET http://evil/" REST), 400, "bad_target"},
    {"target of a longer host", BYTES("GET http://localhost:8254.evil/" REST), 400, "bad_target"},
    {"target with user", BYTES("GET http://x@localhost:8254/" REST), 400, "bad_target"},
    {"target with https", BYTES("GET https://localhost:8254/" REST), 400, "bad_target"},
    {"target without path", BYTES("GET http://localhost:8254" REST), 400, "bad_target"},
    {"tunnel", BYTES("CONNECT localhost:8254" REST), 400, "bad_target"},
    {"asterisk with GET", BYTES("GET *" REST), 400, "bad_target"},

    /* request lines and targets */
    {"HTTP/0.9", BYTES("GET /\r\n"), 400, LIBRARY},
    {"HTTP/2 preface", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, LIBRARY},
    {"HTTP/1.2", BYTES("GET / HTTP/1.2\r\n" HOST "\r\n"), 505, "unsupported_version"},
    {"HTTP/0.8", BYTES("GET / HTTP/0.8\r\n" HOST "\r\n"), 505, LIBRARY},
    {"HTTP/11.1", BYTES("GET / HTTP/11.1\r\n" HOST "\r\n"), 400, LIBRARY},
    {"http in small letters", BYTES("GET / http/1.1\r\n" HOST "\r\n"), 400, LIBRARY},
    {"space after version", BYTES("GET / HTTP/1.1 \r\n" HOST "\r\n"), 400, LIBRARY},
    {"two spaces after method", BYTES("GET  /" REST), 400, "bad_request_line"},
    {"two spaces after target", BYTES("GET / " REST), 400, "bad_target"},
    {"space in target", BYTES("GET /a b" REST), 400, "bad_target"},
    {"tab for space", BYTES("GET\t/\tHTTP/1.1\r\n" HOST "\r\n"), 0, NULL},
    {"space before method", BYTES(" GET /" REST), 0, NULL},
    {"method not a token", BYTES("G<T /" REST), 400, "bad_request_line"},
    {"method too long", BYTES("GETGETGETGETGETGETGETGETGETGETGETGET /" REST), 400,
     "bad_request_line"},
    {"one word", BYTES("HELLO\r\n"), 0, NULL},
    {"request line ends in LF", BYTES("GET / HTTP/1.1\n" HOST "\r\n"), 400, "bad_request_line"},
    {"everything ends in LF", BYTES("GET / HTTP/1.1\nHost: a\n\n"), 400, "bad_request_line"},
    {"NUL in method", BYTES("GE\0T /" REST), 400, "bad_request_line"},
    {"NUL in target", BYTES("GET /a\0b" REST), 400, "bad_request_line"},
    {"NUL before version", BYTES("GET /\0" REST), 400, "bad_request_line"},
    {"control character in target", BYTES("GET /a\x01" REST), 400, "bad_target"},
    {"delete in target", BYTES("GET /a\x7f" REST), 400, "bad_target"},
    {"CR in target", BYTES("GET /a\rb" REST), 400, "bad_target"},
    {"raw UTF-8 in target", BYTES("GET /\xc3\xbc" REST), 400, "bad_target"},
    {"fragment", BYTES("GET /a#b" REST), 400, "bad_target"},
    {"control character in query", BYTES("GET /?a\x02" REST), 400, "bad_target"},
    {"relative target", BYTES("GET a" REST), 400, "bad_target"},
    {"only a query", BYTES("GET ?a" REST), 400, "bad_target"},
    {"dots", BYTES("GET /a/../b" REST), 400, "bad_target"},
    {"dots at the end", BYTES("GET /a/.." REST), 400, "bad_target"},
    {"dot", BYTES("GET /./a" REST), 400, "bad_target"},
    {"dot at the end", BYTES("GET /." REST), 400, "bad_target"},
    {"encoded dots", BYTES("GET /a/%2e%2E/b" REST), 400, "bad_target"},
    {"half encoded dots", BYTES("GET /a/.%2e" REST), 400, "bad_target"},
    {"encoded slash", BYTES("GET /a%2fb" REST), 400, "bad_target"},
    {"encoded backslash", BYTES("GET /a%5Cb" REST), 400, "bad_target"},
    {"backslash", BYTES("GET /a\\b" REST), 400, "bad_target"},
    {"encoded NUL", BYTES("GET /a%00b" REST), 400, "bad_target"},
    {"encoded line end", BYTES("GET /a%0d%0aX:b" REST), 400, "bad_target"},
    {"half an encoding", BYTES("GET /a%" REST), 400, "bad_target"},
    {"no hexadecimal", BYTES("GET /a%g0" REST), 400, "bad_target"},

    /* header lines */
    {"folded line", BYTES(GET "X: a\r\n b\r\n\r\n"), 400, "bad_header"},
    {"folded with tab", BYTES(GET "X: a\r\n\tb\r\n\r\n"), 400, "bad_header"},
    {"folded host", BYTES("GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"), 400, "bad_header"},
    {"first line folded", BYTES("GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n"), 400, "bad_header"},
    {"fold to nothing", BYTES(GET "X: a\r\n \r\n\r\n"), 400, "bad_header"},
    {"no colon", BYTES(GET "X\r\n\r\n"), 400, LIBRARY},
    {"no name", BYTES(GET ": a\r\n\r\n"), 400, "bad_header"},
    {"colon for a line", BYTES(GET ":\r\n\r\n"), 400, "bad_header"},
    {"no name hides a header", BYTES(GET ": a\r\nContent-Length: 5\r\n\r\nhello"), 400,
     "bad_header"},
    {"first has no name", BYTES("GET / HTTP/1.1\r\n: a\r\n" HOST "\r\n"), 400, "bad_header"},
    {"space before colon", BYTES("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400, "bad_header"},
    {"tab before colon", BYTES(GET "X\t: a\r\n\r\n"), 400, "bad_header"},
    {"space in name", BYTES(GET "X Y: a\r\n\r\n"), 400, "bad_header"},
    {"name not a token", BYTES(GET "X(Y): a\r\n\r\n"), 400, "bad_header"},
    {"name above ASCII", BYTES(GET "X\xe4: a\r\n\r\n"), 400, "bad_header"},
    {"line ends in LF", BYTES(GET "X: a\n\r\n"), 400, "bad_header"},
    {"head ends in LF", BYTES(GET "X: a\r\n\n"), 400, "bad_header"},
    {"both end in LF", BYTES(GET "X: a\n\n"), 400, "bad_header"},
    {"LF hides a header", BYTES(GET "X: a\nContent-Length: 5\r\n\r\nhello"), 400, "bad_header"},
    {"CR in value", BYTES(GET "X: a\rb\r\n\r\n"), 400, "bad_header"},
    {"CR before the end", BYTES(GET "X: a\r\r\n\r\n"), 400, "bad_header"},
    {"NUL in value", BYTES(GET "X: a\0b\r\n\r\n"), 400, "bad_header"},
    {"NUL at the end of value", BYTES(GET "X: a\0\r\n\r\n"), 400, "bad_header"},
    {"NUL for value", BYTES(GET "X:\0\r\n\r\n"), 400, "bad_header"},
    {"NUL NUL hides a header", BYTES(GET "X: a\0\0Content-Length: 5\r\n\r\nhello"), 400,
     "bad_header"},
    {"NUL NUL before the end", BYTES(GET "X: a\0\0\r\n\r\n"), 400, "bad_header"},
    {"NUL in name", BYTES(GET "X\0Y: a\r\n\r\n"), 400, LIBRARY},
    {"NUL for a line", BYTES(GET "\0\r\n\r\n"), 400, "bad_header"},
    {"NUL begins a line", BYTES(GET "\0X: a\r\n\r\n"), 400, "bad_header"},
    {"control character in value", BYTES(GET "X: a\x1b[0m\r\n\r\n"), 400, "bad_header"},
    {"delete in value", BYTES(GET "X: a\x7f\r\n\r\n"), 400, "bad_header"},
};

/* A request that is mostly repetition: before, then fill so many times, then after. */
static const struct growth {
    const char *name, *before, *fill, *after;
    size_t times;
    int status; /* 200: just within the limit */
    const char *code;
} growths[] = {
    {"longest target", "GET /", "a", "" REST, 2047, 200, NULL},
    {"target too long", "GET /", "a", "" REST, 2048, 414, "target_too_long"},
    {"query too long", "GET /?", "a", "" REST, 4000, 414, "target_too_long"},
    {"target without end", "GET /", "a", "", 100000, 414, LIBRARY},
    {"most parameters", "GET /?", "a&", "" REST, 15, 200, NULL},
    {"too many parameters", "GET /?", "a&", "" REST, 16, 414, "target_too_long"},
    {"very many parameters", "GET /?", "&", "" REST, 2000, 414, "target_too_long"},
    {"most headers", GET, "X: a\r\n", "\r\n", 63, 200, NULL},
    {"too many headers", GET, "X: a\r\n", "\r\n", 64, 431, "head_too_large"},
    {"headers without end", GET, "X: a\r\n", "", 20000, 431, LIBRARY},
    {"largest head", GET "X: ", "a", "\r\n\r\n", 8192 - 16 - 22 - 3 - 4, 200, NULL},
    {"head too large", GET "X: ", "a", "\r\n\r\n", 8192 - 16 - 22 - 3 - 3, 431, "head_too_large"},
    {"value without end", GET "X: ", "a", "", 100000, 431, LIBRARY},
    {"name without end", GET "X", "a", "", 100000, 431, LIBRARY},
    {"most cookies", GET "Cookie: ", "a=b; ", "c=d\r\n\r\n", 20, 200, NULL},
    {"too many cookies", GET "Cookie: ", "a;", "\r\n\r\n", 2000, 431, "head_too_large"},
    {"very many empty lines", "", "\r\n", "GET /" REST, 20000, 414, LIBRARY},
    {"largest body", POST LENGTH "65536\r\n\r\n", "b", "", 65536, 200, NULL},
    {"largest chunk", CHUNKED "10000\r\n", "b", "\r\n0\r\n\r\n", 65536, 200, NULL},
    {"chunk too large", CHUNKED "10001\r\n", "b", "\r\n0\r\n\r\n", 65537, 413, "body_too_large"},
    {"chunks too many", CHUNKED, "1\r\nb\r\n", "0\r\n\r\n", 65537, 413, "body_too_large"},
    {"chunk of 15 digits", CHUNKED "fffffffffffffff\r\n", "b", "", 100000, 413, "body_too_large"},
    {"chunk extension without end", CHUNKED "1;", "x", "", 100000, 408, "request_timeout"},
    {"trailers without end", CHUNKED "0\r\n", "X: a\r\n", "", 20000, 431, LIBRARY},
};

/* The limits of a test that waits for them. */
static struct http_limits impatient(void)
{
    struct http_limits limits = http_limits_default();
    limits.request_ms_max = 60;
    limits.idle_ms_max = 150;
    return limits;
}

static bool library_speaks_for_itself(void)
{
    return MHD_get_version()[0] != '0';
}

static void assert_refused(struct rig *rig, struct client *client, int status, const char *code)
{
    client_wait_closed(rig, client);
    if (library_speaks_for_itself() && status != 503) {
        assert_true(client->size == 0 || client_reply(rig, client).status >= 400);
        return;
    }
    if (status == 0) {
        assert_int_equal(client->size, 0);
        return;
    }
    size_t size = client_reply_size(client, false);
    assert_int_equal(size, client->size); /* one whole reply and nothing else */
    struct reply reply = client_reply(rig, client);
    assert_int_equal(reply.status, status);
    assert_non_null(strcasestr(reply.head, "\r\nConnection: close\r\n"));
    if (code == LIBRARY) {
        return;
    }
    char status_text[32], code_text[64];
    (void)snprintf(status_text, sizeof(status_text), ",\"status\":%d,", status);
    (void)snprintf(code_text, sizeof(code_text), "\"code\":\"%s\"}", code);
    assert_non_null(strstr(reply.head, "\r\nContent-Type: application/problem+json\r\n"));
    assert_int_equal(strncmp(reply.body, "{\"type\":\"about:blank\",\"title\":\"", 31), 0);
    assert_non_null(strstr(reply.body, status_text));
    assert_non_null(strstr(reply.body, code_text));
}

/* Sends the attack in pieces of the given size, and expects its answer. */
static void attack_once(struct rig *rig, const struct attack *attack, size_t piece, bool second)
{
    struct client client = client_open(rig);
    if (second) {
        client_send(rig, &client, GET "\r\n");
        assert_int_equal(client_reply(rig, &client).status, 200);
    }
    unsigned calls = rig->calls;
    unsigned admits = rig->admits;
    for (size_t at = 0; at < attack->size; at += piece) {
        size_t left = attack->size - at;
        if (!client_try_send(rig, &client, attack->bytes + at, left < piece ? left : piece)) {
            break;
        }
    }
    assert_refused(rig, &client, attack->status, attack->code);
    assert_int_equal(rig->calls, calls);
    /* What is wrong with the head is found before admission. */
    assert_true(rig->admits == admits || strstr(attack->name, "chunk") != NULL);
    client_close(&client);
    wait_until_quiet(rig);
}

static void test_attacks(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        print_message("           %s\n", attacks[i].name);
        attack_once(&rig, &attacks[i], SIZE_MAX / 2, false);
        attack_once(&rig, &attacks[i], SIZE_MAX / 2, true);
        attack_once(&rig, &attacks[i], 1, false);
        attack_once(&rig, &attacks[i], 7, true);
    }
    assert_works(&rig);
    rig_stop(&rig);
}

static char *grow(const struct growth *growth, size_t *size)
{
    size_t before = strlen(growth->before);
    size_t fill = strlen(growth->fill);
    size_t after = strlen(growth->after);
    *size = before + fill * growth->times + after;
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    memcpy(bytes, growth->before, before);
    for (size_t i = 0; i < growth->times; i++) {
        memcpy(bytes + before + i * fill, growth->fill, fill);
    }
    memcpy(bytes + *size - after, growth->after, after);
    bytes[*size] = '\0';
    return bytes;
}

static void test_growths(void **state)
{
    (void)state;
    struct rig rig;
    struct http_limits limits = http_limits_default();
    limits.request_ms_max = 500;
    rig_start(&rig, limits);
    for (size_t i = 0; i < sizeof(growths) / sizeof(growths[0]); i++) {
        print_message("           %s\n", growths[i].name);
        size_t size;
        char *bytes = grow(&growths[i], &size);
        struct client client = client_open(&rig);
        unsigned calls = rig.calls;
        bool sent = client_try_send(&rig, &client, bytes, size);
        if (growths[i].status == 200) {
            assert_true(sent);
            assert_int_equal(client_reply(&rig, &client).status, 200);
            assert_int_equal(rig.calls, calls + 1);
        } else {
            assert_refused(&rig, &client, growths[i].status, growths[i].code);
            assert_int_equal(rig.calls, calls);
        }
        free(bytes);
        client_close(&client);
        wait_until_quiet(&rig);
    }
    assert_works(&rig);
    rig_stop(&rig);
}

/* ------------------------------------------------------------ slow requests */

static void test_slow_requests_are_cut(void **state)
{
    (void)state;
    static const char *const beginnings[] = {
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-",
        POST "Content-Length: 10\r\n\r\n",
        POST "Content-Length: 10\r\n\r\n12345",
        CHUNKED "5\r\nhel",
        CHUNKED "5\r\nhello\r\n0\r\n",
    };
    struct rig rig;
    rig_start(&rig, impatient());
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        for (int second = 0; second < 2; second++) {
            struct client client = client_open(&rig);
            if (second == 1) {
                client_send(&rig, &client, GET "\r\n");
                assert_int_equal(client_reply(&rig, &client).status, 200);
            }
            unsigned calls = rig.calls;
            int64_t begin_ms = now_ms();
            client_send(&rig, &client, beginnings[i]);
            assert_refused(&rig, &client, 408, "request_timeout");
            assert_true(now_ms() - begin_ms >= 60);
            assert_int_equal(rig.calls, calls);
            client_close(&client);
        }
    }
    assert_int_equal(http_counters(rig.server).timeouts,
                     2 * sizeof(beginnings) / sizeof(beginnings[0]));
    rig_stop(&rig);
}

/* One byte every few milliseconds is activity, but no excuse. */
static void test_dribbling_is_cut(void **state)
{
    (void)state;
    static const char *const endless[] = {GET "X: ", POST "Content-Length: 60000\r\n\r\n", "GET /"};
    struct rig rig;
    rig_start(&rig, impatient());
    for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
        struct client client = client_open(&rig);
        client_send(&rig, &client, endless[i]);
        int64_t begin_ms = now_ms();
        while (!client.closed) {
            (void)client_try_send(&rig, &client, "a", 1);
            turn(&rig, 2);
            client_receive(&client);
            assert_true(now_ms() - begin_ms < PATIENCE_MS);
        }
        assert_refused(&rig, &client, 408, "request_timeout");
        client_close(&client);
    }
    assert_int_equal(rig.calls, 0);
    rig_stop(&rig);
}

static void test_idle_connections_are_closed(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, impatient());
    struct client fresh = client_open(&rig);
    struct client used = client_open(&rig);
    client_send(&rig, &used, GET "\r\n");
    assert_int_equal(client_reply(&rig, &used).status, 200);
    int64_t begin_ms = now_ms();
    client_wait_closed(&rig, &used);
    assert_true(now_ms() - begin_ms >= 140);
    client_wait_closed(&rig, &fresh);
    assert_int_equal(fresh.size, 0); /* nothing asked, nothing said */
    assert_int_equal(used.size, 0);
    assert_int_equal(http_counters(rig.server).timeouts, 0);
    client_close(&fresh);
    client_close(&used);
    rig_stop(&rig);
}

static void test_held_replies_have_no_clock(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, impatient());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    int64_t begin_ms = now_ms();
    while (now_ms() - begin_ms < 250) {
        turn(&rig, 20);
    }
    http_release(rig_held(&rig, 0));
    assert_int_equal(client_reply(&rig, &client).status, 202);
    client_close(&client);
    rig_stop(&rig);
}

static void test_unread_replies_are_cut(void **state)
{
    (void)state;
    static char block[64 * 1024];
    struct rig rig;
    rig_start(&rig, impatient());
    struct client client = client_open(&rig);
    client_send(&rig, &client, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    turns(&rig, 5);
    while (http_stream_write(rig_held(&rig, 0), (struct span){block, sizeof(block)})) {
        turns(&rig, 2);
    }
    http_stream_end(rig_held(&rig, 0));
    wait_until_quiet(&rig); /* the client never reads */
    assert_int_equal(http_counters(rig.server).timeouts, 1);
    client_close(&client);
    rig_stop(&rig);
}

/* ------------------------------------------------------- many, and too many */

static void test_connection_limit(void **state)
{
    (void)state;
    enum { LIMIT = 8, MORE = 300 };
    struct rig rig;
    struct http_limits limits = http_limits_default();
    limits.connections_max = LIMIT;
    rig_start(&rig, limits);
    struct client inside[LIMIT];
    for (int i = 0; i < LIMIT; i++) {
        inside[i] = client_open(&rig);
        client_send(&rig, &inside[i], GET "\r\n");
        assert_int_equal(client_reply(&rig, &inside[i]).status, 200);
    }
    for (int i = 0; i < MORE; i++) {
        struct client outside = client_open(&rig);
        if (i % 2 == 0) {
            (void)client_try_send(&rig, &outside, GET "\r\n", sizeof(GET "\r\n") - 1);
        }
        assert_refused(&rig, &outside, 503, "too_many_connections");
        client_close(&outside);
    }
    assert_int_equal(rig.calls, LIMIT);
    assert_int_equal(http_counters(rig.server).refused_connections, MORE);
    client_send(&rig, &inside[0], GET "\r\n");
    assert_int_equal(client_reply(&rig, &inside[0]).status, 200);
    client_close(&inside[0]);
    turns(&rig, 5);
    assert_works(&rig);
    for (int i = 1; i < LIMIT; i++) {
        client_close(&inside[i]);
    }
    rig_stop(&rig);
}

static void test_two_thousand_connections(void **state)
{
    (void)state;
    enum { CLIENTS = 2048 };
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < 2 * CLIENTS + 100) {
        skip();
    }
    files.rlim_cur = 2 * CLIENTS + 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    struct rig rig;
    rig_start(&rig, http_limits_default());
    struct client *clients = calloc(CLIENTS, sizeof(*clients));
    assert_non_null(clients);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_open(&rig);
        client_send(&rig, &clients[i], "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    }
    turns(&rig, 20);
    assert_int_equal(http_active(rig.server), CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++) {
        http_release(rig_held(&rig, i));
    }
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(client_reply(&rig, &clients[i]).status, 202);
        if (i % 2 == 0) {
            client_close(&clients[i]);
        } else {
            client_reset(&clients[i]);
        }
    }
    free(clients);
    wait_until_quiet(&rig);
    assert_works(&rig);
    rig_stop(&rig);
}

/* The same attacks again and again take no more memory; sanitizers see what stop forgets. */
static void test_memory_returns(void **state)
{
    (void)state;
    struct rig rig;
    rig_start(&rig, http_limits_default());
    size_t before = 0;
    for (int round = 0; round < 6; round++) {
        if (round == 2) {
            before = mallinfo2().uordblks;
        }
        for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
            attack_once(&rig, &attacks[i], SIZE_MAX / 2, round % 2 == 0);
        }
        assert_works(&rig);
        wait_until_quiet(&rig);
    }
    assert_true(mallinfo2().uordblks <= before + 4096);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks),
        cmocka_unit_test(test_growths),
        cmocka_unit_test(test_slow_requests_are_cut),
        cmocka_unit_test(test_dribbling_is_cut),
        cmocka_unit_test(test_idle_connections_are_closed),
        cmocka_unit_test(test_held_replies_have_no_clock),
        cmocka_unit_test(test_unread_replies_are_cut),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_two_thousand_connections),
        cmocka_unit_test(test_memory_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
