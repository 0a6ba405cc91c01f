/*
 * explain.h - hakika explain: each step of one payment, with position, time, cause and the rule
 * that decided, from the journal alone (R6.7).
 */
#ifndef HAKIKA_APP_EXPLAIN_H
#define HAKIKA_APP_EXPLAIN_H

/* Arguments after the command's name. Exit status: 0 explained, 1 no such payment, 2 usage, 4 the
 * journal cannot be read. */
int explain_command(int argc, char **argv);

#endif
