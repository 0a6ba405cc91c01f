/*
 * paystack.c - see paystack.h. Initialize, charge with M-Pesa, verify, refunds, webhooks signed
 * over the very bytes that leave; money moves on the same phones and ledger as by Daraja. What is
 * known of Paystack and what is assumed: docs/paystack-notes.md. Tests: tests/e2e/178-paystack.sh.
 *
 * The secret key says which organisation it is: kept sealed, found by its digest.
 */
#include "face/paystack.h"

#include <stdio.h>
#include <string.h>

#include "base/ids.h"
#include "face/daraja.h"
#include "face/gateway.h"
#include "face/rules.h"
#include "wire/liberal.h"
#include "wire/paystack.h"

/* Ids are above 2^31, as real ones. */
#define ID_BASE UINT64_C(4000000000)

enum { REFERENCE_SIZE = 16, PUBLIC_CODE = 174379, LIVE_PREFIX = 8 };

#define PUBLIC_KEY "sk_test_hakika" /* of the sandbox's paybill, unless it has another */

/* ---- answers ---- */

static void refuse(struct request *q, uint64_t wait_position, unsigned status, const char *message)
{
    struct writer w = surface_writer(q->s);
    paystack_error_render(&w, message);
    surface_json(q, wait_position, status, &w);
}

static bool path_is_ours(const struct request *q)
{
    static const char *const roots[] = {"/transaction/", "/charge/", "/refund/"};
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        struct span root = span_from(roots[i]);
        struct span bare = {root.data, root.size - 1};
        if (span_starts_with(q->path, root) || span_equal(q->path, bare)) {
            return true;
        }
    }
    return false;
}

bool paystack_fail(struct request *q, const char *words)
{
    if (!path_is_ours(q)) {
        return false;
    }
    refuse(q, 0, 500, words);
    return true;
}

static uint64_t now_read(const struct request *q)
{
    return engine_read_position(q->s->engine);
}

/* ---- who calls ---- */

void paystack_key_digest(struct secrets *secrets, struct span key, uint8_t out[16])
{
    struct span parts[2] = {SPAN_LITERAL("paystack secret key"), key};
    secrets_digest(secrets, parts, 2, out);
}

static void key_digest(struct surface *s, struct span key, uint8_t out[16])
{
    paystack_key_digest(s->options.secrets, key, out);
}

void paystack_local_key(uint32_t short_code, char out[PAYSTACK_LOCAL_KEY_SIZE])
{
    if (short_code == PUBLIC_CODE) {
        (void)snprintf(out, PAYSTACK_LOCAL_KEY_SIZE, "%s", PUBLIC_KEY);
        return;
    }
    (void)snprintf(out, PAYSTACK_LOCAL_KEY_SIZE, "sk_test_%u", short_code);
}

struct keep {
    uint32_t short_code;
    struct span key;
    struct span url;
};

static struct engine_result keep_business(struct surface *s, const struct keep *k,
                                          struct operator_reply *reply)
{
    uint8_t sealed[OPERATOR_SECRET_MAX];
    struct paystack_command c = {.short_code = k->short_code,
                                 .live = span_starts_with(k->key, SPAN_LITERAL("sk_live_")),
                                 .url = k->url,
                                 .target = surface_url_target(k->url)};
    key_digest(s, k->key, c.key_hash);
    c.key.data = (const char *)sealed;
    c.key.size = secrets_seal(s->options.secrets, k->key, sealed, sizeof(sealed));
    return engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_PAYSTACK, &c, reply);
}

/* In dev and sandbox the public key is the sandbox paybill's, from its first use on. */
static void open_public(struct surface *s)
{
    const struct organisation *g = operator_organisation(surface_operator(s), PUBLIC_CODE);
    struct keep k = {PUBLIC_CODE, SPAN_LITERAL(PUBLIC_KEY), SPAN_EMPTY};
    struct operator_reply reply;
    if (g != NULL && !g->paystack.open) {
        (void)keep_business(s, &k, &reply);
    }
}

