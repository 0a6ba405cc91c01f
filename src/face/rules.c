/*
 * rules.c - scenario rules at the face (R6.2): the control API's calls about them, the rules that
 * are in force from the start, and what a rule makes of an answer. Never a silent lie: every answer
 * that a rule has a part in says so in Hakika-Explain, in every profile.
 *
 * An answer that a rule delays is held here until book time has come (and the disk, and with
 * before_answer the callback): the connection is the only thing that would be lost with it, and a
 * restart loses connections anyway, so these delays are no state of the book.
 * Tests: tests/e2e/stories/150-rules.mjs, tests/unit/test_rules.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/caltime.h"
#include "face/documents.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/paystack.h"
#include "face/rules.h"
#include "wire/daraja_error.h"
#include "wire/rules.h"

static const char *const ORIGINS[RULE_ORIGINS] = {"user", "magic"};

/* ---- what a rule makes of an answer ---- */

void face_ruled_render(struct writer *w, const struct ruled *ruled)
{
    json_open(w, '{');
    json_field_text(w, "rule", ruled->name);
    json_field_text(w, "origin", ORIGINS[ruled->origin]);
    json_field_u64(w, "number", ruled->index + 1u);
    json_field_u64(w, "revision", ruled->revision);
    json_key(w, "then");
    rule_effects_render(w, &ruled->effects);
    json_close(w, '}');
}

/* An order of many long texts is more than the headers of a reply may have: it is cut, and leaves
 * room for what else the reply has to say. */
void face_rule_explain(struct request *q, const struct ruled *ruled)
{
    enum { EXPLAIN_MAX = 640 };
    static const char cut[] = " ... (GET /sim/v1/rules has all of it)";
    static const char name[] = "Hakika-Explain";
    char text[1600];
    int size = snprintf(text, sizeof(text), "scenario rule \"%s\" (%s %u) orders ", ruled->name,
                        ORIGINS[ruled->origin], ruled->index + 1u);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    struct writer w = writer_init(text + size, sizeof(text) - (size_t)size);
    rule_effects_render(&w, &ruled->effects);
    struct span words = {text, (size_t)size + w.size};
    size_t room = http_reply_header_room(q->x, name);
    room = room < EXPLAIN_MAX ? room : EXPLAIN_MAX;
    if (words.size > room) {
        if (room < sizeof(cut)) {
            return; /* a rule for the query and one for its payment: the first is told */
        }
        words.size = room;
        memcpy(text + room - (sizeof(cut) - 1), cut, sizeof(cut) - 1);
    }
    http_reply_header(q->x, name, words);
}

static void hold_answer(struct request *q, uint64_t wait_position, int64_t due_ns)
{
    struct surface *s = q->s;
    struct delayed_reply *d = &s->delayed[s->delayed_count++];
    d->ticket = http_ticket(q->x);
    d->position = wait_position;
    d->due_ns = due_ns;
    d->generation = engine_book(s->engine)->generation;
    d->about = q->ruled->effects.before_answer ? q->about : 0;
}

/* The page of a proxy in front: no JSON, and none of Daraja's codes. */
static void render_page(struct writer *w, unsigned status)
{
    char page[120];
    int size = snprintf(page, sizeof(page), "<html><body><h1>%u</h1></body></html>\n", status);
    CHECK(size > 0 && (size_t)size < sizeof(page));
    put_raw(w, page, (size_t)size);
}

void face_rule_answer(struct request *q, uint64_t wait_position, struct face_answer answer)
{
    struct surface *s = q->s;
    const struct rule_effects *e = &q->ruled->effects;
    uint8_t room[512];
    struct writer other = writer_init(room, sizeof(room));
    char id[ID_TEXT_SIZE];
    face_rule_explain(q, q->ruled);
    switch ((enum rule_answer)e->answer) {
    case RULE_ANSWER_USUAL: break;
    case RULE_ANSWER_ERROR:
        id_request_format(s->request_seed, s->request_counter, id);
        daraja_error_render_code(&other, e->answer_code, e->answer_text, span_from(id));
        answer = (struct face_answer){daraja_error_code_status(e->answer_code),
                                      "application/json",
                                      {(const char *)room, other.size}};
        break;
    case RULE_ANSWER_STATUS:
        render_page(&other, e->answer_status);
        answer =
            (struct face_answer){e->answer_status, "text/html", {(const char *)room, other.size}};
        break;
    case RULE_ANSWER_RESET: http_break(q->x, HTTP_BREAK_RESET); break;
    case RULE_ANSWER_HALF: http_break(q->x, HTTP_BREAK_HALF); break;
    case RULE_ANSWER_EMPTY: answer.body.size = 0; break;
    }
    CHECK(!other.overflow);
    wait_position = wait_position > q->ruled_position ? wait_position : q->ruled_position;
    bool waits = e->answer_delay_ms > 0 || (e->before_answer && q->about != 0);
    if (waits && s->delayed_count < SURFACE_DELAYED_MAX && !s->quiescing) {
        hold_answer(q, wait_position, engine_now(s->engine) + e->answer_delay_ms * NS_PER_MS);
        http_hold(q->x, answer.status, answer.content_type, answer.body);
    } else {
        surface_send(q, wait_position, answer);
    }
}

