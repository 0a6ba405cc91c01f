/*
 * gateway_outgoing.c - the messages that leave the merchant book: requests to providers (with their
 * access tokens) and webhooks to the application, signed (Standard Webhooks 1.0.0); and what was
 * answered, brought into the book's words.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/caltime.h"
#include "face/gateway.h"
#include "provider/provider.h"
#include "wire/paystack.h"
#include "wire/standard_webhooks.h"

enum {
    UNSEALED_MAX = GATEWAY_SEALED_MAX,
    DESCRIPTION_SHOWN_MAX = 13,
    EVENT_ID_MAX = 32,
};

/* ---- provider accounts with their secrets ---- */

struct unsealed {
    char text[5][UNSEALED_MAX];
};

static struct span unseal(struct surface *s, uint32_t handle, char out[UNSEALED_MAX])
{
    size_t size = 0;
    struct span sealed = gateway_text(surface_gateway(s), handle);
    if (sealed.size == 0 || !secrets_unseal(s->options.secrets, sealed, out, UNSEALED_MAX, &size)) {
        return SPAN_EMPTY;
    }
    return (struct span){out, size};
}

static void unseal_account(struct surface *s, uint32_t slot, struct unsealed *room,
                           struct provider_account *out)
{
    const struct gateway *g = surface_gateway(s);
    const struct gateway_provider *p = gateway_provider(g, slot);
    struct span base = gateway_text(g, p->base_url);
    memset(out, 0, sizeof(*out));
    out->provider = (enum observation_provider)p->kind;
    out->production = p->production;
    out->is_till = p->is_till;
    out->short_code = p->short_code;
    out->party_b = p->party_b;
    out->base_url = base.size > 0 ? base : span_from(s->gateway->operator_url);
    out->key = unseal(s, p->key, room->text[0]);
    out->secret = unseal(s, p->secret, room->text[1]);
    out->passkey = unseal(s, p->passkey, room->text[2]);
    out->initiator = unseal(s, p->initiator, room->text[3]);
    out->credential = unseal(s, p->credential, room->text[4]);
}

static void forget(struct unsealed *room)
{
    explicit_bzero(room, sizeof(*room));
}

bool gateway_signed_by_paystack(struct surface *s, const struct gateway_provider *p,
                                struct span body, struct span signature)
{
    char key[UNSEALED_MAX];
    uint8_t mac[PAYSTACK_SIGNATURE_BYTES];
    struct span plain = unseal(s, p->secret, key);
    if (plain.size == 0) {
        return false;
    }
    secrets_hmac_sha512(plain, body, mac);
    explicit_bzero(key, sizeof(key));
    return paystack_signature_matches(signature, mac);
}

/* ---- access tokens ---- */

static struct access_token *token_of(struct surface *s, uint32_t provider)
{
    return &s->gateway->tokens[provider % GATEWAY_TOKENS_MAX];
}

bool gateway_token_good(struct surface *s, uint32_t provider)
{
    const struct access_token *t = token_of(s, provider);
    return t->size > 0 && t->provider == provider &&
           t->generation == engine_book(s->engine)->generation &&
           engine_now(s->engine) < t->until_ns;
}

/* A call about the whole account, which is its subject; not about a payment. */
static bool is_of_account(const struct outbox_item *item)
{
    return item->kind == CALL_REGISTER || item->kind == CALL_PULL ||
           item->kind == CALL_PULL_REGISTER;
}

/* The provider account that a call goes to; SLAB_NONE: it is none, or its payment is no more. */
static uint32_t account_of_item(struct surface *s, const struct outbox_item *item)
{
    if (is_of_account(item)) {
        return (uint32_t)item->subject;
    }
    const struct gateway_payment *p =
        item->kind >= MESSAGE_WEBHOOK ? NULL : gateway_reach(s, item->subject);
    return p == NULL ? SLAB_NONE : p->provider;
}

