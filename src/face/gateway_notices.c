/*
 * gateway_notices.c - what providers send us: /callbacks/{token}/{door}. The token says whose it is
 * and cannot be guessed (R6.10); the notice is on disk before the 200 leaves (R2.4). And the list
 * of notices for the application.
 */
#include <stdio.h>
#include <string.h>

#include "face/gateway.h"
#include "provider/provider.h"

void gateway_claims_take(void *context, const struct observation *seen)
{
    struct gateway_claims *out = context;
    bool went_back = out->count == 1 && seen->kind == OBSERVED_REFUND;
    if (out->count == 0 || went_back) {
        out->at[out->count++] = *seen;
    }
}

/* Which URL of ours it came to: its last part, as gateway_outgoing.c gave it. */
static enum provider_door door_of(struct span name, bool *timed_out)
{
    static const struct {
        const char *name;
        enum provider_door door;
    } doors[] = {
        {"stk", PROVIDER_DOOR_STK},
        {"payout", PROVIDER_DOOR_PAYOUT},
        {"status", PROVIDER_DOOR_STATUS},
        {"reversal", PROVIDER_DOOR_REVERSAL},
        {"balance", PROVIDER_DOOR_BALANCE},
        {"confirmation", PROVIDER_DOOR_CONFIRMATION},
        {"validation", PROVIDER_DOOR_VALIDATION},
        {"webhook", PROVIDER_DOOR_WEBHOOK},
    };
    struct span end = SPAN_LITERAL("_timeout");
    *timed_out =
        name.size > end.size && memcmp(name.data + name.size - end.size, end.data, end.size) == 0;
    name.size -= *timed_out ? end.size : 0;
    for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
        if (span_is(name, doors[i].name)) {
            return doors[i].door;
        }
    }
    return PROVIDER_DOOR_STK;
}

void gateway_notice_digests(struct surface *s, struct notice_command *c, uint64_t payment)
{
    const struct observation *o = c->claim;
    uint8_t what[4] = {(uint8_t)o->kind, (uint8_t)o->source, (uint8_t)o->verdict,
                       (uint8_t)o->reason};
    bool named = o->reference.size > 0 || o->receipt.size > 0;
    struct span parts[9] = {
        SPAN_LITERAL("notice"),
        gateway_bytes(&c->provider, sizeof(c->provider)),
        gateway_bytes(&payment, sizeof(payment)),
        gateway_bytes(what, sizeof(what)),
        o->reference,
        o->receipt,
        o->code,
        gateway_bytes(&o->amount_minor, sizeof(o->amount_minor)),
        named ? SPAN_EMPTY : c->body, /* what names nothing is recognised by its bytes */
    };
    secrets_digest(s->options.secrets, &c->body, 1, c->digest);
    secrets_digest(s->options.secrets, parts, 9, c->key);
}

/* Which headers came, without those that may carry credentials; all lines of each, since a proxy
 * may add what it says about its peer as a line of its own. */
static struct span headers_of(struct request *q, struct writer *w)
{
    static const char *const names[] = {"Content-Type", "User-Agent", "X-Forwarded-For",
                                        "X-Request-Id"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct writer all = surface_writer(q->s);
        struct span value = http_header_list(q->x, names[i], &all);
        if (value.size > 0 && value.size <= 80) {
            put_raw(w, names[i], strlen(names[i]));
            put_raw(w, ": ", 2);
            put_raw(w, value.data, value.size);
            put_raw(w, "\n", 1);
        }
    }
    return (struct span){(const char *)w->data, w->overflow ? 0 : w->size};
}

static void acknowledge(struct request *q, uint64_t wait_position)
{
    struct writer w = surface_writer(q->s);
    json_open(&w, '{');
    json_field_i64(&w, "ResultCode", 0);
    json_field_text(&w, "ResultDesc", "Accepted");
    json_close(&w, '}');
    surface_json(q, wait_position, 200, &w);
}

