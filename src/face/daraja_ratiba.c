/*
 * daraja_ratiba.c - M-Pesa Ratiba (standing orders) on Daraja's path, the callbacks that tell of an
 * order and of its payments, and the control API's calls about orders.
 *
 * The callback of the order and those of its payments have the same form. requestRefID is the
 * responseRefID of the answer that accepted the order, in all of them; responseRefID is the
 * message's own.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "wire/daraja_ratiba.h"

/* ---- the call ---- */

static void fill_standing_order(struct request_command *c, const struct daraja_ratiba *in)
{
    memset(c, 0, sizeof(*c));
    c->kind = REQUEST_STANDING_ORDER;
    c->command = in->buy_goods ? C2B_BUY_GOODS : C2B_PAY_BILL;
    c->without_initiator = true;
    c->short_code = in->short_code;
    c->party = in->msisdn;
    c->party_type = PARTY_MSISDN;
    c->amount_minor = in->amount_minor;
    c->reference = in->reference;
    c->remarks = in->name;
    c->occasion = in->description;
    c->result_url = in->callback_url;
    c->terms = (struct standing_terms){in->start_day, in->end_day, in->frequency};
}

static void handle_create(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_ratiba in;
    struct daraja_error error;
    struct request_command command;
    struct daraja_url_rule rule = daraja_url_rule(s);
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_B2C)) {
        return;
    }
    if (!daraja_ratiba_parse(http_body(q->x), &rule, eat_day_number(engine_now(s->engine)), s->json,
                             &in, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    if (!daraja_request_organisation(q, in.short_code)) {
        return;
    }
    enum engine_status opened = daraja_open_phone(s, in.msisdn);
    if (opened != ENGINE_APPLIED) {
        daraja_refuse_busy(q, opened);
        return;
    }
    fill_standing_order(&command, &in);
    uint64_t wait_position = 0;
    const struct operator_request *r = daraja_request_execute(q, &command, &wait_position);
    if (r == NULL) {
        return;
    }
    char made[ID_TEXT_SIZE];
    struct writer w = surface_writer(s);
    daraja_ratiba_accepted_render(&w, request_originator_id(surface_operator(s), r, made));
    daraja_explain(q, "accepted: the customer is asked for the PIN; the end goes to CallBackURL");
    surface_json(q, wait_position, 200, &w);
}

bool daraja_ratiba_route(struct request *q)
{
    if (!span_is(q->path, "/standingorder/v1/createStandingOrderExternal")) {
        return false;
    }
    handle_create(q);
    return true;
}

/* ---- callbacks ---- */

void daraja_ratiba_message(struct surface *s, const struct operator_request *r, struct writer *body)
{
    const struct operator_state *o = surface_operator(s);
    struct daraja_request_texts texts;
    struct daraja_result_head head;
    char asked[ID_TEXT_SIZE];
    daraja_request_head(s, r, &texts, &head);
    const struct standing_order *order = operator_standing_order(o, (uint64_t)r->order + 1);
    CHECK(order != NULL);
    const struct daraja_ratiba_result result = {
        .code = head.code,
        .desc = head.desc,
        .response_id = head.originator_id,
        .request_id = request_originator_id(o, operator_request(o, order->request), asked),
        .transaction_id = head.transaction_id,
        .msisdn = r->party,
    };
    daraja_ratiba_render(body, &result);
}

/* ---- the control API ---- */

static void field_date(struct writer *w, const char *name, uint32_t day)
{
    char text[16];
    struct civil c;
    civil_from_day(day, &c);
    int size = snprintf(text, sizeof(text), "%04d-%02u-%02u", (int)c.year % 10000, c.month % 100,
                        c.day % 100);
    CHECK(size == 10);
    json_field_text(w, name, text);
}

static void render_order(struct surface *s, struct writer *w, const struct standing_order *order)
{
    const struct operator_state *o = surface_operator(s);
    const struct operator_request *r = operator_request(o, order->request);
    json_open(w, '{');
    surface_id_field(w, "id", "sto_", order->number);
    json_field_text(w, "object", "standing_order");
    json_field_text(w, "status", standing_state_name(order->state));
    json_field_string(w, "name", operator_text(o, r->remarks));
    json_field_u64(w, "msisdn", r->party);
    json_field_u64(w, "short_code", r->short_code);
    json_field_string(w, "account_reference", operator_text(o, r->reference));
    json_field_i64(w, "amount", r->amount_minor);
    json_field_text(w, "currency", "KES");
    json_field_text(w, "frequency", standing_frequency_name(order->terms.frequency));
    field_date(w, "start_date", order->terms.start_day);
    field_date(w, "end_date", order->terms.end_day);
    json_field_u64(w, "payments", order->runs);
    json_field_u64(w, "paid", order->paid);
    surface_time_field(w, "next_payment_at", order->due_ns);
    surface_id_field(w, "request", "req_", order->request);
    surface_id_field(w, "last_payment", "req_", order->last_run);
    surface_time_field(w, "created_at", r->step_ns[REQUEST_ACCEPTED]);
    surface_time_field(w, "closed_at", order->closed_ns);
    json_close(w, '}');
}

/* "sto_3"; NULL after answering. */
static const struct standing_order *find_order(struct request *q, struct span id)
{
    uint64_t number;
    const struct standing_order *order =
        surface_parse_number(id, "sto_", &number)
            ? operator_standing_order(surface_operator(q->s), number)
            : NULL;
    if (order == NULL) {
        surface_problem(q, engine_read_position(q->s->engine), 404, "not_found",
                        "no standing order has this id (sto_3)");
    }
    return order;
}

static void answer_order(struct request *q, uint64_t wait_position,
                         const struct standing_order *order)
{
    struct writer w = surface_writer(q->s);
    render_order(q->s, &w, order);
    surface_json(q, wait_position, 200, &w);
}

void control_standing_get(struct request *q)
{
    const struct standing_order *order = find_order(q, q->parts[0]);
    if (order != NULL) {
        answer_order(q, engine_read_position(q->s->engine), order);
    }
}

/* The newest LIST_LIMIT_MAX; older ones by ?starting_after=sto_12. */
void control_standing_list(struct request *q)
{
    const struct operator_state *o = surface_operator(q->s);
    struct span after = http_query_value(q->x, "starting_after");
    uint64_t number = o->last_standing;
    if (after.data != NULL) {
        const struct standing_order *order = find_order(q, after);
        if (order == NULL) {
            return;
        }
        number = order->number - 1;
    }
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    for (uint32_t i = 0; i < LIST_LIMIT_MAX && number > 0; i++, number--) {
        render_order(q->s, &w, operator_standing_order(o, number));
    }
    surface_list_close(q, &w, number > 0);
}

/* The customer wants no more of it. */
void control_standing_cancel(struct request *q)
{
    struct surface *s = q->s;
    const struct standing_order *order = find_order(q, q->parts[0]);
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    if (order == NULL) {
        return;
    }
    const struct standing_cancel_command c = {order->number};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_STANDING_CANCEL, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != OPERATOR_DONE) {
        surface_problem(q, result.wait_position, 409, "not_active",
                        "only an active standing order can be cancelled; nothing was changed");
    } else {
        answer_order(q, result.wait_position,
                     operator_standing_order(surface_operator(s), c.number));
    }
}
