/*
 * control_worlds.c - the control API's calls about worlds: saving what the book holds under a name,
 * listing, forking, restoring, removing; and the reset to the seeded state.
 *
 * Reset and restore open a new generation: results of deliveries of the former one are dropped, and
 * who waits for one of its payments is told so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/caltime.h"
#include "face/daraja.h"
#include "face/internal.h"
#include "face/world_file.h"

static void position_field(struct writer *w, const char *name, uint64_t generation,
                           uint64_t position)
{
    char text[48];
    (void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)generation,
                   (unsigned long long)position);
    json_field_text(w, name, text);
}

static void digest_field(struct writer *w, struct digest_value digest)
{
    char text[40];
    (void)snprintf(text, sizeof(text), "%016llx%016llx", (unsigned long long)digest.high,
                   (unsigned long long)digest.low);
    json_field_text(w, "digest", text);
}

static void render_world(struct writer *w, const struct book_world *world)
{
    char at[RFC3339_SIZE];
    (void)rfc3339_format(world->time_ns, at);
    json_open(w, '{');
    json_field_text(w, "object", "snapshot");
    json_field_string(w, "name", (struct span){world->name, world->name_size});
    position_field(w, "position", world->generation, world->position);
    json_field_text(w, "saved_at", at);
    json_field_u64(w, "size_bytes", world->size);
    digest_field(w, world->digest);
    json_close(w, '}');
}

static void answer_world(struct request *q, uint64_t wait_position, unsigned status,
                         const struct book_world *world)
{
    struct writer w = surface_writer(q->s);
    render_world(&w, world);
    surface_json(q, wait_position, status, &w);
}

static void answer_outcome(struct request *q, uint64_t wait_position, enum book_outcome outcome)
{
    char words[200];
    switch (outcome) {
    case BOOK_EXISTS:
        surface_problem(q, wait_position, 409, "snapshot_exists",
                        "a snapshot has this name already: delete it, or choose another name");
        break;
    case BOOK_TOO_MANY:
        (void)snprintf(words, sizeof(words), "there are %d snapshots already: delete one",
                       BOOK_WORLDS_MAX);
        surface_problem(q, wait_position, 409, "too_many_snapshots", words);
        break;
    case BOOK_LEFT:
        surface_problem(
            q, wait_position, 409, "payments_left_memory",
            "closed payments have left memory, and a snapshot cannot hold them; nothing "
            "was saved: save earlier, or start with --keep-closed 0");
        break;
    case BOOK_TOO_LARGE:
        (void)snprintf(words, sizeof(words),
                       "a snapshot holds at most %d MiB, all of them together %d MiB; nothing was "
                       "saved: delete snapshots, or save before there are so many payments",
                       BOOK_WORLD_BYTES_MAX >> 20, BOOK_ALL_WORLDS_BYTES_MAX >> 20);
        surface_problem(q, wait_position, 409, "snapshot_too_large", words);
        break;
    case BOOK_INTERRUPTED:
        surface_problem(q, wait_position, 503, "interrupted",
                        "something else was decided while the file was taken in; nothing of it was "
                        "kept: send it again");
        break;
    case BOOK_UNREADABLE:
        surface_problem(
            q, wait_position, 422, "unsound_world",
            "the decisions of the file are not those of a sound book; nothing was kept");
        break;
    case BOOK_DONE:
    case BOOK_NOTHING:
    case BOOK_NOT_FOUND:
        surface_problem(q, wait_position, 404, "no_snapshot",
                        "no snapshot has this name; GET /sim/v1/snapshots lists them");
    }
}

/* True when it was done; otherwise answered. */
static bool execute_world(struct request *q, uint16_t kind, const struct world_command *c,
                          uint64_t *wait_position_out)
{
    enum book_outcome outcome = BOOK_NOTHING;
    struct engine_result result =
        engine_execute(q->s->engine, ENGINE_CONTINUATION, kind, c, &outcome);
    *wait_position_out = result.wait_position;
    if (!surface_decided(q, result)) {
        return false;
    }
    if (outcome != BOOK_DONE) {
        answer_outcome(q, result.wait_position, outcome);
        return false;
    }
    return true;
}

void control_world_save(struct request *q)
{
    struct json_object *body = control_body(q);
    struct world_command c = {.name = SPAN_EMPTY, .from = SPAN_EMPTY};
    uint64_t wait_position;
    if (body == NULL) {
        return;
    }
    struct json_object *name = json_member(body, "name");
    struct json_object *from = json_member(body, "from");
    if (name == NULL || !json_string(name, &c.name) || !book_world_name_valid(c.name) ||
        (from != NULL && (!json_string(from, &c.from) || !book_world_name_valid(c.from)))) {
        surface_problem(q, 0, 400, "invalid_name",
                        "name (and from, when given) must be 1 to 64 letters, digits, dots, "
                        "hyphens or underscores");
        return;
    }
    uint16_t kind = from != NULL ? COMMAND_WORLD_COPY : COMMAND_WORLD_SAVE;
    if (execute_world(q, kind, &c, &wait_position)) {
        answer_world(q, wait_position, 201, book_world(engine_book(q->s->engine), c.name));
    }
}

