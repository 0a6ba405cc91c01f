/*
 * test_bench_tools.c - what `hakika bench` measures with: histogram, sink, load and fsync rate.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/bench/fsync_rate.h"
#include "app/bench/histogram.h"
#include "app/bench/load.h"
#include "app/bench/message.h"
#include "app/bench/sink.h"

/* ---- histogram ------------------------------------------------------------------------------ */

static struct histogram one;
static struct histogram other;

static void test_histogram_empty(void **state)
{
    (void)state;
    histogram_clear(&one);
    assert_int_equal(histogram_percentile(&one, 500000), 0);
    assert_int_equal(histogram_percentile(&one, HISTOGRAM_PPM), 0);
    assert_int_equal(histogram_mean(&one), 0);
    histogram_clear(&other);
    histogram_merge(&other, &one);
    assert_int_equal(other.count, 0);
}

static void test_histogram_small_values_are_exact(void **state)
{
    (void)state;
    histogram_clear(&one);
    for (int64_t i = 1; i <= 1000; i++) {
        histogram_add(&one, i);
    }
    assert_int_equal(histogram_percentile(&one, 0), 1);
    assert_int_equal(histogram_percentile(&one, 1000), 1);
    assert_int_equal(histogram_percentile(&one, 500000), 500);
    assert_int_equal(histogram_percentile(&one, 500001), 501);
    assert_int_equal(histogram_percentile(&one, 990000), 990);
    assert_int_equal(histogram_percentile(&one, 999000), 999);
    assert_int_equal(histogram_percentile(&one, HISTOGRAM_PPM), 1000);
    assert_int_equal(histogram_mean(&one), 500);
}

/* Each value alone comes back exactly (it is the maximum); with a larger one beside it, at most
   0.1 % too high. All the edges of buckets are among them. */
static void test_histogram_precision(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < HISTOGRAM_VALUE_BITS; bits++) {
        for (int64_t delta = -2; delta <= 2; delta++) {
            int64_t value = (INT64_C(1) << bits) + delta;
            if (value < 0) {
                continue;
            }
            histogram_clear(&one);
            histogram_add(&one, value);
            assert_true(histogram_percentile(&one, 500000) == value);
            histogram_add(&one, value);
            histogram_add(&one, INT64_MAX);
            int64_t read = histogram_percentile(&one, 500000);
            assert_true(read >= value);
            assert_true(read - value <= value / 1000);
        }
    }
}

static void test_histogram_clamps(void **state)
{
    (void)state;
    histogram_clear(&one);
    histogram_add(&one, -5);
    histogram_add(&one, INT64_MAX);
    assert_int_equal(one.min, 0);
    assert_true(one.max == (INT64_C(1) << HISTOGRAM_VALUE_BITS) - 1);
    assert_int_equal(histogram_percentile(&one, 500000), 0);
    assert_true(histogram_percentile(&one, HISTOGRAM_PPM) == one.max);
}

static int compare_values(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Against sorting, over seven orders of magnitude; and halves merged are the same as the whole. */
static void test_histogram_against_sorting(void **state)
{
    (void)state;
    enum { VALUES = 20000 };
    static int64_t values[VALUES];
    static struct histogram whole;
    uint64_t seed = 88172645463325252u;
    histogram_clear(&one);
    histogram_clear(&other);
    histogram_clear(&whole);
    for (uint32_t i = 0; i < VALUES; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        values[i] = (int64_t)((seed >> 20) >> (seed % 24));
        values[i] = values[i] >> 3;
        values[i] = values[i] < (INT64_C(1) << 41) ? values[i] : 1;
        histogram_add(i % 2 == 0 ? &one : &other, values[i]);
        histogram_add(&whole, values[i]);
    }
    histogram_merge(&one, &other);
    assert_memory_equal(&one, &whole, sizeof(one));
    qsort(values, VALUES, sizeof(values[0]), compare_values);
    for (uint32_t ppm = 1000; ppm <= HISTOGRAM_PPM; ppm += 1000) {
        int64_t exact = values[(uint64_t)VALUES * ppm / HISTOGRAM_PPM - 1];
        int64_t read = histogram_percentile(&one, ppm);
        assert_true(read >= exact);
        assert_true(read - exact <= exact / 1000 + 1);
    }
}

/* ---- messages ------------------------------------------------------------------------------- */

static enum message_state find(const char *text, struct message *out)
{
    return message_find(span_from(text), out);
}

static void test_message_at_every_cut(void **state)
{
    (void)state;
    static const char TEXT[] = "POST /x HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  5 \r\n"
                               "Connection: Close\r\n\r\nhello";
    size_t size = sizeof(TEXT) - 1;
    struct message m;
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1); /* its own memory, so that reading too far is seen */
        memcpy(copy, TEXT, cut);
        assert_int_equal(message_find((struct span){copy, cut}, &m), MESSAGE_PARTIAL);
        free(copy);
    }
    assert_int_equal(find(TEXT, &m), MESSAGE_WHOLE);
    assert_int_equal(m.size, size);
    assert_int_equal(m.status, 0);
    assert_true(m.closes);
    assert_true(span_is(m.body, "hello"));
    assert_true(span_starts_with(m.head, SPAN_LITERAL("POST /x")));
}

