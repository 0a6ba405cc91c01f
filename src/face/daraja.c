/*
 * daraja.c - Daraja's own paths: OAuth, STK push, STK query; and the STK callback that goes out.
 * Checks come in the order in which Daraja is known to make them (docs/daraja-notes.md). Every
 * answer says in Hakika-Explain which check or rule decided it (not in daraja-strict).
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/hash.h"
#include "base/ids.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/rules.h"
#include "wire/daraja_auth.h"
#include "wire/daraja_error.h"
#include "wire/daraja_result.h"
#include "wire/daraja_stk.h"

#define PATH_OAUTH "/oauth/v1/generate"
#define PATH_QUERY "/mpesa/stkpushquery/v1/query"

void daraja_explain(struct request *q, const char *words)
{
    if (q->s->options.profile != PROFILE_STRICT) {
        http_reply_header(q->x, "Hakika-Explain", span_from(words));
    }
}

void daraja_answer_error(struct request *q, uint64_t wait_position,
                         const struct daraja_error *error)
{
    char id[ID_TEXT_SIZE];
    id_request_format(q->s->request_seed, q->s->request_counter, id);
    struct writer w = surface_writer(q->s);
    daraja_error_render(&w, error, span_from(id));
    daraja_explain(q, error->explain);
    surface_json(q, wait_position, daraja_error_status(error->kind), &w);
}

void daraja_refuse(struct request *q, uint64_t wait_position, enum daraja_error_kind kind,
                   const char *detail, const char *words)
{
    struct daraja_error error;
    daraja_error_set(&error, kind, detail, words);
    daraja_answer_error(q, wait_position, &error);
}

void daraja_refuse_busy(struct request *q, enum engine_status status)
{
    q->s->refused_busy += status != ENGINE_DISK_FULL;
    q->s->refused_disk += status == ENGINE_DISK_FULL;
    http_reply_header(q->x, "Retry-After", SPAN_LITERAL("1"));
    daraja_refuse(q, 0, DARAJA_ERROR_BUSY, "", engine_status_text(status));
}

bool daraja_decided(struct request *q, struct engine_result result)
{
    if (result.status == ENGINE_APPLIED || result.status == ENGINE_REFUSED) {
        return true;
    }
    daraja_refuse_busy(q, result.status);
    return false;
}

/* Shedding before a body is read (R3.2). */
bool daraja_admit(struct surface *s, struct http_exchange *x)
{
    if (!span_is(http_path(x), DARAJA_PATH_PUSH)) {
        return true;
    }
    enum engine_status status = engine_admits(s->engine, ENGINE_NEW_WORK);
    if (status == ENGINE_APPLIED) {
        return true;
    }
    struct request q = {.s = s, .x = x};
    daraja_refuse_busy(&q, status);
    return false;
}

/* ---- OAuth ---- */

/* Which application the credentials are those of; false: they get no token. */
static bool credentials_accepted(struct surface *s, struct span key, struct span secret,
                                 uint32_t *app_out)
{
    bool strict = s->options.profile == PROFILE_STRICT;
    switch (apps_login(&s->apps, surface_operator(s), key, secret, app_out)) {
    case APPS_KNOWN: return true;
    case APPS_WRONG: return false;
    case APPS_UNKNOWN: break;
    }
    return !strict && key.size > 0 && secret.size > 0 && !span_is(key, "invalid");
}

/* ---- what the operator and the gateway's front read alike ---- */

bool daraja_read_basic(struct request *q, char *decoded, size_t room, struct span *key,
                       struct span *secret)
{
    if (!span_is(q->method, "GET")) {
        daraja_refuse(q, 0, DARAJA_ERROR_METHOD, "POST", "this call is a GET");
        return false;
    }
    struct span authorization = http_header(q->x, "Authorization");
    if (authorization.data == NULL ||
        !daraja_basic_parse(authorization, decoded, room, key, secret)) {
        daraja_refuse(
            q, 0, DARAJA_ERROR_AUTH_TYPE, "",
            "the header Authorization must be: Basic base64(consumer key:consumer secret)");
        return false;
    }
    return true;
}

