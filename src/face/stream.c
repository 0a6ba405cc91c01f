/*
 * stream.c - GET /sim/v1/events: everything that happens, in journal order, as server-sent events.
 *
 * Only durable frames are shown. A client may say where to start: ?after=GENERATION:POSITION, or
 * Last-Event-ID after a reconnect; without it, it starts now. Frames older than what memory keeps
 * are not read back from disk here: the client is told so (event "gap") and goes on from the oldest
 * that there is. A client that goes on after a position that is none of this book's (another book,
 * or an older copy, stands behind the address now) is told that with a gap, too, and goes on from
 * the head: waiting for the position to come by would show it nothing of what happens. Of a world
 * that was left, by a reset or a restore, only what its frames say is told: the same numbers mean
 * other payments and phones in the book that stands now.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "face/daraja.h"
#include "face/gateway.h"
#include "face/internal.h"
#include "face/rules.h"
#include "operator/events.h"

#define STREAM_BEAT_NS (15 * NS_PER_S)
enum { STREAM_CHUNK_MAX = 128 * 1024 };

bool surface_position(struct span text, uint64_t *out)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == ':') {
            text.data += i + 1;
            text.size -= i + 1;
            break;
        }
    }
    return span_parse_u64(text, out);
}

static void stream_gone(void *context, struct http_ticket ticket)
{
    struct surface *s = context;
    for (uint32_t i = 0; i < SURFACE_STREAMS_MAX; i++) {
        struct event_stream *stream = &s->streams[i];
        if (stream->used && stream->ticket.slot == ticket.slot &&
            stream->ticket.generation == ticket.generation) {
            stream->used = false;
            s->stream_count--;
        }
    }
}

/* Which book answers: a name that only its key file makes and that no payment has (they count from
 * 1), so that a page knows that another one stands behind the same address. */
static void book_header(struct request *q)
{
    uint8_t name[16];
    char text[GATEWAY_TOKEN_TEXT];
    secrets_name_make(q->s->options.secrets, 0, 0, name);
    gateway_hex(name, text);
    http_reply_header(q->x, "Hakika-Book", span_from(text));
}

/* Can this book have shown the position? It is on disk, and of the generation that is said (0:
 * none), as far as that is known here. */
static bool is_of_this_book(const struct surface *s, uint64_t generation, uint64_t position)
{
    const struct book *b = engine_book(s->engine);
    bool latest = b->generation_position > 0 && position >= b->generation_position;
    return position <= engine_durable(s->engine) && generation <= b->generation &&
           (generation == 0 || !latest || generation == b->generation);
}

/* Its id takes the place of the foreign one: who comes again goes on after it. */
static void report_other_book(struct surface *s, struct http_exchange *x)
{
    char text[200];
    uint64_t head = engine_durable(s->engine);
    int size = snprintf(text, sizeof(text),
                        "id: %llu:%llu\nevent: gap\n"
                        "data: {\"reason\":\"other_book\",\"from\":1,\"to\":%llu}\n\n",
                        (unsigned long long)engine_book(s->engine)->generation,
                        (unsigned long long)head, (unsigned long long)head);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    (void)http_stream_write(x, (struct span){text, (size_t)size});
}

static uint64_t generation_said(struct span after)
{
    uint64_t generation = 0;
    const char *colon = after.size > 0 ? memchr(after.data, ':', after.size) : NULL;
    bool said =
        colon != NULL &&
        span_parse_u64((struct span){after.data, (size_t)(colon - after.data)}, &generation);
    return said ? generation : 0;
}

void stream_start(struct request *q)
{
    struct surface *s = q->s;
    struct span after = http_query_value(q->x, "after");
    uint64_t position = engine_durable(s->engine);
    if (after.data == NULL) {
        after = http_header(q->x, "Last-Event-ID");
    }
    if (after.data != NULL && !surface_position(after, &position)) {
        surface_problem(q, 0, 400, "invalid_after", "after must be a position like 1:42");
        return;
    }
    bool ours = is_of_this_book(s, generation_said(after), position);
    for (uint32_t i = 0; i < SURFACE_STREAMS_MAX; i++) {
        struct event_stream *stream = &s->streams[i];
        if (!stream->used) {
            stream->used = true;
            stream->ticket = http_ticket(q->x);
            stream->position = (ours ? position : engine_durable(s->engine)) + 1;
            stream->beat_ns = surface_monotonic_ns(s) + STREAM_BEAT_NS;
            s->stream_count++;
            http_reply_header(q->x, "Cache-Control", SPAN_LITERAL("no-store"));
            book_header(q);
            http_stream(q->x, 200, "text/event-stream");
            http_on_gone(q->x, stream_gone, s);
            (void)http_stream_write(q->x, SPAN_LITERAL(": hakika\n\n"));
            if (!ours) {
                report_other_book(s, q->x);
            }
            return;
        }
    }
    surface_problem(q, 0, 503, "too_many_streams", "64 event streams are open already");
}

