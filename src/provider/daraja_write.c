/*
 * daraja_write.c - what the gateway wants, as Daraja's requests. Sandbox and production have the
 * same paths; what differs is what is let through, and that is checked here before it is sent.
 */
#include <string.h>

#include "base/caltime.h"
#include "base/money.h"
#include "provider/internal.h"
#include "wire/daraja_auth.h"
#include "wire/daraja_c2b.h"
#include "wire/daraja_initiated.h"
#include "wire/daraja_payout.h"
#include "wire/daraja_stk.h"
#include "wire/daraja_url.h"

enum { PASSWORD_BYTES_MAX = 800, WORDS_BYTES_MAX = 100 };

static void put_span(struct writer *w, struct span text)
{
    put_raw(w, text.data, text.size);
}

static void begin(const struct call_writer *c, const char *method, const char *path)
{
    c->out->method = method;
    put_span(&c->r->w, c->account->base_url);
    json_raw(&c->r->w, path);
    c->out->url = provider__part(c->r);
    if (c->call->kind == PROVIDER_CALL_TOKEN) {
        daraja_basic_render(&c->r->w, c->account->key, c->account->secret);
    } else {
        json_raw(&c->r->w, "Bearer ");
        put_span(&c->r->w, c->call->token);
    }
    c->out->authorization = provider__part(c->r);
}

static const char *end(const struct call_writer *c)
{
    c->out->body = provider__part(c->r);
    return NULL;
}

/* ---- what is let through ---- */

/* Production takes HTTPS only; the sandbox takes HTTP too. */
static const char *url_refusal(const struct call_writer *c, struct span url)
{
    const struct daraja_url_rule rule = {.https_only = c->account->production,
                                         .public_only = false};
    if (url.size == 0) {
        return "there is no callback URL";
    }
    if (daraja_url_refusal(url, &rule) != NULL) {
        return c->account->production ? "production takes https callback URLs only"
                                      : "the callback URL is not one that Daraja takes";
    }
    return NULL;
}

static const char *urls_refusal(const struct call_writer *c)
{
    const char *why = url_refusal(c, c->call->callback_url);
    return why != NULL ? why : url_refusal(c, c->call->timeout_url);
}

/* Phones are checked strictly in production and laxly in the sandbox: we send the strict form. */
static const char *phone_refusal(uint64_t phone)
{
    bool good = phone / 100000000 == 2547 || phone / 100000000 == 2541;
    return good ? NULL : "the phone is not a Kenyan mobile number";
}

static const char *amount_refusal(int64_t amount_minor, bool whole)
{
    if (amount_minor <= 0) {
        return "the amount is not above zero";
    }
    return whole && amount_minor % MONEY_MINOR_PER_MAJOR != 0 ? "the amount is not whole shillings"
                                                              : NULL;
}

static const char *initiator_refusal(const struct provider_account *account)
{
    return account->initiator.size == 0 || account->credential.size == 0
               ? "the account has no initiator or no SecurityCredential"
               : NULL;
}

/* Of several objections the first. */
static const char *first(const char *a, const char *b, const char *c)
{
    return a != NULL ? a : (b != NULL ? b : c);
}

/* Never absent: "Bad Request - Invalid Remarks" follows an omitted TransactionDesc although it is
 * documented as optional, and Remarks have two characters at least. */
static struct span words_or(struct span text, struct span otherwise)
{
    if (text.size < 2) {
        return otherwise;
    }
    return span_cut(text, WORDS_BYTES_MAX);
}

/* ---- STK ---- */

struct stk_secret {
    char stamp[EAT_STAMP_SIZE];
    char password[PASSWORD_BYTES_MAX];
    struct span timestamp;
    struct span value;
};

static bool make_secret(const struct call_writer *c, struct stk_secret *out)
{
    struct writer w = writer_init(out->password, sizeof(out->password));
    out->timestamp = (struct span){out->stamp, eat_stamp_format(c->call->now_ns, out->stamp)};
    daraja_password_render(&w, c->account->short_code, c->account->passkey, out->timestamp);
    out->value = (struct span){out->password, w.size};
    return !w.overflow && c->account->passkey.size > 0;
}

