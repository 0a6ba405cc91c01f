/*
 * faults.h - what the fault tests share: the program under test as a child process, a world of
 * phones and shops that remembers every answer it was given, and the check after a restart.
 *
 *   server.c  starts, kills and awaits hakika serve        world.c  the load, and what was told
 *   sums.c    receipts, callbacks, money                   check.c  the audit after a restart
 *   cycles.c  load, strike, restart, check              kill_loop.c, power_cut.c: what strikes
 *   nth_failure.c, full_disk.c  calls that fail          faults.c: main
 *
 * The rule of all of them: what a client was told is true for ever; what it was not told is there
 * as a whole or not at all. A violation prints the seed and the cycle, keeps the data and exits 1.
 */
#ifndef HAKIKA_TESTS_FAULTS_H
#define HAKIKA_TESTS_FAULTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/bench/load.h"
#include "app/bench/sink.h"
#include "base/span.h"
#include "support/random.h"

/* ---- server.c ---- */

enum {
    SERVER_ARGUMENTS_MAX = 24,
    SERVER_READY_MS = 30000,
    SERVER_STILL_RUNNING = -1, /* of server_wait */
    SERVER_SIGNALLED = 1000,   /* of server_wait: plus the signal */
};

struct server {
    const char *program;
    char data[400];
    char log[420];        /* what it said on stderr; appended to over restarts */
    const char *preload;  /* LD_PRELOAD; NULL: none */
    char *environment[8]; /* "NAME=value" for the child, up to a NULL */
    uint64_t snapshot_bytes;
    pid_t pid; /* 0: not running */
    int descriptor;
    uint16_t port;
};

/* Starts it and waits for the ready line. False: it ended first (server_wait tells how). */
bool server_start(struct server *s);
/* Starts it and does not wait for anything. */
void server_launch(struct server *s);
void server_signal(const struct server *s, int signal);
/* Exit status, SERVER_SIGNALLED + signal, or SERVER_STILL_RUNNING. Reaps it. */
int server_wait(struct server *s, int timeout_ms);
/* kill -9 and wait. */
void server_kill(struct server *s);
/* True when hakika verify finds nothing, or when this program has no such command. */
bool server_verify(const struct server *s);
/* Runs a program to its end; its exit status. Its output goes to path (NULL: to ours). */
int run_program(const char *const *arguments, const char *output_path);

/* ---- world.c ---- */

enum {
    PHONES = 1500,
    SHOPS = 3,
    PAYMENTS_MAX = 1 << 20,
    OPS_MAX = 1 << 16,
    CONNECTIONS = 24,
    CALLBACKS_MAX = 1 << 18, /* slots of an open table; a power of two */
};
#define PHONE_FIRST   254700000000u
#define WALLET_MINOR  ((int64_t)100000 * 100) /* what a phone that opens by itself holds */
#define POOR_MINOR    ((int64_t)700)
#define SHOP_MINOR    ((int64_t)1000000 * 100)
#define PAYMENT_NONE  UINT32_MAX
#define CHECKOUT_SIZE 48
#define RECEIPT_SIZE  16

enum knowledge {
    KNOWN_ASKED = 1, /* the push was sent, nothing came back */
    KNOWN_ACCEPTED,  /* its ids were told */
    KNOWN_REFUSED,   /* told that nothing was accepted */
    KNOWN_ABSENT,    /* never answered, and not there after the restart */
};

enum status {
    STATUS_NONE = 0,
    STATUS_PENDING,
    STATUS_PROCESSING,
    STATUS_SUCCESS,
    STATUS_FAILED,
    STATUS_CANCELLED,
};

enum intent { INTENT_APPROVE, INTENT_WRONG_PIN, INTENT_CANCEL, INTENT_LEAVE };
enum answered { ANSWER_NOT_GIVEN, ANSWER_SENT, ANSWER_ACKNOWLEDGED };

struct payment {
    uint64_t number; /* txn_N, once seen */
    uint32_t phone;
    uint32_t cycle;
    uint16_t shop;
    uint16_t amount; /* shillings */
    uint8_t known;
    uint8_t told;     /* enum status: the furthest that anybody was told */
    uint64_t told_at; /* how many answers had come by then */
    uint8_t intent;
    uint8_t answer;
    bool queued;
    bool seen; /* in the listing under way */
    int32_t code;
    char checkout[CHECKOUT_SIZE];
    char receipt[RECEIPT_SIZE];
};

