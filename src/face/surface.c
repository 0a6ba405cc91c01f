/*
 * surface.c - routing and the replies that wait. See face.h for F1 to F3.
 * Tests: tests/agree, tests/e2e.
 */
#include "face/face.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/caltime.h"
#include "base/large.h"
#include "face/console.h"
#include "face/daraja.h"
#include "face/gateway.h"
#include "face/internal.h"
#include "face/paystack.h"
#include "face/rules.h"

const char *profile_name(enum profile profile)
{
    static const char *const names[] = {"dev", "sandbox", "daraja-strict", "production"};
    return names[profile];
}

struct surface *surface_create(const struct surface_options *options)
{
    struct surface *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->options = *options;
    s->engine = options->engine;
    s->json = json_scratch_create();
    s->waiting = calloc(SURFACE_WAIT_MAX, sizeof(*s->waiting));
    s->body = malloc(SURFACE_BODY_MAX);
    bool merchant = options->book == SURFACE_MERCHANT;
    apps_init(&s->apps, options->secrets, options->profile == PROFILE_STRICT);
    secrets_random(&s->request_seed, sizeof(s->request_seed));
    console_token_make(s->console_token);
    if (merchant) {
        s->gateway = gateway_face_create();
    } else {
        s->passkeys = calloc(SURFACE_KEYS_MAX, sizeof(*s->passkeys));
        /* Secrets, too, that a snapshot has no use for. */
        large_exclude_from_fork(s->passkeys, SURFACE_KEYS_MAX * sizeof(*s->passkeys));
        s->credential = credential_open(options->credential_path);
    }
    bool own = merchant ? s->gateway != NULL : s->passkeys != NULL && s->credential != NULL;
    if (s->json == NULL || s->waiting == NULL || s->body == NULL || !own) {
        surface_destroy(s);
        return NULL;
    }
    return s;
}

void surface_destroy(struct surface *s)
{
    if (s == NULL) {
        return;
    }
    json_scratch_destroy(s->json);
    gateway_face_destroy(s->gateway);
    credential_close(s->credential);
    apps_fini(&s->apps);
    if (s->passkeys != NULL) {
        daraja_passkeys_wipe(s);
    }
    large_free_excluded(s->passkeys, SURFACE_KEYS_MAX * sizeof(*s->passkeys));
    free(s->waiting);
    free(s->body);
    free(s);
}

void surface_attach(struct surface *s, struct http_server *server)
{
    s->server = server;
}

struct writer surface_writer(struct surface *s)
{
    return writer_init(s->body, SURFACE_BODY_MAX);
}

/* ---- answers ---- */

int64_t surface_monotonic_ns(const struct surface *s)
{
    return book_clock_monotonic(engine_clock(s->engine));
}

void surface_time(struct request *q)
{
    q->asked_ns = surface_monotonic_ns(q->s);
}

void surface_answer(struct request *q, uint64_t wait_position, unsigned status,
                    const char *content_type, const struct writer *body)
{
    struct face_answer answer = {status, content_type, {(const char *)body->data, body->size}};
    if (body->overflow) { /* a bug of ours, but no reason to end; this one fits, so once only */
        surface_problem(q, wait_position, 500, "answer_too_large",
                        "the answer has over 256 KiB: ask for less at a time (?limit=)");
        return;
    }
    /* That a rule counted the call is durable before anybody hears of it, too. */
    wait_position = wait_position > q->ruled_position ? wait_position : q->ruled_position;
    if (q->ruled != NULL) {
        face_rule_answer(q, wait_position, answer);
    } else {
        surface_send(q, wait_position, answer);
    }
}

void surface_send(struct request *q, uint64_t wait_position, struct face_answer answer)
{
    struct surface *s = q->s;
    s->answers[answer.status / 100 < 6 ? answer.status / 100 : 5]++;
    int64_t asked_ns = answer.status < 300 ? q->asked_ns : 0;
    if (wait_position <= engine_durable(s->engine)) {
        if (asked_ns != 0) {
            latency_add(&s->acknowledged, surface_monotonic_ns(s) - asked_ns);
        }
        http_reply(q->x, answer.status, answer.content_type, answer.body);
        return;
    }
    CHECK(s->waiting_count < SURFACE_WAIT_MAX);
    uint32_t at = (s->waiting_head + s->waiting_count) % SURFACE_WAIT_MAX;
    s->waiting[at].position = wait_position;
    s->waiting[at].ticket = http_ticket(q->x);
    s->waiting[at].asked_ns = asked_ns;
    s->waiting_count++;
    http_hold(q->x, answer.status, answer.content_type, answer.body);
}

