/*
 * folder.h - temporary folders of tests, and golden journals unpacked into them. Failures are
 * cmocka assertions.
 */
#ifndef HAKIKA_TESTS_SUPPORT_FOLDER_H
#define HAKIKA_TESTS_SUPPORT_FOLDER_H

#include <stddef.h>

enum { FOLDER_PATH_MAX = 1024 };

/* Makes an empty one in memory, where the system offers that, or below /tmp. */
void folder_make(char out[FOLDER_PATH_MAX]);
/* Removes it and everything in it. */
void folder_remove(const char *folder);
/* The whole file as a string; free() it. */
char *folder_read(const char *path);
/* Unpacks every file of `from` whose name ends in .gz into the folder `to`, made when missing. */
void folder_unpack(const char *from, const char *to);

#endif
