/*
 * auditor.c - what the rules say: judging an ask, and taking decisions again. See auditor.h.
 */
#include "sim/auditor.h"

#include <stdlib.h>
#include <string.h>

#include "sim/fail.h"

#define SECOND_NS ((int64_t)1000000000)
#define DAY_NS    ((int64_t)86400 * SECOND_NS)

static const struct operator_settings *rules(const struct auditor *a)
{
    return &a->settings[a->settings_now];
}

int64_t auditor_day(int64_t now_ns)
{
    return (now_ns + 3 * 3600 * SECOND_NS) / DAY_NS; /* Nairobi is three hours ahead */
}

/* ---- finding things, the slow way ---- */

const struct audited_payment *auditor_payment(const struct auditor *a, uint64_t number)
{
    return number >= 1 && number <= a->payment_count ? &a->payments[number - 1] : NULL;
}

const struct audited_phone *auditor_phone(const struct auditor *a, uint32_t cast)
{
    for (uint32_t i = 0; i < a->phone_count; i++) {
        if (a->phones[i].cast == cast) {
            return &a->phones[i];
        }
    }
    return NULL;
}

static struct audited_phone *phone_page(struct auditor *a, uint32_t cast)
{
    for (uint32_t i = 0; i < a->phone_count; i++) {
        if (a->phones[i].cast == cast) {
            return &a->phones[i];
        }
    }
    CHECK(a->phone_count < AUDITOR_PHONES_MAX);
    struct audited_phone *page = &a->phones[a->phone_count++];
    memset(page, 0, sizeof(*page));
    page->cast = cast;
    page->msisdn = a->cast->phones[cast].msisdn;
    page->status = SUBSCRIBER_UNREGISTERED;
    page->reachable = true;
    page->last_second = -1;
    return page;
}

static struct audited_shop *shop_page(const struct auditor *a, uint32_t cast)
{
    for (uint32_t i = 0; i < a->shop_count; i++) {
        if (a->shops[i].cast == cast) {
            return (struct audited_shop *)(uintptr_t)&a->shops[i];
        }
    }
    return NULL;
}

/* An identical request that is open or was paid, within the last minute (R1.4). */
static const struct audited_payment *find_twin(const struct auditor *a, const struct ask *ask,
                                               int64_t now_ns)
{
    for (uint32_t i = a->payment_count; i > 0; i--) {
        const struct audited_payment *p = &a->payments[i - 1];
        if (now_ns - p->accepted_ns >= rules(a)->fingerprint_ns) {
            return NULL; /* older ones are older still */
        }
        bool ended_badly = p->state == STK_FAILED || p->state == STK_STATE_CANCELLED;
        if (a->phones[p->phone].cast == ask->phone && p->shop == ask->shop &&
            p->amount_minor == ask->amount_minor && p->reference == ask->reference) {
            if (!ended_badly || !rules(a)->fingerprint_released_on_failure) {
                return p;
            }
        }
    }
    return NULL;
}

static uint64_t message_number_of(const struct auditor *a, uint64_t payment)
{
    for (uint32_t i = 0; i < a->message_count; i++) {
        if (a->messages[i].payment == payment) {
            return i + 1;
        }
    }
    return 0;
}

/* ---- judging ---- */

static struct verdict refuse(enum operator_refusal refusal, uint64_t number, uint64_t rests_on)
{
    struct verdict v = {
        .refusal = refusal, .outcome = BOOK_DONE, .number = number, .rests_on = rests_on};
    return v;
}

static struct verdict applies(uint64_t number)
{
    struct verdict v = {
        .applies = true, .refusal = OPERATOR_DONE, .outcome = BOOK_DONE, .number = number};
    return v;
}

