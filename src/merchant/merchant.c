/*
 * merchant.c - the merchant book's tables, keys and reads, and the dispatch of commands to
 * products. See merchant.h for the invariants G1 to G10. Tests: tests/unit/test_merchant*.c.
 */
#include "merchant/merchant.h"

#include <stdlib.h>
#include <string.h>

#include "base/caltime.h"
#include "base/delivery_error.h"
#include "base/hash.h"
#include "merchant/internal.h"

struct gateway_settings gateway_settings_default(void)
{
    struct gateway_settings s = {
        .unsent_ns = 60 * NS_PER_S,
        .unconfirmed_ns = 90 * NS_PER_S,
        .question_ns = 30 * NS_PER_S,
    };
    return s;
}

/* ---- life ---- */

static void timer_placed(void *context, uint64_t id, uint32_t position)
{
    struct gateway *g = context;
    payment_slot(g, gateway__timer_slot(id))->timer = position;
}

static void maps_init(struct gateway *g, uint64_t seed)
{
    struct map *hashed[] = {&g->by_key_hash,
                            &g->by_provider_token,
                            &g->by_short_code,
                            &g->by_token,
                            &g->by_provider_id,
                            &g->by_order,
                            &g->by_receipt,
                            &g->notice_by_key,
                            &g->webhook_last,
                            &g->webhook_by_subject,
                            &g->orphan_by_reference,
                            &g->receipt_by_text,
                            &g->receipt_by_reference,
                            &g->by_phone,
                            &g->receipt_by_order,
                            &g->by_day,
                            &g->by_shown};
    for (size_t i = 0; i < sizeof(hashed) / sizeof(hashed[0]); i++) {
        map_init(hashed[i], seed, MAP_HASHED);
    }
    map_init(&g->by_number, seed, MAP_SEQUENTIAL);
    map_init(&g->notice_by_number, seed, MAP_SEQUENTIAL);
    map_init(&g->receipt_by_number, seed, MAP_SEQUENTIAL);
    map_init(&g->discrepancy_by_number, seed, MAP_SEQUENTIAL);
    map_init(&g->discrepancy_by_reference, seed, MAP_HASHED);
    map_init(&g->feed_by_seq, seed, MAP_SEQUENTIAL);
}

static void *gateway_create(struct book *book)
{
    struct gateway *g = calloc(1, sizeof(*g));
    if (g == NULL) {
        return NULL;
    }
    g->book = book;
    g->settings = book->settings;
    CHECK(g->settings != NULL);
    slab_init(&g->merchants, sizeof(struct gateway_merchant), GATEWAY_MERCHANTS_MAX);
    slab_init(&g->keys, sizeof(struct gateway_key), GATEWAY_KEYS_MAX);
    slab_init(&g->providers, sizeof(struct gateway_provider), GATEWAY_PROVIDERS_MAX);
    slab_init(&g->endpoints, sizeof(struct gateway_endpoint), GATEWAY_ENDPOINTS_MAX);
    slab_init(&g->payments, sizeof(struct gateway_payment), GATEWAY_PAYMENTS_MAX);
    slab_init(&g->notices, sizeof(struct gateway_notice), GATEWAY_NOTICES_MAX);
    slab_init(&g->discrepancies, sizeof(struct gateway_discrepancy), GATEWAY_DISCREPANCIES_MAX);
    slab_init(&g->receipts, sizeof(struct gateway_receipt), GATEWAY_RECEIPTS_MAX);
    slab_init(&g->feed, sizeof(struct gateway_feed), GATEWAY_FEED_MAX);
    slab_init(&g->webhooks, sizeof(struct gateway_webhook), GATEWAY_FEED_MAX);
    slab_init(&g->shadows, sizeof(struct gateway_shadow), GATEWAY_SHADOWS_MAX);
    slab_init(&g->days, sizeof(struct gateway_day), GATEWAY_DAYS_MAX);
    maps_init(g, book->hash_seed);
    timers_init(&g->due, timer_placed, g);
    g->orphan_first = SLAB_NONE;
    g->orphan_last = SLAB_NONE;
    g->closed_first = SLAB_NONE;
    g->closed_last = SLAB_NONE;
    return g;
}

