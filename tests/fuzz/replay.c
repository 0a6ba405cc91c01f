/*
 * replay.c - runs a fuzz target without a fuzzer, so that its corpus is a test on every commit and
 * with every compiler: each file of the directories given, and each of its beginnings (a message
 * cut short is the commonest malformed one), goes through LLVMFuzzerTestOneInput once.
 *
 * Linked into every tests/fuzz/fuzz_*.c unless meson was configured with -Dfuzz=true.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_BYTES_MAX = 1 << 20, PREFIXES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The copy is exactly as large as the input, so that reading past its end is seen. */
static void replay_input(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay_file(const char *path)
{
    static uint8_t input[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    size_t size = fread(input, 1, sizeof(input), file);
    (void)fclose(file);
    size_t step = size / PREFIXES_MAX + 1;
    for (size_t prefix = 0; prefix < size; prefix += step) {
        replay_input(input, prefix);
    }
    replay_input(input, size);
    return 0;
}

static int replay_directory(const char *directory, unsigned *count)
{
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        perror(directory);
        return -1;
    }
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(entries)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        int length = snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof(path)) {
            (void)fprintf(stderr, "%s/%s: the path is too long\n", directory, entry->d_name);
            result = -1;
        } else {
            result = replay_file(path);
            *count += 1;
        }
    }
    (void)closedir(entries);
    return result;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        if (replay_directory(argv[i], &count) != 0) {
            return 1;
        }
    }
    if (count == 0) {
        (void)fprintf(stderr, "no input was given: %s DIRECTORY...\n", argv[0]);
        return 1;
    }
    (void)printf("%u inputs, each with its beginnings\n", count);
    return 0;
}
