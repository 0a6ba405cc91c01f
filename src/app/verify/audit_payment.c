/*
 * audit_payment.c - the life of STK payments as their events tell it, and what must come with an
 * end: money, receipt, callback. See audit.h.
 *
 *   accepted --> prompted --> ended        answered: parked, only between accepted and prompted
 *       +-----------------------^          (refused in phase 1: never paid, never cancelled)
 */
#include <inttypes.h>
#include <string.h>

#include "app/verify/audit.h"
#include "app/verify/audit_numbers.h"

enum {
    REASON_STK = 3, /* of the transfer that pays */
    PAYER_SIDE_SECOND = 1000000000,
};
#define DAY_NS       ((int64_t)86400 * 1000 * 1000 * 1000)
#define EAT_AHEAD_NS ((int64_t)3 * 3600 * 1000 * 1000 * 1000)
#define RECEIPT_END  ((uint64_t)78364164096) /* 36 to the 7th: seven digits */
#define TAIL_END     1000000000u             /* nine digits of the phone number */

void audit__payments_init(struct audit *a)
{
    table_init(&a->open, sizeof(struct audit_payment));
    table_init(&a->checkouts, 0);
    table_init(&a->held, 0);
    memset(a->ended, 0, sizeof(a->ended));
    a->checkout_second = -1;
    a->last_payment = 0;
    a->paid_minor = 0;
    a->moved_minor = 0;
    a->receipt_day = 0;
    a->receipt = 0;
}

void audit__payments_fini(struct audit *a)
{
    table_fini(&a->open);
    table_fini(&a->checkouts);
    table_fini(&a->held);
}

/* The open payment that an event names; NULL (said) when there is none. */
static struct audit_payment *find_open(struct audit *a, const struct operator_event *e)
{
    struct audit_payment *p = table_find(&a->open, e->number);
    audit__checked(a, PROOF_PAYMENTS);
    if (p == NULL) {
        bool was = e->number >= 1 && e->number <= a->last_payment;
        audit__breach(a, PROOF_PAYMENTS, "%s for payment %" PRIu64 ", which %s",
                      operator_event_name(e->kind), e->number,
                      was ? "had ended before" : "was never accepted");
    }
    return p;
}

/* ---- acceptance ---- */

static void stk_texts_kept(struct audit *a, const struct operator_event *e)
{
    audit__checked(a, PROOF_REFERENCES);
    if (e->number != a->last_payment + 1) {
        audit__breach(a, PROOF_REFERENCES, "payment %" PRIu64 " follows payment %" PRIu64,
                      e->number, a->last_payment);
    }
    if (a->frame.texts != 0) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " has texts but was not accepted",
                      a->frame.texts);
    }
    a->frame.texts = e->number;
}

/* Within one second the same phone never gets the same serial: the checkout id is new. */
static void check_checkout(struct audit *a, const struct operator_event *e, uint64_t msisdn)
{
    int64_t second = a->frame.time_ns / PAYER_SIDE_SECOND;
    if (second != a->checkout_second) {
        table_clear(&a->checkouts);
        a->checkout_second = second;
    }
    uint64_t key = (uint64_t)e->checkout_serial << 32 | msisdn % TAIL_END;
    audit__checked(a, PROOF_REFERENCES);
    if (table_find(&a->checkouts, key) != NULL) {
        audit__breach(a, PROOF_REFERENCES,
                      "payment %" PRIu64 " has the checkout id of another payment", e->number);
        return;
    }
    a->report->no_memory = a->report->no_memory || table_add(&a->checkouts, key) == NULL;
}

static void stk_accepted(struct audit *a, const struct operator_event *e)
{
    struct audit_subscriber *s = array_at(&a->subscribers, e->slot);
    audit__checked(a, PROOF_PAYMENTS);
    if (a->frame.texts != e->number || e->number == 0) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " is accepted %s", e->number,
                      e->number <= a->last_payment ? "a second time" : "without its texts");
        return;
    }
    a->frame.texts = 0;
    a->last_payment = e->number;
    audit__left_follow(a, e->number, 0);
    a->report->totals.payments++;
    if (s == NULL) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64 " asks subscriber %u, who does not exist", e->number,
                      e->slot);
        return;
    }
    if (s->open_request != 0) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64
                      " opens on a phone that has the prompt of request %" PRIu64,
                      e->number, s->open_request);
    }
    if (s->open_payment != 0) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64 " opens on a phone that has payment %" PRIu64 " open",
                      e->number, s->open_payment);
    }
    if (e->amount_minor <= 0 || table_find(&a->short_codes, e->short_code) == NULL ||
        (e->type != 1 && e->type != 2)) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64 " of %" PRId64 " cents for short code %u, kind %u: such a "
                      "push is never accepted",
                      e->number, e->amount_minor, e->short_code, e->type);
    }
    check_checkout(a, e, s->msisdn);
    if (table_find(&a->open, e->number) != NULL) {
        return; /* numbers went back, which was said */
    }
    struct audit_payment *p = table_add(&a->open, e->number);
    if (p == NULL) {
        a->report->no_memory = true;
        return;
    }
    p->amount_minor = e->amount_minor;
    p->subscriber = e->slot;
    p->party_b = e->party_b;
    p->target = e->target;
    p->callbacks = 1;
    s->open_payment = e->number;
}