uint32_t gateway_outgoing_provider(struct surface *s, const struct outbox_item *item)
{
    const struct gateway *g = surface_gateway(s);
    uint32_t slot = account_of_item(s, item);
    if (slot == SLAB_NONE) {
        return SLAB_NONE;
    }
    bool needs = provider_needs_token((enum observation_provider)gateway_provider(g, slot)->kind,
                                      (enum provider_call_kind)item->kind);
    return needs ? slot : SLAB_NONE;
}

/* Puts the request into w and the job. */
static bool write_call(struct surface *s, uint32_t provider, const struct provider_call *call,
                       struct writer *w, struct gateway_job *job)
{
    struct unsealed room;
    struct provider_account account;
    struct provider_request request;
    uint8_t *buffer = writer_claim(w, PROVIDER_REQUEST_BYTES_MAX);
    CHECK(buffer != NULL);
    unseal_account(s, provider, &room, &account);
    const char *why = provider_write(&account, call, (char *)buffer, &request);
    forget(&room);
    if (why != NULL) {
        return false;
    }
    memset(job, 0, sizeof(*job));
    job->url = request.url;
    if (strcmp(request.method, "POST") == 0) {
        job->body = request.body;
    }
    if (request.authorization.size > 0) {
        char *line = s->gateway->authorization;
        int size = snprintf(line, sizeof(s->gateway->authorization), "Authorization: %.*s",
                            (int)request.authorization.size, request.authorization.data);
        if (size < 0 || (size_t)size >= sizeof(s->gateway->authorization)) {
            return false;
        }
        job->headers[0] = line;
    }
    return true;
}

bool gateway_token_job(struct surface *s, uint32_t provider, struct writer *w,
                       struct gateway_job *job)
{
    struct provider_call call = {.kind = PROVIDER_CALL_TOKEN, .now_ns = engine_now(s->engine)};
    return write_call(s, provider, &call, w, job);
}

bool gateway_token_taken(struct surface *s, uint32_t provider, uint16_t status, struct span answer)
{
    struct provider_reply reply = {.http_status = status, .body = answer};
    struct provider_token taken;
    struct access_token *t = token_of(s, provider);
    provider_read_token(&reply, s->json, &taken);
    t->size = 0;
    if (taken.verdict != OBSERVED_SUCCEEDED || taken.token.size == 0 ||
        taken.token.size > sizeof(t->text)) {
        return false;
    }
    uint32_t life_s = taken.life_s > 0 ? taken.life_s : 3600;
    uint32_t margin_s = life_s > 120 ? 60 : life_s / 2;
    memcpy(t->text, taken.token.data, taken.token.size);
    t->size = (uint32_t)taken.token.size;
    t->provider = provider;
    t->generation = engine_book(s->engine)->generation;
    t->until_ns = engine_now(s->engine) + (int64_t)(life_s - margin_s) * NS_PER_S;
    return true;
}

/* ---- requests to providers ---- */

static struct span shown(struct span text, size_t max)
{
    text.size = text.size < max ? text.size : max;
    return text;
}

/* The callback URL of a payment or account with this door, into w. */
static struct span callback_url(struct surface *s, const uint8_t whose[16], const char *door,
                                struct writer *w)
{
    char token[GATEWAY_TOKEN_TEXT];
    char url[GATEWAY_BASE_URL_MAX + 80];
    gateway_hex(whose, token);
    int size = snprintf(url, sizeof(url), "%s/callbacks/%s/%s", s->gateway->own_url, token, door);
    CHECK(size > 0 && (size_t)size < sizeof(url));
    const uint8_t *at = w->data + w->size;
    put_raw(w, url, (size_t)size);
    CHECK(!w->overflow);
    return (struct span){(const char *)at, (size_t)size};
}

