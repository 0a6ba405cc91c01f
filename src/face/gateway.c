/*
 * gateway.c - the merchant's surface: who may call (an API key for each merchant), which call is
 * which, and what the calls share. Object access is checked in each: an id of another merchant's
 * is "not found". See docs/merchant.md. Tests: tests/e2e/320-gateway.sh.
 */
#include "face/gateway.h"
#include "face/daraja.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/caltime.h"
#include "base/hash.h"

struct gateway_face *gateway_face_create(void)
{
    return calloc(1, sizeof(struct gateway_face));
}

void gateway_face_destroy(struct gateway_face *f)
{
    if (f != NULL) {
        explicit_bzero(f, sizeof(*f));
        free(f);
    }
}

static void copy_url(char out[GATEWAY_BASE_URL_MAX], struct span url)
{
    CHECK(url.size < GATEWAY_BASE_URL_MAX);
    if (url.size > 0) {
        memcpy(out, url.data, url.size);
    }
    out[url.size] = '\0';
}

void gateway_urls(struct surface *s, struct span operator_url, struct span own_url)
{
    copy_url(s->gateway->operator_url, operator_url);
    copy_url(s->gateway->own_url, own_url);
}

/* ---- what the calls share ---- */

void gateway_key_hash(struct surface *s, struct span key, uint8_t out[16])
{
    struct span parts[2] = {SPAN_LITERAL("api key"), key};
    secrets_digest(s->options.secrets, parts, 2, out);
}

