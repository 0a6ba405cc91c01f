/*
 * statement.c - the rows of statement files as observations: the provider's own books, believed
 * above everything else (facts of a day that is over).
 */
#include <string.h>

#include "provider/internal.h"
#include "wire/daraja_answer.h"

static enum observation_kind kind_of(const struct statement_row *row)
{
    switch (row->kind) {
    case STATEMENT_PAID_IN: return OBSERVED_RECEIPT;
    case STATEMENT_PAID_OUT: return OBSERVED_PAYOUT;
    case STATEMENT_CHARGE: return OBSERVED_CHARGE;
    case STATEMENT_SWEEP: return OBSERVED_TRANSFER;
    case STATEMENT_REVERSAL: return OBSERVED_REFUND;
    }
    return OBSERVED_NOTHING;
}

/* A form without a status holds what is done. */
static bool is_completed(const struct statement_row *row)
{
    return row->status.size == 0 || daraja_says(row->status, "completed");
}

/* The charge of a payment stands under the payment's own receipt. */
static void observe(const struct reading *in, const struct statement *s,
                    const struct statement_row *row)
{
    struct observation seen =
        provider__observation(in->account, kind_of(row), OBSERVED_BY_STATEMENT);
    bool belongs = row->kind == STATEMENT_CHARGE || row->kind == STATEMENT_REVERSAL;
    seen.verdict = is_completed(row) ? OBSERVED_SUCCEEDED : OBSERVED_UNKNOWN;
    seen.reference = row->receipt;
    seen.receipt = row->receipt;
    if (belongs) {
        seen.original_receipt = row->linked.size > 0 ? row->linked : row->receipt;
    }
    seen.came_in = row->kind == STATEMENT_REVERSAL && row->in_minor > 0;
    seen.account_reference = row->account;
    seen.account = row->ledger;
    seen.party = row->party;
    seen.phone = row->phone;
    seen.short_code = s->short_code != 0 ? s->short_code : in->account->short_code;
    seen.has_amount = true;
    seen.amount_minor = row->in_minor > 0 ? row->in_minor : row->out_minor;
    seen.has_balance = row->has_balance;
    seen.balance_minor = row->balance_minor;
    seen.at_ns = row->completed_ns;
    seen.code = row->status;
    seen.words = row->details.size > 0 ? row->details : row->type;
    in->take(in->context, &seen);
}

void provider_read_statement(const struct provider_account *account, struct span file,
                             observation_fn take, void *context, struct provider_statement *out)
{
    const struct reading in = {account, NULL, take, context};
    struct statement s;
    struct statement_row row;
    const char *why;
    memset(out, 0, sizeof(*out));
    statement_proof_init(&out->proof);
    out->why = statement_open(file, &s);
    out->short_code = s.short_code;
    for (;;) {
        enum statement_step step = statement_next(&s, &row, &why);
        if (step == STATEMENT_END) {
            break;
        }
        if (step == STATEMENT_BAD_ROW) {
            out->first_bad_line = out->bad_rows == 0 ? row.line : out->first_bad_line;
            out->first_bad_why = out->bad_rows == 0 ? why : out->first_bad_why;
            out->bad_rows++;
            continue;
        }
        out->rows++;
        if (is_completed(&row)) {
            statement_proof_add(&out->proof, &row);
        }
        observe(&in, &s, &row);
    }
    statement_proof_end(&out->proof);
}
