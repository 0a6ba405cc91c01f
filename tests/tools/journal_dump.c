/*
 * journal_dump.c - see journal_dump.h. Plain and slow on purpose: whole files in memory, every
 * rule of docs/journal-format.md in the order of that page.
 */
#include "tools/journal_dump.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 4096,
    BATCH_HEADER = 160,
    PAYLOAD_MAX = 8388608,
    LONGEST_BATCH = 8392704,
    SEGMENTS_MAX = 4096,
};

struct segment {
    uint8_t *data;
    uint64_t size;
};

struct batch {
    uint64_t number, first_position, segment, offset, epoch;
    uint32_t frames, payload;
    int64_t time;
    const uint8_t *previous, *hash;
};

struct dump {
    const char *directory;
    FILE *out;
    struct segment segment[SEGMENTS_MAX]; /* segment n is at n - 1 */
    size_t count;
    uint8_t identity_and_book[32];
    uint64_t number, position, epoch; /* of the last batch taken */
    uint8_t hash[32];
};

static uint64_t number_at(const uint8_t *data, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = bytes; i > 0; i--) {
        value = value << 8 | data[i - 1];
    }
    return value;
}

static bool all_zero(const uint8_t *data, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (data[i] != 0) {
            return false;
        }
    }
    return true;
}

static uint64_t padded(uint64_t payload)
{
    uint64_t size = BATCH_HEADER + payload;
    return size % BLOCK == 0 ? size : size + BLOCK - size % BLOCK;
}

/* SHA-256 of the seed block, then two runs of bytes. */
static void seeded_hash(const struct dump *d, const char *kind, uint64_t epoch, const uint8_t *a,
                        size_t a_size, const uint8_t *b, size_t b_size, uint8_t out[32])
{
    uint8_t seed[64] = {0};
    unsigned size = 32;
    memcpy(seed, kind, strlen(kind));
    for (size_t i = 0; i < 8; i++) {
        seed[24 + i] = (uint8_t)(epoch >> (8 * i));
    }
    memcpy(seed + 32, d->identity_and_book, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(context, seed, sizeof(seed)) != 1 ||
        EVP_DigestUpdate(context, a, a_size) != 1 || EVP_DigestUpdate(context, b, b_size) != 1 ||
        EVP_DigestFinal_ex(context, out, &size) != 1) {
        abort();
    }
    EVP_MD_CTX_free(context);
}

static int refuse(struct dump *d, const char *why)
{
    (void)fprintf(d->out, "not a journal: %s\n", why);
    return 1;
}

static int damage(struct dump *d, size_t segment, uint64_t offset)
{
    (void)fprintf(d->out, "damage at %zu:%" PRIu64 "\n", segment + 1, offset);
    return 1;
}

/* --- segments --------------------------------------------------------------------------------- */

static bool read_file(const char *path, struct segment *out)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    out->size = size < 0 ? 0 : (uint64_t)size;
    out->data = malloc(out->size + 1);
    bool whole = size >= 0 && out->data != NULL && fseek(file, 0, SEEK_SET) == 0 &&
                 fread(out->data, 1, out->size, file) == out->size;
    (void)fclose(file);
    return whole;
}

static bool header_is_right(struct dump *d, size_t index)
{
    const struct segment *segment = &d->segment[index];
    const uint8_t *h = segment->data;
    uint8_t hash[32];
    if (segment->size < 4 * BLOCK || segment->size % BLOCK != 0 || memcmp(h, "HAKIKASG", 8) != 0 ||
        number_at(h + 8, 4) != 1 || number_at(h + 12, 4) != BLOCK ||
        number_at(h + 16, 8) != index + 1 || number_at(h + 24, 8) != segment->size ||
        number_at(h + 32, 8) == 0 || !all_zero(h + 40, 8) || !all_zero(h + 80, 16) ||
        !all_zero(h + 128, BLOCK - 128)) {
        return false;
    }
    if (index == 0) {
        memcpy(d->identity_and_book, h + 48, 32);
    }
    seeded_hash(d, "hakika segment 1", number_at(h + 32, 8), h, 96, NULL, 0, hash);
    return memcmp(d->identity_and_book, h + 48, 32) == 0 && memcmp(hash, h + 96, 32) == 0;
}

static int read_segments(struct dump *d)
{
    for (d->count = 0; d->count < SEGMENTS_MAX; d->count++) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/journal-%08zu.seg", d->directory, d->count + 1);
        if (!read_file(path, &d->segment[d->count])) {
            break;
        }
        if (!header_is_right(d, d->count)) {
            d->count++;
            return refuse(d, "a segment's header is wrong");
        }
    }
    return d->count == 0 ? refuse(d, "there is no first segment") : 0;
}

/* --- batches ---------------------------------------------------------------------------------- */