static void test_message_kinds(void **state)
{
    (void)state;
    struct message m;
    assert_int_equal(find("HTTP/1.1 200 OK\r\n\r\n", &m), MESSAGE_WHOLE);
    assert_int_equal(m.status, 200);
    assert_int_equal(m.body.size, 0);
    assert_false(m.closes);
    assert_int_equal(find("HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n", &m), MESSAGE_WHOLE);
    assert_int_equal(m.body.size, 0);
    assert_int_equal(find("HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nab", &m), MESSAGE_WHOLE);
    assert_true(span_is(m.body, "a")); /* what follows is the next message's */
    assert_int_equal(find("HTTP/1.1 xx\r\n\r\n", &m), MESSAGE_BAD);
    assert_int_equal(find("HTTP/1.1 2x0 OK\r\n\r\n", &m), MESSAGE_BAD);
    assert_int_equal(find("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", &m), MESSAGE_BAD);
    assert_int_equal(find("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", &m), MESSAGE_BAD);
    assert_int_equal(find("A\r\nContent-Length: 99999999999999999999\r\n\r\n", &m), MESSAGE_BAD);
    assert_int_equal(find("A\r\nTransfer-Encoding: chunked\r\n\r\n", &m), MESSAGE_BAD);
    assert_int_equal(find("\r\n\r\n", &m), MESSAGE_WHOLE);
    assert_int_equal(find("a\nc\r\n\r\n", &m), MESSAGE_WHOLE);
}

/* ---- load against sink ---------------------------------------------------------------------- */

enum { MANY = 4096 };

struct run {
    _Atomic uint8_t bodies[MANY]; /* what the sink was handed, by number */
    uint8_t answers[MANY];
    uint32_t wrong;
    uint64_t end; /* make says "no more" there; 0: never */
    uint32_t stall_at_body;
    uint32_t bodies_count;
    struct histogram latencies;
    _Atomic bool stop;
};

static struct run run;

static void run_clear(void)
{
    memset(&run, 0, sizeof(run));
}

static size_t write_request(uint64_t n, char *buffer, size_t capacity)
{
    int size = snprintf(buffer, capacity,
                        "POST /callback HTTP/1.1\r\nHost: sink\r\nContent-Length: 6\r\n\r\n%06u",
                        (uint32_t)(n % 1000000));
    return (size_t)size;
}

static size_t make_request(void *context, uint64_t *tag, char *buffer, size_t capacity)
{
    const struct run *r = context;
    return r->end != 0 && *tag == r->end ? 0 : write_request(*tag, buffer, capacity);
}

static void take_answer(void *context, uint64_t n, int status, struct span body, int64_t latency_ns)
{
    struct run *r = context;
    r->answers[n % MANY]++;
    bool expected = status == 200 ? span_is(body, "{\"ResultCode\":0,\"ResultDesc\":\"Accepted\"}")
                                  : status == 0 && body.size == 0;
    r->wrong += expected && latency_ns > 0 ? 0 : 1;
    histogram_add(&r->latencies, latency_ns);
}

static void take_body(void *context, struct span body)
{
    struct run *r = context;
    uint64_t n = 0;
    if (span_parse_u64(body, &n)) {
        atomic_fetch_add(&r->bodies[n % MANY], 1);
    }
    if (r->stall_at_body != 0 && ++r->bodies_count == r->stall_at_body) {
        struct timespec stall = {0, 200000000};
        (void)nanosleep(&stall, NULL);
    }
}

static struct sink *start_sink(void)
{
    struct sink_options options = {.body = take_body, .context = &run};
    char error[256] = "";
    struct sink *sink = sink_start(&options, error);
    assert_string_equal(error, "");
    assert_non_null(sink);
    return sink;
}

static struct load_options options_for(uint16_t port)
{
    struct load_options options = {
        .port = port,
        .connections = 16,
        .timeout_ms = 5000,
        .stop = &run.stop,
        .make = make_request,
        .answer = take_answer,
        .context = &run,
    };
    return options;
}

