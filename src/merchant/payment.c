/*
 * payment.c - the life of a payment up to the answer of the provider, and the ladder of questions
 * when no outcome comes. What claims do to it is in notice.c.
 */
#include <string.h>

#include "base/delivery_error.h"
#include "merchant/internal.h"

/* G9: an application that speaks Daraja is told each end, also a late success. A reversal has no
 * callback there. */
static void forward(struct gateway_decision *gd, const struct gateway_payment *p, uint8_t state)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_FORWARDED};
    if (p->front_url == TEXT_NONE || !gateway_state_ended(state) || state == GATEWAY_REVERSED) {
        return;
    }
    e.payment_forwarded.number = p->number;
    e.payment_forwarded.item = gateway__queue(gd, MESSAGE_FORWARD, p->number, p->front_target);
    gateway__emit(gd, &e);
}

/* "Busy", on the URL that a provider has for that: it is in its queue, and nothing has ended. */
void gateway__forward_late(struct gateway_decision *gd, const struct gateway_payment *p,
                           const struct observation *claim, uint64_t notice)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_LATE_FORWARDED};
    bool waits = claim->source == OBSERVED_BY_CALLBACK && claim->reason == OBSERVED_REASON_BUSY &&
                 !observation_is_definite(claim->verdict);
    if (!waits || p->late_url == TEXT_NONE || p->late_item != 0 || gateway_state_ended(p->state)) {
        return;
    }
    e.late_forwarded.number = p->number;
    e.late_forwarded.item = gateway__queue(gd, MESSAGE_LATE, p->number, p->late_target);
    e.late_forwarded.notice = notice;
    gateway__emit(gd, &e);
}

void gateway__move(struct gateway_decision *gd, const struct gateway_payment *p,
                   const struct gateway_move *m)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_MOVED};
    e.payment_moved.number = p->number;
    e.payment_moved.state = m->state;
    e.payment_moved.source = m->source;
    e.payment_moved.reason = m->reason;
    e.payment_moved.notice = m->notice;
    e.payment_moved.due_ns = m->due_ns;
    gateway__emit(gd, &e);
    forward(gd, p, m->state);
}

static const struct outbox_item *item_of(const struct gateway_decision *gd, uint64_t number)
{
    return outbox_item(&gd->g->book->outbox, number);
}

/* A question that leaves at that time; until due_ns nothing else happens by itself. */
static void ask_at(struct gateway_decision *gd, const struct gateway_payment *p, uint8_t rung,
                   int64_t due_ns, int64_t at_ns)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_ASKED};
    uint16_t call = gateway_pays_out(p->method) ? CALL_STATUS : CALL_QUERY;
    e.payment_asked.number = p->number;
    e.payment_asked.rung = rung;
    e.payment_asked.due_ns = due_ns;
    e.payment_asked.item =
        gateway__queue_at(gd, call, p->number, provider_at(gd->g, p->provider)->target, at_ns);
    gateway__emit(gd, &e);
}

static void ask(struct gateway_decision *gd, const struct gateway_payment *p, uint8_t rung,
                int64_t due_ns, bool may)
{
    if (may && p->question == 0) {
        ask_at(gd, p, rung, due_ns, gd->now_ns);
        return;
    }
    struct gateway_event waits = {.kind = EVENT_PAYMENT_RUNG};
    waits.payment_rung.number = p->number;
    waits.payment_rung.rung = rung;
    waits.payment_rung.due_ns = due_ns;
    gateway__emit(gd, &waits);
}

void gateway__ask(struct gateway_decision *gd, const struct gateway_payment *p, uint8_t rung,
                  int64_t due_ns)
{
    bool out = gateway_pays_out(p->method); /* which is known by our own id */
    ask(gd, p, rung, due_ns, p->provider_id != TEXT_NONE || out);
}

void gateway__ask_for_proof(struct gateway_decision *gd, const struct gateway_payment *p,
                            bool learned)
{
    bool over = gateway_state_ended(p->state);
    ask(gd, p, over ? 0 : p->rung, over ? 0 : p->due_ns, learned || p->provider_id != TEXT_NONE);
}

