/*
 * gateway_front.c - Daraja's own paths on the merchant's port (R6.12): an application that speaks
 * Daraja changes its base URL and nothing else. OAuth, STK push and STK query are answered here; a
 * push becomes a payment of the merchant's book like any other, and its end is forwarded to the
 * application's own CallBackURL as Daraja would tell it, at least once.
 *
 * The ids are ours: the push is acknowledged when the payment is durable, before the provider has
 * answered. Who may call is who knows the provider account's consumer key and secret, and the
 * passkey. Whoever pushes twice makes two payments, as with Daraja itself: AccountReference is no
 * order here. Tests: tests/e2e/345-gateway-front.sh.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/ids.h"
#include "face/daraja.h"
#include "face/gateway.h"
#include "wire/daraja_auth.h"
#include "wire/daraja_result.h"
#include "wire/daraja_stk.h"

/* In a token's 24 bits: any account (0: as in apps.h), or the slot of one and 1. */
enum { FRONT_ANY = APPS_ANY, PLAIN_MAX = GATEWAY_SEALED_MAX };

bool gateway_front_is_push(struct span path)
{
    return span_is(path, DARAJA_PATH_PUSH);
}

/* ---- who may call ---- */

bool gateway_front_sealed_is(struct surface *s, uint32_t handle, struct span given)
{
    char plain[PLAIN_MAX];
    size_t size = 0;
    struct span sealed = gateway_text(surface_gateway(s), handle);
    bool same = sealed.size > 0 &&
                secrets_unseal(s->options.secrets, sealed, plain, sizeof(plain), &size) &&
                span_equal_secret((struct span){plain, size}, given);
    explicit_bzero(plain, sizeof(plain));
    return same;
}

/* The provider account with this consumer key, and where there are several, the first with this
 * secret, too (*good); SLAB_NONE: none. */
static uint32_t account_of_key(struct surface *s, struct span key, struct span secret, bool *good)
{
    const struct gateway *g = surface_gateway(s);
    uint32_t found = SLAB_NONE;
    *good = false;
    for (uint32_t i = slab_next(&g->providers, 0); i != SLAB_NONE && !*good;
         i = slab_next(&g->providers, i + 1)) {
        const struct gateway_provider *p = gateway_provider(g, i);
        if (p->kind == OBSERVED_AT_DARAJA && gateway_front_sealed_is(s, p->key, key)) {
            *good = gateway_front_sealed_is(s, p->secret, secret);
            found = i;
        }
    }
    return found;
}

static bool is_open(const struct surface *s)
{
    return s->options.profile == PROFILE_DEV || s->options.profile == PROFILE_SANDBOX;
}

static void front_oauth(struct request *q)
{
    char decoded[1024];
    char token[SECRETS_TOKEN_SIZE];
    struct span key;
    struct span secret;
    bool good;
    if (!daraja_read_basic(q, decoded, sizeof(decoded), &key, &secret)) {
        return;
    }
    struct writer w = surface_writer(q->s);
    uint32_t account = account_of_key(q->s, key, secret, &good);
    bool any = account == SLAB_NONE && is_open(q->s) && secret.size > 0 && !span_is(key, "invalid");
    explicit_bzero(decoded, sizeof(decoded));
    if (!good && !any) {
        daraja_explain(q, "consumer key and secret are those of no provider account here");
        surface_answer(q, engine_read_position(q->s->engine), 400, "application/json", &w);
        return;
    }
    secrets_token_make(q->s->options.secrets, engine_now(q->s->engine),
                       any ? FRONT_ANY : account + 1, token);
    daraja_token_render(&w, span_from(token), SECRETS_TOKEN_LIFE_S - 1);
    surface_json(q, any ? 0 : engine_read_position(q->s->engine), 200, &w);
}

/* Is the account one of the app whose token this is? An app of Daraja has one consumer key and may
 * have several short codes, each of them an account here. */
