/*
 * histogram.c - bucket arithmetic: below 2^11 a bucket per value; above, 1,024 buckets per power of
 * two, found by shifting the value down to 11 significant bits.
 */
#include "app/bench/histogram.h"

#include <string.h>

static const uint64_t SUB_COUNT = UINT64_C(1) << HISTOGRAM_SUB_BITS;
static const int64_t VALUE_MAX = (INT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;

static uint32_t bucket_of(int64_t value)
{
    uint64_t v = (uint64_t)value;
    if (v < 2 * SUB_COUNT) {
        return (uint32_t)v;
    }
    uint32_t highest = 63 - (uint32_t)__builtin_clzll(v);
    uint32_t shift = highest - HISTOGRAM_SUB_BITS;
    return (uint32_t)((shift << HISTOGRAM_SUB_BITS) + (v >> shift));
}

/* The largest value that falls into the bucket. */
static int64_t bucket_top(uint32_t bucket)
{
    if (bucket < 2 * SUB_COUNT) {
        return (int64_t)bucket;
    }
    uint32_t shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t significant = bucket - ((uint64_t)shift << HISTOGRAM_SUB_BITS);
    return (int64_t)(((significant + 1) << shift) - 1);
}

void histogram_clear(struct histogram *h)
{
    memset(h, 0, sizeof(*h));
}

void histogram_add(struct histogram *h, int64_t value)
{
    value = value < 0 ? 0 : value;
    value = value > VALUE_MAX ? VALUE_MAX : value;
    uint32_t bucket = bucket_of(value);
    CHECK(bucket < HISTOGRAM_BUCKETS);
    h->buckets[bucket]++;
    h->min = h->count == 0 || value < h->min ? value : h->min;
    h->max = value > h->max ? value : h->max;
    h->count++;
    h->sum += (uint64_t)value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0) {
        return;
    }
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
    into->min = into->count == 0 || from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    into->count += from->count;
    into->sum += from->sum;
}

/* ceil(count * ppm / 1e6) without overflow. */
static uint64_t rank_of(uint64_t count, uint32_t ppm)
{
    uint64_t whole = count / HISTOGRAM_PPM * ppm;
    uint64_t rest = count % HISTOGRAM_PPM * ppm;
    return whole + (rest + HISTOGRAM_PPM - 1) / HISTOGRAM_PPM;
}

int64_t histogram_percentile(const struct histogram *h, uint32_t ppm)
{
    CHECK(ppm <= HISTOGRAM_PPM);
    uint64_t rank = rank_of(h->count, ppm);
    uint64_t seen = 0;
    if (rank <= 1) {
        return h->min;
    }
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= rank) {
            int64_t top = bucket_top(i);
            return top < h->max ? top : h->max;
        }
    }
    UNREACHABLE("a rank is at most the count, and the buckets add up to it");
}

int64_t histogram_mean(const struct histogram *h)
{
    return h->count == 0 ? 0 : (int64_t)(h->sum / h->count);
}