struct span gateway_own_id(const uint8_t token[16], struct writer *w)
{
    char digits[GATEWAY_TOKEN_TEXT];
    gateway_hex(token, digits);
    const uint8_t *at = w->data + w->size;
    put_raw(w, "hk-", 3);
    put_raw(w, digits, GATEWAY_TOKEN_TEXT - 1);
    CHECK(!w->overflow);
    return (struct span){(const char *)at, 3 + GATEWAY_TOKEN_TEXT - 1};
}

static void call_doors(struct surface *s, const struct gateway_payment *p, uint16_t kind,
                       struct writer *w, struct provider_call *out)
{
    const char *door = kind == CALL_PAYOUT     ? "payout"
                       : kind == CALL_REVERSAL ? "reversal"
                       : kind == CALL_STATUS   ? "status"
                                               : "stk";
    const char *late = kind == CALL_PAYOUT     ? "payout_timeout"
                       : kind == CALL_REVERSAL ? "reversal_timeout"
                                               : "status_timeout";
    out->callback_url = callback_url(s, p->token, door, w);
    if (kind != CALL_PUSH) {
        out->timeout_url = callback_url(s, p->token, late, w);
    }
}

static struct span token_for(struct surface *s, uint32_t provider)
{
    const struct access_token *t = token_of(s, provider);
    return gateway_token_good(s, provider) ? (struct span){t->text, t->size} : SPAN_EMPTY;
}

/* URLs carry the account's own token: they are registered once and stay. */
static bool write_account_call(struct surface *s, const struct outbox_item *item, struct writer *w,
                               struct gateway_job *job)
{
    uint32_t slot = (uint32_t)item->subject;
    const struct gateway_provider *p = gateway_provider(surface_gateway(s), slot);
    struct provider_call call = {.kind = (enum provider_call_kind)item->kind,
                                 .now_ns = engine_now(s->engine),
                                 .from_ns = p->pull_from_ns,
                                 .until_ns = p->pull_until_ns,
                                 .offset = p->pull_offset,
                                 .phone = p->pull_phone,
                                 .cancel_unanswered = p->c2b_cancels,
                                 .token = token_for(s, slot)};
    call.callback_url = callback_url(s, p->token, "confirmation", w);
    call.timeout_url = callback_url(s, p->token, "validation", w);
    return write_call(s, slot, &call, w, job);
}

/* Our own questions about a refund are Transaction Status at Daraja, at Paystack verify. */
static enum provider_call_kind kind_of(const struct outbox_item *item,
                                       const struct gateway_payment *p)
{
    bool asks = item->kind == CALL_STATUS && p != NULL && p->method == METHOD_PAYSTACK_REFUND;
    return asks ? PROVIDER_CALL_REFUND_QUERY : (enum provider_call_kind)item->kind;
}

static void call_of(struct surface *s, const struct outbox_item *item,
                    const struct gateway_payment *p, struct writer *w, struct provider_call *out)
{
    const struct gateway *g = surface_gateway(s);
    const struct gateway_payment *original = gateway_payment(g, p->overrides);
    struct span description = gateway_text(g, p->description);
    memset(out, 0, sizeof(*out));
    call_doors(s, p, item->kind, w, out);
    out->kind = (enum provider_call_kind)item->kind;
    out->now_ns = engine_now(s->engine);
    out->amount_minor = p->amount_minor;
    out->phone = p->phone;
    out->provider_id = gateway_text(g, p->provider_id);
    out->receipt = gateway_text(g, p->receipt);
    if (gateway_pays_out(p->method)) {
        out->our_id = gateway_own_id(p->token, w);
        out->provider_id = p->method == METHOD_MPESA_B2C ? SPAN_EMPTY : out->provider_id;
    }
    if (item->kind == CALL_STATUS && p->other_id != TEXT_NONE && !gateway_pays_out(p->method)) {
        out->provider_id = gateway_text(g, p->other_id); /* by which a push's status is known */
    }
    if (item->kind == CALL_REVERSAL && original != NULL) {
        out->receipt = gateway_text(g, original->receipt);
    }
    if (p->method == METHOD_PAYSTACK) {
        out->our_id = out->provider_id;
        out->email = gateway_text(g, p->email);
    } else if (p->method == METHOD_PAYSTACK_REFUND && original != NULL) {
        out->kind = kind_of(item, p);
        out->our_id = gateway_text(g, original->provider_id); /* what it gives back names it */
    }
    out->account = gateway_account_reference(g, p);
    out->command = p->command;
    description = description.size > 0 ? description : SPAN_LITERAL("Payment");
    out->description =
        gateway_pays_out(p->method) ? description : shown(description, DESCRIPTION_SHOWN_MAX);
    out->token = token_for(s, p->provider);
}

