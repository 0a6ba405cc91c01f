/*
 * test_operator_random.c - random commands against the operator, with a naive model beside it
 * that keeps lists and predicts every answer, outcome, balance, receipt and callback (R1.1 to R1.5,
 * R3.3, R3.5, R3.8, R6.4). At random points the journal is replayed, saved and loaded; now and then
 * the story goes on with the loaded book, or is reset to a new generation. limit: 180
 *
 *   HAKIKA_SEED=17 script/test unit/test_operator_random      one story again
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/caltime.h"
#include "support/random.h"
#include "support/world.h"

enum {
    SEEDS = 200,
    STEPS = 500,
    PHONES = 20,
    SEEDED = 3, /* of the phones */
    ORGANISATIONS = 4,
    PAYMENTS_MAX = STEPS,
    KEYS = 6,
};

struct phone {
    uint64_t msisdn;
    bool wallet, suspended, reachable, approves;
    uint32_t pin;
    uint32_t failures;
    int64_t balance_minor;
};

struct intent {
    uint32_t phone;
    uint32_t short_code, party_b;
    uint8_t type;
    int64_t amount_minor;
    uint32_t reference;
    int64_t accepted_ns, expires_ns, ended_ns;
    enum stk_state state;
    enum stk_outcome outcome;
    char answer; /* 'n'one, 'a'pprove, 'c'ancel */
    uint32_t pin;
    bool reached;
    uint64_t receipt;
    uint64_t item; /* callback: its number, 0 while open */
};

/* A callback, as the receiver's side sees it. */
struct parcel {
    uint32_t tries;
    enum outbox_state state;
    bool flying;
};

struct model {
    struct test_random r;
    struct world w;
    bool dev;
    struct phone phones[PHONES];
    int64_t utility_minor[ORGANISATIONS];
    struct intent intents[PAYMENTS_MAX]; /* number 1 is at 0 */
    uint32_t count;
    uint32_t line[PAYMENTS_MAX * 2]; /* the pipeline: who waits, in order */
    uint32_t line_head, line_tail;
    struct parcel parcels[PAYMENTS_MAX + 1]; /* by number */
    uint64_t parcel_count;
    int64_t key_amount_minor[KEYS]; /* 0: key not used */
    const char *doing;
    uint32_t outcomes[STK_INTERNAL + 1]; /* over all seeds */
    uint32_t refusals[OPERATOR_REPEATED + 1];
};

static const uint32_t codes[ORGANISATIONS] = {WORLD_PAYBILL, WORLD_OTHER_PAYBILL, WORLD_BULK,
                                              WORLD_TILL};

/* The story under way: whatever stops the program says how to repeat it. */
static const struct model *told;

static void tell(const char *what)
{
    if (told != NULL) {
        print_error("%s\nin step %llu (%s) of seed %llu; again: HAKIKA_SEED=%llu script/test "
                    "unit/test_operator_random\n",
                    what, (unsigned long long)told->r.step, told->doing,
                    (unsigned long long)told->r.seed, (unsigned long long)told->r.seed);
    }
}

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    tell("a CHECK is false");
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

/* ---- the model's own rules ---- */

static void model_reset(struct model *m)
{
    static const uint64_t seeded[SEEDED] = {WORLD_ANNA, WORLD_BEN, WORLD_ROBOT};
    memset(m->phones, 0, sizeof(m->phones));
    for (uint32_t i = 0; i < PHONES; i++) {
        struct phone *p = &m->phones[i];
        p->msisdn = i < SEEDED ? seeded[i] : (uint64_t)254790000000 + i;
        p->wallet = i < SEEDED;
        p->balance_minor = p->wallet ? WORLD_MONEY : 0;
        p->reachable = true;
        p->approves = seeded[2] == p->msisdn;
        p->pin = WORLD_PIN;
    }
    for (uint32_t i = 0; i < ORGANISATIONS; i++) {
        m->utility_minor[i] = WORLD_MONEY * 10;
    }
    m->count = 0;
    m->line_head = 0;
    m->line_tail = 0;
    m->parcel_count = 0;
    memset(m->key_amount_minor, 0, sizeof(m->key_amount_minor));
}

