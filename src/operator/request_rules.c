/*
 * request_rules.c - scenario rules (R6.2) and requests: which call a request is, what a rule
 * ordered for it, and what that makes of its end, its prompt and its results. See rules.h.
 * Tests: tests/unit/test_rules_requests.c, tests/e2e/stories/152-rules-requests.mjs.
 */
#include <string.h>

#include "base/caltime.h"
#include "operator/internal.h"

bool request_rule_call(const struct request_command *c, struct rule_call *out)
{
    static const uint8_t apis[REQUEST_KIND_END] = {
        [REQUEST_C2B] = RULE_API_C2B,
        [REQUEST_B2C] = RULE_API_B2C,
        [REQUEST_POCHI] = RULE_API_B2POCHI,
        [REQUEST_B2B] = RULE_API_B2B,
        [REQUEST_TAX] = RULE_API_TAX,
        [REQUEST_EXPRESS] = RULE_API_B2B_EXPRESS,
        [REQUEST_STATUS] = RULE_API_STATUS,
        [REQUEST_BALANCE] = RULE_API_BALANCE,
        [REQUEST_REVERSAL] = RULE_API_REVERSAL,
        [REQUEST_STANDING_ORDER] = RULE_API_RATIBA,
        [REQUEST_STANDING_PAYMENT] = RULE_API_RATIBA_PAYMENT,
        [REQUEST_PAYSTACK] = RULE_API_PAYSTACK_CHARGE,
        [REQUEST_PAYSTACK_REFUND] = RULE_API_PAYSTACK_REFUND,
    };
    bool has_phone = c->kind == REQUEST_C2B || c->party_type == PARTY_MSISDN;
    bool has_amount = c->kind != REQUEST_STATUS && c->kind != REQUEST_BALANCE;
    CHECK(c->kind > 0 && c->kind < REQUEST_KIND_END);
    if (apis[c->kind] == 0) {
        return false; /* revenue settlement: nobody outside asks for it */
    }
    *out = (struct rule_call){
        .api = apis[c->kind],
        .short_code = c->short_code,
        .msisdn = has_phone ? c->party : 0,
        .amount_minor = has_amount ? c->amount_minor : -1,
        .reference = c->reference,
    };
    return true;
}

static void emit_order(const struct operator_state *o, struct decision *d, uint16_t kind,
                       uint64_t number, const struct rule_verdict *verdict)
{
    uint8_t order[RULE_ORDER_BYTES_MAX];
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = kind;
    e.number = number;
    e.orders = (struct span){(const char *)order, operator_ruled_encode(o, verdict, order)};
    operator__emit(d, &e);
}

void operator__request_rule(const struct operator_state *o, struct decision *d,
                            const struct request_command *c)
{
    struct rule_call call;
    struct rule_verdict verdict;
    if (!request_rule_call(c, &call)) {
        return;
    }
    operator_rule_look(o, &call, &verdict);
    operator__rule_count(d, &verdict);
    if (verdict.rule != NULL) {
        emit_order(o, d, EVENT_REQUEST_RULED, o->last_request + 1, &verdict);
    }
}

void operator__message_rule(const struct operator_state *o, struct decision *d,
                            const struct operator_request *r, uint16_t message_kind,
                            struct rule_effects *out)
{
    const struct rule_call call = {
        .api = message_kind == MESSAGE_TIMEOUT ? RULE_API_QUEUE_TIMEOUT : RULE_API_C2B_VALIDATION,
        .short_code = r->short_code,
        .msisdn = r->party_type == PARTY_MSISDN ? r->party : 0,
        .amount_minor = r->amount_minor > 0 ? r->amount_minor : -1,
        .reference = operator_text(o, r->reference),
    };
    struct rule_verdict verdict;
    CHECK(message_kind == MESSAGE_TIMEOUT || message_kind == MESSAGE_VALIDATION);
    CHECK(r->message_ruled == TEXT_NONE);
    rule_effects_init(out);
    operator_rule_look(o, &call, &verdict);
    operator__rule_count(d, &verdict);
    if (verdict.rule != NULL) {
        *out = verdict.rule->effects;
        emit_order(o, d, EVENT_REQUEST_MESSAGE_RULED, r->number, &verdict);
    }
}

bool operator__late_decided(const struct operator_request *r)
{
    return r->late != 0 || r->message_ruled != TEXT_NONE; /* a rule may have ordered no message */
}

bool request_message_ruled(const struct operator_state *o, const struct operator_request *r,
                           uint16_t message_kind, struct ruled *out)
{
    bool is_result = (message_kind & ~MESSAGE_RULED) == MESSAGE_RESULT;
    return operator_ruled(o, is_result ? r->ruled : r->message_ruled, out);
}

bool request_ruled(const struct operator_state *o, const struct operator_request *r,
                   struct ruled *out)
{
    return operator_ruled(o, r->ruled, out);
}

void request_result_code(const struct operator_state *o, const struct operator_request *r,
                         char out[RULE_CODE_MAX + 1])
{
    struct ruled ruled;
    const char *code = request_outcome_code(r->outcome);
    if (r->outcome == REQUEST_RULED && request_ruled(o, r, &ruled)) {
        code = ruled.effects.outcome_code;
    }
    CHECK(strlen(code) <= RULE_CODE_MAX);
    memcpy(out, code, strlen(code) + 1);
}

uint32_t operator__request_results(const struct operator_state *o, const struct operator_request *r,
                                   enum request_outcome outcome)
{
    struct ruled ruled;
    if (!operator__request_told(o, r, outcome)) {
        return 0;
    }
    return request_ruled(o, r, &ruled) ? ruled.effects.times : 1;
}

uint32_t request_results(const struct operator_state *o, const struct operator_request *r)
{
    return r->delivery == 0 ? 0 : operator__request_results(o, r, r->outcome);
}

bool operator__request_fails_by_order(const struct operator_state *o,
                                      const struct operator_request *r)
{
    struct ruled ruled;
    return request_ruled(o, r, &ruled) && rule_orders_end(&ruled.effects) &&
           strcmp(ruled.effects.outcome_code, "0") != 0;
}

int64_t operator__request_ruled_turn(const struct operator_state *o,
                                     const struct operator_request *r)
{
    struct ruled ruled;
    bool waits = request_ruled(o, r, &ruled) && rule_orders_end(&ruled.effects);
    int64_t delay_ns = waits ? ruled.effects.act_delay_ms * NS_PER_MS : 0;
    return r->step_ns[REQUEST_ACCEPTED] + delay_ns;
}

struct ruled_act operator__request_act(const struct operator_state *o,
                                       const struct operator_request *r)
{
    struct ruled ruled;
    if (!request_ruled(o, r, &ruled)) {
        return (struct ruled_act){RULE_ACT_NONE, 0};
    }
    if (rule_orders_end(&ruled.effects)) { /* its delay was over before the prompt */
        return (struct ruled_act){RULE_ACT_APPROVE, 0};
    }
    return (struct ruled_act){ruled.effects.act, ruled.effects.act_delay_ms * NS_PER_MS};
}

int64_t operator__request_due(const struct operator_state *o, const struct operator_request *r)
{
    struct ruled_act act = operator__request_act(o, r);
    bool acts = r->state == STK_PROCESSING && r->phone != SLAB_NONE && r->reached &&
                (act.act == RULE_ACT_APPROVE || act.act == RULE_ACT_WRONG_PIN ||
                 act.act == RULE_ACT_CANCEL);
    int64_t act_ns = r->step_ns[REQUEST_ASKED] + act.delay_ns;
    return acts && act_ns < r->due_ns ? act_ns : r->due_ns;
}
