/*
 * daraja_read.c - what Daraja answers and sends, as observations. A code is read together with the
 * call or the URL that it belongs to, and with its message: the same code means different things
 * (docs/daraja-notes.md, part 5).
 *
 * Never: a failure from what may yet succeed, a success from anything but code 0 or a finished
 * transaction.
 */
#include <string.h>

#include "provider/internal.h"
#include "wire/daraja_answer.h"
#include "wire/daraja_c2b.h"
#include "wire/daraja_initiated.h"
#include "wire/daraja_payout.h"
#include "wire/daraja_stk.h"
#include "wire/liberal.h"

static void give(const struct reading *in, const struct observation *seen)
{
    in->take(in->context, seen);
}

/* ---- result codes ---- */

struct code_row {
    const char *code;
    enum observation_reason reason;
};

static enum observation_reason reason_in(const struct code_row *rows, size_t count,
                                         struct span code)
{
    for (size_t i = 0; i < count; i++) {
        if (span_is(code, rows[i].code)) {
            return rows[i].reason;
        }
    }
    return OBSERVED_REASON_OTHER;
}

/* Of an STK push. 1037 has two meanings (out of reach, not answered) that only its wording tells
 * apart, which changes: both are an expired prompt (R2.3). */
static enum observation_reason stk_reason(struct span code)
{
    static const struct code_row rows[] = {
        {"1", OBSERVED_REASON_FUNDS},
        {"2", OBSERVED_REASON_LIMIT},
        {"3", OBSERVED_REASON_LIMIT},
        {"4", OBSERVED_REASON_LIMIT},
        {"8", OBSERVED_REASON_LIMIT},
        {"17", OBSERVED_REASON_PROVIDER},
        {"20", OBSERVED_REASON_CREDENTIALS},
        {"26", OBSERVED_REASON_BUSY},
        {"1001", OBSERVED_REASON_PHONE_BUSY},
        {"1019", OBSERVED_REASON_EXPIRED},
        {"1025", OBSERVED_REASON_UNREACHABLE},
        {"9999", OBSERVED_REASON_UNREACHABLE},
        {"1031", OBSERVED_REASON_CANCELLED},
        {"1032", OBSERVED_REASON_CANCELLED},
        {"1036", OBSERVED_REASON_UNREACHABLE},
        {"1037", OBSERVED_REASON_EXPIRED},
        {"2001", OBSERVED_REASON_WRONG_PIN},
        {"2028", OBSERVED_REASON_CONFIGURATION},
        {"8006", OBSERVED_REASON_PIN_LOCKED},
        {"SFC_IC0003", OBSERVED_REASON_CONFIGURATION},
        {"E3008", OBSERVED_REASON_CONFIGURATION}, /* the sandbox, of any phone but its own */
    };
    return reason_in(rows, sizeof(rows) / sizeof(rows[0]), code);
}

/* Of what an initiator asks for. */
static enum observation_reason initiator_reason(struct span code)
{
    static const struct code_row rows[] = {
        {"1", OBSERVED_REASON_FUNDS},
        {"2", OBSERVED_REASON_LIMIT},
        {"3", OBSERVED_REASON_LIMIT},
        {"4", OBSERVED_REASON_LIMIT},
        {"5", OBSERVED_REASON_LIMIT},
        {"8", OBSERVED_REASON_LIMIT},
        {"7", OBSERVED_REASON_RECEIVER},
        {"11", OBSERVED_REASON_CONFIGURATION},
        {"12", OBSERVED_REASON_RECEIVER},
        {"15", OBSERVED_REASON_DUPLICATE},
        {"17", OBSERVED_REASON_PROVIDER},
        {"18", OBSERVED_REASON_CREDENTIALS},
        {"20", OBSERVED_REASON_CREDENTIALS},
        {"21", OBSERVED_REASON_CREDENTIALS},
        {"22", OBSERVED_REASON_RECEIVER},
        {"24", OBSERVED_REASON_REQUEST},
        {"25", OBSERVED_REASON_REQUEST},
        {"26", OBSERVED_REASON_BUSY},
        {"29", OBSERVED_REASON_REQUEST},
        {"2001", OBSERVED_REASON_CREDENTIALS},
        {"2006", OBSERVED_REASON_CONFIGURATION},
        {"2028", OBSERVED_REASON_CONFIGURATION},
        {"2040", OBSERVED_REASON_RECEIVER},
        {"8006", OBSERVED_REASON_CREDENTIALS},
        {"R000001", OBSERVED_REASON_REVERSED},
        {"R000002", OBSERVED_REASON_NOT_FOUND},
        {"SFC_IC0003", OBSERVED_REASON_RECEIVER},
    };
    return reason_in(rows, sizeof(rows) / sizeof(rows[0]), code);
}

