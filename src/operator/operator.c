/*
 * operator.c - the network's tables, keys and reads, and the dispatch of commands to products.
 * See operator.h for the invariants O1 to O8. Tests: tests/unit/test_operator*.c.
 */
#include "operator/operator.h"

#include <stdlib.h>
#include <string.h>

#include "base/caltime.h"
#include "base/hash.h"
#include "operator/internal.h"

struct operator_settings operator_settings_default(bool dev)
{
    struct operator_settings s = {
        .prompt_ns = 60 * NS_PER_S,
        .unreachable_ns = 4 * NS_PER_S,
        .fingerprint_ns = dev ? 60 * NS_PER_S : 0,
        .payment_max_minor = (int64_t)250000 * 100,
        .day_max_minor = (int64_t)500000 * 100,
        .wallet_max_minor = (int64_t)500000 * 100,
        .pin_failures_max = 3,
        .funds_checked_early = dev,
        .fingerprint_released_on_failure = true,
        .queue_timeout_ns = 30 * NS_PER_S,
        .receipt_shard = 360, /* "A0" */
    };
    return s;
}

const char *stk_state_name(enum stk_state state)
{
    static const char *const names[] = {NULL,      "PENDING", "PROCESSING",
                                        "SUCCESS", "FAILED",  "CANCELLED"};
    CHECK(state >= STK_PENDING && state <= STK_STATE_CANCELLED);
    return names[state];
}

bool stk_state_final(enum stk_state state)
{
    return state >= STK_SUCCESS;
}

bool stk_state_may_move(enum stk_state from, enum stk_state to)
{
    /* Legal moves as bits of the states they lead to; final states lead nowhere (R1.1). */
    static const uint8_t moves[] = {
        [STK_PENDING] = 1 << STK_PROCESSING | 1 << STK_FAILED,
        [STK_PROCESSING] = 1 << STK_SUCCESS | 1 << STK_FAILED | 1 << STK_STATE_CANCELLED,
        [STK_SUCCESS] = 0,
        [STK_FAILED] = 0,
        [STK_STATE_CANCELLED] = 0,
    };
    CHECK(from >= STK_PENDING && from <= STK_STATE_CANCELLED);
    return (moves[from] >> to & 1) != 0;
}

const char *stk_outcome_code(enum stk_outcome outcome)
{
    switch (outcome) {
#define X(name, number, state, code, words) \
    case STK_##name: return code;
        STK_OUTCOMES(X)
#undef X
    case STK_OPEN: break;
    }
    UNREACHABLE("an open payment has no result code");
}

const char *stk_outcome_words(enum stk_outcome outcome)
{
    switch (outcome) {
#define X(name, number, state, code, words) \
    case STK_##name: return words;
        STK_OUTCOMES(X)
#undef X
    case STK_OPEN: return "not decided yet";
    }
    UNREACHABLE("unknown outcome");
}

enum stk_state stk_outcome_state(enum stk_outcome outcome)
{
    enum { STATE_SUCCESS = STK_SUCCESS, STATE_FAILED = STK_FAILED };
    enum { STATE_CANCELLED = STK_STATE_CANCELLED };
    switch (outcome) {
#define X(name, number, state, code, words) \
    case STK_##name: return (enum stk_state)STATE_##state;
        STK_OUTCOMES(X)
#undef X
    case STK_OPEN: break;
    }
    UNREACHABLE("an open payment has no final state");
}

uint64_t operator__checkout_key(int64_t second_ns, uint32_t serial, uint32_t tail)
{
    uint64_t second = (uint64_t)(second_ns / NS_PER_S);
    return hash_mix(second << 32 | tail, (uint64_t)serial ^ 0x9e3779b97f4a7c15u) ^ second;
}

uint64_t operator__receipt_key(uint32_t day, uint64_t serial)
{
    CHECK(serial < ID_RECEIPT_SERIAL_END); /* fits 37 bits, so the key is exact */
    return (uint64_t)day << 37 | serial;
}

