/*
 * courier.c - see courier.h.
 */
#include "app/courier.h"

#include <string.h>

#include "merchant/merchant.h"

/* Of a delivery job's id: not an item of the outbox. */
#define TOKEN_JOB  ((uint64_t)1 << 63)
#define SHADOW_JOB ((uint64_t)1 << 62)

uint32_t courier_waiting(const struct courier *c)
{
    return c->count;
}

static const struct outbox_item *item_of(const struct courier *c, uint64_t number)
{
    return outbox_item(&engine_book(c->engine)->outbox, number);
}

static void drop_waiting(struct courier *c, uint32_t i)
{
    CHECK(i < c->count);
    c->waiting[i] = c->waiting[--c->count];
}

static bool submit(struct courier *c, uint64_t id, const struct gateway_job *job)
{
    struct delivery_job out = {
        .id = id,
        .generation = engine_book(c->engine)->generation,
        .url = job->url,
        .body = job->body,
        .content_type = job->content_type != NULL ? job->content_type : "application/json",
    };
    for (uint32_t i = 0; i < GATEWAY_JOB_HEADERS && job->headers[i] != NULL; i++) {
        out.headers[i] = job->headers[i];
    }
    return delivery_submit(c->delivery, &out);
}

/* ---- access tokens ---- */

/* False: it cannot be asked for, however long one waits (no URL, a secret that nobody can read). */
static bool fetch_token(struct courier *c, uint32_t provider)
{
    struct writer w = writer_init(c->bytes, sizeof(c->bytes));
    struct gateway_job job;
    for (uint32_t i = 0; i < c->token_count; i++) {
        if (c->tokens[i] == provider) {
            return true; /* under way */
        }
    }
    if (c->token_count == COURIER_TOKENS_MAX || delivery_room(c->delivery) == 0) {
        return true; /* in a later turn */
    }
    if (!gateway_token_job(c->surface, provider, &w, &job)) {
        return false;
    }
    if (submit(c, TOKEN_JOB | provider, &job)) {
        c->tokens[c->token_count++] = provider;
    }
    return true;
}

/* Nothing of what waits for the token was sent: the book decides what becomes of it. */
static void give_up(struct courier *c, uint32_t provider)
{
    for (uint32_t i = c->count; i-- > 0;) {
        if (c->waiting[i].provider == provider) {
            uint64_t number = c->waiting[i].number;
            drop_waiting(c, i);
            (void)c->unsent(c->context, number, DELIVERY_NO_TOKEN);
        }
    }
}

bool courier_token_report(struct courier *c, const struct delivery_report *r)
{
    if ((r->id & TOKEN_JOB) == 0) {
        return false;
    }
    uint32_t provider = (uint32_t)(r->id & UINT32_MAX);
    for (uint32_t i = 0; i < c->token_count; i++) {
        if (c->tokens[i] == provider) {
            c->tokens[i] = c->tokens[--c->token_count];
            break;
        }
    }
    bool same = r->generation == engine_book(c->engine)->generation;
    bool answered = r->error == DELIVERY_ANSWERED;
    if (same && (!answered || !gateway_token_taken(c->surface, provider, r->status, r->answer))) {
        give_up(c, provider);
    }
    return true;
}

/* ---- shadow mode ---- */

static void forward_shadows(struct courier *c)
{
    uint32_t slot;
    struct gateway_job job;
    while (delivery_room(c->delivery) > c->count) {
        struct writer w = writer_init(c->bytes, sizeof(c->bytes));
        if (!gateway_shadow_take(c->surface, &w, &job, &slot)) {
            return;
        }
        if (!submit(c, SHADOW_JOB | slot, &job)) {
            const struct gateway_shadow_answer none = {.error = DELIVERY_STOPPED};
            gateway_shadow_answered(c->surface, slot, &none);
        }
    }
}

bool courier_shadow_report(struct courier *c, const struct delivery_report *r)
{
    const struct gateway_shadow_answer answer = {r->status, (uint8_t)r->error, r->duration_ms,
                                                 r->answer};
    if ((r->id & TOKEN_JOB) != 0 || (r->id & SHADOW_JOB) == 0) {
        return false;
    }
    gateway_shadow_answered(c->surface, (uint32_t)(r->id & UINT32_MAX), &answer);
    return true;
}

