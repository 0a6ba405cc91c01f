/*
 * accounts.c - opening merchants, API keys, provider accounts and webhook endpoints; and the seed
 * of a new book.
 */
#include "merchant/accounts.h"

#include <string.h>

#include "base/caltime.h"
#include "merchant/internal.h"

/* Slots and ledger accounts that the next thing gets: of the book, or of the empty one that a seed
 * makes. */
struct places {
    uint32_t account;
    uint32_t merchant;
    uint32_t key;
    uint32_t provider;
};

static uint32_t slab_first_free(const struct slab *s)
{
    return s->free_head != SLAB_NONE ? s->free_head : s->high_water;
}

static struct places places_of(const struct gateway *g)
{
    struct places at = {
        .account = ledger_next_account(&g->book->ledger, 0),
        .merchant = slab_first_free(&g->merchants),
        .key = slab_first_free(&g->keys),
        .provider = slab_first_free(&g->providers),
    };
    return at;
}

static uint32_t open_account(struct gateway_decision *gd, struct places *at, uint16_t code,
                             uint64_t owner)
{
    struct ledger_event e;
    memset(&e, 0, sizeof(e));
    e.kind = EVENT_ACCOUNT_OPENED;
    e.account = at->account++;
    e.opened.code = code;
    e.opened.currency = LEDGER_CURRENCY_KES;
    e.opened.owner = owner;
    decision_ledger(gd->d, &e);
    return e.account;
}

static void open_merchant(struct gateway_decision *gd, struct places *at, struct span name)
{
    uint32_t slot = at->merchant++;
    struct gateway_event e = {.kind = EVENT_MERCHANT_OPENED};
    e.merchant_opened.slot = slot;
    e.merchant_opened.wallet = open_account(gd, at, GATEWAY_WALLET, slot);
    e.merchant_opened.escrow = open_account(gd, at, GATEWAY_ESCROW, slot);
    e.merchant_opened.fees = open_account(gd, at, GATEWAY_FEES, slot);
    e.merchant_opened.suspense = open_account(gd, at, GATEWAY_SUSPENSE, slot);
    gateway__emit(gd, &e);
    struct gateway_event kept = {.kind = EVENT_MERCHANT_KEPT};
    kept.merchant_kept.slot = slot;
    kept.merchant_kept.name = name;
    gateway__emit(gd, &kept);
}

static void open_key(struct gateway_decision *gd, struct places *at, uint32_t merchant,
                     const uint8_t hash[16])
{
    struct gateway_event e = {.kind = EVENT_API_KEY_OPENED};
    e.api_key_opened.slot = at->key++;
    e.api_key_opened.merchant = merchant;
    memcpy(e.api_key_opened.hash, hash, 16);
    gateway__emit(gd, &e);
}

static void open_provider(struct gateway_decision *gd, struct places *at,
                          const struct provider_command *c)
{
    uint32_t slot = at->provider++;
    struct gateway_event e = {.kind = EVENT_PROVIDER_OPENED};
    e.provider_opened.slot = slot;
    e.provider_opened.merchant = c->merchant;
    e.provider_opened.short_code = c->short_code;
    e.provider_opened.party_b = c->party_b;
    e.provider_opened.clearing = open_account(gd, at, GATEWAY_CLEARING, slot);
    e.provider_opened.target = c->target;
    memcpy(e.provider_opened.token, c->token, sizeof(c->token));
    e.provider_opened.provider_kind = c->kind;
    e.provider_opened.production = c->production;
    e.provider_opened.is_till = c->is_till;
    gateway__emit(gd, &e);
    struct gateway_event kept = {.kind = EVENT_PROVIDER_KEPT};
    kept.provider_kept.slot = slot;
    kept.provider_kept.base_url = c->base_url;
    kept.provider_kept.key = c->key;
    kept.provider_kept.secret = c->secret;
    kept.provider_kept.passkey = c->passkey;
    kept.provider_kept.initiator = c->initiator;
    kept.provider_kept.credential = c->credential;
    gateway__emit(gd, &kept);
}

