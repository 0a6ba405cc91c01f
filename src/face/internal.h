/*
 * internal.h - what the surfaces share with each other and with nobody else.
 */
#ifndef HAKIKA_FACE_INTERNAL_H
#define HAKIKA_FACE_INTERNAL_H

#include "base/latency.h"
#include "base/ids.h"
#include "face/apps.h"
#include "face/credential.h"
#include "face/face.h"
#include "face/conventions.h"
#include "merchant/merchant.h"
#include "wire/daraja_envelope.h"
#include "wire/daraja_error.h"
#include "wire/daraja_url.h"

enum {
    SURFACE_BODY_MAX = 256 * 1024, /* of a reply */
    SURFACE_WAIT_MAX = 16 * 1024,  /* replies held back at once; must exceed the connections */
    SURFACE_POLLS_MAX = 256,       /* long polls at once */
    SURFACE_STREAMS_MAX = 64,
    SURFACE_KEYS_MAX = 4096, /* passkeys kept unsealed */
    SURFACE_DELAYED_MAX =
        1024, /* answers that a scenario rule delays at once; more leave at once */
    LIST_LIMIT_DEFAULT = 20,
    LIST_LIMIT_MAX = 100,
    LIST_LOOKS_MAX = 100 * 1000, /* at deliveries, for one list; in the index of old ids: */
    LIST_FETCHES_MAX = 2000,
    LOOK_IN_INDEX = LIST_LOOKS_MAX / LIST_FETCHES_MAX - 1, /* what such a one counts more */
    CONSOLE_TOKEN_SIZE = 33,                               /* 32 digits and NUL */
    CONSOLE_URL_SIZE = 200,
};

struct waiting_reply {
    uint64_t position;
    int64_t asked_ns; /* see struct request */
    struct http_ticket ticket;
};

/* An answer that a scenario rule delays. */
struct delayed_reply {
    struct http_ticket ticket;
    uint64_t position;   /* durable first */
    int64_t due_ns;      /* book time */
    uint64_t generation; /* of the book: in another one the time that it waits for may never come */
    uint64_t about;      /* request_original_*: whose callback must have gone out; 0: no matter */
};

/* A request that waits for a payment to end, or of the merchant's to move (?wait=). */
struct long_poll {
    struct http_ticket ticket;
    uint64_t generation; /* of the book: a reset or restored one has other payments */
    uint64_t number;
    int64_t deadline_ns; /* monotonic */
    uint8_t state;       /* that the payment had */
    bool used;
};

struct event_stream {
    struct http_ticket ticket;
    uint64_t position; /* next frame to send */
    int64_t beat_ns;   /* monotonic: when the next keep-alive comment is due */
    bool used;
};

struct passkey {
    uint32_t short_code;
    uint32_t size;
    char text[SECRETS_PLAIN_MAX];
};

/* Figures of the book's state, for /metrics, which does not wait for the disk: as they were at a
 * position that is durable (F1). */
struct book_figures {
    uint64_t position;
    uint64_t open, queued, accepted, in_memory, left, keys_left;
    uint64_t ended[STK_OUTCOMES_MAX];
    /* Of the merchant book: */
    uint64_t entered[GATEWAY_STATES_END];
    uint64_t orphans, attention, paid, repaired, late, discrepancies, discrepancies_found;
    uint64_t receipts[RECEIPT_STATE_LAST + 1];
    uint64_t waiting, delivered, dead, failed_attempts;
    struct latency to_callback; /* of the operator's: from push to callback */
};

struct gateway_face;

