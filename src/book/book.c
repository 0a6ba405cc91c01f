/*
 * book.c - one decision at a time: reserve, decide, apply, check. See book.h for K1 to K5.
 * Tests: tests/unit/test_book.c, tests/unit/test_memory.c, the simulation.
 */
#include "book/book.h"

#include <stdlib.h>
#include <string.h>

#include "base/mutant.h"
#include "book/book_internal.h"

/* A receiver may ask for this much patience; one that asks for more is tried as scheduled. */
#define RETRY_AFTER_MS ((int64_t)86400 * 1000)

/* Everything that a reset empties. */
bool book__state_init(struct book *b)
{
    CHECK(b->domain_state == NULL);
    bool replaying = b->outbox.replaying; /* a reset that is replayed is still a replay */
    ledger_init(&b->ledger, b->hash_seed);
    texts_init(&b->texts);
    outbox_init(&b->outbox, &b->texts, b->hash_seed);
    b->outbox.replaying = replaying;
    slab_init(&b->keys, sizeof(struct idempotency_entry), OUTBOX_ITEMS_MAX);
    map_init(&b->by_key, b->hash_seed, MAP_HASHED);
    b->domain_state = b->domain->create(b);
    return b->domain_state != NULL;
}

void book__state_fini(struct book *b)
{
    book_unhost(b);
    if (b->domain_state != NULL) {
        b->domain->destroy(b->domain_state);
    }
    b->domain_state = NULL;
    ledger_fini(&b->ledger);
    outbox_fini(&b->outbox);
    texts_fini(&b->texts);
    slab_fini(&b->keys);
    map_fini(&b->by_key);
}

bool book__fresh_make(struct book *b)
{
    CHECK(b->fresh == NULL);
    struct book *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL) {
        return false;
    }
    fresh->domain = b->domain;
    fresh->settings = b->settings;
    fresh->hash_seed = b->hash_seed;
    fresh->outbox.replaying = b->outbox.replaying;
    if (!book__state_init(fresh)) {
        book_destroy(fresh);
        return false;
    }
    CHECK(fresh->position == 0); /* position, time and generation are not part of it */
    b->fresh = fresh;
    return true;
}

bool book__fresh_prepare(struct book *b)
{
    if (!book__fresh_make(b)) {
        return false;
    }
    if (!book__reserve(b->fresh, BOOK_RESERVE_TRANSFERS)) {
        book__fresh_drop(b);
        return false;
    }
    CHECK(b->fresh != NULL);
    return true;
}

void book__fresh_use(struct book *b)
{
    struct book *fresh = b->fresh;
    CHECK(fresh != NULL);
    CHECK(fresh->domain == b->domain && fresh->fresh == NULL);
    book__state_fini(b);
    CHECK(b->domain_state == NULL);
    ledger_move(&b->ledger, &fresh->ledger);
    outbox_move(&b->outbox, &fresh->outbox, &b->texts);
    b->texts = fresh->texts;
    b->keys = fresh->keys;
    b->by_key = fresh->by_key;
    b->left_as_of = fresh->left_as_of;
    b->keys_left = fresh->keys_left;
    b->domain_state = fresh->domain_state;
    b->domain->moved(b->domain_state, b);
    free(fresh->guest.bytes);
    free(fresh); /* what it held is the book's now */
    b->fresh = NULL;
    CHECK(b->domain_state != NULL);
}

void book__fresh_drop(struct book *b)
{
    book_destroy(b->fresh);
    b->fresh = NULL;
}

struct book *book_create(const struct book_options *options)
{
    CHECK(options->domain != NULL);
    CHECK(options->domain->event_first > OUTBOX_EVENT_LAST);
    CHECK(options->domain->event_first <= options->domain->event_last);
    CHECK(options->domain->event_name != NULL);
    struct book *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        return NULL;
    }
    b->domain = options->domain;
    b->settings = options->settings;
    b->hash_seed = options->hash_seed;
    b->schedule = options->schedule != NULL ? *options->schedule : *outbox_schedule_default();
    CHECK(b->schedule.tries >= 1);
    CHECK(b->schedule.tries <= OUTBOX_TRIES_MAX);
    if (!book__state_init(b)) {
        book_destroy(b);
        return NULL;
    }
    b->guest.bytes = malloc(CLOSING_RECORD_MAX);
    if (b->guest.bytes == NULL) {
        book_destroy(b);
        return NULL;
    }
    return b;
}

