/*
 * audit.c - comparing: the auditor's pages with the book, what was told with what is there, ids and
 * receipts with the auditor's own calendar. See auditor.h for A1 to A7.
 */
#include <stdio.h>
#include <string.h>

#include "sim/auditor.h"
#include "sim/fail.h"

#define SECOND_NS ((int64_t)1000000000)

typedef unsigned long long ull;

/* ---- the auditor's own calendar and ids ---- */

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Year, month and day by counting. */
static void date_of(int64_t day, int64_t *year, int *month, int *date)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    *year = 2020;
    day -= 18262; /* 2020-01-01 */
    CHECK(day >= 0);
    while (day >= 365 + leap(*year)) {
        day -= 365 + leap(*year);
        (*year)++;
    }
    *month = 0;
    while (day >= lengths[*month] + (*month == 1 && leap(*year))) {
        day -= lengths[*month] + (*month == 1 && leap(*year));
        (*month)++;
    }
    *date = (int)day + 1;
    (*month)++;
}

void auditor_checkout_id(const struct auditor *a, const struct audited_payment *p,
                         char out[ID_TEXT_SIZE])
{
    int64_t second = p->accepted_ns / SECOND_NS + (int64_t)3 * 3600;
    int64_t year;
    int month;
    int date;
    date_of(second / 86400, &year, &month, &date);
    int left = (int)(second % 86400);
    int written = snprintf(out, ID_TEXT_SIZE, "ws_CO_%02d%02d%04d%02d%02d%02d%03u%09llu", date,
                           month, (int)year, left / 3600, left / 60 % 60, left % 60, p->serial,
                           (ull)(a->phones[p->phone].msisdn % 1000000000));
    CHECK(written > 0 && written < ID_TEXT_SIZE);
}

void auditor_receipt(const struct audited_payment *p, char out[ID_RECEIPT_SIZE])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    memset(out, 0, ID_RECEIPT_SIZE);
    if (p->state != STK_SUCCESS) {
        return;
    }
    int64_t year;
    int month;
    int date;
    date_of(p->receipt_day, &year, &month, &date);
    out[0] = year < 2032 ? (char)('A' + year - 2006) : (char)('0' + year - 2032);
    out[1] = (char)('A' + month - 1);
    out[2] = digits[date];
    uint64_t serial = p->receipt_serial;
    for (int i = 9; i >= 3; i--) {
        out[i] = digits[serial % 36];
        serial /= 36;
    }
}

/* ---- what was told (A2, A5) ---- */

void auditor_confirmed(struct auditor *a, uint64_t position)
{
    EXPECT(position > a->confirmed && position <= a->position,
           "the disk confirms position %llu after %llu, of %llu", (ull)position, (ull)a->confirmed,
           (ull)a->position);
    a->confirmed = position;
}

void auditor_told(struct auditor *a, uint64_t position)
{
    EXPECT(position <= a->confirmed,
           "somebody is told what rests on position %llu, but the disk has only %llu (A2)",
           (ull)position, (ull)a->confirmed);
    a->promised = position > a->promised ? position : a->promised;
}

static void told_again(struct told *before, const struct told *now)
{
    EXPECT(strcmp(before->checkout_id, now->checkout_id) == 0,
           "payment %llu was told as %s and is now %s (A5)", (ull)now->number, before->checkout_id,
           now->checkout_id);
    EXPECT(before->amount_minor == now->amount_minor, "%s was told with %lld, now with %lld (A5)",
           now->checkout_id, (long long)before->amount_minor, (long long)now->amount_minor);
    if (!now->says_state || (now->outcome == STK_OPEN && now->position < before->position)) {
        return; /* nothing new, or an answer from before that took longer to arrive */
    }
    if (before->outcome == STK_OPEN) {
        uint32_t arrivals = before->arrivals;
        *before = *now;
        before->arrivals = arrivals;
        return;
    }
    EXPECT(before->outcome == now->outcome, "%s was told to have ended with %s, now it is %s (A5)",
           now->checkout_id, stk_outcome_code(before->outcome),
           now->outcome == STK_OPEN ? "open" : stk_outcome_code(now->outcome));
    EXPECT(strcmp(before->receipt, now->receipt) == 0,
           "%s was told with receipt '%s', now with '%s' (A5)", now->checkout_id, before->receipt,
           now->receipt);
}

