/*
 * apply.c - the merchant book's events into state. Total: a well-formed event always has its
 * effect, and every broken assumption is a CHECK. Nothing here decides anything.
 */
#include <string.h>

#include "merchant/internal.h"

#define EVENT_OF(e, member) (&(e)->member)

static uint32_t keep_text(struct gateway *g, struct span text)
{
    return texts_keep(&g->book->texts, text);
}

static void replace_text(struct gateway *g, uint32_t *handle, struct span text)
{
    uint32_t before = *handle;
    *handle = keep_text(g, text);
    texts_drop(&g->book->texts, before);
}

static void touch(struct gateway *g, uint32_t slot)
{
    payment_slot(g, slot)->changed = g->touched_position;
    for (uint32_t i = 0; i < g->touched_count; i++) {
        if (g->touched[i] == slot) {
            return;
        }
    }
    CHECK(g->touched_count < GATEWAY_TOUCHED_MAX); /* or a frame would go unchecked */
    g->touched[g->touched_count++] = slot;
}

/* ---- who there is ---- */

static void apply_merchant(struct gateway *g, const struct gateway_event *e)
{
    if (e->kind == EVENT_MERCHANT_KEPT) {
        replace_text(g, &merchant_at(g, e->merchant_kept.slot)->name, e->merchant_kept.name);
        return;
    }
    uint32_t slot = slab_take(&g->merchants);
    CHECK(slot == e->merchant_opened.slot);
    struct gateway_merchant *m = merchant_at(g, slot);
    m->wallet = e->merchant_opened.wallet;
    m->escrow = e->merchant_opened.escrow;
    m->fees = e->merchant_opened.fees;
    m->suspense = e->merchant_opened.suspense;
}

static void apply_key(struct gateway *g, const struct gateway_event *e)
{
    if (e->kind == EVENT_API_KEY_CLOSED) {
        struct gateway_key *closed = slab_at(&g->keys, e->api_key_closed.slot);
        closed->closed = true;
        return;
    }
    uint32_t slot = slab_take(&g->keys);
    CHECK(slot == e->api_key_opened.slot);
    struct gateway_key *k = slab_at(&g->keys, slot);
    k->merchant = e->api_key_opened.merchant;
    memcpy(k->hash, e->api_key_opened.hash, sizeof(k->hash));
    map_put(&g->by_key_hash, gateway__bytes_key(k->hash), slot);
}

static void apply_provider_opened(struct gateway *g, const struct gateway_event *e)
{
    uint32_t slot = slab_take(&g->providers);
    CHECK(slot == e->provider_opened.slot);
    struct gateway_provider *p = provider_at(g, slot);
    p->merchant = e->provider_opened.merchant;
    p->short_code = e->provider_opened.short_code;
    p->party_b = e->provider_opened.party_b;
    p->clearing = e->provider_opened.clearing;
    p->target = e->provider_opened.target;
    p->kind = e->provider_opened.provider_kind;
    p->production = e->provider_opened.production;
    p->is_till = e->provider_opened.is_till;
    memcpy(p->token, e->provider_opened.token, sizeof(p->token));
    map_put(&g->by_provider_token, gateway__bytes_key(p->token), slot);
    if (p->short_code != 0) {
        map_put(&g->by_short_code, gateway__short_code_key(p->kind, p->short_code), slot);
    }
}

static void apply_provider_kept(struct gateway *g, const struct gateway_event *e)
{
    struct gateway_provider *p = provider_at(g, e->provider_kept.slot);
    replace_text(g, &p->base_url, e->provider_kept.base_url);
    replace_text(g, &p->key, e->provider_kept.key);
    replace_text(g, &p->secret, e->provider_kept.secret);
    replace_text(g, &p->passkey, e->provider_kept.passkey);
    replace_text(g, &p->initiator, e->provider_kept.initiator);
    replace_text(g, &p->credential, e->provider_kept.credential);
}

