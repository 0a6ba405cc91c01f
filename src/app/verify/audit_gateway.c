/*
 * audit_gateway.c - the auditor of the merchant's journal: payments move only along their arrows, a
 * success moves its amount once from clearing to the merchant, notices and events for the
 * application are numbered without gaps and a key takes effect once. The rules are written a second
 * time here, on purpose.
 */
#include <inttypes.h>
#include <string.h>

#include "app/verify/audit.h"
#include "merchant/events.h"

enum {
    CODE_CLEARING = 1, /* of ledger accounts */
    CODE_WALLET_OF_MERCHANT = 2,
    CODE_ESCROW = 3,
    WAY_PAYMENT = 1, /* codes of transfers */
    WAY_RELEASE = 2,
    WAY_REVERSAL = 3,
    WAY_PAYOUT = 4,
    WAY_FEE = 5,
    CODE_FEES_OF_PROVIDER = 4,
    METHOD_OUT_FIRST = 3, /* numbers of methods from here on pay out */
    WHY_REFUNDED = 17,
    METHOD_B2C = 3,
    RESENT_MAX = 5,
    JUDGED_NOTHING = 3, /* of decisions: no money came */
};

/* Numbers of states. */
enum {
    CREATED = 1,
    SUBMITTED,
    PENDING,
    UNCONFIRMED,
    MISMATCHED,
    SUCCEEDED,
    FAILED,
    EXPIRED,
    CANCELLED,
    REVERSED
};

void audit__gateway_init(struct audit *a)
{
    struct audit_gateway *g = &a->gateway;
    memset(g, 0, sizeof(*g));
    array_init(&g->payments, sizeof(struct audit_gateway_payment));
    array_init(&g->arrivals, sizeof(struct audit_gateway_receipt));
    array_init(&g->notices, sizeof(uint64_t));
    table_init(&g->receipts, 0);
    table_init(&g->arrived, sizeof(uint64_t));
    table_init(&g->tokens, 0);
}

void audit__gateway_fini(struct audit *a)
{
    array_fini(&a->gateway.payments);
    array_fini(&a->gateway.arrivals);
    array_fini(&a->gateway.notices);
    table_fini(&a->gateway.receipts);
    table_fini(&a->gateway.arrived);
    table_fini(&a->gateway.tokens);
}

static struct audit_gateway_payment *payment_of(struct audit *a, uint64_t number)
{
    struct audit_gateway_payment *p =
        number == 0 ? NULL : array_at(&a->gateway.payments, number - 1);
    if (p == NULL) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " does not exist", number);
    } else if (p->left) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64 " has left memory, and changes without coming home",
                      number);
    }
    return p;
}

static bool may_move(uint8_t from, uint8_t to)
{
    bool bad_end = to == FAILED || to == EXPIRED || to == CANCELLED;
    switch (from) {
    case CREATED: return to == SUBMITTED || to == FAILED;
    case SUBMITTED: return to == PENDING || to == UNCONFIRMED || to == FAILED;
    case PENDING: return to == UNCONFIRMED || to == MISMATCHED || to == SUCCEEDED || bad_end;
    case UNCONFIRMED: return to == MISMATCHED || to == SUCCEEDED || bad_end;
    case MISMATCHED: return to == SUCCEEDED || to == FAILED;
    case FAILED:
    case EXPIRED:
    case CANCELLED: return to == SUCCEEDED;
    case SUCCEEDED: return to == REVERSED;
    default: return false;
    }
}

static void created(struct audit *a, const struct gateway_event *e)
{
    uint64_t number = e->payment_created.number;
    audit__checked(a, PROOF_PAYMENTS);
    audit__checked(a, PROOF_REFERENCES);
    if (number != a->gateway.payments.count + 1) {
        audit__breach(a, PROOF_REFERENCES, "payment %" PRIu64 " follows payment %" PRIu64, number,
                      a->gateway.payments.count);
        return;
    }
    struct audit_gateway_payment *p = array_add(&a->gateway.payments);
    if (p == NULL) {
        a->report->no_memory = true;
        return;
    }
    p->amount_minor = e->payment_created.amount_minor;
    p->provider = e->payment_created.provider;
    p->state = CREATED;
    p->order = a->gateway.order;
    p->out = e->payment_created.method >= METHOD_OUT_FIRST;
    p->b2c = e->payment_created.method == METHOD_B2C;
    a->report->totals.payments++;
}

