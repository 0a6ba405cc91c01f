/*
 * ears.h - those who are told: callbacks, results, confirmations and validations as they arrive,
 * and answers to queries, turned into claims.
 */
#ifndef HAKIKA_TESTS_AGREE_EARS_H
#define HAKIKA_TESTS_AGREE_EARS_H

#include "agree/deals.h"

enum { HEARD_MAX = 4096, HEARD_BYTES = 8 * 1024 * 1024 };

struct heard {
    uint64_t number, subject, moment;
    uint16_t kind;
    uint32_t at, size; /* in bytes */
};

struct ears {
    struct town *town;
    struct deals *deals;
    struct test_random *random; /* what receivers answer */
    bool faithful;              /* every message is received and answered with 200 */
    struct heard heard[HEARD_MAX];
    uint32_t count;
    uint32_t bytes;
    char *arena;
};

/* town_receive_fn; context is the ears. Keeps the message: claims are made of it in ears_listen,
 * when no request is under way. */
struct town_receipt ears_receive(void *context, const struct town_message *message);
/* Makes claims of everything that has arrived. */
void ears_listen(struct ears *e);

/* STK query about a payment. */
void ears_query(struct ears *e, struct deal *deal);
/* Pull Transactions of an organisation; complete: nothing is older than 48 hours. */
void ears_pull(struct ears *e, uint32_t short_code, bool complete);
/* The SQL view about a deal. */
void ears_view(struct ears *e, struct deal *deal);
/* Which scenario rule bent the answer that has just come; NULL: none. */
const struct lie *ears_rule_of_answer(struct ears *e);

#endif
