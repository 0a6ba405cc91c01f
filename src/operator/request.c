/*
 * request.c - the life of a request: acceptance, its turn in the pipeline, its deadline, its end.
 * What each kind checks and moves is in request_kinds[]; see request.h for the drawing, Q1 to Q6.
 *
 * Every decide function here looks and writes events; none changes state.
 */
#include "operator/request.h"

#include <string.h>

#include "base/caltime.h"
#include "base/hash.h"
#include "operator/internal.h"

/* What is particular to a kind. */
static const struct request_rules {
    /* Its turn has come: ends it, or asks somebody outside (operator__request_ask). */
    void (*advance)(const struct operator_state *o, struct decision *d,
                    const struct operator_request *r);
    /* Its deadline has passed while it was PROCESSING; NULL for kinds that never ask. */
    void (*expire)(const struct operator_state *o, struct decision *d,
                   const struct operator_request *r);
    bool successes_only; /* the result URL hears of nothing else (C2B confirmation) */
    /* The phone that it prompted said yes, with the right PIN; NULL: it prompts nobody. */
    void (*approved)(const struct operator_state *o, struct decision *d,
                     const struct operator_request *r);
    enum request_outcome cancelled; /* the phone that it prompted said no; with approved */
} request_kinds[REQUEST_KIND_END] = {
    [REQUEST_C2B] = {.advance = operator__advance_c2b,
                     .expire = operator__expire_c2b,
                     .successes_only = true},
    [REQUEST_B2C] = {.advance = operator__advance_b2c},
    [REQUEST_POCHI] = {.advance = operator__advance_b2c},
    [REQUEST_B2B] = {.advance = operator__advance_b2b},
    [REQUEST_TAX] = {.advance = operator__advance_b2b},
    [REQUEST_EXPRESS] = {.advance = operator__advance_express,
                         .expire = operator__expire_express,
                         .approved = operator__approved_express,
                         .cancelled = REQUEST_CANCELLED},
    [REQUEST_STANDING_ORDER] = {.advance = operator__advance_standing,
                                .expire = operator__expire_standing,
                                .approved = operator__approved_standing,
                                .cancelled = REQUEST_USER_CANCELLED},
    [REQUEST_STANDING_PAYMENT] = {.advance = operator__advance_standing_payment},
    [REQUEST_STATUS] = {.advance = operator__advance_status},
    [REQUEST_BALANCE] = {.advance = operator__advance_balance},
    [REQUEST_REVERSAL] = {.advance = operator__advance_reversal},
    [REQUEST_SETTLEMENT] = {.advance = operator__advance_settlement},
    [REQUEST_PAYSTACK] = {.advance = operator__advance_paystack,
                          .expire = operator__expire_standing,
                          .successes_only = true,
                          .approved = operator__approved_paystack,
                          .cancelled = REQUEST_USER_CANCELLED},
    [REQUEST_PAYSTACK_REFUND] = {.advance = operator__advance_reversal},
};

bool operator__request_kind_built(enum request_kind kind)
{
    return kind > 0 && kind < REQUEST_KIND_END && request_kinds[kind].advance != NULL;
}

const char *request_kind_name(enum request_kind kind)
{
    static const char *const names[REQUEST_KIND_END] = {
#define X(name, number, text) [number] = (text),
        REQUEST_KINDS(X)
#undef X
    };
    CHECK(kind > 0 && kind < REQUEST_KIND_END);
    return names[kind];
}

struct outcome_row {
    enum stk_state state;
    const char *code;
    const char *words;
};

