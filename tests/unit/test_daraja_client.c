/*
 * test_daraja_client.c - Daraja from the client's side: requests that the operator's own parsers
 * read back field by field, and answers as the contract's samples have them, in all spellings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "wire/daraja_answer.h"
#include "wire/daraja_auth.h"
#include "wire/daraja_c2b.h"
#include "wire/daraja_initiated.h"
#include "wire/daraja_payout.h"
#include "wire/daraja_stk.h"

static struct json_scratch *scratch;
static const struct daraja_url_rule any_url = {false, false};
static char out[8192];

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

static struct span written(const struct writer *w)
{
    assert_false(w->overflow);
    return (struct span){(const char *)w->data, w->size};
}

static int64_t utc(const char *text)
{
    int64_t ns = 0;
    assert_true(rfc3339_parse(span_from(text), &ns));
    return ns;
}

static struct daraja_answer answer(uint32_t status, const char *body)
{
    struct daraja_answer a;
    daraja_answer_read(span_from(body), status, scratch, &a);
    return a;
}

/* ---- requests: what we send is what the operator reads ---- */

static void oauth_both_ways(void **state)
{
    (void)state;
    char decoded[256];
    struct span key, secret;
    struct daraja_token token;
    struct writer w = writer_init(out, sizeof(out));
    daraja_basic_render(&w, SPAN_LITERAL("key"), SPAN_LITERAL("se:cret"));
    assert_true(daraja_basic_parse(written(&w), decoded, sizeof(decoded), &key, &secret));
    assert_true(span_is(key, "key") && span_is(secret, "se:cret"));
    assert_true(daraja_token_parse(
        SPAN_LITERAL("{\"access_token\":\"c9SQxWWhmdVRlyh0zh8gZDTkubVF\",\"expires_in\":\"3599\"}"),
        scratch, &token));
    assert_true(span_is(token.token, "c9SQxWWhmdVRlyh0zh8gZDTkubVF"));
    assert_int_equal(token.expires_in_s, 3599);
    assert_true(daraja_token_parse(SPAN_LITERAL("{\"access_token\":\"a\",\"expires_in\":3599}"),
                                   scratch, &token));
    assert_int_equal(token.expires_in_s, 3599);
    assert_true(daraja_token_parse(SPAN_LITERAL("{\"access_token\":\"a\",\"expires_in\":\"x\"}"),
                                   scratch, &token));
    assert_int_equal(token.expires_in_s, 0);
    static const char *const none[] = {"", "{}", "<html>", "{\"access_token\":\"\"}",
                                       "{\"access_token\":\"a\\r\\nX: y\"}"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_false(daraja_token_parse(span_from(none[i]), scratch, &token));
    }
}

static void a_secret_too_long_is_an_error_of_the_writer(void **state)
{
    (void)state;
    static char longest[2000];
    struct writer w = writer_init(out, sizeof(out));
    memset(longest, 'x', sizeof(longest));
    daraja_basic_render(&w, SPAN_LITERAL("k"), (struct span){longest, sizeof(longest)});
    assert_true(w.overflow);
    w = writer_init(out, sizeof(out));
    daraja_password_render(&w, 174379, (struct span){longest, 600}, SPAN_EMPTY);
    assert_true(w.overflow);
}

static void a_push_is_read_as_it_was_meant(void **state)
{
    (void)state;
    char password[512];
    struct daraja_stk_push in;
    struct daraja_error error;
    struct writer p = writer_init(password, sizeof(password));
    struct span stamp = SPAN_LITERAL("20210628092408");
    daraja_password_render(&p, 174379, SPAN_LITERAL("passkey"), stamp);
    assert_true(daraja_password_matches(written(&p), 174379, SPAN_LITERAL("passkey"), stamp));
    const struct daraja_stk_push push = {.business_short_code = 174379,
                                         .password = written(&p),
                                         .timestamp = stamp,
                                         .type = DARAJA_BUY_GOODS_ONLINE,
                                         .amount_minor = 120000,
                                         .party_a = 254708374149,
                                         .party_b = 5551234,
                                         .phone_number = 254722111111,
                                         .callback_url = SPAN_LITERAL("https://a.example/ab12"),
                                         .account_reference = SPAN_LITERAL("INV \"7\""),
                                         .transaction_desc = SPAN_LITERAL("tea")};
    struct writer w = writer_init(out, sizeof(out));
    daraja_stk_push_render(&w, &push);
    assert_true(daraja_stk_push_parse(written(&w), &any_url, scratch, &in, &error));
    assert_int_equal(in.business_short_code, 174379);
    assert_true(span_equal(in.password, push.password) && span_equal(in.timestamp, stamp));
    assert_int_equal(in.type, DARAJA_BUY_GOODS_ONLINE);
    assert_int_equal(in.amount_minor, 120000);
    assert_true(in.party_a == push.party_a && in.phone_number == push.phone_number);
    assert_int_equal(in.party_b, 5551234);
    assert_true(span_equal(in.callback_url, push.callback_url));
    assert_true(span_equal(in.account_reference, push.account_reference));
    assert_true(span_is(in.transaction_desc, "tea"));
    const struct daraja_stk_query query = {174379, written(&p), stamp, SPAN_LITERAL("ws_CO_1")};
    struct daraja_stk_query read;
    w = writer_init(out, sizeof(out));
    daraja_stk_query_render(&w, &query);
    assert_true(daraja_stk_query_parse(written(&w), scratch, &read, &error));
    assert_true(span_is(read.checkout_request_id, "ws_CO_1"));
}

