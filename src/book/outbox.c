/*
 * outbox.c - see outbox.h for the states, phases and invariants B1 to B4.
 * Pure: senders, clocks and randomness are outside. Tests: tests/unit/test_outbox.c.
 */
#include "book/outbox.h"

#include <string.h>

#include "base/delivery_error.h"
#include "base/hash.h"
#include "base/mutant.h"

/* Indexes of the guest's attempts start here. */
#define OUTBOX_GUEST_FIRST ((uint32_t)OUTBOX_ITEMS_MAX)

#define SECONDS(n) ((int64_t)(n)*1000 * 1000 * 1000)

const struct outbox_schedule *outbox_schedule_default(void)
{
    static const struct outbox_schedule schedule = {
        .tries = 10,
        .delay_ns = {0, SECONDS(5), SECONDS(30), SECONDS(120), SECONDS(600), SECONDS(1800),
                     SECONDS(3600), SECONDS(7200), SECONDS(14400), SECONDS(28800)},
    };
    return &schedule;
}

static struct outbox_item *item_at(const struct outbox *o, uint32_t index)
{
    return slab_at(&o->items, index);
}

static struct outbox_target *target_at(const struct outbox *o, uint32_t index)
{
    return slab_at(&o->targets, index);
}

static void outbox_place_timer(void *context, uint64_t id, uint32_t position)
{
    struct outbox *o = context;
    struct outbox_item *item = item_at(o, (uint32_t)id);
    CHECK(item->phase == OUTBOX_TIMED); /* the link means something else in the other phases */
    CHECK(item->state == OUTBOX_WAITING);
    item->link = position;
}

void outbox_init(struct outbox *o, struct texts *texts, uint64_t hash_seed)
{
    CHECK(texts != NULL);
    memset(o, 0, sizeof(*o));
    slab_init(&o->items, sizeof(struct outbox_item), OUTBOX_ITEMS_MAX);
    slab_init(&o->attempts, sizeof(struct outbox_attempt), OUTBOX_ITEMS_MAX);
    slab_init(&o->targets, sizeof(struct outbox_target), OUTBOX_ITEMS_MAX);
    slab_init(&o->edits, sizeof(struct outbox_edit), OUTBOX_EDITS_MAX + 1);
    map_init(&o->by_edit, hash_seed, MAP_HASHED);
    map_init(&o->by_target, hash_seed, MAP_HASHED);
    map_init(&o->by_number, hash_seed, MAP_SEQUENTIAL);
    timers_init(&o->timed, outbox_place_timer, o);
    o->texts = texts;
    o->turn_head = SLAB_NONE;
    o->turn_tail = SLAB_NONE;
}

void outbox_fini(struct outbox *o)
{
    slab_fini(&o->items);
    slab_fini(&o->attempts);
    slab_fini(&o->targets);
    slab_fini(&o->edits);
    map_fini(&o->by_edit);
    map_fini(&o->by_target);
    map_fini(&o->by_number);
    timers_fini(&o->timed);
}

void outbox_move(struct outbox *to, const struct outbox *from, struct texts *texts)
{
    CHECK(to != from);
    CHECK(texts != NULL);
    CHECK(from->timed.context == from);
    *to = *from;
    to->timed.context = to;
    to->texts = texts;
}

bool outbox_reserve(struct outbox *o, uint32_t items)
{
    CHECK(items <= OUTBOX_ITEMS_MAX);
    return slab_reserve(&o->items, items) &&
           slab_reserve(&o->attempts, OUTBOX_GUEST_ATTEMPTS_MAX + 1) &&
           (o->edits.used > OUTBOX_EDITS_MAX || slab_reserve(&o->edits, 1)) &&
           map_reserve(&o->by_edit, 1) && slab_reserve(&o->targets, items) &&
           map_reserve(&o->by_target, items) && map_reserve(&o->by_number, items) &&
           timers_reserve(&o->timed, items + 1);
}