static const struct outcome_row *outcome_row(enum request_outcome outcome)
{
    enum { STATE_SUCCESS = STK_SUCCESS, STATE_FAILED = STK_FAILED };
    enum { STATE_CANCELLED = STK_STATE_CANCELLED };
    static const struct outcome_row rows[REQUEST_OUTCOME_END] = {
#define X(name, number, state, code, words) \
    [number] = {(enum stk_state)STATE_##state, (code), (words)},
        REQUEST_OUTCOMES(X)
#undef X
    };
    CHECK(outcome > REQUEST_OPEN && outcome < REQUEST_OUTCOME_END);
    return &rows[outcome];
}

const char *request_outcome_code(enum request_outcome outcome)
{
    return outcome_row(outcome)->code;
}

const char *request_outcome_words(enum request_outcome outcome)
{
    return outcome == REQUEST_OPEN ? "not decided yet" : outcome_row(outcome)->words;
}

enum stk_state request_outcome_state(enum request_outcome outcome)
{
    return outcome_row(outcome)->state;
}

bool request_may_move(enum stk_state from, enum stk_state to)
{
    static const uint8_t moves[] = {
        [STK_PENDING] = 1 << STK_PROCESSING | 1 << STK_SUCCESS | 1 << STK_FAILED,
        [STK_PROCESSING] = 1 << STK_SUCCESS | 1 << STK_FAILED | 1 << STK_STATE_CANCELLED,
        [STK_SUCCESS] = 0,
        [STK_FAILED] = 0,
        [STK_STATE_CANCELLED] = 0,
    };
    CHECK(from >= STK_PENDING && from <= STK_STATE_CANCELLED);
    return (moves[from] >> to & 1) != 0;
}

/* ---- ids and reads ---- */

uint64_t request_transfer_id(uint64_t number, uint32_t leg)
{
    CHECK(leg < 8);
    return (uint64_t)3 << 60 | number << 3 | leg;
}

uint64_t operator__conversation_key(uint32_t short_code, struct span conversation)
{
    return hash_bytes(conversation.data, conversation.size, short_code);
}

void request_conversation_id(const struct operator_request *r, char out[ID_TEXT_SIZE])
{
    id_conversation_format(r->step_ns[REQUEST_ACCEPTED], r->number, out);
}

struct span request_originator_id(const struct operator_state *o, const struct operator_request *r,
                                  char made[ID_TEXT_SIZE])
{
    struct span own = operator_text(o, r->conversation);
    if (own.size > 0) {
        return own;
    }
    id_request_format((uint64_t)r->step_ns[REQUEST_ACCEPTED], r->number, made);
    return span_from(made);
}

void request_transaction_id(const struct operator_request *r, char out[ID_RECEIPT_SIZE])
{
    if (r->receipt_day != 0) {
        id_receipt_format(r->receipt_day, r->receipt, out);
        return;
    }
    uint32_t last = r->step_position[REQUEST_ENDED] != 0 ? REQUEST_ENDED : REQUEST_ACCEPTED;
    id_receipt_format(eat_day_number(r->step_ns[last]), 0, out);
}

const struct operator_request *operator_request(const struct operator_state *o, uint64_t number)
{
    uint32_t slot = map_get(&o->requests_by_number, number);
    return slot == MAP_NONE ? NULL : request_at(o, slot);
}

const struct operator_request *operator_request_by_receipt(const struct operator_state *o,
                                                           struct span receipt)
{
    uint32_t day;
    uint64_t serial;
    if (!id_receipt_parse(receipt, &day, &serial)) {
        return NULL;
    }
    uint32_t slot = map_get(&o->requests_by_receipt, operator__receipt_key(day, serial));
    return slot == MAP_NONE ? NULL : request_at(o, slot);
}

const struct operator_request *operator_request_by_conversation(const struct operator_state *o,
                                                                uint32_t short_code,
                                                                struct span conversation)
{
    uint32_t slot =
        map_get(&o->by_conversation, operator__conversation_key(short_code, conversation));
    if (slot == MAP_NONE) {
        return NULL;
    }
    char made[ID_TEXT_SIZE];
    const struct operator_request *r = request_at(o, slot);
    bool same =
        r->short_code == short_code && span_equal(request_originator_id(o, r, made), conversation);
    return same ? r : NULL;
}

const struct stk_payment *request_original_stk(const struct operator_state *o,
                                               const struct operator_request *r)
{
    uint64_t number = r->original >> 1;
    return r->original == request_original_payment(number) ? operator_payment(o, number) : NULL;
}

const struct operator_request *request_original(const struct operator_state *o,
                                                const struct operator_request *r)
{
    uint64_t number = r->original >> 1;
    return r->original == request_original_request(number) ? operator_request(o, number) : NULL;
}

bool request_result_sent_once(const struct operator_request *r)
{
    return r->kind == REQUEST_BALANCE;
}

const struct operator_request *operator_request_prompt(const struct operator_state *o,
                                                       const struct subscriber *s)
{
    const struct operator_request *r =
        s->open_request != SLAB_NONE ? request_at(o, s->open_request) : NULL;
    return r != NULL && r->reached ? r : NULL;
}

/* ---- acceptance ---- */

void operator__emit_accepted(const struct operator_state *o, struct decision *d,
                             const struct request_command *c, bool initiator_good)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.number = o->last_request + 1;
    e.kind = EVENT_REQUEST_TEXTS_KEPT;
    e.conversation = c->conversation;
    e.url = c->result_url;
    e.timeout_url = c->timeout_url;
    e.reference = c->reference;
    e.remarks = c->remarks;
    e.occasion = c->occasion;
    operator__emit(d, &e);
    if (c->party_type == PARTY_MSISDN) { /* personal data has records of its own (R2.8) */
        e.kind = EVENT_REQUEST_PARTY_KEPT;
        e.party = c->party;
        operator__emit(d, &e);
    }
    e.kind = EVENT_REQUEST_ACCEPTED;
    e.request_kind = c->kind;
    e.command = c->command;
    e.short_code = c->short_code;
    e.party = c->party_type == PARTY_MSISDN ? 0 : c->party;
    e.party_type = c->party_type;
    e.amount_minor = c->amount_minor;
    e.original = c->original;
    e.target = c->target;
    e.timeout_target = c->timeout_target;
    e.initiator_good = initiator_good;
    operator__emit(d, &e);
}

