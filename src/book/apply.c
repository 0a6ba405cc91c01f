/*
 * apply.c - frames into state: live right after the decision, and again at every replay, from the
 * same bytes. Also the walk over frames for those who only read them.
 */
#include <string.h>

#include "base/mutant.h"
#include "book/book_internal.h"

static bool apply_generation(struct book *b, const struct frame_info *info, struct reader *r)
{
    uint64_t generation = get_u64(r);
    if (!reader_done(r) || generation != b->generation + 1 || b->fresh == NULL) {
        return false; /* (no room was made for a generation that does not begin its frame) */
    }
    CHECK(b->fresh != NULL);
    book__fresh_use(b);
    CHECK(b->fresh == NULL);
    CHECK(b->ledger.entries.high_water == 0);
    b->generation = generation;
    b->generation_position = info->position;
    CHECK(b->ledger.entries.used == 0 && b->ledger.accounts.used == 0);
    CHECK(b->outbox.items.used == 0);
    CHECK(b->keys.used == 0);
    CHECK(b->left_as_of == 0 && b->keys_left == 0);
    return true;
}

static bool apply_key(struct book *b, const struct frame_info *info, struct reader *r)
{
    struct idempotency_entry entry = {.position = info->position, .kept_ns = info->time_ns};
    get_raw(r, entry.key, sizeof(entry.key));
    get_raw(r, entry.request, sizeof(entry.request));
    entry.subject = get_u64(r);
    if (!reader_done(r)) {
        return false;
    }
    uint32_t index = slab_take(&b->keys);
    *(struct idempotency_entry *)slab_at(&b->keys, index) = entry;
    CHECK(book__key_add(b, index)); /* K5 */
    CHECK(map_count(&b->by_key) == b->keys.used);
    return true;
}

static bool apply_book_event(struct book *b, const struct frame_info *info, uint16_t kind,
                             struct reader *r)
{
    switch (kind) {
    case EVENT_GENERATION_OPENED: return apply_generation(b, info, r);
    case EVENT_KEY_KEPT: return apply_key(b, info, r);
    case EVENT_CLOSED_LEFT:
    case EVENT_KEYS_LEFT: return book__apply_left(b, kind, r);
    case EVENT_RECALLED: return book__apply_recalled(b, r);
    case EVENT_CLOCK_SET:
        b->clock_mode = get_u8(r);
        b->clock_offset_ns = get_i64(r);
        return reader_done(r) && b->clock_mode <= CLOCK_VIRTUAL;
    case EVENT_CHECKPOINT:
        b->checkpoint_position = get_u64(r);
        b->checkpoint_version = get_u32(r);
        b->checkpoint_digest.high = get_u64(r);
        b->checkpoint_digest.low = get_u64(r);
        return reader_done(r);
    default: return false;
    }
}

static bool apply_event(struct book *b, const struct frame_info *info, uint16_t kind,
                        struct reader *r)
{
    if (kind >= LEDGER_EVENT_FIRST && kind <= LEDGER_EVENT_LAST) {
        struct ledger_event e;
        if (!ledger_event_decode(kind, r, &e)) {
            return false;
        }
        ledger_apply(&b->ledger, &e);
        return true;
    }
    if (kind >= OUTBOX_EVENT_FIRST && kind <= OUTBOX_EVENT_LAST) {
        struct outbox_event e;
        if (!outbox_event_decode(kind, r, &e)) {
            return false;
        }
        outbox_apply(&b->outbox, &e, info->position, info->time_ns);
        return true;
    }
    if (kind >= BOOK_EVENT_FIRST && kind <= BOOK_EVENT_LAST) {
        return apply_book_event(b, info, kind, r);
    }
    return b->domain->apply(b->domain_state, info, kind, r);
}

/* Kinds that this program can read; others were written by a newer one. */
static bool event_known(const struct book *b, uint16_t kind)
{
    return (kind >= BOOK_EVENT_FIRST && kind <= BOOK_EVENT_KNOWN_LAST) ||
           (kind >= LEDGER_EVENT_FIRST && kind <= EVENT_HOLD_EXPIRED) ||
           (kind >= OUTBOX_EVENT_FIRST && kind <= OUTBOX_EVENT_KNOWN_LAST) ||
           (kind >= b->domain->event_first && kind <= b->domain->event_last &&
            b->domain->event_name(kind) != NULL);
}

