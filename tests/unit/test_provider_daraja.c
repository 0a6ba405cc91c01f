/*
 * test_provider_daraja.c - the Daraja adapter: what is written, what is concluded from what comes
 * back, and each difference between sandbox and production under its own name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "provider/provider.h"
#include "wire/daraja_auth.h"
#include "wire/daraja_c2b.h"
#include "wire/daraja_initiated.h"
#include "wire/daraja_payout.h"
#include "wire/daraja_stk.h"

static struct json_scratch *scratch;
static char buffer[PROVIDER_REQUEST_BYTES_MAX];
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

/* Keeps what is given; texts as copies, since what they borrow is gone afterwards. */
enum { SEEN_MAX = 8, SEEN_TEXT = 64 };
struct seen {
    size_t count;
    struct observation at[SEEN_MAX];
};
static char kept[SEEN_MAX][8][SEEN_TEXT]; /* of the latest reading */

static struct span keep(char room[SEEN_TEXT], struct span text)
{
    assert_true(text.size < SEEN_TEXT);
    if (text.size > 0) {
        memcpy(room, text.data, text.size);
    }
    return (struct span){room, text.size};
}

static void take(void *context, const struct observation *o)
{
    struct seen *seen = context;
    assert_true(seen->count < SEEN_MAX);
    struct observation *copy = &seen->at[seen->count];
    char(*texts)[SEEN_TEXT] = kept[seen->count];
    *copy = *o;
    copy->reference = keep(texts[0], o->reference);
    copy->second_reference = keep(texts[1], o->second_reference);
    copy->own_reference = keep(texts[2], o->own_reference);
    copy->receipt = keep(texts[3], o->receipt);
    copy->original_receipt = keep(texts[4], o->original_receipt);
    copy->account_reference = keep(texts[5], o->account_reference);
    copy->account = keep(texts[6], o->account);
    copy->party = keep(texts[7], o->party);
    seen->count++;
}

static struct provider_account account(void)
{
    return (struct provider_account){.provider = OBSERVED_AT_DARAJA,
                                     .short_code = 600000,
                                     .base_url = SPAN_LITERAL("https://sandbox.example"),
                                     .key = SPAN_LITERAL("key"),
                                     .secret = SPAN_LITERAL("secret"),
                                     .passkey = SPAN_LITERAL("passkey"),
                                     .initiator = SPAN_LITERAL("testapi"),
                                     .credential = SPAN_LITERAL("abc=")};
}

static struct provider_call call_of(enum provider_call_kind kind)
{
    int64_t now_ns = 0;
    int64_t until_ns = 0;
    assert_true(rfc3339_parse(SPAN_LITERAL("2026-01-01T09:00:00Z"), &now_ns));
    assert_true(rfc3339_parse(SPAN_LITERAL("2026-01-02T09:00:00Z"), &until_ns));
    return (struct provider_call){.kind = kind,
                                  .now_ns = now_ns,
                                  .amount_minor = 10000,
                                  .from_ns = now_ns,
                                  .until_ns = until_ns,
                                  .phone = 254708374149,
                                  .our_id = SPAN_LITERAL("po-1"),
                                  .provider_id = SPAN_LITERAL("ws_CO_1"),
                                  .receipt = SPAN_LITERAL("NLJ7RT61SV"),
                                  .account = SPAN_LITERAL("INV-7"),
                                  .description = SPAN_LITERAL("tea"),
                                  .callback_url = SPAN_LITERAL("https://a.example/cb/ab/result"),
                                  .timeout_url = SPAN_LITERAL("https://a.example/cb/ab/timeout"),
                                  .token = SPAN_LITERAL("c9SQxWWhmdVRlyh0zh8gZDTkubVF")};
}

static struct provider_request write(const struct provider_account *a,
                                     const struct provider_call *call)
{
    struct provider_request request;
    const char *why = provider_write(a, call, buffer, &request);
    if (why != NULL) {
        fail_msg("%s was not written: %s", provider_call_name(call->kind), why);
    }
    return request;
}

static void not_written(const struct provider_account *a, const struct provider_call *call,
                        const char *because)
{
    struct provider_request request;
    const char *why = provider_write(a, call, buffer, &request);
    assert_non_null(why);
    assert_string_equal(why, because);
    assert_true(request.body.size == 0 && request.url.size == 0);
}

static struct seen reply(enum provider_call_kind kind, uint32_t status, const char *body)
{
    struct seen seen = {0};
    const struct provider_account a = account();
    const struct provider_call call = call_of(kind);
    const struct provider_reply r = {DELIVERY_ANSWERED, status, span_from(body)};
    provider_read_reply(&a, &call, &r, scratch, take, &seen);
    assert_true(seen.count > 0);
    return seen;
}

static struct seen message(enum provider_door door, bool timed_out, const char *body)
{
    struct seen seen = {0};
    const struct provider_account a = account();
    const struct provider_message m = {door, timed_out, false, span_from(body)};
    provider_read_message(&a, &m, scratch, take, &seen);
    assert_true(seen.count > 0);
    return seen;
}

static void expect(const struct seen *seen, enum observation_verdict verdict,
                   enum observation_reason reason)
{
    if (seen->at[0].verdict != verdict || seen->at[0].reason != reason) {
        fail_msg("%s for %s instead of %s for %s", observation_verdict_name(seen->at[0].verdict),
                 observation_reason_name(seen->at[0].reason), observation_verdict_name(verdict),
                 observation_reason_name(reason));
    }
}