const struct outbox_item *outbox_item(const struct outbox *o, uint64_t number)
{
    uint32_t index = map_get(&o->by_number, number);
    if (index == MAP_NONE) {
        return number != 0 && o->guest.item.number == number ? &o->guest.item : NULL;
    }
    CHECK(slab_is_used(&o->items, index));
    CHECK(item_at(o, index)->number == number);
    return item_at(o, index);
}

const struct outbox_edit *outbox_edit(const struct outbox *o, uint64_t number)
{
    uint32_t slot = map_get(&o->by_edit, number);
    if (slot == MAP_NONE) {
        return NULL;
    }
    CHECK(slab_is_used(&o->edits, slot));
    const struct outbox_edit *edit = slab_at(&o->edits, slot);
    CHECK(edit->number == number);
    return edit;
}

/* The item that an event or a sender names: it is there, or something is broken. */
static struct outbox_item *item_named(const struct outbox *o, uint64_t number, uint32_t *index)
{
    *index = map_get(&o->by_number, number);
    CHECK(*index != MAP_NONE);
    struct outbox_item *item = item_at(o, *index);
    CHECK(item->number == number);
    return item;
}

const struct outbox_attempt *outbox_attempt(const struct outbox *o, uint32_t index)
{
    if (index == SLAB_NONE) {
        return NULL;
    }
    if (index >= OUTBOX_GUEST_FIRST) {
        CHECK(index - OUTBOX_GUEST_FIRST < o->guest.item.attempts);
        return &o->guest.attempts[index - OUTBOX_GUEST_FIRST];
    }
    CHECK(slab_is_used(&o->attempts, index));
    return slab_at(&o->attempts, index);
}

/* After so many failures. */
static int64_t delay_after(const struct outbox_schedule *schedule, uint32_t failures)
{
    uint32_t i = failures < OUTBOX_DELAYS_MAX ? failures : OUTBOX_DELAYS_MAX - 1;
    while (i > 1 && schedule->delay_ns[i] == 0) {
        i--;
    }
    CHECK(schedule->delay_ns[i] > 0);
    return schedule->delay_ns[i];
}

static bool is_delivered(const struct outbox_schedule *schedule, uint16_t status, uint8_t error)
{
    uint16_t end = schedule->ok_only ? 201 : MUTATED(REDIRECT_DELIVERS) ? 302 : 300;
    return error == 0 && status >= 200 && status < end;
}

void outbox_judge(const struct outbox_item *item, const struct outbox_schedule *schedule,
                  uint16_t status, uint8_t error, int64_t now_ns, uint64_t random,
                  struct outbox_event *out)
{
    CHECK(item->state == OUTBOX_WAITING);
    CHECK(schedule->tries >= 1);
    CHECK(schedule->tries <= OUTBOX_TRIES_MAX);
    out->kind = EVENT_DELIVERY_ATTEMPTED;
    out->number = item->number;
    out->status = status;
    out->error = error;
    out->next_try_ns = 0;
    if (is_delivered(schedule, status, error)) {
        out->state = OUTBOX_DELIVERED;
    } else if (item->tries + 1u >= schedule->tries) {
        out->state = OUTBOX_DEAD;
    } else {
        int64_t delay_ns = delay_after(schedule, item->tries + 1u);
        out->state = OUTBOX_WAITING;
        out->next_try_ns = now_ns + delay_ns;
        if (!schedule->steady) {
            out->next_try_ns = now_ns + 1 + (int64_t)(random % (uint64_t)delay_ns);
        }
        CHECK(out->next_try_ns > now_ns);
        CHECK(out->next_try_ns <= now_ns + delay_ns);
    }
}

/* ---- queues and targets (memory only) ---- */

static uint32_t target_slot(struct outbox *o, uint64_t key)
{
    uint32_t slot = map_get(&o->by_target, key);
    if (slot == MAP_NONE) {
        slot = slab_take(&o->targets);
        struct outbox_target *t = target_at(o, slot);
        t->key = key;
        t->ready_head = SLAB_NONE;
        t->ready_tail = SLAB_NONE;
        t->next = SLAB_NONE;
        map_put(&o->by_target, key, slot);
    }
    CHECK(target_at(o, slot)->key == key);
    return slot;
}

