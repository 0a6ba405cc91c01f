/*
 * outbox_codec.c - the outbox in bytes: events, state, and the full check of B1 to B4.
 */
#include <string.h>

#include "base/mutant.h"
#include "book/outbox.h"

static bool state_known(uint8_t state)
{
    return state >= OUTBOX_WAITING && state <= OUTBOX_DEAD;
}

static bool edited_fits(const struct outbox_event *e)
{
    return e->original > 0 && e->original < e->number && e->url.size > 0 && e->body.size > 0 &&
           e->url.size <= OUTBOX_EDIT_URL_MAX && e->body.size <= OUTBOX_EDIT_BODY_MAX;
}

static void edited_encode(struct writer *w, const struct outbox_event *e)
{
    CHECK(edited_fits(e));
    CHECK(e->next_try_ns > 0);
    put_u64(w, e->subject);
    put_u64(w, e->target);
    put_u16(w, e->item_kind);
    put_i64(w, e->next_try_ns);
    put_u64(w, e->original);
    put_text(w, e->url);
    put_text(w, e->body);
}

static void edited_decode(struct reader *r, struct outbox_event *out)
{
    CHECK(out->kind == EVENT_DELIVERY_EDITED);
    out->subject = get_u64(r);
    out->target = get_u64(r);
    out->item_kind = get_u16(r);
    out->next_try_ns = get_i64(r);
    out->original = get_u64(r);
    out->url = get_text(r);
    out->body = get_text(r);
    r->bad = r->bad || !edited_fits(out);
}

void outbox_event_encode(struct writer *w, const struct outbox_event *e)
{
    CHECK(e->number != 0);
    put_u64(w, e->number);
    switch (e->kind) {
    case EVENT_DELIVERY_QUEUED:
        put_u64(w, e->subject);
        put_u64(w, e->target);
        put_u16(w, e->item_kind);
        put_i64(w, e->next_try_ns);
        break;
    case EVENT_DELIVERY_ATTEMPTED:
        CHECK(state_known(e->state));
        CHECK((e->state == OUTBOX_WAITING) == (e->next_try_ns != 0));
        put_i64(w, e->next_try_ns);
        put_u32(w, e->duration_ms);
        put_u16(w, e->status);
        put_u8(w, e->error);
        put_u8(w, e->state);
        break;
    case EVENT_DELIVERY_REVIVED: put_i64(w, e->next_try_ns); break;
    case EVENT_DELIVERY_EDITED: edited_encode(w, e); break;
    case EVENT_ANSWER_KEPT:
        CHECK(e->answer.size <= OUTBOX_ANSWER_KEPT_MAX);
        put_text(w, e->answer);
        break;
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
        r->bad = r->bad || !state_known(out->state) ||
                 (out->state == OUTBOX_WAITING) != (out->next_try_ns != 0);
        break;
    case EVENT_DELIVERY_REVIVED: out->next_try_ns = get_i64(r); break;
    case EVENT_DELIVERY_EDITED: edited_decode(r, out); break;
    case EVENT_ANSWER_KEPT:
        out->answer = get_text(r);
        r->bad = r->bad || out->answer.size > OUTBOX_ANSWER_KEPT_MAX;
        break;
    default: return false;
    }
    return reader_done(r) && out->number != 0;
}

/* Items and attempts stand in records, too, and so in the journal for ever: a changed field is a
 * form of its own for snapshots, and this one stays. */
static void item_save(struct writer *w, const struct outbox_item *item)
{
    CHECK(state_known(item->state));
    CHECK((item->first_attempt == SLAB_NONE) == (item->attempts == 0));
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

static bool item_load(struct reader *r, struct outbox_item *item)
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
    return !r->bad && item->number != 0 && state_known(item->state) &&
           (item->first_attempt == SLAB_NONE) == (item->attempts == 0) &&
           (item->last_attempt == SLAB_NONE) == (item->attempts == 0);
}

static void attempt_save(struct writer *w, const struct outbox_attempt *a)
{
    CHECK(a->position > 0);
    put_i64(w, a->at_ns);
    put_u64(w, a->position);
    put_u32(w, a->duration_ms);
    put_u32(w, a->answer);
    put_u32(w, a->next);
    put_u16(w, a->status);
    put_u8(w, a->error);
}

