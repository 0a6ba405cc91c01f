/*
 * control_requests.c - the control API's calls about what organisations asked for (request.h):
 * looking at requests, revenue settlement, an organisation's settings, the prompts of requests.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/money.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/rules.h"

/* ---- looking at requests ---- */

/* "req_12", or a receipt; NULL: none. */
const struct operator_request *control_find_request(struct surface *s, struct span id)
{
    const struct operator_state *o = surface_operator(s);
    uint64_t number;
    if (!span_starts_with(id, SPAN_LITERAL("req_"))) {
        return operator_request_by_receipt(o, id);
    }
    return surface_parse_number(id, "req_", &number) ? operator_request(o, number) : NULL;
}

static void render_ids(struct surface *s, struct writer *w, const struct operator_request *r)
{
    char text[ID_TEXT_SIZE];
    char receipt[ID_RECEIPT_SIZE];
    json_field_string(w, "originator_conversation_id",
                      request_originator_id(surface_operator(s), r, text));
    request_conversation_id(r, text);
    json_field_text(w, "conversation_id", text);
    if (r->has_receipt) {
        request_transaction_id(r, receipt);
        json_field_text(w, "receipt", receipt);
    } else {
        json_field_null(w, "receipt");
    }
}

static void render_result(const struct operator_state *o, struct writer *w,
                          const struct operator_request *r)
{
    char code[RULE_CODE_MAX + 1];
    if (r->outcome == REQUEST_OPEN) {
        json_field_null(w, "result_code");
        json_field_null(w, "reason");
        return;
    }
    request_result_code(o, r, code);
    json_field_text(w, "result_code", code);
    json_field_text(w, "reason", request_outcome_words(r->outcome));
}

static void render_ruled(struct surface *s, struct writer *w, const struct operator_request *r)
{
    struct ruled ruled;
    json_key(w, "ruled_by");
    if (request_ruled(surface_operator(s), r, &ruled)) {
        face_ruled_render(w, &ruled);
    } else {
        json_put_null(w);
    }
}

void control_request_render(struct surface *s, struct writer *w, const struct operator_request *r)
{
    const struct operator_state *o = surface_operator(s);
    bool of_payment = (r->original & 1) == 0;
    json_open(w, '{');
    surface_id_field(w, "id", "req_", r->number);
    json_field_text(w, "object", "request");
    json_field_text(w, "type", request_kind_name(r->kind));
    json_field_text(w, "status", stk_state_name(r->state));
    render_ids(s, w, r);
    render_result(o, w, r);
    json_field_i64(w, "amount", r->amount_minor);
    json_field_i64(w, "fee", r->charge_minor);
    json_field_text(w, "currency", "KES");
    json_field_u64(w, "short_code", r->short_code);
    json_field_u64(w, "party", r->party);
    json_field_string(w, "account_reference", operator_text(o, r->reference));
    surface_id_field(w, "original", of_payment ? "txn_" : "req_", r->original >> 1);
    surface_id_field(w, "reversed_by", "req_", r->reversal);
    surface_id_field(w, "result", "dlv_", r->delivery);
    surface_id_field(w, "late_notice", "dlv_", r->late);
    surface_time_field(w, "created_at", r->step_ns[REQUEST_ACCEPTED]);
    surface_time_field(w, "asked_at", r->step_ns[REQUEST_ASKED]);
    surface_time_field(w, "ended_at", r->step_ns[REQUEST_ENDED]);
    render_ruled(s, w, r);
    json_close(w, '}');
}

static void render_way(struct surface *s, struct writer *w, const struct operator_request *r)
{
    static const char *const names[REQUEST_STEPS] = {"accepted", "asked", "ended"};
    json_key(w, "timeline");
    json_open(w, '[');
    for (uint32_t i = 0; i < REQUEST_STEPS; i++) {
        if (r->step_position[i] != 0) {
            control_timeline_step(s, w, r->step_position[i], r->step_ns[i], names[i]);
        }
    }
    json_close(w, ']');
}

static void field_number(struct writer *w, const char *name, uint64_t number)
{
    if (number == 0) {
        json_field_null(w, name);
    } else {
        json_field_u64(w, name, number);
    }
}

