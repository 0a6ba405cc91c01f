/*
 * feed.c - telling the application: numbered events, and for each endpoint that wants one a
 * webhook, in order for each object (G7, G8).
 */
#include <string.h>

#include "merchant/internal.h"

uint64_t gateway__chain(uint32_t endpoint, uint8_t object_kind, uint64_t object)
{
    CHECK(endpoint < 1 << 16);
    CHECK(object < UINT64_C(1) << 40);
    return object << 24 | (uint64_t)object_kind << 16 | endpoint;
}

uint32_t gateway__webhook_find(const struct gateway *g, uint64_t subject)
{
    return map_get(&g->webhook_by_subject, subject);
}

/* One webhook; it waits when one for the same object and endpoint is on its way. */
static void add_webhook(struct gateway_decision *gd, const struct gateway_telling *t,
                        struct gateway_told *told, uint32_t index, uint64_t seq)
{
    const struct gateway *g = gd->g;
    uint32_t slot = merchant_at(g, t->merchant)->endpoint[index];
    const struct gateway_endpoint *endpoint = endpoint_at(g, slot);
    bool wanted = endpoint->types == 0 || (endpoint->types >> t->type & 1) != 0;
    if (endpoint->status != ENDPOINT_ENABLED || !wanted) {
        return;
    }
    uint64_t chain = gateway__chain(slot, t->object_kind, t->object);
    bool waits = map_get(&g->webhook_last, chain) != MAP_NONE || (told->chained >> index & 1) != 0;
    struct gateway_event e = {.kind = EVENT_WEBHOOK_ADDED};
    e.webhook_added.seq = seq;
    e.webhook_added.endpoint = slot;
    if (!waits) {
        e.webhook_added.item =
            gateway__queue(gd, MESSAGE_WEBHOOK, webhook_subject(seq, slot), endpoint->target);
    }
    gateway__emit(gd, &e);
    told->chained |= 1u << index;
}

/* What this decision has told of the object so far. */
static struct gateway_told *told_of(struct gateway_decision *gd, uint64_t object)
{
    for (uint32_t i = 0; i < gd->objects; i++) {
        if (gd->told[i].object == object) {
            return &gd->told[i];
        }
    }
    CHECK(gd->objects < GATEWAY_FRAME_FEED_MAX);
    struct gateway_told *told = &gd->told[gd->objects++];
    *told = (struct gateway_told){.object = object};
    return told;
}

void gateway__tell(struct gateway_decision *gd, const struct gateway_telling *t)
{
    CHECK(gd->feeds < GATEWAY_FRAME_FEED_MAX);
    struct gateway_told *told = told_of(gd, gateway__chain(0, t->object_kind, t->object));
    uint64_t seq = gd->g->last_seq + ++gd->feeds;
    struct gateway_event e = {.kind = EVENT_FEED_ADDED};
    e.feed_added.seq = seq;
    e.feed_added.type = t->type;
    e.feed_added.object_kind = t->object_kind;
    e.feed_added.object = t->object;
    e.feed_added.object_seq = t->object_seq + ++told->tellings;
    e.feed_added.merchant = t->merchant;
    e.feed_added.has_receipt = t->has_receipt;
    gateway__emit(gd, &e);
    for (uint32_t i = 0; i < merchant_at(gd->g, t->merchant)->endpoints; i++) {
        add_webhook(gd, t, told, i, seq);
    }
}

uint16_t gateway__type_for(uint8_t method, uint16_t payment_type)
{
    static const uint16_t payouts[FEED_TYPE_LAST + 1] = {
        [FEED_PAYMENT_CREATED] = FEED_PAYOUT_CREATED,
        [FEED_PAYMENT_PENDING] = FEED_PAYOUT_PENDING,
        [FEED_PAYMENT_UNCONFIRMED] = FEED_PAYOUT_UNCONFIRMED,
        [FEED_PAYMENT_MISMATCHED] = FEED_PAYOUT_MISMATCHED,
        [FEED_PAYMENT_SUCCEEDED] = FEED_PAYOUT_SUCCEEDED,
        [FEED_PAYMENT_FAILED] = FEED_PAYOUT_FAILED,
        [FEED_PAYMENT_RECEIPT] = FEED_PAYOUT_RECEIPT,
        [FEED_PAYMENT_STUCK] = FEED_PAYOUT_STUCK,
    };
    uint16_t type = gateway_pays_out(method) ? payouts[payment_type] : payment_type;
    CHECK(type != 0);
    return type != payment_type && gateway_is_refund(method)
               ? (uint16_t)(type - FEED_PAYOUT_CREATED + FEED_REFUND_CREATED)
               : type;
}

