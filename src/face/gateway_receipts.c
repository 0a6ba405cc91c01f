/*
 * gateway_receipts.c - C2B: having the provider send its validations and confirmations to us, the
 * answer to a validation, and /v1/receipts: money that arrived without a push, whose it is, and
 * assigning it. Confirmations come in through gateway_notices.c like every other claim.
 * Tests: tests/e2e/350-gateway-receipts.sh.
 */
#include <stdio.h>
#include <string.h>

#include "face/gateway.h"
#include "wire/daraja_c2b.h"

/* ---- receipts ---- */

/* What never changes: the same in every event about it. */
static void render_arrival(struct surface *s, struct writer *w, const struct gateway_receipt *r)
{
    const struct gateway_provider *p = gateway_provider(surface_gateway(s), r->provider);
    json_field_i64(w, "amount", r->amount_minor);
    json_field_text(w, "currency", "KES");
    gateway_text_field(s, w, "receipt", r->receipt);
    json_field_u64(w, "short_code", p->short_code);
    gateway_text_field(s, w, "account_reference", r->reference);
    if (r->phone != 0) {
        json_field_u64(w, "phone", r->phone);
    } else {
        json_field_null(w, "phone");
    }
    gateway_text_field(s, w, "payer", r->party);
    json_field_text(w, "source", observation_source_name(r->source));
    surface_time_field(w, "paid_at", r->at_ns);
    surface_time_field(w, "created_at", r->taken_ns);
}

/* The state right after an event about it. */
static uint8_t receipt_state_after(const struct gateway_receipt *r, const struct gateway_feed *f)
{
    if (f == NULL) {
        return r->state;
    }
    uint32_t before = r->object_seq - (r->state == RECEIPT_TAKEN_BACK);
    bool at_once = r->order != TEXT_NONE && !r->by_person && before == 1;
    return f->type == FEED_RECEIPT_TAKEN_BACK            ? RECEIPT_TAKEN_BACK
           : f->type == FEED_RECEIPT_ASSIGNED || at_once ? RECEIPT_ASSIGNED
                                                         : RECEIPT_SUSPENSE;
}

void gateway_receipt_render(struct surface *s, struct writer *w, const struct gateway_receipt *r,
                            const struct gateway_feed *feed)
{
    char id[32];
    uint8_t state = receipt_state_after(r, feed);
    (void)snprintf(id, sizeof(id), "rcp_%llu", (unsigned long long)r->number);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "receipt");
    json_field_text(w, "status", receipt_state_name(state));
    render_arrival(s, w, r);
    gateway_text_field(s, w, "order_id", state == RECEIPT_SUSPENSE ? TEXT_NONE : r->order);
    surface_id_field(w, "payment", "pay_", state == RECEIPT_TAKEN_BACK ? r->payment : 0);
    if (feed == NULL) {
        const struct gateway_payment *maybe = gateway_receipt_suggestion(surface_gateway(s), r);
        surface_id_field(w, "suggested_payment", "pay_", maybe == NULL ? 0 : maybe->number);
        json_field_bool(w, "assigned_by_person", r->by_person);
        json_field_u64(w, "notices", r->notices);
    }
    json_close(w, '}');
}

/* The receipt of the path when it is the caller's; NULL after answering. */
static const struct gateway_receipt *find_receipt(struct request *q)
{
    uint64_t number;
    const struct gateway_receipt *r = NULL;
    if (surface_parse_number(q->parts[0], "rcp_", &number)) {
        r = gateway_receipt(surface_gateway(q->s), number);
    }
    if (r == NULL || !gateway_is_callers(q, r->provider)) {
        surface_problem(q, engine_read_position(q->s->engine), 404, "not_found",
                        "there is no receipt with this id");
        return NULL;
    }
    return r;
}

static void answer_receipt(struct request *q, uint64_t wait_position,
                           const struct gateway_receipt *r)
{
    struct writer w = surface_writer(q->s);
    gateway_receipt_render(q->s, &w, r, NULL);
    surface_json(q, wait_position, 200, &w);
}

void gateway_receipt_get(struct request *q)
{
    const struct gateway_receipt *r = find_receipt(q);
    if (r != NULL) {
        answer_receipt(q, engine_read_position(q->s->engine), r);
    }
}

static bool wanted(struct request *q, const struct gateway_receipt *r)
{
    const struct gateway *g = surface_gateway(q->s);
    struct span status = http_query_value(q->x, "status");
    struct span order = http_query_value(q->x, "order_id");
    struct span number = http_query_value(q->x, "receipt");
    return gateway_is_callers(q, r->provider) &&
           (status.data == NULL || span_is(status, receipt_state_name(r->state))) &&
           (order.data == NULL || span_equal(order, gateway_text(g, r->order))) &&
           (number.data == NULL || span_equal(number, gateway_text(g, r->receipt)));
}

/* Newest first. */
void gateway_receipt_list(struct request *q)
{
    const struct gateway *g = surface_gateway(q->s);
    struct list_walk walk;
    if (!surface_walk_begin(q, &walk, "rcp_", g->last_receipt)) {
        return;
    }
    while (surface_walk_on(&walk)) {
        const struct gateway_receipt *r = gateway_receipt(g, walk.number);
        if (surface_walk_takes(&walk, r != NULL && wanted(q, r))) {
            gateway_receipt_render(q->s, &walk.w, r, NULL);
        }
    }
    surface_walk_end(q, &walk);
}