/* ---- what is written ---- */

static void a_push_is_written(void **state)
{
    (void)state;
    struct provider_account a = account();
    const struct provider_call call = call_of(PROVIDER_CALL_PUSH);
    struct provider_request r = write(&a, &call);
    struct daraja_stk_push push;
    struct daraja_error error;
    assert_string_equal(r.method, "POST");
    assert_true(span_is(r.url, "https://sandbox.example/mpesa/stkpush/v1/processrequest"));
    assert_true(span_is(r.authorization, "Bearer c9SQxWWhmdVRlyh0zh8gZDTkubVF"));
    assert_true(daraja_stk_push_parse(r.body, &any_url, scratch, &push, &error));
    assert_int_equal(push.amount_minor, 10000);
    assert_true(span_is(push.timestamp, "20260101120000"));
    assert_true(
        daraja_password_matches(push.password, 600000, SPAN_LITERAL("passkey"), push.timestamp));
    assert_int_equal(push.type, DARAJA_PAYBILL_ONLINE);
    assert_int_equal(push.party_b, 600000);
    a.is_till = true;
    a.party_b = 5551234;
    r = write(&a, &call);
    assert_true(daraja_stk_push_parse(r.body, &any_url, scratch, &push, &error));
    assert_int_equal(push.type, DARAJA_BUY_GOODS_ONLINE);
    assert_int_equal(push.party_b, 5551234);
}

static void a_description_is_never_left_out(void **state)
{
    (void)state;
    const struct provider_account a = account();
    struct provider_call call = call_of(PROVIDER_CALL_PUSH);
    struct daraja_stk_push push;
    struct daraja_error error;
    call.description = SPAN_EMPTY;
    struct provider_request r = write(&a, &call);
    assert_true(daraja_stk_push_parse(r.body, &any_url, scratch, &push, &error));
    assert_true(span_is(push.transaction_desc, "Payment"));
}

static void a_long_reference_is_sent_whole(void **state)
{
    (void)state;
    const struct provider_account a = account();
    struct provider_call call = call_of(PROVIDER_CALL_PUSH);
    struct daraja_stk_push push;
    struct daraja_error error;
    call.account = SPAN_LITERAL("fifteen-letters");
    struct provider_request r = write(&a, &call);
    assert_true(daraja_stk_push_parse(r.body, &any_url, scratch, &push, &error));
    assert_true(span_is(push.account_reference, "fifteen-letters"));
}

static void the_other_calls_are_written(void **state)
{
    (void)state;
    const struct provider_account a = account();
    struct provider_call call = call_of(PROVIDER_CALL_TOKEN);
    struct provider_request r = write(&a, &call);
    assert_string_equal(r.method, "GET");
    assert_true(r.body.size == 0 && span_is(r.authorization, "Basic a2V5OnNlY3JldA=="));
    struct daraja_error error;
    struct daraja_payout payout;
    call = call_of(PROVIDER_CALL_PAYOUT);
    r = write(&a, &call);
    assert_true(span_is(r.url, "https://sandbox.example/mpesa/b2c/v3/paymentrequest"));
    assert_true(daraja_payout_parse(DARAJA_B2C_V3, r.body, &any_url, scratch, &payout, &error));
    assert_true(span_is(payout.originator_id, "po-1") && payout.amount_minor == 10000);
    struct daraja_initiated in;
    call = call_of(PROVIDER_CALL_REVERSAL);
    r = write(&a, &call);
    assert_true(daraja_initiated_parse(DARAJA_REVERSAL, r.body, &any_url, scratch, &in, &error));
    assert_true(span_is(in.transaction_id, "NLJ7RT61SV") && in.party_a == 600000);
    call = call_of(PROVIDER_CALL_BALANCE);
    r = write(&a, &call);
    assert_true(daraja_initiated_parse(DARAJA_BALANCE, r.body, &any_url, scratch, &in, &error));
    struct daraja_c2b_register reg;
    call = call_of(PROVIDER_CALL_REGISTER);
    r = write(&a, &call);
    assert_true(daraja_c2b_register_parse(r.body, &any_url, true, scratch, &reg, &error));
    struct daraja_pull_query pull;
    call = call_of(PROVIDER_CALL_PULL);
    r = write(&a, &call);
    assert_true(daraja_pull_query_parse(r.body, scratch, &pull, &error));
    assert_true(pull.start_ns == call.from_ns && pull.end_ns == call.until_ns);
    struct daraja_pull_register registration;
    call = call_of(PROVIDER_CALL_PULL_REGISTER);
    r = write(&a, &call);
    assert_true(daraja_pull_register_parse(r.body, &any_url, scratch, &registration, &error));
}

