/*
 * view.h - the command lines of the view: hakika view rebuild, hakika query.
 */
#ifndef HAKIKA_APP_VIEW_H
#define HAKIKA_APP_VIEW_H

#include <stdbool.h>

#include "view/view.h"

/* "operator" or "merchant"; false: neither. */
bool view_book_parse(const char *name, enum view_book *out);
/* Whose view a data folder has: the operator's, unless only the merchant's is there. */
enum view_book view_book_kept(const char *data);

/* hakika view rebuild DIR [--book BOOK] [--out FILE]; returns the exit status. */
int view_command(int argc, char **argv);

/* hakika query [DIR] "select ..." [--book BOOK] [--json | --csv]; returns the exit status. */
int query_command(int argc, char **argv);

#endif
