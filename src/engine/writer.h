/*
 * writer.h - the journal on a thread of its own: takes one batch, appends and syncs it, and makes
 * an eventfd readable. The real implementation of struct engine_writer.
 *
 * Guarantees: the loop's thread never waits for the disk; at most one batch is under way; the
 * journal is touched by no other thread between writer_start_thread and writer_stop.
 */
#ifndef HAKIKA_ENGINE_WRITER_H
#define HAKIKA_ENGINE_WRITER_H

#include "engine/core.h"
#include "journal/journal.h"

struct writer_thread;

/* NULL with errno on failure. The journal is borrowed. */
struct writer_thread *writer_start_thread(struct journal *journal);
/* For engine_options. */
struct engine_writer writer_port(struct writer_thread *w);
/* What the journal says of so many bytes more, in the engine's words. A journal that failed is
 * given one more batch: its answer ends the process (E2). */
enum engine_room writer_room(const struct journal *journal, uint64_t bytes);
/* Readable when a batch is finished. */
int writer_descriptor(const struct writer_thread *w);
/* True when a batch is finished: its outcome is in *status, *head and *error. */
bool writer_collect(struct writer_thread *w, enum journal_status *status, struct journal_head *head,
                    struct journal_error *error);
/* Waits for the batch under way, ends the thread, frees. NULL is fine. */
void writer_stop(struct writer_thread *w);

#endif