static void turn_append(struct outbox *o, uint32_t slot)
{
    struct outbox_target *t = target_at(o, slot);
    CHECK(!t->listed);
    CHECK(t->next == SLAB_NONE);
    t->listed = true;
    if (o->turn_tail == SLAB_NONE) {
        o->turn_head = slot;
    } else {
        target_at(o, o->turn_tail)->next = slot;
    }
    o->turn_tail = slot;
}

static uint32_t turn_pop(struct outbox *o)
{
    uint32_t slot = o->turn_head;
    CHECK(slot != SLAB_NONE);
    struct outbox_target *t = target_at(o, slot);
    CHECK(t->listed);
    o->turn_head = t->next;
    if (o->turn_head == SLAB_NONE) {
        o->turn_tail = SLAB_NONE;
    }
    t->next = SLAB_NONE;
    t->listed = false;
    return slot;
}

/* Items come back to the front of the queue, new ones go to its end. */
static void make_ready(struct outbox *o, uint32_t index, bool front)
{
    struct outbox_item *item = item_at(o, index);
    struct outbox_target *t = target_at(o, item->target_slot);
    CHECK(item->state == OUTBOX_WAITING);
    CHECK(t->key == item->target);
    item->phase = OUTBOX_READY;
    item->link = SLAB_NONE;
    if (t->ready == 0) {
        t->ready_head = index;
        t->ready_tail = index;
    } else if (front) {
        item->link = t->ready_head;
        t->ready_head = index;
    } else {
        item_at(o, t->ready_tail)->link = index;
        t->ready_tail = index;
    }
    t->ready++;
    o->ready++;
    if (!t->listed) {
        turn_append(o, item->target_slot);
    }
    CHECK(t->ready <= o->ready);
}

static uint32_t pop_ready(struct outbox *o, struct outbox_target *t)
{
    CHECK(t->ready > 0);
    CHECK(o->ready >= t->ready);
    uint32_t index = t->ready_head;
    CHECK(item_at(o, index)->phase == OUTBOX_READY);
    t->ready_head = item_at(o, index)->link;
    t->ready--;
    o->ready--;
    if (t->ready == 0) {
        t->ready_head = SLAB_NONE;
        t->ready_tail = SLAB_NONE;
    }
    return index;
}

/* Takes a ready item out of the middle of its queue: rare (a person replays a waiting one). */
static void unqueue(struct outbox *o, uint32_t index)
{
    struct outbox_item *item = item_at(o, index);
    struct outbox_target *t = target_at(o, item->target_slot);
    CHECK(item->phase == OUTBOX_READY);
    CHECK(t->ready > 0);
    uint32_t before = SLAB_NONE;
    uint32_t i = t->ready_head;
    while (i != index) {
        CHECK(i != SLAB_NONE);
        before = i;
        i = item_at(o, i)->link;
    }
    if (before == SLAB_NONE) {
        (void)pop_ready(o, t);
        return;
    }
    item_at(o, before)->link = item->link;
    if (t->ready_tail == index) {
        t->ready_tail = before;
    }
    CHECK(t->ready > 1); /* at least the one before it is left */
    t->ready--;
    o->ready--;
}

/* Removes a WAITING item from whatever phase it is in. */
static void leave_phase(struct outbox *o, uint32_t index)
{
    struct outbox_item *item = item_at(o, index);
    CHECK(item->state == OUTBOX_WAITING);
    switch ((enum outbox_phase)item->phase) {
    case OUTBOX_TIMED: timers_remove(&o->timed, item->link); break;
    case OUTBOX_READY: unqueue(o, index); break;
    case OUTBOX_IN_FLIGHT:
        CHECK(o->in_flight > 0);
        CHECK(target_at(o, item->target_slot)->in_flight > 0);
        target_at(o, item->target_slot)->in_flight--;
        o->in_flight--;
        break;
    }
    item->phase = OUTBOX_TIMED;
}

