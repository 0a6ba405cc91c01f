/*
 * refusals.h - why the merchant book did not do what it was asked. Not in the journal.
 */
#ifndef HAKIKA_MERCHANT_REFUSALS_H
#define HAKIKA_MERCHANT_REFUSALS_H

enum gateway_refusal {
    GATEWAY_DONE = 0,
    GATEWAY_NOT_FOUND,
    GATEWAY_REPEATED,        /* an idempotency key with the same request: nothing happened */
    GATEWAY_KEY_REUSED,      /* an idempotency key with another request */
    GATEWAY_ORDER_PAID,      /* R2.9 */
    GATEWAY_ORDER_OPEN,      /* R2.9 */
    GATEWAY_ORDER_FUNDED,    /* R2.9: money for it came by itself; number: the latest receipt */
    GATEWAY_TOO_MANY,        /* endpoints, keys or accounts of one merchant, or of all of them */
    GATEWAY_EXISTS,          /* a provider account with that short code, a key */
    GATEWAY_NOTHING_TO_DO,   /* it has ended, or is being asked about */
    GATEWAY_UNDER_WAY,       /* it is being sent at this moment, or waits for the one before it */
    GATEWAY_NOT_OVERRIDABLE, /* what is to be overridden is not unknown */
    GATEWAY_NO_PROVIDER,
    GATEWAY_NOT_HELD,       /* no escrow money is held for it */
    GATEWAY_NO_MONEY,       /* the wallet has less than that */
    GATEWAY_NOT_WAITING,    /* nobody has to decide about it */
    GATEWAY_JUDGED,         /* otherwise, before */
    GATEWAY_MONEY_CAME,     /* it cannot have failed */
    GATEWAY_STILL_ASKED,    /* it cannot be known yet: it is being found out, or may still leave */
    GATEWAY_RECEIPT_WRONG,  /* what nobody could find out is accepted with one, the rest without */
    GATEWAY_NOT_OURS,       /* what was paid did not come to us, or belongs to another payment */
    GATEWAY_NO_ROOM,        /* the provider account has taken in all that one can */
    GATEWAY_AMOUNT_DIFFERS, /* from what the provider said */
    GATEWAY_NOT_PAID,       /* only what succeeded, and whose receipt is known, is given back */
    GATEWAY_UNAVAILABLE,    /* the breaker is open: try again after `number` seconds */
};

#endif
