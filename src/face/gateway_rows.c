/*
 * gateway_rows.c - rows of the provider's books, of a pull or of a statement file: each goes
 * through the door of notices, in a decision of its own, like any other claim. And what does not
 * agree: /v1/statements and /v1/discrepancies (docs/merchant.md, "Reconciliation").
 *
 * Relies on: a repeated row does nothing, so whoever is interrupted begins again.
 *
 * Tests: tests/e2e/360-gateway-reconcile.sh.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "face/gateway.h"
#include "provider/provider.h"

enum {
    MISSING_MAX = 100,         /* discrepancies of this kind by one statement */
    MISSING_LOOKS_MAX = 20000, /* at payments, the latest first */
    ROW_BYTES_MAX = 4000,      /* of a row kept as evidence */
};

/* ---- one row ---- */

/* The bytes of the row that the observation was made from: the next line, or object, that holds its
 * receipt. */
static struct span raw_of(struct gateway_rows *rows, const struct observation *seen)
{
    struct span all = rows->all;
    for (size_t at = rows->at; seen->receipt.size > 0 && at + seen->receipt.size <= all.size;
         at++) {
        if (memcmp(all.data + at, seen->receipt.data, seen->receipt.size) != 0) {
            continue;
        }
        size_t begin = at;
        size_t end = at;
        while (begin > 0 && all.data[begin - 1] != '\n' && all.data[begin - 1] != '{') {
            begin--;
        }
        while (end < all.size && all.data[end] != '\n' && all.data[end] != '}') {
            end++;
        }
        rows->at = end;
        size_t size = end - begin < ROW_BYTES_MAX ? end - begin : ROW_BYTES_MAX;
        return (struct span){all.data + begin, size};
    }
    return SPAN_EMPTY;
}

static void count(struct gateway_rows *rows, const struct gateway_reply *reply)
{
    switch (reply->effect) {
    case NOTICE_MOVED:
    case NOTICE_ENRICHES: rows->applied++; break;
    case NOTICE_CONFIRMS: rows->confirmed++; break;
    case NOTICE_MISMATCH: rows->mismatched++; break;
    default: rows->unmatched++; break;
    }
}

void gateway_row_take(void *context, const struct observation *seen)
{
    struct gateway_rows *rows = context;
    struct surface *s = rows->s;
    struct notice_command c = {.provider = rows->provider, .claim = seen, .peer = rows->peer};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    bool money = seen->kind == OBSERVED_RECEIPT || seen->kind == OBSERVED_PAYOUT ||
                 seen->kind == OBSERVED_REFUND;
    if (seen->source != OBSERVED_BY_PULL && seen->source != OBSERVED_BY_STATEMENT) {
        return; /* of the call that brought the rows */
    }
    rows->rows++;
    if (rows->stopped || !money || seen->verdict != OBSERVED_SUCCEEDED) {
        rows->ignored++; /* charges and sweeps are nobody's payment; what is open proves nothing */
        return;
    }
    c.body = raw_of(rows, seen);
    c.headers = rows->headers;
    gateway_notice_digests(s, &c, 0);
    struct engine_result result =
        engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_NOTICE, &c, &reply);
    if (result.status != ENGINE_APPLIED) {
        rows->stopped = true; /* no room now */
        return;
    }
    rows->wait_position = result.wait_position;
    bool later = seen->at_ns > rows->last_ns;
    rows->first_ns = rows->first_ns == 0 || (seen->at_ns != 0 && seen->at_ns < rows->first_ns)
                         ? seen->at_ns
                         : rows->first_ns;
    rows->last_ns = later ? seen->at_ns : rows->last_ns;
    count(rows, &reply);
}

/* ---- statements ---- */

static bool has_line(const struct gateway *g, uint32_t first_notice)
{
    for (const struct gateway_notice *n = gateway_notice_at(g, first_notice); n != NULL;
         n = gateway_notice_at(g, n->next)) {
        if (n->source == OBSERVED_BY_STATEMENT) {
            return true;
        }
    }
    return false;
}

/* Its line may have made a receipt, which the payment took back when its callback came. */
static bool in_statement(const struct gateway *g, const struct gateway_payment *p)
{
    const struct gateway_receipt *r =
        gateway_receipt_by_text(g, p->provider, gateway_text(g, p->receipt));
    return has_line(g, p->first_notice) || (r != NULL && has_line(g, r->first_notice));
}