/* The business whose key it is; NULL after answering. */
static const struct organisation *business_of(struct request *q)
{
    struct span key;
    uint8_t hash[16];
    if (!surface_bearer(q, &key)) {
        refuse(q, 0, 401, "No Authorization Token was found");
        return NULL;
    }
    key_digest(q->s, key, hash);
    const struct organisation *g = operator_paystack(surface_operator(q->s), hash);
    if (g == NULL && q->s->options.profile != PROFILE_STRICT && span_is(key, PUBLIC_KEY)) {
        open_public(q->s);
        g = operator_paystack(surface_operator(q->s), hash);
    }
    if (g == NULL) {
        daraja_explain(q, "no organisation has this key: PUT /sim/v1/organisations/{}/paystack");
        refuse(q, now_read(q), 401, "Invalid key");
    }
    return g;
}

/* ---- what is shown ---- */

/* What verify says of it. */
static const char *status_of(const struct operator_request *r)
{
    if (!stk_state_final(r->state)) {
        return r->party == 0 ? "abandoned" : "pending";
    }
    if (r->state == STK_SUCCESS) {
        return r->reversal != 0 ? "reversed" : "success";
    }
    return r->party == 0 ? "abandoned" : "failed";
}

/* What a charge says of it. */
static const char *charge_status_of(const struct operator_request *r)
{
    bool timed_out = r->outcome == REQUEST_NO_ANSWER && r->party != 0;
    return timed_out ? "timeout" : r->reversal != 0 ? "success" : status_of(r);
}

struct shown {
    struct paystack_transaction t;
    char receipt[ID_RECEIPT_SIZE];
};

static void show(struct surface *s, const struct operator_request *r, struct shown *out)
{
    const struct operator_state *o = surface_operator(s);
    const struct organisation *g = operator_organisation(o, r->short_code);
    memset(out, 0, sizeof(*out));
    out->t.id = ID_BASE + r->number;
    out->t.status = status_of(r);
    out->t.reference = operator_text(o, r->conversation);
    out->t.amount_minor = r->amount_minor;
    out->t.created_ns = r->step_ns[REQUEST_ACCEPTED];
    out->t.email = operator_text(o, r->remarks);
    out->t.phone = r->party;
    out->t.response = stk_state_final(r->state) ? request_outcome_words(r->outcome) : "Pending";
    out->t.domain = g->paystack.live ? "live" : "test";
    if (r->has_receipt) {
        out->t.response = "Approved";
        out->t.paid_ns = r->step_ns[REQUEST_ENDED];
        request_transaction_id(r, out->receipt);
        out->t.receipt = out->receipt;
    }
}

static void show_refund(struct surface *s, const struct operator_request *r,
                        struct paystack_refunded *out)
{
    const struct operator_state *o = surface_operator(s);
    const struct operator_request *original = request_original(o, r);
    memset(out, 0, sizeof(*out));
    out->id = ID_BASE + r->number;
    out->transaction = original != NULL ? ID_BASE + original->number : 0;
    out->status = !stk_state_final(r->state)   ? "pending"
                  : r->outcome == REQUEST_DONE ? "processed"
                                               : "failed";
    out->reference = operator_text(o, r->reference);
    out->amount_minor = r->amount_minor;
    out->created_ns = r->step_ns[REQUEST_ACCEPTED];
    out->domain = operator_organisation(o, r->short_code)->paystack.live ? "live" : "test";
}

/* By reference, or by Paystack's id of it; NULL: the business has none. */
static const struct operator_request *find_request(const struct operator_state *o,
                                                   const struct organisation *g, struct span id,
                                                   enum request_kind kind)
{
    uint64_t number;
    const struct operator_request *r = operator_request_by_conversation(o, g->short_code, id);
    if (r == NULL && span_parse_u64(id, &number) && number > ID_BASE) {
        r = operator_request(o, number - ID_BASE);
    }
    bool mine = r != NULL && r->kind == kind && r->short_code == g->short_code;
    return mine ? r : NULL;
}

