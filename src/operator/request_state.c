/*
 * request_state.c - requests as state: events into it, canonical bytes both directions, invariants
 * Q1 to Q6 of request.h.
 */
#include <string.h>

#include "base/caltime.h"
#include "operator/internal.h"

/* ---- apply ---- */

uint32_t operator__request_slot(const struct operator_state *o, uint64_t number)
{
    uint32_t slot = map_get(&o->requests_by_number, number);
    CHECK(slot != MAP_NONE);
    return slot;
}

static void request_queue_append(struct operator_state *o, uint32_t slot)
{
    struct operator_request *r = request_at(o, slot);
    CHECK(!r->queued);
    r->queued = true;
    r->next = SLAB_NONE;
    if (o->requests_tail == SLAB_NONE) {
        o->requests_head = slot;
    } else {
        request_at(o, o->requests_tail)->next = slot;
    }
    o->requests_tail = slot;
    o->requests_queued++;
}

static void request_queue_pop(struct operator_state *o, uint32_t slot)
{
    CHECK(o->requests_queued > 0 && o->requests_head == slot);
    struct operator_request *r = request_at(o, slot);
    o->requests_head = r->next;
    if (o->requests_head == SLAB_NONE) {
        o->requests_tail = SLAB_NONE;
    }
    r->queued = false;
    r->next = SLAB_NONE;
    o->requests_queued--;
}

static void request_step_taken(struct operator_request *r, enum request_step which,
                               const struct frame_info *frame)
{
    CHECK(r->step_position[which] == 0);
    r->step_ns[which] = frame->time_ns;
    r->step_position[which] = frame->position;
}

/* The texts come first and make the slot; what follows in the same frame fills it: the phone number
 * that it is with, if it is with one, and REQUEST_ACCEPTED. */
static void apply_request_texts(struct operator_state *o, const struct operator_event *e)
{
    struct texts *texts = &o->book->texts;
    CHECK(e->number == o->last_request + 1);
    uint32_t slot = slab_take(&o->requests);
    struct operator_request *r = request_at(o, slot);
    r->number = e->number;
    r->conversation = texts_keep(texts, e->conversation);
    r->result_url = texts_keep(texts, e->url);
    r->timeout_url = texts_keep(texts, e->timeout_url);
    r->reference = texts_keep(texts, e->reference);
    r->remarks = texts_keep(texts, e->remarks);
    r->occasion = texts_keep(texts, e->occasion);
    r->phone = SLAB_NONE;
    r->order = SLAB_NONE;
    r->timer = TIMERS_NOWHERE;
    r->next = SLAB_NONE;
    map_put(&o->requests_by_number, e->number, slot);
    o->last_request = e->number;
}

static void apply_request_accepted(struct operator_state *o, const struct operator_event *e,
                                   const struct frame_info *frame)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    char made[ID_TEXT_SIZE];
    CHECK(r->state == 0);
    r->state = STK_PENDING;
    r->kind = e->request_kind;
    r->command = e->command;
    r->short_code = e->short_code;
    if (e->kind == EVENT_REQUEST_ACCEPTED_1 || e->party_type != PARTY_MSISDN) {
        r->party = e->party;
    }
    r->party_type = e->party_type;
    r->amount_minor = e->amount_minor;
    r->original = e->original;
    r->target = e->target;
    r->timeout_target = e->timeout_target;
    r->initiator_good = e->initiator_good;
    request_step_taken(r, REQUEST_ACCEPTED, frame);
    map_put(&o->by_conversation,
            operator__conversation_key(r->short_code, request_originator_id(o, r, made)), slot);
    o->requests_open++;
    request_queue_append(o, slot);
    operator__touch_request(o, slot);
}

static void request_move_to(struct operator_state *o, struct operator_request *r, uint32_t slot,
                            enum stk_state state)
{
    CHECK(request_may_move(r->state, state));
    if (r->queued) {
        request_queue_pop(o, slot);
    }
    if (r->timer != TIMERS_NOWHERE) {
        timers_remove(&o->request_deadlines, r->timer);
    }
    r->held = false;
    r->state = (uint8_t)state;
    operator__touch_request(o, slot);
}