static bool attempt_load(struct reader *r, struct outbox_attempt *a)
{
    a->at_ns = get_i64(r);
    a->position = get_u64(r);
    a->duration_ms = get_u32(r);
    a->answer = get_u32(r);
    a->next = get_u32(r);
    a->status = get_u16(r);
    a->error = get_u8(r);
    return !r->bad && a->position > 0;
}

void outbox_save(const struct outbox *o, struct writer *w)
{
    CHECK(o->last_number >= o->items.used);
    CHECK(map_count(&o->by_number) == o->items.used);
    put_u64(w, o->last_number);
    put_u64(w, o->delivered);
    put_u64(w, o->dead);
    put_u64(w, o->failed_attempts);
    put_u64(w, o->left_delivered);
    put_u64(w, o->left_dead);
    slab_shape_save(&o->items, w);
    for (uint32_t i = slab_next(&o->items, 0); i != SLAB_NONE; i = slab_next(&o->items, i + 1)) {
        item_save(w, slab_at(&o->items, i));
    }
    slab_shape_save(&o->attempts, w);
    for (uint32_t i = slab_next(&o->attempts, 0); i != SLAB_NONE;
         i = slab_next(&o->attempts, i + 1)) {
        attempt_save(w, slab_at(&o->attempts, i));
    }
    slab_shape_save(&o->edits, w);
    for (uint32_t i = slab_next(&o->edits, 0); i != SLAB_NONE; i = slab_next(&o->edits, i + 1)) {
        const struct outbox_edit *edit = slab_at(&o->edits, i);
        put_u64(w, edit->number);
        put_u64(w, edit->original);
        put_u32(w, edit->url);
        put_u32(w, edit->body);
    }
}

static bool load_edits(struct outbox *o, struct reader *r)
{
    CHECK(o->edits.high_water == 0);
    if (!slab_shape_load(&o->edits, r) || !map_reserve(&o->by_edit, o->edits.used)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->edits, 0); i != SLAB_NONE; i = slab_next(&o->edits, i + 1)) {
        struct outbox_edit *edit = slab_at(&o->edits, i);
        edit->number = get_u64(r);
        edit->original = get_u64(r);
        edit->url = get_u32(r);
        edit->body = get_u32(r);
        if (r->bad || outbox_item(o, edit->number) == NULL ||
            map_get(&o->by_edit, edit->number) != MAP_NONE) {
            return false;
        }
        map_put(&o->by_edit, edit->number, i);
    }
    CHECK(map_count(&o->by_edit) == o->edits.used);
    return true;
}

/* Finds the item's target or makes one, closed breaker and empty queue: those are not saved. */
static bool load_target(struct outbox *o, struct outbox_item *item)
{
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
    CHECK(slab_is_used(&o->targets, slot));
    return true;
}

static bool load_items(struct outbox *o, struct reader *r)
{
    if (!slab_shape_load(&o->items, r) || !map_reserve(&o->by_number, o->items.used) ||
        !timers_reserve(&o->timed, o->items.used)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->items, 0); i != SLAB_NONE; i = slab_next(&o->items, i + 1)) {
        struct outbox_item *item = slab_at(&o->items, i);
        if (!item_load(r, item) || item->number > o->last_number ||
            map_get(&o->by_number, item->number) != MAP_NONE || !load_target(o, item)) {
            return false;
        }
        map_put(&o->by_number, item->number, i);
        item->next_try_ns = MUTATED(RETRY_NOT_DELAYED) ? item->queued_ns : item->next_try_ns;
        outbox__count_dead(o, item, 1);
        if (item->state == OUTBOX_WAITING && !MUTATED(ITEM_LOST_ON_LOAD)) {
            timers_add(&o->timed, item->next_try_ns, i);
        }
    }
    CHECK(map_count(&o->by_number) == o->items.used);
    return true;
}