/* ---- what was taken ---- */

enum courier_step {
    STEP_WAITS,
    STEP_DONE, /* submitted or reported: it is no longer here */
};

/* The push is about to leave: the book must know before. */
static enum courier_step mark(struct courier *c, struct courier_entry *e)
{
    const struct outbox_item *item = item_of(c, e->number);
    struct payment_command command = {.number = item->subject};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct engine_result result =
        engine_execute(c->engine, ENGINE_CONTINUATION, COMMAND_PAYMENT_SENDING, &command, &reply);
    if (result.status == ENGINE_APPLIED) {
        e->marked = true;
        e->wait_position = result.wait_position;
        return STEP_WAITS;
    }
    if (result.status == ENGINE_REFUSED) {
        (void)c->unsent(c->context, e->number, DELIVERY_WITHDRAWN);
        return STEP_DONE;
    }
    return STEP_WAITS; /* no room to remember it: not sent before there is */
}

static enum courier_step step(struct courier *c, struct courier_entry *e)
{
    const struct outbox_item *item = item_of(c, e->number);
    if (item == NULL || item->state != OUTBOX_WAITING) {
        return STEP_DONE;
    }
    if (e->provider != SLAB_NONE && !gateway_token_good(c->surface, e->provider)) {
        if (fetch_token(c, e->provider)) {
            return STEP_WAITS;
        }
        (void)c->unsent(c->context, e->number, DELIVERY_NO_TOKEN);
        return STEP_DONE;
    }
    if (e->is_push && !e->marked) {
        return mark(c, e);
    }
    if (e->wait_position > engine_durable(c->engine) || delivery_room(c->delivery) == 0) {
        return STEP_WAITS;
    }
    struct writer w = writer_init(c->bytes, sizeof(c->bytes));
    struct gateway_job job;
    if (!gateway_outgoing(c->surface, item, &w, &job)) {
        (void)c->unsent(c->context, e->number, DELIVERY_WITHDRAWN);
        return STEP_DONE;
    }
    return submit(c, e->number, &job) ? STEP_DONE : STEP_WAITS;
}

/* False: it went back, and would come again at once: no more in this turn. */
static bool take(struct courier *c, const struct outbox_item *item)
{
    struct courier_entry *e = &c->waiting[c->count];
    *e = (struct courier_entry){
        .number = item->number,
        .provider = gateway_outgoing_provider(c->surface, item),
        .is_push = merchant_call_moves_money(item->kind),
    };
    if (!e->is_push) {
        c->count++;
        return true;
    }
    enum gateway_push may =
        gateway_push_may_leave(gateway_of(engine_book(c->engine)), item->subject);
    if (may == PUSH_MARK) {
        c->count++;
        return true;
    }
    return c->unsent(c->context, item->number,
                     may == PUSH_OVER ? DELIVERY_WITHDRAWN : DELIVERY_INTERRUPTED);
}

void courier_turn(struct courier *c)
{
    uint64_t applied = engine_applied(c->engine);
    if (c->generation != engine_book(c->engine)->generation) {
        c->generation = engine_book(c->engine)->generation; /* reset: these are no more */
        c->count = 0;
    }
    while (c->count < COURIER_WAITING_MAX && delivery_room(c->delivery) > c->count) {
        const struct outbox_item *item = engine_take_outgoing(c->engine);
        if (item == NULL || !take(c, item)) {
            break;
        }
    }
    for (uint32_t i = c->count; i-- > 0;) {
        struct courier_entry e = c->waiting[i];
        bool done = step(c, &e) == STEP_DONE;
        if (i < c->count && c->waiting[i].number == e.number) {
            c->waiting[i] = e;
            if (done) {
                drop_waiting(c, i);
            }
        }
    }
    forward_shadows(c);
    delivery_flush(c->delivery);
    if (engine_applied(c->engine) != applied) {
        engine_turn(c->engine); /* nobody will wake the loop for what that wrote */
    }
}