/* ---- asking for money ---- */

/* Executes it as a rule orders; NULL after answering. */
static const struct operator_request *execute_request(struct request *q, struct request_command *c,
                                                      uint64_t *wait_position)
{
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct rule_call call;
    if (request_rule_call(c, &call) && face_rule_gate(q, &call)) {
        return NULL;
    }
    struct engine_result result =
        engine_execute(q->s->engine, ENGINE_NEW_WORK, COMMAND_REQUEST, c, &reply);
    *wait_position = result.wait_position;
    if (result.status != ENGINE_APPLIED && result.status != ENGINE_REFUSED) {
        http_reply_header(q->x, "Retry-After", SPAN_LITERAL("1"));
        refuse(q, 0, 503, engine_status_text(result.status));
        return NULL;
    }
    if (reply.refusal != OPERATOR_DONE) {
        refuse(q, result.wait_position, 400, "Duplicate Transaction Reference");
        return NULL;
    }
    const struct operator_state *o = surface_operator(q->s);
    const struct operator_request *r = operator_request(o, reply.number);
    q->ruled = request_ruled(o, r, &q->s->ruled) ? &q->s->ruled : NULL;
    q->about = request_original_request(r->number);
    return r;
}

/* A reference of Paystack's own: 15 letters and digits. */
static struct span made_reference(char out[REFERENCE_SIZE])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    uint8_t random[REFERENCE_SIZE];
    secrets_random(random, sizeof(random));
    for (uint32_t i = 0; i < REFERENCE_SIZE - 1; i++) {
        out[i] = letters[random[i] & 31];
    }
    out[REFERENCE_SIZE - 1] = '\0';
    return span_from(out);
}

static void fill_payment(struct request *q, const struct organisation *g,
                         const struct paystack_payment *in, struct request_command *c)
{
    memset(c, 0, sizeof(*c));
    c->kind = REQUEST_PAYSTACK;
    c->command = g->type == ORGANISATION_TILL ? C2B_BUY_GOODS : C2B_PAY_BILL;
    c->without_initiator = true;
    c->short_code = g->short_code;
    c->amount_minor = in->amount_minor;
    c->conversation = in->reference;
    c->reference = in->reference;
    c->remarks = in->email;
    c->occasion = in->callback_url;
    c->result_url = operator_text(surface_operator(q->s), g->paystack.url);
    c->target = g->paystack.target;
}

/* The body of initialize and charge; false after answering. */
static bool read_payment(struct request *q, bool is_charge, char reference[REFERENCE_SIZE],
                         struct paystack_payment *in)
{
    const char *why = paystack_payment_parse(http_body(q->x), is_charge, q->s->json, in);
    if (why == NULL && in->amount_minor > OPERATOR_AMOUNT_MAX) {
        why = "Invalid Amount Sent";
    }
    if (why == NULL && (in->email.size > OPERATOR_REFERENCE_MAX ||
                        in->callback_url.size > OPERATOR_REFERENCE_MAX)) {
        why = "email and callback_url have at most 100 bytes here";
    }
    if (why != NULL) {
        refuse(q, 0, 400, why);
        return false;
    }
    if (in->reference.size == 0) {
        in->reference = made_reference(reference);
    }
    return true;
}

static void handle_charge(struct request *q)
{
    char reference[REFERENCE_SIZE];
    struct paystack_payment in;
    struct request_command c;
    uint64_t wait_position = 0;
    const struct organisation *g = business_of(q);
    if (g == NULL || !read_payment(q, true, reference, &in)) {
        return;
    }
    fill_payment(q, g, &in, &c);
    c.party_type = PARTY_MSISDN;
    if (!liberal_phone(in.phone, &c.party) || !msisdn_valid(c.party)) {
        refuse(q, 0, 400, "Invalid phone number");
        return;
    }
    enum engine_status opened = daraja_open_phone(q->s, c.party);
    if (opened != ENGINE_APPLIED) {
        refuse(q, 0, 503, engine_status_text(opened));
        return;
    }
    const struct operator_request *r = execute_request(q, &c, &wait_position);
    if (r != NULL) {
        struct writer w = surface_writer(q->s);
        paystack_charged_render(&w, operator_text(surface_operator(q->s), r->conversation),
                                "pay_offline", "Charge attempted");
        surface_json(q, wait_position, 200, &w);
    }
}