static void apply_callbacks(struct gateway *g, const struct gateway_event *e)
{
    uint32_t slot = e->callbacks_rotated.slot; /* of both the first */
    struct gateway_provider *p = provider_at(g, slot);
    if (e->kind == EVENT_CALLBACKS_ROTATED) {
        CHECK(!p->has_before);
        memcpy(p->token_before, p->token, sizeof(p->token));
        memcpy(p->token, e->callbacks_rotated.token, sizeof(p->token));
        p->has_before = true;
        map_put(&g->by_provider_token, gateway__bytes_key(p->token), slot);
        return;
    }
    CHECK(p->has_before);
    if (p->has_retired) { /* of the retired ones the latest is known */
        CHECK(map_remove(&g->by_provider_token, gateway__bytes_key(p->token_retired)));
    }
    memcpy(p->token_retired, p->token_before, sizeof(p->token));
    memset(p->token_before, 0, sizeof(p->token));
    p->has_before = false;
    p->has_retired = true;
}

static void apply_c2b(struct gateway *g, const struct gateway_event *e)
{
    struct gateway_provider *p = provider_at(g, e->c2b_asked.slot); /* of all the first */
    if (e->kind == EVENT_C2B_FORWARD_KEPT) {
        replace_text(g, &p->c2b_forward, e->c2b_forward.url);
        p->c2b_forward_target = e->c2b_forward.target;
        return;
    }
    if (e->kind == EVENT_PROVIDER_SET) {
        p->when_unavailable = e->provider_set.when_unavailable;
        return;
    }
    if (e->kind == EVENT_C2B_URLS_ASKED) {
        p->c2b_state = GATEWAY_C2B_ASKED;
        p->c2b_rule = e->c2b_asked.rule;
        p->c2b_cancels = e->c2b_asked.cancels;
        p->c2b_item = e->c2b_asked.item;
        return;
    }
    p->c2b_state = e->c2b_answered.state;
    replace_text(g, &p->c2b_words, e->c2b_answered.words);
}

/* Of the secrets before, those that sign no more are forgotten. */
static void apply_secret(struct gateway *g, const struct gateway_event *e,
                         const struct frame_info *frame)
{
    struct gateway_endpoint *n = endpoint_at(g, e->endpoint_secret_kept.slot);
    texts_drop(&g->book->texts, n->secret_oldest);
    n->secret_oldest = n->secret_before;
    if (frame->time_ns >= n->before_until_ns) {
        replace_text(g, &n->secret_oldest, SPAN_EMPTY);
    }
    n->secret_before = n->secret;
    n->secret = keep_text(g, e->endpoint_secret_kept.secret);
    CHECK(n->secret != TEXT_NONE);
}

static void apply_endpoint(struct gateway *g, const struct gateway_event *e)
{
    if (e->kind == EVENT_ENDPOINT_OPENED) {
        uint32_t slot = slab_take(&g->endpoints);
        CHECK(slot == e->endpoint_opened.slot);
        struct gateway_endpoint *n = endpoint_at(g, slot);
        n->merchant = e->endpoint_opened.merchant;
        n->target = e->endpoint_opened.target;
        n->types = e->endpoint_opened.types;
        struct gateway_merchant *m = merchant_at(g, n->merchant);
        CHECK(m->endpoints < GATEWAY_ENDPOINTS_EACH);
        m->endpoint[m->endpoints++] = slot;
    } else if (e->kind == EVENT_ENDPOINT_KEPT) {
        struct gateway_endpoint *n = endpoint_at(g, e->endpoint_kept.slot);
        replace_text(g, &n->url, e->endpoint_kept.url);
        replace_text(g, &n->secret, e->endpoint_kept.secret);
        replace_text(g, &n->secret_before, e->endpoint_kept.secret_before);
    } else if (e->kind == EVENT_ENDPOINT_ROTATED) {
        struct gateway_endpoint *n = endpoint_at(g, e->endpoint_rotated.slot);
        n->before_until_ns = e->endpoint_rotated.before_until_ns;
    } else {
        struct gateway_endpoint *n = endpoint_at(g, e->endpoint_changed.slot);
        n->status = e->endpoint_changed.status;
        n->types = e->endpoint_changed.types;
    }
}

/* ---- payments ---- */

static void set_due(struct gateway *g, uint32_t slot, int64_t due_ns)
{
    struct gateway_payment *p = payment_slot(g, slot);
    if (p->timer != TIMERS_NOWHERE) {
        timers_remove(&g->due, p->timer);
    }
    p->due_ns = due_ns;
    if (due_ns != 0) {
        timers_add(&g->due, due_ns, gateway__timer_id(p, slot));
    }
}

