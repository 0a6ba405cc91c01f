/*
 * ephemeral.h - data folders that live as long as their process (serve --ephemeral).
 *
 * Guarantees: a folder is removed at the end of its process; one whose process was killed, by the
 * next that starts; never one whose process lives, nor one that is not ours. A folder is ours when
 * its name is hakika-XXXXXX, it belongs to this user and it holds the lock file, which its process
 * keeps locked from the moment at which the file has its name.
 */
#ifndef HAKIKA_APP_EPHEMERAL_H
#define HAKIKA_APP_EPHEMERAL_H

#include <stdbool.h>
#include <stddef.h>

/* Removes what killed processes left, and makes a folder in TMPDIR (or /tmp). False with errno;
 * out holds the name that was tried. */
bool ephemeral_make(char *out, size_t room);
/* The folder and everything in it. */
void ephemeral_remove(const char *folder);

#endif
