/*
 * c2b.h - payments that customers make by themselves: what an organisation registers for them (the
 * URLs that are asked and told, the right to pull), and its incomes.
 *
 * An income is one success of a customer's payment (C2B or STK push) as the organisation may hear
 * of it: complete in itself, so that what tells of it needs nothing else. They are kept for
 * organisations that registered URLs or the right to pull, from then on; one that nobody was told
 * of is dropped when it is too old to be pulled.
 *
 * Invariants (operator_check)
 *  I1  the incomes of an organisation are one list, in order of time; all lists hold all incomes.
 *  I2  an income is of a success, with its receipt; one with a confirmation has an outbox item.
 *  I3  an income is found by its receipt; those before recent_income are too old to be pulled.
 */
#ifndef HAKIKA_OPERATOR_C2B_H
#define HAKIKA_OPERATOR_C2B_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "operator/limits.h"

enum {
    /* How long they are kept for those who pull, which is an hour longer than they are listed.
     * Applying drops older ones, so it is part of what a journal means, and never changes. */
    INCOME_AGE_MAX_S = 48 * 3600,
    INCOMES_DROPPED_MAX = 4, /* by one new one */
    C2B_REFERENCE_MAX = 100,
};

/* What M-Pesa does when the validation URL does not answer in time. */
enum c2b_response_type {
    C2B_COMPLETED = 1,
    C2B_CANCELLED = 2,
};

/* request.command of a C2B request: the transaction type, whether the customer gave a PIN for it
 * (not in requests that older programs took), and under which version it is told. */
enum {
    C2B_PAY_BILL = 1,
    C2B_BUY_GOODS = 2,
    C2B_TYPE_MASK = 3,
    C2B_PIN_GIVEN = 4,
    C2B_VERSION_SHIFT = 4, /* 1 or 2; 0: nothing is registered */
};

/* What the validation URL said (delivery_result_command.verdict). */
enum c2b_verdict {
    C2B_UNINTELLIGIBLE = 0,
    C2B_ACCEPTED = 1,
    C2B_REJECTED = 10, /* + last digit of C2B00011 to C2B00016 */
};

/* Part of struct organisation. */
struct organisation_c2b {
    uint64_t confirmation_target;
    uint64_t validation_target;
    uint64_t pull_number;      /* NominatedNumber; 0: it may not pull */
    uint32_t confirmation_url; /* texts */
    uint32_t validation_url;
    uint32_t pull_url;
    uint32_t first_income; /* slots */
    uint32_t last_income;
    uint32_t recent_income; /* the first that may be pulled: where to begin; memory only */
    uint8_t version;        /* of the URLs: 1 or 2; 0: none */
    uint8_t response_type;  /* enum c2b_response_type */
    bool validates;         /* external validation is enabled */
};

struct income {
    uint64_t number; /* counts incomes from 1 */
    uint64_t source; /* request_original_* */
    uint64_t msisdn;
    uint64_t receipt;      /* serial of the day */
    uint64_t notice;       /* outbox number of what a biller was told (bill.h); 0: nothing */
    uint64_t invoice;      /* number of the one that it pays; 0: none */
    uint64_t confirmation; /* outbox number; 0: a C2B request tells by itself, or nobody is told */
    int64_t amount_minor;
    int64_t balance_minor; /* of the organisation's utility account right after it */
    int64_t at_ns;
    int64_t acknowledged_ns; /* by the biller; 0: not (yet) */
    uint32_t receipt_day;
    uint32_t short_code;
    uint32_t reference; /* texts */
    uint32_t url;       /* of the confirmation */
    uint32_t next;      /* slot of the organisation's next one */
    uint8_t type;       /* C2B_PAY_BILL or C2B_BUY_GOODS */
    uint8_t version;    /* of the confirmation */
};

struct c2b_register_command {
    uint32_t short_code;
    uint8_t version;
    uint8_t response_type;
    bool once; /* registered URLs stay as they are (daraja-strict) */
    struct span confirmation_url;
    struct span validation_url; /* may be empty */
    uint64_t confirmation_target;
    uint64_t validation_target;
};

struct pull_register_command {
    uint32_t short_code;
    uint64_t number; /* NominatedNumber */
    struct span url;
};

struct validation_set_command {
    uint32_t short_code;
    bool validates;
};

struct operator_state;
struct organisation;
/* NULL when there is none (any more). */
const struct income *operator_income(const struct operator_state *o, uint64_t number);
/* By its receipt; NULL when there is none. */
const struct income *operator_income_by_receipt(const struct operator_state *o, uint32_t day,
                                                uint64_t receipt);
/* The first income of the list at or after a slot (SLAB_NONE: the end); *slot becomes the next. */
const struct income *operator_income_next(const struct operator_state *o, uint32_t *slot);

#endif
