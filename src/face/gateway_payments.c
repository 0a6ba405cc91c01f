/*
 * gateway_payments.c - /v1/payments: asking for one, reading it, waiting for it, its timeline.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/delivery_error.h"
#include "face/gateway.h"

enum { WAIT_SECONDS_MAX = 60, TIMELINE_MAX = 200 };
#define STALE_NS         (60 * NS_PER_S)  /* an unknown one that was not asked about so long is */
#define ORDER_RESOLVE_NS (120 * NS_PER_S) /* R2.9: an open one of this age is resolved first */

/* ---- how it is shown ---- */

enum gateway_what gateway_what_of(const struct gateway_payment *p)
{
    return p->method == METHOD_MPESA_B2C  ? GATEWAY_A_PAYOUT
           : gateway_is_refund(p->method) ? GATEWAY_A_REFUND
                                          : GATEWAY_A_PAYMENT;
}

const char *gateway_prefix(enum gateway_what what)
{
    static const char *const prefixes[] = {"pay_", "po_", "ref_"};
    return prefixes[what];
}

/* The state right after an event for the application. */
static uint8_t payment_state_after(const struct gateway_payment *p, const struct gateway_feed *f)
{
    static const uint8_t states[FEED_TYPE_LAST + 1] = {
        [FEED_PAYMENT_CREATED] = GATEWAY_CREATED,
        [FEED_PAYMENT_PENDING] = GATEWAY_PENDING,
        [FEED_PAYMENT_UNCONFIRMED] = GATEWAY_UNCONFIRMED,
        [FEED_PAYMENT_MISMATCHED] = GATEWAY_MISMATCHED,
        [FEED_PAYMENT_SUCCEEDED] = GATEWAY_SUCCEEDED,
        [FEED_PAYMENT_FAILED] = GATEWAY_FAILED,
        [FEED_PAYMENT_EXPIRED] = GATEWAY_EXPIRED,
        [FEED_PAYMENT_CANCELLED] = GATEWAY_CANCELLED,
        [FEED_PAYMENT_REVERSED] = GATEWAY_REVERSED,
        [FEED_PAYMENT_RECEIPT] = GATEWAY_SUCCEEDED,
        [FEED_PAYMENT_STUCK] = GATEWAY_UNCONFIRMED,
        [FEED_PAYMENT_RELEASED] = GATEWAY_SUCCEEDED,
        [FEED_REFUND_PROPOSED] = GATEWAY_SUCCEEDED,
        [FEED_PAYOUT_CREATED] = GATEWAY_CREATED,
        [FEED_PAYOUT_PENDING] = GATEWAY_PENDING,
        [FEED_PAYOUT_UNCONFIRMED] = GATEWAY_UNCONFIRMED,
        [FEED_PAYOUT_MISMATCHED] = GATEWAY_MISMATCHED,
        [FEED_PAYOUT_SUCCEEDED] = GATEWAY_SUCCEEDED,
        [FEED_PAYOUT_FAILED] = GATEWAY_FAILED,
        [FEED_PAYOUT_RECEIPT] = GATEWAY_SUCCEEDED,
        [FEED_PAYOUT_STUCK] = GATEWAY_UNCONFIRMED,
    };
    if (f == NULL) {
        return p->state;
    }
    uint16_t type = f->type >= FEED_REFUND_CREATED
                        ? f->type - FEED_REFUND_CREATED + FEED_PAYOUT_CREATED
                        : f->type;
    CHECK(states[type] != 0);
    return states[type];
}

static int64_t latest_ns(const struct gateway_payment *p)
{
    int64_t latest = 0;
    for (uint32_t i = 0; i < GATEWAY_STATES_END; i++) {
        latest = p->entered_ns[i] > latest ? p->entered_ns[i] : latest;
    }
    return latest;
}

