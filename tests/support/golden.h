/*
 * golden.h - journals that are kept in tests/golden (README there) and the digests that were
 * recorded when they were new: reading a record, replaying a journal against it.
 *
 * Plain C without a test framework: also built alone, by several compilers, to show that all of
 * them give the same digests (tests/tools/golden_digest.c).
 */
#ifndef HAKIKA_TESTS_SUPPORT_GOLDEN_H
#define HAKIKA_TESTS_SUPPORT_GOLDEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/hash.h"
#include "book/book.h"
#include "journal/journal.h"

enum {
    GOLDEN_DIGESTS_MAX = 512,
    GOLDEN_MESSAGE_MAX = 900,
};

/* One line "digest STATE_VERSION POSITION HEX". */
struct golden_digest {
    uint32_t state_version;
    uint64_t position;
    struct digest_value digest;
};

/* A record: "head POSITION HEX", then digests in the order of their positions. */
struct golden_record {
    uint64_t head_position;
    uint8_t head_hash[JOURNAL_HASH_BYTES];
    uint32_t count;
    struct golden_digest digests[GOLDEN_DIGESTS_MAX];
};

/* False with a message: no such file, or not a record. */
bool golden_record_read(const char *path, struct golden_record *out,
                        char message[GOLDEN_MESSAGE_MAX]);
void golden_record_print(FILE *to, const struct golden_record *record);

/* Opens a journal of either book, and says how its book is made. */
enum journal_status golden_open(const char *directory, bool read_only, struct journal **out,
                                struct book_options *book, struct journal_error *error);

/*
 * Replays all frames of the journal in a directory into a fresh book; at the positions of the
 * record's digests of this program's state version the digest must be the recorded one, and the
 * head and its hash must be as recorded (the journal itself was not changed). With hash_seed any
 * number. False with a message otherwise.
 */
bool golden_replay(const char *directory, const struct golden_record *record, uint64_t hash_seed,
                   char message[GOLDEN_MESSAGE_MAX]);

/* A new record of a journal: a digest at every `step` positions and one at the end. */
bool golden_measure(const char *directory, uint64_t step, struct golden_record *out,
                    char message[GOLDEN_MESSAGE_MAX]);

#endif
