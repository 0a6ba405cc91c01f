/*
 * test_merchant_random.c - random stories against the merchant book: payments for few orders,
 * pushes that are lost, answered late or interrupted, callbacks, answers to questions, status
 * results, rows and lines in any order, often and never, lies of many kinds, what has ended leaving
 * memory at any time, people who decide by what the provider's own books say, and restarts from the
 * journal's bytes at any frame. An auditor beside it
 * knows what is true at the provider and hears what the application hears, and nothing else (R2.1,
 * R2.5, R2.9, R5.1, R5.2, R5.5, R6.10).
 *
 *   HAKIKA_SEED=17 script/test unit/test_merchant_random      one story again
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/delivery_error.h"
#include "base/hash.h"
#include "support/random.h"
#include "support/shop.h"

enum {
    SEEDS = 60,
    STEPS = 250,
    PAYMENTS = 48,
    ORDERS = 6,
    MESSAGES = 512,
    FLIGHTS = 8,
    ENDPOINTS = 2,
    BY_HAND = 3,
    OVERLONG = 3000,
};

/* A payment as the provider knows it, and as the application was told. */
struct truth {
    uint64_t number, phone, overrides;
    int64_t amount_minor;
    uint32_t order;
    bool reached, paid, reversed, told_id, rejected;
    enum observation_reason why;
    int64_t ends_ns;
    char id[24], receipt[24];
    uint32_t object_seq, credits, debits;
    uint32_t receipt_seq;
    uint64_t receipt_number;
    bool arrived, taken_back; /* as a receipt */
    uint8_t state;            /* as told */
    uint8_t rank;             /* of the claim that ended it badly; 0: none did */
};

enum message_kind {
    SAYS_CALLBACK,
    SAYS_STATUS,
    SAYS_PULL,
    SAYS_STATEMENT,
    SAYS_REVERSED,
    SAYS_CONFIRMED, /* the C2B confirmation that a push gives as well: names no payment */
    LIES_FAILED_BY_QUERY,
    LIES_PAID_BY_QUERY,
    LIES_AMOUNT,
    LIES_PHONE,
    LIES_SHORT_CODE,
    LIES_OTHER_ID,
    LIES_OTHER_RECEIPT,
    LIES_OTHER_KIND,
    LIES_NOTHING,
    LIES_PART_REVERSED,
    LIES_FAILED_BY_CALLBACK,
    MESSAGE_KINDS,
};

struct message {
    bool waits;
    bool overlong;
    int64_t due_ns;
    uint32_t about;
    enum message_kind kind;
};

/* Paid by paybill, with no push: the payer wrote the order's name. */
struct by_hand {
    uint32_t order; /* that it is for, or names */
    uint64_t number;
    int64_t amount_minor;
    uint32_t seq;
    char receipt[24];
};

/* A push whose answer is on its way. */
struct flight {
    uint64_t item;
    int64_t due_ns;
    bool arrives, answered;
};

struct story {
    struct shop s;
    struct test_random r;
    const char *doing;
    uint32_t delivering; /* enum message_kind of the latest message */
    struct truth truth[PAYMENTS];
    uint32_t payments;
    struct by_hand by_hand[BY_HAND];
    uint32_t hands;
    struct message message[MESSAGES];
    struct flight flight[FLIGHTS];
    uint64_t heard;                 /* events of the feed */
    uint64_t told[ENDPOINTS][1024]; /* by seq: how often the webhook arrived */
    uint64_t last_seq[ENDPOINTS][PAYMENTS];
    uint64_t met[MESSAGE_KINDS]; /* over all stories */
    uint64_t ends[GATEWAY_STATES_END];
    uint64_t disagreed, taken_back, alerts, assigned, funded, over_receipts;
    uint64_t restarts, replays, repeats, orphans_joined, refunds, late, left_to_a_person;
    uint64_t left, came_home;
    uint64_t accepted, rejected; /* by a person */
};

static const struct story *told;

static void tell(const char *what)
{
    if (told != NULL) {
        print_error(
            "%s\nin step %llu (%s, message %u) of seed %llu; again: HAKIKA_SEED=%llu script/test "
            "unit/test_merchant_random\n",
            what, (unsigned long long)told->r.step, told->doing, told->delivering,
            (unsigned long long)told->r.seed, (unsigned long long)told->r.seed);
    }
}

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    tell(what);
    mock_assert(0, what, file, line);
    abort();
}

