/*
 * statement.h - statement files of M-Pesa: the organisation portal's CSV and a till's end-of-day
 * CSV, row by row; and the proof that the rows add up.
 *
 * Guarantees: any bytes are read or refused with a reason and a line; quoting, doubled quotes, line
 * ends inside quotes, CR LF, a byte order mark, comma, semicolon or tab between fields. Amounts are
 * exact. A row that cannot be read is said to be so, and the next one is read. Columns are found by
 * their names; where data stands one column beside its header (as till files come), it is found
 * there. A variance is computed, never derived from what is missing.
 * Spans live until the next row. Sources: docs/statements.md. Tests: tests/unit/test_statement.c,
 * fuzzed by fuzz_statement.
 */
#ifndef HAKIKA_WIRE_STATEMENT_H
#define HAKIKA_WIRE_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

enum statement_form {
    STATEMENT_PORTAL = 1,
    STATEMENT_TILL = 2,
};

enum statement_kind {
    STATEMENT_PAID_IN = 1,
    STATEMENT_PAID_OUT = 2,
    STATEMENT_CHARGE = 3,   /* what the operator took for itself */
    STATEMENT_SWEEP = 4,    /* to the organisation's own settlement account */
    STATEMENT_REVERSAL = 5, /* of the linked transaction */
};

enum { STATEMENT_COLUMNS_MAX = 32, STATEMENT_ROW_BYTES_MAX = 4096 };

struct statement_row {
    uint32_t line; /* of its beginning, from 1 */
    enum statement_kind kind;
    struct span receipt;
    struct span status; /* "Completed"; empty: the form has none */
    struct span details;
    struct span type;    /* reason or transaction type */
    struct span party;   /* "254708374149 - JANE", also masked */
    struct span linked;  /* receipt of what it belongs to */
    struct span account; /* A/C No.: the account reference */
    struct span ledger;  /* ACCOUNT_TYPE_NAME of a till */
    uint64_t phone;      /* 0: not in full */
    int64_t completed_ns;
    int64_t initiated_ns; /* 0: not given */
    int64_t in_minor;     /* one of the two is 0 */
    int64_t out_minor;
    bool has_balance;
    int64_t balance_minor; /* after the row */
};

/* A file being read. */
struct statement {
    enum statement_form form;
    uint32_t short_code; /* from the preamble; 0: it has none */
    struct span rest;
    uint32_t line;
    char separator;
    uint32_t header_fields;
    uint8_t place[16]; /* of each column we know, from 1; 0: absent */
    uint32_t fields;
    struct span field[STATEMENT_COLUMNS_MAX];
    char text[STATEMENT_ROW_BYTES_MAX]; /* fields without their quotes */
};

/* Finds the header. NULL, or why it is no statement. */
const char *statement_open(struct span file, struct statement *out) MUST_USE;

enum statement_step {
    STATEMENT_END = 0,
    STATEMENT_ROW = 1,
    STATEMENT_BAD_ROW = 2, /* *why says what; row->line says where */
};
enum statement_step statement_next(struct statement *s, struct statement_row *row,
                                   const char **why) MUST_USE;

/*
 * Opening + paid in - withdrawn = closing, chained row by row. Rows stand oldest first or newest
 * first; both are tried. Add the completed rows of one account.
 */
struct statement_proof {
    uint64_t rows;
    int64_t in_minor;
    int64_t out_minor;
    bool overflow;   /* the sums do not fit: nothing is proven */
    bool descending; /* after statement_proof_end */
    int64_t opening_minor;
    int64_t closing_minor;
    uint64_t gaps; /* rows whose balance does not follow */
    uint32_t first_gap_line;
    int64_t variance_minor; /* opening + in - out - closing */
    /* while adding */
    struct statement_link {
        int64_t balance_minor;
        int64_t delta_minor;
    } first, last;
    uint64_t gaps_up;
    uint64_t gaps_down;
    uint32_t gap_line_up;
    uint32_t gap_line_down;
};
void statement_proof_init(struct statement_proof *p);
/* Rows without a balance count in the sums and break no chain. */
void statement_proof_add(struct statement_proof *p, const struct statement_row *row);
void statement_proof_end(struct statement_proof *p);

#endif
