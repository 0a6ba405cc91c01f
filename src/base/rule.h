/*
 * rule.h - a scenario rule (R6.2) as plain data: which calls it is for and what it orders. wire/
 * reads rules from JSON, operator/ journals, counts and obeys them, face/ shows them.
 *
 * Guarantees: bounded; texts end in NUL and hold no control characters. Numbers of APIs and effects
 * stand in journals: never reuse one. All zero means: any call, nothing ordered
 * (rule_effects_init gives the latter).
 */
#ifndef HAKIKA_BASE_RULE_H
#define HAKIKA_BASE_RULE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

enum {
    RULES_MAX = 100,
    RULES_BYTES_MAX = 12 * 1024, /* encoded, all of them: they travel in one event */
    RULE_NAME_MAX = 48,
    RULE_PHONE_MAX = 12,
    RULE_REFERENCE_MAX = 40,
    RULE_CODE_MAX = 12,
    RULE_TEXT_MAX = 120,
    RULE_TIMES_MAX = 10,      /* callbacks of one payment */
    RULE_FAIL_FIRST_MAX = 15, /* attempts that fail by order */
    RULE_CHANCE_ALWAYS = 1000 * 1000,
    RULE_EFFECTS_BYTES_MAX = 768,
};
#define RULE_DELAY_MS_MAX ((uint32_t)7 * 24 * 3600 * 1000)

/* X(NAME, number, "name in a rule"): the calls that a rule can be for. The list is open: an API
 * that appears gets the next number. */
#define RULE_APIS(X)                              \
    X(STK_PUSH, 1, "stk_push")                    \
    X(STK_QUERY, 2, "stk_query")                  \
    X(OAUTH, 3, "oauth")                          \
    X(C2B, 4, "c2b")                              \
    X(C2B_REGISTER, 5, "c2b_register")            \
    X(B2C, 6, "b2c")                              \
    X(B2POCHI, 7, "b2pochi")                      \
    X(B2B, 8, "b2b")                              \
    X(TAX, 9, "tax")                              \
    X(B2B_EXPRESS, 10, "b2b_express")             \
    X(STATUS, 11, "status")                       \
    X(BALANCE, 12, "balance")                     \
    X(REVERSAL, 13, "reversal")                   \
    X(QR, 14, "qr")                               \
    X(RATIBA, 15, "ratiba")                       \
    X(PULL, 16, "pull")                           \
    X(BILL_MANAGER, 17, "bill_manager")           \
    X(IMSI, 18, "imsi")                           \
    X(SIM_SWAP, 19, "sim_swap")                   \
    X(ORGANISATION_INFO, 20, "organisation_info") \
    X(RATIBA_PAYMENT, 21, "ratiba_payment")       \
    X(PAYSTACK_CHARGE, 22, "paystack_charge")     \
    X(PAYSTACK_REFUND, 23, "paystack_refund")     \
    X(QUEUE_TIMEOUT, 24, "queue_timeout")         \
    X(C2B_VALIDATION, 25, "c2b_validation")

enum rule_api {
#define X(name, number, text) RULE_API_##name = number,
    RULE_APIS(X)
#undef X
        RULE_API_LAST = 25,
    /* From here on they are no calls but messages of their own; only a rule that names them is for
     * them. */
    RULE_API_MESSAGES = RULE_API_QUEUE_TIMEOUT,
};

enum rule_how {
    RULE_HOW_ANY = 0,
    RULE_HOW_EXACT = 1,
    RULE_HOW_PREFIX = 2,
    RULE_HOW_SUFFIX = 3,
};

/* Everything that is given must hold. What a call does not have (a balance query has no phone)
 * fits no condition about it. */
struct rule_match {
    uint32_t apis;       /* bit 1 << enum rule_api; 0: any */
    uint32_t short_code; /* 0: any */
    uint8_t phone_how;   /* enum rule_how */
    uint8_t reference_how;
    bool has_amount;
    char phone[RULE_PHONE_MAX + 1]; /* digits */
    char reference[RULE_REFERENCE_MAX + 1];
    int64_t amount_min_minor; /* when has_amount; both included */
    int64_t amount_max_minor;
    /* Among the calls that everything above holds for, counted from 1; 0: all of them. */
    uint32_t nth;
    uint32_t first;
    uint32_t every;
    uint32_t chance_ppm; /* of a million; by a hash of seed, rule and call: the same in a replay */
    uint64_t seed;
};

