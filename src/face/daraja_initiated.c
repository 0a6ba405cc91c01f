/*
 * daraja_initiated.c - the calls that an organisation's initiator makes beside payouts (account
 * balance, transaction status, reversal, B2B, tax), B2B express checkout, and the messages that
 * tell how they ended or that they are late.
 *
 * What a message says comes from the record as it was decided, never from the state of the moment
 * at which it is sent: sent again, it is the same message.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/ids.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "wire/daraja_express.h"
#include "wire/daraja_initiated.h"

/* ---- requests ---- */

static void fill_initiated(struct request_command *c, enum daraja_initiated_api api,
                           const struct daraja_initiated *in)
{
    static const uint8_t kinds[] = {
        [DARAJA_BALANCE] = REQUEST_BALANCE,   [DARAJA_STATUS] = REQUEST_STATUS,
        [DARAJA_REVERSAL] = REQUEST_REVERSAL, [DARAJA_B2B] = REQUEST_B2B,
        [DARAJA_TAX] = REQUEST_TAX,
    };
    bool by_receipt = in->transaction_id.size > 0;
    bool names_original = api == DARAJA_STATUS || api == DARAJA_REVERSAL;
    memset(c, 0, sizeof(*c));
    c->kind = kinds[api];
    c->command = api == DARAJA_B2B ? (uint8_t)in->command : 1;
    c->short_code = in->party_a;
    c->party = in->party_b;
    c->party_type = in->party_b == 0      ? PARTY_NONE
                    : in->party_b_is_till ? PARTY_TILL
                                          : PARTY_SHORT_CODE;
    c->amount_minor = in->amount_minor;
    c->reference = in->reference;
    if (names_original) {
        c->command = by_receipt ? ORIGINAL_BY_RECEIPT : ORIGINAL_BY_CONVERSATION;
        c->reference = by_receipt ? in->transaction_id : in->conversation_id;
    }
    c->initiator = in->initiator;
    c->result_url = in->result_url;
    c->timeout_url = in->timeout_url;
    c->remarks = in->remarks;
    c->occasion = in->occasion;
}