static uint32_t kenyan_day(int64_t now_ns)
{
    return (uint32_t)((now_ns / NS_PER_S + 3 * 3600) / 86400);
}

static uint32_t place_of(uint32_t short_code)
{
    uint32_t i = 0;
    while (i < ORGANISATIONS && codes[i] != short_code) {
        i++;
    }
    return i;
}

static bool ended(const struct intent *n)
{
    return n->state == STK_SUCCESS || n->state == STK_FAILED || n->state == STK_STATE_CANCELLED;
}

/* What the phone paid today, added up from the list. */
static int64_t spent_today(const struct model *m, uint32_t phone)
{
    int64_t sum_minor = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct intent *n = &m->intents[i];
        bool today = kenyan_day(n->ended_ns) == kenyan_day(m->w.now_ns);
        if (n->phone == phone && n->state == STK_SUCCESS && today) {
            sum_minor += n->amount_minor;
        }
    }
    return sum_minor;
}

static uint32_t paid_today(const struct model *m)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct intent *n = &m->intents[i];
        count += n->state == STK_SUCCESS && kenyan_day(n->ended_ns) == kenyan_day(m->w.now_ns);
    }
    return count;
}

static void model_end(struct model *m, struct intent *n, enum stk_outcome outcome)
{
    static const char states[] = ".SFCFFFFFFFFFFF"; /* of outcomes 1, 2, 3, ... */
    m->outcomes[outcome]++;
    if (outcome == STK_PAID) {
        n->receipt = (uint64_t)360 * 60466176 + paid_today(m);
        m->phones[n->phone].balance_minor -= n->amount_minor;
        m->utility_minor[place_of(n->party_b)] += n->amount_minor;
    }
    char state = states[outcome];
    n->state = state == 'S' ? STK_SUCCESS : state == 'C' ? STK_STATE_CANCELLED : STK_FAILED;
    n->outcome = outcome;
    n->ended_ns = m->w.now_ns;
    n->item = ++m->parcel_count;
    m->parcels[n->item] = (struct parcel){0, OUTBOX_WAITING, false};
}

static enum stk_outcome model_objection(const struct model *m, const struct intent *n, bool funds)
{
    const struct phone *p = &m->phones[n->phone];
    if (!p->wallet) {
        return STK_PAYER_UNKNOWN;
    }
    if (p->suspended) {
        return STK_PAYER_SUSPENDED;
    }
    if (place_of(n->party_b) == ORGANISATIONS) {
        return STK_PAYEE_UNKNOWN;
    }
    bool till = n->party_b == WORLD_TILL;
    if (n->party_b == WORLD_BULK || till != (n->type == 2)) {
        return STK_PRODUCT;
    }
    if (funds && p->balance_minor < n->amount_minor) {
        return STK_NO_MONEY;
    }
    if (funds && spent_today(m, n->phone) + n->amount_minor > (int64_t)500000 * 100) {
        return STK_DAY_LIMIT;
    }
    return STK_PAID;
}

static void model_pin(struct model *m, struct intent *n, uint32_t pin)
{
    struct phone *p = &m->phones[n->phone];
    if (!p->wallet) {
        model_end(m, n, STK_PAYER_UNKNOWN);
    } else if (p->failures >= 3) {
        model_end(m, n, STK_PIN_LOCKED);
    } else if (pin != p->pin) {
        p->failures++;
        model_end(m, n, STK_WRONG_PIN);
    } else {
        p->failures = 0;
        model_end(m, n, model_objection(m, n, true));
    }
}