bool daraja_read_push(struct request *q, struct daraja_stk_push *out)
{
    struct surface *s = q->s;
    struct daraja_error error;
    struct daraja_url_rule rule = daraja_url_rule(s);
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_STK)) {
        return false;
    }
    if (!daraja_stk_push_parse(http_body(q->x), &rule, s->json, out, &error)) {
        daraja_answer_error(q, 0, &error);
        return false;
    }
    enum engine_status admitted = engine_admits(s->engine, ENGINE_NEW_WORK);
    if (admitted != ENGINE_APPLIED) {
        daraja_refuse_busy(q, admitted);
        return false;
    }
    return true;
}

bool daraja_read_query(struct request *q, struct daraja_stk_query *out)
{
    struct daraja_error error;
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_STK)) {
        return false;
    }
    if (!daraja_stk_query_parse(http_body(q->x), q->s->json, out, &error)) {
        daraja_answer_error(q, 0, &error);
        return false;
    }
    return true;
}

static void handle_oauth(struct request *q)
{
    char decoded[1024];
    struct span key;
    struct span secret;
    if (!daraja_read_basic(q, decoded, sizeof(decoded), &key, &secret)) {
        return;
    }
    if (!span_is(http_query_value(q->x, "grant_type"), "client_credentials")) {
        daraja_refuse(q, 0, DARAJA_ERROR_GRANT_TYPE, "",
                      "the query must hold grant_type=client_credentials");
        return;
    }
    uint32_t app;
    if (!apps_follow(&q->s->apps, surface_operator(q->s))) {
        explicit_bzero(decoded, sizeof(decoded));
        daraja_refuse_busy(q, ENGINE_NO_MEMORY);
        return;
    }
    bool accepted = credentials_accepted(q->s, key, secret, &app);
    explicit_bzero(decoded, sizeof(decoded));
    struct rule_call call = {.api = RULE_API_OAUTH, .amount_minor = -1};
    if (face_rule_read(q, &call)) {
        return;
    }
    struct writer w = surface_writer(q->s);
    if (!accepted) {
        /* Seen on production: 400 and an empty body. */
        daraja_explain(q, "consumer key and secret are not known here");
        surface_answer(q, engine_read_position(q->s->engine), 400, "application/json", &w);
        return;
    }
    char token[SECRETS_TOKEN_SIZE];
    secrets_token_make(q->s->options.secrets, engine_now(q->s->engine), app, token);
    daraja_token_render(&w, span_from(token), SECRETS_TOKEN_LIFE_S - 1);
    bool bound = app != APPS_ANY;
    daraja_explain(q, bound ? "credentials accepted: those of an organisation here"
                            : "credentials accepted: a token of no application in particular");
    surface_json(q, bound ? engine_read_position(q->s->engine) : 0, 200, &w);
}

/* ---- what every call has in common ---- */

enum product { PRODUCT_STK, PRODUCT_B2C, PRODUCT_C2B };

/* Which product's error codes a path has: their middle group. */
static enum product product_of(struct span path)
{
    static const struct {
        const char *root;
        enum product product;
    } rows[] = {
        {"/mpesa/b2c/", PRODUCT_B2C},        {"/mpesa/b2pochi/", PRODUCT_B2C},
        {"/mpesa/b2b/", PRODUCT_B2C},        {"/mpesa/accountbalance/", PRODUCT_B2C},
        {"/mpesa/c2b/", PRODUCT_C2B},        {"/mpesa/transactionstatus/", PRODUCT_C2B},
        {"/pulltransactions/", PRODUCT_C2B},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (span_starts_with(path, span_from(rows[i].root))) {
            return rows[i].product;
        }
    }
    return PRODUCT_STK;
}

void daraja_refuse_path(struct request *q, const char *words)
{
    static const enum daraja_error_kind kinds[] = {
        [PRODUCT_STK] = DARAJA_ERROR_NOT_FOUND,
        [PRODUCT_B2C] = DARAJA_ERROR_NOT_FOUND_B2C,
        [PRODUCT_C2B] = DARAJA_ERROR_NOT_FOUND_C2B,
    };
    daraja_refuse(q, 0, kinds[product_of(q->path)], "", words);
}

