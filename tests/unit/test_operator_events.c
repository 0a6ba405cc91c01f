/*
 * test_operator_events.c - the operator's events in bytes: each kind there and back, every cut and
 * every byte too many refused, values that no program writes refused, and fixed bytes, since they
 * are read back for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "operator/events.h"

/* A false CHECK ends the test, and is what some tests expect. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(t)            \
    {                      \
        (t), sizeof(t) - 1 \
    }
#define BYTES                                                 \
    {                                                         \
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 \
    }

/* An empty list of rules; an order of the rule "x" for nothing out of the way. */
#define LIST TEXT("\0")
#define ORDER                               \
    TEXT("\1\0\0\0\0\0\0\0"                 \
         "\0\2"                             \
         "\1\0x"                            \
         "\1\0\0\0"                         \
         "\0\0\0\0"                         \
         "\0\0\0\0"                         \
         "\0"                               \
         "\0\0\0\0"                         \
         "\0\0\0\0"                         \
         "\1\0"                             \
         "\377\377\377\377\377\377\377\377" \
         "\0\0\0\0"                         \
         "\0\0\0\0"                         \
         "\0\0\0\0"                         \
         "\0"                               \
         "\0\0\0\0")

struct sample {
    struct operator_event e;
    size_t size;
    uint64_t hash; /* of the bytes: a changed encoding is a new kind, never a changed one */
};

