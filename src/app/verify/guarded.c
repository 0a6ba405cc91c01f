/*
 * guarded.c - see guarded.h. Tests: tests/unit/test_verify.c.
 */
#include "app/verify/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUIET_MS = 1000 };

void *guarded_share(size_t size)
{
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? NULL : shared;
}

void guarded_unshare(void *shared, size_t size)
{
    if (shared != NULL) {
        (void)munmap(shared, size);
    }
}

/* Takes what the child says until it closes its end. */
static void guarded_listen(int descriptor, void (*beat)(void *context), void *context,
                           struct guarded_end *end)
{
    size_t size = 0;
    for (;;) {
        struct pollfd p = {.fd = descriptor, .events = POLLIN};
        char rest[256];
        int ready = poll(&p, 1, QUIET_MS);
        if (ready == 0 && beat != NULL) {
            beat(context);
        }
        if (ready == 0 || (ready < 0 && errno == EINTR)) {
            continue;
        }
        bool room = size + 1 < sizeof(end->text);
        ssize_t got = room ? read(descriptor, end->text + size, sizeof(end->text) - 1 - size)
                           : read(descriptor, rest, sizeof(rest));
        if (got <= 0) {
            break;
        }
        size += room ? (size_t)got : 0;
    }
    end->text[size] = '\0';
}

void guarded_run(void (*function)(void *context), void (*beat)(void *context), void *context,
                 struct guarded_end *end)
{
    int ends[2];
    memset(end, 0, sizeof(*end));
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return;
    }
    (void)fflush(NULL); /* what waits in a buffer is written once, by the parent */
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none); /* what stops it here is an answer, not an accident */
        (void)dup2(ends[1], STDERR_FILENO);
        function(context);
        _exit(0);
    }
    (void)close(ends[1]);
    if (pid > 0) {
        int status = 0;
        guarded_listen(ends[0], beat, context, end);
        end->ran = waitpid(pid, &status, 0) == pid;
        end->good = end->ran && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    (void)close(ends[0]);
}
