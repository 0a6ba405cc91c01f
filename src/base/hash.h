/*
 * hash.h - fast hashes for tables and for the state digest. Not cryptographic: evidence against
 * tampering is the journal's SHA-256 chain.
 *
 * Guarantees: the same bytes give the same result on every machine and compiler, however they
 * are cut into pieces (digest).
 */
#ifndef HAKIKA_BASE_HASH_H
#define HAKIKA_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 64 x 64 -> 128 bit multiply, folded: the mixing step of everything here. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_u64(uint64_t value, uint64_t seed)
{
    return hash_mix(value ^ 0x9e3779b97f4a7c15u, seed ^ 0xd6e8feb86659fd93u);
}

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);

/* The digest of a stream: 128 bits over content and length. */
struct digest {
    uint64_t lane[2];
    uint64_t total;      /* bytes so far */
    uint8_t pending[16]; /* the bytes of an unfinished block */
    uint32_t pending_size;
};

struct digest_value {
    uint64_t high;
    uint64_t low;
};

static inline bool digest_equal(struct digest_value a, struct digest_value b)
{
    return a.high == b.high && a.low == b.low;
}

void digest_init(struct digest *d);
void digest_update(struct digest *d, const void *data, size_t size);
struct digest_value digest_finish(const struct digest *d);

#endif