void book_destroy(struct book *b)
{
    if (b != NULL) {
        CHECK(b->fresh == NULL);
        book__state_fini(b);
        book__worlds_fini(b);
        free(b->guest.bytes);
        free(b);
    }
}

/* K1: the most that one decision can need, so that apply never allocates. */
bool book__reserve(struct book *b, uint32_t transfers)
{
    CHECK(b->domain_state != NULL);
    return ledger_reserve(&b->ledger, BOOK_RESERVE_ACCOUNTS, transfers) &&
           outbox_reserve(&b->outbox, BOOK_RESERVE_ITEMS) &&
           texts_reserve(&b->texts, BOOK_RESERVE_TEXTS) && slab_reserve(&b->keys, 1) &&
           map_reserve(&b->by_key, 1) && b->domain->reserve(b->domain_state);
}

/*
 * The table knows a key by 64 bits of its digest. Clients choose keys, and with some patience find
 * two whose first 64 bits are equal, so the n-th key with the same bits lies n further on. When a
 * key leaves, those after it close the gap (book__key_remove), so a look-up may stop at the first.
 */
static uint64_t key_place(const uint8_t key[16], uint64_t n)
{
    uint64_t hash;
    memcpy(&hash, key, sizeof(hash));
    return hash + n;
}

const struct idempotency_entry *book__key_find(const struct book *b, const uint8_t key[16])
{
    for (uint64_t n = 0; n <= b->keys.used; n++) {
        uint32_t index = map_get(&b->by_key, key_place(key, n));
        if (index == MAP_NONE) {
            return NULL;
        }
        const struct idempotency_entry *e = slab_at(&b->keys, index);
        if (memcmp(e->key, key, sizeof(e->key)) == 0) {
            return e;
        }
    }
    UNREACHABLE("more places taken than there are keys");
}

const struct idempotency_entry *book_key(const struct book *b, const uint8_t key[16])
{
    const struct idempotency_entry *e = book__key_find(b, key);
    const struct book_guest *g = &b->guest;
    bool guest = e == NULL && g->has_key && memcmp(g->key.key, key, sizeof(g->key.key)) == 0;
    return guest ? &g->key : e;
}

bool book__key_add(struct book *b, uint32_t index)
{
    CHECK(slab_is_used(&b->keys, index));
    const struct idempotency_entry *e = slab_at(&b->keys, index);
    if (book__key_find(b, e->key) != NULL) {
        return false;
    }
    uint64_t n = 0;
    while (map_get(&b->by_key, key_place(e->key, n)) != MAP_NONE) {
        n++;
    }
    map_put(&b->by_key, key_place(e->key, n), index);
    CHECK(book__key_find(b, e->key) == e);
    return true;
}

/* Closes the gap that a key leaves: a key further on moves into it unless its own place is beyond.
 */
void book__key_remove(struct book *b, const struct idempotency_entry *gone)
{
    uint64_t gap = key_place(gone->key, 0);
    CHECK(book__key_find(b, gone->key) == gone);
    CHECK(b->keys.used > 0);
    uint32_t index = map_get(&b->by_key, gap);
    while (slab_at(&b->keys, index) != gone) {
        index = map_get(&b->by_key, ++gap);
    }
    CHECK(map_remove(&b->by_key, gap));
    for (uint64_t at = gap + 1; map_get(&b->by_key, at) != MAP_NONE; at++) {
        uint32_t other = map_get(&b->by_key, at);
        const struct idempotency_entry *e = slab_at(&b->keys, other);
        if (at - key_place(e->key, 0) >= at - gap) {
            CHECK(map_remove(&b->by_key, at));
            map_put(&b->by_key, gap, other);
            gap = at;
        }
    }
    slab_release(&b->keys, index);
    CHECK(map_count(&b->by_key) == b->keys.used);
}

/* ---- writing a frame ---- */

