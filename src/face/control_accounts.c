/*
 * control_accounts.c - the control API's calls about subscribers, organisations and money.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/money.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/paystack.h"

#define DEV_BALANCE_MINOR      ((int64_t)100000 * 100)
#define DEV_ORGANISATION_MINOR ((int64_t)1000000 * 100)
/* Public: Safaricom's sandbox hands it to everybody. */
#define SANDBOX_PASSKEY        "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"

/* ---- reading bodies ---- */

struct field_error {
    const char *code;
    const char *detail;
};

static void answer_field(struct request *q, struct field_error e)
{
    surface_problem(q, 0, 400, e.code, e.detail);
}

static bool pin_read(struct json_object *value, struct span *out)
{
    if (value == NULL || !json_string(value, out) || out->size != 4) {
        return false;
    }
    for (size_t i = 0; i < out->size; i++) {
        if (out->data[i] < '0' || out->data[i] > '9') {
            return false;
        }
    }
    return true;
}

static bool msisdn_read(struct surface *s, struct json_object *value, uint64_t *out)
{
    int64_t number;
    if (value == NULL || !json_whole(s->json, value, &number) || number < 0) {
        return false;
    }
    *out = (uint64_t)number;
    return msisdn_valid(*out);
}

/* A string of at most max bytes; absent gives the empty one. */
static bool text_read(struct json_object *value, size_t max, struct span *out)
{
    *out = SPAN_EMPTY;
    return value == NULL || (json_string(value, out) && out->size <= max);
}

static bool amount_read(struct json_object *value, int64_t min, int64_t absent, int64_t *out)
{
    const int64_t max = (int64_t)1000000000000 * 100; /* a thousand billion shillings */
    *out = absent;
    return value == NULL || (json_integer(value, out) && *out >= min && *out <= max);
}

/* ---- subscribers ---- */

void control_subscriber_render(struct surface *s, struct writer *w, const struct subscriber *u)
{
    static const char *const names[] = {"unregistered", "active", "suspended"};
    const struct operator_state *o = surface_operator(s);
    uint8_t most = o->settings->pin_failures_max;
    bool registered = u->status != SUBSCRIBER_UNREGISTERED;
    bool locked = u->pin_failures >= most;
    char msisdn[24];
    (void)snprintf(msisdn, sizeof(msisdn), "%llu", (unsigned long long)u->msisdn);
    json_open(w, '{');
    json_field_text(w, "object", "subscriber");
    json_field_text(w, "msisdn", msisdn);
    json_field_string(w, "name", operator_text(o, u->name));
    json_field_text(w, "status",
                    u->status == SUBSCRIBER_ACTIVE && locked ? "pin_locked" : names[u->status]);
    json_field_i64(w, "balance", registered ? operator_balance(o, u->account) : 0);
    json_field_text(w, "currency", "KES");
    json_field_i64(w, "pin_attempts_left", locked ? 0 : most - u->pin_failures);
    json_field_i64(w, "day_allowance", operator_day_allowance(o, u, engine_now(s->engine)));
    json_field_bool(w, "reachable", u->reachable);
    if (u->sim_swapped_ns != 0) {
        char at[RFC3339_SIZE];
        (void)rfc3339_format(u->sim_swapped_ns, at);
        json_field_text(w, "sim_swapped_at", at);
    } else {
        json_field_null(w, "sim_swapped_at");
    }
    json_close(w, '}');
}

static void answer_subscriber(struct request *q, uint64_t wait_position, unsigned status,
                              uint32_t slot)
{
    struct writer w = surface_writer(q->s);
    control_subscriber_render(q->s, &w, operator_subscriber_at(surface_operator(q->s), slot));
    surface_json(q, wait_position, status, &w);
}

/* The subscriber of the path; NULL after answering. */
static const struct subscriber *find_subscriber(struct request *q)
{
    uint64_t msisdn;
    const struct subscriber *u = NULL;
    if (span_parse_u64(q->parts[0], &msisdn)) {
        u = operator_subscriber(surface_operator(q->s), msisdn);
    }
    if (u == NULL) {
        surface_problem(q, engine_read_position(q->s->engine), 404, "no_subscriber",
                        "nobody on this network has this number (form: 254712345678)");
    }
    return u;
}