static struct load_result run_load(const struct load_options *options)
{
    struct load_result result;
    char error[256] = "";
    bool ok = load_run(options, &result, error);
    assert_string_equal(error, "");
    assert_true(ok);
    assert_int_equal(run.wrong, 0);
    assert_int_equal(result.answered + result.failed, result.sent);
    return result;
}

static void assert_each_once(uint32_t count)
{
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(run.answers[i], i < count ? 1 : 0);
        assert_int_equal(atomic_load(&run.bodies[i]), i < count ? 1 : 0);
    }
}

static void test_closed_loop(void **state)
{
    (void)state;
    run_clear();
    struct sink *sink = start_sink();
    struct load_options options = options_for(sink_port(sink));
    options.requests_max = 3000;
    struct load_result result = run_load(&options);
    assert_int_equal(result.sent, 3000);
    assert_int_equal(result.statuses[2], 3000);
    assert_int_equal(result.connects, 16);
    assert_int_equal(result.backlog_max, 0);
    assert_true(result.elapsed_ns > 0);
    assert_int_equal(sink_count(sink), 3000);
    assert_each_once(3000);
    sink_stop(sink);
    sink_stop(NULL);
}

/* Every answer of the schedule asks for an urgent request, whose tag is 1,000 higher. */
struct follow_up {
    uint32_t wanted;
    uint64_t next;
    uint32_t laters;
    int wake_fd;
};

static struct follow_up follow_up;

static size_t make_or_later(void *context, uint64_t *tag, char *buffer, size_t capacity)
{
    if (*tag == 10 && follow_up.laters < 3) {
        follow_up.laters++; /* ends the sending for a while; wake_fd brings it back at once */
        uint64_t wake = 1;
        assert_int_equal(write(follow_up.wake_fd, &wake, sizeof(wake)), sizeof(wake));
        return LOAD_LATER;
    }
    return make_request(context, tag, buffer, capacity);
}

static size_t make_follow_up(void *context, uint64_t *tag, char *buffer, size_t capacity)
{
    (void)context;
    if (follow_up.wanted == 0) {
        return 0;
    }
    follow_up.wanted--;
    *tag = 1000 + follow_up.next++;
    return write_request(*tag, buffer, capacity);
}

static void take_and_follow_up(void *context, uint64_t tag, int status, struct span body,
                               int64_t latency_ns)
{
    take_answer(context, tag, status, body, latency_ns);
    follow_up.wanted += tag < 1000 ? 1 : 0;
}

static void run_follow_ups(uint64_t rate_per_s)
{
    run_clear();
    memset(&follow_up, 0, sizeof(follow_up));
    follow_up.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(follow_up.wake_fd > 0);
    struct sink *sink = start_sink();
    struct load_options options = options_for(sink_port(sink));
    options.rate_per_s = rate_per_s;
    options.requests_max = 500;
    options.make = rate_per_s == 0 ? make_or_later : make_request;
    options.urgent = make_follow_up;
    options.answer = take_and_follow_up;
    options.wake_fd = follow_up.wake_fd;
    struct load_result result = run_load(&options);
    assert_int_equal(result.sent, 1000); /* the last follow-ups too */
    assert_int_equal(follow_up.laters, rate_per_s == 0 ? 3 : 0);
    for (uint32_t i = 0; i < MANY; i++) {
        bool expected = i < 500 || (i >= 1000 && i < 1500);
        assert_int_equal(run.answers[i], expected ? 1 : 0);
    }
    sink_stop(sink);
    (void)close(follow_up.wake_fd);
}

static void test_urgent_requests(void **state)
{
    (void)state;
    run_follow_ups(0);
    run_follow_ups(5000);
}

static void test_make_ends_the_run(void **state)
{
    (void)state;
    run_clear();
    run.end = 100;
    struct sink *sink = start_sink();
    struct load_options options = options_for(sink_port(sink));
    assert_int_equal(run_load(&options).sent, 100);
    assert_each_once(100);
    sink_stop(sink);
}

static void test_duration_and_stop(void **state)
{
    (void)state;
    run_clear();
    struct sink *sink = start_sink();
    struct load_options options = options_for(sink_port(sink));
    options.answer = NULL;
    options.duration_ms = 50;
    struct load_result result = run_load(&options);
    assert_true(result.sent > 0);
    assert_in_range(result.elapsed_ns, 45000000, 1000000000);
    atomic_store(&run.stop, true);
    options.duration_ms = 0;
    assert_in_range(run_load(&options).sent, 0, 16);
    sink_stop(sink);
}