void control_world_list(struct request *q)
{
    const struct book *b = engine_book(q->s->engine);
    struct writer w = surface_writer(q->s);
    surface_list_open(&w);
    for (uint32_t i = b->world_count; i > 0; i--) {
        render_world(&w, &b->worlds[i - 1]);
    }
    surface_list_close(q, &w, false);
}

void control_world_get(struct request *q)
{
    const struct book_world *world = book_world(engine_book(q->s->engine), q->parts[0]);
    if (world == NULL) {
        answer_outcome(q, engine_read_position(q->s->engine), BOOK_NOT_FOUND);
        return;
    }
    answer_world(q, engine_read_position(q->s->engine), 200, world);
}

void control_world_remove(struct request *q)
{
    struct world_command c = {.name = q->parts[0], .from = SPAN_EMPTY};
    uint64_t wait_position;
    if (!execute_world(q, COMMAND_WORLD_REMOVE, &c, &wait_position)) {
        return;
    }
    struct writer w = surface_writer(q->s);
    json_open(&w, '{');
    json_field_text(&w, "object", "snapshot");
    json_field_string(&w, "name", c.name);
    json_field_bool(&w, "deleted", true);
    json_close(&w, '}');
    surface_json(q, wait_position, 200, &w);
}

/* ---- as files ---- */

bool surface_large_body(void *context, const struct http_exchange *x)
{
    struct span path = http_path(x);
    (void)context;
    return span_is(http_method(x), "POST") &&
           span_starts_with(path, SPAN_LITERAL("/sim/v1/snapshots/")) && path.size > 5 &&
           memcmp(path.data + path.size - 5, "/file", 5) == 0;
}

static void answer_file(struct request *q, const struct book_world *world, struct span bytes)
{
    char header[BOOK_WORLD_NAME_MAX + 64];
    int size = snprintf(header, sizeof(header), "attachment; filename=\"%.*s.hakika-world\"",
                        (int)world->name_size, world->name);
    CHECK(size > 0 && (size_t)size < sizeof(header));
    http_reply_header(q->x, "Content-Disposition", span_from(header));
    surface_send(q, engine_read_position(q->s->engine),
                 (struct face_answer){200, "application/octet-stream", bytes});
}

void control_world_file_get(struct request *q)
{
    struct surface *s = q->s;
    const struct book_world *world = book_world(engine_book(s->engine), q->parts[0]);
    char error[WORLD_FILE_ERROR_SIZE] = "this server keeps no files of worlds";
    size_t size = 0;
    if (world == NULL) {
        answer_outcome(q, engine_read_position(s->engine), BOOK_NOT_FOUND);
        return;
    }
    struct world_file file = {.time_ns = world->time_ns, .name = {world->name, world->name_size}};
    uint8_t *frames = NULL;
    uint8_t *bytes = NULL;
    if (s->options.world_frames != NULL) {
        frames = s->options.world_frames(s->options.context, engine_durable(s->engine), file.name,
                                         &size, error);
    }
    if (frames != NULL) {
        file.frames = (struct span){(const char *)frames, size};
        bytes = world_file_make(&file, s->options.secrets, &size, error);
    }
    if (bytes == NULL) {
        surface_problem(q, 0, 409, "no_world_file", error);
    } else {
        answer_file(q, world, (struct span){(const char *)bytes, size});
    }
    free(frames);
    free(bytes);
}

/* The run of frames that brings a world in. False: answered; what was begun leaves nothing. */
struct importing {
    struct request *q;
    struct world_import_command c;
    uint64_t wait_position;
};

static bool import_step(struct importing *m, uint16_t kind)
{
    enum book_outcome outcome = BOOK_NOTHING;
    struct engine *e = m->q->s->engine;
    struct engine_result result =
        kind == COMMAND_WORLD_IMPORT_BEGIN
            ? engine_execute(e, ENGINE_CONTINUATION, kind, &m->c, &outcome)
            : engine_execute_next(e, kind, &m->c, &outcome);
    m->wait_position = result.wait_position;
    if (!surface_decided(m->q, result)) {
        return false;
    }
    if (outcome != BOOK_DONE) {
        answer_outcome(m->q, result.wait_position, outcome);
        return false;
    }
    return true;
}