/* What a control command that was not carried out means. */
static void answer_refusal(struct request *q, struct engine_result result,
                           enum operator_refusal refusal)
{
    if (!surface_decided(q, result)) {
        return;
    }
    uint64_t wait = result.wait_position;
    if (refusal == OPERATOR_EXISTS) {
        surface_problem(q, wait, 409, "exists", "it exists already; change it instead");
    } else if (refusal == OPERATOR_NO_MONEY) {
        surface_problem(q, wait, 409, "not_enough_money",
                        "the wallet does not hold that much; nothing was changed");
    } else if (refusal == OPERATOR_KEY_REUSED) {
        surface_problem(q, wait, 422, "idempotency_key_reused",
                        "this Idempotency-Key came before with another request");
    } else if (refusal == OPERATOR_LIMIT) {
        surface_problem(q, wait, 400, "out_of_range", "an amount or a text is out of range");
    } else {
        surface_problem(q, wait, 404, "not_found", "there is no such thing on this network");
    }
}

void control_subscriber_open(struct request *q)
{
    struct surface *s = q->s;
    struct json_object *body = control_body(q);
    if (body == NULL) {
        return;
    }
    struct subscriber_command c;
    struct span pin = SPAN_LITERAL("1234");
    struct json_object *given_pin = json_member(body, "pin");
    memset(&c, 0, sizeof(c));
    struct field_error e = {NULL, NULL};
    if (!msisdn_read(s, json_member(body, "msisdn"), &c.msisdn)) {
        e = (struct field_error){"invalid_msisdn", "msisdn must be like 254712345678"};
    } else if (!text_read(json_member(body, "name"), OPERATOR_NAME_MAX, &c.name)) {
        e = (struct field_error){"invalid_name", "name must be a string of at most 100 bytes"};
    } else if (given_pin != NULL && !pin_read(given_pin, &pin)) {
        e = (struct field_error){"invalid_pin", "pin must be a string of 4 digits"};
    } else if (!amount_read(json_member(body, "balance"), 0, 0, &c.balance_minor)) {
        e = (struct field_error){"invalid_balance", "balance must be cents, 0 or more"};
    }
    if (e.code != NULL) {
        answer_field(q, e);
        return;
    }
    secrets_pin_verifier(s->options.secrets, c.msisdn, pin, c.verifier);
    c.key_version = SECRETS_KEY_VERSION;
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_SUBSCRIBER_OPEN, &c, &reply);
    if (result.status == ENGINE_APPLIED) {
        answer_subscriber(q, result.wait_position, 201, reply.slot);
    } else {
        answer_refusal(q, result, reply.refusal);
    }
}

struct engine_result control_open_subscriber(struct surface *s, uint64_t msisdn)
{
    struct subscriber_command c;
    struct operator_reply reply;
    memset(&c, 0, sizeof(c));
    c.msisdn = msisdn;
    c.name = SPAN_LITERAL("");
    c.key_version = SECRETS_KEY_VERSION;
    c.balance_minor = DEV_BALANCE_MINOR;
    secrets_pin_verifier(s->options.secrets, msisdn, SPAN_LITERAL("1234"), c.verifier);
    return engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_SUBSCRIBER_OPEN, &c, &reply);
}

void control_subscriber_get(struct request *q)
{
    const struct subscriber *u = find_subscriber(q);
    if (u != NULL) {
        struct writer w = surface_writer(q->s);
        control_subscriber_render(q->s, &w, u);
        surface_json(q, engine_read_position(q->s->engine), 200, &w);
    }
}