/* clang-format off */
static const struct sample samples[] = {
    {{.kind = EVENT_PERSON_KEPT, .slot = 7, .msisdn = 254712345678, .name = TEXT("Anna Wanjiru")},
     26, 0x1e00b8731830e79bu},
    {{.kind = EVENT_SUBSCRIBER_OPENED, .slot = 7, .account = 9, .verifier = BYTES,
      .key_version = 2, .approves = true},
     26, 0x126a6b052ac9e64eu},
    {{.kind = EVENT_SUBSCRIBER_SEEN, .slot = 0xfffffffe},
     4, 0x94d68d8c123dda1du},
    {{.kind = EVENT_SUBSCRIBER_CHANGED, .slot = 7, .status = SUBSCRIBER_SUSPENDED,
      .reachable = true, .sim_swapped_ns = -5},
     14, 0x693e6bf243005495u},
    {{.kind = EVENT_PIN_SET, .slot = 7, .verifier = BYTES, .key_version = 255},
     21, 0x6b457d6796b6df9du},
    {{.kind = EVENT_PIN_TRIED, .slot = 7, .failures = 3},
     5, 0x7bd12b4434238083u},
    {{.kind = EVENT_NETWORK_OPENED, .account = 1, .accounts = {2}},
     8, 0x72aa3df9eea23bc4u},
    {{.kind = EVENT_ORGANISATION_OPENED, .slot = 3, .short_code = 174379, .type = 2, .charges = 3,
      .accounts = {10, 11, 12, 13}},
     26, 0x385f0aec5d04035du},
    {{.kind = EVENT_ORGANISATION_KEPT, .slot = 3, .name = TEXT("Duka la Juma"),
      .initiator = TEXT("testapi"), .secrets = {TEXT("one"), TEXT(""), TEXT("three"), TEXT("4")}},
     44, 0xc167e2848b4bbb11u},
    {{.kind = EVENT_STK_TEXTS_KEPT, .number = 77, .url = TEXT("https://shop.example/cb"),
      .reference = TEXT("INV-1"), .description = TEXT(""), .fingerprint = BYTES},
     58, 0xd93174769c8cbac0u},
    {{.kind = EVENT_STK_ACCEPTED, .number = 77, .slot = 7, .short_code = 174379,
      .party_b = 5551234, .type = 2, .amount_minor = 123456, .checkout_serial = 4711,
      .target = 0x123456789abcdef},
     41, 0xa317e9240c369245u},
    {{.kind = EVENT_STK_PROMPTED, .number = 77, .expires_ns = 1769841060000000000,
      .reachable = true},
     17, 0xffe238ef6587869au},
    {{.kind = EVENT_STK_ANSWERED, .number = 77, .answer = ANSWER_CANCEL, .verifier = BYTES},
     25, 0xd651f3b1a81fe77fu},
    {{.kind = EVENT_STK_ENDED, .number = 77, .outcome = STK_PAID, .receipt_day = 20484,
      .receipt = 78364164095},
     21, 0x453d6f1dbd7e7e7fu},
    {{.kind = EVENT_REQUEST_TEXTS_KEPT, .number = 9, .conversation = TEXT("600997_Test_1"),
      .url = TEXT("https://shop.example/result"), .timeout_url = TEXT("https://shop.example/late"),
      .reference = TEXT("353353"), .remarks = TEXT("wages"), .occasion = TEXT("")},
     96, 0xbf504517715af702u},
    {{.kind = EVENT_REQUEST_ACCEPTED_1, .number = 9, .request_kind = REQUEST_B2C, .command = 2,
      .party_type = PARTY_MSISDN, .initiator_good = true, .short_code = 600000,
      .party = 254712345678, .amount_minor = 123400, .original = 5, .target = 7,
      .timeout_target = 8},
     56, 0xa742597d1e5800e6u},
    {{.kind = EVENT_REQUEST_ASKED, .number = 9, .expires_ns = 1769841060000000000,
      .has_message = true},
     17, 0xd991681a97033336u},
    {{.kind = EVENT_REQUEST_ENDED, .number = 9, .outcome = REQUEST_DONE, .has_receipt = true,
      .receipt_day = 20484, .receipt = 78364164095, .charge_minor = 900},
     30, 0x2905e70104eed6abu},
    {{.kind = EVENT_REQUEST_LOOKED_UP, .number = 9, .original = 15, .seen = STK_SUCCESS},
     17, 0xe1541aee50102be8u},
    {{.kind = EVENT_REQUEST_AMOUNT_SET, .number = 9, .amount_minor = 5000000},
     16, 0x2674a189fa97ce11u},
    {{.kind = EVENT_REQUEST_PROMPTED, .number = 9, .slot = 7, .expires_ns = 1769841060000000000,
      .reachable = true},
     21, 0x5285d90075d382f1u},
    {{.kind = EVENT_REQUEST_HELD, .number = 9, .expires_ns = 1769841030000000000,
      .turn_ns = 1769841060000000000},
     24, 0x1ad8542d3e8e7fd8u},
    {{.kind = EVENT_REQUEST_QUEUED, .number = 9},
     8, 0xa53346d50db4e28du},
    {{.kind = EVENT_REQUEST_TIMED_OUT, .number = 9},
     8, 0xee61bdd3dbe0b8d9u},
    {{.kind = EVENT_ORGANISATION_CHANGED, .slot = 3, .active = true, .nominated = 7,
      .queue_delay_ns = 60000000000},
     17, 0x8147fb494e5142cbu},
    {{.kind = EVENT_RULES_SET, .origin = RULE_ORIGIN_MAGIC, .orders = LIST},
     4, 0x93551e6a26305270u},
    {{.kind = EVENT_RULES_COUNTED, .applied = 0x81, .orders = TEXT("\x02\x81")},
     5, 0xefefe1a283a4cfdeu},
    {{.kind = EVENT_STK_RULED, .number = 77, .orders = ORDER}, 71, 0x7a50f39baba5ece4u},
    {{.kind = EVENT_MESSAGE_HELD, .number = 78}, 8, 0x6cfa5251fe50576cu},
    {{.kind = EVENT_MESSAGE_LET_GO, .number = 78}, 8, 0x979c241033012a3fu},
    {{.kind = EVENT_STANDING_ORDER_ASKED, .number = 4, .request = 9,
      .terms = {.start_day = 20484, .end_day = 20849, .frequency = STANDING_MONTHLY}},
     25, 0x135eddcf01376bc0u},
    {{.kind = EVENT_STANDING_ORDER_OPENED, .number = 4, .expires_ns = 1769828400000000000},
     16, 0xb72ea3fc82c96e8fu},
    {{.kind = EVENT_STANDING_ORDER_RAN, .number = 4, .request = 10,
      .expires_ns = 1772247600000000000},
     24, 0x08ba409d49d67049u},
    {{.kind = EVENT_STANDING_ORDER_CANCELLED_1, .number = 4}, 8, 0xb739f630eb3a77f3u},
    {{.kind = EVENT_REQUEST_RULED, .number = 9, .orders = ORDER}, 71, 0x5d6cf8fdc8277f7au},
    {{.kind = EVENT_BILLER_KEPT, .slot = 3, .approves = true, .target = 91,
      .url = TEXT("https://shop.example/bill"), .name = TEXT("a@b.c"),
      .reference = TEXT("0722000000")},
     59, 0xc8324b8e3e53b03bu},
    {{.kind = EVENT_INVOICE_KEPT, .number = 4, .short_code = 174379, .msisdn = 254722000000,
      .amount_minor = 80000, .receipt_day = 20500, .reference = TEXT("#9932340"),
      .conversation = TEXT("1ASD678H"), .name = TEXT("John Doe"), .remarks = TEXT("August 2021"),
      .occasion = TEXT("Jentrys"), .orders = TEXT("[]")},
     88, 0x0aff08a3781f7587u},
    {{.kind = EVENT_INVOICE_PAID, .number = 4, .amount_minor = 40000, .request = 7},
     24, 0xadc90844eba2cd78u},
    {{.kind = EVENT_INVOICE_CANCELLED, .number = 4}, 8, 0xdeb29ed30166f7a4u},
    {{.kind = EVENT_INCOME_ACKNOWLEDGED, .number = 7}, 8, 0xf5ea6a9edd4a1df5u},
    {{.kind = EVENT_C2B_URLS_KEPT, .slot = 3, .version = 2, .response_type = 1, .target = 71,
      .validation_target = 72, .url = TEXT("https://shop.example/c"),
      .validation_url = TEXT("https://shop.example/v")},
     70, 0x717fb5f38cc5bd08u},
    {{.kind = EVENT_VALIDATION_SET, .slot = 3, .validates = true},
     5, 0xae80463a34105585u},
    {{.kind = EVENT_PULL_REGISTERED, .slot = 3, .msisdn = 254712345678,
      .url = TEXT("https://shop.example/p")},
     36, 0x3fe08b270016df23u},
    {{.kind = EVENT_REQUEST_ANSWERED, .number = 9, .reference = TEXT("TP-1")},
     14, 0x30e4f0b26fd277deu},
    {{.kind = EVENT_RECEIPT_RESERVED, .number = 9, .receipt_day = 20484, .receipt = 78364164095},
     20, 0x7044073186514f20u},
    {{.kind = EVENT_REQUEST_PARTY_KEPT, .number = 9, .party = 254712345678},
     16, 0x0fe1740470787cccu},
    {{.kind = EVENT_REQUEST_ACCEPTED, .number = 9, .request_kind = REQUEST_B2B, .command = 2,
      .party_type = PARTY_SHORT_CODE, .initiator_good = true, .short_code = 600000,
      .party = 600999, .amount_minor = 123400, .original = 5, .target = 7, .timeout_target = 8},
     56, 0x6fd58a569545df49u},
    {{.kind = EVENT_PAYSTACK_KEPT, .slot = 3, .active = true, .target = 9, .fingerprint = {7},
      .url = TEXT("https://shop.example/p"), .secrets = {TEXT("sealed")}},
     61, 0xc90a0bfc1f84bf4bu},
    {{.kind = EVENT_PAYSTACK_PHONE_KEPT, .number = 9, .msisdn = 254712345678}, 16,
     0x152449cb87857ef5u},
    {{.kind = EVENT_REQUEST_MESSAGE_RULED, .number = 9, .orders = ORDER}, 71, 0x4d56250a86a6d537u},
    {{.kind = EVENT_STANDING_ORDER_CANCELLED, .number = 4}, 8, 0xfe29ed2a68e15085u},
};
/* clang-format on */