void operator__next_receipt(const struct operator_state *o, int64_t now_ns, uint32_t *day_out,
                            uint64_t *serial_out)
{
    *day_out = eat_day_number(now_ns);
    bool first = *day_out != o->receipt_day || o->receipt_next == 0;
    *serial_out = first ? (uint64_t)o->settings->receipt_shard * 60466176 /* 36 to the 5th */
                        : o->receipt_next;
    CHECK(*serial_out < ID_RECEIPT_SERIAL_END);
}

uint64_t operator__fingerprint_key(const uint8_t fingerprint[16])
{
    uint64_t key;
    memcpy(&key, fingerprint, sizeof(key));
    return key;
}

static void operator_place_timer(void *context, uint64_t id, uint32_t position)
{
    struct operator_state *o = context;
    payment_at(o, prompt_timer_slot(id))->timer = position;
}

static void operator_place_deadline(void *context, uint64_t id, uint32_t position)
{
    struct operator_state *o = context;
    request_at(o, (uint32_t)id)->timer = position;
}

static void operator_place_standing(void *context, uint64_t id, uint32_t position)
{
    struct operator_state *o = context;
    standing_at(o, (uint32_t)id)->timer = position;
}

static void operator_destroy(void *state)
{
    struct operator_state *o = state;
    slab_fini(&o->subscribers);
    slab_fini(&o->organisations);
    slab_fini(&o->payments);
    map_fini(&o->by_msisdn);
    map_fini(&o->by_short_code);
    map_fini(&o->by_number);
    map_fini(&o->by_checkout);
    map_fini(&o->by_receipt);
    map_fini(&o->by_fingerprint);
    timers_fini(&o->prompts);
    slab_fini(&o->requests);
    map_fini(&o->requests_by_number);
    map_fini(&o->requests_by_receipt);
    map_fini(&o->by_conversation);
    timers_fini(&o->request_deadlines);
    slab_fini(&o->incomes);
    map_fini(&o->incomes_by_number);
    map_fini(&o->incomes_by_receipt);
    slab_fini(&o->standing_orders);
    map_fini(&o->standing_names);
    timers_fini(&o->standing_due);
    slab_fini(&o->invoices);
    map_fini(&o->invoice_references);
    map_fini(&o->invoice_accounts);
    map_fini(&o->paystack_keys);
    free(o->rules);
    free(o);
}

static void *operator_create(struct book *book)
{
    CHECK(book->settings != NULL);
    struct operator_state *o = calloc(1, sizeof(*o));
    if (o == NULL) {
        return NULL;
    }
    o->book = book;
    o->settings = book->settings;
    CHECK(o->settings->receipt_shard < 1296);
    slab_init(&o->subscribers, sizeof(struct subscriber), OPERATOR_SUBSCRIBERS_MAX);
    slab_init(&o->organisations, sizeof(struct organisation), OPERATOR_ORGANISATIONS_MAX);
    slab_init(&o->payments, sizeof(struct stk_payment), OPERATOR_PAYMENTS_MAX);
    map_init(&o->by_msisdn, book->hash_seed, MAP_HASHED);
    map_init(&o->by_short_code, book->hash_seed, MAP_HASHED);
    map_init(&o->by_number, book->hash_seed, MAP_SEQUENTIAL);
    map_init(&o->by_checkout, book->hash_seed, MAP_HASHED);
    map_init(&o->by_receipt, book->hash_seed, MAP_SEQUENTIAL);
    map_init(&o->by_fingerprint, book->hash_seed, MAP_HASHED);
    timers_init(&o->prompts, operator_place_timer, o);
    slab_init(&o->requests, sizeof(struct operator_request), OPERATOR_REQUESTS_MAX);
    map_init(&o->requests_by_number, book->hash_seed, MAP_SEQUENTIAL);
    map_init(&o->requests_by_receipt, book->hash_seed, MAP_SEQUENTIAL);
    map_init(&o->by_conversation, book->hash_seed, MAP_HASHED);
    timers_init(&o->request_deadlines, operator_place_deadline, o);
    slab_init(&o->incomes, sizeof(struct income), OPERATOR_INCOMES_MAX);
    map_init(&o->incomes_by_number, book->hash_seed, MAP_SEQUENTIAL);
    map_init(&o->incomes_by_receipt, book->hash_seed, MAP_SEQUENTIAL);
    slab_init(&o->standing_orders, sizeof(struct standing_order), OPERATOR_STANDING_MAX);
    map_init(&o->standing_names, book->hash_seed, MAP_HASHED);
    timers_init(&o->standing_due, operator_place_standing, o);
    slab_init(&o->invoices, sizeof(struct invoice), OPERATOR_INVOICES_MAX);
    map_init(&o->invoice_references, book->hash_seed, MAP_HASHED);
    map_init(&o->invoice_accounts, book->hash_seed, MAP_HASHED);
    map_init(&o->paystack_keys, book->hash_seed, MAP_HASHED);
    o->queue_head = SLAB_NONE;
    o->queue_tail = SLAB_NONE;
    o->requests_head = SLAB_NONE;
    o->requests_tail = SLAB_NONE;
    o->closed_head = SLAB_NONE;
    o->closed_tail = SLAB_NONE;
    o->rules = calloc(1, sizeof(*o->rules));
    if (o->rules == NULL) {
        operator_destroy(o);
        return NULL;
    }
    return o;
}

