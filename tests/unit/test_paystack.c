/*
 * test_paystack.c - Paystack's messages in both directions, with the documentation's samples, and
 * the signature of its webhooks by OpenSSL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/caltime.h"
#include "wire/paystack.h"

static struct json_scratch *scratch;
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

static void payments_are_read_as_they_were_meant(void **state)
{
    (void)state;
    struct paystack_payment in;
    const struct paystack_payment payment = {.email = SPAN_LITERAL("a@b.example"),
                                             .amount_minor = 10050,
                                             .reference = SPAN_LITERAL("or-1.2=3"),
                                             .callback_url = SPAN_LITERAL("https://s.example"),
                                             .phone = SPAN_LITERAL("+254710000000"),
                                             .provider = SPAN_LITERAL("mpesa")};
    struct writer w = writer_init(out, sizeof(out));
    paystack_charge_render(&w, &payment);
    assert_null(paystack_payment_parse(written(&w), true, scratch, &in));
    assert_int_equal(in.amount_minor, 10050);
    assert_true(span_is(in.currency, "KES") && span_equal(in.reference, payment.reference));
    assert_true(span_equal(in.phone, payment.phone) && span_is(in.provider, "mpesa"));
    w = writer_init(out, sizeof(out));
    paystack_initialize_render(&w, &payment);
    assert_null(paystack_payment_parse(written(&w), false, scratch, &in));
    assert_true(span_equal(in.callback_url, payment.callback_url));
    /* The published client sends amounts as strings. */
    assert_null(paystack_payment_parse(
        SPAN_LITERAL("{\"email\":\"a@b.example\",\"amount\":\"20000\"}"), false, scratch, &in));
    assert_int_equal(in.amount_minor, 20000);
}

static void wrong_payments_are_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *message;
    } rows[] = {
        {"", "Invalid JSON in request body"},
        {"[]", "Invalid JSON in request body"},
        {"{\"email\":\"nobody\",\"amount\":1}", "Invalid Email Address Passed"},
        {"{\"email\":\"a@b\",\"amount\":0}", "Invalid Amount Sent"},
        {"{\"email\":\"a@b\",\"amount\":1.5}", "Invalid Amount Sent"},
        {"{\"email\":\"a@b\",\"amount\":\"x\"}", "Invalid Amount Sent"},
        {"{\"email\":\"a@b\",\"amount\":1,\"currency\":\"NGN\"}",
         "Currency not supported by merchant"},
        {"{\"email\":\"a@b\",\"amount\":1,\"reference\":\"a b\"}", "Invalid transaction reference"},
        {"{\"email\":\"a@b\",\"amount\":1,\"mobile_money\":{\"phone\":\"1\",\"provider\":\"x\"}}",
         "Charge attempted with an unsupported channel"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct paystack_payment in;
        const char *why = paystack_payment_parse(span_from(rows[i].body), true, scratch, &in);
        assert_non_null(why);
        assert_string_equal(why, rows[i].message);
    }
}

static void the_other_requests_both_ways(void **state)
{
    (void)state;
    struct paystack_refund refund_in;
    struct paystack_transfer transfer_in;
    struct paystack_recipient recipient_in;
    const struct paystack_refund refund = {SPAN_LITERAL("or-1"), 500, SPAN_LITERAL("broken")};
    const struct paystack_transfer transfer = {SPAN_LITERAL("RCP_1"), 700, SPAN_LITERAL("po-1"),
                                               SPAN_LITERAL("pay")};
    const struct paystack_recipient recipient = {SPAN_LITERAL("Jane"),
                                                 SPAN_LITERAL("254710000000")};
    struct writer w = writer_init(out, sizeof(out));
    paystack_refund_render(&w, &refund);
    assert_null(paystack_refund_parse(written(&w), scratch, &refund_in));
    assert_true(span_is(refund_in.transaction, "or-1") && refund_in.amount_minor == 500);
    assert_true(span_is(refund_in.note, "broken"));
    w = writer_init(out, sizeof(out));
    paystack_transfer_render(&w, &transfer);
    assert_null(paystack_transfer_parse(written(&w), scratch, &transfer_in));
    assert_true(span_is(transfer_in.recipient, "RCP_1") && transfer_in.amount_minor == 700);
    assert_true(span_is(transfer_in.reference, "po-1") && span_is(transfer_in.reason, "pay"));
    w = writer_init(out, sizeof(out));
    paystack_recipient_render(&w, &recipient);
    assert_null(paystack_recipient_parse(written(&w), scratch, &recipient_in));
    assert_true(span_is(recipient_in.name, "Jane"));
    assert_non_null(paystack_refund_parse(SPAN_LITERAL("{}"), scratch, &refund_in));
    assert_non_null(paystack_refund_parse(SPAN_LITERAL("{\"transaction\":\"a\",\"amount\":-1}"),
                                          scratch, &refund_in));
    assert_non_null(paystack_transfer_parse(SPAN_LITERAL("{}"), scratch, &transfer_in));
    assert_non_null(
        paystack_recipient_parse(SPAN_LITERAL("{\"type\":\"nuban\"}"), scratch, &recipient_in));
}

