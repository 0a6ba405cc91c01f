/*
 * ephemeral.c - see ephemeral.h. Tests: tests/e2e/stories/160-worlds.mjs.
 */
#include "app/ephemeral.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "ephemeral.lock"
#define HALF_NAME "ephemeral.half"

enum { FOLDER_BYTES = 700, NAME_BYTES = 13, LEFT_MAX = 64 };

static const char *base_folder(void)
{
    const char *base = getenv("TMPDIR");
    return base != NULL && base[0] != '\0' ? base : "/tmp";
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void ephemeral_remove(const char *folder)
{
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Is this a folder of ours whose process is gone? Then its lock is ours now: *fd_out. */
static bool is_left(const char *folder, int *fd_out)
{
    char lock[FOLDER_BYTES + 32];
    struct stat info;
    if (lstat(folder, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
        return false;
    }
    (void)snprintf(lock, sizeof(lock), "%s/" LOCK_NAME, folder);
    int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return false;
    }
    *fd_out = fd;
    return true;
}

static void remove_left(const char *base)
{
    DIR *all = opendir(base);
    struct dirent *entry;
    int removed = 0;
    while (all != NULL && removed < LEFT_MAX && (entry = readdir(all)) != NULL) {
        char folder[FOLDER_BYTES];
        int fd = -1;
        int size = snprintf(folder, sizeof(folder), "%s/%s", base, entry->d_name);
        bool named = strncmp(entry->d_name, "hakika-", 7) == 0 &&
                     strlen(entry->d_name) == NAME_BYTES && size < FOLDER_BYTES;
        if (named && is_left(folder, &fd)) {
            ephemeral_remove(folder);
            (void)close(fd);
            removed++;
        }
    }
    if (all != NULL) {
        (void)closedir(all);
    }
}

/* Locked before it has its name, and until the process ends: the descriptor stays open. */
static bool take_lock(const char *folder)
{
    char half[FOLDER_BYTES + 32];
    char lock[FOLDER_BYTES + 32];
    (void)snprintf(half, sizeof(half), "%s/" HALF_NAME, folder);
    (void)snprintf(lock, sizeof(lock), "%s/" LOCK_NAME, folder);
    int fd = open(half, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && rename(half, lock) == 0;
}

bool ephemeral_make(char *out, size_t room)
{
    const char *base = base_folder();
    int size = snprintf(out, room, "%s/hakika-XXXXXX", base);
    if (size < 0 || (size_t)size >= room || size >= FOLDER_BYTES) {
        errno = ENAMETOOLONG;
        return false;
    }
    remove_left(base);
    return mkdtemp(out) != NULL && take_lock(out);
}