/* Only what the provider recognises by our id leaves again, and only while its end is unknown. */
static void resent(struct audit *a, uint64_t number)
{
    struct audit_gateway_payment *p = payment_of(a, number);
    audit__checked(a, PROOF_EFFECTS);
    if (p == NULL) {
        return;
    }
    bool sent = p->sending || p->resent > 0; /* else it fails, when it cannot leave */
    if (!p->b2c || p->state != UNCONFIRMED || !sent || p->resent == RESENT_MAX) {
        audit__breach(a, PROOF_EFFECTS,
                      "payment %" PRIu64 " is sent again in state %u, after %u times", number,
                      p->state, p->resent);
    }
    p->sending = false;
    p->resent++;
}

static void over_receipt(struct audit *a, const struct gateway_event *e)
{
    uint64_t number = e->payment_over_receipt.number;
    struct audit_gateway_payment *p = payment_of(a, number);
    if (p == NULL) {
        return;
    }
    if (p->state != CREATED || p->over || p->out) {
        audit__breach(a, PROOF_EFFECTS,
                      "payment %" PRIu64 " overrides a receipt too late, or twice", number);
    }
    p->over = true;
    audit__receipt_overridden(a, e->payment_over_receipt.receipt, p->order, number);
}

/* Of a mismatch a notice claims what is booked. What nobody could find out is booked as it was
 * asked for, or not at all; what left, too. */
static bool is_judged_rightly(struct audit *a, const struct audit_gateway_payment *p,
                              const struct gateway_event *e)
{
    int64_t amount_minor = e->payment_judged.amount_minor;
    uint64_t notice = e->payment_judged.notice;
    bool booked = e->payment_judged.judgement != JUDGED_NOTHING;
    bool seen = p->state == UNCONFIRMED || p->out;
    bool as_asked = notice == 0 && (!booked || amount_minor == p->amount_minor);
    bool as_claimed = notice != 0 && notice <= a->gateway.notices.count;
    return (amount_minor > 0) == booked && (seen ? as_asked : as_claimed);
}

/* A person's decision: what came is booked in place of what was asked for, or nothing came. */
static void judged(struct audit *a, const struct gateway_event *e)
{
    uint64_t number = e->payment_judged.number;
    struct audit_gateway_payment *p = payment_of(a, number);
    bool booked = e->payment_judged.judgement != JUDGED_NOTHING;
    audit__checked(a, PROOF_PAYMENTS);
    if (p == NULL) {
        return;
    }
    if ((p->state != MISMATCHED && p->state != UNCONFIRMED) || p->judged) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64 " is decided about in state %u, or a second time", number,
                      p->state);
    }
    if (!is_judged_rightly(a, p, e)) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64 " is decided about with %" PRId64
                      " cents and notice %" PRIu64,
                      number, e->payment_judged.amount_minor, e->payment_judged.notice);
    }
    p->judged = true;
    p->amount_minor = booked ? e->payment_judged.amount_minor : p->amount_minor;
    a->gateway.judged = number;
    a->gateway.judged_to = booked ? SUCCEEDED : FAILED;
}

/* A decision and what it decides are one frame. */
static void check_judged(struct audit *a)
{
    uint64_t number = a->gateway.judged;
    const struct audit_gateway_payment *p =
        number == 0 ? NULL : array_at(&a->gateway.payments, number - 1);
    if (p != NULL && p->state != a->gateway.judged_to) {
        audit__breach(a, PROOF_PAYMENTS,
                      "payment %" PRIu64 " is decided about and left in state %u", number,
                      p->state);
    }
    a->gateway.judged = 0;
}

