/*
 * test_provider_paystack.c - the Paystack adapter: what is written and what is concluded (R5.4,
 * R5.6). Value is given only for data.status "success" with an amount, a webhook is believed only
 * when signed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "provider/provider.h"
#include "wire/paystack.h"

static struct json_scratch *scratch;
static char buffer[PROVIDER_REQUEST_BYTES_MAX];

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

/* The numbers of what was given; of texts only the reference of the latest. */
struct seen {
    size_t count;
    struct observation first;
    struct observation last;
    char reference[128];
};

static void take(void *context, const struct observation *o)
{
    struct seen *seen = context;
    if (seen->count == 0) {
        seen->first = *o;
    }
    seen->last = *o;
    seen->count++;
    assert_true(o->reference.size < sizeof(seen->reference));
    memset(seen->reference, 0, sizeof(seen->reference));
    if (o->reference.size > 0) {
        memcpy(seen->reference, o->reference.data, o->reference.size);
    }
}

static const struct provider_account account = {.provider = OBSERVED_AT_PAYSTACK,
                                                .base_url = SPAN_LITERAL("https://p.example"),
                                                .secret = SPAN_LITERAL("sk_test_x")};

static struct provider_call call_of(enum provider_call_kind kind)
{
    return (struct provider_call){.kind = kind,
                                  .amount_minor = 10050,
                                  .phone = 254710000000,
                                  .our_id = SPAN_LITERAL("or-1"),
                                  .email = SPAN_LITERAL("a@b.example"),
                                  .recipient = SPAN_LITERAL("RCP_1"),
                                  .callback_url = SPAN_LITERAL("https://s.example/back")};
}

static struct provider_request write(enum provider_call_kind kind)
{
    struct provider_request r;
    const struct provider_call call = call_of(kind);
    assert_null(provider_write(&account, &call, buffer, &r));
    assert_true(span_is(r.authorization, "Bearer sk_test_x"));
    return r;
}

static struct seen reply(enum provider_call_kind kind, uint32_t status, const char *body)
{
    struct seen seen = {0};
    const struct provider_call call = call_of(kind);
    const struct provider_reply r = {DELIVERY_ANSWERED, status, span_from(body)};
    provider_read_reply(&account, &call, &r, scratch, take, &seen);
    assert_true(seen.count > 0);
    return seen;
}

static struct seen webhook(bool signed_well, const char *body)
{
    struct seen seen = {0};
    const struct provider_message m = {PROVIDER_DOOR_WEBHOOK, false, signed_well, span_from(body)};
    provider_read_message(&account, &m, scratch, take, &seen);
    assert_true(seen.count > 0);
    return seen;
}

static void requests_are_written(void **state)
{
    (void)state;
    struct paystack_payment payment;
    struct paystack_transfer transfer;
    struct paystack_refund refund;
    struct paystack_recipient recipient;
    struct provider_request r = write(PROVIDER_CALL_PUSH);
    assert_true(span_is(r.url, "https://p.example/charge"));
    assert_null(paystack_payment_parse(r.body, true, scratch, &payment));
    assert_true(payment.amount_minor == 10050 && span_is(payment.phone, "+254710000000"));
    assert_true(span_is(payment.reference, "or-1"));
    r = write(PROVIDER_CALL_INITIALIZE);
    assert_null(paystack_payment_parse(r.body, false, scratch, &payment));
    assert_true(span_is(payment.callback_url, "https://s.example/back"));
    r = write(PROVIDER_CALL_QUERY);
    assert_string_equal(r.method, "GET");
    assert_true(span_is(r.url, "https://p.example/transaction/verify/or-1") && r.body.size == 0);
    r = write(PROVIDER_CALL_PAYOUT_QUERY);
    assert_true(span_is(r.url, "https://p.example/transfer/verify/or-1"));
    r = write(PROVIDER_CALL_PAYOUT);
    assert_null(paystack_transfer_parse(r.body, scratch, &transfer));
    assert_true(span_is(transfer.recipient, "RCP_1") && transfer.amount_minor == 10050);
    r = write(PROVIDER_CALL_REVERSAL);
    assert_null(paystack_refund_parse(r.body, scratch, &refund));
    assert_true(span_is(refund.transaction, "or-1"));
    r = write(PROVIDER_CALL_RECIPIENT);
    assert_null(paystack_recipient_parse(r.body, scratch, &recipient));
    assert_true(span_is(recipient.account_number, "254710000000"));
    assert_false(provider_needs_token(OBSERVED_AT_PAYSTACK, PROVIDER_CALL_PUSH));
}