static void test_open_loop_keeps_its_schedule(void **state)
{
    (void)state;
    run_clear();
    struct sink *sink = start_sink();
    struct load_options options = options_for(sink_port(sink));
    options.rate_per_s = 3001;
    options.duration_ms = 200;
    struct load_result result = run_load(&options);
    assert_int_equal(result.sent + result.backlog_end, 601); /* 0, 1/3001, .. 600/3001 < 0.2 */
    assert_int_equal(result.failed, 0);
    assert_in_range(result.elapsed_ns, 150000000, 2000000000);
    sink_stop(sink);
}

/* A server that stalls for 200 ms: whoever was due meanwhile has waited, sent or not. */
static void test_open_loop_does_not_omit(void **state)
{
    (void)state;
    run_clear();
    run.stall_at_body = 50;
    struct sink *sink = start_sink();
    struct load_options options = options_for(sink_port(sink));
    options.connections = 2;
    options.rate_per_s = 1000;
    options.requests_max = 500;
    struct load_result result = run_load(&options);
    assert_int_equal(result.sent, 500);
    assert_each_once(500);
    assert_true(result.backlog_max > 100);
    assert_int_equal(result.backlog_end, 0);
    /* About 200 of 500 were due in the stall and waited 100 ms in the middle. */
    assert_true(histogram_percentile(&run.latencies, 750000) > 40000000);
    sink_stop(sink);
}

static void test_nobody_there(void **state)
{
    (void)state;
    run_clear();
    struct sink *sink = start_sink();
    struct load_options options = options_for(sink_port(sink));
    sink_stop(sink);
    struct load_result result;
    char error[256] = "";
    assert_false(load_run(&options, &result, error));
    assert_non_null(strstr(error, "cannot connect"));
    options.host = "not an address";
    assert_false(load_run(&options, &result, error));
    struct sink_options taken = {.port = 1};
    struct sink *second = sink_start(&taken, error);
    if (second == NULL) { /* root may take it */
        assert_non_null(strstr(error, "port 1"));
    }
    sink_stop(second);
}

/* ---- load against servers that behave badly -------------------------------------------------- */

struct bad_server {
    int listener;
    uint16_t port;
    pthread_t thread;
    const char *const *answers; /* one per connection in turn; each piece of it sent on its own */
    uint32_t answers_count;
};

/* One connection at a time: reads once, sends its pieces (separated by '|'), hangs up. An empty
   answer stays silent until the client gives up. */
static void *bad_server_run(void *context)
{
    struct bad_server *server = context;
    for (uint32_t i = 0;; i++) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        char buffer[4096];
        const char *at = server->answers[i % server->answers_count];
        bool silent = *at == '\0';
        ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
        while (got > 0 && *at != '\0') {
            size_t size = strcspn(at, "|");
            struct timespec pause = {0, 2000000};
            (void)send(fd, at, size, MSG_NOSIGNAL);
            (void)nanosleep(&pause, NULL);
            at += size;
            at += *at == '|' ? 1 : 0;
        }
        while (silent && got > 0) {
            got = recv(fd, buffer, sizeof(buffer), 0);
        }
        (void)close(fd);
    }
}

static void bad_server_start(struct bad_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, bad_server_run, server), 0);
}

static void bad_server_stop(struct bad_server *server)
{
    (void)shutdown(server->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    (void)close(server->listener);
}

#define ACCEPTED "{\"ResultCode\":0,\"ResultDesc\":\"Accepted\"}"

static void test_bad_servers(void **state)
{
    (void)state;
    static const char *const ANSWERS[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 40\r\nConnection: close\r\n\r\n" ACCEPTED,
        "HTTP/1.1 200 OK\r\nContent-|Length: 40\r\n\r|\n"
        "{\"ResultCode\":0,|\"ResultDesc\":\"Accepted\"}",
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "",
        "|",
    };
    run_clear();
    struct bad_server server = {.answers = ANSWERS, .answers_count = 7};
    bad_server_start(&server);
    struct load_options options = options_for(server.port);
    options.connections = 1;
    options.timeout_ms = 100;
    options.requests_max = 14;
    struct load_result result = run_load(&options);
    assert_int_equal(result.sent, 14);
    assert_int_equal(result.statuses[2], 4);
    assert_int_equal(result.failed, 10);
    /* The second answer does not say that its connection ends: the next request is lost on it. */
    assert_true(result.connects >= 12);
    for (uint32_t i = 0; i < 14; i++) {
        assert_int_equal(run.answers[i], 1);
    }
    bad_server_stop(&server);
}

/* ---- sink against clients that behave badly -------------------------------------------------- */

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Reads until count answers have come or the connection ends; returns how many came. */
static uint32_t read_answers(int fd, uint32_t count)
{
    static char buffer[64 * 1024];
    size_t size = 0;
    uint32_t found = 0;
    while (found < count) {
        ssize_t got = recv(fd, buffer + size, sizeof(buffer) - size, 0);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
        struct message m;
        while (message_find((struct span){buffer, size}, &m) == MESSAGE_WHOLE) {
            assert_int_equal(m.status, 200);
            size -= m.size;
            memmove(buffer, buffer + m.size, size);
            found++;
        }
    }
    return found;
}

static void send_text(int fd, const char *text, size_t size)
{
    assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), size);
}

