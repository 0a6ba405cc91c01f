/*
 * gateway_front_money.c - B2C and reversal at Daraja's own paths (R6.12). A payout of the
 * application becomes one of the merchant's book: held, sent once under an id of ours, found out
 * when no result comes. What the provider says of it, the Result and the word that it waits in the
 * queue, goes on to the application's ResultURL and QueueTimeOutURL under the ids that it was given
 * here, at least once.
 *
 * Who may: whoever knows the consumer key and secret and names the account's initiator. The
 * SecurityCredential cannot be opened here (only Safaricom can); outside dev and sandbox it must be
 * the one that the account was registered with, byte for byte. The provider gets the account's own.
 *
 * Repeating is harmless: OriginatorConversationID (B2C v3) is the idempotency key, and a
 * reversal is known by what it reverses and its ResultURL. Tests: tests/e2e/347-front-money.sh.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/ids.h"
#include "face/daraja.h"
#include "face/gateway.h"
#include "wire/daraja_envelope.h"
#include "wire/daraja_initiated.h"
#include "wire/daraja_payout.h"

/* ---- who asks ---- */

static bool credential_good(struct request *q, const struct gateway_provider *p, struct span given)
{
    enum profile profile = q->s->options.profile;
    return profile == PROFILE_DEV || profile == PROFILE_SANDBOX ||
           gateway_front_sealed_is(q->s, p->credential, given);
}

/* SLAB_NONE after answering. */
static uint32_t initiator_account(struct request *q, uint32_t short_code, struct span initiator,
                                  struct span credential)
{
    uint64_t wait_position = engine_read_position(q->s->engine);
    uint32_t account = gateway_front_account(q, short_code);
    if (account == SLAB_NONE) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_NO_MERCHANT, "",
                      "no provider account of this app has the short code: POST /v1/providers");
        return SLAB_NONE;
    }
    const struct gateway_provider *p = gateway_provider(surface_gateway(q->s), account);
    if (!gateway_front_sealed_is(q->s, p->initiator, initiator) ||
        !credential_good(q, p, credential)) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_NO_INITIATOR, "",
                      "initiator and SecurityCredential must be those that the provider account "
                      "was registered with");
        return SLAB_NONE;
    }
    return account;
}

/* ---- ids: ours, made of what never changes; in v3 the application's own ---- */

struct ids {
    char originator[ID_TEXT_SIZE];
    char conversation[ID_TEXT_SIZE];
};

static struct span originator_of(const struct gateway *g, const struct gateway_payment *p,
                                 struct ids *out)
{
    int64_t created_ns = p->entered_ns[GATEWAY_CREATED];
    id_conversation_format(created_ns, p->number, out->conversation);
    id_merchant_request_format((uint64_t)created_ns, p->number, out->originator);
    return p->front_reference != TEXT_NONE ? gateway_text(g, p->front_reference)
                                           : span_from(out->originator);
}

static void answer_front_payout(struct request *q, uint64_t wait_position, uint64_t number)
{
    const struct gateway *g = surface_gateway(q->s);
    struct ids ids;
    const struct gateway_payment *p = gateway_reach(q->s, number);
    if (p == NULL) {
        daraja_refuse_busy(q, ENGINE_NO_INDEX);
        return;
    }
    struct span originator = originator_of(g, p, &ids);
    struct writer w = surface_writer(q->s);
    daraja_accepted_render(&w, originator, ids.conversation);
    daraja_explain(q, "accepted and durable: the gateway asks the provider next");
    surface_json(q, wait_position, 200, &w);
}

/* ---- asking ---- */

/* Without an id of the caller's (v1, reversal) nothing is recognised as the same. */
static void front_payout_digests(struct request *q, struct payout_command *c)
{
    const struct gateway_front *f = &c->front;
    struct span scope[3] = {SPAN_LITERAL("daraja payout"),
                            gateway_bytes(&c->provider, sizeof(c->provider)), f->reference};
    struct span asked[7] = {gateway_bytes(&c->amount_minor, sizeof(c->amount_minor)),
                            gateway_bytes(&c->phone, sizeof(c->phone)),
                            gateway_bytes(&f->command, sizeof(f->command)),
                            f->url,
                            f->late_url,
                            c->description,
                            f->occasion};
    secrets_random(c->key, sizeof(c->key));
    if (f->reference.size > 0) {
        secrets_digest(q->s->options.secrets, scope, 3, c->key);
    }
    secrets_digest(q->s->options.secrets, asked, 7, c->request);
}