/* "4f05-4a9b-8a2c-3d1e0f9a8b7c12" */
static bool is_of_our_form(struct span id)
{
    static const char dashes[] = "    -    -    -            ";
    bool good = id.size > sizeof(dashes) - 1;
    for (size_t i = 0; good && i < sizeof(dashes) - 1; i++) {
        good = (dashes[i] == '-') == (id.data[i] == '-');
    }
    return good;
}

/* An id that the operator may give to a later request itself: with the clock standing still it can
 * be foreseen, and what is accepted under it now would be in the way of that request then. */
static bool is_still_to_come(const struct operator_state *o, struct span id)
{
    uint64_t number;
    return is_of_our_form(id) && operator__counter_of(id, &number) && number > o->last_request;
}

void operator__decide_request(const struct operator_state *o, struct decision *d)
{
    struct request_command filled = *(const struct request_command *)d->command->body;
    const struct request_command *c = &filled;
    struct operator_reply *reply = d->command->reply;
    CHECK(reply != NULL);
    CHECK(operator__request_kind_built(c->kind));
    if (c->kind == REQUEST_C2B) {
        operator__c2b_fill(o, &filled);
    }
    CHECK(c->amount_minor >= 0 && c->amount_minor <= OPERATOR_AMOUNT_MAX);
    CHECK(c->result_url.size <= OPERATOR_URL_MAX && c->timeout_url.size <= OPERATOR_URL_MAX);
    CHECK(c->conversation.size <= OPERATOR_REFERENCE_MAX &&
          c->reference.size <= OPERATOR_REFERENCE_MAX &&
          c->remarks.size <= OPERATOR_REFERENCE_MAX && c->occasion.size <= OPERATOR_REFERENCE_MAX);
    if (c->conversation.size > 0 &&
        map_get(&o->by_conversation, operator__conversation_key(c->short_code, c->conversation)) !=
            MAP_NONE) {
        reply->refusal = OPERATOR_DUPLICATE;
        const struct operator_request *twin =
            operator_request_by_conversation(o, c->short_code, c->conversation);
        reply->number = twin != NULL ? twin->number : 0;
        return;
    }
    if (is_still_to_come(o, c->conversation)) {
        reply->refusal = OPERATOR_DUPLICATE;
        reply->number = 0;
        return;
    }
    const struct organisation *g = operator_organisation(o, c->short_code);
    bool named = g != NULL && span_equal(operator_text(o, g->initiator), c->initiator);
    bool initiator_good = c->without_initiator || (named && c->credential_good);
    operator__emit_accepted(o, d, c, initiator_good);
    if (c->kind == REQUEST_STATUS || request_reverses(c->kind)) {
        /* It stays in memory from now on (closing.h); at its turn it is looked at again. */
        struct original original =
            operator__original_named(o, c->short_code, c->command, c->reference);
        if (original.payment != NULL || original.request != NULL) {
            operator__note_original(d, o->last_request + 1, original);
        }
    }
    if (c->kind == REQUEST_STANDING_ORDER) {
        operator__standing_asked(o, d, c);
    }
    operator__request_rule(o, d, c);
    reply->refusal = OPERATOR_DONE;
    reply->number = o->last_request + 1;
}

/* ---- what the kinds share ---- */

bool operator__request_told(const struct operator_state *o, const struct operator_request *r,
                            enum request_outcome outcome)
{
    bool wanted = outcome == REQUEST_DONE || !request_kinds[r->kind].successes_only;
    return wanted && operator_text(o, r->result_url).size > 0;
}

