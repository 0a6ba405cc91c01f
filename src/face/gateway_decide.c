/*
 * gateway_decide.c - POST /v1/payments/{id}/decide, and the same of payouts and refunds: a person's
 * decision about what is mismatched, or what nobody could find out.
 * Tests: tests/e2e/351-gateway-mismatch.sh, tests/e2e/352-gateway-unknown.sh.
 */
#include <stdio.h>

#include "face/gateway.h"

/* As the provider writes it: what is told otherwise here would never be found in its statement. */
static bool receipt_given(struct json_object *body, bool is_mpesa, struct span *out)
{
    if (!gateway_optional_text(body, "receipt", GATEWAY_ID_MAX, out)) {
        return false;
    }
    for (size_t i = 0; i < out->size; i++) {
        char c = out->data[i];
        bool is_plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (is_mpesa ? !is_plain : c <= ' ' || c > '~') {
            return false;
        }
    }
    return true;
}

/* {"decision": "accept" | "refund" | "reject", "amount": 14900, "receipt": "...", "owner": "...",
 * "note": "..."} */
static bool parse(struct request *q, struct json_object *body, const struct gateway_payment *p,
                  struct judgement_command *c)
{
    enum gateway_what what = gateway_what_of(p);
    bool is_mpesa = p->method != METHOD_PAYSTACK && p->method != METHOD_PAYSTACK_REFUND;
    struct span name = SPAN_EMPTY;
    struct json_object *amount = json_member(body, "amount");
    (void)gateway_member_text(body, "decision", 20, &name);
    for (uint8_t i = JUDGEMENT_ACCEPT; i <= JUDGEMENT_LAST; i++) {
        c->judgement = span_is(name, gateway_judgement_name(i)) ? i : c->judgement;
    }
    if (c->judgement == JUDGEMENT_NONE ||
        (c->judgement == JUDGEMENT_REFUND && what != GATEWAY_A_PAYMENT)) {
        return gateway_invalid(q, "invalid_decision",
                               what == GATEWAY_A_PAYMENT
                                   ? "decision must be accept, refund or reject"
                                   : "decision must be accept or reject: money has left, or not");
    }
    bool booked = c->judgement != JUDGEMENT_REJECT;
    bool given = amount != NULL && json_integer(amount, &c->amount_minor) && c->amount_minor > 0 &&
                 c->amount_minor <= GATEWAY_AMOUNT_MAX;
    if (booked ? !given : amount != NULL) {
        return gateway_invalid(
            q, "invalid_amount",
            !booked ? "a rejection has no amount: no money moved"
            : what == GATEWAY_A_PAYMENT
                ? "amount must be the cents that really came: claimed_amount, "
                  "or of an unconfirmed payment its amount"
                : "amount must be the cents that left: those that were asked for");
    }
    if (!receipt_given(body, is_mpesa, &c->receipt)) {
        return gateway_invalid(q, "invalid_receipt",
                               is_mpesa ? "receipt must be capital letters and digits, as M-Pesa "
                                          "writes it"
                                        : "receipt must be at most 100 characters without spaces");
    }
    if (!gateway_member_text(body, "owner", GATEWAY_NAME_MAX, &c->judge) ||
        !gateway_member_text(body, "note", GATEWAY_NOTE_MAX, &c->note)) {
        return gateway_invalid(
            q, "invalid_owner",
            "owner (who decides, 1 to 100 bytes) and note (why, 1 to 500 bytes) are "
            "needed");
    }
    return true;
}

