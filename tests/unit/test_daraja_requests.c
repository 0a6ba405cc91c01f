/*
 * test_daraja_requests.c - the calls of organisations on the wire: every field that can be wrong,
 * the other spellings, and results byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/daraja_payout.h"

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

#define PAYOUT(originator, initiator, command, amount, party_a, party_b, remarks, urls)      \
    "{" originator                                                                           \
    "\"SecurityCredential\":\"abc=\"," initiator command amount party_a party_b remarks urls \
    "\"Occassion\":\"\"}"
#define ORIGINATOR "\"OriginatorConversationID\":\"a-1\","
#define INITIATOR  "\"InitiatorName\":\"testapi\","
#define COMMAND    "\"CommandID\":\"SalaryPayment\","
#define AMOUNT     "\"Amount\":\"10\","
#define PARTY_A    "\"PartyA\":600992,"
#define PARTY_B    "\"PartyB\":\"254705912645\","
#define REMARKS    "\"Remarks\":\"wages\","
#define URLS                                       \
    "\"QueueTimeOutURL\":\"https://a.example/t\"," \
    "\"ResultURL\":\"https://a.example/r\","

static void a_payout_is_read(void **state)
{
    (void)state;
    struct daraja_payout p;
    struct daraja_error error;
    struct span body = SPAN_LITERAL(
        PAYOUT(ORIGINATOR, INITIATOR, COMMAND, AMOUNT, PARTY_A, PARTY_B, REMARKS, URLS));
    assert_true(daraja_payout_parse(DARAJA_B2C_V3, body, &any_url, scratch, &p, &error));
    assert_true(span_is(p.originator_id, "a-1") && span_is(p.initiator, "testapi"));
    assert_int_equal(p.command, DARAJA_SALARY_PAYMENT);
    assert_int_equal(p.amount_minor, 1000);
    assert_int_equal(p.party_a, 600992);
    assert_int_equal(p.party_b, 254705912645);
    assert_true(span_is(p.result_url, "https://a.example/r") && p.occasion.size == 0);
    struct span other = SPAN_LITERAL(
        "{\"Initiator\":\"testapi\",\"SecurityCredential\":\"abc=\","
        "\"CommandID\":\"BusinessPayment\","
        "\"Amount\":10,\"PartyA\":\"600992\",\"PartyB\":254705912645,\"Remarks\":\"x\","
        "\"QueueTimeoutURL\":\"http://a.example/t\",\"ResultURL\":\"http://a.example/r\","
        "\"Occasion\":\"party\"}");
    assert_true(daraja_payout_parse(DARAJA_B2C_V1, other, &any_url, scratch, &p, &error));
    assert_true(p.originator_id.size == 0 && span_is(p.occasion, "party"));
    assert_true(span_is(p.timeout_url, "http://a.example/t"));
}

static void the_first_wrong_field_is_named(void **state)
{
    (void)state;
    static const struct {
        enum daraja_payout_api api;
        const char *body;
        enum daraja_error_kind kind;
        const char *field;
    } rows[] = {
        {DARAJA_B2C_V3, "[]", DARAJA_ERROR_INVALID_PAYLOAD, ""},
        {DARAJA_B2C_V3, PAYOUT("", INITIATOR, COMMAND, AMOUNT, PARTY_A, PARTY_B, REMARKS, URLS),
         DARAJA_ERROR_INVALID_FIELD, "OriginatorConversationID"},
        {DARAJA_B2C_V3, PAYOUT(ORIGINATOR, "", COMMAND, AMOUNT, PARTY_A, PARTY_B, REMARKS, URLS),
         DARAJA_ERROR_INVALID_FIELD, "InitiatorName"},
        {DARAJA_B2C_V3,
         PAYOUT(ORIGINATOR, INITIATOR, "\"CommandID\":\"BusinessPayToPochi\",", AMOUNT, PARTY_A,
                PARTY_B, REMARKS, URLS),
         DARAJA_ERROR_INVALID_FIELD, "CommandID"},
        {DARAJA_B2POCHI,
         PAYOUT(ORIGINATOR, INITIATOR, COMMAND, AMOUNT, PARTY_A, PARTY_B, REMARKS, URLS),
         DARAJA_ERROR_INVALID_FIELD, "CommandID"},
        {DARAJA_B2C_V3,
         PAYOUT(ORIGINATOR, INITIATOR, COMMAND, "\"Amount\":\"10.50\",", PARTY_A, PARTY_B, REMARKS,
                URLS),
         DARAJA_ERROR_INVALID_FIELD, "Amount"},
        {DARAJA_B2C_V3,
         PAYOUT(ORIGINATOR, INITIATOR, COMMAND, "\"Amount\":0,", PARTY_A, PARTY_B, REMARKS, URLS),
         DARAJA_ERROR_INVALID_FIELD, "Amount"},
        {DARAJA_B2C_V3,
         PAYOUT(ORIGINATOR, INITIATOR, COMMAND, AMOUNT, "\"PartyA\":\"60099x\",", PARTY_B, REMARKS,
                URLS),
         DARAJA_ERROR_INVALID_FIELD, "PartyA"},
        {DARAJA_B2C_V3,
         PAYOUT(ORIGINATOR, INITIATOR, COMMAND, AMOUNT, PARTY_A, "\"PartyB\":\"0705912645\",",
                REMARKS, URLS),
         DARAJA_ERROR_INVALID_FIELD, "PartyB"},
        {DARAJA_B2C_V3, PAYOUT(ORIGINATOR, INITIATOR, COMMAND, AMOUNT, PARTY_A, PARTY_B, "", URLS),
         DARAJA_ERROR_INVALID_FIELD, "Remarks"},
        {DARAJA_B2C_V3,
         PAYOUT(ORIGINATOR, INITIATOR, COMMAND, AMOUNT, PARTY_A, PARTY_B, REMARKS,
                "\"ResultURL\":\"https://a.example/r\","),
         DARAJA_ERROR_INVALID_FIELD, "QueueTimeOutURL"},
        {DARAJA_B2C_V3,
         PAYOUT(ORIGINATOR, INITIATOR, COMMAND, AMOUNT, PARTY_A, PARTY_B, REMARKS,
                "\"QueueTimeOutURL\":\"https://a.example/t\",\"ResultURL\":\"r\","),
         DARAJA_ERROR_INVALID_FIELD, "ResultURL"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct daraja_payout p;
        struct daraja_error error;
        assert_false(daraja_payout_parse(rows[i].api, span_from(rows[i].body), &any_url, scratch,
                                         &p, &error));
        assert_int_equal(error.kind, rows[i].kind);
        assert_string_equal(error.detail, rows[i].field);
    }
}

static void results_byte_for_byte(void **state)
{
    (void)state;
    char bytes[2048];
    struct writer w = writer_init(bytes, sizeof(bytes) - 1);
    const struct daraja_result_head head = {.code = "R000002",
                                            .desc = daraja_initiator_desc("R000002"),
                                            .originator_id = SPAN_LITERAL("a-1"),
                                            .conversation_id = "AG_1",
                                            .transaction_id = "OAK0000000"};
    daraja_payout_render(&w, &head, NULL);
    bytes[w.size] = '\0';
    assert_string_equal(
        bytes, "{\"Result\":{\"ResultType\":0,\"ResultCode\":\"R000002\",\"ResultDesc\":\"The "
               "OriginalTransactionID is invalid.\",\"OriginatorConversationID\":\"a-1\","
               "\"ConversationID\":\"AG_1\",\"TransactionID\":\"OAK0000000\",\"ReferenceData\":{"
               "\"ReferenceItem\":{\"Key\":\"QueueTimeoutURL\",\"Value\":\"https://"
               "internalapi.safaricom.co.ke/mpesa/b2cresults/v1/submit\"}}}}");
    w = writer_init(bytes, sizeof(bytes) - 1);
    daraja_accepted_render(&w, SPAN_LITERAL("a-1"), "AG_1");
    bytes[w.size] = '\0';
    assert_string_equal(bytes,
                        "{\"ConversationID\":\"AG_1\",\"OriginatorConversationID\":\"a-1\","
                        "\"ResponseCode\":\"0\",\"ResponseDescription\":\"Accept the service "
                        "request successfully.\"}");
}

/* The same Result under other ids; what is no Result writes nothing. */
static void a_result_is_told_on(void **state)
{
    (void)state;
    char bytes[2048];
    struct writer w = writer_init(bytes, sizeof(bytes) - 1);
    struct span body = SPAN_LITERAL(
        "{\"Result\": {\"ResultType\":0, \"ResultCode\":\"0\", \"ResultDesc\":\"Done.\", "
        "\"OriginatorConversationID\":\"hk-1\", \"ConversationID\":\"AG_9\", "
        "\"TransactionID\":\"SG632NMUAB\", \"ResultParameters\":{\"ResultParameter\":"
        "[{\"Key\":\"OriginatorConversationID\",\"Value\":1.50}]}, \"Other\":true}}");
    assert_true(daraja_result_relay(&w, body, scratch, SPAN_LITERAL("a-1"), "AG_1"));
    bytes[w.size] = '\0';
    assert_string_equal(
        bytes, "{\"Result\":{\"ResultType\":0,\"ResultCode\":\"0\",\"ResultDesc\":\"Done.\","
               "\"OriginatorConversationID\":\"a-1\",\"ConversationID\":\"AG_1\","
               "\"TransactionID\":\"SG632NMUAB\",\"ResultParameters\":{\"ResultParameter\":"
               "[{\"Key\":\"OriginatorConversationID\",\"Value\":1.50}]}}}");
    static const char *const none[] = {"", "[]", "{}", "{\"Result\":7}", "{\"Result\":{}}", "no"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        w = writer_init(bytes, sizeof(bytes) - 1);
        assert_false(daraja_result_relay(&w, span_from(none[i]), scratch, SPAN_EMPTY, "AG_1"));
        assert_int_equal(w.size, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payout_is_read),
        cmocka_unit_test(the_first_wrong_field_is_named),
        cmocka_unit_test(results_byte_for_byte),
        cmocka_unit_test(a_result_is_told_on),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
