/*
 * rules_codec.c - rules and what they order in bytes, both directions side by side: how they travel
 * in events, in the book's texts and in snapshots. Any bytes are a possible input of the readers.
 */
#include <string.h>

#include "operator/internal.h"

/* ---- fields ---- */

static void put_word(struct writer *w, const char *text)
{
    put_text(w, span_from(text));
}

static void get_word(struct reader *r, char *out, size_t size_max)
{
    struct span text = get_text(r);
    r->bad = r->bad || text.size > size_max;
    for (size_t i = 0; !r->bad && i < text.size; i++) {
        r->bad = text.data[i] < ' ' || text.data[i] > '~';
        out[i] = text.data[i];
    }
    out[r->bad ? 0 : text.size] = '\0';
}

static uint8_t get_u8_upto(struct reader *r, uint8_t max)
{
    uint8_t value = get_u8(r);
    r->bad = r->bad || value > max;
    return value;
}

/* ---- match ---- */

static void put_match(struct writer *w, const struct rule_match *m)
{
    put_u32(w, m->apis);
    put_u32(w, m->short_code);
    put_u8(w, m->phone_how);
    put_u8(w, m->reference_how);
    put_u8(w, m->has_amount);
    put_word(w, m->phone);
    put_word(w, m->reference);
    put_i64(w, m->amount_min_minor);
    put_i64(w, m->amount_max_minor);
    put_u32(w, m->nth);
    put_u32(w, m->first);
    put_u32(w, m->every);
    put_u32(w, m->chance_ppm);
    put_u64(w, m->seed);
}

static void get_match(struct reader *r, struct rule_match *m)
{
    m->apis = get_u32(r);
    m->short_code = get_u32(r);
    m->phone_how = get_u8_upto(r, RULE_HOW_SUFFIX);
    m->reference_how = get_u8_upto(r, RULE_HOW_SUFFIX);
    m->has_amount = get_u8_upto(r, 1) != 0;
    get_word(r, m->phone, RULE_PHONE_MAX);
    get_word(r, m->reference, RULE_REFERENCE_MAX);
    m->amount_min_minor = get_i64(r);
    m->amount_max_minor = get_i64(r);
    m->nth = get_u32(r);
    m->first = get_u32(r);
    m->every = get_u32(r);
    m->chance_ppm = get_u32(r);
    m->seed = get_u64(r);
    r->bad = r->bad || m->chance_ppm > RULE_CHANCE_ALWAYS;
}

/* ---- effects ---- */

enum {
    FLAG_ACCEPTED = 1,
    FLAG_BEFORE_ANSWER = 2,
    FLAG_HOLD = 4,
    FLAG_NO_METADATA = 8,
    FLAG_CUT = 16,
    FLAGS_ALL = 31,
};

static void put_effects(struct writer *w, const struct rule_effects *e)
{
    put_u8(w, (uint8_t)((e->accepted ? FLAG_ACCEPTED : 0) |
                        (e->before_answer ? FLAG_BEFORE_ANSWER : 0) |
                        (e->hold_for_next ? FLAG_HOLD : 0) |
                        (e->no_metadata ? FLAG_NO_METADATA : 0) | (e->cut ? FLAG_CUT : 0)));
    put_u8(w, e->answer);
    put_u16(w, e->answer_status);
    put_u32(w, e->answer_delay_ms);
    put_word(w, e->answer_code);
    put_word(w, e->answer_text);
    put_u8(w, e->act);
    put_u32(w, e->act_delay_ms);
    put_word(w, e->outcome_code);
    put_word(w, e->outcome_text);
    put_u8(w, e->times);
    put_u8(w, e->fail_first);
    put_i64(w, e->callback_amount_minor);
    put_u32(w, e->callback_delay_ms);
    put_u32(w, e->spacing_ms);
    put_word(w, e->callback_code);
    put_word(w, e->callback_text);
    put_u8(w, e->query);
    put_word(w, e->query_code);
    put_word(w, e->query_text);
}

static bool effects_in_range(const struct rule_effects *e)
{
    bool status = e->answer == RULE_ANSWER_STATUS;
    return status == (e->answer_status != 0) && e->answer_status <= 599 &&
           (!status || e->answer_status >= 400) &&
           (e->answer == RULE_ANSWER_ERROR) == (e->answer_code[0] != '\0') &&
           (e->accepted || e->answer != RULE_ANSWER_USUAL) &&
           (e->query == RULE_QUERY_CODE) == (e->query_code[0] != '\0') &&
           (e->act == RULE_ACT_NONE || !rule_orders_end(e)) &&
           e->answer_delay_ms <= RULE_DELAY_MS_MAX && e->act_delay_ms <= RULE_DELAY_MS_MAX &&
           e->callback_delay_ms <= RULE_DELAY_MS_MAX && e->spacing_ms <= RULE_DELAY_MS_MAX &&
           e->callback_amount_minor >= -1;
}

