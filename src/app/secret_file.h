/*
 * secret_file.h - a secret that a person keeps in a file of its own: an API key, credentials.
 */
#ifndef HAKIKA_APP_SECRET_FILE_H
#define HAKIKA_APP_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

enum { SECRET_FILE_MAX = 200 };

/*
 * The text of the file without white space at its end: at least size_min characters, printable,
 * without blanks, at most SECRET_FILE_MAX. Only its owner may read the file. False with a message
 * that never repeats the secret: what was tried, on what, what was wrong, what to do.
 */
bool secret_file_read(const char *path, size_t size_min, char out[SECRET_FILE_MAX + 1],
                      char error[256]) MUST_USE;

#endif
