/*
 * daraja_bill.c - bill manager on Daraja's paths, the payments that it pushes to billers, and the
 * control API's calls about invoices.
 *
 * Its calls name no short code (but opting in): the biller is the one whose app_key stands in the
 * header appKey, or else the one that opted in last of those that the access token may act for.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "base/hash.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/rules.h"
#include "wire/daraja_bill.h"

enum { APP_KEY_SIZE = 40, ITEMS_ROOM = 64 * 1024 };

/* ---- who ---- */

/* "AG_0000174379_123456789KJ" */
static void app_key_format(uint32_t short_code, char out[APP_KEY_SIZE])
{
    uint64_t digits = hash_u64(short_code, 41) % 1000000000u;
    (void)snprintf(out, APP_KEY_SIZE, "AG_%010u_%09lluKJ", short_code, (unsigned long long)digits);
}

/* NULL: there is none. */
static const struct organisation *biller_of(struct request *q)
{
    const struct operator_state *o = surface_operator(q->s);
    struct span given = http_header(q->x, "appKey");
    const struct organisation *found = NULL;
    char key[APP_KEY_SIZE];
    if (!apps_follow(&q->s->apps, o)) {
        return NULL;
    }
    for (uint32_t i = slab_next(&o->organisations, 0); i != SLAB_NONE;
         i = slab_next(&o->organisations, i + 1)) {
        const struct organisation *g = slab_at(&o->organisations, i);
        if (!g->biller.opted || !apps_may_act(&q->s->apps, q->app, i)) {
            continue;
        }
        app_key_format(g->short_code, key);
        if (given.data != NULL && span_is(given, key)) {
            return g;
        }
        bool later = found == NULL || g->biller.opted_ns >= found->biller.opted_ns;
        found = given.data == NULL && later ? g : found;
    }
    return found;
}

static void answer_done(struct request *q, uint64_t wait_position, const char *message, bool errors)
{
    struct writer w = surface_writer(q->s);
    daraja_bill_done_render(&w, NULL, message, errors);
    surface_json(q, wait_position, 200, &w);
}

static void refuse_bill(struct request *q, enum daraja_bill_refusal refusal, const char *words)
{
    bool missing = refusal == DARAJA_BILL_NO_INVOICE || refusal == DARAJA_BILL_NO_PAYMENT;
    struct writer w = surface_writer(q->s);
    daraja_bill_refused_render(&w, refusal);
    daraja_explain(q, words);
    surface_json(q, engine_read_position(q->s->engine), missing ? 404 : 409, &w);
}

static bool ruled(struct request *q, uint32_t short_code, int64_t amount_minor, struct span about)
{
    struct rule_call call = {.api = RULE_API_BILL_MANAGER,
                             .short_code = short_code,
                             .amount_minor = amount_minor,
                             .reference = about};
    return face_rule_read(q, &call);
}

/* The biller of a call that names none; NULL after answering. */
static const struct organisation *bill_preamble(struct request *q)
{
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_B2C)) {
        return NULL;
    }
    const struct organisation *g = biller_of(q);
    if (g == NULL) {
        refuse_bill(
            q, DARAJA_BILL_NO_BILLER,
            "no organisation that this token may act for has opted in, or appKey is another's");
    }
    return g;
}

/* ---- opting in ---- */

