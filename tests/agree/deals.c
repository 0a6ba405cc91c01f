/*
 * deals.c - see deals.h.
 */
#include "agree/deals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/money.h"

typedef unsigned long long ull;

void deals_begin(struct deals *d, struct town *town)
{
    const char *tampered = d->tampered;
    uint64_t claims = d->claims;
    uint64_t tampered_count = d->tampered_count;
    memset(d, 0, sizeof(*d));
    d->town = town;
    d->tampered = tampered;
    d->claims = claims;
    d->tampered_count = tampered_count;
}

struct deal *deal_add(struct deals *d, enum deal_kind kind)
{
    CHECK(d->count < DEALS_MAX);
    struct deal *deal = &d->list[d->count++];
    memset(deal, 0, sizeof(*deal));
    deal->kind = kind;
    deal->amount_minor = -1;
    deal->lie.callback_amount_minor = -1;
    deal->asked_moment = d->moment;
    return deal;
}

static struct deal *find(struct deals *d, const char *text, size_t offset)
{
    for (uint32_t i = 0; i < d->count; i++) {
        const char *own = (const char *)&d->list[i] + offset;
        if (text[0] != '\0' && strcmp(own, text) == 0) {
            return &d->list[i];
        }
    }
    return NULL;
}

struct deal *deal_by_id(struct deals *d, const char *id)
{
    return find(d, id, offsetof(struct deal, id));
}

struct deal *deal_by_wire(struct deals *d, const char *wire_id)
{
    return find(d, wire_id, offsetof(struct deal, wire_id));
}

struct deal *deal_by_receipt(struct deals *d, const char *receipt)
{
    return find(d, receipt, offsetof(struct deal, receipt));
}

int64_t minor_of(const char *text, const char *what)
{
    int64_t minor;
    bool below = text[0] == '-'; /* the charges that an organisation has paid */
    if (!money_parse(span_from(text + below), &minor)) {
        contradiction("%s is no amount: \"%s\"", what, text);
    }
    return below ? -minor : minor;
}

/* ---- claims ---- */

static void disagree(const struct deal *deal, const struct claim *c, const char *what,
                     const char *said, const char *known)
{
    contradiction("%s says of %s (%s) that its %s is \"%s\", after \"%s\" was heard", c->source,
                  deal->id, deal->wire_id, what, said, known);
}

static void end_deal(struct deals *d, struct deal *deal, const struct claim *c)
{
    CHECK(c->code != NULL);
    deal->ended = true;
    deal->ended_moment = d->moment;
    deal->paid = strcmp(c->code, "0") == 0;
    (void)snprintf(deal->code, sizeof(deal->code), "%s", c->code);
}

static void compare_amount(struct deal *deal, const struct claim *c)
{
    char said[32];
    char known[32];
    if (c->amount_minor < 0) {
        return;
    }
    deal->amount_minor = deal->amount_minor < 0 ? c->amount_minor : deal->amount_minor;
    if (c->amount_minor != deal->amount_minor) {
        (void)snprintf(said, sizeof(said), "%lld", (long long)c->amount_minor);
        (void)snprintf(known, sizeof(known), "%lld", (long long)deal->amount_minor);
        disagree(deal, c, "amount", said, known);
    }
}

/* Status and balance queries have receipts of nobody; only what moved money has one. */
static bool gives_receipt(const struct deal *deal)
{
    return deal->paid && deal->kind != DEAL_STATUS && deal->kind != DEAL_BALANCE;
}

static void compare_receipt(struct deal *deal, const struct claim *c)
{
    if (c->receipt == NULL) {
        return;
    }
    if (gives_receipt(deal) != (c->receipt[0] != '\0')) {
        disagree(deal, c, "receipt", c->receipt, deal->paid ? "paid" : "not paid");
    }
    if (deal->receipt[0] == '\0') {
        CHECK(strlen(c->receipt) < sizeof(deal->receipt));
        (void)snprintf(deal->receipt, sizeof(deal->receipt), "%s", c->receipt);
    }
    if (strcmp(deal->receipt, c->receipt) != 0) {
        disagree(deal, c, "receipt", c->receipt, deal->receipt);
    }
}

/* The self-test: one word of a source is changed, and somebody must notice. */
static struct claim tampered(struct deals *d, const struct claim *claim)
{
    struct claim c = *claim;
    if (d->tampered == NULL || strcmp(d->tampered, c.source) != 0) {
        return c;
    }
    d->tampered_count++;
    if (d->tampered_count % 3 == 0 && c.amount_minor >= 0) {
        c.amount_minor += 100;
    } else if (d->tampered_count % 3 == 1 && c.receipt != NULL && c.receipt[0] != '\0') {
        c.receipt = "SXX0000000";
    } else if (!c.open && c.code != NULL) {
        c.code = strcmp(c.code, "0") == 0 ? "1037" : "0";
    }
    return c;
}

void deal_claim(struct deals *d, struct deal *deal, const struct claim *claim)
{
    struct claim c = tampered(d, claim);
    d->claims++;
    trace("  = %s: %s %s code %s receipt %s amount %lld", c.source, deal->id,
          c.open ? "open" : "ended", c.code == NULL ? "-" : c.code,
          c.receipt == NULL ? "-" : c.receipt, (long long)c.amount_minor);
    compare_amount(deal, &c);
    if (c.open) {
        if (deal->ended && deal->ended_moment < c.asked) {
            disagree(deal, &c, "state", "open", deal->code);
        }
        return;
    }
    if (!deal->ended && c.code != NULL) {
        end_deal(d, deal, &c);
    }
    if (c.code != NULL && strcmp(c.code, deal->code) != 0) {
        disagree(deal, &c, "result code", c.code, deal->code);
    }
    compare_receipt(deal, &c);
}