/* Never failed, because nobody knows (R5.5, R2.6): asked at once, and then up the ladder. */
void gateway__unconfirm(struct gateway_decision *gd, const struct gateway_payment *p,
                        uint8_t reason)
{
    int64_t due_ns = gd->now_ns + gateway_rung_ns(0);
    struct gateway_move m = {.state = GATEWAY_UNCONFIRMED, .reason = reason, .due_ns = due_ns};
    gateway__move(gd, p, &m);
    gateway__tell_payment(gd, p, FEED_PAYMENT_UNCONFIRMED, false);
    if (p->provider_id != TEXT_NONE || gateway_pays_out(p->method)) {
        gateway__ask(gd, p, 0, due_ns);
    }
}

static void fail(struct gateway_decision *gd, const struct gateway_payment *p, uint8_t source,
                 uint8_t reason)
{
    struct gateway_move m = {.state = GATEWAY_FAILED, .source = source, .reason = reason};
    gateway__release_hold(gd, p);
    gateway__move(gd, p, &m);
    gateway__tell_payment(gd, p, FEED_PAYMENT_FAILED, false);
}

/* ---- creating ---- */

/* R2.9: the other payment that forbids a new push for this order; NULL: none. */
static const struct gateway_payment *guard(const struct gateway *g,
                                           const struct payment_create_command *c,
                                           enum gateway_refusal *why)
{
    const struct gateway_payment *p = gateway_payment_of_order(g, c->merchant, c->order);
    bool found = c->overrides == 0;
    for (; p != NULL; p = gateway_payment_before(g, p)) {
        if (p->state == GATEWAY_SUCCEEDED) {
            *why = GATEWAY_ORDER_PAID;
            return p;
        }
        bool unknown = p->state == GATEWAY_UNCONFIRMED || p->state == GATEWAY_MISMATCHED;
        bool overridden = c->overrides == p->number && unknown;
        found = found || overridden;
        if (!gateway_state_ended(p->state) && !overridden) {
            *why = GATEWAY_ORDER_OPEN;
            return p;
        }
    }
    *why = found ? GATEWAY_DONE : GATEWAY_NOT_OVERRIDABLE;
    return NULL;
}

/* R2.9: money for this order that came by itself. Whether it is all of it, only the shop knows: it
 * says so by naming the latest of these receipts, which shows that it has seen them. */
static enum gateway_refusal guard_money(const struct gateway *g,
                                        const struct payment_create_command *c, uint64_t *latest)
{
    struct gateway_order_money money;
    gateway_order_money(g, c->merchant, c->order, &money);
    *latest = money.latest;
    if (money.latest == c->override_receipt) {
        return GATEWAY_DONE;
    }
    return money.latest == 0 ? GATEWAY_NOT_OVERRIDABLE : GATEWAY_ORDER_FUNDED;
}

bool gateway__repeated(const struct gateway *g, const uint8_t key[16], const uint8_t request[16],
                       struct gateway_reply *reply)
{
    const struct idempotency_entry *known = book_key(g->book, key);
    if (known == NULL) {
        return false;
    }
    bool same = memcmp(known->request, request, sizeof(known->request)) == 0;
    reply->refusal = same ? GATEWAY_REPEATED : GATEWAY_KEY_REUSED;
    reply->number = same ? known->subject : 0;
    return true;
}