static void handle_biller(struct request *q, bool change)
{
    struct surface *s = q->s;
    struct daraja_biller in;
    struct daraja_error error;
    struct daraja_url_rule rule = daraja_url_rule(s);
    char key[APP_KEY_SIZE];
    if (!daraja_preamble(q, DARAJA_ERROR_INVALID_TOKEN_B2C)) {
        return;
    }
    if (!daraja_biller_parse(http_body(q->x), &rule, s->json, &in, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    if (!daraja_request_organisation(q, in.short_code) || ruled(q, in.short_code, -1, SPAN_EMPTY)) {
        return;
    }
    const struct biller_command c = {
        .short_code = in.short_code,
        .change = change,
        .reminders = in.reminders,
        .url = in.url,
        .email = in.email,
        .contact = in.contact,
        .target = surface_url_target(in.url),
    };
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_BILLER, &c, &reply);
    if (!daraja_decided(q, result)) {
        return;
    }
    if (reply.refusal == OPERATOR_EXISTS) {
        refuse_bill(q, DARAJA_BILL_REGISTERED, "it opted in before: POST .../change-optin-details");
    } else if (reply.refusal != OPERATOR_DONE) {
        refuse_bill(q, DARAJA_BILL_NO_BILLER,
                    "no organisation of this short code, or it has not opted in");
    } else {
        app_key_format(in.short_code, key);
        struct writer w = surface_writer(s);
        daraja_bill_done_render(&w, change ? NULL : key, NULL, false);
        surface_json(q, result.wait_position, 200, &w);
    }
}

/* ---- invoices ---- */

static void fill_invoice(struct invoice_command *c, const struct organisation *g,
                         const struct daraja_invoice *in, bool change)
{
    *c = (struct invoice_command){
        .short_code = g->short_code,
        .change = change,
        .msisdn = in->msisdn,
        .amount_minor = in->amount_minor,
        .due_day = in->due_day,
        .reference = in->reference,
        .account = in->account,
        .name = in->name,
        .period = in->period,
        .title = in->title,
        .items = in->items,
    };
}

/* What makes this one of the list impossible; 0: nothing. */
static enum daraja_bill_refusal invoice_refusal(struct surface *s, const struct organisation *g,
                                                const struct daraja_invoice *in, bool change)
{
    const struct invoice *known =
        operator_invoice_by_reference(surface_operator(s), g->short_code, in->reference);
    if (change && known == NULL) {
        return DARAJA_BILL_NO_INVOICE;
    }
    if (change && known->state != INVOICE_SENT) {
        return DARAJA_BILL_PAID;
    }
    return !change && known != NULL ? DARAJA_BILL_REFERENCE_TAKEN : DARAJA_BILL_NOT_REFUSED;
}

/* Reads one of them and says what is wrong with it; false: answered. */
static bool read_invoice(struct request *q, struct json_object *object,
                         struct daraja_bill_reading *reading, struct daraja_invoice *out)
{
    if (daraja_invoice_parse(object, reading, out)) {
        return true;
    }
    if (reading->refusal != DARAJA_BILL_NOT_REFUSED) {
        refuse_bill(q, reading->refusal,
                    "billedPhoneNumber is like 0722000000, dueDate like 2026-01-31");
    } else {
        daraja_answer_error(q, 0, reading->error);
    }
    return false;
}

/* The frames of a list of 64 KiB fit where new work is taken at all. False: answered. */
static bool has_room(struct request *q)
{
    enum engine_status status = engine_admits(q->s->engine, ENGINE_NEW_WORK);
    if (status != ENGINE_APPLIED) {
        daraja_refuse_busy(q, status);
    }
    return status == ENGINE_APPLIED;
}

struct invoice_list {
    const struct organisation *g;
    struct json_object *body;
    size_t count;
    bool bulk;
    bool change;
    uint64_t wait_position;                    /* of the one that was sent last */
    struct span earlier[DARAJA_BILL_BULK_MAX]; /* references of those that were looked at */
    uint8_t room[ITEMS_ROOM];
};

static bool used_earlier(const struct invoice_list *list, size_t count, struct span reference)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(list->earlier[i], reference)) {
            return true;
        }
    }
    return false;
}

/* False: it is impossible, or a rule says what comes of the list; answered. */
static bool look_at_invoice(struct request *q, struct invoice_list *list, size_t i,
                            const struct daraja_invoice *in)
{
    enum daraja_bill_refusal wrong = invoice_refusal(q->s, list->g, in, list->change);
    if (!list->change && used_earlier(list, i, in->reference)) {
        wrong = DARAJA_BILL_REFERENCE_TAKEN;
    }
    if (wrong != DARAJA_BILL_NOT_REFUSED) {
        refuse_bill(q, wrong, "an externalReference is used once, and stays what it is once paid");
        return false;
    }
    list->earlier[i] = in->reference;
    return i > 0 || !ruled(q, list->g->short_code, in->amount_minor, in->reference);
}

