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
#include "merchant/fields.h"
#include "merchant/merchant.h"

enum { GATEWAY_EVENT_FIRST = 192, GATEWAY_EVENT_LAST = 319 };

#define FIELDS_MERCHANT_OPENED(X) \
    X(u32, slot)                  \
    X(u32, wallet)                \
    X(u32, escrow)                \
    X(u32, fees)                  \
    X(u32, suspense)
#define FIELDS_MERCHANT_KEPT(X) \
    X(u32, slot)                \
    X(text, name)
#define FIELDS_API_KEY_OPENED(X) \
    X(u32, slot)                 \
    X(u32, merchant)             \
    X(raw16, hash)
#define FIELDS_API_KEY_CLOSED(X) X(u32, slot)
#define FIELDS_PROVIDER_OPENED(X) \
    X(u32, slot)                  \
    X(u32, merchant)              \
    X(u32, short_code)            \
    X(u32, party_b)               \
    X(u32, clearing)              \
    X(u64, target)                \
    X(raw16, token)               \
    X(u8, provider_kind)          \
    X(flag, production)           \
    X(flag, is_till)
/* Secrets are sealed. An empty base URL: the operator next door. */
#define FIELDS_PROVIDER_KEPT(X) \
    X(u32, slot)                \
    X(text, base_url)           \
    X(text, key)                \
    X(text, secret)             \
    X(text, passkey)            \
    X(text, initiator)          \
    X(text, credential)
#define FIELDS_ENDPOINT_OPENED(X) \
    X(u32, slot)                  \
    X(u32, merchant)              \
    X(u64, target)                \
    X(u64, types)
#define FIELDS_ENDPOINT_KEPT(X) \
    X(u32, slot)                \
    X(text, url)                \
    X(text, secret)             \
    X(text, secret_before)
#define FIELDS_ENDPOINT_CHANGED(X) \
    X(u32, slot)                   \
    X(u8, status)                  \
    X(u64, types)

/* The next secret, sealed; EVENT_ENDPOINT_ROTATED follows. */
#define FIELDS_ENDPOINT_SECRET_KEPT(X) \
    X(u32, slot)                       \
    X(text, secret)
#define FIELDS_ENDPOINT_ROTATED(X) \
    X(u32, slot)                   \
    X(i64, before_until_ns)

#define FIELDS_PAYMENT_KEPT(X) \
    X(u64, number)             \
    X(u64, phone)              \
    X(text, order)             \
    X(text, description)       \
    X(raw16, token)
#define FIELDS_PAYMENT_CREATED(X) \
    X(u64, number)                \
    X(u32, merchant)              \
    X(u32, provider)              \
    X(i64, amount_minor)          \
    X(u8, method)                 \
    X(u8, capture)                \
    X(u64, overrides)             \
    X(u64, item)                  \
    X(i64, due_ns)
#define FIELDS_PAYMENT_SENDING(X) \
    X(u64, number)                \
    X(i64, due_ns)
#define FIELDS_PAYMENT_NOT_SENT(X) X(u64, number)
#define FIELDS_PAYMENT_IDS_KEPT(X) \
    X(u64, number)                 \
    X(text, provider_id)           \
    X(text, other_id)
#define FIELDS_PAYMENT_MOVED(X) \
    X(u64, number)              \
    X(u8, state)                \
    X(u8, source)               \
    X(u8, reason)               \
    X(u64, notice)              \
    X(i64, due_ns)
#define FIELDS_PAYMENT_RESULT_KEPT(X) \
    X(u64, number)                    \
    X(text, code)                     \
    X(text, words)                    \
    X(text, receipt)
#define FIELDS_PAYMENT_ASKED(X) \
    X(u64, number)              \
    X(u64, item)                \
    X(u8, rung)                 \
    X(i64, due_ns)
#define FIELDS_PAYMENT_ANSWERED(X) X(u64, number)
#define FIELDS_PAYMENT_RUNG(X) \
    X(u64, number)             \
    X(u8, rung)                \
    X(flag, attention)         \
    X(i64, due_ns)