uint64_t gateway__open(struct gateway_decision *gd, const struct payment_create_command *c,
                       uint16_t call)
{
    uint64_t number = gd->g->last_payment + 1;
    const struct gateway_provider *provider = provider_at(gd->g, c->provider);
    struct gateway_event kept = {.kind = EVENT_PAYMENT_KEPT};
    kept.payment_kept.number = number;
    kept.payment_kept.phone = c->phone;
    kept.payment_kept.order = c->order;
    kept.payment_kept.description = c->description;
    memcpy(kept.payment_kept.token, c->token, sizeof(c->token));
    gateway__emit(gd, &kept);
    struct gateway_event e = {.kind = EVENT_PAYMENT_CREATED};
    e.payment_created.number = number;
    e.payment_created.merchant = c->merchant;
    e.payment_created.provider = c->provider;
    e.payment_created.amount_minor = c->amount_minor;
    e.payment_created.method = c->method;
    e.payment_created.capture = c->capture;
    e.payment_created.overrides = c->overrides;
    e.payment_created.due_ns = gd->now_ns + gd->g->settings->unsent_ns;
    e.payment_created.item = gateway__queue(gd, call, number, provider->target);
    gateway__emit(gd, &e);
    gateway__sweep_begins(gd);
    return number;
}

void gateway__opened(struct gateway_decision *gd, const struct payment_create_command *c,
                     uint64_t number)
{
    struct gateway_telling t = {.type = gateway__type_for(c->method, FEED_PAYMENT_CREATED),
                                .object_kind = FEED_OBJECT_PAYMENT,
                                .object = number,
                                .merchant = c->merchant};
    gateway__tell(gd, &t);
    decision_keep_key(gd->d, c->key, c->request, number);
}

/* Chosen and stored before anything leaves: whatever gets lost can be asked about by it. */
static void keep_reference(struct gateway_decision *gd, const struct payment_create_command *c,
                           uint64_t number)
{
    struct gateway_event ids = {.kind = EVENT_PAYMENT_IDS_KEPT};
    CHECK(c->reference.size <= GATEWAY_ID_MAX && c->email.size <= GATEWAY_EMAIL_MAX);
    CHECK(gateway_payment_by_provider_id(gd->g, c->provider, c->reference) == NULL);
    ids.payment_ids_kept.number = number;
    ids.payment_ids_kept.provider_id = c->reference;
    gateway__emit(gd, &ids);
    struct gateway_event email = {.kind = EVENT_PAYMENT_EMAIL_KEPT};
    email.payment_email_kept.number = number;
    email.payment_email_kept.email = c->email;
    gateway__emit(gd, &email);
}

void gateway__keep_front(struct gateway_decision *gd, const struct gateway_front *front,
                         uint64_t number)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_FRONT_KEPT};
    struct gateway_event late = {.kind = EVENT_PAYMENT_LATE_URL_KEPT};
    if (front->url.size == 0) {
        return;
    }
    e.payment_front_kept.number = number;
    e.payment_front_kept.target = front->target;
    e.payment_front_kept.url = front->url;
    e.payment_front_kept.reference = front->reference;
    gateway__emit(gd, &e);
    if (front->late_url.size > 0) {
        late.late_url_kept.number = number;
        late.late_url_kept.target = front->late_target;
        late.late_url_kept.command = front->command;
        late.late_url_kept.url = front->late_url;
        late.late_url_kept.occasion = front->occasion;
        gateway__emit(gd, &late);
    }
}

static void create(struct gateway_decision *gd, const struct payment_create_command *c)
{
    uint64_t number = gateway__open(gd, c, CALL_PUSH);
    if (c->reference.size > 0) {
        keep_reference(gd, c, number);
    }
    if (c->override_receipt != 0) {
        struct gateway_event over = {.kind = EVENT_PAYMENT_OVER_RECEIPT};
        over.payment_over_receipt.number = number;
        over.payment_over_receipt.receipt = c->override_receipt;
        gateway__emit(gd, &over);
    }
    gateway__keep_front(gd, &c->front, number);
    gateway__opened(gd, c, number);
}

