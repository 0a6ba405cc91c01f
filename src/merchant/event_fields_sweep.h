/*
 * event_fields_sweep.h - the part of event_fields.h about what is done again and again: pulling,
 * sweeps, alerts. A list that was released is frozen.
 */
#ifndef HAKIKA_MERCHANT_EVENT_FIELDS_SWEEP_H
#define HAKIKA_MERCHANT_EVENT_FIELDS_SWEEP_H

#define FIELDS_PULL_NUMBER_KEPT(X) \
    X(u32, slot)                   \
    X(u64, phone)                  \
    X(u64, item)
#define FIELDS_PULL_ASKED(X) \
    X(u32, slot)             \
    X(u64, item)             \
    X(i64, from_ns)          \
    X(i64, until_ns)         \
    X(u32, offset)
#define FIELDS_PULL_ANSWERED(X) \
    X(u32, slot)                \
    X(u8, state)                \
    X(u32, rows)                \
    X(text, words)
/* When the account is pulled by itself next. */
#define FIELDS_PULL_DUE(X) \
    X(u32, slot)           \
    X(i64, due_ns)
/* due_ns 0: nothing is open. */
#define FIELDS_SWEEP_DUE(X) \
    X(u64, cursor)          \
    X(i64, due_ns)
#define FIELDS_ALERT_RAISED(X) \
    X(u32, slot)               \
    X(u32, day)

#endif