#define AGREE(condition)      \
    do {                      \
        if (!(condition)) {   \
            tell(#condition); \
            fail();           \
        }                     \
    } while (0)

static bool chance(struct story *m, uint32_t percent)
{
    return random_percent(&m->r, percent);
}

static bool is_open(uint8_t state)
{
    return state != 0 && !gateway_state_ended(state);
}

static struct truth *truth_of(struct story *m, uint64_t number)
{
    AGREE(number >= 1 && number <= m->payments);
    AGREE(m->truth[number - 1].number == number);
    return &m->truth[number - 1];
}

/* ---- what the application hears ---- */

static void hear_payment(struct story *m, const struct gateway_feed *f)
{
    static const uint8_t states[FEED_TYPE_LAST + 1] = {
        [FEED_PAYMENT_CREATED] = GATEWAY_CREATED,
        [FEED_PAYMENT_PENDING] = GATEWAY_PENDING,
        [FEED_PAYMENT_UNCONFIRMED] = GATEWAY_UNCONFIRMED,
        [FEED_PAYMENT_MISMATCHED] = GATEWAY_MISMATCHED,
        [FEED_PAYMENT_SUCCEEDED] = GATEWAY_SUCCEEDED,
        [FEED_PAYMENT_FAILED] = GATEWAY_FAILED,
        [FEED_PAYMENT_EXPIRED] = GATEWAY_EXPIRED,
        [FEED_PAYMENT_CANCELLED] = GATEWAY_CANCELLED,
        [FEED_PAYMENT_REVERSED] = GATEWAY_REVERSED,
    };
    struct truth *t = truth_of(m, f->object);
    uint8_t to = states[f->type];
    AGREE(f->object_seq == t->object_seq + 1); /* no gap, in order, for each object */
    t->object_seq = f->object_seq;
    if (to == 0) {
        return;
    }
    AGREE(to != t->state);
    AGREE(t->state != GATEWAY_SUCCEEDED || to == GATEWAY_REVERSED);
    AGREE(t->state != GATEWAY_REVERSED);
    AGREE(!gateway_state_ended(t->state == 0 ? GATEWAY_CREATED : t->state) ||
          to == GATEWAY_SUCCEEDED || to == GATEWAY_REVERSED);
    if (to == GATEWAY_SUCCEEDED) {
        AGREE(t->paid && t->ends_ns <= m->s.now_ns); /* nothing is credited that was not paid */
        m->late += t->state != 0 && gateway_state_ended(t->state);
        t->credits++;
    }
    if (to == GATEWAY_FAILED && shop_payment(&m->s, t->number)->reason == REASON_NEVER_SENT) {
        AGREE(!t->reached);
    }
    t->debits += to == GATEWAY_REVERSED;
    AGREE(t->credits <= 1 && t->debits <= t->credits);
    t->state = to;
}

static bool hear_by_hand(struct story *m, const struct gateway_receipt *r,
                         const struct gateway_feed *f)
{
    for (uint32_t i = 0; i < m->hands; i++) {
        struct by_hand *h = &m->by_hand[i];
        if (span_is(gateway_text(shop_gateway(&m->s), r->receipt), h->receipt)) {
            AGREE(f->object_seq == h->seq + 1 && r->amount_minor == h->amount_minor);
            AGREE((h->seq == 0) == (f->type == FEED_RECEIPT_CREATED));
            AGREE(f->type != FEED_RECEIPT_TAKEN_BACK);
            h->seq = f->object_seq;
            h->number = f->object;
            return true;
        }
    }
    return false;
}

/* Of a receipt: it is some payment's money, told once, and taken back at most once. */
static void hear_receipt(struct story *m, const struct gateway_feed *f)
{
    const struct gateway_receipt *r = gateway_receipt(shop_gateway(&m->s), f->object);
    AGREE(r != NULL);
    for (uint32_t i = 0; i < m->payments; i++) {
        struct truth *t = &m->truth[i];
        if (!span_is(gateway_text(shop_gateway(&m->s), r->receipt), t->receipt)) {
            continue;
        }
        AGREE(t->paid && t->ends_ns <= m->s.now_ns && r->amount_minor == t->amount_minor);
        AGREE(f->object_seq == t->receipt_seq + 1);
        AGREE(t->arrived == (f->type == FEED_RECEIPT_TAKEN_BACK));
        t->receipt_seq = f->object_seq;
        t->receipt_number = f->object;
        t->arrived = true;
        t->taken_back = f->type == FEED_RECEIPT_TAKEN_BACK;
        m->taken_back += t->taken_back;
        return;
    }
    AGREE(hear_by_hand(m, r, f)); /* or a receipt of nobody's money */
}

static void hear(struct story *m)
{
    const struct gateway *g = shop_gateway(&m->s);
    while (gateway_feed_event(g, m->heard + 1) != NULL) {
        const struct gateway_feed *f = gateway_feed_event(g, ++m->heard);
        AGREE(f->seq == m->heard);
        if (f->object_kind == FEED_OBJECT_RECEIPT) {
            hear_receipt(m, f);
            continue;
        }
        if (f->type == FEED_ALERT_REPAIR_RATE) {
            AGREE(f->object_kind == FEED_OBJECT_PROVIDER && shop_gateway(&m->s)->repaired > 0);
            m->alerts++;
            continue;
        }
        if (f->object_kind == FEED_OBJECT_DISCREPANCY) {
            AGREE(f->object_seq == (f->type == FEED_DISCREPANCY_OPENED ? 1 : 2));
            m->disagreed++;
            continue;
        }
        AGREE(f->object_kind == FEED_OBJECT_PAYMENT);
        m->refunds += f->type == FEED_REFUND_PROPOSED;
        hear_payment(m, f);
    }
    AGREE(g->last_seq == m->heard);
}

/* Of two open ones for an order the later, or one between them, overrides. */
static void audit_orders(struct story *m)
{
    for (uint32_t a = 0; a < m->payments; a++) {
        bool overridden = false;
        for (uint32_t b = a + 1; b < m->payments; b++) {
            if (m->truth[b].order != m->truth[a].order) {
                continue;
            }
            overridden = overridden || m->truth[b].overrides != 0;
            AGREE(overridden || !is_open(m->truth[a].state) || !is_open(m->truth[b].state));
        }
    }
}

static void audit(struct story *m)
{
    int64_t credited_minor = 0;
    int64_t suspended_minor = 0;
    hear(m);
    for (uint32_t i = 0; i < m->payments; i++) {
        const struct truth *t = &m->truth[i];
        const struct gateway_payment *p = shop_payment(&m->s, t->number);
        uint8_t state = p->state == GATEWAY_SUBMITTED ? GATEWAY_CREATED : p->state;
        AGREE(t->state == state);
        credited_minor += t->amount_minor * ((int64_t)t->credits - (int64_t)t->debits);
        credited_minor += t->arrived && !t->taken_back ? t->amount_minor : 0;
    }
    for (uint32_t i = 0; i < m->hands; i++) {
        credited_minor += m->by_hand[i].amount_minor;
    }
    const struct gateway *g = shop_gateway(&m->s);
    suspended_minor = gateway_balance(g, gateway_merchant(g, 0)->suspense);
    int64_t escrow_minor = gateway_balance(g, gateway_merchant(g, 0)->escrow);
    AGREE(shop_clearing(&m->s) == credited_minor);
    AGREE(shop_wallet(&m->s) + escrow_minor + suspended_minor == credited_minor);
    audit_orders(m);
}

/* ---- claims ---- */

static uint8_t claim(struct story *m, uint64_t payment, struct observation *o)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    char body[300];
    (void)snprintf(body, sizeof(body), "%d %d %d %d %.*s %.60s %.*s %lld %llu %llu", (int)o->kind,
                   (int)o->source, (int)o->verdict, (int)o->reason, (int)o->reference.size,
                   o->reference.data == NULL ? "" : o->reference.data,
                   o->receipt.data == NULL ? "" : o->receipt.data, (int)o->code.size,
                   o->code.data == NULL ? "" : o->code.data, (long long)o->amount_minor,
                   (unsigned long long)payment, (unsigned long long)o->short_code);
    struct notice_command n = {.claim = o, .body = span_from(body), .payment = payment};
    uint64_t key[2] = {hash_bytes(body, strlen(body), 1), hash_bytes(body, strlen(body), 2)};
    memcpy(n.key, key, sizeof(n.key));
    memcpy(n.digest, key, sizeof(n.digest));
    uint64_t before = shop_gateway(&m->s)->last_notice;
    AGREE(shop_do(&m->s, COMMAND_NOTICE, &n, &reply) > 0);
    m->repeats += shop_gateway(&m->s)->last_notice == before;
    AGREE(shop_gateway(&m->s)->last_notice <= before + 1);
    return reply.effect;
}

