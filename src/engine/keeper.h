/*
 * keeper.h - sees to it that what is closed leaves memory once the index of old ids has it
 * (docs/decisions/0007). Part of the loop, a little in every turn:
 *
 *   IDLE --something is old enough--> FILLING --records are made--> WRITING (the index's thread)
 *     ^                                                                |
 *     +------------ LEAVING: a frame for each few hundred <--synced----+
 *
 * Guarantees
 *  P1  nothing leaves before the index has synced its record.
 *  P2  records are made only of what the journal has durably.
 *  P3  a turn's part is bounded; a slow, full or broken index delays leaving and nothing else.
 *  P4  what the book holds leaves by records of its own generation only: a batch that was begun
 *      before a reset or before a world was restored is given up.
 *  P5  keys and payments have a part of every batch while any of them wait: 1,024 keys come first,
 *      and no more than a sixteenth of its bytes; what is full is followed by the next at once.
 */
#ifndef HAKIKA_ENGINE_KEEPER_H
#define HAKIKA_ENGINE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "engine/core.h"
#include "engine/index.h"

enum { KEEPER_BATCH_BYTES_MIN = 20 * 1024 }; /* the largest record, and a few keys */

struct keeper_settings {
    int64_t closed_ns;    /* how long what is closed stays in memory, in book time: 1 h */
    uint32_t closed_max;  /* beyond so many closed ones the oldest leave earlier: 100,000 */
    int64_t keys_ns;      /* idempotency keys: 24 h */
    int64_t pause_ns;     /* monotonic, after a batch that has room for more of each: 1 s */
    uint32_t batch_bytes; /* of records for one put: INDEX_BATCH_BYTES */
};
struct keeper_settings keeper_settings_default(void);

/* Where batches go; what became of one comes back through keeper_written. */
struct keeper_port {
    void *context;
    void (*put)(void *context, const struct index_batch *batch);
};

struct keeper;

/* NULL: no memory. */
struct keeper *keeper_create(struct engine *engine, const struct keeper_port *port,
                             const struct keeper_settings *settings);
void keeper_destroy(struct keeper *k); /* NULL is fine; not while a batch is being written */

/* Once in every turn of the loop. True: it would like another one soon. */
bool keeper_turn(struct keeper *k);
/* The index's report about the batch that it was given. */
void keeper_written(struct keeper *k, bool good);
/* Milliseconds until keeper_turn may have something to do; -1: not by itself. */
int keeper_timeout_ms(const struct keeper *k);
bool keeper_writing(const struct keeper *k);

struct keeper_counters {
    uint64_t batches, records, failures;
    uint64_t frames;      /* decisions by which something left */
    uint64_t position;    /* that the index shows */
    int64_t write_ns_max; /* longest time that a batch took */
};
struct keeper_counters keeper_counters(const struct keeper *k);

#endif