static void wait_until(struct outbox *o, uint32_t index, int64_t next_try_ns)
{
    struct outbox_item *item = item_at(o, index);
    CHECK(item->phase == OUTBOX_TIMED); /* it has left whatever phase it was in */
    item->state = OUTBOX_WAITING;
    item->next_try_ns = next_try_ns;
    timers_add(&o->timed, next_try_ns, index);
    CHECK(item->link < o->timed.count);
}

static int64_t breaker_pause_ns(uint32_t failures)
{
    CHECK(failures >= OUTBOX_BREAKER_FAILURES);
    uint32_t doublings = failures - OUTBOX_BREAKER_FAILURES;
    int64_t pause_ns = OUTBOX_BREAKER_FIRST_NS;
    for (uint32_t i = 0; i < doublings && pause_ns < OUTBOX_BREAKER_LAST_NS; i++) {
        pause_ns *= 2;
    }
    pause_ns = pause_ns < OUTBOX_BREAKER_LAST_NS ? pause_ns : OUTBOX_BREAKER_LAST_NS;
    CHECK(pause_ns >= OUTBOX_BREAKER_FIRST_NS);
    return pause_ns;
}

/* What was under way when the breaker opened fails during the pause, and says nothing new. */
static void target_learn(struct outbox_target *t, const struct outbox_event *e, int64_t now_ns)
{
    if (e->error == DELIVERY_RULED || e->error == DELIVERY_WITHDRAWN ||
        e->error == DELIVERY_INTERRUPTED || e->error == DELIVERY_UNWRITTEN) {
        return; /* nothing was sent: it says nothing about the receiver */
    }
    if (e->error == 0) {
        t->failures = 0;
        t->closed_until_ns = 0;
    } else if (now_ns >= t->closed_until_ns && ++t->failures >= OUTBOX_BREAKER_FAILURES) {
        t->closed_until_ns = now_ns + breaker_pause_ns(t->failures);
        CHECK(t->closed_until_ns > now_ns);
    }
    CHECK((t->failures == 0) == (e->error == 0));
}

/* ---- events ---- */

static void apply_queued(struct outbox *o, const struct outbox_event *e, uint64_t position,
                         int64_t now_ns)
{
    CHECK(e->number == o->last_number + 1);
    CHECK(position > 0);
    uint32_t index = slab_take(&o->items);
    struct outbox_item *item = item_at(o, index);
    item->state = OUTBOX_WAITING;
    item->number = e->number;
    item->subject = e->subject;
    item->target = e->target;
    item->kind = e->item_kind;
    item->position = position;
    item->queued_ns = now_ns;
    item->first_attempt = SLAB_NONE;
    item->last_attempt = SLAB_NONE;
    item->target_slot = target_slot(o, e->target);
    o->last_number = e->number;
    map_put(&o->by_number, e->number, index);
    wait_until(o, index, e->next_try_ns);
}

void outbox__count_dead(struct outbox *o, const struct outbox_item *item, int by)
{
    if (item->state == OUTBOX_DEAD && item->kind < OUTBOX_KINDS_COUNTED) {
        CHECK(by > 0 || o->dead_of_kind[item->kind] > 0);
        o->dead_of_kind[item->kind] += (uint64_t)(int64_t)by;
    }
}

static void apply_edited(struct outbox *o, const struct outbox_event *e, uint64_t position,
                         int64_t now_ns)
{
    CHECK(e->original > 0 && e->original < e->number);
    CHECK(e->url.size > 0 && e->body.size > 0);
    apply_queued(o, e, position, now_ns);
    uint32_t slot = slab_take(&o->edits);
    struct outbox_edit *edit = slab_at(&o->edits, slot);
    edit->number = e->number;
    edit->original = e->original;
    edit->url = texts_keep(o->texts, e->url);
    edit->body = texts_keep(o->texts, e->body);
    map_put(&o->by_edit, e->number, slot);
}