static struct verdict judge_push(const struct auditor *a, const struct ask *ask, int64_t now_ns)
{
    if (shop_page(a, ask->shop) == NULL) {
        return refuse(OPERATOR_MERCHANT_UNKNOWN, 0, 0);
    }
    const struct audited_payment *twin = find_twin(a, ask, now_ns);
    if (twin != NULL) {
        return refuse(OPERATOR_DUPLICATE, twin->number, twin->position);
    }
    const struct audited_phone *phone = auditor_phone(a, ask->phone);
    if (phone != NULL && phone->open != 0) {
        const struct audited_payment *open = auditor_payment(a, phone->open);
        CHECK(open != NULL);
        return refuse(OPERATOR_SUBSCRIBER_LOCKED, phone->open, open->position);
    }
    return applies(a->payment_count + 1);
}

static struct verdict judge_answer(const struct auditor *a, const struct ask *ask, int64_t now_ns)
{
    const struct audited_payment *p = auditor_payment(a, ask->number);
    if (p == NULL) {
        return refuse(OPERATOR_NOT_FOUND, 0, 0);
    }
    if (p->state == STK_SUCCESS || p->state == STK_FAILED || p->state == STK_STATE_CANCELLED) {
        return refuse(OPERATOR_ALREADY_ENDED, p->number, p->position);
    }
    if (p->answer != ANSWER_NONE) {
        return refuse(OPERATOR_ALREADY_ANSWERED, p->number, p->position);
    }
    if (p->state == STK_PROCESSING && !p->reached) {
        return refuse(OPERATOR_NOT_FOUND, p->number, p->position);
    }
    if (p->state == STK_PROCESSING && now_ns >= p->expires_ns) {
        return refuse(OPERATOR_ALREADY_ENDED, p->number, p->position); /* though nobody ended it */
    }
    return applies(p->number);
}

static struct verdict judge_change(const struct auditor *a, const struct ask *ask)
{
    const struct audited_phone *phone = auditor_phone(a, ask->phone);
    if (phone == NULL || phone->status == SUBSCRIBER_UNREGISTERED) {
        return refuse(OPERATOR_NOT_FOUND, 0, 0);
    }
    if ((ask->fields & CHANGE_BALANCE) != 0 && phone->balance_minor + ask->amount_minor < 0) {
        return refuse(OPERATOR_NO_MONEY, 0, 0);
    }
    return applies(0);
}

static uint32_t request_of(const struct ask *ask)
{
    return ask->shop * 1000003u + (uint32_t)ask->amount_minor * 2u + ask->account;
}

static struct verdict judge_fund(const struct auditor *a, const struct ask *ask)
{
    if (shop_page(a, ask->shop) == NULL) {
        return refuse(OPERATOR_NOT_FOUND, 0, 0);
    }
    for (uint32_t i = 0; ask->key != 0 && i < a->key_count; i++) {
        if (a->keys[i].key == ask->key) {
            bool same = a->keys[i].request == request_of(ask);
            return refuse(same ? OPERATOR_REPEATED : OPERATOR_KEY_REUSED, 0, 0);
        }
    }
    return ask->amount_minor > 0 ? applies(0) : refuse(OPERATOR_LIMIT, 0, 0);
}

static struct verdict judge_message(const struct auditor *a, const struct ask *ask)
{
    bool known = ask->number >= 1 && ask->number <= a->message_count;
    const struct audited_message *m = known ? &a->messages[ask->number - 1] : NULL;
    struct verdict v = {.refusal = OPERATOR_DONE, .outcome = BOOK_NOTHING};
    if (ask->kind == ASK_REVIVE) {
        v.outcome = known ? BOOK_DONE : BOOK_NOT_FOUND;
        if (known && m->state == OUTBOX_WAITING && m->in_flight) {
            v.outcome = BOOK_NOTHING;
        }
    } else if (known && ask->generation == a->generation && m->state == OUTBOX_WAITING &&
               m->in_flight) {
        v.outcome = BOOK_DONE;
    }
    v.applies = v.outcome == BOOK_DONE;
    return v;
}

static struct verdict judge_bank(const struct auditor *a, const struct ask *ask, int64_t now_ns)
{
    static struct bank trial;
    bank_copy(&trial, &a->bank);
    struct verdict v = {.refusal = OPERATOR_DONE, .outcome = BOOK_DONE};
    v.applies = bank_take(&trial, ask->bank, now_ns, v.results);
    return v;
}