/* "Readable": right in everything but, perhaps, the hash. */
static bool is_readable(const struct dump *d, size_t index, uint64_t offset, struct batch *out)
{
    const uint8_t *h = d->segment[index].data + offset;
    if (memcmp(h, "HAKIKABT", 8) != 0 || number_at(h + 8, 4) != 1 ||
        number_at(h + 12, 4) != BATCH_HEADER || !all_zero(h + 72, 24)) {
        return false;
    }
    *out = (struct batch){
        .number = number_at(h + 16, 8),
        .first_position = number_at(h + 24, 8),
        .frames = (uint32_t)number_at(h + 32, 4),
        .payload = (uint32_t)number_at(h + 36, 4),
        .time = (int64_t)number_at(h + 40, 8),
        .segment = number_at(h + 48, 8),
        .offset = number_at(h + 56, 8),
        .epoch = number_at(h + 64, 8),
        .previous = h + 96,
        .hash = h + 128,
    };
    return out->number > 0 && out->frames > 0 && out->payload > 0 && out->payload <= PAYLOAD_MAX &&
           out->epoch > 0 && out->segment == index + 1 && out->offset == offset &&
           out->first_position >= out->number;
}

static bool is_intact(const struct dump *d, size_t index, uint64_t offset, struct batch *out)
{
    const struct segment *segment = &d->segment[index];
    uint8_t hash[32];
    if (offset >= segment->size || !is_readable(d, index, offset, out) ||
        padded(out->payload) > segment->size - offset) {
        return false;
    }
    const uint8_t *h = segment->data + offset;
    uint64_t used = BATCH_HEADER + (uint64_t)out->payload;
    seeded_hash(d, "hakika batch 1", out->epoch, h, 128, h + BATCH_HEADER, out->payload, hash);
    return all_zero(h + used, padded(out->payload) - used) && memcmp(hash, out->hash, 32) == 0;
}

static bool continues(const struct dump *d, const struct batch *batch)
{
    return batch->number == d->number + 1 && batch->first_position == d->position + 1 &&
           batch->epoch >= d->epoch && memcmp(batch->previous, d->hash, 32) == 0;
}

static void take(struct dump *d, const struct batch *batch)
{
    d->number = batch->number;
    d->position = batch->first_position + batch->frames - 1;
    d->epoch = batch->epoch;
    memcpy(d->hash, batch->hash, 32);
    (void)fprintf(d->out,
                  "batch %" PRIu64 " positions %" PRIu64 "-%" PRIu64 " time %" PRId64
                  " epoch %" PRIu64 " at %" PRIu64 ":%" PRIu64 " payload %" PRIu32 " hash ",
                  batch->number, batch->first_position, d->position, batch->time, batch->epoch,
                  batch->segment, batch->offset, batch->payload);
    for (size_t i = 0; i < 32; i++) {
        (void)fprintf(d->out, "%02x", (unsigned)batch->hash[i]);
    }
    (void)fputc('\n', d->out);
}

/* What is left behind the head. */
static int finish(struct dump *d, size_t index, uint64_t offset)
{
    bool torn = false;
    size_t torn_in = 0;
    for (size_t i = index; i < d->count; i++) {
        uint64_t from = i == index ? offset : BLOCK;
        uint64_t most = from + LONGEST_BATCH;
        for (uint64_t at = from; at < d->segment[i].size; at += BLOCK) {
            struct batch batch;
            if (all_zero(d->segment[i].data + at, BLOCK)) {
                continue;
            }
            bool readable = is_readable(d, i, at, &batch);
            if (readable && at == from) {
                most = at + padded(batch.payload);
            }
            if ((readable && at != from) || (torn && torn_in != i) || i > index + 1 ||
                at + BLOCK > most) {
                return damage(d, index, offset);
            }
            torn = true;
            torn_in = i;
        }
    }
    (void)fprintf(d->out, "head %" PRIu64 " %s\n", d->number,
                  torn ? "torn" : (d->number == 0 ? "empty" : "clean"));
    return 0;
}

static int walk(struct dump *d)
{
    size_t index = 0;
    uint64_t offset = BLOCK;
    seeded_hash(d, "hakika journal 1", 0, NULL, 0, NULL, 0, d->hash);
    for (;;) {
        struct batch batch;
        if (is_intact(d, index, offset, &batch)) {
            if (!continues(d, &batch)) {
                return damage(d, index, offset);
            }
            take(d, &batch);
            offset += padded(batch.payload);
        } else if (index + 1 < d->count &&
                   all_zero(d->segment[index].data + offset, d->segment[index].size - offset) &&
                   is_intact(d, index + 1, BLOCK, &batch)) {
            index++;
            offset = BLOCK;
        } else {
            return finish(d, index, offset);
        }
    }
}

int journal_dump(const char *directory, FILE *out)
{
    struct dump *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        abort();
    }
    d->directory = directory;
    d->out = out;
    int result = read_segments(d);
    if (result == 0) {
        result = walk(d);
    }
    for (size_t i = 0; i < SEGMENTS_MAX; i++) {
        free(d->segment[i].data);
    }
    free(d);
    return result;
}