static const char *const ORDER_NAMES[ORDERS] = {"INV-1", "INV-2", "INV-3",
                                                "INV-4", "INV-5", "INV-6"};

/* What the provider says of it when it tells the truth. */
static struct observation honest(const struct story *m, const struct truth *t,
                                 enum observation_source source)
{
    struct observation o;
    memset(&o, 0, sizeof(o));
    o.kind = OBSERVED_PAYMENT;
    o.source = source;
    o.account_reference = span_from(ORDER_NAMES[t->order]);
    if (source != OBSERVED_BY_PULL && source != OBSERVED_BY_STATEMENT) {
        o.reference = span_from(t->id);
    }
    if (t->ends_ns > m->s.now_ns) {
        o.verdict = OBSERVED_IN_FLIGHT;
        return o;
    }
    o.verdict = t->paid ? OBSERVED_SUCCEEDED : OBSERVED_FAILED;
    o.reason = t->paid ? OBSERVED_REASON_NONE : t->why;
    o.code = t->paid ? SPAN_LITERAL("0") : SPAN_LITERAL("1037");
    if (t->paid && source != OBSERVED_BY_QUERY) {
        o.receipt = span_from(t->receipt);
        o.phone = t->phone;
        o.has_amount = true;
        o.amount_minor = t->amount_minor;
    }
    return o;
}

/* The same as money that arrived: which payment it is, has to be found out. */
static void arrives(const struct truth *t, bool masked, struct observation *o)
{
    static char mask[32];
    o->kind = OBSERVED_RECEIPT;
    o->reference = o->receipt;
    o->at_ns = t->ends_ns;
    if (masked) {
        (void)snprintf(mask, sizeof(mask), "2547 ***** %03u", (unsigned)(t->phone % 1000));
        o->phone = 0;
        o->party = span_from(mask);
    }
}

static void send_message(struct story *m, uint32_t about, enum message_kind kind, int64_t due_ns)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        if (!m->message[i].waits) {
            m->message[i] = (struct message){true, chance(m, 3), due_ns, about, kind};
            return;
        }
    }
}

static char overlong[OVERLONG];

/* A lie about an open payment that nobody will pay would leave it to a person: not told. */
static bool lie(struct story *m, struct truth *t, enum message_kind kind, struct observation *o)
{
    const struct truth *other = &m->truth[random_below(&m->r, m->payments)];
    bool settled = gateway_state_ended(t->state) || (t->paid && t->ends_ns <= m->s.now_ns);
    *o = honest(m, t,
                kind == LIES_FAILED_BY_QUERY || kind == LIES_PAID_BY_QUERY ? OBSERVED_BY_QUERY
                                                                           : OBSERVED_BY_CALLBACK);
    o->verdict = OBSERVED_SUCCEEDED;
    o->reason = OBSERVED_REASON_NONE;
    o->receipt = kind == LIES_PAID_BY_QUERY ? SPAN_EMPTY : SPAN_LITERAL("LIE1");
    o->has_amount = true;
    o->amount_minor = t->amount_minor;
    switch ((int)kind) {
    case LIES_FAILED_BY_QUERY:
    case LIES_FAILED_BY_CALLBACK:
        o->verdict = OBSERVED_FAILED;
        o->reason = OBSERVED_REASON_OTHER;
        o->receipt = SPAN_EMPTY;
        return kind == LIES_FAILED_BY_QUERY || t->state == GATEWAY_SUCCEEDED;
    case LIES_PAID_BY_QUERY:
        o->has_amount = false;
        o->amount_minor = 0;
        return t->state == GATEWAY_SUCCEEDED || t->rank >= 3;
    case LIES_AMOUNT: o->amount_minor += chance(m, 50) ? 100 : -1; return settled;
    case LIES_PHONE: o->phone = t->phone + 1; return settled;
    case LIES_SHORT_CODE: o->short_code = SHOP_PAYBILL + 1; return settled;
    case LIES_OTHER_ID: o->reference = span_from(other->id); return other != t && other->told_id;
    case LIES_OTHER_RECEIPT:
        o->receipt = span_from(other->receipt);
        return settled && other != t && other->state == GATEWAY_SUCCEEDED &&
               shop_payment(&m->s, other->number)->receipt != TEXT_NONE;
    case LIES_OTHER_KIND: {
        static const enum observation_kind kinds[] = {OBSERVED_PAYOUT, OBSERVED_BALANCE,
                                                      OBSERVED_CHARGE, OBSERVED_TRANSFER};
        o->kind = kinds[random_below(&m->r, 4)];
        return true;
    }
    case LIES_NOTHING: o->kind = OBSERVED_NOTHING; return true;
    case LIES_PART_REVERSED:
        o->kind = OBSERVED_REFUND;
        o->amount_minor -= 1;
        return true;
    default: return false;
    }
}