static void test_sink_pipelined_and_in_pieces(void **state)
{
    (void)state;
    run_clear();
    struct sink *sink = start_sink();
    int fd = connect_to(sink_port(sink));
    char requests[100 * 100];
    size_t size = 0;
    for (uint32_t i = 0; i < 100; i++) {
        size += write_request(i, requests + size, sizeof(requests) - size);
    }
    send_text(fd, requests, size); /* all at once */
    assert_int_equal(read_answers(fd, 100), 100);
    for (size_t i = 0; i < size; i += 7) { /* in pieces that end anywhere */
        send_text(fd, requests + i, size - i < 7 ? size - i : 7);
    }
    assert_int_equal(read_answers(fd, 100), 100);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(atomic_load(&run.bodies[i]), i < 100 ? 2 : 0);
    }
    (void)close(fd);
    sink_stop(sink);
}

static void test_sink_bounds(void **state)
{
    (void)state;
    run_clear();
    struct sink *sink = start_sink();
    static char big[SINK_REQUEST_MAX + 1];
    memset(big, 'x', sizeof(big));
    int fd = connect_to(sink_port(sink));
    send_text(fd, big, sizeof(big));
    assert_int_equal(read_answers(fd, 1), 0);
    (void)close(fd);
    fd = connect_to(sink_port(sink));
    static const char CHUNKED[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    send_text(fd, CHUNKED, sizeof(CHUNKED) - 1);
    assert_int_equal(read_answers(fd, 1), 0);
    (void)close(fd);
    assert_int_equal(sink_count(sink), 0);
    sink_stop(sink);
    struct sink_options few = {.connections_max = 1};
    char error[256];
    sink = sink_start(&few, error);
    assert_non_null(sink);
    int first = connect_to(sink_port(sink));
    char request[256];
    send_text(first, request, write_request(0, request, sizeof(request)));
    assert_int_equal(read_answers(first, 1), 1);
    int second = connect_to(sink_port(sink));
    assert_int_equal(read_answers(second, 1), 0); /* hung up at once */
    (void)close(first);
    (void)close(second);
    sink_stop(sink);
}

/* ---- fsync ---------------------------------------------------------------------------------- */

static void test_fsync_rate(void **state)
{
    (void)state;
    static const uint32_t SIZES[] = {4096, 65536};
    for (uint32_t i = 0; i < 2; i++) {
        struct fsync_rate rate;
        char error[256] = "";
        assert_true(fsync_rate_measure(".", SIZES[i], &rate, error));
        assert_int_equal(rate.block_bytes, SIZES[i]);
        assert_true(rate.syncs > 0);
        assert_true(rate.per_second > 0);
        assert_true(rate.median_ns > 0 && rate.median_ns <= rate.p99_ns);
    }
    struct fsync_rate rate;
    char error[256] = "";
    assert_false(fsync_rate_measure("/nonexistent", 4096, &rate, error));
    assert_non_null(strstr(error, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_empty),
        cmocka_unit_test(test_histogram_small_values_are_exact),
        cmocka_unit_test(test_histogram_precision),
        cmocka_unit_test(test_histogram_clamps),
        cmocka_unit_test(test_histogram_against_sorting),
        cmocka_unit_test(test_message_at_every_cut),
        cmocka_unit_test(test_message_kinds),
        cmocka_unit_test(test_closed_loop),
        cmocka_unit_test(test_make_ends_the_run),
        cmocka_unit_test(test_urgent_requests),
        cmocka_unit_test(test_duration_and_stop),
        cmocka_unit_test(test_open_loop_keeps_its_schedule),
        cmocka_unit_test(test_open_loop_does_not_omit),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_bad_servers),
        cmocka_unit_test(test_sink_pipelined_and_in_pieces),
        cmocka_unit_test(test_sink_bounds),
        cmocka_unit_test(test_fsync_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
