/*
 * world.c - phones, shops and what they were told. The load is drawn from one seed: pushes,
 * approvals, cancellations, wrong PINs, repeated answers and questions, over many connections. Each
 * answer is compared with everything that was told about its payment before.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "faults/faults.h"
#include "wire/base64.h"

#define PASSKEY "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"

enum op_kind { OP_PUSH = 1, OP_APPROVE, OP_CANCEL, OP_GET, OP_QUERY };
enum { CODE_NO_ANSWER = 1037, CODE_IN_FLIGHT = 4999 };

static const uint32_t SHOP_CODES[SHOPS] = {174379, 600000, 600001};

/* ---- small tools ---- */

int64_t clock_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t hash_text(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ bytes[i]) * 0x100000001b3u;
    }
    return h ^ (h >> 31);
}

bool text_after(struct span body, const char *prefix, char *out, size_t room)
{
    const char *at = body.size == 0 ? NULL : memmem(body.data, body.size, prefix, strlen(prefix));
    size_t size = 0;
    if (at == NULL) {
        return false;
    }
    at += strlen(prefix);
    const char *end = body.data + body.size;
    while (at + size < end && strchr("\",}", at[size]) == NULL) {
        size++;
    }
    if (at + size == end || size >= room) {
        return false;
    }
    memcpy(out, at, size);
    out[size] = '\0';
    return true;
}

bool number_after(struct span body, const char *prefix, int64_t *out)
{
    char text[32];
    char *end;
    if (!text_after(body, prefix, text, sizeof(text))) {
        return false;
    }
    *out = strtoll(text, &end, 10);
    return end != text;
}

bool status_final(uint8_t status)
{
    return status >= STATUS_SUCCESS;
}

static uint8_t status_parse(const char *text)
{
    static const char *const names[] = {"",        "PENDING", "PROCESSING",
                                        "SUCCESS", "FAILED",  "CANCELLED"};
    for (uint8_t i = STATUS_PENDING; i <= STATUS_CANCELLED; i++) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    return STATUS_NONE;
}

void world_fail(struct world *w, const char *format, ...)
{
    va_list arguments;
    if (w->server.pid > 0) {
        server_signal(&w->server, SIGKILL); /* another thread may be waiting for its end */
    }
    (void)fprintf(stderr, "%s: VIOLATION at seed %llu, cycle %u: ", w->name,
                  (unsigned long long)w->random.seed, w->cycle);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\nthe data is kept in %s, the program's words in %s\n", w->server.data,
                  w->server.log);
    exit(1);
}

/* ---- life of a world ---- */

/* Pages of zeros that are not there until they are written to: a forked child would otherwise share
 * ten megabytes with us, and each page be copied when we write to it next. */
static void *table_map(size_t size)
{
    void *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(table != MAP_FAILED);
    return table;
}

static void table_clear(void *table, size_t size)
{
    CHECK(madvise(table, size, MADV_DONTNEED) == 0);
}

struct world *world_create(const char *name, const char *program, uint64_t seed)
{
    struct world *w = calloc(1, sizeof(*w));
    CHECK(w != NULL);
    w->name = name;
    w->server.program = program;
    w->random = random_from(seed);
    w->payments = calloc(PAYMENTS_MAX, sizeof(*w->payments));
    w->queue = calloc(PAYMENTS_MAX, sizeof(*w->queue));
    w->callbacks = table_map(CALLBACKS_MAX * sizeof(*w->callbacks));
    w->receipts = table_map(CALLBACKS_MAX * sizeof(*w->receipts));
    CHECK(w->payments != NULL && w->queue != NULL);
    CHECK(pthread_mutex_init(&w->callbacks_lock, NULL) == 0);
    return w;
}

static void make_password(struct world *w)
{
    char plain[160];
    time_t now = time(NULL);
    struct tm t;
    CHECK(gmtime_r(&now, &t) != NULL);
    CHECK(strftime(w->stamp, sizeof(w->stamp), "%Y%m%d%H%M%S", &t) == 14);
    /* one for each shop is made where it is needed; this is the part they share */
    (void)snprintf(plain, sizeof(plain), "%s%s", PASSKEY, w->stamp);
    memcpy(w->password, plain, strlen(plain) + 1);
}

