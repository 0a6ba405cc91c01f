/*
 * provider.c - which adapter it is, and what they share. See provider.h.
 */
#include "provider/internal.h"

#include <string.h>

#include "wire/daraja_answer.h"
#include "wire/daraja_auth.h"

const char *provider_call_name(enum provider_call_kind kind)
{
    switch (kind) {
#define X(name, number, text) \
    case PROVIDER_CALL_##name: return text;
        PROVIDER_CALLS(X)
#undef X
    }
    return "unknown";
}

struct span provider__part(struct request_writer *r)
{
    struct span part = {(const char *)r->w.data + r->part, r->w.size - r->part};
    r->part = r->w.size;
    return part;
}

struct writer provider__body(const struct call_writer *c)
{
    return writer_init(c->r->w.data + c->r->w.size, c->r->w.capacity - c->r->w.size);
}

const char *provider__body_end(const struct call_writer *c, const struct writer *body)
{
    c->r->w.size += body->size;
    c->r->w.overflow = c->r->w.overflow || body->overflow;
    c->out->body = provider__part(c->r);
    return NULL;
}

struct observation provider__observation(const struct provider_account *account,
                                         enum observation_kind kind, enum observation_source source)
{
    struct observation seen;
    memset(&seen, 0, sizeof(seen));
    seen.provider = account->provider;
    seen.kind = kind;
    seen.source = source;
    seen.verdict = OBSERVED_UNKNOWN;
    memcpy(seen.currency, "KES", sizeof(seen.currency));
    return seen;
}

enum observation_verdict provider__unanswered(enum delivery_error error)
{
    bool unsent = error == DELIVERY_RESOLVE || error == DELIVERY_CONNECT || error == DELIVERY_TLS ||
                  error == DELIVERY_BAD_URL || error == DELIVERY_FORBIDDEN ||
                  error == DELIVERY_RULED;
    return unsent ? OBSERVED_REFUSED : OBSERVED_UNKNOWN;
}

enum observation_kind provider__kind_of(enum provider_call_kind kind)
{
    switch (kind) {
    case PROVIDER_CALL_PUSH:
    case PROVIDER_CALL_QUERY:
    case PROVIDER_CALL_STATUS:
    case PROVIDER_CALL_INITIALIZE: return OBSERVED_PAYMENT;
    case PROVIDER_CALL_PAYOUT:
    case PROVIDER_CALL_PAYOUT_QUERY: return OBSERVED_PAYOUT;
    case PROVIDER_CALL_REFUND_QUERY:
    case PROVIDER_CALL_REVERSAL: return OBSERVED_REFUND;
    case PROVIDER_CALL_BALANCE: return OBSERVED_BALANCE;
    case PROVIDER_CALL_REGISTER:
    case PROVIDER_CALL_PULL:
    case PROVIDER_CALL_TOKEN:
    case PROVIDER_CALL_PULL_REGISTER:
    case PROVIDER_CALL_RECIPIENT: break;
    }
    return OBSERVED_NOTHING;
}

bool provider_needs_token(enum observation_provider provider, enum provider_call_kind kind)
{
    return provider == OBSERVED_AT_DARAJA && kind != PROVIDER_CALL_TOKEN;
}

/* What goes into a request line or a header must not begin another one. */
static bool is_line(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return text.size > 0;
}

const char *provider_write(const struct provider_account *account, const struct provider_call *call,
                           char *buffer, struct provider_request *out)
{
    const char *why;
    struct request_writer r = {writer_init(buffer, PROVIDER_REQUEST_BYTES_MAX), 0};
    memset(out, 0, sizeof(*out));
    if (!is_line(account->base_url) || account->base_url.data[account->base_url.size - 1] == '/') {
        return "the provider's base URL is missing, or ends in a slash";
    }
    if (provider_needs_token(account->provider, call->kind) && !is_line(call->token)) {
        return "there is no access token";
    }
    why = account->provider == OBSERVED_AT_PAYSTACK
              ? provider__paystack_write(account, call, &r, out)
              : provider__daraja_write(account, call, &r, out);
    if (why != NULL || r.w.overflow) {
        memset(out, 0, sizeof(*out));
        return why != NULL ? why : "the request is too large";
    }
    CHECK(is_line(out->url) && out->method != NULL);
    return NULL;
}

void provider_read_reply(const struct provider_account *account, const struct provider_call *call,
                         const struct provider_reply *reply, struct json_scratch *scratch,
                         observation_fn take, void *context)
{
    const struct reading in = {account, scratch, take, context};
    if (account->provider == OBSERVED_AT_PAYSTACK) {
        provider__paystack_reply(&in, call, reply);
        return;
    }
    provider__daraja_reply(&in, call, reply);
}

void provider_read_message(const struct provider_account *account,
                           const struct provider_message *message, struct json_scratch *scratch,
                           observation_fn take, void *context)
{
    const struct reading in = {account, scratch, take, context};
    if (account->provider == OBSERVED_AT_PAYSTACK) {
        provider__paystack_message(&in, message);
        return;
    }
    provider__daraja_message(&in, message);
}

/* Unknown keys: production was seen to answer 400 with an empty body, the sandbox sends JSON. */
void provider_read_token(const struct provider_reply *reply, struct json_scratch *scratch,
                         struct provider_token *out)
{
    struct daraja_token token;
    struct daraja_answer answer;
    memset(out, 0, sizeof(*out));
    out->verdict = OBSERVED_REFUSED; /* a token is not money: without one nothing was done */
    out->reason = OBSERVED_REASON_BUSY;
    if (reply->error != DELIVERY_ANSWERED) {
        return;
    }
    if (reply->http_status < 300 && daraja_token_parse(reply->body, scratch, &token)) {
        out->token = token.token;
        out->life_s = token.expires_in_s;
        out->verdict = OBSERVED_SUCCEEDED;
        out->reason = OBSERVED_REASON_NONE;
        return;
    }
    daraja_answer_read(reply->body, reply->http_status, scratch, &answer);
    bool refused = reply->http_status == 400 || reply->http_status == 401;
    if (refused && daraja_answer_meaning(&answer) != DARAJA_MEANS_BUSY) {
        out->reason = OBSERVED_REASON_CREDENTIALS;
    }
}
