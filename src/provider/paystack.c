/*
 * paystack.c - what the gateway wants, as Paystack's requests, and what Paystack answers and sends,
 * as observations.
 *
 * Value is given only for data.status "success" with an amount (the caller compares amount and
 * currency); a webhook is believed only when it is signed. The reference is ours, chosen before the
 * charge is sent: whatever is lost can be asked about by it (docs/paystack-notes.md).
 */
#include <string.h>

#include "base/caltime.h"
#include "provider/internal.h"
#include "wire/liberal.h"
#include "wire/paystack.h"

/* ---- requests ---- */

static void begin_request(const struct call_writer *c, const char *method, const char *path,
                          struct span last)
{
    c->out->method = method;
    put_raw(&c->r->w, c->account->base_url.data, c->account->base_url.size);
    json_raw(&c->r->w, path);
    put_raw(&c->r->w, last.data, last.size);
    c->out->url = provider__part(c->r);
    json_raw(&c->r->w, "Bearer ");
    put_raw(&c->r->w, c->account->secret.data, c->account->secret.size);
    c->out->authorization = provider__part(c->r);
}

/* The documented form of a phone: "+254710000000". */
static struct span phone_text(uint64_t phone, char room[24])
{
    struct writer w = writer_init(room, 24);
    put_u8(&w, '+');
    struct writer digits = writer_init(room + w.size, 23);
    json_put_u64(&digits, phone);
    return (struct span){room, w.size + digits.size};
}

static const char *refusal(const struct call_writer *c, bool needs_phone)
{
    uint64_t leading = c->call->phone / 100000000;
    if (!paystack_reference_is_good(c->call->our_id)) {
        return "a reference holds letters, digits, '-', '.', '=' and '_' only";
    }
    if (c->call->amount_minor <= 0) {
        return "the amount is not above zero";
    }
    return needs_phone && leading != 2547 && leading != 2541
               ? "the phone is not a Kenyan mobile number"
               : NULL;
}

static const char *write_payment(const struct call_writer *c, bool is_charge)
{
    char phone[24];
    const char *why = refusal(c, is_charge);
    if (why == NULL && c->call->email.size == 0) {
        why = "Paystack needs the customer's email address";
    }
    if (why != NULL) {
        return why;
    }
    const struct paystack_payment payment = {.email = c->call->email,
                                             .amount_minor = c->call->amount_minor,
                                             .reference = c->call->our_id,
                                             .callback_url =
                                                 is_charge ? SPAN_EMPTY : c->call->callback_url,
                                             .phone = phone_text(c->call->phone, phone),
                                             .provider = SPAN_LITERAL("mpesa")};
    begin_request(c, "POST", is_charge ? "/charge" : "/transaction/initialize", SPAN_EMPTY);
    struct writer body = provider__body(c);
    if (is_charge) {
        paystack_charge_render(&body, &payment);
    } else {
        paystack_initialize_render(&body, &payment);
    }
    return provider__body_end(c, &body);
}

static const char *write_question(const struct call_writer *c, const char *path)
{
    struct span named = c->call->our_id.size > 0 ? c->call->our_id : c->call->provider_id;
    if (!paystack_reference_is_good(named)) {
        return "there is no reference to ask about";
    }
    begin_request(c, "GET", path, named);
    return NULL;
}

static const char *write_refund(const struct call_writer *c)
{
    struct span named = c->call->our_id.size > 0 ? c->call->our_id : c->call->provider_id;
    const struct paystack_refund refund = {named, c->call->amount_minor, c->call->description};
    if (!paystack_reference_is_good(named) || c->call->amount_minor < 0) {
        return "a refund needs the reference of the transaction and no negative amount";
    }
    begin_request(c, "POST", "/refund", SPAN_EMPTY);
    struct writer body = provider__body(c);
    paystack_refund_render(&body, &refund);
    return provider__body_end(c, &body);
}

