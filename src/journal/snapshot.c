/*
 * snapshot.c - snapshot files beside the journal: an accelerator that is never trusted blindly.
 *
 *   create --> snapshot-POSITION.tmp, growing --commit: trailer, sync--> durable
 *          --rename--> snapshot-POSITION.snap --sync directory--> older ones removed but one
 *
 * Writing runs in a forked child: no locks, no threads, no OpenSSL fetches here (sha256.h).
 *
 * Invariants (writer_check)
 *  N1  a .snap file is complete and durable before it gets that name; two complete ones are kept,
 *      so that a damaged one costs time and nothing else.
 *  N2  the digest covers header, content and length; a file that fails it is ignored.
 *  N3  a snapshot is used only when the journal holds its batch with its hash; so one from
 *      another journal, or ahead of the head, is ignored.
 * Tests: tests/unit/test_journal.c, tests/crash/.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/large.h"
#include "journal/internal.h"
#include "journal/sha256.h"

enum {
    SNAPSHOT_FORMAT_VERSION = 1,
    SNAPSHOT_HEADER_BYTES = 64,
    SNAPSHOT_TRAILER_BYTES = 48,
    SNAPSHOT_TRAILER_HASHED = 16,  /* of the trailer, in front of the digest */
    SNAPSHOT_SYNC_BYTES = 1 << 20, /* in pieces, so that no large flush delays a commit */
    SNAPSHOT_READ_BYTES = 1 << 20,
    SNAPSHOT_MAGIC_BYTES = 8,
};

static const char header_magic[SNAPSHOT_MAGIC_BYTES + 1] = "HAKIKASN";
static const char trailer_magic[SNAPSHOT_MAGIC_BYTES + 1] = "HAKIKASE";

struct snapshot_writer {
    struct disk *disk;
    struct disk_file *file;
    struct sha256 sha;
    uint64_t position;
    uint64_t offset; /* in the file: header and content so far */
    uint64_t synced;
    int error; /* the first negative errno, which ends it */
    char path[JOURNAL_PATH_MAX];
    char final_path[JOURNAL_PATH_MAX];
    char directory[];
};

static void writer_check(const struct snapshot_writer *writer)
{
    CHECK(writer->file != NULL);
    CHECK(writer->offset >= writer->synced);
    CHECK(IMPLIES(writer->error == 0, writer->offset >= SNAPSHOT_HEADER_BYTES));
    CHECK(writer->error <= 0);
}

/* --- names and bytes -------------------------------------------------------------------------- */

static void snapshot_name(uint64_t position, const char *suffix, char out[JOURNAL_NAME_MAX])
{
    int n = snprintf(out, JOURNAL_NAME_MAX, "snapshot-%020" PRIu64 "%s", position, suffix);
    CHECK(n > 0 && n < JOURNAL_NAME_MAX);
    CHECK(suffix[0] == '.');
}

/* False when the name is not a finished snapshot's. */
static bool snapshot_position(const char *name, uint64_t *position_out)
{
    CHECK(name != NULL);
    CHECK(position_out != NULL);
    char expected[JOURNAL_NAME_MAX];
    const char prefix[] = "snapshot-";
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    struct span digits = {name + sizeof(prefix) - 1,
                          strspn(name + sizeof(prefix) - 1, "0123456789")};
    if (!span_parse_u64(digits, position_out)) {
        return false;
    }
    snapshot_name(*position_out, ".snap", expected);
    return strcmp(name, expected) == 0;
}

static void header_encode(const struct snapshot_meta *meta, uint8_t out[SNAPSHOT_HEADER_BYTES])
{
    struct writer w = writer_init(out, SNAPSHOT_HEADER_BYTES);
    put_raw(&w, header_magic, SNAPSHOT_MAGIC_BYTES);
    put_u32(&w, SNAPSHOT_FORMAT_VERSION);
    put_u32(&w, meta->state_version);
    put_u64(&w, meta->position);
    put_u64(&w, meta->batch);
    put_raw(&w, meta->hash, JOURNAL_HASH_BYTES);
    CHECK(!w.overflow);
    CHECK(w.size == SNAPSHOT_HEADER_BYTES);
}