void surface_json(struct request *q, uint64_t wait_position, unsigned status,
                  const struct writer *body)
{
    surface_answer(q, wait_position, status, "application/json", body);
}

void surface_problem(struct request *q, uint64_t wait_position, unsigned status, const char *code,
                     const char *detail)
{
    struct writer w = surface_writer(q->s);
    json_open(&w, '{');
    json_field_text(&w, "type", "about:blank");
    json_field_text(&w, "title", http_phrase(status)); /* as RFC 9457 has it for about:blank */
    json_field_i64(&w, "status", (int64_t)status);
    json_field_text(&w, "code", code);
    json_field_text(&w, "detail", detail);
    json_close(&w, '}');
    surface_answer(q, wait_position, status, "application/problem+json", &w);
}

void surface_not_decided(struct request *q, enum engine_status status)
{
    http_reply_header(q->x, "Retry-After", SPAN_LITERAL("1"));
    surface_problem(q, 0, 503,
                    status == ENGINE_DISK_FULL   ? "disk_full"
                    : status == ENGINE_NO_MEMORY ? "out_of_memory"
                    : status == ENGINE_POISONED  ? "journal_failed"
                    : status == ENGINE_NO_INDEX  ? "index_unreadable"
                                                 : "busy",
                    engine_status_text(status));
}

/* ---- what is in memory, or was ---- */

bool surface_reach(struct surface *s, const struct old_name *name)
{
    enum engine_reach reached = engine_reach(s->engine, name);
    s->index_unread = reached == ENGINE_UNKNOWN;
    s->index_missed = s->index_missed || s->index_unread;
    return reached == ENGINE_REACHED;
}

const struct stk_payment *surface_payment(struct surface *s, uint64_t number)
{
    struct old_name name = operator_payment_name(number);
    return surface_reach(s, &name) ? operator_payment(surface_operator(s), number) : NULL;
}

const struct stk_payment *surface_payment_by_id(struct surface *s, struct span id)
{
    const struct operator_state *o = surface_operator(s);
    struct old_name name;
    s->index_unread = false;
    if (!operator_id_name(id, &name) || !surface_reach(s, &name)) {
        return NULL;
    }
    const struct stk_payment *p = operator_payment_by_checkout(o, id);
    return p != NULL ? p : operator_payment_by_receipt(o, id);
}

const struct outbox_item *surface_delivery(struct surface *s, uint64_t number)
{
    struct old_name name = old_name_of(OLD_SPACE_DELIVERY, number);
    return surface_reach(s, &name) ? outbox_item(&engine_book(s->engine)->outbox, number) : NULL;
}

void surface_not_found(struct request *q, const char *detail)
{
    if (q->s->index_unread) {
        surface_not_decided(q, ENGINE_NO_INDEX);
        return;
    }
    surface_problem(q, engine_read_position(q->s->engine), 404, "not_found", detail);
}

/* F1: lets go of everything that the disk has. */
static void release_durable(struct surface *s)
{
    uint64_t durable = engine_durable(s->engine);
    int64_t now_ns = 0; /* read once, when the first timed one leaves */
    while (s->waiting_count > 0) {
        const struct waiting_reply *first = &s->waiting[s->waiting_head];
        if (first->position > durable) {
            break;
        }
        if (first->asked_ns != 0) {
            now_ns = now_ns != 0 ? now_ns : surface_monotonic_ns(s);
            latency_add(&s->acknowledged, now_ns - first->asked_ns);
        }
        struct http_exchange *x = http_find(s->server, first->ticket);
        if (x != NULL) {
            http_release(x);
        }
        s->waiting_head = (s->waiting_head + 1) % SURFACE_WAIT_MAX;
        s->waiting_count--;
    }
}

bool surface_turn(struct surface *s)
{
    release_durable(s);
    status_turn(s);
    if (s->gateway != NULL) {
        gateway_poll_turn(s);
        return stream_turn(s);
    }
    face_rules_turn(s);
    control_clock_turn(s);
    control_poll_turn(s);
    return stream_turn(s);
}

void surface_quiesce(struct surface *s)
{
    stream_end_all(s);
    s->quiescing = true; /* nothing is delayed any more */
    for (uint32_t i = 0; i < SURFACE_POLLS_MAX; i++) {
        s->polls[i].deadline_ns = 0; /* answered in the next turn */
    }
}

bool surface_waits(const struct surface *s)
{
    return s->poll_count > 0 || s->stream_count > 0;
}

