/*
 * pay.c - see pay.h. Two threads: the sink's takes callbacks in and puts what matters of each into
 * a ring; the caller's sends, receives and owns everything else.
 */
#include "app/bench/pay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "app/bench/message.h"
#include "app/bench/sink.h"
#include "app/monotonic.h"
#include "base/ring.h"
#include "wire/base64.h"

enum {
    CHECKOUT_SIZE = 48,
    RING_CAPACITY = 1 << 16,
    FIRST_SHORT_CODE = 600001,
    GATEWAY_SHORT_CODE = 174379,
    SETTLE_MS_MAX = 10000, /* without any callback */
    TOKEN_SIZE = 64,
    PASSWORD_SIZE = 192,
    SET_UP_CONNECTIONS = 64,
};

#define FIRST_PHONE  UINT64_C(254700000000)
#define FIRST_TAIL   UINT64_C(700000000) /* its last nine digits */
#define TAG_APPROVAL (UINT64_C(1) << 32)
#define TIMESTAMP    "20260101120000"
/* Public: Safaricom's sandbox hands it to everybody. */
#define PASSKEY      "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"

/* Where the digits go that each push has of its own. */
#define PHONE_MARK  "pppppppppppp"
#define SERIAL_MARK "ssssssss"

enum phone_state { FREE, PUSHING, TO_APPROVE, APPROVING, APPROVED, ACCEPTED, LOST };

struct phone {
    int64_t since_ns; /* when its push was sent, or due */
    uint8_t state;    /* enum phone_state */
    bool called;      /* its callback has come */
    char checkout[CHECKOUT_SIZE];
};

struct callback {
    int64_t at_ns;
    bool paid;
    char checkout[CHECKOUT_SIZE];
};

struct template
{
    char *bytes;
    size_t size;
    size_t payer_at, phone_at, serial_at;
};

/* First in, first out; room for every phone. */
struct fifo {
    uint32_t *items;
    uint32_t head;
    uint32_t count;
};

struct pay {
    struct pay_options o;
    struct child door; /* where the pushes go: the operator, or the gateway before it */
    struct sink *sink;
    int wake_fd;
    struct ring ring; /* of callbacks: from the sink's thread */
    struct callback *callbacks;
    struct phone *phones;
    struct fifo free;
    struct fifo to_approve;
    uint32_t open;   /* accepted, not ended */
    uint32_t payers; /* pushed or accepted, not ended */
    uint32_t payers_max;
    uint32_t opened; /* while setting up */
    uint64_t set_up_failures;
    uint64_t serial; /* of pushes: makes references */
    char token[TOKEN_SIZE];
    char (*passwords)[PASSWORD_SIZE]; /* by paybill */
    struct template *templates;       /* by paybill */
    struct pay_stats stats;
    int64_t until_ns; /* monotonic: when the load under way ends */
};

static void fifo_put(struct pay *p, struct fifo *f, uint32_t phone)
{
    CHECK(f->count < p->o.phones);
    uint32_t at = f->head + f->count;
    f->items[at >= p->o.phones ? at - p->o.phones : at] = phone;
    f->count++;
}

static uint32_t fifo_take(struct pay *p, struct fifo *f)
{
    CHECK(f->count > 0);
    uint32_t phone = f->items[f->head];
    f->head = f->head + 1 == p->o.phones ? 0 : f->head + 1;
    f->count--;
    return phone;
}

/* The text behind `key` up to the quote, into out; false when it is not there or too long. */
static bool find_text(struct span body, const char *key, char *out, size_t room)
{
    size_t key_size = strlen(key);
    const char *at = memmem(body.data, body.size, key, key_size);
    if (at == NULL) {
        return false;
    }
    at += key_size;
    size_t left = body.size - (size_t)(at - body.data);
    const char *end = memchr(at, '"', left);
    if (end == NULL || (size_t)(end - at) >= room) {
        return false;
    }
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = '\0';
    return true;
}

