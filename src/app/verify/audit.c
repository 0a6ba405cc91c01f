/*
 * audit.c - the walk over batches, frames and events, and the book's own events. See audit.h.
 */
#include "app/verify/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void audit__breach(struct audit *a, enum verify_proof proof, const char *format, ...)
{
    char text[FINDING_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    findings_breach(a->report, proof, "%s", text);
}

void audit__checked(struct audit *a, enum verify_proof proof)
{
    a->report->proofs[proof].checked++;
}

static void generation_init(struct audit *a)
{
    audit__ledger_init(a);
    audit__people_init(a);
    audit__payments_init(a);
    audit__requests_init(a);
    audit__standing_init(a);
    audit__bill_init(a);
    audit__outbox_init(a);
    audit__left_init(a);
    audit__gateway_init(a);
    table_init(&a->keys, 0);
}

static void generation_fini(struct audit *a)
{
    audit__ledger_fini(a);
    audit__people_fini(a);
    audit__payments_fini(a);
    audit__requests_fini(a);
    audit__standing_fini(a);
    audit__bill_fini(a);
    audit__outbox_fini(a);
    audit__left_fini(a);
    audit__gateway_fini(a);
    table_fini(&a->keys);
}

void audit_init(struct audit *a, struct verify_report *report, bool merchant)
{
    memset(a, 0, sizeof(*a));
    a->merchant = merchant;
    a->report = report;
    array_init(&a->checkpoints, sizeof(struct audit_checkpoint));
    generation_init(a);
}

void audit_fini(struct audit *a)
{
    generation_fini(a);
    audit__worlds_fini(a);
    audit__import_fini(a);
    array_fini(&a->checkpoints);
}

/* Be it by a reset, by a restored world or by the end of the journal. */
void audit__generation_finish(struct audit *a)
{
    audit__ledger_finish(a);
    if (a->merchant) {
        audit__gateway_finish(a);
    } else {
        audit__payments_finish(a);
    }
}

/* ---- events of the book itself ---- */

static void event_generation(struct audit *a, struct reader *r)
{
    uint64_t generation = get_u64(r);
    if (!reader_done(r)) {
        audit__breach(a, PROOF_RECORDS, "generation_opened is malformed");
        return;
    }
    if (generation != a->generation + 1) {
        audit__breach(a, PROOF_ORDER, "generation %" PRIu64 " follows generation %" PRIu64,
                      generation, a->generation);
    }
    if (a->frame.events != 1) {
        audit__breach(a, PROOF_ORDER, "a new generation opens in the middle of a decision");
    }
    audit__generation_finish(a);
    generation_fini(a);
    generation_init(a);
    a->generation = generation;
    a->report->totals.generations++;
}

static void event_key(struct audit *a, struct reader *r)
{
    uint64_t key;
    uint8_t rest[24];
    get_raw(r, &key, sizeof(key));
    get_raw(r, rest, sizeof(rest));
    (void)get_u64(r);
    if (!reader_done(r)) {
        audit__breach(a, PROOF_RECORDS, "key_kept is malformed");
        return;
    }
    audit__checked(a, PROOF_REFERENCES);
    if (table_find(&a->keys, key) != NULL) {
        audit__breach(a, PROOF_REFERENCES, "an idempotency key took effect a second time");
        return;
    }
    a->report->no_memory = a->report->no_memory || table_add(&a->keys, key) == NULL;
}

static void event_clock(struct audit *a, struct reader *r)
{
    uint8_t mode = get_u8(r);
    (void)get_i64(r);
    if (!reader_done(r) || mode > 1) {
        audit__breach(a, PROOF_RECORDS, "clock_set is malformed");
    }
    a->clock_mode = mode;
}

static void event_checkpoint(struct audit *a, struct reader *r)
{
    struct audit_checkpoint c = {.place = a->report->place};
    c.position = get_u64(r);
    c.state_version = get_u32(r);
    c.digest.high = get_u64(r);
    c.digest.low = get_u64(r);
    if (!reader_done(r)) {
        audit__breach(a, PROOF_RECORDS, "checkpoint is malformed");
        return;
    }
    if (c.position == 0 || c.position >= a->frame.position) {
        audit__breach(a, PROOF_CHECKPOINTS,
                      "a checkpoint of position %" PRIu64 " stands at position %" PRIu64,
                      c.position, a->frame.position);
        return;
    }
    if (c.state_version != BOOK_STATE_VERSION) {
        a->report->totals.checkpoints_foreign++; /* another program's state had that digest */
        return;
    }
    struct audit_checkpoint *kept = array_add(&a->checkpoints);
    if (kept == NULL) {
        a->report->no_memory = true;
        return;
    }
    *kept = c;
}

/* The decisions of an imported world open one generation, at their beginning, and are about nothing
 * but its contents. */
static bool fits_import(const struct audit *a, uint16_t kind)
{
    bool first = a->generation == 0 && a->report->totals.frames == 0;
    return !a->imported || kind == EVENT_KEY_KEPT || (kind == EVENT_GENERATION_OPENED && first);
}

static void event_book(struct audit *a, uint16_t kind, struct reader *body)
{
    if (!fits_import(a, kind)) {
        audit__breach(a, PROOF_RECORDS, "event kind %u has no place in an imported world", kind);
        return;
    }
    switch (kind) {
    case EVENT_GENERATION_OPENED: event_generation(a, body); break;
    case EVENT_CLOCK_SET: event_clock(a, body); break;
    case EVENT_CHECKPOINT: event_checkpoint(a, body); break;
    case EVENT_KEY_KEPT: event_key(a, body); break;
    case EVENT_WORLD_SAVED:
    case EVENT_WORLD_COPIED:
    case EVENT_WORLD_REMOVED:
    case EVENT_WORLD_RESTORED: audit__world_event(a, kind, body); break;
    case EVENT_WORLD_IMPORT_BEGUN:
    case EVENT_WORLD_IMPORT_FRAME:
    case EVENT_WORLD_IMPORTED: audit__import_event(a, kind, body); break;
    case EVENT_CLOSED_LEFT:
    case EVENT_KEYS_LEFT: audit__left_event(a, kind, body); break;
    case EVENT_RECALLED: audit__recalled_event(a, body); break;
    default: audit__breach(a, PROOF_RECORDS, "event kind %u is unknown", kind); break;
    }
}

/* ---- frames ---- */

static void event_operator(struct audit *a, uint16_t kind, struct reader *body)
{
    struct operator_event e;
    if (operator_event_name(kind) == NULL) {
        audit__breach(a, PROOF_RECORDS, "event kind %u is unknown", kind);
        return;
    }
    if (!operator_event_decode(kind, body, &e)) {
        audit__breach(a, PROOF_RECORDS, "%s is malformed", operator_event_name(kind));
        return;
    }
    if (kind >= EVENT_C2B_URLS_KEPT && kind <= EVENT_RECEIPT_RESERVED) {
        audit__customers_event(a, &e);
    } else if (operator_event_of_request(kind)) {
        audit__request_event(a, &e);
    } else if (operator_event_of_paystack(kind)) {
        audit__paystack_event(a, &e);
    } else if (operator_event_of_bill(kind)) {
        audit__bill_event(a, &e);
    } else if (operator_event_of_standing_order(kind)) {
        audit__standing_event(a, &e);
    } else if (kind >= EVENT_RULES_SET && kind <= EVENT_MESSAGE_LET_GO && kind != EVENT_STK_RULED) {
        audit__rule_event(a, &e);
    } else if ((kind >= EVENT_STK_TEXTS_KEPT && kind <= EVENT_STK_ENDED) ||
               kind == EVENT_STK_RULED) {
        audit__payment_event(a, &e);
    } else {
        audit__people_event(a, &e);
    }
}

static void audit_event(struct audit *a, uint16_t kind, struct reader *body)
{
    a->frame.events++;
    a->report->totals.events++;
    if (kind >= BOOK_EVENT_FIRST && kind <= BOOK_EVENT_LAST) {
        event_book(a, kind, body);
    } else if (kind >= LEDGER_EVENT_FIRST && kind <= LEDGER_EVENT_LAST) {
        audit__ledger_event(a, kind, body);
    } else if (kind >= OUTBOX_EVENT_FIRST && kind <= OUTBOX_EVENT_LAST) {
        audit__outbox_event(a, kind, body);
    } else if (a->merchant) {
        audit__gateway_event(a, kind, body);
    } else {
        event_operator(a, kind, body);
    }
}

static void frame_order(struct audit *a, const struct frame_info *info)
{
    audit__checked(a, PROOF_ORDER);
    if (info->position != a->position + 1) {
        audit__breach(a, PROOF_ORDER, "position %" PRIu64 " follows position %" PRIu64,
                      info->position, a->position);
    }
    if (info->time_ns < a->time_ns) {
        audit__breach(a, PROOF_ORDER, "time goes backwards: %" PRId64 " after %" PRId64 " ns",
                      info->time_ns, a->time_ns);
    }
    if (info->time_ns < 0) {
        audit__breach(a, PROOF_ORDER, "time %" PRId64 " is before 1970", info->time_ns);
    }
    if (a->report->totals.frames == 0) {
        a->report->totals.first_ns = info->time_ns;
    }
    a->position = info->position;
    a->time_ns = info->time_ns;
}

void audit__frame(struct audit *a, struct frame_reader *f)
{
    uint16_t kind;
    struct reader body;
    frame_order(a, &f->info);
    /* The arrays need no clearing: their counts say what is there. */
    memset(&a->frame, 0, offsetof(struct audit_frame, ends));
    a->frame.position = f->info.position;
    a->frame.time_ns = f->info.time_ns;
    a->frame.cause = f->info.cause;
    while (frame_event(f, &kind, &body)) {
        audit_event(a, kind, &body);
    }
    audit__checked(a, PROOF_RECORDS);
    if (f->events.bad || a->frame.events == 0) {
        audit__breach(a, PROOF_RECORDS, "the frame is malformed after %u events", a->frame.events);
    }
    if (a->merchant) {
        audit__gateway_frame(a);
        a->report->totals.frames++;
        return;
    }
    audit__payments_frame(a);
    audit__requests_frame(a);
    if (a->frame.confirmations_due != 0) {
        audit__breach(a, PROOF_EFFECTS, "a payment to an organisation with C2B URLs is not told");
    }
    if (a->frame.bills_due != 0) {
        audit__breach(a, PROOF_EFFECTS, "a payment to a biller is not pushed to it");
    }
    if (a->frame.standing_opened != 0) {
        audit__breach(a, PROOF_PAYMENTS, "a standing order is opened, but nobody asked for it");
    }
    a->report->totals.frames++;
}

bool audit_batch(void *context, const struct journal_read_batch *batch)
{
    struct audit *a = context;
    struct reader r = reader_init(batch->payload, batch->payload_size);
    struct frame_reader f;
    uint32_t frames = 0;
    a->report->place = (struct verify_place){a->position + 1, batch->segment, batch->offset};
    audit__checked(a, PROOF_CHAIN);
    if (batch->first_position != a->position + 1) {
        audit__breach(a, PROOF_ORDER, "the batch begins at position %" PRIu64 " after %" PRIu64,
                      batch->first_position, a->position);
    }
    while (frame_next(&r, &f)) {
        a->report->place.position = f.info.position;
        audit__frame(a, &f);
        frames++;
    }
    if (r.bad) {
        audit__breach(a, PROOF_RECORDS, "a frame's header is malformed after %u frames", frames);
    }
    if (frames != batch->frame_count || batch->time_ns != a->frame.time_ns) {
        audit__breach(a, PROOF_ORDER,
                      "the batch says %u frames until %" PRId64 " ns and holds %u until %" PRId64,
                      batch->frame_count, batch->time_ns, frames, a->frame.time_ns);
    }
    a->report->totals.batches++;
    a->report->totals.bytes += batch->payload_size;
    return !a->report->no_memory;
}

void audit_finish(struct audit *a)
{
    struct verify_totals *t = &a->report->totals;
    a->report->place = (struct verify_place){0, 0, 0};
    audit__generation_finish(a);
    t->generation = a->generation;
    t->open = a->merchant ? t->open : a->open.count;
    t->subscribers = a->subscribers.count;
    t->organisations = a->organisations.count;
    t->accounts = a->accounts.count;
    t->checkpoints = a->checkpoints.count;
    t->waiting = a->waiting_count;
    for (int p = PROOF_RECORDS; p <= PROOF_DELIVERIES; p++) {
        a->report->proofs[p].done = !a->report->no_memory;
    }
}