static void get_effects(struct reader *r, struct rule_effects *e)
{
    uint8_t flags = get_u8_upto(r, FLAGS_ALL);
    e->accepted = (flags & FLAG_ACCEPTED) != 0;
    e->before_answer = (flags & FLAG_BEFORE_ANSWER) != 0;
    e->hold_for_next = (flags & FLAG_HOLD) != 0;
    e->no_metadata = (flags & FLAG_NO_METADATA) != 0;
    e->cut = (flags & FLAG_CUT) != 0;
    e->answer = get_u8_upto(r, RULE_ANSWER_EMPTY);
    e->answer_status = get_u16(r);
    e->answer_delay_ms = get_u32(r);
    get_word(r, e->answer_code, RULE_CODE_MAX);
    get_word(r, e->answer_text, RULE_TEXT_MAX);
    e->act = get_u8_upto(r, RULE_ACT_UNREACHABLE);
    e->act_delay_ms = get_u32(r);
    get_word(r, e->outcome_code, RULE_CODE_MAX);
    get_word(r, e->outcome_text, RULE_TEXT_MAX);
    e->times = get_u8_upto(r, RULE_TIMES_MAX);
    e->fail_first = get_u8_upto(r, RULE_FAIL_FIRST_MAX);
    e->callback_amount_minor = get_i64(r);
    e->callback_delay_ms = get_u32(r);
    e->spacing_ms = get_u32(r);
    get_word(r, e->callback_code, RULE_CODE_MAX);
    get_word(r, e->callback_text, RULE_TEXT_MAX);
    e->query = get_u8_upto(r, RULE_QUERY_PENDING);
    get_word(r, e->query_code, RULE_CODE_MAX);
    get_word(r, e->query_text, RULE_TEXT_MAX);
    r->bad = r->bad || !effects_in_range(e);
}

/* ---- a list ---- */

size_t rule_list_encode(const struct rule_list *list, uint8_t out[RULES_BYTES_MAX])
{
    struct writer w = writer_init(out, RULES_BYTES_MAX);
    CHECK(list->count <= RULES_MAX);
    put_u8(&w, (uint8_t)list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        put_word(&w, list->rules[i].name);
        put_match(&w, &list->rules[i].match);
        put_effects(&w, &list->rules[i].effects);
    }
    return w.overflow ? 0 : w.size;
}

bool rule_list_decode(struct span bytes, struct rule_list *out)
{
    struct reader r = reader_init(bytes.data, bytes.size);
    struct rule one;
    uint8_t count = get_u8_upto(&r, RULES_MAX);
    if (out != NULL) {
        out->count = r.bad ? 0 : count;
    }
    for (uint32_t i = 0; i < count && !r.bad; i++) {
        struct rule *rule = out != NULL ? &out->rules[i] : &one;
        memset(rule, 0, sizeof(*rule));
        get_word(&r, rule->name, RULE_NAME_MAX);
        get_match(&r, &rule->match);
        get_effects(&r, &rule->effects);
    }
    return reader_done(&r) && bytes.size <= RULES_BYTES_MAX;
}

/* ---- an order ---- */

size_t operator_ruled_encode(const struct operator_state *o, const struct rule_verdict *v,
                             uint8_t out[RULE_ORDER_BYTES_MAX])
{
    struct writer w = writer_init(out, RULE_ORDER_BYTES_MAX);
    CHECK(v->rule != NULL);
    put_u64(&w, o->rules->revision);
    put_u8(&w, v->origin);
    put_u8(&w, v->index);
    put_word(&w, v->rule->name);
    put_effects(&w, &v->rule->effects);
    CHECK(!w.overflow);
    return w.size;
}

bool operator_ruled_decode(struct span bytes, struct ruled *out)
{
    struct reader r = reader_init(bytes.data, bytes.size);
    memset(out, 0, sizeof(*out));
    out->revision = get_u64(&r);
    out->origin = get_u8_upto(&r, RULE_ORIGINS - 1);
    out->index = get_u8_upto(&r, RULES_MAX - 1);
    get_word(&r, out->name, RULE_NAME_MAX);
    get_effects(&r, &out->effects);
    return reader_done(&r) && bytes.size <= RULE_ORDER_BYTES_MAX;
}

bool operator_ruled(const struct operator_state *o, uint32_t handle, struct ruled *out)
{
    if (handle == TEXT_NONE) {
        return false;
    }
    CHECK(operator_ruled_decode(operator_text(o, handle), out)); /* S1 */
    return true;
}

/* ---- the state ---- */

void operator__rules_save(const struct operator_state *o, struct writer *w)
{
    const struct rule_book *b = o->rules;
    uint8_t bytes[RULES_BYTES_MAX];
    put_u64(w, b->revision);
    for (uint32_t origin = 0; origin < RULE_ORIGINS; origin++) {
        struct span list = {(const char *)bytes, rule_list_encode(&b->lists[origin], bytes)};
        CHECK(list.size > 0);
        put_text(w, list);
        for (uint32_t i = 0; i < b->lists[origin].count; i++) {
            put_u64(w, b->counts[origin][i].matched);
            put_u64(w, b->counts[origin][i].applied);
        }
    }
    put_u32(w, b->held_count);
    for (uint32_t i = 0; i < b->held_count; i++) {
        put_u64(w, b->held[i]);
    }
}

bool operator__rules_load(struct operator_state *o, struct reader *r)
{
    struct rule_book *b = o->rules;
    b->revision = get_u64(r);
    for (uint32_t origin = 0; origin < RULE_ORIGINS; origin++) {
        if (!rule_list_decode(get_text(r), &b->lists[origin])) {
            return false;
        }
        for (uint32_t i = 0; i < b->lists[origin].count; i++) {
            b->counts[origin][i].matched = get_u64(r);
            b->counts[origin][i].applied = get_u64(r);
        }
    }
    b->held_count = get_u32(r);
    if (r->bad || b->held_count > RULES_HELD_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < b->held_count; i++) {
        b->held[i] = get_u64(r);
        if (outbox_item(&o->book->outbox, b->held[i]) == NULL) {
            return false;
        }
    }
    return !r->bad;
}