void world_begin(struct world *w, const char *data)
{
    char error[256];
    struct sink_options options = {.body = callback_received, .context = w};
    (void)snprintf(w->server.data, sizeof(w->server.data), "%s", data);
    (void)snprintf(w->server.log, sizeof(w->server.log), "%s.log", data);
    (void)remove(w->server.log);
    w->server.snapshot_bytes = 1 << 20;
    w->payment_count = 0;
    w->settled = 0;
    w->settled_number = 0;
    w->queue_head = 0;
    w->queue_count = 0;
    w->callback_count = 0;
    w->token[0] = '\0';
    table_clear(w->callbacks, CALLBACKS_MAX * sizeof(*w->callbacks));
    table_clear(w->receipts, CALLBACKS_MAX * sizeof(*w->receipts));
    memset(w->shop_paid, 0, sizeof(w->shop_paid));
    w->idle_count = 0;
    for (uint32_t i = 0; i < PHONES; i++) {
        w->phones[i] = (struct phone){.open = PAYMENT_NONE, .poor = i % 50 == 13};
        w->idle[w->idle_count++] = i;
    }
    make_password(w);
    w->sink = sink_start(&options, error);
    if (w->sink == NULL) {
        world_fail(w, "%s", error);
    }
}

void world_end(struct world *w)
{
    sink_stop(w->sink);
    w->sink = NULL;
}

void world_queue(struct world *w, uint32_t payment)
{
    if (!w->payments[payment].queued) {
        CHECK(w->queue_count < PAYMENTS_MAX);
        w->payments[payment].queued = true;
        w->queue[(w->queue_head + w->queue_count++) % PAYMENTS_MAX] = payment;
    }
}

static uint32_t queue_take(struct world *w)
{
    uint32_t payment = w->queue[w->queue_head];
    w->queue_head = (w->queue_head + 1) % PAYMENTS_MAX;
    w->queue_count--;
    w->payments[payment].queued = false;
    return payment;
}

static void phone_free(struct world *w, uint32_t payment)
{
    struct phone *phone = &w->phones[w->payments[payment].phone];
    if (phone->open == payment) {
        phone->open = PAYMENT_NONE;
        w->idle[w->idle_count++] = w->payments[payment].phone;
    }
}

/* ---- what is told ---- */

/* How may a payment end, given what its phone did? */
static bool end_allowed(const struct world *w, const struct payment *p, uint8_t status)
{
    bool rich = !w->phones[p->phone].poor;
    bool expired = p->code == CODE_NO_ANSWER && p->answer != ANSWER_ACKNOWLEDGED;
    bool cancels = p->intent == INTENT_CANCEL && p->answer != ANSWER_NOT_GIVEN;
    bool approves = p->intent == INTENT_APPROVE && p->answer != ANSWER_NOT_GIVEN;
    switch (status) {
    case STATUS_SUCCESS: return approves && p->code == 0;
    case STATUS_CANCELLED: return cancels;
    default: return expired || !rich || p->intent == INTENT_WRONG_PIN;
    }
}

static void told_end(struct world *w, uint32_t payment, struct span body, uint8_t status)
{
    struct payment *p = &w->payments[payment];
    char receipt[RECEIPT_SIZE] = "";
    int64_t code = -1;
    if (!number_after(body, "\"result_code\":\"", &code)) {
        world_fail(w, "an ended payment without a result code: %.*s", (int)body.size, body.data);
    }
    bool has = text_after(body, "\"receipt\":\"", receipt, sizeof(receipt));
    if (has != (status == STATUS_SUCCESS)) {
        world_fail(w, "a receipt is due to paid payments only: %.*s", (int)body.size, body.data);
    }
    if (status_final(p->told)) {
        if (p->told != status || p->code != code || strcmp(p->receipt, receipt) != 0) {
            world_fail(w, "%s ended with %u %d %s and is now: %.*s", p->checkout, p->told, p->code,
                       p->receipt, (int)body.size, body.data);
        }
        return;
    }
    p->code = (int32_t)code;
    memcpy(p->receipt, receipt, sizeof(receipt));
    if (!end_allowed(w, p, status)) {
        world_fail(w, "no way for this payment (intent %u, answer %u) to end so: %.*s", p->intent,
                   p->answer, (int)body.size, body.data);
    }
    if (has && !receipt_add(w, receipt)) {
        world_fail(w, "receipt %s was given twice", receipt);
    }
    if (status == STATUS_SUCCESS) {
        w->shop_paid[p->shop] += p->amount * (int64_t)100;
        w->phones[p->phone].paid_minor += p->amount * (int64_t)100;
        w->phones[p->phone].touched = true;
    }
    w->total_ended++;
    phone_free(w, payment);
}