void stream_end_all(struct surface *s)
{
    for (uint32_t i = 0; i < SURFACE_STREAMS_MAX; i++) {
        struct event_stream *stream = &s->streams[i];
        struct http_exchange *x = stream->used ? http_find(s->server, stream->ticket) : NULL;
        stream->used = false;
        if (x != NULL) {
            http_stream_end(x);
        }
    }
    s->stream_count = 0;
}

static const char *book_event_name(uint16_t kind)
{
    switch (kind) {
    case EVENT_GENERATION_OPENED: return "generation_opened";
    case EVENT_CLOCK_SET: return "clock_set";
    case EVENT_WORLD_SAVED: return "world_saved";
    case EVENT_WORLD_COPIED: return "world_copied";
    case EVENT_WORLD_REMOVED: return "world_removed";
    case EVENT_WORLD_RESTORED: return "world_restored";
    case EVENT_WORLD_IMPORTED: return "world_imported";
    case EVENT_ACCOUNT_OPENED: return "account_opened";
    case EVENT_TRANSFER_POSTED: return "transfer_posted";
    case EVENT_TRANSFER_REFUSED: return "transfer_refused";
    case EVENT_HOLD_PLACED: return "hold_placed";
    case EVENT_HOLD_POSTED: return "hold_posted";
    case EVENT_HOLD_VOIDED: return "hold_voided";
    case EVENT_HOLD_EXPIRED: return "hold_expired";
    case EVENT_DELIVERY_QUEUED: return "delivery_queued";
    case EVENT_DELIVERY_EDITED: return "delivery_edited";
    case EVENT_DELIVERY_ATTEMPTED: return "delivery_attempted";
    case EVENT_DELIVERY_REVIVED: return "delivery_revived";
    default: return NULL; /* housekeeping, or evidence that has calls of its own */
    }
}

/* A frame that is being told. */
struct told_frame {
    struct frame_info info;
    uint64_t generation;
    bool stands; /* the book has this generation's contents: ids may be looked up */
};

static void event_open(struct writer *w, const struct told_frame *frame, const char *name)
{
    char text[160];
    char at[RFC3339_SIZE];
    (void)rfc3339_format(frame->info.time_ns, at);
    int size = snprintf(text, sizeof(text),
                        "id: %llu:%llu\nevent: %s\ndata: ", (unsigned long long)frame->generation,
                        (unsigned long long)frame->info.position, name);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    put_raw(w, text, (size_t)size);
    json_open(w, '{');
    json_field_text(w, "at", at);
    json_field_u64(w, "position", frame->info.position);
}

static void event_close(struct writer *w)
{
    json_close(w, '}');
    put_raw(w, "\n\n", 2);
}

/* Which payment an event is about, for a client that only knows its ids. */
static void payment_fields(struct surface *s, struct writer *w, const struct told_frame *frame,
                           uint64_t number)
{
    const struct operator_state *o = surface_operator(s);
    const struct stk_payment *p = frame->stands ? surface_payment(s, number) : NULL;
    char id[ID_TEXT_SIZE];
    (void)snprintf(id, sizeof(id), "txn_%llu", (unsigned long long)number);
    json_field_text(w, "transaction", id);
    if (p != NULL) {
        payment_checkout_id(o, p, id);
        json_field_text(w, "checkout_request_id", id);
    }
}

/* The code of an end; of one that a rule ordered, its own, while the payment is known. */
static void ended_code(struct surface *s, struct writer *w, const struct told_frame *frame,
                       const struct operator_event *e)
{
    const struct stk_payment *p =
        frame->stands ? operator_payment(surface_operator(s), e->number) : NULL;
    char code[RULE_CODE_MAX + 1];
    if (p != NULL && p->outcome == e->outcome) {
        payment_result_code(surface_operator(s), p, code);
        json_field_text(w, "result_code", code);
    } else {
        json_field_text(w, "result_code", stk_outcome_code(e->outcome));
    }
}