struct verdict auditor_judge(const struct auditor *a, const struct ask *ask, int64_t now_ns)
{
    switch (ask->kind) {
    case ASK_PUSH: return judge_push(a, ask, now_ns);
    case ASK_APPROVE:
    case ASK_CANCEL: return judge_answer(a, ask, now_ns);
    case ASK_OPEN_PHONE: {
        const struct audited_phone *phone = auditor_phone(a, ask->phone);
        bool exists = phone != NULL && phone->status != SUBSCRIBER_UNREGISTERED;
        return exists ? refuse(OPERATOR_EXISTS, 0, 0) : applies(0);
    }
    case ASK_CHANGE: return judge_change(a, ask);
    case ASK_OPEN_SHOP:
        return shop_page(a, ask->shop) != NULL ? refuse(OPERATOR_EXISTS, 0, 0) : applies(0);
    case ASK_FUND: return judge_fund(a, ask);
    case ASK_REPORT:
    case ASK_REVIVE: return judge_message(a, ask);
    case ASK_BANK: return judge_bank(a, ask, now_ns);
    case ASK_BANK_OPEN:
    case ASK_SEED:
    case ASK_CHECKPOINT:
    case ASK_LEAVE:
    case ASK_INTERNAL:
    case ASK_NOTHING: break;
    }
    return applies(0);
}

/* ---- endings ---- */

static void touch_payment(struct auditor *a, uint64_t number)
{
    if (a->touched_payment_count < AUDITOR_TOUCHED_MAX) {
        a->touched_payments[a->touched_payment_count++] = number;
    }
}

static void touch_message(struct auditor *a, uint64_t number)
{
    if (a->touched_message_count < AUDITOR_TOUCHED_MAX) {
        a->touched_messages[a->touched_message_count++] = number;
    }
}

static void post_message(struct auditor *a, uint64_t payment, int64_t now_ns)
{
    CHECK(a->message_count < AUDITOR_PAYMENTS_MAX);
    EXPECT(message_number_of(a, payment) == 0, "payment %llu would get a second message",
           (unsigned long long)payment);
    struct audited_message *m = &a->messages[a->message_count++];
    memset(m, 0, sizeof(*m));
    m->payment = payment;
    m->state = OUTBOX_WAITING;
    m->next_try_ns = now_ns;
    m->position = a->position;
    touch_message(a, a->message_count);
}

static void pay(struct auditor *a, struct audited_payment *p, int64_t now_ns)
{
    struct audited_phone *phone = &a->phones[p->phone];
    struct audited_shop *payee = shop_page(a, p->payee);
    CHECK(payee != NULL);
    phone->balance_minor -= p->amount_minor;
    payee->balance_minor[0] += p->amount_minor;
    int64_t day = auditor_day(now_ns);
    phone->spent_minor = (phone->spent_day == day ? phone->spent_minor : 0) + p->amount_minor;
    phone->spent_day = day;
    if (a->receipt_day != day) {
        a->receipt_day = day;
        a->receipt_next = (uint64_t)rules(a)->receipt_shard * 36 * 36 * 36 * 36 * 36;
    }
    p->receipt_day = day;
    p->receipt_serial = a->receipt_next++;
}

static void leave_pipeline(struct auditor *a, uint64_t number)
{
    for (uint32_t i = 0; i < a->pipeline_count; i++) {
        if (a->pipeline[i] == number) {
            a->pipeline_count--;
            memmove(&a->pipeline[i], &a->pipeline[i + 1],
                    (a->pipeline_count - i) * sizeof(a->pipeline[0]));
            return;
        }
    }
}