void gateway_hex(const uint8_t bytes[16], char out[GATEWAY_TOKEN_TEXT])
{
    for (uint32_t i = 0; i < 16; i++) {
        (void)snprintf(out + (size_t)2 * i, 3, "%02x", bytes[i]);
    }
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool gateway_unhex(struct span text, uint8_t out[16])
{
    if (text.size != 32) {
        return false;
    }
    for (uint32_t i = 0; i < 16; i++) {
        int high = nibble(text.data[2 * i]);
        int low = nibble(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void gateway_text_field(struct surface *s, struct writer *w, const char *name, uint32_t handle)
{
    if (handle == TEXT_NONE) {
        json_field_null(w, name);
    } else {
        json_field_string(w, name, gateway_text(surface_gateway(s), handle));
    }
}

bool gateway_is_callers(const struct request *q, uint32_t provider)
{
    const struct gateway_provider *p = gateway_provider(surface_gateway(q->s), provider);
    return p != NULL && p->merchant == q->merchant;
}

bool gateway_invalid(struct request *q, const char *code, const char *detail)
{
    surface_problem(q, 0, 422, code, detail);
    return false;
}

bool gateway_member_text(struct json_object *body, const char *name, size_t max, struct span *out)
{
    struct json_object *member = json_member(body, name);
    return member != NULL && json_string(member, out) && out->size > 0 && out->size <= max;
}

/* ---- who may call ---- */

static bool has_api_key(struct request *q)
{
    struct span key;
    uint8_t hash[16];
    if (surface_bearer(q, &key)) {
        gateway_key_hash(q->s, key, hash);
        q->merchant = gateway_merchant_of_key(surface_gateway(q->s), hash);
        if (q->merchant != SLAB_NONE) {
            return true;
        }
    }
    http_reply_header(q->x, "WWW-Authenticate", SPAN_LITERAL("Bearer"));
    surface_problem(q, engine_read_position(q->s->engine), 401, "api_key_needed",
                    "send an API key: Authorization: Bearer sk_...");
    return false;
}

/* Shedding before a body is read (R3.2): new payments, not what continues accepted ones. */
bool gateway_admit(struct surface *s, struct http_exchange *x)
{
    if (gateway_front_is_push(http_path(x))) {
        return daraja_admit(s, x);
    }
    if (!span_is(http_path(x), "/v1/payments") || !span_is(http_method(x), "POST")) {
        return true;
    }
    enum engine_status status = engine_admits(s->engine, ENGINE_NEW_WORK);
    if (status == ENGINE_APPLIED) {
        return true;
    }
    struct request q = {.s = s, .x = x};
    s->refused_busy += status != ENGINE_DISK_FULL;
    s->refused_disk += status == ENGINE_DISK_FULL;
    surface_not_decided(&q, status);
    return false;
}

static const struct route MERCHANT_ROUTES[] = {
    {"POST", "/v1/payments", gateway_payment_create},
    {"GET", "/v1/payments", gateway_payment_list},
    {"GET", "/v1/payments/{}", gateway_payment_get},
    {"GET", "/v1/payments/{}/timeline", gateway_payment_timeline},
    {"POST", "/v1/payments/{}/resolve", gateway_payment_resolve},
    {"POST", "/v1/payments/{}/release", gateway_payment_release},
    {"POST", "/v1/payments/{}/decide", gateway_payment_decide},
    {"POST", "/v1/payments/{}/refund", gateway_refund_payment},
    {"POST", "/v1/refunds", gateway_refund_create},
    {"GET", "/v1/refunds", gateway_refund_list},
    {"GET", "/v1/refunds/{}", gateway_refund_get},
    {"GET", "/v1/refunds/{}/timeline", gateway_refund_timeline},
    {"POST", "/v1/refunds/{}/decide", gateway_refund_decide},
    {"POST", "/v1/payouts", gateway_payout_create},
    {"GET", "/v1/payouts", gateway_payout_list},
    {"GET", "/v1/payouts/{}", gateway_payout_get},
    {"GET", "/v1/payouts/{}/timeline", gateway_payout_timeline},
    {"POST", "/v1/payouts/{}/decide", gateway_payout_decide},
    {"GET", "/v1/receipts", gateway_receipt_list},
    {"GET", "/v1/receipts/{}", gateway_receipt_get},
    {"POST", "/v1/receipts/{}/assign", gateway_receipt_assign},
    {"GET", "/v1/accounts/{}", gateway_account_get},
    {"POST", "/v1/webhook_endpoints", gateway_endpoint_create},
    {"GET", "/v1/webhook_endpoints", gateway_endpoint_list},
    {"DELETE", "/v1/webhook_endpoints/{}", gateway_endpoint_remove},
    {"POST", "/v1/webhook_endpoints/{}/rotate", gateway_endpoint_rotate},
    {"GET", "/v1/dead_letters", gateway_dead_letter_list},
    {"POST", "/v1/dead_letters/{}/retry", gateway_dead_letter_retry},
    {"GET", "/v1/events", gateway_event_list},
    {"GET", "/v1/events/{}", gateway_event_get},
    {"POST", "/v1/events/{}/replay", gateway_event_replay},
    {"GET", "/v1/notices", gateway_notice_list},
    {"POST", "/v1/statements", gateway_statement_create},
    {"POST", "/v1/pull", gateway_pull_create},
    {"POST", "/v1/pull/register", gateway_pull_register},
    {"GET", "/v1/discrepancies", gateway_discrepancy_list},
    {"POST", "/v1/discrepancies/{}/resolve", gateway_discrepancy_resolve},
    {"GET", "/v1/shadow", gateway_shadow_list},
    {"POST", "/v1/reconciliations/run", gateway_reconciliation_run},
    {"GET", "/v1/reconciliations/{}", gateway_reconciliation_get},
    {"POST", "/v1/providers", gateway_provider_create},
    {"GET", "/v1/providers", gateway_provider_list},
    {"POST", "/v1/providers/{}", gateway_provider_set},
    {"POST", "/v1/providers/{}/c2b", gateway_c2b_register},
    {"POST", "/v1/providers/{}/rotate_callbacks", gateway_callbacks_rotate},
    {"POST", "/v1/providers/{}/retire_callbacks", gateway_callbacks_retire},
    {"POST", "/v1/api_keys", gateway_key_create},
};

static const struct route CALLBACK_ROUTES[] = {
    {"POST", "/callbacks/{}", gateway_callback},
    {"POST", "/callbacks/{}/{}", gateway_callback},
};

/* Without an API key: whoever has the id may look, and nothing more. */
static const struct route CHECKOUT_ROUTES[] = {
    {"GET", "/pay/checkout.js", gateway_checkout_script},
    {"GET", "/pay/checkout.css", gateway_checkout_style},
    {"GET", "/pay/{}", gateway_checkout_page},
    {"GET", "/pay/{}/state", gateway_checkout_state},
};

bool gateway_route(struct request *q)
{
    if (span_starts_with(q->path, SPAN_LITERAL("/pay/"))) {
        surface_dispatch(q, CHECKOUT_ROUTES, sizeof(CHECKOUT_ROUTES) / sizeof(CHECKOUT_ROUTES[0]));
        return true;
    }
    if (span_starts_with(q->path, SPAN_LITERAL("/callbacks/"))) {
        surface_dispatch(q, CALLBACK_ROUTES, sizeof(CALLBACK_ROUTES) / sizeof(CALLBACK_ROUTES[0]));
        return true;
    }
    if (gateway_shadow_route(q) || gateway_front_route(q)) {
        return true;
    }
    if (!span_starts_with(q->path, SPAN_LITERAL("/v1/"))) {
        return false;
    }
    if (has_api_key(q)) {
        surface_dispatch(q, MERCHANT_ROUTES, sizeof(MERCHANT_ROUTES) / sizeof(MERCHANT_ROUTES[0]));
    }
    return true;
}

/* ---- the seed ---- */

/* What the sandbox and the operator next door know as well (interfaces: seeded at first start). */
#define DEV_KEY        "sk_test_hakika"
#define DEV_SHORT_CODE 174379
#define DEV_PASSKEY    "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"

struct sealed_text {
    uint8_t bytes[GATEWAY_SEALED_MAX];
    size_t size;
};

static struct span seal(struct surface *s, struct sealed_text *out, const char *plain)
{
    out->size = secrets_seal(s->options.secrets, span_from(plain), out->bytes, sizeof(out->bytes));
    return (struct span){(const char *)out->bytes, out->size};
}

void gateway_first_key(struct surface *s, struct span key)
{
    gateway_key_hash(s, key, s->gateway->first_key_hash);
    s->gateway->has_first_key = true;
}

struct engine_result gateway_seed(struct surface *s)
{
    struct gateway_seed_command c = {.name = SPAN_LITERAL("Default merchant")};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct sealed_text sealed[5];
    bool dev = s->options.profile != PROFILE_PRODUCTION;
    const char *key = s->options.merchant_key != NULL ? s->options.merchant_key : DEV_KEY;
    bool given = s->options.merchant_key != NULL || s->gateway->has_first_key;
    CHECK(dev || given); /* or nobody could ever call */
    c.has_key = true;
    if (s->gateway->has_first_key) {
        memcpy(c.key_hash, s->gateway->first_key_hash, sizeof(c.key_hash));
    } else {
        gateway_key_hash(s, span_from(key), c.key_hash);
    }
    if (dev) {
        c.has_provider = s->gateway->operator_url[0] != '\0';
    }
    if (c.has_provider) {
        c.provider.kind = OBSERVED_AT_DARAJA;
        c.provider.short_code = DEV_SHORT_CODE;
        c.provider.target = hash_u64(DEV_SHORT_CODE, 0);
        secrets_random(c.provider.token, sizeof(c.provider.token));
        c.provider.key = seal(s, &sealed[0], APPS_PUBLIC_KEY);
        c.provider.secret = seal(s, &sealed[1], APPS_PUBLIC_KEY);
        c.provider.passkey = seal(s, &sealed[2], DEV_PASSKEY);
        c.provider.initiator = seal(s, &sealed[3], "testapi");
        c.provider.credential = seal(s, &sealed[4], "dev"); /* dev asks for no real one */
    }
    return engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_GATEWAY_SEED, &c, &reply);
}