struct callback {
    char checkout[CHECKOUT_SIZE];
    char receipt[RECEIPT_SIZE];
    uint64_t body_hash;
    uint32_t count;
    int32_t code;
};

struct phone {
    uint32_t open; /* payment, PAYMENT_NONE: idle */
    bool poor;
    bool touched;
    int64_t paid_minor; /* as told */
};

struct op {
    uint8_t kind;
    bool used;
    uint32_t payment;
    uint64_t sent; /* how many answers had come when it was sent */
};

struct world {
    struct server server;
    struct test_random random;
    uint32_t cycle;
    const char *name; /* of the test, for messages */

    struct payment *payments;
    uint32_t payment_count;
    uint32_t settled;        /* payments below this index have ended and were checked since */
    uint64_t settled_number; /* the same in numbers of the book */
    struct phone phones[PHONES];
    uint32_t idle[PHONES]; /* a stack of idle phones */
    uint32_t idle_count;
    uint32_t *queue; /* payments to do something about; ring of PAYMENTS_MAX */
    uint32_t queue_head, queue_count;
    struct op ops[OPS_MAX];
    uint64_t answers; /* that have come */
    uint64_t asked;   /* w->answers when the request was sent whose answer is being looked at */
    char token[64];
    char password[160];
    char stamp[16];
    bool resolving; /* answer what is open, start nothing new */
    atomic_bool stop;
    bool failed_requests_fine; /* the program is being broken: errors tell nothing */

    struct sink *sink;
    pthread_mutex_t callbacks_lock;
    struct callback *callbacks;
    uint32_t callback_count;
    char callback_fault[200];
    uint64_t *receipts; /* open table of hashes */
    int64_t shop_paid[SHOPS];

    uint64_t total_accepted, total_ended, total_refused, total_callbacks, total_adopted;
    uint64_t total_absent;
};

/* Prints what was broken and how to repeat it, keeps the data, exits with 1. */
_Noreturn void world_fail(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct world *world_create(const char *name, const char *program, uint64_t seed);
/* A new book in a folder of its own: nothing is known. */
void world_begin(struct world *w, const char *data);
/* Stops the sink and forgets. */
void world_end(struct world *w);
/* Token, shops and poor phones; tolerates that they are there already. False: the server ended. */
bool world_prepare(struct world *w);
/* Load until w->stop, for at most duration_ms, or requests_max. */
void world_load(struct world *w, uint32_t duration_ms, uint64_t requests_max);
/* Compares an answer about a payment with everything told before. */
void world_told(struct world *w, uint32_t payment, struct span body);
void world_queue(struct world *w, uint32_t payment);
bool status_final(uint8_t status);
int64_t clock_ms(void);

/* The text between prefix and the next quote (or , or }); false when there is none. */
bool text_after(struct span body, const char *prefix, char *out, size_t room);
bool number_after(struct span body, const char *prefix, int64_t *out);
uint64_t hash_text(const void *data, size_t size);

/* One GET or POST, waiting for its answer; its status, 0: none. body_out has room bytes. */
int world_ask(struct world *w, const char *method, const char *path, const char *body,
              char *body_out, size_t room);

/* ---- sums.c ---- */

void callback_received(void *context, struct span body);
/* NULL: none came. Callbacks must not arrive meanwhile, or the caller holds the lock. */
const struct callback *callback_find(const struct world *w, const char *checkout);
/* False: this receipt was given before. */
bool receipt_add(struct world *w, const char *receipt);
/* Balances of all shops and of all phones that were touched; everything must have ended. */
void sums_check(struct world *w, bool all_phones);
/* Each callback tells what the book tells. */
void callbacks_check(struct world *w);
/* Waits until each ended payment has its callback. */
void callbacks_await(struct world *w);

/* ---- check.c ---- */

/* After a restart: everything told is still so, the rest is whole or absent, open payments get
 * their answers, sums are exact. full: every payment of the book, not just the latest. */
void world_check(struct world *w, bool full);

/* ---- one kind of fault each ---- */

struct fault_options {
    const char *program;
    const char *folder; /* where data lies */
    const char *shim;   /* nth_failure: the library to preload */
    const char *call;   /* nth_failure: which call fails */
    const char *mode;   /* nth_failure: how */
    uint64_t seed;
    uint32_t cycles; /* nth_failure: 0 for all */
    uint32_t stride;
    uint32_t load_ms;
};

int kill_loop(const struct fault_options *options);
int power_cut(const struct fault_options *options);
int nth_failure(const struct fault_options *options);
int full_disk(const struct fault_options *options);

#endif