/* What never changes: the same in every event about it. */
static void render_asked(struct surface *s, struct writer *w, const struct gateway_payment *p)
{
    const struct gateway_provider *provider = gateway_provider(surface_gateway(s), p->provider);
    json_field_i64(w, "amount", p->amount_minor);
    json_field_text(w, "currency", "KES");
    json_field_u64(w, "phone", p->phone);
    gateway_text_field(s, w, gateway_what_of(p) == GATEWAY_A_PAYOUT ? "reference" : "order_id",
                       p->order);
    gateway_text_field(s, w, "description", p->description);
    json_field_text(w, "method", gateway_method_name(p->method));
    json_field_text(w, "capture", p->capture == CAPTURE_ESCROW ? "escrow" : "wallet");
    json_field_text(w, "provider", provider->kind == OBSERVED_AT_PAYSTACK ? "paystack" : "daraja");
    json_field_u64(w, "short_code", provider->short_code);
    surface_id_field(w, "override_receipt", "rcp_", p->override_receipt);
    surface_time_field(w, "created_at", p->entered_ns[GATEWAY_CREATED]);
}

static void render_outcome(struct surface *s, struct writer *w, const struct gateway_payment *p)
{
    bool ended = gateway_state_ended(p->state);
    gateway_text_field(s, w, "checkout_request_id", p->provider_id);
    gateway_text_field(s, w, "merchant_request_id", p->other_id);
    gateway_text_field(s, w, "result_code", p->code);
    gateway_text_field(s, w, "result_desc", p->words);
    if (p->reason != 0) {
        json_field_text(w, "reason", gateway_reason_name(p->reason));
        json_field_text(w, "explanation", gateway_reason_words(p->reason));
    } else {
        json_field_null(w, "reason");
        json_field_null(w, "explanation");
    }
    if (p->source != 0) {
        json_field_text(w, "source", observation_source_name(p->source));
    } else {
        json_field_null(w, "source");
    }
    json_field_text(w, "escrow", gateway_escrow_name(p->escrow));
    json_field_bool(w, "querying", p->question != 0);
    json_field_bool(w, "late", p->late);
    json_field_bool(w, "attention", p->attention);
    surface_time_field(w, "updated_at", latest_ns(p));
    surface_time_field(w, "ended_at", ended ? p->entered_ns[p->state] : 0);
    surface_time_field(w, "next_check_at", p->due_ns);
}

void gateway_payment_render(struct surface *s, struct writer *w, const struct gateway_payment *p,
                            const struct gateway_feed *feed)
{
    char id[32];
    uint8_t state = payment_state_after(p, feed);
    static const char *const objects[] = {"payment", "payout", "refund"};
    enum gateway_what what = gateway_what_of(p);
    (void)snprintf(id, sizeof(id), "%s%llu", gateway_prefix(what), (unsigned long long)p->number);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", objects[what]);
    json_field_text(w, "status", gateway_state_name(state));
    if (what == GATEWAY_A_PAYMENT) {
        json_field_text(w, "stk_state", gateway_state_stk_name(state));
    } else if (what == GATEWAY_A_REFUND) {
        (void)snprintf(id, sizeof(id), "pay_%llu", (unsigned long long)p->overrides);
        json_field_text(w, "payment", id);
    }
    json_field_bool(w, "retryable", gateway_state_retryable(state));
    render_asked(s, w, p);
    bool paid = state == GATEWAY_SUCCEEDED || state == GATEWAY_REVERSED;
    if (paid) {
        json_field_i64(w, "paid_amount", gateway_paid_minor(p));
    } else {
        json_field_null(w, "paid_amount");
    }
    bool shows_receipt = feed == NULL || feed->has_receipt;
    gateway_text_field(s, w, "receipt", shows_receipt ? p->receipt : TEXT_NONE);
    if (feed == NULL) {
        gateway_checkout_field(s, w, p);
        gateway_mismatch_fields(s, w, p);
        render_outcome(s, w, p); /* of an event only what will never change is told */
    }
    json_close(w, '}');
}

