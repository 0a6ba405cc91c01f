/*
 * outbox_codec.c - the outbox in bytes: events, state, and the full check of B1 to B4.
 */
#include <string.h>

#include "book/outbox.h"

void outbox_event_encode(struct writer *w, const struct outbox_event *e)
{
    put_u64(w, e->number);
    switch (e->kind) {
    case EVENT_DELIVERY_QUEUED:
        put_u64(w, e->subject);
        put_u64(w, e->target);
        put_u16(w, e->item_kind);
        put_i64(w, e->next_try_ns);
        break;
    case EVENT_DELIVERY_ATTEMPTED:
        put_i64(w, e->next_try_ns);
        put_u32(w, e->duration_ms);
        put_u16(w, e->status);
        put_u8(w, e->error);
        put_u8(w, e->state);
        break;
    case EVENT_DELIVERY_REVIVED: put_i64(w, e->next_try_ns); break;
    case EVENT_ANSWER_KEPT: put_text(w, e->answer); break;
    default: UNREACHABLE("unknown outbox event");
    }
}

bool outbox_event_decode(uint16_t kind, struct reader *r, struct outbox_event *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = kind;
    out->number = get_u64(r);
    switch (kind) {
    case EVENT_DELIVERY_QUEUED:
        out->subject = get_u64(r);
        out->target = get_u64(r);
        out->item_kind = get_u16(r);
        out->next_try_ns = get_i64(r);
        break;
    case EVENT_DELIVERY_ATTEMPTED:
        out->next_try_ns = get_i64(r);
        out->duration_ms = get_u32(r);
        out->status = get_u16(r);
        out->error = get_u8(r);
        out->state = get_u8(r);
        break;
    case EVENT_DELIVERY_REVIVED: out->next_try_ns = get_i64(r); break;
    case EVENT_ANSWER_KEPT: out->answer = get_text(r); break;
    default: return false;
    }
    return reader_done(r);
}

void outbox_save(const struct outbox *o, struct writer *w)
{
    put_u64(w, o->last_number);
    put_u64(w, o->delivered);
    put_u64(w, o->dead);
    put_u64(w, o->failed_attempts);
    slab_shape_save(&o->items, w);
    for (uint32_t i = slab_next(&o->items, 0); i != SLAB_NONE; i = slab_next(&o->items, i + 1)) {
        const struct outbox_item *item = slab_at(&o->items, i);
        put_u64(w, item->number);
        put_u64(w, item->subject);
        put_u64(w, item->target);
        put_u64(w, item->position);
        put_i64(w, item->queued_ns);
        put_i64(w, item->next_try_ns);
        put_u32(w, item->first_attempt);
        put_u32(w, item->last_attempt);
        put_u16(w, item->attempts);
        put_u16(w, item->tries);
        put_u16(w, item->kind);
        put_u8(w, item->state);
    }
    slab_shape_save(&o->attempts, w);
    for (uint32_t i = slab_next(&o->attempts, 0); i != SLAB_NONE;
         i = slab_next(&o->attempts, i + 1)) {
        const struct outbox_attempt *a = slab_at(&o->attempts, i);
        put_i64(w, a->at_ns);
        put_u64(w, a->position);
        put_u32(w, a->duration_ms);
        put_u32(w, a->answer);
        put_u32(w, a->next);
        put_u16(w, a->status);
        put_u8(w, a->error);
    }
}

static void load_item(struct reader *r, struct outbox_item *item)
{
    item->number = get_u64(r);
    item->subject = get_u64(r);
    item->target = get_u64(r);
    item->position = get_u64(r);
    item->queued_ns = get_i64(r);
    item->next_try_ns = get_i64(r);
    item->first_attempt = get_u32(r);
    item->last_attempt = get_u32(r);
    item->attempts = get_u16(r);
    item->tries = get_u16(r);
    item->kind = get_u16(r);
    item->state = get_u8(r);
}

