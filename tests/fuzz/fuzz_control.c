/*
 * fuzz_control.c - bytes as requests to the whole operator: Daraja's paths and the control API over
 * a real connection, surfaces, engine and book behind them, a virtual clock, a writer that keeps
 * nothing and is done at once, receivers that always say yes.
 *
 * Must hold: every request gets exactly one whole answer with a known status; what says that it is
 * JSON is JSON; callbacks that leave are JSON; the invariants of the book hold all along (they are
 * checked by the book after each frame, and in full every now and then).
 *
 * Input: byte 0 picks the call, byte 1 flags; then a line for the {} in its path; the rest is the
 * body.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "face/face.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 4096,
    REQUEST_MAX = 32 * 1024,
    ANSWER_MAX = 512 * 1024,
    TURNS_MAX = 400,
    CHECK_EVERY = 512,
    LIVES = 4096, /* inputs until everything starts anew */
    FLAG_NO_TOKEN = 1,
    FLAG_OTHER_HOST = 2,
    FLAG_NO_TYPE = 4,
};

static const char *const CALLS[] = {
    "POST /mpesa/stkpush/v1/processrequest",
    "POST /mpesa/stkpushquery/v1/query",
    "GET /oauth/v1/generate?grant_type={}",
    "POST /sim/v1/subscribers",
    "GET /sim/v1/subscribers/{}",
    "PATCH /sim/v1/subscribers/{}",
    "GET /sim/v1/subscribers/{}/prompts",
    "POST /sim/v1/prompts/{}/approve",
    "POST /sim/v1/prompts/{}/cancel",
    "POST /sim/v1/organisations",
    "GET /sim/v1/organisations/{}",
    "POST /sim/v1/organisations/{}/fund",
    "GET /sim/v1/transactions?limit=5&starting_after={}",
    "GET /sim/v1/transactions/{}",
    "GET /sim/v1/deliveries?state={}",
    "GET /sim/v1/deliveries?transaction={}",
    "GET /sim/v1/deliveries/{}",
    "POST /sim/v1/deliveries/{}/replay",
    "GET /sim/v1/clock",
    "POST /sim/v1/clock",
    "POST /sim/v1/clock/run-until-idle",
    "POST /sim/v1/reset",
    "GET /metrics",
    "GET /readyz",
    "DELETE /sim/v1/{}",
};
enum { CALL_COUNT = sizeof(CALLS) / sizeof(CALLS[0]) };

static struct {
    struct operator_settings settings;
    struct book_clock clock;
    struct book *book;
    struct engine *engine;
    struct secrets *secrets;
    struct surface *surface;
    struct http_server *server;
    struct json_scratch *json;
    struct journal_head head;
    bool writing;
    uint32_t lives;
    int client; /* -1: not connected */
    char request[REQUEST_MAX];
    char answer[ANSWER_MAX];
} f = {.client = -1};

/* ---- the operator ---- */

static void write_start(void *context, const struct journal_batch *batch,
                        const uint8_t previous[JOURNAL_HASH_BYTES])
{
    (void)context;
    (void)previous;
    CHECK(!f.writing && batch->first_position == f.head.position + 1);
    f.head.batch++;
    f.head.position += batch->frame_count;
    f.head.time_ns = batch->time_ns;
    f.writing = true;
}

static enum engine_room write_room(void *context, uint64_t bytes)
{
    (void)context;
    (void)bytes;
    return ENGINE_ROOM_NOW;
}

static uint32_t none_in_flight(void *context)
{
    (void)context;
    return 0;
}

static void deliver(void)
{
    uint8_t bytes[4096];
    const struct outbox_item *item;
    while ((item = engine_take_outgoing(f.engine)) != NULL) {
        const char *why;
        struct span url;
        enum book_outcome outcome;
        struct writer body = writer_init(bytes, sizeof(bytes));
        CHECK(surface_outgoing(f.surface, item, &body, &url));
        CHECK(json_parse(f.json, (struct span){(const char *)bytes, body.size}, &why) != NULL);
        struct delivery_result_command c = {
            .number = item->number,
            .generation = f.book->generation,
            .status = item->number % 5 == 0 ? 500 : 200,
            .retry_after_ms = -1,
            .answer = SPAN_LITERAL("{}"),
        };
        (void)engine_execute(f.engine, ENGINE_CONTINUATION, COMMAND_DELIVERY_RESULT, &c, &outcome);
    }
}

static void turn(void)
{
    http_turn(f.server);
    engine_turn(f.engine);
    if (f.writing) {
        f.writing = false;
        engine_written(f.engine, JOURNAL_OK, &f.head);
    }
    deliver();
    (void)surface_turn(f.surface);
}

static void start(void)
{
    char error[256];
    uint8_t key[32] = {7};
    f.settings = operator_settings_default(true);
    book_clock_init_virtual(&f.clock, CLOCK_VIRTUAL_START_NS, NULL, NULL);
    memset(&f.head, 0, sizeof(f.head));
    f.book = book_create(&(struct book_options){
        .domain = &operator_domain, .settings = &f.settings, .hash_seed = 1});
    f.engine = engine_create(&(struct engine_options){
        .book = f.book,
        .clock = &f.clock,
        .writer = {.start = write_start, .room = write_room},
        .limits = engine_limits_default(),
        .random_seed = 1,
    });
    f.secrets = secrets_from_key(key);
    f.json = json_scratch_create();
    f.surface = surface_create(&(struct surface_options){
        .engine = f.engine, .secrets = f.secrets, .in_flight = none_in_flight, .version = "fuzz"});
    CHECK(f.book != NULL && f.engine != NULL && f.surface != NULL);
    f.server = http_start(&(struct http_options){.address = "127.0.0.1",
                                                 .limits = http_limits_default(),
                                                 .admit = surface_admit,
                                                 .handle = surface_handle,
                                                 .context = f.surface},
                          error);
    CHECK(f.server != NULL);
    surface_attach(f.surface, f.server);
    CHECK(surface_seed(f.surface).status == ENGINE_APPLIED);
    turn();
}