/* Out of the pipeline until a time. */
static void apply_held(struct operator_state *o, const struct operator_event *e)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    CHECK(r->state == STK_PENDING && !r->held);
    request_queue_pop(o, slot);
    r->held = true;
    r->due_ns = e->expires_ns;
    r->turn_ns = e->turn_ns;
    timers_add(&o->request_deadlines, r->due_ns, slot);
    operator__touch_request(o, slot);
}

static void apply_queued(struct operator_state *o, const struct operator_event *e)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    CHECK(r->state == STK_PENDING && r->held);
    timers_remove(&o->request_deadlines, r->timer);
    r->held = false;
    request_queue_append(o, slot);
    operator__touch_request(o, slot);
}

static void apply_timed_out(struct operator_state *o, const struct operator_event *e)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    CHECK(r->late == 0);
    r->late = outbox_next_number(&o->book->outbox, 1); /* next, in the same frame */
    operator__touch_request(o, slot);
}

static void apply_request_ruled(struct operator_state *o, const struct operator_event *e)
{
    struct operator_request *r = request_at(o, operator__request_slot(o, e->number));
    CHECK(r->state == STK_PENDING && r->ruled == TEXT_NONE);
    r->ruled = texts_keep(&o->book->texts, e->orders);
}

static void apply_message_ruled(struct operator_state *o, const struct operator_event *e)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    CHECK(r->state == STK_PENDING && r->message_ruled == TEXT_NONE);
    r->message_ruled = texts_keep(&o->book->texts, e->orders);
    operator__touch_request(o, slot);
}

static void apply_looked_up(struct operator_state *o, const struct operator_event *e)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    CHECK(!stk_state_final(r->state));
    r->original = e->original;
    r->seen = e->seen;
    uint32_t payment = map_get(&o->by_number, e->original >> 1);
    if (e->original != 0 && e->original == request_original_payment(e->original >> 1)) {
        CHECK(payment != MAP_NONE);
        payment_at(o, payment)->kept = true;
    }
    operator__touch_request(o, slot);
}

static void apply_request_prompted(struct operator_state *o, const struct operator_event *e,
                                   const struct frame_info *frame)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    struct subscriber *s = subscriber_at(o, e->slot);
    CHECK(s->open_payment == SLAB_NONE && s->open_request == SLAB_NONE); /* O4, Q7 */
    request_move_to(o, r, slot, STK_PROCESSING);
    r->phone = e->slot;
    r->reached = e->reachable;
    r->due_ns = e->expires_ns;
    s->open_request = slot;
    request_step_taken(r, REQUEST_ASKED, frame);
    timers_add(&o->request_deadlines, operator__request_due(o, r), slot);
}

/* Q8: the original and its reversal name each other. */
static void apply_reversal(struct operator_state *o, const struct operator_request *r)
{
    uint64_t number = r->original >> 1;
    if (r->original == request_original_payment(number)) {
        uint32_t slot = map_get(&o->by_number, number);
        CHECK(slot != MAP_NONE);
        CHECK(payment_at(o, slot)->reversal == 0);
        payment_at(o, slot)->reversal = r->number;
        operator__touch(o, slot);
        return;
    }
    uint32_t slot = operator__request_slot(o, number);
    CHECK(request_at(o, slot)->reversal == 0);
    request_at(o, slot)->reversal = r->number;
    operator__touch_request(o, slot);
}

static void apply_request_asked(struct operator_state *o, const struct operator_event *e,
                                const struct frame_info *frame)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    request_move_to(o, r, slot, STK_PROCESSING);
    r->due_ns = e->expires_ns;
    r->question = e->has_message ? outbox_next_number(&o->book->outbox, 1) : 0;
    timers_add(&o->request_deadlines, r->due_ns, slot);
    request_step_taken(r, REQUEST_ASKED, frame);
}

