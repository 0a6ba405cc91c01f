/*
 * full_disk.c - a disk that fills up under load, at a place that is drawn: a tmpfs with a size.
 * While it is full, new work is refused and what was accepted goes on or waits; then the program is
 * killed, the disk gets more room, and everything that was told must be there.
 *
 * Needs root. Exit status 77 where nothing can be mounted.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "faults/cycles.h"

enum { FIRST_KIB = 64 * 1024, ROOM_KIB = 256 * 1024, DRAWN_KIB = 6 * 1024, SKIPPED = 77 };

static char mount_point[440];
static bool mounted;

static bool mount_sized(uint64_t kib, bool again)
{
    char options[64];
    (void)snprintf(options, sizeof(options), "%ssize=%lluk", again ? "remount," : "",
                   (unsigned long long)kib);
    const char *const arguments[] = {"mount", "-t",   "tmpfs",     "-o",
                                     options, "none", mount_point, NULL};
    return run_program(arguments, "/dev/null") == 0;
}

static void unmount(void)
{
    const char *const arguments[] = {"umount", mount_point, NULL};
    if (mounted && run_program(arguments, NULL) == 0) {
        mounted = false;
    }
}

static uint64_t used_kib(void)
{
    struct statvfs info;
    CHECK(statvfs(mount_point, &info) == 0);
    return (info.f_blocks - info.f_bfree) * info.f_frsize / 1024;
}

static void open_disk(struct world *w, const struct fault_options *options)
{
    char data[400];
    (void)snprintf(mount_point, sizeof(mount_point), "%.400s/small", options->folder);
    (void)mkdir(mount_point, 0700);
    mounted = mount_sized(FIRST_KIB, false);
    if (!mounted) {
        (void)printf("skipped: a tmpfs cannot be mounted here\n");
        exit(SKIPPED);
    }
    (void)snprintf(data, sizeof(data), "%.380s/small/data", options->folder);
    world_begin(w, data);
    (void)snprintf(w->server.log, sizeof(w->server.log), "%.400s/program.log", options->folder);
}

/* From now on little room is left. */
static void arm(struct world *w)
{
    if (!mount_sized(used_kib() + 64 + random_below(&w->random, DRAWN_KIB), true)) {
        world_fail(w, "the disk cannot be made smaller");
    }
}

/* It must have lived until now. */
static void hit(struct world *w)
{
    if (kill(w->server.pid, 0) != 0 || server_wait(&w->server, 0) != SERVER_STILL_RUNNING) {
        world_fail(w, "it does not survive a full disk");
    }
    server_signal(&w->server, SIGKILL);
}

static void recover(struct world *w)
{
    if (!mount_sized(used_kib() + ROOM_KIB, true)) {
        world_fail(w, "the disk cannot be given more room");
    }
}

static void close_disk(struct world *w)
{
    (void)w;
    unmount();
}

int full_disk(const struct fault_options *options)
{
    static const struct strike strike = {10, open_disk, arm, hit, recover, close_disk};
    (void)atexit(unmount);
    return cycles_run(world_create("full_disk", options->program, options->seed), &strike, options);
}
