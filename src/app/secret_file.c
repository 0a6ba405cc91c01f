/*
 * secret_file.c - see secret_file.h. Tests: tests/e2e/345-production.sh.
 */
#include "app/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool wrong(char error[256], const char *path, const char *what)
{
    (void)snprintf(error, 256, "the secret in the file %.120s: %s", path, what);
    return false;
}

/* The size without white space at the end; 0: there is something else in it than one word. */
static size_t word_size(const char *text, size_t size)
{
    while (size > 0 &&
           (text[size - 1] == '\n' || text[size - 1] == '\r' || text[size - 1] == ' ')) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return 0;
        }
    }
    return size;
}

bool secret_file_read(const char *path, size_t size_min, char out[SECRET_FILE_MAX + 1],
                      char error[256])
{
    struct stat info;
    char text[SECRET_FILE_MAX + 3];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return wrong(error, path, strerror(errno));
    }
    ssize_t got = fstat(fd, &info) == 0 ? read(fd, text, sizeof(text)) : -1;
    (void)close(fd);
    if (got < 0) {
        return wrong(error, path, strerror(errno));
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return wrong(error, path, "others may read it; run: chmod 600 on it");
    }
    size_t size = word_size(text, (size_t)got);
    if (size == 0 || size < size_min || size > SECRET_FILE_MAX) {
        char what[100];
        (void)snprintf(what, sizeof(what),
                       "it must be one word of %zu to %d characters; write it anew", size_min,
                       SECRET_FILE_MAX);
        return wrong(error, path, what);
    }
    memcpy(out, text, size);
    out[size] = '\0';
    explicit_bzero(text, sizeof(text));
    return true;
}
