/*
 * rules.c - the rules document: reading, with the place of the first fault, and writing. See
 * rules.h. Each object of the document has one function that reads it and one that writes it.
 */
#include "wire/rules.h"

#include <string.h>

#include <json-c/json.h>

#define AMOUNT_MAX ((int64_t)1000 * 1000 * 1000 * 1000 * 1000)
#define COUNT_MAX  ((int64_t)1000 * 1000 * 1000)
#define SEED_MAX   ((int64_t)1 << 53) /* exact for every JSON reader */

enum { PLACE_MAX = 80, MEMBER_SHOWN_MAX = 40 }; /* ours are shorter */

struct reading {
    struct json_scratch *scratch;
    struct rules_error *error;
    char place[PLACE_MAX];
    size_t place_size;
};

static const char *const ACTS[] = {NULL, "approve", "wrong_pin", "cancel", "ignore", "unreachable"};
static const char *const CONNECTIONS[] = {"reset", "half_body", "empty_body"}; /* from RESET on */

const char *rule_api_name(enum rule_api api)
{
    switch (api) {
#define X(name, number, text) \
    case RULE_API_##name: return text;
        RULE_APIS(X)
#undef X
    }
    return NULL;
}

/* ---- refusing ---- */

/* Always false. member may be NULL: the object itself. */
static bool refuse(struct reading *r, const char *member, const char *why)
{
    struct span name = span_from(member);
    name.size = name.size < MEMBER_SHOWN_MAX ? name.size : MEMBER_SHOWN_MAX;
    struct writer w = writer_init(r->error->place, sizeof(r->error->place) - 1);
    put_raw(&w, r->place, r->place_size);
    put_raw(&w, "/", member != NULL ? 1 : 0);
    put_raw(&w, name.data, name.size);
    r->error->place[w.size] = '\0';
    size_t size = strlen(why);
    size = size < sizeof(r->error->why) ? size : sizeof(r->error->why) - 1;
    memcpy(r->error->why, why, size);
    r->error->why[size] = '\0';
    return false;
}

static size_t enter(struct reading *r, const char *member)
{
    size_t before = r->place_size;
    size_t size = strlen(member);
    CHECK(before + size + 2 <= sizeof(r->place)); /* our own names: they fit */
    r->place[before] = '/';
    memcpy(r->place + before + 1, member, size);
    r->place_size = before + 1 + size;
    return before;
}

static void leave(struct reading *r, size_t before)
{
    CHECK(before <= r->place_size);
    r->place_size = before;
}

/* A sentence in the making; what does not fit is left out. */
struct sentence {
    char text[200];
    struct writer w;
};

static void sentence_init(struct sentence *s, const char *start)
{
    s->w = writer_init(s->text, sizeof(s->text) - 1);
    json_raw(&s->w, start);
}

static const char *sentence_end(struct sentence *s)
{
    s->text[s->w.size] = '\0';
    return s->text;
}

/* Is it an object with no members but those named (NULL ends the list)? */
static bool check_members(struct reading *r, struct json_object *object, const char *const *names)
{
    if (!json_is_object(object)) {
        return refuse(r, NULL, "must be an object");
    }
    json_object_object_foreach(object, key, value)
    {
        (void)value;
        bool known = false;
        for (uint32_t i = 0; names[i] != NULL; i++) {
            known = known || strcmp(names[i], key) == 0;
        }
        if (!known) {
            struct sentence why;
            sentence_init(&why, "is not a member here; there are");
            for (uint32_t i = 0; names[i] != NULL; i++) {
                json_raw(&why.w, i > 0 ? ", " : " ");
                json_raw(&why.w, names[i]);
            }
            return refuse(r, key, sentence_end(&why));
        }
    }
    return true;
}

/* ---- values ---- */

static bool take_number(struct reading *r, struct json_object *object, const char *name,
                        const int64_t range[2], int64_t *out)
{
    struct json_object *value = json_member(object, name);
    int64_t number;
    if (value == NULL) {
        return true;
    }
    if (!json_integer(value, &number) || number < range[0] || number > range[1]) {
        struct sentence why;
        sentence_init(&why, "must be a whole number from ");
        json_put_i64(&why.w, range[0]);
        json_raw(&why.w, " to ");
        json_put_i64(&why.w, range[1]);
        return refuse(r, name, sentence_end(&why));
    }
    *out = number;
    return true;
}