static void a_payout_is_read_as_it_was_meant(void **state)
{
    (void)state;
    static const enum daraja_payout_api apis[] = {DARAJA_B2C_V1, DARAJA_B2C_V3, DARAJA_B2POCHI};
    for (size_t i = 0; i < 3; i++) {
        struct daraja_payout in;
        struct daraja_error error;
        const struct daraja_payout payout = {
            .originator_id = SPAN_LITERAL("po-1"),
            .initiator = SPAN_LITERAL("testapi"),
            .security_credential = SPAN_LITERAL("abc="),
            .command = apis[i] == DARAJA_B2POCHI ? DARAJA_PAY_TO_POCHI : DARAJA_PROMOTION_PAYMENT,
            .amount_minor = 1000,
            .party_a = 600992,
            .party_b = 254705912645,
            .remarks = SPAN_LITERAL("remarked"),
            .timeout_url = SPAN_LITERAL("https://a.example/t"),
            .result_url = SPAN_LITERAL("https://a.example/r"),
            .occasion = i == 0 ? SPAN_LITERAL("x") : SPAN_EMPTY};
        struct writer w = writer_init(out, sizeof(out));
        daraja_payout_request_render(apis[i], &w, &payout);
        assert_true(daraja_payout_parse(apis[i], written(&w), &any_url, scratch, &in, &error));
        assert_true(span_is(in.originator_id, apis[i] == DARAJA_B2C_V1 ? "" : "po-1"));
        assert_int_equal(in.command, payout.command);
        assert_int_equal(in.amount_minor, 1000);
        assert_true(in.party_a == 600992 && in.party_b == payout.party_b);
        assert_true(span_equal(in.remarks, payout.remarks));
        assert_true(span_equal(in.timeout_url, payout.timeout_url));
        assert_true(span_equal(in.result_url, payout.result_url));
        assert_true(span_equal(in.occasion, payout.occasion));
    }
}

static void the_other_requests_are_read_as_they_were_meant(void **state)
{
    (void)state;
    for (uint32_t i = DARAJA_BALANCE; i <= DARAJA_TAX; i++) {
        enum daraja_initiated_api api = (enum daraja_initiated_api)i;
        struct daraja_initiated in;
        struct daraja_error error;
        const struct daraja_initiated request = {
            .initiator = SPAN_LITERAL("testapi"),
            .security_credential = SPAN_LITERAL("abc="),
            .command = DARAJA_BUY_GOODS,
            .transaction_id = api == DARAJA_REVERSAL ? SPAN_LITERAL("NLJ7RT61SV") : SPAN_EMPTY,
            .conversation_id = api == DARAJA_STATUS ? SPAN_LITERAL("po-1") : SPAN_EMPTY,
            .amount_minor = 150,
            .party_a = 600000,
            .party_b = 572572,
            .party_b_is_till = true,
            .reference = SPAN_LITERAL("PRN"),
            .requester = 254708374149,
            .remarks = SPAN_LITERAL("OK"),
            .timeout_url = SPAN_LITERAL("https://a.example/t"),
            .result_url = SPAN_LITERAL("https://a.example/r"),
            .occasion = SPAN_LITERAL("o")};
        struct writer w = writer_init(out, sizeof(out));
        daraja_initiated_request_render(api, &w, &request);
        assert_true(daraja_initiated_parse(api, written(&w), &any_url, scratch, &in, &error));
        assert_int_equal(in.party_a, 600000);
        assert_true(span_equal(in.transaction_id, request.transaction_id));
        assert_true(span_equal(in.conversation_id, request.conversation_id));
        assert_true(span_is(in.occasion, "o") && span_is(in.remarks, "OK"));
        if (api >= DARAJA_REVERSAL) {
            assert_int_equal(in.amount_minor, 150);
        }
        if (api >= DARAJA_B2B) {
            assert_true(in.party_b == 572572 && in.party_b_is_till);
            assert_true(in.requester == 254708374149 && span_is(in.reference, "PRN"));
        }
    }
}

