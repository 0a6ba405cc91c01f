/*
 * standing_state.c - standing orders as state: events in bytes and into state, canonical bytes both
 * directions, invariants P1 to P3 of standing.h.
 */
#include <string.h>

#include "base/hash.h"
#include "operator/internal.h"

/* ---- events in bytes ---- */

void operator__encode_standing(struct writer *w, const struct operator_event *e)
{
    put_u64(w, e->number);
    switch (e->kind) {
    case EVENT_STANDING_ORDER_ASKED:
        put_u64(w, e->request);
        put_u8(w, e->terms.frequency);
        put_u32(w, e->terms.start_day);
        put_u32(w, e->terms.end_day);
        break;
    case EVENT_STANDING_ORDER_OPENED: put_i64(w, e->expires_ns); break;
    case EVENT_STANDING_ORDER_RAN:
        put_u64(w, e->request);
        put_i64(w, e->expires_ns);
        break;
    case EVENT_STANDING_ORDER_CANCELLED_1:
    case EVENT_STANDING_ORDER_CANCELLED: break;
    default: UNREACHABLE("unknown event of a standing order");
    }
}

bool operator__decode_standing(uint16_t kind, struct reader *r, struct operator_event *e)
{
    e->number = get_u64(r);
    switch (kind) {
    case EVENT_STANDING_ORDER_ASKED:
        e->request = get_u64(r);
        e->terms.frequency = get_u8(r);
        e->terms.start_day = get_u32(r);
        e->terms.end_day = get_u32(r);
        r->bad = r->bad || !standing_terms_good(&e->terms);
        break;
    case EVENT_STANDING_ORDER_OPENED: e->expires_ns = get_i64(r); break;
    case EVENT_STANDING_ORDER_RAN:
        e->request = get_u64(r);
        e->expires_ns = get_i64(r);
        break;
    case EVENT_STANDING_ORDER_CANCELLED_1:
    case EVENT_STANDING_ORDER_CANCELLED: break;
    default: return false;
    }
    return reader_done(r);
}

/* ---- apply ---- */

uint64_t operator__standing_key(uint64_t msisdn, struct span name)
{
    return hash_bytes(name.data, name.size, msisdn);
}

static uint64_t name_key(const struct operator_state *o, const struct standing_order *order)
{
    const struct operator_request *r = operator_request(o, order->request);
    CHECK(r != NULL);
    return operator__standing_key(r->party, operator_text(o, r->remarks));
}

static void apply_order_asked(struct operator_state *o, const struct operator_event *e)
{
    CHECK(e->number == o->last_standing + 1);
    uint32_t slot = slab_take(&o->standing_orders);
    CHECK(slot == o->last_standing); /* orders are never forgotten: slots follow numbers */
    struct standing_order *order = standing_at(o, slot);
    uint32_t request = operator__request_slot(o, e->request);
    order->number = e->number;
    order->request = e->request;
    order->terms = e->terms;
    order->state = STANDING_ASKED;
    order->timer = TIMERS_NOWHERE;
    request_at(o, request)->order = slot;
    operator__touch_request(o, request);
    o->last_standing = e->number;
}

static void activate(struct operator_state *o, struct standing_order *order, int64_t due_ns)
{
    order->due_ns = due_ns;
    timers_add(&o->standing_due, due_ns, order->number - 1);
}

/* No more payments; the name may be used again. */
static void close_order(struct operator_state *o, struct standing_order *order,
                        enum standing_state state, int64_t now_ns)
{
    CHECK(map_remove(&o->standing_names, name_key(o, order)));
    order->state = (uint8_t)state;
    order->due_ns = 0;
    order->closed_ns = now_ns;
}

