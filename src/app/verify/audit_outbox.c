/*
 * audit_outbox.c - deliveries as the events tell them: queued once, attempted only while they wait.
 * One bit a delivery. See audit.h.
 */
#include <inttypes.h>

#include "app/verify/audit.h"
#include "app/verify/audit_numbers.h"

void audit__outbox_init(struct audit *a)
{
    array_init(&a->waiting, sizeof(uint64_t));
    a->last_delivery = 0;
    a->waiting_count = 0;
}

void audit__outbox_fini(struct audit *a)
{
    array_fini(&a->waiting);
}

static uint64_t *word_of(struct audit *a, uint64_t number)
{
    return array_at(&a->waiting, (number - 1) / 64);
}

static uint64_t bit_of(uint64_t number)
{
    return (uint64_t)1 << (number - 1) % 64;
}

static void set_waiting(struct audit *a, uint64_t number)
{
    uint64_t *word = word_of(a, number);
    a->waiting_count += (*word & bit_of(number)) == 0;
    *word |= bit_of(number);
}

bool audit__delivery_waits(const struct audit *a, uint64_t number)
{
    const uint64_t *word = number == 0 ? NULL : array_at(&a->waiting, (number - 1) / 64);
    return word != NULL && (*word & bit_of(number)) != 0;
}

/* False (said) when there is no such delivery. */
static bool exists(struct audit *a, const struct outbox_event *e, const char *what)
{
    audit__checked(a, PROOF_DELIVERIES);
    if (e->number == 0 || e->number > a->last_delivery) {
        audit__breach(a, PROOF_DELIVERIES, "delivery %" PRIu64 " is %s, but it was never queued",
                      e->number, what);
        return false;
    }
    return true;
}

/* The next number, which waits. False (said): another number, or no memory. */
static bool add_delivery(struct audit *a, const struct outbox_event *e)
{
    audit__checked(a, PROOF_DELIVERIES);
    audit__checked(a, PROOF_REFERENCES);
    if (e->number != a->last_delivery + 1) {
        audit__breach(a, PROOF_REFERENCES, "delivery %" PRIu64 " follows delivery %" PRIu64,
                      e->number, a->last_delivery);
        return false;
    }
    if (a->last_delivery % 64 == 0 && array_add(&a->waiting) == NULL) {
        a->report->no_memory = true;
        return false;
    }
    a->last_delivery = e->number;
    set_waiting(a, e->number);
    a->report->totals.deliveries++;
    return true;
}

/* Written by hand: it belongs to no end of a payment, but to a delivery that there was. */
static void edited(struct audit *a, const struct outbox_event *e)
{
    if (e->original == 0 || e->original > a->last_delivery) {
        audit__breach(a, PROOF_DELIVERIES,
                      "delivery %" PRIu64 " is an edited copy of %" PRIu64 ", which never was",
                      e->number, e->original);
    }
    (void)add_delivery(a, e);
}

static void queued(struct audit *a, const struct outbox_event *e)
{
    if (!add_delivery(a, e) || a->merchant) {
        return;
    }
    uint16_t kind = e->item_kind & (uint16_t)~MESSAGE_RULED;
    if (kind == MESSAGE_STK) { /* told truly or not; a copy that somebody edits holds nothing up */
        audit__left_follow(a, e->subject, e->number);
    }
    if (kind >= MESSAGE_RESULT && kind <= MESSAGE_VALIDATION) {
        audit__request_message(a, e->subject, e->target, e->item_kind);
        return;
    }
    if (e->item_kind == MESSAGE_BILL) {
        audit__bill_notice(a, e->subject, e->target);
        return;
    }
    if (e->item_kind == MESSAGE_CONFIRMATION) {
        audit__confirmation(a, e->subject, e->target);
        return;
    }
    if (a->frame.callback_count == AUDIT_ENDS_MAX) {
        audit__breach(a, PROOF_EFFECTS, "more than %d callbacks in one decision", AUDIT_ENDS_MAX);
        return;
    }
    a->frame.callbacks[a->frame.callback_count++] =
        (struct audit_callback){e->subject, e->target, e->item_kind};
}

/* What an attempt came to must fit what came back. */
static void attempted(struct audit *a, const struct outbox_event *e)
{
    if (!exists(a, e, "attempted")) {
        return;
    }
    bool good = e->error == 0 && e->status >= 200 && e->status < 300;
    if ((*word_of(a, e->number) & bit_of(e->number)) == 0) {
        audit__breach(a, PROOF_DELIVERIES, "delivery %" PRIu64 " is attempted but does not wait",
                      e->number);
        return;
    }
    if (e->state < OUTBOX_WAITING || e->state > OUTBOX_DEAD ||
        good != (e->state == OUTBOX_DELIVERED) ||
        (e->state == OUTBOX_WAITING) != (e->next_try_ns > a->frame.time_ns)) {
        audit__breach(a, PROOF_DELIVERIES,
                      "delivery %" PRIu64 " got status %u, error %u and became state %u", e->number,
                      e->status, e->error, e->state);
    }
    if (e->state != OUTBOX_WAITING) {
        *word_of(a, e->number) &= ~bit_of(e->number);
        a->waiting_count--;
        a->report->totals.delivered += e->state == OUTBOX_DELIVERED;
        a->report->totals.dead += e->state != OUTBOX_DELIVERED;
    }
    a->frame.attempted = e->number;
    a->report->totals.attempts++;
}

static void revived(struct audit *a, const struct outbox_event *e)
{
    if (exists(a, e, "replayed")) {
        set_waiting(a, e->number);
    }
}

static void answer_kept(struct audit *a, const struct outbox_event *e)
{
    if (!exists(a, e, "answered")) {
        return;
    }
    if (a->frame.attempted != e->number || e->answer.size > OUTBOX_ANSWER_KEPT_MAX) {
        audit__breach(a, PROOF_DELIVERIES,
                      "an answer is kept for delivery %" PRIu64 " without an attempt", e->number);
    }
    a->frame.attempted = 0;
}

void audit__outbox_event(struct audit *a, uint16_t kind, struct reader *body)
{
    struct outbox_event e;
    if (kind > EVENT_DELIVERY_EDITED) {
        audit__breach(a, PROOF_RECORDS, "event kind %u is unknown", kind);
        return;
    }
    if (!outbox_event_decode(kind, body, &e)) {
        audit__breach(a, PROOF_RECORDS, "delivery event %u is malformed", kind);
        return;
    }
    switch (kind) {
    case EVENT_DELIVERY_QUEUED: queued(a, &e); break;
    case EVENT_DELIVERY_ATTEMPTED: attempted(a, &e); break;
    case EVENT_DELIVERY_REVIVED: revived(a, &e); break;
    case EVENT_DELIVERY_EDITED: edited(a, &e); break;
    default: answer_kept(a, &e); break;
    }
}
