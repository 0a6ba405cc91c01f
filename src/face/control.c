/*
 * control.c - the control API (/sim/v1): who may call it, which call is which, and the calls about
 * prompts, messages, transactions and deliveries. See docs/http-api.md.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/delivery_error.h"
#include "base/money.h"
#include "face/daraja.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/paystack.h"
#include "face/rules.h"

enum {
    POLL_SECONDS_MAX = 60,
    TRANSACTION_ROOM = 24 * 1024, /* one takes no more in a list */
};

/* ---- who may call (F2) ---- */

static bool host_is_local(struct span host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    size_t end = host.size;
    while (end > 0 && host.data[end - 1] >= '0' && host.data[end - 1] <= '9') {
        end--;
    }
    if (end > 0 && host.data[end - 1] == ':') {
        host.size = end - 1; /* without the port */
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (span_is(host, names[i])) {
            return true;
        }
    }
    return false;
}

/* Is this Origin our own page? "http://" or "https://" and exactly the Host. */
static bool origin_is_ours(struct span origin, struct span host)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        struct span scheme = span_from(schemes[i]);
        if (span_starts_with(origin, scheme)) {
            struct span rest = {origin.data + scheme.size, origin.size - scheme.size};
            return span_equal(rest, host);
        }
    }
    return false;
}

bool control_host_allowed(struct request *q)
{
    const char *name = q->s->options.public_host;
    struct span host = http_header(q->x, "Host");
    if (host_is_local(host) || (name != NULL && span_is(host, name))) {
        return true;
    }
    surface_problem(q, 0, 403, "host_not_allowed",
                    "the control API and the console answer only to 127.0.0.1, localhost and the "
                    "name given with --public-host");
    return false;
}

bool control_may_ask(struct request *q)
{
    struct span host = http_header(q->x, "Host");
    struct span origin = http_header(q->x, "Origin");
    struct span site = http_header(q->x, "Sec-Fetch-Site");
    if (!control_host_allowed(q)) {
        return false;
    }
    bool foreign = origin.data != NULL && !origin_is_ours(origin, host);
    if (foreign || span_is(site, "cross-site")) {
        surface_problem(q, 0, 403, "origin_not_allowed",
                        "a page from another site asked; the control API serves programs and its "
                        "own page only");
        return false;
    }
    return true;
}

static bool is_allowed(struct request *q)
{
    const struct surface_options *options = &q->s->options;
    if (!control_may_ask(q)) {
        return false;
    }
    if (options->admin_key == NULL) {
        return true;
    }
    struct span key;
    if (surface_bearer(q, &key) && span_equal_secret(key, span_from(options->admin_key))) {
        return true;
    }
    surface_problem(q, 0, 401, "admin_key_needed",
                    "send the admin key: Authorization: Bearer KEY (HAKIKA_ADMIN_KEY)");
    return false;
}

struct json_object *control_body(struct request *q)
{
    const char *why = "";
    struct span type = http_header(q->x, "Content-Type");
    if (type.data == NULL || !span_starts_with(type, SPAN_LITERAL("application/json"))) {
        surface_problem(q, 0, 415, "json_needed", "the Content-Type must be application/json");
        return NULL;
    }
    struct json_object *body = json_parse(q->s->json, http_body(q->x), &why);
    if (body == NULL || !json_is_object(body)) {
        char words[200];
        (void)snprintf(words, sizeof(words), "the body must be one JSON object: %.120s",
                       body == NULL ? why : "it is something else");
        surface_problem(q, 0, 400, "invalid_json", words);
        return NULL;
    }
    return body;
}

/* ---- prompts ---- */

const struct stk_payment *control_find_payment(struct surface *s, struct span id)
{
    struct span prefix = SPAN_LITERAL("txn_");
    uint64_t number;
    if (span_starts_with(id, prefix)) {
        struct span digits = {id.data + prefix.size, id.size - prefix.size};
        return span_parse_u64(digits, &number) ? surface_payment(s, number) : NULL;
    }
    return surface_payment_by_id(s, id);
}

static void answer_transaction(struct request *q, uint64_t wait_position, unsigned status,
                               const struct stk_payment *p)
{
    struct writer w = surface_writer(q->s);
    control_transaction_render(q->s, &w, p, UINT64_MAX);
    surface_json(q, wait_position, status, &w);
}

/* ?wait=SECONDS, 0 when absent; false after answering that it is wrong. */
static bool wait_seconds(struct request *q, uint64_t *out)
{
    struct span text = http_query_value(q->x, "wait");
    *out = 0;
    if (text.data != NULL && (!span_parse_u64(text, out) || *out > POLL_SECONDS_MAX)) {
        surface_problem(q, 0, 400, "invalid_wait", "wait must be 0 to 60 seconds");
        return false;
    }
    return true;
}