static const char *write_push(const struct call_writer *c)
{
    struct stk_secret secret;
    uint32_t party_b = c->account->party_b == 0 ? c->account->short_code : c->account->party_b;
    const char *why =
        first(phone_refusal(c->call->phone), amount_refusal(c->call->amount_minor, true),
              url_refusal(c, c->call->callback_url));
    if (why != NULL) {
        return why;
    }
    if (!make_secret(c, &secret)) {
        return "the account has no passkey";
    }
    const struct daraja_stk_push push = {
        .business_short_code = c->account->short_code,
        .password = secret.value,
        .timestamp = secret.timestamp,
        .type = c->account->is_till ? DARAJA_BUY_GOODS_ONLINE : DARAJA_PAYBILL_ONLINE,
        .amount_minor = c->call->amount_minor,
        .party_a = c->call->phone,
        .party_b = party_b,
        .phone_number = c->call->phone,
        .callback_url = c->call->callback_url,
        .account_reference = words_or(c->call->account, SPAN_LITERAL("Payment")),
        .transaction_desc = words_or(c->call->description, SPAN_LITERAL("Payment"))};
    begin(c, "POST", "/mpesa/stkpush/v1/processrequest");
    struct writer body = provider__body(c);
    daraja_stk_push_render(&body, &push);
    return provider__body_end(c, &body);
}

static const char *write_query(const struct call_writer *c)
{
    struct stk_secret secret;
    if (c->call->provider_id.size == 0) {
        return "there is no CheckoutRequestID to ask about";
    }
    if (!make_secret(c, &secret)) {
        return "the account has no passkey";
    }
    const struct daraja_stk_query query = {c->account->short_code, secret.value, secret.timestamp,
                                           c->call->provider_id};
    begin(c, "POST", "/mpesa/stkpushquery/v1/query");
    struct writer body = provider__body(c);
    daraja_stk_query_render(&body, &query);
    return provider__body_end(c, &body);
}

/* ---- initiator APIs ---- */

/* B2C v3 always: its OriginatorConversationID is ours, so a repeated one is refused and what became
 * of it can be asked. */
static const char *write_payout(const struct call_writer *c)
{
    const char *why =
        first(phone_refusal(c->call->phone), amount_refusal(c->call->amount_minor, true),
              first(initiator_refusal(c->account), urls_refusal(c),
                    c->call->our_id.size == 0 ? "a payout needs an id of ours" : NULL));
    if (why != NULL) {
        return why;
    }
    const struct daraja_payout payout = {
        .originator_id = c->call->our_id,
        .initiator = c->account->initiator,
        .security_credential = c->account->credential,
        .command = c->call->command != 0 ? c->call->command : DARAJA_BUSINESS_PAYMENT,
        .amount_minor = c->call->amount_minor,
        .party_a = c->account->short_code,
        .party_b = c->call->phone,
        .remarks = words_or(c->call->description, SPAN_LITERAL("Payout")),
        .timeout_url = c->call->timeout_url,
        .result_url = c->call->callback_url,
        .occasion = c->call->account};
    begin(c, "POST", "/mpesa/b2c/v3/paymentrequest");
    struct writer body = provider__body(c);
    daraja_payout_request_render(DARAJA_B2C_V3, &body, &payout);
    return provider__body_end(c, &body);
}

static const char *initiated_refusal(const struct call_writer *c, enum daraja_initiated_api api)
{
    const char *why = first(initiator_refusal(c->account), urls_refusal(c), NULL);
    if (api == DARAJA_REVERSAL) {
        why = first(why, amount_refusal(c->call->amount_minor, false),
                    c->call->receipt.size == 0 ? "a reversal needs a receipt" : NULL);
    }
    bool named =
        c->call->receipt.size > 0 || c->call->provider_id.size > 0 || c->call->our_id.size > 0;
    if (api == DARAJA_STATUS && !named) {
        why = first(why, "there is no receipt and no id to ask about", NULL);
    }
    return why;
}

/* The status of what is asked about: by receipt if there is one, else by the provider's id (of a
 * push its MerchantRequestID), else by ours. */
static const char *write_initiated(const struct call_writer *c, enum daraja_initiated_api api,
                                   const char *path)
{
    const char *why = initiated_refusal(c, api);
    if (why != NULL) {
        return why;
    }
    struct span named = c->call->provider_id.size > 0 ? c->call->provider_id : c->call->our_id;
    const struct daraja_initiated request = {
        .initiator = c->account->initiator,
        .security_credential = c->account->credential,
        .transaction_id = c->call->receipt,
        .conversation_id = c->call->receipt.size > 0 ? SPAN_EMPTY : named,
        .amount_minor = c->call->amount_minor,
        .party_a = c->account->short_code,
        .remarks = words_or(c->call->description, SPAN_LITERAL("Hakika")),
        .timeout_url = c->call->timeout_url,
        .result_url = c->call->callback_url};
    begin(c, "POST", path);
    struct writer body = provider__body(c);
    daraja_initiated_request_render(api, &body, &request);
    return provider__body_end(c, &body);
}

