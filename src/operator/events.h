/*
 * events.h - the operator's events in the journal: structures, bytes in both directions. For the
 * operator itself and for those who read journals (verify, view, the event stream).
 *
 * Kinds are numbered once and never reused; a changed field is a new kind. Personal data (names,
 * phone numbers, references, URLs) sits in kinds of its own (*_KEPT), referenced by number (R2.8).
 */
#ifndef HAKIKA_OPERATOR_EVENTS_H
#define HAKIKA_OPERATOR_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/span.h"
#include "operator/operator.h"

/* X(NAME, number, "name on the event stream") */
#define OPERATOR_EVENTS(X)                                                                      \
    X(PERSON_KEPT, 64, "person_kept")             /* msisdn and name of a subscriber */         \
    X(SUBSCRIBER_OPENED, 65, "subscriber_opened") /* a wallet */                                \
    X(SUBSCRIBER_SEEN, 66, "subscriber_seen")     /* a number without a wallet */               \
    X(SUBSCRIBER_CHANGED, 67, "subscriber_changed")                                             \
    X(PIN_SET, 68, "pin_set")                                                                   \
    X(PIN_TRIED, 69, "pin_tried")           /* the count of wrong PINs after it */              \
    X(NETWORK_OPENED, 70, "network_opened") /* system accounts */                               \
    X(ORGANISATION_OPENED, 71, "organisation_opened")                                           \
    X(ORGANISATION_KEPT, 72, "organisation_kept") /* its name and sealed secrets */             \
    X(STK_TEXTS_KEPT, 80, "stk_texts_kept")       /* URL, reference, description */             \
    X(STK_ACCEPTED, 81, "stk_accepted")                                                         \
    X(STK_PROMPTED, 82, "stk_prompted")                                                         \
    X(STK_ANSWERED, 83, "stk_answered") /* before its turn */                                   \
    X(STK_ENDED, 84, "stk_ended")                                                               \
    X(REQUEST_TEXTS_KEPT, 90, "request_texts_kept") /* URLs, references, remarks */             \
    X(REQUEST_ACCEPTED_1, 91, "request_accepted")   /* retired: with a phone number */          \
    X(REQUEST_ASKED, 92, "request_asked")           /* somebody outside: PROCESSING */          \
    X(REQUEST_ENDED, 93, "request_ended")                                                       \
    X(REQUEST_LOOKED_UP, 94, "request_looked_up")   /* what its original is and was */          \
    X(REQUEST_AMOUNT_SET, 95, "request_amount_set") /* known only at its turn */                \
    X(REQUEST_PROMPTED, 96, "request_prompted")     /* on a phone: PROCESSING */                \
    X(REQUEST_HELD, 97, "request_held")             /* out of the pipeline for a time */        \
    X(REQUEST_QUEUED, 98, "request_queued")         /* back into it */                          \
    X(REQUEST_TIMED_OUT, 99, "request_timed_out")   /* its time-out URL is told */              \
    X(ORGANISATION_CHANGED, 100, "organisation_changed")                                        \
    X(RULES_SET, 112, "rules_set")         /* a whole list of scenario rules */                 \
    X(RULES_COUNTED, 113, "rules_counted") /* which rules a call met */                         \
    X(STK_RULED, 114, "stk_ruled")         /* what a rule orders for a payment */               \
    X(MESSAGE_HELD, 115, "message_held")   /* until the next one of its target */               \
    X(MESSAGE_LET_GO, 116, "message_let_go")                                                    \
    X(STANDING_ORDER_ASKED, 117, "standing_order_asked")   /* its terms */                      \
    X(STANDING_ORDER_OPENED, 118, "standing_order_opened") /* the PIN was right */              \
    X(STANDING_ORDER_RAN, 119, "standing_order_ran")       /* the request of a payment */       \
    X(STANDING_ORDER_CANCELLED_1, 120, "standing_order_cancelled")                              \
    X(REQUEST_RULED, 121, "request_ruled") /* what a rule orders for a request */               \
    X(BILLER_KEPT, 122, "biller_kept")     /* an organisation opts in, or changes that */       \
    X(INVOICE_KEPT, 123, "invoice_kept")   /* sent, or changed */                               \
    X(INVOICE_PAID, 124, "invoice_paid")   /* a part or all of it */                            \
    X(INVOICE_CANCELLED, 125, "invoice_cancelled")                                              \
    X(INCOME_ACKNOWLEDGED, 126, "income_acknowledged") /* by the biller */                      \
    X(C2B_URLS_KEPT, 140, "c2b_urls_kept")             /* of an organisation */                 \
    X(VALIDATION_SET, 141, "validation_set")           /* external validation on or off */      \
    X(PULL_REGISTERED, 142, "pull_registered")                                                  \
    X(REQUEST_ANSWERED, 143, "request_answered")     /* what the validation URL added */        \
    X(RECEIPT_RESERVED, 144, "receipt_reserved")     /* for a request that is asked about */    \
    X(REQUEST_PARTY_KEPT, 145, "request_party_kept") /* the phone number that it is with */     \
    X(REQUEST_ACCEPTED, 146, "request_accepted")                                                \
    X(PAYSTACK_KEPT, 150, "paystack_kept")             /* an organisation's key and webhooks */ \
    X(PAYSTACK_PHONE_KEPT, 151, "paystack_phone_kept") /* who pays what was initialized */      \
    X(REQUEST_MESSAGE_RULED, 155, "request_message_ruled") /* for messages before the end */    \
    X(STANDING_ORDER_CANCELLED, 156, "standing_order_cancelled")

