/*
 * rows.h - rows of a view as CSV (RFC 4180) and as JSON, for hakika query and hakika export.
 */
#ifndef HAKIKA_APP_ROWS_H
#define HAKIKA_APP_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/codec.h"
#include "view/view.h"

/*
 * A line of CSV, ended by CR LF; row NULL: the names of the columns. NULL is an empty cell, an
 * empty text "". guarded: a text that a spreadsheet could take for a formula (it begins with one of
 * = + - @ ' or a tab, CR or LF) gets a ' in front; taking one ' away gives the text back. False:
 * the file could not be written.
 */
bool rows_csv(FILE *out, const char *const *names, const struct view_cell *row, uint32_t count,
              bool guarded);
/* The row as an object of JSON. */
void rows_json(struct writer *w, const char *const *names, const struct view_cell *row,
               uint32_t count);
/* For a writer's flush: context is a FILE. */
bool rows_flush(void *context, const uint8_t *data, size_t size);

#endif