void control_request_as_transaction(struct surface *s, struct writer *w,
                                    const struct operator_request *r)
{
    const struct operator_state *o = surface_operator(s);
    bool with_phone = r->party_type == PARTY_MSISDN;
    char receipt[ID_RECEIPT_SIZE];
    json_open(w, '{');
    surface_id_field(w, "id", "req_", r->number);
    json_field_text(w, "object", "transaction");
    json_field_text(w, "type", request_kind_name(r->kind));
    json_field_text(w, "status", stk_state_name(r->state));
    json_field_null(w, "checkout_request_id");
    json_field_null(w, "merchant_request_id");
    render_result(o, w, r);
    if (r->has_receipt) {
        request_transaction_id(r, receipt);
        json_field_text(w, "receipt", receipt);
    } else {
        json_field_null(w, "receipt");
    }
    json_field_i64(w, "amount", r->amount_minor);
    json_field_i64(w, "fee", r->charge_minor);
    json_field_text(w, "currency", "KES");
    field_number(w, "msisdn", with_phone ? r->party : 0);
    json_field_u64(w, "short_code", r->short_code);
    bool of_customer = r->kind == REQUEST_C2B || r->kind == REQUEST_PAYSTACK;
    field_number(w, "party_b", of_customer ? r->short_code : r->party);
    json_field_string(w, "account_reference", operator_text(o, r->reference));
    json_field_string(w, "description", operator_text(o, r->remarks));
    json_field_string(w, "callback_url", operator_text(o, r->result_url));
    surface_id_field(w, "reversed_by", "req_", r->reversal);
    surface_time_field(w, "created_at", r->step_ns[REQUEST_ACCEPTED]);
    render_ruled(s, w, r);
    render_way(s, w, r);
    json_close(w, '}');
}

static void answer_request(struct request *q, uint64_t wait_position, unsigned status,
                           const struct operator_request *r)
{
    struct writer w = surface_writer(q->s);
    control_request_render(q->s, &w, r);
    surface_json(q, wait_position, status, &w);
}

/* Each move of a request stands in it with its position, and none goes back: so what it was at any
 * position can be told without reading the journal (R6.7). */
static struct operator_request request_at(const struct operator_state *o,
                                          const struct operator_request *r, uint64_t at)
{
    struct operator_request then = *r;
    const struct operator_request *reversal = operator_request(o, r->reversal);
    const struct outbox_item *late = outbox_item(&o->book->outbox, r->late);
    CHECK(r->step_position[REQUEST_ACCEPTED] <= at);
    for (uint32_t i = REQUEST_ASKED; i < REQUEST_STEPS; i++) {
        bool known = then.step_position[i] <= at;
        then.step_position[i] = known ? then.step_position[i] : 0;
        then.step_ns[i] = known ? then.step_ns[i] : 0;
    }
    if (then.step_position[REQUEST_ENDED] == 0) {
        then.state = then.step_position[REQUEST_ASKED] == 0 ? STK_PENDING : STK_PROCESSING;
        then.outcome = REQUEST_OPEN;
        then.has_receipt = false;
        then.charge_minor = 0;
        then.delivery = 0;
    }
    if (reversal == NULL || reversal->step_position[REQUEST_ENDED] > at) {
        then.reversal = 0;
    }
    if (late == NULL || late->position > at) {
        then.late = 0;
    }
    return then;
}

bool control_request_then(struct request *q, const struct operator_request *r,
                          struct operator_request *then)
{
    struct span text = http_query_value(q->x, "at");
    uint64_t now = engine_read_position(q->s->engine);
    uint64_t at = now;
    if (text.data != NULL && (!surface_position(text, &at) || at > now)) {
        surface_problem(q, now, 400, "invalid_at",
                        "at must be a position of the past, like 1:42 or 42");
        return false;
    }
    if (r->step_position[REQUEST_ACCEPTED] > at) {
        surface_problem(q, now, 404, "not_yet", "this request did not exist yet at that position");
        return false;
    }
    *then = text.data == NULL ? *r : request_at(surface_operator(q->s), r, at);
    return true;
}

