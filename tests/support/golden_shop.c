/*
 * golden_shop.c - see golden_shop.h.
 */
#include "support/golden_shop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "base/delivery_error.h"
#include "base/hash.h"
#include "support/golden_story.h"

const char *const GOLDEN_SHOP_SECRETS[GOLDEN_SHOP_SECRETS_COUNT] = {
    "sealed-key",        "sealed-secret",      "sealed-passkey",     "sealed-initiator",
    "sealed-credential", "sealed-signing-one", "sealed-signing-two", "wwwwwwwwwwwwwwww",
};

static void must_do(struct shop *s, uint16_t kind, const void *body)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    assert_true(shop_do(s, kind, body, &reply) > 0);
    assert_int_equal(reply.refusal, GATEWAY_DONE);
}

/* Ends an attempt at a message with an HTTP answer. */
static void answered(struct shop *s, uint64_t item, uint16_t status,
                     const struct gateway_reading *reading)
{
    enum book_outcome outcome = BOOK_DONE;
    struct delivery_result_command c = {.number = item,
                                        .generation = s->book->generation,
                                        .status = status,
                                        .duration_ms = 17,
                                        .answer = SPAN_LITERAL("{\"an\": \"answer\"}"),
                                        .retry_after_ms = -1,
                                        .reading = reading};
    assert_true(item > 0);
    assert_true(shop_do(s, COMMAND_DELIVERY_RESULT, &c, &outcome) > 0);
}

static void webhooks(struct shop *s, uint16_t status)
{
    for (uint64_t item; (item = shop_take(s, MESSAGE_WEBHOOK)) != 0;) {
        uint64_t subject = outbox_item(&s->book->outbox, item)->subject;
        bool gone = webhook_subject_endpoint(subject) == 1; /* one endpoint is no more */
        answered(s, item, gone ? 410 : status, NULL);
    }
}

/* Pushes that wait in the outbox although their payment is over leave it. */
static void withdraw(struct shop *s)
{
    uint64_t open[8];
    uint32_t count = 0;
    for (uint64_t item; (item = shop_take(s, CALL_PUSH)) != 0;) {
        uint64_t number = outbox_item(&s->book->outbox, item)->subject;
        if (gateway_state_ended(shop_payment(s, number)->state)) {
            shop_fail(s, item, DELIVERY_WITHDRAWN);
        } else {
            assert_true(count < 8);
            open[count++] = item;
        }
    }
    while (count > 0) {
        outbox_return(&s->book->outbox, open[--count]);
    }
}

static void key_of(struct shop *s, uint8_t key[16], uint8_t token[16])
{
    s->keys++;
    memcpy(key, &s->keys, sizeof(s->keys));
    memset(token, 'w', 16);
    memcpy(token, &s->keys, sizeof(s->keys));
}

/* ---- claims ---- */

/* A row, a line, a confirmation: what is about no push of ours. */
struct arrival {
    enum observation_source source;
    enum observation_kind kind;
    const char *receipt;
    const char *original;
    const char *account;
    int64_t amount_minor;
    uint64_t phone;
};

static uint8_t arrives(struct shop *s, struct arrival a)
{
    char body[200];
    struct observation o;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    memset(&o, 0, sizeof(o));
    o.kind = a.kind;
    o.source = a.source;
    o.verdict = OBSERVED_SUCCEEDED;
    o.reference = span_from(a.receipt);
    o.receipt = span_from(a.receipt);
    o.original_receipt = span_from(a.original);
    o.account_reference = span_from(a.account);
    o.party = SPAN_LITERAL("2547 ***** 149 - WANJIKU");
    o.phone = a.phone;
    o.has_amount = true;
    o.amount_minor = a.amount_minor;
    o.at_ns = s->now_ns - SHOP_S;
    (void)snprintf(body, sizeof(body),
                   "{\"TransID\": \"%s\", \"by\": %d, \"BillRefNumber\": \"%s\"}", a.receipt,
                   (int)a.source, a.account == NULL ? "" : a.account);
    struct notice_command n = {.claim = &o,
                               .body = span_from(body),
                               .headers = SPAN_LITERAL("content-type: application/json"),
                               .peer = SPAN_LITERAL("196.201.214.200")};
    uint64_t key[2] = {hash_bytes(body, strlen(body), 1),
                       hash_bytes(body, strlen(body), (uint64_t)a.amount_minor)};
    memcpy(n.key, key, sizeof(n.key));
    memcpy(n.digest, key, sizeof(n.digest));
    assert_true(shop_do(s, COMMAND_NOTICE, &n, &reply) > 0);
    return reply.effect;
}