static void moved(struct audit *a, const struct gateway_event *e)
{
    struct audit_gateway_payment *p = payment_of(a, e->payment_moved.number);
    uint8_t to = e->payment_moved.state;
    audit__checked(a, PROOF_PAYMENTS);
    if (p == NULL) {
        return;
    }
    if (!may_move(p->state, to) || (p->entered >> to & 1) != 0) {
        audit__breach(a, PROOF_PAYMENTS, "payment %" PRIu64 " moves from state %u to state %u",
                      e->payment_moved.number, p->state, to);
    }
    if (to == SUBMITTED && !p->sending) {
        audit__breach(a, PROOF_EFFECTS, "payment %" PRIu64 " is submitted without a mark",
                      e->payment_moved.number);
    }
    p->entered = (uint16_t)(p->entered | 1u << to);
    p->state = to;
    p->refunded = to == REVERSED && e->payment_moved.reason == WHY_REFUNDED;
    a->gateway.succeeded = to == SUCCEEDED ? e->payment_moved.number : a->gateway.succeeded;
    a->gateway.reversed = to == REVERSED ? e->payment_moved.number : a->gateway.reversed;
    a->report->totals.paid_minor += to == SUCCEEDED ? (uint64_t)p->amount_minor : 0;
}

/* A push leaves only after a mark, and again only when it surely did not arrive. */
static void marked(struct audit *a, uint64_t number, bool sending)
{
    struct audit_gateway_payment *p = payment_of(a, number);
    audit__checked(a, PROOF_EFFECTS);
    if (p != NULL && p->sending == sending) {
        audit__breach(a, PROOF_EFFECTS, "payment %" PRIu64 " is marked %s twice", number,
                      sending ? "as being sent" : "as not sent");
    }
    if (p != NULL) {
        p->sending = sending;
    }
}

static void receipt_known(struct audit *a, const struct gateway_event *e)
{
    struct span receipt = e->payment_result_kept.receipt;
    if (receipt.size == 0) {
        return;
    }
    struct audit_gateway_payment *p = payment_of(a, e->payment_result_kept.number);
    uint64_t key = audit__receipt_key(p == NULL ? 0 : p->provider, receipt);
    audit__checked(a, PROOF_REFERENCES);
    audit__receipt_of_payment(a, key, e->payment_result_kept.number);
    if (table_find(&a->gateway.receipts, key) != NULL) {
        audit__breach(a, PROOF_REFERENCES, "receipt %.*s takes effect a second time",
                      (int)receipt.size, receipt.data);
        return;
    }
    a->report->no_memory = a->report->no_memory || table_add(&a->gateway.receipts, key) == NULL;
    if (p != NULL) {
        p->named = true;
    }
}

static void feed_added(struct audit *a, const struct gateway_event *e)
{
    audit__checked(a, PROOF_REFERENCES);
    if (e->feed_added.seq != a->gateway.last_seq + 1) {
        audit__breach(a, PROOF_REFERENCES, "event %" PRIu64 " follows event %" PRIu64,
                      e->feed_added.seq, a->gateway.last_seq);
    }
    a->gateway.last_seq = e->feed_added.seq;
    if (e->feed_added.object_kind == FEED_OBJECT_RECEIPT) {
        audit__receipt_told(a, e->feed_added.object, e->feed_added.object_seq);
    }
    if (e->feed_added.object_kind != FEED_OBJECT_PAYMENT) {
        return;
    }
    struct audit_gateway_payment *p = payment_of(a, e->feed_added.object);
    if (p != NULL && e->feed_added.object_seq != ++p->told) {
        audit__breach(a, PROOF_REFERENCES,
                      "event %u of payment %" PRIu64 " comes when %u were told",
                      e->feed_added.object_seq, e->feed_added.object, p->told - 1);
    }
}

/* Of a notice one bit: whether it was taken. */
static void notice(struct audit *a, const struct gateway_event *e)
{
    uint64_t *taken;
    audit__checked(a, PROOF_REFERENCES);
    if (e->kind == EVENT_NOTICE_KEPT) {
        if (e->notice_kept.number != a->gateway.notices.count + 1) {
            audit__breach(a, PROOF_REFERENCES, "notice %" PRIu64 " follows notice %" PRIu64,
                          e->notice_kept.number, a->gateway.notices.count);
            return;
        }
        a->report->no_memory = array_add(&a->gateway.notices) == NULL || a->report->no_memory;
        return;
    }
    uint64_t number = e->notice_taken.number; /* the first field of all of them */
    taken = number == 0 ? NULL : array_at(&a->gateway.notices, number - 1);
    if (taken == NULL || (*taken != 0) == (e->kind == EVENT_NOTICE_TAKEN)) {
        audit__breach(a, PROOF_REFERENCES, "notice %" PRIu64 " is taken twice, or never was kept",
                      number);
        return;
    }
    *taken = 1;
}

