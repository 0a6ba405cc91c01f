/*
 * gateway_webhooks.c - telling an application once more: the replay of an event, and dead letters
 * (messages to the application that were given up). Each caller sees its own merchant's only.
 * Tests: tests/e2e/346-webhooks.sh.
 */
#include <stdio.h>

#include "base/delivery_error.h"
#include "face/gateway.h"

/* ---- one event again ---- */

void gateway_event_replay(struct request *q)
{
    struct surface *s = q->s;
    struct event_replay_command c = {.merchant = q->merchant};
    struct gateway_reply reply = {.refusal = GATEWAY_NOT_FOUND};
    struct engine_result result = {ENGINE_REFUSED, engine_read_position(s->engine)};
    if (surface_parse_number(q->parts[0], "evt_", &c.seq)) {
        reply.refusal = GATEWAY_DONE;
        result = engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_EVENT_REPLAY, &c, &reply);
    }
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal == GATEWAY_NOT_FOUND) {
        surface_problem(q, result.wait_position, 404, "not_found",
                        "there is no event with this id");
        return;
    }
    if (reply.refusal == GATEWAY_UNDER_WAY) {
        surface_problem(q, result.wait_position, 409, "delivery_under_way",
                        "it is being sent at this moment, or waits for the one before it: "
                        "try again when that attempt has ended");
        return;
    }
    if (reply.refusal != GATEWAY_DONE) {
        surface_problem(q, result.wait_position, 409, "nothing_to_send",
                        "no enabled webhook endpoint wants this event");
        return;
    }
    char id[32];
    struct writer w = surface_writer(s);
    (void)snprintf(id, sizeof(id), "evt_%llu", (unsigned long long)c.seq);
    json_open(&w, '{');
    json_field_text(&w, "object", "event_replay");
    json_field_text(&w, "event", id);
    json_field_u64(&w, "webhooks", reply.number);
    json_close(&w, '}');
    surface_json(q, result.wait_position, 202, &w);
}

/* ---- dead letters ---- */

/* What tells an application of the caller something; calls to providers are no letters. */
static bool is_callers(const struct request *q, const struct outbox_item *item)
{
    const struct gateway *g = surface_gateway(q->s);
    if (item->kind == MESSAGE_WEBHOOK) {
        const struct gateway_feed *f = gateway_feed_event(g, webhook_subject_seq(item->subject));
        return f != NULL && f->merchant == q->merchant;
    }
    if (item->kind == MESSAGE_C2B) {
        const struct gateway_notice *n = gateway_reach_notice(q->s, item->subject);
        return n != NULL && gateway_provider(g, n->provider)->merchant == q->merchant;
    }
    const struct gateway_payment *p =
        merchant_message_is_forward(item->kind) ? gateway_reach(q->s, item->subject) : NULL;
    return p != NULL && p->merchant == q->merchant;
}

static void render_last_attempt(struct surface *s, struct writer *w, const struct outbox_item *item)
{
    const struct outbox_attempt *last =
        item->last_attempt == SLAB_NONE
            ? NULL
            : outbox_attempt(&engine_book(s->engine)->outbox, item->last_attempt);
    json_field_u64(w, "attempts", item->attempts);
    surface_time_field(w, "last_attempt_at", last == NULL ? 0 : last->at_ns);
    if (last != NULL && last->error == 0) {
        json_field_u64(w, "last_status", last->status);
    } else {
        json_field_null(w, "last_status");
    }
    if (last != NULL && last->error != 0) {
        json_field_text(w, "last_error", delivery_error_text(last->error));
    } else {
        json_field_null(w, "last_error");
    }
}