static uint8_t pays(struct shop *s, uint64_t number, enum observation_source source)
{
    char receipt[16];
    struct shop_claim paid = shop_paid();
    (void)snprintf(receipt, sizeof(receipt), "UA1A%06llu", (unsigned long long)number);
    paid.source = source;
    paid.receipt = source == OBSERVED_BY_QUERY ? NULL : receipt;
    paid.amount_minor = source == OBSERVED_BY_QUERY ? 0 : SHOP_AMOUNT;
    paid.phone = source == OBSERVED_BY_QUERY ? 0 : SHOP_PHONE;
    return shop_claims(s, number, &paid);
}

static uint8_t fails(struct shop *s, uint64_t number, enum observation_reason reason,
                     const char *code)
{
    struct shop_claim failed = {
        .source = OBSERVED_BY_CALLBACK, .verdict = OBSERVED_FAILED, .reason = reason, .code = code};
    return shop_claims(s, number, &failed);
}

/* ---- who there is ---- */

static void accounts(struct shop *s)
{
    struct merchant_command second = {.name = SPAN_LITERAL("Duka la Pili")};
    must_do(s, COMMAND_MERCHANT_OPEN, &second);
    struct api_key_command key = {.merchant = 1};
    memset(key.hash, 'w', sizeof(key.hash));
    must_do(s, COMMAND_API_KEY_OPEN, &key);
    struct provider_command paystack = {.kind = OBSERVED_AT_PAYSTACK,
                                        .target = 71,
                                        .base_url = SPAN_LITERAL("https://api.paystack.co"),
                                        .key = SPAN_LITERAL("sealed-key"),
                                        .secret = SPAN_LITERAL("sealed-secret"),
                                        .passkey = SPAN_LITERAL("sealed-passkey"),
                                        .initiator = SPAN_LITERAL("sealed-initiator"),
                                        .credential = SPAN_LITERAL("sealed-credential")};
    memset(paystack.token, 'w', sizeof(paystack.token));
    must_do(s, COMMAND_PROVIDER_OPEN, &paystack);
    struct endpoint_command all = {.target = 9,
                                   .url = SPAN_LITERAL("https://shop.example/hook"),
                                   .secret = SPAN_LITERAL("sealed-signing-one")};
    must_do(s, COMMAND_ENDPOINT_OPEN, &all);
    all.url = SPAN_LITERAL("https://gone.example/hook");
    all.target = 10;
    all.types = UINT64_C(1) << FEED_PAYMENT_SUCCEEDED | UINT64_C(1) << FEED_PAYMENT_FAILED;
    must_do(s, COMMAND_ENDPOINT_OPEN, &all);
    struct endpoint_rotate_command rotate = {.secret = SPAN_LITERAL("sealed-signing-two")};
    must_do(s, COMMAND_ENDPOINT_ROTATE, &rotate);
    struct endpoint_change_command change = {.endpoint = 1,
                                             .types = UINT64_C(1) << FEED_PAYMENT_SUCCEEDED};
    must_do(s, COMMAND_ENDPOINT_CHANGE, &change);
}

/* ---- payments ---- */

