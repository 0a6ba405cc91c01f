/*
 * rules.h - scenario rules at the face: what a rule orders of an answer, and the calls about rules.
 * operator/rules.h says how an API adopts them.
 */
#ifndef HAKIKA_FACE_RULES_H
#define HAKIKA_FACE_RULES_H

#include "face/internal.h"

/* Before the command of a call that is decided in the book. True: a rule has answered it, and
 * nothing is accepted. */
bool face_rule_gate(struct request *q, const struct rule_call *call);
/* For a call that is not: counts it, and sets q->ruled when a rule applies to its answer. True: a
 * rule has answered it. */
bool face_rule_read(struct request *q, const struct rule_call *call);
/* The answer as q->ruled orders it; surface_answer comes here by itself. */
void face_rule_answer(struct request *q, uint64_t wait_position, struct face_answer answer);
/* Says in Hakika-Explain that a rule had a part in the answer. */
void face_rule_explain(struct request *q, const struct ruled *ruled);
void face_ruled_render(struct writer *w, const struct ruled *ruled);
void face_rules_turn(struct surface *s);
void control_rules_get(struct request *q);
void control_rules_put(struct request *q);
void control_rules_schema(struct request *q);

#endif
