/*
 * gateway_accounts.c - /v1: balances, webhook endpoints, the feed of events, provider accounts and
 * API keys.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "face/daraja.h"
#include "face/gateway.h"
#include "wire/standard_webhooks.h"

#define PAYSTACK_URL "https://api.paystack.co"

enum {
    WEBHOOK_SECRET_BYTES = 32,
    WEBHOOK_SECRET_TEXT = 64,
    API_KEY_BYTES = 24,
    CREDENTIAL_MAX = GATEWAY_SEALED_MAX - SECRETS_SEAL_EXTRA, /* Safaricom's have 344 characters */
};

/* ---- ledger accounts ---- */

static void answer_account(struct request *q, const char *id, const char *kind, uint32_t account,
                           bool is_asset)
{
    struct writer w = surface_writer(q->s);
    const struct gateway *g = surface_gateway(q->s);
    const struct account *a = ledger_account(&g->book->ledger, account);
    int64_t posted_minor = gateway_balance(g, account) * (is_asset ? -1 : 1);
    int64_t held_minor = is_asset ? a->credits_pending : a->debits_pending;
    json_open(&w, '{');
    json_field_text(&w, "id", id);
    json_field_text(&w, "object", "account");
    json_field_text(&w, "kind", kind);
    json_field_text(&w, "currency", "KES");
    json_field_i64(&w, "balance", posted_minor);
    json_field_i64(&w, "posted", posted_minor);
    json_field_i64(&w, "held", held_minor); /* for payouts and refunds without an end */
    json_field_i64(&w, "available", posted_minor - held_minor);
    json_close(&w, '}');
    surface_json(q, engine_read_position(q->s->engine), 200, &w);
}

/* wallet, escrow, fees, suspense, or clearing_<short code>. */
void gateway_account_get(struct request *q)
{
    const struct gateway *g = surface_gateway(q->s);
    const struct gateway_merchant *m = gateway_merchant(g, q->merchant);
    const struct {
        const char *name;
        uint32_t account;
    } own[] = {
        {"wallet", m->wallet}, {"escrow", m->escrow}, {"fees", m->fees}, {"suspense", m->suspense}};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (span_is(q->parts[0], own[i].name)) {
            answer_account(q, own[i].name, own[i].name, own[i].account, false);
            return;
        }
    }
    uint64_t short_code;
    uint32_t paystack = gateway_provider_of(g, q->merchant, OBSERVED_AT_PAYSTACK, 0);
    if (span_is(q->parts[0], "clearing_paystack") && paystack != SLAB_NONE) {
        answer_account(q, "clearing_paystack", "clearing", gateway_provider(g, paystack)->clearing,
                       true);
        return;
    }
    if (surface_parse_number(q->parts[0], "clearing_", &short_code) && short_code <= UINT32_MAX) {
        uint32_t slot =
            gateway_provider_of(g, q->merchant, OBSERVED_AT_DARAJA, (uint32_t)short_code);
        if (slot != SLAB_NONE) {
            char id[32];
            (void)snprintf(id, sizeof(id), "clearing_%u", (uint32_t)short_code);
            answer_account(q, id, "clearing", gateway_provider(g, slot)->clearing, true);
            return;
        }
    }
    surface_problem(q, engine_read_position(q->s->engine), 404, "not_found",
                    "accounts are wallet, escrow, fees, suspense clearing_<short code> and "
                    "clearing_paystack");
}

/* ---- webhook endpoints ---- */

static void render_endpoint(struct surface *s, struct writer *w, uint32_t slot, const char *secret)
{
    const struct gateway_endpoint *e = gateway_endpoint(surface_gateway(s), slot);
    char id[32];
    (void)snprintf(id, sizeof(id), "we_%u", slot + 1);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "webhook_endpoint");
    gateway_text_field(s, w, "url", e->url);
    json_field_text(w, "status", e->status == ENDPOINT_ENABLED ? "enabled" : "disabled");
    json_key(w, "events");
    json_open(w, '[');
    for (uint16_t type = 1; type <= FEED_TYPE_LAST && e->types != 0; type++) {
        if ((e->types >> type & 1) != 0) {
            json_put_string(w, span_from(feed_type_name(type)));
        }
    }
    json_close(w, ']');
    bool rotating = engine_now(s->engine) < e->before_until_ns;
    surface_time_field(w, "secret_before_until", rotating ? e->before_until_ns : 0);
    if (secret != NULL) {
        json_field_text(w, "secret", secret);
    }
    json_close(w, '}');
}

