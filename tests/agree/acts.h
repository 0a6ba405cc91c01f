/*
 * acts.h - one history: what customers, merchants and the operator's staff do, drawn from a seed,
 * with random scenario rules; and the questions that everybody is asked on the way and at the end.
 */
#ifndef HAKIKA_TESTS_AGREE_ACTS_H
#define HAKIKA_TESTS_AGREE_ACTS_H

#include "agree/ears.h"

enum { PHONES = 4, CODES = 3 };

/* X(NAME, weight) */
#define ACTS(X)    \
    X(push, 22)    \
    X(answer, 22)  \
    X(pay, 8)      \
    X(simulate, 3) \
    X(payout, 6)   \
    X(between, 3)  \
    X(reverse, 5)  \
    X(status, 6)   \
    X(balance, 4)  \
    X(query, 9)    \
    X(pull, 3)     \
    X(time, 10)    \
    X(phone, 4)    \
    X(rules, 4)    \
    X(settings, 3) \
    X(restart, 1)  \
    X(view, 5)

enum act {
#define X(name, weight) ACT_##name,
    ACTS(X)
#undef X
        ACT_COUNT,
};

struct history {
    struct test_random random;
    struct town *town;
    struct deals *deals;
    struct ears *ears;
    uint32_t rules_used;
    bool rules_changed_late; /* a payment might have been ruled by a list that is gone */
    int64_t started_ns;
    uint64_t acts[ACT_COUNT]; /* over all histories */
    uint64_t histories, paid, ruled;
};

extern const char *const act_names[ACT_COUNT];

/* Lives one history from its seed; ends the program when anybody contradicts anybody. */
void history_live(struct history *h, uint64_t seed);
/* audit.c: the questions at its end. */
void history_audit(struct history *h);

extern const uint64_t phones[PHONES];
extern const uint32_t codes[CODES];

#endif
