/*
 * matching.c - see matching.h.
 */
#include "base/matching.h"

#include "base/check.h"

static bool same(struct span a, struct span b)
{
    return a.size > 0 && span_equal(a, b);
}

static bool shares_id(const struct matching_side *a, const struct matching_side *b)
{
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            if (same(a->ids[i], b->ids[j])) {
                return true;
            }
        }
    }
    return false;
}

static bool is_near(int64_t a_ns, int64_t b_ns)
{
    return a_ns != 0 && b_ns != 0 && a_ns - b_ns <= MATCHING_WINDOW_NS &&
           b_ns - a_ns <= MATCHING_WINDOW_NS;
}

/* Two different receipts are two different transactions, however alike they look. */
static enum matching_strength strength_of(const struct matching_side *line,
                                          const struct matching_side *candidate)
{
    bool amount = line->amount_minor > 0 && line->amount_minor == candidate->amount_minor;
    bool phone = line->phone != 0 && line->phone == candidate->phone;
    bool account = same(line->account, candidate->account);
    if (same(line->receipt, candidate->receipt)) {
        return MATCHING_RECEIPT;
    }
    if (shares_id(line, candidate)) {
        return MATCHING_ID;
    }
    if (line->receipt.size > 0 && candidate->receipt.size > 0) {
        return MATCHING_NONE;
    }
    if (amount && phone && account && is_near(line->at_ns, candidate->at_ns)) {
        return MATCHING_UNIQUE;
    }
    return amount && (phone || account) ? MATCHING_SUGGESTED : MATCHING_NONE;
}

void matching_find(const struct matching_side *line, const struct matching_side *candidates,
                   size_t count, struct matching *out)
{
    *out = (struct matching){MATCHING_NONE, 0, 0};
    for (size_t i = 0; i < count; i++) {
        enum matching_strength strength = strength_of(line, &candidates[i]);
        if (strength > out->strength) {
            *out = (struct matching){strength, i, 1};
        } else if (strength == out->strength && strength != MATCHING_NONE) {
            out->similar++;
        }
    }
    if (out->strength == MATCHING_UNIQUE && out->similar > 1) {
        out->strength = MATCHING_SUGGESTED; /* which of them, nobody can tell */
    }
    CHECK(out->strength == MATCHING_NONE || out->index < count);
}