static void what_cannot_be_asked_is_not_written(void **state)
{
    (void)state;
    struct provider_request r;
    struct provider_call call = call_of(PROVIDER_CALL_PUSH);
    call.our_id = SPAN_LITERAL("a b/../c");
    assert_non_null(provider_write(&account, &call, buffer, &r));
    call = call_of(PROVIDER_CALL_QUERY);
    call.our_id = SPAN_LITERAL("../transfer");
    assert_non_null(provider_write(&account, &call, buffer, &r));
    call = call_of(PROVIDER_CALL_PUSH);
    call.email = SPAN_EMPTY;
    assert_non_null(provider_write(&account, &call, buffer, &r));
    call = call_of(PROVIDER_CALL_PUSH);
    call.phone = 1;
    assert_non_null(provider_write(&account, &call, buffer, &r));
    call = call_of(PROVIDER_CALL_PAYOUT);
    call.recipient = SPAN_EMPTY;
    assert_non_null(provider_write(&account, &call, buffer, &r));
    call = call_of(PROVIDER_CALL_PULL);
    assert_non_null(provider_write(&account, &call, buffer, &r));
    struct provider_account keyless = account;
    keyless.secret = SPAN_EMPTY;
    call = call_of(PROVIDER_CALL_PUSH);
    assert_non_null(provider_write(&keyless, &call, buffer, &r));
}

#define ERROR(words) "{\"status\":false,\"message\":\"" words "\"}"
#define DATA(rest)   "{\"status\":true,\"message\":\"m\",\"data\":{" rest "}}"

