/*
 * attic.h - a real index of old ids beside a book in memory, without keeper, engine or threads:
 * what is closed leaves when the test says so, and what a command names comes from there.
 */
#ifndef HAKIKA_TESTS_SUPPORT_ATTIC_H
#define HAKIKA_TESTS_SUPPORT_ATTIC_H

#include <stdbool.h>
#include <stdint.h>

#include "book/book.h"
#include "engine/index.h"

struct attic {
    struct old_index *index;
    struct index_batch batch;
    uint8_t *buffer;
    char folder[64];
    uint64_t fetched;
};

void attic_open(struct attic *a);
void attic_close(struct attic *a);

/* Executes a command for the attic: the test's own. Its position, 0: refused. */
struct attic_port {
    void *context;
    uint64_t (*execute)(void *context, uint16_t kind, const void *body, void *reply);
};

/* Whatever is closed since before_ns leaves, keys that were kept since then as well: how many. With
 * `torn` the index has the records and nothing has left, as after a kill in between. */
uint64_t attic_clear(struct attic *a, struct book *b, const struct closing_terms *terms, bool torn,
                     const struct attic_port *port);
/* As the engine does before it decides (book_fetch). */
void attic_fetch(struct attic *a, struct book *b, const struct book_command *command,
                 const struct attic_port *port);
/* What a name stands for is in memory or the guest. False: there is none. */
bool attic_reach(struct attic *a, struct book *b, const struct old_name *name);

#endif