static void apply_attempted(struct outbox *o, const struct outbox_event *e, uint64_t position,
                            int64_t now_ns)
{
    uint32_t index;
    struct outbox_item *item = item_named(o, e->number, &index);
    CHECK(item->state == OUTBOX_WAITING);
    CHECK(position > item->position);
    CHECK(item->attempts < UINT16_MAX);
    leave_phase(o, index);
    uint32_t slot = slab_take(&o->attempts);
    struct outbox_attempt *a = slab_at(&o->attempts, slot);
    a->at_ns = now_ns;
    a->position = position;
    a->duration_ms = e->duration_ms;
    a->status = e->status;
    a->error = e->error;
    a->next = SLAB_NONE;
    if (item->last_attempt == SLAB_NONE) {
        item->first_attempt = slot;
    } else {
        ((struct outbox_attempt *)slab_at(&o->attempts, item->last_attempt))->next = slot;
    }
    item->last_attempt = slot;
    item->attempts++;
    item->tries++;
    item->state = e->state;
    target_learn(target_at(o, item->target_slot), e, now_ns);
    o->delivered += e->state == OUTBOX_DELIVERED;
    o->dead += e->state == OUTBOX_DEAD;
    outbox__count_dead(o, item, 1);
    o->failed_attempts += e->state != OUTBOX_DELIVERED;
    if (e->state == OUTBOX_WAITING) {
        item->position = position;
        wait_until(o, index, e->next_try_ns);
    }
}

static void apply_revived(struct outbox *o, const struct outbox_event *e, uint64_t position)
{
    uint32_t index;
    struct outbox_item *item = item_named(o, e->number, &index);
    CHECK(position > item->position);
    if (item->state == OUTBOX_WAITING) {
        leave_phase(o, index);
    }
    CHECK(IMPLIES(item->state == OUTBOX_DELIVERED, o->delivered > 0));
    CHECK(IMPLIES(item->state == OUTBOX_DEAD, o->dead > 0));
    o->delivered -= item->state == OUTBOX_DELIVERED;
    o->dead -= item->state == OUTBOX_DEAD;
    outbox__count_dead(o, item, -1);
    item->tries = MUTATED(REVIVED_IS_TIRED) ? item->tries : 0;
    item->position = position;
    wait_until(o, index, e->next_try_ns);
}

static void apply_answer(struct outbox *o, const struct outbox_event *e)
{
    const struct outbox_item *item = outbox_item(o, e->number);
    CHECK(item != NULL);
    CHECK(item->last_attempt != SLAB_NONE);
    CHECK(e->answer.size <= OUTBOX_ANSWER_KEPT_MAX);
    struct outbox_attempt *a = slab_at(&o->attempts, item->last_attempt);
    CHECK(a->answer == TEXT_NONE);
    a->answer = texts_keep(o->texts, e->answer);
}

void outbox_apply(struct outbox *o, const struct outbox_event *e, uint64_t position, int64_t now_ns)
{
    switch (e->kind) {
    case EVENT_DELIVERY_QUEUED: apply_queued(o, e, position, now_ns); break;
    case EVENT_DELIVERY_ATTEMPTED: apply_attempted(o, e, position, now_ns); break;
    case EVENT_DELIVERY_REVIVED: apply_revived(o, e, position); break;
    case EVENT_DELIVERY_EDITED: apply_edited(o, e, position, now_ns); break;
    case EVENT_ANSWER_KEPT: apply_answer(o, e); break;
    default: UNREACHABLE("unknown outbox event");
    }
    CHECK(map_count(&o->by_number) == o->items.used);
    CHECK(o->timed.count + o->ready + o->in_flight + o->delivered + o->dead ==
          o->items.used + o->left_delivered + o->left_dead); /* B1 */
}

/* ---- leaving and coming home ---- */

bool outbox_may_leave(const struct outbox *o, uint64_t number, uint64_t as_of, int64_t *since_ns)
{
    uint32_t index = map_get(&o->by_number, number);
    CHECK(index != MAP_NONE);
    const struct outbox_item *item = item_at(o, index);
    CHECK(item->number == number);
    if ((item->state == OUTBOX_WAITING && !MUTATED(LEFT_WHILE_WAITING)) ||
        item->attempts > OUTBOX_GUEST_ATTEMPTS_MAX ||
        (item->position > as_of && !MUTATED(LEFT_CHANGED))) {
        return false;
    }
    *since_ns = item->queued_ns;
    if (item->last_attempt != SLAB_NONE) {
        const struct outbox_attempt *last = slab_at(&o->attempts, item->last_attempt);
        *since_ns = last->at_ns;
        return last->position <= as_of || MUTATED(LEFT_CHANGED);
    }
    return true;
}

