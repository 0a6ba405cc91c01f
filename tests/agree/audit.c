/*
 * audit.c - the end of a history: time runs until nothing is left to do, every message gets
 * through, and then everybody is asked about everything.
 */
#include <stdio.h>
#include <string.h>

#include "agree/acts.h"
#include "base/caltime.h"

typedef unsigned long long ull;

enum { WALLET_MINOR = 10000000 };

/* The list of everything that moved, page by page: each deal that is known and moves money once,
 * newest first, and nothing else. */
static void about_list(struct history *h)
{
    char query[64];
    char id[24] = "";
    uint32_t seen = 0;
    uint32_t expected = 0;
    bool more = true;
    for (uint32_t i = 0; i < h->deals->count; i++) {
        enum deal_kind kind = h->deals->list[i].kind;
        expected += kind != DEAL_STATUS && kind != DEAL_BALANCE;
    }
    while (more) {
        uint32_t limit = 1 + random_below(&h->random, 20);
        (void)snprintf(query, sizeof(query), "limit=%u%s%s", limit,
                       seen == 0 ? "" : "&starting_after=", id);
        struct json_object *o =
            town_json(h->town, town_ask(h->town, "GET", "/sim/v1/transactions", query, NULL));
        struct json_object *data = o == NULL ? NULL : json_member(o, "data");
        if (data == NULL || !json_boolean(json_member(o, "has_more"), &more) ||
            json_count(data) > limit || (more && json_count(data) < limit)) {
            contradiction("a page of transactions is none (%s)", query);
        }
        for (size_t i = 0; i < json_count(data); i++) {
            CHECK(member_text(h->town, json_item(data, i), "id", id, sizeof(id)));
            if (deal_by_id(h->deals, id) == NULL) {
                contradiction("%s is listed, and nobody knows it", id);
            }
            seen++;
        }
    }
    if (seen != expected) {
        contradiction("%u transactions are listed, and %u are known", seen, expected);
    }
}

/* Payments and requests that nobody has told of yet: a rule bent the answer. */
static void meet_all(struct history *h, const char *path, const char *query)
{
    char ids[DEALS_MAX][24];
    struct json_object *o = town_json(h->town, town_ask(h->town, "GET", path, query, NULL));
    struct json_object *data = o == NULL ? NULL : json_member(o, "data");
    bool more = true;
    if (data == NULL || !json_boolean(json_member(o, "has_more"), &more) || more) {
        contradiction("%s is no list, or too long", path);
    }
    size_t count = json_count(data);
    for (size_t i = 0; i < count; i++) {
        CHECK(member_text(h->town, json_item(data, i), "id", ids[i], sizeof(ids[i])));
    }
    for (size_t i = 0; i < count; i++) {
        if (deal_find(h->deals, ids[i]) == NULL) {
            contradiction("%s lists %s, which is not found", path, ids[i]);
        }
    }
}

/* Status by receipt or id: the result is heard like any other. */
static void ask_status(struct history *h, const struct deal *about)
{
    uint32_t index = (uint32_t)(about - h->deals->list);
    uint64_t asked = ++h->deals->moment;
    bool by_receipt = about->receipt[0] != '\0';
    char id[ID_MAX];
    struct wire_reply reply =
        town_post(h->town, "/mpesa/transactionstatus/v1/query",
                  "{\"Initiator\":\"testapi\",\"SecurityCredential\":\"eA==\",\"Remarks\":\"r\","
                  "\"CommandID\":\"TransactionStatusQuery\",\"%s\":\"%s\",\"PartyA\":%u,"
                  "\"IdentifierType\":\"4\",\"QueueTimeOutURL\":\"http://10.0.0.1/late\","
                  "\"ResultURL\":\"http://10.0.0.1/result\"}",
                  by_receipt ? "TransactionID" : "OriginatorConversationID",
                  by_receipt ? about->receipt : about->wire_id, about->short_code);
    CHECK(member_text(h->town, town_json(h->town, reply), "OriginatorConversationID", id,
                      sizeof(id)));
    struct json_object *o =
        town_json(h->town, town_ask(h->town, "GET", "/sim/v1/requests", "limit=1", NULL));
    char own[24];
    CHECK(member_text(h->town, json_item(json_member(o, "data"), 0), "id", own, sizeof(own)));
    struct deal *deal = deal_find(h->deals, own);
    if (deal == NULL || strcmp(deal->wire_id, id) != 0) {
        contradiction("a status query was accepted as %s and is %s", id, own);
    }
    deal->about = index + 1;
    deal->asked_moment = asked;
    town_settle(h->town);
    ears_listen(h->ears);
}

