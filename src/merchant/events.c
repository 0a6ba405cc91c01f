/*
 * events.c - the merchant book's events in bytes, both directions from the lists in events.h.
 * Tests: tests/unit/test_merchant.c (round trip of every kind).
 */
#include "merchant/events.h"

#include <string.h>

const char *gateway_event_name(uint16_t kind)
{
    switch (kind) {
#define X(name, number, text, member) \
    case number: return text;
        GATEWAY_EVENTS(X)
#undef X
    default: return NULL;
    }
}

#define X(name, number, text, member)                                                \
    static void encode_##member(struct writer *w, const struct gateway_event *event) \
    {                                                                                \
        const __typeof__(event->member) *e = &event->member;                         \
        FIELDS_##name(FIELD_PUT)                                                     \
    }                                                                                \
    static void decode_##member(struct reader *r, struct gateway_event *event)       \
    {                                                                                \
        __typeof__(event->member) *e = &event->member;                               \
        FIELDS_##name(FIELD_GET)                                                     \
    }
GATEWAY_EVENTS(X)
#undef X

void gateway_event_encode(struct writer *w, const struct gateway_event *event)
{
    switch (event->kind) {
#define X(name, number, text, member) \
    case number: encode_##member(w, event); break;
        GATEWAY_EVENTS(X)
#undef X
    default: UNREACHABLE("unknown event of the merchant book");
    }
}

/* Reads look names up by these, and tables are walked by them. */
static bool plausible(const struct gateway_event *e)
{
    switch (e->kind) {
    case EVENT_PAYMENT_CREATED:
        return e->payment_created.amount_minor > 0 &&
               e->payment_created.amount_minor <= GATEWAY_AMOUNT_MAX &&
               e->payment_created.method >= METHOD_MPESA_STK &&
               e->payment_created.method <= METHOD_LAST &&
               e->payment_created.capture >= CAPTURE_WALLET &&
               e->payment_created.capture <= CAPTURE_ESCROW;
    case EVENT_PAYMENT_JUDGED:
        return e->payment_judged.judgement >= JUDGEMENT_ACCEPT &&
               e->payment_judged.judgement <= JUDGEMENT_LAST &&
               e->payment_judged.amount_minor >= 0 &&
               e->payment_judged.amount_minor <= GATEWAY_AMOUNT_MAX;
    case EVENT_PAYMENT_MOVED:
        return e->payment_moved.state > GATEWAY_CREATED &&
               e->payment_moved.state < GATEWAY_STATES_END &&
               e->payment_moved.source <= OBSERVED_BY_STATEMENT && e->payment_moved.reason >= 1 &&
               e->payment_moved.reason <= REASON_LAST;
    case EVENT_NOTICE_TAKEN:
        return e->notice_taken.source >= 1 && e->notice_taken.source <= OBSERVED_BY_STATEMENT &&
               e->notice_taken.verdict <= OBSERVED_REFUSED && e->notice_taken.effect >= 1 &&
               e->notice_taken.effect <= NOTICE_EFFECT_LAST;
    case EVENT_NOTICE_KEPT: return e->notice_kept.body.size <= GATEWAY_BODY_MAX;
    case EVENT_RECEIPT_CREATED:
        return e->receipt_created.amount_minor > 0 &&
               e->receipt_created.amount_minor <= GATEWAY_AMOUNT_MAX &&
               e->receipt_created.state >= RECEIPT_SUSPENSE &&
               e->receipt_created.state <= RECEIPT_ASSIGNED && e->receipt_created.source >= 1 &&
               e->receipt_created.source <= OBSERVED_BY_STATEMENT;
    case EVENT_DISCREPANCY_OPENED:
        return e->discrepancy_opened.discrepancy_kind >= 1 &&
               e->discrepancy_opened.discrepancy_kind <= DISCREPANCY_KIND_LAST &&
               e->discrepancy_opened.reference.size > 0;
    case EVENT_DISCREPANCY_RESOLVED:
        return e->discrepancy_resolved.reason >= 1 &&
               e->discrepancy_resolved.reason <= DISCREPANCY_REASON_LAST;
    case EVENT_PULL_ANSWERED: return e->pull_answered.state <= GATEWAY_PULL_STATE_LAST;
    case EVENT_C2B_URLS_ASKED: return e->c2b_asked.rule <= GATEWAY_C2B_RULE_LAST;
    case EVENT_C2B_URLS_ANSWERED: return e->c2b_answered.state <= GATEWAY_C2B_STATE_LAST;
    case EVENT_FEED_ADDED: return e->feed_added.type >= 1 && e->feed_added.type <= FEED_TYPE_LAST;
    case EVENT_PROVIDER_OPENED:
        return e->provider_opened.provider_kind >= OBSERVED_AT_DARAJA &&
               e->provider_opened.provider_kind <= OBSERVED_AT_PAYSTACK;
    default: return true;
    }
}

bool gateway_event_decode(uint16_t kind, struct reader *r, struct gateway_event *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = kind;
    switch (kind) {
#define X(name, number, text, member) \
    case number: decode_##member(r, out); break;
        GATEWAY_EVENTS(X)
#undef X
    default: return false;
    }
    return reader_done(r) && plausible(out);
}
