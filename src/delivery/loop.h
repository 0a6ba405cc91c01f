/*
 * loop.h - waits for libcurl's sockets and timers with epoll (private to delivery/).
 *
 * libcurl's own loop asks about every connection and runs every transfer in each turn: a hundred
 * transfers cost a hundred times as much as one. Here only what is ready is run, and a connection
 * that is used again costs no epoll_ctl.
 *
 * Guarantees
 *  L1  a socket of ours that a transfer waits for is watched for exactly what libcurl asked for.
 *  L2  a socket of ours that no transfer waits for may stay watched, until something happens on it
 *      (the peer closed an idle connection): then it is watched no more, so that nothing spins.
 *  L3  an event of a socket that was closed meanwhile never reaches another one with its number.
 * Relies on: one thread for everything but loop_wake; every connection's socket coming from
 * loop_open and ending in loop_close. Sockets that libcurl makes for itself (its resolver's pairs)
 * are watched without L2.
 */
#ifndef HAKIKA_DELIVERY_LOOP_H
#define HAKIKA_DELIVERY_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct delivery_watch {
    uint32_t serial; /* rises with each socket of this number */
    uint32_t mask;   /* what the kernel watches for; 0: it does not know the socket */
    bool ours;       /* from loop_open, not closed yet */
    bool wanted;     /* a transfer waits for it */
};

struct delivery_loop {
    CURLM *multi;
    int epoll_fd;
    int wake_fd;
    int64_t timer_at_ns;            /* when libcurl wants to be called; INT64_MAX: not at all */
    struct delivery_watch *watches; /* by number of the socket */
    uint32_t watches_count;
};

/* Makes the multi handle and the descriptors; false when there is none to be had. The end is due
 * in either case. */
bool delivery__loop_init(struct delivery_loop *loop) MUST_USE;
/* No transfer is in the multi handle any more. */
void delivery__loop_fini(struct delivery_loop *loop);

/* A socket for a connection of one transfer, and its end: the functions behind libcurl's
 * OPENSOCKETFUNCTION and CLOSESOCKETFUNCTION. Open: CURL_SOCKET_BAD when there is none. */
curl_socket_t delivery__loop_open(struct delivery_loop *loop, const struct curl_sockaddr *address);
int delivery__loop_close(void *loop, curl_socket_t fd);

/* Runs the transfers whose time has come; those just added are among them. */
void delivery__loop_run_timers(struct delivery_loop *loop);
/* Waits until something is ready, a timer is due, somebody wakes it or timeout_ms have passed, and
 * runs the transfers that are ready. */
void delivery__loop_wait(struct delivery_loop *loop, int timeout_ms);
/* The clock of every limit here: CLOCK_MONOTONIC, which nobody sets. */
int64_t delivery__loop_now_ns(void);
/* From any thread: the wait of now, or the next one, ends at once. */
void delivery__loop_wake(struct delivery_loop *loop);

#endif