/* The documentation's sample of verify. */
static void a_verification_is_read(void **state)
{
    (void)state;
    struct paystack_answer answer;
    struct paystack_data data;
    int64_t paid_ns = 0;
    paystack_answer_read(
        SPAN_LITERAL("{\"status\":true,\"message\":\"Verification successful\",\"data\":{\"id\":"
                     "4099260516,\"domain\":\"test\",\"status\":\"success\",\"reference\":"
                     "\"re4lyvq3s3\",\"receipt_number\":null,\"amount\":40333,\"message\":null,"
                     "\"gateway_response\":\"Successful\",\"paid_at\":\"2024-08-22T09:15:02.000Z\","
                     "\"channel\":\"mobile_money\",\"currency\":\"KES\",\"metadata\":\"\",\"fees\":"
                     "10283,\"customer\":{\"phone\":\"+254710000000\"}}}"),
        scratch, &answer);
    assert_true(answer.is_envelope && answer.good && answer.data != NULL);
    paystack_data_read(answer.data, scratch, &data);
    assert_true(span_is(data.id, "4099260516") && span_is(data.reference, "re4lyvq3s3"));
    assert_true(span_is(data.status, "success") && data.receipt.size == 0);
    assert_true(data.has_amount && data.amount_minor == 40333);
    assert_true(data.has_fee && data.fee_minor == 10283);
    assert_true(span_is(data.phone, "+254710000000") && span_is(data.words, "Successful"));
    assert_true(data.payer.size == 0);
    assert_true(rfc3339_parse(SPAN_LITERAL("2024-08-22T09:15:02Z"), &paid_ns));
    assert_true(data.paid_ns == paid_ns);
    paystack_answer_read(SPAN_LITERAL("{\"status\":false,\"message\":\"Invalid key\"}"), scratch,
                         &answer);
    assert_true(answer.is_envelope && !answer.good && span_is(answer.message, "Invalid key"));
    paystack_answer_read(SPAN_LITERAL("<html>"), scratch, &answer);
    assert_false(answer.is_envelope);
    paystack_answer_read(SPAN_LITERAL("{\"status\":\"true\"}"), scratch, &answer);
    assert_false(answer.is_envelope);
}

static const struct paystack_transaction paid = {.id = 59214,
                                                 .status = "success",
                                                 .reference = SPAN_LITERAL("or-1"),
                                                 .amount_minor = 10000,
                                                 .fee_minor = 150,
                                                 .created_ns = 1704099600000000000,
                                                 .paid_ns = 1704099601000000000,
                                                 .email = SPAN_LITERAL("a\xc3\xa9@b.example/x"),
                                                 .phone = 254708374149,
                                                 .response = "Approved",
                                                 .receipt = "NLJ7RT61SV",
                                                 .domain = "test"};