static void operator_fields(struct surface *s, struct writer *w, const struct told_frame *frame,
                            const struct operator_event *e)
{
    const struct subscriber *u = NULL;
    struct ruled ruled;
    char id[32];
    switch (e->kind) {
    case EVENT_STK_ACCEPTED:
        payment_fields(s, w, frame, e->number);
        json_field_text(w, "status", "PENDING");
        json_field_i64(w, "amount", e->amount_minor);
        json_field_u64(w, "short_code", e->short_code);
        break;
    case EVENT_STK_PROMPTED:
        payment_fields(s, w, frame, e->number);
        json_field_text(w, "status", "PROCESSING");
        json_field_bool(w, "reached", e->reachable);
        break;
    case EVENT_STK_ANSWERED: payment_fields(s, w, frame, e->number); break;
    case EVENT_STK_ENDED:
        payment_fields(s, w, frame, e->number);
        json_field_text(w, "status", stk_state_name(stk_outcome_state(e->outcome)));
        ended_code(s, w, frame, e);
        json_field_text(w, "reason", stk_outcome_words(e->outcome));
        if (e->outcome == STK_PAID) {
            char receipt[ID_RECEIPT_SIZE];
            id_receipt_format(e->receipt_day, e->receipt, receipt);
            json_field_text(w, "receipt", receipt);
        }
        break;
    case EVENT_STK_RULED:
        payment_fields(s, w, frame, e->number);
        if (operator_ruled_decode(e->orders, &ruled)) {
            json_key(w, "ruled_by");
            face_ruled_render(w, &ruled);
        }
        break;
    case EVENT_RULES_SET:
        json_field_text(w, "origin", e->origin == RULE_ORIGIN_MAGIC ? "magic" : "user");
        break;
    case EVENT_MESSAGE_HELD:
    case EVENT_MESSAGE_LET_GO:
        (void)snprintf(id, sizeof(id), "dlv_%llu", (unsigned long long)e->number);
        json_field_text(w, "delivery", id);
        break;
    case EVENT_ORGANISATION_OPENED: json_field_u64(w, "short_code", e->short_code); break;
    default:
        u = frame->stands && e->kind <= EVENT_PIN_TRIED
                ? operator_subscriber_at(surface_operator(s), e->slot)
                : NULL;
        if (u != NULL) {
            json_field_u64(w, "msisdn", u->msisdn);
        }
        break;
    }
}

/* R1.6: the answer on a phone is visible as the signal pin:<checkout id>. */
static void signal_event(struct surface *s, struct writer *w, const struct told_frame *frame,
                         uint64_t number)
{
    const struct operator_state *o = surface_operator(s);
    const struct stk_payment *p = frame->stands ? surface_payment(s, number) : NULL;
    uint16_t cause = frame->info.cause;
    if (p == NULL || (cause != COMMAND_STK_APPROVE && cause != COMMAND_STK_CANCEL)) {
        return;
    }
    char checkout[ID_TEXT_SIZE];
    char name[ID_TEXT_SIZE + 8];
    payment_checkout_id(o, p, checkout);
    (void)snprintf(name, sizeof(name), "pin:%s", checkout);
    event_open(w, frame, name);
    json_field_text(w, "checkout_request_id", checkout);
    json_field_text(w, "answer", cause == COMMAND_STK_CANCEL ? "cancel" : "pin");
    event_close(w);
}

static void ledger_fields(struct writer *w, const struct ledger_event *e)
{
    if (e->kind == EVENT_ACCOUNT_OPENED) {
        json_field_u64(w, "account", e->account);
    } else {
        json_field_i64(w, "amount", e->transfer.amount_minor);
        json_field_u64(w, "debit_account", e->transfer.debit_account);
        json_field_u64(w, "credit_account", e->transfer.credit_account);
    }
}

static void outbox_fields(struct writer *w, const struct outbox_event *e)
{
    char id[32];
    (void)snprintf(id, sizeof(id), "dlv_%llu", (unsigned long long)e->number);
    json_field_text(w, "delivery", id);
    if (e->kind == EVENT_DELIVERY_ATTEMPTED) {
        json_field_i64(w, "response_status", e->status);
        json_field_i64(w, "duration_ms", e->duration_ms);
        json_field_bool(w, "delivered", e->state == OUTBOX_DELIVERED);
        json_field_bool(w, "dead", e->state == OUTBOX_DEAD);
    }
}