static void disagree(struct gateway_rows *rows, const struct discrepancy_command *c)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct engine_result result =
        engine_execute(rows->s->engine, ENGINE_CONTINUATION, COMMAND_DISAGREE, c, &reply);
    if (result.status == ENGINE_APPLIED) {
        rows->wait_position = result.wait_position;
    }
}

static bool is_missing(const struct gateway_rows *rows, const struct gateway_payment *p)
{
    const struct gateway *g = surface_gateway(rows->s);
    return p->provider == rows->provider && p->state == GATEWAY_SUCCEEDED &&
           !gateway_pays_out(p->method) && p->receipt != TEXT_NONE &&
           p->source == OBSERVED_BY_CALLBACK && p->entered_ns[GATEWAY_SUCCEEDED] <= rows->last_ns &&
           !in_statement(g, p);
}

/* The last payment that was made at or before that time: they are numbered as they were made. */
static uint64_t last_made(struct surface *s, int64_t at_ns)
{
    uint64_t before = 0;
    uint64_t after = surface_gateway(s)->last_payment + 1;
    while (after - before > 1) {
        uint64_t middle = before + (after - before) / 2;
        const struct gateway_payment *p = gateway_reach(s, middle);
        if (p == NULL || p->entered_ns[GATEWAY_CREATED] > at_ns) {
            after = middle;
        } else {
            before = middle;
        }
    }
    return before;
}

/* A statement whose balances follow row by row has all that happened between its first and its last
 * row: what we booked by a callback in that time, and it does not have, is missing there. */
static void find_missing(struct gateway_rows *rows)
{
    uint32_t found = 0;
    uint64_t number = last_made(rows->s, rows->last_ns);
    for (uint32_t looks = 0; number > 0 && found < MISSING_MAX && looks < MISSING_LOOKS_MAX;
         number--, looks++) {
        const struct gateway_payment *p = gateway_reach(rows->s, number);
        if (p == NULL || p->entered_ns[GATEWAY_CREATED] < rows->first_ns) {
            return;
        }
        if (!is_missing(rows, p)) {
            continue;
        }
        char receipt[GATEWAY_ID_MAX]; /* the guest goes when the command comes */
        struct span text = gateway_text(surface_gateway(rows->s), p->receipt);
        CHECK(text.size <= sizeof(receipt));
        memcpy(receipt, text.data, text.size);
        struct discrepancy_command c = {.provider = rows->provider,
                                        .kind = DISCREPANCY_MISSING,
                                        .payment = number,
                                        .reference = {receipt, text.size}};
        disagree(rows, &c);
        found++;
    }
}

static void render_proof(struct writer *w, const struct statement_proof *p)
{
    json_key(w, "proof");
    json_open(w, '{');
    json_field_i64(w, "opening", p->opening_minor);
    json_field_i64(w, "paid_in", p->in_minor);
    json_field_i64(w, "withdrawn", p->out_minor);
    json_field_i64(w, "closing", p->closing_minor);
    json_field_i64(w, "variance", p->variance_minor);
    json_field_u64(w, "gaps", p->gaps);
    json_field_u64(w, "first_gap_line", p->first_gap_line);
    json_close(w, '}');
}

static void answer_statement(struct request *q, const struct gateway_rows *rows,
                             const struct provider_statement *file, const char *digest,
                             uint64_t before[2])
{
    const struct gateway *g = surface_gateway(q->s);
    struct writer w = surface_writer(q->s);
    json_open(&w, '{');
    json_field_text(&w, "object", "statement");
    json_field_text(&w, "digest", digest);
    json_field_u64(&w, "short_code", gateway_provider(g, rows->provider)->short_code);
    json_field_u64(&w, "rows", rows->rows);
    json_field_u64(&w, "applied", rows->applied);
    json_field_u64(&w, "confirmed", rows->confirmed);
    json_field_u64(&w, "mismatched", rows->mismatched);
    json_field_u64(&w, "unmatched", rows->unmatched);
    json_field_u64(&w, "ignored", rows->ignored);
    json_field_u64(&w, "bad_rows", file->bad_rows);
    if (file->bad_rows > 0) {
        json_field_u64(&w, "first_bad_line", file->first_bad_line);
        json_field_text(&w, "first_bad_why", file->first_bad_why);
    }
    json_field_u64(&w, "new_receipts", g->last_receipt - before[0]);
    json_field_u64(&w, "new_discrepancies", g->last_discrepancy - before[1]);
    render_proof(&w, &file->proof);
    json_close(&w, '}');
    surface_json(q, rows->wait_position, 200, &w);
}