static bool import_frames(struct importing *m, struct span frames)
{
    struct reader r = reader_init(frames.data, frames.size);
    struct frame_reader f;
    struct digest digest;
    digest_init(&digest);
    digest_update(&digest, frames.data, frames.size);
    while (frame_next(&r, &f)) {
        m->c.time_ns = f.info.time_ns;
        m->c.cause = f.info.cause;
        m->c.events = (struct span){(const char *)f.events.data, f.events.size};
        if (!import_step(m, COMMAND_WORLD_IMPORT_FRAME)) {
            return false;
        }
    }
    m->c.digest = digest_finish(&digest);
    return import_step(m, COMMAND_WORLD_IMPORT_END);
}

/* Looked at before anything is decided; then once more with the positions that it really gets. */
static bool import_world(struct request *q, const struct world_file *file, struct importing *m)
{
    struct surface *s = q->s;
    char error[WORLD_FILE_ERROR_SIZE] = "this server takes no files of worlds";
    size_t size = 0;
    uint8_t *frames =
        world_file_localise(file, s->options.secrets, engine_applied(s->engine) + 2, &size, error);
    bool sound = frames != NULL && s->options.world_sound != NULL &&
                 s->options.world_sound(s->options.context,
                                        (struct span){(const char *)frames, size}, error);
    free(frames);
    if (!sound) {
        surface_problem(q, 0, 422, "unsound_world", error);
        return false;
    }
    m->c = (struct world_import_command){.name = q->parts[0],
                                         .time_ns = file->time_ns,
                                         .frames = file->count,
                                         .bytes = (uint32_t)size};
    if (!import_step(m, COMMAND_WORLD_IMPORT_BEGIN)) {
        return false;
    }
    frames = world_file_localise(file, s->options.secrets, m->wait_position + 1, &size, error);
    bool good = false;
    if (frames == NULL) {
        surface_problem(q, m->wait_position, 503, "no_memory", error);
    } else {
        good = import_frames(m, (struct span){(const char *)frames, size});
    }
    free(frames);
    return good;
}

void control_world_file_post(struct request *q)
{
    struct world_file file;
    struct importing m = {.q = q};
    char error[WORLD_FILE_ERROR_SIZE];
    struct span type = http_header(q->x, "Content-Type");
    if (type.data == NULL || !span_starts_with(type, SPAN_LITERAL("application/octet-stream"))) {
        surface_problem(q, 0, 415, "file_needed",
                        "the Content-Type must be application/octet-stream, and the body the file");
    } else if (!book_world_name_valid(q->parts[0])) {
        surface_problem(q, 0, 400, "invalid_name",
                        "the name must be 1 to 64 letters, digits, dots, hyphens or underscores");
    } else if (book_world(engine_book(q->s->engine), q->parts[0]) != NULL) {
        answer_outcome(q, engine_read_position(q->s->engine), BOOK_EXISTS);
    } else if (!world_file_read(http_body(q->x), &file, error)) {
        surface_problem(q, 0, 422, "no_world_file", error);
    } else if (import_world(q, &file, &m)) {
        answer_world(q, m.wait_position, 201, book_world(engine_book(q->s->engine), q->parts[0]));
    }
}

/* The generation that has just been opened. */
static void answer_generation(struct request *q, uint64_t wait_position, const char *state,
                              const struct book_world *world)
{
    struct surface *s = q->s;
    const struct book *b = engine_book(s->engine);
    char now[RFC3339_SIZE];
    struct writer w = surface_writer(s);
    (void)rfc3339_format(engine_now(s->engine), now);
    json_open(&w, '{');
    json_field_u64(&w, "generation", b->generation);
    json_field_text(&w, "state", state);
    position_field(&w, "position", b->generation, b->position);
    json_field_text(&w, "now", now);
    if (world != NULL) {
        json_field_string(&w, "snapshot", (struct span){world->name, world->name_size});
        digest_field(&w, world->digest);
    }
    json_close(&w, '}');
    surface_json(q, wait_position, 200, &w);
}

void control_world_restore(struct request *q)
{
    struct surface *s = q->s;
    struct world_command c = {.name = q->parts[0], .from = SPAN_EMPTY};
    uint64_t wait_position;
    if (engine_advancing(s->engine)) {
        surface_problem(q, 0, 409, "clock_is_moving", "the clock is being moved; wait");
        return;
    }
    if (execute_world(q, COMMAND_WORLD_RESTORE, &c, &wait_position)) {
        answer_generation(q, wait_position, "restored", book_world(engine_book(s->engine), c.name));
    }
}

void control_reset(struct request *q)
{
    char error[RULES_ERROR_SIZE];
    struct engine_result result = surface_seed(q->s);
    if (result.status != ENGINE_APPLIED) {
        surface_not_decided(q, result.status);
        return;
    }
    CHECK(surface_start_rules(q->s, error)); /* they were taken at the start */
    if (q->s->options.reset_too != NULL) {
        q->s->options.reset_too(q->s->options.context);
    }
    answer_generation(q, engine_read_position(q->s->engine), "seeded", NULL);
}
