/*
 * status.c - is it up (healthz), can it serve (readyz), how is it doing (metrics), what is there
 * (openapi.json).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "face/daraja.h"
#include "face/documents.h"
#include "face/gateway.h"
#include "face/internal.h"

static void put_formatted(struct writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put_formatted(struct writer *w, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    put_raw(w, text, (size_t)size);
}

static void line(struct writer *w, const char *name, const char *help, const char *type,
                 uint64_t value)
{
    put_formatted(w, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
                  (unsigned long long)value);
}

static void labelled(struct writer *w, const char *name, const char *label, const char *value,
                     uint64_t count)
{
    put_formatted(w, "%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)count);
}

/* ---- figures of the state, never ahead of the disk ---- */

static void figures_take_operator(const struct operator_state *o, struct book_figures *f)
{
    f->open = o->open;
    f->queued = o->queued;
    f->accepted = o->last_payment;
    f->in_memory = o->payments.used;
    f->left = operator_left(o);
    memcpy(f->ended, o->ended, sizeof(f->ended));
}

static void figures_take_merchant(const struct gateway *g, struct book_figures *f)
{
    f->open = g->open;
    f->accepted = g->last_payment;
    f->in_memory = g->payments.used;
    f->left = g->left;
    memcpy(f->entered, g->entered, sizeof(f->entered));
    f->orphans = g->orphans;
    f->attention = g->attention;
    f->paid = g->paid;
    f->repaired = g->repaired;
    f->late = g->late;
    f->discrepancies = g->disagreements;
    f->discrepancies_found = g->last_discrepancy;
    memcpy(f->receipts, g->receipts_in, sizeof(f->receipts));
}

/* Of the merchant's outbox only what tells an application something is a letter, as in
 * GET /v1/dead_letters: a question that a provider refused is answered, and nobody can retry it. */
static uint64_t dead_letters(const struct surface *s, const struct outbox *o)
{
    uint64_t count = 0;
    if (s->gateway == NULL) {
        return o->dead;
    }
    for (uint16_t kind = MESSAGE_WEBHOOK; kind <= MESSAGE_C2B; kind++) {
        count += o->dead_of_kind[kind];
    }
    return count;
}

static void figures_take(struct surface *s, struct book_figures *f)
{
    const struct book *b = engine_book(s->engine);
    if (s->gateway != NULL) {
        figures_take_merchant(surface_gateway(s), f);
    } else {
        figures_take_operator(surface_operator(s), f);
    }
    f->position = engine_applied(s->engine);
    f->to_callback = s->to_callback;
    f->keys_left = b->keys_left;
    f->waiting = b->outbox.timed.count + b->outbox.ready;
    f->delivered = b->outbox.delivered;
    f->dead = dead_letters(s, &b->outbox);
    f->failed_attempts = b->outbox.failed_attempts;
}

void status_turn(struct surface *s)
{
    if (s->pending.position <= engine_durable(s->engine)) {
        s->shown = s->pending;
        figures_take(s, &s->pending);
    }
}

/* What may be shown now. Monitoring must be answered while the disk stands still, so it is told
 * what the disk has, not made to wait for what it has not. */
static const struct book_figures *figures(struct surface *s)
{
    status_turn(s);
    if (s->pending.position <= engine_durable(s->engine)) {
        s->shown = s->pending;
    }
    return &s->shown;
}

void surface_attempted(struct surface *s, uint64_t number)
{
    const struct outbox_item *item = outbox_item(&engine_book(s->engine)->outbox, number);
    /* Of a payment's own callback, the first time that it arrives, and not sent by hand. */
    if (s->gateway != NULL || item == NULL || item->kind != MESSAGE_STK_CALLBACK ||
        item->state != OUTBOX_DELIVERED || item->attempts != item->tries) {
        return;
    }
    const struct stk_payment *p = operator_payment(surface_operator(s), item->subject);
    if (p != NULL && p->delivery == number) {
        latency_add(&s->to_callback, engine_now(s->engine) - p->step_ns[STEP_ACCEPTED]);
    }
}

/* ---- metrics ---- */

/* 20000 -> "0.02", 5000000 -> "5": as short as it goes. */
static void seconds_text(uint32_t us, char out[24])
{
    int size = snprintf(out, 24, "%u.%06u", us / 1000000, us % 1000000);
    CHECK(size > 0 && size < 24);
    while (out[size - 1] == '0') {
        size--;
    }
    size -= out[size - 1] == '.';
    out[size] = '\0';
}