static void render_event(struct surface *s, struct writer *w, const struct told_frame *frame,
                         uint16_t kind, struct reader *body)
{
    const char *name = operator_event_name(kind);
    if (name != NULL) {
        struct operator_event e;
        CHECK(operator_event_decode(kind, body, &e));
        if (kind == EVENT_STK_ENDED || kind == EVENT_STK_ANSWERED) {
            signal_event(s, w, frame, e.number);
        }
        if (kind == EVENT_STK_TEXTS_KEPT || kind == EVENT_ORGANISATION_KEPT ||
            kind == EVENT_REQUEST_PARTY_KEPT) {
            return; /* personal data and secrets stay where they are */
        }
        event_open(w, frame, name);
        operator_fields(s, w, frame, &e);
        event_close(w);
        return;
    }
    name = book_event_name(kind);
    if (name == NULL) {
        return;
    }
    event_open(w, frame, name);
    if (kind >= LEDGER_EVENT_FIRST && kind <= LEDGER_EVENT_LAST) {
        struct ledger_event e;
        CHECK(ledger_event_decode(kind, body, &e));
        ledger_fields(w, &e);
    } else if (kind >= OUTBOX_EVENT_FIRST && kind <= OUTBOX_EVENT_LAST) {
        struct outbox_event e;
        CHECK(outbox_event_decode(kind, body, &e));
        outbox_fields(w, &e);
    }
    event_close(w);
}

static void report_gap(struct surface *s, struct http_exchange *x, struct event_stream *stream)
{
    char text[160];
    uint64_t oldest = engine_recent_first(s->engine);
    int size = snprintf(text, sizeof(text),
                        "event: gap\n"
                        "data: {\"reason\":\"left_memory\",\"from\":%llu,\"to\":%llu}\n\n",
                        (unsigned long long)stream->position, (unsigned long long)oldest - 1);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    struct span bytes = {text, (size_t)size};
    (void)http_stream_write(x, bytes);
    stream->position = oldest;
}

/* The generation that a frame opens; 0: none. Only its first event can. */
static uint64_t generation_opened(struct frame_reader frame)
{
    uint16_t kind;
    struct reader body;
    bool opens = frame_event(&frame, &kind, &body) &&
                 (kind == EVENT_GENERATION_OPENED || kind == EVENT_WORLD_RESTORED);
    return opens ? get_u64(&body) : 0;
}

/* Of the first frame of these, of which the last is durable: of all but those of worlds that were
 * left since, the book's own. */
static uint64_t generation_of(const struct book *b, uint64_t position, struct reader frames)
{
    struct frame_reader frame;
    uint64_t opened = 0;
    if (position >= b->generation_position) {
        return b->generation;
    }
    while (opened == 0 && frame_next(&frames, &frame)) {
        opened = generation_opened(frame);
    }
    return opened != 0 && frame.info.position > position ? opened - 1 : opened;
}

/* Sends what there is, up to a chunk; true when there is more. */
static bool feed(struct surface *s, struct http_exchange *x, struct event_stream *stream)
{
    const uint8_t *data;
    size_t size;
    const struct book *b = engine_book(s->engine);
    if (stream->position > engine_durable(s->engine)) {
        return false;
    }
    if (stream->position < b->generation_position &&
        b->generation_position > engine_durable(s->engine)) {
        return false; /* which generation these are of is known when the next is on disk */
    }
    if (!engine_recent(s->engine, stream->position, &data, &size)) {
        report_gap(s, x, stream);
        return true;
    }
    struct writer w = surface_writer(s);
    struct reader r = reader_init(data, size);
    struct frame_reader frame;
    uint64_t position = stream->position;
    struct told_frame told = {.generation = generation_of(b, position, r)};
    while (w.size < STREAM_CHUNK_MAX && frame_next(&r, &frame)) {
        uint16_t kind;
        struct reader body;
        uint64_t opened = generation_opened(frame);
        told.info = frame.info;
        told.generation = opened != 0 ? opened : told.generation;
        told.stands = told.generation == b->generation;
        while (w.size < SURFACE_BODY_MAX - 4096 && frame_event(&frame, &kind, &body)) {
            render_event(s, &w, &told, kind, &body);
        }
        position = frame.info.position + 1;
    }
    struct span bytes = {(const char *)w.data, w.size};
    if (w.size > 0 && !http_stream_write(x, bytes)) {
        return false; /* too slow: the same frames again later */
    }
    stream->position = position;
    return position <= engine_durable(s->engine);
}

bool stream_turn(struct surface *s)
{
    bool more = false;
    if (s->stream_count == 0) {
        return false;
    }
    int64_t now_ns = surface_monotonic_ns(s);
    for (uint32_t i = 0; i < SURFACE_STREAMS_MAX; i++) {
        struct event_stream *stream = &s->streams[i];
        struct http_exchange *x = stream->used ? http_find(s->server, stream->ticket) : NULL;
        if (stream->used && x == NULL) {
            stream->used = false;
            s->stream_count--;
        }
        if (x == NULL) {
            continue;
        }
        more = feed(s, x, stream) || more;
        if (now_ns >= stream->beat_ns) {
            (void)http_stream_write(x, SPAN_LITERAL(": still here\n\n"));
            stream->beat_ns = now_ns + STREAM_BEAT_NS;
        }
    }
    return more;
}
