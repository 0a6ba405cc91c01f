/*
 * archive.c - the index of old ids in the simulated world: records in plain arrays that outlive the
 * process, behind the real keeper. A batch takes its time; a process that dies meanwhile leaves it
 * there whole or not at all.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sim/world.h"

typedef unsigned long long ull;

struct sim_record {
    struct old_names names; /* the first is the primary one */
    uint64_t hashes[OLD_NAMES_MAX];
    uint8_t *bytes;
    size_t size;
};

static void forget(struct sim_archive *a)
{
    for (uint32_t i = 0; i < a->count; i++) {
        free(a->records[i].bytes);
    }
    a->count = 0;
}

void archive_free(struct sim_archive *a)
{
    forget(a);
    free(a->records);
    *a = (struct sim_archive){.records = NULL};
}

static uint64_t name_hash(const struct old_name *name)
{
    return hash_bytes(name->bytes, name->size, name->space);
}

static struct sim_record *record_named(const struct sim_archive *a, const struct old_name *name)
{
    uint64_t hash = name_hash(name);
    for (uint32_t i = 0; i < a->count; i++) {
        struct sim_record *r = &a->records[i];
        for (uint32_t k = 0; k < r->names.count; k++) {
            if (r->hashes[k] == hash && old_name_equal(&r->names.name[k], name)) {
                return r;
            }
        }
    }
    return NULL;
}

static struct sim_record *place_for(struct sim_archive *a, const struct old_name *primary)
{
    struct sim_record *r = record_named(a, primary);
    if (r != NULL) {
        free(r->bytes);
        return r;
    }
    if (a->count == a->capacity) {
        a->capacity = a->capacity == 0 ? 64 : a->capacity * 2;
        a->records = realloc(a->records, a->capacity * sizeof(a->records[0]));
        CHECK(a->records != NULL);
    }
    return &a->records[a->count++];
}

static void take_record(struct sim_archive *a, struct reader *r)
{
    struct old_names names = {.count = get_u8(r)};
    CHECK(names.count > 0 && names.count <= OLD_NAMES_MAX);
    for (uint32_t i = 0; i < names.count; i++) {
        names.name[i].space = get_u8(r);
        names.name[i].size = get_u8(r);
        CHECK(names.name[i].size <= OLD_NAME_BYTES);
        get_raw(r, names.name[i].bytes, names.name[i].size);
    }
    uint32_t size = get_u32(r);
    const uint8_t *bytes = reader_claim(r, size);
    CHECK(bytes != NULL);
    struct sim_record *place = place_for(a, &names.name[0]);
    place->names = names;
    for (uint32_t i = 0; i < names.count; i++) {
        place->hashes[i] = name_hash(&names.name[i]);
    }
    place->size = size;
    place->bytes = malloc(size);
    CHECK(place->bytes != NULL);
    memcpy(place->bytes, bytes, size);
}

/* The disk has the batch. */
static void commit(struct world *w)
{
    struct sim_archive *a = &w->archive;
    const struct index_batch *b = a->under_way;
    if (a->generation != b->generation) {
        forget(a);
    }
    struct reader r = reader_init(b->data.data, b->data.size);
    for (uint32_t i = 0; i < b->count; i++) {
        take_record(a, &r);
    }
    CHECK(reader_done(&r));
    a->generation = b->generation;
    a->position = b->head.position;
    a->under_way = NULL;
}

/* ---- the keeper's port ---- */

static void put(void *context, const struct index_batch *batch)
{
    struct world *w = context;
    EXPECT(w->archive.under_way == NULL, "the index was given a batch while it had one");
    EXPECT(batch->head.position <= w->auditor.confirmed,
           "records are made of what the disk does not have (P2)");
    w->archive.under_way = batch;
    int64_t most_ns = dice_chance(&w->dice_node, 100) ? 60000000000 : 100000000;
    world_plan_here(w, dice_span_ns(&w->dice_node, 1000000, most_ns), MOMENT_INDEX, 0, 0);
}

/* The number of the message in the first record; 0: it has none. */
static uint64_t first_message(const struct index_batch *b)
{
    struct reader r = reader_init(b->data.data, b->data.size);
    uint32_t count = b->count == 0 ? 0 : get_u8(&r);
    for (uint32_t i = 0; i < count; i++) {
        struct old_name name = {.space = get_u8(&r)};
        name.size = get_u8(&r);
        get_raw(&r, name.bytes, name.size);
        if (name.space == OLD_SPACE_DELIVERY) {
            return old_name_number(&name);
        }
    }
    return 0;
}