static bool endpoint_url_parse(struct request *q, struct json_object *body, struct span *url)
{
    struct daraja_url_rule rule = daraja_url_rule(q->s);
    const char *why = "must be given";
    if (gateway_member_text(body, "url", GATEWAY_URL_MAX, url)) {
        why = daraja_url_refusal(*url, &rule);
    }
    if (why != NULL) {
        char words[200];
        (void)snprintf(words, sizeof(words), "url %s", why);
        surface_problem(q, 0, 422, "invalid_url", words);
        return false;
    }
    return true;
}

/* "events": a list of types; none or ["*"]: all of them. False after answering. */
static bool endpoint_types_parse(struct request *q, struct json_object *body, uint64_t *types)
{
    struct json_object *list = json_member(body, "events");
    *types = 0;
    for (size_t i = 0; list != NULL && i < json_count(list); i++) {
        struct span name;
        uint16_t type = 1;
        if (!json_string(json_item(list, i), &name)) {
            name = SPAN_EMPTY;
        }
        if (span_is(name, "*")) {
            *types = 0;
            return true;
        }
        while (type <= FEED_TYPE_LAST && !span_is(name, feed_type_name(type))) {
            type++;
        }
        if (type > FEED_TYPE_LAST) {
            surface_problem(q, 0, 422, "invalid_events", "events is a list of types of events");
            return false;
        }
        *types |= UINT64_C(1) << type;
    }
    return true;
}

static void make_secret(char out[WEBHOOK_SECRET_TEXT])
{
    struct webhook_key key = {.kind = WEBHOOK_SECRET, .size = WEBHOOK_SECRET_BYTES};
    struct writer w = writer_init(out, WEBHOOK_SECRET_TEXT - 1);
    secrets_random(key.bytes, key.size);
    webhook_key_render(&w, &key);
    explicit_bzero(&key, sizeof(key));
    CHECK(!w.overflow);
    out[w.size] = '\0';
}

void gateway_endpoint_create(struct request *q)
{
    struct surface *s = q->s;
    struct endpoint_command c = {.merchant = q->merchant};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    char secret[WEBHOOK_SECRET_TEXT];
    uint8_t sealed[GATEWAY_SEALED_MAX];
    struct json_object *body = control_body(q);
    if (body == NULL || !endpoint_url_parse(q, body, &c.url) ||
        !endpoint_types_parse(q, body, &c.types)) {
        return;
    }
    make_secret(secret);
    c.secret.data = (const char *)sealed;
    c.secret.size = secrets_seal(s->options.secrets, span_from(secret), sealed, sizeof(sealed));
    c.target = surface_url_target(c.url);
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_ENDPOINT_OPEN, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != GATEWAY_DONE) {
        surface_problem(q, result.wait_position, 409, "too_many",
                        "a merchant has at most four webhook endpoints");
        return;
    }
    struct writer w = surface_writer(s);
    render_endpoint(s, &w, reply.slot, secret);
    surface_json(q, result.wait_position, 201, &w);
}

void gateway_endpoint_list(struct request *q)
{
    const struct gateway_merchant *m = gateway_merchant(surface_gateway(q->s), q->merchant);
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    for (uint32_t i = 0; i < m->endpoints; i++) {
        render_endpoint(q->s, &w, m->endpoint[i], NULL);
    }
    surface_list_close(q, &w, false);
}

