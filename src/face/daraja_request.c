/*
 * daraja_request.c - what the calls of organisations have in common (initiator, credential,
 * acceptance, results), and payouts: B2C v1 and v3, B2Pochi.
 *
 * A request is accepted with ids and nothing else; whatever is wrong with it in business (the
 * initiator, money, limits) comes to ResultURL, as in life.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/ids.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/paystack.h"
#include "face/rules.h"
#include "wire/daraja_envelope.h"
#include "wire/daraja_payout.h"

/* ---- security credential ---- */

static bool password_matches(struct surface *s, const struct organisation *g, struct span password)
{
    char known[SECRETS_PLAIN_MAX];
    size_t size = 0;
    struct span sealed = operator_text(surface_operator(s), g->secrets[SECRET_INITIATOR_PASSWORD]);
    bool same = secrets_unseal(s->options.secrets, sealed, known, sizeof(known), &size) &&
                size > 0 && span_equal_secret((struct span){known, size}, password);
    explicit_bzero(known, sizeof(known));
    return same;
}

bool daraja_credential_good(struct request *q, const struct organisation *g, struct span credential)
{
    char password[CREDENTIAL_PASSWORD_MAX + 1];
    size_t size = 0;
    enum credential_state state = credential_decrypt(q->s->credential, credential, password, &size);
    bool good = g != NULL && state == CREDENTIAL_OPENED &&
                password_matches(q->s, g, (struct span){password, size});
    explicit_bzero(password, sizeof(password));
    if (state == CREDENTIAL_OPENED) {
        return good;
    }
    /* Made with Safaricom's certificate, or made up: nobody here can tell. */
    return q->s->options.profile != PROFILE_STRICT;
}

void control_certificate(struct request *q)
{
    char error[256];
    struct writer w = surface_writer(q->s);
    if (!credential_certificate(q->s->credential, &w, error)) {
        surface_problem(q, 0, 500, "certificate_failed", error);
        return;
    }
    surface_answer(q, 0, 200, "application/x-pem-file", &w);
}

/* ---- acceptance ---- */

bool daraja_request_organisation(struct request *q, uint32_t short_code)
{
    enum engine_status opened = daraja_open_code(q->s, short_code);
    if (opened != ENGINE_APPLIED) {
        daraja_refuse_busy(q, opened);
        return false;
    }
    /* An organisation that is not there is a result, not an error. */
    return operator_organisation(surface_operator(q->s), short_code) == NULL ||
           daraja_organisation(q, short_code, DARAJA_ERROR_NO_MERCHANT) != NULL;
}

const struct operator_request *daraja_request_execute(struct request *q,
                                                      struct request_command *command,
                                                      uint64_t *wait_position)
{
    struct operator_reply reply;
    struct rule_call call;
    memset(&reply, 0, sizeof(reply));
    if (request_rule_call(command, &call) && face_rule_gate(q, &call)) {
        return NULL;
    }
    command->target = surface_url_target(command->result_url);
    command->timeout_target = surface_url_target(command->timeout_url);
    struct engine_result result =
        engine_execute(q->s->engine, ENGINE_NEW_WORK, COMMAND_REQUEST, command, &reply);
    *wait_position = result.wait_position;
    if (!daraja_decided(q, result)) {
        return NULL;
    }
    if (reply.refusal == OPERATOR_DUPLICATE) {
        char words[160];
        (void)snprintf(words, sizeof(words),
                       "this organisation used this OriginatorConversationID before, for req_%llu",
                       (unsigned long long)reply.number);
        if (reply.number == 0) {
            (void)snprintf(
                words, sizeof(words),
                "this OriginatorConversationID is one that the operator gives to a later "
                "request itself: use a form of your own, such as a UUID");
        }
        daraja_refuse(q, result.wait_position, DARAJA_ERROR_DUPLICATE_CONVERSATION, "", words);
        return NULL;
    }
    CHECK(reply.refusal == OPERATOR_DONE);
    const struct operator_state *o = surface_operator(q->s);
    const struct operator_request *r = operator_request(o, reply.number);
    q->ruled = request_ruled(o, r, &q->s->ruled) ? &q->s->ruled : NULL;
    q->about = request_original_request(r->number);
    return r;
}

void daraja_request_accept(struct request *q, struct request_command *command)
{
    uint64_t wait_position = 0;
    const struct operator_request *r = daraja_request_execute(q, command, &wait_position);
    if (r == NULL) {
        return;
    }
    char made[ID_TEXT_SIZE];
    char conversation[ID_TEXT_SIZE];
    request_conversation_id(r, conversation);
    struct writer w = surface_writer(q->s);
    daraja_accepted_render(&w, request_originator_id(surface_operator(q->s), r, made),
                           conversation);
    daraja_explain(q, "accepted: whether it succeeds is told at ResultURL");
    surface_json(q, wait_position, 200, &w);
}