void gateway_answer_payment(struct request *q, uint64_t wait_position, unsigned status,
                            const struct gateway_payment *p)
{
    if (p == NULL) { /* it was there a moment ago, or the decision says so */
        surface_not_decided(q, ENGINE_NO_INDEX);
        return;
    }
    struct writer w = surface_writer(q->s);
    gateway_payment_render(q->s, &w, p, NULL);
    surface_json(q, wait_position, status, &w);
}

/* The payment of the path, when it is the caller's; NULL after answering. */
const struct gateway_payment *gateway_find(struct request *q, enum gateway_what what)
{
    uint64_t number;
    const struct gateway_payment *p = NULL;
    if (surface_parse_number(q->parts[0], gateway_prefix(what), &number)) {
        p = gateway_reach(q->s, number);
    }
    if (p == NULL || p->merchant != q->merchant || gateway_what_of(p) != what) {
        surface_not_found(q, "there is nothing of this kind with this id");
        return NULL;
    }
    return p;
}

/* ---- asking for one ---- */

/* 2547..., 07..., +2547..., 7...: as people write it. */
bool gateway_phone_parse(struct json_object *body, uint64_t *out)
{
    struct json_object *member = json_member(body, "phone");
    struct span text;
    int64_t number;
    if (member != NULL && json_integer(member, &number) && number > 0) {
        *out = (uint64_t)number;
        return msisdn_valid(*out);
    }
    if (member == NULL || !json_string(member, &text)) {
        return false;
    }
    if (text.size > 0 && text.data[0] == '+') {
        text.data++;
        text.size--;
    }
    if (!span_parse_u64(text, out)) {
        return false;
    }
    if (text.size == 10 && text.data[0] == '0') {
        *out += UINT64_C(254000000000);
    }
    return msisdn_valid(*out);
}

/* An optional text; false: it is there and not one. */
bool gateway_optional_text(struct json_object *body, const char *name, size_t max, struct span *out)
{
    *out = SPAN_EMPTY;
    struct json_object *member = json_member(body, name);
    return member == NULL || json_is_null(member) || (json_string(member, out) && out->size <= max);
}

static bool method_parse(struct request *q, struct json_object *body,
                         struct payment_create_command *c)
{
    struct span method;
    struct span capture;
    if (!gateway_optional_text(body, "method", 20, &method) ||
        !gateway_optional_text(body, "capture", 20, &capture)) {
        return gateway_invalid(q, "invalid_method", "method and capture are texts");
    }
    c->method = span_is(method, "paystack") ? METHOD_PAYSTACK : METHOD_MPESA_STK;
    c->capture = span_is(capture, "escrow") ? CAPTURE_ESCROW : CAPTURE_WALLET;
    if (method.size > 0 && c->method == METHOD_MPESA_STK && !span_is(method, "mpesa_stk")) {
        return gateway_invalid(q, "invalid_method", "method must be mpesa_stk or paystack");
    }
    if (capture.size > 0 && c->capture == CAPTURE_WALLET && !span_is(capture, "wallet")) {
        return gateway_invalid(q, "invalid_capture", "capture must be wallet or escrow");
    }
    return true;
}

static bool amount_parse(struct request *q, struct json_object *body,
                         struct payment_create_command *c)
{
    struct span currency;
    struct json_object *amount = json_member(body, "amount");
    if (amount == NULL || !json_integer(amount, &c->amount_minor) || c->amount_minor <= 0 ||
        c->amount_minor > GATEWAY_AMOUNT_MAX) {
        return gateway_invalid(q, "invalid_amount",
                               "amount must be a whole number of cents above 0");
    }
    if (c->method == METHOD_MPESA_STK && c->amount_minor % MONEY_MINOR_PER_MAJOR != 0) {
        return gateway_invalid(q, "whole_shillings",
                               "M-Pesa prompts take whole shillings: a multiple of 100");
    }
    if (!gateway_optional_text(body, "currency", 3, &currency) ||
        (currency.size > 0 && !span_is(currency, "KES"))) {
        return gateway_invalid(q, "invalid_currency", "currency must be KES");
    }
    return true;
}

