/*
 * events.h - the merchant book's events in the journal: structures, bytes in both directions. For
 * the book itself and for those who read journals (verify, view, the event stream).
 *
 * Kinds are numbered once and never reused; a changed list of fields is a new kind. Personal data
 * and raw bytes sit in kinds of their own (*_KEPT), referred to by number (R2.8).
 */
#ifndef HAKIKA_MERCHANT_EVENTS_H
#define HAKIKA_MERCHANT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "merchant/event_fields.h"
#include "merchant/fields.h"
#include "merchant/merchant.h"

enum { GATEWAY_EVENT_FIRST = 192, GATEWAY_EVENT_LAST = 319 };

/* X(NAME, number, "name on the event stream", member) */
#define GATEWAY_EVENTS(X)                                                      \
    X(MERCHANT_OPENED, 192, "merchant_opened", merchant_opened)                \
    X(MERCHANT_KEPT, 193, "merchant_kept", merchant_kept)                      \
    X(API_KEY_OPENED, 194, "api_key_opened", api_key_opened)                   \
    X(API_KEY_CLOSED, 195, "api_key_closed", api_key_closed)                   \
    X(PROVIDER_OPENED, 196, "provider_opened", provider_opened)                \
    X(PROVIDER_KEPT, 197, "provider_kept", provider_kept)                      \
    X(ENDPOINT_OPENED, 198, "endpoint_opened", endpoint_opened)                \
    X(ENDPOINT_KEPT, 199, "endpoint_kept", endpoint_kept)                      \
    X(ENDPOINT_CHANGED, 200, "endpoint_changed", endpoint_changed)             \
    X(PAYMENT_KEPT, 204, "payment_kept", payment_kept)                         \
    X(PAYMENT_CREATED, 205, "payment_created", payment_created)                \
    X(PAYMENT_SENDING, 206, "payment_sending", payment_sending)                \
    X(PAYMENT_NOT_SENT, 207, "payment_not_sent", payment_not_sent)             \
    X(PAYMENT_IDS_KEPT, 208, "payment_ids_kept", payment_ids_kept)             \
    X(PAYMENT_MOVED, 209, "payment_moved", payment_moved)                      \
    X(PAYMENT_RESULT_KEPT, 210, "payment_result_kept", payment_result_kept)    \
    X(PAYMENT_ASKED, 211, "payment_asked", payment_asked)                      \
    X(PAYMENT_ANSWERED, 212, "payment_answered", payment_answered)             \
    X(PAYMENT_RUNG, 213, "payment_rung", payment_rung)                         \
    X(PAYMENT_ESCROW, 214, "payment_escrow", payment_escrow)                   \
    X(PAYMENT_FRONT_KEPT, 215, "payment_front_kept", payment_front_kept)       \
    X(PAYMENT_FORWARDED, 216, "payment_forwarded", payment_forwarded)          \
    X(NOTICE_KEPT, 220, "notice_kept", notice_kept)                            \
    X(NOTICE_TAKEN, 221, "notice_taken", notice_taken)                         \
    X(NOTICE_REPEATED, 222, "notice_repeated", notice_repeated)                \
    X(NOTICE_JOINED, 223, "notice_joined", notice_joined)                      \
    X(FEED_ADDED, 230, "feed_added", feed_added)                               \
    X(WEBHOOK_ADDED, 231, "webhook_added", webhook_added)                      \
    X(WEBHOOK_QUEUED, 232, "webhook_queued", webhook_queued)                   \
    X(WEBHOOK_ENDED, 233, "webhook_ended", webhook_ended)                      \
    X(REFUND_PROPOSED, 240, "refund_proposed", refund_proposed)                \
    X(ENDPOINT_SECRET_KEPT, 241, "endpoint_secret_kept", endpoint_secret_kept) \
    X(ENDPOINT_ROTATED, 242, "endpoint_rotated", endpoint_rotated)             \
    X(RECEIPT_KEPT, 250, "receipt_kept", receipt_kept)                         \
    X(RECEIPT_CREATED, 251, "receipt_created", receipt_created)                \
    X(RECEIPT_ASSIGNED, 252, "receipt_assigned", receipt_assigned)             \
    X(RECEIPT_TAKEN_BACK, 253, "receipt_taken_back", receipt_taken_back)       \
    X(C2B_URLS_ASKED, 254, "c2b_urls_asked", c2b_asked)                        \
    X(C2B_URLS_ANSWERED, 255, "c2b_urls_answered", c2b_answered)               \
    X(DISCREPANCY_OPENED, 260, "discrepancy_opened", discrepancy_opened)       \
    X(DISCREPANCY_NOTED, 261, "discrepancy_noted", discrepancy_noted)          \
    X(DISCREPANCY_RESOLVED, 262, "discrepancy_resolved", discrepancy_resolved) \
    X(PULL_NUMBER_KEPT, 263, "pull_number_kept", pull_number_kept)             \
    X(PULL_ASKED, 264, "pull_asked", pull_asked)                               \
    X(PULL_ANSWERED, 265, "pull_answered", pull_answered)                      \
    X(SWEEP_DUE, 266, "sweep_due", sweep_due)                                  \
    X(ALERT_RAISED, 267, "alert_raised", alert_raised)                         \
    X(PAYMENT_EMAIL_KEPT, 270, "payment_email_kept", payment_email_kept)       \
    X(SHADOW_SEEN, 271, "shadow_seen", shadow_seen)                            \
    X(PAYMENT_OVER_RECEIPT, 280, "payment_over_receipt", payment_over_receipt) \
    X(PAYMENT_JUDGED, 281, "payment_judged", payment_judged)                   \
    X(PAYMENT_JUDGE_KEPT, 282, "payment_judge_kept", payment_judge_kept)       \
    X(PAYMENT_RESENT, 283, "payment_resent", payment_resent)                   \
    X(CALLBACKS_ROTATED, 284, "callbacks_rotated", callbacks_rotated)          \
    X(CALLBACKS_RETIRED, 285, "callbacks_retired", callbacks_retired)          \
    X(PULL_DUE, 286, "pull_due", pull_due)                                     \
    X(PAYMENT_LATE_URL_KEPT, 292, "payment_late_url_kept", late_url_kept)      \
    X(PAYMENT_LATE_FORWARDED, 293, "payment_late_forwarded", late_forwarded)   \
    X(C2B_FORWARD_KEPT, 294, "c2b_forward_kept", c2b_forward)                  \
    X(PROVIDER_SET, 295, "provider_set", provider_set)

enum gateway_event_kind {
#define X(name, number, text, member) EVENT_##name = number,
    GATEWAY_EVENTS(X)
#undef X
};

struct gateway_event {
    uint16_t kind;
    union {
#define X(name, number, text, member) \
    struct {                          \
        FIELDS_##name(FIELD_DECLARE)  \
    } member;
        GATEWAY_EVENTS(X)
#undef X
    };
};

/* NULL for a number that is not one of the merchant book's. */
const char *gateway_event_name(uint16_t kind);
void gateway_event_encode(struct writer *w, const struct gateway_event *event);
/* False when the bytes are not exactly one event of that kind. Spans point into the reader. */
bool gateway_event_decode(uint16_t kind, struct reader *r, struct gateway_event *out) MUST_USE;

#endif