static void every_end(struct shop *s)
{
    uint64_t n = shop_pending(s, "INV-1");
    (void)pays(s, n, OBSERVED_BY_CALLBACK);
    (void)pays(s, n, OBSERVED_BY_CALLBACK); /* again */
    webhooks(s, 204);
    n = shop_pending(s, "INV-2");
    (void)fails(s, n, OBSERVED_REASON_CANCELLED, "1032");
    n = shop_pending(s, "INV-3");
    (void)fails(s, n, OBSERVED_REASON_EXPIRED, "1037");
    (void)pays(s, n, OBSERVED_BY_CALLBACK); /* after all */
    (void)fails(s, n, OBSERVED_REASON_FUNDS, "1");
    n = shop_pay(s, "INV-4");
    shop_answer(s, n, OBSERVED_REFUSED, OBSERVED_REASON_REQUEST, "");
    n = shop_pending(s, "INV-5");
    struct shop_claim less = shop_paid();
    less.receipt = "UA1A000500";
    less.amount_minor = SHOP_AMOUNT - 100;
    (void)shop_claims(s, n, &less);
    webhooks(s, 204);
    struct judgement_command judge = {.number = n,
                                      .judgement = JUDGEMENT_ACCEPT,
                                      .amount_minor = SHOP_AMOUNT - 100,
                                      .judge = SPAN_LITERAL("Wanjiru"),
                                      .note = SPAN_LITERAL("agreed by phone")};
    must_do(s, COMMAND_PAYMENT_JUDGE, &judge);
    n = shop_pay(s, "INV-6");
    shop_pass(s, 61 * SHOP_S); /* it never left */
    assert_int_equal(shop_payment(s, n)->state, GATEWAY_FAILED);
    withdraw(s);
}