bool outbox_load(struct outbox *o, struct reader *r)
{
    CHECK(o->items.high_water == 0);
    CHECK(o->attempts.high_water == 0);
    o->last_number = get_u64(r);
    o->delivered = get_u64(r);
    o->dead = get_u64(r);
    o->failed_attempts = get_u64(r);
    o->left_delivered = get_u64(r);
    o->left_dead = get_u64(r);
    if (!load_items(o, r) || !slab_shape_load(&o->attempts, r)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->attempts, 0); i != SLAB_NONE;
         i = slab_next(&o->attempts, i + 1)) {
        if (!attempt_load(r, slab_at(&o->attempts, i))) {
            return false;
        }
    }
    if (!load_edits(o, r)) {
        return false;
    }
    return o->timed.count + o->delivered + o->dead ==
               o->items.used + o->left_delivered + o->left_dead ||
           MUTATED(ITEM_LOST_ON_LOAD);
}

/* ---- records ---- */

void outbox_record(const struct outbox *o, uint64_t number, struct writer *w)
{
    uint32_t index = map_get(&o->by_number, number);
    CHECK(index != MAP_NONE);
    const struct outbox_item *item = slab_at(&o->items, index);
    CHECK(item->number == number);
    CHECK(item->attempts <= OUTBOX_GUEST_ATTEMPTS_MAX);
    struct outbox_item plain = *item;
    plain.first_attempt = item->attempts == 0 ? SLAB_NONE : 0; /* slots mean nothing outside */
    plain.last_attempt = plain.first_attempt;
    item_save(w, &plain);
    for (uint32_t i = item->first_attempt; i != SLAB_NONE;) {
        struct outbox_attempt plain_attempt = *(struct outbox_attempt *)slab_at(&o->attempts, i);
        struct span answer = texts_at(o->texts, plain_attempt.answer);
        i = plain_attempt.next;
        plain_attempt.next = SLAB_NONE;
        plain_attempt.answer = 0;
        attempt_save(w, &plain_attempt);
        put_text(w, answer);
    }
}

bool outbox_record_read(struct reader *r, struct outbox_record *out)
{
    memset(out, 0, sizeof(*out));
    bool closed = item_load(r, &out->item) && out->item.state != OUTBOX_WAITING;
    if (!closed || out->item.attempts > OUTBOX_GUEST_ATTEMPTS_MAX) {
        r->bad = true;
        return false;
    }
    for (uint32_t i = 0; i < out->item.attempts; i++) {
        if (!attempt_load(r, &out->attempts[i])) {
            return false;
        }
        out->answers[i] = get_text(r);
        CHECK(out->attempts[i].position > 0);
        r->bad = r->bad || out->answers[i].size > OUTBOX_ANSWER_KEPT_MAX;
    }
    return !r->bad;
}

/* B4: the attempts of one item, in order, no more and no fewer than it counts. */
static void check_attempts(const struct outbox *o, const struct outbox_item *item)
{
    uint32_t count = 0;
    uint32_t last = SLAB_NONE;
    uint64_t position = 0;
    int64_t at_ns = item->queued_ns;
    for (uint32_t i = item->first_attempt; i != SLAB_NONE; count++) {
        CHECK(slab_is_used(&o->attempts, i));
        const struct outbox_attempt *a = slab_at(&o->attempts, i);
        CHECK(a->at_ns >= at_ns);
        CHECK(a->position > position);
        CHECK(count < item->attempts);
        at_ns = a->at_ns;
        position = a->position;
        last = i;
        i = a->next;
    }
    CHECK(count == item->attempts);
    CHECK(last == item->last_attempt);
    CHECK(item->tries <= item->attempts);
}