/* ---- callbacks ------------------------------------------------------------------------------ */

/* In the sink's thread. */
static void take_callback(void *context, struct span body)
{
    struct pay *p = context;
    struct callback *c = &p->callbacks[ring_push_index(&p->ring, 0)];
    CHECK(ring_room(&p->ring) > 0); /* far more than can be under way */
    c->at_ns = monotonic_ns();
    c->paid = memmem(body.data, body.size, "\"ResultCode\":0,", 15) != NULL;
    if (!find_text(body, "\"CheckoutRequestID\":\"", c->checkout, sizeof(c->checkout))) {
        c->checkout[0] = '\0';
    }
    ring_push(&p->ring, 1);
}

static void wake_sender(void *context)
{
    struct pay *p = context;
    uint64_t one = 1;
    CHECK(write(p->wake_fd, &one, sizeof(one)) > 0 || errno == EAGAIN);
}

/* The phone whose number ends the id; NULL when it is none of ours. */
static struct phone *phone_of(struct pay *p, const char *checkout)
{
    size_t size = strlen(checkout);
    uint64_t tail;
    if (size < 9 || !span_parse_u64((struct span){checkout + size - 9, 9}, &tail) ||
        tail < FIRST_TAIL || tail - FIRST_TAIL >= p->o.phones) {
        return NULL;
    }
    return &p->phones[tail - FIRST_TAIL];
}

static void payment_end(struct pay *p, struct phone *phone)
{
    phone->state = FREE;
    CHECK(p->open > 0 && p->payers > 0);
    p->open--;
    p->payers--;
    fifo_put(p, &p->free, (uint32_t)(phone - p->phones));
}

static void collect_one(struct pay *p, const struct callback *c)
{
    struct phone *phone = phone_of(p, c->checkout);
    p->stats.first_callback_ns =
        p->stats.first_callback_ns == 0 ? c->at_ns : p->stats.first_callback_ns;
    p->stats.last_callback_ns = c->at_ns;
    p->stats.last_ns = c->at_ns > p->stats.last_ns ? c->at_ns : p->stats.last_ns;
    bool early = phone != NULL && phone->state == PUSHING && !phone->called;
    if (phone == NULL || phone->called || phone->state == FREE ||
        (!early && strcmp(phone->checkout, c->checkout) != 0)) {
        p->stats.counts.unexpected++;
        return;
    }
    if (early) { /* it overtook the answer, which must bring the same id */
        memcpy(phone->checkout, c->checkout, sizeof(phone->checkout));
    }
    phone->called = true;
    p->stats.counts.paid += c->paid ? 1 : 0;
    p->stats.counts.unpaid += c->paid ? 0 : 1;
    histogram_add(&p->stats.whole, c->at_ns - phone->since_ns);
    if (phone->state == APPROVED || phone->state == ACCEPTED) {
        payment_end(p, phone);
    }
}

void pay_collect(struct pay *p)
{
    uint32_t count = ring_waiting(&p->ring);
    for (uint32_t i = 0; i < count; i++) {
        collect_one(p, &p->callbacks[ring_pop_index(&p->ring, i)]);
    }
    ring_pop(&p->ring, count);
}

static uint32_t short_code(const struct pay *p, uint32_t paybill)
{
    return p->o.through_gateway ? GATEWAY_SHORT_CODE : FIRST_SHORT_CODE + paybill;
}

/* ---- requests ------------------------------------------------------------------------------- */

/* Puts a head in front of a body that was written at buffer + HEAD_ROOM. */
static size_t request_join(const struct pay *p, const char *path, size_t body_size, char *buffer,
                           size_t body_at)
{
    char head[512];
    int size = snprintf(head, sizeof(head),
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                        path, p->o.child->port, p->token, body_size);
    CHECK(size > 0 && (size_t)size <= body_at);
    memmove(buffer + size, buffer + body_at, body_size);
    memcpy(buffer, head, (size_t)size);
    return (size_t)size + body_size;
}