/* ---- webhooks ---- */

/* One more signature in the list, when there is such a secret. */
static void sign(struct surface *s, uint32_t handle, struct span content, struct writer *list)
{
    char text[UNSEALED_MAX];
    struct webhook_key key;
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int mac_size = 0;
    struct span plain = unseal(s, handle, text);
    if (plain.size == 0) {
        return;
    }
    CHECK(webhook_key_parse(plain, &key)); /* it was rendered here */
    CHECK(key.kind == WEBHOOK_SECRET);
    CHECK(HMAC(EVP_sha256(), key.bytes, (int)key.size, (const unsigned char *)content.data,
               content.size, mac, &mac_size) != NULL);
    webhook_signature_add(list, WEBHOOK_V1, (struct span){(const char *)mac, mac_size});
    explicit_bzero(&key, sizeof(key));
    explicit_bzero(text, sizeof(text));
}

/* webhook-timestamp is the real time, whatever the book's clock shows (interfaces). */
static void sign_headers(struct surface *s, const struct gateway_endpoint *endpoint, uint64_t seq,
                         struct writer *w, struct gateway_job *job)
{
    struct gateway_face *f = s->gateway;
    struct timespec now;
    char id[EVENT_ID_MAX];
    char signature[200];
    struct writer list = writer_init(signature, sizeof(signature) - 1);
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    (void)snprintf(id, sizeof(id), "evt_%llu", (unsigned long long)seq);
    size_t start = w->size;
    webhook_content_render(w, span_from(id), now.tv_sec, job->body);
    CHECK(!w->overflow);
    struct span content = {(const char *)w->data + start, w->size - start};
    sign(s, endpoint->secret, content, &list);
    if (engine_now(s->engine) < endpoint->before_until_ns) {
        sign(s, endpoint->secret_before, content, &list);
        sign(s, endpoint->secret_oldest, content, &list);
    }
    CHECK(!list.overflow);
    signature[list.size] = '\0';
    (void)snprintf(f->signature[0], sizeof(f->signature[0]), "webhook-id: %s", id);
    (void)snprintf(f->signature[1], sizeof(f->signature[1]), "webhook-timestamp: %lld",
                   (long long)now.tv_sec);
    (void)snprintf(f->signature[2], sizeof(f->signature[2]), "webhook-signature: %s", signature);
    for (uint32_t i = 0; i < 3; i++) {
        job->headers[i] = f->signature[i];
    }
}

static bool webhook(struct surface *s, const struct outbox_item *item, struct writer *w,
                    struct gateway_job *job)
{
    const struct gateway *g = surface_gateway(s);
    uint64_t seq = webhook_subject_seq(item->subject);
    const struct gateway_feed *f = gateway_feed_event(g, seq);
    const struct gateway_endpoint *endpoint =
        gateway_endpoint(g, webhook_subject_endpoint(item->subject));
    if (f == NULL || endpoint == NULL || endpoint->status != ENDPOINT_ENABLED) {
        return false;
    }
    memset(job, 0, sizeof(*job));
    size_t start = w->size;
    if (!gateway_event_render(s, w, f)) {
        return false;
    }
    CHECK(!w->overflow);
    job->body = (struct span){(const char *)w->data + start, w->size - start};
    job->url = gateway_text(g, endpoint->url);
    sign_headers(s, endpoint, seq, w, job);
    return true;
}