static size_t encode(const struct operator_event *e, uint8_t *bytes, size_t room)
{
    struct writer w = writer_init(bytes, room);
    operator_event_encode(&w, e);
    assert_false(w.overflow);
    return w.size;
}

static void compare_texts(const struct operator_event *a, const struct operator_event *b)
{
    assert_true(span_equal(a->name, b->name));
    assert_true(span_equal(a->initiator, b->initiator));
    assert_true(span_equal(a->url, b->url));
    assert_true(span_equal(a->reference, b->reference));
    assert_true(span_equal(a->description, b->description));
    assert_true(span_equal(a->conversation, b->conversation));
    assert_true(span_equal(a->timeout_url, b->timeout_url));
    assert_true(span_equal(a->remarks, b->remarks));
    assert_true(span_equal(a->occasion, b->occasion));
    assert_true(span_equal(a->orders, b->orders));
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        assert_true(span_equal(a->secrets[i], b->secrets[i]));
    }
}

static void compare_requests(const struct operator_event *a, const struct operator_event *b)
{
    assert_int_equal(a->request_kind, b->request_kind);
    assert_int_equal(a->command, b->command);
    assert_int_equal(a->party_type, b->party_type);
    assert_int_equal(a->initiator_good, b->initiator_good);
    assert_int_equal(a->party, b->party);
    assert_int_equal(a->original, b->original);
    assert_int_equal(a->timeout_target, b->timeout_target);
    assert_int_equal(a->has_message, b->has_message);
    assert_int_equal(a->has_receipt, b->has_receipt);
    assert_int_equal(a->charge_minor, b->charge_minor);
    assert_int_equal(a->seen, b->seen);
    assert_int_equal(a->turn_ns, b->turn_ns);
    assert_int_equal(a->active, b->active);
    assert_int_equal(a->nominated, b->nominated);
    assert_int_equal(a->queue_delay_ns, b->queue_delay_ns);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->response_type, b->response_type);
    assert_true(span_equal(a->validation_url, b->validation_url));
    assert_int_equal(a->validation_target, b->validation_target);
    assert_int_equal(a->validates, b->validates);
}

