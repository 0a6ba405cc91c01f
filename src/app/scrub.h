/*
 * scrub.h - looks at the part of a long journal that the start left out, while the server runs.
 */
#ifndef HAKIKA_APP_SCRUB_H
#define HAKIKA_APP_SCRUB_H

/* A book's journal; borrowed for the life of the process. */
struct scrub {
    const char *journal_path;
    const char *book; /* operator or merchant */
};

/* Starts the thread, which ends by itself, or ends the process (status 1, with a message) when it
 * finds damage. */
void scrub_start(struct scrub *scrub);

#endif