/* G1: the one function that moves a payment. */
static void enter(struct gateway *g, struct gateway_payment *p, uint8_t state,
                  const struct frame_info *frame)
{
    CHECK(p->entered_position[state] == 0);
    p->state = state;
    p->entered_ns[state] = frame->time_ns;
    p->entered_position[state] = frame->position;
    g->entered[state]++;
}

/* The texts come first and make the payment's slot; PAYMENT_CREATED in the same frame fills it. */
static void apply_payment_kept(struct gateway *g, const struct gateway_event *e)
{
    CHECK(e->payment_kept.number == g->last_payment + 1);
    uint32_t slot = slab_take(&g->payments);
    struct gateway_payment *p = payment_slot(g, slot);
    p->number = e->payment_kept.number;
    p->phone = e->payment_kept.phone;
    p->order = keep_text(g, e->payment_kept.order);
    p->description = keep_text(g, e->payment_kept.description);
    memcpy(p->token, e->payment_kept.token, sizeof(p->token));
    p->timer = TIMERS_NOWHERE;
    p->first_notice = SLAB_NONE;
    p->last_notice = SLAB_NONE;
    p->phone_before = SLAB_NONE;
    p->phone_after = SLAB_NONE;
    map_put(&g->by_number, p->number, slot);
    map_put(&g->by_token, gateway__bytes_key(p->token), slot);
    g->last_payment = p->number;
}

static void apply_created(struct gateway *g, uint32_t slot, const struct gateway_event *e,
                          const struct frame_info *frame)
{
    struct gateway_payment *p = payment_slot(g, slot);
    CHECK(p->state == 0);
    p->merchant = e->payment_created.merchant;
    p->provider = e->payment_created.provider;
    p->amount_minor = e->payment_created.amount_minor;
    p->method = e->payment_created.method;
    p->capture = e->payment_created.capture;
    p->overrides = e->payment_created.overrides;
    p->item = e->payment_created.item;
    enter(g, p, GATEWAY_CREATED, frame);
    g->open++;
    uint32_t before =
        gateway__find(g, TEXT_OF_ORDER, gateway__order_scope(p), gateway_text(g, p->order));
    if (before != MAP_NONE && !gateway_pays_out(p->method)) {
        CHECK(payment_slot(g, before)->after == 0); /* all of them are at home (names.c) */
        p->before = payment_slot(g, before)->number;
        payment_slot(g, before)->after = p->number;
        touch(g, before);
    }
    gateway__index_created(g, slot);
    set_due(g, slot, e->payment_created.due_ns);
    if (gateway_is_refund(p->method)) {
        uint32_t original = gateway__payment_slot(g, p->overrides);
        CHECK(original != MAP_NONE);
        payment_slot(g, original)->refund = p->number;
        touch(g, original);
    }
}

static void apply_moved(struct gateway *g, uint32_t slot, const struct gateway_event *e,
                        const struct frame_info *frame)
{
    struct gateway_payment *p = payment_slot(g, slot);
    uint8_t state = e->payment_moved.state;
    bool ended = gateway_state_ended(p->state);
    CHECK(gateway_state_may_move(p->state, state));
    enter(g, p, state, frame);
    p->reason = e->payment_moved.reason;
    p->source = e->payment_moved.source;
    p->notice = e->payment_moved.notice != 0 ? e->payment_moved.notice : p->notice;
    g->attention -= p->attention;
    p->attention = state == GATEWAY_MISMATCHED;
    g->attention += p->attention;
    if (gateway_state_ended(state) && !ended) {
        CHECK(g->open > 0);
        g->open--;
        gateway__closed_append(g, slot);
    }
    if (state == GATEWAY_SUCCEEDED) {
        p->late = ended;
        g->late += ended;
        g->paid += !gateway_pays_out(p->method);
        bool repair = p->source != OBSERVED_BY_CALLBACK && p->source != OBSERVED_BY_WEBHOOK &&
                      !gateway_pays_out(p->method);
        g->repaired += repair;
        g->last_repair_ns = repair ? frame->time_ns : g->last_repair_ns;
        p->escrow = p->capture == CAPTURE_ESCROW ? ESCROW_HELD : ESCROW_NONE;
    }
    if (state == GATEWAY_REVERSED && p->escrow == ESCROW_HELD) {
        p->escrow = ESCROW_REFUNDED;
    }
    set_due(g, slot, e->payment_moved.due_ns);
}

