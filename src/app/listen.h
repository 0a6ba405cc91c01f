/*
 * listen.h - hakika listen: a callback receiver for trying things out. It accepts everything and
 * prints it.
 */
#ifndef HAKIKA_APP_LISTEN_H
#define HAKIKA_APP_LISTEN_H

/* Arguments after the command's name; returns the exit status. */
int listen_command(int argc, char **argv);

#endif