static void operator_moved(void *state, struct book *book)
{
    struct operator_state *o = state;
    CHECK(o->settings == book->settings);
    o->book = book;
}

static bool operator_reserve(void *state)
{
    struct operator_state *o = state;
    return slab_reserve(&o->subscribers, OPERATOR_SEED_MAX) &&
           slab_reserve(&o->organisations, OPERATOR_SEED_MAX) && slab_reserve(&o->payments, 1) &&
           map_reserve(&o->by_msisdn, OPERATOR_SEED_MAX) &&
           map_reserve(&o->by_short_code, OPERATOR_SEED_MAX) && map_reserve(&o->by_number, 1) &&
           map_reserve(&o->by_checkout, 1) && map_reserve(&o->by_receipt, 1) &&
           map_reserve(&o->by_fingerprint, 1) && timers_reserve(&o->prompts, 1) &&
           slab_reserve(&o->requests, 1) && map_reserve(&o->requests_by_number, 1) &&
           map_reserve(&o->requests_by_receipt, 1) && map_reserve(&o->by_conversation, 1) &&
           timers_reserve(&o->request_deadlines, 1) && slab_reserve(&o->incomes, 1) &&
           map_reserve(&o->incomes_by_number, 1) && map_reserve(&o->incomes_by_receipt, 1) &&
           slab_reserve(&o->standing_orders, 1) && map_reserve(&o->standing_names, 1) &&
           timers_reserve(&o->standing_due, 1) && slab_reserve(&o->invoices, 1) &&
           map_reserve(&o->invoice_references, 1) && map_reserve(&o->invoice_accounts, 1) &&
           map_reserve(&o->paystack_keys, 1);
}

