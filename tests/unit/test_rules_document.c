/*
 * test_rules_document.c - rules documents read and written: what is refused, with the place and the
 * reason; what is taken comes out of the renderer as the same rules. The JSON schema is compared
 * with this parser in tests/e2e/155-rules-schema.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "face/documents.h"
#include "wire/rules.h"

/* A false CHECK ends the test, and is what some tests expect. */
_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define THEN         "\"then\":{\"query\":{\"pending\":true}}"
#define ONE(rest)    "{\"rules\":[{\"name\":\"a\"," rest "}]}"
#define MATCH(m)     ONE("\"match\":" m "," THEN)
#define ORDER(t)     ONE("\"then\":" t)

static struct rule_list first, again;

static int make_scratch(void **state)
{
    *state = json_scratch_create();
    return 0;
}

static int drop_scratch(void **state)
{
    json_scratch_destroy(*state);
    return 0;
}

static const struct {
    const char *document;
    const char *place;
    const char *why;
} REFUSED[] = {
    {"", "", ""},
    {"[]", "", "must be an object"},
    {"{}", "/rules", "must be an array"},
    {"{\"rules\":{}}", "/rules", "must be an array"},
    {"{\"rules\":[],\"more\":1}", "/more", "is not a member here; there are rules"},
    {"{\"rules\":[7]}", "/rules/0", "must be an object"},
    {"{\"rules\":[{" THEN "}]}", "/rules/0/name", "is missing"},
    {"{\"rules\":[{\"name\":\"\"," THEN "}]}", "/rules/0/name", "1 to 48 letters"},
    {"{\"rules\":[{\"name\":\" a\"," THEN "}]}", "/rules/0/name", "1 to 48 letters"},
    {"{\"rules\":[{\"name\":7," THEN "}]}", "/rules/0/name", "must be a string"},
    {"{\"rules\":[{\"name\":\"a\"}]}", "/rules/0/then", "is missing"},
    {ONE("\"then\":{}"), "/rules/0/then", "must order something"},
    {ONE("\"match\":null," THEN), "/rules/0/match", "must be an object"},
    {MATCH("{\"fone\":1}"), "/rules/0/match/fone", "short_code"},
    {MATCH("{\"api\":\"stk\"}"), "/rules/0/match/api", "must be the name of an API"},
    {MATCH("{\"api\":[\"oauth\",7]}"), "/rules/0/match/api/1", "must be the name of an API"},
    {MATCH("{\"api\":[]}"), "/rules/0/match/api", "at least one"},
    {MATCH("{\"short_code\":9999}"), "/rules/0/match/short_code", "from 10000 to 9999999"},
    {MATCH("{\"short_code\":\"174379\"}"), "/rules/0/match/short_code", "whole number"},
    {MATCH("{\"phone\":254711}"), "/rules/0/match/phone", "must be a string of 1 to 12 digits"},
    {MATCH("{\"phone\":\"+254711\"}"), "/rules/0/match/phone", "digits"},
    {MATCH("{\"phone\":{}}"), "/rules/0/match/phone", "either prefix or suffix"},
    {MATCH("{\"phone\":{\"suffix\":\"1\",\"prefix\":\"2\"}}"), "/rules/0/match/phone", "either"},
    {MATCH("{\"phone\":{\"suffix\":\"\"}}"), "/rules/0/match/phone/suffix", "1 to 12 digits"},
    {MATCH("{\"amount\":-1}"), "/rules/0/match/amount", "whole number from 0"},
    {MATCH("{\"amount\":1.5}"), "/rules/0/match/amount", "whole number"},
    {MATCH("{\"amount\":{}}"), "/rules/0/match/amount", "must hold min, max or both"},
    {MATCH("{\"amount\":{\"min\":2,\"max\":1}}"), "/rules/0/match/amount", "min is above max"},
    {MATCH("{\"amount\":{\"least\":2}}"), "/rules/0/match/amount/least", "is not a member"},
    {MATCH("{\"reference\":{\"suffix\":\"1\"}}"), "/rules/0/match/reference/suffix", "prefix"},
    {MATCH("{\"nth\":0}"), "/rules/0/match/nth", "from 1 to"},
    {MATCH("{\"every\":true}"), "/rules/0/match/every", "whole number"},
    {MATCH("{\"probability\":{}}"), "/rules/0/match/probability/per_million", "is missing"},
    {MATCH("{\"probability\":{\"per_million\":1000001}}"), "/rules/0/match/probability/per_million",
     "from 0 to 1000000"},
    {ORDER("{\"answer\":{}}"), "/rules/0/then/answer", "at least one"},
    {ORDER("{\"answer\":{\"error\":\"17\"}}"), "/rules/0/then/answer/error", "errorCode"},
    {ORDER("{\"answer\":{\"error\":\"200.003.02\"}}"), "/rules/0/then/answer/error", "4 or 5"},
    {ORDER("{\"answer\":{\"message\":\"x\"}}"), "/rules/0/then/answer/message", "with error"},
    {ORDER("{\"answer\":{\"error\":\"500.003.02\",\"status\":500}}"), "/rules/0/then/answer",
     "only one of"},
    {ORDER("{\"answer\":{\"status\":200}}"), "/rules/0/then/answer/status", "from 400 to 599"},
    {ORDER("{\"answer\":{\"connection\":\"gone\"}}"), "/rules/0/then/answer/connection", "reset"},
    {ORDER("{\"answer\":{\"delay_ms\":5,\"accepted\":false}}"), "/rules/0/then/answer/accepted",
     "only be false with"},
    {ORDER("{\"answer\":{\"delay_ms\":604800001}}"), "/rules/0/then/answer/delay_ms", "604800000"},
    {ORDER("{\"answer\":{\"status\":500},\"query\":{\"pending\":true}}"), "/rules/0/then",
     "accepts nothing"},
    {ORDER("{\"prompt\":{}}"), "/rules/0/then/prompt/act", "is missing"},
    {ORDER("{\"prompt\":{\"act\":\"sleep\"}}"), "/rules/0/then/prompt/act", "approve"},
    {ORDER("{\"prompt\":{\"act\":\"approve\"},\"outcome\":{\"code\":\"1\"}}"), "/rules/0/then",
     "not both"},
    {ORDER("{\"outcome\":{}}"), "/rules/0/then/outcome/code", "is missing"},
    {ORDER("{\"outcome\":{\"code\":1032}}"), "/rules/0/then/outcome/code", "must be a string"},
    {ORDER("{\"outcome\":{\"code\":\"4999\"}}"), "/rules/0/then/outcome/code", "no outcome"},
    {ORDER("{\"outcome\":{\"code\":\"1\",\"text\":\"\\u00e9\"}}"), "/rules/0/then/outcome/text",
     "printable ASCII"},
    {ORDER("{\"callback\":{}}"), "/rules/0/then/callback", "at least one"},
    {ORDER("{\"callback\":{\"never\":true,\"times\":1}}"), "/rules/0/then/callback/never",
     "leaves nothing"},
    {ORDER("{\"callback\":{\"times\":0}}"), "/rules/0/then/callback/times", "from 1 to 10"},
    {ORDER("{\"callback\":{\"fail_first\":16}}"), "/rules/0/then/callback/fail_first", "to 15"},
    {ORDER("{\"callback\":{\"text\":\"x\"}}"), "/rules/0/then/callback/text", "with code"},
    {ORDER("{\"callback\":{\"cut\":\"yes\"}}"), "/rules/0/then/callback/cut", "true or false"},
    {ORDER("{\"query\":{}}"), "/rules/0/then/query", "either code"},
    {ORDER("{\"query\":{\"pending\":false}}"), "/rules/0/then/query", "either code"},
    {ORDER("{\"query\":{\"pending\":true,\"code\":\"1\"}}"), "/rules/0/then/query", "either code"},
};