static void deliver(struct story *m, struct message *message)
{
    static const enum observation_source sources[] = {
        [SAYS_CALLBACK] = OBSERVED_BY_CALLBACK, [SAYS_STATUS] = OBSERVED_BY_STATUS,
        [SAYS_PULL] = OBSERVED_BY_PULL,         [SAYS_STATEMENT] = OBSERVED_BY_STATEMENT,
        [SAYS_REVERSED] = OBSERVED_BY_STATUS,   [SAYS_CONFIRMED] = OBSERVED_BY_CALLBACK,
    };
    struct truth *t = &m->truth[message->about];
    struct observation o;
    uint64_t payment = t->number;
    message->waits = false;
    if (message->kind <= SAYS_CONFIRMED) {
        o = honest(m, t, sources[message->kind]);
        payment = message->kind == SAYS_STATUS ? 0 : payment;
        if (message->kind == SAYS_REVERSED) {
            o.kind = OBSERVED_REFUND;
            if (!t->reversed && (t->state != GATEWAY_SUCCEEDED || !chance(m, 20))) {
                return;
            }
            t->reversed = true;
        }
        bool row = message->kind == SAYS_PULL || message->kind == SAYS_STATEMENT ||
                   message->kind == SAYS_CONFIRMED;
        if (row && o.verdict != OBSERVED_SUCCEEDED) {
            return; /* only money has a row */
        }
        if (row) {
            arrives(t, message->kind == SAYS_CONFIRMED, &o);
            payment = 0;
        }
    } else if (!lie(m, t, message->kind, &o)) {
        return;
    }
    if (message->overlong) {
        o.words = (struct span){overlong, OVERLONG - 1};
        o.code = message->kind == SAYS_CALLBACK ? o.words : o.code;
        o.second_reference = o.words;
    }
    m->met[message->kind]++;
    m->delivering = message->kind;
    uint64_t orphans = shop_gateway(&m->s)->orphans;
    (void)claim(m, payment, &o);
    hear(m);
    bool bad_end =
        t->state == GATEWAY_FAILED || t->state == GATEWAY_EXPIRED || t->state == GATEWAY_CANCELLED;
    t->rank = bad_end && shop_payment(&m->s, t->number)->source != 0
                  ? (uint8_t)observation_rank(shop_payment(&m->s, t->number)->source)
                  : 0;
    m->orphans_joined += orphans > shop_gateway(&m->s)->orphans;
}

static void deliver_due(struct story *m)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct message *message = &m->message[i];
        if (message->waits && message->due_ns <= m->s.now_ns) {
            deliver(m, message);
        }
    }
}

/* ---- the provider ---- */

static int64_t in_seconds(struct story *m, uint32_t most)
{
    return m->s.now_ns + (int64_t)random_below(&m->r, most + 1) * SHOP_S;
}

static void reach(struct story *m, struct truth *t)
{
    static const enum observation_reason reasons[] = {
        OBSERVED_REASON_CANCELLED, OBSERVED_REASON_EXPIRED, OBSERVED_REASON_FUNDS,
        OBSERVED_REASON_UNREACHABLE};
    AGREE(!t->reached);  /* never two pushes for one payment */
    AGREE(!t->rejected); /* nor one for what a person has seen not to be there */
    t->reached = true;
    t->paid = chance(m, 60);
    t->why = reasons[random_below(&m->r, 4)];
    t->ends_ns = in_seconds(m, chance(m, 15) ? 400 : 60);
    uint32_t about = (uint32_t)(t - m->truth);
    uint32_t copies = chance(m, 25) ? 0 : chance(m, 70) ? 1 : 1 + random_below(&m->r, 4);
    for (uint32_t i = 0; i < copies; i++) {
        send_message(m, about, SAYS_CALLBACK,
                     t->ends_ns + random_below(&m->r, chance(m, 30) ? 600 : 3) * SHOP_S);
    }
    while (chance(m, 45)) {
        static const enum message_kind kinds[] = {SAYS_STATUS,   SAYS_PULL,      SAYS_STATEMENT,
                                                  SAYS_REVERSED, SAYS_CONFIRMED, SAYS_CONFIRMED};
        send_message(m, about, kinds[random_below(&m->r, 6)], in_seconds(m, 900));
    }
    while (chance(m, 50)) {
        uint32_t kinds = MESSAGE_KINDS - LIES_FAILED_BY_QUERY;
        send_message(m, about, LIES_FAILED_BY_QUERY + random_below(&m->r, kinds),
                     in_seconds(m, 600));
    }
}

static void finish(struct story *m, uint64_t item, uint16_t status, uint8_t error,
                   const struct gateway_reading *reading)
{
    struct delivery_result_command c = {.number = item,
                                        .generation = m->s.book->generation,
                                        .status = status,
                                        .error = error,
                                        .retry_after_ms = -1,
                                        .reading = reading};
    enum book_outcome outcome = BOOK_DONE;
    AGREE(shop_do(&m->s, COMMAND_DELIVERY_RESULT, &c, &outcome) > 0);
}