static void compare_events(const struct operator_event *a, const struct operator_event *b)
{
    compare_texts(a, b);
    compare_requests(a, b);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->slot, b->slot);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->msisdn, b->msisdn);
    assert_int_equal(a->account, b->account);
    assert_memory_equal(a->accounts, b->accounts, sizeof(a->accounts));
    assert_memory_equal(a->verifier, b->verifier, sizeof(a->verifier));
    assert_memory_equal(a->fingerprint, b->fingerprint, sizeof(a->fingerprint));
    assert_int_equal(a->key_version, b->key_version);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->reachable, b->reachable);
    assert_int_equal(a->approves, b->approves);
    assert_int_equal(a->failures, b->failures);
    assert_int_equal(a->sim_swapped_ns, b->sim_swapped_ns);
    assert_int_equal(a->short_code, b->short_code);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->charges, b->charges);
    assert_int_equal(a->party_b, b->party_b);
    assert_int_equal(a->amount_minor, b->amount_minor);
    assert_int_equal(a->checkout_serial, b->checkout_serial);
    assert_int_equal(a->target, b->target);
    assert_int_equal(a->expires_ns, b->expires_ns);
    assert_int_equal(a->answer, b->answer);
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->receipt_day, b->receipt_day);
    assert_int_equal(a->receipt, b->receipt);
    assert_int_equal(a->origin, b->origin);
    assert_int_equal(a->applied, b->applied);
}

/* Every kind of the table has a sample here. */
static void test_every_kind_is_sampled(void **state)
{
    (void)state;
    static const uint16_t kinds[] = {
#define X(name, number, text) number,
        OPERATOR_EVENTS(X)
#undef X
    };
    assert_int_equal(COUNT(samples), COUNT(kinds));
    for (size_t i = 0; i < COUNT(kinds); i++) {
        assert_int_equal(samples[i].e.kind, kinds[i]);
        assert_true(kinds[i] >= OPERATOR_EVENT_FIRST && kinds[i] <= OPERATOR_EVENT_LAST);
        assert_non_null(operator_event_name(kinds[i]));
    }
    assert_string_equal(operator_event_name(EVENT_STK_ENDED), "stk_ended");
    assert_null(operator_event_name(0));
    assert_null(operator_event_name(63));
    assert_null(operator_event_name(73)); /* not given yet */
    assert_null(operator_event_name(OPERATOR_EVENT_LAST + 1));
}

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t bytes[256];
        size_t size = encode(&samples[i].e, bytes, sizeof(bytes));
        uint64_t hash = hash_bytes(bytes, size, samples[i].e.kind);
        if (size != samples[i].size || hash != samples[i].hash) {
            fail_msg("%s: %zu bytes, 0x%016llxu", operator_event_name(samples[i].e.kind), size,
                     (unsigned long long)hash);
        }
        struct operator_event read;
        struct reader r = reader_init(bytes, size);
        assert_true(operator_event_decode(samples[i].e.kind, &r, &read));
        compare_events(&read, &samples[i].e);
    }
}

static void test_cut_and_too_long(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t bytes[256] = {0};
        size_t size = encode(&samples[i].e, bytes, sizeof(bytes));
        for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
            struct operator_event read;
            struct reader r = reader_init(bytes, cut);
            assert_int_equal(operator_event_decode(samples[i].e.kind, &r, &read), cut == size);
        }
    }
}

/* As the bytes of one kind, those of another are never misread beyond their end. */
static void test_kinds_confused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t bytes[256];
        size_t size = encode(&samples[i].e, bytes, sizeof(bytes));
        uint8_t *exact = malloc(size); /* so that the sanitizer sees its end */
        assert_non_null(exact);
        memcpy(exact, bytes, size);
        for (uint32_t kind = 0; kind < 300; kind++) {
            struct operator_event read;
            struct reader r = reader_init(exact, size);
            bool fine = operator_event_decode((uint16_t)kind, &r, &read);
            assert_true(!fine || operator_event_name((uint16_t)kind) != NULL);
        }
        free(exact);
    }
}