/* What becomes of the answer of the call. */
enum rule_answer {
    RULE_ANSWER_USUAL = 0,
    RULE_ANSWER_ERROR = 1,  /* Daraja's envelope with answer_code and answer_text */
    RULE_ANSWER_STATUS = 2, /* an HTTP status and a page that is no JSON, as a proxy gives */
    RULE_ANSWER_RESET = 3,  /* the connection is reset */
    RULE_ANSWER_HALF = 4,   /* half of the body, then the connection is closed */
    RULE_ANSWER_EMPTY = 5,  /* the usual status without a body */
};

/* What the person (or the phone) does with the prompt, of whatever call. */
enum rule_act {
    RULE_ACT_NONE = 0,
    RULE_ACT_APPROVE = 1,
    RULE_ACT_WRONG_PIN = 2,
    RULE_ACT_CANCEL = 3,
    RULE_ACT_IGNORE = 4,      /* 1037 after act_delay_ms (0: as long as a prompt stays open) */
    RULE_ACT_UNREACHABLE = 5, /* 1037 after act_delay_ms (0: as soon as a phone is given up) */
};

/* What the STK query says once the payment has ended. */
enum rule_query {
    RULE_QUERY_TRUTH = 0,
    RULE_QUERY_CODE = 1,    /* query_code and query_text */
    RULE_QUERY_PENDING = 2, /* still in flight, for ever */
};

struct rule_effects {
    uint8_t answer;     /* enum rule_answer */
    bool accepted;      /* false: the rule answers instead, and nothing else happens */
    bool before_answer; /* the answer waits until the callback has gone out */
    uint16_t answer_status;
    uint32_t answer_delay_ms;
    char answer_code[RULE_CODE_MAX + 1];
    char answer_text[RULE_TEXT_MAX + 1]; /* empty: the usual words of that code */

    uint8_t act; /* enum rule_act */
    uint32_t act_delay_ms;
    char outcome_code[RULE_CODE_MAX + 1]; /* empty: whatever comes of it */
    char outcome_text[RULE_TEXT_MAX + 1]; /* empty: the usual words of that code */

    uint8_t times;      /* callbacks: 0 never, 1 as usual */
    uint8_t fail_first; /* attempts of each that fail unsent */
    bool hold_for_next; /* until the callback of the next payment of that target has gone out */
    bool no_metadata;
    bool cut;                      /* half of the JSON */
    int64_t callback_amount_minor; /* -1: the true one */
    uint32_t callback_delay_ms;
    uint32_t spacing_ms;
    char callback_code[RULE_CODE_MAX + 1]; /* empty: the truth */
    char callback_text[RULE_TEXT_MAX + 1];

    uint8_t query; /* enum rule_query */
    char query_code[RULE_CODE_MAX + 1];
    char query_text[RULE_TEXT_MAX + 1];
};

struct rule {
    char name[RULE_NAME_MAX + 1];
    struct rule_match match;
    struct rule_effects effects;
};

/* Who made them: both kinds are one list, the user's first. */
enum rule_origin {
    RULE_ORIGIN_USER = 0,
    RULE_ORIGIN_MAGIC = 1, /* built in (--magic) */
    RULE_ORIGINS = 2,
};

struct rule_list {
    uint32_t count;
    struct rule rules[RULES_MAX];
};

/* One call, as a rule looks at it. */
struct rule_call {
    enum rule_api api;
    uint32_t short_code;   /* 0: has none */
    uint64_t msisdn;       /* 0: has none */
    int64_t amount_minor;  /* -1: has none */
    struct span reference; /* data NULL: has none */
};

/* Nothing is ordered. */
static inline void rule_effects_init(struct rule_effects *e)
{
    memset(e, 0, sizeof(*e));
    e->accepted = true;
    e->times = 1;
    e->callback_amount_minor = -1;
}

/* Does the rule say how the payment ends? Then a prompt is only shown on the way, if at all. */
static inline bool rule_orders_end(const struct rule_effects *e)
{
    return e->outcome_code[0] != '\0';
}

/* Does it change what callbacks say (not only when, how often and whether they come)? */
static inline bool rule_changes_callback(const struct rule_effects *e)
{
    return e->callback_code[0] != '\0' || e->no_metadata || e->cut || e->callback_amount_minor >= 0;
}

#endif