/* C2B and transaction status have an error of their own for a request with nothing in it. */
static bool refuse_empty(struct request *q)
{
    bool has_own = product_of(q->path) == PRODUCT_C2B &&
                   !span_starts_with(q->path, SPAN_LITERAL("/pulltransactions/"));
    if (!has_own || http_body(q->x).size > 0) {
        return false;
    }
    daraja_refuse(q, 0, DARAJA_ERROR_BAD_REQUEST, "", "the request has no body");
    return true;
}

bool daraja_preamble(struct request *q, enum daraja_error_kind token_error)
{
    struct span token;
    char method[16];
    if (!span_is(q->method, "POST")) {
        (void)snprintf(method, sizeof(method), "%.*s", (int)(q->method.size & 15), q->method.data);
        daraja_refuse(q, 0, DARAJA_ERROR_METHOD, method, "this call is a POST");
        return false;
    }
    struct span authorization = http_header(q->x, "Authorization");
    if (authorization.data == NULL || !daraja_bearer_parse(authorization, &token)) {
        bool is_c2b = span_starts_with(q->path, SPAN_LITERAL("/mpesa/c2b/"));
        daraja_refuse(
            q, 0, is_c2b ? DARAJA_ERROR_INVALID_AUTH_HEADER_C2B : DARAJA_ERROR_INVALID_AUTH_HEADER,
            "", "the header Authorization must be: Bearer and an access token");
        return false;
    }
    char token_text[64];
    (void)snprintf(token_text, sizeof(token_text), "%.*s", (int)(token.size < 60 ? token.size : 60),
                   token.data);
    switch (secrets_token_check(q->s->options.secrets, engine_now(q->s->engine), token, &q->app)) {
    case TOKEN_VALID: break;
    case TOKEN_EXPIRED:
        daraja_refuse(q, 0, token_error, token_text,
                      "the access token has expired (they live an hour of the book's clock)");
        return false;
    case TOKEN_MALFORMED:
        daraja_refuse(q, 0, token_error, token_text,
                      "this is not an access token that /oauth/v1/generate gave");
        return false;
    }
    struct span type = http_header(q->x, "Content-Type");
    if (type.data == NULL || !span_starts_with(type, SPAN_LITERAL("application/json"))) {
        daraja_refuse(q, 0, DARAJA_ERROR_INVALID_FIELD, "BusinessShortCode",
                      "the Content-Type must be application/json");
        return false;
    }
    return !refuse_empty(q);
}

void daraja_passkeys_wipe(struct surface *s)
{
    for (uint32_t i = 0; i < SURFACE_KEYS_MAX; i++) {
        if ((s->passkeys_kept[i / 64] >> (i % 64) & 1) != 0) {
            explicit_bzero(&s->passkeys[i], sizeof(s->passkeys[i]));
        }
    }
    memset(s->passkeys_kept, 0, sizeof(s->passkeys_kept));
}

/* The organisation's passkey, unsealed; NULL when there is none. Kept until the next reset. */
const struct passkey *daraja_passkey(struct surface *s, const struct organisation *g)
{
    uint64_t generation = engine_book(s->engine)->generation;
    if (s->passkey_generation != generation) {
        daraja_passkeys_wipe(s);
        s->passkey_generation = generation;
    }
    uint32_t place = (uint32_t)(hash_u64(g->short_code, 7) % SURFACE_KEYS_MAX);
    struct passkey *k = &s->passkeys[place];
    if (k->short_code != g->short_code) {
        size_t size = 0;
        k->short_code = 0; /* whatever becomes of its text */
        s->passkeys_kept[place / 64] |= (uint64_t)1 << (place % 64);
        struct span sealed = operator_text(surface_operator(s), g->secrets[SECRET_PASSKEY]);
        if (!secrets_unseal(s->options.secrets, sealed, k->text, sizeof(k->text), &size)) {
            return NULL;
        }
        k->short_code = g->short_code;
        k->size = (uint32_t)size;
    }
    return k;
}

