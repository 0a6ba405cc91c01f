/*
 * targets.c - the rule of targets.h: queues by index in arrays that never move.
 *
 * A target record is in its hash chain while it has jobs; it is also in the circle of turns while
 * any of its jobs wait. The limit "active < free" is the dynamic threshold of switch buffers: it
 * needs no configuration and shrinks by itself as more targets hang.
 */
#include "delivery/targets.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { KEY_BYTES_MAX = 300 };

#define NONE UINT32_MAX

struct target {
    uint64_t key;
    uint32_t chain;                    /* next record of the hash bucket, or of the free list */
    uint32_t active;                   /* attempts under way */
    uint32_t first, last;              /* the jobs that wait */
    uint32_t turn_next, turn_previous; /* the circle; meaningful while first != NONE */
};

struct targets {
    uint32_t jobs_max;
    uint32_t per_target_max;
    uint32_t connections_free;
    uint32_t active;
    uint32_t turn;    /* the record whose turn it is; NONE when nothing waits */
    uint32_t waiting; /* records in the circle */
    uint32_t unused;  /* list of free records */
    uint32_t bucket_mask;
    struct target *records; /* jobs_max of them: each record has at least one job */
    uint32_t *buckets;
    uint32_t *next;      /* by slot: the job behind it */
    uint32_t *record_of; /* by slot */
};

struct targets *delivery__targets_create(uint32_t jobs_max, uint32_t connections_max,
                                         uint32_t per_target_max)
{
    CHECK(jobs_max > 0 && jobs_max < NONE / 4);
    CHECK(connections_max > 0 && per_target_max > 0);
    struct targets *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    uint32_t buckets = 16;
    while (buckets < jobs_max * 2) {
        buckets *= 2;
    }
    t->jobs_max = jobs_max;
    t->per_target_max = per_target_max;
    t->connections_free = connections_max;
    t->turn = NONE;
    t->bucket_mask = buckets - 1;
    t->records = calloc(jobs_max, sizeof(*t->records));
    t->buckets = malloc(buckets * sizeof(*t->buckets));
    t->next = calloc(jobs_max, sizeof(*t->next));
    t->record_of = calloc(jobs_max, sizeof(*t->record_of));
    if (t->records == NULL || t->buckets == NULL || t->next == NULL || t->record_of == NULL) {
        delivery__targets_destroy(t);
        return NULL;
    }
    memset(t->buckets, 0xff, buckets * sizeof(*t->buckets));
    for (uint32_t i = 0; i < jobs_max; i++) {
        t->records[i].chain = i + 1 < jobs_max ? i + 1 : NONE;
    }
    return t;
}

void delivery__targets_destroy(struct targets *t)
{
    if (t == NULL) {
        return;
    }
    free(t->records);
    free(t->buckets);
    free(t->next);
    free(t->record_of);
    free(t);
}

uint64_t delivery__target_key(struct span url)
{
    char key[KEY_BYTES_MAX];
    size_t size = 0;
    uint32_t slashes = 0;
    for (size_t i = 0; i < url.size && size < sizeof(key); i++) {
        char c = url.data[i];
        slashes += c == '/' ? 1 : 0;
        if (slashes == 3 || c == '?' || c == '#') {
            break;
        }
        key[size++] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    return hash_bytes(key, size, 0);
}

static uint32_t bucket_of(const struct targets *t, uint64_t key)
{
    return (uint32_t)(key & t->bucket_mask);
}

static uint32_t record_find(struct targets *t, uint64_t key)
{
    uint32_t bucket = bucket_of(t, key);
    for (uint32_t i = t->buckets[bucket]; i != NONE; i = t->records[i].chain) {
        if (t->records[i].key == key) {
            return i;
        }
    }
    uint32_t i = t->unused;
    CHECK(i != NONE); /* T3: as many records as jobs */
    struct target *record = &t->records[i];
    t->unused = record->chain;
    record->key = key;
    record->active = 0;
    record->first = NONE;
    record->last = NONE;
    record->chain = t->buckets[bucket];
    t->buckets[bucket] = i;
    return i;
}

static void record_forget(struct targets *t, uint32_t i)
{
    uint32_t *link = &t->buckets[bucket_of(t, t->records[i].key)];
    while (*link != i) {
        CHECK(*link != NONE);
        link = &t->records[*link].chain;
    }
    *link = t->records[i].chain;
    t->records[i].chain = t->unused;
    t->unused = i;
}

/* Puts a record in the circle just behind everybody else. */
static void turn_join(struct targets *t, uint32_t i)
{
    struct target *record = &t->records[i];
    if (t->turn == NONE) {
        record->turn_next = i;
        record->turn_previous = i;
        t->turn = i;
    } else {
        uint32_t last = t->records[t->turn].turn_previous;
        record->turn_next = t->turn;
        record->turn_previous = last;
        t->records[last].turn_next = i;
        t->records[t->turn].turn_previous = i;
    }
    t->waiting++;
}

static void turn_leave(struct targets *t, uint32_t i)
{
    struct target *record = &t->records[i];
    CHECK(t->waiting > 0);
    t->waiting--;
    if (t->waiting == 0) {
        t->turn = NONE;
        return;
    }
    t->records[record->turn_previous].turn_next = record->turn_next;
    t->records[record->turn_next].turn_previous = record->turn_previous;
    if (t->turn == i) {
        t->turn = record->turn_next;
    }
}

void delivery__targets_wait(struct targets *t, uint64_t key, uint32_t slot)
{
    CHECK(slot < t->jobs_max);
    uint32_t i = record_find(t, key);
    struct target *record = &t->records[i];
    t->record_of[slot] = i;
    t->next[slot] = NONE;
    if (record->first == NONE) {
        record->first = slot;
        turn_join(t, i);
    } else {
        t->next[record->last] = slot;
    }
    record->last = slot;
}

/* The first waiting job of a record; the record leaves the circle with its last one. */
static uint32_t record_take(struct targets *t, uint32_t i)
{
    struct target *record = &t->records[i];
    uint32_t slot = record->first;
    CHECK(slot != NONE);
    record->first = t->next[slot];
    if (record->first == NONE) {
        record->last = NONE;
        turn_leave(t, i);
    }
    return slot;
}

bool delivery__targets_next(struct targets *t, uint32_t *slot_out)
{
    if (t->connections_free == 0) {
        return false;
    }
    for (uint32_t tries = t->waiting; tries > 0; tries--) {
        uint32_t i = t->turn;
        struct target *record = &t->records[i];
        t->turn = record->turn_next;
        if (record->active >= t->per_target_max || record->active >= t->connections_free) {
            continue;
        }
        *slot_out = record_take(t, i);
        record->active++;
        t->active++;
        t->connections_free--;
        return true;
    }
    return false;
}

void delivery__targets_done(struct targets *t, uint32_t slot)
{
    CHECK(slot < t->jobs_max);
    uint32_t i = t->record_of[slot];
    struct target *record = &t->records[i];
    CHECK(record->active > 0 && t->active > 0);
    record->active--;
    t->active--;
    t->connections_free++;
    if (record->active == 0 && record->first == NONE) {
        record_forget(t, i);
    }
}

bool delivery__targets_abandon(struct targets *t, uint32_t *slot_out)
{
    if (t->turn == NONE) {
        return false;
    }
    uint32_t i = t->turn;
    *slot_out = record_take(t, i);
    if (t->records[i].active == 0 && t->records[i].first == NONE) {
        record_forget(t, i);
    }
    return true;
}

uint32_t delivery__targets_active(const struct targets *t)
{
    return t->active;
}