/* Has the callback of the payment or request gone out, or will there be none to wait for? */
static bool callback_is_out(const struct surface *s, uint64_t about)
{
    const struct book *b = engine_book(s->engine);
    const struct operator_state *o = operator_of(b);
    bool is_request = about == request_original_request(about >> 1);
    const struct stk_payment *p = is_request ? NULL : operator_payment(o, about >> 1);
    const struct operator_request *r = is_request ? operator_request(o, about >> 1) : NULL;
    if (p == NULL && r == NULL) {
        return true;
    }
    uint64_t delivery = p != NULL ? p->delivery : r->delivery;
    const struct outbox_item *item = delivery != 0 ? outbox_item(&b->outbox, delivery) : NULL;
    return item != NULL ? item->attempts > 0 : stk_state_final(p != NULL ? p->state : r->state);
}

void face_rules_turn(struct surface *s)
{
    int64_t now_ns = engine_now(s->engine);
    int64_t wake_ns = INT64_MAX;
    uint64_t generation = engine_book(s->engine)->generation;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->delayed_count; i++) {
        struct delayed_reply *d = &s->delayed[i];
        bool left = d->generation != generation; /* its world, and with it what it waits for */
        bool ready = s->quiescing || left ||
                     (d->due_ns <= now_ns && (d->about == 0 || callback_is_out(s, d->about)));
        struct http_exchange *x = http_find(s->server, d->ticket);
        if (x != NULL && ready && d->position <= engine_durable(s->engine)) {
            http_release(x);
        } else if (x != NULL) {
            wake_ns = d->due_ns > now_ns && d->due_ns < wake_ns ? d->due_ns : wake_ns;
            s->delayed[kept++] = *d;
        }
    }
    s->delayed_count = kept;
    engine_wake_at(s->engine, wake_ns);
    if (s->rules_missing) {
        char error[RULES_ERROR_SIZE];
        (void)surface_start_rules(s, error);
    }
}

/* ---- a call before its command ---- */

static void keep_verdict(struct request *q, const struct rule_verdict *v)
{
    struct ruled *ruled = &q->s->ruled;
    memset(ruled, 0, sizeof(*ruled));
    ruled->revision = surface_operator(q->s)->rules->revision;
    ruled->origin = v->origin;
    ruled->index = v->index;
    memcpy(ruled->name, v->rule->name, sizeof(ruled->name));
    ruled->effects = v->rule->effects;
    q->ruled = ruled;
}

/* Counts the call; false after answering that this is not possible now. */
static bool count_call(struct request *q, const struct rule_call *call)
{
    struct operator_reply reply;
    struct engine_result result =
        engine_execute(q->s->engine, ENGINE_NEW_WORK, COMMAND_RULE_CALL, call, &reply);
    q->ruled_position = result.wait_position;
    if (result.status == ENGINE_APPLIED || result.status == ENGINE_REFUSED) {
        return true;
    }
    daraja_refuse_busy(q, result.status);
    return false;
}

/* A rule that accepts nothing has the last word; what its answer would else be is an error. */
static bool answer_refused(struct request *q)
{
    if (q->ruled == NULL || q->ruled->effects.accepted) {
        return false;
    }
    if (!paystack_fail(q, "nothing was accepted")) {
        daraja_refuse(q, 0, DARAJA_ERROR_INTERNAL, "", "nothing was accepted");
    }
    return true;
}

bool face_rule_gate(struct request *q, const struct rule_call *call)
{
    struct rule_verdict v;
    operator_rule_look(surface_operator(q->s), call, &v);
    if (v.rule == NULL || v.rule->effects.accepted) {
        return false; /* decide looks again, and counts */
    }
    if (!count_call(q, call)) {
        return true;
    }
    keep_verdict(q, &v);
    return answer_refused(q);
}

bool face_rule_read(struct request *q, const struct rule_call *call)
{
    struct rule_verdict v;
    operator_rule_look(surface_operator(q->s), call, &v);
    if (v.met_count == 0) {
        return false;
    }
    if (!count_call(q, call)) {
        return true;
    }
    if (v.rule != NULL) {
        keep_verdict(q, &v);
    }
    return answer_refused(q);
}