struct writer *decision_begin(struct decision *d, uint16_t kind)
{
    CHECK(d->event_at == 0); /* one event at a time */
    CHECK(kind >= BOOK_EVENT_FIRST);
    d->event_at = d->out->size;
    CHECK(d->event_at >= BOOK_FRAME_HEADER_BYTES);
    put_u16(d->out, kind);
    put_u16(d->out, 0); /* size, known at the end */
    return d->out;
}

void decision_end(struct decision *d)
{
    CHECK(d->event_at > 0);
    CHECK(!d->out->overflow);
    CHECK(d->out->size >= d->event_at + BOOK_EVENT_HEADER_BYTES);
    size_t size = d->out->size - d->event_at - BOOK_EVENT_HEADER_BYTES;
    CHECK(size <= UINT16_MAX);
    uint16_t body_size = (uint16_t)size;
    memcpy(d->out->data + d->event_at + 2, &body_size, sizeof(body_size));
    d->event_at = 0;
    d->events++;
}

void decision_ledger(struct decision *d, const struct ledger_event *e)
{
    CHECK(e->kind >= LEDGER_EVENT_FIRST);
    CHECK(e->kind <= LEDGER_EVENT_LAST);
    ledger_event_encode(decision_begin(d, e->kind), e);
    decision_end(d);
}

void decision_outbox(struct decision *d, const struct outbox_event *e)
{
    CHECK(e->kind >= OUTBOX_EVENT_FIRST);
    CHECK(e->kind <= OUTBOX_EVENT_LAST);
    outbox_event_encode(decision_begin(d, e->kind), e);
    decision_end(d);
}

void decision_keep_key(struct decision *d, const uint8_t key[16], const uint8_t request[16],
                       uint64_t subject)
{
    CHECK(book_key(d->book, key) == NULL); /* K5 */
    struct writer *w = decision_begin(d, EVENT_KEY_KEPT);
    put_raw(w, key, 16);
    put_raw(w, request, 16);
    put_u64(w, subject);
    decision_end(d);
}

void decision_open_generation(struct decision *d)
{
    CHECK(d->events == 0); /* what came before it would be gone at once */
    CHECK(d->book->generation < UINT64_MAX);
    struct writer *w = decision_begin(d, EVENT_GENERATION_OPENED);
    put_u64(w, d->book->generation + 1);
    decision_end(d);
    d->opens_generation = true;
}

static void decide_expiry(struct decision *d)
{
    int64_t due_ns;
    const struct entry *hold = ledger_next_expiry(&d->book->ledger, &due_ns);
    CHECK(hold != NULL);
    CHECK(due_ns <= d->command->now_ns);
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_HOLD_EXPIRED;
    e.transfer.hold_id = hold->id;
    decision_ledger(d, &e);
}

static const struct outbox_schedule *schedule_of(const struct book *b,
                                                 const struct outbox_item *item)
{
    CHECK(item->state == OUTBOX_WAITING);
    const struct outbox_schedule *own = NULL;
    if (b->domain->schedule != NULL) {
        own = b->domain->schedule(b->domain_state, item);
    }
    CHECK(IMPLIES(own != NULL, own->tries >= 1 && own->tries <= OUTBOX_TRIES_MAX));
    return own != NULL ? own : &b->schedule;
}

