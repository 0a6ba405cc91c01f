/*
 * fuzz_world_file.c - any bytes as a world's file, as a stranger may hand one to a server.
 *
 * Must hold: reading it, giving its decisions this server's positions and secrets, and auditing
 * them survive whatever stands there; what is refused is refused with words; what is taken in makes
 * a file again.
 *
 * The first byte picks how the rest is used: 0 as it is, else as changes (position, byte) to the
 * file of a small shop, with a digest that is right again.
 */
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/verify/audit.h"
#include "face/world_file.h"
#include "fuzz/small_book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SHA_BYTES = 32, BEGUN = 1000, CHANGE_BYTES = 4 };

static struct secrets *secrets;
static uint8_t *model;
static size_t model_size;
static uint8_t changed[WORLD_FILE_BYTES_MAX];

static void make_model(void)
{
    static const uint8_t key[32] = {1};
    char error[WORLD_FILE_ERROR_SIZE];
    struct small_book s;
    secrets = secrets_from_key(key);
    CHECK(secrets != NULL);
    small_book_open(&s);
    small_book_story(&s);
    struct world_file world = {.frames = {(const char *)s.frames.data, s.frames.size},
                               .time_ns = s.now_ns,
                               .name = SPAN_LITERAL("model")};
    model = world_file_make(&world, secrets, &model_size, error);
    CHECK(model != NULL);
    small_book_close(&s);
}

/* Sound or not: the auditor says, and survives. */
static void audit_frames(struct span frames)
{
    struct audit_import *m = audit_import_create(BEGUN);
    CHECK(m != NULL);
    audit_import_frames(m, frames);
    (void)audit_import_finish(m);
    audit_import_destroy(m);
}

static void try_file(const uint8_t *data, size_t size)
{
    char error[WORLD_FILE_ERROR_SIZE] = "";
    struct world_file file, again;
    if (!world_file_read((struct span){(const char *)data, size}, &file, error)) {
        CHECK(error[0] != '\0');
        return;
    }
    size_t local_size = 0;
    uint8_t *local = world_file_localise(&file, secrets, BEGUN + 1, &local_size, error);
    if (local == NULL) {
        CHECK(error[0] != '\0');
        return;
    }
    audit_frames((struct span){(const char *)local, local_size});
    struct world_file world = {
        .frames = {(const char *)local, local_size}, .time_ns = file.time_ns, .name = file.name};
    size_t made_size = 0;
    uint8_t *made = world_file_make(&world, secrets, &made_size, error);
    if (made != NULL) {
        CHECK(world_file_read((struct span){(const char *)made, made_size}, &again, error));
        CHECK(again.count == file.count);
    }
    free(made);
    free(local);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned length = 0;
    if (model == NULL) {
        make_model();
    }
    if (size == 0) {
        return 0;
    }
    if (data[0] == 0) {
        try_file(data + 1, size - 1);
        return 0;
    }
    memcpy(changed, model, model_size);
    for (size_t i = 1; i + CHANGE_BYTES <= size; i += CHANGE_BYTES) {
        size_t at = ((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) % model_size;
        changed[at] = data[i + 3];
    }
    CHECK(EVP_Digest(changed, model_size - SHA_BYTES, changed + model_size - SHA_BYTES, &length,
                     EVP_sha256(), NULL) == 1);
    try_file(changed, model_size);
    return 0;
}