/* ?at=POSITION: as it was. */
void control_request_get(struct request *q)
{
    const struct operator_request *r = control_find_request(q->s, q->parts[0]);
    struct operator_request then;
    if (r == NULL) {
        surface_problem(q, engine_read_position(q->s->engine), 404, "not_found",
                        "no request has this id (req_12) or receipt");
        return;
    }
    if (control_request_then(q, r, &then)) {
        answer_request(q, engine_read_position(q->s->engine), 200, &then);
    }
}

/* The newest; older ones by ?starting_after=req_12. */
void control_request_list(struct request *q)
{
    const struct operator_state *o = surface_operator(q->s);
    struct span before = http_query_value(q->x, "starting_after");
    uint64_t number = o->last_request;
    uint64_t limit;
    if (!surface_list_limit(q, &limit)) {
        return;
    }
    if (before.data != NULL) {
        const struct operator_request *r = control_find_request(q->s, before);
        if (r == NULL) {
            surface_problem(q, engine_read_position(q->s->engine), 400, "invalid_starting_after",
                            "starting_after must be the id of a request, like req_12");
            return;
        }
        number = r->number - 1;
    }
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    for (uint32_t i = 0; i < limit && number > 0; i++, number--) {
        control_request_render(q->s, &w, operator_request(o, number));
    }
    surface_list_close(q, &w, number > 0);
}

/* ---- revenue settlement ---- */

void control_organisation_settle(struct request *q)
{
    struct surface *s = q->s;
    struct request_command c;
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct json_object *body = control_body(q);
    const struct organisation *g = body != NULL ? control_find_organisation(q) : NULL;
    if (g == NULL) {
        return;
    }
    struct json_object *amount = json_member(body, "amount");
    memset(&c, 0, sizeof(c));
    if (amount != NULL && (!json_integer(amount, &c.amount_minor) || c.amount_minor < 1 ||
                           c.amount_minor > OPERATOR_AMOUNT_MAX)) {
        surface_problem(q, 0, 400, "invalid_amount",
                        "amount must be cents, at least 1; leave it out to settle all there is");
        return;
    }
    c.kind = REQUEST_SETTLEMENT;
    c.command = 1;
    c.short_code = g->short_code;
    c.without_initiator = true;
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_REQUEST, &c, &reply);
    if (result.status != ENGINE_APPLIED) {
        surface_not_decided(q, result.status);
        return;
    }
    answer_request(q, result.wait_position, 202,
                   operator_request(surface_operator(s), reply.number));
}

/* ---- an organisation's settings ---- */

/* NULL: all is well. */
static const char *organisation_change_read(struct surface *s, struct json_object *body,
                                            struct organisation_change_command *c)
{
    struct json_object *active = json_member(body, "active");
    struct json_object *nominated = json_member(body, "nominated_msisdn");
    struct json_object *delay = json_member(body, "queue_delay_ms");
    int64_t number = 0;
    if (active != NULL) {
        c->fields |= ORGANISATION_CHANGE_ACTIVE;
        if (!json_boolean(active, &c->active)) {
            return "active must be true or false";
        }
    }
    if (nominated != NULL) {
        c->fields |= ORGANISATION_CHANGE_NOMINATED;
        bool good = json_is_null(nominated) || (json_whole(s->json, nominated, &number) &&
                                                number > 0 && msisdn_valid((uint64_t)number));
        if (!good) {
            return "nominated_msisdn must be like 254712345678, or null";
        }
        c->nominated = (uint64_t)number;
    }
    if (delay != NULL) {
        c->fields |= ORGANISATION_CHANGE_DELAY;
        if (!json_integer(delay, &number) || number < 0 || number > 86400000) {
            return "queue_delay_ms must be 0 to 86400000, a day";
        }
        c->queue_delay_ns = number * NS_PER_MS;
    }
    return c->fields == 0 ? "give active, nominated_msisdn, queue_delay_ms, or "
                            "external_validation in a change of its own"
                          : NULL;
}

