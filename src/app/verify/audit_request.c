/*
 * audit_request.c - requests as the events tell them: accepted in order, ended once, money moved
 * for a success with a receipt and for nothing else, told where they asked for it. See audit.h.
 */
#include <inttypes.h>
#include <string.h>

#include "app/verify/audit.h"
#include "app/verify/audit_numbers.h"

enum { LEG_BITS = 3 };

void audit__requests_init(struct audit *a)
{
    table_init(&a->requests, sizeof(struct audit_request));
    table_init(&a->reversed, sizeof(uint8_t));
    a->last_request = 0;
    a->last_income = 0;
}

void audit__requests_fini(struct audit *a)
{
    table_fini(&a->requests);
    table_fini(&a->reversed);
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
    r->results = 1;
    r->messages = 1;
}

static void party_kept(struct audit *a, const struct operator_event *e)
{
    struct audit_request *r = table_find(&a->requests, e->number);
    audit__checked(a, PROOF_REFERENCES);
    if (r == NULL || a->frame.request_texts != e->number || r->party != 0) {
        audit__breach(a, PROOF_REFERENCES,
                      "the phone number of request %" PRIu64 " is kept where it does not belong",
                      e->number);
        return;
    }
    r->party = e->party;
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
    bool with_phone = e->kind == EVENT_REQUEST_ACCEPTED && e->party_type == PARTY_MSISDN;
    if (with_phone != (r->party != 0)) {
        audit__breach(a, PROOF_REFERENCES,
                      "request %" PRIu64 " is accepted with%s a phone number of its own", e->number,
                      with_phone ? "out" : "");
    }
    a->frame.request_texts = 0;
    r->amount_minor = e->amount_minor;
    r->target = e->target;
    r->timeout_target = e->timeout_target;
    r->party = with_phone ? r->party : e->party;
    r->short_code = e->short_code;
    r->kind = e->request_kind;
    r->short_code = e->short_code;
}

/* Before its end it sends one message, or as many as a rule ordered for it. */
static void expect_messages(struct audit *a, const struct audit_request *r)
{
    a->frame.request_messages = r->messages;
    a->frame.request_messages_ruled = r->message_ruled;
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
    if (e->has_message) {
        a->frame.request_asked = e->number;
        expect_messages(a, r);
    }
}

/* What the request is about: one thing, for the kinds that are about something. */
static void looked_up(struct audit *a, const struct operator_event *e, struct audit_request *r)
{
    uint64_t number = e->original >> 1;
    bool is_request = (e->original & 1) != 0;
    bool there = number <= (is_request ? a->last_request : a->last_payment);
    bool about = r->kind == REQUEST_STATUS || r->kind == REQUEST_REVERSAL ||
                 r->kind == REQUEST_PAYSTACK_REFUND;
    bool other = r->original != 0 && r->original != e->original;
    if (!about || other || !there || (is_request && number == e->number)) {
        audit__breach(a, PROOF_REFERENCES,
                      "request %" PRIu64 " finds %s %" PRIu64 ", which it cannot be about",
                      e->number, is_request ? "request" : "payment", number);
    }
    r->original = e->original;
    r->seen = e->seen;
}

static void amount_set(struct audit *a, const struct operator_event *e, struct audit_request *r)
{
    if (r->kind != REQUEST_SETTLEMENT || r->amount_minor != 0) {
        audit__breach(a, PROOF_PAYMENTS, "the amount of request %" PRIu64 " changes after all",
                      e->number);
    }
    r->amount_minor = e->amount_minor;
}

