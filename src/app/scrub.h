/*
 * scrub.h - looks at the part of a long journal that the start left out, while the server runs.
 */
#ifndef HAKIKA_APP_SCRUB_H
#define HAKIKA_APP_SCRUB_H

/* Starts the thread, which ends by itself, or ends the process (status 1, with a message) when it
 * finds damage. The path is borrowed for the life of the process. */
void scrub_start(const char *journal_path);

#endif