static void apply_ran(struct operator_state *o, struct standing_order *order,
                      const struct operator_event *e, const struct frame_info *frame)
{
    uint32_t request = operator__request_slot(o, e->request);
    CHECK(order->state == STANDING_ACTIVE);
    timers_remove(&o->standing_due, order->timer);
    request_at(o, request)->order = (uint32_t)(order->number - 1);
    order->last_run = e->request;
    order->runs++;
    if (e->expires_ns != 0) {
        activate(o, order, e->expires_ns);
    } else {
        close_order(o, order, STANDING_FINISHED, frame->time_ns);
    }
}

void operator__apply_standing(struct operator_state *o, const struct operator_event *e,
                              const struct frame_info *frame)
{
    if (e->kind == EVENT_STANDING_ORDER_ASKED) {
        apply_order_asked(o, e);
        return;
    }
    CHECK(e->number > 0 && e->number <= o->last_standing);
    struct standing_order *order = standing_at(o, (uint32_t)(e->number - 1));
    operator__touch_request(o, operator__request_slot(o, order->request));
    switch (e->kind) {
    case EVENT_STANDING_ORDER_OPENED:
        CHECK(order->state == STANDING_ASKED);
        order->state = STANDING_ACTIVE;
        map_put(&o->standing_names, name_key(o, order), (uint32_t)(order->number - 1));
        activate(o, order, e->expires_ns);
        break;
    case EVENT_STANDING_ORDER_RAN: apply_ran(o, order, e, frame); break;
    case EVENT_STANDING_ORDER_CANCELLED_1:
    case EVENT_STANDING_ORDER_CANCELLED:
        CHECK(order->state == STANDING_ACTIVE);
        timers_remove(&o->standing_due, order->timer);
        close_order(o, order, STANDING_CANCELLED, frame->time_ns);
        break;
    default: UNREACHABLE("unknown event of a standing order");
    }
}

void operator__apply_standing_end(struct operator_state *o, const struct operator_request *r)
{
    struct standing_order *order = standing_at(o, r->order);
    if (r->kind == REQUEST_STANDING_PAYMENT) {
        order->paid += r->has_receipt;
    } else if (r->outcome != REQUEST_DONE) {
        CHECK(order->state == STANDING_ASKED);
        order->state = STANDING_REFUSED;
    }
}

/* ---- bytes ---- */

void operator__save_standing(const struct operator_state *o, struct writer *w)
{
    slab_shape_save(&o->standing_orders, w);
    for (uint32_t i = 0; i < o->last_standing; i++) {
        const struct standing_order *order = standing_at(o, i);
        put_u64(w, order->request);
        put_u64(w, order->last_run);
        put_i64(w, order->due_ns);
        put_i64(w, order->closed_ns);
        put_u32(w, order->terms.start_day);
        put_u32(w, order->terms.end_day);
        put_u8(w, order->terms.frequency);
        put_u32(w, order->runs);
        put_u32(w, order->paid);
        put_u8(w, order->state);
    }
}

static bool load_order(struct operator_state *o, struct reader *r, uint32_t slot)
{
    struct standing_order *order = standing_at(o, slot);
    order->number = slot + (uint64_t)1;
    order->request = get_u64(r);
    order->last_run = get_u64(r);
    order->due_ns = get_i64(r);
    order->closed_ns = get_i64(r);
    order->terms.start_day = get_u32(r);
    order->terms.end_day = get_u32(r);
    order->terms.frequency = get_u8(r);
    order->runs = get_u32(r);
    order->paid = get_u32(r);
    order->state = get_u8(r);
    order->timer = TIMERS_NOWHERE;
    if (r->bad || !standing_terms_good(&order->terms) || order->state < STANDING_ASKED ||
        order->state > STANDING_CANCELLED || operator_request(o, order->request) == NULL) {
        return false;
    }
    if (order->state == STANDING_ACTIVE) {
        if (map_get(&o->standing_names, name_key(o, order)) != MAP_NONE) {
            return false;
        }
        map_put(&o->standing_names, name_key(o, order), slot);
        activate(o, order, order->due_ns);
    }
    return true;
}