/* Whose URL it is: the payment's own, or that of a provider account. False after answering. */
static bool owner_of(struct request *q, struct notice_command *c)
{
    const struct gateway *g = surface_gateway(q->s);
    const struct gateway_payment *p = NULL;
    uint8_t token[16];
    bool retired = false;
    bool unread = false;
    c->provider = SLAB_NONE;
    if (gateway_unhex(q->parts[0], token)) {
        retired = gateway_token_is_retired(g, token);
        p = gateway_reach_token(q->s, token);
        unread = p == NULL && q->s->index_unread;
        c->provider = p != NULL ? p->provider : gateway_provider_by_token(g, token);
    }
    c->payment = p != NULL ? p->number : 0;
    if (c->provider == SLAB_NONE && unread) { /* it may be that of an old payment */
        surface_not_decided(q, ENGINE_NO_INDEX);
        return false;
    }
    if (c->provider == SLAB_NONE) {
        q->s->gateway->refused_tokens += !retired;
        q->s->gateway->refused_retired += retired;
        surface_problem(q, engine_read_position(q->s->engine), 404, "no_such_path",
                        "there is nothing at this path");
        return false;
    }
    return true;
}

/* Paystack signs what it sends, over the raw body, with the account's secret key: anything else on
 * its URLs is refused and leaves no trace but a count. False after answering. */
static bool is_signed(struct request *q, const struct gateway_provider *p, struct span body)
{
    struct span signature = http_header(q->x, "x-paystack-signature");
    bool webhook = span_is(q->parts[1], "webhook");
    if (webhook && gateway_signed_by_paystack(q->s, p, body, signature)) {
        return true;
    }
    q->s->gateway->refused_signatures++;
    surface_problem(q, engine_read_position(q->s->engine), 401, "signature_wrong",
                    "the header x-paystack-signature is not that of this body");
    return false;
}

/* A setting: where providers send from. False after answering; no trace but a count. */
static bool from_provider(struct request *q)
{
    const struct surface_options *o = &q->s->options;
    struct writer w = surface_writer(q->s);
    if (o->source_good == NULL || o->source_good(o->context, http_peer(q->x),
                                                 http_header_list(q->x, "X-Forwarded-For", &w))) {
        return true;
    }
    q->s->gateway->refused_sources++;
    surface_problem(q, engine_read_position(q->s->engine), 403, "source_refused",
                    "callbacks are taken from the networks of --callback-from only");
    return false;
}

/* Each claim is a decision of its own, in order; the sender comes again when not all are taken, and
 * those that were are known then. */
static void take_claims(struct request *q, struct notice_command *c,
                        const struct gateway_claims *claims)
{
    uint64_t wait_position = 0;
    for (uint32_t i = 0; i < claims->count; i++) {
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        c->claim = &claims->at[i];
        gateway_notice_digests(q->s, c, c->payment);
        struct engine_result result =
            engine_execute(q->s->engine, ENGINE_CONTINUATION, COMMAND_NOTICE, c, &reply);
        if (result.status != ENGINE_APPLIED) {
            surface_not_decided(q, result.status);
            return;
        }
        wait_position = result.wait_position;
    }
    acknowledge(q, wait_position);
}

void gateway_callback(struct request *q)
{
    struct surface *s = q->s;
    struct notice_command c = {.body = http_body(q->x), .peer = http_peer(q->x)};
    struct gateway_claims claims;
    uint8_t headers[GATEWAY_HEADERS_MAX];
    struct writer w = writer_init(headers, sizeof(headers));
    if (!from_provider(q) || !owner_of(q, &c)) {
        return;
    }
    if (c.body.size > GATEWAY_BODY_MAX) {
        surface_problem(q, 0, 413, "too_large", "a notice is at most 8,000 bytes");
        return;
    }
    const struct gateway_provider *provider = gateway_provider(surface_gateway(s), c.provider);
    struct provider_account account = {.provider = (enum observation_provider)provider->kind,
                                       .production = provider->production,
                                       .is_till = provider->is_till,
                                       .short_code = provider->short_code,
                                       .party_b = provider->party_b};
    bool at_paystack = provider->kind == OBSERVED_AT_PAYSTACK;
    if (at_paystack && !is_signed(q, provider, c.body)) {
        return;
    }
    struct provider_message message = {.body = c.body, .signed_well = at_paystack};
    message.door = door_of(q->parts[1], &message.timed_out);
    memset(&claims, 0, sizeof(claims));
    provider_read_message(&account, &message, s->json, gateway_claims_take, &claims);
    if (claims.count == 0) { /* nothing that anybody knows: kept all the same */
        claims.at[claims.count++].source = OBSERVED_BY_CALLBACK;
    }
    if (message.door == PROVIDER_DOOR_VALIDATION) {
        gateway_validation(q, c.provider, &claims.at[0]);
        return;
    }
    c.headers = headers_of(q, &w);
    take_claims(q, &c, &claims);
}

/* ---- the application's view of them ---- */

