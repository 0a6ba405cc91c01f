/*
 * mutant.h - seeded bugs, to prove that the tests would notice. Only a test build
 * (-DHAKIKA_MUTANTS, tests/crash/) has them; in every other build MUTANT() is the constant false.
 */
#ifndef HAKIKA_JOURNAL_MUTANT_H
#define HAKIKA_JOURNAL_MUTANT_H

/* clang-format off */
#define JOURNAL_MUTANTS(X)                                                                \
    X(SKIP_SYNC,          "append does not sync")                                         \
    X(ACK_BEFORE_SYNC,    "append answers before it syncs, and syncs the next time")       \
    X(SYNC_RETRIED,       "a failed sync is tried again instead of poisoning")             \
    X(WRITE_ERROR_IGNORED, "a failed write does not poison")                               \
    X(SKIP_PADDING,       "batches are not padded: the next one shares a sector")          \
    X(PADDING_NOT_ZERO,   "padding is neither zeroed nor checked")                         \
    X(HASH_HEADER_ONLY,   "the hash does not cover the content")                           \
    X(HASH_NOT_CHECKED,   "a batch is believed without computing its hash")                \
    X(ZERO_SEED,          "the checksum of nothing is zero: zeros are a valid batch")      \
    X(NO_IDENTITY,        "the hash is not seeded with the journal's identity")            \
    X(NO_CHAIN,           "the previous hash is not compared")                             \
    X(NO_PLACE,           "segment and offset are not compared")                           \
    X(HEADER_APART,       "the header is written and synced before the payload")           \
    X(TAIL_NOT_CUT,       "a torn tail is left as it is")                                  \
    X(TAIL_NOT_SYNCED,    "a torn tail is zeroed without a sync")                          \
    X(DAMAGE_CUT,         "damage before the tail is cut like a torn tail")                \
    X(OPEN_NOT_SYNCED,    "what opening finds in memory is trusted without a sync")        \
    X(OPEN_NOT_FORGOTTEN, "opening believes memory after a failed sync")                   \
    X(EPOCH_KEPT,         "an opening goes on with the last epoch")                        \
    X(SEGMENT_NOT_SYNCED, "a spare is renamed before it is synced")                        \
    X(SEGMENT_NAME_LOST,  "the directory is not synced after a spare is renamed")          \
    X(OPEN_NAMES_LOST,    "opening does not sync the directory")                           \
    X(SPARE_FULL_POISONS, "a full disk while making a spare goes unnoticed")               \
    X(SNAPSHOT_EARLY,     "a snapshot is renamed before it is synced")                     \
    X(SNAPSHOT_NAME_LOST, "older snapshots go before the new name is durable")             \
    X(SNAPSHOT_UNCHECKED, "a snapshot's digest is not compared")                           \
    X(SNAPSHOT_AHEAD,     "a snapshot ahead of the head is loaded")
/* clang-format on */

#ifdef HAKIKA_MUTANTS
enum journal_mutant {
    MUTANT_NONE,
#define X(name, text) MUTANT_##name,
    JOURNAL_MUTANTS(X)
#undef X
    MUTANT_COUNT,
};
extern enum journal_mutant journal_mutant;
#define MUTANT(name) (journal_mutant == MUTANT_##name)
#else
#define MUTANT(name) 0
#endif

#endif