enum { HEAD_ROOM = 512 };

/* A push to one paybill, with the places where phone and serial number go. */
static bool template_make(struct pay *p, uint32_t paybill)
{
    struct template *t = &p->templates[paybill];
    uint32_t code = short_code(p, paybill);
    char buffer[LOAD_REQUEST_MAX];
    int size = snprintf(
        buffer + HEAD_ROOM, sizeof(buffer) - HEAD_ROOM,
        "{\"BusinessShortCode\":\"%u\",\"Password\":\"%s\",\"Timestamp\":\"" TIMESTAMP "\","
        "\"TransactionType\":\"CustomerPayBillOnline\",\"Amount\":\"%d\","
        "\"PartyA\":\"" PHONE_MARK "\",\"PartyB\":\"%u\",\"PhoneNumber\":\"" PHONE_MARK "\","
        "\"CallBackURL\":\"http://127.0.0.1:%u/callbacks/%u\","
        "\"AccountReference\":\"INV" SERIAL_MARK "\",\"TransactionDesc\":\"Payment\"}",
        code, p->passwords[paybill], PAY_AMOUNT_MINOR / 100, code,
        sink_port_at(p->sink, paybill % p->o.targets), code);
    CHECK(size > 0 && (size_t)size < sizeof(buffer) - HEAD_ROOM);
    t->size = request_join(p, "/mpesa/stkpush/v1/processrequest", (size_t)size, buffer, HEAD_ROOM);
    t->bytes = malloc(t->size + 1);
    if (t->bytes == NULL) {
        return false;
    }
    memcpy(t->bytes, buffer, t->size);
    t->bytes[t->size] = '\0';
    char *payer = strstr(t->bytes, PHONE_MARK);
    CHECK(payer != NULL);
    char *phone = strstr(payer + 1, PHONE_MARK);
    char *serial = strstr(t->bytes, SERIAL_MARK);
    CHECK(phone != NULL && serial != NULL);
    t->payer_at = (size_t)(payer - t->bytes);
    t->phone_at = (size_t)(phone - t->bytes);
    t->serial_at = (size_t)(serial - t->bytes);
    return true;
}

static void write_digits(char *out, size_t count, uint64_t value)
{
    for (size_t i = count; i > 0; i--) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    CHECK(value == 0);
}

static size_t write_push(struct pay *p, uint32_t phone, char *buffer, size_t capacity)
{
    uint64_t serial = p->serial++;
    const struct template *t = &p->templates[serial % p->o.paybills];
    CHECK(t->size <= capacity);
    memcpy(buffer, t->bytes, t->size);
    write_digits(buffer + t->payer_at, sizeof(PHONE_MARK) - 1, FIRST_PHONE + phone);
    memcpy(buffer + t->phone_at, buffer + t->payer_at, sizeof(PHONE_MARK) - 1);
    write_digits(buffer + t->serial_at, sizeof(SERIAL_MARK) - 1, serial);
    return t->size;
}

static size_t write_approval(struct pay *p, const struct phone *phone, char *buffer,
                             size_t capacity)
{
    char path[128];
    static const char BODY[] = "{\"pin\":\"1234\"}";
    CHECK(capacity > HEAD_ROOM + sizeof(BODY));
    memcpy(buffer + HEAD_ROOM, BODY, sizeof(BODY) - 1);
    (void)snprintf(path, sizeof(path), "/sim/v1/prompts/%s/approve", phone->checkout);
    return request_join(p, path, sizeof(BODY) - 1, buffer, HEAD_ROOM);
}