enum book_replay book__apply_events(struct book *b, const struct frame_info *info,
                                    struct reader *events)
{
    CHECK(info->position == b->position + 1); /* K2 */
    CHECK(info->time_ns >= b->time_ns);
    struct frame_reader f = {*info, *events};
    uint16_t kind;
    struct reader body;
    while (frame_event(&f, &kind, &body)) {
        if (!event_known(b, kind)) {
            return BOOK_EVENT_UNKNOWN;
        }
        bool import = kind >= EVENT_WORLD_IMPORT_BEGUN && kind <= EVENT_WORLD_IMPORTED;
        if (import || (kind >= EVENT_WORLD_SAVED && kind <= EVENT_WORLD_RESTORED)) {
            enum book_replay result = import ? book__apply_import(b, info, kind, &body)
                                             : book__apply_world(b, info, kind, &body);
            if (result != BOOK_REPLAYED) {
                return result;
            }
        } else if (!apply_event(b, info, kind, &body)) {
            return BOOK_FRAME_BAD;
        }
    }
    return f.events.bad ? BOOK_FRAME_BAD : BOOK_REPLAYED;
}

bool frame_next(struct reader *r, struct frame_reader *out)
{
    if (r->bad || r->at == r->size) {
        return false;
    }
    size_t start = r->at;
    uint32_t size = get_u32(r);
    out->info.cause = get_u16(r);
    uint16_t reserved = get_u16(r);
    out->info.position = get_u64(r);
    out->info.time_ns = get_i64(r);
    uint64_t more_reserved = get_u64(r);
    if (r->bad || size <= BOOK_FRAME_HEADER_BYTES || size > r->size - start || reserved != 0 ||
        more_reserved != 0) {
        r->bad = true;
        return false;
    }
    CHECK(r->at == start + BOOK_FRAME_HEADER_BYTES);
    out->events = reader_init(r->data + r->at, size - BOOK_FRAME_HEADER_BYTES);
    r->at = start + size;
    CHECK(r->at <= r->size);
    return true;
}

bool frame_event(struct frame_reader *f, uint16_t *kind, struct reader *body)
{
    struct reader *r = &f->events;
    if (r->bad || r->at == r->size) {
        return false;
    }
    *kind = get_u16(r);
    uint16_t size = get_u16(r);
    const uint8_t *data = reader_claim(r, size);
    if (data == NULL) {
        return false;
    }
    *body = reader_init(data, size);
    CHECK(r->at <= r->size);
    CHECK(!r->bad);
    return true;
}

/* A generation can only be opened by the first event of a frame. */
static bool opens_generation(struct frame_reader f)
{
    uint16_t kind;
    struct reader body;
    CHECK(f.events.at == 0); /* nothing of it was read yet */
    return frame_event(&f, &kind, &body) && kind == EVENT_GENERATION_OPENED;
}

enum book_replay book_replay_frame(struct book *b, struct reader *r)
{
    struct frame_reader f;
    if (!frame_next(r, &f)) {
        return BOOK_FRAME_BAD;
    }
    if (f.info.position != b->position + 1 || f.info.time_ns < b->time_ns) {
        return BOOK_FRAME_GAP;
    }
    uint32_t transfers = BOOK_RESERVE_TRANSFERS;
    if (f.info.cause == COMMAND_TRANSFERS) {
        transfers = (uint32_t)(f.events.size / BOOK_EVENT_HEADER_BYTES);
    }
    if (!(opens_generation(f) ? book__fresh_prepare(b) : book__reserve(b, transfers))) {
        return BOOK_REPLAY_MEMORY;
    }
    b->time_ns = f.info.time_ns; /* a restored world sets another one */
    enum book_replay result = book__apply_events(b, &f.info, &f.events);
    book__prepare_end(b);
    if (result != BOOK_REPLAYED) {
        return result; /* the book is where it was, but for its contents: it is of no use now */
    }
    b->position = f.info.position;
    return BOOK_REPLAYED;
}

/* ---- a batch of transfers ---- */

static void transfers_emit(struct book *b, struct decision *d, const struct ledger_event *e)
{
    size_t body_at = d->out->size + BOOK_EVENT_HEADER_BYTES;
    decision_ledger(d, e);
    struct ledger_event applied;
    CHECK(d->out->size > body_at);
    struct reader r = reader_init(d->out->data + body_at, d->out->size - body_at);
    CHECK(ledger_event_decode(e->kind, &r, &applied)); /* K1: what is applied is what is written */
    ledger_apply(&b->ledger, &applied);
}