static void apply_request_ended(struct operator_state *o, const struct operator_event *e,
                                const struct frame_info *frame)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    CHECK(o->requests_open > 0);
    request_move_to(o, r, slot, request_outcome_state(e->outcome));
    r->outcome = e->outcome;
    request_step_taken(r, REQUEST_ENDED, frame);
    o->requests_open--;
    o->requests_ended[e->outcome]++;
    if (operator__request_results(o, r, e->outcome) > 0) {
        r->delivery = outbox_next_number(&o->book->outbox, 1); /* next, in the same frame */
    }
    if (e->has_receipt) {
        if (r->receipt_day == 0) { /* none was reserved */
            o->receipt_day = e->receipt_day;
            o->receipt_next = e->receipt + 1;
        }
        r->has_receipt = true;
        r->receipt_day = e->receipt_day;
        r->receipt = e->receipt;
        r->charge_minor = e->charge_minor;
        o->requests_paid++;
        map_put(&o->requests_by_receipt, operator__receipt_key(e->receipt_day, e->receipt), slot);
        if (request_reverses(r->kind)) {
            apply_reversal(o, r);
        }
    }
    if (r->phone != SLAB_NONE) {
        CHECK(subscriber_at(o, r->phone)->open_request == slot);
        subscriber_at(o, r->phone)->open_request = SLAB_NONE;
    }
    const struct organisation *g = operator_organisation(o, r->short_code);
    for (uint32_t i = 0; g != NULL && i < ORGANISATION_ACCOUNTS; i++) {
        r->after_minor[i] = operator_balance(o, g->accounts[i]);
    }
    if (r->order != SLAB_NONE) {
        operator__apply_standing_end(o, r);
    }
    if (e->has_receipt && request_is_income(r->kind)) {
        struct subscriber *s = subscriber_at(o, map_get(&o->by_msisdn, r->party));
        operator__apply_spent(o, s, r->amount_minor, frame->time_ns);
    }
    if (e->has_receipt && request_is_income(r->kind) && r->kind != REQUEST_PAYSTACK) {
        operator__apply_request_income(o, r);
    }
}

/* What was initialized has its phone: its turn comes now. */
void operator__apply_paystack_phone(struct operator_state *o, const struct operator_event *e)
{
    uint32_t slot = operator__request_slot(o, e->number);
    struct operator_request *r = request_at(o, slot);
    CHECK(r->kind == REQUEST_PAYSTACK && r->state == STK_PENDING && r->party == 0);
    r->party = e->msisdn;
    r->party_type = PARTY_MSISDN;
    if (r->held) {
        timers_remove(&o->request_deadlines, r->timer);
        r->held = false;
        r->turn_ns = 0;
        request_queue_append(o, slot);
    }
    operator__touch_request(o, slot);
}

void operator__apply_request(struct operator_state *o, const struct operator_event *e,
                             const struct frame_info *frame)
{
    switch (e->kind) {
    case EVENT_REQUEST_TEXTS_KEPT: apply_request_texts(o, e); break;
    case EVENT_REQUEST_PARTY_KEPT:
        request_at(o, operator__request_slot(o, e->number))->party = e->party;
        break;
    case EVENT_REQUEST_ACCEPTED_1:
    case EVENT_REQUEST_ACCEPTED: apply_request_accepted(o, e, frame); break;
    case EVENT_REQUEST_ASKED: apply_request_asked(o, e, frame); break;
    case EVENT_REQUEST_ENDED: apply_request_ended(o, e, frame); break;
    case EVENT_REQUEST_LOOKED_UP: apply_looked_up(o, e); break;
    case EVENT_REQUEST_AMOUNT_SET:
        request_at(o, operator__request_slot(o, e->number))->amount_minor = e->amount_minor;
        break;
    case EVENT_REQUEST_PROMPTED: apply_request_prompted(o, e, frame); break;
    case EVENT_REQUEST_HELD: apply_held(o, e); break;
    case EVENT_REQUEST_QUEUED: apply_queued(o, e); break;
    case EVENT_REQUEST_TIMED_OUT: apply_timed_out(o, e); break;
    case EVENT_REQUEST_RULED: apply_request_ruled(o, e); break;
    case EVENT_REQUEST_MESSAGE_RULED: apply_message_ruled(o, e); break;
    default: UNREACHABLE("unknown event of a request");
    }
}

/* ---- bytes ---- */

