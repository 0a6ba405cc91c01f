/*
 * bank.h - a second, naive ledger: bare accounts, transfers and holds in plain arrays, judged in
 * the order of precedence that ledger.h states. Part of the auditor.
 */
#ifndef HAKIKA_SIM_BANK_H
#define HAKIKA_SIM_BANK_H

#include <stdbool.h>
#include <stdint.h>

#include "book/book.h"

enum {
    BANK_ACCOUNTS_MAX = 24,
    BANK_ENTRIES_MAX = 768,
    BANK_ORDER_MAX = 16,
};

struct bank_account {
    uint32_t index; /* in the ledger */
    uint16_t flags;
    uint16_t currency;
    int64_t debits;
    int64_t credits;
    int64_t held_debits;
    int64_t held_credits;
};

struct bank_entry {
    struct transfer t; /* with its accounts and its amount */
    enum entry_state state;
    enum ledger_result result; /* of a refused one */
};

struct bank {
    struct bank_account accounts[BANK_ACCOUNTS_MAX];
    uint32_t account_count;
    struct bank_entry entries[BANK_ENTRIES_MAX];
    uint32_t entry_count;
};

/* Transfers that are asked for together. */
struct bank_order {
    uint32_t count;
    struct transfer transfers[BANK_ORDER_MAX];
    bool linked[BANK_ORDER_MAX];
};

void bank_clear(struct bank *b);
/* Of the places for entries only those that are taken: most are not. */
void bank_copy(struct bank *to, const struct bank *from);
void bank_open(struct bank *b, uint32_t index, uint16_t flags, uint16_t currency);
/* Decides the order: fills results, changes the bank; true when anything was written down. */
bool bank_take(struct bank *b, const struct bank_order *order, int64_t now_ns,
               uint8_t results[BANK_ORDER_MAX]);
/* The hold whose time was over first; NULL: none is over. */
struct bank_entry *bank_overdue(struct bank *b, int64_t now_ns);
void bank_expire(struct bank *b, struct bank_entry *hold);
void bank_compare(const struct bank *b, const struct book *book);

#endif
