/*
 * golden.c - see golden.h.
 */
#include "support/golden.h"

#include <inttypes.h>
#include <string.h>

#include "merchant/merchant.h"
#include "operator/operator.h"

/* ---- records ---- */

static bool read_hex(const char *text, size_t size, uint8_t *out)
{
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) {
            return false;
        }
        out[i] = (uint8_t)byte;
    }
    return text[2 * size] == '\0';
}

static bool read_line(const char *line, struct golden_record *out)
{
    char hex[80];
    struct golden_digest *d = &out->digests[out->count];
    if (line[0] == '#' || line[0] == '\n') {
        return true;
    }
    if (sscanf(line, "head %" SCNu64 " %64s", &out->head_position, hex) == 2) {
        return read_hex(hex, JOURNAL_HASH_BYTES, out->head_hash);
    }
    if (out->count == GOLDEN_DIGESTS_MAX ||
        sscanf(line, "digest %" SCNu32 " %" SCNu64 " %16" SCNx64 "%16" SCNx64, &d->state_version,
               &d->position, &d->digest.high, &d->digest.low) != 4) {
        return false;
    }
    out->count++;
    return true;
}

bool golden_record_read(const char *path, struct golden_record *out,
                        char message[GOLDEN_MESSAGE_MAX])
{
    char line[256];
    memset(out, 0, sizeof(*out));
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        (void)snprintf(message, GOLDEN_MESSAGE_MAX, "there is no record %.500s", path);
        return false;
    }
    bool good = true;
    while (good && fgets(line, sizeof(line), file) != NULL) {
        good = read_line(line, out);
    }
    (void)fclose(file);
    if (!good || out->head_position == 0 || out->count == 0) {
        (void)snprintf(message, GOLDEN_MESSAGE_MAX, "%.500s is not a record", path);
        return false;
    }
    return true;
}

void golden_record_print(FILE *to, const struct golden_record *record)
{
    (void)fprintf(to, "head %" PRIu64 " ", record->head_position);
    for (size_t i = 0; i < JOURNAL_HASH_BYTES; i++) {
        (void)fprintf(to, "%02x", record->head_hash[i]);
    }
    (void)fprintf(to, "\n");
    for (uint32_t i = 0; i < record->count; i++) {
        const struct golden_digest *d = &record->digests[i];
        (void)fprintf(to, "digest %" PRIu32 " %" PRIu64 " %016" PRIx64 "%016" PRIx64 "\n",
                      d->state_version, d->position, d->digest.high, d->digest.low);
    }
}

/* ---- replay ---- */

struct golden_walk {
    struct book *book;
    const struct golden_record *expected; /* NULL: measuring */
    struct golden_record *measured;
    uint64_t step;
    uint64_t head_position;
    char *message;
    bool good;
};

static void walk_fail(struct golden_walk *walk, const char *what)
{
    walk->good = false;
    (void)snprintf(walk->message, GOLDEN_MESSAGE_MAX, "position %" PRIu64 ": %s",
                   walk->book->position, what);
}

static void walk_compare(struct golden_walk *walk)
{
    for (uint32_t i = 0; i < walk->expected->count; i++) {
        const struct golden_digest *d = &walk->expected->digests[i];
        if (d->position != walk->book->position || d->state_version != BOOK_STATE_VERSION) {
            continue;
        }
        struct digest_value now = book_digest(walk->book);
        if (now.high != d->digest.high || now.low != d->digest.low) {
            walk_fail(walk, "the state has another digest than was recorded");
        }
    }
}

static void walk_measure(struct golden_walk *walk)
{
    uint64_t position = walk->book->position;
    struct golden_record *r = walk->measured;
    if ((position % walk->step == 0 && r->count + 1 < GOLDEN_DIGESTS_MAX) ||
        position == walk->head_position) {
        r->digests[r->count++] =
            (struct golden_digest){BOOK_STATE_VERSION, position, book_digest(walk->book)};
    }
}

