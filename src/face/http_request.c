/*
 * http_request.c - the strict reading of a request's head, and what handlers may ask about it.
 *
 * Guarantees: a head that passes http__head_check has one meaning (H4). Every line ends in CRLF,
 * no line is folded, no byte was dropped or changed by the library; one Host; at most one framing
 * header, and that one plain; a target in origin form whose decoded path has no control
 * characters, dot segments or hidden slashes.
 *
 * Relies on libmicrohttpd 0.9.x editing the head in place: it overwrites separators and line ends
 * with NUL and hands out pointers into the same bytes. It is lax about what it so accepts (bare
 * LF, folded lines, NUL, repeated spaces), and all of that shows as a pointer that is not where
 * the strict grammar would put it. From 1.0 on the library is strict itself and is told so.
 * Some spellings leave the same bytes as CRLF does and stay accepted: NUL LF at the end of a line,
 * and at the end of the head four bytes of CR, LF, NUL and colon (0.9.75 takes any line that begins
 * with NUL or a colon for the empty one; all others are seen). No proxy passes a NUL or a nameless
 * header on, so they cannot come through one.
 * Tests: tests/unit/test_http_hostile.c, tests/fuzz/fuzz_http.c.
 */
#include "face/http_internal.h"

#include <strings.h>

/* What a walk over the headers finds out. */
struct head {
    struct http_exchange *x;
    enum http_refusal refusal;
    const char *expected; /* where the next line must begin; NULL: not verified */
    uint32_t headers;
    uint32_t hosts, lengths, codings;
    struct span host, length, coding, expect;
};

static bool is_token_char(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
        return true;
    }
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!is_token_char((unsigned char)s.data[i])) {
            return false;
        }
    }
    return s.size > 0;
}

/* RFC 9110 5.5: visible characters, space, tab, and bytes above ASCII. */
static bool is_field_value(struct span s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static struct span trim_blanks(struct span s)
{
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t')) {
        s.size--;
    }
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.size--;
    }
    return s;
}

static bool equal_caseless(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || strncasecmp(a.data, b.data, a.size) == 0);
}

/* Whether a line's end, two bytes that the library turned into NUL, is at this place. */
static bool line_ends(const char *at)
{
    return at[0] == '\0' && at[1] == '\0';
}

/* The header lies exactly where the previous line ended, and its own end is a CRLF. */
static bool header_in_place(struct head *h, struct span name, struct span value)
{
    if (h->expected == NULL) {
        return true;
    }
    if (name.data != h->expected) {
        return false;
    }
    const char *at = name.data + name.size + 1;
    while (at < value.data && (*at == ' ' || *at == '\t')) {
        at++;
    }
    if (at != value.data || !line_ends(value.data + value.size)) {
        return false;
    }
    h->expected = value.data + value.size + 2;
    return true;
}

static void header_note(struct head *h, struct span name, struct span value)
{
    if (equal_caseless(name, SPAN_LITERAL("host"))) {
        h->hosts++;
        h->host = value;
    } else if (equal_caseless(name, SPAN_LITERAL("content-length"))) {
        h->lengths++;
        h->length = value;
    } else if (equal_caseless(name, SPAN_LITERAL("transfer-encoding"))) {
        h->codings++;
        h->coding = value;
    } else if (equal_caseless(name, SPAN_LITERAL("expect"))) {
        h->expect = value;
    }
}

static enum MHD_Result header_check(void *context, enum MHD_ValueKind kind, const char *key,
                                    size_t key_size, const char *value, size_t value_size)
{
    (void)kind;
    struct head *h = context;
    struct span name = {key, key_size};
    struct span content = {value == NULL ? "" : value, value_size};
    if (!is_token(name) || !is_field_value(content) || !header_in_place(h, name, content)) {
        h->refusal = HTTP_REFUSE_BAD_HEADER;
        return MHD_NO;
    }
    if (++h->headers > h->x->server->limits.headers_max) {
        h->refusal = HTTP_REFUSE_HEAD_TOO_LARGE;
        return MHD_NO;
    }
    header_note(h, name, trim_blanks(content));
    return MHD_YES;
}