void gateway_endpoint_rotate(struct request *q)
{
    struct surface *s = q->s;
    uint64_t number;
    struct gateway_reply reply = {.refusal = GATEWAY_NOT_FOUND};
    struct engine_result result = {ENGINE_REFUSED, engine_read_position(s->engine)};
    char secret[WEBHOOK_SECRET_TEXT];
    uint8_t sealed[GATEWAY_SEALED_MAX];
    make_secret(secret);
    if (surface_parse_number(q->parts[0], "we_", &number) && number > 0 && number <= UINT32_MAX) {
        struct endpoint_rotate_command c = {.merchant = q->merchant,
                                            .endpoint = (uint32_t)(number - 1)};
        c.secret.data = (const char *)sealed;
        c.secret.size = secrets_seal(s->options.secrets, span_from(secret), sealed, sizeof(sealed));
        reply.refusal = GATEWAY_DONE;
        result =
            engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_ENDPOINT_ROTATE, &c, &reply);
    }
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != GATEWAY_DONE) {
        surface_problem(q, result.wait_position, 404, "not_found",
                        "there is no webhook endpoint with this id");
    } else {
        struct writer w = surface_writer(s);
        render_endpoint(s, &w, reply.slot, secret);
        surface_json(q, result.wait_position, 200, &w);
    }
    explicit_bzero(secret, sizeof(secret));
}

void gateway_endpoint_remove(struct request *q)
{
    uint64_t number;
    struct gateway_reply reply = {.refusal = GATEWAY_NOT_FOUND};
    struct engine_result result = {ENGINE_REFUSED, engine_read_position(q->s->engine)};
    if (surface_parse_number(q->parts[0], "we_", &number) && number > 0 && number <= UINT32_MAX) {
        struct endpoint_change_command c = {.merchant = q->merchant,
                                            .endpoint = (uint32_t)(number - 1),
                                            .status = ENDPOINT_DISABLED};
        reply.refusal = GATEWAY_DONE;
        result =
            engine_execute(q->s->engine, ENGINE_CONTINUATION, COMMAND_ENDPOINT_CHANGE, &c, &reply);
    }
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != GATEWAY_DONE) {
        surface_problem(q, result.wait_position, 404, "not_found",
                        "there is no webhook endpoint with this id");
    } else {
        struct writer w = surface_writer(q->s);
        render_endpoint(q->s, &w, reply.slot, NULL);
        surface_json(q, result.wait_position, 200, &w);
    }
}

/* ---- events ---- */

bool gateway_event_render(struct surface *s, struct writer *w, const struct gateway_feed *f)
{
    char id[32];
    const struct gateway_payment *p = NULL;
    if (f->object_kind == FEED_OBJECT_PAYMENT) {
        p = gateway_reach(s, f->object);
        if (p == NULL) {
            return false;
        }
    }
    (void)snprintf(id, sizeof(id), "evt_%llu", (unsigned long long)f->seq);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "event");
    json_field_text(w, "type", feed_type_name(f->type));
    surface_time_field(w, "timestamp", f->at_ns);
    json_field_u64(w, "seq", f->seq);
    json_field_u64(w, "object_seq", f->object_seq);
    json_key(w, "data");
    if (f->object_kind == FEED_OBJECT_PROVIDER) {
        gateway_alert_render(s, w, f);
    } else if (f->object_kind == FEED_OBJECT_DISCREPANCY) {
        gateway_discrepancy_told(s, w, f);
    } else if (f->object_kind == FEED_OBJECT_RECEIPT) {
        gateway_receipt_render(s, w, gateway_receipt(surface_gateway(s), f->object), f);
    } else {
        gateway_payment_render(s, w, p, f);
    }
    json_close(w, '}');
    return true;
}

/* ?after_seq=: everything after that, oldest first, so that a consumer can prove completeness. A
 * page ends, too, when it has looked at many events of others: next_after_seq is where to go on. */
void gateway_event_list(struct request *q)
{
    const struct gateway *g = surface_gateway(q->s);
    struct span after = http_query_value(q->x, "after_seq");
    uint64_t limit;
    uint64_t seq = 0;
    if (!surface_list_limit(q, &limit)) {
        return;
    }
    if (after.data != NULL && !span_parse_u64(after, &seq)) {
        surface_problem(q, 0, 400, "invalid_after_seq", "after_seq is the seq of an event, or 0");
        return;
    }
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    uint64_t shown = 0;
    bool more = false;
    for (uint32_t looks = 0; seq < g->last_seq; seq++, looks++) {
        const struct gateway_feed *f = gateway_feed_event(g, seq + 1);
        bool wanted = f != NULL && f->merchant == q->merchant;
        bool full = shown == limit || w.size > SURFACE_BODY_MAX / 2;
        more = looks == LIST_LOOKS_MAX || (wanted && full);
        if (more) {
            break;
        }
        if (wanted && !gateway_event_render(q->s, &w, f)) {
            surface_not_decided(q, ENGINE_NO_INDEX);
            return;
        }
        shown += wanted;
    }
    json_close(&w, ']');
    json_field_bool(&w, "has_more", more);
    if (more) {
        json_field_u64(&w, "next_after_seq", seq);
    }
    json_close(&w, '}');
    surface_json(q, engine_read_position(q->s->engine), 200, &w);
}