void gateway__decide_create(const struct gateway *g, struct decision *d)
{
    const struct payment_create_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    CHECK(slab_is_used(&g->merchants, c->merchant));
    CHECK(c->amount_minor > 0 && c->amount_minor <= GATEWAY_AMOUNT_MAX);
    if (gateway__repeated(g, c->key, c->request, reply)) {
        return;
    }
    if (!slab_is_used(&g->providers, c->provider) ||
        provider_at(g, c->provider)->merchant != c->merchant) {
        reply->refusal = GATEWAY_NO_PROVIDER;
        return;
    }
    const struct gateway_payment *other = guard(g, c, &reply->refusal);
    if (reply->refusal != GATEWAY_DONE) {
        reply->number = other != NULL ? other->number : c->overrides;
        return;
    }
    reply->refusal = guard_money(g, c, &reply->number);
    if (reply->refusal != GATEWAY_DONE) {
        return;
    }
    if (gateway__unavailable(&gd, c->provider, reply)) {
        return;
    }
    create(&gd, c);
    reply->number = g->last_payment + 1;
}

/* ---- sending ---- */

void gateway__decide_sending(const struct gateway *g, struct decision *d)
{
    const struct payment_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_payment *p = gateway_payment(g, c->number);
    if (p == NULL || gateway_push_may_leave(g, c->number) != PUSH_MARK) {
        reply->refusal = p == NULL ? GATEWAY_NOT_FOUND : GATEWAY_NOTHING_TO_DO;
        return;
    }
    bool again = p->state > GATEWAY_SUBMITTED; /* the ladder goes on as it was */
    int64_t due_ns = again ? p->due_ns : gd.now_ns + g->settings->unconfirmed_ns;
    struct gateway_event e = {.kind = EVENT_PAYMENT_SENDING};
    e.payment_sending.number = p->number;
    e.payment_sending.due_ns = due_ns;
    gateway__emit(&gd, &e);
    if (p->state == GATEWAY_CREATED) {
        struct gateway_move m = {
            .state = GATEWAY_SUBMITTED, .reason = REASON_SENT, .due_ns = due_ns};
        gateway__move(&gd, p, &m);
    }
    reply->number = p->number;
}

static void keep_answer(struct gateway_decision *gd, const struct gateway_payment *p,
                        const struct observation *claim)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_RESULT_KEPT};
    if (claim->code.size == 0 && claim->words.size == 0) {
        return;
    }
    e.payment_result_kept.number = p->number;
    e.payment_result_kept.code = claim->code;
    e.payment_result_kept.words = claim->words;
    gateway__emit(gd, &e);
}

static void accepted(struct gateway_decision *gd, const struct gateway_payment *p,
                     const struct observation *claim)
{
    bool taken = gateway_payment_by_provider_id(gd->g, p->provider, claim->reference) != NULL;
    bool learns = p->provider_id == TEXT_NONE && claim->reference.size > 0 && !taken;
    if (learns) {
        struct gateway_event e = {.kind = EVENT_PAYMENT_IDS_KEPT};
        e.payment_ids_kept.number = p->number;
        e.payment_ids_kept.provider_id = claim->reference;
        e.payment_ids_kept.other_id = claim->second_reference;
        gateway__emit(gd, &e);
    }
    if (p->state == GATEWAY_SUBMITTED) { /* else its callback came first */
        struct gateway_move m = {.state = GATEWAY_PENDING,
                                 .source = OBSERVED_BY_SUBMISSION,
                                 .reason = REASON_ACCEPTED,
                                 .due_ns = p->due_ns};
        gateway__move(gd, p, &m);
        gateway__tell_payment(gd, p, FEED_PAYMENT_PENDING, false);
    }
    if (learns) {
        gateway__sweep_begins(gd); /* from now on it can be asked about */
        gateway__join_orphans(gd, p, claim->reference);
    }
}

/* The provider surely has nothing of it. `becomes`: what the outbox makes of the item. */
static void unsent(struct gateway_decision *gd, const struct gateway_payment *p,
                   const struct observation *answer, uint8_t becomes)
{
    struct gateway_event e = {.kind = EVENT_PAYMENT_NOT_SENT};
    e.payment_not_sent.number = p->number;
    if (p->sending) {
        gateway__emit(gd, &e);
    }
    bool nothing_known = p->provider_id == TEXT_NONE && p->notices == 0;
    bool slow = p->state == GATEWAY_UNCONFIRMED && nothing_known && p->resent == 0;
    bool open = p->state <= GATEWAY_SUBMITTED || slow; /* that attempt took long */
    if (becomes == OUTBOX_WAITING || !open) {
        return; /* tried again, or over already */
    }
    keep_answer(gd, p, answer);
    fail(gd, p, 0, REASON_NEVER_SENT);
}