void audit__gateway_event(struct audit *a, uint16_t kind, struct reader *body)
{
    struct gateway_event e;
    if (gateway_event_name(kind) == NULL) {
        audit__breach(a, PROOF_RECORDS, "event kind %u is unknown", kind);
        return;
    }
    if (!gateway_event_decode(kind, body, &e)) {
        audit__breach(a, PROOF_RECORDS, "%s is malformed", gateway_event_name(kind));
        return;
    }
    switch (kind) {
    case EVENT_PAYMENT_KEPT:
        a->gateway.order = audit__order_key(e.payment_kept.order);
        audit__gateway_token(a, e.payment_kept.token);
        break;
    case EVENT_PAYMENT_CREATED: created(a, &e); break;
    case EVENT_PAYMENT_RESENT: resent(a, e.payment_resent.number); break;
    case EVENT_PAYMENT_JUDGED: judged(a, &e); break;
    case EVENT_PAYMENT_OVER_RECEIPT: over_receipt(a, &e); break;
    case EVENT_PAYMENT_MOVED: moved(a, &e); break;
    case EVENT_PAYMENT_SENDING: marked(a, e.payment_sending.number, true); break;
    case EVENT_PAYMENT_NOT_SENT: marked(a, e.payment_not_sent.number, false); break;
    case EVENT_PAYMENT_RESULT_KEPT: receipt_known(a, &e); break;
    case EVENT_FEED_ADDED: feed_added(a, &e); break;
    case EVENT_NOTICE_KEPT:
    case EVENT_NOTICE_TAKEN:
    case EVENT_NOTICE_REPEATED:
    case EVENT_NOTICE_JOINED: notice(a, &e); break;
    case EVENT_RECEIPT_KEPT:
    case EVENT_RECEIPT_CREATED:
    case EVENT_RECEIPT_ASSIGNED:
    case EVENT_RECEIPT_TAKEN_BACK: audit__receipt_event(a, &e); break;
    default: break;
    }
}

/* A payout: held, then posted or released, once; or paid after it had been released; and a fee. */
static void transfer_out(struct audit *a, const struct transfer *t, struct audit_gateway_payment *p,
                         uint32_t leg)
{
    uint16_t from = audit__account_code(a, t->debit_account);
    uint16_t to = audit__account_code(a, t->credit_account);
    bool posts = t->kind == TRANSFER_POST_HOLD && t->amount_minor == p->amount_minor;
    bool ends = leg == 5 && t->hold_id == t->id - 1 && (posts || t->kind == TRANSFER_VOID_HOLD);
    bool merchants = from == CODE_WALLET_OF_MERCHANT || from == CODE_ESCROW;
    bool pays = (leg == 4 || leg == 6) && t->code == WAY_PAYOUT && merchants &&
                to == CODE_CLEARING && t->amount_minor == p->amount_minor;
    bool fee =
        leg == 7 && t->code == WAY_FEE && from == CODE_FEES_OF_PROVIDER && to == CODE_CLEARING;
    if (!(ends || pays || fee) || (p->legs >> leg & 1) != 0) {
        audit__breach(a, PROOF_EFFECTS,
                      "transfer %" PRIx64 " of a payout is not as it should be, or happens twice",
                      t->id);
    }
    p->posted = p->posted || (leg == 5 && t->kind == TRANSFER_POST_HOLD) || leg == 6;
    p->legs = (uint8_t)(p->legs | 1u << leg);
}