static bool says_in_flight(struct span code, struct span words)
{
    return span_is(code, "4999") || daraja_says(words, "under processing") ||
           daraja_says(words, "being processed");
}

static void judge_stk(struct observation *seen)
{
    if (says_in_flight(seen->code, seen->words)) {
        seen->verdict = OBSERVED_IN_FLIGHT;
    } else if (span_is(seen->code, "0")) {
        seen->verdict = OBSERVED_SUCCEEDED;
    } else {
        seen->verdict = OBSERVED_FAILED;
        seen->reason = stk_reason(seen->code);
    }
}

/* "Duplicate" speaks of another request with the same id, which may well have succeeded. */
static void judge_initiated(struct observation *seen, bool waits)
{
    if (waits || says_in_flight(seen->code, seen->words)) {
        seen->verdict = OBSERVED_IN_FLIGHT;
        return;
    }
    if (span_is(seen->code, "0")) {
        seen->verdict = OBSERVED_SUCCEEDED;
        return;
    }
    seen->reason = initiator_reason(seen->code);
    seen->verdict = seen->reason == OBSERVED_REASON_DUPLICATE ? OBSERVED_UNKNOWN : OBSERVED_FAILED;
}

/* ---- answers ---- */

static enum observation_reason meaning_reason(enum daraja_meaning meaning)
{
    switch (meaning) {
    case DARAJA_MEANS_CREDENTIALS: return OBSERVED_REASON_CREDENTIALS;
    case DARAJA_MEANS_MERCHANT:
    case DARAJA_MEANS_PRODUCT: return OBSERVED_REASON_CONFIGURATION;
    case DARAJA_MEANS_PHONE_BUSY: return OBSERVED_REASON_PHONE_BUSY;
    case DARAJA_MEANS_TOKEN: return OBSERVED_REASON_TOKEN;
    case DARAJA_MEANS_FIELD:
    case DARAJA_MEANS_REQUEST: return OBSERVED_REASON_REQUEST;
    case DARAJA_MEANS_BUSY: return OBSERVED_REASON_BUSY;
    case DARAJA_MEANS_REPEATED: return OBSERVED_REASON_OTHER; /* no id of ours was used before */
    case DARAJA_MEANS_DUPLICATE:
    case DARAJA_MEANS_REGISTERED: return OBSERVED_REASON_DUPLICATE;
    case DARAJA_MEANS_IN_FLIGHT:
    case DARAJA_MEANS_UNKNOWN: break;
    }
    return OBSERVED_REASON_NONE;
}

/* An error in place of what the call expected. A duplicate id is no refusal of the request that
 * used it first: what became of that one has to be asked. */
static void judge_error(struct observation *seen, const struct daraja_answer *answer,
                        bool submitted)
{
    enum daraja_meaning meaning = daraja_answer_meaning(answer);
    seen->code = answer->code;
    seen->words = answer->message;
    seen->reason = meaning_reason(meaning);
    if (meaning == DARAJA_MEANS_IN_FLIGHT) {
        seen->verdict = OBSERVED_IN_FLIGHT;
    } else if (meaning == DARAJA_MEANS_UNKNOWN || meaning == DARAJA_MEANS_DUPLICATE) {
        seen->verdict = OBSERVED_UNKNOWN;
    } else {
        /* A question that did not get in says nothing about what it asked. */
        seen->verdict = submitted ? OBSERVED_REFUSED : OBSERVED_UNKNOWN;
    }
}

static bool is_taken(struct span response_code)
{
    return span_is(response_code, "0") || span_is(response_code, "00");
}

