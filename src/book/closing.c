/*
 * closing.c - see closing.h: leaving decided and applied, the guest, coming home, and the three
 * events in bytes. What a thing is and when it is closed, its domain says (struct domain_closing).
 * Tests: tests/unit/test_closing.c, the simulation.
 */
#include "book/closing.h"

#include <string.h>

#include "base/mutant.h"
#include "book/book_internal.h"

enum { KEYS_LOOKED_AT = 16 }; /* for each that is wanted */

const struct domain_closing *book_closing(const struct book *b, uint8_t space)
{
    for (uint32_t i = 0; i < b->domain->closing_count; i++) {
        CHECK(b->domain->closings[i].space != OLD_SPACE_KEY);
        if (b->domain->closings[i].space == space) {
            return &b->domain->closings[i];
        }
    }
    return NULL;
}

/* ---- the events ---- */

bool left_event_decode(uint16_t kind, struct reader *r, struct left_event *out)
{
    CHECK(kind == EVENT_CLOSED_LEFT || kind == EVENT_KEYS_LEFT);
    CHECK(r->at == 0);
    memset(out, 0, sizeof(*out));
    out->as_of = get_u64(r);
    out->space = kind == EVENT_KEYS_LEFT ? OLD_SPACE_KEY : get_u8(r);
    out->run_count = get_u16(r);
    size_t size = kind == EVENT_KEYS_LEFT ? 16 : sizeof(uint64_t) + sizeof(uint16_t);
    const uint8_t *items = reader_claim(r, out->run_count * size);
    if (items == NULL || out->run_count == 0 || !reader_done(r)) {
        return false;
    }
    out->items = reader_init(items, out->run_count * size);
    return true;
}

bool left_event_run(struct left_event *e, uint64_t *first, uint32_t *count)
{
    CHECK(e->space != OLD_SPACE_KEY);
    if (e->items.at == e->items.size) {
        return false;
    }
    *first = get_u64(&e->items);
    *count = get_u16(&e->items);
    CHECK(!e->items.bad);
    CHECK(e->items.at <= e->items.size);
    return true;
}

bool left_event_key(struct left_event *e, uint8_t key[16])
{
    CHECK(e->space == OLD_SPACE_KEY);
    if (e->items.at == e->items.size) {
        return false;
    }
    get_raw(&e->items, key, 16);
    CHECK(!e->items.bad);
    CHECK(e->items.at <= e->items.size);
    return true;
}

bool recalled_event_decode(struct reader *r, struct recalled_event *out)
{
    out->space = get_u8(r);
    out->number = get_u64(r);
    size_t size = r->bad ? 0 : r->size - r->at;
    const uint8_t *record = reader_claim(r, size);
    if (size == 0 || size > CLOSING_RECORD_MAX || record == NULL || out->number == 0) {
        return false;
    }
    out->record = reader_init(record, size);
    CHECK(reader_done(r));
    CHECK(out->record.size == size);
    return true;
}

/* ---- leaving ---- */

uint64_t book__left(const struct book *b)
{
    uint64_t left = b->keys_left;
    CHECK(b->domain_state != NULL || b->domain->closing_count == 0);
    for (uint32_t i = 0; i < b->domain->closing_count; i++) {
        left += b->domain->closings[i].left(b->domain_state);
    }
    CHECK(IMPLIES(left > 0, b->left_as_of > 0));
    return left;
}

struct run {
    uint64_t first;
    uint64_t end; /* one beyond the last; 0: no run */
};

static uint32_t emit_run(struct writer *w, struct run *run)
{
    if (run->end == 0) {
        return 0;
    }
    CHECK(run->end > run->first);
    CHECK(run->end - run->first <= CLOSING_NUMBERS_MAX);
    put_u64(w, run->first);
    put_u16(w, (uint16_t)(run->end - run->first));
    run->end = 0;
    return 1;
}