bool operator__load_standing(struct operator_state *o, struct reader *r)
{
    if (!slab_shape_load(&o->standing_orders, r) ||
        o->standing_orders.used != o->standing_orders.high_water) {
        return false;
    }
    o->last_standing = o->standing_orders.used;
    if (!map_reserve(&o->standing_names, o->standing_orders.used) ||
        !timers_reserve(&o->standing_due, o->standing_orders.used)) {
        return false;
    }
    for (uint32_t i = 0; i < o->last_standing; i++) {
        if (!load_order(o, r, i)) {
            return false;
        }
    }
    for (uint32_t i = slab_next(&o->requests, 0); i != SLAB_NONE;
         i = slab_next(&o->requests, i + 1)) {
        uint32_t slot = request_at(o, i)->order;
        if (slot != SLAB_NONE && slot >= o->last_standing) {
            return false;
        }
    }
    return true;
}

/* ---- invariants ---- */

/* P2: due on its date, findable by its name. */
static void check_active(const struct operator_state *o, const struct standing_order *order)
{
    uint32_t day;
    CHECK(standing_day(&order->terms, order->runs, &day));
    CHECK(order->due_ns == standing_day_ns(day));
    CHECK(order->timer < o->standing_due.count);
    CHECK(o->standing_due.entries[order->timer].id == order->number - 1);
    CHECK(o->standing_due.entries[order->timer].due_ns == order->due_ns);
    CHECK(map_get(&o->standing_names, name_key(o, order)) == order->number - 1);
}

void operator__check_standing(const struct operator_state *o, uint32_t slot)
{
    const struct standing_order *order = standing_at(o, slot);
    const struct operator_request *r = operator_request(o, order->request);
    CHECK(r != NULL && order->number == slot + (uint64_t)1);
    CHECK(r->kind == REQUEST_STANDING_ORDER && r->order == slot);
    CHECK((order->state == STANDING_ASKED) == !stk_state_final(r->state)); /* P1 */
    CHECK((order->state == STANDING_REFUSED) ==
          (stk_state_final(r->state) && r->state != STK_SUCCESS));
    CHECK((order->timer != TIMERS_NOWHERE) == (order->state == STANDING_ACTIVE));
    CHECK((order->closed_ns != 0) == (order->state >= STANDING_FINISHED));
    if (order->state == STANDING_ACTIVE) {
        check_active(o, order);
    }
    CHECK(order->paid <= order->runs); /* P3 */
    CHECK((order->last_run != 0) == (order->runs > 0));
    if (order->last_run != 0) {
        const struct operator_request *run = operator_request(o, order->last_run);
        CHECK(run != NULL);
        CHECK(run->kind == REQUEST_STANDING_PAYMENT && run->order == slot);
    }
}

void operator__check_standing_orders(const struct operator_state *o)
{
    uint64_t active = 0;
    uint64_t runs = 0;
    uint64_t paid = 0;
    for (uint32_t i = 0; i < o->last_standing; i++) {
        operator__check_standing(o, i);
        active += standing_at(o, i)->state == STANDING_ACTIVE;
        runs += standing_at(o, i)->runs;
        paid += standing_at(o, i)->paid;
    }
    for (uint32_t i = slab_next(&o->requests, 0); i != SLAB_NONE;
         i = slab_next(&o->requests, i + 1)) {
        const struct operator_request *r = request_at(o, i);
        bool run = r->kind == REQUEST_STANDING_PAYMENT;
        CHECK((r->order != SLAB_NONE) == (run || r->kind == REQUEST_STANDING_ORDER));
        runs -= run;
        paid -= run && r->has_receipt;
    }
    CHECK(runs == 0 && paid == 0);
    CHECK(map_count(&o->standing_names) == active);
    CHECK(o->standing_due.count == active);
    CHECK(o->standing_orders.used == o->last_standing);
    map_check(&o->standing_names);
    slab_check(&o->standing_orders);
    timers_check(&o->standing_due);
}