static void apply_result(struct gateway *g, uint32_t slot, const struct gateway_event *e)
{
    struct gateway_payment *p = payment_slot(g, slot);
    replace_text(g, &p->code, e->payment_result_kept.code);
    replace_text(g, &p->words, e->payment_result_kept.words);
    if (e->payment_result_kept.receipt.size > 0) {
        CHECK(p->receipt == TEXT_NONE);
        p->receipt = keep_text(g, e->payment_result_kept.receipt);
        gateway__index(g, TEXT_OF_RECEIPT, slot);
    }
}

static void apply_ids(struct gateway *g, uint32_t slot, const struct gateway_event *e)
{
    struct gateway_payment *p = payment_slot(g, slot);
    CHECK(p->provider_id == TEXT_NONE);
    p->provider_id = keep_text(g, e->payment_ids_kept.provider_id);
    p->other_id = keep_text(g, e->payment_ids_kept.other_id);
    gateway__index(g, TEXT_OF_PROVIDER_ID, slot);
}

static void apply_front(struct gateway *g, uint32_t slot, const struct gateway_event *e)
{
    struct gateway_payment *p = payment_slot(g, slot);
    CHECK(p->front_url == TEXT_NONE);
    gateway__take_out_shown(g, slot); /* from now on by what the application calls it */
    p->front_url = keep_text(g, e->payment_front_kept.url);
    p->front_reference = keep_text(g, e->payment_front_kept.reference);
    p->front_target = e->payment_front_kept.target;
}

static void apply_late(struct gateway *g, uint32_t slot, const struct gateway_event *e)
{
    struct gateway_payment *p = payment_slot(g, slot);
    if (e->kind == EVENT_PAYMENT_LATE_URL_KEPT) {
        CHECK(p->late_url == TEXT_NONE);
        p->late_url = keep_text(g, e->late_url_kept.url);
        p->occasion = keep_text(g, e->late_url_kept.occasion);
        p->late_target = e->late_url_kept.target;
        p->command = e->late_url_kept.command;
        return;
    }
    CHECK(p->late_item == 0);
    p->late_item = e->late_forwarded.item;
    p->late_notice = e->late_forwarded.notice;
}

static void apply_judged(struct gateway *g, uint32_t slot, const struct gateway_event *e)
{
    struct gateway_payment *p = payment_slot(g, slot);
    CHECK(p->state == GATEWAY_MISMATCHED || p->state == GATEWAY_UNCONFIRMED);
    if (e->kind == EVENT_PAYMENT_JUDGE_KEPT) {
        replace_text(g, &p->judge, e->payment_judge_kept.judge);
        replace_text(g, &p->judge_note, e->payment_judge_kept.note);
        return;
    }
    CHECK(p->judgement == JUDGEMENT_NONE);
    p->judgement = e->payment_judged.judgement;
    p->paid_minor = e->payment_judged.amount_minor;
}

static void apply_way(struct gateway *g, uint32_t slot, const struct gateway_event *e,
                      const struct frame_info *frame)
{
    struct gateway_payment *p = payment_slot(g, slot);
    switch (e->kind) {
    case EVENT_PAYMENT_SENDING:
        CHECK(!p->sending && (p->state <= GATEWAY_SUBMITTED || gateway__is_resent(p)));
        p->sending = true;
        set_due(g, slot, e->payment_sending.due_ns);
        break;
    case EVENT_PAYMENT_NOT_SENT: p->sending = false; break;
    case EVENT_PAYMENT_RESENT:
        CHECK(p->state == GATEWAY_UNCONFIRMED && p->resent < GATEWAY_RESENT_MAX);
        p->item = e->payment_resent.item;
        p->sending = false;
        p->resent++;
        break;
    case EVENT_PAYMENT_ASKED:
        CHECK(p->question == 0);
        p->question = e->payment_asked.item;
        p->rung = e->payment_asked.rung;
        p->asked_ns = frame->time_ns;
        set_due(g, slot, e->payment_asked.due_ns);
        break;
    case EVENT_PAYMENT_ANSWERED: p->question = 0; break;
    case EVENT_PAYMENT_RUNG:
        p->rung = e->payment_rung.rung;
        g->attention += e->payment_rung.attention && !p->attention;
        p->attention = p->attention || e->payment_rung.attention;
        set_due(g, slot, e->payment_rung.due_ns);
        break;
    case EVENT_PAYMENT_FORWARDED: p->front_item = e->payment_forwarded.item; break;
    case EVENT_PAYMENT_ESCROW: p->escrow = e->payment_escrow.escrow; break;
    default: UNREACHABLE("unknown event of a payment");
    }
}