static void handle_initiated(struct request *q, enum daraja_initiated_api api,
                             enum daraja_error_kind token_error)
{
    struct surface *s = q->s;
    struct daraja_initiated in;
    struct daraja_error error;
    struct request_command command;
    struct daraja_url_rule rule = daraja_url_rule(s);
    if (!daraja_preamble(q, token_error)) {
        return;
    }
    if (!daraja_initiated_parse(api, http_body(q->x), &rule, s->json, &in, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    if (!daraja_request_organisation(q, in.party_a)) {
        return;
    }
    enum engine_status opened = daraja_open_code(s, in.party_b); /* 0 for calls without one */
    if (opened != ENGINE_APPLIED) {
        daraja_refuse_busy(q, opened);
        return;
    }
    fill_initiated(&command, api, &in);
    command.credential_good = daraja_credential_good(
        q, operator_organisation(surface_operator(s), in.party_a), in.security_credential);
    daraja_request_accept(q, &command);
}

/* The record is the vendor's; the till is its party. The name in the prompt is kept as remarks. */
static void handle_express(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_express in;
    struct daraja_error error;
    struct request_command command;
    struct daraja_url_rule rule = daraja_url_rule(s);
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_B2C)) {
        return;
    }
    if (!daraja_express_parse(http_body(q->x), &rule, s->json, &in, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    if (!daraja_request_organisation(q, in.paybill)) {
        return;
    }
    memset(&command, 0, sizeof(command));
    command.kind = REQUEST_EXPRESS;
    command.command = 1;
    command.without_initiator = true;
    command.short_code = in.paybill;
    command.party = in.till;
    command.party_type = PARTY_TILL;
    command.amount_minor = in.amount_minor;
    command.reference = in.reference;
    command.result_url = in.callback_url;
    command.remarks = in.partner;
    command.conversation = in.request_id;
    uint64_t wait_position = 0;
    if (daraja_request_execute(q, &command, &wait_position) == NULL) {
        return;
    }
    struct writer w = surface_writer(s);
    daraja_express_accepted_render(&w);
    daraja_explain(q,
                   "accepted: the till's nominated phone is prompted; the end goes to callbackUrl");
    surface_json(q, wait_position, 200, &w);
}

bool daraja_initiated_route(struct request *q)
{
    static const struct {
        const char *path;
        enum daraja_initiated_api api;
        enum daraja_error_kind token_error;
    } rows[] = {
        {"/mpesa/accountbalance/v1/query", DARAJA_BALANCE, DARAJA_ERROR_INVALID_TOKEN_B2C},
        {"/mpesa/transactionstatus/v1/query", DARAJA_STATUS, DARAJA_ERROR_INVALID_TOKEN_C2B},
        {"/mpesa/reversal/v1/request", DARAJA_REVERSAL, DARAJA_ERROR_INVALID_TOKEN_STK},
        {"/mpesa/b2b/v1/paymentrequest", DARAJA_B2B, DARAJA_ERROR_INVALID_TOKEN_B2C},
        {"/mpesa/b2b/v1/remittax", DARAJA_TAX, DARAJA_ERROR_INVALID_TOKEN_B2C},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (span_is(q->path, rows[i].path)) {
            handle_initiated(q, rows[i].api, rows[i].token_error);
            return true;
        }
    }
    if (span_is(q->path, "/v1/ussdpush/get-msisdn")) {
        handle_express(q);
        return true;
    }
    return false;
}

/* ---- results ---- */

static bool is_till(const struct operator_state *o, uint32_t short_code)
{
    const struct organisation *g = operator_organisation(o, short_code);
    return g != NULL && g->type == ORGANISATION_TILL;
}

static void render_balance(struct surface *s, const struct operator_request *r,
                           const struct daraja_result_head *head, const char *ended,
                           struct writer *body)
{
    const struct daraja_balances balances = {
        .is_till = is_till(surface_operator(s), r->short_code),
        .utility_minor = r->after_minor[ACCOUNT_UTILITY],
        .working_minor = r->after_minor[ACCOUNT_WORKING],
        .charges_minor = r->after_minor[ACCOUNT_CHARGES_PAID],
        .settlement_minor = r->after_minor[ACCOUNT_SETTLEMENT],
        .completed = ended,
    };
    daraja_balance_render(body, head, r->outcome == REQUEST_DONE ? &balances : NULL);
}

/* The texts that a status result points into. */
struct status_texts {
    char debit[DARAJA_PARTY_NAME_MAX];
    char credit[DARAJA_PARTY_NAME_MAX];
    char originator[ID_TEXT_SIZE];
    char conversation[ID_TEXT_SIZE];
    char initiated[EAT_STAMP_SIZE];
    char finalised[EAT_STAMP_SIZE];
    char receipt[ID_RECEIPT_SIZE];
};

/* What the state of the original was called when it was looked at. */
static const char *status_word(uint8_t seen, bool unanswered)
{
    switch ((enum stk_state)seen) {
    case STK_SUCCESS: return "Completed";
    case STK_STATE_CANCELLED: return "Cancelled";
    case STK_FAILED: return unanswered ? "Expired" : "Declined";
    case STK_PENDING:
    case STK_PROCESSING: break;
    }
    return "Pending";
}

static void status_times(struct status_texts *t, struct daraja_status_result *out,
                         int64_t accepted_ns, int64_t ended_ns, uint8_t seen)
{
    (void)eat_stamp_format(accepted_ns, t->initiated);
    out->initiated = t->initiated;
    if (stk_state_final((enum stk_state)seen)) {
        (void)eat_stamp_format(ended_ns, t->finalised);
        out->finalised = t->finalised;
    }
}

static void status_of_payment(struct surface *s, const struct stk_payment *p, uint8_t seen,
                              struct status_texts *t, struct daraja_status_result *out)
{
    const struct operator_state *o = surface_operator(s);
    uint64_t msisdn = operator_subscriber_at(o, p->subscriber)->msisdn;
    bool unanswered = p->outcome == STK_NO_ANSWER || p->outcome == STK_UNREACHABLE;
    out->debit_party = daraja_party_name(s, msisdn, false, t->debit);
    out->credit_party = daraja_party_name(s, p->party_b, true, t->credit);
    payment_merchant_request_id(p, t->originator);
    out->originator_id = span_from(t->originator);
    status_times(t, out, p->step_ns[STEP_ACCEPTED], p->step_ns[STEP_ENDED], seen);
    out->debit_account = "MMF Account For Customer";
    out->reason = p->type == 2 ? "Buy Goods Online" : "Pay Bill Online";
    out->status = status_word(seen, unanswered);
    out->amount_minor = p->amount_minor;
    if (seen == STK_SUCCESS) {
        payment_receipt(p, t->receipt);
        out->receipt = t->receipt;
    }
}

/* ReasonType, as the portal's samples word it where they have one. */
static const char *reason_of(const struct operator_request *r)
{
    static const char *const payouts[] = {
        "?", "Business Payment to Customer via API", "Salary Payment to Customer via API",
        "Promotion Payment to Customer via API", "Business Payment to Pochi via API"};
    static const char *const b2b[B2B_COMMAND_END] = {"?",
                                                     "Business Pay Bill via API",
                                                     "Business Buy Goods via API",
                                                     "Business Pay to Bulk via API",
                                                     "Transfer from MMF to Utility via API",
                                                     "Business to Business Transfer via API",
                                                     "Disburse Funds to Business via API"};
    switch ((enum request_kind)r->kind) {
    case REQUEST_B2C:
    case REQUEST_POCHI: return payouts[r->command <= 4 ? r->command : 0];
    case REQUEST_B2B: return b2b[r->command < B2B_COMMAND_END ? r->command : 0];
    case REQUEST_C2B: return "Pay Bill Online";
    case REQUEST_TAX: return "Pay Tax To KRA via API";
    case REQUEST_EXPRESS: return "Merchant to Business Payment via USSD";
    case REQUEST_REVERSAL: return "Transaction Reversal via API";
    case REQUEST_STATUS: return "Transaction Status Query via API";
    case REQUEST_BALANCE: return "Account Balance Query via API";
    case REQUEST_STANDING_ORDER:
    case REQUEST_STANDING_PAYMENT: return "Standing Order via API";
    case REQUEST_SETTLEMENT: return "Organization Settlement";
    case REQUEST_PAYSTACK: return "Pay Bill Online via Paystack";
    case REQUEST_PAYSTACK_REFUND: return "Transaction Reversal via Paystack";
    case REQUEST_KIND_END: break;
    }
    UNREACHABLE("a request of no kind");
}

/* Who pays in a request, and who is paid: its organisation or its party. */
static bool organisation_pays(const struct operator_request *r)
{
    return r->kind != REQUEST_C2B && r->kind != REQUEST_EXPRESS &&
           r->kind != REQUEST_STANDING_ORDER && r->kind != REQUEST_STANDING_PAYMENT &&
           r->kind != REQUEST_PAYSTACK;
}

static const char *debit_account_name(struct surface *s, const struct operator_request *r)
{
    if (r->kind != REQUEST_EXPRESS && !organisation_pays(r)) {
        return "MMF Account For Customer";
    }
    if (request_debit_account(r) == ACCOUNT_WORKING) {
        return "Working Account";
    }
    uint64_t payer = r->kind == REQUEST_EXPRESS ? r->party : r->short_code;
    return is_till(surface_operator(s), (uint32_t)payer) ? "Merchant Account" : "Utility Account";
}

static struct span party_of(struct surface *s, const struct operator_request *r, bool asker,
                            char out[DARAJA_PARTY_NAME_MAX])
{
    if (asker || r->party == 0) {
        return daraja_party_name(s, r->short_code, true, out);
    }
    return daraja_party_name(s, r->party, r->party_type != PARTY_MSISDN, out);
}

static void status_of_request(struct surface *s, const struct operator_request *r, uint8_t seen,
                              struct status_texts *t, struct daraja_status_result *out)
{
    const struct operator_state *o = surface_operator(s);
    bool pays = organisation_pays(r);
    bool unanswered = r->outcome == REQUEST_NO_ANSWER || r->outcome == REQUEST_UNREACHABLE ||
                      r->outcome == REQUEST_USSD_SESSION || r->outcome == REQUEST_USSD_NETWORK;
    out->debit_party = party_of(s, r, pays, t->debit);
    out->credit_party = party_of(s, r, !pays, t->credit);
    out->originator_id = request_originator_id(o, r, t->originator);
    request_conversation_id(r, t->conversation);
    out->conversation_id = t->conversation;
    status_times(t, out, r->step_ns[REQUEST_ACCEPTED], r->step_ns[REQUEST_ENDED], seen);
    out->debit_account = debit_account_name(s, r);
    out->charge_name = "Fee For B2C Payment";
    out->charge_minor = seen == STK_SUCCESS ? r->charge_minor : 0; /* as it was then */
    out->reason = reason_of(r);
    out->status = status_word(seen, unanswered);
    out->amount_minor = r->amount_minor;
    if (r->has_receipt && seen == STK_SUCCESS) {
        request_transaction_id(r, t->receipt);
        out->receipt = t->receipt;
    }
}

static void render_status(struct surface *s, const struct operator_request *r,
                          const struct daraja_result_head *head, struct writer *body)
{
    const struct operator_state *o = surface_operator(s);
    struct span occasion = operator_text(o, r->occasion);
    struct status_texts texts;
    struct daraja_status_result result;
    if (r->outcome != REQUEST_DONE) {
        daraja_status_render(body, head, occasion, NULL);
        return;
    }
    const struct stk_payment *p = request_original_stk(o, r);
    memset(&result, 0, sizeof(result));
    if (p != NULL) {
        status_of_payment(s, p, r->seen, &texts, &result);
    } else {
        const struct operator_request *original = request_original(o, r);
        CHECK(original != NULL);
        status_of_request(s, original, r->seen, &texts, &result);
    }
    daraja_status_render(body, head, occasion, &result);
}

static void render_reversal(struct surface *s, const struct operator_request *r,
                            const struct daraja_result_head *head, const char *ended,
                            struct writer *body)
{
    const struct operator_state *o = surface_operator(s);
    char credit[DARAJA_PARTY_NAME_MAX];
    char debit[DARAJA_PARTY_NAME_MAX];
    if (r->outcome != REQUEST_DONE) {
        daraja_reversal_render(body, head, NULL);
        return;
    }
    const struct stk_payment *p = request_original_stk(o, r);
    const struct operator_request *original = request_original(o, r);
    CHECK(p != NULL || original != NULL);
    uint64_t payer = p != NULL ? operator_subscriber_at(o, p->subscriber)->msisdn : original->party;
    const struct daraja_reversal_result result = {
        .is_till = is_till(o, r->short_code),
        .balance_minor = r->after_minor[ACCOUNT_UTILITY],
        .amount_minor = r->amount_minor,
        .completed = ended,
        .original = operator_text(o, r->reference),
        .credit_party = daraja_party_name(s, payer, false, credit),
        .debit_party = daraja_party_name(s, r->short_code, true, debit),
    };
    daraja_reversal_render(body, head, &result);
}

static void render_b2b(struct surface *s, const struct operator_request *r,
                       const struct daraja_result_head *head, const char *ended,
                       struct writer *body)
{
    const struct operator_state *o = surface_operator(s);
    char receiver[DARAJA_PARTY_NAME_MAX];
    const struct daraja_b2b_result result = {
        .account = debit_account_name(s, r),
        .balance_minor = r->after_minor[request_debit_account(r)],
        .amount_minor = r->amount_minor,
        .completed = ended,
        .receiver = daraja_party_name(s, r->party, true, receiver),
    };
    daraja_b2b_render(body, head, ended, operator_text(o, r->reference),
                      operator_text(o, r->timeout_url),
                      r->outcome == REQUEST_DONE ? &result : NULL);
}

static void render_express(struct surface *s, const struct operator_request *r,
                           const struct daraja_result_head *head, struct writer *body)
{
    const struct daraja_express_result result = {
        .code = head->code,
        .desc = head->desc,
        .request_id = head->originator_id,
        .amount_minor = r->amount_minor,
        .reference = operator_text(surface_operator(s), r->reference),
        .conversation_id = head->conversation_id,
        .transaction_id = head->transaction_id,
    };
    daraja_express_render(body, &result);
}

/* Balance, B2B and tax send their codes as strings, the others as numbers. */
static bool codes_are_text(const struct operator_request *r)
{
    return r->kind == REQUEST_BALANCE || r->kind == REQUEST_B2B || r->kind == REQUEST_TAX;
}

/* The receipt is not told, even when there is one by now: each attempt sends the same message. */
static void render_late(struct surface *s, const struct operator_request *r, struct writer *body)
{
    struct daraja_request_texts texts;
    struct daraja_result_head head;
    daraja_request_ids(s, r, &texts, &head);
    id_receipt_format(eat_day_number(r->step_ns[REQUEST_ACCEPTED]), 0, texts.transaction);
    head.code = "0";
    head.desc = "The request waited too long in the queue; its result may still come.";
    if (request_message_ruled(surface_operator(s), r, MESSAGE_TIMEOUT, &texts.ruled) &&
        texts.ruled.effects.callback_code[0] != '\0') {
        head.code = texts.ruled.effects.callback_code;
        head.desc = texts.ruled.effects.callback_text[0] != '\0' ? texts.ruled.effects.callback_text
                                                                 : daraja_initiator_desc(head.code);
    }
    head.waits = true;
    head.code_as_text = codes_are_text(r);
    daraja_late_render(body, &head);
}

void daraja_initiated_message(struct surface *s, const struct operator_request *r, uint16_t kind,
                              struct writer *body)
{
    struct daraja_request_texts texts;
    struct daraja_result_head head;
    char ended[EAT_STAMP_SIZE];
    if (kind == MESSAGE_TIMEOUT) {
        render_late(s, r, body);
        return;
    }
    daraja_request_head(s, r, &texts, &head);
    head.code_as_text = codes_are_text(r);
    (void)eat_stamp_format(r->step_ns[REQUEST_ENDED], ended);
    if (r->kind == REQUEST_BALANCE) {
        render_balance(s, r, &head, ended, body);
    } else if (r->kind == REQUEST_STATUS) {
        render_status(s, r, &head, body);
    } else if (r->kind == REQUEST_REVERSAL) {
        render_reversal(s, r, &head, ended, body);
    } else if (r->kind == REQUEST_EXPRESS) {
        render_express(s, r, &head, body);
    } else {
        CHECK(r->kind == REQUEST_B2B || r->kind == REQUEST_TAX);
        render_b2b(s, r, &head, ended, body);
    }
}