void world_told(struct world *w, uint32_t payment, struct span body)
{
    struct payment *p = &w->payments[payment];
    char text[CHECKOUT_SIZE];
    char reference[16];
    int64_t amount = 0;
    int64_t phone = 0;
    int64_t shop = 0;
    (void)snprintf(reference, sizeof(reference), "P%u", payment);
    bool same = text_after(body, "\"checkout_request_id\":\"", text, sizeof(text)) &&
                strcmp(text, p->checkout) == 0 &&
                text_after(body, "\"account_reference\":\"", text, sizeof(text)) &&
                strcmp(text, reference) == 0 && number_after(body, "\"amount\":", &amount) &&
                amount == p->amount * 100 && number_after(body, "\"msisdn\":", &phone) &&
                (uint64_t)phone == PHONE_FIRST + p->phone &&
                number_after(body, "\"short_code\":", &shop) && shop == SHOP_CODES[p->shop];
    if (!same) {
        world_fail(w, "asked about %s (P%u) and was told: %.*s", p->checkout, payment,
                   (int)body.size, body.data);
    }
    uint8_t status = text_after(body, "\"status\":\"", text, sizeof(text)) ? status_parse(text) : 0;
    bool forward = status >= p->told || (status_final(status) && status_final(p->told));
    if (status != STATUS_NONE && !forward && w->asked < p->told_at) {
        return; /* it was on its way when the other was told: answers may overtake each other */
    }
    if (status == STATUS_NONE || !forward) {
        world_fail(w, "%s was told as %u and is now: %.*s", p->checkout, p->told, (int)body.size,
                   body.data);
    }
    if (status_final(status)) {
        told_end(w, payment, body, status);
    }
    if (p->told != status) {
        p->told = status;
        p->told_at = w->answers;
    }
}

/* ---- requests ---- */

static size_t make_http(char *buffer, size_t room, const char *method, const char *path,
                        const char *token, const char *body)
{
    int size = snprintf(buffer, room,
                        "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        method, path, token[0] != '\0' ? "Authorization: " : "", token,
                        token[0] != '\0' ? "\r\n" : "", strlen(body), body);
    CHECK(size > 0 && (size_t)size < room);
    return (size_t)size;
}

static void password_of(struct world *w, uint32_t shop, char out[256])
{
    char plain[200];
    uint8_t coded[256];
    int size = snprintf(plain, sizeof(plain), "%u%s", SHOP_CODES[shop], w->password);
    struct writer writer = writer_init(coded, sizeof(coded));
    base64_encode(&writer, (struct span){plain, (size_t)size});
    memcpy(out, coded, writer.size);
    out[writer.size] = '\0';
}

static size_t make_push(struct world *w, uint32_t payment, char *buffer, size_t room)
{
    const struct payment *p = &w->payments[payment];
    char body[1024];
    char password[256];
    password_of(w, p->shop, password);
    (void)snprintf(body, sizeof(body),
                   "{\"BusinessShortCode\":%u,\"Password\":\"%s\",\"Timestamp\":\"%s\","
                   "\"TransactionType\":\"CustomerPayBillOnline\",\"Amount\":\"%u\","
                   "\"PartyA\":%llu,\"PartyB\":%u,\"PhoneNumber\":%llu,"
                   "\"CallBackURL\":\"http://127.0.0.1:%u/back\","
                   "\"AccountReference\":\"P%u\",\"TransactionDesc\":\"fault\"}",
                   SHOP_CODES[p->shop], password, w->stamp, p->amount,
                   (unsigned long long)(PHONE_FIRST + p->phone), SHOP_CODES[p->shop],
                   (unsigned long long)(PHONE_FIRST + p->phone), sink_port(w->sink), payment);
    return make_http(buffer, room, "POST", "/mpesa/stkpush/v1/processrequest", w->token, body);
}

