/*
 * model.c - what a journal must hold, kept in the simplest possible way, and the comparison.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "crash/run.h"

bool run_violation(struct run *run, const char *format, ...)
{
    struct enumeration *e = run->e;
    if (e->violated) {
        return false;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(e->what, sizeof(e->what), format, arguments);
    va_end(arguments);
    e->violated = true;
    return false;
}

enum journal_status run_open(struct run *run, struct sim_disk *sim, struct journal **out,
                             struct journal_error *error)
{
    run->options.disk = sim_disk_interface(sim);
    return journal_open(&run->options, out, error);
}

/* --- content ---------------------------------------------------------------------------------- */

static size_t next_size(struct random *random)
{
    const size_t block = JOURNAL_BLOCK_BYTES - JOURNAL_BATCH_HEADER_BYTES;
    switch (random_below(random, 12)) {
    case 0: return 1 + random_below(random, 8);
    case 1: /* just below, at and above whole blocks */
        return block + random_below(random, 3) * JOURNAL_BLOCK_BYTES + random_below(random, 3) - 1;
    case 2: return 1 + random_below(random, 1 + random_below(random, RUN_PAYLOAD_MAX));
    case 3: return block + random_below(random, 2 * JOURNAL_BLOCK_BYTES);
    default: return 1 + random_below(random, 600); /* hashing them is most of a state */
    }
}

/* The whole of an earlier batch, as it is on disk, at a block inside this one. */
static void fill_with_stale(const struct run *run, struct model_batch *batch, const uint8_t *image)
{
    size_t at = JOURNAL_BLOCK_BYTES - JOURNAL_BATCH_HEADER_BYTES;
    (void)run;
    while (at + JOURNAL_BLOCK_BYTES <= batch->size) {
        memcpy(batch->payload + at, image, JOURNAL_BLOCK_BYTES);
        at += JOURNAL_BLOCK_BYTES;
    }
}

static void next_fill(struct run *run, struct model_batch *batch, struct random *random)
{
    uint64_t salt = random_next(random);
    uint64_t kind = random_below(random, 6);
    for (size_t i = 0; i < batch->size; i += sizeof(uint64_t)) {
        uint64_t word = kind == 0 ? 0 : hash_u64(salt, i);
        size_t left = batch->size - i;
        memcpy(batch->payload + i, &word, left < sizeof(word) ? left : sizeof(word));
    }
    if (kind == 0 && salt % 2 == 0) { /* zeros but for the end */
        batch->payload[batch->size - 1] = 1;
    } else if (kind == 1) { /* the buffer still holds the batch before this one */
        fill_with_stale(run, batch, run->buffer);
    }
}

struct model_batch *model_next(struct run *run, struct random *random)
{
    struct model *model = &run->model;
    CHECK(model->acked < RUN_BATCHES_MAX);
    struct model_batch *batch = &model->batch[model->acked];
    const struct model_batch *before = model->acked == 0 ? NULL : batch - 1;
    batch->size = next_size(random);
    batch->first_position = before == NULL ? 1 : before->first_position + before->frame_count;
    batch->frame_count = (uint32_t)(1 + random_below(random, 5));
    batch->time_ns = (int64_t)random_below(random, 1u << 30);
    batch->opening = model->opening;
    next_fill(run, batch, random);
    return batch;
}

enum journal_status model_append(struct run *run, struct journal *journal,
                                 const struct model_batch *batch, uint8_t *buffer,
                                 struct journal_error *error)
{
    struct journal_head head = journal_head(journal);
    memcpy(buffer + JOURNAL_BATCH_HEADER_BYTES, batch->payload, batch->size);
    size_t used = JOURNAL_BATCH_HEADER_BYTES + batch->size;
    size_t whole = (used + JOURNAL_BLOCK_BYTES - 1) / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
    memset(buffer + used, 0xee, whole - used); /* the journal has to clean it */
    const struct journal_batch request = {
        .buffer = buffer,
        .capacity = whole,
        .payload_size = batch->size,
        .first_position = batch->first_position,
        .frame_count = batch->frame_count,
        .time_ns = batch->time_ns,
    };
    run->e->appends++;
    return journal_append(journal, &request, head.hash, error);
}

uint8_t model_snapshot_byte(const struct run *run, uint64_t position, size_t at)
{
    return (uint8_t)hash_u64(hash_u64(run->round, position), at / 64);
}

/* --- comparison ------------------------------------------------------------------------------- */

struct comparison {
    struct run *run;
    const struct expectation *expectation;
    size_t count;
    unsigned opening;
    uint64_t epoch;
    bool good;
    struct finding *out;
};

