/*
 * closing.c - the STK payment that has ended and whose callback is delivered or dead: its record,
 * leaving memory, being read as the guest, coming home. See book/closing.h. A payment leaves with
 * all that belongs to it: texts, callback, attempts, ledger entry.
 *
 * The closed ones stand in the order of their ends, but for those that were looked at and could not
 * leave yet: they go to the back. The order is memory only and decides nothing.
 */
#include "base/caltime.h"
#include "base/mutant.h"
#include "operator/internal.h"

enum {
    PAYMENT_RECORD_VERSION = 1, /* of the bytes that record writes: in the journal for ever */
    PAYMENT_RECORD_RULED = 2,   /* the same, and what a scenario rule ordered for it */
    LOOKED_AT = 4,              /* for each that is wanted */
};
/* No push of the same second can get the checkout id of one that left. */
#define CLOSED_AGE_MIN_NS (2 * NS_PER_S)

/* ---- names ---- */

enum {
    CHECKOUT_NAME_BYTES = 8 + 4 + 4, /* second, the phone's last digits, serial */
    RECEIPT_NAME_BYTES = 4 + 8,      /* day, serial */
};

static struct old_name checkout_name(int64_t second_ns, uint32_t serial, uint32_t tail)
{
    struct old_name name = {.space = OLD_SPACE_CHECKOUT};
    old_name_put(&name, (uint64_t)(second_ns / NS_PER_S), 8);
    old_name_put(&name, tail, 4);
    old_name_put(&name, serial, 4);
    return name;
}

static struct old_name receipt_name(uint32_t day, uint64_t serial)
{
    struct old_name name = {.space = OLD_SPACE_RECEIPT};
    old_name_put(&name, day, 4);
    old_name_put(&name, serial, 8);
    return name;
}

struct old_name operator_payment_name(uint64_t number)
{
    return old_name_of(OLD_SPACE_PAYMENT, number);
}

bool operator_id_name(struct span id, struct old_name *out)
{
    int64_t second_ns;
    uint32_t serial;
    uint32_t tail;
    uint32_t day;
    uint64_t receipt;
    if (id_checkout_parse(id, &second_ns, &serial, &tail)) {
        *out = checkout_name(second_ns, serial, tail);
        return true;
    }
    if (id_receipt_parse(id, &day, &receipt)) {
        *out = receipt_name(day, receipt);
        return true;
    }
    return false;
}

static struct old_name checkout_name_of(const struct operator_state *o, const struct stk_payment *p)
{
    uint32_t tail = (uint32_t)(subscriber_at(o, p->subscriber)->msisdn % ID_MSISDN_TAIL_END);
    return checkout_name(p->step_ns[STEP_ACCEPTED], p->checkout_serial, tail);
}

/* Does one of the payment's own names say this? */
static bool payment_is_named(const struct operator_state *o, const struct stk_payment *p,
                             const struct old_name *name)
{
    struct old_name checkout = checkout_name_of(o, p);
    struct old_name receipt = receipt_name(p->receipt_day, p->receipt);
    struct old_name number = operator_payment_name(p->number);
    return old_name_equal(name, &checkout) || old_name_equal(name, &number) ||
           (p->state == STK_SUCCESS && old_name_equal(name, &receipt));
}

static bool holds(const void *state, const struct old_name *name)
{
    const struct operator_state *o = state;
    uint32_t slot = MAP_NONE;
    if (name->space == OLD_SPACE_PAYMENT) {
        slot = map_get(&o->by_number, old_name_number(name));
    } else if (name->space == OLD_SPACE_CHECKOUT && name->size == CHECKOUT_NAME_BYTES) {
        int64_t second_ns = (int64_t)old_name_at(name, 0, 8) * NS_PER_S;
        uint32_t tail = (uint32_t)old_name_at(name, 8, 4);
        uint32_t serial = (uint32_t)old_name_at(name, 12, 4);
        slot = map_get(&o->by_checkout, operator__checkout_key(second_ns, serial, tail));
    } else if (name->space == OLD_SPACE_RECEIPT && name->size == RECEIPT_NAME_BYTES) {
        uint32_t day = (uint32_t)old_name_at(name, 0, 4);
        slot = map_get(&o->by_receipt, operator__receipt_key(day, old_name_at(name, 4, 8)));
    }
    return slot != MAP_NONE && payment_is_named(o, payment_at(o, slot), name);
}