static void end(struct auditor *a, struct audited_payment *p, enum stk_outcome outcome,
                int64_t now_ns)
{
    static const enum stk_state states[] = {
        [STK_PAID] = STK_SUCCESS,
        [STK_CANCELLED] = STK_STATE_CANCELLED,
    };
    enum stk_state state = outcome < sizeof(states) / sizeof(states[0]) ? states[outcome] : 0;
    p->state = state != 0 ? state : STK_FAILED;
    p->outcome = outcome;
    p->ended_ns = now_ns;
    a->phones[p->phone].open = 0;
    leave_pipeline(a, p->number);
    if (outcome == STK_PAID) {
        pay(a, p, now_ns);
    }
    post_message(a, p->number, now_ns);
}

/* What stands against a payment, whatever the PIN. */
static enum stk_outcome objection(const struct auditor *a, const struct audited_payment *p,
                                  int64_t now_ns, bool look_at_money)
{
    const struct audited_phone *phone = &a->phones[p->phone];
    if (phone->status != SUBSCRIBER_ACTIVE) {
        return phone->status == SUBSCRIBER_SUSPENDED ? STK_PAYER_SUSPENDED : STK_PAYER_UNKNOWN;
    }
    if (shop_page(a, p->payee) == NULL) {
        return STK_PAYEE_UNKNOWN;
    }
    uint8_t type = a->cast->shops[p->payee].type;
    if ((type == ORGANISATION_PAYBILL && p->product != 1) ||
        (type == ORGANISATION_TILL && p->product != 2) || type == ORGANISATION_BULK) {
        return STK_PRODUCT;
    }
    int64_t spent = phone->spent_day == auditor_day(now_ns) ? phone->spent_minor : 0;
    if (look_at_money && p->amount_minor > phone->balance_minor) {
        return STK_NO_MONEY;
    }
    if (look_at_money && spent + p->amount_minor > rules(a)->day_max_minor) {
        return STK_DAY_LIMIT;
    }
    return STK_PAID;
}

static void approve(struct auditor *a, struct audited_payment *p, uint32_t pin, int64_t now_ns)
{
    struct audited_phone *phone = &a->phones[p->phone];
    if (phone->status == SUBSCRIBER_UNREGISTERED) {
        end(a, p, STK_PAYER_UNKNOWN, now_ns);
    } else if (phone->wrong_pins >= rules(a)->pin_failures_max) {
        end(a, p, STK_PIN_LOCKED, now_ns);
    } else if (pin != phone->pin) {
        phone->wrong_pins++;
        end(a, p, STK_WRONG_PIN, now_ns);
    } else {
        phone->wrong_pins = 0;
        end(a, p, objection(a, p, now_ns, true), now_ns);
    }
}

/* ---- applying ---- */

/* The milliseconds, or the next number that this phone has not had in this second. */
static uint32_t serial_of(const struct auditor *a, const struct audited_phone *phone,
                          int64_t now_ns)
{
    uint32_t serial = (uint32_t)(now_ns / 1000000 % 1000);
    if (phone->last_second == now_ns / SECOND_NS && serial <= phone->last_serial) {
        serial = phone->last_serial + 1;
    }
    for (uint32_t i = a->payment_count; i > 0; i--) {
        const struct audited_payment *p = &a->payments[i - 1];
        if (p->accepted_ns / SECOND_NS != now_ns / SECOND_NS) {
            break;
        }
        if (p->serial == serial &&
            a->phones[p->phone].msisdn % 1000000000 == phone->msisdn % 1000000000) {
            serial++;
            i = a->payment_count + 1; /* look at all of them again */
        }
    }
    return serial;
}

static void apply_push(struct auditor *a, const struct ask *ask, int64_t now_ns)
{
    CHECK(a->payment_count < AUDITOR_PAYMENTS_MAX);
    struct audited_phone *phone = phone_page(a, ask->phone);
    struct audited_payment *p = &a->payments[a->payment_count];
    memset(p, 0, sizeof(*p));
    p->number = a->payment_count + 1;
    p->phone = (uint32_t)(phone - a->phones);
    p->shop = ask->shop;
    p->payee = ask->payee;
    p->product = ask->product;
    p->amount_minor = ask->amount_minor;
    p->reference = ask->reference;
    p->accepted_ns = now_ns;
    p->serial = serial_of(a, phone, now_ns);
    p->state = STK_PENDING;
    p->position = a->position;
    a->payment_count++;
    phone->open = p->number;
    phone->last_second = now_ns / SECOND_NS;
    phone->last_serial = p->serial;
    a->pipeline[a->pipeline_count++] = p->number;
    a->pushes++;
    touch_payment(a, p->number);
}