/* All events of a payment begin with its number. */
static void apply_payment(struct gateway *g, const struct gateway_event *e,
                          const struct frame_info *frame)
{
    uint32_t slot = gateway__payment_slot(g, e->payment_answered.number);
    CHECK(slot != MAP_NONE);
    switch (e->kind) {
    case EVENT_PAYMENT_CREATED: apply_created(g, slot, e, frame); break;
    case EVENT_PAYMENT_MOVED: apply_moved(g, slot, e, frame); break;
    case EVENT_PAYMENT_RESULT_KEPT: apply_result(g, slot, e); break;
    case EVENT_PAYMENT_IDS_KEPT: apply_ids(g, slot, e); break;
    case EVENT_PAYMENT_FRONT_KEPT: apply_front(g, slot, e); break;
    case EVENT_PAYMENT_LATE_URL_KEPT:
    case EVENT_PAYMENT_LATE_FORWARDED: apply_late(g, slot, e); break;
    case EVENT_PAYMENT_EMAIL_KEPT:
        replace_text(g, &payment_slot(g, slot)->email, e->payment_email_kept.email);
        break;
    case EVENT_PAYMENT_OVER_RECEIPT:
        payment_slot(g, slot)->override_receipt = e->payment_over_receipt.receipt;
        break;
    case EVENT_PAYMENT_JUDGED:
    case EVENT_PAYMENT_JUDGE_KEPT: apply_judged(g, slot, e); break;
    default: apply_way(g, slot, e, frame); break;
    }
    gateway__place_shown(g, slot);
    touch(g, slot);
}

/* ---- notices ---- */

static void keep_body(struct gateway *g, struct gateway_notice *n, struct span body)
{
    CHECK(body.size <= (size_t)GATEWAY_BODY_PARTS * TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < GATEWAY_BODY_PARTS; i++) {
        size_t size = body.size < TEXT_BYTES_MAX ? body.size : TEXT_BYTES_MAX;
        n->body[i] = keep_text(g, (struct span){body.data, size});
        body.data += size;
        body.size -= size;
    }
}

static void apply_notice_kept(struct gateway *g, const struct gateway_event *e)
{
    CHECK(e->notice_kept.number == g->last_notice + 1);
    uint32_t slot = slab_take(&g->notices);
    struct gateway_notice *n = notice_at(g, slot);
    n->number = e->notice_kept.number;
    n->phone = e->notice_kept.phone;
    n->reference = keep_text(g, e->notice_kept.reference);
    n->receipt = keep_text(g, e->notice_kept.receipt);
    n->code = keep_text(g, e->notice_kept.code);
    n->words = keep_text(g, e->notice_kept.words);
    n->peer = keep_text(g, e->notice_kept.peer);
    n->headers = keep_text(g, e->notice_kept.headers);
    keep_body(g, n, e->notice_kept.body);
    n->next = SLAB_NONE;
    map_put(&g->notice_by_number, n->number, slot);
    g->last_notice = n->number;
}

static void link_notice(struct gateway *g, uint32_t slot, uint32_t *first, uint32_t *last)
{
    if (*last == SLAB_NONE) {
        *first = slot;
    } else {
        notice_at(g, *last)->next = slot;
    }
    *last = slot;
    notice_at(g, slot)->next = SLAB_NONE;
}

static void link_to_payment(struct gateway *g, uint32_t slot, uint64_t payment)
{
    uint32_t at = gateway__payment_slot(g, payment);
    CHECK(at != MAP_NONE);
    struct gateway_payment *p = payment_slot(g, at);
    notice_at(g, slot)->payment = payment;
    p->notices++;
    link_notice(g, slot, &p->first_notice, &p->last_notice);
    touch(g, at);
}