static void read_push(const struct reading *in, struct observation *seen,
                      const struct daraja_answer *answer)
{
    struct daraja_stk_accepted accepted;
    if (!daraja_stk_accepted_parse(answer->object, in->scratch, &accepted)) {
        judge_error(seen, answer, true);
        return;
    }
    seen->code = accepted.response_code;
    seen->words = accepted.description;
    seen->reference = accepted.checkout_request_id;
    seen->second_reference = accepted.merchant_request_id;
    if (!is_taken(accepted.response_code)) {
        seen->verdict = OBSERVED_REFUSED;
        seen->reason = OBSERVED_REASON_OTHER;
    } else if (accepted.checkout_request_id.size > 0) {
        seen->verdict = OBSERVED_IN_FLIGHT;
    }
}

static void read_query(const struct reading *in, const struct provider_call *call,
                       struct observation *seen, const struct daraja_answer *answer)
{
    struct daraja_stk_query_answer query;
    seen->reference = call->provider_id;
    if (!daraja_stk_query_answer_parse(answer->object, in->scratch, &query)) {
        judge_error(seen, answer, false);
        return;
    }
    seen->code = query.result_code;
    seen->words = query.result_desc;
    seen->second_reference = query.merchant_request_id;
    bool other = query.checkout_request_id.size > 0 &&
                 !span_equal(query.checkout_request_id, call->provider_id);
    if (answer->http_status < 300 && !other) {
        judge_stk(seen);
    }
}

static void read_initiated(const struct reading *in, const struct provider_call *call,
                           struct observation *seen, const struct daraja_answer *answer)
{
    struct daraja_accepted accepted;
    seen->own_reference = call->our_id;
    if (!daraja_accepted_parse(answer->object, in->scratch, &accepted)) {
        judge_error(seen, answer, true);
        return;
    }
    seen->code = accepted.response_code;
    seen->words = accepted.description;
    seen->reference = accepted.conversation_id;
    seen->second_reference = accepted.originator_id;
    if (is_taken(accepted.response_code)) {
        seen->verdict = OBSERVED_IN_FLIGHT;
        return;
    }
    seen->verdict = OBSERVED_REFUSED;
    seen->reason = OBSERVED_REASON_OTHER;
}

/* The registration of C2B URLs has no later message: taken is done. */
static void read_register(const struct reading *in, struct observation *seen,
                          const struct daraja_answer *answer)
{
    struct daraja_accepted accepted;
    if (!daraja_accepted_parse(answer->object, in->scratch, &accepted)) {
        judge_error(seen, answer, true);
        return;
    }
    seen->code = accepted.response_code;
    seen->words = accepted.description;
    seen->verdict = is_taken(accepted.response_code) ? OBSERVED_SUCCEEDED : OBSERVED_REFUSED;
}

static void give_row(const struct reading *in, const struct daraja_pull_seen *row)
{
    struct observation seen =
        provider__observation(in->account, OBSERVED_RECEIPT, OBSERVED_BY_PULL);
    seen.verdict = row->has_amount ? OBSERVED_SUCCEEDED : OBSERVED_UNKNOWN;
    seen.reference = row->transaction_id;
    seen.receipt = row->transaction_id;
    seen.account_reference = row->reference;
    seen.party = row->msisdn;
    seen.phone = row->phone;
    seen.short_code = in->account->short_code;
    seen.has_amount = row->has_amount;
    seen.amount_minor = row->amount_minor;
    seen.at_ns = row->at_ns;
    give(in, &seen);
}

/* 1000: done, 1001: nothing there (of a registration: done before). */
static void read_pull(const struct reading *in, struct observation *seen,
                      const struct daraja_answer *answer)
{
    struct daraja_pull_answer pull;
    struct daraja_pull_seen row;
    if (!daraja_pull_answer_parse(answer->object, in->scratch, &pull)) {
        judge_error(seen, answer, false);
        give(in, seen);
        return;
    }
    seen->code = pull.code;
    seen->words = pull.message;
    seen->reference = pull.reference;
    if (span_is(pull.code, "1000") || span_is(pull.code, "1001")) {
        seen->verdict = OBSERVED_SUCCEEDED;
    }
    give(in, seen);
    while (daraja_pull_row_next(&pull, &row)) {
        give_row(in, &row);
    }
}