static void apply_answer(struct auditor *a, const struct ask *ask, int64_t now_ns)
{
    struct audited_payment *p = &a->payments[ask->number - 1];
    p->position = a->position;
    touch_payment(a, p->number);
    if (p->state == STK_PENDING) {
        p->answer = ask->kind == ASK_CANCEL ? ANSWER_CANCEL : ANSWER_APPROVE;
        p->answer_pin = ask->pin;
    } else if (ask->kind == ASK_CANCEL) {
        end(a, p, STK_CANCELLED, now_ns);
    } else {
        approve(a, p, ask->pin, now_ns);
    }
}

static void give_wallet(struct auditor *a, uint32_t cast)
{
    struct audited_phone *phone = phone_page(a, cast);
    const struct cast_phone *as = &a->cast->phones[cast];
    phone->status = SUBSCRIBER_ACTIVE;
    phone->pin = as->pin;
    phone->approves = as->approves;
    phone->balance_minor = as->balance_minor;
    a->issued_minor += as->balance_minor;
    a->account_count++;
}

static void give_shop(struct auditor *a, uint32_t cast)
{
    CHECK(a->shop_count < AUDITOR_SHOPS_MAX);
    const struct cast_shop *as = &a->cast->shops[cast];
    struct audited_shop *shop = &a->shops[a->shop_count++];
    shop->cast = cast;
    shop->balance_minor[0] = as->utility_minor;
    shop->balance_minor[1] = as->working_minor;
    a->issued_minor += as->utility_minor + as->working_minor;
    a->account_count += ORGANISATION_ACCOUNTS;
}

static void apply_seed(struct auditor *a)
{
    a->generation++;
    a->phone_count = 0;
    a->shop_count = 0;
    a->payment_count = 0;
    a->message_count = 0;
    a->pipeline_count = 0;
    a->key_count = 0;
    a->receipt_day = 0;
    a->receipt_next = 0;
    a->issued_minor = 0;
    a->account_count = 2; /* trust and fees */
    bank_clear(&a->bank);
    a->touched_payment_count = 0;
    a->touched_message_count = 0;
    for (uint32_t i = 0; i < a->cast->shops_seeded; i++) {
        give_shop(a, i);
    }
    for (uint32_t i = 0; i < a->cast->phones_seeded; i++) {
        give_wallet(a, i);
    }
}

static void apply_change(struct auditor *a, const struct ask *ask)
{
    struct audited_phone *phone = phone_page(a, ask->phone);
    if ((ask->fields & CHANGE_BALANCE) != 0) {
        phone->balance_minor += ask->amount_minor;
        a->issued_minor += ask->amount_minor;
    }
    if ((ask->fields & CHANGE_REACHABLE) != 0) {
        phone->reachable = ask->reachable;
    }
    if ((ask->fields & CHANGE_STATUS) != 0) {
        phone->status = ask->status;
    }
    if ((ask->fields & CHANGE_PIN) != 0) {
        phone->pin = ask->pin;
        phone->wrong_pins = 0;
    }
}

static void apply_fund(struct auditor *a, const struct ask *ask)
{
    struct audited_shop *shop = shop_page(a, ask->shop);
    CHECK(shop != NULL);
    shop->balance_minor[ask->account] += ask->amount_minor;
    a->issued_minor += ask->amount_minor;
    if (ask->key != 0) {
        CHECK(a->key_count < AUDITOR_KEYS_MAX);
        a->keys[a->key_count].key = ask->key;
        a->keys[a->key_count].request = request_of(ask);
        a->key_count++;
    }
}