/* What acted without a payment is about a receipt, made before it or in this frame. */
static void link_to_receipt(struct gateway *g, uint32_t slot)
{
    const struct gateway_notice *n = notice_at(g, slot);
    uint32_t at =
        gateway__receipt_find(g, RECEIPT_BY_TEXT, n->provider, gateway_text(g, n->receipt));
    CHECK(at != MAP_NONE);
    struct gateway_receipt *r = receipt_at(g, at);
    r->notices++;
    link_notice(g, slot, &r->first_notice, &r->last_notice);
    gateway__touch_receipt(g, at);
}

static void link_orphan(struct gateway *g, uint32_t slot)
{
    const struct gateway_notice *n = notice_at(g, slot);
    uint64_t key = gateway__text_key(n->provider, gateway_text(g, n->reference));
    link_notice(g, slot, &g->orphan_first, &g->orphan_last);
    g->orphans++;
    if (n->reference != TEXT_NONE && map_get(&g->orphan_by_reference, key) == MAP_NONE) {
        map_put(&g->orphan_by_reference, key, slot);
    }
}

static void apply_notice_taken(struct gateway *g, uint32_t slot, const struct gateway_event *e,
                               const struct frame_info *frame)
{
    struct gateway_notice *n = notice_at(g, slot);
    n->provider = e->notice_taken.provider;
    n->source = e->notice_taken.source;
    n->about = e->notice_taken.about;
    n->verdict = e->notice_taken.verdict;
    n->why = e->notice_taken.why;
    n->effect = e->notice_taken.effect;
    n->amount_minor = e->notice_taken.amount_minor;
    n->taken_ns = frame->time_ns;
    n->position = frame->position;
    memcpy(n->key, e->notice_taken.key, sizeof(n->key));
    memcpy(n->digest, e->notice_taken.digest, sizeof(n->digest));
    if (map_get(&g->notice_by_key, gateway__bytes_key(n->key)) == MAP_NONE) {
        map_put(&g->notice_by_key, gateway__bytes_key(n->key), slot);
    }
    if (e->notice_taken.payment != 0) {
        link_to_payment(g, slot, e->notice_taken.payment);
    } else if (n->effect == NOTICE_ORPHAN) {
        link_orphan(g, slot);
    } else {
        link_to_receipt(g, slot);
    }
}

/* Out of the list of orphans: they are few, and joining is rare. */
static void unlink_orphan(struct gateway *g, uint32_t slot)
{
    uint32_t before = SLAB_NONE;
    uint32_t at = g->orphan_first;
    while (at != slot) {
        CHECK(at != SLAB_NONE);
        before = at;
        at = notice_at(g, at)->next;
    }
    const struct gateway_notice *n = notice_at(g, slot);
    uint64_t key = gateway__text_key(n->provider, gateway_text(g, n->reference));
    if (map_get(&g->orphan_by_reference, key) == slot) {
        CHECK(map_remove(&g->orphan_by_reference, key));
    }
    if (before == SLAB_NONE) {
        g->orphan_first = n->next;
    } else {
        notice_at(g, before)->next = n->next;
    }
    g->orphan_last = g->orphan_last == slot ? before : g->orphan_last;
    g->orphans--;
}

static void apply_notice(struct gateway *g, const struct gateway_event *e,
                         const struct frame_info *frame)
{
    if (e->kind == EVENT_NOTICE_KEPT) {
        apply_notice_kept(g, e);
        return;
    }
    uint32_t slot = map_get(&g->notice_by_number, e->notice_joined.number);
    CHECK(slot != MAP_NONE);
    struct gateway_notice *n = notice_at(g, slot);
    if (e->kind == EVENT_NOTICE_TAKEN) {
        apply_notice_taken(g, slot, e, frame);
    } else if (e->kind == EVENT_NOTICE_REPEATED) {
        n->repeats++;
        if (n->payment != 0) {
            touch(g, gateway__payment_slot(g, n->payment));
        }
    } else {
        bool orphan = n->payment == 0 && n->effect == NOTICE_ORPHAN;
        n->effect = e->notice_joined.effect;
        if (!orphan && n->payment != 0) {
            touch(g, gateway__payment_slot(g, n->payment));
        }
        if (orphan) { /* what belongs to a payment or a receipt stays there */
            unlink_orphan(g, slot);
            link_to_payment(g, slot, e->notice_joined.payment);
        }
    }
}

/* ---- telling ---- */