/* The head of the pipeline. */
static void model_advance(struct model *m, uint32_t index)
{
    struct intent *n = &m->intents[index];
    const struct phone *p = &m->phones[n->phone];
    if (n->state == STK_PENDING) {
        enum stk_outcome objection = model_objection(m, n, m->dev);
        if (objection != STK_PAID) {
            model_end(m, n, objection);
            return;
        }
        n->state = STK_PROCESSING;
        n->reached = p->reachable;
        n->expires_ns = m->w.now_ns + (p->reachable ? 60 : 4) * NS_PER_S;
        if (!p->reachable) {
            n->answer = 'n';
        } else if (n->answer == 'n' && p->approves) {
            n->answer = '!';
        }
        if (n->answer != 'n') {
            m->line[m->line_tail++] = index;
        }
        return;
    }
    switch (n->answer) {
    case 'a': model_pin(m, n, n->pin); break;
    case 'c': model_end(m, n, STK_CANCELLED); break;
    default: model_end(m, n, model_objection(m, n, true)); break;
    }
}

/* Everything internal that is due: first the pipeline, then the prompts by their deadlines. */
static void model_run(struct model *m)
{
    while (m->line_head < m->line_tail) {
        model_advance(m, m->line[m->line_head++]);
    }
    m->line_head = 0;
    m->line_tail = 0;
    for (;;) {
        struct intent *first = NULL;
        for (uint32_t i = 0; i < m->count; i++) {
            struct intent *n = &m->intents[i];
            bool due = n->state == STK_PROCESSING && n->expires_ns <= m->w.now_ns;
            if (due && (first == NULL || n->expires_ns < first->expires_ns)) {
                first = n;
            }
        }
        if (first == NULL) {
            return;
        }
        model_end(m, first, first->reached ? STK_NO_ANSWER : STK_UNREACHABLE);
    }
}

static enum operator_refusal model_push(struct model *m, const struct intent *asked,
                                        uint64_t *number)
{
    if (place_of(asked->short_code) == ORGANISATIONS) {
        return OPERATOR_MERCHANT_UNKNOWN;
    }
    for (uint32_t i = m->count; m->dev && i > 0; i--) { /* R1.4 */
        const struct intent *n = &m->intents[i - 1];
        bool same = n->phone == asked->phone && n->short_code == asked->short_code &&
                    n->amount_minor == asked->amount_minor && n->reference == asked->reference;
        bool holds = n->state != STK_FAILED && n->state != STK_STATE_CANCELLED;
        if (same && holds && m->w.now_ns - n->accepted_ns < 60 * NS_PER_S) {
            *number = i;
            return OPERATOR_DUPLICATE;
        }
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->intents[i].phone == asked->phone && !ended(&m->intents[i])) {
            *number = i + 1;
            return OPERATOR_SUBSCRIBER_LOCKED;
        }
    }
    struct intent *n = &m->intents[m->count];
    *n = *asked;
    n->accepted_ns = m->w.now_ns;
    n->state = STK_PENDING;
    n->outcome = STK_OPEN;
    n->answer = 'n';
    n->item = 0;
    m->line[m->line_tail++] = m->count++;
    *number = m->count;
    return OPERATOR_DONE;
}

static enum operator_refusal model_answer(struct model *m, uint64_t number, char answer,
                                          uint32_t pin)
{
    if (number == 0 || number > m->count) {
        return OPERATOR_NOT_FOUND;
    }
    struct intent *n = &m->intents[number - 1];
    if (ended(n)) {
        return OPERATOR_ALREADY_ENDED;
    }
    if (n->answer != 'n') {
        return OPERATOR_ALREADY_ANSWERED;
    }
    if (n->state == STK_PENDING) {
        n->answer = answer;
        n->pin = pin;
        return OPERATOR_DONE;
    }
    if (!n->reached) {
        return OPERATOR_NOT_FOUND;
    }
    if (m->w.now_ns >= n->expires_ns) {
        return OPERATOR_ALREADY_ENDED;
    }
    if (answer == 'c') {
        model_end(m, n, STK_CANCELLED);
    } else {
        model_pin(m, n, pin);
    }
    return OPERATOR_DONE;
}

