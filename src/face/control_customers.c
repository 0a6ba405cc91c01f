/*
 * control_customers.c - the control API's calls about payments that customers make by themselves: a
 * payment as if made on the phone, and whether the organisation is asked before.
 */
#include <string.h>

#include "face/daraja.h"
#include "face/daraja.h"
#include "face/internal.h"

/* ---- a customer pays by himself ---- */

struct pay_fields {
    uint32_t short_code;
    int64_t amount_minor;
    struct span reference;
    struct span pin;
};

static bool digits_only(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return true;
}

static bool text_at_most(struct json_object *value, size_t most, struct span *out)
{
    *out = SPAN_EMPTY;
    return value == NULL || (json_string(value, out) && out->size <= most);
}

/* False after answering what is wrong. */
static bool pay_read(struct request *q, struct json_object *body, struct pay_fields *out)
{
    int64_t code;
    struct json_object *short_code = json_member(body, "short_code");
    struct json_object *amount = json_member(body, "amount");
    struct json_object *pin = json_member(body, "pin");
    if (short_code == NULL || !json_whole(q->s->json, short_code, &code) || code < 10000 ||
        code > 9999999) {
        surface_problem(q, 0, 400, "invalid_short_code", "short_code must be 5 to 7 digits");
        return false;
    }
    out->short_code = (uint32_t)code;
    if (amount == NULL || !json_integer(amount, &out->amount_minor) || out->amount_minor < 1 ||
        out->amount_minor > OPERATOR_AMOUNT_MAX) {
        surface_problem(q, 0, 400, "invalid_amount", "amount must be cents, at least 1");
        return false;
    }
    if (!text_at_most(json_member(body, "reference"), C2B_REFERENCE_MAX, &out->reference)) {
        surface_problem(q, 0, 400, "invalid_reference",
                        "reference must be a string of at most 100 bytes");
        return false;
    }
    if (pin == NULL || !json_string(pin, &out->pin) || out->pin.size != 4 ||
        !digits_only(out->pin)) {
        surface_problem(q, 0, 400, "invalid_pin", "pin must be a string of 4 digits");
        return false;
    }
    return true;
}

static void answer_paid(struct request *q, struct request_command *c)
{
    struct surface *s = q->s;
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_REQUEST, c, &reply);
    if (result.status != ENGINE_APPLIED) {
        surface_not_decided(q, result.status);
        return;
    }
    struct writer w = surface_writer(s);
    control_request_render(s, &w, operator_request(surface_operator(s), reply.number));
    surface_json(q, result.wait_position, 201, &w);
}

void control_subscriber_pay(struct request *q)
{
    const struct operator_state *o = surface_operator(q->s);
    struct pay_fields fields;
    struct request_command c;
    uint64_t msisdn;
    struct json_object *body = control_body(q);
    if (body == NULL || !pay_read(q, body, &fields)) {
        return;
    }
    if (!span_parse_u64(q->parts[0], &msisdn) || operator_subscriber(o, msisdn) == NULL) {
        surface_problem(q, engine_read_position(q->s->engine), 404, "no_subscriber",
                        "nobody on this network has this number (form: 254712345678)");
        return;
    }
    const struct organisation *g = operator_organisation(o, fields.short_code);
    memset(&c, 0, sizeof(c));
    c.kind = REQUEST_C2B;
    c.command = g != NULL && g->type == ORGANISATION_TILL ? C2B_BUY_GOODS : (uint8_t)C2B_PAY_BILL;
    c.short_code = fields.short_code;
    c.party = msisdn;
    c.amount_minor = fields.amount_minor;
    c.reference = fields.reference;
    c.has_pin = true;
    secrets_pin_verifier(q->s->options.secrets, msisdn, fields.pin, c.verifier);
    answer_paid(q, &c);
}

/* ---- a setting of an organisation ---- */

void control_validation_change(struct request *q, struct json_object *body)
{
    struct surface *s = q->s;
    uint64_t short_code;
    struct json_object *validates = json_member(body, "external_validation");
    struct validation_set_command c = {0, false};
    /* Another setting is another command: taking one and dropping the other would mislead. */
    bool alone = json_member(body, "active") == NULL &&
                 json_member(body, "nominated_msisdn") == NULL &&
                 json_member(body, "queue_delay_ms") == NULL;
    if (!alone || validates == NULL || !json_boolean(validates, &c.validates)) {
        surface_problem(q, 0, 400, "invalid_external_validation",
                        "give external_validation (true or false) in a change of its own");
        return;
    }
    struct operator_reply reply = {.refusal = OPERATOR_NOT_FOUND};
    struct engine_result result = {ENGINE_REFUSED, engine_read_position(s->engine)};
    if (span_parse_u64(q->parts[0], &short_code) && short_code <= UINT32_MAX) {
        c.short_code = (uint32_t)short_code;
        result = engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_VALIDATION_SET, &c, &reply);
    }
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != OPERATOR_DONE) {
        surface_problem(q, result.wait_position, 404, "no_organisation",
                        "no organisation on this network has this short code");
    } else {
        control_organisation_get(q);
    }
}