void outbox_leave(struct outbox *o, uint64_t number)
{
    uint32_t index;
    struct outbox_item *item = item_named(o, number, &index);
    CHECK(item->phase == OUTBOX_TIMED);
    if (item->state == OUTBOX_WAITING) {
        CHECK(MUTATED(LEFT_WHILE_WAITING));
        leave_phase(o, index);
    }
    o->left_delivered += item->state == OUTBOX_DELIVERED;
    o->left_dead += item->state == OUTBOX_DEAD;
    outbox__count_dead(o, item, -1);
    for (uint32_t i = item->first_attempt; i != SLAB_NONE;) {
        const struct outbox_attempt *a = slab_at(&o->attempts, i);
        uint32_t next = a->next;
        texts_drop(o->texts, a->answer);
        slab_release(&o->attempts, i);
        i = next;
    }
    CHECK(map_remove(&o->by_number, number));
    slab_release(&o->items, index);
    CHECK(o->left_delivered <= o->delivered && o->left_dead <= o->dead);
    CHECK(map_count(&o->by_number) == o->items.used);
}

void outbox_come_home(struct outbox *o, const struct outbox_record *record)
{
    CHECK(record->item.state == OUTBOX_DELIVERED || record->item.state == OUTBOX_DEAD);
    CHECK(record->item.number <= o->last_number);
    uint32_t index = slab_take(&o->items);
    struct outbox_item *item = item_at(o, index);
    *item = record->item;
    item->first_attempt = SLAB_NONE;
    item->last_attempt = SLAB_NONE;
    for (uint32_t i = 0; i < item->attempts; i++) {
        uint32_t slot = slab_take(&o->attempts);
        struct outbox_attempt *a = slab_at(&o->attempts, slot);
        *a = record->attempts[i];
        a->answer = texts_keep(o->texts, record->answers[i]);
        a->next = SLAB_NONE;
        if (item->last_attempt == SLAB_NONE) {
            item->first_attempt = slot;
        } else {
            ((struct outbox_attempt *)slab_at(&o->attempts, item->last_attempt))->next = slot;
        }
        item->last_attempt = slot;
    }
    item->target_slot = target_slot(o, item->target);
    map_put(&o->by_number, item->number, index);
    bool delivered = item->state == OUTBOX_DELIVERED;
    CHECK((delivered ? o->left_delivered : o->left_dead) > 0);
    o->left_delivered -= delivered;
    o->left_dead -= !delivered;
    outbox__count_dead(o, item, 1);
}

void outbox_host(struct outbox *o, const struct outbox_record *record)
{
    if (record == NULL) {
        o->guest.item.number = 0;
        return;
    }
    CHECK(record->item.number != 0);
    CHECK(!outbox_holds(o, record->item.number));
    o->guest = *record;
    struct outbox_item *item = &o->guest.item;
    CHECK(item->attempts <= OUTBOX_GUEST_ATTEMPTS_MAX);
    item->first_attempt = item->attempts == 0 ? SLAB_NONE : OUTBOX_GUEST_FIRST;
    item->last_attempt = item->attempts == 0 ? SLAB_NONE : OUTBOX_GUEST_FIRST + item->attempts - 1;
    for (uint32_t i = 0; i < item->attempts; i++) {
        struct outbox_attempt *a = &o->guest.attempts[i];
        a->answer = texts_lend(o->texts, record->answers[i]);
        a->next = i + 1 == item->attempts ? SLAB_NONE : OUTBOX_GUEST_FIRST + i + 1;
    }
}

/* ---- handing out ---- */