/* Messages that were given up, or sent no more than once, may never have been heard. */
static bool may_be_unheard(struct history *h, const struct deal *deal)
{
    int64_t dead;
    (void)view_number(h->town, &dead,
                      "SELECT count(*) FROM callbacks WHERE %s_number = %llu AND state = 'dead'",
                      deal->kind == DEAL_PUSH ? "transaction" : "request", (ull)deal->number);
    return deal->kind == DEAL_BALANCE || deal->lie.held || dead > 0;
}

/* As many different messages were heard about a deal as its end, or a rule, orders. */
static void count_messages(struct history *h, const struct deal *deal)
{
    uint32_t expected = deal->lie.callback_never  ? 0
                        : deal->lie.callbacks > 0 ? deal->lie.callbacks
                                                  : 1;
    expected = deal->kind == DEAL_C2B && !deal->paid ? 0 : expected;
    if (deal->callbacks > expected || (deal->callbacks < expected && !may_be_unheard(h, deal))) {
        contradiction("%s (%s) was told %u times, not %u", deal->id, deal->wire_id, deal->callbacks,
                      expected);
    }
}

/* Rules in force, and how often each met a call. */
static void about_rules(struct history *h)
{
    char name[TOWN_TEXT_MAX];
    char seen[TOWN_TEXT_MAX];
    struct json_object *o =
        town_json(h->town, town_ask(h->town, "GET", "/sim/v1/rules", NULL, NULL));
    struct json_object *list = o == NULL ? NULL : json_member(o, "rules");
    int64_t count;
    (void)view_number(h->town, &count, "SELECT count(*) FROM rules");
    if ((size_t)count != json_count(list)) {
        contradiction("the view has %lld rules, not %zu", (long long)count, json_count(list));
    }
    for (size_t i = 0; i < json_count(list); i++) {
        int64_t matched;
        int64_t applied;
        struct json_object *rule = json_item(list, i);
        CHECK(member_text(h->town, rule, "name", name, sizeof(name)));
        (void)view_text(h->town, seen, "SELECT name FROM rules WHERE rule_number = %zu", i + 1);
        (void)view_number(h->town, &matched, "SELECT matched FROM rules WHERE rule_number = %zu",
                          i + 1);
        (void)view_number(h->town, &applied, "SELECT applied FROM rules WHERE rule_number = %zu",
                          i + 1);
        if (strcmp(name, seen) != 0 || matched != member_integer(rule, "matched") ||
            applied != member_integer(rule, "applied")) {
            contradiction("rule %s is %s in the view, matched %lld, applied %lld", name, seen,
                          (long long)matched, (long long)applied);
        }
    }
}

/* The question about a C2B payment, as it was heard. */
static void about_validation(struct history *h, const struct deal *deal)
{
    char receipt[TOWN_TEXT_MAX];
    int64_t answered;
    if (!view_text(h->town, receipt, "SELECT receipt FROM validations WHERE request_number = %llu",
                   (ull)deal->number) ||
        !view_number(h->town, &answered,
                     "SELECT answered FROM validations WHERE request_number = %llu",
                     (ull)deal->number) ||
        strcmp(receipt, deal->reserved) != 0) {
        contradiction("the view has the validation of %s with \"%s\"", deal->id, receipt);
    }
}

static void about_deal(struct history *h, struct deal *deal)
{
    deal_look(h->deals, deal);
    if (!deal->ended) {
        contradiction("%s has not ended, and nothing is left to do", deal->id);
    }
    count_messages(h, deal);
    ears_view(h->ears, deal);
    if (deal->kind == DEAL_PUSH) {
        ears_query(h->ears, deal);
    }
    if (deal->reserved[0] != '\0' && deal->paid && strcmp(deal->reserved, deal->receipt) != 0) {
        contradiction("the validation of %s told %s, and its receipt is %s", deal->id,
                      deal->reserved, deal->receipt);
    }
    if (deal->reserved[0] != '\0') {
        about_validation(h, deal);
    }
    h->paid += deal->paid;
    h->ruled += deal->ruled;
}

/* ---- money ---- */

