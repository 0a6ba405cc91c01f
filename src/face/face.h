/*
 * face.h - the door of the inbound side: the operator's HTTP surfaces on one server (Daraja's
 * paths, the control API, health, the event stream) and what they share: routing, authentication,
 * replies that wait for the disk.
 *
 * Guarantees
 *  F1  a reply that rests on state leaves only when the state it rests on is durable (engine E1).
 *  F2  requests to /sim come from programs, or from our own page: Host is checked (DNS rebinding),
 *      a foreign Origin is refused, bodies must be JSON; away from loopback an admin key is needed.
 *  F3  PINs, passkeys and tokens are never logged, echoed or kept; but Daraja's own wording names
 *      an invalid token back to whoever sent it.
 */
#ifndef HAKIKA_FACE_FACE_H
#define HAKIKA_FACE_FACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/span.h"
#include "engine/engine.h"
#include "face/http.h"
#include "face/secrets.h"
#include "operator/operator.h"
#include "wire/daraja_url.h"
#include "wire/json.h"

enum profile {
    PROFILE_DEV = 0,
    PROFILE_SANDBOX = 1,
    PROFILE_STRICT = 2,     /* daraja-strict */
    PROFILE_PRODUCTION = 3, /* of the merchant book alone */
};
const char *profile_name(enum profile profile);

/* How far the SQL view has come, for the metrics. */
struct surface_view {
    uint64_t position;
    uint64_t lag_events;
    int64_t lag_ns;
    uint64_t skipped;
    uint64_t rebuilt;
    bool waits;
};

/* Which book a surface serves. */
enum surface_book {
    SURFACE_OPERATOR = 0,
    SURFACE_MERCHANT = 1,
};

enum { SURFACE_WORLD_ERROR_SIZE = 200 };

struct surface_options {
    enum surface_book book;
    struct engine *engine;
    struct old_index *index;     /* NULL: there is none */
    const struct keeper *keeper; /* NULL: nothing leaves memory */
    struct secrets *secrets;
    enum profile profile;
    bool in_flight_is_500;            /* STK query while open: HTTP 500 form instead of 4999 */
    const char *shadow_of;            /* base URL that Daraja's paths are forwarded to; "operator":
                                         the book next door; NULL: no shadow mode */
    const char *merchant_key;         /* API key of a new merchant book; NULL: none is given */
    void (*reset_too)(void *context); /* the operator's book was reset; NULL: nobody cares */
    const char *admin_key;            /* NULL: none needed (loopback only) */
    const char *public_host;          /* another allowed Host of /sim; NULL: loopback names only */
    bool allow_loopback_callbacks;    /* strict profiles: for tests */
    bool refuses_private;             /* URLs of private addresses; strict profiles always do */
    /* May a provider's callback come from there? NULL: from anywhere. */
    bool (*source_good)(void *context, struct span peer, struct span forwarded);
    bool magic;        /* outcomes by phone number and amount (magic.json) */
    struct span rules; /* rules document of the start; data NULL: none. Borrowed */
    /* Deliveries handed out and not yet reported. */
    uint32_t (*in_flight)(void *context);
    /* False, or NULL: there is no view. */
    bool (*view)(void *context, struct surface_view *out);
    /* Saved worlds as files; NULL: there are none. world_frames: the frames of the world of this
     * name, as the journal has them up to a position (malloc'ed), or NULL with an error.
     * world_sound: whether a stranger's frames are those of a sound book. */
    uint8_t *(*world_frames)(void *context, uint64_t until_position, struct span name,
                             size_t *size_out, char error[SURFACE_WORLD_ERROR_SIZE]);
    bool (*world_sound)(void *context, struct span frames, char error[SURFACE_WORLD_ERROR_SIZE]);
    void *context;
    const char *version;
    const char *credential_path; /* of the private key of our certificate; NULL: memory only */
};

struct surface;

/* NULL: no memory. The options' strings are borrowed. */
struct surface *surface_create(const struct surface_options *options);
void surface_destroy(struct surface *s); /* NULL is fine */
/* The server is made with surface_admit and surface_handle and context s, then told here. */
void surface_attach(struct surface *s, struct http_server *server);
bool surface_admit(void *context, struct http_exchange *x);
/* Does it take a file? (http_options.large_body) */
bool surface_large_body(void *context, const struct http_exchange *x);
void surface_handle(void *context, struct http_exchange *x);

/* To be called in every turn, after engine_turn: releases replies that are durable now, steps a
 * moving clock, feeds streams and long polls. Returns whether it wants another turn at once. */
bool surface_turn(struct surface *s);
/* True while nothing waits that the process would have to answer before it ends. */
bool surface_quiet(const struct surface *s);
/* The process is stopping: ends the streams and answers the long polls as things stand. */
void surface_quiesce(struct surface *s);
/* True while a long poll or a stream wants a turn now and then. */
bool surface_waits(const struct surface *s);
/* The engine was poisoned: answers every waiting request with an error that says so. */
void surface_fail(struct surface *s);