void gateway_event_get(struct request *q)
{
    uint64_t seq;
    const struct gateway_feed *f = NULL;
    if (surface_parse_number(q->parts[0], "evt_", &seq)) {
        f = gateway_feed_event(surface_gateway(q->s), seq);
    }
    if (f == NULL || f->merchant != q->merchant) {
        surface_problem(q, engine_read_position(q->s->engine), 404, "not_found",
                        "there is no event with this id");
        return;
    }
    struct writer w = surface_writer(q->s);
    if (!gateway_event_render(q->s, &w, f)) {
        surface_not_decided(q, ENGINE_NO_INDEX);
        return;
    }
    surface_json(q, engine_read_position(q->s->engine), 200, &w);
}

/* ---- provider accounts: credentials go in, and never come out ---- */

static const char *const WHEN_UNAVAILABLE[] = {"refuse", "queue"};

void gateway_provider_render(struct surface *s, struct writer *w, uint32_t slot)
{
    const struct gateway_provider *p = gateway_provider(surface_gateway(s), slot);
    char id[32];
    char token[GATEWAY_TOKEN_TEXT];
    char url[GATEWAY_BASE_URL_MAX + 64];
    (void)snprintf(id, sizeof(id), "prov_%u", slot + 1);
    gateway_hex(p->token, token);
    (void)snprintf(url, sizeof(url), "%s/callbacks/%s", s->gateway->own_url, token);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "provider");
    json_field_text(w, "kind", p->kind == OBSERVED_AT_PAYSTACK ? "paystack" : "daraja");
    json_field_bool(w, "production", p->production);
    json_field_u64(w, "short_code", p->short_code);
    json_field_bool(w, "is_till", p->is_till);
    if (p->base_url == TEXT_NONE) {
        json_field_text(w, "base_url", s->gateway->operator_url);
    } else {
        gateway_text_field(s, w, "base_url", p->base_url);
    }
    json_field_text(w, "callback_url", url);
    if (p->has_before) {
        char before[GATEWAY_BASE_URL_MAX + 64];
        char digits[GATEWAY_TOKEN_TEXT];
        gateway_hex(p->token_before, digits);
        (void)snprintf(before, sizeof(before), "%s/callbacks/%s", s->gateway->own_url, digits);
        json_field_text(w, "previous_callback_url", before);
    } else {
        json_field_null(w, "previous_callback_url");
    }
    gateway_c2b_field(s, w, p);
    gateway_pull_field(s, w, p);
    json_field_text(w, "when_unavailable", WHEN_UNAVAILABLE[p->when_unavailable]);
    json_field_bool(w, "available",
                    outbox_target_closed_until(&engine_book(s->engine)->outbox, p->target,
                                               engine_now(s->engine)) == 0);
    if (p->kind == OBSERVED_AT_PAYSTACK) {
        (void)snprintf(url, sizeof(url), "%s/callbacks/%s/webhook", s->gateway->own_url, token);
        json_field_text(w, "webhook_url", url);
    }
    json_close(w, '}');
}

struct sealed_member {
    uint8_t bytes[GATEWAY_SEALED_MAX];
};

/* A secret of the body, sealed; empty when it is not given. False: it is no fitting text. */
static bool seal_member(struct surface *s, struct json_object *body, const char *name,
                        size_t size_max, struct sealed_member *room, struct span *out)
{
    struct json_object *member = json_member(body, name);
    struct span plain;
    *out = SPAN_EMPTY;
    if (member == NULL || json_is_null(member)) {
        return true;
    }
    if (!json_string(member, &plain) || plain.size == 0 || plain.size > size_max) {
        return false;
    }
    out->data = (const char *)room->bytes;
    out->size = secrets_seal(s->options.secrets, plain, room->bytes, sizeof(room->bytes));
    return true;
}