void auditor_told_payment(struct auditor *a, const struct told *told)
{
    auditor_told(a, told->position);
    for (uint32_t i = a->told_count; i > 0; i--) {
        struct told *before = &a->told[i - 1];
        if (before->number == told->number && before->generation == told->generation) {
            told_again(before, told);
            return;
        }
    }
    if (told->outcome == STK_PAID) {
        for (uint32_t i = 0; i < a->told_count; i++) {
            EXPECT(a->told[i].generation != told->generation ||
                       strcmp(a->told[i].receipt, told->receipt) != 0,
                   "receipt %s was told for two payments (A5)", told->receipt);
        }
    }
    CHECK(a->told_count < AUDITOR_PAYMENTS_MAX);
    a->told[a->told_count++] = *told;
}

/* Every promise, looked up in the book itself. */
static void reach_payment(const struct auditor *a, struct book *b, uint64_t number)
{
    struct old_name name = operator_payment_name(number);
    a->reach(a->reach_context, b, &name);
}

static void compare_told(const struct auditor *a, struct book *b)
{
    const struct operator_state *o = operator_of(b);
    for (uint32_t i = 0; i < a->told_count; i++) {
        const struct told *t = &a->told[i];
        if (t->generation != a->generation) {
            continue; /* that world was ended on purpose */
        }
        reach_payment(a, b, t->number);
        const struct stk_payment *p = operator_payment(o, t->number);
        EXPECT(p != NULL, "payment %llu (%s) was told to somebody and is gone (A2)", (ull)t->number,
               t->checkout_id);
        char text[ID_TEXT_SIZE];
        payment_checkout_id(o, p, text);
        EXPECT(strcmp(text, t->checkout_id) == 0 && p->amount_minor == t->amount_minor,
               "payment %llu was told as %s of %lld and is %s of %lld (A2)", (ull)t->number,
               t->checkout_id, (long long)t->amount_minor, text, (long long)p->amount_minor);
        payment_receipt(p, text);
        EXPECT(t->outcome == STK_OPEN ||
                   (p->outcome == t->outcome && strcmp(text, t->receipt) == 0),
               "%s was told to have ended (%d, '%s') and now is (%d, '%s') (A2)", t->checkout_id,
               t->outcome, t->receipt, p->outcome, text);
    }
}

/* ---- messages ---- */

void auditor_handed_out(struct auditor *a, uint64_t message, uint64_t payment, int64_t now_ns)
{
    EXPECT(message >= 1 && message <= a->message_count, "message %llu was invented (A4)",
           (ull)message);
    struct audited_message *m = &a->messages[message - 1];
    EXPECT(m->payment == payment, "message %llu tells payment %llu, it should tell %llu (A4)",
           (ull)message, (ull)payment, (ull)m->payment);
    EXPECT(m->state == OUTBOX_WAITING && !m->in_flight && m->next_try_ns <= now_ns,
           "message %llu leaves although it should not (state %d, due in %lld ns) (A4)",
           (ull)message, m->state, (long long)(m->next_try_ns - now_ns));
    auditor_told(a, m->position);
    m->in_flight = true;
}

static void compare_message(const struct auditor *a, struct book *b, uint64_t number)
{
    const struct audited_message *m = &a->messages[number - 1];
    struct old_name name = old_name_of(OLD_SPACE_DELIVERY, number);
    a->reach(a->reach_context, b, &name);
    const struct outbox_item *item = outbox_item(&b->outbox, number);
    EXPECT(item != NULL, "message %llu is missing (A4)", (ull)number);
    const struct stk_payment *p = operator_payment(operator_of(b), item->subject);
    EXPECT(item->subject == m->payment && p != NULL && p->delivery == number &&
               p->target == item->target,
           "message %llu belongs to payment %llu, not to %llu (A4)", (ull)number, (ull)m->payment,
           (ull)item->subject);
    EXPECT(item->state == m->state && item->attempts == m->attempts && item->tries == m->tries,
           "message %llu is in state %d after %d attempts (%d), it should be in %d after %u (%u)",
           (ull)number, item->state, item->attempts, item->tries, m->state, m->attempts, m->tries);
    EXPECT(m->state != OUTBOX_WAITING || item->next_try_ns == m->next_try_ns,
           "message %llu is to be tried at %lld, it should be at %lld", (ull)number,
           (long long)item->next_try_ns, (long long)m->next_try_ns);
    EXPECT(m->state != OUTBOX_WAITING || m->in_flight == (item->phase == OUTBOX_IN_FLIGHT),
           "message %llu: the book and the network disagree about who has it", (ull)number);
}

/* ---- payments, people, money ---- */

static uint32_t code_of(const struct auditor *a, uint32_t shop)
{
    return shop < a->cast->shop_count ? a->cast->shops[shop].short_code : 999999;
}