static void gateway_destroy(void *state)
{
    struct gateway *g = state;
    struct slab *slabs[] = {&g->merchants, &g->keys, &g->providers, &g->endpoints, &g->payments,
                            &g->notices,   &g->feed, &g->webhooks,  &g->receipts,  &g->shadows};
    struct map *maps[] = {&g->by_key_hash,          &g->by_provider_token,
                          &g->by_short_code,        &g->by_token,
                          &g->by_provider_id,       &g->by_order,
                          &g->by_receipt,           &g->notice_by_key,
                          &g->webhook_last,         &g->webhook_by_subject,
                          &g->orphan_by_reference,  &g->by_number,
                          &g->notice_by_number,     &g->feed_by_seq,
                          &g->receipt_by_number,    &g->receipt_by_text,
                          &g->receipt_by_reference, &g->by_phone,
                          &g->receipt_by_order,     &g->by_shown};
    for (size_t i = 0; i < sizeof(slabs) / sizeof(slabs[0]); i++) {
        slab_fini(slabs[i]);
    }
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        map_fini(maps[i]);
    }
    slab_fini(&g->discrepancies);
    slab_fini(&g->days);
    map_fini(&g->by_day);
    map_fini(&g->discrepancy_by_number);
    map_fini(&g->discrepancy_by_reference);
    timers_fini(&g->due);
    free(g);
}

static void gateway_moved(void *state, struct book *book)
{
    struct gateway *g = state;
    g->book = book;
}

enum {
    WEBHOOKS_RESERVED = GATEWAY_ENDPOINTS_EACH * GATEWAY_FRAME_FEED_MAX,
    NOTICES_RESERVED = GATEWAY_RECORD_NOTICES, /* of one that comes home */
    CALLS_RESERVED = 4, /* beside them: a forwarded end, a confirmation, a question, a payout */
};
_Static_assert(WEBHOOKS_RESERVED + CALLS_RESERVED <= BOOK_RESERVE_ITEMS,
               "a decision queues no more messages than there is room for");

static bool gateway_reserve(void *state)
{
    struct gateway *g = state;
    return slab_reserve(&g->merchants, 1) && slab_reserve(&g->keys, 1) &&
           slab_reserve(&g->providers, 1) && slab_reserve(&g->endpoints, 1) &&
           slab_reserve(&g->payments, 1) && slab_reserve(&g->notices, NOTICES_RESERVED) &&
           slab_reserve(&g->days, CLOSING_NUMBERS_MAX) &&
           map_reserve(&g->by_day, CLOSING_NUMBERS_MAX) && slab_reserve(&g->shadows, 1) &&
           slab_reserve(&g->discrepancies, 1) && map_reserve(&g->discrepancy_by_number, 1) &&
           map_reserve(&g->discrepancy_by_reference, 1) && slab_reserve(&g->receipts, 1) &&
           map_reserve(&g->receipt_by_number, 1) && map_reserve(&g->receipt_by_text, 1) &&
           map_reserve(&g->receipt_by_reference, 1) && map_reserve(&g->receipt_by_order, 2) &&
           slab_reserve(&g->feed, GATEWAY_FRAME_FEED_MAX) &&
           slab_reserve(&g->webhooks, WEBHOOKS_RESERVED) && map_reserve(&g->by_key_hash, 1) &&
           map_reserve(&g->by_provider_token, 1) && map_reserve(&g->by_short_code, 1) &&
           map_reserve(&g->by_number, 1) && map_reserve(&g->by_token, 1) &&
           map_reserve(&g->by_provider_id, 2) && map_reserve(&g->by_order, 2) &&
           map_reserve(&g->by_phone, 1) && map_reserve(&g->by_shown, 1) &&
           map_reserve(&g->by_receipt, 2) && map_reserve(&g->notice_by_key, NOTICES_RESERVED) &&
           map_reserve(&g->notice_by_number, NOTICES_RESERVED) &&
           map_reserve(&g->orphan_by_reference, 2) &&
           map_reserve(&g->feed_by_seq, GATEWAY_FRAME_FEED_MAX) &&
           map_reserve(&g->webhook_last, WEBHOOKS_RESERVED) &&
           map_reserve(&g->webhook_by_subject, WEBHOOKS_RESERVED) && timers_reserve(&g->due, 1);
}

/* ---- deciding ---- */

struct gateway_decision gateway__decision(const struct gateway *g, struct decision *d)
{
    struct gateway_decision gd = {.g = g, .d = d, .now_ns = d->command->now_ns};
    return gd;
}

void gateway__emit(struct gateway_decision *gd, const struct gateway_event *e)
{
    gateway_event_encode(decision_begin(gd->d, e->kind), e);
    decision_end(gd->d);
}

uint64_t gateway__queue(struct gateway_decision *gd, uint16_t kind, uint64_t subject,
                        uint64_t target)
{
    return gateway__queue_at(gd, kind, subject, target, gd->now_ns);
}

uint64_t gateway__queue_at(struct gateway_decision *gd, uint16_t kind, uint64_t subject,
                           uint64_t target, int64_t at_ns)
{
    struct outbox_event e;
    CHECK(gd->items < BOOK_RESERVE_ITEMS);
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_DELIVERY_QUEUED;
    e.number = outbox_next_number(&gd->g->book->outbox, ++gd->items);
    e.subject = subject;
    e.target = target;
    e.item_kind = kind;
    e.next_try_ns = at_ns;
    decision_outbox(gd->d, &e);
    return e.number;
}