void control_poll_turn(struct surface *s)
{
    if (s->poll_count == 0) {
        return;
    }
    int64_t now_ns = surface_monotonic_ns(s);
    for (uint32_t i = 0; i < SURFACE_POLLS_MAX; i++) {
        struct long_poll *poll = &s->polls[i];
        if (!poll->used) {
            continue;
        }
        struct http_exchange *x = http_find(s->server, poll->ticket);
        bool same = poll->generation == engine_book(s->engine)->generation;
        const struct stk_payment *p = same ? surface_payment(s, poll->number) : NULL;
        bool ended = p == NULL || stk_state_final(p->state);
        bool durable = p == NULL || p->step_position[STEP_ENDED] <= engine_durable(s->engine);
        if (x != NULL && !(ended && durable) && now_ns < poll->deadline_ns) {
            continue;
        }
        poll->used = false;
        s->poll_count--;
        if (x == NULL) {
            continue;
        }
        struct request q = {.s = s, .x = x};
        if (p == NULL) {
            surface_problem(&q, 0, 404, "not_found",
                            "the book was reset, or a snapshot restored, while this waited");
        } else {
            answer_transaction(&q, engine_read_position(s->engine), 200, p);
        }
    }
}

static void answer_prompt_refusal(struct request *q, uint64_t wait_position,
                                  enum operator_refusal refusal)
{
    if (refusal == OPERATOR_ALREADY_ENDED) {
        surface_problem(q, wait_position, 409, "payment_ended",
                        "this payment has ended already; nothing was changed");
    } else if (refusal == OPERATOR_ALREADY_ANSWERED) {
        surface_problem(q, wait_position, 409, "prompt_answered",
                        "this prompt has its answer already; nothing was changed");
    } else {
        surface_problem(q, wait_position, 404, "no_prompt",
                        "no prompt with this CheckoutRequestID is on a phone");
    }
}

static void answer_prompt(struct request *q, uint16_t kind, struct span pin)
{
    struct surface *s = q->s;
    uint64_t seconds;
    if (!wait_seconds(q, &seconds)) {
        return;
    }
    const struct stk_payment *p = control_find_payment(s, q->parts[0]);
    const struct operator_request *r = control_find_request(s, q->parts[0]);
    if (r != NULL) {
        control_answer_request_prompt(q, r, kind == COMMAND_STK_CANCEL, pin);
        return;
    }
    if (p == NULL) {
        answer_prompt_refusal(q, engine_read_position(s->engine), OPERATOR_NOT_FOUND);
        return;
    }
    struct stk_answer_command command = {.number = p->number};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    if (kind == COMMAND_STK_APPROVE) {
        uint64_t msisdn = operator_subscriber_at(surface_operator(s), p->subscriber)->msisdn;
        secrets_pin_verifier(s->options.secrets, msisdn, pin, command.verifier);
    }
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, kind, &command, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != OPERATOR_DONE) {
        answer_prompt_refusal(q, result.wait_position, reply.refusal);
        return;
    }
    p = surface_payment(s, command.number);
    if (seconds > 0 && surface_poll_add(q, p->number, p->state, seconds)) {
        return;
    }
    answer_transaction(q, result.wait_position, seconds > 0 ? 200 : 202, p);
}

static void handle_approve(struct request *q)
{
    struct span pin;
    struct json_object *body = control_body(q);
    if (body == NULL) {
        return;
    }
    struct json_object *member = json_member(body, "pin");
    bool good = member != NULL && json_string(member, &pin) && pin.size == 4;
    for (size_t i = 0; good && i < pin.size; i++) {
        good = pin.data[i] >= '0' && pin.data[i] <= '9';
    }
    if (!good) {
        /* A mistyped length is not an attempt. */
        surface_problem(q, 0, 400, "invalid_pin", "pin must be a string of 4 digits");
        return;
    }
    answer_prompt(q, COMMAND_STK_APPROVE, pin);
}

static void handle_cancel(struct request *q)
{
    answer_prompt(q, COMMAND_STK_CANCEL, SPAN_EMPTY);
}

/* ---- transactions ---- */

void control_timeline_step(struct surface *s, struct writer *w, uint64_t position, int64_t ns,
                           const char *event)
{
    char text[48];
    (void)snprintf(text, sizeof(text), "%llu:%llu",
                   (unsigned long long)engine_book(s->engine)->generation,
                   (unsigned long long)position);
    json_open(w, '{');
    json_field_text(w, "position", text);
    surface_time_field(w, "at", ns);
    json_field_text(w, "event", event);
    json_close(w, '}');
}

static void timeline_attempts(struct surface *s, struct writer *w, const struct outbox_item *item,
                              uint64_t at)
{
    const struct outbox *outbox = &engine_book(s->engine)->outbox;
    uint32_t shown = 0;
    uint32_t a = item != NULL ? item->first_attempt : SLAB_NONE;
    while (a != SLAB_NONE && shown < LIST_LIMIT_MAX) {
        const struct outbox_attempt *attempt = outbox_attempt(outbox, a);
        if (attempt->position > at) {
            break;
        }
        bool good = attempt->error == 0 && attempt->status / 100 == 2;
        control_timeline_step(s, w, attempt->position, attempt->at_ns,
                              good ? "callback_delivered" : "callback_failed");
        a = attempt->next;
        shown++;
    }
}