/* Fills a new or reset book: the seed of interfaces.md. */
struct engine_result surface_seed(struct surface *s);

/*
 * Puts the rules of the options in force, unless they are (a restart goes on counting): to be
 * called before the first request; a reset does it by itself. False with a message: the document is
 * refused.
 */
enum { RULES_ERROR_SIZE = 400 };
bool surface_start_rules(struct surface *s, char error[RULES_ERROR_SIZE]);

/* Does a scenario rule order this attempt to fail without being sent? */
bool surface_outgoing_fails(struct surface *s, const struct outbox_item *item);

/*
 * The longest body of an outgoing message, with room to spare. As JSON a byte of a text may become
 * six; of a URL, which has no controls, two. The longest is a result of B2B: two parties of 130
 * bytes, two texts of 100, a URL of 1,024 and a rule's words of 120 bytes (printable: two each) are
 * 1,560 + 1,200 + 2,048 + 240 bytes, and what stands around them is less than 1,500. That of an
 * edited copy is at most 2,046 bytes as it is.
 */
enum { SURFACE_OUTGOING_MAX = 8192 };
/* The body of an outgoing message, and where it goes. False: there is nothing to send any more, or
 * (never, see above) it is longer than the room. */
bool surface_outgoing(struct surface *s, const struct outbox_item *item, struct writer *body,
                      struct span *url_out);

/* The book has decided what became of an attempt at this item: for the figures. */
void surface_attempted(struct surface *s, uint64_t number);

/* What was answered to an item that is a question, as the operator understands it (verdict and text
 * of struct delivery_result_command; the text lives until the next parse). False: it is none. */
bool surface_question(struct surface *s, uint64_t number, struct span answer, uint16_t *verdict,
                      struct span *text);
/* How long an attempt at this item may take; 0: as long as any. */
uint32_t surface_time_limit_ms(struct surface *s, const struct outbox_item *item);
/* The header line that signs the body of this message; false: it is not signed. */
enum { SURFACE_SIGNATURE_SIZE = 160 };
bool surface_signature(struct surface *s, const struct outbox_item *item, struct span body,
                       char out[SURFACE_SIGNATURE_SIZE]);

/* ---- the merchant's surface: what the sender of its messages needs ---- */

/* Where the operator next door listens (data NULL: there is none), and where providers reach us. */
void gateway_urls(struct surface *s, struct span operator_url, struct span own_url);
/* Where the page of the other book is, for the console; one that is no plain URL is left out. */
void surface_next_door(struct surface *s, struct span url);
/* The API key that a new merchant book begins with, instead of dev's default key. */
void gateway_first_key(struct surface *s, struct span key);
/* Paystack's secret key, from a file: the first merchant gets an account at Paystack, unless it has
 * one. False: the book would not take it. */
bool gateway_paystack_key(struct surface *s, struct span key);
/* Fills a new merchant book: one merchant; in dev also its key and a provider next door. In
 * production there is nothing by default: without gateway_first_key nobody could ever call. */
struct engine_result gateway_seed(struct surface *s);

/* One request to send. Texts lie in the writer that was given, or in the book. */
enum { GATEWAY_JOB_HEADERS = 4 };
struct gateway_job {
    struct span url;
    struct span body; /* data NULL: a GET */
    const char *headers[GATEWAY_JOB_HEADERS + 1];
    const char *content_type; /* NULL: application/json */
};

/* Shadow mode (gateway_shadow.c): the next call to forward, false: none; and what was answered. */
bool gateway_shadow_take(struct surface *s, struct writer *w, struct gateway_job *job,
                         uint32_t *slot);
struct gateway_shadow_answer {
    uint16_t status;
    uint8_t error; /* enum delivery_error */
    uint32_t duration_ms;
    struct span body;
};
void gateway_shadow_answered(struct surface *s, uint32_t slot,
                             const struct gateway_shadow_answer *answer);
/* The provider account whose access token the message needs; SLAB_NONE: none. */
uint32_t gateway_outgoing_provider(struct surface *s, const struct outbox_item *item);
/* Is there a good token for it? Or the request that fetches one, and what came of that. */
bool gateway_token_good(struct surface *s, uint32_t provider);
bool gateway_token_job(struct surface *s, uint32_t provider, struct writer *w,
                       struct gateway_job *job);
bool gateway_token_taken(struct surface *s, uint32_t provider, uint16_t status, struct span answer);
/* False: there is nothing to send any more. */
bool gateway_outgoing(struct surface *s, const struct outbox_item *item, struct writer *w,
                      struct gateway_job *job);
/* What was answered, into c->reading: lives until the next call. */
void gateway_read(struct surface *s, const struct outbox_item *item,
                  struct delivery_result_command *c);

#endif