/*
 * The library skips lines before a request that are empty, or that begin with NUL. One empty line
 * is right (RFC 9112 2.2); anything more between two requests is not. Every request of a
 * connection is read into the same memory, so the lowest address seen is where reading begins.
 */
static bool begins_the_buffer(struct http_exchange *x, const char *method)
{
    uintptr_t at = (uintptr_t)method;
    if (x->buffer_start == 0 || at < x->buffer_start) {
        x->buffer_start = at;
    }
    x->consumed += at - x->buffer_start;
    return at == x->buffer_start || at == x->buffer_start + 2;
}

/*
 * "METHOD target HTTP/1.1" with single spaces and nothing else; leaves where the headers begin in
 * h->expected.
 */
static bool request_line_in_place(struct head *h, const char *method, const char *version)
{
    size_t method_size = strlen(method);
    if (!begins_the_buffer(h->x, method)) {
        return false;
    }
    const char *uri = h->x->uri;
    if (uri != method + method_size + 1) {
        return false;
    }
    if (version != uri + h->x->target.size + 1 || !line_ends(version + 8)) {
        return false;
    }
    h->expected = version + 8 + 2;
    return true;
}

static enum http_refusal check_lines(struct head *h, const char *method, const char *version)
{
    struct http_exchange *x = h->x;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info == NULL || info->header_size > x->server->limits.head_bytes_max) {
        return HTTP_REFUSE_HEAD_TOO_LARGE;
    }
    size_t head_size = info->header_size;
    x->server->counters.bytes_in += head_size;
    x->consumed += head_size;
    if (x->server->verify_head && !request_line_in_place(h, method, version)) {
        return HTTP_REFUSE_BAD_REQUEST_LINE;
    }
    (void)MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, header_check, h);
    if (h->refusal != HTTP_REFUSE_NONE) {
        return h->refusal;
    }
    if (h->expected != NULL && (h->expected + 2 != method + head_size || !line_ends(h->expected))) {
        return HTTP_REFUSE_BAD_HEADER;
    }
    return HTTP_REFUSE_NONE;
}