static void gateway_decide(const void *state, struct decision *d)
{
    const struct gateway *g = state;
    switch (d->command->kind) {
    case COMMAND_GATEWAY_SEED: gateway__decide_seed(g, d); break;
    case COMMAND_MERCHANT_OPEN: gateway__decide_merchant(g, d); break;
    case COMMAND_API_KEY_OPEN: gateway__decide_api_key(g, d); break;
    case COMMAND_PROVIDER_OPEN: gateway__decide_provider(g, d); break;
    case COMMAND_PROVIDER_SET: gateway__decide_provider_set(g, d); break;
    case COMMAND_ENDPOINT_OPEN: gateway__decide_endpoint(g, d); break;
    case COMMAND_ENDPOINT_CHANGE: gateway__decide_endpoint_change(g, d); break;
    case COMMAND_ENDPOINT_ROTATE: gateway__decide_endpoint_rotate(g, d); break;
    case COMMAND_EVENT_REPLAY: gateway__decide_event_replay(g, d); break;
    case COMMAND_PAYMENT_CREATE: gateway__decide_create(g, d); break;
    case COMMAND_PAYMENT_SENDING: gateway__decide_sending(g, d); break;
    case COMMAND_PAYMENT_RESOLVE: gateway__decide_resolve(g, d); break;
    case COMMAND_PAYMENT_DUE: gateway__decide_due(g, d); break;
    case COMMAND_PAYMENT_RELEASE: gateway__decide_release(g, d); break;
    case COMMAND_PAYMENT_JUDGE: gateway__decide_judgement(g, d); break;
    case COMMAND_PAYOUT_CREATE: gateway__decide_payout(g, d); break;
    case COMMAND_SHADOW: gateway__decide_shadow(g, d); break;
    case COMMAND_CALLBACKS_ROTATE:
    case COMMAND_CALLBACKS_RETIRE: gateway__decide_callbacks(g, d); break;
    case COMMAND_NOTICE: gateway__decide_notice(g, d); break;
    case COMMAND_RECEIPT_ASSIGN: gateway__decide_assign(g, d); break;
    case COMMAND_C2B_URLS: gateway__decide_c2b(g, d); break;
    case COMMAND_PULL: gateway__decide_pull(g, d); break;
    case COMMAND_PULL_NUMBER: gateway__decide_pull_number(g, d); break;
    case COMMAND_PULL_DUE: gateway__decide_pull_due(g, d); break;
    case COMMAND_SWEEP: gateway__decide_sweep(g, d); break;
    case COMMAND_DISAGREE: gateway__decide_disagree(g, d); break;
    case COMMAND_DISCREPANCY_RESOLVE: gateway__decide_resolve_discrepancy(g, d); break;
    default: UNREACHABLE("unknown command of the merchant book");
    }
}

static bool gateway_work(const void *state, int64_t now_ns, struct book_command *out)
{
    const struct gateway *g = state;
    const struct timer_entry *first = timers_first(&g->due);
    bool sweep = g->sweep_due_ns != 0 && g->sweep_due_ns <= now_ns;
    if (first != NULL && first->due_ns <= now_ns) {
        out->kind = COMMAND_PAYMENT_DUE;
        return true;
    }
    bool pull = !sweep && g->pull_due_ns != 0 && g->pull_due_ns <= now_ns;
    out->kind = sweep ? COMMAND_SWEEP : pull ? COMMAND_PULL_DUE : out->kind;
    return sweep || pull;
}

static int64_t gateway_next_due(const void *state)
{
    const struct gateway *g = state;
    const struct timer_entry *first = timers_first(&g->due);
    int64_t sweep_ns = g->sweep_due_ns == 0 ? INT64_MAX : g->sweep_due_ns;
    int64_t pull_ns = g->pull_due_ns == 0 ? INT64_MAX : g->pull_due_ns;
    sweep_ns = pull_ns < sweep_ns ? pull_ns : sweep_ns;
    return first != NULL && first->due_ns < sweep_ns ? first->due_ns : sweep_ns;
}

bool gateway__surely_unsent(const struct delivery_result_command *c)
{
    const struct gateway_reading *reading = c->reading;
    switch (c->error) {
    case DELIVERY_RESOLVE:
    case DELIVERY_CONNECT:
    case DELIVERY_TLS:
    case DELIVERY_BAD_URL:
    case DELIVERY_FORBIDDEN:
    case DELIVERY_RULED:
    case DELIVERY_NO_TOKEN:
    case DELIVERY_WITHDRAWN: return true;
    case DELIVERY_ANSWERED:
        return reading != NULL && reading->answer.verdict == OBSERVED_REFUSED &&
               (reading->answer.reason == OBSERVED_REASON_BUSY ||
                reading->answer.reason == OBSERVED_REASON_TOKEN);
    default: return false;
    }
}