static void answers_to_a_charge(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        const char *body;
        enum observation_verdict verdict;
        enum observation_reason reason;
    } rows[] = {
        {200, DATA("\"reference\":\"or-1\",\"status\":\"pay_offline\""), OBSERVED_IN_FLIGHT,
         OBSERVED_REASON_NONE},
        {200, DATA("\"reference\":\"or-1\",\"status\":\"pending\""), OBSERVED_IN_FLIGHT,
         OBSERVED_REASON_NONE},
        {200, DATA("\"reference\":\"or-1\",\"status\":\"failed\""), OBSERVED_FAILED,
         OBSERVED_REASON_OTHER},
        {200, DATA("\"reference\":\"or-1\",\"status\":\"timeout\""), OBSERVED_FAILED,
         OBSERVED_REASON_EXPIRED},
        /* status true of the envelope only says that the call worked; a success says how much. */
        {200, DATA("\"reference\":\"or-1\",\"status\":\"success\""), OBSERVED_UNKNOWN,
         OBSERVED_REASON_NONE},
        {200, DATA("\"reference\":\"or-2\",\"status\":\"success\",\"amount\":1"), OBSERVED_UNKNOWN,
         OBSERVED_REASON_NONE},
        {200, DATA("\"reference\":\"or-1\",\"status\":\"new\""), OBSERVED_UNKNOWN,
         OBSERVED_REASON_NONE},
        {200, "{\"status\":true}", OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
        {401, ERROR("Invalid key"), OBSERVED_REFUSED, OBSERVED_REASON_CREDENTIALS},
        {400, ERROR("Invalid Amount Sent"), OBSERVED_REFUSED, OBSERVED_REASON_REQUEST},
        /* The one that used the reference first may well have succeeded. */
        {400, ERROR("Duplicate Transaction Reference"), OBSERVED_UNKNOWN,
         OBSERVED_REASON_DUPLICATE},
        {429, "", OBSERVED_REFUSED, OBSERVED_REASON_BUSY},
        {502, "<html>", OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
        {500, ERROR("oops"), OBSERVED_UNKNOWN, OBSERVED_REASON_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = reply(PROVIDER_CALL_PUSH, rows[i].status, rows[i].body);
        if (seen.first.verdict != rows[i].verdict || seen.first.reason != rows[i].reason) {
            fail_msg("%s: %s for %s", rows[i].body, observation_verdict_name(seen.first.verdict),
                     observation_reason_name(seen.first.reason));
        }
    }
}

static void a_verification_is_as_strong_as_a_status(void **state)
{
    (void)state;
    struct seen seen =
        reply(PROVIDER_CALL_QUERY, 200,
              DATA("\"id\":4099260516,\"reference\":\"or-1\",\"status\":\"success\",\"amount\":"
                   "10050,\"currency\":\"KES\",\"fees\":150,\"paid_at\":"
                   "\"2024-08-22T09:15:02.000Z\",\"customer\":{\"phone\":\"0710000000\"}"));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.first.verdict, OBSERVED_SUCCEEDED);
    assert_int_equal(seen.first.source, OBSERVED_BY_STATUS);
    assert_int_equal(seen.first.amount_minor, 10050);
    assert_true(seen.first.has_fee && seen.first.fee_minor == 150 && seen.first.at_ns > 0);
    assert_true(seen.first.phone == 0); /* of the profile: who paid is not said */
    assert_string_equal(seen.reference, "or-1");
    seen = reply(PROVIDER_CALL_QUERY, 200,
                 DATA("\"reference\":\"or-1\",\"status\":\"success\",\"amount\":10050,"
                      "\"authorization\":{\"mobile_money_number\":\"0722000000\"},"
                      "\"customer\":{\"phone\":\"0710000000\"}"));
    assert_true(seen.first.phone == 254722000000);
    seen = reply(PROVIDER_CALL_QUERY, 400, ERROR("Transaction reference not found."));
    assert_int_equal(seen.first.verdict, OBSERVED_UNKNOWN);
    assert_int_equal(seen.first.reason, OBSERVED_REASON_NOT_FOUND);
    seen = reply(PROVIDER_CALL_QUERY, 401, ERROR("Invalid key"));
    assert_int_equal(seen.first.verdict, OBSERVED_UNKNOWN);
    seen = reply(PROVIDER_CALL_QUERY, 200,
                 DATA("\"reference\":\"or-1\",\"status\":\"abandoned\",\"amount\":10050"));
    assert_int_equal(seen.first.verdict, OBSERVED_IN_FLIGHT);
    seen = reply(PROVIDER_CALL_QUERY, 200,
                 DATA("\"reference\":\"or-1\",\"status\":\"success\",\"amount\":10050,"
                      "\"currency\":\"NGN\""));
    assert_string_equal(seen.first.currency, "NGN"); /* for the caller to compare */
}

static void a_reversed_transaction_had_succeeded(void **state)
{
    (void)state;
    struct seen seen =
        reply(PROVIDER_CALL_QUERY, 200,
              DATA("\"reference\":\"or-1\",\"status\":\"reversed\",\"amount\":10050"));
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.first.kind, OBSERVED_PAYMENT);
    assert_int_equal(seen.first.verdict, OBSERVED_SUCCEEDED);
    assert_int_equal(seen.last.kind, OBSERVED_REFUND);
    assert_int_equal(seen.last.verdict, OBSERVED_SUCCEEDED);
}

static void a_refund_is_asked_about_by_what_it_gives_back(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        enum observation_verdict verdict;
    } rows[] = {{"reversed", OBSERVED_SUCCEEDED},
                {"success", OBSERVED_IN_FLIGHT}, /* not yet */
                {"failed", OBSERVED_UNKNOWN}};
    struct provider_request r = write(PROVIDER_CALL_REFUND_QUERY);
    assert_true(span_is(r.url, "https://p.example/transaction/verify/or-1"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char body[256];
        (void)snprintf(body, sizeof(body),
                       "{\"status\":true,\"message\":\"m\",\"data\":{\"reference\":\"or-1\","
                       "\"status\":\"%s\",\"amount\":10050,\"receipt_number\":\"UA1\"}}",
                       rows[i].status);
        struct seen seen = reply(PROVIDER_CALL_REFUND_QUERY, 200, body);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.first.kind, OBSERVED_REFUND);
        assert_int_equal(seen.first.verdict, rows[i].verdict);
        assert_int_equal(seen.first.receipt.size, 0); /* it is the payment's */
    }
}

