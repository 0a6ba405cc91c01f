/*
 * events.c - the operator's events in bytes, both directions side by side. See events.h.
 * Tests: tests/unit/test_operator_events.c (round trip of every kind), golden journals.
 */
#include "operator/events.h"

#include <string.h>

#include "operator/internal.h"

const char *operator_event_name(uint16_t kind)
{
    switch (kind) {
#define X(name, number, text) \
    case number: return text;
        OPERATOR_EVENTS(X)
#undef X
    default: return NULL;
    }
}

static void encode_organisation_kept(struct writer *w, const struct operator_event *e)
{
    put_u32(w, e->slot);
    put_text(w, e->name);
    put_text(w, e->initiator);
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        put_text(w, e->secrets[i]);
    }
}

static void decode_organisation_kept(struct reader *r, struct operator_event *e)
{
    e->slot = get_u32(r);
    e->name = get_text(r);
    e->initiator = get_text(r);
    for (uint32_t i = 0; i < ORGANISATION_SECRETS; i++) {
        e->secrets[i] = get_text(r);
    }
}

static void encode_organisation_opened(struct writer *w, const struct operator_event *e)
{
    put_u32(w, e->slot);
    put_u32(w, e->short_code);
    put_u8(w, e->type);
    put_u8(w, e->charges);
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        put_u32(w, e->accounts[i]);
    }
}

static void decode_organisation_opened(struct reader *r, struct operator_event *e)
{
    e->slot = get_u32(r);
    e->short_code = get_u32(r);
    e->type = get_u8(r);
    e->charges = get_u8(r);
    /* Reads look names up by these. */
    r->bad = r->bad || e->type < ORGANISATION_PAYBILL || e->type > ORGANISATION_BULK ||
             e->charges < CHARGES_CUSTOMER || e->charges > CHARGES_BUSINESS;
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        e->accounts[i] = get_u32(r);
    }
}

static void encode_stk_accepted(struct writer *w, const struct operator_event *e)
{
    put_u64(w, e->number);
    put_u32(w, e->slot);
    put_u32(w, e->short_code);
    put_u32(w, e->party_b);
    put_u8(w, e->type);
    put_i64(w, e->amount_minor);
    put_u32(w, e->checkout_serial);
    put_u64(w, e->target);
}

static void decode_stk_accepted(struct reader *r, struct operator_event *e)
{
    e->number = get_u64(r);
    e->slot = get_u32(r);
    e->short_code = get_u32(r);
    e->party_b = get_u32(r);
    e->type = get_u8(r);
    e->amount_minor = get_i64(r);
    r->bad = r->bad || e->amount_minor <= 0 || e->type < 1 || e->type > 2;
    e->checkout_serial = get_u32(r);
    e->target = get_u64(r);
}

static void encode_texts(struct writer *w, const struct operator_event *e)
{
    put_u64(w, e->number);
    put_text(w, e->url);
    put_text(w, e->reference);
    put_text(w, e->description);
    put_raw(w, e->fingerprint, sizeof(e->fingerprint));
}

static void decode_texts(struct reader *r, struct operator_event *e)
{
    e->number = get_u64(r);
    e->url = get_text(r);
    e->reference = get_text(r);
    e->description = get_text(r);
    get_raw(r, e->fingerprint, sizeof(e->fingerprint));
}

static void encode_stk(struct writer *w, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_STK_TEXTS_KEPT: encode_texts(w, e); break;
    case EVENT_STK_ACCEPTED: encode_stk_accepted(w, e); break;
    case EVENT_STK_PROMPTED:
        put_u64(w, e->number);
        put_i64(w, e->expires_ns);
        put_u8(w, e->reachable);
        break;
    case EVENT_STK_ANSWERED:
        put_u64(w, e->number);
        put_u8(w, e->answer);
        put_raw(w, e->verifier, sizeof(e->verifier));
        break;
    case EVENT_STK_ENDED:
        put_u64(w, e->number);
        put_u8(w, e->outcome);
        put_u32(w, e->receipt_day);
        put_u64(w, e->receipt);
        break;
    default: UNREACHABLE("unknown STK event");
    }
}

static void encode_organisation_changed(struct writer *w, const struct operator_event *e)
{
    put_u32(w, e->slot);
    put_u8(w, e->active);
    put_u32(w, e->nominated);
    put_i64(w, e->queue_delay_ns);
}