/* Fills the command from the body; e.code stays NULL when all is well. */
static struct field_error subscriber_change_read(struct surface *s, struct json_object *body,
                                                 struct subscriber_change_command *c)
{
    struct json_object *reachable = json_member(body, "reachable");
    struct json_object *status = json_member(body, "status");
    struct json_object *pin = json_member(body, "pin");
    struct json_object *swapped = json_member(body, "sim_swapped_at");
    struct json_object *adjust = json_member(body, "adjust_balance");
    struct span text;
    if (reachable != NULL) {
        c->fields |= CHANGE_REACHABLE;
        if (!json_boolean(reachable, &c->reachable)) {
            return (struct field_error){"invalid_reachable", "reachable must be true or false"};
        }
    }
    if (status != NULL) {
        c->fields |= CHANGE_STATUS;
        if (!json_string(status, &text) ||
            !(span_is(text, "active") || span_is(text, "suspended"))) {
            return (struct field_error){"invalid_status", "status must be active or suspended"};
        }
        c->status = span_is(text, "active") ? SUBSCRIBER_ACTIVE : SUBSCRIBER_SUSPENDED;
    }
    if (pin != NULL) {
        c->fields |= CHANGE_PIN;
        if (!pin_read(pin, &text)) {
            return (struct field_error){"invalid_pin", "pin must be a string of 4 digits"};
        }
        secrets_pin_verifier(s->options.secrets, c->msisdn, text, c->verifier);
        c->key_version = SECRETS_KEY_VERSION;
    }
    if (swapped != NULL) {
        c->fields |= CHANGE_SIM_SWAPPED;
        if (!json_string(swapped, &text) || !rfc3339_parse(text, &c->sim_swapped_ns)) {
            return (struct field_error){"invalid_sim_swapped_at",
                                        "sim_swapped_at must be like 2026-01-31T09:30:00Z"};
        }
    }
    if (adjust != NULL) {
        c->fields |= CHANGE_BALANCE;
        if (!amount_read(adjust, -(int64_t)1000000000000 * 100, 0, &c->adjust_minor)) {
            return (struct field_error){"invalid_adjust_balance",
                                        "adjust_balance must be cents to add (or, negative, to "
                                        "take away)"};
        }
    }
    return (struct field_error){NULL, NULL};
}

void control_subscriber_change(struct request *q)
{
    struct surface *s = q->s;
    struct json_object *body = control_body(q);
    if (body == NULL) {
        return;
    }
    const struct subscriber *u = find_subscriber(q);
    if (u == NULL) {
        return;
    }
    struct subscriber_change_command c;
    memset(&c, 0, sizeof(c));
    c.msisdn = u->msisdn;
    struct field_error e = subscriber_change_read(s, body, &c);
    if (e.code == NULL && c.fields == 0) {
        e = (struct field_error){"nothing_to_change",
                                 "give reachable, status, pin, sim_swapped_at or "
                                 "adjust_balance"};
    }
    if (e.code != NULL) {
        answer_field(q, e);
        return;
    }
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_SUBSCRIBER_CHANGE, &c, &reply);
    bool decided = result.status == ENGINE_APPLIED || result.status == ENGINE_REFUSED;
    if (decided && reply.refusal == OPERATOR_DONE) {
        answer_subscriber(q, result.wait_position, 200, reply.slot);
    } else {
        answer_refusal(q, result, reply.refusal);
    }
}

static void render_prompt(struct surface *s, struct writer *w, const struct stk_payment *p)
{
    const struct operator_state *o = surface_operator(s);
    const struct organisation *payee = operator_organisation(o, p->party_b);
    struct span name = payee != NULL ? operator_text(o, payee->name) : SPAN_EMPTY;
    struct span reference = operator_text(o, p->reference);
    char checkout[ID_TEXT_SIZE];
    char expires[RFC3339_SIZE];
    char text[512];
    char amount[MONEY_TEXT_MAX];
    payment_checkout_id(o, p, checkout);
    (void)rfc3339_format(p->expires_ns, expires);
    (void)money_format(p->amount_minor, amount);
    int size = snprintf(text, sizeof(text), "Do you want to pay Ksh%s to %.*s Account no. %.*s?",
                        amount, (int)name.size, name.data, (int)reference.size, reference.data);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    json_open(w, '{');
    json_field_text(w, "object", "prompt");
    json_field_text(w, "checkout_request_id", checkout);
    json_field_u64(w, "short_code", p->party_b);
    json_field_string(w, "organisation", name);
    json_field_i64(w, "amount", p->amount_minor);
    json_field_text(w, "currency", "KES");
    json_field_string(w, "account_reference", reference);
    json_field_text(w, "text", text);
    json_field_text(w, "expires_at", expires);
    json_close(w, '}');
}