static bool provider_parse(struct request *q, struct json_object *body, struct provider_command *c)
{
    struct span kind = SPAN_LITERAL("daraja");
    int64_t short_code = 0;
    int64_t party_b = 0;
    struct json_object *member = json_member(body, "short_code");
    (void)gateway_member_text(body, "kind", 20, &kind);
    c->kind = span_is(kind, "paystack") ? OBSERVED_AT_PAYSTACK : OBSERVED_AT_DARAJA;
    if (member != NULL) {
        (void)json_integer(member, &short_code);
    }
    member = json_member(body, "party_b");
    if (member != NULL) {
        (void)json_integer(member, &party_b);
    }
    bool daraja = c->kind == OBSERVED_AT_DARAJA;
    if ((daraja && (short_code < 10000 || short_code > 9999999)) || party_b < 0 ||
        party_b > 9999999 || short_code < 0) {
        surface_problem(q, 0, 422, "invalid_short_code", "short_code has 5 to 7 digits");
        return false;
    }
    c->short_code = (uint32_t)short_code;
    c->party_b = (uint32_t)party_b;
    if ((member = json_member(body, "is_till")) != NULL) {
        (void)json_boolean(member, &c->is_till);
    }
    if ((member = json_member(body, "production")) != NULL) {
        (void)json_boolean(member, &c->production);
    }
    return true;
}

/* Where it is: https, but for the operator next door and tests. */
static bool base_url_parse(struct request *q, struct json_object *body, struct provider_command *c)
{
    struct daraja_url_rule rule = daraja_url_rule(q->s);
    const char *why = NULL;
    if (gateway_member_text(body, "base_url", GATEWAY_BASE_URL_MAX - 1, &c->base_url)) {
        why = daraja_url_refusal(c->base_url, &rule);
    } else if (q->s->gateway->operator_url[0] == '\0' && c->kind == OBSERVED_AT_PAYSTACK) {
        c->base_url = SPAN_LITERAL(PAYSTACK_URL);
    } else if (q->s->gateway->operator_url[0] == '\0') {
        why = "must be given";
    }
    while (c->base_url.size > 0 && c->base_url.data[c->base_url.size - 1] == '/') {
        c->base_url.size--;
    }
    bool next_door = c->base_url.size == 0;
    c->target = !next_door           ? surface_url_target(c->base_url)
                : c->short_code != 0 ? c->short_code
                                     : surface_url_target(span_from(q->s->gateway->operator_url));
    if (why != NULL) {
        char words[200];
        (void)snprintf(words, sizeof(words), "base_url %s", why);
        surface_problem(q, 0, 422, "invalid_base_url", words);
        return false;
    }
    return true;
}

bool gateway_paystack_key(struct surface *s, struct span key)
{
    struct sealed_member room;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct span next_door = span_from(s->gateway->operator_url);
    struct provider_command c = {.kind = OBSERVED_AT_PAYSTACK,
                                 .production = span_starts_with(key, SPAN_LITERAL("sk_live_"))};
    if (gateway_provider_of(surface_gateway(s), 0, OBSERVED_AT_PAYSTACK, 0) != SLAB_NONE) {
        return true;
    }
    c.base_url = next_door.size > 0 ? SPAN_EMPTY : SPAN_LITERAL(PAYSTACK_URL);
    c.target = surface_url_target(next_door.size > 0 ? next_door : c.base_url);
    c.secret.data = (const char *)room.bytes;
    c.secret.size = secrets_seal(s->options.secrets, key, room.bytes, sizeof(room.bytes));
    secrets_random(c.token, sizeof(c.token));
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_PROVIDER_OPEN, &c, &reply);
    return result.status == ENGINE_APPLIED;
}