static void render_timeline(struct surface *s, struct writer *w, const struct stk_payment *p,
                            uint64_t at)
{
    static const char *const names[STK_STEPS] = {"accepted", "prompted", "answered", "ended"};
    const struct operator_state *o = surface_operator(s);
    struct ruled ruled;
    json_key(w, "timeline");
    json_open(w, '[');
    for (uint32_t i = 0; i < STK_STEPS; i++) {
        if (p->step_position[i] != 0 && p->step_position[i] <= at) {
            control_timeline_step(s, w, p->step_position[i], p->step_ns[i], names[i]);
        }
        if (i == STEP_ACCEPTED && payment_ruled(o, p, &ruled)) {
            char event[RULE_NAME_MAX + 16];
            (void)snprintf(event, sizeof(event), "ruled: %s", ruled.name);
            control_timeline_step(s, w, p->step_position[i], p->step_ns[i], event);
        }
    }
    for (uint32_t i = 0; i < payment_callbacks(o, p); i++) {
        timeline_attempts(s, w, outbox_item(&o->book->outbox, p->delivery + i), at);
    }
    json_close(w, ']');
}

/* R6.4: what is shown here is the truth, and who ordered that others were told something else. */
static void ruled_field(struct surface *s, struct writer *w, const struct stk_payment *p)
{
    struct ruled ruled;
    if (payment_ruled(surface_operator(s), p, &ruled)) {
        json_key(w, "ruled_by");
        face_ruled_render(w, &ruled);
    } else {
        json_field_null(w, "ruled_by");
    }
}

/* Each move of a payment stands in it with its position, and none goes back: so what it was at any
 * position can be told without reading the journal (R6.7). */
static enum stk_state state_at(const struct stk_payment *p, uint64_t at)
{
    CHECK(p->step_position[STEP_ACCEPTED] <= at);
    if (p->step_position[STEP_ENDED] != 0 && p->step_position[STEP_ENDED] <= at) {
        return (enum stk_state)p->state;
    }
    bool prompted = p->step_position[STEP_PROMPTED] != 0 && p->step_position[STEP_PROMPTED] <= at;
    return prompted ? STK_PROCESSING : STK_PENDING;
}

void control_transaction_render(struct surface *s, struct writer *w, const struct stk_payment *p,
                                uint64_t at)
{
    const struct operator_state *o = surface_operator(s);
    enum stk_state state = state_at(p, at);
    char checkout[ID_TEXT_SIZE];
    char merchant[ID_TEXT_SIZE];
    char receipt[ID_RECEIPT_SIZE];
    char id[32];
    payment_checkout_id(o, p, checkout);
    payment_merchant_request_id(p, merchant);
    payment_receipt(p, receipt);
    (void)snprintf(id, sizeof(id), "txn_%llu", (unsigned long long)p->number);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "transaction");
    json_field_text(w, "type", "stk_push");
    json_field_text(w, "status", stk_state_name(state));
    json_field_text(w, "checkout_request_id", checkout);
    json_field_text(w, "merchant_request_id", merchant);
    if (stk_state_final(state)) {
        char code[RULE_CODE_MAX + 1];
        payment_result_code(o, p, code);
        json_field_text(w, "result_code", code);
        json_field_text(w, "reason", stk_outcome_words(p->outcome));
    } else {
        json_field_null(w, "result_code");
        json_field_null(w, "reason");
    }
    if (state == STK_SUCCESS) {
        json_field_text(w, "receipt", receipt);
    } else {
        json_field_null(w, "receipt");
    }
    json_field_i64(w, "amount", p->amount_minor);
    json_field_i64(w, "fee", 0);
    json_field_text(w, "currency", "KES");
    json_field_u64(w, "msisdn", operator_subscriber_at(o, p->subscriber)->msisdn);
    json_field_u64(w, "short_code", p->short_code);
    json_field_u64(w, "party_b", p->party_b);
    json_field_string(w, "account_reference", operator_text(o, p->reference));
    json_field_string(w, "description", operator_text(o, p->description));
    json_field_string(w, "callback_url", operator_text(o, p->url));
    if (p->reversal != 0) {
        (void)snprintf(id, sizeof(id), "req_%llu", (unsigned long long)p->reversal);
        json_field_text(w, "reversed_by", id);
    } else {
        json_field_null(w, "reversed_by");
    }
    surface_time_field(w, "created_at", p->step_ns[STEP_ACCEPTED]);
    ruled_field(s, w, p);
    render_timeline(s, w, p, at);
    json_close(w, '}');
}