static void save_request(struct writer *w, const struct operator_request *r)
{
    const uint64_t wide[] = {r->number,  r->party,    r->original, r->target, r->timeout_target,
                             r->receipt, r->delivery, r->question, r->late,   r->reversal};
    const int64_t money[] = {r->amount_minor, r->charge_minor, r->due_ns, r->turn_ns};
    const uint32_t narrow[] = {r->short_code,   r->conversation, r->result_url, r->timeout_url,
                               r->reference,    r->remarks,      r->occasion,   r->answer,
                               r->receipt_day,  r->phone,        r->order,      r->ruled,
                               r->message_ruled};
    const uint8_t small[] = {r->kind, r->command,        r->state,       r->outcome, r->party_type,
                             r->seen, r->initiator_good, r->has_receipt, r->reached, r->held};
    for (uint32_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        put_u64(w, wide[i]);
    }
    for (uint32_t i = 0; i < sizeof(money) / sizeof(money[0]); i++) {
        put_i64(w, money[i]);
    }
    for (uint32_t i = 0; i < REQUEST_STEPS; i++) {
        put_i64(w, r->step_ns[i]);
        put_u64(w, r->step_position[i]);
    }
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        put_i64(w, r->after_minor[i]);
    }
    for (uint32_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
        put_u32(w, narrow[i]);
    }
    put_raw(w, small, sizeof(small));
}

static void load_request(struct reader *in, struct operator_request *r)
{
    uint64_t *const wide[] = {&r->number,         &r->party,   &r->original, &r->target,
                              &r->timeout_target, &r->receipt, &r->delivery, &r->question,
                              &r->late,           &r->reversal};
    int64_t *const money[] = {&r->amount_minor, &r->charge_minor, &r->due_ns, &r->turn_ns};
    uint32_t *const narrow[] = {&r->short_code,   &r->conversation, &r->result_url, &r->timeout_url,
                                &r->reference,    &r->remarks,      &r->occasion,   &r->answer,
                                &r->receipt_day,  &r->phone,        &r->order,      &r->ruled,
                                &r->message_ruled};
    uint8_t *const small[] = {&r->kind,    &r->command,    &r->state,
                              &r->outcome, &r->party_type, &r->seen};
    for (uint32_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        *wide[i] = get_u64(in);
    }
    for (uint32_t i = 0; i < sizeof(money) / sizeof(money[0]); i++) {
        *money[i] = get_i64(in);
    }
    for (uint32_t i = 0; i < REQUEST_STEPS; i++) {
        r->step_ns[i] = get_i64(in);
        r->step_position[i] = get_u64(in);
    }
    for (uint32_t i = 0; i < ORGANISATION_ACCOUNTS; i++) {
        r->after_minor[i] = get_i64(in);
    }
    for (uint32_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
        *narrow[i] = get_u32(in);
    }
    for (uint32_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        *small[i] = get_u8(in);
    }
    r->initiator_good = get_u8(in) != 0;
    r->has_receipt = get_u8(in) != 0;
    r->reached = get_u8(in) != 0;
    r->held = get_u8(in) != 0;
    r->timer = TIMERS_NOWHERE;
    r->next = SLAB_NONE;
}

void operator__save_requests(const struct operator_state *o, struct writer *w)
{
    put_u64(w, o->last_request);
    put_u64(w, o->requests_paid);
    for (uint32_t i = 0; i < REQUEST_OUTCOME_END; i++) {
        put_u64(w, o->requests_ended[i]);
    }
    slab_shape_save(&o->requests, w);
    for (uint32_t i = slab_next(&o->requests, 0); i != SLAB_NONE;
         i = slab_next(&o->requests, i + 1)) {
        save_request(w, request_at(o, i));
    }
    put_u32(w, o->requests_queued);
    for (uint32_t i = o->requests_head; i != SLAB_NONE; i = request_at(o, i)->next) {
        put_u32(w, i);
    }
}

/* What a request must be for the tables; whether it keeps the invariants, the check says. */
static bool request_plausible(const struct operator_state *o, const struct operator_request *r)
{
    return r->number <= o->last_request && r->kind > 0 && r->kind < REQUEST_KIND_END &&
           r->state >= STK_PENDING && r->state <= STK_STATE_CANCELLED &&
           r->outcome < REQUEST_OUTCOME_END && r->amount_minor >= 0 &&
           r->receipt < ID_RECEIPT_SERIAL_END && r->seen <= STK_STATE_CANCELLED &&
           (r->phone == SLAB_NONE || slab_is_used(&o->subscribers, r->phone)) &&
           (r->conversation == TEXT_NONE || texts_known(&o->book->texts, r->conversation)) &&
           (!r->held || r->state == STK_PENDING) && operator__order_plausible(o, r->ruled) &&
           operator__order_plausible(o, r->message_ruled) &&
           caltime_in_range(r->step_ns[REQUEST_ACCEPTED]);
}

