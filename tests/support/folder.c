/*
 * folder.c - see folder.h.
 */
#include "support/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

void folder_make(char out[FOLDER_PATH_MAX])
{
    /* In memory where that is possible: nothing that wants a folder needs a real disk. */
    bool memory = access("/dev/shm", W_OK) == 0;
    (void)snprintf(out, FOLDER_PATH_MAX, "%s/hakika-test-XXXXXX", memory ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(out));
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void folder_remove(const char *folder)
{
    assert_int_equal(nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

char *folder_read(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *from = fopen(path, "r");
    FILE *to = open_memstream(&text, &size);
    if (from == NULL) {
        fail_msg("%s: %s", path, strerror(errno));
    }
    assert_non_null(to);
    for (int c = fgetc(from); c != EOF; c = fgetc(from)) {
        (void)fputc(c, to);
    }
    (void)fclose(from);
    (void)fclose(to);
    return text;
}

/* gzip -dc FROM > TO */
static void unpack(const char *from, const char *to)
{
    posix_spawn_file_actions_t actions;
    char path[FOLDER_PATH_MAX * 2];
    (void)snprintf(path, sizeof(path), "%s", from);
    char program[] = "gzip", flags[] = "-dc";
    char *const arguments[] = {program, flags, path, NULL};
    pid_t pid = 0;
    int status = 0;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, to,
                                                      O_WRONLY | O_CREAT | O_EXCL, 0600),
                     0);
    assert_int_equal(posix_spawnp(&pid, program, &actions, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)posix_spawn_file_actions_destroy(&actions);
}

void folder_unpack(const char *from, const char *to)
{
    uint32_t count = 0;
    DIR *names = opendir(from);
    assert_non_null(names);
    assert_true(mkdir(to, 0700) == 0 || errno == EEXIST);
    for (const struct dirent *entry = readdir(names); entry != NULL; entry = readdir(names)) {
        size_t size = strlen(entry->d_name);
        if (size > 3 && strcmp(entry->d_name + size - 3, ".gz") == 0) {
            char packed[FOLDER_PATH_MAX * 2], target[FOLDER_PATH_MAX * 2];
            (void)snprintf(packed, sizeof(packed), "%s/%s", from, entry->d_name);
            (void)snprintf(target, sizeof(target), "%s/%.*s", to, (int)(size - 3), entry->d_name);
            unpack(packed, target);
            count++;
        }
    }
    (void)closedir(names);
    assert_true(count > 0);
}