/* ?at=POSITION: the transaction as it was. */
static void answer_transaction_at(struct request *q, const struct stk_payment *p)
{
    uint64_t now = engine_read_position(q->s->engine);
    uint64_t at;
    if (!surface_position(http_query_value(q->x, "at"), &at) || at > now) {
        surface_problem(q, now, 400, "invalid_at",
                        "at must be a position of the past, like 1:42 or 42");
        return;
    }
    if (p->step_position[STEP_ACCEPTED] > at) {
        surface_problem(q, now, 404, "not_yet",
                        "this transaction did not exist yet at that position");
        return;
    }
    struct writer w = surface_writer(q->s);
    control_transaction_render(q->s, &w, p, at);
    surface_json(q, now, 200, &w);
}

/* A request of an organisation, or nothing. */
static void answer_other_transaction(struct request *q)
{
    bool unread = q->s->index_unread;
    const struct operator_request *r = control_find_request(q->s, q->parts[0]);
    struct operator_request then;
    if (r == NULL) {
        q->s->index_unread = unread;
        surface_not_found(q, "no transaction has this id, CheckoutRequestID or receipt");
        return;
    }
    if (!control_request_then(q, r, &then)) {
        return;
    }
    struct writer w = surface_writer(q->s);
    control_request_as_transaction(q->s, &w, &then);
    surface_json(q, engine_read_position(q->s->engine), 200, &w);
}

static void handle_transaction(struct request *q)
{
    uint64_t seconds;
    if (!wait_seconds(q, &seconds)) {
        return;
    }
    const struct stk_payment *p = control_find_payment(q->s, q->parts[0]);
    if (p == NULL) {
        answer_other_transaction(q);
        return;
    }
    if (http_query_value(q->x, "at").data != NULL) {
        answer_transaction_at(q, p);
        return;
    }
    if (seconds > 0 && !stk_state_final(p->state) &&
        surface_poll_add(q, p->number, p->state, seconds)) {
        return;
    }
    answer_transaction(q, engine_read_position(q->s->engine), 200, p);
}

struct list_query {
    uint64_t limit;
    uint64_t before; /* numbers below this one; 0: from the newest */
};

/* "txn_12" with the prefix "txn_" */
/* limit and starting_after ("dlv_7"); false after answering. */
static bool list_query(struct request *q, const char *prefix, struct list_query *out)
{
    struct span after = http_query_value(q->x, "starting_after");
    out->before = 0;
    if (!surface_list_limit(q, &out->limit)) {
        return false;
    }
    if (after.data != NULL && !surface_parse_number(after, prefix, &out->before)) {
        surface_problem(q, 0, 400, "invalid_starting_after",
                        "starting_after must be an id from this list");
        return false;
    }
    return true;
}

/* Where a list of everything that moved goes on: below which payment and which request. */
struct transactions_at {
    uint64_t payment, request; /* the next ones; 0: there are no more */
};

static uint64_t payment_accepted(struct surface *s, uint64_t number)
{
    const struct stk_payment *p = surface_payment(s, number);
    return p == NULL ? 0 : p->step_position[STEP_ACCEPTED];
}

static uint64_t request_accepted(struct surface *s, uint64_t number)
{
    const struct operator_request *r = operator_request(surface_operator(s), number);
    return r == NULL ? 0 : r->step_position[REQUEST_ACCEPTED];
}

/* The last of so many that was accepted before that position: both are numbered in its order. */
static uint64_t last_before(struct surface *s, uint64_t count, uint64_t position,
                            uint64_t (*accepted)(struct surface *s, uint64_t number))
{
    uint64_t before = 0; /* is, or is none */
    uint64_t after = count + 1;
    while (after - before > 1) {
        uint64_t middle = before + (after - before) / 2;
        if (accepted(s, middle) < position) {
            before = middle;
        } else {
            after = middle;
        }
    }
    return before;
}

/* False after answering that starting_after is no id of the list. */
static bool transactions_start(struct request *q, struct transactions_at *out)
{
    struct surface *s = q->s;
    const struct operator_state *o = surface_operator(s);
    struct span after = http_query_value(q->x, "starting_after");
    uint64_t number;
    *out = (struct transactions_at){o->last_payment, o->last_request};
    if (after.data == NULL) {
        return true;
    }
    if (surface_parse_number(after, "txn_", &number)) {
        bool known = number > 0 && number <= o->last_payment;
        uint64_t position = known ? payment_accepted(s, number) : 0;
        out->payment = known ? number - 1 : 0;
        out->request = last_before(s, o->last_request, position, request_accepted);
        return true;
    }
    if (surface_parse_number(after, "req_", &number) && operator_request(o, number) != NULL) {
        out->request = number - 1;
        out->payment =
            last_before(s, o->last_payment, request_accepted(s, number), payment_accepted);
        return true;
    }
    surface_problem(q, 0, 400, "invalid_starting_after",
                    "starting_after must be an id from this list");
    return false;
}

/* ?type= as a kind of request, or UINT8_MAX: STK pushes, or 0: all that moves money. False after
 * answering that there is no such type. */