/* What a status query or a reversal is about comes home, and stays (kept). */
static void request_named(const struct request_command *c, struct old_names *out)
{
    struct old_name name;
    uint64_t number;
    if (c->kind != REQUEST_STATUS && c->kind != REQUEST_REVERSAL) {
        return;
    }
    out->home = true; /* it is looked at again when the request is carried out */
    if (operator_id_name(c->reference, &name)) {
        old_names_add(out, &name);
    } else if (operator__counter_of(c->reference, &number)) {
        name = operator_payment_name(number);
        old_names_add(out, &name);
    }
}

void operator__named(const void *state, const struct book_command *command, struct old_names *out)
{
    (void)state;
    if (command->kind == COMMAND_STK_APPROVE || command->kind == COMMAND_STK_CANCEL) {
        const struct stk_answer_command *c = command->body;
        struct old_name name = operator_payment_name(c->number);
        old_names_add(out, &name);
    } else if (command->kind == COMMAND_ORGANISATION_FUND) {
        const struct fund_command *c = command->body;
        struct old_name name = {.space = OLD_SPACE_KEY, .size = sizeof(c->key)};
        memcpy(name.bytes, c->key, sizeof(c->key));
        if (c->has_key) {
            old_names_add(out, &name);
        }
    } else if (command->kind == COMMAND_REQUEST) {
        request_named(command->body, out);
    }
}

/* ---- the order of the closed ones ---- */

void operator__closed_append(struct operator_state *o, uint32_t slot)
{
    struct stk_payment *p = payment_at(o, slot);
    CHECK(stk_state_final(p->state) && !p->queued);
    p->next = SLAB_NONE;
    p->before = o->closed_tail;
    if (o->closed_tail == SLAB_NONE) {
        o->closed_head = slot;
    } else {
        payment_at(o, o->closed_tail)->next = slot;
    }
    o->closed_tail = slot;
    o->closed++;
}

static void closed_remove(struct operator_state *o, uint32_t slot)
{
    struct stk_payment *p = payment_at(o, slot);
    CHECK(o->closed > 0);
    *(p->before == SLAB_NONE ? &o->closed_head : &payment_at(o, p->before)->next) = p->next;
    *(p->next == SLAB_NONE ? &o->closed_tail : &payment_at(o, p->next)->before) = p->before;
    p->next = SLAB_NONE;
    p->before = SLAB_NONE;
    o->closed--;
}

/* A rule may have ordered none or many. */
static bool has_one_callback(const struct operator_state *o, const struct stk_payment *p)
{
    struct ruled ruled;
    return !payment_ruled(o, p, &ruled) || ruled.effects.times == 1;
}

static bool may_leave(const void *state, uint64_t number, const struct closing_terms *terms)
{
    const struct operator_state *o = state;
    uint32_t slot = map_get(&o->by_number, number);
    if (slot == MAP_NONE) {
        return false;
    }
    const struct stk_payment *p = payment_at(o, slot);
    int64_t age_ns = o->settings->fingerprint_ns; /* R1.4 looks back that far */
    age_ns = age_ns > CLOSED_AGE_MIN_NS ? age_ns : CLOSED_AGE_MIN_NS;
    int64_t settled_ns;
    if (!has_one_callback(o, p)) {
        return false; /* a record has no place for several */
    }
    return stk_state_final(p->state) && !p->kept && p->step_position[STEP_ENDED] <= terms->as_of &&
           p->step_ns[STEP_ENDED] <= terms->before_ns &&
           terms->now_ns - p->step_ns[STEP_ACCEPTED] >= age_ns &&
           outbox_may_leave(&o->book->outbox, p->delivery, terms->as_of, &settled_ns) &&
           settled_ns <= terms->before_ns;
}