enum book_outcome book__decide_closed_leave(struct decision *d)
{
    const struct closed_leave_command *c = d->command->body;
    const struct book *b = d->book;
    const struct domain_closing *closing = book_closing(b, c->space);
    if (b->world_count > 0) {
        return BOOK_NOTHING; /* what is saved and put back must be all there is (worlds.h) */
    }
    if (c->generation != b->generation) {
        return BOOK_NOTHING; /* the index has no record of this generation */
    }
    CHECK(closing != NULL);
    CHECK(c->count > 0 && c->count <= CLOSING_NUMBERS_MAX);
    CHECK(c->as_of < d->position);
    struct closing_terms terms = {d->command->now_ns, d->command->now_ns, c->as_of};
    uint8_t items[CLOSING_NUMBERS_MAX * 10];
    struct writer w = writer_init(items, sizeof(items));
    struct run run = {0, 0};
    uint32_t runs = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        if (!closing->may_leave(b->domain_state, c->numbers[i], &terms)) {
            continue; /* it has changed since its record was made: that one is of no use */
        }
        if (run.end != c->numbers[i]) {
            runs += emit_run(&w, &run);
            run.first = c->numbers[i];
        }
        run.end = c->numbers[i] + 1;
    }
    runs += emit_run(&w, &run);
    CHECK(!w.overflow);
    CHECK(runs <= c->count);
    if (runs == 0) {
        return BOOK_NOTHING;
    }
    struct writer *event = decision_begin(d, EVENT_CLOSED_LEFT);
    put_u64(event, c->as_of);
    put_u8(event, c->space);
    put_u16(event, (uint16_t)runs);
    put_raw(event, items, w.size);
    decision_end(d);
    return BOOK_DONE;
}

static bool key_may_leave(const struct idempotency_entry *e, const struct closing_terms *terms)
{
    CHECK(e->position > 0);
    CHECK(terms->before_ns <= terms->now_ns);
    return e->kept_ns <= terms->before_ns && e->position <= terms->as_of;
}

enum book_outcome book__decide_keys_leave(struct decision *d)
{
    const struct keys_leave_command *c = d->command->body;
    struct closing_terms terms = {d->command->now_ns, d->command->now_ns, c->as_of};
    CHECK(c->count > 0 && c->count <= CLOSING_KEYS_MAX);
    CHECK(c->as_of < d->position);
    if (d->book->world_count > 0 || c->generation != d->book->generation) {
        return BOOK_NOTHING;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct idempotency_entry *e = book__key_find(d->book, c->keys[i]);
        count += e != NULL && key_may_leave(e, &terms);
    }
    if (count < c->count) {
        return BOOK_NOTHING; /* of a world that was reset: keys do not change otherwise */
    }
    struct writer *event = decision_begin(d, EVENT_KEYS_LEFT);
    put_u64(event, c->as_of);
    put_u16(event, (uint16_t)count);
    put_raw(event, c->keys, (size_t)count * 16);
    decision_end(d);
    return BOOK_DONE;
}

bool book__apply_left(struct book *b, uint16_t kind, struct reader *r)
{
    struct left_event e;
    uint64_t first;
    uint32_t count;
    uint8_t key[16];
    if (!left_event_decode(kind, r, &e)) {
        return false;
    }
    book_unhost(b);
    CHECK(e.as_of <= b->position);
    CHECK(e.as_of >= b->left_as_of || e.as_of == 0);
    b->left_as_of = e.as_of;
    if (kind == EVENT_KEYS_LEFT) {
        while (left_event_key(&e, key)) {
            const struct idempotency_entry *known = book__key_find(b, key);
            CHECK(known != NULL);
            CHECK(known->position <= e.as_of);
            book__key_remove(b, known);
            CHECK(book__key_find(b, key) == NULL);
            b->keys_left++;
        }
        return true;
    }
    const struct domain_closing *closing = book_closing(b, e.space);
    while (closing != NULL && left_event_run(&e, &first, &count)) {
        for (uint32_t i = 0; i < count; i++) {
            closing->leave(b->domain_state, first + i);
        }
    }
    return closing != NULL;
}

/* ---- finding ---- */

uint32_t book_keys_closed(const struct book *b, const struct closing_terms *terms, uint32_t *cursor,
                          const struct idempotency_entry **out, uint32_t most)
{
    uint32_t found = 0;
    if (b->domain->named == NULL) {
        return 0; /* nobody would find them again */
    }
    uint32_t looked = b->keys.used < most * KEYS_LOOKED_AT ? b->keys.used : most * KEYS_LOOKED_AT;
    for (uint32_t i = 0; i < looked && found < most; i++) {
        uint32_t index = slab_next(&b->keys, *cursor);
        if (index == SLAB_NONE) {
            *cursor = 0;
            index = slab_next(&b->keys, 0);
        }
        CHECK(index != SLAB_NONE);
        CHECK(slab_is_used(&b->keys, index));
        *cursor = index + 1;
        const struct idempotency_entry *e = slab_at(&b->keys, index);
        if (key_may_leave(e, terms)) {
            out[found++] = e;
        }
    }
    *cursor = slab_next(&b->keys, *cursor) == SLAB_NONE ? 0 : *cursor;
    return found;
}