struct surface {
    struct surface_options options;
    struct gateway_face *gateway; /* of the merchant's surface; NULL: it is the operator's */
    struct engine *engine;
    struct http_server *server;
    struct json_scratch *json;
    struct waiting_reply *waiting; /* ring, in order of position */
    uint32_t waiting_head;
    uint32_t waiting_count;
    struct long_poll polls[SURFACE_POLLS_MAX];
    struct event_stream streams[SURFACE_STREAMS_MAX];
    uint32_t poll_count;
    uint32_t stream_count;
    struct credential_key *credential;
    struct passkey *passkeys;
    uint64_t passkeys_kept[SURFACE_KEYS_MAX / 64]; /* a bit each: the others' memory is untouched */
    uint64_t passkey_generation;
    struct apps apps;
    struct http_ticket clock_ticket; /* who waits for the clock to arrive */
    bool clock_waits;
    bool clock_until_idle;
    uint64_t request_counter;
    uint64_t request_seed;
    uint8_t *body; /* SURFACE_BODY_MAX */
    struct delayed_reply delayed[SURFACE_DELAYED_MAX];
    uint32_t delayed_count;
    bool quiescing;
    bool rules_missing;         /* those of the start could not be set: tried again */
    struct ruled ruled;         /* of the request under way */
    struct rule_list rule_list; /* being read */
    uint64_t refused_busy;
    uint64_t refused_disk;
    bool index_unread;                      /* the latest look-up in the index failed */
    bool index_missed;                      /* one did since a list set this to false */
    uint64_t answers[6];                    /* by first digit of the status */
    struct latency acknowledged;            /* requests for payments: until the answer left */
    struct latency to_callback;             /* ahead of the disk: shown with the figures */
    char console_token[CONSOLE_TOKEN_SIZE]; /* of this start: what our own page asks with */
    struct book_figures shown;              /* durable */
    struct book_figures pending;            /* take their place when they are */
    char console_other[CONSOLE_URL_SIZE];   /* where the other book's page is; empty: nowhere */
};

/* A request under way: what handlers are given. */
struct request {
    struct surface *s;
    struct http_exchange *x;
    struct span method;
    struct span path;
    struct span parts[6];      /* of a pattern's {} */
    uint32_t app;              /* that the access token is bound to; after daraja_preamble */
    const struct ruled *ruled; /* what a scenario rule orders for the answer; NULL: nothing */
    uint64_t ruled_position;   /* of the count of it */
    uint64_t about;            /* request_original_*: what a ruled answer is about */
    uint32_t merchant;         /* slot: whose API key it came with */
    int64_t asked_ns;          /* monotonic: a request for a payment is timed from here; else 0 */
};

/* Which call is which. */
struct route {
    const char *method;
    const char *pattern; /* {} stands for one part of the path */
    void (*handle)(struct request *q);
};
/* Calls the handler of the route that fits, or answers that there is none. */
void surface_dispatch(struct request *q, const struct route *routes, size_t count);

struct face_answer {
    unsigned status;
    const char *content_type;
    struct span body;
};

static inline struct operator_state const *surface_operator(struct surface *s)
{
    return operator_of(engine_book(s->engine));
}

/* A payment that is in memory, or was: fetched from the index of old ids, and then good until the
 * next look-up. NULL: there is none. */
/* False: there is no such thing, or (index_unread) nobody knows. */
bool surface_reach(struct surface *s, const struct old_name *name);
const struct stk_payment *surface_payment(struct surface *s, uint64_t number);
/* By CheckoutRequestID or receipt. */
const struct stk_payment *surface_payment_by_id(struct surface *s, struct span id);
const struct outbox_item *surface_delivery(struct surface *s, uint64_t number);
/* "Not found", or that nobody knows because the index of old ids cannot be read. */
void surface_not_found(struct request *q, const char *detail);

/* A writer over the surface's body buffer; used by one handler at a time. */
struct writer surface_writer(struct surface *s);

/* Never goes back: how long things take and wait, whatever the time of the book. */
int64_t surface_monotonic_ns(const struct surface *s);
/* Holds the answer until the payment has moved on or so long; false: too many wait already. */
bool surface_poll_add(struct request *q, uint64_t number, uint8_t state, uint64_t seconds);
/* The request asks for a payment: how long its answer takes is measured from now. */
void surface_time(struct request *q);
/* Answers when wait_position is durable; 0: at once. */
void surface_answer(struct request *q, uint64_t wait_position, unsigned status,
                    const char *content_type, const struct writer *body);
/* The same past any rule: rules.c, when it has made of the answer what it orders. */
void surface_send(struct request *q, uint64_t wait_position, struct face_answer answer);
void surface_json(struct request *q, uint64_t wait_position, unsigned status,
                  const struct writer *body);
/* application/problem+json (RFC 9457) with a stable code. detail says what to do. */
void surface_problem(struct request *q, uint64_t wait_position, unsigned status, const char *code,
                     const char *detail);
/* What an engine that did not decide means for the client of our own API. */
void surface_not_decided(struct request *q, enum engine_status status);

/* "254712345678" -> "2547*****678" */
void mask_msisdn(uint64_t msisdn, char out[16]);
/* 2547XXXXXXXX or 2541XXXXXXXX. */
bool msisdn_valid(uint64_t msisdn);