static void apply_report(struct auditor *a, const struct ask *ask, int64_t next_try_ns)
{
    struct audited_message *m = &a->messages[ask->number - 1];
    m->in_flight = false;
    m->attempts++;
    m->tries++;
    if (ask->error == 0 && ask->http / 100 == 2) {
        m->state = OUTBOX_DELIVERED;
    } else if (m->tries == a->schedule->tries) {
        m->state = OUTBOX_DEAD;
    } else {
        m->next_try_ns = next_try_ns;
        m->position = a->position;
    }
    touch_message(a, ask->number);
}

/* The pipeline first, then prompts whose time is over, in order of time and number. An open
 * payment is some phone's, so looking at the phones finds it. */
static struct audited_payment *next_work(const struct auditor *a, int64_t now_ns)
{
    const struct audited_payment *found = NULL;
    if (a->pipeline_count > 0) {
        found = &a->payments[a->pipeline[0] - 1];
    }
    for (uint32_t i = 0; i < a->phone_count && a->pipeline_count == 0; i++) {
        const struct audited_payment *p = auditor_payment(a, a->phones[i].open);
        if (p == NULL || p->state != STK_PROCESSING || p->expires_ns > now_ns) {
            continue;
        }
        if (found == NULL || p->expires_ns < found->expires_ns ||
            (p->expires_ns == found->expires_ns && p->number < found->number)) {
            found = p;
        }
    }
    return (struct audited_payment *)(uintptr_t)found;
}

static void advance(struct auditor *a, struct audited_payment *p, int64_t now_ns)
{
    enum stk_outcome against = objection(a, p, now_ns, rules(a)->funds_checked_early);
    if (against != STK_PAID) {
        end(a, p, against, now_ns);
        return;
    }
    leave_pipeline(a, p->number);
    p->state = STK_PROCESSING;
    p->prompted_ns = now_ns;
    p->reached = a->phones[p->phone].reachable;
    p->expires_ns = now_ns + (p->reached ? rules(a)->prompt_ns : rules(a)->unreachable_ns);
    if (!p->reached) {
        p->answer = ANSWER_NONE;
    } else if (p->answer == ANSWER_NONE && a->phones[p->phone].approves) {
        p->answer = ANSWER_AUTOMATIC;
    }
    if (p->answer != ANSWER_NONE) {
        a->pipeline[a->pipeline_count++] = p->number;
    }
}

static void apply_internal(struct auditor *a, int64_t now_ns)
{
    struct bank_entry *hold = bank_overdue(&a->bank, now_ns);
    if (hold != NULL) {
        bank_expire(&a->bank, hold);
        return;
    }
    struct audited_payment *p = next_work(a, now_ns);
    EXPECT(p != NULL, "the book did work of its own although none was due (A7)");
    p->position = a->position;
    touch_payment(a, p->number);
    if (p->state == STK_PENDING) {
        advance(a, p, now_ns);
    } else if (p->answer == ANSWER_APPROVE) {
        approve(a, p, p->answer_pin, now_ns);
    } else if (p->answer == ANSWER_CANCEL) {
        end(a, p, STK_CANCELLED, now_ns);
    } else if (p->answer == ANSWER_AUTOMATIC) {
        end(a, p, objection(a, p, now_ns, true), now_ns);
    } else {
        end(a, p, p->reached ? STK_NO_ANSWER : STK_UNREACHABLE, now_ns);
    }
}

static void apply_revive(struct auditor *a, const struct ask *ask, int64_t now_ns)
{
    struct audited_message *m = &a->messages[ask->number - 1];
    m->state = OUTBOX_WAITING;
    m->tries = 0;
    m->next_try_ns = now_ns;
    m->position = a->position;
    a->payments[m->payment - 1].left = false; /* what is to be sent again comes home */
    touch_message(a, ask->number);
}

static void apply_bank(struct auditor *a, const struct audited_step *step)
{
    uint8_t results[BANK_ORDER_MAX];
    EXPECT(bank_take(&a->bank, step->ask.bank, step->now_ns, results),
           "a batch of transfers was written down although nothing was to be");
}

