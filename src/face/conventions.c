/*
 * conventions.c - see conventions.h.
 */
#include "face/conventions.h"

#include <stdio.h>

#include "base/caltime.h"
#include "base/hash.h"
#include "face/internal.h"

void surface_list_open(struct writer *w)
{
    json_open(w, '{');
    json_field_text(w, "object", "list");
    json_key(w, "data");
    json_open(w, '[');
}

void surface_list_close(struct request *q, struct writer *w, bool has_more)
{
    json_close(w, ']');
    json_field_bool(w, "has_more", has_more);
    json_close(w, '}');
    surface_json(q, engine_read_position(q->s->engine), 200, w);
}

bool surface_list_limit(struct request *q, uint64_t *limit)
{
    struct span text = http_query_value(q->x, "limit");
    *limit = LIST_LIMIT_DEFAULT;
    if (text.data != NULL &&
        (!span_parse_u64(text, limit) || *limit < 1 || *limit > LIST_LIMIT_MAX)) {
        surface_problem(q, 0, 400, "invalid_limit", "limit must be 1 to 100");
        return false;
    }
    return true;
}

bool surface_walk_begin(struct request *q, struct list_walk *walk, const char *prefix,
                        uint64_t last_number)
{
    struct span after = http_query_value(q->x, "starting_after");
    uint64_t before = UINT64_MAX;
    memset(walk, 0, sizeof(*walk));
    walk->prefix = prefix;
    if (!surface_list_limit(q, &walk->limit)) {
        return false;
    }
    if (after.data != NULL && !surface_parse_number(after, prefix, &before)) {
        surface_problem(q, 0, 400, "invalid_starting_after",
                        "starting_after must be an id from this list");
        return false;
    }
    walk->number = before > last_number ? last_number : before - (before > 0);
    walk->w = surface_writer(q->s);
    surface_list_open(&walk->w);
    return true;
}

bool surface_walk_on(const struct list_walk *walk)
{
    return walk->number > 0 && !walk->more;
}

bool surface_walk_takes(struct list_walk *walk, bool wanted)
{
    bool full = walk->shown == walk->limit || walk->w.size > SURFACE_BODY_MAX / 2;
    walk->more = walk->looks++ >= LIST_LOOKS_MAX || (wanted && full);
    if (walk->more) {
        return false;
    }
    walk->number--;
    walk->shown += wanted;
    return wanted;
}

void surface_walk_end(struct request *q, struct list_walk *walk)
{
    json_close(&walk->w, ']');
    json_field_bool(&walk->w, "has_more", walk->more);
    if (walk->more) {
        surface_id_field(&walk->w, "next", walk->prefix, walk->number + 1);
    }
    json_close(&walk->w, '}');
    surface_json(q, engine_read_position(q->s->engine), 200, &walk->w);
}

bool surface_parse_number(struct span id, const char *prefix, uint64_t *out)
{
    struct span start = span_from(prefix);
    if (!span_starts_with(id, start)) {
        return false;
    }
    struct span digits = {id.data + start.size, id.size - start.size};
    return span_parse_u64(digits, out);
}

void surface_id_field(struct writer *w, const char *name, const char *prefix, uint64_t number)
{
    char id[32];
    if (number == 0) {
        json_field_null(w, name);
        return;
    }
    (void)snprintf(id, sizeof(id), "%s%llu", prefix, (unsigned long long)number);
    json_field_text(w, name, id);
}

void surface_time_field(struct writer *w, const char *name, int64_t ns)
{
    char text[RFC3339_SIZE];
    if (ns == 0) {
        json_field_null(w, name);
        return;
    }
    (void)rfc3339_format(ns, text);
    json_field_text(w, name, text);
}

bool surface_bearer(struct request *q, struct span *key)
{
    struct span given = http_header(q->x, "Authorization");
    struct span bearer = SPAN_LITERAL("Bearer ");
    if (given.data == NULL || !span_starts_with(given, bearer)) {
        return false;
    }
    *key = (struct span){given.data + bearer.size, given.size - bearer.size};
    return true;
}

uint64_t surface_url_target(struct span url)
{
    size_t slashes = 0;
    size_t end = 0;
    while (end < url.size && (url.data[end] != '/' || ++slashes < 3) && url.data[end] != '?' &&
           url.data[end] != '#') {
        end++;
    }
    return hash_bytes(url.data, end, 0) | 1;
}

bool surface_decided(struct request *q, struct engine_result result)
{
    if (result.status == ENGINE_APPLIED || result.status == ENGINE_REFUSED) {
        return true;
    }
    surface_not_decided(q, result.status);
    return false;
}