static size_t make_query(struct world *w, uint32_t payment, char *buffer, size_t room)
{
    const struct payment *p = &w->payments[payment];
    char body[512];
    char password[256];
    password_of(w, p->shop, password);
    (void)snprintf(body, sizeof(body),
                   "{\"BusinessShortCode\":%u,\"Password\":\"%s\",\"Timestamp\":\"%s\","
                   "\"CheckoutRequestID\":\"%s\"}",
                   SHOP_CODES[p->shop], password, w->stamp, p->checkout);
    return make_http(buffer, room, "POST", "/mpesa/stkpushquery/v1/query", w->token, body);
}

static size_t make_op(struct world *w, const struct op *op, char *buffer, size_t room)
{
    struct payment *p = &w->payments[op->payment];
    char path[128];
    bool waits = w->resolving || random_percent(&w->random, 30);
    switch (op->kind) {
    case OP_PUSH: return make_push(w, op->payment, buffer, room);
    case OP_QUERY: return make_query(w, op->payment, buffer, room);
    case OP_APPROVE:
        p->answer = p->answer == ANSWER_NOT_GIVEN ? ANSWER_SENT : p->answer;
        (void)snprintf(path, sizeof(path), "/sim/v1/prompts/%s/approve%s", p->checkout,
                       waits ? "?wait=5" : "");
        return make_http(buffer, room, "POST", path, "",
                         p->intent == INTENT_WRONG_PIN ? "{\"pin\":\"9999\"}"
                                                       : "{\"pin\":\"1234\"}");
    case OP_CANCEL:
        p->answer = p->answer == ANSWER_NOT_GIVEN ? ANSWER_SENT : p->answer;
        (void)snprintf(path, sizeof(path), "/sim/v1/prompts/%s/cancel%s", p->checkout,
                       waits ? "?wait=5" : "");
        return make_http(buffer, room, "POST", path, "", "{}");
    default:
        (void)snprintf(path, sizeof(path), "/sim/v1/transactions/%s%s", p->checkout,
                       w->resolving ? "?wait=5" : "");
        return make_http(buffer, room, "GET", path, "", "");
    }
}

/* A payment by an idle phone. */
static uint32_t new_payment(struct world *w)
{
    uint32_t at = random_below(&w->random, w->idle_count);
    uint32_t phone = w->idle[at];
    w->idle[at] = w->idle[--w->idle_count];
    uint32_t payment = w->payment_count++;
    CHECK(payment < PAYMENTS_MAX);
    uint32_t draw = random_below(&w->random, 100);
    bool wrong = phone % 50 == 7;
    w->payments[payment] = (struct payment){
        .phone = phone,
        .cycle = w->cycle,
        .shop = (uint16_t)random_below(&w->random, SHOPS),
        .amount = (uint16_t)(1 + random_below(&w->random, 5)),
        .known = KNOWN_ASKED,
        .intent = (uint8_t)(wrong       ? INTENT_WRONG_PIN
                            : draw < 75 ? INTENT_APPROVE
                            : draw < 90 ? INTENT_CANCEL
                                        : INTENT_LEAVE),
    };
    w->phones[phone].open = payment;
    w->phones[phone].touched = true;
    return payment;
}

/* What to do next about a payment that was accepted and has not ended. */
static struct op next_step(struct world *w, uint32_t payment)
{
    struct payment *p = &w->payments[payment];
    if (p->intent == INTENT_LEAVE &&
        !status_final(p->told)) { /* only reached when everything is to end */
        p->intent = random_percent(&w->random, 50) ? INTENT_APPROVE : INTENT_CANCEL;
    }
    uint8_t answer = p->intent == INTENT_CANCEL ? OP_CANCEL : OP_APPROVE;
    bool repeats = random_percent(&w->random, 5); /* an answer given twice counts once */
    bool asks = status_final(p->told) || (p->answer == ANSWER_ACKNOWLEDGED && !repeats);
    uint8_t kind = asks ? OP_GET : answer;
    return (struct op){.kind = kind, .used = true, .payment = payment};
}