/* ---- scenario rules ---- */

static void stk_ruled(struct audit *a, const struct operator_event *e)
{
    struct audit_payment *p = find_open(a, e);
    struct ruled order;
    if (p == NULL) {
        return;
    }
    if (p->ruled || p->prompted) {
        audit__breach(a, PROOF_PAYMENTS, "a rule orders something for payment %" PRIu64 " %s",
                      e->number, p->ruled ? "a second time" : "when its prompt is out already");
    }
    p->ruled = operator_ruled_decode(e->orders, &order);
    p->callbacks = p->ruled ? order.effects.times : 1;
}

void audit__rule_event(struct audit *a, const struct operator_event *e)
{
    if (e->kind == EVENT_RULES_SET || e->kind == EVENT_RULES_COUNTED) {
        return; /* they move nothing */
    }
    audit__checked(a, PROOF_DELIVERIES);
    bool is_held = table_find(&a->held, e->number) != NULL;
    if (e->kind == EVENT_MESSAGE_LET_GO && is_held) {
        table_remove(&a->held, e->number);
    } else if (e->kind == EVENT_MESSAGE_HELD && !is_held && e->number == a->last_delivery) {
        a->report->no_memory = a->report->no_memory || table_add(&a->held, e->number) == NULL;
    } else {
        audit__breach(a, PROOF_DELIVERIES, "delivery %" PRIu64 " is %s", e->number,
                      is_held                           ? "held back a second time"
                      : e->kind == EVENT_MESSAGE_LET_GO ? "let go, but nothing held it"
                                                        : "held back, but was not queued");
    }
}

/* ---- on the phone ---- */

static void stk_prompted(struct audit *a, const struct operator_event *e)
{
    struct audit_payment *p = find_open(a, e);
    if (p == NULL) {
        return;
    }
    if (p->prompted || e->expires_ns <= a->frame.time_ns) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " is prompted %s", e->number,
                      p->prompted ? "a second time" : "when its prompt is over already");
    }
    p->prompted = true;
    p->reached = e->reachable;
    p->expires_ns = e->expires_ns;
}

static void stk_answered(struct audit *a, const struct operator_event *e)
{
    struct audit_payment *p = find_open(a, e);
    if (p == NULL) {
        return;
    }
    if (p->prompted || p->answered || (e->answer != ANSWER_APPROVE && e->answer != ANSWER_CANCEL)) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " gets answer %u out of turn",
                      e->number, e->answer);
    }
    p->answered = true;
}

/* ---- endings ---- */

/* What the outcome says about the road to it. NULL: it fits. */
static const char *end_objection(const struct audit *a, const struct audit_payment *p,
                                 uint8_t outcome)
{
    bool on_phone = p->prompted && p->reached;
    bool over = p->prompted && a->frame.time_ns >= p->expires_ns;
    switch (outcome) {
    case STK_PAID: return on_phone ? NULL : "is paid although no prompt was on the phone";
    case STK_CANCELLED: return on_phone ? NULL : "is cancelled although no prompt was on the phone";
    case STK_WRONG_PIN:
    case STK_PIN_LOCKED: return on_phone ? NULL : "fails by its PIN without a prompt on the phone";
    case STK_NO_ANSWER: return on_phone && over ? NULL : "ends unanswered before its time";
    case STK_UNREACHABLE:
        return p->prompted && !p->reached && over ? NULL : "ends unreachable, but was reached";
    case STK_INTERNAL: return p->prompted ? NULL : "fails in phase 2 before phase 1 was over";
    case STK_NO_MONEY:
    case STK_DAY_LIMIT:
    case STK_PAYER_UNKNOWN:
    case STK_PAYER_SUSPENDED:
    case STK_PAYEE_UNKNOWN:
    case STK_PAYEE_INACTIVE:
    case STK_PRODUCT: return NULL; /* before or after the prompt */
    case STK_RULED: return p->ruled ? NULL : "ends by a rule, but none orders anything for it";
    default: return "has an unknown outcome";
    }
}

