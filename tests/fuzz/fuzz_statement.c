/*
 * fuzz_statement.c - any bytes as a statement file, up to its observations.
 *
 * Must hold: the walk ends, each row that is read has a receipt, a time and one amount above zero,
 * and its texts lie in the reader's own buffer.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/caltime.h"
#include "provider/provider.h"
#include "wire/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *context, const struct observation *seen)
{
    uint64_t *rows = context;
    (*rows)++;
    CHECK(seen->kind != OBSERVED_NOTHING && seen->has_amount && seen->amount_minor > 0);
    CHECK(seen->source == OBSERVED_BY_STATEMENT && caltime_in_range(seen->at_ns));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct statement s;
    struct span file = {(const char *)data, size};
    struct statement_row row;
    const char *why = NULL;
    size_t steps = 0;
    if (statement_open(file, &s) == NULL) {
        for (enum statement_step step = statement_next(&s, &row, &why); step != STATEMENT_END;
             step = statement_next(&s, &row, &why)) {
            CHECK(steps++ <= size);
            if (step == STATEMENT_BAD_ROW) {
                CHECK(why != NULL && row.line > 0);
                continue;
            }
            CHECK(row.receipt.size == 10 && caltime_in_range(row.completed_ns));
            CHECK((row.in_minor > 0) != (row.out_minor > 0));
            CHECK(row.receipt.data >= s.text && row.receipt.data < s.text + sizeof(s.text));
        }
    }
    const struct provider_account account = {.provider = OBSERVED_AT_DARAJA};
    struct provider_statement read;
    uint64_t rows = 0;
    provider_read_statement(&account, file, count, &rows, &read);
    CHECK(rows == read.rows);
    return 0;
}