/* R2.8: a request that is with a phone does not hold its number; an old one may. */
static void test_phone_numbers_stand_apart(void **state)
{
    (void)state;
    struct operator_event e = {.kind = EVENT_REQUEST_ACCEPTED_1,
                               .number = 9,
                               .request_kind = REQUEST_B2C,
                               .party_type = PARTY_MSISDN,
                               .party = 254712345678};
    struct operator_event read;
    uint8_t bytes[256];
    struct reader r = reader_init(bytes, encode(&e, bytes, sizeof(bytes)));
    assert_true(operator_event_decode(EVENT_REQUEST_ACCEPTED_1, &r, &read));
    r = reader_init(bytes, 56);
    assert_false(operator_event_decode(EVENT_REQUEST_ACCEPTED, &r, &read));
    e.kind = EVENT_REQUEST_PARTY_KEPT;
    e.party = 0;
    r = reader_init(bytes, encode(&e, bytes, sizeof(bytes)));
    assert_false(operator_event_decode(EVENT_REQUEST_PARTY_KEPT, &r, &read));
}

/* Every value of a byte that has few legal ones. */
static void test_values_refused(void **state)
{
    (void)state;
    static const struct {
        uint16_t kind;
        size_t at;
        uint8_t least, most;
    } cases[] = {
        {EVENT_SUBSCRIBER_OPENED, 25, 0, 1},
        {EVENT_SUBSCRIBER_CHANGED, 4, 0, SUBSCRIBER_SUSPENDED},
        {EVENT_SUBSCRIBER_CHANGED, 5, 0, 1},
        {EVENT_ORGANISATION_OPENED, 8, ORGANISATION_PAYBILL, ORGANISATION_BULK},
        {EVENT_ORGANISATION_OPENED, 9, CHARGES_CUSTOMER, CHARGES_BUSINESS},
        {EVENT_STK_ACCEPTED, 20, 1, 2},
        {EVENT_STK_ACCEPTED, 28, 0, 127}, /* the amount's highest byte: none below zero */
        {EVENT_STK_PROMPTED, 16, 0, 1},
        {EVENT_STK_ANSWERED, 8, ANSWER_APPROVE, ANSWER_CANCEL},
        {EVENT_STK_ENDED, 8, STK_PAID, STK_OUTCOME_LAST},
        {EVENT_REQUEST_LOOKED_UP, 16, STK_PENDING, STK_STATE_CANCELLED},
        {EVENT_REQUEST_PROMPTED, 20, 0, 1},
        {EVENT_ORGANISATION_CHANGED, 4, 0, 1},
        {EVENT_ORGANISATION_CHANGED, 16, 0, 127},
        {EVENT_RULES_SET, 0, RULE_ORIGIN_USER, RULE_ORIGIN_MAGIC},
        {EVENT_BILLER_KEPT, 4, 0, 1},
        {EVENT_INVOICE_KEPT, 0, 1, 255}, /* there is no invoice 0 */
        {EVENT_INVOICE_KEPT, 27, 0, 0},  /* the amount's highest byte: none so large */
        {EVENT_PAYSTACK_KEPT, 4, 0, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t s = 0;
        while (samples[s].e.kind != cases[i].kind) {
            s++;
        }
        uint8_t bytes[256];
        size_t size = encode(&samples[s].e, bytes, sizeof(bytes));
        for (uint32_t value = 0; value < 256; value++) {
            bytes[cases[i].at] = (uint8_t)value;
            struct operator_event read;
            struct reader r = reader_init(bytes, size);
            assert_int_equal(operator_event_decode(cases[i].kind, &r, &read),
                             value >= cases[i].least && value <= cases[i].most);
        }
    }
}

/* A name of one byte more than 65,535 does not fit the format: the writer says so. */
static void test_text_too_long(void **state)
{
    (void)state;
    static char large[UINT16_MAX + 1];
    static uint8_t bytes[sizeof(large) + 64];
    struct operator_event e = {.kind = EVENT_PERSON_KEPT, .name = {large, sizeof(large)}};
    struct writer w = writer_init(bytes, sizeof(bytes));
    operator_event_encode(&w, &e);
    assert_true(w.overflow);
    e.kind = 73;
    expect_assert_failure(operator_event_encode(&w, &e));
    e.kind = 85;
    expect_assert_failure(operator_event_encode(&w, &e));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_is_sampled),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cut_and_too_long),
        cmocka_unit_test(test_kinds_confused),
        cmocka_unit_test(test_phone_numbers_stand_apart),
        cmocka_unit_test(test_values_refused),
        cmocka_unit_test(test_text_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
