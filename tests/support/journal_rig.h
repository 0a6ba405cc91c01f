/*
 * journal_rig.h - a journal on a disk in memory, and the few lines that every test of it needs.
 * Batch n of a rig has one frame for an odd n, two for an even one, and a content that follows
 * from n and its size, so that what is read back can be checked without keeping it.
 */
#ifndef HAKIKA_SUPPORT_JOURNAL_RIG_H
#define HAKIKA_SUPPORT_JOURNAL_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/journal.h"
#include "sim/sim_disk.h"

struct journal_rig {
    struct sim_disk *sim;
    struct journal_options options;
    struct journal *journal;
    struct journal_error error;
    uint8_t *buffer; /* room for the largest batch */
};

/* A rig with an empty simulated disk; small segments (16 to 64 KiB); nothing is open. */
void rig_init(struct journal_rig *rig);
void rig_fini(struct journal_rig *rig);

/* Opens with rig->options, closing what was open. */
enum journal_status rig_open(struct journal_rig *rig);
void rig_close(struct journal_rig *rig);

/* Appends the next batch with a payload of this size. */
enum journal_status rig_append(struct journal_rig *rig, size_t payload_size);

/* Opens, appends `count` batches of a size, fails the test when anything fails. */
void rig_grow(struct journal_rig *rig, int count, size_t payload_size);

/* Reads everything: how many batches, each with its own content; fails the test otherwise. */
uint64_t rig_count(struct journal_rig *rig);

/* What the payload of batch n must be at a place. */
uint8_t rig_byte(uint64_t batch, size_t at);

/* Commits a snapshot of the head with this content. */
bool rig_snapshot(struct journal_rig *rig, uint32_t state_version, const void *content,
                  size_t size);

#endif
