/*
 * deals.h - what has been heard about each payment and request, from whichever side, and what two
 * sides may not say. A deal is what somebody asked for; a claim is what one source says of it at
 * one time. The first claim that a deal has ended is believed; everything that is said later
 * (asked after it was heard) must agree with it, in state, result code, receipt and amount.
 *
 * What a scenario rule orders to be said is no contradiction, but then exactly that must be said:
 * the claim is compared with the truth as that rule bends it.
 */
#ifndef HAKIKA_TESTS_AGREE_DEALS_H
#define HAKIKA_TESTS_AGREE_DEALS_H

#include "agree/town.h"

enum {
    DEALS_MAX = 128,
    LIES_MAX = 6,
    CODE_MAX = 16,
    RECEIPT_MAX = 16,
    ID_MAX = 64,
    MESSAGES_MAX = 2048,
};

/* What a rule says of the payments that it takes. */
struct lie {
    bool callback_never, no_metadata, cut, query_pending;
    uint32_t callbacks; /* how many; 0: one */
    char callback_code[CODE_MAX];
    int64_t callback_amount_minor; /* -1: the truth */
    char query_code[CODE_MAX];
    bool held;        /* the callback waits for another one, perhaps for ever */
    bool answer_bent; /* the caller may be told anything, or nothing */
};

enum deal_kind {
    DEAL_PUSH,
    DEAL_C2B,
    DEAL_B2C,
    DEAL_B2B,
    DEAL_REVERSAL,
    DEAL_STATUS,
    DEAL_BALANCE
};

struct deal {
    enum deal_kind kind;
    uint64_t number;      /* of the transaction or request */
    char id[24];          /* txn_7, req_7 */
    char wire_id[ID_MAX]; /* CheckoutRequestID, or OriginatorConversationID */
    uint64_t phone;
    uint32_t short_code;
    int64_t amount_minor;
    struct lie lie;
    bool ruled, ended, paid;
    char code[CODE_MAX];
    char receipt[RECEIPT_MAX];
    uint64_t ended_moment; /* when it was first heard to have ended */
    uint32_t callbacks;    /* different ones heard */
    uint64_t about;        /* REVERSAL, STATUS: index of the deal + 1; 0: of none that is known */
    uint64_t asked_moment; /* STATUS: when it was asked */
    char reserved[RECEIPT_MAX]; /* C2B: the receipt that the validation was told */
    bool reversed;
};

/* What a source says. */
struct claim {
    const char *source;
    uint64_t asked;       /* moment */
    bool open;            /* it has not ended */
    const char *code;     /* NULL: it does not say */
    const char *receipt;  /* NULL: it does not say; "": there is none */
    int64_t amount_minor; /* -1: it does not say */
};

struct message_seen {
    uint64_t number; /* of the delivery; 0: unused */
    uint64_t hash;   /* of its bytes */
};

struct deals {
    struct town *town;
    struct deal list[DEALS_MAX];
    uint32_t count;
    uint64_t moment; /* counts everything that is heard or asked */
    struct lie rules[LIES_MAX];
    struct message_seen seen[MESSAGES_MAX];
    uint64_t claims;      /* checked */
    const char *tampered; /* self-test: claims of this source are changed as they are heard */
    uint64_t tampered_count;
};

void deals_begin(struct deals *d, struct town *town);
struct deal *deal_add(struct deals *d, enum deal_kind kind);
struct deal *deal_by_id(struct deals *d, const char *id);
struct deal *deal_by_wire(struct deals *d, const char *wire_id);
struct deal *deal_by_receipt(struct deals *d, const char *receipt);

/* A claim is heard: agrees with all that was heard before, or the program ends. */
void deal_claim(struct deals *d, struct deal *deal, const struct claim *claim);
/* The truth: what GET /sim/v1/transactions or /requests says. A claim like any other, and asked for
 * before one that a rule may bend. */
void deal_look(struct deals *d, struct deal *deal);
/* The same, unless its end was heard: what it is ruled by is known then. */
void deal_know(struct deals *d, struct deal *deal);
/* A known deal, or one that the API is asked about first ("txn_7", "req_7" or a receipt). */
struct deal *deal_find(struct deals *d, const char *id);
/* Every message is the same bytes each time it is sent. True when it is new. */
bool message_is_new(struct deals *d, uint64_t number, struct span bytes);

/* "123.45", "123.4", "123": cents; ends the program when it is none. */
int64_t minor_of(const char *text, const char *what);

#endif