/* Receipts carry the Kenyan day of the frame, and rise within it; so none repeats. */
void audit__receipt(struct audit *a, uint32_t day, uint64_t serial, const char *what,
                    uint64_t number)
{
    int64_t today = (a->frame.time_ns + EAT_AHEAD_NS) / DAY_NS;
    if (day != today || serial >= RECEIPT_END) {
        audit__breach(a, PROOF_REFERENCES,
                      "the receipt of %s %" PRIu64 " is dated day %u, but it was paid on day "
                      "%" PRId64,
                      what, number, day, today);
    }
    if (day < a->receipt_day || (day == a->receipt_day && serial <= a->receipt)) {
        audit__breach(a, PROOF_REFERENCES,
                      "%s %" PRIu64 " has receipt %u/%" PRIu64 " after %u/%" PRIu64
                      " was given: receipts must rise",
                      what, number, day, serial, a->receipt_day, a->receipt);
    }
    a->receipt_day = day;
    a->receipt = serial;
}

static void check_payment_receipt(struct audit *a, const struct operator_event *e)
{
    audit__checked(a, PROOF_REFERENCES);
    if (e->outcome == STK_PAID) {
        audit__receipt(a, e->receipt_day, e->receipt, "payment", e->number);
    } else if (e->receipt_day != 0 || e->receipt != 0) {
        audit__breach(a, PROOF_REFERENCES, "payment %" PRIu64 " has a receipt but was not paid",
                      e->number);
    }
}

static void stk_ended(struct audit *a, const struct operator_event *e)
{
    struct audit_payment *p = find_open(a, e);
    check_payment_receipt(a, e);
    if (p == NULL) {
        return;
    }
    const char *objection = end_objection(a, p, e->outcome);
    if (objection != NULL) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " %s", e->number, objection);
    }
    if (e->outcome == STK_WRONG_PIN && a->frame.tried_slot != (uint64_t)p->subscriber + 1) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64 " fails by a wrong PIN that is not "
                      "counted",
                      e->number);
    }
    if (a->frame.end_count == AUDIT_ENDS_MAX) {
        audit__breach(a, PROOF_PAYMENTS, "more than %d payments end in one decision",
                      AUDIT_ENDS_MAX);
    } else {
        a->frame.ends[a->frame.end_count++] = (struct audit_end){e->number, *p, e->outcome};
    }
    if (e->outcome == STK_PAID) {
        audit__income(a, p->party_b, true);
    }
    uint8_t outcome = e->outcome < 16 ? e->outcome : 0;
    a->ended[outcome]++;
    a->report->totals.ended[outcome]++;
    struct audit_subscriber *s = array_at(&a->subscribers, p->subscriber);
    if (s->open_payment == e->number) {
        s->open_payment = 0;
    }
    table_remove(&a->open, e->number);
}

void audit__payment_event(struct audit *a, const struct operator_event *e)
{
    switch (e->kind) {
    case EVENT_STK_TEXTS_KEPT: stk_texts_kept(a, e); break;
    case EVENT_STK_ACCEPTED: stk_accepted(a, e); break;
    case EVENT_STK_PROMPTED: stk_prompted(a, e); break;
    case EVENT_STK_ANSWERED: stk_answered(a, e); break;
    case EVENT_STK_RULED: stk_ruled(a, e); break;
    default: stk_ended(a, e); break;
    }
}

/* ---- what belongs together in one frame ---- */

