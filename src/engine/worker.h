/*
 * worker.h - a thread that does one piece of work at a time for the loop. One slot, handed back and
 * forth under a mutex:
 *
 *   EMPTY --fill, go (loop)--> FULL --work (thread)--> DONE --take (loop)--> EMPTY
 *
 * Guarantees: the loop never waits for the work; at most one piece is under way; what its owner
 * wrote between worker_fill and worker_go the thread sees, and what the thread wrote the loop sees
 * after worker_take said true. Nobody touches either in between.
 */
#ifndef HAKIKA_ENGINE_WORKER_H
#define HAKIKA_ENGINE_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/check.h"

enum worker_state { WORKER_EMPTY, WORKER_FULL, WORKER_DONE };

struct worker {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    int event; /* readable when a piece is finished: for the loop's epoll set */
    enum worker_state state;
    bool stopping;
    void (*work)(void *context);
    void *context;
};

/* Starts the thread, which calls work(context) for each piece. False with errno. */
bool worker_start(struct worker *w, void (*work)(void *context), void *context) MUST_USE;
/* Opens the slot, which must be EMPTY; worker_go must follow, with nothing between but the filling
 * in of the piece. */
void worker_fill(struct worker *w);
void worker_go(struct worker *w);
/* True, once, when the piece is finished: the slot is EMPTY again. */
bool worker_take(struct worker *w);
/* Waits for the piece under way, ends the thread. */
void worker_stop(struct worker *w);

#endif