/* ---- results ---- */

void daraja_request_head(struct surface *s, const struct operator_request *r,
                         struct daraja_request_texts *texts, struct daraja_result_head *head)
{
    const struct operator_state *o = surface_operator(s);
    const struct operator_request *truth = operator_request(o, r->number);
    daraja_request_ids(s, r, texts, head);
    request_result_code(o, truth, texts->code);
    const char *words = "";
    if (request_ruled(o, r, &texts->ruled)) {
        const struct rule_effects *e = &texts->ruled.effects;
        words = truth->outcome == REQUEST_RULED ? e->outcome_text : "";
        if (e->callback_code[0] != '\0') { /* not the truth */
            memcpy(texts->code, e->callback_code, sizeof(texts->code));
            words = e->callback_text;
        }
    }
    head->code = texts->code;
    head->desc = words[0] != '\0' ? words : daraja_initiator_desc(head->code);
}

void daraja_request_ids(struct surface *s, const struct operator_request *r,
                        struct daraja_request_texts *texts, struct daraja_result_head *head)
{
    memset(head, 0, sizeof(*head));
    request_conversation_id(r, texts->conversation);
    request_transaction_id(r, texts->transaction);
    head->originator_id = request_originator_id(surface_operator(s), r, texts->originator);
    head->conversation_id = texts->conversation;
    head->transaction_id = texts->transaction;
}

struct span daraja_party_name(struct surface *s, uint64_t number, bool is_short_code,
                              char out[DARAJA_PARTY_NAME_MAX])
{
    const struct operator_state *o = surface_operator(s);
    const struct subscriber *person = is_short_code ? NULL : operator_subscriber(o, number);
    const struct organisation *g =
        is_short_code ? operator_organisation(o, (uint32_t)number) : NULL;
    struct span name = g != NULL        ? operator_text(o, g->name)
                       : person != NULL ? operator_text(o, person->name)
                                        : SPAN_EMPTY;
    int size = snprintf(out, DARAJA_PARTY_NAME_MAX, "%llu - %.*s", (unsigned long long)number,
                        (int)name.size, name.data == NULL ? "" : name.data);
    CHECK(size > 0 && size < DARAJA_PARTY_NAME_MAX);
    return (struct span){out, (size_t)size};
}

static void render_payout(struct surface *s, const struct operator_request *r, struct writer *body)
{
    struct daraja_request_texts texts;
    struct daraja_result_head head;
    char name[DARAJA_PARTY_NAME_MAX];
    char stamp[EAT_STAMP_SIZE];
    char completed[24];
    daraja_request_head(s, r, &texts, &head);
    if (!r->has_receipt) {
        daraja_payout_render(body, &head, NULL);
        return;
    }
    (void)eat_stamp_format(r->step_ns[REQUEST_ENDED], stamp); /* YYYYMMDDHHmmss */
    (void)snprintf(completed, sizeof(completed), "%.2s.%.2s.%.4s %.2s:%.2s:%.2s", stamp + 6,
                   stamp + 4, stamp, stamp + 8, stamp + 10, stamp + 12);
    const struct daraja_payout_result result = {
        .amount_minor = r->amount_minor,
        .receipt = texts.transaction,
        .receiver = daraja_party_name(s, r->party, false, name),
        .completed = completed,
        .utility_minor = r->after_minor[ACCOUNT_UTILITY],
        .working_minor = r->after_minor[ACCOUNT_WORKING],
        .charges_minor = r->after_minor[ACCOUNT_CHARGES_PAID],
        .registered = true, /* others are refused with 2040 */
    };
    daraja_payout_render(body, &head, &result);
}

/* What a result says when a rule orders that it is not the truth. A receipt that was never given
 * is of a range of its own, which no network issues. */
static void lie(struct operator_request *r, const struct rule_effects *e)
{
    enum { LIES_FROM = 1295 };
    uint64_t shard = (uint64_t)60466176; /* 36 to the 5th */
    bool about_other = r->kind == REQUEST_STATUS || request_reverses(r->kind);
    bool says_good = strcmp(e->callback_code, "0") == 0;
    if (e->callback_amount_minor >= 0) {
        r->amount_minor = e->callback_amount_minor;
    }
    if (e->callback_code[0] != '\0' && !says_good) {
        r->outcome = REQUEST_RULED;
        r->has_receipt = false;
        r->receipt_day = 0;
    } else if (says_good && r->outcome != REQUEST_DONE && !(about_other && r->original == 0)) {
        r->outcome = REQUEST_DONE;
        r->has_receipt = true;
        r->receipt_day = eat_day_number(r->step_ns[REQUEST_ENDED]);
        r->receipt = LIES_FROM * shard + r->number % shard;
    }
    if (e->no_metadata) { /* the same ids, and no parameters */
        r->outcome = REQUEST_RULED;
        r->has_receipt = false;
    }
}