static bool is_of_app(struct request *q, uint32_t slot)
{
    const struct gateway *g = surface_gateway(q->s);
    const struct gateway_provider *p = gateway_provider(g, slot);
    const struct gateway_provider *of =
        q->app == FRONT_ANY ? NULL : gateway_provider(g, q->app - 1);
    if (q->app == FRONT_ANY || of == p) {
        return true;
    }
    char key[PLAIN_MAX];
    size_t size = 0;
    bool same =
        of != NULL && of->merchant == p->merchant &&
        secrets_unseal(q->s->options.secrets, gateway_text(g, of->key), key, sizeof(key), &size) &&
        gateway_front_sealed_is(q->s, p->key, (struct span){key, size});
    explicit_bzero(key, sizeof(key));
    return same;
}

/* The account of the token's app, or any, with this short code; SLAB_NONE: none. */
uint32_t gateway_front_account(struct request *q, uint32_t short_code)
{
    const struct gateway *g = surface_gateway(q->s);
    for (uint32_t i = slab_next(&g->providers, 0); i != SLAB_NONE;
         i = slab_next(&g->providers, i + 1)) {
        const struct gateway_provider *p = gateway_provider(g, i);
        if (p->kind == OBSERVED_AT_DARAJA && p->short_code == short_code && is_of_app(q, i)) {
            return i;
        }
    }
    return SLAB_NONE;
}

/* BusinessShortCode and Password; SLAB_NONE after answering. */
static uint32_t authenticate_account(struct request *q, uint32_t short_code, struct span password,
                                     struct span timestamp)
{
    char plain[PLAIN_MAX];
    size_t size = 0;
    uint64_t wait_position = engine_read_position(q->s->engine);
    const struct gateway *g = surface_gateway(q->s);
    uint32_t account = gateway_front_account(q, short_code);
    if (account == SLAB_NONE) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_NO_MERCHANT, "",
                      "no provider account of this app has the short code: POST /v1/providers");
        return SLAB_NONE;
    }
    struct span sealed = gateway_text(g, gateway_provider(g, account)->passkey);
    bool good =
        sealed.size > 0 &&
        secrets_unseal(q->s->options.secrets, sealed, plain, sizeof(plain), &size) &&
        daraja_password_matches(password, short_code, (struct span){plain, size}, timestamp);
    explicit_bzero(plain, sizeof(plain));
    if (!good) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_WRONG_CREDENTIALS, "",
                      "Password must be base64 of BusinessShortCode, passkey and this same "
                      "Timestamp");
        return SLAB_NONE;
    }
    return account;
}

/* ---- ids: ours, made of what never changes of a payment ---- */

static void push_ids_of(const struct gateway_payment *p, struct daraja_stk_ids *out)
{
    int64_t created_ns = p->entered_ns[GATEWAY_CREATED];
    id_merchant_request_format((uint64_t)created_ns, p->number, out->merchant_request_id);
    id_checkout_format(created_ns, (uint32_t)p->number, p->phone, out->checkout_request_id);
}

/* NULL: no payment that came in here has this id. */
static const struct gateway_payment *payment_of(struct surface *s, struct span id)
{
    struct daraja_stk_ids ids;
    int64_t second_ns;
    uint32_t serial;
    uint32_t tail;
    s->index_unread = false;
    if (!id_checkout_parse(id, &second_ns, &serial, &tail)) {
        return NULL;
    }
    const struct gateway_payment *p = gateway_reach(s, serial);
    if (p == NULL || p->front_url == TEXT_NONE) {
        return NULL;
    }
    push_ids_of(p, &ids);
    return span_is(id, ids.checkout_request_id) ? p : NULL;
}

/* ---- push ---- */

enum { ORDER_REFERENCE_MAX = 60 };

/* An order of its own for each push: whose AccountReference is always the same pays more than
 * once. */
struct span gateway_front_order(const struct gateway *g, struct span reference,
                                char room[GATEWAY_ORDER_MAX])
{
    struct span named = span_cut(reference, ORDER_REFERENCE_MAX);
    int written = snprintf(room, GATEWAY_ORDER_MAX, "%.*s#%llu", (int)named.size, named.data,
                           (unsigned long long)g->last_payment + 1);
    CHECK(written > 0 && written < GATEWAY_ORDER_MAX);
    return (struct span){room, (size_t)written};
}

