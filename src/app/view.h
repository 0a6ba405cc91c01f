/*
 * view.h - the command lines of the view: hakika view rebuild, hakika query.
 */
#ifndef HAKIKA_APP_VIEW_H
#define HAKIKA_APP_VIEW_H

/* hakika view rebuild DIR [--out FILE]; returns the exit status. */
int view_command(int argc, char **argv);

/* hakika query [DIR] "select ..." [--json | --csv]; returns the exit status. */
int query_command(int argc, char **argv);

#endif