static bool header_decode(const uint8_t data[SNAPSHOT_HEADER_BYTES], struct snapshot_meta *out)
{
    struct reader r = reader_init(data, SNAPSHOT_HEADER_BYTES);
    const uint8_t *magic = reader_claim(&r, SNAPSHOT_MAGIC_BYTES);
    uint32_t version = get_u32(&r);
    out->state_version = get_u32(&r);
    out->position = get_u64(&r);
    out->batch = get_u64(&r);
    get_raw(&r, out->hash, JOURNAL_HASH_BYTES);
    CHECK(reader_done(&r));
    CHECK(out != NULL);
    return memcmp(magic, header_magic, SNAPSHOT_MAGIC_BYTES) == 0 &&
           version == SNAPSHOT_FORMAT_VERSION;
}

/* What ends a snapshot, from the running hash over everything before it. */
static void trailer_encode(struct sha256 *sha, uint64_t length, uint8_t out[SNAPSHOT_TRAILER_BYTES])
{
    struct writer w = writer_init(out, SNAPSHOT_TRAILER_BYTES);
    put_raw(&w, trailer_magic, SNAPSHOT_MAGIC_BYTES);
    put_u64(&w, length);
    CHECK(w.size == SNAPSHOT_TRAILER_HASHED);
    sha256_update(sha, out, SNAPSHOT_TRAILER_HASHED);
    sha256_finish(sha, out + SNAPSHOT_TRAILER_HASHED);
    CHECK(SNAPSHOT_TRAILER_HASHED + SHA256_BYTES == SNAPSHOT_TRAILER_BYTES);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Appends bytes to the file; false after the first error. */
static bool writer_put(struct snapshot_writer *writer, const uint8_t *data, size_t size)
{
    struct disk *disk = writer->disk;
    CHECK(writer->file != NULL);
    if (writer->error == 0) {
        writer->error = disk->write_at(disk->context, writer->file, data, size, writer->offset);
    }
    if (writer->error == 0) {
        writer->offset += size;
    }
    if (writer->error == 0 && writer->offset - writer->synced >= SNAPSHOT_SYNC_BYTES) {
        writer->error = disk->sync(disk->context, writer->file);
        writer->synced = writer->offset;
    }
    CHECK(writer->error <= 0);
    return writer->error == 0;
}

static struct snapshot_writer *create_allocate(struct disk *disk, const char *directory,
                                               uint64_t position)
{
    char name[JOURNAL_NAME_MAX];
    CHECK(directory != NULL && directory[0] != '\0');
    size_t length = strlen(directory);
    CHECK(length + JOURNAL_NAME_MAX + 1 < JOURNAL_PATH_MAX);
    struct snapshot_writer *writer = calloc(1, sizeof(*writer) + length + 1);
    if (writer == NULL) {
        return NULL;
    }
    memcpy(writer->directory, directory, length);
    writer->disk = disk != NULL ? disk : disk_real();
    writer->position = position;
    snapshot_name(position, ".tmp", name);
    journal__path(writer->path, directory, name);
    snapshot_name(position, ".snap", name);
    journal__path(writer->final_path, directory, name);
    return writer;
}

struct snapshot_writer *snapshot_create(struct disk *disk, const char *directory,
                                        const struct snapshot_meta *meta,
                                        struct journal_error *error)
{
    uint8_t header[SNAPSHOT_HEADER_BYTES];
    CHECK(meta->batch > 0);
    CHECK(meta->position >= meta->batch);
    *error = (struct journal_error){.status = JOURNAL_OK};
    struct snapshot_writer *writer = create_allocate(disk, directory, meta->position);
    int result = -ENOMEM;
    if (writer != NULL) {
        disk = writer->disk;
        result = disk->remove(disk->context, writer->path); /* of an attempt that failed */
        if (result == 0 || result == -ENOENT) {
            result = disk->open(disk->context, writer->path, true, true, true, &writer->file);
        }
    }
    if (result != 0) {
        (void)journal__fail_io(error, result, "writing a snapshot in", directory, NULL);
        free(writer);
        return NULL;
    }
    header_encode(meta, header);
    sha256_init(&writer->sha);
    sha256_update(&writer->sha, header, sizeof(header));
    if (!writer_put(writer, header, sizeof(header))) {
        (void)journal__fail_io(error, writer->error, "writing a snapshot in", directory, NULL);
        snapshot_abandon(writer);
        return NULL;
    }
    writer_check(writer);
    return writer;
}

bool snapshot_write(void *context, const uint8_t *data, size_t size)
{
    struct snapshot_writer *writer = context;
    writer_check(writer);
    if (size == 0) {
        return writer->error == 0;
    }
    CHECK(data != NULL);
    CHECK(writer != NULL);
    sha256_update(&writer->sha, data, size);
    return writer_put(writer, data, size);
}

/* The largest position below `below` that a finished snapshot has. */
struct newest {
    uint64_t below;
    uint64_t position;
    bool found;
};

static bool newest_name(void *context, const char *name)
{
    struct newest *newest = context;
    uint64_t position = 0;
    CHECK(name != NULL);
    CHECK(newest->below > 0);
    if (snapshot_position(name, &position) && position < newest->below &&
        (!newest->found || position > newest->position)) {
        newest->position = position;
        newest->found = true;
    }
    return true;
}

static bool newest_below(struct disk *disk, const char *directory, uint64_t below, uint64_t *out)
{
    struct newest newest = {.below = below};
    CHECK(directory != NULL);
    if (below == 0 || disk->list(disk->context, directory, newest_name, &newest) != 0) {
        return false;
    }
    CHECK(IMPLIES(newest.found, newest.position < below));
    *out = newest.position;
    return newest.found;
}

/* Keeps the one just written and the newest other; what cannot be removed stays. */
static void commit_prune(struct snapshot_writer *writer)
{
    struct disk *disk = writer->disk;
    uint64_t below = UINT64_MAX;
    uint64_t position = 0;
    bool kept_other = false;
    CHECK(writer->error == 0);
    while (newest_below(disk, writer->directory, below, &position)) {
        char name[JOURNAL_NAME_MAX];
        char path[JOURNAL_PATH_MAX];
        below = position;
        if (position == writer->position) {
            continue;
        }
        if (!kept_other) {
            kept_other = true;
            continue;
        }
        snapshot_name(position, ".snap", name);
        journal__path(path, writer->directory, name);
        (void)disk->remove(disk->context, path);
    }
    CHECK(below > 0);
}

bool snapshot_commit(struct snapshot_writer *writer, struct journal_error *error)
{
    struct disk *disk = writer->disk;
    uint8_t trailer[SNAPSHOT_TRAILER_BYTES];
    CHECK(error != NULL);
    CHECK(writer->offset >= SNAPSHOT_HEADER_BYTES);
    writer_check(writer);
    *error = (struct journal_error){.status = JOURNAL_OK};
    trailer_encode(&writer->sha, writer->offset - SNAPSHOT_HEADER_BYTES, trailer);
    if (writer_put(writer, trailer, sizeof(trailer)) && !MUTANT(SNAPSHOT_EARLY)) {
        writer->error = disk->sync(disk->context, writer->file);
    }
    if (writer->error == 0) {
        writer->error = disk->rename(disk->context, writer->path, writer->final_path);
    }
    if (writer->error == 0 && !MUTANT(SNAPSHOT_NAME_LOST)) {
        writer->error = disk->sync_directory(disk->context, writer->directory);
    }
    if (writer->error != 0) {
        (void)journal__fail_io(error, writer->error, "writing a snapshot in", writer->directory,
                               NULL);
        snapshot_abandon(writer);
        return false;
    }
    commit_prune(writer);
    disk->close(disk->context, writer->file);
    free(writer);
    return true;
}

void snapshot_abandon(struct snapshot_writer *writer)
{
    struct disk *disk = writer->disk;
    CHECK(writer->file != NULL);
    CHECK(writer->path[0] != '\0');
    disk->close(disk->context, writer->file);
    (void)disk->remove(disk->context, writer->path);
    free(writer);
}

/* --- loading ---------------------------------------------------------------------------------- */

/* Exactly `size` bytes, or false. */
static bool load_bytes(struct disk *disk, struct disk_file *file, uint8_t *out, size_t size,
                       uint64_t offset)
{
    size_t got = 0;
    CHECK(out != NULL);
    CHECK(size > 0);
    return disk->read_at(disk->context, file, out, size, offset, &got) == 0 && got == size;
}

/* The content, hashed as it comes in; NULL when it is not what was written. */
static uint8_t *load_content(struct disk *disk, struct disk_file *file, struct sha256 *sha,
                             size_t size)
{
    uint8_t expected[SNAPSHOT_TRAILER_BYTES];
    uint8_t trailer[SNAPSHOT_TRAILER_BYTES];
    CHECK(sha != NULL);
    CHECK(file != NULL);
    uint8_t *content = large_zeroed(1, size == 0 ? 1 : size); /* with huge pages */
    if (content == NULL) {
        return NULL;
    }
    bool good = true;
    for (size_t at = 0; at < size && good; at += SNAPSHOT_READ_BYTES) {
        size_t piece = size - at < SNAPSHOT_READ_BYTES ? size - at : (size_t)SNAPSHOT_READ_BYTES;
        good = load_bytes(disk, file, content + at, piece, SNAPSHOT_HEADER_BYTES + at);
        if (good) {
            sha256_update(sha, content + at, piece);
        }
    }
    trailer_encode(sha, size, expected);
    good = good && load_bytes(disk, file, trailer, sizeof(trailer), SNAPSHOT_HEADER_BYTES + size);
    if (!good || (memcmp(trailer, expected, sizeof(trailer)) != 0 && !MUTANT(SNAPSHOT_UNCHECKED))) {
        free(content);
        return NULL;
    }
    return content;
}

/* One candidate: its content when it is intact, of the right version and confirmed. */
static uint8_t *load_file(struct journal *j, struct disk_file *file, uint32_t state_version,
                          uint64_t position, struct snapshot_meta *meta, size_t *size_out)
{
    uint8_t header[SNAPSHOT_HEADER_BYTES];
    uint64_t file_size = 0;
    struct sha256 sha;
    CHECK(file != NULL);
    CHECK(position > 0);
    if (j->disk->size(j->disk->context, file, &file_size) != 0 ||
        file_size < SNAPSHOT_HEADER_BYTES + SNAPSHOT_TRAILER_BYTES ||
        !load_bytes(j->disk, file, header, sizeof(header), 0) || !header_decode(header, meta) ||
        meta->state_version != state_version || meta->position != position) {
        return NULL;
    }
    if (!MUTANT(SNAPSHOT_UNCONFIRMED) && !journal__confirms(j, meta)) {
        return NULL;
    }
    sha256_init(&sha);
    sha256_update(&sha, header, sizeof(header));
    *size_out = (size_t)(file_size - SNAPSHOT_HEADER_BYTES - SNAPSHOT_TRAILER_BYTES);
    return load_content(j->disk, file, &sha, *size_out);
}

uint8_t *snapshot_load(struct journal *journal, uint32_t state_version, uint64_t max_position,
                       struct snapshot_meta *meta_out, size_t *size_out)
{
    struct disk *disk = journal->disk;
    uint64_t below = max_position == UINT64_MAX ? UINT64_MAX : max_position + 1;
    uint64_t position = 0;
    CHECK(meta_out != NULL);
    CHECK(size_out != NULL);
    while (newest_below(disk, journal->directory, below, &position)) {
        char name[JOURNAL_NAME_MAX];
        char path[JOURNAL_PATH_MAX];
        struct disk_file *file = NULL;
        uint8_t *content = NULL;
        below = position;
        snapshot_name(position, ".snap", name);
        journal__path(path, journal->directory, name);
        if (disk->open(disk->context, path, false, false, false, &file) == 0) {
            content = load_file(journal, file, state_version, position, meta_out, size_out);
            disk->close(disk->context, file);
        }
        if (content != NULL) {
            return content;
        }
    }
    return NULL;
}