/* What the account is configured for and what the push asks must be the same. */
static bool fits_account(struct request *q, const struct gateway_provider *p,
                         const struct daraja_stk_push *push)
{
    uint32_t party_b = p->party_b != 0 ? p->party_b : p->short_code;
    bool same_type = (push->type == DARAJA_BUY_GOODS_ONLINE) == p->is_till;
    if (same_type && push->party_b == party_b) {
        return true;
    }
    daraja_refuse(q, engine_read_position(q->s->engine), DARAJA_ERROR_INVALID_FIELD,
                  same_type ? "PartyB" : "TransactionType",
                  "the provider account of this short code is configured for another one");
    return false;
}

void gateway_front_unavailable(struct request *q, uint64_t wait_position, uint64_t seconds)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)seconds);
    http_reply_header(q->x, "Retry-After", (struct span){text, (size_t)size});
    daraja_refuse(q, wait_position, DARAJA_ERROR_BUSY, "",
                  "the provider has not answered for some time, and nothing was sent");
}

static void create(struct request *q, uint32_t account, const struct daraja_stk_push *push)
{
    struct surface *s = q->s;
    const struct gateway *g = surface_gateway(s);
    char order[GATEWAY_ORDER_MAX];
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct daraja_stk_ids ids;
    struct payment_create_command c = {
        .merchant = gateway_provider(g, account)->merchant,
        .provider = account,
        .amount_minor = push->amount_minor,
        .phone = push->phone_number,
        .method = METHOD_MPESA_STK,
        .capture = CAPTURE_WALLET,
        .order = gateway_front_order(g, push->account_reference, order),
        .description = push->transaction_desc,
        .front = {.url = push->callback_url,
                  .reference = push->account_reference,
                  .target = surface_url_target(push->callback_url)},
    };
    secrets_random(c.token, sizeof(c.token));
    secrets_random(c.key, sizeof(c.key)); /* a push has no key of its own */
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_PAYMENT_CREATE, &c, &reply);
    if (reply.refusal == GATEWAY_UNAVAILABLE) {
        gateway_front_unavailable(q, result.wait_position, reply.number);
        return;
    }
    if (result.status != ENGINE_APPLIED) {
        daraja_refuse_busy(q, result.status);
        return;
    }
    push_ids_of(gateway_payment(g, reply.number), &ids);
    struct writer w = surface_writer(s);
    daraja_stk_accepted_render(&w, &ids);
    daraja_explain(q, "accepted and durable: the gateway asks the provider next");
    surface_json(q, result.wait_position, 200, &w);
}

static void front_push(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_stk_push push;
    if (!daraja_read_push(q, &push)) {
        return;
    }
    uint32_t account =
        authenticate_account(q, push.business_short_code, push.password, push.timestamp);
    if (account != SLAB_NONE &&
        fits_account(q, gateway_provider(surface_gateway(s), account), &push)) {
        create(q, account, &push);
    }
}

/* ---- the end, as Daraja tells it ---- */

/* What the provider said, if it is a result code; an error of a request ("500.001.1001") and a push
 * that never left are told as a prompt that could not be sent. */
static enum daraja_result_kind usual_end(uint8_t state)
{
    return state == GATEWAY_EXPIRED     ? DARAJA_RESULT_UNREACHABLE
           : state == GATEWAY_CANCELLED ? DARAJA_RESULT_CANCELLED
                                        : DARAJA_RESULT_PUSH_FAILED;
}

struct push_end {
    struct daraja_stk_result result;
    char code[GATEWAY_CODE_MAX + 1];
    char words[GATEWAY_WORDS_MAX + 1];
};

static void copy(char *out, size_t room, struct span text)
{
    size_t size = text.size < room ? text.size : room - 1;
    if (size > 0) {
        memcpy(out, text.data, size);
    }
    out[size] = '\0';
}

static void push_end_of(struct surface *s, const struct gateway_payment *p, struct push_end *out)
{
    const struct gateway *g = surface_gateway(s);
    struct span code = gateway_text(g, p->code);
    bool paid = p->entered_ns[GATEWAY_SUCCEEDED] != 0;
    bool said = code.size > 0 && memchr(code.data, '.', code.size) == NULL && !span_is(code, "0");
    const struct daraja_result_text *usual =
        daraja_result_text(paid ? DARAJA_RESULT_SUCCESS : usual_end(p->state));
    memset(out, 0, sizeof(*out));
    push_ids_of(p, &out->result.ids);
    copy(out->code, sizeof(out->code), !paid && said ? code : span_from(usual->code));
    copy(out->words, sizeof(out->words),
         !paid && said ? gateway_text(g, p->words) : span_from(usual->desc));
    out->result.result_code = out->code;
    out->result.result_desc = out->words;
    out->result.amount_minor = gateway_paid_minor(p);
    out->result.phone_number = p->phone;
    copy(out->result.receipt, sizeof(out->result.receipt), gateway_text(g, p->receipt));
    (void)eat_stamp_format(p->entered_ns[paid ? GATEWAY_SUCCEEDED : p->state],
                           out->result.transaction_date);
}

