/*
 * conventions.h - what the calls of our own APIs (control, gateway) have in common: lists, numbered
 * ids, times, keys, targets, and an engine that did not decide. Included by internal.h.
 */
#ifndef HAKIKA_FACE_CONVENTIONS_H
#define HAKIKA_FACE_CONVENTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/span.h"
#include "engine/engine.h"

struct request;

/* {"object":"list","data":[ and what closes it; the answer waits for all that was read. */
void surface_list_open(struct writer *w);
void surface_list_close(struct request *q, struct writer *w, bool has_more);
/* ?limit= of a list, or LIST_LIMIT_DEFAULT; false after answering that it is wrong. */
bool surface_list_limit(struct request *q, uint64_t *limit);

/*
 * A page of numbered things, newest first:
 *
 *     if (!surface_walk_begin(q, &walk, "rcp_", last_number)) return;
 *     while (surface_walk_on(&walk)) {
 *         thing = find(walk.number);
 *         if (surface_walk_takes(&walk, thing != NULL && is_wanted(thing))) render(&walk.w, thing);
 *     }
 *     surface_walk_end(q, &walk);
 *
 * A page ends when it has ?limit= things, is half an answer long, or has looked at LIST_LOOKS_MAX
 * (so that no question about a long past stops the loop); then has_more is true and "next" is what
 * ?starting_after= takes to go on.
 */
struct list_walk {
    struct writer w;
    const char *prefix;
    uint64_t number; /* of the thing to look at; 0: that was all */
    uint64_t limit;
    uint64_t shown;
    uint32_t looks;
    bool more;
};
/* False after answering that limit or starting_after is wrong. */
bool surface_walk_begin(struct request *q, struct list_walk *walk, const char *prefix,
                        uint64_t last_number);
bool surface_walk_on(const struct list_walk *walk);
/* Moves on to the next one; true: this one is for the caller to render. */
bool surface_walk_takes(struct list_walk *walk, bool wanted);
void surface_walk_end(struct request *q, struct list_walk *walk);

/* "req_12" with the prefix "req_" */
bool surface_parse_number(struct span id, const char *prefix, uint64_t *out);
/* The member "req_12"; null when number is 0. */
void surface_id_field(struct writer *w, const char *name, const char *prefix, uint64_t number);
/* RFC 3339 in UTC; null when ns is 0. */
void surface_time_field(struct writer *w, const char *name, int64_t ns);

/* The key of "Authorization: Bearer KEY"; false: there is none. */
bool surface_bearer(struct request *q, struct span *key);

/* Hash of scheme, host and port, never 0: the outbox has one queue of messages for each. */
uint64_t surface_url_target(struct span url);

/* Was it decided, applied or refused? False after answering what it means that it was not. */
bool surface_decided(struct request *q, struct engine_result result);

#endif