static bool index_request(struct operator_state *o, uint32_t slot)
{
    struct operator_request *r = request_at(o, slot);
    char made[ID_TEXT_SIZE];
    if (!request_plausible(o, r) || map_get(&o->requests_by_number, r->number) != MAP_NONE) {
        return false;
    }
    map_put(&o->requests_by_number, r->number, slot);
    uint64_t key = operator__conversation_key(r->short_code, request_originator_id(o, r, made));
    uint64_t receipt_key = operator__receipt_key(r->receipt_day, r->receipt);
    if (map_get(&o->by_conversation, key) != MAP_NONE ||
        (r->has_receipt && map_get(&o->requests_by_receipt, receipt_key) != MAP_NONE)) {
        return false;
    }
    map_put(&o->by_conversation, key, slot);
    if (r->has_receipt) {
        map_put(&o->requests_by_receipt, receipt_key, slot);
    }
    if (r->state == STK_PROCESSING || r->held) {
        timers_add(&o->request_deadlines, operator__request_due(o, r), slot);
    }
    o->requests_open += !stk_state_final(r->state);
    return true;
}

bool operator__load_requests(struct operator_state *o, struct reader *r)
{
    o->last_request = get_u64(r);
    o->requests_paid = get_u64(r);
    for (uint32_t i = 0; i < REQUEST_OUTCOME_END; i++) {
        o->requests_ended[i] = get_u64(r);
    }
    if (!slab_shape_load(&o->requests, r)) {
        return false;
    }
    uint32_t count = o->requests.used;
    if (!map_reserve(&o->requests_by_number, count) || !map_reserve(&o->by_conversation, count) ||
        !map_reserve(&o->requests_by_receipt, count) ||
        !timers_reserve(&o->request_deadlines, count)) {
        return false;
    }
    for (uint32_t i = slab_next(&o->requests, 0); i != SLAB_NONE;
         i = slab_next(&o->requests, i + 1)) {
        load_request(r, request_at(o, i));
        if (r->bad || !index_request(o, i)) {
            return false;
        }
    }
    uint32_t queued = get_u32(r);
    for (uint32_t i = 0; i < queued && !r->bad; i++) {
        uint32_t slot = get_u32(r);
        if (!slab_is_used(&o->requests, slot) || request_at(o, slot)->queued) {
            return false;
        }
        request_queue_append(o, slot);
    }
    return !r->bad;
}

/* ---- invariants ---- */

/* Q2: money moved exactly for a success with a receipt. */
static void check_request_money(const struct operator_state *o, const struct operator_request *r)
{
    const struct entry *e = ledger_entry(&o->book->ledger, request_transfer_id(r->number, 0));
    CHECK((e != NULL) == r->has_receipt);
    CHECK(IMPLIES(r->has_receipt, r->state == STK_SUCCESS));
    if (e != NULL) {
        CHECK(e->state == ENTRY_POSTED && e->reference == r->number);
        uint64_t key = operator__receipt_key(r->receipt_day, r->receipt);
        CHECK(request_at(o, map_get(&o->requests_by_receipt, key)) == r);
    }
}

/* What the time-out URL was told of a request that waited too long. */
static void check_late(const struct operator_state *o, const struct operator_request *r)
{
    if (r->late != 0) {
        const struct outbox_item *item = outbox_item(&o->book->outbox, r->late);
        CHECK(item != NULL);
        CHECK(item->subject == r->number && (item->kind & ~MESSAGE_RULED) == MESSAGE_TIMEOUT);
        CHECK(IMPLIES(item->kind != MESSAGE_TIMEOUT, r->message_ruled != TEXT_NONE));
    }
}

/* Q3: as many results as there must be, each about this request. */
static void check_results(const struct operator_state *o, const struct operator_request *r)
{
    bool final = stk_state_final(r->state);
    uint32_t count = final ? operator__request_results(o, r, r->outcome) : 0;
    CHECK((r->delivery != 0) == (count > 0));
    for (uint32_t i = 0; i < count; i++) {
        const struct outbox_item *item = outbox_item(&o->book->outbox, r->delivery + i);
        CHECK(item != NULL);
        CHECK(item->subject == r->number && (item->kind & ~MESSAGE_RULED) == MESSAGE_RESULT);
        CHECK(IMPLIES(item->kind != MESSAGE_RESULT, r->ruled != TEXT_NONE));
    }
}