static bool walk_batch(void *context, const struct journal_read_batch *batch)
{
    struct golden_walk *walk = context;
    struct reader r = reader_init(batch->payload, batch->payload_size);
    while (walk->good && r.at < r.size) {
        if (book_replay_frame(walk->book, &r) != BOOK_REPLAYED) {
            walk_fail(walk, "the frame after it cannot be replayed");
        } else if (walk->expected != NULL) {
            walk_compare(walk);
        } else {
            walk_measure(walk);
        }
    }
    return walk->good;
}

enum journal_status golden_open(const char *directory, bool read_only, struct journal **out,
                                struct book_options *book, struct journal_error *error)
{
    static const struct operator_settings settings = {.receipt_shard = 360};
    static struct gateway_settings gateway;
    struct journal_options options = {
        .directory = directory,
        .book = "operator",
        .verify_bytes = UINT64_MAX,
        .read_only = read_only,
    };
    gateway = gateway_settings_default();
    *book = (struct book_options){.domain = &operator_domain, .settings = &settings};
    enum journal_status status = journal_open(&options, out, error);
    if (status == JOURNAL_FOREIGN) {
        (void)snprintf(options.book, sizeof(options.book), "merchant");
        *book = (struct book_options){.domain = &merchant_domain, .settings = &gateway};
        status = journal_open(&options, out, error);
    }
    return status;
}

/* Opens, replays all, checks every invariant; head_out is the journal's. */
static bool walk_all(struct golden_walk *walk, const char *directory, uint64_t hash_seed,
                     struct journal_head *head_out)
{
    struct journal_error error;
    struct journal *journal = NULL;
    struct book_options book_options;
    walk->good = golden_open(directory, true, &journal, &book_options, &error) == JOURNAL_OK;
    book_options.hash_seed = hash_seed;
    if (!walk->good) {
        (void)snprintf(walk->message, GOLDEN_MESSAGE_MAX, "%s", error.message);
        return false;
    }
    *head_out = journal_head(journal);
    walk->head_position = head_out->position;
    walk->book = book_create(&book_options);
    walk->good = walk->book != NULL;
    if (walk->good) {
        walk->book->outbox.replaying = true;
        if (journal_read(journal, 1, walk_batch, walk, &error) != JOURNAL_OK) {
            walk_fail(walk, error.message);
        }
    }
    if (walk->good) {
        walk->book->outbox.replaying = false;
        book_check(walk->book);
    }
    book_destroy(walk->book);
    journal_close(journal);
    return walk->good;
}

bool golden_replay(const char *directory, const struct golden_record *record, uint64_t hash_seed,
                   char message[GOLDEN_MESSAGE_MAX])
{
    struct journal_head head;
    struct golden_walk walk = {.expected = record, .message = message};
    uint32_t ours = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        ours += record->digests[i].state_version == BOOK_STATE_VERSION;
    }
    if (ours == 0) {
        (void)snprintf(message, GOLDEN_MESSAGE_MAX,
                       "no digest is recorded for state version %d: add its lines to the record",
                       BOOK_STATE_VERSION);
        return false;
    }
    if (!walk_all(&walk, directory, hash_seed, &head)) {
        return false;
    }
    if (head.position != record->head_position ||
        memcmp(head.hash, record->head_hash, sizeof(head.hash)) != 0) {
        (void)snprintf(message, GOLDEN_MESSAGE_MAX,
                       "the journal is not the one that was recorded: golden journals are never "
                       "changed");
        return false;
    }
    return true;
}

bool golden_measure(const char *directory, uint64_t step, struct golden_record *out,
                    char message[GOLDEN_MESSAGE_MAX])
{
    struct journal_head head;
    struct golden_walk walk = {.measured = out, .step = step, .message = message};
    memset(out, 0, sizeof(*out));
    if (!walk_all(&walk, directory, 1, &head)) {
        return false;
    }
    out->head_position = head.position;
    memcpy(out->head_hash, head.hash, sizeof(out->head_hash));
    return true;
}