enum operator_event_kind {
#define X(name, number, text) EVENT_##name = number,
    OPERATOR_EVENTS(X)
#undef X
        OPERATOR_EVENT_FIRST = 64,
    OPERATOR_EVENT_LAST = 191,
};

/* What the operator's numbers in events of the ledger and the outbox mean. */

/* Codes of accounts. */
enum account_code {
    CODE_TRUST = 1, /* the money at the banks behind the e-money: debits exceed credits */
    CODE_FEES = 2,
    CODE_WALLET = 3,   /* owner: the slot of the subscriber */
    CODE_UTILITY = 10, /* + enum organisation_account; owner: the short code */
};

/* Reasons of transfers. */
enum transfer_code {
    TRANSFER_CODE_ISSUE = 1,  /* e-money against the trust account */
    TRANSFER_CODE_REDEEM = 2, /* the other way */
    TRANSFER_CODE_STK = 3,    /* customer pays organisation; reference: the payment */
    TRANSFER_CODE_C2B = 4,    /* customer pays organisation unasked; reference: the request */
    TRANSFER_CODE_B2C = 5,    /* organisation pays customer */
    TRANSFER_CODE_B2B = 6,    /* organisation pays organisation */
    TRANSFER_CODE_CHARGE = 7, /* the operator's fee for a request */
    TRANSFER_CODE_REVERSAL = 8,
    TRANSFER_CODE_SETTLEMENT = 9, /* between the accounts of one organisation */
    TRANSFER_CODE_STANDING = 10,  /* a standing order's payment */
};