void control_subscriber_prompts(struct request *q)
{
    const struct subscriber *u = find_subscriber(q);
    if (u == NULL) {
        return;
    }
    struct writer w = surface_writer(q->s);
    const struct stk_payment *p = operator_payment_at(surface_operator(q->s), u->open_payment);
    surface_list_open(&w);
    if (p != NULL && p->state == STK_PROCESSING && p->reached && p->answer == ANSWER_NONE) {
        render_prompt(q->s, &w, p);
    }
    const struct operator_request *r = operator_request_prompt(surface_operator(q->s), u);
    if (r != NULL) {
        control_request_prompt_render(q->s, &w, r);
    }
    surface_list_close(q, &w, false);
}

/* ---- organisations ---- */

void control_organisation_render(struct surface *s, struct writer *w, const struct organisation *g)
{
    static const char *const types[] = {"?", "paybill", "till", "bulk"};
    static const char *const charges[] = {"?", "customer", "shared", "business"};
    static const char *const accounts[] = {"utility", "working", "charges_paid", "settlement"};
    const struct operator_state *o = surface_operator(s);
    json_open(w, '{');
    json_field_text(w, "object", "organisation");
    json_field_u64(w, "short_code", g->short_code);
    json_field_string(w, "name", operator_text(o, g->name));
    json_field_text(w, "type", types[g->type]);
    json_field_text(w, "charges", charges[g->charges]);
    json_field_bool(w, "active", g->active);
    const struct subscriber *nominated = operator_subscriber_at(o, g->nominated);
    if (nominated != NULL) {
        json_field_u64(w, "nominated_msisdn", nominated->msisdn);
    } else {
        json_field_null(w, "nominated_msisdn");
    }
    json_field_i64(w, "queue_delay_ms", g->queue_delay_ns / NS_PER_MS);
    json_field_bool(w, "external_validation", g->c2b.validates);
    control_paystack_field(s, w, g);
    json_field_text(w, "currency", "KES");
    json_key(w, "accounts");
    json_open(w, '{');
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        json_field_i64(w, accounts[i], operator_balance(o, g->accounts[i]));
    }
    json_close(w, '}');
    json_close(w, '}');
}

void control_answer_organisation(struct request *q, uint64_t wait_position, unsigned status,
                                 const struct organisation *g)
{
    struct writer w = surface_writer(q->s);
    control_organisation_render(q->s, &w, g);
    surface_json(q, wait_position, status, &w);
}

/* One of the names, as its index + 1; absent gives the default; 0: another name. */
static uint8_t choice_read(struct json_object *value, const char *const *names, uint8_t count,
                           uint8_t absent)
{
    struct span text;
    if (value == NULL) {
        return absent;
    }
    if (!json_string(value, &text)) {
        return 0;
    }
    for (uint8_t i = 0; i < count; i++) {
        if (span_is(text, names[i])) {
            return (uint8_t)(i + 1);
        }
    }
    return 0;
}