bool gateway_outgoing(struct surface *s, const struct outbox_item *item, struct writer *w,
                      struct gateway_job *job)
{
    if (item->kind == MESSAGE_WEBHOOK) {
        return webhook(s, item, w, job);
    }
    if (is_of_account(item)) {
        return write_account_call(s, item, w, job);
    }
    if (item->kind == MESSAGE_C2B) {
        return gateway_front_confirmation(s, item->subject, w, job);
    }
    const struct gateway_payment *p = gateway_reach(s, item->subject);
    struct provider_call call;
    if (p == NULL) {
        return false;
    }
    if (merchant_message_is_forward(item->kind)) {
        gateway_front_message(s, p, item->kind, w, job);
        return true;
    }
    call_of(s, item, p, w, &call);
    return write_call(s, p->provider, &call, w, job);
}

/* ---- what was answered ---- */

/* What the answer to a question claims is a notice, decided about together with the answer. Of two
 * claims the first goes through the door before, on its own: if the process ends in between, the
 * question is asked again. False: there is no room for it now. */
static bool read_claims(struct surface *s, const struct gateway_claims *claims,
                        struct notice_command *c)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    c->claim = &claims->at[0];
    gateway_notice_digests(s, c, c->payment);
    if (claims->count == 1) {
        return true;
    }
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_NOTICE, c, &reply);
    c->claim = &claims->at[1];
    gateway_notice_digests(s, c, c->payment);
    return result.status == ENGINE_APPLIED;
}

void gateway_read(struct surface *s, const struct outbox_item *item,
                  struct delivery_result_command *c)
{
    struct gateway_face *f = s->gateway;
    const struct gateway *g = surface_gateway(s);
    uint32_t slot = account_of_item(s, item);
    if (slot == SLAB_NONE || c->error != 0) {
        return;
    }
    const struct gateway_payment *p = is_of_account(item) ? NULL : gateway_reach(s, item->subject);
    const struct gateway_provider *provider = gateway_provider(g, slot);
    struct provider_account account = {.provider = (enum observation_provider)provider->kind,
                                       .production = provider->production,
                                       .short_code = provider->short_code,
                                       .party_b = provider->party_b};
    struct provider_call call = {.kind = kind_of(item, p)};
    struct provider_reply reply = {.http_status = c->status, .body = c->answer};
    memset(&f->reading, 0, sizeof(f->reading));
    memset(&f->observed, 0, sizeof(f->observed));
    memset(&f->claims, 0, sizeof(f->claims));
    if (item->kind == CALL_PULL) {
        gateway_pull_read(s, slot, &account, c);
        return;
    }
    bool of_refund = p != NULL && p->method == METHOD_PAYSTACK_REFUND;
    const struct gateway_payment *named = of_refund ? gateway_payment(g, p->overrides) : p;
    call.provider_id = named == NULL ? SPAN_EMPTY : gateway_text(g, named->provider_id);
    provider_read_reply(&account, &call, &reply, s->json, gateway_claims_take, &f->claims);
    f->reading.answer = f->claims.at[0];
    if (f->reading.answer.reason == OBSERVED_REASON_TOKEN) {
        token_of(s, slot)->size = 0; /* another one is fetched for the next try */
    }
    bool answers = item->kind == CALL_QUERY || call.kind == PROVIDER_CALL_REFUND_QUERY;
    c->reading = &f->reading;
    if (answers && f->claims.count > 0 && c->answer.size <= GATEWAY_BODY_MAX) {
        f->reading.notice = (struct notice_command){
            .payment = p->number, .provider = p->provider, .body = c->answer};
        if (!read_claims(s, &f->claims, &f->reading.notice)) {
            c->error = DELIVERY_INTERRUPTED; /* asked again */
            c->reading = NULL;
        }
    }
}