void gateway_provider_create(struct request *q)
{
    struct surface *s = q->s;
    struct provider_command c = {.merchant = q->merchant};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct sealed_member room[5];
    struct json_object *body = control_body(q);
    if (body == NULL || !provider_parse(q, body, &c) || !base_url_parse(q, body, &c)) {
        return;
    }
    if (!seal_member(s, body, "consumer_key", SECRETS_PLAIN_MAX, &room[0], &c.key) ||
        !seal_member(s, body, c.kind == OBSERVED_AT_PAYSTACK ? "secret_key" : "consumer_secret",
                     SECRETS_PLAIN_MAX, &room[1], &c.secret) ||
        !seal_member(s, body, "passkey", SECRETS_PLAIN_MAX, &room[2], &c.passkey) ||
        !seal_member(s, body, "initiator", SECRETS_PLAIN_MAX, &room[3], &c.initiator) ||
        !seal_member(s, body, "security_credential", CREDENTIAL_MAX, &room[4], &c.credential)) {
        surface_problem(q, 0, 422, "invalid_secret",
                        "a secret is a text of at most 200 bytes, a security_credential of at "
                        "most 483");
        return;
    }
    if (c.kind == OBSERVED_AT_PAYSTACK && c.secret.size == 0) {
        surface_problem(q, 0, 422, "invalid_secret", "Paystack's account needs its secret_key");
        return;
    }
    secrets_random(c.token, sizeof(c.token));
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_PROVIDER_OPEN, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal == GATEWAY_TOO_MANY) {
        surface_problem(q, result.wait_position, 409, "too_many",
                        "a merchant has at most 64 provider accounts, and the gateway 4,095");
        return;
    }
    if (reply.refusal != GATEWAY_DONE) {
        surface_problem(q, result.wait_position, 409, "exists",
                        "an account with this short code exists already");
        return;
    }
    struct writer w = surface_writer(s);
    gateway_provider_render(s, &w, reply.slot);
    surface_json(q, result.wait_position, 201, &w);
}

uint32_t gateway_path_provider(const struct request *q)
{
    uint64_t number;
    bool named =
        surface_parse_number(q->parts[0], "prov_", &number) && number > 0 && number <= UINT32_MAX;
    return named ? (uint32_t)(number - 1) : SLAB_NONE;
}

/* The account as it is after the change, or 404. */
static void answer_changed(struct request *q, uint64_t wait_position,
                           const struct gateway_reply *reply, uint32_t slot)
{
    if (reply->refusal != GATEWAY_DONE) {
        surface_problem(q, wait_position, 404, "not_found",
                        "there is no provider account with this id");
        return;
    }
    struct writer w = surface_writer(q->s);
    gateway_provider_render(q->s, &w, slot);
    surface_json(q, wait_position, 200, &w);
}

/* {"when_unavailable": "refuse" | "queue"} */
void gateway_provider_set(struct request *q)
{
    struct surface *s = q->s;
    struct provider_set_command c = {.merchant = q->merchant, .provider = gateway_path_provider(q)};
    struct gateway_reply reply = {.refusal = GATEWAY_NOT_FOUND};
    struct engine_result result = {ENGINE_REFUSED, engine_read_position(s->engine)};
    struct json_object *body = control_body(q);
    struct span rule;
    if (body == NULL) {
        return;
    }
    if (!gateway_member_text(body, "when_unavailable", 20, &rule) ||
        (!span_is(rule, WHEN_UNAVAILABLE[0]) && !span_is(rule, WHEN_UNAVAILABLE[1]))) {
        surface_problem(q, 0, 422, "invalid_when_unavailable",
                        "when_unavailable must be refuse or queue");
        return;
    }
    c.when_unavailable =
        span_is(rule, WHEN_UNAVAILABLE[1]) ? GATEWAY_UNAVAILABLE_QUEUE : GATEWAY_UNAVAILABLE_REFUSE;
    if (c.provider != SLAB_NONE) {
        reply.refusal = GATEWAY_DONE;
        result = engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_PROVIDER_SET, &c, &reply);
    }
    if (!surface_decided(q, result)) {
        return;
    }
    answer_changed(q, result.wait_position, &reply, c.provider);
}