static bool short_code_read(struct surface *s, struct json_object *value, uint32_t *out)
{
    int64_t number;
    if (value == NULL || !json_whole(s->json, value, &number) || number < 10000 ||
        number > 9999999) {
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

/* The sealed secrets of a command lie here while it is decided. */
struct sealed {
    uint8_t bytes[ORGANISATION_SECRETS][OPERATOR_SECRET_MAX];
};

static void seal_into(struct surface *s, struct organisation_command *c, struct sealed *sealed,
                      enum organisation_secret which, struct span plain)
{
    uint8_t *out = sealed->bytes[which];
    size_t size = secrets_seal(s->options.secrets, plain, out, OPERATOR_SECRET_MAX);
    c->secrets[which].data = (const char *)out;
    c->secrets[which].size = size;
}

static struct field_error organisation_read(struct surface *s, struct json_object *body,
                                            struct organisation_command *c, struct sealed *sealed)
{
    static const char *const types[] = {"paybill", "till", "bulk"};
    static const char *const charges[] = {"customer", "shared", "business"};
    static const char *const secrets[ORGANISATION_SECRETS] = {
        "passkey", "consumer_key", "consumer_secret", "initiator_password"};
    if (!short_code_read(s, json_member(body, "short_code"), &c->short_code)) {
        return (struct field_error){"invalid_short_code", "short_code must be 5 to 7 digits"};
    }
    if (!text_read(json_member(body, "name"), OPERATOR_NAME_MAX, &c->name) ||
        !text_read(json_member(body, "initiator"), OPERATOR_NAME_MAX, &c->initiator)) {
        return (struct field_error){"invalid_name",
                                    "name and initiator must be strings of at most 100 bytes"};
    }
    c->type = choice_read(json_member(body, "type"), types, 3, ORGANISATION_PAYBILL);
    c->charges = choice_read(json_member(body, "charges"), charges, 3, CHARGES_CUSTOMER);
    if (c->type == 0 || c->charges == 0) {
        return (struct field_error){"invalid_type",
                                    "type must be paybill, till or bulk; charges must be "
                                    "customer, shared or business"};
    }
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        struct span plain;
        if (!text_read(json_member(body, secrets[i]), SECRETS_PLAIN_MAX, &plain)) {
            return (struct field_error){"invalid_secret",
                                        "passkey, consumer_key, consumer_secret and "
                                        "initiator_password must be strings of at most 200 "
                                        "bytes"};
        }
        if (plain.size > 0) {
            seal_into(s, c, sealed, (enum organisation_secret)i, plain);
        }
    }
    return (struct field_error){NULL, NULL};
}

/* The application of a new organisation (A2); false after answering. */
static bool application_read(struct request *q, struct json_object *body)
{
    struct surface *s = q->s;
    struct span key;
    struct span secret;
    const struct operator_state *o = surface_operator(s);
    CHECK(text_read(json_member(body, "consumer_key"), SECRETS_PLAIN_MAX, &key));
    CHECK(text_read(json_member(body, "consumer_secret"), SECRETS_PLAIN_MAX, &secret));
    if (!apps_follow(&s->apps, o)) {
        surface_not_decided(q, ENGINE_NO_MEMORY);
        return false;
    }
    const char *objection = apps_objection(&s->apps, o, key, secret);
    if (objection != NULL) {
        surface_problem(q, engine_read_position(s->engine), 409, "consumer_key_unfit", objection);
    }
    return objection == NULL;
}

void control_organisation_open(struct request *q)
{
    struct surface *s = q->s;
    struct json_object *body = control_body(q);
    if (body == NULL) {
        return;
    }
    struct organisation_command c;
    struct sealed sealed;
    memset(&c, 0, sizeof(c));
    struct field_error e = organisation_read(s, body, &c, &sealed);
    if (e.code != NULL) {
        answer_field(q, e);
        return;
    }
    if (!application_read(q, body)) {
        return;
    }
    c.utility_minor = DEV_ORGANISATION_MINOR;
    c.working_minor = DEV_ORGANISATION_MINOR;
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_ORGANISATION_OPEN, &c, &reply);
    if (result.status == ENGINE_APPLIED) {
        control_answer_organisation(q, result.wait_position, 201,
                                    operator_organisation(surface_operator(s), c.short_code));
    } else {
        answer_refusal(q, result, reply.refusal);
    }
}

struct span control_sandbox_secret(enum organisation_secret which)
{
    return which == SECRET_PASSKEY              ? SPAN_LITERAL(SANDBOX_PASSKEY)
           : which == SECRET_INITIATOR_PASSWORD ? SPAN_LITERAL("Safaricom999!*!")
                                                : SPAN_LITERAL(APPS_PUBLIC_KEY);
}

/* The defaults of a paybill that nobody described: the public sandbox's. */
static void sandbox_organisation(struct surface *s, struct organisation_command *c,
                                 struct sealed *sealed, uint32_t short_code, const char *name,
                                 uint8_t type)
{
    memset(c, 0, sizeof(*c));
    c->short_code = short_code;
    c->name = span_from(name);
    c->type = type;
    c->charges = CHARGES_CUSTOMER;
    c->initiator = SPAN_LITERAL("testapi");
    c->utility_minor = DEV_ORGANISATION_MINOR;
    c->working_minor = DEV_ORGANISATION_MINOR;
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        seal_into(s, c, sealed, i, control_sandbox_secret(i));
    }
}

struct engine_result control_open_organisation(struct surface *s, uint32_t short_code)
{
    struct organisation_command c;
    struct sealed sealed;
    struct operator_reply reply;
    char name[32];
    (void)snprintf(name, sizeof(name), "Paybill %u", short_code);
    sandbox_organisation(s, &c, &sealed, short_code, name, ORGANISATION_PAYBILL);
    return engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_ORGANISATION_OPEN, &c, &reply);
}