static void compare_ids(const struct auditor *a, const struct operator_state *o,
                        const struct audited_payment *p, const struct stk_payment *real)
{
    char expected[ID_TEXT_SIZE];
    char text[ID_TEXT_SIZE];
    auditor_checkout_id(a, p, expected);
    payment_checkout_id(o, real, text);
    EXPECT(strcmp(expected, text) == 0, "payment %llu is called %s, it should be %s",
           (ull)p->number, text, expected);
    struct old_name name;
    if (p->left && operator_id_name(span_from(text), &name)) {
        a->reach(a->reach_context, o->book, &name); /* the same guest once more, by this id */
    }
    EXPECT(operator_payment_by_checkout(o, span_from(text)) == real, "%s is not found again", text);
    char receipt[ID_RECEIPT_SIZE];
    auditor_receipt(p, receipt);
    payment_receipt(real, text);
    EXPECT(strcmp(receipt, text) == 0, "payment %llu has receipt '%s', it should have '%s' (A5)",
           (ull)p->number, text, receipt);
    if (p->left && receipt[0] != '\0' && operator_id_name(span_from(text), &name)) {
        a->reach(a->reach_context, o->book, &name);
    }
    EXPECT(receipt[0] == '\0' || operator_payment_by_receipt(o, span_from(text)) == real,
           "receipt %s is not found again", text);
}

static void compare_payment(const struct auditor *a, const struct operator_state *o,
                            const struct audited_payment *p, bool with_ids)
{
    reach_payment(a, o->book, p->number);
    const struct stk_payment *real = operator_payment(o, p->number);
    EXPECT(real != NULL, "payment %llu is missing (A3)", (ull)p->number);
    EXPECT((real == &o->guest) == p->left, "payment %llu is %sin memory", (ull)p->number,
           p->left ? "" : "not ");
    EXPECT(real->state == p->state && real->outcome == p->outcome,
           "payment %llu is %s (outcome %d), it should be %s (outcome %d) (A1)", (ull)p->number,
           stk_state_name(real->state), real->outcome, stk_state_name(p->state), p->outcome);
    EXPECT(real->amount_minor == p->amount_minor && real->short_code == code_of(a, p->shop) &&
               real->party_b == code_of(a, p->payee) && real->type == p->product,
           "payment %llu differs in what was asked (A1)", (ull)p->number);
    EXPECT(operator_subscriber_at(o, real->subscriber)->msisdn == a->phones[p->phone].msisdn,
           "payment %llu belongs to another phone (A1)", (ull)p->number);
    EXPECT(real->step_ns[STEP_ACCEPTED] == p->accepted_ns &&
               real->step_ns[STEP_PROMPTED] == p->prompted_ns &&
               real->step_ns[STEP_ENDED] == p->ended_ns,
           "payment %llu has other times than it should", (ull)p->number);
    bool processing = p->state == STK_PROCESSING;
    EXPECT(!processing || (real->expires_ns == p->expires_ns && real->reached == p->reached &&
                           real->answer == p->answer),
           "payment %llu waits otherwise than it should", (ull)p->number);
    if (with_ids) {
        compare_ids(a, o, p, real);
    }
}

static void compare_phone(const struct operator_state *o, const struct audited_phone *phone)
{
    const struct subscriber *real = operator_subscriber(o, phone->msisdn);
    EXPECT(real != NULL, "phone %llu is missing", (ull)phone->msisdn);
    EXPECT(real->status == phone->status && real->reachable == phone->reachable,
           "phone %llu has status %d, it should have %d", (ull)phone->msisdn, real->status,
           phone->status);
    EXPECT(real->pin_failures == phone->wrong_pins,
           "phone %llu has %d wrong PINs, it should have %u", (ull)phone->msisdn,
           real->pin_failures, phone->wrong_pins);
    EXPECT((real->open_payment != SLAB_NONE) == (phone->open != 0),
           "phone %llu: open payment differs", (ull)phone->msisdn);
    EXPECT(phone->spent_day == 0 ||
               (real->day == phone->spent_day && real->day_spent_minor == phone->spent_minor),
           "phone %llu spent %lld today, it should be %lld", (ull)phone->msisdn,
           (long long)real->day_spent_minor, (long long)phone->spent_minor);
    if (phone->status != SUBSCRIBER_UNREGISTERED) {
        int64_t balance = operator_balance(o, real->account);
        EXPECT(balance == phone->balance_minor, "phone %llu holds %lld, it should hold %lld (A6)",
               (ull)phone->msisdn, (long long)balance, (long long)phone->balance_minor);
    }
}