static bool take_u32(struct reading *r, struct json_object *object, const char *name,
                     const int64_t range[2], uint32_t *out)
{
    int64_t number = *out;
    CHECK(range[0] >= 0 && range[1] <= UINT32_MAX);
    bool good = take_number(r, object, name, range, &number);
    *out = (uint32_t)number;
    return good;
}

static bool take_delay(struct reading *r, struct json_object *object, const char *name,
                       uint32_t *out)
{
    const int64_t range[2] = {0, RULE_DELAY_MS_MAX};
    return take_u32(r, object, name, range, out);
}

static bool take_flag(struct reading *r, struct json_object *object, const char *name, bool *out)
{
    struct json_object *value = json_member(object, name);
    return value == NULL || json_boolean(value, out) || refuse(r, name, "must be true or false");
}

enum charset { CHARS_NAME, CHARS_PRINTABLE, CHARS_DIGITS, CHARS_CODE };

static bool char_fits(enum charset set, char c, bool first)
{
    bool digit = c >= '0' && c <= '9';
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    switch (set) {
    case CHARS_NAME:
        return digit || letter || (!first && (c == ' ' || c == '.' || c == '_' || c == '-'));
    case CHARS_PRINTABLE: return c >= ' ' && c <= '~';
    case CHARS_DIGITS: return digit;
    case CHARS_CODE: return digit || letter || c == '_' || c == '.' || c == '-';
    }
    UNREACHABLE("no such set of characters");
}

