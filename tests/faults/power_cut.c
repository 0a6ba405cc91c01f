/*
 * power_cut.c - a power cut under load, on a real file system: ext4 in a file, mounted through a
 * loop device, is told to shut down without writing anything more (FS_IOC_SHUTDOWN, as a machine
 * does that loses its power); what was not synced vanishes. Then it is mounted again.
 *
 * Half of the time the program is left alone after the cut: it must notice at its next write, end
 * by itself with status 3 and acknowledge nothing in between. Otherwise it is killed at once.
 *
 * Needs root. Exit status 77 where nothing can be mounted.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults/cycles.h"

#define EXT4_SHUTDOWN     _IOR('X', 125, uint32_t)
#define EXT4_NO_LOG_FLUSH 2u

enum { IMAGE_BYTES = 768 * 1024 * 1024, NOTICE_MS_MAX = 20000, STATUS_JOURNAL = 3, SKIPPED = 77 };

static char image[440];
static char mount_point[440];
static bool mounted;
static const char *first_preload; /* --shim: to show that a disk that lies is found out */

static bool mount_image(void)
{
    const char *const arguments[] = {"mount", "-o", "loop", image, mount_point, NULL};
    mounted = run_program(arguments, "/dev/null") == 0;
    return mounted;
}

static void unmount_image(void)
{
    const char *const arguments[] = {"umount", mount_point, NULL};
    if (mounted && run_program(arguments, NULL) == 0) {
        mounted = false;
    }
}

static bool make_image(const char *folder)
{
    (void)snprintf(image, sizeof(image), "%s/disk.img", folder);
    (void)snprintf(mount_point, sizeof(mount_point), "%s/mount", folder);
    int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, IMAGE_BYTES) != 0 || close(fd) != 0) {
        return false;
    }
    const char *const arguments[] = {"mkfs.ext4", "-q", "-F", image, NULL};
    (void)mkdir(mount_point, 0700);
    return run_program(arguments, "/dev/null") == 0 && mount_image();
}

static void open_disk(struct world *w, const struct fault_options *options)
{
    char data[400];
    if (!make_image(options->folder)) {
        (void)printf("skipped: an ext4 in a file cannot be made and mounted here\n");
        exit(SKIPPED);
    }
    (void)snprintf(data, sizeof(data), "%.380s/mount/data", options->folder);
    world_begin(w, data);
    (void)snprintf(w->server.log, sizeof(w->server.log), "%.400s/program.log", options->folder);
    w->server.preload = first_preload;
}

static void cut_power(struct world *w)
{
    uint32_t how = EXT4_NO_LOG_FLUSH;
    int fd = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, EXT4_SHUTDOWN, &how) != 0) {
        world_fail(w, "the file system could not be shut down");
    }
    (void)close(fd);
}

static void hit(struct world *w)
{
    bool alone = random_percent(&w->random, 50);
    cut_power(w);
    if (alone) {
        int status = server_wait(&w->server, NOTICE_MS_MAX);
        if (status == SERVER_STILL_RUNNING) {
            world_fail(w, "it goes on for %d s without its disk", NOTICE_MS_MAX / 1000);
        }
        if (status != STATUS_JOURNAL) {
            world_fail(w, "without its disk it ends with %d instead of %d", status, STATUS_JOURNAL);
        }
    } else {
        server_signal(&w->server, SIGKILL);
    }
}

static void recover(struct world *w)
{
    unmount_image();
    if (mounted || !mount_image()) {
        world_fail(w, "the file system cannot be mounted again");
    }
}

static void close_disk(struct world *w)
{
    (void)w;
    unmount_image();
    (void)remove(image);
}

int power_cut(const struct fault_options *options)
{
    static const struct strike strike = {10, open_disk, NULL, hit, recover, close_disk};
    first_preload = options->shim;
    (void)atexit(unmount_image);
    return cycles_run(world_create("power_cut", options->program, options->seed), &strike, options);
}