static void a_recipient_and_a_checkout_page(void **state)
{
    (void)state;
    struct seen seen =
        reply(PROVIDER_CALL_RECIPIENT, 201, DATA("\"recipient_code\":\"RCP_9\",\"active\":true"));
    assert_int_equal(seen.first.verdict, OBSERVED_SUCCEEDED);
    assert_string_equal(seen.reference, "RCP_9");
    seen = reply(PROVIDER_CALL_INITIALIZE, 200,
                 DATA("\"authorization_url\":\"https://c.example/x\",\"access_code\":\"x\","
                      "\"reference\":\"or-1\""));
    assert_int_equal(seen.first.verdict, OBSERVED_IN_FLIGHT);
    assert_string_equal(seen.reference, "or-1");
}

#define EVENT(name, status)                                                                  \
    "{\"event\":\"" name "\",\"data\":{\"id\":1,\"reference\":\"or-1\",\"status\":\"" status \
    "\",\"amount\":10050,\"currency\":\"KES\"}}"

static void webhooks(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum observation_kind kind;
        enum observation_verdict verdict;
    } rows[] = {
        {EVENT("charge.success", "success"), OBSERVED_PAYMENT, OBSERVED_SUCCEEDED},
        {EVENT("charge.success", "failed"), OBSERVED_PAYMENT, OBSERVED_UNKNOWN},
        {EVENT("charge.success", "pending"), OBSERVED_PAYMENT, OBSERVED_UNKNOWN},
        {EVENT("charge.failed", "failed"), OBSERVED_PAYMENT, OBSERVED_FAILED},
        {EVENT("refund.processed", "processed"), OBSERVED_REFUND, OBSERVED_SUCCEEDED},
        {EVENT("refund.pending", "pending"), OBSERVED_REFUND, OBSERVED_IN_FLIGHT},
        {EVENT("refund.failed", "failed"), OBSERVED_REFUND, OBSERVED_FAILED},
        {EVENT("transfer.success", "success"), OBSERVED_PAYOUT, OBSERVED_SUCCEEDED},
        {EVENT("transfer.failed", "failed"), OBSERVED_PAYOUT, OBSERVED_FAILED},
        {EVENT("transfer.reversed", "reversed"), OBSERVED_PAYOUT, OBSERVED_FAILED},
        {EVENT("charge.dispute.create", "pending"), OBSERVED_NOTHING, OBSERVED_UNKNOWN},
        {EVENT("subscription.create", "active"), OBSERVED_NOTHING, OBSERVED_UNKNOWN},
        {"{}", OBSERVED_NOTHING, OBSERVED_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = webhook(true, rows[i].body);
        if (seen.first.kind != rows[i].kind || seen.first.verdict != rows[i].verdict) {
            fail_msg("%s: %s %s", rows[i].body, observation_kind_name(seen.first.kind),
                     observation_verdict_name(seen.first.verdict));
        }
        assert_int_equal(seen.first.source, OBSERVED_BY_WEBHOOK);
        /* R6.10: without a good signature it is nothing at all. */
        seen = webhook(false, rows[i].body);
        assert_int_equal(seen.first.kind, OBSERVED_NOTHING);
        assert_int_equal(seen.first.verdict, OBSERVED_UNKNOWN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_written),
        cmocka_unit_test(what_cannot_be_asked_is_not_written),
        cmocka_unit_test(answers_to_a_charge),
        cmocka_unit_test(a_verification_is_as_strong_as_a_status),
        cmocka_unit_test(a_reversed_transaction_had_succeeded),
        cmocka_unit_test(a_refund_is_asked_about_by_what_it_gives_back),
        cmocka_unit_test(a_recipient_and_a_checkout_page),
        cmocka_unit_test(webhooks),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