void book_key_record(const struct idempotency_entry *e, struct writer *w)
{
    CHECK(e->position > 0);
    CHECK(e->kept_ns >= 0);
    put_raw(w, e->key, sizeof(e->key));
    put_raw(w, e->request, sizeof(e->request));
    put_u64(w, e->subject);
    put_u64(w, e->position);
    put_i64(w, e->kept_ns);
}

bool book_holds(const struct book *b, const struct old_name *name)
{
    CHECK(name->space != 0);
    CHECK(name->size <= OLD_NAME_BYTES);
    if (name->space == OLD_SPACE_KEY) {
        return book__key_find(b, name->bytes) != NULL;
    }
    if (name->space == OLD_SPACE_DELIVERY) {
        return outbox_holds(&b->outbox, old_name_number(name));
    }
    for (uint32_t i = 0; i < b->domain->closing_count; i++) {
        if (b->domain->closings[i].holds(b->domain_state, name)) {
            return true;
        }
    }
    return false;
}

void book_missing(const struct book *b, const struct book_command *command, struct old_names *out)
{
    struct old_names named = {.count = 0};
    out->count = 0;
    if (command->kind == COMMAND_DELIVERY_REVIVE) {
        const struct delivery_revive_command *c = command->body;
        struct old_name name = old_name_of(OLD_SPACE_DELIVERY, c->number);
        old_names_add(&named, &name);
    }
    bool domains =
        command->kind >= COMMAND_DOMAIN_FIRST || command->kind == COMMAND_DELIVERY_RESULT;
    if (domains && b->domain->named != NULL) {
        b->domain->named(b->domain_state, command, &named);
    }
    out->home = named.home;
    for (uint32_t i = 0; i < named.count; i++) {
        if (!book_holds(b, &named.name[i])) {
            old_names_add(out, &named.name[i]);
        }
    }
    CHECK(out->count <= named.count);
    CHECK(IMPLIES(command->kind == COMMAND_DELIVERY_REVIVE, named.count == 1));
}

/* ---- fetching ---- */

struct fetch {
    struct book *b;
    const struct fetch_port *port;
    struct old_name asked[FETCHES_MAX];
    uint32_t count;
    bool came; /* something came home: what it names may be wanted, too */
    bool key;  /* a key is the guest */
};

static bool was_asked(const struct fetch *f, const struct old_name *name)
{
    CHECK(f->count <= FETCHES_MAX);
    for (uint32_t i = 0; i < f->count; i++) {
        if (old_name_equal(&f->asked[i], name)) {
            return true;
        }
    }
    return false;
}

static enum fetch_answer fetch_one(struct fetch *f, const struct old_name *name, bool home)
{
    struct old_name primary;
    struct span record;
    CHECK(name->space != 0);
    if (f->count == FETCHES_MAX) {
        return FETCH_LATER;
    }
    f->asked[f->count++] = *name;
    enum fetch_answer answer = f->port->find(f->port->context, name, &primary, &record);
    if (answer != FETCH_DONE || book_holds(f->b, &primary)) {
        return answer; /* of the latter memory knows better: it does not have this name any more */
    }
    if (!book_host(f->b, &primary, record)) {
        return FETCH_UNKNOWN;
    }
    f->key = f->key || primary.space == OLD_SPACE_KEY;
    const struct domain_closing *closing = book_closing(f->b, primary.space);
    if (closing == NULL || !(closing->comes_home || home)) {
        return FETCH_DONE;
    }
    CHECK(f->b->guest.closing == closing);
    struct recall_command recall = {.space = primary.space, .number = old_name_number(&primary)};
    answer = f->port->recall(f->port->context, &recall);
    CHECK(IMPLIES(answer == FETCH_DONE, book_holds(f->b, &primary)));
    f->came = f->came || answer == FETCH_DONE;
    return answer;
}

static enum fetch_answer fetch_round(struct fetch *f, const struct old_names *names, bool keys)
{
    CHECK(names->count <= OLD_NAMES_MAX);
    CHECK(f->b->fresh == NULL);
    for (uint32_t i = 0; i < names->count; i++) {
        const struct old_name *name = &names->name[i];
        if ((name->space == OLD_SPACE_KEY) != keys || was_asked(f, name) ||
            book_holds(f->b, name)) {
            continue;
        }
        enum fetch_answer answer = fetch_one(f, name, names->home);
        if (answer == FETCH_UNKNOWN || answer == FETCH_LATER) {
            return answer;
        }
    }
    return FETCH_DONE;
}