/* Paystack takes no charge without one. */
static bool email_parse(struct request *q, struct json_object *body,
                        struct payment_create_command *c)
{
    bool good = gateway_optional_text(body, "email", GATEWAY_EMAIL_MAX, &c->email);
    bool named = good && c->email.size >= 3 && memchr(c->email.data, '@', c->email.size) != NULL;
    if (!good || (c->method == METHOD_PAYSTACK && !named)) {
        return gateway_invalid(q, "invalid_email",
                               "Paystack needs the customer's email, of at most 100 bytes");
    }
    return true;
}

static bool create_parse(struct request *q, struct json_object *body,
                         struct payment_create_command *c)
{
    struct span overrides;
    struct span receipt;
    if (!method_parse(q, body, c) || !amount_parse(q, body, c)) {
        return false;
    }
    if (!gateway_phone_parse(body, &c->phone)) {
        return gateway_invalid(q, "invalid_phone",
                               "phone must be a Kenyan mobile number like 254712345678");
    }
    if (!gateway_member_text(body, "order_id", GATEWAY_ORDER_MAX, &c->order)) {
        return gateway_invalid(q, "invalid_order_id", "order_id must be a text of 1 to 100 bytes");
    }
    if (!gateway_optional_text(body, "description", GATEWAY_DESCRIPTION_MAX, &c->description)) {
        return gateway_invalid(q, "invalid_description",
                               "description must be a text of at most 100 bytes");
    }
    if (!email_parse(q, body, c)) {
        return false;
    }
    if (!gateway_optional_text(body, "override", 32, &overrides) ||
        (overrides.size > 0 && !surface_parse_number(overrides, "pay_", &c->overrides))) {
        return gateway_invalid(q, "invalid_override",
                               "override must be the id of the unconfirmed payment");
    }
    if (!gateway_optional_text(body, "override_receipt", 32, &receipt) ||
        (receipt.size > 0 && !surface_parse_number(receipt, "rcp_", &c->override_receipt))) {
        return gateway_invalid(q, "invalid_override",
                               "override_receipt must be the id of the order's receipt");
    }
    return true;
}

/* The key belongs to the merchant; the request is what it asks, however it was written. */
static void create_digests(struct request *q, struct span key, struct payment_create_command *c)
{
    struct span scope[3] = {SPAN_LITERAL("payment"),
                            gateway_bytes(&c->merchant, sizeof(c->merchant)), key};
    uint8_t how[2] = {c->method, c->capture};
    struct span asked[8] = {gateway_bytes(&c->amount_minor, sizeof(c->amount_minor)),
                            gateway_bytes(&c->phone, sizeof(c->phone)),
                            gateway_bytes(how, sizeof(how)),
                            gateway_bytes(&c->overrides, sizeof(c->overrides)),
                            c->order,
                            c->description,
                            c->email,
                            gateway_bytes(&c->override_receipt, sizeof(c->override_receipt))};
    /* What came later counts only where it is given: the digests of before stay the same. */
    uint32_t parts = c->override_receipt != 0 ? 8 : (c->email.size > 0 ? 7 : 6);
    secrets_digest(q->s->options.secrets, scope, 3, c->key);
    secrets_digest(q->s->options.secrets, asked, parts, c->request);
}

static void answer_conflict(struct request *q, uint64_t wait_position,
                            const struct gateway_reply *reply)
{
    struct writer w = surface_writer(q->s);
    bool paid = reply->refusal == GATEWAY_ORDER_PAID;
    char id[32];
    (void)snprintf(id, sizeof(id), "pay_%llu", (unsigned long long)reply->number);
    json_open(&w, '{');
    json_field_text(&w, "type", "about:blank");
    json_field_text(&w, "title", "Conflict");
    json_field_i64(&w, "status", 409);
    json_field_text(&w, "code", paid ? "order_already_paid" : "order_in_progress");
    json_field_text(&w, "detail",
                    paid ? "this order has been paid; no prompt was sent"
                         : "a payment for this order is not decided yet; no prompt was sent");
    json_field_text(&w, "payment", id);
    json_close(&w, '}');
    surface_answer(q, wait_position, 409, "application/problem+json", &w);
}