/* The step keeps an order of its own. */
static const struct bank_order *keep_order(struct auditor *a, const struct bank_order *order)
{
    struct bank_order *kept = malloc(sizeof(*kept));
    a->orders = realloc(a->orders, (a->order_count + 1) * sizeof(struct bank_order *));
    CHECK(kept != NULL && a->orders != NULL);
    *kept = *order;
    a->orders[a->order_count++] = kept;
    return kept;
}

static const struct leave_order *keep_leave(struct auditor *a, const struct leave_order *order)
{
    struct leave_order *kept = malloc(sizeof(*kept));
    a->leaves = realloc(a->leaves, (a->leave_count + 1) * sizeof(struct leave_order *));
    CHECK(kept != NULL && a->leaves != NULL);
    *kept = *order;
    a->leaves[a->leave_count++] = kept;
    return kept;
}

static void drop_orders(struct auditor *a)
{
    for (uint32_t i = 0; i < a->leave_count; i++) {
        free(a->leaves[i]);
    }
    free(a->leaves);
    a->leaves = NULL;
    a->leave_count = 0;
    for (uint32_t i = 0; i < a->order_count; i++) {
        free(a->orders[i]);
    }
    free(a->orders);
    a->orders = NULL;
    a->order_count = 0;
}

/* Only what is closed may leave: ended, and its message waits for nothing. */
static void apply_leave(struct auditor *a, const struct audited_step *step)
{
    for (uint32_t i = 0; i < step->ask.leave->count; i++) {
        struct audited_payment *p = &a->payments[step->ask.leave->numbers[i] - 1];
        bool waits = false;
        for (uint32_t m = 0; m < a->message_count; m++) {
            waits = waits ||
                    (a->messages[m].payment == p->number && a->messages[m].state == OUTBOX_WAITING);
        }
        EXPECT(p->outcome != STK_OPEN && !waits,
               "payment %llu left memory, but it is open or its message waits (A4)",
               (unsigned long long)p->number);
        EXPECT(step->now_ns - p->accepted_ns >= rules(a)->fingerprint_ns,
               "payment %llu left memory, but its fingerprint still counts (R1.4)",
               (unsigned long long)p->number);
        p->left = true;
    }
}

/* Takes one decision, for the first time or again. */
static void take_step(struct auditor *a, const struct audited_step *step)
{
    a->position++;
    a->settings_now = step->settings;
    switch (step->ask.kind) {
    case ASK_SEED: apply_seed(a); break;
    case ASK_PUSH: apply_push(a, &step->ask, step->now_ns); break;
    case ASK_APPROVE:
    case ASK_CANCEL: apply_answer(a, &step->ask, step->now_ns); break;
    case ASK_OPEN_PHONE: give_wallet(a, step->ask.phone); break;
    case ASK_CHANGE: apply_change(a, &step->ask); break;
    case ASK_OPEN_SHOP: give_shop(a, step->ask.shop); break;
    case ASK_FUND: apply_fund(a, &step->ask); break;
    case ASK_REPORT: apply_report(a, &step->ask, step->next_try_ns); break;
    case ASK_REVIVE: apply_revive(a, &step->ask, step->now_ns); break;
    case ASK_INTERNAL: apply_internal(a, step->now_ns); break;
    case ASK_BANK_OPEN:
        bank_open(&a->bank, a->account_count++, step->ask.flags, step->ask.currency);
        break;
    case ASK_BANK: apply_bank(a, step); break;
    case ASK_LEAVE: apply_leave(a, step); break;
    case ASK_CHECKPOINT:
    case ASK_NOTHING: break;
    }
}

void auditor_apply(struct auditor *a, const struct ask *ask, int64_t now_ns)
{
    if (a->position == a->steps_capacity) {
        a->steps_capacity = a->steps_capacity == 0 ? 1024 : a->steps_capacity * 2;
        a->steps = realloc(a->steps, a->steps_capacity * sizeof(a->steps[0]));
        CHECK(a->steps != NULL);
    }
    struct audited_step *step = &a->steps[a->position];
    step->ask = *ask;
    step->now_ns = now_ns;
    step->next_try_ns = 0;
    step->settings = a->settings_now;
    if (ask->bank != NULL) {
        step->ask.bank = keep_order(a, ask->bank);
    }
    if (ask->leave != NULL) {
        step->ask.leave = keep_leave(a, ask->leave);
    }
    take_step(a, step);
}

