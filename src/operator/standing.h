/*
 * standing.h - standing orders (M-Pesa Ratiba): a customer allows an organisation, with the PIN and
 * once, to take an amount on dates that are agreed. The request that asks for it (kind
 * STANDING_ORDER) carries the prompt and the texts; each payment on its date is a request of its
 * own (kind STANDING_PAYMENT), made by the book when its time has come.
 *
 *     accepted       the PIN is right        the last date has had its payment
 *   ---------> ASKED -----------------> ACTIVE --------------------------------> FINISHED
 *                |                         |
 *                +--> REFUSED              +-- the customer wants no more --> CANCELLED
 *
 * Dates are Kenyan days; payments begin at STANDING_HOUR of theirs. The n-th date is counted from
 * the first one, so that an order of the 31st pays on the last day of a shorter month and on the
 * 31st again after it. Dates that were over before the PIN was given are paid at once.
 *
 * Invariants (operator_check; those marked * also after every frame that touched a request of it)
 *  P1* an order is ASKED while its request is open, and REFUSED exactly when that did not succeed.
 *  P2* ACTIVE has a timer, due on the date of its next payment, and its name belongs to it alone
 *      among the ACTIVE orders of its customer; nothing else has either.
 *  P3* it made as many payments as dates have come (`runs`), at most one for each; each is a
 *      request that names it; `paid` of them succeeded.
 */
#ifndef HAKIKA_OPERATOR_STANDING_H
#define HAKIKA_OPERATOR_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "operator/limits.h"

enum {
    STANDING_HOUR = 6,       /* in Kenya */
    STANDING_TRIES = 3,      /* of one payment, while there is not enough money */
    STANDING_RETRY_S = 14400 /* between them */
};

/* X(NAME, number on the wire and in the journal, "name", days or 0, months or 0) */
#define STANDING_FREQUENCIES(X)            \
    X(ONCE, 1, "one_off", 0, 0)            \
    X(DAILY, 2, "daily", 1, 0)             \
    X(WEEKLY, 3, "weekly", 7, 0)           \
    X(MONTHLY, 4, "monthly", 0, 1)         \
    X(BI_MONTHLY, 5, "bi_monthly", 0, 2)   \
    X(QUARTERLY, 6, "quarterly", 0, 3)     \
    X(HALF_YEARLY, 7, "half_yearly", 0, 6) \
    X(YEARLY, 8, "yearly", 0, 12)

enum standing_frequency {
#define X(name, number, text, days, months) STANDING_##name = number,
    STANDING_FREQUENCIES(X)
#undef X
        STANDING_FREQUENCY_END = 9,
};

enum standing_state {
    STANDING_ASKED = 1,
    STANDING_ACTIVE = 2,
    STANDING_REFUSED = 3,
    STANDING_FINISHED = 4,
    STANDING_CANCELLED = 5,
};

struct standing_terms {
    uint32_t start_day; /* days since 1970-01-01; both included, start not after end */
    uint32_t end_day;
    uint8_t frequency; /* enum standing_frequency */
};

struct standing_order {
    uint64_t number;   /* counts orders from 1 */
    uint64_t request;  /* number of the one that asked for it */
    uint64_t last_run; /* number of the request of its latest payment; 0: none yet */
    int64_t due_ns;    /* of the next payment; ACTIVE only */
    int64_t closed_ns; /* FINISHED, CANCELLED: since when; else 0 */
    struct standing_terms terms;
    uint32_t runs;
    uint32_t paid;
    uint32_t timer; /* position in the heap; memory only */
    uint8_t state;  /* enum standing_state */
};

struct standing_cancel_command {
    uint64_t number;
};

const char *standing_state_name(enum standing_state state);
const char *standing_frequency_name(enum standing_frequency frequency);
bool standing_terms_good(const struct standing_terms *terms);
/* The day of the n-th payment (from 0); false: there is none, the end date is before it. */
bool standing_day(const struct standing_terms *terms, uint32_t nth, uint32_t *day_out);
/* When payments of a day begin. */
int64_t standing_day_ns(uint32_t day);

struct operator_state;
/* NULL when there is none. */
const struct standing_order *operator_standing_order(const struct operator_state *o,
                                                     uint64_t number);

#endif
