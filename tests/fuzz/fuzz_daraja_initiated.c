/*
 * fuzz_daraja_initiated.c - any bytes as every call of an organisation: payout, balance, status,
 * reversal, B2B, tax, express checkout.
 *
 * Must hold: what is accepted keeps the promises of its structure; what is refused says why in
 * printable characters; a result made from what was accepted fits and is JSON again.
 */
#include <stddef.h>
#include <stdint.h>

#include "wire/daraja_express.h"
#include "wire/daraja_initiated.h"
#include "wire/daraja_payout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_scratch *scratch;
static const struct daraja_url_rule any = {false, false};

static void check_error(const struct daraja_error *error)
{
    char out[1024];
    CHECK(error->kind == DARAJA_ERROR_INVALID_FIELD || error->kind == DARAJA_ERROR_INVALID_PAYLOAD);
    CHECK(error->explain[0] != '\0');
    for (const char *at = error->explain; *at != '\0'; at++) {
        CHECK(*at >= ' ' && *at <= '~');
    }
    struct writer w = writer_init(out, sizeof(out));
    daraja_error_render(&w, error, SPAN_LITERAL("r"));
    CHECK(!w.overflow);
}

static bool is_code(uint32_t code)
{
    return code >= 10000 && code <= 9999999;
}

static void check_json(const struct writer *w)
{
    const char *why;
    CHECK(!w->overflow);
    CHECK(json_parse(scratch, (struct span){(const char *)w->data, w->size}, &why) != NULL);
}

/* Uses up the request: its texts do not outlive the next parse. */
static void render(enum daraja_initiated_api api, const struct daraja_initiated *in)
{
    static char out[64 * 1024];
    const struct daraja_result_head head = {.code = "0",
                                            .desc = daraja_initiator_desc("0"),
                                            .originator_id = in->reference,
                                            .conversation_id = "AG_1",
                                            .transaction_id = "OAK0000000"};
    struct writer w = writer_init(out, sizeof(out));
    if (api == DARAJA_STATUS) {
        const struct daraja_status_result result = {.debit_party = in->initiator,
                                                    .credit_party = in->remarks,
                                                    .originator_id = in->conversation_id,
                                                    .initiated = "20180223054112",
                                                    .debit_account = "Utility Account",
                                                    .reason = "why",
                                                    .status = "Pending"};
        daraja_status_render(&w, &head, in->occasion, &result);
    } else if (api == DARAJA_REVERSAL) {
        const struct daraja_reversal_result result = {.amount_minor = in->amount_minor,
                                                      .completed = "20180223054112",
                                                      .original = in->transaction_id};
        daraja_reversal_render(&w, &head, &result);
    } else {
        const struct daraja_b2b_result result = {.account = "Working Account",
                                                 .balance_minor = in->amount_minor,
                                                 .amount_minor = in->amount_minor,
                                                 .completed = "20180223054112",
                                                 .receiver = in->remarks};
        daraja_b2b_render(&w, &head, "20180223054112", in->reference, in->timeout_url, &result);
    }
    check_json(&w);
}

static void fuzz_initiated(struct span text, enum daraja_initiated_api api)
{
    struct daraja_initiated in;
    struct daraja_error error;
    if (!daraja_initiated_parse(api, text, &any, scratch, &in, &error)) {
        check_error(&error);
        return;
    }
    bool pays = api == DARAJA_REVERSAL || api == DARAJA_B2B || api == DARAJA_TAX;
    bool between = api == DARAJA_B2B || api == DARAJA_TAX;
    CHECK(is_code(in.party_a) && (!between || is_code(in.party_b)));
    CHECK((in.amount_minor > 0) == pays);
    CHECK(IMPLIES(api == DARAJA_STATUS, in.transaction_id.size + in.conversation_id.size > 0));
    CHECK(IMPLIES(api == DARAJA_TAX, in.party_b == 572572 && in.reference.size > 0));
    CHECK(in.initiator.size > 0 && in.remarks.size > 0 && in.result_url.size > 0);
    render(api, &in);
}

static void fuzz_express(struct span text)
{
    static char out[8 * 1024];
    struct daraja_express in;
    struct daraja_error error;
    if (!daraja_express_parse(text, &any, scratch, &in, &error)) {
        check_error(&error);
        return;
    }
    CHECK(is_code(in.till) && is_code(in.paybill) && in.amount_minor % 100 == 0);
    const struct daraja_express_result result = {.code = "4001",
                                                 .desc = daraja_initiator_desc("4001"),
                                                 .request_id = in.request_id,
                                                 .amount_minor = in.amount_minor,
                                                 .reference = in.reference};
    struct writer w = writer_init(out, sizeof(out));
    daraja_express_render(&w, &result);
    check_json(&w);
}

static void fuzz_payout(struct span text, enum daraja_payout_api api)
{
    struct daraja_payout in;
    struct daraja_error error;
    if (daraja_payout_parse(api, text, &any, scratch, &in, &error)) {
        CHECK(is_code(in.party_a) && in.amount_minor > 0);
    } else {
        check_error(&error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    if (scratch == NULL) {
        scratch = json_scratch_create();
    }
    for (uint32_t api = DARAJA_BALANCE; api <= DARAJA_TAX; api++) {
        fuzz_initiated(text, (enum daraja_initiated_api)api);
    }
    fuzz_express(text);
    fuzz_payout(text, DARAJA_B2C_V1);
    fuzz_payout(text, DARAJA_B2C_V3);
    fuzz_payout(text, DARAJA_B2POCHI);
    return 0;
}