static const char *write_transfer(const struct call_writer *c)
{
    const char *why = refusal(c, false);
    if (why == NULL && c->call->recipient.size == 0) {
        why = "a transfer needs a recipient's code: PROVIDER_CALL_RECIPIENT gets one";
    }
    if (why != NULL) {
        return why;
    }
    const struct paystack_transfer transfer = {c->call->recipient, c->call->amount_minor,
                                               c->call->our_id, c->call->description};
    begin_request(c, "POST", "/transfer", SPAN_EMPTY);
    struct writer body = provider__body(c);
    paystack_transfer_render(&body, &transfer);
    return provider__body_end(c, &body);
}

static const char *write_recipient(const struct call_writer *c)
{
    char phone[24];
    uint64_t leading = c->call->phone / 100000000;
    if (leading != 2547 && leading != 2541) {
        return "the phone is not a Kenyan mobile number";
    }
    struct span name =
        c->call->account.size > 0 ? c->call->account : SPAN_LITERAL("M-PESA customer");
    struct span number = phone_text(c->call->phone, phone);
    const struct paystack_recipient recipient = {name, {number.data + 1, number.size - 1}};
    begin_request(c, "POST", "/transferrecipient", SPAN_EMPTY);
    struct writer body = provider__body(c);
    paystack_recipient_render(&body, &recipient);
    return provider__body_end(c, &body);
}

const char *provider__paystack_write(const struct provider_account *account,
                                     const struct provider_call *call, struct request_writer *r,
                                     struct provider_request *out)
{
    const struct call_writer c = {account, call, r, out};
    if (account->secret.size == 0) {
        return "the account has no secret key";
    }
    switch (call->kind) {
    case PROVIDER_CALL_PUSH: return write_payment(&c, true);
    case PROVIDER_CALL_INITIALIZE: return write_payment(&c, false);
    case PROVIDER_CALL_QUERY:
    case PROVIDER_CALL_REFUND_QUERY:
    case PROVIDER_CALL_STATUS: return write_question(&c, "/transaction/verify/");
    case PROVIDER_CALL_PAYOUT_QUERY: return write_question(&c, "/transfer/verify/");
    case PROVIDER_CALL_REVERSAL: return write_refund(&c);
    case PROVIDER_CALL_PAYOUT: return write_transfer(&c);
    case PROVIDER_CALL_RECIPIENT: return write_recipient(&c);
    case PROVIDER_CALL_REGISTER:
    case PROVIDER_CALL_PULL:
    case PROVIDER_CALL_BALANCE:
    case PROVIDER_CALL_TOKEN:
    case PROVIDER_CALL_PULL_REGISTER: break;
    }
    return "Paystack has no such call";
}

/* ---- what a status means ---- */

struct status_row {
    const char *status;
    enum observation_verdict verdict;
    enum observation_reason reason;
};