/* What happens between a request's acceptance and its end. */
static void encode_request_way(struct writer *w, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST_LOOKED_UP:
        put_u64(w, e->original);
        put_u8(w, e->seen);
        break;
    case EVENT_REQUEST_AMOUNT_SET: put_i64(w, e->amount_minor); break;
    case EVENT_REQUEST_RULED:
    case EVENT_REQUEST_MESSAGE_RULED: put_text(w, e->orders); break;
    case EVENT_REQUEST_PROMPTED:
        put_u32(w, e->slot);
        put_i64(w, e->expires_ns);
        put_u8(w, e->reachable);
        break;
    case EVENT_REQUEST_HELD:
        put_i64(w, e->expires_ns);
        put_i64(w, e->turn_ns);
        break;
    case EVENT_REQUEST_QUEUED:
    case EVENT_REQUEST_TIMED_OUT: break;
    default: UNREACHABLE("unknown event of a request");
    }
}

static void encode_request(struct writer *w, const struct operator_event *e)
{
    put_u64(w, e->number);
    switch (e->kind) {
    case EVENT_REQUEST_TEXTS_KEPT:
        put_text(w, e->conversation);
        put_text(w, e->url);
        put_text(w, e->timeout_url);
        put_text(w, e->reference);
        put_text(w, e->remarks);
        put_text(w, e->occasion);
        break;
    case EVENT_REQUEST_PARTY_KEPT: put_u64(w, e->party); break;
    case EVENT_REQUEST_ACCEPTED_1:
    case EVENT_REQUEST_ACCEPTED:
        put_u8(w, e->request_kind);
        put_u8(w, e->command);
        put_u8(w, e->party_type);
        put_u8(w, e->initiator_good);
        put_u32(w, e->short_code);
        put_u64(w, e->party);
        put_i64(w, e->amount_minor);
        put_u64(w, e->original);
        put_u64(w, e->target);
        put_u64(w, e->timeout_target);
        break;
    case EVENT_REQUEST_ASKED:
        put_i64(w, e->expires_ns);
        put_u8(w, e->has_message);
        break;
    case EVENT_REQUEST_ENDED:
        put_u8(w, e->outcome);
        put_u8(w, e->has_receipt);
        put_u32(w, e->receipt_day);
        put_u64(w, e->receipt);
        put_i64(w, e->charge_minor);
        break;
    default: encode_request_way(w, e); break;
    }
}

static void encode_subscriber(struct writer *w, const struct operator_event *e)
{
    put_u32(w, e->slot);
    switch (e->kind) {
    case EVENT_PERSON_KEPT:
        put_u64(w, e->msisdn);
        put_text(w, e->name);
        break;
    case EVENT_SUBSCRIBER_OPENED:
        put_u32(w, e->account);
        put_raw(w, e->verifier, sizeof(e->verifier));
        put_u8(w, e->key_version);
        put_u8(w, e->approves);
        break;
    case EVENT_SUBSCRIBER_SEEN: break;
    case EVENT_SUBSCRIBER_CHANGED:
        put_u8(w, e->status);
        put_u8(w, e->reachable);
        put_i64(w, e->sim_swapped_ns);
        break;
    case EVENT_PIN_SET:
        put_raw(w, e->verifier, sizeof(e->verifier));
        put_u8(w, e->key_version);
        break;
    case EVENT_PIN_TRIED: put_u8(w, e->failures); break;
    default: UNREACHABLE("unknown subscriber event");
    }
}

static void encode_rule(struct writer *w, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_RULES_SET:
        put_u8(w, e->origin);
        put_text(w, e->orders);
        break;
    case EVENT_RULES_COUNTED:
        put_u8(w, e->applied);
        put_text(w, e->orders);
        break;
    case EVENT_STK_RULED:
        put_u64(w, e->number);
        put_text(w, e->orders);
        break;
    case EVENT_MESSAGE_HELD:
    case EVENT_MESSAGE_LET_GO: put_u64(w, e->number); break;
    default: UNREACHABLE("unknown event of a rule");
    }
}

void operator_event_encode(struct writer *w, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_NETWORK_OPENED:
        put_u32(w, e->account);
        put_u32(w, e->accounts[0]);
        break;
    case EVENT_ORGANISATION_OPENED: encode_organisation_opened(w, e); break;
    case EVENT_ORGANISATION_KEPT: encode_organisation_kept(w, e); break;
    case EVENT_ORGANISATION_CHANGED: encode_organisation_changed(w, e); break;
    default:
        if (operator_event_of_request(e->kind)) {
            encode_request(w, e);
        } else if (operator_event_of_bill(e->kind)) {
            operator__encode_bill(w, e);
        } else if (operator_event_of_standing_order(e->kind)) {
            operator__encode_standing(w, e);
        } else if (operator_event_of_paystack(e->kind)) {
            operator__encode_paystack(w, e);
        } else if (e->kind >= EVENT_C2B_URLS_KEPT) {
            operator__encode_customers(w, e);
        } else if (e->kind >= EVENT_RULES_SET && e->kind <= EVENT_MESSAGE_LET_GO) {
            encode_rule(w, e);
        } else if (e->kind >= EVENT_STK_TEXTS_KEPT) {
            encode_stk(w, e);
        } else {
            encode_subscriber(w, e);
        }
        break;
    }
}