static void access_code(struct surface *s, const struct operator_request *r,
                        char out[GATEWAY_TOKEN_TEXT])
{
    uint8_t name[16];
    secrets_name_make(s->options.secrets, r->number, engine_book(s->engine)->generation, name);
    gateway_hex(name, out);
}

/* Where this server was reached: the checkout page is next to the API. */
static bool is_plain_host(struct span host)
{
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '.' || c == ':' || c == '-' || c == '[' || c == ']';
        if (!good) {
            return false;
        }
    }
    return host.size > 0 && host.size < 100;
}

static void handle_initialize(struct request *q)
{
    char reference[REFERENCE_SIZE];
    char code[GATEWAY_TOKEN_TEXT];
    char url[200];
    struct paystack_payment in;
    struct request_command c;
    uint64_t wait_position = 0;
    struct span host = http_header(q->x, "Host");
    const struct organisation *g = business_of(q);
    if (g == NULL || !read_payment(q, false, reference, &in)) {
        return;
    }
    fill_payment(q, g, &in, &c);
    const struct operator_request *r = execute_request(q, &c, &wait_position);
    if (r == NULL) {
        return;
    }
    access_code(q->s, r, code);
    host = is_plain_host(host) ? host : SPAN_LITERAL("localhost");
    (void)snprintf(url, sizeof(url), "http://%.*s/checkout/%s", (int)host.size, host.data, code);
    struct writer w = surface_writer(q->s);
    paystack_initialized_render(&w, url, code,
                                operator_text(surface_operator(q->s), r->conversation));
    surface_json(q, wait_position, 200, &w);
}

/* ---- asking about it ---- */

static const struct operator_request *find_named(struct request *q, struct span id)
{
    const struct organisation *g = business_of(q);
    const struct operator_request *r =
        g == NULL ? NULL : find_request(surface_operator(q->s), g, id, REQUEST_PAYSTACK);
    if (g != NULL && r == NULL) {
        refuse(q, now_read(q), 400, "Transaction reference not found.");
    }
    return r;
}

static void handle_verify(struct request *q)
{
    const struct operator_request *r = find_named(q, q->parts[0]);
    struct shown shown;
    if (r != NULL) {
        struct writer w = surface_writer(q->s);
        show(q->s, r, &shown);
        paystack_verify_render(&w, &shown.t);
        surface_json(q, now_read(q), 200, &w);
    }
}

static void handle_charge_check(struct request *q)
{
    const struct operator_request *r = find_named(q, q->parts[0]);
    if (r != NULL) {
        struct writer w = surface_writer(q->s);
        paystack_charged_render(&w, operator_text(surface_operator(q->s), r->conversation),
                                charge_status_of(r), "Reference check successful");
        surface_json(q, now_read(q), 200, &w);
    }
}

/* M-Pesa asks on the phone and nowhere else: there is never anything to submit. */
static void handle_submit(struct request *q)
{
    const char *why;
    struct span reference = SPAN_EMPTY;
    struct json_object *body = json_parse(q->s->json, http_body(q->x), &why);
    if (!json_is_object(body) || !json_string(json_member(body, "reference"), &reference)) {
        refuse(q, 0, 400, "reference is required");
        return;
    }
    if (find_named(q, reference) != NULL) {
        refuse(q, now_read(q), 400, "Charge is not waiting for anything but the phone");
    }
}

/* ---- refunds ---- */

