/*
 * slow_disk.c - a disk that can be told to be slow or to fail: a library for LD_PRELOAD that stands
 * in front of fdatasync.
 *
 * HAKIKA_TEST_DISK names a folder. When the folder holds a file "order", the next fdatasync of a
 * journal's segment takes it away and obeys: "delay MILLISECONDS" waits before it syncs, "fail
 * ERRNO" does not sync and fails. Every fdatasync of a segment is written to "log" when it begins
 * and when it ends, with CLOCK_MONOTONIC, one line each.
 *
 * While the folder holds a file "snapshot", the fdatasync of a snapshot takes as many milliseconds
 * as that says, and is written to "log" when it begins.
 *
 * A tracer could do the same, but it needs the right to trace and slows every system call down, so
 * that nothing could be measured afterwards. Used by tests/e2e/060-slow-disk.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PATH_MAX_BYTES = 4096 };

int fdatasync(int fd);

static int folder_path(char out[PATH_MAX_BYTES], const char *name)
{
    const char *folder = getenv("HAKIKA_TEST_DISK");
    int size = folder == NULL ? -1 : snprintf(out, PATH_MAX_BYTES, "%s/%s", folder, name);
    return size > 0 && size < PATH_MAX_BYTES;
}

/* Is it a file whose name begins so? */
static int is_named(int fd, const char *beginning)
{
    char link[64];
    char target[PATH_MAX_BYTES];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, target, sizeof(target) - 1);
    if (size <= 0) {
        return 0;
    }
    target[size] = '\0';
    const char *name = strrchr(target, '/');
    return name != NULL && strncmp(name + 1, beginning, strlen(beginning)) == 0;
}

static void note(const char *what)
{
    char path[PATH_MAX_BYTES];
    char line[96];
    struct timespec now;
    if (!folder_path(path, "log")) {
        return;
    }
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(line, sizeof(line), "%s %lld\n", what,
                        (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    ssize_t written = write(log, line, (size_t)size);
    (void)written;
    (void)close(log);
}

/* Takes the order away, so that it is obeyed once; "" when there is none. */
static void take_order(char out[64])
{
    char path[PATH_MAX_BYTES];
    out[0] = '\0';
    if (!folder_path(path, "order")) {
        return;
    }
    int order = open(path, O_RDONLY | O_CLOEXEC);
    if (order < 0) {
        return;
    }
    ssize_t size = read(order, out, 63);
    out[size > 0 ? size : 0] = '\0';
    (void)close(order);
    if (unlink(path) != 0) {
        out[0] = '\0'; /* another thread has it */
    }
}

static void wait_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static void be_slow_with_a_snapshot(void)
{
    char path[PATH_MAX_BYTES];
    char words[32] = "";
    int file = folder_path(path, "snapshot") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        return;
    }
    ssize_t size = read(file, words, sizeof(words) - 1);
    (void)close(file);
    note("snapshot");
    wait_ms(size > 0 ? strtol(words, NULL, 10) : 0);
}

int fdatasync(int fd)
{
    char order[64];
    if (is_named(fd, "snapshot-")) {
        be_slow_with_a_snapshot();
    }
    if (!is_named(fd, "journal-")) {
        return (int)syscall(SYS_fdatasync, fd);
    }
    take_order(order);
    if (strncmp(order, "fail ", 5) == 0) {
        note("failed");
        errno = (int)strtol(order + 5, NULL, 10);
        return -1;
    }
    int slow = strncmp(order, "delay ", 6) == 0;
    note(slow ? "slow" : "begin");
    if (slow) {
        wait_ms(strtol(order + 6, NULL, 10));
    }
    int result = (int)syscall(SYS_fdatasync, fd);
    note("end");
    return result;
}