static bool transactions_type(struct request *q, uint8_t *out)
{
    struct span type = http_query_value(q->x, "type");
    *out = 0;
    if (type.data == NULL) {
        return true;
    }
    *out = span_is(type, "stk_push") ? UINT8_MAX : 0;
    for (uint8_t kind = 1; kind < REQUEST_KIND_END && *out == 0; kind++) {
        const char *name = request_kind_name((enum request_kind)kind);
        *out = name != NULL && span_is(type, name) ? kind : 0;
    }
    if (*out == 0) {
        surface_problem(q, 0, 400, "invalid_type",
                        "type must be stk_push or a type of request, like c2b, b2c or reversal");
    }
    return *out != 0;
}

/* Questions, and orders that only arrange for payments, are no transactions. */
static bool request_wanted(const struct operator_request *r, uint8_t type)
{
    bool moves = r->kind != REQUEST_STATUS && r->kind != REQUEST_BALANCE &&
                 r->kind != REQUEST_STANDING_ORDER;
    return type == 0 ? moves : r->kind == type;
}

/* The newer of the two that come next; true when it was shown. */
static bool transactions_step(struct request *q, struct writer *w, struct transactions_at *at,
                              uint8_t type)
{
    const struct operator_state *o = surface_operator(q->s);
    const struct operator_request *r = at->request == 0 ? NULL : operator_request(o, at->request);
    const struct stk_payment *p = at->payment == 0 ? NULL : surface_payment(q->s, at->payment);
    if (p == NULL && at->payment > 0) {
        at->payment--;
        return false;
    }
    bool newer = r != NULL && (p == NULL || r->step_position[REQUEST_ACCEPTED] >
                                                p->step_position[STEP_ACCEPTED]);
    if (!newer) {
        control_transaction_render(q->s, w, p, UINT64_MAX);
        at->payment--;
        return true;
    }
    at->request--;
    bool wanted = request_wanted(r, type);
    if (wanted) {
        control_request_as_transaction(q->s, w, r);
    }
    return wanted;
}

/* STK payments and what else moved money, newest first. */
static void handle_transactions(struct request *q)
{
    struct list_query list;
    struct transactions_at at;
    uint8_t type;
    q->s->index_missed = false;
    if (!surface_list_limit(q, &list.limit) || !transactions_type(q, &type) ||
        !transactions_start(q, &at)) {
        return;
    }
    at.request = type == UINT8_MAX ? 0 : at.request;
    at.payment = type == 0 || type == UINT8_MAX ? at.payment : 0;
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    uint64_t shown = 0;
    uint32_t looks = 0;
    bool more = at.payment > 0 || at.request > 0;
    while (more && shown < list.limit && looks++ < LIST_LOOKS_MAX &&
           w.size < SURFACE_BODY_MAX - TRANSACTION_ROOM) {
        shown += transactions_step(q, &w, &at, type);
        more = at.payment > 0 || at.request > 0;
    }
    if (q->s->index_missed) { /* a list that leaves out what it could not read says so */
        surface_not_decided(q, ENGINE_NO_INDEX);
        return;
    }
    surface_list_close(q, &w, more);
}

/* ---- deliveries ---- */

static void render_attempts(struct surface *s, struct writer *w, const struct outbox_item *item)
{
    const struct book *b = engine_book(s->engine);
    json_key(w, "attempts");
    json_open(w, '[');
    uint32_t a = item->first_attempt;
    for (uint32_t shown = 0; a != SLAB_NONE && shown < LIST_LIMIT_MAX; shown++) {
        const struct outbox_attempt *attempt = outbox_attempt(&b->outbox, a);
        json_open(w, '{');
        surface_time_field(w, "at", attempt->at_ns);
        if (attempt->status != 0) {
            json_field_i64(w, "response_status", attempt->status);
            json_field_string(w, "response_body", texts_at(&b->texts, attempt->answer));
        } else {
            json_field_null(w, "response_status");
            json_field_null(w, "response_body");
        }
        json_field_i64(w, "duration_ms", attempt->duration_ms);
        if (attempt->error != 0) {
            json_field_text(w, "error", delivery_error_text(attempt->error));
        } else {
            json_field_null(w, "error");
        }
        json_close(w, '}');
        a = attempt->next;
    }
    json_close(w, ']');
}

static const char *message_name(uint16_t kind)
{
    switch ((enum operator_message)kind) {
    case MESSAGE_STK_CALLBACK: return "stk_callback";
    case MESSAGE_RESULT: return "result";
    case MESSAGE_TIMEOUT: return "timeout";
    case MESSAGE_VALIDATION: return "validation";
    case MESSAGE_CONFIRMATION: return "c2b_confirmation";
    case MESSAGE_BILL: return "bill_payment";
    }
    return "unknown";
}