/* Repeating it is harmless: the same order again answers as before. */
void gateway_receipt_assign(struct request *q)
{
    struct surface *s = q->s;
    const struct gateway_receipt *r = find_receipt(q);
    struct json_object *body = r == NULL ? NULL : control_body(q);
    struct receipt_assign_command c = {.merchant = q->merchant};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    if (body == NULL) {
        return;
    }
    c.number = r->number;
    if (!gateway_member_text(body, "order_id", GATEWAY_ORDER_MAX, &c.order)) {
        surface_problem(q, 0, 422, "invalid_order_id", "order_id must be a text of 1 to 100 bytes");
        return;
    }
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_RECEIPT_ASSIGN, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal == GATEWAY_NOT_HELD) {
        surface_problem(q, result.wait_position, 409, "not_in_suspense",
                        "this receipt is assigned to another order, or was a payment's money");
        return;
    }
    answer_receipt(q, result.wait_position, gateway_receipt(surface_gateway(s), c.number));
}

/* ---- registering the URLs ---- */

static const char *const RULES[] = {"all", "known_orders"};

void gateway_c2b_field(struct surface *s, struct writer *w, const struct gateway_provider *p)
{
    json_key(w, "c2b");
    json_open(w, '{');
    json_field_text(w, "status", c2b_state_name(p->c2b_state));
    json_field_text(w, "accept", RULES[p->c2b_rule]);
    json_field_text(w, "unanswered", p->c2b_cancels ? "cancel" : "complete");
    gateway_text_field(s, w, "answer", p->c2b_words);
    gateway_text_field(s, w, "forwarded_to", p->c2b_forward);
    json_close(w, '}');
}

/* {"accept": "all" | "known_orders", "unanswered": "complete" | "cancel"} */
static bool parse_rules(struct request *q, struct json_object *body,
                        struct c2b_registration_command *c)
{
    struct span accept;
    struct span unanswered;
    bool texts = gateway_optional_text(body, "accept", 20, &accept) &&
                 gateway_optional_text(body, "unanswered", 20, &unanswered);
    if (!texts || (accept.size > 0 && !span_is(accept, RULES[0]) && !span_is(accept, RULES[1])) ||
        (unanswered.size > 0 && !span_is(unanswered, "complete") &&
         !span_is(unanswered, "cancel"))) {
        surface_problem(q, 0, 422, "invalid_rule",
                        "accept must be all or known_orders, unanswered complete or cancel");
        return false;
    }
    c->rule = span_is(accept, RULES[1]) ? GATEWAY_C2B_ACCEPTS_ORDERS : GATEWAY_C2B_ACCEPTS_ALL;
    c->cancels = span_is(unanswered, "cancel");
    return true;
}

void gateway_c2b_register(struct request *q)
{
    struct surface *s = q->s;
    struct c2b_registration_command c = {.merchant = q->merchant,
                                         .provider = gateway_path_provider(q)};
    struct gateway_reply reply = {.refusal = GATEWAY_NOT_FOUND};
    struct engine_result result = {ENGINE_REFUSED, engine_read_position(s->engine)};
    struct json_object *body = control_body(q);
    if (body == NULL || !parse_rules(q, body, &c)) {
        return;
    }
    if (c.provider != SLAB_NONE) {
        reply.refusal = GATEWAY_DONE;
        result = engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_C2B_URLS, &c, &reply);
    }
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal == GATEWAY_UNDER_WAY) {
        surface_problem(q, result.wait_position, 409, "under_way",
                        "the provider is being asked at this moment");
        return;
    }
    if (reply.refusal != GATEWAY_DONE) {
        surface_problem(q, result.wait_position, 404, "not_found",
                        "there is no Daraja account with this id");
        return;
    }
    struct writer w = surface_writer(s);
    gateway_provider_render(s, &w, c.provider);
    surface_json(q, result.wait_position, 202, &w);
}

/* ---- validation ---- */

/* Money has not moved: nothing is booked, and nothing claims anything. Answered from memory, far
 * within the 8 s after which the provider decides by itself; what cannot be read is let through,
 * because a customer's money is never refused for a fault of ours. */
void gateway_validation(struct request *q, uint32_t provider, const struct observation *asked)
{
    struct writer w = surface_writer(q->s);
    uint32_t merchant = gateway_provider(surface_gateway(q->s), provider)->merchant;
    (void)gateway_reach_order(q->s, merchant, asked->account_reference);
    bool accepted = asked->kind != OBSERVED_RECEIPT || q->s->index_unread ||
                    gateway_c2b_accepts(surface_gateway(q->s), provider, asked->account_reference);
    const struct daraja_c2b_verdict verdict = {.accepted = accepted, .rejected = accepted ? 0 : 2};
    daraja_c2b_verdict_render(&w, &verdict); /* C2B00012: invalid account number */
    surface_json(q, engine_read_position(q->s->engine), 200, &w);
}
