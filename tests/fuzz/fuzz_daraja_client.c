/*
 * fuzz_daraja_client.c - any bytes as everything that Daraja may answer or send to a client, and as
 * the single values in it.
 *
 * Must hold: whatever is read keeps the promises of its structure, amounts and times are in range,
 * and the walks over rows, parameters and accounts end.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/caltime.h"
#include "wire/daraja_answer.h"
#include "wire/daraja_auth.h"
#include "wire/daraja_c2b.h"
#include "wire/daraja_initiated.h"
#include "wire/daraja_payout.h"
#include "wire/daraja_stk.h"
#include "wire/liberal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_scratch *scratch;

static bool is_phone(uint64_t msisdn)
{
    return msisdn == 0 || msisdn / 100000000 == 2547 || msisdn / 100000000 == 2541;
}

static void fuzz_values(struct span text)
{
    int64_t minor = 0;
    int64_t at_ns = 0;
    uint64_t msisdn = 0;
    struct daraja_account account;
    if (liberal_amount(text, &minor)) {
        CHECK(minor > INT64_MIN);
    }
    if (liberal_time_eat(text, &at_ns)) {
        CHECK(caltime_in_range(at_ns));
    }
    if (liberal_phone(text, &msisdn)) {
        CHECK(msisdn != 0 && is_phone(msisdn));
    }
    while (daraja_account_next(&text, &account)) {
        CHECK(account.name.size > 0 && account.currency.size == 3);
    }
}

static void fuzz_answer(struct span body, uint32_t status)
{
    struct daraja_answer a;
    struct daraja_stk_accepted accepted;
    struct daraja_stk_query_answer query;
    struct daraja_accepted initiated;
    struct daraja_pull_answer pull;
    struct daraja_pull_seen row;
    size_t rows = 0;
    daraja_answer_read(body, status, scratch, &a);
    CHECK((a.object != NULL) == (a.form >= DARAJA_ANSWER_OBJECT));
    CHECK(IMPLIES(a.form == DARAJA_ANSWER_ERROR, a.code.size > 0));
    CHECK(IMPLIES(status < 400 && a.form <= DARAJA_ANSWER_OBJECT,
                  daraja_answer_meaning(&a) == DARAJA_MEANS_UNKNOWN));
    if (daraja_stk_accepted_parse(a.object, scratch, &accepted)) {
        CHECK(accepted.response_code.size > 0);
    }
    if (daraja_stk_query_answer_parse(a.object, scratch, &query)) {
        CHECK(query.result_code.size > 0);
    }
    if (daraja_accepted_parse(a.object, scratch, &initiated)) {
        CHECK(initiated.response_code.size > 0);
    }
    if (daraja_pull_answer_parse(a.object, scratch, &pull)) {
        while (daraja_pull_row_next(&pull, &row)) {
            CHECK(row.transaction_id.size > 0 && is_phone(row.phone));
            CHECK(IMPLIES(row.has_amount, row.amount_minor > 0));
            CHECK(rows++ <= body.size);
        }
    }
}

static void fuzz_result(struct span body)
{
    struct daraja_envelope e;
    struct daraja_payout_seen payout;
    struct daraja_status_seen status;
    struct daraja_reversal_seen reversal;
    if (!daraja_envelope_parse(body, scratch, &e)) {
        return;
    }
    CHECK(e.code.size > 0);
    daraja_payout_result_read(&e, &payout);
    CHECK(is_phone(payout.phone) && (payout.completed_ns == 0 || payout.completed_ns > 0));
    daraja_status_result_read(&e, &status);
    daraja_reversal_result_read(&e, &reversal);
    CHECK(IMPLIES(!reversal.has_balance, reversal.balance_minor == 0));
}

static void fuzz_messages(struct span body)
{
    struct daraja_token token;
    struct daraja_c2b_seen c2b;
    struct daraja_stk_callback callback;
    if (daraja_token_parse(body, scratch, &token)) {
        CHECK(token.token.size > 0 && token.expires_in_s <= SECONDS_PER_DAY);
    }
    if (daraja_c2b_message_parse(body, scratch, &c2b)) {
        CHECK(c2b.transaction_id.size > 0 && is_phone(c2b.phone));
        CHECK(IMPLIES(c2b.has_amount, c2b.amount_minor > 0));
    }
    if (daraja_stk_callback_parse(body, scratch, &callback)) {
        CHECK(IMPLIES(callback.has_amount, callback.amount_minor >= 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t statuses[] = {0, 200, 400, 401, 429, 500};
    struct span body = {(const char *)data, size};
    if (scratch == NULL) {
        scratch = json_scratch_create();
    }
    fuzz_values(body);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fuzz_answer(body, statuses[i]);
    }
    fuzz_result(body);
    fuzz_messages(body);
    return 0;
}
