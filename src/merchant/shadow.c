/*
 * shadow.c - what was seen in shadow mode, one after the other. Tests: tests/e2e/350-shadow.sh.
 */
#include "merchant/shadow.h"

#include "merchant/internal.h"

const struct gateway_shadow *gateway_shadow(const struct gateway *g, uint64_t number)
{
    bool there = number > 0 && number <= g->shadows.used;
    return there ? slab_at(&g->shadows, (uint32_t)(number - 1)) : NULL;
}

void gateway__decide_shadow(const struct gateway *g, struct decision *d)
{
    const struct shadow_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    struct gateway_event e = {.kind = EVENT_SHADOW_SEEN};
    CHECK(c->path.size > 0 && c->path.size <= GATEWAY_SHADOW_TEXT_MAX);
    CHECK(c->request.size <= GATEWAY_SHADOW_TEXT_MAX && c->answer.size <= GATEWAY_SHADOW_TEXT_MAX);
    e.shadow_seen.number = g->shadows.used + (uint64_t)1;
    e.shadow_seen.status = c->status;
    e.shadow_seen.error = c->error;
    e.shadow_seen.duration_ms = c->duration_ms;
    e.shadow_seen.path = c->path;
    e.shadow_seen.request = c->request;
    e.shadow_seen.answer = c->answer;
    gateway__emit(&gd, &e);
    reply->number = e.shadow_seen.number;
}

void gateway__apply_shadow(struct gateway *g, const struct gateway_event *e,
                           const struct frame_info *frame)
{
    uint32_t slot = slab_take(&g->shadows);
    struct gateway_shadow *s = slab_at(&g->shadows, slot);
    CHECK(e->shadow_seen.number == slot + (uint64_t)1); /* none is ever forgotten */
    s->number = e->shadow_seen.number;
    s->position = frame->position;
    s->at_ns = frame->time_ns;
    s->duration_ms = e->shadow_seen.duration_ms;
    s->status = e->shadow_seen.status;
    s->error = e->shadow_seen.error;
    s->path = texts_keep(&g->book->texts, e->shadow_seen.path);
    s->request = texts_keep(&g->book->texts, e->shadow_seen.request);
    s->answer = texts_keep(&g->book->texts, e->shadow_seen.answer);
}