static void apply_feed(struct gateway *g, const struct gateway_event *e,
                       const struct frame_info *frame)
{
    CHECK(e->feed_added.seq == g->last_seq + 1); /* G7 */
    uint32_t slot = slab_take(&g->feed);
    struct gateway_feed *f = slab_at(&g->feed, slot);
    f->seq = e->feed_added.seq;
    f->object = e->feed_added.object;
    f->object_kind = e->feed_added.object_kind;
    f->object_seq = e->feed_added.object_seq;
    f->type = e->feed_added.type;
    f->merchant = e->feed_added.merchant;
    f->has_receipt = e->feed_added.has_receipt;
    f->position = frame->position;
    f->at_ns = frame->time_ns;
    map_put(&g->feed_by_seq, f->seq, slot);
    g->last_seq = f->seq;
    if (f->object_kind == FEED_OBJECT_PAYMENT) {
        uint32_t at = gateway__payment_slot(g, f->object);
        CHECK(at != MAP_NONE);
        CHECK(f->object_seq == payment_slot(g, at)->object_seq + 1);
        payment_slot(g, at)->object_seq = f->object_seq;
        touch(g, at);
    } else if (f->object_kind == FEED_OBJECT_PROVIDER) {
        struct gateway_provider *a = provider_at(g, (uint32_t)(f->object - 1));
        CHECK(f->object_seq == a->object_seq + 1);
        a->object_seq = f->object_seq;
    } else if (f->object_kind == FEED_OBJECT_DISCREPANCY) { /* opened, and then resolved */
        CHECK(gateway_discrepancy(g, f->object) != NULL);
        CHECK(f->object_seq == (f->type == FEED_DISCREPANCY_OPENED ? 1 : 2));
    } else {
        CHECK(f->object_kind == FEED_OBJECT_RECEIPT);
        uint32_t at = gateway__receipt_slot(g, f->object);
        CHECK(at != MAP_NONE);
        CHECK(f->object_seq == receipt_at(g, at)->object_seq + 1);
        receipt_at(g, at)->object_seq = f->object_seq;
    }
}

static void apply_webhook_added(struct gateway *g, const struct gateway_event *e)
{
    const struct gateway_feed *f = gateway_feed_event(g, e->webhook_added.seq);
    CHECK(f != NULL);
    uint32_t slot = slab_take(&g->webhooks);
    struct gateway_webhook *w = webhook_at(g, slot);
    w->seq = f->seq;
    w->endpoint = e->webhook_added.endpoint;
    w->item = e->webhook_added.item;
    w->next = SLAB_NONE;
    w->chain = gateway__chain(w->endpoint, f->object_kind, f->object);
    uint32_t last = map_get(&g->webhook_last, w->chain);
    CHECK((last == MAP_NONE) == (w->item != 0)); /* G8 */
    if (last != MAP_NONE) {
        webhook_at(g, last)->next = slot;
        CHECK(map_remove(&g->webhook_last, w->chain));
    }
    map_put(&g->webhook_last, w->chain, slot);
    map_put(&g->webhook_by_subject, webhook_subject(w->seq, w->endpoint), slot);
}

static void apply_webhook_ended(struct gateway *g, const struct gateway_event *e)
{
    uint64_t subject = webhook_subject(e->webhook_ended.seq, e->webhook_ended.endpoint);
    uint32_t slot = gateway__webhook_find(g, subject);
    CHECK(slot != MAP_NONE);
    const struct gateway_webhook *w = webhook_at(g, slot);
    CHECK(w->item != 0);
    if (w->next == SLAB_NONE) {
        CHECK(map_get(&g->webhook_last, w->chain) == slot);
        CHECK(map_remove(&g->webhook_last, w->chain));
    }
    CHECK(map_remove(&g->webhook_by_subject, subject));
    slab_release(&g->webhooks, slot);
}