/* The body and the URL of a message of this kind. */
static bool message_outgoing(struct surface *s, const struct operator_request *r, uint16_t kind,
                             struct writer *body, struct span *url_out)
{
    const struct operator_state *o = surface_operator(s);
    if (kind == MESSAGE_TIMEOUT) {
        *url_out = operator_text(o, r->timeout_url);
        daraja_initiated_message(s, r, kind, body);
        return !body->overflow;
    }
    *url_out = operator_text(o, r->result_url);
    switch ((enum request_kind)r->kind) {
    case REQUEST_B2C:
    case REQUEST_POCHI: render_payout(s, r, body); break;
    case REQUEST_C2B:
        daraja_c2b_render(s, r, kind == MESSAGE_VALIDATION, body);
        if (kind == MESSAGE_VALIDATION) {
            const struct organisation *g = operator_organisation(o, r->short_code);
            *url_out = operator_text(o, g->c2b.validation_url);
        }
        break;
    case REQUEST_B2B:
    case REQUEST_TAX:
    case REQUEST_EXPRESS:
    case REQUEST_STATUS:
    case REQUEST_BALANCE:
    case REQUEST_REVERSAL: daraja_initiated_message(s, r, kind, body); break;
    case REQUEST_STANDING_ORDER:
    case REQUEST_STANDING_PAYMENT: daraja_ratiba_message(s, r, body); break;
    case REQUEST_PAYSTACK:
    case REQUEST_PAYSTACK_REFUND: paystack_message(s, r, body); break;
    case REQUEST_SETTLEMENT:
    case REQUEST_KIND_END: return false;
    }
    return !body->overflow;
}

bool daraja_request_outgoing(struct surface *s, const struct outbox_item *item, struct writer *body,
                             struct span *url_out)
{
    const struct operator_state *o = surface_operator(s);
    const struct operator_request *r = operator_request(o, item->subject);
    struct operator_request other;
    struct ruled ruled;
    if (r == NULL) {
        return false;
    }
    uint16_t kind = item->kind & (uint16_t)~MESSAGE_RULED;
    if (kind == item->kind || !request_message_ruled(o, r, kind, &ruled)) {
        return message_outgoing(s, r, kind, body, url_out);
    }
    other = *r;
    if (kind == MESSAGE_RESULT) {
        lie(&other, &ruled.effects);
    } else if (ruled.effects.callback_amount_minor >= 0) {
        other.amount_minor = ruled.effects.callback_amount_minor;
    }
    size_t start = body->size;
    bool good = message_outgoing(s, &other, kind, body, url_out);
    if (ruled.effects.cut) {
        body->size = start + (body->size - start) / 2;
    }
    return good;
}

/* ---- payouts ---- */

static void handle_payout(struct request *q, enum daraja_payout_api api)
{
    struct surface *s = q->s;
    struct daraja_payout payout;
    struct daraja_error error;
    struct request_command command;
    struct daraja_url_rule rule = daraja_url_rule(s);
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_B2C)) {
        return;
    }
    if (!daraja_payout_parse(api, http_body(q->x), &rule, s->json, &payout, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    if (!daraja_request_organisation(q, payout.party_a)) {
        return;
    }
    enum engine_status opened = daraja_open_phone(s, payout.party_b);
    if (opened != ENGINE_APPLIED) {
        daraja_refuse_busy(q, opened);
        return;
    }
    memset(&command, 0, sizeof(command));
    command.kind = api == DARAJA_B2POCHI ? REQUEST_POCHI : REQUEST_B2C;
    command.command = (uint8_t)payout.command;
    command.party_type = PARTY_MSISDN;
    command.short_code = payout.party_a;
    command.party = payout.party_b;
    command.amount_minor = payout.amount_minor;
    command.conversation = payout.originator_id;
    command.initiator = payout.initiator;
    command.credential_good = daraja_credential_good(
        q, operator_organisation(surface_operator(s), payout.party_a), payout.security_credential);
    command.result_url = payout.result_url;
    command.timeout_url = payout.timeout_url;
    command.remarks = payout.remarks;
    command.occasion = payout.occasion;
    daraja_request_accept(q, &command);
}

bool daraja_request_route(struct request *q)
{
    if (span_is(q->path, "/mpesa/b2c/v1/paymentrequest")) {
        handle_payout(q, DARAJA_B2C_V1);
    } else if (span_is(q->path, "/mpesa/b2c/v3/paymentrequest")) {
        handle_payout(q, DARAJA_B2C_V3);
    } else if (span_is(q->path, "/mpesa/b2pochi/v1/paymentrequest")) {
        handle_payout(q, DARAJA_B2POCHI);
    } else {
        return daraja_initiated_route(q);
    }
    return true;
}