/* ---- the truth ---- */

/* "r3": the rules here are named after their place. */
static void learn_lie(struct deals *d, struct deal *deal, struct json_object *o)
{
    char name[16];
    struct json_object *ruled = json_member(o, "ruled_by");
    if (deal->ruled || ruled == NULL || json_is_null(ruled)) {
        return;
    }
    if (!member_text(d->town, ruled, "rule", name, sizeof(name)) || name[0] != 'r') {
        contradiction("%s was ruled by nobody knows what", deal->id);
    }
    deal->ruled = true;
    deal->lie = d->rules[(name[1] - '0') % LIES_MAX];
}

static bool is_push(const struct deal *deal)
{
    return deal->kind == DEAL_PUSH;
}

static void learn(struct deals *d, struct deal *deal, struct json_object *o)
{
    struct town *t = d->town;
    CHECK(member_text(t, o, "id", deal->id, sizeof(deal->id)));
    deal->number = strtoull(deal->id + 4, NULL, 10);
    CHECK(member_text(t, o, is_push(deal) ? "checkout_request_id" : "originator_conversation_id",
                      deal->wire_id, sizeof(deal->wire_id)));
    deal->short_code = (uint32_t)member_integer(o, "short_code");
    deal->phone = (uint64_t)member_integer(o, is_push(deal) ? "msisdn" : "party");
    learn_lie(d, deal, o);
}

void deal_look(struct deals *d, struct deal *deal)
{
    char path[128];
    char status[16];
    char code[CODE_MAX];
    char receipt[RECEIPT_MAX];
    char reversed[24];
    struct town *t = d->town;
    bool push = is_push(deal);
    (void)snprintf(path, sizeof(path), "/sim/v1/%s/%s", push ? "transactions" : "requests",
                   deal->id[0] != '\0' ? deal->id : deal->wire_id);
    uint64_t asked = d->moment++;
    struct json_object *o = town_json(t, town_ask(t, "GET", path, NULL, NULL));
    if (o == NULL) {
        contradiction("%s is not found", path);
    }
    learn(d, deal, o);
    CHECK(member_text(t, o, "status", status, sizeof(status)));
    bool open = strcmp(status, "PENDING") == 0 || strcmp(status, "PROCESSING") == 0;
    bool coded = member_text(t, o, "result_code", code, sizeof(code));
    (void)member_text(t, o, "receipt", receipt, sizeof(receipt));
    deal->reversed = member_text(t, o, "reversed_by", reversed, sizeof(reversed));
    if (coded == open || (!open && (strcmp(status, "SUCCESS") == 0) != (strcmp(code, "0") == 0))) {
        contradiction("%s has status %s and code \"%s\"", path, status, code);
    }
    deal_claim(d, deal,
               &(struct claim){"the control API", asked, open, coded ? code : NULL,
                               open ? NULL : receipt, member_integer(o, "amount")});
}

void deal_know(struct deals *d, struct deal *deal)
{
    if (!deal->ended || deal->wire_id[0] == '\0') {
        deal_look(d, deal);
    }
}

static enum deal_kind kind_of(const char *type)
{
    static const struct {
        const char *type;
        enum deal_kind kind;
    } kinds[] = {{"stk_push", DEAL_PUSH},
                 {"c2b", DEAL_C2B},
                 {"b2c", DEAL_B2C},
                 {"b2b", DEAL_B2B},
                 {"reversal", DEAL_REVERSAL},
                 {"transaction_status", DEAL_STATUS},
                 {"account_balance", DEAL_BALANCE}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].type, type) == 0) {
            return kinds[i].kind;
        }
    }
    contradiction("there is a request of type %s, which nobody made", type);
}

/* Asks the API what has this id; false: it does not know. */
static bool look_up(struct deals *d, const char *id, bool push, char type[32], char own[24])
{
    char path[128];
    struct town *t = d->town;
    (void)snprintf(path, sizeof(path), "/sim/v1/%s/%s", push ? "transactions" : "requests", id);
    struct json_object *o = town_json(t, town_ask(t, "GET", path, NULL, NULL));
    return o != NULL && member_text(t, o, "type", type, 32) && member_text(t, o, "id", own, 24);
}

struct deal *deal_find(struct deals *d, const char *id)
{
    char type[32];
    char own[24];
    struct deal *deal = deal_by_id(d, id);
    deal = deal != NULL ? deal : deal_by_wire(d, id);
    deal = deal != NULL ? deal : deal_by_receipt(d, id);
    if (deal != NULL) {
        return deal;
    }
    if (!look_up(d, id, true, type, own) && !look_up(d, id, false, type, own)) {
        return NULL;
    }
    deal = deal_by_id(d, own); /* its receipt was not known yet */
    if (deal == NULL) {
        deal = deal_add(d, kind_of(type));
        (void)snprintf(deal->id, sizeof(deal->id), "%s", own);
    }
    deal_look(d, deal);
    return deal;
}

bool message_is_new(struct deals *d, uint64_t number, struct span bytes)
{
    CHECK(number > 0 && number < MESSAGES_MAX);
    struct message_seen *seen = &d->seen[number];
    uint64_t hash = hash_bytes(bytes.data, bytes.size, 1);
    if (seen->number == 0) {
        *seen = (struct message_seen){number, hash};
        return true;
    }
    if (seen->hash != hash) {
        contradiction("delivery %llu says something else than before: %.*s", (ull)number,
                      (int)bytes.size, bytes.data);
    }
    return false;
}