void gateway__push_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                             const struct delivery_result_command *c, uint8_t becomes)
{
    const struct gateway_reading *reading = c->reading;
    const struct gateway_payment *p = gateway_payment(gd->g, item->subject);
    CHECK(p != NULL && p->item == item->number);
    struct observation answer = {.verdict = OBSERVED_UNKNOWN};
    if (c->error == 0 && reading != NULL) {
        answer = gateway__cut(&reading->answer);
    }
    /* Withdrawn after a restart, because it is over: an attempt before that may have arrived. */
    bool may_have_left =
        c->error == DELIVERY_WITHDRAWN && p->sending && p->state > GATEWAY_SUBMITTED;
    if (may_have_left) {
        return;
    }
    bool duplicate = answer.verdict == OBSERVED_REFUSED &&
                     answer.reason == OBSERVED_REASON_DUPLICATE; /* an earlier one did */
    if (gateway__surely_unsent(c)) {
        unsent(gd, p, &answer, becomes);
    } else if (duplicate && p->state == GATEWAY_SUBMITTED) {
        gateway__unconfirm(gd, p, REASON_DUPLICATE);
    } else if (answer.verdict == OBSERVED_IN_FLIGHT) {
        accepted(gd, p, &answer);
    } else if (answer.verdict == OBSERVED_REFUSED && p->state == GATEWAY_SUBMITTED) {
        keep_answer(gd, p, &answer);
        fail(gd, p, OBSERVED_BY_SUBMISSION, REASON_REFUSED);
    } else if (answer.verdict != OBSERVED_REFUSED && p->state == GATEWAY_SUBMITTED) {
        gateway__unconfirm(gd, p, REASON_ANSWER_LOST); /* never sent again by itself */
    }
}

/* ---- finding out ---- */

/* It ended, and somebody whom nobody can believe says that it was paid. */
static bool is_doubted(const struct gateway *g, const struct gateway_payment *p)
{
    bool paid = p->state == GATEWAY_SUCCEEDED || p->state == GATEWAY_REVERSED;
    return gateway_state_ended(p->state) && !paid && gateway__awaits_proof(g, p);
}

/* No timer and no sweep looks at what has ended: the next question is queued as soon as one has
 * brought nothing, and leaves when the ladder would ask it. */
static void ask_again(struct gateway_decision *gd, const struct gateway_payment *p)
{
    if (is_doubted(gd->g, p) && p->rung < GATEWAY_RUNGS) {
        int64_t at_ns = gd->now_ns + gateway_rung_ns(p->rung);
        ask_at(gd, p, (uint8_t)(p->rung + 1), 0, at_ns);
    }
}

void gateway__question_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                                 const struct delivery_result_command *c)
{
    const struct gateway_reading *reading = c->reading;
    const struct gateway_payment *p = gateway_payment(gd->g, item->subject);
    CHECK(p != NULL);
    bool asked = p->question == item->number;
    bool told = c->error == 0 && reading != NULL && reading->notice.claim != NULL &&
                observation_is_definite(reading->notice.claim->verdict);
    if (asked) {
        struct gateway_event e = {.kind = EVENT_PAYMENT_ANSWERED};
        e.payment_answered.number = p->number;
        gateway__emit(gd, &e);
    }
    if (c->error == 0 && reading != NULL && reading->notice.claim != NULL) {
        (void)gateway__take_notice(gd, &reading->notice, NULL);
    }
    if (asked && !told) {
        ask_again(gd, p);
    }
}