/* Those after the first in the same breath: no payment comes between them. False: answered. */
static bool send_invoice(struct request *q, struct invoice_list *list, size_t i,
                         const struct daraja_invoice *in)
{
    struct engine *e = q->s->engine;
    struct invoice_command c;
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    fill_invoice(&c, list->g, in, list->change);
    struct engine_result result =
        i == 0 ? engine_execute(e, ENGINE_CONTINUATION, COMMAND_INVOICE, &c, &reply)
               : engine_execute_next(e, COMMAND_INVOICE, &c, &reply);
    list->wait_position = result.wait_position;
    if (!daraja_decided(q, result)) {
        return false;
    }
    if (reply.refusal != OPERATOR_DONE) { /* what was due came before the first, and paid it */
        refuse_bill(q, list->change ? DARAJA_BILL_PAID : DARAJA_BILL_REFERENCE_TAKEN,
                    "an externalReference is used once, and stays what it is once paid");
        return false;
    }
    return true;
}

typedef bool (*invoice_fn)(struct request *q, struct invoice_list *list, size_t i,
                           const struct daraja_invoice *in);

/* Until one gives false; answered. What is read is good for the call only: a list is read each time
 * that it is gone through, as they are too many to keep. */
static bool each_invoice(struct request *q, struct invoice_list *list, invoice_fn visit)
{
    struct daraja_error error;
    struct daraja_invoice in;
    struct daraja_bill_reading reading = {q->s->json, writer_init(list->room, sizeof(list->room)),
                                          &error, DARAJA_BILL_NOT_REFUSED};
    for (size_t i = 0; i < list->count; i++) {
        struct json_object *one = list->bulk ? json_item(list->body, i) : list->body;
        if (!read_invoice(q, one, &reading, &in) || !visit(q, list, i, &in)) {
            return false;
        }
    }
    return true;
}

/* All of a list are looked at, and there is room for them, before the first is sent. */
static void handle_invoices(struct request *q, bool bulk, bool change)
{
    static struct invoice_list list; /* one request at a time */
    struct daraja_error error;
    list.g = bill_preamble(q);
    if (list.g == NULL) {
        return;
    }
    list.body = daraja_bill_open(http_body(q->x), bulk, q->s->json, &error);
    if (list.body == NULL) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    list.count = bulk ? json_count(list.body) : 1;
    list.bulk = bulk;
    list.change = change;
    list.wait_position = 0;
    if (each_invoice(q, &list, look_at_invoice) && has_room(q) &&
        each_invoice(q, &list, send_invoice)) {
        answer_done(q, list.wait_position, "Invoice sent successfully", false);
    }
}

static enum daraja_bill_refusal cancel_refusal(struct surface *s, const struct organisation *g,
                                               struct span reference)
{
    const struct invoice *i =
        operator_invoice_by_reference(surface_operator(s), g->short_code, reference);
    if (i == NULL || i->state == INVOICE_CANCELLED) {
        return DARAJA_BILL_NO_INVOICE;
    }
    return i->state == INVOICE_SENT ? DARAJA_BILL_NOT_REFUSED : DARAJA_BILL_PAID;
}

struct cancel_list {
    const struct organisation *g;
    struct json_object *body;
    size_t count;
    bool bulk;
    uint64_t wait_position; /* of the one that was cancelled last */
};

typedef bool (*cancel_fn)(struct request *q, struct cancel_list *list, size_t i,
                          struct span reference);

/* False: it is impossible; answered. */
static bool look_at_cancel(struct request *q, struct cancel_list *list, size_t i,
                           struct span reference)
{
    enum daraja_bill_refusal wrong = cancel_refusal(q->s, list->g, reference);
    (void)i;
    if (wrong != DARAJA_BILL_NOT_REFUSED) {
        refuse_bill(q, wrong, "only invoices that were sent and nobody paid can be cancelled");
    }
    return wrong == DARAJA_BILL_NOT_REFUSED;
}

/* False: besides, a rule may say what comes of the list; answered. */
static bool look_and_ask_rules(struct request *q, struct cancel_list *list, size_t i,
                               struct span reference)
{
    return look_at_cancel(q, list, i, reference) &&
           (i > 0 || !ruled(q, list->g->short_code, -1, reference));
}