static bool compare_batch(struct comparison *c, const struct model_batch *expected,
                          const struct journal_read_batch *found)
{
    struct run *run = c->run;
    if (found->batch != c->count || found->first_position != expected->first_position ||
        found->frame_count != expected->frame_count || found->time_ns != expected->time_ns) {
        return run_violation(run, "batch %zu has another number, position, count or time",
                             c->count);
    }
    if (found->payload_size != expected->size ||
        memcmp(found->payload, expected->payload, expected->size) != 0) {
        return run_violation(run, "batch %zu has another content than was appended", c->count);
    }
    bool same = c->epoch > 0 && expected->opening == c->opening;
    if (same ? found->epoch != c->epoch : found->epoch <= c->epoch) {
        return run_violation(run, "batch %zu has epoch %llu after epoch %llu", c->count,
                             (unsigned long long)found->epoch, (unsigned long long)c->epoch);
    }
    c->opening = expected->opening;
    c->epoch = found->epoch;
    return true;
}

static bool compare_next(void *context, const struct journal_read_batch *found)
{
    struct comparison *c = context;
    const struct model_batch *expected = NULL;
    if (c->count < c->expectation->most) {
        expected = &c->run->model.batch[c->count];
    } else if (c->count == c->expectation->most) {
        expected = c->expectation->extra;
    }
    c->count++;
    if (expected == NULL) {
        c->good = run_violation(c->run, "batch %zu was never appended", c->count);
        return false;
    }
    c->out->last_segment = found->segment;
    c->out->last_offset = found->offset;
    c->good = compare_batch(c, expected, found);
    return c->good;
}

bool model_check(struct run *run, struct journal *journal, const struct expectation *expectation,
                 struct finding *out)
{
    struct journal_error error;
    const struct model *model = &run->model;
    struct journal_head head = journal_head(journal);
    size_t from = expectation->from;
    *out = (struct finding){0};
    struct comparison c = {
        .run = run, .expectation = expectation, .count = from, .good = true, .out = out};
    CHECK(from <= expectation->least && from <= model->acked);
    uint64_t position =
        from == 0 ? 1 : model->batch[from - 1].first_position + model->batch[from - 1].frame_count;
    enum journal_status status = journal_read(journal, position, compare_next, &c, &error);
    if (!c.good) {
        return false;
    }
    if (status != JOURNAL_OK) {
        return run_violation(run, "reading fails: %s", error.message);
    }
    size_t least = expectation->extra == NULL ? expectation->least : expectation->most + 1;
    if (c.count < least) {
        return run_violation(run, "%zu batches are there, %zu were acknowledged", c.count, least);
    }
    if (head.batch != c.count) {
        return run_violation(run, "the head is batch %llu, but %zu batches were read",
                             (unsigned long long)head.batch, c.count);
    }
    if (c.count > 0 && c.count <= model->acked &&
        memcmp(head.hash, model->batch[c.count - 1].hash, sizeof(head.hash)) != 0) {
        return run_violation(run, "batch %zu has another hash than when it was acknowledged",
                             c.count);
    }
    out->batches = c.count;
    out->last_epoch = c.epoch;
    return true;
}

void model_acknowledge(struct model *model, const struct journal_head *head)
{
    CHECK(head->batch == model->acked + 1);
    memcpy(model->batch[model->acked].hash, head->hash, sizeof(head->hash));
    model->acked++;
    model->known = model->acked;
}

static const struct model_snapshot *snapshot_at(const struct model *model, uint64_t position)
{
    for (size_t i = 0; i < model->snapshot_count; i++) {
        if (model->snapshot[i].position == position) {
            return &model->snapshot[i];
        }
    }
    return NULL;
}

bool model_check_snapshot(struct run *run, struct journal *journal, bool required)
{
    const struct model *model = &run->model;
    struct snapshot_meta meta;
    size_t size = 0;
    uint64_t committed = 0;
    for (size_t i = 0; i < model->snapshot_count; i++) {
        const struct model_snapshot *snapshot = &model->snapshot[i];
        committed =
            snapshot->committed && snapshot->position > committed ? snapshot->position : committed;
    }
    uint8_t *content = snapshot_load(journal, RUN_STATE_VERSION, UINT64_MAX, &meta, &size);
    if (content == NULL) {
        return !required || committed == 0 ||
               run_violation(run, "the snapshot at position %llu was committed and is not loaded",
                             (unsigned long long)committed);
    }
    const struct model_snapshot *expected = snapshot_at(model, meta.position);
    bool good = expected != NULL && expected->batch == meta.batch && expected->size == size;
    for (size_t i = 0; i < size && good; i++) {
        good = content[i] == model_snapshot_byte(run, meta.position, i);
    }
    free(content);
    if (!good) {
        return run_violation(run, "a snapshot at position %llu is loaded and is wrong",
                             (unsigned long long)meta.position);
    }
    return !required || meta.position >= committed ||
           run_violation(run, "an older snapshot is loaded than was committed");
}