void gateway_provider_list(struct request *q)
{
    const struct gateway *g = surface_gateway(q->s);
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    uint32_t i = slab_next(&g->providers, 0);
    for (; i != SLAB_NONE && w.size < SURFACE_BODY_MAX / 2; i = slab_next(&g->providers, i + 1)) {
        if (gateway_provider(g, i)->merchant == q->merchant) {
            gateway_provider_render(q->s, &w, i);
        }
    }
    surface_list_close(q, &w, i != SLAB_NONE); /* GATEWAY_PROVIDERS_EACH of them fit */
}

/* ---- callback tokens ---- */

static void change_callbacks(struct request *q, uint16_t command)
{
    struct surface *s = q->s;
    struct callbacks_command c = {.merchant = q->merchant, .provider = gateway_path_provider(q)};
    struct gateway_reply reply = {.refusal = GATEWAY_NOT_FOUND};
    struct engine_result result = {ENGINE_REFUSED, engine_read_position(s->engine)};
    if (c.provider != SLAB_NONE) {
        secrets_random(c.token, sizeof(c.token));
        reply.refusal = GATEWAY_DONE;
        result = engine_execute(s->engine, ENGINE_CONTINUATION, command, &c, &reply);
    }
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal == GATEWAY_TOO_MANY || reply.refusal == GATEWAY_NOTHING_TO_DO) {
        bool many = reply.refusal == GATEWAY_TOO_MANY;
        surface_problem(q, result.wait_position, 409,
                        many ? "previous_callbacks_live" : "no_previous_callbacks",
                        many ? "the callback URLs before these are good still: retire them first "
                               "(POST /v1/providers/{id}/retire_callbacks)"
                             : "only the callback URLs of today are good: there is nothing to "
                               "retire");
        return;
    }
    answer_changed(q, result.wait_position, &reply, c.provider);
}

void gateway_callbacks_rotate(struct request *q)
{
    change_callbacks(q, COMMAND_CALLBACKS_ROTATE);
}

void gateway_callbacks_retire(struct request *q)
{
    change_callbacks(q, COMMAND_CALLBACKS_RETIRE);
}

/* ---- API keys ---- */

/* False after answering that there are too many. */
static bool key_decided(struct request *q, struct engine_result result,
                        enum gateway_refusal refusal)
{
    if (refusal == GATEWAY_DONE) {
        return true;
    }
    surface_problem(q, result.wait_position, 409, "too_many",
                    "a merchant has at most 256 API keys, and a gateway 65,535 and 4,095 "
                    "merchants");
    return false;
}

/* Another key for the caller's merchant, or with {"merchant":"name"} the first of a new one: that
 * is for the first merchant alone, whose key is the one that the gateway was started with. */
void gateway_key_create(struct request *q)
{
    struct surface *s = q->s;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct merchant_command merchant;
    struct api_key_command c = {.merchant = q->merchant};
    uint8_t random[16];
    char digits[GATEWAY_TOKEN_TEXT];
    char key[64];
    struct json_object *body = control_body(q);
    if (body == NULL) {
        return;
    }
    if (gateway_member_text(body, "merchant", GATEWAY_NAME_MAX, &merchant.name)) {
        if (q->merchant != 0) {
            surface_problem(q, engine_read_position(s->engine), 403, "not_yours",
                            "only the key that the gateway was started with opens merchants");
            return;
        }
        struct engine_result opened = engine_execute(s->engine, ENGINE_CONTINUATION,
                                                     COMMAND_MERCHANT_OPEN, &merchant, &reply);
        if (!surface_decided(q, opened) || !key_decided(q, opened, reply.refusal)) {
            return;
        }
        c.merchant = reply.slot;
    }
    secrets_random(random, sizeof(random));
    gateway_hex(random, digits);
    (void)snprintf(key, sizeof(key), "sk_%s", digits);
    gateway_key_hash(s, span_from(key), c.hash);
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_API_KEY_OPEN, &c, &reply);
    if (!surface_decided(q, result) || !key_decided(q, result, reply.refusal)) {
        return;
    }
    struct writer w = surface_writer(s);
    json_open(&w, '{');
    json_field_text(&w, "object", "api_key");
    json_field_u64(&w, "merchant", c.merchant + 1);
    json_field_text(&w, "key", key);
    json_close(&w, '}');
    surface_json(q, result.wait_position, 201, &w);
}
