/*
 * closing.h - how what is closed leaves memory, is read on loan, and comes back
 * (docs/decisions/0007). Payments and idempotency keys are needed for ever, but not in memory.
 *
 *   in memory --closed_left (once the index has its record)--> in the index only
 *   in memory <--recalled (the event carries the record)------ in the index only
 *                 guest (readable, no part of the state) <---- in the index only
 *
 * A record is the whole of one thing in bytes, under a primary name; other names lead to it. A name
 * is a space (one letter) and up to OLD_NAME_BYTES bytes that sort as the things were made, so that
 * an index grows at its end.
 */
#ifndef HAKIKA_BOOK_CLOSING_H
#define HAKIKA_BOOK_CLOSING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"

enum {
    OLD_NAME_BYTES = 39,
    OLD_NAMES_MAX = 40,             /* of one record, or of one command */
    FETCHES_MAX = 128,              /* names that one command may need fetched (book_fetch) */
    CLOSING_NUMBERS_MAX = 512,      /* that leave in one frame */
    CLOSING_KEYS_MAX = 256,         /* idempotency keys in one frame */
    CLOSING_RECORD_MAX = 15 * 1024, /* what is larger stays in memory */
    CLOSING_ATTEMPTS_MAX = 24,      /* of a message; what has more stays in memory */
};

/* Spaces of the book itself; a domain's are others. A space's record is never another's. */
enum old_space {
    OLD_SPACE_DELIVERY = 'd', /* the number of a message, big-endian */
    OLD_SPACE_KEY = 'k',      /* an idempotency key: 16 bytes */
};

struct old_name {
    uint8_t space; /* 0: no name */
    uint8_t size;
    uint8_t bytes[OLD_NAME_BYTES];
};

struct old_names {
    uint32_t count;
    bool home; /* of a command: what they stand for comes home, whatever its domain says else */
    struct old_name name[OLD_NAMES_MAX];
};

/* Adds the last `bytes` bytes of a number, the highest first, so that names sort as numbers do. */
static inline void old_name_put(struct old_name *name, uint64_t value, uint32_t bytes)
{
    CHECK(bytes > 0 && bytes <= sizeof(value));
    CHECK(name->size + bytes <= OLD_NAME_BYTES);
    for (uint32_t i = 0; i < bytes; i++) {
        name->bytes[name->size++] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    }
}

/* The number of so many bytes that begins at a place in a name. */
static inline uint64_t old_name_at(const struct old_name *name, uint32_t at, uint32_t bytes)
{
    uint64_t value = 0;
    CHECK(bytes > 0 && bytes <= sizeof(value));
    CHECK(at + bytes <= OLD_NAME_BYTES);
    for (uint32_t i = 0; i < bytes; i++) {
        value = value << 8 | name->bytes[at + i];
    }
    return value;
}