static bool opens_by_itself(const struct surface *s, uint32_t short_code)
{
    return s->options.profile != PROFILE_STRICT && short_code >= 600000 && short_code <= 600999;
}

const struct organisation *daraja_organisation(struct request *q, uint32_t short_code,
                                               enum daraja_error_kind unknown)
{
    struct surface *s = q->s;
    const struct operator_state *o = surface_operator(s);
    uint64_t wait_position = engine_read_position(s->engine);
    if (operator_organisation(o, short_code) == NULL && opens_by_itself(s, short_code)) {
        struct engine_result opened = control_open_organisation(s, short_code);
        if (opened.status != ENGINE_APPLIED) {
            daraja_refuse_busy(q, opened.status);
            return NULL;
        }
    }
    const struct organisation *g = operator_organisation(o, short_code);
    if (g == NULL) {
        daraja_refuse(q, wait_position, unknown, "", "no organisation has this short code");
        return NULL;
    }
    if (!apps_follow(&s->apps, o)) {
        daraja_refuse_busy(q, ENGINE_NO_MEMORY);
        return NULL;
    }
    if (!apps_may_act(&s->apps, q->app, map_get(&o->by_short_code, short_code))) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_NO_PRODUCT, "",
                      "this short code belongs to another app: get the token with the consumer key "
                      "and secret of its organisation");
        return NULL;
    }
    return g;
}

/* BusinessShortCode and Password; NULL after answering. */
static const struct organisation *authenticate(struct request *q, uint32_t short_code,
                                               struct span password, struct span timestamp)
{
    struct surface *s = q->s;
    const struct organisation *g = daraja_organisation(q, short_code, DARAJA_ERROR_NO_MERCHANT);
    const struct passkey *k = g != NULL ? daraja_passkey(s, g) : NULL;
    struct span passkey = {k != NULL ? k->text : NULL, k != NULL ? k->size : 0};
    if (g == NULL) {
        return NULL;
    }
    if (passkey.size == 0 || !daraja_password_matches(password, short_code, passkey, timestamp)) {
        daraja_refuse(q, engine_read_position(s->engine), DARAJA_ERROR_WRONG_CREDENTIALS, "",
                      "Password must be base64 of BusinessShortCode, passkey and this same "
                      "Timestamp");
        return NULL;
    }
    return g;
}

/* ---- STK push ---- */

static void push_command(struct surface *s, const struct daraja_stk_push *push,
                         struct stk_push_command *c)
{
    uint64_t numbers[4] = {push->phone_number, push->business_short_code, push->party_b,
                           (uint64_t)push->amount_minor};
    struct span parts[2] = {{(const char *)numbers, sizeof(numbers)},
                            span_trim(push->account_reference)};
    memset(c, 0, sizeof(*c));
    c->short_code = push->business_short_code;
    c->party_b = push->party_b;
    c->type = (uint8_t)push->type;
    c->amount_minor = push->amount_minor;
    c->msisdn = push->phone_number;
    c->url = push->callback_url;
    c->reference = push->account_reference;
    c->description = push->transaction_desc;
    c->target = surface_url_target(push->callback_url);
    secrets_digest(s->options.secrets, parts, 2, c->fingerprint);
}

static void answer_accepted(struct request *q, uint64_t wait_position, uint64_t number)
{
    const struct operator_state *o = surface_operator(q->s);
    const struct stk_payment *p = operator_payment(o, number);
    struct daraja_stk_ids ids;
    q->ruled = payment_ruled(o, p, &q->s->ruled) ? &q->s->ruled : NULL;
    q->about = request_original_payment(number);
    payment_merchant_request_id(p, ids.merchant_request_id);
    payment_checkout_id(o, p, ids.checkout_request_id);
    struct writer w = surface_writer(q->s);
    daraja_stk_accepted_render(&w, &ids);
    daraja_explain(q,
                   "accepted: the prompt goes to the phone next; the result comes to CallBackURL");
    surface_json(q, wait_position, 200, &w);
}

