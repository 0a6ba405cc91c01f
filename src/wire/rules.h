/*
 * rules.h - the rules document of the control API, both directions: JSON to plain rules (base/
 * rule.h) and back. What it may hold, with examples: docs/rules.md; as a JSON schema:
 * src/face/rules.schema.json, which accepts what this accepts (but for what a schema cannot say:
 * min above max, a member named twice, the size of all rules together).
 *
 * Guarantees: a document is taken whole or refused whole, with the place (a JSON pointer) and the
 * reason; nothing that is not understood is passed over. Reading what was rendered gives the same
 * rules again. Tests: tests/unit/test_rules_document.c, tests/fuzz/fuzz_rules.c.
 */
#ifndef HAKIKA_WIRE_RULES_H
#define HAKIKA_WIRE_RULES_H

#include "base/codec.h"
#include "base/rule.h"
#include "wire/json.h"

struct rules_error {
    char place[128]; /* "/rules/3/match/phone"; empty: the document itself */
    char why[200];
};

/* {"rules": [...]}. False: *out is of no use and *error says where and why. */
bool rules_parse(struct span text, struct json_scratch *scratch, struct rule_list *out,
                 struct rules_error *error) MUST_USE;
/* As a JSON object {"name", "match", "then"}; what is left open is closed by the caller, who may
 * add members: the object is not closed. */
void rule_render_open(struct writer *w, const struct rule *rule);
/* What a rule orders, as the value of "then". */
void rule_effects_render(struct writer *w, const struct rule_effects *e);

/* "stk_push"; NULL for a number that is no API's. */
const char *rule_api_name(enum rule_api api);

#endif