/* Money came by paybill or till (R2.9). `code` compares it with what was asked now: only the shop
 * knows what the order costs. */
static void answer_funded(struct request *q, uint64_t wait_position,
                          const struct payment_create_command *c)
{
    struct writer w = surface_writer(q->s);
    struct gateway_order_money money;
    gateway_order_money(surface_gateway(q->s), c->merchant, c->order, &money);
    bool paid = money.assigned_minor >= c->amount_minor;
    bool partly = money.assigned_minor > 0;
    json_open(&w, '{');
    json_field_text(&w, "type", "about:blank");
    json_field_text(&w, "title", "Conflict");
    json_field_i64(&w, "status", 409);
    json_field_text(&w, "code",
                    paid     ? "order_already_paid"
                    : partly ? "order_partly_paid"
                             : "order_money_waiting");
    json_field_text(&w, "detail",
                    paid     ? "this order was paid by paybill or till; no prompt was sent"
                    : partly ? "a part of this was paid by paybill or till; no prompt was sent: to "
                               "ask for the rest, send override_receipt with this receipt's id"
                             : "money that names this order waits in suspense; no prompt was sent: "
                               "assign it (POST /v1/receipts/{id}/assign)");
    surface_id_field(&w, "receipt", "rcp_", money.latest);
    json_field_i64(&w, "received", money.assigned_minor);
    json_field_i64(&w, "waiting", money.waiting_minor);
    json_close(&w, '}');
    surface_answer(q, wait_position, 409, "application/problem+json", &w);
}

void gateway_answer_unavailable(struct request *q, uint64_t wait_position, uint64_t seconds)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)seconds);
    http_reply_header(q->x, "Retry-After", (struct span){text, (size_t)size});
    surface_problem(q, wait_position, 503, "provider_unavailable",
                    "the provider has not answered for some time, and nothing was sent: try again "
                    "later, or let the account queue (when_unavailable)");
}

static void refuse_payment(struct request *q, uint64_t wait_position,
                           const struct gateway_reply *reply,
                           const struct payment_create_command *c)
{
    enum gateway_refusal refusal = reply->refusal;
    if (refusal == GATEWAY_ORDER_FUNDED) {
        answer_funded(q, wait_position, c);
        return;
    }
    if (refusal == GATEWAY_UNAVAILABLE) {
        gateway_answer_unavailable(q, wait_position, reply->number);
        return;
    }
    if (refusal == GATEWAY_ORDER_PAID || refusal == GATEWAY_ORDER_OPEN) {
        answer_conflict(q, wait_position, reply);
    } else if (refusal == GATEWAY_KEY_REUSED) {
        surface_problem(q, wait_position, 422, "idempotency_key_reused",
                        "this Idempotency-Key came with another request before");
    } else if (refusal == GATEWAY_NOT_OVERRIDABLE) {
        surface_problem(q, wait_position, 422, "not_overridable",
                        "only a payment of this order whose outcome is unknown, and the latest "
                        "receipt for it, can be overridden");
    } else {
        surface_problem(q, wait_position, 422, "no_provider",
                        "no provider account is configured for this method: POST /v1/providers");
    }
}

/* R2.9: after two minutes an open one is resolved first. */
static void resolve_other(struct request *q, uint64_t number)
{
    const struct gateway_payment *p = gateway_payment(surface_gateway(q->s), number);
    int64_t now_ns = engine_now(q->s->engine);
    if (p == NULL || now_ns - p->entered_ns[GATEWAY_CREATED] < ORDER_RESOLVE_NS ||
        now_ns - p->asked_ns < STALE_NS) {
        return;
    }
    struct payment_command c = {.number = number};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    (void)engine_execute(q->s->engine, ENGINE_CONTINUATION, COMMAND_PAYMENT_RESOLVE, &c, &reply);
}