static void answer_push(struct request *q, uint64_t wait_position,
                        const struct operator_reply *reply)
{
    char words[160];
    if (reply->refusal == OPERATOR_DONE) {
        answer_accepted(q, wait_position, reply->number);
    } else if (reply->refusal == OPERATOR_DUPLICATE) {
        (void)snprintf(words, sizeof(words),
                       "same phone, short code, amount and reference as txn_%llu within 60 s "
                       "(rule of profile dev)",
                       (unsigned long long)reply->number);
        daraja_refuse(q, wait_position, DARAJA_ERROR_DUPLICATE, "", words);
    } else if (reply->refusal == OPERATOR_SUBSCRIBER_LOCKED && reply->number == 0) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_SUBSCRIBER_LOCKED, "",
                      "this phone still has the prompt of a request open: one at a time");
    } else if (reply->refusal == OPERATOR_SUBSCRIBER_LOCKED) {
        (void)snprintf(words, sizeof(words),
                       "this phone still has a prompt open (txn_%llu): one at a time",
                       (unsigned long long)reply->number);
        daraja_refuse(q, wait_position, DARAJA_ERROR_SUBSCRIBER_LOCKED, "", words);
    } else {
        CHECK(reply->refusal == OPERATOR_MERCHANT_UNKNOWN);
        daraja_refuse(q, wait_position, DARAJA_ERROR_NO_MERCHANT, "",
                      "no organisation has this BusinessShortCode");
    }
}

enum engine_status daraja_open_code(struct surface *s, uint32_t short_code)
{
    if (operator_organisation(surface_operator(s), short_code) != NULL ||
        !opens_by_itself(s, short_code)) {
        return ENGINE_APPLIED;
    }
    return control_open_organisation(s, short_code).status;
}

enum engine_status daraja_open_phone(struct surface *s, uint64_t msisdn)
{
    if (operator_subscriber(surface_operator(s), msisdn) != NULL ||
        s->options.profile == PROFILE_STRICT) {
        return ENGINE_APPLIED;
    }
    return control_open_subscriber(s, msisdn).status;
}

static enum engine_status open_parties(struct surface *s, const struct daraja_stk_push *push)
{
    enum engine_status opened = daraja_open_code(s, push->party_b);
    return opened == ENGINE_APPLIED ? daraja_open_phone(s, push->phone_number) : opened;
}

struct daraja_url_rule daraja_url_rule(const struct surface *s)
{
    bool strict = s->options.profile == PROFILE_STRICT || s->options.profile == PROFILE_PRODUCTION;
    bool allowed = s->options.allow_loopback_callbacks;
    return (struct daraja_url_rule){.https_only = strict && !allowed,
                                    .public_only =
                                        (strict || s->options.refuses_private) && !allowed};
}

/* A scenario rule that answers instead (R6.2). */
static bool rule_refuses(struct request *q, const struct daraja_stk_push *push)
{
    struct rule_call call = {
        .api = RULE_API_STK_PUSH,
        .short_code = push->business_short_code,
        .msisdn = push->phone_number,
        .amount_minor = push->amount_minor,
        .reference = push->account_reference,
    };
    return face_rule_gate(q, &call);
}

static void handle_push(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_stk_push push;
    surface_time(q);
    if (!daraja_read_push(q, &push)) {
        return;
    }
    if (authenticate(q, push.business_short_code, push.password, push.timestamp) == NULL ||
        rule_refuses(q, &push)) {
        return;
    }
    enum engine_status opened = open_parties(s, &push);
    if (opened != ENGINE_APPLIED) {
        daraja_refuse_busy(q, opened);
        return;
    }
    struct stk_push_command command;
    struct operator_reply reply;
    memset(&reply, 0, sizeof(reply));
    push_command(s, &push, &command);
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_STK_PUSH, &command, &reply);
    if (!daraja_decided(q, result)) {
        return;
    }
    answer_push(q, result.wait_position, &reply);
}

/* ---- STK query and the callback: the same facts in two forms (R6.4) ---- */

/* The result of a payment as it is told; what a rule says of it lives here as long. */
struct told {
    struct daraja_stk_end end;
    struct daraja_stk_result result;
    struct ruled ruled;
    bool is_ruled;
    char code[RULE_CODE_MAX + 1];
};

