/*
 * town.h - the whole operator in one process and one thread: book, engine, face (as function calls,
 * wire.h) and the SQL view, which is given each batch when it is "on disk". A virtual clock, no
 * files but the view's, no sockets. Who reads an answer or a message here reads the bytes that the
 * program sends.
 */
#ifndef HAKIKA_TESTS_AGREE_TOWN_H
#define HAKIKA_TESTS_AGREE_TOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "agree/wire.h"
#include "engine/engine.h"
#include "face/face.h"
#include "support/random.h"
#include "view/internal.h"
#include "wire/json.h"

enum { TOWN_BODY_MAX = 16 * 1024, TOWN_TEXT_MAX = 512 };

/* What a receiver does with a message that arrives. */
struct town_receipt {
    bool reported;   /* false: the answer is lost, or nothing arrived */
    uint16_t status; /* of a reported one */
    const char *answer;
};

/* A message as it arrives at its URL. */
struct town_message {
    uint64_t number; /* of the delivery */
    uint16_t kind;   /* enum operator_message, without MESSAGE_RULED */
    uint64_t subject;
    struct span url, body;
};

/* Called for each; decides what comes of it. */
typedef struct town_receipt (*town_receive_fn)(void *context, const struct town_message *message);

struct town {
    bool dev; /* the profile; else sandbox */
    struct operator_settings settings;
    struct book *book;
    struct book_clock clock;
    struct engine *engine;
    struct secrets *secrets;
    struct surface *surface;
    struct http_server *wire;
    struct journal_head head;
    struct journal_batch batch; /* under way */
    bool writing;
    uint8_t *frames; /* of this history, as they came to the disk */
    size_t frames_size;
    char folder[64];
    char view_file[96];
    char credential[96];
    struct store store;
    struct projection projection;
    struct json_scratch *json; /* of who listens */
    char token[80];            /* "Bearer ..." */
    char sent[TOWN_BODY_MAX];  /* the request under way */
    town_receive_fn receive;
    void *context;
};

void town_open(struct town *t, town_receive_fn receive, void *context);
void town_close(struct town *t);
/* A fresh book, seeded, with a view that begins with it; and an access token. Everything in it
 * follows from what is asked, so that a history alone is the same as one among others. */
void town_begin(struct town *t, bool dev);
void town_end(struct town *t);
/* The process ends and another begins with what is on the disk: book, engine and face are made anew
 * from the frames. Answers that waited are lost; the view goes on. */
void town_restart(struct town *t);
/* A new access token: they live an hour of the clock. */
void town_authorize(struct town *t);
/* Works until nothing is due at this time, and every message that may leave has arrived. */
void town_settle(struct town *t);

/* Asks over the wire, and works until it is answered or everything has settled. status 0: reset, or
 * not answered (yet). body may be NULL; the answer lives until the next. */
struct wire_reply town_ask(struct town *t, const char *method, const char *path, const char *query,
                           const char *body);
/* The same with a body made as by printf. */
struct wire_reply town_post(struct town *t, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What a 2xx answer says as JSON; NULL: it is none. Lives until the next parse. */
struct json_object *town_json(struct town *t, struct wire_reply reply);

/* Of an STK push or query with the time stamp 20260101120000. */
enum { TOWN_PASSWORD_MAX = 200 };
void town_password(uint32_t short_code, char out[TOWN_PASSWORD_MAX]);

/* One number or text from the view; false when there is no row, or NULL in it. */
bool view_number(struct town *t, int64_t *out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool view_text(struct town *t, char out[TOWN_TEXT_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- a contradiction ends the program ---- */

/* What is going on, for the message. */
extern struct test_random *told_random;
extern const char *told_doing;
extern bool told_trace;
_Noreturn void contradiction(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Members of JSON as text, whatever their type; false: absent or null. */
bool member_text(struct town *t, struct json_object *o, const char *name, char *out, size_t size);
int64_t member_integer(struct json_object *o, const char *name);

#endif
