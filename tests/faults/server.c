/*
 * server.c - hakika serve as a child process: started with a ready line to wait for, ended by a
 * signal, awaited through a descriptor of the process. The child dies with its parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults/faults.h"

enum { READY_LINE_MAX = 1024 };

/* exec takes pointers that it does not write through. */
static _Noreturn void execute(const char *const *arguments)
{
    char *copies[16];
    size_t count = 0;
    for (; arguments[count] != NULL; count++) {
        CHECK(count + 1 < sizeof(copies) / sizeof(copies[0]));
        copies[count] = strdup(arguments[count]);
    }
    copies[count] = NULL;
    (void)execvp(copies[0], copies);
    _exit(127);
}

static _Noreturn void child_run(struct server *s, int out)
{
    char snapshot[32];
    (void)snprintf(snapshot, sizeof(snapshot), "%llu", (unsigned long long)s->snapshot_bytes);
    /* A plan that counts calls is about the journal's, not about those of the view's thread. */
    const char *view = s->preload != NULL ? "off" : "on";
    const char *const arguments[] = {
        s->program,         "serve",  "--data", s->data, "--port", "0", "--profile", "dev",
        "--snapshot-bytes", snapshot, "--view", view,    NULL};
    int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)dup2(out, STDOUT_FILENO);
    if (log >= 0) {
        (void)dup2(log, STDERR_FILENO);
    }
    for (uint32_t i = 0; s->environment[i] != NULL; i++) {
        (void)putenv(s->environment[i]);
    }
    if (s->preload != NULL) {
        (void)setenv("LD_PRELOAD", s->preload, 1);
    }
    execute(arguments);
}

void server_launch(struct server *s)
{
    int out[2];
    CHECK(s->pid == 0);
    CHECK(pipe2(out, O_CLOEXEC) == 0);
    s->pid = fork();
    CHECK(s->pid >= 0);
    if (s->pid == 0) {
        child_run(s, out[1]);
    }
    (void)close(out[1]);
    s->descriptor = out[0];
    s->port = 0;
}

/* "ready operator=http://127.0.0.1:PORT data=..." */
static bool ready_parse(struct server *s, const char *line)
{
    static const char mark[] = "ready operator=http://127.0.0.1:";
    if (strncmp(line, mark, sizeof(mark) - 1) != 0) {
        return false;
    }
    s->port = (uint16_t)strtoul(line + sizeof(mark) - 1, NULL, 10);
    return s->port != 0;
}

bool server_start(struct server *s)
{
    char line[READY_LINE_MAX];
    size_t size = 0;
    server_launch(s);
    int64_t end = clock_ms() + SERVER_READY_MS;
    for (;;) {
        struct pollfd wait = {.fd = s->descriptor, .events = POLLIN};
        int64_t left = end - clock_ms();
        if (left <= 0 || poll(&wait, 1, (int)left) <= 0) {
            return false;
        }
        ssize_t got = read(s->descriptor, line + size, sizeof(line) - 1 - size);
        if (got <= 0) {
            return false;
        }
        size += (size_t)got;
        line[size] = '\0';
        if (strchr(line, '\n') != NULL || size + 1 == sizeof(line)) {
            return ready_parse(s, line);
        }
    }
}

void server_signal(const struct server *s, int signal)
{
    CHECK(s->pid > 0);
    (void)kill(s->pid, signal);
}

int server_wait(struct server *s, int timeout_ms)
{
    int status = 0;
    CHECK(s->pid > 0);
    int process = (int)syscall(SYS_pidfd_open, s->pid, 0);
    CHECK(process >= 0);
    struct pollfd wait = {.fd = process, .events = POLLIN};
    int ready = poll(&wait, 1, timeout_ms);
    (void)close(process);
    if (ready <= 0) {
        return SERVER_STILL_RUNNING;
    }
    CHECK(waitpid(s->pid, &status, 0) == s->pid);
    (void)close(s->descriptor);
    s->pid = 0;
    return WIFSIGNALED(status) ? SERVER_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

void server_kill(struct server *s)
{
    if (s->pid > 0) {
        server_signal(s, SIGKILL);
        (void)server_wait(s, -1);
    }
}

int run_program(const char *const *arguments, const char *output_path)
{
    int status = 0;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        int out = output_path != NULL
                      ? open(output_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                      : -1;
        if (out >= 0) {
            (void)dup2(out, STDOUT_FILENO);
            (void)dup2(out, STDERR_FILENO);
        }
        execute(arguments);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : SERVER_SIGNALLED + WTERMSIG(status);
}

static bool has_verify(const struct server *s)
{
    static int known = -1;
    if (known < 0) {
        const char *const arguments[] = {s->program, "verify", "--help", NULL};
        known = run_program(arguments, "/dev/null") == 0;
        if (known == 0) {
            (void)fprintf(stderr, "this program has no verify command: that part is left out\n");
        }
    }
    return known != 0;
}

bool server_verify(const struct server *s)
{
    char output[440];
    if (!has_verify(s)) {
        return true;
    }
    (void)snprintf(output, sizeof(output), "%s.verify", s->data);
    const char *const arguments[] = {s->program, "verify", s->data, NULL};
    return run_program(arguments, output) == 0;
}
