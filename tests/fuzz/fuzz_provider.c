/*
 * fuzz_provider.c - any bytes as the answer to every call and as a message at every door, of both
 * providers; and as every text of a call that is written.
 *
 * Must hold: at least one observation, of known numbers; a definite verdict never about nothing; no
 * verdict on an unsigned webhook; what is written has no line of its own in it.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/caltime.h"
#include "provider/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_scratch *scratch;

static void take(void *context, const struct observation *seen)
{
    uint32_t *count = context;
    (*count)++;
    CHECK(seen->verdict >= OBSERVED_UNKNOWN && seen->verdict <= OBSERVED_REFUSED);
    CHECK(seen->kind <= OBSERVED_TRANSFER && seen->reason <= OBSERVED_REASON_OTHER);
    CHECK(seen->source >= OBSERVED_BY_SUBMISSION && seen->source <= OBSERVED_BY_STATEMENT);
    CHECK(seen->phone == 0 || seen->phone / 1000000000000 == 0);
    CHECK(seen->at_ns == 0 || caltime_in_range(seen->at_ns));
    CHECK(seen->currency[3] == '\0');
}

static void fuzz_reading(const struct provider_account *account, struct span body)
{
    static const uint32_t statuses[] = {200, 400, 404, 500};
    for (uint32_t kind = PROVIDER_CALL_PUSH; kind <= PROVIDER_CALL_REFUND_QUERY; kind++) {
        const struct provider_call call = {.kind = (enum provider_call_kind)kind,
                                           .provider_id = SPAN_LITERAL("ws_CO_1"),
                                           .our_id = SPAN_LITERAL("po-1")};
        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
            const struct provider_reply reply = {DELIVERY_ANSWERED, statuses[i], body};
            uint32_t count = 0;
            provider_read_reply(account, &call, &reply, scratch, take, &count);
            CHECK(count > 0);
        }
    }
    for (uint32_t door = PROVIDER_DOOR_STK; door <= PROVIDER_DOOR_WEBHOOK; door++) {
        for (uint32_t flags = 0; flags < 4; flags++) {
            const struct provider_message message = {(enum provider_door)door, (flags & 1) != 0,
                                                     (flags & 2) != 0, body};
            uint32_t count = 0;
            provider_read_message(account, &message, scratch, take, &count);
            CHECK(count > 0);
        }
    }
}

static void fuzz_writing(struct provider_account account, struct span text)
{
    static char buffer[PROVIDER_REQUEST_BYTES_MAX];
    struct provider_request request;
    if (memchr(text.data, '\0', text.size) != NULL) {
        return; /* texts come out of JSON, where \u0000 is refused (wire/json.h) */
    }
    for (uint32_t kind = PROVIDER_CALL_PUSH; kind <= PROVIDER_CALL_REFUND_QUERY; kind++) {
        const struct provider_call call = {.kind = (enum provider_call_kind)kind,
                                           .amount_minor = 100,
                                           .phone = 254708374149,
                                           .our_id = text,
                                           .provider_id = text,
                                           .receipt = text,
                                           .account = text,
                                           .description = text,
                                           .callback_url = text,
                                           .timeout_url = text,
                                           .email = text,
                                           .recipient = text,
                                           .token = SPAN_LITERAL("t")};
        if (provider_write(&account, &call, buffer, &request) != NULL) {
            continue;
        }
        const char *why;
        CHECK(request.body.size == 0 || json_parse(scratch, request.body, &why) != NULL);
        for (size_t i = 0; i < request.url.size; i++) {
            CHECK(request.url.data[i] > ' ' && request.url.data[i] <= '~');
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = {(const char *)data, size};
    struct provider_account account = {.short_code = 600000,
                                       .base_url = SPAN_LITERAL("https://p.example"),
                                       .key = SPAN_LITERAL("k"),
                                       .secret = SPAN_LITERAL("s"),
                                       .passkey = SPAN_LITERAL("p"),
                                       .initiator = SPAN_LITERAL("i"),
                                       .credential = SPAN_LITERAL("c")};
    if (scratch == NULL) {
        scratch = json_scratch_create();
    }
    account.provider = OBSERVED_AT_DARAJA;
    fuzz_reading(&account, body);
    fuzz_writing(account, body);
    account.provider = OBSERVED_AT_PAYSTACK;
    fuzz_reading(&account, body);
    fuzz_writing(account, body);
    return 0;
}