/* What asks a provider for money leaves again only when it surely did not arrive; a question is
 * asked once, the ladder asks again (of what has ended: ask_again in payment.c). */
static bool gateway_sent_once(const void *state, const struct outbox_item *item,
                              const struct delivery_result_command *c)
{
    (void)state;
    if (item->kind == MESSAGE_WEBHOOK) {
        return c->status == 410; /* the receiver wants no more of it */
    }
    if (merchant_message_is_forward(item->kind)) {
        return false; /* at least once, like any callback */
    }
    if (item->kind == CALL_PULL || item->kind == CALL_PULL_REGISTER) {
        /* Asking again does nothing twice; but what was answered is answered. */
        return c->error == DELIVERY_WITHDRAWN || (c->error == 0 && !gateway__surely_unsent(c));
    }
    return item->kind == CALL_QUERY || item->kind == CALL_STATUS ||
           c->error == DELIVERY_WITHDRAWN || !gateway__surely_unsent(c);
}

/* A customer waits for the prompt: a push is tried for a few seconds, a webhook for a day. */
static const struct outbox_schedule *gateway_schedule(const void *state,
                                                      const struct outbox_item *item)
{
    static const struct outbox_schedule push = {
        .tries = 5, .delay_ns = {0, NS_PER_S, 2 * NS_PER_S, 5 * NS_PER_S, 10 * NS_PER_S}};
    static const struct outbox_schedule once = {.tries = 1};
    static const struct outbox_schedule callback = {
        .tries = 10,
        .delay_ns = {0, 5 * NS_PER_S, 30 * NS_PER_S, 120 * NS_PER_S, 600 * NS_PER_S,
                     1800 * NS_PER_S, 3600 * NS_PER_S, 7200 * NS_PER_S, 14400 * NS_PER_S,
                     28800 * NS_PER_S}};
    static const struct outbox_schedule webhook = {
        .tries = 10,
        .delay_ns = {0, 5 * NS_PER_S, 300 * NS_PER_S, 1800 * NS_PER_S, 7200 * NS_PER_S,
                     18000 * NS_PER_S, 36000 * NS_PER_S, 50400 * NS_PER_S, 72000 * NS_PER_S,
                     86400 * NS_PER_S}};
    (void)state;
    if (item->kind == MESSAGE_WEBHOOK) {
        return &webhook;
    }
    if (merchant_message_is_forward(item->kind)) {
        return &callback;
    }
    return item->kind == CALL_QUERY || item->kind == CALL_STATUS ? &once : &push;
}

static void gateway_attempted(const void *state, struct decision *d, const struct outbox_item *item,
                              const struct delivery_result_command *c, uint8_t becomes)
{
    struct gateway_decision gd = gateway__decision(state, d);
    if (item->kind == MESSAGE_WEBHOOK) {
        gateway__webhook_attempted(&gd, item, c, becomes);
    } else if (merchant_call_moves_money(item->kind)) {
        gateway__push_attempted(&gd, item, c, becomes);
    } else if (item->kind == CALL_QUERY || item->kind == CALL_STATUS) {
        gateway__question_attempted(&gd, item, c);
    } else if (item->kind == CALL_REGISTER) {
        gateway__c2b_attempted(&gd, item, c, becomes);
    } else if (item->kind == CALL_PULL || item->kind == CALL_PULL_REGISTER) {
        gateway__pull_attempted(&gd, item, c, becomes);
    }
}

const struct book_domain merchant_domain = {
    .name = "merchant",
    .event_first = GATEWAY_EVENT_FIRST,
    .event_last = GATEWAY_EVENT_LAST,
    .event_name = gateway_event_name,
    .create = gateway_create,
    .destroy = gateway_destroy,
    .moved = gateway_moved,
    .reserve = gateway_reserve,
    .decide = gateway_decide,
    .apply = gateway__apply,
    .sent_once = gateway_sent_once,
    .work = gateway_work,
    .next_due = gateway_next_due,
    .save = gateway__save,
    .load = gateway__load,
    .check = gateway__check,
    .check_touched = gateway__check_touched,
    .closings = gateway__closings,
    .closing_count = GATEWAY_CLOSINGS,
    .named = gateway__named,
    .attempted = gateway_attempted,
    .schedule = gateway_schedule,
};

/* ---- keys ---- */