static void our_side_is_read_as_theirs(void **state)
{
    (void)state;
    struct paystack_answer answer;
    struct paystack_data data;
    struct paystack_webhook webhook;
    struct writer w = writer_init(out, sizeof(out));
    paystack_verify_render(&w, &paid);
    paystack_answer_read(written(&w), scratch, &answer);
    paystack_data_read(answer.data, scratch, &data);
    assert_true(answer.good && data.amount_minor == 10000 && data.fee_minor == 150);
    assert_true(span_is(data.payer, "254708374149") && data.paid_ns == paid.paid_ns);
    assert_true(data.phone.size == 0);
    assert_true(span_is(data.receipt, "NLJ7RT61SV"));
    w = writer_init(out, sizeof(out));
    paystack_webhook_render(&w, "charge.success", &paid);
    assert_true(paystack_webhook_parse(written(&w), scratch, &webhook));
    assert_true(span_is(webhook.event, "charge.success"));
    assert_true(span_is(webhook.data.reference, "or-1") && webhook.data.amount_minor == 10000);
    w = writer_init(out, sizeof(out));
    paystack_charged_render(&w, SPAN_LITERAL("or-1"), "pay_offline", "Charge attempted");
    paystack_answer_read(written(&w), scratch, &answer);
    paystack_data_read(answer.data, scratch, &data);
    assert_true(span_is(data.status, "pay_offline") && span_is(data.reference, "or-1"));
    w = writer_init(out, sizeof(out));
    paystack_initialized_render(&w, "https://checkout.example/x", "x", SPAN_LITERAL("or-1"));
    paystack_answer_read(written(&w), scratch, &answer);
    paystack_data_read(answer.data, scratch, &data);
    assert_true(span_is(data.authorization_url, "https://checkout.example/x"));
    w = writer_init(out, sizeof(out));
    paystack_error_render(&w, "Invalid key");
    assert_true(span_is(written(&w), "{\"status\":false,\"message\":\"Invalid key\"}"));
}

/* Their libraries sign JSON.stringify(JSON.parse(body)): nothing may change on that way. (The
 * end-to-end story of the simulator asks JavaScript itself.) */
static void a_webhook_is_already_in_the_form_of_javascript(void **state)
{
    (void)state;
    struct writer w = writer_init(out, sizeof(out));
    paystack_webhook_render(&w, "charge.success", &paid);
    struct span body = written(&w);
    for (size_t i = 0; i < body.size; i++) {
        assert_true(body.data[i] != ' ' && body.data[i] != '\\' && body.data[i] != '\n');
    }
    put_u8(&w, 0);
    assert_non_null(strstr(out, "a\xc3\xa9@b.example/x"));
    assert_non_null(strstr(out, "\"amount\":10000,"));
}

static void a_signature_is_over_the_raw_body(void **state)
{
    (void)state;
    uint8_t mac[PAYSTACK_SIGNATURE_BYTES];
    unsigned int size = sizeof(mac);
    char header[2 * PAYSTACK_SIGNATURE_BYTES + 2];
    static const char body[] = "{\"event\":\"charge.success\"}";
    assert_non_null(HMAC(EVP_sha512(), "sk_test_x", 9, (const unsigned char *)body,
                         sizeof(body) - 1, mac, &size));
    struct writer w = writer_init(header, sizeof(header));
    paystack_signature_render(&w, mac);
    assert_true(paystack_signature_matches(written(&w), mac));
    assert_int_equal(w.size, 128);
    header[5] = header[5] == 'a' ? 'b' : 'a';
    assert_false(paystack_signature_matches(written(&w), mac));
    static const char *const rows[] = {"", "00", "sha512=00"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_false(paystack_signature_matches(span_from(rows[i]), mac));
    }
    memset(header, 'g', 128);
    assert_false(paystack_signature_matches((struct span){header, 128}, mac));
    /* Upper case is the same number. */
    memset(mac, 0xab, sizeof(mac));
    for (size_t i = 0; i < 128; i++) {
        header[i] = i % 2 == 0 ? 'A' : 'b';
    }
    assert_true(paystack_signature_matches((struct span){header, 128}, mac));
}

static void what_is_no_webhook_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"",
                                       "{}",
                                       "{\"event\":\"charge.success\"}",
                                       "{\"event\":1,\"data\":{\"reference\":\"a\"}}",
                                       "{\"event\":\"charge.success\",\"data\":{}}",
                                       "{\"event\":\"charge.success\",\"data\":[]}"};
    struct paystack_webhook webhook;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_false(paystack_webhook_parse(span_from(rows[i]), scratch, &webhook));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payments_are_read_as_they_were_meant),
        cmocka_unit_test(wrong_payments_are_refused_in_words),
        cmocka_unit_test(the_other_requests_both_ways),
        cmocka_unit_test(a_verification_is_read),
        cmocka_unit_test(our_side_is_read_as_theirs),
        cmocka_unit_test(a_webhook_is_already_in_the_form_of_javascript),
        cmocka_unit_test(a_signature_is_over_the_raw_body),
        cmocka_unit_test(what_is_no_webhook_is_refused),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
