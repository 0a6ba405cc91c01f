/*
 * event_fields_front.h - the fields of the events about applications that speak Daraja (R6.12), and
 * of what a provider account is set to. Rules as in event_fields.h.
 */
#ifndef HAKIKA_MERCHANT_EVENT_FIELDS_FRONT_H
#define HAKIKA_MERCHANT_EVENT_FIELDS_FRONT_H

/* How an application that speaks Daraja is told (R6.12). */
#define FIELDS_PAYMENT_FRONT_KEPT(X) \
    X(u64, number)                   \
    X(u64, target)                   \
    X(text, url)                     \
    X(text, reference)
#define FIELDS_PAYMENT_FORWARDED(X) \
    X(u64, number)                  \
    X(u64, item)

/* Of a payout or reversal at Daraja's own paths: its QueueTimeOutURL, and what else was asked. */
#define FIELDS_PAYMENT_LATE_URL_KEPT(X) \
    X(u64, number)                      \
    X(u64, target)                      \
    X(u8, command)                      \
    X(text, url)                        \
    X(text, occasion)
/* The provider's word that it waits in the queue, which a notice holds, goes to that URL. */
#define FIELDS_PAYMENT_LATE_FORWARDED(X) \
    X(u64, number)                       \
    X(u64, item)                         \
    X(u64, notice)
/* A payout leaves once more, under the same id, as this outbox item: the provider had no trace of
 * it. A mark (PAYMENT_SENDING) comes before it leaves. */
#define FIELDS_PAYMENT_RESENT(X) \
    X(u64, number)               \
    X(u64, item)
/* A person's decision about a mismatch, or about what nobody could find out; PAYMENT_MOVED follows.
 * amount_minor: what is booked, 0 of a rejection; notice: who said so, of the latter 0. */
#define FIELDS_PAYMENT_JUDGED(X) \
    X(u64, number)               \
    X(u8, judgement)             \
    X(i64, amount_minor)         \
    X(u64, notice)
/* Who, and why. */
#define FIELDS_PAYMENT_JUDGE_KEPT(X) \
    X(u64, number)                   \
    X(text, judge)                   \
    X(text, note)

/* Where an application that speaks Daraja wants its confirmations (R6.12). */
#define FIELDS_C2B_FORWARD_KEPT(X) \
    X(u32, slot)                   \
    X(u64, target)                 \
    X(text, url)
#define FIELDS_PROVIDER_SET(X) \
    X(u32, slot)               \
    X(u8, when_unavailable)

#endif