static void result_of(struct surface *s, const struct stk_payment *p, struct told *told)
{
    const struct operator_state *o = surface_operator(s);
    memset(told, 0, sizeof(*told));
    told->is_ruled = payment_ruled(o, p, &told->ruled);
    payment_result_code(o, p, told->code);
    bool is_ordered = p->outcome == STK_RULED || p->outcome == STK_CANCELLED;
    told->end = (struct daraja_stk_end){
        .number = p->number,
        .accepted_ns = p->step_ns[STEP_ACCEPTED],
        .checkout_serial = p->checkout_serial,
        .msisdn = operator_subscriber_at(o, p->subscriber)->msisdn,
        .amount_minor = p->amount_minor,
        .ended_ns = p->step_ns[STEP_ENDED],
        .result_code = told->code,
        .words = is_ordered && told->is_ruled ? told->ruled.effects.outcome_text : NULL,
        .unanswered = p->outcome == STK_NO_ANSWER,
        .receipt_day = p->receipt_day,
        .receipt_serial = p->receipt,
    };
    daraja_stk_result_of(&told->end, &told->result);
}

static void answer_in_flight(struct request *q, const struct stk_payment *p)
{
    const struct operator_state *o = surface_operator(q->s);
    uint64_t wait_position = engine_read_position(q->s->engine);
    if (q->s->options.in_flight_is_500) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_IN_FLIGHT, "",
                      "the payment has not ended: this answer is not a failure, ask again");
        return;
    }
    struct daraja_stk_ids ids;
    payment_merchant_request_id(p, ids.merchant_request_id);
    payment_checkout_id(o, p, ids.checkout_request_id);
    struct writer w = surface_writer(q->s);
    daraja_stk_query_pending_render(&w, &ids);
    daraja_explain(q, "the payment has not ended: this answer is not a failure, ask again");
    surface_json(q, wait_position, 200, &w);
}

/* What a rule for this query orders, or else one for its payment; RULE_QUERY_TRUTH: none does. */
static struct rule_effects query_effects(struct request *q, const struct stk_payment *p)
{
    struct ruled ruled;
    if (q->ruled != NULL && q->ruled->effects.query != RULE_QUERY_TRUTH) {
        return q->ruled->effects;
    }
    if (payment_ruled(surface_operator(q->s), p, &ruled) &&
        ruled.effects.query != RULE_QUERY_TRUTH) {
        face_rule_explain(q, &ruled);
        return ruled.effects;
    }
    rule_effects_init(&ruled.effects);
    return ruled.effects;
}

static void answer_ended(struct request *q, const struct stk_payment *p)
{
    struct told told;
    struct rule_effects e = query_effects(q, p);
    if (e.query == RULE_QUERY_PENDING) {
        answer_in_flight(q, p);
        return;
    }
    result_of(q->s, p, &told);
    if (e.query == RULE_QUERY_CODE) {
        daraja_stk_result_tell(&told.result, e.query_code, e.query_text);
    }
    struct writer w = surface_writer(q->s);
    daraja_stk_query_result_render(&w, &told.result);
    daraja_explain(q, stk_outcome_words(p->outcome));
    surface_json(q, engine_read_position(q->s->engine), 200, &w);
}

static void handle_query(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_stk_query query;
    if (!daraja_read_query(q, &query)) {
        return;
    }
    if (authenticate(q, query.business_short_code, query.password, query.timestamp) == NULL) {
        return;
    }
    uint64_t wait_position = engine_read_position(s->engine);
    const struct stk_payment *p = surface_payment_by_id(s, query.checkout_request_id);
    if (p == NULL && s->index_unread) {
        daraja_refuse_busy(q, ENGINE_NO_INDEX); /* whoever reads "unknown" charges again */
        return;
    }
    if (p == NULL || p->short_code != query.business_short_code) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_NO_CHECKOUT, "",
                      "this short code has no payment with this CheckoutRequestID");
        return;
    }
    struct rule_call call = {
        .api = RULE_API_STK_QUERY,
        .short_code = p->short_code,
        .msisdn = operator_subscriber_at(surface_operator(s), p->subscriber)->msisdn,
        .amount_minor = p->amount_minor,
        .reference = operator_text(surface_operator(s), p->reference),
    };
    if (face_rule_read(q, &call)) {
        return;
    }
    if (!stk_state_final(p->state)) {
        answer_in_flight(q, p);
        return;
    }
    answer_ended(q, p);
}