/* In the same breath as they were looked at: no payment comes between them. False: answered. */
static bool cancel_one(struct request *q, struct cancel_list *list, size_t i, struct span reference)
{
    const struct invoice_cancel_command c = {list->g->short_code, reference};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute_next(q->s->engine, COMMAND_INVOICE_CANCEL, &c, &reply);
    list->wait_position = result.wait_position;
    /* Not found: it is twice in the list. */
    CHECK(reply.refusal == OPERATOR_DONE || (i > 0 && reply.refusal == OPERATOR_NOT_FOUND));
    return daraja_decided(q, result);
}

/* Until one gives false; answered. */
static bool each_cancel(struct request *q, struct cancel_list *list, cancel_fn visit)
{
    struct daraja_error error;
    struct span reference = SPAN_EMPTY;
    for (size_t i = 0; i < list->count; i++) {
        struct json_object *one = list->bulk ? json_item(list->body, i) : list->body;
        if (!daraja_bill_reference_parse(one, q->s->json, &reference, &error)) {
            daraja_answer_error(q, 0, &error);
            return false;
        }
        if (!visit(q, list, i, reference)) {
            return false;
        }
    }
    return true;
}

/* What is due comes first, payments among it: after that it is known which can be cancelled. */
static bool let_payments_come(struct request *q)
{
    enum engine_status status = engine_begin(q->s->engine, ENGINE_CONTINUATION);
    if (status != ENGINE_APPLIED) {
        daraja_refuse_busy(q, status);
    }
    return status == ENGINE_APPLIED;
}

static bool cancel_all(struct request *q, struct cancel_list *list)
{
    return each_cancel(q, list, look_and_ask_rules) && has_room(q) && let_payments_come(q) &&
           each_cancel(q, list, look_at_cancel) && each_cancel(q, list, cancel_one);
}

static void handle_invoice_cancel(struct request *q, bool bulk)
{
    struct daraja_error error;
    struct cancel_list list = {.g = bill_preamble(q), .bulk = bulk};
    if (list.g == NULL) {
        return;
    }
    list.body = daraja_bill_open(http_body(q->x), bulk, q->s->json, &error);
    if (list.body == NULL) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    list.count = bulk ? json_count(list.body) : 1;
    if (list.count == 0 || cancel_all(q, &list)) {
        answer_done(q, list.wait_position, "Invoice cancelled successfully.", true);
    }
}

/* ---- payments ---- */

static void handle_reconciliation(struct request *q)
{
    struct surface *s = q->s;
    struct daraja_error error;
    struct span receipt;
    const struct organisation *g = bill_preamble(q);
    if (g == NULL) {
        return;
    }
    if (!daraja_acknowledgement_parse(http_body(q->x), s->json, &receipt, &error)) {
        daraja_answer_error(q, 0, &error);
        return;
    }
    if (ruled(q, g->short_code, -1, receipt)) {
        return;
    }
    const struct acknowledge_command c = {g->short_code, receipt};
    struct operator_reply reply = {.refusal = OPERATOR_DONE};
    struct engine_result result =
        engine_execute(s->engine, ENGINE_NEW_WORK, COMMAND_ACKNOWLEDGE, &c, &reply);
    if (!daraja_decided(q, result)) {
        return;
    }
    if (reply.refusal == OPERATOR_NOT_FOUND) {
        refuse_bill(q, DARAJA_BILL_NO_PAYMENT,
                    "no payment of this transactionId was pushed to this biller");
        return;
    }
    answer_done(q, result.wait_position, NULL, false); /* a second one changes nothing */
}

bool daraja_bill_outgoing(struct surface *s, const struct outbox_item *item, struct writer *body,
                          struct span *url_out)
{
    const struct operator_state *o = surface_operator(s);
    const struct income *i = operator_income(o, item->subject);
    char id[ID_RECEIPT_SIZE];
    char stamp[EAT_STAMP_SIZE];
    char date[16];
    const struct organisation *g = i != NULL ? operator_organisation(o, i->short_code) : NULL;
    if (i == NULL || g == NULL) {
        return false;
    }
    id_receipt_format(i->receipt_day, i->receipt, id);
    (void)eat_stamp_format(i->at_ns, stamp);
    (void)snprintf(date, sizeof(date), "%.4s-%.2s-%.2s", stamp, stamp + 4, stamp + 6);
    const struct daraja_bill_payment payment = {
        .transaction_id = id,
        .amount_minor = i->amount_minor,
        .msisdn = i->msisdn,
        .date = date,
        .account = operator_text(o, i->reference),
        .short_code = i->short_code,
    };
    daraja_bill_payment_render(body, &payment);
    *url_out = operator_text(o, g->biller.url);
    return !body->overflow;
}