/* Steps are cumulative, and times are seconds: Prometheus's own form. */
static void metrics_histogram(struct writer *w, const char *name, const char *help,
                              const struct latency *h)
{
    char bound[24];
    uint64_t sum = 0;
    put_formatted(w, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    for (uint32_t i = 0; i < LATENCY_BOUNDS; i++) {
        sum += h->counts[i];
        seconds_text(latency_bound_us(i), bound);
        put_formatted(w, "%s_bucket{le=\"%s\"} %llu\n", name, bound, (unsigned long long)sum);
    }
    sum += h->counts[LATENCY_BOUNDS];
    put_formatted(w, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %lld.%09lld\n%s_count %llu\n", name,
                  (unsigned long long)sum, name, (long long)(h->sum_ns / 1000000000),
                  (long long)(h->sum_ns % 1000000000), name, (unsigned long long)sum);
}

static void metrics_latency(struct surface *s, const struct book_figures *f, struct writer *w)
{
    struct engine_counters e = engine_counters(s->engine);
    metrics_histogram(w, "hakika_acknowledge_seconds",
                      "From reading a request for a payment to its durable answer.",
                      &s->acknowledged);
    metrics_histogram(w, "hakika_sync_seconds", "From the first decision of a batch to its sync.",
                      &e.sync);
    if (s->gateway == NULL) {
        metrics_histogram(w, "hakika_push_to_callback_seconds",
                          "From accepting a push to the answer to its callback, in book time.",
                          &f->to_callback);
    }
}

static void metrics_engine(struct surface *s, struct writer *w)
{
    struct engine_counters e = engine_counters(s->engine);
    line(w, "hakika_position", "Position of the last frame of the book.", "gauge",
         engine_applied(s->engine));
    line(w, "hakika_durable_position", "Position up to which everything is on disk.", "gauge",
         engine_durable(s->engine));
    line(w, "hakika_frames_total", "Decisions that wrote a frame.", "counter", e.frames);
    line(w, "hakika_batches_total", "Group commits.", "counter", e.batches);
    line(w, "hakika_journal_bytes_total", "Bytes of frames handed to the journal.", "counter",
         e.bytes);
    line(w, "hakika_refused_busy_total", "Requests refused because the journal cannot keep up.",
         "counter", e.refused_busy + s->refused_busy);
    line(w, "hakika_refused_disk_full_total", "Requests refused because the disk is full.",
         "counter", e.refused_disk + s->refused_disk);
    line(w, "hakika_sync_microseconds_total", "Time from handing over a batch to its sync.",
         "counter", (uint64_t)e.sync_ns_total / 1000);
    line(w, "hakika_sync_microseconds_max", "Longest such time since the start.", "gauge",
         (uint64_t)e.sync_ns_max / 1000);
    line(w, "hakika_open_batch_bytes", "Bytes decided and not yet handed over.", "gauge",
         e.batch_bytes);
    line(w, "hakika_stall_microseconds", "Age of the oldest work that is not on disk.", "gauge",
         (uint64_t)e.stall_ns / 1000);
    line(w, "hakika_snapshots_total", "Snapshots begun since the start.", "counter", e.pauses);
    line(w, "hakika_snapshot_pause_microseconds_max",
         "Longest pause of all work to begin a snapshot.", "gauge",
         (uint64_t)e.pause_ns_max / 1000);
}

static void metrics_payments(const struct book_figures *f, struct writer *w)
{
    static const char *const names[] = {
        NULL,
#define X(name, number, state, code, words) #name,
        STK_OUTCOMES(X)
#undef X
    };
    line(w, "hakika_payments_open", "Payments that have not ended.", "gauge", f->open);
    line(w, "hakika_pipeline_depth", "Payments that wait for the network.", "gauge", f->queued);
    line(w, "hakika_payments_accepted_total", "STK pushes accepted in this generation.", "counter",
         f->accepted);
    put_raw(w, "# TYPE hakika_payments_ended_total counter\n", 43);
    for (uint32_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
        labelled(w, "hakika_payments_ended_total", "outcome", names[i], f->ended[i]);
    }
}

static void metrics_gateway(struct surface *s, const struct book_figures *f, struct writer *w)
{
    line(w, "hakika_gateway_payments_open", "Payments without a definite end.", "gauge", f->open);
    line(w, "hakika_gateway_payments_created_total", "Payments asked for.", "counter", f->accepted);
    line(w, "hakika_gateway_payments_succeeded_total",
         "Payments that succeeded: no payouts, no refunds.", "counter", f->paid);
    line(w, "hakika_gateway_attention", "Open payments that only a person can settle.", "gauge",
         f->attention);
    line(w, "hakika_gateway_orphans", "Notices that fit no payment (yet).", "gauge", f->orphans);
    line(w, "hakika_gateway_discrepancies",
         "Open discrepancies between the provider's books and ours.", "gauge", f->discrepancies);
    line(w, "hakika_gateway_discrepancies_total", "Discrepancies found, open or resolved.",
         "counter", f->discrepancies_found);
    put_raw(w, "# TYPE hakika_gateway_receipts gauge\n", 37);
    for (uint8_t i = RECEIPT_SUSPENSE; i <= RECEIPT_STATE_LAST; i++) {
        labelled(w, "hakika_gateway_receipts", "state", receipt_state_name(i), f->receipts[i]);
    }
    line(w, "hakika_gateway_repaired_total",
         "Successes that came by another way than their own callback.", "counter", f->repaired);
    line(w, "hakika_gateway_late_total", "Successes after another end.", "counter", f->late);
    const struct gateway_face *face = s->gateway;
    put_raw(w, "# TYPE hakika_gateway_refused_total counter\n", 44);
    labelled(w, "hakika_gateway_refused_total", "reason", "unknown_url", face->refused_tokens);
    labelled(w, "hakika_gateway_refused_total", "reason", "retired_url", face->refused_retired);
    labelled(w, "hakika_gateway_refused_total", "reason", "signature", face->refused_signatures);
    labelled(w, "hakika_gateway_refused_total", "reason", "source", face->refused_sources);
    put_raw(w, "# TYPE hakika_gateway_entered_total counter\n", 44);
    for (uint8_t i = GATEWAY_CREATED; i < GATEWAY_STATES_END; i++) {
        labelled(w, "hakika_gateway_entered_total", "state", gateway_state_name(i), f->entered[i]);
    }
}

static void metrics_outbox(struct surface *s, const struct book_figures *f, struct writer *w)
{
    const struct outbox *o = &engine_book(s->engine)->outbox;
    line(w, "hakika_callbacks_waiting", "Callbacks that wait for their time or turn.", "gauge",
         f->waiting);
    line(w, "hakika_callbacks_in_flight", "Callbacks being sent.", "gauge", o->in_flight);
    line(w, "hakika_callbacks_delivered_total", "Callbacks answered with 2xx.", "counter",
         f->delivered);
    line(w, "hakika_callbacks_dead", "Callbacks given up (dead letters).", "gauge", f->dead);
    line(w, "hakika_callback_attempts_failed_total", "Attempts without a 2xx.", "counter",
         f->failed_attempts);
}

static void metrics_old_ids(struct surface *s, const struct book_figures *f, struct writer *w)
{
    const struct book *b = engine_book(s->engine);
    struct engine_counters e = engine_counters(s->engine);
    line(w, "hakika_payments_in_memory", "Payments that memory holds.", "gauge", f->in_memory);
    line(w, "hakika_payments_left", "Closed payments that only the index of old ids holds.",
         "gauge", f->left);
    line(w, "hakika_keys_left", "Idempotency keys that only the index of old ids holds.", "gauge",
         f->keys_left);
    line(w, "hakika_recalled_total", "Closed payments that came back into memory.", "counter",
         b->recalled);
    line(w, "hakika_index_fetches_total", "Look-ups that the index of old ids answered.", "counter",
         e.fetched);
    line(w, "hakika_index_misses_total", "Look-ups that it had nothing for.", "counter",
         e.fetch_misses);
    if (s->options.index != NULL) {
        line(w, "hakika_index_bytes", "Size of the index of old ids.", "gauge",
             index_bytes(s->options.index));
    }
    if (s->options.keeper != NULL) {
        struct keeper_counters k = keeper_counters(s->options.keeper);
        line(w, "hakika_index_position", "Position that the index of old ids shows.", "gauge",
             k.position > b->left_as_of ? k.position : b->left_as_of);
        line(w, "hakika_index_records_total", "Records written to the index of old ids.", "counter",
             k.records);
        line(w, "hakika_index_failures_total", "Batches that the index of old ids did not take.",
             "counter", k.failures);
        line(w, "hakika_index_write_microseconds_max", "Longest time that a batch took.", "gauge",
             (uint64_t)k.write_ns_max / 1000);
    }
}

static void metrics_http(struct surface *s, struct writer *w)
{
    struct http_counters h = http_counters(s->server);
    line(w, "hakika_http_requests_total", "Requests that reached a handler.", "counter",
         h.requests);
    line(w, "hakika_http_refused_total", "Requests refused before a handler.", "counter",
         h.refused_requests);
    line(w, "hakika_http_connections", "Connections open now.", "gauge", h.connections);
    line(w, "hakika_http_connections_refused_total", "Connections refused at the limit.", "counter",
         h.refused_connections);
    put_raw(w, "# TYPE hakika_http_answers_total counter\n", 41);
    for (uint32_t i = 2; i < 6; i++) {
        char class[8];
        (void)snprintf(class, sizeof(class), "%uxx", i);
        labelled(w, "hakika_http_answers_total", "class", class, s->answers[i]);
    }
}

static void metrics_view(struct surface *s, struct writer *w)
{
    struct surface_view v;
    if (s->options.view == NULL || !s->options.view(s->options.context, &v)) {
        return;
    }
    line(w, "hakika_view_position", "Position of the last frame in the SQL view.", "gauge",
         v.position);
    line(w, "hakika_view_lag_events", "Durable decisions that are not in the view yet.", "gauge",
         v.lag_events);
    put_formatted(w, "# TYPE hakika_view_lag_seconds gauge\nhakika_view_lag_seconds %lld.%03lld\n",
                  (long long)(v.lag_ns / 1000000000), (long long)(v.lag_ns / 1000000 % 1000));
    line(w, "hakika_view_events_skipped", "Events of kinds that the view does not show.", "gauge",
         v.skipped);
    line(w, "hakika_view_rebuilt_total", "View files that were thrown away and built again.",
         "counter", v.rebuilt);
    line(w, "hakika_view_waits", "1 while the view waits for disk space or after an error.",
         "gauge", v.waits);
}

static void handle_metrics(struct request *q)
{
    const struct book_figures *f = figures(q->s);
    struct writer w = surface_writer(q->s);
    metrics_engine(q->s, &w);
    if (q->s->gateway != NULL) {
        metrics_gateway(q->s, f, &w);
    } else {
        metrics_payments(f, &w);
    }
    metrics_latency(q->s, f, &w);
    metrics_outbox(q->s, f, &w);
    metrics_old_ids(q->s, f, &w);
    metrics_http(q->s, &w);
    metrics_view(q->s, &w);
    surface_answer(q, 0, 200, "text/plain; version=0.0.4", &w);
}

static void handle_health(struct request *q, bool ready_asked)
{
    struct surface *s = q->s;
    enum engine_status status = engine_admits(s->engine, ENGINE_NEW_WORK);
    bool good = !engine_poisoned(s->engine) && (!ready_asked || status == ENGINE_APPLIED);
    struct writer w = surface_writer(s);
    json_open(&w, '{');
    json_field_text(&w, "status", good ? "ok" : "unavailable");
    json_field_text(&w, "profile", profile_name(s->options.profile));
    json_field_text(&w, "version", s->options.version);
    if (!good) {
        json_field_text(&w, "reason", engine_status_text(status));
    }
    json_close(&w, '}');
    surface_json(q, 0, good ? 200 : 503, &w);
}

bool status_route(struct request *q)
{
    bool reads = span_is(q->method, "GET") || span_is(q->method, "HEAD");
    if (span_is(q->path, "/healthz") && reads) {
        handle_health(q, false);
    } else if (span_is(q->path, "/readyz") && reads) {
        handle_health(q, true);
    } else if (span_is(q->path, "/metrics") && reads) {
        handle_metrics(q);
    } else if (span_is(q->path, "/openapi.json") && reads) {
        struct span document =
            q->s->gateway != NULL ? openapi_merchant_document() : openapi_document();
        http_reply(q->x, 200, "application/json", document);
    } else {
        return false;
    }
    return true;
}