uint64_t gateway__bytes_key(const uint8_t bytes[16])
{
    uint64_t key;
    memcpy(&key, bytes, sizeof(key));
    return key;
}

uint64_t gateway__text_key(uint32_t scope, struct span text)
{
    return hash_bytes(text.data, text.size, scope);
}

uint64_t gateway__short_code_key(uint8_t kind, uint32_t short_code)
{
    return (uint64_t)kind << 32 | short_code;
}

static const struct map *map_of(const struct gateway *g, enum gateway_text which)
{
    return which == TEXT_OF_ORDER         ? &g->by_order
           : which == TEXT_OF_PROVIDER_ID ? &g->by_provider_id
                                          : &g->by_receipt;
}

static uint32_t text_of(const struct gateway_payment *p, enum gateway_text which)
{
    return which == TEXT_OF_ORDER         ? p->order
           : which == TEXT_OF_PROVIDER_ID ? p->provider_id
                                          : p->receipt;
}

uint32_t gateway__order_scope(const struct gateway_payment *p)
{
    CHECK(p->merchant < UINT32_C(1) << 31);
    return p->merchant | (gateway_pays_out(p->method) ? UINT32_C(1) << 31 : 0);
}

static uint32_t scope_of(const struct gateway_payment *p, enum gateway_text which)
{
    return which == TEXT_OF_ORDER ? gateway__order_scope(p) : p->provider;
}

/* Where the text lies, or the free place where it would. */
static uint64_t find_place(const struct gateway *g, enum gateway_text which, uint32_t scope,
                           struct span text, uint32_t *slot_out)
{
    const struct map *m = map_of(g, which);
    uint64_t key = gateway__text_key(scope, text);
    for (;; key++) {
        uint32_t slot = map_get(m, key);
        *slot_out = slot;
        if (slot == MAP_NONE) {
            return key;
        }
        const struct gateway_payment *p = payment_slot(g, slot);
        if (scope_of(p, which) == scope && span_equal(gateway_text(g, text_of(p, which)), text)) {
            return key;
        }
    }
}

uint32_t gateway__find(const struct gateway *g, enum gateway_text which, uint32_t scope,
                       struct span text)
{
    uint32_t slot = MAP_NONE;
    if (text.size > 0) {
        (void)find_place(g, which, scope, text, &slot);
    }
    return slot;
}

void gateway__index(struct gateway *g, enum gateway_text which, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    struct map *m = which == TEXT_OF_ORDER         ? &g->by_order
                    : which == TEXT_OF_PROVIDER_ID ? &g->by_provider_id
                                                   : &g->by_receipt;
    struct span text = gateway_text(g, text_of(p, which));
    uint32_t other;
    CHECK(text.size > 0);
    uint64_t key = find_place(g, which, scope_of(p, which), text, &other);
    if (other != MAP_NONE) {
        CHECK(map_remove(m, key)); /* of an order, the latest payment counts */
    }
    map_put(m, key, slot);
}

/* Of the same natural key each lies one further on: those behind a gap move up. */
static void close_gap(struct map *m, uint64_t gap,
                      uint64_t (*natural)(const struct gateway *g, const struct map *m,
                                          uint32_t slot),
                      const struct gateway *g)
{
    CHECK(map_remove(m, gap));
    for (uint64_t at = gap + 1; map_get(m, at) != MAP_NONE; at++) {
        uint32_t slot = map_get(m, at);
        if (at - natural(g, m, slot) >= at - gap) {
            CHECK(map_remove(m, at));
            map_put(m, gap, slot);
            gap = at;
        }
    }
}

static uint64_t text_natural(const struct gateway *g, const struct map *m, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    enum gateway_text which = m == &g->by_order         ? TEXT_OF_ORDER
                              : m == &g->by_provider_id ? TEXT_OF_PROVIDER_ID
                                                        : TEXT_OF_RECEIPT;
    return gateway__text_key(scope_of(p, which), gateway_text(g, text_of(p, which)));
}

/* Of an order the one before it takes its place, when that is in memory. */
static void unindex_text(struct gateway *g, enum gateway_text which, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    struct map *m = which == TEXT_OF_ORDER         ? &g->by_order
                    : which == TEXT_OF_PROVIDER_ID ? &g->by_provider_id
                                                   : &g->by_receipt;
    struct span text = gateway_text(g, text_of(p, which));
    uint32_t found = MAP_NONE;
    uint64_t key = text.size == 0 ? 0 : find_place(g, which, scope_of(p, which), text, &found);
    if (found != slot) {
        CHECK(which == TEXT_OF_ORDER || text.size == 0);
        return;
    }
    close_gap(m, key, text_natural, g);
    uint32_t before = which == TEXT_OF_ORDER ? gateway__payment_slot(g, p->before) : MAP_NONE;
    if (before != MAP_NONE) {
        gateway__index(g, which, before);
    }
}