static enum book_outcome decide_delivery_result(struct decision *d)
{
    const struct delivery_result_command *c = d->command->body;
    const struct book *b = d->book;
    const struct outbox_item *item = outbox_item(&b->outbox, c->number);
    bool other_book = c->generation != b->generation && !MUTATED(RESULT_OF_OTHER_BOOK);
    if (other_book || item == NULL || item->state != OUTBOX_WAITING ||
        (item->phase != OUTBOX_IN_FLIGHT && !MUTATED(RESULT_TWICE))) {
        return BOOK_NOTHING; /* of a world that was reset, or replayed by hand meanwhile */
    }
    struct outbox_event e;
    memset(&e, 0, sizeof(e));
    outbox_judge(item, schedule_of(b, item), c->status, c->error, d->command->now_ns,
                 d->command->random, &e);
    e.duration_ms = c->duration_ms;
    bool once = b->domain->sent_once != NULL && b->domain->sent_once(b->domain_state, item, c);
    if (once && e.state == OUTBOX_WAITING) {
        e.state = OUTBOX_DEAD;
        e.next_try_ns = 0;
    }
    if (e.state == OUTBOX_WAITING && c->retry_after_ms > 0 && c->retry_after_ms <= RETRY_AFTER_MS) {
        int64_t asked_ns = d->command->now_ns + c->retry_after_ms * 1000 * 1000;
        e.next_try_ns = asked_ns > e.next_try_ns ? asked_ns : e.next_try_ns;
    }
    CHECK(IMPLIES(e.state == OUTBOX_WAITING, e.next_try_ns > d->command->now_ns));
    decision_outbox(d, &e);
    if (c->answer.size > 0) {
        struct outbox_event kept;
        memset(&kept, 0, sizeof(kept));
        kept.kind = EVENT_ANSWER_KEPT;
        kept.number = c->number;
        kept.answer = c->answer;
        if (kept.answer.size > OUTBOX_ANSWER_KEPT_MAX) {
            kept.answer.size = OUTBOX_ANSWER_KEPT_MAX;
        }
        decision_outbox(d, &kept);
    }
    if (b->domain->attempted != NULL) {
        b->domain->attempted(b->domain_state, d, item, c, e.state);
    }
    return BOOK_DONE;
}

static enum book_outcome decide_revive(struct decision *d)
{
    const struct delivery_revive_command *c = d->command->body;
    const struct outbox_item *item = outbox_item(&d->book->outbox, c->number);
    if (item == NULL) {
        return BOOK_NOT_FOUND;
    }
    if (item->state == OUTBOX_WAITING && item->phase == OUTBOX_IN_FLIGHT) {
        return BOOK_NOTHING; /* it is being tried this moment */
    }
    if (item->attempts > UINT16_MAX - OUTBOX_TRIES_MAX) {
        return BOOK_NOTHING; /* its attempts could not be counted any more */
    }
    if (!outbox_holds(&d->book->outbox, c->number)) {
        const struct book_guest *g = &d->book->guest;
        CHECK(g->closing != NULL);
        CHECK(decision_recall(d, g->closing->space, g->number));
    }
    struct outbox_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_DELIVERY_REVIVED;
    e.number = c->number;
    e.next_try_ns = d->command->now_ns;
    decision_outbox(d, &e);
    return BOOK_DONE;
}

static enum book_outcome decide_edit(struct decision *d)
{
    const struct delivery_edit_command *c = d->command->body;
    const struct outbox *o = &d->book->outbox;
    struct delivery_edit_reply *reply = d->command->reply;
    const struct outbox_item *item = outbox_item(o, c->number);
    if (item == NULL) {
        return BOOK_NOT_FOUND;
    }
    if (o->edits.used >= OUTBOX_EDITS_MAX) {
        return BOOK_TOO_MANY;
    }
    CHECK(c->body.size > 0 && c->body.size <= OUTBOX_EDIT_BODY_MAX);
    CHECK(c->url.size > 0 && c->url.size <= OUTBOX_EDIT_URL_MAX);
    const struct outbox_edit *before = outbox_edit(o, c->number);
    struct outbox_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_DELIVERY_EDITED;
    e.number = outbox_next_number(o, 1);
    e.subject = item->subject;
    e.target = c->target;
    e.item_kind = item->kind;
    e.next_try_ns = d->command->now_ns;
    e.original = before != NULL ? before->original : c->number;
    e.url = c->url;
    e.body = c->body;
    decision_outbox(d, &e);
    reply->number = e.number;
    return BOOK_DONE;
}

static void decide_clock(struct decision *d)
{
    const struct clock_command *c = d->command->body;
    CHECK(c->mode == CLOCK_REAL || c->mode == CLOCK_VIRTUAL);
    struct writer *w = decision_begin(d, EVENT_CLOCK_SET);
    put_u8(w, c->mode);
    put_i64(w, c->offset_ns);
    decision_end(d);
}