static void operator_decide(const void *state, struct decision *d)
{
    const struct operator_state *o = state;
    switch (d->command->kind) {
    case COMMAND_SEED: operator__decide_seed(o, d); break;
    case COMMAND_SUBSCRIBER_OPEN: operator__decide_subscriber_open(o, d); break;
    case COMMAND_SUBSCRIBER_CHANGE: operator__decide_subscriber_change(o, d); break;
    case COMMAND_ORGANISATION_OPEN: operator__decide_organisation_open(o, d); break;
    case COMMAND_ORGANISATION_FUND: operator__decide_fund(o, d); break;
    case COMMAND_STK_PUSH: operator__decide_push(o, d); break;
    case COMMAND_STK_APPROVE:
    case COMMAND_STK_CANCEL: operator__decide_answer(o, d); break;
    case COMMAND_STK_ADVANCE: operator__decide_advance(o, d); break;
    case COMMAND_STK_EXPIRE: operator__decide_expire(o, d); break;
    case COMMAND_REQUEST: operator__decide_request(o, d); break;
    case COMMAND_REQUEST_ADVANCE: operator__decide_request_advance(o, d); break;
    case COMMAND_REQUEST_EXPIRE: operator__decide_request_expire(o, d); break;
    case COMMAND_REQUEST_APPROVE:
    case COMMAND_REQUEST_CANCEL: operator__decide_request_answer(o, d); break;
    case COMMAND_ORGANISATION_CHANGE: operator__decide_organisation_change(o, d); break;
    case COMMAND_C2B_REGISTER: operator__decide_c2b_register(o, d); break;
    case COMMAND_VALIDATION_SET: operator__decide_validation_set(o, d); break;
    case COMMAND_PULL_REGISTER: operator__decide_pull_register(o, d); break;
    case COMMAND_STANDING_RUN: operator__decide_standing_run(o, d); break;
    case COMMAND_STANDING_CANCEL: operator__decide_standing_cancel(o, d); break;
    case COMMAND_BILLER: operator__decide_biller(o, d); break;
    case COMMAND_INVOICE: operator__decide_invoice(o, d); break;
    case COMMAND_INVOICE_CANCEL: operator__decide_invoice_cancel(o, d); break;
    case COMMAND_ACKNOWLEDGE: operator__decide_acknowledge(o, d); break;
    case COMMAND_PAYSTACK: operator__decide_paystack(o, d); break;
    case COMMAND_PAYSTACK_PHONE: operator__decide_paystack_phone(o, d); break;
    case COMMAND_RULES_SET: operator__decide_rules_set(o, d); break;
    case COMMAND_RULE_CALL: operator__decide_rule_call(o, d); break;
    case COMMAND_RULE_ACT: operator__decide_rule_act(o, d); break;
    default: UNREACHABLE("unknown operator command");
    }
}

static int64_t first_due(const struct timers *t)
{
    const struct timer_entry *first = timers_first(t);
    return first == NULL ? INT64_MAX : first->due_ns;
}

/* The pipeline goes first, so that an answer that is there already is never overtaken by the
 * deadline of its prompt; then whatever is due first. */
static bool operator_work(const void *state, int64_t now_ns, struct book_command *out)
{
    const struct operator_state *o = state;
    const struct timer_entry *first = timers_first(&o->prompts);
    int64_t prompt_ns = first_due(&o->prompts);
    int64_t deadline_ns = first_due(&o->request_deadlines);
    int64_t standing_ns = first_due(&o->standing_due);
    if (o->queued > 0) {
        out->kind = COMMAND_STK_ADVANCE;
    } else if (o->requests_queued > 0) {
        out->kind = COMMAND_REQUEST_ADVANCE;
    } else if (deadline_ns <= now_ns && deadline_ns <= prompt_ns && deadline_ns <= standing_ns) {
        out->kind = COMMAND_REQUEST_EXPIRE;
    } else if (prompt_ns <= now_ns && prompt_ns <= standing_ns) {
        bool over = first->due_ns == payment_at(o, prompt_timer_slot(first->id))->expires_ns;
        out->kind = over ? COMMAND_STK_EXPIRE : COMMAND_RULE_ACT;
    } else if (standing_ns <= now_ns) {
        out->kind = COMMAND_STANDING_RUN;
    } else {
        return false;
    }
    return true;
}

static bool operator_sent_once(const void *state, const struct outbox_item *item,
                               const struct delivery_result_command *c)
{
    (void)c;
    const struct operator_request *r = operator_request(state, item->subject);
    bool is_result = (item->kind & ~MESSAGE_RULED) == MESSAGE_RESULT;
    return is_result && r != NULL && request_result_sent_once(r);
}

static int64_t operator_next_due(const void *state)
{
    const struct operator_state *o = state;
    if (o->queued > 0 || o->requests_queued > 0) {
        return INT64_MIN;
    }
    int64_t prompt_ns = first_due(&o->prompts);
    int64_t deadline_ns = first_due(&o->request_deadlines);
    int64_t standing_ns = first_due(&o->standing_due);
    int64_t earlier_ns = prompt_ns < deadline_ns ? prompt_ns : deadline_ns;
    return earlier_ns < standing_ns ? earlier_ns : standing_ns;
}