struct span gateway_idempotency_key(struct request *q)
{
    struct span key = http_header(q->x, "Idempotency-Key");
    if (key.size == 0 || key.size > 255) {
        surface_problem(q, 0, 400, "idempotency_key_missing",
                        "send an Idempotency-Key of 1 to 255 characters: a retry with the same "
                        "key never makes a second payment");
        return SPAN_EMPTY;
    }
    return key;
}

void gateway_payment_create(struct request *q)
{
    struct surface *s = q->s;
    struct payment_create_command c = {.merchant = q->merchant};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    char reference[GATEWAY_TOKEN_TEXT + 3];
    surface_time(q);
    struct span key = gateway_idempotency_key(q);
    struct json_object *body = key.data != NULL ? control_body(q) : NULL;
    if (body == NULL || !create_parse(q, body, &c)) {
        return;
    }
    uint8_t kind = c.method == METHOD_PAYSTACK ? OBSERVED_AT_PAYSTACK : OBSERVED_AT_DARAJA;
    c.provider = gateway_provider_of(surface_gateway(s), c.merchant, kind, 0);
    secrets_random(c.token, sizeof(c.token));
    create_digests(q, key, &c);
    if (c.method == METHOD_PAYSTACK) {
        struct writer w = writer_init(reference, sizeof(reference));
        c.reference = gateway_own_id(c.token, &w);
    }
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_PAYMENT_CREATE, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != GATEWAY_DONE && reply.refusal != GATEWAY_REPEATED) {
        if (reply.refusal == GATEWAY_ORDER_OPEN) {
            resolve_other(q, reply.number);
        }
        refuse_payment(q, result.wait_position, &reply, &c);
        return;
    }
    if (reply.refusal == GATEWAY_REPEATED) {
        http_reply_header(q->x, "Idempotent-Replayed", SPAN_LITERAL("true"));
    }
    gateway_answer_payment(q, result.wait_position, 201, gateway_reach(s, reply.number));
}

/* ---- reading ---- */

/* True: it is answered, or its client has gone. */
static bool poll_done(struct surface *s, const struct long_poll *poll, int64_t now_ns)
{
    struct http_exchange *x = http_find(s->server, poll->ticket);
    bool same = poll->generation == engine_book(s->engine)->generation;
    const struct gateway_payment *p = same ? gateway_reach(s, poll->number) : NULL;
    bool moved = p == NULL || p->state != poll->state;
    if (x == NULL) {
        return true;
    }
    if (!moved && now_ns < poll->deadline_ns) {
        return false;
    }
    struct request q = {.s = s, .x = x};
    if (p == NULL) {
        surface_problem(&q, 0, 404, "not_found", "the book was reset while this waited");
    } else {
        gateway_answer_payment(&q, engine_read_position(s->engine), 200, p);
    }
    return true;
}

void gateway_poll_turn(struct surface *s)
{
    if (s->poll_count == 0) {
        return;
    }
    int64_t now_ns = surface_monotonic_ns(s);
    for (uint32_t i = 0; i < SURFACE_POLLS_MAX; i++) {
        struct long_poll *poll = &s->polls[i];
        if (poll->used && poll_done(s, poll, now_ns)) {
            poll->used = false;
            s->poll_count--;
        }
    }
}

/* Asks on GET too, when nobody has for a while (issue: "asks on GET too when stale"). */
void gateway_payment_ask_if_stale(struct request *q, const struct gateway_payment *p)
{
    int64_t now_ns = engine_now(q->s->engine);
    if (p->state != GATEWAY_UNCONFIRMED || p->question != 0 || now_ns - p->asked_ns < STALE_NS ||
        now_ns - p->entered_ns[GATEWAY_CREATED] > 7 * GATEWAY_DAY_NS) {
        return;
    }
    struct payment_command c = {.number = p->number};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    (void)engine_execute(q->s->engine, ENGINE_CONTINUATION, COMMAND_PAYMENT_RESOLVE, &c, &reply);
}

