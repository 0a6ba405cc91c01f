/*
 * attic.c - see attic.h.
 */
#include "support/attic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t IDENTITY[16] = {7};

void attic_open(struct attic *a)
{
    char path[96];
    char message[INDEX_MESSAGE_MAX] = "";
    memset(a, 0, sizeof(*a));
    (void)snprintf(a->folder, sizeof(a->folder), "/tmp/hakika-attic-XXXXXX");
    assert_non_null(mkdtemp(a->folder));
    (void)snprintf(path, sizeof(path), "%s/index.mdb", a->folder);
    a->index = index_create(path, IDENTITY, message); /* one that waits for no disk */
    if (a->index == NULL) {
        fail_msg("%s", message);
    }
    a->buffer = malloc(INDEX_BATCH_BYTES);
    assert_non_null(a->buffer);
}

void attic_close(struct attic *a)
{
    static const char *const files[] = {"index.mdb.building", "index.mdb.building-lock"};
    char path[128];
    index_close(a->index);
    free(a->buffer);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", a->folder, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(a->folder), 0);
}

/* ---- leaving ---- */

static void begin(struct attic *a, const struct book *b)
{
    index_batch_init(&a->batch, a->buffer, INDEX_BATCH_BYTES);
    a->batch.generation = b->generation;
    a->batch.head.position = b->position;
}

static void put(struct attic *a)
{
    char message[INDEX_MESSAGE_MAX] = "";
    if (a->batch.count > 0 && !index_put(a->index, &a->batch, message)) {
        fail_msg("%s", message);
    }
}

static uint64_t clear_things(struct attic *a, struct book *b, const struct closing_terms *terms,
                             const struct domain_closing *closing, bool torn,
                             const struct attic_port *port)
{
    uint64_t numbers[CLOSING_NUMBERS_MAX];
    enum book_outcome outcome = BOOK_DONE;
    uint32_t count = 0;
    uint32_t most = closing->find(b->domain_state, terms, numbers, CLOSING_NUMBERS_MAX);
    begin(a, b);
    for (; count < most && index_batch_has_room(&a->batch); count++) {
        index_batch_thing(&a->batch, b, closing->space, numbers[count]);
    }
    put(a);
    struct closed_leave_command c = {.generation = a->batch.generation,
                                     .as_of = terms->as_of,
                                     .numbers = numbers,
                                     .count = count,
                                     .space = closing->space};
    bool left =
        count > 0 && !torn && port->execute(port->context, COMMAND_CLOSED_LEAVE, &c, &outcome) > 0;
    for (uint32_t i = 0; i < most; i++) {
        closing->stay(b->domain_state, numbers[i]);
    }
    return left ? count : 0;
}

static uint64_t clear_keys(struct attic *a, struct book *b, const struct closing_terms *terms,
                           bool torn, const struct attic_port *port)
{
    const struct idempotency_entry *found[CLOSING_KEYS_MAX];
    static uint8_t keys[CLOSING_KEYS_MAX][16];
    enum book_outcome outcome = BOOK_DONE;
    uint32_t cursor = 0;
    uint32_t count = book_keys_closed(b, terms, &cursor, found, CLOSING_KEYS_MAX);
    begin(a, b);
    for (uint32_t i = 0; i < count; i++) {
        index_batch_key(&a->batch, found[i]);
        memcpy(keys[i], found[i]->key, 16);
    }
    put(a);
    struct keys_leave_command c = {
        .generation = a->batch.generation, .as_of = terms->as_of, .keys = keys, .count = count};
    bool left =
        count > 0 && !torn && port->execute(port->context, COMMAND_KEYS_LEAVE, &c, &outcome) > 0;
    return left ? count : 0;
}

uint64_t attic_clear(struct attic *a, struct book *b, const struct closing_terms *terms, bool torn,
                     const struct attic_port *port)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < b->domain->closing_count; i++) {
        uint64_t now;
        do {
            struct closing_terms fresh = *terms;
            fresh.as_of = b->position;
            now = clear_things(a, b, &fresh, &b->domain->closings[i], torn, port);
            left += now;
        } while (now > 0);
    }
    for (uint64_t now = 1; now > 0 && !torn;) {
        struct closing_terms fresh = *terms;
        fresh.as_of = b->position;
        now = clear_keys(a, b, &fresh, torn, port);
    }
    return left;
}

/* ---- finding ---- */

struct fetching {
    struct attic *attic;
    struct book *book;
    const struct attic_port *port;
};

static enum fetch_answer find(void *context, const struct old_name *name, struct old_name *primary,
                              struct span *record)
{
    struct fetching *f = context;
    enum index_answer answer =
        index_find(f->attic->index, f->book->generation, name, primary, record);
    assert_int_not_equal(answer, INDEX_FAILED);
    f->attic->fetched += answer == INDEX_FOUND;
    return answer == INDEX_FOUND ? FETCH_DONE : FETCH_NOTHING;
}

static enum fetch_answer recall(void *context, const struct recall_command *c)
{
    struct fetching *f = context;
    enum book_outcome outcome = BOOK_DONE;
    assert_true(f->port->execute(f->port->context, COMMAND_RECALL, c, &outcome) > 0);
    return FETCH_DONE;
}

void attic_fetch(struct attic *a, struct book *b, const struct book_command *command,
                 const struct attic_port *port)
{
    struct fetching f = {a, b, port};
    const struct fetch_port fetch = {&f, find, recall};
    while (book_fetch(b, command, &fetch) == FETCH_LATER) {
    }
}

bool attic_reach(struct attic *a, struct book *b, const struct old_name *name)
{
    struct fetching f = {a, b, NULL};
    struct old_name primary;
    struct span record;
    if (book_holds(b, name)) {
        return true;
    }
    return find(&f, name, &primary, &record) == FETCH_DONE && !book_holds(b, &primary) &&
           book_host(b, &primary, record);
}
