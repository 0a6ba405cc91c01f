/*
 * console.c - the console's page at / (console/, embedded at build time), and which requests of web
 * pages are believed.
 *
 * Guarantees (R1.7, R1.8; F2)
 *  - the page runs its own script and nothing else: strict Content-Security-Policy, no frames;
 *  - a web page moves nothing here unless it is ours: a request that a browser says it made for a
 *    page (Origin, Sec-Fetch-Site), and that is more than looking, needs a Host of ours, our own
 *    Origin and the token that stands in the page. A page from elsewhere cannot read it, and a name
 *    that was bound to this address (DNS rebinding) gets no page;
 *  - programs need no token: a browser adds those headers by itself, no page can leave them out.
 * Tests: tests/e2e/310-console.sh.
 */
#include "face/console.h"

#include <string.h>

#include "face/documents.h"

void console_token_make(char out[CONSOLE_TOKEN_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[(CONSOLE_TOKEN_SIZE - 1) / 2];
    secrets_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[CONSOLE_TOKEN_SIZE - 1] = '\0';
}

static bool only_looks(struct span method)
{
    return span_is(method, "GET") || span_is(method, "HEAD") || span_is(method, "OPTIONS");
}

void surface_next_door(struct surface *s, struct span url)
{
    bool plain = url.size < sizeof(s->console_other);
    for (size_t i = 0; plain && i < url.size; i++) {
        char c = url.data[i];
        plain = c > ' ' && c < 127 && c != '"' && c != '<' && c != '>' && c != '&';
    }
    size_t size = plain ? url.size : 0;
    if (size > 0) {
        memcpy(s->console_other, url.data, size);
    }
    s->console_other[size] = '\0';
}

/* Providers' callbacks and customers' pages come to the merchant under any name. */
static bool is_public(const struct request *q)
{
    return q->s->gateway != NULL && !span_starts_with(q->path, SPAN_LITERAL("/v1/"));
}

bool console_believes(struct request *q)
{
    struct span origin = http_header(q->x, "Origin");
    struct span site = http_header(q->x, "Sec-Fetch-Site");
    if (is_public(q) || only_looks(q->method) || (origin.data == NULL && site.data == NULL)) {
        return true;
    }
    if (!control_may_ask(q)) {
        return false;
    }
    struct span given = http_header(q->x, "Hakika-Token");
    if (given.data != NULL && span_equal_secret(given, span_from(q->s->console_token))) {
        return true;
    }
    surface_problem(q, 0, 403, "console_token_needed",
                    "a web page asks with the token of this start (header Hakika-Token), which the "
                    "console's page holds; reload the page. Programs need none");
    return false;
}

/* ---- the page ---- */

static void common_headers(struct request *q)
{
    http_reply_header(q->x, "X-Content-Type-Options", SPAN_LITERAL("nosniff"));
    http_reply_header(q->x, "Cross-Origin-Resource-Policy", SPAN_LITERAL("same-origin"));
}

struct mark {
    struct span name; /* as it stands in the page */
    struct span value;
};

/* The mark that the page has at this place; NULL: none. */
static const struct mark *mark_at(const struct mark *marks, size_t count, struct span rest)
{
    for (size_t i = 0; i < count; i++) {
        if (span_starts_with(rest, marks[i].name)) {
            return &marks[i];
        }
    }
    return NULL;
}

static void put_page(struct writer *w, struct span page, const struct mark *marks, size_t count)
{
    size_t start = 0;
    for (size_t at = 0; at < page.size; at++) {
        struct span rest = {page.data + at, page.size - at};
        const struct mark *mark = *rest.data == '{' ? mark_at(marks, count, rest) : NULL;
        if (mark != NULL) {
            put_raw(w, page.data + start, at - start);
            put_raw(w, mark->value.data, mark->value.size);
            start = at + mark->name.size;
        }
    }
    put_raw(w, page.data + start, page.size - start);
}

static void answer_console(struct request *q)
{
    const struct mark marks[] = {
        {SPAN_LITERAL("{token}"), span_from(q->s->console_token)},
        {SPAN_LITERAL("{book}"), span_from(q->s->gateway != NULL ? "merchant" : "operator")},
        {SPAN_LITERAL("{other}"), span_from(q->s->console_other)},
    };
    struct writer w = surface_writer(q->s);
    put_page(&w, console_page(), marks, sizeof(marks) / sizeof(marks[0]));
    common_headers(q);
    http_reply_header(q->x, "Content-Security-Policy",
                      SPAN_LITERAL("default-src 'none'; script-src 'self'; style-src 'self'; "
                                   "img-src 'self' data: blob:; connect-src 'self'; "
                                   "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"));
    http_reply_header(q->x, "X-Frame-Options", SPAN_LITERAL("DENY"));
    http_reply_header(q->x, "Referrer-Policy", SPAN_LITERAL("no-referrer"));
    http_reply_header(q->x, "Cross-Origin-Opener-Policy", SPAN_LITERAL("same-origin"));
    http_reply_header(q->x, "Cache-Control", SPAN_LITERAL("no-store")); /* the token is for now */
    surface_answer(q, 0, 200, "text/html; charset=utf-8", &w);
}

static bool has_token(struct span list, const char *word)
{
    size_t size = strlen(word);
    for (size_t at = 0; at + size <= list.size; at++) {
        if (memcmp(list.data + at, word, size) == 0) {
            return true;
        }
    }
    return false;
}

/* The script or the style: compressed once, at build time. */
static void answer_asset(struct request *q, struct span bytes, const char *type)
{
    struct span version = span_from(console_version());
    struct span known = http_header(q->x, "If-None-Match");
    struct span accepted = http_header(q->x, "Accept-Encoding");
    char tag[40] = "\"";
    CHECK(version.size + 3 <= sizeof(tag));
    memcpy(tag + 1, version.data, version.size);
    memcpy(tag + 1 + version.size, "\"", 2);
    if (bytes.size == 0) {
        surface_problem(q, 0, 404, "console_not_built", "this build was made without Node.js");
        return;
    }
    if (accepted.data == NULL || !has_token(accepted, "gzip")) {
        surface_problem(q, 0, 406, "gzip_needed",
                        "this is kept compressed: ask with Accept-Encoding: gzip");
        return;
    }
    common_headers(q);
    http_reply_header(q->x, "ETag", span_from(tag));
    http_reply_header(q->x, "Cache-Control", SPAN_LITERAL("no-cache"));
    http_reply_header(q->x, "Vary", SPAN_LITERAL("Accept-Encoding"));
    if (known.data != NULL && span_is(known, tag)) {
        http_reply(q->x, 304, NULL, SPAN_EMPTY);
        return;
    }
    http_reply_header(q->x, "Content-Encoding", SPAN_LITERAL("gzip"));
    http_reply(q->x, 200, type, bytes);
}

/* A receiver for those who have none yet: says yes to every callback and does nothing. */
static void answer_sink(struct request *q)
{
    http_reply(q->x, 200, "application/json",
               SPAN_LITERAL("{\"ResultCode\":0,\"ResultDesc\":\"Accepted\"}"));
}

bool console_route(struct request *q)
{
    if (span_is(q->path, "/sink") && span_is(q->method, "POST")) {
        answer_sink(q);
        return true;
    }
    bool page = span_is(q->path, "/");
    bool script = span_is(q->path, "/console.js");
    bool style = span_is(q->path, "/console.css");
    bool reads = span_is(q->method, "GET") || span_is(q->method, "HEAD");
    if (!reads || (!page && !script && !style)) {
        return false;
    }
    if (!control_host_allowed(q)) {
        return true;
    }
    if (page) {
        answer_console(q);
    } else if (script) {
        answer_asset(q, console_script(), "text/javascript; charset=utf-8");
    } else {
        answer_asset(q, console_style(), "text/css; charset=utf-8");
    }
    return true;
}