void gateway__tell_payment(struct gateway_decision *gd, const struct gateway_payment *p,
                           uint16_t type, bool has_receipt)
{
    struct gateway_telling t = {.type = gateway__type_for(p->method, type),
                                .object_kind = FEED_OBJECT_PAYMENT,
                                .object = p->number,
                                .object_seq = p->object_seq,
                                .merchant = p->merchant,
                                .has_receipt = has_receipt};
    gateway__tell(gd, &t);
}

/* The receiver has it, or never will: the next one of the chain may leave. */
void gateway__webhook_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                                const struct delivery_result_command *c, uint8_t becomes)
{
    const struct gateway *g = gd->g;
    uint32_t slot = gateway__webhook_find(g, item->subject);
    uint32_t endpoint = webhook_subject_endpoint(item->subject);
    if (becomes == OUTBOX_WAITING || slot == MAP_NONE) {
        return; /* tried again; or it ended before and somebody sent it once more */
    }
    const struct gateway_webhook *w = webhook_at(g, slot);
    struct gateway_event e = {.kind = EVENT_WEBHOOK_ENDED};
    e.webhook_ended.seq = w->seq;
    e.webhook_ended.endpoint = endpoint;
    e.webhook_ended.state = becomes;
    if (w->next != SLAB_NONE) {
        const struct gateway_webhook *next = webhook_at(g, w->next);
        struct gateway_event queued = {.kind = EVENT_WEBHOOK_QUEUED};
        queued.webhook_queued.seq = next->seq;
        queued.webhook_queued.endpoint = endpoint;
        queued.webhook_queued.item =
            gateway__queue(gd, MESSAGE_WEBHOOK, webhook_subject(next->seq, endpoint),
                           endpoint_at(g, endpoint)->target);
        gateway__emit(gd, &queued);
    }
    gateway__emit(gd, &e);
    if (c->status == 410 && endpoint_at(g, endpoint)->status == ENDPOINT_ENABLED) {
        struct gateway_event gone = {.kind = EVENT_ENDPOINT_CHANGED};
        gone.endpoint_changed.slot = endpoint;
        gone.endpoint_changed.status = ENDPOINT_DISABLED;
        gone.endpoint_changed.types = endpoint_at(g, endpoint)->types;
        gateway__emit(gd, &gone);
    }
}

/* A webhook that has not ended keeps its place in the chain and is tried now. False: it is being
 * sent at this moment, or waits for the one before it. */
static bool hurry(struct gateway_decision *gd, const struct gateway_webhook *w)
{
    const struct outbox_item *item = outbox_item(&gd->g->book->outbox, w->item);
    if (item == NULL || item->phase == OUTBOX_IN_FLIGHT ||
        item->attempts > UINT16_MAX - OUTBOX_TRIES_MAX) {
        return false;
    }
    struct outbox_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_DELIVERY_REVIVED;
    e.number = item->number;
    e.next_try_ns = gd->now_ns;
    decision_outbox(gd->d, &e);
    return true;
}

/* What has ended leaves as an item of its own, outside the chain: the application knows the event
 * by its id, and asked for it. */
void gateway__decide_event_replay(const struct gateway *g, struct decision *d)
{
    const struct event_replay_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_feed *f = gateway_feed_event(g, c->seq);
    if (f == NULL || f->merchant != c->merchant) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    const struct gateway_merchant *m = merchant_at(g, c->merchant);
    reply->refusal = GATEWAY_NOTHING_TO_DO;
    for (uint32_t i = 0; i < m->endpoints; i++) {
        const struct gateway_endpoint *endpoint = endpoint_at(g, m->endpoint[i]);
        bool wanted = endpoint->types == 0 || (endpoint->types >> f->type & 1) != 0;
        if (endpoint->status != ENDPOINT_ENABLED || !wanted) {
            continue;
        }
        uint64_t subject = webhook_subject(f->seq, m->endpoint[i]);
        uint32_t open = gateway__webhook_find(g, subject);
        reply->refusal = GATEWAY_UNDER_WAY; /* unless at least one can leave now */
        if (open != MAP_NONE) {
            reply->number += hurry(&gd, webhook_at(g, open));
        } else {
            (void)gateway__queue(&gd, MESSAGE_WEBHOOK, subject, endpoint->target);
            reply->number++;
        }
    }
    if (reply->number > 0) {
        reply->refusal = GATEWAY_DONE;
    }
}
