/*
 * fuzz_rules.c - bytes as a rules document, and as an encoded list.
 *
 * Must hold: a document is taken, and then rendered and read again it gives the same rules, in
 * JSON as in bytes; or refused with a reason. An encoded list that is taken encodes to the same
 * bytes again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operator/operator.h"
#include "wire/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

_Noreturn void hakika_panic(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

static struct rule_list taken, again;
static uint8_t bytes[RULES_BYTES_MAX], bytes_again[RULES_BYTES_MAX];
static char text[512 * 1024];

static void check_bytes(struct span list)
{
    if (!rule_list_decode(list, &taken)) {
        return;
    }
    size_t size = rule_list_encode(&taken, bytes_again);
    CHECK(size == list.size && memcmp(bytes_again, list.data, size) == 0);
}

static void check_document(struct json_scratch *scratch, struct span document)
{
    struct rules_error error;
    if (!rules_parse(document, scratch, &taken, &error)) {
        CHECK(error.why[0] != '\0');
        return;
    }
    struct writer w = writer_init(text, sizeof(text));
    json_raw(&w, "{\"rules\":[");
    for (uint32_t i = 0; i < taken.count; i++) {
        rule_render_open(&w, &taken.rules[i]);
        json_close(&w, '}');
    }
    json_raw(&w, "]}");
    CHECK(!w.overflow);
    CHECK(rules_parse((struct span){text, w.size}, scratch, &again, &error));
    CHECK(memcmp(&taken, &again, sizeof(taken)) == 0);
    size_t size = rule_list_encode(&taken, bytes);
    if (size > 0) {
        CHECK(rule_list_decode((struct span){(const char *)bytes, size}, &again));
        CHECK(memcmp(&taken, &again, sizeof(taken)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_scratch *scratch;
    struct span input = {(const char *)data, size};
    if (scratch == NULL) {
        scratch = json_scratch_create();
    }
    check_document(scratch, input);
    check_bytes(input);
    return 0;
}