/* The C2B confirmation (of a C2B request it is the result) and the biller's push, from the nth item
 * of the frame on. */
static void tell_customer_paid(const struct operator_state *o, struct decision *d,
                               const struct operator_request *r, uint64_t nth)
{
    const struct bill_payment paid = {r->short_code, operator_text(o, r->reference),
                                      r->amount_minor};
    if (r->kind == REQUEST_STANDING_PAYMENT) {
        operator__tell_income(o, d, r->short_code, nth);
        nth += operator_organisation(o, r->short_code)->c2b.version != 0;
    }
    operator__bill_paid(o, d, &paid, nth);
}

void operator__request_end(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r, enum request_outcome outcome,
                           const struct request_money *money)
{
    CHECK(request_may_move(r->state, request_outcome_state(outcome)));
    CHECK(IMPLIES(money != NULL, outcome == REQUEST_DONE));
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_REQUEST_ENDED;
    e.number = r->number;
    e.outcome = (uint8_t)outcome;
    if (money != NULL) {
        e.has_receipt = true;
        e.charge_minor = money->charge_minor;
        e.receipt_day = r->receipt_day;
        e.receipt = r->receipt;
        if (r->receipt_day == 0) { /* none was reserved */
            operator__next_receipt(o, d->command->now_ns, &e.receipt_day, &e.receipt);
        }
    }
    operator__emit(d, &e);
    if (operator__request_told(o, r, outcome)) {
        struct ruled ruled;
        const struct rule_message result = {r->number, r->target, MESSAGE_RESULT};
        bool is_ruled = request_ruled(o, r, &ruled);
        operator__rule_messages(o, d, is_ruled ? &ruled.effects : NULL, &result);
    }
    if (money != NULL && (r->kind == REQUEST_STANDING_PAYMENT || r->kind == REQUEST_C2B)) {
        tell_customer_paid(o, d, r, 1 + operator__request_results(o, r, outcome));
    }
}

/* Moves legs[0..count) together, then ends the request; or ends it with what the ledger objects to.
 * The charge is a leg like the others, named so that people can be told. */
void operator__request_pay(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r, const struct request_leg *legs,
                           uint32_t count, int64_t charge_minor)
{
    struct ledger_plan plan;
    enum ledger_result result = LEDGER_OK;
    CHECK(count > 0 && count <= REQUEST_LEGS_MAX);
    ledger_plan_init(&plan, &o->book->ledger);
    for (uint32_t i = 0; i < count && result == LEDGER_OK; i++) {
        struct transfer t;
        memset(&t, 0, sizeof(t));
        t.id = request_transfer_id(r->number, i);
        t.kind = TRANSFER_POST;
        t.code = legs[i].code;
        t.reference = r->number;
        t.amount_minor = legs[i].amount_minor;
        t.debit_account = legs[i].debit;
        t.credit_account = legs[i].credit;
        result = ledger_plan_add(&plan, &t);
    }
    if (result != LEDGER_OK) {
        bool short_of_money = result == LEDGER_EXCEEDS_CREDITS;
        operator__request_end(o, d, r, short_of_money ? REQUEST_NO_MONEY : REQUEST_INTERNAL, NULL);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct ledger_event e;
        ledger_plan_event(&plan, i, &e);
        decision_ledger(d, &e);
    }
    const struct request_money money = {charge_minor};
    operator__request_end(o, d, r, REQUEST_DONE, &money);
}

/* What refuses a request of an organisation whatever its kind; REQUEST_DONE: nothing. */
enum request_outcome operator__request_objection(const struct operator_state *o,
                                                 const struct operator_request *r)
{
    const struct organisation *g = operator_organisation(o, r->short_code);
    if (g == NULL) {
        return REQUEST_PARTY_UNKNOWN;
    }
    if (!r->initiator_good) {
        return REQUEST_INITIATOR;
    }
    return g->active ? REQUEST_DONE : REQUEST_ORGANISATION_INACTIVE;
}

void operator__request_ask(const struct operator_state *o, struct decision *d,
                           const struct operator_request *r, int64_t due_ns,
                           const struct rule_message *question)
{
    struct rule_effects effects;
    struct operator_event e;
    CHECK(r->state == STK_PENDING);
    CHECK(request_kinds[r->kind].expire != NULL);
    operator__message_rule(o, d, r, question->kind, &effects);
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_REQUEST_ASKED;
    e.number = r->number;
    e.expires_ns = due_ns;
    e.has_message = effects.times > 0;
    operator__emit(d, &e);
    operator__rule_messages(o, d, &effects, question);
}

