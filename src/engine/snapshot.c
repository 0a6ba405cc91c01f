/*
 * snapshot.c - see snapshot.h. The digest is computed over the very bytes that go into the file.
 */
#include "engine/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SNAPSHOT_BUFFER = 1024 * 1024 };

struct snapshot_sink {
    struct snapshot_writer *writer;
    struct digest digest;
};

static bool snapshot_sink_flush(void *context, const uint8_t *data, size_t size)
{
    struct snapshot_sink *sink = context;
    digest_update(&sink->digest, data, size);
    return snapshot_write(sink->writer, data, size);
}

bool snapshot_take(const struct snapshot_request *request, struct digest_value *digest_out,
                   struct journal_error *error)
{
    CHECK(request->head.position == request->book->position);
    struct snapshot_meta meta = {
        .position = request->head.position,
        .batch = request->head.batch,
        .state_version = BOOK_STATE_VERSION,
    };
    memcpy(meta.hash, request->head.hash, sizeof(meta.hash));
    uint8_t *buffer = malloc(SNAPSHOT_BUFFER);
    if (buffer == NULL) {
        (void)snprintf(error->message, sizeof(error->message), "out of memory for a snapshot");
        return false;
    }
    struct snapshot_sink sink;
    digest_init(&sink.digest);
    sink.writer = snapshot_create(NULL, request->directory, &meta, error);
    if (sink.writer == NULL) {
        free(buffer);
        return false;
    }
    struct writer w = writer_init(buffer, SNAPSHOT_BUFFER);
    w.flush = snapshot_sink_flush;
    w.context = &sink;
    book_save(request->book, &w);
    bool written = writer_finish(&w);
    free(buffer);
    *digest_out = digest_finish(&sink.digest);
    if (!written) {
        snapshot_abandon(sink.writer);
        (void)snprintf(error->message, sizeof(error->message),
                       "writing a snapshot into %.300s failed; the journal is not affected",
                       request->directory);
        return false;
    }
    return snapshot_commit(sink.writer, error);
}

/* The child has everything that its parent has. With it the listening sockets would outlive a
 * parent that was killed, and the next start could not listen: it keeps what it writes to alone,
 * and does not outlive its parent. The descriptor that is kept. */
static int be_a_child(pid_t parent, int keep)
{
    const int kept = STDERR_FILENO + 1;
    CHECK(keep >= kept);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        (keep != kept && dup2(keep, kept) < 0)) {
        _exit(1);
    }
    closefrom(kept + 1);
    return kept;
}

bool snapshot_fork(const struct snapshot_request *request, struct snapshot_child *child,
                   struct journal_error *error)
{
    int ends[2];
    CHECK(child->pid == 0);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)snprintf(error->message, sizeof(error->message), "no pipe for a snapshot: %s",
                       strerror(errno));
        return false;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        struct digest_value digest = {0, 0};
        struct journal_error ignored;
        int report = be_a_child(parent, ends[1]);
        bool good = snapshot_take(request, &digest, &ignored) &&
                    write(report, &digest, sizeof(digest)) == (ssize_t)sizeof(digest);
        _exit(good ? 0 : 1);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        (void)snprintf(error->message, sizeof(error->message), "no process for a snapshot: %s",
                       strerror(errno));
        return false;
    }
    child->pid = pid;
    child->descriptor = ends[0];
    child->position = request->head.position;
    return true;
}

bool snapshot_reap(struct snapshot_child *child, struct digest_value *digest_out)
{
    int status = 0;
    CHECK(child->pid != 0);
    ssize_t got = read(child->descriptor, digest_out, sizeof(*digest_out));
    (void)close(child->descriptor);
    pid_t reaped = waitpid(child->pid, &status, 0);
    bool good = reaped == child->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
                got == (ssize_t)sizeof(*digest_out);
    child->pid = 0;
    child->descriptor = -1;
    return good;
}