void gateway__decide_resolve(const struct gateway *g, struct decision *d)
{
    const struct payment_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_payment *p = gateway_payment(g, c->number);
    if (p == NULL) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    reply->number = p->number;
    bool known = p->provider_id != TEXT_NONE || gateway_pays_out(p->method);
    bool over = gateway_state_ended(p->state) && !is_doubted(g, p);
    if (over || p->state == GATEWAY_CREATED || p->question != 0 || !known) {
        reply->refusal = GATEWAY_NOTHING_TO_DO;
        return;
    }
    gateway__ask(&gd, p, gateway_state_ended(p->state) ? 0 : p->rung, p->due_ns);
}

/* One step up the ladder; at its end somebody has to look. */
static void next_rung(struct gateway_decision *gd, const struct gateway_payment *p)
{
    if (p->rung < GATEWAY_RUNGS) {
        uint8_t rung = (uint8_t)(p->rung + 1);
        int64_t wait_ns =
            rung < GATEWAY_RUNGS ? gateway_rung_ns(rung) : gd->g->settings->question_ns;
        gateway__ask(gd, p, rung, gd->now_ns + wait_ns);
        return;
    }
    struct gateway_event e = {.kind = EVENT_PAYMENT_RUNG};
    e.payment_rung.number = p->number;
    e.payment_rung.rung = p->rung;
    e.payment_rung.attention = true;
    gateway__emit(gd, &e);
    gateway__tell_payment(gd, p, FEED_PAYMENT_STUCK, false);
}

void gateway__decide_due(const struct gateway *g, struct decision *d)
{
    struct gateway_decision gd = gateway__decision(g, d);
    const struct timer_entry *first = timers_first(&g->due);
    CHECK(first != NULL && first->due_ns <= gd.now_ns);
    const struct gateway_payment *p = payment_slot(g, gateway__timer_slot(first->id));
    CHECK(!gateway_state_ended(p->state));
    const struct outbox_item *item = item_of(&gd, p->item);
    if (p->state <= GATEWAY_SUBMITTED && !p->sending && item != NULL) {
        fail(&gd, p, 0, REASON_NEVER_SENT); /* what waits in the outbox is never sent now */
    } else if (p->state <= GATEWAY_PENDING) {
        gateway__unconfirm(&gd, p, REASON_NO_CALLBACK);
    } else {
        next_rung(&gd, p);
    }
}

/* ---- escrow (R5.7) ---- */

void gateway__decide_release(const struct gateway *g, struct decision *d)
{
    const struct payment_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_payment *p = gateway_payment(g, c->number);
    reply->number = c->number;
    const struct gateway_payment *refund = p == NULL ? NULL : gateway_payment(g, p->refund);
    bool given_back = refund != NULL && refund->state != GATEWAY_FAILED; /* or about to be */
    if (p == NULL || p->escrow != ESCROW_HELD || given_back) {
        reply->refusal = p == NULL                      ? GATEWAY_NOT_FOUND
                         : p->escrow == ESCROW_RELEASED ? GATEWAY_NOTHING_TO_DO
                                                        : GATEWAY_NOT_HELD;
        return;
    }
    const struct gateway_merchant *m = merchant_at(g, p->merchant);
    struct transfer t = {.id = gateway_transfer_id(p->number, 1),
                         .reference = p->number,
                         .amount_minor = gateway_paid_minor(p),
                         .debit_account = m->escrow,
                         .credit_account = m->wallet,
                         .kind = TRANSFER_POST,
                         .code = GATEWAY_TRANSFER_RELEASE};
    if (!gateway__post(&gd, &t, 1)) {
        reply->refusal = GATEWAY_NOT_HELD;
        return;
    }
    struct gateway_event e = {.kind = EVENT_PAYMENT_ESCROW};
    e.payment_escrow.number = p->number;
    e.payment_escrow.escrow = ESCROW_RELEASED;
    gateway__emit(&gd, &e);
    gateway__tell_payment(&gd, p, FEED_PAYMENT_RELEASED, p->receipt != TEXT_NONE);
}