static bool choose(struct world *w, struct op *op)
{
    bool may_push = !w->resolving && w->idle_count > 0 && w->payment_count < PAYMENTS_MAX;
    if (w->queue_count > 0 && (!may_push || random_percent(&w->random, 60))) {
        *op = next_step(w, queue_take(w));
        return true;
    }
    if (may_push && (w->payment_count == 0 || random_percent(&w->random, 85))) {
        *op = (struct op){.kind = OP_PUSH, .used = true, .payment = new_payment(w)};
        return true;
    }
    if (w->resolving || w->payment_count == 0) {
        return false;
    }
    uint32_t payment = random_below(&w->random, w->payment_count);
    bool known = w->payments[payment].known == KNOWN_ACCEPTED;
    bool query = random_percent(&w->random, 50);
    *op = known ? (struct op){.kind = query ? OP_QUERY : OP_GET, .used = true, .payment = payment}
                : (struct op){.kind = OP_GET, .used = true, .payment = PAYMENT_NONE};
    return true;
}

static size_t load_make(void *context, uint64_t *n, char *buffer, size_t room)
{
    struct world *w = context;
    struct op *op = &w->ops[*n % OPS_MAX];
    CHECK(!op->used);
    if (!choose(w, op)) {
        return 0;
    }
    op->sent = w->answers;
    if (op->payment == PAYMENT_NONE) {
        return make_http(buffer, room, "GET", "/healthz", "", "");
    }
    return make_op(w, op, buffer, room);
}

/* ---- answers ---- */

static void pushed(struct world *w, uint32_t payment, int status, struct span body)
{
    struct payment *p = &w->payments[payment];
    if (status == 0) {
        return; /* unknown until the restart */
    }
    if (status == 200) {
        if (!text_after(body, "\"CheckoutRequestID\":\"", p->checkout, CHECKOUT_SIZE)) {
            world_fail(w, "accepted without an id: %.*s", (int)body.size, body.data);
        }
        p->known = KNOWN_ACCEPTED;
        w->total_accepted++;
        if (p->intent != INTENT_LEAVE) {
            world_queue(w, payment);
        }
        return;
    }
    bool busy = status == 500 && memmem(body.data, body.size, "500.003.02", 10) != NULL;
    if (!busy && (status == 500 || w->failed_requests_fine)) {
        return; /* the journal failed, or something else did: nobody knows */
    }
    if (!busy) {
        world_fail(w, "a push was answered with %d: %.*s", status, (int)body.size, body.data);
    }
    p->known = KNOWN_REFUSED;
    w->total_refused++;
    phone_free(w, payment);
}

static void answered(struct world *w, uint32_t payment, int status, struct span body)
{
    struct payment *p = &w->payments[payment];
    if (status == 200 || status == 202) {
        p->answer = ANSWER_ACKNOWLEDGED;
        world_told(w, payment, body);
    } else if (status == 409) {
        p->answer = ANSWER_ACKNOWLEDGED; /* an earlier one was; what it was shows at the end */
    } else if (status < 500 && status != 0) {
        world_fail(w, "an answer to %s was met with %d: %.*s", p->checkout, status, (int)body.size,
                   body.data);
    }
    if (!status_final(p->told) && (status != 0 || w->resolving)) {
        world_queue(w, payment);
    }
}

/* Daraja's query: ResultCode as text, with a message; 4999 while it is in flight. */
static void queried(struct world *w, uint32_t payment, int status, struct span body)
{
    struct payment *p = &w->payments[payment];
    int64_t code = -1;
    if (status == 0 || status >= 500) {
        return;
    }
    if (status != 200 || !number_after(body, "\"ResultCode\":\"", &code)) {
        world_fail(w, "a query for %s was met with %d: %.*s", p->checkout, status, (int)body.size,
                   body.data);
    }
    bool overtaken = code == CODE_IN_FLIGHT && w->asked < p->told_at;
    if (status_final(p->told) && code != p->code && !overtaken) {
        world_fail(w, "%s ended with %d and is now: %.*s", p->checkout, p->code, (int)body.size,
                   body.data);
    }
}

