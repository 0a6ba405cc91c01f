/*
 * format.h - the bytes of segment headers and batch headers: structs <-> bytes, both directions.
 * docs/journal-format.md says the same in prose; change both or neither.
 *
 * Guarantees: decoding never reads outside what it was given and accepts only what encoding can
 * have produced: reserved bytes and padding are checked to be zero.
 */
#ifndef HAKIKA_JOURNAL_FORMAT_H
#define HAKIKA_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/journal.h"
#include "journal/mutant.h"

enum {
    SEGMENT_HEADER_BYTES = JOURNAL_BLOCK_BYTES,
    SEGMENT_BYTES_LEAST = 4 * JOURNAL_BLOCK_BYTES,
    BATCH_BYTES_MAX = (JOURNAL_BATCH_HEADER_BYTES + JOURNAL_PAYLOAD_MAX + JOURNAL_BLOCK_BYTES - 1) /
                      JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES,
    IDENTITY_BYTES = 16,
    BOOK_BYTES = 16,
};

/* What every hash of one journal begins with: no batch of another journal is ever valid here. */
struct journal__seed {
    uint8_t identity[IDENTITY_BYTES];
    uint8_t book[BOOK_BYTES]; /* padded with zeros */
};

struct segment_header {
    struct journal__seed seed;
    uint64_t number; /* from 1 */
    uint64_t size;   /* of the file, header included */
    uint64_t epoch;  /* of the opening that made it */
};

struct batch_header {
    uint64_t batch;
    uint64_t first_position;
    uint32_t frame_count;
    uint32_t payload_size;
    int64_t time_ns;
    uint64_t segment;
    uint64_t offset;
    uint64_t epoch;
    uint8_t previous[JOURNAL_HASH_BYTES];
    uint8_t hash[JOURNAL_HASH_BYTES];
};

enum format_verdict {
    FORMAT_VALID,
    FORMAT_FOREIGN, /* does not begin as our files do */
    FORMAT_VERSION, /* ours, of a version that this program does not read */
    FORMAT_DAMAGED,
};

/* Batches begin and end at multiples of this. */
static inline size_t batch_alignment(void)
{
    return MUTANT(SKIP_PADDING) ? 32 : JOURNAL_BLOCK_BYTES;
}

/* Bytes of a batch on disk: header and payload, padded to a block. */
static inline size_t batch_size(size_t payload_size)
{
    size_t size = JOURNAL_BATCH_HEADER_BYTES + payload_size;
    return (size + batch_alignment() - 1) / batch_alignment() * batch_alignment();
}

/* True when there are only zeros. */
bool format_is_zero(const uint8_t *data, size_t size);

/* The hash that the first batch names as its predecessor. */
void format_genesis(const struct journal__seed *seed, uint8_t out[JOURNAL_HASH_BYTES]);

void segment_header_encode(const struct segment_header *header,
                           uint8_t block[SEGMENT_HEADER_BYTES]);

/* *version_out is set for FORMAT_VERSION (and is then all that is known). */
enum format_verdict segment_header_decode(const uint8_t block[SEGMENT_HEADER_BYTES],
                                          struct segment_header *out, uint32_t *version_out);

/*
 * Fills in the header in front of the payload and zeroes the padding behind it; header->hash is
 * computed and returned in it. buffer holds batch_size(header->payload_size) bytes.
 */
void batch_encode(const struct journal__seed *seed, struct batch_header *header, uint8_t *buffer);

/*
 * Reads a header alone, for whoever wants to know how long the batch says it is or to step over
 * it: FORMAT_VALID means plausible at this place, nothing more.
 */
enum format_verdict batch_header_decode(const uint8_t data[JOURNAL_BATCH_HEADER_BYTES],
                                        uint64_t segment, uint64_t offset,
                                        struct batch_header *out);

/* Whether the whole batch (batch_size bytes, header decoded before) is what was once appended. */
bool batch_is_intact(const struct journal__seed *seed, const struct batch_header *header,
                     const uint8_t *data);

#endif