static void apply_telling(struct gateway *g, const struct gateway_event *e,
                          const struct frame_info *frame)
{
    switch (e->kind) {
    case EVENT_FEED_ADDED: apply_feed(g, e, frame); break;
    case EVENT_WEBHOOK_ADDED: apply_webhook_added(g, e); break;
    case EVENT_WEBHOOK_QUEUED: {
        uint32_t slot = gateway__webhook_find(
            g, webhook_subject(e->webhook_queued.seq, e->webhook_queued.endpoint));
        CHECK(slot != MAP_NONE);
        CHECK(webhook_at(g, slot)->item == 0);
        webhook_at(g, slot)->item = e->webhook_queued.item;
        break;
    }
    case EVENT_WEBHOOK_ENDED: apply_webhook_ended(g, e); break;
    case EVENT_REFUND_PROPOSED:
        CHECK(e->refund_proposed.number == g->last_refund + 1);
        g->last_refund = e->refund_proposed.number; /* how many were proposed */
        break;
    default: UNREACHABLE("unknown event of the merchant book");
    }
}

bool gateway__apply(void *state, const struct frame_info *frame, uint16_t kind, struct reader *r)
{
    struct gateway *g = state;
    struct gateway_event e;
    if (!gateway_event_decode(kind, r, &e)) {
        return false;
    }
    if (g->touched_position != frame->position) { /* a replay checks nothing and forgets nothing */
        g->touched_position = frame->position;
        g->touched_count = 0;
        g->touched_receipt_count = 0;
    }
    switch (kind) {
    case EVENT_MERCHANT_OPENED:
    case EVENT_MERCHANT_KEPT: apply_merchant(g, &e); break;
    case EVENT_API_KEY_OPENED:
    case EVENT_API_KEY_CLOSED: apply_key(g, &e); break;
    case EVENT_PROVIDER_OPENED: apply_provider_opened(g, &e); break;
    case EVENT_PROVIDER_KEPT: apply_provider_kept(g, &e); break;
    case EVENT_ENDPOINT_OPENED:
    case EVENT_ENDPOINT_KEPT:
    case EVENT_ENDPOINT_CHANGED:
    case EVENT_ENDPOINT_ROTATED: apply_endpoint(g, &e); break;
    case EVENT_ENDPOINT_SECRET_KEPT: apply_secret(g, &e, frame); break;
    case EVENT_PAYMENT_KEPT: apply_payment_kept(g, &e); break;
    case EVENT_PAYMENT_LATE_URL_KEPT:
    case EVENT_PAYMENT_LATE_FORWARDED:
    case EVENT_PAYMENT_EMAIL_KEPT:
    case EVENT_PAYMENT_OVER_RECEIPT:
    case EVENT_PAYMENT_RESENT:
    case EVENT_PAYMENT_JUDGED:
    case EVENT_PAYMENT_JUDGE_KEPT: apply_payment(g, &e, frame); break;
    case EVENT_SHADOW_SEEN: gateway__apply_shadow(g, &e, frame); break;
    case EVENT_NOTICE_KEPT:
    case EVENT_NOTICE_TAKEN:
    case EVENT_NOTICE_REPEATED:
    case EVENT_NOTICE_JOINED: apply_notice(g, &e, frame); break;
    case EVENT_RECEIPT_KEPT:
    case EVENT_RECEIPT_CREATED:
    case EVENT_RECEIPT_ASSIGNED:
    case EVENT_RECEIPT_TAKEN_BACK: gateway__apply_receipt(g, &e, frame); break;
    case EVENT_DISCREPANCY_OPENED:
    case EVENT_DISCREPANCY_NOTED:
    case EVENT_DISCREPANCY_RESOLVED: gateway__apply_discrepancy(g, &e, frame); break;
    case EVENT_PULL_NUMBER_KEPT:
    case EVENT_PULL_ASKED:
    case EVENT_PULL_ANSWERED:
    case EVENT_PULL_DUE:
    case EVENT_SWEEP_DUE:
    case EVENT_ALERT_RAISED: gateway__apply_sweep(g, &e); break;
    case EVENT_CALLBACKS_ROTATED:
    case EVENT_CALLBACKS_RETIRED: apply_callbacks(g, &e); break;
    case EVENT_C2B_URLS_ASKED:
    case EVENT_C2B_FORWARD_KEPT:
    case EVENT_PROVIDER_SET:
    case EVENT_C2B_URLS_ANSWERED: apply_c2b(g, &e); break;
    default:
        if (kind >= EVENT_PAYMENT_CREATED && kind <= EVENT_PAYMENT_FORWARDED) {
            apply_payment(g, &e, frame);
        } else {
            apply_telling(g, &e, frame);
        }
        break;
    }
    return true;
}