/* ?short_code=: whose statement it is; else what the file says, else the only account. */
static uint32_t statement_account(struct request *q, const struct provider_statement *file)
{
    struct span text = http_query_value(q->x, "short_code");
    uint64_t short_code = file->short_code;
    if (text.data != NULL && !span_parse_u64(text, &short_code)) {
        return SLAB_NONE;
    }
    return short_code > UINT32_MAX
               ? SLAB_NONE
               : gateway_only_provider(surface_gateway(q->s), q->merchant, OBSERVED_AT_DARAJA,
                                       (uint32_t)short_code);
}

static void take_nothing(void *context, const struct observation *seen)
{
    (void)context;
    (void)seen;
}

static void finish(struct gateway_rows *rows, const struct provider_statement *file,
                   const char *digest)
{
    const struct statement_proof *p = &file->proof;
    bool chained = p->rows > 1 && !p->overflow && p->gaps == 0 && p->variance_minor == 0;
    if (chained && file->bad_rows == 0 && !rows->stopped) {
        find_missing(rows);
    } else if (p->gaps > 0 || p->variance_minor != 0) {
        struct discrepancy_command c = {.provider = rows->provider,
                                        .kind = DISCREPANCY_BALANCE,
                                        .theirs_minor = p->variance_minor,
                                        .reference = span_from(digest)};
        disagree(rows, &c);
    }
}

void gateway_statement_create(struct request *q)
{
    struct surface *s = q->s;
    struct gateway_rows rows = {.s = s, .all = http_body(q->x), .peer = http_peer(q->x)};
    struct provider_statement file;
    struct provider_account account = {.provider = OBSERVED_AT_DARAJA};
    uint8_t bytes[16];
    char digest[GATEWAY_TOKEN_TEXT];
    char headers[80];
    provider_read_statement(&account, rows.all, take_nothing, NULL, &file); /* what is it? */
    if (file.why != NULL) {
        surface_problem(q, 0, 422, "no_statement", file.why);
        return;
    }
    rows.provider = statement_account(q, &file);
    if (rows.provider == SLAB_NONE) {
        surface_problem(q, engine_read_position(s->engine), 422, "unknown_short_code",
                        "whose statement it is, neither the file nor ?short_code= says so that one "
                        "Daraja account of yours is meant: add ?short_code=NUMBER");
        return;
    }
    const struct gateway *g = surface_gateway(s);
    uint64_t before[2] = {g->last_receipt, g->last_discrepancy};
    secrets_digest(s->options.secrets, &rows.all, 1, bytes);
    gateway_hex(bytes, digest);
    (void)snprintf(headers, sizeof(headers), "statement: %s\n", digest);
    rows.headers = span_from(headers);
    rows.wait_position = engine_read_position(s->engine);
    account.short_code = gateway_provider(g, rows.provider)->short_code;
    provider_read_statement(&account, rows.all, gateway_row_take, &rows, &file);
    if (rows.stopped) {
        surface_not_decided(q, ENGINE_BUSY); /* what was taken stays: send it again */
        return;
    }
    finish(&rows, &file, digest);
    answer_statement(q, &rows, &file, digest, before);
}

/* ---- discrepancies ---- */

/* What never changes. */
static void render_found(struct surface *s, struct writer *w, const struct gateway_discrepancy *d,
                         bool resolved)
{
    const struct gateway *g = surface_gateway(s);
    surface_id_field(w, "id", "dis_", d->number);
    json_field_text(w, "object", "discrepancy");
    json_field_text(w, "status", resolved ? "resolved" : "open");
    json_field_text(w, "kind", discrepancy_kind_name(d->kind));
    json_field_text(w, "explanation", discrepancy_kind_words(d->kind));
    json_field_u64(w, "short_code", gateway_provider(g, d->provider)->short_code);
    gateway_text_field(s, w, "reference", d->reference);
    surface_id_field(w, "payment", "pay_", d->payment);
    surface_id_field(w, "receipt_id", "rcp_", d->receipt);
    surface_id_field(w, "notice", "ntc_", d->notice);
    json_field_i64(w, "ours", d->ours_minor);
    json_field_i64(w, "theirs", d->theirs_minor);
    surface_time_field(w, "opened_at", d->opened_ns);
}