static bool load_items(struct outbox *o, struct reader *r)
{
    if (!slab_shape_load(&o->items, r) || !map_reserve(&o->by_number, o->items.used) ||
        !timers_reserve(&o->timed, o->items.used)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->items, 0); i != SLAB_NONE; i = slab_next(&o->items, i + 1)) {
        struct outbox_item *item = slab_at(&o->items, i);
        load_item(r, item);
        if (r->bad || map_get(&o->by_number, item->number) != MAP_NONE) {
            return false;
        }
        map_put(&o->by_number, item->number, i);
        uint32_t slot = map_get(&o->by_target, item->target);
        if (slot == MAP_NONE) {
            if (!slab_reserve(&o->targets, 1) || !map_reserve(&o->by_target, 1)) {
                return false;
            }
            slot = slab_take(&o->targets);
            struct outbox_target *t = slab_at(&o->targets, slot);
            t->key = item->target;
            t->ready_head = SLAB_NONE;
            t->ready_tail = SLAB_NONE;
            t->next = SLAB_NONE;
            map_put(&o->by_target, item->target, slot);
        }
        item->target_slot = slot;
        if (item->state == OUTBOX_WAITING) {
            timers_add(&o->timed, item->next_try_ns, i);
        }
    }
    return true;
}

bool outbox_load(struct outbox *o, struct reader *r)
{
    o->last_number = get_u64(r);
    o->delivered = get_u64(r);
    o->dead = get_u64(r);
    o->failed_attempts = get_u64(r);
    if (!load_items(o, r) || !slab_shape_load(&o->attempts, r)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->attempts, 0); i != SLAB_NONE;
         i = slab_next(&o->attempts, i + 1)) {
        struct outbox_attempt *a = slab_at(&o->attempts, i);
        a->at_ns = get_i64(r);
        a->position = get_u64(r);
        a->duration_ms = get_u32(r);
        a->answer = get_u32(r);
        a->next = get_u32(r);
        a->status = get_u16(r);
        a->error = get_u8(r);
    }
    return !r->bad;
}

/* B4, and the number of attempts of one item. */
static void check_attempts(const struct outbox *o, const struct outbox_item *item)
{
    uint32_t count = 0;
    uint32_t last = SLAB_NONE;
    int64_t at_ns = INT64_MIN;
    for (uint32_t i = item->first_attempt; i != SLAB_NONE; count++) {
        const struct outbox_attempt *a = slab_at(&o->attempts, i);
        CHECK(a->at_ns >= at_ns);
        CHECK(count < item->attempts);
        at_ns = a->at_ns;
        last = i;
        i = a->next;
    }
    CHECK(count == item->attempts && last == item->last_attempt);
}

static void check_target(const struct outbox *o, const struct outbox_target *t)
{
    uint32_t ready = 0;
    for (uint32_t i = t->ready_head; i != SLAB_NONE; ready++) {
        const struct outbox_item *item = slab_at(&o->items, i);
        CHECK(item->phase == OUTBOX_READY && ready < t->ready);
        i = item->link;
    }
    CHECK(ready == t->ready);
    CHECK(IMPLIES(t->ready > 0, t->listed));
    CHECK(t->in_flight <= OUTBOX_TARGET_IN_FLIGHT_MAX);
}

void outbox_check(const struct outbox *o)
{
    uint32_t timed = 0;
    uint32_t ready = 0;
    uint32_t in_flight = 0;
    for (uint32_t i = slab_next(&o->items, 0); i != SLAB_NONE; i = slab_next(&o->items, i + 1)) {
        const struct outbox_item *item = slab_at(&o->items, i);
        CHECK(map_get(&o->by_number, item->number) == i);
        check_attempts(o, item);
        if (item->state == OUTBOX_WAITING) {
            timed += item->phase == OUTBOX_TIMED;
            ready += item->phase == OUTBOX_READY;
            in_flight += item->phase == OUTBOX_IN_FLIGHT;
        }
    }
    CHECK(timed == o->timed.count && ready == o->ready && in_flight == o->in_flight);
    for (uint32_t i = slab_next(&o->targets, 0); i != SLAB_NONE;
         i = slab_next(&o->targets, i + 1)) {
        check_target(o, slab_at(&o->targets, i));
    }
    timers_check(&o->timed);
}
