/*
 * archive.c - see archive.h. Tests: tests/e2e/150-old-ids.sh.
 */
#include "app/archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { INDEX_PATH_BYTES = 640 };

static void tell_progress(void *context, uint64_t position, uint64_t head)
{
    static uint64_t told; /* in per cent */
    (void)context;
    uint64_t now = head == 0 ? 100 : position * 100 / head;
    if (now / 5 != told / 5) {
        (void)fprintf(stderr, "hakika: building the index of old ids: %" PRIu64 " %%\n", now);
        told = now;
    }
}

static bool build(const char *path, struct journal *journal, const struct book_options *options,
                  const char *why)
{
    char message[INDEX_MESSAGE_MAX];
    struct index_rebuild rebuild = {
        .path = path, .journal = journal, .options = options, .progress = tell_progress};
    (void)fprintf(stderr,
                  "hakika: the index of old ids %s does not fit the journal: %s. It is built anew "
                  "from the journal; nothing is lost, this start takes longer\n",
                  path, why);
    if (!index_build(&rebuild, message)) {
        (void)fprintf(stderr, "hakika: %s\n", message);
        return false;
    }
    return true;
}

bool archive_open(struct archive *a, const char *data, struct journal *journal,
                  const struct book *book, const struct book_options *options)
{
    char path[INDEX_PATH_BYTES];
    char message[INDEX_MESSAGE_MAX] = "";
    uint8_t identity[16];
    (void)snprintf(path, sizeof(path), "%.600s/index.mdb", data);
    journal_identity(journal, identity);
    for (uint32_t tries = 0; tries < 2; tries++) {
        const char *why = "it is damaged";
        bool damaged;
        a->index = index_open(path, identity, &damaged, message);
        if (a->index == NULL && !damaged) {
            break;
        }
        if (a->index != NULL && index_fits(a->index, journal, book, &why)) {
            return true;
        }
        index_close(a->index);
        a->index = NULL;
        (void)snprintf(message, sizeof(message), "the index of old ids was built and %.80s", why);
        if (tries == 1 || !build(path, journal, options, why)) {
            break;
        }
    }
    (void)fprintf(stderr, "hakika: %s: %s\n", path, message);
    return false;
}

static enum index_answer archive_find(void *context, uint64_t generation,
                                      const struct old_name *name, struct old_name *primary,
                                      struct span *record)
{
    struct archive *a = context;
    return index_find(a->index, generation, name, primary, record);
}

struct engine_archive archive_port(struct archive *a)
{
    return (struct engine_archive){a, archive_find};
}

bool archive_start(struct archive *a, struct engine *engine, const struct keeper_settings *settings)
{
    if (settings->closed_ns == 0) {
        return true;
    }
    a->thread = index_start_thread(a->index);
    struct keeper_port port = {a->thread, index_thread_put};
    a->keeper = a->thread == NULL ? NULL : keeper_create(engine, &port, settings);
    return a->keeper != NULL;
}

int archive_descriptor(const struct archive *a)
{
    return a->thread == NULL ? -1 : index_descriptor(a->thread);
}

static void collect(struct archive *a)
{
    bool good;
    char message[INDEX_MESSAGE_MAX];
    if (!index_collect(a->thread, &good, message)) {
        return;
    }
    if (!good && !a->complained) {
        (void)fprintf(stderr, "hakika: %s. What is closed stays in memory meanwhile\n", message);
    }
    a->complained = !good;
    keeper_written(a->keeper, good);
}

bool archive_turn(struct archive *a)
{
    if (a->keeper == NULL) {
        return false;
    }
    if (keeper_writing(a->keeper)) {
        collect(a);
    }
    return keeper_turn(a->keeper);
}

int archive_timeout_ms(const struct archive *a)
{
    return a->keeper == NULL ? -1 : keeper_timeout_ms(a->keeper);
}

void archive_close(struct archive *a)
{
    index_stop(a->thread);
    keeper_destroy(a->keeper);
    index_close(a->index);
}
