/*
 * command.h - what the commands of hakika share.
 */
#ifndef HAKIKA_APP_COMMAND_H
#define HAKIKA_APP_COMMAND_H

/* How a command ends. A header that gives the numbers another meaning says so. */
enum exit_status {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,     /* the message says why */
    EXIT_USAGE = 2,      /* wrong arguments */
    EXIT_JOURNAL = 3,    /* of hakika serve: the disk did not keep what it promised */
    EXIT_UNREADABLE = 4, /* the journal cannot be read */
};

/* Room for the path of a file in a data folder. */
enum { PATH_BYTES = 2048 };

#endif