static inline bool old_name_equal(const struct old_name *a, const struct old_name *b)
{
    CHECK(a->size <= OLD_NAME_BYTES);
    return a->space == b->space && a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* A number as a name, in the order of numbers. */
static inline struct old_name old_name_of(uint8_t space, uint64_t number)
{
    struct old_name name = {.space = space};
    old_name_put(&name, number, 8);
    return name;
}

/* 0: not a number. */
static inline uint64_t old_name_number(const struct old_name *name)
{
    return name->size == 8 ? old_name_at(name, 0, 8) : 0;
}

static inline void old_names_add(struct old_names *names, const struct old_name *name)
{
    CHECK(names->count < OLD_NAMES_MAX);
    names->name[names->count++] = *name;
}

/* What may leave: closed at or before before_ns, and not changed after position as_of. */
struct closing_terms {
    int64_t now_ns;
    int64_t before_ns;
    uint64_t as_of;
};

struct book;
struct book_command;
struct decision;

struct idempotency_entry {
    uint8_t key[16];     /* digest of scope and key */
    uint8_t request[16]; /* digest of the request it came with */
    uint64_t subject;    /* the domain's: what it made */
    uint64_t position;   /* of the frame that kept it */
    int64_t kept_ns;
};

/* What was read from the index last: memory only, no part of the state. */
struct book_guest {
    const struct domain_closing *closing; /* NULL: none */
    uint64_t number;
    size_t size;
    uint8_t *bytes; /* CLOSING_RECORD_MAX */
    bool has_key;
    struct idempotency_entry key;
};

/* What a domain tells of one kind of thing that leaves. `number` is its primary name's. */
struct domain_closing {
    uint8_t space; /* of its primary names */
    /* What a command names comes home, in a frame of its own, before it is decided; otherwise it is
     * the guest then, and comes home only when the decision changes it. */
    bool comes_home;
    /* Up to `most` numbers that may leave and are not found again until `stay`; looks at no more
     * than a few times as many. Turns an order that is memory only, so that the next call looks
     * further on. */
    uint32_t (*find)(void *state, const struct closing_terms *terms, uint64_t *out, uint32_t most);
    /* What was found does not leave after all (or has left): it may be found again. */
    void (*stay)(void *state, uint64_t number);
    bool (*may_leave)(const void *state, uint64_t number, const struct closing_terms *terms);
    /* When the next may have been closed for long enough: the time of its end; INT64_MAX: none. */
    int64_t (*first_closed)(const void *state);
    uint32_t (*count)(const void *state); /* closed and in memory */
    uint64_t (*left)(const void *state);  /* closed and not in memory */
    /* The record and the names that lead to it beside the primary one. */
    void (*record)(const void *state, uint64_t number, struct writer *w, struct old_names *names);
    void (*leave)(void *state, uint64_t number);
    /* False: not the record of one that left. */
    bool (*recall)(void *state, uint64_t number, struct reader *r);
    /* Makes it the guest (the reader stays valid as long as it is one). False: not a record. */
    bool (*host)(void *state, uint64_t number, struct reader *r);
    void (*unhost)(void *state);
    /* Is what the name stands for in memory? */
    bool (*holds)(const void *state, const struct old_name *name);
};

/* COMMAND_CLOSED_LEAVE: each of them that still may, leaves. None does when the records are of
 * another generation: a restored world has things with the positions that they had before. */
struct closed_leave_command {
    uint64_t generation; /* of their records */
    uint64_t as_of;      /* what their records show */
    const uint64_t *numbers;
    uint32_t count; /* at most CLOSING_NUMBERS_MAX */
    uint8_t space;
};

/* COMMAND_KEYS_LEAVE */
struct keys_leave_command {
    uint64_t generation; /* of their records */
    uint64_t as_of;
    const uint8_t (*keys)[16];
    uint32_t count; /* at most CLOSING_KEYS_MAX */
};

/* COMMAND_RECALL: the guest comes home. */
struct recall_command {
    uint64_t number;
    uint8_t space;
};

/* EVENT_CLOSED_LEFT and EVENT_KEYS_LEFT as read. */
struct left_event {
    uint64_t as_of;
    uint8_t space;       /* of the numbers; OLD_SPACE_KEY: keys */
    uint32_t run_count;  /* runs of numbers, or keys */
    struct reader items; /* what closing_next_run and closing_next_key read */
};
bool left_event_decode(uint16_t kind, struct reader *r, struct left_event *out) MUST_USE;
/* The next run of numbers [first, first + count); false at the end. */
bool left_event_run(struct left_event *e, uint64_t *first, uint32_t *count);
bool left_event_key(struct left_event *e, uint8_t key[16]);

/* EVENT_RECALLED as read. */
struct recalled_event {
    uint8_t space;
    uint64_t number;
    struct reader record;
};
bool recalled_event_decode(struct reader *r, struct recalled_event *out) MUST_USE;

/* ---- of a book ---- */

/* NULL: nothing of the domain's has this space. */
const struct domain_closing *book_closing(const struct book *b, uint8_t space);
/* The old names that a command names and memory does not hold. */
void book_missing(const struct book *b, const struct book_command *command, struct old_names *out);

/* What book_fetch asks for. */
enum fetch_answer {
    FETCH_DONE = 0,
    FETCH_NOTHING, /* there is no such thing */
    FETCH_UNKNOWN, /* the index cannot be read, or holds what nobody can read */
    FETCH_LATER,   /* no room to bring it home, or too many for once: what came stays; ask again */
};
struct fetch_port {
    void *context;
    /* The record that a name leads to; the span lives until the next call. */
    enum fetch_answer (*find)(void *context, const struct old_name *name, struct old_name *primary,
                              struct span *record);
    /* Decides COMMAND_RECALL. */
    enum fetch_answer (*recall)(void *context, const struct recall_command *command);
};
/* Puts all that a command names and memory does not hold within reach of its decision: a key or a
 * thing as the guest, or at home (comes_home); and what it names once that is there, and so on. A
 * key that is found decides alone: nothing else is fetched. FETCH_DONE, UNKNOWN or LATER. */
enum fetch_answer book_fetch(struct book *b, const struct book_command *command,
                             const struct fetch_port *port);
bool book_holds(const struct book *b, const struct old_name *name);
/* Makes a record the guest, in place of the one before. False: not a record of this program. */
bool book_host(struct book *b, const struct old_name *primary, struct span record) MUST_USE;
void book_unhost(struct book *b);
/* A key's record: request digest and subject. */
void book_key_record(const struct idempotency_entry *e, struct writer *w);
/* Keys that were kept at or before before_ns and as_of, each once; looks at 16 times `most`.
 * *cursor turns over all of them: where it has not grown, their end has been passed. */
uint32_t book_keys_closed(const struct book *b, const struct closing_terms *terms, uint32_t *cursor,
                          const struct idempotency_entry **out, uint32_t most);
/* When `number` of that space is the guest: emits the event that brings it home, and true. */
bool decision_recall(struct decision *d, uint8_t space, uint64_t number);

#endif