/* Remembers a refusal under its id (R3.8), unless the id has a story already. */
static void transfers_refuse(struct book *b, struct decision *d, const struct transfer *t,
                             enum ledger_result result)
{
    CHECK(result != LEDGER_OK);
    if (MUTATED(REFUSAL_FORGOTTEN) || !ledger_result_remembered(result) ||
        ledger_entry(&b->ledger, t->id) != NULL) {
        return;
    }
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_TRANSFER_REFUSED;
    e.transfer = *t;
    e.result = (uint8_t)result;
    transfers_emit(b, d, &e);
    CHECK(ledger_entry(&b->ledger, t->id)->state == ENTRY_REFUSED);
}

static enum ledger_result transfers_judge(struct ledger_plan *plan, const struct transfer *t)
{
    if (t->id >= BOOK_DOMAIN_IDS && !MUTATED(DOMAIN_ID_TAKEN)) {
        return LEDGER_ID_RESERVED; /* or a payment would find its own transfer done by a stranger */
    }
    enum ledger_result result = ledger_plan_add(plan, t);
    CHECK(result != LEDGER_ID_RESERVED && result != LEDGER_LINKED_FAILED);
    return result;
}

static void transfers_plan(const struct book *b, const struct decision *d, struct ledger_plan *plan)
{
    ledger_plan_init(plan, &b->ledger);
    plan->now_ns = d->command->now_ns;
}

/*
 * The answer for a transfer whose group fails because of another one. What its own id or form
 * decides comes first: a repeated group is told "repeated" for each of its transfers, and what is
 * no transfer at all is never remembered.
 */
static enum ledger_result transfers_linked(const struct book *b, const struct decision *d,
                                           const struct transfer *t)
{
    struct ledger_plan alone;
    transfers_plan(b, d, &alone);
    enum ledger_result result = transfers_judge(&alone, t);
    bool own =
        (result > LEDGER_OK && result <= LEDGER_FAILED_BEFORE) || result == LEDGER_ID_RESERVED;
    CHECK(IMPLIES(own, !ledger_result_remembered(result)));
    return own ? result : LEDGER_LINKED_FAILED;
}

static void transfers_group(struct book *b, struct decision *d, const struct transfer *t,
                            uint8_t *results, uint32_t count)
{
    CHECK(count > 0);
    CHECK(count <= LEDGER_PLAN_MAX);
    struct ledger_plan plan;
    transfers_plan(b, d, &plan);
    uint32_t failed = count;
    for (uint32_t i = 0; i < count && failed == count; i++) {
        enum ledger_result result = transfers_judge(&plan, &t[i]);
        results[i] = (uint8_t)result;
        failed = result == LEDGER_OK ? count : i;
    }
    if (failed == count) {
        for (uint32_t i = 0; i < count; i++) {
            struct ledger_event e;
            ledger_plan_event(&plan, i, &e);
            transfers_emit(b, d, &e);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        results[i] = i == failed ? results[i] : (uint8_t)transfers_linked(b, d, &t[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        transfers_refuse(b, d, &t[i], results[i]);
    }
}

/* Transfers from i on that stand or fall together. */
static uint32_t transfers_linked_count(const struct transfers_command *c, uint32_t i)
{
    CHECK(i < c->count);
    uint32_t count = 1;
    while (c->linked != NULL && !MUTATED(LINK_IGNORED) && c->linked[i + count - 1] &&
           i + count < c->count) {
        count++;
    }
    CHECK(i + count <= c->count);
    return count;
}

void book__transfers(struct book *b, struct decision *d, const struct transfers_command *c,
                     const struct frame_info *info)
{
    CHECK(info->position == b->position + 1);
    CHECK(c->count == 0 || c->results != NULL);
    for (uint32_t i = 0; i < c->count;) {
        uint32_t count = transfers_linked_count(c, i);
        if (count > LEDGER_PLAN_MAX) {
            memset(c->results + i, LEDGER_GROUP_TOO_LARGE, count);
        } else {
            transfers_group(b, d, c->transfers + i, c->results + i, count);
        }
        i += count;
    }
    CHECK(d->events <= c->count); /* so that the frame has room for all of them */
}
