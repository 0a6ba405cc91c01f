/*
 * internal.h - what the files of view/ share with each other and with nobody else.
 */
#ifndef HAKIKA_VIEW_INTERNAL_H
#define HAKIKA_VIEW_INTERNAL_H

#include <sqlite3.h>

#include "base/caltime.h"
#include "base/codec.h"
#include "base/ids.h"
#include "base/span.h"
#include "book/book.h"
#include "journal/journal.h"
#include "operator/events.h"
#include "view/statements.h"
#include "view/statements_merchant.h"
#include "view/view.h"

enum {
    VIEW_ROWS_PER_COMMIT = 5000, /* a SQL transaction ends behind the frame that reaches them */
    VIEW_BODY_MAX = 4096,        /* of a callback */
    VIEW_ERROR_MAX = 512,
};

/* ---- values and statements (store.c) ---- */

enum value_kind { VALUE_NULL, VALUE_INTEGER, VALUE_TEXT, VALUE_BLOB };

struct value {
    enum value_kind kind;
    int64_t integer;
    struct span text;
};

static inline struct value integer(int64_t n)
{
    return (struct value){VALUE_INTEGER, n, SPAN_EMPTY};
}

/* Positions, numbers and ids; those above 2^63 keep their bits. */
static inline struct value number(uint64_t n)
{
    return integer((int64_t)n);
}

static inline struct value text_of(struct span text)
{
    return (struct value){VALUE_TEXT, 0, text};
}

static inline struct value bytes_of(struct span bytes)
{
    return (struct value){VALUE_BLOB, 0, bytes};
}

/* NULL in C is NULL in SQL. */
static inline struct value text(const char *words)
{
    return words == NULL ? (struct value){VALUE_NULL, 0, SPAN_EMPTY} : text_of(span_from(words));
}

static inline struct value nothing(void)
{
    return (struct value){VALUE_NULL, 0, SPAN_EMPTY};
}

/* Empty texts are NULL: there is none, nothing is registered. */
static inline struct value text_or_nothing(struct span words)
{
    return words.size > 0 ? text_of(words) : nothing();
}

enum statement {
#define X(name, sql) STATEMENT_##name,
    COMMON_STATEMENTS(X) STATEMENT_COMMON_END,
    STATEMENT_COMMON_LAST = STATEMENT_COMMON_END - 1,
    OPERATOR_STATEMENTS(X) STATEMENT_OPERATOR_END,
    STATEMENT_OPERATOR_LAST = STATEMENT_OPERATOR_END - 1,
    MERCHANT_STATEMENTS(X)
#undef X
        STATEMENT_COUNT,
};

struct projection;

/* What the view of one book is made of; the rest is the same for all of them. */
struct book_view {
    const char *book; /* its name in the journal */
    const char *file; /* the name of its view */
    struct span (*schema)(void);
    /* Its own statements: [first_statement, end_statement) of enum statement. */
    enum statement first_statement;
    enum statement end_statement;
    /* Messages that leave it: an attempt at one, what was answered, and one that waits again. */
    enum statement tried;
    enum statement attempt_add;
    enum statement answered;
    enum statement revived;
    /* The tables that a generation holds; meta and worlds outlive it. */
    const char *const *contents;
    uint32_t contents_count;
    /* Its kinds of events, with their names (NULL: not one). */
    uint16_t first_event;
    uint16_t last_event;
    const char *(*event_name)(uint16_t kind);
    /* One of them into rows; *known says whether its kind is. False: its bytes are not one. */
    bool (*event)(struct projection *p, uint16_t kind, struct reader *body, bool *known);
    void (*account)(struct projection *p, const struct ledger_event *e); /* that was opened */
    void (*entry)(struct projection *p, const struct transfer *t, bool debit);
    void (*queued)(struct projection *p, const struct outbox_event *e); /* a message */
    /* A copy of one with another address or body; NULL: that book has none. */
    void (*edited)(struct projection *p, const struct outbox_event *e);
};
const struct book_view *book_view(enum view_book book);
extern const struct book_view book_view_operator;
extern const struct book_view book_view_merchant;

/* The file and its prepared statements. */
struct store {
    const struct book_view *of;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* NULL: another book's */
    uint64_t rows;                             /* written or changed since the opening */
    bool open;                                 /* a SQL transaction */
    int code;        /* SQLITE_OK until something failed; the first failure */
    char error[256]; /* its words */
};

enum store_opening {
    STORE_READY,
    STORE_FOREIGN, /* damaged, of another schema, or no view at all: to be thrown away */
    STORE_FAILED,  /* anything else: store->error; try again later */
};

/* Opens or makes the file. A new one has all tables and no row but the schema's in meta. */
enum store_opening store_open(struct store *s, const struct book_view *of, const char *file);
void store_close(struct store *s); /* rolls back what is open */
/* Removes the file and what belongs to it. False: errno says why. */
bool store_discard(const char *file) MUST_USE;

bool store_begin(struct store *s) MUST_USE;
bool store_commit(struct store *s) MUST_USE;
void store_rollback(struct store *s);
/* Keeps the first failure (code: SQLite's); false. */
bool store_fail(struct store *s, int code);
/* Any SQL that gives no row. */
bool store_execute(struct store *s, const char *sql);
/* The twins of the tables, for saved worlds (worlds.c). */
bool store_make_twins(struct store *s);
/* True for results that mean that the file is of no use any more. */
bool store_is_damaged(int code);

