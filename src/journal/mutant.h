/*
 * mutant.h - seeded bugs, to prove that the tests would notice. Only a test build
 * (-DHAKIKA_MUTANTS, tests/crash/) has them; in every other build MUTANT() is the constant false.
 */
#ifndef HAKIKA_JOURNAL_MUTANT_H
#define HAKIKA_JOURNAL_MUTANT_H

/* clang-format off */
#define JOURNAL_MUTANTS(X)                                                              \
    X(SKIP_SYNC,           "append does not sync")                                      \
    X(ACK_BEFORE_SYNC,     "append answers before its sync, which the next one does")   \
    X(SYNC_RETRIED,        "a failed sync is tried again instead of poisoning")         \
    X(WRITE_ERROR_IGNORED, "a failed write does not poison")                            \
    X(POISON_FORGOTTEN,    "after a failure the next append is tried as if nothing were") \
    X(HEAD_EARLY,          "the head moves although the write failed")                  \
    X(FULL_POISONS,        "a full disk while making a spare poisons")                  \
    X(SKIP_PADDING,        "batches are not padded to blocks: two share a sector")      \
    X(PADDING_UNCHECKED,   "padding is neither zeroed nor checked")                     \
    X(HASH_HEADER_ONLY,    "the hash does not cover the content")                       \
    X(HASH_UNCHECKED,      "a batch is believed without computing its hash")            \
    X(ZEROS_PASS,          "the checksum has a fixed point: a content of zeros passes") \
    X(NO_IDENTITY,         "hashes are not seeded with the journal's identity")         \
    X(NO_CHAIN,            "the previous hash is not compared")                         \
    X(NO_PLACE,            "segment and offset are not compared")                       \
    X(EPOCH_KEPT,          "an opening goes on with the last epoch")                    \
    X(TAIL_NOT_CUT,        "a torn tail is left as it is")                              \
    X(TAIL_NOT_SYNCED,     "a torn tail is zeroed without a sync")                      \
    X(CUT_TOO_MUCH,        "the cut begins one block too early")                        \
    X(DAMAGE_CUT,          "damage before the tail is cut like a torn tail")            \
    X(OPEN_NOT_SYNCED,     "opening trusts what is only in memory")                     \
    X(OPEN_NOT_FORGOTTEN,  "opening believes memory after a failed sync")               \
    X(ERROR_IS_ABSENCE,    "what cannot be read on opening counts as not there")        \
    X(OPEN_NAMES_LOST,     "opening does not sync the directory")                       \
    X(SEGMENT_NOT_SYNCED,  "a spare is renamed before it is synced")                    \
    X(SEGMENT_NAME_LOST,   "the directory is not synced after a spare is renamed")      \
    X(SNAPSHOT_EARLY,      "a snapshot is renamed before it is synced")                 \
    X(SNAPSHOT_NAME_LOST,  "the directory is not synced after a snapshot is renamed")   \
    X(SNAPSHOT_UNCHECKED,  "a snapshot's digest is not compared")                       \
    X(SNAPSHOT_UNCONFIRMED, "a snapshot is loaded that the journal does not confirm")
/* clang-format on */

enum journal_mutant {
    MUTANT_NONE,
#define X(name, text) MUTANT_##name,
    JOURNAL_MUTANTS(X)
#undef X
        MUTANT_COUNT,
};

#ifdef HAKIKA_MUTANTS
extern enum journal_mutant journal_mutant; /* the one that is switched on */
#define MUTANT(name) (journal_mutant == MUTANT_##name)
#else
#define MUTANT(name) 0
#endif

#endif