bool daraja_bill_route(struct request *q)
{
    struct span root = SPAN_LITERAL("/v1/billmanager-invoice/");
    if (!span_starts_with(q->path, root)) {
        return false;
    }
    struct span call = {q->path.data + root.size, q->path.size - root.size};
    if (span_is(call, "optin")) {
        handle_biller(q, false);
    } else if (span_is(call, "change-optin-details")) {
        handle_biller(q, true);
    } else if (span_is(call, "single-invoicing")) {
        handle_invoices(q, false, false);
    } else if (span_is(call, "bulk-invoicing")) {
        handle_invoices(q, true, false);
    } else if (span_is(call, "update/single-invoicing")) {
        handle_invoices(q, false, true);
    } else if (span_is(call, "cancel-single-invoice")) {
        handle_invoice_cancel(q, false);
    } else if (span_is(call, "cancel-bulk-invoices")) {
        handle_invoice_cancel(q, true);
    } else if (span_is(call, "reconciliation")) {
        handle_reconciliation(q);
    } else {
        return false;
    }
    return true;
}

/* ---- the control API ---- */

static void render_invoice(struct surface *s, struct writer *w, const struct invoice *i)
{
    const struct operator_state *o = surface_operator(s);
    char id[32];
    char due[16];
    struct civil c;
    struct span items = operator_text(o, i->items);
    (void)snprintf(id, sizeof(id), "inv_%llu", (unsigned long long)i->number);
    civil_from_day(i->due_day, &c);
    (void)snprintf(due, sizeof(due), "%04d-%02u-%02u", (int)c.year % 10000, c.month % 100,
                   c.day % 100);
    json_open(w, '{');
    json_field_text(w, "id", id);
    json_field_text(w, "object", "invoice");
    json_field_text(w, "status", invoice_state_name(i->state));
    json_field_u64(w, "short_code", i->short_code);
    json_field_string(w, "external_reference", operator_text(o, i->reference));
    json_field_string(w, "account_reference", operator_text(o, i->account));
    json_field_u64(w, "msisdn", i->msisdn);
    json_field_string(w, "billed_name", operator_text(o, i->name));
    json_field_string(w, "billed_period", operator_text(o, i->period));
    json_field_string(w, "invoice_name", operator_text(o, i->title));
    json_field_text(w, "due_date", due);
    json_field_i64(w, "amount", i->amount_minor);
    json_field_i64(w, "paid", i->paid_minor);
    json_field_text(w, "currency", "KES");
    json_key(w, "items");
    if (items.size == 0) {
        json_put_null(w);
    } else {
        put_raw(w, items.data, items.size);
    }
    surface_time_field(w, "sent_at", i->sent_ns);
    surface_time_field(w, "closed_at", i->closed_ns);
    json_close(w, '}');
}

/* The newest LIST_LIMIT_MAX; older ones by ?starting_after=inv_12. */
void control_invoice_list(struct request *q)
{
    const struct operator_state *o = surface_operator(q->s);
    struct span after = http_query_value(q->x, "starting_after");
    uint64_t number = o->last_invoice;
    if (after.data != NULL) {
        if (!surface_parse_number(after, "inv_", &number) || number == 0 ||
            number > o->last_invoice) {
            surface_problem(q, engine_read_position(q->s->engine), 400, "invalid_starting_after",
                            "starting_after must be the id of an invoice, like inv_3");
            return;
        }
        number--;
    }
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    for (uint32_t i = 0; i < LIST_LIMIT_MAX && number > 0; i++, number--) {
        render_invoice(q->s, &w, operator_invoice(o, number));
    }
    surface_list_close(q, &w, number > 0);
}
