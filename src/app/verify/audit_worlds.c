/*
 * audit_worlds.c - saved worlds as the events tell them: a world is what the auditor knew when it
 * was saved, and a restored generation goes on from there. See audit.h.
 *
 * What is kept and put back is the part of struct audit from `accounts` on. Its arrays and tables
 * are listed here; everything else in that part is copied by value.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/verify/audit.h"

enum { AUDIT_NAME_MAX = 64 };

static const size_t ARRAYS[] = {
    offsetof(struct audit, accounts),      offsetof(struct audit, subscribers),
    offsetof(struct audit, organisations), offsetof(struct audit, waiting),
    offsetof(struct audit, gone),          offsetof(struct audit, standing),
    offsetof(struct audit, invoices),
};

static const size_t TABLES[] = {
    offsetof(struct audit, holds),    offsetof(struct audit, ids),
    offsetof(struct audit, msisdns),  offsetof(struct audit, short_codes),
    offsetof(struct audit, open),     offsetof(struct audit, checkouts),
    offsetof(struct audit, requests), offsetof(struct audit, keys),
    offsetof(struct audit, held),     offsetof(struct audit, reversed),
};

enum {
    ARRAY_COUNT = sizeof(ARRAYS) / sizeof(ARRAYS[0]),
    TABLE_COUNT = sizeof(TABLES) / sizeof(TABLES[0]),
};

#define PART_START offsetof(struct audit, accounts)

/* The generation's part of one auditor into another, whose own is overwritten, not freed. */
static bool copy_part(struct audit *to, const struct audit *from)
{
    bool good = true;
    memcpy((uint8_t *)to + PART_START, (const uint8_t *)from + PART_START,
           sizeof(*to) - PART_START);
    for (size_t i = 0; i < ARRAY_COUNT; i++) {
        good = array_own((struct array *)(void *)((uint8_t *)to + ARRAYS[i])) && good;
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        good = table_own((struct table *)(void *)((uint8_t *)to + TABLES[i])) && good;
    }
    return good;
}

static void free_part(struct audit *a)
{
    for (size_t i = 0; i < ARRAY_COUNT; i++) {
        array_fini((struct array *)(void *)((uint8_t *)a + ARRAYS[i]));
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        table_fini((struct table *)(void *)((uint8_t *)a + TABLES[i]));
    }
}

static struct audit_world *find(struct audit *a, struct span name)
{
    for (uint32_t i = 0; i < a->world_count; i++) {
        struct span known = {a->worlds[i].name, a->worlds[i].name_size};
        if (span_equal(known, name)) {
            return &a->worlds[i];
        }
    }
    return NULL;
}

/* The world of a name that must be there (said when it is not). */
static struct audit_world *expect(struct audit *a, struct span name, const char *what)
{
    struct audit_world *w = find(a, name);
    if (w == NULL) {
        audit__breach(a, PROOF_REFERENCES, "a world is %s, but none was saved under that name",
                      what);
    }
    return w;
}

void audit__keep_world(struct audit *a, struct span name, const struct audit *state,
                       int64_t time_ns)
{
    if (find(a, name) != NULL || a->world_count == AUDIT_WORLDS_MAX || name.size == 0 ||
        name.size > AUDIT_NAME_MAX) {
        audit__breach(a, PROOF_REFERENCES,
                      "a world is saved under a name that is taken or no name, or there are more "
                      "than %d",
                      AUDIT_WORLDS_MAX);
        return;
    }
    struct audit_world *w = &a->worlds[a->world_count];
    memset(w, 0, sizeof(*w));
    w->state = calloc(1, sizeof(*w->state));
    if (w->state == NULL) {
        a->report->no_memory = true;
        return;
    }
    memcpy(w->name, name.data, name.size);
    w->name_size = (uint32_t)name.size;
    w->time_ns = time_ns;
    a->world_count++;
    a->report->no_memory = !copy_part(w->state, state) || a->report->no_memory;
}

static void removed(struct audit *a, struct audit_world *w)
{
    free_part(w->state);
    free(w->state);
    uint32_t index = (uint32_t)(w - a->worlds);
    a->world_count--;
    memmove(w, w + 1, (a->world_count - index) * sizeof(*w));
}

/* A virtual clock goes to the time of the world, a real one never goes back. */
static int64_t time_of(const struct audit *a, const struct audit_world *w)
{
    bool is_virtual = a->clock_mode == 1;
    return is_virtual || w->time_ns > a->frame.time_ns ? w->time_ns : a->frame.time_ns;
}

static void restored(struct audit *a, const struct audit_world *w, uint64_t generation,
                     int64_t time_ns)
{
    if (generation != a->generation + 1 || a->frame.events != 1) {
        audit__breach(a, PROOF_ORDER,
                      "generation %" PRIu64 " follows generation %" PRIu64
                      " by event %u of a decision",
                      generation, a->generation, a->frame.events);
    }
    if (time_ns != time_of(a, w)) {
        audit__breach(a, PROOF_ORDER,
                      "a restored world begins at %" PRId64 " ns, and should at %" PRId64, time_ns,
                      time_of(a, w));
    }
    audit__generation_finish(a);
    free_part(a);
    a->report->no_memory = !copy_part(a, w->state) || a->report->no_memory;
    a->generation = generation;
    a->time_ns = time_ns;
    a->report->totals.generations++;
}

void audit__world_event(struct audit *a, uint16_t kind, struct reader *r)
{
    struct span from = SPAN_EMPTY;
    uint64_t generation = 0;
    int64_t time_ns = 0;
    if (kind == EVENT_WORLD_COPIED) {
        from = get_text(r);
    } else if (kind == EVENT_WORLD_RESTORED) {
        generation = get_u64(r);
        time_ns = get_i64(r);
    }
    struct span name = get_text(r);
    if (!reader_done(r)) {
        audit__breach(a, PROOF_RECORDS, "an event about a world (kind %u) is malformed", kind);
        return;
    }
    audit__checked(a, PROOF_REFERENCES);
    struct audit_world *w = NULL;
    switch (kind) {
    case EVENT_WORLD_SAVED: audit__keep_world(a, name, a, a->frame.time_ns); break;
    case EVENT_WORLD_COPIED:
        w = expect(a, from, "copied");
        if (w != NULL) {
            audit__keep_world(a, name, w->state, w->time_ns);
        }
        break;
    case EVENT_WORLD_REMOVED:
        w = expect(a, name, "removed");
        if (w != NULL) {
            removed(a, w);
        }
        break;
    default:
        w = expect(a, name, "restored");
        if (w != NULL) {
            restored(a, w, generation, time_ns);
        }
    }
}

void audit__worlds_fini(struct audit *a)
{
    while (a->world_count > 0) {
        removed(a, &a->worlds[a->world_count - 1]);
    }
}