/* What is in a wallet is what the deals that were told of make of what was there at first. */
static void about_wallet(struct history *h, uint64_t phone)
{
    char path[64];
    int64_t seen_minor;
    int64_t expected_minor = WALLET_MINOR;
    for (uint32_t i = 0; i < h->deals->count; i++) {
        const struct deal *deal = &h->deals->list[i];
        bool out = deal->kind == DEAL_PUSH || deal->kind == DEAL_C2B;
        if (deal->phone != phone || !deal->paid) {
            continue;
        }
        expected_minor -= out && !deal->reversed ? deal->amount_minor : 0;
        expected_minor += deal->kind == DEAL_B2C ? deal->amount_minor : 0;
    }
    (void)snprintf(path, sizeof(path), "/sim/v1/subscribers/%llu", (ull)phone);
    struct json_object *o = town_json(h->town, town_ask(h->town, "GET", path, NULL, NULL));
    int64_t told_minor = member_integer(o, "balance");
    (void)view_number(h->town, &seen_minor,
                      "SELECT balance FROM subscriber_balances WHERE msisdn = %llu", (ull)phone);
    if (told_minor != expected_minor || seen_minor != expected_minor) {
        contradiction("the wallet of %llu has %lld, in the view %lld; what was told makes %lld",
                      (ull)phone, (long long)told_minor, (long long)seen_minor,
                      (long long)expected_minor);
    }
}

static void about_organisation(struct history *h, uint32_t short_code)
{
    static const char *const names[] = {"utility", "working", "charges_paid", "settlement"};
    char path[64];
    int64_t told_minor[4];
    int64_t seen_minor;
    (void)snprintf(path, sizeof(path), "/sim/v1/organisations/%u", short_code);
    struct json_object *o = town_json(h->town, town_ask(h->town, "GET", path, NULL, NULL));
    struct json_object *accounts = o == NULL ? NULL : json_member(o, "accounts");
    for (uint32_t i = 0; i < 4; i++) {
        told_minor[i] = member_integer(accounts, names[i]);
        (void)view_number(h->town, &seen_minor,
                          "SELECT %s FROM organisation_balances WHERE short_code = %u", names[i],
                          short_code);
        if (told_minor[i] != seen_minor) {
            contradiction("the %s account of %u has %lld, in the view %lld", names[i], short_code,
                          (long long)told_minor[i], (long long)seen_minor);
        }
    }
}

static void about_money(struct history *h)
{
    int64_t sum;
    for (uint32_t i = 0; i < PHONES; i++) {
        about_wallet(h, phones[i]);
    }
    for (uint32_t i = 0; i < CODES; i++) {
        about_organisation(h, codes[i]);
    }
    (void)view_number(h->town, &sum, "SELECT sum(balance) FROM accounts");
    if (sum != 0) {
        contradiction("all accounts together have %lld in the view", (long long)sum);
    }
}

void history_audit(struct history *h)
{
    char body[64];
    h->ears->faithful = true;
    struct wire_reply reply = town_ask(h->town, "POST", "/sim/v1/clock/run-until-idle", NULL, "{}");
    if (reply.status != 200) {
        contradiction("running until idle was answered %u", reply.status);
    }
    town_settle(h->town);
    town_authorize(h->town);
    ears_listen(h->ears);
    meet_all(h, "/sim/v1/transactions", "limit=100&type=stk_push");
    meet_all(h, "/sim/v1/requests", "limit=100");
    about_list(h);
    for (uint32_t i = 0; i < CODES; i++) { /* what is asked from now on is answered at once */
        char path[64];
        (void)snprintf(path, sizeof(path), "/sim/v1/organisations/%u", codes[i]);
        (void)snprintf(body, sizeof(body), "{\"queue_delay_ms\":0}");
        CHECK(town_ask(h->town, "PATCH", path, NULL, body).status == 200);
    }
    uint32_t count = h->deals->count;
    for (uint32_t i = 0; i < count; i++) {
        about_deal(h, &h->deals->list[i]);
    }
    for (uint32_t i = 0; i < count && i < 20; i++) {
        const struct deal *deal = &h->deals->list[i];
        bool known = deal->receipt[0] != '\0' || deal->kind == DEAL_PUSH;
        if (known && random_percent(&h->random, 30)) {
            ask_status(h, deal);
        }
    }
    bool young = engine_now(h->town->engine) - h->started_ns < (int64_t)47 * 3600 * NS_PER_S;
    for (uint32_t i = 0; i < CODES; i++) {
        ears_pull(h->ears, codes[i], young);
    }
    about_money(h);
    about_rules(h);
}