/* ---- by phone: a list, the latest first ---- */

static uint64_t phone_key(uint32_t provider, uint64_t phone)
{
    return hash_u64(phone, provider);
}

static uint64_t phone_natural(const struct gateway *g, const struct map *m, uint32_t slot)
{
    (void)m;
    return phone_key(payment_slot(g, slot)->provider, payment_slot(g, slot)->phone);
}

static uint64_t phone_place(const struct gateway *g, uint32_t provider, uint64_t phone,
                            uint32_t *slot_out)
{
    for (uint64_t key = phone_key(provider, phone);; key++) {
        uint32_t slot = map_get(&g->by_phone, key);
        *slot_out = slot;
        if (slot == MAP_NONE || (payment_slot(g, slot)->provider == provider &&
                                 payment_slot(g, slot)->phone == phone)) {
            return key;
        }
    }
}

uint32_t gateway__find_by_phone(const struct gateway *g, uint32_t provider, uint64_t phone)
{
    uint32_t slot;
    (void)phone_place(g, provider, phone, &slot);
    return slot;
}

/* Where its number belongs. */
static void link_phone(struct gateway *g, uint32_t slot)
{
    struct gateway_payment *p = payment_slot(g, slot);
    uint32_t first;
    uint32_t after = SLAB_NONE;
    uint64_t key = phone_place(g, p->provider, p->phone, &first);
    uint32_t before = first == MAP_NONE ? SLAB_NONE : first;
    while (before != SLAB_NONE && payment_slot(g, before)->number > p->number) {
        after = before;
        before = payment_slot(g, before)->phone_before;
    }
    p->phone_before = before;
    p->phone_after = after;
    if (before != SLAB_NONE) {
        payment_slot(g, before)->phone_after = slot;
    }
    if (after != SLAB_NONE) {
        payment_slot(g, after)->phone_before = slot;
        return;
    }
    if (first != MAP_NONE) {
        CHECK(map_remove(&g->by_phone, key));
    }
    map_put(&g->by_phone, key, slot);
}

static void unlink_phone(struct gateway *g, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    uint32_t first;
    uint64_t key = phone_place(g, p->provider, p->phone, &first);
    CHECK((first == slot) == (p->phone_after == SLAB_NONE));
    if (p->phone_before != SLAB_NONE) {
        payment_slot(g, p->phone_before)->phone_after = p->phone_after;
    }
    if (p->phone_after != SLAB_NONE) {
        payment_slot(g, p->phone_after)->phone_before = p->phone_before;
    } else if (p->phone_before != SLAB_NONE) {
        CHECK(map_remove(&g->by_phone, key));
        map_put(&g->by_phone, key, p->phone_before);
    } else {
        close_gap(&g->by_phone, key, phone_natural, g);
    }
}

/* ---- all of a payment's ---- */

void gateway__index_created(struct gateway *g, uint32_t slot)
{
    struct gateway_payment *p = payment_slot(g, slot);
    uint32_t latest =
        gateway__find(g, TEXT_OF_ORDER, gateway__order_scope(p), gateway_text(g, p->order));
    if (latest == MAP_NONE || payment_slot(g, latest)->number < p->number) {
        gateway__index(g, TEXT_OF_ORDER, slot); /* of those in memory the latest counts */
    }
    link_phone(g, slot);
    gateway__place_shown(g, slot);
}

void gateway__index_payment(struct gateway *g, uint32_t slot)
{
    struct gateway_payment *p = payment_slot(g, slot);
    p->shown = false;
    map_put(&g->by_number, p->number, slot);
    map_put(&g->by_token, gateway__bytes_key(p->token), slot);
    if (p->provider_id != TEXT_NONE) {
        gateway__index(g, TEXT_OF_PROVIDER_ID, slot);
    }
    if (p->receipt != TEXT_NONE) {
        gateway__index(g, TEXT_OF_RECEIPT, slot);
    }
    gateway__index_created(g, slot);
}

void gateway__unindex_payment(struct gateway *g, uint32_t slot)
{
    const struct gateway_payment *p = payment_slot(g, slot);
    unindex_text(g, TEXT_OF_PROVIDER_ID, slot);
    unindex_text(g, TEXT_OF_RECEIPT, slot);
    unindex_text(g, TEXT_OF_ORDER, slot);
    unlink_phone(g, slot);
    gateway__take_out_shown(g, slot);
    CHECK(map_remove(&g->by_token, gateway__bytes_key(p->token)));
    CHECK(map_remove(&g->by_number, p->number));
}

/* ---- reads ---- */