void provider__daraja_reply(const struct reading *in, const struct provider_call *call,
                            const struct provider_reply *reply)
{
    bool question = call->kind == PROVIDER_CALL_QUERY;
    struct daraja_answer answer;
    struct observation seen =
        provider__observation(in->account, provider__kind_of(call->kind),
                              question ? OBSERVED_BY_QUERY : OBSERVED_BY_SUBMISSION);
    if (reply->error != DELIVERY_ANSWERED) {
        seen.verdict = question ? OBSERVED_UNKNOWN : provider__unanswered(reply->error);
        seen.reason = OBSERVED_REASON_BUSY;
        seen.reference = question ? call->provider_id : SPAN_EMPTY;
        seen.own_reference = call->our_id;
        give(in, &seen);
        return;
    }
    daraja_answer_read(reply->body, reply->http_status, in->scratch, &answer);
    switch (call->kind) {
    case PROVIDER_CALL_PUSH: read_push(in, &seen, &answer); break;
    case PROVIDER_CALL_QUERY: read_query(in, call, &seen, &answer); break;
    case PROVIDER_CALL_REGISTER: read_register(in, &seen, &answer); break;
    case PROVIDER_CALL_PULL:
    case PROVIDER_CALL_PULL_REGISTER: read_pull(in, &seen, &answer); return;
    case PROVIDER_CALL_STATUS:
    case PROVIDER_CALL_PAYOUT:
    case PROVIDER_CALL_REVERSAL:
    case PROVIDER_CALL_BALANCE:
    case PROVIDER_CALL_PAYOUT_QUERY: read_initiated(in, call, &seen, &answer); break;
    case PROVIDER_CALL_TOKEN:
    case PROVIDER_CALL_REFUND_QUERY:
    case PROVIDER_CALL_RECIPIENT:
    case PROVIDER_CALL_INITIALIZE: break; /* nothing to observe */
    }
    give(in, &seen);
}

/* ---- messages ---- */

static void unreadable(const struct reading *in)
{
    struct observation seen =
        provider__observation(in->account, OBSERVED_NOTHING, OBSERVED_BY_CALLBACK);
    give(in, &seen);
}

static void read_callback(const struct reading *in, struct span body)
{
    struct daraja_stk_callback callback;
    struct observation seen =
        provider__observation(in->account, OBSERVED_PAYMENT, OBSERVED_BY_CALLBACK);
    if (!daraja_stk_callback_parse(body, in->scratch, &callback)) {
        unreadable(in);
        return;
    }
    seen.reference = callback.checkout_request_id;
    seen.second_reference = callback.merchant_request_id;
    seen.code = callback.result_code;
    seen.words = callback.result_desc;
    seen.receipt = callback.receipt;
    seen.party = callback.phone_number;
    seen.has_amount = callback.has_amount;
    seen.amount_minor = callback.amount_minor;
    if (!liberal_phone(callback.phone_number, &seen.phone)) {
        seen.phone = 0;
    }
    if (!liberal_time_eat(callback.transaction_date, &seen.at_ns)) {
        seen.at_ns = 0;
    }
    judge_stk(&seen);
    give(in, &seen);
}

/* What all results have in common. */
static struct observation result_observation(const struct reading *in,
                                             const struct daraja_envelope *e,
                                             enum observation_kind kind,
                                             enum observation_source source)
{
    struct observation seen = provider__observation(in->account, kind, source);
    seen.reference = e->conversation_id;
    seen.own_reference = e->originator_id;
    seen.code = e->code;
    seen.words = e->desc;
    return seen;
}

static void read_payout(const struct reading *in, const struct daraja_envelope *e)
{
    struct daraja_payout_seen payout;
    struct observation seen = result_observation(in, e, OBSERVED_PAYOUT, OBSERVED_BY_CALLBACK);
    daraja_payout_result_read(e, &payout);
    judge_initiated(&seen, e->waits);
    seen.receipt = payout.receipt;
    seen.party = payout.receiver;
    seen.phone = payout.phone;
    seen.has_amount = payout.has_amount;
    seen.amount_minor = payout.amount_minor;
    seen.at_ns = payout.completed_ns;
    seen.has_balance = payout.has_utility;
    seen.balance_minor = payout.utility_minor;
    give(in, &seen);
}