bool surface_quiet(const struct surface *s)
{
    return s->waiting_count == 0 && s->delayed_count == 0;
}

static void fail_held(struct surface *s, struct http_ticket ticket)
{
    static const char words[] = "writing the journal failed; whether this request took effect is "
                                "not known: ask again after the restart";
    struct http_exchange *x = http_find(s->server, ticket);
    if (x == NULL || !http_retract(x)) {
        return;
    }
    struct request q = {.s = s, .x = x, .method = http_method(x), .path = http_path(x)};
    if (!daraja_fail(&q, words) && !paystack_fail(&q, words)) {
        surface_problem(&q, 0, 500, "journal_failed", words);
    }
}

void surface_fail(struct surface *s)
{
    while (s->waiting_count > 0) {
        struct http_ticket ticket = s->waiting[s->waiting_head].ticket;
        s->waiting_head = (s->waiting_head + 1) % SURFACE_WAIT_MAX;
        s->waiting_count--;
        fail_held(s, ticket);
    }
    while (s->delayed_count > 0) {
        fail_held(s, s->delayed[--s->delayed_count].ticket);
    }
}

/* ---- routing ---- */

void mask_msisdn(uint64_t msisdn, char out[16])
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)msisdn);
    if (n < 8 || n > 15) {
        (void)snprintf(out, 16, "?");
        return;
    }
    memset(digits + 4, '*', (size_t)n - 7);
    memcpy(out, digits, (size_t)n + 1);
}

bool msisdn_valid(uint64_t msisdn)
{
    uint64_t prefix = msisdn / 100000000;
    return prefix == 2547 || prefix == 2541;
}

/* Does the path fit the pattern? Fills q->parts. */
static bool path_fits(struct request *q, const char *pattern)
{
    size_t at = 0;
    uint32_t part = 0;
    for (const char *c = pattern; *c != '\0'; c++) {
        if (*c == '{') {
            size_t start = at;
            while (at < q->path.size && q->path.data[at] != '/') {
                at++;
            }
            if (at == start) {
                return false;
            }
            q->parts[part].data = q->path.data + start;
            q->parts[part].size = at - start;
            part++;
            c++; /* the closing brace */
        } else if (at == q->path.size || q->path.data[at++] != *c) {
            return false;
        }
    }
    return at == q->path.size;
}

void surface_dispatch(struct request *q, const struct route *routes, size_t count)
{
    bool path_known = false;
    for (size_t i = 0; i < count; i++) {
        if (path_fits(q, routes[i].pattern)) {
            if (span_is(q->method, routes[i].method)) {
                routes[i].handle(q);
                return;
            }
            path_known = true;
        }
    }
    if (path_known) {
        surface_problem(q, 0, 405, "method_not_allowed",
                        "this path exists with another method; see /openapi.json");
    } else {
        surface_problem(q, 0, 404, "no_such_path", "see /openapi.json for what there is");
    }
}

bool surface_poll_add(struct request *q, uint64_t number, uint8_t state, uint64_t seconds)
{
    struct surface *s = q->s;
    for (uint32_t i = 0; i < SURFACE_POLLS_MAX; i++) {
        struct long_poll *poll = &s->polls[i];
        if (!poll->used) {
            poll->used = true;
            poll->ticket = http_ticket(q->x);
            poll->generation = engine_book(s->engine)->generation;
            poll->number = number;
            poll->state = state;
            poll->deadline_ns = surface_monotonic_ns(s) + (int64_t)seconds * NS_PER_S;
            s->poll_count++;
            http_hold_open(q->x);
            return true;
        }
    }
    return false;
}

bool surface_admit(void *context, struct http_exchange *x)
{
    struct surface *s = context;
    return s->gateway != NULL ? gateway_admit(s, x) : daraja_admit(s, x);
}

void surface_handle(void *context, struct http_exchange *x)
{
    struct surface *s = context;
    struct request q = {.s = s, .x = x, .method = http_method(x), .path = http_path(x)};
    s->request_counter++;
    bool merchant = s->gateway != NULL;
    bool has_page = s->options.profile != PROFILE_PRODUCTION; /* it is for those who try things */
    if (!console_believes(&q) ||
        (merchant ? gateway_route(&q)
                  : daraja_route(&q) || paystack_route(&q) || control_route(&q)) ||
        status_route(&q) || (has_page && console_route(&q))) {
        return;
    }
    surface_problem(&q, 0, 404, "no_such_path",
                    "there is nothing at this path; /openapi.json lists what there is");
}