static void prompted(struct audit *a, const struct operator_event *e, struct audit_request *r)
{
    struct audit_subscriber *s = array_at(&a->subscribers, e->slot);
    if (s == NULL || !s->has_wallet || s->open_payment != 0 || s->open_request != 0) {
        audit__breach(a, PROOF_PAYMENTS,
                      "request %" PRIu64 " prompts subscriber %u, whose phone is not free",
                      e->number, e->slot);
        return;
    }
    if (r->asked || r->held || e->expires_ns <= a->frame.time_ns) {
        audit__breach(a, PROOF_PAYMENTS, "request %" PRIu64 " prompts a phone when it may not",
                      e->number);
    }
    r->asked = true;
    r->reached = e->reachable;
    r->due_ns = e->expires_ns;
    r->phone = e->slot + 1;
    s->open_request = e->number;
}

static void waited(struct audit *a, const struct operator_event *e, struct audit_request *r)
{
    bool out = e->kind == EVENT_REQUEST_HELD;
    bool early = out ? e->expires_ns <= a->frame.time_ns : a->frame.time_ns < r->due_ns;
    if (r->asked || r->held == out || early) {
        audit__breach(a, PROOF_PAYMENTS, "request %" PRIu64 " %s out of turn", e->number,
                      out ? "is held back" : "comes back");
    }
    r->held = out;
    r->due_ns = out ? e->expires_ns : r->due_ns;
}

static void timed_out(struct audit *a, const struct operator_event *e, struct audit_request *r)
{
    if (r->late || r->asked || a->frame.request_late != 0) {
        audit__breach(a, PROOF_EFFECTS, "request %" PRIu64 " is late a second time", e->number);
    }
    r->late = true;
    a->frame.request_late = e->number;
    a->frame.request_late_target = r->timeout_target;
    expect_messages(a, r);
}

static void ruled(struct audit *a, const struct operator_event *e, struct audit_request *r)
{
    struct ruled order;
    if (r->ruled || r->asked || r->held) {
        audit__breach(a, PROOF_PAYMENTS, "a rule orders something for request %" PRIu64 " %s",
                      e->number, r->ruled ? "a second time" : "when it is under way already");
    }
    r->ruled = operator_ruled_decode(e->orders, &order);
    r->results = r->ruled ? order.effects.times : 1;
}

static void message_ruled(struct audit *a, const struct operator_event *e, struct audit_request *r)
{
    struct ruled order;
    if (r->message_ruled || r->asked || r->late) {
        audit__breach(a, PROOF_PAYMENTS,
                      "a rule orders something for a message of request %" PRIu64
                      " that is out already",
                      e->number);
    }
    r->message_ruled = operator_ruled_decode(e->orders, &order);
    r->messages = r->message_ruled ? order.effects.times : 1;
}

/* What happens between acceptance and end. */
static void on_the_way(struct audit *a, const struct operator_event *e)
{
    struct audit_request *r = table_find(&a->requests, e->number);
    audit__checked(a, PROOF_PAYMENTS);
    if (r == NULL) {
        audit__breach(a, PROOF_PAYMENTS, "%s of request %" PRIu64 ", which is not open",
                      operator_event_name(e->kind), e->number);
        return;
    }
    switch (e->kind) {
    case EVENT_REQUEST_LOOKED_UP: looked_up(a, e, r); break;
    case EVENT_REQUEST_AMOUNT_SET: amount_set(a, e, r); break;
    case EVENT_REQUEST_PROMPTED: prompted(a, e, r); break;
    case EVENT_REQUEST_TIMED_OUT: timed_out(a, e, r); break;
    case EVENT_REQUEST_RULED: ruled(a, e, r); break;
    case EVENT_REQUEST_MESSAGE_RULED: message_ruled(a, e, r); break;
    default: waited(a, e, r); break;
    }
}

/* A transaction is given back once, and only one that was a success. */
static void reversed(struct audit *a, uint64_t number, const struct audit_request *r)
{
    audit__checked(a, PROOF_EFFECTS);
    if (r->original == 0 || r->seen != STK_SUCCESS ||
        table_find(&a->reversed, r->original) != NULL) {
        audit__breach(a, PROOF_EFFECTS,
                      "request %" PRIu64 " reverses what was reversed before or never paid",
                      number);
        return;
    }
    if (table_add(&a->reversed, r->original) == NULL) {
        a->report->no_memory = true;
    }
}