/* Moves what is due and durable from the timers to the queues. */
static void wake_due(struct outbox *o, int64_t now_ns, uint64_t durable_position)
{
    const struct timer_entry *first = timers_first(&o->timed);
    while (first != NULL && first->due_ns <= now_ns) {
        uint32_t index = (uint32_t)first->id;
        if (item_at(o, index)->position > durable_position) {
            break; /* what follows was decided later still, or waits for the next turn */
        }
        timers_remove(&o->timed, 0);
        CHECK(item_at(o, index)->link == TIMERS_NOWHERE);
        make_ready(o, index, false);
        first = timers_first(&o->timed);
    }
}

/*
 * How many items of one target may be in flight: a quarter of what is free in all, so that a place
 * is left for the next target however many hang (n of them take OUTBOX_IN_FLIGHT_MAX / (n + 4)
 * each); half open after a pause, one probe at a time until something answers.
 */
static uint32_t target_most(const struct outbox *o, const struct outbox_target *t)
{
    if (t->failures >= OUTBOX_BREAKER_FAILURES || o->in_flight >= OUTBOX_IN_FLIGHT_MAX) {
        return 1;
    }
    uint32_t share = (OUTBOX_IN_FLIGHT_MAX - o->in_flight) / 4;
    share = share < OUTBOX_TARGET_IN_FLIGHT_MAX ? share : OUTBOX_TARGET_IN_FLIGHT_MAX;
    return share > 1 ? share : 1;
}

static bool target_has_place(const struct outbox *o, const struct outbox_target *t)
{
    CHECK(t->in_flight <= OUTBOX_TARGET_IN_FLIGHT_MAX); /* B3 */
    return t->in_flight < target_most(o, t);
}

static bool target_open(const struct outbox *o, const struct outbox_target *t, int64_t now_ns)
{
    return t->closed_until_ns <= now_ns && target_has_place(o, t);
}

const struct outbox_item *outbox_take(struct outbox *o, int64_t now_ns, uint64_t durable_position)
{
    CHECK(!o->replaying);
    wake_due(o, now_ns, durable_position);
    uint32_t first_slot = SLAB_NONE;
    while (o->turn_head != SLAB_NONE && o->turn_head != first_slot) {
        uint32_t slot = turn_pop(o);
        struct outbox_target *t = target_at(o, slot);
        if (t->ready == 0) {
            continue; /* unlisted until it has something again */
        }
        if (!target_open(o, t, now_ns)) {
            turn_append(o, slot);
            first_slot = first_slot == SLAB_NONE ? slot : first_slot;
            continue;
        }
        uint32_t index = pop_ready(o, t);
        struct outbox_item *item = item_at(o, index);
        CHECK(item->next_try_ns <= now_ns);
        CHECK(item->position <= durable_position); /* nobody learns what might be lost */
        item->phase = OUTBOX_IN_FLIGHT;
        t->in_flight++;
        o->in_flight++;
        if (t->ready > 0) {
            turn_append(o, slot);
        }
        return item;
    }
    return NULL;
}

void outbox_return(struct outbox *o, uint64_t number)
{
    uint32_t index;
    const struct outbox_item *item = item_named(o, number, &index);
    CHECK(!o->replaying);
    CHECK(item->phase == OUTBOX_IN_FLIGHT);
    leave_phase(o, index);
    make_ready(o, index, true);
}

int64_t outbox_target_closed_until(const struct outbox *o, uint64_t target, int64_t now_ns)
{
    uint32_t slot = map_get(&o->by_target, target);
    int64_t until_ns = slot == MAP_NONE ? 0 : target_at(o, slot)->closed_until_ns;
    return until_ns > now_ns ? until_ns : 0;
}

int64_t outbox_next_due(const struct outbox *o)
{
    const struct timer_entry *first = timers_first(&o->timed);
    int64_t due_ns = first == NULL ? INT64_MAX : first->due_ns;
    for (uint32_t slot = o->turn_head; slot != SLAB_NONE; slot = target_at(o, slot)->next) {
        const struct outbox_target *t = target_at(o, slot);
        CHECK(t->listed);
        /* A full target waits for a result, not for a time. */
        if (t->ready > 0 && target_has_place(o, t) && t->closed_until_ns < due_ns) {
            due_ns = t->closed_until_ns;
        }
    }
    return due_ns;
}
