/*
 * fuzz_config.c - arbitrary words on the command line and in the environment (app/config.h).
 *
 * The input is a list of words, each ended by a zero byte: those that begin with "HAKIKA_" and hold
 * a '=' are the environment, the others the arguments. Whatever they are, the answer is a message
 * or a configuration in which every value is in its range, the same both times; and a key for the
 * control API never gets into a message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config.h"
#include "base/check.h"

enum { WORDS_MAX = 32, INPUT_MAX = 8 * 1024 };

static char words[INPUT_MAX + 1];
static char *arguments[WORDS_MAX + 1];
static char *variables[WORDS_MAX + 1];

static int read_words(const uint8_t *data, size_t size)
{
    int argument_count = 0;
    int variable_count = 0;
    memcpy(words, data, size);
    words[size] = '\0';
    for (size_t at = 0; at < size; at += strlen(words + at) + 1) {
        char *word = words + at;
        if (strncmp(word, "HAKIKA_", 7) == 0 && strchr(word, '=') != NULL) {
            if (variable_count < WORDS_MAX) {
                variables[variable_count++] = word;
            }
        } else if (argument_count < WORDS_MAX) {
            arguments[argument_count++] = word;
        }
    }
    arguments[argument_count] = NULL;
    variables[variable_count] = NULL;
    return argument_count;
}

static void check_text(const char *text, size_t room)
{
    CHECK(memchr(text, '\0', room) != NULL);
}

static void check_config(const struct config *c)
{
    bool loopback = strcmp(c->listen, "127.0.0.1") == 0 || strcmp(c->listen, "::1") == 0;
    check_text(c->data, sizeof(c->data));
    check_text(c->listen, sizeof(c->listen));
    check_text(c->public_host, sizeof(c->public_host));
    check_text(c->admin_key, sizeof(c->admin_key));
    check_text(c->callback_allow, sizeof(c->callback_allow));
    CHECK(c->data[0] != '\0' && c->listen[0] != '\0');
    CHECK(loopback || c->admin_key[0] != '\0');
    CHECK(c->admin_key[0] == '\0' || strlen(c->admin_key) >= 16);
    CHECK(c->profile >= PROFILE_DEV && c->profile <= PROFILE_STRICT);
    CHECK(c->connections_max >= 8 && c->connections_max <= 8192);
    CHECK(c->total_ms >= 50 && c->total_ms <= 120000);
    CHECK(c->snapshot_bytes > 0);
}

/* Long enough to be told from a word that stands in the message anyway. */
static void check_secret(const char *key, const char *message)
{
    CHECK(
        strlen(key) < 8 || strstr(message, key) == NULL || strncmp(key, "--", 2) == 0 ||
        strstr(
            "--admin-key HAKIKA_ADMIN_KEY takes 16 to 127 characters, not see hakika serve --help",
            key));
}

static void check_message(int count, const char message[256])
{
    static const char VARIABLE[] = "HAKIKA_ADMIN_KEY=";
    check_text(message, 256);
    CHECK(message[0] != '\0');
    /* The word after the flag, unless the flag is itself another one's value. */
    if (count == 2 && strcmp(arguments[0], "--admin-key") == 0 && variables[0] == NULL) {
        check_secret(arguments[1], message);
    }
    if (count == 1 && strncmp(arguments[0], "--admin-key=", 12) == 0) {
        check_secret(arguments[0] + 12, message);
    }
    if (count == 0 && variables[0] != NULL && variables[1] == NULL &&
        strncmp(variables[0], VARIABLE, sizeof(VARIABLE) - 1) == 0) {
        check_secret(variables[0] + sizeof(VARIABLE) - 1, message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) {
        return 0;
    }
    struct config first;
    struct config second;
    char message[256] = "";
    char again[256] = "";
    int count = read_words(data, size);
    char **before = environ;
    environ = variables;
    bool good = config_parse(count, arguments, &first, message);
    CHECK(config_parse(count, arguments, &second, again) == good);
    environ = before;
    if (good) {
        check_config(&first);
        CHECK(memcmp(&first, &second, sizeof(first)) == 0);
    } else {
        check_message(count, message);
        CHECK(strcmp(message, again) == 0);
    }
    return 0;
}