/* The end of a prompt: the phone is free, and the way to the outcome fits it. */
static void prompt_over(struct audit *a, const struct operator_event *e,
                        const struct audit_request *r)
{
    struct audit_subscriber *s = array_at(&a->subscribers, r->phone - 1);
    bool over = a->frame.time_ns >= r->due_ns;
    bool answered = e->outcome == REQUEST_DONE || e->outcome == REQUEST_CANCELLED ||
                    e->outcome == REQUEST_USER_CANCELLED || e->outcome == REQUEST_WRONG_PIN ||
                    e->outcome == REQUEST_PIN_LOCKED;
    bool unanswered = e->outcome == REQUEST_USSD_SESSION || e->outcome == REQUEST_USSD_NETWORK ||
                      e->outcome == REQUEST_NO_ANSWER || e->outcome == REQUEST_UNREACHABLE;
    bool uncounted = e->outcome == REQUEST_WRONG_PIN && a->frame.tried_slot != r->phone;
    if ((answered && !r->reached) || (unanswered && !over) || uncounted) {
        audit__breach(a, PROOF_PAYMENTS, "request %" PRIu64 " ends as %u, which its prompt denies",
                      e->number, e->outcome);
    }
    s->open_request = 0;
}

static void ended(struct audit *a, const struct operator_event *e)
{
    const struct audit_request *r = table_find(&a->requests, e->number);
    audit__checked(a, PROOF_PAYMENTS);
    if (r == NULL || a->frame.request_ended != 0) {
        audit__breach(a, PROOF_PAYMENTS, "request %" PRIu64 " ends, but it is not open", e->number);
        return;
    }
    if (e->has_receipt && r->receipt_day != 0) {
        if (e->receipt_day != r->receipt_day || e->receipt != r->receipt) {
            audit__breach(a, PROOF_REFERENCES,
                          "request %" PRIu64 " got another receipt than was reserved", e->number);
        }
    } else if (e->has_receipt) {
        audit__receipt(a, e->receipt_day, e->receipt, "request", e->number);
    }
    if (r->phone != 0) {
        prompt_over(a, e, r);
    }
    bool gives_back = r->kind == REQUEST_REVERSAL || r->kind == REQUEST_PAYSTACK_REFUND;
    if (gives_back && e->has_receipt) {
        reversed(a, e->number, r);
    }
    audit__standing_end(a, e->number, r, e->outcome);
    a->frame.request_ended = e->number;
    a->frame.request = *r;
    a->frame.request_outcome = e->outcome;
    a->frame.request_paid = e->has_receipt;
    if (e->has_receipt && (r->kind == REQUEST_C2B || r->kind == REQUEST_STANDING_PAYMENT)) {
        audit__income(a, r->short_code, r->kind == REQUEST_STANDING_PAYMENT);
    }
    table_remove(&a->requests, e->number);
}

void audit__request_event(struct audit *a, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_REQUEST_TEXTS_KEPT: texts_kept(a, e); break;
    case EVENT_REQUEST_PARTY_KEPT: party_kept(a, e); break;
    case EVENT_REQUEST_ACCEPTED_1:
    case EVENT_REQUEST_ACCEPTED: accepted(a, e); break;
    case EVENT_REQUEST_ASKED: asked(a, e); break;
    case EVENT_REQUEST_ENDED: ended(a, e); break;
    default: on_the_way(a, e); break;
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
    bool changed = (kind & MESSAGE_RULED) != 0;
    bool allowed = !changed || (a->frame.request_ended == subject && a->frame.request.ruled);
    bool result = allowed && (kind & ~MESSAGE_RULED) == MESSAGE_RESULT;
    bool before = !changed || a->frame.request_messages_ruled;
    bool question =
        (kind & ~MESSAGE_RULED) == MESSAGE_VALIDATION && a->frame.request_asked == subject;
    bool late = (kind & ~MESSAGE_RULED) == MESSAGE_TIMEOUT && a->frame.request_late == subject &&
                a->frame.request_late_target == target;
    if (result && a->frame.request_ended == subject && a->frame.request.target == target) {
        a->frame.request_results++;
    } else if (before && (late || question) && a->frame.request_messages > 0) {
        a->frame.request_messages--;
    } else {
        audit__breach(a, PROOF_EFFECTS,
                      "message kind %u is queued for request %" PRIu64
                      ", which neither ends nor asks here",
                      kind, subject);
    }
}

