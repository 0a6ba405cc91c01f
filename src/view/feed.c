/*
 * feed.c - rounds from the journal into a view's file: what the file lacks is read from the
 * journal's segments (never from the book), frame by frame, and committed together with the
 * position that it stands for (V2).
 *
 *   round:  open journal and file -> is the file of this journal? -> read on from its position
 *           -> rows ... commit ... rows ... commit -> until
 *
 * A file belongs to a journal when the journal's identity is in it and the journal has, at its
 * position, the batch whose hash is in it: a journal that was put back from a backup, or another
 * one, is noticed, and the view is built anew.
 * Tests: tests/unit/test_view.c, tests/e2e/140-view.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "view/internal.h"

int view_lock(const char *file, char error[VIEW_ERROR_MAX])
{
    char path[4096];
    int size = snprintf(path, sizeof(path), "%s.lock", file);
    int lock = size < (int)sizeof(path) ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (lock < 0) {
        (void)snprintf(error, VIEW_ERROR_MAX, "cannot open %.300s.lock: %s", file, strerror(errno));
        return -1;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        (void)snprintf(error, VIEW_ERROR_MAX,
                       "another process (a server, or a rebuild) keeps the view %.300s", file);
        (void)close(lock);
        return -1;
    }
    return lock;
}

/* ---- opening ---- */

static enum feed_result feed_error(struct feed *f, enum feed_result result, const char *what)
{
    (void)snprintf(f->error, sizeof(f->error), "%.480s", what);
    return result;
}

static enum feed_result store_trouble(struct feed *f)
{
    bool damaged = store_is_damaged(f->store.code);
    return feed_error(f, damaged ? FEED_FOREIGN : FEED_FAILED, f->store.error);
}

static enum feed_result open_journal(struct feed *f)
{
    struct journal_error error;
    struct journal_options options = {
        .directory = f->directory, .verify_bytes = 1, /* reading verifies what it reads */
    };
    (void)snprintf(options.book, sizeof(options.book), "%s", f->of->book);
    enum journal_status status = journal_open_beside(&options, &f->journal, &error);
    return status == JOURNAL_OK ? FEED_DONE : feed_error(f, FEED_FAILED, error.message);
}

static enum feed_result open_store(struct feed *f)
{
    enum store_opening opening = store_open(&f->store, f->of, f->file);
    f->store_open = true;
    f->committed_rows = 0;
    f->resumed = false;
    if (opening != STORE_READY) {
        return feed_error(f, opening == STORE_FOREIGN ? FEED_FOREIGN : FEED_FAILED, f->store.error);
    }
    if (!projection_load(&f->projection, &f->store)) {
        return feed_error(f, FEED_FOREIGN, "its table meta cannot be read");
    }
    uint8_t identity[sizeof(f->projection.journal)];
    journal_identity(f->journal, identity);
    if (f->projection.position == 0) {
        memcpy(f->projection.journal, identity, sizeof(identity));
        f->resumed = true;
    } else if (memcmp(identity, f->projection.journal, sizeof(identity)) != 0) {
        return feed_error(f, FEED_FOREIGN, "it was made from another journal");
    } else if (f->projection.position > journal_head(f->journal).position) {
        return feed_error(f, FEED_FOREIGN, "it is ahead of the journal");
    }
    if (f->committed != NULL) {
        (void)f->committed(f->context, f);
    }
    return FEED_DONE;
}

void feed_close(struct feed *f)
{
    if (f->store_open) {
        store_rollback(&f->store);
        store_close(&f->store);
        f->store_open = false;
    }
    journal_close(f->journal);
    f->journal = NULL;
}

bool feed_discard(struct feed *f)
{
    feed_close(f);
    if (store_discard(f->file)) {
        return true;
    }
    (void)snprintf(f->error, sizeof(f->error), "cannot remove %.300s: %s", f->file,
                   strerror(errno));
    return false;
}

/* ---- a round ---- */

static bool feed_commit(struct feed *f)
{
    if (!f->store.open) {
        return true;
    }
    if (!projection_save(&f->projection) || !store_commit(&f->store)) {
        return false;
    }
    f->committed_rows = f->store.rows;
    f->ended = f->committed != NULL && !f->committed(f->context, f);
    return !f->ended;
}

/* The frames of a batch that are not in the view yet. False: no further. */
static bool feed_frames(struct feed *f, const struct journal_read_batch *batch)
{
    struct reader r = reader_init(batch->payload, batch->payload_size);
    struct frame_reader frame;
    uint64_t most = f->rows_per_commit == 0 ? VIEW_ROWS_PER_COMMIT : f->rows_per_commit;
    while (frame_next(&r, &frame)) {
        if (frame.info.position <= f->projection.position) {
            continue;
        }
        if (frame.info.position > f->until) {
            return false;
        }
        memcpy(f->projection.hash, batch->hash, sizeof(f->projection.hash));
        if ((!f->store.open && !store_begin(&f->store)) ||
            !projection_frame(&f->projection, &frame)) {
            return false;
        }
        if (f->store.rows - f->committed_rows >= most && !feed_commit(f)) {
            return false;
        }
    }
    return !r.bad;
}

static bool feed_batch(void *context, const struct journal_read_batch *batch)
{
    struct feed *f = context;
    if (!f->resumed) {
        f->resumed = memcmp(batch->hash, f->projection.hash, sizeof(batch->hash)) == 0;
        if (!f->resumed) {
            return false;
        }
    }
    return batch->first_position <= f->until && feed_frames(f, batch);
}

/* Reads what lies before the journal's head as it was seen, then what was appended since. */
static enum feed_result feed_read(struct feed *f)
{
    struct journal_error error = {.status = JOURNAL_OK};
    enum journal_status status = JOURNAL_OK;
    uint64_t from = f->projection.position + (f->resumed ? 1 : 0);
    if (f->projection.position < journal_head(f->journal).position || !f->resumed) {
        status = journal_read(f->journal, from, feed_batch, f, &error);
    }
    bool more = status == JOURNAL_OK && f->resumed && f->store.code == SQLITE_OK && !f->ended &&
                f->projection.error[0] == '\0' && f->until != UINT64_MAX;
    if (more && f->projection.position >= journal_head(f->journal).position) {
        status = journal_follow(f->journal, f->until, feed_batch, f, &error);
    }
    return status == JOURNAL_OK ? FEED_DONE : feed_error(f, FEED_FAILED, error.message);
}

/* What the round has come to; frames that are not committed are rolled back. */
static enum feed_result feed_outcome(struct feed *f, enum feed_result read)
{
    bool sound = f->resumed && f->projection.error[0] == '\0';
    if (sound && f->store.code == SQLITE_OK) {
        (void)feed_commit(f);
    }
    if (f->store.code != SQLITE_OK) {
        return store_trouble(f);
    }
    if (!f->resumed && read == FEED_DONE) {
        return feed_error(f, FEED_FOREIGN, "the journal has another history than it");
    }
    if (f->projection.error[0] != '\0') {
        return feed_error(f, FEED_FAILED, f->projection.error);
    }
    return read;
}

enum feed_result feed_round(struct feed *f, uint64_t until)
{
    enum feed_result result = FEED_DONE;
    f->until = until;
    f->ended = false;
    f->error[0] = '\0';
    if (f->journal == NULL) {
        result = open_journal(f);
    }
    if (result == FEED_DONE && !f->store_open) {
        result = open_store(f);
    }
    if (result == FEED_DONE) {
        result = feed_outcome(f, feed_read(f));
    }
    if (result != FEED_DONE) {
        feed_close(f);
    }
    return result;
}