/* What depends on an answer is decided in the frame that keeps it. */
static void operator_attempted(const void *state, struct decision *d,
                               const struct outbox_item *item,
                               const struct delivery_result_command *c, uint8_t becomes)
{
    (void)becomes;
    operator__rules_attempted(state, d, item);
    if ((item->kind & ~MESSAGE_RULED) == MESSAGE_VALIDATION) {
        operator__c2b_attempted(state, d, item, c);
    }
}

/* A question is asked once (the customer waits); the balance's result is not repeated, either. */
static const struct outbox_schedule *operator_schedule(const void *state,
                                                       const struct outbox_item *item)
{
    static const struct outbox_schedule once = {.tries = 1};
    static const struct outbox_schedule five_times = {
        /* as bill manager's page says */
        .tries = 5,
        .delay_ns = {0, 60 * NS_PER_S, 300 * NS_PER_S, 900 * NS_PER_S, 3600 * NS_PER_S}};
    const struct operator_state *o = state;
    bool is_result = (item->kind & ~MESSAGE_RULED) == MESSAGE_RESULT;
    const struct operator_request *r = is_result ? operator_request(o, item->subject) : NULL;
    bool is_balance = r != NULL && r->kind == REQUEST_BALANCE;
    bool is_question = (item->kind & ~MESSAGE_RULED) == MESSAGE_VALIDATION;
    if (item->kind == MESSAGE_BILL) {
        return &five_times;
    }
    if (r != NULL && (r->kind == REQUEST_PAYSTACK || r->kind == REQUEST_PAYSTACK_REFUND)) {
        return operator__paystack_schedule(o, r);
    }
    return is_question || is_balance ? &once : NULL;
}

const struct book_domain operator_domain = {
    .name = "operator",
    .event_first = OPERATOR_EVENT_FIRST,
    .event_last = OPERATOR_EVENT_LAST,
    .event_name = operator_event_name,
    .create = operator_create,
    .destroy = operator_destroy,
    .moved = operator_moved,
    .reserve = operator_reserve,
    .decide = operator_decide,
    .apply = operator__apply,
    .sent_once = operator_sent_once,
    .work = operator_work,
    .next_due = operator_next_due,
    .save = operator__save,
    .load = operator__load,
    .check = operator__check,
    .check_touched = operator__check_touched,
    .closings = operator__closings,
    .closing_count = OPERATOR_CLOSINGS,
    .named = operator__named,
    .attempted = operator_attempted,
    .schedule = operator_schedule,
};

void operator__emit(struct decision *d, const struct operator_event *e)
{
    operator_event_encode(decision_begin(d, e->kind), e);
    decision_end(d);
}

/* ---- reads ---- */

const struct operator_state *operator_of(const struct book *b)
{
    CHECK(b->domain == &operator_domain);
    return b->domain_state;
}

const struct subscriber *operator_subscriber_at(const struct operator_state *o, uint32_t slot)
{
    return slab_is_used(&o->subscribers, slot) ? subscriber_at(o, slot) : NULL;
}

const struct subscriber *operator_subscriber(const struct operator_state *o, uint64_t msisdn)
{
    uint32_t slot = map_get(&o->by_msisdn, msisdn);
    return slot == MAP_NONE ? NULL : subscriber_at(o, slot);
}

const struct organisation *operator_organisation(const struct operator_state *o,
                                                 uint32_t short_code)
{
    uint32_t slot = map_get(&o->by_short_code, short_code);
    return slot == MAP_NONE ? NULL : organisation_at(o, slot);
}

const struct stk_payment *operator_payment(const struct operator_state *o, uint64_t number)
{
    uint32_t slot = map_get(&o->by_number, number);
    if (slot == MAP_NONE) {
        return number != 0 && o->guest.number == number ? &o->guest : NULL;
    }
    return payment_at(o, slot);
}

const struct stk_payment *operator_payment_at(const struct operator_state *o, uint32_t slot)
{
    return slab_is_used(&o->payments, slot) ? payment_at(o, slot) : NULL;
}

