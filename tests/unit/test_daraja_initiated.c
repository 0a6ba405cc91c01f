/*
 * test_daraja_initiated.c - balance, status, reversal, B2B, tax and express checkout on the wire:
 * the other spellings, and results byte for byte. Each field that can be wrong is a row of
 * tests/e2e/stories/170-organisations.mjs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/daraja_express.h"
#include "wire/daraja_initiated.h"

static struct json_scratch *scratch;
static const struct daraja_url_rule any_url = {false, false};

static int open_scratch(void **state)
{
    (void)state;
    scratch = json_scratch_create();
    return scratch == NULL ? -1 : 0;
}

static int close_scratch(void **state)
{
    (void)state;
    json_scratch_destroy(scratch);
    return 0;
}

#define HEAD(command) \
    "{\"Initiator\":\"testapi\",\"SecurityCredential\":\"abc=\",\"CommandID\":\"" command "\","
#define TAIL                                                         \
    "\"Remarks\":\"OK\",\"QueueTimeOutURL\":\"http://a.example/t\"," \
    "\"ResultURL\":\"http://a.example/r\"}"

static void requests_are_read(void **state)
{
    (void)state;
    struct daraja_initiated in;
    struct daraja_error error;
    struct span body = SPAN_LITERAL(HEAD("AccountBalance") "\"PartyA\":\"600000\","
                                                           "\"IdentifierType\":4," TAIL);
    assert_true(daraja_initiated_parse(DARAJA_BALANCE, body, &any_url, scratch, &in, &error));
    assert_int_equal(in.party_a, 600000);
    assert_true(span_is(in.initiator, "testapi") && span_is(in.timeout_url, "http://a.example/t"));
    body = SPAN_LITERAL(HEAD("TransactionStatusQuery") "\"TransactionID\":\"\","
                                                       "\"OriginatorConversationID\":\"a-1\","
                                                       "\"PartyA\":600000,\"IdentifierType\":\"2\","
                                                       "\"Occassion\":\"x\"," TAIL);
    assert_true(daraja_initiated_parse(DARAJA_STATUS, body, &any_url, scratch, &in, &error));
    assert_true(span_is(in.conversation_id, "a-1") && in.transaction_id.size == 0);
    assert_true(span_is(in.occasion, "x"));
    body = SPAN_LITERAL(HEAD("TransactionReversal") "\"TransactionID\":\"NLJ7RT61SV\","
                                                    "\"Amount\":1.5,\"ReceiverParty\":600000,"
                                                    "\"ReceiverIdentifierType\":11," TAIL);
    assert_true(daraja_initiated_parse(DARAJA_REVERSAL, body, &any_url, scratch, &in, &error));
    assert_int_equal(in.amount_minor, 150);
    body = SPAN_LITERAL(HEAD("DisburseFundsToBusiness") "\"SenderIdentifierType\":\"4\","
                                                        "\"RecieverIdentifierType\":\"2\","
                                                        "\"Amount\":\"239\",\"PartyA\":600000,"
                                                        "\"PartyB\":\"5551234\"," TAIL);
    assert_true(daraja_initiated_parse(DARAJA_B2B, body, &any_url, scratch, &in, &error));
    assert_int_equal(in.command, DARAJA_DISBURSE_FUNDS);
    assert_true(in.party_b_is_till && in.reference.size == 0 && in.requester == 0);
}

static const struct daraja_result_head head = {.code = "0",
                                               .desc = "Done.",
                                               .originator_id = SPAN_LITERAL("a-1"),
                                               .conversation_id = "AG_1",
                                               .transaction_id = "NLJ7RT61SV"};
#define IDS                                                          \
    "\"ResultDesc\":\"Done.\",\"OriginatorConversationID\":\"a-1\"," \
    "\"ConversationID\":\"AG_1\",\"TransactionID\":\"NLJ7RT61SV\""

static void results_byte_for_byte(void **state)
{
    (void)state;
    char bytes[4096];
    struct daraja_result_head texts = head;
    texts.code_as_text = true;
    const struct daraja_b2b_result paid = {.account = "Working Account",
                                           .balance_minor = 618683,
                                           .amount_minor = 19000,
                                           .completed = "20221110110717",
                                           .receiver = SPAN_LITERAL("600000 - Biller")};
    struct writer w = writer_init(bytes, sizeof(bytes) - 1);
    daraja_b2b_render(&w, &texts, "20221110110717", SPAN_LITERAL("19008"),
                      SPAN_LITERAL("http://a.example/t"), &paid);
    bytes[w.size] = '\0';
    assert_string_equal(
        bytes, "{\"Result\":{\"ResultType\":\"0\",\"ResultCode\":\"0\"," IDS
               ",\"ResultParameters\":{\"ResultParameter\":["
               "{\"Key\":\"DebitAccountBalance\",\"Value\":\"{Amount={CurrencyCode=KES, "
               "MinimumAmount=618683, BasicAmount=6186.83}}\"},"
               "{\"Key\":\"Amount\",\"Value\":\"190.00\"},"
               "{\"Key\":\"DebitPartyAffectedAccountBalance\",\"Value\":\"Working "
               "Account|KES|6186.83|6186.83|0.00|0.00\"},"
               "{\"Key\":\"TransCompletedTime\",\"Value\":\"20221110110717\"},"
               "{\"Key\":\"DebitPartyCharges\",\"Value\":\"\"},"
               "{\"Key\":\"ReceiverPartyPublicName\",\"Value\":\"600000 - Biller\"},"
               "{\"Key\":\"Currency\",\"Value\":\"KES\"},"
               "{\"Key\":\"InitiatorAccountCurrentBalance\",\"Value\":\"{Amount={CurrencyCode=KES, "
               "MinimumAmount=618683, BasicAmount=6186.83}}\"},"
               "{\"Key\":\"DebitAccountCurrentBalance\",\"Value\":\"{Amount={CurrencyCode=KES, "
               "MinimumAmount=618683, BasicAmount=6186.83}}\"}]},"
               "\"ReferenceData\":{\"ReferenceItem\":[{\"Key\":\"BillReferenceNumber\",\"Value\":"
               "\"19008\"},{\"Key\":\"QueueTimeoutURL\",\"Value\":\"http://a.example/t\"}]}}}");
    w = writer_init(bytes, sizeof(bytes) - 1);
    texts.code = "2001";
    daraja_b2b_render(&w, &texts, "20200120164825", SPAN_EMPTY, SPAN_LITERAL("t"), NULL);
    bytes[w.size] = '\0';
    assert_string_equal(bytes, "{\"Result\":{\"ResultType\":\"0\",\"ResultCode\":\"2001\"," IDS
                               ",\"ResultParameters\":{\"ResultParameter\":{\"Key\":"
                               "\"BOCompletedTime\",\"Value\":20200120164825}},"
                               "\"ReferenceData\":{\"ReferenceItem\":[{\"Key\":"
                               "\"BillReferenceNumber\"},{\"Key\":\"QueueTimeoutURL\","
                               "\"Value\":\"t\"}]}}}");
    w = writer_init(bytes, sizeof(bytes) - 1);
    struct daraja_result_head late = head;
    late.waits = true;
    daraja_late_render(&w, &late);
    bytes[w.size] = '\0';
    assert_string_equal(bytes, "{\"Result\":{\"ResultType\":1,\"ResultCode\":0," IDS "}}");
}

static void cents_of_small_amounts(void **state)
{
    (void)state;
    static const struct {
        int64_t minor;
        const char *text;
    } rows[] = {{0, "MinimumAmount=0, BasicAmount=0.00"},
                {5, "MinimumAmount=5, BasicAmount=0.05"},
                {INT64_C(99999999999999), "MinimumAmount=99999999999999, "
                                          "BasicAmount=999999999999.99"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char bytes[4096];
        const struct daraja_b2b_result paid = {.account = "Working Account",
                                               .balance_minor = rows[i].minor,
                                               .completed = "20221110110717"};
        struct writer w = writer_init(bytes, sizeof(bytes) - 1);
        daraja_b2b_render(&w, &head, "20221110110717", SPAN_EMPTY, SPAN_EMPTY, &paid);
        bytes[w.size] = '\0';
        assert_non_null(strstr(bytes, rows[i].text));
    }
}

static void express_callbacks(void **state)
{
    (void)state;
    char bytes[1024];
    struct daraja_express_result r = {.code = "0",
                                      .desc = "Done.",
                                      .request_id = SPAN_LITERAL("c2f0"),
                                      .amount_minor = 7100,
                                      .reference = SPAN_LITERAL("INV-7"),
                                      .conversation_id = "AG_1",
                                      .transaction_id = "NLJ7RT61SV"};
    struct writer w = writer_init(bytes, sizeof(bytes) - 1);
    daraja_express_render(&w, &r);
    bytes[w.size] = '\0';
    assert_string_equal(bytes, "{\"resultCode\":\"0\",\"resultDesc\":\"Done.\",\"amount\":\"71.0\","
                               "\"requestId\":\"c2f0\",\"resultType\":\"0\",\"conversationID\":"
                               "\"AG_1\",\"transactionId\":\"NLJ7RT61SV\",\"status\":\"SUCCESS\"}");
    r.code = "4001";
    r.amount_minor = 7105;
    w = writer_init(bytes, sizeof(bytes) - 1);
    daraja_express_render(&w, &r);
    bytes[w.size] = '\0';
    assert_string_equal(bytes, "{\"resultCode\":\"4001\",\"resultDesc\":\"Done.\",\"requestId\":"
                               "\"c2f0\",\"amount\":\"71.05\",\"paymentReference\":\"INV-7\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(results_byte_for_byte),
        cmocka_unit_test(cents_of_small_amounts),
        cmocka_unit_test(express_callbacks),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