void operator__request_prompt(const struct operator_state *o, struct decision *d,
                              const struct operator_request *r, uint32_t slot)
{
    struct ruled_act act = operator__request_act(o, r);
    struct operator_event e;
    CHECK(r->state == STK_PENDING);
    CHECK(request_kinds[r->kind].expire != NULL && request_kinds[r->kind].approved != NULL);
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_REQUEST_PROMPTED;
    e.number = r->number;
    e.slot = slot;
    e.reachable = subscriber_at(o, slot)->reachable && act.act != RULE_ACT_UNREACHABLE;
    int64_t life_ns = e.reachable ? o->settings->prompt_ns : o->settings->unreachable_ns;
    bool is_life = act.act == RULE_ACT_IGNORE || act.act == RULE_ACT_UNREACHABLE;
    e.expires_ns = d->command->now_ns + (is_life && act.delay_ns > 0 ? act.delay_ns : life_ns);
    operator__emit(d, &e);
}

void operator__request_to_phone(const struct operator_state *o, struct decision *d,
                                const struct operator_request *r, enum request_outcome objection)
{
    uint32_t slot = map_get(&o->by_msisdn, r->party);
    if (objection == REQUEST_DONE) {
        const struct subscriber *s = subscriber_at(o, slot);
        bool busy = s->open_payment != SLAB_NONE || s->open_request != SLAB_NONE;
        objection = busy ? REQUEST_PHONE_BUSY : REQUEST_DONE;
    }
    if (objection != REQUEST_DONE) {
        operator__request_end(o, d, r, objection, NULL);
        return;
    }
    const struct subscriber *s = subscriber_at(o, slot);
    bool ruled = operator__request_act(o, r).act != RULE_ACT_NONE;
    if (s->reachable && s->approves && !ruled) {
        request_kinds[r->kind].approved(o, d, r);
        return;
    }
    operator__request_prompt(o, d, r, slot);
}

enum request_outcome operator__wallet_objection(const struct operator_state *o,
                                                const struct subscriber *s, int64_t amount_minor)
{
    int64_t after_minor;
    if (s == NULL || s->status == SUBSCRIBER_UNREGISTERED) {
        return REQUEST_UNREGISTERED;
    }
    if (s->status == SUBSCRIBER_SUSPENDED) {
        return REQUEST_ACCOUNT_STATUS;
    }
    if (!money_add(operator_balance(o, s->account), amount_minor, &after_minor) ||
        after_minor > o->settings->wallet_max_minor) {
        return REQUEST_MAX_BALANCE;
    }
    return REQUEST_DONE;
}

/* ---- the answer on a phone ---- */

static enum operator_refusal answer_refusal(const struct operator_request *r, int64_t now_ns)
{
    if (r == NULL || request_kinds[r->kind].approved == NULL || r->state == STK_PENDING) {
        return OPERATOR_NOT_FOUND;
    }
    if (stk_state_final(r->state) || now_ns >= r->due_ns) {
        return OPERATOR_ALREADY_ENDED; /* the deadline decides, not who comes first in a turn */
    }
    return r->reached ? OPERATOR_DONE : OPERATOR_NOT_FOUND;
}

void operator__decide_request_answer(const struct operator_state *o, struct decision *d)
{
    const struct stk_answer_command *c = d->command->body;
    struct operator_reply *reply = d->command->reply;
    const struct operator_request *r = operator_request(o, c->number);
    CHECK(reply != NULL);
    reply->number = c->number;
    reply->refusal = answer_refusal(r, d->command->now_ns);
    if (reply->refusal != OPERATOR_DONE) {
        return;
    }
    if (d->command->kind == COMMAND_REQUEST_CANCEL) {
        operator__request_end(o, d, r, request_kinds[r->kind].cancelled, NULL);
        return;
    }
    switch (operator__try_pin(o, d, r->phone, c->verifier)) {
    case PIN_IS_LOCKED: operator__request_end(o, d, r, REQUEST_PIN_LOCKED, NULL); break;
    case PIN_IS_WRONG: operator__request_end(o, d, r, REQUEST_WRONG_PIN, NULL); break;
    case PIN_IS_RIGHT: request_kinds[r->kind].approved(o, d, r); break;
    }
}