static uint32_t find(void *state, const struct closing_terms *terms, uint64_t *out, uint32_t most)
{
    struct operator_state *o = state;
    uint32_t looked = o->closed < most * LOOKED_AT ? o->closed : most * LOOKED_AT;
    uint32_t found = 0;
    for (; looked > 0 && found < most; looked--) {
        uint32_t slot = o->closed_head;
        struct stk_payment *p = payment_at(o, slot);
        if (p->step_ns[STEP_ENDED] > terms->before_ns) {
            break; /* those behind it are younger, or were looked at a short while ago */
        }
        closed_remove(o, slot);
        operator__closed_append(o, slot);
        if (!p->leaving && may_leave(o, p->number, terms)) {
            p->leaving = true;
            out[found++] = p->number;
        }
    }
    return found;
}

static void stay(void *state, uint64_t number)
{
    struct operator_state *o = state;
    uint32_t slot = map_get(&o->by_number, number);
    if (slot != MAP_NONE) {
        payment_at(o, slot)->leaving = false;
    }
}

static int64_t first_closed(const void *state)
{
    const struct operator_state *o = state;
    return o->closed == 0 ? INT64_MAX : payment_at(o, o->closed_head)->step_ns[STEP_ENDED];
}

static uint32_t closed_count(const void *state)
{
    const struct operator_state *o = state;
    return o->closed;
}

uint64_t operator_left(const struct operator_state *o)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < sizeof(o->left) / sizeof(o->left[0]); i++) {
        sum += o->left[i];
    }
    return sum;
}

static uint64_t closed_left(const void *state)
{
    return operator_left(state);
}

/* ---- the record ---- */

struct payment_record {
    struct stk_payment payment;
    struct span url;
    struct span reference;
    struct span description;
    struct span order; /* empty: no rule ordered anything for it */
    struct outbox_record callback;
    bool has_entry;
    struct entry_record entry;
};

/* The payment's own fields in a record. Records are in the journal for ever (recalled): a changed
 * field is a new version, and this one stays. */
static void put_payment(struct writer *w, const struct stk_payment *p)
{
    put_u64(w, p->number);
    put_u64(w, p->target);
    put_u64(w, p->receipt);
    put_u64(w, p->delivery);
    put_i64(w, p->amount_minor);
    put_i64(w, p->expires_ns);
    for (uint32_t i = 0; i < STK_STEPS; i++) {
        put_i64(w, p->step_ns[i]);
        put_u64(w, p->step_position[i]);
    }
    put_raw(w, p->fingerprint, sizeof(p->fingerprint));
    put_u32(w, p->subscriber);
    put_u32(w, p->short_code);
    put_u32(w, p->party_b);
    put_u32(w, p->checkout_serial);
    put_u32(w, p->receipt_day);
    put_u8(w, p->state);
    put_u8(w, p->outcome);
    put_u8(w, p->answer);
    put_u8(w, p->type);
    put_u8(w, p->reached);
}

static void get_payment(struct reader *r, struct stk_payment *p)
{
    p->number = get_u64(r);
    p->target = get_u64(r);
    p->receipt = get_u64(r);
    p->delivery = get_u64(r);
    p->amount_minor = get_i64(r);
    p->expires_ns = get_i64(r);
    for (uint32_t i = 0; i < STK_STEPS; i++) {
        p->step_ns[i] = get_i64(r);
        p->step_position[i] = get_u64(r);
    }
    get_raw(r, p->fingerprint, sizeof(p->fingerprint));
    p->subscriber = get_u32(r);
    p->short_code = get_u32(r);
    p->party_b = get_u32(r);
    p->checkout_serial = get_u32(r);
    p->receipt_day = get_u32(r);
    p->state = get_u8(r);
    p->outcome = get_u8(r);
    p->answer = get_u8(r);
    p->type = get_u8(r);
    p->reached = get_u8(r) != 0;
    p->timer = TIMERS_NOWHERE;
    p->next = SLAB_NONE;
    p->before = SLAB_NONE;
}