/* The rule that multiplied, delayed, held back or changed this callback. */
static void delivery_ruled_field(struct surface *s, struct writer *w,
                                 const struct outbox_item *item)
{
    const struct operator_state *o = surface_operator(s);
    bool is_payment = (item->kind & ~MESSAGE_RULED) == MESSAGE_STK_CALLBACK;
    const struct stk_payment *p = is_payment ? operator_payment(o, item->subject) : NULL;
    uint16_t kind = item->kind & (uint16_t)~MESSAGE_RULED;
    bool of_request =
        kind == MESSAGE_RESULT || kind == MESSAGE_TIMEOUT || kind == MESSAGE_VALIDATION;
    const struct operator_request *r = of_request ? operator_request(o, item->subject) : NULL;
    struct ruled ruled;
    if ((p != NULL && payment_ruled(o, p, &ruled)) ||
        (r != NULL && request_message_ruled(o, r, kind, &ruled))) {
        json_field_text(w, "ruled_by", ruled.name);
    } else {
        json_field_null(w, "ruled_by");
    }
}

/* Every attempt sends the same request. */
static void render_request_headers(struct surface *s, struct writer *w)
{
    char agent[80];
    (void)snprintf(agent, sizeof(agent), "hakika/%s", s->options.version);
    json_key(w, "request_headers");
    json_open(w, '{');
    json_field_text(w, "Content-Type", "application/json");
    json_field_text(w, "User-Agent", agent);
    json_field_text(w, "Accept", "*/*");
    json_close(w, '}');
}

void control_delivery_render(struct surface *s, struct writer *w, const struct outbox_item *item,
                             bool with_bodies)
{
    static const char *const states[] = {"?", "waiting", "delivered", "dead"};
    char id[32];
    uint8_t body[SURFACE_OUTGOING_MAX];
    struct span url = SPAN_EMPTY;
    struct writer message = writer_init(body, sizeof(body));
    bool known = surface_outgoing(s, item, &message, &url);
    (void)snprintf(id, sizeof(id), "dlv_%llu", (unsigned long long)item->number);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "delivery");
    uint64_t subject = item->subject;
    uint16_t kind = item->kind & (uint16_t)~MESSAGE_RULED;
    bool of_payment = kind == MESSAGE_STK_CALLBACK;
    if (kind == MESSAGE_CONFIRMATION || kind == MESSAGE_BILL) {
        const struct income *income = operator_income(surface_operator(s), item->subject);
        subject = income == NULL ? 0 : income->source >> 1;
        of_payment = income != NULL && income->source == request_original_payment(subject);
    }
    (void)snprintf(id, sizeof(id), "%s%llu", of_payment ? "txn_" : "req_",
                   (unsigned long long)subject);
    json_field_text(w, "transaction", id);
    json_field_text(w, "state", states[item->state]);
    json_field_text(w, "kind", message_name(kind));
    const struct outbox_edit *edit = outbox_edit(&engine_book(s->engine)->outbox, item->number);
    json_field_bool(w, "edited", edit != NULL);
    if (edit != NULL) {
        (void)snprintf(id, sizeof(id), "dlv_%llu", (unsigned long long)edit->original);
        json_field_text(w, "original", id);
    } else {
        json_field_null(w, "original");
    }
    json_field_text(w, "method", "POST");
    json_field_string(w, "url", url);
    surface_time_field(w, "queued_at", item->queued_ns);
    bool held = item->state == OUTBOX_WAITING && item->next_try_ns == MESSAGE_HELD_NS;
    if (item->state == OUTBOX_WAITING && !held) {
        surface_time_field(w, "next_try_at", item->next_try_ns);
    } else {
        json_field_null(w, "next_try_at");
    }
    delivery_ruled_field(s, w, item);
    if (known && with_bodies) {
        struct span text = {(const char *)body, message.size};
        render_request_headers(s, w);
        json_field_string(w, "request_body", text);
    }
    render_attempts(s, w, item);
    json_close(w, '}');
}

const struct outbox_item *control_find_delivery(struct request *q, struct span id)
{
    uint64_t number;
    return surface_parse_number(id, "dlv_", &number) ? surface_delivery(q->s, number) : NULL;
}

void control_answer_delivery(struct request *q, uint64_t wait_position, unsigned status,
                             const struct outbox_item *item)
{
    struct writer w = surface_writer(q->s);
    control_delivery_render(q->s, &w, item, true);
    surface_json(q, wait_position, status, &w);
}

static void handle_delivery(struct request *q)
{
    const struct outbox_item *item = control_find_delivery(q, q->parts[0]);
    if (item == NULL) {
        surface_not_found(q, "no delivery has this id");
        return;
    }
    control_answer_delivery(q, engine_read_position(q->s->engine), 200, item);
}

/* Messages that were queued together: number `first` and those after it. */
struct message_run {
    uint64_t first;
    uint32_t count;
};

enum { MESSAGE_RUNS_MAX = 5 };

/* All that was queued about a payment or request, in the order that it is listed. */
struct messages_about {
    struct message_run runs[MESSAGE_RUNS_MAX];
    uint32_t count;
};