/* ---- the pipeline and the deadlines ---- */

static void emit_plain(struct decision *d, const struct operator_request *r, uint16_t kind)
{
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = kind;
    e.number = r->number;
    operator__emit(d, &e);
}

/* Its time-out URL is told, as a rule orders. */
static void tell_late(const struct operator_state *o, struct decision *d,
                      const struct operator_request *r)
{
    const struct rule_message late = {r->number, r->timeout_target, MESSAGE_TIMEOUT};
    struct rule_effects effects;
    operator__message_rule(o, d, r, MESSAGE_TIMEOUT, &effects);
    if (effects.times > 0) {
        emit_plain(d, r, EVENT_REQUEST_TIMED_OUT);
        operator__rule_messages(o, d, &effects, &late);
    }
}

/*
 * Requests with a time-out URL may have to wait (the organisation's queue_delay), and so may any by
 * a scenario rule. One with such a URL that waited
 * too long says so to that URL, once, and still goes on. False: something of the kind was emitted,
 * and it is not its turn yet.
 */
static bool turn_has_come(const struct operator_state *o, struct decision *d,
                          const struct operator_request *r)
{
    int64_t now_ns = d->command->now_ns;
    int64_t late_ns = r->step_ns[REQUEST_ACCEPTED] + o->settings->queue_timeout_ns;
    bool has_late = operator_text(o, r->timeout_url).size > 0;
    bool may_be_late = has_late && !operator__late_decided(r);
    if (may_be_late && now_ns >= late_ns) {
        tell_late(o, d, r);
        return false;
    }
    const struct organisation *g = operator_organisation(o, r->short_code);
    int64_t delay_ns = has_late && g != NULL ? g->queue_delay_ns : 0;
    int64_t ruled_ns = operator__request_ruled_turn(o, r);
    int64_t own_ns = r->step_ns[REQUEST_ACCEPTED] + delay_ns;
    int64_t turn_ns = r->turn_ns != 0 ? r->turn_ns : own_ns > ruled_ns ? own_ns : ruled_ns;
    if (now_ns >= turn_ns) {
        return true;
    }
    struct operator_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_REQUEST_HELD;
    e.number = r->number;
    e.turn_ns = turn_ns;
    e.expires_ns = may_be_late && late_ns < turn_ns ? late_ns : turn_ns;
    operator__emit(d, &e);
    return false;
}

void operator__decide_request_advance(const struct operator_state *o, struct decision *d)
{
    CHECK(o->requests_queued > 0);
    const struct operator_request *r = request_at(o, o->requests_head);
    CHECK(r->queued && r->state == STK_PENDING);
    if (!turn_has_come(o, d, r)) {
        return;
    }
    if (operator__request_fails_by_order(o, r)) {
        operator__request_end(o, d, r, REQUEST_RULED, NULL);
        return;
    }
    request_kinds[r->kind].advance(o, d, r);
}

/* What a rule lets the phone do, in place of a person. */
static void act_by_rule(const struct operator_state *o, struct decision *d,
                        const struct operator_request *r)
{
    struct ruled_act act = operator__request_act(o, r);
    if (act.act == RULE_ACT_CANCEL) {
        operator__request_end(o, d, r, request_kinds[r->kind].cancelled, NULL);
        return;
    }
    switch (operator__count_pin(o, d, r->phone, act.act == RULE_ACT_APPROVE)) {
    case PIN_IS_LOCKED: operator__request_end(o, d, r, REQUEST_PIN_LOCKED, NULL); break;
    case PIN_IS_WRONG: operator__request_end(o, d, r, REQUEST_WRONG_PIN, NULL); break;
    case PIN_IS_RIGHT: request_kinds[r->kind].approved(o, d, r); break;
    }
}

void operator__decide_request_expire(const struct operator_state *o, struct decision *d)
{
    const struct timer_entry *first = timers_first(&o->request_deadlines);
    CHECK(first != NULL && first->due_ns <= d->command->now_ns);
    const struct operator_request *r = request_at(o, (uint32_t)first->id);
    CHECK(operator__request_due(o, r) == first->due_ns);
    if (r->held) {
        emit_plain(d, r, EVENT_REQUEST_QUEUED);
        return;
    }
    CHECK(r->state == STK_PROCESSING);
    if (first->due_ns < r->due_ns) {
        act_by_rule(o, d, r);
        return;
    }
    request_kinds[r->kind].expire(o, d, r);
}