static void a_status_is_asked_by_receipt_or_by_the_best_id(void **state)
{
    (void)state;
    const struct provider_account a = account();
    struct provider_call call = call_of(PROVIDER_CALL_STATUS);
    struct daraja_initiated in;
    struct daraja_error error;
    struct provider_request r = write(&a, &call);
    assert_true(daraja_initiated_parse(DARAJA_STATUS, r.body, &any_url, scratch, &in, &error));
    assert_true(span_is(in.transaction_id, "NLJ7RT61SV") && in.conversation_id.size == 0);
    call.receipt = SPAN_EMPTY;
    r = write(&a, &call);
    assert_true(daraja_initiated_parse(DARAJA_STATUS, r.body, &any_url, scratch, &in, &error));
    assert_true(span_is(in.conversation_id, "ws_CO_1"));
    call.provider_id = SPAN_EMPTY;
    r = write(&a, &call);
    assert_true(daraja_initiated_parse(DARAJA_STATUS, r.body, &any_url, scratch, &in, &error));
    assert_true(span_is(in.conversation_id, "po-1"));
    call.our_id = SPAN_EMPTY;
    not_written(&a, &call, "there is no receipt and no id to ask about");
}

static void what_cannot_be_asked_is_not_written(void **state)
{
    (void)state;
    struct provider_account a = account();
    struct provider_call call = call_of(PROVIDER_CALL_PUSH);
    call.amount_minor = 10050;
    not_written(&a, &call, "the amount is not whole shillings");
    call = call_of(PROVIDER_CALL_PUSH);
    call.phone = 708374149;
    not_written(&a, &call, "the phone is not a Kenyan mobile number");
    call = call_of(PROVIDER_CALL_PUSH);
    call.token = SPAN_LITERAL("a\r\nX-Evil: 1");
    not_written(&a, &call, "there is no access token");
    call = call_of(PROVIDER_CALL_PAYOUT);
    call.our_id = SPAN_EMPTY;
    not_written(&a, &call, "a payout needs an id of ours");
    call = call_of(PROVIDER_CALL_REVERSAL);
    call.receipt = SPAN_EMPTY;
    not_written(&a, &call, "a reversal needs a receipt");
    call = call_of(PROVIDER_CALL_QUERY);
    call.provider_id = SPAN_EMPTY;
    not_written(&a, &call, "there is no CheckoutRequestID to ask about");
    a.passkey = SPAN_EMPTY;
    call = call_of(PROVIDER_CALL_PUSH);
    not_written(&a, &call, "the account has no passkey");
    a = account();
    a.credential = SPAN_EMPTY;
    call = call_of(PROVIDER_CALL_BALANCE);
    not_written(&a, &call, "the account has no initiator or no SecurityCredential");
    a = account();
    a.base_url = SPAN_LITERAL("https://sandbox.example/");
    not_written(&a, &call, "the provider's base URL is missing, or ends in a slash");
    a = account();
    call = call_of(PROVIDER_CALL_RECIPIENT);
    not_written(&a, &call, "Daraja has no such call");
}

/* ---- differences between sandbox and production (docs/daraja-notes.md) ---- */

static void difference_callback_url_http_in_the_sandbox_only(void **state)
{
    (void)state;
    struct provider_account a = account();
    struct provider_call call = call_of(PROVIDER_CALL_PUSH);
    call.callback_url = SPAN_LITERAL("http://shop.example/cb/ab");
    (void)write(&a, &call);
    a.production = true;
    not_written(&a, &call, "production takes https callback URLs only");
    call = call_of(PROVIDER_CALL_REGISTER);
    call.timeout_url = SPAN_LITERAL("http://shop.example/cb/ab");
    not_written(&a, &call, "production takes https callback URLs only");
    a.production = false;
    (void)write(&a, &call);
}

static void difference_c2b_urls_are_registered_once_in_production(void **state)
{
    (void)state;
    struct seen again = reply(PROVIDER_CALL_REGISTER, 500,
                              "{\"requestId\":\"1\",\"errorCode\":\"500.003.1001\","
                              "\"errorMessage\":\"Urls are already registered.\"}");
    expect(&again, OBSERVED_REFUSED, OBSERVED_REASON_DUPLICATE);
    struct seen done = reply(PROVIDER_CALL_REGISTER, 200,
                             "{\"OriginatorCoversationID\":\"6e86\",\"ResponseCode\":\"0\","
                             "\"ResponseDescription\":\"Success\"}");
    expect(&done, OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE);
}

static void difference_c2b_version_belongs_to_the_product_of_the_app(void **state)
{
    (void)state;
    struct seen other =
        reply(PROVIDER_CALL_REGISTER, 401,
              "{\"requestId\":\"1\",\"errorCode\":\"401.003.01\",\"errorMessage\":\"Error Occurred "
              "- Invalid Access Token - Invalid API call as no apiproduct match found\"}");
    expect(&other, OBSERVED_REFUSED, OBSERVED_REASON_CONFIGURATION);
}

static void difference_oauth_with_bad_keys_has_a_body_or_none(void **state)
{
    (void)state;
    struct provider_token token;
    struct provider_reply r = {DELIVERY_ANSWERED, 400, SPAN_EMPTY};
    provider_read_token(&r, scratch, &token);
    assert_int_equal(token.reason, OBSERVED_REASON_CREDENTIALS);
    assert_int_equal(token.verdict, OBSERVED_REFUSED);
    r.body = SPAN_LITERAL("{\"requestId\":\"1\",\"errorCode\":\"400.008.01\",\"errorMessage\":"
                          "\"Invalid authentication type passed\"}");
    provider_read_token(&r, scratch, &token);
    assert_int_equal(token.reason, OBSERVED_REASON_CREDENTIALS);
    r = (struct provider_reply){DELIVERY_ANSWERED, 503, SPAN_LITERAL("<html>")};
    provider_read_token(&r, scratch, &token);
    assert_int_equal(token.reason, OBSERVED_REASON_BUSY);
    r = (struct provider_reply){DELIVERY_TIMEOUT, 0, SPAN_EMPTY};
    provider_read_token(&r, scratch, &token);
    assert_int_equal(token.reason, OBSERVED_REASON_BUSY);
    r = (struct provider_reply){DELIVERY_ANSWERED, 200,
                                SPAN_LITERAL("{\"access_token\":\"abc\",\"expires_in\":\"3599\"}")};
    provider_read_token(&r, scratch, &token);
    assert_int_equal(token.verdict, OBSERVED_SUCCEEDED);
    assert_true(span_is(token.token, "abc") && token.life_s == 3599);
}