/* ---- the same for the book ---- */

static void agree_refusal(struct model *m, enum operator_refusal got,
                          enum operator_refusal expected)
{
    AGREE(got == expected);
    m->refusals[got]++;
}

static void story_push(struct model *m)
{
    static const char *const references[] = {"A", "B", "C"};
    struct test_random *r = &m->r;
    struct intent asked = {.phone = random_percent(r, 20) ? 0 : random_below(r, PHONES)};
    asked.short_code = random_percent(r, 3) ? 4711 : codes[random_below(r, ORGANISATIONS)];
    asked.party_b =
        random_percent(r, 90) ? asked.short_code : codes[random_below(r, ORGANISATIONS)];
    asked.party_b = random_percent(r, 2) ? 4712 : asked.party_b;
    bool till = asked.party_b == WORLD_TILL;
    asked.type = random_percent(r, 90) == till ? 2 : 1;
    asked.amount_minor = (1 + (int64_t)random_below(r, 3)) * 1000;
    if (random_percent(r, asked.phone == 0 ? 60 : 20)) {
        asked.amount_minor = (int64_t)random_below(r, 250000) * 100 + 100;
    }
    asked.reference = random_below(r, 3);
    struct world_order order = {.msisdn = m->phones[asked.phone].msisdn,
                                .short_code = asked.short_code,
                                .party_b = asked.party_b,
                                .type = asked.type,
                                .amount_minor = asked.amount_minor,
                                .reference = references[asked.reference],
                                .target = 1 + random_below(r, 3)};
    struct operator_reply reply = world_order(&m->w, &order);
    uint64_t number = 0;
    agree_refusal(m, reply.refusal, model_push(m, &asked, &number));
    AGREE(reply.refusal == OPERATOR_MERCHANT_UNKNOWN || reply.number == number);
}

/* Mostly a payment that is open; sometimes any, sometimes none. */
static uint64_t draw_number(struct model *m)
{
    struct test_random *r = &m->r;
    uint32_t open[PHONES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        if (!ended(&m->intents[i])) {
            AGREE(count < PHONES);
            open[count++] = i + 1;
        }
    }
    if (count > 0 && random_percent(r, 90)) {
        return open[random_below(r, count)];
    }
    return random_below(r, m->count + 2);
}

static void story_answer(struct model *m)
{
    uint64_t number = draw_number(m);
    bool cancels = random_percent(&m->r, 20);
    uint32_t pin = WORLD_PIN;
    if (number > 0 && number <= m->count) {
        uint32_t phone = m->intents[number - 1].phone;
        bool clumsy = phone % 2 == 1;
        pin = m->phones[phone].pin + random_percent(&m->r, clumsy ? 85 : 15);
    }
    enum operator_refusal got =
        cancels ? world_cancel(&m->w, number) : world_approve(&m->w, number, pin);
    agree_refusal(m, got, model_answer(m, number, cancels ? 'c' : 'a', pin));
}

