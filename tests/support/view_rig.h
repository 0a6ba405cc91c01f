/*
 * view_rig.h - a journal and views of it in a folder, for tests of the view: views as text, beside
 * a writer, killed, and compared with the expected tables in tests/view. Failures are cmocka
 * assertions.
 */
#ifndef HAKIKA_TESTS_SUPPORT_VIEW_RIG_H
#define HAKIKA_TESTS_SUPPORT_VIEW_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/codec.h"
#include "journal/journal.h"
#include "support/folder.h"
#include "view/view.h"

#define VIEW_POSITION   "SELECT max(value) FROM meta WHERE name = 'position'"
#define VIEW_GENERATION "SELECT value FROM meta WHERE name = 'generation'"

/* A journal and a view of it, in a folder of their own. */
struct scene {
    enum view_book book;
    char folder[FOLDER_PATH_MAX];
    char journal[FOLDER_PATH_MAX + 16];
    char file[FOLDER_PATH_MAX + 16];
    char other[FOLDER_PATH_MAX + 16]; /* a second view */
};

void scene_start(struct scene *s, enum view_book book);
void scene_end(const struct scene *s);
struct view_options scene_options_of(const struct scene *s, const char *file);
/* From scratch, which must succeed. */
struct view_progress scene_rebuild(const struct scene *s, const char *file);

/* The answer to a question as text: a line for each row, names first. */
void scene_ask(const char *file, const char *sql, FILE *out);
/* Every row of every table, to be freed. with_meta: also what is different for each file. */
char *scene_dump(const struct scene *s, const char *file, bool with_meta);
void assert_equal_views(const struct scene *s, const char *a, const char *b);
/* The first column of the first row. */
int64_t scene_number_of(const char *file, const char *sql);
/* For view_query when only the answer's being there counts. */
bool scene_print_nothing(void *context, const char *const *names, const struct view_cell *row,
                         uint32_t count);

struct view *scene_view(const struct scene *s);
void scene_wait_ms(long ms);
void scene_wait_for(struct view *v, uint64_t position);
/* The file as a running view makes it of a whole journal. */
void scene_catch_up(const struct scene *s, uint64_t position);
struct journal *scene_open_writer(const struct scene *s);
/* Appends so many of the frames as one batch. */
void scene_append(struct journal *journal, struct reader *frames, uint32_t count);

/* The view of a golden journal, caught up to a position or (0) rebuilt to the end with nothing
 * skipped, has the tables in tests/view/TABLES (HAKIKA_VIEW_OUT: they are written there). */
void assert_golden_view(enum view_book book, const char *name, uint64_t position,
                        const char *tables);

/* Batches of all sizes, the view stopped and started in between, with and without patience: the
 * same as from scratch. */
void following_equals_a_rebuild(const struct scene *s, const uint8_t *frames, size_t size);
/* Killed at any moment, it goes on where the file stands, and nothing is there twice. The journal
 * is written. */
void kills_change_nothing(const struct scene *s, uint64_t head);

#endif