static void add_messages(struct messages_about *m, uint64_t first, uint32_t count)
{
    if (first != 0 && count > 0) {
        CHECK(m->count < MESSAGE_RUNS_MAX);
        m->runs[m->count++] = (struct message_run){first, count};
    }
}

/* What the organisation is told of the money that came, beside the result. */
static void add_income_messages(struct messages_about *m, const struct income *income)
{
    if (income != NULL) {
        add_messages(m, income->confirmation, 1);
        add_messages(m, income->notice, 1);
    }
}

static void messages_of_request(const struct operator_state *o, const struct operator_request *r,
                                struct messages_about *m)
{
    struct ruled ruled;
    bool is_ruled = request_message_ruled(o, r, MESSAGE_TIMEOUT, &ruled);
    uint32_t count = is_ruled ? ruled.effects.times : 1;
    add_messages(m, r->question, count);
    add_messages(m, r->late, r->question == 0 ? count : 1);
    add_messages(m, r->delivery, request_results(o, r));
    if (r->has_receipt) {
        add_income_messages(m, operator_income_by_receipt(o, r->receipt_day, r->receipt));
    }
}

static void messages_of_payment(const struct operator_state *o, const struct stk_payment *p,
                                struct messages_about *m)
{
    add_messages(m, p->delivery, payment_callbacks(o, p));
    if (p->state == STK_SUCCESS) {
        add_income_messages(m, operator_income_by_receipt(o, p->receipt_day, p->receipt));
    }
}

static bool is_among(const struct messages_about *m, uint64_t number)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct message_run *run = &m->runs[i];
        if (number >= run->first && number - run->first < run->count) {
            return true;
        }
    }
    return false;
}

/* False: nothing more fits. */
static bool show_message(struct request *q, struct writer *w, uint64_t number)
{
    const struct outbox_item *item = outbox_item(&engine_book(q->s->engine)->outbox, number);
    CHECK(item != NULL);
    bool fits = w->size <= SURFACE_BODY_MAX / 2;
    if (fits) {
        control_delivery_render(q->s, w, item, true);
    }
    return fits;
}

static bool show_run(struct request *q, struct writer *w, const struct message_run *run)
{
    bool fits = true;
    for (uint32_t i = 0; i < run->count && fits; i++) {
        fits = show_message(q, w, run->first + i);
    }
    return fits;
}

/* The edited copies of any of them. */
static bool show_copies(struct request *q, struct writer *w, const struct messages_about *m)
{
    const struct outbox *outbox = &engine_book(q->s->engine)->outbox;
    for (uint32_t i = slab_next(&outbox->edits, 0); i != SLAB_NONE;
         i = slab_next(&outbox->edits, i + 1)) {
        const struct outbox_edit *edit = slab_at(&outbox->edits, i);
        if (is_among(m, edit->original) && !show_message(q, w, edit->number)) {
            return false;
        }
    }
    return true;
}

static void list_of_transaction(struct request *q, struct span id)
{
    const struct operator_state *o = surface_operator(q->s);
    const struct operator_request *r = control_find_request(q->s, id);
    const struct stk_payment *p = r != NULL ? NULL : control_find_payment(q->s, id);
    struct messages_about m = {.count = 0};
    if (r == NULL && p == NULL) {
        surface_not_found(q, "no transaction has this id, CheckoutRequestID or receipt");
        return;
    }
    if (r != NULL) {
        messages_of_request(o, r, &m);
    } else {
        messages_of_payment(o, p, &m);
    }
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    bool whole = true;
    for (uint32_t i = 0; i < m.count && whole; i++) {
        whole = show_run(q, &w, &m.runs[i]);
    }
    whole = whole && show_copies(q, &w, &m);
    surface_list_close(q, &w, !whole);
}

/* ?state= as a number of enum outbox_state; 0 for all; false after answering. */
static bool state_filter(struct request *q, uint8_t *out)
{
    struct span text = http_query_value(q->x, "state");
    *out = 0;
    if (text.data == NULL) {
        return true;
    }
    *out = span_is(text, "waiting")     ? OUTBOX_WAITING
           : span_is(text, "delivered") ? OUTBOX_DELIVERED
           : span_is(text, "dead")      ? OUTBOX_DEAD
                                        : 0;
    if (*out == 0) {
        surface_problem(q, 0, 400, "invalid_state", "state must be waiting, delivered or dead");
    }
    return *out != 0;
}