static void story_change(struct model *m)
{
    struct test_random *r = &m->r;
    struct phone *p = &m->phones[random_below(r, PHONES)];
    struct subscriber_change_command c = {.msisdn = p->msisdn};
    bool reachable = random_percent(r, 70);
    bool suspended = random_percent(r, 30);
    uint32_t pin = random_percent(r, 50) ? WORLD_PIN : 4321;
    c.fields = 1u << random_below(r, 5);
    c.reachable = reachable;
    c.status = suspended ? SUBSCRIBER_SUSPENDED : SUBSCRIBER_ACTIVE;
    world_verifier(p->msisdn, pin, c.verifier);
    c.adjust_minor = ((int64_t)random_below(r, 400000) - 150000) * 100;
    enum operator_refusal expected = OPERATOR_DONE;
    if (!p->wallet) {
        expected = OPERATOR_NOT_FOUND;
    } else if (c.fields == CHANGE_BALANCE && p->balance_minor + c.adjust_minor < 0) {
        expected = OPERATOR_NO_MONEY;
    }
    agree_refusal(m, world_change(&m->w, &c), expected);
    if (expected == OPERATOR_DONE) {
        p->reachable = c.fields == CHANGE_REACHABLE ? reachable : p->reachable;
        p->suspended = c.fields == CHANGE_STATUS ? suspended : p->suspended;
        p->pin = c.fields == CHANGE_PIN ? pin : p->pin;
        p->failures = c.fields == CHANGE_PIN ? 0 : p->failures;
        p->balance_minor += c.fields == CHANGE_BALANCE ? c.adjust_minor : 0;
    }
}

static void story_open(struct model *m)
{
    struct phone *p = &m->phones[random_below(&m->r, PHONES)];
    struct subscriber_command c = {.msisdn = p->msisdn, .name = span_from("Somebody")};
    c.balance_minor = (int64_t)random_below(&m->r, 1000) * 100;
    world_verifier(p->msisdn, WORLD_PIN, c.verifier);
    struct operator_reply reply;
    (void)world_do(&m->w, COMMAND_SUBSCRIBER_OPEN, &c, &reply);
    agree_refusal(m, reply.refusal, p->wallet ? OPERATOR_EXISTS : OPERATOR_DONE);
    if (!p->wallet) {
        p->wallet = true;
        p->balance_minor = c.balance_minor;
    }
}

static void story_fund(struct model *m)
{
    uint32_t key = random_below(&m->r, KEYS);
    struct fund_command c = {.short_code = WORLD_PAYBILL, .has_key = true};
    c.key[15] = (uint8_t)key; /* all keys agree in their first half */
    c.amount_minor = 100 + random_below(&m->r, 2);
    c.request[0] = (uint8_t)c.amount_minor;
    struct operator_reply reply;
    (void)world_do(&m->w, COMMAND_ORGANISATION_FUND, &c, &reply);
    int64_t before_minor = m->key_amount_minor[key];
    if (before_minor == 0) {
        agree_refusal(m, reply.refusal, OPERATOR_DONE);
        m->key_amount_minor[key] = c.amount_minor;
        m->utility_minor[0] += c.amount_minor;
        return;
    }
    agree_refusal(m, reply.refusal,
                  before_minor == c.amount_minor ? OPERATOR_REPEATED : OPERATOR_KEY_REUSED);
}

/* ---- callbacks ---- */

static void story_take(struct model *m)
{
    uint64_t number = world_take(&m->w);
    if (number != 0) {
        AGREE(number <= m->parcel_count);
        AGREE(m->parcels[number].state == OUTBOX_WAITING);
        AGREE(!m->parcels[number].flying);
        m->parcels[number].flying = true;
    }
}

static void story_report(struct model *m)
{
    struct test_random *r = &m->r;
    uint64_t number = random_below(r, (uint32_t)m->parcel_count + 2);
    for (uint32_t tries = 0; tries < 8 && number <= m->parcel_count; tries++) {
        if (m->parcels[number].flying) {
            break;
        }
        number = 1 + random_below(r, (uint32_t)m->parcel_count + 1);
    }
    static const uint16_t statuses[] = {200, 204, 302, 404, 500, 503};
    uint8_t error = random_percent(r, 30) ? (uint8_t)(1 + random_below(r, 9)) : 0;
    uint16_t status = error != 0 ? 0 : statuses[random_below(r, 6)];
    bool known = number > 0 && number <= m->parcel_count && m->parcels[number].flying;
    AGREE(world_report(&m->w, number, status, error) == (known ? BOOK_DONE : BOOK_NOTHING));
    if (known) {
        struct parcel *p = &m->parcels[number];
        p->flying = false;
        p->tries++;
        bool fine = error == 0 && status < 300;
        p->state = fine ? OUTBOX_DELIVERED : p->tries >= 3 ? OUTBOX_DEAD : OUTBOX_WAITING;
    }
}