static void judge(struct observation *seen, struct span status)
{
    static const struct status_row rows[] = {
        {"success", OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE},
        {"processed", OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE}, /* a refund */
        {"reversed", OBSERVED_SUCCEEDED, OBSERVED_REASON_REVERSED},
        {"failed", OBSERVED_FAILED, OBSERVED_REASON_OTHER},
        {"timeout", OBSERVED_FAILED, OBSERVED_REASON_EXPIRED},
        {"abandoned", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE}, /* may still be completed */
        {"ongoing", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"pending", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"processing", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"queued", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"otp", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"pay_offline", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"send_pin", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"send_otp", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"send_phone", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"send_birthday", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"send_address", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"open_url", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (span_is(status, rows[i].status)) {
            seen->verdict = rows[i].verdict;
            seen->reason = rows[i].reason;
            return;
        }
    }
}

static void describe(struct observation *seen, const struct paystack_data *data)
{
    seen->reference = data->reference;
    seen->own_reference = data->reference;
    seen->second_reference = data->id;
    seen->receipt = data->receipt;
    seen->code = data->status;
    seen->words = data->words;
    seen->party = data->payer.size > 0 ? data->payer : data->phone;
    seen->has_amount = data->has_amount;
    seen->amount_minor = data->amount_minor;
    seen->has_fee = data->has_fee;
    seen->fee_minor = data->fee_minor;
    seen->at_ns = data->paid_ns;
    if (!liberal_phone(data->payer, &seen->phone)) {
        seen->phone = 0; /* what the customer's profile says paid nothing */
    }
    if (data->currency.size == 3) {
        memcpy(seen->currency, data->currency.data, 3);
    }
}

/* A reversed transaction had succeeded: two claims. A success must say how much. */
static void give_judged(const struct reading *in, struct observation *seen, struct span status)
{
    judge(seen, status);
    bool reversed = seen->reason == OBSERVED_REASON_REVERSED;
    if (seen->verdict == OBSERVED_SUCCEEDED && !seen->has_amount) {
        seen->verdict = OBSERVED_UNKNOWN;
    }
    seen->reason = reversed ? OBSERVED_REASON_NONE : seen->reason;
    in->take(in->context, seen);
    if (reversed) {
        seen->kind = OBSERVED_REFUND;
        in->take(in->context, seen);
    }
}

/* ---- answers ---- */

static bool says(struct span text, const char *what)
{
    size_t size = strlen(what);
    for (size_t at = 0; at + size <= text.size; at++) {
        if (memcmp(text.data + at, what, size) == 0) {
            return true;
        }
    }
    return false;
}

/* {"status":false}: 4xx is a refusal, but for a reference that was used before: that one may well
 * have succeeded. Questions that failed say nothing about what they asked. */
static void judge_failure(struct observation *seen, const struct provider_reply *reply,
                          const struct paystack_answer *answer, bool question)
{
    bool told = answer->is_envelope && !answer->good;
    seen->words = answer->message;
    if (reply->http_status == 401 || reply->http_status == 403) {
        seen->reason = OBSERVED_REASON_CREDENTIALS;
    } else if (reply->http_status == 429) {
        seen->reason = OBSERVED_REASON_BUSY;
    } else if (told && (says(answer->message, "uplicate") || says(answer->message, "unique"))) {
        seen->reason = OBSERVED_REASON_DUPLICATE;
    } else if (told && says(answer->message, "not found")) {
        seen->reason = OBSERVED_REASON_NOT_FOUND;
    } else if (told && reply->http_status >= 400 && reply->http_status < 500) {
        seen->reason = OBSERVED_REASON_REQUEST;
    }
    bool refused = seen->reason != OBSERVED_REASON_NONE &&
                   seen->reason != OBSERVED_REASON_DUPLICATE && !question;
    seen->verdict = refused ? OBSERVED_REFUSED : OBSERVED_UNKNOWN;
}

static bool is_question(enum provider_call_kind kind)
{
    return kind == PROVIDER_CALL_QUERY || kind == PROVIDER_CALL_STATUS ||
           kind == PROVIDER_CALL_PAYOUT_QUERY || kind == PROVIDER_CALL_REFUND_QUERY;
}

/* An answer about another reference than the one asked for concludes nothing. */
static bool is_about(const struct provider_call *call, const struct paystack_data *data)
{
    struct span named = call->our_id.size > 0 ? call->our_id : call->provider_id;
    return data->reference.size == 0 || named.size == 0 || span_equal(data->reference, named);
}

/* Of the transaction that a refund gives back: reversed is the end, and while it is a success the
 * refund is under way. The receipt is the transaction's. */
static void give_refund(const struct reading *in, struct observation *seen, struct span status)
{
    bool back = span_is(status, "reversed");
    seen->receipt = SPAN_EMPTY;
    seen->verdict = back                         ? OBSERVED_SUCCEEDED
                    : span_is(status, "success") ? OBSERVED_IN_FLIGHT
                                                 : OBSERVED_UNKNOWN;
    in->take(in->context, seen);
}

static void read_data(const struct reading *in, const struct provider_call *call,
                      struct observation *seen, const struct json_object *data)
{
    struct paystack_data read;
    paystack_data_read(data, in->scratch, &read);
    describe(seen, &read);
    if (call->kind == PROVIDER_CALL_RECIPIENT) {
        seen->reference = read.recipient;
        seen->verdict = read.recipient.size > 0 ? OBSERVED_SUCCEEDED : OBSERVED_UNKNOWN;
        in->take(in->context, seen);
        return;
    }
    if (call->kind == PROVIDER_CALL_INITIALIZE) {
        seen->party = read.authorization_url; /* where the customer goes */
        seen->verdict = read.reference.size > 0 ? OBSERVED_IN_FLIGHT : OBSERVED_UNKNOWN;
        in->take(in->context, seen);
        return;
    }
    if (!is_about(call, &read)) {
        in->take(in->context, seen);
        return;
    }
    if (call->kind == PROVIDER_CALL_REFUND_QUERY) {
        give_refund(in, seen, read.status);
        return;
    }
    give_judged(in, seen, read.status);
}

void provider__paystack_reply(const struct reading *in, const struct provider_call *call,
                              const struct provider_reply *reply)
{
    bool question = is_question(call->kind);
    struct paystack_answer answer;
    /* verify names receipt and amount: as strong as a status. */
    struct observation seen =
        provider__observation(in->account, provider__kind_of(call->kind),
                              question ? OBSERVED_BY_STATUS : OBSERVED_BY_SUBMISSION);
    seen.own_reference = call->our_id;
    seen.reference = call->our_id;
    if (reply->error != DELIVERY_ANSWERED) {
        seen.verdict = question ? OBSERVED_UNKNOWN : provider__unanswered(reply->error);
        seen.reason = OBSERVED_REASON_BUSY;
        in->take(in->context, &seen);
        return;
    }
    paystack_answer_read(reply->body, in->scratch, &answer);
    if (!answer.good || answer.data == NULL || reply->http_status >= 300) {
        judge_failure(&seen, reply, &answer, question);
        in->take(in->context, &seen);
        return;
    }
    read_data(in, call, &seen, answer.data);
}

/* ---- webhooks ---- */

static enum observation_kind kind_of_event(struct span event)
{
    if (span_starts_with(event, SPAN_LITERAL("charge.dispute"))) {
        return OBSERVED_NOTHING; /* for a person */
    }
    if (span_starts_with(event, SPAN_LITERAL("charge."))) {
        return OBSERVED_PAYMENT;
    }
    if (span_starts_with(event, SPAN_LITERAL("refund."))) {
        return OBSERVED_REFUND;
    }
    return span_starts_with(event, SPAN_LITERAL("transfer.")) ? OBSERVED_PAYOUT : OBSERVED_NOTHING;
}

/* What the event says counts, and what data.status says must not contradict it. */
static struct span status_of_event(struct span event)
{
    size_t at = 0;
    while (at < event.size && event.data[at] != '.') {
        at++;
    }
    return at == event.size ? SPAN_EMPTY : (struct span){event.data + at + 1, event.size - at - 1};
}

static bool contradicts(struct span event_status, struct span data_status)
{
    struct observation a = {.verdict = OBSERVED_UNKNOWN};
    struct observation b = {.verdict = OBSERVED_UNKNOWN};
    judge(&a, event_status);
    judge(&b, data_status);
    return data_status.size > 0 && (a.verdict != b.verdict || a.reason != b.reason);
}

/* A transfer that was reversed did not reach anybody: the money is back. */
static void give_reversed_transfer(const struct reading *in, struct observation *seen)
{
    seen->verdict = OBSERVED_FAILED;
    seen->reason = OBSERVED_REASON_REVERSED;
    in->take(in->context, seen);
}

void provider__paystack_message(const struct reading *in, const struct provider_message *message)
{
    struct paystack_webhook webhook;
    struct observation seen =
        provider__observation(in->account, OBSERVED_NOTHING, OBSERVED_BY_WEBHOOK);
    bool read = message->door == PROVIDER_DOOR_WEBHOOK &&
                paystack_webhook_parse(message->body, in->scratch, &webhook);
    if (!read || !message->signed_well) {
        in->take(in->context, &seen);
        return;
    }
    struct span status = status_of_event(webhook.event);
    seen.kind = kind_of_event(webhook.event);
    describe(&seen, &webhook.data);
    seen.words = webhook.event;
    if (seen.kind == OBSERVED_NOTHING || contradicts(status, webhook.data.status)) {
        in->take(in->context, &seen);
        return;
    }
    if (seen.kind == OBSERVED_PAYOUT && span_is(status, "reversed")) {
        give_reversed_transfer(in, &seen);
        return;
    }
    give_judged(in, &seen, status);
}
