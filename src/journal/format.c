/*
 * format.c - bytes <-> structs of the journal's files. docs/journal-format.md describes every
 * byte; tests/tools/journal_dump.c reads them from that description alone.
 *
 * Guarantees
 *  F1  encode and decode are each other's inverse; decode(encode(x)) == x.
 *  F2  every byte of a file is either covered by a hash or checked to be zero.
 *  F3  no hash input begins like another kind's: each kind has its own first 24 or 32 bytes.
 *  F4  nothing here allocates, locks or fails for want of resources.
 */
#include "journal/format.h"

#include <string.h>

#include "base/codec.h"
#include "journal/sha256.h"

enum {
    MAGIC_BYTES = 8,
    SEGMENT_HASHED_BYTES = 96, /* of the segment header, in front of its hash */
    BATCH_HASHED_BYTES = 128,  /* of the batch header, in front of its hash */
    BATCH_RESERVED_BYTES = 24,
    SEED_BYTES = 64,
};

static const char segment_magic[MAGIC_BYTES + 1] = "HAKIKASG";
static const char batch_magic[MAGIC_BYTES + 1] = "HAKIKABT";

_Static_assert((int)SHA256_BYTES == (int)JOURNAL_HASH_BYTES, "the chain is made of SHA-256");
_Static_assert(BATCH_HASHED_BYTES + JOURNAL_HASH_BYTES == JOURNAL_BATCH_HEADER_BYTES,
               "the hash ends the batch header");
_Static_assert(BATCH_BYTES_MAX % JOURNAL_BLOCK_BYTES == 0, "batches are whole blocks");
_Static_assert(sizeof(struct journal__seed) == IDENTITY_BYTES + BOOK_BYTES, "no padding in a seed");