struct span gateway_notice_body(const struct gateway *g, const struct gateway_notice *n,
                                char room[GATEWAY_BODY_MAX])
{
    size_t size = 0;
    for (uint32_t i = 0; i < GATEWAY_BODY_PARTS; i++) {
        struct span part = gateway_text(g, n->body[i]);
        CHECK(part.size <= GATEWAY_BODY_MAX - size);
        if (part.size > 0) {
            memcpy(room + size, part.data, part.size);
        }
        size += part.size;
    }
    return (struct span){room, size};
}

void gateway_notice_read(struct surface *s, const struct gateway_payment *p,
                         const struct gateway_notice *n, struct observation *out)
{
    const struct gateway *g = surface_gateway(s);
    const struct provider_account account = {.provider = OBSERVED_AT_PAYSTACK};
    char room[GATEWAY_BODY_MAX];
    struct span body = gateway_notice_body(g, n, room);
    struct gateway_claims claims;
    memset(&claims, 0, sizeof(claims));
    if (n->source == OBSERVED_BY_WEBHOOK) {
        const struct provider_message message = {
            .door = PROVIDER_DOOR_WEBHOOK, .signed_well = true, .body = body};
        provider_read_message(&account, &message, s->json, gateway_claims_take, &claims);
    } else {
        const struct provider_call call = {.kind = PROVIDER_CALL_QUERY,
                                           .provider_id = gateway_text(g, p->provider_id)};
        const struct provider_reply reply = {.http_status = 200, .body = body};
        provider_read_reply(&account, &call, &reply, s->json, gateway_claims_take, &claims);
    }
    *out = claims.at[0]; /* that it was paid comes before what became of that */
}

static void render_body(struct surface *s, struct writer *w, const struct gateway_notice *n)
{
    char room[GATEWAY_BODY_MAX];
    json_field_string(w, "body", gateway_notice_body(surface_gateway(s), n, room));
}

void gateway_notice_render(struct surface *s, struct writer *w, const struct gateway_notice *n)
{
    const struct gateway *g = surface_gateway(s);
    char id[32];
    char digest[GATEWAY_TOKEN_TEXT];
    (void)snprintf(id, sizeof(id), "ntc_%llu", (unsigned long long)n->number);
    gateway_hex(n->digest, digest);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "notice");
    json_field_text(w, "status", notice_effect_name(n->effect));
    json_field_text(w, "source", observation_source_name(n->source));
    json_field_text(w, "about", observation_kind_name(n->about));
    json_field_text(w, "verdict", observation_verdict_name(n->verdict));
    json_field_text(w, "reason", observation_reason_name(n->why));
    if (n->payment != 0) {
        (void)snprintf(id, sizeof(id), "pay_%llu", (unsigned long long)n->payment);
        json_field_text(w, "payment", id);
    } else {
        json_field_null(w, "payment");
    }
    const struct gateway_receipt *r =
        n->payment == 0 && n->effect != NOTICE_ORPHAN
            ? gateway_receipt_by_text(g, n->provider, gateway_text(g, n->receipt))
            : NULL;
    surface_id_field(w, "receipt_id", "rcp_", r == NULL ? 0 : r->number);
    gateway_text_field(s, w, "reference", n->reference);
    gateway_text_field(s, w, "receipt", n->receipt);
    gateway_text_field(s, w, "result_code", n->code);
    json_field_i64(w, "amount", n->amount_minor);
    json_field_u64(w, "repeats", n->repeats);
    surface_time_field(w, "received_at", n->taken_ns);
    gateway_text_field(s, w, "peer", n->peer);
    gateway_text_field(s, w, "headers", n->headers);
    json_field_text(w, "digest", digest);
    render_body(s, w, n);
    json_close(w, '}');
}

void gateway_notice_list(struct request *q)
{
    const struct gateway *g = surface_gateway(q->s);
    struct span status = http_query_value(q->x, "status");
    struct list_walk walk;
    if (!surface_walk_begin(q, &walk, "ntc_", g->last_notice)) {
        return;
    }
    while (surface_walk_on(&walk)) {
        bool old = gateway_notice(g, walk.number) == NULL;
        const struct gateway_notice *n = gateway_reach_notice(q->s, walk.number);
        walk.looks += old ? LOOK_IN_INDEX : 0;
        bool wanted = n != NULL && gateway_is_callers(q, n->provider) &&
                      (status.data == NULL || span_is(status, notice_effect_name(n->effect)));
        if (surface_walk_takes(&walk, wanted)) {
            gateway_notice_render(q->s, &walk.w, n);
        }
    }
    surface_walk_end(q, &walk);
}
