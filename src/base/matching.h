/*
 * matching.h - which of our payments a line from outside (a statement's row, a pull's row, a
 * confirmation) is about, in a fixed order of strength: receipt, ids, then amount with phone and
 * account reference within a quarter of an hour, when only one fits. What is weaker is a
 * suggestion for a person and is never applied.
 *
 * Guarantees: pure; the answer does not depend on the order of the candidates.
 * Tests: tests/unit/test_matching.c.
 */
#ifndef HAKIKA_BASE_MATCHING_H
#define HAKIKA_BASE_MATCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define MATCHING_WINDOW_NS ((int64_t)15 * 60 * 1000 * 1000 * 1000)

/* A line, or a payment of ours. What is not known is empty or 0 and matches nothing. */
struct matching_side {
    struct span receipt;
    struct span ids[3]; /* CheckoutRequestID, ConversationID, OriginatorConversationID */
    int64_t amount_minor;
    uint64_t phone;
    struct span account; /* account reference */
    int64_t at_ns;
};

enum matching_strength {
    MATCHING_NONE = 0,
    MATCHING_SUGGESTED = 1, /* for a person only */
    MATCHING_UNIQUE = 2,    /* amount, phone and account within the window, and no other is */
    MATCHING_ID = 3,
    MATCHING_RECEIPT = 4,
};

struct matching {
    enum matching_strength strength;
    size_t index;   /* of the candidate, unless NONE; of several the first */
    size_t similar; /* how many candidates fit as well as this one */
};

/* May it be applied without a person? A receipt or id that several candidates claim may not. */
static inline bool matching_applies(const struct matching *m)
{
    return m->strength >= MATCHING_UNIQUE && m->similar == 1;
}

void matching_find(const struct matching_side *line, const struct matching_side *candidates,
                   size_t count, struct matching *out);

#endif