const struct gateway *gateway_of(const struct book *b)
{
    CHECK(b->domain == &merchant_domain);
    return b->domain_state;
}

const struct gateway_merchant *gateway_merchant(const struct gateway *g, uint32_t slot)
{
    return slab_is_used(&g->merchants, slot) ? merchant_at(g, slot) : NULL;
}

const struct gateway_provider *gateway_provider(const struct gateway *g, uint32_t slot)
{
    return slab_is_used(&g->providers, slot) ? provider_at(g, slot) : NULL;
}

const struct gateway_endpoint *gateway_endpoint(const struct gateway *g, uint32_t slot)
{
    return slab_is_used(&g->endpoints, slot) ? endpoint_at(g, slot) : NULL;
}

uint32_t gateway_merchant_of_key(const struct gateway *g, const uint8_t hash[16])
{
    uint32_t slot = map_get(&g->by_key_hash, gateway__bytes_key(hash));
    if (slot == MAP_NONE) {
        return SLAB_NONE;
    }
    const struct gateway_key *k = slab_at(&g->keys, slot);
    struct span known = {(const char *)k->hash, sizeof(k->hash)};
    struct span given = {(const char *)hash, sizeof(k->hash)};
    return !k->closed && span_equal_secret(known, given) ? k->merchant : SLAB_NONE;
}

uint32_t gateway_provider_of(const struct gateway *g, uint32_t merchant, uint8_t kind,
                             uint32_t short_code)
{
    for (uint32_t i = slab_next(&g->providers, 0); i != SLAB_NONE;
         i = slab_next(&g->providers, i + 1)) {
        const struct gateway_provider *p = provider_at(g, i);
        if (p->merchant == merchant && p->kind == kind &&
            (short_code == 0 || p->short_code == short_code)) {
            return i;
        }
    }
    return SLAB_NONE;
}

uint32_t gateway_only_provider(const struct gateway *g, uint32_t merchant, uint8_t kind,
                               uint32_t short_code)
{
    uint32_t first = gateway_provider_of(g, merchant, kind, short_code);
    for (uint32_t i = first == SLAB_NONE ? SLAB_NONE : slab_next(&g->providers, first + 1);
         short_code == 0 && i != SLAB_NONE; i = slab_next(&g->providers, i + 1)) {
        if (provider_at(g, i)->merchant == merchant && provider_at(g, i)->kind == kind) {
            return SLAB_NONE; /* one of several: which, nobody said */
        }
    }
    return first;
}

uint32_t gateway__payment_slot(const struct gateway *g, uint64_t number)
{
    return map_get(&g->by_number, number);
}

/* What was read from the index last; NULL: nothing. */
static const struct gateway_payment *guest_of(const struct gateway *g)
{
    return g->guest.payment.number == 0 ? NULL : &g->guest.payment;
}

/* The guest, when its text of this kind is that; NULL. */
static const struct gateway_payment *guest_by(const struct gateway *g, enum gateway_text which,
                                              uint32_t scope, struct span text)
{
    const struct gateway_payment *p = guest_of(g);
    bool same = p != NULL && text.size > 0 && scope_of(p, which) == scope &&
                span_equal(gateway_text(g, text_of(p, which)), text);
    return same ? p : NULL;
}

const struct gateway_payment *gateway_payment(const struct gateway *g, uint64_t number)
{
    uint32_t slot = gateway__payment_slot(g, number);
    const struct gateway_payment *guest = guest_of(g);
    return slot != MAP_NONE                           ? payment_slot(g, slot)
           : guest != NULL && guest->number == number ? guest
                                                      : NULL;
}

const struct gateway_payment *gateway_payment_by_token(const struct gateway *g,
                                                       const uint8_t token[16])
{
    uint32_t slot = map_get(&g->by_token, gateway__bytes_key(token));
    const struct gateway_payment *p = slot == MAP_NONE ? guest_of(g) : payment_slot(g, slot);
    if (p == NULL) {
        return NULL;
    }
    struct span known = {(const char *)p->token, sizeof(p->token)};
    struct span given = {(const char *)token, sizeof(p->token)};
    return span_equal_secret(known, given) ? p : NULL;
}

static bool is_token(const uint8_t known[16], const uint8_t token[16])
{
    return span_equal_secret((struct span){(const char *)known, 16},
                             (struct span){(const char *)token, 16});
}

uint32_t gateway_provider_by_token(const struct gateway *g, const uint8_t token[16])
{
    uint32_t slot = map_get(&g->by_provider_token, gateway__bytes_key(token));
    if (slot == MAP_NONE) {
        return SLAB_NONE;
    }
    const struct gateway_provider *p = provider_at(g, slot);
    bool good = is_token(p->token, token) || (p->has_before && is_token(p->token_before, token));
    return good ? slot : SLAB_NONE;
}

