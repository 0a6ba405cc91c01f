/*
 * audit_numbers.h - numbers of the operator's journal as docs/journal-format.md gives them, written
 * a second time here, on purpose: the auditor does not take them from the audited program.
 */
#ifndef HAKIKA_APP_VERIFY_AUDIT_NUMBERS_H
#define HAKIKA_APP_VERIFY_AUDIT_NUMBERS_H

/* Codes of accounts. */
enum {
    AUDIT_CODE_TRUST = 1,
    AUDIT_CODE_WALLET = 3,
    AUDIT_CODE_UTILITY = 10, /* + which of the organisation's accounts */
    AUDIT_CODE_SETTLEMENT = 13,
};

/* What a transfer belongs to: the highest four bits of its id. */
enum {
    ID_OF_PAYMENT = 1,
    ID_OF_FRAME = 2,
    ID_OF_REQUEST = 3,
};

/* Kind of the callback of an STK payment. */
enum { MESSAGE_STK = 1 };

#endif