static void record(const void *state, uint64_t number, struct writer *w, struct old_names *names)
{
    const struct operator_state *o = state;
    uint32_t slot = map_get(&o->by_number, number);
    CHECK(slot != MAP_NONE);
    const struct stk_payment *p = payment_at(o, slot);
    const struct entry *e = ledger_entry(&o->book->ledger, payment_transfer_id(number, 0));
    CHECK(stk_state_final(p->state));
    put_u8(w, p->ruled == TEXT_NONE ? PAYMENT_RECORD_VERSION : PAYMENT_RECORD_RULED);
    put_payment(w, p);
    put_text(w, operator_text(o, p->url));
    put_text(w, operator_text(o, p->reference));
    put_text(w, operator_text(o, p->description));
    if (p->ruled != TEXT_NONE) {
        put_text(w, operator_text(o, p->ruled));
    }
    outbox_record(&o->book->outbox, p->delivery, w);
    put_u8(w, e != NULL);
    if (e != NULL) {
        struct entry_record whole;
        ledger_entry_record(&o->book->ledger, e, &whole);
        ledger_entry_encode(w, &whole);
    }
    struct old_name checkout = checkout_name_of(o, p);
    struct old_name delivery = old_name_of(OLD_SPACE_DELIVERY, p->delivery);
    old_names_add(names, &checkout);
    old_names_add(names, &delivery);
    if (p->state == STK_SUCCESS) {
        struct old_name receipt = receipt_name(p->receipt_day, p->receipt);
        old_names_add(names, &receipt);
    }
}

/* The entry of a record is the one that paid this payment, between accounts that there are. */
static bool paid_by_entry(const struct operator_state *o, const struct stk_payment *p,
                          const struct entry_record *e)
{
    const struct ledger *l = &o->book->ledger;
    const struct transfer *t = &e->transfer;
    return e->state == ENTRY_POSTED && t->id == payment_transfer_id(p->number, 0) &&
           t->amount_minor == p->amount_minor && ledger_account(l, t->debit_account) != NULL &&
           ledger_account(l, t->credit_account) != NULL;
}

/* A record that is one of ours and of a payment that this book has had. */
static bool record_read(const struct operator_state *o, uint64_t number, struct reader *r,
                        struct payment_record *out)
{
    struct ruled ruled;
    memset(out, 0, sizeof(*out));
    uint8_t version = get_u8(r);
    if (version != PAYMENT_RECORD_VERSION && version != PAYMENT_RECORD_RULED) {
        return false;
    }
    struct stk_payment *p = &out->payment;
    get_payment(r, p);
    out->url = get_text(r);
    out->reference = get_text(r);
    out->description = get_text(r);
    if (version == PAYMENT_RECORD_RULED) {
        out->order = get_text(r);
        if (r->bad || !operator_ruled_decode(out->order, &ruled) || ruled.effects.times != 1) {
            return false;
        }
    }
    if (r->bad || !operator__payment_plausible(o, p) || !stk_state_final(p->state) ||
        p->number != number || !outbox_record_read(r, &out->callback) ||
        out->callback.item.number != p->delivery || out->callback.item.subject != number) {
        return false;
    }
    out->has_entry = get_u8(r) != 0;
    if (p->outcome == STK_OPEN || stk_outcome_state(p->outcome) != (enum stk_state)p->state) {
        return false;
    }
    if (out->has_entry &&
        (!ledger_entry_decode(r, &out->entry) || !paid_by_entry(o, p, &out->entry))) {
        return false;
    }
    return reader_done(r) && out->has_entry == (p->state == STK_SUCCESS);
}

/* ---- leaving and coming home ---- */