static const char *refund_objection(const struct operator_request *r,
                                    const struct paystack_refund *in)
{
    if (r == NULL) {
        return "Transaction not found";
    }
    if (r->state != STK_SUCCESS) {
        return "Transaction has not been paid";
    }
    if (r->reversal != 0) {
        return "Transaction has been fully reversed";
    }
    return in->amount_minor != 0 && in->amount_minor != r->amount_minor
               ? "Only whole transactions are refunded here"
               : NULL;
}

static void answer_refund(struct request *q, uint64_t wait_position, const char *message,
                          const struct operator_request *r)
{
    struct paystack_refunded refund;
    struct writer w = surface_writer(q->s);
    show_refund(q->s, r, &refund);
    paystack_refunded_render(&w, message, &refund);
    surface_json(q, wait_position, 200, &w);
}

static void handle_refund(struct request *q)
{
    const struct operator_state *o = surface_operator(q->s);
    const struct organisation *g = business_of(q);
    struct paystack_refund in;
    uint64_t wait_position = 0;
    if (g == NULL) {
        return;
    }
    const char *why = paystack_refund_parse(http_body(q->x), q->s->json, &in);
    const struct operator_request *paid =
        why == NULL ? find_request(o, g, in.transaction, REQUEST_PAYSTACK) : NULL;
    why = why == NULL ? refund_objection(paid, &in) : why;
    if (why != NULL) {
        refuse(q, now_read(q), 400, why);
        return;
    }
    struct request_command c = {.kind = REQUEST_PAYSTACK_REFUND,
                                .command = ORIGINAL_BY_CONVERSATION,
                                .without_initiator = true,
                                .short_code = g->short_code,
                                .amount_minor = paid->amount_minor,
                                .reference = operator_text(o, paid->conversation),
                                .result_url = operator_text(o, g->paystack.url),
                                .target = g->paystack.target};
    c.remarks = span_cut(in.note, OPERATOR_REFERENCE_MAX);
    const struct operator_request *r = execute_request(q, &c, &wait_position);
    if (r != NULL) {
        answer_refund(q, wait_position, "Refund has been queued for processing", r);
    }
}

static void handle_refund_get(struct request *q)
{
    const struct organisation *g = business_of(q);
    const struct operator_request *r =
        g == NULL ? NULL
                  : find_request(surface_operator(q->s), g, q->parts[0], REQUEST_PAYSTACK_REFUND);
    if (r != NULL) {
        answer_refund(q, now_read(q), "Refund retrieved", r);
    } else if (g != NULL) {
        refuse(q, now_read(q), 404, "Refund not found");
    }
}

/* ---- the customer's page ---- */

static const struct operator_request *find_code(struct request *q)
{
    uint8_t name[16];
    uint64_t number;
    uint64_t generation;
    if (!gateway_unhex(q->parts[0], name)) {
        return NULL;
    }
    secrets_name_read(q->s->options.secrets, name, &number, &generation);
    bool same = generation == engine_book(q->s->engine)->generation;
    const struct operator_request *r =
        same ? operator_request(surface_operator(q->s), number) : NULL;
    return r != NULL && r->kind == REQUEST_PAYSTACK ? r : NULL;
}

/* "phone=0712345678" or "phone=%2B254712345678" */
static bool form_phone(struct span body, uint64_t *out)
{
    struct span name = SPAN_LITERAL("phone=");
    struct span plus = SPAN_LITERAL("%2B");
    if (!span_starts_with(body, name)) {
        return false;
    }
    struct span phone = {body.data + name.size, body.size - name.size};
    if (span_starts_with(phone, plus)) {
        phone = (struct span){phone.data + plus.size, phone.size - plus.size};
    }
    return liberal_phone(phone, out) && msisdn_valid(*out);
}