#define FIELDS_PAYMENT_ESCROW(X) \
    X(u64, number)               \
    X(u8, escrow)
/* How an application that speaks Daraja is told (R6.12). */
#define FIELDS_PAYMENT_FRONT_KEPT(X) \
    X(u64, number)                   \
    X(u64, target)                   \
    X(text, url)                     \
    X(text, reference)
#define FIELDS_PAYMENT_FORWARDED(X) \
    X(u64, number)                  \
    X(u64, item)

#define FIELDS_PAYMENT_EMAIL_KEPT(X) \
    X(u64, number)                   \
    X(text, email)
/* The raw bytes of a notice, the evidence (R2.8), with what it names. */
#define FIELDS_NOTICE_KEPT(X) \
    X(u64, number)            \
    X(u64, phone)             \
    X(text, reference)        \
    X(text, receipt)          \
    X(text, code)             \
    X(text, words)            \
    X(text, peer)             \
    X(text, headers)          \
    X(text, body)
#define FIELDS_NOTICE_TAKEN(X) \
    X(u64, number)             \
    X(u32, provider)           \
    X(u64, payment)            \
    X(u8, source)              \
    X(u8, about)               \
    X(u8, verdict)             \
    X(u8, why)                 \
    X(u8, effect)              \
    X(i64, amount_minor)       \
    X(raw16, key)              \
    X(raw16, digest)
#define FIELDS_NOTICE_REPEATED(X) \
    X(u64, number)                \
    X(raw16, digest)
#define FIELDS_NOTICE_JOINED(X) \
    X(u64, number)              \
    X(u64, payment)             \
    X(u8, effect)

#define FIELDS_FEED_ADDED(X) \
    X(u64, seq)              \
    X(u16, type)             \
    X(u8, object_kind)       \
    X(u64, object)           \
    X(u32, object_seq)       \
    X(u32, merchant)         \
    X(flag, has_receipt)
#define FIELDS_WEBHOOK_ADDED(X) \
    X(u64, seq)                 \
    X(u32, endpoint)            \
    X(u64, item)
#define FIELDS_WEBHOOK_QUEUED(X) \
    X(u64, seq)                  \
    X(u32, endpoint)             \
    X(u64, item)
#define FIELDS_WEBHOOK_ENDED(X) \
    X(u64, seq)                 \
    X(u32, endpoint)            \
    X(u8, state)

#define FIELDS_REFUND_PROPOSED(X) \
    X(u64, number)                \
    X(u64, payment)               \
    X(u64, first_payment)         \
    X(i64, amount_minor)

/* The texts come first and make the receipt's slot; RECEIPT_CREATED in the same frame fills it,
 * after its notice. */
#define FIELDS_RECEIPT_KEPT(X) \
    X(u64, number)             \
    X(u32, provider)           \
    X(u64, phone)              \
    X(text, receipt)           \
    X(text, reference)         \
    X(text, party)
/* Assigned at once: to the order that its account reference names. */
#define FIELDS_RECEIPT_CREATED(X) \
    X(u64, number)                \
    X(i64, amount_minor)          \
    X(i64, at_ns)                 \
    X(u8, state)                  \
    X(u8, source)
#define FIELDS_RECEIPT_ASSIGNED(X) \
    X(u64, number)                 \
    X(flag, by_person)             \
    X(text, order)
#define FIELDS_RECEIPT_TAKEN_BACK(X) \
    X(u64, number)                   \
    X(u64, payment)

#define FIELDS_C2B_URLS_ASKED(X) \
    X(u32, slot)                 \
    X(u8, rule)                  \
    X(flag, cancels)             \
    X(u64, item)
#define FIELDS_C2B_URLS_ANSWERED(X) \
    X(u32, slot)                    \
    X(u8, state)                    \
    X(text, words)

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
    X(PAYMENT_EMAIL_KEPT, 270, "payment_email_kept", payment_email_kept)

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