static void c2b_and_pull_requests_are_read_as_they_were_meant(void **state)
{
    (void)state;
    struct daraja_error error;
    struct daraja_c2b_register reg;
    const struct daraja_c2b_register wanted = {600984, true, SPAN_LITERAL("https://a.example/c"),
                                               SPAN_LITERAL("https://a.example/v")};
    struct writer w = writer_init(out, sizeof(out));
    daraja_c2b_register_render(&w, &wanted);
    assert_true(daraja_c2b_register_parse(written(&w), &any_url, true, scratch, &reg, &error));
    assert_true(reg.short_code == 600984 && reg.cancelled);
    assert_true(span_equal(reg.confirmation_url, wanted.confirmation_url));
    assert_true(span_equal(reg.validation_url, wanted.validation_url));
    struct daraja_pull_register pull;
    const struct daraja_pull_register asked = {600000, 254722000000,
                                               SPAN_LITERAL("https://a.example/p")};
    w = writer_init(out, sizeof(out));
    daraja_pull_register_render(&w, &asked);
    assert_true(daraja_pull_register_parse(written(&w), &any_url, scratch, &pull, &error));
    assert_true(pull.short_code == 600000 && pull.number == 254722000000);
    struct daraja_pull_query query;
    const struct daraja_pull_query span = {600000, utc("2020-08-04T05:36:00Z"),
                                           utc("2020-08-05T07:10:09Z"), 1200};
    w = writer_init(out, sizeof(out));
    daraja_pull_query_render(&w, &span);
    assert_true(daraja_pull_query_parse(written(&w), scratch, &query, &error));
    assert_true(query.start_ns == span.start_ns && query.end_ns == span.end_ns);
    assert_int_equal(query.offset, 1200);
}

/* ---- answers ---- */