void gateway__decide_seed(const struct gateway *g, struct decision *d)
{
    const struct gateway_seed_command *c = d->command->body;
    struct gateway_decision gd = gateway__decision(g, d);
    struct places at = {0, 0, 0, 0}; /* the book is empty from here on */
    decision_open_generation(d);
    open_merchant(&gd, &at, c->name);
    if (c->has_key) {
        open_key(&gd, &at, 0, c->key_hash);
    }
    if (c->has_provider) {
        CHECK(c->provider.merchant == 0);
        open_provider(&gd, &at, &c->provider);
    }
}

/* A book that is full of them could decide nothing any more: room for one is made ready before
 * every command (gateway_reserve), so the last place is never taken. */
static bool keys_full(const struct gateway *g, uint32_t merchant)
{
    uint32_t own = 0;
    for (uint32_t i = slab_next(&g->keys, 0); i != SLAB_NONE; i = slab_next(&g->keys, i + 1)) {
        own += ((const struct gateway_key *)slab_at(&g->keys, i))->merchant == merchant;
    }
    return own >= GATEWAY_KEYS_EACH || g->keys.used >= GATEWAY_KEYS_MAX - 1;
}

static bool providers_full(const struct gateway *g, uint32_t merchant)
{
    uint32_t own = 0;
    for (uint32_t i = slab_next(&g->providers, 0); i != SLAB_NONE;
         i = slab_next(&g->providers, i + 1)) {
        own += provider_at(g, i)->merchant == merchant;
    }
    return own >= GATEWAY_PROVIDERS_EACH || g->providers.used >= GATEWAY_PROVIDERS_MAX - 1;
}

void gateway__decide_merchant(const struct gateway *g, struct decision *d)
{
    const struct merchant_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    struct places at = places_of(g);
    if (g->merchants.used >= GATEWAY_MERCHANTS_MAX - 1) {
        reply->refusal = GATEWAY_TOO_MANY;
        return;
    }
    reply->slot = at.merchant;
    open_merchant(&gd, &at, c->name);
}

void gateway__decide_api_key(const struct gateway *g, struct decision *d)
{
    const struct api_key_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    struct places at = places_of(g);
    CHECK(slab_is_used(&g->merchants, c->merchant));
    if (map_get(&g->by_key_hash, gateway__bytes_key(c->hash)) != MAP_NONE) {
        reply->refusal = GATEWAY_EXISTS;
        return;
    }
    if (keys_full(g, c->merchant)) {
        reply->refusal = GATEWAY_TOO_MANY;
        return;
    }
    reply->slot = at.key;
    open_key(&gd, &at, c->merchant, c->hash);
}

void gateway__decide_provider(const struct gateway *g, struct decision *d)
{
    const struct provider_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    struct places at = places_of(g);
    CHECK(slab_is_used(&g->merchants, c->merchant));
    uint64_t key = gateway__short_code_key(c->kind, c->short_code);
    if (c->short_code != 0 && map_get(&g->by_short_code, key) != MAP_NONE) {
        reply->refusal = GATEWAY_EXISTS;
        return;
    }
    if (providers_full(g, c->merchant)) {
        reply->refusal = GATEWAY_TOO_MANY;
        return;
    }
    reply->slot = at.provider;
    open_provider(&gd, &at, c);
}

void gateway__decide_provider_set(const struct gateway *g, struct decision *d)
{
    const struct provider_set_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_provider *p = gateway_provider(g, c->provider);
    CHECK(c->when_unavailable <= GATEWAY_UNAVAILABLE_LAST);
    if (p == NULL || p->merchant != c->merchant) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    struct gateway_event e = {.kind = EVENT_PROVIDER_SET};
    e.provider_set.slot = c->provider;
    e.provider_set.when_unavailable = c->when_unavailable;
    gateway__emit(&gd, &e);
    reply->slot = c->provider;
}