static void land(struct story *m, struct flight *f)
{
    struct truth *t = truth_of(m, outbox_item(&m->s.book->outbox, f->item)->subject);
    uint64_t item = f->item;
    struct gateway_reading reading;
    memset(&reading, 0, sizeof(reading));
    f->item = 0;
    reading.answer.kind = OBSERVED_PAYMENT;
    reading.answer.source = OBSERVED_BY_SUBMISSION;
    if (f->arrives && f->answered) {
        reading.answer.verdict = OBSERVED_IN_FLIGHT;
        reading.answer.reference = span_from(t->id);
        t->told_id = true;
        finish(m, item, 200, 0, &reading);
    } else if (f->arrives) {
        finish(m, item, 0, chance(m, 50) ? DELIVERY_TIMEOUT : DELIVERY_RESET, NULL);
    } else if (f->answered) {
        static const enum observation_reason reasons[] = {
            OBSERVED_REASON_REQUEST, OBSERVED_REASON_BUSY, OBSERVED_REASON_TOKEN};
        reading.answer.verdict = OBSERVED_REFUSED;
        reading.answer.reason = reasons[random_below(&m->r, 3)];
        finish(m, item, 400, 0, &reading);
    } else {
        finish(m, item, 0, DELIVERY_CONNECT, NULL);
    }
}

static void restart(struct story *m)
{
    memset(m->flight, 0, sizeof(m->flight)); /* nobody is there to hear the answers */
    if (chance(m, 50)) {
        shop_restart(&m->s);
        m->restarts++;
    } else {
        shop_replay(&m->s);
        m->replays++;
    }
}

static void push(struct story *m, uint64_t item, uint64_t number, bool faults)
{
    struct payment_command sending = {.number = number};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    struct truth *t = truth_of(m, number);
    enum gateway_push may = gateway_push_may_leave(shop_gateway(&m->s), number);
    if (may != PUSH_MARK) {
        finish(m, item, 0, may == PUSH_OVER ? DELIVERY_WITHDRAWN : DELIVERY_INTERRUPTED, NULL);
        return;
    }
    AGREE(shop_do(&m->s, COMMAND_PAYMENT_SENDING, &sending, &reply) > 0);
    if (faults && chance(m, 4)) {
        restart(m);
        return;
    }
    uint32_t kind = faults ? random_below(&m->r, 100) : 0;
    struct flight f = {.item = item,
                       .due_ns = faults && chance(m, 20) ? in_seconds(m, 150) : m->s.now_ns,
                       .arrives = kind < 75,
                       .answered = kind < 60 || kind >= 90};
    if (f.arrives) {
        reach(m, t);
    }
    for (uint32_t i = 0; i < FLIGHTS && f.due_ns > m->s.now_ns; i++) {
        if (m->flight[i].item == 0) {
            m->flight[i] = f;
            return;
        }
    }
    land(m, &f);
}

static void question(struct story *m, uint64_t item, uint64_t number, bool faults)
{
    const struct truth *t = truth_of(m, number);
    struct gateway_reading reading;
    memset(&reading, 0, sizeof(reading));
    if (faults && chance(m, 40)) {
        finish(m, item, 0, DELIVERY_TIMEOUT, NULL);
        return;
    }
    AGREE(t->reached); /* only what has an id can be asked about */
    struct observation o = honest(m, t, OBSERVED_BY_QUERY);
    if (faults && chance(m, 10) && o.verdict != OBSERVED_SUCCEEDED && t->paid) {
        o.verdict = OBSERVED_FAILED; /* it contradicts what is about to be true */
        o.reason = OBSERVED_REASON_EXPIRED;
    }
    uint64_t key[2] = {m->r.step + 1, random_next(&m->r)};
    reading.answer = o;
    reading.notice.claim = &o;
    reading.notice.payment = number;
    reading.notice.body = SPAN_LITERAL("{}");
    memcpy(reading.notice.key, key, sizeof(reading.notice.key));
    finish(m, item, 200, 0, &reading);
}

/* Asked for the receipt of a success that has none. Its result is lost; whatever comes else brings
 * the receipt. */
static void status(struct story *m, uint64_t item, uint64_t number, bool faults)
{
    AGREE(gateway_payment(shop_gateway(&m->s), number)->entered_position[GATEWAY_SUCCEEDED] != 0);
    bool lost = faults && chance(m, 40);
    finish(m, item, lost ? 0 : 200, lost ? DELIVERY_TIMEOUT : 0, NULL);
}

/* The receiver of webhooks: at least once, and in order for each object. */
static void webhook(struct story *m, uint64_t item, uint64_t subject, bool faults)
{
    uint64_t seq = webhook_subject_seq(subject);
    uint32_t endpoint = webhook_subject_endpoint(subject);
    const struct gateway_feed *f = gateway_feed_event(shop_gateway(&m->s), seq);
    AGREE(endpoint < ENDPOINTS && seq < 1024 && f != NULL);
    bool arrives = !faults || chance(m, 70);
    if (arrives && f->object_kind == FEED_OBJECT_PAYMENT) {
        uint64_t *last = &m->last_seq[endpoint][f->object - 1];
        AGREE(f->object_seq == *last + 1 || f->object_seq == *last);
        *last = f->object_seq;
    }
    m->told[endpoint][seq] += arrives;
    bool lost = faults && chance(m, 10); /* it arrived, and its answer did not */
    finish(m, item, arrives && !lost ? 204 : 500, 0, NULL);
}

static void serve(struct story *m, bool faults)
{
    for (uint32_t i = 0; i < 64; i++) {
        const struct outbox_item *item =
            outbox_take(&m->s.book->outbox, m->s.now_ns, m->s.book->position);
        if (item == NULL) {
            break;
        }
        uint64_t number = item->number;
        uint64_t subject = item->subject;
        if (item->kind == MESSAGE_WEBHOOK) {
            webhook(m, number, subject, faults);
        } else if (item->kind == CALL_PUSH) {
            push(m, number, subject, faults);
        } else if (item->kind == CALL_STATUS) {
            status(m, number, subject, faults);
        } else {
            AGREE(item->kind == CALL_QUERY);
            question(m, number, subject, faults);
        }
        audit(m);
    }
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        if (m->flight[i].item != 0 && m->flight[i].due_ns <= m->s.now_ns) {
            land(m, &m->flight[i]);
        }
    }
}