/* What came before its payment knew its id, what never was a message, what did not arrive. */
static void loose_ends(struct shop *s)
{
    uint64_t n = shop_pay(s, "INV-7");
    struct shop_claim early = shop_paid();
    early.source = OBSERVED_BY_STATUS;
    early.reference = "ws_CO_EARLY";
    early.receipt = "UA1A000700";
    assert_int_equal(shop_claims(s, n, &early), NOTICE_ORPHAN);
    shop_answer(s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_EARLY");
    assert_int_equal(shop_payment(s, n)->state, GATEWAY_SUCCEEDED);
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct observation none;
    memset(&none, 0, sizeof(none));
    none.source = OBSERVED_BY_CALLBACK;
    none.verdict = OBSERVED_UNKNOWN;
    struct notice_command nonsense = {.claim = &none, .body = {"not\0json", 8}, .key = {5}};
    assert_true(shop_do(s, COMMAND_NOTICE, &nonsense, &reply) > 0);
    n = shop_pay(s, "INV-8");
    uint64_t item = shop_take(s, CALL_PUSH);
    struct payment_command sending = {.number = n};
    must_do(s, COMMAND_PAYMENT_SENDING, &sending);
    shop_fail(s, item, DELIVERY_CONNECT); /* surely nothing arrived: it waits for its next try */
    assert_int_equal(shop_payment(s, n)->sending, false);
    shop_pass(s, 100 * SHOP_S);
    withdraw(s);
    shop_pass(s, 60 * SHOP_S); /* the provider can be reached again */
}

/* Nobody tells: asked up the ladder to its end, and by the sweep; found in the statement. */
static void ladder(struct shop *s)
{
    uint64_t n = shop_pending(s, "INV-9");
    for (uint32_t hour = 0; hour < 60; hour++) {
        uint64_t question = shop_take(s, CALL_QUERY);
        if (question > 0) {
            shop_fail(s, question, DELIVERY_TIMEOUT);
        }
        shop_pass(s, 3600 * SHOP_S);
    }
    assert_true(shop_payment(s, n)->attention);
    withdraw(s);
    (void)pays(s, n, OBSERVED_BY_STATEMENT);
    n = shop_pending(s, "INV-10");
    shop_pass(s, 91 * SHOP_S);
    (void)pays(s, n, OBSERVED_BY_QUERY); /* without a receipt, which a callback brings */
    answered(s, shop_take(s, CALL_STATUS), 200, NULL);
    (void)pays(s, n, OBSERVED_BY_CALLBACK);
    shop_pass(s, 3600 * SHOP_S); /* the alert */
    assert_true(shop_told(s, FEED_ALERT_REPAIR_RATE) > 0);
    webhooks(s, 204);
}

/* An unknown payment is overridden, and both are paid: one is to be given back. */
static void twice(struct shop *s)
{
    uint64_t first = shop_pay(s, "INV-11");
    shop_answer(s, first, OBSERVED_UNKNOWN, OBSERVED_REASON_NONE, "");
    struct gateway_reply second = shop_create(s, "INV-11", first);
    assert_int_equal(second.refusal, GATEWAY_DONE);
    shop_answer(s, second.number, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_SECOND");
    struct shop_claim paid = shop_paid();
    paid.reference = "ws_CO_SECOND";
    paid.receipt = "UA1A001100";
    assert_int_equal(shop_claims(s, second.number, &paid), NOTICE_MOVED);
    (void)pays(s, first, OBSERVED_BY_CALLBACK);
    assert_int_equal(shop_told(s, FEED_REFUND_PROPOSED), 1);
}

static uint64_t create(struct shop *s, struct payment_create_command c)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    c.amount_minor = SHOP_AMOUNT;
    c.phone = SHOP_PHONE;
    key_of(s, c.key, c.token);
    assert_true(shop_do(s, COMMAND_PAYMENT_CREATE, &c, &reply) > 0);
    return reply.number;
}

static void escrow_front_and_paystack(struct shop *s)
{
    struct payment_create_command c = {.method = METHOD_MPESA_STK,
                                       .capture = CAPTURE_ESCROW,
                                       .order = SPAN_LITERAL("ESCROW-1"),
                                       .description = SPAN_LITERAL("held, then released")};
    uint64_t n = create(s, c);
    shop_answer(s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_ESCROW");
    struct shop_claim paid = shop_paid();
    paid.reference = "ws_CO_ESCROW";
    paid.receipt = "UA1A001200";
    assert_int_equal(shop_claims(s, n, &paid), NOTICE_MOVED);
    struct payment_command release = {.number = n};
    must_do(s, COMMAND_PAYMENT_RELEASE, &release);
    c = (struct payment_create_command){
        .method = METHOD_MPESA_STK,
        .capture = CAPTURE_WALLET,
        .order = SPAN_LITERAL("SAME#1"),
        .front = {.url = SPAN_LITERAL("http://app.example/callback"),
                  .reference = SPAN_LITERAL("SAME"),
                  .target = 77}};
    n = create(s, c);
    shop_answer(s, n, OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE, "ws_CO_FRONT");
    paid.reference = "ws_CO_FRONT";
    paid.receipt = "UA1A001300";
    assert_int_equal(shop_claims(s, n, &paid), NOTICE_MOVED);
    answered(s, shop_take(s, MESSAGE_FORWARD), 503, NULL);
    c = (struct payment_create_command){.method = METHOD_PAYSTACK,
                                        .provider = 1,
                                        .capture = CAPTURE_WALLET,
                                        .order = SPAN_LITERAL("CARD-1"),
                                        .reference = SPAN_LITERAL("hk-card-1"),
                                        .email = SPAN_LITERAL("wanjiku@example.com")};
    n = create(s, c);
    struct observation o;
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    memset(&o, 0, sizeof(o));
    o.kind = OBSERVED_PAYMENT;
    o.source = OBSERVED_BY_WEBHOOK;
    o.verdict = OBSERVED_SUCCEEDED;
    o.reference = SPAN_LITERAL("hk-card-1");
    o.receipt = SPAN_LITERAL("4099260516");
    o.has_amount = true;
    o.amount_minor = SHOP_AMOUNT;
    o.has_fee = true;
    o.fee_minor = 435;
    struct notice_command webhook = {.provider = 1,
                                     .claim = &o,
                                     .body = SPAN_LITERAL("{\"event\": \"charge.success\"}"),
                                     .key = {6}};
    struct payment_command sending = {.number = n};
    uint64_t item = shop_take(s, CALL_PUSH);
    must_do(s, COMMAND_PAYMENT_SENDING, &sending);
    answered(s, item, 200, NULL);
    assert_true(shop_do(s, COMMAND_NOTICE, &webhook, &reply) > 0);
    assert_int_equal(reply.effect, NOTICE_MOVED);
}

/* ---- payouts and refunds ---- */

static uint64_t pay_out(struct shop *s, int64_t amount_minor, uint64_t refunds, const char *id)
{
    static const struct gateway_front front = {
        .url = SPAN_LITERAL("http://app.example/result"),
        .reference = SPAN_LITERAL("wage-1"),
        .target = 77,
        .late_url = SPAN_LITERAL("http://app.example/late"),
        .late_target = 78,
        .command = 2,
        .occasion = SPAN_LITERAL("March"),
    };
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct gateway_reading reading;
    struct payout_command c = {.amount_minor = amount_minor,
                               .phone = SHOP_PHONE,
                               .refunds = refunds,
                               .reference = SPAN_LITERAL("SALARY")};
    if (refunds == 0 && amount_minor == 3000) { /* at Daraja's own path */
        c.front = front;
        c.reference = SPAN_LITERAL("wage-1#2");
    }
    key_of(s, c.key, c.token);
    assert_true(shop_do(s, COMMAND_PAYOUT_CREATE, &c, &reply) > 0);
    struct payment_command sending = {.number = reply.number};
    uint64_t item = shop_take(s, refunds != 0 ? CALL_REVERSAL : CALL_PAYOUT);
    must_do(s, COMMAND_PAYMENT_SENDING, &sending);
    memset(&reading, 0, sizeof(reading));
    reading.answer.kind = OBSERVED_PAYOUT;
    reading.answer.source = OBSERVED_BY_SUBMISSION;
    reading.answer.verdict = OBSERVED_IN_FLIGHT;
    reading.answer.reference = span_from(id);
    answered(s, item, 200, &reading);
    return reply.number;
}

/* The provider has no trace of a payout that may have left: it leaves again. */
static void resent(struct shop *s)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct payout_command c = {
        .amount_minor = 1000, .phone = SHOP_PHONE, .reference = SPAN_LITERAL("AGAIN")};
    struct shop_claim no_trace = {.source = OBSERVED_BY_STATUS,
                                  .verdict = OBSERVED_UNKNOWN,
                                  .reason = OBSERVED_REASON_NOT_FOUND,
                                  .code = "R000002"};
    key_of(s, c.key, c.token);
    assert_true(shop_do(s, COMMAND_PAYOUT_CREATE, &c, &reply) > 0);
    struct payment_command sending = {.number = reply.number};
    uint64_t item = shop_take(s, CALL_PAYOUT);
    must_do(s, COMMAND_PAYMENT_SENDING, &sending);
    shop_fail(s, item, DELIVERY_INTERRUPTED);
    assert_int_equal(shop_claims(s, sending.number, &no_trace), NOTICE_IN_FLIGHT);
    item = shop_take(s, CALL_PAYOUT);
    must_do(s, COMMAND_PAYMENT_SENDING, &sending);
    answered(s, item, 500, NULL);
}

static void money_out(struct shop *s)
{
    struct shop_claim done = {.source = OBSERVED_BY_CALLBACK,
                              .verdict = OBSERVED_SUCCEEDED,
                              .kind = OBSERVED_PAYOUT,
                              .reference = "AG_1",
                              .code = "0",
                              .amount_minor = 5000,
                              .receipt = "UA1B000001",
                              .phone = SHOP_PHONE};
    uint64_t n = pay_out(s, 5000, 0, "AG_1");
    assert_int_equal(shop_claims(s, n, &done), NOTICE_MOVED);
    resent(s);
    n = pay_out(s, 7000, 0, "AG_2");
    struct shop_claim failed = {.source = OBSERVED_BY_CALLBACK,
                                .verdict = OBSERVED_FAILED,
                                .kind = OBSERVED_PAYOUT,
                                .reason = OBSERVED_REASON_RECEIVER,
                                .reference = "AG_2",
                                .code = "2040"};
    assert_int_equal(shop_claims(s, n, &failed), NOTICE_MOVED);
    n = pay_out(s, 0, 1, "AG_3"); /* the first payment is given back */
    done.kind = OBSERVED_REFUND;
    done.reference = "AG_3";
    done.receipt = "UA1R000001";
    done.amount_minor = SHOP_AMOUNT;
    assert_int_equal(shop_claims(s, n, &done), NOTICE_MOVED);
    assert_int_equal(shop_payment(s, 1)->state, GATEWAY_REVERSED);
    n = pay_out(s, 3000, 0, "AG_4"); /* waits in the provider's queue, and is open at the end */
    struct shop_claim waits = {.source = OBSERVED_BY_CALLBACK,
                               .verdict = OBSERVED_UNKNOWN,
                               .kind = OBSERVED_PAYOUT,
                               .reason = OBSERVED_REASON_BUSY,
                               .reference = "AG_4",
                               .code = "0"};
    assert_int_equal(shop_claims(s, n, &waits), NOTICE_IN_FLIGHT);
    answered(s, shop_take(s, MESSAGE_LATE), 200, NULL);
}

/* ---- receipts and the provider's books ---- */

static void money_in(struct shop *s)
{
    struct provider_set_command set = {.when_unavailable = GATEWAY_UNAVAILABLE_QUEUE};
    must_do(s, COMMAND_PROVIDER_SET, &set);
    struct c2b_registration_command forward = {
        .forward_url = SPAN_LITERAL("http://app.example/c2b"), .forward_target = 79};
    must_do(s, COMMAND_C2B_URLS, &forward);
    answered(s, shop_take(s, CALL_REGISTER), 200, NULL);
    struct arrival a = {.source = OBSERVED_BY_CALLBACK,
                        .kind = OBSERVED_RECEIPT,
                        .receipt = "UA1C000001",
                        .account = "INV-2",
                        .amount_minor = 20000};
    assert_int_equal(arrives(s, a), NOTICE_MOVED); /* to an order that is known */
    answered(s, shop_take(s, MESSAGE_C2B), 200, NULL);
    a.receipt = "UA1C000002";
    a.account = "=HYPERLINK(\"http://x\")"; /* nobody's; and no formula */
    a.phone = SHOP_PHONE + 1;
    assert_int_equal(arrives(s, a), NOTICE_MOVED);
    assert_int_equal(arrives(s, a), NOTICE_CONFIRMS);
    struct receipt_assign_command assign = {.number = 2, .order = SPAN_LITERAL("INV, \"12\"")};
    must_do(s, COMMAND_RECEIPT_ASSIGN, &assign);
    /* The confirmation of a push comes first; then the push knows the number. */
    uint64_t n = shop_pending(s, "INV-13");
    a = (struct arrival){.source = OBSERVED_BY_CALLBACK,
                         .kind = OBSERVED_RECEIPT,
                         .receipt = "UA1C000003",
                         .account = "ELSEWHERE",
                         .amount_minor = SHOP_AMOUNT};
    assert_int_equal(arrives(s, a), NOTICE_MOVED);
    struct shop_claim paid = shop_paid();
    paid.receipt = "UA1C000003";
    assert_int_equal(shop_claims(s, n, &paid), NOTICE_MOVED);
    assert_int_equal(gateway_receipt(shop_gateway(s), 3)->state, RECEIPT_TAKEN_BACK);
}

static void provider_books(struct shop *s)
{
    static const struct arrival lines[] = {
        {OBSERVED_BY_STATEMENT, OBSERVED_RECEIPT, "UA1A000003", NULL, "INV-3", SHOP_AMOUNT - 100,
         0},
        {OBSERVED_BY_STATEMENT, OBSERVED_RECEIPT, "UA1C000004", NULL, "NOBODY", 700, 0},
        {OBSERVED_BY_PULL, OBSERVED_RECEIPT, "UA1C000004", NULL, "NOBODY", 700, 0},
        {OBSERVED_BY_STATEMENT, OBSERVED_RECEIPT, "UA1C000005", NULL, "SOON", 800, 0},
        {OBSERVED_BY_STATEMENT, OBSERVED_PAYOUT, "UA1B000009", NULL, NULL, 900, 0},
        {OBSERVED_BY_STATEMENT, OBSERVED_REFUND, "UA1R000009", "UA0Z000000", NULL, 900, 0},
        {OBSERVED_BY_STATEMENT, OBSERVED_REFUND, "UA1R000010", "UA1A000010", NULL, SHOP_AMOUNT, 0},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        (void)arrives(s, lines[i]);
    }
    struct receipt_assign_command assign = {.number = 5, .order = SPAN_LITERAL("INV-14")};
    must_do(s, COMMAND_RECEIPT_ASSIGN, &assign); /* its discrepancy ends by itself */
    struct payment_create_command rest = {.method = METHOD_MPESA_STK,
                                          .capture = CAPTURE_WALLET,
                                          .override_receipt = 5,
                                          .order = SPAN_LITERAL("INV-14")};
    (void)create(s, rest); /* asked for although it was paid by paybill */
    shop_answer(s, shop_gateway(s)->last_payment, OBSERVED_REFUSED, OBSERVED_REASON_REQUEST, "");
    struct discrepancy_command whole = {.kind = DISCREPANCY_BALANCE,
                                        .reference = SPAN_LITERAL("a statement")};
    must_do(s, COMMAND_DISAGREE, &whole);
    struct discrepancy_resolve_command resolve = {
        .number = 1, .owner = SPAN_LITERAL("Wanjiku"), .note = SPAN_LITERAL("asked the bank")};
    must_do(s, COMMAND_DISCREPANCY_RESOLVE, &resolve);
    resolve.reason = DISCREPANCY_IS_EXPLAINED;
    must_do(s, COMMAND_DISCREPANCY_RESOLVE, &resolve);
}

static void account_calls(struct shop *s)
{
    struct gateway_reading reading;
    memset(&reading, 0, sizeof(reading));
    reading.answer.source = OBSERVED_BY_SUBMISSION;
    reading.answer.verdict = OBSERVED_SUCCEEDED;
    reading.answer.words = SPAN_LITERAL("Success");
    struct c2b_registration_command urls = {.rule = GATEWAY_C2B_ACCEPTS_ORDERS, .cancels = true};
    must_do(s, COMMAND_C2B_URLS, &urls);
    struct callbacks_command token;
    memset(&token, 0, sizeof(token));
    memset(token.token, 'w', sizeof(token.token));
    token.token[0] = 'x';
    must_do(s, COMMAND_CALLBACKS_ROTATE, &token);
    must_do(s, COMMAND_CALLBACKS_RETIRE, &token);
    answered(s, shop_take(s, CALL_REGISTER), 200, &reading);
    struct pull_command pull = {
        .from_ns = s->now_ns - 3600 * SHOP_S, .until_ns = s->now_ns, .phone = SHOP_PHONE};
    must_do(s, COMMAND_PULL_NUMBER, &pull);
    answered(s, shop_take(s, CALL_PULL_REGISTER), 200, &reading);
    must_do(s, COMMAND_PULL, &pull);
    for (uint32_t rows = 30; rows < 60; rows += 15) {
        reading.rows = rows == 30 ? 30 : 0;
        answered(s, shop_take(s, CALL_PULL), 200, &reading);
    }
    struct shadow_command seen = {.status = 200,
                                  .duration_ms = 12,
                                  .path = SPAN_LITERAL("POST /mpesa/stkpush/v1/processrequest"),
                                  .request = SPAN_LITERAL("{\"Password\": \"***\"}"),
                                  .answer = SPAN_LITERAL("{\"ResponseCode\": \"0\"}")};
    must_do(s, COMMAND_SHADOW, &seen);
    seen.status = 0;
    seen.error = DELIVERY_CONNECT;
    seen.answer = SPAN_EMPTY;
    must_do(s, COMMAND_SHADOW, &seen);
}

/* Nothing reaches the application for days: dead letters, tried again by hand; an event again. */
static void dead_letters(struct shop *s)
{
    for (uint32_t hour = 0; hour < 120; hour++) {
        webhooks(s, 500);
        shop_pass(s, 3600 * SHOP_S);
    }
    uint64_t dead = 0;
    for (uint64_t n = 1; n <= s->book->outbox.last_number && dead == 0; n++) {
        const struct outbox_item *item = outbox_item(&s->book->outbox, n);
        bool letter = item != NULL && item->state == OUTBOX_DEAD;
        dead = letter && item->kind == MESSAGE_WEBHOOK ? n : 0;
    }
    assert_true(dead > 0);
    enum book_outcome outcome = BOOK_DONE;
    struct delivery_revive_command revive = {dead};
    assert_true(shop_do(s, COMMAND_DELIVERY_REVIVE, &revive, &outcome) > 0);
    webhooks(s, 204);
    struct event_replay_command again = {.seq = 1};
    must_do(s, COMMAND_EVENT_REPLAY, &again);
    webhooks(s, 204);
}

/* ---- the story ---- */

static void checkpoint(struct shop *s)
{
    struct checkpoint_command c = {s->book->position, book_digest(s->book)};
    enum book_outcome outcome = BOOK_DONE;
    assert_true(shop_do(s, COMMAND_CHECKPOINT, &c, &outcome) > 0);
}

static void reset(struct shop *s)
{
    struct gateway_seed_command c = {.name = SPAN_LITERAL("Shop"), .has_provider = true};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    c.has_key = true;
    memset(c.key_hash, 'w', sizeof(c.key_hash));
    c.provider.kind = OBSERVED_AT_DARAJA;
    c.provider.short_code = SHOP_PAYBILL;
    c.provider.target = 70;
    memset(c.provider.token, 'w', sizeof(c.provider.token));
    assert_true(shop_do(s, COMMAND_GATEWAY_SEED, &c, &reply) > 0);
}

void golden_shop_first(struct shop *s)
{
    shop_start(s);
    accounts(s);
    every_end(s);
    loose_ends(s);
    ladder(s);
    twice(s);
    checkpoint(s);
    escrow_front_and_paystack(s);
    money_out(s);
    money_in(s);
    provider_books(s);
    account_calls(s);
    dead_letters(s);
}

/* What ended leaves, comes home for a callback that comes again, and leaves again; its key, too. */
static void closing(struct shop *s)
{
    struct shop_claim paid = shop_paid();
    paid.receipt = "UA7C000001";
    shop_with_attic(s);
    uint64_t number = shop_pending(s, "OLD-1");
    assert_int_equal(shop_claims(s, number, &paid), NOTICE_MOVED);
    shop_pass(s, 30 * 3600 * SHOP_S);
    assert_true(shop_clear(s, 3600 * SHOP_S, false) >= 1);
    assert_int_equal(shop_claims(s, number, &paid), NOTICE_CONFIRMS);
    assert_int_equal(shop_create(s, "OLD-1", 0).refusal, GATEWAY_ORDER_PAID);
    checkpoint(s);
    assert_true(shop_clear(s, 3600 * SHOP_S, false) >= 1);
}

uint64_t golden_shop(struct shop *s)
{
    golden_shop_first(s);
    uint64_t before_reset = s->book->position;
    reset(s);
    (void)pays(s, shop_pending(s, "AGAIN-1"), OBSERVED_BY_CALLBACK);
    (void)shop_pending(s, "AGAIN-2");
    closing(s);
    checkpoint(s);
    return before_reset;
}

void golden_shop_write(const struct shop *s, const char *directory)
{
    struct reader frames = reader_init(s->frames, s->frames_size);
    assert_int_equal(golden_frames_write(&frames, "merchant", directory), s->book->position);
}