static bool take_string(struct reading *r, struct json_object *value, const char *name,
                        enum charset set, char *out, size_t size_max)
{
    static const char *const words[] = {
        [CHARS_NAME] = "letters, digits, and after the first one also blank, dot, _ and -",
        [CHARS_PRINTABLE] = "printable ASCII characters",
        [CHARS_DIGITS] = "digits",
        [CHARS_CODE] = "letters, digits, _, . and -",
    };
    struct span text;
    bool good = json_string(value, &text) && text.size >= 1 && text.size <= size_max;
    for (size_t i = 0; good && i < text.size; i++) {
        good = char_fits(set, text.data[i], i == 0);
    }
    if (!good) {
        struct sentence why;
        sentence_init(&why, "must be a string of 1 to ");
        json_put_u64(&why.w, size_max);
        json_raw(&why.w, " ");
        json_raw(&why.w, words[set]);
        return refuse(r, name, sentence_end(&why));
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

static bool take_code(struct reading *r, struct json_object *object, const char *name, char *out)
{
    struct json_object *value = json_member(object, name);
    return value == NULL || take_string(r, value, name, CHARS_CODE, out, RULE_CODE_MAX);
}

static bool take_words(struct reading *r, struct json_object *object, const char *name, char *out)
{
    struct json_object *value = json_member(object, name);
    return value == NULL || take_string(r, value, name, CHARS_PRINTABLE, out, RULE_TEXT_MAX);
}

/* ---- match ---- */

static bool add_api(struct reading *r, struct json_object *value, const char *name, uint32_t *apis)
{
    struct span text;
    if (json_string(value, &text)) {
#define X(api, number, words)             \
    if (span_is(text, words)) {           \
        *apis |= (uint32_t)1 << (number); \
        return true;                      \
    }
        RULE_APIS(X)
#undef X
    }
    return refuse(r, name, "must be the name of an API, such as stk_push; docs/rules.md has them");
}

static bool take_apis(struct reading *r, struct json_object *object, uint32_t *apis)
{
    struct json_object *value = json_member(object, "api");
    if (value == NULL) {
        return true;
    }
    if (!json_is_array(value)) {
        return add_api(r, value, "api", apis);
    }
    if (json_count(value) == 0) {
        return refuse(r, "api", "must name at least one API");
    }
    size_t before = enter(r, "api");
    bool good = true;
    for (size_t i = 0; good && i < json_count(value); i++) {
        struct sentence name;
        sentence_init(&name, "");
        json_put_u64(&name.w, i);
        good = add_api(r, json_item(value, i), sentence_end(&name), apis);
    }
    leave(r, before);
    return good;
}

/* A string is exact; an object holds one of the other ways. */
static bool take_pattern(struct reading *r, struct json_object *value, const char *name,
                         bool is_phone, struct rule_match *m)
{
    static const char *const phone_names[] = {"prefix", "suffix", NULL};
    static const char *const reference_names[] = {"prefix", NULL};
    enum charset set = is_phone ? CHARS_DIGITS : CHARS_PRINTABLE;
    size_t size_max = is_phone ? RULE_PHONE_MAX : RULE_REFERENCE_MAX;
    char *out = is_phone ? m->phone : m->reference;
    uint8_t *how = is_phone ? &m->phone_how : &m->reference_how;
    if (value == NULL) {
        return true;
    }
    if (!json_is_object(value)) {
        *how = RULE_HOW_EXACT;
        return take_string(r, value, name, set, out, size_max);
    }
    size_t before = enter(r, name);
    struct json_object *prefix = json_member(value, "prefix");
    struct json_object *suffix = json_member(value, "suffix");
    bool good = check_members(r, value, is_phone ? phone_names : reference_names);
    if (good && (prefix != NULL) == (suffix != NULL)) {
        good = refuse(r, NULL, is_phone ? "must hold either prefix or suffix" : "must hold prefix");
    }
    *how = prefix != NULL ? RULE_HOW_PREFIX : RULE_HOW_SUFFIX;
    good = good && take_string(r, prefix != NULL ? prefix : suffix,
                               prefix != NULL ? "prefix" : "suffix", set, out, size_max);
    leave(r, before);
    return good;
}

static bool take_amount_range(struct reading *r, struct json_object *object, struct rule_match *m)
{
    static const char *const names[] = {"min", "max", NULL};
    const int64_t range[2] = {0, AMOUNT_MAX};
    struct json_object *value = json_member(object, "amount");
    if (value == NULL) {
        return true;
    }
    m->has_amount = true;
    m->amount_max_minor = AMOUNT_MAX;
    if (!json_is_object(value)) {
        bool good = take_number(r, object, "amount", range, &m->amount_min_minor);
        m->amount_max_minor = m->amount_min_minor;
        return good;
    }
    size_t before = enter(r, "amount");
    bool good = check_members(r, value, names);
    if (good && json_object_object_length(value) == 0) {
        good = refuse(r, NULL, "must hold min, max or both (in cents)");
    }
    good = good && take_number(r, value, "min", range, &m->amount_min_minor) &&
           take_number(r, value, "max", range, &m->amount_max_minor);
    if (good && m->amount_min_minor > m->amount_max_minor) {
        good = refuse(r, NULL, "min is above max: no amount lies between");
    }
    leave(r, before);
    return good;
}

static bool take_chance(struct reading *r, struct json_object *object, struct rule_match *m)
{
    static const char *const names[] = {"per_million", "seed", NULL};
    const int64_t range[2] = {0, RULE_CHANCE_ALWAYS};
    const int64_t seeds[2] = {0, SEED_MAX};
    struct json_object *value = json_member(object, "probability");
    int64_t seed = 0;
    if (value == NULL) {
        return true;
    }
    size_t before = enter(r, "probability");
    bool good = check_members(r, value, names);
    if (good && json_member(value, "per_million") == NULL) {
        good = refuse(r, "per_million", "is missing");
    }
    good = good && take_u32(r, value, "per_million", range, &m->chance_ppm) &&
           take_number(r, value, "seed", seeds, &seed);
    m->seed = (uint64_t)seed;
    leave(r, before);
    return good;
}

static bool take_match(struct reading *r, struct json_object *object, struct rule_match *m)
{
    static const char *const names[] = {"api", "short_code", "phone", "amount",      "reference",
                                        "nth", "first",      "every", "probability", NULL};
    const int64_t short_codes[2] = {10000, 9999999};
    const int64_t counts[2] = {1, COUNT_MAX};
    struct json_object *value = json_member(object, "match");
    m->chance_ppm = RULE_CHANCE_ALWAYS;
    if (value == NULL) {
        return true;
    }
    size_t before = enter(r, "match");
    bool good = check_members(r, value, names) && take_apis(r, value, &m->apis) &&
                take_u32(r, value, "short_code", short_codes, &m->short_code) &&
                take_pattern(r, json_member(value, "phone"), "phone", true, m) &&
                take_amount_range(r, value, m) &&
                take_pattern(r, json_member(value, "reference"), "reference", false, m) &&
                take_u32(r, value, "nth", counts, &m->nth) &&
                take_u32(r, value, "first", counts, &m->first) &&
                take_u32(r, value, "every", counts, &m->every) && take_chance(r, value, m);
    leave(r, before);
    return good;
}

/* ---- then ---- */

/* "500.003.02": three digits, three digits, two to four; or the one of maintenance. */
static bool is_error_code(const char *code)
{
    if (strcmp(code, "00.002.1001") == 0) {
        return true;
    }
    size_t size = strlen(code);
    bool good = size >= 10 && size <= 12 && (code[0] == '4' || code[0] == '5');
    for (size_t i = 0; good && i < size; i++) {
        good = i == 3 || i == 7 ? code[i] == '.' : code[i] >= '0' && code[i] <= '9';
    }
    return good;
}

static bool take_connection(struct reading *r, struct json_object *object, struct rule_effects *e)
{
    struct json_object *value = json_member(object, "connection");
    struct span text;
    if (value == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (json_string(value, &text) && span_is(text, CONNECTIONS[i])) {
            e->answer = (uint8_t)(RULE_ANSWER_RESET + i);
            return true;
        }
    }
    return refuse(r, "connection", "must be reset, half_body or empty_body");
}

static bool take_error(struct reading *r, struct json_object *object, struct rule_effects *e)
{
    if (!take_code(r, object, "error", e->answer_code) ||
        !take_words(r, object, "message", e->answer_text)) {
        return false;
    }
    if (e->answer_code[0] == '\0') {
        return e->answer_text[0] == '\0' || refuse(r, "message", "goes with error only");
    }
    e->answer = RULE_ANSWER_ERROR;
    return is_error_code(e->answer_code) ||
           refuse(r, "error",
                  "must be an errorCode such as 500.003.02, beginning with 4 or 5, or 00.002.1001");
}

static bool take_answer(struct reading *r, struct json_object *value, struct rule_effects *e)
{
    static const char *const names[] = {"error",    "message",  "status", "connection",
                                        "delay_ms", "accepted", NULL};
    const int64_t statuses[2] = {400, 599};
    uint32_t status = 0;
    if (!check_members(r, value, names)) {
        return false;
    }
    if (json_object_object_length(value) == 0) {
        return refuse(r, NULL, "must hold at least one member");
    }
    bool error = json_member(value, "error") != NULL;
    bool http = json_member(value, "status") != NULL;
    bool connection = json_member(value, "connection") != NULL;
    if ((error && http) || (error && connection) || (http && connection)) {
        return refuse(r, NULL, "may hold only one of error, status and connection");
    }
    if (!take_error(r, value, e) || !take_connection(r, value, e) ||
        !take_u32(r, value, "status", statuses, &status) ||
        !take_delay(r, value, "delay_ms", &e->answer_delay_ms)) {
        return false;
    }
    e->answer = status != 0 ? RULE_ANSWER_STATUS : e->answer;
    e->answer_status = (uint16_t)status;
    e->accepted = e->answer != RULE_ANSWER_ERROR && e->answer != RULE_ANSWER_STATUS;
    if (!take_flag(r, value, "accepted", &e->accepted)) {
        return false;
    }
    return e->accepted || e->answer != RULE_ANSWER_USUAL ||
           refuse(r, "accepted", "can only be false with error, status or connection");
}

static bool take_prompt(struct reading *r, struct json_object *value, struct rule_effects *e)
{
    static const char *const names[] = {"act", "delay_ms", NULL};
    struct span text;
    if (!check_members(r, value, names)) {
        return false;
    }
    if (json_member(value, "act") == NULL) {
        return refuse(r, "act", "is missing");
    }
    for (uint8_t act = RULE_ACT_APPROVE; act <= RULE_ACT_UNREACHABLE; act++) {
        if (json_string(json_member(value, "act"), &text) && span_is(text, ACTS[act])) {
            e->act = act;
            return take_delay(r, value, "delay_ms", &e->act_delay_ms);
        }
    }
    return refuse(r, "act", "must be approve, wrong_pin, cancel, ignore or unreachable");
}

static bool take_outcome(struct reading *r, struct json_object *value, struct rule_effects *e)
{
    static const char *const names[] = {"code", "text", "delay_ms", NULL};
    if (!check_members(r, value, names)) {
        return false;
    }
    if (json_member(value, "code") == NULL) {
        return refuse(r, "code", "is missing");
    }
    if (!take_code(r, value, "code", e->outcome_code) ||
        !take_words(r, value, "text", e->outcome_text) ||
        !take_delay(r, value, "delay_ms", &e->act_delay_ms)) {
        return false;
    }
    return strcmp(e->outcome_code, "4999") != 0 ||
           refuse(r, "code",
                  "4999 is no outcome but \"still under processing\"; see query.pending");
}

static bool take_times(struct reading *r, struct json_object *value, struct rule_effects *e)
{
    const int64_t times_range[2] = {1, RULE_TIMES_MAX};
    const int64_t fails_range[2] = {0, RULE_FAIL_FIRST_MAX};
    uint32_t times = 1;
    uint32_t fails = 0;
    bool good = take_u32(r, value, "times", times_range, &times) &&
                take_u32(r, value, "fail_first", fails_range, &fails) &&
                take_delay(r, value, "delay_ms", &e->callback_delay_ms) &&
                take_delay(r, value, "spacing_ms", &e->spacing_ms);
    e->times = (uint8_t)times;
    e->fail_first = (uint8_t)fails;
    return good;
}

static bool take_callback(struct reading *r, struct json_object *value, struct rule_effects *e)
{
    static const char *const names[] = {"never",    "delay_ms",      "times",         "spacing_ms",
                                        "amount",   "hold_for_next", "before_answer", "fail_first",
                                        "metadata", "cut",           "code",          "text",
                                        NULL};
    const int64_t amounts[2] = {0, AMOUNT_MAX};
    bool never = false;
    bool metadata = true;
    if (!check_members(r, value, names)) {
        return false;
    }
    if (json_object_object_length(value) == 0) {
        return refuse(r, NULL, "must hold at least one member");
    }
    if (!take_flag(r, value, "never", &never) ||
        !take_flag(r, value, "hold_for_next", &e->hold_for_next) ||
        !take_flag(r, value, "before_answer", &e->before_answer) ||
        !take_flag(r, value, "metadata", &metadata) || !take_flag(r, value, "cut", &e->cut) ||
        !take_times(r, value, e) ||
        !take_number(r, value, "amount", amounts, &e->callback_amount_minor) ||
        !take_code(r, value, "code", e->callback_code) ||
        !take_words(r, value, "text", e->callback_text)) {
        return false;
    }
    e->no_metadata = !metadata;
    if (json_member(value, "text") != NULL && e->callback_code[0] == '\0') {
        return refuse(r, "text", "goes with code only");
    }
    if (never && json_object_object_length(value) > 1) {
        return refuse(r, "never", "leaves nothing for the other members to be about");
    }
    e->times = never ? 0 : e->times;
    return true;
}

static bool take_query(struct reading *r, struct json_object *value, struct rule_effects *e)
{
    static const char *const names[] = {"code", "text", "pending", NULL};
    bool pending = false;
    if (!check_members(r, value, names) || !take_flag(r, value, "pending", &pending) ||
        !take_code(r, value, "code", e->query_code) ||
        !take_words(r, value, "text", e->query_text)) {
        return false;
    }
    if (json_member(value, "text") != NULL && e->query_code[0] == '\0') {
        return refuse(r, "text", "goes with code only");
    }
    if (pending == (e->query_code[0] != '\0')) {
        return refuse(r, NULL, "must hold either code or \"pending\": true");
    }
    e->query = pending ? RULE_QUERY_PENDING : RULE_QUERY_CODE;
    return true;
}

static bool take_then(struct reading *r, struct json_object *object, struct rule_effects *e)
{
    static const char *const names[] = {"answer", "prompt", "outcome", "callback", "query", NULL};
    static bool (*const takers[])(struct reading *, struct json_object *, struct rule_effects *) = {
        take_answer, take_prompt, take_outcome, take_callback, take_query};
    struct json_object *value = json_member(object, "then");
    rule_effects_init(e);
    if (value == NULL) {
        return refuse(r, "then", "is missing");
    }
    size_t before = enter(r, "then");
    bool good = check_members(r, value, names);
    if (good && json_object_object_length(value) == 0) {
        good = refuse(r, NULL, "must order something");
    }
    if (good && json_member(value, "prompt") != NULL && json_member(value, "outcome") != NULL) {
        good = refuse(r, NULL,
                      "may say what the person does (prompt) or how it ends (outcome), "
                      "not both");
    }
    for (uint32_t i = 0; good && names[i] != NULL; i++) {
        struct json_object *part = json_member(value, names[i]);
        if (part != NULL) {
            size_t outside = enter(r, names[i]);
            good = takers[i](r, part, e);
            leave(r, outside);
        }
    }
    if (good && !e->accepted && json_object_object_length(value) > 1) {
        good = refuse(r, NULL,
                      "an answer that accepts nothing leaves nothing for prompt, outcome, "
                      "callback and query");
    }
    leave(r, before);
    return good;
}

/* ---- the document ---- */

static bool take_rule(struct reading *r, struct json_object *object, struct rule *out)
{
    static const char *const names[] = {"name", "match", "then", NULL};
    if (!check_members(r, object, names)) {
        return false;
    }
    struct json_object *name = json_member(object, "name");
    if (name == NULL) {
        return refuse(r, "name", "is missing");
    }
    return take_string(r, name, "name", CHARS_NAME, out->name, RULE_NAME_MAX) &&
           take_match(r, object, &out->match) && take_then(r, object, &out->effects);
}

static bool take_rules(struct reading *r, struct json_object *root, struct rule_list *out)
{
    static const char *const names[] = {"rules", NULL};
    if (!check_members(r, root, names)) {
        return false;
    }
    struct json_object *list = json_member(root, "rules");
    if (!json_is_array(list) || json_count(list) > RULES_MAX) {
        return refuse(r, "rules", "must be an array of at most 100 rules");
    }
    bool good = true;
    size_t before = enter(r, "rules");
    for (size_t i = 0; good && i < json_count(list); i++) {
        struct sentence index;
        sentence_init(&index, "");
        json_put_u64(&index.w, i);
        size_t outside = enter(r, sentence_end(&index));
        good = take_rule(r, json_item(list, i), &out->rules[i]);
        leave(r, outside);
        out->count++;
    }
    leave(r, before);
    return good;
}

bool rules_parse(struct span text, struct json_scratch *scratch, struct rule_list *out,
                 struct rules_error *error)
{
    struct reading r = {.scratch = scratch, .error = error};
    const char *why = "";
    memset(out, 0, sizeof(*out));
    memset(error, 0, sizeof(*error));
    struct json_object *root = json_parse(scratch, text, &why);
    if (root == NULL) {
        return refuse(&r, NULL, why);
    }
    return take_rules(&r, root, out);
}

/* ---- writing ---- */

static void render_pattern(struct writer *w, const char *name, uint8_t how, const char *text)
{
    if (how == RULE_HOW_EXACT) {
        json_field_text(w, name, text);
    } else if (how != RULE_HOW_ANY) {
        json_key(w, name);
        json_open(w, '{');
        json_field_text(w, how == RULE_HOW_PREFIX ? "prefix" : "suffix", text);
        json_close(w, '}');
    }
}

static void render_amount(struct writer *w, const struct rule_match *m)
{
    if (!m->has_amount) {
        return;
    }
    if (m->amount_min_minor == m->amount_max_minor) {
        json_field_i64(w, "amount", m->amount_min_minor);
        return;
    }
    json_key(w, "amount");
    json_open(w, '{');
    json_field_i64(w, "min", m->amount_min_minor);
    json_field_i64(w, "max", m->amount_max_minor);
    json_close(w, '}');
}

static void render_number(struct writer *w, const char *name, uint32_t value)
{
    if (value != 0) {
        json_field_u64(w, name, value);
    }
}

static void render_text(struct writer *w, const char *name, const char *text)
{
    if (text[0] != '\0') {
        json_field_text(w, name, text);
    }
}

static void render_true(struct writer *w, const char *name, bool value)
{
    if (value) {
        json_field_bool(w, name, true);
    }
}

static void render_match(struct writer *w, const struct rule_match *m)
{
    json_key(w, "match");
    json_open(w, '{');
    if (m->apis != 0) {
        json_key(w, "api");
        json_open(w, '[');
        for (uint32_t api = 1; api <= RULE_API_LAST; api++) {
            if ((m->apis >> api & 1) != 0) {
                json_put_string(w, span_from(rule_api_name((enum rule_api)api)));
            }
        }
        json_close(w, ']');
    }
    render_number(w, "short_code", m->short_code);
    render_pattern(w, "phone", m->phone_how, m->phone);
    render_amount(w, m);
    render_pattern(w, "reference", m->reference_how, m->reference);
    render_number(w, "nth", m->nth);
    render_number(w, "first", m->first);
    render_number(w, "every", m->every);
    if (m->chance_ppm != RULE_CHANCE_ALWAYS) {
        json_key(w, "probability");
        json_open(w, '{');
        json_field_u64(w, "per_million", m->chance_ppm);
        json_field_u64(w, "seed", m->seed);
        json_close(w, '}');
    }
    json_close(w, '}');
}

static bool answer_ordered(const struct rule_effects *e)
{
    return e->answer != RULE_ANSWER_USUAL || e->answer_delay_ms != 0;
}

static void render_answer(struct writer *w, const struct rule_effects *e)
{
    json_key(w, "answer");
    json_open(w, '{');
    render_text(w, "error", e->answer_code);
    render_text(w, "message", e->answer_text);
    render_number(w, "status", e->answer_status);
    if (e->answer >= RULE_ANSWER_RESET) {
        json_field_text(w, "connection", CONNECTIONS[e->answer - RULE_ANSWER_RESET]);
    }
    render_number(w, "delay_ms", e->answer_delay_ms);
    json_field_bool(w, "accepted", e->accepted);
    json_close(w, '}');
}

static void render_callback(struct writer *w, const struct rule_effects *e)
{
    json_key(w, "callback");
    json_open(w, '{');
    render_true(w, "never", e->times == 0);
    if (e->times > 0) {
        json_field_u64(w, "times", e->times);
    }
    render_number(w, "delay_ms", e->callback_delay_ms);
    render_number(w, "spacing_ms", e->spacing_ms);
    render_true(w, "hold_for_next", e->hold_for_next);
    render_true(w, "before_answer", e->before_answer);
    render_number(w, "fail_first", e->fail_first);
    if (e->callback_amount_minor >= 0) {
        json_field_i64(w, "amount", e->callback_amount_minor);
    }
    if (e->no_metadata) {
        json_field_bool(w, "metadata", false);
    }
    render_true(w, "cut", e->cut);
    render_text(w, "code", e->callback_code);
    render_text(w, "text", e->callback_text);
    json_close(w, '}');
}

static bool callback_ordered(const struct rule_effects *e)
{
    return e->times != 1 || e->callback_delay_ms != 0 || e->spacing_ms != 0 || e->hold_for_next ||
           e->before_answer || e->fail_first != 0 || rule_changes_callback(e);
}

void rule_effects_render(struct writer *w, const struct rule_effects *e)
{
    json_open(w, '{');
    if (answer_ordered(e)) {
        render_answer(w, e);
    }
    if (e->act != RULE_ACT_NONE) {
        json_key(w, "prompt");
        json_open(w, '{');
        json_field_text(w, "act", ACTS[e->act]);
        render_number(w, "delay_ms", e->act_delay_ms);
        json_close(w, '}');
    }
    if (rule_orders_end(e)) {
        json_key(w, "outcome");
        json_open(w, '{');
        json_field_text(w, "code", e->outcome_code);
        render_text(w, "text", e->outcome_text);
        render_number(w, "delay_ms", e->act_delay_ms);
        json_close(w, '}');
    }
    bool other = answer_ordered(e) || e->act != RULE_ACT_NONE || rule_orders_end(e) ||
                 e->query != RULE_QUERY_TRUTH;
    if (callback_ordered(e) || !other) { /* one that orders what happens anyway says so */
        render_callback(w, e);
    }
    if (e->query != RULE_QUERY_TRUTH) {
        json_key(w, "query");
        json_open(w, '{');
        render_true(w, "pending", e->query == RULE_QUERY_PENDING);
        render_text(w, "code", e->query_code);
        render_text(w, "text", e->query_text);
        json_close(w, '}');
    }
    json_close(w, '}');
}

void rule_render_open(struct writer *w, const struct rule *rule)
{
    json_open(w, '{');
    json_field_text(w, "name", rule->name);
    render_match(w, &rule->match);
    json_key(w, "then");
    rule_effects_render(w, &rule->effects);
}