/* control.c, control_accounts.c, control_clock.c, control_worlds.c */
bool control_route(struct request *q);
/* Is the Host a name of ours? False after answering. */
bool control_host_allowed(struct request *q);
/* The same, and no page from elsewhere asks. */
bool control_may_ask(struct request *q);
void control_subscriber_open(struct request *q);
void control_subscriber_get(struct request *q);
void control_subscriber_render(struct surface *s, struct writer *w, const struct subscriber *u);
void control_subscriber_change(struct request *q);
void control_subscriber_prompts(struct request *q);
void control_organisation_open(struct request *q);
void control_organisation_get(struct request *q);
void control_organisation_fund(struct request *q);
void control_organisation_change(struct request *q);
void control_organisation_settle(struct request *q);
void control_organisation_render(struct surface *s, struct writer *w, const struct organisation *g);
/* The organisation of the path; NULL after answering. */
const struct organisation *control_find_organisation(struct request *q);
void control_answer_organisation(struct request *q, uint64_t wait_position, unsigned status,
                                 const struct organisation *g);
void control_invoice_list(struct request *q); /* daraja_bill.c */
/* daraja_ratiba.c */
void control_standing_list(struct request *q);
void control_standing_get(struct request *q);
void control_standing_cancel(struct request *q);
void control_request_list(struct request *q);
void control_request_get(struct request *q);
const struct operator_request *control_find_request(struct surface *s, struct span id);
void control_request_render(struct surface *s, struct writer *w, const struct operator_request *r);
/* With the members that a transaction has: what does not apply is null. */
/* The request as it was at ?at=, or as it is without; false after answering that there is no such
 * position, or that it did not exist then. */
bool control_request_then(struct request *q, const struct operator_request *r,
                          struct operator_request *then);
void control_request_as_transaction(struct surface *s, struct writer *w,
                                    const struct operator_request *r);
void control_timeline_step(struct surface *s, struct writer *w, uint64_t position, int64_t ns,
                           const char *event);
void control_request_prompt_render(struct surface *s, struct writer *w,
                                   const struct operator_request *r);
void control_answer_request_prompt(struct request *q, const struct operator_request *r,
                                   bool cancels, struct span pin);
/* NULL when no delivery has this id ("dlv_7"). */
const struct outbox_item *control_find_delivery(struct request *q, struct span id);
void control_answer_delivery(struct request *q, uint64_t wait_position, unsigned status,
                             const struct outbox_item *item);
void control_delivery_replay(struct request *q);
void control_delivery_curl(struct request *q);
void control_clock_get(struct request *q);
void control_clock_set(struct request *q);
void control_clock_idle(struct request *q);
void control_reset(struct request *q);
void control_world_save(struct request *q);
void control_world_list(struct request *q);
void control_world_get(struct request *q);
void control_world_remove(struct request *q);
void control_world_restore(struct request *q);
void control_world_file_get(struct request *q);
void control_world_file_post(struct request *q);
void control_clock_turn(struct surface *s);
void control_poll_turn(struct surface *s);
/* Opens one with the defaults of `dev`; used by push, too. */
struct engine_result control_open_subscriber(struct surface *s, uint64_t msisdn);
/* What an organisation that nobody described has: the public sandbox's. */
struct span control_sandbox_secret(enum organisation_secret which);
struct engine_result control_open_organisation(struct surface *s, uint32_t short_code);
/* The request's JSON object, or NULL after answering 400. */
struct json_object *control_body(struct request *q);
/* As it was when the frame of that position had just been applied; UINT64_MAX: as it is. */
void control_transaction_render(struct surface *s, struct writer *w, const struct stk_payment *p,
                                uint64_t at);
void control_delivery_render(struct surface *s, struct writer *w, const struct outbox_item *item,
                             bool with_bodies);

/* The payment of a path: txn_N, a checkout id or a receipt; NULL: there is none. */
const struct stk_payment *control_find_payment(struct surface *s, struct span id);

/* control_overview.c */
void control_subscriber_list(struct request *q);
void control_organisation_list(struct request *q);
void control_entry_list(struct request *q);
void control_money(struct request *q);

/* status.c: /healthz, /readyz, /metrics, /openapi.json */
void status_turn(struct surface *s);
bool status_route(struct request *q);
/* stream.c */
/* "1:42" -> 42; a bare number is a position, too. */
bool surface_position(struct span text, uint64_t *out);
void stream_start(struct request *q);
bool stream_turn(struct surface *s);
void stream_end_all(struct surface *s);

#endif