static void read_reversal(const struct reading *in, const struct daraja_envelope *e)
{
    struct daraja_reversal_seen reversal;
    struct observation seen = result_observation(in, e, OBSERVED_REFUND, OBSERVED_BY_CALLBACK);
    daraja_reversal_result_read(e, &reversal);
    judge_initiated(&seen, e->waits);
    seen.receipt = e->transaction_id;
    seen.original_receipt = reversal.original;
    seen.party = reversal.credit_party;
    seen.phone = daraja_party_phone(reversal.credit_party);
    seen.has_amount = reversal.has_amount;
    seen.amount_minor = reversal.amount_minor;
    seen.has_fee = reversal.has_charge;
    seen.fee_minor = reversal.charge_minor;
    seen.has_balance = reversal.has_balance;
    seen.balance_minor = reversal.balance_minor;
    seen.at_ns = reversal.completed_ns;
    give(in, &seen);
}

/* "600310 - Safaricom333" */
static bool is_party(struct span party, uint32_t short_code)
{
    uint64_t number;
    size_t size = 0;
    while (size < party.size && party.data[size] >= '0' && party.data[size] <= '9') {
        size++;
    }
    return span_parse_u64((struct span){party.data, size}, &number) && number == short_code;
}

static void judge_status(struct observation *seen, struct span status)
{
    static const struct {
        const char *status;
        enum observation_verdict verdict;
        enum observation_reason reason;
    } rows[] = {
        {"completed", OBSERVED_SUCCEEDED, OBSERVED_REASON_NONE},
        {"reversed", OBSERVED_SUCCEEDED, OBSERVED_REASON_REVERSED},
        {"cancelled", OBSERVED_FAILED, OBSERVED_REASON_CANCELLED},
        {"canceled", OBSERVED_FAILED, OBSERVED_REASON_CANCELLED},
        {"declined", OBSERVED_FAILED, OBSERVED_REASON_OTHER},
        {"failed", OBSERVED_FAILED, OBSERVED_REASON_OTHER},
        {"expired", OBSERVED_FAILED, OBSERVED_REASON_EXPIRED},
        {"authorized", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
        {"pending", OBSERVED_IN_FLIGHT, OBSERVED_REASON_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (status.size == strlen(rows[i].status) && daraja_says(status, rows[i].status)) {
            seen->verdict = rows[i].verdict;
            seen->reason = rows[i].reason;
            return;
        }
    }
}

/*
 * The ids of what was asked about are parameters; those of the envelope are of the question, which
 * is the second reference. A code other than 0 says that the question failed, and nothing about
 * what it asked.
 */
static void read_status(const struct reading *in, const struct daraja_envelope *e)
{
    struct daraja_status_seen status;
    struct observation seen = result_observation(in, e, OBSERVED_PAYMENT, OBSERVED_BY_STATUS);
    daraja_status_result_read(e, &status);
    seen.second_reference = e->conversation_id;
    seen.reference = status.conversation_id;
    seen.own_reference = status.originator_id;
    if (!span_is(e->code, "0") || e->waits) {
        seen.reason = initiator_reason(e->code);
        give(in, &seen);
        return;
    }
    if (is_party(status.debit_party, in->account->short_code)) {
        seen.kind = OBSERVED_PAYOUT;
        seen.has_fee = status.has_charge; /* of the debit party: ours */
        seen.fee_minor = status.charge_minor;
    }
    seen.party = seen.kind == OBSERVED_PAYOUT ? status.credit_party : status.debit_party;
    seen.phone = daraja_party_phone(seen.party);
    seen.receipt = status.receipt;
    seen.has_amount = status.has_amount;
    seen.amount_minor = status.amount_minor;
    seen.at_ns = status.finalised_ns != 0 ? status.finalised_ns : status.initiated_ns;
    judge_status(&seen, status.status);
    bool reversed = seen.reason == OBSERVED_REASON_REVERSED;
    seen.reason = reversed ? OBSERVED_REASON_NONE : seen.reason;
    give(in, &seen);
    if (reversed) {
        seen.kind = OBSERVED_REFUND; /* it had succeeded, and was taken back */
        seen.original_receipt = status.receipt;
        seen.receipt = SPAN_EMPTY;
        give(in, &seen);
    }
}

static void read_balance(const struct reading *in, const struct daraja_envelope *e)
{
    struct daraja_account account;
    struct span rest = daraja_envelope_parameter(e, "AccountBalance");
    struct observation seen = result_observation(in, e, OBSERVED_BALANCE, OBSERVED_BY_STATUS);
    if (!span_is(e->code, "0") || e->waits || rest.size == 0) {
        seen.reason = initiator_reason(e->code);
        give(in, &seen);
        return;
    }
    seen.short_code = in->account->short_code;
    seen.at_ns = daraja_envelope_time(e, "BOCompletedTime");
    seen.verdict = OBSERVED_SUCCEEDED;
    seen.has_amount = true;
    bool any = false;
    while (daraja_account_next(&rest, &account)) {
        seen.account = account.name;
        seen.amount_minor = account.current_minor;
        memcpy(seen.currency, account.currency.data, 3);
        give(in, &seen);
        any = true;
    }
    if (!any) {
        unreadable(in);
    }
}

static enum observation_kind kind_of_door(enum provider_door door)
{
    switch (door) {
    case PROVIDER_DOOR_PAYOUT: return OBSERVED_PAYOUT;
    case PROVIDER_DOOR_REVERSAL: return OBSERVED_REFUND;
    case PROVIDER_DOOR_BALANCE: return OBSERVED_BALANCE;
    case PROVIDER_DOOR_STK:
    case PROVIDER_DOOR_STATUS: return OBSERVED_PAYMENT;
    case PROVIDER_DOOR_CONFIRMATION:
    case PROVIDER_DOOR_VALIDATION:
    case PROVIDER_DOOR_WEBHOOK: break;
    }
    return OBSERVED_NOTHING;
}

/* The time-out URL proves nothing: the request may still be carried out. */
static void read_result(const struct reading *in, const struct provider_message *message)
{
    struct daraja_envelope e;
    if (!daraja_envelope_parse(message->body, in->scratch, &e)) {
        unreadable(in);
        return;
    }
    if (message->timed_out) {
        struct observation seen =
            result_observation(in, &e, kind_of_door(message->door), OBSERVED_BY_CALLBACK);
        seen.reason = OBSERVED_REASON_BUSY;
        give(in, &seen);
        return;
    }
    if (message->door == PROVIDER_DOOR_PAYOUT) {
        read_payout(in, &e);
    } else if (message->door == PROVIDER_DOOR_REVERSAL) {
        read_reversal(in, &e);
    } else if (message->door == PROVIDER_DOOR_BALANCE) {
        read_balance(in, &e);
    } else {
        read_status(in, &e);
    }
}

/* Masked and hashed numbers are a party, not a phone. */
static void read_c2b(const struct reading *in, const struct provider_message *message)
{
    struct daraja_c2b_seen c2b;
    struct observation seen =
        provider__observation(in->account, OBSERVED_RECEIPT, OBSERVED_BY_CALLBACK);
    if (!daraja_c2b_message_parse(message->body, in->scratch, &c2b)) {
        unreadable(in);
        return;
    }
    bool moved = message->door == PROVIDER_DOOR_CONFIRMATION && c2b.has_amount;
    bool asked = message->door == PROVIDER_DOOR_VALIDATION;
    seen.verdict = moved ? OBSERVED_SUCCEEDED : (asked ? OBSERVED_IN_FLIGHT : OBSERVED_UNKNOWN);
    seen.reference = c2b.transaction_id;
    seen.receipt = c2b.transaction_id;
    seen.own_reference = c2b.third_party_id;
    seen.account_reference = c2b.reference;
    seen.party = c2b.msisdn;
    seen.phone = c2b.phone;
    seen.short_code = c2b.short_code;
    seen.has_amount = c2b.has_amount;
    seen.amount_minor = c2b.amount_minor;
    seen.has_balance = c2b.has_balance;
    seen.balance_minor = c2b.balance_minor;
    seen.at_ns = c2b.at_ns;
    give(in, &seen);
}

void provider__daraja_message(const struct reading *in, const struct provider_message *message)
{
    switch (message->door) {
    case PROVIDER_DOOR_STK: read_callback(in, message->body); return;
    case PROVIDER_DOOR_PAYOUT:
    case PROVIDER_DOOR_REVERSAL:
    case PROVIDER_DOOR_STATUS:
    case PROVIDER_DOOR_BALANCE: read_result(in, message); return;
    case PROVIDER_DOOR_CONFIRMATION:
    case PROVIDER_DOOR_VALIDATION: read_c2b(in, message); return;
    case PROVIDER_DOOR_WEBHOOK: break;
    }
    unreadable(in);
}