static const struct stk_payment *guest_by_id(const struct operator_state *o, struct span id)
{
    struct old_name name;
    return operator_id_name(id, &name) ? operator__guest_named(o, &name) : NULL;
}

const struct stk_payment *operator_payment_by_checkout(const struct operator_state *o,
                                                       struct span checkout_request_id)
{
    int64_t second_ns;
    uint32_t serial;
    uint32_t tail;
    if (!id_checkout_parse(checkout_request_id, &second_ns, &serial, &tail)) {
        return NULL;
    }
    uint32_t slot = map_get(&o->by_checkout, operator__checkout_key(second_ns, serial, tail));
    const struct stk_payment *p =
        slot == MAP_NONE ? guest_by_id(o, checkout_request_id) : payment_at(o, slot);
    if (p == NULL) {
        return NULL;
    }
    char text[ID_TEXT_SIZE];
    payment_checkout_id(o, p, text);
    return span_is(checkout_request_id, text) ? p : NULL;
}

const struct stk_payment *operator_payment_by_receipt(const struct operator_state *o,
                                                      struct span receipt)
{
    uint32_t day;
    uint64_t serial;
    if (!id_receipt_parse(receipt, &day, &serial)) {
        return NULL;
    }
    uint32_t slot = map_get(&o->by_receipt, operator__receipt_key(day, serial));
    return slot == MAP_NONE ? guest_by_id(o, receipt) : payment_at(o, slot);
}

struct span operator_text(const struct operator_state *o, uint32_t handle)
{
    return texts_at(&o->book->texts, handle);
}

int64_t operator_balance(const struct operator_state *o, uint32_t account)
{
    const struct account *a = ledger_account(&o->book->ledger, account);
    CHECK(a != NULL);
    return account_balance(a);
}

int64_t operator_day_allowance(const struct operator_state *o, const struct subscriber *s,
                               int64_t now_ns)
{
    int64_t spent_minor = s->day == eat_day_number(now_ns) ? s->day_spent_minor : 0;
    int64_t left_minor = o->settings->day_max_minor - spent_minor;
    return left_minor > 0 ? left_minor : 0;
}

bool payment_ruled(const struct operator_state *o, const struct stk_payment *p, struct ruled *out)
{
    return operator_ruled(o, p->ruled, out);
}

void payment_result_code(const struct operator_state *o, const struct stk_payment *p,
                         char out[RULE_CODE_MAX + 1])
{
    struct ruled ruled;
    const char *code = stk_outcome_code(p->outcome);
    if (p->outcome == STK_RULED && payment_ruled(o, p, &ruled)) {
        code = ruled.effects.outcome_code;
    }
    CHECK(strlen(code) <= RULE_CODE_MAX);
    memcpy(out, code, strlen(code) + 1);
}

uint32_t payment_callbacks(const struct operator_state *o, const struct stk_payment *p)
{
    struct ruled ruled;
    if (!stk_state_final(p->state)) {
        return 0;
    }
    return payment_ruled(o, p, &ruled) ? ruled.effects.times : 1;
}

void payment_checkout_id(const struct operator_state *o, const struct stk_payment *p,
                         char out[ID_TEXT_SIZE])
{
    id_checkout_format(p->step_ns[STEP_ACCEPTED], p->checkout_serial,
                       subscriber_at(o, p->subscriber)->msisdn, out);
}

void payment_merchant_request_id(const struct stk_payment *p, char out[ID_TEXT_SIZE])
{
    id_merchant_request_format((uint64_t)p->step_ns[STEP_ACCEPTED], p->number, out);
}

void payment_receipt(const struct stk_payment *p, char out[ID_RECEIPT_SIZE])
{
    out[0] = '\0';
    if (p->state == STK_SUCCESS) {
        id_receipt_format(p->receipt_day, p->receipt, out);
    }
}

uint64_t payment_transfer_id(uint64_t number, uint32_t leg)
{
    CHECK(leg < 8);
    return (uint64_t)1 << 60 | number << 3 | leg;
}

void operator_check(const struct operator_state *o)
{
    operator__check(o);
}