bool gateway__unavailable(const struct gateway_decision *gd, uint32_t provider,
                          struct gateway_reply *reply)
{
    const struct gateway_provider *p = provider_at(gd->g, provider);
    int64_t until_ns = outbox_target_closed_until(&gd->g->book->outbox, p->target, gd->now_ns);
    if (until_ns == 0 || p->when_unavailable == GATEWAY_UNAVAILABLE_QUEUE) {
        return false;
    }
    reply->refusal = GATEWAY_UNAVAILABLE;
    reply->number = (uint64_t)((until_ns - gd->now_ns + NS_PER_S - 1) / NS_PER_S);
    return true;
}

void gateway__decide_endpoint(const struct gateway *g, struct decision *d)
{
    const struct endpoint_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    CHECK(slab_is_used(&g->merchants, c->merchant));
    uint32_t slot = slab_first_free(&g->endpoints);
    if (merchant_at(g, c->merchant)->endpoints == GATEWAY_ENDPOINTS_EACH ||
        slot >= GATEWAY_ENDPOINTS_MAX - 1) {
        reply->refusal = GATEWAY_TOO_MANY;
        return;
    }
    struct gateway_event e = {.kind = EVENT_ENDPOINT_OPENED};
    e.endpoint_opened.slot = slot;
    e.endpoint_opened.merchant = c->merchant;
    e.endpoint_opened.target = c->target;
    e.endpoint_opened.types = c->types;
    gateway__emit(&gd, &e);
    struct gateway_event kept = {.kind = EVENT_ENDPOINT_KEPT};
    kept.endpoint_kept.slot = slot;
    kept.endpoint_kept.url = c->url;
    kept.endpoint_kept.secret = c->secret;
    gateway__emit(&gd, &kept);
    reply->slot = slot;
}

void gateway__decide_endpoint_change(const struct gateway *g, struct decision *d)
{
    const struct endpoint_change_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_endpoint *endpoint = gateway_endpoint(g, c->endpoint);
    if (endpoint == NULL || endpoint->merchant != c->merchant) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    struct gateway_event e = {.kind = EVENT_ENDPOINT_CHANGED};
    e.endpoint_changed.slot = c->endpoint;
    e.endpoint_changed.status = c->status;
    e.endpoint_changed.types = c->types;
    gateway__emit(&gd, &e);
    reply->slot = c->endpoint;
}

void gateway__decide_endpoint_rotate(const struct gateway *g, struct decision *d)
{
    const struct endpoint_rotate_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_endpoint *endpoint = gateway_endpoint(g, c->endpoint);
    if (endpoint == NULL || endpoint->merchant != c->merchant) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    CHECK(c->secret.size > 0);
    struct gateway_event kept = {.kind = EVENT_ENDPOINT_SECRET_KEPT};
    kept.endpoint_secret_kept.slot = c->endpoint;
    kept.endpoint_secret_kept.secret = c->secret;
    gateway__emit(&gd, &kept);
    struct gateway_event e = {.kind = EVENT_ENDPOINT_ROTATED};
    e.endpoint_rotated.slot = c->endpoint;
    e.endpoint_rotated.before_until_ns = gd.now_ns + (int64_t)GATEWAY_ROTATION_S * NS_PER_S;
    gateway__emit(&gd, &e);
    reply->slot = c->endpoint;
}

/* ---- callback tokens ---- */

/* Two are good at most: what the provider sends to the old URLs arrives until somebody has looked
 * that it uses the new ones, and retires the old. */
void gateway__decide_callbacks(const struct gateway *g, struct decision *d)
{
    const struct callbacks_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_provider *p = gateway_provider(g, c->provider);
    bool rotate = d->command->kind == COMMAND_CALLBACKS_ROTATE;
    reply->slot = c->provider;
    if (p == NULL || p->merchant != c->merchant) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    if (rotate == p->has_before) {
        reply->refusal = rotate ? GATEWAY_TOO_MANY : GATEWAY_NOTHING_TO_DO;
        return;
    }
    struct gateway_event e = {.kind = rotate ? EVENT_CALLBACKS_ROTATED : EVENT_CALLBACKS_RETIRED};
    e.callbacks_rotated.slot = c->provider; /* of both the first */
    if (rotate) {
        CHECK(map_get(&g->by_provider_token, gateway__bytes_key(c->token)) == MAP_NONE);
        memcpy(e.callbacks_rotated.token, c->token, sizeof(c->token));
    }
    gateway__emit(&gd, &e);
}