/* ---- setting them ---- */

static struct engine_result set_list(struct surface *s, uint8_t origin, const uint8_t *bytes,
                                     size_t size)
{
    struct rules_command c = {.origin = origin, .list = {(const char *)bytes, size}};
    struct operator_reply reply;
    return engine_execute(s->engine, ENGINE_CONTINUATION, COMMAND_RULES_SET, &c, &reply);
}

/* Reads a document into bytes; false with what is wrong. */
static bool encode_document(struct surface *s, struct span text, uint8_t bytes[RULES_BYTES_MAX],
                            size_t *size_out, struct rules_error *error)
{
    if (!rules_parse(text, s->json, &s->rule_list, error)) {
        return false;
    }
    *size_out = rule_list_encode(&s->rule_list, bytes);
    if (*size_out == 0) {
        (void)snprintf(error->place, sizeof(error->place), "/rules");
        (void)snprintf(error->why, sizeof(error->why),
                       "are more than %d bytes all together, as the journal keeps them: use fewer "
                       "or shorter ones",
                       RULES_BYTES_MAX);
    }
    return *size_out > 0;
}

/* Sets a list unless it is there already: a restart must not begin its counts anew. */
static bool ensure_list(struct surface *s, uint8_t origin, struct span text,
                        char error[RULES_ERROR_SIZE])
{
    uint8_t wanted[RULES_BYTES_MAX];
    uint8_t present[RULES_BYTES_MAX];
    size_t size = 0;
    struct rules_error fault;
    if (!encode_document(s, text, wanted, &size, &fault)) {
        (void)snprintf(error, RULES_ERROR_SIZE, "at \"%s\": %s", fault.place, fault.why);
        return false;
    }
    const struct rule_list *list = &surface_operator(s)->rules->lists[origin];
    size_t present_size = rule_list_encode(list, present);
    if (present_size == size && memcmp(present, wanted, size) == 0) {
        return true;
    }
    struct engine_result result = set_list(s, origin, wanted, size);
    s->rules_missing = s->rules_missing || result.status != ENGINE_APPLIED;
    return true;
}

bool surface_start_rules(struct surface *s, char error[RULES_ERROR_SIZE])
{
    struct span none = SPAN_LITERAL("{\"rules\":[]}");
    s->rules_missing = false;
    if (!ensure_list(s, RULE_ORIGIN_MAGIC, s->options.magic ? magic_document() : none, error)) {
        return false;
    }
    return s->options.rules.data == NULL ||
           ensure_list(s, RULE_ORIGIN_USER, s->options.rules, error);
}

/* ---- the control API ---- */

static void render_list(struct writer *w, const struct rule_book *b, uint32_t origin)
{
    json_open(w, '[');
    for (uint32_t i = 0; i < b->lists[origin].count; i++) {
        rule_render_open(w, &b->lists[origin].rules[i]);
        json_field_u64(w, "matched", b->counts[origin][i].matched);
        json_field_u64(w, "applied", b->counts[origin][i].applied);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void answer_rules(struct request *q, uint64_t wait_position)
{
    const struct rule_book *b = surface_operator(q->s)->rules;
    struct writer w = surface_writer(q->s);
    json_open(&w, '{');
    json_field_text(&w, "object", "rules");
    json_field_u64(&w, "revision", b->revision);
    json_key(&w, "rules");
    render_list(&w, b, RULE_ORIGIN_USER);
    json_key(&w, "magic");
    render_list(&w, b, RULE_ORIGIN_MAGIC);
    json_close(&w, '}');
    surface_json(q, wait_position, 200, &w);
}

void control_rules_get(struct request *q)
{
    answer_rules(q, engine_read_position(q->s->engine));
}

void control_rules_put(struct request *q)
{
    struct surface *s = q->s;
    uint8_t bytes[RULES_BYTES_MAX];
    size_t size = 0;
    struct rules_error error;
    if (control_body(q) == NULL) {
        return;
    }
    if (!encode_document(s, http_body(q->x), bytes, &size, &error)) {
        char words[sizeof(error.place) + sizeof(error.why) + 80];
        (void)snprintf(words, sizeof(words),
                       "%s %s; nothing was changed, the rules before are "
                       "still in force",
                       error.place[0] != '\0' ? error.place : "the document", error.why);
        surface_problem(q, 0, 400, "invalid_rules", words);
        return;
    }
    struct engine_result result = set_list(s, RULE_ORIGIN_USER, bytes, size);
    if (result.status != ENGINE_APPLIED) {
        surface_not_decided(q, result.status);
        return;
    }
    answer_rules(q, result.wait_position);
}

void control_rules_schema(struct request *q)
{
    http_reply(q->x, 200, "application/schema+json", rules_schema_document());
}