/* Somebody sends a message again by hand while its record is on the way. */
static bool changes_meanwhile(struct world *w)
{
    struct ask ask = {.kind = ASK_REVIVE, .number = first_message(w->archive.under_way)};
    if (w->repaired || ask.number == 0 || !dice_chance(&w->dice_node, 150)) {
        return false;
    }
    w->tally.acts[ACT_REVIVED] += world_ask(w, ENGINE_CONTINUATION, &ask).status == ENGINE_APPLIED;
    world_plan_here(w, dice_span_ns(&w->dice_node, 1000000000, 60000000000), MOMENT_INDEX, 0, 0);
    return true;
}

void archive_done(struct world *w)
{
    CHECK(w->archive.under_way != NULL);
    if (changes_meanwhile(w)) {
        return;
    }
    bool good = !dice_chance(&w->dice_node, 50);
    uint32_t count = w->archive.under_way->count;
    if (good) {
        commit(w);
        w->tally.work[WORK_RECORDS] += count;
    }
    w->archive.under_way = NULL;
    world_note(w, MOMENT_INDEX, good, count);
    keeper_written(w->node.keeper, good);
    node_turn_soon(w);
}

void archive_process_ends(struct world *w)
{
    if (w->archive.under_way != NULL && dice_chance(&w->dice_node, 500)) {
        commit(w); /* the index has it, and nobody was told */
    }
    w->archive.under_way = NULL;
}

void archive_start_keeper(struct world *w)
{
    struct node *n = &w->node;
    const struct book *b = n->book;
    EXPECT(b->left_as_of == 0 ||
               (w->archive.generation == b->generation && w->archive.position >= b->left_as_of),
           "what left as of %llu is not in the index, which shows %llu (P1)", (ull)b->left_as_of,
           (ull)w->archive.position);
    struct keeper_port port = {w, put};
    n->keeper = w->keeps ? keeper_create(n->engine, &port, &w->keeper_settings) : NULL;
    CHECK(n->keeper != NULL || !w->keeps);
}

/* ---- looking up ---- */

enum index_answer archive_find(void *context, uint64_t generation, const struct old_name *name,
                               struct old_name *primary, struct span *record)
{
    const struct world *w = context;
    const struct sim_record *r = record_named(&w->archive, name);
    if (r == NULL || w->archive.generation != generation) {
        return INDEX_NOTHING;
    }
    *primary = r->names.name[0];
    *record = (struct span){(const char *)r->bytes, r->size};
    return INDEX_FOUND;
}

void archive_reach(void *context, struct book *book, const struct old_name *name)
{
    struct old_name primary;
    struct span record;
    if (!book_holds(book, name) &&
        archive_find(context, book->generation, name, &primary, &record) == INDEX_FOUND &&
        !book_holds(book, &primary)) {
        EXPECT(book_host(book, &primary, record), "a record of the index cannot be read");
    }
}

/* ---- a turn ---- */

/* What left in this frame: what the auditor knows to be there and memory does not hold. */
static void note_leaving(struct world *w, int64_t now_ns)
{
    struct auditor *a = &w->auditor;
    const struct operator_state *o = operator_of(w->node.book);
    struct ask ask = {.kind = ASK_LEAVE};
    struct leave_order *order = calloc(1, sizeof(*order));
    CHECK(order != NULL);
    for (uint32_t i = 0; i < a->payment_count; i++) {
        if (!a->payments[i].left && map_get(&o->by_number, i + 1) == MAP_NONE) {
            order->numbers[order->count++] = i + 1;
        }
    }
    w->tally.acts[ACT_LEFT] += order->count;
    ask.leave = order;
    auditor_apply(a, &ask, now_ns);
    free(order);
}

void archive_turn(struct world *w)
{
    struct node *n = &w->node;
    if (n->keeper == NULL) {
        return;
    }
    uint64_t before = engine_applied(n->engine);
    uint64_t frames = keeper_counters(n->keeper).frames;
    int64_t now_ns = engine_now(n->engine);
    (void)keeper_turn(n->keeper);
    uint64_t applied = engine_applied(n->engine);
    if (applied == before) {
        return;
    }
    uint64_t own = keeper_counters(n->keeper).frames - frames;
    node_watch(w, before, now_ns, own);
    if (own > 0) {
        note_leaving(w, n->book->time_ns);
    }
    auditor_compare_touched(&w->auditor, n->book);
}
