/*
 * index.h - the index of old ids: what has left memory, found again by any of its names
 * (docs/decisions/0007). One LMDB file beside the journal: derived, never the truth, built anew
 * from the journal when it is lost or does not fit.
 *
 * Guarantees
 *  X1  a batch is in the index whole or not at all, together with the journal position that it
 *      shows; index_put returns true only when the disk has it.
 *  X2  index_fits says yes only to an index of this very journal, in this generation, that has
 *      everything which left up to the journal's head, and nothing from beyond it.
 *  X3  a look-up gives the whole record or nothing; an index that cannot be read says so and is
 *      never taken for an empty one.
 *  X4  a look-up holds on to nothing: pages that puts have freed are used again.
 * One thread puts, one looks up; they may be two.
 */
#ifndef HAKIKA_ENGINE_INDEX_H
#define HAKIKA_ENGINE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "book/book.h"
#include "journal/journal.h"

enum {
    INDEX_MESSAGE_MAX = 512,
    INDEX_BATCH_RECORDS = 4096,
    INDEX_BATCH_BYTES = 4 * 1024 * 1024,
};

/* Records for one put. `head` is the journal's when the first was made: everything before it shows.
 */
struct index_batch {
    uint64_t generation;
    struct journal_head head;
    uint32_t count;
    struct writer data; /* index_batch_add */
};

/* A batch over the caller's buffer. */
void index_batch_init(struct index_batch *b, void *buffer, size_t size);
/* True while another record of any size fits. */
bool index_batch_has_room(const struct index_batch *b);
/* names[0] is the primary one, whose old record it replaces. CHECKs that there is room. */
void index_batch_add(struct index_batch *b, const struct old_names *names, struct span record);

struct old_index;

/* Opens or creates. NULL with a message (of INDEX_MESSAGE_MAX); *damaged: building it anew helps.
 */
struct old_index *index_open(const char *path, const uint8_t identity[16], bool *damaged,
                             char *message);
void index_close(struct old_index *index); /* NULL is fine */

/* What it shows: generation, position and hash of the latest batch; all zero when empty. */
struct index_state {
    uint64_t generation;
    uint64_t position;
    uint8_t hash[JOURNAL_HASH_BYTES];
    bool foreign; /* of another journal, or of another version: not to be used as it is */
};
struct index_state index_state_of(const struct old_index *index);

/* X2. The book is the journal's at its head. Why not: a sentence. */
bool index_fits(const struct old_index *index, struct journal *journal, const struct book *book,
                const char **why);

/* X1. A batch of a new generation takes the place of everything from before. */
bool index_put(struct old_index *index, const struct index_batch *batch, char *message) MUST_USE;

/*
 * Builds it anew beside path by replaying the whole journal, which is at its head, and puts it in
 * place when it is complete. progress (may be NULL) is told positions. False with a message; then
 * nothing has changed.
 */
struct index_rebuild {
    const char *path;
    struct journal *journal;
    const struct book_options *options;
    void (*progress)(void *context, uint64_t position, uint64_t head);
    void *context;
};
bool index_build(const struct index_rebuild *rebuild, char *message) MUST_USE;

enum index_answer {
    INDEX_FOUND = 0,
    INDEX_NOTHING,
    INDEX_FAILED, /* it cannot be read: nobody knows */
};
/* The record that a name leads to, in this generation. The span lives until the next look-up. */
enum index_answer index_find(struct old_index *index, uint64_t generation,
                             const struct old_name *name, struct old_name *primary,
                             struct span *record);

/* Bytes of the file that are in use. */
uint64_t index_bytes(const struct old_index *index);

/* A new, empty one beside path that is not synced before index_finish, which puts it in its place
 * and closes it in any case. For rebuilds and for tools that make journals. */
struct old_index *index_create(const char *path, const uint8_t identity[16], char *message);
bool index_finish(struct old_index *index, uint64_t generation, const struct journal_head *head,
                  char *message) MUST_USE;
/* The record of one thing that is in memory, with its names. */
void index_batch_thing(struct index_batch *b, const struct book *book, uint8_t space,
                       uint64_t number);
void index_batch_key(struct index_batch *b, const struct idempotency_entry *key);

/* ---- on a thread of its own: one batch at a time ---- */

struct index_thread;
/* NULL: errno says why. */
struct index_thread *index_start_thread(struct old_index *index);
void index_stop(struct index_thread *t); /* waits for the batch under way; NULL is fine */
int index_descriptor(const struct index_thread *t);
/* Hands over a batch (struct keeper_port): it stays untouched until it is collected. */
void index_thread_put(void *context, const struct index_batch *batch);
/* True when the batch is done; *good says whether it is in the index, else message why not. */
bool index_collect(struct index_thread *t, bool *good, char *message);

#endif