void gateway_payment_get(struct request *q)
{
    gateway_get(q, GATEWAY_A_PAYMENT);
}

void gateway_get(struct request *q, enum gateway_what what)
{
    struct span text = http_query_value(q->x, "wait");
    uint64_t seconds = 0;
    const struct gateway_payment *p = gateway_find(q, what);
    if (p == NULL) {
        return;
    }
    if (text.data != NULL && (!span_parse_u64(text, &seconds) || seconds > WAIT_SECONDS_MAX)) {
        surface_problem(q, 0, 400, "invalid_wait", "wait must be 0 to 60 seconds");
        return;
    }
    gateway_payment_ask_if_stale(q, p);
    if (seconds > 0 && !gateway_state_ended(p->state) &&
        surface_poll_add(q, p->number, p->state, seconds)) {
        return;
    }
    gateway_answer_payment(q, engine_read_position(q->s->engine), 200, p);
}

void gateway_payment_list(struct request *q)
{
    gateway_list(q, GATEWAY_A_PAYMENT);
}

void gateway_list(struct request *q, enum gateway_what what)
{
    const struct gateway *g = surface_gateway(q->s);
    struct span order = http_query_value(q->x, "order_id");
    struct list_walk walk;
    if (!surface_walk_begin(q, &walk, gateway_prefix(what), g->last_payment)) {
        return;
    }
    while (surface_walk_on(&walk)) {
        bool old = gateway_payment(g, walk.number) == NULL;
        const struct gateway_payment *p = gateway_reach(q->s, walk.number);
        walk.looks += old ? LOOK_IN_INDEX : 0;
        bool wanted = p != NULL && p->merchant == q->merchant && gateway_what_of(p) == what &&
                      (order.data == NULL || span_equal(gateway_text(g, p->order), order));
        if (surface_walk_takes(&walk, wanted)) {
            gateway_payment_render(q->s, &walk.w, p, NULL);
        }
    }
    surface_walk_end(q, &walk);
}