/* False, with nothing written: what it is about left memory and cannot be read. */
static bool render_letter(struct surface *s, struct writer *w, const struct outbox_item *item)
{
    static const char *const states[] = {"?", "waiting", "delivered", "dead"};
    const struct gateway *g = surface_gateway(s);
    bool webhook = item->kind == MESSAGE_WEBHOOK;
    bool c2b = item->kind == MESSAGE_C2B;
    const struct gateway_notice *n = c2b ? gateway_reach_notice(s, item->subject) : NULL;
    const struct gateway_payment *p = webhook || c2b ? NULL : gateway_reach(s, item->subject);
    if (!webhook && n == NULL && p == NULL) {
        return false;
    }
    uint32_t slot = webhook_subject_endpoint(item->subject);
    char id[32];
    (void)snprintf(id, sizeof(id), "dl_%llu", (unsigned long long)item->number);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "dead_letter");
    json_field_text(w, "status", states[item->state]);
    json_field_text(w, "kind", webhook ? "webhook" : "callback");
    if (webhook) {
        uint64_t seq = webhook_subject_seq(item->subject);
        (void)snprintf(id, sizeof(id), "evt_%llu", (unsigned long long)seq);
        json_field_text(w, "event", id);
        (void)snprintf(id, sizeof(id), "we_%u", slot + 1);
        json_field_text(w, "endpoint", id);
        gateway_text_field(s, w, "url", gateway_endpoint(g, slot)->url);
    } else if (c2b) {
        surface_id_field(w, "notice", "ntc_", item->subject);
        gateway_text_field(s, w, "url", gateway_provider(g, n->provider)->c2b_forward);
    } else {
        (void)snprintf(id, sizeof(id), "%s%llu", gateway_prefix(gateway_what_of(p)),
                       (unsigned long long)p->number);
        json_field_text(w, "payment", id);
        gateway_text_field(s, w, "url", item->kind == MESSAGE_LATE ? p->late_url : p->front_url);
    }
    surface_time_field(w, "queued_at", item->queued_ns);
    render_last_attempt(s, w, item);
    json_close(w, '}');
    return true;
}

void gateway_dead_letter_list(struct request *q)
{
    const struct outbox *outbox = &engine_book(q->s->engine)->outbox;
    struct list_walk walk;
    if (!surface_walk_begin(q, &walk, "dl_", outbox->last_number)) {
        return;
    }
    while (surface_walk_on(&walk)) {
        const struct outbox_item *item = outbox_item(outbox, walk.number);
        bool wanted = item != NULL && item->state == OUTBOX_DEAD && is_callers(q, item);
        if (surface_walk_takes(&walk, wanted) && !render_letter(q->s, &walk.w, item)) {
            surface_not_decided(q, ENGINE_NO_INDEX);
            return;
        }
    }
    surface_walk_end(q, &walk);
}

/* The caller's dead letter of the path; NULL after answering. */
static const struct outbox_item *find_letter(struct request *q)
{
    uint64_t number;
    const struct outbox_item *item = NULL;
    const struct gateway *g = surface_gateway(q->s);
    if (surface_parse_number(q->parts[0], "dl_", &number)) {
        item = outbox_item(&engine_book(q->s->engine)->outbox, number);
    }
    if (item == NULL || !is_callers(q, item)) {
        surface_problem(q, engine_read_position(q->s->engine), 404, "not_found",
                        "there is no dead letter with this id");
        return NULL;
    }
    if (item->state != OUTBOX_DEAD) {
        surface_problem(q, engine_read_position(q->s->engine), 409, "not_dead",
                        "this message was delivered, or is on its way");
        return NULL;
    }
    uint32_t endpoint = webhook_subject_endpoint(item->subject);
    if (item->kind == MESSAGE_WEBHOOK &&
        gateway_endpoint(g, endpoint)->status != ENDPOINT_ENABLED) {
        surface_problem(q, engine_read_position(q->s->engine), 409, "endpoint_disabled",
                        "the webhook endpoint of this message is disabled");
        return NULL;
    }
    return item;
}

void gateway_dead_letter_retry(struct request *q)
{
    struct surface *s = q->s;
    const struct outbox_item *item = find_letter(q);
    if (item == NULL) {
        return;
    }
    struct delivery_revive_command c = {item->number};
    enum book_outcome outcome = BOOK_DONE;
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_DELIVERY_REVIVE, &c, &outcome);
    if (!surface_decided(q, result)) {
        return;
    }
    if (outcome != BOOK_DONE) {
        surface_problem(q, result.wait_position, 409, "not_dead",
                        "this message cannot be tried again");
        return;
    }
    struct writer w = surface_writer(s);
    if (!render_letter(s, &w, outbox_item(&engine_book(s->engine)->outbox, c.number))) {
        surface_not_decided(q, ENGINE_NO_INDEX);
        return;
    }
    surface_json(q, result.wait_position, 202, &w);
}
