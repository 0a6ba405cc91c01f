/*
 * archive.h - the index of old ids and its keeper as one server runs them: opened beside the
 * journal, built anew when it does not fit, fed by the loop (docs/decisions/0007).
 */
#ifndef HAKIKA_APP_ARCHIVE_H
#define HAKIKA_APP_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

struct archive {
    struct old_index *index;
    struct index_thread *thread;
    struct keeper *keeper; /* NULL: nothing leaves */
    bool complained;       /* about an index that cannot be written */
};

/*
 * Opens the index in the data folder; when it does not fit the journal and book, which stand at
 * their head, says so on standard error and builds it anew. False after a message.
 */
bool archive_open(struct archive *a, const char *data, struct journal *journal,
                  const struct book *book, const struct book_options *options);
struct engine_archive archive_port(struct archive *a);
/* Lets what is closed leave; settings->closed_ns 0: nothing does. False: errno says why. */
bool archive_start(struct archive *a, struct engine *engine,
                   const struct keeper_settings *settings);
/* -1: there is none. */
int archive_descriptor(const struct archive *a);
/* In every turn of the loop, after engine_turn. True: it would like another one soon. */
bool archive_turn(struct archive *a);
int archive_timeout_ms(const struct archive *a);
void archive_close(struct archive *a);

#endif