/* ---- the shop's customers ---- */

/* The latest receipt whose payer named this order and that is no payment's; 0: none. */
static uint64_t latest_receipt(const struct story *m, uint32_t order)
{
    uint64_t latest = 0;
    for (uint32_t i = 0; i < m->payments; i++) {
        const struct truth *t = &m->truth[i];
        if (t->order == order && t->arrived && !t->taken_back) {
            latest = t->receipt_number > latest ? t->receipt_number : latest;
        }
    }
    for (uint32_t i = 0; i < m->hands; i++) {
        const struct by_hand *h = &m->by_hand[i];
        latest = h->order == order && h->number > latest ? h->number : latest;
    }
    return latest;
}

static void ask_for_payment(struct story *m)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    uint32_t order = random_below(&m->r, ORDERS);
    uint64_t overrides = 0;
    const struct truth *open = NULL;
    bool paid = false;
    if (m->payments == PAYMENTS) {
        return;
    }
    for (uint32_t i = 0; i < m->payments; i++) {
        const struct truth *t = &m->truth[i];
        open = t->order == order && is_open(t->state) ? t : open;
        paid = paid || (t->order == order && t->state == GATEWAY_SUCCEEDED);
    }
    uint64_t latest = latest_receipt(m, order);
    uint64_t over = latest != 0 && chance(m, 70) ? latest - chance(m, 20) : 0;
    if (open != NULL && chance(m, over != 0 ? 90 : 50)) {
        overrides = open->number;
    }
    struct payment_create_command c = {
        .amount_minor = 100 * (1 + random_below(&m->r, 1000)),
        .phone = SHOP_PHONE + random_below(&m->r, 3),
        .method = METHOD_MPESA_STK,
        .capture = chance(m, 30) ? CAPTURE_ESCROW : CAPTURE_WALLET,
        .overrides = overrides,
        .override_receipt = over,
        .order = span_from(ORDER_NAMES[order]),
    };
    m->s.keys++;
    memcpy(c.key, &m->s.keys, sizeof(m->s.keys));
    memcpy(c.token, &m->s.keys, sizeof(m->s.keys));
    bool taken = shop_do(&m->s, COMMAND_PAYMENT_CREATE, &c, &reply) > 0;
    AGREE(taken == (reply.refusal == GATEWAY_DONE));
    bool unknown = open != NULL && overrides != 0 &&
                   (open->state == GATEWAY_UNCONFIRMED || open->state == GATEWAY_MISMATCHED);
    AGREE(!taken || !paid);                              /* R2.9 */
    AGREE(!taken || open == NULL || unknown);            /* R2.9 */
    AGREE(!taken || over == latest);                     /* R2.9: money by paybill counts as well */
    AGREE(taken || paid || open != NULL || latest != 0); /* and no refusal without a cause */
    bool funded = reply.refusal == GATEWAY_ORDER_FUNDED;
    AGREE(!funded || (!paid && (open == NULL || unknown) && latest != 0 && over != latest));
    AGREE(!funded || reply.number == latest);
    m->funded += funded;
    m->over_receipts += taken && over != 0;
    if (taken) {
        struct truth *t = &m->truth[m->payments++];
        AGREE(reply.number == m->payments);
        t->number = reply.number;
        t->order = order;
        t->amount_minor = c.amount_minor;
        t->phone = c.phone;
        t->overrides = overrides;
        (void)snprintf(t->id, sizeof(t->id), "ws_CO_%llu", (unsigned long long)t->number);
        (void)snprintf(t->receipt, sizeof(t->receipt), "UA1A%06llu", (unsigned long long)t->number);
        struct gateway_reply again = {.refusal = GATEWAY_DONE};
        AGREE(shop_do(&m->s, COMMAND_PAYMENT_CREATE, &c, &again) == 0);
        AGREE(again.refusal == GATEWAY_REPEATED && again.number == t->number);
    }
}

/* Somebody pays by paybill; it is told once or more, and perhaps a person says what it is for. */
static void pay_by_hand(struct story *m)
{
    static const enum observation_source sources[] = {OBSERVED_BY_CALLBACK, OBSERVED_BY_PULL,
                                                      OBSERVED_BY_STATEMENT};
    uint32_t i = m->hands < BY_HAND && chance(m, 60) ? m->hands : random_below(&m->r, BY_HAND);
    struct by_hand *h = &m->by_hand[i];
    struct observation o;
    if (i == m->hands) {
        m->hands++;
        h->order = random_below(&m->r, ORDERS);
        h->amount_minor = 100 * (1 + random_below(&m->r, 1000));
        (void)snprintf(h->receipt, sizeof(h->receipt), "UA1C%06u", i);
    }
    if (i >= m->hands) {
        return;
    }
    memset(&o, 0, sizeof(o));
    o.kind = OBSERVED_RECEIPT;
    o.source = sources[random_below(&m->r, 3)];
    o.verdict = OBSERVED_SUCCEEDED;
    o.receipt = span_from(h->receipt);
    o.reference = o.receipt;
    o.account_reference = h->number == 0 ? span_from(ORDER_NAMES[h->order]) : SPAN_EMPTY;
    o.phone = SHOP_PHONE + 9; /* nobody who was asked */
    o.has_amount = true;
    o.amount_minor = h->amount_minor;
    (void)claim(m, 0, &o);
    hear(m);
    struct receipt_assign_command c = {.number = h->number};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    uint32_t order = random_below(&m->r, ORDERS);
    c.order = span_from(ORDER_NAMES[order]);
    if (chance(m, 30) && shop_do(&m->s, COMMAND_RECEIPT_ASSIGN, &c, &reply) > 0) {
        h->order = order;
        m->assigned++;
    }
}