const struct organisation *control_find_organisation(struct request *q)
{
    uint64_t short_code;
    const struct organisation *g = NULL;
    if (span_parse_u64(q->parts[0], &short_code) && short_code <= UINT32_MAX) {
        g = operator_organisation(surface_operator(q->s), (uint32_t)short_code);
    }
    if (g == NULL) {
        surface_problem(q, engine_read_position(q->s->engine), 404, "no_organisation",
                        "no organisation on this network has this short code");
    }
    return g;
}

void control_organisation_get(struct request *q)
{
    const struct organisation *g = control_find_organisation(q);
    if (g != NULL) {
        control_answer_organisation(q, engine_read_position(q->s->engine), 200, g);
    }
}

static void idempotency_read(struct request *q, struct fund_command *c)
{
    struct span key = http_header(q->x, "Idempotency-Key");
    if (key.data != NULL && key.size > 0) {
        struct span scope[3] = {SPAN_LITERAL("fund"), q->path, key};
        struct span request[1] = {http_body(q->x)};
        c->has_key = true;
        secrets_digest(q->s->options.secrets, scope, 3, c->key);
        secrets_digest(q->s->options.secrets, request, 1, c->request);
    }
}

void control_organisation_fund(struct request *q)
{
    struct surface *s = q->s;
    static const char *const accounts[] = {"utility", "working"};
    struct json_object *body = control_body(q);
    if (body == NULL) {
        return;
    }
    const struct organisation *g = control_find_organisation(q);
    if (g == NULL) {
        return;
    }
    struct fund_command c;
    memset(&c, 0, sizeof(c));
    c.short_code = g->short_code;
    uint8_t account = choice_read(json_member(body, "account"), accounts, 2, 1);
    if (account == 0) {
        surface_problem(q, 0, 400, "invalid_account", "account must be utility or working");
        return;
    }
    c.account = (uint8_t)(account - 1);
    if (!amount_read(json_member(body, "amount"), 1, 0, &c.amount_minor) || c.amount_minor == 0) {
        surface_problem(q, 0, 400, "invalid_amount", "amount must be cents, at least 1");
        return;
    }
    idempotency_read(q, &c);
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_ORGANISATION_FUND, &c, &reply);
    bool repeated = result.status == ENGINE_REFUSED && reply.refusal == OPERATOR_REPEATED;
    if (result.status == ENGINE_APPLIED || repeated) {
        control_answer_organisation(q, result.wait_position, 200,
                                    operator_organisation(surface_operator(s), c.short_code));
    } else {
        answer_refusal(q, result, reply.refusal);
    }
}

/* ---- the seed ---- */

struct engine_result surface_seed(struct surface *s)
{
    static const struct {
        uint32_t short_code;
        const char *name;
        uint8_t type;
    } seeded[] = {
        {174379, "Hakika Shop", ORGANISATION_PAYBILL},
        {600000, "Baraza Paybill", ORGANISATION_PAYBILL},
        {600999, "Baraza Payouts", ORGANISATION_BULK},
        {5551234, "Mama Njeri", ORGANISATION_TILL},
        {TAX_AUTHORITY, "Kenya Revenue Authority", ORGANISATION_PAYBILL},
    };
    enum { SEEDED = sizeof(seeded) / sizeof(seeded[0]) };
    struct seed_command c;
    struct sealed sealed[SEEDED];
    memset(&c, 0, sizeof(c));
    for (uint32_t i = 0; i < SEEDED; i++) {
        sandbox_organisation(s, &c.organisations[i], &sealed[i], seeded[i].short_code,
                             seeded[i].name, seeded[i].type);
    }
    c.organisation_count = SEEDED;
    struct subscriber_command *u = &c.subscribers[c.subscriber_count++];
    u->msisdn = 254708374149;
    u->name = SPAN_LITERAL("Test Subscriber");
    u->key_version = SECRETS_KEY_VERSION;
    u->balance_minor = DEV_BALANCE_MINOR;
    u->approves = s->options.profile == PROFILE_SANDBOX;
    secrets_pin_verifier(s->options.secrets, u->msisdn, SPAN_LITERAL("1234"), u->verifier);
    struct operator_reply reply;
    return engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_SEED, &c, &reply);
}
