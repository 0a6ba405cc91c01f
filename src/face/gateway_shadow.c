/*
 * gateway_shadow.c - shadow mode (R6.12): Daraja's paths on the merchant's port are forwarded to
 * the real provider as they came (method, path, query, Authorization, Content-Type, body), its
 * answer is given back as it is, and what was seen is kept. Nothing acts: no payment is made of it,
 * nothing is changed on its way, and callbacks go where they always went. What lies under /v1/ is
 * the gateway's own.
 *
 * Secrets are masked in what is kept (passwords, credentials, access tokens). A call that cannot be
 * kept goes through all the same. An answer of more than 8 KiB cannot be given back: it is a 502.
 * Tests: tests/e2e/350-shadow.sh.
 */
#include <stdio.h>
#include <string.h>

#include "base/delivery_error.h"
#include "face/daraja.h"
#include "face/gateway.h"

enum { ANSWER_MAX = 8 * 1024 };

/* ---- forwarding ---- */

static struct span shadow_base(const struct surface *s)
{
    const char *of = s->options.shadow_of;
    return of == NULL                    ? SPAN_EMPTY
           : strcmp(of, "operator") == 0 ? span_from(s->gateway->operator_url)
                                         : span_from(of);
}

/* What a URL may hold as it is: a path was decoded once. */
static bool is_plain(struct span path)
{
    for (size_t i = 0; i < path.size; i++) {
        char c = path.data[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '/' || c == '-' || c == '_' || c == '.';
        if (!good) {
            return false;
        }
    }
    return true;
}

static const char *objection(const struct request *q)
{
    bool get = span_is(q->method, "GET");
    if (!get && !span_is(q->method, "POST")) {
        return "shadow mode forwards GET and POST";
    }
    if (!is_plain(q->path)) {
        return "shadow mode forwards plain paths";
    }
    return get && http_body(q->x).size > 0 ? "shadow mode forwards no body of a GET: use POST"
                                           : NULL;
}

bool gateway_shadow_route(struct request *q)
{
    struct gateway_face *f = q->s->gateway;
    if (shadow_base(q->s).size == 0 || !daraja_is_path(q->path) ||
        span_starts_with(q->path, SPAN_LITERAL("/v1/"))) {
        return false;
    }
    const char *why = objection(q);
    if (why != NULL) {
        surface_problem(q, 0, 501, "not_forwarded", why);
        return true;
    }
    for (uint32_t i = 0; i < GATEWAY_SHADOWS_UNDER_WAY; i++) {
        if (!f->shadows[i].used) {
            f->shadows[i] = (struct shadow_call){.ticket = http_ticket(q->x), .used = true};
            http_hold_open(q->x);
            return true;
        }
    }
    daraja_refuse_busy(q, ENGINE_BUSY);
    return true;
}

/* "Name: value", or NULL when the call has none, or a value that is too long. */
static const char *header_line(struct http_exchange *x, const char *name, char *out, size_t room)
{
    struct span value = http_header(x, name);
    int size = snprintf(out, room, "%s: %.*s", name, (int)value.size,
                        value.data == NULL ? "" : value.data);
    return value.data != NULL && size > 0 && (size_t)size < room ? out : NULL;
}

static void write_job(struct surface *s, struct http_exchange *x, struct writer *w,
                      struct gateway_job *job)
{
    struct gateway_face *f = s->gateway;
    struct span base = shadow_base(s);
    struct span query = http_query(x);
    struct span content_type = http_header(x, "Content-Type");
    const uint8_t *at = w->data + w->size;
    size_t start = w->size;
    memset(job, 0, sizeof(*job));
    put_raw(w, base.data, base.size);
    put_raw(w, http_path(x).data, http_path(x).size);
    if (query.size > 0) {
        put_u8(w, '?');
        put_raw(w, query.data, query.size);
    }
    CHECK(!w->overflow);
    job->url = (struct span){(const char *)at, w->size - start};
    if (span_is(http_method(x), "POST")) {
        struct span body = http_body(x);
        job->body = body.data != NULL ? body : SPAN_LITERAL("");
    }
    job->headers[0] = header_line(x, "Authorization", f->authorization, sizeof(f->authorization));
    if (content_type.size > 0 && content_type.size < sizeof(f->content_type)) {
        memcpy(f->content_type, content_type.data, content_type.size);
        f->content_type[content_type.size] = '\0';
        job->content_type = f->content_type;
    }
}

bool gateway_shadow_take(struct surface *s, struct writer *w, struct gateway_job *job,
                         uint32_t *slot)
{
    struct gateway_face *f = s->gateway;
    for (uint32_t i = 0; i < GATEWAY_SHADOWS_UNDER_WAY && shadow_base(s).size > 0; i++) {
        struct shadow_call *call = &f->shadows[i];
        if (!call->used || call->sent) {
            continue;
        }
        struct http_exchange *x = http_find(s->server, call->ticket);
        if (x == NULL) {
            call->used = false; /* its client has gone before anything was sent */
            continue;
        }
        write_job(s, x, w, job);
        call->sent = true;
        *slot = i;
        return true;
    }
    return false;
}

/* ---- what is kept ---- */

/* The values of these members are replaced by stars. */
static void mask(char *text, size_t size, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i + length + 2 <= size; i++) {
        if (text[i] != '"' || memcmp(text + i + 1, name, length) != 0 ||
            text[i + 1 + length] != '"') {
            continue;
        }
        size_t at = i + length + 2;
        while (at < size && text[at] != '"') {
            at++;
        }
        for (at++; at < size && text[at] != '"'; at++) {
            text[at] = '*';
        }
    }
}