static void refuse_front_payout(struct request *q, uint64_t wait_position,
                                enum gateway_refusal refusal)
{
    if (refusal == GATEWAY_KEY_REUSED) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_DUPLICATE_CONVERSATION, "",
                      "this OriginatorConversationID came with another request before");
    } else if (refusal == GATEWAY_NO_MONEY) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_NO_FUNDS, "",
                      "the gateway's wallet (/v1/accounts/wallet) has less than that available");
    } else {
        daraja_refuse(q, wait_position, DARAJA_ERROR_REVERSED, "",
                      "it is reversed, is being reversed, or was never paid");
    }
}

/* A reversal that came in before, with this ResultURL; 0: none, or none that is told about still:
 * one that failed may be asked for again. */
static uint64_t same_reversal(struct surface *s, const struct payout_command *c,
                              const struct gateway_reply *reply)
{
    const struct gateway *g = surface_gateway(s);
    const struct gateway_payment *before = gateway_reach(s, reply->number);
    bool same = c->refunds != 0 && reply->refusal != GATEWAY_UNAVAILABLE && before != NULL &&
                before->state != GATEWAY_FAILED && before->front_url != TEXT_NONE &&
                span_equal(gateway_text(g, before->front_url), c->front.url);
    return same ? before->number : 0;
}

static void create_front_payout(struct request *q, struct payout_command *c)
{
    struct surface *s = q->s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    c->merchant = gateway_provider(surface_gateway(s), c->provider)->merchant;
    c->front.target = surface_url_target(c->front.url);
    c->front.late_target = surface_url_target(c->front.late_url);
    secrets_random(c->token, sizeof(c->token));
    front_payout_digests(q, c);
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_PAYOUT_CREATE, c, &reply);
    if (!daraja_decided(q, result)) {
        return;
    }
    bool done = reply.refusal == GATEWAY_DONE || reply.refusal == GATEWAY_REPEATED;
    uint64_t number = done ? reply.number : same_reversal(s, c, &reply);
    if (reply.refusal == GATEWAY_UNAVAILABLE) {
        gateway_front_unavailable(q, result.wait_position, reply.number);
        return;
    }
    if (number == 0) {
        refuse_front_payout(q, result.wait_position, reply.refusal);
        return;
    }
    answer_front_payout(q, result.wait_position, number);
}