static void refuse_judgement(struct request *q, uint64_t wait_position,
                             enum gateway_refusal refusal)
{
    static const struct {
        enum gateway_refusal refusal;
        const char *code;
        const char *detail;
    } answers[] = {
        {GATEWAY_NOT_WAITING, "not_waiting",
         "only what is mismatched or unconfirmed waits for a decision"},
        {GATEWAY_JUDGED, "already_decided",
         "it was decided about before, and otherwise: see decision; nothing was changed"},
        {GATEWAY_MONEY_CAME, "money_came",
         "a receipt of ours or the provider itself says that its money moved: accept it"},
        {GATEWAY_STILL_ASKED, "still_asked",
         "nobody can know yet that no money moves: the provider is still being asked, or it may "
         "still leave. It can be rejected once attention is true and nothing of it is under way"},
        {GATEWAY_NOT_OURS, "not_ours",
         "that money did not move on this account, is another payment's, or is booked already: "
         "look at the receipt again, or reject it"},
        {GATEWAY_NO_ROOM, "account_full",
         "this provider account has taken in all that one account can: open another one"},
        {GATEWAY_AMOUNT_DIFFERS, "amount_differs",
         "amount is not what the provider says, or what was asked for: see claimed_amount, amount"},
    };
    if (refusal == GATEWAY_RECEIPT_WRONG) {
        surface_problem(q, wait_position, 422, "invalid_receipt",
                        "to accept what is unconfirmed, or what left, receipt must be the number "
                        "that the provider shows for it; with anything else it must be left out");
        return;
    }
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i].refusal == refusal) {
            surface_problem(q, wait_position, 409, answers[i].code, answers[i].detail);
            return;
        }
    }
    surface_problem(q, wait_position, 404, "not_found",
                    "there is nothing of this kind with this id");
}

/* What Paystack kept of the money is not at Paystack: it is booked with the rest. The book keeps
 * the words of the claim that counts, and they are read again. 0: they name no fee. */
static int64_t fee_of(struct surface *s, const struct gateway_payment *p)
{
    struct observation seen;
    bool waits = p->state == GATEWAY_MISMATCHED && p->method == METHOD_PAYSTACK;
    const struct gateway_notice *n = waits ? gateway_mismatch_claim(surface_gateway(s), p) : NULL;
    if (n == NULL) {
        return 0;
    }
    gateway_notice_read(s, p, n, &seen);
    return seen.has_fee && seen.amount_minor == n->amount_minor ? seen.fee_minor : 0;
}

/* Repeating it is harmless: the same decision again answers as before. */
static void decide(struct request *q, enum gateway_what what)
{
    struct surface *s = q->s;
    const struct gateway_payment *p = gateway_find(q, what);
    struct judgement_command c = {.merchant = q->merchant};
    c.fee_minor = p == NULL ? 0 : fee_of(s, p); /* before the body is read: one scratch for both */
    struct json_object *body = p == NULL ? NULL : control_body(q);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    if (body == NULL || !parse(q, body, p, &c)) {
        return;
    }
    c.number = p->number;
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_PAYMENT_JUDGE, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != GATEWAY_DONE && reply.refusal != GATEWAY_REPEATED) {
        refuse_judgement(q, result.wait_position, reply.refusal);
        return;
    }
    gateway_answer_payment(q, result.wait_position, 200, gateway_reach(s, c.number));
}

void gateway_payment_decide(struct request *q)
{
    decide(q, GATEWAY_A_PAYMENT);
}

void gateway_payout_decide(struct request *q)
{
    decide(q, GATEWAY_A_PAYOUT);
}

void gateway_refund_decide(struct request *q)
{
    decide(q, GATEWAY_A_REFUND);
}

void gateway_mismatch_fields(struct surface *s, struct writer *w, const struct gateway_payment *p)
{
    const struct gateway_notice *n =
        p->state == GATEWAY_MISMATCHED ? gateway_mismatch_claim(surface_gateway(s), p) : NULL;
    if (n != NULL && n->amount_minor != 0) {
        json_field_i64(w, "claimed_amount", n->amount_minor);
    } else {
        json_field_null(w, "claimed_amount");
    }
    if (p->judgement == JUDGEMENT_NONE) {
        json_field_null(w, "decision");
        return;
    }
    json_key(w, "decision");
    json_open(w, '{');
    json_field_text(w, "decision", gateway_judgement_name(p->judgement));
    gateway_text_field(s, w, "owner", p->judge);
    gateway_text_field(s, w, "note", p->judge_note);
    surface_time_field(
        w, "at",
        p->entered_ns[p->judgement == JUDGEMENT_REJECT ? GATEWAY_FAILED : GATEWAY_SUCCEEDED]);
    json_close(w, '}');
}