/* The transfer that must have paid: its id, amount, reason and both accounts. */
static void check_transfer(struct audit *a, const struct audit_end *end, const struct transfer *t)
{
    const struct audit_subscriber *payer = array_at(&a->subscribers, end->payment.subscriber);
    const uint32_t *slot = table_find(&a->short_codes, end->payment.party_b);
    const struct audit_organisation *payee =
        slot == NULL ? NULL : array_at(&a->organisations, *slot);
    if (t->amount_minor != end->payment.amount_minor) {
        audit__breach(a, PROOF_EFFECTS,
                      "payment %" PRIu64 " is of %" PRId64
                      " cents, but its transfer moves %" PRId64,
                      end->number, end->payment.amount_minor, t->amount_minor);
    }
    if (t->reference != end->number || t->code != REASON_STK || t->kind != TRANSFER_POST ||
        t->id != ((uint64_t)1 << 60 | end->number << 3)) {
        audit__breach(a, PROOF_EFFECTS, "the transfer of payment %" PRIu64 " is not labelled as it",
                      end->number);
    }
    if (!payer->has_wallet || t->debit_account != payer->account) {
        audit__breach(a, PROOF_EFFECTS,
                      "payment %" PRIu64 " is taken from account %u, which is not "
                      "its payer's",
                      end->number, t->debit_account);
    }
    if (payee == NULL || t->credit_account != payee->accounts[ACCOUNT_UTILITY]) {
        audit__breach(a, PROOF_EFFECTS,
                      "payment %" PRIu64 " goes to account %u, which is not its "
                      "payee's",
                      end->number, t->credit_account);
    }
}

static void check_end(struct audit *a, const struct audit_end *end)
{
    uint32_t transfers = 0;
    uint32_t callbacks = 0;
    bool paid = end->outcome == STK_PAID;
    audit__checked(a, PROOF_EFFECTS);
    for (uint32_t i = 0; i < a->frame.transfer_count; i++) {
        const struct transfer *t = &a->frame.transfers[i];
        if ((t->id << 4 >> 7) == end->number) {
            transfers++;
            check_transfer(a, end, t);
        }
    }
    for (uint32_t i = 0; i < a->frame.callback_count; i++) {
        const struct audit_callback *c = &a->frame.callbacks[i];
        if (c->subject == end->number) {
            callbacks++;
            bool changed = (c->kind & MESSAGE_RULED) != 0;
            if (c->target != end->payment.target || (c->kind & ~MESSAGE_RULED) != MESSAGE_STK ||
                (changed && !end->payment.ruled)) {
                audit__breach(a, PROOF_EFFECTS,
                              "the callback of payment %" PRIu64 " goes elsewhere "
                              "than was asked",
                              end->number);
            }
        }
    }
    if (transfers != (paid ? 1 : 0)) {
        audit__breach(a, PROOF_EFFECTS,
                      "payment %" PRIu64 " %s, and %u transfers move money for it", end->number,
                      paid ? "is paid" : "is not paid", transfers);
    }
    if (callbacks != end->payment.callbacks) {
        audit__breach(a, PROOF_EFFECTS, "payment %" PRIu64 " ended and queued %u callbacks, not %u",
                      end->number, callbacks, end->payment.callbacks);
    }
    if (paid && __builtin_add_overflow(a->paid_minor, end->payment.amount_minor, &a->paid_minor)) {
        audit__breach(a, PROOF_MONEY, "the sum of all payments leaves the range of 63 bits");
    }
    a->report->totals.paid_minor += paid ? (uint64_t)end->payment.amount_minor : 0;
}

static bool ends_here(const struct audit *a, uint64_t number)
{
    for (uint32_t i = 0; i < a->frame.end_count; i++) {
        if (a->frame.ends[i].number == number) {
            return true;
        }
    }
    return false;
}

void audit__payments_frame(struct audit *a)
{
    if (a->frame.texts != 0) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " has texts but was not accepted",
                      a->frame.texts);
    }
    for (uint32_t i = 0; i < a->frame.end_count; i++) {
        check_end(a, &a->frame.ends[i]);
    }
    for (uint32_t i = 0; i < a->frame.transfer_count; i++) {
        const struct transfer *t = &a->frame.transfers[i];
        if (!ends_here(a, t->id << 4 >> 7)) {
            audit__breach(a, PROOF_EFFECTS,
                          "%" PRId64 " cents move for payment %" PRIu64 ", which does not end here",
                          t->amount_minor, t->id << 4 >> 7);
        }
    }
    for (uint32_t i = 0; i < a->frame.callback_count; i++) {
        if (!ends_here(a, a->frame.callbacks[i].subject)) {
            audit__breach(a, PROOF_EFFECTS,
                          "a callback is queued for payment %" PRIu64 ", which does not end here",
                          a->frame.callbacks[i].subject);
        }
    }
}

void audit__payments_finish(struct audit *a)
{
    if (a->paid_minor != a->moved_minor) {
        audit__breach(a, PROOF_MONEY,
                      "generation %" PRIu64 ": payments of %" PRId64 " cents were paid, %" PRId64
                      " cents moved for payments",
                      a->generation, a->paid_minor, a->moved_minor);
    }
}