static void handle_deliveries(struct request *q)
{
    const struct outbox *outbox = &engine_book(q->s->engine)->outbox;
    struct span transaction = http_query_value(q->x, "transaction");
    struct list_query list;
    uint8_t state;
    if (transaction.data != NULL) {
        list_of_transaction(q, transaction);
        return;
    }
    if (!list_query(q, "dlv_", &list) || !state_filter(q, &state)) {
        return;
    }
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    uint64_t number = list.before == 0 ? outbox->last_number : list.before - 1;
    uint64_t shown = 0;
    q->s->index_missed = false;
    uint32_t looks = state == OUTBOX_WAITING ? LIST_LOOKS_MAX : LIST_FETCHES_MAX;
    bool full = false;
    for (; number > 0 && number <= outbox->last_number && !full; number--) {
        /* What waits is in memory. */
        const struct outbox_item *item =
            state == OUTBOX_WAITING ? outbox_item(outbox, number) : surface_delivery(q->s, number);
        bool wanted = item != NULL && (state == 0 || item->state == state);
        full = looks-- == 0 || (wanted && (shown == list.limit || w.size > SURFACE_BODY_MAX / 2));
        if (wanted && !full) {
            control_delivery_render(q->s, &w, item, false);
            shown++;
        }
    }
    if (q->s->index_missed) {
        surface_not_decided(q, ENGINE_NO_INDEX);
        return;
    }
    if (full) {
        char next[32];
        (void)snprintf(next, sizeof(next), "dlv_%llu", (unsigned long long)number + 2);
        json_close(&w, ']');
        json_field_text(&w, "next", next);
        json_field_bool(&w, "has_more", true);
        json_close(&w, '}');
        surface_json(q, engine_read_position(q->s->engine), 200, &w);
        return;
    }
    surface_list_close(q, &w, false);
}

/* ---- which call is which ---- */

static const struct route CONTROL_ROUTES[] = {
    {"POST", "/sim/v1/subscribers", control_subscriber_open},
    {"GET", "/sim/v1/subscribers", control_subscriber_list},
    {"GET", "/sim/v1/subscribers/{}", control_subscriber_get},
    {"PATCH", "/sim/v1/subscribers/{}", control_subscriber_change},
    {"GET", "/sim/v1/subscribers/{}/prompts", control_subscriber_prompts},
    {"POST", "/sim/v1/subscribers/{}/pay", control_subscriber_pay},
    {"POST", "/sim/v1/prompts/{}/approve", handle_approve},
    {"POST", "/sim/v1/prompts/{}/cancel", handle_cancel},
    {"POST", "/sim/v1/organisations", control_organisation_open},
    {"GET", "/sim/v1/organisations", control_organisation_list},
    {"GET", "/sim/v1/organisations/{}", control_organisation_get},
    {"PATCH", "/sim/v1/organisations/{}", control_organisation_change},
    {"POST", "/sim/v1/organisations/{}/fund", control_organisation_fund},
    {"POST", "/sim/v1/organisations/{}/settle", control_organisation_settle},
    {"PUT", "/sim/v1/organisations/{}/paystack", control_paystack_put},
    {"GET", "/sim/v1/requests", control_request_list},
    {"GET", "/sim/v1/requests/{}", control_request_get},
    {"GET", "/sim/v1/invoices", control_invoice_list},
    {"GET", "/sim/v1/standing-orders", control_standing_list},
    {"GET", "/sim/v1/standing-orders/{}", control_standing_get},
    {"POST", "/sim/v1/standing-orders/{}/cancel", control_standing_cancel},
    {"GET", "/sim/v1/transactions", handle_transactions},
    {"GET", "/sim/v1/transactions/{}", handle_transaction},
    {"GET", "/sim/v1/deliveries", handle_deliveries},
    {"GET", "/sim/v1/deliveries/{}", handle_delivery},
    {"GET", "/sim/v1/deliveries/{}/curl", control_delivery_curl},
    {"POST", "/sim/v1/deliveries/{}/replay", control_delivery_replay},
    {"GET", "/sim/v1/entries", control_entry_list},
    {"GET", "/sim/v1/money", control_money},
    {"GET", "/sim/v1/rules", control_rules_get},
    {"PUT", "/sim/v1/rules", control_rules_put},
    {"GET", "/sim/v1/rules/schema", control_rules_schema},
    {"GET", "/sim/v1/clock", control_clock_get},
    {"POST", "/sim/v1/clock", control_clock_set},
    {"POST", "/sim/v1/clock/run-until-idle", control_clock_idle},
    {"POST", "/sim/v1/reset", control_reset},
    {"POST", "/sim/v1/snapshots", control_world_save},
    {"GET", "/sim/v1/snapshots", control_world_list},
    {"GET", "/sim/v1/snapshots/{}", control_world_get},
    {"DELETE", "/sim/v1/snapshots/{}", control_world_remove},
    {"POST", "/sim/v1/snapshots/{}/restore", control_world_restore},
    {"GET", "/sim/v1/snapshots/{}/file", control_world_file_get},
    {"POST", "/sim/v1/snapshots/{}/file", control_world_file_post},
    {"GET", "/sim/v1/events", stream_start},
    {"GET", "/sim/v1/certificate", control_certificate},
};

bool control_route(struct request *q)
{
    if (!span_starts_with(q->path, SPAN_LITERAL("/sim/"))) {
        return false;
    }
    if (!is_allowed(q)) {
        return true;
    }
    surface_dispatch(q, CONTROL_ROUTES, sizeof(CONTROL_ROUTES) / sizeof(CONTROL_ROUTES[0]));
    return true;
}