bool format_is_zero(const uint8_t *data, size_t size)
{
    CHECK(data != NULL);
    CHECK(size > 0);
    return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

/* The first block of every hash input: what kind of thing it is, and of which journal. */
static void seed_begin(struct sha256 *sha, const char *kind, uint64_t epoch,
                       const struct journal__seed *seed)
{
    uint8_t bytes[SEED_BYTES] = {0};
    struct writer w = writer_init(bytes, sizeof(bytes));
    char name[24] = {0};
    CHECK(strlen(kind) < sizeof(name));
    memcpy(name, kind, strlen(kind));
    put_raw(&w, name, sizeof(name));
    put_u64(&w, epoch);
    if (!MUTANT(NO_IDENTITY)) {
        put_raw(&w, seed->identity, sizeof(seed->identity));
        put_raw(&w, seed->book, sizeof(seed->book));
        CHECK(w.size == SEED_BYTES);
    }
    CHECK(!w.overflow);
    sha256_init(sha);
    sha256_update(sha, bytes, sizeof(bytes));
}

void format_genesis(const struct journal__seed *seed, uint8_t out[JOURNAL_HASH_BYTES])
{
    CHECK(seed != NULL);
    CHECK(out != NULL);
    struct sha256 sha;
    seed_begin(&sha, "hakika journal 1", 0, seed);
    sha256_finish(&sha, out);
}

static void segment_hash(const struct segment_header *header, const uint8_t *block,
                         uint8_t out[JOURNAL_HASH_BYTES])
{
    struct sha256 sha;
    CHECK(header->number > 0);
    CHECK(header->epoch > 0);
    seed_begin(&sha, "hakika segment 1", header->epoch, &header->seed);
    sha256_update(&sha, block, SEGMENT_HASHED_BYTES);
    sha256_finish(&sha, out);
}

void segment_header_encode(const struct segment_header *header, uint8_t block[SEGMENT_HEADER_BYTES])
{
    CHECK(header->size >= SEGMENT_BYTES_LEAST);
    CHECK(header->size % JOURNAL_BLOCK_BYTES == 0);
    memset(block, 0, SEGMENT_HEADER_BYTES);
    struct writer w = writer_init(block, SEGMENT_HEADER_BYTES);
    put_raw(&w, segment_magic, MAGIC_BYTES);
    put_u32(&w, JOURNAL_FORMAT_VERSION);
    put_u32(&w, SEGMENT_HEADER_BYTES);
    put_u64(&w, header->number);
    put_u64(&w, header->size);
    put_u64(&w, header->epoch);
    put_u64(&w, 0); /* reserved */
    put_raw(&w, header->seed.identity, IDENTITY_BYTES);
    put_raw(&w, header->seed.book, BOOK_BYTES);
    put_u64(&w, 0); /* reserved */
    put_u64(&w, 0);
    CHECK(w.size == SEGMENT_HASHED_BYTES);
    segment_hash(header, block, block + SEGMENT_HASHED_BYTES);
}

/* A book's name: at least one character, then zeros to the end. */
static bool book_is_valid(const uint8_t book[BOOK_BYTES])
{
    size_t length = strnlen((const char *)book, BOOK_BYTES);
    CHECK(book != NULL);
    return length > 0 && length < BOOK_BYTES && format_is_zero(book + length, BOOK_BYTES - length);
}

enum format_verdict segment_header_decode(const uint8_t block[SEGMENT_HEADER_BYTES],
                                          struct segment_header *out, uint32_t *version_out)
{
    CHECK(out != NULL);
    CHECK(version_out != NULL);
    struct reader r = reader_init(block, SEGMENT_HEADER_BYTES);
    if (memcmp(reader_claim(&r, MAGIC_BYTES), segment_magic, MAGIC_BYTES) != 0) {
        return FORMAT_FOREIGN;
    }
    *version_out = get_u32(&r);
    if (*version_out > JOURNAL_FORMAT_VERSION || *version_out < JOURNAL_FORMAT_OLDEST) {
        return FORMAT_VERSION;
    }
    uint32_t header_bytes = get_u32(&r);
    out->number = get_u64(&r);
    out->size = get_u64(&r);
    out->epoch = get_u64(&r);
    uint64_t reserved = get_u64(&r);
    get_raw(&r, out->seed.identity, IDENTITY_BYTES);
    get_raw(&r, out->seed.book, BOOK_BYTES);
    reserved |= get_u64(&r);
    reserved |= get_u64(&r);
    CHECK(r.at == SEGMENT_HASHED_BYTES);
    const size_t end = SEGMENT_HASHED_BYTES + JOURNAL_HASH_BYTES;
    if (header_bytes != SEGMENT_HEADER_BYTES || reserved != 0 || out->number == 0 ||
        out->epoch == 0 || out->size < SEGMENT_BYTES_LEAST ||
        out->size % JOURNAL_BLOCK_BYTES != 0 || !book_is_valid(out->seed.book) ||
        !format_is_zero(block + end, SEGMENT_HEADER_BYTES - end)) {
        return FORMAT_DAMAGED;
    }
    uint8_t hash[JOURNAL_HASH_BYTES];
    segment_hash(out, block, hash);
    return memcmp(hash, block + SEGMENT_HASHED_BYTES, sizeof(hash)) == 0 ? FORMAT_VALID
                                                                         : FORMAT_DAMAGED;
}

static void batch_hash(const struct journal__seed *seed, const struct batch_header *header,
                       const uint8_t *data, uint8_t out[JOURNAL_HASH_BYTES])
{
    struct sha256 sha;
    CHECK(header->payload_size > 0);
    CHECK(header->epoch > 0);
    seed_begin(&sha, "hakika batch 1", header->epoch, seed);
    sha256_update(&sha, data, BATCH_HASHED_BYTES);
    if (!MUTANT(HASH_HEADER_ONLY)) {
        sha256_update(&sha, data + JOURNAL_BATCH_HEADER_BYTES, header->payload_size);
    }
    sha256_finish(&sha, out);
}

void batch_encode(const struct journal__seed *seed, struct batch_header *header, uint8_t *buffer)
{
    CHECK(header->payload_size > 0 && header->payload_size <= JOURNAL_PAYLOAD_MAX);
    CHECK(header->offset % batch_alignment() == 0);
    CHECK(header->batch > 0 && header->frame_count > 0 && header->epoch > 0);
    struct writer w = writer_init(buffer, JOURNAL_BATCH_HEADER_BYTES);
    put_raw(&w, batch_magic, MAGIC_BYTES);
    put_u32(&w, JOURNAL_FORMAT_VERSION);
    put_u32(&w, JOURNAL_BATCH_HEADER_BYTES);
    put_u64(&w, header->batch);
    put_u64(&w, header->first_position);
    put_u32(&w, header->frame_count);
    put_u32(&w, header->payload_size);
    put_i64(&w, header->time_ns);
    put_u64(&w, header->segment);
    put_u64(&w, header->offset);
    put_u64(&w, header->epoch);
    put_u64(&w, 0); /* reserved */
    put_u64(&w, 0);
    put_u64(&w, 0);
    put_raw(&w, header->previous, JOURNAL_HASH_BYTES);
    CHECK(w.size == BATCH_HASHED_BYTES);
    batch_hash(seed, header, buffer, header->hash);
    put_raw(&w, header->hash, JOURNAL_HASH_BYTES);
    size_t used = JOURNAL_BATCH_HEADER_BYTES + (size_t)header->payload_size;
    if (!MUTANT(PADDING_UNCHECKED)) {
        memset(buffer + used, 0, batch_size(header->payload_size) - used);
    }
    CHECK(!w.overflow);
}

enum format_verdict batch_header_decode(const uint8_t data[JOURNAL_BATCH_HEADER_BYTES],
                                        uint64_t segment, uint64_t offset, struct batch_header *out)
{
    CHECK(out != NULL);
    CHECK(offset % batch_alignment() == 0);
    struct reader r = reader_init(data, JOURNAL_BATCH_HEADER_BYTES);
    if (memcmp(reader_claim(&r, MAGIC_BYTES), batch_magic, MAGIC_BYTES) != 0) {
        return FORMAT_FOREIGN;
    }
    uint32_t version = get_u32(&r);
    uint32_t header_bytes = get_u32(&r);
    out->batch = get_u64(&r);
    out->first_position = get_u64(&r);
    out->frame_count = get_u32(&r);
    out->payload_size = get_u32(&r);
    out->time_ns = get_i64(&r);
    out->segment = get_u64(&r);
    out->offset = get_u64(&r);
    out->epoch = get_u64(&r);
    uint64_t reserved = get_u64(&r);
    reserved |= get_u64(&r);
    reserved |= get_u64(&r);
    get_raw(&r, out->previous, JOURNAL_HASH_BYTES);
    get_raw(&r, out->hash, JOURNAL_HASH_BYTES);
    CHECK(reader_done(&r));
    bool placed = MUTANT(NO_PLACE) || (out->segment == segment && out->offset == offset);
    if (version != JOURNAL_FORMAT_VERSION || header_bytes != JOURNAL_BATCH_HEADER_BYTES ||
        reserved != 0 || !placed || out->batch == 0 || out->first_position < out->batch ||
        out->frame_count == 0 || out->payload_size == 0 ||
        out->payload_size > JOURNAL_PAYLOAD_MAX || out->epoch == 0) {
        return FORMAT_DAMAGED;
    }
    return FORMAT_VALID;
}

bool batch_is_intact(const struct journal__seed *seed, const struct batch_header *header,
                     const uint8_t *data)
{
    CHECK(header->payload_size > 0 && header->payload_size <= JOURNAL_PAYLOAD_MAX);
    CHECK(data != NULL);
    size_t used = JOURNAL_BATCH_HEADER_BYTES + (size_t)header->payload_size;
    size_t padding = batch_size(header->payload_size) - used;
    if (padding > 0 && !format_is_zero(data + used, padding) && !MUTANT(PADDING_UNCHECKED)) {
        return false;
    }
    if (MUTANT(HASH_UNCHECKED) ||
        (MUTANT(ZEROS_PASS) &&
         format_is_zero(data + JOURNAL_BATCH_HEADER_BYTES, header->payload_size))) {
        return true;
    }
    uint8_t hash[JOURNAL_HASH_BYTES];
    batch_hash(seed, header, data, hash);
    return memcmp(hash, header->hash, sizeof(hash)) == 0;
}