static void compare_shop(const struct auditor *a, const struct operator_state *o,
                         const struct audited_shop *shop)
{
    const struct organisation *real = operator_organisation(o, code_of(a, shop->cast));
    EXPECT(real != NULL, "organisation %u is missing", code_of(a, shop->cast));
    int64_t utility = operator_balance(o, real->accounts[ACCOUNT_UTILITY]);
    int64_t working = operator_balance(o, real->accounts[ACCOUNT_WORKING]);
    EXPECT(utility == shop->balance_minor[0] && working == shop->balance_minor[1],
           "organisation %u holds %lld and %lld, it should hold %lld and %lld (A6)",
           code_of(a, shop->cast), (long long)utility, (long long)working,
           (long long)shop->balance_minor[0], (long long)shop->balance_minor[1]);
}

static void compare_money(const struct auditor *a, const struct operator_state *o)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < a->phone_count; i++) {
        sum += a->phones[i].balance_minor;
    }
    for (uint32_t i = 0; i < a->shop_count; i++) {
        sum += a->shops[i].balance_minor[0] + a->shops[i].balance_minor[1];
    }
    EXPECT(sum == a->issued_minor, "the auditor's own books do not add up: %lld of %lld",
           (long long)sum, (long long)a->issued_minor);
    if (a->generation > 0) {
        int64_t trust = operator_balance(o, o->account_trust);
        EXPECT(trust == -a->issued_minor, "the trust account stands at %lld, issued were %lld (A6)",
               (long long)trust, (long long)a->issued_minor);
        EXPECT(operator_balance(o, o->account_fees) == 0, "there are fees, and nobody paid any");
    }
}

void auditor_compare(const struct auditor *a, struct book *b, uint32_t ids_of)
{
    const struct operator_state *o = operator_of(b);
    EXPECT(b->position == a->position && b->generation == a->generation,
           "the book is at %llu (generation %llu), it should be at %llu (%llu)", (ull)b->position,
           (ull)b->generation, (ull)a->position, (ull)a->generation);
    EXPECT(o->payments.used + operator_left(o) == a->payment_count &&
               o->subscribers.used == a->phone_count && o->organisations.used == a->shop_count,
           "%u payments, %u phones, %u organisations; it should be %u, %u, %u (A3)",
           o->payments.used, o->subscribers.used, o->organisations.used, a->payment_count,
           a->phone_count, a->shop_count);
    EXPECT(b->outbox.items.used + b->outbox.left_delivered + b->outbox.left_dead ==
               a->message_count,
           "%u messages, it should be %u (A4)", b->outbox.items.used, a->message_count);
    EXPECT(o->queued == a->pipeline_count, "%u payments in the pipeline, it should be %u",
           o->queued, a->pipeline_count);
    for (uint32_t i = 0; i < a->payment_count; i++) {
        compare_payment(a, o, &a->payments[i], (i + b->position) % ids_of == 0);
    }
    for (uint32_t i = 0; i < a->message_count; i++) {
        compare_message(a, b, i + 1);
    }
    for (uint32_t i = 0; i < a->phone_count; i++) {
        compare_phone(o, &a->phones[i]);
    }
    for (uint32_t i = 0; i < a->shop_count; i++) {
        compare_shop(a, o, &a->shops[i]);
    }
    compare_money(a, o);
    bank_compare(&a->bank, b);
    compare_told(a, b);
}

void auditor_compare_touched(struct auditor *a, struct book *b)
{
    const struct operator_state *o = operator_of(b);
    EXPECT(b->position == a->position, "the book is at %llu, it should be at %llu",
           (ull)b->position, (ull)a->position);
    for (uint32_t i = 0; i < a->touched_payment_count; i++) {
        const struct audited_payment *p = &a->payments[a->touched_payments[i] - 1];
        compare_payment(a, o, p, true);
        compare_phone(o, &a->phones[p->phone]);
    }
    for (uint32_t i = 0; i < a->touched_message_count; i++) {
        compare_message(a, b, a->touched_messages[i]);
    }
    a->touched_payment_count = 0;
    a->touched_message_count = 0;
}

bool auditor_quiet(const struct auditor *a)
{
    for (uint32_t i = 0; i < a->phone_count; i++) {
        if (a->phones[i].open != 0) {
            return false;
        }
    }
    for (uint32_t i = 0; i < a->message_count; i++) {
        if (a->messages[i].state == OUTBOX_WAITING) {
            return false;
        }
    }
    for (uint32_t i = 0; i < a->bank.entry_count; i++) {
        const struct bank_entry *e = &a->bank.entries[i];
        if (e->state == ENTRY_HOLD_OPEN && e->t.expires_ns != 0) {
            return false;
        }
    }
    return a->confirmed == a->position;
}
