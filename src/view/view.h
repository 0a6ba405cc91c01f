/*
 * view.h - the door of the view: a book's journal as tables in SQLite, for questions in SQL. What
 * the tables and columns mean: the .sql files here, docs/view.md.
 *
 * Guarantees
 *  V1  the view is a function of the journal: what a position makes of it is the same whether it
 *      came step by step, through crashes, or from scratch (view_rebuild).
 *  V2  rows and the position that they stand for change in one SQL transaction.
 *  V3  it shows only what is durable, whole frames, in the order of the journal.
 *  V4  nothing waits for it and nothing depends on it: what goes wrong in it is said once, tried
 *      again, and never touches the book. A file that is damaged, of another schema or of another
 *      journal is thrown away and built again, and that is said.
 *  V5  it leaves the last VIEW_ROOM_BYTES of the disk to the journal.
 *  V6  an event of a kind that it does not know is skipped and counted.
 * One process at a time writes a view (a lock beside it); any number may read it.
 */
#ifndef HAKIKA_VIEW_VIEW_H
#define HAKIKA_VIEW_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

/* Rises when rows come to mean something else or more events make rows: older files are rebuilt.
 * (A change of a schema does that by itself.) */
enum { VIEW_VERSION = 7 };

#define VIEW_ROOM_BYTES ((uint64_t)64 * 1024 * 1024)

/* Whose journal it is: each book has tables of its own. */
enum view_book {
    VIEW_OF_OPERATOR = 0,
    VIEW_OF_MERCHANT = 1,
};
/* Name of its journal's folder, and of its view's file, in the data folder. */
const char *view_book_name(enum view_book book);
const char *view_file_name(enum view_book book);

struct view_options {
    enum view_book book;
    const char *journal; /* directory of the book's journal; borrowed */
    const char *file; /* of the view, made when missing; its -wal, -shm and .lock lie beside it */
    uint64_t room_bytes;      /* 0: VIEW_ROOM_BYTES */
    uint32_t rows_per_commit; /* 0: 5,000 */
};

/* How far it has come. */
struct view_figures {
    uint64_t position; /* of the last frame in it */
    uint64_t durable;  /* of the last frame that it was told about */
    int64_t lag_ns;    /* how old what it lacks may be, in real time; 0: it lacks nothing */
    uint64_t skipped;  /* events of unknown kinds, in this generation */
    uint64_t rebuilt;  /* times that a file was thrown away since the start */
    bool waits;        /* for room on the disk, or to try again after an error */
};

/* ---- beside a server: a thread of its own, of the lowest priority ---- */

struct view;

/* Starts the thread. NULL with a sentence: out of memory, or no thread. */
struct view *view_start(const struct view_options *options, char error[256]);
/* Everything up to this position is durable now. Cheap; from the loop, in every turn. */
void view_durable(struct view *v, uint64_t position);
struct view_figures view_figures(const struct view *v);
/* Goes on for up to patience_ms to take in what it was told about, and ends. NULL is fine. */
void view_stop(struct view *v, uint32_t patience_ms);

/* ---- from scratch ---- */

struct view_progress {
    uint64_t position; /* done */
    uint64_t head;
    uint64_t rows; /* written or changed so far */
    uint64_t skipped;
};
/* Called about once a second; may be NULL. */
typedef void (*view_progress_fn)(void *context, const struct view_progress *progress);

/* Throws the file away and builds it from the journal as it stands. False with a sentence. */
bool view_rebuild(const struct view_options *options, view_progress_fn progress, void *context,
                  struct view_progress *out, char error[512]) MUST_USE;

/* ---- questions ---- */

enum view_kind {
    VIEW_NULL,
    VIEW_INTEGER,
    VIEW_REAL,
    VIEW_TEXT,
    VIEW_BLOB,
};

struct view_cell {
    enum view_kind kind;
    int64_t integer;
    const char *data; /* the value as text, but for VIEW_NULL; VIEW_BLOB: its bytes */
    uint64_t size;
};

/* Called with the names of the columns before the first row (row NULL), then with each row. False
 * stops it. */
typedef bool (*view_row_fn)(void *context, const char *const *names, const struct view_cell *row,
                            uint32_t count);

/* Several questions to one moment of the view, whatever is written meanwhile. NULL with a
 * sentence. */
struct view_reader;
struct view_reader *view_open(const char *file, char error[512]);
bool view_ask(struct view_reader *reader, const char *sql, view_row_fn row, void *context,
              char error[512]) MUST_USE;
void view_close(struct view_reader *reader); /* NULL is fine */

/* Asks one question, reading only, also while somebody writes. False with a sentence. */
bool view_query(const char *file, const char *sql, view_row_fn row, void *context,
                char error[512]) MUST_USE;

#endif
