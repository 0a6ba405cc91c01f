/*
 * host.h - one book with all that it needs to run: its journal and the thread that writes it, its
 * engine, its index of old ids, its HTTP server and surface, its outbound deliveries. A process
 * hosts one book or two (serve.c), on one loop and with one clock.
 *
 * Relies on: everything here is called by the loop's thread.
 */
#ifndef HAKIKA_APP_HOST_H
#define HAKIKA_APP_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "app/archive.h"
#include "app/config.h"
#include "app/courier.h"
#include "delivery/delivery.h"
#include "engine/engine.h"
#include "merchant/merchant.h"
#include "operator/operator.h"
#include "view/view.h"

/* What the books of a process share. */
struct host_shared {
    const struct config *config;
    const char *data;
    struct span rules; /* the document of --rules; data NULL: none */
    struct book_clock clock;
    struct secrets *secrets;
    int epoll;
    /* Messages of all books that are on their way. */
    uint32_t (*in_flight)(void *context);
    void (*reset)(void *context); /* the operator's book was reset: the others follow */
    void *context;
};

enum { HOST_POLL_MS = 50 }; /* how often the loop looks at what has no descriptor */

struct host {
    struct host_shared *shared;
    enum surface_book which;
    uint16_t port; /* that was asked for */
    char journal_path[640];
    char archive_path[640]; /* folder of the index of old ids */
    struct operator_settings operator_settings;
    struct gateway_settings gateway_settings;
    struct journal_head seen; /* of the journal, before it was opened for writing */
    struct journal *journal;
    struct writer_thread *writer;
    struct book *book;
    struct archive archive;
    struct engine *engine;
    struct surface *surface;
    struct http_server *http;
    struct delivery *delivery;
    struct courier courier; /* of the merchant's book */
    struct view *view;      /* NULL: none is kept */
    char view_file[640];
    struct snapshot_child child;
    uint64_t snapshot_at; /* journal bytes at the last snapshot */
    bool snapshot_wanted;
    struct journal_error error;
};

/* The loop wakes when this descriptor can be read. */
bool host_shared_watch(const struct host_shared *shared, int descriptor);
/* The sooner of two time-outs as epoll_wait takes them (below zero: none). */
int host_sooner_ms(int a, int b);

/* The folder of its journal; nothing is opened yet. */
void host_init(struct host *h, struct host_shared *shared, enum surface_book which);
const char *host_name(const struct host *h); /* "operator", "merchant" */
/*
 * Reads a journal that is there, without a lock and without writing, until the book stands: what
 * this program cannot read is refused before a byte of the folder changes. False after a message.
 */
bool host_look(struct host *h);
/* Opens the journal for writing, and the index. False after a message. */
bool host_open(struct host *h);
/* Engine, deliveries, HTTP. Needs the clock and the secrets. False after a message. */
bool host_start(struct host *h);
/* A new book gets its seed, and every book the rules of the start, before anybody can look. */
bool host_seed(struct host *h);
void host_start_view(struct host *h);
/* Descriptors into the loop's epoll set. */
bool host_watch(struct host *h);
/* Is it one of this book's? Then what it told was taken in. */
bool host_event(struct host *h, int descriptor);
/* One turn. True: it would like another at once. *poisoned: the journal failed. */
bool host_turn(struct host *h, bool *poisoned);
int host_timeout_ms(struct host *h);
/* Messages on their way, and those that are about to be. */
uint32_t host_in_flight(const struct host *h);
void host_quiesce(struct host *h);
bool host_quiet(const struct host *h);
/* The last snapshot, at a clean stop. */
void host_leave_snapshot(struct host *h);
/* view_patience_ms: how long the view may take in the rest. */
void host_stop(struct host *h, uint32_t view_patience_ms);
/* "http://127.0.0.1:8254" */
void host_url(const struct host *h, char out[160]);

#endif