static bool is_wallet_of(struct audit *a, const struct audit_account *account, uint64_t msisdn)
{
    const struct audit_subscriber *s =
        account != NULL ? array_at(&a->subscribers, account->owner) : NULL;
    return s != NULL && account->code == CODE_WALLET && s->msisdn == msisdn;
}

/* Does the money come from whom the request lets pay? An organisation's accounts are its own. */
static bool payer_fits(struct audit *a, const struct audit_request *r, const struct transfer *t)
{
    const struct audit_account *account = array_at(&a->accounts, t->debit_account);
    bool of_organisation = account != NULL && account->code >= CODE_UTILITY;
    switch (r->kind) {
    case REQUEST_B2C:
    case REQUEST_POCHI:
    case REQUEST_B2B:
    case REQUEST_TAX:
    case REQUEST_REVERSAL:
    case REQUEST_PAYSTACK_REFUND:
    case REQUEST_SETTLEMENT: return of_organisation && account->owner == r->short_code;
    case REQUEST_EXPRESS: return of_organisation && account->owner == r->party;
    case REQUEST_PAYSTACK:
    case REQUEST_STANDING_PAYMENT: return is_wallet_of(a, account, r->party);
    case REQUEST_STANDING_ORDER:
    case REQUEST_STATUS:
    case REQUEST_BALANCE: return false; /* nothing moves */
    default: return true;
    }
}

/* Legs come in order, the payment itself first. */
static void check_request_legs(struct audit *a)
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
    if (f->leg_count > 0 && f->request_ended != 0 && !payer_fits(a, &f->request, &f->legs[0])) {
        audit__breach(a, PROOF_EFFECTS,
                      "request %" PRIu64 " takes money from account %u, which may not pay for it",
                      f->request_ended, f->legs[0].debit_account);
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
    if (f->request_messages != 0) {
        audit__breach(a, PROOF_EFFECTS,
                      "request %" PRIu64 " is late or asks, and its URL is not told",
                      f->request_late + f->request_asked);
    }
    check_request_legs(a);
    if (f->request_ended == 0) {
        return;
    }
    audit__checked(a, PROOF_EFFECTS);
    bool moved = f->leg_count > 0;
    if (moved != f->request_paid || (moved && f->request_outcome != REQUEST_DONE)) {
        audit__breach(a, PROOF_EFFECTS, "request %" PRIu64 " ended as %u, and %u transfers moved",
                      f->request_ended, f->request_outcome, f->leg_count);
    }
    /* A C2B confirmation tells of successes only, and so does Paystack. */
    bool picky = f->request.kind == REQUEST_C2B || f->request.kind == REQUEST_PAYSTACK;
    bool told = f->request.told && (!picky || f->request_outcome == REQUEST_DONE);
    if (f->request_outcome == REQUEST_RULED && !f->request.ruled) {
        audit__breach(a, PROOF_PAYMENTS,
                      "request %" PRIu64 " ends by a rule, but none orders anything for it",
                      f->request_ended);
    }
    if (f->request_results != (told ? f->request.results : 0)) {
        audit__breach(a, PROOF_EFFECTS, "request %" PRIu64 " ended and queued %u results",
                      f->request_ended, f->request_results);
    }
}