void auditor_internal(struct auditor *a, int64_t now_ns)
{
    struct ask ask = {.kind = ASK_INTERNAL};
    auditor_apply(a, &ask, now_ns);
}

bool auditor_due(struct auditor *a, int64_t now_ns)
{
    return next_work(a, now_ns) != NULL || bank_overdue(&a->bank, now_ns) != NULL;
}

void auditor_retry_at(struct auditor *a, uint64_t message, int64_t now_ns, int64_t next_try_ns,
                      int64_t retry_after_ms)
{
    struct audited_message *m = &a->messages[message - 1];
    if (m->state != OUTBOX_WAITING) {
        return;
    }
    int64_t longest_ns = a->schedule->delay_ns[m->tries];
    int64_t asked_ns = retry_after_ms > 0 ? retry_after_ms * 1000000 : 0;
    asked_ns = asked_ns < DAY_NS ? asked_ns : 0;
    EXPECT(next_try_ns > now_ns && next_try_ns >= now_ns + asked_ns &&
               next_try_ns <= now_ns + (asked_ns > longest_ns ? asked_ns : longest_ns),
           "message %llu is tried again after %lld ns, outside of what its schedule allows",
           (unsigned long long)message, (long long)(next_try_ns - now_ns));
    m->next_try_ns = next_try_ns;
    a->steps[a->position - 1].next_try_ns = next_try_ns;
}

/* ---- a crash ---- */

static void forget_everything(struct auditor *a)
{
    a->position = 0;
    a->generation = 0;
    a->pushes = 0;
    a->phone_count = 0;
    a->shop_count = 0;
    a->payment_count = 0;
    a->message_count = 0;
    a->pipeline_count = 0;
    a->key_count = 0;
    a->receipt_day = 0;
    a->receipt_next = 0;
    a->issued_minor = 0;
    a->account_count = 0;
    bank_clear(&a->bank);
    a->touched_payment_count = 0;
    a->touched_message_count = 0;
}

void auditor_recovered(struct auditor *a, uint64_t position)
{
    uint64_t before = a->position;
    uint32_t settings = a->settings_now;
    EXPECT(position <= before, "recovery found position %llu, but only %llu decisions were taken",
           (unsigned long long)position, (unsigned long long)before);
    EXPECT(position >= a->promised,
           "recovery found position %llu, but %llu was promised to somebody (A2)",
           (unsigned long long)position, (unsigned long long)a->promised);
    EXPECT(position >= a->confirmed,
           "recovery found position %llu, but the disk had confirmed %llu (A2)",
           (unsigned long long)position, (unsigned long long)a->confirmed);
    if (position < before) {
        forget_everything(a);
        for (uint64_t i = 0; i < position; i++) {
            take_step(a, &a->steps[i]);
        }
    }
    CHECK(a->position == position);
    a->touched_payment_count = 0;
    a->touched_message_count = 0;
    for (uint32_t i = 0; i < a->message_count; i++) {
        a->messages[i].in_flight = false;
    }
    a->confirmed = position;
    a->promised = position; /* whoever asks from now on is told about it */
    a->settings_now = settings;
}

void auditor_init(struct auditor *a, const struct cast *cast,
                  const struct outbox_schedule *schedule)
{
    drop_orders(a);
    forget_everything(a);
    a->cast = cast;
    a->schedule = schedule;
    a->settings_now = 0;
    a->confirmed = 0;
    a->promised = 0;
    a->told_count = 0;
}

void auditor_free(struct auditor *a)
{
    drop_orders(a);
    free(a->steps);
    a->steps = NULL;
    a->steps_capacity = 0;
}
