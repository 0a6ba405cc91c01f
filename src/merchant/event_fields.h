/*
 * event_fields.h - what each event of the merchant book consists of, field by field (fields.h). A
 * list that was released is frozen: events.h has the numbers, docs/journal-format.md the rules.
 */
#ifndef HAKIKA_MERCHANT_EVENT_FIELDS_H
#define HAKIKA_MERCHANT_EVENT_FIELDS_H

#include "merchant/event_fields_front.h"
#include "merchant/event_fields_sweep.h"

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
/* Asked for although this receipt is for the same order: an act of the caller (R2.9). */
#define FIELDS_PAYMENT_OVER_RECEIPT(X) \
    X(u64, number)                     \
    X(u64, receipt)
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

/* Another token in its callback URLs; the one before is good until it is retired. */
#define FIELDS_CALLBACKS_ROTATED(X) \
    X(u32, slot)                    \
    X(raw16, token)
#define FIELDS_CALLBACKS_RETIRED(X) X(u32, slot)
#define FIELDS_C2B_URLS_ASKED(X) \
    X(u32, slot)                 \
    X(u8, rule)                  \
    X(flag, cancels)             \
    X(u64, item)
#define FIELDS_C2B_URLS_ANSWERED(X) \
    X(u32, slot)                    \
    X(u8, state)                    \
    X(text, words)

#define FIELDS_DISCREPANCY_OPENED(X) \
    X(u64, number)                   \
    X(u8, discrepancy_kind)          \
    X(u32, provider)                 \
    X(u64, notice)                   \
    X(u64, payment)                  \
    X(u64, receipt)                  \
    X(i64, ours_minor)               \
    X(i64, theirs_minor)             \
    X(text, reference)
/* A person's words. */
#define FIELDS_DISCREPANCY_NOTED(X) \
    X(u64, number)                  \
    X(text, owner)                  \
    X(text, note)
#define FIELDS_DISCREPANCY_RESOLVED(X) \
    X(u64, number)                     \
    X(u8, reason)

#endif