void gateway_payment_resolve(struct request *q)
{
    const struct gateway_payment *p = gateway_find(q, GATEWAY_A_PAYMENT);
    if (p == NULL) {
        return;
    }
    struct payment_command c = {.number = p->number};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct engine_result result =
        engine_execute(q->s->engine, ENGINE_CONTINUATION, COMMAND_PAYMENT_RESOLVE, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    gateway_answer_payment(q, result.wait_position, 202, gateway_reach(q->s, c.number));
}

void gateway_payment_release(struct request *q)
{
    const struct gateway_payment *p = gateway_find(q, GATEWAY_A_PAYMENT);
    if (p == NULL) {
        return;
    }
    struct payment_command c = {.number = p->number};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct engine_result result =
        engine_execute(q->s->engine, ENGINE_CONTINUATION, COMMAND_PAYMENT_RELEASE, &c, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal == GATEWAY_NOT_HELD) {
        surface_problem(q, result.wait_position, 409, "not_held",
                        "no money of this payment is held in escrow, or a refund of it, which has "
                        "not failed, is to give it back");
        return;
    }
    gateway_answer_payment(q, result.wait_position, 200, gateway_reach(q->s, c.number));
}

/* ---- the timeline (R6.7, R2.8) ---- */

struct moment {
    uint64_t position;
    int64_t at_ns;
    uint8_t state;                        /* entered; 0: */
    const struct gateway_notice *notice;  /* or taken, or */
    const struct outbox_attempt *attempt; /* an attempt at a request to the provider */
    uint16_t call;
};

struct moments {
    uint32_t count;
    struct moment at[TIMELINE_MAX];
};

static void add_moment(struct moments *m, struct moment moment)
{
    if (m->count == TIMELINE_MAX) {
        return;
    }
    uint32_t i = m->count++;
    for (; i > 0 && m->at[i - 1].position > moment.position; i--) {
        m->at[i] = m->at[i - 1];
    }
    m->at[i] = moment;
}

static void add_attempts(struct surface *s, struct moments *m, uint64_t number)
{
    const struct outbox *outbox = &engine_book(s->engine)->outbox;
    const struct outbox_item *item = outbox_item(outbox, number);
    uint32_t a = item != NULL ? item->first_attempt : SLAB_NONE;
    for (uint32_t n = 0; a != SLAB_NONE && n < 20; n++) {
        const struct outbox_attempt *attempt = outbox_attempt(outbox, a);
        add_moment(m, (struct moment){.position = attempt->position,
                                      .at_ns = attempt->at_ns,
                                      .attempt = attempt,
                                      .call = item->kind});
        a = attempt->next;
    }
}

static void render_attempt(struct surface *s, struct writer *w, const struct moment *m)
{
    const char *name = m->call == CALL_PUSH       ? "push_attempted"
                       : m->call == CALL_PAYOUT   ? "payout_attempted"
                       : m->call == CALL_REVERSAL ? "reversal_attempted"
                                                  : "query_attempted";
    json_field_text(w, "event", name);
    if (m->attempt->error != 0) {
        json_field_text(w, "error", delivery_error_text(m->attempt->error));
    } else {
        json_field_i64(w, "response_status", m->attempt->status);
        gateway_text_field(s, w, "response_body", m->attempt->answer);
    }
}

static void render_moment(struct surface *s, struct writer *w, const struct moment *m)
{
    char position[48];
    (void)snprintf(position, sizeof(position), "%llu:%llu",
                   (unsigned long long)engine_book(s->engine)->generation,
                   (unsigned long long)m->position);
    json_open(w, '{');
    json_field_text(w, "position", position);
    surface_time_field(w, "at", m->at_ns);
    if (m->state != 0) {
        json_field_text(w, "event", gateway_state_name(m->state));
        json_field_text(w, "stk_state", gateway_state_stk_name(m->state));
    } else if (m->notice != NULL) {
        json_field_text(w, "event", "notice");
        json_key(w, "notice");
        gateway_notice_render(s, w, m->notice);
    } else {
        render_attempt(s, w, m);
    }
    json_close(w, '}');
}

void gateway_payment_timeline(struct request *q)
{
    gateway_timeline(q, GATEWAY_A_PAYMENT);
}

void gateway_timeline(struct request *q, enum gateway_what what)
{
    static struct moments moments; /* too large for the stack; one request at a time */
    const struct gateway *g = surface_gateway(q->s);
    const struct gateway_payment *p = gateway_find(q, what);
    if (p == NULL) {
        return;
    }
    moments.count = 0;
    for (uint8_t state = 1; state < GATEWAY_STATES_END; state++) {
        if (p->entered_position[state] != 0) {
            add_moment(&moments, (struct moment){.position = p->entered_position[state],
                                                 .at_ns = p->entered_ns[state],
                                                 .state = state});
        }
    }
    add_attempts(q->s, &moments, p->item);
    for (uint32_t i = p->first_notice; i != SLAB_NONE; i = gateway_notice_at(g, i)->next) {
        const struct gateway_notice *n = gateway_notice_at(g, i);
        add_moment(&moments,
                   (struct moment){.position = n->position, .at_ns = n->taken_ns, .notice = n});
    }
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    bool cut = false;
    for (uint32_t i = 0; i < moments.count && !cut; i++) {
        cut = w.size > SURFACE_BODY_MAX / 2;
        if (!cut) {
            render_moment(q->s, &w, &moments.at[i]);
        }
    }
    surface_list_close(q, &w, cut);
}