void gateway_front_message(struct surface *s, const struct gateway_payment *p, uint16_t kind,
                           struct writer *w, struct gateway_job *job)
{
    struct push_end end;
    memset(job, 0, sizeof(*job));
    size_t start = w->size;
    if (gateway_pays_out(p->method)) {
        gateway_front_result(s, p, kind, w);
    } else {
        CHECK(p->front_url != TEXT_NONE && gateway_state_ended(p->state));
        push_end_of(s, p, &end);
        daraja_stk_callback_render(w, &end.result);
    }
    CHECK(!w->overflow);
    job->body = (struct span){(const char *)w->data + start, w->size - start};
    job->url = gateway_text(surface_gateway(s), kind == MESSAGE_LATE ? p->late_url : p->front_url);
}

/* ---- query ---- */

/* Whatever is not decided is in flight, an unknown outcome too: never a failure (R2.5). */
static void front_query(struct request *q)
{
    struct daraja_stk_query query;
    struct push_end end;
    if (!daraja_read_query(q, &query)) {
        return;
    }
    uint32_t account =
        authenticate_account(q, query.business_short_code, query.password, query.timestamp);
    if (account == SLAB_NONE) {
        return;
    }
    uint64_t wait_position = engine_read_position(q->s->engine);
    const struct gateway_payment *p = payment_of(q->s, query.checkout_request_id);
    if (p == NULL && q->s->index_unread) {
        daraja_refuse_busy(q, ENGINE_NO_INDEX); /* whoever reads "unknown" charges again */
        return;
    }
    if (p == NULL || p->provider != account) {
        daraja_refuse(q, wait_position, DARAJA_ERROR_NO_CHECKOUT, "",
                      "no payment of this short code came in here with this CheckoutRequestID");
        return;
    }
    struct writer w = surface_writer(q->s);
    if (gateway_state_ended(p->state)) {
        push_end_of(q->s, p, &end);
        daraja_stk_query_result_render(&w, &end.result);
    } else {
        memset(&end, 0, sizeof(end));
        push_ids_of(p, &end.result.ids);
        daraja_stk_query_pending_render(&w, &end.result.ids);
    }
    surface_json(q, wait_position, 200, &w);
}

/* Which method each takes is said in Daraja's words, by the call itself. */
static const struct route FRONT_ROUTES[] = {
    {"GET", "/oauth/v1/generate", front_oauth},
    {"POST", "/mpesa/stkpush/v1/processrequest", front_push},
    {"POST", "/mpesa/stkpushquery/v1/query", front_query},
    {"POST", "/mpesa/b2c/v1/paymentrequest", gateway_front_payout_v1},
    {"POST", "/mpesa/b2c/v3/paymentrequest", gateway_front_payout_v3},
    {"POST", "/mpesa/reversal/v1/request", gateway_front_reversal},
    {"POST", "/mpesa/c2b/v1/registerurl", gateway_front_register},
    {"POST", "/mpesa/c2b/v2/registerurl", gateway_front_register},
};

bool gateway_front_route(struct request *q)
{
    for (size_t i = 0; i < sizeof(FRONT_ROUTES) / sizeof(FRONT_ROUTES[0]); i++) {
        if (span_is(q->path, FRONT_ROUTES[i].pattern)) {
            FRONT_ROUTES[i].handle(q);
            return true;
        }
    }
    if (!daraja_is_path(q->path) || span_starts_with(q->path, SPAN_LITERAL("/v1/"))) {
        return false;
    }
    daraja_refuse(
        q, 0, DARAJA_ERROR_NOT_FOUND, "",
        "the gateway answers OAuth, STK push and query, B2C, reversal and C2B's registerurl "
        "here; shadow mode (--shadow-of) forwards every path");
    return true;
}
