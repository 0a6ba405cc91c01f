/*
 * verify.h - hakika verify: proves from the journal that money was conserved and every reference
 * took effect once (R6.8).
 */
#ifndef HAKIKA_APP_VERIFY_H
#define HAKIKA_APP_VERIFY_H

/* Arguments after the command's name. Exit status: 0 every proof holds, 1 a breach, 2 usage, 4 the
 * journal cannot be read. */
int verify_command(int argc, char **argv);

#endif