static void render_end(struct surface *s, struct writer *w, const struct gateway_discrepancy *d)
{
    surface_time_field(w, "resolved_at", d->resolved_ns);
    gateway_text_field(s, w, "owner", d->owner);
    gateway_text_field(s, w, "note", d->note);
    json_field_text(w, "reason", discrepancy_reason_name(d->reason));
}

static void render_discrepancy(struct surface *s, struct writer *w,
                               const struct gateway_discrepancy *d)
{
    int64_t until_ns = d->resolved_ns != 0 ? d->resolved_ns : engine_now(s->engine);
    json_open(w, '{');
    render_found(s, w, d, d->resolved_ns != 0);
    json_field_i64(w, "age_s", (until_ns - d->opened_ns) / NS_PER_S);
    render_end(s, w, d);
    json_close(w, '}');
}

void gateway_discrepancy_told(struct surface *s, struct writer *w, const struct gateway_feed *f)
{
    const struct gateway_discrepancy *d = gateway_discrepancy(surface_gateway(s), f->object);
    bool resolved = f->type == FEED_DISCREPANCY_RESOLVED;
    json_open(w, '{');
    render_found(s, w, d, resolved);
    if (resolved) { /* which is never undone */
        render_end(s, w, d);
    }
    json_close(w, '}');
}

/* ?status=open; newest first. */
void gateway_discrepancy_list(struct request *q)
{
    const struct gateway *g = surface_gateway(q->s);
    struct span status = http_query_value(q->x, "status");
    struct list_walk walk;
    if (!surface_walk_begin(q, &walk, "dis_", g->last_discrepancy)) {
        return;
    }
    while (surface_walk_on(&walk)) {
        const struct gateway_discrepancy *d = gateway_discrepancy(g, walk.number);
        bool wanted =
            d != NULL && gateway_is_callers(q, d->provider) &&
            (status.data == NULL || span_is(status, d->resolved_ns == 0 ? "open" : "resolved"));
        if (surface_walk_takes(&walk, wanted)) {
            render_discrepancy(q->s, &walk.w, d);
        }
    }
    surface_walk_end(q, &walk);
}

/* {"reason", "note", "owner"}; without a reason it stays open and has an owner from now on. False
 * after answering. */
static bool parse_resolution(struct request *q, struct json_object *body,
                             struct discrepancy_resolve_command *c)
{
    struct span reason;
    bool texts = gateway_optional_text(body, "reason", 20, &reason) &&
                 gateway_optional_text(body, "note", GATEWAY_NOTE_MAX, &c->note) &&
                 gateway_optional_text(body, "owner", GATEWAY_NAME_MAX, &c->owner);
    for (uint8_t i = DISCREPANCY_IS_EXPLAINED; texts && i <= DISCREPANCY_REASON_LAST; i++) {
        c->reason = span_is(reason, discrepancy_reason_name(i)) ? i : c->reason;
    }
    bool resolves = c->reason != DISCREPANCY_IS_OPEN;
    if (!texts || (reason.size > 0 && !resolves) || (resolves && c->note.size == 0) ||
        (!resolves && c->owner.size == 0)) {
        surface_problem(q, 0, 422, "invalid_resolution",
                        "give a reason (explained, corrected, duplicate, written_off) with a note; "
                        "or only an owner");
        return false;
    }
    return true;
}

void gateway_discrepancy_resolve(struct request *q)
{
    struct surface *s = q->s;
    struct discrepancy_resolve_command c = {.merchant = q->merchant};
    struct gateway_reply reply = {.refusal = GATEWAY_NOT_FOUND};
    struct engine_result result = {ENGINE_REFUSED, engine_read_position(s->engine)};
    struct json_object *body = control_body(q);
    if (body == NULL || !parse_resolution(q, body, &c)) {
        return;
    }
    if (surface_parse_number(q->parts[0], "dis_", &c.number)) {
        reply.refusal = GATEWAY_DONE;
        result =
            engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_DISCREPANCY_RESOLVE, &c, &reply);
    }
    if (!surface_decided(q, result)) {
        return;
    }
    if (reply.refusal == GATEWAY_NOT_FOUND) {
        surface_problem(q, result.wait_position, 404, "not_found",
                        "there is no discrepancy with this id");
    } else if (reply.refusal != GATEWAY_DONE) {
        surface_problem(q, result.wait_position, 409, "resolved", "it is resolved already");
    } else {
        struct writer w = surface_writer(s);
        render_discrepancy(s, &w, gateway_discrepancy(surface_gateway(s), c.number));
        surface_json(q, result.wait_position, 200, &w);
    }
}