static void test_refused_with_the_place(void **state)
{
    for (size_t i = 0; i < COUNT(REFUSED); i++) {
        struct rules_error error;
        if (rules_parse(span_from(REFUSED[i].document), *state, &first, &error)) {
            fail_msg("taken: %s", REFUSED[i].document);
        }
        assert_string_equal(error.place, REFUSED[i].place);
        if (strstr(error.why, REFUSED[i].why) == NULL) {
            fail_msg("%s: \"%s\", not \"%s\"", REFUSED[i].document, error.why, REFUSED[i].why);
        }
    }
}

/* What comes out is the same again. */
static void round_trip(struct json_scratch *scratch, struct span document)
{
    static char text[256 * 1024];
    struct rules_error error;
    if (!rules_parse(document, scratch, &first, &error)) {
        fail_msg("at \"%s\": %s", error.place, error.why);
    }
    struct writer w = writer_init(text, sizeof(text));
    json_raw(&w, "{\"rules\":[");
    for (uint32_t i = 0; i < first.count; i++) {
        rule_render_open(&w, &first.rules[i]);
        json_close(&w, '}');
    }
    json_raw(&w, "]}");
    assert_false(w.overflow);
    if (!rules_parse((struct span){text, w.size}, scratch, &again, &error)) {
        fail_msg("rendered: at \"%s\": %s", error.place, error.why);
    }
    assert_int_equal(again.count, first.count);
    for (uint32_t i = 0; i < first.count; i++) {
        assert_memory_equal(&again.rules[i], &first.rules[i], sizeof(first.rules[i]));
    }
}