static void story_revive(struct model *m)
{
    uint64_t number = random_below(&m->r, (uint32_t)m->parcel_count + 2);
    struct delivery_revive_command c = {number};
    enum book_outcome outcome;
    (void)world_do(&m->w, COMMAND_DELIVERY_REVIVE, &c, &outcome);
    if (number == 0 || number > m->parcel_count) {
        AGREE(outcome == BOOK_NOT_FOUND);
        return;
    }
    struct parcel *p = &m->parcels[number];
    AGREE(outcome == (p->flying ? BOOK_NOTHING : BOOK_DONE));
    if (!p->flying) {
        p->state = OUTBOX_WAITING;
        p->tries = 0;
    }
}

/* ---- time, restarts ---- */

static void story_time(struct model *m)
{
    struct test_random *r = &m->r;
    int64_t due_ns = book_next_due(m->w.book);
    switch (random_below(r, 6)) {
    case 0: m->w.now_ns += 1 + random_below(r, 1000000); break;
    case 1: m->w.now_ns += (int64_t)random_below(r, 10) * NS_PER_S; break;
    case 2: m->w.now_ns += 60 * NS_PER_S - 1 + random_below(r, 3); break;
    case 3: m->w.now_ns += (int64_t)random_below(r, 10) * 3600 * NS_PER_S; break;
    default: /* exactly when something is due, or a moment before */
        if (due_ns != INT64_MAX && due_ns > m->w.now_ns + 1) {
            m->w.now_ns = due_ns - random_below(r, 2);
        }
    }
}

static void story_restart(struct model *m)
{
    world_restart(&m->w);
    m->w.book->schedule.tries = 3;
    for (uint64_t i = 1; i <= m->parcel_count; i++) {
        m->parcels[i].flying = false; /* sent again by the new process */
    }
}

static void story_reset(struct model *m)
{
    AGREE(world_seed(&m->w) == OPERATOR_DONE);
    model_reset(m);
}

/* ---- comparing ---- */

static void compare_phones(const struct model *m)
{
    const struct operator_state *o = world_operator(&m->w);
    for (uint32_t i = 0; i < PHONES; i++) {
        const struct phone *p = &m->phones[i];
        const struct subscriber *s = operator_subscriber(o, p->msisdn);
        if (s == NULL) {
            AGREE(!p->wallet);
            continue;
        }
        AGREE((s->status != SUBSCRIBER_UNREGISTERED) == p->wallet);
        AGREE(s->pin_failures == p->failures);
        AGREE(!p->wallet || operator_balance(o, s->account) == p->balance_minor);
        int64_t left_minor = (int64_t)500000 * 100 - spent_today(m, i);
        AGREE(operator_day_allowance(o, s, m->w.now_ns) == left_minor);
    }
    for (uint32_t i = 0; i < ORGANISATIONS; i++) {
        AGREE(world_utility(&m->w, codes[i]) == m->utility_minor[i]);
    }
}

static void compare_intents(const struct model *m)
{
    const struct operator_state *o = world_operator(&m->w);
    AGREE(o->last_payment == m->count);
    AGREE(m->w.book->outbox.last_number == m->parcel_count); /* one callback each, no more */
    for (uint32_t i = 0; i < m->count; i++) {
        const struct intent *n = &m->intents[i];
        const struct stk_payment *p = operator_payment(o, i + 1);
        AGREE(p != NULL);
        AGREE(p->state == (uint8_t)n->state);
        AGREE(p->outcome == (uint8_t)n->outcome);
        AGREE(p->amount_minor == n->amount_minor);
        AGREE(p->delivery == n->item);
        AGREE(n->state != STK_SUCCESS || p->receipt == n->receipt);
        AGREE(n->state != STK_SUCCESS || p->receipt_day == kenyan_day(n->ended_ns));
        if (n->item != 0) {
            const struct outbox_item *item = outbox_item(&m->w.book->outbox, n->item);
            AGREE(item != NULL);
            AGREE(item->subject == i + 1);
            AGREE(item->state == (uint8_t)m->parcels[n->item].state);
            AGREE(item->tries == m->parcels[n->item].tries);
        }
    }
}