void control_organisation_change(struct request *q)
{
    struct surface *s = q->s;
    struct organisation_change_command c;
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct json_object *body = control_body(q);
    if (body != NULL && json_member(body, "external_validation") != NULL) {
        control_validation_change(q, body);
        return;
    }
    const struct organisation *g = body != NULL ? control_find_organisation(q) : NULL;
    if (g == NULL) {
        return;
    }
    memset(&c, 0, sizeof(c));
    c.short_code = g->short_code;
    const char *wrong = organisation_change_read(s, body, &c);
    if (wrong != NULL) {
        surface_problem(q, 0, 400, "invalid_change", wrong);
        return;
    }
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_ORGANISATION_CHANGE, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != OPERATOR_DONE) {
        surface_problem(q, result.wait_position, 404, "no_subscriber",
                        "nobody on this network has the nominated number: open a subscriber first");
        return;
    }
    control_answer_organisation(q, result.wait_position, 200,
                                operator_organisation(surface_operator(s), c.short_code));
}

/* ---- prompts of requests ---- */

enum { PROMPT_TEXT_MAX = 640 };

/* A vendor names itself in its request; for a standing order or a charge it is the organisation's
 * name. */
static struct span payee_shown(const struct operator_state *o, const struct operator_request *r)
{
    const struct organisation *g = operator_organisation(o, r->short_code);
    bool by_name = (r->order != SLAB_NONE || r->kind == REQUEST_PAYSTACK) && g != NULL;
    return operator_text(o, by_name ? g->name : r->remarks);
}

/* What the phone shows. */
static void prompt_text(const struct operator_state *o, const struct operator_request *r,
                        char out[PROMPT_TEXT_MAX])
{
    const struct standing_order *order = operator_standing_order(o, (uint64_t)r->order + 1);
    struct span remarks = payee_shown(o, r);
    struct span reference = operator_text(o, r->reference);
    char amount[MONEY_TEXT_MAX];
    char often[64] = "";
    (void)money_format(r->amount_minor, amount);
    if (r->order != SLAB_NONE && order != NULL) {
        (void)snprintf(often, sizeof(often), "by standing order (%s) ",
                       standing_frequency_name(order->terms.frequency));
    }
    int size =
        snprintf(out, PROMPT_TEXT_MAX,
                 "You are about to send Ksh %s %sto %.*s %u Account no. %.*s. Enter PIN.", amount,
                 often, (int)remarks.size, remarks.size == 0 ? "" : remarks.data, r->short_code,
                 (int)reference.size, reference.size == 0 ? "" : reference.data);
    CHECK(size > 0 && size < PROMPT_TEXT_MAX);
}

void control_request_prompt_render(struct surface *s, struct writer *w,
                                   const struct operator_request *r)
{
    const struct operator_state *o = surface_operator(s);
    struct span partner = payee_shown(o, r);
    struct span reference = operator_text(o, r->reference);
    char text[PROMPT_TEXT_MAX];
    prompt_text(o, r, text);
    json_open(w, '{');
    json_field_text(w, "object", "prompt");
    surface_id_field(w, "checkout_request_id", "req_", r->number);
    json_field_u64(w, "short_code", r->short_code);
    json_field_string(w, "organisation", partner);
    json_field_i64(w, "amount", r->amount_minor);
    json_field_text(w, "currency", "KES");
    json_field_string(w, "account_reference", reference);
    json_field_text(w, "text", text);
    surface_time_field(w, "expires_at", r->due_ns);
    json_close(w, '}');
}

void control_answer_request_prompt(struct request *q, const struct operator_request *r,
                                   bool cancels, struct span pin)
{
    struct surface *s = q->s;
    struct stk_answer_command c = {.number = r->number};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    const struct subscriber *u = operator_subscriber_at(surface_operator(s), r->phone);
    if (!cancels && u != NULL) {
        secrets_pin_verifier(s->options.secrets, u->msisdn, pin, c.verifier);
    }
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION,
                       cancels ? COMMAND_REQUEST_CANCEL : COMMAND_REQUEST_APPROVE, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal == OPERATOR_ALREADY_ENDED) {
        surface_problem(q, result.wait_position, 409, "payment_ended",
                        "this request has ended already; nothing was changed");
        return;
    }
    if (reply.refusal != OPERATOR_DONE) {
        surface_problem(q, result.wait_position, 404, "no_prompt",
                        "this request has no prompt on a phone");
        return;
    }
    answer_request(q, result.wait_position, 200, operator_request(surface_operator(s), c.number));
}