struct operator_event {
    uint16_t kind;
    uint32_t slot;                            /* of a subscriber or organisation */
    uint64_t number;                          /* of a payment; MESSAGE_*: of the message */
    uint64_t msisdn;                          /* PERSON_KEPT */
    struct span name;                         /* PERSON_KEPT, ORGANISATION_KEPT */
    uint32_t account;                         /* SUBSCRIBER_OPENED; NETWORK_OPENED: trust */
    uint32_t accounts[ORGANISATION_ACCOUNTS]; /* ORGANISATION_OPENED; NETWORK_OPENED: [0] fees */
    uint8_t verifier[PIN_VERIFIER_BYTES];     /* SUBSCRIBER_OPENED, PIN_SET, STK_ANSWERED */
    uint8_t key_version;
    uint8_t status;         /* SUBSCRIBER_CHANGED */
    bool reachable;         /* SUBSCRIBER_CHANGED; STK_PROMPTED: the prompt is on the phone */
    bool approves;          /* SUBSCRIBER_OPENED */
    uint8_t failures;       /* PIN_TRIED */
    int64_t sim_swapped_ns; /* SUBSCRIBER_CHANGED */
    uint32_t short_code;    /* ORGANISATION_OPENED, STK_ACCEPTED */
    uint8_t type;           /* ORGANISATION_OPENED, STK_ACCEPTED */
    uint8_t charges;        /* ORGANISATION_OPENED */
    struct span initiator;  /* ORGANISATION_KEPT */
    struct span secrets[ORGANISATION_SECRETS]; /* ORGANISATION_KEPT, sealed */
    struct span url;                           /* STK_TEXTS_KEPT */
    struct span reference;
    struct span description;
    uint8_t fingerprint[16];
    uint32_t party_b;         /* STK_ACCEPTED */
    int64_t amount_minor;     /* STK_ACCEPTED */
    uint32_t checkout_serial; /* STK_ACCEPTED */
    uint64_t target;          /* STK_ACCEPTED */
    int64_t expires_ns;       /* STK_PROMPTED */
    uint8_t answer;           /* STK_ANSWERED: enum stk_answer */
    uint8_t outcome;          /* STK_ENDED: enum stk_outcome */
    uint32_t receipt_day;     /* STK_ENDED, REQUEST_ENDED, when paid */
    uint64_t receipt;
    struct span conversation; /* REQUEST_TEXTS_KEPT; with url, reference */
    struct span timeout_url;
    struct span remarks;
    struct span occasion;
    uint8_t request_kind; /* REQUEST_ACCEPTED; with short_code, amount_minor, target */
    uint8_t command;
    uint8_t party_type;
    bool initiator_good;
    uint64_t party;
    uint64_t original;
    uint64_t timeout_target;
    uint8_t seen;           /* REQUEST_LOOKED_UP; with original */
    int64_t turn_ns;        /* REQUEST_HELD; with expires_ns */
    bool active;            /* ORGANISATION_CHANGED; with slot */
    uint32_t nominated;     /* slot of a subscriber, or SLAB_NONE */
    int64_t queue_delay_ns; /* ORGANISATION_CHANGED */
    bool has_message;       /* REQUEST_ASKED: a message to somebody follows; with expires_ns */
    bool has_receipt;       /* REQUEST_ENDED; with outcome */
    int64_t charge_minor;
    uint8_t version;       /* C2B_URLS_KEPT; with slot, url, target */
    uint8_t response_type; /* C2B_URLS_KEPT */
    struct span validation_url;
    uint64_t validation_target;
    bool validates;              /* VALIDATION_SET */
    uint64_t request;            /* STANDING_ORDER_*: number; with expires_ns, the next date */
    struct standing_terms terms; /* STANDING_ORDER_ASKED */
    uint8_t origin;              /* RULES_SET: enum rule_origin */
    uint8_t applied;             /* RULES_COUNTED: the one of them that applies; RULE_NOT_APPLIED */
    struct span orders; /* RULES_SET: the list; RULES_COUNTED: one byte a rule, its index and as top
                           bit its origin; STK_RULED: the order (rules.h) */
};

/* Is it about a request (request.h)? */
static inline bool operator_event_of_request(uint16_t kind)
{
    return (kind >= EVENT_REQUEST_TEXTS_KEPT && kind <= EVENT_REQUEST_TIMED_OUT) ||
           kind == EVENT_REQUEST_PARTY_KEPT || kind == EVENT_REQUEST_ACCEPTED ||
           kind == EVENT_REQUEST_RULED || kind == EVENT_REQUEST_MESSAGE_RULED;
}

/* Is it about a standing order (standing.h)? */
static inline bool operator_event_of_standing_order(uint16_t kind)
{
    return (kind >= EVENT_STANDING_ORDER_ASKED && kind <= EVENT_STANDING_ORDER_CANCELLED_1) ||
           kind == EVENT_STANDING_ORDER_CANCELLED;
}

/* Is it about Paystack (paystack.h)? */
static inline bool operator_event_of_paystack(uint16_t kind)
{
    return kind == EVENT_PAYSTACK_KEPT || kind == EVENT_PAYSTACK_PHONE_KEPT;
}

/* Is it about bill manager (bill.h)? */
static inline bool operator_event_of_bill(uint16_t kind)
{
    return kind >= EVENT_BILLER_KEPT && kind <= EVENT_INCOME_ACKNOWLEDGED;
}

enum { RULE_NOT_APPLIED = 0xff };

/* NULL for a number that is not one of the operator's. */
const char *operator_event_name(uint16_t kind);
void operator_event_encode(struct writer *w, const struct operator_event *e);
/* False when the bytes are not exactly one event of that kind. Spans point into the reader. */
bool operator_event_decode(uint16_t kind, struct reader *r, struct operator_event *out) MUST_USE;

#endif