/* ---- stories ---- */

struct move {
    uint32_t percent;
    const char *name;
    void (*play)(struct model *m);
};

static const struct move moves[] = {
    {28, "push", story_push},    {26, "answer", story_answer}, {6, "change", story_change},
    {3, "open", story_open},     {3, "fund", story_fund},      {9, "take", story_take},
    {9, "report", story_report}, {2, "revive", story_revive},  {14, "time", story_time},
};

static void story_step(struct model *m)
{
    uint32_t dice = random_below(&m->r, 100);
    uint32_t i = 0;
    while (dice >= moves[i].percent) {
        dice -= moves[i].percent;
        i++;
    }
    m->doing = moves[i].name;
    moves[i].play(m);
    if (random_percent(&m->r, 70)) {
        m->doing = "run";
        (void)world_run(&m->w);
        model_run(m);
    }
    uint32_t rare = random_below(&m->r, 1000);
    if (rare < 8) {
        m->doing = "restart";
        story_restart(m);
    } else if (rare < 11) {
        m->doing = "reset";
        story_reset(m);
    } else if (rare < 16) {
        m->doing = "prove";
        world_prove(&m->w);
    }
}

static void tell_story(struct model *m, uint64_t seed)
{
    m->r = random_from(seed);
    m->dev = seed % 2 == 0;
    m->doing = "start";
    told = m;
    world_start(&m->w, m->dev);
    m->w.quick = seed % 25 != 0;
    m->w.book->schedule.tries = 3;
    model_reset(m);
    AGREE(world_adjust(&m->w, WORLD_ANNA, WORLD_MONEY * 30) == OPERATOR_DONE); /* to meet limits */
    m->phones[0].balance_minor += WORLD_MONEY * 30;
    for (m->r.step = 0; m->r.step < STEPS; m->r.step++) {
        story_step(m);
        m->doing = "compare";
        compare_phones(m);
        if (m->r.step % 20 == 0) {
            compare_intents(m);
            book_check(m->w.book);
        }
    }
    m->doing = "the end";
    (void)world_run(&m->w);
    model_run(m);
    m->w.now_ns += 60 * NS_PER_S;
    (void)world_run(&m->w);
    model_run(m);
    AGREE(world_operator(&m->w)->open == 0); /* every payment comes to an end */
    compare_phones(m);
    compare_intents(m);
    world_end(&m->w);
    told = NULL;
}

static void test_stories(void **state)
{
    (void)state;
    struct model *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    uint64_t only = 0;
    const char *asked = getenv("HAKIKA_SEED");
    if (asked != NULL) {
        assert_true(span_parse_u64(span_from(asked), &only));
    }
    for (uint64_t seed = asked != NULL ? only : 1; seed <= (asked != NULL ? only : SEEDS); seed++) {
        tell_story(m, seed);
    }
    /* The stories have been everywhere; the ledger's own refusal needs 2^63 cents. */
    for (uint32_t i = STK_PAID; i < STK_INTERNAL && asked == NULL; i++) {
        if (m->outcomes[i] == 0 && i != STK_PAYEE_INACTIVE) {
            fail_msg("no story ended with: %s", stk_outcome_words(i));
        }
    }
    for (uint32_t i = 0; i <= OPERATOR_REPEATED && asked == NULL; i++) {
        if (m->refusals[i] == 0 && i != OPERATOR_LIMIT) {
            fail_msg("no story met refusal %u", i);
        }
    }
    free(m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_stories)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