/* B2 and B3 of one target, as far as its own queue shows them; returns its items in flight. */
static uint32_t check_target(const struct outbox *o, const struct outbox_target *t)
{
    uint32_t ready = 0;
    uint32_t last = SLAB_NONE;
    for (uint32_t i = t->ready_head; i != SLAB_NONE; ready++) {
        const struct outbox_item *item = slab_at(&o->items, i);
        CHECK(item->phase == OUTBOX_READY);
        CHECK(item->state == OUTBOX_WAITING);
        CHECK(item->target == t->key);
        CHECK(ready < t->ready);
        last = i;
        i = item->link;
    }
    CHECK(ready == t->ready);
    CHECK(last == t->ready_tail);
    CHECK(IMPLIES(t->ready > 0, t->listed));
    CHECK(t->in_flight <= OUTBOX_TARGET_IN_FLIGHT_MAX);
    CHECK(IMPLIES(t->closed_until_ns != 0, t->failures >= OUTBOX_BREAKER_FAILURES));
    return t->in_flight;
}

/* The round robin: every listed target once. */
static void check_turns(const struct outbox *o)
{
    uint32_t listed = 0;
    uint32_t in_flight = 0;
    uint32_t ready = 0;
    for (uint32_t i = slab_next(&o->targets, 0); i != SLAB_NONE;
         i = slab_next(&o->targets, i + 1)) {
        const struct outbox_target *t = slab_at(&o->targets, i);
        CHECK(map_get(&o->by_target, t->key) == i);
        in_flight += check_target(o, t);
        ready += t->ready;
        listed += t->listed;
    }
    CHECK(in_flight == o->in_flight);
    CHECK(ready == o->ready);
    uint32_t last = SLAB_NONE;
    for (uint32_t i = o->turn_head; i != SLAB_NONE; listed--) {
        const struct outbox_target *t = slab_at(&o->targets, i);
        CHECK(t->listed);
        CHECK(listed > 0);
        last = i;
        i = t->next;
    }
    CHECK(listed == 0);
    CHECK(last == o->turn_tail);
}

/* B1 of one item. */
static void check_item(const struct outbox *o, uint32_t index)
{
    const struct outbox_item *item = slab_at(&o->items, index);
    CHECK(map_get(&o->by_number, item->number) == index);
    CHECK(item->number <= o->last_number);
    CHECK(((const struct outbox_target *)slab_at(&o->targets, item->target_slot))->key ==
          item->target);
    bool timed = item->state == OUTBOX_WAITING && item->phase == OUTBOX_TIMED;
    if (timed) {
        CHECK(item->link < o->timed.count);
        CHECK(o->timed.entries[item->link].id == index);
        CHECK(o->timed.entries[item->link].due_ns == item->next_try_ns);
    }
    CHECK(IMPLIES(item->state != OUTBOX_WAITING, item->phase == OUTBOX_TIMED));
    check_attempts(o, item);
}

void outbox_check(const struct outbox *o)
{
    uint32_t timed = 0;
    uint32_t in_flight = 0;
    uint64_t delivered = 0;
    uint64_t dead = 0;
    uint64_t dead_of_kind[OUTBOX_KINDS_COUNTED] = {0};
    uint32_t attempts = 0;
    for (uint32_t i = slab_next(&o->items, 0); i != SLAB_NONE; i = slab_next(&o->items, i + 1)) {
        check_item(o, i);
        const struct outbox_item *item = slab_at(&o->items, i);
        bool waiting = item->state == OUTBOX_WAITING;
        timed += waiting && item->phase == OUTBOX_TIMED;
        in_flight += waiting && item->phase == OUTBOX_IN_FLIGHT;
        delivered += item->state == OUTBOX_DELIVERED;
        dead += item->state == OUTBOX_DEAD;
        if (item->kind < OUTBOX_KINDS_COUNTED) {
            dead_of_kind[item->kind] += item->state == OUTBOX_DEAD;
        }
        attempts += item->attempts;
    }
    CHECK(timed == o->timed.count);
    CHECK(in_flight == o->in_flight);
    CHECK(delivered + o->left_delivered == o->delivered);
    CHECK(dead + o->left_dead == o->dead);
    CHECK(memcmp(dead_of_kind, o->dead_of_kind, sizeof(dead_of_kind)) == 0);
    CHECK(attempts == o->attempts.used); /* B4: none belongs to nobody */
    check_turns(o);
    timers_check(&o->timed);
    map_check(&o->by_number);
    map_check(&o->by_target);
    slab_check(&o->items);
    slab_check(&o->attempts);
    slab_check(&o->targets);
}