static void answer_checkout(struct request *q, uint64_t wait_position, const char *words, bool asks)
{
    struct writer w = surface_writer(q->s);
    json_raw(&w, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Pay</title><p>");
    json_raw(&w, words);
    json_raw(&w, asks ? "</p><form method=\"post\"><label>M-PESA number <input name=\"phone\" "
                        "inputmode=\"tel\"></label> <button>Pay</button></form></html>"
                      : "</p></html>");
    http_reply_header(q->x, "Content-Security-Policy",
                      SPAN_LITERAL("default-src 'none'; base-uri 'none'; form-action 'self'; "
                                   "frame-ancestors 'none'"));
    surface_answer(q, wait_position, 200, "text/html; charset=utf-8", &w);
}

static void handle_checkout(struct request *q)
{
    const struct operator_request *r = find_code(q);
    bool open = r != NULL && !stk_state_final(r->state);
    answer_checkout(q, now_read(q),
                    open ? "Which phone pays?" : "There is nothing to pay at this address.", open);
}

static void handle_checkout_pay(struct request *q)
{
    const struct operator_request *r = find_code(q);
    struct paystack_phone_command c = {.number = r != NULL ? r->number : 0};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    if (r == NULL) {
        answer_checkout(q, now_read(q), "There is nothing to pay at this address.", false);
        return;
    }
    if (!form_phone(http_body(q->x), &c.msisdn)) {
        answer_checkout(q, now_read(q), "That is no Kenyan mobile number.", true);
        return;
    }
    enum engine_status opened = daraja_open_phone(q->s, c.msisdn);
    struct engine_result result = {opened, 0};
    if (opened == ENGINE_APPLIED) {
        result = engine_execute(q->s->engine, ENGINE_NEW_WORK, COMMAND_PAYSTACK_PHONE, &c, &reply);
    }
    if (surface_decided(q, result)) {
        answer_checkout(q, result.wait_position,
                        reply.refusal == OPERATOR_DONE
                            ? "Enter your M-PESA PIN on the phone."
                            : "This was paid or given up, or another phone is being asked.",
                        false);
    }
}

/* ---- webhooks ---- */

void paystack_message(struct surface *s, const struct operator_request *r, struct writer *body)
{
    struct shown shown;
    struct paystack_refunded refund;
    if (r->kind == REQUEST_PAYSTACK_REFUND) {
        bool good = r->outcome == REQUEST_DONE;
        show_refund(s, r, &refund);
        paystack_refund_webhook_render(body, good ? "refund.processed" : "refund.failed", &refund);
        return;
    }
    show(s, r, &shown);
    shown.t.status = r->has_receipt ? "success" : "failed"; /* it is told once, as it ended */
    paystack_webhook_render(body, r->has_receipt ? "charge.success" : "charge.failed", &shown.t);
}

static const struct operator_request *request_of(struct surface *s, const struct outbox_item *item)
{
    bool is_result = (item->kind & ~MESSAGE_RULED) == MESSAGE_RESULT;
    const struct operator_request *r =
        is_result ? operator_request(surface_operator(s), item->subject) : NULL;
    bool ours = r != NULL && (r->kind == REQUEST_PAYSTACK || r->kind == REQUEST_PAYSTACK_REFUND);
    return ours ? r : NULL;
}

bool paystack_is_webhook(struct surface *s, const struct outbox_item *item)
{
    return request_of(s, item) != NULL;
}

bool surface_signature(struct surface *s, const struct outbox_item *item, struct span body,
                       char out[SURFACE_SIGNATURE_SIZE])
{
    const struct operator_request *r = request_of(s, item);
    char key[OPERATOR_SECRET_MAX];
    size_t size = 0;
    uint8_t mac[PAYSTACK_SIGNATURE_BYTES];
    if (r == NULL) {
        return false;
    }
    const struct operator_state *o = surface_operator(s);
    struct span sealed = operator_text(o, operator_organisation(o, r->short_code)->paystack.key);
    if (!secrets_unseal(s->options.secrets, sealed, key, sizeof(key), &size)) {
        return false;
    }
    secrets_hmac_sha512((struct span){key, size}, body, mac);
    explicit_bzero(key, sizeof(key));
    struct writer w = writer_init(out, SURFACE_SIGNATURE_SIZE - 1);
    json_raw(&w, "x-paystack-signature: ");
    paystack_signature_render(&w, mac);
    CHECK(!w.overflow);
    out[w.size] = '\0';
    return true;
}

/* ---- the control API ---- */

void control_paystack_field(struct surface *s, struct writer *w, const struct organisation *g)
{
    json_key(w, "paystack");
    if (!g->paystack.open) {
        json_put_null(w);
        return;
    }
    struct span url = operator_text(surface_operator(s), g->paystack.url);
    json_open(w, '{');
    json_field_bool(w, "live", g->paystack.live);
    if (url.size > 0) {
        json_field_string(w, "webhook_url", url);
    } else {
        json_field_null(w, "webhook_url");
    }
    json_close(w, '}');
}

/* An optional text; false: it is something else, or too long. */
static bool text_member(struct json_object *body, const char *name, size_t max, struct span *out)
{
    struct json_object *value = json_member(body, name);
    return value == NULL || (json_string(value, out) && out->size <= max);
}

static const char *put_objection(struct request *q, struct json_object *body, struct keep *k)
{
    struct daraja_url_rule rule = daraja_url_rule(q->s);
    if (!text_member(body, "secret_key", SECRETS_PLAIN_MAX, &k->key) ||
        (!span_starts_with(k->key, SPAN_LITERAL("sk_test_")) &&
         !span_starts_with(k->key, SPAN_LITERAL("sk_live_"))) ||
        k->key.size <= LIVE_PREFIX) {
        return "secret_key must be sk_test_... or sk_live_...";
    }
    if (!text_member(body, "webhook_url", OPERATOR_URL_MAX, &k->url)) {
        return "webhook_url must be a URL";
    }
    return k->url.size > 0 ? daraja_url_refusal(k->url, &rule) : NULL;
}

void control_paystack_put(struct request *q)
{
    struct json_object *body = control_body(q);
    const struct organisation *g = body != NULL ? control_find_organisation(q) : NULL;
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    if (g == NULL) {
        return;
    }
    struct keep k = {.short_code = g->short_code};
    const char *why = put_objection(q, body, &k);
    if (why != NULL) {
        surface_problem(q, 0, 400, "invalid_paystack", why);
        return;
    }
    struct engine_result result = keep_business(q->s, &k, &reply);
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal != OPERATOR_DONE) {
        surface_problem(q, result.wait_position, 409, "secret_key_taken",
                        "another organisation has this secret key; nothing was changed");
        return;
    }
    control_answer_organisation(q, result.wait_position, 200,
                                operator_organisation(surface_operator(q->s), k.short_code));
}

/* ---- which call is which ---- */

static const struct route PAYSTACK_ROUTES[] = {
    {"POST", "/transaction/initialize", handle_initialize},
    {"GET", "/transaction/verify/{}", handle_verify},
    {"GET", "/transaction/{}", handle_verify},
    {"POST", "/charge", handle_charge},
    {"POST", "/charge/submit_pin", handle_submit},
    {"POST", "/charge/submit_otp", handle_submit},
    {"POST", "/charge/submit_phone", handle_submit},
    {"POST", "/charge/submit_birthday", handle_submit},
    {"POST", "/charge/submit_address", handle_submit},
    {"GET", "/charge/{}", handle_charge_check},
    {"POST", "/refund", handle_refund},
    {"GET", "/refund/{}", handle_refund_get},
    {"GET", "/checkout/{}", handle_checkout},
    {"POST", "/checkout/{}", handle_checkout_pay},
};

bool paystack_route(struct request *q)
{
    if (!path_is_ours(q) && !span_starts_with(q->path, SPAN_LITERAL("/checkout/"))) {
        return false;
    }
    surface_dispatch(q, PAYSTACK_ROUTES, sizeof(PAYSTACK_ROUTES) / sizeof(PAYSTACK_ROUTES[0]));
    return true;
}