/* Q7 and Q8: whoever names another is named by it. */
static void check_others(const struct operator_state *o, const struct operator_request *r,
                         uint32_t slot)
{
    if (r->phone != SLAB_NONE) {
        bool has_prompt = subscriber_at(o, r->phone)->open_request == slot;
        CHECK(has_prompt == (r->state == STK_PROCESSING));
    }
    if (request_reverses(r->kind) && r->has_receipt) {
        const struct stk_payment *p = request_original_stk(o, r);
        const struct operator_request *original = request_original(o, r);
        CHECK((p != NULL) != (original != NULL));
        CHECK(r->number == (p != NULL ? p->reversal : original->reversal));
        CHECK(p == NULL || p->state == STK_SUCCESS);
        CHECK(original == NULL || original->state == STK_SUCCESS);
    }
    if (r->reversal != 0) {
        const struct operator_request *reversal = operator_request(o, r->reversal);
        CHECK(reversal != NULL);
        CHECK(request_reverses(reversal->kind) && reversal->has_receipt);
        CHECK(reversal->original == request_original_request(r->number));
    }
}

static void check_request(const struct operator_state *o, uint32_t slot)
{
    const struct operator_request *r = request_at(o, slot);
    bool final = stk_state_final(r->state);
    char made[ID_TEXT_SIZE];
    CHECK(r->state >= STK_PENDING && r->state <= STK_STATE_CANCELLED);
    CHECK(final == (r->outcome != REQUEST_OPEN));
    CHECK(IMPLIES(final, request_outcome_state(r->outcome) == (enum stk_state)r->state));
    CHECK(final == (r->step_position[REQUEST_ENDED] != 0));
    CHECK(map_get(&o->requests_by_number, r->number) == slot);
    check_request_money(o, r);
    check_results(o, r);
    CHECK((r->timer != TIMERS_NOWHERE) == (r->state == STK_PROCESSING || r->held)); /* Q4 */
    if (r->timer != TIMERS_NOWHERE) {
        CHECK(o->request_deadlines.entries[r->timer].id == slot);
        CHECK(o->request_deadlines.entries[r->timer].due_ns == operator__request_due(o, r));
    }
    CHECK(r->queued == (r->state == STK_PENDING && !r->held)); /* Q5 */
    CHECK(IMPLIES(r->held, r->state == STK_PENDING));
    check_late(o, r);
    check_others(o, r, slot);
    if (r->order != SLAB_NONE) {
        operator__check_standing(o, r->order);
    }
    uint64_t key = operator__conversation_key(r->short_code, request_originator_id(o, r, made));
    CHECK(map_get(&o->by_conversation, key) == slot); /* Q6 */
}

void operator__check_requests_touched(struct operator_state *o)
{
    for (uint32_t i = 0; i < o->requests_touched_count; i++) {
        check_request(o, o->requests_touched[i]);
    }
    o->requests_touched_count = 0;
}

void operator__check_requests(const struct operator_state *o)
{
    uint32_t open = 0;
    uint32_t queued = 0;
    uint32_t timed = 0;
    for (uint32_t i = slab_next(&o->requests, 0); i != SLAB_NONE;
         i = slab_next(&o->requests, i + 1)) {
        const struct operator_request *r = request_at(o, i);
        check_request(o, i);
        open += !stk_state_final(r->state);
        queued += r->queued;
        timed += r->state == STK_PROCESSING || r->held;
    }
    CHECK(open == o->requests_open && queued == o->requests_queued);
    CHECK(timed == o->request_deadlines.count);
    CHECK(o->last_request == o->requests.used); /* numbers have no gaps */
    CHECK(map_count(&o->requests_by_number) == o->requests.used);
    CHECK(map_count(&o->by_conversation) == o->requests.used);
    CHECK(map_count(&o->requests_by_receipt) == o->requests_paid);
    uint32_t waiting = 0;
    for (uint32_t i = o->requests_head; i != SLAB_NONE; waiting++) {
        CHECK(waiting < o->requests_queued);
        i = request_at(o, i)->next;
    }
    CHECK(waiting == o->requests_queued);
    map_check(&o->requests_by_number);
    map_check(&o->by_conversation);
    map_check(&o->requests_by_receipt);
    slab_check(&o->requests);
    timers_check(&o->request_deadlines);
}