/* ---- C2B URLs ---- */

void gateway__decide_c2b(const struct gateway *g, struct decision *d)
{
    const struct c2b_registration_command *c = d->command->body;
    struct gateway_reply *reply = d->command->reply;
    struct gateway_decision gd = gateway__decision(g, d);
    const struct gateway_provider *p = gateway_provider(g, c->provider);
    if (p == NULL || p->merchant != c->merchant || p->kind != OBSERVED_AT_DARAJA) {
        reply->refusal = GATEWAY_NOT_FOUND;
        return;
    }
    bool forwards = c->forward_url.size > 0;
    bool stands = p->c2b_state == GATEWAY_C2B_ASKED ||
                  (forwards && p->c2b_state == GATEWAY_C2B_REGISTERED &&
                   p->c2b_cancels == c->cancels); /* production registers once */
    if (p->c2b_state == GATEWAY_C2B_ASKED && !forwards) {
        reply->refusal = GATEWAY_UNDER_WAY;
        return;
    }
    if (forwards) {
        struct gateway_event kept = {.kind = EVENT_C2B_FORWARD_KEPT};
        kept.c2b_forward.slot = c->provider;
        kept.c2b_forward.target = c->forward_target;
        kept.c2b_forward.url = c->forward_url;
        gateway__emit(&gd, &kept);
    }
    reply->slot = c->provider;
    if (stands) {
        return;
    }
    struct gateway_event e = {.kind = EVENT_C2B_URLS_ASKED};
    e.c2b_asked.slot = c->provider;
    e.c2b_asked.rule = forwards ? p->c2b_rule : c->rule;
    e.c2b_asked.cancels = c->cancels;
    e.c2b_asked.item = gateway__queue(&gd, CALL_REGISTER, c->provider, p->target);
    gateway__emit(&gd, &e);
}

void gateway__forward_confirmation(struct gateway_decision *gd, const struct notice_command *c,
                                   uint64_t notice)
{
    const struct gateway_provider *p = provider_at(gd->g, c->provider);
    bool confirms = c->claim->kind == OBSERVED_RECEIPT && c->claim->source == OBSERVED_BY_CALLBACK;
    if (confirms && p->c2b_forward != TEXT_NONE) {
        (void)gateway__queue(gd, MESSAGE_C2B, notice, p->c2b_forward_target);
    }
}

/* Registering twice does no harm, but it is a person who asks again: in production URLs are
 * registered once. */
void gateway__c2b_attempted(struct gateway_decision *gd, const struct outbox_item *item,
                            const struct delivery_result_command *c, uint8_t becomes)
{
    const struct gateway_reading *reading = c->reading;
    const struct gateway_provider *p = gateway_provider(gd->g, (uint32_t)item->subject);
    CHECK(p != NULL);
    if (becomes == OUTBOX_WAITING || p->c2b_item != item->number) {
        return;
    }
    struct gateway_event e = {.kind = EVENT_C2B_URLS_ANSWERED};
    e.c2b_answered.slot = (uint32_t)item->subject;
    e.c2b_answered.state = gateway__surely_unsent(c) ? GATEWAY_C2B_REFUSED : GATEWAY_C2B_UNKNOWN;
    if (c->error == 0 && reading != NULL) {
        struct observation answer = gateway__cut(&reading->answer);
        e.c2b_answered.words = answer.words;
        e.c2b_answered.state = answer.verdict == OBSERVED_SUCCEEDED ? GATEWAY_C2B_REGISTERED
                               : answer.verdict == OBSERVED_REFUSED ? GATEWAY_C2B_REFUSED
                                                                    : e.c2b_answered.state;
    }
    gateway__emit(gd, &e);
}