static void leave(void *state, uint64_t number)
{
    struct operator_state *o = state;
    uint32_t slot = map_get(&o->by_number, number);
    CHECK(slot != MAP_NONE);
    struct stk_payment *p = payment_at(o, slot);
    struct book *b = o->book;
    CHECK(stk_state_final(p->state) && p->timer == TIMERS_NOWHERE);
    closed_remove(o, slot);
    outbox_leave(&b->outbox, p->delivery);
    if (p->state == STK_SUCCESS) {
        ledger_leave(&b->ledger, payment_transfer_id(number, 0));
        CHECK(map_remove(&o->by_receipt, operator__receipt_key(p->receipt_day, p->receipt)));
    }
    uint32_t tail = (uint32_t)(subscriber_at(o, p->subscriber)->msisdn % ID_MSISDN_TAIL_END);
    int64_t second_ns = p->step_ns[STEP_ACCEPTED] / NS_PER_S * NS_PER_S;
    CHECK(map_remove(&o->by_checkout, operator__checkout_key(second_ns, p->checkout_serial, tail)));
    uint64_t fingerprint = operator__fingerprint_key(p->fingerprint);
    if (map_get(&o->by_fingerprint, fingerprint) == slot) {
        (void)map_remove(&o->by_fingerprint, fingerprint);
    }
    CHECK(map_remove(&o->by_number, number));
    texts_drop(&b->texts, p->url);
    texts_drop(&b->texts, p->reference);
    texts_drop(&b->texts, p->description);
    texts_drop(&b->texts, p->ruled);
    o->left[p->outcome]++;
    o->touched_count = 0; /* of the frame before, in a replay: this one touches nothing */
    slab_release(&o->payments, slot);
}

static bool recall(void *state, uint64_t number, struct reader *r)
{
    struct operator_state *o = state;
    struct payment_record c;
    struct texts *texts = &o->book->texts;
    if (!record_read(o, number, r, &c)) {
        return false;
    }
    CHECK(map_get(&o->by_number, number) == MAP_NONE && o->left[c.payment.outcome] > 0);
    uint32_t slot = slab_take(&o->payments);
    struct stk_payment *p = payment_at(o, slot);
    *p = c.payment;
    p->url = texts_keep(texts, c.url);
    p->reference = texts_keep(texts, c.reference);
    p->description = texts_keep(texts, c.description);
    p->ruled = texts_keep(texts, c.order);
    o->left[p->outcome]--;
    outbox_come_home(&o->book->outbox, &c.callback);
    if (c.has_entry) {
        ledger_come_home(&o->book->ledger, &c.entry);
    }
    CHECK(operator__index_payment(o, slot));
    if (MUTATED(RECALL_TWICE)) {
        o->ended[p->outcome]++;
    }
    operator__touch(o, slot);
    return true;
}

/* ---- the guest ---- */

static bool host(void *state, uint64_t number, struct reader *r)
{
    struct operator_state *o = state;
    struct payment_record c;
    struct texts *texts = &o->book->texts;
    if (!record_read(o, number, r, &c)) {
        return false;
    }
    CHECK(map_get(&o->by_number, number) == MAP_NONE);
    o->guest = c.payment;
    o->guest_entry = c.entry;
    o->guest.url = texts_lend(texts, c.url);
    o->guest.reference = texts_lend(texts, c.reference);
    o->guest.description = texts_lend(texts, c.description);
    o->guest.ruled = c.order.size > 0 ? texts_lend(texts, c.order) : TEXT_NONE;
    outbox_host(&o->book->outbox, &c.callback);
    return true;
}

static void unhost(void *state)
{
    struct operator_state *o = state;
    o->guest.number = 0;
    outbox_host(&o->book->outbox, NULL);
}

const struct stk_payment *operator__guest_named(const struct operator_state *o,
                                                const struct old_name *name)
{
    bool named = o->guest.number != 0 && payment_is_named(o, &o->guest, name);
    return named ? &o->guest : NULL;
}

bool payment_transfer(const struct operator_state *o, const struct stk_payment *p,
                      struct transfer *out)
{
    struct entry_record whole = o->guest_entry;
    if (p->state != STK_SUCCESS) {
        return false;
    }
    if (p != &o->guest) {
        const struct ledger *l = &o->book->ledger;
        const struct entry *e = ledger_entry(l, payment_transfer_id(p->number, 0));
        CHECK(e != NULL);
        ledger_entry_record(l, e, &whole);
    }
    CHECK(whole.state == ENTRY_POSTED);
    *out = whole.transfer;
    return true;
}

const struct domain_closing operator__closings[OPERATOR_CLOSINGS] = {
    {
        .space = OLD_SPACE_PAYMENT,
        .find = find,
        .stay = stay,
        .may_leave = may_leave,
        .first_closed = first_closed,
        .count = closed_count,
        .left = closed_left,
        .record = record,
        .leave = leave,
        .recall = recall,
        .host = host,
        .unhost = unhost,
        .holds = holds,
    },
};
