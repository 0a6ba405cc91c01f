/*
 * record_fields.h - what a payment that has left consists of, field by field (fields.h). Records
 * are in the journal for ever (recalled): a changed list is another version beside this one.
 */
#ifndef HAKIKA_MERCHANT_RECORD_FIELDS_H
#define HAKIKA_MERCHANT_RECORD_FIELDS_H

#define RECORD_PAYMENT_1(X)  \
    X(u64, number)           \
    X(u64, phone)            \
    X(u64, item)             \
    X(u64, overrides)        \
    X(i64, paid_minor)       \
    X(u64, override_receipt) \
    X(u64, refund)           \
    X(u64, notice)           \
    X(i64, amount_minor)     \
    X(i64, asked_ns)         \
    X(raw16, token)          \
    X(u32, merchant)         \
    X(u32, provider)         \
    X(u32, object_seq)       \
    X(u32, notices)          \
    X(u64, before)           \
    X(u64, after)            \
    X(u64, front_target)     \
    X(u64, front_item)       \
    X(u64, late_target)      \
    X(u64, late_item)        \
    X(u64, late_notice)      \
    X(u8, command)           \
    X(u8, state)             \
    X(u8, source)            \
    X(u8, reason)            \
    X(u8, method)            \
    X(u8, capture)           \
    X(u8, resent)            \
    X(u8, judgement)         \
    X(u8, escrow)            \
    X(u8, rung)              \
    X(flag, sending)         \
    X(flag, late)

#define RECORD_PAYMENT_TEXTS_1(T) \
    T(order)                      \
    T(description)                \
    T(email)                      \
    T(provider_id)                \
    T(other_id)                   \
    T(receipt)                    \
    T(judge)                      \
    T(judge_note)                 \
    T(code)                       \
    T(words)                      \
    T(front_url)                  \
    T(front_reference)            \
    T(late_url)                   \
    T(occasion)

#define RECORD_NOTICE_1(X) \
    X(u64, number)         \
    X(u64, position)       \
    X(i64, taken_ns)       \
    X(i64, amount_minor)   \
    X(u64, phone)          \
    X(raw16, key)          \
    X(raw16, digest)       \
    X(u32, provider)       \
    X(u32, repeats)        \
    X(u8, source)          \
    X(u8, about)           \
    X(u8, verdict)         \
    X(u8, why)             \
    X(u8, effect)

#define RECORD_NOTICE_TEXTS_1(T) \
    T(reference)                 \
    T(receipt)                   \
    T(code)                      \
    T(words)                     \
    T(peer)                      \
    T(headers)

#endif
