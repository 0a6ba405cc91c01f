/*
 * audit_worlds.h - what the auditor knows of saved worlds, and of those that come from another
 * journal (book/worlds.h, W4). Part of app/verify/audit.h.
 */
#ifndef HAKIKA_APP_VERIFY_AUDIT_WORLDS_H
#define HAKIKA_APP_VERIFY_AUDIT_WORLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/span.h"

struct audit;
struct audit_import;

enum { AUDIT_WORLDS_MAX = 32 };

struct audit_world {
    char name[64];
    uint32_t name_size;
    int64_t time_ns;
    struct audit *state; /* the part of the generation alone */
};

/* The decisions of a world of another journal, whose positions come after `begun`. NULL: no memory.
 * Any bytes may be given; finish tells the first breach, or NULL. */
struct audit_import *audit_import_create(uint64_t begun);
void audit_import_destroy(struct audit_import *m); /* NULL is fine */
void audit_import_frames(struct audit_import *m, struct span frames);
const char *audit_import_finish(struct audit_import *m);

/* As the events of a journal tell it. */
void audit__world_event(struct audit *a, uint16_t kind, struct reader *r);
void audit__worlds_fini(struct audit *a);
/* Keeps a copy of what `state` knows under a name. */
void audit__keep_world(struct audit *a, struct span name, const struct audit *state,
                       int64_t time_ns);
void audit__import_event(struct audit *a, uint16_t kind, struct reader *r);
void audit__import_fini(struct audit *a);

#endif
