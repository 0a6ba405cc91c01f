/*
 * sim_disk.h - a disk in memory that keeps exactly the promises of journal/disk.h and breaks
 * everything that a real one does not promise.
 *
 * What it knows of a file is two contents: what is durable, and what reads show. Every write
 * leaves 512-byte sectors that are not durable until `sync`; every created, renamed or removed
 * name is not durable until `sync_directory`. A power cut decides about each of them on its own:
 * a sector is old (or any version in between), new, torn in the middle, or garbage; a name change
 * happened or not; a file has its old or its new length. So writes are reordered at will.
 *
 * After a failed sync the sectors are no longer dirty: some reached the device, some did not,
 * reads show them all, and a later sync does nothing for them (what Linux does). Only `forget`
 * shows the truth.
 *
 * Deterministic: no clock, no addresses, no randomness but the seeds that are passed in. Used by
 * tests/crash/ and by the simulation. One thread only.
 */
#ifndef HAKIKA_SIM_DISK_H
#define HAKIKA_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/disk.h"

enum { SIM_SECTOR_BYTES = 512 };

enum sim_operation {
    SIM_OPEN = 1 << 0,
    SIM_WRITE = 1 << 1,
    SIM_READ = 1 << 2,
    SIM_SYNC = 1 << 3,
    SIM_RENAME = 1 << 4,
    SIM_REMOVE = 1 << 5,
    SIM_MAKE_DIRECTORY = 1 << 6,
    SIM_SYNC_DIRECTORY = 1 << 7,
    SIM_LIST = 1 << 8,
    SIM_SIZE = 1 << 9,
    SIM_FORGET = 1 << 10,
    SIM_LOCK = 1 << 11,
    SIM_CHANGES = SIM_OPEN | SIM_WRITE | SIM_SYNC | SIM_RENAME | SIM_REMOVE | SIM_MAKE_DIRECTORY |
                  SIM_SYNC_DIRECTORY,
    SIM_ALL = (1 << 12) - 1,
};

struct sim_disk;

struct sim_disk *sim_disk_create(void);
void sim_disk_destroy(struct sim_disk *sim);

/* The table to give to the code under test; it lives as long as the disk. */
struct disk *sim_disk_interface(struct sim_disk *sim);

/* Makes `to` what `from` is now, without handles and locks: the process died, its cache lives. */
void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from);

/* --- power cuts ------------------------------------------------------------------------------- */

/* In how many ways a cut now could end; `most` when there are that many or more. */
uint64_t sim_disk_cut_count(const struct sim_disk *sim, uint64_t most);

/* Makes `to` the disk that `from` is after the cut with this number (0 .. count - 1). */
void sim_disk_cut(struct sim_disk *to, const struct sim_disk *from, uint64_t number);

/* The same with every decision taken at random, in one of several moods, by the seed. */
void sim_disk_cut_random(struct sim_disk *to, const struct sim_disk *from, uint64_t seed);

/* --- faults ----------------------------------------------------------------------------------- */

/*
 * The `countdown`-th operation (1: the next) of the kinds in the mask fails with `error` (a
 * positive errno), and with `repeat` all later ones. A failing write leaves a part of itself
 * behind. 0 switches it off.
 */
void sim_disk_fail(struct sim_disk *sim, unsigned operations, uint64_t countdown, int error,
                   bool repeat);
/* How many faults have struck. */
uint64_t sim_disk_failures(const struct sim_disk *sim);

/* All files together may hold this much; 0: no limit. More is -ENOSPC. */
void sim_disk_limit(struct sim_disk *sim, uint64_t bytes);

/* What all files together hold. */
uint64_t sim_disk_used(const struct sim_disk *sim);

/* Syncs do nothing and say that they did: only to show that a test would notice. */
void sim_disk_lie(struct sim_disk *sim, bool lie);

/* Makes everything durable, as if the machine had been idle for long. */
void sim_disk_settle(struct sim_disk *sim);

/* Puts a file there, or takes one away, durably: what a person or a bad disk does. */
void sim_disk_put(struct sim_disk *sim, const char *path, const uint8_t *data, uint64_t size);
void sim_disk_drop(struct sim_disk *sim, const char *path);

/* Flips bits of one durable byte. False when there is no such byte. */
bool sim_disk_flip(struct sim_disk *sim, const char *path, uint64_t offset, uint8_t bits);

/* --- observing -------------------------------------------------------------------------------- */

/* Called after every operation of the kinds in the mask that took effect, and after failed ones. */
typedef void (*sim_watch_fn)(void *context, enum sim_operation operation);
void sim_disk_watch(struct sim_disk *sim, unsigned operations, sim_watch_fn watch, void *context);

/* What reads show of a file, and its size; NULL when there is no such name. */
const uint8_t *sim_disk_content(const struct sim_disk *sim, const char *path, uint64_t *size_out);

/* A number over everything that reads show: two runs of one seed end with the same. */
uint64_t sim_disk_fingerprint(const struct sim_disk *sim);

#endif