/* Runs a statement that gives no row. After a failure everything is a no-op that gives false. */
bool store_run(struct store *s, enum statement which, const struct value *values, uint32_t count);
#define RUN_ONE(s, which, ...)                                   \
    store_run((s), (which), (const struct value[]){__VA_ARGS__}, \
              sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value))
#define RUN(s, name, ...) RUN_ONE(s, STATEMENT_##name, __VA_ARGS__)

/* Looks up by a number: the row's statement (columns are read from it, then store_done), or NULL
 * when there is none or something failed. */
sqlite3_stmt *store_look(struct store *s, enum statement which, int64_t key);
void store_done(sqlite3_stmt *row);
/* A column of the row, text or bytes; lives until store_done. */
struct span store_text(sqlite3_stmt *row, int column);
struct span store_bytes(sqlite3_stmt *row, int column);

/* ---- the projection (project.c, project_operator.c) ---- */

struct projection {
    struct store *store;
    uint64_t position;
    uint64_t generation;
    uint64_t skipped;
    int64_t time_ns;
    uint8_t journal[16];              /* identity; zeros in a new view */
    uint8_t hash[JOURNAL_HASH_BYTES]; /* of the batch in which position lies */
    struct frame_info frame;          /* under way */
    char at[RFC3339_SIZE];            /* its time */
    struct operator_event texts; /* *_TEXTS_KEPT, *_PARTY_KEPT, for the *_ACCEPTED of the frame */
    uint64_t reserved_for;       /* the request of the latest RECEIPT_RESERVED */
    uint32_t reserved_day;
    uint64_t reserved_serial;
    uint64_t ended_payment; /* the latest STK payment that ended; 0: a request has, since */
    uint64_t ended_request;
    struct rule_list rules;                 /* being read */
    char imported[BOOK_WORLD_NAME_MAX + 1]; /* the frame completes this world; empty: none */
    char error[256];                        /* of a frame that cannot be read; empty: none */
};

/* Takes up where the store stands. False: its meta cannot be read (store->code says whether by the
 * store's fault). */
bool projection_load(struct projection *p, struct store *s) MUST_USE;
/* Writes down where it stands, in the SQL transaction under way. */
bool projection_save(struct projection *p) MUST_USE;
/* One frame into rows. False: the store failed, or p->error. */
bool projection_frame(struct projection *p, struct frame_reader *frame) MUST_USE;

/* RFC 3339, or NULL in SQL for 0 and what no calendar has; out is the caller's room. */
struct value projection_time(int64_t ns, char out[RFC3339_SIZE]);
/* project_customers.c: false: its bytes are not one; *known says whether it is one of these. */
bool projection_customers(struct projection *p, const struct operator_event *e, bool *known);
void projection_validation_asked(struct projection *p, const struct outbox_event *e);
void projection_request_ended(struct projection *p, uint64_t request);
/* A reset or a restored world: all tables of the contents are empty. */
void projection_empty(struct projection *p);
/* EVENT_WORLD_*. False: its bytes are not one. */
bool projection_world(struct projection *p, uint16_t kind, struct reader *body);
/* EVENT_WORLD_IMPORT_*: the parts are kept until the last has come; then p->imported is set. */
bool projection_import(struct projection *p, uint16_t kind, struct reader *body);
/* The kept parts become a saved world: `events` makes rows of the events of one decision. */
bool projection_imported(struct projection *p,
                         bool (*events)(struct projection *p, struct frame_reader *frame));

/* ---- from the journal into a file (feed.c) ---- */

struct feed {
    const struct book_view *of;
    const char *directory; /* of the journal; borrowed */
    const char *file;
    struct journal *journal; /* opened read_only; NULL: not yet */
    struct store store;
    bool store_open;
    struct projection projection;
    bool resumed;             /* the file is known to belong to this journal */
    uint64_t until;           /* position: no further in this round */
    uint32_t rows_per_commit; /* 0: VIEW_ROWS_PER_COMMIT */
    /* Called when the file was opened and behind every commit, where false ends the round. May be
     * NULL. */
    bool (*committed)(void *context, const struct feed *f);
    void *context;
    uint64_t committed_rows; /* store.rows at the last commit */
    bool ended;              /* the round was ended by it */
    char error[VIEW_ERROR_MAX];
};

enum feed_result {
    FEED_DONE,    /* position has reached until, or `committed` ended the round */
    FEED_FOREIGN, /* the file is of no use: error says why; discard it and begin again */
    FEED_FAILED,  /* error says what; try again later */
};

/* One round: opens what is not open, and goes on to `until` (UINT64_MAX: to the journal's head). */
enum feed_result feed_round(struct feed *f, uint64_t until);
void feed_close(struct feed *f); /* the file and the journal */
/* Closes and removes the file; false: error says why. */
bool feed_discard(struct feed *f) MUST_USE;

/* Locks the view at `file` for this process: a descriptor to close, or -1 with a sentence. */
int view_lock(const char *file, char error[VIEW_ERROR_MAX]);

#endif