static bool get_bool(struct reader *r)
{
    uint8_t value = get_u8(r);
    r->bad = r->bad || value > 1;
    return value == 1;
}

static bool decode_stk(uint16_t kind, struct reader *r, struct operator_event *e)
{
    switch (kind) {
    case EVENT_STK_TEXTS_KEPT: decode_texts(r, e); break;
    case EVENT_STK_ACCEPTED: decode_stk_accepted(r, e); break;
    case EVENT_STK_PROMPTED:
        e->number = get_u64(r);
        e->expires_ns = get_i64(r);
        e->reachable = get_bool(r);
        break;
    case EVENT_STK_ANSWERED:
        e->number = get_u64(r);
        e->answer = get_u8(r);
        r->bad = r->bad || e->answer < ANSWER_APPROVE || e->answer > ANSWER_CANCEL;
        get_raw(r, e->verifier, sizeof(e->verifier));
        break;
    case EVENT_STK_ENDED:
        e->number = get_u64(r);
        e->outcome = get_u8(r);
        r->bad = r->bad || e->outcome <= STK_OPEN || e->outcome > STK_OUTCOME_LAST;
        e->receipt_day = get_u32(r);
        e->receipt = get_u64(r);
        break;
    default: return false;
    }
    return reader_done(r);
}

static void decode_request_accepted(struct reader *r, struct operator_event *e)
{
    e->request_kind = get_u8(r);
    e->command = get_u8(r);
    e->party_type = get_u8(r);
    e->initiator_good = get_bool(r);
    e->short_code = get_u32(r);
    e->party = get_u64(r);
    e->amount_minor = get_i64(r);
    e->original = get_u64(r);
    e->target = get_u64(r);
    e->timeout_target = get_u64(r);
    r->bad = r->bad || e->request_kind == 0 || e->request_kind >= REQUEST_KIND_END ||
             e->amount_minor < 0 || e->amount_minor > OPERATOR_AMOUNT_MAX;
}

static void decode_organisation_changed(struct reader *r, struct operator_event *e)
{
    e->slot = get_u32(r);
    e->active = get_bool(r);
    e->nominated = get_u32(r);
    e->queue_delay_ns = get_i64(r);
    r->bad = r->bad || e->queue_delay_ns < 0;
}

static bool decode_request_way(uint16_t kind, struct reader *r, struct operator_event *e)
{
    struct ruled order;
    switch (kind) {
    case EVENT_REQUEST_LOOKED_UP:
        e->original = get_u64(r);
        e->seen = get_u8(r);
        r->bad = r->bad || e->seen > STK_STATE_CANCELLED || (e->seen != 0) != (e->original != 0);
        break;
    case EVENT_REQUEST_AMOUNT_SET:
        e->amount_minor = get_i64(r);
        r->bad = r->bad || e->amount_minor <= 0 || e->amount_minor > OPERATOR_AMOUNT_MAX;
        break;
    case EVENT_REQUEST_PROMPTED:
        e->slot = get_u32(r);
        e->expires_ns = get_i64(r);
        e->reachable = get_bool(r);
        break;
    case EVENT_REQUEST_HELD:
        e->expires_ns = get_i64(r);
        e->turn_ns = get_i64(r);
        r->bad = r->bad || e->expires_ns > e->turn_ns;
        break;
    case EVENT_REQUEST_RULED:
    case EVENT_REQUEST_MESSAGE_RULED:
        e->orders = get_text(r);
        r->bad = r->bad || !operator_ruled_decode(e->orders, &order);
        break;
    case EVENT_REQUEST_QUEUED:
    case EVENT_REQUEST_TIMED_OUT: break;
    default: return false;
    }
    return reader_done(r);
}

static bool decode_request(uint16_t kind, struct reader *r, struct operator_event *e)
{
    e->number = get_u64(r);
    switch (kind) {
    case EVENT_REQUEST_TEXTS_KEPT:
        e->conversation = get_text(r);
        e->url = get_text(r);
        e->timeout_url = get_text(r);
        e->reference = get_text(r);
        e->remarks = get_text(r);
        e->occasion = get_text(r);
        break;
    case EVENT_REQUEST_PARTY_KEPT:
        e->party = get_u64(r);
        r->bad = r->bad || e->party == 0;
        break;
    case EVENT_REQUEST_ACCEPTED_1: decode_request_accepted(r, e); break;
    case EVENT_REQUEST_ACCEPTED:
        decode_request_accepted(r, e);
        r->bad = r->bad || (e->party_type == PARTY_MSISDN && e->party != 0);
        break;
    case EVENT_REQUEST_ASKED:
        e->expires_ns = get_i64(r);
        e->has_message = get_bool(r);
        break;
    case EVENT_REQUEST_ENDED:
        e->outcome = get_u8(r);
        e->has_receipt = get_bool(r);
        e->receipt_day = get_u32(r);
        e->receipt = get_u64(r);
        e->charge_minor = get_i64(r);
        r->bad = r->bad || e->outcome == REQUEST_OPEN || e->outcome >= REQUEST_OUTCOME_END ||
                 e->charge_minor < 0 || e->receipt >= ID_RECEIPT_SERIAL_END;
        break;
    default: return decode_request_way(kind, r, e);
    }
    return reader_done(r);
}

