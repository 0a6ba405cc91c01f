/*
 * fuzz_paystack.c - any bytes as every request, answer, webhook and signature of Paystack.
 *
 * Must hold: what is accepted keeps the promises of its structure, and what is written from it fits
 * and is JSON again.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/caltime.h"
#include "wire/paystack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_scratch *scratch;
static char out[1024 * 1024];

static void check_json(const struct writer *w)
{
    const char *why;
    CHECK(!w->overflow);
    CHECK(json_parse(scratch, (struct span){(const char *)w->data, w->size}, &why) != NULL);
}

static void fuzz_requests(struct span body)
{
    struct paystack_payment payment;
    struct paystack_refund refund;
    struct paystack_transfer transfer;
    struct paystack_recipient recipient;
    struct writer w = writer_init(out, sizeof(out));
    for (uint32_t is_charge = 0; is_charge < 2; is_charge++) {
        if (paystack_payment_parse(body, is_charge == 1, scratch, &payment) == NULL) {
            CHECK(payment.amount_minor > 0 && payment.email.size > 0);
            CHECK(payment.reference.size == 0 || paystack_reference_is_good(payment.reference));
        }
    }
    if (paystack_refund_parse(body, scratch, &refund) == NULL) {
        CHECK(refund.transaction.size > 0 && refund.amount_minor >= 0);
    }
    if (paystack_transfer_parse(body, scratch, &transfer) == NULL) {
        CHECK(transfer.amount_minor > 0 && transfer.recipient.size > 0);
    }
    if (paystack_recipient_parse(body, scratch, &recipient) == NULL) {
        CHECK(recipient.name.size > 0);
        paystack_recipient_render(&w, &recipient);
        check_json(&w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t mac[PAYSTACK_SIGNATURE_BYTES] = {1};
    struct span body = {(const char *)data, size};
    struct paystack_answer answer;
    struct paystack_data read;
    struct paystack_webhook webhook;
    if (scratch == NULL) {
        scratch = json_scratch_create();
    }
    fuzz_requests(body);
    paystack_answer_read(body, scratch, &answer);
    paystack_data_read(answer.data, scratch, &read);
    CHECK(IMPLIES(read.has_amount, read.amount_minor >= 0));
    CHECK(read.paid_ns == 0 || caltime_in_range(read.paid_ns));
    if (paystack_webhook_parse(body, scratch, &webhook)) {
        CHECK(webhook.event.size > 0 && webhook.data.reference.size > 0);
        const struct paystack_transaction t = {.status = "success",
                                               .reference = webhook.data.reference,
                                               .amount_minor = webhook.data.amount_minor,
                                               .email = webhook.event,
                                               .response = "",
                                               .domain = "test"};
        struct writer w = writer_init(out, sizeof(out));
        paystack_webhook_render(&w, "charge.success", &t);
        check_json(&w);
    }
    bool matches = paystack_signature_matches(body, mac);
    (void)matches;
    return 0;
}