static size_t make_push(void *context, uint64_t *tag, char *buffer, size_t capacity)
{
    struct pay *p = context;
    bool closed = p->payers_max > 0;
    pay_collect(p);
    if (closed && p->payers >= p->payers_max) {
        return LOAD_LATER;
    }
    if (p->free.count == 0) {
        p->stats.counts.starved += closed || !p->o.approves ? 0 : 1;
        return closed ? LOAD_LATER : 0;
    }
    uint32_t phone = fifo_take(p, &p->free);
    p->phones[phone].state = PUSHING;
    p->phones[phone].called = false;
    p->phones[phone].since_ns = monotonic_ns();
    p->payers++;
    p->stats.counts.pushed++;
    p->stats.first_ns = p->stats.first_ns == 0 ? p->phones[phone].since_ns : p->stats.first_ns;
    *tag = phone;
    return write_push(p, phone, buffer, capacity);
}

static size_t make_approval(void *context, uint64_t *tag, char *buffer, size_t capacity)
{
    struct pay *p = context;
    pay_collect(p);
    if (p->to_approve.count == 0) {
        return 0;
    }
    uint32_t phone = fifo_take(p, &p->to_approve);
    CHECK(p->phones[phone].state == TO_APPROVE);
    p->phones[phone].state = APPROVING;
    *tag = TAG_APPROVAL | phone;
    return write_approval(p, &p->phones[phone], buffer, capacity);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void surprised(struct pay *p, const char *what, int status, struct span body)
{
    if (p->stats.surprise[0] == '\0') {
        (void)snprintf(p->stats.surprise, sizeof(p->stats.surprise), "%s: %d %.*s", what, status,
                       (int)(body.size < 100 ? body.size : 100), body.size > 0 ? body.data : "");
    }
}

static void push_refused(struct pay *p, struct phone *phone, int status, struct span body,
                         int64_t latency_ns)
{
    if (status == 0) {
        p->stats.counts.unanswered++;
        phone->state = LOST; /* accepted or not: nobody knows, so the phone rests for ever */
        surprised(p, "push", status, body);
        return;
    }
    bool busy = memmem(body.data, body.size, "500.003.02", 10) != NULL;
    p->stats.counts.refused_busy += busy ? 1 : 0;
    p->stats.counts.refused_other += busy ? 0 : 1;
    if (!busy) {
        surprised(p, "push", status, body);
    }
    histogram_add(&p->stats.refusal, latency_ns);
    phone->state = FREE;
    p->payers--;
    fifo_put(p, &p->free, (uint32_t)(phone - p->phones));
}

static void push_answered(struct pay *p, struct phone *phone, int status, struct span body,
                          int64_t latency_ns)
{
    char checkout[CHECKOUT_SIZE];
    CHECK(phone->state == PUSHING);
    if (status != 200 || !find_text(body, "\"CheckoutRequestID\":\"", checkout, sizeof(checkout))) {
        push_refused(p, phone, status, body, latency_ns);
        return;
    }
    p->stats.counts.accepted++;
    p->open++;
    histogram_add(&p->stats.ack, latency_ns);
    if (phone->called && strcmp(phone->checkout, checkout) != 0) {
        p->stats.counts.unexpected++;
    }
    memcpy(phone->checkout, checkout, sizeof(checkout));
    if (phone->called) {
        payment_end(p, phone);
    } else if (p->o.approves) {
        phone->state = TO_APPROVE;
        fifo_put(p, &p->to_approve, (uint32_t)(phone - p->phones));
    } else {
        phone->state = ACCEPTED;
    }
}

static void approval_answered(struct pay *p, struct phone *phone, int status, struct span body)
{
    CHECK(phone->state == APPROVING);
    if (status == 503) { /* explicitly not done: the person presses once more */
        p->stats.counts.approval_retries++;
        phone->state = TO_APPROVE;
        fifo_put(p, &p->to_approve, (uint32_t)(phone - p->phones));
        return;
    }
    if (status != 202) {
        p->stats.counts.approval_failures++;
        surprised(p, "approval", status, body);
    }
    phone->state = APPROVED;
    if (phone->called) {
        payment_end(p, phone);
    }
}

/* Only while the load lasts: afterwards there is not always something to answer. */
static void note_answer(struct pay *p, int64_t now)
{
    int64_t gap_ns = p->stats.answered_ns == 0 ? 0 : now - p->stats.answered_ns;
    bool loaded = p->stats.answered_ns < p->until_ns;
    p->stats.answered_ns = now;
    if (loaded && gap_ns > p->stats.stall_ns) {
        p->stats.stall_ns = gap_ns;
    }
}

static void take_answer(void *context, uint64_t tag, int status, struct span body,
                        int64_t latency_ns)
{
    struct pay *p = context;
    struct phone *phone = &p->phones[tag & UINT32_MAX];
    int64_t now = monotonic_ns();
    p->stats.last_ns = now > p->stats.last_ns ? now : p->stats.last_ns;
    note_answer(p, now);
    if ((tag & TAG_APPROVAL) != 0) {
        approval_answered(p, phone, status, body);
        return;
    }
    phone->since_ns = phone->called ? phone->since_ns : now - latency_ns;
    push_answered(p, phone, status, body, latency_ns);
}

/* ---- setting up ----------------------------------------------------------------------------- */

/* Those that the server was too busy for come first. 0: all are open. */
static bool next_to_open(struct pay *p, uint32_t count, uint32_t *out)
{
    if (p->to_approve.count > 0) {
        *out = fifo_take(p, &p->to_approve);
        return true;
    }
    *out = p->opened;
    p->opened += p->opened < count ? 1 : 0;
    return *out < count;
}

static size_t make_phone(void *context, uint64_t *tag, char *buffer, size_t capacity)
{
    struct pay *p = context;
    uint32_t i;
    if (!next_to_open(p, p->o.phones, &i)) {
        return 0;
    }
    int size = snprintf(buffer + HEAD_ROOM, capacity - HEAD_ROOM,
                        "{\"msisdn\":\"%" PRIu64 "\",\"name\":\"Payer %u\",\"pin\":\"1234\","
                        "\"balance\":10000000}",
                        FIRST_PHONE + i, i);
    *tag = i;
    return request_join(p, "/sim/v1/subscribers", (size_t)size, buffer, HEAD_ROOM);
}

static size_t make_paybill(void *context, uint64_t *tag, char *buffer, size_t capacity)
{
    struct pay *p = context;
    uint32_t i;
    if (!next_to_open(p, p->o.paybills, &i)) {
        return 0;
    }
    int size = snprintf(buffer + HEAD_ROOM, capacity - HEAD_ROOM,
                        "{\"short_code\":%u,\"name\":\"Shop %u\",\"type\":\"paybill\","
                        "\"passkey\":\"" PASSKEY "\"}",
                        FIRST_SHORT_CODE + i, i);
    *tag = i;
    return request_join(p, "/sim/v1/organisations", (size_t)size, buffer, HEAD_ROOM);
}

static void take_opened(void *context, uint64_t tag, int status, struct span body,
                        int64_t latency_ns)
{
    struct pay *p = context;
    (void)latency_ns;
    if (status == 503) {
        fifo_put(p, &p->to_approve, (uint32_t)tag);
    } else if (status != 201) {
        p->set_up_failures++;
        surprised(p, "setting up", status, body);
    }
}

static bool set_up(struct pay *p, load_make_fn make, char error[256])
{
    struct load_result result;
    struct load_options load = {
        .port = p->o.child->port,
        .connections = SET_UP_CONNECTIONS,
        .make = make,
        .urgent = make, /* the last ones, too, may have to be repeated */
        .answer = take_opened,
        .context = p,
        .stop = p->o.stop,
    };
    p->opened = 0;
    if (!load_run(&load, &result, error)) {
        return false;
    }
    if (p->set_up_failures > 0 || p->to_approve.count > 0) {
        (void)snprintf(error, 256, "%.200s",
                       p->stats.surprise[0] != '\0' ? p->stats.surprise : "the server stays busy");
    }
    return p->set_up_failures == 0 && p->to_approve.count == 0;
}

static bool get_token(struct pay *p, char error[256])
{
    struct span body;
    int status = child_request(&p->door, "GET", "/oauth/v1/generate?grant_type=client_credentials",
                               "Authorization: Basic YmVuY2g6YmVuY2g=\r\n", "", 10000, &body);
    if (status != 200 || !find_text(body, "\"access_token\":\"", p->token, sizeof(p->token))) {
        (void)snprintf(error, 256, "no access token: %d %.*s", status,
                       (int)(body.size < 100 ? body.size : 100), body.size > 0 ? body.data : "");
        return false;
    }
    return true;
}

static void make_passwords(struct pay *p)
{
    for (uint32_t i = 0; i < p->o.paybills; i++) {
        char plain[128];
        int size = snprintf(plain, sizeof(plain), "%u" PASSKEY TIMESTAMP, short_code(p, i));
        struct writer w = writer_init(p->passwords[i], PASSWORD_SIZE - 1);
        base64_encode(&w, (struct span){plain, (size_t)size});
        CHECK(!w.overflow);
        p->passwords[i][w.size] = '\0';
    }
}

static bool make_templates(struct pay *p, char error[256])
{
    make_passwords(p);
    for (uint32_t i = 0; i < p->o.paybills; i++) {
        if (!template_make(p, i)) {
            (void)snprintf(error, 256, "no memory for %u paybills", p->o.paybills);
            return false;
        }
    }
    return true;
}

static bool create_memory(struct pay *p)
{
    p->callbacks = calloc(RING_CAPACITY, sizeof(*p->callbacks));
    p->phones = calloc(p->o.phones, sizeof(*p->phones));
    p->free.items = calloc(p->o.phones, sizeof(uint32_t));
    p->to_approve.items = calloc(p->o.phones, sizeof(uint32_t));
    p->passwords = calloc(p->o.paybills, PASSWORD_SIZE);
    p->templates = calloc(p->o.paybills, sizeof(*p->templates));
    p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ring_init(&p->ring, RING_CAPACITY);
    return p->callbacks != NULL && p->phones != NULL && p->free.items != NULL &&
           p->to_approve.items != NULL && p->passwords != NULL && p->templates != NULL &&
           p->wake_fd >= 0;
}

/* The prompts are answered by rule, as the gateway does not tell its caller the operator's ids. */
static bool approve_by_rule(struct pay *p, char error[256])
{
    struct span body;
    int status = child_request(p->o.child, "PUT", "/sim/v1/rules", "",
                               "{\"rules\":[{\"name\":\"paid\",\"match\":{\"api\":\"stk_push\"},"
                               "\"then\":{\"prompt\":{\"act\":\"approve\"}}}]}",
                               10000, &body);
    if (status != 200) {
        (void)snprintf(error, 256, "the rule that approves: %d %.*s", status,
                       (int)(body.size < 100 ? body.size : 100), body.size > 0 ? body.data : "");
    }
    return status == 200;
}

static bool open_paybills(struct pay *p, char error[256])
{
    if (p->o.through_gateway) {
        return approve_by_rule(p, error);
    }
    return set_up(p, make_paybill, error);
}

struct pay *pay_create(const struct pay_options *options, char error[256])
{
    struct pay *p = calloc(1, sizeof(*p));
    CHECK(options->paybills > 0 && options->paybills <= PAY_PAYBILLS_MAX);
    if (p == NULL) {
        (void)snprintf(error, 256, "no memory");
        return NULL;
    }
    p->o = *options;
    p->door = *options->child;
    p->door.port = options->through_gateway ? p->door.merchant_port : p->door.port;
    p->wake_fd = -1;
    if (!create_memory(p)) {
        (void)snprintf(error, 256, "no memory for %u phones", p->o.phones);
        pay_destroy(p);
        return NULL;
    }
    struct sink_options sink = {
        .body = take_callback, .rested = wake_sender, .context = p, .ports = p->o.targets};
    p->sink = sink_start(&sink, error);
    if (p->sink == NULL || !get_token(p, error) || !make_templates(p, error) ||
        !open_paybills(p, error) || !set_up(p, make_phone, error)) {
        pay_destroy(p);
        return NULL;
    }
    for (uint32_t i = 0; i < p->o.phones; i++) {
        fifo_put(p, &p->free, i);
    }
    return p;
}

void pay_destroy(struct pay *p)
{
    if (p == NULL) {
        return;
    }
    sink_stop(p->sink);
    if (p->wake_fd >= 0) {
        (void)close(p->wake_fd);
    }
    free(p->callbacks);
    free(p->phones);
    free(p->free.items);
    free(p->to_approve.items);
    free(p->passwords);
    for (uint32_t i = 0; p->templates != NULL && i < p->o.paybills; i++) {
        free(p->templates[i].bytes);
    }
    free(p->templates);
    free(p);
}

/* ---- running -------------------------------------------------------------------------------- */

/* Waits until everything has ended or nothing has come for a while. */
static void wait_for_ends(struct pay *p)
{
    int64_t quiet_since_ns = monotonic_ns();
    int64_t last_ns = p->stats.last_callback_ns;
    while (p->open > 0 && monotonic_ns() - quiet_since_ns < (int64_t)SETTLE_MS_MAX * 1000000) {
        struct timespec beat = {0, 500000};
        (void)nanosleep(&beat, NULL);
        pay_collect(p);
        if (p->stats.last_callback_ns != last_ns) {
            last_ns = p->stats.last_callback_ns;
            quiet_since_ns = monotonic_ns();
        }
    }
}

bool pay_run(struct pay *p, const struct pay_load *load, char error[256])
{
    struct load_result result;
    struct load_options options = {
        .port = p->door.port,
        .connections = load->connections,
        .rate_per_s = load->rate_per_s,
        .duration_ms = load->duration_ms,
        .stop = p->o.stop,
        .wake_fd = p->wake_fd,
        .make = make_push,
        .urgent = p->o.approves ? make_approval : NULL,
        .answer = take_answer,
        .context = p,
    };
    p->payers_max = load->payers;
    p->stats.answered_ns = 0;
    p->until_ns = load->duration_ms == 0
                      ? INT64_MAX
                      : monotonic_ns() + (int64_t)load->duration_ms * 1000 * 1000;
    if (!load_run(&options, &result, error)) {
        return false;
    }
    p->stats.counts.backlog_end += result.backlog_end;
    if (p->o.approves || p->o.through_gateway) {
        wait_for_ends(p);
    }
    return true;
}

uint32_t pay_open(const struct pay *p)
{
    return p->open;
}

const struct pay_stats *pay_stats(const struct pay *p)
{
    return &p->stats;
}

void pay_clear(struct pay *p)
{
    memset(&p->stats, 0, sizeof(p->stats));
}

bool pay_received_minor(struct pay *p, int64_t *out)
{
    *out = 0;
    for (uint32_t i = 0; i < p->o.paybills; i++) {
        char path[64];
        struct span body;
        (void)snprintf(path, sizeof(path), "/sim/v1/organisations/%u", short_code(p, i));
        int status = child_request(p->o.child, "GET", path, "", "", 10000, &body);
        static const char KEY[] = "\"utility\":";
        const char *at = status != 200 ? NULL : strstr(body.data, KEY);
        uint64_t value;
        if (at == NULL || !span_parse_u64((struct span){at + sizeof(KEY) - 1,
                                                        strspn(at + sizeof(KEY) - 1, "0123456789")},
                                          &value)) {
            return false;
        }
        *out += (int64_t)value;
    }
    return true;
}
