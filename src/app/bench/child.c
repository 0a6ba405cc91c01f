/*
 * child.c - fork and exec of /proc/self/exe, its ready line, /proc/PID and a blocking HTTP client
 * for the few requests around a measurement.
 */
#include "app/bench/child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/bench/message.h"
#include "app/monotonic.h"

enum {
    READY_MS_MAX = 20000,
    END_MS_MAX = 20000,
    REQUEST_MAX = 4096,
    PROC_FILE_MAX = 4096,
    OWN_ARGUMENTS = 6, /* that every server of a bench gets, its name among them */
};

/* ---- starting and stopping ------------------------------------------------------------------ */

/* Between fork and exec: only calls that are safe there. */
static _Noreturn void become_server(const char *data, const char *const *arguments, int ready_fd,
                                    int log_fd)
{
    const char *all[] = {"hakika",
                         "serve",
                         "--port",
                         "0",
                         "--data",
                         data,
                         [OWN_ARGUMENTS + CHILD_ARGUMENTS_MAX] = NULL};
    size_t count = OWN_ARGUMENTS;
    for (size_t i = 0; i < CHILD_ARGUMENTS_MAX && arguments[i] != NULL; i++) {
        all[count++] = arguments[i];
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)setpgid(0, 0); /* Ctrl-C is for the parent, which stops the server in its own time */
    if (dup2(ready_fd, STDOUT_FILENO) >= 0 && dup2(log_fd, STDERR_FILENO) >= 0) {
        char *argv[sizeof(all) / sizeof(all[0])];
        memcpy(argv, all, sizeof(argv)); /* execv takes pointers to char that it does not change */
        (void)execv("/proc/self/exe", argv);
    }
    _exit(127);
}

/* The number behind `before`. False: there is none. */
static bool port_of(const char *line, const char *before, uint16_t *out)
{
    const char *at = strstr(line, before);
    uint64_t port;
    if (at == NULL) {
        return false;
    }
    at += strlen(before);
    if (!span_parse_u64((struct span){at, strspn(at, "0123456789")}, &port) || port > UINT16_MAX) {
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

/* The first line, "ready operator=http://HOST:PORT merchant=http://HOST:PORT ...". */
static bool wait_ready(struct child *c, int fd)
{
    char line[1024];
    size_t size = 0;
    int64_t end_ms = monotonic_ms() + READY_MS_MAX;
    while (size < sizeof(line) - 1 && memchr(line, '\n', size) == NULL) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int64_t left_ms = end_ms - monotonic_ms();
        if (left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) <= 0) {
            return false;
        }
        ssize_t got = read(fd, line + size, sizeof(line) - 1 - size);
        if (got <= 0) {
            return false;
        }
        size += (size_t)got;
    }
    line[size] = '\0';
    (void)port_of(line, " merchant=http://127.0.0.1:", &c->merchant_port);
    return port_of(line, "ready operator=http://127.0.0.1:", &c->port);
}

/* What the server said before it gave up; its log goes with the folder. */
static void explain_start(const char *log_path, char error[256])
{
    char words[160];
    int fd = open(log_path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, words, sizeof(words) - 1);
    words[got > 0 ? got : 0] = '\0';
    (void)snprintf(error, 256, "the server did not become ready. It said: %s",
                   words[0] == '\0' ? "nothing" : words);
    if (fd >= 0) {
        (void)close(fd);
    }
}