/* A name or address and perhaps a port: nothing that could be read as another authority. */
static bool is_host(struct span host)
{
    for (size_t i = 0; i < host.size; i++) {
        unsigned char c = (unsigned char)host.data[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                    c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
        if (!good) {
            return false;
        }
    }
    return host.size > 0 && host.size <= 255;
}

static enum http_refusal check_framing(struct head *h, bool is_1_0)
{
    struct http_exchange *x = h->x;
    if (h->hosts != 1 || !is_host(h->host)) {
        return HTTP_REFUSE_BAD_HOST;
    }
    if (h->lengths > 1 || (h->lengths == 1 && h->codings > 0)) {
        return HTTP_REFUSE_BAD_LENGTH;
    }
    if (h->codings > 0) {
        bool chunked =
            h->codings == 1 && !is_1_0 && equal_caseless(h->coding, SPAN_LITERAL("chunked"));
        /* The library is lax about line ends in the framing of chunks. What another reader could
         * take for the next request is never read as one: the connection ends with this reply. */
        x->close_after = true;
        return chunked ? HTTP_REFUSE_NONE : HTTP_REFUSE_BAD_CODING;
    }
    if (h->lengths == 1) {
        uint64_t length;
        if (!span_parse_u64(h->length, &length)) {
            return HTTP_REFUSE_BAD_LENGTH;
        }
        x->body_expected = length;
    }
    return HTTP_REFUSE_NONE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes one byte at *at and moves on; -1 when a percent sign stands without two digits. */
static int decode_byte(struct span text, size_t *at)
{
    char c = text.data[*at];
    if (c != '%') {
        *at += 1;
        return (unsigned char)c;
    }
    if (text.size - *at < 3) {
        return -1;
    }
    int high = hex_digit(text.data[*at + 1]);
    int low = hex_digit(text.data[*at + 2]);
    *at += 3;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* True when the segment that ends at the end of path is "." or "..". */
static bool ends_in_dots(struct span path)
{
    size_t dots = 0;
    while (dots < path.size && dots < 3 && path.data[path.size - 1 - dots] == '.') {
        dots++;
    }
    return (dots == 1 || dots == 2) && path.size > dots && path.data[path.size - 1 - dots] == '/';
}

/*
 * Decodes the path into the room kept for it. Refuses what another reader could resolve to
 * another path: encoded slashes, backslashes, NUL and control characters, dot segments.
 */
static bool decode_path(struct http_exchange *x, struct span raw)
{
    char *out = x->path_room;
    size_t size = 0;
    for (size_t i = 0; i < raw.size;) {
        bool plain = raw.data[i] != '%';
        int c = decode_byte(raw, &i);
        if (c < 0x20 || c == 0x7f || c == '\\' || (c == '/' && !plain)) {
            return false;
        }
        if (c == '/' && ends_in_dots((struct span){out, size})) {
            return false;
        }
        out[size++] = (char)c;
    }
    x->path = (struct span){out, size};
    return !ends_in_dots(x->path);
}

/*
 * Absolute form ("http://host/path") is for proxies, but RFC 9112 3.2.2 wants it understood. It
 * is, when it names the same authority as Host; otherwise it would have two meanings.
 */
static bool strip_authority(struct span *target, struct span host)
{
    struct span scheme = SPAN_LITERAL("http://");
    if (target->size < scheme.size ||
        !equal_caseless((struct span){target->data, scheme.size}, scheme)) {
        return false;
    }
    struct span rest = {target->data + scheme.size, target->size - scheme.size};
    if (rest.size <= host.size || rest.data[host.size] != '/' ||
        !equal_caseless((struct span){rest.data, host.size}, host)) {
        return false;
    }
    *target = (struct span){rest.data + host.size, rest.size - host.size};
    return true;
}

static enum http_refusal check_target(struct head *h)
{
    struct http_exchange *x = h->x;
    struct span target = {x->target.data, x->target.size};
    for (size_t i = 0; i < target.size; i++) {
        unsigned char c = (unsigned char)target.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '#') {
            return HTTP_REFUSE_BAD_TARGET;
        }
    }
    if (span_is(target, "*") && span_is(x->method, "OPTIONS")) {
        x->path = target;
        return HTTP_REFUSE_NONE;
    }
    if ((target.size == 0 || target.data[0] != '/') && !strip_authority(&target, h->host)) {
        return HTTP_REFUSE_BAD_TARGET;
    }
    const char *mark = memchr(target.data, '?', target.size);
    size_t raw_size = mark == NULL ? target.size : (size_t)(mark - target.data);
    if (mark != NULL) {
        x->query = (struct span){mark + 1, target.size - raw_size - 1};
    }
    bool good = decode_path(x, (struct span){target.data, raw_size});
    return good ? HTTP_REFUSE_NONE : HTTP_REFUSE_BAD_TARGET;
}

enum http_refusal http__head_check(struct http_exchange *x, const char *method, const char *version)
{
    CHECK(x->phase == HTTP_HEAD);
    struct head h = {.x = x};
    x->method = span_from(method);
    if (x->target_too_long) {
        return HTTP_REFUSE_TARGET_TOO_LONG;
    }
    enum http_refusal refusal = check_lines(&h, method, version);
    if (refusal != HTTP_REFUSE_NONE) {
        return refusal;
    }
    if (!is_token(x->method) || x->method.size > 32) {
        return HTTP_REFUSE_BAD_REQUEST_LINE;
    }
    bool is_1_0 = strcmp(version, "HTTP/1.0") == 0;
    if (!is_1_0 && strcmp(version, "HTTP/1.1") != 0) {
        return HTTP_REFUSE_BAD_VERSION;
    }
    refusal = check_framing(&h, is_1_0);
    if (refusal != HTTP_REFUSE_NONE) {
        return refusal;
    }
    if (h.expect.size > 0) {
        if (!equal_caseless(h.expect, SPAN_LITERAL("100-continue"))) {
            return HTTP_REFUSE_BAD_EXPECT;
        }
        x->expects_continue = true;
    }
    refusal = check_target(&h);
    if (refusal != HTTP_REFUSE_NONE) {
        return refusal;
    }
    const struct http_server *s = x->server;
    x->body_max = s->limits.body_bytes_max;
    if (s->large_body != NULL && s->large_body(s->context, x)) {
        x->body_max = s->limits.large_body_bytes_max;
    }
    return x->body_expected > x->body_max ? HTTP_REFUSE_BODY_TOO_LARGE : HTTP_REFUSE_NONE;
}

struct span http_method(const struct http_exchange *x)
{
    return x->method;
}

struct span http_path(const struct http_exchange *x)
{
    return x->path;
}

struct span http_query(const struct http_exchange *x)
{
    return x->query;
}

struct span http_body(const struct http_exchange *x)
{
    return (struct span){x->body.data, x->body.size};
}

struct span http_header(const struct http_exchange *x, const char *name)
{
    const char *value = NULL;
    size_t size = 0;
    if (MHD_lookup_connection_value_n(x->connection, MHD_HEADER_KIND, name, strlen(name), &value,
                                      &size) == MHD_NO) {
        return SPAN_EMPTY;
    }
    return trim_blanks((struct span){value == NULL ? "" : value, size});
}

struct header_list {
    struct span name;
    struct writer *w;
    size_t begin;
    bool found;
};

static enum MHD_Result header_join(void *context, enum MHD_ValueKind kind, const char *key,
                                   size_t key_size, const char *value, size_t value_size)
{
    struct header_list *list = context;
    (void)kind;
    if (!equal_caseless((struct span){key, key_size}, list->name)) {
        return MHD_YES;
    }
    struct span line = trim_blanks((struct span){value == NULL ? "" : value, value_size});
    put_raw(list->w, ", ", list->found ? 2 : 0);
    put_raw(list->w, line.data, line.size);
    list->found = true;
    return MHD_YES;
}

struct span http_header_list(const struct http_exchange *x, const char *name, struct writer *w)
{
    struct header_list list = {.name = span_from(name), .w = w, .begin = w->size};
    (void)MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, header_join, &list);
    CHECK(!w->overflow);
    return list.found ? (struct span){(const char *)w->data + list.begin, w->size - list.begin}
                      : SPAN_EMPTY;
}

/*
 * Decodes a part of the query into the place of the same offset in the room kept for it, so that
 * asking again needs no more memory; data NULL when a percent sequence is malformed.
 */
static struct span decode_query(struct http_exchange *x, struct span raw)
{
    char *out = x->query_room + (raw.data - x->query.data);
    size_t size = 0;
    for (size_t i = 0; i < raw.size;) {
        bool plus = raw.data[i] == '+';
        int c = decode_byte(raw, &i);
        if (c < 0) {
            return SPAN_EMPTY;
        }
        out[size++] = plus ? ' ' : (char)c;
    }
    return (struct span){out, size};
}

struct span http_query_value(struct http_exchange *x, const char *name)
{
    struct span wanted = span_from(name);
    struct span rest = x->query;
    while (rest.size > 0) {
        const char *amp = memchr(rest.data, '&', rest.size);
        struct span pair = {rest.data, amp == NULL ? rest.size : (size_t)(amp - rest.data)};
        size_t used = pair.size + (amp == NULL ? 0 : 1);
        rest = (struct span){rest.data + used, rest.size - used};
        const char *equals = pair.size == 0 ? NULL : memchr(pair.data, '=', pair.size);
        size_t key_size = equals == NULL ? pair.size : (size_t)(equals - pair.data);
        if (!span_equal((struct span){pair.data, key_size}, wanted)) {
            continue;
        }
        if (equals == NULL) {
            return (struct span){"", 0};
        }
        return decode_query(x, (struct span){equals + 1, pair.size - key_size - 1});
    }
    return SPAN_EMPTY;
}

struct span http_peer(const struct http_exchange *x)
{
    return span_from(x->peer);
}

int64_t http_received_ns(const struct http_exchange *x)
{
    return x->received_ns;
}