static void got(struct world *w, uint32_t payment, int status, struct span body)
{
    struct payment *p = &w->payments[payment];
    if (status == 0 || status >= 500) {
        return;
    }
    if (status != 200) {
        world_fail(w, "%s was acknowledged and is now: %d %.*s", p->checkout, status,
                   (int)body.size, body.data);
    }
    world_told(w, payment, body);
    if (!status_final(p->told) && (p->intent != INTENT_LEAVE || w->resolving)) {
        world_queue(w, payment);
    }
}

static void load_answer(void *context, uint64_t n, int status, struct span body, int64_t latency_ns)
{
    struct world *w = context;
    struct op *op = &w->ops[n % OPS_MAX];
    (void)latency_ns;
    CHECK(op->used);
    op->used = false;
    w->answers++;
    w->asked = op->sent;
    if (op->payment == PAYMENT_NONE) {
        return;
    }
    switch (op->kind) {
    case OP_PUSH: pushed(w, op->payment, status, body); break;
    case OP_APPROVE:
    case OP_CANCEL: answered(w, op->payment, status, body); break;
    case OP_QUERY: queried(w, op->payment, status, body); break;
    default: got(w, op->payment, status, body); break;
    }
}

void world_load(struct world *w, uint32_t duration_ms, uint64_t requests_max)
{
    char error[256];
    struct load_result result;
    struct load_options options = {
        .port = w->server.port,
        .connections = CONNECTIONS,
        .duration_ms = duration_ms,
        .requests_max = requests_max,
        .stop = &w->stop,
        .make = load_make,
        .answer = load_answer,
        .context = w,
    };
    bool connected = load_run(&options, &result, error);
    (void)connected; /* or not: then the server has ended already */
}

/* ---- one question at a time ---- */

struct question {
    struct world *w;
    const char *method;
    const char *path;
    const char *body;
    char *out;
    size_t room;
    int status;
};

static size_t question_make(void *context, uint64_t *n, char *buffer, size_t room)
{
    struct question *q = context;
    (void)n;
    return make_http(buffer, room, q->method, q->path, q->w->token, q->body);
}

static void question_answer(void *context, uint64_t n, int status, struct span body,
                            int64_t latency_ns)
{
    struct question *q = context;
    size_t size = body.size < q->room ? body.size : q->room - 1;
    (void)n;
    (void)latency_ns;
    q->status = status;
    if (size > 0) {
        memcpy(q->out, body.data, size);
    }
    q->out[size] = '\0';
}

int world_ask(struct world *w, const char *method, const char *path, const char *body,
              char *body_out, size_t room)
{
    char error[256];
    struct load_result result;
    struct question q = {w, method, path, body, body_out, room, 0};
    struct load_options options = {
        .port = w->server.port,
        .connections = 1,
        .requests_max = 1,
        .make = question_make,
        .answer = question_answer,
        .context = &q,
    };
    body_out[0] = '\0';
    return load_run(&options, &result, error) ? q.status : 0;
}

bool world_prepare(struct world *w)
{
    char answer[4096];
    char body[128];
    if (w->token[0] == '\0') {
        char token[40];
        (void)snprintf(w->token, sizeof(w->token), "Basic YTpi");
        int status = world_ask(w, "GET", "/oauth/v1/generate?grant_type=client_credentials", "",
                               answer, sizeof(answer));
        w->token[0] = '\0';
        if (status != 200 ||
            !text_after(span_from(answer), "\"access_token\":\"", token, sizeof(token))) {
            return false;
        }
        (void)snprintf(w->token, sizeof(w->token), "Bearer %s", token);
    }
    for (uint32_t i = 0; i < PHONES; i++) {
        if (w->phones[i].poor) {
            (void)snprintf(body, sizeof(body), "{\"msisdn\":%llu,\"balance\":%lld}",
                           (unsigned long long)(PHONE_FIRST + i), (long long)POOR_MINOR);
            int status = world_ask(w, "POST", "/sim/v1/subscribers", body, answer, sizeof(answer));
            if (status != 201 && status != 409) {
                return false;
            }
        }
    }
    return true;
}