static void test_round_trip(void **state)
{
    static const char *const documents[] = {
        "{\"rules\":[]}",
        ONE(THEN),
        MATCH("{}"),
        MATCH("{\"api\":[\"b2c\",\"stk_push\"],\"short_code\":10000,\"phone\":\"1\",\"amount\":0,"
              "\"reference\":\" ~\",\"nth\":1,\"first\":1000000000,\"every\":2,"
              "\"probability\":{\"per_million\":0,\"seed\":9007199254740992}}"),
        MATCH("{\"phone\":{\"prefix\":\"2547\"},\"amount\":{\"max\":5},\"reference\":{\"prefix\":"
              "\"I\"},\"probability\":{\"per_million\":1000000}}"),
        ORDER("{\"answer\":{\"error\":\"500.001.1001\",\"message\":\"m\",\"accepted\":true,"
              "\"delay_ms\":604800000}}"),
        ORDER("{\"answer\":{\"status\":599}}"),
        ORDER("{\"answer\":{\"connection\":\"empty_body\"},\"prompt\":{\"act\":\"unreachable\"}}"),
        ORDER("{\"answer\":{\"accepted\":true}}"),
        ORDER("{\"outcome\":{\"code\":\"E3008\",\"text\":\"t\",\"delay_ms\":1},\"callback\":{"
              "\"never\":true}}"),
        ORDER("{\"callback\":{\"times\":10,\"delay_ms\":1,\"spacing_ms\":2,\"hold_for_next\":true,"
              "\"before_answer\":true,\"fail_first\":15,\"amount\":0,\"metadata\":false,\"cut\":"
              "true,\"code\":\"0\",\"text\":\"t\"},\"query\":{\"code\":\"c\",\"text\":\"t\"}}"),
        ORDER("{\"callback\":{\"never\":false,\"metadata\":true,\"cut\":false}}"),
    };
    for (size_t i = 0; i < COUNT(documents); i++) {
        round_trip(*state, span_from(documents[i]));
    }
    round_trip(*state, magic_document());
}

static void test_as_many_as_fit(void **state)
{
    static char text[16 * 1024];
    struct rules_error error;
    for (uint32_t count = RULES_MAX; count <= RULES_MAX + 1; count++) {
        struct writer w = writer_init(text, sizeof(text));
        json_raw(&w, "{\"rules\":[");
        for (uint32_t i = 0; i < count; i++) {
            json_raw(&w, i > 0 ? "," : "");
            json_raw(&w, "{\"name\":\"a\"," THEN "}");
        }
        json_raw(&w, "]}");
        assert_false(w.overflow);
        bool taken = rules_parse((struct span){text, w.size}, *state, &first, &error);
        assert_int_equal(taken, count == RULES_MAX);
    }
    assert_string_equal(error.place, "/rules");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused_with_the_place, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(test_round_trip, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(test_as_many_as_fit, make_scratch, drop_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