/* Money moves for a payment only: its amount, its way, and each way once. */
void audit__gateway_transfer(struct audit *a, const struct transfer *t)
{
    if ((t->id >> 59 & 1) != 0) {
        audit__receipt_transfer(a, t);
        return;
    }
    uint64_t number = t->id << 5 >> 8;
    uint32_t leg = (uint32_t)(t->id & 7);
    struct audit_gateway_payment *p = payment_of(a, number);
    audit__checked(a, PROOF_EFFECTS);
    if (p == NULL) {
        return;
    }
    uint16_t from = audit__account_code(a, t->debit_account);
    uint16_t to = audit__account_code(a, t->credit_account);
    bool merchants = to == CODE_WALLET_OF_MERCHANT || to == CODE_ESCROW;
    if (p->out) {
        transfer_out(a, t, p, leg);
        return;
    }
    bool right = (t->code == WAY_PAYMENT && leg == 0 && from == CODE_CLEARING && merchants) ||
                 (t->code == WAY_RELEASE && leg == 1 && from == CODE_ESCROW &&
                  to == CODE_WALLET_OF_MERCHANT) ||
                 (t->code == WAY_REVERSAL && leg == 2 && to == CODE_CLEARING);
    bool fee = t->code == WAY_FEE && leg == 3 && from == CODE_FEES_OF_PROVIDER &&
               to == CODE_CLEARING && t->amount_minor <= p->amount_minor;
    right = fee || (right && t->amount_minor == p->amount_minor);
    if (!right || (p->legs >> leg & 1) != 0) {
        audit__breach(a, PROOF_EFFECTS,
                      "transfer %" PRIx64 " of payment %" PRIu64 " moves %" PRId64
                      " cents from account %u to %u: not as it should, or a second time",
                      t->id, number, t->amount_minor, t->debit_account, t->credit_account);
    }
    p->legs = (uint8_t)(p->legs | 1u << leg);
}

static void check_legs(struct audit *a, uint64_t number, uint32_t leg, bool should)
{
    const struct audit_gateway_payment *p =
        number == 0 ? NULL : array_at(&a->gateway.payments, number - 1);
    bool has = p != NULL && (p->out && leg == 0 ? p->posted : (p->legs >> leg & 1) != 0);
    should = should && p != NULL && !(leg == 2 && p->refunded);
    if (p != NULL && has != should) {
        audit__breach(a, PROOF_EFFECTS, "payment %" PRIu64 " ends in state %u %s its transfer",
                      number, p->state, should ? "without" : "with");
    }
}

/* A success and its money are one frame. */
void audit__gateway_frame(struct audit *a)
{
    check_legs(a, a->gateway.succeeded, 0, true);
    check_legs(a, a->gateway.reversed, 2, true);
    audit__receipts_frame(a);
    check_judged(a);
    a->gateway.succeeded = 0;
    a->gateway.reversed = 0;
}

void audit__gateway_finish(struct audit *a)
{
    struct verify_totals *t = &a->report->totals;
    uint64_t open = 0;
    for (uint64_t i = 0; i < a->gateway.payments.count; i++) {
        const struct audit_gateway_payment *p = array_at(&a->gateway.payments, i);
        check_legs(a, i + 1, 0, (p->entered >> SUCCEEDED & 1) != 0);
        check_legs(a, i + 1, 2, p->state == REVERSED);
        open += p->state < SUCCEEDED;
    }
    t->open = open;
    audit__receipts_finish(a);
    /* What lies at providers is what the merchants have, and what others have of it. */
    for (uint64_t i = 0; i < a->accounts.count; i++) {
        const struct audit_account *account = array_at(&a->accounts, i);
        int64_t balance = account->credits_posted - account->debits_posted;
        if (account->code == CODE_CLEARING) {
            t->issued_minor -= balance;
        } else if (account->code == CODE_WALLET_OF_MERCHANT) {
            t->wallets_minor += balance;
        } else {
            t->others_minor += balance;
        }
    }
    if (t->issued_minor != t->wallets_minor + t->others_minor) {
        audit__breach(a, PROOF_MONEY,
                      "%" PRId64 " cents lie at providers, %" PRId64 " belong to somebody",
                      t->issued_minor, t->wallets_minor + t->others_minor);
    }
}
