/*
 * gateway_payouts.c - /v1/payouts (B2C) and /v1/refunds (reversal of a payment).
 */
#include <stdio.h>
#include <string.h>

#include "face/gateway.h"

static void payout_digests(struct request *q, struct span key, struct payout_command *c)
{
    struct span scope[3] = {SPAN_LITERAL("payout"),
                            gateway_bytes(&c->merchant, sizeof(c->merchant)), key};
    struct span asked[5] = {gateway_bytes(&c->amount_minor, sizeof(c->amount_minor)),
                            gateway_bytes(&c->phone, sizeof(c->phone)),
                            gateway_bytes(&c->refunds, sizeof(c->refunds)), c->reference,
                            c->description};
    secrets_digest(q->s->options.secrets, scope, 3, c->key);
    secrets_digest(q->s->options.secrets, asked, 5, c->request);
}

static void refuse_payout(struct request *q, uint64_t wait_position, enum gateway_refusal refusal)
{
    static const struct {
        enum gateway_refusal refusal;
        unsigned status;
        const char *code;
        const char *detail;
    } answers[] = {
        {GATEWAY_KEY_REUSED, 422, "idempotency_key_reused",
         "this Idempotency-Key came with another request before"},
        {GATEWAY_NO_MONEY, 409, "insufficient_funds",
         "the account holds less than that, what is held for other payouts not counted"},
        {GATEWAY_NOT_FOUND, 404, "not_found", "there is no payment with this id"},
        {GATEWAY_NOT_PAID, 409, "not_refundable",
         "only a payment that succeeded and whose receipt is known can be given back"},
        {GATEWAY_EXISTS, 409, "already_refunded",
         "this payment has been given back, or is being given back"},
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i].refusal == refusal) {
            surface_problem(q, wait_position, answers[i].status, answers[i].code,
                            answers[i].detail);
            return;
        }
    }
    surface_problem(q, wait_position, 422, "no_provider",
                    "no provider account is configured for this: POST /v1/providers");
}

static void create_payout(struct request *q, struct span key, struct payout_command *c)
{
    struct surface *s = q->s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    secrets_random(c->token, sizeof(c->token));
    payout_digests(q, key, c);
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_PAYOUT_CREATE, c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != GATEWAY_DONE && reply.refusal != GATEWAY_REPEATED) {
        if (reply.refusal == GATEWAY_UNAVAILABLE) {
            gateway_answer_unavailable(q, result.wait_position, reply.number);
        } else {
            refuse_payout(q, result.wait_position, reply.refusal);
        }
        return;
    }
    if (reply.refusal == GATEWAY_REPEATED) {
        http_reply_header(q->x, "Idempotent-Replayed", SPAN_LITERAL("true"));
    }
    gateway_answer_payment(q, result.wait_position, 201, gateway_reach(s, reply.number));
}

void gateway_payout_create(struct request *q)
{
    struct payout_command c = {.merchant = q->merchant};
    struct span key = gateway_idempotency_key(q);
    struct json_object *body = key.data != NULL ? control_body(q) : NULL;
    if (body == NULL) {
        return;
    }
    struct json_object *amount = json_member(body, "amount");
    if (amount == NULL || !json_integer(amount, &c.amount_minor) || c.amount_minor <= 0 ||
        c.amount_minor > GATEWAY_AMOUNT_MAX || c.amount_minor % MONEY_MINOR_PER_MAJOR != 0) {
        surface_problem(q, 0, 422, "invalid_amount",
                        "amount must be cents above 0, and whole shillings");
        return;
    }
    if (!gateway_phone_parse(body, &c.phone)) {
        surface_problem(q, 0, 422, "invalid_phone",
                        "phone must be a Kenyan mobile number like 254712345678");
        return;
    }
    if (!gateway_member_text(body, "reference", GATEWAY_ORDER_MAX, &c.reference) ||
        !gateway_optional_text(body, "description", GATEWAY_DESCRIPTION_MAX, &c.description)) {
        surface_problem(q, 0, 422, "invalid_reference",
                        "reference must be a text of 1 to 100 bytes, description one of at most "
                        "100");
        return;
    }
    c.provider = gateway_provider_of(surface_gateway(q->s), c.merchant, OBSERVED_AT_DARAJA, 0);
    create_payout(q, key, &c);
}

void gateway_refund_payment(struct request *q)
{
    struct payout_command c = {.merchant = q->merchant};
    struct span key = gateway_idempotency_key(q);
    const struct gateway_payment *p = key.data != NULL ? gateway_find(q, GATEWAY_A_PAYMENT) : NULL;
    if (p != NULL) {
        c.refunds = p->number;
        create_payout(q, key, &c);
    }
}

void gateway_refund_create(struct request *q)
{
    struct payout_command c = {.merchant = q->merchant};
    struct span key = gateway_idempotency_key(q);
    struct json_object *body = key.data != NULL ? control_body(q) : NULL;
    struct span id;
    if (body == NULL) {
        return;
    }
    if (!gateway_member_text(body, "payment", 32, &id) ||
        !surface_parse_number(id, "pay_", &c.refunds) ||
        !gateway_optional_text(body, "reason", GATEWAY_DESCRIPTION_MAX, &c.description)) {
        surface_problem(q, 0, 422, "invalid_payment", "payment must be the id of a payment");
        return;
    }
    create_payout(q, key, &c);
}

void gateway_payout_list(struct request *q)
{
    gateway_list(q, GATEWAY_A_PAYOUT);
}

void gateway_payout_get(struct request *q)
{
    gateway_get(q, GATEWAY_A_PAYOUT);
}

void gateway_payout_timeline(struct request *q)
{
    gateway_timeline(q, GATEWAY_A_PAYOUT);
}

void gateway_refund_list(struct request *q)
{
    gateway_list(q, GATEWAY_A_REFUND);
}

void gateway_refund_get(struct request *q)
{
    gateway_get(q, GATEWAY_A_REFUND);
}

void gateway_refund_timeline(struct request *q)
{
    gateway_timeline(q, GATEWAY_A_REFUND);
}