enum fetch_answer book_fetch(struct book *b, const struct book_command *command,
                             const struct fetch_port *port)
{
    struct fetch f = {.b = b, .port = port};
    struct old_names missing;
    CHECK(port->find != NULL);
    CHECK(port->recall != NULL);
    bool homely = b->domain->closing_count > 0 && b->domain->closings[0].comes_home;
    if (homely) {
        book_unhost(b); /* what somebody read is not what a decision is about */
    }
    do {
        f.came = false;
        book_missing(b, command, &missing);
        enum fetch_answer answer = fetch_round(&f, &missing, true);
        if (answer == FETCH_DONE && !f.key) { /* the guest may be of an earlier command */
            answer = fetch_round(&f, &missing, false);
        }
        if (answer != FETCH_DONE) {
            return answer;
        }
    } while (f.came);
    CHECK(IMPLIES(homely, b->guest.closing == NULL));
    return FETCH_DONE;
}

enum book_outcome book__decide_recall(struct decision *d)
{
    const struct recall_command *c = d->command->body;
    CHECK(c->number != 0);
    CHECK(d->events == 0);
    return decision_recall(d, c->space, c->number) ? BOOK_DONE : BOOK_NOT_FOUND;
}

/* ---- the guest ---- */

void book_unhost(struct book *b)
{
    if (b->guest.closing != NULL) {
        b->guest.closing->unhost(b->domain_state);
        b->guest.closing = NULL;
        texts_unlend(&b->texts);
    }
    CHECK(b->guest.closing == NULL);
    CHECK(b->outbox.guest.item.number == 0);
    b->guest.has_key = false;
}

static bool host_key(struct book *b, struct span record)
{
    struct reader r = reader_init(record.data, record.size);
    struct idempotency_entry *e = &b->guest.key;
    get_raw(&r, e->key, sizeof(e->key));
    get_raw(&r, e->request, sizeof(e->request));
    e->subject = get_u64(&r);
    e->position = get_u64(&r);
    e->kept_ns = get_i64(&r);
    b->guest.has_key = reader_done(&r) && book__key_find(b, e->key) == NULL;
    return b->guest.has_key;
}

bool book_host(struct book *b, const struct old_name *primary, struct span record)
{
    struct book_guest *g = &b->guest;
    if (primary->space == OLD_SPACE_KEY) {
        return host_key(b, record);
    }
    const struct domain_closing *closing = book_closing(b, primary->space);
    if (closing == NULL || record.size > CLOSING_RECORD_MAX) {
        return false;
    }
    bool had_key = g->has_key; /* a command may name a key and a thing */
    book_unhost(b);
    g->has_key = had_key;
    memcpy(g->bytes, record.data, record.size);
    g->size = record.size;
    g->number = old_name_number(primary);
    struct reader r = reader_init(g->bytes, g->size);
    if (!closing->host(b->domain_state, g->number, &r)) {
        texts_unlend(&b->texts);
        return false;
    }
    g->closing = closing;
    CHECK(g->number != 0);
    CHECK(!book_holds(b, primary)); /* memory knows better than any record */
    return true;
}

bool decision_recall(struct decision *d, uint8_t space, uint64_t number)
{
    const struct book_guest *g = &d->book->guest;
    if (g->closing == NULL || g->closing->space != space || g->number != number) {
        return false;
    }
    CHECK(number != 0);
    CHECK(g->size > 0 && g->size <= CLOSING_RECORD_MAX);
    struct writer *w = decision_begin(d, EVENT_RECALLED);
    put_u8(w, space);
    put_u64(w, number);
    put_raw(w, g->bytes, g->size);
    decision_end(d);
    return true;
}

bool book__apply_recalled(struct book *b, struct reader *r)
{
    struct recalled_event e;
    if (!recalled_event_decode(r, &e)) {
        return false;
    }
    book_unhost(b);
    CHECK(e.number != 0);
    CHECK(b->guest.closing == NULL);
    b->recalled++;
    const struct domain_closing *closing = book_closing(b, e.space);
    return closing != NULL && closing->recall(b->domain_state, e.number, &e.record);
}