bool gateway_token_is_retired(const struct gateway *g, const uint8_t token[16])
{
    uint32_t slot = map_get(&g->by_provider_token, gateway__bytes_key(token));
    const struct gateway_provider *p = slot == MAP_NONE ? NULL : provider_at(g, slot);
    return p != NULL && p->has_retired && is_token(p->token_retired, token);
}

const struct gateway_payment *gateway_payment_by_provider_id(const struct gateway *g,
                                                             uint32_t provider, struct span id)
{
    uint32_t slot = gateway__find(g, TEXT_OF_PROVIDER_ID, provider, id);
    return slot == MAP_NONE ? NULL : payment_slot(g, slot);
}

const struct gateway_payment *gateway_payment_by_receipt(const struct gateway *g, uint32_t provider,
                                                         struct span receipt)
{
    uint32_t slot = gateway__find(g, TEXT_OF_RECEIPT, provider, receipt);
    return slot != MAP_NONE ? payment_slot(g, slot)
                            : guest_by(g, TEXT_OF_RECEIPT, provider, receipt);
}

const struct gateway_payment *gateway_payment_of_order(const struct gateway *g, uint32_t merchant,
                                                       struct span order)
{
    uint32_t slot = gateway__find(g, TEXT_OF_ORDER, merchant, order);
    return slot != MAP_NONE ? payment_slot(g, slot) : guest_by(g, TEXT_OF_ORDER, merchant, order);
}

const struct gateway_payment *gateway_payment_before(const struct gateway *g,
                                                     const struct gateway_payment *p)
{
    return gateway_payment(g, p->before);
}

const struct gateway_notice *gateway_notice(const struct gateway *g, uint64_t number)
{
    uint32_t slot = map_get(&g->notice_by_number, number);
    for (uint32_t i = 0; slot == MAP_NONE && guest_of(g) != NULL && i < g->guest.payment.notices;
         i++) {
        if (g->guest.notices[i].number == number) {
            return &g->guest.notices[i];
        }
    }
    return slot == MAP_NONE ? NULL : notice_at(g, slot);
}

const struct gateway_notice *gateway_notice_at(const struct gateway *g, uint32_t slot)
{
    if (slot >= GATEWAY_GUEST_NOTICES && slot != SLAB_NONE) {
        CHECK(slot - GATEWAY_GUEST_NOTICES < g->guest.payment.notices);
        return &g->guest.notices[slot - GATEWAY_GUEST_NOTICES];
    }
    return slab_is_used(&g->notices, slot) ? notice_at(g, slot) : NULL;
}

const struct gateway_feed *gateway_feed_event(const struct gateway *g, uint64_t seq)
{
    uint32_t slot = map_get(&g->feed_by_seq, seq);
    return slot == MAP_NONE ? NULL : slab_at(&g->feed, slot);
}

struct span gateway_account_reference(const struct gateway *g, const struct gateway_payment *p)
{
    if (p->front_url != TEXT_NONE && gateway_pays_out(p->method)) {
        return gateway_text(g, p->occasion);
    }
    if (p->front_reference != TEXT_NONE) {
        return gateway_text(g, p->front_reference);
    }
    struct span order = gateway_text(g, p->order);
    order.size = order.size < GATEWAY_REFERENCE_SHOWN ? order.size : GATEWAY_REFERENCE_SHOWN;
    return order;
}

struct span gateway_text(const struct gateway *g, uint32_t handle)
{
    return texts_at(&g->book->texts, handle);
}

int64_t gateway_balance(const struct gateway *g, uint32_t account)
{
    const struct account *a = ledger_account(&g->book->ledger, account);
    CHECK(a != NULL);
    return account_balance(a);
}

enum gateway_push gateway_push_may_leave(const struct gateway *g, uint64_t number)
{
    const struct gateway_payment *p = gateway_payment(g, number);
    if (p == NULL || (p->state > GATEWAY_SUBMITTED && !gateway__is_resent(p))) {
        return PUSH_OVER;
    }
    return p->sending ? PUSH_INTERRUPTED : PUSH_MARK;
}

uint64_t gateway_transfer_id(uint64_t number, uint32_t leg)
{
    CHECK(leg < 8);
    CHECK(number < UINT64_C(1) << 56);
    return BOOK_DOMAIN_IDS | number << 3 | leg;
}

uint64_t gateway_receipt_transfer_id(uint64_t number, uint32_t leg)
{
    CHECK(leg < 8);
    CHECK(number < UINT64_C(1) << 56);
    return BOOK_DOMAIN_IDS | UINT64_C(1) << 59 | number << 3 | leg;
}

void gateway_check(const struct gateway *g)
{
    gateway__check(g);
}