static void poke(struct story *m)
{
    struct payment_command c = {.number = 1 + random_below(&m->r, m->payments)};
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    (void)shop_do(&m->s, chance(m, 70) ? COMMAND_PAYMENT_RESOLVE : COMMAND_PAYMENT_RELEASE, &c,
                  &reply);
}

/* A person who has looked into the provider's books: it is there, or it will never be. */
static enum gateway_refusal decide(struct story *m, struct truth *t)
{
    struct gateway_reply reply = {.refusal = GATEWAY_DONE};
    bool there = t->paid && t->ends_ns <= m->s.now_ns;
    struct judgement_command c = {
        .number = t->number,
        .judgement = !there          ? JUDGEMENT_REJECT
                     : chance(m, 90) ? JUDGEMENT_ACCEPT
                                     : JUDGEMENT_REFUND,
        .amount_minor = there ? t->amount_minor : 0,
        .receipt = there ? span_from(t->receipt) : SPAN_EMPTY,
        .judge = SPAN_LITERAL("Wanjiru"),
        .note = SPAN_LITERAL("seen in the portal"),
    };
    if (t->paid && !there) {
        return GATEWAY_STILL_ASKED; /* not in the books yet */
    }
    if (shop_do(&m->s, COMMAND_PAYMENT_JUDGE, &c, &reply) > 0) {
        m->accepted += there;
        m->rejected += !there;
        t->rejected = !there;
    }
    return reply.refusal;
}

/* What has ended leaves memory, as soon as it may; now and then the process dies in between. */
static void close_some(struct story *m)
{
    m->doing = "closing";
    bool torn = chance(m, 10);
    m->left += shop_clear(&m->s, (int64_t)random_below(&m->r, 60) * SHOP_S, torn);
    if (torn) {
        restart(m);
    }
    m->came_home += m->s.book->recalled;
    m->s.book->recalled = 0;
}

static void step(struct story *m)
{
    uint32_t kind = random_below(&m->r, 100);
    if (kind < 25 || m->payments == 0) {
        m->doing = "a customer";
        if (chance(m, 10)) {
            pay_by_hand(m);
        } else {
            ask_for_payment(m);
        }
    } else if (kind < 45) {
        m->doing = "time";
        uint32_t days = chance(m, 1) ? 2 : 0; /* the ladder comes to its end */
        shop_pass(&m->s, (int64_t)(days * 86400 + 1 + random_below(&m->r, 40)) * SHOP_S);
    } else if (kind < 70) {
        m->doing = "messages";
        deliver_due(m);
    } else if (kind < 92) {
        m->doing = "the outbox";
        serve(m, true);
    } else if (kind < 95) {
        m->doing = "somebody asks";
        poke(m);
    } else if (kind < 97) {
        m->doing = "a person";
        for (uint32_t i = 0; i < m->payments; i++) {
            bool waits =
                m->truth[i].state == GATEWAY_UNCONFIRMED || m->truth[i].state == GATEWAY_MISMATCHED;
            if (waits ? chance(m, 50) : chance(m, 5)) {
                (void)decide(m, &m->truth[i]);
                audit(m);
            }
        }
    } else {
        m->doing = "a restart";
        restart(m);
    }
    audit(m);
    if (chance(m, 15)) {
        close_some(m);
        audit(m);
    }
}

/* ---- the end: no more faults ---- */

static void settle(struct story *m)
{
    for (uint32_t hours = 0; hours < 80; hours++) {
        serve(m, false);
        deliver_due(m);
        audit(m);
        close_some(m);
        shop_pass(&m->s, (hours < 20 ? 60 : 3600) * SHOP_S);
    }
    /* What nobody said stands in the provider's books. */
    for (uint32_t i = 0; i < m->payments; i++) {
        if (m->truth[i].paid) {
            send_message(m, i, SAYS_STATEMENT, m->s.now_ns);
        }
    }
    deliver_due(m);
    for (uint32_t hours = 0; hours < 60; hours++) {
        serve(m, false);
        close_some(m);
        shop_pass(&m->s, 3600 * SHOP_S);
    }
    audit(m);
}

/* What nobody could find out, to the last one: a person does. */
static void decide_the_rest(struct story *m)
{
    m->doing = "a person, at the end";
    for (uint32_t i = 0; i < m->payments; i++) {
        struct truth *t = &m->truth[i];
        if (is_open(t->state)) {
            /* It has no id, and a failure leaves no trace at the provider. */
            const struct gateway_payment *p = shop_payment(&m->s, t->number);
            AGREE(p->attention && p->provider_id == TEXT_NONE && t->state == GATEWAY_UNCONFIRMED);
            m->left_to_a_person++;
            AGREE(decide(m, t) == GATEWAY_DONE);
        }
    }
    audit(m);
}

static void judge(struct story *m)
{
    int64_t at_provider_minor = 0;
    for (uint32_t i = 0; i < m->payments; i++) {
        const struct truth *t = &m->truth[i];
        const struct gateway_payment *p = shop_payment(&m->s, t->number);
        at_provider_minor += t->paid && !t->reversed ? t->amount_minor : 0;
        if (t->reversed || t->paid) {
            AGREE(t->state == (t->reversed ? GATEWAY_REVERSED : GATEWAY_SUCCEEDED));
            AGREE(gateway_text(shop_gateway(&m->s), p->receipt).size > 0);
            AGREE(!t->arrived || t->taken_back); /* a payment or a receipt has it, never both */
        } else {
            AGREE(!is_open(t->state));
        }
        m->ends[t->state]++;
    }
    for (uint32_t i = 0; i < m->hands; i++) {
        at_provider_minor += m->by_hand[i].amount_minor;
    }
    AGREE(shop_clearing(&m->s) == at_provider_minor); /* to the cent */
    for (uint64_t seq = 1; seq <= m->heard; seq++) {
        for (uint32_t e = 0; e < ENDPOINTS; e++) {
            AGREE(m->told[e][seq] >= 1);
        }
    }
}