/* With a backslash a name may be written in another way: then nothing of it is kept. */
static struct span masked(struct span body, char room[GATEWAY_SHADOW_TEXT_MAX])
{
    static const char *const secrets[] = {"Password", "SecurityCredential", "InitiatorPassword",
                                          "access_token"};
    size_t size = body.size < GATEWAY_SHADOW_TEXT_MAX ? body.size : GATEWAY_SHADOW_TEXT_MAX;
    if (size == 0 || memchr(body.data, '\\', body.size) != NULL) {
        return SPAN_EMPTY;
    }
    memcpy(room, body.data, size);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        mask(room, size, secrets[i]);
    }
    return (struct span){room, size};
}

/* Returns the position to wait for; 0: it could not be kept. */
static uint64_t keep(struct surface *s, struct http_exchange *x,
                     const struct gateway_shadow_answer *answer)
{
    char path[300];
    char request[GATEWAY_SHADOW_TEXT_MAX];
    char said[GATEWAY_SHADOW_TEXT_MAX];
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    int size = snprintf(path, sizeof(path), "%.*s %.*s", (int)http_method(x).size,
                        http_method(x).data, (int)http_path(x).size, http_path(x).data);
    struct shadow_command c = {.status = answer->status,
                               .error = answer->error,
                               .duration_ms = answer->duration_ms,
                               .request = masked(http_body(x), request),
                               .answer = masked(answer->body, said)};
    c.path = (struct span){path, size < (int)sizeof(path) ? (size_t)size : sizeof(path) - 1};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_SHADOW, &c, &reply);
    return result.status == ENGINE_APPLIED ? result.wait_position : 0;
}

void gateway_shadow_answered(struct surface *s, uint32_t slot,
                             const struct gateway_shadow_answer *answer)
{
    CHECK(slot < GATEWAY_SHADOWS_UNDER_WAY);
    struct shadow_call *call = &s->gateway->shadows[slot];
    struct http_exchange *x = http_find(s->server, call->ticket);
    call->used = false;
    if (x == NULL) {
        return; /* its client has gone */
    }
    struct request q = {.s = s, .x = x, .method = http_method(x), .path = http_path(x)};
    uint64_t wait_position = keep(s, x, answer);
    if (answer->error != DELIVERY_ANSWERED || answer->body.size >= ANSWER_MAX) {
        surface_problem(&q, wait_position, 502, "no_answer",
                        "the provider gave no answer that could be passed on; whether it took the "
                        "call is not known");
        return;
    }
    struct writer w = surface_writer(s);
    put_raw(&w, answer->body.data, answer->body.size);
    surface_answer(&q, wait_position, answer->status, "application/json", &w);
}

/* ---- the application's view of it ---- */

static void render_shadow_call(struct surface *s, struct writer *w,
                               const struct gateway_shadow *seen)
{
    json_open(w, '{');
    surface_id_field(w, "id", "shd_", seen->number);
    json_field_text(w, "object", "shadow_call");
    gateway_text_field(s, w, "call", seen->path);
    json_field_u64(w, "status", seen->status);
    if (seen->error == DELIVERY_ANSWERED) {
        json_field_null(w, "error");
    } else {
        json_field_text(w, "error", delivery_error_text((enum delivery_error)seen->error));
    }
    json_field_u64(w, "duration_ms", seen->duration_ms);
    gateway_text_field(s, w, "request", seen->request);
    gateway_text_field(s, w, "answer", seen->answer);
    surface_time_field(w, "seen_at", seen->at_ns);
    json_close(w, '}');
}

/* Newest first; for the first merchant alone, whose gateway it is. */
void gateway_shadow_list(struct request *q)
{
    const struct gateway *g = surface_gateway(q->s);
    struct list_walk walk;
    if (!surface_walk_begin(q, &walk, "shd_", q->merchant == 0 ? g->shadows.used : 0)) {
        return;
    }
    while (surface_walk_on(&walk)) {
        const struct gateway_shadow *seen = gateway_shadow(g, walk.number);
        if (surface_walk_takes(&walk, true)) {
            render_shadow_call(q->s, &walk.w, seen);
        }
    }
    surface_walk_end(q, &walk);
}