bool child_start(struct child *c, const char *data, const char *const *arguments, char error[256])
{
    char log_path[600];
    int ready[2] = {-1, -1};
    (void)snprintf(c->data, sizeof(c->data), "%s", data);
    (void)snprintf(log_path, sizeof(log_path), "%s.log", data);
    int log_fd = open(log_path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    if (log_fd < 0 || pipe2(ready, O_CLOEXEC) != 0) {
        (void)snprintf(error, 256, "cannot start the server: %s", strerror(errno));
        if (log_fd >= 0) {
            (void)close(log_fd);
        }
        return false;
    }
    c->pid = fork();
    if (c->pid == 0) {
        become_server(data, arguments, ready[1], log_fd);
    }
    (void)close(ready[1]);
    (void)close(log_fd);
    bool ok = c->pid > 0 && wait_ready(c, ready[0]);
    (void)close(ready[0]);
    if (!ok) {
        explain_start(log_path, error);
        child_stop(c);
    }
    return ok;
}

static bool wait_end(pid_t pid, int64_t patience_ms)
{
    int64_t end_ms = monotonic_ms() + patience_ms;
    for (;;) {
        pid_t ended = waitpid(pid, NULL, WNOHANG);
        if (ended == pid || (ended < 0 && errno == ECHILD)) {
            return true;
        }
        if (monotonic_ms() > end_ms) {
            return false;
        }
        struct timespec pause = {0, 5000000};
        (void)nanosleep(&pause, NULL);
    }
}

void child_stop(struct child *c)
{
    if (c->pid > 0) {
        (void)kill(c->pid, SIGTERM);
        if (!wait_end(c->pid, END_MS_MAX)) {
            (void)kill(c->pid, SIGKILL);
            (void)wait_end(c->pid, END_MS_MAX);
        }
    }
    c->pid = 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

static int request_connect(const struct child *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(c->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Reads until one whole answer is there; its status, or 0. */
static int request_receive(struct child *c, int fd, uint32_t timeout_ms, struct span *body_out)
{
    size_t size = 0;
    int64_t end_ms = monotonic_ms() + timeout_ms;
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int64_t left_ms = end_ms - monotonic_ms();
        if (size == CHILD_ANSWER_MAX || left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) <= 0) {
            return 0;
        }
        ssize_t got = recv(fd, c->answer + size, CHILD_ANSWER_MAX - size, 0);
        if (got <= 0) {
            return 0;
        }
        size += (size_t)got;
        c->answer[size] = '\0';
        struct message m;
        enum message_state state = message_find((struct span){c->answer, size}, &m);
        if (state == MESSAGE_BAD) {
            return 0;
        }
        if (state == MESSAGE_WHOLE) {
            *body_out = m.body;
            return m.status;
        }
    }
}

int child_request(struct child *c, const char *method, const char *path, const char *headers,
                  const char *body, uint32_t timeout_ms, struct span *body_out)
{
    char request[REQUEST_MAX];
    *body_out = SPAN_EMPTY;
    int size = snprintf(request, sizeof(request),
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: %zu\r\n"
                        "Content-Type: application/json\r\nConnection: close\r\n%s\r\n%s",
                        method, path, c->port, strlen(body), headers, body);
    CHECK(size > 0 && size < REQUEST_MAX);
    int fd = request_connect(c);
    if (fd < 0) {
        return 0;
    }
    int status = 0;
    if (send(fd, request, (size_t)size, MSG_NOSIGNAL) == size) {
        status = request_receive(c, fd, timeout_ms, body_out);
    }
    (void)close(fd);
    return status;
}

/* ---- what it used --------------------------------------------------------------------------- */

/* The whole of /proc/PID/NAME as a string; empty when it may not be read. */
static void proc_read(pid_t pid, const char *name, char out[PROC_FILE_MAX])
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, out, PROC_FILE_MAX - 1);
    out[got > 0 ? got : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
}

static uint64_t number_at(const char *at)
{
    uint64_t value = 0;
    struct span digits = {at, strspn(at, "0123456789")};
    return span_parse_u64(digits, &value) ? value : 0;
}

/* The n-th field after the name in brackets, which may hold anything. */
static const char *stat_field(const char *text, int n)
{
    const char *at = strrchr(text, ')');
    for (; at != NULL && n > 0; n--) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? "" : at + 1;
}

static bool usage_cpu(pid_t pid, struct child_usage *out)
{
    char text[PROC_FILE_MAX];
    proc_read(pid, "stat", text);
    if (strchr(text, ')') == NULL) {
        return false;
    }
    uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    /* Fields 14 to 17 of proc(5): utime, stime and those of children that were waited for. */
    out->user_us = (number_at(stat_field(text, 12)) + number_at(stat_field(text, 14))) * tick_us;
    out->system_us = (number_at(stat_field(text, 13)) + number_at(stat_field(text, 15))) * tick_us;
    return true;
}

/* Busy time of the whole machine since it was started: the first line of /proc/stat but for idle
   and waiting (fields 4 and 5), and guests, who are counted among the users. */
uint64_t child_machine_us(void)
{
    char text[PROC_FILE_MAX];
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
    uint64_t ticks = 0;
    const char *at = text + strcspn(text, " ");
    for (int field = 1; field <= 8 && *at == ' '; field++) {
        at += strspn(at, " ");
        ticks += field == 4 || field == 5 ? 0 : number_at(at);
        at += strcspn(at, " \n");
    }
    return ticks * (1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t child_time_us(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

bool child_usage(struct child *c, struct child_usage *out)
{
    char text[PROC_FILE_MAX];
    struct rusage own;
    memset(out, 0, sizeof(*out));
    proc_read(c->pid, "io", text);
    const char *written = strstr(text, "\nwrite_bytes: ");
    out->disk_bytes = written == NULL ? UINT64_MAX : number_at(written + 14);
    CHECK(getrusage(RUSAGE_SELF, &own) == 0);
    out->load_us = child_time_us(own.ru_utime) + child_time_us(own.ru_stime);
    out->machine_us = child_machine_us();
    if (!usage_cpu(c->pid, out) || !child_metrics(c)) {
        return false;
    }
    out->journal_bytes = child_metric(c, "hakika_journal_bytes_total");
    out->batches = child_metric(c, "hakika_batches_total");
    out->snapshots = child_metric(c, "hakika_snapshots_total");
    return true;
}

/* ---- metrics -------------------------------------------------------------------------------- */

bool child_metrics(struct child *c)
{
    struct span body;
    return child_request(c, "GET", "/metrics", "", "", 10000, &body) == 200;
}

/* The value of the first line from *at on that starts with the name and then a space or, when
   labelled, a brace; moves *at behind it. False: there is none. */
static bool metric_next(const char **at, const char *name, bool labelled, uint64_t *value)
{
    size_t size = strlen(name);
    while ((*at = strchr(*at, '\n')) != NULL) {
        (*at)++;
        if (strncmp(*at, name, size) != 0) {
            continue;
        }
        char next = (*at)[size];
        const char *space = strchr(*at + size, ' ');
        if (space != NULL && (next == ' ' || (labelled && next == '{'))) {
            *value = number_at(space + 1);
            return true;
        }
    }
    return false;
}

uint64_t child_metric(const struct child *c, const char *name)
{
    const char *at = c->answer;
    uint64_t value = 0;
    return metric_next(&at, name, false, &value) ? value : 0;
}

uint64_t child_metric_sum(const struct child *c, const char *name)
{
    const char *at = c->answer;
    uint64_t value = 0;
    uint64_t sum = 0;
    while (metric_next(&at, name, true, &value)) {
        sum += value;
    }
    return sum;
}
