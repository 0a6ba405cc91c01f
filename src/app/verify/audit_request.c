/*
 * audit_request.c - requests as the events tell them: accepted in order, ended once, money moved
 * for a success with a receipt and for nothing else, told where they asked for it. See audit.h.
 */
#include <inttypes.h>
#include <string.h>

#include "app/verify/audit.h"

enum { ID_OF_REQUEST = 3, LEG_BITS = 3 };

void audit__requests_init(struct audit *a)
{
    table_init(&a->requests, sizeof(struct audit_request));
    a->last_request = 0;
}

void audit__requests_fini(struct audit *a)
{
    table_fini(&a->requests);
}

static void texts_kept(struct audit *a, const struct operator_event *e)
{
    audit__checked(a, PROOF_REFERENCES);
    if (e->number != a->last_request + 1 || a->frame.request_texts != 0) {
        audit__breach(a, PROOF_REFERENCES, "request %" PRIu64 " follows request %" PRIu64,
                      e->number, a->last_request);
        return;
    }
    struct audit_request *r = table_add(&a->requests, e->number);
    if (r == NULL) {
        a->report->no_memory = true;
        return;
    }
    a->last_request = e->number;
    a->frame.request_texts = e->number;
    r->told = e->url.size > 0;
}

static void accepted(struct audit *a, const struct operator_event *e)
{
    struct audit_request *r = table_find(&a->requests, e->number);
    audit__checked(a, PROOF_PAYMENTS);
    if (r == NULL || a->frame.request_texts != e->number) {
        audit__breach(a, PROOF_PAYMENTS, "request %" PRIu64 " is accepted without its texts",
                      e->number);
        return;
    }
    a->frame.request_texts = 0;
    r->amount_minor = e->amount_minor;
    r->target = e->target;
    r->kind = e->request_kind;
}

static void asked(struct audit *a, const struct operator_event *e)
{
    struct audit_request *r = table_find(&a->requests, e->number);
    if (r == NULL || r->asked || e->expires_ns < a->frame.time_ns) {
        audit__breach(a, PROOF_PAYMENTS, "request %" PRIu64 " asks somebody when it may not",
                      e->number);
        return;
    }
    r->asked = true;
    a->frame.request_asked = e->has_message ? e->number : 0;
}

static void ended(struct audit *a, const struct operator_event *e)
{
    const struct audit_request *r = table_find(&a->requests, e->number);
    audit__checked(a, PROOF_PAYMENTS);
    if (r == NULL || a->frame.request_ended != 0) {
        audit__breach(a, PROOF_PAYMENTS, "request %" PRIu64 " ends, but it is not open", e->number);
        return;
    }
    if (e->has_receipt) {
        audit__receipt(a, e->receipt_day, e->receipt, "request", e->number);
    }
    a->frame.request_ended = e->number;
    a->frame.request = *r;
    a->frame.request_outcome = e->outcome;
    a->frame.request_paid = e->has_receipt;
    table_remove(&a->requests, e->number);
}

void audit__request_event(struct audit *a, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST_TEXTS_KEPT: texts_kept(a, e); break;
    case EVENT_REQUEST_ACCEPTED: accepted(a, e); break;
    case EVENT_REQUEST_ASKED: asked(a, e); break;
    default: ended(a, e); break;
    }
}

void audit__request_transfer(struct audit *a, const struct transfer *t)
{
    if (a->frame.leg_count == AUDIT_LEGS_MAX) {
        audit__breach(a, PROOF_EFFECTS, "more than %d transfers of requests in one decision",
                      AUDIT_LEGS_MAX);
        return;
    }
    a->frame.legs[a->frame.leg_count++] = *t;
}

void audit__request_message(struct audit *a, uint64_t subject, uint64_t target, uint16_t kind)
{
    bool result = kind == MESSAGE_RESULT;
    bool question = kind == MESSAGE_VALIDATION && a->frame.request_asked == subject;
    if (result && a->frame.request_ended == subject && a->frame.request.target == target) {
        a->frame.request_results++;
    } else if (!question) {
        audit__breach(a, PROOF_EFFECTS,
                      "message kind %u is queued for request %" PRIu64
                      ", which neither ends nor asks here",
                      kind, subject);
    }
}

/* Legs come in order, the payment itself first. */
static void check_legs(struct audit *a)
{
    const struct audit_frame *f = &a->frame;
    for (uint32_t i = 0; i < f->leg_count; i++) {
        const struct transfer *t = &f->legs[i];
        uint64_t id = (uint64_t)ID_OF_REQUEST << 60 | f->request_ended << LEG_BITS | i;
        if (f->request_ended == 0 || t->id != id || t->reference != f->request_ended ||
            t->kind != TRANSFER_POST) {
            audit__breach(a, PROOF_EFFECTS, "transfer %" PRIx64 " belongs to no request that ends",
                          t->id);
        }
    }
    if (f->leg_count > 0 && f->request_paid && f->legs[0].amount_minor != f->request.amount_minor) {
        audit__breach(a, PROOF_EFFECTS,
                      "request %" PRIu64 " is of %" PRId64 " cents, %" PRId64 " were moved",
                      f->request_ended, f->request.amount_minor, f->legs[0].amount_minor);
    }
}

void audit__requests_frame(struct audit *a)
{
    const struct audit_frame *f = &a->frame;
    if (f->request_texts != 0) {
        audit__breach(a, PROOF_PAYMENTS, "request %" PRIu64 " has texts but was not accepted",
                      f->request_texts);
    }
    check_legs(a);
    if (f->request_ended == 0) {
        return;
    }
    audit__checked(a, PROOF_EFFECTS);
    bool moved = f->leg_count > 0;
    if (moved != f->request_paid || (moved && f->request_outcome != REQUEST_DONE)) {
        audit__breach(a, PROOF_EFFECTS, "request %" PRIu64 " ended as %u, and %u transfers moved",
                      f->request_ended, f->request_outcome, f->leg_count);
    }
    /* A C2B confirmation tells of successes only. */
    bool told =
        f->request.told && (f->request.kind != REQUEST_C2B || f->request_outcome == REQUEST_DONE);
    if (f->request_results != (told ? 1 : 0)) {
        audit__breach(a, PROOF_EFFECTS, "request %" PRIu64 " ended and queued %u results",
                      f->request_ended, f->request_results);
    }
}