static void difference_a_real_phone_in_the_sandbox_is_E3008(void **state)
{
    (void)state;
    struct seen seen = reply(PROVIDER_CALL_QUERY, 200,
                             "{\"ResponseCode\":\"0\",\"CheckoutRequestID\":\"ws_CO_1\","
                             "\"ResultCode\":\"E3008\",\"ResultDesc\":\"Error, the user has a bad "
                             "debt contract.\"}");
    expect(&seen, OBSERVED_FAILED, OBSERVED_REASON_CONFIGURATION);
}

static void difference_in_flight_has_two_forms(void **state)
{
    (void)state;
    struct seen old = reply(PROVIDER_CALL_QUERY, 500,
                            "{\"requestId\":\"1\",\"errorCode\":\"500.001.1001\","
                            "\"errorMessage\":\"The transaction is being processed\"}");
    expect(&old, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    struct seen recent = reply(PROVIDER_CALL_QUERY, 200,
                               "{\"ResponseCode\":\"0\",\"ResultCode\":\"4999\",\"ResultDesc\":"
                               "\"The transaction is still under processing\"}");
    expect(&recent, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
}

static void difference_1037_is_an_expired_prompt_whatever_its_words(void **state)
{
    (void)state;
    static const char *const words[] = {"DS timeout user cannot be reached.", "DS timeout.",
                                        "[STK_CB - ]DS timeout.", "No response from user."};
    for (size_t i = 0; i < 4; i++) {
        char body[256];
        (void)snprintf(body, sizeof(body),
                       "{\"Body\":{\"stkCallback\":{\"MerchantRequestID\":\"m\","
                       "\"CheckoutRequestID\":\"w\",\"ResultCode\":1037,\"ResultDesc\":\"%s\"}}}",
                       words[i]);
        struct seen seen = message(PROVIDER_DOOR_STK, false, body);
        expect(&seen, OBSERVED_FAILED, OBSERVED_REASON_EXPIRED);
    }
}

static void difference_c2b_phone_is_plain_masked_or_hashed(void **state)
{
    (void)state;
    static const struct {
        const char *msisdn;
        uint64_t phone;
    } rows[] = {
        {"254708374149", 254708374149},
        {"2547 ***** 126", 0},
        {"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0", 0},
    };
    for (size_t i = 0; i < 3; i++) {
        char body[512];
        (void)snprintf(body, sizeof(body),
                       "{\"TransactionType\":\"Pay Bill\",\"TransID\":\"RKL51ZDR4F\","
                       "\"TransTime\":\"20231121121325\",\"TransAmount\":\"5.00\","
                       "\"BusinessShortCode\":\"600000\",\"BillRefNumber\":\"INV-7\","
                       "\"OrgAccountBalance\":\"25.00\",\"MSISDN\":\"%s\"}",
                       rows[i].msisdn);
        struct seen seen = message(PROVIDER_DOOR_CONFIRMATION, false, body);
        expect(&seen, OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE);
        assert_true(seen.at[0].phone == rows[i].phone);
        assert_true(span_is(seen.at[0].party, rows[i].msisdn));
        assert_int_equal(seen.at[0].kind, OBSERVED_RECEIPT);
        assert_true(span_is(seen.at[0].receipt, "RKL51ZDR4F") && seen.at[0].amount_minor == 500);
        assert_true(seen.at[0].has_balance && seen.at[0].balance_minor == 2500);
        /* A question about money that has not moved. */
        seen = message(PROVIDER_DOOR_VALIDATION, false, body);
        expect(&seen, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    }
}

/* ---- answers ---- */

static void the_answer_to_a_push_is_taken_on_refused_or_unknown(void **state)
{
    (void)state;
#define ERR(code, words) \
    "{\"requestId\":\"1\",\"errorCode\":\"" code "\",\"errorMessage\":\"" words "\"}"
    static const struct {
        uint32_t status;
        const char *body;
        enum observation_verdict verdict;
        enum observation_reason reason;
    } rows[] = {
        {200,
         "{\"MerchantRequestID\":\"m\",\"CheckoutRequestID\":\"ws_CO_1\",\"ResponseCode\":\"0\"}",
         OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {200, "{\"ResponseCode\":\"0\"}", OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
        {200, "{\"ResponseCode\":\"1\",\"ResponseDescription\":\"no\"}", OBSERVED_REFUSED,
         OBSERVED_REASON_OTHER},
        {200, "", OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
        {200, "{\"CheckoutReq", OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
        {502, "<html>", OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
        {504, "", OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
        {500, ERR("500.001.1001", "Internal Server Error"), OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
        {500, ERR("500.001.1001", "Unable to lock subscriber, a transaction is already in process"),
         OBSERVED_REFUSED, OBSERVED_REASON_PHONE_BUSY},
        {500, ERR("500.001.1001", "[MerchantValidate] - Wrong credentials"), OBSERVED_REFUSED,
         OBSERVED_REASON_CREDENTIALS},
        {500, ERR("500.001.1001", "Merchant does not exist"), OBSERVED_REFUSED,
         OBSERVED_REASON_CONFIGURATION},
        {500, ERR("500.003.02", "Error Occurred: Spike Arrest Violation"), OBSERVED_REFUSED,
         OBSERVED_REASON_BUSY},
        {404, ERR("404.001.03", "Invalid Access Token"), OBSERVED_REFUSED, OBSERVED_REASON_TOKEN},
        {409, ERR("409.001.01", "Duplicate request: the same payment was asked for"),
         OBSERVED_REFUSED, OBSERVED_REASON_OTHER},
        {400, ERR("400.002.02", "Bad Request - Invalid PhoneNumber"), OBSERVED_REFUSED,
         OBSERVED_REASON_REQUEST},
        {429, "", OBSERVED_REFUSED, OBSERVED_REASON_BUSY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = reply(PROVIDER_CALL_PUSH, rows[i].status, rows[i].body);
        expect(&seen, rows[i].verdict, rows[i].reason);
        assert_int_equal(seen.at[0].kind, OBSERVED_PAYMENT);
        assert_int_equal(seen.at[0].source, OBSERVED_BY_SUBMISSION);
    }
    struct seen seen = reply(PROVIDER_CALL_PUSH, 200, rows[0].body);
    assert_true(span_is(seen.at[0].reference, "ws_CO_1"));
    assert_true(span_is(seen.at[0].second_reference, "m"));
}

static void without_an_answer_only_what_never_left_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum delivery_error error;
        enum observation_verdict verdict;
    } rows[] = {
        {DELIVERY_RESOLVE, OBSERVED_REFUSED},   {DELIVERY_CONNECT, OBSERVED_REFUSED},
        {DELIVERY_TLS, OBSERVED_REFUSED},       {DELIVERY_BAD_URL, OBSERVED_REFUSED},
        {DELIVERY_FORBIDDEN, OBSERVED_REFUSED}, {DELIVERY_RULED, OBSERVED_REFUSED},
        {DELIVERY_TIMEOUT, OBSERVED_UNKNOWN},   {DELIVERY_RESET, OBSERVED_UNKNOWN},
        {DELIVERY_PROTOCOL, OBSERVED_UNKNOWN},  {DELIVERY_STOPPED, OBSERVED_UNKNOWN},
    };
    const struct provider_account a = account();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct provider_call calls[] = {call_of(PROVIDER_CALL_PUSH),
                                              call_of(PROVIDER_CALL_QUERY)};
        const struct provider_reply r = {rows[i].error, 0, SPAN_EMPTY};
        struct seen seen = {0};
        provider_read_reply(&a, &calls[0], &r, scratch, take, &seen);
        assert_int_equal(seen.at[0].verdict, rows[i].verdict);
        /* A question without an answer says nothing, whatever kept it from being asked. */
        seen.count = 0;
        provider_read_reply(&a, &calls[1], &r, scratch, take, &seen);
        assert_int_equal(seen.at[0].verdict, OBSERVED_UNKNOWN);
    }
}

static void a_query_that_failed_says_nothing_about_the_payment(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        const char *body;
    } rows[] = {
        {404, ERR("404.001.03", "Invalid Access Token")},
        {500, ERR("500.003.02", "Error Occurred: Spike Arrest Violation")},
        {400, ERR("400.002.02", "Bad Request - Invalid CheckoutRequestID")},
        {500, ERR("500.001.1001", "Wrong credentials")},
        {502, "<html>"},
        {200, "{\"ResponseCode\":\"0\"}"},
        /* An answer about another payment, and a status that does not fit what it says. */
        {200, "{\"ResultCode\":\"0\",\"CheckoutRequestID\":\"ws_CO_2\"}"},
        {500, "{\"ResultCode\":\"0\",\"CheckoutRequestID\":\"ws_CO_1\"}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = reply(PROVIDER_CALL_QUERY, rows[i].status, rows[i].body);
        assert_int_equal(seen.at[0].verdict, OBSERVED_UNKNOWN);
        assert_int_equal(seen.at[0].source, OBSERVED_BY_QUERY);
    }
}

static void codes_of_a_push_have_reasons(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        enum observation_verdict verdict;
        enum observation_reason reason;
    } rows[] = {
        {"0", OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE},
        {"1", OBSERVED_FAILED, OBSERVED_REASON_FUNDS},
        {"4", OBSERVED_FAILED, OBSERVED_REASON_LIMIT},
        {"1001", OBSERVED_FAILED, OBSERVED_REASON_PHONE_BUSY},
        {"1019", OBSERVED_FAILED, OBSERVED_REASON_EXPIRED},
        {"1031", OBSERVED_FAILED, OBSERVED_REASON_CANCELLED},
        {"1032", OBSERVED_FAILED, OBSERVED_REASON_CANCELLED},
        {"2001", OBSERVED_FAILED, OBSERVED_REASON_WRONG_PIN},
        {"8006", OBSERVED_FAILED, OBSERVED_REASON_PIN_LOCKED},
        {"4999", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"1056", OBSERVED_FAILED, OBSERVED_REASON_OTHER},
        {"\\u0030", OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE},
        {"00", OBSERVED_FAILED, OBSERVED_REASON_OTHER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char body[256];
        (void)snprintf(body, sizeof(body),
                       "{\"Body\":{\"stkCallback\":{\"CheckoutRequestID\":\"w\",\"ResultCode\":"
                       "\"%s\"}}}",
                       rows[i].code);
        struct seen seen = message(PROVIDER_DOOR_STK, false, body);
        expect(&seen, rows[i].verdict, rows[i].reason);
    }
}

static void a_paid_callback_is_whole(void **state)
{
    (void)state;
    struct seen seen = message(
        PROVIDER_DOOR_STK, false,
        "{\"Body\":{\"stkCallback\":{\"MerchantRequestID\":\"m\",\"CheckoutRequestID\":\"w\","
        "\"ResultCode\":0,\"ResultDesc\":\"ok\",\"CallbackMetadata\":{\"Item\":[{\"Name\":"
        "\"Amount\",\"Value\":1.00},{\"Name\":\"MpesaReceiptNumber\",\"Value\":\"NLJ7RT61SV\"},"
        "{\"Name\":\"Balance\"},{\"Name\":\"TransactionDate\",\"Value\":20191219102115},{\"Name\":"
        "\"PhoneNumber\",\"Value\":254708374149}]}}}}");
    const struct observation *o = &seen.at[0];
    int64_t at_ns = 0;
    assert_true(rfc3339_parse(SPAN_LITERAL("2019-12-19T07:21:15Z"), &at_ns));
    assert_true(o->verdict == OBSERVED_SUCCEEDED && o->has_amount && o->amount_minor == 100);
    assert_true(o->phone == 254708374149 && o->at_ns == at_ns);
    assert_true(span_is(o->receipt, "NLJ7RT61SV") && span_is(o->reference, "w"));
    assert_true(span_is(o->second_reference, "m") && o->source == OBSERVED_BY_CALLBACK);
    assert_string_equal(o->currency, "KES");
}

#define RESULT(type, code, rest)                                                                   \
    "{\"Result\":{\"ResultType\":" type ",\"ResultCode\":" code                                    \
    ",\"ResultDesc\":\"d\",\"OriginatorConversationID\":\"po-1\",\"ConversationID\":\"AG_1\"" rest \
    "}}"

static void payout_results(void **state)
{
    (void)state;
    struct seen seen = message(
        PROVIDER_DOOR_PAYOUT, false,
        RESULT("0", "0",
               ",\"TransactionID\":\"SG632NMUAB\",\"ResultParameters\":{\"ResultParameter\":"
               "[{\"Key\":\"TransactionAmount\",\"Value\":10},{\"Key\":\"ReceiverPartyPublicName\","
               "\"Value\":\"254705912645 - N\"},{\"Key\":\"B2CUtilityAccountAvailableFunds\","
               "\"Value\":100.5}]}"));
    const struct observation *o = &seen.at[0];
    expect(&seen, OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE);
    assert_true(o->kind == OBSERVED_PAYOUT && span_is(o->own_reference, "po-1"));
    assert_true(span_is(o->reference, "AG_1") && span_is(o->receipt, "SG632NMUAB"));
    assert_true(o->amount_minor == 1000 && o->phone == 254705912645);
    assert_true(o->has_balance && o->balance_minor == 10050);
    static const struct {
        const char *body;
        enum observation_verdict verdict;
        enum observation_reason reason;
    } rows[] = {
        {RESULT("0", "1", ""), OBSERVED_FAILED, OBSERVED_REASON_FUNDS},
        {RESULT("0", "2001", ""), OBSERVED_FAILED, OBSERVED_REASON_CREDENTIALS},
        {RESULT("0", "\"SFC_IC0003\"", ""), OBSERVED_FAILED, OBSERVED_REASON_RECEIVER},
        {RESULT("0", "2040", ""), OBSERVED_FAILED, OBSERVED_REASON_RECEIVER},
        /* Another request with this id was first, and may have succeeded. */
        {RESULT("0", "15", ""), OBSERVED_UNKNOWN, OBSERVED_REASON_DUPLICATE},
        {RESULT("1", "17", ""), OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        seen = message(PROVIDER_DOOR_PAYOUT, false, rows[i].body);
        expect(&seen, rows[i].verdict, rows[i].reason);
        /* R4.4: on the time-out URL nothing is final. */
        seen = message(PROVIDER_DOOR_PAYOUT, true, rows[i].body);
        expect(&seen, OBSERVED_UNKNOWN, OBSERVED_REASON_BUSY);
    }
}

/* A duplicate id is no refusal of what used it first: it has to be asked about. */
static void a_payout_sent_twice_is_unknown_not_refused(void **state)
{
    (void)state;
    struct seen seen = reply(PROVIDER_CALL_PAYOUT, 500,
                             ERR("500.002.1001", "Duplicate OriginatorConversationID."));
    expect(&seen, OBSERVED_UNKNOWN, OBSERVED_REASON_DUPLICATE);
    assert_true(span_is(seen.at[0].own_reference, "po-1"));
    seen = reply(PROVIDER_CALL_PAYOUT, 500, ERR("500.002.1001", "System internal error."));
    expect(&seen, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE);
    seen = reply(PROVIDER_CALL_PAYOUT, 200,
                 "{\"ConversationID\":\"AG_1\",\"OriginatorConversationID\":\"po-1\","
                 "\"ResponseCode\":\"0\",\"ResponseDescription\":\"Accept\"}");
    expect(&seen, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE);
    assert_true(span_is(seen.at[0].reference, "AG_1"));
}

#define STATUS(status, debit, credit)                                                        \
    RESULT("0", "0",                                                                         \
           ",\"ResultParameters\":{\"ResultParameter\":[{\"Key\":\"DebitPartyName\","        \
           "\"Value\":\"" debit "\"},{\"Key\":\"CreditPartyName\",\"Value\":\"" credit       \
           "\"},{\"Key\":\"OriginatorConversationID\",\"Value\":\"m-1\"},{\"Key\":"          \
           "\"TransactionStatus\",\"Value\":\"" status                                       \
           "\"},{\"Key\":\"Amount\",\"Value\":300.0},{\"Key\":\"ConversationID\",\"Value\":" \
           "\"AG_7\"},{\"Key\":\"ReceiptNo\",\"Value\":\"NLJ7RT61SV\"},{\"Key\":"            \
           "\"DebitPartyCharges\",\"Value\":\"Fee|KES|22.40\"}]}")

#define JANE "254708374149 - J"
#define US   "600000 - Us"

static void status_results(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum observation_verdict verdict;
        enum observation_reason reason;
    } rows[] = {
        {STATUS("Completed", JANE, US), OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE},
        {STATUS("Cancelled", JANE, US), OBSERVED_FAILED, OBSERVED_REASON_CANCELLED},
        {STATUS("Declined", JANE, US), OBSERVED_FAILED, OBSERVED_REASON_OTHER},
        {STATUS("Expired", JANE, US), OBSERVED_FAILED, OBSERVED_REASON_EXPIRED},
        {STATUS("Pending", JANE, US), OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {STATUS("Authorized", JANE, US), OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {STATUS("Whatever", JANE, US), OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
        /* The question failed: nothing about what it asked. */
        {RESULT("0", "2001", ""), OBSERVED_UNKNOWN, OBSERVED_REASON_CREDENTIALS},
        {RESULT("0", "\"R000002\"", ""), OBSERVED_UNKNOWN, OBSERVED_REASON_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = message(PROVIDER_DOOR_STATUS, false, rows[i].body);
        expect(&seen, rows[i].verdict, rows[i].reason);
        assert_true(seen.count == 1 && seen.at[0].kind == OBSERVED_PAYMENT);
        assert_true(seen.at[0].source == OBSERVED_BY_STATUS);
        assert_true(span_is(seen.at[0].second_reference, "AG_1"));
    }
    struct seen seen = message(PROVIDER_DOOR_STATUS, false, rows[0].body);
    assert_true(span_is(seen.at[0].receipt, "NLJ7RT61SV") && seen.at[0].amount_minor == 30000);
    assert_true(span_is(seen.at[0].own_reference, "m-1") && seen.at[0].phone == 254708374149);
    assert_false(seen.at[0].has_fee); /* the customer's */
    seen = message(PROVIDER_DOOR_STATUS, false, STATUS("Completed", US, JANE));
    assert_int_equal(seen.at[0].kind, OBSERVED_PAYOUT);
    assert_true(seen.at[0].has_fee && seen.at[0].fee_minor == 2240);
}

static void a_reversed_payment_had_succeeded(void **state)
{
    (void)state;
    struct seen seen = message(PROVIDER_DOOR_STATUS, false, STATUS("Reversed", JANE, US));
    assert_int_equal(seen.count, 2);
    expect(&seen, OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE);
    assert_int_equal(seen.at[0].kind, OBSERVED_PAYMENT);
    assert_int_equal(seen.at[1].kind, OBSERVED_REFUND);
    assert_int_equal(seen.at[1].verdict, OBSERVED_SUCCEEDED);
    assert_true(span_is(seen.at[1].original_receipt, "NLJ7RT61SV"));
}

static void reversal_results(void **state)
{
    (void)state;
    struct seen seen = message(
        PROVIDER_DOOR_REVERSAL, false,
        RESULT("0", "0",
               ",\"TransactionID\":\"PKE1ABCDEF\",\"ResultParameters\":{\"ResultParameter\":"
               "[{\"Key\":\"Amount\",\"Value\":1.0},{\"Key\":\"OriginalTransactionID\",\"Value\":"
               "\"NLJ7RT61SV\"},{\"Key\":\"CreditPartyPublicName\",\"Value\":\"254708374149 - J\"}]"
               "}"));
    expect(&seen, OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE);
    assert_true(seen.at[0].kind == OBSERVED_REFUND && seen.at[0].amount_minor == 100);
    assert_true(span_is(seen.at[0].original_receipt, "NLJ7RT61SV"));
    assert_true(span_is(seen.at[0].receipt, "PKE1ABCDEF") && seen.at[0].phone == 254708374149);
    seen = message(PROVIDER_DOOR_REVERSAL, false, RESULT("0", "\"R000001\"", ""));
    expect(&seen, OBSERVED_FAILED, OBSERVED_REASON_REVERSED);
}

static void a_balance_is_one_observation_for_each_account(void **state)
{
    (void)state;
    struct seen seen = message(
        PROVIDER_DOOR_BALANCE, false,
        RESULT("\"0\"", "\"0\"",
               ",\"ResultParameters\":{\"ResultParameter\":[{\"Key\":\"AccountBalance\",\"Value\":"
               "\"Working Account|KES|7.00|7.00|0.00|0.00&Charges Paid Account|KES|-1540.00|"
               "-1540.00|0.00|0.00\"}]}"));
    assert_int_equal(seen.count, 2);
    assert_true(span_is(seen.at[0].account, "Working Account") && seen.at[0].amount_minor == 700);
    assert_true(seen.at[1].amount_minor == -154000 && seen.at[1].verdict == OBSERVED_SUCCEEDED);
    seen = message(PROVIDER_DOOR_BALANCE, false, RESULT("\"0\"", "\"2001\"", ""));
    expect(&seen, OBSERVED_UNKNOWN, OBSERVED_REASON_CREDENTIALS);
}

static void a_pull_is_its_outcome_and_its_rows(void **state)
{
    (void)state;
    struct seen seen =
        reply(PROVIDER_CALL_PULL, 200,
              "{\"ResponseRefID\":\"2\",\"ResponseCode\":\"1000\",\"Response\":[[{"
              "\"transactionId\":\"A1\",\"trxDate\":\"2020-08-05T10:13:00Z\",\"msisdn\":722000000,"
              "\"billreference\":\"INV-7\",\"amount\":\"168.00\"},{\"transactionId\":\"A2\"}]]}");
    assert_int_equal(seen.count, 3);
    expect(&seen, OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE);
    assert_int_equal(seen.at[0].kind, OBSERVED_NOTHING);
    assert_true(seen.at[1].kind == OBSERVED_RECEIPT && seen.at[1].source == OBSERVED_BY_PULL);
    assert_true(span_is(seen.at[1].receipt, "A1") && seen.at[1].amount_minor == 16800);
    assert_true(span_is(seen.at[1].account_reference, "INV-7"));
    assert_int_equal(seen.at[2].verdict, OBSERVED_UNKNOWN); /* without an amount */
    seen = reply(PROVIDER_CALL_PULL, 200, "{\"ResponseCode\":\"1001\",\"Response\":[[]]}");
    assert_true(seen.count == 1 && seen.at[0].verdict == OBSERVED_SUCCEEDED);
    seen = reply(PROVIDER_CALL_PULL, 502, "<html>");
    assert_true(seen.count == 1 && seen.at[0].verdict == OBSERVED_UNKNOWN);
}

static void what_cannot_be_read_is_nothing_and_unknown(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "{", "[]", "{\"Body\":{}}", "{\"Result\":{}}", "null"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        for (uint32_t door = PROVIDER_DOOR_STK; door <= PROVIDER_DOOR_WEBHOOK; door++) {
            struct seen seen = message((enum provider_door)door, false, bodies[i]);
            assert_true(seen.count == 1 && seen.at[0].kind == OBSERVED_NOTHING);
            assert_int_equal(seen.at[0].verdict, OBSERVED_UNKNOWN);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_push_is_written),
        cmocka_unit_test(a_description_is_never_left_out),
        cmocka_unit_test(a_long_reference_is_sent_whole),
        cmocka_unit_test(the_other_calls_are_written),
        cmocka_unit_test(a_status_is_asked_by_receipt_or_by_the_best_id),
        cmocka_unit_test(what_cannot_be_asked_is_not_written),
        cmocka_unit_test(difference_callback_url_http_in_the_sandbox_only),
        cmocka_unit_test(difference_c2b_urls_are_registered_once_in_production),
        cmocka_unit_test(difference_c2b_version_belongs_to_the_product_of_the_app),
        cmocka_unit_test(difference_oauth_with_bad_keys_has_a_body_or_none),
        cmocka_unit_test(difference_a_real_phone_in_the_sandbox_is_E3008),
        cmocka_unit_test(difference_in_flight_has_two_forms),
        cmocka_unit_test(difference_1037_is_an_expired_prompt_whatever_its_words),
        cmocka_unit_test(difference_c2b_phone_is_plain_masked_or_hashed),
        cmocka_unit_test(the_answer_to_a_push_is_taken_on_refused_or_unknown),
        cmocka_unit_test(without_an_answer_only_what_never_left_is_refused),
        cmocka_unit_test(a_query_that_failed_says_nothing_about_the_payment),
        cmocka_unit_test(codes_of_a_push_have_reasons),
        cmocka_unit_test(a_paid_callback_is_whole),
        cmocka_unit_test(payout_results),
        cmocka_unit_test(a_payout_sent_twice_is_unknown_not_refused),
        cmocka_unit_test(status_results),
        cmocka_unit_test(a_reversed_payment_had_succeeded),
        cmocka_unit_test(reversal_results),
        cmocka_unit_test(a_balance_is_one_observation_for_each_account),
        cmocka_unit_test(a_pull_is_its_outcome_and_its_rows),
        cmocka_unit_test(what_cannot_be_read_is_nothing_and_unknown),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