static void decide_checkpoint(struct decision *d)
{
    const struct checkpoint_command *c = d->command->body;
    CHECK(c->position > 0); /* of a state that was */
    CHECK(c->position < d->position);
    struct writer *w = decision_begin(d, EVENT_CHECKPOINT);
    put_u64(w, c->position);
    put_u32(w, BOOK_STATE_VERSION); /* only a book of that version can have this digest */
    put_u64(w, c->digest.high);
    put_u64(w, c->digest.low);
    decision_end(d);
}

static void decide_open_accounts(struct decision *d)
{
    const struct open_accounts_command *c = d->command->body;
    CHECK(c->count <= BOOK_RESERVE_ACCOUNTS);
    CHECK(c->currency != 0);
    for (uint32_t i = 0; i < c->count; i++) {
        struct ledger_event e;
        memset(&e, 0, sizeof(e));
        e.kind = EVENT_ACCOUNT_OPENED;
        e.account = ledger_next_account(&d->book->ledger, i);
        e.opened.code = c->code;
        e.opened.flags = c->flags;
        e.opened.currency = c->currency;
        decision_ledger(d, &e);
    }
}

static void book_decide(struct decision *d)
{
    enum book_outcome outcome = BOOK_DONE;
    switch (d->command->kind) {
    case COMMAND_CLOCK: decide_clock(d); break;
    case COMMAND_CHECKPOINT: decide_checkpoint(d); break;
    case COMMAND_HOLD_EXPIRY: decide_expiry(d); break;
    case COMMAND_DELIVERY_RESULT: outcome = decide_delivery_result(d); break;
    case COMMAND_DELIVERY_REVIVE: outcome = decide_revive(d); break;
    case COMMAND_OPEN_ACCOUNTS: decide_open_accounts(d); break;
    case COMMAND_DELIVERY_EDIT: outcome = decide_edit(d); break;
    case COMMAND_WORLD_SAVE:
    case COMMAND_WORLD_COPY:
    case COMMAND_WORLD_REMOVE:
    case COMMAND_WORLD_RESTORE: outcome = book__decide_world(d); break;
    case COMMAND_WORLD_IMPORT_BEGIN:
    case COMMAND_WORLD_IMPORT_FRAME:
    case COMMAND_WORLD_IMPORT_END: outcome = book__decide_import(d); break;
    case COMMAND_CLOSED_LEAVE: outcome = book__decide_closed_leave(d); break;
    case COMMAND_KEYS_LEAVE: outcome = book__decide_keys_leave(d); break;
    case COMMAND_RECALL: outcome = book__decide_recall(d); break;
    default:
        CHECK(d->command->kind >= COMMAND_DOMAIN_FIRST);
        d->book->domain->decide(d->book->domain_state, d);
        return;
    }
    if (d->command->reply != NULL) {
        *(enum book_outcome *)d->command->reply = outcome;
    }
}

size_t book_frame_bytes_max(const struct book_command *command)
{
    if (command->kind == COMMAND_WORLD_IMPORT_FRAME) {
        return BOOK_FRAME_HEADER_BYTES + BOOK_IMPORT_EVENT_EXTRA + BOOK_IMPORT_FRAME_MAX;
    }
    if (command->kind != COMMAND_TRANSFERS) {
        return BOOK_FRAME_BYTES_MAX;
    }
    const struct transfers_command *c = command->body;
    CHECK(c->count <= BOOK_TRANSFERS_MAX);
    return BOOK_FRAME_HEADER_BYTES + (size_t)c->count * BOOK_TRANSFER_EVENT_MAX;
}

static void frame_open(struct writer *out, const struct frame_info *info)
{
    CHECK(info->position > 0);
    CHECK(info->cause != 0);
    size_t start = out->size;
    put_u32(out, 0); /* size, known at the end */
    put_u16(out, info->cause);
    put_u16(out, 0);
    put_u64(out, info->position);
    put_i64(out, info->time_ns);
    put_u64(out, 0); /* reserved */
    CHECK(out->size == start + BOOK_FRAME_HEADER_BYTES);
}

