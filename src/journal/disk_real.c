/*
 * disk_real.c - the operating system's disk: plain pread, pwrite and fdatasync.
 *
 * Measured (docs/performance.md): O_DIRECT, O_DSYNC and io_uring are within 15 % of this on a
 * zero-filled file and not worth their complexity.
 * Locks are flock()s. A forked child shares them with its parent and would hold them on after the
 * parent's death, so that a restart finds the journal "in use" by a snapshot writer: a fork
 * handler closes them in every child.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "journal/disk.h"

struct disk_file {
    int fd;
    struct disk_file *next_locked; /* in the list of locked files */
};

static struct disk_file *locked;
static pthread_mutex_t locked_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t locked_once = PTHREAD_ONCE_INIT;

static void locked_lock(void)
{
    CHECK(pthread_mutex_lock(&locked_mutex) == 0);
}

static void locked_unlock(void)
{
    CHECK(pthread_mutex_unlock(&locked_mutex) == 0);
}

static void locked_drop_in_child(void)
{
    for (struct disk_file *file = locked; file != NULL; file = file->next_locked) {
        (void)close(file->fd);
        file->fd = -1;
    }
    locked = NULL;
    locked_unlock();
}

static void locked_prepare(void)
{
    CHECK(pthread_atfork(locked_lock, locked_unlock, locked_drop_in_child) == 0);
}

static void locked_remove(struct disk_file *file)
{
    CHECK(file != NULL);
    locked_lock();
    for (struct disk_file **at = &locked; *at != NULL; at = &(*at)->next_locked) {
        if (*at == file) {
            *at = file->next_locked;
            break;
        }
    }
    locked_unlock();
}

static int real_open(void *context, const char *path, bool writable, bool create, bool exclusive,
                     struct disk_file **out)
{
    CHECK(context == NULL);
    CHECK(IMPLIES(create, writable));
    *out = NULL;
    int flags = O_CLOEXEC | (writable ? O_RDWR : O_RDONLY);
    flags |= create ? O_CREAT : 0;
    flags |= exclusive ? O_EXCL : 0;
    struct disk_file *file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return -ENOMEM;
    }
    file->fd = open(path, flags, 0600);
    if (file->fd < 0) {
        int error = errno;
        free(file);
        return -error;
    }
    *out = file;
    return 0;
}

static void real_close(void *context, struct disk_file *file)
{
    CHECK(context == NULL);
    CHECK(file != NULL);
    locked_remove(file);
    if (file->fd >= 0) {
        (void)close(file->fd); /* nothing rests on it: what matters was synced */
    }
    free(file);
}

static int real_write_at(void *context, struct disk_file *file, const void *data, size_t size,
                         uint64_t offset)
{
    CHECK(context == NULL);
    CHECK(file->fd >= 0);
    CHECK(offset <= INT64_MAX - size);
    const uint8_t *from = data;
    size_t done = 0;
    while (done < size) {
        ssize_t n = pwrite(file->fd, from + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        done += (size_t)n;
    }
    return 0;
}

static int real_read_at(void *context, struct disk_file *file, void *data, size_t size,
                        uint64_t offset, size_t *got)
{
    CHECK(context == NULL);
    CHECK(file->fd >= 0);
    CHECK(offset <= INT64_MAX - size);
    uint8_t *to = data;
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(file->fd, to + *got, size - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            return 0;
        }
        *got += (size_t)n;
    }
    return 0;
}

static int real_sync(void *context, struct disk_file *file)
{
    CHECK(context == NULL);
    CHECK(file->fd >= 0);
    return fdatasync(file->fd) == 0 ? 0 : -errno; /* never repeated, not even for EINTR */
}

static int real_forget(void *context, struct disk_file *file)
{
    CHECK(context == NULL);
    CHECK(file->fd >= 0);
    return -posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int real_size(void *context, struct disk_file *file, uint64_t *out)
{
    CHECK(context == NULL);
    CHECK(file->fd >= 0);
    struct stat status;
    if (fstat(file->fd, &status) != 0) {
        return -errno;
    }
    if (!S_ISREG(status.st_mode)) {
        return -EINVAL;
    }
    *out = (uint64_t)status.st_size;
    return 0;
}

static int real_rename(void *context, const char *from, const char *to)
{
    CHECK(context == NULL);
    CHECK(from[0] != '\0' && to[0] != '\0');
    return rename(from, to) == 0 ? 0 : -errno;
}

static int real_remove(void *context, const char *path)
{
    CHECK(context == NULL);
    CHECK(path[0] != '\0');
    return unlink(path) == 0 ? 0 : -errno;
}

static int real_make_directory(void *context, const char *path)
{
    CHECK(context == NULL);
    CHECK(path[0] != '\0');
    struct stat status;
    if (mkdir(path, 0700) == 0) {
        return 0;
    }
    if (errno != EEXIST) {
        return -errno;
    }
    if (stat(path, &status) != 0) {
        return -errno;
    }
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

static int real_sync_directory(void *context, const char *path)
{
    CHECK(context == NULL);
    CHECK(path[0] != '\0');
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int result = fsync(fd) == 0 ? 0 : -errno;
    (void)close(fd);
    return result;
}

static int real_list(void *context, const char *path, bool (*callback)(void *, const char *name),
                     void *callback_context)
{
    CHECK(context == NULL);
    CHECK(callback != NULL);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return -errno;
    }
    int result = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            result = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (!callback(callback_context, entry->d_name)) {
            break;
        }
    }
    (void)closedir(directory);
    return result;
}

static int real_lock(void *context, struct disk_file *file)
{
    CHECK(context == NULL);
    CHECK(file->next_locked == NULL);
    CHECK(pthread_once(&locked_once, locked_prepare) == 0);
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        return -errno;
    }
    locked_lock();
    file->next_locked = locked;
    locked = file;
    locked_unlock();
    return 0;
}

struct disk *disk_real(void)
{
    static struct disk disk = {
        .context = NULL,
        .open = real_open,
        .close = real_close,
        .write_at = real_write_at,
        .read_at = real_read_at,
        .sync = real_sync,
        .forget = real_forget,
        .size = real_size,
        .rename = real_rename,
        .remove = real_remove,
        .make_directory = real_make_directory,
        .sync_directory = real_sync_directory,
        .list = real_list,
        .lock = real_lock,
    };
    return &disk;
}