/* ---- C2B ---- */

static const char *write_register(const struct call_writer *c)
{
    const char *why = url_refusal(c, c->call->callback_url);
    if (why == NULL && c->call->timeout_url.size > 0) {
        why = url_refusal(c, c->call->timeout_url);
    }
    if (why != NULL) {
        return why;
    }
    if (daraja_c2b_url_has_word(c->call->callback_url) ||
        daraja_c2b_url_has_word(c->call->timeout_url)) {
        return "a C2B URL may not hold mpesa, safaricom, exe, cmd, sql or query";
    }
    const struct daraja_c2b_register request = {c->account->short_code, c->call->cancel_unanswered,
                                                c->call->callback_url, c->call->timeout_url};
    begin(c, "POST", "/mpesa/c2b/v2/registerurl");
    struct writer body = provider__body(c);
    daraja_c2b_register_render(&body, &request);
    return provider__body_end(c, &body);
}

/* Documented as GET with a body; clients and the gateways in between agree on POST. */
static const char *write_pull(const struct call_writer *c)
{
    bool window = caltime_in_range(c->call->from_ns) && caltime_in_range(c->call->until_ns) &&
                  c->call->from_ns <= c->call->until_ns;
    if (!window) {
        return "a pull needs a window of time";
    }
    const struct daraja_pull_query request = {c->account->short_code, c->call->from_ns,
                                              c->call->until_ns, c->call->offset};
    begin(c, "POST", "/pulltransactions/v1/query");
    struct writer body = provider__body(c);
    daraja_pull_query_render(&body, &request);
    return provider__body_end(c, &body);
}

static const char *write_pull_register(const struct call_writer *c)
{
    const char *why =
        first(phone_refusal(c->call->phone), url_refusal(c, c->call->callback_url), NULL);
    if (why != NULL) {
        return why;
    }
    const struct daraja_pull_register request = {c->account->short_code, c->call->phone,
                                                 c->call->callback_url};
    begin(c, "POST", "/pulltransactions/v1/register");
    struct writer body = provider__body(c);
    daraja_pull_register_render(&body, &request);
    return provider__body_end(c, &body);
}

static const char *write_token(const struct call_writer *c)
{
    if (c->account->key.size == 0 || c->account->secret.size == 0) {
        return "the account has no consumer key or no consumer secret";
    }
    begin(c, "GET", "/oauth/v1/generate?grant_type=client_credentials");
    return end(c);
}

const char *provider__daraja_write(const struct provider_account *account,
                                   const struct provider_call *call, struct request_writer *r,
                                   struct provider_request *out)
{
    const struct call_writer c = {account, call, r, out};
    switch (call->kind) {
    case PROVIDER_CALL_PUSH: return write_push(&c);
    case PROVIDER_CALL_QUERY: return write_query(&c);
    case PROVIDER_CALL_PAYOUT: return write_payout(&c);
    case PROVIDER_CALL_REGISTER: return write_register(&c);
    case PROVIDER_CALL_PULL: return write_pull(&c);
    case PROVIDER_CALL_PULL_REGISTER: return write_pull_register(&c);
    case PROVIDER_CALL_TOKEN: return write_token(&c);
    case PROVIDER_CALL_STATUS:
    case PROVIDER_CALL_PAYOUT_QUERY:
        return write_initiated(&c, DARAJA_STATUS, "/mpesa/transactionstatus/v1/query");
    case PROVIDER_CALL_REVERSAL:
        return write_initiated(&c, DARAJA_REVERSAL, "/mpesa/reversal/v1/request");
    case PROVIDER_CALL_BALANCE:
        return write_initiated(&c, DARAJA_BALANCE, "/mpesa/accountbalance/v1/query");
    case PROVIDER_CALL_REFUND_QUERY:
    case PROVIDER_CALL_RECIPIENT:
    case PROVIDER_CALL_INITIALIZE: break;
    }
    return "Daraja has no such call";
}