static bool decode_subscriber(uint16_t kind, struct reader *r, struct operator_event *e)
{
    e->slot = get_u32(r);
    switch (kind) {
    case EVENT_PERSON_KEPT:
        e->msisdn = get_u64(r);
        e->name = get_text(r);
        break;
    case EVENT_SUBSCRIBER_OPENED:
        e->account = get_u32(r);
        get_raw(r, e->verifier, sizeof(e->verifier));
        e->key_version = get_u8(r);
        e->approves = get_bool(r);
        break;
    case EVENT_SUBSCRIBER_SEEN: break;
    case EVENT_SUBSCRIBER_CHANGED:
        e->status = get_u8(r);
        r->bad = r->bad || e->status > SUBSCRIBER_SUSPENDED;
        e->reachable = get_bool(r);
        e->sim_swapped_ns = get_i64(r);
        break;
    case EVENT_PIN_SET:
        get_raw(r, e->verifier, sizeof(e->verifier));
        e->key_version = get_u8(r);
        break;
    case EVENT_PIN_TRIED: e->failures = get_u8(r); break;
    default: return false;
    }
    return reader_done(r);
}

/* Which rules a call met: each a byte, the one that applies among them. */
static bool counts_plausible(const struct operator_event *e)
{
    bool found = e->applied == RULE_NOT_APPLIED;
    for (size_t i = 0; i < e->orders.size; i++) {
        uint8_t met = (uint8_t)e->orders.data[i];
        found = found || met == e->applied;
        if ((met & 0x7f) >= RULES_MAX) {
            return false;
        }
    }
    return found && e->orders.size > 0;
}

static bool decode_rule(uint16_t kind, struct reader *r, struct operator_event *e)
{
    struct ruled order;
    switch (kind) {
    case EVENT_RULES_SET:
        e->origin = get_u8(r);
        e->orders = get_text(r);
        r->bad = r->bad || e->origin >= RULE_ORIGINS || !rule_list_decode(e->orders, NULL);
        break;
    case EVENT_RULES_COUNTED:
        e->applied = get_u8(r);
        e->orders = get_text(r);
        r->bad = r->bad || !counts_plausible(e);
        break;
    case EVENT_STK_RULED:
        e->number = get_u64(r);
        e->orders = get_text(r);
        r->bad = r->bad || !operator_ruled_decode(e->orders, &order);
        break;
    case EVENT_MESSAGE_HELD:
    case EVENT_MESSAGE_LET_GO: e->number = get_u64(r); break;
    default: return false;
    }
    return reader_done(r);
}

bool operator_event_decode(uint16_t kind, struct reader *r, struct operator_event *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = kind;
    switch (kind) {
    case EVENT_NETWORK_OPENED:
        out->account = get_u32(r);
        out->accounts[0] = get_u32(r);
        return reader_done(r);
    case EVENT_ORGANISATION_OPENED: decode_organisation_opened(r, out); return reader_done(r);
    case EVENT_ORGANISATION_KEPT: decode_organisation_kept(r, out); return reader_done(r);
    case EVENT_ORGANISATION_CHANGED: decode_organisation_changed(r, out); return reader_done(r);
    default:
        if (operator_event_of_request(kind)) {
            return decode_request(kind, r, out);
        }
        if (operator_event_of_bill(kind)) {
            return operator__decode_bill(kind, r, out);
        }
        if (operator_event_of_standing_order(kind)) {
            return operator__decode_standing(kind, r, out);
        }
        if (operator_event_of_paystack(kind)) {
            return operator__decode_paystack(kind, r, out);
        }
        if (kind >= EVENT_C2B_URLS_KEPT) {
            return operator__decode_customers(kind, r, out);
        }
        if (kind >= EVENT_RULES_SET && kind <= EVENT_MESSAGE_LET_GO) {
            return decode_rule(kind, r, out);
        }
        return kind >= EVENT_STK_TEXTS_KEPT ? decode_stk(kind, r, out)
                                            : decode_subscriber(kind, r, out);
    }
}
