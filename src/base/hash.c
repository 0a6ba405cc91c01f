/*
 * hash.c - see hash.h. Tests: tests/unit/test_base.c (fixed values, so that a change is noticed:
 * digests are recorded in journals and golden files).
 */
#include "base/hash.h"

#include <string.h>

#include "base/check.h"

static const uint64_t HASH_K0 = 0xa0761d6478bd642fu;
static const uint64_t HASH_K1 = 0xe7037ed1a0b428dbu;
static const uint64_t HASH_K2 = 0x8ebc6af09c88c6e3u;

static uint64_t hash_load(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, at, size);
    return value;
}

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
    const uint8_t *at = data;
    uint64_t h = seed ^ HASH_K0;
    size_t left = size;
    while (left >= 16) {
        h = hash_mix(hash_load(at, 8) ^ HASH_K1, hash_load(at + 8, 8) ^ h);
        at += 16;
        left -= 16;
    }
    uint64_t low = left > 8 ? hash_load(at, 8) : (left > 0 ? hash_load(at, left) : 0);
    uint64_t high = left > 8 ? hash_load(at + 8, left - 8) : 0;
    h = hash_mix(low ^ HASH_K1, high ^ h);
    return hash_mix(h ^ HASH_K2, (uint64_t)size ^ HASH_K1);
}

void digest_init(struct digest *d)
{
    memset(d, 0, sizeof(*d));
    d->lane[0] = HASH_K0;
    d->lane[1] = HASH_K1;
}

static void digest_block(struct digest *d, const uint8_t *at)
{
    uint64_t a = hash_load(at, 8);
    uint64_t b = hash_load(at + 8, 8);
    d->lane[0] = hash_mix(a ^ HASH_K1, d->lane[0] ^ b ^ HASH_K2);
    d->lane[1] = hash_mix(b ^ HASH_K0, d->lane[1] ^ a ^ HASH_K1) + d->lane[0];
}

void digest_update(struct digest *d, const void *data, size_t size)
{
    const uint8_t *at = data;
    if (size == 0) {
        return; /* data may be NULL then */
    }
    d->total += size;
    if (d->pending_size > 0) {
        size_t take = sizeof(d->pending) - d->pending_size;
        take = take < size ? take : size;
        memcpy(d->pending + d->pending_size, at, take);
        d->pending_size += (uint32_t)take;
        at += take;
        size -= take;
        if (d->pending_size < sizeof(d->pending)) {
            return;
        }
        digest_block(d, d->pending);
        d->pending_size = 0;
    }
    for (; size >= 16; at += 16, size -= 16) {
        digest_block(d, at);
    }
    if (size > 0) {
        memcpy(d->pending, at, size);
        d->pending_size = (uint32_t)size;
    }
    CHECK(d->pending_size < sizeof(d->pending));
}

struct digest_value digest_finish(const struct digest *d)
{
    struct digest last = *d;
    if (last.pending_size > 0) {
        memset(last.pending + last.pending_size, 0, sizeof(last.pending) - last.pending_size);
        digest_block(&last, last.pending);
    }
    struct digest_value value;
    value.high = hash_mix(last.lane[0] ^ last.total, HASH_K2 ^ last.lane[1]);
    value.low = hash_mix(last.lane[1] ^ HASH_K0, last.total ^ last.lane[0] ^ HASH_K1);
    return value;
}