bool surface_outgoing_fails(struct surface *s, const struct outbox_item *item)
{
    const struct operator_state *o = surface_operator(s);
    uint16_t kind = item->kind & (uint16_t)~MESSAGE_RULED;
    bool is_payment = kind == MESSAGE_STK_CALLBACK;
    const struct stk_payment *p = is_payment ? operator_payment(o, item->subject) : NULL;
    bool of_request =
        kind == MESSAGE_RESULT || kind == MESSAGE_TIMEOUT || kind == MESSAGE_VALIDATION;
    const struct operator_request *r = of_request ? operator_request(o, item->subject) : NULL;
    struct ruled ruled;
    if (r != NULL) {
        return request_message_ruled(o, r, kind, &ruled) &&
               item->attempts < ruled.effects.fail_first;
    }
    return p != NULL && payment_ruled(o, p, &ruled) && item->attempts < ruled.effects.fail_first;
}

bool surface_outgoing(struct surface *s, const struct outbox_item *item, struct writer *body,
                      struct span *url_out)
{
    const struct operator_state *o = surface_operator(s);
    const struct outbox_edit *edit = outbox_edit(&engine_book(s->engine)->outbox, item->number);
    if (edit != NULL) {
        struct span text = operator_text(o, edit->body);
        put_raw(body, text.data, text.size);
        *url_out = operator_text(o, edit->url);
        return !body->overflow;
    }
    if (item->kind == MESSAGE_BILL) {
        return daraja_bill_outgoing(s, item, body, url_out);
    }
    if (item->kind == MESSAGE_CONFIRMATION) {
        return daraja_income_outgoing(s, item, body, url_out);
    }
    if ((item->kind & ~MESSAGE_RULED) != MESSAGE_STK_CALLBACK) {
        return daraja_request_outgoing(s, item, body, url_out);
    }
    const struct stk_payment *p = operator_payment(o, item->subject);
    struct told told;
    if (p == NULL || !stk_state_final(p->state)) {
        return false;
    }
    result_of(s, p, &told);
    if ((item->kind & MESSAGE_RULED) != 0 && told.is_ruled) {
        daraja_stk_result_bend(&told.end, &told.ruled.effects, &told.result);
    }
    daraja_stk_callback_render(body, &told.result);
    *url_out = operator_text(o, p->url);
    return !body->overflow;
}

bool daraja_is_path(struct span path)
{
    static const char *const roots[] = {"/mpesa/",        "/oauth/", "/imsi/",
                                        "/sfcverify/",    "/v1/",    "/pulltransactions/",
                                        "/standingorder/"};
    for (uint32_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        if (span_starts_with(path, span_from(roots[i]))) {
            return true;
        }
    }
    return false;
}

bool daraja_fail(struct request *q, const char *words)
{
    if (!daraja_is_path(q->path)) {
        return false;
    }
    daraja_refuse(q, 0, DARAJA_ERROR_INTERNAL, "", words);
    return true;
}

bool daraja_route(struct request *q)
{
    if (span_is(q->path, DARAJA_PATH_PUSH)) {
        handle_push(q);
    } else if (span_is(q->path, PATH_QUERY)) {
        handle_query(q);
    } else if (span_is(q->path, PATH_OAUTH)) {
        handle_oauth(q);
    } else if (daraja_request_route(q) || daraja_c2b_route(q) || daraja_lookup_route(q) ||
               daraja_ratiba_route(q) || daraja_bill_route(q)) {
        return true;
    } else if (daraja_is_path(q->path)) {
        daraja_refuse_path(q, "no Daraja API has this path");
    } else {
        return false;
    }
    return true;
}
