/*
 * rules.h - scenario rules in the book (R6.2): the lists that are in force, how often each was met,
 * and what a rule ordered for a call. Rules change outcomes, answers and messages; never the truth:
 * ledger, books and GET /sim/v1 keep to what happened, and say which rule was behind it (R6.4).
 *
 * How a call is judged: the user's rules in their order, then the built-in ones; the first that
 * matches applies. A rule's `matched` counts the calls that its conditions held for and that no
 * rule before it took; nth, first, every and the chance look at that number.
 *
 * How an API adopts rules
 *  1. At the face, when the request is read and its sender known, before any command: fill a
 *     struct rule_call and call face_rule_gate(q, &call) (face/internal.h). True: a rule has
 *     answered, and has been counted. An API that decides nothing in the book (a query, a token)
 *     calls face_rule_read instead, which counts as well.
 *  2. In decide, when the request is about to be accepted: operator_rule_look(o, &call, &verdict),
 *     then, after the events of the acceptance, operator__rule_count(d, &verdict), and keep the
 *     order with what was accepted: operator__ruled_encode gives the bytes of a text, which an
 *     event of that API carries (STK_RULED is the payment's, REQUEST_RULED the requests').
 *  3. Where it ends: operator_ruled(o, text, &ruled) gives the order back, to change the outcome,
 *     and operator__rule_messages queues its messages as ordered.
 *  4. At the face again: q->rule = the order, before answering; every surface_* answer obeys it and
 *     says so in Hakika-Explain.
 *
 * Invariants (operator_check)
 *  S1  what a payment was ordered can be read back, for as long as the payment is known.
 *  S2  `held` names messages of the outbox, each once, in their order.
 *  S3  a rule applied at most as often as it was met.
 */
#ifndef HAKIKA_OPERATOR_RULES_H
#define HAKIKA_OPERATOR_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/rule.h"
#include "base/span.h"

enum {
    RULES_HELD_MAX = 64, /* messages that wait for the next one of their target */
    RULE_ORDER_BYTES_MAX = RULE_EFFECTS_BYTES_MAX + RULE_NAME_MAX + 16,
};

struct operator_state;

struct rule_count {
    uint64_t matched;
    uint64_t applied;
};

struct rule_book {
    uint64_t revision; /* counts changes of the lists */
    struct rule_list lists[RULE_ORIGINS];
    struct rule_count counts[RULE_ORIGINS][RULES_MAX];
    uint64_t held[RULES_HELD_MAX]; /* messages that wait for the next one: outbox numbers */
    uint32_t held_count;
};

/* What the rules say about one call. Counts nothing by itself. */
struct rule_verdict {
    const struct rule *rule; /* the one that applies; NULL: none */
    uint8_t origin;          /* of that rule: enum rule_origin */
    uint8_t index;
    uint32_t met_count;
    uint8_t met[RULE_ORIGINS * RULES_MAX]; /* rules to be counted: index, top bit the origin */
};

/* What a rule ordered, as it is kept with what was accepted. */
struct ruled {
    uint64_t revision;
    uint8_t origin;
    uint8_t index;
    char name[RULE_NAME_MAX + 1];
    struct rule_effects effects;
};

/* The call that a request is; false: none that rules are for. */
struct request_command;
bool request_rule_call(const struct request_command *c, struct rule_call *out);
void operator_rule_look(const struct operator_state *o, const struct rule_call *call,
                        struct rule_verdict *out);
/* What the kept text `handle` says; false: TEXT_NONE, nothing was ordered. */
bool operator_ruled(const struct operator_state *o, uint32_t handle, struct ruled *out);
/* The bytes that are kept. */
size_t operator_ruled_encode(const struct operator_state *o, const struct rule_verdict *v,
                             uint8_t out[RULE_ORDER_BYTES_MAX]);
bool operator_ruled_decode(struct span bytes, struct ruled *out) MUST_USE;

/* Kind of a message whose words are not the truth but what a rule ordered: this bit and the kind
 * that it would have. */
enum { MESSAGE_RULED = 0x8000 };
/* next_try_ns of a message that is held until the next one of its target has gone out. */
#define MESSAGE_HELD_NS INT64_MAX

/* A list in bytes, as COMMAND_RULES_SET carries it; 0: more than RULES_BYTES_MAX. */
size_t rule_list_encode(const struct rule_list *list, uint8_t out[RULES_BYTES_MAX]);
/* False: not exactly such a list. out may be NULL: only look. */
bool rule_list_decode(struct span bytes, struct rule_list *out) MUST_USE;

#endif