static void front_payout(struct request *q, enum daraja_payout_api api)
{
    struct surface *s = q->s;
    struct daraja_payout in;
    struct daraja_error error;
    struct daraja_url_rule rule = daraja_url_rule(s);
    char order[GATEWAY_ORDER_MAX];
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_B2C)) {
        return;
    }
    if (!daraja_payout_parse(api, http_body(q->x), &rule, s->json, &in, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    if (in.amount_minor % MONEY_MINOR_PER_MAJOR != 0 || in.amount_minor > GATEWAY_AMOUNT_MAX) {
        daraja_refuse(q, 0, DARAJA_ERROR_INVALID_FIELD, "Amount", "whole shillings are paid out");
        return;
    }
    struct payout_command c = {
        .provider = initiator_account(q, in.party_a, in.initiator, in.security_credential),
        .amount_minor = in.amount_minor,
        .phone = in.party_b,
        .description = in.remarks,
        .front = {.url = in.result_url,
                  .reference = in.originator_id,
                  .late_url = in.timeout_url,
                  .command = (uint8_t)in.command,
                  .occasion = in.occasion},
    };
    struct span named = in.originator_id.size > 0 ? in.originator_id : SPAN_LITERAL("b2c");
    c.reference = gateway_front_order(surface_gateway(s), named, order);
    if (c.provider != SLAB_NONE) {
        create_front_payout(q, &c);
    }
}

void gateway_front_payout_v1(struct request *q)
{
    front_payout(q, DARAJA_B2C_V1);
}

void gateway_front_payout_v3(struct request *q)
{
    front_payout(q, DARAJA_B2C_V3);
}

void gateway_front_reversal(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_initiated in;
    struct daraja_error error;
    struct daraja_url_rule rule = daraja_url_rule(s);
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_STK)) {
        return;
    }
    if (!daraja_initiated_parse(DARAJA_REVERSAL, http_body(q->x), &rule, s->json, &in, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    uint32_t account = initiator_account(q, in.party_a, in.initiator, in.security_credential);
    if (account == SLAB_NONE) {
        return;
    }
    const struct gateway_payment *p = gateway_reach_receipt(s, account, in.transaction_id);
    if (p == NULL && s->index_unread) {
        daraja_refuse_busy(q, ENGINE_NO_INDEX);
        return;
    }
    if (p == NULL || gateway_pays_out(p->method)) {
        daraja_refuse(q, engine_read_position(s->engine), DARAJA_ERROR_NO_ORIGINAL, "",
                      "no payment of this short code that was asked for here has this receipt");
        return;
    }
    if (in.amount_minor != gateway_paid_minor(p)) {
        daraja_refuse(q, engine_read_position(s->engine), DARAJA_ERROR_INVALID_FIELD, "Amount",
                      "a payment is reversed whole: Amount must be what was paid");
        return;
    }
    struct payout_command c = {
        .provider = account,
        .refunds = p->number,
        .description = in.remarks,
        .front = {.url = in.result_url, .late_url = in.timeout_url, .occasion = in.occasion}};
    create_front_payout(q, &c);
}

/* ---- what is told ---- */

/* What the provider sent; false: it sent none, or none that can be told on. */
static bool relay(struct surface *s, const struct gateway_payment *p, uint64_t notice,
                  struct writer *w)
{
    const struct gateway *g = surface_gateway(s);
    const struct gateway_notice *n = gateway_notice(g, notice);
    char room[GATEWAY_BODY_MAX];
    struct ids ids;
    struct span originator = originator_of(g, p, &ids);
    if (n == NULL || n->source != OBSERVED_BY_CALLBACK) {
        return false;
    }
    return daraja_result_relay(w, gateway_notice_body(g, n, room), s->json, originator,
                               ids.conversation);
}

/* Found out by a question, or it never left: told with what is known. */
static void render_known(struct surface *s, const struct gateway_payment *p, struct writer *w)
{
    const struct gateway *g = surface_gateway(s);
    struct ids ids;
    char code[GATEWAY_CODE_MAX + 1] = "17"; /* internal failure */
    char receipt[GATEWAY_ID_MAX + 1];
    char phone[24];
    char stamp[EAT_STAMP_SIZE];
    struct span said = gateway_text(g, p->code);
    struct span known = gateway_text(g, p->receipt);
    uint64_t number;
    bool paid = p->entered_ns[GATEWAY_SUCCEEDED] != 0;
    int64_t ended_ns = p->entered_ns[paid ? GATEWAY_SUCCEEDED : p->state];
    if (paid || (span_parse_u64(said, &number) && number != 0)) {
        (void)snprintf(code, sizeof(code), "%.*s", paid ? 1 : (int)said.size,
                       paid ? "0" : said.data);
    }
    id_receipt_format(eat_day_number(ended_ns), 0, receipt);
    if (known.size > 0) {
        (void)snprintf(receipt, sizeof(receipt), "%.*s", (int)known.size, known.data);
    }
    const struct daraja_result_head head = {.code = code,
                                            .desc = daraja_initiator_desc(code),
                                            .originator_id = originator_of(g, p, &ids),
                                            .conversation_id = ids.conversation,
                                            .transaction_id = receipt};
    daraja_result_open(w, &head);
    if (paid) {
        (void)eat_stamp_format(ended_ns, stamp);
        (void)snprintf(phone, sizeof(phone), "%llu", (unsigned long long)p->phone);
        daraja_parameters_open(w);
        daraja_parameter_money(w, p->overrides == 0 ? "TransactionAmount" : "Amount",
                               p->amount_minor);
        daraja_parameter_text(w, p->overrides == 0 ? "TransactionReceipt" : "TransactionID",
                              span_from(receipt));
        daraja_parameter_text(
            w, p->overrides == 0 ? "ReceiverPartyPublicName" : "CreditPartyPublicName",
            span_from(phone));
        daraja_parameter_raw(w, "TransCompletedTime", stamp);
        daraja_parameters_close(w);
    }
    daraja_result_close(w);
}

/* The provider's own words could not be told on. */
static void render_waits(struct surface *s, const struct gateway_payment *p, struct writer *w)
{
    struct ids ids;
    char receipt[ID_RECEIPT_SIZE];
    id_receipt_format(eat_day_number(p->entered_ns[GATEWAY_CREATED]), 0, receipt);
    const struct daraja_result_head head = {
        .code = "0",
        .desc = "The request waits in the queue; its result may still come.",
        .originator_id = originator_of(surface_gateway(s), p, &ids),
        .conversation_id = ids.conversation,
        .transaction_id = receipt,
        .waits = true};
    daraja_late_render(w, &head);
}

void gateway_front_result(struct surface *s, const struct gateway_payment *p, uint16_t kind,
                          struct writer *w)
{
    uint64_t notice = kind == MESSAGE_LATE ? p->late_notice : p->notice;
    CHECK(kind == MESSAGE_LATE || gateway_state_ended(p->state));
    if (relay(s, p, notice, w)) {
        return;
    }
    if (kind == MESSAGE_LATE) {
        render_waits(s, p, w);
    } else {
        render_known(s, p, w);
    }
}