static void frame_close(struct writer *out, size_t start)
{
    CHECK(!out->overflow);
    CHECK(out->size - start <= UINT32_MAX);
    uint32_t size = (uint32_t)(out->size - start);
    CHECK(size > BOOK_FRAME_HEADER_BYTES);
    memcpy(out->data + start, &size, sizeof(size));
}

/* K1. A batch of transfers has its room already; what a new generation replaces needs none. */
static bool room_to_apply(struct book *b, const struct decision *d)
{
    CHECK(d->events > 0);
    CHECK(b->fresh == NULL || !d->opens_generation);
    if (d->opens_generation) {
        return book__fresh_prepare(b);
    }
    return d->command->kind == COMMAND_TRANSFERS || book__reserve(b, BOOK_RESERVE_TRANSFERS);
}

/* Decides at the end of out, and applies unless it was refused. False: no memory, nothing was
 * done. */
static bool execute(struct book *b, struct decision *d, const struct frame_info *info)
{
    struct writer *out = d->out;
    size_t start = out->size;
    frame_open(out, info);
    if (d->command->kind == COMMAND_TRANSFERS) {
        book__transfers(b, d, d->command->body, info);
    } else {
        book_decide(d);
    }
    CHECK(d->event_at == 0);
    if (d->events == 0) {
        out->size = start; /* a refusal leaves no trace */
        return true;
    }
    CHECK(out->size - start <= book_frame_bytes_max(d->command));
    frame_close(out, start);
    if (!room_to_apply(b, d)) {
        out->size = start; /* decided, and nothing applied yet: it has not happened */
        return false;
    }
    b->time_ns = info->time_ns; /* a restored world sets another one */
    if (d->command->kind != COMMAND_TRANSFERS) {
        struct reader events = reader_init(out->data + start + BOOK_FRAME_HEADER_BYTES,
                                           out->size - start - BOOK_FRAME_HEADER_BYTES);
        CHECK(book__apply_events(b, info, &events) == BOOK_REPLAYED);
        CHECK(b->fresh == NULL);
    }
    b->position = info->position;
    return true;
}

uint64_t book_execute(struct book *b, const struct book_command *command, struct writer *out)
{
    CHECK(command->now_ns >= b->time_ns); /* K2 */
    CHECK(!out->overflow && out->flush == NULL);
    CHECK(out->capacity - out->size >= book_frame_bytes_max(command));
    CHECK(!b->outbox.replaying);
    bool room = true;
    if (command->kind == COMMAND_TRANSFERS) { /* each is applied as soon as it is decided */
        room = book__reserve(b, ((const struct transfers_command *)command->body)->count);
    }
    if (!room || !book__prepare(b, command)) {
        return BOOK_NO_MEMORY;
    }
    struct frame_info info = {b->position + 1, command->now_ns, command->kind};
    struct decision d = {b, command, info.position, out, 0, 0, false};
    bool decided = execute(b, &d, &info);
    book__prepare_end(b);
    if (!decided || d.events == 0) {
        return decided ? 0 : BOOK_NO_MEMORY;
    }
    b->domain->check_touched(b->domain_state); /* K4 */
    CHECK(b->position == d.position);
    return info.position;
}

bool book_work(const struct book *b, int64_t now_ns, struct book_command *out)
{
    int64_t due_ns;
    memset(out, 0, sizeof(*out));
    if (ledger_next_expiry(&b->ledger, &due_ns) != NULL && due_ns <= now_ns) {
        out->kind = COMMAND_HOLD_EXPIRY;
        return true;
    }
    bool found = b->domain->work(b->domain_state, now_ns, out);
    CHECK(IMPLIES(found, out->kind >= COMMAND_DOMAIN_FIRST));
    return found;
}

int64_t book_next_due(const struct book *b)
{
    int64_t due_ns = b->domain->next_due(b->domain_state);
    int64_t hold_ns;
    if (ledger_next_expiry(&b->ledger, &hold_ns) != NULL && hold_ns < due_ns) {
        due_ns = hold_ns;
    }
    CHECK(!b->outbox.replaying); /* phases and breakers mean nothing yet */
    int64_t outbox_ns = outbox_next_due(&b->outbox);
    return outbox_ns < due_ns ? outbox_ns : due_ns;
}