static void tell_story(struct story *m, uint64_t seed)
{
    size_t kept = offsetof(struct story, met);
    memset(m, 0, kept);
    m->r = random_from(seed);
    m->doing = "the beginning";
    told = m;
    shop_start(&m->s);
    shop_with_attic(&m->s);
    for (uint32_t i = 0; i < ENDPOINTS; i++) {
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        struct endpoint_command c = {.target = 9 + i, .url = SPAN_LITERAL("https://shop.example")};
        AGREE(shop_do(&m->s, COMMAND_ENDPOINT_OPEN, &c, &reply) > 0);
    }
    for (; m->r.step < STEPS; m->r.step++) {
        step(m);
        if (m->r.step % 100 == 99) {
            book_check(m->s.book);
        }
    }
    m->doing = "the end";
    settle(m);
    decide_the_rest(m);
    serve(m, false); /* what that tells */
    judge(m);
    shop_end(&m->s);
    told = NULL;
}

static void test_stories(void **state)
{
    (void)state;
    struct story *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    memset(overlong, 'x', sizeof(overlong));
    uint64_t only = 0;
    const char *asked = getenv("HAKIKA_SEED");
    if (asked != NULL) {
        assert_true(span_parse_u64(span_from(asked), &only));
    }
    for (uint64_t seed = asked != NULL ? only : 1; seed <= (asked != NULL ? only : SEEDS); seed++) {
        tell_story(m, seed);
    }
    /* The stories have been everywhere. */
    for (uint32_t i = 0; i < MESSAGE_KINDS && asked == NULL; i++) {
        if (m->met[i] == 0) {
            fail_msg("no story told message %u", i);
        }
    }
    if (asked == NULL) {
        assert_true(m->ends[GATEWAY_SUCCEEDED] > 0 && m->ends[GATEWAY_REVERSED] > 0);
        assert_true(m->ends[GATEWAY_FAILED] > 0 && m->ends[GATEWAY_EXPIRED] > 0);
        assert_true(m->ends[GATEWAY_CANCELLED] > 0 && m->left_to_a_person > 0);
        assert_true(m->restarts > 0 && m->replays > 0 && m->repeats > 0);
        assert_true(m->refunds > 0 && m->late > 0 && m->taken_back > 0);
        assert_true(m->left > 0 && m->came_home > 0);
        assert_true(m->accepted > 0 && m->rejected > m->left_to_a_person);
        assert_true(m->disagreed > 0 && m->alerts > 0 && m->assigned > 0 && m->funded > 0 &&
                    m->over_receipts > 0);
    }
    print_message("%llu accepted and %llu rejected by a person, %llu of them at the end\n",
                  (unsigned long long)m->accepted, (unsigned long long)m->rejected,
                  (unsigned long long)m->left_to_a_person);
    free(m);
}

/*
 * R5.1: a thousand deliveries of the same callback among answers to queries, results, rows, lines
 * and C2B confirmations, which name no payment: one credit, one event and one webhook for each
 * endpoint, tried until it arrives under one id. The queries do not lie; those that do are in the
 * stories.
 */
static void test_a_thousand_deliveries(void **state)
{
    (void)state;
    struct story *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        m->r = random_from(seed);
        m->doing = "a thousand deliveries";
        told = m;
        shop_start(&m->s);
        struct gateway_reply reply = {.refusal = GATEWAY_DONE};
        struct endpoint_command c = {.target = 9,
                                     .types = 1 << FEED_PAYMENT_SUCCEEDED,
                                     .url = SPAN_LITERAL("https://shop.example")};
        AGREE(shop_do(&m->s, COMMAND_ENDPOINT_OPEN, &c, &reply) > 0);
        struct truth t = {.number = shop_pending(&m->s, "INV-1"),
                          .phone = SHOP_PHONE,
                          .amount_minor = SHOP_AMOUNT,
                          .paid = true,
                          .ends_ns = m->s.now_ns,
                          .id = "ws_CO_1",
                          .receipt = "UA1A000001"};
        for (uint32_t callbacks = 0; callbacks < 1000; m->r.step++) {
            enum observation_source source =
                chance(m, 70)
                    ? OBSERVED_BY_CALLBACK
                    : (enum observation_source)(OBSERVED_BY_QUERY + random_below(&m->r, 6));
            struct observation o = honest(m, &t, source);
            bool confirms = source == OBSERVED_BY_CALLBACK && chance(m, 10);
            bool row = source >= OBSERVED_BY_PULL || confirms;
            if (row) {
                arrives(&t, confirms, &o);
            }
            (void)claim(m, row || source == OBSERVED_BY_STATUS ? 0 : t.number, &o);
            callbacks += source == OBSERVED_BY_CALLBACK && !confirms;
            if (random_below(&m->r, 300) == 0) {
                restart(m);
            }
        }
        AGREE(shop_told(&m->s, FEED_PAYMENT_SUCCEEDED) == 1);
        AGREE(shop_clearing(&m->s) == SHOP_AMOUNT && shop_wallet(&m->s) == SHOP_AMOUNT);
        uint64_t item = shop_take(&m->s, MESSAGE_WEBHOOK);
        AGREE(item > 0 && shop_take(&m->s, MESSAGE_WEBHOOK) == 0);
        uint64_t seq = webhook_subject_seq(outbox_item(&m->s.book->outbox, item)->subject);
        AGREE(gateway_feed_event(shop_gateway(&m->s), seq)->type == FEED_PAYMENT_SUCCEEDED);
        AGREE(shop_gateway(&m->s)->webhooks.used == 1);
        shop_end(&m->s);
        told = NULL;
    }
    free(m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_stories),
                                              cmocka_unit_test(test_a_thousand_deliveries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