static void errors_are_read_by_their_message(void **state)
{
    (void)state;
#define ERR(code, message) \
    "{\"requestId\":\"1c5b\",\"errorCode\":\"" code "\",\"errorMessage\":\"" message "\"}"
    static const struct {
        uint32_t status;
        const char *body;
        enum daraja_meaning meaning;
    } rows[] = {
        {500, ERR("500.001.1001", "The transaction is being processed"), DARAJA_MEANS_IN_FLIGHT},
        {500, ERR("500.001.1001", "[MerchantValidate] - Wrong credentials"),
         DARAJA_MEANS_CREDENTIALS},
        {500, ERR("500.001.1001", "Merchant does not exist"), DARAJA_MEANS_MERCHANT},
        {500,
         ERR("500.001.1001", "Unable to lock subscriber, a transaction is already in process for "
                             "the current subscriber"),
         DARAJA_MEANS_PHONE_BUSY},
        {500, ERR("500.001.1001", "Internal Server Error"), DARAJA_MEANS_UNKNOWN},
        {500, ERR("500.002.1001", "Duplicate OriginatorConversationID."), DARAJA_MEANS_DUPLICATE},
        {500, ERR("500.002.1001", "System internal error."), DARAJA_MEANS_UNKNOWN},
        {409, ERR("409.001.01", "Duplicate request: the same payment was asked for"),
         DARAJA_MEANS_REPEATED},
        {500, ERR("500.003.1001", "Urls are already registered."), DARAJA_MEANS_REGISTERED},
        {500, ERR("500.003.02", "Error Occurred: Spike Arrest Violation"), DARAJA_MEANS_BUSY},
        {500, ERR("500.003.02", "System is busy. Please try again in few minutes."),
         DARAJA_MEANS_BUSY},
        {500, ERR("500.003.03", "Error Occurred: Quota Violation"), DARAJA_MEANS_BUSY},
        {500, ERR("00.002.1001", "Service is currently under maintenance. Please try again later"),
         DARAJA_MEANS_BUSY},
        {404, ERR("404.001.03", "Invalid Access Token"), DARAJA_MEANS_TOKEN},
        {400, ERR("400.003.01", "Invalid Access Token"), DARAJA_MEANS_TOKEN},
        {401, ERR("401.002.01", "Error Occurred - Invalid Access Token - abc"), DARAJA_MEANS_TOKEN},
        {401,
         ERR("401.003.01", "Error Occurred - Invalid Access Token - Invalid API call as no "
                           "apiproduct match found"),
         DARAJA_MEANS_PRODUCT},
        {400, ERR("400.002.02", "Bad Request - Invalid PhoneNumber"), DARAJA_MEANS_FIELD},
        {400, ERR("400.002.02", "Bad Request - Invalid OriginatorConversationID"),
         DARAJA_MEANS_FIELD},
        {400, ERR("400.002.05", "Invalid Request Payload"), DARAJA_MEANS_FIELD},
        {400, ERR("400.008.01", "Invalid authentication type passed"), DARAJA_MEANS_CREDENTIALS},
        {404, ERR("404.001.01", "Resource not found"), DARAJA_MEANS_REQUEST},
        {404, ERR("404.001.04", "Invalid Authentication Header"), DARAJA_MEANS_REQUEST},
        {405, ERR("405.001", "Method Not Allowed"), DARAJA_MEANS_REQUEST},
        {500, ERR("500.009.9999", "something new"), DARAJA_MEANS_UNKNOWN},
        {500,
         "{\"fault\":{\"faultstring\":\"Rate limit quota violation\",\"detail\":{\"errorcode\":"
         "\"policies.ratelimit.QuotaViolation\"}}}",
         DARAJA_MEANS_BUSY},
        {401,
         "{\"fault\":{\"faultstring\":\"Invalid access token\",\"detail\":{\"errorcode\":"
         "\"keymanagement.service.invalid_access_token\"}}}",
         DARAJA_MEANS_TOKEN},
        {502, "{\"fault\":{\"faultstring\":\"Unexpected EOF at target\"}}", DARAJA_MEANS_UNKNOWN},
        {502, "<html><h1>502 Bad Gateway</h1></html>", DARAJA_MEANS_UNKNOWN},
        {504, "", DARAJA_MEANS_UNKNOWN},
        {400, "", DARAJA_MEANS_UNKNOWN},
        {403, "<html>Incapsula incident</html>", DARAJA_MEANS_REQUEST},
        {429, "", DARAJA_MEANS_BUSY},
        {200, "{\"ResponseCode\":\"0\"}", DARAJA_MEANS_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct daraja_answer a = answer(rows[i].status, rows[i].body);
        if (daraja_answer_meaning(&a) != rows[i].meaning) {
            fail_msg("%u %s means %d, not %d", rows[i].status, rows[i].body,
                     (int)daraja_answer_meaning(&a), (int)rows[i].meaning);
        }
    }
}

static void any_bytes_are_an_answer_of_some_form(void **state)
{
    (void)state;
    assert_int_equal(answer(200, " \r\n").form, DARAJA_ANSWER_EMPTY);
    assert_int_equal(answer(200, "<html>").form, DARAJA_ANSWER_NOT_JSON);
    assert_int_equal(answer(200, "{\"Respon").form, DARAJA_ANSWER_NOT_JSON);
    assert_int_equal(answer(200, "[1]").form, DARAJA_ANSWER_NOT_JSON);
    assert_int_equal(answer(200, "{\"a\":1,\"a\":2}").form, DARAJA_ANSWER_NOT_JSON);
    assert_int_equal(answer(200, "{\"ResponseCode\":\"0\"}").form, DARAJA_ANSWER_OBJECT);
    struct daraja_answer a = answer(500, ERR("500.003.02", "busy"));
    assert_int_equal(a.form, DARAJA_ANSWER_ERROR);
    assert_true(span_is(a.request_id, "1c5b") && span_is(a.code, "500.003.02"));
}

static void the_operators_own_answers_are_read(void **state)
{
    (void)state;
    struct daraja_stk_accepted accepted;
    struct daraja_stk_query_answer query;
    struct daraja_stk_ids ids = {"29115-34620561-1", "ws_CO_191220191020363925"};
    struct writer w = writer_init(out, sizeof(out));
    daraja_stk_accepted_render(&w, &ids);
    put_u8(&w, 0);
    struct daraja_answer a = answer(200, out);
    assert_true(daraja_stk_accepted_parse(a.object, scratch, &accepted));
    assert_true(span_is(accepted.checkout_request_id, ids.checkout_request_id));
    assert_true(span_is(accepted.merchant_request_id, ids.merchant_request_id));
    assert_true(span_is(accepted.response_code, "0"));
    w = writer_init(out, sizeof(out));
    daraja_stk_query_pending_render(&w, &ids);
    put_u8(&w, 0);
    a = answer(200, out);
    assert_true(daraja_stk_query_answer_parse(a.object, scratch, &query));
    assert_true(query.in_flight && span_is(query.result_code, "4999"));
}

/* R2.5: both forms in flight; and a code nobody knows whose message says it. */
static void query_answers_are_read_by_their_message(void **state)
{
    (void)state;
    struct daraja_stk_query_answer q;
    struct daraja_answer a = answer(
        200,
        "{\"ResponseCode\":\"0\",\"ResponseDescription\":\"The service request has been "
        "accepted successsfully\",\"MerchantRequestID\":\"22205-34066-1\",\"CheckoutRequestID\""
        ":\"ws_CO_13012021093521236557\",\"ResultCode\":\"1032\",\"ResultDesc\":\"Request "
        "cancelled by user\"}");
    assert_true(daraja_stk_query_answer_parse(a.object, scratch, &q));
    assert_true(span_is(q.result_code, "1032") && !q.in_flight);
    a = answer(200, "{\"ResultCode\":0,\"ResultDesc\":\"ok\"}");
    assert_true(daraja_stk_query_answer_parse(a.object, scratch, &q));
    assert_true(span_is(q.result_code, "0") && !q.in_flight);
    a = answer(200, "{\"ResultCode\":\"5000\",\"ResultDesc\":\"The transaction is still Under "
                    "Processing.\"}");
    assert_true(daraja_stk_query_answer_parse(a.object, scratch, &q));
    assert_true(q.in_flight);
    a = answer(200, "{\"ResponseCode\":\"0\"}");
    assert_false(daraja_stk_query_answer_parse(a.object, scratch, &q));
}

static void callbacks_vary(void **state)
{
    (void)state;
    struct daraja_stk_callback c;
#define CALLBACK(code, items)                                                                    \
    SPAN_LITERAL("{\"Body\":{\"stkCallback\":{\"MerchantRequestID\":\"m\",\"CheckoutRequestID\"" \
                 ":\"ws_CO_1\",\"ResultCode\":" code ",\"ResultDesc\":\"d\"" items "}}}")
    assert_true(daraja_stk_callback_parse(
        CALLBACK("0", ",\"CallbackMetadata\":{\"Item\":[{\"Name\":\"PhoneNumber\",\"Value\":\""
                      "254708374149\"},{\"Name\":\"Amount\",\"Value\":1.5E3},{\"Name\":\"Balance\","
                      "\"Value\":\"{Amount={BasicAmount=1.0}}\"},{\"Name\":\"MpesaReceiptNumber\","
                      "\"Value\":\"NLJ7RT61SV\"},{\"Name\":\"TransactionDate\",\"Value\":"
                      "2.0191219102115E13}]}"),
        scratch, &c));
    assert_true(c.has_amount);
    assert_int_equal(c.amount_minor, 150000);
    assert_true(span_is(c.receipt, "NLJ7RT61SV") && span_is(c.phone_number, "254708374149"));
    assert_true(daraja_stk_callback_parse(CALLBACK("\"SFC_IC0003\"", ",\"CallbackMetadata\":null"),
                                          scratch, &c));
    assert_true(span_is(c.result_code, "SFC_IC0003") && !c.has_amount);
    assert_true(daraja_stk_callback_parse(
        CALLBACK("0", ",\"CallbackMetadata\":{\"Item\":{\"Name\":\"Amount\",\"Value\":-1}}"),
        scratch, &c));
    assert_false(c.has_amount);
}

#define RESULT(type, code, rest)                                                                  \
    SPAN_LITERAL("{\"Result\":{\"ResultType\":" type ",\"ResultCode\":" code                      \
                 ",\"ResultDesc\":\"d\",\"OriginatorConversationID\":\"53e3\",\"ConversationID\"" \
                 ":\"AG_20240706_2010364430d9bbdaf872\"" rest "}}")

static void a_payout_result_is_read(void **state)
{
    (void)state;
    struct daraja_envelope e;
    struct daraja_payout_seen seen;
    assert_true(daraja_envelope_parse(
        RESULT("0", "0",
               ",\"TransactionID\":\"SG632NMUAB\",\"ResultParameters\":{\"ResultParameter\":["
               "{\"Key\":\"TransactionAmount\",\"Value\":10},{\"Key\":\"TransactionReceipt\","
               "\"Value\":\"SG632NMUAB\"},{\"Key\":\"ReceiverPartyPublicName\",\"Value\":\""
               "254705912645 - NICHOLAS JOHN SONGOK\"},{\"Key\":\"TransactionCompletedDateTime\","
               "\"Value\":\"06.07.2024 22:48:52\"},{\"Key\":\"B2CUtilityAccountAvailableFunds\","
               "\"Value\":1.22545678E7},{\"Key\":\"B2CWorkingAccountAvailableFunds\",\"Value\":"
               "\"900000.00\"},{\"Key\":\"B2CRecipientIsRegisteredCustomer\",\"Value\":\"Y\"},"
               "{\"Key\":\"B2CChargesPaidAccountAvailableFunds\",\"Value\":-1980.0}]},"
               "\"ReferenceData\":{\"ReferenceItem\":{\"Key\":\"QueueTimeoutURL\",\"Value\":\"u\""
               "}}"),
        scratch, &e));
    assert_true(span_is(e.code, "0") && !e.waits && span_is(e.originator_id, "53e3"));
    assert_true(span_is(daraja_envelope_reference(&e, "QueueTimeoutURL"), "u"));
    daraja_payout_result_read(&e, &seen);
    assert_true(span_is(seen.receipt, "SG632NMUAB") && seen.has_amount);
    assert_int_equal(seen.amount_minor, 1000);
    assert_true(seen.phone == 254705912645);
    assert_true(seen.completed_ns == utc("2024-07-06T19:48:52Z"));
    assert_true(seen.has_utility && seen.utility_minor == 1225456780);
    assert_true(seen.has_working && seen.working_minor == 90000000);
    assert_true(seen.has_charges && seen.charges_minor == -198000);
}

static void failures_have_text_codes_and_no_transaction(void **state)
{
    (void)state;
    struct daraja_envelope e;
    assert_true(daraja_envelope_parse(
        RESULT("\"0\"", "\"R000002\"", ",\"TransactionID\":\"OAK0000000\""), scratch, &e));
    assert_true(span_is(e.code, "R000002") && e.transaction_id.size == 0);
    assert_true(daraja_envelope_parameter(&e, "Amount").size == 0);
    assert_true(daraja_envelope_parse(
        RESULT("\"1\"", "\"17\"",
               ",\"ResultParameters\":{\"ResultParameter\":{\"Key\":\"BOCompletedTime\","
               "\"Value\":20200109125710}}"),
        scratch, &e));
    assert_true(e.waits &&
                span_is(daraja_envelope_parameter(&e, "BOCompletedTime"), "20200109125710"));
    assert_true(daraja_envelope_time(&e, "BOCompletedTime") == utc("2020-01-09T09:57:10Z"));
    assert_false(
        daraja_envelope_parse(SPAN_LITERAL("{\"Result\":{\"ResultCode\":0}}"), scratch, &e));
    assert_false(daraja_envelope_parse(SPAN_LITERAL("{\"Result\":[]}"), scratch, &e));
    assert_false(daraja_envelope_parse(SPAN_LITERAL("nonsense"), scratch, &e));
}

/* The portal's sample has DebitPartyName twice, and a Key without a Value. */
static void a_status_result_is_read(void **state)
{
    (void)state;
    struct daraja_envelope e;
    struct daraja_status_seen seen;
    assert_true(daraja_envelope_parse(
        RESULT("0", "0",
               ",\"ResultParameters\":{\"ResultParameter\":[{\"Key\":\"DebitPartyName\",\"Value\":"
               "\"600310 - Safaricom333\"},{\"Key\":\"DebitPartyName\",\"Value\":\"254708374149 - "
               "John Doe\"},{\"Key\":\"OriginatorConversationID\",\"Value\":\"po-1\"},{\"Key\":"
               "\"InitiatedTime\",\"Value\":20180223054112},{\"Key\":\"DebitPartyCharges\","
               "\"Value\":\"Fee For B2C Payment|KES|22.40\"},{\"Key\":\"TransactionReason\"},"
               "{\"Key\":\"TransactionStatus\",\"Value\":\"Completed\"},{\"Key\":\"FinalisedTime\","
               "\"Value\":\"20180223054113\"},{\"Key\":\"Amount\",\"Value\":\"300\"},{\"Key\":"
               "\"ReceiptNo\",\"Value\":\"NLJ7RT61SV\"}]}"),
        scratch, &e));
    daraja_status_result_read(&e, &seen);
    assert_true(span_is(seen.debit_party, "600310 - Safaricom333"));
    assert_true(span_is(seen.originator_id, "po-1") && span_is(seen.status, "Completed"));
    assert_true(seen.has_charge && seen.charge_minor == 2240);
    assert_true(seen.has_amount && seen.amount_minor == 30000);
    assert_true(span_is(seen.receipt, "NLJ7RT61SV"));
    assert_true(seen.finalised_ns == utc("2018-02-23T02:41:13Z"));
}

static void a_reversal_result_is_read(void **state)
{
    (void)state;
    struct daraja_envelope e;
    struct daraja_reversal_seen seen;
    assert_true(daraja_envelope_parse(
        RESULT("0", "0",
               ",\"ResultParameters\":{\"ResultParameter\":[{\"Key\":\"DebitAccountBalance\","
               "\"Value\":\"Utility Account|KES|7722179.62|7722179.62|0.00|0.00\"},{\"Key\":"
               "\"Amount\",\"Value\":1.0},{\"Key\":\"TransCompletedTime\",\"Value\":"
               "20211114132711},{\"Key\":\"OriginalTransactionID\",\"Value\":\"PKE1\"},{\"Key\":"
               "\"Charge\",\"Value\":0.0}]}"),
        scratch, &e));
    daraja_reversal_result_read(&e, &seen);
    assert_true(span_is(seen.original, "PKE1") && seen.amount_minor == 100 && seen.has_charge);
    assert_true(seen.has_balance && seen.balance_minor == 772217962);
    assert_true(seen.completed_ns == utc("2021-11-14T10:27:11Z"));
}

static void a_balance_is_a_list_of_accounts(void **state)
{
    (void)state;
    struct daraja_account a;
    struct span rest =
        SPAN_LITERAL("Working Account|KES|700000.00|700000.00|0.00|0.00&Float Account|KES|0.00|0.00"
                     "|0.00|0.00&Charges Paid Account|KES|-1540.00|-1540.00|0.00|0.00");
    assert_true(daraja_account_next(&rest, &a));
    assert_true(span_is(a.name, "Working Account") && span_is(a.currency, "KES"));
    assert_true(a.current_minor == 70000000 && a.has_available && a.available_minor == 70000000);
    assert_true(daraja_account_next(&rest, &a));
    assert_true(daraja_account_next(&rest, &a));
    assert_true(span_is(a.name, "Charges Paid Account") && a.current_minor == -154000);
    assert_false(daraja_account_next(&rest, &a));
    rest = SPAN_LITERAL("no account");
    assert_false(daraja_account_next(&rest, &a));
}

static void confirmations_come_plain_masked_and_hashed(void **state)
{
    (void)state;
    struct daraja_c2b_seen seen;
#define C2B(msisdn, balance)                                                                     \
    SPAN_LITERAL(                                                                                \
        "{\"TransactionType\":\"Pay Bill\",\"TransID\":\"RKL51ZDR4F\",\"TransTime\":"            \
        "\"20231121121325\",\"TransAmount\":\"5.00\",\"BusinessShortCode\":\"600966\","          \
        "\"BillRefNumber\":\"Sample Transaction\",\"InvoiceNumber\":\"\",\"OrgAccountBalance\":" \
        "\"" balance "\",\"ThirdPartyTransID\":\"\",\"MSISDN\":\"" msisdn                        \
        "\",\"FirstName\":\"NICHOLAS\",\"MiddleName\":\"\",\"LastName\":\"\"}")
    assert_true(daraja_c2b_message_parse(C2B("2547 ***** 126", "25.00"), scratch, &seen));
    assert_true(span_is(seen.transaction_id, "RKL51ZDR4F") && seen.phone == 0);
    assert_true(span_is(seen.msisdn, "2547 ***** 126") && seen.short_code == 600966);
    assert_true(seen.has_amount && seen.amount_minor == 500);
    assert_true(seen.has_balance && seen.balance_minor == 2500);
    assert_true(seen.at_ns == utc("2023-11-21T09:13:25Z"));
    assert_true(daraja_c2b_message_parse(C2B("254708374149", ""), scratch, &seen));
    assert_true(seen.phone == 254708374149 && !seen.has_balance);
    assert_false(daraja_c2b_message_parse(SPAN_LITERAL("{\"TransID\":\"x\"}"), scratch, &seen));
}

static void a_verdict_is_read_as_it_was_meant(void **state)
{
    (void)state;
    for (uint8_t rejected = 0; rejected <= 6; rejected++) {
        struct daraja_c2b_verdict read;
        const struct daraja_c2b_verdict v = {rejected == 0, rejected, SPAN_LITERAL("t-1")};
        struct writer w = writer_init(out, sizeof(out));
        daraja_c2b_verdict_render(&w, &v);
        assert_true(daraja_c2b_verdict_parse(written(&w), scratch, &read));
        assert_true(read.accepted == v.accepted && read.rejected == rejected);
        assert_true(span_is(read.third_party_id, rejected == 0 ? "t-1" : ""));
    }
}

static void pull_rows_are_nested(void **state)
{
    (void)state;
    struct daraja_pull_answer pull;
    struct daraja_pull_seen row;
    struct daraja_answer a = answer(
        200, "{\"ResponseRefID\":\"26178-42530161-2\",\"ResponseCode\":\"1000\",\"ResponseMessage\""
             ":\"Success\",\"Response\":[[{\"transactionId\":\"A1\",\"trxDate\":"
             "\"2020-08-05T10:13:00Z\",\"msisdn\":722000000,\"sender\":\"UAT2\",\"transactiontype\""
             ":\"c2b-pay-bill-debit\",\"billreference\":\"37207636392\",\"amount\":\"168.00\","
             "\"organizationname\":\"Daraja Pull API Test\"},{\"sender\":\"nobody\"}],[],"
             "{\"transactionId\":\"A2\",\"amount\":7}]}");
    assert_true(daraja_pull_answer_parse(a.object, scratch, &pull));
    assert_true(span_is(pull.code, "1000"));
    assert_true(daraja_pull_row_next(&pull, &row));
    assert_true(span_is(row.transaction_id, "A1") && row.phone == 254722000000);
    assert_true(row.has_amount && row.amount_minor == 16800);
    assert_true(row.at_ns == utc("2020-08-05T07:13:00Z"));
    assert_true(daraja_pull_row_next(&pull, &row));
    assert_true(span_is(row.transaction_id, "A2") && row.amount_minor == 700 && row.at_ns == 0);
    assert_false(daraja_pull_row_next(&pull, &row));
    a = answer(200, "{\"ResponseCode\":\"1001\",\"Response\":[[]]}");
    assert_true(daraja_pull_answer_parse(a.object, scratch, &pull));
    assert_false(daraja_pull_row_next(&pull, &row));
    a = answer(200, "{\"ResponseStatus\":\"1001\",\"ResponseDescription\":\"already\"}");
    assert_true(daraja_pull_answer_parse(a.object, scratch, &pull));
    assert_true(span_is(pull.code, "1001"));
}

/* How many rows of it can be read; they are the first of the list. -1: it is not an answer. */
static int rows_of(struct span body)
{
    struct daraja_answer a;
    struct daraja_pull_answer pull;
    struct daraja_pull_seen row;
    int count = 0;
    daraja_answer_read(body, 200, scratch, &a);
    if (!daraja_pull_answer_parse(a.object, scratch, &pull)) {
        return -1;
    }
    for (; daraja_pull_row_next(&pull, &row); count++) {
        assert_true(row.transaction_id.size == 2 && row.transaction_id.data[1] == '1' + count);
    }
    return count;
}

/* Wherever it is cut, whatever its payers wrote, it is read as far as its rows are whole. */
static void a_list_is_cut_anywhere(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"transactionId\":\"A1\",\"billreference\":\"a}]]}{[\",\"amount\":\"1.00\"}",
        "{\"transactionId\":\"A2\",\"billreference\":\"\\\"}\\\\\"}",
        "{\"transactionId\":\"A3\",\"more\":{\"billreference\":\"{\"},\"amount\":\"1.00\"}",
    };
    char text[400];
    char room[410];
    size_t ends[3];
    size_t size =
        (size_t)snprintf(text, sizeof(text), "{\"ResponseCode\":\"1000\",\"Response\":[[");
    for (size_t i = 0; i < 3; i++) {
        size +=
            (size_t)snprintf(text + size, sizeof(text) - size, "%s%s", i > 0 ? ", " : "", rows[i]);
        ends[i] = size;
    }
    size += (size_t)snprintf(text + size, sizeof(text) - size, "]]}\n");
    for (size_t cut = 0; cut <= size; cut++) {
        int whole = (cut >= ends[0]) + (cut >= ends[1]) + (cut >= ends[2]);
        struct span body = daraja_pull_whole((struct span){text, cut}, room, sizeof(room));
        assert_int_equal(rows_of(body), whole == 0 ? -1 : whole);
    }
    struct span all = {text, size};
    assert_ptr_equal(daraja_pull_whole(all, room, sizeof(room)).data, text);
    assert_ptr_equal(daraja_pull_whole((struct span){text, ends[0]}, room, 10).data, text);
    static const char *const others[] = {"", "}", "<html>", "[[[[[[[[[[{}", "{\"a\":\"", "]}"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct span other = span_from(others[i]);
        assert_ptr_equal(daraja_pull_whole(other, room, sizeof(room)).data, others[i]);
    }
}

