/*
 * fsync_rate.c - the loop of pwrite and fdatasync over a file that is written around and around.
 */
#include "app/bench/fsync_rate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/bench/histogram.h"
#include "app/monotonic.h"

enum {
    FILE_BYTES = 8 * 1024 * 1024,
    PATH_BYTES_MAX = 4096,
};

/* The name goes at once, so that nothing stays behind whatever happens. */
static int file_open(const char *directory)
{
    char path[PATH_BYTES_MAX];
    int size = snprintf(path, sizeof(path), "%s/fsync-rate-XXXXXX", directory);
    if (size < 0 || size >= (int)sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        (void)unlink(path);
    }
    return fd;
}

static bool file_fill(int fd, const char *block, uint32_t block_bytes)
{
    for (off_t at = 0; at + block_bytes <= FILE_BYTES; at += block_bytes) {
        if (pwrite(fd, block, block_bytes, at) != (ssize_t)block_bytes) {
            return false;
        }
    }
    return fsync(fd) == 0;
}

static bool file_measure(int fd, const char *block, struct fsync_rate *out, struct histogram *h)
{
    int64_t begun = monotonic_ns();
    int64_t end = begun + (int64_t)FSYNC_RATE_MS * 1000000;
    int64_t before = begun;
    for (off_t at = 0; before < end; at += out->block_bytes) {
        at = at + out->block_bytes > FILE_BYTES ? 0 : at;
        if (pwrite(fd, block, out->block_bytes, at) != (ssize_t)out->block_bytes ||
            fdatasync(fd) != 0) {
            return false;
        }
        int64_t after = monotonic_ns();
        histogram_add(h, after - before);
        before = after;
    }
    out->syncs = h->count;
    out->per_second = h->count * 1000000000 / (uint64_t)(before - begun);
    out->median_ns = histogram_percentile(h, 500000);
    out->p99_ns = histogram_percentile(h, 990000);
    return true;
}

bool fsync_rate_measure(const char *directory, uint32_t block_bytes, struct fsync_rate *out,
                        char error[256])
{
    CHECK(block_bytes > 0 && block_bytes <= FILE_BYTES);
    *out = (struct fsync_rate){.block_bytes = block_bytes};
    char *block = calloc(1, block_bytes);
    struct histogram *h = calloc(1, sizeof(*h));
    int fd = file_open(directory);
    bool ok = block != NULL && h != NULL && fd >= 0 && file_fill(fd, block, block_bytes);
    if (ok) {
        memset(block, 0x5a, block_bytes); /* zeros over zeros might be spared by the device */
        ok = file_measure(fd, block, out, h);
    }
    if (!ok) {
        (void)snprintf(error, 256, "cannot measure the disk under %s: %s", directory,
                       strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(h);
    free(block);
    return ok;
}
