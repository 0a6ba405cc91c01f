/*
 * bill.h - bill manager: an organisation opts in, sends invoices to customers, and is told of every
 * payment by which customers pay them. A customer pays an invoice by paying the organisation with
 * the invoice's account reference, by whatever way; the oldest open invoice of that account takes
 * it. What is paid is an income (c2b.h), which says so.
 *
 *     sent            a part is paid           the rest is paid
 *   ------> SENT --------------------> PARTLY_PAID -------------> PAID
 *             +-- cancelled --> CANCELLED
 *
 * Invariants (operator_check)
 *  N1  an invoice is in exactly one state of the table; PAID has all of its amount, PARTLY_PAID a
 *      part, the others nothing.
 *  N2  external references are unique for an organisation, for ever.
 *  N3  the open invoices (SENT, PARTLY_PAID) of an account are one list, oldest first, and all
 *      lists hold all open ones.
 */
#ifndef HAKIKA_OPERATOR_BILL_H
#define HAKIKA_OPERATOR_BILL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "operator/limits.h"

enum { INVOICE_ITEMS_BYTES_MAX = 1024 };

enum invoice_state {
    INVOICE_SENT = 1,
    INVOICE_PARTLY_PAID = 2,
    INVOICE_PAID = 3,
    INVOICE_CANCELLED = 4,
};

/* Part of struct organisation. */
struct organisation_biller {
    uint64_t target;  /* of the callback */
    int64_t opted_ns; /* since when */
    uint32_t url;     /* texts */
    uint32_t email;
    uint32_t contact;
    bool opted; /* false: the rest means nothing */
    bool reminders;
};

struct invoice {
    uint64_t number; /* counts invoices from 1 */
    uint64_t msisdn; /* who is billed */
    int64_t amount_minor;
    int64_t paid_minor;
    int64_t sent_ns;   /* or changed */
    int64_t closed_ns; /* paid or cancelled; 0: open */
    uint32_t short_code;
    uint32_t due_day;
    uint32_t reference; /* texts: the organisation's own, unique */
    uint32_t account;   /* AccountReference that pays it */
    uint32_t name;
    uint32_t period;
    uint32_t title;
    uint32_t items; /* JSON, as they came */
    uint32_t next;  /* slot of the account's next open one; memory only */
    uint8_t state;  /* enum invoice_state */
};

struct biller_command {
    uint32_t short_code;
    bool change; /* of what was opted in with */
    bool reminders;
    struct span url;
    struct span email;
    struct span contact;
    uint64_t target;
};

struct invoice_command {
    uint32_t short_code;
    bool change; /* of one that was sent, by its reference */
    uint64_t msisdn;
    int64_t amount_minor;
    uint32_t due_day;
    struct span reference;
    struct span account;
    struct span name;
    struct span period;
    struct span title;
    struct span items;
};

struct invoice_cancel_command {
    uint32_t short_code;
    struct span reference;
};

struct acknowledge_command {
    uint32_t short_code;
    struct span receipt;
};

struct operator_state;
const char *invoice_state_name(enum invoice_state state);
/* NULL when there is none. */
const struct invoice *operator_invoice(const struct operator_state *o, uint64_t number);
const struct invoice *operator_invoice_by_reference(const struct operator_state *o,
                                                    uint32_t short_code, struct span reference);

#endif