static void acceptances_are_spelt_in_several_ways(void **state)
{
    (void)state;
    struct daraja_accepted accepted;
    struct daraja_answer a =
        answer(200, "{\"OriginatorCoversationID\":\"6e86\",\"ResponseCode\":\"0\","
                    "\"ResponseDescription\":\"Success\"}");
    assert_true(daraja_accepted_parse(a.object, scratch, &accepted));
    assert_true(span_is(accepted.originator_id, "6e86") && span_is(accepted.response_code, "0"));
    a = answer(200, "{\"ConversationID\":\"\",\"OriginatorCoversationID\":\"\","
                    "\"ResponseDescription\":\"success\"}");
    assert_true(daraja_accepted_parse(a.object, scratch, &accepted));
    assert_true(span_is(accepted.response_code, "0"));
    a = answer(200, "{\"ResponseDescription\":\"no\"}");
    assert_false(daraja_accepted_parse(a.object, scratch, &accepted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oauth_both_ways),
        cmocka_unit_test(a_secret_too_long_is_an_error_of_the_writer),
        cmocka_unit_test(a_push_is_read_as_it_was_meant),
        cmocka_unit_test(a_payout_is_read_as_it_was_meant),
        cmocka_unit_test(the_other_requests_are_read_as_they_were_meant),
        cmocka_unit_test(c2b_and_pull_requests_are_read_as_they_were_meant),
        cmocka_unit_test(errors_are_read_by_their_message),
        cmocka_unit_test(any_bytes_are_an_answer_of_some_form),
        cmocka_unit_test(the_operators_own_answers_are_read),
        cmocka_unit_test(query_answers_are_read_by_their_message),
        cmocka_unit_test(callbacks_vary),
        cmocka_unit_test(a_payout_result_is_read),
        cmocka_unit_test(failures_have_text_codes_and_no_transaction),
        cmocka_unit_test(a_status_result_is_read),
        cmocka_unit_test(a_reversal_result_is_read),
        cmocka_unit_test(a_balance_is_a_list_of_accounts),
        cmocka_unit_test(confirmations_come_plain_masked_and_hashed),
        cmocka_unit_test(a_verdict_is_read_as_it_was_meant),
        cmocka_unit_test(pull_rows_are_nested),
        cmocka_unit_test(a_list_is_cut_anywhere),
        cmocka_unit_test(acceptances_are_spelt_in_several_ways),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