static void disconnect(void)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (f.client >= 0) {
        (void)setsockopt(f.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        (void)close(f.client);
        f.client = -1;
    }
}

static void stop(void)
{
    disconnect();
    http_stop(f.server);
    surface_destroy(f.surface);
    engine_destroy(f.engine);
    book_check(f.book);
    book_destroy(f.book);
    secrets_close(f.secrets);
    json_scratch_destroy(f.json);
    f.writing = false;
    f.server = NULL;
}

/* ---- the client ---- */

static void connect_client(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_port(f.server)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    f.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(f.client >= 0);
    CHECK(connect(f.client, (struct sockaddr *)&address, sizeof(address)) == 0);
}

/* The call's line with its {} filled in, percent-encoded where it must be. */
static size_t put_line(const char *call, const uint8_t *piece, size_t piece_size)
{
    size_t at = 0;
    for (const char *c = call; *c != '\0'; c++) {
        if (*c != '{') {
            f.request[at++] = *c;
            continue;
        }
        c++; /* the closing brace */
        for (size_t i = 0; i < piece_size && i < 300; i++) {
            bool plain = (piece[i] >= '0' && piece[i] <= '9') || piece[i] == '_' ||
                         (piece[i] >= 'A' && piece[i] <= 'Z') ||
                         (piece[i] >= 'a' && piece[i] <= 'z');
            int n = snprintf(f.request + at, 4, plain ? "%c" : "%%%02x", piece[i]);
            at += (size_t)n;
        }
    }
    return at;
}

static size_t put_request(uint8_t flags, const char *call, struct span piece, struct span body)
{
    char token[SECRETS_TOKEN_SIZE];
    secrets_token_make(f.secrets, engine_now(f.engine), 0, token);
    size_t at = put_line(call, (const uint8_t *)piece.data, piece.size);
    int size = snprintf(f.request + at, REQUEST_MAX - at,
                        " HTTP/1.1\r\nHost: %s\r\n%s%s\r\n%sContent-Length: %zu\r\n\r\n",
                        (flags & FLAG_OTHER_HOST) != 0 ? "elsewhere" : "localhost",
                        (flags & FLAG_NO_TOKEN) != 0 ? "X: " : "Authorization: Bearer ", token,
                        (flags & FLAG_NO_TYPE) != 0 ? "" : "Content-Type: application/json\r\n",
                        body.size);
    CHECK(size > 0);
    at += (size_t)size;
    CHECK(at + body.size <= REQUEST_MAX);
    if (body.size > 0) {
        memcpy(f.request + at, body.data, body.size);
    }
    return at + body.size;
}

/* True when the answer is whole; its parts are checked. */
static bool answer_whole(size_t size, bool *closes)
{
    const char *end = size < 4 ? NULL : memmem(f.answer, size, "\r\n\r\n", 4);
    if (end == NULL) {
        return false;
    }
    size_t head = (size_t)(end - f.answer) + 4;
    const char *length = memmem(f.answer, head, "\r\nContent-Length: ", 18);
    CHECK(memcmp(f.answer, "HTTP/1.1 ", 9) == 0 && length != NULL);
    size_t body = strtoul(length + 18, NULL, 10);
    if (size < head + body) {
        return false;
    }
    CHECK(size == head + body);
    unsigned long status = strtoul(f.answer + 9, NULL, 10);
    CHECK(status >= 200 && status <= 503 && status / 100 != 3);
    *closes = memmem(f.answer, head, "\r\nConnection: close", 19) != NULL;
    bool json = memmem(f.answer, head, "\r\nContent-Type: application/", 28) != NULL;
    const char *why;
    if (json && body > 0 && body <= JSON_BYTES_MAX) {
        CHECK(json_parse(f.json, (struct span){f.answer + head, body}, &why) != NULL);
    }
    return true;
}

static void ask(size_t size)
{
    size_t got = 0;
    bool closes = false;
    if (f.client < 0) {
        connect_client();
    }
    CHECK(send(f.client, f.request, size, MSG_NOSIGNAL) == (ssize_t)size);
    for (int i = 0; i < TURNS_MAX; i++) {
        turn();
        ssize_t n = recv(f.client, f.answer + got, ANSWER_MAX - got, MSG_DONTWAIT);
        CHECK(n != 0 || got > 0); /* closed without an answer */
        got += n > 0 ? (size_t)n : 0;
        if (answer_whole(got, &closes)) {
            break;
        }
        CHECK(i + 1 < TURNS_MAX);
    }
    if (closes) {
        disconnect();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    if (f.server == NULL) {
        start();
    }
    struct span rest = {(const char *)data + 2, size - 2};
    const char *line_end = rest.size > 0 ? memchr(rest.data, '\n', rest.size) : NULL;
    struct span piece = {rest.data, line_end != NULL ? (size_t)(line_end - rest.data) : 0};
    if (line_end != NULL) {
        rest.size -= piece.size + 1;
        rest.data = line_end + 1;
    }
    ask(put_request(data[1], CALLS[data[0] % CALL_COUNT], piece, rest));
    f.lives++;
    if (f.lives % CHECK_EVERY == 0) {
        book_check(f.book);
    }
    if (f.lives % LIVES == 0) {
        stop();
    }
    return 0;
}
